/* Unit tests of the core without Python: tests/c/unit_*.c, a section for each header. They need the core's sources and
 * a C library, no files and no arguments, so they run on a microcontroller as well. */
#ifndef PP_TESTS_UNIT_H
#define PP_TESTS_UNIT_H

#include <math.h>
#include <string.h>

#include "polepair/base.h"
#include "polepair/model/real.h"

/* Rounding of runs: the core may be built with double or with float. */
#ifdef PP_FLOAT
#define EPS_RUN 2e-4
#else
#define EPS_RUN 1e-9
#endif

/* Counts a check; a failed one is printed with its place. Returns what it was given. */
bool unit_check(bool good, const char *what, const char *file, int line);
/* |a - b| <= tolerance, and both finite. */
bool unit_near(double a, double b, double tolerance, const char *what, const char *file, int line);

#define CHECK(condition) unit_check((condition), #condition, __FILE__, __LINE__)
#define NEAR(a, b, tolerance) \
    unit_near((double)(a), (double)(b), (tolerance), #a " ~ " #b, __FILE__, __LINE__)
/* Relative to the second. */
#define CLOSE(a, b, relative)                                                                  \
    unit_near((double)(a), (double)(b), (relative) * fabs((double)(b)), #a " ~ " #b, __FILE__, \
              __LINE__)
#define TEXT(a, b) unit_check(strcmp((a), (b)) == 0, #a " is " #b, __FILE__, __LINE__)

/* A test is a function; a section runs its tests. */
#define TEST(name) static void name(void)

/* Sections, one for each header. */
void unit_math(void);
void unit_params(void);
void unit_channels(void);
void unit_status(void);
void unit_geometry(void);
void unit_masses(void);
void unit_winding(void);
void unit_magnetics(void);
void unit_machine(void);
void unit_operating(void);
void unit_law(void);
void unit_twin(void);
void unit_twin_more(void);
void unit_twin_six_step(void);
void unit_observe(void);
void unit_frame(void);
void unit_cobs(void);
void unit_borders(void);

/* Numbers in [0, 1) that are the same everywhere. */
double unit_random(void);

#endif
