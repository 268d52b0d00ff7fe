/* The constants of a machine: rows of the table. */
#include "polepair/machine.h"

static const pp_derived_info rows[PP_DERIVED_COUNT] = {
#define PP_DERIVED(field, symbol, unit, doc) {#field, symbol, unit, doc},
#include "polepair/derived.def"
#undef PP_DERIVED
};

const pp_derived_info *pp_derived_at(int i)
{
    PP_ASSERT(i >= 0 && i < PP_DERIVED_COUNT);
    return &rows[i];
}
