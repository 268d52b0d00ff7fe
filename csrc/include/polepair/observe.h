/* polepair/observe.h: what cannot be measured, from what can: an extended Kalman filter of a
 * PMSM drive (and an unscented one on the same model). Written against pp_real: double on the
 * host, float on the microcontroller.
 *
 * States: id, iq, electrical speed and angle, load torque, and slowly Rs and psi. The voltage is
 * explicit: pp_observer_predict takes the mean over the interval that ends at the next
 * measurement; half a sample of error there is a degree at speed. Covariance prediction to
 * second order of the interval; both currents corrected at once (D. Simon, Optimal State
 * Estimation, 2006, 6.1 and 13.2), in the estimated rotor frame, where the two currents' errors
 * stay independent. */
#ifndef POLEPAIR_OBSERVE_H
#define POLEPAIR_OBSERVE_H

#include "polepair/machine.h"
#include "polepair/model/real.h"

/* Rows of the state, then the length of a row in memory. */
enum {
    PP_X_ID,    /* [A] */
    PP_X_IQ,    /* [A] */
    PP_X_WE,    /* electrical speed [rad/s] */
    PP_X_THETA, /* electrical angle [rad], within +-pi */
    PP_X_LOAD,  /* load torque [N m] */
    PP_X_RS,    /* phase resistance [ohm] */
    PP_X_PSI,   /* flux linkage of the magnets [Wb] */
    PP_X_COUNT,
    PP_X_ROW = 8
};

/* The machine as the observer sees it. */
typedef struct pp_observed {
    pp_real Ld, Lq;         /* inductances [H] */
    pp_real Ld_inv, Lq_inv; /* their inverses [1/H] */
    pp_real Rs;             /* phase resistance of the motor file [ohm] */
    pp_real psi;            /* flux linkage of the magnets, of the motor file [Wb] */
    pp_real p, p_inv;       /* pole pairs and their inverse */
    pp_real J_inv;          /* inverse inertia, load included [1/(kg m^2)] */
    pp_real viscous;        /* friction over speed, load included [N m s] */
    pp_real coulomb;        /* Coulomb friction, load included [N m] */
    pp_real Rs_per_K;       /* change of Rs with the winding's temperature [ohm/K] */
    pp_real psi_per_K;      /* change of psi with the magnets' temperature [Wb/K] */
    pp_real winding_T;      /* temperature that Rs belongs to [degC] */
    pp_real magnet_T;       /* temperature that psi belongs to [degC] */
    pp_real i_max;          /* limit of the phase current, peak [A] */
    pp_real u_dc;           /* bus voltage [V] */
    pp_real torque_max;     /* torque of i_max at id = 0 [N m] */
} pp_observed;

/* What is uncertain; standard deviations, walks per root second. */
typedef struct pp_uncertainty {
    pp_real current;      /* of a current measurement [A] */
    pp_real voltage;      /* of the mean voltage of an interval [V] */
    pp_real load;         /* walk of the load torque [N m/s^0.5] */
    pp_real acceleration; /* walk of the electrical speed that no torque explains [rad/s/s^0.5] */
    pp_real Rs;           /* walk of Rs [ohm/s^0.5]; 0 with psi: both stay as they are */
    pp_real psi;          /* walk of psi [Wb/s^0.5] */
    pp_real Rs_start;     /* of Rs at the start, and for good where nothing shows it [ohm] */
    pp_real psi_start;    /* of psi at the start, and for good where nothing shows it [Wb] */
    pp_real Rs_back;      /* rate of Rs' return to the motor file's, which keeps that bound [1/s] */
    pp_real psi_back;     /* rate of psi's return to the motor file's [1/s] */
} pp_uncertainty;

/* The estimate says how far it can be trusted. */
typedef enum pp_quality {
    PP_QUALITY_GOOD,
    PP_QUALITY_STARTING,     /* fewer than 200 measurements */
    PP_QUALITY_UNOBSERVABLE, /* too slow for the angle to show, or its sigma beyond half a radian */
    PP_QUALITY_INCONSISTENT, /* residuals far larger than their covariance allows, the last
                                measurements no numbers, or the estimate lost */
    PP_QUALITY_COUNT
} pp_quality;

typedef struct pp_observer {
    pp_observed machine;           /* what it was started with */
    pp_uncertainty noise;          /* what it was started with */
    pp_real x[PP_X_ROW];           /* states */
    pp_real P[PP_X_ROW][PP_X_ROW]; /* their covariance; the upper triangle */
    pp_real c, s;                  /* cos and sin of the angle */
    pp_real turns;                 /* whole turns of the electrical angle; x holds the rest */
    pp_real r;                     /* variance of a current, as learnt from the residuals [A^2] */
    pp_real nis;       /* normalised innovation squared of the last one; mean 2 is well */
    pp_real nis_short; /* its mean over some 200 measurements */
    pp_real we_mean;   /* mean of |electrical speed| over as many [rad/s] */
    pp_real slow[3];   /* id, iq, electrical speed without the last noise: see low_pass */
    int64_t count;     /* measurements so far */
    int rejected;      /* bad samples in a row */
    int missed;        /* 2 for a measurement that was no number, less 1 for one that was */
    bool adapt;        /* Rs and psi are estimated along */
    bool lost;         /* the last measurement found an estimate that is not finite */
} pp_observer;

/* The machine of a motor file, load inertia and friction included. */
pp_observed pp_observed_from(const pp_params *params, const pp_machine *machine);
/* Uncertainties that follow from the machine; current: standard deviation of a measurement [A],
 * 0 for half a percent of i_max. adapt: Rs and psi are estimated along. */
pp_uncertainty pp_uncertainty_from(const pp_observed *machine, double current, bool adapt);
/* A number that a sensor of a motor can have measured, in any SI unit; NaN is none. */
static inline bool pp_is_measured(double value) { return value > -1e9 && value < 1e9; }

/* What follows takes any numbers. A measurement that pp_is_measured denies, or one with a standard
 * deviation that is not positive, is missed: it corrects nothing and is counted; a voltage like
 * that is unknown; time that does not pass forward does not pass. An estimate that has left the
 * finite numbers shows NaN, lets one measurement pass and begins anew with the next. */

/* At rest with this electrical angle [rad], known to +-sigma. */
void pp_observer_start(pp_observer *o, const pp_observed *machine, const pp_uncertainty *noise,
                       double theta_e, double sigma);
/* dt seconds pass under the mean stator voltage (u_alpha, u_beta) [V]. */
void pp_observer_predict(pp_observer *o, double u_alpha, double u_beta, double dt);
/* dt seconds pass under an unknown voltage: the currents are as good as unknown, the mechanics
 * go on. */
void pp_observer_predict_unpowered(pp_observer *o, double dt);
/* As at the start, of a motor of which nothing is known but its file: any angle, any speed. */
void pp_observer_begin_anew(pp_observer *o);
/* Whether a state or its variance has left the finite numbers. */
static inline bool pp_observer_is_lost(const pp_observer *o)
{
    pp_real sum = 0;
    for (int i = 0; i < PP_X_COUNT; i++)
        sum += o->x[i] + o->P[i][i];
    return sum - sum != PP_R(0);
}
/* A measurement that did not come. */
void pp_observer_missed(pp_observer *o);
/* A measurement of both currents [A]. */
void pp_observer_currents(pp_observer *o, double i_alpha, double i_beta);
/* pp_observer_predict, then pp_observer_currents. */
void pp_observer_step(pp_observer *o, double u_alpha, double u_beta, double dt, double i_alpha,
                      double i_beta);
/* A measurement of the mechanical speed [rad/s], of the mechanical angle [rad] or of the bus
 * current [A] with its standard deviation. */
void pp_observer_speed(pp_observer *o, double omega_m, double sigma);
void pp_observer_angle(pp_observer *o, double theta_m, double sigma);
void pp_observer_bus(pp_observer *o, double i_bus, double u_dc, double sigma);
/* The correction that follows any prediction: P, covariance of each state with both currents in
 * the rotor frame; S, theirs (dd, dq, qq) without the measurement's noise; their means; and the
 * currents measured (alpha, beta). */
void pp_observer_correct(pp_observer *o, pp_real (*P)[2], const pp_real *S, const pp_real *mean,
                         const pp_real *seen);
/* Prediction and currents by the unscented transform (Julier & Uhlmann, Proc. IEEE 92(3) 2004). */
void pp_observer_unscented(pp_observer *o, double u_alpha, double u_beta, double dt, double i_alpha,
                           double i_beta);
/* How far the estimate can be trusted now. */
pp_quality pp_observer_quality(const pp_observer *o);

/* Nearest whole number of turns to an angle; NaN for one that no motor has (a record may hold
 * anything). */
static inline pp_real pp_whole_turns(pp_real angle)
{
    const pp_real turns = angle * PP_R(0.5 / PP_PI);
    if (!(turns < PP_R(1e6) && turns > PP_R(-1e6)))
        return (pp_real)__builtin_nan("");
    return (pp_real)(int32_t)(turns + (turns < 0 ? PP_R(-0.5) : PP_R(0.5)));
}

/* Virtual sensors, one row each in estimate.def: PP_ESTIMATE(name, unit, doc). */
typedef enum pp_estimate {
#define PP_ESTIMATE(name, unit, doc) PP_ESTIMATE_##name,
#include "polepair/estimate.def"
#undef PP_ESTIMATE
    PP_ESTIMATE_COUNT
} pp_estimate;

/* One row of estimate.def. */
typedef struct pp_estimate_info {
    const char *name; /* as columns spell it */
    const char *unit; /* SI */
    const char *doc;  /* one line */
} pp_estimate_info;

/* Row `index`, 0 <= index < PP_ESTIMATE_COUNT. */
const pp_estimate_info *pp_estimate_at(int index);
/* A virtual sensor now; which: a pp_estimate, 0 for any other number. */
double pp_observer_estimate(const pp_observer *o, int which);

#endif
