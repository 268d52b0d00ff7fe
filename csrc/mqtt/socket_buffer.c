/* Buffers between paho.mqtt.c and its sockets. paho has one receiving thread for all clients: it
 * alone reads, and while bytes lie here it need not ask the kernel. Its acknowledgements are
 * gathered as long as there is more to read. */
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

enum {
    SOCKETS = 1024, /* descriptors beyond are not buffered */
    ROOM = 1 << 16, /* bytes of one read */
    OUT = 4096,     /* bytes that may wait to be written */
    SMALL = 64,     /* bytes of a packet that may wait */
    SKIPS = 64,     /* calls of poll before the kernel is asked again */
    PATIENCE = 50   /* tries of 0.1 s to write */
};

typedef struct socket_buffer {
    char *bytes;          /* read from the socket, ROOM of them */
    int first, end;       /* of those not yet asked for; atomic: a connecting thread resets them */
    char out[OUT];        /* small packets not yet written */
    int pending;          /* bytes of them */
    pthread_mutex_t lock; /* of out and pending */
} socket_buffer;

static socket_buffer *buffers[SOCKETS]; /* atomic; never freed: a descriptor comes again */
static __thread int current = -1;       /* socket that was read last */
static __thread int skipped;            /* calls of poll since the kernel was asked */
static __thread int64_t arrival;        /* of the bytes that lie in the current socket's buffer */

int __real_connect(int fd, const struct sockaddr *address, socklen_t length);
ssize_t __real_recv(int fd, void *to, size_t want, int flags);
ssize_t __real_writev(int fd, const struct iovec *parts, int count);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout);
int __real_close(int fd);

static socket_buffer *buffer_of(int fd)
{
    if (fd < 0 || fd >= SOCKETS)
        return NULL;
    return __atomic_load_n(&buffers[fd], __ATOMIC_ACQUIRE);
}

/* Bytes that wait to be read. */
static int unread(const socket_buffer *buffer)
{
    if (!buffer)
        return 0;
    int end = __atomic_load_n(&buffer->end, __ATOMIC_ACQUIRE);
    return end - __atomic_load_n(&buffer->first, __ATOMIC_RELAXED);
}

/* Forgets what came and what was to go: the connection ended. */
static void reset(socket_buffer *buffer)
{
    __atomic_store_n(&buffer->first, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&buffer->end, 0, __ATOMIC_RELEASE);
    pthread_mutex_lock(&buffer->lock);
    buffer->pending = 0;
    pthread_mutex_unlock(&buffer->lock);
}

static socket_buffer *new_buffer(int fd)
{
    socket_buffer *buffer = calloc(1, sizeof *buffer);
    char *bytes = malloc(ROOM);
    if (!buffer || !bytes) {
        free(buffer);
        free(bytes);
        return NULL;
    }
    buffer->bytes = bytes;
    pthread_mutex_init(&buffer->lock, NULL);
    __atomic_store_n(&buffers[fd], buffer, __ATOMIC_RELEASE);
    return buffer;
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    socket_buffer *buffer = buffer_of(fd);
    if (!buffer && fd >= 0 && fd < SOCKETS)
        buffer = new_buffer(fd);
    if (buffer)
        reset(buffer);
    return __real_connect(fd, address, length);
}

/* Writes what is gathered; the socket gets some seconds to take it, then it is given up. Called
 * with the lock held. */
static void flush(int fd, socket_buffer *buffer)
{
    int done = 0;
    for (int tries = 0; done < buffer->pending && tries < PATIENCE;) {
        struct iovec part = {buffer->out + done, (size_t)(buffer->pending - done)};
        ssize_t written = __real_writev(fd, &part, 1);
        if (written > 0) {
            done += (int)written;
        } else if (written < 0 && (errno == EAGAIN || errno == EINTR)) {
            struct pollfd room = {fd, POLLOUT, 0};
            __real_poll(&room, 1, 100);
            tries++;
        } else {
            break;
        }
    }
    if (done < buffer->pending)
        shutdown(fd, SHUT_RDWR);
    buffer->pending = 0;
}

static void flush_if_any(int fd, socket_buffer *buffer)
{
    if (!buffer)
        return;
    pthread_mutex_lock(&buffer->lock);
    if (buffer->pending)
        flush(fd, buffer);
    pthread_mutex_unlock(&buffer->lock);
}

/* Keeps a small packet for later, as long as there is more to read; false: to be written now. */
static bool queue_small(int fd, socket_buffer *buffer, const struct iovec *parts, int count,
                        size_t total)
{
    if (current != fd || total > SMALL || unread(buffer) <= 0 || buffer->pending + total > OUT)
        return false;
    for (int i = 0; i < count; i++) {
        memcpy(buffer->out + buffer->pending, parts[i].iov_base, parts[i].iov_len);
        buffer->pending += (int)parts[i].iov_len;
    }
    return true;
}

ssize_t __wrap_writev(int fd, const struct iovec *parts, int count)
{
    socket_buffer *buffer = buffer_of(fd);
    if (!buffer)
        return __real_writev(fd, parts, count);
    size_t total = 0;
    for (int i = 0; i < count; i++)
        total += parts[i].iov_len;
    pthread_mutex_lock(&buffer->lock);
    ssize_t written = (ssize_t)total;
    if (!queue_small(fd, buffer, parts, count, total)) {
        if (buffer->pending)
            flush(fd, buffer);
        written = __real_writev(fd, parts, count);
    }
    pthread_mutex_unlock(&buffer->lock);
    return written;
}

static ssize_t copy_out(socket_buffer *buffer, void *to, size_t want)
{
    size_t have = (size_t)unread(buffer);
    size_t length = want < have ? want : have;
    memcpy(to, buffer->bytes + buffer->first, length);
    __atomic_store_n(&buffer->first, buffer->first + (int)length, __ATOMIC_RELAXED);
    return (ssize_t)length;
}

ssize_t __wrap_recv(int fd, void *to, size_t want, int flags)
{
    socket_buffer *buffer = buffer_of(fd);
    if (!buffer && skipped) { /* one of paho's pipes: it can wait */
        errno = EAGAIN;
        return -1;
    }
    if (!buffer || flags)
        return __real_recv(fd, to, want, flags);
    current = fd;
    if (unread(buffer) > 0)
        return copy_out(buffer, to, want);
    flush_if_any(fd, buffer);
    if (want >= ROOM)
        return __real_recv(fd, to, want, flags);
    ssize_t got = __real_recv(fd, buffer->bytes, ROOM, 0);
    if (got <= 0)
        return got;
    arrival = pp_now_ns();
    __atomic_store_n(&buffer->first, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&buffer->end, (int)got, __ATOMIC_RELEASE);
    return copy_out(buffer, to, want);
}

/* Marks the sockets whose bytes lie here already as ready for what was asked; how many are. paho
 * reads only where it could also write, and a socket that just gave bytes is taken for writable: a
 * full one costs it one refused write. */
static int mark_ready(struct pollfd *fds, nfds_t count, int ready)
{
    for (nfds_t i = 0; i < count; i++)
        if (unread(buffer_of(fds[i].fd)) > 0) {
            ready += !fds[i].revents;
            fds[i].revents = (short)(fds[i].revents | (fds[i].events & (POLLIN | POLLOUT)));
        }
    return ready;
}

/* The kernel is asked when none of these sockets has bytes here, and now and then about the rest:
 * other sockets, room to write. */
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
    return ready < 0 ? ready : mark_ready(fds, count, ready);
}

int __wrap_close(int fd)
{
    socket_buffer *buffer = buffer_of(fd);
    if (buffer)
        reset(buffer);
    return __real_close(fd);
}

int64_t pp_socket_arrival(void)
{
    if (unread(buffer_of(current)) > 0)
        return arrival;
    return pp_now_ns();
}

void pp_socket_cut(void)
{
    socket_buffer *buffer = buffer_of(current);
    if (!buffer)
        return;
    shutdown(current, SHUT_RDWR);
    reset(buffer);
}
