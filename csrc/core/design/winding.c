/* Star of slots: which coil belongs to which phase; spectrum and differential leakage of the
 * result. */
#include "polepair/geometry.h"
#include "polepair/winding.h"

#include "polepair/math.h"

#include <string.h>

static int gcd(int a, int b)
{
    while (b) {
        int r = a % b;
        a = b;
        b = r;
    }
    return a;
}

/* The rounded pole pitch; for a single layer the odd span next to it. */
static int default_span(int slots, int pole_pairs, int layers)
{
    /* a pitch of 1.5 slots means tooth coils */
    int span = (slots + pole_pairs - 1) / (2 * pole_pairs);
    if (span < 1)
        span = 1;
    if (layers == 1 && span % 2 == 0)
        span--;
    return span;
}

/* 60-degree belts of the star: +a -c +b -a +c -b. */
static int phase_of_spoke(int spoke, int spokes)
{
    static const int8_t belt[6] = {1, -3, 2, -1, 3, -2};
    return belt[6 * spoke / spokes];
}

static void add_coil(pp_winding *w, int slot, int phase)
{
    PP_ASSERT(slot >= 0 && slot < w->slots && phase != 0);
    const int sign = phase < 0 ? -1 : 1;
    const int row = sign * phase - 1;
    const int back = (slot + w->span) % w->slots;
    w->coil_phase[slot] = (int8_t)phase;
    w->conductors[row][slot] = (int8_t)(w->conductors[row][slot] + sign);
    w->conductors[row][back] = (int8_t)(w->conductors[row][back] - sign);
}

/* A phasor that goes round the slots, one step of the angle a slot. */
typedef struct rotation {
    double cosine, sine;           /* now */
    double step_cosine, step_sine; /* of one step */
} rotation;

static rotation rotation_by(double step)
{
    rotation angle = {.cosine = 1};
    pp_sincos(step, &angle.step_sine, &angle.step_cosine);
    return angle;
}

static void rotate(rotation *angle)
{
    const double next = angle->cosine * angle->step_cosine - angle->sine * angle->step_sine;
    angle->sine = angle->sine * angle->step_cosine + angle->cosine * angle->step_sine;
    angle->cosine = next;
}

/* Sum over the slots of conductors e^(j order 2 pi slot / slots) of one phase. */
static void phasor(const pp_winding *w, int phase, int order, double *re, double *im)
{
    PP_ASSERT(phase >= 0 && phase < 3);
    rotation angle = rotation_by(2 * PP_PI * (order % w->slots) / w->slots);
    double sum_re = 0;
    double sum_im = 0;
    for (int i = 0; i < w->slots; i++) {
        sum_re += w->conductors[phase][i] * angle.cosine;
        sum_im += w->conductors[phase][i] * angle.sine;
        rotate(&angle);
    }
    *re = sum_re;
    *im = sum_im;
}

/* Three equal phasors, 120 degrees apart, none zero. */
static bool balanced(const pp_winding *w)
{
    double re[3], im[3];
    for (int k = 0; k < 3; k++)
        phasor(w, k, w->pole_pairs, &re[k], &im[k]);
    const double a2 = re[0] * re[0] + im[0] * im[0];
    const double b2 = re[1] * re[1] + im[1] * im[1];
    const double sum_re = re[0] + re[1] + re[2];
    const double sum_im = im[0] + im[1] + im[2];
    const double tolerance = 1e-9 * a2;
    return a2 > 1e-6 && pp_magnitude(a2 - b2) < tolerance &&
           sum_re * sum_re + sum_im * sum_im < tolerance;
}

pp_status pp_winding_layout(int slots, int pole_pairs, int layers, int span, pp_winding *winding)
{
    PP_ASSERT(layers == 1 || layers == 2);
    if (slots < 3 || slots > PP_SLOTS_MAX || pole_pairs < 1)
        return PP_UNBALANCED;
    const int periods = gcd(slots, pole_pairs);
    const int spokes = slots / periods;
    if (spokes % 3)
        return PP_UNBALANCED;
    if (span == 0)
        span = default_span(slots, pole_pairs, layers);
    if (span >= slots || (span * pole_pairs) % slots == 0)
        return PP_COIL_SPAN;
    if (layers == 1 && (slots % 6 || span % 2 == 0))
        return PP_SINGLE_LAYER;
    const int step = layers == 1 ? 2 : 1; /* from coil to coil */
    pp_winding w;
    memset(&w, 0, sizeof w);
    w.slots = slots;
    w.pole_pairs = pole_pairs;
    w.span = span;
    w.layers = layers;
    w.coils_per_phase = slots / (3 * step);
    for (int i = 0; i < slots; i += step) {
        const int spoke = (int)((int64_t)i * pole_pairs % slots) / periods;
        add_coil(&w, i, phase_of_spoke(spoke, spokes));
    }
    if (!balanced(&w))
        return layers == 1 ? PP_SINGLE_LAYER : PP_UNBALANCED;
    *winding = w;
    return PP_OK;
}

pp_status pp_winding_of(const pp_params *p, pp_winding *winding)
{
    const int pairs = (int)p->rotor.pole_pairs;
    if (pp_is_slotless(p))
        return pp_winding_layout(6 * pairs, pairs, 1, 3, winding);
    return pp_winding_layout((int)p->stator.slots, pairs, (int)p->winding.layers,
                             (int)p->winding.coil_span, winding);
}

void pp_winding_spectrum(const pp_winding *winding, int phase, double *re, double *im)
{
    for (int order = 0; order <= winding->slots / 2; order++)
        phasor(winding, phase, order, &re[order], &im[order]);
}

double pp_winding_differential_leakage(const pp_winding *winding)
{
    /* Ampere-turn polygon for currents 1, e^(-j 120), e^(-j 240) in the phases: its mean square
     * about its centre against the square of its fundamental. */
    const double half = 0.5;
    const double root = 0.86602540378443864676;
    const int n = winding->slots;
    PP_ASSERT(n >= 3 && n <= PP_SLOTS_MAX);
    double x = 0; /* corner of the polygon */
    double y = 0;
    double mean_x = 0;
    double mean_y = 0;
    double square = 0;
    double re = 0;
    double im = 0;
    rotation angle = rotation_by(2 * PP_PI * winding->pole_pairs / n);
    for (int i = 0; i < n; i++) {
        const int a = winding->conductors[0][i];
        const int b = winding->conductors[1][i];
        const int c = winding->conductors[2][i];
        const double sheet_x = a - half * (b + c);
        const double sheet_y = -root * (b - c);
        x += sheet_x;
        y += sheet_y;
        mean_x += x / n;
        mean_y += y / n;
        square += (x * x + y * y) / n;
        re += sheet_x * angle.cosine - sheet_y * angle.sine;
        im += sheet_x * angle.sine + sheet_y * angle.cosine;
        rotate(&angle);
    }
    const double gyration = square - mean_x * mean_x - mean_y * mean_y;
    /* harmonic p of the staircase: sum of the steps / (2 pi p) */
    const double wave = 2 * PP_PI * winding->pole_pairs;
    const double fundamental = (re * re + im * im) / (wave * wave);
    return gyration / fundamental - 1;
}
