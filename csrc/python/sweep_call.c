/* sweep(...) for Python: arrays in, arrays out, signals and progress served while workers run. */
#include "core.h"

/* The arrays behind a pp_sweep; cleared together. */
typedef struct sweep_arrays {
    PyArrayObject *columns, *values, *outputs, *results, *status, *where, *channels, *trace;
} sweep_arrays;

static void clear_arrays(sweep_arrays *a)
{
    Py_XDECREF((PyObject *)a->columns);
    Py_XDECREF((PyObject *)a->values);
    Py_XDECREF((PyObject *)a->outputs);
    Py_XDECREF((PyObject *)a->results);
    Py_XDECREF((PyObject *)a->status);
    Py_XDECREF((PyObject *)a->where);
    Py_XDECREF((PyObject *)a->channels);
    Py_XDECREF((PyObject *)a->trace);
}

/* An array of the sweep's own: what runs meanwhile (progress, other threads) cannot change it. */
static PyArrayObject *as_array(PyObject *value, int type)
{
    return (PyArrayObject *)PyArray_FROM_OTF(value, type,
                                             NPY_ARRAY_IN_ARRAY | NPY_ARRAY_ENSURECOPY);
}

static PyArrayObject *new_array(npy_intp rows, npy_intp columns, int type)
{
    npy_intp shape[2] = {rows, columns};
    return (PyArrayObject *)PyArray_SimpleNew(columns ? 2 : 1, shape, type);
}

/* Every entry of an int32 array within 0..limit-1. */
static bool within(PyArrayObject *a, int limit, const char *what)
{
    const int32_t *v = PyArray_DATA(a);
    for (npy_intp i = 0; i < PyArray_SIZE(a); i++)
        if (v[i] < 0 || v[i] >= limit) {
            PyErr_Format(PyExc_ValueError, "%s %d: expected 0 to %d", what, v[i], limit - 1);
            return false;
        }
    return true;
}

/* Fills the case columns of the sweep from Python values; false with an exception set. */
static bool take_cases(pp_sweep *s, sweep_arrays *a, PyObject *columns, PyObject *values,
                       npy_intp width)
{
    a->columns = as_array(columns, NPY_INT32);
    a->values = a->columns ? as_array(values, NPY_DOUBLE) : NULL;
    if (!a->values || !within(a->columns, PP_PARAM_COUNT, "column"))
        return false;
    if (PyArray_NDIM(a->values) != 2 || PyArray_DIM(a->values, 1) != PyArray_SIZE(a->columns)) {
        PyErr_SetString(PyExc_ValueError, "values: expected cases x columns");
        return false;
    }
    s->cases = (long)PyArray_DIM(a->values, 0);
    if (checked_size(s->cases, width, 1, "results") < 0)
        return false;
    a->results = new_array(s->cases, width, NPY_DOUBLE);
    a->status = a->results ? new_array(s->cases, 0, NPY_UINT8) : NULL;
    a->where = a->status ? new_array(s->cases, 0, NPY_INT16) : NULL;
    if (!a->where)
        return false;
    s->columns = PyArray_DATA(a->columns);
    s->column_count = (int)PyArray_SIZE(a->columns);
    s->values = PyArray_DATA(a->values);
    s->results = PyArray_DATA(a->results);
    s->status = PyArray_DATA(a->status);
    s->where = PyArray_DATA(a->where);
    return true;
}

static bool take_outputs(pp_sweep *s, sweep_arrays *a, PyObject *outputs)
{
    a->outputs = as_array(outputs, NPY_INT32);
    if (!a->outputs)
        return false;
    const bool pairs = PyArray_NDIM(a->outputs) == 2 && PyArray_DIM(a->outputs, 1) == 2;
    const npy_intp n = pairs ? PyArray_DIM(a->outputs, 0) : 0;
    if (n < 1 || n > PP_SWEEP_OUTPUTS_MAX) {
        PyErr_Format(PyExc_ValueError, "outputs: expected 1 to %d rows of (channel, reducer)",
                     PP_SWEEP_OUTPUTS_MAX);
        return false;
    }
    s->outputs = PyArray_DATA(a->outputs);
    s->output_count = (int)n;
    for (int i = 0; i < s->output_count; i++)
        if (s->outputs[i].channel < 0 || s->outputs[i].channel >= PP_CHANNEL_COUNT ||
            s->outputs[i].reducer < 0 || s->outputs[i].reducer >= PP_REDUCER_COUNT ||
            (s->outputs[i].reducer >= PP_SETTLE && s->outputs[i].channel != PP_CHANNEL_omega_m)) {
            PyErr_SetString(PyExc_ValueError, "outputs: unknown channel or reducer");
            return false;
        }
    return true;
}

/* The trace wanted: (channels int32, every, rows), into a new float64 (cases, rows, channels). */
static bool take_trace(pp_sweep *s, sweep_arrays *a, PyObject *wanted)
{
    PyObject *channels;
    if (wanted == Py_None)
        return true;
    if (!PyArg_ParseTuple(wanted, "Oll:trace", &channels, &s->trace.every, &s->trace.rows))
        return false;
    a->channels = as_array(channels, NPY_INT32);
    if (!a->channels || !within(a->channels, PP_CHANNEL_COUNT, "channel"))
        return false;
    npy_intp shape[3] = {s->cases, s->trace.rows, PyArray_SIZE(a->channels)};
    if (s->trace.every < 1 || s->trace.rows < 1 || shape[2] < 1 || shape[2] > PP_SWEEP_OUTPUTS_MAX)
        return PyErr_Format(PyExc_ValueError,
                            "trace: expected 1 to %d channels, every and rows from 1 up",
                            PP_SWEEP_OUTPUTS_MAX) != NULL;
    if (checked_size(shape[0], shape[1], shape[2], "trace") < 0)
        return false;
    a->trace = (PyArrayObject *)PyArray_SimpleNew(3, shape, NPY_DOUBLE);
    if (!a->trace)
        return false;
    s->trace.channels = PyArray_DATA(a->channels);
    s->trace.count = (int)shape[2];
    s->trace.out = PyArray_DATA(a->trace);
    return true;
}

/* Serves signals and progress until the workers are done; false when an exception cancelled the
 * sweep. */
static bool attend(pp_sweep_job *job, PyObject *progress)
{
    double pause = 0.002; /* short sweeps return at once, long ones see 50 looks a second */
    bool good = true;
    bool ended;
    do {
        Py_BEGIN_ALLOW_THREADS
        ended = pp_sweep_wait(job, pause);
        Py_END_ALLOW_THREADS
        pause = pause < 0.02 ? 2 * pause : 0.02;
        if (!good)
            continue;
        if (!PyErr_CheckSignals() && progress != Py_None)
            Py_XDECREF(PyObject_CallFunction(progress, "l", pp_sweep_done(job)));
        good = !PyErr_Occurred();
        if (!good)
            pp_sweep_cancel(job);
    } while (!ended);
    return good;
}

/* Runs the sweep; an exception other than KeyboardInterrupt is passed on. Returns whether it ran to
 * the end, or -1. */
static int run_sweep(const pp_sweep *s, PyObject *progress)
{
    pp_sweep_job *job = pp_sweep_start(s);
    if (!job) {
        PyErr_NoMemory();
        return -1;
    }
    bool good = attend(job, progress);
    pp_sweep_finish(job);
    if (good)
        return 1;
    if (!PyErr_ExceptionMatches(PyExc_KeyboardInterrupt))
        return -1;
    PyErr_Clear(); /* the finished cases are worth more than the traceback: status tells the rest */
    return 0;
}

static PyObject *sweep(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"params",  "columns",  "values", "t_end", "outputs", "retune",
                            "threads", "progress", "mode",   "trace", NULL};
    module_state *state = PyModule_GetState(module);
    PyObject *params, *columns, *values, *outputs, *progress = Py_None, *trace = Py_None;
    pp_sweep s = {0};
    sweep_arrays a = {0};
    int retune = 0;
    int mode = PP_EXACT;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!OOdO|piOiO:sweep", names, state->params,
                                     &params, &columns, &values, &s.t_end, &outputs, &retune,
                                     &s.threads, &progress, &mode, &trace))
        return NULL;
    const pp_params base = ((params_object *)params)->values; /* progress may change the motor */
    s.base = &base;
    s.retune = retune != 0;
    s.mode = (pp_mode)mode;
    if (mode < 0 || mode >= PP_MODE_COUNT)
        return PyErr_Format(PyExc_ValueError, "mode %d: expected 0 to %d", mode, PP_MODE_COUNT - 1);
    int ended = -1;
    if (take_outputs(&s, &a, outputs) && take_cases(&s, &a, columns, values, s.output_count) &&
        take_trace(&s, &a, trace))
        ended = run_sweep(&s, progress);
    PyObject *result = NULL;
    if (ended >= 0)
        result = Py_BuildValue("OOOOO", a.results, a.status, a.where, ended ? Py_True : Py_False,
                               a.trace ? (PyObject *)a.trace : Py_None);
    clear_arrays(&a);
    return result;
}

static PyObject *sweep_derive(PyObject *module, PyObject *args)
{
    module_state *state = PyModule_GetState(module);
    PyObject *params, *columns, *values, *fields;
    pp_sweep s = {0};
    sweep_arrays a = {0};
    if (!PyArg_ParseTuple(args, "O!OOO:sweep_derive", state->params, &params, &columns, &values,
                          &fields))
        return NULL;
    const pp_params base = ((params_object *)params)->values; /* another thread may change it */
    s.base = &base;
    PyObject *result = NULL;
    a.outputs = as_array(fields, NPY_INT32);
    if (a.outputs && within(a.outputs, PP_DERIVED_COUNT, "field") &&
        take_cases(&s, &a, columns, values, PyArray_SIZE(a.outputs))) {
        const int *list = PyArray_DATA(a.outputs);
        int count = (int)PyArray_SIZE(a.outputs);
        Py_BEGIN_ALLOW_THREADS
        pp_sweep_derive(&s, list, count, s.results);
        Py_END_ALLOW_THREADS
        result = Py_BuildValue("OOO", a.results, a.status, a.where);
    }
    clear_arrays(&a);
    return result;
}

static PyObject *run_samples(PyObject *Py_UNUSED(module), PyObject *args)
{
    double t_end, period;
    if (!PyArg_ParseTuple(args, "dd:run_samples", &t_end, &period))
        return NULL;
    const long samples = pp_twin_samples(t_end, period);
    if (samples >= 0)
        return PyLong_FromLong(samples);
    PyErr_SetString(PyExc_ValueError,
                    "run_samples: expected t_end >= 0 and less than 1e10 control periods of it");
    return NULL;
}

static PyObject *isa(PyObject *m, PyObject *u)
{
    return (void)m, (void)u, PyUnicode_FromString(pp_sweep_isa());
}

static PyObject *force_isa(PyObject *module, PyObject *name)
{
    (void)module;
    PyObject *bytes = name == Py_None ? NULL : PyUnicode_AsUTF8String(name);
    if (!bytes && name != Py_None)
        return NULL;
    bool known = pp_sweep_force_isa(bytes ? PyBytes_AsString(bytes) : NULL);
    Py_XDECREF(bytes);
    return PyBool_FromLong(known);
}

static PyMethodDef sweep_calls[] = {
    {"isa", isa, METH_NOARGS,
     "isa($module, /)\n--\n\nInstruction set of the sweeps: avx512, avx2 or plain."},
    {"force_isa", force_isa, METH_O,
     "force_isa($module, name, /)\n--\n\nChooses it (None: the best); False where the machine "
     "lacks it."},
    {"run_samples", run_samples, METH_VARARGS,
     "run_samples($module, t_end, period, /)\n--\n\nControl periods of a run of t_end seconds, to "
     "the nearest, halves up."},
    {"sweep", (PyCFunction)(void (*)(void))sweep, METH_VARARGS | METH_KEYWORDS,
     "sweep($module, params, columns, values, t_end, outputs, retune=False, threads=0, "
     "progress=None, mode=0, "
     "trace=None)\n--\n\n"
     "Runs every case (values: float64 cases x columns; columns: int32 rows of the table; outputs: "
     "int32 (n, 2) of "
     "channel, reducer). "
     "mode: 0 exact, 1 fast, 2 single; trace: (channels, every, rows). Returns results (cases, n), "
     "status, bad row, "
     "whether "
     "it ran to the end (False after Ctrl-C) and the trace, float64 (cases, rows, channels), or "
     "None."},
    {"sweep_derive", sweep_derive, METH_VARARGS,
     "sweep_derive($module, params, columns, values, fields, /)\n--\n\nDerives every case: values "
     "(cases, fields), "
     "status, bad row."},
    {NULL, NULL, 0, NULL}};

int add_sweep(PyObject *module, module_state *state)
{
    return (void)state, PyModule_AddFunctions(module, sweep_calls);
}
