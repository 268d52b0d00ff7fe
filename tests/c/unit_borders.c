/* What comes from outside at its worst: numbers that are none, room that does not do, spans that go round. */
#include "unit.h"

#include "polepair/frame.h"
#include "polepair/math.h"
#include "polepair/observe.h"
#include "polepair/twin.h"
#include "polepair/winding.h"

static const double NONE[] = {NAN, INFINITY, -INFINITY, 1e300, -1e300, 1e9, -1e9};
enum { NONES = sizeof NONE / sizeof NONE[0] };

TEST(functions_of_no_number)
{
    double s, c;
    CHECK(isnan(pp_atan(NAN)) && isnan(pp_atan2(NAN, 0)) && isnan(pp_atan2(NAN, 1)));
    CHECK(isnan(pp_atan2(0, NAN)) && isnan(pp_atan2(INFINITY, INFINITY)));
    NEAR(pp_atan(INFINITY), PP_PI / 2, 1e-15);
    NEAR(pp_atan(-1e300), -PP_PI / 2, 1e-15);
    for (int i = 0; i < 5; i++) {
        pp_sincos(NONE[i], &s, &c);
        CHECK(isnan(s) && isnan(c));
    }
}

/* Room for one byte less than a value takes: nothing is written behind it. */
TEST(differences_need_their_room)
{
    const pp_frame one = {.encoding = PP_DELTA, .channels = 1, .samples = 1};
    const double far = 1e9; /* five bytes */
    for (int room = PP_FRAME_HEADER; room <= PP_FRAME_HEADER + 5; room++) {
        uint8_t bytes[PP_FRAME_HEADER + 16];
        memset(bytes, 0xaa, sizeof bytes);
        const size_t length = pp_frame_write(&one, &far, NULL, bytes, (size_t)room);
        CHECK(length == (room < PP_FRAME_HEADER + 5 ? 0 : PP_FRAME_HEADER + 5));
        for (size_t i = (size_t)room; i < sizeof bytes; i++)
            CHECK(bytes[i] == 0xaa);
    }
}

TEST(differences_hold_whole_numbers_below_2_to_30)
{
    const pp_frame four = {.encoding = PP_DELTA, .channels = 1, .samples = 4};
    const double most = 1073741823;
    const double ends[4] = {most, -most, most + 0.25, 0};
    double back[4];
    double *const column[1] = {back};
    uint8_t bytes[100];
    const size_t length = pp_frame_write(&four, ends, NULL, bytes, sizeof bytes);
    CHECK(pp_frame_values(&four, bytes, length, NULL, column) == PP_REFUSED_NOT);
    CHECK(back[0] == most && back[1] == -most && back[2] == most && back[3] == 0);
    for (int sign = -1; sign <= 1; sign += 2) {
        const double beyond[4] = {0, sign * (most + 1), 0, 0};
        CHECK(pp_frame_write(&four, beyond, NULL, bytes, sizeof bytes) == 0);
    }
}

TEST(coils_that_reach_round)
{
    pp_winding w;
    CHECK(pp_winding_layout(12, 5, 2, 11, &w) == PP_OK);
    CHECK(pp_winding_layout(12, 5, 2, 12, &w) == PP_COIL_SPAN);
    CHECK(pp_winding_layout(12, 5, 2, 13, &w) == PP_COIL_SPAN); /* 13 is no multiple of anything */
    CHECK(pp_winding_layout(9, 30, 2, 0, &w) == PP_OK && w.span == 1); /* a pitch below a slot */
}

static pp_observer observer(void)
{
    pp_params params;
    pp_machine machine;
    pp_observer o;
    pp_params_default(&params);
    CHECK(pp_machine_derive(&params, &machine) == PP_OK);
    const pp_observed seen = pp_observed_from(&params, &machine);
    const pp_uncertainty noise = pp_uncertainty_from(&seen, 0.05, true);
    pp_observer_start(&o, &seen, &noise, 0.3, 0.5);
    for (int k = 0; k < 300; k++)
        pp_observer_step(&o, 0.5, 0.1, 1e-4, 0, 0);
    return o;
}

/* A call with a number that is none; which: of its three numbers. */
static void measure(pp_observer *o, int call, int which, double bad)
{
    double v[3] = {0.1, 0.2, 0.01};
    v[which] = bad;
    switch (call) {
    case 0: pp_observer_currents(o, v[0], v[1]); break;
    case 1: pp_observer_speed(o, v[0], v[2]); break;
    case 2: pp_observer_angle(o, v[0], v[2]); break;
    default: pp_observer_bus(o, v[0], v[1], v[2]);
    }
}

TEST(measurements_of_no_number_are_missed)
{
    const pp_observer whole = observer();
    static const bool takes[4][3] = {
        {true, true}, {true, false, true}, {true, false, true}, {true, true, true}};
    for (int call = 0; call < 4; call++)
        for (int which = 0; which < 3; which++)
            for (int i = 0; i < NONES; i++) {
                pp_observer o = whole;
                if (!takes[call][which])
                    continue;
                measure(&o, call, which, NONE[i]);
                CHECK(o.missed == 2 && o.count == whole.count);
                CHECK(!memcmp(o.x, whole.x, sizeof o.x) && !memcmp(o.P, whole.P, sizeof o.P));
                for (int k = 0; k < 9; k++)
                    measure(&o, call, which, NONE[i]);
                CHECK(o.missed == 20 && pp_observer_quality(&o) == PP_QUALITY_INCONSISTENT);
                for (int k = 0; k < 50; k++)
                    measure(&o, call, which, NONE[i]);
                CHECK(o.missed == 40);
                pp_observer_currents(&o, 0, 0);
                CHECK(o.missed == 39 && o.count == whole.count + 1);
            }
}

TEST(deviations_are_positive)
{
    const pp_observer whole = observer();
    const double bad[] = {0, -1, 1e-300, 5e-324};
    for (int i = 0; i < 4; i++) {
        pp_observer o = whole;
        pp_observer_speed(&o, 1, bad[i]);
        pp_observer_angle(&o, 1, bad[i]);
        pp_observer_bus(&o, 1, 24, bad[i]);
        pp_observer_bus(&o, 1, bad[i], 0.1);
        CHECK(o.missed == 8 && !memcmp(o.x, whole.x, sizeof o.x));
    }
}

TEST(time_passes_forward_only)
{
    const pp_observer whole = observer();
    const double bad[] = {NAN, INFINITY, -INFINITY, 1e300, -1e-4, 86400};
    for (int i = 0; i < 6; i++) {
        pp_observer o = whole;
        pp_observer_predict(&o, 1, 1, bad[i]);
        pp_observer_predict_unpowered(&o, bad[i]);
        CHECK(!memcmp(&o, &whole, sizeof o));
    }
    pp_observer a = whole, b = whole;
    pp_observer_predict(&a, NAN, 1, 1e-3);
    pp_observer_predict_unpowered(&b, 1e-3);
    CHECK(!memcmp(a.P, b.P, sizeof a.P) && a.x[PP_X_WE] == b.x[PP_X_WE]);
}

/* Lost: shown once at least, then begun anew, with any speed. */
TEST(a_lost_estimate_begins_anew)
{
    for (int unscented = 0; unscented < 2; unscented++)
        for (int variance = 0; variance < 2; variance++) {
            pp_observer o = observer();
            *(variance ? &o.P[PP_X_LOAD][PP_X_LOAD] : &o.x[PP_X_IQ]) = (pp_real)NAN;
            CHECK(pp_observer_quality(&o) == PP_QUALITY_INCONSISTENT);
            CHECK(isnan(pp_observer_estimate(&o, PP_ESTIMATE_current_residual)));
            CHECK(isnan(pp_observer_estimate(&o, variance ? PP_ESTIMATE_torque_load_sigma
                                                          : PP_ESTIMATE_iq)));
            for (int k = 0; k < 2; k++)
                if (unscented)
                    pp_observer_unscented(&o, 0, 0, 1e-4, 0, 0);
                else
                    pp_observer_step(&o, 0, 0, 1e-4, 0, 0);
            CHECK(pp_observer_quality(&o) == PP_QUALITY_STARTING && o.count <= 1 && !o.lost);
            pp_observer_speed(&o, 400, 0.1);
            NEAR(pp_observer_estimate(&o, PP_ESTIMATE_omega_m), 400, 1);
        }
}

TEST(rows_of_a_time)
{
    CHECK(pp_twin_samples(4.5, 1) == 5 && pp_twin_samples(3.5, 1) == 4 &&
          pp_twin_samples(3.49, 1) == 3);
    CHECK(pp_twin_samples(0, 1) == 0 && pp_twin_samples(9999999999.0, 1) == 9999999999L);
    CHECK(pp_twin_samples(1e10, 1) == -1 && pp_twin_samples(-1, 1) == -1 &&
          pp_twin_samples(1, 0) == -1);
    for (int i = 0; i < 5; i++)
        CHECK(pp_twin_samples(NONE[i], 1e-4) == -1);
    CHECK(pp_twin_samples(1, NAN) == -1);
}

/* A load that was to set in later is the one asked for at once. */
TEST(what_is_asked_for_holds_from_now_on)
{
    pp_params params;
    pp_twin twin;
    pp_state state;
    pp_output out;
    pp_params_default(&params);
    params.load.torque = 0.3, params.load.t_on = 1000;
    CHECK(pp_twin_setup(&params, NULL, &twin) == PP_OK);
    pp_twin_start(&twin, &state);
    pp_twin_set_reference(&twin, 5, 0.02);
    const pp_input input = pp_twin_scenario(&twin, &state);
    CHECK(input.load_torque == (double)PP_R(0.02) && input.speed_ref == 5);
    pp_twin_step(&twin, &state, input, &out);
    CLOSE(out.channel[PP_CHANNEL_torque_load], 0.02, 1e-6);
}

void unit_borders(void)
{
    functions_of_no_number();
    differences_need_their_room();
    differences_hold_whole_numbers_below_2_to_30();
    coils_that_reach_round();
    measurements_of_no_number_are_missed();
    deviations_are_positive();
    time_passes_forward_only();
    a_lost_estimate_begins_anew();
    rows_of_a_time();
    what_is_asked_for_holds_from_now_on();
}
