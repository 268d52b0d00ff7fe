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

static pp_real unwrapped(const pp_observer *y) { return y->x[PP_X_THETA] + PP_R(2 * PP_PI) * y->turns; }

/* Cross covariances and residuals of the two currents, then one joint correction by two scalar ones. */
typedef struct cloud {
    pp_real x[POINTS][ROW], w[POINTS], id[POINTS], iq[POINTS];
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

void pp_observer_unscented(pp_observer *o, double ua, double ub, double dt, double ia, double ib)
{
    cloud c;
    propagate(o, ua, ub, dt, &c);
    gather(o, &c);
    pp_observer noise = *o; /* the same process noise as the extended filter: what it adds to a P of zero */
    memset(noise.P, 0, sizeof noise.P);
    pp_observer_predict(&noise, 0, 0, dt);
    for (int i = 0; i < N; i++)
        o->P[i][i] += noise.P[i][i];
    pp_observer_currents(o, ia, ib);
}
