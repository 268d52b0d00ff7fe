/* What is read back from disks: segments made record by record, damaged and of earlier versions;
 * and the journal that writes them, at its borders. */
#define _GNU_SOURCE
#include "stream.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../csrc/host/stream/drain.h"
#include "../../csrc/host/stream/segment.h"

/* The checksum without the processor's help, from the same source. */
#define pp_crc32c plain_crc32c
#undef __x86_64__
#include "../../csrc/host/stream/crc.c"
#undef pp_crc32c

enum { SIZE = 1 << 16, SALT = 77, ROWS = 1000, BLOCK = ROWS + PP_ROOM_MAX };

uint32_t pp_crc32c(uint32_t crc, const void *bytes, size_t length);

static _Alignas(8) uint8_t bytes[SIZE];
static size_t end; /* of what is in bytes */
static uint32_t records;
static pp_decoder source, decoder;
static int64_t arrivals[BLOCK], numbers[BLOCK], times[BLOCK];
static double columns[2][BLOCK];
static pp_block block;

static void put_record(uint32_t kind, const void *body, size_t length)
{
    pp_record record = {.length = (uint32_t)length, .kind = kind, .index = records++};
    record.arrival_ns = 1000 + record.index;
    record.check = pp_record_check(&record, body, record.length, SALT, end);
    memcpy(bytes + end, &record, sizeof record);
    memcpy(bytes + end + sizeof record, body, length);
    end += pp_record_size(length);
}

static void put_description(const char *about)
{
    uint8_t words[PP_DESCRIPTION_MAX];
    size_t length = pp_decoder_describe(&source, about, strlen(about), words, sizeof words);
    put_record(PP_RECORD_DESCRIPTION, words, length);
}

static void put_message(int n)
{
    char text[64];
    int length = snprintf(text, sizeof text, "{\"n\":%d,\"t\":%d,\"a\":%d,\"b\":0.5}", n, n, n);
    put_record(PP_RECORD_MESSAGE, text, (size_t)length);
}

/* A segment with its header, and a description where `about` is one. */
static void begin_bytes(const char *about)
{
    pp_stream_config config = json_config();
    pp_decoder_start(&source, &config, fresh_marks(1));
    memset(bytes, 0, sizeof bytes);
    memset(&decoder, 0, sizeof decoder);
    decoder.sequence.next = -1;
    decoder.marks = fresh_marks(0);
    pp_segment_begin(bytes, 5, SALT);
    end = PP_SEGMENT_HEADER;
    records = 0;
    if (about)
        put_description(about);
}

static uint64_t offset;

/* Goes on draining what is in bytes. */
static pp_drained drain_some(int64_t rows, bool closed, int number)
{
    pp_drain drain = {.decoder = &decoder, .closed = closed, .number = number};
    drain.about = (const uint8_t *)"about";
    drain.about_length = 5;
    if (!pp_segment_open(&drain.segment, bytes, sizeof bytes))
        return PP_DRAINED_OTHER;
    block = (pp_block){.arrival = arrivals, .seq = numbers, .time = times, .room = BLOCK};
    block.column[0] = columns[0];
    block.column[1] = columns[1];
    return pp_drain_rows(&drain, &offset, rows, &block);
}

static pp_drained drain_all(void)
{
    offset = 0;
    return drain_some(ROWS, true, 1);
}

static void a_segment_becomes_rows(void)
{
    begin_bytes("about");
    for (int n = 0; n < 5; n++)
        put_message(n);
    put_message(2); /* came already */
    put_record(PP_RECORD_MESSAGE, "{", 1);
    offset = 0;
    CHECK(drain_some(3, true, 1) == PP_DRAINED_ROWS && block.count == 3);
    CHECK(arrivals[2] == 1003 && numbers[2] == 2 && times[2] == 2 && columns[0][2] == 2);
    CHECK(drain_some(ROWS, true, 1) == PP_DRAINED_END && block.count == 2 && block.refused == 1);
    CHECK(block.damaged == 0 && columns[0][1] == 4 && columns[1][1] == 0.5 && offset == end);
    put_message(9);
    CHECK(drain_some(ROWS, false, 1) == PP_DRAINED_END && block.count == 1 && numbers[0] == 9);
}

static void a_description_has_to_fit(void)
{
    begin_bytes("other");
    put_message(1);
    CHECK(drain_all() == PP_DRAINED_OTHER && block.count == 0);
    begin_bytes(NULL);
    put_message(1);
    CHECK(drain_all() == PP_DRAINED_OTHER && block.count == 0);
    begin_bytes(NULL);
    put_record(PP_RECORD_DESCRIPTION, "none", 4);
    CHECK(drain_all() == PP_DRAINED_OTHER);
    begin_bytes("about");
    put_message(1);
    source.config.channels = 1;
    source.config.key_count = 1;
    put_description("about");
    put_message(2);
    CHECK(drain_all() == PP_DRAINED_OTHER && block.count == 1);
    begin_bytes("about");
    source.config.scale[0] = 7;
    put_description("about");
    CHECK(drain_all() == PP_DRAINED_END && decoder.config.scale[0] == 7);
}

static void what_a_description_knows_is_taken_once(void)
{
    pp_rows rows = {.time = times, .column = {columns[0], columns[1]}};
    begin_bytes(NULL);
    int64_t lost;
    pp_decoder_read(&source, (const uint8_t *)"{\"n\":40,\"a\":1}", 14, &rows);
    pp_decoder_number(&source, &rows, &lost);
    put_description("about");
    CHECK(drain_all() == PP_DRAINED_END && decoder.sequence.next == 41);
    decoder.sequence.next = 50;
    CHECK(drain_all() == PP_DRAINED_END && decoder.sequence.next == 50);
}

/* Damage to the record at `at` costs it alone, and is counted. */
static void damage_costs_a_record(void)
{
    size_t starts[8];
    for (int k = 0; k < 6; k++)
        for (int where = 0; where < PP_SEGMENT_RECORD + 8; where += 3) {
            begin_bytes("about");
            for (int n = 0; n < 6; n++) {
                starts[n] = end;
                put_message(n);
            }
            bytes[starts[k] + (size_t)where] ^= 0x11;
            CHECK(drain_all() == PP_DRAINED_END && block.count == 5 && block.damaged == 1);
        }
    for (int k = 0; k < 4; k++) { /* two neighbours are two */
        begin_bytes("about");
        for (int n = 0; n < 6; n++) {
            starts[n] = end;
            put_message(n);
        }
        bytes[starts[k] + 30] ^= 1;
        bytes[starts[k + 1] + 30] ^= 1;
        CHECK(drain_all() == PP_DRAINED_END && block.count == 4 && block.damaged == 2);
    }
}

static void headers_are_there_twice(void)
{
    pp_segment segment;
    begin_bytes("about");
    bytes[3] ^= 1;
    CHECK(pp_segment_open(&segment, bytes, sizeof bytes) && segment.number == 5);
    CHECK(segment.salt == SALT && !segment.old);
    bytes[PP_SEGMENT_HEADER / 2 + 9] ^= 1;
    CHECK(!pp_segment_open(&segment, bytes, sizeof bytes));
    bytes[3] ^= 1;
    CHECK(pp_segment_open(&segment, bytes, PP_SEGMENT_HEADER));
    CHECK(!pp_segment_open(&segment, bytes, PP_SEGMENT_HEADER - 1));
}

static void steps_end_where_they_should(void)
{
    pp_segment segment;
    pp_record_view view;
    begin_bytes(NULL);
    put_message(1);
    pp_segment_open(&segment, bytes, sizeof bytes);
    uint64_t at = 0;
    CHECK(pp_segment_next(&segment, true, &at, &view) == PP_SEGMENT_MESSAGE && at == end);
    CHECK(view.index == 0 && view.arrival_ns == 1000 && view.number == -1 && !view.description);
    CHECK(pp_segment_next(&segment, true, &at, &view) == PP_SEGMENT_END && at == end);
    bytes[sizeof bytes - 1] = 1;
    CHECK(pp_segment_next(&segment, false, &at, &view) == PP_SEGMENT_END && at == end);
    CHECK(pp_segment_next(&segment, true, &at, &view) == PP_SEGMENT_DAMAGE && at == sizeof bytes);
    CHECK(pp_segment_next(&segment, true, &at, &view) == PP_SEGMENT_END);
    bytes[sizeof bytes - 1] = 0;
    put_record(PP_RECORD_KINDS, "later", 5); /* a kind that there is not */
    at = end - 32;
    CHECK(pp_segment_next(&segment, true, &at, &view) == PP_SEGMENT_DAMAGE);
    segment.size = PP_SEGMENT_HEADER + 40; /* cut within the record */
    at = 0;
    CHECK(pp_segment_next(&segment, true, &at, &view) == PP_SEGMENT_DAMAGE && at == segment.size);
}

/* Lengths that point far ahead at every place are not all read: that would take for ever. */
static void looking_for_a_record_ends(void)
{
    pp_segment segment;
    pp_record_view view;
    begin_bytes(NULL);
    for (size_t at = end; at + 4 <= sizeof bytes; at += 8)
        memcpy(bytes + at, &(uint32_t){SIZE / 2}, 4);
    pp_segment_open(&segment, bytes, sizeof bytes);
    uint64_t at = 0;
    CHECK(pp_segment_next(&segment, true, &at, &view) == PP_SEGMENT_DAMAGE && at == sizeof bytes);
}

static void earlier_segments_are_read(void)
{
    begin_bytes(NULL);
    memcpy(bytes, "PPJRNL1\n", 8);
    for (uint32_t k = 0; k < 4; k++) {
        const char *text = k % 2 ? "{\"n\":1,\"a\":1}" : "{\"n\":2,\"a\":2}";
        pp_record record = {.length = 13, .arrival_ns = 9, .index = 1 + k % 2};
        record.check = pp_record_check(&record, text, 13, 0, 0);
        memcpy(bytes + end, &record, sizeof record);
        memcpy(bytes + end + sizeof record, text, 13);
        end += pp_record_size(13);
    }
    pp_stream_config config = json_config();
    pp_decoder_start(&decoder, &config, fresh_marks(0));
    offset = 0;
    CHECK(drain_some(ROWS, true, 1) == PP_DRAINED_END && block.count == 1 && columns[0][0] == 2);
    pp_decoder_start(&decoder, &config, fresh_marks(0));
    offset = 0;
    CHECK(drain_some(ROWS, true, 2) == PP_DRAINED_END && block.count == 1 && columns[0][0] == 1);
    CHECK(block.damaged == 0);
}

static void checksums_agree(void)
{
    CHECK(~pp_crc32c(~0u, "123456789", 9) == 0xe3069283); /* RFC 3720 */
    for (size_t length = 0; length < 40; length++)
        for (size_t at = 0; at < 8; at++)
            CHECK(pp_crc32c(5, bytes + at, length) == plain_crc32c(5, bytes + at, length));
}

void segments_and_drains(void)
{
    a_segment_becomes_rows();
    a_description_has_to_fit();
    what_a_description_knows_is_taken_once();
    damage_costs_a_record();
    headers_are_there_twice();
    steps_end_where_they_should();
    looking_for_a_record_ends();
    earlier_segments_are_read();
    checksums_agree();
}

static size_t described; /* bytes that describing takes; 0: it does not fit */

static size_t describe(const void *context, uint8_t *out, size_t room)
{
    if (described > room)
        return 0;
    memset(out, *(const char *)context, described);
    return described;
}

typedef struct found {
    int segments, records, descriptions, damaged;
    size_t bytes; /* of messages */
} found;

static void look_into(const char *path, found *sum)
{
    int fd = open(path, O_RDONLY);
    struct stat file;
    if (fd < 0 || fstat(fd, &file))
        return;
    uint8_t *map = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    pp_segment segment;
    pp_record_view view;
    pp_segment_step step;
    uint64_t at = 0;
    CHECK(pp_segment_open(&segment, map, (size_t)file.st_size));
    sum->segments++;
    uint32_t index = 0;
    while ((step = pp_segment_next(&segment, true, &at, &view)) != PP_SEGMENT_END) {
        sum->damaged += step == PP_SEGMENT_DAMAGE;
        if (step == PP_SEGMENT_DAMAGE)
            continue;
        CHECK(view.index == index++);
        sum->descriptions += view.description;
        sum->records += !view.description;
        sum->bytes += view.description ? 0 : view.length;
    }
    munmap(map, (size_t)file.st_size);
}

/* What lies in a folder, which is emptied. */
static found collect(const char *folder)
{
    found sum = {0};
    DIR *listing = opendir(folder);
    struct dirent *entry;
    while ((entry = readdir(listing))) {
        char path[600];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] == '.')
            continue;
        look_into(path, &sum);
        unlink(path);
    }
    closedir(listing);
    return sum;
}

static void messages_of_every_size_fit(const char *folder)
{
    static char message[3 * 8192];
    found sum = {0};
    size_t total = 0;
    described = 100;
    pp_journal *journal = pp_journal_open(folder, 8192, 0, 0);
    CHECK(journal && pp_journal_begin(journal, describe, "d"));
    for (size_t length = 1; length < sizeof message; length += 1 + length / 7) {
        CHECK(pp_journal_append(journal, 1, false, message, length));
        sum.records++;
        total += length;
    }
    CHECK(pp_journal_sync(journal) == 0);
    pp_journal_close(journal);
    found there = collect(folder);
    CHECK(there.records == sum.records && there.bytes == total && there.damaged == 0);
    CHECK(there.descriptions == 2 * there.segments && there.segments > 3);
}

/* A segment is used to its last byte, and not beyond. */
static void the_last_record_may_just_fit(const char *folder)
{
    static char message[8192];
    size_t left = 8192 - PP_SEGMENT_HEADER - 2 * pp_record_size(100) - PP_SEGMENT_RECORD;
    for (size_t more = 0; more < 2; more++) {
        described = 100;
        pp_journal *journal = pp_journal_open(folder, 8192, 0, 0);
        pp_journal_begin(journal, describe, "d");
        CHECK(pp_journal_append(journal, 1, false, message, left + more));
        CHECK(pp_journal_append(journal, 1, false, message, 1));
        pp_journal_close(journal);
        found there = collect(folder);
        CHECK(there.segments == 2 && there.records == 2 && there.damaged == 0);
    }
    described = (4096 - PP_SEGMENT_HEADER) / 2 - PP_SEGMENT_RECORD;
    for (size_t more = 0; more < 2; more++, described++) { /* a larger one where it takes one */
        pp_journal *journal = pp_journal_open(folder, 4096, 0, 0);
        CHECK(pp_journal_begin(journal, describe, "d") &&
              pp_journal_append(journal, 1, false, "x", 1));
        pp_journal_close(journal);
        found there = collect(folder);
        CHECK(there.records == 1 && there.descriptions == 2 * there.segments);
    }
    described = (size_t)1 << 17;
    pp_journal *journal = pp_journal_open(folder, 4096, 0, 0);
    CHECK(!pp_journal_begin(journal, describe, "d") && errno == EMSGSIZE);
    pp_journal_close(journal);
    CHECK(collect(folder).segments == 0);
}

static void describing_again_may_need_a_new_segment(const char *folder)
{
    static char message[4096];
    for (size_t length = 3600; length < 3850; length += 8) {
        described = 40;
        pp_journal *journal = pp_journal_open(folder, 4096, 0, 0);
        pp_journal_describe_again(journal); /* nothing to describe yet */
        pp_journal_begin(journal, describe, "d");
        int kept = pp_journal_append(journal, 1, false, message, length);
        pp_journal_describe_again(journal);
        kept += pp_journal_append(journal, 1, false, message, 9);
        pp_journal_close(journal);
        found there = collect(folder);
        CHECK(kept == 2 && there.records == 2 && there.bytes == length + 9 && there.damaged == 0);
        int again = there.descriptions - 2 * there.segments; /* or in the new segment */
        CHECK(again == 1 || (again == 0 && there.segments == 2));
    }
}

/* Segments that nobody synced: none is forgotten, no descriptor is kept open. */
static void many_closed_segments(const char *folder)
{
    static char message[2000];
    described = 40;
    int before = dup(0);
    close(before);
    pp_journal *journal = pp_journal_open(folder, 4096, 0, 9);
    pp_journal_begin(journal, describe, "d");
    for (int k = 0; k < 100; k++)
        CHECK(pp_journal_append(journal, 1, false, message, sizeof message));
    CHECK(pp_journal_sync(journal) == 0 && pp_journal_sync(journal) == 0);
    pp_journal_close(journal);
    int after = dup(0);
    close(after);
    CHECK(before == after);
    found there = collect(folder);
    CHECK(there.segments == 100 && there.records == 100 && there.bytes == 100 * sizeof message);
}

static void journals_need_a_folder_and_room(const char *folder)
{
    char name[5000];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = 0;
    CHECK(!pp_journal_open(name, 4096, 0, 0) && errno == ENAMETOOLONG);
    CHECK(!pp_journal_open("/nowhere/at/all", 4096, 0, 0) && errno == ENOENT);
    described = 40;
    pp_journal *journal = pp_journal_open(folder, 4096, (uint64_t)1 << 62, 0);
    CHECK(!pp_journal_begin(journal, describe, "d") && errno == ENOSPC);
    CHECK(!pp_journal_append(journal, 1, false, "x", 1) && errno == ENOSPC);
    pp_journal_close(journal);
    CHECK(collect(folder).segments == 0);
    snprintf(name, sizeof name, "%s/0000000000000001.journal", folder); /* in the way */
    mkdir(name, 0700);
    journal = pp_journal_open(folder, 4096, 0, 0);
    CHECK(!pp_journal_begin(journal, describe, "d") && errno == EISDIR);
    rmdir(name);
    CHECK(pp_journal_append(journal, 1, false, "x", 1)); /* it goes on when it can */
    pp_journal_close(journal);
    CHECK(collect(folder).records == 1);
}

void journals(const char *folder)
{
    messages_of_every_size_fit(folder);
    the_last_record_may_just_fit(folder);
    describing_again_may_need_a_new_segment(folder);
    many_closed_segments(folder);
    journals_need_a_folder_and_room(folder);
}
