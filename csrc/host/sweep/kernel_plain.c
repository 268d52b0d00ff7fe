/* The lane kernel on vectors of 2 doubles, baseline instructions. */
#define PP_LANES 2
#define PP_KERNEL pp_kernel_plain
#define PP_WIDTH pp_width_plain
#include "kernel_body.h"
