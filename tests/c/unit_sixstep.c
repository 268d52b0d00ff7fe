/* twin.h: the six-step drive, against steady states, symmetry, conservation and its controller's purpose. */
#include "unit.h"

#include "polepair/twin.h"
#include "rows.h"

enum { ROWS = 4001 };
static double out[ROWS * PP_CHANNEL_COUNT];

static double at(long row, int channel) { return out[row * PP_CHANNEL_COUNT + channel]; }
#define AT(row, name) at((row), PP_CHANNEL_##name)

static pp_params motor(void)
{
    pp_params p;
    pp_params_default(&p);
    p.datasheet.R_ll = 0.6, p.datasheet.L_ll = 0.46e-3, p.datasheet.Kt_block = 0.04,
    p.datasheet.emf = 1;
    p.datasheet.J = 2e-5, p.rotor.pole_pairs = 4, p.rotor.viscous_friction = 1e-5;
    p.drive.kind = 1, p.drive.u_dc = 24, p.drive.period = 2e-5, p.drive.substeps = 2;
    p.drive.i_max = 1000;
    return p;
}

static void record(const pp_params *p, long rows, long every)
{
    static const int all[PP_CHANNEL_COUNT] = {0,  1,  2,  3,  4,  5,  6,  7,  8, 9,
                                              10, 11, 12, 13, 14, 15, 16, 17, 18};
    pp_twin t;
    pp_state s;
    memset(&t, 0, sizeof t);
    CHECK(pp_twin_setup(p, NULL, &t) == PP_OK);
    pp_twin_start(&t, &s);
    CHECK(run_rows(&t, &s, rows, every, true, all, PP_CHANNEL_COUNT, out) == PP_OK);
}

/* Mean of a channel over the rows from `first` to `last`. */
static double mean(int channel, long first, long last)
{
    double sum = 0;
    for (long i = first; i <= last; i++)
        sum += at(i, channel);
    return sum / (double)(last - first + 1);
}

TEST(a_blocked_rotor_takes_u_over_r)
{
    for (int adaptive = 0; adaptive < 2; adaptive++) {
        pp_params p = motor();
        p.load.J = 1e3, p.control.duty = 0.5, p.drive.rtol = adaptive ? 1e-8 : 0;
        record(&p, 2001, 1);
        double i = 12 / 0.6 * (1 - exp(-0.04 * 0.6 / 0.46e-3));
        NEAR(AT(2000, ia), i, 1e-4 * i);
        NEAR(AT(2000, ib), -i, 1e-4 * i);
        NEAR(AT(2000, ic), 0, 1e-9);
        NEAR(AT(2000, torque), 0.04 * i, 1e-4);
        NEAR(AT(2000, uq), 12, 1e-5);
        NEAR(AT(2000, i_bus), 0.5 * i, 1e-3);
        NEAR(AT(2000, i_s), i * sqrt(4.0 / 3), 2e-3);
        NEAR(AT(20, ia), 12 / 0.6 * (1 - exp(-4e-4 * 0.6 / 0.46e-3)), 1e-2); /* L/R on the way */
        NEAR(AT(0, theta_m), 0, 1e-7);
        NEAR(AT(2000, energy_copper), 0.6 * i * i * (0.04 - 1.5 * 0.46e-3 / 0.6), 0.03);
    }
}

TEST(no_load_speed)
{
    for (int k = 1; k <= 2; k++) {
        pp_params p = motor();
        p.rotor.viscous_friction = 0, p.control.duty = 0.5 * k;
        record(&p, 2001, 40);
        NEAR(AT(2000, omega_m), 12 * k / 0.04, 0.7 * k); /* U = 2 ke w; ripple of the commutation */
        NEAR(mean(PP_CHANNEL_torque, 1800, 2000), 0, 2e-3);
    }
    pp_params p = motor(); /* a sine gets the trapezoid of equal block torque */
    p.datasheet.emf = 0, p.rotor.viscous_friction = 0;
    record(&p, 2001, 40);
    NEAR(AT(2000, omega_m), 600, 2);
}

TEST(loaded_speed)
{
    pp_params p = motor();
    p.load.torque = 0.1, p.load.t_on = 0.01, p.load.viscous = 2e-5, p.load.coulomb = 5e-3,
    p.load.quadratic = 5e-8;
    p.drive.diode_drop = 0;
    record(&p, 4001, 10);
    double w = mean(PP_CHANNEL_omega_m, 3000, 4000), drag = 0.1 + 3e-5 * w + 5e-3 + 5e-8 * w * w;
    NEAR(mean(PP_CHANNEL_torque, 3000, 4000), drag, 2e-3);
    NEAR(mean(PP_CHANNEL_torque_load, 3000, 4000), drag, 1e-4);
    /* below the speed of currents that change at once, by the commutations */
    double ideal = (24 - 0.6 * drag / 0.04) / 0.04;
    CHECK(w < ideal && w > 0.9 * ideal);
    NEAR(AT(500, torque_load) - AT(499, torque_load), AT(499, torque_load) > 0.09 ? 0 : 0.1, 0.02);
    CHECK(AT(49, torque_load) < 0.09 && AT(50, torque_load) > 0.1);
}

TEST(energy_is_conserved)
{
    for (int adaptive = 0; adaptive < 2; adaptive++) {
        pp_params p = motor();
        p.load.torque = 0.05, p.load.t_on = 0.01, p.load.viscous = 2e-5, p.load.coulomb = 5e-3,
        p.load.quadratic = 5e-8;
        p.rotor.coulomb_friction = 1e-3, p.load.J = 1e-5, p.drive.substeps = 16,
        p.control.duty = 0.8;
        p.drive.rtol = adaptive ? 1e-9 : 0;
        record(&p, 4001, 1);
        double lost = AT(4000, energy_copper) + AT(4000, energy_friction) + AT(4000, energy_load);
        NEAR(AT(4000, energy_in), lost + AT(4000, energy_stored), 1e-6 + EPS_RUN * 10);
        double friction = 0, load = 0, copper = 0, in = 0, w = AT(4000, omega_m), square = 0;
        for (int i = 0; i <= 4000; i++) {
            double part = i == 0 || i == 4000 ? 1e-5 : 2e-5, v = AT(i, omega_m),
                   dry = fmin(v, 1) * v;
            friction += part * (1e-5 * v * v + 1e-3 * dry);
            load +=
                part * (2e-5 * v * v + 5e-3 * dry + 5e-8 * v * v * v + (i >= 500 ? 0.05 : 0) * v);
            square = pow(AT(i, ia), 2) + pow(AT(i, ib), 2) + pow(AT(i, ic), 2);
            copper += part * 0.3 * square;
            in += part * 24 * AT(i, i_bus);
        }
        CLOSE(AT(4000, energy_friction), friction, 2e-3);
        CLOSE(AT(4000, energy_load), load, 2e-3);
        CLOSE(AT(4000, energy_copper), copper, 0.04); /* and the diodes' share */
        CHECK(AT(4000, energy_copper) > copper);
        CLOSE(AT(4000, energy_in), in, 2e-3);
        NEAR(AT(4000, energy_stored), 0.5 * (3e-5 * w * w + 0.23e-3 * square), 1e-6);
    }
}

/* Phase currents at the same place of a turn, a third of it later: phase b then does what phase a did. */
TEST(phases_take_turns)
{
    pp_params p = motor();
    p.load.quadratic = 5e-7, p.load.J = 2e-5, p.control.duty = 0.7;
    static const int phase[3] = {PP_CHANNEL_ia, PP_CHANNEL_ib, PP_CHANNEL_ic};
    record(&p, 4001, 1);
    for (int i = 0; i <= 4000; i++) {
        NEAR(AT(i, ia) + AT(i, ib) + AT(i, ic), 0, 1e-5);
        double theta = 4 * AT(i, theta_m) - PP_PI / 6, beta = (AT(i, ib) - AT(i, ic)) / sqrt(3);
        NEAR(AT(i, id), cos(theta) * AT(i, ia) + sin(theta) * beta, 1e-4);
        NEAR(AT(i, iq), cos(theta) * beta - sin(theta) * AT(i, ia), 1e-4);
        NEAR(AT(i, i_s), hypot(AT(i, id), AT(i, iq)), 1e-4);
    }
    double worst = 0, top = 0;
    for (int i = 3000; i < 3300; i++) {
        double angle = AT(i, theta_m) + 2 * PP_PI / 3 / 4;
        int row = i;
        while (AT(row + 1, theta_m) < angle)
            row++;
        double part = (angle - AT(row, theta_m)) / (AT(row + 1, theta_m) - AT(row, theta_m));
        for (int k = 0; k < 3; k++) {
            int c = phase[(k + 1) % 3];
            worst = fmax(worst,
                         fabs((1 - part) * at(row, c) + part * at(row + 1, c) - at(i, phase[k])));
            top = fmax(top, fabs(at(i, phase[k])));
        }
    }
    CHECK(top > 2 && worst < 0.1 * top);
}

/* The order of the phases: a-b, a-c, b-c, b-a, c-a, c-b carry the current, 60 degrees each. */
TEST(sectors_in_order)
{
    static const int high[6] = {0, 0, 1, 1, 2, 2}, low[6] = {1, 2, 2, 0, 0, 1};
    static const int phase[3] = {PP_CHANNEL_ia, PP_CHANNEL_ib, PP_CHANNEL_ic};
    pp_params p = motor();
    p.load.torque = 0.15, p.load.quadratic = 5e-7, p.load.J = 1e-4;
    record(&p, 4001, 5);
    int seen[6] = {0};
    for (int i = 50; i <= 4000; i++) {
        double angle = 4 * AT(i, theta_m) + PP_PI / 6, sector = floor(angle / (PP_PI / 3));
        if (angle / (PP_PI / 3) - sector < 0.6)
            continue; /* the outgoing phase may still conduct */
        int k = (int)sector % 6, o = 3 - high[k] - low[k];
        seen[k]++;
        NEAR(at(i, phase[o]), 0, 1e-6);
        CHECK(at(i, phase[high[k]]) > 0);
        NEAR(at(i, phase[low[k]]), -at(i, phase[high[k]]), 1e-6);
        NEAR(AT(i, torque), 0.04 * at(i, phase[high[k]]), 1e-5);
    }
    for (int k = 0; k < 6; k++)
        CHECK(seen[k] > 20);
}

/* Right after a commutation the freewheeling phase falls through its diode: L di/dt of the textbook. */
TEST(freewheeling_falls_as_it_should)
{
    for (int drop = 0; drop < 2; drop++) {
        pp_params p = motor();
        p.load.J = 1, p.drive.diode_drop = 2 * drop, p.load.torque = -1e-3; /* hardly moves */
        p.drive.rtol = 1e-10, p.control.duty = 0.3;
        p.load.J = 2e-3, p.load.torque = 0;
        record(&p, 4001, 1);
        int turned = 0;
        for (int i = 1; i < 4000 && !turned; i++) { /* phase b goes out of sector 0 */
            double angle = 4 * AT(i, theta_m) + PP_PI / 6;
            if (angle < PP_PI / 3)
                continue;
            turned = i + 1;
            /* low phase out: 3 L x' = -(2 Udc - u + 2 Vd + 2 e r) - 3 R x, e = ke w, r near 1 */
            double x = AT(turned, ib), fall = AT(turned + 1, ib) - AT(turned, ib),
                   w = AT(turned, omega_m);
            double force = (48 - 7.2 + 4 * drop + 2 * 0.02 * w) / 3 - 0.3 * x;
            CHECK(x < 0);
            NEAR(fall, force / 0.23e-3 * 2e-5, 0.02 * fall + 1e-3);
        }
        CHECK(turned > 0);
    }
}

/* The largest phase current over the rows recorded [A]. */
static double most_current(long rows)
{
    double most = 0;
    for (long i = 0; i < rows; i++)
        most = fmax(most, fmax(fabs(AT(i, ia)), fmax(fabs(AT(i, ib)), fabs(AT(i, ic)))));
    return most;
}

/* The duty is lowered so that the phases keep i_max, and not by more: nearly all the time one of
 * them is at it while the machine starts. */
TEST(current_limit_holds)
{
    pp_params p = motor();
    p.drive.i_max = 6;
    for (int closed = 0; closed < 2; closed++) {
        p.control.closed_loop = closed, p.control.speed_ref = 400, p.control.alpha_s = 100;
        record(&p, 2001, 1);
        const double most = most_current(2001);
        CHECK(most < 6 * 1.001 && most > 6 * 0.999);
        NEAR(mean(PP_CHANNEL_torque, 200, 800), 0.04 * 6, 0.04 * 6 * 0.1);
        CHECK(AT(100, uq) < 12 && AT(100, uq) > 0);
    }
    p.drive.i_max = 1000; /* out of reach: nothing changes */
    p.control.closed_loop = 0;
    record(&p, 2001, 1);
    CHECK(most_current(2001) > 30);
    NEAR(AT(100, uq), 24, 1e-5);
}

TEST(speed_control_arrives)
{
    pp_params p = motor();
    p.control.closed_loop = 1, p.control.speed_ref = 200, p.control.alpha_s = 100,
    p.control.speed_ramp = 4000;
    p.load.torque = 0.05, p.load.t_on = 0.1;
    record(&p, 4001, 5);
    NEAR(mean(PP_CHANNEL_omega_m, 3000, 4000), 200, 0.5);
    NEAR(mean(PP_CHANNEL_torque, 3000, 4000), 0.052, 1e-3);
    NEAR(AT(400, omega_m), 160, 12); /* on the ramp */
    double top = 0, low = 1;
    for (int i = 0; i <= 4000; i++) {
        top = fmax(top, AT(i, uq));
        low = fmin(low, AT(i, uq));
    }
    CHECK(low >= 0 && top <= 24 && top > 8);
    p.control.speed_ramp = 0,
    p.control.speed_ref = 500; /* the duty stands at its end, without winding up */
    record(&p, 4001, 5);
    NEAR(AT(5, uq), 24, 1e-5);
    double most = 0;
    for (int i = 0; i <= 4000; i++)
        most = fmax(most, AT(i, omega_m));
    CHECK(most < 500 * 1.05);
    p.control.speed_ref = 200,
    p.control.alpha_s = 30; /* the torque of a duty step: 2 alpha J per rad/s */
    record(&p, 2, 1);
    double kp = 2 * 30 * 2e-5 * 0.6 / (0.04 * 24);
    NEAR(AT(0, uq), 24 * fmin(1, kp * 200 + 0.04 / 24 * 200), 1e-3);
}

void unit_twin_six_step(void)
{
    current_limit_holds();
    a_blocked_rotor_takes_u_over_r();
    no_load_speed();
    loaded_speed();
    energy_is_conserved();
    phases_take_turns();
    sectors_in_order();
    freewheeling_falls_as_it_should();
    speed_control_arrives();
}
