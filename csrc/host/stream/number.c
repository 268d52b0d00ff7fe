/* The numbers that few digits do not decide: by strtod in the C locale. */
#define _GNU_SOURCE
#include "number.h"

#include <locale.h>
#include <pthread.h>
#include <stdlib.h>

enum { NUMBER_MAX = 400 };

static locale_t c_locale;
static void make_locale(void) { c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0); }

bool pp_number_part(uint8_t byte) { return (unsigned)(byte - '0') < 10 || strchr("+-.eE", byte); }

const uint8_t *pp_number_by_strtod(const uint8_t *p, const uint8_t *end, double *out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_locale);
    char text[NUMBER_MAX + 1], *stop;
    size_t n = 0;
    for (; p + n < end && n < NUMBER_MAX && p[n] && pp_number_part(p[n]); n++)
        text[n] = (char)p[n];
    text[n] = 0;
    *out = strtod_l(text, &stop, c_locale);
    bool whole = n < NUMBER_MAX && stop == text + n;
    return whole && *out - *out == 0 ? p + n : NULL;
}
