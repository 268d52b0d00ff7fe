/* host/stream/sequence.h: which numbers of a source came. */
#ifndef PP_HOST_SEQUENCE_H
#define PP_HOST_SEQUENCE_H

#include "polepair/format.h"

typedef enum pp_order {
    PP_ORDER_NEW,
    PP_ORDER_LATE,
    PP_ORDER_DUPLICATE,
    PP_ORDER_RESTART
} pp_order;

void pp_sequence_start(pp_sequence *s);
/* Judges numbers [seq, seq + count) of a message with that time and boot number (-1: none), and takes note of them.
 * *lost changes by the numbers now missing (less than 0 when a gap is filled). */
pp_order pp_sequence_take(pp_sequence *s, int64_t seq, int64_t count, int64_t time_ns, int64_t boot,
                          int64_t *lost);

#endif
