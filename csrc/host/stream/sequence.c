/* Which sequence numbers came: losses, duplicates, late ones, restarts of the device. */
#include "sequence.h"

#include <string.h>

#include "marks.h"

/* A jump of a 32-bit number that is no gap but a new beginning; and one that needs a newer time. */
enum { LEAP = 1 << 30, FAR = 1 << 20 };

static void add_gap(pp_sequence *sequence, int64_t first, int64_t end)
{
    PP_ASSERT(first < end && sequence->gaps >= 0 && sequence->gaps <= PP_GAPS_MAX);
    /* Without room the oldest is given up: what comes of it later counts as a restart. */
    if (sequence->gaps == PP_GAPS_MAX) {
        if (sequence->gap_end[0] > sequence->sure)
            sequence->sure = sequence->gap_end[0];
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

/* Tells this message from every other, but for chance (2^-64). Never 0. */
static uint64_t mark_of(const pp_numbers *message)
{
    uint64_t mark = (uint64_t)message->seq * 0x9e3779b97f4a7c15;
    mark += (uint64_t)message->time_ns * 0xd1b54a32d192ed03;
    mark += ((uint64_t)message->boot + ((uint64_t)message->count << 20)) * 0x8cb92ba72f3d8dd7;
    mark ^= message->content;
    mark = (mark ^ mark >> 32) * 0xd6e8feb86659fd93;
    return (mark ^ mark >> 29) | 1;
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

static bool touches_gap(const pp_sequence *sequence, const pp_numbers *message)
{
    bool touches = false;
    for (int k = 0; k < sequence->gaps; k++)
        touches = touches || (message->seq < sequence->gap_end[k] &&
                              message->seq + message->count > sequence->gap_first[k]);
    return touches;
}

/* Sent again, from further back than the marks reach, by a device that counts its starts: its
 * number, no newer time, and no gap that was given up. */
static bool came_before(const pp_sequence *sequence, const pp_numbers *message)
{
    return message->again && message->boot > 0 && message->boot == sequence->boot &&
           message->time_ns <= sequence->time && message->seq >= sequence->sure &&
           message->seq + message->count <= sequence->next && !touches_gap(sequence, message);
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
        return came_before(sequence, message) ? PP_ORDER_DUPLICATE : PP_ORDER_RESTART;
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
    sequence->sure = message->seq;
    sequence->first = message->seq;
    sequence->next = message->seq;
    sequence->boot = message->boot;
}

pp_order pp_sequence_take(pp_sequence *sequence, pp_marks *marks, pp_numbers *message,
                          int64_t *lost)
{
    PP_ASSERT(marks && message->count >= 1 && message->seq >= 0);
    uint64_t mark = mark_of(message);
    unroll(sequence, message);
    *lost = 0;
    if (pp_marks_know(marks, mark, message->again))
        return PP_ORDER_DUPLICATE;
    pp_order order = classify(sequence, message, lost);
    if (order == PP_ORDER_DUPLICATE)
        return order;
    if (order == PP_ORDER_RESTART || sequence->next < 0)
        begin_at(sequence, message);
    pp_marks_add(marks, mark);
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
