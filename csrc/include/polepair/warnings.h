/* polepair/warnings.h: what a run doubts at its end, and what a drive is able to hold. The rows are
 * warnings.def. */
#ifndef POLEPAIR_WARNINGS_H
#define POLEPAIR_WARNINGS_H

#include "polepair/twin.h"

typedef enum pp_warning {
#define PP_WARNING(code, where, when, text) PP_WARNING_##code,
#include "polepair/warnings.def"
    PP_WARNING_COUNT
} pp_warning;

/* One row of warnings.def. */
typedef struct pp_warning_info {
    const char *code;  /* its name */
    const char *where; /* the parameter that it speaks of, "" where it names none */
    const char *text;  /* what was found and what was expected */
} pp_warning_info;

/* Row i, 0 <= i < PP_WARNING_COUNT. */
const pp_warning_info *pp_warning_at(int i);

/* Whether a drive holds a steady state, or the limit in its way. */
typedef enum pp_reach {
    PP_REACH_yes,
    PP_REACH_voltage,
    PP_REACH_current, /* drive.i_max */
    PP_REACH_torque,  /* control.torque_max */
} pp_reach;

/* Whether the drive holds an air-gap torque [N m] at a speed [rad/s], by the control that the
 * parameters ask for: no field weakening, and under six-step a twelfth less than the ideal
 * currents, which its commutations cost. */
pp_reach pp_drive_reach(const pp_params *params, const pp_machine *machine, double omega_m,
                        double torque);

/* Which parameters differ from their defaults and have no effect: idle[row] for each, and their
 * number. */
int pp_params_idle(const pp_params *params, const pp_machine *machine, bool idle[PP_PARAM_COUNT]);

/* A run that has come to its end. */
typedef struct pp_ended {
    const pp_params *params;
    const pp_machine *machine;
    const pp_twin *twin;
    const pp_state *state;
} pp_ended;

/* The doubts about a run from rest: bit 1 << pp_warning each. The energy is judged where the run
 * carried it along. */
uint32_t pp_run_warnings(const pp_ended *run);

#endif
