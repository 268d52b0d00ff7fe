/* Observer: the Kalman filter of a drive; whole records with the GIL released. */
#include "core.h"

#include <string.h>

#include "polepair/observe.h"

typedef struct observer_object {
    PyObject_HEAD pp_observer observer;
    double time, u[2]; /* of the last row of a record, u held from there on */
    bool begun;        /* a record's first row came */
    bool busy;         /* a record is under way in some thread */
} observer_object;

/* The filter, where no other thread runs it; NULL with RuntimeError. */
static pp_observer *filter_of(PyObject *object)
{
    observer_object *self = (observer_object *)object;
    return is_free(self->busy, "observer") ? &self->observer : NULL;
}

static PyObject *observer_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"params", "current", "adapt", "theta_e", "sigma", NULL};
    module_state *module = state_of(type);
    PyObject *params;
    double current = 0;
    double theta = 0;
    double sigma = PP_PI / 2;
    int adapt = 1;
    if (!module ||
        !PyArg_ParseTupleAndKeywords(args, kwargs, "O!|dpdd:Observer", names, module->params,
                                     &params, &current, &adapt, &theta, &sigma))
        return NULL;
    const pp_params *values = &((params_object *)params)->values;
    pp_machine machine;
    pp_status status = pp_machine_derive(values, &machine);
    if (status != PP_OK)
        return raise_status(status, values, -1);
    if (!(current >= 0 && sigma > 0) || !pp_is_measured(current) || !pp_is_measured(theta) ||
        !pp_is_measured(sigma))
        return PyErr_Format(PyExc_ValueError, "Observer: expected current >= 0 and sigma > 0, both "
                                              "and theta_e below 1e9");
    observer_object *self = (observer_object *)new_object(type);
    if (self) {
        pp_observed observed = pp_observed_from(values, &machine);
        pp_uncertainty uncertainty = pp_uncertainty_from(&observed, current, adapt != 0);
        pp_observer_start(&self->observer, &observed, &uncertainty, theta, sigma);
    }
    return (PyObject *)self;
}

/* The five columns of a record; cleared together. */
typedef struct observer_record {
    PyArrayObject *column[5], *outputs, *out;
} observer_record;

static void clear_record(observer_record *record)
{
    for (int i = 0; i < 5; i++)
        Py_XDECREF((PyObject *)record->column[i]);
    Py_XDECREF((PyObject *)record->outputs);
    Py_XDECREF((PyObject *)record->out);
}

/* The caller's own array for the estimates; NULL with ValueError where it does not do. */
static PyArrayObject *given_output(PyObject *out, npy_intp size)
{
    PyArrayObject *array = (PyArrayObject *)out;
    if (!PyArray_Check(out) || PyArray_TYPE(array) != NPY_DOUBLE || !PyArray_ISCARRAY(array) ||
        PyArray_SIZE(array) != size) {
        PyErr_SetString(PyExc_ValueError, "out: expected a writable C-contiguous float64 array of "
                                          "rows x estimates");
        return NULL;
    }
    return (PyArrayObject *)Py_NewRef(out);
}

static bool take_record(observer_record *record, PyObject *const *args, Py_ssize_t count)
{
    for (int i = 0; i < 5; i++) {
        record->column[i] =
            (PyArrayObject *)PyArray_FROM_OTF(args[i], NPY_DOUBLE, NPY_ARRAY_IN_ARRAY);
        if (!record->column[i])
            return false;
        if (PyArray_SIZE(record->column[i]) != PyArray_SIZE(record->column[0])) {
            PyErr_SetString(PyExc_ValueError, "run: expected five columns of the same length");
            return false;
        }
    }
    record->outputs = (PyArrayObject *)PyArray_FROM_OTF(args[5], NPY_INT32, NPY_ARRAY_IN_ARRAY);
    if (!record->outputs)
        return false;
    const int32_t *list = PyArray_DATA(record->outputs);
    for (npy_intp i = 0; i < PyArray_SIZE(record->outputs); i++)
        if (list[i] < 0 || list[i] >= PP_ESTIMATE_COUNT) {
            PyErr_Format(PyExc_ValueError, "estimate %d: expected 0 to %d", list[i],
                         PP_ESTIMATE_COUNT - 1);
            return false;
        }
    PyObject *out = count > 6 ? args[6] : Py_None;
    npy_intp shape[2] = {PyArray_SIZE(record->column[0]), PyArray_SIZE(record->outputs)};
    const npy_intp size = checked_size(shape[0], shape[1], 1, "estimates");
    if (size >= 0)
        record->out = out == Py_None ? (PyArrayObject *)PyArray_SimpleNew(2, shape, NPY_DOUBLE)
                                     : given_output(out, size);
    return record->out != NULL;
}

/* The interval up to row k: its voltage is the one of the row before it, maybe of an earlier call.
 * A pause of more than PAUSE seconds, or one without a voltage, is passed by the mechanics
 * alone. */
static void one_row(observer_object *self, double time, double ia, double ib, bool unscented)
{
    const double PAUSE = 0.05;
    const double dt = time - self->time;
    pp_observer *observer = &self->observer;
    const bool known = pp_is_measured(self->u[0]) && pp_is_measured(self->u[1]);
    const bool driven = self->begun && dt > 0 && dt <= PAUSE && known;
    if (!pp_is_measured(ia) || !pp_is_measured(ib)) { /* no currents in this row */
        pp_observer_missed(observer);
        if (driven)
            pp_observer_predict(observer, self->u[0], self->u[1], dt);
        else if (self->begun && dt > 0)
            pp_observer_predict_unpowered(observer, dt < 1 ? dt : 1);
        return;
    }
    if (driven && unscented) {
        pp_observer_unscented(observer, self->u[0], self->u[1], dt, ia, ib);
        return;
    }
    if (driven) {
        pp_observer_step(observer, self->u[0], self->u[1], dt, ia, ib);
        return;
    }
    if (self->begun && dt > 0)
        pp_observer_predict_unpowered(observer, dt < 1 ? dt : 1);
    pp_observer_currents(observer, ia, ib);
}

/* Rows of estimates, each after its own currents. */
static void run(observer_object *self, const observer_record *rows, bool unscented)
{
    const double *time = PyArray_DATA(rows->column[0]);
    const double *u_alpha = PyArray_DATA(rows->column[1]);
    const double *u_beta = PyArray_DATA(rows->column[2]);
    const double *i_alpha = PyArray_DATA(rows->column[3]);
    const double *i_beta = PyArray_DATA(rows->column[4]);
    const int32_t *list = PyArray_DATA(rows->outputs);
    npy_intp count = PyArray_SIZE(rows->column[0]);
    npy_intp width = PyArray_SIZE(rows->outputs);
    double *out = PyArray_DATA(rows->out);
    for (npy_intp k = 0; k < count; k++) {
        if (pp_is_measured(time[k])) {
            one_row(self, time[k], i_alpha[k], i_beta[k], unscented);
            self->time = time[k];
            self->u[0] = u_alpha[k];
            self->u[1] = u_beta[k];
            self->begun = true;
        } else { /* nobody knows when this was */
            pp_observer_missed(&self->observer);
        }
        for (npy_intp i = 0; i < width; i++)
            *out++ = pp_observer_estimate(&self->observer, list[i]);
    }
}

static PyObject *observer_run(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    observer_record rows = {0};
    if (count < 6 || count > 8)
        return PyErr_Format(
            PyExc_TypeError,
            "run() takes time, u_alpha, u_beta, i_alpha, i_beta, estimates, out and unscented");
    int unscented = 0;
    if (count > 7)
        unscented = PyObject_IsTrue(args[7]);
    PyObject *out = NULL;
    if (unscented >= 0 && take_record(&rows, args, count) && filter_of(object)) {
        observer_object *self = (observer_object *)object;
        self->busy = true;
        Py_BEGIN_ALLOW_THREADS
        run(self, &rows, unscented != 0);
        Py_END_ALLOW_THREADS
        self->busy = false;
        out = Py_NewRef((PyObject *)rows.out);
    }
    clear_record(&rows);
    return out;
}

/* What a program gives, unlike what a sensor gives, is refused where it is no number in (least,
 * 1e9). */
static bool is_given(double value, double least, const char *name)
{
    if (value > least && pp_is_measured(value))
        return true;
    PyObject *number = PyFloat_FromDouble(value);
    PyErr_Format(PyExc_ValueError, "Observer: %s = %S: expected a number above %s and below 1e9",
                 name, number, least < 0 ? "or at 0" : "0");
    Py_XDECREF(number);
    return false;
}

static const double FROM_0 = -5e-324; /* the largest number below 0 */

static PyObject *observer_predict(PyObject *object, PyObject *args)
{
    double ua, ub, dt;
    if (!PyArg_ParseTuple(args, "ddd:predict", &ua, &ub, &dt) || !is_given(dt, FROM_0, "dt"))
        return NULL;
    pp_observer *observer = filter_of(object);
    if (!observer)
        return NULL;
    pp_observer_predict(observer, ua, ub, dt);
    Py_RETURN_NONE;
}

static PyObject *observer_coast(PyObject *object, PyObject *args)
{
    double dt;
    if (!PyArg_ParseTuple(args, "d:coast", &dt) || !is_given(dt, FROM_0, "dt"))
        return NULL;
    pp_observer *observer = filter_of(object);
    if (!observer)
        return NULL;
    pp_observer_predict_unpowered(observer, dt);
    Py_RETURN_NONE;
}

static PyObject *observer_currents(PyObject *object, PyObject *args)
{
    double i_alpha, i_beta;
    if (!PyArg_ParseTuple(args, "dd:currents", &i_alpha, &i_beta))
        return NULL;
    pp_observer *observer = filter_of(object);
    if (!observer)
        return NULL;
    pp_observer_currents(observer, i_alpha, i_beta);
    Py_RETURN_NONE;
}

typedef void scalar_measurement(pp_observer *, double value, double sigma);

static PyObject *measured(PyObject *object, PyObject *args, scalar_measurement *take)
{
    double value, sigma;
    if (!PyArg_ParseTuple(args, "dd", &value, &sigma) || !is_given(sigma, 1e-15, "sigma"))
        return NULL;
    pp_observer *observer = filter_of(object);
    if (!observer)
        return NULL;
    take(observer, value, sigma);
    Py_RETURN_NONE;
}

static PyObject *observer_speed(PyObject *object, PyObject *args)
{
    return measured(object, args, pp_observer_speed);
}

static PyObject *observer_angle(PyObject *object, PyObject *args)
{
    return measured(object, args, pp_observer_angle);
}

static PyObject *observer_bus(PyObject *object, PyObject *args)
{
    double i, u, sigma;
    if (!PyArg_ParseTuple(args, "ddd:bus", &i, &u, &sigma) || !is_given(sigma, 1e-15, "sigma"))
        return NULL;
    pp_observer *observer = filter_of(object);
    if (!observer)
        return NULL;
    pp_observer_bus(observer, i, u, sigma);
    Py_RETURN_NONE;
}

static PyObject *observer_estimates(PyObject *object, PyObject *Py_UNUSED(unused))
{
    const pp_observer *observer = filter_of(object);
    npy_intp count = PP_ESTIMATE_COUNT;
    PyObject *out = observer ? PyArray_SimpleNew(1, &count, NPY_DOUBLE) : NULL;
    double *to = out ? PyArray_DATA((PyArrayObject *)out) : NULL;
    for (int i = 0; out && i < PP_ESTIMATE_COUNT; i++)
        to[i] = pp_observer_estimate(observer, i);
    return out;
}

static PyObject *observer_fork(PyObject *object, PyObject *Py_UNUSED(unused))
{
    if (!filter_of(object))
        return NULL;
    observer_object *copy = (observer_object *)new_object(Py_TYPE(object));
    if (copy)
        memcpy((char *)copy + offsetof(observer_object, observer),
               (char *)object + offsetof(observer_object, observer),
               sizeof *copy - offsetof(observer_object, observer));
    return (PyObject *)copy;
}

static PyMethodDef observer_methods[] = {
    {"run", AS_METHOD(observer_run), METH_FASTCALL,
     "run($self, time, u_alpha, u_beta, i_alpha, i_beta, estimates, out=None, unscented=False, /)"
     "\n--\n\n"
     "A record: u[k] is the mean voltage over [t[k], t[k+1]). Rows of the chosen estimates "
     "(int32), each after its currents."},
    {"predict", observer_predict, METH_VARARGS,
     "predict($self, u_alpha, u_beta, dt, /)\n--\n\ndt pass under a mean voltage."},
    {"coast", observer_coast, METH_VARARGS,
     "coast($self, dt, /)\n--\n\ndt pass under an unknown voltage."},
    {"currents", observer_currents, METH_VARARGS,
     "currents($self, i_alpha, i_beta, /)\n--\n\nBoth currents measured."},
    {"speed", observer_speed, METH_VARARGS,
     "speed($self, omega_m, sigma, /)\n--\n\nMechanical speed measured."},
    {"angle", observer_angle, METH_VARARGS,
     "angle($self, theta_m, sigma, /)\n--\n\nMechanical angle measured."},
    {"bus", observer_bus, METH_VARARGS,
     "bus($self, i_bus, u_dc, sigma, /)\n--\n\nBus current measured."},
    {"estimates", observer_estimates, METH_NOARGS,
     "estimates($self, /)\n--\n\nEvery estimate now, float64."},
    {"fork", observer_fork, METH_NOARGS,
     "fork($self, /)\n--\n\nA second observer in the same state."},
    {NULL, NULL, 0, NULL}};

static char observer_doc[] =
    "Observer(params, current=0.0, adapt=True, theta_e=0.0, sigma=pi/2)\n--\n\n"
    "Kalman filter of a drive; current: standard deviation of a current measurement [A], "
    "0 for 0.5 % of i_max; adapt: estimate Rs and psi too; "
    "theta_e +- sigma: the electrical angle at the start.";

static PyType_Slot observer_slots[] = {{Py_tp_doc, observer_doc},
                                       {Py_tp_new, observer_new},
                                       {Py_tp_dealloc, plain_dealloc},
                                       {Py_tp_methods, observer_methods},
                                       {0, NULL}};
static PyType_Spec observer_spec = {.name = "polepair._core.Observer",
                                    .basicsize = sizeof(observer_object),
                                    .flags = Py_TPFLAGS_DEFAULT,
                                    .slots = observer_slots};

int add_observer_type(PyObject *module, module_state *state)
{
    state->observer = add_type(module, &observer_spec);
    return state->observer ? 0 : -1;
}
