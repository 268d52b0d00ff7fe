/* Running a twin: one step, or rows of chosen channels. */
#include "polepair/twin.h"

void pp_twin_start(const pp_twin *twin, pp_state *state)
{
    pp_state s = {0};
    if (twin->six_step)
        s.run.bldc = pp_bldc_start();
    else
        s.run.foc = pp_foc_start();
    *state = s;
}

pp_input pp_twin_scenario(const pp_twin *twin, const pp_state *state)
{
    const pp_scenario *s = twin->six_step ? &twin->model.bldc.scenario : &twin->model.foc.scenario;
    double k = (double)state->sample;
    return (pp_input){pp_scenario_speed(s, k), pp_scenario_load(s, k)};
}

void pp_twin_step(const pp_twin *twin, pp_state *state, pp_input input, pp_output *out)
{
    double k = (double)state->sample++;
    if (twin->six_step) {
        const pp_bldc_model *m = &twin->model.bldc;
        pp_bldc_run *x = &state->run.bldc;
        pp_bldc_input in = pp_bldc_sample(m, x, input.speed_ref, input.load_torque);
        for (int c = 0; out && c < PP_CHANNEL_COUNT; c++)
            out->channel[c] = pp_bldc_channel(m, x, k, in, c);
        pp_bldc_run_period(m, x, in, twin->substeps, PP_WITH_EVERYTHING);
    } else {
        const pp_foc_model *m = &twin->model.foc;
        pp_foc_run *x = &state->run.foc;
        pp_foc_sample(m, x, input.speed_ref, twin->mtpa);
        for (int c = 0; out && c < PP_CHANNEL_COUNT; c++)
            out->channel[c] = pp_foc_channel(m, x, k, input.load_torque, c);
        pp_foc_move(m, x, &input.load_torque, 1, twin->substeps, PP_WITH_EVERYTHING);
    }
}

int pp_twin_needs(const pp_twin *twin, const int *channels, int count)
{
    int with = twin->with;
    for (int c = 0; c < count; c++) {
        unsigned bit = 1u << channels[c];
        with |= bit & PP_CHANNELS_ENERGY ? PP_WITH_ENERGY : 0;
        with |= bit & (PP_CHANNELS_PHASE | PP_BIT(theta_m)) ? PP_WITH_ANGLE : 0;
    }
    return with;
}

typedef struct pp_record {
    long rows, every;
    bool stop;
    const int *channels;
    int count;
    double *out;
} pp_record;

PP_INLINE void run_foc(const pp_twin *twin, pp_state *state, pp_record r, int with, bool mtpa)
{
    const pp_foc_model *m = &twin->model.foc;
    pp_foc_run x = state->run.foc;
    long k = state->sample;
    for (long row = 0; row < r.rows; row++)
        for (long i = 0; i < r.every; i++, k++) {
            double sample = (double)k, load = pp_scenario_load(&m->scenario, sample);
            pp_foc_sample(m, &x, pp_scenario_speed(&m->scenario, sample), mtpa);
            for (int c = 0; i == 0 && c < r.count; c++)
                *r.out++ = pp_foc_channel(m, &x, sample, load, r.channels[c]);
            if (r.stop && row == r.rows - 1)
                break;
            pp_foc_move(m, &x, &load, 1, twin->substeps, with);
        }
    state->run.foc = x;
    state->sample = k;
}

PP_INLINE void run_bldc(const pp_twin *twin, pp_state *state, pp_record r, int with)
{
    const pp_bldc_model *m = &twin->model.bldc;
    pp_bldc_run x = state->run.bldc;
    long k = state->sample;
    for (long row = 0; row < r.rows; row++)
        for (long i = 0; i < r.every; i++, k++) {
            double sample = (double)k;
            pp_bldc_input in =
                pp_bldc_sample(m, &x, pp_scenario_speed(&m->scenario, sample), pp_scenario_load(&m->scenario, sample));
            for (int c = 0; i == 0 && c < r.count; c++)
                *r.out++ = pp_bldc_channel(m, &x, sample, in, r.channels[c]);
            if (r.stop && row == r.rows - 1)
                break;
            pp_bldc_run_period(m, &x, in, twin->substeps, with);
        }
    state->run.bldc = x;
    state->sample = k;
}

static bool all_finite(const double *value, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += value[i] - value[i];
    return sum == 0;
}

pp_status pp_twin_run(const pp_twin *twin, pp_state *state, long rows, long every, bool stop, const int *channels,
                      int count, double *out)
{
    pp_record r = {rows, every, stop, channels, count, out};
    int with = pp_twin_needs(twin, channels, count);
    bool full = with & ~PP_WITH_SIMPLE;
    if (twin->six_step)
        full ? run_bldc(twin, state, r, PP_WITH_EVERYTHING) : run_bldc(twin, state, r, PP_WITH_SIMPLE);
    else if (full || twin->mtpa)
        run_foc(twin, state, r, PP_WITH_EVERYTHING, twin->mtpa);
    else if (with)
        run_foc(twin, state, r, PP_WITH_SIMPLE, false);
    else
        run_foc(twin, state, r, 0, false);
    return all_finite((const double *)state, offsetof(pp_state, sample) / sizeof(double)) ? PP_OK : PP_DIVERGED;
}
