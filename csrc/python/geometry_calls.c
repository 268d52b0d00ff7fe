/* Geometry of Params for Python: outlines, dimensions, masses, winding. */
#include "core.h"

#include <string.h>

#include "polepair/geometry.h"
#include "polepair/magnetics.h"
#include "polepair/winding.h"

/* Dimensions of a geometric machine; -1 with ValueError. */
static int dims_of(PyObject *self, pp_dims *dims)
{
    const pp_params *params = &((params_object *)self)->values;
    if (pp_is_datasheet(params)) {
        PyErr_SetString(
            PyExc_ValueError,
            "datasheet: this motor has no geometry, expected one without R_ll or R_phase");
        return -1;
    }
    pp_status status = pp_dims_from(params, dims);
    if (status != PP_OK)
        raise_status(status, params, -1);
    return status == PP_OK ? 0 : -1;
}

PyObject *params_outline(PyObject *self, PyObject *name)
{
    const pp_params *params = &((params_object *)self)->values;
    pp_dims dims;
    pp_vertex vertices[PP_PITCH_VERTICES];
    if (dims_of(self, &dims) < 0)
        return NULL;
    bool tooth = PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, "tooth") == 0;
    bool magnet = PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, "magnet") == 0;
    if (!magnet && !(tooth && !pp_is_slotless(params))) {
        PyErr_Format(PyExc_ValueError,
                     "%R: expected \"magnet\", or \"tooth\" where there are slots", name);
        return NULL;
    }
    int count = tooth ? pp_tooth_contour(params, &dims, vertices)
                      : pp_magnet_outline(params, &dims, vertices);
    npy_intp shape[2] = {count, 3};
    PyObject *array = PyArray_SimpleNew(2, shape, NPY_DOUBLE);
    double *out = array ? PyArray_DATA((PyArrayObject *)array) : NULL;
    for (int i = 0; out && i < count; i++, out += 3) {
        out[0] = vertices[i].x;
        out[1] = vertices[i].y;
        out[2] = vertices[i].arc;
    }
    return array;
}

PyObject *params_dims(PyObject *self, PyObject *Py_UNUSED(unused))
{
    pp_dims dims;
    if (dims_of(self, &dims) < 0)
        return NULL;
    return Py_BuildValue("{sdsdsdsdsdsdsdsdsdsdsdsdsdsdsdsdsdsdsd}", "sign", dims.sign, "r_gap",
                         dims.r_gap, "r_bottom", dims.r_bottom, "r_yoke", dims.r_yoke, "r_winding",
                         dims.r_winding, "r_magnet", dims.r_magnet, "r_base", dims.r_base,
                         "r_corner", dims.r_corner, "r_core", dims.r_core, "r_shaft", dims.r_shaft,
                         "r_housing", dims.r_housing, "half_pitch", dims.half_pitch, "opening",
                         dims.opening, "slot_area", dims.slot_area, "slot_width", dims.slot_width,
                         "arc", dims.arc, "magnet_length", dims.magnet_length, "r_top", dims.r_top,
                         "overhang", dims.overhang);
}

static int put_body(PyObject *dict, const char *name, const pp_body *body)
{
    PyObject *values =
        Py_BuildValue("{sdsdsdsdsd}", "volume", body->volume, "mass", body->mass, "z", body->z,
                      "J_axial", body->J_axial, "J_transverse", body->J_transverse);
    int failed = !values || PyDict_SetItemString(dict, name, values) < 0;
    Py_XDECREF(values);
    return failed ? -1 : 0;
}

PyObject *params_masses(PyObject *self, PyObject *Py_UNUSED(unused))
{
    pp_dims dims;
    pp_masses masses;
    if (dims_of(self, &dims) < 0)
        return NULL;
    pp_masses_from(&((params_object *)self)->values, &dims, &masses);
    PyObject *dict = PyDict_New();
    if (dict && !put_body(dict, "stator", &masses.stator) &&
        !put_body(dict, "rotor_core", &masses.rotor_core) && !put_body(dict, "web", &masses.web) &&
        !put_body(dict, "magnets", &masses.magnets) && !put_body(dict, "shaft", &masses.shaft) &&
        !put_body(dict, "bearings", &masses.bearings) &&
        !put_body(dict, "housing", &masses.housing) && !put_body(dict, "rotor", &masses.rotor))
        return dict;
    Py_XDECREF(dict);
    return NULL;
}

PyObject *params_winding(PyObject *self, PyObject *Py_UNUSED(unused))
{
    const pp_params *params = &((params_object *)self)->values;
    pp_winding winding;
    pp_dims dims;
    if (dims_of(self, &dims) < 0)
        return NULL;
    pp_status status = pp_winding_of(params, &winding);
    if (status != PP_OK)
        return raise_status(status, params, -1);
    npy_intp shape[2] = {3, winding.slots};
    PyObject *array = PyArray_SimpleNew(2, shape, NPY_INT8);
    if (!array)
        return NULL;
    PyObject *coils = PyArray_SimpleNew(1, &shape[1], NPY_INT8);
    if (!coils) {
        Py_DECREF(array);
        return NULL;
    }
    for (int k = 0; k < 3; k++)
        memcpy((char *)PyArray_DATA((PyArrayObject *)array) + k * winding.slots,
               winding.conductors[k], (size_t)winding.slots);
    memcpy(PyArray_DATA((PyArrayObject *)coils), winding.coil_phase, (size_t)winding.slots);
    return Py_BuildValue("NNi", array, coils, winding.span);
}

static PyObject *naive_gap_field(PyObject *Py_UNUSED(module), PyObject *args)
{
    double Br, mu_r, thickness, gap, carter, arc;
    if (!PyArg_ParseTuple(args, "dddddd:naive_gap_field", &Br, &mu_r, &thickness, &gap, &carter,
                          &arc))
        return NULL;
    return PyFloat_FromDouble(pp_naive_gap_field(Br, mu_r, thickness, gap, carter, arc));
}

static PyMethodDef geometry_functions[] = {
    {"naive_gap_field", naive_gap_field, METH_VARARGS,
     "naive_gap_field($module, Br, mu_r, thickness, gap, carter, arc, /)\n--\n\n"
     "One-dimensional gap field [T]: the documented wrong answer."},
    {NULL, NULL, 0, NULL}};

int add_geometry(PyObject *module, module_state *Py_UNUSED(state))
{
    return PyModule_AddFunctions(module, geometry_functions);
}
