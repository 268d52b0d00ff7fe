/* Datasheet route: the constants of a machine from a maker's figures. */
#include "polepair/math.h"
#include "routes.h"

static const double ROOT2 = 1.41421356237309504880;
/* Fundamental of a trapezoid with a 120-degree flat top, over its top: (4/pi) sin(pi/6)/(pi/6). */
static const double TRAPEZOID = 12 / (PP_PI * PP_PI);

/* Phase EMF amplitude of the fundamental over mechanical speed, p psi. */
static pp_status sheet_flux(const pp_params *p, double *p_psi, double *trapezoid)
{
    const struct pp_datasheet_params *s = &p->datasheet;
    const double given[] = {s->Kt_block,  s->Kt_peak, s->Kt_rms, s->Ke_ll_peak,
                            s->Ke_ll_rms, s->Kv,      s->psi_pm};
    int count = 0;
    for (int i = 0; i < 7; i++)
        count += given[i] > 0;
    if (count != 1)
        return PP_SHEET_FLUX;
    double ll = s->Ke_ll_peak + (s->Kv > 0 ? 1 / s->Kv : 0); /* line to line, peak */
    double sine = p->rotor.pole_pairs * s->psi_pm + s->Kt_peak / 1.5 + s->Kt_rms / (1.5 * ROOT2) +
                  s->Ke_ll_rms * ROOT2 / PP_ROOT3;
    bool flat = s->emf > 0.5;
    *trapezoid = flat ? 0.5 * (s->Kt_block + ll) + sine / TRAPEZOID : 0;
    *p_psi =
        flat ? TRAPEZOID * *trapezoid : s->Kt_block * PP_PI / (3 * PP_ROOT3) + ll / PP_ROOT3 + sine;
    return PP_OK;
}

pp_status pp_datasheet_derive(const pp_params *p, pp_machine *machine)
{
    const struct pp_datasheet_params *s = &p->datasheet;
    pp_machine m = {0};
    if (s->R_ll > 0 && s->R_phase > 0)
        return PP_SHEET_R;
    if ((s->L_ll > 0) == (s->Ld > 0))
        return PP_SHEET_L;
    if (s->J <= 0)
        return PP_SHEET_J;
    double p_psi;
    pp_status status = sheet_flux(p, &p_psi, &m.emf_trapezoid);
    if (status != PP_OK)
        return status;
    double warm = 1 + p->winding.temperature_coefficient * (p->winding.temperature - 20);
    m.pole_pairs = p->rotor.pole_pairs;
    m.psi_pm = p_psi / m.pole_pairs;
    m.Rs = (0.5 * s->R_ll + s->R_phase) * warm;
    m.Ld = s->L_ll > 0 ? 0.5 * s->L_ll : s->Ld;
    m.Lq = s->L_ll > 0 || s->Lq <= 0 ? m.Ld : s->Lq;
    m.J = s->J;
    m.mass = s->mass;
    m.B = p->rotor.viscous_friction;
    if (s->I_no_load > 0 && s->n_no_load > 0)
        m.B = pp_block_constant(&m) * s->I_no_load / s->n_no_load;
    m.T_coulomb = p->rotor.coulomb_friction;
    *machine = m;
    return PP_OK;
}
