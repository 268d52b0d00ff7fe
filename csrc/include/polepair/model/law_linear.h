/* polepair/model/law_linear.h: the law of a machine with constant Ld and Lq: currents <-> flux
 * linkages <-> torque, and its slopes. The only place that states them. Rotor frame, amplitude
 * invariant, per phase, peak values; a law is made by designated initialiser where the constants
 * are at hand. */
#ifndef POLEPAIR_LAW_LINEAR_H
#define POLEPAIR_LAW_LINEAR_H

#include "polepair/model/real.h"

typedef struct pp_law {
    pp_real Ld, Lq;     /* inductances [H] */
    pp_real psi_pm;     /* flux linkage of the magnets [Wb] */
    pp_real pole_pairs; /* p */
} pp_law;

/* A pair of components in the rotor frame. */
typedef struct pp_dq {
    pp_real d, q;
} pp_dq;

/* Flux linkages [Wb] of currents [A]: psi_d = Ld id + psi_pm, psi_q = Lq iq. */
PP_INLINE pp_dq pp_law_flux(const pp_law *law, pp_real id, pp_real iq)
{
    return (pp_dq){law->Ld * id + law->psi_pm, law->Lq * iq};
}

/* Currents [A] of flux linkages [Wb]. */
PP_INLINE pp_dq pp_law_currents(const pp_law *law, pp_dq psi)
{
    return (pp_dq){(psi.d - law->psi_pm) / law->Ld, psi.q / law->Lq};
}

/* psi_pm + (Ld - Lq) id [Wb]: what a q-axis current makes torque with (Boldea, Paicu &
 * Andreescu, "Active flux", IEEE Trans. Power Electron. 23(6) 2008). */
PP_INLINE pp_real pp_law_active_flux(const pp_law *law, pp_real id)
{
    return law->psi_pm + (law->Ld - law->Lq) * id;
}

/* Air-gap torque [N m]: 1.5 p iq (psi_pm + (Ld - Lq) id). */
PP_INLINE pp_real pp_law_torque(const pp_law *law, pp_real id, pp_real iq)
{
    return PP_R(1.5) * law->pole_pairs * iq * pp_law_active_flux(law, id);
}

/* Voltages [V] that the flux linkages induce at an electrical speed [rad/s]: -we psi_q, we
 * psi_d. */
PP_INLINE pp_dq pp_law_speed_voltage(const pp_law *law, pp_real we, pp_real id, pp_real iq)
{
    return (pp_dq){-(we * law->Lq * iq), we * (law->Ld * id + law->psi_pm)};
}

/* Slopes of the torque over id, iq [N m/A] and psi_pm [N m/Wb]. */
typedef struct pp_law_slopes {
    pp_real id, iq, psi_pm;
} pp_law_slopes;

/* 1.5 p: torque over flux linkage times current. */
PP_INLINE pp_real pp_law_torque_factor(const pp_law *law) { return PP_R(1.5) * law->pole_pairs; }

/* The slopes of something in proportion to the torque; factor: pp_law_torque_factor times the
 * proportion. */
PP_INLINE pp_law_slopes pp_law_scaled_slopes(const pp_law *law, pp_real factor, pp_real id,
                                             pp_real iq)
{
    return (pp_law_slopes){
        .id = factor * (law->Ld - law->Lq) * iq,
        .iq = factor * pp_law_active_flux(law, id),
        .psi_pm = factor * iq,
    };
}

PP_INLINE pp_law_slopes pp_law_torque_slopes(const pp_law *law, pp_real id, pp_real iq)
{
    return pp_law_scaled_slopes(law, pp_law_torque_factor(law), id, iq);
}

/* The torque as a product of the flux linkages that the currents make, d = Ld id and q = Lq iq:
 * torque scale = q (by_q + by_dq d). */
typedef struct pp_law_products {
    pp_real by_q, by_dq;
} pp_law_products;

PP_INLINE pp_law_products pp_law_torque_of_flux(const pp_law *law, pp_real scale)
{
    const pp_real k = PP_R(1.5) * law->pole_pairs * scale;
    return (pp_law_products){
        .by_q = k * law->psi_pm / law->Lq,
        .by_dq = k * (law->Ld - law->Lq) / (law->Ld * law->Lq),
    };
}

#endif
