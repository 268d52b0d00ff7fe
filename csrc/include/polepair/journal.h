/* polepair/journal.h: raw messages on disk, before they are acknowledged. Host only. */
#ifndef POLEPAIR_JOURNAL_H
#define POLEPAIR_JOURNAL_H

#include "polepair/base.h"

enum { PP_JOURNAL_VERSION = 2 }; /* of segments; 1 is read as well */

typedef struct pp_journal pp_journal;

/* Append-only journal of raw messages in mapped segment files: what is appended outlives the
 * process, not the machine until pp_journal_sync. Segments are FOLDER/<number, 16 hex
 * digits>.journal, numbered from after + 1 on, and appear whole: described, with their blocks
 * allocated. A new one leaves spare_bytes of the disk free: what empties the journal needs room
 * too, and would be stuck without. NULL on failure, errno says why. */
pp_journal *pp_journal_open(const char *folder, size_t segment_bytes, uint64_t spare_bytes,
                            uint64_t after);
void pp_journal_close(pp_journal *journal);

/* Writes what a segment begins with, all that reading it takes; the length, 0 where it does not
 * fit. Called by whoever begins or appends. */
typedef size_t (*pp_describe)(const void *context, uint8_t *out, size_t room);
/* Begins a new segment, and describes it and all later ones that way. False: errno; appending
 * tries again. */
bool pp_journal_begin(pp_journal *journal, pp_describe describe, const void *context);
/* False when the disk is full, or 32 segments wait for a sync that fails; appending goes on when
 * there is space again. A message larger than a segment gets a larger one. One thread at a time,
 * begun before. */
bool pp_journal_append(pp_journal *journal, int64_t arrival_ns, bool again, const void *bytes,
                       size_t length);
/* What describes it changed: says so behind what is appended. */
void pp_journal_describe_again(pp_journal *journal);
/* Writes what was appended to the disk. 0 or errno; what failed is written again by the next
 * one. */
int pp_journal_sync(pp_journal *journal);

/* A segment's bytes as they are read. */
typedef struct pp_segment {
    const uint8_t *bytes; /* aligned to 8 */
    size_t size;
    uint64_t number;
    uint32_t salt;
    bool old; /* of version 1: messages of several streams, no descriptions */
} pp_segment;

/* A record as it lies in a segment. */
typedef struct pp_record_view {
    int number;         /* of its stream, in an old segment; else -1 */
    uint32_t index;     /* of the record in the segment (not in an old one) */
    int64_t arrival_ns; /* since 1970 */
    const uint8_t *bytes;
    size_t length;
    bool description; /* what the messages behind it mean; else a message */
    bool again;       /* a message that was sent before */
} pp_record_view;

typedef enum pp_segment_step {
    PP_SEGMENT_END,
    PP_SEGMENT_MESSAGE, /* or a description */
    PP_SEGMENT_DAMAGE   /* of one or more records: *offset is behind it */
} pp_segment_step;

/* False: no segment, or both copies of its header are damaged. */
bool pp_segment_open(pp_segment *segment, const uint8_t *bytes, size_t size);
/* The record at *offset (0: the first); moves *offset behind it. closed: nobody writes to it any
 * more, so what looks like its end may be damage. */
pp_segment_step pp_segment_next(const pp_segment *segment, bool closed, uint64_t *offset,
                                pp_record_view *record);

#endif
