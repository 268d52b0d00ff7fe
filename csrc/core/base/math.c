/* Elementary functions by range reduction and series; the series lengths keep the truncation
 * below 1e-17. */
#include "polepair/math.h"

#include <string.h>

#include "polepair/model/trig.h"

void pp_sincos(double x, double *s, double *c)
{
    const double LAST = 4503599627370496.0; /* 2^52: from there on not even the quadrant is known */
    if (pp_magnitude(x) < LAST) {
        pp_scalar_sincos(x, s, c);
        return;
    }
    *s = __builtin_nan("");
    *c = *s;
}

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
    /* atan(k/4) */
    static const double table[] = {0, 0.24497866312686415417, 0.46364760900080611621,
                                   0.64350110879328438680, 0.78539816339744830962};
    static const double c[] = {1 / 17.0, -1 / 15.0, 1 / 13.0, -1 / 11.0,
                               1 / 9.0,  -1 / 7.0,  1 / 5.0,  -1 / 3.0};
    const double size = pp_magnitude(x);
    double z = size;
    if (size != size) /* no number to look up */
        return x;
    if (size > 1)
        z = 1 / size;
    /* atan(z) = atan(k/4) + atan(t) */
    const int k = (int)(4 * z + 0.5);
    const double t = (z - 0.25 * k) / (1 + 0.25 * k * z);
    const double t2 = t * t;
    double angle = table[k] + (t + t * t2 * pp_horner(c, 8, t2));
    if (size > 1)
        angle = PP_PI / 2 - angle;
    return x < 0 ? -angle : angle;
}

double pp_atan2(double y, double x)
{
    if (x == 0) {
        if (y > 0)
            return PP_PI / 2;
        if (y < 0)
            return -PP_PI / 2;
        return y == 0 ? 0 : y;
    }
    const double angle = pp_atan(y / x);
    if (x > 0)
        return angle;
    return y < 0 ? angle - PP_PI : angle + PP_PI;
}

double pp_asin(double x) { return pp_atan2(x, pp_root((1 - x) * (1 + x))); }

double pp_log(double x)
{
    static const double c[] = {1 / 21.0, 1 / 19.0, 1 / 17.0, 1 / 15.0, 1 / 13.0,
                               1 / 11.0, 1 / 9.0,  1 / 7.0,  1 / 5.0,  1 / 3.0};
    PP_ASSERT(x > 0);
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    /* x = mantissa 2^exponent with the mantissa round 1; ln(mantissa) = 2 artanh(s) */
    int exponent = (int)(bits >> 52) - 1023;
    bits = (bits & 0x000fffffffffffffULL) | 0x3ff0000000000000ULL;
    double mantissa;
    memcpy(&mantissa, &bits, sizeof mantissa);
    if (mantissa > 1.41421356237309505) {
        mantissa *= 0.5;
        exponent++;
    }
    const double s = (mantissa - 1) / (mantissa + 1);
    const double s2 = s * s;
    return exponent * 0.69314718055994530942 + 2 * (s + s * s2 * pp_horner(c, 10, s2));
}

double pp_exp(double x)
{
    static const double c[] = {1 / 6227020800.0, 1 / 479001600.0, 1 / 39916800.0, 1 / 3628800.0,
                               1 / 362880.0,     1 / 40320.0,     1 / 5040.0,     1 / 720.0,
                               1 / 120.0,        1 / 24.0,        1 / 6.0,        0.5};
    PP_ASSERT(pp_magnitude(x) < 700);
    /* exp(x) = 2^k exp(r), ln 2 in two parts */
    const double k = (double)(int64_t)(x * 1.44269504088896340736 + (x < 0 ? -0.5 : 0.5));
    const double r = (x - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10;
    const double y = 1 + (r + r * r * pp_horner(c, 12, r));
    uint64_t bits = (uint64_t)((int64_t)k + 1023) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    return y * scale;
}

double pp_powi(double x, int n)
{
    PP_ASSERT(n >= 0);
    double y = 1;
    for (; n > 0; n >>= 1, x *= x)
        if (n & 1)
            y *= x;
    return y;
}
