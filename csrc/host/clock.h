/* host/clock.h: clocks of the host layer. */
#ifndef PP_HOST_CLOCK_H
#define PP_HOST_CLOCK_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* Wall clock [ns since 1970]. */
int64_t pp_now_ns(void);

/* The monotonic clock `seconds` from now, for waiting. */
struct timespec pp_deadline(double seconds);
/* Makes a condition that waits by that clock. */
void pp_monotonic(pthread_cond_t *condition);

#endif
