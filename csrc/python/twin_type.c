/* Twin: a model and its state; runs with the GIL released. */
#include "core.h"
#include "polepair/warnings.h"

typedef struct twin_object {
    PyObject_HEAD pp_twin twin;
    pp_params params;
    pp_machine machine;
    pp_state state;
    bool busy; /* a run is under way in some thread */
} twin_object;

static PyObject *twin_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"params", "nominal", NULL};
    module_state *module = state_of(type);
    PyObject *params, *nominal = Py_None;
    if (!module || !PyArg_ParseTupleAndKeywords(args, kwargs, "O!|O:Twin", names, module->params,
                                                &params, &nominal))
        return NULL;
    if (nominal != Py_None && !PyObject_TypeCheck(nominal, module->derived)) {
        PyErr_SetString(PyExc_TypeError, "nominal: expected a Derived or None");
        return NULL;
    }
    const pp_params *values = &((params_object *)params)->values;
    const pp_machine *believed = nominal == Py_None ? NULL : &((derived_object *)nominal)->machine;
    pp_twin twin;
    pp_machine machine;
    int bad = -1;
    pp_status status = pp_params_check(values, &bad);
    if (status == PP_OK)
        status = pp_machine_derive(values, &machine);
    if (status == PP_OK)
        status = pp_twin_setup_machine(values, &machine, believed, &twin);
    if (status != PP_OK)
        return raise_status(status, values, bad);
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    twin_object *self = (twin_object *)allocate(type, 0);
    if (self) {
        self->twin = twin;
        self->params = *values;
        self->machine = machine;
        pp_twin_start(&self->twin, &self->state);
    }
    return (PyObject *)self;
}

static bool claim(const twin_object *self) { return is_free(self->busy, "twin"); }

/* What a program asks for is refused where it is no number. */
static bool is_number(double value, const char *name)
{
    if (value - value == 0)
        return true;
    PyErr_Format(PyExc_ValueError, "%s = %s: expected a finite number", name,
                 value != value ? "nan" : "inf");
    return false;
}

/* The int32 array of channels, every entry checked; NULL with an exception set. New reference. */
static PyArrayObject *channel_array(PyObject *value)
{
    PyArrayObject *channels = (PyArrayObject *)PyArray_FROM_OTF(
        value, NPY_INT32, NPY_ARRAY_IN_ARRAY | NPY_ARRAY_ENSURECOPY); /* nobody else's to change */
    if (!channels)
        return NULL;
    const int32_t *c = PyArray_DATA(channels);
    for (npy_intp i = 0; i < PyArray_SIZE(channels); i++)
        if (c[i] < 0 || c[i] >= PP_CHANNEL_COUNT) {
            PyErr_Format(PyExc_ValueError, "channel %d: expected 0 to %d", c[i],
                         PP_CHANNEL_COUNT - 1);
            Py_DECREF(channels);
            return NULL;
        }
    return channels;
}

/* A writable C-contiguous float64 array of rows x columns, given or new. New reference. */
static PyArrayObject *output_array(PyObject *given, npy_intp rows, npy_intp columns)
{
    npy_intp shape[2] = {rows, columns};
    const npy_intp size = checked_size(rows, columns, 1, "rows");
    if (size < 0)
        return NULL;
    if (!given || given == Py_None)
        return (PyArrayObject *)PyArray_SimpleNew(2, shape, NPY_DOUBLE);
    PyArrayObject *a = (PyArrayObject *)given;
    if (PyArray_Check(given) && PyArray_TYPE(a) == NPY_DOUBLE && PyArray_ISCARRAY(a) &&
        PyArray_SIZE(a) == size)
        return (PyArrayObject *)Py_NewRef(given);
    PyErr_Format(PyExc_ValueError,
                 "out: expected a writable C-contiguous float64 array of %zd values",
                 (Py_ssize_t)size);
    return NULL;
}

static PyObject *finish_run(pp_status status, PyArrayObject *out)
{
    if (status == PP_OK)
        return (PyObject *)out;
    Py_DECREF(out);
    return PyErr_Format(PyExc_ArithmeticError, "%s: %s", pp_status_where(status),
                        pp_status_text(status));
}

/* pp_twin_run or pp_twin_run_fine. */
typedef pp_status recorder(const pp_twin *, pp_state *, const pp_rows_wanted *);

/* What a run was asked for; the arrays are its own. */
typedef struct run_wanted {
    pp_rows_wanted rows;
    PyArrayObject *channels, *out;
} run_wanted;

static void clear_wanted(run_wanted *wanted)
{
    Py_XDECREF((PyObject *)wanted->channels);
    Py_XDECREF((PyObject *)wanted->out);
}

/* Rows and every (or periods and fine) of args, whose product counts periods or rows; false with
 * an exception set. */
static bool take_counts(pp_rows_wanted *rows, PyObject *const *args)
{
    rows->rows = PyLong_AsLong(args[0]);
    rows->every = PyErr_Occurred() ? 0 : PyLong_AsLong(args[1]);
    const int stop = PyErr_Occurred() ? 0 : PyObject_IsTrue(args[2]);
    rows->stop = stop != 0;
    if (PyErr_Occurred())
        return false;
    long product;
    if (rows->rows >= 1 && rows->every >= 1 &&
        !__builtin_mul_overflow(rows->rows, rows->every, &product) && product < PP_SAMPLES_MAX)
        return true;
    PyErr_Format(PyExc_ValueError,
                 "rows, every, fine: expected at least 1, and a product below 1e10");
    return false;
}

static bool take_wanted(run_wanted *wanted, PyObject *const *args, Py_ssize_t count, bool fine)
{
    if (count != 4 && count != 5) {
        PyErr_SetString(
            PyExc_TypeError,
            "expected rows, every, stop, channels and out; or periods, fine and the rest");
        return false;
    }
    pp_rows_wanted *rows = &wanted->rows;
    if (!take_counts(rows, args))
        return false;
    wanted->channels = channel_array(args[3]);
    if (!wanted->channels)
        return false;
    const long length = fine ? rows->rows * rows->every + rows->stop : rows->rows;
    wanted->out = output_array(count == 5 ? args[4] : NULL, length, PyArray_SIZE(wanted->channels));
    if (!wanted->out)
        return false;
    rows->channels = PyArray_DATA(wanted->channels);
    rows->count = (int)PyArray_SIZE(wanted->channels);
    rows->out = PyArray_DATA(wanted->out);
    return true;
}

/* The state moves in a copy: whoever reads `sample` meanwhile sees the one before the run. */
static PyObject *record(PyObject *object, PyObject *const *args, Py_ssize_t count, recorder *run)
{
    twin_object *self = (twin_object *)object;
    run_wanted wanted = {0};
    if (!take_wanted(&wanted, args, count, run != pp_twin_run) || !claim(self)) {
        clear_wanted(&wanted);
        return NULL;
    }
    pp_state state = self->state;
    pp_status status;
    self->busy = true;
    Py_BEGIN_ALLOW_THREADS
    status = run(&self->twin, &state, &wanted.rows);
    Py_END_ALLOW_THREADS
    self->state = state;
    self->busy = false;
    PyObject *out = finish_run(status, (PyArrayObject *)Py_NewRef((PyObject *)wanted.out));
    clear_wanted(&wanted);
    return out;
}

static PyObject *twin_run(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    return record(object, args, count, pp_twin_run);
}

static PyObject *twin_run_fine(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    if (pp_twin_is_adaptive(&((twin_object *)object)->twin))
        return record(object, args, count, pp_twin_run_fine);
    PyErr_SetString(PyExc_ValueError,
                    "fine: rows within a period need adaptive steps, expected drive.rtol > 0");
    return NULL;
}

static PyObject *twin_step(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    twin_object *self = (twin_object *)object;
    if (count > 2) {
        PyErr_SetString(PyExc_TypeError, "step() takes speed_ref and load_torque");
        return NULL;
    }
    const bool speed = count > 0 && args[0] != Py_None;
    const bool load = count > 1 && args[1] != Py_None;
    const double speed_ref = speed ? PyFloat_AsDouble(args[0]) : 0;
    const double load_torque = load && !PyErr_Occurred() ? PyFloat_AsDouble(args[1]) : 0;
    if (PyErr_Occurred() || !is_number(speed_ref, "speed_ref") ||
        !is_number(load_torque, "load_torque") || !claim(self))
        return NULL;
    pp_input input = pp_twin_scenario(&self->twin, &self->state);
    if (speed)
        input.speed_ref = speed_ref;
    if (load)
        input.load_torque = load_torque;
    npy_intp size = PP_CHANNEL_COUNT;
    PyObject *out = PyArray_SimpleNew(1, &size, NPY_DOUBLE);
    if (!out)
        return NULL;
    pp_twin_step(&self->twin, &self->state, input, PyArray_DATA((PyArrayObject *)out));
    const bool finite = pp_run_doubt(&self->state.run) == 0;
    return finish_run(finite ? PP_OK : PP_DIVERGED, (PyArrayObject *)out);
}

static PyObject *twin_reset(PyObject *object, PyObject *unused)
{
    (void)unused;
    twin_object *self = (twin_object *)object;
    if (!claim(self))
        return NULL;
    pp_twin_start(&self->twin, &self->state);
    Py_RETURN_NONE;
}

static PyObject *twin_ask(PyObject *object, PyObject *args)
{
    double speed, load;
    if (!PyArg_ParseTuple(args, "dd:ask", &speed, &load) || !is_number(speed, "speed_ref") ||
        !is_number(load, "load_torque") || !claim((twin_object *)object))
        return NULL;
    pp_twin_set_reference(&((twin_object *)object)->twin, speed, load);
    Py_RETURN_NONE;
}

static PyObject *twin_place(PyObject *object, PyObject *args)
{
    twin_object *self = (twin_object *)object;
    pp_observed_state seen;
    if (!PyArg_ParseTuple(args, "ddddd:place", &seen.id, &seen.iq, &seen.omega_m, &seen.theta_m,
                          &seen.torque) ||
        !is_number(seen.id, "id") || !is_number(seen.iq, "iq") ||
        !is_number(seen.omega_m, "omega_m") || !is_number(seen.theta_m, "theta_m") ||
        !is_number(seen.torque, "torque") || !claim(self))
        return NULL;
    if (pp_twin_set_state(&self->twin, &self->state, &seen) != PP_OK)
        return PyErr_Format(PyExc_ValueError,
                            "drive.kind: only a foc twin can be placed, expected foc");
    Py_RETURN_NONE;
}

static PyObject *twin_fork(PyObject *object, PyObject *unused)
{
    (void)unused;
    twin_object *self = (twin_object *)object;
    if (!claim(self))
        return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(Py_TYPE(object), Py_tp_alloc);
    twin_object *copy = (twin_object *)allocate(Py_TYPE(object), 0);
    if (copy) {
        copy->twin = self->twin;
        copy->params = self->params;
        copy->machine = self->machine;
        copy->state = self->state;
    }
    return (PyObject *)copy;
}

static PyObject *twin_warnings(PyObject *object, PyObject *unused)
{
    (void)unused;
    twin_object *self = (twin_object *)object;
    const pp_ended run = {.params = &self->params,
                          .machine = &self->machine,
                          .twin = &self->twin,
                          .state = &self->state};
    return claim(self) ? PyLong_FromUnsignedLong(pp_run_warnings(&run)) : NULL;
}

static PyMemberDef twin_members[] = {
    {"period", T_DOUBLE, offsetof(twin_object, twin.period), READONLY, "control period [s]"},
    {"sample", T_LONG, offsetof(twin_object, state.sample), READONLY,
     "control periods since the start"},
    {NULL, 0, 0, 0, NULL}};

static PyMethodDef twin_methods[] = {
    {"run", (PyCFunction)(void (*)(void))twin_run, METH_FASTCALL,
     "run($self, rows, every, stop, channels, out=None, /)\n--\n\nRows of channels (int32 array of "
     "indices), one each "
     "`every` periods; "
     "`stop` keeps the machine at the last row. Returns float64 (rows, channels). ArithmeticError "
     "when the run "
     "diverges."},
    {"run_fine", (PyCFunction)(void (*)(void))twin_run_fine, METH_FASTCALL,
     "run_fine($self, periods, fine, stop, channels, out=None, /)\n--\n\n`fine` rows in each "
     "period of an adaptive "
     "twin; "
     "`stop` adds the row at the end. Returns float64 (periods fine (+ 1), channels)."},
    {"step", (PyCFunction)(void (*)(void))twin_step, METH_FASTCALL,
     "step($self, speed_ref=None, load_torque=None, /)\n--\n\nOne control period; every channel at "
     "its start, "
     "float64."},
    {"reset", twin_reset, METH_NOARGS, "reset($self, /)\n--\n\nBack to rest."},
    {"ask", twin_ask, METH_VARARGS,
     "ask($self, speed_ref, load_torque, /)\n--\n\nFrom now on this speed reference and this load "
     "torque."},
    {"place", twin_place, METH_VARARGS,
     "place($self, id, iq, omega_m, theta_m, torque, /)\n--\n\nPuts a foc twin into an observed "
     "state."},
    {"warnings", twin_warnings, METH_NOARGS,
     "warnings($self, /)\n--\n\nThe doubts about the run from rest to here: bit 1 << row of "
     "warning_rows() each."},
    {"fork", twin_fork, METH_NOARGS, "fork($self, /)\n--\n\nA second twin in the same state."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot twin_slots[] = {
    {Py_tp_doc, "Twin(params, nominal=None)\n--\n\nModel and state of a twin; nominal is the "
                "machine its controller is tuned to."},
    {Py_tp_new, twin_new},
    {Py_tp_dealloc, plain_dealloc},
    {Py_tp_members, twin_members},
    {Py_tp_methods, twin_methods},
    {0, NULL}};
static PyType_Spec twin_spec = {"polepair._core.Twin", sizeof(twin_object), 0, Py_TPFLAGS_DEFAULT,
                                twin_slots};

int add_twin_type(PyObject *module, module_state *state)
{
    state->twin = add_type(module, &twin_spec);
    return state->twin ? 0 : -1;
}
