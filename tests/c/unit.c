/* Runs every section and prints "N passed, N failed"; 0 when none failed. */
#include "unit.h"

#include <stdio.h>

static int passed, failed;

bool unit_check(bool good, const char *what, const char *file, int line)
{
    if (good)
        passed++;
    else if (++failed <= 20)
        printf("%s:%d: %s\n", file, line, what);
    return good;
}

bool unit_near(double a, double b, double tolerance, const char *what, const char *file, int line)
{
    bool good = fabs(a - b) <= tolerance;
    if (!unit_check(good, what, file, line) && failed <= 20)
        printf("    %.17g against %.17g, %.3g apart\n", a, b, fabs(a - b));
    return good;
}

double unit_random(void)
{
    static uint32_t state = 12345; /* numerical recipes' generator */
    state = state * 1664525u + 1013904223u;
    return (double)(state >> 8) / 16777216.0;
}

int main(void)
{
    static void (*const sections[])(void) = {
        unit_math,   unit_params,  unit_channels,  unit_status,        unit_geometry,
        unit_masses, unit_winding, unit_magnetics, unit_machine,       unit_operating,
        unit_law,    unit_twin,    unit_twin_more, unit_twin_six_step, unit_observe,
        unit_frame,  unit_cobs,    unit_borders,
    };
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
        sections[i]();
    printf("%d passed, %d failed\n", passed, failed);
    return failed ? 1 : 0;
}
