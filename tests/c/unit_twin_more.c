/* twin.h: adaptive and fine runs, references and states from outside, another nominal machine. */
#include "servo.h"

TEST(adaptive_steps_agree_with_fixed_ones)
{
    static double fixed[101 * PP_CHANNEL_COUNT];
    pp_params p = servo();
    p.drive.substeps = 32, p.load.coulomb = 0.1, p.load.torque = 1, p.load.t_on = 0.01;
    record(&p, 101, 3);
    memcpy(fixed, out, sizeof fixed);
    p.drive.rtol = 1e-9, p.drive.substeps = 1;
    record(&p, 101, 3);
    for (int c = 0; c < PP_CHANNEL_COUNT; c++) {
        double top = 0, apart = 0;
        for (int i = 0; i <= 100; i++) {
            top = fmax(top, fabs(at(i, c)));
            apart = fmax(apart, fabs(at(i, c) - fixed[i * PP_CHANNEL_COUNT + c]));
        }
        CHECK(apart <= 2e-6 * top + EPS_RUN * 20 * top + 1e-7);
    }
}

/* A first step whose error overflows by far has to shrink: a period of 10000 electrical time constants. */
TEST(adaptive_steps_find_their_size)
{
    pp_params p = servo();
    p.datasheet.Ld = p.datasheet.Lq = 1e-6, p.drive.period = 0.02, p.drive.rtol = 1e-6;
    p.control.speed_ref = 1, p.load.J = 10;
    record(&p, 3, 1);
    double u = hypot(AT(1, ud), AT(1, uq)); /* the current settles at once: u = R i + e */
    CLOSE(0.5 * AT(2, i_s), u, 0.05);
}

/* A tolerance that cannot be held ends the run and says so, rather than trying for ever. */
TEST(adaptive_steps_give_up)
{
    for (int six_step = 0; six_step < 2; six_step++) {
        pp_params p = servo();
        p.datasheet.Ld = p.datasheet.Lq = 1e-7, p.drive.period = 0.02, p.drive.rtol = 1e-6;
        p.control.speed_ref = 1, p.load.J = 10, p.drive.kind = six_step;
        pp_twin t = ready(&p);
        pp_state s;
        pp_twin_start(&t, &s);
        CHECK(run_rows(&t, &s, 200, 1, true, all, PP_CHANNEL_COUNT, out) == PP_DIVERGED);
        CHECK(s.sample == 199 && isnan(AT(199, omega_m)));
    }
}

TEST(fine_rows_lie_between_the_samples)
{
    for (int kind = 0; kind < 2; kind++) {
        static double fine[401 * PP_CHANNEL_COUNT];
        pp_params p = servo();
        p.drive.rtol = 1e-8, p.load.torque = 1, p.load.t_on = 0.003;
        if (kind)
            p.drive.kind = 1, p.datasheet.Lq = 0, p.control.duty = 0.6;
        pp_twin t = ready(&p);
        pp_state s;
        pp_twin_start(&t, &s);
        CHECK(run_fine_rows(&t, &s, 100, 4, true, all, PP_CHANNEL_COUNT, fine) == PP_OK &&
              s.sample == 100);
        record(&p, 101, 1);
        for (int i = 0; i <= 100; i++)
            for (int c = 0; c < PP_CHANNEL_COUNT; c++)
                NEAR(fine[4 * i * PP_CHANNEL_COUNT + c], at(i, c),
                     1e-9 + EPS_RUN * 10 * (1 + fabs(at(i, c))));
        for (int i = 0; i < 400; i++) {
            const double *row = fine + i * PP_CHANNEL_COUNT, *next = row + PP_CHANNEL_COUNT;
            NEAR(row[PP_CHANNEL_time], 2.5e-5 * i, 1e-7);
            /* every row keeps the laws: the power of the speed over a quarter of a period */
            double moved = 0.5 * 2.5e-5 * (row[PP_CHANNEL_omega_m] + next[PP_CHANNEL_omega_m]);
            NEAR(next[PP_CHANNEL_theta_m] - row[PP_CHANNEL_theta_m], moved, 2e-6);
            double torque = 0.5 * (row[PP_CHANNEL_torque] + next[PP_CHANNEL_torque]);
            double drag = 0.5 * (row[PP_CHANNEL_torque_load] + next[PP_CHANNEL_torque_load]);
            if (i / 4 != 29)
                NEAR(next[PP_CHANNEL_omega_m] - row[PP_CHANNEL_omega_m],
                     2.5e-5 / 2e-4 * (torque - drag), 0.02);
            double in = 0.5 * 2.5e-5 * 100 * (row[PP_CHANNEL_i_bus] + next[PP_CHANNEL_i_bus]);
            if (!kind)
                NEAR(next[PP_CHANNEL_energy_in] - row[PP_CHANNEL_energy_in], in, 2e-3);
        }
        double residual = fine[401 * PP_CHANNEL_COUNT - PP_CHANNEL_COUNT + PP_CHANNEL_energy_in];
        const double *last = fine + 400 * PP_CHANNEL_COUNT;
        residual -= last[PP_CHANNEL_energy_copper] + last[PP_CHANNEL_energy_friction] +
                    last[PP_CHANNEL_energy_load] + last[PP_CHANNEL_energy_stored];
        NEAR(residual, 0, 1e-5 + EPS_RUN);
        p.drive.rtol = 0;
        t = ready(&p);
        CHECK(run_fine_rows(&t, &s, 1, 4, true, all, PP_CHANNEL_COUNT, fine) == PP_ARGUMENT);
    }
}

TEST(asked_and_placed)
{
    pp_params p = servo();
    p.control.speed_ramp = 100, p.load.torque = 3, p.load.t_on = 1;
    pp_twin t = ready(&p);
    pp_state s, before;
    pp_output o;
    pp_twin_start(&t, &s);
    pp_twin_set_reference(&t, 70, 1.2);
    pp_input in = pp_twin_scenario(&t, &s);
    CHECK(in.speed_ref == 70 && in.load_torque == (double)PP_R(1.2));
    /* a steady state stays one */
    double iq = 1.2 / (4.5 * 0.05);
    CHECK(set_state(&t, &s, 0, iq, 70, 2.5, 1.2) == PP_OK);
    for (int k = 0; k < 200; k++) {
        pp_twin_step(&t, &s, pp_twin_scenario(&t, &s), &o);
        NEAR(o.channel[PP_CHANNEL_omega_m], 70, 0.05);
        NEAR(o.channel[PP_CHANNEL_iq], iq, 0.1);
        NEAR(o.channel[PP_CHANNEL_id], 0, 0.1);
        NEAR(o.channel[PP_CHANNEL_theta_m], 2.5 + 70e-4 * k, 2e-3);
    }
    CHECK(set_state(&t, &s, -2, 3, -40, 1, 0) == PP_OK);
    pp_twin_step(&t, &s, in, &o);
    NEAR(o.channel[PP_CHANNEL_id], -2, 1e-5);
    NEAR(o.channel[PP_CHANNEL_iq], 3, 1e-5);
    NEAR(o.channel[PP_CHANNEL_omega_m], -40, 1e-5);
    CHECK(o.channel[PP_CHANNEL_theta_m] == 1);
    p.drive.kind = 1, p.datasheet.Lq = 0;
    t = ready(&p);
    pp_twin_start(&t, &s);
    before = s;
    CHECK(set_state(&t, &s, 0, 1, 1, 1, 0) == PP_ARGUMENT && memcmp(&s, &before, sizeof s) == 0);
    pp_twin_set_reference(&t, 70, 1.2);
    CHECK(pp_twin_scenario(&t, &s).load_torque == (double)PP_R(1.2));
}

/* The controller may believe in another machine. */
TEST(nominal_machines)
{
    pp_params p = servo();
    pp_machine m;
    pp_twin t;
    pp_state s;
    p.load.torque = 2;
    CHECK(pp_machine_derive(&p, &m) == PP_OK);
    m.psi_pm *= 1.25; /* it asks for too little current, and the integrator makes up for it */
    CHECK(pp_twin_setup(&p, &m, &t) == PP_OK);
    pp_twin_start(&t, &s);
    CHECK(run_rows(&t, &s, 2001, 2, true, all, PP_CHANNEL_COUNT, out) == PP_OK);
    NEAR(AT(2000, omega_m), 100, 0.01);
    CLOSE(AT(2000, torque), 2, 1e-3);
    double first = AT(5, iq);
    record(&p, 2001, 2);
    CHECK(AT(5, iq) > 1.1 * first);
}

TEST(divergence_is_told)
{
    pp_params p = servo();
    p.control.alpha_c = 9e5, p.control.alpha_s = 9e4;
    pp_twin t = ready(&p);
    pp_state s;
    pp_twin_start(&t, &s);
    pp_status status = PP_OK;
    for (int k = 0; k < 400 && status == PP_OK; k++)
        status = run_rows(&t, &s, 1, 2000, false, all, PP_CHANNEL_COUNT, out);
    CHECK(status == PP_DIVERGED);
}

void unit_twin_more(void)
{
    adaptive_steps_agree_with_fixed_ones();
    adaptive_steps_find_their_size();
    adaptive_steps_give_up();
    fine_rows_lie_between_the_samples();
    asked_and_placed();
    nominal_machines();
    divergence_is_told();
}
