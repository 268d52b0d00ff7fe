/* mqtt/mailbox.h: messages that no stream takes, oldest first, within bounds. The owner locks. */
#ifndef PP_MQTT_MAILBOX_H
#define PP_MQTT_MAILBOX_H

#include <stddef.h>

#include "client.h"

enum { PP_MAIL_LARGEST = 256 << 10 }; /* bytes of a payload */

typedef struct pp_mailbox {
    pp_mail *first, *last; /* oldest and newest */
    int count;
    size_t bytes; /* of all payloads */
} pp_mailbox;

/* A copy of a message; NULL when memory runs out. */
pp_mail *pp_mail_new(const char *topic, size_t topic_length, const void *payload, size_t length);
/* Takes a mail over; the oldest ones go where there is no room. Returns how many. */
int pp_mailbox_put(pp_mailbox *box, pp_mail *mail);
/* The oldest, now the caller's; NULL where there is none. */
pp_mail *pp_mailbox_take(pp_mailbox *box);

#endif
