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
    double M = a->Br / PP_MU0,
           half = a->arc * PP_PI / 2; /* half the magnet, in electrical radians */
    int nu = n * a->pole_pairs;
    if (!a->parallel)
        return (magnetisation){2 * M * a->arc * sinc(n * half), 0};
    double A1 = sinc((nu + 1) * half / a->pole_pairs), A2 = sinc((nu - 1) * half / a->pole_pairs);
    return (magnetisation){M * a->arc * (A1 + A2), M * a->arc * (A1 - A2)};
}

/* Particular solution of the potential in the magnet, over cos(nu theta): value and slope at r (reference radius r0). */
static void particular(double strength, int nu, double mu_r, double r, double r0, double *value,
                       double *slope)
{
    if (nu == 1) {
        double ln = pp_log(r / r0);
        *value = strength / (2 * mu_r) * r * ln;
        *slope = strength / (2 * mu_r) * (ln + 1);
    } else {
        *slope = strength / (mu_r * (1.0 - (double)nu * nu));
        *value = *slope * r;
    }
}

pp_field pp_field_harmonic(const pp_annulus *a, int n)
{
    PP_ASSERT(n > 0 && n % 2 == 1);
    int nu = n * a->pole_pairs;
    double sign = a->r_magnet > a->r_base ? 1 : -1; /* +1: the stator is outside the magnet */
    double near = sign > 0 ? a->r_magnet / a->r_stator : a->r_stator / a->r_magnet;
    double thick = sign > 0 ? a->r_base / a->r_magnet : a->r_magnet / a->r_base;
    double u = a->stator_iron ? pp_powi(near, nu) : 0, v = pp_powi(thick, nu);
    double c_air = (1 + u * u) / (1 - u * u), c_mag = (1 + v * v) / (1 - v * v),
           c_cross = 2 * v / (1 - v * v);
    magnetisation m = magnetise(a, n);
    double strength = m.radial + nu * m.tangential, face, face_slope, base, base_slope;
    particular(strength, nu, a->mu_r, a->r_magnet, a->r_base, &face, &face_slope);
    particular(strength, nu, a->mu_r, a->r_base, a->r_base, &base, &base_slope);
    double kf = sign * nu / a->r_magnet, kb = sign * nu / a->r_base, mu = a->mu_r;
    /* Continuity of B_r at the face:  p11 P + p12 e = q1, with P the potential at the face, e the one at the base.
     * Iron behind the base holds e = 0; air there adds continuity of B_r at the base:  p21 P + p22 e = q2. */
    double p11 = kf * (c_air + mu * c_mag), p12 = -mu * kf * c_cross;
    double q1 = m.radial + mu * (kf * c_mag * face - face_slope - kf * c_cross * base);
    double potential = q1 / p11;
    if (!a->rotor_iron) {
        double p21 = -mu * kb * c_cross, p22 = kb * (1 + mu * c_mag);
        double q2 = -(m.radial - mu * (base_slope - kb * c_cross * face + kb * c_mag * base));
        potential = (q1 * p22 - p12 * q2) / (p11 * p22 - p12 * p21);
    }
    return (pp_field){potential, u, nu};
}

double pp_field_at(const pp_annulus *a, const pp_field *field, double r)
{
    int nu = field->order;
    double outside = a->r_magnet > a->r_base ? 1 : -1;
    double fall = outside > 0 ? a->r_magnet / r : r / a->r_magnet; /* <= 1 in the air region */
    double far = pp_powi(fall, nu),
           near = field->ratio == 0 ? 0 : field->ratio * field->ratio / far;
    return PP_MU0 * field->potential * outside * nu / r * (far + near) /
           (1 - field->ratio * field->ratio);
}

double pp_carter(double opening, double pitch, double gap)
{
    double x = opening / (2 * gap);
    double gamma = 4 / PP_PI * (x * pp_atan(x) - 0.5 * pp_log(1 + x * x));
    return pitch / (pitch - gamma * gap);
}

double pp_naive_gap_field(double Br, double mu_r, double thickness, double gap, double carter,
                          double arc)
{
    double flat = Br * thickness / (thickness + mu_r * gap * carter);
    return 4 / PP_PI * flat * pp_sin(arc * PP_PI / 2);
}
