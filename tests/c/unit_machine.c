/* machine.h: the two routes to a machine. */
#include "unit.h"

#include "polepair/geometry.h"
#include "polepair/machine.h"
#include "polepair/magnetics.h"
#include "polepair/winding.h"

static const double ROOT2 = 1.4142135623730951, ROOT3 = 1.7320508075688772;

static pp_params sheet(void)
{
    pp_params p;
    pp_params_default(&p);
    p.datasheet.R_phase = 0.5, p.datasheet.Ld = 2e-4, p.datasheet.J = 1e-5, p.rotor.pole_pairs = 4;
    return p;
}

static pp_machine derived(const pp_params *p)
{
    pp_machine m;
    memset(&m, 0, sizeof m);
    CHECK(pp_machine_derive(p, &m) == PP_OK);
    return m;
}

TEST(conventions_of_datasheets)
{
    const double psi = 0.0052, p4 = 4 * psi;
    const struct {
        size_t at;
        double sine, flat; /* the figure of a sine machine; of a trapezoid with this flat top: 1 */
    } figures[] = {
        {offsetof(pp_params, datasheet.psi_pm), psi, 12 / (PP_PI * PP_PI) / 4},
        {offsetof(pp_params, datasheet.Kt_peak), 1.5 * p4, 1.5 * 12 / (PP_PI * PP_PI)},
        {offsetof(pp_params, datasheet.Kt_rms), 1.5 * ROOT2 * p4,
         1.5 * ROOT2 * 12 / (PP_PI * PP_PI)},
        {offsetof(pp_params, datasheet.Ke_ll_rms), ROOT3 / ROOT2 * p4,
         ROOT3 / ROOT2 * 12 / (PP_PI * PP_PI)},
        {offsetof(pp_params, datasheet.Ke_ll_peak), ROOT3 * p4, 2},
        {offsetof(pp_params, datasheet.Kt_block), 3 * ROOT3 / PP_PI * p4, 2},
        {offsetof(pp_params, datasheet.Kv), 1 / (ROOT3 * p4), 0.5},
    };
    for (int i = 0; i < 7; i++) {
        pp_params p = sheet();
        *(double *)((char *)&p + figures[i].at) = figures[i].sine;
        pp_machine m = derived(&p);
        CLOSE(m.psi_pm, psi, 1e-12);
        CLOSE(m.Kt, 1.5 * p4, 1e-12);
        CLOSE(m.Kt_block, 3 * ROOT3 / PP_PI * p4, 1e-12);
        CLOSE(m.Ke, ROOT3 * p4, 1e-12);
        CLOSE(m.Kv * m.Ke, 1, 1e-12);
        CLOSE(m.Km, 1.5 * p4 / sqrt(1.5 * 0.5), 1e-12);
        CLOSE(m.tau_m, 1e-5 / (m.Km * m.Km), 1e-12);
        CHECK(m.emf_trapezoid == 0);
        p.datasheet.emf = 1;
        *(double *)((char *)&p + figures[i].at) = figures[i].flat;
        m = derived(&p);
        CLOSE(m.emf_trapezoid, 1, 1e-12);
        CLOSE(m.Kt_block, 2, 1e-12);
        CLOSE(m.Ke, 2, 1e-12);
        CLOSE(m.psi_pm, 12 / (PP_PI * PP_PI) / 4, 1e-12); /* first harmonic of the trapezoid */
        CLOSE(m.tau_m, 2 * 0.5 * 1e-5 / 4, 1e-12);
    }
}

TEST(datasheet_figures)
{
    pp_params p = sheet();
    p.datasheet.psi_pm = 0.005, p.datasheet.mass = 0.3, p.rotor.coulomb_friction = 0.01;
    p.rotor.viscous_friction = 2e-6;
    pp_machine m = derived(&p);
    CHECK(m.Rs == 0.5 && m.Ld == 2e-4 && m.Lq == 2e-4 && m.J == 1e-5 && m.mass == 0.3 &&
          m.pole_pairs == 4);
    CHECK(m.B == 2e-6 && m.T_coulomb == 0.01 && m.B_gap == 0);
    NEAR(m.tau_e, 4e-4, 1e-18);
    p.datasheet.Lq = 3e-4, p.winding.temperature = 70;
    p.datasheet.I_no_load = 0.2, p.datasheet.n_no_load = 400;
    p.winding.connection = 1; /* a sheet's figures are those of the star already */
    m = derived(&p);
    CHECK(m.Lq == 3e-4 && m.psi_pm == 0.005);
    CLOSE(m.Rs, 0.5 * (1 + 50 * 0.00393), 1e-12);
    CLOSE(m.B * 400, 3 * ROOT3 / PP_PI * 4 * 0.005 * 0.2, 1e-12);
    p = sheet();
    p.datasheet.R_phase = 0, p.datasheet.R_ll = 0.8, p.datasheet.Ld = 0, p.datasheet.L_ll = 6e-4;
    p.datasheet.psi_pm = 0.005, p.datasheet.I_no_load = 0.2;
    m = derived(&p);
    CHECK(pp_is_datasheet(&p) && m.Rs == 0.4 && m.Ld == 3e-4 && m.Lq == 3e-4 && m.B == 0);
}

TEST(datasheets_that_do_not_say_enough)
{
    pp_params p = sheet(), q;
    pp_machine m = {.Rs = 77};
    CHECK(pp_machine_derive(&p, &m) == PP_SHEET_FLUX);
    p.datasheet.psi_pm = 0.005;
    CHECK(pp_machine_derive(&p, &m) == PP_OK);
    m.Rs = 77;
    q = p, q.datasheet.Kv = 20;
    CHECK(pp_machine_derive(&q, &m) == PP_SHEET_FLUX);
    q = p, q.datasheet.R_ll = 1;
    CHECK(pp_machine_derive(&q, &m) == PP_SHEET_R);
    q = p, q.datasheet.L_ll = 1e-3;
    CHECK(pp_machine_derive(&q, &m) == PP_SHEET_L);
    q = p, q.datasheet.Ld = 0;
    CHECK(pp_machine_derive(&q, &m) == PP_SHEET_L);
    q = p, q.datasheet.J = 0;
    CHECK(pp_machine_derive(&q, &m) == PP_SHEET_J);
    CHECK(m.Rs == 77);
}

static pp_params geometry(void)
{
    pp_params p;
    pp_params_default(&p);
    CHECK(!pp_is_datasheet(&p));
    return p;
}

/* Every length k times as large: flux k^2, inductance k, resistance 1/k, mass k^3, inertia k^5, the field as before. */
TEST(similar_machines)
{
    for (int kind = 0; kind < 3; kind++) {
        pp_params p = geometry(), q;
        if (kind == 1)
            p.magnet.shape = 1, p.magnet.magnetization = 1, p.stator.slot_shape = 1,
            p.stator.slot_opening = 0;
        if (kind == 2)
            p.stator.slots = 0, p.stator.winding_thickness = 0.002, p.winding.wire_diameter = 3e-4,
            p.rotor.core = 0;
        const double k = 1.7;
        q = p;
        for (int i = 0; i < PP_PARAM_COUNT; i++)
            if (strcmp(pp_param_at(i)->unit, "m") == 0)
                ((double *)&q)[i] *= k;
        pp_dims d;
        CHECK(pp_dims_from(&p, &d) == PP_OK);
        pp_machine a = derived(&p), b = derived(&q);
        CLOSE(b.psi_pm, k * k * a.psi_pm, 1e-9);
        CLOSE(b.psi_5, k * k * a.psi_5, 1e-9);
        CLOSE(b.B_gap, a.B_gap, 1e-9);
        CLOSE(b.B_tooth, a.B_tooth, 1e-9);
        CLOSE(b.B_yoke, a.B_yoke, 1e-9);
        CLOSE(b.L_gap, k * a.L_gap, 1e-9);
        CLOSE(b.L_slot, k * a.L_slot, 1e-9);
        CLOSE(b.L_end, k * a.L_end, 1e-9);
        CLOSE(b.Rs, a.Rs / k, 1e-9);
        CLOSE(b.slot_fill, a.slot_fill, 1e-9);
        CLOSE(b.turn_length, k * a.turn_length, 1e-9);
        /* the end winding's axial room holds a millimetre that does not grow: masses only where it plays no part */
        CLOSE(b.mass_stator, k * k * k * a.mass_stator, 1e-9);
        CLOSE(b.mass_winding, k * k * k * a.mass_winding, 1e-9);
        CLOSE(b.mass_magnets, k * k * k * a.mass_magnets, 1e-9);
        CHECK(b.winding_factor == a.winding_factor &&
              b.differential_leakage == a.differential_leakage);
    }
}

/* N times the turns of one wire each: flux N, inductance N^2; a longer stack: both in proportion. */
TEST(turns_length_and_remanence)
{
    pp_params p = geometry(), q = p;
    p.winding.turns = 6, q.winding.turns = 12;
    pp_machine a = derived(&p), b = derived(&q);
    CLOSE(b.psi_pm, 2 * a.psi_pm, 1e-12);
    CLOSE(b.Ld, 4 * a.Ld, 1e-12);
    CLOSE(b.Rs, 2 * a.Rs, 1e-12);
    CLOSE(b.slot_fill, 2 * a.slot_fill, 1e-12);
    CLOSE(b.mass_winding, 2 * a.mass_winding, 1e-12);
    q = p, q.stator.length *= 1.5;
    b = derived(&q);
    CLOSE(b.psi_pm, 1.5 * a.psi_pm, 1e-12);
    CLOSE(b.L_gap, 1.5 * a.L_gap, 1e-12);
    CLOSE(b.L_slot, 1.5 * a.L_slot, 1e-12);
    CLOSE(b.turn_length, 2 * (0.018 + 0.01), 1e-12);
    q.magnet.length = p.stator.length; /* the shorter of stack and magnet links */
    CLOSE(derived(&q).psi_pm, a.psi_pm, 1e-12);
    q = p, q.magnet.Br = 0.6;
    b = derived(&q);
    CLOSE(b.psi_pm, 0.5 * a.psi_pm, 1e-12);
    CLOSE(b.B_tooth, 0.5 * a.B_tooth, 1e-12);
    q = p, q.magnet.temperature = 120, q.winding.temperature = 120;
    b = derived(&q);
    CLOSE(b.psi_pm, (1 - 0.11) * a.psi_pm, 1e-12);
    CLOSE(b.Rs, (1 + 0.393) * a.Rs, 1e-12);
    CHECK(b.Ld == a.Ld);
}

TEST(paths_strands_and_delta)
{
    pp_params p = geometry(), q = p;
    pp_machine a = derived(&p), b;
    q.winding.parallel_paths = 2;
    b = derived(&q);
    CLOSE(b.Rs, a.Rs / 4, 1e-12);
    CLOSE(b.Ld, a.Ld / 4, 1e-12);
    CLOSE(b.L_end, a.L_end / 4, 1e-12);
    CLOSE(b.psi_pm, a.psi_pm / 2, 1e-12);
    CHECK(b.series_turns == a.series_turns / 2 && b.mass_winding == a.mass_winding);
    q.winding.parallel_paths = 3;
    CHECK(pp_machine_derive(&q, &b) == PP_PARALLEL_PATHS);
    q = p, q.winding.strands = 2, q.winding.wire_diameter = p.winding.wire_diameter / ROOT2;
    b = derived(&q);
    CLOSE(b.Rs, a.Rs, 1e-12);
    CLOSE(b.slot_fill, a.slot_fill, 1e-12);
    q = p, q.winding.connection = 1;
    b = derived(&q);
    CLOSE(b.Rs, a.Rs / 3, 1e-12);
    CLOSE(b.Ld, a.Ld / 3, 1e-12);
    CLOSE(b.Lq, a.Lq / 3, 1e-12);
    CLOSE(b.L_gap + b.L_slot + b.L_end, a.Ld / 3, 1e-12);
    CLOSE(b.psi_pm, a.psi_pm / ROOT3, 1e-12);
    CLOSE(b.psi_5, -a.psi_5 / ROOT3, 1e-12);
    CLOSE(b.psi_7, -a.psi_7 / ROOT3, 1e-12);
    CLOSE(b.L_magnetizing, a.L_magnetizing / 3, 1e-12);
    CLOSE(b.Km, a.Km, 1e-12); /* the copper is the same */
    q = p, q.winding.wire_diameter = 0.001, q.winding.turns = 16;
    double fill = 2 * 16 * PP_PI / 4 * 1e-6;
    pp_dims d;
    CHECK(pp_dims_from(&q, &d) == PP_OK);
    CHECK(pp_machine_derive(&q, &b) == (fill / d.slot_area > 0.85 ? PP_SLOT_FILL : PP_OK));
    q.winding.turns = floor(0.85 * d.slot_area / (2 * PP_PI / 4 * 1e-6));
    CLOSE(derived(&q).slot_fill, 2 * q.winding.turns * PP_PI / 4 * 1e-6 / d.slot_area, 1e-12);
    q.winding.turns += 1;
    CHECK(pp_machine_derive(&q, &b) == PP_SLOT_FILL);
}

/* Sums that have to hold whatever the numbers are. */
TEST(parts_make_the_whole)
{
    for (int kind = 0; kind < 3; kind++) {
        pp_params p = geometry();
        if (kind == 1)
            p.stator.slots = 0, p.stator.winding_thickness = 0.002, p.winding.wire_diameter = 3e-4;
        if (kind == 2)
            p.rotor.viscous_friction = 1e-6, p.rotor.coulomb_friction = 1e-3;
        pp_machine m = derived(&p);
        pp_dims d;
        pp_masses all;
        CHECK(pp_dims_from(&p, &d) == PP_OK);
        pp_masses_from(&p, &d, &all);
        CLOSE(m.Ld, m.L_gap + m.L_slot + m.L_end, 1e-12);
        CHECK(m.Lq == m.Ld);
        CLOSE(m.L_self - m.M_mutual, m.Ld, 1e-12);
        CHECK(m.L_gap > m.L_magnetizing && m.L_magnetizing > 0 && m.L_end > 0);
        CLOSE(m.mass, m.mass_stator + m.mass_rotor + m.mass_winding + m.mass_housing, 1e-12);
        CHECK(m.mass_stator == all.stator.mass && m.mass_teeth == all.teeth &&
              m.J == all.rotor.J_axial);
        CHECK(m.mass_magnets == all.magnets.mass && m.mass_rotor == all.rotor.mass &&
              m.rotor_z == all.rotor.z);
        CHECK(m.mass_housing == all.housing.mass + all.bearings.mass);
        CHECK(m.J_transverse == all.rotor.J_transverse);
        CHECK(m.B == p.rotor.viscous_friction && m.T_coulomb == p.rotor.coulomb_friction &&
              m.pole_pairs == 7);
        double coils = 3 * m.series_turns, wire = PP_PI / 4 * pow(p.winding.wire_diameter, 2);
        CLOSE(m.Rs, 1.73e-8 * m.series_turns * m.turn_length / wire, 1e-12);
        CLOSE(m.mass_winding, 8900 * coils * m.turn_length * wire, 1e-12);
        CHECK(kind == 1 ? m.carter == 1 && m.L_slot == 0 && m.B_tooth == 0
                        : m.carter > 1 && m.B_tooth > 0.5);
        CHECK(m.series_turns == (kind == 1 ? 70 : 40));
    }
}

/* A thin gap and closed slots: textbook inductance 6 mu0 r L (kw N)^2 / (pi p^2 g), times 1 + sigma_d with the harmonics. */
TEST(inductance_of_a_thin_gap)
{
    pp_params p = geometry();
    p.rotor.topology = 0;
    p.stator.gap_radius = 0.2, p.stator.yoke_radius = 0.3, p.stator.slot_depth = 0.05,
    p.stator.slots = 24;
    p.stator.tooth_width = 0.02, p.stator.slot_opening = 5e-4, p.rotor.pole_pairs = 2,
    p.rotor.gap = 1e-3;
    p.magnet.thickness = 2.1e-3, p.material.mu_r = 1e5, p.rotor.shaft_radius = 0,
    p.rotor.core_thickness = 0.1;
    p.winding.coil_span = 5;
    pp_machine m = derived(&p);
    double g = 1e-3 + 2.1e-3 / 1.05, kwN = m.winding_factor * m.series_turns;
    CLOSE(m.L_magnetizing, 6 * PP_MU0 * 0.2 * 0.012 * kwN * kwN / (PP_PI * 4 * g), 2e-2);
    CLOSE(m.L_gap, m.L_magnetizing * (1 + m.differential_leakage), 2e-2);
    /* the fundamental of the field, and the flux that it links: 2/pi B times the pole's area per turn */
    double wave = 1.2 * 2.1 / (2.1 + 1.05 * 1) * 4 / PP_PI * sin(0.85 * PP_PI / 2);
    CLOSE(m.B_gap, wave, 2e-2);
    CLOSE(m.psi_pm, kwN * 2 * 0.2 * 0.012 / 2 * wave, 2e-2);
    /* tooth and yoke carry the flux of a slot pitch and half a pole of the trapezoidal field */
    double flat = 1.2 * 2.1 / 3.15;
    CLOSE(m.B_tooth, flat * 2 * PP_PI * 0.2 / 24 / (0.02 * 0.96), 0.2);
    CLOSE(m.B_yoke, flat * 0.85 * PP_PI * 0.2 / 4 / (0.05 * 0.96), 3e-2);
    /* iron in series lowers everything alike */
    p.material.mu_r = 200;
    pp_machine soft = derived(&p);
    CHECK(soft.B_gap < 0.99 * m.B_gap);
    CLOSE(soft.psi_pm / m.psi_pm, soft.B_gap / m.B_gap, 1e-12);
    CLOSE(soft.L_gap / m.L_gap, soft.B_gap / m.B_gap, 1e-5);
    CLOSE(soft.B_tooth / m.B_tooth, soft.B_gap / m.B_gap, 1e-12);
    CLOSE(soft.B_yoke / m.B_yoke, soft.B_gap / m.B_gap, 1e-12);
    /* magnetomotive force along half a path: gap, tooth, quarter of the yoke, quarter of the core */
    double reach = PP_PI / 8, tooth = m.B_tooth * 0.05, yoke = m.B_yoke * reach * (0.3 + 0.25) / 2;
    double core = m.B_yoke * 0.05 / 0.1 * reach * (0.1969 + 0.0969) / 2;
    double ratio = (tooth + yoke + core) / (m.B_gap * g * m.carter);
    CLOSE(soft.B_gap / m.B_gap, (1 + ratio / 1e5) / (1 + ratio / 200), 1e-3);
}

/* Mutual inductance of two parallel bars by Neumann's integral. */
static double neumann(double length, double apart)
{
    enum { N = 2000 };
    double sum = 0, h = length / N;
    for (int k = -N + 1; k < N; k++)
        sum += (N - fabs((double)k)) * h * h / hypot(k * h, apart);
    return sum * PP_MU0 / (4 * PP_PI);
}

TEST(slot_and_end_inductance)
{
    pp_params p = geometry();
    p.winding.layers = 1, p.rotor.pole_pairs = 2, p.winding.end_length = 0.02, p.winding.turns = 5;
    pp_machine m = derived(&p);
    pp_dims d;
    CHECK(pp_dims_from(&p, &d) == PP_OK);
    /* one phase to a slot, four slots to a phase */
    CLOSE(m.L_slot, PP_MU0 * 0.012 * d.slot_permeance * 25 * 4, 1e-12);
    double gmd = 0.447 * sqrt(d.slot_area), back = neumann(0.02, 0.012 + gmd);
    double own = PP_MU0 / (2 * PP_PI) * 0.02 * (log(2 * 0.02 / gmd) - 1);
    CLOSE(m.L_end, 2 * 25 * 2 * (own - back), 1e-3);
    p.winding.layers = 2; /* two coil sides share a slot: a bundle of half the area */
    m = derived(&p);
    gmd = 0.447 * sqrt(d.slot_area / 2), back = neumann(0.02, 0.012 + gmd);
    own = PP_MU0 / (2 * PP_PI) * 0.02 * (log(2 * 0.02 / gmd) - 1);
    CLOSE(m.L_end, 4 * 25 * 2 * (own - back), 1e-3);
    p.winding.end_length = 0;
    CHECK(derived(&p).L_end == 0);
}

/* Coils of two thirds of a pole pitch: in every slot the conductors of the phases add up to none, so neither field nor slot
 * knows a zero sequence, and what one phase links is what the two others take away. */
TEST(no_zero_sequence)
{
    pp_params p = geometry();
    p.rotor.pole_pairs = 2, p.winding.coil_span = 2;
    pp_machine m = derived(&p);
    CHECK(m.L_gap > 0 && m.M_mutual < 0);
    NEAR(m.L_self - m.L_end + 2 * m.M_mutual, 0, 1e-9 * m.L_self);
    NEAR(m.L_gap + m.L_slot, 1.5 * (m.L_self - m.L_end), 1e-9 * m.L_self);
}

void unit_machine(void)
{
    conventions_of_datasheets();
    datasheet_figures();
    datasheets_that_do_not_say_enough();
    similar_machines();
    turns_length_and_remanence();
    paths_strands_and_delta();
    parts_make_the_whole();
    inductance_of_a_thin_gap();
    slot_and_end_inductance();
    no_zero_sequence();
}
