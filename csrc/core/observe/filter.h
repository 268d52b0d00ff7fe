/* core/observe/filter.h: what the files of the filter share; private to the room. */
#ifndef PP_CORE_FILTER_H
#define PP_CORE_FILTER_H

#include "polepair/observe.h"

#include "polepair/model/law_linear.h"
#include "polepair/model/trig.h"

enum { N = PP_X_COUNT, ROW = PP_X_ROW };

/* The machine's law with the flux linkage as estimated. */
PP_INLINE pp_law law_of(const pp_observer *o)
{
    return (pp_law){
        .Ld = o->machine.Ld,
        .Lq = o->machine.Lq,
        .psi_pm = o->x[PP_X_PSI],
        .pole_pairs = o->machine.p,
    };
}

/* The covariance is symmetric: only its upper triangle is kept and computed. */
typedef pp_real matrix[ROW];

PP_INLINE pp_real at(const matrix *P, int i, int j) { return i <= j ? P[i][j] : P[j][i]; }

/* Sine and cosine of a step; by their series where it is small. */
PP_INLINE void step_sincos(pp_real by, pp_real *sine, pp_real *cosine)
{
    const pp_real y = by * by;
    if (y < PP_R(0.25)) {
        *sine = by + by * y * (PP_R(-1.0 / 6) + y * (PP_R(1.0 / 120) - y * PP_R(1.0 / 5040)));
        const pp_real rest = PP_R(1.0 / 24) - y * (PP_R(1.0 / 720) - y * PP_R(1.0 / 40320));
        *cosine = PP_R(1) + y * (PP_R(-0.5) + y * rest);
    } else if (y < PP_R(1e12)) {
        pp_angle_sincos(by, sine, cosine);
    } else { /* no motor turns like that: the estimate is lost, and says so */
        *sine = (pp_real)__builtin_nan("");
        *cosine = *sine;
    }
}

/* Moves the angle by a step, phasor and all. */
PP_INLINE void advance_angle(pp_observer *o, pp_real by)
{
    pp_real sine;
    pp_real cosine;
    step_sincos(by, &sine, &cosine);
    const pp_real c = o->c * cosine - o->s * sine;
    const pp_real s = o->s * cosine + o->c * sine;
    const pp_real one = PP_R(1.5) - PP_R(0.5) * (c * c + s * s); /* back onto the unit circle */
    o->c = c * one;
    o->s = s * one;
    pp_real theta = o->x[PP_X_THETA] + by;
    if (!(pp_abs(theta) <= PP_R(PP_PI))) {
        const pp_real whole = pp_whole_turns(theta);
        theta -= PP_R(2 * PP_PI) * whole;
        o->turns += whole;
    }
    o->x[PP_X_THETA] = theta;
}

/* Counts a measurement that comes; false, and counted as missed, where it is no number. A lost
 * estimate lets one pass and begins anew with the next. */
PP_INLINE bool takes_measurement(pp_observer *o, bool measured)
{
    if (!measured) {
        pp_observer_missed(o);
        return false;
    }
    if (pp_observer_is_lost(o) && !o->lost) {
        o->lost = true; /* to be seen before it begins anew */
        return false;
    }
    if (o->lost)
        pp_observer_begin_anew(o);
    if (o->missed > 0)
        o->missed--;
    return true;
}

/* Moves the states by `by`. */
PP_INLINE void add_to_states(pp_observer *o, const pp_real *by, int n)
{
    o->x[PP_X_ID] += by[PP_X_ID];
    o->x[PP_X_IQ] += by[PP_X_IQ];
    o->x[PP_X_WE] += by[PP_X_WE];
#pragma GCC unroll 4
    for (int i = PP_X_LOAD; i < n; i++)
        o->x[i] += by[i];
    advance_angle(o, by[PP_X_THETA]);
}

#endif
