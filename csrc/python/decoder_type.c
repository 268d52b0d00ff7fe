/* Decoder: what the journal holds, as rows. */
#include "stream_types.h"

#include <stdlib.h>
#include <string.h>

#include "../host/stream/crc.h"
#include "../host/stream/drain.h"

typedef struct decoder_object {
    PyObject_HEAD pp_decoder *decoder;
    PyObject *about; /* bytes: what descriptions have to say */
    pp_marks *marks;
    int64_t told;   /* of the marks, those that new_marks need not tell */
    pp_block block; /* one allocation, begins with arrival */
    bool busy;
} decoder_object;

enum { COLUMNS = 3 };

PyObject *description_bytes(const pp_decoder *decoder, const void *about, size_t length)
{
    uint8_t *out = malloc(PP_DESCRIPTION_MAX);
    if (!out)
        return PyErr_NoMemory();
    size_t size = pp_decoder_describe(decoder, about, length, out, PP_DESCRIPTION_MAX);
    PyObject *bytes = NULL;
    if (size)
        bytes = PyBytes_FromStringAndSize((const char *)out, (Py_ssize_t)size);
    else
        PyErr_Format(PyExc_ValueError, "about: expected at most %d bytes", PP_ABOUT_MAX);
    free(out);
    return bytes;
}

/* Columns for `rows` and the largest message more. */
static int need_room(decoder_object *self, int64_t rows)
{
    int64_t room = rows + PP_ROOM_MAX;
    int channels = self->decoder->config.channels;
    if (self->block.room >= room)
        return 0;
    int count = COLUMNS + (channels ? channels : PP_STREAM_CHANNELS_MAX);
    int64_t *memory = realloc(self->block.arrival, (size_t)(count * room) * 8);
    if (!memory) {
        PyErr_NoMemory();
        return -1;
    }
    self->block.arrival = memory;
    self->block.seq = memory + room;
    self->block.time = memory + 2 * room;
    for (int i = 0; i < count - COLUMNS; i++)
        self->block.column[i] = (double *)(memory + (COLUMNS + i) * room);
    self->block.room = room;
    return 0;
}

/* From a description of the same words, or from nothing: then the segments bring it; and from the
 * marks that are kept beside it. NULL, or what is wrong. */
static const char *begin(decoder_object *self, const Py_buffer *description, const Py_buffer *marks)
{
    const uint8_t *about;
    size_t length;
    self->decoder->sequence.next = -1;
    self->decoder->marks = self->marks;
    if (marks->buf)
        pp_marks_learn(self->marks, marks->buf, (size_t)marks->len / 8);
    self->told = pp_marks_count(self->marks);
    if (!description->buf)
        return NULL;
    const char *fault = pp_decoder_from(description->buf, (size_t)description->len, self->marks,
                                        self->decoder, &about, &length);
    if (!fault && (length != (size_t)PyBytes_Size(self->about) ||
                   memcmp(about, PyBytes_AsString(self->about), length) != 0))
        fault = "of another stream";
    return fault;
}

static PyObject *decoder_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"about", "description", "marks", NULL};
    PyObject *about;
    Py_buffer description = {0};
    Py_buffer marks = {0};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "S|z*z*:Decoder", names, &about, &description,
                                     &marks))
        return NULL;
    decoder_object *self = (decoder_object *)new_object(type);
    const char *fault = NULL;
    if (self) {
        self->about = Py_NewRef(about);
        self->decoder = calloc(1, sizeof *self->decoder);
        self->marks = pp_marks_new();
        if (self->decoder && self->marks)
            fault = begin(self, &description, &marks);
        else
            PyErr_NoMemory();
    }
    if (fault)
        PyErr_Format(PyExc_ValueError, "description: %s", fault);
    if (description.buf)
        PyBuffer_Release(&description);
    if (marks.buf)
        PyBuffer_Release(&marks);
    if (PyErr_Occurred()) {
        Py_XDECREF((PyObject *)self);
        return NULL;
    }
    return (PyObject *)self;
}

static void decoder_dealloc(PyObject *object)
{
    decoder_object *self = (decoder_object *)object;
    free(self->decoder);
    pp_marks_free(self->marks);
    free(self->block.arrival);
    Py_XDECREF(self->about);
    plain_dealloc(object);
}

/* A copy of some rows of a column. */
static PyObject *column_copy(const void *from, int type, int64_t rows)
{
    npy_intp length = rows;
    PyObject *copy = PyArray_SimpleNew(1, &length, type);
    if (copy)
        memcpy(PyArray_DATA((PyArrayObject *)copy), from, (size_t)rows * 8);
    return copy;
}

static PyObject *columns_of(const decoder_object *self)
{
    const pp_block *block = &self->block;
    int channels = block->count ? self->decoder->config.channels : 0;
    PyObject *columns = PyList_New(0);
    for (int i = 0; columns && i < channels; i++) {
        PyObject *copy = column_copy(block->column[i], NPY_DOUBLE, block->count);
        if (!copy || PyList_Append(columns, copy) < 0)
            Py_CLEAR(columns);
        Py_XDECREF(copy);
    }
    return columns;
}

static const char *const endings[] = {"rows", "end", "other"};

static PyObject *rows_tuple(const decoder_object *self, uint64_t offset, pp_drained ended)
{
    const pp_block *block = &self->block;
    return Py_BuildValue("KNNNNLLs", offset, column_copy(block->time, NPY_INT64, block->count),
                         column_copy(block->seq, NPY_INT64, block->count),
                         column_copy(block->arrival, NPY_INT64, block->count), columns_of(self),
                         block->damaged, block->refused, endings[ended]);
}

static pp_drained drain(decoder_object *self, pp_drain *job, uint64_t *offset, int64_t rows)
{
    job->decoder = self->decoder;
    job->about = (const uint8_t *)PyBytes_AsString(self->about);
    job->about_length = (size_t)PyBytes_Size(self->about);
    self->block.count = 0;
    self->block.damaged = 0;
    self->block.refused = 0;
    pp_drained ended;
    self->busy = true;
    Py_BEGIN_ALLOW_THREADS
    ended = pp_drain_rows(job, offset, rows, &self->block);
    Py_END_ALLOW_THREADS
    self->busy = false;
    return ended;
}

static PyObject *decoder_read(PyObject *object, PyObject *args)
{
    decoder_object *self = (decoder_object *)object;
    Py_buffer view;
    unsigned long long offset;
    long long rows;
    int closed, number;
    if (!PyArg_ParseTuple(args, "y*KLpi:read", &view, &offset, &rows, &closed, &number))
        return NULL;
    pp_drain job = {.closed = closed != 0, .number = number};
    PyObject *out = NULL;
    uint64_t at = offset;
    if (self->busy)
        PyErr_SetString(PyExc_RuntimeError, "this decoder is in use by another thread");
    else if (rows < 1 || rows > 1 << 20 || at > (uint64_t)view.len || ((uintptr_t)view.buf & 7))
        PyErr_SetString(PyExc_ValueError,
                        "read: expected 1 to 2^20 rows, an offset within the segment, aligned");
    else if (!pp_segment_open(&job.segment, view.buf, (size_t)view.len))
        PyErr_SetString(PyExc_ValueError, "no segment of a journal that this version reads");
    else if (need_room(self, rows) == 0) {
        pp_drained ended = drain(self, &job, &at, rows);
        out = rows_tuple(self, at, ended);
    }
    PyBuffer_Release(&view);
    return out;
}

static PyObject *decoder_state(PyObject *object, PyObject *Py_UNUSED(unused))
{
    const decoder_object *self = (decoder_object *)object;
    return description_bytes(self->decoder, PyBytes_AsString(self->about),
                             (size_t)PyBytes_Size(self->about));
}

static PyObject *marks_since(const decoder_object *self, int64_t since)
{
    uint64_t *copy = malloc(sizeof *copy * PP_DEEP);
    if (!copy)
        return PyErr_NoMemory();
    size_t count = pp_marks_copy(self->marks, since, copy);
    PyObject *bytes = PyBytes_FromStringAndSize((const char *)copy, (Py_ssize_t)(8 * count));
    free(copy);
    return bytes;
}

static PyObject *decoder_marks(PyObject *object, PyObject *Py_UNUSED(unused))
{
    return marks_since((decoder_object *)object, 0);
}

static PyObject *decoder_new_marks(PyObject *object, PyObject *Py_UNUSED(unused))
{
    decoder_object *self = (decoder_object *)object;
    PyObject *bytes = marks_since(self, self->told);
    if (bytes)
        self->told = pp_marks_count(self->marks);
    return bytes;
}

static PyMethodDef decoder_methods[] = {
    {"read", decoder_read, METH_VARARGS,
     "read($self, segment, offset, rows, closed, number, /)\n--\n\n"
     "(offset behind, time, seq, arrival, columns, places damaged, messages refused, "
     "'rows', 'end' or 'other')."},
    {"state", decoder_state, METH_NOARGS,
     "state($self, /)\n--\n\nAll that decoding needs from here on but the marks, for Decoder()."},
    {"marks", decoder_marks, METH_NOARGS,
     "marks($self, /)\n--\n\nOf the newest messages, 8 bytes each, for Decoder()."},
    {"new_marks", decoder_new_marks, METH_NOARGS,
     "new_marks($self, /)\n--\n\nThose that came since this was asked, or since it was made."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot decoder_slots[] = {
    {Py_tp_doc, "Decoder(about, description=None, marks=None)\n--\n\n"
                "Journaled messages into rows, as the stream that journaled them did."},
    {Py_tp_new, decoder_new},
    {Py_tp_dealloc, decoder_dealloc},
    {Py_tp_methods, decoder_methods},
    {0, NULL}};
static PyType_Spec decoder_spec = {.name = "polepair._core.Decoder",
                                   .basicsize = sizeof(decoder_object),
                                   .flags = Py_TPFLAGS_DEFAULT,
                                   .slots = decoder_slots};

/* CRC-32C of some buffers, one behind the other. */
static PyObject *call_crc32c(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    uint32_t crc = ~0u;
    for (Py_ssize_t i = 0; i < count; i++) {
        Py_buffer view;
        if (PyObject_GetBuffer(args[i], &view, PyBUF_SIMPLE) < 0)
            return NULL;
        crc = pp_crc32c(crc, view.buf, (size_t)view.len);
        PyBuffer_Release(&view);
    }
    return PyLong_FromUnsignedLong((uint32_t)~crc);
}

static PyMethodDef functions[] = {
    {"crc32c", AS_METHOD(call_crc32c), METH_FASTCALL,
     "crc32c(*buffers, /)\n--\n\nCRC-32C (RFC 3720) of buffers, one behind the other."},
    {NULL, NULL, 0, NULL}};

int add_decoder_type(PyObject *module, module_state *state)
{
    (void)state;
    PyObject *type = (PyObject *)add_type(module, &decoder_spec);
    Py_XDECREF(type);
    return type ? PyModule_AddFunctions(module, functions) : -1;
}
