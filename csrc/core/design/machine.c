/* From parameters to a machine: one of two routes, and what follows from either. */
#include "polepair/math.h"
#include "routes.h"

bool pp_is_datasheet(const pp_params *p)
{
    return p->datasheet.R_ll > 0 || p->datasheet.R_phase > 0;
}

/* Delta into its equivalent star: a third of the impedance, 1/sqrt(3) of the linkage. */
static void to_star(pp_machine *m)
{
    m->Rs /= 3;
    m->Ld /= 3;
    m->Lq /= 3;
    m->L_gap /= 3;
    m->L_slot /= 3;
    m->L_end /= 3;
    m->L_magnetizing /= 3;
    m->psi_pm /= PP_ROOT3;
    m->psi_5 /=
        -PP_ROOT3; /* the star's voltages lead by 30 degrees: 5 and 7 times 30 turn these round */
    m->psi_7 /= -PP_ROOT3;
}

static pp_status geometry_route(const pp_params *p, pp_machine *m)
{
    const pp_status status = pp_geometry_derive(p, m);
    if (status != PP_OK)
        return status;
    switch (pp_winding_connection_of(p)) {
    case PP_winding_connection_star: break;
    case PP_winding_connection_delta: to_star(m); break;
    }
    return PP_OK;
}

/* Constants that users know a machine by, from those that the models run on. */
static void catalogue_constants(pp_machine *m)
{
    const bool trapezoid = m->emf_trapezoid > 0;
    m->Kt = pp_torque_slopes_at(m, 0, 0).iq;
    m->Ke = trapezoid ? 2 * m->emf_trapezoid : PP_ROOT3 * m->pole_pairs * m->psi_pm;
    m->Kv = 1 / m->Ke;
    m->Kt_block = pp_block_constant(m);
    m->Km = m->Kt / pp_root(1.5 * m->Rs);
    m->tau_e = m->Lq / m->Rs;
    m->tau_m = m->J / (m->Km * m->Km);
    if (trapezoid)
        m->tau_m = 2 * m->Rs * m->J / (m->Kt_block * m->Kt_block);
}

pp_status pp_machine_derive(const pp_params *p, pp_machine *machine)
{
    pp_machine m;
    const pp_status status =
        pp_is_datasheet(p) ? pp_datasheet_derive(p, &m) : geometry_route(p, &m);
    if (status != PP_OK)
        return status;
    catalogue_constants(&m);
    PP_ASSERT(pp_finite(m.Ld) && pp_finite(m.psi_pm) && pp_finite(m.J));
    *machine = m;
    return PP_OK;
}
