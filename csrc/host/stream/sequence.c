/* Which sequence numbers came: losses, duplicates, late ones, restarts of the device. */
#include "sequence.h"

#include <string.h>

/* A number that low is a fresh start when it is far behind. */
enum { FRESH = 1024 };

static void add_gap(pp_sequence *s, int64_t first, int64_t end)
{
    if (s->gaps ==
        PP_GAPS_MAX) { /* the oldest is given up: what comes of it later counts as a duplicate */
        memmove(s->gap_first, s->gap_first + 1, sizeof s->gap_first - sizeof s->gap_first[0]);
        memmove(s->gap_end, s->gap_end + 1, sizeof s->gap_end - sizeof s->gap_end[0]);
        s->gaps--;
    }
    s->gap_first[s->gaps] = first;
    s->gap_end[s->gaps++] = end;
}

static void remove_gap(pp_sequence *s, int k)
{
    size_t rest = (size_t)(--s->gaps - k);
    memmove(s->gap_first + k, s->gap_first + k + 1, rest * sizeof s->gap_first[0]);
    memmove(s->gap_end + k, s->gap_end + k + 1, rest * sizeof s->gap_end[0]);
}

/* Takes [seq, end) out of the gap that holds all of it; false where none does. */
static bool fill(pp_sequence *s, int64_t seq, int64_t end)
{
    for (int k = s->gaps - 1; k >= 0; k--) {
        int64_t first = s->gap_first[k], last = s->gap_end[k];
        if (seq < first || end > last)
            continue;
        if (seq > first && end < last)
            add_gap(s, end, last); /* order among gaps does not matter */
        if (seq > first)
            s->gap_end[k] = seq;
        else if (end < last)
            s->gap_first[k] = end;
        else
            remove_gap(s, k);
        return true;
    }
    return false;
}

/* What is known of a number that lies behind, from its own time: the same message again, or another under its number. */
static pp_memory *memory_of(pp_sequence *s, int64_t seq, int64_t count)
{
    return &s->memory[(uint64_t)(seq / count) % PP_MEMORY];
}

static pp_order judge_behind(pp_sequence *s, int64_t seq, int64_t count, int64_t time_ns,
                             bool counted)
{
    const pp_memory *m = memory_of(s, seq, count);
    if (!counted && m->seq == seq)
        return m->time == time_ns ? PP_ORDER_DUPLICATE : PP_ORDER_RESTART;
    if (!counted && time_ns > s->last_time)
        return PP_ORDER_RESTART;
    if (fill(s, seq, seq + count))
        return PP_ORDER_LATE;
    bool again = s->next - seq > FRESH && seq < FRESH;
    return (!counted && again) || seq + count > s->next ? PP_ORDER_RESTART : PP_ORDER_DUPLICATE;
}

static pp_order judge(pp_sequence *s, int64_t seq, int64_t count, int64_t time_ns, int64_t boot)
{
    bool counted = boot >= 0 && s->boot >= 0;
    if (s->next < 0)
        return PP_ORDER_NEW;
    if (counted && boot != s->boot)
        return PP_ORDER_RESTART;
    return seq < s->next ? judge_behind(s, seq, count, time_ns, counted) : PP_ORDER_NEW;
}

void pp_sequence_start(pp_sequence *s)
{
    memset(s, 0, sizeof *s);
    s->next = s->boot = -1;
    for (int i = 0; i < PP_MEMORY; i++)
        s->memory[i].seq = -1;
}

pp_order pp_sequence_take(pp_sequence *s, int64_t seq, int64_t count, int64_t time_ns, int64_t boot,
                          int64_t *lost)
{
    pp_order order = judge(s, seq, count, time_ns, boot);
    *lost = order == PP_ORDER_LATE ? -count : 0;
    if (order == PP_ORDER_DUPLICATE)
        return order;
    if (order == PP_ORDER_RESTART || s->next < 0) {
        pp_sequence_start(s);
        s->next = seq;
        s->boot = boot;
        s->last_time = time_ns;
    }
    *memory_of(s, seq, count) = (pp_memory){seq, time_ns};
    if (order == PP_ORDER_LATE)
        return order;
    if (seq > s->next) {
        *lost = seq - s->next;
        add_gap(s, s->next, seq);
    }
    s->next = seq + count;
    s->last_time = time_ns > s->last_time ? time_ns : s->last_time;
    return order;
}
