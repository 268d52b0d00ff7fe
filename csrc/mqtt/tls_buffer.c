/* The same buffer over TLS. OpenSSL asks the kernel twice for each record, and paho asks OpenSSL
 * for single bytes: the linker leads paho's SSL_new, SSL_read, SSL_pending and SSL_write here.
 * OpenSSL reads up to 64 KiB ahead, and whatever records came whole are decrypted at once. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "connection.h"

enum { RECORD = 1 << 14 }; /* bytes of the largest record, decrypted */

void __wrap_ERR_clear_error(void);
SSL *__wrap_SSL_new(SSL_CTX *context);
int __wrap_SSL_read(SSL *tls, void *to, int want);
int __wrap_SSL_pending(const SSL *tls);
int __wrap_SSL_write(SSL *tls, const void *from, int length);

void __real_ERR_clear_error(void);
SSL *__real_SSL_new(SSL_CTX *context);
int __real_SSL_read(SSL *tls, void *to, int want);
int __real_SSL_pending(const SSL *tls);
int __real_SSL_write(SSL *tls, const void *from, int length);

/* paho clears OpenSSL's sixteen errors before each byte; there are hardly ever any. */
void __wrap_ERR_clear_error(void)
{
    if (ERR_peek_error())
        __real_ERR_clear_error();
}

SSL *__wrap_SSL_new(SSL_CTX *context)
{
    SSL *tls = __real_SSL_new(context);
    if (tls) {
        SSL_set_default_read_buffer_len(tls, PP_READ_ROOM);
        SSL_set_read_ahead(tls, 1);
    }
    return tls;
}

/* Decrypts records until none is whole or there is no room for another; the first one's return
 * value where it failed. */
static int fill(SSL *tls, pp_connection *connection)
{
    int got = __real_SSL_read(tls, connection->bytes, PP_READ_ROOM);
    int more = got > 0 && SSL_has_pending(tls);
    int filled = got;
    while (more && filled + RECORD <= PP_READ_ROOM) {
        int next = __real_SSL_read(tls, connection->bytes + filled, PP_READ_ROOM - filled);
        more = next > 0 && SSL_has_pending(tls);
        filled += next > 0 ? next : 0;
    }
    if (got > 0)
        pp_connection_filled(connection, filled);
    __atomic_store_n(&connection->more, more, __ATOMIC_RELAXED);
    return got;
}

int __wrap_SSL_read(SSL *tls, void *to, int want)
{
    int fd = SSL_get_fd(tls);
    pp_connection *connection = pp_connection_of(fd);
    if (!connection || want <= 0)
        return __real_SSL_read(tls, to, want);
    pp_connection_reads(fd);
    if (__atomic_load_n(&connection->cut, __ATOMIC_ACQUIRE))
        return 0; /* OpenSSL and the kernel still hold bytes */
    if (pp_connection_unread(connection) <= 0) {
        int got = fill(tls, connection);
        if (got <= 0)
            return got;
    }
    return (int)pp_connection_copy(connection, to, (size_t)want);
}

int __wrap_SSL_pending(const SSL *tls)
{
    const pp_connection *connection = pp_connection_of(SSL_get_fd(tls));
    return connection ? pp_connection_ready(connection) : __real_SSL_pending(tls);
}

/* A write that failed ends the connection: whoever reads it then sees that, too. */
int __wrap_SSL_write(SSL *tls, const void *from, int length)
{
    int written = __real_SSL_write(tls, from, length);
    if (written <= 0 && SSL_get_error(tls, written) != SSL_ERROR_WANT_WRITE)
        shutdown(SSL_get_fd(tls), SHUT_RDWR);
    return written;
}
