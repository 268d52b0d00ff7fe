/* polepair/adaptive.h: steps of chosen accuracy, written against pp_real, so that every lane has a step of its own.
 * Dormand-Prince 5(4) with continuous extension (Dormand & Prince, J. Comput. Appl. Math. 6(1) 1980; Hairer, Norsett &
 * Wanner, Solving Ordinary Differential Equations I, 2nd ed., II.6). Step control takes the fourth root instead of the
 * fifth, so that two square roots give the same bits everywhere. */
#ifndef POLEPAIR_ADAPTIVE_H
#define POLEPAIR_ADAPTIVE_H

#include "polepair/model/sixstep.h"

/* Relative tolerance and the size of flux (or current), speed and voltage that it also refers to. */
typedef struct pp_tolerance {
    pp_real rtol, flux, speed, voltage;
} pp_tolerance;

enum { PP_RK_MAX = 10, PP_RK_STAGES = 7, PP_RK_TRIES = 20000 };

/* One attempted step from y to next over h, with its stages. */
typedef struct pp_rk {
    pp_real y[PP_RK_MAX], next[PP_RK_MAX], k[PP_RK_STAGES][PP_RK_MAX], h;
} pp_rk;

/* Rates k of the n values y; model and input are held. */
typedef void pp_rk_rates(const void *model, const void *input, const pp_real *y, pp_real *k);

static const double PP_RK_A[PP_RK_STAGES][6] = {
    {0},
    {1.0 / 5},
    {3.0 / 40, 9.0 / 40},
    {44.0 / 45, -56.0 / 15, 32.0 / 9},
    {19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729},
    {9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656},
    {35.0 / 384, 0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84},
};
static const double PP_RK_E[PP_RK_STAGES] = {
    71.0 / 57600, 0, -71.0 / 16695, 71.0 / 1920, -17253.0 / 339200, 22.0 / 525, -1.0 / 40};

/* Stages 1 to 6 from k[0]; leaves the fifth-order result in next and its rates in k[6]. */
PP_INLINE void pp_rk_step(pp_rk *s, int n, pp_rk_rates *rates, const void *model, const void *input)
{
#pragma GCC unroll 7
    for (int stage = 1; stage < PP_RK_STAGES; stage++) {
        for (int i = 0; i < n; i++) {
            pp_real sum = PP_R(PP_RK_A[stage][0]) * s->k[0][i];
            for (int j = 1; j < stage; j++)
                sum += PP_R(PP_RK_A[stage][j]) * s->k[j][i];
            s->next[i] = s->y[i] + s->h * sum;
        }
        rates(model, input, s->next, s->k[stage]);
    }
}

/* Estimated error of value i over `scale` and the value's size, in units of the tolerance. */
PP_INLINE pp_real pp_rk_error(const pp_rk *s, int i, pp_real scale, pp_real rtol)
{
    pp_real e = PP_R(PP_RK_E[0]) * s->k[0][i];
    for (int j = 2; j < PP_RK_STAGES; j++)
        e += PP_R(PP_RK_E[j]) * s->k[j][i];
    return pp_abs(s->h * e) / (rtol * (scale + pp_max(pp_abs(s->y[i]), pp_abs(s->next[i]))));
}

/* Factor for the next step after an error (1: just accepted). */
PP_INLINE pp_real pp_rk_factor(pp_real error)
{
    pp_real root = pp_sqrt(pp_sqrt(pp_max(error, pp_set(PP_R(1e-12)))));
    return pp_select(error < PP_R(1e12), pp_clamp(PP_R(0.9) / root, pp_set(PP_R(0.2)), pp_set(5)),
                     pp_set(PP_R(0.1)));
}

/* The tolerance that the precision of the build can hold. */
PP_INLINE pp_real pp_rk_tolerance(const pp_tolerance *t)
{
    return pp_max(t->rtol, pp_set(sizeof(pp_scalar) == 4 ? PP_R(3e-6) : PP_R(1e-13)));
}

/* Value i at the fraction f of the step. */
PP_INLINE pp_real pp_rk_between(const pp_rk *s, int i, pp_real f)
{
    static const double d[PP_RK_STAGES] = {
        -12715105075.0 / 11282082432,  0,
        87487479700.0 / 32700410799,   -10690763975.0 / 1880347072,
        701980252875.0 / 199316789632, -1453857185.0 / 822651844,
        69997945.0 / 29380423};
    pp_real rise = s->next[i] - s->y[i], bend = s->h * s->k[0][i] - rise,
            twist = rise - s->h * s->k[6][i] - bend;
    pp_real rest = pp_set(0), g = PP_R(1) - f;
    for (int j = 0; j < PP_RK_STAGES; j++)
        rest += PP_R(d[j]) * s->k[j][i];
    return s->y[i] + f * (rise + g * (bend + f * (twist + g * s->h * rest)));
}

/* A step's progress through a period, lane by lane: time left, step to try, which lanes took it. */
typedef struct pp_progress {
    pp_real left, step;
    pp_mask taken;
} pp_progress;

/* Takes or refuses the step just tried; a step cut short by the period's end does not shrink the next one. */
PP_INLINE void pp_rk_judge(pp_progress *p, pp_real h, pp_real error)
{
    pp_mask open = p->left > PP_R(0), good = error <= PP_R(1);
    pp_real wish = h * pp_rk_factor(error);
    wish = pp_select(good & (h < p->step), pp_max(wish, p->step), wish);
    p->step = pp_select(open, wish, p->step);
    p->taken = open & good;
}

/* Called with every step taken, the rates' input, and where in the period it begins; NULL: nobody looks. */
typedef void pp_rk_watch(void *who, const pp_rk *step, const void *input, pp_real begin);

PP_INLINE void pp_pmsm_rates(const void *model, const void *load, const pp_real *y, pp_real *k)
{
    const pp_pmsm *m = model;
    const pp_pmsm_state x = {y[0], y[1], y[2], y[3], y[4], y[5]};
    pp_real T = *(const pp_real *)load;
    pp_pmsm_state r = pp_pmsm_rate(m, x, T, PP_WITH_EVERYTHING);
    pp_energy e = {pp_set(0), pp_set(0), pp_set(0), pp_set(0)};
    pp_pmsm_power(m, x, T, pp_set(3), &e); /* weight 3 undoes the third of an RK4 step */
    k[0] = r.d, k[1] = r.q, k[2] = r.w, k[3] = r.ud, k[4] = r.uq, k[5] = r.theta * m->p_inv;
    k[6] = e.in, k[7] = e.copper, k[8] = e.friction, k[9] = e.load;
}

/* Moves a machine set up with s = 1 over `span` [s]; *step is the step to begin with (0: the span) and is kept. Gives
 * NaN where the tolerance cannot be held. T: scaled load torque. */
PP_INLINE void pp_pmsm_adapt(const pp_pmsm *m, pp_pmsm_state *x, pp_real T, pp_real span,
                             const pp_tolerance *tol, pp_real *step, pp_energy *energy,
                             pp_rk_watch *watch, void *who)
{
    enum { N = 10 };
    pp_rk s;
    pp_real rtol = pp_rk_tolerance(tol);
    const pp_real first[N] = {x->d,        x->q,           x->w,
                              x->ud,       x->uq,          x->theta,
                              energy->in,  energy->copper, energy->friction,
                              energy->load};
    for (int i = 0; i < N; i++)
        s.y[i] = first[i];
    pp_progress p = {span, pp_select(*step > PP_R(0), *step, span), pp_mask_none()};
    pp_pmsm_rates(m, &T, s.y, s.k[0]);
    for (int tries = 0; pp_any(p.left > PP_R(0)); tries++) {
        s.h = pp_min(p.left, p.step);
        pp_rk_step(&s, N, pp_pmsm_rates, m, &T);
        pp_real error =
            pp_max(pp_rk_error(&s, 0, tol->flux, rtol), pp_rk_error(&s, 1, tol->flux, rtol));
        error = pp_max(error, pp_rk_error(&s, 2, tol->speed, rtol));
        error = pp_max(error, pp_max(pp_rk_error(&s, 3, tol->voltage, rtol),
                                     pp_rk_error(&s, 4, tol->voltage, rtol)));
        error = pp_select(s.next[0] - s.next[0] == PP_R(0), error, pp_set(PP_R(1e30)));
        /* A state that is lost already has nothing to refuse: the run ends and says so. */
        error = pp_select(s.y[0] - s.y[0] == PP_R(0), error, pp_set(0));
        pp_rk_judge(&p, s.h, tries < PP_RK_TRIES ? error : pp_set(0));
        if (watch && pp_any(p.taken))
            watch(who, &s, &T, span - p.left);
        pp_real poison = pp_set(tries < PP_RK_TRIES ? 0 : (pp_scalar)__builtin_nan(""));
        for (int i = 0; i < N; i++) {
            s.y[i] = pp_select(p.taken, s.next[i] + poison, s.y[i]);
            s.k[0][i] = pp_select(p.taken, s.k[6][i], s.k[0][i]);
        }
        p.left = pp_select(p.taken, p.left - s.h, p.left);
    }
    *x = (pp_pmsm_state){s.y[0], s.y[1], s.y[2], s.y[3], s.y[4], s.y[5]};
    *energy = (pp_energy){s.y[6], s.y[7], s.y[8], s.y[9]};
    *step = p.step;
}

/* What a six-step machine's rates need beside its model. */
typedef struct pp_bldc_held {
    pp_bldc_input in;
    pp_real active, parity, sector;
} pp_bldc_held;

PP_INLINE pp_bldc_state pp_bldc_unpack(const pp_real *y, const pp_bldc_held *held)
{
    return (pp_bldc_state){y[0], y[1], y[2], y[3], held->active, held->parity, held->sector};
}

PP_INLINE void pp_bldc_rates_of(const void *model, const void *input, const pp_real *y, pp_real *k)
{
    const pp_bldc_held *held = input;
    const pp_bldc_state x = pp_bldc_unpack(y, held);
    pp_bldc_rates r = pp_bldc_rate(model, &x, held->in, PP_WITH_EVERYTHING);
    pp_energy e = {pp_set(0), pp_set(0), pp_set(0), pp_set(0)};
    pp_bldc_power(model, &x, held->in, pp_set(1), &e);
    k[0] = r.s, k[1] = r.x, k[2] = r.w, k[3] = r.phi;
    k[4] = e.in, k[5] = e.copper, k[6] = e.friction, k[7] = e.load;
}

/* Fraction of the step at which value i, which goes through `level` in it, gets there: cubic Hermite, Newton from the
 * secant. Any fraction where it does not get there. */
PP_INLINE pp_real pp_rk_crossing(const pp_rk *s, int i, pp_real level)
{
    pp_real a = s->y[i] - level, rise = s->next[i] - s->y[i], bend = s->h * s->k[0][i] - rise;
    pp_real twist = rise - s->h * s->k[6][i] - bend, f = pp_clamp(-a / rise, pp_set(0), pp_set(1));
    for (int j = 0; j < 3; j++) {
        pp_real g = PP_R(1) - f, value = a + f * (rise + g * (bend + f * twist));
        pp_real slope = rise + bend * (g - f) + twist * f * (PP_R(2) * g - f);
        f = pp_clamp(f - value / slope, pp_set(0), pp_set(1));
    }
    return pp_select(f == f, f, pp_set(PP_R(0.5)));
}

/* What happens at the end of a taken step: which lanes turn to the next sector, whose diode dies, and the time that
 * still separates them from it. */
typedef struct pp_events {
    pp_mask turned, died;
    pp_real fix;
} pp_events;

/* Looks for the sector's end and the diode's extinction in the step. Where the step went past one by more than a
 * millionth, it is refused and a shorter one, to the crossing, is asked for. */
PP_INLINE pp_events pp_bldc_locate(const pp_rk *s, pp_progress *p, const pp_bldc_held *held)
{
    const pp_real end = pp_set(PP_R(PP_PI / 3)), zero = pp_set(0);
    pp_mask turning = p->taken & (s->next[3] >= end * PP_R(1 - 1e-6));
    pp_mask dying = p->taken & (held->active > PP_R(0)) & (s->next[1] <= PP_R(1e-6) * s->y[1]);
    pp_events e = {turning, dying, zero};
    if (!pp_any(turning | dying))
        return e;
    pp_mask far_turn = turning & (s->next[3] > end * PP_R(1 + 1e-6));
    pp_mask far_die = dying & (s->next[1] < PP_R(-1e-6) * s->y[1]) & (s->y[1] > PP_R(0));
    if (pp_any(far_turn | far_die)) {
        pp_real f = pp_select(far_turn, pp_rk_crossing(s, 3, end), pp_set(1));
        f = pp_min(f, pp_select(far_die, pp_rk_crossing(s, 1, zero), pp_set(1)));
        pp_mask again = (far_turn | far_die) & (f * s->h > PP_R(1e-14) * p->step);
        p->step = pp_select(again, f * s->h, p->step);
        p->taken = p->taken & pp_not(again);
    }
    e.turned = turning & p->taken;
    e.died = dying & p->taken & pp_not(e.turned);
    e.fix =
        pp_select(e.turned, (end - s->next[3]) / pp_select(e.turned, s->k[6][3], pp_set(1)), zero);
    e.fix = pp_select(e.died, -s->next[1] / pp_select(e.died, s->k[6][1], pp_set(1)), e.fix);
    return e;
}

/* Lanes with an event get its new state; s->next is what the step and its fix led to. */
PP_INLINE void pp_bldc_happen(pp_rk *s, pp_bldc_held *held, pp_events e)
{
    pp_bldc_state z = pp_bldc_commutate(pp_bldc_unpack(s->next, held));
    s->next[0] = pp_select(e.turned, z.s, s->next[0]);
    s->next[1] = pp_select(e.turned, z.x, pp_select(e.died, pp_set(0), s->next[1]));
    s->next[3] = pp_select(e.turned, z.phi, s->next[3]);
    held->active = pp_select(e.turned, z.active, pp_select(e.died, pp_set(0), held->active));
    held->parity = pp_select(e.turned, z.parity, held->parity);
    held->sector = pp_select(e.turned, z.sector, held->sector);
}

/* Moves a six-step machine over `span` [s], stopping at commutations and extinctions; the rest as pp_pmsm_adapt. */
PP_INLINE void pp_bldc_adapt(const pp_bldc *m, pp_bldc_state *x, pp_bldc_input in, pp_real span,
                             const pp_tolerance *tol, pp_real *step, pp_energy *energy,
                             pp_rk_watch *watch, void *who)
{
    enum { N = 8 };
    pp_rk s;
    pp_real rtol = pp_rk_tolerance(tol), normal = pp_select(*step > PP_R(0), *step, span);
    pp_bldc_held held = {in, x->active, x->parity, x->sector};
    const pp_real first[N] = {
        x->s, x->x, x->w, x->phi, energy->in, energy->copper, energy->friction, energy->load};
    for (int i = 0; i < N; i++)
        s.y[i] = first[i];
    pp_progress p = {span, normal, pp_mask_none()};
    pp_bldc_rates_of(m, &held, s.y, s.k[0]);
    for (int tries = 0; pp_any(p.left > PP_R(0)); tries++) {
        s.h = pp_min(p.left, p.step);
        pp_rk_step(&s, N, pp_bldc_rates_of, m, &held);
        pp_real error =
            pp_max(pp_rk_error(&s, 0, tol->flux, rtol), pp_rk_error(&s, 1, tol->flux, rtol));
        error = pp_max(error, pp_max(pp_rk_error(&s, 2, tol->speed, rtol),
                                     pp_rk_error(&s, 3, pp_set(1), rtol)));
        error = pp_select(s.next[0] - s.next[0] == PP_R(0), error, pp_set(PP_R(1e30)));
        /* A state that is lost already has nothing to refuse: the run ends and says so. */
        error = pp_select(s.y[0] - s.y[0] == PP_R(0), error, pp_set(0));
        pp_rk_judge(&p, s.h, tries < PP_RK_TRIES ? error : pp_set(0));
        pp_real wish = p.step;
        pp_events e = pp_bldc_locate(&s, &p, &held);
        if (watch && pp_any(p.taken))
            watch(who, &s, &held, span - p.left);
        pp_real poison = pp_set(tries < PP_RK_TRIES ? 0 : (pp_scalar)__builtin_nan(""));
        for (int i = 0; i < N; i++)
            s.next[i] = s.next[i] + e.fix * s.k[6][i] + poison;
        pp_mask event = e.turned | e.died;
        normal = pp_select(p.taken, pp_max(wish, pp_select(event, normal, wish)), normal);
        if (pp_any(event)) {
            pp_bldc_happen(&s, &held, e);
            pp_bldc_rates_of(m, &held, s.next, s.k[6]);
        }
        for (int i = 0; i < N; i++) {
            s.y[i] = pp_select(p.taken, s.next[i], s.y[i]);
            s.k[0][i] = pp_select(p.taken, s.k[6][i], s.k[0][i]);
        }
        p.step = pp_select(p.taken, normal, p.step);
        p.left = pp_select(p.taken, pp_max(p.left - s.h - e.fix, pp_set(0)), p.left);
    }
    *x = pp_bldc_unpack(s.y, &held);
    *energy = (pp_energy){s.y[4], s.y[5], s.y[6], s.y[7]};
    *step = p.step;
}

#endif
