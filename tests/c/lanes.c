/* Sweeps on every instruction set that the machine has: a hash of the exact results, which must not
 * depend on it, and the distance of the other modes from them. Built by packaging/emulate.sh; 0
 * when all hold. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "polepair/sweep.h"

enum { CASES = 37, OUTPUTS = 4 };
static const char *const isas[] = {"plain", "avx2", "avx512"};
static const pp_reduced outputs[OUTPUTS] = {{PP_CHANNEL_omega_m, PP_FINAL},
                                            {PP_CHANNEL_iq, PP_FINAL},
                                            {PP_CHANNEL_ia, PP_FINAL},
                                            {PP_CHANNEL_torque, PP_FINAL}};

static unsigned long long hash_of(const double *values, size_t count)
{
    const unsigned char *bytes = (const unsigned char *)values;
    unsigned long long hash = 1469598103934665603u;
    for (size_t i = 0; i < count * sizeof(double); i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    return hash;
}

static bool run_sweep(const pp_params *base, pp_mode mode, double *results)
{
    static double values[CASES][3];
    static uint8_t status[CASES];
    int columns[3] = {pp_param_find("magnet.Br"), pp_param_find("load.J"),
                      pp_param_find("load.torque")};
    for (int i = 0; i < CASES; i++) {
        values[i][0] = 1.1 + 0.005 * i;
        values[i][1] = 1e-5 * (1 + i % 5);
        values[i][2] = 0.01 * (i % 7);
    }
    pp_sweep sweep = {.base = base,
                      .columns = columns,
                      .column_count = 3,
                      .values = &values[0][0],
                      .cases = CASES,
                      .t_end = 0.02,
                      .retune = true,
                      .outputs = outputs,
                      .output_count = OUTPUTS,
                      .results = results,
                      .status = status,
                      .threads = 1,
                      .mode = mode};
    pp_sweep_job *job = pp_sweep_start(&sweep);
    if (!job)
        return false;
    while (!pp_sweep_wait(job, 1.0))
        ;
    pp_sweep_finish(job);
    for (int i = 0; i < CASES; i++)
        if (status[i] != PP_OK)
            return false;
    return true;
}

/* Worst difference of an output over its largest value. */
static double distance(const double *results, const double *expected)
{
    double worst = 0;
    for (int k = 0; k < OUTPUTS; k++) {
        double top = 0;
        double apart = 0;
        for (int i = k; i < CASES * OUTPUTS; i += OUTPUTS) {
            top = fmax(top, fabs(expected[i]));
            apart = fmax(apart, fabs(results[i] - expected[i]));
        }
        worst = fmax(worst, apart / top);
    }
    return worst;
}

static bool compare(const char *name, const pp_params *params)
{
    static const double limit[PP_MODE_COUNT] = {0, 1e-9, 1e-2};
    static const char *const modes[] = {"exact", "fast", "single"};
    static double plain[CASES * OUTPUTS], results[CASES * OUTPUTS];
    bool good = pp_sweep_force_isa("plain") && run_sweep(params, PP_EXACT, plain);
    for (int i = 0; i < 3; i++)
        for (int mode = PP_EXACT; pp_sweep_force_isa(isas[i]) && mode < PP_MODE_COUNT; mode++) {
            bool ran = run_sweep(params, mode, results);
            double apart = distance(results, plain);
            printf("%s %s %s %016llx %.1e\n", name, isas[i], modes[mode],
                   hash_of(results, CASES * OUTPUTS), apart);
            good = good && ran && apart <= limit[mode];
        }
    return good;
}

int main(void)
{
    pp_params params;
    pp_params_default(&params);
    params.control.speed_ref = 300;
    params.drive.substeps = 2;
    bool good = compare("foc", &params);
    params.drive.rtol = 1e-8;
    good = compare("foc-adaptive", &params) && good;
    params.drive.rtol = 0;
    params.drive.kind = 1;
    params.drive.u_dc = 24;
    params.drive.period = 20e-6;
    good = compare("six-step", &params) && good;
    params.drive.rtol = 1e-8;
    good = compare("six-step-adaptive", &params) && good;
    pp_sweep_force_isa(NULL);
    printf("lanes: %s, best is %s\n", good ? "passed" : "FAILED", pp_sweep_isa());
    return good ? 0 : 1;
}
