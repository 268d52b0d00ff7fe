/* polepair/sweep.h: many runs of one twin with some parameters replaced, on lanes and threads. Host
 * only. */
#ifndef POLEPAIR_SWEEP_H
#define POLEPAIR_SWEEP_H

#include "polepair/twin.h"

enum { PP_SWEEP_OUTPUTS_MAX = 32 };

/* EXACT: the bits of a single run. FAST: the compiler may fuse multiply and add (error like
 * EXACT's, other last bits). SINGLE: float lanes, twice as many, error about 1e-4 of the currents.
 * Without AVX2 all three are EXACT. */
typedef enum pp_mode { PP_EXACT, PP_FAST, PP_SINGLE, PP_MODE_COUNT } pp_mode;

typedef struct pp_sweep {
    const pp_params *base;
    const int *columns; /* rows of the parameter table that the cases replace */
    int column_count;
    const double *values; /* cases x column_count */
    long cases;
    double t_end; /* simulated time of each case [s] */
    bool retune;  /* true: each case tunes its controller to its own machine; false: to the base
                     machine */
    const pp_reduced *outputs; /* taken over the samples 0..n of each run */
    int output_count;          /* <= PP_SWEEP_OUTPUTS_MAX */
    pp_trace trace;  /* a case with more rows than it has room for is refused with PP_ARGUMENT; of
                       one with fewer the rest stays NaN */
    double *results; /* cases x output_count; NaN where the status is not PP_OK */
    uint8_t *status; /* cases: pp_status */
    int16_t
        *where; /* cases: bad row of the table where the status is PP_RANGE, else -1; may be NULL */
    int threads;
    pp_mode mode;
} pp_sweep;

/* A running sweep; results fill in any order. */
typedef struct pp_sweep_job pp_sweep_job;

/* Starts the worker threads; NULL when memory or threads run out. The sweep's base and
 * arrays must outlive the job and stay as they are. */
pp_sweep_job *pp_sweep_start(const pp_sweep *sweep);
/* Waits up to `seconds` for the end; true when all cases are done. */
bool pp_sweep_wait(pp_sweep_job *job, double seconds);
long pp_sweep_done(const pp_sweep_job *job);
/* Asks the workers to stop; cases in flight are given up with PP_CANCELLED. */
void pp_sweep_cancel(pp_sweep_job *job);
/* Joins the workers and frees the job. */
void pp_sweep_finish(pp_sweep_job *job);
/* Name of the instruction set in use: "avx512", "avx2" or "plain". */
const char *pp_sweep_isa(void);
/* Chooses it by name, or the best for NULL; false where the machine lacks it. For tests. */
bool pp_sweep_force_isa(const char *name);

/* Derives every case (no run): out is cases x count of the derived rows `fields`. One thread. */
void pp_sweep_derive(const pp_sweep *sweep, const int *fields, int count, double *out);

#endif
