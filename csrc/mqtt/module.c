/* The module polepair._mqtt: one type, Client. The GIL is released in every call that may wait for paho. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>
#include <unistd.h>

#include "client.h"

typedef struct client_object {
    PyObject_HEAD pp_mqtt *client;
    pid_t home; /* threads do not survive fork: a child must not touch the client */
} client_object;

static pp_mqtt *open_client(PyObject *object)
{
    client_object *self = (client_object *)object;
    if (self->home != getpid())
        PyErr_SetString(
            PyExc_RuntimeError,
            "this connection belongs to the parent process, expected one made after fork");
    else if (!self->client)
        PyErr_SetString(PyExc_RuntimeError, "this connection is closed");
    else
        return self->client;
    return NULL;
}

static PyObject *client_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"uri",
                            "client_id",
                            "user",
                            "password",
                            "ca",
                            "certificate",
                            "key",
                            "will_topic",
                            "will_payload",
                            "keep_alive",
                            "connect_timeout",
                            "retry_max",
                            "clean",
                            NULL};
    pp_mqtt_options o = {.keep_alive = 60, .connect_timeout = 10, .retry_max = 10};
    int clean = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "ss|zzzzzzziiip:Client", names, &o.uri,
                                     &o.client_id, &o.user, &o.password, &o.ca, &o.certificate,
                                     &o.key, &o.will_topic, &o.will_payload, &o.keep_alive,
                                     &o.connect_timeout, &o.retry_max, &clean))
        return NULL;
    o.clean = clean != 0;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    client_object *self = (client_object *)allocate(type, 0);
    if (!self)
        return NULL;
    self->home = getpid();
    self->client = pp_mqtt_new(&o);
    if (self->client)
        return (PyObject *)self;
    Py_DECREF((PyObject *)self);
    return PyErr_Format(PyExc_ValueError, "%s: not an address that MQTT can use", o.uri);
}

static void close_client(client_object *self, double seconds)
{
    pp_mqtt *client = self->client;
    self->client = NULL;
    if (!client || self->home != getpid())
        return;
    Py_BEGIN_ALLOW_THREADS
    pp_mqtt_close(client, seconds);
    Py_END_ALLOW_THREADS
}

static void client_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    close_client((client_object *)object, 0.5);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(object);
    Py_DECREF(type);
}

static PyObject *client_route(PyObject *object, PyObject *args)
{
    const char *topic;
    PyObject *capsule;
    pp_mqtt *c = open_client(object);
    if (!c || !PyArg_ParseTuple(args, "sO:route", &topic, &capsule))
        return NULL;
    const pp_stream_handle *h = PyCapsule_GetPointer(capsule, PP_STREAM_HANDLE);
    if (!h)
        return NULL;
    if (!pp_mqtt_route(c, topic, h))
        return PyErr_Format(PyExc_ValueError, "route: expected at most %d topics", PP_ROUTES_MAX);
    Py_RETURN_NONE;
}

static PyObject *client_subscribe(PyObject *object, PyObject *args)
{
    const char *filter;
    int qos;
    pp_mqtt *c = open_client(object);
    if (!c || !PyArg_ParseTuple(args, "si:subscribe", &filter, &qos))
        return NULL;
    if (qos < 0 || qos > 2 || !pp_mqtt_subscribe(c, filter, qos))
        return PyErr_Format(PyExc_ValueError,
                            "subscribe: expected QoS 0 to 2 and at most 16 filters");
    Py_RETURN_NONE;
}

static PyObject *client_connect(PyObject *object, PyObject *unused)
{
    (void)unused;
    pp_mqtt *c = open_client(object);
    if (!c)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    pp_mqtt_connect(c);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *client_status(PyObject *object, PyObject *unused)
{
    static const char *const links[] = {"connecting", "up", "lost", "refused", "closed"};
    static const char *const faults[] = {"", "network", "login", "denied", "tls"};
    (void)unused;
    pp_mqtt *c = open_client(object);
    if (!c)
        return NULL;
    pp_link_status s = pp_mqtt_status(c);
    return Py_BuildValue("{sssssssLsLsLsLsL}", "link", links[s.link], "fault", faults[s.fault],
                         "text", s.text, "connections", s.connections, "since", s.since_ns,
                         "unrouted", s.unrouted, "dropped_mail", s.dropped_mail, "cuts", s.cuts);
}

/* Waits until the link is no longer `seen` ("connecting" or "up"). */
static PyObject *client_wait(PyObject *object, PyObject *args)
{
    const char *seen;
    double seconds;
    pp_mqtt *c = open_client(object);
    if (!c || !PyArg_ParseTuple(args, "sd:wait", &seen, &seconds))
        return NULL;
    pp_link link = seen[0] == 'u' ? PP_LINK_UP : seen[0] == 'l' ? PP_LINK_LOST : PP_LINK_CONNECTING;
    bool other = false;
    while (!other && seconds > 0) {
        double slice = seconds < 0.05 ? seconds : 0.05;
        Py_BEGIN_ALLOW_THREADS
        other = pp_mqtt_wait(c, link, slice);
        Py_END_ALLOW_THREADS
        seconds -= slice;
        if (PyErr_CheckSignals() < 0)
            return NULL;
    }
    return PyBool_FromLong(other);
}

static PyObject *client_publish(PyObject *object, PyObject *args)
{
    const char *topic;
    Py_buffer payload;
    int qos = 0, retain = 0;
    pp_mqtt *c = open_client(object);
    if (!c || !PyArg_ParseTuple(args, "sy*|ip:publish", &topic, &payload, &qos, &retain))
        return NULL;
    bool sent;
    Py_BEGIN_ALLOW_THREADS
    sent = pp_mqtt_publish(c, topic, payload.buf, (size_t)payload.len, qos, retain != 0);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&payload);
    return PyBool_FromLong(sent);
}

static PyObject *client_mail(PyObject *object, PyObject *args)
{
    double seconds = 0;
    pp_mqtt *c = open_client(object);
    if (!c || !PyArg_ParseTuple(args, "|d:mail", &seconds))
        return NULL;
    pp_mail *m = NULL;
    do {
        double slice = seconds < 0.05 ? seconds : 0.05;
        Py_BEGIN_ALLOW_THREADS
        m = pp_mqtt_mail(c, slice);
        Py_END_ALLOW_THREADS
        seconds -= slice;
        if (PyErr_CheckSignals() < 0) {
            pp_mail_free(m);
            return NULL;
        }
    } while (!m && seconds > 0);
    if (!m)
        Py_RETURN_NONE;
    PyObject *topic = PyUnicode_DecodeUTF8(m->topic, (Py_ssize_t)strlen(m->topic), "replace");
    PyObject *out = topic ? Py_BuildValue("Ny#LO", topic, m->payload, (Py_ssize_t)m->length,
                                          m->arrival_ns, m->retained ? Py_True : Py_False)
                          : NULL;
    pp_mail_free(m);
    return out;
}

static PyObject *client_close(PyObject *object, PyObject *args)
{
    double seconds = 1;
    if (!PyArg_ParseTuple(args, "|d:close", &seconds))
        return NULL;
    close_client((client_object *)object, seconds);
    Py_RETURN_NONE;
}

static PyMethodDef client_methods[] = {
    {"route", client_route, METH_VARARGS,
     "route($self, topic, handle, /)\n--\n\nMessages of this topic go to the stream."},
    {"subscribe", client_subscribe, METH_VARARGS,
     "subscribe($self, filter, qos, /)\n--\n\nSubscribes after every connect."},
    {"connect", client_connect, METH_NOARGS, "connect($self, /)\n--\n\nStarts connecting."},
    {"wait", client_wait, METH_VARARGS,
     "wait($self, seen, seconds, /)\n--\n\nWaits until the link is not `seen` any more."},
    {"status", client_status, METH_NOARGS,
     "status($self, /)\n--\n\nLink, fault, text and counters, a dict."},
    {"publish", client_publish, METH_VARARGS,
     "publish($self, topic, payload, qos=0, retain=False, /)\n--\n\nQueues a message; False while "
     "the link is down."},
    {"mail", client_mail, METH_VARARGS,
     "mail($self, seconds=0.0, /)\n--\n\nOldest message of no stream: (topic, payload, arrival, "
     "retained), or None."},
    {"close", client_close, METH_VARARGS,
     "close($self, seconds=1.0, /)\n--\n\nDisconnects and ends its threads."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot client_slots[] = {{Py_tp_doc,
                                      "Client(uri, client_id, user=None, password=None, ca=None, "
                                      "certificate=None, key=None, will_topic=None, "
                                      "will_payload=None, keep_alive=60, connect_timeout=10, "
                                      "retry_max=10, clean=True)\n--\n\nOne MQTT connection."},
                                     {Py_tp_new, client_new},
                                     {Py_tp_dealloc, client_dealloc},
                                     {Py_tp_methods, client_methods},
                                     {0, NULL}};
static PyType_Spec client_spec = {"polepair._mqtt.Client", sizeof(client_object), 0,
                                  Py_TPFLAGS_DEFAULT, client_slots};

static int module_exec(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &client_spec, NULL);
    int failed = !type || PyModule_AddType(module, (PyTypeObject *)type) < 0;
    Py_XDECREF(type);
    return failed || PyModule_AddStringConstant(module, "library", pp_mqtt_version()) < 0 ? -1 : 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, module_exec},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
    {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_mqtt", "MQTT by paho.mqtt.c.", 0, NULL, slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__mqtt(void) { return PyModuleDef_Init(&definition); }
