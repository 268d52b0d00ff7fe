/* The observer's set-up and what it shows. */
#include "polepair/math.h"
#include "polepair/observe.h"

/* A missed measurement counts 2, one that came takes 1 off: each second one missed is in doubt. */
enum { MISSED_DOUBT = 20, MISSED_MAX = 40 };

pp_observed pp_observed_from(const pp_params *p, const pp_machine *m)
{
    const double cold = 1 + p->winding.temperature_coefficient * (p->winding.temperature - 20);
    const double field = 1 + p->magnet.Br_temperature_coefficient * (p->magnet.temperature - 20);
    return (pp_observed){
        .Ld = (pp_real)m->Ld,
        .Lq = (pp_real)m->Lq,
        .Ld_inv = (pp_real)(1 / m->Ld),
        .Lq_inv = (pp_real)(1 / m->Lq),
        .Rs = (pp_real)m->Rs,
        .psi = (pp_real)m->psi_pm,
        .p = (pp_real)m->pole_pairs,
        .p_inv = (pp_real)(1 / m->pole_pairs),
        .J_inv = (pp_real)(1 / (m->J + p->load.J)),
        .viscous = (pp_real)(m->B + p->load.viscous),
        .coulomb = (pp_real)(m->T_coulomb + p->load.coulomb),
        .Rs_per_K = (pp_real)(m->Rs * p->winding.temperature_coefficient / cold),
        .psi_per_K = (pp_real)(m->psi_pm * p->magnet.Br_temperature_coefficient / field),
        .winding_T = (pp_real)p->winding.temperature,
        .magnet_T = (pp_real)p->magnet.temperature,
        .i_max = (pp_real)p->drive.i_max,
        .u_dc = (pp_real)p->drive.u_dc,
        .torque_max = (pp_real)(m->Kt * p->drive.i_max),
    };
}

/* Rate of return [1/s] with which a walk stays within this standard deviation
 * (Ornstein-Uhlenbeck). */
static double reversion_rate(double walk, double sigma)
{
    return walk * walk / (2 * sigma * sigma);
}

pp_uncertainty pp_uncertainty_from(const pp_observed *m, double current, bool adapt)
{
    const double J = 1 / (double)m->J_inv;
    const double torque = (double)m->torque_max;
    const double measured = current > 0 ? current : 0.005 * (double)m->i_max;
    pp_uncertainty u = {
        .current = (pp_real)measured,
        .voltage = (pp_real)(0.001 * (double)m->u_dc),
        .load = (pp_real)(0.5 * torque), /* half the full torque within a second, by chance alone */
        .acceleration = (pp_real)(0.002 * (double)m->p * torque / J),
    };
    if (adapt) {
        u.Rs = (pp_real)(0.05 * (double)m->Rs);
        u.psi = (pp_real)(0.01 * (double)m->psi);
        u.Rs_start = (pp_real)(0.2 * (double)m->Rs);
        u.psi_start = (pp_real)(0.05 * (double)m->psi);
        u.Rs_back = (pp_real)reversion_rate(0.05, 0.2);
        u.psi_back = (pp_real)reversion_rate(0.01, 0.05);
    }
    return u;
}

void pp_observer_start(pp_observer *o, const pp_observed *m, const pp_uncertainty *noise,
                       double theta_e, double sigma)
{
    PP_ASSERT(m->p >= 1 && noise->current > 0);
    double sine;
    double cosine;
    pp_sincos(theta_e, &sine, &cosine);
    *o = (pp_observer){
        .machine = *m,
        .noise = *noise,
        .c = (pp_real)cosine,
        .s = (pp_real)sine,
        .r = noise->current * noise->current,
        .nis = PP_R(2),
        .nis_short = PP_R(2),
        .adapt = noise->Rs_start > 0 || noise->psi_start > 0,
    };
    o->x[PP_X_THETA] = (pp_real)pp_atan2(sine, cosine);
    o->x[PP_X_RS] = m->Rs;
    o->x[PP_X_PSI] = m->psi;
    const pp_real start[PP_X_COUNT] = {
        [PP_X_ID] = PP_R(0.05) * m->i_max,
        [PP_X_IQ] = PP_R(0.05) * m->i_max,
        [PP_X_WE] = PP_R(0.02) * m->u_dc / m->psi,
        [PP_X_THETA] = (pp_real)sigma,
        [PP_X_LOAD] = PP_R(0.1) * m->torque_max,
        [PP_X_RS] = noise->Rs_start,
        [PP_X_PSI] = noise->psi_start,
    };
    for (int i = 0; i < PP_X_COUNT; i++)
        o->P[i][i] = start[i] * start[i];
}

void pp_observer_begin_anew(pp_observer *o)
{
    const pp_observed machine = o->machine;
    const pp_uncertainty noise = o->noise;
    pp_observer_start(o, &machine, &noise, 0, PP_PI / 2);
    const pp_real fastest = machine.u_dc / machine.psi;
    o->P[PP_X_WE][PP_X_WE] = fastest * fastest;
}

void pp_observer_missed(pp_observer *o) { o->missed += o->missed < MISSED_MAX ? 2 : 0; }

pp_quality pp_observer_quality(const pp_observer *o)
{
    if (pp_observer_is_lost(o) || o->missed >= MISSED_DOUBT)
        return PP_QUALITY_INCONSISTENT;
    if (o->count < 200)
        return PP_QUALITY_STARTING;
    if (o->nis_short > PP_R(8))
        return PP_QUALITY_INCONSISTENT;
    const bool slow = o->we_mean * o->x[PP_X_PSI] < PP_R(0.01) * o->machine.u_dc;
    if (slow || o->P[PP_X_THETA][PP_X_THETA] > PP_R(0.25))
        return PP_QUALITY_UNOBSERVABLE;
    return PP_QUALITY_GOOD;
}

const pp_estimate_info *pp_estimate_at(int index)
{
    static const pp_estimate_info rows[] = {
#define PP_ESTIMATE(name, unit, doc) {#name, unit, doc},
#include "polepair/estimate.def"
#undef PP_ESTIMATE
    };
    PP_ASSERT(index >= 0 && index < PP_ESTIMATE_COUNT);
    return &rows[index];
}

static double sigma(const pp_observer *o, int i)
{
    PP_ASSERT(i >= 0 && i < PP_X_COUNT);
    const double variance = (double)o->P[i][i];
    return pp_root(variance < 0 ? 0 : variance); /* what is lost stays NaN */
}

/* Slopes of the torque where the observer stands; in double also where it runs in float. */
static pp_torque_slopes torque_slopes(const pp_observer *o)
{
    const pp_machine here = {
        .pole_pairs = (double)o->machine.p,
        .Ld = (double)o->machine.Ld,
        .Lq = (double)o->machine.Lq,
        .psi_pm = (double)o->x[PP_X_PSI],
    };
    return pp_torque_slopes_at(&here, (double)o->x[PP_X_ID], (double)o->x[PP_X_IQ]);
}

/* Standard deviation of the torque, from the states it is made of. */
static double torque_sigma(const pp_observer *o)
{
    const pp_torque_slopes slopes = torque_slopes(o);
    const double by[3] = {slopes.id, slopes.iq, slopes.psi_pm};
    const int at[3] = {PP_X_ID, PP_X_IQ, PP_X_PSI};
    double sum = 0;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            sum += by[i] * by[j] * (double)(i < j ? o->P[at[i]][at[j]] : o->P[at[j]][at[i]]);
    return pp_root(sum < 0 ? 0 : sum);
}

/* 0 where the parameter does not go with temperature. */
static double kelvins(double change, pp_real per_K)
{
    return per_K != PP_R(0) ? change / (double)per_K : 0;
}

double pp_observer_estimate(const pp_observer *o, int which)
{
    const pp_observed *m = &o->machine;
    const double psi = (double)o->x[PP_X_PSI];
    switch ((pp_estimate)which) {
    case PP_ESTIMATE_omega_m: return (double)(o->x[PP_X_WE] * m->p_inv);
    case PP_ESTIMATE_theta_e: return (double)o->x[PP_X_THETA];
    case PP_ESTIMATE_torque_load: return (double)o->x[PP_X_LOAD];
    case PP_ESTIMATE_id: return (double)o->x[PP_X_ID];
    case PP_ESTIMATE_iq: return (double)o->x[PP_X_IQ];
    case PP_ESTIMATE_torque: return torque_slopes(o).iq * (double)o->x[PP_X_IQ];
    case PP_ESTIMATE_Rs: return (double)o->x[PP_X_RS];
    case PP_ESTIMATE_psi_pm: return psi;
    case PP_ESTIMATE_temperature_winding:
        return (double)m->winding_T + kelvins((double)(o->x[PP_X_RS] - m->Rs), m->Rs_per_K);
    case PP_ESTIMATE_temperature_magnet:
        return (double)m->magnet_T + kelvins(psi - (double)m->psi, m->psi_per_K);
    case PP_ESTIMATE_omega_m_sigma: return sigma(o, PP_X_WE) * (double)m->p_inv;
    case PP_ESTIMATE_theta_e_sigma: return sigma(o, PP_X_THETA);
    case PP_ESTIMATE_torque_load_sigma: return sigma(o, PP_X_LOAD);
    case PP_ESTIMATE_torque_sigma: return torque_sigma(o);
    case PP_ESTIMATE_Rs_sigma: return sigma(o, PP_X_RS);
    case PP_ESTIMATE_psi_pm_sigma: return sigma(o, PP_X_PSI);
    case PP_ESTIMATE_temperature_winding_sigma:
        return pp_magnitude(kelvins(sigma(o, PP_X_RS), m->Rs_per_K));
    case PP_ESTIMATE_temperature_magnet_sigma:
        return pp_magnitude(kelvins(sigma(o, PP_X_PSI), m->psi_per_K));
    case PP_ESTIMATE_nis: return (double)o->nis;
    case PP_ESTIMATE_current_residual:
        return pp_observer_is_lost(o) ? __builtin_nan("") : pp_root((double)o->r);
    case PP_ESTIMATE_quality: return pp_observer_quality(o);
    case PP_ESTIMATE_COUNT: break;
    }
    return 0;
}
