/* polepair/model/pmsm.h: permanent-magnet synchronous machine in the rotor frame, constant Ld and
 * Lq, stiff shaft with friction, in averaged voltage; written once against pp_real (see real.h).
 *
 * The voltage is held in the stator frame over a step, so in the rotor frame it turns:
 * d(ud)/dt = we uq, d(uq)/dt = -we ud. Carrying (ud, uq) instead of the rotor angle leaves no
 * trigonometry in the right-hand side. Everything is scaled by s = h/2 (h the RK4 step): w = s we,
 * u = s u, and the coefficients below hold the rest:
 *
 *   d' = ud - a d + w q        a = s Rs/Ld     (d, q: flux linkages of the currents [Wb])
 *   q' = uq - b q - w (d+psi)  b = s Rs/Lq
 *   w' = q (k1 + k2 d) - T     k1, k2: torque over inertia, T: all other torque, s^2 p/J each
 */
#ifndef POLEPAIR_PMSM_H
#define POLEPAIR_PMSM_H

#include "polepair/model/channel.h"
#include "polepair/model/dopri.h"
#include "polepair/model/rk4.h"
#include "polepair/model/trig.h"

typedef struct pp_pmsm {
    pp_real a, b;                     /* s Rs/Ld, s Rs/Lq */
    pp_real psi;                      /* flux linkage of the magnets [Wb] */
    pp_real k1, k2;                   /* torque over the flux linkages, scaled like T */
    pp_real viscous, coulomb;         /* friction of motor and load together, scaled like T */
    pp_real quadratic, coulomb_slope; /* likewise; the slope regularises Coulomb's below 1 rad/s */
    pp_real s, s_inv;                 /* half step [s] (1 s with adaptive steps), its inverse */
    pp_real from_w;                   /* 1/(s p): mechanical speed over w */
    pp_real Ld_inv, Lq_inv;           /* [1/H] */
    pp_real torque_scale, unscale;    /* s^2 p / J, its inverse */
    pp_real pole_pairs, p_inv;        /* p, 1/p */
    pp_real p_cu;                     /* 1.5 Rs [ohm] */
    pp_real J;                        /* inertia of motor and load [kg m^2] */
    pp_real load_viscous, load_coulomb; /* the load's share of the two frictions */
    pp_real u_dc_inv;                   /* 1/bus voltage [1/V] */
} pp_pmsm;

typedef struct pp_pmsm_state {
    pp_real d, q, w, ud, uq; /* scaled as above */
    pp_real theta;           /* mechanical angle [rad], unwrapped */
} pp_pmsm_state;

/* Held over a period: the load torque, scaled. */
typedef struct pp_pmsm_held {
    pp_real T;
} pp_pmsm_held;

/* Coulomb torque (regularised: linear below 1 rad/s), scaled. */
PP_INLINE pp_real pp_pmsm_dry(const pp_pmsm *m, pp_real w)
{
    return pp_clamp(m->coulomb_slope * w, -m->coulomb, m->coulomb);
}

/* Coulomb and quadratic torque, scaled. */
PP_INLINE pp_real pp_pmsm_friction(const pp_pmsm *m, pp_real w)
{
    return pp_pmsm_dry(m, w) + m->quadratic * w * pp_abs(w);
}

PP_INLINE void pp_pmsm_rates(const void *model, const void *held, const pp_real *y, pp_real *k,
                             int features)
{
    const pp_pmsm *m = model;
    const pp_pmsm_state *x = (const pp_pmsm_state *)y;
    pp_pmsm_state *r = (pp_pmsm_state *)k;
    pp_real T = ((const pp_pmsm_held *)held)->T;
    r->d = x->ud - m->a * x->d + x->w * x->q;
    r->q = x->uq - m->b * x->q - x->w * (x->d + m->psi);
    if (features & PP_HAS_VISCOUS)
        T = T + m->viscous * x->w;
    r->w = x->q * (m->k1 + m->k2 * x->d) - T;
    if (features & PP_HAS_FRICTION)
        r->w = r->w - pp_pmsm_friction(m, x->w);
    r->ud = x->w * x->uq;
    r->uq = -(x->w * x->ud);
    r->theta = x->w;
}

/* Viscous and Coulomb torque are shared between motor and load. */
PP_INLINE void pp_pmsm_powers(const void *model, const void *held, const pp_real *y, pp_real weight,
                              pp_energy *e)
{
    const pp_pmsm *m = model;
    const pp_pmsm_state *x = (const pp_pmsm_state *)y;
    const pp_real T = ((const pp_pmsm_held *)held)->T;
    const pp_real id = x->d * m->Ld_inv;
    const pp_real iq = x->q * m->Lq_inv;
    const pp_real h = weight * m->s * PP_R(1.0 / 3);
    const pp_real mech = h * x->w * m->from_w * m->unscale;
    const pp_real viscous = m->viscous * x->w;
    const pp_real dry = pp_pmsm_dry(m, x->w);
    e->in += h * PP_R(1.5) * m->s_inv * (x->ud * id + x->uq * iq);
    e->copper += h * m->p_cu * (id * id + iq * iq);
    e->load += mech * (T + m->load_viscous * viscous + m->load_coulomb * dry +
                       m->quadratic * x->w * pp_abs(x->w));
    e->friction += mech * (viscous - m->load_viscous * viscous + dry - m->load_coulomb * dry);
}

static const pp_ode PP_PMSM_ODE = {
    .n = 6, .size = 6, .scaled = true, .rates = pp_pmsm_rates, .powers = pp_pmsm_powers};

PP_INLINE pp_pmsm_state pp_pmsm_start(void)
{
    const pp_real zero = pp_set(0);
    return (pp_pmsm_state){.d = zero, .q = zero, .w = zero, .ud = zero, .uq = zero, .theta = zero};
}

PP_INLINE pp_seen pp_pmsm_sense(const pp_pmsm *m, const pp_pmsm_state *x)
{
    return (pp_seen){
        .id = x->d * m->Ld_inv,
        .iq = x->q * m->Lq_inv,
        .omega_m = x->w * m->from_w,
        .duty_least = pp_set(0),
        .duty_most = pp_set(1),
    };
}

PP_INLINE void pp_pmsm_watch(const pp_pmsm *m, const pp_pmsm_state *x, const pp_seen *seen,
                             pp_mask due, pp_extremes *of)
{
    (void)due;
    (void)m;
    (void)x;
    of->current = pp_max(seen->id * seen->id + seen->iq * seen->iq, of->current);
}

/* The inverter holds the voltage asked for; T: load torque [N m]. */
PP_INLINE void pp_pmsm_hold(const pp_pmsm *m, pp_pmsm_state *x, pp_command c, pp_real T,
                            pp_pmsm_held *held)
{
    x->ud = c.ud * m->s;
    x->uq = c.uq * m->s;
    held->T = T * m->torque_scale;
}

/* A machine on its way through a period. */
typedef struct pp_pmsm_going {
    const pp_pmsm *m;
    pp_pmsm_state *x;
    pp_energy *energy;
    pp_pmsm_held held;
    pp_real left; /* time to go [s], of adaptive steps */
} pp_pmsm_going;

enum { PP_APART_pmsm = 0 }; /* all lanes sample together: nothing happens within a period */

/* Length of a fixed step [s]. */
PP_INLINE pp_real pp_pmsm_step(const pp_pmsm *m) { return PP_R(2) * m->s; }

/* `groups` machines move by fixed steps over one control period. */
PP_INLINE void pp_pmsm_move(const pp_pmsm_going *on, int groups, int substeps, int features)
{
    const pp_real third = pp_set(PP_R(1.0 / 3));
    pp_pmsm_state x[PP_GROUPS_MAX];
    pp_pmsm_held held[PP_GROUPS_MAX];
    pp_energy energy[PP_GROUPS_MAX];
    pp_going going[PP_GROUPS_MAX];
    pp_real sum[PP_GROUPS_MAX][PP_VALUES_MAX];
    for (int g = 0; g < groups; g++) {
        x[g] = *on[g].x;
        held[g] = on[g].held;
        energy[g] = *on[g].energy;
        going[g] = (pp_going){
            .model = on[g].m,
            .y = (const pp_real *)&x[g],
            .held = &held[g],
            .h = pp_set(0),
            .energy = &energy[g],
        };
    }
    for (int i = 0; i < substeps; i++) {
        pp_rk4(&PP_PMSM_ODE, going, groups, features, sum);
#pragma GCC unroll 4
        for (int g = 0; g < groups; g++) {
            const pp_pmsm_state *k = (const pp_pmsm_state *)sum[g];
            x[g].d += third * k->d;
            x[g].q += third * k->q;
            x[g].w += third * k->w;
            x[g].ud += third * k->ud;
            x[g].uq += third * k->uq;
            if (features & PP_HAS_ANGLE)
                x[g].theta += third * on[g].m->p_inv * k->theta;
        }
    }
    for (int g = 0; g < groups; g++) {
        *on[g].x = x[g];
        *on[g].energy = energy[g];
    }
}

/* Rates of the state and the energies for adaptive steps, in seconds (s = 1). */
PP_INLINE void pp_pmsm_flow(const void *model, const void *held, const pp_real *y, pp_real *k)
{
    pp_energy *e = (pp_energy *)&k[6];
    pp_pmsm_rates(model, held, y, k, PP_HAS_SHAFT);
    k[5] = k[5] * ((const pp_pmsm *)model)->p_inv;
    *e = pp_energy_none();
    pp_pmsm_powers(model, held, y, pp_set(3), e); /* weight 3 undoes the third of an RK4 step */
}

PP_INLINE void pp_pmsm_scales(const pp_tolerance *t, pp_real *scale)
{
    scale[0] = t->flux;
    scale[1] = t->flux;
    scale[2] = t->speed;
    scale[3] = t->voltage;
    scale[4] = t->voltage;
}

static const pp_flow_ode PP_PMSM_FLOW = {
    .n = 10, .errors = 5, .flow = pp_pmsm_flow, .scales = pp_pmsm_scales};

/* One machine, set up with s = 1, moves over by->span in steps of its own. */
PP_INLINE void pp_pmsm_adapt(pp_pmsm_going *on, const pp_adaptive *by)
{
    pp_real y[PP_RK_MAX];
    *(pp_pmsm_state *)y = *on->x;
    *(pp_energy *)&y[6] = *on->energy;
    pp_dopri(&PP_PMSM_FLOW, on->m, &on->held, y, by);
    *on->x = *(const pp_pmsm_state *)y;
    *on->energy = *(const pp_energy *)&y[6];
}

/* State and energies as they lie in the values of an adaptive step. */
PP_INLINE void pp_pmsm_unpack(const pp_real *y, const void *held, pp_pmsm_state *x,
                              pp_energy *energy)
{
    (void)held;
    *x = *(const pp_pmsm_state *)y;
    *energy = *(const pp_energy *)&y[6];
}

/* Square of the stator current's amplitude [A^2]. */
PP_INLINE pp_real pp_pmsm_square(const pp_pmsm_going *on, const pp_seen *seen)
{
    (void)on;
    return seen->id * seen->id + seen->iq * seen->iq;
}

/* A channel of the machine at a sample, the controller's voltage already set; T: load [N m]. */
PP_INLINE pp_real pp_pmsm_channel(const pp_pmsm_going *on, const pp_seen *seen, pp_real T,
                                  pp_channel channel)
{
    const pp_pmsm *m = on->m;
    const pp_pmsm_state *x = on->x;
    const pp_real id = seen->id;
    const pp_real iq = seen->iq;
    const pp_real omega = seen->omega_m;
    switch (channel) {
    case PP_CHANNEL_id: return id;
    case PP_CHANNEL_iq: return iq;
    case PP_CHANNEL_i_s: return pp_sqrt(id * id + iq * iq);
    case PP_CHANNEL_ud: return x->ud * m->s_inv;
    case PP_CHANNEL_uq: return x->uq * m->s_inv;
    case PP_CHANNEL_omega_m: return omega;
    case PP_CHANNEL_theta_m: return x->theta;
    case PP_CHANNEL_torque: return x->q * (m->k1 + m->k2 * x->d) * m->unscale;
    case PP_CHANNEL_torque_load:
        return T + (m->viscous * x->w + pp_pmsm_friction(m, x->w)) * m->unscale;
    case PP_CHANNEL_ia: return pp_phase_current(id, iq, x->theta * m->pole_pairs, 0);
    case PP_CHANNEL_ib: return pp_phase_current(id, iq, x->theta * m->pole_pairs, 1);
    case PP_CHANNEL_ic: return pp_phase_current(id, iq, x->theta * m->pole_pairs, 2);
    case PP_CHANNEL_i_bus: return PP_R(1.5) * m->s_inv * (x->ud * id + x->uq * iq) * m->u_dc_inv;
    case PP_CHANNEL_energy_stored:
        return PP_R(0.5) * m->J * omega * omega + PP_R(0.75) * (x->d * id + x->q * iq);
    default: return pp_energy_channel(on->energy, channel);
    }
}

#endif
