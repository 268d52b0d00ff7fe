/* host/kernel_body.h: the lane kernel, compiled once per instruction set. Define PP_LANES, PP_KERNEL and PP_WIDTH (the
 * names of the function and of its width) before including it. The model is the very source of the scalar core. */
#include "kernel.h"
#include "polepair/model.h"

typedef pp_real reductions[PP_OUTPUTS_MAX];

const int PP_WIDTH = PP_LANES;

/* Folds one sample into a reduced output; the amplitude channel comes squared. */
PP_INLINE pp_real fold(int reducer, pp_real so_far, pp_real x)
{
    switch (reducer) {
    case PP_FINAL: return x;
    case PP_MEAN: return so_far + x;
    case PP_RMS: return so_far + x * x;
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

static double finish(int reducer, double x, long samples)
{
    double n = (double)samples + 1;
    return reducer == PP_MEAN ? x / n : reducer == PP_RMS ? __builtin_sqrt(x / n) : x;
}

/* Scalar models side by side; missing cases repeat the last. */
static void transpose(const pp_block *b, pp_real *lanes, size_t fields)
{
    for (size_t f = 0; f < fields; f++)
        for (int l = 0; l < PP_LANES; l++)
            lanes[f][l] = (pp_scalar)b->cases[l < b->count ? l : b->count - 1]->model[f];
}

/* True where output o takes this sample: a final value only the last one. */
PP_INLINE bool takes(const pp_block *b, int o, bool last) { return last || b->outputs[o].reducer != PP_FINAL; }

/* Poisons the outputs of lanes whose state left the finite numbers, as a single run refuses them. */
PP_INLINE void poison(const pp_block *b, const pp_real *state, size_t fields, pp_real *sum)
{
    pp_real doubt = pp_set(0);
    for (size_t f = 0; f < fields; f++)
        doubt += state[f] - state[f];
    for (int o = 0; o < b->output_count; o++)
        sum[o] += doubt;
}

PP_INLINE bool run_foc(const pp_block *b, pp_real *sum, int with, bool mtpa)
{
    pp_foc_model m;
    transpose(b, (pp_real *)&m, sizeof m / sizeof(pp_real));
    pp_foc_run x = pp_foc_start();
    long samples = b->cases[0]->samples;
    int substeps = b->cases[0]->substeps;
    for (long k = 0; k <= samples; k++) {
        if (__atomic_load_n(b->stop, __ATOMIC_RELAXED))
            return false;
        pp_real sample = pp_set((pp_scalar)k), load = pp_scenario_load(&m.scenario, sample);
        pp_foc_sample(&m, &x, pp_scenario_speed(&m.scenario, sample), mtpa);
        for (int o = 0; o < b->output_count; o++)
            if (takes(b, o, k == samples))
                sum[o] =
                    fold(b->outputs[o].reducer, sum[o], pp_foc_channel(&m, &x, sample, load, b->outputs[o].channel));
        if (k < samples)
            pp_foc_move(&m, &x, load, substeps, with);
    }
    poison(b, (const pp_real *)&x, sizeof x / sizeof(pp_real), sum);
    return true;
}

PP_INLINE bool run_bldc(const pp_block *b, pp_real *sum, int with)
{
    pp_bldc_model m;
    transpose(b, (pp_real *)&m, sizeof m / sizeof(pp_real));
    pp_bldc_run x = pp_bldc_start();
    long samples = b->cases[0]->samples;
    int substeps = b->cases[0]->substeps;
    for (long k = 0; k <= samples; k++) {
        if (__atomic_load_n(b->stop, __ATOMIC_RELAXED))
            return false;
        pp_real sample = pp_set((pp_scalar)k), ref = pp_scenario_speed(&m.scenario, sample);
        pp_bldc_input in = pp_bldc_sample(&m, &x, ref, pp_scenario_load(&m.scenario, sample));
        for (int o = 0; o < b->output_count; o++)
            if (takes(b, o, k == samples))
                sum[o] =
                    fold(b->outputs[o].reducer, sum[o], pp_bldc_channel(&m, &x, sample, in, b->outputs[o].channel));
        if (k < samples)
            pp_bldc_run_period(&m, &x, in, substeps, with);
    }
    poison(b, (const pp_real *)&x, sizeof x / sizeof(pp_real), sum);
    return true;
}

/* One compiled loop for each set of features that a run can need, so that the plain ones stay lean. */
static bool foc_plain(const pp_block *b, pp_real *sum) { return run_foc(b, sum, 0, false); }
static bool foc_angle(const pp_block *b, pp_real *sum) { return run_foc(b, sum, PP_WITH_ANGLE, false); }
static bool foc_full(const pp_block *b, pp_real *sum) { return run_foc(b, sum, PP_WITH_EVERYTHING, b->cases[0]->mtpa); }
static bool bldc_plain(const pp_block *b, pp_real *sum) { return run_bldc(b, sum, 0); }
static bool bldc_full(const pp_block *b, pp_real *sum) { return run_bldc(b, sum, PP_WITH_EVERYTHING); }

bool PP_KERNEL(const pp_block *b)
{
    reductions sum;
    for (int o = 0; o < b->output_count; o++)
        sum[o] = pp_set(initial(b->outputs[o].reducer));
    const pp_case *first = b->cases[0];
    bool full = first->mtpa || (first->with & (PP_WITH_ENERGY | PP_WITH_FRICTION));
    bool ended;
    if (first->six_step)
        ended = full ? bldc_full(b, sum) : bldc_plain(b, sum);
    else
        ended = full ? foc_full(b, sum) : (first->with & PP_WITH_ANGLE) ? foc_angle(b, sum) : foc_plain(b, sum);
    for (int l = 0; ended && l < b->count; l++)
        for (int o = 0; o < b->output_count; o++)
            b->results[b->cases[l]->index * b->output_count + o] =
                finish(b->outputs[o].reducer, (double)sum[o][l], first->samples);
    return ended;
}
