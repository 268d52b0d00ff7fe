/* What paho.mqtt.c 1.3 does too much between a message and its acknowledgement, mended by leading
 * its calls here (the linker's --wrap; setup.py).
 *
 * It acknowledges every message whatever the callback returns, and where a write is pending it
 * queues the number and sends it later, even on a later connection, where that number is another
 * message. Here only what was taken in this connection is acknowledged.
 *
 * A publication (QoS 1) whose write fails is freed with its command and again with the session: its
 * topic and payload belong to both. paho's own book of allocations, which untracked.c leaves out,
 * logs the second free and drops it. Here a failed write leaves the message in flight, where it is
 * until the thread that reads finds the connection dead, and is freed once. */
#include <stdbool.h>

#include "connection.h"

enum { COMPLETE = 0, FAILED = -1 }; /* paho's TCPSOCKET_COMPLETE and SOCKET_ERROR */

struct paho; /* of paho's own: passed on only */

int __wrap_MQTTPacket_send_puback(int version, int message, struct paho *net, const char *client);
void __wrap_MQTTProtocol_writeAvailable(int fd);
int __wrap_MQTTProtocol_startPublish(struct paho *client, struct paho *publish, int qos,
                                     int retained, struct paho **message);

int __real_MQTTPacket_send_puback(int version, int message, struct paho *net, const char *client);
void __real_MQTTProtocol_writeAvailable(int fd);
int __real_MQTTProtocol_startPublish(struct paho *client, struct paho *publish, int qos,
                                     int retained, struct paho **message);

static __thread int answered = -1; /* socket whose queued acknowledgements leave; -1: none */

int __wrap_MQTTPacket_send_puback(int version, int message, struct paho *net, const char *client)
{
    pp_connection *connection =
        pp_connection_of(answered >= 0 ? answered : pp_connection_read_last());
    if (connection && pp_connection_may_acknowledge(connection, message))
        return __real_MQTTPacket_send_puback(version, message, net, client);
    bool cut = connection && __atomic_load_n(&connection->cut, __ATOMIC_ACQUIRE);
    return cut ? FAILED : COMPLETE; /* the one makes paho connect anew, the other goes on */
}

void __wrap_MQTTProtocol_writeAvailable(int fd)
{
    answered = fd;
    __real_MQTTProtocol_writeAvailable(fd);
    answered = -1;
}

int __wrap_MQTTProtocol_startPublish(struct paho *client, struct paho *publish, int qos,
                                     int retained, struct paho **message)
{
    int done = __real_MQTTProtocol_startPublish(client, publish, qos, retained, message);
    return qos > 0 && done == FAILED ? COMPLETE : done;
}
