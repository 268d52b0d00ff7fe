/* The doubts about a run: what its end is measured by, and the conditions of warnings.def. */
#include "polepair/warnings.h"

#include "parts.h"
#include "polepair/math.h"

static const double BAND = 0.02; /* of the reference, within which it counts as reached */
/* Share of the ideal block currents and of the bus that six-step has beside its commutations. */
static const double BLOCK = 11.0 / 12;

static const pp_warning_info rows[] = {
#define PP_WARNING(code, where, when, text) {#code, where, text},
#include "polepair/warnings.def"
};

const pp_warning_info *pp_warning_at(int i) { return &rows[i]; }

/* True where nothing follows the speed reference. */
static bool pp_has_no_reference(const pp_params *p)
{
    return pp_drive_kind_of(p) == PP_drive_kind_six_step &&
           pp_control_closed_loop_of(p) == PP_control_closed_loop_no;
}

static void mark(const pp_params *p, int row, bool idle[PP_PARAM_COUNT])
{
    idle[row] = ((const double *)p)[row] != pp_param_at(row)->def;
}

static void mark_group(const pp_params *p, size_t first, size_t size, bool idle[PP_PARAM_COUNT])
{
    for (size_t row = first; row < first + size; row++)
        mark(p, (int)row, idle);
}

#define ROW(member) (offsetof(pp_params, member) / sizeof(double))
int pp_params_idle(const pp_params *p, const pp_machine *m, bool idle[PP_PARAM_COUNT])
{
    int count = 0;
    for (int row = 0; row < PP_PARAM_COUNT; row++)
        idle[row] = false;
#define PP_IDLE_GROUP(group, when) \
    if (when)                      \
        mark_group(p, ROW(group), sizeof p->group / sizeof(double), idle);
#define PP_IDLE(group, field, when) \
    if (when)                       \
        mark(p, (int)ROW(group.field), idle);
#include "polepair/warnings.def"
    for (int row = 0; row < PP_PARAM_COUNT; row++)
        count += idle[row];
    return count;
}

/* The voltage that a period leaves of u_dc/sqrt(3) while the rotor turns under it. */
static double voltage_room(const pp_params *p, const pp_machine *m, double omega_m)
{
    const double half = 0.5 * m->pole_pairs * pp_magnitude(omega_m) * p->drive.period;
    const double turned = half > 1e-6 ? pp_sin(half) / half : 1;
    return p->drive.u_dc / pp_root(3) * turned;
}

static pp_reach foc_reach(const pp_params *p, const pp_machine *m, double omega_m, double torque)
{
    const pp_setup in = {.params = p, .machine = m, .nominal = m};
    const pp_foc foc = pp_setup_foc(&in);
    const bool mtpa = pp_control_strategy_of(p) == PP_control_strategy_mtpa;
    if (pp_magnitude(torque) > (double)foc.torque_max * (1 + 1e-9))
        return p->control.torque_max > 0 ? PP_REACH_torque : PP_REACH_current;
    const pp_dq i = pp_foc_reference(&foc, (pp_real)torque, mtpa);
    const pp_operating_point at = pp_operating_at(m, (double)i.d, (double)i.q, omega_m);
    const double voltage = pp_root(at.ud * at.ud + at.uq * at.uq);
    return voltage > voltage_room(p, m, omega_m) ? PP_REACH_voltage : PP_REACH_yes;
}

static pp_reach block_reach(const pp_params *p, const pp_machine *m, double omega_m, double torque)
{
    const double current = pp_magnitude(torque) / m->Kt_block;
    const double voltage = m->Kt_block * pp_magnitude(omega_m) + 2 * m->Rs * current;
    if (current > BLOCK * p->drive.i_max)
        return PP_REACH_current;
    return voltage > BLOCK * p->drive.u_dc ? PP_REACH_voltage : PP_REACH_yes;
}

pp_reach pp_drive_reach(const pp_params *p, const pp_machine *m, double omega_m, double torque)
{
    switch (pp_drive_kind_of(p)) {
    case PP_drive_kind_foc: return foc_reach(p, m, omega_m, torque);
    case PP_drive_kind_six_step: break;
    }
    return block_reach(p, m, omega_m, torque);
}

/* What the conditions of warnings.def ask. */
typedef struct pp_ending {
    double speed;       /* [rad/s] */
    double forwards;    /* sign of the speed that is asked for, 0 for a stop */
    double band;        /* round the reference [rad/s] */
    bool missed;        /* the speed is outside it */
    bool ramping;       /* the reference itself has not come to its end */
    bool driven;        /* the load drives, with more than the motor holds */
    pp_reach reach;     /* of the reference under the load */
    double current;     /* the largest [A] */
    double i_max;       /* [A] */
    double torque;      /* [N m] */
    double torque_max;  /* that was set [N m], or 0 */
    double residual;    /* of the energy, over all that went through */
    double gap_share;   /* gap over pole pitch */
    double depth_share; /* gap, magnet and air-gap winding over the stack's length */
    double B_iron;      /* the larger of teeth and yoke [T] */
    double winding_factor;
    int idle; /* settings without effect */
} pp_ending;

/* Torque of load and friction at a speed [N m]. */
static double resistance(const pp_ended *run, double load, double omega_m)
{
    const pp_params *p = run->params;
    const pp_machine *m = run->machine;
    const double dry = m->T_coulomb + p->load.coulomb;
    return load + (m->B + p->load.viscous) * omega_m +
           p->load.quadratic * omega_m * pp_magnitude(omega_m) +
           dry * pp_larger(pp_smaller(omega_m, 1), -1);
}

static bool is_torque(pp_reach reach)
{
    return reach == PP_REACH_current || reach == PP_REACH_torque;
}

/* The limit between the motor and its reference. Where both the torque and the voltage there are
 * out of reach, it is the voltage's if the torque suffices at the speed that it came to. */
static pp_reach what_holds(const pp_ended *run, double load, double speed)
{
    const pp_params *p = run->params;
    const pp_machine *m = run->machine;
    const double target = p->control.speed_ref;
    const pp_reach there = pp_drive_reach(p, m, target, resistance(run, load, target));
    if (!is_torque(there) || pp_drive_reach(p, m, target, 0) != PP_REACH_voltage)
        return there;
    const pp_reach here = pp_drive_reach(p, m, speed, resistance(run, load, speed));
    return is_torque(here) ? here : PP_REACH_voltage;
}

static void judge_speed(const pp_ended *run, const pp_seen *seen, pp_ending *e)
{
    const pp_params *p = run->params;
    const pp_input asked = pp_twin_scenario(run->twin, run->state);
    const double target = p->control.speed_ref;
    const double no_load = p->drive.u_dc / run->machine->Kt_block;
    e->speed = (double)seen->omega_m;
    if (pp_has_no_reference(p))
        return;
    e->forwards = (target > 0) - (target < 0);
    e->band = BAND * (target != 0 ? pp_magnitude(target) : BAND * no_load);
    e->missed = !(pp_magnitude(e->speed - target) <= e->band);
    e->ramping = asked.speed_ref != target;
    e->reach = what_holds(run, asked.load_torque, e->speed);
    e->driven =
        resistance(run, asked.load_torque, e->speed) * e->speed < 0 && e->reach != PP_REACH_yes;
}

/* Kinetic and magnetic energy at the end [J]. */
static double stored(const pp_twin *twin, pp_run *x, const pp_seen *seen)
{
    switch (twin->kinds.machine) {
#define PP_MACHINE(kind, when, doc)                                                       \
    case PP_MACHINE_##kind: {                                                             \
        const pp_##kind##_going on = {                                                    \
            .m = &twin->model.machine.kind, .x = &x->machine.kind, .energy = &x->energy}; \
        return (double)pp_##kind##_channel(&on, seen, 0, PP_CHANNEL_energy_stored);       \
    }
#include "polepair/parts.def"
    }
    __builtin_unreachable();
}

/* What the balance of energies leaves, over all that went through; 0 where none was carried. */
static double residual(const pp_ended *run, const pp_seen *seen)
{
    pp_run x = run->state->run;
    const double in = (double)x.energy.in;
    const double copper = (double)x.energy.copper;
    const double friction = (double)x.energy.friction;
    const double load = (double)x.energy.load;
    const double kept = stored(run->twin, &x, seen);
    const double spent = pp_magnitude(in) + copper + friction + pp_magnitude(load);
    if (!(spent > 0))
        return 0;
    return pp_magnitude(in - copper - friction - load - kept) / (spent + kept);
}

static void judge_currents(const pp_ended *run, const pp_seen *seen, pp_ending *e)
{
    const pp_params *p = run->params;
    e->current = pp_root((double)run->state->run.extremes.current);
    e->i_max = p->drive.i_max;
    if (run->twin->kinds.machine != PP_MACHINE_pmsm)
        return;
    e->torque_max = p->control.torque_max;
    e->torque = pp_magnitude(pp_torque(run->machine, (double)seen->id, (double)seen->iq));
}

/* Where the geometry leaves what its formulas hold for (docs/physics/magnetics.md). */
static void judge_geometry(const pp_params *p, const pp_machine *m, pp_ending *e)
{
    if (pp_is_datasheet(p))
        return;
    const double pitch = PP_PI * p->stator.gap_radius / p->rotor.pole_pairs;
    const double depth = p->rotor.gap + p->magnet.thickness + p->stator.winding_thickness;
    e->gap_share = p->rotor.gap / pitch;
    e->depth_share = depth / p->stator.length;
    e->B_iron = pp_larger(m->B_tooth, m->B_yoke);
    e->winding_factor = m->winding_factor;
}

static uint32_t conditions(const pp_ending *e)
{
    uint32_t set = 0;
#define PP_WARNING(code, where, when, text) set |= (uint32_t)(when) << PP_WARNING_##code;
#include "polepair/warnings.def"
    return set;
}

uint32_t pp_run_warnings(const pp_ended *run)
{
    bool idle[PP_PARAM_COUNT];
    pp_ending e = {.idle = pp_params_idle(run->params, run->machine, idle)};
    const pp_seen seen = pp_twin_sense(run->twin, &run->state->run);
    judge_speed(run, &seen, &e);
    judge_currents(run, &seen, &e);
    e.residual = residual(run, &seen);
    judge_geometry(run->params, run->machine, &e);
    return conditions(&e);
}
