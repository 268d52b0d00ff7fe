/* polepair/model/trig.h: sine and cosine for the models and the core, one source and so one set of
 * bits. Scalar double. */
#ifndef POLEPAIR_TRIG_H
#define POLEPAIR_TRIG_H

#include "polepair/model/real.h"

/* Horner evaluation, highest coefficient first. */
static inline double pp_horner(const double *c, int n, double x)
{
    double y = c[0];
    for (int i = 1; i < n; i++)
        y = y * x + c[i];
    return y;
}

static inline double pp_sin_series(double x)
{
    static const double c[] = {
        1 / 355687428096000.0, -1 / 1307674368000.0, 1 / 6227020800.0, -1 / 39916800.0,
        1 / 362880.0,          -1 / 5040.0,          1 / 120.0,        -1 / 6.0};
    double x2 = x * x;
    return x + x * x2 * pp_horner(c, 8, x2);
}

static inline double pp_cos_series(double x)
{
    static const double c[] = {
        1 / 20922789888000.0, -1 / 87178291200.0, 1 / 479001600.0, -1 / 3628800.0,
        1 / 40320.0,          -1 / 720.0,         1 / 24.0,        -0.5};
    double x2 = x * x;
    return 1.0 + x2 * pp_horner(c, 8, x2);
}

/* Out of line: a lane calls it for each of its angles. |x| < 1e6 rad. */
static __attribute__((noinline, unused)) void pp_scalar_sincos(double x, double *s, double *c)
{
    /* pi/2 in three parts of 33 bits (Cody and Waite): k < 2^20 keeps every product exact. */
    static const double part[3] = {1.57079632673412561417e+00, 6.07710050630396597660e-11,
                                   2.02226624879595063154e-21};
    const double k = (double)(int64_t)(x * (2 / PP_PI) + (x < 0 ? -0.5 : 0.5));
    const double r = ((x - k * part[0]) - k * part[1]) - k * part[2];
    const double sine = pp_sin_series(r);
    const double cosine = pp_cos_series(r);
    switch ((int64_t)k & 3) {
    case 0:
        *s = sine;
        *c = cosine;
        break;
    case 1:
        *s = cosine;
        *c = -sine;
        break;
    case 2:
        *s = -sine;
        *c = -cosine;
        break;
    default:
        *s = -cosine;
        *c = sine;
        break;
    }
}

/* sin and cos of an angle of any size, lane by lane. */
PP_INLINE void pp_angle_sincos(pp_real angle, pp_real *s, pp_real *c)
{
#if PP_LANES == 1
    double sine, cosine;
    pp_scalar_sincos((double)angle, &sine, &cosine);
    *s = PP_R(sine);
    *c = PP_R(cosine);
#else
    for (int l = 0; l < PP_LANES; l++) {
        double sine, cosine;
        pp_scalar_sincos((double)angle[l], &sine, &cosine);
        (*s)[l] = PP_R(sine);
        (*c)[l] = PP_R(cosine);
    }
#endif
}

/* Whole part, towards 0, of |x| < 2^31, lane by lane. */
PP_INLINE pp_real pp_whole(pp_real x)
{
#if PP_LANES == 1
    return (pp_real)(int64_t)x;
#else
    for (int l = 0; l < PP_LANES; l++)
        x[l] = (pp_scalar)(int64_t)x[l];
    return x;
#endif
}

#endif
