/* Extended Kalman filter: prediction and measurements. Symmetric matrices are kept whole, so that rows stay contiguous. */
#include "polepair/observe.h"

#include "polepair/math.h"

enum { N = PP_X_COUNT, ROW = PP_X_ROW, MOVING = 4, FAST = 5 };

/* Rates of id, iq, speed; (ud, uq) turns with the rotor because the inverter holds it in the stator. */
typedef struct rates {
    pp_real id, iq, we, ud, uq;
} rates;

static inline pp_real drag(const pp_observed *m, pp_real omega)
{
    return m->viscous * omega + pp_clamp(m->coulomb * omega, -m->coulomb, m->coulomb);
}

static inline rates rate(const pp_observer *o, rates y)
{
    const pp_observed *m = &o->machine;
    const pp_real Rs = o->x[PP_X_RS], psi = o->x[PP_X_PSI], omega = y.we * m->p_inv;
    rates k;
    k.id = (y.ud - Rs * y.id + y.we * m->Lq * y.iq) * m->Ld_inv;
    k.iq = (y.uq - Rs * y.iq - y.we * (m->Ld * y.id + psi)) * m->Lq_inv;
    pp_real torque = PP_R(1.5) * m->p * y.iq * (psi + (m->Ld - m->Lq) * y.id);
    k.we = m->p * m->J_inv * (torque - o->x[PP_X_LOAD] - drag(m, omega));
    k.ud = y.we * y.uq;
    k.uq = -y.we * y.ud;
    return k;
}

static inline rates along(rates y, rates k, pp_real h)
{
    return (rates){y.id + h * k.id, y.iq + h * k.iq, y.we + h * k.we, y.ud + h * k.ud, y.uq + h * k.uq};
}

/* Turns the angle by a small step, phasor and all. */
static inline void turn(pp_observer *o, pp_real by)
{
    pp_real y = by * by, sine, cosine;
    if (y < PP_R(0.25)) {
        sine = by + by * y * (PP_R(-1.0 / 6) + y * (PP_R(1.0 / 120) - y * PP_R(1.0 / 5040)));
        cosine = PP_R(1) + y * (PP_R(-0.5) + y * (PP_R(1.0 / 24) - y * (PP_R(1.0 / 720) - y * PP_R(1.0 / 40320))));
    } else {
        double a, b;
        pp_sincos((double)by, &a, &b);
        sine = (pp_real)a, cosine = (pp_real)b;
    }
    pp_real c = o->c * cosine - o->s * sine, s = o->s * cosine + o->c * sine;
    pp_real one = PP_R(1.5) - PP_R(0.5) * (c * c + s * s); /* back onto the unit circle */
    o->c = c * one, o->s = s * one;
    pp_real theta = o->x[PP_X_THETA] + by;
    while (theta > PP_R(PP_PI))
        theta -= PP_R(2 * PP_PI), o->turns += PP_R(1);
    while (theta < PP_R(-PP_PI))
        theta += PP_R(2 * PP_PI), o->turns -= PP_R(1);
    o->x[PP_X_THETA] = theta;
}

/* Rows 0..3 of the Jacobian of the rates, times dt. */
static inline void jacobian(const pp_observer *o, rates y, pp_real dt, pp_real A[MOVING][ROW])
{
    const pp_observed *m = &o->machine;
    const pp_real Rs = o->x[PP_X_RS], psi = o->x[PP_X_PSI], dL = m->Ld - m->Lq, d = dt * m->Ld_inv, q = dt * m->Lq_inv;
    const pp_real k = PP_R(1.5) * m->p * m->p * m->J_inv * dt;
    const pp_real slope = m->viscous + (pp_abs(y.we) < m->p ? m->coulomb : PP_R(0));
    const pp_real values[MOVING][ROW] = {
        {-Rs * d, y.we * m->Lq * d, m->Lq * y.iq * d, y.uq * d, 0, -y.id * d, 0, 0},
        {-y.we * m->Ld * q, -Rs * q, -(m->Ld * y.id + psi) * q, -y.ud * q, 0, -y.iq * q, -y.we * q, 0},
        {k * dL * y.iq, k * (psi + dL * y.id), -slope * m->J_inv * dt, 0, -m->p * m->J_inv * dt, 0, k * y.iq, 0},
        {0, 0, dt, 0, 0, 0, 0, 0},
    };
    for (int i = 0; i < MOVING; i++)
        for (int j = 0; j < ROW; j++)
            A[i][j] = values[i][j];
}

/* M = A + A A/2: the transition is 1 + M. */
static inline void transition(pp_real A[MOVING][ROW], int n, pp_real M[MOVING][ROW])
{
    for (int i = 0; i < MOVING; i++) {
        for (int j = 0; j < ROW; j++)
            M[i][j] = A[i][j];
        for (int k = 0; k < MOVING; k++)
            for (int j = 0; j < n; j++)
                M[i][j] += PP_R(0.5) * A[i][k] * A[k][j];
    }
}

/* P <- (1 + M) P (1 + M)'; n states take part. */
static inline void spread(pp_observer *o, pp_real M[MOVING][ROW], int n)
{
    pp_real W[MOVING][ROW];
    for (int i = 0; i < MOVING; i++) {
        for (int j = 0; j < ROW; j++)
            W[i][j] = o->P[i][j];
        for (int k = 0; k < n; k++)
            for (int j = 0; j < ROW; j++)
                W[i][j] += M[i][k] * o->P[k][j];
    }
    for (int j = MOVING; j < n; j++) /* W holds the columns of what does not move: they are exact already */
        for (int i = 0; i < MOVING; i++)
            o->P[i][j] = o->P[j][i] = W[i][j];
    for (int i = 0; i < MOVING; i++)
        for (int j = i; j < MOVING; j++) {
            pp_real sum = W[i][j];
            for (int k = 0; k < n; k++)
                sum += W[i][k] * M[j][k];
            o->P[i][j] = o->P[j][i] = sum;
        }
}

static inline void add_noise(pp_observer *o, pp_real dt)
{
    const pp_uncertainty *q = &o->noise;
    pp_real d = q->voltage * dt * o->machine.Ld_inv, iq = q->voltage * dt * o->machine.Lq_inv;
    o->P[PP_X_ID][PP_X_ID] += d * d;
    o->P[PP_X_IQ][PP_X_IQ] += iq * iq;
    o->P[PP_X_WE][PP_X_WE] += q->acceleration * q->acceleration * dt;
    o->P[PP_X_LOAD][PP_X_LOAD] += q->load * q->load * dt;
    o->P[PP_X_RS][PP_X_RS] += q->Rs * q->Rs * dt;
    o->P[PP_X_PSI][PP_X_PSI] += q->psi * q->psi * dt;
}

static inline void predict(pp_observer *o, pp_real ua, pp_real ub, pp_real dt, int n)
{
    rates y = {o->x[PP_X_ID], o->x[PP_X_IQ], o->x[PP_X_WE], o->c * ua + o->s * ub, o->c * ub - o->s * ua};
    pp_real half = PP_R(0.5) * dt, sixth = dt * PP_R(1.0 / 6);
    rates k1 = rate(o, y), y2 = along(y, k1, half);
    rates k2 = rate(o, y2), y3 = along(y, k2, half);
    rates k3 = rate(o, y3), y4 = along(y, k3, dt);
    rates k4 = rate(o, y4);
    pp_real A[MOVING][ROW], M[MOVING][ROW];
    jacobian(o, y3, dt, A);
    transition(A, n, M);
    spread(o, M, n);
    add_noise(o, dt);
    o->x[PP_X_ID] += sixth * (k1.id + PP_R(2) * (k2.id + k3.id) + k4.id);
    o->x[PP_X_IQ] += sixth * (k1.iq + PP_R(2) * (k2.iq + k3.iq) + k4.iq);
    o->x[PP_X_WE] += sixth * (k1.we + PP_R(2) * (k2.we + k3.we) + k4.we);
    turn(o, sixth * (y.we + PP_R(2) * (y2.we + y3.we) + y4.we));
}

void pp_observer_predict(pp_observer *o, double u_alpha, double u_beta, double dt)
{
    if (o->adapt)
        predict(o, (pp_real)u_alpha, (pp_real)u_beta, (pp_real)dt, N);
    else
        predict(o, (pp_real)u_alpha, (pp_real)u_beta, (pp_real)dt, FAST);
}

void pp_observer_coast(pp_observer *o, double seconds)
{
    const pp_observed *m = &o->machine;
    pp_real dt = (pp_real)seconds, M[MOVING][ROW] = {{0}}, k = m->p * m->J_inv * dt,
            kt = PP_R(1.5) * m->p * o->x[PP_X_PSI];
    M[PP_X_WE][PP_X_IQ] = k * kt;
    M[PP_X_WE][PP_X_LOAD] = -k;
    M[PP_X_WE][PP_X_WE] = -m->viscous * m->J_inv * dt;
    M[PP_X_THETA][PP_X_WE] = dt;
    spread(o, M, N);
    add_noise(o, dt);
    pp_real walk = PP_R(100) * m->i_max * m->i_max * dt; /* a tenth of i_max a millisecond */
    o->P[PP_X_ID][PP_X_ID] += walk * PP_R(0.01);
    o->P[PP_X_IQ][PP_X_IQ] += walk;
    pp_real before = o->x[PP_X_WE], torque = kt * o->x[PP_X_IQ];
    o->x[PP_X_WE] += k * (torque - o->x[PP_X_LOAD] - drag(m, before * m->p_inv));
    turn(o, dt * PP_R(0.5) * (before + o->x[PP_X_WE]));
}

/* One scalar measurement: residual e, row H given by PHt = P H' and its variance without noise; x and P move. */
static inline pp_real correct(pp_observer *o, pp_real e, const pp_real *PHt, pp_real S, int n)
{
    pp_real inverse = PP_R(1) / S, gain[ROW];
    for (int i = 0; i < ROW; i++)
        gain[i] = PHt[i] * inverse;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < ROW; j++)
            o->P[i][j] -= gain[i] * PHt[j];
    pp_real by = gain[PP_X_THETA] * e;
    o->x[PP_X_ID] += gain[PP_X_ID] * e;
    o->x[PP_X_IQ] += gain[PP_X_IQ] * e;
    o->x[PP_X_WE] += gain[PP_X_WE] * e;
    for (int i = PP_X_LOAD; i < n; i++)
        o->x[i] += gain[i] * e;
    turn(o, by);
    return e * e * inverse;
}

/* Consistency: running means, and the measurement variance that makes the mean of NIS 2. */
static inline void learn(pp_observer *o, pp_real nis)
{
    const pp_real capped = pp_min(nis, PP_R(50)), base = o->noise.current * o->noise.current;
    o->nis = nis;
    o->count++;
    o->nis_short += PP_R(0.005) * (capped - o->nis_short);
    o->we_mean += PP_R(0.005) * (pp_abs(o->x[PP_X_WE]) - o->we_mean);
    o->r = pp_clamp(o->r * (PP_R(1) + PP_R(0.01) * (PP_R(0.5) * pp_min(nis, PP_R(20)) - PP_R(1))), PP_R(0.01) * base,
                    PP_R(1e4) * base);
}

/* Parameters stay physical whatever a bad record says. */
static inline void bound(pp_observer *o)
{
    const pp_observed *m = &o->machine;
    o->x[PP_X_RS] = pp_clamp(o->x[PP_X_RS], PP_R(0.2) * m->Rs, PP_R(4) * m->Rs);
    o->x[PP_X_PSI] = pp_clamp(o->x[PP_X_PSI], PP_R(0.5) * m->psi, PP_R(1.5) * m->psi);
}

static inline void currents(pp_observer *o, pp_real ia, pp_real ib, int n)
{
    /* In the rotor frame as it was before either correction: d i_d/d theta = -iq, d i_q/d theta = id of the rotated model. */
    const pp_real id = o->x[PP_X_ID], iq = o->x[PP_X_IQ], theta = o->x[PP_X_THETA], turns = o->turns;
    pp_real ed = o->c * ia + o->s * ib - id, eq = o->c * ib - o->s * ia - iq, PHt[ROW];
    for (int i = 0; i < ROW; i++)
        PHt[i] = o->P[i][PP_X_ID] - iq * o->P[i][PP_X_THETA];
    pp_real nis = correct(o, ed, PHt, PHt[PP_X_ID] - iq * PHt[PP_X_THETA] + o->r, n);
    pp_real turned = o->x[PP_X_THETA] - theta + PP_R(2 * PP_PI) * (o->turns - turns);
    eq -= (o->x[PP_X_IQ] - iq) + id * turned; /* what the first correction explained of the second residual */
    for (int i = 0; i < ROW; i++)
        PHt[i] = o->P[i][PP_X_IQ] + id * o->P[i][PP_X_THETA];
    nis += correct(o, eq, PHt, PHt[PP_X_IQ] + id * PHt[PP_X_THETA] + o->r, n);
    learn(o, nis);
    if (n == N)
        bound(o);
}

void pp_observer_currents(pp_observer *o, double i_alpha, double i_beta)
{
    if (o->adapt)
        currents(o, (pp_real)i_alpha, (pp_real)i_beta, N);
    else
        currents(o, (pp_real)i_alpha, (pp_real)i_beta, FAST);
}

/* A measurement of state i, which is value +- sigma. */
static void state_measured(pp_observer *o, int i, pp_real e, pp_real sigma)
{
    pp_real PHt[ROW];
    for (int j = 0; j < ROW; j++)
        PHt[j] = o->P[j][i];
    correct(o, e, PHt, PHt[i] + sigma * sigma, N);
    o->we_mean += PP_R(0.005) * (pp_abs(o->x[PP_X_WE]) - o->we_mean);
    o->count++;
}

void pp_observer_speed(pp_observer *o, double omega_m, double sigma)
{
    pp_real p = o->machine.p;
    state_measured(o, PP_X_WE, p * (pp_real)omega_m - o->x[PP_X_WE], p * (pp_real)sigma);
}

void pp_observer_angle(pp_observer *o, double theta_m, double sigma)
{
    double sine, cosine, p = (double)o->machine.p;
    pp_sincos(p * theta_m, &sine, &cosine);
    double c = (double)o->c, s = (double)o->s; /* the residual as an angle: no matter how the sensor counts turns */
    double e = pp_atan2(sine * c - cosine * s, cosine * c + sine * s);
    state_measured(o, PP_X_THETA, (pp_real)e, (pp_real)(p * sigma));
}

/* Power balance: u_dc i_bus = 1.5 (Rs iq^2 + we psi iq) + what the inductances take, which the caller's averaging removes. */
void pp_observer_bus(pp_observer *o, double i_bus, double u_dc, double sigma)
{
    const pp_real iq = o->x[PP_X_IQ], we = o->x[PP_X_WE], Rs = o->x[PP_X_RS], psi = o->x[PP_X_PSI];
    const pp_real k = PP_R(1.5) / (pp_real)u_dc, by_iq = k * (PP_R(2) * Rs * iq + we * psi), by_we = k * psi * iq;
    pp_real PHt[ROW], e = (pp_real)i_bus - k * iq * (Rs * iq + we * psi);
    for (int j = 0; j < ROW; j++)
        PHt[j] = by_iq * o->P[j][PP_X_IQ] + by_we * o->P[j][PP_X_WE];
    correct(o, e, PHt, by_iq * PHt[PP_X_IQ] + by_we * PHt[PP_X_WE] + (pp_real)(sigma * sigma), N);
}
