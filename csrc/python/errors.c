/* One clear line for every refusal. */
#include "core.h"

#include <string.h>

PyObject *param_to_python(int row, double value)
{
    const pp_param_info *info = pp_param_at(row);
    if (info->kind == PP_KIND_REAL)
        return PyFloat_FromDouble(value);
    if (info->kind == PP_KIND_INT)
        return PyLong_FromDouble(value);
    const char *name = info->unit;
    for (int k = 0; k < (int)value && strchr(name, '|'); k++)
        name = strchr(name, '|') + 1;
    return PyUnicode_FromStringAndSize(name, (Py_ssize_t)strcspn(name, "|"));
}

/* " T" for a unit worth printing. */
static PyObject *unit_suffix(const pp_param_info *info)
{
    if (info->kind != PP_KIND_REAL || !strcmp(info->unit, "1"))
        return PyUnicode_FromString("");
    return PyUnicode_FromFormat(" %s", info->unit);
}

/* ValueError: group.field = value unit: expected min to max. */
static PyObject *raise_range(int row, PyObject *value)
{
    const pp_param_info *info = pp_param_at(row);
    PyObject *unit = unit_suffix(info);
    PyObject *low = PyFloat_FromDouble(info->min);
    PyObject *high = PyFloat_FromDouble(info->max);
    const char *whole = info->kind == PP_KIND_INT ? "a whole number from " : "";
    if (info->kind == PP_KIND_CHOICE)
        PyErr_Format(PyExc_ValueError, "%s.%s = %.80R: expected one of %s", info->group,
                     info->field, value, info->unit);
    else if (unit && low && high)
        PyErr_Format(PyExc_ValueError, "%s.%s = %.80S%U: expected %s%R to %R%U", info->group,
                     info->field, value, unit, whole, low, high, unit);
    Py_XDECREF(unit);
    Py_XDECREF(low);
    Py_XDECREF(high);
    return NULL;
}

/* ValueError for a number beyond what a float holds. */
static void raise_too_large(int row)
{
    PyObject *infinity = PyFloat_FromDouble(Py_HUGE_VAL);
    if (infinity)
        raise_range(row, infinity);
    Py_XDECREF(infinity);
}

PyObject *raise_status(pp_status status, const pp_params *params, int bad_row)
{
    const char *where = pp_status_where(status);
    int row = status == PP_RANGE ? bad_row : pp_param_find(where);
    if (row < 0) {
        PyErr_SetString(PyExc_ValueError, pp_status_text(status));
        return NULL;
    }
    PyObject *value = param_to_python(row, ((const double *)params)[row]);
    PyObject *unit = unit_suffix(pp_param_at(row));
    if (value && status == PP_RANGE)
        raise_range(row, value);
    else if (value && unit)
        PyErr_Format(PyExc_ValueError, "%s = %S%U: %s", where, value, unit, pp_status_text(status));
    Py_XDECREF(value);
    Py_XDECREF(unit);
    return NULL;
}

/* Position of a name in "a|b|c", or -1. */
static int choice_index(const char *names, const char *name)
{
    size_t length = strlen(name);
    for (int k = 0;; k++) {
        if (strcspn(names, "|") == length && !strncmp(names, name, length))
            return k;
        names = strchr(names, '|');
        if (!names)
            return -1;
        names++;
    }
}

static int choice_from_python(int row, PyObject *value, double *out)
{
    PyObject *bytes = PyUnicode_AsUTF8String(value);
    if (!bytes)
        return -1;
    int k = choice_index(pp_param_at(row)->unit, PyBytes_AsString(bytes));
    Py_DECREF(bytes);
    if (k < 0) {
        raise_range(row, value);
        return -1;
    }
    *out = k;
    return 0;
}

int param_from_python(int row, PyObject *value, double *out)
{
    const pp_param_info *info = pp_param_at(row);
    if (info->kind == PP_KIND_CHOICE && PyUnicode_Check(value))
        return choice_from_python(row, value, out);
    double number = PyFloat_AsDouble(value);
    if (number == -1.0 && PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_Exception))
            return -1; /* Ctrl-C and the like */
        const bool wide = PyErr_ExceptionMatches(PyExc_OverflowError);
        PyErr_Clear();
        if (wide) /* it may have more digits than Python prints */
            raise_too_large(row);
        else
            PyErr_Format(PyExc_ValueError, "%s.%s = %.80R: expected %s", info->group, info->field,
                         value, info->kind == PP_KIND_CHOICE ? info->unit : "a number");
        return -1;
    }
    if (!pp_param_valid(row, number)) {
        raise_range(row, value);
        return -1;
    }
    *out = number;
    return 0;
}
