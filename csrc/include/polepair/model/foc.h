/* polepair/model/foc.h: field-oriented control, sampled once a period: speed PI with torque limit,
 * current PI with decoupling, voltage limit |u| <= Udc/sqrt(3) and back-calculation anti-windup
 * (Harnefors & Nee, IEEE Trans. Ind. Appl. 34(1) 1998). */
#ifndef POLEPAIR_FOC_H
#define POLEPAIR_FOC_H

#include "polepair/model/law_linear.h"
#include "polepair/model/part.h"

typedef struct pp_foc {
    pp_real kp_d, kp_q, kp_w;             /* proportional gains [V/A], [V/A], [N m s] */
    pp_real ki_d, ki_q, ki_w;             /* integral gains times the period */
    pp_real kp_d_inv, kp_q_inv, kp_w_inv; /* for the back-calculation */
    pp_law law;                           /* the controller's model of the machine */
    pp_real torque_to_iq;                 /* 1/(1.5 p psi) [A/(N m)] */
    pp_real torque_max, u_max;            /* limits [N m], [V] */
    pp_real half_period;                  /* [s] */
} pp_foc;

typedef struct pp_foc_state {
    pp_real w, d, q; /* integrators of speed [N m], d and q current [V] */
} pp_foc_state;

PP_INLINE pp_foc_state pp_foc_start(void)
{
    const pp_real zero = pp_set(0);
    return (pp_foc_state){.w = zero, .d = zero, .q = zero};
}

/* sin and cos for |x| <= pi/4 to 1e-15: a control period turns less than a quarter electrically. */
PP_INLINE void pp_small_sincos(pp_real x, pp_real *s, pp_real *c)
{
    const pp_real y = x * x;
    *s = x + x * y *
                 (PP_R(-1.0 / 6) +
                  y * (PP_R(1.0 / 120) + y * (PP_R(-1.0 / 5040) + y * (PP_R(1.0 / 362880) -
                                                                       y * PP_R(1.0 / 39916800)))));
    *c = PP_R(1) + y * (PP_R(-0.5) + y * (PP_R(1.0 / 24) +
                                          y * (PP_R(-1.0 / 720) +
                                               y * (PP_R(1.0 / 40320) - y * PP_R(1.0 / 3628800)))));
}

/* Current reference for a torque: id = 0, or on the maximum-torque-per-ampere curve (three
 * fixed-point steps; the torque of the pair is exact for the controller's model either way). */
PP_INLINE pp_dq pp_foc_reference(const pp_foc *c, pp_real torque, bool mtpa)
{
    pp_dq i = {.d = pp_set(0), .q = torque * c->torque_to_iq};
    if (!mtpa)
        return i;
    const pp_real psi = c->law.psi_pm;
    const pp_real dL = c->law.Lq - c->law.Ld;
    const pp_real scale = torque * c->torque_to_iq * psi;
    for (int n = 0; n < 3; n++) {
        const pp_real twice = PP_R(2) * dL * i.q;
        i.d = PP_R(-2) * i.q * i.q * dL / (psi + pp_sqrt(psi * psi + twice * twice));
        i.q = scale / pp_law_active_flux(&c->law, i.d);
    }
    return i;
}

/* The torque that the speed controller asks for [N m], limited. */
PP_INLINE pp_real pp_foc_torque(const pp_foc *c, pp_foc_state *x, pp_real error)
{
    const pp_real asked = c->kp_w * error + x->w;
    const pp_real torque = pp_clamp(asked, -c->torque_max, c->torque_max);
    x->w += c->ki_w * (error + (torque - asked) * c->kp_w_inv);
    return torque;
}

/* The voltage in the rotor frame as it is at the start of the period, when the inverter holds it at
 * the angle that the rotor has in mid-period. */
PP_INLINE pp_command pp_foc_control(const pp_foc *c, pp_foc_state *x, const pp_seen *seen,
                                    pp_real omega_ref, int features)
{
    const pp_real torque = pp_foc_torque(c, x, omega_ref - seen->omega_m);
    const pp_dq ref = pp_foc_reference(c, torque, features & PP_HAS_MTPA);
    const pp_dq psi = pp_law_flux(&c->law, seen->id, seen->iq);
    const pp_real we = c->law.pole_pairs * seen->omega_m;
    const pp_real ed = ref.d - seen->id;
    const pp_real eq = ref.q - seen->iq;
    const pp_real vd = c->kp_d * ed + x->d - we * psi.q;
    const pp_real vq = c->kp_q * eq + x->q + we * psi.d;
    const pp_real gain = pp_min(c->u_max / pp_sqrt(vd * vd + vq * vq + PP_R(1e-30)), pp_set(1));
    const pp_real ud = gain * vd;
    const pp_real uq = gain * vq;
    x->d += c->ki_d * (ed + (ud - vd) * c->kp_d_inv);
    x->q += c->ki_q * (eq + (uq - vq) * c->kp_q_inv);

    pp_real sine, cosine;
    pp_small_sincos(c->half_period * we, &sine, &cosine);
    return (pp_command){
        .ud = cosine * ud - sine * uq,
        .uq = sine * ud + cosine * uq,
        .duty = pp_set(0),
    };
}

#endif
