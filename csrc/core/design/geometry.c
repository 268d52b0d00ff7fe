/* Dimensions that follow from the parameters, the checks on them, and the outlines. */
#include "polepair/geometry.h"

#include "polepair/math.h"

static bool flat_base(const pp_params *p)
{
    return pp_magnet_shape_of(p) == PP_magnet_shape_flat_base;
}

/* Half angle of the tooth body seen from the axis at radius r. */
static double tooth_half_angle(const pp_params *p, double r)
{
    const double half = 0.5 * p->stator.tooth_width;
    double angle = 0;
    switch (pp_stator_slot_shape_of(p)) {
    case PP_stator_slot_shape_parallel_tooth: angle = pp_asin(pp_smaller(half / r, 1)); break;
    case PP_stator_slot_shape_radial_slot: angle = half / p->stator.gap_radius; break;
    }
    return angle;
}

/* From the gap to where the slot has its full width: tip and taper, or the copper-free part of
 * an open slot. */
static double tip_depth(const pp_params *p)
{
    const double taper = p->stator.slot_opening > 0 ? p->stator.tip_taper : 0;
    return p->stator.tip_height + taper;
}

static double slot_top(const pp_params *p, const pp_dims *d)
{
    return d->r_gap + d->sign * tip_depth(p);
}

static double slot_width_at(const pp_params *p, const pp_dims *d, double r)
{
    return 2 * r * pp_sin(d->half_pitch - tooth_half_angle(p, r));
}

static pp_vertex polar(double r, double angle, bool arc)
{
    double sine;
    double cosine;
    pp_sincos(angle, &sine, &cosine);
    return (pp_vertex){r * cosine, r * sine, arc};
}

/* Area between two neighbouring teeth from the slot top to the bottom. */
static double copper_area(const pp_params *p, const pp_dims *d)
{
    const double top = slot_top(p, d);
    const double pitch = 2 * d->half_pitch;
    const double at_top = tooth_half_angle(p, top);
    const double at_bottom = tooth_half_angle(p, d->r_bottom);
    const pp_vertex outline[4] = {
        polar(top, pitch - at_top, true),
        polar(top, at_top, false),
        polar(d->r_bottom, at_bottom, true),
        polar(d->r_bottom, pitch - at_bottom, false),
    };
    return pp_magnitude(pp_outline_section(outline, 4).area);
}

/* Copper-free part of the slot: straight lines across the tip's height, circular arcs between
 * the slanted faces (at the angle phi from flush; for steep faces this is the textbook's h1/(b1
 * - b0) ln(b1/b0), for flush ones ln(b1/b0)/pi). */
static double tip_permeance(const pp_params *p, const pp_dims *d, double width)
{
    double lambda = p->stator.tip_height / d->opening;
    if (p->stator.slot_opening > 0 && width > d->opening) {
        double phi = pp_atan2(2 * p->stator.tip_taper, width - d->opening);
        lambda += pp_log(width / d->opening) / (PP_PI - 2 * phi);
    }
    return lambda;
}

/* Permeance of the copper part of a trapezoidal slot: integral of (share of the copper below)^2
 * dx / width from the bottom (x = 0) to the top, by four-point Gauss quadrature (exact to 1e-4
 * for width ratios up to 4). */
static double copper_permeance(double bottom, double top, double height)
{
    static const double node[2] = {0.33998104358485626480, 0.86113631159405257522};
    static const double weight[2] = {0.65214515486254614263, 0.34785484513745385737};
    const double mean = 0.5 * (bottom + top);
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        const double side = i % 2 ? 0.5 : -0.5;
        const double z = 0.5 + side * node[i / 2]; /* x / height */
        const double width = bottom + (top - bottom) * z;
        const double share = z * (bottom + 0.5 * (top - bottom) * z) / mean;
        sum += 0.5 * weight[i / 2] * share * share / width;
    }
    return sum * height;
}

static pp_status slotless_dims(const pp_params *p, pp_dims *d)
{
    if (p->stator.winding_thickness <= 0)
        return PP_SLOTLESS;
    d->half_pitch = PP_PI / (6 * p->rotor.pole_pairs);
    d->r_bottom = d->r_gap;
    d->r_top = d->r_gap;
    d->opening_angle = d->half_pitch;
    d->opening = 2 * d->r_gap * d->half_pitch;
    d->slot_area = d->half_pitch * pp_magnitude(d->r_gap * d->r_gap - d->r_winding * d->r_winding);
    d->slot_width = d->slot_area / p->stator.winding_thickness;
    d->slot_permeance = 0;
    return PP_OK;
}

/* Whether bottom, tips and teeth find room; half_pitch, r_bottom and r_top are known. */
static pp_status slot_room(const pp_params *p, const pp_dims *d)
{
    const double room = 0.95 * d->half_pitch;
    if (d->r_bottom <= 0 || d->sign * (d->r_yoke - d->r_bottom) < 0.02 * d->r_gap)
        return PP_SLOT_BOTTOM;
    if (tip_depth(p) > 0.9 * p->stator.slot_depth)
        return PP_TIP_DEPTH;
    if (tooth_half_angle(p, d->r_bottom) > room || tooth_half_angle(p, d->r_gap) > room ||
        tooth_half_angle(p, d->r_top) > room)
        return PP_TEETH_OVERLAP;
    return PP_OK;
}

static pp_status slot_dims(const pp_params *p, pp_dims *d)
{
    if (pp_stator_core_of(p) == PP_stator_core_air)
        return PP_AIR_TEETH;
    d->half_pitch = PP_PI / p->stator.slots;
    d->r_bottom = d->r_gap + d->sign * p->stator.slot_depth;
    d->r_top = slot_top(p, d);
    const pp_status status = slot_room(p, d);
    if (status != PP_OK)
        return status;
    const double width = slot_width_at(p, d, d->r_top);
    if (p->stator.slot_opening > width)
        return PP_SLOT_OPENING;
    if (p->stator.slot_opening > 0)
        d->opening = p->stator.slot_opening;
    else
        d->opening = slot_width_at(p, d, d->r_gap);
    d->opening_angle = pp_asin(d->opening / (2 * d->r_gap));
    d->slot_area = copper_area(p, d);
    const double height = pp_magnitude(d->r_bottom - d->r_top);
    d->slot_width = d->slot_area / height;
    d->slot_permeance = copper_permeance(slot_width_at(p, d, d->r_bottom), width, height) +
                        tip_permeance(p, d, width);
    return PP_OK;
}

/* Corner and arc of a magnet with a flat base and parallel sides. */
static pp_status bread_loaf(const pp_params *p, pp_dims *d)
{
    const double pole = PP_PI / p->rotor.pole_pairs;
    const double half = 0.5 * p->magnet.width;
    const double narrow = pp_smaller(d->r_magnet, d->r_base);
    if (half >= 0.98 * narrow || pp_asin(half / narrow) > 0.5 * pole)
        return PP_MAGNET_WIDE;
    const double edge = d->sign * (pp_root(d->r_magnet * d->r_magnet - half * half) - d->r_base);
    if (edge < 0.05 * p->magnet.thickness)
        return PP_MAGNET_EDGE;
    d->r_corner = pp_root(d->r_base * d->r_base + half * half);
    d->arc = 2 * pp_asin(2 * half / (d->r_corner + d->r_magnet)) / pole;
    return PP_OK;
}

static pp_status magnet_dims(const pp_params *p, pp_dims *d)
{
    d->arc = p->magnet.arc;
    d->r_corner = d->r_base;
    pp_status status = PP_OK;
    switch (pp_magnet_shape_of(p)) {
    case PP_magnet_shape_arc: break;
    case PP_magnet_shape_flat_base: status = bread_loaf(p, d); break;
    }
    d->magnet_length = p->magnet.length > 0 ? p->magnet.length : p->stator.length;
    return status;
}

static pp_status rotor_dims(const pp_params *p, pp_dims *d)
{
    d->r_winding = d->r_gap;
    if (pp_is_slotless(p))
        d->r_winding -= d->sign * p->stator.winding_thickness;
    d->r_magnet = d->r_winding - d->sign * p->rotor.gap;
    d->r_base = d->r_magnet - d->sign * p->magnet.thickness;
    if (d->r_magnet <= 0 || d->r_base <= 0)
        return PP_ROTOR_RADIUS;
    const pp_status status = magnet_dims(p, d);
    if (status != PP_OK)
        return status;
    if (d->sign > 0)
        d->r_core = d->r_base - p->rotor.core_thickness;
    else
        d->r_core = d->r_corner + p->rotor.core_thickness;
    d->r_shaft = p->rotor.shaft_radius;
    if (d->r_core < 0 || (d->sign > 0 && d->r_core < 0.999 * d->r_shaft))
        return PP_ROTOR_RADIUS;
    return PP_OK;
}

/* Shaft and bearings have to fit inside the stator (outer rotor) or the housing (inner rotor). */
static pp_status bearing_dims(const pp_params *p, const pp_dims *d)
{
    const double seat = d->r_yoke;
    if (d->sign < 0 && d->r_shaft >= seat)
        return PP_SHAFT_WIDE;
    const bool any = p->rotor.bearing_width > 0 && d->r_shaft > 0;
    if (any && (p->rotor.bearing_radius <= d->r_shaft || p->rotor.bearing_radius > seat))
        return PP_BEARING;
    return PP_OK;
}

pp_status pp_dims_from(const pp_params *p, pp_dims *dims)
{
    pp_dims d = {
        .sign = pp_rotor_topology_of(p) == PP_rotor_topology_outer ? -1 : 1,
        .r_gap = p->stator.gap_radius,
        .r_yoke = p->stator.yoke_radius,
        .overhang = 0.5 * p->winding.end_length + 0.001,
    };
    if (d.sign * (d.r_yoke - d.r_gap) <= 0)
        return PP_YOKE_SIDE;
    pp_status status = rotor_dims(p, &d);
    if (status == PP_OK)
        status = pp_is_slotless(p) ? slotless_dims(p, &d) : slot_dims(p, &d);
    if (status == PP_OK)
        status = bearing_dims(p, &d);
    if (status != PP_OK)
        return status;
    const double shell = d.sign > 0 ? p->material.housing_thickness : 0;
    d.r_housing = pp_larger(d.r_yoke, d.r_core) + shell;
    *dims = d;
    return PP_OK;
}

pp_section pp_outline_section(const pp_vertex *vertices, int count)
{
    PP_ASSERT(count >= 2);
    pp_section sum = {0, 0};
    for (int i = 0; i < count; i++) {
        const pp_vertex *a = &vertices[i];
        const pp_vertex *b = &vertices[(i + 1) % count];
        const double cross = a->x * b->y - b->x * a->y;
        if (a->arc) { /* the sector from the axis */
            const double r2 = a->x * a->x + a->y * a->y;
            const double angle = pp_atan2(cross, a->x * b->x + a->y * b->y);
            sum.area += 0.5 * r2 * angle;
            sum.polar += 0.25 * r2 * r2 * angle;
        } else { /* the triangle from the axis */
            const double square =
                a->x * a->x + a->x * b->x + b->x * b->x + a->y * a->y + a->y * b->y + b->y * b->y;
            sum.area += 0.5 * cross;
            sum.polar += cross * square / 12;
        }
    }
    return sum;
}

/* A point beside the slot's axis, given in the slot's own frame. */
static pp_vertex beside_slot(const pp_dims *d, double x, double y)
{
    double sine;
    double cosine;
    pp_sincos(d->half_pitch, &sine, &cosine);
    return (pp_vertex){cosine * x - sine * y, sine * x + cosine * y, false};
}

int pp_tooth_contour(const pp_params *p, const pp_dims *d, pp_vertex *out)
{
    PP_ASSERT(!pp_is_slotless(p));
    pp_vertex up[5]; /* upper half, from the gap outwards */
    int n = 0;
    if (p->stator.slot_opening > 0) {
        const double half = 0.5 * d->opening;
        const double x = pp_root(d->r_gap * d->r_gap - half * half);
        const double top = slot_top(p, d);
        up[n++] = beside_slot(d, x, -half);
        up[n++] = beside_slot(d, x + d->sign * p->stator.tip_height, -half);
        up[n++] = polar(top, tooth_half_angle(p, top), false);
    } else {
        up[n++] = polar(d->r_gap, tooth_half_angle(p, d->r_gap), false);
    }
    up[n++] = polar(d->r_bottom, tooth_half_angle(p, d->r_bottom), true);
    up[n++] = polar(d->r_bottom, d->half_pitch, false);
    for (int i = 0; i < n; i++) {
        const bool arc = i == n - 1 || i == 0; /* slot bottom, and the gap face */
        out[n - 1 - i] = (pp_vertex){up[i].x, -up[i].y, arc};
        out[n + i] = up[i];
    }
    return 2 * n;
}

int pp_magnet_outline(const pp_params *p, const pp_dims *d, pp_vertex *out)
{
    PP_ASSERT(d->r_magnet > 0 && d->r_base > 0);
    const bool flat = flat_base(p);
    const double half = 0.5 * p->magnet.width;
    double angle = 0.5 * PP_PI * d->arc / p->rotor.pole_pairs;
    if (flat)
        angle = pp_asin(half / d->r_magnet);
    const pp_vertex face_low = polar(d->r_magnet, -angle, false);
    const pp_vertex face_high = polar(d->r_magnet, angle, false);
    pp_vertex base_low = polar(d->r_base, -angle, false);
    if (flat)
        base_low = (pp_vertex){d->r_base, -half, false};
    const pp_vertex base_high = {base_low.x, -base_low.y, false};
    const bool face_outside = d->sign > 0;
    out[0] = face_outside ? base_low : face_low;
    out[1] = face_outside ? face_low : base_low;
    out[2] = face_outside ? face_high : base_high;
    out[3] = face_outside ? base_high : face_high;
    out[1].arc = face_outside || !flat;  /* outer edge */
    out[3].arc = !face_outside || !flat; /* inner edge */
    return PP_MAGNET_VERTICES;
}
