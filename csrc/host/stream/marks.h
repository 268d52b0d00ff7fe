/* host/stream/marks.h: which messages came, by a mark each: a number that tells it from every
 * other, but for chance. */
#ifndef PP_HOST_MARKS_H
#define PP_HOST_MARKS_H

#include "polepair/decoder.h"

/* Whether this mark (not 0) is among the PP_RECENT newest, or, where whoever brings the message
 * says that it was sent before, among the PP_DEEP newest. */
bool pp_marks_know(pp_marks *marks, uint64_t mark, bool again);
/* The one that was asked for last, and is not known, is the newest one now. */
void pp_marks_add(pp_marks *marks, uint64_t mark);

#endif
