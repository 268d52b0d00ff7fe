/* polepair/geometry.h: dimensions checked, outlines and solids, mass and inertia in closed form. */
#ifndef POLEPAIR_GEOMETRY_H
#define POLEPAIR_GEOMETRY_H

#include "polepair/params.h"

/* A machine without slots has an air-gap winding: one layer of conductors on the bore. */
static inline bool pp_is_slotless(const pp_params *params) { return params->stator.slots == 0; }

/* Radii [m] from the axis, angles and what else follows from the parameters. */
typedef struct pp_dims {
    double sign;           /* +1 inner rotor (the slots point outwards), -1 outer rotor */
    double r_gap;          /* stator surface at the gap */
    double r_bottom;       /* bottom of the slots */
    double r_yoke;         /* far side of the stator yoke */
    double r_winding;      /* face of an air-gap winding; r_gap where there are slots */
    double r_magnet;       /* magnet face at the gap */
    double r_base;         /* magnet base, at its centre */
    double r_corner;       /* magnet base, at its edge */
    double r_core;         /* far side of the rotor core */
    double r_shaft;        /* shaft */
    double r_housing;      /* outside of the housing */
    double r_top;          /* where the copper of a slot begins, behind the tooth tip */
    double half_pitch;     /* half a slot pitch [rad] */
    double opening;        /* slot opening [m] */
    double opening_angle;  /* half the slot opening seen from the axis [rad] */
    double slot_area;      /* of the copper part of a slot [m^2] */
    double slot_width;     /* mean width of the copper part [m] */
    double slot_permeance; /* specific slot permeance lambda = h/(3b) + tips [1] */
    double arc;            /* magnet arc over pole pitch at the mean magnet radius [1] */
    double magnet_length;  /* axial length of the magnets [m] */
    double overhang;       /* axial room of the end winding beyond the stack [m] */
} pp_dims;

/* Checks the geometry and fills *dims; refuses with a geometry status. */
pp_status pp_dims_from(const pp_params *params, pp_dims *dims);

/* A vertex of a closed outline in the plane of the stack. Where `arc` is set the edge to the
 * next vertex is a circular arc about the axis (the shorter way), else it is straight. */
typedef struct pp_vertex {
    double x, y; /* [m] */
    bool arc;    /* the edge that begins here is an arc */
} pp_vertex;

typedef struct pp_section {
    double area;  /* [m^2] */
    double polar; /* polar second moment about the axis [m^4] */
} pp_section;

/* Area and polar moment of a closed outline by Green's theorem; positive when it runs
 * counter-clockwise. */
pp_section pp_outline_section(const pp_vertex *vertices, int count);

/* Room that the two outlines below need. */
enum { PP_PITCH_VERTICES = 10, PP_MAGNET_VERTICES = 4 };
/* Gap-side contour of the stator over one slot pitch, from the middle of one slot to the middle
 * of the next, the tooth on the x axis. Returns the number of vertices. */
int pp_tooth_contour(const pp_params *params, const pp_dims *dims, pp_vertex *out);
/* Closed outline of the magnet on the x axis, counter-clockwise. Returns the number of vertices. */
int pp_magnet_outline(const pp_params *params, const pp_dims *dims, pp_vertex *out);

/* A body whose centre of mass is on the axis and whose section has at least threefold symmetry. */
typedef struct pp_body {
    double volume;       /* [m^3] */
    double mass;         /* [kg] */
    double z;            /* centre of mass on the axis, from the middle of the stack [m] */
    double J_axial;      /* inertia about the axis [kg m^2] */
    double J_transverse; /* inertia about a diameter through the centre of mass [kg m^2] */
} pp_body;

typedef struct pp_masses {
    pp_body stator;     /* yoke and teeth */
    pp_body rotor_core; /* ring behind the magnets */
    pp_body web;        /* disc between core and shaft */
    pp_body magnets;    /* all of them */
    pp_body shaft;      /* the whole shaft */
    pp_body bearings;   /* both, as solid rings of steel */
    pp_body housing;    /* shell and caps, or the flange of an outer rotor */
    pp_body rotor;      /* core, web, magnets and shaft */
    double teeth;       /* mass of the teeth [kg] */
} pp_masses;

/* Mass and inertia of every part in closed form. */
void pp_masses_from(const pp_params *params, const pp_dims *dims, pp_masses *masses);

#endif
