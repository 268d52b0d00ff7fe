/* host/stream/number.h: JSON numbers, correctly rounded. Up to 15 digits with a power of ten up to
 * 22 are exact by one multiplication or division (Clinger, PLDI 1990); the rest goes through strtod
 * in the C locale. */
#ifndef PP_HOST_NUMBER_H
#define PP_HOST_NUMBER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* True for what a number may consist of. */
bool pp_number_part(uint8_t byte);
/* Reads a number at p; the position behind it, NULL where there is none or it overflows. */
const uint8_t *pp_number_by_strtod(const uint8_t *p, const uint8_t *end, double *out);

static inline bool pp_digit(const uint8_t *p, const uint8_t *end)
{
    return p < end && (unsigned)(*p - '0') < 10;
}

/* The high bit of each byte of `text` (characters xor '0') that is no digit, exact up to the first
 * one beyond ASCII. */
static inline uint64_t pp_no_digits(uint64_t text)
{
    return ((text + 0x7676767676767676) | text) & 0x8080808080808080;
}

/* Eight digits, the first in the lowest byte, as a number: pairs, fours, eight. */
static inline uint64_t pp_eight_digits(uint64_t text)
{
    text = (text * 10 + (text >> 8)) & 0x00ff00ff00ff00ff;
    text = (text * 100 + (text >> 16)) & 0x0000ffff0000ffff;
    return (text * 10000 + (text >> 32)) & 0xffffffff;
}

/* Digits and a point in the bytes of `text` (xor '0') before place `at` [bits], the point at
 * `first`, as a number. */
static inline double pp_with_point(uint64_t text, int first, int at)
{
    static const double power[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7};
    uint64_t below = ((uint64_t)1 << first) - 1;
    uint64_t digits = (text & below) | (text >> 8 & ~below);
    return (double)pp_eight_digits(digits << (72 - at)) / power[(at - first) / 8 - 1];
}

/* A number of at most 7 digits and perhaps a point, no exponent, with 10 readable bytes: most
 * numbers that a device sends, without a branch per digit or sign. NULL where it is anything else;
 * the way below tells what. */
static inline const uint8_t *pp_short_number(const uint8_t *p, double *out)
{
    uint64_t text, behind;
    memcpy(&text, p, 8);
    memcpy(&behind, p + 1, 8);
    uint64_t negative = (uint8_t)text == '-';
    text = (negative ? behind : text) ^ 0x3030303030303030;
    uint64_t other = pp_no_digits(text);
    uint64_t second = other & (other - 1);
    if (!other)
        return NULL;
    int first = __builtin_ctzll(other) & 56; /* places in bits */
    int at = 64;
    bool point = (text >> first & 255) == ('.' ^ '0');
    if (second)
        at = __builtin_ctzll(second) & 56;
    at = point ? at : first;
    unsigned stop = p[negative + (unsigned)at / 8];
    if (first == 0 || (point && at == first + 8) || (first > 8 && (uint8_t)text == 0) ||
        stop == '.' || (stop | 32) == 'e' || stop - '0' < 10)
        return NULL;
    double value =
        point ? pp_with_point(text, first, at) : (double)pp_eight_digits(text << (64 - at));
    *out = negative ? -value : value;
    return p + negative + at / 8;
}

/* -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)? as RFC 8259 has it. */
static inline const uint8_t *pp_number(const uint8_t *p, const uint8_t *end, double *out)
{
    static const double power[] = {1,   1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    const uint8_t *start = p;
    if (end - p > 9) {
        const uint8_t *behind = pp_short_number(p, out);
        if (behind)
            return behind;
    }
    bool negative = p < end && *p == '-';
    p += negative;
    const uint8_t *digits = p;
    uint64_t mantissa = 0;
    while (pp_digit(p, end))
        mantissa = mantissa * 10 + (uint64_t)(*p++ - '0');
    int64_t count = p - digits;
    int64_t fraction = 0;
    if (count == 0 || (count > 1 && *digits == '0'))
        return NULL;
    if (p < end && *p == '.') {
        const uint8_t *after = ++p;
        while (pp_digit(p, end))
            mantissa = mantissa * 10 + (uint64_t)(*p++ - '0');
        fraction = p - after;
        if (fraction == 0)
            return NULL;
    }
    if (count + fraction > 15 || (p < end && (*p | 32) == 'e'))
        return pp_number_by_strtod(start, end, out);
    double value = fraction ? (double)mantissa / power[fraction] : (double)mantissa;
    *out = negative ? -value : value;
    return p;
}

/* Eight characters, as a number where all are digits. */
static inline bool pp_eight_at(const uint8_t *p, uint64_t *value)
{
    uint64_t text;
    memcpy(&text, p, 8);
    text ^= 0x3030303030303030;
    if (pp_no_digits(text))
        return false;
    *value = pp_eight_digits(text);
    return true;
}

/* A whole number of at most 18 digits; NULL where it is not one, or longer. */
static inline const uint8_t *pp_whole(const uint8_t *p, const uint8_t *end, int64_t *out)
{
    bool negative = p < end && *p == '-';
    p += negative;
    const uint8_t *digits = p;
    uint64_t mantissa = 0;
    uint64_t eight;
    for (int k = 0; k < 2 && end - p >= 8 && pp_eight_at(p, &eight); k++, p += 8)
        mantissa = mantissa * 100000000 + eight;
    while (p - digits < 19 && pp_digit(p, end))
        mantissa = mantissa * 10 + (uint64_t)(*p++ - '0');
    if (p == digits || (p - digits > 1 && *digits == '0') || mantissa > INT64_MAX ||
        pp_digit(p, end))
        return NULL;
    if (p < end && (*p == '.' || (*p | 32) == 'e'))
        return NULL;
    int64_t value = (int64_t)mantissa;
    *out = negative ? -value : value;
    return p;
}

#endif
