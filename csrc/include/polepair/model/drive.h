/* polepair/model.h: drive + machine + load as one model, written against pp_real. A model is constant over a run; its
 * state is small and owned by the caller. Model and state are plain blocks of pp_real, so lanes are made by transposing. */
#ifndef POLEPAIR_MODEL_H
#define POLEPAIR_MODEL_H

#include "polepair/model/adaptive.h"
#include "polepair/channels.h"
#include "polepair/model/control.h"
#include "polepair/model/plant.h"
#include "polepair/model/sixstep.h"
#include "polepair/model/trig.h"

/* Inputs over time: reference min(ramp t, speed), and a load torque from the sample `load_sample` on. */
typedef struct pp_scenario {
    pp_real speed_ref, ramp_sign,
        ramp_limit; /* reference, its sign, its slope per sample (0: step) */
    pp_real load_torque, load_sample, period;
} pp_scenario;

typedef struct pp_foc_model {
    pp_pmsm motor;
    pp_foc control;
    pp_scenario scenario;
    pp_tolerance tolerance;
    pp_real u_dc_inv;
} pp_foc_model;

typedef struct pp_bldc_model {
    pp_bldc motor;
    pp_duty_control control;
    pp_scenario scenario;
    pp_tolerance tolerance;
    pp_real step, p_inv; /* RK4 step [s], 1/pole pairs */
} pp_bldc_model;

typedef struct pp_foc_run {
    pp_pmsm_state motor;
    pp_foc_state control;
    pp_energy energy;
    pp_real step; /* of the adaptive integration, 0 at the start */
} pp_foc_run;

typedef struct pp_bldc_run {
    pp_bldc_state motor;
    pp_real integrator;
    pp_energy energy;
    pp_real step;
} pp_bldc_run;

PP_INLINE pp_real pp_scenario_speed(const pp_scenario *s, pp_real sample)
{
    pp_real ramp = pp_min(s->ramp_limit * sample, s->ramp_sign * s->speed_ref) * s->ramp_sign;
    return pp_select(s->ramp_limit > PP_R(0), ramp, s->speed_ref);
}

PP_INLINE pp_real pp_scenario_load(const pp_scenario *s, pp_real sample)
{
    return pp_select(sample >= s->load_sample, s->load_torque, pp_set(0));
}

/* The FOC controller samples the machine and sets the voltage of the coming period. */
PP_INLINE void pp_foc_sample(const pp_foc_model *m, pp_foc_run *x, pp_real speed_ref, bool mtpa)
{
    pp_real id = x->motor.d * m->motor.i_d, iq = x->motor.q * m->motor.i_q,
            omega = x->motor.w * m->motor.from_w;
    pp_foc_voltage u = pp_foc_step(&m->control, &x->control, id, iq, omega, speed_ref, mtpa);
    x->motor.ud = u.held_d * m->motor.s;
    x->motor.uq = u.held_q * m->motor.s;
}

/* `groups` machines move over one control period. */
PP_INLINE void pp_foc_move(const pp_foc_model *m, pp_foc_run *x, const pp_real *load, int groups,
                           int substeps, int with)
{
    pp_pmsm motor[PP_GROUPS_MAX];
    pp_pmsm_state state[PP_GROUPS_MAX];
    pp_energy energy[PP_GROUPS_MAX];
    pp_real T[PP_GROUPS_MAX];
    for (int g = 0; g < groups; g++) {
        motor[g] = m[g].motor, state[g] = x[g].motor, energy[g] = x[g].energy;
        T[g] = load[g] * m[g].motor.torque_scale;
    }
    for (int i = 0; i < substeps; i++)
        pp_pmsm_step(motor, state, T, groups, with, energy);
    for (int g = 0; g < groups; g++)
        x[g].motor = state[g], x[g].energy = energy[g];
}

/* One machine moves over one control period in steps of its own. */
PP_INLINE void pp_foc_adapt(const pp_foc_model *m, pp_foc_run *x, pp_real load, pp_rk_watch *watch,
                            void *who)
{
    pp_pmsm_adapt(&m->motor, &x->motor, load * m->motor.torque_scale, m->scenario.period,
                  &m->tolerance, &x->step, &x->energy, watch, who);
}

/* Start of a six-step run: at rest, rotor in the middle of sector 0 (60 electrical degrees). */
PP_INLINE pp_bldc_run pp_bldc_start(void)
{
    pp_real zero = pp_set(0);
    pp_bldc_state motor = {zero, zero, zero, pp_set(PP_R(PP_PI / 6)), zero, pp_set(1), zero};
    return (pp_bldc_run){motor, zero, {zero, zero, zero, zero}, zero};
}

PP_INLINE pp_foc_run pp_foc_start(void)
{
    pp_real zero = pp_set(0);
    return (pp_foc_run){
        {zero, zero, zero, zero, zero, zero}, {zero, zero, zero}, {zero, zero, zero, zero}, zero};
}

/* The six-step controller sets the duty; returns what is held over the coming period. */
PP_INLINE pp_bldc_input pp_bldc_sample(const pp_bldc_model *m, pp_bldc_run *x, pp_real speed_ref,
                                       pp_real load)
{
    pp_real duty = pp_duty_step(&m->control, &x->integrator, x->motor.w, speed_ref);
    return (pp_bldc_input){duty * m->motor.Udc, load};
}

PP_INLINE void pp_bldc_run_period(const pp_bldc_model *m, pp_bldc_run *x, pp_bldc_input in,
                                  int substeps, int with)
{
    for (int i = 0; i < substeps; i++)
        pp_bldc_advance(&m->motor, &x->motor, in, m->step, with, &x->energy);
}

/* Phase current k (0 a, 1 b, 2 c) by the inverse Park and Clarke transforms, amplitude invariant. */
PP_INLINE pp_real pp_phase_current(pp_real id, pp_real iq, pp_real theta_e, int k)
{
    pp_real s, c;
    pp_angle_sincos(theta_e, &s, &c);
    pp_real alpha = c * id - s * iq, beta = s * id + c * iq;
    if (k == 0)
        return alpha;
    return PP_R(-0.5) * alpha +
           PP_R(k == 1 ? 0.86602540378443864676 : -0.86602540378443864676) * beta;
}

/* Square of the stator current's amplitude. */
PP_INLINE pp_real pp_foc_square(const pp_foc_model *m, const pp_foc_run *x)
{
    pp_real id = x->motor.d * m->motor.i_d, iq = x->motor.q * m->motor.i_q;
    return id * id + iq * iq;
}

PP_INLINE pp_real pp_bldc_square(const pp_bldc_run *x)
{
    pp_real sum = PP_R(0.25) * (x->motor.s * x->motor.s + x->motor.x * x->motor.x),
            out = x->motor.x * x->motor.x;
    return PP_R(2.0 / 3) * (sum + sum + out); /* high, low and outgoing phase, whichever they are */
}

/* Value of a channel at a sample, the controller's voltage already set. `load` is the load torque [N m]. */
PP_INLINE pp_real pp_foc_channel(const pp_foc_model *m, const pp_foc_run *x, pp_real sample,
                                 pp_real load, int channel)
{
    const pp_pmsm *p = &m->motor;
    pp_real id = x->motor.d * p->i_d, iq = x->motor.q * p->i_q, omega = x->motor.w * p->from_w;
    pp_real theta_e = x->motor.theta * m->control.pole_pairs;
    switch (channel) {
    case PP_CHANNEL_time: return sample * m->scenario.period;
    case PP_CHANNEL_id: return id;
    case PP_CHANNEL_iq: return iq;
    case PP_CHANNEL_i_s: return pp_sqrt(pp_foc_square(m, x));
    case PP_CHANNEL_ud: return x->motor.ud * p->s_inv;
    case PP_CHANNEL_uq: return x->motor.uq * p->s_inv;
    case PP_CHANNEL_omega_m: return omega;
    case PP_CHANNEL_theta_m: return x->motor.theta;
    case PP_CHANNEL_torque: return x->motor.q * (p->k1 + p->k2 * x->motor.d) * p->unscale;
    case PP_CHANNEL_torque_load:
        return load + (p->viscous * x->motor.w + pp_pmsm_friction(p, x->motor.w)) * p->unscale;
    case PP_CHANNEL_ia: return pp_phase_current(id, iq, theta_e, 0);
    case PP_CHANNEL_ib: return pp_phase_current(id, iq, theta_e, 1);
    case PP_CHANNEL_ic: return pp_phase_current(id, iq, theta_e, 2);
    case PP_CHANNEL_i_bus:
        return PP_R(1.5) * p->s_inv * (x->motor.ud * id + x->motor.uq * iq) * m->u_dc_inv;
    case PP_CHANNEL_energy_in: return x->energy.in;
    case PP_CHANNEL_energy_copper: return x->energy.copper;
    case PP_CHANNEL_energy_friction: return x->energy.friction;
    case PP_CHANNEL_energy_load: return x->energy.load;
    case PP_CHANNEL_energy_stored:
        return PP_R(0.5) * p->J * omega * omega + PP_R(0.75) * (x->motor.d * id + x->motor.q * iq);
    default: return pp_set(0);
    }
}

/* Park transform of the phase currents; six-step angles count from the start of the run. */
PP_INLINE pp_real pp_bldc_axis(const pp_bldc_state *x, bool q_axis)
{
    pp_real a, b, c, sine, cosine, theta = x->phi + PP_R(PP_PI / 3) * x->sector - PP_R(PP_PI / 3);
    pp_bldc_currents(x, &a, &b, &c);
    pp_angle_sincos(theta, &sine, &cosine);
    pp_real beta = (b - c) * PP_R(0.57735026918962576451);
    return q_axis ? cosine * beta - sine * a : cosine * a + sine * beta;
}

PP_INLINE pp_real pp_bldc_channel(const pp_bldc_model *m, const pp_bldc_run *x, pp_real sample,
                                  pp_bldc_input in, int channel)
{
    const pp_bldc *p = &m->motor;
    const pp_bldc_state *y = &x->motor;
    pp_real a, b, c, r = PP_R(1) - PP_R(6 / PP_PI) * y->phi, out = y->parity * y->x;
    pp_bldc_currents(y, &a, &b, &c);
    switch (channel) {
    case PP_CHANNEL_time: return sample * m->scenario.period;
    case PP_CHANNEL_id: return pp_bldc_axis(y, false);
    case PP_CHANNEL_iq: return pp_bldc_axis(y, true);
    case PP_CHANNEL_i_s: return pp_sqrt(pp_bldc_square(x));
    case PP_CHANNEL_uq: return in.u;
    case PP_CHANNEL_omega_m: return y->w;
    case PP_CHANNEL_theta_m:
        return (y->phi + PP_R(PP_PI / 3) * y->sector - PP_R(PP_PI / 6)) * m->p_inv;
    case PP_CHANNEL_torque: return p->ke * (y->s + r * y->x);
    case PP_CHANNEL_torque_load: return in.T + pp_bldc_friction(p, y->w);
    case PP_CHANNEL_ia: return a;
    case PP_CHANNEL_ib: return b;
    case PP_CHANNEL_ic: return c;
    case PP_CHANNEL_i_bus:
        return (in.u * PP_R(0.5) * (y->s - out)) / p->Udc -
               pp_select(y->parity < PP_R(0), y->x, pp_set(0));
    case PP_CHANNEL_energy_in: return x->energy.in;
    case PP_CHANNEL_energy_copper: return x->energy.copper;
    case PP_CHANNEL_energy_friction: return x->energy.friction;
    case PP_CHANNEL_energy_load: return x->energy.load;
    case PP_CHANNEL_energy_stored:
        return PP_R(0.5) * (p->J * y->w * y->w + p->L * (a * a + b * b + c * c));
    default: return pp_set(0);
    }
}

#endif
