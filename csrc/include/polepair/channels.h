/* polepair/channels.h: the channels of a run, made from channels.def. */
#ifndef POLEPAIR_CHANNELS_H
#define POLEPAIR_CHANNELS_H

#include "polepair/base.h"

typedef enum pp_channel {
#define PP_CHANNEL(name, unit, doc) PP_CHANNEL_##name,
#include "polepair/channels.def"
#undef PP_CHANNEL
    PP_CHANNEL_COUNT
} pp_channel;

/* One row of channels.def. */
typedef struct pp_channel_info {
    const char *name; /* as results spell it */
    const char *unit; /* SI */
    const char *doc;  /* one line */
} pp_channel_info;

/* Row i, 0 <= i < PP_CHANNEL_COUNT. */
const pp_channel_info *pp_channel_at(int i);
/* Index of a channel, or -1. */
int pp_channel_find(const char *name);

/* How a channel over a run becomes one number. PEAK: largest magnitude. SETTLE (omega_m only):
 * time [s] after which the speed stays within 2 % of its final reference. */
typedef enum pp_reducer {
    PP_FINAL,
    PP_MEAN,
    PP_RMS,
    PP_LEAST,
    PP_MOST,
    PP_PEAK,
    PP_SETTLE,
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

/* Sets of channels as bits. */
#define PP_BIT(name) (1u << PP_CHANNEL_##name)
enum {
    PP_CHANNELS_ENERGY = PP_BIT(energy_in) | PP_BIT(energy_copper) | PP_BIT(energy_friction) |
    PP_BIT(energy_load)
};
enum { PP_CHANNELS_PHASE = PP_BIT(ia) | PP_BIT(ib) | PP_BIT(ic) };

#endif
