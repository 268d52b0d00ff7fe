/* Sparkplug B payloads (Eclipse Sparkplug 3.0, 6.4; protocol buffers wire format) and packed structs. */
#include <string.h>

#include "decode.h"

typedef struct span {
    const uint8_t *p, *end;
} span;

static inline bool varint(span *s, uint64_t *out)
{
    if (s->p < s->end && *s->p < 128) { /* tags, lengths and small numbers: one byte */
        *out = *s->p++;
        return true;
    }
    uint64_t v = 0;
    for (int shift = 0; shift < 64 && s->p < s->end; shift += 7) {
        uint8_t b = *s->p++;
        v |= (uint64_t)(b & 127) << shift;
        if (!(b & 128)) {
            *out = v;
            return true;
        }
    }
    return false;
}

static inline bool bytes(span *s, size_t n, const uint8_t **at)
{
    if ((size_t)(s->end - s->p) < n)
        return false;
    *at = s->p;
    s->p += n;
    return true;
}

/* Length-delimited field. */
static inline bool inside(span *s, span *part)
{
    uint64_t n;
    if (!varint(s, &n) || n > (uint64_t)(s->end - s->p))
        return false;
    *part = (span){s->p, s->p + n};
    s->p += n;
    return true;
}

static bool skip(span *s, uint64_t tag)
{
    uint64_t v;
    const uint8_t *at;
    span part;
    switch (tag & 7) {
    case 0: return varint(s, &v);
    case 1: return bytes(s, 8, &at);
    case 2: return inside(s, &part);
    case 5: return bytes(s, 4, &at);
    default: return false;
    }
}

/* Datatypes of Sparkplug whose int or long is signed: Int8, Int16, Int32, Int64. */
static bool is_signed(uint64_t type) { return type >= 1 && type <= 4; }

typedef struct metric {
    span name;
    uint64_t alias, type, bits;
    double real;
    bool has_alias, whole, valued, null;
} metric;

enum { WHOLE_32 = 10, WHOLE_64 = 11, FLOAT_32 = 12, FLOAT_64 = 13, BOOLEAN = 14 };

static bool value_field(span *s, int field, metric *m)
{
    const uint8_t *at;
    float single;
    m->valued = true;
    m->whole = field == WHOLE_32 || field == WHOLE_64 || field == BOOLEAN;
    if (field == FLOAT_32) {
        if (!bytes(s, 4, &at))
            return false;
        memcpy(&single, at, 4);
        m->real = (double)single;
        return true;
    }
    if (field == FLOAT_64) {
        if (!bytes(s, 8, &at))
            return false;
        memcpy(&m->real, at, 8);
        return true;
    }
    return varint(s, &m->bits);
}

static bool read_metric(span s, metric *m)
{
    uint64_t tag, v;
    while (s.p < s.end) {
        if (!varint(&s, &tag))
            return false;
        bool good;
        switch (tag) {
        case 1 << 3 | 2: good = inside(&s, &m->name); break;
        case 2 << 3: good = varint(&s, &m->alias), m->has_alias = true; break;
        case 4 << 3: good = varint(&s, &m->type); break;
        case 7 << 3: good = varint(&s, &v), m->null = good && v; break;
        case WHOLE_32 << 3: good = value_field(&s, WHOLE_32, m); break;
        case WHOLE_64 << 3: good = value_field(&s, WHOLE_64, m); break;
        case FLOAT_32 << 3 | 5: good = value_field(&s, FLOAT_32, m); break;
        case FLOAT_64 << 3 | 1: good = value_field(&s, FLOAT_64, m); break;
        case BOOLEAN << 3: good = value_field(&s, BOOLEAN, m); break;
        default: good = skip(&s, tag);
        }
        if (!good)
            return false;
    }
    return true;
}

/* Target by alias, or by name; a metric with both is a birth and teaches the alias. */
static int target_of(pp_stream_config *config, const metric *m)
{
    size_t length = (size_t)(m->name.end - m->name.p);
    if (!length)
        return m->has_alias && m->alias < PP_ALIASES_MAX ? config->alias[m->alias] : PP_TO_NOWHERE;
    int target = PP_TO_NOWHERE;
    for (int k = 0; k < config->key_count && target == PP_TO_NOWHERE; k++)
        if ((size_t)config->keys[k].length == length &&
            memcmp(config->keys[k].name, m->name.p, length) == 0)
            target = config->keys[k].target;
    if (m->has_alias && m->alias < PP_ALIASES_MAX && target != PP_TO_NOWHERE)
        config->alias[m->alias] = (int16_t)target;
    return target;
}

static double real_of(const metric *m)
{
    if (m->null)
        return __builtin_nan("");
    if (!m->whole)
        return m->real;
    if (!is_signed(m->type))
        return (double)m->bits;
    return m->type == 4 ? (double)(int64_t)m->bits : (double)(int32_t)(uint32_t)m->bits;
}

typedef struct payload {
    int64_t time;
    uint64_t seen;
    bool metric_timed;
} payload;

static pp_refusal place(pp_stream_config *config, const metric *m, payload *p, pp_rows *rows)
{
    int target = target_of(config, m);
    if (target == PP_TO_NOWHERE || (!m->valued && !m->null))
        return PP_REFUSED_NOT;
    if (target >= 0) {
        double x = real_of(m);
        if (!m->null && x - x != 0)
            return PP_REFUSED_NUMBER;
        if (p->seen >> target & 1)
            return PP_REFUSED_KEYS;
        p->seen |= (uint64_t)1 << target;
        rows->column[target][0] = x;
        return PP_REFUSED_NOT;
    }
    if (!m->whole || m->bits > INT64_MAX)
        return PP_REFUSED_NUMBER;
    if (target == PP_TO_TIME)
        p->time = (int64_t)m->bits, p->metric_timed = true;
    else if (target == PP_TO_SEQ)
        rows->seq = (int64_t)m->bits, rows->short_seq = false;
    else if (target == PP_TO_BOOT)
        rows->boot = (int64_t)m->bits;
    return PP_REFUSED_NOT;
}

/* A metric in the form that devices send: alias, datatype, float, each with a number of one byte. False: any other. */
static inline bool place_plain(const pp_stream_config *config, span s, payload *p, pp_rows *rows)
{
    const uint8_t *b = s.p;
    if (s.end - b != 9 || b[0] != 2 << 3 || b[1] > 127 || b[2] != 4 << 3 || b[3] > 127 ||
        b[4] != (FLOAT_32 << 3 | 5))
        return false;
    int target = config->alias[b[1]];
    float x;
    memcpy(&x, b + 5, 4);
    if (target < 0 || p->seen >> target & 1 || x - x != 0)
        return false;
    p->seen |= (uint64_t)1 << target;
    rows->column[target][0] = (double)x;
    return true;
}

static pp_refusal finish(const pp_stream_config *config, const payload *p, pp_rows *rows)
{
    if (!p->seen)
        return PP_REFUSED_KEYS;
    for (int c = 0; c < config->channels; c++)
        if (!(p->seen >> c & 1))
            rows->column[c][0] = __builtin_nan("");
    int64_t unit = p->metric_timed ? (int64_t)config->time_unit
                                   : 1000000; /* the payload's own stamp is in ms */
    if (__builtin_mul_overflow(p->time, unit, &rows->time[0]))
        return PP_REFUSED_NUMBER;
    rows->count = 1;
    return PP_REFUSED_NOT;
}

pp_refusal pp_decode_sparkplug(pp_stream_config *config, const uint8_t *data, size_t length,
                               pp_rows *rows)
{
    span s = {data, data + length}, part;
    payload p = {0};
    uint64_t tag, v;
    if (rows->room < 1)
        return PP_REFUSED_COUNT;
    while (s.p < s.end) {
        if (!varint(&s, &tag))
            return PP_REFUSED_SYNTAX;
        if (tag == (2 << 3 | 2)) {
            if (!inside(&s, &part))
                return PP_REFUSED_SYNTAX;
            if (place_plain(config, part, &p, rows))
                continue;
            metric m = {0};
            if (!read_metric(part, &m))
                return PP_REFUSED_SYNTAX;
            pp_refusal why = place(config, &m, &p, rows);
            if (why != PP_REFUSED_NOT)
                return why;
        } else if (tag == 1 << 3) {
            if (!varint(&s, &v) || v > INT64_MAX)
                return PP_REFUSED_SYNTAX;
            if (!p.metric_timed)
                p.time = (int64_t)v;
        } else if (tag == 3 << 3) {
            if (!varint(&s, &v))
                return PP_REFUSED_SYNTAX;
            if (rows->seq < 0)
                rows->seq = (int64_t)(v & 255), rows->short_seq = true;
        } else if (!skip(&s, tag)) {
            return PP_REFUSED_SYNTAX;
        }
    }
    return finish(config, &p, rows);
}

/* An unsigned little-endian field; `other` where the layout has none. */
static uint64_t field(pp_field f, const uint8_t *b, uint64_t other)
{
    if (f.at < 0)
        return other;
    uint64_t v = 0;
    memcpy(&v, b + f.at, (size_t)f.size); /* the build refuses big-endian machines */
    return v;
}

static double value_at(const uint8_t *p, int size, double scale)
{
    if (size == 4) {
        float x;
        memcpy(&x, p, 4);
        return (double)x;
    }
    if (size == 8) {
        double x;
        memcpy(&x, p, 8);
        return x;
    }
    int16_t x;
    memcpy(&x, p, 2);
    return scale * (double)x;
}

static pp_refusal packed_values(const pp_stream_config *config, const uint8_t *p, int count,
                                pp_rows *rows)
{
    int channels = config->channels, size = config->layout.value;
    double doubt = 0;
    if (size == 4) /* the common case, kept apart so that its loop is tight */
        for (int s = 0; s < count; s++)
            for (int c = 0; c < channels; c++, p += 4) {
                double x = value_at(p, 4, 1);
                rows->column[c][s] = x;
                doubt += x - x;
            }
    else
        for (int s = 0; s < count; s++)
            for (int c = 0; c < channels; c++, p += size) {
                double x = value_at(p, size, config->scale[c]);
                rows->column[c][s] = x;
                doubt += x - x;
            }
    return doubt == 0 ? PP_REFUSED_NOT : PP_REFUSED_NUMBER;
}

pp_refusal pp_decode_packed(const pp_stream_config *config, const uint8_t *b, size_t length,
                            pp_rows *rows)
{
    const pp_layout *l = &config->layout;
    if (length < (size_t)l->data)
        return PP_REFUSED_SIZE;
    if (memcmp(b, l->magic, (size_t)l->magic_length) != 0)
        return PP_REFUSED_SYNTAX;
    size_t row = (size_t)config->channels * (size_t)l->value, body = length - (size_t)l->data;
    uint64_t count = field(l->samples, b, body / row);
    if (field(l->channels, b, (uint64_t)config->channels) != (uint64_t)config->channels ||
        count < 1 || count > (uint64_t)rows->room || body != count * row)
        return PP_REFUSED_COUNT;
    uint64_t seq = field(l->seq, b, 0), step = field(l->step, b, 0);
    int64_t first = (int64_t)field(l->time, b, 0), unit = (int64_t)config->time_unit, last;
    if (seq > INT64_MAX / 2 || step > INT64_MAX / 4 ||
        __builtin_mul_overflow(first, unit, &first) ||
        __builtin_mul_overflow((int64_t)step, (int64_t)count * unit, &last) ||
        __builtin_add_overflow(first, last, &last))
        return PP_REFUSED_NUMBER;
    if (l->seq.at >= 0)
        rows->seq = (int64_t)seq;
    for (int64_t i = 0; i < (int64_t)count; i++)
        rows->time[i] = first + i * (int64_t)step * unit;
    rows->count = (int)count;
    return packed_values(config, b + l->data, (int)count, rows);
}
