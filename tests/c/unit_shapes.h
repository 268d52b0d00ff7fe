/* Quadrature and shapes that the tests of geometry.h share. */
#ifndef PP_TESTS_UNIT_SHAPES_H
#define PP_TESTS_UNIT_SHAPES_H

#include "unit.h"

#include "polepair/geometry.h"

enum { STEPS = 4000 };

/* Integral of f(x, data) from a to b by the midpoint rule. */
static inline double integral(double (*f)(double, const double *), const double *data, double a,
                              double b)
{
    double sum = 0, h = (b - a) / STEPS;
    for (int i = 0; i < STEPS; i++)
        sum += f(a + (i + 0.5) * h, data) * h;
    return sum;
}

/* An inner rotor with tooth tips that the other tests vary. */
static inline pp_params inner_rotor(void)
{
    pp_params p;
    pp_params_default(&p);
    p.rotor.topology = 0;
    p.rotor.pole_pairs = 4;
    p.stator.slots = 12;
    p.stator.gap_radius = 0.025;
    p.stator.yoke_radius = 0.045;
    p.stator.slot_depth = 0.014;
    p.stator.tooth_width = 0.006;
    p.stator.slot_opening = 0.002;
    p.stator.tip_height = 0.001;
    p.stator.tip_taper = 0.001;
    p.rotor.core_thickness = 0.01;
    p.rotor.shaft_radius = 0.006;
    p.rotor.bearing_radius = 0.012;
    return p;
}

/* y of a point; thickness of a bread loaf at height y: data = face, base. */
static inline double loaf(double y, const double *r) { return sqrt(r[0] * r[0] - y * y) - r[1]; }

static inline double loaf_polar(double y, const double *r)
{
    double x = sqrt(r[0] * r[0] - y * y);
    return (x * x * x - r[1] * r[1] * r[1]) / 3 + y * y * (x - r[1]);
}

#endif
