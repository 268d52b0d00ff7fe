/* Unscented transform on the observer's model: 15 sigma points through the same prediction. The
 * angle is handled as its deviation from the central point, so it never wraps. */
#include <string.h>

#include "filter.h"
#include "polepair/math.h"

/* SCALE = N + kappa = 3: what the points of a Gaussian distribution take (Julier & Uhlmann). */
enum { POINTS = 2 * N + 1, SCALE = 3 };

/* Lower Cholesky factor of SCALE P; directions without variance stay zero. */
static void factor(pp_real P[ROW][ROW], pp_real L[N][N])
{
    const pp_real scale = PP_R(SCALE);
    memset(L, 0, sizeof(pp_real[N][N]));
    for (int j = 0; j < N; j++) {
        pp_real rest = scale * P[j][j];
        for (int k = 0; k < j; k++)
            rest -= L[j][k] * L[j][k];
        if (!(rest > PP_R(1e-30)))
            continue;
        L[j][j] = pp_sqrt(rest);
        for (int i = j + 1; i < N; i++) {
            pp_real sum = scale * P[j][i];
            for (int k = 0; k < j; k++)
                sum -= L[i][k] * L[j][k];
            L[i][j] = sum / L[j][j];
        }
    }
}

/* Sine and cosine of what may be no angle at all: NaN then. */
static void any_sincos(pp_real angle, pp_real *s, pp_real *c)
{
    double sine;
    double cosine;
    pp_sincos((double)angle, &sine, &cosine);
    *s = (pp_real)sine;
    *c = (pp_real)cosine;
}

/* The observer moved by a deviation of its states. */
static pp_observer shifted(const pp_observer *o, const pp_real *by)
{
    pp_observer moved = *o;
    for (int i = 0; i < N; i++)
        moved.x[i] += by[i];
    any_sincos(moved.x[PP_X_THETA], &moved.s, &moved.c);
    return moved;
}

static pp_real unwrapped(const pp_observer *o)
{
    return o->x[PP_X_THETA] + PP_R(2 * PP_PI) * o->turns;
}

/* The points after the interval. */
typedef struct cloud {
    pp_real x[POINTS][ROW]; /* states */
    pp_real w[POINTS];      /* weights */
    pp_real z[POINTS][2];   /* currents that each would have measured, in the mean rotor frame */
} cloud;

/* Deviation of point k: none, then the columns of the factor, then their opposites. */
static void deviation(int k, pp_real L[N][N], pp_real *by)
{
    const pp_real sign = k <= N ? PP_R(1) : PP_R(-1);
    for (int i = 0; i < N; i++)
        by[i] = k > 0 ? sign * L[i][(k - 1) % N] : PP_R(0);
}

/* The points, moved by the filter's own prediction. */
static void propagate(const pp_observer *o, double ua, double ub, double dt, cloud *c)
{
    const pp_real scale = PP_R(SCALE);
    pp_real L[N][N], P[ROW][ROW], by[N];
    memcpy(P, o->P, sizeof P);
    factor(P, L);
    for (int k = 0; k < POINTS; k++) {
        deviation(k, L, by);
        pp_observer point = shifted(o, by);
        pp_observer_predict(&point, ua, ub, dt);
        for (int i = 0; i < N; i++)
            c->x[k][i] = point.x[i];
        c->x[k][PP_X_THETA] = unwrapped(&point);
        c->x[k][N] = 0;
        c->w[k] = PP_R(1) / (PP_R(2) * scale);
    }
    c->w[0] = PP_R(SCALE - N) / scale; /* kappa / (N + kappa) */
}

/* Mean and covariance of the points become the observer's. */
static void take_moments(pp_observer *o, const cloud *c)
{
    const pp_real before = unwrapped(o);
    pp_real mean[ROW] = {0};
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
    const double theta = (double)o->x[PP_X_THETA] + (double)(mean[PP_X_THETA] - before);
    double sine;
    double cosine;
    pp_sincos(theta, &sine, &cosine);
    o->c = (pp_real)cosine;
    o->s = (pp_real)sine;
    const pp_real whole = pp_whole_turns((pp_real)theta);
    o->turns += whole;
    o->x[PP_X_THETA] = (pp_real)(theta - 2 * PP_PI * (double)whole);
}

/* What each point would measure, seen from the mean angle. */
static void measure(cloud *c, pp_real angle)
{
    for (int k = 0; k < POINTS; k++) {
        const pp_real *x = c->x[k];
        pp_real sine;
        pp_real cosine;
        any_sincos(x[PP_X_THETA] - angle, &sine, &cosine);
        c->z[k][0] = cosine * x[PP_X_ID] - sine * x[PP_X_IQ];
        c->z[k][1] = sine * x[PP_X_ID] + cosine * x[PP_X_IQ];
    }
}

static pp_real mean_of(const cloud *c, int axis)
{
    pp_real sum = 0;
    for (int k = 0; k < POINTS; k++)
        sum += c->w[k] * c->z[k][axis];
    return sum;
}

/* Covariance of state i with the measured axis, noise of the interval included: it adds to id
 * and iq alike. */
static pp_real cross_covariance(const cloud *c, int i, int axis, pp_real mean_x, pp_real mean_z,
                                pp_real noise)
{
    PP_ASSERT(i >= 0 && i < N && (axis == 0 || axis == 1));
    pp_real sum = i == axis ? noise : PP_R(0);
    for (int k = 0; k < POINTS; k++)
        sum += c->w[k] * (c->x[k][i] - mean_x) * (c->z[k][axis] - mean_z);
    return sum;
}

/* Rs and psi are learnt as the extended filter learns them: its covariances with the other
 * states stand on currents without the noise of the last measurements, the points' do not. P:
 * theirs with both currents in the rotor frame. */
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

static pp_real mean_angle(const cloud *c)
{
    pp_real sum = 0;
    for (int k = 0; k < POINTS; k++)
        sum += c->w[k] * c->x[k][PP_X_THETA];
    return sum;
}

/* Covariance of the measured currents: dd, dq, qq; noise: of the interval, dd and qq. */
static void currents_covariance(const cloud *c, const pp_real *mean, const pp_real *noise,
                                pp_real *S)
{
    S[0] = noise[0];
    S[1] = 0;
    S[2] = noise[1];
    for (int k = 0; k < POINTS; k++) {
        const pp_real d = c->z[k][0] - mean[0];
        const pp_real q = c->z[k][1] - mean[1];
        S[0] += c->w[k] * d * d;
        S[1] += c->w[k] * d * q;
        S[2] += c->w[k] * q * q;
    }
}

/* Variances that the extended filter's process noise adds in dt: its prediction from a
 * covariance of zero. */
static void process_noise(const pp_observer *o, double dt, pp_real *noise)
{
    pp_observer certain = *o;
    memset(certain.P, 0, sizeof certain.P);
    pp_observer_predict(&certain, 0, 0, dt);
    for (int i = 0; i < N; i++)
        noise[i] = certain.P[i][i];
}

void pp_observer_unscented(pp_observer *o, double ua, double ub, double dt, double ia, double ib)
{
    cloud c;
    pp_real noise[N], mean[2], P[N][2], S[3];
    const bool driven = pp_is_measured(ua) && pp_is_measured(ub) && dt > 0;
    if (!driven || !pp_is_measured(ia) || !pp_is_measured(ib)) {
        pp_observer_step(o, ua, ub, dt, ia, ib);
        return;
    }
    if (!takes_measurement(o, true))
        return;
    process_noise(o, dt, noise);
    pp_observer linear = *o;
    if (o->adapt)
        pp_observer_predict(&linear, ua, ub, dt);
    propagate(o, ua, ub, dt, &c);
    take_moments(o, &c);
    const pp_real angle = mean_angle(&c);
    measure(&c, angle);
    for (int axis = 0; axis < 2; axis++) {
        mean[axis] = mean_of(&c, axis);
        for (int i = 0; i < N; i++) {
            const pp_real mean_x = i == PP_X_THETA ? angle : o->x[i];
            P[i][axis] = cross_covariance(&c, i, axis, mean_x, mean[axis], noise[axis]);
        }
    }
    currents_covariance(&c, mean, noise, S);
    for (int i = 0; i < N; i++)
        o->P[i][i] += noise[i];
    if (o->adapt)
        learn_linearly(o, &linear, mean, P);
    const pp_real seen[2] = {(pp_real)ia, (pp_real)ib};
    pp_observer_correct(o, P, S, mean, seen);
}
