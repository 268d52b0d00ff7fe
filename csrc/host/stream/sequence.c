/* Which sequence numbers came: losses, duplicates, late ones, restarts of the device. */
#include "sequence.h"

#include <string.h>

/* A jump of a 32-bit number that is no gap but a new beginning; and one that needs a newer time. */
enum { LEAP = 1 << 30, FAR = 1 << 20 };

static void add_gap(pp_sequence *sequence, int64_t first, int64_t end)
{
    PP_ASSERT(first < end && sequence->gaps >= 0 && sequence->gaps <= PP_GAPS_MAX);
    /* Without room the oldest is given up: what comes of it later counts as a restart. */
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
        if (seq > first)
            sequence->gap_end[k] = seq;
        else if (end < behind)
            sequence->gap_first[k] = end;
        else
            remove_gap(sequence, k);
        if (seq > first && end < behind)
            add_gap(sequence, end, behind); /* order among gaps does not matter */
        return true;
    }
    return false;
}

static uint64_t mixed(uint64_t value)
{
    value *= 0x9e3779b97f4a7c15;
    return value ^ value >> 29;
}

/* Tells this message from every other, but for chance (2^-64). Never 0. */
static uint64_t mark_of(const pp_numbers *message)
{
    uint64_t mark = mixed((uint64_t)message->seq) + (uint64_t)message->time_ns;
    mark = mixed(mark) + (uint64_t)message->boot;
    mark = mixed(mark) + (uint64_t)message->count;
    return mixed(mixed(mark) ^ message->content) | 1;
}

static unsigned home_of(uint64_t mark) { return (unsigned)(mark >> 1) % PP_SLOTS; }

/* The slot that holds a mark, else the empty one where it would be put (linear probing: half of
 * them are empty). */
static unsigned slot_of(const pp_sequence *sequence, uint64_t mark)
{
    unsigned at = home_of(mark);
    while (sequence->slot[at] && sequence->recent[sequence->slot[at] - 1] != mark)
        at = (at + 1) % PP_SLOTS;
    return at;
}

static bool is_recent(const pp_sequence *sequence, uint64_t mark)
{
    return sequence->slot[slot_of(sequence, mark)] != 0;
}

/* Empties a slot and closes the gap for those behind it (Knuth, The Art of Computer Programming 3,
 * 6.4, algorithm R). */
static void empty_slot(pp_sequence *sequence, unsigned hole)
{
    for (unsigned at = (hole + 1) % PP_SLOTS; sequence->slot[at]; at = (at + 1) % PP_SLOTS) {
        unsigned home = home_of(sequence->recent[sequence->slot[at] - 1]);
        if ((at - home) % PP_SLOTS < (at - hole) % PP_SLOTS)
            continue;
        sequence->slot[hole] = sequence->slot[at];
        hole = at;
    }
    sequence->slot[hole] = 0;
}

static void remember(pp_sequence *sequence, uint64_t mark)
{
    uint64_t *place = &sequence->recent[sequence->recent_at];
    if (*place)
        empty_slot(sequence, slot_of(sequence, *place));
    *place = mark;
    sequence->slot[slot_of(sequence, mark)] = (uint16_t)(sequence->recent_at + 1);
    sequence->recent_at = (sequence->recent_at + 1) % PP_RECENT;
}

void pp_sequence_remember(pp_sequence *sequence, uint64_t mark)
{
    if (!is_recent(sequence, mark))
        remember(sequence, mark);
}

static bool other_boot(const pp_sequence *sequence, const pp_numbers *message)
{
    return message->boot >= 0 && sequence->boot >= 0 && message->boot != sequence->boot;
}

/* A number that came modulo 2^bits, nearest to the one expected; as it is where the device counts
 * anew. */
static void unroll(const pp_sequence *sequence, pp_numbers *message)
{
    int64_t next = sequence->next;
    if (message->bits >= 64 || next < 0 || other_boot(sequence, message))
        return;
    int unused = 64 - message->bits;
    int64_t ahead = (int64_t)((uint64_t)(message->seq - next) << unused) >> unused;
    bool leap = ahead >= LEAP || (ahead >= FAR && message->time_ns <= sequence->time);
    if (!leap && next + ahead >= 0)
        message->seq = next + ahead;
}

/* Of a number behind the newest, by a message that did not come before. Without a boot number a
 * newer time tells a new start. */
static pp_order classify_behind(pp_sequence *sequence, const pp_numbers *message, int64_t *lost)
{
    int64_t end = message->seq + message->count;
    bool counted = message->boot >= 0 && sequence->boot >= 0;
    if (!counted && message->time_ns > sequence->time)
        return PP_ORDER_RESTART;
    if (end <= sequence->first)
        return PP_ORDER_LATE;
    if (!fill_gap(sequence, message->seq, end))
        return PP_ORDER_RESTART;
    *lost = -message->count;
    return PP_ORDER_LATE;
}

static pp_order classify(pp_sequence *sequence, const pp_numbers *message, int64_t *lost)
{
    if (sequence->next < 0)
        return PP_ORDER_NEW;
    if (other_boot(sequence, message))
        return PP_ORDER_RESTART;
    if (message->seq >= sequence->next)
        return PP_ORDER_NEW;
    return classify_behind(sequence, message, lost);
}

void pp_sequence_start(pp_sequence *sequence)
{
    memset(sequence, 0, sizeof *sequence);
    sequence->next = -1;
    sequence->boot = -1;
}

static void begin_at(pp_sequence *sequence, const pp_numbers *message)
{
    sequence->gaps = 0;
    sequence->first = message->seq;
    sequence->next = message->seq;
    sequence->boot = message->boot;
}

pp_order pp_sequence_take(pp_sequence *sequence, pp_numbers *message, int64_t *lost)
{
    PP_ASSERT(message->count >= 1 && message->seq >= 0);
    uint64_t mark = mark_of(message);
    unroll(sequence, message);
    *lost = 0;
    if (is_recent(sequence, mark))
        return PP_ORDER_DUPLICATE;
    pp_order order = classify(sequence, message, lost);
    if (order == PP_ORDER_RESTART || sequence->next < 0)
        begin_at(sequence, message);
    remember(sequence, mark);
    if (order == PP_ORDER_LATE)
        return order;
    if (message->seq > sequence->next) {
        *lost = message->seq - sequence->next;
        add_gap(sequence, sequence->next, message->seq);
    }
    sequence->next = message->seq + message->count;
    sequence->time = message->time_ns;
    return order;
}
