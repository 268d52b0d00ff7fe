/* Observer: the Kalman filter of a drive; whole records with the GIL released. */
#include "core.h"

#include <string.h>

#include "polepair/observe.h"

typedef struct observer_object {
    PyObject_HEAD pp_observer o;
    double time, u[2]; /* of the last row of a record, u held from there on */
    bool begun;
} observer_object;

static PyObject *observer_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"params", "current", "adapt", "theta_e", "sigma", NULL};
    module_state *module = state_of(type);
    PyObject *params;
    double current = 0, theta = 0, sigma = PP_PI / 2;
    int adapt = 1;
    if (!module ||
        !PyArg_ParseTupleAndKeywords(args, kwargs, "O!|dpdd:Observer", names, module->params,
                                     &params, &current, &adapt, &theta, &sigma))
        return NULL;
    const pp_params *p = &((params_object *)params)->values;
    pp_machine machine;
    pp_status status = pp_machine_derive(p, &machine);
    if (status != PP_OK)
        return raise_status(status, p, -1);
    if (!(current >= 0 && theta - theta == 0 && sigma > 0))
        return PyErr_Format(PyExc_ValueError, "Observer: expected current >= 0 and sigma > 0");
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    observer_object *self = (observer_object *)allocate(type, 0);
    if (self) {
        pp_observed m = pp_observed_from(p, &machine);
        pp_uncertainty u = pp_uncertainty_from(&m, current, adapt != 0);
        pp_observer_start(&self->o, &m, &u, theta, sigma);
    }
    return (PyObject *)self;
}

/* The five columns of a record; cleared together. */
typedef struct record {
    PyArrayObject *column[5], *outputs, *out;
} record;

static void clear_record(record *r)
{
    for (int i = 0; i < 5; i++)
        Py_XDECREF((PyObject *)r->column[i]);
    Py_XDECREF((PyObject *)r->outputs);
    Py_XDECREF((PyObject *)r->out);
}

static bool take_record(record *r, PyObject *const *args, Py_ssize_t count)
{
    for (int i = 0; i < 5; i++) {
        r->column[i] = (PyArrayObject *)PyArray_FROM_OTF(args[i], NPY_DOUBLE, NPY_ARRAY_IN_ARRAY);
        if (!r->column[i])
            return false;
        if (PyArray_SIZE(r->column[i]) != PyArray_SIZE(r->column[0])) {
            PyErr_SetString(PyExc_ValueError, "run: expected five columns of the same length");
            return false;
        }
    }
    r->outputs = (PyArrayObject *)PyArray_FROM_OTF(args[5], NPY_INT32, NPY_ARRAY_IN_ARRAY);
    if (!r->outputs)
        return false;
    const int32_t *list = PyArray_DATA(r->outputs);
    for (npy_intp i = 0; i < PyArray_SIZE(r->outputs); i++)
        if (list[i] < 0 || list[i] >= PP_ESTIMATE_COUNT) {
            PyErr_Format(PyExc_ValueError, "estimate %d: expected 0 to %d", list[i],
                         PP_ESTIMATE_COUNT - 1);
            return false;
        }
    npy_intp shape[2] = {PyArray_SIZE(r->column[0]), PyArray_SIZE(r->outputs)};
    if (count > 6 && args[6] != Py_None) {
        PyArrayObject *given = (PyArrayObject *)args[6];
        if (!PyArray_Check(args[6]) || PyArray_TYPE(given) != NPY_DOUBLE ||
            !PyArray_ISCARRAY(given) || PyArray_SIZE(given) != shape[0] * shape[1]) {
            PyErr_SetString(
                PyExc_ValueError,
                "out: expected a writable C-contiguous float64 array of rows x estimates");
            return false;
        }
        r->out = (PyArrayObject *)Py_NewRef(args[6]);
    } else {
        r->out = (PyArrayObject *)PyArray_SimpleNew(2, shape, NPY_DOUBLE);
    }
    return r->out != NULL;
}

/* The interval up to row k: its voltage is the one of the row before it, maybe of an earlier call. A pause of more than PAUSE
 * seconds, or one without a voltage, is passed by the mechanics alone. */
static void one_row(observer_object *self, double t, double ia, double ib, bool unscented)
{
    const double PAUSE = 0.05, dt = t - self->time, known = self->u[0] + self->u[1], seen = ia + ib;
    pp_observer *o = &self->o;
    const bool driven = self->begun && dt > 0 && dt <= PAUSE && known - known == 0;
    if (seen - seen != 0) { /* no currents in this row */
        if (driven)
            pp_observer_predict(o, self->u[0], self->u[1], dt);
        else if (self->begun && dt > 0)
            pp_observer_predict_unpowered(o, dt < 1 ? dt : 1);
        return;
    }
    if (driven && unscented) {
        pp_observer_unscented(o, self->u[0], self->u[1], dt, ia, ib);
        return;
    }
    if (driven) {
        pp_observer_step(o, self->u[0], self->u[1], dt, ia, ib);
        return;
    }
    if (self->begun && dt > 0)
        pp_observer_predict_unpowered(o, dt < 1 ? dt : 1);
    pp_observer_currents(o, ia, ib);
}

/* Rows of estimates, each after its own currents. */
static void run(observer_object *self, const record *r, bool unscented)
{
    const double *t = PyArray_DATA(r->column[0]), *ua = PyArray_DATA(r->column[1]),
                 *ub = PyArray_DATA(r->column[2]);
    const double *ia = PyArray_DATA(r->column[3]), *ib = PyArray_DATA(r->column[4]);
    const int32_t *list = PyArray_DATA(r->outputs);
    npy_intp n = PyArray_SIZE(r->column[0]), width = PyArray_SIZE(r->outputs);
    double *out = PyArray_DATA(r->out);
    for (npy_intp k = 0; k < n; k++) {
        one_row(self, t[k], ia[k], ib[k], unscented);
        self->time = t[k], self->u[0] = ua[k], self->u[1] = ub[k], self->begun = true;
        for (npy_intp i = 0; i < width; i++)
            *out++ = pp_observer_estimate(&self->o, list[i]);
    }
}

static PyObject *observer_run(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    record r = {0};
    if (count < 6 || count > 8)
        return PyErr_Format(
            PyExc_TypeError,
            "run() takes time, u_alpha, u_beta, i_alpha, i_beta, estimates, out and unscented");
    int unscented = count > 7 ? PyObject_IsTrue(args[7]) : 0;
    PyObject *out = NULL;
    if (unscented >= 0 && take_record(&r, args, count)) {
        observer_object *self = (observer_object *)object;
        Py_BEGIN_ALLOW_THREADS
        run(self, &r, unscented != 0);
        Py_END_ALLOW_THREADS
        out = Py_NewRef((PyObject *)r.out);
    }
    clear_record(&r);
    return out;
}

static PyObject *observer_predict(PyObject *object, PyObject *args)
{
    double ua, ub, dt;
    if (!PyArg_ParseTuple(args, "ddd:predict", &ua, &ub, &dt))
        return NULL;
    pp_observer_predict(&((observer_object *)object)->o, ua, ub, dt);
    Py_RETURN_NONE;
}

static PyObject *observer_coast(PyObject *object, PyObject *args)
{
    double dt;
    if (!PyArg_ParseTuple(args, "d:coast", &dt))
        return NULL;
    pp_observer_predict_unpowered(&((observer_object *)object)->o, dt);
    Py_RETURN_NONE;
}

static PyObject *observer_currents(PyObject *object, PyObject *args)
{
    double a, b;
    if (!PyArg_ParseTuple(args, "dd:currents", &a, &b))
        return NULL;
    pp_observer_currents(&((observer_object *)object)->o, a, b);
    Py_RETURN_NONE;
}

static PyObject *observer_speed(PyObject *object, PyObject *args)
{
    double value, sigma;
    if (!PyArg_ParseTuple(args, "dd:speed", &value, &sigma))
        return NULL;
    pp_observer_speed(&((observer_object *)object)->o, value, sigma);
    Py_RETURN_NONE;
}

static PyObject *observer_angle(PyObject *object, PyObject *args)
{
    double value, sigma;
    if (!PyArg_ParseTuple(args, "dd:angle", &value, &sigma))
        return NULL;
    pp_observer_angle(&((observer_object *)object)->o, value, sigma);
    Py_RETURN_NONE;
}

static PyObject *observer_bus(PyObject *object, PyObject *args)
{
    double i, u, sigma;
    if (!PyArg_ParseTuple(args, "ddd:bus", &i, &u, &sigma))
        return NULL;
    pp_observer_bus(&((observer_object *)object)->o, i, u, sigma);
    Py_RETURN_NONE;
}

static PyObject *observer_estimates(PyObject *object, PyObject *unused)
{
    (void)unused;
    npy_intp n = PP_ESTIMATE_COUNT;
    PyObject *out = PyArray_SimpleNew(1, &n, NPY_DOUBLE);
    double *to = out ? PyArray_DATA((PyArrayObject *)out) : NULL;
    for (int i = 0; out && i < PP_ESTIMATE_COUNT; i++)
        to[i] = pp_observer_estimate(&((observer_object *)object)->o, i);
    return out;
}

static PyObject *observer_fork(PyObject *object, PyObject *unused)
{
    (void)unused;
    allocfunc allocate = (allocfunc)PyType_GetSlot(Py_TYPE(object), Py_tp_alloc);
    observer_object *copy = (observer_object *)allocate(Py_TYPE(object), 0);
    if (copy)
        memcpy((char *)copy + offsetof(observer_object, o),
               (char *)object + offsetof(observer_object, o),
               sizeof *copy - offsetof(observer_object, o));
    return (PyObject *)copy;
}

static PyMethodDef observer_methods[] = {
    {"run", (PyCFunction)(void (*)(void))observer_run, METH_FASTCALL,
     "run($self, time, u_alpha, u_beta, i_alpha, i_beta, estimates, out=None, unscented=False, "
     "/)\n--\n\n"
     "A record: u[k] is the mean voltage over [t[k], t[k+1]). Rows of the chosen estimates "
     "(int32), each after its "
     "currents."},
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

static PyType_Slot observer_slots[] = {{Py_tp_doc,
                                        "Observer(params, current=0.0, adapt=True, theta_e=0.0, "
                                        "sigma=pi/2)\n--\n\nKalman filter of a drive; "
                                        "current: standard deviation of a current measurement [A], "
                                        "0 for 0.5 % of i_max; adapt: estimate Rs and psi too; "
                                        "theta_e +- sigma: the electrical angle at the start."},
                                       {Py_tp_new, observer_new},
                                       {Py_tp_dealloc, plain_dealloc},
                                       {Py_tp_methods, observer_methods},
                                       {0, NULL}};
static PyType_Spec observer_spec = {"polepair._core.Observer", sizeof(observer_object), 0,
                                    Py_TPFLAGS_DEFAULT, observer_slots};

int add_observer_type(PyObject *module, module_state *state)
{
    state->observer = add_type(module, &observer_spec);
    return state->observer ? 0 : -1;
}
