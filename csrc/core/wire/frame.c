/* The binary batch: header and four encodings. Bytes are assembled one by one: no alignment, no byte order assumed. */
#include "polepair/frame.h"

#include <string.h>

static uint32_t get(const uint8_t *p, int bytes)
{
    uint32_t v = 0;
    for (int i = 0; i < bytes; i++)
        v |= (uint32_t)p[i] << (8 * i);
    return v;
}

static void put(uint8_t *p, uint32_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

const char *pp_refusal_text(pp_refusal refusal)
{
    static const char *const text[] = {
#define PP_REFUSAL(code, text) text,
#include "polepair/refusal.def"
#undef PP_REFUSAL
    };
    return (unsigned)refusal < PP_REFUSAL_COUNT ? text[refusal] : "unknown";
}

/* Bytes of a value, 0 where they vary. */
static size_t width(pp_encoding e)
{
    return e == PP_FLOAT32 ? 4 : e == PP_INT16 ? 2 : e == PP_FLOAT64 ? 8 : 0;
}

pp_refusal pp_frame_read(const uint8_t *b, size_t length, pp_frame *frame)
{
    if (length < PP_FRAME_HEADER)
        return PP_REFUSED_SIZE;
    if (b[0] != PP_FRAME_MAGIC)
        return PP_REFUSED_SYNTAX;
    if (b[1] != PP_FRAME_VERSION || b[2] >= PP_ENCODING_COUNT)
        return PP_REFUSED_VERSION;
    pp_frame f = {(pp_encoding)b[2],
                  b[3],
                  (int)get(b + 4, 2),
                  (uint16_t)get(b + 6, 2),
                  (uint16_t)get(b + 28, 2),
                  get(b + 8, 4),
                  get(b + 24, 4),
                  get(b + 12, 4),
                  (int64_t)((uint64_t)get(b + 16, 4) | (uint64_t)get(b + 20, 4) << 32)};
    size_t values = (size_t)f.channels * (size_t)f.samples, body = length - PP_FRAME_HEADER;
    if (values == 0 || f.channels > PP_FRAME_CHANNELS_MAX)
        return PP_REFUSED_COUNT;
    if (width(f.encoding) ? body != values * width(f.encoding) : body < values || body > 5 * values)
        return PP_REFUSED_COUNT;
    *frame = f;
    return PP_REFUSED_NOT;
}

static double float_at(const uint8_t *p, pp_encoding e)
{
    if (e == PP_FLOAT32) {
        uint32_t bits = get(p, 4);
        float x;
        memcpy(&x, &bits, 4);
        return (double)x;
    }
    uint64_t bits = (uint64_t)get(p, 4) | (uint64_t)get(p + 4, 4) << 32;
    double x;
    memcpy(&x, &bits, 8);
    return x;
}

/* A varint of at most 5 bytes into *v; the position behind it, NULL where it does not end. */
static const uint8_t *varint(const uint8_t *p, const uint8_t *end, uint32_t *v)
{
    uint64_t sum = 0;
    for (int shift = 0; shift < 35 && p < end; shift += 7) {
        sum |= (uint64_t)(*p & 127) << shift;
        if (!(*p++ & 128)) {
            *v = (uint32_t)sum;
            return sum >> 32 ? NULL : p;
        }
    }
    return NULL;
}

static pp_refusal delta_values(const pp_frame *f, const uint8_t *p, const uint8_t *end,
                               const double *scale, double *const *column)
{
    for (int c = 0; c < f->channels; c++) {
        uint32_t sum = 0, zigzag;
        double factor = scale ? scale[c] : 1;
        for (int s = 0; s < f->samples; s++) {
            p = varint(p, end, &zigzag);
            if (!p)
                return PP_REFUSED_SYNTAX;
            sum += (zigzag >> 1) ^ (0u - (zigzag & 1));
            column[c][s] = factor * (double)(int32_t)sum;
        }
    }
    return p == end ? PP_REFUSED_NOT : PP_REFUSED_COUNT;
}

/* Rows of float32 are the common case: one pass that also looks for values that are not finite. */
static pp_refusal float_values(const pp_frame *f, const uint8_t *p, double *const *column)
{
    size_t step = width(f->encoding);
    double doubt = 0;
    for (int s = 0; s < f->samples; s++)
        for (int c = 0; c < f->channels; c++, p += step) {
            double x = float_at(p, f->encoding);
            column[c][s] = x;
            doubt += x - x;
        }
    return doubt == 0 ? PP_REFUSED_NOT : PP_REFUSED_NUMBER;
}

pp_refusal pp_frame_values(const pp_frame *f, const uint8_t *bytes, size_t length,
                           const double *scale, double *const *column)
{
    const uint8_t *p = bytes + PP_FRAME_HEADER;
    if (f->encoding == PP_DELTA)
        return delta_values(f, p, bytes + length, scale, column);
    if (f->encoding != PP_INT16)
        return float_values(f, p, column);
    for (int s = 0; s < f->samples; s++)
        for (int c = 0; c < f->channels; c++, p += 2)
            column[c][s] = (scale ? scale[c] : 1) * (double)(int16_t)get(p, 2);
    return PP_REFUSED_NOT;
}

static void write_header(const pp_frame *f, uint8_t *out)
{
    out[0] = PP_FRAME_MAGIC, out[1] = PP_FRAME_VERSION, out[2] = (uint8_t)f->encoding,
    out[3] = (uint8_t)f->channels;
    put(out + 4, (uint32_t)f->samples, 2);
    put(out + 6, f->boot, 2);
    put(out + 8, f->seq, 4);
    put(out + 12, f->dt_ns, 4);
    put(out + 16, (uint32_t)(uint64_t)f->time_ns, 4);
    put(out + 20, (uint32_t)((uint64_t)f->time_ns >> 32), 4);
    put(out + 24, f->dropped, 4);
    put(out + 28, f->flags, 2);
    put(out + 30, 0, 2);
}

/* Nearest integer of value/scale; false where it leaves +-limit. */
static bool quantise(double value, double scale, double limit, int32_t *out)
{
    double x = value / scale;
    if (!(x > -limit && x < limit))
        return false;
    *out = (int32_t)(x < 0 ? x - 0.5 : x + 0.5);
    return true;
}

static bool put_float(uint8_t *p, pp_encoding e, double x)
{
    if (x - x != 0)
        return false;
    if (e == PP_FLOAT32) {
        float y = (float)x;
        uint32_t bits;
        memcpy(&bits, &y, 4);
        put(p, bits, 4);
    } else {
        uint64_t bits;
        memcpy(&bits, &x, 8);
        put(p, (uint32_t)bits, 4);
        put(p + 4, (uint32_t)(bits >> 32), 4);
    }
    return true;
}

/* Channel after channel; returns the end, NULL where it does not fit. */
static uint8_t *put_delta(const pp_frame *f, const double *values, const double *scale, uint8_t *p,
                          uint8_t *end)
{
    for (int c = 0; c < f->channels; c++) {
        uint32_t before = 0;
        for (int s = 0; s < f->samples; s++) {
            int32_t v;
            if (end - p < 5 ||
                !quantise(values[s * f->channels + c], scale ? scale[c] : 1, 1073741823, &v))
                return NULL;
            uint32_t d = (uint32_t)v - before, z = (d << 1) ^ (0u - (d >> 31));
            before = (uint32_t)v;
            for (; z > 127; z >>= 7)
                *p++ = (uint8_t)(z | 128);
            *p++ = (uint8_t)z;
        }
    }
    return p;
}

size_t pp_frame_write(const pp_frame *f, const double *values, const double *scale, uint8_t *out,
                      size_t room)
{
    size_t count = (size_t)f->channels * (size_t)f->samples, each = width(f->encoding);
    bool fits = f->channels > 0 && f->channels <= PP_FRAME_CHANNELS_MAX && f->samples > 0 &&
                f->samples < 65536;
    if (!fits || room < PP_FRAME_HEADER + count * each)
        return 0;
    write_header(f, out);
    uint8_t *p = out + PP_FRAME_HEADER;
    if (f->encoding == PP_DELTA) {
        p = put_delta(f, values, scale, p, out + room);
        return p ? (size_t)(p - out) : 0;
    }
    for (size_t i = 0; i < count; i++, p += each) {
        int32_t v;
        if (f->encoding != PP_INT16) {
            if (!put_float(p, f->encoding, values[i]))
                return 0;
        } else if (quantise(values[i], scale ? scale[i % (size_t)f->channels] : 1, 32767.5, &v)) {
            put(p, (uint32_t)v, 2);
        } else {
            return 0;
        }
    }
    return (size_t)(p - out);
}
