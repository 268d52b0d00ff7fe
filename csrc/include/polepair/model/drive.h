/* polepair/model/drive.h: a drive as a model made of parts, one of each slot of parts.def, and its
 * run. A model is constant over a run; the run's state is small and owned by the caller. Both are
 * plain blocks of pp_real, so lanes are made by transposing. The loop over time is loop.h. */
#ifndef POLEPAIR_DRIVE_H
#define POLEPAIR_DRIVE_H

#define PP_PART_HEADERS
#include "polepair/parts.def"
#include "polepair/kinds.h"

/* Speed reference over time: min(ramp t, speed). */
typedef struct pp_ramp {
    pp_real speed_ref; /* [rad/s] */
    pp_real sign;      /* of the reference */
    pp_real limit;     /* slope per sample [rad/s]; 0: a step */
} pp_ramp;

PP_INLINE pp_real pp_ramp_at(const pp_ramp *m, pp_real sample)
{
    const pp_real ramp = pp_min(m->limit * sample, m->sign * m->speed_ref) * m->sign;
    return pp_select(m->limit > PP_R(0), ramp, m->speed_ref);
}

typedef struct pp_model {
    union {
#define PP_MACHINE(kind, when, doc) pp_##kind kind;
#include "polepair/parts.def"
    } machine;
    union {
#define PP_CONTROL(kind, when, doc) pp_##kind kind;
#include "polepair/parts.def"
    } control;
    union {
#define PP_LOAD(kind, when, doc) pp_##kind kind;
#include "polepair/parts.def"
    } load;
    pp_ramp reference;
    pp_tolerance tolerance;
    pp_real period; /* of the control [s] */
} pp_model;

typedef struct pp_run {
    union {
#define PP_MACHINE(kind, when, doc) pp_##kind##_state kind;
#include "polepair/parts.def"
    } machine;
    union {
        pp_real values[1];
#define PP_CONTROL(kind, when, doc) pp_##kind##_state kind;
#include "polepair/parts.def"
    } control;
    pp_energy energy;
    pp_extremes extremes;
    pp_real step; /* of the adaptive integration [s], 0 at the start */
} pp_run;

/* At rest. */
PP_INLINE void pp_run_start(const pp_kinds *kinds, pp_run *x)
{
    const pp_real zero = pp_set(0);
    pp_real *value = (pp_real *)x;
    for (size_t i = 0; i < sizeof *x / sizeof *value; i++)
        value[i] = zero;
    switch (kinds->machine) {
#define PP_MACHINE(kind, when, doc) \
    case PP_MACHINE_##kind: x->machine.kind = pp_##kind##_start(); break;
#include "polepair/parts.def"
    }
    switch (kinds->control) {
#define PP_CONTROL(kind, when, doc) \
    case PP_CONTROL_##kind: x->control.kind = pp_##kind##_start(); break;
#include "polepair/parts.def"
    }
}

/* 0 in lanes where every value of the run is finite, NaN elsewhere. */
PP_INLINE pp_real pp_run_doubt(const pp_run *x)
{
    const pp_real *value = (const pp_real *)x;
    pp_real doubt = pp_set(0);
    for (size_t i = 0; i < sizeof *x / sizeof *value; i++)
        doubt += value[i] - value[i];
    return doubt;
}

/* What the controller asks for at a sample. */
PP_INLINE pp_command pp_control_step(pp_control_kind control, const pp_model *m, pp_run *x,
                                     const pp_seen *seen, pp_real speed_ref, int features)
{
    switch (control) {
#define PP_CONTROL(kind, when, doc) \
    case PP_CONTROL_##kind:         \
        return pp_##kind##_control(&m->control.kind, &x->control.kind, seen, speed_ref, features);
#include "polepair/parts.def"
    }
    __builtin_unreachable();
}

/* pp_reals a controller's state has. */
PP_INLINE int pp_control_values(pp_control_kind control)
{
    switch (control) {
#define PP_CONTROL(kind, when, doc) \
    case PP_CONTROL_##kind: return sizeof(pp_##kind##_state) / sizeof(pp_real);
#include "polepair/parts.def"
    }
    __builtin_unreachable();
}

/* Load torque [N m] over the period that begins with a sample. */
PP_INLINE pp_real pp_load_torque(pp_load_kind load, const pp_model *m, pp_real sample,
                                 const pp_seen *seen)
{
    switch (load) {
#define PP_LOAD(kind, when, doc) \
    case PP_LOAD_##kind: return pp_##kind##_load(&m->load.kind, sample, seen);
#include "polepair/parts.def"
    }
    __builtin_unreachable();
}

/* The sample after this one at which the load torque changes; huge where it never does. */
PP_INLINE pp_real pp_load_until(pp_load_kind load, const pp_model *m, pp_real sample)
{
    switch (load) {
#define PP_LOAD(kind, when, doc) \
    case PP_LOAD_##kind: return pp_##kind##_until(&m->load.kind, sample);
#include "polepair/parts.def"
    }
    __builtin_unreachable();
}

/* A run as it is looked at, at a sample or between two. */
typedef struct pp_look {
    pp_machine_kind machine;
    const pp_model *m;
    const void *going; /* pp_<kind>_going */
    pp_seen seen;
    pp_real load;   /* torque [N m] */
    pp_real sample; /* periods since the start */
    bool together;  /* all lanes are at the same sample */
} pp_look;

PP_INLINE pp_real pp_look_channel(const pp_look *look, pp_channel channel)
{
    if (channel == PP_CHANNEL_time)
        return look->sample * look->m->period;
    switch (look->machine) {
#define PP_MACHINE(kind, when, doc) \
    case PP_MACHINE_##kind:         \
        return pp_##kind##_channel(look->going, &look->seen, look->load, channel);
#include "polepair/parts.def"
    }
    __builtin_unreachable();
}

/* Square of the stator current's amplitude [A^2]. */
PP_INLINE pp_real pp_look_square(const pp_look *look)
{
    switch (look->machine) {
#define PP_MACHINE(kind, when, doc) \
    case PP_MACHINE_##kind: return pp_##kind##_square(look->going, &look->seen);
#include "polepair/parts.def"
    }
    __builtin_unreachable();
}

/* True where a plain loop, whose parts are constants, runs these. */
PP_INLINE bool pp_is_plain(const pp_kinds *kinds, const pp_kinds *plain)
{
    return kinds->control == plain->control && kinds->load == plain->load &&
           !(kinds->features & ~plain->features);
}

/* The course of a run through time. */
typedef struct pp_course {
    pp_kinds kinds;
    long first;     /* sample to begin with */
    long samples;   /* to take */
    long periods;   /* to move over: as many as samples, or one less */
    int substeps;   /* fixed steps of a period */
    double period;  /* [s] */
    bool open_loop; /* only the load changes between looks: adaptive steps may go over periods */
    pp_on_step *on_step; /* sees adaptive steps; NULL: nobody looks */
    void *context;       /* of on_step */
} pp_course;

#endif
