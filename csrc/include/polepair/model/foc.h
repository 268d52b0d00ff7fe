/* polepair/control.h: sampled controllers, written against pp_real.
 * Field-oriented control: speed PI with torque limit, current PI with decoupling, voltage limit |u| <= Udc/sqrt(3) and
 * back-calculation anti-windup (Harnefors & Nee, IEEE Trans. Ind. Appl. 34(1) 1998). Six-step: speed PI onto the duty. */
#ifndef POLEPAIR_CONTROL_H
#define POLEPAIR_CONTROL_H

#include "polepair/model/real.h"

typedef struct pp_foc {
    pp_real kp_d, kp_q, kp_w;             /* proportional gains */
    pp_real ki_d, ki_q, ki_w;             /* integral gains times the period */
    pp_real kp_d_inv, kp_q_inv, kp_w_inv; /* for the back-calculation */
    pp_real Ld, Lq, psi;                  /* the controller's model of the machine */
    pp_real torque_to_iq;                 /* 1/(1.5 p psi) */
    pp_real torque_max, u_max, pole_pairs, half_period;
} pp_foc;

typedef struct pp_foc_state {
    pp_real w, d, q; /* integrators of speed, d and q current */
} pp_foc_state;

/* Voltage that the current controllers ask for at the sample instant, in rotor coordinates and limited, and the same
 * voltage as the rotor sees it at the start of the period when the inverter holds it at the angle of mid-period. */
typedef struct pp_foc_voltage {
    pp_real d, q, held_d, held_q;
} pp_foc_voltage;

/* sin and cos for |x| <= pi/4 to 1e-15: a control period turns less than a quarter electrically. */
PP_INLINE void pp_small_sincos(pp_real x, pp_real *s, pp_real *c)
{
    pp_real y = x * x;
    *s = x + x * y *
                 (PP_R(-1.0 / 6) +
                  y * (PP_R(1.0 / 120) + y * (PP_R(-1.0 / 5040) + y * (PP_R(1.0 / 362880) -
                                                                       y * PP_R(1.0 / 39916800)))));
    *c = PP_R(1) + y * (PP_R(-0.5) + y * (PP_R(1.0 / 24) +
                                          y * (PP_R(-1.0 / 720) +
                                               y * (PP_R(1.0 / 40320) - y * PP_R(1.0 / 3628800)))));
}

/* Current reference for a torque: id = 0, or on the maximum-torque-per-ampere curve (two fixed-point steps; the torque
 * of the pair is exact for the controller's model either way). */
PP_INLINE void pp_foc_reference(const pp_foc *c, pp_real torque, bool mtpa, pp_real *id,
                                pp_real *iq)
{
    *id = pp_set(0);
    *iq = torque * c->torque_to_iq;
    if (!mtpa)
        return;
    pp_real dL = c->Lq - c->Ld, scale = torque * c->torque_to_iq * c->psi;
    for (int i = 0; i < 3; i++) {
        pp_real twice = PP_R(2) * dL * *iq;
        *id = PP_R(-2) * *iq * *iq * dL / (c->psi + pp_sqrt(c->psi * c->psi + twice * twice));
        *iq = scale / (c->psi - dL * *id);
    }
}

PP_INLINE pp_foc_voltage pp_foc_step(const pp_foc *c, pp_foc_state *x, pp_real id, pp_real iq,
                                     pp_real omega, pp_real omega_ref, bool mtpa)
{
    pp_real error = omega_ref - omega, asked = c->kp_w * error + x->w;
    pp_real torque = pp_clamp(asked, -c->torque_max, c->torque_max);
    x->w += c->ki_w * (error + (torque - asked) * c->kp_w_inv);

    pp_real id_ref, iq_ref;
    pp_foc_reference(c, torque, mtpa, &id_ref, &iq_ref);
    pp_real we = c->pole_pairs * omega, ed = id_ref - id, eq = iq_ref - iq;
    pp_real vd = c->kp_d * ed + x->d - we * (c->Lq * iq);
    pp_real vq = c->kp_q * eq + x->q + we * (c->Ld * id + c->psi);
    pp_real gain = pp_min(c->u_max / pp_sqrt(vd * vd + vq * vq + PP_R(1e-30)), pp_set(1));
    pp_foc_voltage u;
    u.d = gain * vd;
    u.q = gain * vq;
    x->d += c->ki_d * (ed + (u.d - vd) * c->kp_d_inv);
    x->q += c->ki_q * (eq + (u.q - vq) * c->kp_q_inv);

    pp_real sine, cosine;
    pp_small_sincos(c->half_period * we, &sine, &cosine);
    u.held_d = cosine * u.d - sine * u.q;
    u.held_q = sine * u.d + cosine * u.q;
    return u;
}

typedef struct pp_duty_control {
    pp_real kp, ki, kp_inv, back_emf, duty,
        closed; /* back_emf: 2 ke / Udc; duty: the fixed one; closed: 0 or 1 */
} pp_duty_control;

/* Duty of the six-step drive; x is the integrator. */
PP_INLINE pp_real pp_duty_step(const pp_duty_control *c, pp_real *x, pp_real omega,
                               pp_real omega_ref)
{
    pp_real error = omega_ref - omega, asked = c->kp * error + *x + c->back_emf * omega_ref;
    pp_real duty = pp_clamp(asked, pp_set(0), pp_set(1));
    *x += c->ki * (error + (duty - asked) * c->kp_inv);
    return pp_select(c->closed > PP_R(0), duty, c->duty);
}

#endif
