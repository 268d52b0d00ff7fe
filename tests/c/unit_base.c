/* math.h, params.h, channels.h and the status codes of base.h. */
#include "unit.h"

#include "polepair/channels.h"
#include "polepair/machine.h"
#include "polepair/math.h"
#include "polepair/params.h"

TEST(circular_functions)
{
    for (int i = -4000; i <= 4000; i++) {
        double x = 0.2718281828 * i, s, c;
        NEAR(pp_sin(x), sin(x), 4e-16);
        NEAR(pp_cos(x), cos(x), 4e-16);
        pp_sincos(x, &s, &c);
        CHECK(s == pp_sin(x) && c == pp_cos(x));
        NEAR(s * s + c * c, 1, 6e-16);
    }
    NEAR(pp_sin(9.87654e5), sin(9.87654e5), 1e-15);
    NEAR(pp_cos(-9.87654e5), cos(9.87654e5), 1e-15);
    CHECK(pp_sin(0) == 0 && pp_cos(0) == 1);
    NEAR(pp_sin(PP_PI / 2), 1, 0);
    NEAR(pp_cos(PP_PI), -1, 0);
}

TEST(inverse_circular_functions)
{
    for (int i = -300; i <= 300; i++) {
        double x = i / 37.0, y = i / 300.0;
        NEAR(pp_atan(x), atan(x), 4e-16);
        NEAR(pp_asin(y), asin(y), 1e-15);
    }
    NEAR(pp_atan(1e300), PP_PI / 2, 3e-16);
    for (int k = 0; k < 16; k++) {
        double angle = PP_PI * (k - 7.5) / 8, s = sin(angle), c = cos(angle);
        NEAR(pp_atan2(3 * s, 3 * c), angle, 1e-15);
    }
    CHECK(pp_atan2(0, 0) == 0 && pp_atan2(2, 0) == PP_PI / 2 && pp_atan2(-2, 0) == -PP_PI / 2);
    CHECK(pp_atan2(0, -1) == PP_PI && pp_atan2(0, 1) == 0);
}

TEST(logarithm_and_powers)
{
    for (int i = 1; i <= 600; i++) {
        double x = 1e-6 * i * i * i, y = (i - 300) * 2.3;
        NEAR(pp_log(x), log(x), 4e-16 * (1 + fabs(log(x))));
        CLOSE(pp_exp(y), exp(y), 4e-15);
        CLOSE(pp_exp(y) * pp_exp(-y), 1, 4e-15);
    }
    CHECK(pp_log(1) == 0 && pp_exp(0) == 1);
    NEAR(pp_log(1e-300), log(1e-300), 3e-13);
    double product = 1;
    for (int n = 0; n <= 40; n++, product *= 1.1)
        CLOSE(pp_powi(1.1, n), product, 1e-14);
    CHECK(pp_powi(0, 0) == 1 && pp_powi(-2, 3) == -8 && pp_powi(7, 1) == 7);
}

TEST(small_helpers)
{
    CHECK(pp_larger(-1, 2) == 2 && pp_larger(2, -1) == 2 && pp_smaller(-1, 2) == -1);
    CHECK(pp_smaller(2, -1) == -1 && pp_magnitude(-3) == 3 && pp_magnitude(3) == 3);
    CHECK(pp_root(2.25) == 1.5);
    CHECK(pp_finite(1e308) && !pp_finite(INFINITY) && !pp_finite(-INFINITY) && !pp_finite(NAN));
}

void unit_math(void)
{
    circular_functions();
    inverse_circular_functions();
    logarithm_and_powers();
    small_helpers();
}

static void name_of(int i, char *out)
{
    const pp_param_info *row = pp_param_at(i);
    strcpy(out, row->group);
    strcat(out, ".");
    strcat(out, row->field);
}

TEST(rows_are_found_by_name)
{
    char name[128];
    for (int i = 0; i < PP_PARAM_COUNT; i++) {
        name_of(i, name);
        CHECK(pp_param_find(name) == i);
        strcat(name, "x");
        CHECK(pp_param_find(name) == -1);
    }
    const char *none[] = {"",         ".",  "magnet",    "magnet.", ".Br",
                          "magnet.B", "Br", "magnet Br", "rotor.Br"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        CHECK(pp_param_find(none[i]) == -1);
    CHECK((int)(offsetof(pp_params, magnet.Br) / sizeof(double)) == pp_param_find("magnet.Br"));
}

TEST(groups_cover_the_rows)
{
    int next = 0;
    for (int g = 0; g < pp_group_count(); g++) {
        const pp_group_info *group = pp_group_at(g);
        CHECK(group->first == next && group->count > 0 && group->doc[0]);
        for (int i = next; i < next + group->count; i++)
            TEXT(pp_param_at(i)->group, group->name);
        next += group->count;
    }
    CHECK(next == PP_PARAM_COUNT);
}

TEST(ranges_are_checked)
{
    pp_params p;
    int bad = -7;
    pp_params_default(&p);
    CHECK(pp_params_check(&p, &bad) == PP_OK && bad == -7);
    double *value = (double *)&p;
    for (int i = 0; i < PP_PARAM_COUNT; i++) {
        const pp_param_info *row = pp_param_at(i);
        CHECK(value[i] == row->def && row->min <= row->def && row->def <= row->max);
        CHECK(pp_param_valid(i, row->min) && pp_param_valid(i, row->max));
        CHECK(!pp_param_valid(i, row->min - 1e-3 * (1 + fabs(row->min))));
        CHECK(!pp_param_valid(i, row->max + 1e-3 * (1 + fabs(row->max))));
        CHECK(!pp_param_valid(i, NAN) && !pp_param_valid(i, INFINITY));
        CHECK(pp_param_valid(i, row->min + 0.5) ==
              (row->kind == PP_KIND_REAL && row->max >= row->min + 0.5));
        value[i] = row->max + 1e9;
        CHECK(pp_params_check(&p, &bad) == PP_RANGE && bad == i);
        value[i] = row->def;
    }
    value[5] = value[2] = NAN;
    CHECK(pp_params_check(&p, &bad) == PP_RANGE && bad == 2);
}

void unit_params(void)
{
    rows_are_found_by_name();
    groups_cover_the_rows();
    ranges_are_checked();
}

TEST(channels_are_found_by_name)
{
    char name[64];
    for (int i = 0; i < PP_CHANNEL_COUNT; i++) {
        const pp_channel_info *row = pp_channel_at(i);
        CHECK(pp_channel_find(row->name) == i && row->unit[0] && row->doc[0]);
        strcpy(name, row->name);
        strcat(name, "x");
        CHECK(pp_channel_find(name) == -1);
    }
    CHECK(pp_channel_find("") == -1 && pp_channel_find("omega") == -1);
    CHECK(pp_channel_find("torque_load") == PP_CHANNEL_torque_load);
}

void unit_channels(void) { channels_are_found_by_name(); }

TEST(statuses_have_texts)
{
    TEXT(pp_status_text(PP_OK), "ok");
    TEXT(pp_status_where(PP_STEP_LARGE), "drive.period");
    for (int s = 0; s < PP_STATUS_COUNT; s++) {
        const char *where = pp_status_where((pp_status)s);
        CHECK(pp_status_text((pp_status)s)[0]);
        CHECK(!where[0] || pp_param_find(where) >= 0);
    }
    CHECK(pp_status_text((pp_status)-1) == pp_status_text(PP_ARGUMENT));
    CHECK(pp_status_text((pp_status)PP_STATUS_COUNT) == pp_status_text(PP_ARGUMENT));
    CHECK(pp_status_text((pp_status)(PP_STATUS_COUNT - 1)) != pp_status_text(PP_OK));
}

TEST(derived_rows_follow_the_struct)
{
    TEXT(pp_derived_at(0)->field, "pole_pairs");
    TEXT(pp_derived_at((int)(offsetof(pp_machine, psi_pm) / sizeof(double)))->field, "psi_pm");
    TEXT(pp_derived_at(PP_DERIVED_COUNT - 1)->field, "tau_e");
}

void unit_status(void)
{
    statuses_have_texts();
    derived_rows_follow_the_struct();
}
