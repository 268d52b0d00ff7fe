/* libFuzzer target over what is written as text and packets (-DDECODER=LINES or COBS): lines are
 * what printf would write, packets come back as they were. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "polepair/frame.h"
#include "polepair/lines.h"

enum { LINES, COBS, COLUMNS = 3, ROWS_MAX = 64, LINE = 512 };

static void need(bool good)
{
    if (!good)
        abort();
}

/* A number's text: printf's, of this value or, at a tie, of a neighbour. */
static bool is_number(double value, const char *text, size_t length)
{
    double near = value;
    double low = value;
    char expected[64];
    for (int k = 0; k < 5; k++, near = nextafter(near, INFINITY), low = nextafter(low, -INFINITY)) {
        snprintf(expected, sizeof expected, "%.9g", near);
        if (strlen(expected) == length && memcmp(expected, text, length) == 0)
            return true;
        snprintf(expected, sizeof expected, "%.9g", low);
        if (strlen(expected) == length && memcmp(expected, text, length) == 0)
            return true;
    }
    return false;
}

static void check_number(double value)
{
    char text[PP_NUMBER_TEXT + 1];
    size_t length = pp_number_text(value, text);
    need(length < PP_NUMBER_TEXT);
    text[length] = 0;
    need(is_number(value, text, length));
    double back = strtod(text, NULL);
    if ((double)(float)value == value)
        need((float)back == (float)value);
}

/* The lines of a block, one printf after the other. */
static size_t plainly(const pp_line_columns *columns, const int64_t *time, long rows, char *out)
{
    size_t length = 0;
    for (long row = 0; row < rows; row++) {
        char fields[LINE] = "";
        for (int i = 0; i < columns->count; i++) {
            char number[PP_NUMBER_TEXT + 1];
            if (!isfinite(columns->values[i][row]))
                continue;
            number[pp_number_text(columns->values[i][row], number)] = 0;
            sprintf(fields + strlen(fields), "%s%s=%s", *fields ? "," : " ", columns->names[i],
                    number);
        }
        if (*fields)
            length += (size_t)sprintf(out + length, "m%s %lld\n", fields, (long long)time[row]);
    }
    return length;
}

static void write_lines(const uint8_t *data, size_t size)
{
    static const char *const names[COLUMNS] = {"a", "bb", "c\\ d"};
    static const size_t lengths[COLUMNS] = {1, 2, 4};
    static double block[COLUMNS][ROWS_MAX];
    static const double *const values[COLUMNS] = {block[0], block[1], block[2]};
    static int64_t time[ROWS_MAX];
    static char expected[ROWS_MAX * LINE];
    const pp_line_columns columns = {COLUMNS, names, lengths, values};
    long rows = (long)(size / (8 * (COLUMNS + 1)));
    if (rows > ROWS_MAX)
        rows = ROWS_MAX;
    for (long row = 0; row < rows; row++, data += 8 * (COLUMNS + 1)) {
        memcpy(&time[row], data, 8);
        for (int i = 0; i < COLUMNS; i++) {
            memcpy(&block[i][row], data + 8 + 8 * i, 8);
            if (isfinite(block[i][row]))
                check_number(block[i][row]);
            if (isfinite((float)block[i][row]))
                check_number((double)(float)block[i][row]);
        }
    }
    char *out = malloc(pp_lines_room(1, &columns, rows) + 1);
    size_t length = pp_lines_write("m", 1, &columns, time, rows, out);
    need(length == plainly(&columns, time, rows, expected) && memcmp(out, expected, length) == 0);
    free(out);
}

/* The first byte says how much room there is beside what is needed. */
static void pass_packet(const uint8_t *data, size_t size)
{
    if (!size--)
        return;
    size_t room = size + size / 254 + 1;
    uint8_t *coded = malloc(room);
    uint8_t *plain = malloc(size + 1);
    size_t length = pp_cobs_encode(data + 1, size, coded, room);
    need(length > size && length <= room && !memchr(coded, 0, length));
    need(pp_cobs_encode(data + 1, size, coded, room - 1) == 0);
    need(pp_cobs_decode(coded, length, plain, size) == size);
    need(memcmp(plain, data + 1, size) == 0);
    free(coded);
    free(plain);
    room = data[0] % 2 ? size : size / 2; /* what no packet is, into too little room */
    plain = malloc(room + 1);
    length = pp_cobs_decode(data + 1, size, plain, room);
    need(length == PP_COBS_BROKEN || length <= room);
    pp_frame header;
    if (length != PP_COBS_BROKEN && length > 4)
        pp_frame_read(plain, length - 4, &header);
    free(plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (DECODER == LINES)
        write_lines(data, size);
    else
        pass_packet(data, size);
    return 0;
}
