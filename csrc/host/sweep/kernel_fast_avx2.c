/* The lane kernel on vectors of 4 doubles, contraction allowed, compiled for avx2. */
#define PP_LANES 4
#define PP_KERNEL pp_kernel_fast_avx2
#define PP_WIDTH pp_width_fast_avx2
#include "kernel_body.h"
