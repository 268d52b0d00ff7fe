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

PP_INLINE pp_bldc_rates pp_bldc_rate(const pp_bldc *m, const pp_bldc_state *x, pp_bldc_input in, int with)
{
    const pp_scalar slope = PP_R(6 / PP_PI);
    pp_bldc_rates k;
    pp_real e = m->ke * x->w, r = PP_R(1) - slope * x->phi;
    pp_real v = m->Udc + x->parity * (in.u - m->Udc);
    k.s = (in.u - (e + e) - m->R * x->s) * m->L_inv;
    k.x = x->active * (PP_R(-1.0 / 3) * (v + PP_R(2) * (m->Vd + e * r)) - m->R * x->x) * m->L_inv;
    pp_real drag = with & PP_WITH_FRICTION ? pp_bldc_friction(m, x->w) : m->viscous * x->w;
    k.w = (m->ke * (x->s + r * x->x) - in.T - drag) * m->J_inv;
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
    pp_bldc_rates k1 = pp_bldc_rate(m, &x, in, with);
    pp_bldc_state y2 = pp_bldc_move(x, k1, half);
    pp_bldc_rates k2 = pp_bldc_rate(m, &y2, in, with);
    pp_bldc_state y3 = pp_bldc_move(x, k2, half);
    pp_bldc_rates k3 = pp_bldc_rate(m, &y3, in, with);
    pp_bldc_state y4 = pp_bldc_move(x, k3, h);
    pp_bldc_rates k4 = pp_bldc_rate(m, &y4, in, with);
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

/* Smallest positive time at which distance = speed t + rise t^2/2 (distance >= 0); huge where there is none. */
PP_INLINE pp_real pp_arrival(pp_real distance, pp_real speed, pp_real rise)
{
    pp_real disc = speed * speed + PP_R(2) * rise * distance, never = pp_set(PP_R(1e30));
    pp_real sum = speed + pp_sqrt(pp_max(disc, pp_set(0)));
    pp_mask comes = (disc >= PP_R(0)) & (sum > PP_R(1e-30));
    return pp_select(comes, PP_R(2) * distance / pp_select(comes, sum, pp_set(1)), never);
}

/* Second derivative of the outgoing current, negated: it falls at -x' and this is how fast that grows. */
PP_INLINE pp_real pp_bldc_fall(const pp_bldc *m, const pp_bldc_state *x, pp_bldc_rates k)
{
    const pp_scalar slope = PP_R(6 / PP_PI);
    pp_real r = PP_R(1) - slope * x->phi, er = m->ke * (k.w * r - x->w * slope * k.phi);
    return (PP_R(2.0 / 3) * er + m->R * k.x) * m->L_inv;
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

/* Advances by `left`, stopping at the events inside and applying them. Where one is near, its time is predicted to second
 * order from the rates at hand; one RK4 step leads there, and a first-order correction takes what the prediction missed
 * (it misses by O(h^3), so what remains is O(h^6)). One step per segment lets lanes diverge cheaply. */
PP_INLINE void pp_bldc_advance(const pp_bldc *m, pp_bldc_state *state, pp_bldc_input in, pp_real left, int with,
                               pp_energy *e)
{
    const pp_scalar end = PP_R(PP_PI / 3), ahead = PP_R(1.5);
    for (int guard = 0; guard < 12; guard++) {
        pp_bldc_state x = *state;
        pp_bldc_rates k = pp_bldc_rate(m, &x, in, with);
        pp_mask conducts = x.active > PP_R(0);
        pp_mask near = (x.phi + ahead * left * k.phi >= end) | (conducts & (x.x + ahead * left * k.x <= PP_R(0)));
        pp_real never = pp_set(PP_R(1e30)), t_turn = never, t_die = never;
        if (pp_any(near)) {
            t_turn = pp_arrival(pp_max(end - x.phi, pp_set(0)), k.phi, m->p * k.w);
            t_die = pp_select(conducts, pp_arrival(x.x, -k.x, pp_bldc_fall(m, &x, k)), never);
        }
        pp_real h = pp_min(left, pp_min(t_turn, t_die));
        pp_bldc_state y = pp_bldc_rk4(m, x, in, h, with, e);
        pp_mask open = left > PP_R(0);
        pp_mask turned = open & (((t_turn < left) & (t_turn <= t_die)) | (y.phi >= end));
        pp_mask died = open & conducts & (((t_die < left) & (t_die < t_turn)) | (y.x <= PP_R(0)));
        if (!pp_any(turned | died)) {
            *state = y;
            return;
        }
        k = pp_bldc_rate(m, &y, in, with);
        pp_real fix_turn = (end - y.phi) / pp_select(turned, k.phi, pp_set(1));
        pp_real fix_die = -y.x / pp_select(died, k.x, pp_set(1));
        died = died & (pp_not(turned) | (fix_die < fix_turn));
        turned = turned & pp_not(died);
        pp_real fix = pp_select(turned, fix_turn, pp_select(died, fix_die, pp_set(0)));
        y = pp_bldc_move(y, k, fix);
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
        left = pp_select(turned | died, pp_max(left - h - fix, pp_set(0)), pp_set(0));
        if (!pp_any(left > PP_R(0)))
            return;
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
