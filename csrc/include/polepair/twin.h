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
#include "polepair/model/drive.h"

typedef struct pp_twin {
    pp_model model;
    pp_kinds kinds; /* parts, and the features that the parameters ask for */
    double period;  /* control period [s] */
    int substeps;   /* fixed steps of a period */
    bool open_loop; /* the controller asks for the same all the time */
} pp_twin;

typedef struct pp_state {
    pp_run run;
    long sample; /* control periods since the start */
} pp_state;

typedef struct pp_input {
    double speed_ref, load_torque; /* [rad/s], [N m] */
} pp_input;

/* Every channel at the sample instant, indexed by pp_channel. */
typedef struct pp_output {
    double channel[PP_CHANNEL_COUNT];
} pp_output;

/* Checks the parameters, derives the machine and tunes the controllers. `nominal` is the machine
 * that the controller believes in; NULL means the derived one. Refuses with a status. */
pp_status pp_twin_setup(const pp_params *params, const pp_machine *nominal, pp_twin *twin);
/* Same, for a machine already derived. */
pp_status pp_twin_setup_machine(const pp_params *params, const pp_machine *machine,
                                const pp_machine *nominal, pp_twin *twin);
/* At rest, no current. */
void pp_twin_start(const pp_twin *twin, pp_state *state);
/* What the controller sees. */
pp_seen pp_twin_sense(const pp_twin *twin, const pp_run *run);
/* PP_OK, or why the state is none that the model holds for: PP_DIVERGED where it is not finite,
 * PP_SPEED_HIGH, PP_SIX_STEP_DRIVEN, PP_SIX_STEP_BACKWARDS. */
pp_status pp_twin_judge(const pp_twin *twin, const pp_state *state);
/* The reference and load that the parameters ask for at the state's sample. */
pp_input pp_twin_scenario(const pp_twin *twin, const pp_state *state);
/* One control period: the controller samples, *out (may be NULL) gets every channel, the machine
 * moves. */
void pp_twin_step(const pp_twin *twin, pp_state *state, pp_input input, pp_output *out);

/* From now on this speed reference [rad/s] and load torque [N m], whatever the parameters say. */
void pp_twin_set_reference(pp_twin *twin, double speed_ref, double load_torque);

/* What is known of a running machine from outside. */
typedef struct pp_observed_state {
    double id, iq;  /* currents in the rotor frame [A] */
    double omega_m; /* mechanical speed [rad/s] */
    double theta_m; /* mechanical angle [rad] */
    double torque;  /* load torque [N m] */
} pp_observed_state;

/* Puts a FOC twin into a state that was observed, the controllers as they would stand there in
 * steady state. PP_ARGUMENT for a six-step twin. */
pp_status pp_twin_set_state(const pp_twin *twin, pp_state *state, const pp_observed_state *seen);

/* The features that a run of these channels needs: a set of PP_HAS_*. */
int pp_twin_features(const pp_twin *twin, const int *channels, int count);
bool pp_twin_is_adaptive(const pp_twin *twin);

#define PP_SAMPLES_MAX 10000000000L /* control periods of one run: below 1e10 */

/* Control periods of a run of t_end seconds, to the nearest, halves up; -1 where that is not
 * within 0..PP_SAMPLES_MAX. A run has a row each `every` of them and one at its beginning: this is
 * the one place that says how many rows come. */
long pp_twin_samples(double t_end, double period);

/* Which rows of a run are wanted, and where they go. */
typedef struct pp_rows_wanted {
    long rows;  /* pp_twin_run: rows, one every `every` periods. pp_twin_run_fine: periods */
    long every; /* pp_twin_run: periods between rows. pp_twin_run_fine: rows in each period */
    bool stop;  /* the last row is the end: the machine does not move on from there */
    const int *channels; /* of a row */
    int count;           /* channels */
    double *out;         /* rows x count */
} pp_rows_wanted;

/* Rows under the twin's scenario: row r is taken at sample start + r * every, and the machine moves
 * on after each row but, where `stop` is set, the last. Its end is judged by pp_twin_judge. */
pp_status pp_twin_run(const pp_twin *twin, pp_state *state, const pp_rows_wanted *wanted);
/* Same for periods of an adaptive twin with several rows in each, the ones between the samples from
 * the continuous extension of the steps; where `stop` is set, one more row at the end. PP_ARGUMENT
 * for a twin of fixed steps. */
pp_status pp_twin_run_fine(const pp_twin *twin, pp_state *state, const pp_rows_wanted *wanted);

#endif
