/* The layer between paho.mqtt.c and its sockets, on socket pairs: what may wait, what may be
 * acknowledged, and what a cut leaves. Prints how many checks failed. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../../csrc/mqtt/birth.h"
#include "../../csrc/mqtt/connection.h"
#include "check.h"

int checks, failed;

struct paho;
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length);
ssize_t __wrap_recv(int fd, void *to, size_t want, int flags);
ssize_t __wrap_writev(int fd, const struct iovec *parts, int count);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout);
int __wrap_close(int fd);
int __wrap_MQTTPacket_send_puback(int version, int message, struct paho *net, const char *client);
void __wrap_MQTTProtocol_writeAvailable(int fd);
int __wrap_MQTTProtocol_startPublish(struct paho *client, struct paho *publish, int qos,
                                     int retained, struct paho **message);

/* What the linker's --wrap leaves of the real ones; paho's own write down what they were asked. */
static int last_ack = -1, queued_ack = -1, start_result;
int __real_connect(int fd, const struct sockaddr *address, socklen_t length);
ssize_t __real_recv(int fd, void *to, size_t want, int flags);
ssize_t __real_writev(int fd, const struct iovec *parts, int count);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout);
int __real_close(int fd);
int __real_MQTTPacket_send_puback(int version, int message, struct paho *net, const char *client);
void __real_MQTTProtocol_writeAvailable(int fd);
int __real_MQTTProtocol_startPublish(struct paho *client, struct paho *publish, int qos,
                                     int retained, struct paho **message);

int __real_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    (void)fd, (void)address, (void)length; /* a pair is connected already */
    return 0;
}
ssize_t __real_recv(int fd, void *to, size_t want, int flags) { return recv(fd, to, want, flags); }
ssize_t __real_writev(int fd, const struct iovec *p, int count) { return writev(fd, p, count); }
int __real_poll(struct pollfd *fds, nfds_t count, int wait) { return poll(fds, count, wait); }
int __real_close(int fd) { return close(fd); }

int __real_MQTTPacket_send_puback(int version, int message, struct paho *net, const char *client)
{
    (void)version, (void)net, (void)client;
    last_ack = message;
    return 0;
}

void __real_MQTTProtocol_writeAvailable(int fd)
{
    (void)fd;
    __wrap_MQTTPacket_send_puback(4, queued_ack, NULL, "");
}

int __real_MQTTProtocol_startPublish(struct paho *client, struct paho *publish, int qos,
                                     int retained, struct paho **message)
{
    (void)client, (void)publish, (void)qos, (void)retained, (void)message;
    return start_result;
}

typedef struct pair {
    int own, far;
} pair;

static void move_up(int *fd, int lowest)
{
    int moved = fcntl(*fd, F_DUPFD, lowest);
    if (moved < 0)
        abort();
    close(*fd);
    *fd = moved;
}

static pair connected(int lowest)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0)
        abort();
    move_up(&ends[0], lowest);
    __wrap_connect(ends[0], NULL, 0);
    return (pair){ends[0], ends[1]};
}

static void part(pair p)
{
    __wrap_close(p.own);
    close(p.far);
}

static void say(pair p, const char *bytes, size_t length)
{
    if (write(p.far, bytes, length) != (ssize_t)length)
        abort();
}

static ssize_t arrived(pair p)
{
    char bytes[8192];
    return recv(p.far, bytes, sizeof bytes, 0);
}

static ssize_t put(pair p, size_t length)
{
    static char bytes[8192];
    struct iovec parts[2] = {{bytes, 1}, {bytes + 1, length - 1}};
    return __wrap_writev(p.own, parts, 2);
}

static int acknowledge(int message)
{
    last_ack = -1;
    return __wrap_MQTTPacket_send_puback(4, message, NULL, "");
}

/* Small packets wait while there is more to read, large ones do not, and the order stays. */
static void check_gathering(int lowest)
{
    pair p = connected(lowest);
    char byte;
    say(p, "abc", 3);
    CHECK(__wrap_recv(p.own, &byte, 1, 0) == 1 && byte == 'a');
    CHECK(put(p, 64) == 64 && arrived(p) == -1);
    CHECK(put(p, 65) == 65 && arrived(p) == 64 + 65);
    for (int n = 0; n < 64; n++)
        CHECK(put(p, 64) == 64 && arrived(p) == -1);
    CHECK(put(p, 4) == 4 && arrived(p) == 64 * 64 + 4); /* no more room */
    CHECK(put(p, 4) == 4 && arrived(p) == -1);
    CHECK(__wrap_recv(p.own, &byte, 1, 0) == 1 && __wrap_recv(p.own, &byte, 1, 0) == 1);
    CHECK(byte == 'c' && arrived(p) == -1);
    struct pollfd asked = {p.own, POLLIN | POLLOUT, 0};
    CHECK(__wrap_poll(&asked, 1, 0) == 1 && asked.revents == POLLOUT && arrived(p) == 4);
    CHECK(__wrap_recv(p.own, &byte, 1, 0) == -1 && errno == EAGAIN);
    CHECK(put(p, 4) == 4 && arrived(p) == 4); /* nothing more to read */
    part(p);
}

/* Bytes that were read ahead make a socket ready, whatever the kernel says. */
static void check_ready(int lowest)
{
    pair p = connected(lowest);
    char bytes[3];
    say(p, "abc", 3);
    CHECK(__wrap_recv(p.own, bytes, 2, 0) == 2);
    struct pollfd asked[2] = {{p.own, POLLIN, 0}, {p.far, POLLIN, POLLIN}};
    CHECK(__wrap_poll(asked, 2, 0) == 1 && asked[0].revents == POLLIN && asked[1].revents == 0);
    part(p);
}

/* Only what was taken, in this connection, and once. */
static void check_acknowledgements(int lowest)
{
    pair p = connected(lowest);
    char byte;
    say(p, "a", 1);
    __wrap_recv(p.own, &byte, 1, 0);
    CHECK(acknowledge(7) == 0 && last_ack == -1);
    pp_socket_taken(7);
    pp_socket_taken(65535);
    CHECK(acknowledge(7) == 0 && last_ack == 7);
    CHECK(acknowledge(7) == 0 && last_ack == -1);
    CHECK(acknowledge(65535) == 0 && last_ack == 65535);
    pp_socket_taken(9); /* queued; the connection ends first */
    __wrap_connect(p.own, NULL, 0);
    last_ack = -1;
    queued_ack = 9;
    __wrap_MQTTProtocol_writeAvailable(p.own);
    CHECK(last_ack == -1);
    pp_socket_taken(9);
    pair other = connected(lowest); /* read last, but not the one that is written */
    say(other, "a", 1);
    __wrap_recv(other.own, &byte, 1, 0);
    __wrap_MQTTProtocol_writeAvailable(p.own);
    CHECK(last_ack == 9);
    part(other);
    part(p);
}

/* What was gathered leaves, then nothing; others are not touched. */
static void check_cut(int lowest)
{
    pair p = connected(lowest);
    pair other = connected(lowest);
    char bytes[4];
    say(p, "abc", 3);
    __wrap_recv(p.own, bytes, 1, 0);
    pp_socket_taken(1);
    CHECK(put(p, 4) == 4 && !pp_socket_is_cut());
    pp_connection_id id = pp_socket_current();
    pp_socket_cut(id);
    CHECK(pp_socket_is_cut() && arrived(p) == 4 && arrived(p) == 0);
    CHECK(acknowledge(1) == -1 && last_ack == -1); /* taken, but too late: it comes again */
    CHECK(__wrap_recv(p.own, bytes, 1, 0) == 0);
    CHECK(put(other, 4) == 4 && arrived(other) == 4);
    __wrap_connect(p.own, NULL, 0); /* the descriptor comes again, and the cut of before too late */
    pp_socket_cut(id);
    CHECK(!pp_socket_is_cut());
    pp_socket_cut((pp_connection_id){-1, 0});
    part(other);
    part(p);
}

static void check_failed_publications(void)
{
    start_result = -1;
    CHECK(__wrap_MQTTProtocol_startPublish(NULL, NULL, 1, 0, NULL) == 0);
    CHECK(__wrap_MQTTProtocol_startPublish(NULL, NULL, 0, 0, NULL) == -1);
    start_result = -22;
    CHECK(__wrap_MQTTProtocol_startPublish(NULL, NULL, 1, 0, NULL) == -22);
}

static bool same(const char *one, const char *other)
{
    return pp_birth_same(one, strlen(one), other, strlen(other));
}

static void check_births(void)
{
    CHECK(same("{\"boot\": 1, \"a\": 2}", "{\"boot\": 1234, \"a\": 2}"));
    CHECK(same("{\"a\":[{}],\"boot\" :9}", "{\"a\":[{}],\"boot\" :10}"));
    CHECK(!same("{\"boot\": 1, \"a\": 2}", "{\"boot\": 1, \"a\": 3}"));
    CHECK(!same("{\"boot\": 1.5, \"a\": 2}", "{\"boot\": 1.6, \"a\": 2}"));
    CHECK(!same("{\"s\": {\"boot\": 1}}", "{\"s\": {\"boot\": 2}}"));
    CHECK(!same("{\"s\": [\"boot\", 1]}", "{\"s\": [\"boot\", 2]}"));
    CHECK(!same("{\"x\": \"\\\"boot\\\": 1\"}", "{\"x\": \"\\\"boot\\\": 2\"}"));
    CHECK(same("", "") && !same("", "{}") && same("{\"boot", "{\"boot") && same("\"\\", "\"\\"));
    CHECK(!same("{\"boot\": 1}", "{\"boot\": 1} ") && !same("{\"boot\": 1}", "{\"bo"));
}

static void check_watch(void)
{
    pp_watch watch = {0};
    CHECK(!pp_watch_is_on(&watch, "t", 1) && !pp_watch_holds(&watch));
    CHECK(pp_watch_begin(&watch, "t", "one", 3));
    CHECK(pp_watch_is_on(&watch, "t", 1) && !pp_watch_is_on(&watch, "tt", 2));
    pp_watch_see(&watch, "one", 3);
    pp_watch_see(&watch, "", 0);
    CHECK(!pp_watch_holds(&watch));
    pp_watch_see(&watch, "two", 3);
    pp_watch_see(&watch, "six", 3);
    watch.withheld = true;
    CHECK(pp_watch_holds(&watch) && !pp_watch_know(&watch, "two", 3) && pp_watch_holds(&watch));
    CHECK(pp_watch_know(&watch, "six", 3) && watch.withheld);
    pp_watch_release(&watch);
    CHECK(!pp_watch_holds(&watch) && !watch.withheld);
    pp_watch_see(&watch, "six", 3);
    CHECK(!pp_watch_holds(&watch));
    pp_watch_see(&watch, "two", 3);
    pp_watch_see(&watch, "six", 3); /* back to what is known: held, too, until it is released */
    CHECK(pp_watch_holds(&watch) && pp_watch_know(&watch, "six", 3));
    pp_watch_end(&watch);
}

int main(void)
{
    struct rlimit limit = {4096, 4096};
    setrlimit(RLIMIT_NOFILE, &limit);
    static const int lowest[] = {3, 1023, 1024, 2500};
    for (int i = 0; i < 4; i++) {
        check_gathering(lowest[i]);
        check_ready(lowest[i]);
        check_acknowledgements(lowest[i]);
        check_cut(lowest[i]);
    }
    check_failed_publications();
    check_births();
    check_watch();
    printf("%d checks, %d failed\n", checks, failed);
    return failed != 0;
}
