/* Derived: the constants of a machine, read only, one attribute per row of derived.def. */
#include "core.h"
#include "polepair/warnings.h"

static PyMemberDef derived_members[] = {
#define PP_DERIVED(field, symbol, unit, doc) \
    {#field, T_DOUBLE, offsetof(derived_object, machine.field), READONLY, doc " [" unit "]"},
#include "polepair/derived.def"
#undef PP_DERIVED
    {NULL, 0, 0, 0, NULL}};

PyObject *derived_from(PyObject *self, PyObject *Py_UNUSED(unused))
{
    module_state *state = ((params_object *)self)->state;
    const pp_params *params = &((params_object *)self)->values;
    pp_machine machine;
    pp_status status = pp_machine_derive(params, &machine);
    if (status != PP_OK)
        return raise_status(status, params, -1);
    derived_object *derived = (derived_object *)new_object(state->derived);
    if (derived)
        derived->machine = machine;
    return (PyObject *)derived;
}

static PyObject *derived_dict(PyObject *self, PyObject *Py_UNUSED(unused))
{
    PyObject *dict = PyDict_New();
    for (int i = 0; dict && i < PP_DERIVED_COUNT; i++) {
        PyObject *value = PyFloat_FromDouble(((double *)&((derived_object *)self)->machine)[i]);
        int failed = !value || PyDict_SetItemString(dict, pp_derived_at(i)->field, value) < 0;
        Py_XDECREF(value);
        if (failed)
            Py_CLEAR(dict);
    }
    return dict;
}

static PyObject *derived_repr(PyObject *self)
{
    PyObject *dict = derived_dict(self, NULL);
    PyObject *text = dict ? PyUnicode_FromFormat("Derived(%R)", dict) : NULL;
    Py_XDECREF(dict);
    return text;
}

/* Arguments of a method, as many floats; usage: what it takes. */
static int floats_from(PyObject *const *args, Py_ssize_t count, double *values, Py_ssize_t expected,
                       const char *usage)
{
    if (count != expected) {
        PyErr_SetString(PyExc_TypeError, usage);
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        values[i] = PyFloat_AsDouble(args[i]);
        if (PyErr_Occurred())
            return -1;
    }
    return 0;
}

static PyObject *derived_torque_limit(PyObject *self, PyObject *args)
{
    PyObject *speeds;
    double i_max, u_max;
    if (!PyArg_ParseTuple(args, "Odd:torque_limit", &speeds, &i_max, &u_max))
        return NULL;
    PyArrayObject *omega =
        (PyArrayObject *)PyArray_FROM_OTF(speeds, NPY_DOUBLE, NPY_ARRAY_IN_ARRAY);
    if (!omega)
        return NULL;
    npy_intp shape[2] = {PyArray_SIZE(omega), 6};
    PyObject *out = PyArray_SimpleNew(2, shape, NPY_DOUBLE);
    double *row = out ? PyArray_DATA((PyArrayObject *)out) : NULL;
    const pp_machine *machine = &((derived_object *)self)->machine;
    const double *omega_m = PyArray_DATA(omega);
    for (npy_intp i = 0; row && i < shape[0]; i++, row += 6) {
        pp_operating_point point = pp_operating_limit(machine, omega_m[i], i_max, u_max);
        row[0] = point.torque;
        row[1] = point.id;
        row[2] = point.iq;
        row[3] = point.ud;
        row[4] = point.uq;
        row[5] = point.reachable;
    }
    Py_DECREF(omega);
    return out;
}

/* Whether the control of the parameters holds torques at speeds; 0 yes, else which limit. */
static PyObject *derived_reach(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    module_state *state = state_of(Py_TYPE(self));
    if (!state)
        return NULL;
    if (count != 3 || !PyObject_TypeCheck(args[0], state->params))
        return PyErr_Format(PyExc_TypeError, "reach() takes a Params, omega_m and torque");
    PyArrayObject *speed =
        (PyArrayObject *)PyArray_FROM_OTF(args[1], NPY_DOUBLE, NPY_ARRAY_IN_ARRAY);
    PyArrayObject *torque =
        speed ? (PyArrayObject *)PyArray_FROM_OTF(args[2], NPY_DOUBLE, NPY_ARRAY_IN_ARRAY) : NULL;
    PyObject *out = NULL;
    if (torque && PyArray_SIZE(torque) != PyArray_SIZE(speed))
        PyErr_Format(PyExc_ValueError, "reach(): expected as many torques as speeds");
    else if (torque)
        out = PyArray_SimpleNew(PyArray_NDIM(speed), PyArray_DIMS(speed), NPY_INT8);
    int8_t *to = out ? PyArray_DATA((PyArrayObject *)out) : NULL;
    for (npy_intp i = 0; to && i < PyArray_SIZE(speed); i++)
        to[i] = (int8_t)pp_drive_reach(
            &((params_object *)args[0])->values, &((derived_object *)self)->machine,
            ((double *)PyArray_DATA(speed))[i], ((double *)PyArray_DATA(torque))[i]);
    Py_XDECREF((PyObject *)torque);
    Py_XDECREF((PyObject *)speed);
    return out;
}

static PyObject *derived_idle(PyObject *self, PyObject *params)
{
    module_state *state = state_of(Py_TYPE(self));
    bool idle[PP_PARAM_COUNT];
    if (!state)
        return NULL;
    if (!PyObject_TypeCheck(params, state->params))
        return PyErr_Format(PyExc_TypeError, "idle() takes a Params");
    pp_params_idle(&((params_object *)params)->values, &((derived_object *)self)->machine, idle);
    PyObject *list = PyList_New(0);
    for (int i = 0; list && i < PP_PARAM_COUNT; i++) {
        PyObject *row = idle[i] ? PyLong_FromLong(i) : NULL;
        if (idle[i] && (!row || PyList_Append(list, row) < 0))
            Py_CLEAR(list);
        Py_XDECREF(row);
    }
    return list;
}

static PyObject *derived_mtpa(PyObject *self, PyObject *amplitude)
{
    double current = PyFloat_AsDouble(amplitude);
    if (PyErr_Occurred())
        return NULL;
    return PyFloat_FromDouble(pp_mtpa_id(&((derived_object *)self)->machine, current));
}

static PyObject *derived_operating_point(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    double given[3]; /* id, iq, omega_m */
    if (floats_from(args, count, given, 3, "operating_point() takes id, iq and omega_m") < 0)
        return NULL;
    pp_operating_point point =
        pp_operating_at(&((derived_object *)self)->machine, given[0], given[1], given[2]);
    return Py_BuildValue("{sdsdsdsdsdsd}", "id", point.id, "iq", point.iq, "ud", point.ud, "uq",
                         point.uq, "torque", point.torque, "omega_m", point.omega_m);
}

static PyObject *derived_iron_loss(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    module_state *state = state_of(Py_TYPE(self));
    if (!state)
        return NULL;
    if (count != 2 || !PyObject_TypeCheck(args[0], state->params)) {
        PyErr_SetString(PyExc_TypeError, "iron_loss() takes a Params and omega_m");
        return NULL;
    }
    double omega = PyFloat_AsDouble(args[1]);
    if (PyErr_Occurred())
        return NULL;
    return PyFloat_FromDouble(pp_iron_loss(&((params_object *)args[0])->values,
                                           &((derived_object *)self)->machine, omega));
}

typedef double of_current(const pp_machine *machine, double id, double iq);

/* A function of the current over two arrays that broadcast; a number for two numbers. */
static PyObject *over_currents(PyObject *self, of_current *function, PyObject *id, PyObject *iq)
{
    const pp_machine *machine = &((derived_object *)self)->machine;
    PyObject *d = PyArray_FROM_OTF(id, NPY_DOUBLE, NPY_ARRAY_ALIGNED);
    PyObject *q = d ? PyArray_FROM_OTF(iq, NPY_DOUBLE, NPY_ARRAY_ALIGNED) : NULL;
    PyArrayMultiIterObject *pair = NULL;
    if (q)
        pair = (PyArrayMultiIterObject *)PyArray_MultiIterNew(2, d, q);
    PyObject *out = NULL;
    if (pair)
        out = PyArray_SimpleNew(pair->nd, pair->dimensions, NPY_DOUBLE);
    double *to = out ? PyArray_DATA((PyArrayObject *)out) : NULL;
    while (to && PyArray_MultiIter_NOTDONE(pair)) {
        const double *at_d = PyArray_MultiIter_DATA(pair, 0);
        const double *at_q = PyArray_MultiIter_DATA(pair, 1);
        *to++ = function(machine, *at_d, *at_q);
        PyArray_MultiIter_NEXT(pair);
    }
    Py_XDECREF((PyObject *)pair);
    Py_XDECREF(q);
    Py_XDECREF(d);
    return out ? PyArray_Return((PyArrayObject *)out) : NULL;
}

static PyObject *derived_copper_loss(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    if (count != 2)
        return PyErr_Format(PyExc_TypeError, "copper_loss() takes id and iq");
    return over_currents(self, pp_copper_loss, args[0], args[1]);
}

static PyObject *derived_torque(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    if (count != 2)
        return PyErr_Format(PyExc_TypeError, "torque() takes id and iq");
    return over_currents(self, pp_torque, args[0], args[1]);
}

static PyMethodDef derived_methods[] = {
    {"as_dict", derived_dict, METH_NOARGS, "as_dict($self, /)\n--\n\nEvery value by name (SI)."},
    {"torque_limit", derived_torque_limit, METH_VARARGS,
     "torque_limit($self, omega_m, i_max, u_max, /)\n--\n\n"
     "Most torque at each speed [rad/s] within |i| <= i_max and |u| <= u_max (phase, peak): "
     "float64 (n, 6) of torque, id, iq, ud, uq, reachable."},
    {"reach", AS_METHOD(derived_reach), METH_FASTCALL,
     "reach($self, params, omega_m, torque, /)\n--\n\n"
     "Whether the drive of the parameters holds air-gap torques [N m] at speeds [rad/s], arrays of "
     "one shape: int8, 0 where it does, 1 voltage, 2 current, 3 torque limit."},
    {"idle", derived_idle, METH_O,
     "idle($self, params, /)\n--\n\nRows of the parameters that differ from their defaults and "
     "have no effect."},
    {"mtpa_id", derived_mtpa, METH_O,
     "mtpa_id($self, amplitude, /)\n--\n\nd-axis current [A] of maximum torque per ampere."},
    {"operating_point", AS_METHOD(derived_operating_point), METH_FASTCALL,
     "operating_point($self, id, iq, omega_m, /)\n--\n\n"
     "Steady-state voltages and torque of a current and speed."},
    {"iron_loss", AS_METHOD(derived_iron_loss), METH_FASTCALL,
     "iron_loss($self, params, omega_m, /)\n--\n\n"
     "Stator iron loss [W] at a speed, open circuit flux (Bertotti)."},
    {"copper_loss", AS_METHOD(derived_copper_loss), METH_FASTCALL,
     "copper_loss($self, id, iq, /)\n--\n\nCopper loss [W] of a current; arrays broadcast."},
    {"torque", AS_METHOD(derived_torque), METH_FASTCALL,
     "torque($self, id, iq, /)\n--\n\nAir-gap torque [N m] of a current; arrays broadcast."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot derived_slots[] = {
    {Py_tp_doc,
     "Constants of a machine, made by Motor.derive(): per equivalent star phase, peak values, SI."},
    {Py_tp_dealloc, plain_dealloc},
    {Py_tp_repr, derived_repr},
    {Py_tp_members, derived_members},
    {Py_tp_methods, derived_methods},
    {0, NULL}};
static PyType_Spec derived_spec = {.name = "polepair._core.Derived",
                                   .basicsize = sizeof(derived_object),
                                   .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                   .slots = derived_slots};

int add_derived_type(PyObject *module, module_state *state)
{
    state->derived = add_type(module, &derived_spec);
    return state->derived ? 0 : -1;
}
