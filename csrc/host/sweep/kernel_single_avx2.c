/* The lane kernel on vectors of 8 floats, compiled for avx2. */
#define PP_FLOAT
#define PP_LANES 8
#define PP_KERNEL pp_kernel_single_avx2
#define PP_WIDTH pp_width_single_avx2
#include "kernel_body.h"
