/* twin.h: set-up and its refusals, FOC runs against steady states, conservation and each other. */
#include "servo.h"

TEST(channels_are_in_order)
{
    for (int i = 0; i < PP_CHANNEL_COUNT; i++)
        CHECK(all[i] == i);
}

static pp_status refusal(const pp_params *p)
{
    pp_twin t = {.substeps = 77};
    pp_status status = pp_twin_setup(p, NULL, &t);
    CHECK(status == PP_OK || t.substeps == 77);
    return status;
}

TEST(set_ups_that_are_refused)
{
    pp_params p = servo();
    CHECK(refusal(&p) == PP_OK);
    p.drive.period = -1;
    CHECK(refusal(&p) == PP_RANGE);
    p = servo(), p.datasheet.J = 0;
    CHECK(refusal(&p) == PP_SHEET_J);
    /* RK4 steps of at most 2 L/R, of the smaller inductance */
    p = servo(), p.drive.period = 0.02, p.control.speed_ref = 1, p.drive.substeps = 3;
    CHECK(refusal(&p) == PP_OK);
    p.drive.substeps = 2;
    CHECK(refusal(&p) == PP_STEP_LARGE);
    p.drive.rtol = 1e-6;
    CHECK(refusal(&p) == PP_OK);
    p = servo(), p.datasheet.Ld = 3e-3, p.datasheet.Lq = 2e-3, p.drive.period = 0.02,
    p.control.speed_ref = 1;
    p.drive.substeps = 2;
    CHECK(refusal(&p) == PP_STEP_LARGE);
    /* a period turns at most a quarter */
    for (int sign = -1; sign <= 1; sign += 2) {
        p = servo(), p.drive.period = 1e-3, p.control.speed_ref = sign * 0.999 * PP_PI / 2 / 3e-3;
        CHECK(refusal(&p) == PP_OK);
        p.control.speed_ref *= 1.002;
        CHECK(refusal(&p) == PP_SPEED_REF_HIGH);
        p.drive.kind = 1, p.datasheet.Lq = 0;
        CHECK(refusal(&p) == PP_OK); /* without speed control the reference plays no part */
        p.control.closed_loop = 1;
        CHECK(refusal(&p) == PP_SPEED_REF_HIGH);
    }
    p = servo(), p.drive.kind = 1;
    CHECK(refusal(&p) == PP_SIX_STEP_SALIENT);
}

TEST(starts_at_rest)
{
    pp_params p = servo();
    record(&p, 1, 1);
    for (int c = 0; c < PP_CHANNEL_COUNT; c++)
        if (c != PP_CHANNEL_ud && c != PP_CHANNEL_uq && c != PP_CHANNEL_i_bus)
            CHECK(out[c] == 0);
    CHECK(AT(0, uq) > 0);
}

/* Speed, current and voltage of the end are a steady state of the equations. */
TEST(arrives_at_the_steady_state)
{
    for (int mtpa = 0; mtpa < 2; mtpa++) {
        pp_params p = servo();
        p.load.torque = 2, p.load.t_on = 0.05, p.load.viscous = 1e-3, p.load.quadratic = 2e-5,
        p.load.coulomb = 0.1;
        p.rotor.viscous_friction = 5e-4, p.rotor.coulomb_friction = 0.05, p.control.strategy = mtpa;
        record(&p, 2001, 2);
        double w = AT(2000, omega_m), torque = AT(2000, torque), id = AT(2000, id),
               iq = AT(2000, iq);
        NEAR(w, 100, 1e-3);
        NEAR(torque, 2 + 1.5e-3 * 100 + 2e-5 * 1e4 + 0.15, 1e-4);
        NEAR(AT(2000, torque_load), torque, 2e-4);
        NEAR(torque, 4.5 * iq * (0.05 - 1e-3 * id), 1e-6);
        NEAR(AT(2000, i_s), hypot(id, iq), 1e-5);
        pp_machine m = {.Ld = 2e-3, .Lq = 3e-3, .psi_pm = 0.05, .pole_pairs = 3, .Rs = 0.5};
        NEAR(id, mtpa ? pp_mtpa_id(&m, hypot(id, iq)) : 0, 2e-3);
        /* the voltage at the period's start: the mean of the period, turned back by half of it */
        pp_operating_point o = pp_operating_at(&m, id, iq, w);
        double turn = 0.5 * 1e-4 * 3 * w, ud = o.ud * cos(turn) - o.uq * sin(turn);
        NEAR(AT(2000, uq), o.uq * cos(turn) + o.ud * sin(turn), 0.02);
        NEAR(AT(2000, ud), ud, 0.02);
        NEAR(AT(2000, i_bus), 1.5 * (AT(2000, ud) * id + AT(2000, uq) * iq) / 100, 1e-5);
        NEAR(AT(2000, time), 0.4, 1e-6);
    }
}

TEST(energy_is_conserved)
{
    pp_params p = servo();
    p.load.torque = 2, p.load.t_on = 0.01, p.load.viscous = 3e-3, p.load.quadratic = 2e-5,
    p.load.coulomb = 0.1;
    p.rotor.viscous_friction = 1e-3, p.rotor.coulomb_friction = 0.05, p.load.J = 3e-4,
    p.drive.substeps = 16;
    for (int adaptive = 0; adaptive < 2; adaptive++) {
        p.drive.rtol = adaptive ? 1e-9 : 0;
        record(&p, 1001, 1);
        double lost = AT(1000, energy_copper) + AT(1000, energy_friction) + AT(1000, energy_load);
        NEAR(AT(1000, energy_in), lost + AT(1000, energy_stored), 1e-7 + EPS_RUN * 10);
        double w = AT(1000, omega_m), id = AT(1000, id), iq = AT(1000, iq);
        NEAR(AT(1000, energy_stored), 0.5 * 5e-4 * w * w + 0.75 * (2e-3 * id * id + 3e-3 * iq * iq),
             1e-5);
        /* Each share by the trapezoidal rule over the rows. */
        double copper = 0, friction = 0, load = 0;
        for (int i = 0; i <= 1000; i++) {
            double part = i == 0 || i == 1000 ? 5e-5 : 1e-4, v = AT(i, omega_m),
                   dry = fmin(v, 1) * v;
            copper += part * 0.75 * (pow(AT(i, id), 2) + pow(AT(i, iq), 2));
            friction += part * (1e-3 * v * v + 0.05 * dry);
            load += part * (3e-3 * v * v + 0.1 * dry + 2e-5 * v * v * v +
                            (i > 100    ? 2
                             : i == 100 ? 1
                                        : 0) *
                                v);
        }
        CLOSE(AT(1000, energy_copper), copper, 3e-3);
        CLOSE(AT(1000, energy_friction), friction, 1e-3);
        CLOSE(AT(1000, energy_load), load, 1e-3);
    }
}

TEST(inputs_follow_the_clock)
{
    pp_params p = servo();
    p.control.speed_ramp = 1000, p.control.speed_ref = -50, p.load.torque = 0.7,
    p.load.t_on = 0.0123;
    pp_twin t = ready(&p);
    pp_state s;
    pp_twin_start(&t, &s);
    for (long k = 0; k <= 600; k++) {
        s.sample = k;
        pp_input in = pp_twin_scenario(&t, &s);
        NEAR(in.speed_ref, -fmin(50, 0.1 * (double)k), 1e-4);
        CHECK(in.load_torque == (k >= 123 ? (double)PP_R(0.7) : 0));
    }
    p.control.speed_ramp = 0;
    t = ready(&p);
    pp_twin_start(&t, &s);
    CHECK(pp_twin_scenario(&t, &s).speed_ref == -50);
}

TEST(limits_hold)
{
    pp_params p = servo();
    p.control.speed_ref = 400, p.load.J = 5e-3;
    record(&p, 1001, 1);
    double most = 0, volt = 0;
    for (int i = 0; i <= 1000; i++) {
        most = fmax(most, AT(i, torque));
        volt = fmax(volt, hypot(AT(i, ud), AT(i, uq)));
    }
    NEAR(most, 4.5 * 0.05 * 20, 0.05); /* i_max at id = 0 */
    NEAR(volt, 100 / sqrt(3), 1e-3);
    p.control.torque_max = 1.5;
    record(&p, 301, 1);
    NEAR(AT(300, torque), 1.5, 0.01);
    NEAR(AT(300, omega_m) - AT(200, omega_m), 1.5 / 5.2e-3 * 0.01, 0.05);
    p.control.torque_max = 0, p.control.strategy = 1;
    record(&p, 101, 1);
    pp_machine m = {.Ld = 2e-3, .Lq = 3e-3, .psi_pm = 0.05, .pole_pairs = 3};
    double id = pp_mtpa_id(&m, 20);
    CLOSE(AT(100, torque), pp_operating_at(&m, id, sqrt(400 - id * id), 0).torque, 5e-3);
    NEAR(AT(100, i_s), 20, 0.1);
}

TEST(reversal_mirrors_the_run)
{
    static double forward[101 * PP_CHANNEL_COUNT];
    pp_params p = servo();
    p.load.viscous = 1e-3, p.load.quadratic = 1e-5, p.load.coulomb = 0.1;
    record(&p, 101, 3);
    memcpy(forward, out, sizeof forward);
    p.control.speed_ref = -100;
    record(&p, 101, 3);
    for (int i = 0; i <= 100; i++) {
        const double *a = forward + i * PP_CHANNEL_COUNT;
        CHECK(AT(i, omega_m) == -a[PP_CHANNEL_omega_m] && AT(i, torque) == -a[PP_CHANNEL_torque]);
        CHECK(AT(i, iq) == -a[PP_CHANNEL_iq] && AT(i, id) == a[PP_CHANNEL_id]);
        CHECK(AT(i, torque_load) == -a[PP_CHANNEL_torque_load] &&
              AT(i, i_bus) == a[PP_CHANNEL_i_bus]);
        CHECK(AT(i, energy_load) == a[PP_CHANNEL_energy_load] &&
              AT(i, theta_m) == -a[PP_CHANNEL_theta_m]);
    }
}

TEST(phases_are_the_park_transform)
{
    pp_params p = servo();
    record(&p, 201, 1);
    for (int i = 0; i <= 200; i++) {
        double theta = 3 * AT(i, theta_m), id = AT(i, id), iq = AT(i, iq), third = 2 * PP_PI / 3;
        NEAR(AT(i, ia), id * cos(theta) - iq * sin(theta), 1e-5);
        NEAR(AT(i, ib), id * cos(theta - third) - iq * sin(theta - third), 1e-5);
        NEAR(AT(i, ic), id * cos(theta + third) - iq * sin(theta + third), 1e-5);
    }
    double turned = 0; /* the angle is the integral of the speed */
    for (int i = 0; i < 200; i++)
        turned += 5e-5 * (AT(i, omega_m) + AT(i + 1, omega_m));
    NEAR(AT(200, theta_m), turned, 1e-4);
}

TEST(steps_are_rows_of_the_run)
{
    for (int kind = 0; kind < 4; kind++) {
        pp_params p = servo();
        p.load.torque = 1, p.load.t_on = 0.002, p.control.speed_ramp = 5000;
        p.drive.rtol = kind % 2 ? 1e-7 : 0;
        p.load.coulomb =
            0.1; /* what a run leaves out where it is not there, a step always carries */
        if (kind > 1)
            p.drive.kind = 1, p.datasheet.Lq = 0, p.control.closed_loop = 1;
        record(&p, 60, 1);
        pp_twin t = ready(&p);
        pp_state s;
        pp_output o;
        pp_twin_start(&t, &s);
        for (int k = 0; k < 60; k++) {
            CHECK(s.sample == k);
            pp_twin_step(&t, &s, pp_twin_scenario(&t, &s), &o);
            CHECK(memcmp(o.channel, out + k * PP_CHANNEL_COUNT, sizeof o.channel) == 0);
        }
        pp_twin_step(&t, &s, pp_twin_scenario(&t, &s), NULL);
        CHECK(s.sample == 61);
        /* a run in two parts, one without an end, is the run */
        static double rest[60 * PP_CHANNEL_COUNT];
        pp_twin_start(&t, &s);
        CHECK(run_rows(&t, &s, 25, 1, false, all, PP_CHANNEL_COUNT, rest) == PP_OK &&
              s.sample == 25);
        CHECK(run_rows(&t, &s, 35, 1, true, all, PP_CHANNEL_COUNT, rest + 25 * PP_CHANNEL_COUNT) ==
              PP_OK);
        CHECK(s.sample == 59 && memcmp(rest, out, sizeof rest) == 0);
    }
}

TEST(runs_carry_what_their_channels_need)
{
    CHECK((PP_HAS_FRICTION | PP_HAS_ENERGY | PP_HAS_ANGLE | PP_HAS_VISCOUS) == PP_HAS_SHAFT);
    const int speed[] = {PP_CHANNEL_omega_m}, phase[] = {PP_CHANNEL_ia},
              energy[] = {PP_CHANNEL_energy_load};
    const int angle[] = {PP_CHANNEL_iq, PP_CHANNEL_theta_m};
    for (int kind = 0; kind < 3; kind++) {
        pp_params p = servo();
        int own = 0;
        if (kind == 1)
            p.load.viscous = 1e-3, own = PP_HAS_VISCOUS;
        if (kind == 2)
            p.rotor.coulomb_friction = 1e-3, own = PP_HAS_FRICTION;
        pp_twin t = ready(&p);
        CHECK(pp_twin_features(&t, speed, 1) == own && pp_twin_features(&t, angle, 1) == own);
        CHECK(pp_twin_features(&t, phase, 1) == (own | PP_HAS_ANGLE));
        CHECK(pp_twin_features(&t, angle, 2) == (own | PP_HAS_ANGLE));
        CHECK(pp_twin_features(&t, energy, 1) == (own | PP_HAS_ENERGY));
        record(&p, 200, 1);
        pp_state s;
        pp_twin_start(&t, &s);
        static double alone[200];
        CHECK(run_rows(&t, &s, 200, 1, true, speed, 1, alone) == PP_OK);
        for (int i = 0; i < 200; i++)
            NEAR(alone[i], AT(i, omega_m), 1e-10 + EPS_RUN * 1e-2);
    }
    pp_params p = servo();
    p.rotor.viscous_friction = 1e-4;
    pp_twin t = ready(&p);
    CHECK(pp_twin_features(&t, speed, 1) == PP_HAS_VISCOUS);
    p = servo(), p.load.quadratic = 1e-6;
    t = ready(&p);
    CHECK(pp_twin_features(&t, speed, 1) == PP_HAS_FRICTION);
}

void unit_twin(void)
{
    channels_are_in_order();
    set_ups_that_are_refused();
    starts_at_rest();
    arrives_at_the_steady_state();
    energy_is_conserved();
    inputs_follow_the_clock();
    limits_hold();
    reversal_mirrors_the_run();
    phases_are_the_park_transform();
    steps_are_rows_of_the_run();
    runs_carry_what_their_channels_need();
}
