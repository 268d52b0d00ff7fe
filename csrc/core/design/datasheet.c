/* Datasheet route: the constants of a machine from a maker's figures. */
#include "polepair/math.h"
#include "routes.h"

static const double ROOT2 = 1.41421356237309504880;
/* Fundamental of a trapezoid with a 120-degree flat top, over its top: (4/pi) sin(pi/6)/(pi/6). */
static const double TRAPEZOID = 12 / (PP_PI * PP_PI);

/* Exactly one of the figures that say how strong the magnets are. */
static bool one_flux_given(const struct pp_datasheet_params *s)
{
    const double given[] = {s->Kt_block,  s->Kt_peak, s->Kt_rms, s->Ke_ll_peak,
                            s->Ke_ll_rms, s->Kv,      s->psi_pm};
    int count = 0;
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++)
        count += given[i] > 0;
    return count == 1;
}

/* Flux linkage, and the flat top of a trapezoid. Of the figures below all but one are 0. */
static pp_status sheet_flux(const pp_params *p, pp_machine *m)
{
    const struct pp_datasheet_params *s = &p->datasheet;
    if (!one_flux_given(s))
        return PP_SHEET_FLUX;
    const double per_Kv = s->Kv > 0 ? 1 / s->Kv : 0;
    const double line_to_line = s->Ke_ll_peak + per_Kv; /* EMF over speed, peak */
    const double sine = p->rotor.pole_pairs * s->psi_pm + s->Kt_peak / 1.5 +
                        s->Kt_rms / (1.5 * ROOT2) + s->Ke_ll_rms * ROOT2 / PP_ROOT3;
    double p_psi = 0; /* phase EMF of the fundamental over mechanical speed */
    switch (pp_datasheet_emf_of(p)) {
    case PP_datasheet_emf_sine:
        p_psi = s->Kt_block * PP_PI / (3 * PP_ROOT3) + line_to_line / PP_ROOT3 + sine;
        break;
    case PP_datasheet_emf_trapezoid:
        m->emf_trapezoid = 0.5 * (s->Kt_block + line_to_line) + sine / TRAPEZOID;
        p_psi = TRAPEZOID * m->emf_trapezoid;
        break;
    }
    m->psi_pm = p_psi / m->pole_pairs;
    return PP_OK;
}

/* A phase of the star: half of what lies between two terminals. */
static void sheet_impedance(const pp_params *p, pp_machine *m)
{
    const struct pp_datasheet_params *s = &p->datasheet;
    const double warm = 1 + p->winding.temperature_coefficient * (p->winding.temperature - 20);
    m->Rs = (0.5 * s->R_ll + s->R_phase) * warm;
    m->Ld = s->L_ll > 0 ? 0.5 * s->L_ll : s->Ld;
    m->Lq = m->Ld;
    if (s->L_ll <= 0 && s->Lq > 0)
        m->Lq = s->Lq;
}

pp_status pp_datasheet_derive(const pp_params *p, pp_machine *machine)
{
    const struct pp_datasheet_params *s = &p->datasheet;
    if (s->R_ll > 0 && s->R_phase > 0)
        return PP_SHEET_R;
    if ((s->L_ll > 0) == (s->Ld > 0))
        return PP_SHEET_L;
    if (s->J <= 0)
        return PP_SHEET_J;
    pp_machine m = {
        .pole_pairs = p->rotor.pole_pairs,
        .J = s->J,
        .mass = s->mass,
        .B = p->rotor.viscous_friction,
        .T_coulomb = p->rotor.coulomb_friction,
    };
    const pp_status status = sheet_flux(p, &m);
    if (status != PP_OK)
        return status;
    sheet_impedance(p, &m);
    /* no-load current: its torque is the friction at that speed */
    if (s->I_no_load > 0 && s->n_no_load > 0)
        m.B = pp_block_constant(&m) * s->I_no_load / s->n_no_load;
    *machine = m;
    return PP_OK;
}
