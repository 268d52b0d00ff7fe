/* Geometry of Params for Python: outlines, dimensions, masses, winding. */
#include "core.h"

#include <string.h>

#include "polepair/geometry.h"
#include "polepair/magnetics.h"
#include "polepair/winding.h"

/* Dimensions of a geometric machine; -1 with ValueError. */
static int dims_of(PyObject *self, pp_dims *dims)
{
    const pp_params *p = &((params_object *)self)->values;
    if (pp_is_datasheet(p)) {
        PyErr_SetString(
            PyExc_ValueError,
            "datasheet: this motor has no geometry, expected one without R_ll or R_phase");
        return -1;
    }
    pp_status status = pp_dims_from(p, dims);
    if (status != PP_OK)
        raise_status(status, p, -1);
    return status == PP_OK ? 0 : -1;
}

PyObject *params_outline(PyObject *self, PyObject *name)
{
    const pp_params *p = &((params_object *)self)->values;
    pp_dims dims;
    pp_vertex v[PP_PITCH_VERTICES];
    if (dims_of(self, &dims) < 0)
        return NULL;
    bool tooth = PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, "tooth") == 0;
    bool magnet = PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, "magnet") == 0;
    if (!magnet && !(tooth && p->stator.slots > 0.5)) {
        PyErr_Format(PyExc_ValueError,
                     "%R: expected \"magnet\", or \"tooth\" where there are slots", name);
        return NULL;
    }
    npy_intp shape[2] = {tooth ? pp_tooth_contour(p, &dims, v) : pp_magnet_outline(p, &dims, v), 3};
    PyObject *array = PyArray_SimpleNew(2, shape, NPY_DOUBLE);
    double *out = array ? PyArray_DATA((PyArrayObject *)array) : NULL;
    for (int i = 0; out && i < shape[0]; i++, out += 3)
        out[0] = v[i].x, out[1] = v[i].y, out[2] = v[i].arc;
    return array;
}

PyObject *params_dims(PyObject *self, PyObject *unused)
{
    (void)unused;
    pp_dims d;
    if (dims_of(self, &d) < 0)
        return NULL;
    return Py_BuildValue("{sdsdsdsdsdsdsdsdsdsdsdsdsdsdsdsdsdsdsd}", "sign", d.sign, "r_gap",
                         d.r_gap, "r_bottom", d.r_bottom, "r_yoke", d.r_yoke, "r_winding",
                         d.r_winding, "r_magnet", d.r_magnet, "r_base", d.r_base, "r_corner",
                         d.r_corner, "r_core", d.r_core, "r_shaft", d.r_shaft, "r_housing",
                         d.r_housing, "half_pitch", d.half_pitch, "opening", d.opening, "slot_area",
                         d.slot_area, "slot_width", d.slot_width, "arc", d.arc, "magnet_length",
                         d.magnet_length, "r_top", d.r_top, "overhang", d.overhang);
}

static int put_body(PyObject *dict, const char *name, const pp_body *b)
{
    PyObject *body = Py_BuildValue("{sdsdsdsdsd}", "volume", b->volume, "mass", b->mass, "z", b->z,
                                   "J_axial", b->J_axial, "J_transverse", b->J_transverse);
    int failed = !body || PyDict_SetItemString(dict, name, body) < 0;
    Py_XDECREF(body);
    return failed ? -1 : 0;
}

PyObject *params_masses(PyObject *self, PyObject *unused)
{
    (void)unused;
    pp_dims dims;
    pp_masses m;
    if (dims_of(self, &dims) < 0)
        return NULL;
    pp_masses_from(&((params_object *)self)->values, &dims, &m);
    PyObject *dict = PyDict_New();
    if (dict && !put_body(dict, "stator", &m.stator) &&
        !put_body(dict, "rotor_core", &m.rotor_core) && !put_body(dict, "web", &m.web) &&
        !put_body(dict, "magnets", &m.magnets) && !put_body(dict, "shaft", &m.shaft) &&
        !put_body(dict, "bearings", &m.bearings) && !put_body(dict, "housing", &m.housing) &&
        !put_body(dict, "rotor", &m.rotor))
        return dict;
    Py_XDECREF(dict);
    return NULL;
}

PyObject *params_winding(PyObject *self, PyObject *unused)
{
    (void)unused;
    const pp_params *p = &((params_object *)self)->values;
    pp_winding w;
    pp_dims dims;
    if (dims_of(self, &dims) < 0)
        return NULL;
    int pairs = (int)p->rotor.pole_pairs, slots = (int)p->stator.slots;
    pp_status status = slots ? pp_winding_layout(slots, pairs, (int)p->winding.layers,
                                                 (int)p->winding.coil_span, &w)
                             : pp_winding_layout(6 * pairs, pairs, 1, 3, &w);
    if (status != PP_OK)
        return raise_status(status, p, -1);
    npy_intp shape[2] = {3, w.slots};
    PyObject *array = PyArray_SimpleNew(2, shape, NPY_INT8);
    if (!array)
        return NULL;
    PyObject *coils = PyArray_SimpleNew(1, &shape[1], NPY_INT8);
    if (!coils) {
        Py_DECREF(array);
        return NULL;
    }
    for (int k = 0; k < 3; k++)
        memcpy((char *)PyArray_DATA((PyArrayObject *)array) + k * w.slots, w.conductors[k],
               (size_t)w.slots);
    memcpy(PyArray_DATA((PyArrayObject *)coils), w.coil_phase, (size_t)w.slots);
    return Py_BuildValue("NNi", array, coils, w.span);
}

static PyObject *naive_gap_field(PyObject *module, PyObject *args)
{
    (void)module;
    double Br, mu_r, thickness, gap, carter, arc;
    if (!PyArg_ParseTuple(args, "dddddd:naive_gap_field", &Br, &mu_r, &thickness, &gap, &carter,
                          &arc))
        return NULL;
    return PyFloat_FromDouble(pp_naive_gap_field(Br, mu_r, thickness, gap, carter, arc));
}

static PyMethodDef geometry_functions[] = {
    {"naive_gap_field", naive_gap_field, METH_VARARGS,
     "naive_gap_field($module, Br, mu_r, thickness, gap, carter, arc, /)\n--\n\nOne-dimensional "
     "gap field [T]: the "
     "documented wrong answer."},
    {NULL, NULL, 0, NULL}};

int add_geometry(PyObject *module, module_state *state)
{
    return (void)state, PyModule_AddFunctions(module, geometry_functions);
}
