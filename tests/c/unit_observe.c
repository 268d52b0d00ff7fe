/* observe.h: the filters over a twin whose inside is known, and what each measurement has to do to P. */
#include "unit.h"

#include "polepair/observe.h"
#include "polepair/twin.h"

static pp_params params;
static pp_machine machine;
static pp_twin twin;
static pp_state state;
static pp_output o;
static pp_observed seen;

/* A salient motor under FOC from rest, its load and friction known to the filter. */
static void begin(double load)
{
    pp_params_default(&params);
    params.datasheet.R_phase = 0.5, params.datasheet.Ld = 2e-3, params.datasheet.Lq = 3e-3,
    params.datasheet.psi_pm = 0.05;
    params.datasheet.J = 2e-4, params.rotor.pole_pairs = 3, params.drive.u_dc = 100,
    params.drive.i_max = 20;
    params.control.speed_ref = 100, params.control.alpha_s = 80;
    params.load.torque = load, params.load.t_on = 0.05, params.load.viscous = 1e-4,
    params.rotor.coulomb_friction = 0.01;
    params.load.J = 1e-4;
    CHECK(pp_machine_derive(&params, &machine) == PP_OK);
    CHECK(pp_twin_setup(&params, NULL, &twin) == PP_OK);
    pp_twin_start(&twin, &state);
    seen = pp_observed_from(&params, &machine);
}

static double angle(void) { return 3 * o.channel[PP_CHANNEL_theta_m]; }

/* One period of the twin: the voltage that the inverter holds over it, and the currents at its start. */
static void period(double *u, double *i)
{
    pp_twin_step(&twin, &state, pp_twin_scenario(&twin, &state), &o);
    double c = cos(angle()), s = sin(angle()), ud = o.channel[PP_CHANNEL_ud],
           uq = o.channel[PP_CHANNEL_uq];
    u[0] = c * ud - s * uq, u[1] = s * ud + c * uq;
    i[0] = o.channel[PP_CHANNEL_ia],
    i[1] = (o.channel[PP_CHANNEL_ia] + 2 * o.channel[PP_CHANNEL_ib]) / sqrt(3);
}

static double estimate(const pp_observer *f, pp_estimate which)
{
    return pp_observer_estimate(f, which);
}
#define EST(f, name) estimate((f), PP_ESTIMATE_##name)

static double wrapped(double x) { return x - 2 * PP_PI * floor(x / (2 * PP_PI) + 0.5); }

/* Follows the twin for some periods. */
static void follow(pp_observer *f, int periods, bool unscented, double noise)
{
    double u[2], i[2], next[2], held[2] = {0, 0};
    period(held, i);
    for (int k = 0; k < periods; k++) {
        period(u, next);
        double a = next[0] + noise * (unit_random() + unit_random() - 1),
               b = next[1] + noise * (unit_random() + unit_random() - 1);
        if (unscented)
            pp_observer_unscented(f, held[0], held[1], 1e-4, a, b);
        else
            pp_observer_step(f, held[0], held[1], 1e-4, a, b);
        held[0] = u[0], held[1] = u[1];
    }
}

TEST(the_machine_as_it_is_seen)
{
    begin(1);
    params.winding.temperature = 70, params.magnet.temperature = 50;
    CHECK(pp_machine_derive(&params, &machine) == PP_OK);
    pp_observed m = pp_observed_from(&params, &machine);
    CLOSE(m.Ld * m.Ld_inv, 1, 1e-6);
    CLOSE(m.Lq * m.Lq_inv, 1, 1e-6);
    CLOSE(m.p * m.p_inv, 1, 1e-6);
    CLOSE(m.J_inv, 1 / 3e-4, 1e-6);
    CLOSE(m.viscous, 1e-4, 1e-6);
    CLOSE(m.coulomb, 0.01, 1e-6);
    CLOSE(m.torque_max, 4.5 * 0.05 * 20, 1e-6);
    CLOSE(m.Rs_per_K, 0.5 * 0.00393, 1e-6); /* of the cold value */
    CLOSE(m.psi_per_K, 0.05 * -0.0011 / (1 - 0.0011 * 30), 1e-6);
    CHECK(m.winding_T == 70 && m.magnet_T == 50 && m.i_max == 20 && m.u_dc == 100);
    pp_uncertainty u = pp_uncertainty_from(&m, 0.03, true),
                   still = pp_uncertainty_from(&m, 0, false);
    CLOSE(u.current, 0.03, 1e-6);
    CLOSE(still.current, 0.1, 1e-6);
    CHECK(still.Rs == 0 && still.psi_start == 0 && still.Rs_back == 0 && still.psi_back == 0);
    /* a walk that returns stays within its start */
    CLOSE(u.Rs * u.Rs / (2 * u.Rs_back), u.Rs_start * u.Rs_start, 1e-5);
    CLOSE(u.psi * u.psi / (2 * u.psi_back), u.psi_start * u.psi_start, 1e-5);
    CLOSE(u.load, 0.5 * m.torque_max, 1e-6);
    CLOSE(u.voltage, 0.1, 1e-6);
}

static pp_observer started(double theta, double sigma, double current, bool adapt)
{
    pp_observer f;
    pp_uncertainty u = pp_uncertainty_from(&seen, current, adapt);
    pp_observer_start(&f, &seen, &u, theta, sigma);
    return f;
}

TEST(starts_as_it_is_told)
{
    begin(1);
    pp_observer f = started(7, 0.3, 0.02, true);
    NEAR(EST(&f, theta_e), 7 - 2 * PP_PI, 1e-6);
    NEAR(EST(&f, theta_e_sigma), 0.3, 1e-6);
    CHECK(EST(&f, omega_m) == 0 && EST(&f, id) == 0 && EST(&f, torque) == 0);
    NEAR(EST(&f, Rs), 0.5, 1e-6);
    NEAR(EST(&f, psi_pm), 0.05, 1e-6);
    NEAR(EST(&f, Rs_sigma), 0.1, 1e-6);
    NEAR(EST(&f, psi_pm_sigma), 0.0025, 1e-6);
    NEAR(EST(&f, temperature_winding), 20, 1e-4);
    NEAR(EST(&f, temperature_winding_sigma), 0.1 / (0.5 * 0.00393), 1e-3);
    NEAR(EST(&f, temperature_magnet_sigma), 0.0025 / (0.05 * 0.0011), 1e-3);
    NEAR(EST(&f, omega_m_sigma), 0.02 * 100 / 0.05 / 3, 1e-4);
    NEAR(EST(&f, torque_load_sigma), 0.45, 1e-5);
    NEAR(EST(&f, current_residual), 0.02, 1e-6);
    CHECK(f.adapt && !started(0, 1, 0.02, false).adapt);
    seen.psi_per_K = seen.Rs_per_K = 0; /* nothing tells a temperature */
    pp_observer g = started(0, 1, 0.02, true);
    CHECK(EST(&g, temperature_winding_sigma) == 0 && EST(&g, temperature_magnet_sigma) == 0);
    CHECK(EST(&g, temperature_winding) == 20 && EST(&g, temperature_magnet) == 20);
    CHECK(EST(&f, nis) == 2 && EST(&f, quality) == PP_QUALITY_STARTING &&
          pp_observer_estimate(&f, 99) == 0);
    TEXT(pp_estimate_at(PP_ESTIMATE_quality)->name, "quality");
    TEXT(pp_estimate_at(0)->unit, "rad/s");
}

/* Prediction alone, from a known start, is the machine itself. */
TEST(predicts_the_machine)
{
    for (int adapt = 0; adapt < 2; adapt++) {
        begin(0);
        double u[2], i[2];
        pp_observer f = started(0, 0.1, 0.02, adapt);
        for (int k = 0; k < 400; k++) {
            period(u, i);
            double speed = o.channel[PP_CHANNEL_omega_m];
            NEAR(EST(&f, id), o.channel[PP_CHANNEL_id], 1e-2);
            NEAR(EST(&f, iq), o.channel[PP_CHANNEL_iq], 1e-2);
            NEAR(EST(&f, omega_m), speed, 1e-2 + 1e-4 * speed);
            NEAR(wrapped(EST(&f, theta_e) - angle()), 0, 2e-3);
            NEAR(hypot(f.c, f.s), 1, 1e-6);
            NEAR(f.turns, (angle() - EST(&f, theta_e)) / (2 * PP_PI), 1e-2);
            NEAR(EST(&f, torque), 4.5 * EST(&f, iq) * (0.05 - 1e-3 * EST(&f, id)), 1e-6);
            pp_observer_predict(&f, u[0], u[1], 1e-4);
        }
        CHECK(EST(&f, omega_m_sigma) > 1 &&
              f.count == 0); /* with nothing measured it knows less and less */
    }
}

TEST(follows_the_machine)
{
    for (int kind = 0; kind < 4;
         kind++) { /* extended or unscented, with or without the parameters */
        begin(1);
        pp_observer f = started(0.4, 0.5, 0.02, kind % 2);
        follow(&f, 3000, kind > 1, 0.03);
        NEAR(EST(&f, omega_m), o.channel[PP_CHANNEL_omega_m], 0.5);
        NEAR(wrapped(EST(&f, theta_e) - angle()), 0, 0.03);
        NEAR(EST(&f, torque_load), 1, 0.08);
        NEAR(EST(&f, id), o.channel[PP_CHANNEL_id], 0.1);
        NEAR(EST(&f, iq), o.channel[PP_CHANNEL_iq], 0.1);
        CHECK(pp_observer_quality(&f) == PP_QUALITY_GOOD && f.count == 3000);
        CHECK(EST(&f, omega_m_sigma) < 1 && EST(&f, theta_e_sigma) < 0.05 &&
              EST(&f, torque_load_sigma) < 0.3);
        NEAR(f.nis_short, 2, 0.7);
        NEAR(EST(&f, current_residual), 0.03 / sqrt(6), 0.006);
        NEAR(EST(&f, psi_pm), 0.05, 1e-3);
        CHECK(kind % 2 ? EST(&f, psi_pm_sigma) < 0.0025 + 0.5 * EPS_RUN
                       : EST(&f, psi_pm_sigma) < 1e-7);
    }
}

TEST(learns_the_parameters)
{
    for (int unscented = 0; unscented < 2; unscented++) {
        begin(2);
        seen.Rs *= PP_R(0.9), seen.psi *= PP_R(0.96);
        pp_observer f = started(0, 0.2, 0.02, true);
        follow(&f, 9000, unscented, 0.02);
        NEAR(EST(&f, psi_pm), 0.05, 4e-4);
        NEAR(EST(&f, temperature_magnet), 20 + (EST(&f, psi_pm) - 0.048) / (0.05 * -0.0011), 0.5);
        NEAR(EST(&f, temperature_winding), 20 + (EST(&f, Rs) - 0.45) / (0.5 * 0.00393), 0.5);
        NEAR(EST(&f, Rs), 0.5, 0.04);
        NEAR(EST(&f, torque_load), 2, 0.06);
    }
}

/* Every diagonal of P is a variance, and what a measurement says lowers it. */
TEST(measurements_teach)
{
    begin(0);
    pp_observer f = started(0.1, 0.4, 0.02, true), g;
    follow(&f, 50, false, 0.01);
    g = f;
    double before = EST(&g, omega_m), sigma = EST(&g, omega_m_sigma);
    pp_observer_speed(&g, before + 3, 0.5 * sigma); /* the weighted mean of both */
    NEAR(EST(&g, omega_m), before + 3 / 1.25, 1e-3);
    CLOSE(EST(&g, omega_m_sigma), sigma * sqrt(0.2), 1e-4);
    CHECK(g.count == f.count + 1);
    g = f, before = EST(&g, theta_e), sigma = EST(&g, theta_e_sigma);
    pp_observer_angle(&g, (before + 0.02 + 6 * PP_PI) / 3, 2 * sigma / 3); /* some turns on */
    NEAR(wrapped(EST(&g, theta_e) - before), 0.02 / 5, 1e-5);
    CLOSE(EST(&g, theta_e_sigma), sigma * sqrt(0.8), 1e-3);
    g = f, before = EST(&g, iq);
    double we = 3 * EST(&g, omega_m), power = 1.5 * before * (0.5 * before + we * 0.05);
    pp_observer_bus(&g, power / 100, 100, 0.1);
    NEAR(EST(&g, iq), before, 2e-3); /* what it expects changes nothing, but makes it surer */
    CHECK(EST(&g, omega_m_sigma) < EST(&f, omega_m_sigma));
    g = f;
    pp_observer_bus(&g, power / 100 + 0.05, 100, 0.01);
    CHECK(EST(&g, omega_m) > EST(&f, omega_m) || EST(&g, iq) > EST(&f, iq));
    double iq = EST(&g, iq), w = 3 * EST(&g, omega_m);
    NEAR(1.5 * iq * (0.5 * iq + w * EST(&g, psi_pm)) / 100, power / 100 + 0.05, 0.045);
    for (int i = 0; i < PP_X_COUNT; i++)
        CHECK(g.P[i][i] >= 0 && g.P[i][i] <= f.P[i][i] * PP_R(1.000001));
}

/* Without voltages the mechanics go on, and the currents are as good as unknown. */
TEST(runs_on_without_power)
{
    begin(0);
    pp_observer f = started(0, 0.1, 0.02, true);
    follow(&f, 3000, false, 0.01);
    double w = EST(&f, omega_m), known = EST(&f, omega_m_sigma),
           where = EST(&f, theta_e) + 2 * PP_PI * (double)f.turns;
    for (int k = 0; k < 100; k++)
        pp_observer_predict_unpowered(&f, 1e-3);
    CHECK(EST(&f, omega_m) < w && EST(&f, omega_m) > 0.3 * w && EST(&f, omega_m_sigma) > 5 * known);
    double turned = EST(&f, theta_e) + 2 * PP_PI * (double)f.turns - where,
           mean = 0.5 * (w + EST(&f, omega_m));
    CLOSE(turned, 3 * mean * 0.1, 0.02);
    /* J w' = T - T_load - B w - T_c, with the last current still there */
    double load = EST(&f, torque_load) - EST(&f, torque), B = 1e-4, J = 3e-4,
           steady = (load + 0.01) / B;
    CLOSE(EST(&f, omega_m), (w + steady) * exp(-B / J * 0.1) - steady, 0.03);
    CHECK(f.P[PP_X_ID][PP_X_ID] > 1 && f.P[PP_X_IQ][PP_X_IQ] > 1);
    NEAR(EST(&f, Rs), 0.5, 0.05);
}

TEST(says_how_far_to_trust_it)
{
    begin(0);
    pp_observer f = started(0, 0.1, 0.02, true);
    follow(&f, 199, false, 0.01);
    CHECK(pp_observer_quality(&f) == PP_QUALITY_STARTING);
    follow(&f, 1, false, 0.01);
    CHECK(pp_observer_quality(&f) != PP_QUALITY_STARTING);
    follow(&f, 3000, false, 0.01);
    CHECK(pp_observer_quality(&f) == PP_QUALITY_GOOD);
    pp_observer g = f;
    g.P[PP_X_THETA][PP_X_THETA] = PP_R(0.251);
    CHECK(pp_observer_quality(&g) == PP_QUALITY_UNOBSERVABLE);
    g = f, g.we_mean = PP_R(0.0099) * 100 / g.x[PP_X_PSI];
    CHECK(pp_observer_quality(&g) == PP_QUALITY_UNOBSERVABLE);
    g = f, g.nis_short = PP_R(8.1);
    CHECK(pp_observer_quality(&g) == PP_QUALITY_INCONSISTENT);
}

/* A lone bad sample is left out, the sixth in a row is believed; whatever comes, parameters stay physical. */
TEST(bad_samples)
{
    begin(0);
    pp_observer f = started(0, 0.1, 0.02, true);
    follow(&f, 3000, false, 0.01);
    double id = EST(&f, id);
    int64_t count = f.count;
    for (int k = 1; k <= 5; k++) {
        pp_observer_currents(&f, 500, -500);
        CHECK(f.rejected == k && f.count == count && EST(&f, id) == id && EST(&f, nis) > 400);
    }
    pp_observer_currents(&f, 500, -500);
    CHECK(f.rejected == 0 && f.count == count + 1 && EST(&f, id) != id);
    for (int k = 0; k < 300; k++)
        pp_observer_step(&f, 300 * sin(k), -200, 1e-4, 2000 * sin(3.0 * k), 900);
    CHECK(EST(&f, Rs) >= 0.0999 && EST(&f, Rs) <= 2.001);
    CHECK(EST(&f, psi_pm) >= 0.02499 && EST(&f, psi_pm) <= 0.07501);
    f = started(0, 0.1, 0.02, true);
    f.x[PP_X_WE] = PP_R(1e17); /* no motor turns like that */
    pp_observer_predict(&f, 0, 0, 1e-3);
    CHECK(isnan(EST(&f, theta_e)));
    CHECK(pp_whole_turns(PP_R(7)) == 1 && pp_whole_turns(PP_R(-10)) == -2 &&
          pp_whole_turns(PP_R(3)) == 0);
    CHECK(isnan(pp_whole_turns(PP_R(1e8))) && isnan(pp_whole_turns(PP_R(-1e8))) &&
          isnan(pp_whole_turns((pp_real)NAN)));
}

/* The torque's deviation by moving each state by its own (no covariance between them at the start). */
TEST(the_torque_knows_its_doubt)
{
    begin(0);
    pp_observer f = started(0, 0.1, 0.02, true);
    f.x[PP_X_ID] = PP_R(-2), f.x[PP_X_IQ] = PP_R(5);
    const int states[3] = {PP_X_ID, PP_X_IQ, PP_X_PSI};
    double sum = 0;
    for (int k = 0; k < 3; k++) {
        pp_observer up = f, down = f;
        up.x[states[k]] += (pp_real)sqrt((double)f.P[states[k]][states[k]]);
        down.x[states[k]] -= (pp_real)sqrt((double)f.P[states[k]][states[k]]);
        sum += pow(0.5 * (EST(&up, torque) - EST(&down, torque)), 2);
    }
    CLOSE(EST(&f, torque_sigma), sqrt(sum), 1e-5);
}

/* The bus current corrects along its own slopes, taken here by differences; one state at a time is uncertain. */
TEST(the_bus_current_by_its_slopes)
{
    const int states[2] = {PP_X_IQ, PP_X_WE};
    const double sigma[2] = {0.3, 40};
    for (int k = 0; k < 2; k++)
        for (int sign = -1; sign <= 1; sign += 2) {
            begin(0);
            pp_observer f = started(0, 0, 0.02, true);
            memset(f.P, 0, sizeof f.P);
            f.x[PP_X_IQ] = PP_R(4), f.x[PP_X_WE] = (pp_real)(sign * 150);
            f.P[states[k]][states[k]] = (pp_real)(sigma[k] * sigma[k]);
            double current[3], x = (double)f.x[states[k]], step = 1e-3;
            for (int i = 0; i < 3; i++) {
                double iq = k ? 4 : x + (i - 1) * step, we = k ? x + (i - 1) * step : sign * 150;
                current[i] = 1.5 * iq * (0.5 * iq + we * 0.05) / 100;
            }
            double slope = (current[2] - current[0]) / (2 * step), P = sigma[k] * sigma[k];
            double gain = slope * P / (slope * slope * P + 0.02 * 0.02);
            pp_observer_bus(&f, current[1] + 0.03, 100, 0.02);
            NEAR(f.x[states[k]], x + 0.03 * gain, 1e-4 * sigma[k] + EPS_RUN);
            CLOSE(f.P[states[k]][states[k]], P * (1 - gain * slope), 1e-3);
        }
}

void unit_observe(void)
{
    the_machine_as_it_is_seen();
    starts_as_it_is_told();
    predicts_the_machine();
    follows_the_machine();
    learns_the_parameters();
    measurements_teach();
    runs_on_without_power();
    says_how_far_to_trust_it();
    bad_samples();
    the_torque_knows_its_doubt();
    the_bus_current_by_its_slopes();
}
