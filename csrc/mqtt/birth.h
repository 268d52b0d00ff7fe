/* mqtt/birth.h: whether a device that introduces itself anew is the one that is known, and a watch
 * on the topic where it does so. The owner locks, but for `held`. */
#ifndef PP_MQTT_BIRTH_H
#define PP_MQTT_BIRTH_H

#include <stdbool.h>
#include <stddef.h>

/* Two JSON births that differ in nothing but the whole number of their outermost `boot`, if at
 * all. */
bool pp_birth_same(const char *one, size_t one_length, const char *other, size_t other_length);

/* All zero: watches nothing. */
typedef struct pp_watch {
    char *topic;
    size_t topic_length; /* bytes */
    char *known;         /* the birth that the streams were made for */
    size_t known_length; /* bytes */
    char *other;         /* the one that came instead, if any */
    size_t other_length; /* bytes */
    int held;            /* another one came and was not released yet; atomic */
    bool withheld;       /* messages that must come again were not taken since */
} pp_watch;

/* False when memory runs out. */
bool pp_watch_begin(pp_watch *watch, const char *topic, const void *payload, size_t length);
bool pp_watch_is_on(const pp_watch *watch, const char *topic, size_t length);
bool pp_watch_holds(const pp_watch *watch);
/* A message on the topic; it holds from here on if it is another birth. */
void pp_watch_see(pp_watch *watch, const void *payload, size_t length);
/* This birth is known from now on; true if it is the one that is held, or none is. */
bool pp_watch_know(pp_watch *watch, const void *payload, size_t length);
/* Nothing is held any more. */
void pp_watch_release(pp_watch *watch);
void pp_watch_end(pp_watch *watch);

#endif
