/* LD_PRELOAD between a recorder and the system. It makes the n-th call of a kind fail, and tells
 * somebody outside, who answers when he has looked, of every call that makes something durable or
 * changes a name. Only calls that concern one folder count; memory, only what polepair._core
 * (`memory`), NumPy (`arrays`) or SQLite (`sqlite`) asks for. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REAL(name)                                     \
    ({                                                 \
        static __typeof__(name) *real;                 \
        if (!real)                                     \
            *(void **)&real = dlsym(RTLD_NEXT, #name); \
        real;                                          \
    })

static struct {
    char call[16]; /* kind of the calls that fail; empty: none */
    long n, times; /* from the n-th on, so many */
    int error;     /* errno; 0: it does half of what it should */
    char under[512];
    int to, from; /* pipes to whoever looks; -1: nobody */
} plan = {.to = -1, .from = -1};
static long seen, fired; /* atomic */

void shim_plan(const char *call, long n, long times, int error, const char *under)
{
    snprintf(plan.call, sizeof plan.call, "%s", call);
    snprintf(plan.under, sizeof plan.under, "%s", under);
    plan.n = n;
    plan.times = times;
    plan.error = error;
    seen = fired = 0;
}

void shim_tell(int to, int from)
{
    plan.to = to;
    plan.from = from;
}

/* Calls that failed so far. */
long shim_fired(void) { return __atomic_load_n(&fired, __ATOMIC_SEQ_CST); }

static bool due(const char *call)
{
    if (strcmp(plan.call, call) != 0)
        return false;
    long n = __atomic_add_fetch(&seen, 1, __ATOMIC_SEQ_CST);
    if (n < plan.n || n >= plan.n + plan.times)
        return false;
    __atomic_add_fetch(&fired, 1, __ATOMIC_SEQ_CST);
    errno = plan.error;
    return true;
}

static bool path_concerns(const char *path)
{
    return plan.under[0] && path && strncmp(path, plan.under, strlen(plan.under)) == 0;
}

static bool path_of(int fd, char *path, size_t room)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlink, link, path, room - 1);
    path[length > 0 ? length : 0] = 0;
    return length > 0;
}

/* The ring of a stream lies in memory with a name. */
static bool concerns(int fd)
{
    char path[1024];
    int before = errno;
    bool yes = plan.under[0] && fd > 2 && path_of(fd, path, sizeof path) &&
               (path_concerns(path) || strncmp(path, "/memfd:polepair", 15) == 0);
    errno = before;
    return yes;
}

static bool comes_from(const void *caller, const char *library)
{
    Dl_info info;
    return plan.under[0] && dladdr(caller, &info) && info.dli_fname &&
           strstr(info.dli_fname, library);
}

/* What is about to happen to a file (its number) or a name; goes on when it was looked at. */
static void tell(const char *what, int fd, const char *path)
{
    char line[1100];
    char answer;
    struct stat file = {0};
    int before = errno;
    if (plan.to < 0 || (fd >= 0 && fstat(fd, &file)))
        return;
    int length =
        snprintf(line, sizeof line, "%s %llu %s\n", what, (unsigned long long)file.st_ino, path);
    if (syscall(SYS_write, plan.to, line, length) != length ||
        syscall(SYS_read, plan.from, &answer, 1) != 1)
        _exit(70); /* nobody looks any more */
    errno = before;
}

static mode_t mode_of(int flags, va_list more)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
}

#define OPENS(name)                                                                     \
    int name(const char *path, int flags, ...)                                          \
    {                                                                                   \
        va_list more;                                                                   \
        va_start(more, flags);                                                          \
        mode_t mode = mode_of(flags, more);                                             \
        va_end(more);                                                                   \
        return path_concerns(path) && due("open") ? -1 : REAL(name)(path, flags, mode); \
    }
OPENS(open)
OPENS(open64)

#define OPENS_AT(name)                                                                          \
    int name(int folder, const char *path, int flags, ...)                                      \
    {                                                                                           \
        va_list more;                                                                           \
        va_start(more, flags);                                                                  \
        mode_t mode = mode_of(flags, more);                                                     \
        va_end(more);                                                                           \
        return path_concerns(path) && due("open") ? -1 : REAL(name)(folder, path, flags, mode); \
    }
OPENS_AT(openat)
OPENS_AT(openat64)

int dup(int fd) { return concerns(fd) && due("dup") ? -1 : REAL(dup)(fd); }

#define FALLOCATES(name, type)                                                             \
    int name(int fd, type at, type length)                                                 \
    {                                                                                      \
        return concerns(fd) && due("fallocate") ? plan.error : REAL(name)(fd, at, length); \
    }
FALLOCATES(posix_fallocate, off_t)
FALLOCATES(posix_fallocate64, off64_t)

#define SYNCS(name)                                                               \
    int name(int fd)                                                              \
    {                                                                             \
        if (concerns(fd) && due("sync")) {                                        \
            REAL(name)(fd); /* what could not be written is clean all the same */ \
            errno = plan.error;                                                   \
            return -1;                                                            \
        }                                                                         \
        if (concerns(fd))                                                         \
            tell("sync", fd, "");                                                 \
        return REAL(name)(fd);                                                    \
    }
SYNCS(fsync)
SYNCS(fdatasync)

#define MAPS(name, type)                                                            \
    void *name(void *at, size_t length, int access, int flags, int fd, type offset) \
    {                                                                               \
        const void *caller = __builtin_return_address(0);                           \
        bool ours = fd < 0 ? comes_from(caller, "polepair/_core") : concerns(fd);   \
        if (ours && due("mmap"))                                                    \
            return MAP_FAILED;                                                      \
        return REAL(name)(at, length, access, flags, fd, offset);                   \
    }
MAPS(mmap, off_t)
MAPS(mmap64, off64_t)

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);

static bool starves(const void *caller)
{
    if (strcmp(plan.call, "memory") == 0)
        return comes_from(caller, "polepair/_core") && due("memory");
    if (strcmp(plan.call, "arrays") == 0)
        return comes_from(caller, "_multiarray_umath") && due("arrays");
    return strcmp(plan.call, "sqlite") == 0 && comes_from(caller, "libsqlite3") && due("sqlite");
}

void *malloc(size_t bytes)
{
    return starves(__builtin_return_address(0)) ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    return starves(__builtin_return_address(0)) ? NULL : __libc_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes)
{
    return starves(__builtin_return_address(0)) ? NULL : __libc_realloc(memory, bytes);
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    bool fails = concerns(fd) && due("write");
    if (fails && plan.error)
        return -1;
    return REAL(write)(fd, bytes, fails ? length / 2 : length);
}

#define WRITES_AT(name, type)                                          \
    ssize_t name(int fd, const void *bytes, size_t length, type at)    \
    {                                                                  \
        bool fails = concerns(fd) && due("write");                     \
        if (fails && plan.error)                                       \
            return -1;                                                 \
        return REAL(name)(fd, bytes, fails ? length / 2 : length, at); \
    }
WRITES_AT(pwrite, off_t)
WRITES_AT(pwrite64, off64_t)

ssize_t read(int fd, void *bytes, size_t length)
{
    return concerns(fd) && due("read") ? -1 : REAL(read)(fd, bytes, length);
}

#define READS_AT(name, type)                                                         \
    ssize_t name(int fd, void *bytes, size_t length, type at)                        \
    {                                                                                \
        return concerns(fd) && due("read") ? -1 : REAL(name)(fd, bytes, length, at); \
    }
READS_AT(pread, off_t)
READS_AT(pread64, off64_t)

#define TRUNCATES(name, type)                                                 \
    int name(int fd, type length)                                             \
    {                                                                         \
        return concerns(fd) && due("truncate") ? -1 : REAL(name)(fd, length); \
    }
TRUNCATES(ftruncate, off_t)
TRUNCATES(ftruncate64, off64_t)

int rename(const char *from, const char *to)
{
    if (path_concerns(from) && due("rename"))
        return -1;
    if (path_concerns(from))
        tell("name", -1, to);
    return REAL(rename)(from, to);
}

int link(const char *from, const char *to)
{
    if (path_concerns(from) && due("link"))
        return -1;
    return REAL(link)(from, to);
}

int unlink(const char *path)
{
    if (path_concerns(path) && due("unlink"))
        return -1;
    if (path_concerns(path))
        tell("name", -1, path);
    return REAL(unlink)(path);
}

int mkdir(const char *path, mode_t mode)
{
    return path_concerns(path) && due("mkdir") ? -1 : REAL(mkdir)(path, mode);
}

int rmdir(const char *path)
{
    if (path_concerns(path) && due("rmdir"))
        return -1;
    if (path_concerns(path))
        tell("name", -1, path);
    return REAL(rmdir)(path);
}

int flock(int fd, int what) { return concerns(fd) && due("lock") ? -1 : REAL(flock)(fd, what); }

#define STATS(name, type)                                                           \
    int name(const char *path, struct type *disk)                                   \
    {                                                                               \
        return path_concerns(path) && due("statvfs") ? -1 : REAL(name)(path, disk); \
    }
STATS(statvfs, statvfs)
STATS(statvfs64, statvfs64)
