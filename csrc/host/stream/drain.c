/* What the journal holds becomes the rows that live took, by the same decoder from the same
 * state. */
#include "drain.h"

#include <string.h>

/* Takes over what a description says. The numbers seen so far go on: they reach beyond the process
 * that wrote this. */
static bool take_description(const pp_drain *drain, const pp_record_view *view)
{
    static const pp_sequence nothing = {.next = -1};
    pp_decoder fresh;
    const uint8_t *about;
    size_t length;
    if (pp_decoder_from(view->bytes, view->length, NULL, &fresh, &about, &length))
        return false;
    if (length != drain->about_length || memcmp(about, drain->about, length) != 0)
        return false;
    pp_decoder *decoder = drain->decoder;
    bool fits = decoder->config.channels == fresh.config.channels;
    if (!fits && decoder->config.channels)
        return false;
    decoder->config = fresh.config;
    decoder->memory = fresh.memory;
    if (decoder->sequence.next == nothing.next)
        decoder->sequence = fresh.sequence;
    return true;
}

static void take_message(const pp_drain *drain, const pp_record_view *view, pp_block *block)
{
    pp_rows rows;
    int64_t lost;
    pp_decoder *decoder = drain->decoder;
    rows.time = block->time + block->count;
    for (int channel = 0; channel < decoder->config.channels; channel++)
        rows.column[channel] = block->column[channel] + block->count;
    if (pp_decoder_read(decoder, view->bytes, view->length, &rows) != PP_REFUSED_NOT) {
        block->refused++;
        return;
    }
    rows.again = view->again;
    if (pp_decoder_number(decoder, &rows, &lost) == PP_ORDER_DUPLICATE)
        return;
    int64_t step = decoder->config.seq_per_sample && rows.seq >= 0;
    for (int i = 0; i < rows.count; i++) {
        block->arrival[block->count + i] = view->arrival_ns;
        block->seq[block->count + i] = rows.seq + i * step;
    }
    block->count += rows.count;
}

/* Counts the records that are missing in front of this one. */
static void count_damage(pp_block *block, int64_t *expected, const pp_record_view *view, bool old)
{
    if (!old && *expected >= 0 && view->index > *expected)
        block->damaged += view->index - *expected - 1;
    *expected = (int64_t)view->index + 1;
}

pp_drained pp_drain_rows(const pp_drain *drain, uint64_t *offset, int64_t rows, pp_block *block)
{
    const pp_segment *segment = &drain->segment;
    bool described = segment->old || *offset != 0;
    int64_t expected = *offset ? -1 : 0;
    int64_t until = block->count + rows;
    PP_ASSERT(block->room >= until + PP_ROOM_MAX);
    while (block->count < until) {
        pp_record_view view;
        pp_segment_step step = pp_segment_next(segment, drain->closed, offset, &view);
        if (step == PP_SEGMENT_END)
            return PP_DRAINED_END;
        if (step == PP_SEGMENT_DAMAGE) {
            block->damaged++;
            continue;
        }
        count_damage(block, &expected, &view, segment->old);
        if (view.description) {
            if (!take_description(drain, &view))
                return PP_DRAINED_OTHER;
            described = true;
        } else if (!described) {
            return PP_DRAINED_OTHER;
        } else if (view.number == -1 || view.number == drain->number) {
            take_message(drain, &view, block);
        }
    }
    return PP_DRAINED_ROWS;
}
