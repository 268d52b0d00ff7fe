/* The lane kernel on vectors of 8 doubles, contraction allowed, compiled for avx512. */
#define PP_LANES 8
#define PP_KERNEL pp_kernel_fast_avx512
#define PP_WIDTH pp_width_fast_avx512
#include "kernel_body.h"
