/* Geometry route: winding, field and inductances of a surface-magnet machine. */
#include "polepair/geometry.h"
#include "polepair/magnetics.h"
#include "polepair/math.h"
#include "polepair/winding.h"
#include "routes.h"

enum { HALF_SPECTRUM = PP_SLOTS_MAX / 2 + 1, GAP_PERIODS = 12 };

/* Everything that the steps of `derive` share. */
typedef struct design {
    const pp_params *p;
    pp_dims dims;
    pp_winding winding;
    double length, gap, carter, r_iron,
        turns; /* gap: magnetic gap g'; r_iron: Carter-corrected bore; turns per coil over a */
    double self[HALF_SPECTRUM], cross[HALF_SPECTRUM]; /* |N_a|^2 and Re(N_a N_b*) per order */
} design;

static bool slotless(const pp_params *p) { return p->stator.slots < 0.5; }

static pp_status layout(design *d)
{
    const pp_params *p = d->p;
    int pairs = (int)p->rotor.pole_pairs;
    if (slotless(p)) /* one coil side per phase belt, full pitch */
        return pp_winding_layout(6 * pairs, pairs, 1, 3, &d->winding);
    return pp_winding_layout((int)p->stator.slots, pairs, (int)p->winding.layers,
                             (int)p->winding.coil_span, &d->winding);
}

static void spectrum(design *d)
{
    double ar[HALF_SPECTRUM], ai[HALF_SPECTRUM], br[HALF_SPECTRUM], bi[HALF_SPECTRUM];
    pp_winding_spectrum(&d->winding, 0, ar, ai);
    pp_winding_spectrum(&d->winding, 1, br, bi);
    for (int k = 0; k <= d->winding.slots / 2; k++) {
        d->self[k] = ar[k] * ar[k] + ai[k] * ai[k];
        d->cross[k] = ar[k] * br[k] + ai[k] * bi[k];
    }
}

/* Index of an order in the spectrum, which repeats with the slots and mirrors at half of them. */
static int spectrum_index(const design *d, int order)
{
    int k = order % d->winding.slots;
    return 2 * k > d->winding.slots ? d->winding.slots - k : k;
}

/* Winding factor of the n-th harmonic; an air-gap winding spreads over its belt. */
static double winding_factor(const design *d, int n)
{
    int order = n * d->winding.pole_pairs;
    double kw = pp_root(d->self[spectrum_index(d, order)]) / (2 * d->winding.coils_per_phase);
    double x = order * d->dims.half_pitch;
    return slotless(d->p) ? kw * pp_sin(x) / x : kw;
}

static void magnetic_gap(design *d)
{
    const pp_params *p = d->p;
    double pitch = 2 * d->dims.half_pitch * d->dims.r_gap;
    d->gap = pp_magnitude(d->dims.r_gap - d->dims.r_magnet) + p->magnet.thickness / p->magnet.mu_r;
    d->carter = slotless(p) ? 1 : pp_carter(d->dims.opening, pitch, d->gap);
    d->r_iron = d->dims.r_gap + d->dims.sign * (d->carter - 1) * d->gap;
    d->length = pp_smaller(p->stator.length, d->dims.magnet_length);
}

/* Radius times radial field of a harmonic where the winding sits: at the bore, or the mean over an air-gap winding. */
static double linked_field(const design *d, const pp_annulus *a, const pp_field *f)
{
    if (!slotless(d->p))
        return a->r_stator * pp_field_at(a, f, a->r_stator);
    double r0 = d->dims.r_winding, r2 = d->dims.r_gap, r1 = 0.5 * (r0 + r2); /* Simpson's rule */
    return (r0 * pp_field_at(a, f, r0) + 4 * r1 * pp_field_at(a, f, r1) +
            r2 * pp_field_at(a, f, r2)) /
           6;
}

/* Carter's factor spreads the loss of flux in front of the slots evenly; but a coil counts the flux of its own teeth, and
 * what lies near the middle of an opening links it least (or, where a pole is shorter than a slot pitch, backwards).
 * Share of the fundamental that this wins back: the loss sits in the middle part of each slot pitch, over SPREAD
 * openings (fitted to 44 motors of tests/oracle, rms error of the flux 1.2 %). */
static double slot_modulation(const design *d)
{
    const double SPREAD = 1.8;
    if (slotless(d->p))
        return 1;
    double p = d->winding.pole_pairs, half = p * d->dims.half_pitch;
    double loss = 1 - 1 / d->carter, dip = pp_smaller(SPREAD * p * d->dims.opening_angle, half);
    double whole = pp_sin(half), middle = (whole - pp_sin(half - dip)) / dip;
    return (whole - loss * half * middle) / (whole * (1 - loss));
}

/* Magnetomotive force of the gap over that of gap and iron, unsaturated: tooth, half the yoke's path, half the rotor's. */
static double iron_drop(const design *d, const pp_machine *m)
{
    const pp_params *p = d->p;
    double reach = PP_PI / (4 * d->winding.pole_pairs), mu = PP_MU0 * p->material.mu_r;
    double yoke = pp_magnitude(d->dims.r_yoke - d->dims.r_bottom),
           core = pp_magnitude(d->dims.r_core - d->dims.r_base);
    double drop = m->B_tooth * pp_magnitude(d->dims.r_bottom - d->dims.r_gap) +
                  m->B_yoke * reach * (d->dims.r_yoke + d->dims.r_bottom) / 2;
    if (p->rotor.core > 0.5 && core > 0)
        drop += m->B_yoke * yoke / core * reach * (d->dims.r_core + d->dims.r_base) / 2;
    double gap = m->B_gap * d->gap * d->carter;
    return 1 / (1 + drop / mu * PP_MU0 / gap);
}

/* Flux linkages of the harmonics, and the flux densities of tooth and yoke from the same field. */
static void open_circuit(const design *d, pp_machine *m)
{
    const pp_params *p = d->p;
    double Br =
        p->magnet.Br * (1 + p->magnet.Br_temperature_coefficient * (p->magnet.temperature - 20));
    pp_annulus a = {d->r_iron,
                    d->dims.r_magnet,
                    d->dims.r_base,
                    Br,
                    p->magnet.mu_r,
                    d->dims.arc,
                    d->winding.pole_pairs,
                    p->magnet.magnetization > 0.5,
                    p->stator.core > 0.5,
                    p->rotor.core > 0.5};
    double *linkage[8] = {0, &m->psi_pm, 0, 0, 0, &m->psi_5, 0, &m->psi_7};
    double tooth = 0, yoke = 0;
    for (int n = 1; n <= 7; n += 2) {
        pp_field f = pp_field_harmonic(&a, n);
        double order = n * d->winding.pole_pairs, flux = linked_field(d, &a, &f) / order;
        if (linkage[n])
            *linkage[n] = 2 * winding_factor(d, n) * m->series_turns * d->length * flux;
        if (n == 1)
            m->B_gap = pp_field_at(&a, &f, a.r_stator);
        tooth += 2 * flux * pp_sin(order * d->dims.half_pitch);
        yoke += n % 4 == 1 ? flux : -flux;
    }
    double height = pp_magnitude(d->dims.r_yoke - d->dims.r_bottom) * p->stator.stacking_factor;
    bool iron = p->stator.core > 0.5;
    m->B_tooth = slotless(p) ? 0 : tooth / (p->stator.tooth_width * p->stator.stacking_factor);
    m->B_yoke = iron ? yoke / height : 0;
    double drop = iron_drop(d, m), share = drop * slot_modulation(d);
    m->psi_pm *= share, m->psi_5 *= share, m->psi_7 *= share, m->B_tooth *= share;
    m->B_gap *= drop, m->B_yoke *= drop;
}

/* Field of a current sheet in the gap, all harmonics: L = mu0 L/pi sum |N_nu|^2 S_nu^2 F_nu / nu, where S_nu spreads the
 * conductors over the slot opening and F_nu = (1+q1)(1+q2)/(2(1-q1 q2)) holds the iron on both sides (q = ratio of the
 * radii to the power 2 nu; slotted: the sheet lies on the iron). Hughes & Miller, Proc. IEE 124(2) 1977. */
static void gap_inductance(const design *d, pp_machine *m)
{
    const pp_params *p = d->p;
    bool slotted = !slotless(p);
    double sheet = slotted ? d->r_iron : 0.5 * (d->dims.r_gap + d->dims.r_winding);
    double base = d->dims.r_magnet - d->dims.sign * p->magnet.thickness / p->magnet.mu_r;
    double t1 = d->dims.sign > 0 ? base / sheet : sheet / base,
           t2 = pp_smaller(sheet / d->dims.r_gap, d->dims.r_gap / sheet);
    double s1 = p->rotor.core > 0.5 ? t1 * t1 : 0, s2 = slotted                ? 1
                                                        : p->stator.core > 0.5 ? t2 * t2
                                                                               : 0;
    double q1 = 1, q2 = 1, x = d->dims.opening_angle, s = 0, c = 1, sx, cx, self = 0, cross = 0,
           main = 0;
    pp_sincos(x, &sx, &cx);
    int slots = d->winding.slots, last = GAP_PERIODS * slots;
    for (int nu = 1, k = 1; nu <= last; nu++, k = k + 1 == slots ? 0 : k + 1) {
        double next = s * cx + c * sx;
        c = c * cx - s * sx;
        s = next;
        q1 *= s1;
        q2 *= s2;
        int i = 2 * k > slots ? slots - k : k;
        if (d->self[i] < 1e-9)
            continue;
        double spread = s / (nu * x);
        double weight = spread * spread * (1 + q1) * (1 + q2) / (2 * (1 - q1 * q2) * nu);
        self += d->self[i] * weight;
        cross += d->cross[i] * weight;
        if (nu == d->winding.pole_pairs)
            main = (d->self[i] - d->cross[i]) * weight;
    }
    double scale = PP_MU0 * p->stator.length / PP_PI * d->turns * d->turns * iron_drop(d, m);
    m->L_self = scale * self;
    m->M_mutual = scale * cross;
    m->L_magnetizing = scale * main;
    m->L_gap = m->L_self - m->M_mutual;
}

static void slot_inductance(const design *d, pp_machine *m)
{
    double own = 0, other = 0;
    for (int i = 0; i < d->winding.slots; i++) {
        own += d->winding.conductors[0][i] * d->winding.conductors[0][i];
        other += d->winding.conductors[0][i] * d->winding.conductors[1][i];
    }
    double scale = PP_MU0 * d->p->stator.length * d->dims.slot_permeance * d->turns * d->turns;
    m->L_slot = scale * (own - other);
    m->L_self += scale * own;
    m->M_mutual += scale * other;
}

/* Logarithm-based partial inductance terms per mu0/(2 pi) of a bar and of two parallel bars. */
static double bar_self(double length, double gmd)
{
    return length * (pp_log(2 * length / gmd) - 1);
}

static double bar_mutual(double length, double apart)
{
    double x = length / apart, root = pp_root(1 + x * x);
    return length * (pp_log(x + root) - root / x + 1 / x);
}

/* End-winding inductance of one phase with all coils in series [H]: partial inductance of the two end connections of
 * each coil, straight bars of length L_ew a stack apart (Grover, Inductance Calculations, ch. 5). */
static double end_inductance(const pp_params *p, double slot_area, int coils)
{
    double length = p->winding.end_length;
    if (length <= 0)
        return 0;
    double share = slot_area * (p->stator.slots < 0.5 ? 1 : 1 / p->winding.layers);
    double gmd = 0.447 * pp_root(share); /* square bundle: 0.2235 (a + b) */
    double own = pp_larger(bar_self(length, gmd), 0),
           back = bar_mutual(length, p->stator.length + gmd);
    double per_turn = PP_MU0 / (2 * PP_PI) * 2 * pp_larger(own - back, 0);
    return coils * p->winding.turns * p->winding.turns * per_turn;
}

static void inductances(const design *d, pp_machine *m)
{
    gap_inductance(d, m);
    slot_inductance(d, m);
    double parallel = d->p->winding.parallel_paths;
    m->L_end =
        end_inductance(d->p, d->dims.slot_area, d->winding.coils_per_phase) / (parallel * parallel);
    m->L_self += m->L_end;
    m->Ld = m->Lq = m->L_gap + m->L_slot + m->L_end;
}

/* Resistance, turn length and copper share. */
static pp_status copper(const design *d, pp_machine *m)
{
    const pp_params *p = d->p;
    double wire =
        PP_PI / 4 * p->winding.wire_diameter * p->winding.wire_diameter * p->winding.strands;
    double sides = slotless(p) ? 1 : p->winding.layers;
    m->slot_fill = sides * p->winding.turns * wire / d->dims.slot_area;
    if (m->slot_fill > 0.85)
        return PP_SLOT_FILL;
    m->turn_length = 2 * (p->stator.length + 2 * p->winding.end_length);
    double rho = p->winding.resistivity *
                 (1 + p->winding.temperature_coefficient * (p->winding.temperature - 20));
    m->Rs = rho * m->series_turns * m->turn_length / (wire * p->winding.parallel_paths);
    double wires = 3.0 * d->winding.coils_per_phase * p->winding.turns;
    m->mass_winding = p->material.density_conductor * wires * m->turn_length * wire;
    return PP_OK;
}

static void masses(const design *d, pp_machine *m)
{
    pp_masses all;
    pp_masses_from(d->p, &d->dims, &all);
    m->mass_stator = all.stator.mass;
    m->mass_teeth = all.teeth;
    m->mass_rotor = all.rotor.mass;
    m->mass_magnets = all.magnets.mass;
    m->mass_housing = all.housing.mass + all.bearings.mass;
    m->mass = m->mass_stator + m->mass_rotor + m->mass_winding + m->mass_housing;
    m->J = all.rotor.J_axial;
    m->J_transverse = all.rotor.J_transverse;
    m->rotor_z = all.rotor.z;
}

pp_status pp_geometry_derive(const pp_params *params, pp_machine *machine)
{
    design d;
    pp_machine m = {0};
    d.p = params;
    pp_status status = pp_dims_from(params, &d.dims);
    if (status == PP_OK)
        status = layout(&d);
    if (status != PP_OK)
        return status;
    int paths = (int)params->winding.parallel_paths;
    if (d.winding.coils_per_phase % paths)
        return PP_PARALLEL_PATHS;
    spectrum(&d);
    magnetic_gap(&d);
    d.turns = params->winding.turns / paths;
    m.pole_pairs = params->rotor.pole_pairs;
    m.series_turns = d.winding.coils_per_phase * d.turns;
    m.winding_factor = winding_factor(&d, 1);
    m.differential_leakage = pp_winding_differential_leakage(&d.winding);
    m.carter = d.carter;
    status = copper(&d, &m);
    if (status != PP_OK)
        return status;
    open_circuit(&d, &m);
    inductances(&d, &m);
    masses(&d, &m);
    m.B = params->rotor.viscous_friction;
    m.T_coulomb = params->rotor.coulomb_friction;
    *machine = m;
    return PP_OK;
}
