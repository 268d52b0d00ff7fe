/* What a refusal can add: a value that would have done, the name that was meant. */
#include "core.h"

#include <math.h>
#include <string.h>

typedef pp_status judge(const pp_params *params);

static pp_status judge_machine(const pp_params *params)
{
    pp_machine machine;
    return pp_machine_derive(params, &machine);
}

static pp_status judge_twin(const pp_params *params)
{
    pp_twin twin;
    return pp_twin_setup(params, NULL, &twin);
}

static judge *judge_of(pp_status status)
{
    return status == PP_STEP_LARGE ? judge_twin : judge_machine;
}

static bool would_do(const pp_params *params, int row, double value, judge *judged)
{
    pp_params changed = *params;
    ((double *)&changed)[row] = value;
    return pp_param_valid(row, value) && judged(&changed) == PP_OK;
}

/* Three digits, towards what does. */
static double rounded(double good, double bad, bool whole)
{
    const double unit = whole ? 1 : pow(10, floor(log10(fabs(good))) - 2);
    return (bad > good ? floor(good / unit + 1e-9) : ceil(good / unit - 1e-9)) * unit;
}

/* The value nearest to what was refused, on one side of it, that would have done; NAN for none. */
static double nearest_value(const pp_params *params, int row, judge *judged, bool above)
{
    static const double shares[] = {0.9, 0.75, 0.5, 0.25, 0.1, 0.02};
    const bool whole = pp_param_at(row)->kind == PP_KIND_INT;
    const double value = ((const double *)params)[row];
    double bad = value;
    double good = NAN;
    for (size_t k = 0; k < sizeof shares / sizeof shares[0] && isnan(good); k++) {
        const double tried = above ? value / shares[k] : value * shares[k];
        const double probe = whole ? round(tried) : tried;
        if (would_do(params, row, probe, judged))
            good = probe;
        else
            bad = probe;
    }
    for (int k = 0; k < 12 && !isnan(good); k++) {
        const double middle = 0.5 * (good + bad);
        const double probe = whole ? floor(middle) : middle;
        if (would_do(params, row, probe, judged))
            good = probe;
        else
            bad = probe;
    }
    const double shown = isnan(good) || good == 0 ? NAN : rounded(good, bad, whole);
    return !isnan(shown) && would_do(params, row, shown, judged) ? shown : NAN;
}

/* "; 0.00047 m would do", or "". */
static PyObject *value_hint(const pp_params *params, int row, judge *judged)
{
    const double value = ((const double *)params)[row];
    const double below = nearest_value(params, row, judged, false);
    const double above = nearest_value(params, row, judged, true);
    const bool up = isnan(below) || (!isnan(above) && fabs(above - value) < fabs(below - value));
    const double found = up ? above : below;
    if (value == 0 || isnan(found))
        return PyUnicode_FromString("");
    PyObject *text = number_text(row, found);
    PyObject *unit = unit_suffix(pp_param_at(row));
    PyObject *hint = text && unit ? PyUnicode_FromFormat("; %U%U would do", text, unit) : NULL;
    Py_XDECREF(text);
    Py_XDECREF(unit);
    return hint;
}

/* "; the copper fills 150 %; 0.00047 m would do, or winding.turns = 7". */
static PyObject *copper_hint(const pp_params *params, int row)
{
    const double wire = ((const double *)params)[row];
    const double fits = nearest_value(params, row, judge_machine, false);
    const int turns_row = pp_param_find("winding.turns");
    const double turns = nearest_value(params, turns_row, judge_machine, false);
    PyObject *hint = value_hint(params, row, judge_machine);
    pp_params changed = *params;
    ((double *)&changed)[row] = fits;
    pp_machine machine;
    if (hint && !isnan(fits) && pp_machine_derive(&changed, &machine) == PP_OK) {
        const double fill = machine.slot_fill * (wire / fits) * (wire / fits);
        PyObject *base = hint;
        hint = PyUnicode_FromFormat("; it fills %d %%%U", (int)(100 * fill + 0.5), base);
        Py_DECREF(base);
    }
    if (hint && !isnan(turns)) {
        PyObject *base = hint;
        hint = PyUnicode_FromFormat("%U; or winding.turns = %d", base, (int)turns);
        Py_DECREF(base);
    }
    return hint;
}

/* "; Kt_rms, Kv are given", for what excludes each other on a sheet. */
static PyObject *sheet_hint(const pp_params *params)
{
    static const char *const names[] = {"Kt_block",  "Kt_peak", "Kt_rms", "Ke_ll_peak",
                                        "Ke_ll_rms", "Kv",      "psi_pm"};
    PyObject *hint = PyUnicode_FromString("");
    int count = 0;
    for (size_t k = 0; hint && k < sizeof names / sizeof names[0]; k++) {
        char full[40];
        PyOS_snprintf(full, sizeof full, "datasheet.%s", names[k]);
        if (((const double *)params)[pp_param_find(full)] <= 0)
            continue;
        PyObject *base = hint;
        hint = PyUnicode_FromFormat("%U%s%s", base, count++ ? ", " : "; given: ", names[k]);
        Py_DECREF(base);
    }
    if (!hint || count)
        return hint;
    Py_DECREF(hint);
    return PyUnicode_FromString("; given: none");
}

int blamed_row(pp_status status, const pp_params *params, int row)
{
    const int speed = pp_param_find("control.speed_ref");
    return status == PP_STEP_LARGE && would_do(params, speed, 0, judge_twin) ? speed : row;
}

PyObject *refusal_hint(pp_status status, const pp_params *params, int row)
{
    if (status == PP_SLOT_FILL)
        return copper_hint(params, row);
    if (status == PP_SHEET_FLUX)
        return sheet_hint(params);
    const bool shape = status >= PP_SLOT_BOTTOM && status <= PP_SLOT_FILL; /* rows of status.def */
    if ((!shape && status != PP_STEP_LARGE) || pp_param_at(row)->kind == PP_KIND_CHOICE)
        return PyUnicode_FromString("");
    return value_hint(params, row, judge_of(status));
}

static int lower(char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; }

/* Letters to add, take away or change between two short names; case counts little. */
static int distance(const char *a, const char *b)
{
    enum { LONGEST = 31 };
    int row[LONGEST + 1];
    const int columns = (int)strlen(b);
    if (columns > LONGEST || strlen(a) > LONGEST)
        return LONGEST;
    for (int j = 0; j <= columns; j++)
        row[j] = j;
    for (; *a; a++) {
        int diagonal = row[0]++;
        for (int j = 1; j <= columns; j++) {
            const int changed = diagonal + (lower(*a) != lower(b[j - 1]));
            const int moved = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = changed < moved ? changed : moved;
        }
    }
    return row[columns];
}

/* The field of a group that is spelled most like a name; NULL where none is. */
static const char *nearest_field(const char *group, const char *name)
{
    const char *found = NULL;
    int least = strlen(name) < 4 ? 2 : 3;
    for (int i = 0; i < PP_PARAM_COUNT; i++) {
        const pp_param_info *info = pp_param_at(i);
        const int far = strcmp(info->group, group) ? least : distance(name, info->field);
        if (far < least) {
            least = far;
            found = info->field;
        }
    }
    return found;
}

void raise_no_field(const char *group, PyObject *name)
{
    PyObject *bytes = PyUnicode_AsUTF8String(name);
    const char *field = bytes ? nearest_field(group, PyBytes_AsString(bytes)) : NULL;
    PyErr_Clear(); /* a name with surrogates is like none */
    PyObject *known = field ? NULL : PyUnicode_FromString("");
    for (int i = 0; known && i < PP_PARAM_COUNT; i++) {
        const pp_param_info *info = pp_param_at(i);
        if (strcmp(info->group, group))
            continue;
        PyObject *base = known;
        known = PyUnicode_FromFormat("%U%s%s", base, PyUnicode_GetLength(base) ? ", " : "",
                                     info->field);
        Py_DECREF(base);
    }
    if (field)
        PyErr_Format(PyExc_AttributeError, "%s.%.80U: no such parameter, did you mean %s.%s?",
                     group, name, group, field);
    else if (known)
        PyErr_Format(PyExc_AttributeError, "%s.%.80U: no such parameter, expected one of %U", group,
                     name, known);
    Py_XDECREF(known);
    Py_XDECREF(bytes);
}
