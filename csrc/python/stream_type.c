/* Stream: messages in, columns out; views are read-only and keep the memory alive. */
#include "stream_types.h"

#include <errno.h>
#include <pthread.h>

#include "../host/clock.h"

typedef struct stream_object {
    PyObject_HEAD pp_stream *stream;
    PyObject *journal; /* kept while the stream writes to it */
    long forks;        /* of the process when it was made */
} stream_object;

/* Children that this process descends from: memory and journal of a stream are shared with them,
 * and only the one that made it may write. */
static long forks;

static void count_fork(void) { forks++; }

static void count_forks(void) { pthread_atfork(NULL, NULL, count_fork); }

/* The stream; NULL with an exception set in a forked child. */
static pp_stream *own_stream(PyObject *object)
{
    stream_object *self = (stream_object *)object;
    if (self->forks == forks)
        return self->stream;
    PyErr_SetString(PyExc_RuntimeError,
                    "this stream belongs to the parent process, expected one made after fork");
    return NULL;
}

static PyObject *stream_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    pp_stream_config config;
    if (stream_config_from(args, kwargs, &config) < 0)
        return NULL;
    stream_object *self = (stream_object *)new_object(type);
    if (!self)
        return NULL;
    self->forks = forks;
    self->stream = pp_stream_new(&config);
    if (self->stream)
        return (PyObject *)self;
    Py_DECREF((PyObject *)self);
    return PyErr_NoMemory();
}

static void stream_dealloc(PyObject *object)
{
    stream_object *self = (stream_object *)object;
    if (self->stream && self->forks == forks)
        pp_stream_set_journal(self->stream, NULL, NULL, 0);
    if (self->stream)
        pp_stream_unref(self->stream);
    Py_XDECREF(self->journal);
    plain_dealloc(object);
}

static PyObject *stream_push(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    Py_buffer view;
    if (count < 1 || count > 3)
        return PyErr_Format(PyExc_TypeError, "push() takes a message, its arrival [ns] and flags");
    bool timed = count > 1 && args[1] != Py_None;
    long long arrival = timed ? PyLong_AsLongLong(args[1]) : pp_now_ns();
    if (arrival == -1 && PyErr_Occurred()) /* before anybody's __index__ is called */
        return NULL;
    long flags = count > 2 ? PyLong_AsLong(args[2]) : 0;
    if (flags == -1 && PyErr_Occurred())
        return NULL;
    pp_stream *stream = own_stream(object);
    if (!stream || PyObject_GetBuffer(args[0], &view, PyBUF_SIMPLE) < 0)
        return NULL;
    bool kept = pp_stream_push(stream, view.buf, (size_t)view.len, arrival, (int)flags);
    PyBuffer_Release(&view);
    return PyBool_FromLong(kept);
}

static PyObject *stream_wait(PyObject *object, PyObject *args)
{
    stream_object *self = (stream_object *)object;
    long long seen;
    double seconds;
    if (!PyArg_ParseTuple(args, "Ld:wait", &seen, &seconds))
        return NULL;
    bool news = false;
    while (!news && seconds > 0) { /* in slices, so that Ctrl-C is heard */
        double slice = seconds < 0.05 ? seconds : 0.05;
        Py_BEGIN_ALLOW_THREADS
        news = pp_stream_wait(self->stream, seen, slice);
        Py_END_ALLOW_THREADS
        seconds -= slice;
        if (PyErr_CheckSignals() < 0)
            return NULL;
    }
    return PyLong_FromLongLong(pp_stream_head(self->stream));
}

static PyObject *stream_column(PyObject *object, PyObject *args)
{
    stream_object *self = (stream_object *)object;
    int column;
    long long first, last;
    if (!PyArg_ParseTuple(args, "iLL:column", &column, &first, &last))
        return NULL;
    const pp_stream *stream = self->stream;
    if (column < -3 || column >= pp_stream_settings(stream)->channels ||
        first < pp_stream_floor(stream) || last < first || last > pp_stream_head(stream))
        return PyErr_Format(PyExc_IndexError,
                            "rows %lld to %lld of column %d: expected rows that are still kept",
                            first, last, column);
    npy_intp length = last - first;
    int type = column < 0 ? NPY_INT64 : NPY_DOUBLE;
    void *memory =
        (void *)(uintptr_t)pp_stream_column(stream, column, first); /* a read-only view */
    PyObject *view =
        PyArray_New(&PyArray_Type, 1, &length, type, NULL, memory, 0, NPY_ARRAY_CARRAY_RO, NULL);
    if (view && PyArray_SetBaseObject((PyArrayObject *)view, Py_NewRef(object)) < 0)
        Py_CLEAR(view);
    return view;
}

static PyObject *stream_counts(PyObject *object, PyObject *Py_UNUSED(unused))
{
    pp_stream_counts counts = pp_stream_read_counts(((stream_object *)object)->stream);
    PyObject *dict =
        Py_BuildValue("{sLsLsLsLsLsLsLsLsLsLsL}", "messages", counts.messages, "rows", counts.rows,
                      "bytes", counts.bytes, "lost", counts.lost, "duplicates", counts.duplicates,
                      "out_of_order", counts.out_of_order, "restarts", counts.restarts, "retained",
                      counts.retained, "unjournaled", counts.unjournaled, "device_drops",
                      counts.device_drops, "partial", counts.partial);
    for (int i = 1; dict && i < PP_REFUSAL_COUNT; i++) {
        if (!counts.refused[i])
            continue;
        PyObject *value = PyLong_FromLongLong(counts.refused[i]);
        if (!value || PyDict_SetItemString(dict, pp_refusal_text((pp_refusal)i), value) < 0)
            Py_CLEAR(dict);
        Py_XDECREF(value);
    }
    return dict;
}

/* The dict of what the newest messages began with, by reason. */
static PyObject *stream_examples(PyObject *object, PyObject *Py_UNUSED(unused))
{
    pp_stream *stream = own_stream(object);
    PyObject *dict = stream ? PyDict_New() : NULL;
    for (int i = 0; dict && i < PP_REFUSAL_COUNT; i++) {
        uint8_t example[PP_EXAMPLE_MAX];
        size_t length;
        Py_BEGIN_ALLOW_THREADS
        length = pp_stream_example(stream, (pp_refusal)i, example);
        Py_END_ALLOW_THREADS
        if (length == 0)
            continue;
        PyObject *value = PyBytes_FromStringAndSize((const char *)example, (Py_ssize_t)length);
        if (!value || PyDict_SetItemString(dict, pp_refusal_text((pp_refusal)i), value) < 0)
            Py_CLEAR(dict);
        Py_XDECREF(value);
    }
    return dict;
}

/* Waits for whoever is pushing: without the GIL. */
static int set_journal(pp_stream *stream, pp_journal *journal, const Py_buffer *about)
{
    int error;
    Py_BEGIN_ALLOW_THREADS
    error = pp_stream_set_journal(stream, journal, about->buf, (size_t)about->len);
    Py_END_ALLOW_THREADS
    return error;
}

static PyObject *stream_set_journal(PyObject *object, PyObject *args)
{
    stream_object *self = (stream_object *)object;
    PyObject *journal;
    Py_buffer about;
    module_state *state = state_of(Py_TYPE(object));
    pp_stream *stream = own_stream(object);
    if (!state || !stream || !PyArg_ParseTuple(args, "Oy*:journal", &journal, &about))
        return NULL;
    bool none = journal == Py_None;
    int error = 0;
    if (!none && self->journal)
        PyErr_SetString(PyExc_ValueError,
                        "this stream is being recorded already, expected one recorder");
    else if (about.len > PP_ABOUT_MAX || !(none || PyObject_TypeCheck(journal, state->journal)))
        PyErr_Format(PyExc_TypeError, "journal: expected a Journal or None, and at most %d bytes",
                     PP_ABOUT_MAX);
    else
        error = set_journal(stream, none ? NULL : ((journal_object *)journal)->journal, &about);
    PyBuffer_Release(&about);
    if (PyErr_Occurred())
        return NULL;
    if (error) {
        errno = error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    PyObject *old = self->journal;
    self->journal = none ? NULL : Py_NewRef(journal);
    Py_XDECREF(old);
    Py_RETURN_NONE;
}

static PyObject *stream_describe(PyObject *object, PyObject *args)
{
    Py_buffer about;
    pp_decoder decoder;
    pp_stream *stream = own_stream(object);
    if (!stream || !PyArg_ParseTuple(args, "y*:describe", &about))
        return NULL;
    pp_stream_copy_decoder(stream, &decoder);
    PyObject *bytes = description_bytes(&decoder, about.buf, (size_t)about.len);
    PyBuffer_Release(&about);
    return bytes;
}

/* What an earlier stream, described so, knew of its device. */
static PyObject *stream_learn(PyObject *object, PyObject *args)
{
    const char *data, *marks;
    Py_ssize_t length, marks_length;
    pp_decoder from;
    const uint8_t *about;
    size_t about_length;
    pp_stream *stream = own_stream(object);
    if (!stream || !PyArg_ParseTuple(args, "y#y#:learn", &data, &length, &marks, &marks_length))
        return NULL;
    const char *fault =
        pp_decoder_from((const uint8_t *)data, (size_t)length, NULL, &from, &about, &about_length);
    if (fault)
        return PyErr_Format(PyExc_ValueError, "description: %s", fault);
    Py_BEGIN_ALLOW_THREADS
    pp_stream_learn(stream, &from, marks, (size_t)marks_length / 8);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

/* The other stream's way of decoding, with the same channels. */
static PyObject *stream_reformat(PyObject *object, PyObject *other)
{
    pp_stream *stream = own_stream(object);
    if (!stream || !PyObject_TypeCheck(other, Py_TYPE(object)))
        return stream ? PyErr_Format(PyExc_TypeError, "reformat: expected a Stream") : NULL;
    const pp_stream_config *config = pp_stream_settings(((stream_object *)other)->stream);
    int error;
    Py_BEGIN_ALLOW_THREADS
    error = pp_stream_reformat(stream, config);
    Py_END_ALLOW_THREADS
    if (error == EINVAL)
        return PyErr_Format(PyExc_ValueError, "reformat: expected the same channels");
    Py_RETURN_NONE;
}

static void free_handle(PyObject *capsule)
{
    pp_stream_handle *handle = PyCapsule_GetPointer(capsule, PP_STREAM_HANDLE);
    pp_stream_unref(handle->stream);
    PyMem_Free(handle);
}

static PyObject *stream_handle(PyObject *object, PyObject *Py_UNUSED(unused))
{
    pp_stream_handle *handle = PyMem_Malloc(sizeof *handle);
    if (!handle)
        return PyErr_NoMemory();
    *handle = (pp_stream_handle){.stream = ((stream_object *)object)->stream,
                                 .push = pp_stream_push,
                                 .ref = pp_stream_ref,
                                 .unref = pp_stream_unref};
    PyObject *capsule = PyCapsule_New(handle, PP_STREAM_HANDLE, free_handle);
    if (capsule)
        pp_stream_ref(handle->stream);
    else
        PyMem_Free(handle);
    return capsule;
}

static PyObject *stream_head(PyObject *object, void *Py_UNUSED(unused))
{
    return PyLong_FromLongLong(pp_stream_head(((stream_object *)object)->stream));
}

static PyObject *stream_floor(PyObject *object, void *Py_UNUSED(unused))
{
    return PyLong_FromLongLong(pp_stream_floor(((stream_object *)object)->stream));
}

static PyGetSetDef stream_getset[] = {
    {"head", stream_head, NULL, "rows published so far", NULL},
    {"floor", stream_floor, NULL, "first row that is still kept", NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static PyMethodDef stream_methods[] = {
    {"push", AS_METHOD(stream_push), METH_FASTCALL,
     "push($self, message, arrival=None, flags=0, /)\n--\n\n"
     "Takes one message; False where its journal was full."},
    {"wait", stream_wait, METH_VARARGS,
     "wait($self, seen, seconds, /)\n--\n\n"
     "Waits without the GIL until there are rows beyond `seen`; the head."},
    {"column", stream_column, METH_VARARGS,
     "column($self, column, first, last, /)\n--\n\n"
     "Read-only view of rows; column -3 arrival, -2 number, -1 time (int64, ns), "
     "0.. values (float64)."},
    {"counts", stream_counts, METH_NOARGS,
     "counts($self, /)\n--\n\nCounters by name; refusals only where there were any."},
    {"examples", stream_examples, METH_NOARGS,
     "examples($self, /)\n--\n\n"
     "What the newest message refused for each reason begins with; accepted: the newest partial "
     "one."},
    {"journal", stream_set_journal, METH_VARARGS,
     "journal($self, journal, about, /)\n--\n\n"
     "Journals from now on, in segments that say what they are about; None ends it."},
    {"describe", stream_describe, METH_VARARGS,
     "describe($self, about, /)\n--\n\nAll that decoding needs, as bytes, for Decoder()."},
    {"learn", stream_learn, METH_VARARGS,
     "learn($self, description, marks, /)\n--\n\n"
     "Takes over aliases, and which numbers and messages came."},
    {"reformat", stream_reformat, METH_O,
     "reformat($self, other, /)\n--\n\nDecodes as `other`, of the same channels, from now on."},
    {"handle", stream_handle, METH_NOARGS,
     "handle($self, /)\n--\n\nCapsule for C sources (polepair._mqtt)."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot stream_slots[] = {
    {Py_tp_doc, "Stream(format, channels, keys, aliases, scales, layout, capacity, size_limit, "
                "seq_per_sample, time_unit)\n--\n\n"
                "Messages of one source, decoded into columns. polepair.streams makes them."},
    {Py_tp_new, stream_new},
    {Py_tp_dealloc, stream_dealloc},
    {Py_tp_methods, stream_methods},
    {Py_tp_getset, stream_getset},
    {0, NULL}};
static PyType_Spec stream_spec = {.name = "polepair._core.Stream",
                                  .basicsize = sizeof(stream_object),
                                  .flags = Py_TPFLAGS_DEFAULT,
                                  .slots = stream_slots};

int add_stream_type(PyObject *module, module_state *state)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, count_forks);
    state->stream = add_type(module, &stream_spec);
    return state->stream ? 0 : -1;
}
