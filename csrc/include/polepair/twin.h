/* polepair/twin.h: a twin ready to run: drive, controller, machine and load. Scalar double.
 *
 *   pp_twin twin;  pp_state state;  pp_output out;
 *   pp_twin_setup(&params, NULL, &twin);
 *   pp_twin_start(&twin, &state);
 *   for (...) pp_twin_step(&twin, &state, (pp_input){speed_ref, load}, &out);
 */
#ifndef POLEPAIR_TWIN_H
#define POLEPAIR_TWIN_H

#include "polepair/machine.h"
#include "polepair/model/model.h"

typedef struct pp_twin {
    union {
        pp_foc_model foc;
        pp_bldc_model bldc;
    } model;
    double period; /* control period [s] */
    int substeps, with;
    bool six_step, mtpa, adaptive, open_loop;
} pp_twin;

typedef struct pp_state {
    union {
        pp_foc_run foc;
        pp_bldc_run bldc;
    } run;
    long sample; /* control periods since the start */
} pp_state;

typedef struct pp_input {
    double speed_ref, load_torque; /* [rad/s], [N m] */
} pp_input;

/* Every channel at the sample instant, indexed by pp_channel. */
typedef struct pp_output {
    double channel[PP_CHANNEL_COUNT];
} pp_output;

/* Checks the parameters, derives the machine and tunes the controllers. `nominal` is the machine that the controller
 * believes in; NULL means the derived one. Refuses with a status. */
pp_status pp_twin_setup(const pp_params *params, const pp_machine *nominal, pp_twin *twin);
/* Same, for a machine already derived. */
pp_status pp_twin_setup_machine(const pp_params *params, const pp_machine *machine,
                                const pp_machine *nominal, pp_twin *twin);
/* At rest, no current. */
void pp_twin_start(const pp_twin *twin, pp_state *state);
/* The reference and load that the parameters ask for at the state's sample. */
pp_input pp_twin_scenario(const pp_twin *twin, const pp_state *state);
/* One control period: the controller samples, *out (may be NULL) gets every channel, the machine moves. */
void pp_twin_step(const pp_twin *twin, pp_state *state, pp_input input, pp_output *out);

/* From now on this speed reference [rad/s] and this load torque [N m], whatever the parameters say. */
void pp_twin_ask(pp_twin *twin, double speed_ref, double load_torque);
/* Puts a FOC twin into a state that was observed: currents [A], mechanical speed [rad/s] and angle [rad], the controllers
 * as they would stand there in steady state against this torque [N m]. PP_ARGUMENT for a six-step twin. */
pp_status pp_twin_place(const pp_twin *twin, pp_state *state, double id, double iq, double omega_m,
                        double theta_m, double torque);

/* What a run of these channels has to carry along: a set of PP_WITH_*. */
int pp_twin_needs(const pp_twin *twin, const int *channels, int count);

/* `rows` rows of the chosen channels under the twin's scenario, one every `every` periods: row r is taken at sample
 * start + r * every, and the machine moves on after each row but, where `stop` is set, the last. out: rows x count.
 * PP_DIVERGED if a value is not finite at the end. */
pp_status pp_twin_run(const pp_twin *twin, pp_state *state, long rows, long every, bool stop,
                      const int *channels, int count, double *out);
/* Same for `periods` periods of an adaptive twin with `fine` rows in each, the ones between the samples from the
 * continuous extension of the steps; where `stop` is set, one more row at the end. out: periods x fine (+ 1) x count. */
pp_status pp_twin_run_fine(const pp_twin *twin, pp_state *state, long periods, long fine, bool stop,
                           const int *channels, int count, double *out);

#endif
