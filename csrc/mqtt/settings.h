/* mqtt/settings.h: options as paho.mqtt.c wants them, with the texts they point to. */
#ifndef PP_MQTT_SETTINGS_H
#define PP_MQTT_SETTINGS_H

#include <MQTTAsync.h>

#include "client.h"

enum { PP_SETTINGS_TEXTS = 8 };

typedef struct pp_connect_settings {
    char *texts[PP_SETTINGS_TEXTS]; /* copies of what paho points to */
    MQTTAsync_SSLOptions ssl;
    MQTTAsync_willOptions will;
    MQTTAsync_connectOptions options;
} pp_connect_settings;

/* Sets all but the callbacks. It points into itself: it must not move. */
void pp_settings_make(pp_connect_settings *settings, const pp_mqtt_options *given);
/* Wipes and frees the texts. */
void pp_settings_end(pp_connect_settings *settings);

#endif
