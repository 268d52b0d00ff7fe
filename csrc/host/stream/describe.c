/* A decoder as bytes: little-endian, field after field, the same on every machine. */
#include <string.h>

#include "polepair/decoder.h"
#include "sequence.h"

/* Where the bytes go to or come from; broken once they do not fit. */
typedef struct cursor {
    uint8_t *out;      /* NULL where it reads */
    const uint8_t *in; /* NULL where it writes */
    size_t left;
    bool broken;
} cursor;

static bool reserve(cursor *at, size_t length)
{
    at->broken = at->broken || at->left < length;
    if (!at->broken)
        at->left -= length;
    return !at->broken;
}

/* Bytes either way. */
static void pass(cursor *at, void *data, size_t length)
{
    if (!reserve(at, length))
        return;
    if (at->out) {
        memcpy(at->out, data, length);
        at->out += length;
    } else {
        memcpy(data, at->in, length);
        at->in += length;
    }
}

/* The build refuses big-endian machines: the bytes of a number are its memory. */
static void pass_long(cursor *at, int64_t *value) { pass(at, value, 8); }

static void pass_double(cursor *at, double *value) { pass(at, value, 8); }

static void pass_int(cursor *at, int *value)
{
    int32_t wire = (int32_t)*value;
    pass(at, &wire, 4);
    *value = wire;
}

/* A count that what follows relies on. */
static void pass_count(cursor *at, int *value, int most)
{
    pass_int(at, value);
    if (*value < 0 || *value > most) {
        at->broken = true;
        *value = 0;
    }
}

static void pass_field(cursor *at, pp_field *field)
{
    pass_int(at, &field->at);
    pass_int(at, &field->size);
}

static void pass_layout(cursor *at, pp_layout *layout)
{
    pass(at, layout->magic, sizeof layout->magic);
    pass_int(at, &layout->magic_length);
    pass_field(at, &layout->time);
    pass_field(at, &layout->seq);
    pass_field(at, &layout->step);
    pass_field(at, &layout->samples);
    pass_field(at, &layout->channels);
    pass_int(at, &layout->data);
    pass_int(at, &layout->value);
}

static void pass_key(cursor *at, pp_key *key)
{
    pass_count(at, &key->length, PP_NAME_MAX - 1);
    pass_int(at, &key->target);
    pass(at, key->name, (size_t)key->length);
}

static void pass_config(cursor *at, pp_stream_config *config)
{
    int format = (int)config->format;
    int per_sample = config->seq_per_sample;
    int64_t limit = (int64_t)config->size_limit;
    pass_count(at, &format, PP_FORMAT_COUNT - 1);
    pass_count(at, &config->channels, PP_STREAM_CHANNELS_MAX);
    pass_int(at, &config->room);
    pass_long(at, &limit);
    pass_count(at, &per_sample, 1);
    pass_double(at, &config->time_unit);
    pass(at, config->scale, 8 * (size_t)config->channels);
    pass_count(at, &config->key_count, PP_KEYS_MAX);
    for (int i = 0; i < config->key_count; i++)
        pass_key(at, &config->keys[i]);
    pass(at, config->alias, sizeof config->alias);
    pass_layout(at, &config->layout);
    config->format = (pp_format)format;
    config->seq_per_sample = per_sample != 0;
    config->size_limit = limit > 0 ? (size_t)limit : 0;
}

static const uint8_t *skip(cursor *at, int length)
{
    const uint8_t *from = at->in;
    if (reserve(at, (size_t)length))
        at->in += length;
    return from;
}

/* Stores of version 2 had the newest marks here; now there are none. */
static void pass_marks(cursor *at, pp_marks *marks)
{
    int count = 0;
    pass_count(at, &count, 2 * PP_RECENT);
    if (at->out)
        return;
    const uint8_t *from = skip(at, 8 * count);
    if (marks && !at->broken)
        pp_marks_learn(marks, from, (size_t)count);
}

static void pass_sequence(cursor *at, pp_sequence *sequence)
{
    pass_long(at, &sequence->next);
    pass_long(at, &sequence->first);
    pass_long(at, &sequence->sure);
    pass_long(at, &sequence->boot);
    pass_long(at, &sequence->time);
    pass_count(at, &sequence->gaps, PP_GAPS_MAX);
    for (int i = 0; i < sequence->gaps; i++) {
        pass_long(at, &sequence->gap_first[i]);
        pass_long(at, &sequence->gap_end[i]);
    }
}

size_t pp_decoder_describe(const pp_decoder *decoder, const void *about, size_t about_length,
                           uint8_t *out, size_t room)
{
    if (about_length > PP_ABOUT_MAX)
        return 0;
    static const char writer[] = PP_VERSION;
    cursor at = {.out = out, .left = room};
    int version = PP_DESCRIPTION_VERSION;
    int writer_length = sizeof writer - 1;
    int length = (int)about_length;
    pass_int(&at, &version);
    pass_int(&at, &writer_length);
    pass(&at, (void *)(uintptr_t)writer, (size_t)writer_length);
    pass_int(&at, &length);
    pass(&at, (void *)(uintptr_t)about, about_length);
    pass_config(&at, (pp_stream_config *)(uintptr_t)&decoder->config); /* it only reads */
    pass_sequence(&at, (pp_sequence *)(uintptr_t)&decoder->sequence);
    pass_marks(&at, NULL);
    return at.broken ? 0 : room - at.left;
}

/* Beyond all numbers that are taken; there is room to add to those below. */
#define FAR_AWAY ((int64_t)3 << 61)

static bool sequence_fits(const pp_sequence *sequence)
{
    bool fits = sequence->next >= -1 && sequence->next < FAR_AWAY && sequence->first >= 0 &&
                sequence->sure >= 0 && sequence->boot >= -1;
    for (int i = 0; i < sequence->gaps; i++)
        fits = fits && sequence->gap_first[i] >= 0 &&
               sequence->gap_first[i] < sequence->gap_end[i] &&
               sequence->gap_end[i] <= sequence->next;
    return fits;
}

const char *pp_decoder_from(const uint8_t *bytes, size_t length, pp_marks *marks,
                            pp_decoder *decoder, const uint8_t **about, size_t *about_length)
{
    memset(decoder, 0, sizeof *decoder);
    decoder->marks = marks;
    pp_sequence_start(&decoder->sequence);
    cursor at = {.in = bytes, .left = length};
    int version = 0;
    int words = 0;
    pass_int(&at, &version);
    if (version != PP_DESCRIPTION_VERSION)
        return "written by another version of polepair";
    pass_count(&at, &words, PP_ABOUT_MAX);
    skip(&at, words); /* of the writer: for people who look at the bytes */
    pass_count(&at, &words, PP_ABOUT_MAX);
    *about_length = (size_t)words;
    *about = skip(&at, words);
    pass_config(&at, &decoder->config);
    pass_sequence(&at, &decoder->sequence);
    pass_marks(&at, marks);
    if (at.broken || at.left)
        return "a description that ends too early or too late";
    if (!sequence_fits(&decoder->sequence))
        return "a description whose numbers do not fit together";
    decoder->config.capacity = 1;
    return pp_config_fault(&decoder->config);
}
