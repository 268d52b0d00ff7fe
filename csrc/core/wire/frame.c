/* The binary batch: header and four encodings. Bytes are assembled one by one: no alignment, no
 * byte order assumed. */
#include "polepair/frame.h"

#include <string.h>

static uint32_t get(const uint8_t *p, int bytes)
{
    PP_ASSERT(bytes >= 1 && bytes <= 4);
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
static size_t width(pp_encoding encoding)
{
    switch (encoding) {
    case PP_FLOAT32: return 4;
    case PP_INT16: return 2;
    case PP_FLOAT64: return 8;
    case PP_DELTA:
    case PP_ENCODING_COUNT: break;
    }
    return 0;
}

static double factor_of(const double *scale, int channel) { return scale ? scale[channel] : 1; }

/* Whether that many values take that many bytes; a varint takes 1 to 5. */
static bool length_fits(const pp_frame *f, size_t body)
{
    const size_t values = (size_t)f->channels * (size_t)f->samples;
    const size_t each = width(f->encoding);
    if (values == 0 || f->channels > PP_FRAME_CHANNELS_MAX)
        return false;
    if (each)
        return body == values * each;
    return body >= values && body <= 5 * values;
}

pp_refusal pp_frame_read(const uint8_t *b, size_t length, pp_frame *frame)
{
    if (length < PP_FRAME_HEADER)
        return PP_REFUSED_SHORT;
    if (b[0] != PP_FRAME_MAGIC)
        return PP_REFUSED_SYNTAX;
    if (b[1] != PP_FRAME_VERSION || b[2] >= PP_ENCODING_COUNT)
        return PP_REFUSED_VERSION;
    const pp_frame f = {
        .encoding = (pp_encoding)b[2],
        .channels = b[3],
        .samples = (int)get(b + 4, 2),
        .boot = (uint16_t)get(b + 6, 2),
        .flags = (uint16_t)get(b + 28, 2),
        .seq = get(b + 8, 4),
        .dropped = get(b + 24, 4),
        .dt_ns = get(b + 12, 4),
        .time_ns = (int64_t)((uint64_t)get(b + 16, 4) | (uint64_t)get(b + 20, 4) << 32),
    };
    if (!length_fits(&f, length - PP_FRAME_HEADER))
        return PP_REFUSED_COUNT;
    *frame = f;
    return PP_REFUSED_NOT;
}

static double float_at(const uint8_t *p, pp_encoding encoding)
{
    if (encoding == PP_FLOAT32) {
        const uint32_t bits = get(p, 4);
        float value;
        memcpy(&value, &bits, 4);
        return (double)value;
    }
    const uint64_t bits = (uint64_t)get(p, 4) | (uint64_t)get(p + 4, 4) << 32;
    double value;
    memcpy(&value, &bits, 8);
    return value;
}

/* A varint of at most 5 bytes into *value; the position behind it, NULL where it does not end. */
static const uint8_t *varint(const uint8_t *p, const uint8_t *end, uint32_t *value)
{
    uint64_t sum = 0;
    for (int shift = 0; shift < 35 && p < end; shift += 7) {
        sum |= (uint64_t)(*p & 127) << shift;
        if (!(*p++ & 128)) {
            *value = (uint32_t)sum;
            return sum >> 32 ? NULL : p;
        }
    }
    return NULL;
}

static pp_refusal delta_values(const pp_frame *f, const uint8_t *p, const uint8_t *end,
                               const double *scale, double *const *column)
{
    for (int c = 0; c < f->channels; c++) {
        const double factor = factor_of(scale, c);
        uint32_t sum = 0;
        for (int s = 0; s < f->samples; s++) {
            uint32_t zigzag;
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
            const double value = float_at(p, f->encoding);
            column[c][s] = value;
            doubt += value - value;
        }
    return doubt == 0 ? PP_REFUSED_NOT : PP_REFUSED_NUMBER;
}

pp_refusal pp_frame_values(const pp_frame *f, const uint8_t *bytes, size_t length,
                           const double *scale, double *const *column)
{
    PP_ASSERT(f->encoding < PP_ENCODING_COUNT && f->channels <= PP_FRAME_CHANNELS_MAX);
    PP_ASSERT(f->encoding == PP_DELTA || length_fits(f, length - PP_FRAME_HEADER));
    const uint8_t *p = bytes + PP_FRAME_HEADER;
    if (f->encoding == PP_DELTA)
        return delta_values(f, p, bytes + length, scale, column);
    if (f->encoding != PP_INT16)
        return float_values(f, p, column);
    for (int s = 0; s < f->samples; s++)
        for (int c = 0; c < f->channels; c++, p += 2)
            column[c][s] = factor_of(scale, c) * (double)(int16_t)get(p, 2);
    return PP_REFUSED_NOT;
}

static void write_header(const pp_frame *f, uint8_t *out)
{
    out[0] = PP_FRAME_MAGIC;
    out[1] = PP_FRAME_VERSION;
    out[2] = (uint8_t)f->encoding;
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
    const double steps = value / scale;
    if (!(steps > -limit && steps < limit))
        return false;
    *out = (int32_t)(steps < 0 ? steps - 0.5 : steps + 0.5);
    return true;
}

/* False where the value is not finite. */
static bool put_float(uint8_t *p, pp_encoding encoding, double value)
{
    if (value - value != 0)
        return false;
    if (encoding == PP_FLOAT32) {
        const float single = (float)value;
        uint32_t bits;
        memcpy(&bits, &single, 4);
        put(p, bits, 4);
    } else {
        uint64_t bits;
        memcpy(&bits, &value, 8);
        put(p, (uint32_t)bits, 4);
        put(p + 4, (uint32_t)(bits >> 32), 4);
    }
    return true;
}

/* A difference as zigzag varint, at most 5 bytes; the position behind it. */
static uint8_t *put_varint(uint8_t *p, uint32_t difference)
{
    uint32_t zigzag = (difference << 1) ^ (0u - (difference >> 31));
    for (; zigzag > 127; zigzag >>= 7)
        *p++ = (uint8_t)(zigzag | 128);
    *p++ = (uint8_t)zigzag;
    return p;
}

/* Channel after channel; returns the end, NULL where it does not fit. */
static uint8_t *put_delta(const pp_frame *f, const double *values, const double *scale, uint8_t *p,
                          uint8_t *end)
{
    for (int c = 0; c < f->channels; c++) {
        uint32_t before = 0;
        for (int s = 0; s < f->samples; s++) {
            const double value = values[s * f->channels + c];
            int32_t whole;
            if (end - p < 5 || !quantise(value, factor_of(scale, c), 1073741823.5, &whole))
                return NULL;
            p = put_varint(p, (uint32_t)whole - before);
            before = (uint32_t)whole;
        }
    }
    return p;
}

/* Rows of values of one width; returns the end, NULL where a value does not fit. */
static uint8_t *put_rows(const pp_frame *f, const double *values, const double *scale, uint8_t *p)
{
    const size_t channels = (size_t)f->channels;
    const size_t count = channels * (size_t)f->samples;
    const size_t each = width(f->encoding);
    for (size_t i = 0; i < count; i++, p += each) {
        if (f->encoding != PP_INT16) {
            if (!put_float(p, f->encoding, values[i]))
                return NULL;
            continue;
        }
        int32_t whole;
        if (!quantise(values[i], factor_of(scale, (int)(i % channels)), 32767.5, &whole))
            return NULL;
        put(p, (uint32_t)whole, 2);
    }
    return p;
}

size_t pp_frame_write(const pp_frame *f, const double *values, const double *scale, uint8_t *out,
                      size_t room)
{
    PP_ASSERT(f->encoding < PP_ENCODING_COUNT);
    const bool counts = f->channels > 0 && f->channels <= PP_FRAME_CHANNELS_MAX && f->samples > 0 &&
                        f->samples < 65536;
    if (!counts)
        return 0;
    const size_t count = (size_t)f->channels * (size_t)f->samples;
    if (room < PP_FRAME_HEADER + count * width(f->encoding))
        return 0;
    write_header(f, out);
    uint8_t *body = out + PP_FRAME_HEADER;
    uint8_t *end;
    if (f->encoding == PP_DELTA)
        end = put_delta(f, values, scale, body, out + room);
    else
        end = put_rows(f, values, scale, body);
    return end ? (size_t)(end - out) : 0;
}
