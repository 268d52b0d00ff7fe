/* One message into rows, by its format, and its number: all that happens to a message between wire
 * and columns, whoever asks. */
#include "polepair/decoder.h"

#include <string.h>

#include "decode.h"
#include "sequence.h"

/* Times and numbers beyond are refused: there is room to add to those within. */
#define FAR_AWAY ((int64_t)1 << 62)

void pp_decoder_start(pp_decoder *decoder, const pp_stream_config *config, pp_marks *marks)
{
    PP_ASSERT(!pp_config_fault(config));
    memset(decoder, 0, sizeof *decoder);
    decoder->config = *config;
    decoder->marks = marks;
    pp_sequence_start(&decoder->sequence);
}

static pp_refusal decode_frame(const pp_stream_config *config, const uint8_t *bytes, size_t length,
                               pp_rows *rows)
{
    pp_frame frame;
    pp_refusal why = pp_frame_read(bytes, length, &frame);
    if (why != PP_REFUSED_NOT)
        return why;
    if (frame.channels != config->channels || frame.samples > rows->room)
        return PP_REFUSED_COUNT;
    if (frame.time_ns >= FAR_AWAY || frame.time_ns <= -FAR_AWAY)
        return PP_REFUSED_NUMBER;
    for (int i = 0; i < frame.samples; i++)
        rows->time[i] = frame.time_ns + (int64_t)frame.dt_ns * i;
    rows->count = frame.samples;
    rows->seq = frame.seq;
    rows->seq_bits = 32;
    rows->boot = frame.boot;
    rows->dropped = frame.dropped;
    return pp_frame_values(&frame, bytes, length, config->scale, rows->column);
}

static pp_refusal decode(pp_decoder *decoder, const uint8_t *bytes, size_t length, pp_rows *rows)
{
    const pp_stream_config *config = &decoder->config;
    switch (config->format) {
    case PP_FORMAT_JSON: return pp_decode_json(config, &decoder->memory, bytes, length, rows);
    case PP_FORMAT_SPARKPLUG: return pp_decode_sparkplug(decoder, bytes, length, rows);
    case PP_FORMAT_PACKED: return pp_decode_packed(config, bytes, length, rows);
    default: return decode_frame(config, bytes, length, rows);
    }
}

static uint64_t word_at(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, 8);
    return word;
}

/* An odd number with its bits well mixed: 2^64 over the golden ratio. */
#define GOLDEN 0x9e3779b97f4a7c15

static inline uint64_t stirred(uint64_t lane, uint64_t word)
{
    lane = (lane ^ word) * GOLDEN;
    return lane ^ lane >> 32;
}

/* Both halves of the product of 16 bytes. */
static inline uint64_t folded(uint64_t lane, const uint8_t *bytes)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)(lane ^ word_at(bytes)) * (GOLDEN ^ word_at(bytes + 8));
    return lane ^ (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* A number of a message's bytes, all of them: it tells messages apart that came under one number
 * and time, but for chance. Four lanes, so that the processor need not wait; the last 16 bytes may
 * count twice. */
static uint64_t content_of(const uint8_t *bytes, size_t length)
{
    uint64_t lane[4] = {length, 1, 2, 3};
    uint8_t few[16] = {0};
    size_t at = 0;
    if (length < sizeof few) {
        memcpy(few, bytes, length);
        return folded(length, few);
    }
    for (; length - at >= 64; at += 64)
        for (int k = 0; k < 4; k++)
            lane[k] = folded(lane[k], bytes + at + 16 * k);
    for (int k = 0; length - at >= 16; at += 16, k++)
        lane[k] = folded(lane[k], bytes + at);
    lane[3] = folded(lane[3], bytes + length - 16);
    return stirred(stirred(lane[0], lane[1]), stirred(lane[2], lane[3]));
}

static bool within_reach(const pp_rows *rows)
{
    int64_t first = rows->time[0];
    int64_t last = rows->time[rows->count - 1];
    return first > -FAR_AWAY && last < FAR_AWAY && rows->seq < FAR_AWAY;
}

pp_refusal pp_decoder_read(pp_decoder *decoder, const uint8_t *bytes, size_t length, pp_rows *rows)
{
    rows->room = decoder->config.room;
    rows->count = 0;
    rows->seq = -1;
    rows->seq_bits = 64;
    rows->boot = -1;
    rows->dropped = 0;
    rows->again = false;
    rows->partial = false;
    decoder->taught = false;
    if (length == 0)
        return PP_REFUSED_SHORT;
    if (length > decoder->config.size_limit)
        return PP_REFUSED_LARGE;
    pp_refusal why = decode(decoder, bytes, length, rows);
    if (why == PP_REFUSED_NOT && !within_reach(rows))
        why = PP_REFUSED_NUMBER;
    if (why != PP_REFUSED_NOT)
        pp_decoder_forget(decoder);
    else if (rows->seq >= 0)
        decoder->content = content_of(bytes, length);
    return why;
}

void pp_decoder_forget(pp_decoder *decoder)
{
    if (decoder->taught)
        memcpy(decoder->config.alias, decoder->alias_before, sizeof decoder->alias_before);
    decoder->taught = false;
}

pp_order pp_decoder_number(pp_decoder *decoder, pp_rows *rows, int64_t *lost)
{
    *lost = 0;
    if (rows->seq < 0)
        return PP_ORDER_NEW;
    pp_numbers message = {.seq = rows->seq,
                          .bits = rows->seq_bits,
                          .count = decoder->config.seq_per_sample ? rows->count : 1,
                          .time_ns = rows->time[0],
                          .boot = rows->boot,
                          .again = rows->again,
                          .content = decoder->content};
    pp_order order = pp_sequence_take(&decoder->sequence, decoder->marks, &message, lost);
    rows->seq = message.seq;
    if (order == PP_ORDER_DUPLICATE)
        pp_decoder_forget(decoder); /* an old birth: a newer one may have come since */
    return order;
}

void pp_decoder_learn_aliases(pp_decoder *decoder, const pp_decoder *from)
{
    if (decoder->config.format != PP_FORMAT_SPARKPLUG || from->config.format != PP_FORMAT_SPARKPLUG)
        return;
    for (int i = 0; i < PP_ALIASES_MAX; i++) {
        int target = from->config.alias[i];
        if (decoder->config.alias[i] == PP_TO_NOWHERE && target < decoder->config.channels)
            decoder->config.alias[i] = (int16_t)target;
    }
}

void pp_decoder_learn(pp_decoder *decoder, const pp_decoder *from)
{
    pp_decoder_learn_aliases(decoder, from);
    if (decoder->sequence.next < 0)
        decoder->sequence = from->sequence;
}
