/* paho.mqtt.c behind a small face. The mutex guards status and mail only and is never held in a call to paho. */
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
#include "socket_buffer.h"

enum { FILTERS = 16, MAIL_MAX = 1024, MAIL_BYTES = 4 << 20, MAIL_LARGEST = 256 << 10 };

typedef struct route {
    char *topic;
    size_t length;
    pp_stream_handle stream;
} route;

struct pp_mqtt {
    MQTTAsync paho;
    route routes[PP_ROUTES_MAX];
    int route_count, last_route;
    char *filter[FILTERS];
    int qos[FILTERS], filters,
        granted; /* granted: subscriptions confirmed since the last connect */
    char *texts[8];
    MQTTAsync_SSLOptions ssl;
    MQTTAsync_willOptions will;
    MQTTAsync_connectOptions options;
    pp_link_status status;
    pp_mail *first, *last;
    int mails;
    size_t mail_bytes;
    pthread_mutex_t lock;
    pthread_cond_t news;
};

static void set_link(pp_mqtt *c, pp_link link, pp_fault fault, const char *text)
{
    pthread_mutex_lock(&c->lock);
    c->status.link = link;
    c->status.fault = fault;
    c->status.since_ns = pp_now_ns();
    if (link == PP_LINK_UP)
        c->status.connections++;
    if (text)
        snprintf(c->status.text, PP_TEXT_MAX, "%s", text);
    pthread_cond_broadcast(&c->news);
    pthread_mutex_unlock(&c->lock);
}

/* The stream of a topic; devices repeat themselves, so the last one is tried first. */
static const pp_stream_handle *find_route(pp_mqtt *c, const char *topic, size_t length)
{
    for (int i = 0; i < c->route_count; i++) {
        int k = i ? (c->last_route + i) % c->route_count : c->last_route;
        const route *r = &c->routes[k];
        if (r->length == length && memcmp(r->topic, topic, length) == 0) {
            c->last_route = k;
            return &r->stream;
        }
    }
    return NULL;
}

static void drop_oldest(pp_mqtt *c)
{
    pp_mail *m = c->first;
    c->first = m->next;
    if (!c->first)
        c->last = NULL;
    c->mails--;
    c->mail_bytes -= m->length;
    c->status.dropped_mail++;
    pp_mail_free(m);
}

static pp_mail *new_mail(const char *topic, size_t topic_length, const MQTTAsync_message *message)
{
    size_t length = (size_t)message->payloadlen;
    pp_mail *m = calloc(1, sizeof *m);
    char *name = malloc(topic_length + 1);
    uint8_t *payload = malloc(length + 1);
    if (!m || !name || !payload) {
        free(m), free(name), free(payload);
        return NULL;
    }
    memcpy(name, topic, topic_length);
    name[topic_length] = 0;
    memcpy(payload, message->payload, length);
    *m = (pp_mail){NULL, name, payload, length, pp_now_ns(), message->retained != 0};
    return m;
}

/* Keeps what no stream takes, within bounds; the oldest goes first. */
static void keep_mail(pp_mqtt *c, const char *topic, size_t topic_length,
                      const MQTTAsync_message *message)
{
    bool fits = message->payloadlen <= MAIL_LARGEST && !memchr(topic, 0, topic_length);
    pp_mail *m = fits ? new_mail(topic, topic_length, message) : NULL;
    pthread_mutex_lock(&c->lock);
    c->status.unrouted++;
    if (!m)
        c->status.dropped_mail++;
    while (m && c->mails > 0 && (c->mails >= MAIL_MAX || c->mail_bytes + m->length > MAIL_BYTES))
        drop_oldest(c);
    if (m) {
        *(c->last ? &c->last->next : &c->first) = m;
        c->last = m;
        c->mails++;
        c->mail_bytes += m->length;
        pthread_cond_broadcast(&c->news);
    }
    pthread_mutex_unlock(&c->lock);
}

/* paho acknowledges after this returns, whatever it returns. What could not be journaled must not be acknowledged: the
 * link is cut, and the broker sends it again after the next connect. */
static int arrived(void *context, char *topic, int topic_length, MQTTAsync_message *message)
{
    pp_mqtt *c = context;
    size_t length = topic_length > 0 ? (size_t)topic_length : strlen(topic);
    const pp_stream_handle *s = find_route(c, topic, length);
    if (!s) {
        keep_mail(c, topic, length, message);
    } else if (!s->push(s->stream, message->payload, (size_t)message->payloadlen,
                        pp_socket_arrival(), message->retained ? PP_PUSH_RETAINED : 0)) {
        pthread_mutex_lock(&c->lock);
        c->status.cuts++;
        pthread_mutex_unlock(&c->lock);
        pp_socket_cut();
    }
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    return 1;
}

static void subscribed(void *context, MQTTAsync_successData *data)
{
    pp_mqtt *c = context;
    bool denied = data && data->alt.qos == MQTT_BAD_SUBSCRIBE;
    pthread_mutex_lock(&c->lock);
    bool all = ++c->granted == c->filters;
    pthread_mutex_unlock(&c->lock);
    if (denied)
        set_link(c, PP_LINK_REFUSED, PP_FAULT_DENIED, "the broker denies the subscription");
    else if (all)
        set_link(c, PP_LINK_UP, PP_FAULT_NONE, NULL);
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
    pp_mqtt *c = context;
    c->granted = 0;
    if (!c->filters)
        set_link(c, PP_LINK_UP, PP_FAULT_NONE, NULL);
    for (int i = 0; i < c->filters; i++) {
        MQTTAsync_responseOptions o = MQTTAsync_responseOptions_initializer;
        o.context = c, o.onSuccess = subscribed, o.onFailure = not_subscribed;
        MQTTAsync_subscribe(c->paho, c->filter[i], c->qos[i], &o);
    }
}

static void lost(void *context, char *cause)
{
    set_link(context, PP_LINK_LOST, PP_FAULT_NETWORK, cause ? cause : "connection lost");
}

static void not_connected(void *context, MQTTAsync_failureData *data)
{
    pp_mqtt *c = context;
    int code = data ? data->code : -1;
    const char *text = data && data->message ? data->message : "no answer";
    if (c->status.connections > 0) /* it will try again by itself */
        set_link(c, PP_LINK_LOST, PP_FAULT_NETWORK, text);
    else if (code == 4 || code == 5)
        set_link(c, PP_LINK_REFUSED, PP_FAULT_LOGIN,
                 "bad user name or password, or not authorised");
    else if (c->status.fault == PP_FAULT_TLS) /* said by OpenSSL already */
        set_link(c, PP_LINK_REFUSED, PP_FAULT_TLS, NULL);
    else
        set_link(c, PP_LINK_REFUSED, PP_FAULT_NETWORK, text);
}

static int tls_said(const char *text, size_t length, void *context)
{
    pp_mqtt *c = context;
    pthread_mutex_lock(&c->lock);
    c->status.fault = PP_FAULT_TLS;
    snprintf(c->status.text, PP_TEXT_MAX, "%.*s",
             (int)(length < PP_TEXT_MAX ? length : PP_TEXT_MAX - 1), text);
    c->status.text[strcspn(c->status.text, "\n")] = 0;
    pthread_mutex_unlock(&c->lock);
    return 1;
}

static char *kept(pp_mqtt *c, const char *text)
{
    for (int i = 0; text && i < 8; i++)
        if (!c->texts[i])
            return c->texts[i] = strdup(text);
    return NULL;
}

static void take_options(pp_mqtt *c, const pp_mqtt_options *o)
{
    c->options = (MQTTAsync_connectOptions)MQTTAsync_connectOptions_initializer;
    c->options.keepAliveInterval = o->keep_alive;
    c->options.connectTimeout = o->connect_timeout;
    c->options.cleansession = o->clean;
    c->options.automaticReconnect = 1;
    c->options.minRetryInterval = 1;
    c->options.maxRetryInterval = o->retry_max;
    c->options.maxInflight = 1000;
    c->options.username = kept(c, o->user);
    c->options.password = kept(c, o->password);
    c->options.onFailure = not_connected;
    c->options.context = c;
    if (o->will_topic) {
        c->will = (MQTTAsync_willOptions)MQTTAsync_willOptions_initializer;
        c->will.topicName = kept(c, o->will_topic);
        c->will.message = kept(c, o->will_payload);
        c->will.qos = c->will.retained = 1;
        c->options.will = &c->will;
    }
    if (strncmp(o->uri, "ssl:", 4) != 0)
        return;
    c->ssl = (MQTTAsync_SSLOptions)MQTTAsync_SSLOptions_initializer;
    c->ssl.trustStore = kept(c, o->ca);
    c->ssl.keyStore = kept(c, o->certificate);
    c->ssl.privateKey = kept(c, o->key);
    c->ssl.enableServerCertAuth = c->ssl.verify = 1; /* chain and host name */
    c->ssl.sslVersion = MQTT_SSL_VERSION_TLS_1_2;
    c->ssl.ssl_error_cb = tls_said;
    c->ssl.ssl_error_context = c;
    c->options.ssl = &c->ssl;
}

static void initialise(void)
{
    MQTTAsync_init_options o = MQTTAsync_init_options_initializer;
    o.do_openssl_init = 0; /* CPython's _ssl and libssl itself do that */
    MQTTAsync_global_init(&o);
}

static void release(pp_mqtt *c)
{
    while (c->first)
        drop_oldest(c);
    for (int i = 0; i < c->route_count; i++) {
        c->routes[i].stream.drop(c->routes[i].stream.stream);
        free(c->routes[i].topic);
    }
    for (int i = 0; i < c->filters; i++)
        free(c->filter[i]);
    for (int i = 0; i < 8; i++) {
        if (c->texts[i])
            explicit_bzero(c->texts[i], strlen(c->texts[i]));
        free(c->texts[i]);
    }
    pthread_cond_destroy(&c->news);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

pp_mqtt *pp_mqtt_new(const pp_mqtt_options *o)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, initialise);
    pp_mqtt *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    pthread_mutex_init(&c->lock, NULL);
    pp_monotonic(&c->news);
    take_options(c, o);
    MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer;
    create.sendWhileDisconnected = 0;
    create.maxBufferedMessages = 100000; /* on their way out */
    if (MQTTAsync_createWithOptions(&c->paho, o->uri, o->client_id, MQTTCLIENT_PERSISTENCE_NONE,
                                    NULL, &create) != MQTTASYNC_SUCCESS) {
        release(c);
        return NULL;
    }
    MQTTAsync_setCallbacks(c->paho, c, lost, arrived, NULL);
    MQTTAsync_setConnected(c->paho, c, connected);
    return c;
}

bool pp_mqtt_route(pp_mqtt *c, const char *topic, const pp_stream_handle *stream)
{
    char *name = c->route_count < PP_ROUTES_MAX ? strdup(topic) : NULL;
    if (!name)
        return false;
    stream->keep(stream->stream);
    c->routes[c->route_count++] = (route){name, strlen(name), *stream};
    return true;
}

bool pp_mqtt_subscribe(pp_mqtt *c, const char *filter, int qos)
{
    char *name = c->filters < FILTERS ? strdup(filter) : NULL;
    if (!name)
        return false;
    c->filter[c->filters] = name;
    c->qos[c->filters++] = qos;
    return true;
}

bool pp_mqtt_connect(pp_mqtt *c)
{
    int rc = MQTTAsync_connect(c->paho, &c->options);
    if (rc != MQTTASYNC_SUCCESS)
        set_link(c, PP_LINK_REFUSED, PP_FAULT_NETWORK, MQTTAsync_strerror(rc));
    return rc == MQTTASYNC_SUCCESS;
}

bool pp_mqtt_wait(pp_mqtt *c, pp_link seen, double seconds)
{
    struct timespec until = pp_deadline(seconds);
    int late = 0;
    pthread_mutex_lock(&c->lock);
    while (c->status.link == seen && late != ETIMEDOUT)
        late = pthread_cond_timedwait(&c->news, &c->lock, &until);
    bool other = c->status.link != seen;
    pthread_mutex_unlock(&c->lock);
    return other;
}

pp_link_status pp_mqtt_status(pp_mqtt *c)
{
    pthread_mutex_lock(&c->lock);
    pp_link_status s = c->status;
    pthread_mutex_unlock(&c->lock);
    return s;
}

bool pp_mqtt_publish(pp_mqtt *c, const char *topic, const void *payload, size_t length, int qos,
                     bool retain)
{
    return MQTTAsync_send(c->paho, topic, (int)length, payload, qos, retain, NULL) ==
           MQTTASYNC_SUCCESS;
}

pp_mail *pp_mqtt_mail(pp_mqtt *c, double seconds)
{
    struct timespec until = pp_deadline(seconds);
    int late = 0;
    pthread_mutex_lock(&c->lock);
    while (!c->first && late != ETIMEDOUT && seconds > 0)
        late = pthread_cond_timedwait(&c->news, &c->lock, &until);
    pp_mail *m = c->first;
    if (m) {
        c->first = m->next;
        if (!c->first)
            c->last = NULL;
        c->mails--;
        c->mail_bytes -= m->length;
    }
    pthread_mutex_unlock(&c->lock);
    return m;
}

void pp_mail_free(pp_mail *m)
{
    if (m)
        free(m->topic), free(m->payload);
    free(m);
}

static void said_goodbye(void *context, MQTTAsync_successData *data)
{
    (void)data;
    set_link(context, PP_LINK_CLOSED, PP_FAULT_NONE, NULL);
}
static void no_goodbye(void *context, MQTTAsync_failureData *data)
{
    (void)data;
    set_link(context, PP_LINK_CLOSED, PP_FAULT_NONE, NULL);
}

void pp_mqtt_close(pp_mqtt *c, double seconds)
{
    MQTTAsync_disconnectOptions o = MQTTAsync_disconnectOptions_initializer;
    o.timeout = (int)(seconds * 1000);
    o.context = c, o.onSuccess = said_goodbye, o.onFailure = no_goodbye;
    if (MQTTAsync_disconnect(c->paho, &o) == MQTTASYNC_SUCCESS) {
        struct timespec until = pp_deadline(seconds);
        int late = 0;
        pthread_mutex_lock(&c->lock);
        while (c->status.link != PP_LINK_CLOSED && late != ETIMEDOUT)
            late = pthread_cond_timedwait(&c->news, &c->lock, &until);
        pthread_mutex_unlock(&c->lock);
    }
    MQTTAsync_destroy(&c->paho); /* no callback after this */
    release(c);
}

const char *pp_mqtt_version(void)
{
    for (MQTTAsync_nameValue *v = MQTTAsync_getVersionInfo(); v && v->name; v++)
        if (!strcmp(v->name, "Version"))
            return v->value;
    return "unknown";
}
