/* host/stream/decode.h: one message into rows, a decoder for each format that is no frame
 * (polepair/frame.h). */
#ifndef PP_HOST_DECODE_H
#define PP_HOST_DECODE_H

#include "polepair/format.h"

/* One decoded message: where its rows go and what it said. */
typedef struct pp_rows {
    int64_t *time;                          /* [ns], `room` of them */
    double *column[PP_STREAM_CHANNELS_MAX]; /* as many values each */
    int room;                               /* rows that fit */
    int count;                              /* rows written */
    int64_t seq;                            /* -1: the message has none */
    int64_t boot;                           /* -1 likewise */
    int64_t dropped;                        /* samples, by the device itself; 0: it says nothing */
    bool short_seq;                         /* seq counts modulo 256 (Sparkplug) */
} pp_rows;

/* A key with its quotes and colon as it came, up to 16 bytes. */
typedef struct pp_json_head {
    uint64_t text[2], mask[2]; /* mask: all bits of each byte in use */
    int16_t width;             /* bytes; 0: none */
    int16_t target;            /* where the key leads */
} pp_json_head;

/* Remembers what came at which place of the last message: devices repeat themselves. */
typedef struct pp_json_memory {
    pp_json_head head[PP_STREAM_CHANNELS_MAX]; /* by place in the message */
} pp_json_memory;

/* Decoders: rows into *rows; nothing is read beyond length. */
pp_refusal pp_decode_json(const pp_stream_config *config, pp_json_memory *memory,
                          const uint8_t *bytes, size_t length, pp_rows *rows);
pp_refusal pp_decode_sparkplug(pp_stream_config *config, const uint8_t *bytes, size_t length,
                               pp_rows *rows);
pp_refusal pp_decode_packed(const pp_stream_config *config, const uint8_t *bytes, size_t length,
                            pp_rows *rows);

#endif
