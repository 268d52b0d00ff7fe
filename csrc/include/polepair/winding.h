/* polepair/winding.h: layout of a three-phase winding by the star of slots. */
#ifndef POLEPAIR_WINDING_H
#define POLEPAIR_WINDING_H

#include "polepair/base.h"

enum { PP_SLOTS_MAX = 240 };

/* conductors[phase][slot]: signed coil sides of the phase in the slot (1 = one coil side going in).
 * coil_phase[i]: +-1 a, +-2 b, +-3 c of the coil that starts in slot i; 0 where none starts (single layer). */
typedef struct pp_winding {
    int slots, pole_pairs, span, layers, coils_per_phase;
    int8_t conductors[3][PP_SLOTS_MAX];
    int8_t coil_phase[PP_SLOTS_MAX];
} pp_winding;

/* Layout for any slots and pole pairs that give a balanced winding (Pyrhonen, Jokinen, Hrabovcova, Design of
 * Rotating Electrical Machines, 2nd ed., ch. 2: voltage phasor graph). span 0 means the pole pitch, rounded, at least 1.
 * Refuses with PP_UNBALANCED, PP_SINGLE_LAYER or PP_COIL_SPAN. */
pp_status pp_winding_layout(int slots, int pole_pairs, int layers, int span, pp_winding *winding);

/* Complex sum over the slots of conductors e^(j nu theta) of one phase, for nu = 0..slots/2 (others follow by
 * periodicity). re and im have slots/2 + 1 entries. */
void pp_winding_spectrum(const pp_winding *winding, int phase, double *re, double *im);

/* Differential leakage sigma_d from the Goerges polygon (Kremser, Elektrische Maschinen und Antriebe, 2nd ed., ch. 2). */
double pp_winding_differential_leakage(const pp_winding *winding);

#endif
