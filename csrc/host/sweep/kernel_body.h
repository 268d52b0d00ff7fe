/* host/sweep/kernel_body.h: the lane kernel, compiled once per instruction set. Define PP_LANES, PP_KERNEL and PP_WIDTH (the
 * names of the function and of its width) before including it. The model is the very source of the scalar core.
 *
 * GROUPS vectors advance together, stage by stage: a closed-loop step is one long chain of dependent operations, and a
 * second chain fills the processor while the first one waits (38 % on SSE2, 9 % on AVX2, same bits). */
#include "kernel.h"
#include "polepair/model/model.h"

enum { GROUPS = 2 };

const int PP_WIDTH = GROUPS * PP_LANES;

/* Reduced outputs so far, by output and group. */
typedef pp_real reductions[PP_OUTPUTS_MAX][GROUPS];

/* An amplitude is compared and squared by its square, the root taken once at the end. */
static bool squared(pp_reduced r)
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
    case PP_RMS: return so_far + (squared(r) ? x : x * x);
    case PP_LEAST: return pp_min(so_far, x);
    case PP_MOST: return pp_max(so_far, x);
    default: return pp_max(so_far, pp_abs(x));
    }
}

static pp_scalar initial(int reducer)
{
    const pp_scalar inf = (pp_scalar)__builtin_inf();
    return reducer == PP_LEAST ? inf : reducer == PP_MOST ? -inf : 0;
}

static double finish(pp_reduced r, double x, long samples)
{
    double n = (double)samples + 1;
    if (r.reducer == PP_MEAN)
        return x / n;
    if (r.reducer == PP_RMS)
        return __builtin_sqrt(x / n);
    return squared(r) ? __builtin_sqrt(x) : x;
}

/* Scalar models side by side; missing cases repeat the last. */
static void transpose(const pp_block *b, int group, pp_real *lanes, size_t fields)
{
    for (size_t f = 0; f < fields; f++)
        for (int l = 0; l < PP_LANES; l++) {
            int c = group * PP_LANES + l;
            lanes[f][l] = (pp_scalar)b->cases[c < b->count ? c : b->count - 1]->model[f];
        }
}

/* Poisons the outputs of lanes whose state left the finite numbers, as a single run refuses them. */
static void poison(const pp_block *b, int group, const pp_real *state, size_t fields,
                   reductions sum)
{
    pp_real doubt = pp_set(0);
    for (size_t f = 0; f < fields; f++)
        doubt += state[f] - state[f];
    for (int o = 0; o < b->output_count; o++)
        sum[o][group] += doubt;
}

/* Settling time so far: the end of the last period that began with the speed out of its band. */
PP_INLINE pp_real settling(const pp_scenario *s, pp_real omega, pp_real sample, pp_real so_far)
{
    pp_mask out = pp_abs(omega - s->speed_ref) > PP_R(0.02) * pp_abs(s->speed_ref);
    return pp_select(out, (sample + PP_R(1)) * s->period, so_far);
}

/* Stores channel c of the traced sample k of a case of the block. */
static void store(const pp_block *b, int which, long k, int c, double value)
{
    const pp_trace *t = &b->trace;
    if (which < b->count)
        t->out[(b->cases[which]->index * t->rows + k / t->every) * t->count + c] = value;
}

/* True where output o takes this sample: a final value only the last one. */
PP_INLINE bool takes(const pp_block *b, int o, bool last)
{
    return last || b->outputs[o].reducer != PP_FINAL;
}

PP_INLINE bool stopped(const pp_block *b)
{
    return __atomic_load_n(b->stop, __ATOMIC_RELAXED) != 0;
}

PP_INLINE bool run_foc(const pp_block *b, reductions sum, int with, bool mtpa, bool adaptive)
{
    pp_foc_model m[GROUPS];
    pp_foc_run x[GROUPS];
    pp_real load[GROUPS];
    for (int g = 0; g < GROUPS; g++) {
        transpose(b, g, (pp_real *)&m[g], sizeof m[g] / sizeof(pp_real));
        x[g] = pp_foc_start();
    }
    long samples = b->cases[0]->samples;
    int substeps = b->cases[0]->substeps;
    for (long k = 0; k <= samples; k++) {
        if (stopped(b))
            return false;
        pp_real sample = pp_set((pp_scalar)k);
        for (int g = 0; g < GROUPS; g++) {
            load[g] = pp_scenario_load(&m[g].scenario, sample);
            pp_foc_sample(&m[g], &x[g], pp_scenario_speed(&m[g].scenario, sample), mtpa);
            for (int o = 0; o < b->output_count; o++) {
                pp_reduced r = b->outputs[o];
                if (!takes(b, o, k == samples))
                    continue;
                pp_real v = r.reducer == PP_SETTLE
                                ? settling(&m[g].scenario, x[g].motor.w * m[g].motor.from_w, sample,
                                           sum[o][g])
                            : squared(r) ? pp_foc_square(&m[g], &x[g])
                                         : pp_foc_channel(&m[g], &x[g], sample, load[g], r.channel);
                sum[o][g] = fold(r, sum[o][g], v);
            }
            for (int c = 0; c < b->trace.count && k % b->trace.every == 0; c++) {
                pp_real v = pp_foc_channel(&m[g], &x[g], sample, load[g], b->trace.channels[c]);
                for (int l = 0; l < PP_LANES; l++)
                    store(b, g * PP_LANES + l, k, c, (double)v[l]);
            }
        }
        for (int g = 0; g < GROUPS && adaptive && k < samples; g++)
            pp_foc_adapt(&m[g], &x[g], load[g], NULL, NULL);
        if (k < samples && !adaptive)
            pp_foc_move(m, x, load, GROUPS, substeps, with);
    }
    for (int g = 0; g < GROUPS; g++)
        poison(b, g, (const pp_real *)&x[g], sizeof x[g] / sizeof(pp_real), sum);
    return true;
}

/* Where the lanes of a six-step vector stand, each by a clock of its own: events are rare and lanes meet them at different
 * times, so one that needs another segment would keep the others waiting. They may be samples apart. */
typedef struct bldc_clock {
    pp_real sample;   /* the next one to be taken */
    pp_real substeps; /* of the period, still to begin */
    pp_real segments; /* of the substep so far */
} bldc_clock;

/* Lanes in `due` take their sample: the controller sets the input, the outputs get their share. */
PP_INLINE void sample_bldc(const pp_block *b, int g, const pp_bldc_model *m, pp_bldc_run *x,
                           pp_real sample, pp_mask due, pp_bldc_input *held, reductions sum)
{
    const pp_real samples = pp_set((pp_scalar)b->cases[0]->samples), before = x->integrator;
    pp_bldc_input in = pp_bldc_sample(m, x, pp_scenario_speed(&m->scenario, sample),
                                      pp_scenario_load(&m->scenario, sample));
    x->integrator = pp_select(due, x->integrator, before);
    held->u = pp_select(due, in.u, held->u);
    held->T = pp_select(due, in.T, held->T);
    for (int o = 0; o < b->output_count; o++) {
        pp_reduced r = b->outputs[o];
        pp_mask takes = r.reducer == PP_FINAL ? due & (sample == samples) : due;
        if (!pp_any(takes))
            continue;
        pp_real v = r.reducer == PP_SETTLE ? settling(&m->scenario, x->motor.w, sample, sum[o][g])
                    : squared(r)           ? pp_bldc_square(x)
                                           : pp_bldc_channel(m, x, sample, *held, r.channel);
        sum[o][g] = pp_select(takes, fold(r, sum[o][g], v), sum[o][g]);
    }
    for (int t = 0; t < b->trace.count; t++) {
        pp_real v = pp_bldc_channel(m, x, sample, *held, b->trace.channels[t]);
        for (int l = 0; l < PP_LANES; l++)
            if (due[l] && (long)sample[l] % b->trace.every == 0)
                store(b, g * PP_LANES + l, (long)sample[l], t, (double)v[l]);
    }
}

/* Lanes without time left begin their next substep, or sample first; false when all are at their end. */
PP_INLINE bool wind_bldc(const pp_block *b, int g, const pp_bldc_model *m, pp_bldc_run *x,
                         bldc_clock *c, pp_bldc_going *on, reductions sum)
{
    const pp_real none = pp_set(0), one = pp_set(1),
                  samples = pp_set((pp_scalar)b->cases[0]->samples);
    pp_mask idle = (on->left <= none) | (c->segments >= PP_R(PP_BLDC_SEGMENTS_MAX));
    pp_mask due = idle & (c->substeps <= none) & (c->sample <= samples);
    if (pp_any(due)) {
        sample_bldc(b, g, m, x, c->sample, due, &on->in, sum);
        c->substeps = pp_select(due & (c->sample < samples),
                                pp_set((pp_scalar)b->cases[0]->substeps), c->substeps);
        c->sample = pp_select(due, c->sample + one, c->sample);
    }
    pp_mask begins = idle & (c->substeps > none);
    on->left = pp_select(idle, pp_select(begins, m->step, none), on->left);
    c->substeps = pp_select(begins, c->substeps - one, c->substeps);
    c->segments = pp_select(begins, one, c->segments + one);
    return pp_any(on->left > none);
}

PP_INLINE bool run_bldc(const pp_block *b, reductions sum, int with)
{
    pp_bldc_model m[GROUPS];
    pp_bldc_run x[GROUPS];
    bldc_clock clock[GROUPS];
    pp_bldc_going on[GROUPS];
    const pp_real none = pp_set(0);
    for (int g = 0; g < GROUPS; g++) {
        transpose(b, g, (pp_real *)&m[g], sizeof m[g] / sizeof(pp_real));
        x[g] = pp_bldc_start();
        clock[g] = (bldc_clock){none, none, none};
        on[g] = (pp_bldc_going){&m[g].motor, &x[g].motor, &x[g].energy, {none, none}, none};
    }
    for (bool busy = true; busy;) {
        if (stopped(b))
            return false;
        busy = false;
        for (int g = 0; g < GROUPS; g++)
            busy |= wind_bldc(b, g, &m[g], &x[g], &clock[g], &on[g], sum);
        pp_bldc_segment(on, GROUPS, with);
    }
    for (int g = 0; g < GROUPS; g++)
        poison(b, g, (const pp_real *)&x[g], sizeof x[g] / sizeof(pp_real), sum);
    return true;
}

/* Where each lane takes the steps that its error asks for, no clock is needed. */
static bool bldc_adaptive(const pp_block *b, reductions sum)
{
    const long samples = b->cases[0]->samples;
    const pp_real none = pp_set(0);
    for (int g = 0; g < GROUPS; g++) {
        pp_bldc_model m;
        pp_bldc_run x = pp_bldc_start();
        pp_bldc_input in = {none, none};
        transpose(b, g, (pp_real *)&m, sizeof m / sizeof(pp_real));
        for (long k = 0; k <= samples; k++) {
            if (stopped(b))
                return false;
            sample_bldc(b, g, &m, &x, pp_set((pp_scalar)k), none == none, &in, sum);
            if (k < samples)
                pp_bldc_adapt(&m.motor, &x.motor, in, m.scenario.period, &m.tolerance, &x.step,
                              &x.energy, NULL, NULL);
        }
        poison(b, g, (const pp_real *)&x, sizeof x / sizeof(pp_real), sum);
    }
    return true;
}

/* One compiled loop for each set of features that a run can need, so that the plain ones stay lean. */
static bool foc_plain(const pp_block *b, reductions sum)
{
    return run_foc(b, sum, 0, false, false);
}
static bool foc_angle(const pp_block *b, reductions sum)
{
    return run_foc(b, sum, PP_WITH_SIMPLE, false, false);
}
static bool foc_full(const pp_block *b, reductions sum)
{
    return run_foc(b, sum, PP_WITH_EVERYTHING, b->cases[0]->mtpa, false);
}
static bool foc_adaptive(const pp_block *b, reductions sum)
{
    return run_foc(b, sum, 0, b->cases[0]->mtpa, true);
}
static bool bldc_plain(const pp_block *b, reductions sum)
{
    return run_bldc(b, sum, PP_WITH_SIMPLE);
}
static bool bldc_full(const pp_block *b, reductions sum)
{
    return run_bldc(b, sum, PP_WITH_EVERYTHING);
}

bool PP_KERNEL(const pp_block *b)
{
    reductions sum;
    for (int o = 0; o < b->output_count; o++)
        for (int g = 0; g < GROUPS; g++)
            sum[o][g] = pp_set(initial(b->outputs[o].reducer));
    const pp_case *first = b->cases[0];
    bool full = first->mtpa || (first->with & ~PP_WITH_SIMPLE);
    bool ended;
    if (first->adaptive)
        ended = first->six_step ? bldc_adaptive(b, sum) : foc_adaptive(b, sum);
    else if (first->six_step)
        ended = full ? bldc_full(b, sum) : bldc_plain(b, sum);
    else
        ended = full ? foc_full(b, sum) : first->with ? foc_angle(b, sum) : foc_plain(b, sum);
    for (int c = 0; ended && c < b->count; c++)
        for (int o = 0; o < b->output_count; o++)
            b->results[b->cases[c]->index * b->output_count + o] =
                finish(b->outputs[o], (double)sum[o][c / PP_LANES][c % PP_LANES], first->samples);
    return ended;
}
