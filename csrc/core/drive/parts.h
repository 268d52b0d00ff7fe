/* core/drive/parts.h: how the parts of a drive are set up; private to the room. */
#ifndef PP_CORE_DRIVE_PARTS_H
#define PP_CORE_DRIVE_PARTS_H

#include "polepair/twin.h"

/* What a part is made from: parameters, the machine, and the machine that the controller believes
 * in. */
typedef struct pp_setup {
    const pp_params *params;
    const pp_machine *machine, *nominal;
} pp_setup;

/* One function for each row of parts.def. */
#define PP_MACHINE(kind, when, doc) pp_##kind pp_setup_##kind(const pp_setup *in);
#define PP_CONTROL(kind, when, doc) pp_##kind pp_setup_##kind(const pp_setup *in);
#define PP_LOAD(kind, when, doc) pp_##kind pp_setup_##kind(const pp_setup *in);
#include "polepair/parts.def"

#endif
