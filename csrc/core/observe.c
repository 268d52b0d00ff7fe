/* Extended Kalman filter: prediction and measurements. Symmetric matrices are kept whole, so that rows stay contiguous. */
#include "polepair/observe.h"

#include <string.h>

#include "polepair/math.h"

/* A lone residual of 20 standard deviations is a bad sample, REJECTED_MAX of them in a row are a lost motor. */
enum { N = PP_X_COUNT, ROW = PP_X_ROW, MOVING = 4, FAST = 5, GATE = 400, REJECTED_MAX = 5 };

/* Rates of id, iq, speed; (ud, uq) turns with the rotor because the inverter holds it in the stator. */
typedef struct rates {
    pp_real id, iq, we, ud, uq;
} rates;

PP_INLINE pp_real drag(const pp_observed *m, pp_real omega)
{
    return m->viscous * omega + pp_clamp(m->coulomb * omega, -m->coulomb, m->coulomb);
}

PP_INLINE rates rate(const pp_observer *o, rates y)
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

PP_INLINE rates along(rates y, rates k, pp_real h)
{
    return (rates){y.id + h * k.id, y.iq + h * k.iq, y.we + h * k.we, y.ud + h * k.ud, y.uq + h * k.uq};
}

/* Turns the angle by a small step, phasor and all. */
PP_INLINE void turn(pp_observer *o, pp_real by)
{
    pp_real y = by * by, sine, cosine;
    if (y < PP_R(0.25)) {
        sine = by + by * y * (PP_R(-1.0 / 6) + y * (PP_R(1.0 / 120) - y * PP_R(1.0 / 5040)));
        cosine = PP_R(1) + y * (PP_R(-0.5) + y * (PP_R(1.0 / 24) - y * (PP_R(1.0 / 720) - y * PP_R(1.0 / 40320))));
    } else if (!(y < PP_R(1e12))) { /* no motor turns like that: the estimate is lost, and says so */
        sine = cosine = by = (pp_real)__builtin_nan("");
    } else {
        double a, b;
        pp_sincos((double)by, &a, &b);
        sine = (pp_real)a, cosine = (pp_real)b;
    }
    pp_real c = o->c * cosine - o->s * sine, s = o->s * cosine + o->c * sine;
    pp_real one = PP_R(1.5) - PP_R(0.5) * (c * c + s * s); /* back onto the unit circle */
    o->c = c * one, o->s = s * one;
    pp_real theta = o->x[PP_X_THETA] + by;
    if (!(pp_abs(theta) <= PP_R(PP_PI))) {
        pp_real whole = pp_whole_turns(theta);
        theta -= PP_R(2 * PP_PI) * whole;
        o->turns += whole;
    }
    o->x[PP_X_THETA] = theta;
}

/* Rows 0..3 of the Jacobian of the rates, times dt. */
PP_INLINE void jacobian(const pp_observer *o, rates y, pp_real dt, pp_real A[MOVING][ROW])
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

/* A row of a matrix as one vector; without -mavx GCC makes pairs of it. In memory rows are plain arrays. */
typedef pp_scalar row __attribute__((vector_size(ROW * sizeof(pp_scalar))));
typedef pp_scalar half_row __attribute__((vector_size(ROW / 2 * sizeof(pp_scalar))));

#define LOAD(v, from) memcpy(&(v), (from), sizeof(v))
#define STORE(to, v) memcpy((to), &(v), sizeof(v))

/* M = A + A A/2: the transition is 1 + M. */
PP_INLINE void transition(pp_real A[MOVING][ROW], row M[MOVING])
{
    row a[MOVING];
    for (int k = 0; k < MOVING; k++)
        LOAD(a[k], A[k]);
#pragma GCC unroll 4
    for (int i = 0; i < MOVING; i++) {
        row sum = A[i][0] * a[0];
#pragma GCC unroll 4
        for (int k = 1; k < MOVING; k++)
            sum += A[i][k] * a[k];
        M[i] = a[i] + PP_R(0.5) * sum;
    }
}

/* P <- (1 + M) P (1 + M)'; n states take part. W = (1 + M) P holds the columns of what does not move already. */
PP_INLINE void spread(row *P, const row *M, int n)
{
    row W[MOVING];
    half_row column[N]; /* of M */
#pragma GCC unroll 8
    for (int k = 0; k < n; k++)
        column[k] = (half_row){M[0][k], M[1][k], M[2][k], M[3][k]};
#pragma GCC unroll 4
    for (int i = 0; i < MOVING; i++) {
        row sum = P[i];
#pragma GCC unroll 8
        for (int k = 0; k < n; k++)
            sum += M[i][k] * P[k];
        W[i] = sum;
    }
#pragma GCC unroll 4
    for (int i = 0; i < MOVING; i++) {
        half_row sum = {W[i][0], W[i][1], W[i][2], W[i][3]};
#pragma GCC unroll 8
        for (int k = 0; k < n; k++)
            sum += W[i][k] * column[k];
        P[i] = (row){sum[0], sum[1], sum[2], sum[3], W[i][4], W[i][5], W[i][6], W[i][7]};
    }
#pragma GCC unroll 8
    for (int j = MOVING; j < n; j++)
        P[j] = (row){W[0][j], W[1][j], W[2][j], W[3][j], P[j][4], P[j][5], P[j][6], P[j][7]};
}

PP_INLINE void load(const pp_observer *o, row *P)
{
#pragma GCC unroll 8
    for (int i = 0; i < N; i++)
        LOAD(P[i], o->P[i]);
}

PP_INLINE void store(pp_observer *o, const row *P)
{
#pragma GCC unroll 8
    for (int i = 0; i < N; i++)
        STORE(o->P[i], P[i]);
}

PP_INLINE void add_noise(const pp_observer *o, row *P, pp_real dt)
{
    const pp_uncertainty *q = &o->noise;
    pp_real d = q->voltage * dt * o->machine.Ld_inv, iq = q->voltage * dt * o->machine.Lq_inv;
    P[PP_X_ID][PP_X_ID] += d * d;
    P[PP_X_IQ][PP_X_IQ] += iq * iq;
    P[PP_X_WE][PP_X_WE] += q->acceleration * q->acceleration * dt;
    P[PP_X_LOAD][PP_X_LOAD] += q->load * q->load * dt;
    P[PP_X_RS][PP_X_RS] += q->Rs * q->Rs * dt;
    P[PP_X_PSI][PP_X_PSI] += q->psi * q->psi * dt;
}

PP_INLINE void predict(pp_observer *o, row *P, pp_real ua, pp_real ub, pp_real dt, int n)
{
    rates y = {o->x[PP_X_ID], o->x[PP_X_IQ], o->x[PP_X_WE], o->c * ua + o->s * ub, o->c * ub - o->s * ua};
    pp_real half = PP_R(0.5) * dt, sixth = dt * PP_R(1.0 / 6);
    rates k1 = rate(o, y), y2 = along(y, k1, half);
    rates k2 = rate(o, y2), y3 = along(y, k2, half);
    rates k3 = rate(o, y3), y4 = along(y, k3, dt);
    rates k4 = rate(o, y4);
    pp_real A[MOVING][ROW];
    row M[MOVING];
    jacobian(o, y3, dt, A);
    transition(A, M);
    spread(P, M, n);
    add_noise(o, P, dt);
    o->x[PP_X_ID] += sixth * (k1.id + PP_R(2) * (k2.id + k3.id) + k4.id);
    o->x[PP_X_IQ] += sixth * (k1.iq + PP_R(2) * (k2.iq + k3.iq) + k4.iq);
    o->x[PP_X_WE] += sixth * (k1.we + PP_R(2) * (k2.we + k3.we) + k4.we);
    turn(o, sixth * (y.we + PP_R(2) * (y2.we + y3.we) + y4.we));
}

void pp_observer_predict(pp_observer *o, double u_alpha, double u_beta, double dt)
{
    row P[N];
    load(o, P);
    if (o->adapt)
        predict(o, P, (pp_real)u_alpha, (pp_real)u_beta, (pp_real)dt, N);
    else
        predict(o, P, (pp_real)u_alpha, (pp_real)u_beta, (pp_real)dt, FAST);
    store(o, P);
}

void pp_observer_coast(pp_observer *o, double seconds)
{
    const pp_observed *m = &o->machine;
    row M[MOVING] = {{0}};
    pp_real dt = (pp_real)seconds, k = m->p * m->J_inv * dt, kt = PP_R(1.5) * m->p * o->x[PP_X_PSI];
    M[PP_X_WE][PP_X_IQ] = k * kt;
    M[PP_X_WE][PP_X_LOAD] = -k;
    M[PP_X_WE][PP_X_WE] = -m->viscous * m->J_inv * dt;
    M[PP_X_THETA][PP_X_WE] = dt;
    row P[N];
    load(o, P);
    spread(P, M, N);
    add_noise(o, P, dt);
    pp_real walk = PP_R(100) * m->i_max * m->i_max * dt; /* a tenth of i_max a millisecond */
    P[PP_X_ID][PP_X_ID] += walk * PP_R(0.01);
    P[PP_X_IQ][PP_X_IQ] += walk;
    store(o, P);
    pp_real before = o->x[PP_X_WE], torque = kt * o->x[PP_X_IQ];
    o->x[PP_X_WE] += k * (torque - o->x[PP_X_LOAD] - drag(m, before * m->p_inv));
    turn(o, dt * PP_R(0.5) * (before + o->x[PP_X_WE]));
}

/* One scalar measurement: residual e, P H' and the residual's variance S; x and P move. Its share of the NIS. */
PP_INLINE pp_real correct(pp_observer *o, row *P, pp_real e, const row *column, pp_real S, int n)
{
    const row PHt = *column;
    pp_real inverse = PP_R(1) / S;
    row gain = PHt * inverse;
#pragma GCC unroll 8
    for (int i = 0; i < n; i++)
        P[i] -= gain[i] * PHt;
    o->x[PP_X_ID] += gain[PP_X_ID] * e;
    o->x[PP_X_IQ] += gain[PP_X_IQ] * e;
    o->x[PP_X_WE] += gain[PP_X_WE] * e;
    for (int i = PP_X_LOAD; i < n; i++)
        o->x[i] += gain[i] * e;
    turn(o, gain[PP_X_THETA] * e);
    return e * e * inverse;
}

/* Consistency: running means, and the measurement variance that makes the mean of NIS 2. */
PP_INLINE void learn(pp_observer *o, pp_real nis)
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
PP_INLINE void bound(pp_observer *o)
{
    const pp_observed *m = &o->machine;
    o->x[PP_X_RS] = pp_clamp(o->x[PP_X_RS], PP_R(0.2) * m->Rs, PP_R(4) * m->Rs);
    o->x[PP_X_PSI] = pp_clamp(o->x[PP_X_PSI], PP_R(0.5) * m->psi, PP_R(1.5) * m->psi);
}

/* Both currents at once, in the estimated rotor frame: the residuals are those of id and iq, and the angle shows in them
 * by -iq and id. S is 2 x 2, its inverse by the adjugate. */
PP_INLINE void currents(pp_observer *o, row *P, pp_real ia, pp_real ib, int n)
{
    const pp_real id = o->x[PP_X_ID], iq = o->x[PP_X_IQ];
    const pp_real ed = o->c * ia + o->s * ib - id, eq = o->c * ib - o->s * ia - iq;
    const row d = P[PP_X_ID] - iq * P[PP_X_THETA], q = P[PP_X_IQ] + id * P[PP_X_THETA];
    const pp_real dd = d[PP_X_ID] - iq * d[PP_X_THETA] + o->r, qq = q[PP_X_IQ] + id * q[PP_X_THETA] + o->r;
    const pp_real dq = d[PP_X_IQ] + id * d[PP_X_THETA], inverse = PP_R(1) / (dd * qq - dq * dq);
    const row gain_d = inverse * (qq * d - dq * q), gain_q = inverse * (dd * q - dq * d);
    const row by = ed * gain_d + eq * gain_q;
    const pp_real nis = inverse * (qq * ed * ed - PP_R(2) * dq * ed * eq + dd * eq * eq);
    if (nis > PP_R(GATE) && o->rejected < REJECTED_MAX) {
        o->rejected++;
        o->nis = nis;
        return;
    }
    o->rejected = 0;
#pragma GCC unroll 8
    for (int i = 0; i < n; i++)
        P[i] -= gain_d[i] * d + gain_q[i] * q;
    o->x[PP_X_ID] = id + by[PP_X_ID];
    o->x[PP_X_IQ] = iq + by[PP_X_IQ];
    o->x[PP_X_WE] += by[PP_X_WE];
    for (int i = PP_X_LOAD; i < n; i++)
        o->x[i] += by[i];
    turn(o, by[PP_X_THETA]);
    learn(o, nis);
    if (n == N)
        bound(o);
}

void pp_observer_currents(pp_observer *o, double i_alpha, double i_beta)
{
    row P[N];
    load(o, P);
    if (o->adapt)
        currents(o, P, (pp_real)i_alpha, (pp_real)i_beta, N);
    else
        currents(o, P, (pp_real)i_alpha, (pp_real)i_beta, FAST);
    store(o, P);
}

/* Both in one, the covariance in registers in between. */
PP_INLINE void step(pp_observer *o, const pp_real *u, pp_real dt, const pp_real *i, int n)
{
    row P[N];
    load(o, P);
    predict(o, P, u[0], u[1], dt, n);
    currents(o, P, i[0], i[1], n);
    store(o, P);
}

void pp_observer_step(pp_observer *o, double u_alpha, double u_beta, double dt, double i_alpha, double i_beta)
{
    const pp_real u[2] = {(pp_real)u_alpha, (pp_real)u_beta}, i[2] = {(pp_real)i_alpha, (pp_real)i_beta};
    if (o->adapt)
        step(o, u, (pp_real)dt, i, N);
    else
        step(o, u, (pp_real)dt, i, FAST);
}

/* A measurement of state i, which is value +- sigma. */
static void state_measured(pp_observer *o, int i, pp_real e, pp_real sigma)
{
    row P[N];
    load(o, P);
    row PHt = P[i];
    correct(o, P, e, &PHt, PHt[i] + sigma * sigma, N);
    store(o, P);
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
    row P[N];
    load(o, P);
    row PHt = by_iq * P[PP_X_IQ] + by_we * P[PP_X_WE];
    pp_real e = (pp_real)i_bus - k * iq * (Rs * iq + we * psi);
    correct(o, P, e, &PHt, by_iq * PHt[PP_X_IQ] + by_we * PHt[PP_X_WE] + (pp_real)(sigma * sigma), N);
    store(o, P);
}
