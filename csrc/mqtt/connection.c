/* The table of connections, by descriptor. Entries are never freed: a descriptor comes again, and
 * poll looks at them on a thread of its own. */
#define _GNU_SOURCE
#include "connection.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../host/clock.h"

pp_connection_leaf *pp_connection_leaves[PP_LEAVES];
static pthread_mutex_t growing = PTHREAD_MUTEX_INITIALIZER;
static __thread int current = -1; /* socket that was read last */
static __thread int64_t arrival;  /* of the bytes that lie in its buffer */
static __thread int64_t interval; /* since the bytes before, ns */

static pp_connection *new_connection(void)
{
    pp_connection *connection = calloc(1, sizeof *connection);
    char *bytes = malloc(PP_READ_ROOM);
    if (!connection || !bytes) {
        free(connection);
        free(bytes);
        return NULL;
    }
    connection->bytes = bytes;
    pthread_mutex_init(&connection->lock, NULL);
    return connection;
}

/* Under `growing`. */
static pp_connection *add_connection(int fd)
{
    pp_connection_leaf *branch = pp_connection_leaves[fd / PP_LEAF];
    if (!branch) {
        branch = calloc(1, sizeof *branch);
        if (!branch)
            return NULL;
        __atomic_store_n(&pp_connection_leaves[fd / PP_LEAF], branch, __ATOMIC_RELEASE);
    }
    pp_connection *connection = branch->entries[fd % PP_LEAF];
    if (!connection)
        connection = new_connection();
    __atomic_store_n(&branch->entries[fd % PP_LEAF], connection, __ATOMIC_RELEASE);
    return connection;
}

/* Forgets what came and what was to go. */
static void reset(pp_connection *connection)
{
    __atomic_store_n(&connection->first, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&connection->end, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&connection->more, 0, __ATOMIC_RELAXED);
    pthread_mutex_lock(&connection->lock);
    connection->pending = 0;
    connection->generation++;
    pthread_mutex_unlock(&connection->lock);
}

pp_connection *pp_connection_begin(int fd)
{
    if (fd < 0 || fd >= PP_LEAF * PP_LEAVES)
        return NULL;
    pp_connection *connection = pp_connection_of(fd);
    if (!connection) {
        pthread_mutex_lock(&growing);
        connection = add_connection(fd);
        pthread_mutex_unlock(&growing);
    }
    if (!connection)
        return NULL;
    reset(connection);
    memset(connection->taken, 0, sizeof connection->taken);
    __atomic_store_n(&connection->cut, 0, __ATOMIC_RELEASE);
    return connection;
}

void pp_connection_end(pp_connection *connection) { reset(connection); }

void pp_connection_filled(pp_connection *connection, int count)
{
    int64_t now = pp_now_ns();
    interval = count < PP_READ_ROOM / 2 ? now - arrival : 0; /* many came: no need to gather */
    arrival = now;
    __atomic_store_n(&connection->first, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&connection->end, count, __ATOMIC_RELEASE);
}

void pp_connection_reads(int fd) { current = fd; }

int pp_connection_read_last(void) { return current; }

int64_t pp_connection_interval(void) { return interval; }

bool pp_connection_may_acknowledge(pp_connection *connection, int message)
{
    uint8_t *byte = &connection->taken[(message & 0xffff) >> 3];
    uint8_t bit = (uint8_t)(1u << (message & 7));
    bool may = *byte & bit && !__atomic_load_n(&connection->cut, __ATOMIC_ACQUIRE);
    *byte &= (uint8_t)~bit;
    return may;
}

int64_t pp_socket_arrival(void)
{
    const pp_connection *connection = pp_connection_of(current);
    return connection && pp_connection_unread(connection) > 0 ? arrival : pp_now_ns();
}

pp_connection_id pp_socket_current(void)
{
    pp_connection *connection = pp_connection_of(current);
    if (!connection)
        return (pp_connection_id){-1, 0};
    pthread_mutex_lock(&connection->lock);
    pp_connection_id id = {current, connection->generation};
    pthread_mutex_unlock(&connection->lock);
    return id;
}

void pp_socket_taken(int message)
{
    pp_connection *connection = pp_connection_of(current);
    if (connection)
        connection->taken[(message & 0xffff) >> 3] |= (uint8_t)(1u << (message & 7));
}

bool pp_socket_is_cut(void)
{
    const pp_connection *connection = pp_connection_of(current);
    return connection && __atomic_load_n(&connection->cut, __ATOMIC_ACQUIRE);
}

/* What is gathered are acknowledgements of messages that were taken: they may leave, if there is
 * room; else those messages come again. */
static void say_last(int fd, pp_connection *connection)
{
    if (connection->pending)
        send(fd, connection->out, (size_t)connection->pending, MSG_DONTWAIT | MSG_NOSIGNAL);
    connection->pending = 0;
}

void pp_socket_cut(pp_connection_id id)
{
    pp_connection *connection = pp_connection_of(id.fd);
    if (!connection)
        return;
    pthread_mutex_lock(&connection->lock);
    if (connection->generation == id.generation) { /* the descriptor is still this connection's */
        __atomic_store_n(&connection->cut, 1, __ATOMIC_RELEASE);
        say_last(id.fd, connection);
        shutdown(id.fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&connection->lock);
}
