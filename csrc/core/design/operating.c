/* Steady states: voltages and torque of a current, maximum torque per ampere, torque limit with
 * field weakening. */
#undef PP_FLOAT /* design is double also where the models run in float */
#include "polepair/machine.h"
#include "polepair/math.h"
#include "polepair/model/law_linear.h"

static pp_law law_of(const pp_machine *m)
{
    return (pp_law){.Ld = m->Ld, .Lq = m->Lq, .psi_pm = m->psi_pm, .pole_pairs = m->pole_pairs};
}

double pp_torque(const pp_machine *m, double id, double iq)
{
    const pp_law law = law_of(m);
    return pp_law_torque(&law, id, iq);
}

pp_torque_slopes pp_torque_slopes_at(const pp_machine *m, double id, double iq)
{
    const pp_law law = law_of(m);
    const pp_law_slopes slopes = pp_law_torque_slopes(&law, id, iq);
    return (pp_torque_slopes){.id = slopes.id, .iq = slopes.iq, .psi_pm = slopes.psi_pm};
}

pp_torque_products pp_torque_of_flux(const pp_machine *m, double scale)
{
    const pp_law law = law_of(m);
    const pp_law_products products = pp_law_torque_of_flux(&law, scale);
    return (pp_torque_products){.by_q = products.by_q, .by_dq = products.by_dq};
}

double pp_mtpa_id(const pp_machine *m, double amplitude)
{
    const double dL = m->Lq - m->Ld;
    if (pp_magnitude(dL) < 1e-9 * m->Lq)
        return 0;
    return (m->psi_pm - pp_root(m->psi_pm * m->psi_pm + 8 * dL * dL * amplitude * amplitude)) /
           (4 * dL);
}

pp_operating_point pp_operating_at(const pp_machine *m, double id, double iq, double omega_m)
{
    const pp_law law = law_of(m);
    const pp_dq emf = pp_law_speed_voltage(&law, m->pole_pairs * omega_m, id, iq);
    return (pp_operating_point){
        .id = id,
        .iq = iq,
        .ud = m->Rs * id + emf.d,
        .uq = m->Rs * iq + emf.q,
        .torque = pp_law_torque(&law, id, iq),
        .omega_m = omega_m,
        .reachable = true,
    };
}

/* The limits that a search keeps. */
typedef struct limits {
    double omega_m; /* [rad/s] */
    double i_max;   /* [A] */
    double u_max;   /* [V] */
} limits;

/* What |i| <= i_max leaves for iq. */
static double iq_room(const limits *at, double id)
{
    return pp_root(pp_larger(at->i_max * at->i_max - id * id, 0));
}

/* Largest iq within both limits; the voltage grows with iq beyond the ellipse's lowest point.
 * -1: none. */
static double largest_iq(const pp_machine *m, double id, const limits *at)
{
    const pp_law law = law_of(m);
    const double we = m->pole_pairs * at->omega_m;
    const double R = m->Rs;
    const double X = we * m->Lq;
    const double e = pp_law_speed_voltage(&law, we, id, 0).q;
    /* |u|^2 = (R id - X iq)^2 + (R iq + e)^2 = u_max^2:  a iq^2 + 2 b iq + c = 0 */
    const double a = R * R + X * X;
    const double b = R * (e - X * id);
    const double c = R * R * id * id + e * e - at->u_max * at->u_max;
    const double discriminant = b * b - a * c;
    if (discriminant < 0)
        return -1;
    return pp_smaller(iq_room(at, id), (-b + pp_root(discriminant)) / a);
}

/* Stands in for the torque where no iq fits the voltage: less than a motor's, and least far from
 * id = 0, so that a search with nothing in reach ends at id = 0. */
static double out_of_reach(double id, const limits *at)
{
    const double BELOW = -1;
    const double TILT = 1e-3;
    return BELOW + id / (at->i_max + 1) * TILT;
}

/* What the search for the most torque compares. */
static double search_torque(const pp_machine *m, double id, const limits *at)
{
    const double iq = largest_iq(m, id, at);
    if (iq < 0)
        return out_of_reach(id, at);
    return pp_torque(m, id, iq);
}

/* The id of most torque: along id it has one peak, so a coarse scan, then golden section round
 * the best. */
static double best_id(const pp_machine *m, const limits *at)
{
    enum { SCAN = 32, SECTIONS = 60 };
    const double GOLDEN = 0.61803398874989485;
    const double span = at->i_max / SCAN;
    double best = 0;
    double best_torque = -2; /* below out_of_reach */
    for (int k = 0; k <= SCAN; k++) {
        const double torque = search_torque(m, -k * span, at);
        if (torque > best_torque) {
            best_torque = torque;
            best = -k * span;
        }
    }
    double low = pp_larger(best - span, -at->i_max);
    double high = pp_smaller(best + span, 0);
    for (int k = 0; k < SECTIONS; k++) {
        const double a = high - GOLDEN * (high - low);
        const double b = low + GOLDEN * (high - low);
        if (search_torque(m, a, at) < search_torque(m, b, at))
            low = a;
        else
            high = b;
    }
    return 0.5 * (low + high);
}

pp_operating_point pp_operating_limit(const pp_machine *m, double omega_m, double i_max,
                                      double u_max)
{
    const limits at = {.omega_m = omega_m, .i_max = i_max, .u_max = u_max};
    const double id = best_id(m, &at);
    const double iq = largest_iq(m, id, &at);
    pp_operating_point point = pp_operating_at(m, id, pp_larger(iq, 0), omega_m);
    const double voltage = pp_root(point.ud * point.ud + point.uq * point.uq);
    point.reachable = iq >= 0 && voltage <= u_max * (1 + 1e-9);
    return point;
}
