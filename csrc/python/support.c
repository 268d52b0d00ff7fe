/* What every type of the extension needs. */
#include "core.h"

#include <string.h>

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

PyObject *new_object(PyTypeObject *type)
{
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    return allocate(type, 0);
}

void plain_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

bool is_free(bool busy, const char *what)
{
    if (busy)
        PyErr_Format(PyExc_RuntimeError,
                     "this %s is running in another thread: expected one call at a time", what);
    return !busy;
}

Py_ssize_t checked_size(Py_ssize_t a, Py_ssize_t b, Py_ssize_t c, const char *what)
{
    Py_ssize_t size;
    if (a >= 0 && b >= 0 && c >= 0 && !__builtin_mul_overflow(a, b, &size) &&
        !__builtin_mul_overflow(size, c, &size) && size <= PY_SSIZE_T_MAX / 16)
        return size;
    PyErr_Format(PyExc_ValueError, "%s: %zd x %zd x %zd values: expected what fits in memory", what,
                 a, b, c);
    return -1;
}

/* " T" for a unit worth printing. */
PyObject *unit_suffix(const pp_param_info *info)
{
    if (info->kind != PP_KIND_REAL || !strcmp(info->unit, "1"))
        return PyUnicode_FromString("");
    return PyUnicode_FromFormat(" %s", info->unit);
}

PyObject *number_text(int row, double value)
{
    const bool whole = pp_param_at(row)->kind == PP_KIND_INT;
    const int flags = whole ? 0 : Py_DTSF_ADD_DOT_0;
    char *text =
        PyOS_double_to_string(value, 'g', whole ? 17 : 12, flags, NULL); /* no 4.9999999999999996 */
    PyObject *string = text ? PyUnicode_FromString(text) : NULL;
    PyMem_Free(text);
    return string;
}
