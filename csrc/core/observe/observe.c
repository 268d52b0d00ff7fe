/* Extended Kalman filter: prediction and measurements. */
#include "polepair/observe.h"

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
    return (rates){y.id + h * k.id, y.iq + h * k.iq, y.we + h * k.we, y.ud + h * k.ud,
                   y.uq + h * k.uq};
}

/* Turns the angle by a small step, phasor and all. */
PP_INLINE void turn(pp_observer *o, pp_real by)
{
    pp_real y = by * by, sine, cosine;
    if (y < PP_R(0.25)) {
        sine = by + by * y * (PP_R(-1.0 / 6) + y * (PP_R(1.0 / 120) - y * PP_R(1.0 / 5040)));
        cosine =
            PP_R(1) +
            y * (PP_R(-0.5) + y * (PP_R(1.0 / 24) - y * (PP_R(1.0 / 720) - y * PP_R(1.0 / 40320))));
    } else if (!(y <
                 PP_R(1e12))) { /* no motor turns like that: the estimate is lost, and says so */
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
PP_INLINE void jacobian(const pp_observer *o, rates y, pp_real dt, pp_real (*A)[ROW])
{
    const pp_observed *m = &o->machine;
    const pp_real Rs = o->x[PP_X_RS], psi = o->x[PP_X_PSI], dL = m->Ld - m->Lq, d = dt * m->Ld_inv,
                  q = dt * m->Lq_inv;
    const pp_real k = PP_R(1.5) * m->p * m->p * m->J_inv * dt;
    const pp_real slope = m->viscous + (pp_abs(y.we) < m->p ? m->coulomb : PP_R(0));
    const pp_real values[MOVING][ROW] = {
        {-Rs * d, y.we * m->Lq * d, m->Lq * y.iq * d, y.uq * d, 0, -o->slow[0] * d, 0, 0},
        {-y.we * m->Ld * q, -Rs * q, -(m->Ld * y.id + psi) * q, -y.ud * q, 0, -o->slow[1] * q,
         -o->slow[2] * q, 0},
        {k * dL * y.iq, k * (psi + dL * y.id), -slope * m->J_inv * dt, 0, -m->p * m->J_inv * dt, 0,
         k * o->slow[1], 0},
        {0, 0, dt, 0, 0, 0, 0, 0},
    };
    for (int i = 0; i < MOVING; i++)
        for (int j = 0; j < ROW; j++)
            A[i][j] = values[i][j];
}

/* The covariance is symmetric: only its upper triangle is kept and computed. */
typedef pp_real matrix[ROW];

PP_INLINE pp_real at(const matrix *P, int i, int j) { return i <= j ? P[i][j] : P[j][i]; }

/* M = A + A A/2: the transition is 1 + M. Zeros of A are left out where it has them: row 3 is (0, 0, dt), column 3 ends
 * with row 1, column 2 with row 3. */
PP_INLINE void transition(const matrix *A, int n, matrix *M)
{
    const pp_real half = PP_R(0.5), dt = A[3][2];
#pragma GCC unroll 8
    for (int j = 0; j < n; j++) {
#pragma GCC unroll 4
        for (int i = 0; i < 2; i++) {
            pp_real sum = A[i][0] * A[0][j] + A[i][1] * A[1][j] + A[i][2] * A[2][j];
            M[i][j] = A[i][j] + half * (j == 2 ? sum + A[i][3] * dt : sum);
        }
        M[2][j] = A[2][j] + half * (A[2][0] * A[0][j] + A[2][1] * A[1][j] + A[2][2] * A[2][j]);
        M[3][j] = (j == 2 ? dt : PP_R(0)) + half * dt * A[2][j];
    }
}

/* P <- (1 + M) P (1 + M)'; n states take part. W = (1 + M) P holds the columns of what does not move already. */
PP_INLINE void spread(matrix *P, const matrix *M, int n)
{
    matrix W[MOVING];
#pragma GCC unroll 4
    for (int i = 0; i < MOVING; i++)
#pragma GCC unroll 8
        for (int j = 0; j < n; j++) {
            pp_real sum = at(P, i, j);
#pragma GCC unroll 8
            for (int k = 0; k < n; k++)
                sum += M[i][k] * at(P, k, j);
            W[i][j] = sum;
        }
#pragma GCC unroll 4
    for (int i = 0; i < MOVING; i++) {
#pragma GCC unroll 4
        for (int j = i; j < MOVING; j++) {
            pp_real sum = W[i][j];
#pragma GCC unroll 8
            for (int k = 0; k < n; k++)
                sum += W[i][k] * M[j][k];
            P[i][j] = sum;
        }
#pragma GCC unroll 4
        for (int j = MOVING; j < n; j++)
            P[i][j] = W[i][j];
    }
}

PP_INLINE void add_noise(const pp_observer *o, matrix *P, pp_real dt)
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

/* Rs and psi return to the motor file's values, slowly: what nothing shows must not wander off. */
PP_INLINE void go_back(pp_observer *o, matrix *P, pp_real dt)
{
    const pp_real Rs = PP_R(1) - o->noise.Rs_back * dt, psi = PP_R(1) - o->noise.psi_back * dt;
    o->x[PP_X_RS] = o->machine.Rs + Rs * (o->x[PP_X_RS] - o->machine.Rs);
    o->x[PP_X_PSI] = o->machine.psi + psi * (o->x[PP_X_PSI] - o->machine.psi);
    for (int i = 0; i <= PP_X_RS; i++)
        P[i][PP_X_RS] *= Rs;
    for (int i = 0; i <= PP_X_PSI; i++)
        P[i][PP_X_PSI] *= psi;
    P[PP_X_RS][PP_X_RS] *= Rs;
    P[PP_X_RS][PP_X_PSI] *= Rs;
    P[PP_X_PSI][PP_X_PSI] *= psi;
}

PP_INLINE void predict(pp_observer *o, matrix *P, pp_real ua, pp_real ub, pp_real dt, int n)
{
    rates y = {o->x[PP_X_ID], o->x[PP_X_IQ], o->x[PP_X_WE], o->c * ua + o->s * ub,
               o->c * ub - o->s * ua};
    pp_real half = PP_R(0.5) * dt, sixth = dt * PP_R(1.0 / 6);
    rates k1 = rate(o, y), y2 = along(y, k1, half);
    rates k2 = rate(o, y2), y3 = along(y, k2, half);
    rates k3 = rate(o, y3), y4 = along(y, k3, dt);
    rates k4 = rate(o, y4);
    matrix A[MOVING], M[MOVING];
    jacobian(o, y3, dt, A);
    transition((const matrix *)A, n, M);
    spread(P, (const matrix *)M, n);
    if (n == N)
        go_back(o, P, dt);
    add_noise(o, P, dt);
    o->x[PP_X_ID] += sixth * (k1.id + PP_R(2) * (k2.id + k3.id) + k4.id);
    o->x[PP_X_IQ] += sixth * (k1.iq + PP_R(2) * (k2.iq + k3.iq) + k4.iq);
    o->x[PP_X_WE] += sixth * (k1.we + PP_R(2) * (k2.we + k3.we) + k4.we);
    turn(o, sixth * (y.we + PP_R(2) * (y2.we + y3.we) + y4.we));
}

void pp_observer_predict(pp_observer *o, double u_alpha, double u_beta, double dt)
{
    if (o->adapt)
        predict(o, o->P, (pp_real)u_alpha, (pp_real)u_beta, (pp_real)dt, N);
    else
        predict(o, o->P, (pp_real)u_alpha, (pp_real)u_beta, (pp_real)dt, FAST);
}

void pp_observer_coast(pp_observer *o, double seconds)
{
    const pp_observed *m = &o->machine;
    matrix M[MOVING] = {{0}};
    pp_real dt = (pp_real)seconds, k = m->p * m->J_inv * dt, kt = PP_R(1.5) * m->p * o->x[PP_X_PSI];
    M[PP_X_WE][PP_X_IQ] = k * kt;
    M[PP_X_WE][PP_X_LOAD] = -k;
    M[PP_X_WE][PP_X_WE] = -m->viscous * m->J_inv * dt;
    M[PP_X_THETA][PP_X_WE] = dt;
    spread(o->P, (const matrix *)M, N);
    add_noise(o, o->P, dt);
    pp_real walk = PP_R(100) * m->i_max * m->i_max * dt; /* a tenth of i_max a millisecond */
    o->P[PP_X_ID][PP_X_ID] += walk * PP_R(0.01);
    o->P[PP_X_IQ][PP_X_IQ] += walk;
    pp_real before = o->x[PP_X_WE], torque = kt * o->x[PP_X_IQ];
    o->x[PP_X_WE] += k * (torque - o->x[PP_X_LOAD] - drag(m, before * m->p_inv));
    turn(o, dt * PP_R(0.5) * (before + o->x[PP_X_WE]));
}

/* Moves the states by `by`. */
PP_INLINE void shift(pp_observer *o, const pp_real *by, int n)
{
    o->x[PP_X_ID] += by[PP_X_ID];
    o->x[PP_X_IQ] += by[PP_X_IQ];
    o->x[PP_X_WE] += by[PP_X_WE];
#pragma GCC unroll 4
    for (int i = PP_X_LOAD; i < n; i++)
        o->x[i] += by[i];
    turn(o, by[PP_X_THETA]);
}

/* One scalar measurement: residual e, column P H' and the residual's variance S; x and P move. */
static void correct(pp_observer *o, pp_real e, const pp_real *column, pp_real S)
{
    pp_real by[N];
    for (int i = 0; i < N; i++) {
        pp_real gain = column[i] / S;
        by[i] = gain * e;
        for (int j = i; j < N; j++)
            o->P[i][j] -= gain * column[j];
    }
    shift(o, by, N);
}

/* Slow means of the first three states that follow at once where they move by more than noise. */
PP_INLINE void quieten(pp_observer *o)
{
    for (int i = 0; i < 3; i++) {
        const pp_real off = o->x[i] - o->slow[i];
        o->slow[i] += off * off > PP_R(16) * o->P[i][i] ? off : PP_R(0.002) * off;
    }
}

/* Consistency: running means, and the measurement variance that makes the mean of NIS 2. */
PP_INLINE void learn(pp_observer *o, pp_real nis)
{
    const pp_real capped = pp_min(nis, PP_R(50)), base = o->noise.current * o->noise.current;
    o->nis = nis;
    o->count++;
    o->nis_short += PP_R(0.005) * (capped - o->nis_short);
    o->we_mean += PP_R(0.005) * (pp_abs(o->x[PP_X_WE]) - o->we_mean);
    o->r = pp_clamp(o->r * (PP_R(1) + PP_R(0.01) * (PP_R(0.5) * pp_min(nis, PP_R(20)) - PP_R(1))),
                    PP_R(0.01) * base, PP_R(1e4) * base);
}

/* Parameters stay physical whatever a bad record says. */
PP_INLINE void bound(pp_observer *o)
{
    const pp_observed *m = &o->machine;
    o->x[PP_X_RS] = pp_clamp(o->x[PP_X_RS], PP_R(0.2) * m->Rs, PP_R(4) * m->Rs);
    o->x[PP_X_PSI] = pp_clamp(o->x[PP_X_PSI], PP_R(0.5) * m->psi, PP_R(1.5) * m->psi);
}

/* The joint correction by both currents: d and q are the columns of covariance with the two residuals, (dd, dq, qq) the
 * residuals' own, its inverse by the adjugate. */
PP_INLINE void correct_both(pp_observer *o, matrix *P, const pp_real *d, const pp_real *q,
                            const pp_real *S, pp_real ed, pp_real eq, int n)
{
    pp_real gain_d[N], gain_q[N], by[N];
    const pp_real inverse = PP_R(1) / (S[0] * S[2] - S[1] * S[1]);
    const pp_real nis = inverse * (S[2] * ed * ed - PP_R(2) * S[1] * ed * eq + S[0] * eq * eq);
    if (nis > PP_R(GATE) && o->rejected < REJECTED_MAX) {
        o->rejected++;
        o->nis = nis;
        return;
    }
    o->rejected = 0;
    const pp_real a = inverse * S[2], b = inverse * S[1], c = inverse * S[0];
#pragma GCC unroll 8
    for (int i = 0; i < n; i++) {
        gain_d[i] = a * d[i] - b * q[i];
        gain_q[i] = c * q[i] - b * d[i];
        by[i] = ed * gain_d[i] + eq * gain_q[i];
    }
#pragma GCC unroll 8
    for (int i = 0; i < n; i++)
#pragma GCC unroll 8
        for (int j = i; j < n; j++)
            P[i][j] -= gain_d[i] * d[j] + gain_q[i] * q[j];
    shift(o, by, n);
    learn(o, nis);
    if (n == N) {
        quieten(o);
        bound(o);
    }
}

/* In the estimated rotor frame the residuals are those of id and iq, and the angle shows in them by -iq and id. */
PP_INLINE void currents(pp_observer *o, matrix *P, pp_real ia, pp_real ib, int n)
{
    const pp_real id = o->x[PP_X_ID], iq = o->x[PP_X_IQ];
    pp_real d[N], q[N];
#pragma GCC unroll 8
    for (int i = 0; i < n; i++) {
        d[i] = at((const matrix *)P, PP_X_ID, i) - iq * at((const matrix *)P, PP_X_THETA, i);
        q[i] = at((const matrix *)P, PP_X_IQ, i) + id * at((const matrix *)P, PP_X_THETA, i);
    }
    const pp_real S[3] = {d[PP_X_ID] - iq * d[PP_X_THETA] + o->r, d[PP_X_IQ] + id * d[PP_X_THETA],
                          q[PP_X_IQ] + id * q[PP_X_THETA] + o->r};
    correct_both(o, P, d, q, S, o->c * ia + o->s * ib - id, o->c * ib - o->s * ia - iq, n);
}

void pp_observer_correct(pp_observer *o, pp_real (*P)[2], const pp_real *S, const pp_real *mean,
                         const pp_real *seen)
{
    pp_real d[N], q[N];
    for (int i = 0; i < N; i++)
        d[i] = P[i][0], q[i] = P[i][1];
    const pp_real noisy[3] = {S[0] + o->r, S[1], S[2] + o->r};
    const pp_real zd = o->c * seen[0] + o->s * seen[1], zq = o->c * seen[1] - o->s * seen[0];
    correct_both(o, o->P, d, q, noisy, zd - mean[0], zq - mean[1], N);
}

void pp_observer_currents(pp_observer *o, double i_alpha, double i_beta)
{
    if (o->adapt)
        currents(o, o->P, (pp_real)i_alpha, (pp_real)i_beta, N);
    else
        currents(o, o->P, (pp_real)i_alpha, (pp_real)i_beta, FAST);
}

void pp_observer_step(pp_observer *o, double u_alpha, double u_beta, double dt, double i_alpha,
                      double i_beta)
{
    pp_observer_predict(o, u_alpha, u_beta, dt);
    pp_observer_currents(o, i_alpha, i_beta);
}

/* A measurement of state i, which is value +- sigma. */
static void state_measured(pp_observer *o, int i, pp_real e, pp_real sigma)
{
    pp_real column[N];
    for (int j = 0; j < N; j++)
        column[j] = at((const matrix *)o->P, i, j);
    correct(o, e, column, column[i] + sigma * sigma);
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
    double c = (double)o->c,
           s = (double)o->s; /* the residual as an angle: no matter how the sensor counts turns */
    double e = pp_atan2(sine * c - cosine * s, cosine * c + sine * s);
    state_measured(o, PP_X_THETA, (pp_real)e, (pp_real)(p * sigma));
}

/* Power balance: u_dc i_bus = 1.5 (Rs iq^2 + we psi iq) + what the inductances take, which the caller's averaging removes. */
void pp_observer_bus(pp_observer *o, double i_bus, double u_dc, double sigma)
{
    const pp_real iq = o->x[PP_X_IQ], we = o->x[PP_X_WE], Rs = o->x[PP_X_RS], psi = o->x[PP_X_PSI];
    const pp_real k = PP_R(1.5) / (pp_real)u_dc, by_iq = k * (PP_R(2) * Rs * iq + we * psi),
                  by_we = k * psi * iq;
    pp_real column[N], e = (pp_real)i_bus - k * iq * (Rs * iq + we * psi);
    for (int j = 0; j < N; j++)
        column[j] = by_iq * at((const matrix *)o->P, PP_X_IQ, j) +
                    by_we * at((const matrix *)o->P, PP_X_WE, j);
    correct(o, e, column,
            by_iq * column[PP_X_IQ] + by_we * column[PP_X_WE] + (pp_real)(sigma * sigma));
}
