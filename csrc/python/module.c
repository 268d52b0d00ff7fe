/* The module polepair._core: its parts add themselves. Multi-phase initialisation, limited API. */
#define PP_MAIN_FILE
#include "core.h"

static int module_exec(PyObject *module)
{
    if (PyArray_ImportNumPyAPI() < 0)
        return -1;
    module_state *state = PyModule_GetState(module);
#define ADD(part)                      \
    if (add_##part(module, state) < 0) \
        return -1;
    PP_PARTS(ADD)
#undef ADD
    return PyModule_AddStringConstant(module, "version", PP_VERSION);
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    module_state *state = PyModule_GetState(module);
#define VISIT(type) Py_VISIT((PyObject *)state->type);
    PP_TYPES(VISIT)
#undef VISIT
    for (int i = 0; i < GROUPS_MAX; i++)
        Py_VISIT((PyObject *)state->group[i]);
    return 0;
}

static int module_clear(PyObject *module)
{
    module_state *state = PyModule_GetState(module);
#define CLEAR(type) Py_CLEAR(state->type);
    PP_TYPES(CLEAR)
#undef CLEAR
    for (int i = 0; i < GROUPS_MAX; i++)
        Py_CLEAR(state->group[i]);
    return 0;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_USED}, /* it is what keeps two threads out of one object */
#endif
    {0, NULL}};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_core",
    .m_doc = "C core of polepair.",
    .m_size = sizeof(module_state),
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
};

PyMODINIT_FUNC PyInit__core(void) { return PyModuleDef_Init(&definition); }
