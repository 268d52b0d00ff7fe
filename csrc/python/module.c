/* The module polepair._core: tables, types, sweeps. Multi-phase initialisation, limited API. */
#define PP_MAIN_FILE
#include "core.h"

#include "polepair/magnetics.h"
#include "polepair/observe.h"

module_state *state_of(PyTypeObject *type)
{
    for (; type; type = PyType_GetSlot(type, Py_tp_base)) {
        module_state *state = PyType_GetModuleState(type);
        if (state)
            return state;
        PyErr_Clear();
    }
    PyErr_SetString(PyExc_TypeError, "not a type of polepair._core");
    return NULL;
}

PyTypeObject *add_type(PyObject *module, PyType_Spec *spec)
{
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);
    if (type && PyModule_AddType(module, (PyTypeObject *)type) < 0)
        Py_CLEAR(type);
    return (PyTypeObject *)type;
}

void plain_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

/* List of one tuple per row of a table. */
static PyObject *table(int count, PyObject *(*row)(int))
{
    PyObject *list = PyList_New(count);
    for (int i = 0; list && i < count; i++) {
        PyObject *item = row(i);
        if (!item || PyList_SetItem(list, i, item) < 0)
            Py_CLEAR(list);
    }
    return list;
}

static PyObject *param_row(int i)
{
    static const char *const kinds[] = {"real", "int", "choice"};
    const pp_param_info *p = pp_param_at(i);
    return Py_BuildValue("sssssNddds", p->group, p->field, p->symbol, kinds[p->kind], p->unit,
                         param_to_python(i, p->def), p->def, p->min, p->max, p->doc);
}

static PyObject *group_row(int i)
{
    const pp_group_info *g = pp_group_at(i);
    return Py_BuildValue("ss", g->name, g->doc);
}

static PyObject *derived_row(int i)
{
    const pp_derived_info *d = pp_derived_at(i);
    return Py_BuildValue("ssss", d->field, d->symbol, d->unit, d->doc);
}

static PyObject *channel_row(int i)
{
    const pp_channel_info *c = pp_channel_at(i);
    return Py_BuildValue("sss", c->name, c->unit, c->doc);
}

static PyObject *parameter_rows(PyObject *m, PyObject *u) { return (void)m, (void)u, table(PP_PARAM_COUNT, param_row); }
static PyObject *group_rows(PyObject *m, PyObject *u) { return (void)m, (void)u, table(pp_group_count(), group_row); }
static PyObject *derived_rows(PyObject *m, PyObject *u)
{
    return (void)m, (void)u, table(PP_DERIVED_COUNT, derived_row);
}
static PyObject *channel_rows(PyObject *m, PyObject *u)
{
    return (void)m, (void)u, table(PP_CHANNEL_COUNT, channel_row);
}

static PyObject *estimate_row(int i)
{
    const pp_estimate_info *e = pp_estimate_at(i);
    return Py_BuildValue("sss", e->name, e->unit, e->doc);
}

static PyObject *estimate_rows(PyObject *m, PyObject *u)
{
    return (void)m, (void)u, table(PP_ESTIMATE_COUNT, estimate_row);
}

static PyObject *status_row(int i)
{
    return Py_BuildValue("ss", pp_status_where((pp_status)i), pp_status_text((pp_status)i));
}

static PyObject *status_rows(PyObject *m, PyObject *u) { return (void)m, (void)u, table(PP_STATUS_COUNT, status_row); }

static PyObject *isa(PyObject *m, PyObject *u) { return (void)m, (void)u, PyUnicode_FromString(pp_sweep_isa()); }

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

static PyObject *naive_gap_field(PyObject *module, PyObject *args)
{
    (void)module;
    double Br, mu_r, thickness, gap, carter, arc;
    if (!PyArg_ParseTuple(args, "dddddd:naive_gap_field", &Br, &mu_r, &thickness, &gap, &carter, &arc))
        return NULL;
    return PyFloat_FromDouble(pp_naive_gap_field(Br, mu_r, thickness, gap, carter, arc));
}

static PyMethodDef functions[] = {
    {"parameter_rows", parameter_rows, METH_NOARGS,
     "parameter_rows($module, /)\n--\n\nThe table: (group, field, symbol, kind, unit, default, default value, min, "
     "max, doc) each."},
    {"group_rows", group_rows, METH_NOARGS, "group_rows($module, /)\n--\n\nGroups of the table: (name, doc) each."},
    {"derived_rows", derived_rows, METH_NOARGS,
     "derived_rows($module, /)\n--\n\nDerived values: (field, symbol, unit, doc) each."},
    {"channel_rows", channel_rows, METH_NOARGS,
     "channel_rows($module, /)\n--\n\nChannels of a run: (name, unit, doc) each."},
    {"estimate_rows", estimate_rows, METH_NOARGS,
     "estimate_rows($module, /)\n--\n\nVirtual sensors: (name, unit, doc) each."},
    {"status_rows", status_rows, METH_NOARGS, "status_rows($module, /)\n--\n\nStatus codes: (where, text) each."},
    {"isa", isa, METH_NOARGS, "isa($module, /)\n--\n\nInstruction set of the sweeps: avx512, avx2 or plain."},
    {"force_isa", force_isa, METH_O,
     "force_isa($module, name, /)\n--\n\nChooses it (None: the best); False where the machine lacks it."},
    {"naive_gap_field", naive_gap_field, METH_VARARGS,
     "naive_gap_field($module, Br, mu_r, thickness, gap, carter, arc, /)\n--\n\nOne-dimensional gap field [T]: the "
     "documented wrong answer."},
    {"sweep", (PyCFunction)(void (*)(void))call_sweep, METH_VARARGS | METH_KEYWORDS,
     "sweep($module, params, columns, values, t_end, outputs, retune=False, threads=0, progress=None, mode=0, "
     "trace=None)\n--\n\n"
     "Runs every case (values: float64 cases x columns; columns: int32 rows of the table; outputs: int32 (n, 2) of "
     "channel, reducer). "
     "mode: 0 exact, 1 fast, 2 single; trace: (channels, every, rows). Returns results (cases, n), status, bad row, "
     "whether "
     "it ran to the end (False after Ctrl-C) and the trace, float64 (cases, rows, channels), or None."},
    {"sweep_derive", call_sweep_derive, METH_VARARGS,
     "sweep_derive($module, params, columns, values, fields, /)\n--\n\nDerives every case: values (cases, fields), "
     "status, bad row."},
    {"frame", (PyCFunction)(void (*)(void))call_frame, METH_VARARGS | METH_KEYWORDS,
     "frame($module, values, time, step, seq, boot=0, encoding=0, scales=None, dropped=0, flags=0)\n--\n\n"
     "A binary batch (docs/wire.md) of values (samples, channels); time and step in ns; encoding 0 float32, 1 int16, 2 "
     "delta, "
     "3 float64. ValueError when a value does not fit."},
    {"frame_header", call_frame_header, METH_O,
     "frame_header($module, frame, /)\n--\n\nHeader of a binary batch, a dict."},
    {"cobs_encode", call_cobs_encode, METH_O,
     "cobs_encode($module, packet, /)\n--\n\nBytes without a 0 (no delimiter added)."},
    {"cobs_decode", call_cobs_decode, METH_O,
     "cobs_decode($module, line, /)\n--\n\nThe packet; ValueError when not whole."},
    {"line_protocol", call_line_protocol, METH_VARARGS,
     "line_protocol(head, columns, time, /)\n--\n\nLine protocol of rows: columns are (name, float64 values) pairs, "
     "time in ns."},
    {NULL, NULL, 0, NULL}};

static int module_exec(PyObject *module)
{
    if (PyArray_ImportNumPyAPI() < 0)
        return -1;
    module_state *state = PyModule_GetState(module);
    if (add_params_types(module, state) < 0 || add_derived_type(module, state) < 0 ||
        add_twin_type(module, state) < 0 || add_stream_types(module, state) < 0 || add_observer_type(module, state) < 0)
        return -1;
    return PyModule_AddStringConstant(module, "version", PP_VERSION);
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    module_state *state = PyModule_GetState(module);
    Py_VISIT((PyObject *)state->params);
    Py_VISIT((PyObject *)state->derived);
    Py_VISIT((PyObject *)state->twin);
    Py_VISIT((PyObject *)state->stream);
    Py_VISIT((PyObject *)state->journal);
    Py_VISIT((PyObject *)state->observer);
    for (int i = 0; i < GROUPS_MAX; i++)
        Py_VISIT((PyObject *)state->group[i]);
    return 0;
}

static int module_clear(PyObject *module)
{
    module_state *state = PyModule_GetState(module);
    Py_CLEAR(state->params);
    Py_CLEAR(state->derived);
    Py_CLEAR(state->twin);
    Py_CLEAR(state->stream);
    Py_CLEAR(state->journal);
    Py_CLEAR(state->observer);
    for (int i = 0; i < GROUPS_MAX; i++)
        Py_CLEAR(state->group[i]);
    return 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, module_exec},
#ifdef Py_mod_multiple_interpreters
                                   {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
#ifdef Py_mod_gil
                                   {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
                                   {0, NULL}};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_core",      "C core of polepair.",
                                        sizeof(module_state),  functions,    slots,
                                        module_traverse,       module_clear, NULL};

PyMODINIT_FUNC PyInit__core(void) { return PyModuleDef_Init(&definition); }
