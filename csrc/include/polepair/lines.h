/* polepair/lines.h: rows as lines of text for stores that take text (InfluxDB line protocol). Host
 * only. */
#ifndef POLEPAIR_LINES_H
#define POLEPAIR_LINES_H

#include "polepair/base.h"

enum { PP_NUMBER_TEXT = 32 }; /* bytes */

/* A finite value by its shortest form of at most 9 significant digits (a float survives it), as
 * printf's %.9g writes it; not terminated. Returns the length, below PP_NUMBER_TEXT. */
size_t pp_number_text(double value, char *out);

/* Columns of values and their names; the arrays are the caller's. */
typedef struct pp_line_columns {
    int count;
    const char *const *names; /* escaped as the protocol wants it */
    const size_t *lengths;    /* of the names, bytes */
    const double *const *values;
} pp_line_columns;

/* Bytes that pp_lines_write needs at most. */
size_t pp_lines_room(size_t head_length, const pp_line_columns *columns, long rows);
/* Line protocol of `rows` points: head, "name=value" of each column where it is finite, joined by
 * commas, and the time [ns]; a row without a finite value gives no line. Returns the bytes
 * written. */
size_t pp_lines_write(const char *head, size_t head_length, const pp_line_columns *columns,
                      const int64_t *time, long rows, char *out);

#endif
