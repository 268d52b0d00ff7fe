/* From parameters and machine to the parts of a drive: scaling, tuning, limits. */
#include "parts.h"

#include "polepair/math.h"

/* Share of the load in a friction that motor and load have together. */
static double share(double load, double motor)
{
    return load + motor > 0 ? load / (load + motor) : 0;
}

static double inertia(const pp_params *p, const pp_machine *m) { return m->J + p->load.J; }

static pp_law law_of(const pp_machine *m)
{
    return (pp_law){
        .Ld = (pp_real)m->Ld,
        .Lq = (pp_real)m->Lq,
        .psi_pm = (pp_real)m->psi_pm,
        .pole_pairs = (pp_real)m->pole_pairs,
    };
}

pp_pmsm pp_setup_pmsm(const pp_setup *in)
{
    const pp_params *p = in->params;
    const pp_machine *m = in->machine;
    const double s = p->drive.rtol > 0 ? 1 : 0.5 * p->drive.period / p->drive.substeps;
    const double pairs = m->pole_pairs;
    const double J = inertia(p, m);
    const double scale = s * s * pairs / J;
    const pp_torque_products torque = pp_torque_of_flux(m, scale);
    const double coulomb = m->T_coulomb + p->load.coulomb;
    return (pp_pmsm){
        .a = s * m->Rs / m->Ld,
        .b = s * m->Rs / m->Lq,
        .psi = m->psi_pm,
        .k1 = torque.by_q,
        .k2 = torque.by_dq,
        .viscous = s * (m->B + p->load.viscous) / J,
        .coulomb = scale * coulomb,
        .quadratic = p->load.quadratic / (pairs * J),
        .coulomb_slope = scale * coulomb / (s * pairs),
        .s = s,
        .s_inv = 1 / s,
        .from_w = 1 / (s * pairs),
        .Ld_inv = 1 / m->Ld,
        .Lq_inv = 1 / m->Lq,
        .torque_scale = scale,
        .unscale = 1 / scale,
        .pole_pairs = pairs,
        .p_inv = 1 / pairs,
        .p_cu = 1.5 * m->Rs,
        .J = J,
        .load_viscous = share(p->load.viscous, m->B),
        .load_coulomb = share(p->load.coulomb, m->T_coulomb),
        .u_dc_inv = 1 / p->drive.u_dc,
    };
}

/* Flat-top EMF of a phase over speed; a sine machine gets the trapezoid of equal block torque. */
static double flat_top(const pp_machine *m) { return 0.5 * m->Kt_block; }

pp_sixstep pp_setup_sixstep(const pp_setup *in)
{
    const pp_params *p = in->params;
    const pp_machine *m = in->machine;
    const double J = inertia(p, m);
    const double free =
        2 * p->drive.i_max - p->drive.period * (p->drive.u_dc + 2 * p->drive.diode_drop) / m->Ld;
    return (pp_sixstep){
        .R = m->Rs,
        .L_inv = 1 / m->Ld,
        .L = m->Ld,
        .ke = flat_top(m),
        .p = m->pole_pairs,
        .p_inv = 1 / m->pole_pairs,
        .J_inv = 1 / J,
        .J = J,
        .viscous = m->B + p->load.viscous,
        .coulomb = m->T_coulomb + p->load.coulomb,
        .quadratic = p->load.quadratic,
        .Udc = p->drive.u_dc,
        .Vd = p->drive.diode_drop,
        .load_viscous = share(p->load.viscous, m->B),
        .load_coulomb = share(p->load.coulomb, m->T_coulomb),
        .step = p->drive.period / p->drive.substeps,
        .span_max = 2 * p->drive.i_max,
        .span_free = pp_magnitude(free) * free,
        .L_per_period = m->Ld / p->drive.period,
        .Udc_inv = 1 / p->drive.u_dc,
        .period = p->drive.period,
    };
}

static double torque_limit(const pp_params *p, const pp_machine *m)
{
    if (p->control.torque_max > 0)
        return p->control.torque_max;
    const double i = p->drive.i_max;
    double id = 0;
    switch (pp_control_strategy_of(p)) {
    case PP_control_strategy_id0: break;
    case PP_control_strategy_mtpa: id = pp_mtpa_id(m, i); break;
    }
    return pp_operating_at(m, id, pp_root(i * i - id * id), 0).torque;
}

/* Gains by the closed-loop bandwidths: kp = alpha L, ki = alpha R; speed kp = 2 alpha J, ki =
 * alpha^2 J. */
pp_foc pp_setup_foc(const pp_setup *in)
{
    const pp_params *p = in->params;
    const pp_machine *m = in->nominal;
    const double alpha_c = p->control.alpha_c;
    const double alpha_s = p->control.alpha_s;
    const double T = p->drive.period;
    const double J = inertia(p, m);
    const double kp_d = alpha_c * m->Ld;
    const double kp_q = alpha_c * m->Lq;
    const double kp_w = 2 * alpha_s * J;
    return (pp_foc){
        .kp_d = kp_d,
        .kp_q = kp_q,
        .kp_w = kp_w,
        .ki_d = T * alpha_c * m->Rs,
        .ki_q = T * alpha_c * m->Rs,
        .ki_w = T * alpha_s * alpha_s * J,
        .kp_d_inv = 1 / kp_d,
        .kp_q_inv = 1 / kp_q,
        .kp_w_inv = 1 / kp_w,
        .law = law_of(m),
        .torque_to_iq = 1 / pp_torque_slopes_at(m, 0, 0).iq,
        .torque_max = torque_limit(p, m),
        .u_max = p->drive.u_dc / pp_root(3),
        .half_period = 0.5 * T,
    };
}

/* Speed PI on the duty: kp = 2 alpha J R/(k_M Udc) lets the torque of a duty step match 2 alpha J
 * per rad/s. */
pp_duty pp_setup_duty(const pp_setup *in)
{
    const pp_params *p = in->params;
    const pp_machine *m = in->nominal;
    const double J = inertia(p, m);
    const double alpha_s = p->control.alpha_s;
    const double gain = 2 * m->Rs / (m->Kt_block * p->drive.u_dc);
    const double kp = 2 * alpha_s * J * gain;
    return (pp_duty){
        .kp = kp,
        .ki = p->drive.period * alpha_s * alpha_s * J * gain,
        .kp_inv = 1 / kp,
        .back_emf = m->Kt_block / p->drive.u_dc,
        .fixed = p->control.duty,
        .closed = pp_control_closed_loop_of(p) == PP_control_closed_loop_yes,
    };
}

pp_step pp_setup_step(const pp_setup *in)
{
    const pp_params *p = in->params;
    return (pp_step){
        .torque = p->load.torque,
        .sample = (double)(int64_t)(p->load.t_on / p->drive.period + 0.5),
    };
}
