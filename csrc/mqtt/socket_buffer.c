/* Buffers between paho.mqtt.c and its sockets. paho has one receiving thread for all clients: it
 * alone reads, and while bytes lie here it need not ask the kernel. paho reads a message's header
 * byte by byte, each with a system call, and leaves Nagle's algorithm on. The linker's --wrap leads
 * its recv, writev, poll, connect and close here: one recv fetches up to 64 KiB, sockets get
 * TCP_NODELAY, and acknowledgements leave together as long as there is more to read. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include "connection.h"

enum {
    SMALL = 64,     /* bytes of a packet that may wait */
    SKIPS = 64,     /* calls of poll before the kernel is asked again */
    PATIENCE = 50,  /* tries of 0.1 s to write */
    DENSE = 400000, /* ns between reads below which a rest is taken */
    REST = 200000,  /* ns */
    SLICE = 50      /* ms of waiting before new connections are looked for */
};

static int begun;            /* connections so far; atomic */
static __thread int awaited; /* of them, those that poll was asked about */
static __thread int skipped; /* calls of poll since the kernel was asked */

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length);
ssize_t __wrap_recv(int fd, void *to, size_t want, int flags);
ssize_t __wrap_writev(int fd, const struct iovec *parts, int count);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout);
int __wrap_close(int fd);

int __real_connect(int fd, const struct sockaddr *address, socklen_t length);
ssize_t __real_recv(int fd, void *to, size_t want, int flags);
ssize_t __real_writev(int fd, const struct iovec *parts, int count);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout);
int __real_close(int fd);

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!pp_connection_begin(fd)) { /* without it nothing would ever be acknowledged */
        errno = ENOMEM;
        return -1;
    }
    __atomic_add_fetch(&begun, 1, __ATOMIC_RELEASE);
    return __real_connect(fd, address, length);
}

/* Writes what is gathered; the socket gets some seconds to take it, then it is given up. Called
 * with the lock held. */
static void flush(int fd, pp_connection *connection)
{
    int done = 0;
    for (int tries = 0; done < connection->pending && tries < PATIENCE;) {
        struct iovec part = {connection->out + done, (size_t)(connection->pending - done)};
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
    if (done < connection->pending)
        shutdown(fd, SHUT_RDWR);
    connection->pending = 0;
}

static void flush_if_any(int fd, pp_connection *connection)
{
    if (!connection)
        return;
    pthread_mutex_lock(&connection->lock);
    if (connection->pending)
        flush(fd, connection);
    pthread_mutex_unlock(&connection->lock);
}

/* Keeps a small packet for later, as long as there is more to read; false: to be written now. */
static bool queue_small(int fd, pp_connection *connection, const struct iovec *parts, int count,
                        size_t total)
{
    if (pp_connection_read_last() != fd || total > SMALL || pp_connection_unread(connection) <= 0 ||
        (size_t)connection->pending + total > PP_OUT_ROOM)
        return false;
    for (int i = 0; i < count; i++) {
        if (parts[i].iov_len == 0)
            continue;
        memcpy(connection->out + connection->pending, parts[i].iov_base, parts[i].iov_len);
        connection->pending += (int)parts[i].iov_len;
    }
    return true;
}

/* A write that failed ends the connection: whoever reads it then sees that, too. */
static ssize_t write_now(int fd, const struct iovec *parts, int count)
{
    ssize_t written = __real_writev(fd, parts, count);
    if (written < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        int why = errno;
        shutdown(fd, SHUT_RDWR);
        errno = why;
    }
    return written;
}

ssize_t __wrap_writev(int fd, const struct iovec *parts, int count)
{
    pp_connection *connection = pp_connection_of(fd);
    if (!connection)
        return __real_writev(fd, parts, count);
    size_t total = 0;
    for (int i = 0; i < count; i++)
        total += parts[i].iov_len;
    pthread_mutex_lock(&connection->lock);
    ssize_t written = (ssize_t)total;
    if (!queue_small(fd, connection, parts, count, total)) {
        if (connection->pending)
            flush(fd, connection);
        written = write_now(fd, parts, count);
    }
    pthread_mutex_unlock(&connection->lock);
    return written;
}

ssize_t __wrap_recv(int fd, void *to, size_t want, int flags)
{
    pp_connection *connection = pp_connection_of(fd);
    if (!connection && skipped) { /* one of paho's pipes: it can wait */
        errno = EAGAIN;
        return -1;
    }
    if (!connection || flags || want == 0) /* paho asks for nothing before it closes */
        return __real_recv(fd, to, want, flags);
    pp_connection_reads(fd);
    if (__atomic_load_n(&connection->cut, __ATOMIC_ACQUIRE))
        return 0; /* the kernel still holds bytes */
    if (pp_connection_unread(connection) > 0)
        return pp_connection_copy(connection, to, want);
    flush_if_any(fd, connection);
    if (want >= PP_READ_ROOM)
        return __real_recv(fd, to, want, flags);
    ssize_t got = __real_recv(fd, connection->bytes, PP_READ_ROOM, 0);
    if (got <= 0)
        return got;
    pp_connection_filled(connection, (int)got);
    return pp_connection_copy(connection, to, want);
}

/* Marks the sockets whose bytes lie here already as ready for what was asked; how many are. paho
 * reads only where it could also write, and a socket that just gave bytes is taken for writable: a
 * full one costs it one refused write. */
static int mark_ready(struct pollfd *fds, nfds_t count, int ready)
{
    for (nfds_t i = 0; i < count; i++)
        if (pp_connection_ready(pp_connection_of(fds[i].fd))) {
            ready += !fds[i].revents;
            fds[i].revents = (short)(fds[i].revents | (fds[i].events & (POLLIN | POLLOUT)));
        }
    return ready;
}

/* Messages that come one by one, thousands a second, would each cost a wake-up: a short rest lets
 * some gather. */
static void rest(void)
{
    int64_t interval = pp_connection_interval();
    struct timespec time = {0, REST};
    if (interval > 0 && interval < DENSE)
        nanosleep(&time, NULL);
}

/* paho asks about the sockets that it has when it asks, for a second: a connection that begins
 * meanwhile would wait so long for its first step. */
static int wait_ready(struct pollfd *fds, nfds_t count, int timeout)
{
    int ready = 0;
    int left = timeout;
    while (ready == 0 && left > 0 && awaited == __atomic_load_n(&begun, __ATOMIC_ACQUIRE)) {
        ready = __real_poll(fds, count, left < SLICE ? left : SLICE);
        left -= SLICE;
    }
    awaited = __atomic_load_n(&begun, __ATOMIC_ACQUIRE);
    return ready ? ready : __real_poll(fds, count, 0);
}

/* The kernel is asked when none of these sockets has bytes here, and now and then about the rest:
 * other sockets, room to write. */
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    bool buffered = false;
    for (nfds_t i = 0; i < count && !buffered; i++)
        buffered = pp_connection_ready(pp_connection_of(fds[i].fd));
    if (!buffered) {
        skipped = 0;
        for (nfds_t i = 0; i < count; i++)
            flush_if_any(fds[i].fd, pp_connection_of(fds[i].fd));
        if (timeout <= 0)
            return __real_poll(fds, count, 0);
        rest();
        return wait_ready(fds, count, timeout);
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
    pp_connection *connection = pp_connection_of(fd);
    if (connection)
        pp_connection_end(connection);
    return __real_close(fd);
}
