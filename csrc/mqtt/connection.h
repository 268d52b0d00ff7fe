/* mqtt/connection.h: what is known of every socket that paho.mqtt.c connected, by its descriptor:
 * bytes read ahead (decrypted ones over TLS), small packets not yet written, the messages taken
 * whose acknowledgements may leave, and whether it was cut. Inside csrc/mqtt only. */
#ifndef PP_MQTT_CONNECTION_H
#define PP_MQTT_CONNECTION_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

enum {
    PP_READ_ROOM = 1 << 16, /* bytes of one read */
    PP_OUT_ROOM = 4096      /* bytes that may wait to be written */
};

typedef struct pp_connection {
    char *bytes;              /* read ahead, PP_READ_ROOM of them */
    int first, end;           /* of those not yet asked for; atomic */
    int more;                 /* OpenSSL holds more; atomic */
    int cut;                  /* nothing more is taken or acknowledged; atomic */
    unsigned generation;      /* of the descriptor: counts connections; under lock */
    char out[PP_OUT_ROOM];    /* small packets not yet written; under lock */
    int pending;              /* bytes of them; under lock */
    pthread_mutex_t lock;     /* never held in a call to paho */
    uint8_t taken[65536 / 8]; /* a bit for each message number; the receiving thread's */
} pp_connection;

/* One connection, also after its descriptor went to another. */
typedef struct pp_connection_id {
    int fd; /* -1: none */
    unsigned generation;
} pp_connection_id;

/* Entries by descriptor; beyond the last one, connecting fails. */
enum { PP_LEAF = 1024, PP_LEAVES = 4096 };

typedef struct pp_connection_leaf {
    pp_connection *entries[PP_LEAF]; /* atomic */
} pp_connection_leaf;

extern pp_connection_leaf *pp_connection_leaves[PP_LEAVES]; /* atomic */

/* The next four are asked several times for each message: in sight of their callers. */

/* NULL for what paho did not connect. */
static inline pp_connection *pp_connection_of(int fd)
{
    if (fd < 0 || fd >= PP_LEAF * PP_LEAVES)
        return NULL;
    pp_connection_leaf *leaf =
        __atomic_load_n(&pp_connection_leaves[fd / PP_LEAF], __ATOMIC_ACQUIRE);
    return leaf ? __atomic_load_n(&leaf->entries[fd % PP_LEAF], __ATOMIC_ACQUIRE) : NULL;
}

/* Bytes that wait to be read. */
static inline int pp_connection_unread(const pp_connection *connection)
{
    int end = __atomic_load_n(&connection->end, __ATOMIC_ACQUIRE);
    return end - __atomic_load_n(&connection->first, __ATOMIC_RELAXED);
}

/* Whether reading gives bytes without asking the kernel; also for NULL. */
static inline bool pp_connection_ready(const pp_connection *connection)
{
    return connection && (pp_connection_unread(connection) > 0 ||
                          __atomic_load_n(&connection->more, __ATOMIC_RELAXED));
}

/* Hands out what was read ahead. */
static inline ssize_t pp_connection_copy(pp_connection *connection, void *to, size_t want)
{
    size_t have = (size_t)pp_connection_unread(connection);
    size_t length = want < have ? want : have;
    memcpy(to, connection->bytes + connection->first, length);
    __atomic_store_n(&connection->first, connection->first + (int)length, __ATOMIC_RELAXED);
    return (ssize_t)length;
}

/* Made or made anew, before connect; NULL when memory runs out. */
pp_connection *pp_connection_begin(int fd);
/* Before close. */
void pp_connection_end(pp_connection *connection);
/* Bytes came into `bytes` just now. */
void pp_connection_filled(pp_connection *connection, int count);
/* Notes which socket the calling thread reads. */
void pp_connection_reads(int fd);
int pp_connection_read_last(void);
/* Between the calling thread's last two reads that gave bytes [ns]; 0 where the last
 * gave many. */
int64_t pp_connection_interval(void);
/* Whether the acknowledgement of this message may leave; it may once. */
bool pp_connection_may_acknowledge(pp_connection *connection, int message);

/* For the callbacks of a message, on the thread that read it. */

/* When its bytes came [ns since 1970]. */
int64_t pp_socket_arrival(void);
pp_connection_id pp_socket_current(void);
/* It was taken: its acknowledgement (QoS 1) may leave. Without this call it does not. */
void pp_socket_taken(int message);
bool pp_socket_is_cut(void);
/* Ends a connection, so that nothing of it can be taken or acknowledged any more; from any thread.
 * Nothing happens when it ended already. */
void pp_socket_cut(pp_connection_id id);

#endif
