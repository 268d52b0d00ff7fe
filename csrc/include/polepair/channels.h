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

typedef struct pp_channel_info {
    const char *name, *unit, *doc;
} pp_channel_info;

const pp_channel_info *pp_channel_at(int i);
/* Index of a channel, or -1. */
int pp_channel_find(const char *name);
/* How a channel over a run becomes one number. PEAK: largest magnitude. SETTLE (omega_m only): time [s] after which the
 * speed stays within 2 % of its final reference. */
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

typedef struct pp_reduced {
    int channel, reducer;
} pp_reduced;

/* Where the traces of a sweep go: rows x channels for each case, a row every `every` samples. count 0: no trace. */
typedef struct pp_trace {
    const int *channels;
    int count;
    long every, rows;
    double *out;
} pp_trace;

/* Set of channels as bits. */
#define PP_BIT(name) (1u << PP_CHANNEL_##name)
enum {
    PP_CHANNELS_ENERGY = PP_BIT(energy_in) | PP_BIT(energy_copper) | PP_BIT(energy_friction) |
    PP_BIT(energy_load)
};
enum { PP_CHANNELS_PHASE = PP_BIT(ia) | PP_BIT(ib) | PP_BIT(ic) };

#endif
