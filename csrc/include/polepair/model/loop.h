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
#define PP_OF(name) PP_PASTE(PP_PASTE(pp_, PP_FAMILY), _##name)
#define PP_NAMED(prefix) PP_PASTE(prefix##_, PP_FAMILY)
#if PP_RICH
#define PP_IN_LOOP(name) PP_PASTE(PP_PASTE(pp_##name##_, PP_FAMILY), _rich)
#else
#define PP_IN_LOOP(name) PP_PASTE(PP_PASTE(pp_##name##_, PP_FAMILY), _plain)
#endif

#ifndef PP_LOOP_COMMON
#define PP_LOOP_COMMON
/* Where each lane stands. */
typedef struct pp_clock {
    pp_real sample;   /* the next one to be taken */
    pp_real substeps; /* of the period, still to begin */
    pp_real segments; /* of the substep so far */
} pp_clock;

/* Which lanes take which sample. */
typedef struct pp_due {
    pp_mask lanes;
    pp_real sample; /* periods since the start */
    long k;         /* the same, where all lanes are together */
} pp_due;

/* The parts of a plain loop. */
#define PP_PLAIN(family, control_kind, load_kind, set)                                         \
    static const pp_kinds PP_PLAIN_##family = {PP_MACHINE_##family, PP_CONTROL_##control_kind, \
                                               PP_LOAD_##load_kind, set};
#include "polepair/parts.def"
#endif

/* Lanes that are due take their sample: the controller asks, the inverter holds, the sink looks.
 * The periods until it looks again. */
PP_INLINE long PP_IN_LOOP(sample)(const pp_kinds *kinds, const pp_model *m, pp_run *x,
                                  PP_OF(going) * on, const pp_due *due, pp_sink *sink, int g)
{
    const pp_seen seen = PP_OF(sense)(on->m, on->x);
    const pp_real load = pp_load_torque(kinds->load, m, due->sample, &seen);
    const pp_real speed_ref = pp_ramp_at(&m->reference, due->sample);
    const pp_run before = *x;
    PP_OF(held) held;
    PP_OF(watch)(on->m, on->x, &seen, due->lanes, &x->extremes);
    const pp_command command =
        pp_control_step(kinds->control, m, x, &seen, speed_ref, kinds->features);
    PP_OF(hold)(on->m, on->x, command, load, &held);
    if (PP_NAMED(PP_APART)) {
        const pp_real *old = (const pp_real *)&on->held;
        pp_real *new = (pp_real *)&held;
        for (int i = 0; i < pp_control_values(kinds->control); i++)
            x->control.values[i] =
                pp_select(due->lanes, x->control.values[i], before.control.values[i]);
        for (size_t i = 0; i < sizeof held / sizeof(pp_real); i++)
            new[i] = pp_select(due->lanes, new[i], old[i]);
    }
    on->held = held;
    const pp_look look = {
        .machine = PP_NAMED(PP_MACHINE),
        .m = m,
        .going = on,
        .seen = seen,
        .load = load,
        .sample = due->sample,
        .together = !PP_NAMED(PP_APART),
    };
    return pp_sink_take(sink, g, &look, due->lanes, due->k);
}

/* Lanes without time left begin their next step, or sample first; false when all are at the end. */
PP_INLINE bool PP_IN_LOOP(wind)(const pp_course *c, const pp_kinds *kinds, const pp_model *m,
                                pp_run *x, PP_OF(going) * on, pp_clock *clock, pp_sink *sink, int g)
{
    const pp_real none = pp_set(0);
    const pp_real one = pp_set(1);
    const pp_real last = pp_set((pp_scalar)c->periods);
    const bool adaptive = kinds->features & PP_HAS_ADAPTIVE;
    const pp_mask idle = (on->left <= none) | (clock->segments >= PP_R(PP_SEGMENTS_MAX));
    const pp_mask due = idle & (clock->substeps <= none) & (clock->sample <= last);
    if (pp_any(due)) {
        const pp_scalar steps = adaptive ? 1 : (pp_scalar)c->substeps;
        const pp_due now = {.lanes = due, .sample = clock->sample};
        PP_IN_LOOP(sample)(kinds, m, x, on, &now, sink, g);
        clock->substeps = pp_select(due & (clock->sample < last), pp_set(steps), clock->substeps);
        clock->sample = pp_select(due, clock->sample + one, clock->sample);
    }
    const pp_mask begins = idle & (clock->substeps > none);
    const pp_real step = adaptive ? m->period : PP_OF(step)(on->m);
    on->left = pp_select(idle, pp_select(begins, step, none), on->left);
    clock->substeps = pp_select(begins, clock->substeps - one, clock->substeps);
    clock->segments = pp_select(begins, one, clock->segments + one);
    return pp_any(on->left > none);
}

/* Adaptive steps over some periods, out of line so that the loops of fixed steps stay lean. */
static __attribute__((noinline, unused)) void
PP_IN_LOOP(adapt)(const pp_course *c, const pp_model *m, pp_run *x, PP_OF(going) * on, long stride)
{
    pp_adaptive by = {
        .span = m->period,
        .step = &x->step,
        .tolerance = &m->tolerance,
        .on_step = c->on_step,
        .context = c->context,
    };
    if (PP_NAMED(PP_APART))
        by.span = on->left;
    else if (stride != 1)
        by.span = pp_set((pp_scalar)((double)stride * c->period));
    PP_OF(adapt)(on, &by);
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
    const long last = c->first + c->periods;
    const long end = c->first + c->samples;
    const pp_real none = pp_set(0);
    pp_clock clock[PP_GROUPS];
    PP_OF(going) on[PP_GROUPS];
    for (int g = 0; g < PP_GROUPS; g++) {
        clock[g] = (pp_clock){.sample = none, .substeps = none, .segments = none};
        on[g].m = &m[g].machine.PP_FAMILY;
        on[g].x = &x[g].machine.PP_FAMILY;
        on[g].energy = &x[g].energy;
        on[g].left = none;
    }
    long k = c->first;
    for (bool busy = true; busy;) {
        long stride = 1;
        if (pp_sink_stopped(sink))
            return false;
        busy = false;
        for (int g = 0; g < PP_GROUPS; g++) {
            if (PP_NAMED(PP_APART)) {
                busy |= PP_IN_LOOP(wind)(c, &kinds, &m[g], &x[g], &on[g], &clock[g], sink, g);
                continue;
            }
            const pp_due all = {.lanes = PP_ALL, .sample = pp_set((pp_scalar)k), .k = k};
            const long look = PP_IN_LOOP(sample)(&kinds, &m[g], &x[g], &on[g], &all, sink, g);
            stride = PP_IN_LOOP(stride)(c, &kinds, &m[g], k, look);
        }
        if (!PP_NAMED(PP_APART) && k >= last)
            break;
        if (kinds.features & PP_HAS_ADAPTIVE)
            for (int g = 0; g < PP_GROUPS; g++)
                PP_IN_LOOP(adapt)(c, &m[g], &x[g], &on[g], stride);
        else
            PP_OF(move)(on, PP_GROUPS, c->substeps, kinds.features);
        if (!PP_NAMED(PP_APART)) {
            k += stride;
            busy = k < end;
        }
    }
    return true;
}

#undef PP_OF
#undef PP_NAMED
#undef PP_IN_LOOP
#undef PP_FAMILY
#undef PP_RICH
