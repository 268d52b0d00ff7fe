/* polepair/model/loop.h: THE loop over time, compiled for every machine once plain and once rich,
 * by the scalar core and by each lane kernel. No guard: include it with PP_FAMILY (a machine of
 * parts.def) and PP_RICH (0 or 1) defined; it defines
 *
 *   static bool pp_loop_<family>_<plain|rich>(const pp_course *, const pp_model *, pp_run *,
 *                                             pp_sink *)
 *
 * which moves PP_GROUPS machines side by side and returns false where it was stopped. Before the
 * first include the includer defines PP_GROUPS, the type pp_sink, and
 *
 *   bool pp_sink_stopped(pp_sink *)
 *   long pp_sink_take(pp_sink *, int group, const pp_look *, pp_mask due, long k)
 *
 * the second taking the look of a sample in the lanes where it is due, and telling the periods
 * until it looks again. In a plain loop the parts and features are constants of PP_PLAIN, in a
 * rich one they are read from the course.
 *
 * Machines with events sample each lane by its own clock (PP_APART_<family>): lanes meet their
 * events at different times, and one that needs another segment would keep the others waiting.
 * They may be samples apart. */
#define PP_JOIN3_(a, b, c) a##b##c
#define PP_JOIN3(a, b, c) PP_JOIN3_(a, b, c)
#define PP_OF(name) PP_JOIN3(PP_JOIN3(pp_, PP_FAMILY, _), name, )
#define PP_NAMED(prefix) PP_JOIN3(prefix, _, PP_FAMILY)
#if PP_RICH
#define PP_IN_LOOP(name) PP_JOIN3(pp_, name, PP_JOIN3(_, PP_FAMILY, _rich))
#else
#define PP_IN_LOOP(name) PP_JOIN3(pp_, name, PP_JOIN3(_, PP_FAMILY, _plain))
#endif

#ifndef PP_LOOP_COMMON
#define PP_LOOP_COMMON
/* Where each lane stands. */
typedef struct pp_clock {
    pp_real sample;   /* the next one to be taken */
    pp_real substeps; /* of the period, still to begin */
    pp_real segments; /* of the substep so far */
} pp_clock;

enum { PP_SEGMENTS_MAX = 12 }; /* of a step; more can only be a state without sense */

/* The parts of a plain loop. */
#define PP_PLAIN(family, control_kind, load_kind, set)                                         \
    static const pp_kinds PP_PLAIN_##family = {PP_MACHINE_##family, PP_CONTROL_##control_kind, \
                                               PP_LOAD_##load_kind, set};
#include "polepair/parts.def"
#endif

/* The machines on their way, by group. */
typedef struct PP_IN_LOOP(lanes) {
    const pp_model *m;
    pp_run *x;
    PP_OF(going) on[PP_GROUPS];
    pp_clock clock[PP_GROUPS];
} PP_IN_LOOP(lanes);

/* Lanes that are due take their sample: the controller asks, the inverter holds, the sink looks.
 * The periods until it looks again. */
PP_INLINE long PP_IN_LOOP(sample)(const pp_kinds *kinds, PP_IN_LOOP(lanes) * lanes, int g,
                                  pp_mask due, pp_real sample, pp_sink *sink, long k)
{
    const pp_model *m = &lanes->m[g];
    pp_run *x = &lanes->x[g];
    PP_OF(going) *on = &lanes->on[g];
    const pp_seen seen = PP_OF(sense)(on->m, on->x);
    const pp_real load = pp_load_torque(kinds->load, m, sample, &seen);
    const pp_real speed_ref = pp_ramp_at(&m->reference, sample);
    const pp_run before = *x;
    PP_OF(held) held;
    const pp_command command =
        pp_control_step(kinds->control, m, x, &seen, speed_ref, kinds->features);
    PP_OF(hold)(on->m, on->x, command, load, &held);
    if (PP_NAMED(PP_APART)) {
        const pp_real *old = (const pp_real *)&on->held;
        pp_real *new = (pp_real *)&held;
        for (int i = 0; i < pp_control_values(kinds->control); i++)
            x->control.values[i] = pp_select(due, x->control.values[i], before.control.values[i]);
        for (size_t i = 0; i < sizeof held / sizeof(pp_real); i++)
            new[i] = pp_select(due, new[i], old[i]);
    }
    on->held = held;
    const pp_look look = {
        .machine = PP_NAMED(PP_MACHINE),
        .m = m,
        .going = on,
        .seen = seen,
        .load = load,
        .sample = sample,
        .together = !PP_NAMED(PP_APART),
    };
    return pp_sink_take(sink, g, &look, due, k);
}

/* Lanes without time left begin their next step, or sample first; false when all are at the end. */
PP_INLINE bool PP_IN_LOOP(wind)(const pp_course *c, const pp_kinds *kinds,
                                PP_IN_LOOP(lanes) * lanes, int g, pp_sink *sink)
{
    const pp_real none = pp_set(0);
    const pp_real one = pp_set(1);
    const pp_real last = pp_set((pp_scalar)c->periods);
    const bool adaptive = kinds->features & PP_HAS_ADAPTIVE;
    pp_clock *clock = &lanes->clock[g];
    pp_real *left = &lanes->on[g].left;
    const pp_mask idle = (*left <= none) | (clock->segments >= PP_R(PP_SEGMENTS_MAX));
    const pp_mask due = idle & (clock->substeps <= none) & (clock->sample <= last);
    if (pp_any(due)) {
        const pp_scalar steps = adaptive ? 1 : (pp_scalar)c->substeps;
        PP_IN_LOOP(sample)(kinds, lanes, g, due, clock->sample, sink, 0);
        clock->substeps = pp_select(due & (clock->sample < last), pp_set(steps), clock->substeps);
        clock->sample = pp_select(due, clock->sample + one, clock->sample);
    }
    const pp_mask begins = idle & (clock->substeps > none);
    const pp_real step = adaptive ? lanes->m[g].period : PP_OF(step)(lanes->on[g].m);
    *left = pp_select(idle, pp_select(begins, step, none), *left);
    clock->substeps = pp_select(begins, clock->substeps - one, clock->substeps);
    clock->segments = pp_select(begins, one, clock->segments + one);
    return pp_any(*left > none);
}

/* Adaptive steps over some periods, out of line so that the loops of fixed steps stay lean. */
static __attribute__((noinline, unused)) void
PP_IN_LOOP(adapt)(const pp_course *c, PP_IN_LOOP(lanes) * lanes, int g, long stride)
{
    pp_adaptive by = {
        .span = lanes->m[g].period,
        .step = &lanes->x[g].step,
        .tolerance = &lanes->m[g].tolerance,
        .on_step = c->on_step,
        .context = c->context,
    };
    if (PP_NAMED(PP_APART))
        by.span = lanes->on[g].left;
    else if (stride != 1)
        by.span = pp_set((pp_scalar)((double)stride * c->period));
    PP_OF(adapt)(&lanes->on[g], &by);
}

/* Periods that an adaptive run may go over at once from sample k on: until the sink looks or the
 * load changes. Lanes go one by one. */
PP_INLINE long PP_IN_LOOP(stride)(const pp_course *c, const pp_kinds *kinds, const pp_model *m,
                                  long k, long look)
{
    if (PP_LANES > 1 || !(kinds->features & PP_HAS_ADAPTIVE) || !c->open_loop)
        return 1;
    const pp_scalar until = pp_first(pp_load_until(kinds->load, m, pp_set((pp_scalar)k)));
    const pp_scalar left = until - (pp_scalar)k;
    return left < (pp_scalar)look ? (long)left : look;
}

static __attribute__((noinline)) bool PP_IN_LOOP(loop)(const pp_course *c, const pp_model *m,
                                                       pp_run *x, pp_sink *sink)
{
    const pp_kinds kinds = PP_RICH ? c->kinds : PP_NAMED(PP_PLAIN);
    const pp_real none = pp_set(0);
    PP_IN_LOOP(lanes) lanes = {.m = m, .x = x};
    for (int g = 0; g < PP_GROUPS; g++) {
        lanes.clock[g] = (pp_clock){.sample = none, .substeps = none, .segments = none};
        lanes.on[g].m = &m[g].machine.PP_FAMILY;
        lanes.on[g].x = &x[g].machine.PP_FAMILY;
        lanes.on[g].energy = &x[g].energy;
        lanes.on[g].left = none;
    }
    long k = c->first;
    for (bool busy = true; busy;) {
        long stride = 1;
        if (pp_sink_stopped(sink))
            return false;
        busy = false;
        for (int g = 0; g < PP_GROUPS; g++) {
            if (PP_NAMED(PP_APART)) {
                busy |= PP_IN_LOOP(wind)(c, &kinds, &lanes, g, sink);
                continue;
            }
            const pp_real sample = pp_set((pp_scalar)k);
            const long look = PP_IN_LOOP(sample)(&kinds, &lanes, g, PP_ALL, sample, sink, k);
            stride = PP_IN_LOOP(stride)(c, &kinds, &m[g], k, look);
        }
        if (!PP_NAMED(PP_APART)) {
            if (k - c->first >= c->periods)
                return true;
            k += stride;
            busy = k - c->first < c->samples;
        }
        if (kinds.features & PP_HAS_ADAPTIVE)
            for (int g = 0; g < PP_GROUPS; g++)
                PP_IN_LOOP(adapt)(c, &lanes, g, stride);
        else
            PP_OF(move)(lanes.on, PP_GROUPS, c->substeps, kinds.features);
    }
    return true;
}

#undef PP_OF
#undef PP_NAMED
#undef PP_IN_LOOP
#undef PP_FAMILY
#undef PP_RICH
