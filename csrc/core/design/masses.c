/* Mass and inertia of every part in closed form. */
#include "polepair/math.h"
#include "polepair/geometry.h"

/* A prism with at least threefold symmetry: section area and polar moment, extruded over `length` about height z. */
static pp_body prism(double area, double polar, double length, double z, double density)
{
    double mass = density * area * length, J = density * polar * length;
    return (pp_body){area * length, mass, z, J, 0.5 * J + mass * length * length / 12};
}

static pp_body ring(double r_in, double r_out, double length, double z, double density)
{
    if (r_out <= r_in || length <= 0)
        return (pp_body){0, 0, 0, 0, 0};
    double a2 = r_in * r_in, b2 = r_out * r_out;
    return prism(PP_PI * (b2 - a2), 0.5 * PP_PI * (b2 * b2 - a2 * a2), length, z, density);
}

/* Sum of two bodies on the axis (parallel-axis theorem). */
static pp_body join(pp_body a, pp_body b)
{
    double mass = a.mass + b.mass, apart = a.z - b.z;
    if (mass == 0)
        return a;
    double shift = a.mass * b.mass / mass * apart * apart;
    return (pp_body){a.volume + b.volume, mass, (a.mass * a.z + b.mass * b.z) / mass,
                     a.J_axial + b.J_axial, a.J_transverse + b.J_transverse + shift};
}

static pp_body stator_body(const pp_params *p, const pp_dims *d, double *teeth)
{
    double density =
        p->material.density_stator * (p->stator.core > 0.5 ? p->stator.stacking_factor : 1);
    double in = pp_smaller(d->r_yoke, d->r_bottom), out = pp_larger(d->r_yoke, d->r_bottom);
    pp_body whole = ring(in, out, p->stator.length, 0, density);
    *teeth = 0;
    if (p->stator.slots < 0.5)
        return whole;
    pp_vertex v[PP_PITCH_VERTICES + 2];
    int n = pp_tooth_contour(p, d, v);
    v[n - 1].arc = true; /* back along the slot bottom: the tooth alone */
    pp_section tooth = pp_outline_section(v, n);
    double q = p->stator.slots;
    pp_body all = prism(q * pp_magnitude(tooth.area), q * pp_magnitude(tooth.polar),
                        p->stator.length, 0, density);
    *teeth = all.mass;
    return join(whole, all);
}

static pp_body magnets_body(const pp_params *p, const pp_dims *d)
{
    pp_vertex v[PP_MAGNET_VERTICES];
    pp_section one = pp_outline_section(v, pp_magnet_outline(p, d, v));
    double poles = 2 * p->rotor.pole_pairs;
    return prism(poles * one.area, poles * one.polar, d->magnet_length, 0,
                 p->material.density_magnet);
}

/* Section of the rotor core: a ring whose magnet side has flats where the magnets are flat. */
static pp_section core_section(const pp_params *p, const pp_dims *d)
{
    double c2 = d->r_corner * d->r_corner, k2 = d->r_core * d->r_core, side = d->sign;
    pp_section s = {PP_PI * side * (c2 - k2), 0.5 * PP_PI * side * (c2 * c2 - k2 * k2)};
    if (p->magnet.shape > 0.5) {
        double half = 0.5 * p->magnet.width, poles = 2 * p->rotor.pole_pairs;
        pp_vertex v[2] = {{d->r_base, -half, true}, {d->r_base, half, false}};
        pp_section cap = pp_outline_section(v, 2);
        s.area -= side * poles * cap.area;
        s.polar -= side * poles * cap.polar;
    }
    return s;
}

/* Core ring and web: the bell of an outer rotor reaches over the end winding to its web. */
static void core_bodies(const pp_params *p, const pp_dims *d, pp_masses *m)
{
    double L = p->stator.length, e = d->sign < 0 ? d->overhang : 0, t = p->rotor.web_thickness;
    double density = p->material.density_rotor;
    pp_section s = core_section(p, d);
    m->rotor_core = prism(s.area, s.polar, L, 0, density);
    if (d->sign > 0) {
        m->web = ring(d->r_shaft, d->r_core, pp_smaller(t, L), 0, density);
        return;
    }
    m->rotor_core = join(m->rotor_core, ring(d->r_corner, d->r_core, e, -0.5 * (L + e), density));
    m->web = ring(d->r_shaft, d->r_core, t, -0.5 * (L + t) - e, density);
}

static void fixed_bodies(const pp_params *p, const pp_dims *d, pp_masses *m)
{
    double L = p->stator.length, e = d->overhang, h = p->material.housing_thickness,
           b = p->rotor.bearing_width;
    double rb = p->rotor.bearing_radius,
           z = d->sign > 0 ? 0.5 * L + e + 0.5 * b : pp_larger(0.5 * (L - b), 0);
    double steel = p->material.density_rotor, shell = p->material.density_housing;
    bool bearings = b > 0 && d->r_shaft > 0;
    m->bearings = join(ring(d->r_shaft, rb, bearings ? b : 0, z, steel),
                       ring(d->r_shaft, rb, bearings ? b : 0, -z, steel));
    double bore = bearings ? rb : d->r_shaft;
    if (h <= 0) {
        m->housing = (pp_body){0, 0, 0, 0, 0};
    } else if (d->sign > 0) {
        pp_body cap = ring(bore, d->r_housing, h, 0.5 * (L + h) + e, shell), other = cap;
        other.z = -cap.z;
        m->housing = join(ring(d->r_yoke, d->r_housing, L + 2 * e, 0, shell), join(cap, other));
    } else {
        m->housing = join(ring(bore, d->r_yoke, L, 0, shell),
                          ring(bore, d->r_gap, h, 0.5 * (L + h) + e, shell));
    }
}

void pp_masses_from(const pp_params *p, const pp_dims *d, pp_masses *m)
{
    m->stator = stator_body(p, d, &m->teeth);
    core_bodies(p, d, m);
    m->magnets = magnets_body(p, d);
    m->shaft = ring(0, d->r_shaft, p->rotor.shaft_length, 0, p->material.density_rotor);
    fixed_bodies(p, d, m);
    m->rotor = join(join(m->rotor_core, m->web), join(m->magnets, m->shaft));
}
