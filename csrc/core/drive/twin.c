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
    pp_real k = (pp_real)state->sample;
    return (pp_input){pp_scenario_speed(s, k), pp_scenario_load(s, k)};
}

/* Out of line, so that the loops of fixed steps stay lean. */
static __attribute__((noinline)) void foc_adapt(const pp_foc_model *m, pp_foc_run *x, pp_real load)
{
    pp_foc_adapt(m, x, load, NULL, NULL);
}

static __attribute__((noinline)) void bldc_adapt(const pp_bldc_model *m, pp_bldc_run *x,
                                                 pp_bldc_input in, pp_real span)
{
    pp_bldc_adapt(&m->motor, &x->motor, in, span, &m->tolerance, &x->step, &x->energy, NULL, NULL);
}

PP_INLINE void foc_move(const pp_twin *twin, pp_foc_run *x, pp_real load, int with)
{
    if (twin->adaptive)
        foc_adapt(&twin->model.foc, x, load);
    else
        pp_foc_move(&twin->model.foc, x, &load, 1, twin->substeps, with);
}

PP_INLINE void bldc_move(const pp_twin *twin, pp_bldc_run *x, pp_bldc_input in, long periods,
                         int with)
{
    if (twin->adaptive)
        bldc_adapt(&twin->model.bldc, x, in, (pp_real)((double)periods * twin->period));
    else
        pp_bldc_run_period(&twin->model.bldc, x, in, twin->substeps, with);
}

void pp_twin_ask(pp_twin *twin, double speed_ref, double load_torque)
{
    pp_scenario *s = twin->six_step ? &twin->model.bldc.scenario : &twin->model.foc.scenario;
    s->speed_ref = speed_ref;
    s->ramp_limit = 0;
    s->load_torque = load_torque;
    s->load_sample = 0;
}

pp_status pp_twin_place(const pp_twin *twin, pp_state *state, double id, double iq, double omega_m,
                        double theta_m, double torque)
{
    if (twin->six_step)
        return PP_ARGUMENT;
    const pp_foc_model *m = &twin->model.foc;
    pp_state s = *state;
    pp_foc_run *x = &s.run.foc;
    pp_real d = (pp_real)id, q = (pp_real)iq, R = m->motor.a / (m->motor.s * m->motor.i_d);
    x->motor.d = d / m->motor.i_d;
    x->motor.q = q / m->motor.i_q;
    x->motor.w = (pp_real)omega_m / m->motor.from_w;
    x->motor.theta = (pp_real)theta_m;
    x->control = (pp_foc_state){(pp_real)torque, R * d, R * q};
    *state = s;
    return PP_OK;
}

void pp_twin_step(const pp_twin *twin, pp_state *state, pp_input input, pp_output *out)
{
    pp_real k = (pp_real)state->sample++;
    if (twin->six_step) {
        const pp_bldc_model *m = &twin->model.bldc;
        pp_bldc_run *x = &state->run.bldc;
        pp_bldc_input in = pp_bldc_sample(m, x, input.speed_ref, input.load_torque);
        for (int c = 0; out && c < PP_CHANNEL_COUNT; c++)
            out->channel[c] = pp_bldc_channel(m, x, k, in, c);
        bldc_move(twin, x, in, 1, PP_WITH_EVERYTHING);
    } else {
        const pp_foc_model *m = &twin->model.foc;
        pp_foc_run *x = &state->run.foc;
        pp_foc_sample(m, x, input.speed_ref, twin->mtpa);
        for (int c = 0; out && c < PP_CHANNEL_COUNT; c++)
            out->channel[c] = pp_foc_channel(m, x, k, input.load_torque, c);
        foc_move(twin, x, (pp_real)input.load_torque, PP_WITH_EVERYTHING);
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
            pp_real sample = (pp_real)k, load = pp_scenario_load(&m->scenario, sample);
            pp_foc_sample(m, &x, pp_scenario_speed(&m->scenario, sample), mtpa);
            for (int c = 0; i == 0 && c < r.count; c++)
                *r.out++ = pp_foc_channel(m, &x, sample, load, r.channels[c]);
            if (r.stop && row == r.rows - 1)
                break;
            foc_move(twin, &x, load, with);
        }
    state->run.foc = x;
    state->sample = k;
}

/* Periods from sample k on, at most `most`, over which nothing that drives the machine changes: an adaptive run without
 * speed control steps over them at once. */
PP_INLINE long held_periods(const pp_twin *twin, long k, long most)
{
    pp_real until = twin->model.bldc.scenario.load_sample - (pp_real)k;
    if (!twin->adaptive || !twin->open_loop)
        return 1;
    return until > 0 && until < (pp_real)most ? (long)until : most;
}

PP_INLINE void run_bldc(const pp_twin *twin, pp_state *state, pp_record r, int with)
{
    const pp_bldc_model *m = &twin->model.bldc;
    pp_bldc_run x = state->run.bldc;
    long k = state->sample;
    for (long row = 0; row < r.rows; row++)
        for (long i = 0, n; i < r.every; i += n, k += n) {
            pp_real sample = (pp_real)k;
            pp_bldc_input in = pp_bldc_sample(m, &x, pp_scenario_speed(&m->scenario, sample),
                                              pp_scenario_load(&m->scenario, sample));
            for (int c = 0; i == 0 && c < r.count; c++)
                *r.out++ = pp_bldc_channel(m, &x, sample, in, r.channels[c]);
            if (r.stop && row == r.rows - 1)
                break;
            n = held_periods(twin, k, r.every - i);
            bldc_move(twin, &x, in, n, with);
        }
    state->run.bldc = x;
    state->sample = k;
}

static bool all_finite(const pp_real *value, size_t count)
{
    pp_real sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += value[i] - value[i];
    return sum == 0;
}

pp_status pp_twin_run(const pp_twin *twin, pp_state *state, long rows, long every, bool stop,
                      const int *channels, int count, double *out)
{
    pp_record r = {rows, every, stop, channels, count, out};
    int with = twin->adaptive ? 0 : pp_twin_needs(twin, channels, count);
    bool full = with & ~PP_WITH_SIMPLE;
    if (twin->six_step)
        full ? run_bldc(twin, state, r, PP_WITH_EVERYTHING)
             : run_bldc(twin, state, r, PP_WITH_SIMPLE);
    else if (full || twin->mtpa)
        run_foc(twin, state, r, PP_WITH_EVERYTHING, twin->mtpa);
    else if (with)
        run_foc(twin, state, r, PP_WITH_SIMPLE, false);
    else
        run_foc(twin, state, r, 0, false);
    return all_finite((const pp_real *)state, offsetof(pp_state, sample) / sizeof(pp_real))
               ? PP_OK
               : PP_DIVERGED;
}
