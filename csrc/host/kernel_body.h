/* host/kernel_body.h: the lane kernel, compiled once per instruction set. Before including it define PP_LANES and
 * PP_KERNEL (the function's name). The model is the same source as the scalar core's. */
#include "kernel.h"
#include "lanes.h"

typedef struct reduction {
    pp_real value[PP_SWEEP_OUTPUTS_MAX];
} reduction;

/* Folds one sample into a reduced output. */
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
    return reducer == PP_LEAST ? (pp_scalar)__builtin_inf() : reducer == PP_MOST ? -(pp_scalar)__builtin_inf() : 0;
}

static double finish(int reducer, double x, long samples)
{
    double n = (double)samples + 1;
    return reducer == PP_MEAN ? x / n : reducer == PP_RMS ? __builtin_sqrt(x / n) : x;
}

/* Lanes of the same struct: `scalar` blocks of doubles, transposed. */
static void transpose(const pp_case *const *cases, int count, size_t offset, pp_real *lanes, size_t fields)
{
    for (size_t f = 0; f < fields; f++)
        for (int l = 0; l < PP_LANES; l++) {
            const pp_case *c = cases[l < count ? l : count - 1];
            double value;
            __builtin_memcpy(&value, (const char *)&c->twin + offset + f * sizeof(double), sizeof value);
            lanes[f][l] = (pp_scalar)value;
        }
}

PP_INLINE void sweep_foc(const pp_sweep *s, const pp_case *const *cases, int count, reduction *r, const volatile int *stop,
                         int with, bool mtpa)
{
    pp_lane_foc_model m;
    transpose(cases, count, offsetof(pp_twin, model), (pp_real *)&m, sizeof m / sizeof(pp_real));
    pp_lane_foc_run x = pp_lane_foc_start();
    long samples = cases[0]->samples;
    int substeps = cases[0]->twin.substeps;
    for (long k = 0; k <= samples && !*stop; k++) {
        pp_real sample = pp_set((pp_scalar)k), load = pp_lane_scenario_load(&m.scenario, sample);
        pp_lane_foc_sample(&m, &x, pp_lane_scenario_speed(&m.scenario, sample), mtpa);
        for (int o = 0; o < s->output_count; o++)
            if (s->outputs[o].reducer != PP_FINAL || k == samples)
                r->value[o] = fold(s->outputs[o].reducer, r->value[o], pp_lane_foc_channel(&m, &x, sample, load, s->outputs[o].channel));
        if (k < samples)
            pp_lane_foc_move(&m, &x, load, substeps, with);
    }
}

PP_INLINE void sweep_bldc(const pp_sweep *s, const pp_case *const *cases, int count, reduction *r, const volatile int *stop, int with)
{
    pp_lane_bldc_model m;
    transpose(cases, count, offsetof(pp_twin, model), (pp_real *)&m, sizeof m / sizeof(pp_real));
    pp_lane_bldc_run x = pp_lane_bldc_start();
    long samples = cases[0]->samples;
    int substeps = cases[0]->twin.substeps;
    for (long k = 0; k <= samples && !*stop; k++) {
        pp_real sample = pp_set((pp_scalar)k);
        pp_lane_bldc_input in = pp_lane_bldc_sample(&m, &x, pp_lane_scenario_speed(&m.scenario, sample), pp_lane_scenario_load(&m.scenario, sample));
        for (int o = 0; o < s->output_count; o++)
            if (s->outputs[o].reducer != PP_FINAL || k == samples)
                r->value[o] = fold(s->outputs[o].reducer, r->value[o], pp_lane_bldc_channel(&m, &x, sample, in, s->outputs[o].channel));
        if (k < samples)
            pp_lane_bldc_run_period(&m, &x, in, substeps, with);
    }
}
