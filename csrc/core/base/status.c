/* Texts of the status codes. */
#include "polepair/base.h"

static const char *const texts[][2] = {
#define PP_STATUS(code, where, text) {where, text},
#include "polepair/status.def"
#undef PP_STATUS
};

static pp_status known(pp_status status)
{
    return status >= 0 && status < PP_STATUS_COUNT ? status : PP_ARGUMENT;
}

const char *pp_status_text(pp_status status) { return texts[known(status)][1]; }

const char *pp_status_where(pp_status status) { return texts[known(status)][0]; }
