/* polepair/params.h: the parameter structs, made from params.def; look-up, defaults and range
 * checks. */
#ifndef POLEPAIR_PARAMS_H
#define POLEPAIR_PARAMS_H

#include "polepair/base.h"

/* One struct per group (struct pp_stator_params {double slots; ...}), every field a double in SI
 * units. */
struct pp_no_group_ {
    double none;
#define PP_GROUP(group, doc) \
    }                        \
    ;                        \
    struct pp_##group##_params {
#define PP_PARAM(group, field, symbol, kind, unit, def, min, max, doc) double field;
#define PP_CHOICE(group, field, def, doc, ...) double field;
#include "polepair/params.def"
};

/* All parameters of a twin: motor, drive, control and load. A plain block of doubles. */
typedef struct pp_params {
#define PP_GROUP(group, doc) struct pp_##group##_params group;
#include "polepair/params.def"
} pp_params;

/* The names of a choice, up to 8, each through f(prefix, name). */
#define PP_COUNT_OF_(a, b, c, d, e, f, g, h, n, ...) n
#define PP_COUNT_OF(...) PP_COUNT_OF_(__VA_ARGS__, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define PP_EACH_1(f, prefix, name) f(prefix, name)
#define PP_EACH_2(f, prefix, name, ...) f(prefix, name) PP_EACH_1(f, prefix, __VA_ARGS__)
#define PP_EACH_3(f, prefix, name, ...) f(prefix, name) PP_EACH_2(f, prefix, __VA_ARGS__)
#define PP_EACH_4(f, prefix, name, ...) f(prefix, name) PP_EACH_3(f, prefix, __VA_ARGS__)
#define PP_EACH_5(f, prefix, name, ...) f(prefix, name) PP_EACH_4(f, prefix, __VA_ARGS__)
#define PP_EACH_6(f, prefix, name, ...) f(prefix, name) PP_EACH_5(f, prefix, __VA_ARGS__)
#define PP_EACH_7(f, prefix, name, ...) f(prefix, name) PP_EACH_6(f, prefix, __VA_ARGS__)
#define PP_EACH_8(f, prefix, name, ...) f(prefix, name) PP_EACH_7(f, prefix, __VA_ARGS__)
#define PP_PASTE_(a, b) a##b
#define PP_PASTE(a, b) PP_PASTE_(a, b)
#define PP_EACH(f, prefix, ...) PP_PASTE(PP_EACH_, PP_COUNT_OF(__VA_ARGS__))(f, prefix, __VA_ARGS__)

/* A choice as an enum: typedef enum pp_drive_kind {PP_drive_kind_foc, ...}, read by
 * pp_drive_kind_of(params). Use it in a switch without default: the compiler then names what a new
 * choice forgot. */
#define PP_NAME_VALUE(prefix, name) prefix##name,
#define PP_CHOICE(group, field, def, doc, ...)                                              \
    typedef enum pp_##group##_##field{                                                      \
        PP_EACH(PP_NAME_VALUE, PP_##group##_##field##_, __VA_ARGS__)} pp_##group##_##field; \
    enum { PP_##group##_##field##_COUNT = PP_COUNT_OF(__VA_ARGS__) };                       \
    static inline pp_##group##_##field pp_##group##_##field##_of(const pp_params *p)        \
    {                                                                                       \
        return (pp_##group##_##field)(int)p->group.field;                                   \
    }
#include "polepair/params.def"

/* "air|iron" of (air, iron). */
#define PP_NAME_BAR(prefix, name) "|" #name
#define PP_NAMES(first, ...) #first PP_EACH(PP_NAME_BAR, , __VA_ARGS__)

typedef enum pp_kind { PP_KIND_REAL, PP_KIND_INT, PP_KIND_CHOICE } pp_kind;

/* One row of the table. `unit` is the SI unit, or the names "a|b" of a choice. */
typedef struct pp_param_info {
    const char *group, *field, *symbol, *unit, *doc;
    double def, min, max;
    pp_kind kind;
} pp_param_info;

typedef struct pp_group_info {
    const char *name, *doc;
    int first, count; /* rows of this group */
} pp_group_info;

enum { PP_PARAM_COUNT = (int)(sizeof(pp_params) / sizeof(double)) };

/* Row i of the table, 0 <= i < PP_PARAM_COUNT; the parameter is ((double *)params)[i]. */
const pp_param_info *pp_param_at(int i);
int pp_group_count(void);
const pp_group_info *pp_group_at(int i);
/* Row of "group.field", or -1. */
int pp_param_find(const char *name);
/* Every parameter at its default. */
void pp_params_default(pp_params *params);
/* True if `value` is finite, within the row's range and whole where it must be. */
bool pp_param_valid(int i, double value);
/* PP_OK, or PP_RANGE with the first bad row in *bad. */
pp_status pp_params_check(const pp_params *params, int *bad);

#endif
