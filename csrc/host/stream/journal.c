/* Segment files, mapped: appending is a copy, and what was copied belongs to the kernel, so it outlives a killed process.
 * A record is whole when its length is set (stored last) and its checksum fits. */
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
    uint32_t length, check;
    int64_t arrival_ns;
    int32_t number;
    uint32_t reserved;
} record;
_Static_assert(sizeof(record) == RECORD, "records are packed");

struct pp_journal {
    char folder[NAME - 64];
    size_t size, pending; /* of a segment; bytes not yet synced, atomic */
    uint64_t spare;       /* room of the disk it leaves alone */
    uint64_t segment, offset;
    char *map;
    int fd, synced_fd;    /* fd: -1 while there is no segment */
    pthread_mutex_t lock; /* of fd against the syncing thread */
};

#if defined __x86_64__
__attribute__((target("sse4.2"))) static uint32_t crc32c_fast(uint32_t crc, const uint8_t *p,
                                                              size_t n)
{
    uint64_t c = crc, v;
    for (; n >= 8; n -= 8, p += 8) {
        memcpy(&v, p, 8);
        c = __builtin_ia32_crc32di(c, v);
    }
    for (; n; n--)
        c = __builtin_ia32_crc32qi((uint32_t)c, *p++);
    return (uint32_t)c;
}
#endif

static uint32_t crc32c_plain(uint32_t crc, const uint8_t *p, size_t n)
{
    while (n--) {
        crc ^= *p++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0x82f63b78 & (0u - (crc & 1)));
    }
    return crc;
}

/* CRC-32C (RFC 3720, B.4). */
static uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
#if defined __x86_64__
    if (__builtin_cpu_supports("sse4.2"))
        return crc32c_fast(crc, p, n);
#endif
    return crc32c_plain(crc, p, n);
}

static uint32_t checksum(const record *r, const void *bytes, uint32_t length)
{
    uint32_t crc = crc32c(~0u, &r->arrival_ns, RECORD - 8);
    return crc32c(crc, bytes, length) ^ length;
}

static size_t padded(size_t length) { return RECORD + (length + 7) / 8 * 8; }

static void segment_name(const pp_journal *j, uint64_t number, char *name)
{
    snprintf(name, NAME, "%s/%016llx.journal", j->folder, (unsigned long long)number);
}

static void leave_segment(pp_journal *j)
{
    if (j->fd < 0)
        return;
    munmap(j->map, j->size);
    pthread_mutex_lock(&j->lock);
    if (j->synced_fd >= 0)
        close(j->synced_fd);
    j->synced_fd = j->fd; /* the syncing thread still owes it a sync */
    j->fd = -1;
    pthread_mutex_unlock(&j->lock);
}

static bool room(const pp_journal *j)
{
    struct statvfs disk;
    return statvfs(j->folder, &disk) ||
           (uint64_t)disk.f_bavail * disk.f_frsize >= j->size + j->spare;
}

/* A new segment with its blocks allocated, so that a full disk shows here and not as a fault at the copy. */
static bool enter_segment(pp_journal *j)
{
    char name[NAME];
    if (!room(j)) {
        errno = ENOSPC;
        return false;
    }
    segment_name(j, j->segment + 1, name);
    int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int error = fd < 0 ? errno : posix_fallocate(fd, 0, (off_t)j->size);
    char *map = error ? MAP_FAILED : mmap(NULL, j->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        error = error ? error : errno;
        if (fd >= 0) {
            close(fd);
            unlink(name);
        }
        errno = error;
        return false;
    }
    uint64_t number = ++j->segment;
    memcpy(map, magic, 8);
    memcpy(map + 8, &number, 8);
    pthread_mutex_lock(&j->lock);
    j->map = map, j->fd = fd, j->offset = HEADER;
    pthread_mutex_unlock(&j->lock);
    return true;
}

pp_journal *pp_journal_open(const char *folder, size_t segment_bytes, uint64_t spare_bytes,
                            uint64_t after)
{
    if (strlen(folder) >= NAME - 64) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    pp_journal *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    strcpy(j->folder, folder);
    j->size = (segment_bytes + 4095) / 4096 * 4096;
    j->spare = spare_bytes;
    j->segment = after;
    j->fd = j->synced_fd = -1;
    pthread_mutex_init(&j->lock, NULL);
    if (!enter_segment(j)) {
        int error = errno;
        pp_journal_close(j);
        errno = error;
        return NULL;
    }
    return j;
}

void pp_journal_close(pp_journal *j)
{
    leave_segment(j);
    if (j->synced_fd >= 0) {
        fdatasync(j->synced_fd);
        close(j->synced_fd);
    }
    pthread_mutex_destroy(&j->lock);
    free(j);
}

bool pp_journal_append(pp_journal *j, int number, int64_t arrival_ns, const void *bytes,
                       size_t length)
{
    size_t need = padded(length);
    if (length == 0 || need > j->size - HEADER)
        return length == 0;
    if (j->fd >= 0 && j->offset + need > j->size)
        leave_segment(j);
    if (j->fd < 0 && !enter_segment(j))
        return false;
    record *r = (record *)(j->map + j->offset);
    r->arrival_ns = arrival_ns;
    r->number = number;
    r->reserved = 0;
    memcpy(r + 1, bytes, length);
    r->check = checksum(r, bytes, (uint32_t)length);
    __atomic_store_n(&r->length, (uint32_t)length, __ATOMIC_RELEASE);
    __atomic_store_n(&j->offset, j->offset + need, __ATOMIC_RELEASE);
    __atomic_add_fetch(&j->pending, need, __ATOMIC_RELAXED);
    return true;
}

int pp_journal_sync(pp_journal *j)
{
    if (__atomic_exchange_n(&j->pending, 0, __ATOMIC_RELAXED) == 0)
        return 0;
    pthread_mutex_lock(&j->lock);
    int old = j->synced_fd, now = j->fd >= 0 ? dup(j->fd) : -1;
    j->synced_fd = -1;
    pthread_mutex_unlock(&j->lock);
    int error = 0;
    if (old >= 0) {
        error = fdatasync(old) ? errno : 0;
        close(old);
    }
    if (now >= 0) {
        error = fdatasync(now) ? errno : error;
        close(now);
    }
    return error;
}

bool pp_journal_next(const uint8_t *segment, size_t size, uint64_t *offset, pp_record_view *view)
{
    uint64_t at = *offset < HEADER ? HEADER : *offset;
    if (size < HEADER || memcmp(segment, magic, 8) != 0 || at > size || size - at < RECORD)
        return false;
    record r;
    memcpy(&r, segment + at, RECORD);
    uint32_t length = __atomic_load_n((const uint32_t *)(segment + at), __ATOMIC_ACQUIRE);
    if (length == 0 || padded(length) > size - at)
        return false;
    memcpy(&r, segment + at, RECORD);
    const uint8_t *bytes = segment + at + RECORD;
    if (checksum(&r, bytes, length) != r.check)
        return false;
    *view = (pp_record_view){r.number, r.arrival_ns, bytes, length};
    *offset = at + padded(length);
    return true;
}
