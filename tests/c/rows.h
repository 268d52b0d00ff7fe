/* tests/c/rows.h: runs of the tests with their wishes in one line. */
#ifndef POLEPAIR_TEST_ROWS_H
#define POLEPAIR_TEST_ROWS_H

#include "polepair/twin.h"

#define ROWS_WANTED(ROWS, EVERY, STOP, CHANNELS, COUNT, OUT) \
    (&(pp_rows_wanted){.rows = (ROWS),                       \
                       .every = (EVERY),                     \
                       .stop = (STOP),                       \
                       .channels = (CHANNELS),               \
                       .count = (COUNT),                     \
                       .out = (OUT)})
#define run_rows(twin, state, ...) pp_twin_run(twin, state, ROWS_WANTED(__VA_ARGS__))
#define run_fine_rows(twin, state, ...) pp_twin_run_fine(twin, state, ROWS_WANTED(__VA_ARGS__))
/* id, iq, omega_m, theta_m, torque */
#define set_state(twin, state, ...) \
    pp_twin_set_state(twin, state, &(pp_observed_state){__VA_ARGS__})

#endif
