/* polepair/model/rk4.h: the classical Runge-Kutta step, written once for every machine.
 *
 * `groups` independent machines advance stage by stage, so that the processor always has work that
 * does not wait for the stage before. A scaled machine's rates come times half the step (x + k is
 * then half a step on, which saves the products); what it gets back is the weighted sum of the four
 * rates. */
#ifndef POLEPAIR_RK4_H
#define POLEPAIR_RK4_H

#include "polepair/model/part.h"

enum { PP_VALUES_MAX = 7 };

/* Rates k of the n values y; held: what stays as it is over the step, a struct of the machine's
 * own. */
typedef void pp_rates(const void *model, const void *held, const pp_real *y, pp_real *k,
                      int features);
/* Adds the powers at y, times a weight, to the energies. */
typedef void pp_powers(const void *model, const void *held, const pp_real *y, pp_real weight,
                       pp_energy *energy);

/* A machine as an integrator sees it; constant, so that all of it is inlined. */
typedef struct pp_ode {
    int n;       /* values that move */
    int size;    /* values of a state, the ones that stand still included */
    bool scaled; /* rates come times half the step, powers with a third of it */
    pp_rates *rates;
    pp_powers *powers;
} pp_ode;

/* A machine on its way through a step. */
typedef struct pp_going {
    const void *model;
    const pp_real *y; /* values at the start */
    const void *held;
    pp_real h; /* step [s], of no use to a scaled machine */
    pp_energy *energy;
    const pp_real *first; /* rates at the start where they are known already, or NULL */
} pp_going;

/* y + step of stage 1, 2 (half a step) or 3 (a whole one). */
PP_INLINE void pp_rk4_offset(const pp_ode *ode, const pp_going *on, const pp_real *k, int stage,
                             pp_real *y)
{
    const pp_real span = stage == 3 ? on->h : PP_R(0.5) * on->h;
#pragma GCC unroll 8
    for (int i = 0; i < ode->n; i++) {
        if (!ode->scaled) {
            y[i] = on->y[i] + span * k[i];
            continue;
        }
        y[i] = on->y[i] + k[i];
        if (stage == 3)
            y[i] = y[i] + k[i];
    }
#pragma GCC unroll 8
    for (int i = ode->n; i < ode->size; i++)
        y[i] = on->y[i];
}

/* k1 + 2 (k2 + k3) + k4 so far: sum holds k1, middle k2 and then k2 + k3. */
PP_INLINE void pp_rk4_gather(const pp_ode *ode, const pp_real *k, int stage, pp_real *sum,
                             pp_real *middle)
{
#pragma GCC unroll 8
    for (int i = 0; i < ode->n; i++) {
        if (stage == 0)
            sum[i] = k[i];
        else if (stage == 1)
            middle[i] = k[i];
        else if (stage == 2)
            middle[i] = middle[i] + k[i];
        else if (ode->scaled)
            sum[i] = sum[i] + middle[i] + middle[i] + k[i];
        else
            sum[i] = sum[i] + PP_R(2) * middle[i] + k[i];
    }
}

/* Weight of a stage's powers: of the whole step 1/6, 1/3, 1/3, 1/6; of a scaled one its third times
 * 1, 2, 2, 1. */
PP_INLINE pp_real pp_rk4_weight(const pp_ode *ode, const pp_going *on, int stage)
{
    const bool outer = stage == 0 || stage == 3;
    if (ode->scaled)
        return pp_set(PP_R(outer ? 1 : 2));
    const pp_real sixth = on->h * PP_R(1.0 / 6);
    return outer ? sixth : sixth + sixth;
}

/* Sums of the rates of one step of each machine. */
PP_INLINE void pp_rk4(const pp_ode *ode, const pp_going *on, int groups, int features,
                      pp_real (*sum)[PP_VALUES_MAX])
{
    pp_real y[PP_GROUPS_MAX][PP_VALUES_MAX];
    pp_real k[PP_GROUPS_MAX][PP_VALUES_MAX];
    pp_real middle[PP_GROUPS_MAX][PP_VALUES_MAX];
#pragma GCC unroll 4
    for (int stage = 0; stage < 4; stage++)
#pragma GCC unroll 4
        for (int g = 0; g < groups; g++) {
            const pp_real *at = on[g].y;
            if (stage > 0) {
                pp_rk4_offset(ode, &on[g], k[g], stage, y[g]);
                at = y[g];
            }
            if (stage == 0 && on[g].first)
                for (int i = 0; i < ode->n; i++)
                    k[g][i] = on[g].first[i];
            else
                ode->rates(on[g].model, on[g].held, at, k[g], features);
            if (features & PP_HAS_ENERGY)
                ode->powers(on[g].model, on[g].held, at, pp_rk4_weight(ode, &on[g], stage),
                            on[g].energy);
            pp_rk4_gather(ode, k[g], stage, sum[g], middle[g]);
        }
}

#endif
