/* Numbers and rows as text. */
#include "polepair/lines.h"

#include <stdio.h>
#include <string.h>

enum { DIGITS = 9, TIME_TEXT = 21 };

/* Writes whole numbers from the end backwards; the first character. */
static char *backwards(uint64_t value, char *end)
{
    do
        *--end = (char)('0' + value % 10);
    while (value /= 10);
    return end;
}

/* The first nine digits of a, 1e-4 <= a < 1e9, as a whole number, and the decimal exponent of the first one. Rounded from one
 * multiplication: of a tie's neighbourhood of 1e-7 of the last digit, either side may come. */
static uint64_t nine_digits(double a, int *exponent)
{
    static const double power[] = {1,   1e1, 1e2, 1e3,  1e4,  1e5,  1e6,
                                   1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13};
    int e = -4;
    while (e < 8 && a >= (e < 0 ? 1 / power[-e - 1] : power[e + 1]))
        e++;
    uint64_t m = (uint64_t)(a * power[DIGITS - 1 - e] + 0.5);
    if (m >= 1000000000)
        m = (m + 5) / 10, e++;
    *exponent = e;
    return m;
}

size_t pp_number_text(double value, char *out)
{
    double a = value < 0 ? -value : value;
    if (!(a >= 1e-4 && a < 999999999))
        return (size_t)snprintf(out, PP_NUMBER_TEXT, "%.9g", value);
    int e;
    uint64_t m = nine_digits(a, &e);
    char digits[TIME_TEXT], *first = backwards(m, digits + TIME_TEXT), *at = out;
    int count = DIGITS;
    while (count > 1 && first[count - 1] == '0')
        count--;
    if (value < 0)
        *at++ = '-';
    if (e < 0) {
        memcpy(at, "0.0000", 6);
        at += 1 - e;
        memcpy(at, first, (size_t)count);
        return (size_t)(at + count - out);
    }
    for (int i = 0; i < count || i <= e; i++) {
        if (i == e + 1)
            *at++ = '.';
        *at++ = first[i];
    }
    return (size_t)(at - out);
}

size_t pp_lines_room(size_t head, const size_t *lengths, int count, long rows)
{
    size_t row = head + TIME_TEXT + 4;
    for (int c = 0; c < count; c++)
        row += lengths[c] + PP_NUMBER_TEXT + 2;
    return row * (size_t)rows;
}

static char *append(char *at, const char *text, size_t length)
{
    memcpy(at, text, length);
    return at + length;
}

static char *append_time(char *at, int64_t time)
{
    char digits[TIME_TEXT];
    if (time < 0)
        *at++ = '-';
    char *first = backwards(time < 0 ? 0 - (uint64_t)time : (uint64_t)time, digits + TIME_TEXT);
    return append(at, first, (size_t)(digits + TIME_TEXT - first));
}

size_t pp_lines_write(const char *head, size_t head_length, const char *const *names,
                      const size_t *lengths, int count, const double *const *columns,
                      const int64_t *time, long rows, char *out)
{
    char *end = out;
    for (long row = 0; row < rows; row++) {
        char *at = append(end, head, head_length), separator = ' ';
        for (int c = 0; c < count; c++) {
            double value = columns[c][row];
            if (value - value != 0)
                continue;
            *at++ = separator;
            separator = ',';
            at = append(at, names[c], lengths[c]);
            *at++ = '=';
            at += pp_number_text(value, at);
        }
        if (separator == ' ')
            continue;
        *at++ = ' ';
        at = append_time(at, time[row]);
        *at++ = '\n';
        end = at;
    }
    return (size_t)(end - out);
}
