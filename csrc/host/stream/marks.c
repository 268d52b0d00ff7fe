/* Marks in the order in which they came, and where to look for one: among the newest at every
 * message, so that table is small; further back only when something was sent again, so that one is
 * brought up to date only then. */
#include "marks.h"

#include <stdlib.h>
#include <string.h>

/* Places of marks by their hash, plus 1; 0: none. Begun anew when it is half full; what it forgets
 * then is older than anybody asks for. */
typedef struct lookup {
    int64_t depth;         /* newest marks that it is asked for */
    int64_t first, behind; /* numbers of the marks that were put into it */
    uint16_t *place;       /* 4 * depth of them, a power of two */
} lookup;

struct pp_marks {
    int64_t count;            /* that came */
    uint64_t newest[PP_DEEP]; /* each by its number, modulo PP_DEEP */
    lookup recent, deep;
    uint16_t *asked; /* where the mark that was asked for goes among the recent ones */
    uint16_t recent_places[4 * PP_RECENT], deep_places[4 * PP_DEEP];
};

pp_marks *pp_marks_new(void)
{
    pp_marks *marks = calloc(1, sizeof *marks);
    if (marks) {
        marks->recent = (lookup){.depth = PP_RECENT, .place = marks->recent_places};
        marks->deep = (lookup){.depth = PP_DEEP, .place = marks->deep_places};
    }
    return marks;
}

void pp_marks_free(pp_marks *marks) { free(marks); }

static uint64_t mark_at(const pp_marks *marks, int64_t number)
{
    return marks->newest[number % PP_DEEP];
}

/* Where a mark is found, or the empty place where it would be put. */
static uint16_t *place_of(const pp_marks *marks, const lookup *in, uint64_t mark)
{
    size_t last = 4 * (size_t)in->depth - 1;
    size_t at = mark >> 1 & last; /* the lowest bit is always set */
    while (in->place[at] && mark_at(marks, in->place[at] - 1) != mark)
        at = (at + 1) & last;
    return &in->place[at];
}

static void catch_up(const pp_marks *marks, lookup *in)
{
    if (marks->count - in->first > 2 * in->depth) {
        memset(in->place, 0, 4 * (size_t)in->depth * sizeof *in->place);
        in->first = marks->count - in->depth;
        in->behind = in->first;
    }
    for (; in->behind < marks->count; in->behind++)
        *place_of(marks, in, mark_at(marks, in->behind)) = (uint16_t)(in->behind % PP_DEEP + 1);
}

bool pp_marks_know(pp_marks *marks, uint64_t mark, bool again)
{
    PP_ASSERT(mark != 0);
    if (marks->count - marks->recent.first > 2 * PP_RECENT)
        catch_up(marks, &marks->recent);
    marks->asked = place_of(marks, &marks->recent, mark);
    int64_t place = *marks->asked;
    if (place && (marks->count - place) % PP_DEEP < PP_RECENT)
        return true;
    if (!again)
        return false;
    catch_up(marks, &marks->deep);
    return *place_of(marks, &marks->deep, mark) != 0;
}

void pp_marks_add(pp_marks *marks, uint64_t mark)
{
    PP_ASSERT(marks->asked && marks->recent.behind == marks->count);
    int64_t place = marks->count++ % PP_DEEP;
    marks->newest[place] = mark;
    *marks->asked = (uint16_t)(place + 1);
    marks->recent.behind = marks->count;
}

int64_t pp_marks_count(const pp_marks *marks) { return marks->count; }

size_t pp_marks_copy(const pp_marks *marks, int64_t since, uint64_t *out)
{
    int64_t number = since;
    if (number < marks->count - PP_DEEP)
        number = marks->count - PP_DEEP;
    size_t count = 0;
    for (; number < marks->count; number++)
        out[count++] = mark_at(marks, number);
    return count;
}

void pp_marks_learn(pp_marks *marks, const void *from, size_t count)
{
    uint64_t mark;
    for (size_t i = 0; i < count; i++) {
        memcpy(&mark, (const uint8_t *)from + 8 * i, 8);
        if (mark && !pp_marks_know(marks, mark, true))
            pp_marks_add(marks, mark);
    }
}
