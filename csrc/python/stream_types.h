/* python/stream_types.h: what the files of Stream and Journal share. */
#ifndef PP_PYTHON_STREAM_TYPES_H
#define PP_PYTHON_STREAM_TYPES_H

#include "core.h"

#include "polepair/stream.h"

typedef struct journal_object {
    PyObject_HEAD pp_journal *journal;
} journal_object;

/* A decoder as bytes; NULL with an exception set. */
PyObject *description_bytes(const pp_decoder *decoder, const void *about, size_t length);

/* A stream's configuration from the arguments of Stream(); -1 with an exception set. */
int stream_config_from(PyObject *args, PyObject *kwargs, pp_stream_config *config);

#endif
