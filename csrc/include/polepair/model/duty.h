/* polepair/model/duty.h: duty of a six-step drive, fixed or by a speed PI with EMF feed-forward,
 * lowered to what the current limit leaves. */
#ifndef POLEPAIR_DUTY_H
#define POLEPAIR_DUTY_H

#include "polepair/model/part.h"

typedef struct pp_duty {
    pp_real kp, ki;   /* gains [s/rad]; ki times the period */
    pp_real kp_inv;   /* for the back-calculation */
    pp_real back_emf; /* 2 ke / Udc: duty that balances the EMF, over speed [s/rad] */
    pp_real fixed;    /* the duty without speed control */
    pp_real closed;   /* 1 with speed control, else 0 */
} pp_duty;

typedef struct pp_duty_state {
    pp_real integrator; /* share of the bus voltage */
} pp_duty_state;

PP_INLINE pp_duty_state pp_duty_start(void) { return (pp_duty_state){.integrator = pp_set(0)}; }

PP_INLINE pp_command pp_duty_control(const pp_duty *c, pp_duty_state *x, const pp_seen *seen,
                                     pp_real omega_ref, int features)
{
    (void)features;
    const pp_real error = omega_ref - seen->omega_m;
    const pp_real wanted = c->kp * error + x->integrator + c->back_emf * omega_ref;
    const pp_real asked = pp_select(c->closed > PP_R(0), wanted, c->fixed);
    const pp_real duty = pp_clamp(asked, seen->duty_least, seen->duty_most);
    x->integrator += c->ki * (error + (duty - asked) * c->kp_inv);
    return (pp_command){.ud = pp_set(0), .uq = pp_set(0), .duty = duty};
}

#endif
