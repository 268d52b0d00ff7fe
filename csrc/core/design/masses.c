/* Mass and inertia of every part in closed form. */
#include "polepair/math.h"
#include "polepair/geometry.h"

/* A prism with at least threefold symmetry: section area and polar moment, extruded over
 * `length` about height z. */
static pp_body prism(double area, double polar, double length, double z, double density)
{
    const double mass = density * area * length;
    const double J = density * polar * length;
    return (pp_body){
        .volume = area * length,
        .mass = mass,
        .z = z,
        .J_axial = J,
        .J_transverse = 0.5 * J + mass * length * length / 12,
    };
}

static pp_body ring(double r_in, double r_out, double length, double z, double density)
{
    if (r_out <= r_in || length <= 0)
        return (pp_body){0};
    const double in2 = r_in * r_in;
    const double out2 = r_out * r_out;
    return prism(PP_PI * (out2 - in2), 0.5 * PP_PI * (out2 * out2 - in2 * in2), length, z, density);
}

/* Sum of two bodies on the axis (parallel-axis theorem). */
static pp_body join(pp_body a, pp_body b)
{
    const double mass = a.mass + b.mass;
    const double apart = a.z - b.z;
    if (mass == 0)
        return a;
    const double shift = a.mass * b.mass / mass * apart * apart;
    return (pp_body){
        .volume = a.volume + b.volume,
        .mass = mass,
        .z = (a.mass * a.z + b.mass * b.z) / mass,
        .J_axial = a.J_axial + b.J_axial,
        .J_transverse = a.J_transverse + b.J_transverse + shift,
    };
}

/* Mean density of the stator core: laminations are stacked with varnish between them. */
static double stator_density(const pp_params *p)
{
    double share = 1;
    switch (pp_stator_core_of(p)) {
    case PP_stator_core_air: break;
    case PP_stator_core_iron: share = p->stator.stacking_factor; break;
    }
    return p->material.density_stator * share;
}

static pp_body stator_body(const pp_params *p, const pp_dims *d, double *teeth)
{
    const double density = stator_density(p);
    const double in = pp_smaller(d->r_yoke, d->r_bottom);
    const double out = pp_larger(d->r_yoke, d->r_bottom);
    const pp_body yoke = ring(in, out, p->stator.length, 0, density);
    *teeth = 0;
    if (pp_is_slotless(p))
        return yoke;
    pp_vertex outline[PP_PITCH_VERTICES + 2];
    const int n = pp_tooth_contour(p, d, outline);
    outline[n - 1].arc = true; /* back along the slot bottom: the tooth alone */
    const pp_section tooth = pp_outline_section(outline, n);
    const double slots = p->stator.slots;
    const pp_body all = prism(slots * pp_magnitude(tooth.area), slots * pp_magnitude(tooth.polar),
                              p->stator.length, 0, density);
    *teeth = all.mass;
    return join(yoke, all);
}

static pp_body magnets_body(const pp_params *p, const pp_dims *d)
{
    pp_vertex outline[PP_MAGNET_VERTICES];
    const int n = pp_magnet_outline(p, d, outline);
    const pp_section one = pp_outline_section(outline, n);
    const double poles = 2 * p->rotor.pole_pairs;
    return prism(poles * one.area, poles * one.polar, d->magnet_length, 0,
                 p->material.density_magnet);
}

/* Section of the rotor core: a ring whose magnet side has flats where the magnets are flat. */
static pp_section core_section(const pp_params *p, const pp_dims *d)
{
    const double corner2 = d->r_corner * d->r_corner;
    const double core2 = d->r_core * d->r_core;
    pp_section section = {
        .area = PP_PI * d->sign * (corner2 - core2),
        .polar = 0.5 * PP_PI * d->sign * (corner2 * corner2 - core2 * core2),
    };
    if (pp_magnet_shape_of(p) == PP_magnet_shape_flat_base) {
        const double half = 0.5 * p->magnet.width;
        const double poles = 2 * p->rotor.pole_pairs;
        const pp_vertex outline[2] = {{d->r_base, -half, true}, {d->r_base, half, false}};
        const pp_section cap = pp_outline_section(outline, 2);
        section.area -= d->sign * poles * cap.area;
        section.polar -= d->sign * poles * cap.polar;
    }
    return section;
}

/* Core ring and web: the bell of an outer rotor reaches over the end winding to its web. */
static void core_bodies(const pp_params *p, const pp_dims *d, pp_masses *m)
{
    const double length = p->stator.length;
    const double thickness = p->rotor.web_thickness;
    const double density = p->material.density_rotor;
    const pp_section section = core_section(p, d);
    m->rotor_core = prism(section.area, section.polar, length, 0, density);
    if (d->sign > 0) {
        m->web = ring(d->r_shaft, d->r_core, pp_smaller(thickness, length), 0, density);
        return;
    }
    const double reach = d->overhang;
    const pp_body bell = ring(d->r_corner, d->r_core, reach, -0.5 * (length + reach), density);
    m->rotor_core = join(m->rotor_core, bell);
    m->web = ring(d->r_shaft, d->r_core, thickness, -0.5 * (length + thickness) - reach, density);
}

static bool has_bearings(const pp_params *p, const pp_dims *d)
{
    return p->rotor.bearing_width > 0 && d->r_shaft > 0;
}

/* Two of them: beyond the end windings of an inner rotor, inside the stack of an outer one. */
static pp_body bearing_bodies(const pp_params *p, const pp_dims *d)
{
    if (!has_bearings(p, d))
        return (pp_body){0};
    const double length = p->stator.length;
    const double width = p->rotor.bearing_width;
    const double density = p->material.density_rotor;
    double z = pp_larger(0.5 * (length - width), 0);
    if (d->sign > 0)
        z = 0.5 * length + d->overhang + 0.5 * width;
    return join(ring(d->r_shaft, p->rotor.bearing_radius, width, z, density),
                ring(d->r_shaft, p->rotor.bearing_radius, width, -z, density));
}

/* Shell and two caps round an inner rotor; inside an outer one the bearing tube and a flange. */
static pp_body housing_body(const pp_params *p, const pp_dims *d)
{
    const double thickness = p->material.housing_thickness;
    if (thickness <= 0)
        return (pp_body){0};
    const double length = p->stator.length;
    const double density = p->material.density_housing;
    const double bore = has_bearings(p, d) ? p->rotor.bearing_radius : d->r_shaft;
    if (d->sign > 0) {
        const double z = 0.5 * (length + thickness) + d->overhang;
        const pp_body cap = ring(bore, d->r_housing, thickness, z, density);
        pp_body other = cap;
        other.z = -cap.z;
        const pp_body shell = ring(d->r_yoke, d->r_housing, length + 2 * d->overhang, 0, density);
        return join(shell, join(cap, other));
    }
    const double z = 0.5 * (length + thickness) + d->overhang;
    const pp_body tube = ring(bore, d->r_yoke, length, 0, density);
    return join(tube, ring(bore, d->r_gap, thickness, z, density));
}

void pp_masses_from(const pp_params *p, const pp_dims *d, pp_masses *m)
{
    PP_ASSERT(d->sign == 1 || d->sign == -1);
    m->stator = stator_body(p, d, &m->teeth);
    core_bodies(p, d, m);
    m->magnets = magnets_body(p, d);
    m->shaft = ring(0, d->r_shaft, p->rotor.shaft_length, 0, p->material.density_rotor);
    m->bearings = bearing_bodies(p, d);
    m->housing = housing_body(p, d);
    m->rotor = join(join(m->rotor_core, m->web), join(m->magnets, m->shaft));
}
