/* polepair/decoder.h: messages of one source into rows, and what that takes as bytes, so that
 * another process decodes what this one took, row for row. Host only. */
#ifndef POLEPAIR_DECODER_H
#define POLEPAIR_DECODER_H

#include "polepair/format.h"

/* One decoded message: where its rows go and what it said. */
typedef struct pp_rows {
    int64_t *time;                          /* [ns], `room` of them */
    double *column[PP_STREAM_CHANNELS_MAX]; /* as many values each */
    int room;                               /* rows that fit */
    int count;                              /* rows written */
    int64_t seq;                            /* -1: the message has none */
    int seq_bits;                           /* that seq counts with: 8, 16, 32 or 64 */
    int64_t boot;                           /* -1: the message has none */
    int64_t dropped;                        /* samples, by the device itself; 0: it says nothing */
    bool partial;                           /* an object that lacks some of the channels */
    bool again;                             /* whoever brings it says that it was sent before */
} pp_rows;

/* How a message stands to those before it. */
typedef enum pp_order {
    PP_ORDER_NEW,       /* ahead of all before it */
    PP_ORDER_LATE,      /* out of a gap, or from before the first one */
    PP_ORDER_DUPLICATE, /* this very message came already: to be dropped */
    PP_ORDER_RESTART    /* the device counts anew */
} pp_order;

/* A key with its quotes and colon as it came, up to 16 bytes. */
typedef struct pp_json_head {
    uint64_t text[2], mask[2]; /* mask: all bits of each byte in use */
    int16_t width;             /* bytes; 0: none */
    int16_t target;            /* where the key leads */
} pp_json_head;

/* Remembers what came at which place of the last message: devices repeat themselves. */
typedef struct pp_json_memory {
    pp_json_head head[PP_STREAM_CHANNELS_MAX]; /* by place in the message */
} pp_json_memory;

/* Messages that are known again: all, and those that were sent before, says who brings them. */
enum { PP_RECENT = 1024, PP_DEEP = 1 << 14 };

/* Which messages came, by a mark each; 64 bits that mean the same on every machine. */
typedef struct pp_marks pp_marks;

/* NULL when memory runs out. */
pp_marks *pp_marks_new(void);
void pp_marks_free(pp_marks *marks);
/* Marks so far, also those that are forgotten by now. */
int64_t pp_marks_count(const pp_marks *marks);
/* Those that came behind the first `since`, at most the PP_DEEP newest; how many. */
size_t pp_marks_copy(const pp_marks *marks, int64_t since, uint64_t *out);
/* Takes note of `count` marks of 8 bytes each, where they are not known. */
void pp_marks_learn(pp_marks *marks, const void *from, size_t count);

/* Everything that decoding depends on; the same messages give the same rows from the same state. */
typedef struct pp_decoder {
    pp_stream_config config;
    pp_json_memory memory; /* makes it faster, never other */
    pp_sequence sequence;
    pp_marks *marks;                      /* its owner's; NULL where only rows are read */
    int16_t alias_before[PP_ALIASES_MAX]; /* of the message read last */
    bool taught;                          /* that message changed the aliases */
    uint64_t content;                     /* a number of all its bytes */
} pp_decoder;

void pp_decoder_start(pp_decoder *decoder, const pp_stream_config *config, pp_marks *marks);
/* Reads one message into *rows (time and columns given, config.room rows each). A refused one
 * changes nothing. */
pp_refusal pp_decoder_read(pp_decoder *decoder, const uint8_t *bytes, size_t length, pp_rows *rows);
/* The message read last was not kept: it changed nothing. */
void pp_decoder_forget(pp_decoder *decoder);
/* Judges the number of the message read last, unrolls it in rows->seq and takes note of it and of
 * its mark. *lost changes by the numbers now missing (less than 0 when a gap is filled). */
pp_order pp_decoder_number(pp_decoder *decoder, pp_rows *rows, int64_t *lost);

/* Takes over the aliases that `from` knows and this one does not: births are not sent again because
 * a reader began anew. */
void pp_decoder_learn_aliases(pp_decoder *decoder, const pp_decoder *from);
/* These, and which numbers came where none did here. */
void pp_decoder_learn(pp_decoder *decoder, const pp_decoder *from);

enum { PP_DESCRIPTION_VERSION = 1 };
enum { PP_ABOUT_MAX = 1 << 15, PP_DESCRIPTION_MAX = 1 << 16 }; /* bytes */

/* Writes all that decoding needs but the marks, and `about` (what it is for: the caller's own
 * words), as bytes of one version on every machine. The length; 0 where `room` (PP_DESCRIPTION_MAX
 * always does) or about_length is wrong. */
size_t pp_decoder_describe(const pp_decoder *decoder, const void *about, size_t about_length,
                           uint8_t *out, size_t room);
/* Reads that into a fresh decoder with these marks (NULL: none), which learn those that earlier
 * writers put there as well; *about points into bytes. NULL, or what is wrong. */
const char *pp_decoder_from(const uint8_t *bytes, size_t length, pp_marks *marks,
                            pp_decoder *decoder, const uint8_t **about, size_t *about_length);

#endif
