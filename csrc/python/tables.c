/* The rows of the tables, as lists of tuples. */
#include "core.h"

#include "polepair/frame.h"
#include "polepair/observe.h"
#include "polepair/warnings.h"

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
    const pp_param_info *info = pp_param_at(i);
    return Py_BuildValue("sssssNddds", info->group, info->field, info->symbol, kinds[info->kind],
                         info->unit, param_to_python(i, info->def), info->def, info->min, info->max,
                         info->doc);
}

static PyObject *group_row(int i)
{
    const pp_group_info *info = pp_group_at(i);
    return Py_BuildValue("ss", info->name, info->doc);
}

static PyObject *derived_row(int i)
{
    const pp_derived_info *info = pp_derived_at(i);
    return Py_BuildValue("ssss", info->field, info->symbol, info->unit, info->doc);
}

static PyObject *channel_row(int i)
{
    const pp_channel_info *info = pp_channel_at(i);
    return Py_BuildValue("sss", info->name, info->unit, info->doc);
}

static PyObject *estimate_row(int i)
{
    const pp_estimate_info *info = pp_estimate_at(i);
    return Py_BuildValue("sss", info->name, info->unit, info->doc);
}

static PyObject *status_row(int i)
{
    return Py_BuildValue("ss", pp_status_where((pp_status)i), pp_status_text((pp_status)i));
}

static PyObject *refusal_row(int i)
{
    static const char *const codes[] = {
#define PP_REFUSAL(code, text) #code,
#include "polepair/refusal.def"
#undef PP_REFUSAL
    };
    return Py_BuildValue("ss", codes[i], pp_refusal_text((pp_refusal)i));
}

static PyObject *warning_row(int i)
{
    const pp_warning_info *info = pp_warning_at(i);
    return Py_BuildValue("sss", info->code, info->where, info->text);
}

static PyObject *parameter_rows(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused))
{
    return table(PP_PARAM_COUNT, param_row);
}

static PyObject *group_rows(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused))
{
    return table(pp_group_count(), group_row);
}

static PyObject *derived_rows(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused))
{
    return table(PP_DERIVED_COUNT, derived_row);
}

static PyObject *channel_rows(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused))
{
    return table(PP_CHANNEL_COUNT, channel_row);
}

static PyObject *estimate_rows(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused))
{
    return table(PP_ESTIMATE_COUNT, estimate_row);
}

static PyObject *status_rows(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused))
{
    return table(PP_STATUS_COUNT, status_row);
}

static PyObject *refusal_rows(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused))
{
    return table(PP_REFUSAL_COUNT, refusal_row);
}

static PyObject *warning_rows(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused))
{
    return table(PP_WARNING_COUNT, warning_row);
}

static PyMethodDef table_calls[] = {
    {"parameter_rows", parameter_rows, METH_NOARGS,
     "parameter_rows($module, /)\n--\n\n"
     "The table: (group, field, symbol, kind, unit, default, default value, min, max, doc) each."},
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
    {"refusal_rows", refusal_rows, METH_NOARGS,
     "refusal_rows($module, /)\n--\n\nWhy messages are refused: (code, text) each; the first: "
     "accepted."},
    {"warning_rows", warning_rows, METH_NOARGS,
     "warning_rows($module, /)\n--\n\nDoubts about a run: (code, where, text) each."},
    {NULL, NULL, 0, NULL}};

int add_tables(PyObject *module, module_state *Py_UNUSED(state))
{
    return PyModule_AddFunctions(module, table_calls);
}
