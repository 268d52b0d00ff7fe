/* What Stream(...) is given, checked: keys, aliases, scales, layout. Each -1 with an exception
 * set. */
#include "stream_types.h"

#include <string.h>

/* Item i of a list of pairs. */
static PyObject *pair_at(PyObject *list, Py_ssize_t i, const char *what)
{
    PyObject *item = PySequence_GetItem(list, i);
    if (!item || PyTuple_Check(item))
        return item;
    Py_DECREF(item);
    return PyErr_Format(PyExc_TypeError, "%s: expected (%s, target) pairs", what, what);
}

static int take_key(PyObject *pair, int channels, pp_key *key)
{
    const char *name;
    int target;
    if (!PyArg_ParseTuple(pair, "si:key", &name, &target))
        return -1;
    size_t length = strlen(name);
    if (length == 0 || length >= PP_NAME_MAX || target >= channels || target < PP_TO_ROWS) {
        PyErr_Format(PyExc_ValueError, "key %s: expected 1 to %d bytes and a channel", name,
                     PP_NAME_MAX - 1);
        return -1;
    }
    strcpy(key->name, name);
    key->length = (int)length;
    key->target = target;
    return 0;
}

/* (name, target) pairs. */
static int take_keys(PyObject *list, pp_stream_config *config)
{
    Py_ssize_t count = PySequence_Size(list);
    if (count < 0 || count > PP_KEYS_MAX) {
        PyErr_Format(PyExc_ValueError, "keys: expected at most %d", PP_KEYS_MAX);
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *pair = pair_at(list, i, "key");
        int failed = !pair || take_key(pair, config->channels, &config->keys[i]) < 0;
        Py_XDECREF(pair);
        if (failed)
            return -1;
    }
    config->key_count = (int)count;
    return 0;
}

/* (alias, target) pairs. */
static int take_aliases(PyObject *list, pp_stream_config *config)
{
    for (int i = 0; i < PP_ALIASES_MAX; i++)
        config->alias[i] = PP_TO_NOWHERE;
    Py_ssize_t count = PySequence_Size(list);
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *pair = pair_at(list, i, "alias");
        int alias, target;
        bool good = pair && PyArg_ParseTuple(pair, "ii:alias", &alias, &target);
        Py_XDECREF(pair);
        if (!good)
            return -1;
        if (alias < 0 || alias >= PP_ALIASES_MAX || target >= config->channels ||
            target < PP_TO_BOOT) {
            PyErr_Format(PyExc_ValueError, "alias %d: expected 0 to %d and a channel", alias,
                         PP_ALIASES_MAX - 1);
            return -1;
        }
        config->alias[alias] = (int16_t)target;
    }
    return PyErr_Occurred() ? -1 : 0;
}

static int take_scales(PyObject *list, pp_stream_config *config)
{
    if (PySequence_Size(list) != config->channels) {
        PyErr_Format(PyExc_ValueError, "scales: expected %d", config->channels);
        return -1;
    }
    for (int i = 0; i < config->channels; i++) {
        PyObject *item = PySequence_GetItem(list, i);
        if (item)
            config->scale[i] = PyFloat_AsDouble(item);
        Py_XDECREF(item);
    }
    return PyErr_Occurred() ? -1 : 0;
}

/* (magic, time, seq, step, samples, channels, data, value); fields as (at, size). */
static int take_layout(PyObject *tuple, pp_layout *layout)
{
    const char *magic;
    Py_ssize_t length;
    if (!PyArg_ParseTuple(tuple, "y#(ii)(ii)(ii)(ii)(ii)ii:layout", &magic, &length,
                          &layout->time.at, &layout->time.size, &layout->seq.at, &layout->seq.size,
                          &layout->step.at, &layout->step.size, &layout->samples.at,
                          &layout->samples.size, &layout->channels.at, &layout->channels.size,
                          &layout->data, &layout->value))
        return -1;
    bool short_magic = length <= (Py_ssize_t)sizeof layout->magic;
    if (short_magic)
        layout->magic_length = (int)length;
    if (!short_magic) {
        PyErr_Format(PyExc_ValueError, "layout: magic of %zd bytes, expected at most %zu", length,
                     sizeof layout->magic);
        return -1;
    }
    memcpy(layout->magic, magic, (size_t)length);
    return 0;
}

int stream_config_from(PyObject *args, PyObject *kwargs, pp_stream_config *config)
{
    static char *names[] = {"format",         "channels",  "keys",     "aliases",
                            "scales",         "layout",    "capacity", "size_limit",
                            "seq_per_sample", "time_unit", NULL};
    PyObject *keys, *aliases, *scales, *layout;
    int format, channels, per_sample;
    long long capacity, limit;
    double unit;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "iiOOOOLLpd:Stream", names, &format, &channels,
                                     &keys, &aliases, &scales, &layout, &capacity, &limit,
                                     &per_sample, &unit))
        return -1;
    if (format < 0 || format >= PP_FORMAT_COUNT || channels < 1 ||
        channels > PP_STREAM_CHANNELS_MAX || capacity < 1 || capacity > 1LL << 32 || limit < 1) {
        PyErr_Format(PyExc_ValueError,
                     "stream: expected 1 to %d channels, a capacity and a size limit",
                     PP_STREAM_CHANNELS_MAX);
        return -1;
    }
    *config = (pp_stream_config){.format = (pp_format)format,
                                 .channels = channels,
                                 .capacity = capacity,
                                 .size_limit = (size_t)limit,
                                 .room = PP_ROOM_MAX,
                                 .seq_per_sample = per_sample != 0,
                                 .time_unit = unit};
    if (take_keys(keys, config) < 0 || take_aliases(aliases, config) < 0 ||
        take_scales(scales, config) < 0)
        return -1;
    if (config->format == PP_FORMAT_PACKED && take_layout(layout, &config->layout) < 0)
        return -1;
    const char *fault = pp_config_fault(config);
    if (fault)
        PyErr_Format(PyExc_ValueError, "stream: %s", fault);
    return fault ? -1 : 0;
}
