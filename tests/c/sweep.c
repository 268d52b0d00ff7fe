/* sweep.h in C: every case against a run of its own, arrays no larger than they must be and none left behind, so that
 * sanitizers see what Python's arrays would hide. An argument names the one instruction set to run on. 0 when all holds. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "polepair/sweep.h"
#include "rows.h"

enum { CASES = 37, SAMPLES = 60, EVERY = 7, ROWS = SAMPLES / EVERY + 1, TRACED = 2 };
static const int traced[TRACED] = {PP_CHANNEL_time, PP_CHANNEL_iq};
static int failed;

static void check(bool good, const char *what, int line)
{
    if (!good && failed++ < 10)
        printf("tests/c/sweep.c:%d: %s\n", line, what);
}
#define CHECK(condition) check((condition), #condition, __LINE__)

/* A block of memory of just this size. */
static void *room(size_t bytes)
{
    void *p = malloc(bytes);
    if (!p)
        exit(2);
    memset(p, 0x55, bytes);
    return p;
}

static double reduce(const double *x, int reducer)
{
    double sum = 0, square = 0, least = x[0], most = x[0];
    for (int i = 0; i <= SAMPLES; i++) {
        sum += x[i];
        square += x[i] * x[i];
        least = fmin(least, x[i]);
        most = fmax(most, x[i]);
    }
    switch (reducer) {
    case PP_FINAL: return x[SAMPLES];
    case PP_MEAN: return sum / (SAMPLES + 1);
    case PP_RMS: return sqrt(square / (SAMPLES + 1));
    case PP_LEAST: return least;
    case PP_MOST: return most;
    default: return fmax(fabs(least), fabs(most));
    }
}

static const int channels[] = {PP_CHANNEL_omega_m, PP_CHANNEL_i_s, PP_CHANNEL_iq,
                               PP_CHANNEL_torque_load};

/* All cases of a sweep against single runs. */
static void compare(const pp_params *base, int threads, int output_count)
{
    const int column = pp_param_find("load.J");
    pp_reduced *outputs = room(sizeof *outputs * (size_t)output_count);
    for (int o = 0; o < output_count; o++)
        outputs[o] = (pp_reduced){channels[o / PP_SETTLE % 4], o % PP_SETTLE};
    double *values = room(sizeof(double) * CASES),
           *out = room(sizeof(double) * CASES * ROWS * TRACED);
    double *results = room(sizeof(double) * (size_t)(CASES * output_count));
    uint8_t *status = room(CASES);
    int16_t *where = room(sizeof *where * CASES);
    for (int i = 0; i < CASES; i++)
        values[i] = i == 11 ? -1 : 1e-6 * i;
    pp_sweep s = {
        .base = base, .columns = &column, .column_count = 1, .values = values, .cases = CASES};
    s.t_end = SAMPLES * base->drive.period, s.retune = true, s.outputs = outputs,
    s.output_count = output_count;
    s.trace =
        (pp_trace){.channels = traced, .count = TRACED, .every = EVERY, .rows = ROWS, .out = out};
    s.results = results, s.status = status, s.where = where, s.threads = threads, s.mode = PP_EXACT;
    pp_sweep_job *job = pp_sweep_start(&s);
    CHECK(job &&
          pp_sweep_wait(job, 1e6)); /* returns when all are done, not when the time is over */
    CHECK(pp_sweep_done(job) == CASES - 1);
    pp_sweep_finish(job);
    for (int i = 0; i < CASES; i++) {
        if (i == 11) {
            CHECK(status[i] == PP_RANGE && where[i] == column && isnan(results[i * output_count]));
            CHECK(isnan(out[(i * ROWS + ROWS - 1) * TRACED + 1]));
            continue;
        }
        pp_params p = *base;
        pp_twin twin;
        pp_state state;
        static double alone[(SAMPLES + 1) * 4], rows[ROWS * TRACED], one[SAMPLES + 1];
        p.load.J = values[i];
        CHECK(status[i] == PP_OK && where[i] == -1 && pp_twin_setup(&p, NULL, &twin) == PP_OK);
        pp_twin_start(&twin, &state);
        CHECK(run_rows(&twin, &state, SAMPLES + 1, 1, true, channels, 4, alone) == PP_OK);
        pp_twin_start(&twin, &state);
        CHECK(run_rows(&twin, &state, ROWS, EVERY, true, traced, TRACED, rows) == PP_OK);
        CHECK(!memcmp(rows, out + i * ROWS * TRACED, sizeof rows) || base->drive.rtol > 0);
        for (int o = 0; o < output_count; o++) {
            for (int k = 0; k <= SAMPLES; k++)
                one[k] = alone[4 * k + o / PP_SETTLE % 4];
            double expected = reduce(one, outputs[o].reducer), got = results[i * output_count + o];
            CHECK(fabs(got - expected) <= 1e-12 * (1 + fabs(expected)));
        }
    }
    free(outputs), free(values), free(out), free(results), free(status), free(where);
}

/* A sweep that is cancelled leaves every case done or given up. */
static void cancel(const pp_params *base)
{
    enum { MANY = 2000 };
    const int column = pp_param_find("magnet.Br");
    const pp_reduced output = {PP_CHANNEL_omega_m, PP_FINAL};
    double *values = room(sizeof(double) * MANY), *results = room(sizeof(double) * MANY);
    uint8_t *status = room(MANY);
    for (int i = 0; i < MANY; i++)
        values[i] = 1.2;
    pp_sweep s = {
        .base = base, .columns = &column, .column_count = 1, .values = values, .cases = MANY};
    s.t_end = 100, s.retune = true, s.outputs = &output, s.output_count = 1, s.results = results;
    s.status = status, s.threads = 3;
    pp_sweep_job *job = pp_sweep_start(&s);
    CHECK(job && !pp_sweep_wait(job, 0.01));
    pp_sweep_cancel(job);
    CHECK(pp_sweep_wait(job, 1e6));
    CHECK(pp_sweep_done(job) < MANY);
    pp_sweep_finish(job);
    for (int i = 0; i < MANY; i++)
        CHECK(status[i] == PP_OK || (status[i] == PP_CANCELLED && isnan(results[i])));
    free(values), free(results), free(status);
}

int main(int argc, char **argv)
{
    pp_params foc, six;
    pp_params_default(&foc);
    pp_params_default(&six);
    foc.control.speed_ref = 300, foc.load.coulomb = 1e-3;
    six.datasheet.R_ll = 0.6, six.datasheet.L_ll = 0.46e-3, six.datasheet.Kt_block = 0.04,
    six.datasheet.J = 2e-6;
    six.drive.kind = 1, six.drive.period = 1e-4, six.rotor.pole_pairs = 8;
    for (int plain = 1; plain >= (argc > 1 && !strcmp(argv[1], "plain")); plain--) {
        CHECK(pp_sweep_force_isa(plain ? "plain" : NULL) &&
              pp_sweep_force_isa(plain ? "plain" : pp_sweep_isa()));
        compare(&foc, 3, PP_SWEEP_OUTPUTS_MAX);
        compare(&six, 2, 24);
        compare(&foc, 1, 1);
        foc.drive.rtol = six.drive.rtol = 1e-7;
        compare(&foc, 2, 12);
        compare(&six, 2, 12);
        foc.drive.rtol = six.drive.rtol = 0;
    }
    CHECK(!pp_sweep_force_isa("none") && pp_sweep_force_isa(argc > 1 ? argv[1] : NULL));
    cancel(&foc);
    printf("sweep: %s\n", failed ? "FAILED" : "passed");
    return failed ? 1 : 0;
}
