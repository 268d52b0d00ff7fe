/* python/stream_handle.h: how another extension module reaches a stream: the pointer in a capsule. */
#ifndef PP_PYTHON_STREAM_HANDLE_H
#define PP_PYTHON_STREAM_HANDLE_H

#include "polepair/stream.h"

#define PP_STREAM_HANDLE "polepair.stream"

typedef struct pp_stream_handle {
    pp_stream *stream;
    bool (*push)(pp_stream *stream, const uint8_t *bytes, size_t length, int64_t arrival_ns, int flags);
    void (*keep)(pp_stream *stream);
    void (*drop)(pp_stream *stream);
} pp_stream_handle;

#endif
