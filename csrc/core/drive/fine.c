/* Rows within control periods, from the continuous extension of the adaptive steps. */
#include "polepair/twin.h"

typedef struct watcher {
    const pp_twin *twin;
    const pp_state *state;
    pp_real load;    /* held over the period */
    long fine, next; /* rows per period, the next one wanted */
    const int *channels;
    int count;
    double *out;
} watcher;

static void emit_foc(watcher *w, const pp_rk *s, pp_real fraction, pp_real sample)
{
    pp_real y[PP_RK_MAX];
    for (int i = 0; i < PP_RK_MAX; i++)
        y[i] = pp_rk_between(s, i, fraction);
    pp_foc_run x = w->state->run.foc;
    x.motor = (pp_pmsm_state){y[0], y[1], y[2], y[3], y[4], y[5]};
    x.energy = (pp_energy){y[6], y[7], y[8], y[9]};
    for (int c = 0; c < w->count; c++)
        *w->out++ = pp_foc_channel(&w->twin->model.foc, &x, sample, w->load, w->channels[c]);
}

static void emit_bldc(watcher *w, const pp_rk *s, const pp_bldc_held *held, pp_real fraction,
                      pp_real sample)
{
    pp_real y[8];
    for (int i = 0; i < 8; i++)
        y[i] = pp_rk_between(s, i, fraction);
    pp_bldc_run x = w->state->run.bldc;
    x.motor = pp_bldc_unpack(y, held);
    x.energy = (pp_energy){y[4], y[5], y[6], y[7]};
    for (int c = 0; c < w->count; c++)
        *w->out++ = pp_bldc_channel(&w->twin->model.bldc, &x, sample, held->in, w->channels[c]);
}

/* Emits the rows that lie in the step. */
static void watch(void *who, const pp_rk *s, const void *input, pp_real begin)
{
    watcher *w = who;
    for (; w->next < w->fine; w->next++) {
        pp_real part = (pp_real)w->next / (pp_real)w->fine,
                f = (part * (pp_real)w->twin->period - begin) / s->h;
        if (f >= 1)
            return;
        pp_real sample = (pp_real)w->state->sample + part;
        if (w->twin->six_step)
            emit_bldc(w, s, input, f, sample);
        else
            emit_foc(w, s, f, sample);
    }
}

static void move_foc(const pp_twin *twin, pp_state *state, watcher *w, pp_input in)
{
    const pp_foc_model *m = &twin->model.foc;
    pp_foc_sample(m, &state->run.foc, in.speed_ref, twin->mtpa);
    w->load = (pp_real)in.load_torque;
    pp_foc_adapt(m, &state->run.foc, w->load, watch, w);
}

static void move_bldc(const pp_twin *twin, pp_state *state, watcher *w, pp_input in)
{
    const pp_bldc_model *m = &twin->model.bldc;
    pp_bldc_run *x = &state->run.bldc;
    pp_bldc_input held = pp_bldc_sample(m, x, in.speed_ref, in.load_torque);
    pp_bldc_adapt(&m->motor, &x->motor, held, (pp_real)twin->period, &m->tolerance, &x->step,
                  &x->energy, watch, w);
}

pp_status pp_twin_run_fine(const pp_twin *twin, pp_state *state, long periods, long fine, bool stop,
                           const int *channels, int count, double *out)
{
    watcher w = {twin, state, 0, fine, 0, channels, count, out};
    if (!twin->adaptive)
        return PP_ARGUMENT;
    for (long k = 0; k < periods; k++, state->sample++) {
        pp_input in = pp_twin_scenario(twin, state);
        w.next = 0;
        if (twin->six_step)
            move_bldc(twin, state, &w, in);
        else
            move_foc(twin, state, &w, in);
    }
    return stop ? pp_twin_run(twin, state, 1, 1, true, channels, count, w.out) : PP_OK;
}
