/* polepair/model/sixstep.h: six-step BLDC inside one 60-degree sector, written against pp_real.
 *
 * Star winding, trapezoidal EMF with a 120-degree flat top, ideal switches, diodes with a drop. In
 * a sector one phase is tied high, one low, the third frees its current through a diode and then
 * floats. With s = i_high - i_low (i_span), x = current of the outgoing phase counted positive
 * while its diode conducts (i_out), phi = angle since the sector's start, r = 1 - 6 phi/pi and
 * e = ke w, both sector parities share the equations
 *
 *   L s' = u - 2 e - R s                  u = duty Udc
 *   L x' = -(v + 2 Vd + 2 e r)/3 - R x    v = u (high phase goes out) or 2 Udc - u (low phase)
 *   J w' = ke (s + r x) - T,   phi' = p w
 *
 * x stays 0 once it is extinguished. At the sector's end the roles turn: x <- (x + s)/2,
 * s <- (s - 3 x)/2. How runs meet the events: sixstep_events.h. */
#ifndef POLEPAIR_SIXSTEP_H
#define POLEPAIR_SIXSTEP_H

#include "polepair/model/channel.h"
#include "polepair/model/law_linear.h"
#include "polepair/model/rk4.h"
#include "polepair/model/trig.h"

typedef struct pp_sixstep {
    pp_real R, L_inv, L;                /* of a phase [ohm], [1/H], [H] */
    pp_real ke;                         /* flat top of the phase EMF over mechanical speed [V s] */
    pp_real p, p_inv;                   /* pole pairs, 1/p */
    pp_real J_inv, J;                   /* inertia of motor and load [1/(kg m^2)], [kg m^2] */
    pp_real viscous;                    /* friction of motor and load together [N m s] */
    pp_real coulomb;                    /* [N m]; also the slope below 1 rad/s */
    pp_real quadratic;                  /* [N m s^2] */
    pp_real Udc, Vd;                    /* bus voltage, drop of a diode [V] */
    pp_real load_viscous, load_coulomb; /* the load's share of the two frictions */
    pp_real step;                       /* RK4 step [s] */
    pp_real span_max;                   /* i_high - i_low at the current limit: 2 i_max [A] */
    pp_real span_free;    /* what no duty takes to the limit in a period, squared [A^2] */
    pp_real L_per_period; /* [ohm] */
    pp_real Udc_inv;      /* [1/V] */
    pp_real period;       /* of the control [s] */
} pp_sixstep;

typedef struct pp_sixstep_state {
    pp_real i_span;  /* i_high - i_low [A] */
    pp_real i_out;   /* current of the outgoing phase [A] */
    pp_real omega_m; /* mechanical speed [rad/s] */
    pp_real phi;     /* electrical angle since the sector's start [rad] */
    pp_real active;  /* 1 while the outgoing phase conducts, else 0 */
    pp_real parity;  /* +1: the high phase goes out, -1: the low phase */
    pp_real sector;  /* sectors passed since the start */
} pp_sixstep_state;

/* Held over a period: bus share u = duty Udc [V] and the load torque [N m]. */
typedef struct pp_sixstep_held {
    pp_real u, T;
} pp_sixstep_held;

/* Rates of what moves: i_span, i_out, omega_m, phi. */
typedef struct pp_sixstep_rate {
    pp_real i_span, i_out, omega_m, phi;
} pp_sixstep_rate;

/* r falls from 1 to -1 over a sector: 6/pi per radian. */
static const pp_scalar PP_SECTOR_SLOPE = PP_R(6 / PP_PI);
static const pp_scalar PP_SECTOR = PP_R(PP_PI / 3);

PP_INLINE pp_real pp_sixstep_dry(const pp_sixstep *m, pp_real omega_m)
{
    return pp_clamp(m->coulomb * omega_m, -m->coulomb, m->coulomb);
}

PP_INLINE pp_real pp_sixstep_friction(const pp_sixstep *m, pp_real omega_m)
{
    return m->viscous * omega_m + pp_sixstep_dry(m, omega_m) +
           m->quadratic * omega_m * pp_abs(omega_m);
}

PP_INLINE void pp_sixstep_rates(const void *model, const void *held, const pp_real *y, pp_real *k,
                                int features)
{
    const pp_sixstep *m = model;
    const pp_sixstep_held *in = held;
    const pp_sixstep_state *x = (const pp_sixstep_state *)y;
    pp_sixstep_rate *rate = (pp_sixstep_rate *)k;
    const pp_real e = m->ke * x->omega_m;
    const pp_real r = PP_R(1) - PP_SECTOR_SLOPE * x->phi;
    const pp_real v = m->Udc + x->parity * (in->u - m->Udc);
    rate->i_span = (in->u - (e + e) - m->R * x->i_span) * m->L_inv;
    rate->i_out =
        x->active * (PP_R(-1.0 / 3) * (v + PP_R(2) * (m->Vd + e * r)) - m->R * x->i_out) * m->L_inv;
    pp_real drag = m->viscous * x->omega_m;
    if (features & PP_HAS_FRICTION)
        drag = pp_sixstep_friction(m, x->omega_m);
    rate->omega_m = (m->ke * (x->i_span + r * x->i_out) - in->T - drag) * m->J_inv;
    rate->phi = m->p * x->omega_m;
}

/* Currents of the phase tied high, the one tied low and the outgoing one [A]. */
typedef struct pp_sixstep_roles {
    pp_real high, low, out;
} pp_sixstep_roles;

PP_INLINE pp_sixstep_roles pp_sixstep_currents(const pp_sixstep_state *x)
{
    const pp_real out = x->parity * x->i_out;
    return (pp_sixstep_roles){
        .high = PP_R(0.5) * (x->i_span - out),
        .low = PP_R(-0.5) * (x->i_span + out),
        .out = out,
    };
}

PP_INLINE void pp_sixstep_powers(const void *model, const void *held, const pp_real *y,
                                 pp_real weight, pp_energy *e)
{
    const pp_sixstep *m = model;
    const pp_sixstep_held *in = held;
    const pp_sixstep_state *x = (const pp_sixstep_state *)y;
    const pp_sixstep_roles i = pp_sixstep_currents(x);
    const pp_real back =
        pp_select(x->parity < PP_R(0), m->Udc * x->i_out, pp_set(0)); /* into the bus */
    const pp_real viscous = m->viscous * x->omega_m;
    const pp_real dry = pp_sixstep_dry(m, x->omega_m);
    const pp_real mech = weight * x->omega_m;
    e->in += weight * (in->u * i.high - back);
    e->copper +=
        weight * (m->R * (i.high * i.high + i.low * i.low + i.out * i.out) + m->Vd * x->i_out);
    e->load += mech * (in->T + m->load_viscous * viscous + m->load_coulomb * dry +
                       m->quadratic * x->omega_m * pp_abs(x->omega_m));
    e->friction += mech * (viscous - m->load_viscous * viscous + dry - m->load_coulomb * dry);
}

static const pp_ode PP_SIXSTEP_ODE = {
    .n = 4, .size = 7, .scaled = false, .rates = pp_sixstep_rates, .powers = pp_sixstep_powers};

/* At rest, rotor in the middle of sector 0 (60 electrical degrees). */
PP_INLINE pp_sixstep_state pp_sixstep_start(void)
{
    const pp_real zero = pp_set(0);
    return (pp_sixstep_state){
        .i_span = zero,
        .i_out = zero,
        .omega_m = zero,
        .phi = pp_set(PP_R(PP_PI / 6)),
        .active = zero,
        .parity = pp_set(1),
        .sector = zero,
    };
}

/* Square of twice the current that the limit is about: of the phase which the other two share. */
PP_INLINE pp_real pp_sixstep_span(const pp_sixstep_state *x)
{
    const pp_real both = x->i_span + x->i_out;
    return both * both;
}

/* Duties that take the current to its limits, and not beyond, by the end of the coming period. Two
 * bounds hold it from above: one for i_span alone, which is what is left once the outgoing current
 * is extinguished, and one for both while that flows; r is taken at the period's end. */
PP_INLINE void pp_sixstep_limit(const pp_sixstep *m, const pp_sixstep_state *x, pp_seen *seen)
{
    const pp_real e = m->ke * x->omega_m;
    const pp_real both = x->i_span + x->i_out;
    const pp_real turned = x->phi + m->p * x->omega_m * m->period;
    const pp_real r = PP_R(1) - PP_SECTOR_SLOPE * pp_min(turned, pp_set(PP_SECTOR));
    const pp_real held = e + e + m->R * x->i_span;
    const pp_real least = held - m->L_per_period * (m->span_max + x->i_span);
    const pp_real alone = held + m->L_per_period * (m->span_max - x->i_span);
    const pp_real free = e + e + m->R * both + m->L_per_period * (m->span_max - both) +
                         PP_R(2.0 / 3) * (m->Vd + e * r);
    const pp_mask high_out = x->parity > PP_R(0);
    const pp_real shared =
        pp_select(high_out, PP_R(1.5) * free, PP_R(0.75) * free + PP_R(0.5) * m->Udc);
    const pp_mask conducts = x->active > PP_R(0);
    const pp_real most = pp_select(conducts, pp_min(alone, shared), alone);
    seen->duty_least = pp_clamp(least * m->Udc_inv, pp_set(0), pp_set(1));
    seen->duty_most = pp_clamp(most * m->Udc_inv, pp_set(0), pp_set(1));
}

PP_INLINE pp_seen pp_sixstep_sense(const pp_sixstep *m, const pp_sixstep_state *x)
{
    pp_seen seen = {
        .id = pp_set(0),
        .iq = pp_set(0),
        .omega_m = x->omega_m,
        .duty_least = pp_set(0),
        .duty_most = pp_set(1),
    };
    if (pp_any(pp_sixstep_span(x) > m->span_free))
        pp_sixstep_limit(m, x, &seen);
    return seen;
}

PP_INLINE void pp_sixstep_watch(const pp_sixstep *m, const pp_sixstep_state *x, const pp_seen *seen,
                                pp_mask due, pp_extremes *of)
{
    (void)seen;
    const pp_real span = pp_sixstep_span(x);
    if (pp_any(span > m->span_free)) {
        const pp_real square = pp_max(PP_R(0.25) * span, of->current);
        of->current = pp_select(due, square, of->current);
    }
}

/* The inverter holds the duty asked for; T: load torque [N m]. */
PP_INLINE void pp_sixstep_hold(const pp_sixstep *m, pp_sixstep_state *x, pp_command c, pp_real T,
                               pp_sixstep_held *held)
{
    (void)x;
    held->u = c.duty * m->Udc;
    held->T = T;
}

/* Moves what moves by h times its rates k. */
PP_INLINE void pp_sixstep_advance(pp_sixstep_state *x, const pp_real *k, pp_real h)
{
    const pp_sixstep_rate *rate = (const pp_sixstep_rate *)k;
    x->i_span += h * rate->i_span;
    x->i_out += h * rate->i_out;
    x->omega_m += h * rate->omega_m;
    x->phi += h * rate->phi;
}

/* End of a sector: the roles of the phases turn. */
PP_INLINE pp_sixstep_state pp_sixstep_commutate(pp_sixstep_state x)
{
    const pp_real s = x.i_span;
    const pp_real out = x.i_out;
    x.i_span = PP_R(0.5) * (s - PP_R(3) * out);
    x.i_out = PP_R(0.5) * (s + out);
    x.phi = pp_set(0);
    x.parity = -x.parity;
    x.sector += PP_R(1);
    x.active = pp_select(x.i_out > PP_R(0), pp_set(1), pp_set(0));
    return x;
}

/* Currents of the phases [A]. */
typedef struct pp_abc {
    pp_real a, b, c;
} pp_abc;

PP_INLINE pp_abc pp_sixstep_phases(const pp_sixstep_state *x)
{
    const pp_sixstep_roles i = pp_sixstep_currents(x);
    const pp_real k = x->sector - PP_R(6) * pp_whole(x->sector * PP_R(1.0 / 6));
    /* high, low, outgoing by sector: abc, acb, bca, bac, cab, cba */
    const pp_mask a_out = (k == PP_R(2)) | (k == PP_R(5));
    const pp_mask b_out = (k == PP_R(0)) | (k == PP_R(5));
    pp_abc phase;
    phase.a = pp_select(k < PP_R(2), i.high, pp_select(a_out, i.out, i.low));
    phase.b = pp_select((k == PP_R(2)) | (k == PP_R(3)), i.high, pp_select(b_out, i.low, i.out));
    phase.c = -(phase.a + phase.b);
    return phase;
}

/* Park transform of the phase currents; six-step angles count from the start of the run. */
PP_INLINE pp_dq pp_sixstep_axes(const pp_sixstep_state *x)
{
    const pp_abc i = pp_sixstep_phases(x);
    pp_real sine, cosine;
    pp_angle_sincos(x->phi + PP_SECTOR * x->sector - PP_SECTOR, &sine, &cosine);
    const pp_real beta = (i.b - i.c) * PP_R(0.57735026918962576451);
    return (pp_dq){.d = cosine * i.a + sine * beta, .q = cosine * beta - sine * i.a};
}

/* Kinetic and magnetic energy [J]. */
PP_INLINE pp_real pp_sixstep_stored(const pp_sixstep *m, const pp_sixstep_state *x)
{
    const pp_abc i = pp_sixstep_phases(x);
    return PP_R(0.5) *
           (m->J * x->omega_m * x->omega_m + m->L * (i.a * i.a + i.b * i.b + i.c * i.c));
}

/* A machine on its way through a step. */
typedef struct pp_sixstep_going {
    const pp_sixstep *m;
    pp_sixstep_state *x;
    pp_energy *energy;
    pp_sixstep_held held;
    pp_real left; /* time to go [s] */
} pp_sixstep_going;

/* Square of the stator current's amplitude [A^2], whichever the phases are. */
PP_INLINE pp_real pp_sixstep_square(const pp_sixstep_going *on, const pp_seen *seen)
{
    (void)seen;
    const pp_sixstep_state *x = on->x;
    const pp_real out = x->i_out * x->i_out;
    const pp_real sum = PP_R(0.25) * (x->i_span * x->i_span + out);
    return PP_R(2.0 / 3) * (sum + sum + out);
}

/* A channel of the machine at a sample, what the controller asked for held; T: load [N m]. */
PP_INLINE pp_real pp_sixstep_channel(const pp_sixstep_going *on, const pp_seen *seen, pp_real T,
                                     pp_channel channel)
{
    const pp_sixstep *m = on->m;
    const pp_sixstep_state *x = on->x;
    const pp_sixstep_held *held = &on->held;
    const pp_real r = PP_R(1) - PP_SECTOR_SLOPE * x->phi;
    switch (channel) {
    case PP_CHANNEL_id: return pp_sixstep_axes(x).d;
    case PP_CHANNEL_iq: return pp_sixstep_axes(x).q;
    case PP_CHANNEL_i_s: return pp_sqrt(pp_sixstep_square(on, seen));
    case PP_CHANNEL_uq: return held->u;
    case PP_CHANNEL_omega_m: return x->omega_m;
    case PP_CHANNEL_theta_m: return (x->phi + PP_SECTOR * x->sector - PP_R(PP_PI / 6)) * m->p_inv;
    case PP_CHANNEL_torque: return m->ke * (x->i_span + r * x->i_out);
    case PP_CHANNEL_torque_load: return T + pp_sixstep_friction(m, x->omega_m);
    case PP_CHANNEL_ia: return pp_sixstep_phases(x).a;
    case PP_CHANNEL_ib: return pp_sixstep_phases(x).b;
    case PP_CHANNEL_ic: return pp_sixstep_phases(x).c;
    case PP_CHANNEL_i_bus:
        return (held->u * pp_sixstep_currents(x).high) / m->Udc -
               pp_select(x->parity < PP_R(0), x->i_out, pp_set(0));
    case PP_CHANNEL_energy_stored: return pp_sixstep_stored(m, x);
    default: return pp_energy_channel(on->energy, channel);
    }
}

#endif
