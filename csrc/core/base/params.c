/* The table of parameters at run time: rows, groups, look-up, defaults and checks. */
#include "polepair/params.h"

#include "polepair/math.h"

#define REAL PP_KIND_REAL
#define INT PP_KIND_INT

static const pp_param_info rows[PP_PARAM_COUNT] = {
#define PP_PARAM(in, name, sign, which, si, preset, least, most, text) \
    {.group = #in,                                                     \
     .field = #name,                                                   \
     .symbol = sign,                                                   \
     .unit = si,                                                       \
     .doc = text,                                                      \
     .def = preset,                                                    \
     .min = least,                                                     \
     .max = most,                                                      \
     .kind = which},
#define PP_CHOICE(in, name, preset, text, ...) \
    {.group = #in,                             \
     .field = #name,                           \
     .symbol = "",                             \
     .unit = PP_NAMES(__VA_ARGS__),            \
     .doc = text,                              \
     .def = PP_##in##_##name##_##preset,       \
     .min = 0,                                 \
     .max = PP_##in##_##name##_COUNT - 1,      \
     .kind = PP_KIND_CHOICE},
#include "polepair/params.def"
};

static const pp_group_info groups[] = {
#define PP_GROUP(group, doc)                                          \
    {#group, doc, (int)(offsetof(pp_params, group) / sizeof(double)), \
     (int)(sizeof(struct pp_##group##_params) / sizeof(double))},
#include "polepair/params.def"
};

const pp_param_info *pp_param_at(int i)
{
    PP_ASSERT(i >= 0 && i < PP_PARAM_COUNT);
    return &rows[i];
}

int pp_group_count(void) { return (int)(sizeof groups / sizeof groups[0]); }

const pp_group_info *pp_group_at(int i)
{
    PP_ASSERT(i >= 0 && i < pp_group_count());
    return &groups[i];
}

/* The text after `prefix`, or NULL. */
static const char *after(const char *text, const char *prefix)
{
    while (*prefix)
        if (*text++ != *prefix++)
            return NULL;
    return text;
}

int pp_param_find(const char *name)
{
    PP_ASSERT(name);
    for (int i = 0; i < PP_PARAM_COUNT; i++) {
        const char *dot = after(name, rows[i].group);
        if (!dot || *dot != '.')
            continue;
        const char *rest = after(dot + 1, rows[i].field);
        if (rest && !*rest)
            return i;
    }
    return -1;
}

void pp_params_default(pp_params *params)
{
    double *value = (double *)params;
    for (int i = 0; i < PP_PARAM_COUNT; i++)
        value[i] = rows[i].def;
}

bool pp_param_valid(int i, double value)
{
    PP_ASSERT(i >= 0 && i < PP_PARAM_COUNT);
    if (!pp_finite(value) || value < rows[i].min || value > rows[i].max)
        return false;
    return rows[i].kind == PP_KIND_REAL || value == (double)(int64_t)value;
}

pp_status pp_params_check(const pp_params *params, int *bad)
{
    const double *value = (const double *)params;
    for (int i = 0; i < PP_PARAM_COUNT; i++)
        if (!pp_param_valid(i, value[i])) {
            *bad = i;
            return PP_RANGE;
        }
    return PP_OK;
}
