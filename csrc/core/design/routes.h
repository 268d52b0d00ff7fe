/* core/machine_parts.h: the two routes to a machine and what they share; private to the core. */
#ifndef PP_CORE_MACHINE_PARTS_H
#define PP_CORE_MACHINE_PARTS_H

#include "polepair/machine.h"

pp_status pp_geometry_derive(const pp_params *params, pp_machine *machine);
pp_status pp_datasheet_derive(const pp_params *params, pp_machine *machine);

/* End-winding inductance of one phase with all coils in series [H]: partial inductance of the two end connections of
 * each coil, straight bars of length L_ew a stack apart (Grover, Inductance Calculations, ch. 5). */
double pp_end_inductance(const pp_params *params, double slot_area, int coils);

#endif
