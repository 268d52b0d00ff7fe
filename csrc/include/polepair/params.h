/* polepair/params.h: the parameter structs, made from params.def; look-up, defaults and range checks. */
#ifndef POLEPAIR_PARAMS_H
#define POLEPAIR_PARAMS_H

#include "polepair/base.h"

/* One struct per group (struct pp_stator_params {double slots; ...}), every field a double in SI units. */
struct pp_no_group_ {
    double none;
#define PP_GROUP(group, doc) \
    }                        \
    ;                        \
    struct pp_##group##_params {
#define PP_PARAM(group, field, symbol, kind, unit, def, min, max, doc) double field;
#include "polepair/params.def"
#undef PP_GROUP
#undef PP_PARAM
};

/* All parameters of a twin: motor, drive, control and load. A plain block of doubles. */
typedef struct pp_params {
#define PP_GROUP(group, doc) struct pp_##group##_params group;
#define PP_PARAM(group, field, symbol, kind, unit, def, min, max, doc)
#include "polepair/params.def"
#undef PP_GROUP
#undef PP_PARAM
} pp_params;

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
