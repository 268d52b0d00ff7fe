/* Star of slots: which coil belongs to which phase; spectrum and differential leakage of the result. */
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
    int span =
        (slots + pole_pairs - 1) / (2 * pole_pairs); /* a pitch of 1.5 slots means tooth coils */
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
    int row = (phase < 0 ? -phase : phase) - 1, sign = phase < 0 ? -1 : 1;
    int back = (slot + w->span) % w->slots;
    w->coil_phase[slot] = (int8_t)phase;
    w->conductors[row][slot] = (int8_t)(w->conductors[row][slot] + sign);
    w->conductors[row][back] = (int8_t)(w->conductors[row][back] - sign);
}

/* Sum over the slots of conductors e^(j order 2 pi slot / slots) of one phase. */
static void phasor(const pp_winding *w, int phase, int order, double *re, double *im)
{
    double s1, c1, s = 0, c = 1, sum_re = 0, sum_im = 0;
    pp_sincos(2 * PP_PI * (order % w->slots) / w->slots, &s1, &c1);
    for (int i = 0; i < w->slots; i++) {
        sum_re += w->conductors[phase][i] * c;
        sum_im += w->conductors[phase][i] * s;
        double next = c * c1 - s * s1;
        s = s * c1 + c * s1;
        c = next;
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
    double a = re[0] * re[0] + im[0] * im[0], sum_re = re[0] + re[1] + re[2],
           sum_im = im[0] + im[1] + im[2];
    double b = re[1] * re[1] + im[1] * im[1];
    double tolerance = 1e-9 * a;
    return a > 1e-6 && pp_magnitude(a - b) < tolerance &&
           sum_re * sum_re + sum_im * sum_im < tolerance;
}

pp_status pp_winding_layout(int slots, int pole_pairs, int layers, int span, pp_winding *winding)
{
    int t = gcd(slots, pole_pairs), step = layers == 1 ? 2 : 1;
    if (slots < 3 || slots > PP_SLOTS_MAX || pole_pairs < 1 || (slots / t) % 3)
        return PP_UNBALANCED;
    if (span == 0)
        span = default_span(slots, pole_pairs, layers);
    if (span >= slots || (span * pole_pairs) % slots == 0)
        return PP_COIL_SPAN;
    if (layers == 1 && (slots % 6 || span % 2 == 0))
        return PP_SINGLE_LAYER;
    pp_winding w;
    memset(&w, 0, sizeof w);
    w.slots = slots, w.pole_pairs = pole_pairs, w.span = span, w.layers = layers;
    w.coils_per_phase = slots / (3 * step);
    int spokes = slots / t;
    for (int i = 0; i < slots; i += step)
        add_coil(&w, i, phase_of_spoke((int)((int64_t)i * pole_pairs % slots) / t, spokes));
    if (!balanced(&w))
        return layers == 1 ? PP_SINGLE_LAYER : PP_UNBALANCED;
    *winding = w;
    return PP_OK;
}

void pp_winding_spectrum(const pp_winding *winding, int phase, double *re, double *im)
{
    for (int order = 0; order <= winding->slots / 2; order++)
        phasor(winding, phase, order, &re[order], &im[order]);
}

double pp_winding_differential_leakage(const pp_winding *winding)
{
    /* Ampere-turn polygon for currents 1, e^(-j 120), e^(-j 240) in the phases: its mean square about its centre
     * against the square of its fundamental. */
    const double half = 0.5, root = 0.86602540378443864676;
    int n = winding->slots;
    double x = 0, y = 0, mean_x = 0, mean_y = 0, square = 0, re = 0, im = 0, s1, c1, s = 0, c = 1;
    pp_sincos(2 * PP_PI * winding->pole_pairs / n, &s1, &c1);
    for (int i = 0; i < n; i++) {
        int a = winding->conductors[0][i], b = winding->conductors[1][i],
            d = winding->conductors[2][i];
        double sheet_x = a - half * (b + d), sheet_y = -root * (b - d);
        x += sheet_x;
        y += sheet_y;
        mean_x += x / n;
        mean_y += y / n;
        square += (x * x + y * y) / n;
        re += sheet_x * c - sheet_y * s;
        im += sheet_x * s + sheet_y * c;
        double next = c * c1 - s * s1;
        s = s * c1 + c * s1;
        c = next;
    }
    double gyration = square - mean_x * mean_x - mean_y * mean_y;
    double wave =
        2 * PP_PI *
        winding->pole_pairs; /* harmonic p of the staircase: sum of the steps / (2 pi p) */
    double fundamental = (re * re + im * im) / (wave * wave);
    return gyration / fundamental - 1;
}
