/* polepair/machine.h: from parameters to the constants of the machine. */
#ifndef POLEPAIR_MACHINE_H
#define POLEPAIR_MACHINE_H

#include "polepair/params.h"

/* The constants of a machine, made from derived.def: every field a double, per equivalent star
 * phase, peak values. */
typedef struct pp_machine {
#define PP_DERIVED(field, symbol, unit, doc) double field;
#include "polepair/derived.def"
#undef PP_DERIVED
} pp_machine;

/* One row of derived.def. */
typedef struct pp_derived_info {
    const char *field;  /* name of the field */
    const char *symbol; /* of the literature */
    const char *unit;   /* SI */
    const char *doc;    /* one line */
} pp_derived_info;

enum { PP_DERIVED_COUNT = (int)(sizeof(pp_machine) / sizeof(double)) };
/* Row i, 0 <= i < PP_DERIVED_COUNT; the value is ((double *)machine)[i]. */
const pp_derived_info *pp_derived_at(int i);

/* True where the datasheet route is taken (datasheet.R_ll or R_phase is given). */
bool pp_is_datasheet(const pp_params *params);
/* Parameters -> machine. Values that the route cannot know are 0. Refuses with a status of
 * status.def, and then leaves *machine as it was. */
pp_status pp_machine_derive(const pp_params *params, pp_machine *machine);

/* Copper loss [W] of a current [A]: 1.5 R i^2. */
double pp_copper_loss(const pp_machine *machine, double id, double iq);
/* Iron loss [W] at a speed [rad/s]: Bertotti, IEEE Trans. Magn. 24(1) 1988, k_h f B^2 + k_e (f
 * B)^2 + k_x (f B)^1.5 per kilogram of teeth and yoke with the open-circuit peak flux densities. */
double pp_iron_loss(const pp_params *params, const pp_machine *machine, double omega_m);

/* Air-gap torque [N m] of a current [A]. */
double pp_torque(const pp_machine *machine, double id, double iq);

/* How the torque goes with the currents and with the magnets. */
typedef struct pp_torque_slopes {
    double id, iq; /* [N m/A] */
    double psi_pm; /* [N m/Wb] */
} pp_torque_slopes;

pp_torque_slopes pp_torque_slopes_at(const pp_machine *machine, double id, double iq);

/* The torque, times a scale, from the flux linkages that the currents make, d = Ld id and q = Lq
 * iq: q (by_q + by_dq d). */
typedef struct pp_torque_products {
    double by_q;  /* [N m/Wb] */
    double by_dq; /* [N m/Wb^2] */
} pp_torque_products;

pp_torque_products pp_torque_of_flux(const pp_machine *machine, double scale);

/* d-axis current [A] of maximum torque per ampere for a current amplitude [A] (Morimoto et al.,
 * IEEE Trans. Ind. Appl. 26(5) 1990). */
double pp_mtpa_id(const pp_machine *machine, double amplitude);

/* A steady state. */
typedef struct pp_operating_point {
    double id, iq;  /* [A] */
    double ud, uq;  /* [V] */
    double torque;  /* air gap [N m] */
    double omega_m; /* mechanical [rad/s] */
    bool reachable; /* within the limits that were asked for */
} pp_operating_point;

/* Steady state of id, iq [A] at a speed [rad/s]; reachable is true. */
pp_operating_point pp_operating_at(const pp_machine *machine, double id, double iq, double omega_m);
/* Most torque at a speed [rad/s] within |i| <= i_max [A] and |u| <= u_max [V] (phase, peak),
 * field weakening included. */
pp_operating_point pp_operating_limit(const pp_machine *machine, double omega_m, double i_max,
                                      double u_max);

#endif
