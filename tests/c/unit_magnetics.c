/* winding.h and magnetics.h: published windings, fields that have a closed solution of another kind. */
#include "unit.h"

#include "polepair/magnetics.h"
#include "polepair/winding.h"

static pp_winding w;

/* |sum of conductors e^(j nu theta)| of a phase, term by term. */
static double phasor(int phase, int order, double *angle)
{
    double re = 0, im = 0;
    for (int i = 0; i < w.slots; i++) {
        re += w.conductors[phase][i] * cos(2 * PP_PI * order * i / w.slots);
        im += w.conductors[phase][i] * sin(2 * PP_PI * order * i / w.slots);
    }
    *angle = atan2(im, re);
    return hypot(re, im);
}

TEST(published_windings)
{
    static const struct {
        int slots, pairs, layers, span;
        double factor, leakage;
    } known[] = {
        {12, 7, 2, 1, 0.9330, 2.858},       {12, 5, 2, 1, 0.9330, 0.968},
        {9, 3, 2, 1, 0.8660, 0.462},        {12, 4, 2, 1, 0.8660, 0.462},
        {18, 8, 2, 1, 0.9452, 1.182},       {36, 21, 2, 1, 0.9330, 2.858},
        {48, 4, 2, 6, 0.9659, 0.0284},      {12, 5, 1, 1, 0.9659, -1},
        {24, 2, 1, 5, 0.9659 * 0.9659, -1}, {36, 2, 1, 9, 0.9598, -1},
        {24, 11, 2, 1, 0.9495, -1},
    };
    for (size_t k = 0; k < sizeof known / sizeof known[0]; k++) {
        int layers = known[k].layers;
        CHECK(pp_winding_layout(known[k].slots, known[k].pairs, layers, 0, &w) == PP_OK);
        if (known[k].slots != 24 || layers == 2)
            CHECK(w.span == known[k].span);
        CHECK(w.slots == known[k].slots && w.pole_pairs == known[k].pairs && w.layers == layers);
        CHECK(w.coils_per_phase * 3 * (layers == 1 ? 2 : 1) == w.slots);
        double a, b, c, A = phasor(0, w.pole_pairs, &a), B = phasor(1, w.pole_pairs, &b);
        NEAR(A / (2 * w.coils_per_phase), known[k].factor,
             known[k].slots == 24 && layers == 1 ? 0.04 : 7e-4);
        NEAR(A, B, 1e-9);
        NEAR(phasor(2, w.pole_pairs, &c), A, 1e-9);
        NEAR(fabs(sin(1.5 * (b - a))), 0, 1e-9); /* a third of a turn apart */
        NEAR(sin(b - a), -sin(c - a), 1e-9);
        CHECK(sin(b - a) > 0.8); /* phase b follows phase a */
        if (known[k].leakage > 0)
            NEAR(pp_winding_differential_leakage(&w), known[k].leakage, 6e-4);
    }
}

TEST(coils_and_conductors_agree)
{
    static int8_t sum[3][PP_SLOTS_MAX];
    const int cases[][4] = {
        {12, 7, 2, 0}, {36, 2, 2, 8}, {24, 2, 1, 0}, {12, 5, 1, 1}, {240, 40, 2, 0}};
    for (int k = 0; k < 5; k++) {
        CHECK(pp_winding_layout(cases[k][0], cases[k][1], cases[k][2], cases[k][3], &w) == PP_OK);
        CHECK(cases[k][3] == 0 || w.span == cases[k][3]);
        memset(sum, 0, sizeof sum);
        int count[3] = {0, 0, 0};
        for (int i = 0; i < w.slots; i++) {
            int coil = w.coil_phase[i], row = (coil < 0 ? -coil : coil) - 1,
                sign = coil < 0 ? -1 : 1;
            CHECK(cases[k][2] == 2 ? coil != 0 : (coil != 0) == (i % 2 == 0));
            if (!coil)
                continue;
            count[row]++;
            sum[row][i] = (int8_t)(sum[row][i] + sign);
            sum[row][(i + w.span) % w.slots] = (int8_t)(sum[row][(i + w.span) % w.slots] - sign);
        }
        for (int row = 0; row < 3; row++)
            CHECK(count[row] == w.coils_per_phase &&
                  !memcmp(sum[row], w.conductors[row], PP_SLOTS_MAX));
    }
}

TEST(spectrum_is_the_transform)
{
    static double re[PP_SLOTS_MAX / 2 + 1], im[PP_SLOTS_MAX / 2 + 1];
    CHECK(pp_winding_layout(36, 5, 2, 0, &w) == PP_OK);
    for (int phase = 0; phase < 3; phase++) {
        pp_winding_spectrum(&w, phase, re, im);
        for (int order = 0; order <= 18; order++) {
            double angle, size = phasor(phase, order, &angle);
            NEAR(re[order], size * cos(angle), 1e-12);
            NEAR(im[order], size * sin(angle), 1e-12);
        }
    }
}

TEST(impossible_windings_are_refused)
{
    static const struct {
        int slots, pairs, layers, span;
        pp_status status;
    } bad[] = {
        {10, 4, 2, 0, PP_UNBALANCED},   {12, 3, 2, 0, PP_UNBALANCED}, {2, 1, 2, 0, PP_UNBALANCED},
        {243, 1, 2, 0, PP_UNBALANCED},  {12, 0, 2, 0, PP_UNBALANCED}, {9, 4, 1, 0, PP_SINGLE_LAYER},
        {12, 5, 1, 2, PP_SINGLE_LAYER}, {12, 5, 2, 12, PP_COIL_SPAN}, {12, 4, 2, 3, PP_COIL_SPAN},
        {12, 4, 2, 6, PP_COIL_SPAN},
    };
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        w.slots = 77;
        CHECK(pp_winding_layout(bad[k].slots, bad[k].pairs, bad[k].layers, bad[k].span, &w) ==
              bad[k].status);
        CHECK(w.slots == 77);
    }
    CHECK(pp_winding_layout(3, 1, 2, 0, &w) == PP_OK && w.span == 1);
    CHECK(pp_winding_layout(240, 1, 2, 0, &w) == PP_OK && w.span == 120);
    CHECK(pp_winding_layout(12, 5, 2, 11, &w) == PP_OK);
}

void unit_winding(void)
{
    published_windings();
    coils_and_conductors_agree();
    spectrum_is_the_transform();
    impossible_windings_are_refused();
}

static pp_annulus annulus(int pairs, bool outer)
{
    pp_annulus a = {
        .r_stator = 0.03, .r_magnet = 0.028, .r_base = 0.022, .Br = 1.2, .mu_r = 1, .arc = 0.8};
    a.pole_pairs = pairs;
    if (outer)
        a.r_stator = 0.022, a.r_magnet = 0.024, a.r_base = 0.03;
    return a;
}

/* Radial magnetisation of permeability 1 is a distribution of charges: M on one face, -M on the other, -M/r between. The
 * potential of a charged cylinder is known, and iron is an image. Peak radial field of harmonic nu at r, outside. */
static double by_charges(const pp_annulus *a, double r, double nu)
{
    double n = nu / a->pole_pairs, face = a->r_magnet, base = a->r_base, sum;
    double M = a->Br / PP_MU0 * 4 / (n * PP_PI) * sin(n * a->arc * PP_PI / 2);
    if (face > base) { /* outwards: a charge at q gives q (q/r)^nu / (2 nu) */
        sum = pow(face, nu + 1) - pow(base, nu + 1) -
              (pow(face, nu + 1) - pow(base, nu + 1)) / (nu + 1);
        if (a->rotor_iron) /* images in the iron at the base; its own charge is shorted */
            sum += -pow(base, 2 * nu) * (pow(face, 1 - nu) - pow(base, 1 - nu)) +
                   pow(base, 2 * nu) * (pow(face, 1 - nu) - pow(base, 1 - nu)) / (1 - nu);
        double A = M * sum / (2 * nu), B = A * nu * pow(r, -nu - 1);
        return PP_MU0 * B;
    }
    sum =
        pow(base, 1 - nu) - pow(face, 1 - nu) - (pow(base, 1 - nu) - pow(face, 1 - nu)) / (1 - nu);
    if (a->rotor_iron)
        sum += -pow(base, -2 * nu) * (pow(base, 1 + nu) - pow(face, 1 + nu)) +
               pow(base, -2 * nu) * (pow(base, 1 + nu) - pow(face, 1 + nu)) / (1 + nu);
    return -PP_MU0 * M * sum / 2 * pow(r, nu - 1);
}

TEST(fields_of_charges)
{
    for (int outer = 0; outer < 2; outer++)
        for (int iron = 0; iron < 2; iron++)
            for (int pairs = 2; pairs <= 7; pairs++)
                for (int n = 1; n <= 7; n += 2) {
                    pp_annulus a = annulus(pairs, outer);
                    a.rotor_iron = iron;
                    pp_field f = pp_field_harmonic(&a, n);
                    CHECK(f.order == n * pairs && f.ratio == 0);
                    for (int k = 0; k <= 2; k++) {
                        double r = a.r_magnet + k * 0.5 * (a.r_stator - a.r_magnet);
                        CLOSE(pp_field_at(&a, &f, r), by_charges(&a, r, f.order), 1e-9);
                    }
                }
}

/* Iron of the stator without iron behind the magnets: the image of every charge. */
TEST(stator_iron_is_an_image)
{
    for (int outer = 0; outer < 2; outer++)
        for (int n = 1; n <= 5; n += 2) {
            pp_annulus a = annulus(3, outer);
            double r = 0.3 * a.r_stator + 0.7 * a.r_magnet, nu = 3 * n;
            double open = by_charges(&a, r, nu),
                   image = pow(r / a.r_stator, outer ? -2 * nu : 2 * nu);
            a.stator_iron = true;
            pp_field f = pp_field_harmonic(&a, n);
            CLOSE(pp_field_at(&a, &f, r), open * (1 + image), 1e-9);
            CLOSE(f.ratio, pow(outer ? 0.022 / 0.024 : 0.028 / 0.03, nu), 1e-12);
        }
}

/* A cylinder magnetised across: a dipole outside, nothing inside; the iron adds its image. */
TEST(two_poles_magnetised_in_parallel)
{
    pp_annulus a = annulus(1, false);
    a.parallel = true, a.arc = 1;
    pp_field f = pp_field_harmonic(&a, 1);
    double moment = 0.5 * 1.2 * (0.028 * 0.028 - 0.022 * 0.022);
    CLOSE(pp_field_at(&a, &f, 0.029), moment / (0.029 * 0.029), 1e-9);
    a.stator_iron = true;
    f = pp_field_harmonic(&a, 1);
    CLOSE(pp_field_at(&a, &f, 0.029), moment * (1 / (0.029 * 0.029) + 1 / (0.03 * 0.03)), 1e-9);
    a = annulus(1, true);
    a.parallel = true, a.arc = 1;
    f = pp_field_harmonic(&a, 1);
    NEAR(pp_field_at(&a, &f, 0.023), 0, 1e-12);
}

/* Where the gap is thin against the pole, the field is the series circuit of magnet and gap. */
TEST(thin_gaps_are_one_dimensional)
{
    for (int k = 0; k < 16; k++) {
        double mu = 1 + 0.2 * (k % 2), sign = k % 8 < 4 ? 1 : -1, arc = 0.7;
        pp_annulus a = {.r_stator = 1, .r_magnet = 1 - sign * 1e-3, .r_base = 1 - sign * 4e-3};
        a.Br = 1.1, a.mu_r = mu, a.arc = arc, a.pole_pairs = k < 8 ? 1 : 3;
        a.stator_iron = a.rotor_iron = true, a.parallel = k % 4 > 1 && a.pole_pairs == 3;
        pp_field f = pp_field_harmonic(&a, 1);
        double flat = 1.1 * 3 / (3 + mu), wave = flat * 4 / PP_PI * sin(arc * PP_PI / 2);
        if (a.parallel) /* the radial part of a field across, over the arc, at three pole pairs */
            wave = flat * 2 / PP_PI *
                   (sin(arc * PP_PI / 2 * 2 / 3) * 1.5 + sin(arc * PP_PI / 2 * 4 / 3) * 0.75);
        CLOSE(pp_field_at(&a, &f, a.r_stator), wave, 8e-3);
        CLOSE(pp_naive_gap_field(1.1, mu, 3e-3, 1e-3, 1, arc),
              flat * 4 / PP_PI * sin(arc * PP_PI / 2), 1e-12);
    }
    CLOSE(pp_naive_gap_field(1, 1, 3e-3, 1e-3, 1.5, 1), 4 / PP_PI * 3 / 4.5, 1e-12);
}

/* Carter's factor against the approximation that every textbook prints. */
TEST(carter_factors)
{
    for (int k = 1; k <= 40; k++) {
        double b = 0.0005 * k, g = 0.002, pitch = 0.03, x = b / g;
        double gamma = (pitch - pitch / pp_carter(b, pitch, g)) / g;
        NEAR(gamma, x * x / (5 + x), 0.11 * x);
        CHECK(pp_carter(b, pitch, g) > 1 && pp_carter(b + 1e-4, pitch, g) > pp_carter(b, pitch, g));
    }
    NEAR(pp_carter(1e-7, 0.03, 0.002), 1, 1e-8);
    /* b = 2 g: gamma = 4/pi (pi/4 - ln 2 / 2) */
    CLOSE(pp_carter(0.004, 0.03, 0.002), 0.03 / (0.03 - 0.002 * (1 - 2 * log(2) / PP_PI)), 1e-12);
}

void unit_magnetics(void)
{
    fields_of_charges();
    stator_iron_is_an_image();
    two_poles_magnetised_in_parallel();
    thin_gaps_are_one_dimensional();
    carter_factors();
}
