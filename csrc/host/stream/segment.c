/* The segments of the journal as bytes: headers, records, and going on behind what is damaged. */
#include "segment.h"

#include <string.h>

#include "crc.h"

static const char magic[8] = {'P', 'P', 'J', 'R', 'N', 'L', '0' + PP_JOURNAL_VERSION, '\n'};
static const char magic_1[] = "PPJRNL1\n"; /* of version 1: one header, no salt, no descriptions */

/* Looking for the next whole record stops after so many times the segment's size was read. */
enum { PATIENCE = 32 };

typedef struct header {
    char magic[8];
    uint64_t number;
    uint32_t salt, reserved[2], check;
} header;
_Static_assert(2 * sizeof(header) == PP_SEGMENT_HEADER, "two copies");

uint32_t pp_record_check(const pp_record *record, const void *bytes, uint32_t length, uint32_t salt,
                         uint64_t offset)
{
    uint32_t begin = ~(salt + (uint32_t)(offset / 8));
    uint32_t crc = pp_crc32c(begin, &record->arrival_ns, PP_SEGMENT_RECORD - 8);
    return pp_crc32c(crc, bytes, length) ^ length;
}

size_t pp_record_size(size_t length) { return PP_SEGMENT_RECORD + (length + 7) / 8 * 8; }

static uint32_t header_check(const header *copy)
{
    return pp_crc32c(~0u, copy, offsetof(header, check));
}

void pp_segment_begin(void *bytes, uint64_t number, uint32_t salt)
{
    header copy = {.number = number, .salt = salt};
    memcpy(copy.magic, magic, sizeof magic);
    copy.check = header_check(&copy);
    memcpy(bytes, &copy, sizeof copy);
    memcpy((char *)bytes + sizeof copy, &copy, sizeof copy);
}

bool pp_segment_open(pp_segment *segment, const uint8_t *bytes, size_t size)
{
    *segment = (pp_segment){.bytes = bytes, .size = size};
    if (size < PP_SEGMENT_HEADER)
        return false;
    segment->old = memcmp(bytes, magic_1, sizeof magic_1 - 1) == 0;
    for (int k = 0; k < 2 && !segment->old; k++) {
        header copy;
        memcpy(&copy, bytes + (size_t)k * sizeof copy, sizeof copy);
        if (memcmp(copy.magic, magic, sizeof magic) == 0 && copy.check == header_check(&copy)) {
            segment->salt = copy.salt;
            segment->number = copy.number;
            return true;
        }
    }
    return segment->old;
}

/* The record at a place that may hold one: its length, 0 where there is none. */
static uint32_t length_at(const pp_segment *segment, uint64_t at)
{
    if (at > segment->size || segment->size - at < PP_SEGMENT_RECORD)
        return 0;
    return __atomic_load_n((const uint32_t *)(segment->bytes + at), __ATOMIC_ACQUIRE);
}

static bool fits(const pp_segment *segment, uint64_t at, uint32_t length)
{
    return length > 0 && pp_record_size(length) <= segment->size - at;
}

/* Reads and checks the record of that length. */
static bool read_record(const pp_segment *segment, uint64_t at, uint32_t length,
                        pp_record_view *view)
{
    pp_record record;
    memcpy(&record, segment->bytes + at, sizeof record);
    const uint8_t *bytes = segment->bytes + at + PP_SEGMENT_RECORD;
    uint64_t place = segment->old ? 0 : at;
    if (!segment->old && record.kind >= PP_RECORD_KINDS)
        return false;
    if (pp_record_check(&record, bytes, length, segment->salt, place) != record.check)
        return false;
    *view = (pp_record_view){.number = -1,
                             .index = record.index,
                             .arrival_ns = record.arrival_ns,
                             .bytes = bytes,
                             .length = length,
                             .description = record.kind == PP_RECORD_DESCRIPTION,
                             .again = record.kind == PP_RECORD_AGAIN};
    if (segment->old) {
        view->number = (int)record.index;
        view->description = false;
        view->again = false;
    }
    return true;
}

/* The next whole record behind a damaged one; size where there is none. */
static uint64_t find_next(const pp_segment *segment, uint64_t at)
{
    uint64_t read = 0;
    pp_record_view view;
    for (at += 8; at + PP_SEGMENT_RECORD <= segment->size; at += 8) {
        uint32_t length = length_at(segment, at);
        if (!fits(segment, at, length))
            continue;
        read += length;
        if (read > PATIENCE * (uint64_t)segment->size)
            return segment->size;
        if (read_record(segment, at, length, &view))
            return at;
    }
    return segment->size;
}

static bool is_zero(const uint8_t *bytes, size_t length)
{
    return length == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0);
}

pp_segment_step pp_segment_next(const pp_segment *segment, bool closed, uint64_t *offset,
                                pp_record_view *view)
{
    uint64_t at = *offset < PP_SEGMENT_HEADER ? PP_SEGMENT_HEADER : *offset;
    if (at % 8 != 0 || at >= segment->size)
        return PP_SEGMENT_END;
    uint32_t length = length_at(segment, at);
    bool here = fits(segment, at, length) && read_record(segment, at, length, view);
    if (here) {
        *offset = at + pp_record_size(length);
        return PP_SEGMENT_MESSAGE;
    }
    if (length == 0 && (!closed || is_zero(segment->bytes + at, segment->size - at)))
        return PP_SEGMENT_END;
    *offset = find_next(segment, at);
    return PP_SEGMENT_DAMAGE;
}
