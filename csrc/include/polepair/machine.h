/* polepair/machine.h: from parameters to the constants of the machine. */
#ifndef POLEPAIR_MACHINE_H
#define POLEPAIR_MACHINE_H

#include "polepair/params.h"

/* The constants of a machine, made from derived.def: every field a double, per equivalent star phase, peak values. */
typedef struct pp_machine {
#define PP_DERIVED(field, symbol, unit, doc) double field;
#include "polepair/derived.def"
#undef PP_DERIVED
} pp_machine;

typedef struct pp_derived_info {
    const char *field, *symbol, *unit, *doc;
} pp_derived_info;

enum { PP_DERIVED_COUNT = (int)(sizeof(pp_machine) / sizeof(double)) };
const pp_derived_info *pp_derived_at(int i);

/* True where the datasheet route is taken (datasheet.R_ll or R_phase is given). */
bool pp_is_datasheet(const pp_params *params);
/* Parameters -> machine. Values that the route cannot know are 0. Refuses with a status of status.def. */
pp_status pp_machine_derive(const pp_params *params, pp_machine *machine);

/* Copper and iron loss [W] at a speed [rad/s] and current [A]: 1.5 R i^2; Bertotti k_h f B^2 + k_e (f B)^2 + k_x (f B)^1.5
 * per kilogram of teeth and yoke with the open-circuit peak flux densities. */
double pp_copper_loss(const pp_machine *machine, double id, double iq);
double pp_iron_loss(const pp_params *params, const pp_machine *machine, double omega_m);

/* d-axis current of maximum torque per ampere for a current amplitude (Morimoto et al., IEEE Trans. Ind. Appl. 26(5) 1990). */
double pp_mtpa_id(const pp_machine *machine, double amplitude);

typedef struct pp_operating_point {
    double id, iq, ud, uq, torque, omega_m;
    bool reachable;
} pp_operating_point;

/* Steady state of id, iq at a speed: voltages and torque. */
pp_operating_point pp_operating_at(const pp_machine *machine, double id, double iq, double omega_m);
/* Most torque at a speed within |i| <= i_max and |u| <= u_max (phase, peak), field weakening included. */
pp_operating_point pp_operating_limit(const pp_machine *machine, double omega_m, double i_max,
                                      double u_max);

#endif
