/* geometry.h: mass and inertia of every part. */
#include "unit_shapes.h"

/* A hollow cylinder. */
static pp_body cylinder(double in, double out, double length, double z, double density)
{
    double volume = PP_PI * (out * out - in * in) * length, m = density * volume,
           sum = out * out + in * in;
    return (pp_body){volume, m, z, 0.5 * m * sum, m * (3 * sum + length * length) / 12};
}

static void same_body(pp_body a, pp_body b)
{
    CLOSE(a.volume, b.volume, 1e-12);
    CLOSE(a.mass, b.mass, 1e-12);
    NEAR(a.z, b.z, 1e-15);
    CLOSE(a.J_axial, b.J_axial, 1e-12);
    CLOSE(a.J_transverse, b.J_transverse, 1e-12);
}

/* Bodies on the axis as one, about their common centre. */
static pp_body together(const pp_body *b, int count)
{
    pp_body sum = {0, 0, 0, 0, 0};
    for (int i = 0; i < count; i++) {
        sum.volume += b[i].volume;
        sum.mass += b[i].mass;
        sum.z += b[i].mass * b[i].z;
        sum.J_axial += b[i].J_axial;
    }
    sum.z /= sum.mass;
    for (int i = 0; i < count; i++)
        sum.J_transverse += b[i].J_transverse + b[i].mass * (b[i].z - sum.z) * (b[i].z - sum.z);
    return sum;
}

static double tooth_width_times_r(double r, const double *width)
{
    return 2 * asin(0.5 * *width / r) * r;
}

static double tooth_polar(double r, const double *width)
{
    return 2 * asin(0.5 * *width / r) * r * r * r;
}

TEST(masses_of_an_outer_rotor)
{
    pp_params p;
    pp_dims d;
    pp_masses m;
    pp_params_default(&p);
    p.stator.slot_opening = p.stator.tip_height = 0;
    CHECK(pp_dims_from(&p, &d) == PP_OK);
    pp_masses_from(&p, &d, &m);
    double L = 0.012, e = 0.0035, steel = 7850, shell = 2700, iron = 7650 * 0.96;
    same_body(m.shaft, cylinder(0, 0.0025, 0.04, 0, steel));
    same_body(m.web, cylinder(0.0025, 0.0275, 0.002, -0.5 * (L + 0.002) - e, steel));
    const pp_body core[2] = {cylinder(0.0255, 0.0275, L, 0, steel),
                             cylinder(0.0255, 0.0275, e, -0.5 * (L + e), steel)};
    same_body(m.rotor_core, together(core, 2));
    pp_body magnets = cylinder(0.023, 0.0255, L, 0, 7500 * 0.85);
    magnets.volume *= 0.85;
    same_body(m.magnets, magnets);
    const pp_body rotor[4] = {m.rotor_core, m.web, m.magnets, m.shaft};
    same_body(m.rotor, together(rotor, 4));
    const pp_body bearings[2] = {cylinder(0.0025, 0.0065, 0.004, 0.004, steel),
                                 cylinder(0.0025, 0.0065, 0.004, -0.004, steel)};
    same_body(m.bearings, together(bearings, 2));
    const pp_body housing[2] = {cylinder(0.0065, 0.0075, L, 0, shell),
                                cylinder(0.0065, 0.0225, 0.0015, 0.5 * (L + 0.0015) + e, shell)};
    same_body(m.housing, together(housing, 2));
    double area = 12 * integral(tooth_width_times_r, &p.stator.tooth_width, d.r_bottom, d.r_gap);
    double polar = 12 * integral(tooth_polar, &p.stator.tooth_width, d.r_bottom, d.r_gap);
    CLOSE(m.teeth, iron * L * area, 1e-6);
    pp_body yoke = cylinder(0.0075, 0.011, L, 0, iron);
    CLOSE(m.stator.mass, yoke.mass + m.teeth, 1e-12);
    CLOSE(m.stator.J_axial, yoke.J_axial + iron * L * polar, 1e-6);
}

TEST(masses_of_an_inner_rotor)
{
    pp_params p = inner_rotor();
    pp_dims d;
    pp_masses m;
    p.magnet.length = 0.01;
    CHECK(pp_dims_from(&p, &d) == PP_OK);
    pp_masses_from(&p, &d, &m);
    double L = 0.012, e = 0.0035, steel = 7850, shell = 2700;
    same_body(m.rotor_core, cylinder(0.012, 0.022, L, 0, steel));
    same_body(m.web, cylinder(0.006, 0.012, 0.002, 0, steel));
    CLOSE(m.magnets.volume, 0.85 * PP_PI * (0.0245 * 0.0245 - 0.022 * 0.022) * 0.01, 1e-12);
    const pp_body bearings[2] = {cylinder(0.006, 0.012, 0.004, 0.5 * L + e + 0.002, steel),
                                 cylinder(0.006, 0.012, 0.004, -0.5 * L - e - 0.002, steel)};
    same_body(m.bearings, together(bearings, 2));
    double cap = 0.5 * (L + 0.0015) + e;
    const pp_body housing[3] = {cylinder(0.045, 0.0465, L + 2 * e, 0, shell),
                                cylinder(0.012, 0.0465, 0.0015, cap, shell),
                                cylinder(0.012, 0.0465, 0.0015, -cap, shell)};
    same_body(m.housing, together(housing, 3));
    p.rotor.web_thickness = 0.05; /* no longer than the stack */
    p.material.housing_thickness = 0, p.rotor.bearing_width = 0;
    CHECK(pp_dims_from(&p, &d) == PP_OK);
    pp_masses_from(&p, &d, &m);
    same_body(m.web, cylinder(0.006, 0.012, L, 0, steel));
    CHECK(m.housing.mass == 0 && m.bearings.mass == 0 && m.bearings.volume == 0);
    CHECK(m.rotor.z == 0);
}

TEST(cores_with_flats)
{
    for (int inner = 0; inner < 2; inner++) {
        pp_params p;
        pp_dims d;
        pp_masses m;
        pp_params_default(&p);
        if (inner)
            p = inner_rotor();
        p.magnet.shape = 1;
        CHECK(pp_dims_from(&p, &d) == PP_OK);
        pp_masses_from(&p, &d, &m);
        double half = 0.5 * p.magnet.width, poles = 2 * p.rotor.pole_pairs, L = p.stator.length;
        const double r[2] = {d.r_corner,
                             d.r_base}; /* between the circle through the edges and the flat */
        double cap = integral(loaf, r, -half, half),
               ring = PP_PI * fabs(pow(d.r_corner, 2) - pow(d.r_core, 2));
        double bell = inner ? 0 : PP_PI * (pow(d.r_core, 2) - pow(d.r_corner, 2)) * d.overhang;
        double side = inner ? -1 : 1;
        CLOSE(m.rotor_core.volume, (ring + side * poles * cap) * L + bell, 1e-6);
        double polar = 0.5 * PP_PI * fabs(pow(d.r_corner, 4) - pow(d.r_core, 4));
        double flats = poles * integral(loaf_polar, r, -half, half);
        double bell_polar = inner ? 0 : polar * d.overhang;
        CLOSE(m.rotor_core.J_axial, 7850 * ((polar + side * flats) * L + bell_polar), 1e-6);
    }
}

TEST(air_cores_are_not_stacked)
{
    pp_params p;
    pp_dims d;
    pp_masses m;
    pp_params_default(&p);
    p.stator.slots = 0, p.stator.core = 0, p.stator.winding_thickness = 0.002,
    p.material.density_stator = 1200;
    CHECK(pp_dims_from(&p, &d) == PP_OK);
    pp_masses_from(&p, &d, &m);
    same_body(m.stator, cylinder(0.0075, 0.0225, 0.012, 0, 1200));
    CHECK(m.teeth == 0);
}

void unit_masses(void)
{
    masses_of_an_outer_rotor();
    masses_of_an_inner_rotor();
    cores_with_flats();
    air_cores_are_not_stacked();
}
