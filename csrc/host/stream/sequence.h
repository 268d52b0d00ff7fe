/* host/stream/sequence.h: which numbers of a source came. */
#ifndef PP_HOST_SEQUENCE_H
#define PP_HOST_SEQUENCE_H

#include "polepair/decoder.h"

/* What a message says of itself. */
typedef struct pp_numbers {
    int64_t seq;      /* of its first number, as it came; unrolled by pp_sequence_take */
    int bits;         /* that seq counts with */
    int64_t count;    /* of numbers, at least 1 */
    int64_t time_ns;  /* of the first sample */
    int64_t boot;     /* -1: none */
    uint64_t content; /* a number of all that is in it */
    bool again;       /* it was sent before, says who brings it */
} pp_numbers;

/* Nothing came yet. */
void pp_sequence_start(pp_sequence *sequence);
/* Judges numbers [seq, seq + count) and takes note of them. *lost changes by the numbers now
 * missing. A message is dropped as a duplicate only when that very one is among the PP_RECENT
 * newest, or when it was sent before and is among the PP_DEEP newest or its number under its boot
 * number came: what cannot be told is taken. */
pp_order pp_sequence_take(pp_sequence *sequence, pp_marks *marks, pp_numbers *message,
                          int64_t *lost);

#endif
