/* The rows of the tables, as lists of tuples. */
#include "core.h"

#include "polepair/observe.h"

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

static PyObject *parameter_rows(PyObject *m, PyObject *u)
{
    return (void)m, (void)u, table(PP_PARAM_COUNT, param_row);
}
static PyObject *group_rows(PyObject *m, PyObject *u)
{
    return (void)m, (void)u, table(pp_group_count(), group_row);
}
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

static PyObject *status_rows(PyObject *m, PyObject *u)
{
    return (void)m, (void)u, table(PP_STATUS_COUNT, status_row);
}

static PyMethodDef table_calls[] = {
    {"parameter_rows", parameter_rows, METH_NOARGS,
     "parameter_rows($module, /)\n--\n\nThe table: (group, field, symbol, kind, unit, default, "
     "default value, min, "
     "max, doc) each."},
    {"group_rows", group_rows, METH_NOARGS,
     "group_rows($module, /)\n--\n\nGroups of the table: (name, doc) each."},
    {"derived_rows", derived_rows, METH_NOARGS,
     "derived_rows($module, /)\n--\n\nDerived values: (field, symbol, unit, doc) each."},
    {"channel_rows", channel_rows, METH_NOARGS,
     "channel_rows($module, /)\n--\n\nChannels of a run: (name, unit, doc) each."},
    {"estimate_rows", estimate_rows, METH_NOARGS,
     "estimate_rows($module, /)\n--\n\nVirtual sensors: (name, unit, doc) each."},
    {"status_rows", status_rows, METH_NOARGS,
     "status_rows($module, /)\n--\n\nStatus codes: (where, text) each."},
    {NULL, NULL, 0, NULL}};

int add_tables(PyObject *module, module_state *state)
{
    return (void)state, PyModule_AddFunctions(module, table_calls);
}
