/* Running a twin: one step, or rows of chosen channels. */
#include "polepair/twin.h"

enum { PP_GROUPS = 1 };

/* Where the rows of a run go. */
typedef struct pp_sink {
    const int *channels;
    int count;
    double *out;
    long every, next; /* periods between rows, the sample of the next one */
    long fine;        /* rows of a period from the steps within it; 0: rows at samples only */
    long fine_row;    /* the next of them */
    double period;    /* [s] */
    pp_look look;     /* of the sample, for the rows behind it */
} pp_sink;

PP_INLINE bool pp_sink_stopped(const pp_sink *sink)
{
    (void)sink;
    return false;
}

PP_INLINE void emit(pp_sink *sink, const pp_look *look)
{
    for (int c = 0; c < sink->count; c++)
        *sink->out++ = (double)pp_look_channel(look, (pp_channel)sink->channels[c]);
}

PP_INLINE long pp_sink_take(pp_sink *sink, int group, const pp_look *look, pp_mask due, long k)
{
    (void)group;
    (void)due;
    if (k == sink->next) {
        if (sink->fine > 0)
            sink->look = *look;
        else
            emit(sink, look);
        sink->fine_row = 0;
        sink->next += sink->every;
    }
    return sink->next - k;
}

/* A row of the values y, as they lie in an adaptive step. */
static void emit_values(pp_sink *sink, const pp_real *y, const void *held, pp_real sample)
{
    pp_look look = sink->look;
    pp_energy energy;
    look.sample = sample;
    switch (look.machine) {
#define PP_MACHINE(kind, when, doc)                                                      \
    case PP_MACHINE_##kind: {                                                            \
        pp_##kind##_state x;                                                             \
        pp_##kind##_going on = {.m = &look.m->machine.kind, .x = &x, .energy = &energy}; \
        pp_##kind##_unpack(y, held, &x, &energy);                                        \
        on.held = *(const pp_##kind##_held *)held;                                       \
        look.going = &on;                                                                \
        look.seen = pp_##kind##_sense(on.m, &x);                                         \
        emit(sink, &look);                                                               \
        break;                                                                           \
    }
#include "polepair/parts.def"
    }
}

/* Emits the rows that lie in an adaptive step. */
static void emit_within(void *context, const pp_rk *step, const void *held, pp_real begin)
{
    pp_sink *sink = context;
    for (; sink->fine_row < sink->fine; sink->fine_row++) {
        const pp_real part = (pp_real)sink->fine_row / (pp_real)sink->fine;
        const pp_real fraction = (part * (pp_real)sink->period - begin) / step->h;
        pp_real y[PP_RK_MAX] = {0};
        if (fraction >= 1)
            return;
        for (int i = 0; i < step->n; i++)
            y[i] = pp_rk_between(step, i, fraction);
        emit_values(sink, y, held, sink->look.sample + part);
    }
}

#include "polepair/model/loops.h"

static void run(const pp_course *course, const pp_twin *twin, pp_state *state, pp_sink *sink)
{
    pp_run x = state->run;
    pp_follow(course, &twin->model, &x, sink);
    state->run = x;
    state->sample += course->periods;
}

/* The course of a twin from its state on; `features` beside the twin's own. */
static pp_course course_of(const pp_twin *twin, const pp_state *state, long periods, bool stop,
                           int features)
{
    pp_course course = {
        .kinds = twin->kinds,
        .first = state->sample,
        .samples = periods + stop,
        .periods = periods,
        .substeps = twin->substeps,
        .period = twin->period,
        .open_loop = twin->open_loop,
    };
    course.kinds.features |= features;
    return course;
}

void pp_twin_start(const pp_twin *twin, pp_state *state)
{
    pp_run_start(&twin->kinds, &state->run);
    state->sample = 0;
}

pp_seen pp_twin_sense(const pp_twin *twin, const pp_run *x)
{
    switch (twin->kinds.machine) {
#define PP_MACHINE(kind, when, doc) \
    case PP_MACHINE_##kind: return pp_##kind##_sense(&twin->model.machine.kind, &x->machine.kind);
#include "polepair/parts.def"
    }
    __builtin_unreachable();
}

/* A six-step machine is modelled while it motors forwards: not past the speed at which its EMF
 * passes the bus, nor where its load drives it, nor behind the sector that it began in. */
static pp_status judge_sixstep(const pp_twin *twin, const pp_state *state, const pp_seen *seen)
{
    const double BEHIND = -0.1; /* [rad] */
    const pp_sixstep *m = &twin->model.machine.sixstep;
    const pp_real sample = (pp_real)state->sample;
    const pp_real omega = seen->omega_m;
    const pp_real load = pp_load_torque(twin->kinds.load, &twin->model, sample, seen);
    const pp_real against = load + pp_sixstep_friction(m, omega);
    if (state->run.machine.sixstep.phi < PP_R(BEHIND))
        return PP_SIX_STEP_BACKWARDS;
    const bool past = PP_R(2) * m->ke * omega > m->Udc + PP_R(2) * m->Vd;
    const bool driven = omega > PP_R(0) && against < PP_R(-1e-6) * m->ke * m->span_max;
    return past || driven ? PP_SIX_STEP_DRIVEN : PP_OK;
}

/* A control period of over a quarter of an electrical turn is beyond the control's model. */
static pp_status judge_pmsm(const pp_twin *twin, const pp_seen *seen)
{
    const double turn =
        (double)(seen->omega_m * twin->model.machine.pmsm.pole_pairs) * twin->period;
    return turn > 0.5 * PP_PI || turn < -0.5 * PP_PI ? PP_SPEED_HIGH : PP_OK;
}

pp_status pp_twin_judge(const pp_twin *twin, const pp_state *state)
{
    if (pp_run_doubt(&state->run) != 0)
        return PP_DIVERGED;
    const pp_seen seen = pp_twin_sense(twin, &state->run);
    switch (twin->kinds.machine) {
    case PP_MACHINE_pmsm: return judge_pmsm(twin, &seen);
    case PP_MACHINE_sixstep: return judge_sixstep(twin, state, &seen);
    }
    __builtin_unreachable();
}

pp_input pp_twin_scenario(const pp_twin *twin, const pp_state *state)
{
    const pp_seen seen = pp_twin_sense(twin, &state->run);
    const pp_real sample = (pp_real)state->sample;
    return (pp_input){
        .speed_ref = (double)pp_ramp_at(&twin->model.reference, sample),
        .load_torque = (double)pp_load_torque(twin->kinds.load, &twin->model, sample, &seen),
    };
}

void pp_twin_set_reference(pp_twin *twin, double speed_ref, double load_torque)
{
    twin->model.reference = (pp_ramp){.speed_ref = (pp_real)speed_ref, .sign = 1, .limit = 0};
    twin->kinds.load = PP_LOAD_step;
    twin->model.load.step = (pp_step){.torque = (pp_real)load_torque, .sample = 0};
}

pp_status pp_twin_set_state(const pp_twin *twin, pp_state *state, const pp_observed_state *seen)
{
    if (twin->kinds.machine != PP_MACHINE_pmsm || twin->kinds.control != PP_CONTROL_foc)
        return PP_ARGUMENT;
    const pp_pmsm *m = &twin->model.machine.pmsm;
    const pp_real id = (pp_real)seen->id;
    const pp_real iq = (pp_real)seen->iq;
    const pp_real Rs = m->a / (m->s * m->Ld_inv);
    pp_pmsm_state *x = &state->run.machine.pmsm;
    x->d = id / m->Ld_inv;
    x->q = iq / m->Lq_inv;
    x->w = (pp_real)seen->omega_m / m->from_w;
    x->theta = (pp_real)seen->theta_m;
    state->run.control.foc = (pp_foc_state){.w = (pp_real)seen->torque, .d = Rs * id, .q = Rs * iq};
    return PP_OK;
}

void pp_twin_step(const pp_twin *twin, pp_state *state, pp_input input, pp_output *out)
{
    static const int every[PP_CHANNEL_COUNT] = {
#define PP_CHANNEL(name, owner, unit, doc) PP_CHANNEL_##name,
#include "polepair/channels.def"
#undef PP_CHANNEL
    };
    pp_twin held = *twin;
    pp_twin_set_reference(&held, input.speed_ref, input.load_torque);
    const pp_course course = course_of(&held, state, 1, false, PP_HAS_SHAFT);
    pp_sink sink = {.channels = every, .every = 1, .next = state->sample};
    if (out) {
        sink.count = PP_CHANNEL_COUNT;
        sink.out = out->channel;
    }
    run(&course, &held, state, &sink);
}

bool pp_twin_is_adaptive(const pp_twin *twin) { return twin->kinds.features & PP_HAS_ADAPTIVE; }

/* What a run has to carry along for a channel. */
static int features_of(int channel)
{
    switch (pp_channel_at(channel)->owner) {
    case PP_OWNER_angle: return PP_HAS_ANGLE;
    case PP_OWNER_energy: return PP_HAS_ENERGY;
    case PP_OWNER_clock:
    case PP_OWNER_machine: return 0;
    }
    __builtin_unreachable();
}

int pp_twin_features(const pp_twin *twin, const int *channels, int count)
{
    int features = twin->kinds.features;
    for (int c = 0; c < count; c++)
        features |= features_of(channels[c]);
    return features;
}

long pp_twin_samples(double t_end, double period)
{
    const double samples = t_end / period + 0.5;
    const bool good = t_end >= 0 && period > 0 && samples < (double)PP_SAMPLES_MAX;
    return good ? (long)samples : -1;
}

/* Where the rows wanted go, the first of them at this sample. */
static pp_sink sink_of(const pp_rows_wanted *wanted, long sample)
{
    return (pp_sink){
        .channels = wanted->channels,
        .count = wanted->count,
        .out = wanted->out,
        .every = wanted->every,
        .next = sample,
    };
}

pp_status pp_twin_run(const pp_twin *twin, pp_state *state, const pp_rows_wanted *wanted)
{
    const int features = pp_twin_features(twin, wanted->channels, wanted->count);
    PP_ASSERT(wanted->rows > 0 && wanted->every > 0 && wanted->count >= 0 && wanted->out);
    PP_ASSERT(wanted->rows < PP_SAMPLES_MAX && wanted->every <= PP_SAMPLES_MAX / wanted->rows);
    const long periods = (wanted->rows - wanted->stop) * wanted->every;
    const pp_course course = course_of(twin, state, periods, wanted->stop, features);
    pp_sink sink = sink_of(wanted, state->sample);
    run(&course, twin, state, &sink);
    return pp_twin_judge(twin, state);
}

pp_status pp_twin_run_fine(const pp_twin *twin, pp_state *state, const pp_rows_wanted *wanted)
{
    pp_course course = course_of(twin, state, wanted->rows, false, 0);
    pp_sink sink = sink_of(wanted, state->sample);
    if (!pp_twin_is_adaptive(twin))
        return PP_ARGUMENT;
    PP_ASSERT(wanted->rows > 0 && wanted->every > 0 && wanted->count >= 0 && wanted->out);
    sink.every = 1;
    sink.fine = wanted->every;
    sink.period = twin->period;
    course.on_step = emit_within;
    course.context = &sink;
    run(&course, twin, state, &sink);
    if (!wanted->stop)
        return pp_twin_judge(twin, state);
    pp_rows_wanted end = *wanted;
    end.rows = 1;
    end.every = 1;
    end.out = sink.out;
    return pp_twin_run(twin, state, &end);
}
