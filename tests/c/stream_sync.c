/* What a sync of the journal owes: every file that was appended to is told to the disk, whatever
 * failed before, and a folder with a new name in it. The system calls are this file's own. */
#define _GNU_SOURCE
#include "stream.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "polepair/journal.h"

enum { FILES = 4000, MESSAGE = 2000, SEGMENT = 4096 };

static ino_t synced[FILES]; /* files and folders, in their order */
static int synced_count;
static int failing; /* so many syncs from now on */

static int note(int fd)
{
    struct stat file;
    if (failing > 0) {
        failing--;
        errno = EIO;
        return -1;
    }
    if (fstat(fd, &file) == 0 && synced_count < FILES)
        synced[synced_count++] = file.st_ino;
    return 0;
}

int fdatasync(int fd) { return note(fd); }
int fsync(int fd) { return note(fd); }

static const char *place;

static bool was_synced(const char *name)
{
    char path[600];
    struct stat file;
    snprintf(path, sizeof path, "%s/%s", place, name);
    if (stat(path, &file))
        return false;
    for (int i = 0; i < synced_count; i++)
        if (synced[i] == file.st_ino)
            return true;
    return false;
}

static bool segment_synced(int number)
{
    char name[40];
    snprintf(name, sizeof name, "%016x.journal", number);
    return was_synced(name);
}

static size_t describe(const void *context, uint8_t *out, size_t room)
{
    (void)room;
    memcpy(out, context, 8);
    return 8;
}

static pp_journal *begin(void)
{
    synced_count = failing = 0;
    pp_journal *journal = pp_journal_open(place, SEGMENT, 0, 0);
    CHECK(journal && pp_journal_begin(journal, describe, "describe"));
    return journal;
}

static void append(pp_journal *journal, int count)
{
    static char message[MESSAGE]; /* one fills a segment */
    for (int k = 0; k < count; k++)
        CHECK(pp_journal_append(journal, 1, false, message, sizeof message));
}

static void end(pp_journal *journal)
{
    char path[600];
    pp_journal_close(journal);
    for (int k = 1; k < FILES; k++) {
        snprintf(path, sizeof path, "%s/%016x.journal", place, k);
        unlink(path);
    }
}

static void everything_is_synced_once(void)
{
    pp_journal *journal = begin();
    append(journal, 5);
    CHECK(pp_journal_sync(journal) == 0 && was_synced("."));
    for (int k = 1; k <= 5; k++)
        CHECK(segment_synced(k));
    CHECK(synced_count == 6);
    CHECK(pp_journal_sync(journal) == 0 && synced_count == 6); /* nothing came */
    append(journal, 1);
    synced_count = 0;
    CHECK(pp_journal_sync(journal) == 0 && was_synced(".") && segment_synced(5));
    CHECK(segment_synced(6) && synced_count == 3);
    CHECK(pp_journal_append(journal, 1, false, "x", 1));
    synced_count = 0;
    CHECK(pp_journal_sync(journal) == 0 && segment_synced(6) && synced_count == 1);
    end(journal);
}

/* Whichever of them fails is owed, and written again, until it succeeds. */
static void what_failed_is_synced_later(void)
{
    for (int fails = 1; fails < 5; fails++) {
        pp_journal *journal = begin();
        append(journal, 3);
        failing = fails;
        CHECK(pp_journal_sync(journal) == EIO && failing == 0);
        CHECK(pp_journal_sync(journal) == 0 && was_synced("."));
        for (int k = 1; k <= 3; k++)
            CHECK(segment_synced(k));
        int count = synced_count;
        CHECK(pp_journal_sync(journal) == 0 && synced_count == count);
        end(journal);
    }
}

/* More than are remembered are synced by whoever appends. */
static void many_segments_are_synced(void)
{
    pp_journal *journal = begin();
    append(journal, 50);
    CHECK(segment_synced(1) && !segment_synced(49));
    CHECK(pp_journal_sync(journal) == 0);
    for (int k = 1; k <= 50; k++)
        CHECK(segment_synced(k));
    end(journal);
}

/* While nothing can be synced some are taken, and no more than can be synced later. */
static void what_is_taken_while_syncs_fail_is_owed(void)
{
    static char message[MESSAGE];
    pp_journal *journal = begin();
    int taken = 0;
    for (int k = 0; k < 80; k++) {
        failing = 1000;
        taken += pp_journal_append(journal, 1, false, message, sizeof message);
        CHECK(pp_journal_sync(journal) == EIO);
    }
    failing = 0;
    CHECK(taken > 20 && taken < 80 && pp_journal_sync(journal) == 0);
    for (int k = 1; k <= taken; k++)
        CHECK(segment_synced(k));
    append(journal, 3);
    CHECK(pp_journal_sync(journal) == 0 && segment_synced(taken + 3));
    end(journal);
}

/* A limit of file sizes stands for a disk that refuses blocks. */
static void a_segment_without_blocks_is_not_begun(void)
{
    struct rlimit before, none = {100, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    pp_journal *journal = begin();
    append(journal, 1);
    getrlimit(RLIMIT_FSIZE, &before);
    none.rlim_max = before.rlim_max;
    setrlimit(RLIMIT_FSIZE, &none);
    CHECK(!pp_journal_append(journal, 1, false, synced, MESSAGE) && errno == EFBIG);
    setrlimit(RLIMIT_FSIZE, &before);
    CHECK(!was_synced("0000000000000002.new") && access(place, W_OK) == 0);
    append(journal, 1);
    CHECK(pp_journal_sync(journal) == 0 && segment_synced(1) && segment_synced(2));
    end(journal);
}

void syncs(const char *folder)
{
    place = folder;
    everything_is_synced_once();
    what_failed_is_synced_later();
    many_segments_are_synced();
    what_is_taken_while_syncs_fail_is_owed();
    a_segment_without_blocks_is_not_begun();
}
