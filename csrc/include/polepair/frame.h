/* polepair/frame.h: the binary batch on the wire (docs/wire.md), for host and microcontroller.
 * Freestanding. Little-endian header of 32 bytes, then samples x channels values in one of four
 * encodings. */
#ifndef POLEPAIR_FRAME_H
#define POLEPAIR_FRAME_H

#include "polepair/base.h"

enum {
    PP_FRAME_MAGIC = 0x50,
    PP_FRAME_VERSION = 1,
    PP_FRAME_HEADER = 32,
    PP_FRAME_CHANNELS_MAX = 64
};

/* FLOAT32 and FLOAT64: rows of values. INT16: rows of integers, value = integer * scale. DELTA:
 * channel after channel, the integers' differences as zigzag varints (the first against 0),
 * |integer| < 2^30, so that a difference of two has 31 bits and a sign. */
typedef enum pp_encoding {
    PP_FLOAT32,
    PP_INT16,
    PP_DELTA,
    PP_FLOAT64,
    PP_ENCODING_COUNT
} pp_encoding;

typedef struct pp_frame {
    pp_encoding encoding; /* of the values */
    int channels;         /* 1..PP_FRAME_CHANNELS_MAX */
    int samples;          /* of each channel, 1..65535 */
    uint16_t boot;        /* another number after each start of the device */
    uint16_t flags;       /* of the device: state, trip */
    uint32_t seq;         /* number of the first sample since boot */
    uint32_t dropped;     /* samples that the device had to drop since boot */
    uint32_t dt_ns;       /* sampling period [ns] */
    int64_t time_ns;      /* device time of the first sample [ns] */
} pp_frame;

/* Why a frame or message was refused. Texts by pp_refusal_text. */
typedef enum pp_refusal {
#define PP_REFUSAL(code, text) PP_REFUSED_##code,
#include "polepair/refusal.def"
#undef PP_REFUSAL
    PP_REFUSAL_COUNT
} pp_refusal;

/* What was wrong with a message. Never NULL. */
const char *pp_refusal_text(pp_refusal refusal);

/* Reads the header and checks it against the length; PP_REFUSED_NOT when the frame is whole. */
pp_refusal pp_frame_read(const uint8_t *bytes, size_t length, pp_frame *frame);
/* Decodes the values of a frame that pp_frame_read accepted: sample s of channel c to
 * column[c][s]. `scale` (channels values, used by INT16 and DELTA) may be NULL for 1. */
pp_refusal pp_frame_values(const pp_frame *frame, const uint8_t *bytes, size_t length,
                           const double *scale, double *const *column);
/* Writes a frame; values: samples x channels, row by row. Returns its length, 0 where `room`
 * does not do or a value does not fit its encoding. */
size_t pp_frame_write(const pp_frame *frame, const double *values, const double *scale,
                      uint8_t *out, size_t room);

#define PP_COBS_BROKEN ((size_t)-1)
/* Consistent overhead byte stuffing (Cheshire & Baker, IEEE/ACM Trans. Networking 7(2) 1999).
 * Encoding n bytes takes at most n + n/254 + 1; neither writes the delimiter 0. Encoding returns
 * the length, 0 where it does not fit; decoding the length, PP_COBS_BROKEN where it does not fit
 * or is not whole. */
size_t pp_cobs_encode(const uint8_t *in, size_t length, uint8_t *out, size_t room);
size_t pp_cobs_decode(const uint8_t *in, size_t length, uint8_t *out, size_t room);

/* CRC-32 (IEEE 802.3, reflected, as zlib's crc32). */
uint32_t pp_crc32(const uint8_t *bytes, size_t length);

#endif
