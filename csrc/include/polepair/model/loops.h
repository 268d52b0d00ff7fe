/* polepair/model/loops.h: the loops of every machine, and the one that a course takes. No guard: it
 * is included once by whoever runs, behind what loop.h asks for. */
#define PP_FAMILY pmsm
#define PP_RICH 0
#include "polepair/model/loop.h"
#define PP_FAMILY pmsm
#define PP_RICH 1
#include "polepair/model/loop.h"
#define PP_FAMILY sixstep
#define PP_RICH 0
#include "polepair/model/loop.h"
#define PP_FAMILY sixstep
#define PP_RICH 1
#include "polepair/model/loop.h"

/* Moves PP_GROUPS machines along the course; false where it was stopped. */
static bool pp_follow(const pp_course *course, const pp_model *m, pp_run *x, pp_sink *sink)
{
    switch (course->kinds.machine) {
#define PP_MACHINE(kind, when, doc)                            \
    case PP_MACHINE_##kind:                                    \
        if (pp_is_plain(&course->kinds, &PP_PLAIN_##kind))     \
            return pp_loop_##kind##_plain(course, m, x, sink); \
        return pp_loop_##kind##_rich(course, m, x, sink);
#include "polepair/parts.def"
    }
    __builtin_unreachable();
}
