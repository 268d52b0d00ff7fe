/* polepair/kinds.h: which part stands in each slot of a drive, made from parts.def. */
#ifndef POLEPAIR_KINDS_H
#define POLEPAIR_KINDS_H

#include "polepair/params.h"

typedef enum pp_machine_kind {
#define PP_MACHINE(kind, when, doc) PP_MACHINE_##kind,
#include "polepair/parts.def"
} pp_machine_kind;

typedef enum pp_control_kind {
#define PP_CONTROL(kind, when, doc) PP_CONTROL_##kind,
#include "polepair/parts.def"
} pp_control_kind;

typedef enum pp_load_kind {
#define PP_LOAD(kind, when, doc) PP_LOAD_##kind,
#include "polepair/parts.def"
} pp_load_kind;

/* A drive's parts and features; those of a block of lanes are equal. */
typedef struct pp_kinds {
    pp_machine_kind machine;
    pp_control_kind control;
    pp_load_kind load;
    int features; /* a set of PP_HAS_* (model/part.h) */
} pp_kinds;

#endif
