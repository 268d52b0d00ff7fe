/* tests/c/servo.h: the servo motor of the twin's tests, and a run of it. */
#ifndef POLEPAIR_TEST_SERVO_H
#define POLEPAIR_TEST_SERVO_H

#include "rows.h"
#include "unit.h"

enum { ROWS = 2001 };
static double out[ROWS * PP_CHANNEL_COUNT];

static const int all[PP_CHANNEL_COUNT] = {0,  1,  2,  3,  4,  5,  6,  7,  8, 9,
                                          10, 11, 12, 13, 14, 15, 16, 17, 18};

static double at(long row, int channel) { return out[row * PP_CHANNEL_COUNT + channel]; }
#define AT(row, name) at((row), PP_CHANNEL_##name)

/* A salient servo motor. */
static pp_params servo(void)
{
    pp_params p;
    pp_params_default(&p);
    p.datasheet.R_phase = 0.5, p.datasheet.Ld = 2e-3, p.datasheet.Lq = 3e-3,
    p.datasheet.psi_pm = 0.05;
    p.datasheet.J = 2e-4, p.rotor.pole_pairs = 3;
    p.drive.u_dc = 100, p.drive.i_max = 20;
    p.control.speed_ref = 100, p.control.alpha_s = 80;
    return p;
}

static pp_twin ready(const pp_params *p)
{
    pp_twin t;
    memset(&t, 0, sizeof t);
    CHECK(pp_twin_setup(p, NULL, &t) == PP_OK);
    return t;
}

/* `rows` rows of every channel from the start. */
static void record(const pp_params *p, long rows, long every)
{
    pp_twin t = ready(p);
    pp_state s;
    pp_twin_start(&t, &s);
    CHECK(run_rows(&t, &s, rows, every, true, all, PP_CHANNEL_COUNT, out) == PP_OK);
    CHECK(s.sample == (rows - 1) * every);
}

#endif
