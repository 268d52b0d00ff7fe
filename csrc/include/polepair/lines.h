/* polepair/lines.h: rows as lines of text for stores that take text (InfluxDB line protocol). Host only. */
#ifndef POLEPAIR_LINES_H
#define POLEPAIR_LINES_H

#include "polepair/base.h"

enum { PP_NUMBER_TEXT = 32 }; /* bytes */

/* A finite value by its shortest form of at most 9 significant digits (a float survives it), as printf's %.9g writes it; not
 * terminated. Returns the length, below PP_NUMBER_TEXT. */
size_t pp_number_text(double value, char *out);

/* Bytes that pp_lines_write needs at most. lengths: of the names. */
size_t pp_lines_room(size_t head, const size_t *lengths, int count, long rows);
/* Line protocol of `rows` points: head, "name=value" of each column where it is finite, joined by commas, and the time [ns];
 * a row without a finite value gives no line. Returns the bytes written. */
size_t pp_lines_write(const char *head, size_t head_length, const char *const *names,
                      const size_t *lengths, int count, const double *const *columns,
                      const int64_t *time, long rows, char *out);

#endif
