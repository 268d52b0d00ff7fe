/* host/sweep/kernel_body.h: the lane kernel, compiled once per instruction set. Define PP_LANES,
 * PP_KERNEL and PP_WIDTH (the names of the function and of its width) before including it. Model
 * and loop are the very source of the scalar core.
 *
 * PP_GROUPS vectors advance together, stage by stage: a closed-loop step is one long chain of
 * dependent operations, and a second chain fills the processor while the first one waits (38 % on
 * SSE2, 9 % on AVX2, same bits). */
#include "kernel.h"
#include "polepair/model/drive.h"

enum { PP_GROUPS = 2 };

const int PP_WIDTH = PP_GROUPS * PP_LANES;

/* Reduced outputs so far, by output and group. */
typedef struct pp_sink {
    const pp_block *block;
    long samples; /* the last one */
    pp_real sum[PP_OUTPUTS_MAX][PP_GROUPS];
} pp_sink;

/* An amplitude is compared and squared by its square, the root taken once at the end. */
static bool is_squared(pp_reduced r)
{
    return r.channel == PP_CHANNEL_i_s && r.reducer >= PP_RMS && r.reducer <= PP_PEAK;
}

/* Folds one sample into a reduced output; the amplitude comes squared. */
PP_INLINE pp_real fold(pp_reduced r, pp_real so_far, pp_real x)
{
    switch (r.reducer) {
    case PP_FINAL:
    case PP_SETTLE: return x;
    case PP_MEAN: return so_far + x;
    case PP_RMS: return so_far + (is_squared(r) ? x : x * x);
    case PP_LEAST: return pp_min(so_far, x);
    case PP_MOST: return pp_max(so_far, x);
    default: return pp_max(so_far, pp_abs(x));
    }
}

static pp_scalar initial(int reducer)
{
    const pp_scalar infinity = (pp_scalar)__builtin_inf();
    if (reducer == PP_LEAST)
        return infinity;
    return reducer == PP_MOST ? -infinity : 0;
}

static double finish(pp_reduced r, double x, long samples)
{
    const double count = (double)samples + 1;
    if (r.reducer == PP_MEAN)
        return x / count;
    if (r.reducer == PP_RMS)
        return __builtin_sqrt(x / count);
    return is_squared(r) ? __builtin_sqrt(x) : x;
}

/* Scalar models side by side; missing cases repeat the last. */
static void transpose(const pp_block *b, int group, pp_model *model)
{
    pp_real *lanes = (pp_real *)model;
    for (size_t f = 0; f < sizeof *model / sizeof(pp_real); f++)
        for (int l = 0; l < PP_LANES; l++) {
            const int c = group * PP_LANES + l;
            lanes[f][l] = (pp_scalar)b->cases[c < b->count ? c : b->count - 1]->model[f];
        }
}

/* The states at the end, of each case its own. */
static void transpose_back(const pp_block *b, const pp_run *x)
{
    for (int c = 0; c < b->count; c++) {
        const pp_real *lanes = (const pp_real *)&x[c / PP_LANES];
        for (size_t f = 0; f < sizeof *x / sizeof(pp_real); f++)
            b->cases[c]->end[f] = (double)lanes[f][c % PP_LANES];
    }
}

/* Settling time so far: the end of the last period that began with the speed out of its band. */
PP_INLINE pp_real settling(const pp_look *look, pp_real so_far)
{
    const pp_real reference = look->m->reference.speed_ref;
    const pp_mask out = pp_abs(look->seen.omega_m - reference) > PP_R(0.02) * pp_abs(reference);
    return pp_select(out, (look->sample + PP_R(1)) * look->m->period, so_far);
}

PP_INLINE pp_real reduced_value(pp_reduced r, const pp_look *look, pp_real so_far)
{
    if (r.reducer == PP_SETTLE)
        return settling(look, so_far);
    return is_squared(r) ? pp_look_square(look) : pp_look_channel(look, (pp_channel)r.channel);
}

/* Stores a channel of a lane at its sample k. */
static void store(const pp_block *b, int which, long k, int channel, double value)
{
    const pp_trace *t = &b->trace;
    if (which < b->count)
        t->out[(b->cases[which]->index * t->rows + k / t->every) * t->count + channel] = value;
}

/* Traces the lanes that are due at a sample which the trace wants. */
PP_INLINE void trace(const pp_block *b, int group, const pp_look *look, pp_mask due, int channel)
{
    const pp_real value = pp_look_channel(look, (pp_channel)b->trace.channels[channel]);
    for (int l = 0; l < PP_LANES; l++) {
        const long k = (long)look->sample[l];
        if (due[l] && k % b->trace.every == 0)
            store(b, group * PP_LANES + l, k, channel, (double)value[l]);
    }
}

PP_INLINE bool pp_sink_stopped(const pp_sink *sink)
{
    return __atomic_load_n(sink->block->stop, __ATOMIC_RELAXED) != 0;
}

/* Where all lanes are due together, masks and comparisons of lanes stay out of the loop. */
PP_INLINE long pp_sink_take(pp_sink *sink, int group, const pp_look *look, pp_mask due, long k)
{
    const pp_block *b = sink->block;
    for (int o = 0; o < b->output_count; o++) {
        const pp_reduced r = b->outputs[o];
        const pp_real so_far = sink->sum[o][group];
        if (look->together) {
            if (r.reducer != PP_FINAL || k == sink->samples)
                sink->sum[o][group] = fold(r, so_far, reduced_value(r, look, so_far));
            continue;
        }
        pp_mask takes = due;
        if (r.reducer == PP_FINAL)
            takes = due & (look->sample == pp_set((pp_scalar)sink->samples));
        if (pp_any(takes))
            sink->sum[o][group] =
                pp_select(takes, fold(r, so_far, reduced_value(r, look, so_far)), so_far);
    }
    for (int c = 0; c < b->trace.count && (!look->together || k % b->trace.every == 0); c++)
        trace(b, group, look, due, c);
    return 1;
}

#include "polepair/model/loops.h"

bool PP_KERNEL(const pp_block *b)
{
    const pp_case *first = b->cases[0];
    const pp_course course = {
        .kinds = first->kinds,
        .samples = first->samples + 1,
        .periods = first->samples,
        .substeps = first->substeps,
    };
    pp_model m[PP_GROUPS];
    pp_run x[PP_GROUPS];
    pp_sink sink;
    sink.block = b;
    sink.samples = first->samples;
    for (int g = 0; g < PP_GROUPS; g++) {
        transpose(b, g, &m[g]);
        pp_run_start(&first->kinds, &x[g]);
        for (int o = 0; o < b->output_count; o++)
            sink.sum[o][g] = pp_set(initial(b->outputs[o].reducer));
    }
    if (!pp_follow(&course, m, x, &sink))
        return false;
    transpose_back(b, x);
    for (int c = 0; c < b->count; c++)
        for (int o = 0; o < b->output_count; o++)
            b->results[b->cases[c]->index * b->width + b->places[o]] = finish(
                b->outputs[o], (double)sink.sum[o][c / PP_LANES][c % PP_LANES], first->samples);
    return true;
}
