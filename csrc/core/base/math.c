/* Elementary functions by range reduction and series; the series lengths keep the truncation below 1e-17. */
#include "polepair/math.h"

#include <string.h>

#include "polepair/model/trig.h"

void pp_sincos(double x, double *s, double *c) { pp_turn(x, s, c); }

double pp_sin(double x)
{
    double s, c;
    pp_sincos(x, &s, &c);
    return s;
}

double pp_cos(double x)
{
    double s, c;
    pp_sincos(x, &s, &c);
    return c;
}

double pp_atan(double x)
{
    static const double table[] = {0, 0.24497866312686415417, 0.46364760900080611621,
                                   0.64350110879328438680, 0.78539816339744830962}; /* atan(k/4) */
    static const double c[] = {1 / 17.0, -1 / 15.0, 1 / 13.0, -1 / 11.0,
                               1 / 9.0,  -1 / 7.0,  1 / 5.0,  -1 / 3.0};
    double a = pp_magnitude(x), z = a > 1 ? 1 / a : a;
    int k = (int)(4 * z + 0.5);
    double t = (z - 0.25 * k) / (1 + 0.25 * k * z), t2 = t * t;
    double y = table[k] + (t + t * t2 * pp_horner(c, 8, t2));
    if (a > 1)
        y = PP_PI / 2 - y;
    return x < 0 ? -y : y;
}

double pp_atan2(double y, double x)
{
    if (x == 0)
        return y > 0 ? PP_PI / 2 : y < 0 ? -PP_PI / 2 : 0;
    double a = pp_atan(y / x);
    if (x > 0)
        return a;
    return y < 0 ? a - PP_PI : a + PP_PI;
}

double pp_asin(double x) { return pp_atan2(x, pp_root((1 - x) * (1 + x))); }

double pp_log(double x)
{
    static const double c[] = {1 / 21.0, 1 / 19.0, 1 / 17.0, 1 / 15.0, 1 / 13.0,
                               1 / 11.0, 1 / 9.0,  1 / 7.0,  1 / 5.0,  1 / 3.0};
    PP_ASSERT(x > 0);
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int e = (int)(bits >> 52) - 1023;
    bits = (bits & 0x000fffffffffffffULL) | 0x3ff0000000000000ULL;
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m > 1.41421356237309505) {
        m *= 0.5;
        e++;
    }
    double s = (m - 1) / (m + 1), s2 = s * s;
    return e * 0.69314718055994530942 + 2 * (s + s * s2 * pp_horner(c, 10, s2));
}

double pp_exp(double x)
{
    static const double c[] = {1 / 6227020800.0, 1 / 479001600.0, 1 / 39916800.0, 1 / 3628800.0,
                               1 / 362880.0,     1 / 40320.0,     1 / 5040.0,     1 / 720.0,
                               1 / 120.0,        1 / 24.0,        1 / 6.0,        0.5};
    double k = (double)(int64_t)(x * 1.44269504088896340736 + (x < 0 ? -0.5 : 0.5));
    double r = (x - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10;
    double y = 1 + (r + r * r * pp_horner(c, 12, r));
    uint64_t bits = (uint64_t)((int64_t)k + 1023) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    return y * scale;
}

double pp_powi(double x, int n)
{
    double y = 1;
    for (; n > 0; n >>= 1, x *= x)
        if (n & 1)
            y *= x;
    return y;
}
