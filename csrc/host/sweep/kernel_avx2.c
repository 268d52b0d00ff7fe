/* The lane kernel on vectors of 4 doubles, compiled for avx2. */
#define PP_LANES 4
#define PP_KERNEL pp_kernel_avx2
#define PP_WIDTH pp_width_avx2
#include "kernel_body.h"
