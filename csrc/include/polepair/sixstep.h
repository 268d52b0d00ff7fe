/* polepair/sixstep.h: six-step BLDC inside one 60-degree sector, written against pp_real.
 *
 * Star winding, trapezoidal EMF with a 120-degree flat top, ideal switches, diodes with a drop. In a sector one phase is
 * tied high, one low, the third frees its current through a diode and then floats. With s = i_high - i_low, x = current
 * of the outgoing phase counted positive while its diode conducts, phi = angle since the sector's start,
 * r = 1 - 6 phi/pi and e = ke w, both sector parities share the equations
 *   L s' = u - 2 e - R s                       u = duty Udc
 *   L x' = -(v + 2 Vd + 2 e r)/3 - R x         v = u (high phase going out) or 2 Udc - u (low phase going out)
 *   J w' = ke (s + r x) - T,   phi' = p w
 * x stays 0 once it is extinguished. At the sector's end the roles turn: x <- (x + s)/2, s <- (s - 3 x)/2. */
#ifndef POLEPAIR_SIXSTEP_H
#define POLEPAIR_SIXSTEP_H

#include "polepair/plant.h"

typedef struct pp_bldc {
    pp_real R, L_inv, L, ke, p, J_inv, J, viscous, coulomb, quadratic; /* coulomb: also the slope below 1 rad/s */
    pp_real Udc, Vd, load_viscous, load_coulomb;                       /* the load's share of the two frictions */
} pp_bldc;

typedef struct pp_bldc_state {
    pp_real s, x, w, phi;
    pp_real active; /* 1 while the outgoing phase conducts, else 0 */
    pp_real parity; /* +1: the high phase goes out, -1: the low phase */
    pp_real sector; /* sectors passed since the start */
} pp_bldc_state;

/* Inputs held over a step: bus share u = duty Udc and the load torque. */
typedef struct pp_bldc_input {
    pp_real u, T;
} pp_bldc_input;

typedef struct pp_bldc_rates {
    pp_real s, x, w, phi;
} pp_bldc_rates;

PP_INLINE pp_real pp_bldc_dry(const pp_bldc *m, pp_real w) { return pp_clamp(m->coulomb * w, -m->coulomb, m->coulomb); }

PP_INLINE pp_real pp_bldc_friction(const pp_bldc *m, pp_real w)
{
    return m->viscous * w + pp_bldc_dry(m, w) + m->quadratic * w * pp_abs(w);
}

PP_INLINE pp_bldc_rates pp_bldc_rate(const pp_bldc *m, const pp_bldc_state *x, pp_bldc_input in)
{
    const pp_scalar slope = PP_R(6 / PP_PI);
    pp_bldc_rates k;
    pp_real e = m->ke * x->w, r = PP_R(1) - slope * x->phi;
    pp_real v = m->Udc + x->parity * (in.u - m->Udc);
    k.s = (in.u - (e + e) - m->R * x->s) * m->L_inv;
    k.x = x->active * (PP_R(-1.0 / 3) * (v + PP_R(2) * (m->Vd + e * r)) - m->R * x->x) * m->L_inv;
    k.w = (m->ke * (x->s + r * x->x) - in.T - pp_bldc_friction(m, x->w)) * m->J_inv;
    k.phi = m->p * x->w;
    return k;
}

PP_INLINE pp_bldc_state pp_bldc_move(pp_bldc_state x, pp_bldc_rates k, pp_real h)
{
    x.s += h * k.s;
    x.x += h * k.x;
    x.w += h * k.w;
    x.phi += h * k.phi;
    return x;
}

/* Powers of a stage, weighted into the energies. */
PP_INLINE void pp_bldc_power(const pp_bldc *m, const pp_bldc_state *x, pp_bldc_input in, pp_real weight, pp_energy *e)
{
    pp_real out = x->parity * x->x, high = PP_R(0.5) * (x->s - out), low = PP_R(-0.5) * (x->s + out);
    pp_real back = pp_select(x->parity < PP_R(0), m->Udc * x->x, pp_set(0)); /* freewheeling into the bus */
    pp_real viscous = m->viscous * x->w, dry = pp_bldc_dry(m, x->w), mech = weight * x->w;
    e->in += weight * (in.u * high - back);
    e->copper += weight * (m->R * (high * high + low * low + out * out) + m->Vd * x->x);
    e->load += mech * (in.T + m->load_viscous * viscous + m->load_coulomb * dry + m->quadratic * x->w * pp_abs(x->w));
    e->friction += mech * (viscous - m->load_viscous * viscous + dry - m->load_coulomb * dry);
}

/* One RK4 step of length h inside the sector. */
PP_INLINE pp_bldc_state pp_bldc_rk4(const pp_bldc *m, pp_bldc_state x, pp_bldc_input in, pp_real h, int with,
                                    pp_energy *e)
{
    pp_real half = PP_R(0.5) * h, sixth = h * PP_R(1.0 / 6);
    pp_bldc_rates k1 = pp_bldc_rate(m, &x, in);
    pp_bldc_state y2 = pp_bldc_move(x, k1, half);
    pp_bldc_rates k2 = pp_bldc_rate(m, &y2, in);
    pp_bldc_state y3 = pp_bldc_move(x, k2, half);
    pp_bldc_rates k3 = pp_bldc_rate(m, &y3, in);
    pp_bldc_state y4 = pp_bldc_move(x, k3, h);
    pp_bldc_rates k4 = pp_bldc_rate(m, &y4, in);
    if (with & PP_WITH_ENERGY) {
        pp_bldc_power(m, &x, in, sixth, e);
        pp_bldc_power(m, &y2, in, sixth + sixth, e);
        pp_bldc_power(m, &y3, in, sixth + sixth, e);
        pp_bldc_power(m, &y4, in, sixth, e);
    }
    x.s += sixth * (k1.s + PP_R(2) * (k2.s + k3.s) + k4.s);
    x.x += sixth * (k1.x + PP_R(2) * (k2.x + k3.x) + k4.x);
    x.w += sixth * (k1.w + PP_R(2) * (k2.w + k3.w) + k4.w);
    x.phi += sixth * (k1.phi + PP_R(2) * (k2.phi + k3.phi) + k4.phi);
    return x;
}

/* Time in (0, h) at which the cubic through (0, g0, slope d0) and (h, g1, slope d1) with g0 < 0 <= g1 crosses zero. */
PP_INLINE pp_real pp_cubic_zero(pp_real g0, pp_real d0, pp_real g1, pp_real d1, pp_real h)
{
    pp_real a0 = h * d0, a1 = h * d1, c = g1 - g0;
    pp_real b2 = PP_R(3) * c - PP_R(2) * a0 - a1, b3 = a0 + a1 - PP_R(2) * c; /* g = g0 + a0 z + b2 z^2 + b3 z^3 */
    pp_real z = pp_clamp(-g0 / pp_max(c, pp_set(PP_R(1e-30))), pp_set(0), pp_set(1));
    for (int i = 0; i < 2; i++) { /* the first-order correction after the step takes what is left */
        pp_real g = g0 + z * (a0 + z * (b2 + z * b3)), dg = a0 + z * (PP_R(2) * b2 + z * (PP_R(3) * b3));
        z = pp_clamp(z - g / pp_select(dg > PP_R(0), dg, c), pp_set(0), pp_set(1));
    }
    return z * h;
}

/* End of a sector: the roles of the phases turn. */
PP_INLINE pp_bldc_state pp_bldc_commutate(pp_bldc_state x)
{
    pp_real s = x.s, out = x.x;
    x.s = PP_R(0.5) * (s - PP_R(3) * out);
    x.x = PP_R(0.5) * (s + out);
    x.phi = pp_set(0);
    x.parity = -x.parity;
    x.sector += PP_R(1);
    x.active = pp_select(x.x > PP_R(0), pp_set(1), pp_set(0));
    return x;
}

/* Advances by `left`, stopping at the events inside and applying them; the located step is one RK4 step to the zero of
 * the cubic through both ends, then a first-order correction over the remaining 1e-9 of the step. */
PP_INLINE void pp_bldc_advance(const pp_bldc *m, pp_bldc_state *state, pp_bldc_input in, pp_real left, int with,
                               pp_energy *e)
{
    const pp_scalar end = PP_R(PP_PI / 3);
    for (int guard = 0; guard < 12 && pp_any(left > PP_R(0)); guard++) {
        pp_bldc_state x = *state;
        pp_energy before = {pp_set(0), pp_set(0), pp_set(0), pp_set(0)};
        if (with & PP_WITH_ENERGY)
            before = *e;
        pp_bldc_state y = pp_bldc_rk4(m, x, in, left, with, e);
        pp_mask turned = y.phi >= end, died = (x.active > PP_R(0)) & (y.x <= PP_R(0));
        if (!pp_any(turned | died)) {
            *state = y;
            return;
        }
        pp_bldc_rates dx = pp_bldc_rate(m, &x, in), dy = pp_bldc_rate(m, &y, in);
        pp_real t_turn = pp_cubic_zero(x.phi - end, dx.phi, y.phi - end, dy.phi, left);
        pp_real t_die = pp_cubic_zero(-x.x, -dx.x, -y.x, -dy.x, left);
        t_turn = pp_select(turned, t_turn, left);
        t_die = pp_select(died, t_die, left);
        died = died & (pp_not(turned) | (t_die < t_turn));
        turned = turned & pp_not(died);
        pp_real t = pp_select(died, t_die, t_turn);
        if (with & PP_WITH_ENERGY)
            *e = before;
        y = pp_bldc_rk4(m, x, in, t, with, e);
        dy = pp_bldc_rate(m, &y, in);
        pp_real fix = pp_select(turned, (end - y.phi) / pp_select(turned, dy.phi, pp_set(1)), pp_set(0));
        fix = pp_select(died, -y.x / pp_select(died, dy.x, pp_set(1)), fix);
        y = pp_bldc_move(y, dy, fix);
        if (with & PP_WITH_ENERGY)
            pp_bldc_power(m, &y, in, fix, e);
        y.x = pp_select(died, pp_set(0), y.x);
        y.active = pp_select(died, pp_set(0), y.active);
        pp_bldc_state z = pp_bldc_commutate(y);
        state->s = pp_select(turned, z.s, y.s);
        state->x = pp_select(turned, z.x, y.x);
        state->w = y.w;
        state->phi = pp_select(turned, z.phi, y.phi);
        state->active = pp_select(turned, z.active, y.active);
        state->parity = pp_select(turned, z.parity, y.parity);
        state->sector = pp_select(turned, z.sector, y.sector);
        left = pp_select(turned | died, pp_max(left - t - fix, pp_set(0)), pp_set(0));
    }
}

/* Currents of phases a, b, c. */
PP_INLINE void pp_bldc_currents(const pp_bldc_state *x, pp_real *a, pp_real *b, pp_real *c)
{
    pp_real out = x->parity * x->x, high = PP_R(0.5) * (x->s - out), low = PP_R(-0.5) * (x->s + out);
    /* high, low, outgoing by sector: abc, acb, bca, bac, cab, cba */
    pp_real turns = pp_set(0), k = x->sector;
#if PP_LANES == 1
    turns = (pp_real)(int64_t)(k * PP_R(1.0 / 6));
#else
    for (int l = 0; l < PP_LANES; l++)
        turns[l] = (pp_scalar)(int64_t)(k[l] * PP_R(1.0 / 6));
#endif
    k = k - PP_R(6) * turns;
    *a = pp_select(k < PP_R(2), high, pp_select((k == PP_R(2)) | (k == PP_R(5)), out, low));
    *b = pp_select((k == PP_R(2)) | (k == PP_R(3)), high, pp_select((k == PP_R(0)) | (k == PP_R(5)), low, out));
    *c = -(*a + *b);
}

#endif
