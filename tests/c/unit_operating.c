/* machine.h: operating points and losses; model/law_linear.h. */
#include "unit.h"

#include "polepair/machine.h"
#include "polepair/model/law_linear.h"

static pp_machine salient(double Ld, double Lq)
{
    pp_machine m = {.pole_pairs = 3, .Rs = 0.4, .psi_pm = 0.1};
    m.Ld = Ld, m.Lq = Lq;
    return m;
}

TEST(steady_states)
{
    pp_machine m = salient(2e-3, 5e-3);
    pp_operating_point o = pp_operating_at(&m, -3, 7, 150);
    double we = 450;
    NEAR(o.ud, 0.4 * -3 - we * 5e-3 * 7, 1e-12);
    NEAR(o.uq, 0.4 * 7 + we * (2e-3 * -3 + 0.1), 1e-12);
    NEAR(o.torque, 4.5 * (0.1 + 3e-3 * 3) * 7, 1e-12);
    /* power in = copper loss + shaft power */
    NEAR(1.5 * (o.ud * o.id + o.uq * o.iq), pp_copper_loss(&m, -3, 7) + o.torque * 150, 1e-9);
    NEAR(pp_copper_loss(&m, -3, 7), 1.5 * 0.4 * 58, 1e-12);
    CHECK(o.id == -3 && o.iq == 7 && o.omega_m == 150 && o.reachable);
}

/* The current angle of most torque by trying them all. */
TEST(most_torque_for_a_current)
{
    const double pairs[][2] = {{2e-3, 5e-3}, {5e-3, 2e-3}, {3e-3, 3.0001e-3}};
    for (int k = 0; k < 3; k++)
        for (double i = 0.5; i < 60; i *= 3) {
            pp_machine m = salient(pairs[k][0], pairs[k][1]);
            double best = -1, at = 0;
            for (int a = -9000; a <= 9000; a++) {
                double angle = a * PP_PI / 18000, id = i * sin(angle);
                double torque = pp_operating_at(&m, id, i * cos(angle), 0).torque;
                if (torque > best)
                    best = torque, at = id;
            }
            NEAR(pp_mtpa_id(&m, i), at, 4e-4 * i);
        }
    pp_machine round = salient(3e-3, 3e-3);
    CHECK(pp_mtpa_id(&round, 10) == 0);
}

/* The limit against a scan of the whole disc of currents. */
TEST(most_torque_within_both_limits)
{
    for (int k = 0; k < 3; k++) {
        pp_machine m = k == 0   ? salient(2e-3, 5e-3)
                       : k == 1 ? salient(4e-3, 4e-3)
                                : salient(12e-3, 14e-3);
        for (double w = 0; w < 900; w += 60) {
            pp_operating_point o = pp_operating_limit(&m, w, 12, 40);
            double best = -1;
            for (int a = 0; a <= 240; a++)
                for (int b = 0; b <= 120; b++) {
                    double i = 12 * b / 120.0, id = -i * sin(a * PP_PI / 480),
                           iq = i * cos(a * PP_PI / 480);
                    pp_operating_point t = pp_operating_at(&m, id, iq, w);
                    if (hypot(t.ud, t.uq) <= 40 && t.torque > best)
                        best = t.torque;
                }
            CHECK(o.omega_m == w);
            if (best > 0.05) {
                CHECK(o.reachable && hypot(o.id, o.iq) <= 12 * (1 + 1e-9) &&
                      hypot(o.ud, o.uq) <= 40 * (1 + 1e-8));
                CHECK(o.torque >= best * (1 - 1e-6) && o.torque <= best * 1.05 + 0.05 && o.iq >= 0);
            } else if (best < 0) {
                CHECK(!o.reachable && o.iq == 0 && fabs(o.id) < 1e-6 && o.torque == 0);
            }
        }
    }
    pp_machine m = salient(3e-3, 3e-3);
    pp_operating_point o = pp_operating_limit(&m, 0, 12, 40);
    NEAR(o.torque, 4.5 * 0.1 * 12, 1e-6); /* no voltage in the way: all of it is iq */
}

TEST(iron_loss_is_bertottis)
{
    pp_params p;
    pp_params_default(&p);
    p.material.hysteresis = 0.02, p.material.eddy = 5e-5, p.material.excess = 1e-3;
    pp_machine m = {
        .pole_pairs = 5, .mass_stator = 3, .mass_teeth = 1, .B_tooth = 1.6, .B_yoke = 1.2};
    double f = 100, loss = 0;
    const double part[2][2] = {{1, 1.6}, {2, 1.2}};
    for (int i = 0; i < 2; i++) {
        double B = part[i][1];
        loss += part[i][0] * (0.02 * f * B * B + 5e-5 * f * f * B * B + 1e-3 * pow(f * B, 1.5));
    }
    CLOSE(pp_iron_loss(&p, &m, 2 * PP_PI * 20), loss, 1e-12);
    CLOSE(pp_iron_loss(&p, &m, -2 * PP_PI * 20), loss, 1e-12);
    CHECK(pp_iron_loss(&p, &m, 0) == 0);
}

void unit_operating(void)
{
    steady_states();
    most_torque_for_a_current();
    most_torque_within_both_limits();
    iron_loss_is_bertottis();
}

TEST(fluxes_currents_and_torque)
{
    const pp_law law = {
        .Ld = PP_R(2e-3), .Lq = PP_R(5e-3), .psi_pm = PP_R(0.1), .pole_pairs = PP_R(3)};
    pp_dq psi = pp_law_flux(&law, PP_R(-3), PP_R(7)), i = pp_law_currents(&law, psi);
    NEAR(psi.d, 0.094, EPS_RUN);
    NEAR(psi.q, 0.035, EPS_RUN);
    NEAR(i.d, -3, 10 * EPS_RUN);
    NEAR(i.q, 7, 10 * EPS_RUN);
    /* torque is the cross product of flux and current */
    double torque = 4.5 * (0.094 * 7 - 0.035 * -3);
    NEAR(pp_law_torque(&law, PP_R(-3), PP_R(7)), torque, EPS_RUN);
    pp_law_products k = pp_law_torque_of_flux(&law, PP_R(2));
    NEAR(psi.q * (k.by_q + k.by_dq * (psi.d - law.psi_pm)), 2 * torque, 10 * EPS_RUN);
    pp_law_slopes slope = pp_law_torque_slopes(&law, PP_R(-3), PP_R(7));
    NEAR(slope.id, 4.5 * (2e-3 - 5e-3) * 7, EPS_RUN);
    NEAR(slope.iq, 4.5 * (0.1 + 3e-3 * 3), EPS_RUN);
    NEAR(slope.psi_pm, 4.5 * 7, EPS_RUN);
    NEAR(pp_law_active_flux(&law, PP_R(-3)), 0.109, EPS_RUN);
}

void unit_law(void) { fluxes_currents_and_torque(); }
