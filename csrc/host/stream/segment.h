/* host/stream/segment.h: how a segment of the journal is laid out.
 *
 * Two copies of the header, so that no single damage costs the segment; then records, each padded
 * to 8 bytes: the description twice, then messages. What follows the last record is zero. */
#ifndef PP_HOST_SEGMENT_H
#define PP_HOST_SEGMENT_H

#include "polepair/journal.h"

enum { PP_SEGMENT_HEADER = 64, PP_SEGMENT_RECORD = 24 };

/* What a record holds. */
enum { PP_RECORD_MESSAGE, PP_RECORD_DESCRIPTION, PP_RECORD_AGAIN, PP_RECORD_KINDS };

/* length: of the bytes behind it, stored last; 0: no record here. */
typedef struct pp_record {
    uint32_t length, check; /* check: pp_record_check */
    int64_t arrival_ns;
    uint32_t index; /* of the record in its segment */
    uint32_t kind;
} pp_record;
_Static_assert(sizeof(pp_record) == PP_SEGMENT_RECORD, "records are packed");

/* CRC-32C of the rest of the header and the bytes, begun with the segment's salt and the place: no
 * record fits anywhere else, and nobody who only sends messages can make one. */
uint32_t pp_record_check(const pp_record *record, const void *bytes, uint32_t length, uint32_t salt,
                         uint64_t offset);
/* Bytes that a record takes. */
size_t pp_record_size(size_t length);
/* Writes both copies of the header. */
void pp_segment_begin(void *bytes, uint64_t number, uint32_t salt);

#endif
