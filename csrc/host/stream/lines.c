/* Numbers and rows as text. */
#include "polepair/lines.h"

#include <stdio.h>
#include <string.h>

enum { DIGITS = 9, TIME_TEXT = 21 };

/* Writes whole numbers from the end backwards; the first character. */
static char *digits_backwards(uint64_t value, char *end)
{
    do
        *--end = (char)('0' + value % 10);
    while (value /= 10);
    return end;
}

/* The first nine digits of `size`, 1e-4 <= size < 1e9, as a whole number, and the decimal exponent
 * of the first one. Rounded from one multiplication: of a tie's neighbourhood of 1e-7 of the last
 * digit, either side may come. */
static uint64_t nine_digits(double size, int *exponent)
{
    static const double tens[] = {1,   1e1, 1e2, 1e3,  1e4,  1e5,  1e6,
                                  1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13};
    PP_ASSERT(size >= 1e-4 && size < 1e9);
    int power = -4;
    while (power < 8 && size >= (power < 0 ? 1 / tens[-power - 1] : tens[power + 1]))
        power++;
    uint64_t nine = (uint64_t)(size * tens[DIGITS - 1 - power] + 0.5);
    if (nine >= 1000000000) {
        nine = (nine + 5) / 10;
        power++;
    }
    *exponent = power;
    return nine;
}

size_t pp_number_text(double value, char *out)
{
    double size = value < 0 ? -value : value;
    if (!(size >= 1e-4 && size < 999999999))
        return (size_t)snprintf(out, PP_NUMBER_TEXT, "%.9g", value);
    int power;
    uint64_t nine = nine_digits(size, &power);
    char digits[TIME_TEXT];
    const char *first = digits_backwards(nine, digits + TIME_TEXT);
    char *at = out;
    int count = DIGITS;
    while (count > 1 && first[count - 1] == '0')
        count--;
    if (value < 0)
        *at++ = '-';
    if (power < 0) {
        memcpy(at, "0.0000", 6);
        at += 1 - power;
        memcpy(at, first, (size_t)count);
        return (size_t)(at + count - out);
    }
    for (int i = 0; i < count || i <= power; i++) {
        if (i == power + 1)
            *at++ = '.';
        *at++ = first[i];
    }
    return (size_t)(at - out);
}

size_t pp_lines_room(size_t head_length, const pp_line_columns *columns, long rows)
{
    PP_ASSERT(columns->count >= 0 && rows >= 0);
    size_t row = head_length + TIME_TEXT + 4;
    for (int i = 0; i < columns->count; i++)
        row += columns->lengths[i] + PP_NUMBER_TEXT + 2;
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
    uint64_t distance = (uint64_t)time;
    if (time < 0) {
        *at++ = '-';
        distance = 0 - distance;
    }
    char *first = digits_backwards(distance, digits + TIME_TEXT);
    return append(at, first, (size_t)(digits + TIME_TEXT - first));
}

/* " name=value,name=value" of the columns that are finite in this row; the end of it. */
static char *append_fields(char *at, const pp_line_columns *columns, long row)
{
    char separator = ' ';
    for (int i = 0; i < columns->count; i++) {
        double value = columns->values[i][row];
        if (value - value != 0)
            continue;
        *at++ = separator;
        separator = ',';
        at = append(at, columns->names[i], columns->lengths[i]);
        *at++ = '=';
        at += pp_number_text(value, at);
    }
    return at;
}

size_t pp_lines_write(const char *head, size_t head_length, const pp_line_columns *columns,
                      const int64_t *time, long rows, char *out)
{
    char *end = out;
    for (long row = 0; row < rows; row++) {
        char *fields = append(end, head, head_length);
        char *at = append_fields(fields, columns, row);
        if (at == fields)
            continue;
        *at++ = ' ';
        at = append_time(at, time[row]);
        *at++ = '\n';
        end = at;
    }
    return (size_t)(end - out);
}
