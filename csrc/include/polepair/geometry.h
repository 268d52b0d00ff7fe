/* polepair/geometry.h: dimensions checked, outlines and solids, mass and inertia in closed form. */
#ifndef POLEPAIR_GEOMETRY_H
#define POLEPAIR_GEOMETRY_H

#include "polepair/params.h"

/* Radii and angles that follow from the parameters. sign: +1 for an inner rotor (the slots point outwards), -1 outer. */
typedef struct pp_dims {
    double sign, r_gap, r_bottom, r_yoke,
        r_winding; /* stator: gap surface, slot bottom, yoke, face of an air-gap winding */
    double r_magnet, r_base, r_corner,
        r_core; /* rotor: magnet face, base (centre), base at the edge, far side of the core */
    double r_shaft, r_housing,
        half_pitch; /* shaft, outer radius of the housing, half a slot pitch [rad] */
    double opening, opening_angle, slot_area,
        slot_width; /* slot opening [m], its half angle [rad], copper area [m^2], mean width [m] */
    double slot_permeance; /* specific slot permeance lambda = h/(3b) + tips */
    double arc;            /* magnet arc over pole pitch at the mean magnet radius */
    double magnet_length;
    double r_top;    /* where the copper of a slot begins, behind the tooth tip */
    double overhang; /* axial room of the end winding beyond the stack */
} pp_dims;

/* Checks the geometry and fills *dims; refuses with a geometry status. */
pp_status pp_dims_from(const pp_params *params, pp_dims *dims);

/* A vertex of a closed outline in the plane of the stack. Where `arc` is set the edge to the next vertex is a circular
 * arc about the axis (the shorter way), else it is straight. */
typedef struct pp_vertex {
    double x, y;
    bool arc;
} pp_vertex;

typedef struct pp_section {
    double area, polar; /* [m^2], polar second moment about the axis [m^4] */
} pp_section;

/* Area and polar moment of a closed outline by Green's theorem; positive when it runs counter-clockwise. */
pp_section pp_outline_section(const pp_vertex *vertices, int count);

enum { PP_PITCH_VERTICES = 10, PP_MAGNET_VERTICES = 4 };
/* Gap-side contour of the stator over one slot pitch, from the middle of one slot to the middle of the next, the tooth on
 * the x axis. Returns the number of vertices. */
int pp_tooth_contour(const pp_params *params, const pp_dims *dims, pp_vertex *out);
/* Closed outline of the magnet on the x axis, counter-clockwise. Returns the number of vertices. */
int pp_magnet_outline(const pp_params *params, const pp_dims *dims, pp_vertex *out);

/* Mass properties of a body of revolution-like symmetry: axial and transverse inertia about its own centre of mass on
 * the axis. z is measured from the middle of the stack. */
typedef struct pp_body {
    double volume, mass, z, J_axial, J_transverse;
} pp_body;

typedef struct pp_masses {
    pp_body stator, rotor_core, web, magnets, shaft, bearings, housing,
        rotor;    /* rotor: core + web + magnets + shaft */
    double teeth; /* mass of the teeth [kg] */
} pp_masses;

/* Mass and inertia of every part in closed form (SI). */
void pp_masses_from(const pp_params *params, const pp_dims *dims, pp_masses *masses);

#endif
