/* The lane kernel on vectors of 16 floats, compiled for avx512. */
#define PP_FLOAT
#define PP_LANES 16
#define PP_KERNEL pp_kernel_single_avx512
#define PP_WIDTH pp_width_single_avx512
#include "kernel_body.h"
