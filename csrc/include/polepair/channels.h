/* polepair/channels.h: the channels of a run, made from channels.def. */
#ifndef POLEPAIR_CHANNELS_H
#define POLEPAIR_CHANNELS_H

#include "polepair/base.h"

typedef enum pp_channel {
#define PP_CHANNEL(name, owner, unit, doc) PP_CHANNEL_##name,
#include "polepair/channels.def"
#undef PP_CHANNEL
    PP_CHANNEL_COUNT
} pp_channel;

/* Who has a channel's value. */
typedef enum pp_channel_owner {
    PP_OWNER_clock,   /* the run itself */
    PP_OWNER_machine, /* state and inputs of the machine */
    PP_OWNER_angle,   /* its rotor's angle, carried along where somebody asks */
    PP_OWNER_energy,  /* the balance of energies, likewise */
} pp_channel_owner;

/* One row of channels.def. */
typedef struct pp_channel_info {
    const char *name;       /* as results spell it */
    const char *unit;       /* SI */
    const char *doc;        /* one line */
    pp_channel_owner owner; /* what a run carries along for it */
} pp_channel_info;

/* Row i, 0 <= i < PP_CHANNEL_COUNT. */
const pp_channel_info *pp_channel_at(int i);
/* Index of a channel, or -1. */
int pp_channel_find(const char *name);

/* How a channel over a run becomes one number. PEAK: largest magnitude. SETTLE (omega_m only):
 * time [s] after which the speed stays within 2 % of its final reference. WARNED (omega_m only):
 * the doubts of warnings.def, bit 1 << pp_warning each. */
typedef enum pp_reducer {
    PP_FINAL,
    PP_MEAN,
    PP_RMS,
    PP_LEAST,
    PP_MOST,
    PP_PEAK,
    PP_SETTLE,
    PP_WARNED,
    PP_REDUCER_COUNT
} pp_reducer;

/* A channel and what becomes of it. */
typedef struct pp_reduced {
    int channel; /* a pp_channel */
    int reducer; /* a pp_reducer */
} pp_reduced;

/* Where the traces of a sweep go. */
typedef struct pp_trace {
    const int *channels; /* which ones */
    int count;           /* how many; 0: no trace */
    long every;          /* samples from row to row */
    long rows;           /* of each case */
    double *out;         /* cases x rows x channels */
} pp_trace;

#endif
