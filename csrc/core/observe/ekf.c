/* Extended Kalman filter: prediction, and the measurement of both currents. */
#include "filter.h"

/* MOVING states change by themselves; FAST states are all but the parameters. A lone residual of
 * 20 standard deviations is a bad sample, REJECTED_MAX of them in a row are a lost motor. */
enum { MOVING = 4, FAST = 5, GATE = 400, REJECTED_MAX = 5 };

/* What a step integrates, and its rates; (ud, uq) turns with the rotor because the inverter
 * holds it in the stator. */
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
    const pp_law law = law_of(o);
    const pp_real Rs = o->x[PP_X_RS];
    const pp_dq emf = pp_law_speed_voltage(&law, y.we, y.id, y.iq);
    const pp_real torque = pp_law_torque(&law, y.id, y.iq);
    const pp_real braking = drag(m, y.we * m->p_inv);
    return (rates){
        .id = (y.ud - Rs * y.id - emf.d) * m->Ld_inv,
        .iq = (y.uq - Rs * y.iq - emf.q) * m->Lq_inv,
        .we = m->p * m->J_inv * (torque - o->x[PP_X_LOAD] - braking),
        .ud = y.we * y.uq,
        .uq = -y.we * y.ud,
    };
}

PP_INLINE rates advanced(rates y, rates k, pp_real h)
{
    return (rates){
        .id = y.id + h * k.id,
        .iq = y.iq + h * k.iq,
        .we = y.we + h * k.we,
        .ud = y.ud + h * k.ud,
        .uq = y.uq + h * k.uq,
    };
}

/* Rows 0..3 of the Jacobian of the rates, times dt. The columns of Rs and psi take the currents
 * and the speed without the noise of the last measurements. */
PP_INLINE void jacobian(const pp_observer *o, rates y, pp_real dt, pp_real (*A)[ROW])
{
    const pp_observed *m = &o->machine;
    const pp_law law = law_of(o);
    const pp_real Rs = o->x[PP_X_RS];
    const pp_real by_d = dt * m->Ld_inv;
    const pp_real by_q = dt * m->Lq_inv;
    const pp_dq flux = pp_law_flux(&law, y.id, y.iq);
    const pp_real torque_to_we = pp_law_torque_factor(&law) * m->p * m->J_inv * dt;
    const pp_law_slopes by = pp_law_scaled_slopes(&law, torque_to_we, y.id, y.iq);
    const pp_law_slopes slow = pp_law_scaled_slopes(&law, torque_to_we, o->slow[0], o->slow[1]);
    const pp_real coulomb = pp_abs(y.we) < m->p ? m->coulomb : PP_R(0);
    const pp_real values[MOVING][ROW] = {
        [PP_X_ID] = {[PP_X_ID] = -Rs * by_d,
                     [PP_X_IQ] = y.we * m->Lq * by_d,
                     [PP_X_WE] = flux.q * by_d,
                     [PP_X_THETA] = y.uq * by_d,
                     [PP_X_RS] = -o->slow[0] * by_d},
        [PP_X_IQ] = {[PP_X_ID] = -y.we * m->Ld * by_q,
                     [PP_X_IQ] = -Rs * by_q,
                     [PP_X_WE] = -flux.d * by_q,
                     [PP_X_THETA] = -y.ud * by_q,
                     [PP_X_RS] = -o->slow[1] * by_q,
                     [PP_X_PSI] = -o->slow[2] * by_q},
        [PP_X_WE] = {[PP_X_ID] = by.id,
                     [PP_X_IQ] = by.iq,
                     [PP_X_WE] = -(m->viscous + coulomb) * m->J_inv * dt,
                     [PP_X_LOAD] = -m->p * m->J_inv * dt,
                     [PP_X_PSI] = slow.psi_pm},
        [PP_X_THETA] = {[PP_X_WE] = dt},
    };
    for (int i = 0; i < MOVING; i++)
        for (int j = 0; j < ROW; j++)
            A[i][j] = values[i][j];
}

/* M = A + A A/2: the transition is 1 + M. Zeros of A are left out where it has them: row 3 is
 * (0, 0, dt), column 3 ends with row 1, column 2 with row 3. */
PP_INLINE void transition(const matrix *A, int n, matrix *M)
{
    const pp_real half = PP_R(0.5);
    const pp_real dt = A[3][2];
#pragma GCC unroll 8
    for (int j = 0; j < n; j++) {
#pragma GCC unroll 4
        for (int i = 0; i < 2; i++) {
            pp_real sum = A[i][0] * A[0][j] + A[i][1] * A[1][j] + A[i][2] * A[2][j];
            if (j == 2)
                sum += A[i][3] * dt;
            M[i][j] = A[i][j] + half * sum;
        }
        M[2][j] = A[2][j] + half * (A[2][0] * A[0][j] + A[2][1] * A[1][j] + A[2][2] * A[2][j]);
        M[3][j] = A[3][j] + half * dt * A[2][j];
    }
}

/* P <- (1 + M) P (1 + M)'; n states take part. W = (1 + M) P holds the columns of what does not
 * move already. */
PP_INLINE void propagate_covariance(matrix *P, const matrix *M, int n)
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
    const pp_real id = q->voltage * dt * o->machine.Ld_inv;
    const pp_real iq = q->voltage * dt * o->machine.Lq_inv;
    P[PP_X_ID][PP_X_ID] += id * id;
    P[PP_X_IQ][PP_X_IQ] += iq * iq;
    P[PP_X_WE][PP_X_WE] += q->acceleration * q->acceleration * dt;
    P[PP_X_LOAD][PP_X_LOAD] += q->load * q->load * dt;
    P[PP_X_RS][PP_X_RS] += q->Rs * q->Rs * dt;
    P[PP_X_PSI][PP_X_PSI] += q->psi * q->psi * dt;
}

/* Rs and psi return to the motor file's values, slowly: what nothing shows must not wander off. */
PP_INLINE void revert_to_mean(pp_observer *o, matrix *P, pp_real dt)
{
    const pp_real Rs = PP_R(1) - o->noise.Rs_back * dt;
    const pp_real psi = PP_R(1) - o->noise.psi_back * dt;
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

/* The states by a Runge-Kutta step of 4th order, the covariance by the slopes at its middle. */
PP_INLINE void predict(pp_observer *o, matrix *P, pp_real ua, pp_real ub, pp_real dt, int n)
{
    const rates y = {
        .id = o->x[PP_X_ID],
        .iq = o->x[PP_X_IQ],
        .we = o->x[PP_X_WE],
        .ud = o->c * ua + o->s * ub,
        .uq = o->c * ub - o->s * ua,
    };
    const pp_real half = PP_R(0.5) * dt;
    const pp_real sixth = dt * PP_R(1.0 / 6);
    const rates k1 = rate(o, y);
    const rates y2 = advanced(y, k1, half);
    const rates k2 = rate(o, y2);
    const rates y3 = advanced(y, k2, half);
    const rates k3 = rate(o, y3);
    const rates y4 = advanced(y, k3, dt);
    const rates k4 = rate(o, y4);
    matrix A[MOVING], M[MOVING];
    jacobian(o, y3, dt, A);
    transition((const matrix *)A, n, M);
    propagate_covariance(P, (const matrix *)M, n);
    if (n == N)
        revert_to_mean(o, P, dt);
    add_noise(o, P, dt);
    o->x[PP_X_ID] += sixth * (k1.id + PP_R(2) * (k2.id + k3.id) + k4.id);
    o->x[PP_X_IQ] += sixth * (k1.iq + PP_R(2) * (k2.iq + k3.iq) + k4.iq);
    o->x[PP_X_WE] += sixth * (k1.we + PP_R(2) * (k2.we + k3.we) + k4.we);
    advance_angle(o, sixth * (y.we + PP_R(2) * (y2.we + y3.we) + y4.we));
}

/* Time that passes; a day and more is a broken clock. */
static bool passes(double dt) { return dt > 0 && dt < 86400; }

void pp_observer_predict(pp_observer *o, double u_alpha, double u_beta, double dt)
{
    if (!passes(dt))
        return;
    if (!pp_is_measured(u_alpha) || !pp_is_measured(u_beta))
        pp_observer_predict_unpowered(o, dt);
    else if (o->adapt)
        predict(o, o->P, (pp_real)u_alpha, (pp_real)u_beta, (pp_real)dt, N);
    else
        predict(o, o->P, (pp_real)u_alpha, (pp_real)u_beta, (pp_real)dt, FAST);
}

void pp_observer_predict_unpowered(pp_observer *o, double seconds)
{
    const pp_observed *m = &o->machine;
    const pp_law law = law_of(o);
    const pp_real dt = (pp_real)seconds;
    const pp_real torque_to_we = m->p * m->J_inv * dt;
    const pp_real by_iq = pp_law_torque_slopes(&law, 0, o->x[PP_X_IQ]).iq;
    matrix M[MOVING] = {{0}};
    if (!passes(seconds))
        return;
    M[PP_X_WE][PP_X_IQ] = torque_to_we * by_iq;
    M[PP_X_WE][PP_X_LOAD] = -torque_to_we;
    M[PP_X_WE][PP_X_WE] = -m->viscous * m->J_inv * dt;
    M[PP_X_THETA][PP_X_WE] = dt;
    propagate_covariance(o->P, (const matrix *)M, N);
    add_noise(o, o->P, dt);
    const pp_real walk = PP_R(100) * m->i_max * m->i_max * dt; /* a tenth of i_max a millisecond */
    o->P[PP_X_ID][PP_X_ID] += walk * PP_R(0.01);
    o->P[PP_X_IQ][PP_X_IQ] += walk;
    const pp_real before = o->x[PP_X_WE];
    const pp_real torque = by_iq * o->x[PP_X_IQ];
    o->x[PP_X_WE] += torque_to_we * (torque - o->x[PP_X_LOAD] - drag(m, before * m->p_inv));
    advance_angle(o, dt * PP_R(0.5) * (before + o->x[PP_X_WE]));
}

/* Slow means of the first three states that follow at once where they move by more than noise.
 * Parameters are learnt by these: noise shared with the residuals would drive them (errors in
 * variables). */
PP_INLINE void low_pass(pp_observer *o)
{
    for (int i = 0; i < 3; i++) {
        const pp_real off = o->x[i] - o->slow[i];
        o->slow[i] += off * off > PP_R(16) * o->P[i][i] ? off : PP_R(0.002) * off;
    }
}

/* Consistency: running means, and the measurement variance that makes the mean of NIS 2. */
PP_INLINE void update_consistency(pp_observer *o, pp_real nis)
{
    const pp_real capped = pp_min(nis, PP_R(50));
    const pp_real base = o->noise.current * o->noise.current;
    const pp_real excess = PP_R(0.5) * pp_min(nis, PP_R(20)) - PP_R(1);
    o->nis = nis;
    o->count++;
    o->nis_short += PP_R(0.005) * (capped - o->nis_short);
    o->we_mean += PP_R(0.005) * (pp_abs(o->x[PP_X_WE]) - o->we_mean);
    o->r = pp_clamp(o->r * (PP_R(1) + PP_R(0.01) * excess), PP_R(0.01) * base, PP_R(1e4) * base);
}

/* Parameters stay physical whatever a bad record says. */
PP_INLINE void clamp_parameters(pp_observer *o)
{
    const pp_observed *m = &o->machine;
    o->x[PP_X_RS] = pp_clamp(o->x[PP_X_RS], PP_R(0.2) * m->Rs, PP_R(4) * m->Rs);
    o->x[PP_X_PSI] = pp_clamp(o->x[PP_X_PSI], PP_R(0.5) * m->psi, PP_R(1.5) * m->psi);
}

/* The joint correction by both currents: d and q are the columns of covariance with the two
 * residuals, (dd, dq, qq) the residuals' own, its inverse by the adjugate. */
PP_INLINE void update_currents(pp_observer *o, matrix *P, const pp_real *d, const pp_real *q,
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
    if (nis != nis) { /* the covariance has no inverse: the estimate is lost, and says so */
        o->x[PP_X_WE] = nis;
        return;
    }
    o->rejected = 0;
    const pp_real inverse_dd = inverse * S[2];
    const pp_real inverse_dq = inverse * S[1]; /* less its sign */
    const pp_real inverse_qq = inverse * S[0];
#pragma GCC unroll 8
    for (int i = 0; i < n; i++) {
        gain_d[i] = inverse_dd * d[i] - inverse_dq * q[i];
        gain_q[i] = inverse_qq * q[i] - inverse_dq * d[i];
        by[i] = ed * gain_d[i] + eq * gain_q[i];
    }
#pragma GCC unroll 8
    for (int i = 0; i < n; i++)
#pragma GCC unroll 8
        for (int j = i; j < n; j++)
            P[i][j] -= gain_d[i] * d[j] + gain_q[i] * q[j];
    add_to_states(o, by, n);
    update_consistency(o, nis);
    if (n == N) {
        low_pass(o);
        clamp_parameters(o);
    }
}

/* In the estimated rotor frame the residuals are those of id and iq, and the angle shows in them
 * by -iq and id. */
PP_INLINE void currents(pp_observer *o, matrix *P, pp_real ia, pp_real ib, int n)
{
    const pp_real id = o->x[PP_X_ID];
    const pp_real iq = o->x[PP_X_IQ];
    pp_real d[N], q[N];
#pragma GCC unroll 8
    for (int i = 0; i < n; i++) {
        d[i] = at((const matrix *)P, PP_X_ID, i) - iq * at((const matrix *)P, PP_X_THETA, i);
        q[i] = at((const matrix *)P, PP_X_IQ, i) + id * at((const matrix *)P, PP_X_THETA, i);
    }
    const pp_real S[3] = {
        d[PP_X_ID] - iq * d[PP_X_THETA] + o->r,
        d[PP_X_IQ] + id * d[PP_X_THETA],
        q[PP_X_IQ] + id * q[PP_X_THETA] + o->r,
    };
    update_currents(o, P, d, q, S, o->c * ia + o->s * ib - id, o->c * ib - o->s * ia - iq, n);
}

void pp_observer_correct(pp_observer *o, pp_real (*P)[2], const pp_real *S, const pp_real *mean,
                         const pp_real *seen)
{
    pp_real d[N], q[N];
    for (int i = 0; i < N; i++) {
        d[i] = P[i][0];
        q[i] = P[i][1];
    }
    const pp_real noisy[3] = {S[0] + o->r, S[1], S[2] + o->r};
    const pp_real seen_d = o->c * seen[0] + o->s * seen[1];
    const pp_real seen_q = o->c * seen[1] - o->s * seen[0];
    update_currents(o, o->P, d, q, noisy, seen_d - mean[0], seen_q - mean[1], N);
}

void pp_observer_currents(pp_observer *o, double i_alpha, double i_beta)
{
    if (!takes_measurement(o, pp_is_measured(i_alpha) && pp_is_measured(i_beta)))
        return;
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
