/* Sparkplug B payloads (Eclipse Sparkplug 3.0, 6.4; protocol buffers wire format) and packed
 * structs. */
#include <string.h>

#include "decode.h"

/* What is left to read. */
typedef struct span {
    const uint8_t *p, *end;
} span;

/* A variable-length integer, seven bits a byte, the lowest first. */
static inline bool read_varint(span *in, uint64_t *out)
{
    if (in->p < in->end && *in->p < 128) { /* tags, lengths and small numbers: one byte */
        *out = *in->p++;
        return true;
    }
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && in->p < in->end; shift += 7) {
        uint8_t byte = *in->p++;
        value |= (uint64_t)(byte & 127) << shift;
        if (!(byte & 128)) {
            *out = value;
            return true;
        }
    }
    return false;
}

static inline bool read_bytes(span *in, size_t length, const uint8_t **at)
{
    if ((size_t)(in->end - in->p) < length)
        return false;
    *at = in->p;
    in->p += length;
    return true;
}

/* Length-delimited field. */
static inline bool read_part(span *in, span *part)
{
    uint64_t length;
    if (!read_varint(in, &length) || length > (uint64_t)(in->end - in->p))
        return false;
    *part = (span){in->p, in->p + length};
    in->p += length;
    return true;
}

static bool skip_field(span *in, uint64_t tag)
{
    uint64_t value;
    const uint8_t *at;
    span part;
    switch (tag & 7) {
    case 0: return read_varint(in, &value);
    case 1: return read_bytes(in, 8, &at);
    case 2: return read_part(in, &part);
    case 5: return read_bytes(in, 4, &at);
    default: return false;
    }
}

/* Datatypes of Sparkplug whose int or long is signed: Int8, Int16 and Int32 between the first and
 * the last. */
enum { INT_8 = 1, INT_64 = 4 };

typedef struct sparkplug_metric {
    span name;
    uint64_t alias, type, bits;
    double real;
    bool has_alias, whole, valued, null;
} sparkplug_metric;

enum { MILLISECOND = 1000000 }; /* [ns] */

enum { WHOLE_32 = 10, WHOLE_64 = 11, FLOAT_32 = 12, FLOAT_64 = 13, BOOLEAN = 14 };

static bool read_value(span *in, int field, sparkplug_metric *metric)
{
    const uint8_t *at;
    float single;
    metric->valued = true;
    metric->whole = field == WHOLE_32 || field == WHOLE_64 || field == BOOLEAN;
    if (field == FLOAT_32) {
        if (!read_bytes(in, 4, &at))
            return false;
        memcpy(&single, at, 4);
        metric->real = (double)single;
        return true;
    }
    if (field == FLOAT_64) {
        if (!read_bytes(in, 8, &at))
            return false;
        memcpy(&metric->real, at, 8);
        return true;
    }
    return read_varint(in, &metric->bits);
}

static bool read_metric(span in, sparkplug_metric *metric)
{
    uint64_t tag, value;
    while (in.p < in.end) {
        if (!read_varint(&in, &tag))
            return false;
        bool good;
        switch (tag) {
        case 1 << 3 | 2: good = read_part(&in, &metric->name); break;
        case 2 << 3:
            good = read_varint(&in, &metric->alias);
            metric->has_alias = true;
            break;
        case 4 << 3: good = read_varint(&in, &metric->type); break;
        case 7 << 3:
            good = read_varint(&in, &value);
            metric->null = good && value;
            break;
        case WHOLE_32 << 3: good = read_value(&in, WHOLE_32, metric); break;
        case WHOLE_64 << 3: good = read_value(&in, WHOLE_64, metric); break;
        case FLOAT_32 << 3 | 5: good = read_value(&in, FLOAT_32, metric); break;
        case FLOAT_64 << 3 | 1: good = read_value(&in, FLOAT_64, metric); break;
        case BOOLEAN << 3: good = read_value(&in, BOOLEAN, metric); break;
        default: good = skip_field(&in, tag);
        }
        if (!good)
            return false;
    }
    return true;
}

static void teach(pp_decoder *decoder, uint64_t alias, int target)
{
    if (!decoder->taught)
        memcpy(decoder->alias_before, decoder->config.alias, sizeof decoder->alias_before);
    decoder->taught = true;
    decoder->config.alias[alias] = (int16_t)target;
}

/* Target by alias, or by name; a metric with both is a birth and teaches the alias. */
static int target_of(pp_decoder *decoder, const sparkplug_metric *metric)
{
    const pp_stream_config *config = &decoder->config;
    size_t length = (size_t)(metric->name.end - metric->name.p);
    bool has_alias = metric->has_alias && metric->alias < PP_ALIASES_MAX;
    if (!length)
        return has_alias ? config->alias[metric->alias] : PP_TO_NOWHERE;
    int target = PP_TO_NOWHERE;
    for (int k = 0; k < config->key_count && target == PP_TO_NOWHERE; k++)
        if ((size_t)config->keys[k].length == length &&
            memcmp(config->keys[k].name, metric->name.p, length) == 0)
            target = config->keys[k].target;
    if (has_alias && target != PP_TO_NOWHERE)
        teach(decoder, metric->alias, target);
    return target;
}

static double real_of(const sparkplug_metric *metric)
{
    if (metric->null)
        return __builtin_nan("");
    if (!metric->whole)
        return metric->real;
    if (metric->type == INT_64)
        return (double)(int64_t)metric->bits;
    if (metric->type >= INT_8 && metric->type < INT_64)
        return (double)(int32_t)(uint32_t)metric->bits;
    return (double)metric->bits;
}

typedef struct sparkplug_payload {
    int64_t time;      /* in the units of what it came from: metric or payload */
    uint64_t seen;     /* columns given so far, a bit each */
    bool metric_timed; /* the time is a metric's */
} sparkplug_payload;

static pp_refusal store_metric(pp_decoder *decoder, const sparkplug_metric *metric,
                               sparkplug_payload *payload, pp_rows *rows)
{
    int target = target_of(decoder, metric);
    if (target == PP_TO_NOWHERE || (!metric->valued && !metric->null))
        return PP_REFUSED_NOT;
    if (target >= 0) {
        double value = real_of(metric);
        if (!metric->null && value - value != 0)
            return PP_REFUSED_NUMBER;
        if (payload->seen >> target & 1)
            return PP_REFUSED_TWICE;
        payload->seen |= (uint64_t)1 << target;
        rows->column[target][0] = value;
        return PP_REFUSED_NOT;
    }
    if (!metric->whole || metric->bits > INT64_MAX)
        return PP_REFUSED_NUMBER;
    int64_t whole = (int64_t)metric->bits;
    if (target == PP_TO_TIME) {
        payload->time = whole;
        payload->metric_timed = true;
    } else if (target == PP_TO_SEQ) {
        rows->seq = whole;
        rows->seq_bits = 64;
    } else if (target == PP_TO_BOOT) {
        rows->boot = whole;
    }
    return PP_REFUSED_NOT;
}

/* A metric in the form that devices send: alias, datatype, float, each with a number of one byte.
 * False: any other. */
static inline bool store_plain_metric(const pp_stream_config *config, span in,
                                      sparkplug_payload *payload, pp_rows *rows)
{
    const uint8_t *bytes = in.p;
    if (in.end - bytes != 9 || bytes[0] != 2 << 3 || bytes[1] > 127 || bytes[2] != 4 << 3 ||
        bytes[3] > 127 || bytes[4] != (FLOAT_32 << 3 | 5))
        return false;
    int target = config->alias[bytes[1]];
    float value;
    memcpy(&value, bytes + 5, 4);
    if (target < 0 || payload->seen >> target & 1 || value - value != 0)
        return false;
    payload->seen |= (uint64_t)1 << target;
    rows->column[target][0] = (double)value;
    return true;
}

static pp_refusal finish_row(const pp_stream_config *config, const sparkplug_payload *payload,
                             pp_rows *rows)
{
    if (!payload->seen)
        return PP_REFUSED_KEYS;
    for (int channel = 0; channel < config->channels; channel++)
        if (!(payload->seen >> channel & 1))
            rows->column[channel][0] = __builtin_nan("");
    int64_t unit = MILLISECOND; /* of the payload's own stamp */
    if (payload->metric_timed)
        unit = (int64_t)config->time_unit;
    if (__builtin_mul_overflow(payload->time, unit, &rows->time[0]))
        return PP_REFUSED_NUMBER;
    rows->count = 1;
    return PP_REFUSED_NOT;
}

pp_refusal pp_decode_sparkplug(pp_decoder *decoder, const uint8_t *data, size_t length,
                               pp_rows *rows)
{
    const pp_stream_config *config = &decoder->config;
    PP_ASSERT(config->channels >= 1 && config->channels <= PP_STREAM_CHANNELS_MAX);
    span in = {data, data + length};
    span part;
    sparkplug_payload payload = {0};
    uint64_t tag, value;
    if (rows->room < 1)
        return PP_REFUSED_COUNT;
    while (in.p < in.end) {
        if (!read_varint(&in, &tag))
            return PP_REFUSED_SYNTAX;
        if (tag == (2 << 3 | 2)) {
            if (!read_part(&in, &part))
                return PP_REFUSED_SYNTAX;
            if (store_plain_metric(config, part, &payload, rows))
                continue;
            sparkplug_metric metric = {0};
            if (!read_metric(part, &metric))
                return PP_REFUSED_SYNTAX;
            pp_refusal why = store_metric(decoder, &metric, &payload, rows);
            if (why != PP_REFUSED_NOT)
                return why;
        } else if (tag == 1 << 3) {
            if (!read_varint(&in, &value) || value > INT64_MAX)
                return PP_REFUSED_SYNTAX;
            if (!payload.metric_timed)
                payload.time = (int64_t)value;
        } else if (tag == 3 << 3) {
            if (!read_varint(&in, &value))
                return PP_REFUSED_SYNTAX;
            if (rows->seq < 0) {
                rows->seq = (int64_t)(value & 255);
                rows->seq_bits = 8;
            }
        } else if (!skip_field(&in, tag)) {
            return PP_REFUSED_SYNTAX;
        }
    }
    return finish_row(config, &payload, rows);
}

/* An unsigned little-endian field; `other` where the layout has none. */
static uint64_t field_or(pp_field field, const uint8_t *bytes, uint64_t other)
{
    if (field.at < 0)
        return other;
    PP_ASSERT(field.size >= 1 && field.size <= 8);
    uint64_t value = 0;
    memcpy(&value, bytes + field.at,
           (size_t)field.size); /* the build refuses big-endian machines */
    return value;
}

static double value_at(const uint8_t *p, int size, double scale)
{
    if (size == 4) {
        float value;
        memcpy(&value, p, 4);
        return (double)value;
    }
    if (size == 8) {
        double value;
        memcpy(&value, p, 8);
        return value;
    }
    int16_t value;
    memcpy(&value, p, 2);
    return scale * (double)value;
}

enum { STRIP = 64 }; /* rows at a time, so that their bytes stay near */

/* The highest bit is set where a value is infinite or none: its exponent carries into it. */
static inline uint64_t doubt_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, 8);
    return (bits & INT64_MAX) + ((uint64_t)1 << 52);
}

/* Values of one channel, `stride` bytes apart. The size is known where this is inlined. */
static inline uint64_t read_channel(const uint8_t *p, size_t stride, int size, double scale,
                                    int count, double *out)
{
    uint64_t doubt = 0;
    for (int row = 0; row < count; row++, p += stride) {
        double value = value_at(p, size, scale);
        out[row] = value;
        doubt |= doubt_of(value);
    }
    return doubt;
}

static pp_refusal packed_values(const pp_stream_config *config, const uint8_t *p, int count,
                                pp_rows *rows)
{
    int size = config->layout.value;
    size_t stride = (size_t)config->channels * (size_t)size;
    PP_ASSERT(size == 2 || size == 4 || size == 8);
    uint64_t doubt = 0;
    for (int first = 0; first < count; first += STRIP, p += STRIP * stride) {
        int some = count - first < STRIP ? count - first : STRIP;
        for (int channel = 0; channel < config->channels; channel++) {
            const uint8_t *from = p + channel * size;
            double *to = rows->column[channel] + first;
            switch (size) {
            case 4: doubt |= read_channel(from, stride, 4, 1, some, to); break;
            case 8: doubt |= read_channel(from, stride, 8, 1, some, to); break;
            default: doubt |= read_channel(from, stride, 2, config->scale[channel], some, to);
            }
        }
    }
    return doubt >> 63 ? PP_REFUSED_NUMBER : PP_REFUSED_NOT;
}

pp_refusal pp_decode_packed(const pp_stream_config *config, const uint8_t *bytes, size_t length,
                            pp_rows *rows)
{
    const pp_layout *layout = &config->layout;
    PP_ASSERT(config->channels >= 1 && config->channels <= PP_STREAM_CHANNELS_MAX);
    PP_ASSERT(layout->magic_length >= 0 && layout->magic_length <= layout->data);
    if (length < (size_t)layout->data)
        return PP_REFUSED_SHORT;
    if (memcmp(bytes, layout->magic, (size_t)layout->magic_length) != 0)
        return PP_REFUSED_SYNTAX;
    size_t row = (size_t)config->channels * (size_t)layout->value;
    size_t body = length - (size_t)layout->data;
    uint64_t count = field_or(layout->samples, bytes, body / row);
    if (field_or(layout->channels, bytes, (uint64_t)config->channels) !=
            (uint64_t)config->channels ||
        count < 1 || count > (uint64_t)rows->room || body != count * row)
        return PP_REFUSED_COUNT;
    uint64_t seq = field_or(layout->seq, bytes, 0);
    uint64_t step = field_or(layout->step, bytes, 0);
    int64_t first = (int64_t)field_or(layout->time, bytes, 0);
    int64_t unit = (int64_t)config->time_unit;
    int64_t last;
    if (seq > INT64_MAX / 2 || step > INT64_MAX / 4 ||
        __builtin_mul_overflow(first, unit, &first) ||
        __builtin_mul_overflow((int64_t)step, (int64_t)count * unit, &last) ||
        __builtin_add_overflow(first, last, &last))
        return PP_REFUSED_NUMBER;
    if (layout->seq.at >= 0) {
        rows->seq = (int64_t)seq;
        rows->seq_bits = 8 * layout->seq.size;
    }
    for (int64_t i = 0; i < (int64_t)count; i++)
        rows->time[i] = first + i * (int64_t)step * unit;
    rows->count = (int)count;
    return packed_values(config, bytes + layout->data, (int)count, rows);
}
