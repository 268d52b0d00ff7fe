/* polepair/winding.h: layout of a three-phase winding by the star of slots. */
#ifndef POLEPAIR_WINDING_H
#define POLEPAIR_WINDING_H

#include "polepair/params.h"

enum { PP_SLOTS_MAX = 240 };

/* The layout: which coil sides lie in which slot. */
typedef struct pp_winding {
    int slots;                          /* 3..PP_SLOTS_MAX */
    int pole_pairs;                     /* p */
    int span;                           /* from one side of a coil to the other [slots] */
    int layers;                         /* coil sides per slot, 1 or 2 */
    int coils_per_phase;                /* all of them, whatever is in parallel */
    int8_t conductors[3][PP_SLOTS_MAX]; /* coil sides of a phase in a slot, 1: one going in */
    int8_t coil_phase[PP_SLOTS_MAX];    /* of a slot's coil: +-1 a, +-2 b, +-3 c, 0 none starts */
} pp_winding;

/* Layout for any slots and pole pairs that give a balanced winding (Pyrhonen, Jokinen,
 * Hrabovcova, Design of Rotating Electrical Machines, 2nd ed., ch. 2: voltage phasor graph).
 * span 0 means the pole pitch, rounded, at least 1. Refuses with PP_UNBALANCED, PP_SINGLE_LAYER
 * or PP_COIL_SPAN. */
pp_status pp_winding_layout(int slots, int pole_pairs, int layers, int span, pp_winding *winding);
/* The layout of a motor; without slots one coil side per phase belt, six belts a pole pair. */
pp_status pp_winding_of(const pp_params *params, pp_winding *winding);

/* Complex sum over the slots of conductors e^(j nu theta) of one phase, for nu = 0..slots/2
 * (others follow by periodicity). re and im have slots/2 + 1 entries. */
void pp_winding_spectrum(const pp_winding *winding, int phase, double *re, double *im);

/* Differential leakage sigma_d from the Goerges polygon (Kremser, Elektrische Maschinen und
 * Antriebe, 2nd ed., ch. 2). */
double pp_winding_differential_leakage(const pp_winding *winding);

#endif
