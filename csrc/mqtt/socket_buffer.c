/* Buffers between paho.mqtt.c and its sockets. paho has one receiving thread for all clients: it alone reads, and while
 * bytes lie here it need not ask the kernel. Its acknowledgements are gathered as long as there is more to read. */
#define _GNU_SOURCE
#include "socket_buffer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "../host/clock.h"

enum { SOCKETS = 1024, ROOM = 1 << 16, OUT = 4096, SMALL = 64, SKIPS = 64, PATIENCE = 50 };

typedef struct buffer {
    char *bytes;
    int first, end; /* atomic: a connecting thread resets them */

    char out[OUT]; /* small packets not yet written */
    int pending;
    pthread_mutex_t lock; /* of out and pending */
} buffer;

static buffer *buffers[SOCKETS]; /* atomic; never freed: a descriptor comes again */
static __thread int current = -1, skipped;
static __thread int64_t arrival; /* of the bytes that lie in the current socket's buffer */

int __real_connect(int fd, const struct sockaddr *address, socklen_t length);
ssize_t __real_recv(int fd, void *to, size_t want, int flags);
ssize_t __real_writev(int fd, const struct iovec *parts, int count);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout);
int __real_close(int fd);

static buffer *buffer_of(int fd)
{
    return fd >= 0 && fd < SOCKETS ? __atomic_load_n(&buffers[fd], __ATOMIC_ACQUIRE) : NULL;
}

static int unread(const buffer *b)
{
    return b ? __atomic_load_n(&b->end, __ATOMIC_ACQUIRE) -
                   __atomic_load_n(&b->first, __ATOMIC_RELAXED)
             : 0;
}

static void forget(buffer *b)
{
    __atomic_store_n(&b->first, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&b->end, 0, __ATOMIC_RELEASE);
    pthread_mutex_lock(&b->lock);
    b->pending = 0;
    pthread_mutex_unlock(&b->lock);
}

static buffer *new_buffer(int fd)
{
    buffer *b = calloc(1, sizeof *b);
    char *bytes = malloc(ROOM);
    if (!b || !bytes) {
        free(b), free(bytes);
        return NULL;
    }
    b->bytes = bytes;
    pthread_mutex_init(&b->lock, NULL);
    __atomic_store_n(&buffers[fd], b, __ATOMIC_RELEASE);
    return b;
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    buffer *b = buffer_of(fd);
    if (!b && fd >= 0 && fd < SOCKETS)
        b = new_buffer(fd);
    if (b)
        forget(b);
    return __real_connect(fd, address, length);
}

/* Writes what is gathered; the socket gets some seconds to take it, then it is given up. Called with the lock held. */
static void flush(int fd, buffer *b)
{
    int done = 0;
    for (int tries = 0; done < b->pending && tries < PATIENCE;) {
        struct iovec part = {b->out + done, (size_t)(b->pending - done)};
        ssize_t n = __real_writev(fd, &part, 1);
        if (n > 0) {
            done += (int)n;
        } else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            struct pollfd room = {fd, POLLOUT, 0};
            __real_poll(&room, 1, 100);
            tries++;
        } else {
            break;
        }
    }
    if (done < b->pending)
        shutdown(fd, SHUT_RDWR);
    b->pending = 0;
}

static void flush_if_any(int fd, buffer *b)
{
    if (!b)
        return;
    pthread_mutex_lock(&b->lock);
    if (b->pending)
        flush(fd, b);
    pthread_mutex_unlock(&b->lock);
}

static bool gather(int fd, buffer *b, const struct iovec *parts, int count, size_t total)
{
    if (current != fd || total > SMALL || unread(b) <= 0 || b->pending + total > OUT)
        return false;
    for (int i = 0; i < count; i++) {
        memcpy(b->out + b->pending, parts[i].iov_base, parts[i].iov_len);
        b->pending += (int)parts[i].iov_len;
    }
    return true;
}

ssize_t __wrap_writev(int fd, const struct iovec *parts, int count)
{
    buffer *b = buffer_of(fd);
    if (!b)
        return __real_writev(fd, parts, count);
    size_t total = 0;
    for (int i = 0; i < count; i++)
        total += parts[i].iov_len;
    pthread_mutex_lock(&b->lock);
    ssize_t n = (ssize_t)total;
    if (!gather(fd, b, parts, count, total)) {
        if (b->pending)
            flush(fd, b);
        n = __real_writev(fd, parts, count);
    }
    pthread_mutex_unlock(&b->lock);
    return n;
}

static ssize_t take(buffer *b, void *to, size_t want)
{
    size_t have = (size_t)unread(b), n = want < have ? want : have;
    memcpy(to, b->bytes + b->first, n);
    __atomic_store_n(&b->first, b->first + (int)n, __ATOMIC_RELAXED);
    return (ssize_t)n;
}

ssize_t __wrap_recv(int fd, void *to, size_t want, int flags)
{
    buffer *b = buffer_of(fd);
    if (!b && skipped) { /* one of paho's pipes: it can wait */
        errno = EAGAIN;
        return -1;
    }
    if (!b || flags)
        return __real_recv(fd, to, want, flags);
    current = fd;
    if (unread(b) > 0)
        return take(b, to, want);
    flush_if_any(fd, b);
    if (want >= ROOM)
        return __real_recv(fd, to, want, flags);
    ssize_t got = __real_recv(fd, b->bytes, ROOM, 0);
    if (got <= 0)
        return got;
    arrival = pp_now_ns();
    __atomic_store_n(&b->first, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&b->end, (int)got, __ATOMIC_RELEASE);
    return take(b, to, want);
}

/* Marks the sockets whose bytes lie here already as ready for what was asked; how many are. paho reads only where it could
 * also write, and a socket that just gave bytes is taken for writable: a full one costs it one refused write. */
static int mark(struct pollfd *fds, nfds_t count, int ready)
{
    for (nfds_t i = 0; i < count; i++)
        if (unread(buffer_of(fds[i].fd)) > 0) {
            ready += !fds[i].revents;
            fds[i].revents = (short)(fds[i].revents | (fds[i].events & (POLLIN | POLLOUT)));
        }
    return ready;
}

/* The kernel is asked when none of these sockets has bytes here, and now and then about the rest: other sockets, room to
 * write. */
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    bool buffered = false;
    for (nfds_t i = 0; i < count && !buffered; i++)
        buffered = unread(buffer_of(fds[i].fd)) > 0;
    if (!buffered) {
        skipped = 0;
        for (nfds_t i = 0; i < count; i++)
            flush_if_any(fds[i].fd, buffer_of(fds[i].fd));
        return __real_poll(fds, count, timeout);
    }
    int ready = 0;
    if (++skipped < SKIPS) {
        for (nfds_t i = 0; i < count; i++)
            fds[i].revents = 0;
    } else {
        skipped = 0;
        ready = __real_poll(fds, count, 0);
    }
    return ready < 0 ? ready : mark(fds, count, ready);
}

int __wrap_close(int fd)
{
    buffer *b = buffer_of(fd);
    if (b)
        forget(b);
    return __real_close(fd);
}

int64_t pp_socket_arrival(void) { return unread(buffer_of(current)) > 0 ? arrival : pp_now_ns(); }

void pp_socket_cut(void)
{
    buffer *b = buffer_of(current);
    if (!b)
        return;
    shutdown(current, SHUT_RDWR);
    forget(b);
}
