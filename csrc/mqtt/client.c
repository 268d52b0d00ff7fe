/* paho.mqtt.c behind a small face. The mutex guards status, mail and watch and is never held in a
 * call to paho. */
#define _GNU_SOURCE
#include "client.h"

#include <MQTTAsync.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../host/clock.h"
#include "birth.h"
#include "connection.h"
#include "link.h"
#include "mailbox.h"
#include "settings.h"

enum { FILTERS = 16 };

typedef struct topic_route {
    char *topic;
    size_t length; /* of the topic, bytes */
    pp_stream_handle stream;
} topic_route;

struct pp_mqtt {
    MQTTAsync paho;
    topic_route routes[PP_ROUTES_MAX];
    int route_count;
    int last_route; /* that a message took */
    char *filter[FILTERS];
    int qos[FILTERS];
    int filters;
    int granted; /* subscriptions confirmed since the last connect; under lock */
    pp_connect_settings settings;
    pp_watch watch;
    pp_connection_id withheld_on; /* connection of the last message not taken for the watch */
    pp_link_state link;
    int users; /* threads inside a call */
    bool closing;
    pp_mailbox mailbox;
};

/* The stream of a topic; devices repeat themselves, so the last one is tried first. */
static const pp_stream_handle *find_route(pp_mqtt *client, const char *topic, size_t length)
{
    for (int i = 0; i < client->route_count; i++) {
        int k = (client->last_route + i) % client->route_count;
        const topic_route *route = &client->routes[k];
        if (route->length == length && memcmp(route->topic, topic, length) == 0) {
            client->last_route = k;
            return &route->stream;
        }
    }
    return NULL;
}

/* Keeps what no stream takes. */
static void store_mail(pp_mqtt *client, const char *topic, size_t topic_length,
                       const MQTTAsync_message *message)
{
    pp_mail *mail = NULL;
    if (message->payloadlen <= PP_MAIL_LARGEST && !memchr(topic, 0, topic_length))
        mail = pp_mail_new(topic, topic_length, message->payload, (size_t)message->payloadlen);
    pthread_mutex_lock(&client->link.lock);
    client->link.status.unrouted++;
    if (mail) {
        mail->retained = message->retained != 0;
        client->link.status.dropped_mail += pp_mailbox_put(&client->mailbox, mail);
        pthread_cond_broadcast(&client->link.news);
    } else {
        client->link.status.dropped_mail++;
    }
    pthread_mutex_unlock(&client->link.lock);
}

static bool push(const pp_stream_handle *to, const MQTTAsync_message *message)
{
    int flags = message->retained ? PP_PUSH_RETAINED : 0;
    if (message->dup)
        flags |= PP_PUSH_AGAIN;
    return to->push(to->stream, message->payload, (size_t)message->payloadlen, pp_socket_arrival(),
                    flags);
}

/* Under lock: a message is not taken, and at QoS 1 not acknowledged, because the watch holds. */
static void note_withheld(pp_mqtt *client, const MQTTAsync_message *message)
{
    client->link.status.withheld++;
    client->watch.withheld |= message->qos > 0;
    client->withheld_on = pp_socket_current();
}

/* Whether the watch holds this message; asked under lock, so that a release that cuts sees it. */
static bool withhold(pp_mqtt *client, const MQTTAsync_message *message)
{
    if (!pp_watch_holds(&client->watch))
        return false;
    pthread_mutex_lock(&client->link.lock);
    bool held = pp_watch_holds(&client->watch);
    if (held)
        note_withheld(client, message);
    pthread_mutex_unlock(&client->link.lock);
    return held;
}

/* A device introduces itself. The birth that begins a hold comes again with the messages behind
 * it; so do, from a session that the broker keeps, further ones, each in its turn. False: not to be
 * acknowledged. */
static bool take_birth(pp_mqtt *client, const char *topic, size_t length,
                       const MQTTAsync_message *message)
{
    bool comes_again = message->qos > 0 && !client->settings.options.cleansession;
    pthread_mutex_lock(&client->link.lock);
    bool later = comes_again && pp_watch_holds(&client->watch);
    if (!later)
        pp_watch_see(&client->watch, message->payload, (size_t)message->payloadlen);
    bool held = pp_watch_holds(&client->watch);
    if (held)
        note_withheld(client, message);
    pthread_mutex_unlock(&client->link.lock);
    if (!later)
        store_mail(client, topic, length, message);
    return !held;
}

/* What could not be journaled must not be acknowledged: the connection is cut, and the broker sends
 * it again after the next connect. At QoS 0 nothing would come again. */
static bool take_samples(pp_mqtt *client, const pp_stream_handle *stream,
                         const MQTTAsync_message *message)
{
    if (withhold(client, message) || pp_socket_is_cut()) /* a release cuts, then lets through */
        return false;
    if (push(stream, message))
        return true;
    if (message->qos == 0)
        return false;
    pthread_mutex_lock(&client->link.lock);
    client->link.status.cuts++;
    pthread_mutex_unlock(&client->link.lock);
    pp_socket_cut(pp_socket_current());
    return false;
}

static bool take(pp_mqtt *client, const char *topic, size_t length,
                 const MQTTAsync_message *message)
{
    const pp_stream_handle *stream = find_route(client, topic, length);
    if (stream)
        return take_samples(client, stream, message);
    if (pp_watch_is_on(&client->watch, topic, length))
        return take_birth(client, topic, length, message);
    store_mail(client, topic, length, message);
    return true;
}

/* paho acknowledges after this returns, whatever it returns; exchange.c lets only those through
 * that were taken. */
static int message_arrived(void *context, char *topic, int topic_length, MQTTAsync_message *message)
{
    size_t length = topic_length > 0 ? (size_t)topic_length : strlen(topic);
    if (!pp_socket_is_cut() && take(context, topic, length, message))
        pp_socket_taken(message->msgid);
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    return 1;
}

static void subscribed(void *context, MQTTAsync_successData *data)
{
    pp_mqtt *client = context;
    bool denied = data && data->alt.qos == MQTT_BAD_SUBSCRIBE;
    pthread_mutex_lock(&client->link.lock);
    bool all = ++client->granted == client->filters;
    pthread_mutex_unlock(&client->link.lock);
    if (denied)
        pp_link_set(&client->link, PP_LINK_REFUSED, PP_FAULT_DENIED,
                    "the broker denies the subscription");
    else if (all)
        pp_link_set(&client->link, PP_LINK_UP, PP_FAULT_NONE, NULL);
}

static void not_subscribed(void *context, MQTTAsync_failureData *data)
{
    (void)data;
    pp_mqtt *client = context;
    pp_link_set(&client->link, PP_LINK_REFUSED, PP_FAULT_DENIED,
                "the broker denies the subscription");
}

/* After every connect, the first and the later ones: brokers forget clean sessions. */
static void connected(void *context, char *cause)
{
    (void)cause;
    pp_mqtt *client = context;
    pthread_mutex_lock(&client->link.lock);
    client->granted = 0;
    pthread_mutex_unlock(&client->link.lock);
    if (!client->filters)
        pp_link_set(&client->link, PP_LINK_UP, PP_FAULT_NONE, NULL);
    for (int i = 0; i < client->filters; i++) {
        MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
        options.context = client;
        options.onSuccess = subscribed;
        options.onFailure = not_subscribed;
        MQTTAsync_subscribe(client->paho, client->filter[i], client->qos[i], &options);
    }
}

static void connection_lost(void *context, char *cause)
{
    pp_mqtt *client = context;
    pp_link_set(&client->link, PP_LINK_LOST, PP_FAULT_NETWORK, cause ? cause : "connection lost");
}

static void not_connected(void *context, MQTTAsync_failureData *data)
{
    pp_mqtt *client = context;
    int code = data ? data->code : -1;
    const char *text = "no answer";
    if (data && data->message)
        text = data->message;
    pp_link_status so_far = pp_mqtt_status(client);
    if (so_far.connections > 0) /* it will try again by itself */
        pp_link_set(&client->link, PP_LINK_LOST, PP_FAULT_NETWORK, text);
    else if (code == 4 || code == 5)
        pp_link_set(&client->link, PP_LINK_REFUSED, PP_FAULT_LOGIN,
                    "bad user name or password, or not authorised");
    else if (so_far.fault == PP_FAULT_TLS) /* said by OpenSSL already */
        pp_link_set(&client->link, PP_LINK_REFUSED, PP_FAULT_TLS, NULL);
    else
        pp_link_set(&client->link, PP_LINK_REFUSED, PP_FAULT_NETWORK, text);
}

static int tls_failed(const char *text, size_t length, void *context)
{
    pp_mqtt *client = context;
    pthread_mutex_lock(&client->link.lock);
    client->link.status.fault = PP_FAULT_TLS;
    int shown = length < PP_TEXT_MAX ? (int)length : PP_TEXT_MAX - 1;
    snprintf(client->link.status.text, PP_TEXT_MAX, "%.*s", shown, text);
    client->link.status.text[strcspn(client->link.status.text, "\n")] = 0;
    pthread_mutex_unlock(&client->link.lock);
    return 1;
}

static void initialise(void)
{
    MQTTAsync_init_options options = MQTTAsync_init_options_initializer;
    options.do_openssl_init = 0; /* CPython's _ssl and libssl itself do that */
    MQTTAsync_global_init(&options);
}

static void free_client(pp_mqtt *client)
{
    while (client->mailbox.first)
        pp_mail_free(pp_mailbox_take(&client->mailbox));
    for (int i = 0; i < client->route_count; i++) {
        client->routes[i].stream.unref(client->routes[i].stream.stream);
        free(client->routes[i].topic);
    }
    for (int i = 0; i < client->filters; i++)
        free(client->filter[i]);
    pp_settings_end(&client->settings);
    pp_watch_end(&client->watch);
    pp_link_end(&client->link);
    free(client);
}

pp_mqtt *pp_mqtt_new(const pp_mqtt_options *options)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, initialise);
    pp_mqtt *client = calloc(1, sizeof *client);
    if (!client)
        return NULL;
    pp_link_begin(&client->link);
    pp_settings_make(&client->settings, options);
    client->settings.options.onFailure = not_connected;
    client->settings.options.context = client;
    client->settings.ssl.ssl_error_cb = tls_failed;
    client->settings.ssl.ssl_error_context = client;
    MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer;
    create.sendWhileDisconnected = 0;
    create.maxBufferedMessages = 100000; /* on their way out */
    if (MQTTAsync_createWithOptions(&client->paho, options->uri, options->client_id,
                                    MQTTCLIENT_PERSISTENCE_NONE, NULL,
                                    &create) != MQTTASYNC_SUCCESS) {
        free_client(client);
        return NULL;
    }
    MQTTAsync_setCallbacks(client->paho, client, connection_lost, message_arrived, NULL);
    MQTTAsync_setConnected(client->paho, client, connected);
    return client;
}

bool pp_mqtt_route(pp_mqtt *client, const char *topic, const pp_stream_handle *stream)
{
    char *name = client->route_count < PP_ROUTES_MAX ? strdup(topic) : NULL;
    if (!name)
        return false;
    stream->ref(stream->stream);
    client->routes[client->route_count++] = (topic_route){name, strlen(name), *stream};
    return true;
}

bool pp_mqtt_subscribe(pp_mqtt *client, const char *filter, int qos)
{
    char *name = client->filters < FILTERS ? strdup(filter) : NULL;
    if (!name)
        return false;
    client->filter[client->filters] = name;
    client->qos[client->filters++] = qos;
    return true;
}

bool pp_mqtt_watch(pp_mqtt *client, const char *topic, const void *payload, size_t length)
{
    return !client->watch.topic && pp_watch_begin(&client->watch, topic, payload, length);
}

/* The cut comes first: nothing may overtake what was withheld. */
void pp_mqtt_release(pp_mqtt *client, const void *payload, size_t length)
{
    pthread_mutex_lock(&client->link.lock);
    if (pp_watch_know(&client->watch, payload, length)) {
        if (client->watch.withheld)
            pp_socket_cut(client->withheld_on);
        pp_watch_release(&client->watch);
    }
    pthread_mutex_unlock(&client->link.lock);
}

bool pp_mqtt_connect(pp_mqtt *client)
{
    int code = MQTTAsync_connect(client->paho, &client->settings.options);
    if (code != MQTTASYNC_SUCCESS)
        pp_link_set(&client->link, PP_LINK_REFUSED, PP_FAULT_NETWORK, MQTTAsync_strerror(code));
    return code == MQTTASYNC_SUCCESS;
}

bool pp_mqtt_wait(pp_mqtt *client, pp_link seen, double seconds)
{
    struct timespec until = pp_deadline(seconds);
    int late = 0;
    pthread_mutex_lock(&client->link.lock);
    while (client->link.status.link == seen && !client->closing && late != ETIMEDOUT)
        late = pthread_cond_timedwait(&client->link.news, &client->link.lock, &until);
    bool other = client->link.status.link != seen;
    pthread_mutex_unlock(&client->link.lock);
    return other;
}

pp_link_status pp_mqtt_status(pp_mqtt *client)
{
    pp_link_status status = pp_link_read(&client->link);
    status.held = pp_watch_holds(&client->watch);
    return status;
}

bool pp_mqtt_publish(pp_mqtt *client, const char *topic, const void *payload, size_t length,
                     int qos, bool retain)
{
    return MQTTAsync_send(client->paho, topic, (int)length, payload, qos, retain, NULL) ==
           MQTTASYNC_SUCCESS;
}

pp_mail *pp_mqtt_take_mail(pp_mqtt *client, double seconds)
{
    struct timespec until = pp_deadline(seconds);
    int late = 0;
    pthread_mutex_lock(&client->link.lock);
    while (!client->mailbox.first && !client->closing && late != ETIMEDOUT && seconds > 0)
        late = pthread_cond_timedwait(&client->link.news, &client->link.lock, &until);
    pp_mail *mail = pp_mailbox_take(&client->mailbox);
    pthread_mutex_unlock(&client->link.lock);
    return mail;
}

static void disconnected(void *context, MQTTAsync_successData *data)
{
    (void)data;
    pp_mqtt *client = context;
    pp_link_set(&client->link, PP_LINK_CLOSED, PP_FAULT_NONE, NULL);
}

static void not_disconnected(void *context, MQTTAsync_failureData *data)
{
    (void)data;
    pp_mqtt *client = context;
    pp_link_set(&client->link, PP_LINK_CLOSED, PP_FAULT_NONE, NULL);
}

void pp_mqtt_enter(pp_mqtt *client)
{
    pthread_mutex_lock(&client->link.lock);
    client->users++;
    pthread_mutex_unlock(&client->link.lock);
}

void pp_mqtt_leave(pp_mqtt *client)
{
    pthread_mutex_lock(&client->link.lock);
    client->users--;
    if (client->closing)
        pthread_cond_broadcast(&client->link.news);
    pthread_mutex_unlock(&client->link.lock);
}

/* Sends the other threads out of their calls and waits until they left. */
static void empty(pp_mqtt *client)
{
    pthread_mutex_lock(&client->link.lock);
    client->closing = true;
    pthread_cond_broadcast(&client->link.news);
    while (client->users > 0)
        pthread_cond_wait(&client->link.news, &client->link.lock);
    pthread_mutex_unlock(&client->link.lock);
}

void pp_mqtt_close(pp_mqtt *client, double seconds)
{
    empty(client);
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
    options.timeout = (int)(seconds * 1000);
    options.context = client;
    options.onSuccess = disconnected;
    options.onFailure = not_disconnected;
    if (MQTTAsync_disconnect(client->paho, &options) == MQTTASYNC_SUCCESS) {
        struct timespec until = pp_deadline(seconds);
        int late = 0;
        pthread_mutex_lock(&client->link.lock);
        while (client->link.status.link != PP_LINK_CLOSED && late != ETIMEDOUT)
            late = pthread_cond_timedwait(&client->link.news, &client->link.lock, &until);
        pthread_mutex_unlock(&client->link.lock);
    }
    MQTTAsync_destroy(&client->paho); /* no callback after this */
    free_client(client);
}

const char *pp_mqtt_version(void)
{
    for (MQTTAsync_nameValue *info = MQTTAsync_getVersionInfo(); info && info->name; info++)
        if (!strcmp(info->name, "Version"))
            return info->value;
    return "unknown";
}
