/* Binary batches, COBS and CRC-32 for Python: what a device would send. */
#include "core.h"

#include "polepair/frame.h"

static PyObject *call_frame(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"values",   "time",   "step",    "seq",   "boot",
                            "encoding", "scales", "dropped", "flags", NULL};
    (void)module;
    PyObject *values, *scales = Py_None;
    long long time, step;
    unsigned seq, dropped = 0;
    int boot = 0, encoding = PP_FLOAT32, flags = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OLLI|iiOIi:frame", names, &values, &time, &step,
                                     &seq, &boot, &encoding, &scales, &dropped, &flags))
        return NULL;
    PyArrayObject *v = (PyArrayObject *)PyArray_FROM_OTF(values, NPY_DOUBLE, NPY_ARRAY_IN_ARRAY);
    PyArrayObject *k =
        v && scales != Py_None
            ? (PyArrayObject *)PyArray_FROM_OTF(scales, NPY_DOUBLE, NPY_ARRAY_IN_ARRAY)
            : NULL;
    PyObject *out = NULL;
    bool shaped = v && PyArray_NDIM(v) == 2 && PyArray_DIM(v, 0) < 65536 &&
                  PyArray_DIM(v, 1) <= PP_FRAME_CHANNELS_MAX &&
                  (!k || PyArray_SIZE(k) == PyArray_DIM(v, 1)) && encoding >= 0 &&
                  encoding < PP_ENCODING_COUNT;
    if (shaped && !PyErr_Occurred()) {
        pp_frame f = {(pp_encoding)encoding,
                      (int)PyArray_DIM(v, 1),
                      (int)PyArray_DIM(v, 0),
                      (uint16_t)boot,
                      (uint16_t)flags,
                      seq,
                      dropped,
                      (uint32_t)step,
                      time};
        size_t room = PP_FRAME_HEADER + 8 * (size_t)PyArray_SIZE(v) + 8;
        uint8_t *bytes = PyMem_Malloc(room);
        size_t n =
            bytes ? pp_frame_write(&f, PyArray_DATA(v), k ? PyArray_DATA(k) : NULL, bytes, room)
                  : 0;
        if (n)
            out = PyBytes_FromStringAndSize((const char *)bytes, (Py_ssize_t)n);
        PyMem_Free(bytes);
    }
    if (!out && !PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError,
                        "frame: expected samples x channels of values that fit the encoding");
    Py_XDECREF((PyObject *)v);
    Py_XDECREF((PyObject *)k);
    return out;
}

static PyObject *call_frame_header(PyObject *module, PyObject *bytes)
{
    (void)module;
    Py_buffer view;
    pp_frame f;
    if (PyObject_GetBuffer(bytes, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    pp_refusal why = pp_frame_read(view.buf, (size_t)view.len, &f);
    PyBuffer_Release(&view);
    if (why != PP_REFUSED_NOT)
        return PyErr_Format(PyExc_ValueError, "frame: %s", pp_refusal_text(why));
    return Py_BuildValue("{sisisisisisIsIsIsL}", "encoding", (int)f.encoding, "channels",
                         f.channels, "samples", f.samples, "boot", (int)f.boot, "flags",
                         (int)f.flags, "seq", f.seq, "dropped", f.dropped, "step", f.dt_ns, "time",
                         (long long)f.time_ns);
}

typedef size_t recoder(const uint8_t *in, size_t length, uint8_t *out, size_t room);

/* The bytes that a recoder makes; `failed` is what it returns where it cannot. */
static PyObject *recode(PyObject *bytes, recoder *run, size_t failed)
{
    Py_buffer view;
    if (PyObject_GetBuffer(bytes, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    size_t length = (size_t)view.len, room = length + length / 254 + 2;
    uint8_t *out = PyMem_Malloc(room);
    size_t n = out ? run(view.buf, length, out, room) : failed;
    PyObject *result =
        n == failed ? NULL : PyBytes_FromStringAndSize((const char *)out, (Py_ssize_t)n);
    if (!result && !PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "cobs: not a whole packet");
    PyMem_Free(out);
    PyBuffer_Release(&view);
    return result;
}

static PyObject *call_cobs_encode(PyObject *module, PyObject *bytes)
{
    return (void)module, recode(bytes, pp_cobs_encode, 0);
}

static PyObject *call_cobs_decode(PyObject *module, PyObject *bytes)
{
    return (void)module, recode(bytes, pp_cobs_decode, PP_COBS_BROKEN);
}

static PyMethodDef frame_calls[] = {
    {"frame", (PyCFunction)(void (*)(void))call_frame, METH_VARARGS | METH_KEYWORDS,
     "frame($module, values, time, step, seq, boot=0, encoding=0, scales=None, dropped=0, "
     "flags=0)\n--\n\n"
     "A binary batch (docs/wire.md) of values (samples, channels); time and step in ns; encoding 0 "
     "float32, 1 int16, 2 "
     "delta, "
     "3 float64. ValueError when a value does not fit."},
    {"frame_header", call_frame_header, METH_O,
     "frame_header($module, frame, /)\n--\n\nHeader of a binary batch, a dict."},
    {"cobs_encode", call_cobs_encode, METH_O,
     "cobs_encode($module, packet, /)\n--\n\nBytes without a 0 (no delimiter added)."},
    {"cobs_decode", call_cobs_decode, METH_O,
     "cobs_decode($module, line, /)\n--\n\nThe packet; ValueError when not whole."},
    {NULL, NULL, 0, NULL}};

int add_frames(PyObject *module, module_state *state)
{
    return (void)state, PyModule_AddFunctions(module, frame_calls);
}
