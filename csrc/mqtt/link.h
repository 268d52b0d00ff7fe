/* mqtt/link.h: how a link stands, for those who wait for it, and how long it was down. */
#ifndef PP_MQTT_LINK_H
#define PP_MQTT_LINK_H

#include <pthread.h>

#include "client.h"

typedef struct pp_link_state {
    pp_link_status status; /* under lock */
    int64_t down_since_ns; /* of a clock that is never set; 0: up, or never up yet */
    pthread_mutex_t lock;
    pthread_cond_t news; /* the status changed */
} pp_link_state;

/* Of zeroed memory. */
void pp_link_begin(pp_link_state *state);
void pp_link_end(pp_link_state *state);
/* text NULL: leaves the last one. */
void pp_link_set(pp_link_state *state, pp_link link, pp_fault fault, const char *text);
/* Now, with the time that it is down already. */
pp_link_status pp_link_read(pp_link_state *state);

#endif
