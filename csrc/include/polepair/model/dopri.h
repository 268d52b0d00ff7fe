/* polepair/model/dopri.h: steps of chosen accuracy, written against pp_real, so that every lane has
 * a step of its own. Dormand-Prince 5(4) with continuous extension (Dormand & Prince, J. Comput.
 * Appl. Math. 6(1) 1980; Hairer, Norsett & Wanner, Solving Ordinary Differential Equations I, 2nd
 * ed., II.6). Step control takes the fourth root instead of the fifth, so that two square roots
 * give the same bits everywhere. */
#ifndef POLEPAIR_DOPRI_H
#define POLEPAIR_DOPRI_H

#include "polepair/model/part.h"

enum { PP_RK_MAX = 10, PP_RK_STAGES = 7, PP_RK_TRIES = 20000 };

/* One attempted step from y to next over h, with its stages. */
typedef struct pp_rk {
    pp_real y[PP_RK_MAX], next[PP_RK_MAX], k[PP_RK_STAGES][PP_RK_MAX], h;
    int n; /* values */
} pp_rk;

/* Rates k of the n values y, energies included; model and held stay as they are over a step. */
typedef void pp_flow(const void *model, const void *held, const pp_real *y, pp_real *k);

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
PP_INLINE void pp_rk_step(pp_rk *s, int n, pp_flow *flow, const void *model, const void *held)
{
#pragma GCC unroll 7
    for (int stage = 1; stage < PP_RK_STAGES; stage++) {
        for (int i = 0; i < n; i++) {
            pp_real sum = PP_R(PP_RK_A[stage][0]) * s->k[0][i];
            for (int j = 1; j < stage; j++)
                sum += PP_R(PP_RK_A[stage][j]) * s->k[j][i];
            s->next[i] = s->y[i] + s->h * sum;
        }
        flow(model, held, s->next, s->k[stage]);
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
    const pp_real rise = s->next[i] - s->y[i];
    const pp_real bend = s->h * s->k[0][i] - rise;
    const pp_real twist = rise - s->h * s->k[6][i] - bend;
    const pp_real g = PP_R(1) - f;
    pp_real rest = pp_set(0);
    for (int j = 0; j < PP_RK_STAGES; j++)
        rest += PP_R(d[j]) * s->k[j][i];
    return s->y[i] + f * (rise + g * (bend + f * (twist + g * s->h * rest)));
}

/* A step's progress through a period, lane by lane: time left, step to try, which lanes took it. */
typedef struct pp_progress {
    pp_real left, step;
    pp_mask taken;
} pp_progress;

/* Takes or refuses the step just tried; a step cut short by the period's end does not shrink the
 * next one. */
PP_INLINE void pp_rk_accept_step(pp_progress *p, pp_real h, pp_real error)
{
    const pp_mask open = p->left > PP_R(0);
    const pp_mask good = error <= PP_R(1);
    pp_real wish = h * pp_rk_factor(error);
    wish = pp_select(good & (h < p->step), pp_max(wish, p->step), wish);
    p->step = pp_select(open, wish, p->step);
    p->taken = open & good;
}

/* Fraction of the step at which value i, which goes through `level` in it, gets there: cubic
 * Hermite, Newton from the secant. Any fraction where it does not get there. */
PP_INLINE pp_real pp_rk_crossing(const pp_rk *s, int i, pp_real level)
{
    const pp_real from = s->y[i] - level;
    const pp_real rise = s->next[i] - s->y[i];
    const pp_real bend = s->h * s->k[0][i] - rise;
    const pp_real twist = rise - s->h * s->k[6][i] - bend;
    pp_real f = pp_clamp(-from / rise, pp_set(0), pp_set(1));
    for (int j = 0; j < 3; j++) {
        const pp_real g = PP_R(1) - f;
        const pp_real value = from + f * (rise + g * (bend + f * twist));
        pp_real slope = rise + bend * (g - f) + twist * f * (PP_R(2) * g - f);
        f = pp_clamp(f - value / slope, pp_set(0), pp_set(1));
    }
    return pp_select(f == f, f, pp_set(PP_R(0.5)));
}

/* Events at the end of a taken step, in lanes where a mask says so, and the time that still
 * separates them from it. */
enum { PP_EVENTS_MAX = 2 };
typedef struct pp_events {
    pp_mask event[PP_EVENTS_MAX];
    pp_real fix; /* [s] */
} pp_events;

/* Called with every step taken, what was held over it, and where in the span it begins [s]. */
typedef void pp_on_step(void *context, const pp_rk *step, const void *held, pp_real begin);

/* A machine as this integrator sees it; constant, so that all of it is inlined. */
typedef struct pp_flow_ode {
    int n;      /* values, the four energies at the end */
    int errors; /* values that the error looks at, from the first */
    pp_flow *flow;
    void (*scales)(const pp_tolerance *tolerance, pp_real *scale); /* sizes of those values */
    pp_events (*locate)(const pp_rk *s, pp_progress *p,
                        const void *held); /* NULL: a machine without events */
    void (*apply)(pp_rk *s, void *held, pp_events e);
} pp_flow_ode;

/* Over what and how. */
typedef struct pp_adaptive {
    pp_real span;  /* [s] */
    pp_real *step; /* the step to begin with (0: the span) [s]; kept */
    const pp_tolerance *tolerance;
    pp_on_step *on_step; /* NULL: nobody looks */
    void *context;
} pp_adaptive;

PP_INLINE pp_real pp_dopri_error(const pp_flow_ode *ode, const pp_rk *s,
                                 const pp_tolerance *tolerance)
{
    const pp_real rtol = pp_rk_tolerance(tolerance);
    pp_real scale[PP_RK_MAX];
    ode->scales(tolerance, scale);
    pp_real error = pp_rk_error(s, 0, scale[0], rtol);
#pragma GCC unroll 8
    for (int i = 1; i < ode->errors; i++)
        error = pp_max(error, pp_rk_error(s, i, scale[i], rtol));
    error = pp_select(s->next[0] - s->next[0] == PP_R(0), error, pp_set(PP_R(1e30)));
    /* A state that is lost already has nothing to refuse: the run ends and says so. */
    return pp_select(s->y[0] - s->y[0] == PP_R(0), error, pp_set(0));
}

/* The step just taken becomes the start of the next one, in the lanes that took it. */
PP_INLINE void pp_dopri_advance(const pp_flow_ode *ode, pp_rk *s, pp_mask taken)
{
    for (int i = 0; i < ode->n; i++) {
        s->y[i] = pp_select(taken, s->next[i], s->y[i]);
        s->k[0][i] = pp_select(taken, s->k[6][i], s->k[0][i]);
    }
}

/* Moves the values y over a span, stopping at events; *held is what they change. Gives NaN where
 * the tolerance cannot be held. */
PP_INLINE void pp_dopri(const pp_flow_ode *ode, const void *model, void *held, pp_real *y,
                        const pp_adaptive *by)
{
    const pp_real first = pp_select(*by->step > PP_R(0), *by->step, by->span);
    pp_real normal = first; /* the step that error alone asks for */
    pp_progress p = {.left = by->span, .step = first, .taken = pp_mask_none()};
    pp_rk s;
    s.n = ode->n;
    for (int i = 0; i < ode->n; i++)
        s.y[i] = y[i];
    ode->flow(model, held, s.y, s.k[0]);
    for (int tries = 0; pp_any(p.left > PP_R(0)); tries++) {
        const bool lost = tries >= PP_RK_TRIES;
        s.h = lost ? p.left : pp_min(p.left, p.step); /* a lost step may have shrunk to 0 */
        pp_rk_step(&s, ode->n, ode->flow, model, held);
        const pp_real error = pp_dopri_error(ode, &s, by->tolerance);
        pp_rk_accept_step(&p, s.h, lost ? pp_set(0) : error);
        const pp_real wish = p.step;
        pp_events e = {.event = {pp_mask_none(), pp_mask_none()}, .fix = pp_set(0)};
        if (ode->locate)
            e = ode->locate(&s, &p, held);
        if (by->on_step && pp_any(p.taken))
            by->on_step(by->context, &s, held, by->span - p.left);
        const pp_real poison = pp_set(lost ? (pp_scalar)__builtin_nan("") : 0);
        const pp_mask event = e.event[0] | e.event[1];
        for (int i = 0; i < ode->n; i++)
            s.next[i] = (ode->locate ? s.next[i] + e.fix * s.k[6][i] : s.next[i]) + poison;
        normal = pp_select(p.taken, pp_max(wish, pp_select(event, normal, wish)), normal);
        if (ode->locate && pp_any(event)) {
            ode->apply(&s, held, e);
            ode->flow(model, held, s.next, s.k[6]);
        }
        pp_dopri_advance(ode, &s, p.taken);
        p.step = pp_select(p.taken, normal, p.step);
        p.left = pp_select(p.taken, pp_max(p.left - s.h - e.fix, pp_set(0)), p.left);
    }
    for (int i = 0; i < ode->n; i++)
        y[i] = s.y[i];
    *by->step = p.step;
}

#endif
