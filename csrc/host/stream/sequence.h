/* host/stream/sequence.h: which numbers of a source came. */
#ifndef PP_HOST_SEQUENCE_H
#define PP_HOST_SEQUENCE_H

#include "polepair/format.h"

/* How a message stands to those before it. */
typedef enum pp_order {
    PP_ORDER_NEW,       /* ahead of all before it */
    PP_ORDER_LATE,      /* out of a gap */
    PP_ORDER_DUPLICATE, /* came already: to be dropped */
    PP_ORDER_RESTART    /* the device counts anew */
} pp_order;

/* Nothing came yet. */
void pp_sequence_start(pp_sequence *sequence);
/* Judges numbers [seq, seq + count) of a message with that time and boot number (-1: none), and
 * takes note of them. *lost changes by the numbers now missing (less than 0 when a gap is
 * filled). */
pp_order pp_sequence_take(pp_sequence *sequence, int64_t seq, int64_t count, int64_t time_ns,
                          int64_t boot, int64_t *lost);

#endif
