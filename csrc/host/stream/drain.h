/* host/stream/drain.h: segments of the journal become rows. */
#ifndef PP_HOST_DRAIN_H
#define PP_HOST_DRAIN_H

#include "polepair/decoder.h"
#include "polepair/journal.h"

/* Why pp_drain stopped. */
typedef enum pp_drained {
    PP_DRAINED_ROWS,  /* there are as many rows as asked for */
    PP_DRAINED_END,   /* the segment has no more */
    PP_DRAINED_OTHER, /* what follows is of other channels, or in a way that cannot be read */
} pp_drained;

/* Columns that rows go to, `room` of each, and what was met on the way. */
typedef struct pp_block {
    int64_t *arrival, *seq, *time; /* ns, number, ns */
    double *column[PP_STREAM_CHANNELS_MAX];
    int64_t room, count;
    int64_t damaged, refused; /* places in the segment; messages that live took */
    bool described;           /* the segment's description was met */
} pp_block;

/* A segment on its way into rows. */
typedef struct pp_drain {
    pp_decoder *decoder; /* goes on from segment to segment */
    pp_segment segment;
    bool closed;          /* nobody writes to it any more */
    const uint8_t *about; /* what its description has to say */
    size_t about_length;
    int number; /* of the stream in an old segment, whose state the decoder has */
} pp_drain;

/* Decodes messages from *offset on (0: the beginning), until there are `rows` more of them
 * (block->room is at least PP_ROOM_MAX more) or the segment ends. */
pp_drained pp_drain_rows(const pp_drain *drain, uint64_t *offset, int64_t rows, pp_block *block);

#endif
