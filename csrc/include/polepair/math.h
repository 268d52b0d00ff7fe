/* polepair/math.h: elementary functions of the core, so that no libm decides a bit. Scalar
 * double; about 1 ulp. */
#ifndef POLEPAIR_MATH_H
#define POLEPAIR_MATH_H

#include "polepair/base.h"

/* Circular functions, |x| < 1e6 rad; NaN where no digit of the angle is left. */
double pp_sin(double x);
double pp_cos(double x);
void pp_sincos(double x, double *s, double *c);
/* Inverse circular functions, NaN of NaN; pp_atan2(0, 0) is 0; pp_asin takes |x| <= 1. */
double pp_atan(double x);
double pp_atan2(double y, double x);
double pp_asin(double x);
/* Natural logarithm, x > 0, and exponential, |x| < 700. */
double pp_log(double x);
double pp_exp(double x);
/* Whole power, n >= 0. */
double pp_powi(double x, int n);

static inline double pp_root(double x) { return __builtin_sqrt(x); }
static inline double pp_larger(double a, double b) { return a > b ? a : b; }
static inline double pp_smaller(double a, double b) { return a < b ? a : b; }
static inline double pp_magnitude(double x) { return __builtin_fabs(x); }
static inline bool pp_finite(double x) { return x - x == 0.0; }

#endif
