/* Measurements of one number: speed, angle, bus current. */
#include "filter.h"

#include "polepair/math.h"

/* A standard deviation whose square is a number. */
static bool is_deviation(double sigma) { return sigma > 1e-15 && pp_is_measured(sigma); }

/* One scalar measurement: residual e, column P H' and the residual's variance S; x and P move. */
static void correct(pp_observer *o, pp_real e, const pp_real *column, pp_real S)
{
    pp_real by[N];
    if (!(S > PP_R(0) && S - S == PP_R(0))) { /* nothing to weigh it by */
        pp_observer_missed(o);
        return;
    }
    for (int i = 0; i < N; i++) {
        const pp_real gain = column[i] / S;
        by[i] = gain * e;
        for (int j = i; j < N; j++)
            o->P[i][j] -= gain * column[j];
    }
    add_to_states(o, by, N);
}

/* A measurement of state i: its residual e, and how far that is to be trusted. */
static void state_measured(pp_observer *o, int i, pp_real e, pp_real sigma)
{
    PP_ASSERT(i >= 0 && i < N);
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
    if (!takes_measurement(o, pp_is_measured(omega_m) && is_deviation(sigma)))
        return;
    state_measured(o, PP_X_WE, p * (pp_real)omega_m - o->x[PP_X_WE], p * (pp_real)sigma);
}

void pp_observer_angle(pp_observer *o, double theta_m, double sigma)
{
    if (!takes_measurement(o, pp_is_measured(theta_m) && is_deviation(sigma)))
        return;
    const double p = (double)o->machine.p;
    const double c = (double)o->c;
    const double s = (double)o->s;
    double sine;
    double cosine;
    pp_sincos(p * theta_m, &sine, &cosine);
    /* the residual as an angle: no matter how the sensor counts turns */
    const double e = pp_atan2(sine * c - cosine * s, cosine * c + sine * s);
    state_measured(o, PP_X_THETA, (pp_real)e, (pp_real)(p * sigma));
}

/* Power balance at id = 0: u_dc i_bus = 1.5 iq (Rs iq + we psi), and what the inductances take,
 * which the caller's averaging removes. */
void pp_observer_bus(pp_observer *o, double i_bus, double u_dc, double sigma)
{
    const bool powered = pp_is_measured(u_dc) && u_dc > 1e-3 * (double)o->machine.u_dc;
    if (!takes_measurement(o, powered && pp_is_measured(i_bus) && is_deviation(sigma)))
        return;
    const pp_law law = law_of(o);
    const pp_real iq = o->x[PP_X_IQ];
    const pp_real Rs = o->x[PP_X_RS];
    const pp_real emf = pp_law_speed_voltage(&law, o->x[PP_X_WE], 0, iq).q;
    const pp_real psi = pp_law_flux(&law, 0, iq).d;
    const pp_real k = PP_R(1.5) / (pp_real)u_dc;
    const pp_real by_iq = k * (PP_R(2) * Rs * iq + emf);
    const pp_real by_we = k * psi * iq;
    const pp_real e = (pp_real)i_bus - k * iq * (Rs * iq + emf);
    pp_real column[N];
    for (int j = 0; j < N; j++)
        column[j] = by_iq * at((const matrix *)o->P, PP_X_IQ, j) +
                    by_we * at((const matrix *)o->P, PP_X_WE, j);
    const pp_real noise = (pp_real)(sigma * sigma);
    correct(o, e, column, by_iq * column[PP_X_IQ] + by_we * column[PP_X_WE] + noise);
}
