/* polepair/plant.h: the machine's equations, written once against pp_real (see real.h).
 * PMSM in the rotor frame and six-step BLDC inside one commutation sector; each advanced by one RK4 step. */
#ifndef POLEPAIR_PLANT_H
#define POLEPAIR_PLANT_H

#include "polepair/model/real.h"

/* PMSM. The voltage is held in the stator frame over a step, so in the rotor frame it turns: d(ud)/dt = we uq,
 * d(uq)/dt = -we ud. Carrying (ud, uq) instead of the rotor angle leaves no trigonometry in the right-hand side.
 * Everything is scaled by s = h/2 (h the RK4 step): w = s we, u = s u, and the coefficients below hold the rest:
 *   d' = ud - a d + w q        a = s Rs/Ld     (d, q: flux linkages of the currents [Wb])
 *   q' = uq - b q - w (d+psi)  b = s Rs/Lq
 *   w' = q (k1 + k2 d) - T     k1, k2: torque over inertia, T: all other torque, s^2 p/J each
 */
typedef struct pp_pmsm {
    pp_real a, b, psi, k1, k2;
    pp_real viscous, coulomb, quadratic, coulomb_slope; /* mechanical torque, scaled like T */
    pp_real s, s_inv, from_w;                           /* half step, 1/s, 1/(s p) */
    pp_real i_d, i_q;                                   /* 1/Ld, 1/Lq */
    pp_real torque_scale, unscale, p_inv;               /* s^2 p / J, its inverse, 1/p */
    pp_real p_cu, J, load_viscous,
        load_coulomb; /* 1.5 Rs, inertia, the load's share of the two frictions */
} pp_pmsm;

typedef struct pp_pmsm_state {
    pp_real d, q, w, ud, uq; /* scaled as above */
    pp_real theta;           /* mechanical angle [rad], unwrapped */
} pp_pmsm_state;

/* Energies [J] since the start: taken in, lost in copper (and diodes), in friction, given to the load. */
typedef struct pp_energy {
    pp_real in, copper, friction, load;
} pp_energy;

/* What a run carries along; constants at the call, so that the unused parts cost nothing. */
enum {
    PP_WITH_FRICTION = 1,
    PP_WITH_ENERGY = 2,
    PP_WITH_ANGLE = 4,
    PP_WITH_VISCOUS = 8,
    PP_WITH_SIMPLE = PP_WITH_ANGLE | PP_WITH_VISCOUS, /* cheap enough to come together */
    PP_WITH_EVERYTHING = 15
};

/* Coulomb (regularised: linear below 1 rad/s) and quadratic torque, scaled. */
PP_INLINE pp_real pp_pmsm_dry(const pp_pmsm *m, pp_real w)
{
    return pp_clamp(m->coulomb_slope * w, -m->coulomb, m->coulomb);
}

PP_INLINE pp_real pp_pmsm_friction(const pp_pmsm *m, pp_real w)
{
    return pp_pmsm_dry(m, w) + m->quadratic * w * pp_abs(w);
}

PP_INLINE pp_pmsm_state pp_pmsm_rate(const pp_pmsm *m, pp_pmsm_state x, pp_real T, int with)
{
    pp_pmsm_state r;
    r.d = x.ud - m->a * x.d + x.w * x.q;
    r.q = x.uq - m->b * x.q - x.w * (x.d + m->psi);
    if (with & PP_WITH_VISCOUS)
        T = T + m->viscous * x.w;
    r.w = x.q * (m->k1 + m->k2 * x.d) - T;
    if (with & PP_WITH_FRICTION)
        r.w = r.w - pp_pmsm_friction(m, x.w);
    r.ud = x.w * x.uq;
    r.uq = -(x.w * x.ud);
    r.theta = x.w;
    return r;
}

PP_INLINE pp_pmsm_state pp_pmsm_add(pp_pmsm_state x, pp_pmsm_state k)
{
    return (pp_pmsm_state){x.d + k.d, x.q + k.q, x.w + k.w, x.ud + k.ud, x.uq + k.uq, x.theta};
}

PP_INLINE pp_pmsm_state pp_pmsm_sum(pp_pmsm_state x, pp_pmsm_state k)
{
    return (pp_pmsm_state){x.d + k.d,   x.q + k.q,   x.w + k.w,
                           x.ud + k.ud, x.uq + k.uq, x.theta + k.theta};
}

/* Powers of a stage, weighted into the energies. Viscous and Coulomb torque are shared between motor and load. */
PP_INLINE void pp_pmsm_power(const pp_pmsm *m, pp_pmsm_state x, pp_real T, pp_real weight,
                             pp_energy *e)
{
    pp_real id = x.d * m->i_d, iq = x.q * m->i_q, h = weight * m->s * PP_R(1.0 / 3),
            mech = h * x.w * m->from_w * m->unscale;
    pp_real viscous = m->viscous * x.w, dry = pp_pmsm_dry(m, x.w);
    e->in += h * PP_R(1.5) * m->s_inv * (x.ud * id + x.uq * iq);
    e->copper += h * m->p_cu * (id * id + iq * iq);
    e->load += mech * (T + m->load_viscous * viscous + m->load_coulomb * dry +
                       m->quadratic * x.w * pp_abs(x.w));
    e->friction += mech * (viscous - m->load_viscous * viscous + dry - m->load_coulomb * dry);
}

/* One RK4 step of length h = 2 s of `groups` independent machines, stage by stage, so that the processor always has
 * work that does not wait for the stage before. T: scaled load torques. */
enum { PP_GROUPS_MAX = 4 };
PP_INLINE void pp_pmsm_step(const pp_pmsm *m, pp_pmsm_state *x, const pp_real *T, int groups,
                            int with, pp_energy *e)
{
    const pp_real third = pp_set(PP_R(1.0 / 3));
    pp_pmsm_state y[PP_GROUPS_MAX], k[PP_GROUPS_MAX], sum[PP_GROUPS_MAX], middle[PP_GROUPS_MAX];
#pragma GCC unroll 4
    for (int stage = 0; stage < 4; stage++)
#pragma GCC unroll 4
        for (int g = 0; g < groups; g++) {
            y[g] = stage == 0 ? x[g] : pp_pmsm_add(x[g], k[g]);
            if (stage == 3)
                y[g] = pp_pmsm_add(y[g], k[g]);
            k[g] = pp_pmsm_rate(&m[g], y[g], T[g], with);
            if (with & PP_WITH_ENERGY)
                pp_pmsm_power(&m[g], y[g], T[g], pp_set(PP_R(stage == 0 || stage == 3 ? 1 : 2)),
                              &e[g]);
            if (stage == 0)
                sum[g] = k[g];
            else if (stage == 1)
                middle[g] = k[g];
            else if (stage == 2)
                middle[g] = pp_pmsm_sum(middle[g], k[g]);
            else
                sum[g] = pp_pmsm_sum(pp_pmsm_sum(pp_pmsm_sum(sum[g], middle[g]), middle[g]), k[g]);
        }
#pragma GCC unroll 4
    for (int g = 0; g < groups; g++) {
        x[g].d += third * sum[g].d;
        x[g].q += third * sum[g].q;
        x[g].w += third * sum[g].w;
        x[g].ud += third * sum[g].ud;
        x[g].uq += third * sum[g].uq;
        if (with & PP_WITH_ANGLE)
            x[g].theta += third * m[g].p_inv * sum[g].theta;
    }
}

#endif
