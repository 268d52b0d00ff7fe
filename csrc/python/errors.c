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

/* ValueError: group.field = value unit: expected min to max. */
static PyObject *raise_range(int row, PyObject *value)
{
    const pp_param_info *info = pp_param_at(row);
    PyObject *unit = unit_suffix(info);
    PyObject *low = number_text(row, info->min);
    PyObject *high = number_text(row, info->max);
    const char *whole = info->kind == PP_KIND_INT ? "a whole number from " : "";
    if (info->kind == PP_KIND_CHOICE)
        PyErr_Format(PyExc_ValueError, "%s.%s = %.80R: expected one of %s", info->group,
                     info->field, value, info->unit);
    else if (unit && low && high)
        PyErr_Format(PyExc_ValueError, "%s.%s = %.80S%U: expected %s%U to %U%U", info->group,
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

/* What a status says, in other words where another parameter is behind it. */
static const char *text_of(pp_status status, int row)
{
    if (status == PP_STEP_LARGE && row != pp_param_find(pp_status_where(status)))
        return "too fast for this drive.period: expected at most a quarter of an electrical turn "
               "in each";
    return pp_status_text(status);
}

PyObject *raise_status(pp_status status, const pp_params *params, int bad_row)
{
    int row = status == PP_RANGE ? bad_row : pp_param_find(pp_status_where(status));
    if (row < 0) {
        PyErr_SetString(PyExc_ValueError, pp_status_text(status));
        return NULL;
    }
    if (status == PP_RANGE) {
        PyObject *refused = param_to_python(row, ((const double *)params)[row]);
        if (refused)
            raise_range(row, refused);
        Py_XDECREF(refused);
        return NULL;
    }
    row = blamed_row(status, params, row);
    const pp_param_info *info = pp_param_at(row);
    PyObject *value = info->kind == PP_KIND_CHOICE
                          ? param_to_python(row, ((const double *)params)[row])
                          : number_text(row, ((const double *)params)[row]);
    PyObject *unit = unit_suffix(info);
    PyObject *hint = refusal_hint(status, params, row);
    if (status == PP_SHEET_FLUX && hint)
        PyErr_Format(PyExc_ValueError, "datasheet: %s%U", pp_status_text(status), hint);
    else if (value && unit && hint)
        PyErr_Format(PyExc_ValueError, "%s.%s = %U%U: %s%U", info->group, info->field, value, unit,
                     text_of(status, row), hint);
    Py_XDECREF(value);
    Py_XDECREF(unit);
    Py_XDECREF(hint);
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
    PyErr_Clear(); /* a name with surrogates is like none */
    int k = bytes ? choice_index(pp_param_at(row)->unit, PyBytes_AsString(bytes)) : -1;
    Py_XDECREF(bytes);
    if (k < 0) {
        raise_range(row, value);
        return -1;
    }
    *out = k;
    return 0;
}

/* ValueError for what is no number: True, a text, a list. */
static void raise_kind(int row, PyObject *value)
{
    const pp_param_info *info = pp_param_at(row);
    PyObject *unit = unit_suffix(info);
    if (info->kind == PP_KIND_CHOICE)
        raise_range(row, value);
    else if (unit)
        PyErr_Format(PyExc_ValueError, "%s.%s = %.80R: expected a number%s%U", info->group,
                     info->field, value, PyUnicode_GetLength(unit) ? " in" : "", unit);
    Py_XDECREF(unit);
}

int param_from_python(int row, PyObject *value, bool named, double *out)
{
    const bool choice = pp_param_at(row)->kind == PP_KIND_CHOICE;
    if (choice && PyUnicode_Check(value))
        return choice_from_python(row, value, out);
    if ((choice && named) || PyBool_Check(value) || PyArray_IsScalar(value, Bool)) {
        raise_kind(row, value);
        return -1;
    }
    double number = PyFloat_AsDouble(value);
    if (number == -1.0 && PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_Exception))
            return -1; /* Ctrl-C and the like */
        const bool wide = PyErr_ExceptionMatches(PyExc_OverflowError);
        PyErr_Clear();
        if (wide) /* it may have more digits than Python prints */
            raise_too_large(row);
        else
            raise_kind(row, value);
        return -1;
    }
    if (!pp_param_valid(row, number)) {
        raise_range(row, value);
        return -1;
    }
    *out = number;
    return 0;
}
