/* host/sweep/kernel.h: what the sweep and its lane kernels share. Knows no model type: those differ
 * by the lanes. */
#ifndef PP_HOST_KERNEL_H
#define PP_HOST_KERNEL_H

#include "polepair/channels.h"
#include "polepair/kinds.h"

/* One case ready to run. The cases of a block agree in everything but index and model. */
typedef struct pp_case {
    const double *model; /* pp_model of the scalar build */
    long index, samples;
    int substeps;
    pp_kinds kinds;
    double *end; /* pp_run of the scalar build: the state at the end */
} pp_case;

enum { PP_LANES_MAX = 32, PP_OUTPUTS_MAX = 32 };

/* A block of up to `width` cases for one kernel call. */
typedef struct pp_block {
    const pp_case *const *cases;
    int count;
    const pp_reduced *outputs;
    int output_count;
    const int *places; /* of each output among the results of its case */
    int width;         /* results of a case */
    double *results;   /* indexed by case and place */
    pp_trace trace;
    const int *stop; /* set by another thread; read atomically */
} pp_block;

/* Runs the cases side by side and writes their results; false when *stop ended it early. */
typedef bool pp_kernel(const pp_block *block);

pp_kernel pp_kernel_plain, pp_kernel_avx2, pp_kernel_avx512;
pp_kernel pp_kernel_fast_avx2, pp_kernel_fast_avx512, pp_kernel_single_avx2,
    pp_kernel_single_avx512;
extern const int pp_width_plain, pp_width_avx2, pp_width_avx512;
extern const int pp_width_fast_avx2, pp_width_fast_avx512, pp_width_single_avx2,
    pp_width_single_avx512;

#endif
