/* host/number.h: JSON numbers, correctly rounded. Up to 15 digits with a power of ten up to 22 are exact by one
 * multiplication or division (Clinger, PLDI 1990); the rest goes through strtod in the C locale. */
#ifndef PP_HOST_NUMBER_H
#define PP_HOST_NUMBER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Reads a number at p; the position behind it, NULL where there is none or it overflows. */
const uint8_t *pp_slow_number(const uint8_t *p, const uint8_t *end, double *out);

static inline bool pp_digit(const uint8_t *p, const uint8_t *end) { return p < end && (unsigned)(*p - '0') < 10; }

/* Eight digits, the first in the lowest byte, as a number: pairs, fours, eight. */
static inline uint64_t pp_eight_digits(uint64_t x)
{
    x = (x * 10 + (x >> 8)) & 0x00ff00ff00ff00ff;
    x = (x * 100 + (x >> 16)) & 0x0000ffff0000ffff;
    return (x * 10000 + (x >> 32)) & 0xffffffff;
}

/* A number of at most 7 digits and a point, no exponent, with 8 readable bytes: most numbers that a device sends, without a
 * branch per digit. NULL where it is anything else; the way below tells what. */
static inline const uint8_t *pp_short_number(const uint8_t *p, bool negative, double *out)
{
    static const double power[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7};
    uint64_t x;
    memcpy(&x, p, 8);
    x ^= 0x3030303030303030;
    uint64_t other = ((x + 0x7676767676767676) | x) & 0x8080808080808080; /* bytes that are no digits */
    if (!other)
        return 0;
    int whole = __builtin_ctzll(other) >> 3, length = whole, fraction = 0;
    if (p[whole] == '.') {
        uint64_t second = other & (other - 1), below = ((uint64_t)1 << (8 * whole)) - 1;
        if (!second)
            return 0;
        length = __builtin_ctzll(second) >> 3;
        fraction = length - whole - 1;
        if (fraction == 0)
            return 0;
        x = (x & below) | (x >> 8 & ~below);
    }
    int digits = whole + fraction;
    if (whole == 0 || (whole > 1 && *p == '0') || (p[length] | 32) == 'e' || p[length] == '.')
        return 0;
    double v = (double)pp_eight_digits(x << (8 * (8 - digits))) / power[fraction];
    *out = negative ? -v : v;
    return p + length;
}

/* -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)? as RFC 8259 has it. */
static inline const uint8_t *pp_number(const uint8_t *p, const uint8_t *end, double *out)
{
    static const double power[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    const uint8_t *start = p;
    bool negative = p < end && *p == '-';
    p += negative;
    if (end - p > 8) {
        const uint8_t *behind = pp_short_number(p, negative, out);
        if (behind)
            return behind;
    }
    const uint8_t *digits = p;
    uint64_t m = 0;
    while (pp_digit(p, end))
        m = m * 10 + (uint64_t)(*p++ - '0');
    int64_t count = p - digits, fraction = 0;
    if (count == 0 || (count > 1 && *digits == '0'))
        return 0;
    if (p < end && *p == '.') {
        const uint8_t *after = ++p;
        while (pp_digit(p, end))
            m = m * 10 + (uint64_t)(*p++ - '0');
        fraction = p - after;
        if (fraction == 0)
            return 0;
    }
    if (count + fraction > 15 || (p < end && (*p | 32) == 'e'))
        return pp_slow_number(start, end, out);
    double v = fraction ? (double)m / power[fraction] : (double)m;
    *out = negative ? -v : v;
    return p;
}

/* A whole number of at most 18 digits; NULL where it is not one, or longer. */
static inline const uint8_t *pp_whole(const uint8_t *p, const uint8_t *end, int64_t *out)
{
    bool negative = p < end && *p == '-';
    p += negative;
    const uint8_t *digits = p;
    uint64_t m = 0;
    while (p - digits < 19 && pp_digit(p, end))
        m = m * 10 + (uint64_t)(*p++ - '0');
    if (p == digits || (p - digits > 1 && *digits == '0') || m > INT64_MAX || pp_digit(p, end))
        return 0;
    if (p < end && (*p == '.' || (*p | 32) == 'e'))
        return 0;
    *out = negative ? -(int64_t)m : (int64_t)m;
    return p;
}

#endif
