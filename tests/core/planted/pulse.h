/* polepair/model/pulse.h: a load that pulses: its torque for `width` samples of every `spacing`. The part that the test of
 * parts plants, and the example of docs/how-to/add-a-part.md. */
#ifndef POLEPAIR_PULSE_H
#define POLEPAIR_PULSE_H

#include "polepair/model/part.h"
#include "polepair/model/trig.h"

typedef struct pp_pulse {
    pp_real torque;  /* [N m] */
    pp_real spacing; /* samples from one pulse to the next */
    pp_real width;   /* samples that it lasts */
} pp_pulse;

/* Load torque [N m] over the period that begins with this sample. */
PP_INLINE pp_real pp_pulse_load(const pp_pulse *m, pp_real sample, const pp_seen *seen)
{
    (void)seen;
    const pp_real since = sample - m->spacing * pp_whole(sample / m->spacing);
    return pp_select(since < m->width, m->torque, pp_set(0));
}

/* The sample after this one at which the torque may change. */
PP_INLINE pp_real pp_pulse_until(const pp_pulse *m, pp_real sample)
{
    (void)m;
    return sample + PP_R(1);
}

#endif
