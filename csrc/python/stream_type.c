/* Stream: messages in, columns out; views are read-only and keep the memory alive. Journal: its segment files. */
#include "core.h"

#include <errno.h>
#include <string.h>

#include "../host/clock.h"
#include "polepair/stream.h"

typedef struct journal_object {
    PyObject_HEAD pp_journal *journal;
} journal_object;

typedef struct stream_object {
    PyObject_HEAD pp_stream *stream;
    PyObject *journal; /* kept while the stream writes to it */
} stream_object;

/* Item i of a list of pairs. */
static PyObject *pair_at(PyObject *list, Py_ssize_t i, const char *what)
{
    PyObject *item = PySequence_GetItem(list, i);
    if (!item || PyTuple_Check(item))
        return item;
    Py_DECREF(item);
    return PyErr_Format(PyExc_TypeError, "%s: expected (%s, target) pairs", what, what);
}

/* (name, target) pairs. */
static int take_keys(PyObject *list, pp_stream_config *c)
{
    Py_ssize_t n = PySequence_Size(list);
    if (n < 0 || n > (Py_ssize_t)(sizeof c->keys / sizeof c->keys[0]))
        return PyErr_Format(PyExc_ValueError, "keys: expected at most %d",
                            (int)(sizeof c->keys / sizeof c->keys[0])),
               -1;
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *item = pair_at(list, i, "key");
        const char *name;
        int target;
        bool good = item && PyArg_ParseTuple(item, "si:key", &name, &target);
        size_t length = good ? strlen(name) : 0;
        if (good &&
            (length == 0 || length >= PP_NAME_MAX || target >= c->channels || target < PP_TO_ROWS))
            good = PyErr_Format(PyExc_ValueError, "key %s: expected 1 to %d bytes and a channel",
                                name, PP_NAME_MAX - 1) != NULL;
        if (good) {
            strcpy(c->keys[i].name, name);
            c->keys[i].length = (int)length;
            c->keys[i].target = target;
        }
        Py_XDECREF(item);
        if (!good)
            return -1;
    }
    c->key_count = (int)n;
    return 0;
}

/* (alias, target) pairs. */
static int take_aliases(PyObject *list, pp_stream_config *c)
{
    for (int i = 0; i < PP_ALIASES_MAX; i++)
        c->alias[i] = PP_TO_NOWHERE;
    for (Py_ssize_t i = 0, n = PySequence_Size(list); i < n; i++) {
        PyObject *item = pair_at(list, i, "alias");
        int alias, target;
        bool good = item && PyArg_ParseTuple(item, "ii:alias", &alias, &target);
        Py_XDECREF(item);
        if (!good)
            return -1;
        if (alias < 0 || alias >= PP_ALIASES_MAX || target >= c->channels || target < PP_TO_BOOT)
            return PyErr_Format(PyExc_ValueError, "alias %d: expected 0 to %d and a channel", alias,
                                PP_ALIASES_MAX - 1),
                   -1;
        c->alias[alias] = (int16_t)target;
    }
    return PyErr_Occurred() ? -1 : 0;
}

static int take_scales(PyObject *list, pp_stream_config *c)
{
    Py_ssize_t n = PySequence_Size(list);
    if (n != c->channels)
        return PyErr_Format(PyExc_ValueError, "scales: expected %d", c->channels), -1;
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *item = PySequence_GetItem(list, i);
        c->scale[i] = item ? PyFloat_AsDouble(item) : 0;
        Py_XDECREF(item);
    }
    return PyErr_Occurred() ? -1 : 0;
}

static bool field_fits(pp_field f, int data)
{
    return f.at < 0 || (f.size >= 1 && f.size <= 8 && f.at + f.size <= data);
}

/* (magic, time, seq, step, samples, channels, data, value); fields as (at, size). */
static int take_layout(PyObject *tuple, pp_layout *l)
{
    const char *magic;
    Py_ssize_t length;
    if (!PyArg_ParseTuple(tuple, "y#(ii)(ii)(ii)(ii)(ii)ii:layout", &magic, &length, &l->time.at,
                          &l->time.size, &l->seq.at, &l->seq.size, &l->step.at, &l->step.size,
                          &l->samples.at, &l->samples.size, &l->channels.at, &l->channels.size,
                          &l->data, &l->value))
        return -1;
    bool good = length <= 8 && length <= l->data && l->data >= 0 && l->data <= 4096 &&
                (l->value == 2 || l->value == 4 || l->value == 8);
    const pp_field *f = &l->time;
    for (int i = 0; i < 5; i++)
        good = good && field_fits(f[i], l->data);
    if (!good) {
        PyErr_SetString(
            PyExc_ValueError,
            "layout: expected fields of 1 to 8 bytes before the data, values of 2, 4 or 8");
        return -1;
    }
    memcpy(l->magic, magic, (size_t)length);
    l->magic_length = (int)length;
    return 0;
}

static PyObject *stream_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"format",         "channels",  "keys",     "aliases",
                            "scales",         "layout",    "capacity", "size_limit",
                            "seq_per_sample", "time_unit", NULL};
    pp_stream_config c = {0};
    PyObject *keys, *aliases, *scales, *layout;
    int format, per_sample;
    long long capacity, limit;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "iiOOOOLLpd:Stream", names, &format, &c.channels,
                                     &keys, &aliases, &scales, &layout, &capacity, &limit,
                                     &per_sample, &c.time_unit))
        return NULL;
    if (format < 0 || format >= PP_FORMAT_COUNT || c.channels < 1 ||
        c.channels > PP_STREAM_CHANNELS_MAX || capacity < 1 || capacity > 1LL << 32 || limit < 1 ||
        !(c.time_unit >= 1 && c.time_unit <= 1e9))
        return PyErr_Format(PyExc_ValueError,
                            "stream: expected 1 to %d channels, a capacity and a size limit",
                            PP_STREAM_CHANNELS_MAX);
    c.format = (pp_format)format;
    c.capacity = capacity, c.size_limit = (size_t)limit, c.seq_per_sample = per_sample != 0;
    if (take_keys(keys, &c) < 0 || take_aliases(aliases, &c) < 0 || take_scales(scales, &c) < 0 ||
        (c.format == PP_FORMAT_PACKED && take_layout(layout, &c.layout) < 0))
        return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    stream_object *self = (stream_object *)allocate(type, 0);
    if (self && !(self->stream = pp_stream_new(&c))) {
        Py_DECREF((PyObject *)self);
        return PyErr_NoMemory();
    }
    return (PyObject *)self;
}

static void stream_dealloc(PyObject *object)
{
    stream_object *self = (stream_object *)object;
    if (self->stream) {
        pp_stream_journal(self->stream, NULL, 0);
        pp_stream_drop(self->stream);
    }
    Py_XDECREF(self->journal);
    plain_dealloc(object);
}

static PyObject *stream_push(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    Py_buffer view;
    if (count < 1 || count > 3)
        return PyErr_Format(PyExc_TypeError, "push() takes a message, its arrival [ns] and flags");
    long long arrival = count > 1 && args[1] != Py_None ? PyLong_AsLongLong(args[1]) : pp_now_ns();
    long flags = count > 2 ? PyLong_AsLong(args[2]) : 0;
    if (PyErr_Occurred() || PyObject_GetBuffer(args[0], &view, PyBUF_SIMPLE) < 0)
        return NULL;
    bool kept = pp_stream_push(((stream_object *)object)->stream, view.buf, (size_t)view.len,
                               arrival, (int)flags);
    PyBuffer_Release(&view);
    return PyBool_FromLong(kept);
}

/* Pushes records of a segment with this number, until `rows` more rows are there or the segment has no more. */
static PyObject *stream_push_records(PyObject *object, PyObject *args)
{
    stream_object *self = (stream_object *)object;
    Py_buffer view;
    unsigned long long offset;
    int number;
    long long rows;
    if (!PyArg_ParseTuple(args, "y*KiL:push_records", &view, &offset, &number, &rows))
        return NULL;
    uint64_t at = offset;
    Py_BEGIN_ALLOW_THREADS
    pp_record_view r;
    int64_t until = pp_stream_head(self->stream) + rows;
    while (pp_stream_head(self->stream) < until &&
           pp_journal_next(view.buf, (size_t)view.len, &at, &r))
        if (r.number == number)
            pp_stream_push(self->stream, r.bytes, r.length, r.arrival_ns, PP_PUSH_STORED);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&view);
    return PyLong_FromUnsignedLongLong(at);
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
    const pp_stream *s = self->stream;
    if (column < -3 || column >= pp_stream_settings(s)->channels || first < pp_stream_floor(s) ||
        last < first || last > pp_stream_head(s))
        return PyErr_Format(PyExc_IndexError,
                            "rows %lld to %lld of column %d: expected rows that are still kept",
                            first, last, column);
    npy_intp length = last - first;
    void *memory =
        (void *)(uintptr_t)pp_stream_column(s, column, first); /* the view below is read-only */
    PyObject *view = PyArray_New(&PyArray_Type, 1, &length, column < 0 ? NPY_INT64 : NPY_DOUBLE,
                                 NULL, memory, 0, NPY_ARRAY_CARRAY_RO, NULL);
    if (view && PyArray_SetBaseObject((PyArrayObject *)view, Py_NewRef(object)) < 0)
        Py_CLEAR(view);
    return view;
}

static PyObject *stream_counts(PyObject *object, PyObject *unused)
{
    (void)unused;
    pp_stream_counts n = pp_stream_count(((stream_object *)object)->stream);
    PyObject *d = Py_BuildValue(
        "{sLsLsLsLsLsLsLsLsLsL}", "messages", n.messages, "rows", n.rows, "bytes", n.bytes, "lost",
        n.lost, "duplicates", n.duplicates, "out_of_order", n.out_of_order, "restarts", n.restarts,
        "retained", n.retained, "unjournaled", n.unjournaled, "device_drops", n.device_drops);
    for (int i = 1; d && i < PP_REFUSAL_COUNT; i++) {
        PyObject *value = n.refused[i] ? PyLong_FromLongLong(n.refused[i]) : NULL;
        if (value && PyDict_SetItemString(d, pp_refusal_text((pp_refusal)i), value) < 0)
            Py_CLEAR(d);
        Py_XDECREF(value);
    }
    return d;
}

static PyObject *stream_journal(PyObject *object, PyObject *args)
{
    stream_object *self = (stream_object *)object;
    PyObject *journal;
    int number;
    if (!PyArg_ParseTuple(args, "Oi:journal", &journal, &number))
        return NULL;
    module_state *state = state_of(Py_TYPE(object));
    if (!state || (journal != Py_None && !PyObject_TypeCheck(journal, state->journal)))
        return PyErr_Format(PyExc_TypeError, "journal: expected a Journal or None");
    pp_stream_journal(self->stream,
                      journal == Py_None ? NULL : ((journal_object *)journal)->journal, number);
    PyObject *old = self->journal;
    self->journal = journal == Py_None ? NULL : Py_NewRef(journal);
    Py_XDECREF(old);
    Py_RETURN_NONE;
}

static PyObject *stream_sequence(PyObject *object, PyObject *unused)
{
    (void)unused;
    pp_sequence s = pp_stream_sequence(((stream_object *)object)->stream);
    return PyBytes_FromStringAndSize((const char *)&s, sizeof s);
}

static PyObject *stream_resume(PyObject *object, PyObject *bytes)
{
    char *data;
    Py_ssize_t length;
    if (PyBytes_AsStringAndSize(bytes, &data, &length) < 0)
        return NULL;
    pp_sequence s;
    if (length != sizeof s)
        return PyErr_Format(PyExc_ValueError, "sequence: of another version, expected %zu bytes",
                            sizeof s);
    memcpy(&s, data, sizeof s);
    if (s.gaps < 0 || s.gaps > PP_GAPS_MAX)
        return PyErr_Format(PyExc_ValueError, "sequence: damaged");
    pp_stream_resume(((stream_object *)object)->stream, &s);
    Py_RETURN_NONE;
}

static void drop_handle(PyObject *capsule)
{
    pp_stream_handle *h = PyCapsule_GetPointer(capsule, PP_STREAM_HANDLE);
    pp_stream_drop(h->stream);
    PyMem_Free(h);
}

static PyObject *stream_handle(PyObject *object, PyObject *unused)
{
    (void)unused;
    pp_stream_handle *h = PyMem_Malloc(sizeof *h);
    if (!h)
        return PyErr_NoMemory();
    *h = (pp_stream_handle){((stream_object *)object)->stream, pp_stream_push, pp_stream_keep,
                            pp_stream_drop};
    PyObject *capsule = PyCapsule_New(h, PP_STREAM_HANDLE, drop_handle);
    if (capsule)
        pp_stream_keep(h->stream);
    else
        PyMem_Free(h);
    return capsule;
}

static PyObject *stream_head(PyObject *o, void *u)
{
    return (void)u, PyLong_FromLongLong(pp_stream_head(((stream_object *)o)->stream));
}
static PyObject *stream_floor(PyObject *o, void *u)
{
    return (void)u, PyLong_FromLongLong(pp_stream_floor(((stream_object *)o)->stream));
}

static PyGetSetDef stream_getset[] = {
    {"head", stream_head, NULL, "rows published so far", NULL},
    {"floor", stream_floor, NULL, "first row that is still kept", NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static PyMethodDef stream_methods[] = {
    {"push", (PyCFunction)(void (*)(void))stream_push, METH_FASTCALL,
     "push($self, message, arrival=None, flags=0, /)\n--\n\nTakes one message; False where its "
     "journal was full."},
    {"push_records", stream_push_records, METH_VARARGS,
     "push_records($self, segment, offset, number, rows, /)\n--\n\nTakes journaled messages of one "
     "number; the new "
     "offset."},
    {"wait", stream_wait, METH_VARARGS,
     "wait($self, seen, seconds, /)\n--\n\nWaits without the GIL until there are rows beyond "
     "`seen`; the head."},
    {"column", stream_column, METH_VARARGS,
     "column($self, column, first, last, /)\n--\n\nRead-only view of rows; column -3 arrival, -2 "
     "number, -1 time "
     "(int64, ns), "
     "0.. values (float64)."},
    {"counts", stream_counts, METH_NOARGS,
     "counts($self, /)\n--\n\nCounters by name; refusals only where there were any."},
    {"journal", stream_journal, METH_VARARGS,
     "journal($self, journal, number, /)\n--\n\nJournals from now on; None ends it."},
    {"sequence", stream_sequence, METH_NOARGS,
     "sequence($self, /)\n--\n\nThe sequence numbers seen, as bytes."},
    {"resume", stream_resume, METH_O, "resume($self, sequence, /)\n--\n\nGoes on from sequence()."},
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
static PyType_Spec stream_spec = {"polepair._core.Stream", sizeof(stream_object), 0,
                                  Py_TPFLAGS_DEFAULT, stream_slots};

static PyObject *journal_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"folder", "segment_bytes", "spare_bytes", "after", NULL};
    PyObject *folder;
    long long bytes;
    unsigned long long spare, after;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O&LKK:Journal", names, PyUnicode_FSConverter,
                                     &folder, &bytes, &spare, &after))
        return NULL;
    pp_journal *journal = NULL;
    errno = EINVAL;
    if (bytes >= 4096)
        journal = pp_journal_open(PyBytes_AsString(folder), (size_t)bytes, spare, after);
    if (!journal)
        PyErr_SetFromErrnoWithFilename(PyExc_OSError, PyBytes_AsString(folder));
    Py_DECREF(folder);
    if (!journal)
        return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    journal_object *self = (journal_object *)allocate(type, 0);
    if (self)
        self->journal = journal;
    else
        pp_journal_close(journal);
    return (PyObject *)self;
}

static void journal_dealloc(PyObject *object)
{
    pp_journal_close(((journal_object *)object)->journal);
    plain_dealloc(object);
}

static PyObject *journal_sync(PyObject *object, PyObject *unused)
{
    (void)unused;
    int error;
    Py_BEGIN_ALLOW_THREADS
    error = pp_journal_sync(((journal_object *)object)->journal);
    Py_END_ALLOW_THREADS
    if (!error)
        Py_RETURN_NONE;
    errno = error;
    return PyErr_SetFromErrno(PyExc_OSError);
}

static PyMethodDef journal_methods[] = {
    {"sync", journal_sync, METH_NOARGS,
     "sync($self, /)\n--\n\nWrites what was appended to the disk."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot journal_slots[] = {
    {Py_tp_doc, "Journal(folder, segment_bytes, spare_bytes, after)\n--\n\nRaw messages in mapped "
                "segment files, numbered from "
                "after + 1; new ones leave spare_bytes of the disk free."},
    {Py_tp_new, journal_new},
    {Py_tp_dealloc, journal_dealloc},
    {Py_tp_methods, journal_methods},
    {0, NULL}};
static PyType_Spec journal_spec = {"polepair._core.Journal", sizeof(journal_object), 0,
                                   Py_TPFLAGS_DEFAULT, journal_slots};

int add_stream_types(PyObject *module, module_state *state)
{
    state->journal = add_type(module, &journal_spec);
    state->stream = state->journal ? add_type(module, &stream_spec) : NULL;
    return state->stream ? 0 : -1;
}
