/* Journal: the segment files of a recording. */
#include "stream_types.h"

#include <errno.h>

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
    if (bytes >= 4096 && bytes <= 1LL << 40)
        journal = pp_journal_open(PyBytes_AsString(folder), (size_t)bytes, spare, after);
    if (!journal)
        PyErr_SetFromErrnoWithFilename(PyExc_OSError, PyBytes_AsString(folder));
    Py_DECREF(folder);
    if (!journal)
        return NULL;
    journal_object *self = (journal_object *)new_object(type);
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

static PyObject *journal_sync(PyObject *object, PyObject *Py_UNUSED(unused))
{
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
    {Py_tp_doc, "Journal(folder, segment_bytes, spare_bytes, after)\n--\n\n"
                "Raw messages in mapped segment files, numbered from after + 1; "
                "new ones leave spare_bytes of the disk free."},
    {Py_tp_new, journal_new},
    {Py_tp_dealloc, journal_dealloc},
    {Py_tp_methods, journal_methods},
    {0, NULL}};
static PyType_Spec journal_spec = {.name = "polepair._core.Journal",
                                   .basicsize = sizeof(journal_object),
                                   .flags = Py_TPFLAGS_DEFAULT,
                                   .slots = journal_slots};

int add_journal_type(PyObject *module, module_state *state)
{
    state->journal = add_type(module, &journal_spec);
    return state->journal ? 0 : -1;
}
