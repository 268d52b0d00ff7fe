/* mqtt/socket_buffer.h: paho.mqtt.c reads a message's header byte by byte, each with a system call,
 * and leaves Nagle's algorithm on. The linker's --wrap leads its recv, writev, poll and connect
 * here: one recv fetches up to 64 KiB, sockets get TCP_NODELAY, and acknowledgements leave
 * together. TLS sockets are read by OpenSSL and pass by. */
#ifndef PP_MQTT_SOCKET_BUFFER_H
#define PP_MQTT_SOCKET_BUFFER_H

#include <stdint.h>

/* When the bytes came that the calling thread works on [ns since 1970]. */
int64_t pp_socket_arrival(void);
/* Ends the connection that the calling thread last received from, so that nothing of it can be
 * acknowledged any more. */
void pp_socket_cut(void);

#endif
