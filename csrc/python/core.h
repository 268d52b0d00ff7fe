/* python/core.h: shared by the files of the extension; the only header that includes Python.h. */
#ifndef PP_PYTHON_CORE_H
#define PP_PYTHON_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#define NPY_NO_DEPRECATED_API NPY_1_22_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL polepair_array_api
#ifndef PP_MAIN_FILE
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>

#include "polepair/machine.h"
#include "polepair/sweep.h"
#include "polepair/twin.h"

typedef struct derived_object {
    PyObject_HEAD pp_machine machine;
} derived_object;

enum { GROUPS_MAX = 32 };

/* Types of the module, one row each. */
#define PP_TYPES(X) X(params) X(derived) X(twin) X(stream) X(journal) X(observer)

typedef struct module_state {
#define PP_TYPE(name) PyTypeObject *name;
    PP_TYPES(PP_TYPE)
#undef PP_TYPE
    PyTypeObject *group[GROUPS_MAX]; /* of parameters */
} module_state;

/* Files that add types and functions to the module, one row each, in this order; -1 with an
 * exception set. */
#define PP_PARTS(X) \
    X(tables)       \
    X(params_types) \
    X(derived_type) \
    X(twin_type)    \
    X(journal_type) \
    X(stream_type)  \
    X(decoder_type) \
    X(observer_type) X(geometry) X(sweep) X(frames) X(lines)
#define PP_PART(name) int add_##name(PyObject *module, module_state *state);
PP_PARTS(PP_PART)
#undef PP_PART

typedef struct params_object {
    PyObject_HEAD module_state *state; /* lives as long as the type does */
    pp_params values;
} params_object;

/* State of the module that defined the type, or a base of it (the limited API of 3.11 has no
 * PyType_GetModuleByDef). NULL with an exception set. */
module_state *state_of(PyTypeObject *type);
/* Raises ValueError for a refusal: "where = value: text". bad_row names the parameter for PP_RANGE.
 * Returns NULL. */
PyObject *raise_status(pp_status status, const pp_params *params, int bad_row);
/* The value of row i as Python sees it: float, int or the name of a choice. */
PyObject *param_to_python(int row, double value);
/* A number of row i as a message has it, and " T" for its unit or "". New references. */
PyObject *number_text(int row, double value);
PyObject *unit_suffix(const pp_param_info *info);
/* The row that a refusal is about: that of its status, or the one behind it. */
int blamed_row(pp_status status, const pp_params *params, int row);
/* What can be added to a refusal, beginning with a semicolon: a value that would have done. */
PyObject *refusal_hint(pp_status status, const pp_params *params, int row);
/* AttributeError for a field that a group lacks, with the one that was meant. */
void raise_no_field(const char *group, PyObject *name);
/* Converts and checks a Python value for row i; -1 with an exception set when it does not fit.
 * named: a choice goes by its name only, not by its position. */
int param_from_python(int row, PyObject *value, bool named, double *out);
/* Sets an attribute of `module` to a type made from the spec; NULL with an exception set. */
PyTypeObject *add_type(PyObject *module, PyType_Spec *spec);

/* An object of a heap type, all zero; NULL with an exception set. */
PyObject *new_object(PyTypeObject *type);
/* Frees an object that owns nothing but itself, and its reference to its heap type. */
void plain_dealloc(PyObject *self);

/* Whether an object that one thread may use at a time is free; RuntimeError where it is not. */
bool is_free(bool busy, const char *what);
/* a * b * c, none negative; -1 with ValueError naming `what` where memory has no such size. */
Py_ssize_t checked_size(Py_ssize_t a, Py_ssize_t b, Py_ssize_t c, const char *what);

/* A function of METH_FASTCALL or METH_KEYWORDS in a table of methods. */
#define AS_METHOD(function) ((PyCFunction)(void (*)(void))(function))

/* Params.derive(). */
PyObject *derived_from(PyObject *self, PyObject *unused);
/* Geometry methods of Params. */
PyObject *params_outline(PyObject *self, PyObject *name);
PyObject *params_dims(PyObject *self, PyObject *unused);
PyObject *params_masses(PyObject *self, PyObject *unused);
PyObject *params_winding(PyObject *self, PyObject *unused);

#endif
