/* The observer's set-up and what it shows. */
#include "polepair/math.h"
#include "polepair/observe.h"

pp_observed pp_observed_from(const pp_params *p, const pp_machine *m)
{
    pp_observed o;
    double cold = 1 + p->winding.temperature_coefficient * (p->winding.temperature - 20);
    double field = 1 + p->magnet.Br_temperature_coefficient * (p->magnet.temperature - 20);
    o.Ld = (pp_real)m->Ld, o.Lq = (pp_real)m->Lq, o.Ld_inv = (pp_real)(1 / m->Ld),
    o.Lq_inv = (pp_real)(1 / m->Lq);
    o.Rs = (pp_real)m->Rs, o.psi = (pp_real)m->psi_pm;
    o.p = (pp_real)m->pole_pairs, o.p_inv = (pp_real)(1 / m->pole_pairs);
    o.J_inv = (pp_real)(1 / (m->J + p->load.J));
    o.viscous = (pp_real)(m->B + p->load.viscous);
    o.coulomb = (pp_real)(m->T_coulomb + p->load.coulomb);
    o.Rs_per_K = (pp_real)(m->Rs * p->winding.temperature_coefficient / cold);
    o.psi_per_K = (pp_real)(m->psi_pm * p->magnet.Br_temperature_coefficient / field);
    o.winding_T = (pp_real)p->winding.temperature, o.magnet_T = (pp_real)p->magnet.temperature;
    o.i_max = (pp_real)p->drive.i_max, o.u_dc = (pp_real)p->drive.u_dc;
    o.torque_max = (pp_real)(1.5 * m->pole_pairs * m->psi_pm * p->drive.i_max);
    return o;
}

/* Rate of return [1/s] with which a walk stays within this standard deviation (Ornstein-Uhlenbeck). */
static double returning(double walk, double sigma) { return walk * walk / (2 * sigma * sigma); }

pp_uncertainty pp_uncertainty_from(const pp_observed *m, double current, bool adapt)
{
    pp_uncertainty u;
    double J = 1 / (double)m->J_inv, torque = (double)m->torque_max;
    u.current = (pp_real)(current > 0 ? current : 0.005 * (double)m->i_max);
    u.voltage = (pp_real)(0.001 * (double)m->u_dc);
    u.load = (pp_real)(0.5 * torque); /* half the full torque within a second, by chance alone */
    u.acceleration = (pp_real)(0.002 * (double)m->p * torque / J);
    u.Rs = (pp_real)(adapt ? 0.05 * (double)m->Rs : 0);
    u.psi = (pp_real)(adapt ? 0.01 * (double)m->psi : 0);
    u.Rs_start = (pp_real)(adapt ? 0.2 * (double)m->Rs : 0);
    u.psi_start = (pp_real)(adapt ? 0.05 * (double)m->psi : 0);
    u.Rs_back = (pp_real)(adapt ? returning(0.05, 0.2) : 0);
    u.psi_back = (pp_real)(adapt ? returning(0.01, 0.05) : 0);
    return u;
}

void pp_observer_start(pp_observer *o, const pp_observed *m, const pp_uncertainty *noise,
                       double theta_e, double sigma)
{
    *o = (pp_observer){0};
    o->machine = *m;
    o->noise = *noise;
    o->adapt = noise->Rs_start > 0 || noise->psi_start > 0;
    o->x[PP_X_RS] = m->Rs, o->x[PP_X_PSI] = m->psi;
    double s, c;
    pp_sincos(theta_e, &s, &c);
    o->c = (pp_real)c, o->s = (pp_real)s, o->x[PP_X_THETA] = (pp_real)pp_atan2(s, c);
    o->r = noise->current * noise->current;
    o->nis = o->nis_short = PP_R(2);
    const pp_real start[PP_X_COUNT] = {
        PP_R(0.05) * m->i_max, PP_R(0.05) * m->i_max,     PP_R(0.02) * m->u_dc / m->psi,
        (pp_real)sigma,        PP_R(0.1) * m->torque_max, noise->Rs_start,
        noise->psi_start};
    for (int i = 0; i < PP_X_COUNT; i++)
        o->P[i][i] = start[i] * start[i];
}

pp_quality pp_observer_quality(const pp_observer *o)
{
    if (o->count < 200)
        return PP_QUALITY_STARTING;
    if (o->nis_short > PP_R(8))
        return PP_QUALITY_INCONSISTENT;
    bool slow = o->we_mean * o->x[PP_X_PSI] < PP_R(0.01) * o->machine.u_dc;
    return slow || o->P[PP_X_THETA][PP_X_THETA] > PP_R(0.25) ? PP_QUALITY_UNOBSERVABLE
                                                             : PP_QUALITY_GOOD;
}

const pp_estimate_info *pp_estimate_at(int index)
{
    static const pp_estimate_info rows[] = {
#define PP_ESTIMATE(name, unit, doc) {#name, unit, doc},
#include "polepair/estimate.def"
#undef PP_ESTIMATE
    };
    return &rows[index];
}

static double sigma(const pp_observer *o, int i)
{
    return pp_root(pp_larger((double)o->P[i][i], 0));
}

/* Standard deviation of the torque, from the states it is made of. */
static double torque_sigma(const pp_observer *o, double kt, double dL)
{
    const double by[3] = {1.5 * (double)o->machine.p * dL * (double)o->x[PP_X_IQ], kt,
                          1.5 * (double)o->machine.p * (double)o->x[PP_X_IQ]};
    const int at[3] = {PP_X_ID, PP_X_IQ, PP_X_PSI};
    double sum = 0;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            sum += by[i] * by[j] * (double)(i < j ? o->P[at[i]][at[j]] : o->P[at[j]][at[i]]);
    return pp_root(pp_larger(sum, 0));
}

static double magnitude_over(double value, pp_real by)
{
    return by != PP_R(0) ? pp_magnitude(value / (double)by) : 0;
}

static double temperature(pp_real at, double change, pp_real per_K)
{
    return (double)at + (per_K != PP_R(0) ? change / (double)per_K : 0);
}

double pp_observer_estimate(const pp_observer *o, int which)
{
    const pp_observed *m = &o->machine;
    const double psi = (double)o->x[PP_X_PSI], dL = (double)(m->Ld - m->Lq), p = (double)m->p;
    const double kt = 1.5 * p * (psi + dL * (double)o->x[PP_X_ID]);
    switch ((pp_estimate)which) {
    case PP_ESTIMATE_omega_m: return (double)(o->x[PP_X_WE] * m->p_inv);
    case PP_ESTIMATE_theta_e: return (double)o->x[PP_X_THETA];
    case PP_ESTIMATE_torque_load: return (double)o->x[PP_X_LOAD];
    case PP_ESTIMATE_id: return (double)o->x[PP_X_ID];
    case PP_ESTIMATE_iq: return (double)o->x[PP_X_IQ];
    case PP_ESTIMATE_torque: return kt * (double)o->x[PP_X_IQ];
    case PP_ESTIMATE_Rs: return (double)o->x[PP_X_RS];
    case PP_ESTIMATE_psi_pm: return psi;
    case PP_ESTIMATE_temperature_winding:
        return temperature(m->winding_T, (double)(o->x[PP_X_RS] - m->Rs), m->Rs_per_K);
    case PP_ESTIMATE_temperature_magnet:
        return temperature(m->magnet_T, psi - (double)m->psi, m->psi_per_K);
    case PP_ESTIMATE_omega_m_sigma: return sigma(o, PP_X_WE) * (double)m->p_inv;
    case PP_ESTIMATE_theta_e_sigma: return sigma(o, PP_X_THETA);
    case PP_ESTIMATE_torque_load_sigma: return sigma(o, PP_X_LOAD);
    case PP_ESTIMATE_torque_sigma: return torque_sigma(o, kt, dL);
    case PP_ESTIMATE_Rs_sigma: return sigma(o, PP_X_RS);
    case PP_ESTIMATE_psi_pm_sigma: return sigma(o, PP_X_PSI);
    case PP_ESTIMATE_temperature_winding_sigma:
        return magnitude_over(sigma(o, PP_X_RS), m->Rs_per_K);
    case PP_ESTIMATE_temperature_magnet_sigma:
        return magnitude_over(sigma(o, PP_X_PSI), m->psi_per_K);
    case PP_ESTIMATE_nis: return (double)o->nis;
    case PP_ESTIMATE_current_residual: return pp_root((double)o->r);
    case PP_ESTIMATE_quality: return pp_observer_quality(o);
    default: return 0;
    }
}
