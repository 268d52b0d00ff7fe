/* A JSON object of one sample, or of a batch with its rows under one key (RFC 8259; the message is
 * bounded by the size limit, its nesting by DEPTH). */
#include "decode.h"

#include <string.h>

#include "number.h"

enum { DEPTH = 16 };

typedef struct reader {
    const uint8_t *p, *end; /* what is left to read */
    const pp_stream_config *config;
    pp_json_memory *memory; /* of the messages before this one */
    pp_rows *rows;          /* what comes of it */
    int place;              /* of the key within the message */
    uint64_t seen;          /* columns given so far */
    bool has[6];            /* special targets given so far, by -target */
    double time, step;      /* time where it is no whole number; step in its units */
    int64_t time_whole;     /* time where it is one */
    bool time_is_whole;
    pp_refusal why; /* set by what fails first */
} reader;

static bool fail(reader *in, pp_refusal why)
{
    in->why = why;
    return false;
}

static inline void skip_space(reader *in)
{
    while (in->p < in->end && *in->p <= ' ' &&
           (*in->p == ' ' || *in->p == '\n' || *in->p == '\t' || *in->p == '\r'))
        in->p++;
}

static inline bool expect(reader *in, uint8_t byte)
{
    skip_space(in);
    if (in->p >= in->end || *in->p != byte)
        return fail(in, PP_REFUSED_SYNTAX);
    in->p++;
    return true;
}

static inline bool peek(reader *in, uint8_t byte)
{
    skip_space(in);
    return in->p < in->end && *in->p == byte;
}

/* A string; its raw inside in *text and *length. */
static inline bool read_string(reader *in, const uint8_t **text, int *length)
{
    if (!expect(in, '"'))
        return false;
    const uint8_t *p = in->p;
    const uint8_t *end = in->end;
    while (p < end && *p != '"') {
        if (*p < 0x20)
            return fail(in, PP_REFUSED_SYNTAX);
        p += *p == '\\' ? 2 : 1;
    }
    if (p >= end)
        return fail(in, PP_REFUSED_SYNTAX);
    *text = in->p;
    *length = (int)(p - in->p);
    in->p = p + 1;
    return true;
}

static bool match_word(reader *in, const char *text)
{
    size_t length = strlen(text);
    if ((size_t)(in->end - in->p) < length || memcmp(in->p, text, length) != 0)
        return false;
    in->p += length;
    return true;
}

/* What stands where a number was expected. */
static pp_refusal why_no_number(reader *in)
{
    static const char *const odd[] = {"nan", "NaN", "inf", "Inf"}; /* as printf and others write */
    if (in->p >= in->end)
        return PP_REFUSED_SYNTAX;
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
        if (match_word(in, odd[i]))
            return PP_REFUSED_NUMBER;
    if (*in->p == '"' || *in->p == '[' || *in->p == '{')
        return PP_REFUSED_VALUE;
    return pp_number_part(*in->p) ? PP_REFUSED_NUMBER : PP_REFUSED_SYNTAX;
}

/* A number, null (missing: NaN), true or false. */
static inline bool read_scalar(reader *in, double *out)
{
    skip_space(in);
    const uint8_t *p = pp_number(in->p, in->end, out);
    if (p) {
        in->p = p;
        return true;
    }
    if (match_word(in, "null")) {
        *out = __builtin_nan("");
        return true;
    }
    *out = in->p < in->end && *in->p == 't';
    if (match_word(in, "true") || match_word(in, "false"))
        return true;
    return fail(in, why_no_number(in));
}

/* Passes over a scalar or a string. */
static bool skip_leaf(reader *in)
{
    const uint8_t *text;
    int length;
    double value;
    if (peek(in, '"'))
        return read_string(in, &text, &length);
    return read_scalar(in, &value);
}

/* Passes over any value, nested up to DEPTH. */
static bool skip_value(reader *in)
{
    uint8_t close[DEPTH];
    int depth = 0;
    do {
        bool opened = peek(in, '[') || peek(in, '{');
        if (opened) {
            if (depth == DEPTH)
                return fail(in, PP_REFUSED_SYNTAX);
            close[depth++] = *in->p++ == '[' ? ']' : '}';
        } else if (!skip_leaf(in)) {
            return false;
        }
        while (depth > 0 && peek(in, close[depth - 1])) { /* an empty one, or the end of one */
            in->p++;
            depth--;
            opened = false;
        }
        if (depth > 0 && !opened && !expect(in, ','))
            return false;
        if (depth > 0 && close[depth - 1] == '}') {
            const uint8_t *text;
            int length;
            if (!read_string(in, &text, &length) || !expect(in, ':'))
                return false;
        }
    } while (depth > 0);
    return true;
}

static int target_of(const reader *in, const uint8_t *text, int length)
{
    const pp_key *keys = in->config->keys;
    for (int k = 0; k < in->config->key_count; k++)
        if (keys[k].length == length && memcmp(keys[k].name, text, (size_t)length) == 0)
            return keys[k].target;
    return PP_TO_NOWHERE;
}

/* The position behind the key and colon at p, if they are those that came at this place last
 * time. */
static inline const uint8_t *remembered_key(const reader *in, const uint8_t *p, int *target)
{
    if (in->place >= PP_STREAM_CHANNELS_MAX)
        return NULL;
    const pp_json_head *head = &in->memory->head[in->place];
    uint64_t text[2] = {0};
    if (in->end - p >= 16)
        memcpy(text, p, 16);
    else
        memcpy(text, p, (size_t)(in->end - p));
    if (((text[0] ^ head->text[0]) & head->mask[0]) | ((text[1] ^ head->text[1]) & head->mask[1]) ||
        head->width == 0)
        return NULL;
    *target = head->target;
    return p + head->width;
}

static void remember_key(reader *in, const uint8_t *from, int target)
{
    pp_json_head head = {.width = (int16_t)(in->p - from), .target = (int16_t)target};
    if (in->place >= PP_STREAM_CHANNELS_MAX || in->p - from > (int)sizeof head.text)
        return;
    memcpy(head.text, from, (size_t)head.width);
    memset(head.mask, 255, (size_t)head.width);
    in->memory->head[in->place] = head;
}

/* A key and its colon. */
static inline bool read_key(reader *in, int *target)
{
    skip_space(in);
    const uint8_t *from = in->p;
    const uint8_t *behind = remembered_key(in, from, target);
    const uint8_t *text;
    int length;
    if (behind) {
        in->p = behind;
    } else {
        if (!read_string(in, &text, &length) || !expect(in, ':'))
            return false;
        *target = target_of(in, text, length);
        remember_key(in, from, *target);
    }
    in->place++;
    return true;
}

/* As many members as are plain: a channel's number behind a known name, and a comma. */
static inline void read_plain_members(reader *in, double *values)
{
    const uint8_t *p = in->p, *next;
    for (int target;
         (next = remembered_key(in, p, &target)) && target >= 0 && !(in->seen >> target & 1);
         in->place++, p = next + 1) {
        if (in->end - next <= 9)
            break;
        next = pp_short_number(next, &values[target]);
        if (!next || *next != ',')
            break;
        in->seen |= (uint64_t)1 << target;
    }
    in->p = p;
}

/* The position behind a number and its comma; NULL where it is not written so. */
static inline const uint8_t *read_number_comma(const uint8_t *p, const uint8_t *end, double *out)
{
    p = pp_number(p, end, out);
    bool good = p && p < end && *p == ',';
    return good ? p + 1 : NULL;
}

/* Rows of as many numbers as there are channels. */
static bool read_rows(reader *in)
{
    int channels = in->config->channels;
    if (!expect(in, '['))
        return false;
    for (;;) {
        if (!expect(in, '['))
            return false;
        if (in->rows->count == in->rows->room)
            return fail(in, PP_REFUSED_COUNT);
        int channel = 0;
        for (const uint8_t *p = in->p, *next; channel < channels - 1; channel++, in->p = p = next)
            if (!(next =
                      read_number_comma(p, in->end, &in->rows->column[channel][in->rows->count])))
                break;
        for (; channel < channels; channel++) {
            if (!read_scalar(in, &in->rows->column[channel][in->rows->count]))
                return false;
            if (channel < channels - 1 && !expect(in, ','))
                return fail(in, PP_REFUSED_COUNT);
        }
        if (!expect(in, ']'))
            return fail(in, PP_REFUSED_COUNT);
        in->rows->count++;
        if (!peek(in, ','))
            return expect(in, ']');
        in->p++;
    }
}

/* Time: a whole number stays exact, else a double. */
static bool read_time(reader *in)
{
    skip_space(in);
    const uint8_t *p = pp_whole(in->p, in->end, &in->time_whole);
    in->time_is_whole = p != NULL;
    if (!p)
        return read_scalar(in, &in->time);
    in->p = p;
    return true;
}

static bool read_whole(reader *in, int64_t *out)
{
    skip_space(in);
    const uint8_t *p = pp_whole(in->p, in->end, out);
    if (!p || *out < 0)
        return fail(in, PP_REFUSED_NUMBER);
    in->p = p;
    return true;
}

static bool read_special(reader *in, int target)
{
    PP_ASSERT(target < 0 && target >= PP_TO_ROWS);
    if (in->has[-target])
        return fail(in, PP_REFUSED_TWICE);
    in->has[-target] = true;
    switch (target) {
    case PP_TO_TIME: return read_time(in);
    case PP_TO_SEQ: return read_whole(in, &in->rows->seq);
    case PP_TO_BOOT: return read_whole(in, &in->rows->boot);
    case PP_TO_STEP: return read_scalar(in, &in->step);
    default: return read_rows(in);
    }
}

/* One key and its value. */
static inline bool read_member(reader *in, double *values)
{
    int target;
    if (!read_key(in, &target))
        return false;
    if (target >= 0) {
        uint64_t bit = (uint64_t)1 << target;
        if (in->seen & bit)
            return fail(in, PP_REFUSED_TWICE);
        in->seen |= bit;
        return read_scalar(in, &values[target]);
    }
    if (target == PP_TO_NOWHERE)
        return skip_value(in);
    return read_special(in, target);
}

static bool read_object(reader *in, double *values)
{
    if (!peek(in, '{'))
        return skip_value(in) && fail(in, PP_REFUSED_RECORD); /* else: no JSON at all */
    in->p++;
    if (peek(in, '}'))
        return expect(in, '}');
    do {
        read_plain_members(in, values);
        if (!read_member(in, values))
            return false;
        if (!peek(in, ','))
            return expect(in, '}');
        in->p++;
    } while (true);
}

/* Nanoseconds; false where they do not fit. */
static bool to_ns(double value, double unit, int64_t *out)
{
    double ns = value * unit;
    bool fits = ns > -9e18 && ns < 9e18;
    *out = fits ? (int64_t)ns : 0;
    return fits;
}

static bool first_time(const reader *in, int64_t *first)
{
    double unit = in->config->time_unit;
    if (in->time_is_whole)
        return !__builtin_mul_overflow(in->time_whole, (int64_t)unit, first);
    return to_ns(in->time, unit, first);
}

/* From 0 where the message has no time; the last row's fits as well. */
static bool fill_times(reader *in)
{
    double unit = in->config->time_unit;
    int64_t first = 0;
    int64_t step = 0;
    if (in->has[-PP_TO_STEP] && (!to_ns(in->step, unit, &step) || step < 0))
        return fail(in, PP_REFUSED_NUMBER);
    if (in->has[-PP_TO_TIME] && !first_time(in, &first))
        return fail(in, PP_REFUSED_NUMBER);
    if (first > INT64_MAX / 2 || first < INT64_MIN / 2 ||
        step > INT64_MAX / 4 / (in->rows->count + 1))
        return fail(in, PP_REFUSED_NUMBER);
    for (int i = 0; i < in->rows->count; i++)
        in->rows->time[i] = first + i * step;
    return true;
}

/* One sample from an object without rows; channels that it lacks are missing. */
static bool fill_row(reader *in, const double *values)
{
    if (!in->seen || in->rows->room < 1)
        return fail(in, PP_REFUSED_KEYS);
    for (int channel = 0; channel < in->config->channels; channel++)
        in->rows->column[channel][0] =
            (in->seen >> channel) & 1 ? values[channel] : __builtin_nan("");
    in->rows->count = 1;
    in->rows->partial = in->seen != UINT64_MAX >> (64 - in->config->channels);
    return true;
}

pp_refusal pp_decode_json(const pp_stream_config *config, pp_json_memory *memory,
                          const uint8_t *bytes, size_t length, pp_rows *rows)
{
    double values[PP_STREAM_CHANNELS_MAX];
    PP_ASSERT(config->channels >= 1 && config->channels <= PP_STREAM_CHANNELS_MAX);
    PP_ASSERT(rows->count == 0 && config->time_unit >= 1);
    reader in;
    in.p = bytes;
    in.end = bytes + length;
    in.config = config;
    in.memory = memory;
    in.rows = rows;
    in.place = 0;
    in.seen = 0;
    in.why = PP_REFUSED_SYNTAX;
    memset(in.has, 0, sizeof in.has); /* the rest is read only where it was set */
    bool good = read_object(&in, values);
    if (good) {
        skip_space(&in);
        good = in.p == in.end || fail(&in, PP_REFUSED_SYNTAX);
    }
    if (good && in.seen && in.has[-PP_TO_ROWS])
        good = fail(&in, PP_REFUSED_TWICE);
    good = good && (in.has[-PP_TO_ROWS] || fill_row(&in, values)) && fill_times(&in);
    return good ? PP_REFUSED_NOT : in.why;
}
