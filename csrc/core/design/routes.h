/* core/design/routes.h: the two routes to a machine and what they share; private to the room. */
#ifndef PP_CORE_ROUTES_H
#define PP_CORE_ROUTES_H

#include "polepair/machine.h"

#define PP_ROOT3 1.73205080756887729353

pp_status pp_geometry_derive(const pp_params *params, pp_machine *machine);
pp_status pp_datasheet_derive(const pp_params *params, pp_machine *machine);

/* Torque per bus ampere with block commutation [N m/A]: twice the flat top of a trapezoid, or
 * the mean of a sine. */
static inline double pp_block_constant(const pp_machine *m)
{
    if (m->emf_trapezoid > 0)
        return 2 * m->emf_trapezoid;
    return 3 * PP_ROOT3 / PP_PI * m->pole_pairs * m->psi_pm;
}

#endif
