/* polepair/format.h: how messages of a source are read: format, keys, layout, limits; and what a
 * stream remembers of their numbers, so that it can go on where another ended. */
#ifndef POLEPAIR_FORMAT_H
#define POLEPAIR_FORMAT_H

#include "polepair/frame.h"

enum {
    PP_STREAM_CHANNELS_MAX = 64,
    PP_KEYS_MAX = PP_STREAM_CHANNELS_MAX + 8, /* channels and what else a message says */
    PP_NAME_MAX = 48,                         /* bytes, with the 0 at the end */
    PP_GAPS_MAX = 64,
    PP_ALIASES_MAX = 256,
    PP_ROOM_MAX = 65535 /* rows of a message */
};

typedef enum pp_format {
    PP_FORMAT_FRAME,
    PP_FORMAT_JSON,
    PP_FORMAT_SPARKPLUG,
    PP_FORMAT_PACKED,
    PP_FORMAT_COUNT
} pp_format;

/* Where a key, metric or alias leads: a column (0..), or one of these. */
enum {
    PP_TO_TIME = -1,
    PP_TO_SEQ = -2,
    PP_TO_BOOT = -3,
    PP_TO_STEP = -4,
    PP_TO_ROWS = -5,
    PP_TO_NOWHERE = -6
};

/* A name of the payload and where it leads. */
typedef struct pp_key {
    char name[PP_NAME_MAX];
    int length; /* of the name, bytes */
    int target;
} pp_key;

/* A little-endian field of a packed struct that somebody else defined. */
typedef struct pp_field {
    int at;   /* offset, bytes; < 0: absent */
    int size; /* 1 to 8 bytes */
} pp_field;

typedef struct pp_layout {
    uint8_t magic[8]; /* what the message begins with */
    int magic_length; /* bytes; 0: nothing in particular */
    pp_field time, seq, step, samples, channels;
    int data;  /* offset of the values, bytes */
    int value; /* 4: float32, 8: float64, 2: int16 with scales */
} pp_layout;

typedef struct pp_stream_config {
    pp_format format;
    int channels;             /* 1 to PP_STREAM_CHANNELS_MAX */
    pp_key keys[PP_KEYS_MAX]; /* JSON keys and Sparkplug metric names */
    int key_count;
    int16_t alias[PP_ALIASES_MAX];        /* Sparkplug alias to target; births add to it */
    double scale[PP_STREAM_CHANNELS_MAX]; /* of INT16, DELTA and packed integers */
    pp_layout layout;                     /* of PACKED */
    double time_unit;                     /* ns per unit of the payload's time */
    int64_t capacity;                     /* rows kept; rounded up to whole pages */
    size_t size_limit;                    /* bytes of a message; larger ones are refused unread */
    int room;                             /* rows that a message may have, 1 to PP_ROOM_MAX */
    bool seq_per_sample;                  /* the sequence number counts samples, not messages */
} pp_stream_config;

/* NULL, or what is wrong with a configuration (capacity apart). */
const char *pp_config_fault(const pp_stream_config *config);

/* Sequence numbers seen: everything from first to next but the gaps, the newest 64 of them. */
typedef struct pp_sequence {
    int64_t next;  /* -1: nothing yet */
    int64_t first; /* since the device started */
    int64_t gap_first[PP_GAPS_MAX];
    int64_t gap_end[PP_GAPS_MAX]; /* the number behind each gap */
    int gaps;
    int64_t sure; /* numbers from here on are known one by one; gaps below were given up */
    int64_t boot; /* of the device; -1: it tells none */
    int64_t time; /* under which the newest number came [ns] */
} pp_sequence;

#endif
