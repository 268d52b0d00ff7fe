#include "birth.h"

#include <stdlib.h>
#include <string.h>

typedef struct span {
    size_t first, end; /* bytes */
} span;

/* Behind the string that starts at `at`. */
static size_t skip_string(const char *text, size_t length, size_t at)
{
    for (at++; at < length && text[at] != '"'; at++)
        at += text[at] == '\\';
    return at + 1;
}

static size_t skip_blanks(const char *text, size_t length, size_t at)
{
    while (at < length && strchr(" \t\r\n", text[at]))
        at++;
    return at;
}

/* The digits behind a key that ends at `at`; none where no whole number follows. */
static span digits_after(const char *text, size_t length, size_t at)
{
    at = skip_blanks(text, length, at);
    if (at >= length || text[at] != ':')
        return (span){0, 0};
    size_t first = skip_blanks(text, length, at + 1);
    size_t end = first;
    while (end < length && text[end] >= '0' && text[end] <= '9')
        end++;
    bool whole = end < length && strchr(", \t\r\n}", text[end]);
    return whole ? (span){first, end} : (span){0, 0};
}

/* Where the outermost boot number stands; nowhere: an empty span. */
static span find_boot(const char *text, size_t length)
{
    int depth = 0;
    for (size_t at = 0; at < length; at++) {
        if (text[at] == '{' || text[at] == '[')
            depth++;
        if (text[at] == '}' || text[at] == ']')
            depth--;
        if (text[at] != '"')
            continue;
        size_t end = skip_string(text, length, at);
        bool boot = end - at == 6 && end <= length && memcmp(text + at, "\"boot\"", 6) == 0;
        span digits = boot && depth == 1 ? digits_after(text, length, end) : (span){0, 0};
        if (digits.end > digits.first)
            return digits;
        at = end - 1;
    }
    return (span){0, 0};
}

bool pp_birth_same(const char *one, size_t one_length, const char *other, size_t other_length)
{
    span a = find_boot(one, one_length);
    span b = find_boot(other, other_length);
    size_t rest = one_length - a.end;
    return a.first == b.first && rest == other_length - b.end && memcmp(one, other, a.first) == 0 &&
           memcmp(one + a.end, other + b.end, rest) == 0;
}

/* A copy in place of an older one; false, and none, when memory runs out. */
static bool keep(char **text, size_t *text_length, const void *payload, size_t length)
{
    free(*text);
    *text = malloc(length + 1);
    *text_length = *text ? length : 0;
    if (*text)
        memcpy(*text, payload, length);
    return *text != NULL;
}

bool pp_watch_begin(pp_watch *watch, const char *topic, const void *payload, size_t length)
{
    return keep(&watch->topic, &watch->topic_length, topic, strlen(topic)) &&
           keep(&watch->known, &watch->known_length, payload, length);
}

bool pp_watch_is_on(const pp_watch *watch, const char *topic, size_t length)
{
    return watch->topic && watch->topic_length == length &&
           memcmp(watch->topic, topic, length) == 0;
}

bool pp_watch_holds(const pp_watch *watch)
{
    return __atomic_load_n(&watch->held, __ATOMIC_ACQUIRE);
}

void pp_watch_see(pp_watch *watch, const void *payload, size_t length)
{
    if (length == 0) /* the broker was told to forget the birth */
        return;
    bool same = watch->known && pp_birth_same(watch->known, watch->known_length, payload, length);
    if (same && !watch->held)
        return;
    keep(&watch->other, &watch->other_length, payload, length);
    __atomic_store_n(&watch->held, 1, __ATOMIC_RELEASE);
}

bool pp_watch_know(pp_watch *watch, const void *payload, size_t length)
{
    keep(&watch->known, &watch->known_length, payload, length);
    return !watch->other || pp_birth_same(watch->other, watch->other_length, payload, length);
}

void pp_watch_release(pp_watch *watch)
{
    watch->withheld = false;
    __atomic_store_n(&watch->held, 0, __ATOMIC_RELEASE);
}

void pp_watch_end(pp_watch *watch)
{
    free(watch->topic);
    free(watch->known);
    free(watch->other);
}
