/* Unscented transform on the observer's model: 15 sigma points through the same prediction. The angle is handled as its
 * deviation from the central point, so it never wraps. */
#include <string.h>

#include "polepair/math.h"
#include "polepair/observe.h"

enum { N = PP_X_COUNT, ROW = PP_X_ROW, POINTS = 2 * N + 1 };

/* Lower Cholesky factor of (N + lambda) P; directions without variance stay zero. */
static void factor(pp_real P[ROW][ROW], pp_real scale, pp_real L[N][N])
{
    memset(L, 0, sizeof(pp_real[N][N]));
    for (int j = 0; j < N; j++) {
        pp_real d = scale * P[j][j];
        for (int k = 0; k < j; k++)
            d -= L[j][k] * L[j][k];
        if (!(d > PP_R(1e-30)))
            continue;
        L[j][j] = pp_sqrt(d);
        for (int i = j + 1; i < N; i++) {
            pp_real sum = scale * P[j][i];
            for (int k = 0; k < j; k++)
                sum -= L[i][k] * L[j][k];
            L[i][j] = sum / L[j][j];
        }
    }
}

/* The observer moved by a deviation of its states. */
static pp_observer shifted(const pp_observer *o, const pp_real *by)
{
    pp_observer y = *o;
    double s, c;
    for (int i = 0; i < N; i++)
        y.x[i] += by[i];
    pp_sincos((double)y.x[PP_X_THETA], &s, &c);
    y.c = (pp_real)c, y.s = (pp_real)s;
    return y;
}

static pp_real unwrapped(const pp_observer *y)
{
    return y->x[PP_X_THETA] + PP_R(2 * PP_PI) * y->turns;
}

/* The points after the interval, their weights, and the currents that each would have measured, in the mean rotor frame. */
typedef struct cloud {
    pp_real x[POINTS][ROW], w[POINTS], z[POINTS][2];
} cloud;

static void propagate(const pp_observer *o, double ua, double ub, double dt, cloud *c)
{
    const pp_real kappa = PP_R(3 - N), scale = PP_R(3); /* N + kappa = 3 */
    pp_real L[N][N], P[ROW][ROW];
    memcpy(P, o->P, sizeof P);
    factor(P, scale, L);
    for (int k = 0; k < POINTS; k++) {
        pp_real by[N] = {0};
        for (int i = 0; k > 0 && i < N; i++)
            by[i] = (k <= N ? PP_R(1) : PP_R(-1)) * L[i][(k - 1) % N];
        pp_observer y = shifted(o, by);
        pp_observer_predict(&y, ua, ub, dt);
        for (int i = 0; i < N; i++)
            c->x[k][i] = i == PP_X_THETA ? unwrapped(&y) : y.x[i];
        c->x[k][N] = 0;
        c->w[k] = k ? PP_R(1) / (PP_R(2) * scale) : kappa / scale;
    }
}

static void gather(pp_observer *o, const cloud *c)
{
    pp_real mean[ROW] = {0}, before = unwrapped(o);
    for (int k = 0; k < POINTS; k++)
        for (int i = 0; i < N; i++)
            mean[i] += c->w[k] * c->x[k][i];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            pp_real sum = 0;
            for (int k = 0; k < POINTS; k++)
                sum += c->w[k] * (c->x[k][i] - mean[i]) * (c->x[k][j] - mean[j]);
            o->P[i][j] = sum;
        }
    for (int i = 0; i < N; i++)
        if (i != PP_X_THETA)
            o->x[i] = mean[i];
    double s, co, theta = (double)o->x[PP_X_THETA] + (double)(mean[PP_X_THETA] - before);
    pp_sincos(theta, &s, &co);
    o->c = (pp_real)co, o->s = (pp_real)s;
    pp_real whole = pp_whole_turns((pp_real)theta);
    o->turns += whole;
    o->x[PP_X_THETA] = (pp_real)(theta - 2 * PP_PI * (double)whole);
}

/* What each point would measure, seen from the mean angle. */
static void measure(cloud *c, pp_real mean_angle)
{
    for (int k = 0; k < POINTS; k++) {
        double sine, cosine;
        pp_sincos((double)(c->x[k][PP_X_THETA] - mean_angle), &sine, &cosine);
        c->z[k][0] = (pp_real)cosine * c->x[k][PP_X_ID] - (pp_real)sine * c->x[k][PP_X_IQ];
        c->z[k][1] = (pp_real)sine * c->x[k][PP_X_ID] + (pp_real)cosine * c->x[k][PP_X_IQ];
    }
}

static pp_real mean_of(const cloud *c, int axis)
{
    pp_real sum = 0;
    for (int k = 0; k < POINTS; k++)
        sum += c->w[k] * c->z[k][axis];
    return sum;
}

/* Covariance of state i with the measured axis, noise of the interval included: it adds to id and iq alike. */
static pp_real cross(const cloud *c, int i, int axis, pp_real mean_x, pp_real mean_z, pp_real noise)
{
    pp_real sum = i == axis ? noise : PP_R(0);
    for (int k = 0; k < POINTS; k++)
        sum += c->w[k] * (c->x[k][i] - mean_x) * (c->z[k][axis] - mean_z);
    return sum;
}

/* Rs and psi are learnt as the extended filter learns them: its covariances with the other states stand on currents without
 * the noise of the last measurements, the points' do not. P: theirs with both currents in the rotor frame. */
static void learn_linearly(pp_observer *o, const pp_observer *linear, const pp_real *mean,
                           pp_real (*P)[2])
{
    for (int j = PP_X_RS; j <= PP_X_PSI; j++) {
        for (int i = 0; i <= j; i++)
            o->P[i][j] = linear->P[i][j];
        P[j][0] = linear->P[PP_X_ID][j] - mean[1] * linear->P[PP_X_THETA][j];
        P[j][1] = linear->P[PP_X_IQ][j] + mean[0] * linear->P[PP_X_THETA][j];
    }
}

void pp_observer_unscented(pp_observer *o, double ua, double ub, double dt, double ia, double ib)
{
    cloud c;
    pp_observer linear = *o,
                noise = *o; /* the extended filter's process noise: what it adds to a P of zero */
    memset(noise.P, 0, sizeof noise.P);
    pp_observer_predict(&noise, 0, 0, dt);
    if (o->adapt)
        pp_observer_predict(&linear, ua, ub, dt);
    propagate(o, ua, ub, dt, &c);
    gather(o, &c);
    pp_real angle = 0, mean[2], P[N][2];
    for (int k = 0; k < POINTS; k++)
        angle += c.w[k] * c.x[k][PP_X_THETA];
    measure(&c, angle);
    for (int axis = 0; axis < 2; axis++) {
        mean[axis] = mean_of(&c, axis);
        for (int i = 0; i < N; i++)
            P[i][axis] = cross(&c, i, axis, i == PP_X_THETA ? angle : o->x[i], mean[axis],
                               noise.P[axis][axis]);
    }
    pp_real S[3] = {noise.P[0][0], 0, noise.P[1][1]}; /* dd, dq, qq */
    for (int k = 0; k < POINTS; k++) {
        pp_real d = c.z[k][0] - mean[0], q = c.z[k][1] - mean[1];
        S[0] += c.w[k] * d * d, S[1] += c.w[k] * d * q, S[2] += c.w[k] * q * q;
    }
    for (int i = 0; i < N; i++)
        o->P[i][i] += noise.P[i][i];
    if (o->adapt)
        learn_linearly(o, &linear, mean, P);
    const pp_real seen[2] = {(pp_real)ia, (pp_real)ib};
    pp_observer_correct(o, P, S, mean, seen);
}
