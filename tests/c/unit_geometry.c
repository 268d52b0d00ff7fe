/* geometry.h: outlines, dimensions and masses against integrals taken here by quadrature. */
#include "unit_shapes.h"

TEST(sections_of_known_figures)
{
    const pp_vertex square[] = {{1, 1, false}, {3, 1, false}, {3, 3, false}, {1, 3, false}};
    pp_section s = pp_outline_section(square, 4);
    NEAR(s.area, 4, 1e-15);
    NEAR(s.polar, 4.0 * (4 + 4) / 12 + 4 * 8, 1e-13); /* about itself, and moved to (2, 2) */
    const pp_vertex clockwise[] = {{1, 3, false}, {3, 3, false}, {3, 1, false}, {1, 1, false}};
    pp_section r = pp_outline_section(clockwise, 4);
    CHECK(r.area == -s.area);
    NEAR(r.polar, -s.polar, 1e-13);
    const pp_vertex triangle[] = {{2, -1, false}, {4, 0, false}, {2.5, 2, false}};
    s = pp_outline_section(triangle, 3);
    NEAR(s.area, 0.5 * (2 * 3 - 0.5 * 1), 1e-14);
    double cx = 8.5 / 3, cy = 1.0 / 3,
           own = 0; /* of a triangle: A/36 times the sum of the squared sides */
    own = s.area / 36 * ((4 + 1) + (2.25 + 4) + (0.25 + 9));
    NEAR(s.polar, own + s.area * (cx * cx + cy * cy), 1e-13);
    const pp_vertex circle[] = {{2, 0, true}, {-1, sqrt(3), true}, {-1, -sqrt(3), true}};
    s = pp_outline_section(circle, 3);
    NEAR(s.area, 4 * PP_PI, 1e-13);
    NEAR(s.polar, 8 * PP_PI, 1e-13);
    const pp_vertex sector[] = {{1, 0, false}, {3, 0, true}, {0, 3, false}, {0, 1, true}};
    s = pp_outline_section(sector, 4);
    NEAR(s.area, 2 * PP_PI, 1e-14);
    NEAR(s.polar, PP_PI / 8 * 80, 1e-13);
}

TEST(radii_of_both_topologies)
{
    pp_params p;
    pp_dims d;
    pp_params_default(&p);
    CHECK(pp_dims_from(&p, &d) == PP_OK && d.sign == -1);
    NEAR(d.r_bottom, 0.011, 1e-15);
    NEAR(d.r_magnet, 0.023, 1e-15);
    NEAR(d.r_base, 0.0255, 1e-15);
    NEAR(d.r_core, 0.0275, 1e-15);
    NEAR(d.r_top, 0.0225 - 0.0015, 1e-15);
    CHECK(d.r_corner == d.r_base && d.r_yoke == 0.0075 && d.r_housing == d.r_core && d.arc == 0.85);
    CHECK(d.r_winding == d.r_gap && d.r_shaft == 0.0025 && d.magnet_length == 0.012);
    NEAR(d.half_pitch, PP_PI / 12, 1e-15);
    NEAR(d.overhang, 0.0035, 1e-15);
    p = inner_rotor();
    p.magnet.length = 0.009;
    CHECK(pp_dims_from(&p, &d) == PP_OK && d.sign == 1);
    NEAR(d.r_bottom, 0.039, 1e-15);
    NEAR(d.r_magnet, 0.0245, 1e-15);
    NEAR(d.r_base, 0.022, 1e-15);
    NEAR(d.r_core, 0.012, 1e-15);
    NEAR(d.r_top, 0.027, 1e-15);
    NEAR(d.r_housing, 0.0465, 1e-15);
    CHECK(d.magnet_length == 0.009 && d.opening == 0.002);
    NEAR(sin(d.opening_angle), 0.04, 1e-15);
    p.stator.slot_opening = 0;
    CHECK(pp_dims_from(&p, &d) == PP_OK);
    NEAR(d.r_top, 0.026, 1e-15); /* without an opening no taper */
    NEAR(d.opening, 2 * 0.025 * sin(PP_PI / 12 - asin(0.003 / 0.025)), 1e-14);
}

/* Angle between two teeth times the radius. */
static double between(double r, const double *pitch_width)
{
    return (pitch_width[0] - 2 * asin(0.5 * pitch_width[1] / r)) * r;
}

/* Share of the copper below a height, squared, over the width there: a slot from data[0] wide at the bottom to data[1]. */
static double linkage(double z, const double *w)
{
    double width = w[0] + (w[1] - w[0]) * z, below = 0.5 * (w[0] + width) * z;
    double share = below / (0.5 * (w[0] + w[1]));
    return share * share / width;
}

TEST(slots_by_quadrature)
{
    for (int k = 0; k < 4; k++) {
        pp_params p;
        pp_dims d;
        pp_params_default(&p);
        if (k % 2)
            p = inner_rotor();
        if (k / 2)
            p.stator.slot_opening = p.stator.tip_height = 0;
        CHECK(pp_dims_from(&p, &d) == PP_OK);
        double tooth = p.stator.tooth_width;
        const double data[2] = {2 * PP_PI / p.stator.slots, tooth};
        double a = fmin(d.r_top, d.r_bottom), b = fmax(d.r_top, d.r_bottom);
        CLOSE(d.slot_area, integral(between, data, a, b), 1e-6);
        CLOSE(d.slot_width, d.slot_area / (b - a), 1e-12);
        double top = 2 * d.r_top * sin(d.half_pitch - asin(0.5 * tooth / d.r_top));
        const double widths[2] = {
            2 * d.r_bottom * sin(d.half_pitch - asin(0.5 * tooth / d.r_bottom)), top};
        double copper = (b - a) * integral(linkage, widths, 0, 1),
               tips = p.stator.tip_height / d.opening;
        if (p.stator.slot_opening > 0) /* concentric arcs between the slanted faces */
            tips +=
                log(top / d.opening) / (PP_PI - 2 * atan2(2 * p.stator.tip_taper, top - d.opening));
        CLOSE(d.slot_permeance, copper + tips, 1e-3);
    }
}

TEST(straight_slots_have_the_textbook_permeance)
{
    pp_params p = inner_rotor();
    pp_dims d;
    p.stator.slot_shape = 1; /* the slot's sides radial: h/(3 b) for a slot that hardly widens */
    p.stator.gap_radius = 1.0, p.stator.yoke_radius = 1.05, p.stator.slot_depth = 0.02;
    p.stator.slots = 96, p.stator.slot_opening = 0, p.stator.tip_height = 0;
    p.stator.tooth_width = 0.03, p.rotor.gap = 0.001;
    CHECK(pp_dims_from(&p, &d) == PP_OK);
    double width = 2 * PP_PI * 1.01 / 96 - 0.03 * 1.01;
    CLOSE(d.slot_width, width, 2e-3);
    CLOSE(d.slot_permeance, 0.02 / (3 * width), 1.5e-2);
}

TEST(slotless_dimensions)
{
    pp_params p;
    pp_dims d;
    pp_params_default(&p);
    p.stator.slots = 0;
    CHECK(pp_dims_from(&p, &d) == PP_SLOTLESS);
    p.stator.winding_thickness = 0.002;
    CHECK(pp_dims_from(&p, &d) == PP_OK);
    NEAR(d.r_winding, 0.0245, 1e-15);
    NEAR(d.r_magnet, 0.025, 1e-15);
    CLOSE(6 * 7 * d.slot_area, PP_PI * (0.0245 * 0.0245 - 0.0225 * 0.0225), 1e-12);
    CLOSE(d.slot_width, d.slot_area / 0.002, 1e-12);
    CHECK(d.slot_permeance == 0 && d.r_bottom == d.r_gap && d.r_top == d.r_gap);
    CLOSE(d.opening, 2 * PP_PI * 0.0225 / 42, 1e-12);
    CHECK(d.opening_angle == d.half_pitch);
}

typedef struct change {
    const char *name;
    double good, bad; /* on either side of the limit */
    pp_status status;
} change;

/* Each limit from both sides. */
static void limits(pp_params p, const change *c, int count)
{
    for (int i = 0; i < count; i++) {
        pp_params q = p;
        pp_dims d = {.sign = 77};
        double *value = (double *)&q + pp_param_find(c[i].name);
        *value = c[i].bad;
        CHECK(pp_dims_from(&q, &d) == c[i].status && d.sign == 77);
        *value = c[i].good;
        if (!CHECK(pp_dims_from(&q, &d) == PP_OK))
            unit_check(false, c[i].name, __FILE__, __LINE__);
    }
}

TEST(limits_of_an_outer_rotor)
{
    const change outer[] = {
        {"stator.yoke_radius", 0.0076, 0.0226, PP_YOKE_SIDE},
        {"stator.yoke_radius", 0.0076, 0.0225, PP_YOKE_SIDE},
        {"stator.tooth_width", 0.00541, 0.00542, PP_TEETH_OVERLAP},
        {"stator.slot_opening", 0.0062, 0.0068, PP_SLOT_OPENING},
        {"stator.tip_height", 0.0096, 0.0097, PP_TIP_DEPTH},
        {"stator.core", 1, 0, PP_AIR_TEETH},
        {"rotor.shaft_radius", 0.0064, 0.0075, PP_SHAFT_WIDE},
        {"rotor.bearing_radius", 0.0075, 0.00751, PP_BEARING},
        {"rotor.bearing_radius", 0.00251, 0.0025, PP_BEARING},
    };
    pp_params p;
    pp_params_default(&p);
    limits(p, outer, sizeof outer / sizeof outer[0]);
    const change deep[] = {{"stator.slot_depth", 0.01454, 0.01456,
                            PP_SLOT_BOTTOM}, /* a yoke of 2 % of the gap radius */
                           {"stator.slot_depth", 0.014, 0.023, PP_SLOT_BOTTOM}};
    p.stator.tooth_width = 0.003;
    limits(p, deep, 2);
    p.rotor.bearing_width = 0, p.rotor.bearing_radius = 0.1; /* no bearings, no seat */
    pp_dims d;
    CHECK(pp_dims_from(&p, &d) == PP_OK);
}

TEST(limits_of_an_inner_rotor)
{
    const change inner[] = {
        {"stator.yoke_radius", 0.045, 0.025, PP_YOKE_SIDE},
        {"stator.yoke_radius", 0.03951, 0.03949, PP_SLOT_BOTTOM},
        {"rotor.core_thickness", 0.0160, 0.01602, PP_ROTOR_RADIUS},
        {"magnet.thickness", 0.0085, 0.0245, PP_ROTOR_RADIUS},
        {"rotor.gap", 0.001, 0.025, PP_ROTOR_RADIUS},
        {"rotor.bearing_radius", 0.045, 0.0451, PP_BEARING},
        {"stator.tip_height", 0.0115, 0.0117, PP_TIP_DEPTH},
    };
    limits(inner_rotor(), inner, sizeof inner / sizeof inner[0]);
    pp_params p = inner_rotor();
    const change wide[] = {{"stator.tooth_width", 0.0122, 0.0124, PP_TEETH_OVERLAP}};
    p.stator.slot_opening = 0.001;
    limits(p, wide, 1);
    p.magnet.shape = 1, p.magnet.width = 0.012, p.rotor.shaft_radius = 0,
    p.rotor.core_thickness = 0.001;
    /* pole pitch at the base: 2 r sin(pi/8) = 16.8 mm; at 4.9 mm of thickness the edge falls below 5 % */
    const change flat[] = {{"magnet.width", 0.0148, 0.0169, PP_MAGNET_WIDE}};
    limits(p, flat, 1);
    p.rotor.pole_pairs = 2;
    double half = sqrt(0.0245 * 0.0245 - pow(0.022 + 0.05 * 0.0025, 2));
    const change edge[] = {{"magnet.width", 2 * half - 1e-6, 2 * half + 1e-6, PP_MAGNET_EDGE}};
    limits(p, edge, 1);
}

TEST(magnet_outlines)
{
    pp_vertex v[PP_MAGNET_VERTICES];
    for (int k = 0; k < 4; k++) {
        pp_params p;
        pp_dims d;
        pp_params_default(&p);
        if (k % 2)
            p = inner_rotor();
        p.magnet.shape = k / 2;
        CHECK(pp_dims_from(&p, &d) == PP_OK && pp_magnet_outline(&p, &d, v) == 4);
        pp_section s = pp_outline_section(v, 4);
        for (int i = 0; i < 4; i++) {
            NEAR(v[i].x, v[3 - i].x, 1e-15);
            NEAR(v[i].y, -v[3 - i].y, 1e-15);
        }
        double a2 = d.r_magnet * d.r_magnet, b2 = d.r_base * d.r_base;
        if (k < 2) {
            double angle = PP_PI * p.magnet.arc / p.rotor.pole_pairs;
            CLOSE(s.area, 0.5 * angle * fabs(a2 - b2), 1e-12);
            CLOSE(s.polar, 0.25 * angle * fabs(a2 * a2 - b2 * b2), 1e-12);
        } else {
            const double r[2] = {d.r_magnet, d.r_base};
            double half = 0.5 * p.magnet.width;
            CLOSE(s.area, fabs(integral(loaf, r, -half, half)), 1e-6);
            CLOSE(s.polar, fabs(integral(loaf_polar, r, -half, half)), 1e-6);
            CLOSE(d.r_corner, hypot(d.r_base, half), 1e-14);
            double mean = 0.5 * (d.r_corner + d.r_magnet); /* the arc is told at the mean radius */
            CLOSE(d.arc, 2 * asin(half / mean) * p.rotor.pole_pairs / PP_PI, 1e-12);
        }
    }
}

TEST(tooth_contours)
{
    pp_vertex v[PP_PITCH_VERTICES];
    for (int k = 0; k < 4; k++) {
        pp_params p;
        pp_dims d;
        pp_params_default(&p);
        if (k % 2)
            p = inner_rotor();
        if (k / 2)
            p.stator.slot_opening = 0;
        CHECK(pp_dims_from(&p, &d) == PP_OK);
        int n = pp_tooth_contour(&p, &d, v);
        CHECK(n == (k / 2 ? 6 : 10));
        for (int i = 0; i < n; i++) {
            NEAR(v[i].x, v[n - 1 - i].x, 1e-15);
            NEAR(v[i].y, -v[n - 1 - i].y, 1e-15);
        }
        CHECK(v[0].arc && !v[1].arc && v[n / 2 - 1].arc && v[n - 2].arc);
        NEAR(hypot(v[n - 1].x, v[n - 1].y), d.r_bottom, 1e-15);
        NEAR(atan2(v[n - 1].y, v[n - 1].x), d.half_pitch, 1e-14);
        NEAR(hypot(v[n / 2].x, v[n / 2].y), d.r_gap, 1e-15);
        NEAR(v[n - 2].y, 0.5 * p.stator.tooth_width, 1e-15); /* the flank is parallel to the axis */
        NEAR(k / 2 ? v[n / 2].y : v[n / 2 + 2].y, 0.5 * p.stator.tooth_width, 1e-15);
        if (k / 2 == 0) { /* the opening, square to the slot's axis */
            double c = cos(d.half_pitch), s = sin(d.half_pitch);
            NEAR(s * v[n / 2].x - c * v[n / 2].y, 0.5 * p.stator.slot_opening, 1e-15);
            NEAR(s * v[n / 2 + 1].x - c * v[n / 2 + 1].y, 0.5 * p.stator.slot_opening, 1e-15);
            double inwards = c * (v[n / 2 + 1].x - v[n / 2].x) + s * (v[n / 2 + 1].y - v[n / 2].y);
            NEAR(inwards, d.sign * p.stator.tip_height, 1e-15);
        }
    }
}

void unit_geometry(void)
{
    sections_of_known_figures();
    radii_of_both_topologies();
    slots_by_quadrature();
    straight_slots_have_the_textbook_permeance();
    slotless_dimensions();
    limits_of_an_outer_rotor();
    limits_of_an_inner_rotor();
    magnet_outlines();
    tooth_contours();
}
