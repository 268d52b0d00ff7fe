/* libFuzzer target over pp_sequence_take: whatever messages come, one is dropped if that very one
 * is among the PP_RECENT newest, or among the PP_DEEP newest where it comes again, and else only
 * where its number came, by a slow model that remembers them whole; and what the sequence says of
 * gaps and losses fits together. */
#include <stdlib.h>
#include <string.h>

#include "../../csrc/host/stream/sequence.h"

enum { OPERATION = 8, KNOWN = PP_DEEP };

static const int64_t highest = (int64_t)1 << 40;

typedef struct model {
    pp_numbers message[KNOWN]; /* as they came */
    long count;                /* ever taken */
} model;

static void need(bool good)
{
    if (!good)
        abort();
}

static bool same(const pp_numbers *a, const pp_numbers *b)
{
    return a->seq == b->seq && a->count == b->count && a->time_ns == b->time_ns &&
           a->boot == b->boot && a->content == b->content;
}

/* Among so many of the newest. */
static bool is_among(const model *known, const pp_numbers *message, long newest)
{
    for (long i = 1; i <= newest && i <= known->count; i++)
        if (same(&known->message[(known->count - i) % KNOWN], message))
            return true;
    return false;
}

/* Gaps are within the numbers that came, and apart. */
static void check_inside(const pp_sequence *sequence)
{
    need(sequence->gaps >= 0 && sequence->gaps <= PP_GAPS_MAX);
    for (int i = 0; i < sequence->gaps; i++) {
        int64_t first = sequence->gap_first[i];
        int64_t end = sequence->gap_end[i];
        need(first < end && first >= sequence->first && end <= sequence->next);
        for (int k = 0; k < i; k++)
            need(end <= sequence->gap_first[k] || first >= sequence->gap_end[k]);
    }
}

static void take(pp_sequence *sequence, pp_marks *marks, model *known, pp_numbers message)
{
    pp_numbers unrolled = message;
    int64_t lost;
    pp_sequence before = *sequence;
    pp_order order = pp_sequence_take(sequence, marks, &unrolled, &lost);
    bool dropped = order == PP_ORDER_DUPLICATE;
    long depth = message.again ? PP_DEEP : PP_RECENT;
    need(dropped || !is_among(known, &message, depth));
    bool behind = unrolled.seq >= before.first && unrolled.seq + message.count <= before.next;
    bool came = message.again && message.boot > 0 && message.boot == before.boot && behind;
    need(!dropped || is_among(known, &message, depth) || came);
    need(unrolled.bits == 64 ||
         (((uint64_t)(unrolled.seq - message.seq)) << (64 - message.bits)) == 0);
    if (dropped) {
        need(lost == 0 && memcmp(&before, sequence, sizeof before) == 0);
        return;
    }
    known->message[known->count++ % KNOWN] = message;
    if (order == PP_ORDER_NEW)
        need(lost == (before.next < 0 ? 0 : unrolled.seq - before.next) && lost >= 0);
    if (order == PP_ORDER_LATE)
        need((lost == 0 || lost == -message.count) && sequence->next == before.next);
    if (order == PP_ORDER_RESTART)
        need(lost == 0 && sequence->gaps == 0 && sequence->first == unrolled.seq);
    if (order != PP_ORDER_LATE)
        need(sequence->next == unrolled.seq + message.count);
}

/* A message near the newest one: its number, time, boot number and size by a byte each. */
static pp_numbers drawn(const uint8_t *bytes, const pp_numbers *newest)
{
    static const int width[] = {8, 16, 32, 64};
    static const int64_t far[] = {1, 1000, 1 << 20, 1 << 30, (int64_t)1 << 31, (int64_t)1 << 33};
    pp_numbers message = *newest;
    message.bits = width[bytes[0] >> 4 & 3];
    message.seq += (int8_t)bytes[1] * far[bytes[2] % 6];
    message.time_ns += (int8_t)bytes[3];
    message.again = bytes[0] & 1;
    message.count = 1 + bytes[4] % 100;
    message.boot = bytes[5] % 4 - 1;
    message.content = bytes[6];
    if (message.seq < 0 || message.seq > highest)
        message.seq = bytes[1];
    if (message.bits < 64)
        message.seq &= ((int64_t)1 << message.bits) - 1;
    return message;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static model known;
    static pp_sequence sequence;
    known.count = 0;
    pp_sequence_start(&sequence);
    pp_marks *marks = pp_marks_new();
    pp_numbers newest = {.bits = 64, .count = 1, .boot = -1};
    for (; size >= OPERATION; data += OPERATION, size -= OPERATION) {
        pp_numbers next = newest;
        long run = 1;
        if (data[0] % 4 == 0) { /* many, one after the other */
            run = data[7];
        } else if (data[0] % 4 == 1 && known.count) { /* one that came */
            long back = (data[1] | data[2] << 8) % KNOWN;
            next = known.message[(known.count + KNOWN - 1 - back) % KNOWN];
            if (back >= known.count)
                continue;
        } else {
            next = drawn(data, &newest);
        }
        for (long k = 0; k < run; k++) {
            take(&sequence, marks, &known, next);
            newest = next;
            next.seq += next.count;
            next.time_ns++;
            if (next.bits < 64)
                next.seq &= ((int64_t)1 << next.bits) - 1;
        }
        check_inside(&sequence);
    }
    need(pp_marks_count(marks) == known.count);
    pp_marks_free(marks);
    return 0;
}
