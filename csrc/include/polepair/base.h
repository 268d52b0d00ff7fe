/* polepair/base.h: status codes, version, the assertion hook. */
#ifndef POLEPAIR_BASE_H
#define POLEPAIR_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PP_VERSION "0.1.0" /* the one place; tests hold the others to it */
#define PP_ABI 1           /* raised when a released struct or signature changes */
#define PP_PI 3.14159265358979323846
#define PP_MU0 1.25663706212e-6 /* vacuum permeability [H/m], CODATA 2018 */

/* A programmer's error, never a user's: a trap where the build defines PP_ASSERTS (sanitizer and
 * unit builds), and in any other build only compiled, never evaluated. */
#ifdef PP_ASSERTS
#define PP_ASSERT(condition)  \
    do {                      \
        if (!(condition))     \
            __builtin_trap(); \
    } while (0)
#else
#define PP_ASSERT(condition) ((void)sizeof(!(condition)))
#endif

/* Status codes: PP_OK is 0, every other is a refusal; outputs are untouched on a refusal. */
typedef enum pp_status {
#define PP_STATUS(code, where, text) PP_##code,
#include "polepair/status.def"
#undef PP_STATUS
    PP_STATUS_COUNT
} pp_status;

/* What was wrong and what was expected. Never NULL. */
const char *pp_status_text(pp_status status);
/* The parameter ("group.field") that a status speaks of, "" where it names none. Never NULL. */
const char *pp_status_where(pp_status status);

#endif
