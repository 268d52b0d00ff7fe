/* Which sequence numbers came: losses, duplicates, late ones, restarts of the device. */
#include "sequence.h"

#include <string.h>

/* A number that low is a fresh start when it is far behind. */
enum { FRESH = 1024 };

static void add_gap(pp_sequence *sequence, int64_t first, int64_t end)
{
    PP_ASSERT(first < end && sequence->gaps >= 0 && sequence->gaps <= PP_GAPS_MAX);
    /* Without room the oldest is given up: what comes of it later counts as a duplicate. */
    if (sequence->gaps == PP_GAPS_MAX) {
        memmove(sequence->gap_first, sequence->gap_first + 1,
                sizeof sequence->gap_first - sizeof sequence->gap_first[0]);
        memmove(sequence->gap_end, sequence->gap_end + 1,
                sizeof sequence->gap_end - sizeof sequence->gap_end[0]);
        sequence->gaps--;
    }
    sequence->gap_first[sequence->gaps] = first;
    sequence->gap_end[sequence->gaps++] = end;
}

static void remove_gap(pp_sequence *sequence, int k)
{
    PP_ASSERT(k >= 0 && k < sequence->gaps);
    size_t rest = (size_t)(--sequence->gaps - k);
    memmove(sequence->gap_first + k, sequence->gap_first + k + 1,
            rest * sizeof sequence->gap_first[0]);
    memmove(sequence->gap_end + k, sequence->gap_end + k + 1, rest * sizeof sequence->gap_end[0]);
}

/* Takes [seq, end) out of the gap that holds all of it; false where none does. */
static bool fill_gap(pp_sequence *sequence, int64_t seq, int64_t end)
{
    for (int k = sequence->gaps - 1; k >= 0; k--) {
        int64_t first = sequence->gap_first[k];
        int64_t behind = sequence->gap_end[k];
        if (seq < first || end > behind)
            continue;
        if (seq > first && end < behind)
            add_gap(sequence, end, behind); /* order among gaps does not matter */
        if (seq > first)
            sequence->gap_end[k] = seq;
        else if (end < behind)
            sequence->gap_first[k] = end;
        else
            remove_gap(sequence, k);
        return true;
    }
    return false;
}

/* What is known of a number that lies behind, from its own time: the same message again, or another
 * under its number. */
static pp_memory *memory_of(pp_sequence *sequence, int64_t seq, int64_t count)
{
    return &sequence->memory[(uint64_t)(seq / count) % PP_MEMORY];
}

static pp_order classify_behind(pp_sequence *sequence, int64_t seq, int64_t count, int64_t time_ns,
                                bool counted)
{
    const pp_memory *memory = memory_of(sequence, seq, count);
    if (!counted && memory->seq == seq)
        return memory->time == time_ns ? PP_ORDER_DUPLICATE : PP_ORDER_RESTART;
    if (!counted && time_ns > sequence->last_time)
        return PP_ORDER_RESTART;
    if (fill_gap(sequence, seq, seq + count))
        return PP_ORDER_LATE;
    bool again = sequence->next - seq > FRESH && seq < FRESH;
    if ((!counted && again) || seq + count > sequence->next)
        return PP_ORDER_RESTART;
    return PP_ORDER_DUPLICATE;
}

static pp_order classify(pp_sequence *sequence, int64_t seq, int64_t count, int64_t time_ns,
                         int64_t boot)
{
    bool counted = boot >= 0 && sequence->boot >= 0;
    if (sequence->next < 0)
        return PP_ORDER_NEW;
    if (counted && boot != sequence->boot)
        return PP_ORDER_RESTART;
    if (seq >= sequence->next)
        return PP_ORDER_NEW;
    return classify_behind(sequence, seq, count, time_ns, counted);
}

void pp_sequence_start(pp_sequence *sequence)
{
    memset(sequence, 0, sizeof *sequence);
    sequence->next = -1;
    sequence->boot = -1;
    for (int i = 0; i < PP_MEMORY; i++)
        sequence->memory[i].seq = -1;
}

pp_order pp_sequence_take(pp_sequence *sequence, int64_t seq, int64_t count, int64_t time_ns,
                          int64_t boot, int64_t *lost)
{
    PP_ASSERT(count >= 1);
    pp_order order = classify(sequence, seq, count, time_ns, boot);
    *lost = order == PP_ORDER_LATE ? -count : 0;
    if (order == PP_ORDER_DUPLICATE)
        return order;
    if (order == PP_ORDER_RESTART || sequence->next < 0) {
        pp_sequence_start(sequence);
        sequence->next = seq;
        sequence->boot = boot;
        sequence->last_time = time_ns;
    }
    *memory_of(sequence, seq, count) = (pp_memory){seq, time_ns};
    if (order == PP_ORDER_LATE)
        return order;
    if (seq > sequence->next) {
        *lost = seq - sequence->next;
        add_gap(sequence, sequence->next, seq);
    }
    sequence->next = seq + count;
    if (time_ns > sequence->last_time)
        sequence->last_time = time_ns;
    return order;
}
