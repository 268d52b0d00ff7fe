/* Segment files, mapped: appending is a copy, and what was copied belongs to the kernel, so it
 * outlives a killed process. A record is whole when its length is set (stored last) and its
 * checksum fits. */
#define _GNU_SOURCE
#include "polepair/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "segment.h"

enum { NAME = 4096, CLOSED_MAX = 32, PAGE = 4096 };

struct pp_journal {
    char folder[NAME - 64];
    size_t usual;         /* size of a segment */
    size_t size, pending; /* of this one; bytes not yet synced, atomic */
    uint64_t spare;       /* bytes of the disk that it leaves free */
    uint64_t segment;     /* number of the newest one */
    uint64_t offset;      /* of the next record in it, atomic */
    char *map;            /* its bytes */
    uint32_t salt, index; /* of it; of the next record */
    pp_describe describe;
    const void *context;
    int fd;                 /* -1 while there is no segment */
    int closed[CLOSED_MAX]; /* segments that are full and not yet synced */
    int closed_count;
    int under_way;           /* of them, in a sync that is not done */
    bool new_name;           /* in the folder, not yet synced */
    bool again;              /* a sync failed: what it should have written may look written */
    pthread_mutex_t lock;    /* of fd, closed, under_way and new_name against the syncing thread */
    pthread_mutex_t syncing; /* one sync at a time */
};

static void segment_name(const pp_journal *journal, uint64_t number, const char *suffix, char *name)
{
    snprintf(name, NAME, "%s/%016llx%s", journal->folder, (unsigned long long)number, suffix);
}

static int folder_sync(const pp_journal *journal)
{
    int fd = open(journal->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = fd < 0 || fsync(fd) ? errno : 0;
    if (fd >= 0)
        close(fd);
    return error;
}

static bool owes_much(pp_journal *journal)
{
    pthread_mutex_lock(&journal->lock);
    bool much = journal->closed_count + journal->under_way >= CLOSED_MAX;
    pthread_mutex_unlock(&journal->lock);
    return much;
}

/* The syncing thread still owes it a sync; where it owes too many already, that is done here.
 * False: errno, and it stays open, because nobody would sync it any more. */
static bool close_segment(pp_journal *journal)
{
    if (journal->fd < 0)
        return true;
    int error = owes_much(journal) ? pp_journal_sync(journal) : 0;
    if (error) {
        errno = error;
        return false;
    }
    munmap(journal->map, journal->size);
    pthread_mutex_lock(&journal->lock);
    PP_ASSERT(journal->closed_count + journal->under_way < CLOSED_MAX);
    journal->closed[journal->closed_count++] = journal->fd;
    journal->fd = -1;
    pthread_mutex_unlock(&journal->lock);
    return true;
}

static bool has_free(const pp_journal *journal, uint64_t bytes)
{
    struct statvfs disk;
    return statvfs(journal->folder, &disk) || (uint64_t)disk.f_bavail * disk.f_frsize >= bytes;
}

/* Segments that are stored and removed, but not yet synced, still hold their blocks. */
static bool disk_has_room(pp_journal *journal, size_t size)
{
    uint64_t bytes = size + journal->spare;
    if (has_free(journal, bytes))
        return true;
    pp_journal_sync(journal);
    return has_free(journal, bytes);
}

/* The file's memory with its blocks allocated, so that a full disk shows here and not as a fault at
 * the copy. NULL: errno. */
static char *map_segment(int fd, size_t size)
{
    int error = posix_fallocate(fd, 0, (off_t)size);
    if (error) {
        errno = error;
        return NULL;
    }
    char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return map == MAP_FAILED ? NULL : map;
}

static void write_record(char *map, uint64_t offset, pp_record head, uint32_t salt,
                         const void *bytes, size_t length)
{
    pp_record *record = (pp_record *)(map + offset);
    head.length = 0;
    head.check = pp_record_check(&head, bytes, (uint32_t)length, salt, offset);
    *record = head;
    memmove(record + 1, bytes, length); /* a description lies there already */
    __atomic_store_n(&record->length, (uint32_t)length, __ATOMIC_RELEASE);
}

/* What a segment begins with, for as long as it is made. */
typedef struct beginning {
    uint8_t words[1 << 16]; /* the description */
    size_t length;
    uint64_t number;
    uint32_t salt;
} beginning;

static void prepare(const pp_journal *journal, beginning *first)
{
    first->length = journal->describe(journal->context, first->words, sizeof first->words);
    first->number = journal->segment + 1;
    first->salt = (uint32_t)first->number * 2654435761u ^ (uint32_t)getpid();
    uint32_t random;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) == sizeof random)
        first->salt = random;
}

/* Header and descriptions; the offset behind them. */
static uint64_t write_beginning(char *map, const beginning *first)
{
    uint64_t offset = PP_SEGMENT_HEADER;
    pp_segment_begin(map, first->number, first->salt);
    for (uint32_t index = 0; index < 2; index++) {
        pp_record head = {.index = index, .kind = PP_RECORD_DESCRIPTION};
        write_record(map, offset, head, first->salt, first->words, first->length);
        offset += pp_record_size(first->length);
    }
    return offset;
}

/* The file is made under another name and renamed, so that no unfinished one is ever read. */
static bool make_segment(pp_journal *journal, const beginning *first, int fd, size_t size)
{
    char made[NAME], name[NAME];
    char *map = map_segment(fd, size);
    if (!map)
        return false;
    uint64_t offset = write_beginning(map, first);
    segment_name(journal, first->number, ".new", made);
    segment_name(journal, first->number, ".journal", name);
    if (rename(made, name)) {
        int error = errno;
        munmap(map, size);
        errno = error;
        return false;
    }
    pthread_mutex_lock(&journal->lock);
    journal->segment = first->number;
    journal->map = map;
    journal->size = size;
    journal->salt = first->salt;
    journal->index = 2;
    journal->fd = fd;
    journal->offset = offset;
    journal->new_name = true;
    pthread_mutex_unlock(&journal->lock);
    __atomic_add_fetch(&journal->pending, offset, __ATOMIC_RELAXED);
    return true;
}

static bool make_file(pp_journal *journal, const beginning *first, size_t size)
{
    char made[NAME];
    segment_name(journal, first->number, ".new", made);
    unlink(made);
    int fd = open(made, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return false;
    if (make_segment(journal, first, fd, size))
        return true;
    int error = errno;
    close(fd);
    unlink(made);
    errno = error;
    return false;
}

/* A segment of the usual size, or one that holds `need` bytes behind its beginning. */
static bool open_segment(pp_journal *journal, size_t need)
{
    beginning *first = malloc(sizeof *first);
    if (!first)
        return false;
    prepare(journal, first);
    size_t least = PP_SEGMENT_HEADER + 2 * pp_record_size(first->length) + need;
    size_t size = journal->usual > least ? journal->usual : least;
    size = (size + PAGE - 1) / PAGE * PAGE;
    bool made = false;
    if (first->length == 0)
        errno = EMSGSIZE;
    else if (!disk_has_room(journal, size))
        errno = ENOSPC;
    else
        made = make_file(journal, first, size);
    int error = errno;
    free(first);
    errno = error;
    return made;
}

pp_journal *pp_journal_open(const char *folder, size_t segment_bytes, uint64_t spare_bytes,
                            uint64_t after)
{
    struct stat there;
    if (strlen(folder) >= NAME - 64) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    if (stat(folder, &there))
        return NULL;
    pp_journal *journal = calloc(1, sizeof *journal);
    if (!journal)
        return NULL;
    strcpy(journal->folder, folder);
    journal->usual = segment_bytes;
    journal->spare = spare_bytes;
    journal->segment = after;
    journal->fd = -1;
    pthread_mutex_init(&journal->lock, NULL);
    pthread_mutex_init(&journal->syncing, NULL);
    return journal;
}

void pp_journal_close(pp_journal *journal)
{
    pp_journal_sync(journal);
    if (journal->fd >= 0) {
        munmap(journal->map, journal->size);
        close(journal->fd);
    }
    for (int i = 0; i < journal->closed_count; i++)
        close(journal->closed[i]);
    pthread_mutex_destroy(&journal->lock);
    pthread_mutex_destroy(&journal->syncing);
    free(journal);
}

bool pp_journal_begin(pp_journal *journal, pp_describe describe, const void *context)
{
    journal->describe = describe;
    journal->context = context;
    return close_segment(journal) && open_segment(journal, 0);
}

bool pp_journal_append(pp_journal *journal, int64_t arrival_ns, bool again, const void *bytes,
                       size_t length)
{
    size_t need = pp_record_size(length);
    PP_ASSERT(length > 0 && length <= UINT32_MAX && journal->describe);
    if (journal->fd >= 0 && journal->offset + need > journal->size && !close_segment(journal))
        return false;
    if (journal->fd < 0 && !open_segment(journal, need))
        return false;
    PP_ASSERT(journal->offset % 8 == 0 && journal->offset + need <= journal->size);
    pp_record head = {.arrival_ns = arrival_ns, .index = journal->index++};
    if (again)
        head.kind = PP_RECORD_AGAIN;
    write_record(journal->map, journal->offset, head, journal->salt, bytes, length);
    __atomic_store_n(&journal->offset, journal->offset + need, __ATOMIC_RELEASE);
    __atomic_add_fetch(&journal->pending, need, __ATOMIC_RELAXED);
    return true;
}

void pp_journal_describe_again(pp_journal *journal)
{
    if (journal->fd < 0)
        return;
    uint64_t offset = journal->offset;
    size_t head = offset + PP_SEGMENT_RECORD;
    uint8_t *words = (uint8_t *)journal->map + head;
    size_t length = 0;
    if (head < journal->size)
        length = journal->describe(journal->context, words, journal->size - head);
    if (length == 0) { /* no room: the next segment begins with it */
        if (head < journal->size)
            memset(words, 0, journal->size - head);
        close_segment(journal);
        return;
    }
    pp_record record = {.index = journal->index++, .kind = PP_RECORD_DESCRIPTION};
    write_record(journal->map, offset, record, journal->salt, words, length);
    __atomic_store_n(&journal->offset, offset + pp_record_size(length), __ATOMIC_RELEASE);
    __atomic_add_fetch(&journal->pending, pp_record_size(length), __ATOMIC_RELAXED);
}

/* What a sync is about to write. */
typedef struct debt {
    int closed[CLOSED_MAX];
    int closed_count;
    int fd;    /* the newest segment's, a copy; -1: none */
    int error; /* why there is no copy */
    size_t pending;
    bool new_name;
} debt;

static debt take_debt(pp_journal *journal)
{
    debt owed = {.pending = __atomic_exchange_n(&journal->pending, 0, __ATOMIC_RELAXED), .fd = -1};
    pthread_mutex_lock(&journal->lock);
    memcpy(owed.closed, journal->closed, sizeof owed.closed);
    owed.closed_count = journal->closed_count;
    owed.new_name = journal->new_name;
    journal->under_way = journal->closed_count;
    journal->closed_count = 0;
    journal->new_name = false;
    if (journal->fd >= 0 && owed.pending) {
        owed.fd = dup(journal->fd);
        owed.error = owed.fd < 0 ? errno : 0;
    }
    pthread_mutex_unlock(&journal->lock);
    return owed;
}

/* Takes back what could not be written. */
static void keep_debt(pp_journal *journal, const debt *left, bool failed)
{
    if (failed)
        __atomic_add_fetch(&journal->pending, left->pending + 1, __ATOMIC_RELAXED);
    pthread_mutex_lock(&journal->lock);
    journal->new_name |= left->new_name;
    journal->under_way = 0;
    PP_ASSERT(journal->closed_count + left->closed_count <= CLOSED_MAX);
    for (int i = 0; i < left->closed_count; i++)
        journal->closed[journal->closed_count++] = left->closed[i];
    pthread_mutex_unlock(&journal->lock);
}

/* After a failed sync the kernel may take pages for clean that are not on the disk: each is
 * touched, through a mapping of its own, and atomically, as somebody may be appending. 0 or
 * errno. */
static int make_dirty(int fd)
{
    struct stat file;
    if (fstat(fd, &file))
        return errno;
    size_t size = (size_t)file.st_size;
    uint8_t *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return errno;
    for (size_t at = 0; at < size; at += PAGE) {
        uint8_t byte = __atomic_load_n(map + at, __ATOMIC_RELAXED);
        __atomic_compare_exchange_n(map + at, &byte, byte, false, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED);
    }
    munmap(map, size);
    return 0;
}

static int sync_file(int fd, bool again)
{
    int error = again ? make_dirty(fd) : 0;
    if (error)
        return error;
    return fdatasync(fd) ? errno : 0;
}

static int sync_files(const pp_journal *journal, const debt *owed, debt *left)
{
    int error = owed->error;
    for (int i = 0; i < owed->closed_count; i++) {
        int failed = sync_file(owed->closed[i], journal->again);
        if (failed)
            left->closed[left->closed_count++] = owed->closed[i];
        else
            close(owed->closed[i]);
        error = failed ? failed : error;
    }
    if (owed->fd >= 0) {
        int failed = sync_file(owed->fd, journal->again);
        close(owed->fd);
        error = failed ? failed : error;
    }
    return error;
}

int pp_journal_sync(pp_journal *journal)
{
    pthread_mutex_lock(&journal->syncing);
    debt owed = take_debt(journal);
    int unnamed = owed.new_name ? folder_sync(journal) : 0;
    debt left = {.pending = owed.pending, .new_name = unnamed != 0};
    int error = sync_files(journal, &owed, &left);
    journal->again = error != 0;
    error = error ? error : unnamed;
    keep_debt(journal, &left, error != 0);
    pthread_mutex_unlock(&journal->syncing);
    return error;
}
