/* From parameters and machine to a twin: its parts, and what does not fit. */
#include "polepair/math.h"
#include "parts.h"

static bool has_reference(const pp_params *p)
{
    switch (pp_drive_kind_of(p)) {
    case PP_drive_kind_foc: return true;
    case PP_drive_kind_six_step: break;
    }
    return pp_control_closed_loop_of(p) == PP_control_closed_loop_yes;
}

/* True where a six-step drive's duty is able to pass the current limit: the duty is then lowered
 * from period to period. */
static bool reaches_limit(const pp_params *p, const pp_machine *m)
{
    return p->control.duty * p->drive.u_dc > 2 * m->Rs * p->drive.i_max;
}

/* The RK4 step has to stay inside its stability region and a period inside a quarter turn. */
static pp_status check_step(const pp_params *p, const pp_machine *m)
{
    const double h = p->drive.period / p->drive.substeps;
    const double rate = m->Rs / pp_smaller(m->Ld, m->Lq);
    const double turn = m->pole_pairs * pp_magnitude(p->control.speed_ref) * p->drive.period;
    if (p->drive.rtol == 0 && h * rate > 2)
        return PP_STEP_LARGE;
    return has_reference(p) && turn > 0.5 * PP_PI ? PP_SPEED_REF_HIGH : PP_OK;
}

static pp_ramp ramp(const pp_params *p)
{
    return (pp_ramp){
        .speed_ref = p->control.speed_ref,
        .sign = p->control.speed_ref < 0 ? -1 : 1,
        .limit = p->control.speed_ramp * p->drive.period,
    };
}

/* Sizes that a relative error refers to: magnet flux or current limit, speed, bus voltage. */
static pp_tolerance tolerance(pp_machine_kind kind, const pp_params *p, const pp_machine *m)
{
    const double u = p->drive.u_dc;
    pp_tolerance t = {.rtol = p->drive.rtol, .voltage = u};
    switch (kind) {
    case PP_MACHINE_pmsm:
        t.flux = m->psi_pm;
        t.speed = u / m->psi_pm;
        break;
    case PP_MACHINE_sixstep:
        t.flux = p->drive.i_max;
        t.speed = u / m->Kt_block;
        break;
    }
    return t;
}

static int features(const pp_params *p, const pp_machine *m)
{
    int set = 0;
    if (m->T_coulomb + p->load.coulomb > 0 || p->load.quadratic > 0)
        set |= PP_HAS_FRICTION;
    if (m->B + p->load.viscous > 0)
        set |= PP_HAS_VISCOUS;
    if (pp_drive_kind_of(p) == PP_drive_kind_foc &&
        pp_control_strategy_of(p) == PP_control_strategy_mtpa)
        set |= PP_HAS_MTPA;
    if (p->drive.rtol > 0)
        set |= PP_HAS_ADAPTIVE;
    return set;
}

/* The first part of each slot whose condition holds. */
#define PP_MACHINE(kind, when, doc) \
    if (when)                       \
        return PP_MACHINE_##kind;
static pp_machine_kind machine_kind(const pp_params *p)
{
#include "polepair/parts.def"
    __builtin_unreachable();
}

#define PP_CONTROL(kind, when, doc) \
    if (when)                       \
        return PP_CONTROL_##kind;
static pp_control_kind control_kind(const pp_params *p)
{
#include "polepair/parts.def"
    __builtin_unreachable();
}

#define PP_LOAD(kind, when, doc) \
    if (when)                    \
        return PP_LOAD_##kind;
static pp_load_kind load_kind(const pp_params *p)
{
    (void)p;
#include "polepair/parts.def"
    __builtin_unreachable();
}

/* Parts that exclude each other. */
static pp_status check_clashes(const pp_kinds *kinds)
{
#define PP_SLOT_OF_machine PP_MACHINE_
#define PP_SLOT_OF_control PP_CONTROL_
#define PP_SLOT_OF_load PP_LOAD_
#define PP_CLASH(slot_a, kind_a, slot_b, kind_b, status)          \
    if (kinds->slot_a == PP_PASTE(PP_SLOT_OF_##slot_a, kind_a) && \
        kinds->slot_b == PP_PASTE(PP_SLOT_OF_##slot_b, kind_b))   \
        return PP_##status;
#include "polepair/parts.def"
    return PP_OK;
}

static pp_model model_of(const pp_kinds *kinds, const pp_setup *in)
{
    pp_model m = {.reference = ramp(in->params),
                  .tolerance = tolerance(kinds->machine, in->params, in->machine),
                  .period = in->params->drive.period};
    switch (kinds->machine) {
#define PP_MACHINE(kind, when, doc) \
    case PP_MACHINE_##kind: m.machine.kind = pp_setup_##kind(in); break;
#include "polepair/parts.def"
    }
    switch (kinds->control) {
#define PP_CONTROL(kind, when, doc) \
    case PP_CONTROL_##kind: m.control.kind = pp_setup_##kind(in); break;
#include "polepair/parts.def"
    }
    switch (kinds->load) {
#define PP_LOAD(kind, when, doc) \
    case PP_LOAD_##kind: m.load.kind = pp_setup_##kind(in); break;
#include "polepair/parts.def"
    }
    return m;
}

pp_status pp_twin_setup_machine(const pp_params *p, const pp_machine *m, const pp_machine *nominal,
                                pp_twin *twin)
{
    const pp_kinds kinds = {.machine = machine_kind(p),
                            .control = control_kind(p),
                            .load = load_kind(p),
                            .features = features(p, m)};
    pp_status status = check_step(p, m);
    if (status == PP_OK)
        status = check_clashes(&kinds);
    if (status != PP_OK)
        return status;
    if (kinds.machine == PP_MACHINE_sixstep && pp_magnitude(m->Ld - m->Lq) > 1e-6 * m->Ld)
        return PP_SIX_STEP_SALIENT;
    const pp_setup in = {.params = p, .machine = m, .nominal = nominal ? nominal : m};
    *twin = (pp_twin){
        .model = model_of(&kinds, &in),
        .kinds = kinds,
        .period = p->drive.period,
        .substeps = (int)p->drive.substeps,
        .open_loop = !has_reference(p) && !reaches_limit(p, m),
    };
    return PP_OK;
}

pp_status pp_twin_setup(const pp_params *p, const pp_machine *nominal, pp_twin *twin)
{
    int bad;
    pp_machine m;
    pp_status status = pp_params_check(p, &bad);
    if (status == PP_OK)
        status = pp_machine_derive(p, &m);
    return status == PP_OK ? pp_twin_setup_machine(p, &m, nominal, twin) : status;
}
