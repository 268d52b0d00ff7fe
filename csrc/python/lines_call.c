/* Rows as text for stores that take it. */
#include "core.h"

#include "polepair/lines.h"
#include "polepair/format.h"

typedef struct table {
    const char *names[PP_STREAM_CHANNELS_MAX];
    size_t lengths[PP_STREAM_CHANNELS_MAX];
    const double *columns[PP_STREAM_CHANNELS_MAX];
    PyArrayObject *owned[PP_STREAM_CHANNELS_MAX];
    int count;
} table;

/* (name as bytes, column) pairs, each column as long as `rows`. */
static bool take_columns(PyObject *pairs, npy_intp rows, table *t)
{
    Py_ssize_t n = PySequence_Size(pairs);
    for (Py_ssize_t i = 0; i < n && n <= PP_STREAM_CHANNELS_MAX; i++) {
        PyObject *pair = PySequence_GetItem(pairs, i), *values;
        Py_ssize_t length;
        bool good = pair && PyTuple_Check(pair) &&
                    PyArg_ParseTuple(pair, "y#O", &t->names[i], &length, &values);
        PyArrayObject *v =
            good ? (PyArrayObject *)PyArray_FROM_OTF(values, NPY_DOUBLE, NPY_ARRAY_IN_ARRAY) : NULL;
        Py_XDECREF(pair); /* the caller's sequence keeps the names */
        if (!v)
            break;
        t->owned[t->count++] = v;
        t->lengths[i] = (size_t)length;
        t->columns[i] = PyArray_DATA(v);
        if (PyArray_SIZE(v) != rows)
            break;
    }
    if (n == t->count && (n == 0 || PyArray_SIZE(t->owned[n - 1]) == rows))
        return true;
    if (!PyErr_Occurred())
        PyErr_Format(PyExc_ValueError,
                     "line_protocol: expected at most %d (name, column) pairs as long as time",
                     PP_STREAM_CHANNELS_MAX);
    return false;
}

static PyObject *written(const char *head, size_t length, const table *t, PyArrayObject *time)
{
    long rows = (long)PyArray_SIZE(time);
    char *text = PyMem_Malloc(pp_lines_room(length, t->lengths, t->count, rows) + 1);
    if (!text)
        return PyErr_NoMemory();
    size_t size;
    Py_BEGIN_ALLOW_THREADS
    size = pp_lines_write(head, length, t->names, t->lengths, t->count, t->columns,
                          PyArray_DATA(time), rows, text);
    Py_END_ALLOW_THREADS
    PyObject *out = PyBytes_FromStringAndSize(text, (Py_ssize_t)size);
    PyMem_Free(text);
    return out;
}

static PyObject *call_line_protocol(PyObject *module, PyObject *args)
{
    (void)module;
    const char *head;
    Py_ssize_t length;
    PyObject *pairs, *when, *out = NULL;
    table t = {0};
    if (!PyArg_ParseTuple(args, "y#OO:line_protocol", &head, &length, &pairs, &when))
        return NULL;
    PyArrayObject *time = (PyArrayObject *)PyArray_FROM_OTF(when, NPY_INT64, NPY_ARRAY_IN_ARRAY);
    if (time && take_columns(pairs, PyArray_SIZE(time), &t))
        out = written(head, (size_t)length, &t, time);
    for (int i = 0; i < t.count; i++)
        Py_DECREF((PyObject *)t.owned[i]);
    Py_XDECREF((PyObject *)time);
    return out;
}

static PyMethodDef lines_calls[] = {{"line_protocol", call_line_protocol, METH_VARARGS,
                                     "line_protocol(head, columns, time, /)\n--\n\nLine protocol "
                                     "of rows: columns are (name, float64 values) pairs, "
                                     "time in ns."},
                                    {NULL, NULL, 0, NULL}};

int add_lines(PyObject *module, module_state *state)
{
    return (void)state, PyModule_AddFunctions(module, lines_calls);
}
