/* Copper and iron loss. */
#include "polepair/machine.h"
#include "polepair/math.h"

double pp_copper_loss(const pp_machine *m, double id, double iq)
{
    return 1.5 * m->Rs * (id * id + iq * iq);
}

/* Loss of a kilogram [W/kg] at a frequency [Hz] and peak flux density [T]. */
static double bertotti(const pp_params *p, double f, double B)
{
    const double fB = f * B;
    return p->material.hysteresis * fB * B + p->material.eddy * fB * fB +
           p->material.excess * fB * pp_root(fB);
}

double pp_iron_loss(const pp_params *p, const pp_machine *m, double omega_m)
{
    const double f = pp_magnitude(omega_m) * m->pole_pairs / (2 * PP_PI);
    const double yoke = m->mass_stator - m->mass_teeth;
    return m->mass_teeth * bertotti(p, f, m->B_tooth) + yoke * bertotti(p, f, m->B_yoke);
}
