/* polepair/model/channel.h: values that channels of several machines share. */
#ifndef POLEPAIR_MODEL_CHANNEL_H
#define POLEPAIR_MODEL_CHANNEL_H

#include "polepair/channels.h"
#include "polepair/model/part.h"
#include "polepair/model/trig.h"

/* Phase current k (0 a, 1 b, 2 c): inverse Park and Clarke transforms, amplitude invariant. */
PP_INLINE pp_real pp_phase_current(pp_real id, pp_real iq, pp_real theta_e, int k)
{
    pp_real s, c;
    pp_angle_sincos(theta_e, &s, &c);
    const pp_real alpha = c * id - s * iq;
    const pp_real beta = s * id + c * iq;
    if (k == 0)
        return alpha;
    return PP_R(-0.5) * alpha +
           PP_R(k == 1 ? 0.86602540378443864676 : -0.86602540378443864676) * beta;
}

/* An energy [J] by its channel; 0 for a channel that the machine has not. */
PP_INLINE pp_real pp_energy_channel(const pp_energy *e, pp_channel channel)
{
    if (channel == PP_CHANNEL_energy_in)
        return e->in;
    if (channel == PP_CHANNEL_energy_copper)
        return e->copper;
    if (channel == PP_CHANNEL_energy_friction)
        return e->friction;
    return channel == PP_CHANNEL_energy_load ? e->load : pp_set(0);
}

#endif
