/* polepair/model/sixstep_events.h: how a six-step run meets its events, the sector's end and the
 * extinction of a diode: foretold within a fixed step, or located in an adaptive one. */
#ifndef POLEPAIR_SIXSTEP_EVENTS_H
#define POLEPAIR_SIXSTEP_EVENTS_H

#include "polepair/model/dopri.h"
#include "polepair/model/sixstep.h"

/* Smallest positive time at which distance = speed t + rise t^2/2 (distance >= 0); huge where there
 * is none. */
PP_INLINE pp_real pp_arrival(pp_real distance, pp_real speed, pp_real rise)
{
    const pp_real never = pp_set(PP_R(1e30));
    const pp_real discriminant = speed * speed + PP_R(2) * rise * distance;
    const pp_real sum = speed + pp_sqrt(pp_max(discriminant, pp_set(0)));
    const pp_mask comes = (discriminant >= PP_R(0)) & (sum > PP_R(1e-30));
    return pp_select(comes, PP_R(2) * distance / pp_select(comes, sum, pp_set(1)), never);
}

/* Second derivative of the outgoing current, negated: it falls at -x' and this is how fast that
 * grows. */
PP_INLINE pp_real pp_sixstep_fall(const pp_sixstep *m, const pp_sixstep_state *x,
                                  const pp_sixstep_rate *k)
{
    const pp_real r = PP_R(1) - PP_SECTOR_SLOPE * x->phi;
    const pp_real er = m->ke * (k->omega_m * r - x->omega_m * PP_SECTOR_SLOPE * k->phi);
    return (PP_R(2.0 / 3) * er + m->R * k->i_out) * m->L_inv;
}

/* What the rates at the start of a step foretell, to second order. */
typedef struct pp_sixstep_forecast {
    pp_real k[4];      /* rates: pp_sixstep_rate */
    pp_real turn, die; /* when the sector ends, when the outgoing current does [s] */
    pp_real h;         /* the first of both and the step's end [s] */
    pp_mask conducts;
} pp_sixstep_forecast;

PP_INLINE void pp_sixstep_predict_event(const pp_sixstep_going *on, int features,
                                        pp_sixstep_forecast *f)
{
    const pp_sixstep *m = on->m;
    const pp_sixstep_state *x = on->x;
    const pp_sixstep_rate *k = (const pp_sixstep_rate *)f->k;
    const pp_real left = on->left;
    const pp_scalar ahead = PP_R(1.5);
    pp_sixstep_rates(m, &on->held, (const pp_real *)x, f->k, features);
    f->conducts = x->active > PP_R(0);
    f->turn = pp_set(PP_R(1e30));
    f->die = f->turn;
    const pp_mask near = (x->phi + ahead * left * k->phi >= PP_SECTOR) |
                         (f->conducts & (x->i_out + ahead * left * k->i_out <= PP_R(0)));
    if (pp_any(near)) {
        const pp_real dies = pp_arrival(x->i_out, -k->i_out, pp_sixstep_fall(m, x, k));
        f->turn = pp_arrival(pp_max(PP_SECTOR - x->phi, pp_set(0)), k->phi, m->p * k->omega_m);
        f->die = pp_select(f->conducts, dies, f->die);
    }
    f->h = pp_min(left, pp_min(f->turn, f->die));
}

/* The state y after an event: lanes that turned are in the next sector, in those that died a diode
 * is extinguished. */
PP_INLINE void pp_sixstep_apply_event(pp_sixstep_state *x, pp_sixstep_state y, pp_mask turned,
                                      pp_mask died)
{
    y.i_out = pp_select(died, pp_set(0), y.i_out);
    y.active = pp_select(died, pp_set(0), y.active);
    const pp_sixstep_state z = pp_sixstep_commutate(y);
    x->i_span = pp_select(turned, z.i_span, y.i_span);
    x->i_out = pp_select(turned, z.i_out, y.i_out);
    x->omega_m = y.omega_m;
    x->phi = pp_select(turned, z.phi, y.phi);
    x->active = pp_select(turned, z.active, y.active);
    x->parity = pp_select(turned, z.parity, y.parity);
    x->sector = pp_select(turned, z.sector, y.sector);
}

/* After the step of f.h: a first-order correction takes what the forecast of an event missed, and
 * the event happens. */
PP_INLINE void pp_sixstep_finish_event(pp_sixstep_going *on, const pp_sixstep_forecast *f,
                                       int features)
{
    const pp_sixstep *m = on->m;
    const pp_real left = on->left;
    pp_sixstep_state y = *on->x;
    const pp_mask open = left > PP_R(0);
    pp_mask turned = open & (((f->turn < left) & (f->turn <= f->die)) | (y.phi >= PP_SECTOR));
    pp_mask died =
        open & f->conducts & (((f->die < left) & (f->die < f->turn)) | (y.i_out <= PP_R(0)));
    on->left = pp_set(0);
    if (!pp_any(turned | died))
        return;
    pp_real k[4];
    const pp_sixstep_rate *rate = (const pp_sixstep_rate *)k;
    pp_sixstep_rates(m, &on->held, (const pp_real *)&y, k, features);
    const pp_real fix_turn = (PP_SECTOR - y.phi) / pp_select(turned, rate->phi, pp_set(1));
    const pp_real fix_die = -y.i_out / pp_select(died, rate->i_out, pp_set(1));
    died = died & (pp_not(turned) | (fix_die < fix_turn));
    turned = turned & pp_not(died);
    const pp_real fix = pp_select(turned, fix_turn, pp_select(died, fix_die, pp_set(0)));
    pp_sixstep_advance(&y, k, fix);
    if (features & PP_HAS_ENERGY)
        pp_sixstep_powers(m, &on->held, (const pp_real *)&y, fix, on->energy);
    pp_sixstep_apply_event(on->x, y, turned, died);
    on->left = pp_select(turned | died, pp_max(left - f->h - fix, pp_set(0)), pp_set(0));
}

/* One segment of `groups` machines: to the next event inside the time that is left, which happens,
 * or to its end. Where an event is near, its time is predicted to second order from the rates at
 * hand; one RK4 step leads there, and a first-order correction follows (the prediction misses by
 * O(h^3), so what remains is O(h^6)). Machines with no time left stand still, so that lanes which
 * diverge at their events need not wait for each other. */
enum { PP_SIXSTEP_SEGMENTS_MAX = 12 }; /* of a step; more can only be a state without sense */
PP_INLINE void pp_sixstep_segment(pp_sixstep_going *on, int groups, int features)
{
    pp_sixstep_forecast f[PP_GROUPS_MAX];
    pp_real sum[PP_GROUPS_MAX][PP_VALUES_MAX];
    pp_going going[PP_GROUPS_MAX];
#pragma GCC unroll 4
    for (int g = 0; g < groups; g++) {
        pp_sixstep_predict_event(&on[g], features, &f[g]);
        going[g] = (pp_going){
            .model = on[g].m,
            .y = (const pp_real *)on[g].x,
            .held = &on[g].held,
            .h = f[g].h,
            .energy = on[g].energy,
            .first = f[g].k,
        };
    }
    pp_rk4(&PP_SIXSTEP_ODE, going, groups, features, sum);
#pragma GCC unroll 4
    for (int g = 0; g < groups; g++) {
        pp_sixstep_advance(on[g].x, sum[g], f[g].h * PP_R(1.0 / 6));
        pp_sixstep_finish_event(&on[g], &f[g], features);
    }
}

/* Lanes meet their events at different times, so each has a clock of its own: they sample apart. */
enum { PP_APART_sixstep = PP_LANES > 1 };

/* Length of a fixed step [s]. */
PP_INLINE pp_real pp_sixstep_step(const pp_sixstep *m) { return m->step; }

/* Lanes: one segment of what is left of each step. A single machine: all fixed steps of one control
 * period. */
PP_INLINE void pp_sixstep_move(pp_sixstep_going *on, int groups, int substeps, int features)
{
    if (PP_APART_sixstep) {
        pp_sixstep_segment(on, groups, features);
        return;
    }
    for (int i = 0; i < substeps; i++) {
        on->left = on->m->step;
        for (int n = 0; n < PP_SIXSTEP_SEGMENTS_MAX && pp_any(on->left > PP_R(0)); n++)
            pp_sixstep_segment(on, 1, features);
    }
}

/* What stays as it is over an adaptive step: the input and the discrete part of the state. */
typedef struct pp_sixstep_mode {
    pp_sixstep_held in;
    pp_real active, parity, sector;
} pp_sixstep_mode;

PP_INLINE pp_sixstep_state pp_sixstep_state_of(const pp_real *y, const pp_sixstep_mode *mode)
{
    return (pp_sixstep_state){
        .i_span = y[0],
        .i_out = y[1],
        .omega_m = y[2],
        .phi = y[3],
        .active = mode->active,
        .parity = mode->parity,
        .sector = mode->sector,
    };
}

/* State and energies as they lie in the values of an adaptive step. */
PP_INLINE void pp_sixstep_unpack(const pp_real *y, const void *mode, pp_sixstep_state *x,
                                 pp_energy *energy)
{
    *x = pp_sixstep_state_of(y, mode);
    *energy = *(const pp_energy *)&y[4];
}

PP_INLINE void pp_sixstep_flow(const void *model, const void *held, const pp_real *y, pp_real *k)
{
    const pp_sixstep_mode *mode = held;
    const pp_sixstep_state x = pp_sixstep_state_of(y, mode);
    pp_energy *e = (pp_energy *)&k[4];
    pp_sixstep_rates(model, &mode->in, (const pp_real *)&x, k, PP_HAS_SHAFT);
    *e = pp_energy_none();
    pp_sixstep_powers(model, &mode->in, (const pp_real *)&x, pp_set(1), e);
}

PP_INLINE void pp_sixstep_scales(const pp_tolerance *t, pp_real *scale)
{
    scale[0] = t->flux;
    scale[1] = t->flux;
    scale[2] = t->speed;
    scale[3] = pp_set(1); /* rad */
}

enum { PP_SIXSTEP_TURNED, PP_SIXSTEP_DIED }; /* events: the sector's end, a diode's extinction */

/* Looks for the events in the step. Where the step went past one by more than a millionth, it is
 * refused and a shorter one, to the crossing, is asked for. */
PP_INLINE pp_events pp_sixstep_locate(const pp_rk *s, pp_progress *p, const void *held)
{
    const pp_sixstep_mode *mode = held;
    const pp_real end = pp_set(PP_SECTOR);
    const pp_real zero = pp_set(0);
    const pp_mask turning = p->taken & (s->next[3] >= end * PP_R(1 - 1e-6));
    const pp_mask dying =
        p->taken & (mode->active > PP_R(0)) & (s->next[1] <= PP_R(1e-6) * s->y[1]);
    pp_events e = {.event = {turning, dying}, .fix = zero};
    if (!pp_any(turning | dying))
        return e;
    const pp_mask far_turn = turning & (s->next[3] > end * PP_R(1 + 1e-6));
    const pp_mask far_die = dying & (s->next[1] < PP_R(-1e-6) * s->y[1]) & (s->y[1] > PP_R(0));
    if (pp_any(far_turn | far_die)) {
        pp_real f = pp_select(far_turn, pp_rk_crossing(s, 3, end), pp_set(1));
        f = pp_min(f, pp_select(far_die, pp_rk_crossing(s, 1, zero), pp_set(1)));
        const pp_mask again = (far_turn | far_die) & (f * s->h > PP_R(1e-14) * p->step);
        p->step = pp_select(again, f * s->h, p->step);
        p->taken = p->taken & pp_not(again);
    }
    const pp_mask turned = turning & p->taken;
    const pp_mask died = dying & p->taken & pp_not(turned);
    const pp_real to_turn = (end - s->next[3]) / pp_select(turned, s->k[6][3], pp_set(1));
    const pp_real to_die = -s->next[1] / pp_select(died, s->k[6][1], pp_set(1));
    e.event[PP_SIXSTEP_TURNED] = turned;
    e.event[PP_SIXSTEP_DIED] = died;
    e.fix = pp_select(died, to_die, pp_select(turned, to_turn, zero));
    return e;
}

/* Lanes with an event get its new state; s->next is what the step and its fix led to. */
PP_INLINE void pp_sixstep_apply(pp_rk *s, void *held, pp_events e)
{
    pp_sixstep_mode *mode = held;
    const pp_mask turned = e.event[PP_SIXSTEP_TURNED];
    const pp_mask died = e.event[PP_SIXSTEP_DIED];
    const pp_sixstep_state z = pp_sixstep_commutate(pp_sixstep_state_of(s->next, mode));
    s->next[0] = pp_select(turned, z.i_span, s->next[0]);
    s->next[1] = pp_select(turned, z.i_out, pp_select(died, pp_set(0), s->next[1]));
    s->next[3] = pp_select(turned, z.phi, s->next[3]);
    mode->active = pp_select(turned, z.active, pp_select(died, pp_set(0), mode->active));
    mode->parity = pp_select(turned, z.parity, mode->parity);
    mode->sector = pp_select(turned, z.sector, mode->sector);
}

static const pp_flow_ode PP_SIXSTEP_FLOW = {
    .n = 8,
    .errors = 4,
    .flow = pp_sixstep_flow,
    .scales = pp_sixstep_scales,
    .locate = pp_sixstep_locate,
    .apply = pp_sixstep_apply,
};

/* One machine moves over by->span in steps of its own, stopping at commutations and extinctions. */
PP_INLINE void pp_sixstep_adapt(pp_sixstep_going *on, const pp_adaptive *by)
{
    const pp_sixstep_state *x = on->x;
    pp_real y[PP_RK_MAX] = {x->i_span, x->i_out, x->omega_m, x->phi};
    pp_sixstep_mode mode = {
        .in = on->held, .active = x->active, .parity = x->parity, .sector = x->sector};
    *(pp_energy *)&y[4] = *on->energy;
    pp_dopri(&PP_SIXSTEP_FLOW, on->m, &mode, y, by);
    pp_sixstep_unpack(y, &mode, on->x, on->energy);
    on->left = pp_set(0);
}

#endif
