/* Params: all parameters of a twin, and one type per group whose attributes are the rows of the
 * table. */
#include "core.h"

#include <string.h>

/* Value of row `row`. */
static double *value_of(params_object *params, int row)
{
    return &((double *)&params->values)[row];
}

typedef struct group_object {
    PyObject_HEAD params_object *owner;
} group_object;

static PyObject *field_get(PyObject *self, void *row)
{
    int i = (int)(intptr_t)row;
    return param_to_python(i, *value_of(((group_object *)self)->owner, i));
}

static int field_set(PyObject *self, PyObject *value, void *row)
{
    int i = (int)(intptr_t)row;
    if (!value) {
        PyErr_Format(PyExc_AttributeError, "%s.%s cannot be deleted", pp_param_at(i)->group,
                     pp_param_at(i)->field);
        return -1;
    }
    return param_from_python(i, value, true, value_of(((group_object *)self)->owner, i));
}

/* Attributes of each group: getset_stator[] and so on, the closure being the row of the table. */
#define ROW(group, field) ((void *)(intptr_t)(offsetof(pp_params, group.field) / sizeof(double)))
static PyGetSetDef getset_none[] = {
#define PP_GROUP(group, doc)         \
    {                                \
        NULL, NULL, NULL, NULL, NULL \
    }                                \
    }                                \
    ;                                \
    static PyGetSetDef getset_##group[] = {
#define PP_PARAM(group, field, symbol, kind, unit, def, min, max, doc)                     \
    {#field, field_get, field_set, doc " [" unit "], " #min " to " #max ", default " #def, \
     ROW(group, field)},
#define PP_CHOICE(group, field, def, doc, ...)                                        \
    {#field, field_get, field_set, doc " [" PP_NAMES(__VA_ARGS__) "], default " #def, \
     ROW(group, field)},
#include "polepair/params.def"
    {NULL, NULL, NULL, NULL, NULL}};

static PyGetSetDef *const getsets[] = {
#define PP_GROUP(group, doc) getset_##group,
#include "polepair/params.def"
};

static void group_dealloc(PyObject *self)
{
    Py_XDECREF((PyObject *)((group_object *)self)->owner);
    plain_dealloc(self);
}

/* The group that an object of a group's type is, by name. */
static const char *group_name(PyObject *self)
{
    const module_state *state = ((group_object *)self)->owner->state;
    int i = 0;
    while (state->group[i] != Py_TYPE(self))
        i++;
    return pp_group_at(i)->name;
}

/* Whether a group has a field, or Python itself asks. */
static bool is_field(const char *group, PyObject *name)
{
    if (!PyUnicode_Check(name) || PyUnicode_GetLength(name) == 0)
        return false;
    bool known = PyUnicode_ReadChar(name, 0) == '_';
    for (int i = 0; i < PP_PARAM_COUNT && !known; i++)
        known = !strcmp(pp_param_at(i)->group, group) &&
                !PyUnicode_CompareWithASCIIString(name, pp_param_at(i)->field);
    return known;
}

/* In place of Python's AttributeError for a field that a group lacks: which is meant. */
static void explain(PyObject *self, PyObject *name)
{
    if (!PyErr_ExceptionMatches(PyExc_AttributeError) || is_field(group_name(self), name))
        return;
    PyErr_Clear();
    raise_no_field(group_name(self), name);
}

static PyObject *group_getattro(PyObject *self, PyObject *name)
{
    PyObject *value = PyObject_GenericGetAttr(self, name);
    if (!value)
        explain(self, name);
    return value;
}

static int group_setattro(PyObject *self, PyObject *name, PyObject *value)
{
    const int failed = PyObject_GenericSetAttr(self, name, value);
    if (failed)
        explain(self, name);
    return failed;
}

static PyObject *group_get(PyObject *self, void *index)
{
    PyTypeObject *type = ((params_object *)self)->state->group[(intptr_t)index];
    group_object *group = (group_object *)new_object(type);
    if (group)
        group->owner = (params_object *)Py_NewRef(self);
    return (PyObject *)group;
}

static PyObject *params_new(PyTypeObject *type, PyObject *Py_UNUSED(args),
                            PyObject *Py_UNUSED(kwargs))
{
    module_state *state = state_of(type);
    if (!state)
        return NULL;
    params_object *self = (params_object *)new_object(type);
    if (self) {
        self->state = state;
        pp_params_default(&self->values);
    }
    return (PyObject *)self;
}

/* Row of a "group.field" string; -1 with ValueError. */
static int row_of(PyObject *name)
{
    PyObject *bytes = PyUnicode_Check(name) ? PyUnicode_AsUTF8String(name) : NULL;
    int row = bytes ? pp_param_find(PyBytes_AsString(bytes)) : -1;
    Py_XDECREF(bytes);
    PyErr_Clear(); /* a name with surrogates is like none */
    if (row < 0)
        PyErr_Format(PyExc_ValueError,
                     "%.80R: no such parameter, expected group.field as in polepair.parameters()",
                     name);
    return row;
}

static PyObject *params_get(PyObject *self, PyObject *name)
{
    int row = row_of(name);
    return row < 0 ? NULL : param_to_python(row, *value_of((params_object *)self, row));
}

static PyObject *params_set(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "set(): expected a name and a value");
        return NULL;
    }
    int row = row_of(args[0]);
    if (row < 0 || param_from_python(row, args[1], false, value_of((params_object *)self, row)) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *params_update(PyObject *self, PyObject *other)
{
    if (!PyObject_TypeCheck(other, ((params_object *)self)->state->params)) {
        PyErr_Format(PyExc_TypeError, "expected Params, got %R", (PyObject *)Py_TYPE(other));
        return NULL;
    }
    ((params_object *)self)->values = ((params_object *)other)->values;
    Py_RETURN_NONE;
}

static PyObject *params_values(PyObject *self, PyObject *Py_UNUSED(unused))
{
    npy_intp size = PP_PARAM_COUNT;
    PyObject *array = PyArray_SimpleNew(1, &size, NPY_DOUBLE);
    if (array)
        memcpy(PyArray_DATA((PyArrayObject *)array), &((params_object *)self)->values,
               sizeof(pp_params));
    return array;
}

static PyObject *params_compare(PyObject *self, PyObject *other, int op)
{
    module_state *state = ((params_object *)self)->state;
    if ((op != Py_EQ && op != Py_NE) || !PyObject_TypeCheck(other, state->params))
        Py_RETURN_NOTIMPLEMENTED;
    bool same = !memcmp(&((params_object *)self)->values, &((params_object *)other)->values,
                        sizeof(pp_params));
    return PyBool_FromLong(same == (op == Py_EQ));
}

static PyMethodDef params_methods[] = {
    {"derive", derived_from, METH_NOARGS,
     "derive($self, /)\n--\n\n"
     "Constants of the machine as a Derived. ValueError names the parameter that does not fit."},
    {"get", params_get, METH_O,
     "get($self, name, /)\n--\n\nValue of \"group.field\": float, int or the name of a choice."},
    {"set", AS_METHOD(params_set), METH_FASTCALL,
     "set($self, name, value, /)\n--\n\n"
     "Sets \"group.field\"; ValueError names the range. A choice goes by its name, or by its "
     "position as a sweep has it."},
    {"update", params_update, METH_O,
     "update($self, other, /)\n--\n\nTakes over every value of another Params."},
    {"values", params_values, METH_NOARGS,
     "values($self, /)\n--\n\nAll values in table order as a new float64 array."},
    {"outline", params_outline, METH_O,
     "outline($self, part, /)\n--\n\n"
     "Outline \"tooth\" (gap contour over one slot pitch) or \"magnet\": "
     "float64 (n, 3) of x [m], y [m], arc flag."},
    {"dims", params_dims, METH_NOARGS,
     "dims($self, /)\n--\n\nRadii and angles that follow from the parameters, by name (SI)."},
    {"masses", params_masses, METH_NOARGS,
     "masses($self, /)\n--\n\n"
     "Volume, mass, height, axial and transverse inertia of every part, by name (SI)."},
    {"winding_layout", params_winding, METH_NOARGS,
     "winding_layout($self, /)\n--\n\n"
     "Signed coil sides int8 (3, slots); phase (+-1 a, 2 b, 3 c) of the coil that starts in each "
     "slot int8 (slots,), 0 for none; coil span."},
    {NULL, NULL, 0, NULL}};

/* Params.stator and so on; the closure is the group's index, filled in below. */
static PyGetSetDef params_getset[GROUPS_MAX + 1];

static PyType_Slot params_slots[] = {{Py_tp_doc,
                                      "Params(*args, **kwargs)\n--\n\n"
                                      "Every parameter of a twin, by group: params.magnet.Br. "
                                      "Assignments are checked against the table."},
                                     {Py_tp_new, params_new},
                                     {Py_tp_dealloc, plain_dealloc},
                                     {Py_tp_methods, params_methods},
                                     {Py_tp_getset, params_getset},
                                     {Py_tp_richcompare, params_compare},
                                     {Py_tp_hash, PyObject_HashNotImplemented},
                                     {0, NULL}};
static PyType_Spec params_spec = {.name = "polepair._core.Params",
                                  .basicsize = sizeof(params_object),
                                  .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
                                  .slots = params_slots};

/* "stator" -> "polepair._core.Stator". */
static void group_type_name(const char *group, char *out, size_t size)
{
    PyOS_snprintf(out, size, "polepair._core.%s", group);
    char *first = out + strlen("polepair._core.");
    *first = (char)(*first - 'a' + 'A');
}

static PyTypeObject *add_group_type(PyObject *module, int i)
{
    static char names[GROUPS_MAX][48]; /* type names have to outlive the types */
    const pp_group_info *info = pp_group_at(i);
    group_type_name(info->name, names[i], sizeof names[i]);
    PyType_Slot slots[] = {{Py_tp_doc, (void *)info->doc},   {Py_tp_dealloc, group_dealloc},
                           {Py_tp_getattro, group_getattro}, {Py_tp_setattro, group_setattro},
                           {Py_tp_getset, getsets[i]},       {0, NULL}};
    PyType_Spec spec = {.name = names[i],
                        .basicsize = sizeof(group_object),
                        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                        .slots = slots};
    return add_type(module, &spec);
}

int add_params_types(PyObject *module, module_state *state)
{
    (void)getset_none;
    for (int i = 0; i < pp_group_count(); i++) {
        const pp_group_info *info = pp_group_at(i);
        params_getset[i] = (PyGetSetDef){
            .name = info->name, .get = group_get, .doc = info->doc, .closure = (void *)(intptr_t)i};
        state->group[i] = add_group_type(module, i);
        if (!state->group[i])
            return -1;
    }
    state->params = add_type(module, &params_spec);
    return state->params ? 0 : -1;
}
