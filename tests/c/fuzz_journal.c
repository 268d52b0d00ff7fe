/* libFuzzer target over what is read back from disks (-DDECODER=SEGMENT or DESCRIPTION): whatever a
 * segment or a description holds, reading ends, and stays within. */
#include <stdlib.h>
#include <string.h>

#include "../../csrc/host/stream/drain.h"
#include "../../csrc/host/stream/segment.h"

enum { SEGMENT, DESCRIPTION, CHANNELS = 2, ROWS = 64 };

static const char about[] = "fuzz";

/* Room for as many channels as a description may ask for. */
static pp_block new_block(void)
{
    pp_block block = {.room = ROWS + PP_ROOM_MAX};
    block.arrival = malloc((size_t)block.room * 8);
    block.seq = malloc((size_t)block.room * 8);
    block.time = malloc((size_t)block.room * 8);
    for (int i = 0; i < PP_STREAM_CHANNELS_MAX; i++)
        block.column[i] = malloc((size_t)block.room * 8);
    return block;
}

/* The input as a segment: header and checksums are made to fit, so that the fuzzer gets behind
 * them; one bit of the first byte leaves them as they are. */
static void seal(uint8_t *bytes, size_t size)
{
    if (size < PP_SEGMENT_HEADER + PP_SEGMENT_RECORD || bytes[0] & 1)
        return;
    pp_segment_begin(bytes, 1, 7);
    for (size_t at = PP_SEGMENT_HEADER; at + PP_SEGMENT_RECORD <= size;) {
        pp_record record;
        memcpy(&record, bytes + at, sizeof record);
        record.length %= 4096;
        record.kind %= PP_RECORD_KINDS + 1;
        if (record.length == 0 || pp_record_size(record.length) > size - at)
            return;
        uint8_t *body = bytes + at + PP_SEGMENT_RECORD;
        record.check = pp_record_check(&record, body, record.length, 7, at);
        memcpy(bytes + at, &record, sizeof record);
        at += pp_record_size(record.length);
    }
}

static void read_segment(const uint8_t *data, size_t size)
{
    static pp_block block;
    static pp_decoder decoder;
    if (!block.room)
        block = new_block();
    uint8_t *exact = aligned_alloc(8, (size + 8) / 8 * 8);
    memcpy(exact, data, size);
    seal(exact, size);
    pp_marks_free(decoder.marks);
    memset(&decoder, 0, sizeof decoder);
    decoder.sequence.next = -1;
    decoder.marks = pp_marks_new();
    pp_drain drain = {.decoder = &decoder,
                      .closed = true,
                      .about = (const uint8_t *)about,
                      .about_length = sizeof about - 1,
                      .number = 1};
    uint64_t offset = 0;
    pp_drained ended = PP_DRAINED_ROWS;
    if (pp_segment_open(&drain.segment, exact, size))
        while (ended == PP_DRAINED_ROWS && (decoder.config.channels || !drain.segment.old)) {
            block.count = 0;
            ended = pp_drain_rows(&drain, &offset, ROWS, &block);
            if (block.count > block.room || offset > size + 8)
                abort();
        }
    free(exact);
}

static void read_description(const uint8_t *data, size_t size)
{
    static pp_decoder decoder, again;
    static uint8_t out[PP_DESCRIPTION_MAX];
    const uint8_t *words;
    size_t length;
    pp_marks *marks = pp_marks_new();
    bool taken = !pp_decoder_from(data, size, marks, &decoder, &words, &length);
    pp_marks_free(marks);
    if (!taken)
        return;
    size_t written = pp_decoder_describe(&decoder, words, length, out, sizeof out);
    if (!written || pp_decoder_from(out, written, NULL, &again, &words, &length))
        abort(); /* what was taken is written and taken again */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (DECODER == SEGMENT)
        read_segment(data, size);
    else
        read_description(data, size);
    return 0;
}
