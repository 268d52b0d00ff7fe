/* polepair/model/part.h: what the parts of a drive share. A part is a constant model and a state,
 * plain blocks of pp_real (so that lanes are made by transposing), and the functions that parts.def
 * names for its slot. */
#ifndef POLEPAIR_PART_H
#define POLEPAIR_PART_H

#include "polepair/model/real.h"

/* What a run carries along. Constants in a plain loop, so that the unused ones cost nothing;
 * run-time bits in a rich one. */
enum {
    PP_HAS_FRICTION = 1, /* Coulomb or quadratic torque */
    PP_HAS_ENERGY = 2,
    PP_HAS_ANGLE = 4,
    PP_HAS_VISCOUS = 8,
    PP_HAS_MTPA = 16,
    PP_HAS_ADAPTIVE = 32, /* Dormand-Prince instead of fixed steps */
    PP_HAS_SHAFT = PP_HAS_FRICTION | PP_HAS_ENERGY | PP_HAS_ANGLE | PP_HAS_VISCOUS
};

enum { PP_GROUPS_MAX = 4 }; /* vectors that advance together */
/* Pieces that events cut a step into; more can only be a state without sense. */
enum { PP_SEGMENTS_MAX = 12 };

/* Energies [J] since the start: taken in, lost in copper (and diodes) and friction, given away. */
typedef struct pp_energy {
    pp_real in, copper, friction, load;
} pp_energy;

PP_INLINE pp_energy pp_energy_none(void)
{
    const pp_real zero = pp_set(0);
    return (pp_energy){zero, zero, zero, zero};
}

/* What the controller sees of the machine at a sample. */
typedef struct pp_seen {
    pp_real id, iq;                /* currents in the rotor frame [A]; six-step leaves them 0 */
    pp_real omega_m;               /* mechanical speed [rad/s] */
    pp_real duty_least, duty_most; /* duties that the current limit leaves (six-step) */
} pp_seen;

/* What a run has gone through at its samples, for the doubts at its end (warnings.def). */
typedef struct pp_extremes {
    pp_real current; /* the largest of those that i_max limits, squared [A^2]; six-step: of those
                        that came near it */
} pp_extremes;

/* What the controller wants held over the coming period. */
typedef struct pp_command {
    pp_real ud, uq; /* voltage in the rotor frame at the start of the period [V] (foc) */
    pp_real duty;   /* share of the bus voltage (six-step) */
} pp_command;

/* Sizes that a relative error refers to, and the tolerance. */
typedef struct pp_tolerance {
    pp_real rtol;
    pp_real flux;    /* flux linkage [Wb] (pmsm), or current [A] (six-step) */
    pp_real speed;   /* electrical (pmsm) or mechanical (six-step) [rad/s] */
    pp_real voltage; /* [V] */
} pp_tolerance;

#endif
