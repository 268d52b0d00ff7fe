/* Rows as text for stores that take it. */
#include "core.h"

#include "polepair/lines.h"
#include "polepair/format.h"

typedef struct column_list {
    const char *names[PP_STREAM_CHANNELS_MAX];
    size_t lengths[PP_STREAM_CHANNELS_MAX]; /* of the names */
    const double *values[PP_STREAM_CHANNELS_MAX];
    PyArrayObject *owned[PP_STREAM_CHANNELS_MAX]; /* the columns' arrays */
    int count;
} column_list;

/* A (name as bytes, column) pair, to outlive the list; false where it is none, or not as long as
 * `rows`. */
static bool take_column(PyObject *pair, npy_intp rows, column_list *to)
{
    Py_ssize_t length;
    PyObject *values;
    if (!PyTuple_Check(pair) ||
        !PyArg_ParseTuple(pair, "y#O", &to->names[to->count], &length, &values))
        return false;
    PyArrayObject *column =
        (PyArrayObject *)PyArray_FROM_OTF(values, NPY_DOUBLE, NPY_ARRAY_IN_ARRAY);
    if (!column)
        return false;
    to->owned[to->count] = column;
    to->lengths[to->count] = (size_t)length;
    to->values[to->count] = PyArray_DATA(column);
    to->count++;
    return PyArray_SIZE(column) == rows;
}

/* pairs: a tuple, which keeps the names. */
static bool take_columns(PyObject *pairs, npy_intp rows, column_list *to)
{
    Py_ssize_t count = PyTuple_Size(pairs);
    bool good = count <= PP_STREAM_CHANNELS_MAX;
    for (Py_ssize_t i = 0; i < count && good; i++)
        good = take_column(PyTuple_GetItem(pairs, i), rows, to);
    if (good)
        return true;
    if (!PyErr_Occurred())
        PyErr_Format(PyExc_ValueError,
                     "line_protocol: expected at most %d (name, column) pairs as long as time",
                     PP_STREAM_CHANNELS_MAX);
    return false;
}

static PyObject *written(const char *head, size_t length, const column_list *list,
                         PyArrayObject *time)
{
    pp_line_columns columns = {.count = list->count,
                               .names = list->names,
                               .lengths = list->lengths,
                               .values = list->values};
    long rows = (long)PyArray_SIZE(time);
    size_t room;
    if (__builtin_mul_overflow(pp_lines_room(length, &columns, 1), (size_t)rows, &room))
        return PyErr_NoMemory();
    char *text = PyMem_Malloc(room + 1);
    if (!text)
        return PyErr_NoMemory();
    size_t size;
    Py_BEGIN_ALLOW_THREADS
    size = pp_lines_write(head, length, &columns, PyArray_DATA(time), rows, text);
    Py_END_ALLOW_THREADS
    PyObject *out = PyBytes_FromStringAndSize(text, (Py_ssize_t)size);
    PyMem_Free(text);
    return out;
}

static PyObject *call_line_protocol(PyObject *Py_UNUSED(module), PyObject *args)
{
    const char *head;
    Py_ssize_t length;
    PyObject *pairs, *when;
    PyObject *out = NULL;
    column_list columns = {0};
    if (!PyArg_ParseTuple(args, "y#OO:line_protocol", &head, &length, &pairs, &when))
        return NULL;
    PyObject *kept = PySequence_Tuple(pairs); /* a sequence may make its items anew each time */
    if (!kept)
        return NULL;
    PyArrayObject *time = (PyArrayObject *)PyArray_FROM_OTF(when, NPY_INT64, NPY_ARRAY_IN_ARRAY);
    if (time && take_columns(kept, PyArray_SIZE(time), &columns))
        out = written(head, (size_t)length, &columns, time);
    for (int i = 0; i < columns.count; i++)
        Py_DECREF((PyObject *)columns.owned[i]);
    Py_XDECREF((PyObject *)time);
    Py_DECREF(kept);
    return out;
}

static PyMethodDef lines_calls[] = {
    {"line_protocol", call_line_protocol, METH_VARARGS,
     "line_protocol(head, columns, time, /)\n--\n\n"
     "Line protocol of rows: columns are (name, float64 values) pairs, time in ns."},
    {NULL, NULL, 0, NULL}};

int add_lines(PyObject *module, module_state *Py_UNUSED(state))
{
    return PyModule_AddFunctions(module, lines_calls);
}
