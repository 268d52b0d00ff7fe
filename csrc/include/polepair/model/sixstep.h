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

#include "polepair/model/plant.h"

typedef struct pp_bldc {
    pp_real R, L_inv, L, ke, p, J_inv, J, viscous, coulomb,
        quadratic;                               /* coulomb: also the slope below 1 rad/s */
    pp_real Udc, Vd, load_viscous, load_coulomb; /* the load's share of the two frictions */
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

PP_INLINE pp_real pp_bldc_dry(const pp_bldc *m, pp_real w)
{
    return pp_clamp(m->coulomb * w, -m->coulomb, m->coulomb);
}

PP_INLINE pp_real pp_bldc_friction(const pp_bldc *m, pp_real w)
{
    return m->viscous * w + pp_bldc_dry(m, w) + m->quadratic * w * pp_abs(w);
}

PP_INLINE pp_bldc_rates pp_bldc_rate(const pp_bldc *m, const pp_bldc_state *x, pp_bldc_input in,
                                     int with)
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

PP_INLINE pp_bldc_rates pp_bldc_sum(pp_bldc_rates a, pp_bldc_rates b, pp_real weight)
{
    return (pp_bldc_rates){a.s + weight * b.s, a.x + weight * b.x, a.w + weight * b.w,
                           a.phi + weight * b.phi};
}

/* Powers of a stage, weighted into the energies. */
PP_INLINE void pp_bldc_power(const pp_bldc *m, const pp_bldc_state *x, pp_bldc_input in,
                             pp_real weight, pp_energy *e)
{
    pp_real out = x->parity * x->x, high = PP_R(0.5) * (x->s - out),
            low = PP_R(-0.5) * (x->s + out);
    pp_real back =
        pp_select(x->parity < PP_R(0), m->Udc * x->x, pp_set(0)); /* freewheeling into the bus */
    pp_real viscous = m->viscous * x->w, dry = pp_bldc_dry(m, x->w), mech = weight * x->w;
    e->in += weight * (in.u * high - back);
    e->copper += weight * (m->R * (high * high + low * low + out * out) + m->Vd * x->x);
    e->load += mech * (in.T + m->load_viscous * viscous + m->load_coulomb * dry +
                       m->quadratic * x->w * pp_abs(x->w));
    e->friction += mech * (viscous - m->load_viscous * viscous + dry - m->load_coulomb * dry);
}

/* A machine on its way through a step; left: time to go [s]. */
typedef struct pp_bldc_going {
    const pp_bldc *m;
    pp_bldc_state *x;
    pp_energy *e;
    pp_bldc_input in;
    pp_real left;
} pp_bldc_going;

/* One RK4 step of length h inside the sector of `groups` independent machines, stage by stage, so that the processor
 * always has work that does not wait for the stage before. k1: the rates at the start. */
PP_INLINE void pp_bldc_rk4(const pp_bldc_going *on, const pp_bldc_rates *k1, const pp_real *h,
                           int groups, int with)
{
    pp_bldc_rates k[PP_GROUPS_MAX], sum[PP_GROUPS_MAX], middle[PP_GROUPS_MAX];
#pragma GCC unroll 4
    for (int stage = 0; stage < 4; stage++)
#pragma GCC unroll 4
        for (int g = 0; g < groups; g++) {
            pp_real half = PP_R(0.5) * h[g], sixth = h[g] * PP_R(1.0 / 6);
            pp_bldc_state y =
                stage == 0 ? *on[g].x : pp_bldc_move(*on[g].x, k[g], stage == 3 ? h[g] : half);
            k[g] = stage == 0 ? k1[g] : pp_bldc_rate(on[g].m, &y, on[g].in, with);
            if (with & PP_WITH_ENERGY)
                pp_bldc_power(on[g].m, &y, on[g].in,
                              stage == 0 || stage == 3 ? sixth : sixth + sixth, on[g].e);
            if (stage == 0)
                sum[g] = k[g];
            else if (stage == 1)
                middle[g] = k[g];
            else if (stage == 2)
                middle[g] = pp_bldc_sum(middle[g], k[g], pp_set(1));
            else
                sum[g] = pp_bldc_sum(pp_bldc_sum(sum[g], middle[g], pp_set(2)), k[g], pp_set(1));
        }
#pragma GCC unroll 4
    for (int g = 0; g < groups; g++)
        *on[g].x = pp_bldc_move(*on[g].x, sum[g], h[g] * PP_R(1.0 / 6));
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

/* What the rates at the start of a step foretell, to second order: when the sector ends, when the outgoing current does. */
typedef struct pp_bldc_forecast {
    pp_bldc_rates k;
    pp_real turn, die, h; /* [s]; h: the first of both and the step's end */
    pp_mask conducts;
} pp_bldc_forecast;

PP_INLINE pp_bldc_forecast pp_bldc_foresee(const pp_bldc_going *on, int with)
{
    const pp_bldc *m = on->m;
    const pp_bldc_state *x = on->x;
    const pp_real left = on->left;
    const pp_scalar end = PP_R(PP_PI / 3), ahead = PP_R(1.5);
    pp_bldc_forecast f;
    f.k = pp_bldc_rate(m, x, on->in, with);
    f.conducts = x->active > PP_R(0);
    f.turn = f.die = pp_set(PP_R(1e30));
    pp_mask near = (x->phi + ahead * left * f.k.phi >= end) |
                   (f.conducts & (x->x + ahead * left * f.k.x <= PP_R(0)));
    if (pp_any(near)) {
        f.turn = pp_arrival(pp_max(end - x->phi, pp_set(0)), f.k.phi, m->p * f.k.w);
        f.die = pp_select(f.conducts, pp_arrival(x->x, -f.k.x, pp_bldc_fall(m, x, f.k)), f.die);
    }
    f.h = pp_min(left, pp_min(f.turn, f.die));
    return f;
}

/* After the step of f.h: a first-order correction takes what the forecast of an event missed, and the event happens. */
PP_INLINE void pp_bldc_settle(pp_bldc_going *on, pp_bldc_forecast f, int with)
{
    const pp_bldc *m = on->m;
    const pp_real left = on->left;
    pp_bldc_state *x = on->x;
    const pp_scalar end = PP_R(PP_PI / 3);
    pp_bldc_state y = *x;
    pp_mask open = left > PP_R(0);
    pp_mask turned = open & (((f.turn < left) & (f.turn <= f.die)) | (y.phi >= end));
    pp_mask died = open & f.conducts & (((f.die < left) & (f.die < f.turn)) | (y.x <= PP_R(0)));
    on->left = pp_set(0);
    if (!pp_any(turned | died))
        return;
    pp_bldc_rates k = pp_bldc_rate(m, &y, on->in, with);
    pp_real fix_turn = (end - y.phi) / pp_select(turned, k.phi, pp_set(1));
    pp_real fix_die = -y.x / pp_select(died, k.x, pp_set(1));
    died = died & (pp_not(turned) | (fix_die < fix_turn));
    turned = turned & pp_not(died);
    pp_real fix = pp_select(turned, fix_turn, pp_select(died, fix_die, pp_set(0)));
    y = pp_bldc_move(y, k, fix);
    if (with & PP_WITH_ENERGY)
        pp_bldc_power(m, &y, on->in, fix, on->e);
    y.x = pp_select(died, pp_set(0), y.x);
    y.active = pp_select(died, pp_set(0), y.active);
    pp_bldc_state z = pp_bldc_commutate(y);
    x->s = pp_select(turned, z.s, y.s);
    x->x = pp_select(turned, z.x, y.x);
    x->w = y.w;
    x->phi = pp_select(turned, z.phi, y.phi);
    x->active = pp_select(turned, z.active, y.active);
    x->parity = pp_select(turned, z.parity, y.parity);
    x->sector = pp_select(turned, z.sector, y.sector);
    on->left = pp_select(turned | died, pp_max(left - f.h - fix, pp_set(0)), pp_set(0));
}

/* One segment of `groups` machines: to the next event inside the time that is left, which happens, or to its end. Where an
 * event is near, its time is predicted to second order from the rates at hand; one RK4 step leads there, and a first-order
 * correction follows (the prediction misses by O(h^3), so what remains is O(h^6)). Machines with no time left stand still,
 * so that lanes which diverge at their events need not wait for each other. */
enum { PP_BLDC_SEGMENTS_MAX = 12 }; /* of a step; more can only be a state without sense */
PP_INLINE void pp_bldc_segment(pp_bldc_going *on, int groups, int with)
{
    pp_bldc_forecast f[PP_GROUPS_MAX];
    pp_bldc_rates k[PP_GROUPS_MAX];
    pp_real h[PP_GROUPS_MAX];
#pragma GCC unroll 4
    for (int g = 0; g < groups; g++) {
        f[g] = pp_bldc_foresee(&on[g], with);
        k[g] = f[g].k;
        h[g] = f[g].h;
    }
    pp_bldc_rk4(on, k, h, groups, with);
#pragma GCC unroll 4
    for (int g = 0; g < groups; g++)
        pp_bldc_settle(&on[g], f[g], with);
}

/* Advances by a step, event by event. */
PP_INLINE void pp_bldc_advance(const pp_bldc *m, pp_bldc_state *x, pp_bldc_input in, pp_real step,
                               int with, pp_energy *e)
{
    pp_bldc_going on = {m, x, e, in, step};
    for (int n = 0; n < PP_BLDC_SEGMENTS_MAX && pp_any(on.left > PP_R(0)); n++)
        pp_bldc_segment(&on, 1, with);
}

/* Currents of phases a, b, c. */
PP_INLINE void pp_bldc_currents(const pp_bldc_state *x, pp_real *a, pp_real *b, pp_real *c)
{
    pp_real out = x->parity * x->x, high = PP_R(0.5) * (x->s - out),
            low = PP_R(-0.5) * (x->s + out);
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
    *b = pp_select((k == PP_R(2)) | (k == PP_R(3)), high,
                   pp_select((k == PP_R(0)) | (k == PP_R(5)), low, out));
    *c = -(*a + *b);
}

#endif
