/* Segment files, mapped: appending is a copy, and what was copied belongs to the kernel, so it
 * outlives a killed process. A record is whole when its length is set (stored last) and its
 * checksum fits. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "polepair/journal.h"

enum { HEADER = 64, RECORD = 24, NAME = 4096 };
static const char magic[8] = "PPJRNL1\n";

/* length: of the bytes, stored last; 0: no record here. Then the bytes, padded to 8. */
typedef struct record {
    uint32_t length, check; /* check: CRC-32C of the rest and the bytes, xor length */
    int64_t arrival_ns;
    int32_t number; /* of the stream */
    uint32_t reserved;
} record;
_Static_assert(sizeof(record) == RECORD, "records are packed");

struct pp_journal {
    char folder[NAME - 64];
    size_t size, pending; /* of a segment; bytes not yet synced, atomic */
    uint64_t spare;       /* bytes of the disk that it leaves free */
    uint64_t segment;     /* number of the newest one */
    uint64_t offset;      /* of the next record in it, atomic */
    char *map;            /* its bytes */
    int fd, synced_fd;    /* fd: -1 while there is no segment */
    pthread_mutex_t lock; /* of fd against the syncing thread */
};

#if defined __x86_64__
__attribute__((target("sse4.2"))) static uint32_t crc32c_fast(uint32_t crc, const uint8_t *p,
                                                              size_t length)
{
    uint64_t wide = crc;
    uint64_t word;
    for (; length >= 8; length -= 8, p += 8) {
        memcpy(&word, p, 8);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    for (; length; length--)
        wide = __builtin_ia32_crc32qi((uint32_t)wide, *p++);
    return (uint32_t)wide;
}
#endif

static uint32_t crc32c_plain(uint32_t crc, const uint8_t *p, size_t length)
{
    while (length--) {
        crc ^= *p++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0x82f63b78 & (0u - (crc & 1)));
    }
    return crc;
}

/* CRC-32C (RFC 3720, B.4). */
static uint32_t crc32c(uint32_t crc, const void *p, size_t length)
{
#if defined __x86_64__
    if (__builtin_cpu_supports("sse4.2"))
        return crc32c_fast(crc, p, length);
#endif
    return crc32c_plain(crc, p, length);
}

static uint32_t checksum(const record *header, const void *bytes, uint32_t length)
{
    uint32_t crc = crc32c(~0u, &header->arrival_ns, RECORD - 8);
    return crc32c(crc, bytes, length) ^ length;
}

static size_t record_size(size_t length) { return RECORD + (length + 7) / 8 * 8; }

static void segment_name(const pp_journal *journal, uint64_t number, char *name)
{
    snprintf(name, NAME, "%s/%016llx.journal", journal->folder, (unsigned long long)number);
}

static void close_segment(pp_journal *journal)
{
    if (journal->fd < 0)
        return;
    munmap(journal->map, journal->size);
    pthread_mutex_lock(&journal->lock);
    if (journal->synced_fd >= 0)
        close(journal->synced_fd);
    journal->synced_fd = journal->fd; /* the syncing thread still owes it a sync */
    journal->fd = -1;
    pthread_mutex_unlock(&journal->lock);
}

static bool disk_has_room(const pp_journal *journal)
{
    struct statvfs disk;
    return statvfs(journal->folder, &disk) ||
           (uint64_t)disk.f_bavail * disk.f_frsize >= journal->size + journal->spare;
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

static bool open_segment(pp_journal *journal)
{
    char name[NAME];
    if (!disk_has_room(journal)) {
        errno = ENOSPC;
        return false;
    }
    segment_name(journal, journal->segment + 1, name);
    int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    char *map = map_segment(fd, journal->size);
    if (!map) {
        int error = errno;
        close(fd);
        unlink(name);
        errno = error;
        return false;
    }
    uint64_t number = ++journal->segment;
    memcpy(map, magic, 8);
    memcpy(map + 8, &number, 8);
    pthread_mutex_lock(&journal->lock);
    journal->map = map;
    journal->fd = fd;
    journal->offset = HEADER;
    pthread_mutex_unlock(&journal->lock);
    return true;
}

pp_journal *pp_journal_open(const char *folder, size_t segment_bytes, uint64_t spare_bytes,
                            uint64_t after)
{
    PP_ASSERT(segment_bytes > HEADER + RECORD);
    if (strlen(folder) >= NAME - 64) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    pp_journal *journal = calloc(1, sizeof *journal);
    if (!journal)
        return NULL;
    strcpy(journal->folder, folder);
    journal->size = (segment_bytes + 4095) / 4096 * 4096;
    journal->spare = spare_bytes;
    journal->segment = after;
    journal->fd = -1;
    journal->synced_fd = -1;
    pthread_mutex_init(&journal->lock, NULL);
    if (!open_segment(journal)) {
        int error = errno;
        pp_journal_close(journal);
        errno = error;
        return NULL;
    }
    return journal;
}

void pp_journal_close(pp_journal *journal)
{
    close_segment(journal);
    if (journal->synced_fd >= 0) {
        fdatasync(journal->synced_fd);
        close(journal->synced_fd);
    }
    pthread_mutex_destroy(&journal->lock);
    free(journal);
}

bool pp_journal_append(pp_journal *journal, int number, int64_t arrival_ns, const void *bytes,
                       size_t length)
{
    size_t need = record_size(length);
    if (length == 0 || need > journal->size - HEADER)
        return length == 0;
    if (journal->fd >= 0 && journal->offset + need > journal->size)
        close_segment(journal);
    if (journal->fd < 0 && !open_segment(journal))
        return false;
    record *header = (record *)(journal->map + journal->offset);
    header->arrival_ns = arrival_ns;
    header->number = number;
    header->reserved = 0;
    PP_ASSERT(journal->offset % 8 == 0 && journal->offset + need <= journal->size);
    memcpy(header + 1, bytes, length);
    header->check = checksum(header, bytes, (uint32_t)length);
    __atomic_store_n(&header->length, (uint32_t)length, __ATOMIC_RELEASE);
    __atomic_store_n(&journal->offset, journal->offset + need, __ATOMIC_RELEASE);
    __atomic_add_fetch(&journal->pending, need, __ATOMIC_RELAXED);
    return true;
}

/* 0 or errno; nothing to do for -1. */
static int sync_and_close(int fd)
{
    if (fd < 0)
        return 0;
    int error = fdatasync(fd) ? errno : 0;
    close(fd);
    return error;
}

int pp_journal_sync(pp_journal *journal)
{
    if (__atomic_exchange_n(&journal->pending, 0, __ATOMIC_RELAXED) == 0)
        return 0;
    pthread_mutex_lock(&journal->lock);
    int old = journal->synced_fd;
    int now = journal->fd >= 0 ? dup(journal->fd) : -1;
    journal->synced_fd = -1;
    pthread_mutex_unlock(&journal->lock);
    int error = sync_and_close(old);
    int error_now = sync_and_close(now);
    return error_now ? error_now : error;
}

bool pp_journal_next(const uint8_t *segment, size_t size, uint64_t *offset, pp_record_view *view)
{
    uint64_t at = *offset < HEADER ? HEADER : *offset;
    if (size < HEADER || memcmp(segment, magic, 8) != 0 || at > size || size - at < RECORD)
        return false;
    record header;
    memcpy(&header, segment + at, RECORD);
    uint32_t length = __atomic_load_n((const uint32_t *)(segment + at), __ATOMIC_ACQUIRE);
    if (length == 0 || record_size(length) > size - at)
        return false;
    memcpy(&header, segment + at, RECORD);
    const uint8_t *bytes = segment + at + RECORD;
    if (checksum(&header, bytes, length) != header.check)
        return false;
    *view = (pp_record_view){
        .number = header.number, .arrival_ns = header.arrival_ns, .bytes = bytes, .length = length};
    *offset = at + record_size(length);
    return true;
}
