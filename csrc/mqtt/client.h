/* mqtt/client.h: one MQTT connection of paho.mqtt.c (MQTTAsync) that feeds streams. Callbacks run
 * on paho's threads and never touch Python; every function below may be called from any other
 * thread. */
#ifndef PP_MQTT_CLIENT_H
#define PP_MQTT_CLIENT_H

#include "polepair/stream.h"

enum { PP_ROUTES_MAX = 64, PP_TEXT_MAX = 256 };

typedef enum pp_link {
    PP_LINK_CONNECTING,
    PP_LINK_UP,
    PP_LINK_LOST,
    PP_LINK_REFUSED,
    PP_LINK_CLOSED
} pp_link;

/* Why a connection or subscription failed. */
typedef enum pp_fault {
    PP_FAULT_NONE,
    PP_FAULT_NETWORK,
    PP_FAULT_LOGIN,
    PP_FAULT_DENIED,
    PP_FAULT_TLS
} pp_fault;

typedef struct pp_mqtt_options {
    const char *uri; /* tcp://host:port or ssl://host:port */
    const char *client_id;
    const char *user, *password, *ca, *certificate, *key; /* NULL: none; ca NULL: the system's */
    const char *will_topic, *will_payload;                /* NULL: none; retained, QoS 1 */
    int keep_alive, connect_timeout, retry_max;           /* [s] */
    bool clean; /* false: the broker keeps the session while the link is down */
} pp_mqtt_options;

typedef struct pp_link_status {
    pp_link link;
    pp_fault fault;
    char text[PP_TEXT_MAX]; /* for people, 0-terminated */
    int64_t connections;    /* made so far */
    int64_t since_ns;       /* of this state of the link, since 1970 */
    int64_t unrouted;       /* messages that no stream takes */
    int64_t dropped_mail;   /* of these, those that found no room */
    int64_t cuts;           /* of the link, because a journal was full */
    int64_t losses;         /* of a link that had stood, whatever the cause */
    int64_t down_ns;        /* without a link since it first stood */
    int64_t withheld;       /* messages not taken while a birth is held */
    bool held;              /* another birth came and was not released */
} pp_link_status;

/* A message of a topic that no stream takes: births, states, commands. */
typedef struct pp_mail {
    struct pp_mail *next; /* newer; NULL: none */
    char *topic;
    uint8_t *payload;
    size_t length;      /* of the payload, bytes */
    int64_t arrival_ns; /* since 1970 */
    bool retained;
} pp_mail;

typedef struct pp_mqtt pp_mqtt;

/* Makes the client; NULL when memory runs out. Nothing is sent yet. */
pp_mqtt *pp_mqtt_new(const pp_mqtt_options *options);
/* Messages of exactly this topic go to the stream; before pp_mqtt_connect. False when there is no
 * room. */
bool pp_mqtt_route(pp_mqtt *client, const char *topic, const pp_stream_handle *stream);
/* Subscribes after every connect; before pp_mqtt_connect. */
bool pp_mqtt_subscribe(pp_mqtt *client, const char *filter, int qos);
/* On this topic the device introduces itself; `payload` is the birth that the streams were made
 * for; before pp_mqtt_connect. Once another one comes (but for its boot number), messages for
 * streams are neither taken nor acknowledged until it is released. It comes as mail. False when
 * there is one already or memory runs out. */
bool pp_mqtt_watch(pp_mqtt *client, const char *topic, const void *payload, size_t length);
/* The streams can take what follows this birth. What was withheld comes again, after a connect. */
void pp_mqtt_release(pp_mqtt *client, const void *payload, size_t length);
/* Starts connecting; the status tells the rest. */
bool pp_mqtt_connect(pp_mqtt *client);
/* Waits until the link differs from `seen` (UP also waits for the subscriptions); false after
 * `seconds`. */
bool pp_mqtt_wait(pp_mqtt *client, pp_link seen, double seconds);
pp_link_status pp_mqtt_status(pp_mqtt *client);
/* Queues a message; false when the link is down. */
bool pp_mqtt_publish(pp_mqtt *client, const char *topic, const void *payload, size_t length,
                     int qos, bool retain);
/* The oldest mail, to be freed by pp_mail_free; NULL after `seconds` without any. */
pp_mail *pp_mqtt_take_mail(pp_mqtt *client, double seconds);
void pp_mail_free(pp_mail *mail);
/* Around every call that another thread's close may overtake: close waits for those inside, which
 * return at once. Nobody may enter once close has begun. */
void pp_mqtt_enter(pp_mqtt *client);
void pp_mqtt_leave(pp_mqtt *client);
/* Waits until nobody is inside, disconnects, waits at most `seconds` for it, frees. */
void pp_mqtt_close(pp_mqtt *client, double seconds);
/* Version of the library. */
const char *pp_mqtt_version(void);

#endif
