/* polepair/model/step.h: a load torque that sets in at a sample and stays. What grows with speed is
 * friction of the machine's shaft. */
#ifndef POLEPAIR_STEP_H
#define POLEPAIR_STEP_H

#include "polepair/model/part.h"

typedef struct pp_step {
    pp_real torque; /* [N m] */
    pp_real sample; /* the first one with it */
} pp_step;

/* Load torque [N m] over the period that begins with this sample. */
PP_INLINE pp_real pp_step_load(const pp_step *m, pp_real sample, const pp_seen *seen)
{
    (void)seen;
    return pp_select(sample >= m->sample, m->torque, pp_set(0));
}

/* The sample after this one at which the torque changes; huge where it never does. */
PP_INLINE pp_real pp_step_until(const pp_step *m, pp_real sample)
{
    return pp_select(m->sample > sample, m->sample, pp_set(PP_R(1e30)));
}

#endif
