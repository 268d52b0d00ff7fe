/* The module polepair._mqtt: one type, Client. The GIL is released in every call that may wait for
 * paho. */
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
    pp_mqtt_options options = {.keep_alive = 60, .connect_timeout = 10, .retry_max = 10};
    int clean = 1;
    if (!PyArg_ParseTupleAndKeywords(
            args, kwargs, "ss|zzzzzzziiip:Client", names, &options.uri, &options.client_id,
            &options.user, &options.password, &options.ca, &options.certificate, &options.key,
            &options.will_topic, &options.will_payload, &options.keep_alive,
            &options.connect_timeout, &options.retry_max, &clean))
        return NULL;
    options.clean = clean != 0;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    client_object *self = (client_object *)allocate(type, 0);
    if (!self)
        return NULL;
    self->home = getpid();
    self->client = pp_mqtt_new(&options);
    if (self->client)
        return (PyObject *)self;
    Py_DECREF((PyObject *)self);
    return PyErr_Format(PyExc_ValueError, "%s: not an address that MQTT can use", options.uri);
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

/* Watch: the device's birth topic and the birth that the streams were made for. */
static PyObject *client_watch(PyObject *object, PyObject *args)
{
    const char *topic;
    Py_buffer payload;
    pp_mqtt *client = open_client(object);
    if (!client || !PyArg_ParseTuple(args, "sy*:watch", &topic, &payload))
        return NULL;
    bool watched = pp_mqtt_watch(client, topic, payload.buf, (size_t)payload.len);
    PyBuffer_Release(&payload);
    if (!watched)
        return PyErr_Format(PyExc_ValueError, "watch: expected one topic of a connection");
    Py_RETURN_NONE;
}

static PyObject *client_release(PyObject *object, PyObject *args)
{
    Py_buffer payload;
    pp_mqtt *client = open_client(object);
    if (!client || !PyArg_ParseTuple(args, "y*:release", &payload))
        return NULL;
    pp_mqtt_enter(client);
    Py_BEGIN_ALLOW_THREADS
    pp_mqtt_release(client, payload.buf, (size_t)payload.len);
    pp_mqtt_leave(client);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&payload);
    Py_RETURN_NONE;
}

static PyObject *client_route(PyObject *object, PyObject *args)
{
    const char *topic;
    PyObject *capsule;
    pp_mqtt *client = open_client(object);
    if (!client || !PyArg_ParseTuple(args, "sO:route", &topic, &capsule))
        return NULL;
    const pp_stream_handle *handle = PyCapsule_GetPointer(capsule, PP_STREAM_HANDLE);
    if (!handle)
        return NULL;
    if (!pp_mqtt_route(client, topic, handle))
        return PyErr_Format(PyExc_ValueError, "route: expected at most %d topics", PP_ROUTES_MAX);
    Py_RETURN_NONE;
}

static PyObject *client_subscribe(PyObject *object, PyObject *args)
{
    const char *filter;
    int qos;
    pp_mqtt *client = open_client(object);
    if (!client || !PyArg_ParseTuple(args, "si:subscribe", &filter, &qos))
        return NULL;
    if (qos < 0 || qos > 1) /* at QoS 2 a message is the receiver's before it is taken */
        return PyErr_Format(PyExc_ValueError, "subscribe: QoS %d, expected 0 or 1", qos);
    if (!pp_mqtt_subscribe(client, filter, qos))
        return PyErr_Format(PyExc_ValueError, "subscribe: expected at most 16 filters");
    Py_RETURN_NONE;
}

static PyObject *client_connect(PyObject *object, PyObject *Py_UNUSED(unused))
{
    pp_mqtt *client = open_client(object);
    if (!client)
        return NULL;
    pp_mqtt_enter(client);
    Py_BEGIN_ALLOW_THREADS
    pp_mqtt_connect(client);
    pp_mqtt_leave(client);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *client_status(PyObject *object, PyObject *Py_UNUSED(unused))
{
    static const char *const links[] = {"connecting", "up", "lost", "refused", "closed"};
    static const char *const faults[] = {"", "network", "login", "denied", "tls"};
    pp_mqtt *client = open_client(object);
    if (!client)
        return NULL;
    pp_link_status s = pp_mqtt_status(client);
    return Py_BuildValue("{sssssssLsLsLsLsLsLsdsLsO}", "link", links[s.link], "fault",
                         faults[s.fault], "text", s.text, "connections", s.connections, "since",
                         s.since_ns, "unrouted", s.unrouted, "dropped_mail", s.dropped_mail, "cuts",
                         s.cuts, "losses", s.losses, "down", 1e-9 * (double)s.down_ns, "withheld",
                         s.withheld, "held", s.held ? Py_True : Py_False);
}

/* Waits until the link is no longer `seen` ("connecting" or "up"). */
static PyObject *client_wait(PyObject *object, PyObject *args)
{
    const char *seen;
    double seconds;
    pp_mqtt *client = open_client(object);
    if (!client || !PyArg_ParseTuple(args, "sd:wait", &seen, &seconds))
        return NULL;
    pp_link link = PP_LINK_CONNECTING;
    if (seen[0] == 'u')
        link = PP_LINK_UP;
    else if (seen[0] == 'l')
        link = PP_LINK_LOST;
    bool other = false;
    while (!other && seconds > 0) {
        double slice = seconds < 0.05 ? seconds : 0.05;
        pp_mqtt_enter(client);
        Py_BEGIN_ALLOW_THREADS
        other = pp_mqtt_wait(client, link, slice);
        pp_mqtt_leave(client);
        Py_END_ALLOW_THREADS
        seconds -= slice;
        if (PyErr_CheckSignals() < 0)
            return NULL;
        client = open_client(object); /* another thread, or a signal's handler, may close it */
        if (!client)
            return NULL;
    }
    return PyBool_FromLong(other);
}

static PyObject *client_publish(PyObject *object, PyObject *args)
{
    const char *topic;
    Py_buffer payload;
    int qos = 0;
    int retain = 0;
    pp_mqtt *client = open_client(object);
    if (!client || !PyArg_ParseTuple(args, "sy*|ip:publish", &topic, &payload, &qos, &retain))
        return NULL;
    bool sent;
    pp_mqtt_enter(client);
    Py_BEGIN_ALLOW_THREADS
    sent = pp_mqtt_publish(client, topic, payload.buf, (size_t)payload.len, qos, retain != 0);
    pp_mqtt_leave(client);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&payload);
    return PyBool_FromLong(sent);
}

/* (topic, payload, arrival, retained). */
static PyObject *mail_tuple(const pp_mail *mail)
{
    PyObject *topic = PyUnicode_DecodeUTF8(mail->topic, (Py_ssize_t)strlen(mail->topic), "replace");
    if (!topic)
        return NULL;
    return Py_BuildValue("Ny#LO", topic, mail->payload, (Py_ssize_t)mail->length, mail->arrival_ns,
                         mail->retained ? Py_True : Py_False);
}

static PyObject *client_mail(PyObject *object, PyObject *args)
{
    double seconds = 0;
    pp_mqtt *client = open_client(object);
    if (!client || !PyArg_ParseTuple(args, "|d:mail", &seconds))
        return NULL;
    pp_mail *mail = NULL;
    do {
        double slice = seconds < 0.05 ? seconds : 0.05;
        pp_mqtt_enter(client);
        Py_BEGIN_ALLOW_THREADS
        mail = pp_mqtt_take_mail(client, slice);
        pp_mqtt_leave(client);
        Py_END_ALLOW_THREADS
        seconds -= slice;
        client = PyErr_CheckSignals() < 0 ? NULL : open_client(object); /* see client_wait */
        if (!client) {
            pp_mail_free(mail);
            return NULL;
        }
    } while (!mail && seconds > 0);
    if (!mail)
        Py_RETURN_NONE;
    PyObject *out = mail_tuple(mail);
    pp_mail_free(mail);
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
    {"watch", client_watch, METH_VARARGS,
     "watch($self, topic, payload, /)\n--\n\n"
     "Holds messages for streams once another birth than this comes on the topic."},
    {"release", client_release, METH_VARARGS,
     "release($self, payload, /)\n--\n\nThe streams can take what follows this birth."},
    {"connect", client_connect, METH_NOARGS, "connect($self, /)\n--\n\nStarts connecting."},
    {"wait", client_wait, METH_VARARGS,
     "wait($self, seen, seconds, /)\n--\n\nWaits until the link is not `seen` any more."},
    {"status", client_status, METH_NOARGS,
     "status($self, /)\n--\n\nLink, fault, text and counters, a dict."},
    {"publish", client_publish, METH_VARARGS,
     "publish($self, topic, payload, qos=0, retain=False, /)\n--\n\n"
     "Queues a message; False while the link is down."},
    {"mail", client_mail, METH_VARARGS,
     "mail($self, seconds=0.0, /)\n--\n\n"
     "Oldest message of no stream: (topic, payload, arrival, retained), or None."},
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
static PyType_Spec client_spec = {.name = "polepair._mqtt.Client",
                                  .basicsize = sizeof(client_object),
                                  .flags = Py_TPFLAGS_DEFAULT,
                                  .slots = client_slots};

static int module_exec(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &client_spec, NULL);
    int failed = !type || PyModule_AddType(module, (PyTypeObject *)type) < 0;
    Py_XDECREF(type);
    return failed ? -1 : PyModule_AddStringConstant(module, "library", pp_mqtt_version());
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, module_exec},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
    {0, NULL}};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_mqtt",
    .m_doc = "MQTT by paho.mqtt.c.",
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__mqtt(void) { return PyModuleDef_Init(&definition); }
