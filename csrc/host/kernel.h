/* host/kernel.h: what the lane kernels and the sweep share. */
#ifndef PP_HOST_KERNEL_H
#define PP_HOST_KERNEL_H

#include "polepair/sweep.h"

/* One case ready to run. The pointers of a block share period count, substeps, kind and flags. */
typedef struct pp_case {
    pp_twin twin;
    long index, samples;
    int with;
} pp_case;

enum { PP_LANES_MAX = 16 };

/* Runs `count` <= width cases side by side; writes their results and statuses. Stops early when *stop is set. */
typedef void pp_kernel(const pp_sweep *sweep, const pp_case *const *cases, int count, const volatile int *stop);

pp_kernel pp_kernel_plain, pp_kernel_avx2, pp_kernel_avx512;

#endif
