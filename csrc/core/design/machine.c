/* Datasheet route, constants that both routes share, losses. */
#include "machine_parts.h"
#include "polepair/math.h"

static const double ROOT2 = 1.41421356237309504880, ROOT3 = 1.73205080756887729353;
/* Fundamental of a trapezoid with a 120-degree flat top, over its top: (4/pi) sin(pi/6)/(pi/6). */
static const double TRAPEZOID = 12 / (PP_PI * PP_PI);

bool pp_is_datasheet(const pp_params *p) { return p->datasheet.R_ll > 0 || p->datasheet.R_phase > 0; }

/* Logarithm-based partial inductance terms per mu0/(2 pi) of a bar and of two parallel bars. */
static double bar_self(double length, double gmd) { return length * (pp_log(2 * length / gmd) - 1); }

static double bar_mutual(double length, double apart)
{
    double x = length / apart, root = pp_root(1 + x * x);
    return length * (pp_log(x + root) - root / x + 1 / x);
}

double pp_end_inductance(const pp_params *p, double slot_area, int coils)
{
    double length = p->winding.end_length;
    if (length <= 0)
        return 0;
    double share = slot_area * (p->stator.slots < 0.5 ? 1 : 1 / p->winding.layers);
    double gmd = 0.447 * pp_root(share); /* square bundle: 0.2235 (a + b) */
    double own = pp_larger(bar_self(length, gmd), 0), back = bar_mutual(length, p->stator.length + gmd);
    double per_turn = PP_MU0 / (2 * PP_PI) * 2 * pp_larger(own - back, 0);
    return coils * p->winding.turns * p->winding.turns * per_turn;
}

/* Phase EMF amplitude of the fundamental over mechanical speed, p psi. */
static pp_status sheet_flux(const pp_params *p, double *p_psi, double *trapezoid)
{
    const struct pp_datasheet_params *s = &p->datasheet;
    const double given[] = {s->Kt_block, s->Kt_peak, s->Kt_rms, s->Ke_ll_peak, s->Ke_ll_rms, s->Kv, s->psi_pm};
    int count = 0;
    for (int i = 0; i < 7; i++)
        count += given[i] > 0;
    if (count != 1)
        return PP_SHEET_FLUX;
    double ll = s->Ke_ll_peak + (s->Kv > 0 ? 1 / s->Kv : 0); /* line to line, peak */
    double sine =
        p->rotor.pole_pairs * s->psi_pm + s->Kt_peak / 1.5 + s->Kt_rms / (1.5 * ROOT2) + s->Ke_ll_rms * ROOT2 / ROOT3;
    bool flat = s->emf > 0.5;
    *trapezoid = flat ? 0.5 * (s->Kt_block + ll) + sine / TRAPEZOID : 0;
    *p_psi = flat ? TRAPEZOID * *trapezoid : s->Kt_block * PP_PI / (3 * ROOT3) + ll / ROOT3 + sine;
    return PP_OK;
}

static double block_constant(const pp_machine *m)
{
    return m->emf_trapezoid > 0 ? 2 * m->emf_trapezoid : 3 * ROOT3 / PP_PI * m->pole_pairs * m->psi_pm;
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
        m.B = block_constant(&m) * s->I_no_load / s->n_no_load;
    m.T_coulomb = p->rotor.coulomb_friction;
    *machine = m;
    return PP_OK;
}

/* Delta into its equivalent star: a third of the impedance, 1/sqrt(3) of the linkage. */
static void to_star(pp_machine *m)
{
    m->Rs /= 3, m->Ld /= 3, m->Lq /= 3, m->L_gap /= 3, m->L_slot /= 3, m->L_end /= 3, m->L_magnetizing /= 3;
    m->psi_pm /= ROOT3, m->psi_5 /= -ROOT3, m->psi_7 /= -ROOT3;
}

pp_status pp_machine_derive(const pp_params *p, pp_machine *machine)
{
    pp_machine m;
    pp_status status = pp_is_datasheet(p) ? pp_datasheet_derive(p, &m) : pp_geometry_derive(p, &m);
    if (status != PP_OK)
        return status;
    if (p->winding.connection > 0.5 && !pp_is_datasheet(p))
        to_star(&m);
    m.Kt = 1.5 * m.pole_pairs * m.psi_pm;
    m.Ke = m.emf_trapezoid > 0 ? 2 * m.emf_trapezoid : ROOT3 * m.pole_pairs * m.psi_pm;
    m.Kv = 1 / m.Ke;
    m.Kt_block = block_constant(&m);
    m.Km = m.Kt / pp_root(1.5 * m.Rs);
    m.tau_e = m.Lq / m.Rs;
    m.tau_m = m.emf_trapezoid > 0 ? 2 * m.Rs * m.J / (m.Kt_block * m.Kt_block) : m.J / (m.Km * m.Km);
    *machine = m;
    return PP_OK;
}

double pp_copper_loss(const pp_machine *m, double id, double iq) { return 1.5 * m->Rs * (id * id + iq * iq); }

static double bertotti(const pp_params *p, double f, double B)
{
    double fB = f * B;
    return p->material.hysteresis * fB * B + p->material.eddy * fB * fB + p->material.excess * fB * pp_root(fB);
}

double pp_iron_loss(const pp_params *p, const pp_machine *m, double omega_m)
{
    double f = pp_magnitude(omega_m) * m->pole_pairs / (2 * PP_PI);
    double yoke = m->mass_stator - m->mass_teeth;
    return m->mass_teeth * bertotti(p, f, m->B_tooth) + yoke * bertotti(p, f, m->B_yoke);
}
