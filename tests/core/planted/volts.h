/* polepair/model/volts.h: a controller that asks for the same voltage all the time. The part that the test of parts plants. */
#ifndef POLEPAIR_VOLTS_H
#define POLEPAIR_VOLTS_H

#include "polepair/model/part.h"

typedef struct pp_volts {
    pp_real ud, uq; /* [V] */
} pp_volts;

typedef struct pp_volts_state {
    pp_real calls;
} pp_volts_state;

PP_INLINE pp_volts_state pp_volts_start(void) { return (pp_volts_state){.calls = pp_set(0)}; }

PP_INLINE pp_command pp_volts_control(const pp_volts *c, pp_volts_state *x, const pp_seen *seen,
                                      pp_real omega_ref, int features)
{
    (void)seen;
    (void)omega_ref;
    (void)features;
    x->calls += PP_R(1);
    return (pp_command){.ud = c->ud, .uq = c->uq, .duty = pp_set(0)};
}

#endif
