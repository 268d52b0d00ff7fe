/* Binary batches, COBS and CRC-32 for Python: what a device would send. */
#include "core.h"

#include "polepair/frame.h"

static PyArrayObject *as_floats(PyObject *values)
{
    return (PyArrayObject *)PyArray_FROM_OTF(values, NPY_DOUBLE, NPY_ARRAY_IN_ARRAY);
}

/* A whole number of a frame's header, as Python gives it. */
typedef struct header_field {
    const char *name;
    PyObject *given; /* NULL: 0 */
    long long least;
    long long most;
} header_field;

/* The field's number; -1 with an exception set where it is none or does not fit. */
static int take_field(const header_field *field, long long *out)
{
    PyObject *whole = field->given ? PyNumber_Index(field->given) : PyLong_FromLong(0);
    int wide = 0;
    *out = whole ? PyLong_AsLongLongAndOverflow(whole, &wide) : -1;
    Py_XDECREF(whole);
    if (!whole && PyErr_ExceptionMatches(PyExc_TypeError))
        PyErr_Format(PyExc_TypeError, "frame: %s: expected a whole number", field->name);
    if (PyErr_Occurred())
        return -1;
    if (!wide && *out >= field->least && *out <= field->most)
        return 0;
    if (wide)
        PyErr_Format(PyExc_ValueError, "frame: %s: expected %lld to %lld", field->name,
                     field->least, field->most);
    else
        PyErr_Format(PyExc_ValueError, "frame: %s = %lld: expected %lld to %lld", field->name, *out,
                     field->least, field->most);
    return -1;
}

/* The fields of a header, in this order. */
enum { TIME, STEP, SEQ, BOOT, ENCODING, DROPPED, FLAGS, FIELDS };

static int take_header(PyObject *const *given, pp_frame *frame)
{
    const header_field fields[FIELDS] = {
        [TIME] = {"time", given[TIME], INT64_MIN, INT64_MAX},
        [STEP] = {"step", given[STEP], 0, UINT32_MAX},
        [SEQ] = {"seq", given[SEQ], 0, UINT32_MAX},
        [BOOT] = {"boot", given[BOOT], 0, UINT16_MAX},
        [ENCODING] = {"encoding", given[ENCODING], 0, PP_ENCODING_COUNT - 1},
        [DROPPED] = {"dropped", given[DROPPED], 0, UINT32_MAX},
        [FLAGS] = {"flags", given[FLAGS], 0, UINT16_MAX},
    };
    long long value[FIELDS];
    for (int i = 0; i < FIELDS; i++)
        if (take_field(&fields[i], &value[i]) < 0)
            return -1;
    *frame = (pp_frame){.encoding = (pp_encoding)value[ENCODING],
                        .boot = (uint16_t)value[BOOT],
                        .flags = (uint16_t)value[FLAGS],
                        .seq = (uint32_t)value[SEQ],
                        .dropped = (uint32_t)value[DROPPED],
                        .dt_ns = (uint32_t)value[STEP],
                        .time_ns = value[TIME]};
    return 0;
}

/* scales: NULL for none. */
static bool frame_fits(PyArrayObject *values, PyArrayObject *scales)
{
    return PyArray_NDIM(values) == 2 && PyArray_DIM(values, 0) < 65536 &&
           PyArray_DIM(values, 1) <= PP_FRAME_CHANNELS_MAX &&
           (!scales || PyArray_SIZE(scales) == PyArray_DIM(values, 1));
}

/* The frame of these values; NULL where one does not fit its encoding. */
static PyObject *written(pp_frame *frame, PyArrayObject *values, PyArrayObject *scales)
{
    frame->samples = (int)PyArray_DIM(values, 0);
    frame->channels = (int)PyArray_DIM(values, 1);
    size_t room = PP_FRAME_HEADER + 8 * (size_t)PyArray_SIZE(values) + 8;
    const double *factors = scales ? PyArray_DATA(scales) : NULL;
    uint8_t *bytes = PyMem_Malloc(room);
    size_t length = 0;
    if (bytes)
        length = pp_frame_write(frame, PyArray_DATA(values), factors, bytes, room);
    PyObject *out = NULL;
    if (length)
        out = PyBytes_FromStringAndSize((const char *)bytes, (Py_ssize_t)length);
    PyMem_Free(bytes);
    return out;
}

static PyObject *call_frame(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"values",   "time",   "step",    "seq",   "boot",
                            "encoding", "scales", "dropped", "flags", NULL};
    PyObject *values;
    PyObject *scales = Py_None;
    PyObject *given[FIELDS] = {NULL};
    pp_frame frame;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOO|OOOOO:frame", names, &values, &given[TIME],
                                     &given[STEP], &given[SEQ], &given[BOOT], &given[ENCODING],
                                     &scales, &given[DROPPED], &given[FLAGS]) ||
        take_header(given, &frame) < 0)
        return NULL;
    PyArrayObject *rows = as_floats(values);
    PyArrayObject *factors = rows && scales != Py_None ? as_floats(scales) : NULL;
    PyObject *out = NULL;
    if (!PyErr_Occurred() && frame_fits(rows, factors))
        out = written(&frame, rows, factors);
    if (!out && !PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError,
                        "frame: expected 1 to 65535 samples x 1 to 64 channels of finite values "
                        "that fit the encoding");
    Py_XDECREF((PyObject *)rows);
    Py_XDECREF((PyObject *)factors);
    return out;
}

static PyObject *call_frame_header(PyObject *Py_UNUSED(module), PyObject *bytes)
{
    Py_buffer view;
    pp_frame frame;
    if (PyObject_GetBuffer(bytes, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    pp_refusal why = pp_frame_read(view.buf, (size_t)view.len, &frame);
    PyBuffer_Release(&view);
    if (why != PP_REFUSED_NOT)
        return PyErr_Format(PyExc_ValueError, "frame: %s", pp_refusal_text(why));
    return Py_BuildValue("{sisisisisisIsIsIsL}", "encoding", (int)frame.encoding, "channels",
                         frame.channels, "samples", frame.samples, "boot", (int)frame.boot, "flags",
                         (int)frame.flags, "seq", frame.seq, "dropped", frame.dropped, "step",
                         frame.dt_ns, "time", (long long)frame.time_ns);
}

typedef size_t recoder(const uint8_t *in, size_t length, uint8_t *out, size_t room);

/* The bytes that a recoder makes; `failed` is what it returns where it cannot. */
static PyObject *recode(PyObject *bytes, recoder *run, size_t failed)
{
    Py_buffer view;
    if (PyObject_GetBuffer(bytes, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    size_t room = (size_t)view.len + (size_t)view.len / 254 + 2;
    uint8_t *out = PyMem_Malloc(room);
    size_t length = failed;
    if (out)
        length = run(view.buf, (size_t)view.len, out, room);
    PyObject *result = NULL;
    if (length != failed)
        result = PyBytes_FromStringAndSize((const char *)out, (Py_ssize_t)length);
    if (!result && !PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "cobs: not a whole packet");
    PyMem_Free(out);
    PyBuffer_Release(&view);
    return result;
}

static PyObject *call_cobs_encode(PyObject *Py_UNUSED(module), PyObject *bytes)
{
    return recode(bytes, pp_cobs_encode, 0);
}

static PyObject *call_cobs_decode(PyObject *Py_UNUSED(module), PyObject *bytes)
{
    return recode(bytes, pp_cobs_decode, PP_COBS_BROKEN);
}

static PyMethodDef frame_calls[] = {
    {"frame", AS_METHOD(call_frame), METH_VARARGS | METH_KEYWORDS,
     "frame($module, values, time, step, seq, boot=0, encoding=0, scales=None, dropped=0, "
     "flags=0)\n--\n\n"
     "A binary batch (docs/wire.md) of values (samples, channels); time and step in ns; "
     "encoding 0 float32, 1 int16, 2 delta, 3 float64. ValueError when a value does not fit."},
    {"frame_header", call_frame_header, METH_O,
     "frame_header($module, frame, /)\n--\n\nHeader of a binary batch, a dict."},
    {"cobs_encode", call_cobs_encode, METH_O,
     "cobs_encode($module, packet, /)\n--\n\nBytes without a 0 (no delimiter added)."},
    {"cobs_decode", call_cobs_decode, METH_O,
     "cobs_decode($module, line, /)\n--\n\nThe packet; ValueError when not whole."},
    {NULL, NULL, 0, NULL}};

int add_frames(PyObject *module, module_state *Py_UNUSED(state))
{
    return PyModule_AddFunctions(module, frame_calls);
}
