/* Open-circuit field of surface magnets, Carter's factor. */
#include "polepair/magnetics.h"

#include "polepair/math.h"

/* Fourier components of the magnetisation: M_r cos(nu theta), M_t sin(nu theta), in A/m. */
typedef struct magnetisation {
    double radial, tangential;
} magnetisation;

/* sin(x)/x, also at 0. */
static double sinc(double x) { return pp_magnitude(x) < 1e-8 ? 1 : pp_sin(x) / x; }

static magnetisation magnetise(const pp_annulus *a, int n)
{
    const double M = a->Br / PP_MU0;
    const double half = a->arc * PP_PI / 2; /* half the magnet, in electrical radians */
    if (!a->parallel)
        return (magnetisation){2 * M * a->arc * sinc(n * half), 0};
    const int nu = n * a->pole_pairs;
    const double A1 = sinc((nu + 1) * half / a->pole_pairs);
    const double A2 = sinc((nu - 1) * half / a->pole_pairs);
    return (magnetisation){M * a->arc * (A1 + A2), M * a->arc * (A1 - A2)};
}

/* A potential over cos(nu theta) at some radius. */
typedef struct potential {
    double value; /* [A] */
    double slope; /* over the radius [A/m] */
} potential;

/* Particular solution of the potential in the magnet at r (reference radius r0). */
static potential particular(double strength, int nu, double mu_r, double r, double r0)
{
    if (nu == 1) {
        const double ln = pp_log(r / r0);
        return (potential){strength / (2 * mu_r) * r * ln, strength / (2 * mu_r) * (ln + 1)};
    }
    const double slope = strength / (mu_r * (1.0 - (double)nu * nu));
    return (potential){slope * r, slope};
}

/* +1: the stator is outside the magnet, -1: inside. */
static double stator_side(const pp_annulus *a) { return a->r_magnet > a->r_base ? 1 : -1; }

/* Ratio of two radii, below 1. */
static double radius_ratio(double r, double other) { return r < other ? r / other : other / r; }

pp_field pp_field_harmonic(const pp_annulus *a, int n)
{
    PP_ASSERT(n > 0 && n % 2 == 1);
    PP_ASSERT(a->r_base > 0 && a->r_magnet > 0 && a->r_stator > 0);
    const int nu = n * a->pole_pairs;
    const double side = stator_side(a);
    const double mu = a->mu_r;
    const double air = a->stator_iron ? pp_powi(radius_ratio(a->r_magnet, a->r_stator), nu) : 0;
    const double magnet = pp_powi(radius_ratio(a->r_base, a->r_magnet), nu);
    const double c_air = (1 + air * air) / (1 - air * air);
    const double c_mag = (1 + magnet * magnet) / (1 - magnet * magnet);
    const double c_cross = 2 * magnet / (1 - magnet * magnet);
    const magnetisation m = magnetise(a, n);
    const double strength = m.radial + nu * m.tangential;
    const potential face = particular(strength, nu, mu, a->r_magnet, a->r_base);
    const potential base = particular(strength, nu, mu, a->r_base, a->r_base);
    const double k_face = side * nu / a->r_magnet;
    const double k_base = side * nu / a->r_base;
    /* Continuity of B_r at the face:  p11 P + p12 e = q1, with P the potential at the face, e the
     * one at the base. Iron behind the base holds e = 0; air there adds continuity of B_r at the
     * base:  p21 P + p22 e = q2. */
    const double p11 = k_face * (c_air + mu * c_mag);
    const double p12 = -mu * k_face * c_cross;
    const double q1 =
        m.radial + mu * (k_face * c_mag * face.value - face.slope - k_face * c_cross * base.value);
    double P = q1 / p11;
    if (!a->rotor_iron) {
        const double p21 = -mu * k_base * c_cross;
        const double p22 = k_base * (1 + mu * c_mag);
        const double q2 = -(m.radial - mu * (base.slope - k_base * c_cross * face.value +
                                             k_base * c_mag * base.value));
        P = (q1 * p22 - p12 * q2) / (p11 * p22 - p12 * p21);
    }
    return (pp_field){.potential = P, .ratio = air, .order = nu};
}

double pp_field_at(const pp_annulus *a, const pp_field *field, double r)
{
    PP_ASSERT(r > 0);
    const int nu = field->order;
    const double side = stator_side(a);
    const double fall = side > 0 ? a->r_magnet / r : r / a->r_magnet; /* <= 1 in the air */
    const double far = pp_powi(fall, nu);
    const double ratio2 = field->ratio * field->ratio;
    const double near = field->ratio == 0 ? 0 : ratio2 / far;
    return PP_MU0 * field->potential * side * nu / r * (far + near) / (1 - ratio2);
}

double pp_carter(double opening, double pitch, double gap)
{
    PP_ASSERT(gap > 0 && pitch > 0);
    const double x = opening / (2 * gap);
    const double gamma = 4 / PP_PI * (x * pp_atan(x) - 0.5 * pp_log(1 + x * x));
    return pitch / (pitch - gamma * gap);
}

double pp_naive_gap_field(double Br, double mu_r, double thickness, double gap, double carter,
                          double arc)
{
    double flat = Br * thickness / (thickness + mu_r * gap * carter);
    return 4 / PP_PI * flat * pp_sin(arc * PP_PI / 2);
}
