#define _GNU_SOURCE
#include "settings.h"

#include <stdlib.h>
#include <string.h>

static char *copy_text(pp_connect_settings *settings, const char *text)
{
    for (int i = 0; text && i < PP_SETTINGS_TEXTS; i++)
        if (!settings->texts[i]) {
            settings->texts[i] = strdup(text);
            return settings->texts[i];
        }
    return NULL;
}

static void set_tls(pp_connect_settings *settings, const pp_mqtt_options *given)
{
    settings->ssl = (MQTTAsync_SSLOptions)MQTTAsync_SSLOptions_initializer;
    settings->ssl.trustStore = copy_text(settings, given->ca);
    settings->ssl.keyStore = copy_text(settings, given->certificate);
    settings->ssl.privateKey = copy_text(settings, given->key);
    settings->ssl.enableServerCertAuth = 1; /* the chain */
    settings->ssl.verify = 1;               /* the host's name */
    settings->ssl.sslVersion = MQTT_SSL_VERSION_TLS_1_2;
    settings->options.ssl = &settings->ssl;
}

void pp_settings_make(pp_connect_settings *settings, const pp_mqtt_options *given)
{
    MQTTAsync_connectOptions *options = &settings->options;
    *options = (MQTTAsync_connectOptions)MQTTAsync_connectOptions_initializer;
    options->keepAliveInterval = given->keep_alive;
    options->connectTimeout = given->connect_timeout;
    options->cleansession = given->clean;
    options->automaticReconnect = 1;
    options->minRetryInterval = 1;
    options->maxRetryInterval = given->retry_max;
    options->maxInflight = 1000;
    options->username = copy_text(settings, given->user);
    options->password = copy_text(settings, given->password);
    if (given->will_topic) {
        settings->will = (MQTTAsync_willOptions)MQTTAsync_willOptions_initializer;
        settings->will.topicName = copy_text(settings, given->will_topic);
        settings->will.message = copy_text(settings, given->will_payload);
        settings->will.qos = 1;
        settings->will.retained = 1;
        options->will = &settings->will;
    }
    if (strncmp(given->uri, "ssl:", 4) == 0)
        set_tls(settings, given);
}

void pp_settings_end(pp_connect_settings *settings)
{
    for (int i = 0; i < PP_SETTINGS_TEXTS; i++) {
        if (settings->texts[i])
            explicit_bzero(settings->texts[i], strlen(settings->texts[i]));
        free(settings->texts[i]);
    }
}
