#include "link.h"

#include <stdio.h>

#include "../host/clock.h"

void pp_link_begin(pp_link_state *state)
{
    pthread_mutex_init(&state->lock, NULL);
    pp_monotonic(&state->news);
}

void pp_link_end(pp_link_state *state)
{
    pthread_cond_destroy(&state->news);
    pthread_mutex_destroy(&state->lock);
}

static int64_t steady_ns(void)
{
    struct timespec now = pp_deadline(0);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Under lock. */
static void count_down(pp_link_state *state, pp_link link)
{
    bool down = link == PP_LINK_LOST || link == PP_LINK_REFUSED;
    if (state->down_since_ns && !down) {
        state->status.down_ns += steady_ns() - state->down_since_ns;
        state->down_since_ns = 0;
    } else if (!state->down_since_ns && down && state->status.connections > 0) {
        state->status.losses++;
        state->down_since_ns = steady_ns();
    }
}

void pp_link_set(pp_link_state *state, pp_link link, pp_fault fault, const char *text)
{
    pthread_mutex_lock(&state->lock);
    state->status.link = link;
    state->status.fault = fault;
    state->status.since_ns = pp_now_ns();
    count_down(state, link);
    if (link == PP_LINK_UP)
        state->status.connections++;
    if (text)
        snprintf(state->status.text, PP_TEXT_MAX, "%s", text);
    pthread_cond_broadcast(&state->news);
    pthread_mutex_unlock(&state->lock);
}

pp_link_status pp_link_read(pp_link_state *state)
{
    pthread_mutex_lock(&state->lock);
    pp_link_status status = state->status;
    if (state->down_since_ns)
        status.down_ns += steady_ns() - state->down_since_ns;
    pthread_mutex_unlock(&state->lock);
    return status;
}
