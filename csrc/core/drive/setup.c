/* From parameters and machine to a model ready to run: scaling, tuning, limits. */
#include "polepair/math.h"
#include "polepair/twin.h"

static double larger_rate(const pp_machine *m) { return m->Rs / pp_smaller(m->Ld, m->Lq); }

/* The RK4 step has to stay inside its stability region and a period inside a quarter turn. */
static pp_status check_step(const pp_params *p, const pp_machine *m)
{
    double h = p->drive.period / p->drive.substeps;
    double turn = m->pole_pairs * pp_magnitude(p->control.speed_ref) * p->drive.period;
    bool reference = p->drive.kind < 0.5 || p->control.closed_loop > 0.5;
    return (p->drive.rtol == 0 && h * larger_rate(m) > 2) || (reference && turn > 0.5 * PP_PI)
               ? PP_STEP_LARGE
               : PP_OK;
}

static pp_scenario scenario(const pp_params *p)
{
    double sign = p->control.speed_ref < 0 ? -1 : 1, period = p->drive.period;
    double sample = (double)(int64_t)(p->load.t_on / period + 0.5);
    return (pp_scenario){p->control.speed_ref, sign,   p->control.speed_ramp * period,
                         p->load.torque,       sample, period};
}

/* Share of the load in a friction that motor and load have together. */
static double share(double load, double motor)
{
    return load + motor > 0 ? load / (load + motor) : 0;
}

static pp_pmsm pmsm(const pp_params *p, const pp_machine *m)
{
    double s = p->drive.rtol > 0 ? 1 : 0.5 * p->drive.period / p->drive.substeps,
           J = m->J + p->load.J, pp = m->pole_pairs;
    double scale = s * s * pp / J, k = 1.5 * pp * scale, friction = m->T_coulomb + p->load.coulomb;
    pp_pmsm q = {0};
    q.s = s, q.s_inv = 1 / s, q.from_w = 1 / (s * pp), q.p_inv = 1 / pp;
    q.a = s * m->Rs / m->Ld, q.b = s * m->Rs / m->Lq, q.psi = m->psi_pm;
    q.k1 = k * m->psi_pm / m->Lq, q.k2 = k * (m->Ld - m->Lq) / (m->Ld * m->Lq);
    q.i_d = 1 / m->Ld, q.i_q = 1 / m->Lq;
    q.torque_scale = scale, q.unscale = 1 / scale;
    q.viscous = s * (m->B + p->load.viscous) / J;
    q.coulomb = scale * friction, q.coulomb_slope = scale * friction / (s * pp);
    q.quadratic = p->load.quadratic / (pp * J);
    q.p_cu = 1.5 * m->Rs, q.J = J;
    q.load_viscous = share(p->load.viscous, m->B),
    q.load_coulomb = share(p->load.coulomb, m->T_coulomb);
    return q;
}

/* Sizes that a relative error refers to: magnet flux or current limit, no-load speed, bus voltage. */
static pp_tolerance tolerance(const pp_params *p, const pp_machine *m)
{
    double u = p->drive.u_dc;
    if (p->drive.kind > 0.5)
        return (pp_tolerance){p->drive.rtol, p->drive.i_max, u / m->Kt_block, u};
    return (pp_tolerance){p->drive.rtol, m->psi_pm, u / m->psi_pm, u};
}

static double torque_limit(const pp_params *p, const pp_machine *m)
{
    if (p->control.torque_max > 0)
        return p->control.torque_max;
    double i = p->drive.i_max, id = p->control.strategy > 0.5 ? pp_mtpa_id(m, i) : 0;
    return pp_operating_at(m, id, pp_root(i * i - id * id), 0).torque;
}

/* Gains by the closed-loop bandwidths: kp = alpha L, ki = alpha R; speed kp = 2 alpha J, ki = alpha^2 J. */
static pp_foc foc(const pp_params *p, const pp_machine *m)
{
    double ac = p->control.alpha_c, as = p->control.alpha_s, T = p->drive.period,
           J = m->J + p->load.J;
    pp_foc c = {0};
    c.kp_d = ac * m->Ld, c.kp_q = ac * m->Lq, c.kp_w = 2 * as * J;
    c.ki_d = T * ac * m->Rs, c.ki_q = T * ac * m->Rs, c.ki_w = T * as * as * J;
    c.kp_d_inv = 1 / c.kp_d, c.kp_q_inv = 1 / c.kp_q, c.kp_w_inv = 1 / c.kp_w;
    c.Ld = m->Ld, c.Lq = m->Lq, c.psi = m->psi_pm;
    c.torque_to_iq = 1 / (1.5 * m->pole_pairs * m->psi_pm);
    c.torque_max = torque_limit(p, m);
    c.u_max = p->drive.u_dc / pp_root(3);
    c.pole_pairs = m->pole_pairs;
    c.half_period = 0.5 * T;
    return c;
}

/* Flat-top EMF of a phase over speed; a sine machine gets the trapezoid of equal block torque. */
static double flat_top(const pp_machine *m) { return 0.5 * m->Kt_block; }

static pp_bldc bldc(const pp_params *p, const pp_machine *m)
{
    double J = m->J + p->load.J;
    return (pp_bldc){m->Rs,
                     1 / m->Ld,
                     m->Ld,
                     flat_top(m),
                     m->pole_pairs,
                     1 / J,
                     J,
                     m->B + p->load.viscous,
                     m->T_coulomb + p->load.coulomb,
                     p->load.quadratic,
                     p->drive.u_dc,
                     p->drive.diode_drop,
                     share(p->load.viscous, m->B),
                     share(p->load.coulomb, m->T_coulomb)};
}

/* Speed PI on the duty: kp = 2 alpha J R/(k_M Udc) lets the torque of a duty step match 2 alpha J per rad/s. */
static pp_duty_control duty(const pp_params *p, const pp_machine *m)
{
    double J = m->J + p->load.J, as = p->control.alpha_s,
           gain = 2 * m->Rs / (m->Kt_block * p->drive.u_dc);
    double kp = 2 * as * J * gain;
    return (pp_duty_control){kp,
                             p->drive.period * as * as * J * gain,
                             1 / kp,
                             m->Kt_block / p->drive.u_dc,
                             p->control.duty,
                             p->control.closed_loop};
}

static int what_runs(const pp_params *p, const pp_machine *m)
{
    bool friction = m->T_coulomb + p->load.coulomb > 0 || p->load.quadratic > 0;
    return (friction ? PP_WITH_FRICTION : 0) | (m->B + p->load.viscous > 0 ? PP_WITH_VISCOUS : 0);
}

pp_status pp_twin_setup_machine(const pp_params *p, const pp_machine *m, const pp_machine *nominal,
                                pp_twin *twin)
{
    pp_status status = check_step(p, m);
    if (status != PP_OK)
        return status;
    pp_twin t = {0};
    t.period = p->drive.period;
    t.substeps = (int)p->drive.substeps;
    t.with = what_runs(p, m);
    t.six_step = p->drive.kind > 0.5;
    t.mtpa = p->control.strategy > 0.5;
    t.adaptive = p->drive.rtol > 0;
    t.open_loop = p->control.closed_loop < 0.5;
    if (!nominal)
        nominal = m;
    if (t.six_step) {
        if (pp_magnitude(m->Ld - m->Lq) > 1e-6 * m->Ld)
            return PP_SIX_STEP_SALIENT;
        t.model.bldc = (pp_bldc_model){bldc(p, m),      duty(p, nominal),      scenario(p),
                                       tolerance(p, m), t.period / t.substeps, 1 / m->pole_pairs};
    } else {
        t.model.foc = (pp_foc_model){pmsm(p, m), foc(p, nominal), scenario(p), tolerance(p, m),
                                     1 / p->drive.u_dc};
    }
    *twin = t;
    return PP_OK;
}

pp_status pp_twin_setup(const pp_params *p, const pp_machine *nominal, pp_twin *twin)
{
    int bad;
    pp_machine m;
    pp_status status = pp_params_check(p, &bad);
    if (status == PP_OK)
        status = pp_machine_derive(p, &m);
    return status == PP_OK ? pp_twin_setup_machine(p, &m, nominal, twin) : status;
}
