/* Prints a hash of the bits of derived constants and runs: the same for every compiler,
 * optimisation and word width of the vector unit, one for double and one for float (PP_FLOAT).
 * Speed and current at each run's end go to stderr. Built by tests/test_golden.py with the core's
 * sources alone. */
#include <stdio.h>
#include <string.h>

#include "polepair/observe.h"
#include "polepair/twin.h"

static uint64_t hash = 1469598103934665603u;

/* FNV-1a over the bytes of doubles. */
static void mix(const double *values, size_t count)
{
    const unsigned char *bytes = (const unsigned char *)values;
    for (size_t i = 0; i < count * sizeof(double); i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
}

static void run(const pp_params *params, long rows)
{
    static double out[4096 * PP_CHANNEL_COUNT];
    int channels[PP_CHANNEL_COUNT];
    pp_twin twin;
    pp_state state;
    pp_machine machine;
    for (int c = 0; c < PP_CHANNEL_COUNT; c++)
        channels[c] = c;
    if (pp_machine_derive(params, &machine) != PP_OK ||
        pp_twin_setup(params, NULL, &twin) != PP_OK) {
        printf("refused\n");
        return;
    }
    mix((const double *)&machine, PP_DERIVED_COUNT);
    pp_twin_start(&twin, &state);
    const pp_rows_wanted wanted = {.rows = rows,
                                   .every = 3,
                                   .stop = true,
                                   .channels = channels,
                                   .count = PP_CHANNEL_COUNT,
                                   .out = out};
    if (pp_twin_run(&twin, &state, &wanted) != PP_OK)
        printf("diverged\n");
    mix(out, (size_t)rows * PP_CHANNEL_COUNT);
    const double *last = out + (rows - 1) * PP_CHANNEL_COUNT;
    fprintf(stderr, "%.9g %.9g\n", last[PP_CHANNEL_omega_m], last[PP_CHANNEL_i_s]);
}

/* Both filters over the currents and voltages of the twin itself. */
static void observe(const pp_params *params, bool unscented)
{
    pp_machine machine;
    pp_twin twin;
    pp_state state;
    pp_output out;
    pp_observer o;
    pp_machine_derive(params, &machine);
    pp_twin_setup(params, NULL, &twin);
    pp_twin_start(&twin, &state);
    pp_observed m = pp_observed_from(params, &machine);
    pp_uncertainty u = pp_uncertainty_from(&m, 0.02, true);
    pp_observer_start(&o, &m, &u, 0.3, 0.5);
    for (int k = 0; k < 500; k++) {
        pp_twin_step(&twin, &state, pp_twin_scenario(&twin, &state), &out);
        const double *c = out.channel,
                     ib = (c[PP_CHANNEL_ia] + 2 * c[PP_CHANNEL_ib]) * 0.57735026918962576451;
        if (unscented)
            pp_observer_unscented(&o, c[PP_CHANNEL_ud], c[PP_CHANNEL_uq], params->drive.period,
                                  c[PP_CHANNEL_ia], ib);
        else
            pp_observer_step(&o, c[PP_CHANNEL_ud], c[PP_CHANNEL_uq], params->drive.period,
                             c[PP_CHANNEL_ia], ib);
        for (int e = 0; e < PP_ESTIMATE_COUNT; e++) {
            double x = pp_observer_estimate(&o, e);
            mix(&x, 1);
        }
    }
}

int main(void)
{
    pp_params p;
    pp_params_default(&p);
    p.control.speed_ref = 300;
    p.load.quadratic = 1e-6;
    p.load.coulomb = 1e-3;
    run(&p, 2000); /* geometry route, FOC, every load */
    observe(&p, false);
    observe(&p, true);
    p.drive.rtol = 1e-8;
    run(&p, 300); /* adaptive steps */
    p.drive.rtol = 0;
    p.stator.slots = 0;
    p.stator.core = 0;
    p.stator.winding_thickness = 0.002;
    p.winding.wire_diameter = 3e-4;
    run(&p, 1000); /* coreless */
    pp_params_default(&p);
    p.datasheet.R_ll = 0.608, p.datasheet.L_ll = 0.463e-3, p.datasheet.Kt_block = 36.9e-3,
    p.datasheet.J = 181e-7;
    p.datasheet.emf = 1, p.rotor.pole_pairs = 8, p.rotor.viscous_friction = 1.35e-5;
    p.drive.kind = 1, p.drive.u_dc = 24, p.drive.period = 20e-6, p.load.torque = 0.1,
    p.load.t_on = 0.05;
    run(&p, 4000); /* six-step with its events */
    p.drive.rtol = 1e-8;
    run(&p, 1000); /* located by adaptive steps */
    printf("%016llx\n", (unsigned long long)hash);
    return 0;
}
