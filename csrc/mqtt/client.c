/* paho.mqtt.c behind a small face. The mutex guards status and mail only and is never held in a
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
#include "mailbox.h"
#include "socket_buffer.h"

enum { FILTERS = 16, TEXTS = 8 };

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
    int granted;        /* subscriptions confirmed since the last connect */
    char *texts[TEXTS]; /* copies of what paho points to */
    MQTTAsync_SSLOptions ssl;
    MQTTAsync_willOptions will;
    MQTTAsync_connectOptions options;
    pp_link_status status;
    pp_mailbox mailbox;
    pthread_mutex_t lock;
    pthread_cond_t news;
};

static void set_link(pp_mqtt *client, pp_link link, pp_fault fault, const char *text)
{
    pthread_mutex_lock(&client->lock);
    client->status.link = link;
    client->status.fault = fault;
    client->status.since_ns = pp_now_ns();
    if (link == PP_LINK_UP)
        client->status.connections++;
    if (text)
        snprintf(client->status.text, PP_TEXT_MAX, "%s", text);
    pthread_cond_broadcast(&client->news);
    pthread_mutex_unlock(&client->lock);
}

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
    pthread_mutex_lock(&client->lock);
    client->status.unrouted++;
    if (mail) {
        mail->retained = message->retained != 0;
        client->status.dropped_mail += pp_mailbox_put(&client->mailbox, mail);
        pthread_cond_broadcast(&client->news);
    } else {
        client->status.dropped_mail++;
    }
    pthread_mutex_unlock(&client->lock);
}

static bool push(const pp_stream_handle *to, const MQTTAsync_message *message)
{
    int flags = message->retained ? PP_PUSH_RETAINED : 0;
    return to->push(to->stream, message->payload, (size_t)message->payloadlen, pp_socket_arrival(),
                    flags);
}

/* paho acknowledges after this returns, whatever it returns. What could not be journaled must not
 * be acknowledged: the link is cut, and the broker sends it again after the next connect. */
static int message_arrived(void *context, char *topic, int topic_length, MQTTAsync_message *message)
{
    pp_mqtt *client = context;
    size_t length = topic_length > 0 ? (size_t)topic_length : strlen(topic);
    const pp_stream_handle *stream = find_route(client, topic, length);
    if (!stream) {
        store_mail(client, topic, length, message);
    } else if (!push(stream, message)) {
        pthread_mutex_lock(&client->lock);
        client->status.cuts++;
        pthread_mutex_unlock(&client->lock);
        pp_socket_cut();
    }
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    return 1;
}

static void subscribed(void *context, MQTTAsync_successData *data)
{
    pp_mqtt *client = context;
    bool denied = data && data->alt.qos == MQTT_BAD_SUBSCRIBE;
    pthread_mutex_lock(&client->lock);
    bool all = ++client->granted == client->filters;
    pthread_mutex_unlock(&client->lock);
    if (denied)
        set_link(client, PP_LINK_REFUSED, PP_FAULT_DENIED, "the broker denies the subscription");
    else if (all)
        set_link(client, PP_LINK_UP, PP_FAULT_NONE, NULL);
}

static void not_subscribed(void *context, MQTTAsync_failureData *data)
{
    (void)data;
    set_link(context, PP_LINK_REFUSED, PP_FAULT_DENIED, "the broker denies the subscription");
}

/* After every connect, the first and the later ones: brokers forget clean sessions. */
static void connected(void *context, char *cause)
{
    (void)cause;
    pp_mqtt *client = context;
    client->granted = 0;
    if (!client->filters)
        set_link(client, PP_LINK_UP, PP_FAULT_NONE, NULL);
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
    set_link(context, PP_LINK_LOST, PP_FAULT_NETWORK, cause ? cause : "connection lost");
}

static void not_connected(void *context, MQTTAsync_failureData *data)
{
    pp_mqtt *client = context;
    int code = data ? data->code : -1;
    const char *text = "no answer";
    if (data && data->message)
        text = data->message;
    if (client->status.connections > 0) /* it will try again by itself */
        set_link(client, PP_LINK_LOST, PP_FAULT_NETWORK, text);
    else if (code == 4 || code == 5)
        set_link(client, PP_LINK_REFUSED, PP_FAULT_LOGIN,
                 "bad user name or password, or not authorised");
    else if (client->status.fault == PP_FAULT_TLS) /* said by OpenSSL already */
        set_link(client, PP_LINK_REFUSED, PP_FAULT_TLS, NULL);
    else
        set_link(client, PP_LINK_REFUSED, PP_FAULT_NETWORK, text);
}

static int tls_failed(const char *text, size_t length, void *context)
{
    pp_mqtt *client = context;
    pthread_mutex_lock(&client->lock);
    client->status.fault = PP_FAULT_TLS;
    int shown = length < PP_TEXT_MAX ? (int)length : PP_TEXT_MAX - 1;
    snprintf(client->status.text, PP_TEXT_MAX, "%.*s", shown, text);
    client->status.text[strcspn(client->status.text, "\n")] = 0;
    pthread_mutex_unlock(&client->lock);
    return 1;
}

static char *copy_text(pp_mqtt *client, const char *text)
{
    for (int i = 0; text && i < TEXTS; i++)
        if (!client->texts[i]) {
            client->texts[i] = strdup(text);
            return client->texts[i];
        }
    return NULL;
}

static void set_options(pp_mqtt *client, const pp_mqtt_options *given)
{
    client->options = (MQTTAsync_connectOptions)MQTTAsync_connectOptions_initializer;
    client->options.keepAliveInterval = given->keep_alive;
    client->options.connectTimeout = given->connect_timeout;
    client->options.cleansession = given->clean;
    client->options.automaticReconnect = 1;
    client->options.minRetryInterval = 1;
    client->options.maxRetryInterval = given->retry_max;
    client->options.maxInflight = 1000;
    client->options.username = copy_text(client, given->user);
    client->options.password = copy_text(client, given->password);
    client->options.onFailure = not_connected;
    client->options.context = client;
    if (given->will_topic) {
        client->will = (MQTTAsync_willOptions)MQTTAsync_willOptions_initializer;
        client->will.topicName = copy_text(client, given->will_topic);
        client->will.message = copy_text(client, given->will_payload);
        client->will.qos = 1;
        client->will.retained = 1;
        client->options.will = &client->will;
    }
    if (strncmp(given->uri, "ssl:", 4) != 0)
        return;
    client->ssl = (MQTTAsync_SSLOptions)MQTTAsync_SSLOptions_initializer;
    client->ssl.trustStore = copy_text(client, given->ca);
    client->ssl.keyStore = copy_text(client, given->certificate);
    client->ssl.privateKey = copy_text(client, given->key);
    client->ssl.enableServerCertAuth = 1; /* the chain */
    client->ssl.verify = 1;               /* the host's name */
    client->ssl.sslVersion = MQTT_SSL_VERSION_TLS_1_2;
    client->ssl.ssl_error_cb = tls_failed;
    client->ssl.ssl_error_context = client;
    client->options.ssl = &client->ssl;
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
    for (int i = 0; i < TEXTS; i++) {
        if (client->texts[i])
            explicit_bzero(client->texts[i], strlen(client->texts[i]));
        free(client->texts[i]);
    }
    pthread_cond_destroy(&client->news);
    pthread_mutex_destroy(&client->lock);
    free(client);
}

pp_mqtt *pp_mqtt_new(const pp_mqtt_options *options)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, initialise);
    pp_mqtt *client = calloc(1, sizeof *client);
    if (!client)
        return NULL;
    pthread_mutex_init(&client->lock, NULL);
    pp_monotonic(&client->news);
    set_options(client, options);
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

bool pp_mqtt_connect(pp_mqtt *client)
{
    int code = MQTTAsync_connect(client->paho, &client->options);
    if (code != MQTTASYNC_SUCCESS)
        set_link(client, PP_LINK_REFUSED, PP_FAULT_NETWORK, MQTTAsync_strerror(code));
    return code == MQTTASYNC_SUCCESS;
}

bool pp_mqtt_wait(pp_mqtt *client, pp_link seen, double seconds)
{
    struct timespec until = pp_deadline(seconds);
    int late = 0;
    pthread_mutex_lock(&client->lock);
    while (client->status.link == seen && late != ETIMEDOUT)
        late = pthread_cond_timedwait(&client->news, &client->lock, &until);
    bool other = client->status.link != seen;
    pthread_mutex_unlock(&client->lock);
    return other;
}

pp_link_status pp_mqtt_status(pp_mqtt *client)
{
    pthread_mutex_lock(&client->lock);
    pp_link_status status = client->status;
    pthread_mutex_unlock(&client->lock);
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
    pthread_mutex_lock(&client->lock);
    while (!client->mailbox.first && late != ETIMEDOUT && seconds > 0)
        late = pthread_cond_timedwait(&client->news, &client->lock, &until);
    pp_mail *mail = pp_mailbox_take(&client->mailbox);
    pthread_mutex_unlock(&client->lock);
    return mail;
}

static void disconnected(void *context, MQTTAsync_successData *data)
{
    (void)data;
    set_link(context, PP_LINK_CLOSED, PP_FAULT_NONE, NULL);
}

static void not_disconnected(void *context, MQTTAsync_failureData *data)
{
    (void)data;
    set_link(context, PP_LINK_CLOSED, PP_FAULT_NONE, NULL);
}

void pp_mqtt_close(pp_mqtt *client, double seconds)
{
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
    options.timeout = (int)(seconds * 1000);
    options.context = client;
    options.onSuccess = disconnected;
    options.onFailure = not_disconnected;
    if (MQTTAsync_disconnect(client->paho, &options) == MQTTASYNC_SUCCESS) {
        struct timespec until = pp_deadline(seconds);
        int late = 0;
        pthread_mutex_lock(&client->lock);
        while (client->status.link != PP_LINK_CLOSED && late != ETIMEDOUT)
            late = pthread_cond_timedwait(&client->news, &client->lock, &until);
        pthread_mutex_unlock(&client->lock);
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
