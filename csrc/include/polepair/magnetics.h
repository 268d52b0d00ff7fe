/* polepair/magnetics.h: closed-form magnetics of surface-magnet machines. */
#ifndef POLEPAIR_MAGNETICS_H
#define POLEPAIR_MAGNETICS_H

#include "polepair/base.h"

/* The annulus of a surface-magnet machine. Inner rotor: r_base < r_magnet < r_stator; outer
 * rotor the other way round. Iron is infinitely permeable; without it the field goes on into
 * air. */
typedef struct pp_annulus {
    double r_stator;  /* iron bore, Carter-corrected [m] */
    double r_magnet;  /* magnet face [m] */
    double r_base;    /* magnet base [m] */
    double Br;        /* remanence [T] */
    double mu_r;      /* relative recoil permeability of the magnets [1] */
    double arc;       /* pole arc over pole pitch [1] */
    int pole_pairs;   /* p */
    bool parallel;    /* magnetised in parallel, else radially */
    bool stator_iron; /* iron behind the gap */
    bool rotor_iron;  /* iron behind the magnets */
} pp_annulus;

/* Field harmonic of order nu = n p in the air between magnet and stator. B_r(r, theta) =
 * amplitude cos(nu theta), amplitude from pp_field_at. */
typedef struct pp_field {
    double potential; /* scalar potential at the magnet face [A] */
    double ratio;     /* (near radius / far radius)^nu of the air; 0 for an open stator side [1] */
    int order;        /* nu */
} pp_field;

/* n-th odd harmonic (n = 1, 3, 5 ...) of the open-circuit field: Zhu, Howe, Bolte, Ackermann,
 * IEEE Trans. Magn. 29(1) 1993 (radial magnetisation, p = 1 included) and Zhu, Howe, Chan, IEEE
 * Trans. Magn. 38(1) 2002 (parallel). */
pp_field pp_field_harmonic(const pp_annulus *annulus, int n);
/* Peak radial flux density [T] of the harmonic at radius r between magnet face and stator. */
double pp_field_at(const pp_annulus *annulus, const pp_field *field, double r);

/* Carter's factor [1] of a slotted surface (Hendershot & Miller, Design of Brushless PM
 * Machines, ch. 5): opening and pitch of the slots, and the magnetic gap g' = g + h_m / mu_r,
 * all > 0 [m]. */
double pp_carter(double opening, double pitch, double gap);

/* The straightforward one-dimensional gap field B_1 [T], known to be about 18 % high on the
 * SPMLoss motor: kept as the documented wrong answer (Hanselman, Brushless PM Motor Design, ch.
 * 4). */
double pp_naive_gap_field(double Br, double mu_r, double thickness, double gap, double carter,
                          double arc);

#endif
