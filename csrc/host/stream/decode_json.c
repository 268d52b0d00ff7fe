/* A JSON object of one sample, or of a batch with its rows under one key (RFC 8259; the message is bounded by the size
 * limit, its nesting by DEPTH). */
#include "decode.h"

#include <string.h>

#include "number.h"

enum { DEPTH = 16 };

typedef struct reader {
    const uint8_t *p, *end;
    const pp_stream_config *config;
    pp_json_memory *memory;
    pp_rows *rows;
    int place;         /* of the key within the message */
    uint64_t seen;     /* columns given so far */
    bool has[6];       /* special targets given so far, by -target */
    double time, step; /* time where it is no whole number; step in its units */
    int64_t time_whole;
    bool time_is_whole;
    pp_refusal why;
} reader;

static bool fail(reader *r, pp_refusal why)
{
    r->why = why;
    return false;
}

static inline void space(reader *r)
{
    while (r->p < r->end && *r->p <= ' ' &&
           (*r->p == ' ' || *r->p == '\n' || *r->p == '\t' || *r->p == '\r'))
        r->p++;
}

static inline bool take(reader *r, uint8_t c)
{
    space(r);
    if (r->p >= r->end || *r->p != c)
        return fail(r, PP_REFUSED_SYNTAX);
    r->p++;
    return true;
}

static inline bool peek(reader *r, uint8_t c)
{
    space(r);
    return r->p < r->end && *r->p == c;
}

/* A string; its raw inside in *text and *length. */
static inline bool string(reader *r, const uint8_t **text, int *length)
{
    if (!take(r, '"'))
        return false;
    const uint8_t *p = r->p, *end = r->end;
    while (p < end && *p != '"') {
        if (*p < 0x20)
            return fail(r, PP_REFUSED_SYNTAX);
        p += *p == '\\' ? 2 : 1;
    }
    if (p >= end)
        return fail(r, PP_REFUSED_SYNTAX);
    *text = r->p;
    *length = (int)(p - r->p);
    r->p = p + 1;
    return true;
}

static bool word(reader *r, const char *text)
{
    size_t n = strlen(text);
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, text, n) != 0)
        return false;
    r->p += n;
    return true;
}

/* A number, null (missing: NaN), true or false. */
static inline bool scalar(reader *r, double *out)
{
    space(r);
    const uint8_t *p = pp_number(r->p, r->end, out);
    if (p) {
        r->p = p;
        return true;
    }
    if (word(r, "null")) {
        *out = __builtin_nan("");
        return true;
    }
    *out = r->p < r->end && *r->p == 't';
    return word(r, "true") || word(r, "false") ||
           fail(r, r->p < r->end && pp_number_part(*r->p) ? PP_REFUSED_NUMBER : PP_REFUSED_SYNTAX);
}

/* Passes over a scalar or a string. */
static bool skip_plain(reader *r)
{
    const uint8_t *text;
    int length;
    double x;
    return peek(r, '"') ? string(r, &text, &length) : scalar(r, &x);
}

/* Passes over any value, nested up to DEPTH. */
static bool skip(reader *r)
{
    uint8_t close[DEPTH];
    int depth = 0;
    do {
        bool opened = peek(r, '[') || peek(r, '{');
        if (opened) {
            if (depth == DEPTH)
                return fail(r, PP_REFUSED_SYNTAX);
            close[depth++] = *r->p++ == '[' ? ']' : '}';
        } else if (!skip_plain(r)) {
            return false;
        }
        while (depth > 0 && peek(r, close[depth - 1])) { /* an empty one, or the end of one */
            r->p++;
            depth--;
            opened = false;
        }
        if (depth > 0 && !opened && !take(r, ','))
            return false;
        if (depth > 0 && close[depth - 1] == '}') {
            const uint8_t *text;
            int length;
            if (!string(r, &text, &length) || !take(r, ':'))
                return false;
        }
    } while (depth > 0);
    return true;
}

static int target_of(const reader *r, const uint8_t *text, int length)
{
    const pp_key *keys = r->config->keys;
    for (int k = 0; k < r->config->key_count; k++)
        if (keys[k].length == length && memcmp(keys[k].name, text, (size_t)length) == 0)
            return keys[k].target;
    return PP_TO_NOWHERE;
}

/* The position behind the key and colon at p, if they are those that came at this place last time. */
static inline const uint8_t *known(const reader *r, const uint8_t *p, int *target)
{
    if (r->place >= PP_STREAM_CHANNELS_MAX)
        return NULL;
    const pp_json_head *h = &r->memory->head[r->place];
    uint64_t text[2] = {0};
    if (r->end - p >= 16)
        memcpy(text, p, 16);
    else
        memcpy(text, p, (size_t)(r->end - p));
    if (((text[0] ^ h->text[0]) & h->mask[0]) | ((text[1] ^ h->text[1]) & h->mask[1]) ||
        h->width == 0)
        return NULL;
    *target = h->target;
    return p + h->width;
}

static void learn(reader *r, const uint8_t *from, int target)
{
    pp_json_head h = {{0}, {0}, (int16_t)(r->p - from), (int16_t)target};
    if (r->place >= PP_STREAM_CHANNELS_MAX || r->p - from > (int)sizeof h.text)
        return;
    memcpy(h.text, from, (size_t)h.width);
    memset(h.mask, 255, (size_t)h.width);
    r->memory->head[r->place] = h;
}

/* A key and its colon. */
static inline bool name(reader *r, int *target)
{
    space(r);
    const uint8_t *from = r->p, *text, *behind = known(r, from, target);
    int length;
    if (behind) {
        r->p = behind;
    } else {
        if (!string(r, &text, &length) || !take(r, ':'))
            return false;
        *target = target_of(r, text, length);
        learn(r, from, *target);
    }
    r->place++;
    return true;
}

/* As many members as are plain: a channel's number behind a known name, and a comma. */
static inline void plain_members(reader *r, double *values)
{
    const uint8_t *p = r->p, *next;
    for (int target; (next = known(r, p, &target)) && target >= 0 && !(r->seen >> target & 1);
         r->place++, p = next + 1) {
        next = r->end - next > 9 ? pp_short_number(next, &values[target]) : NULL;
        if (!next || *next != ',')
            break;
        r->seen |= (uint64_t)1 << target;
    }
    r->p = p;
}

/* The position behind a number and its comma; NULL where it is not written so. */
static inline const uint8_t *number_comma(const uint8_t *p, const uint8_t *end, double *out)
{
    p = pp_number(p, end, out);
    return p && p < end && *p == ',' ? p + 1 : NULL;
}

/* Rows of as many numbers as there are channels. */
static bool batch(reader *r)
{
    int channels = r->config->channels;
    if (!take(r, '['))
        return false;
    for (;;) {
        if (!take(r, '['))
            return false;
        if (r->rows->count == r->rows->room)
            return fail(r, PP_REFUSED_COUNT);
        int c = 0;
        for (const uint8_t *p = r->p, *next; c < channels - 1; c++, r->p = p = next)
            if (!(next = number_comma(p, r->end, &r->rows->column[c][r->rows->count])))
                break;
        for (; c < channels; c++) {
            if (!scalar(r, &r->rows->column[c][r->rows->count]))
                return false;
            if (c < channels - 1 && !take(r, ','))
                return fail(r, PP_REFUSED_COUNT);
        }
        if (!take(r, ']'))
            return fail(r, PP_REFUSED_COUNT);
        r->rows->count++;
        if (!peek(r, ','))
            return take(r, ']');
        r->p++;
    }
}

/* Time: a whole number stays exact, else a double. */
static bool time_value(reader *r)
{
    space(r);
    const uint8_t *p = pp_whole(r->p, r->end, &r->time_whole);
    r->time_is_whole = p != NULL;
    if (!p)
        return scalar(r, &r->time);
    r->p = p;
    return true;
}

static bool whole(reader *r, int64_t *out)
{
    space(r);
    const uint8_t *p = pp_whole(r->p, r->end, out);
    if (!p || *out < 0)
        return fail(r, PP_REFUSED_NUMBER);
    r->p = p;
    return true;
}

static bool special(reader *r, int target)
{
    if (r->has[-target])
        return fail(r, PP_REFUSED_KEYS);
    r->has[-target] = true;
    switch (target) {
    case PP_TO_TIME: return time_value(r);
    case PP_TO_SEQ: return whole(r, &r->rows->seq);
    case PP_TO_BOOT: return whole(r, &r->rows->boot);
    case PP_TO_STEP: return scalar(r, &r->step);
    default: return batch(r);
    }
}

/* One key and its value. */
static inline bool member(reader *r, double *values)
{
    int target;
    if (!name(r, &target))
        return false;
    if (target >= 0) {
        uint64_t bit = (uint64_t)1 << target;
        if (r->seen & bit)
            return fail(r, PP_REFUSED_KEYS);
        r->seen |= bit;
        return scalar(r, &values[target]);
    }
    return target == PP_TO_NOWHERE ? skip(r) : special(r, target);
}

static bool members(reader *r, double *values)
{
    if (!take(r, '{'))
        return false;
    do {
        plain_members(r, values);
        if (!member(r, values))
            return false;
        if (!peek(r, ','))
            return take(r, '}');
        r->p++;
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

static bool times(reader *r)
{
    double unit = r->config->time_unit;
    int64_t first = 0, step = 0;
    if (r->has[-PP_TO_STEP] && (!to_ns(r->step, unit, &step) || step < 0))
        return fail(r, PP_REFUSED_NUMBER);
    if (r->has[-PP_TO_TIME]) {
        int64_t scale = (int64_t)unit;
        bool fits = r->time_is_whole ? !__builtin_mul_overflow(r->time_whole, scale, &first)
                                     : to_ns(r->time, unit, &first);
        if (!fits || first > INT64_MAX / 2 || first < INT64_MIN / 2 ||
            step > INT64_MAX / 4 / (r->rows->count + 1))
            return fail(r, PP_REFUSED_NUMBER);
    }
    for (int i = 0; i < r->rows->count; i++)
        r->rows->time[i] = first + i * step;
    return true;
}

/* One sample from an object without rows; channels that it lacks are missing. */
static bool single(reader *r, const double *values)
{
    if (!r->seen || r->rows->room < 1)
        return fail(r, PP_REFUSED_KEYS);
    for (int c = 0; c < r->config->channels; c++)
        r->rows->column[c][0] = (r->seen >> c) & 1 ? values[c] : __builtin_nan("");
    r->rows->count = 1;
    return true;
}

pp_refusal pp_decode_json(const pp_stream_config *config, pp_json_memory *memory,
                          const uint8_t *bytes, size_t length, pp_rows *rows)
{
    double values[PP_STREAM_CHANNELS_MAX];
    reader r;
    r.p = bytes, r.end = bytes + length, r.config = config, r.memory = memory, r.rows = rows;
    r.place = 0, r.seen = 0, r.why = PP_REFUSED_SYNTAX;
    memset(r.has, 0, sizeof r.has);
    bool good = members(&r, values);
    if (good) {
        space(&r);
        good = r.p == r.end || fail(&r, PP_REFUSED_SYNTAX);
    }
    if (good && r.seen && r.has[-PP_TO_ROWS])
        good = fail(&r, PP_REFUSED_KEYS);
    good = good && (r.has[-PP_TO_ROWS] || single(&r, values)) && times(&r);
    return good ? PP_REFUSED_NOT : r.why;
}
