/* Steady states: voltages of an operating point, maximum torque per ampere, torque limit with field weakening. */
#include "polepair/math.h"
#include "polepair/machine.h"

double pp_mtpa_id(const pp_machine *m, double amplitude)
{
    double dL = m->Lq - m->Ld;
    if (pp_magnitude(dL) < 1e-9 * m->Lq)
        return 0;
    return (m->psi_pm - pp_root(m->psi_pm * m->psi_pm + 8 * dL * dL * amplitude * amplitude)) /
           (4 * dL);
}

pp_operating_point pp_operating_at(const pp_machine *m, double id, double iq, double omega_m)
{
    double we = m->pole_pairs * omega_m;
    pp_operating_point o = {id, iq, 0, 0, 0, omega_m, true};
    o.ud = m->Rs * id - we * m->Lq * iq;
    o.uq = m->Rs * iq + we * (m->Ld * id + m->psi_pm);
    o.torque = 1.5 * m->pole_pairs * (m->psi_pm * iq + (m->Ld - m->Lq) * id * iq);
    return o;
}

static double voltage(const pp_machine *m, double id, double iq, double omega_m)
{
    pp_operating_point o = pp_operating_at(m, id, iq, omega_m);
    return pp_root(o.ud * o.ud + o.uq * o.uq);
}

/* Largest iq in [0, high] whose voltage fits; the voltage grows with iq beyond the ellipse's lowest point. -1: none. */
static double largest_iq(const pp_machine *m, double id, double high, double omega_m, double u_max)
{
    double we = m->pole_pairs * omega_m, R = m->Rs, e = we * (m->Ld * id + m->psi_pm),
           x = we * m->Lq;
    /* |u|^2 = (R id - x iq)^2 + (R iq + e)^2, a parabola in iq */
    double a = R * R + x * x, b = R * (e - x * id), c = R * R * id * id + e * e - u_max * u_max,
           disc = b * b - a * c;
    if (disc < 0)
        return -1;
    return pp_smaller(high, (-b + pp_root(disc)) / a);
}

static double torque_of(const pp_machine *m, double id, double i_max, double omega_m, double u_max)
{
    double room = pp_root(pp_larger(i_max * i_max - id * id, 0));
    double iq = largest_iq(m, id, room, omega_m, u_max);
    return iq < 0 ? -1 + id / (i_max + 1) * 1e-3
                  : 1.5 * m->pole_pairs * iq * (m->psi_pm + (m->Ld - m->Lq) * id);
}

pp_operating_point pp_operating_limit(const pp_machine *m, double omega_m, double i_max,
                                      double u_max)
{
    /* Torque along id has one peak: coarse scan, then golden section round the best. */
    enum { SCAN = 32 };
    double span = i_max / SCAN, best = 0, best_torque = -2;
    for (int k = 0; k <= SCAN; k++) {
        double t = torque_of(m, -k * span, i_max, omega_m, u_max);
        if (t > best_torque)
            best_torque = t, best = -k * span;
    }
    double lo = pp_larger(best - span, -i_max), hi = pp_smaller(best + span, 0);
    for (int k = 0; k < 60; k++) {
        double a = hi - 0.61803398874989485 * (hi - lo), b = lo + 0.61803398874989485 * (hi - lo);
        if (torque_of(m, a, i_max, omega_m, u_max) < torque_of(m, b, i_max, omega_m, u_max))
            lo = a;
        else
            hi = b;
    }
    double id = 0.5 * (lo + hi),
           iq = largest_iq(m, id, pp_root(pp_larger(i_max * i_max - id * id, 0)), omega_m, u_max);
    pp_operating_point o = pp_operating_at(m, id, pp_larger(iq, 0), omega_m);
    o.reachable = iq >= 0 && voltage(m, id, iq, omega_m) <= u_max * (1 + 1e-9);
    return o;
}
