/* polepair/journal.h: raw messages on disk, before they are acknowledged. Host only. */
#ifndef POLEPAIR_JOURNAL_H
#define POLEPAIR_JOURNAL_H

#include "polepair/base.h"

typedef struct pp_journal pp_journal;

/* Append-only journal of raw messages in mapped segment files: what is appended outlives the
 * process, not the machine until pp_journal_sync. Segments are FOLDER/<number, 16 hex
 * digits>.journal, numbered from after + 1 on. A new segment leaves spare_bytes of the disk free:
 * what empties the journal needs room too, and would be stuck without. NULL on failure, errno says
 * why. */
pp_journal *pp_journal_open(const char *folder, size_t segment_bytes, uint64_t spare_bytes,
                            uint64_t after);
void pp_journal_close(pp_journal *journal);
/* False when the disk is full; appending goes on when there is space again. One thread at a
 * time. */
bool pp_journal_append(pp_journal *journal, int number, int64_t arrival_ns, const void *bytes,
                       size_t length);
/* Writes what was appended to the disk. 0 or errno. */
int pp_journal_sync(pp_journal *journal);

/* A message as it lies in a segment. */
typedef struct pp_record_view {
    int number;         /* of its stream */
    int64_t arrival_ns; /* since 1970 */
    const uint8_t *bytes;
    size_t length;
} pp_record_view;

/* One record of a segment's bytes at *offset; moves *offset behind it. False at the end of what is
 * whole. */
bool pp_journal_next(const uint8_t *segment, size_t size, uint64_t *offset, pp_record_view *record);

#endif
