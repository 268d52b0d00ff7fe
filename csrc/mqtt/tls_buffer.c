/* The same buffer over TLS. OpenSSL asks the kernel twice for each record, and paho asks OpenSSL
 * for single bytes: the linker leads paho's SSL_set_fd, SSL_read, SSL_pending and SSL_write here. A
 * buffer between OpenSSL and the socket reads up to 64 KiB ahead (OpenSSL's own would move all that
 * is left of it for each record), and whatever records came whole are decrypted at once. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "connection.h"

enum { RECORD = 1 << 14 }; /* bytes of the largest record, decrypted */

void __wrap_ERR_clear_error(void);
int __wrap_SSL_set_fd(SSL *tls, int fd);
int __wrap_SSL_read(SSL *tls, void *to, int want);
int __wrap_SSL_pending(const SSL *tls);
int __wrap_SSL_write(SSL *tls, const void *from, int length);

void __real_ERR_clear_error(void);
int __real_SSL_set_fd(SSL *tls, int fd);
int __real_SSL_read(SSL *tls, void *to, int want);
int __real_SSL_pending(const SSL *tls);
int __real_SSL_write(SSL *tls, const void *from, int length);

/* paho clears OpenSSL's sixteen errors before each byte; there are hardly ever any. */
void __wrap_ERR_clear_error(void)
{
    if (ERR_peek_error())
        __real_ERR_clear_error();
}

/* Reads go through a buffer, writes do not. Without memory for one they go as they did. */
static void buffer_reads(SSL *tls)
{
    BIO *kernel = SSL_get_rbio(tls);
    BIO *buffer = BIO_new(BIO_f_buffer());
    if (!buffer)
        return;
    if (BIO_set_read_buffer_size(buffer, PP_READ_ROOM) != 1 || !BIO_up_ref(kernel)) {
        BIO_free(buffer);
        return;
    }
    BIO_push(buffer, kernel);
    SSL_set0_rbio(tls, buffer);
}

int __wrap_SSL_set_fd(SSL *tls, int fd)
{
    int done = __real_SSL_set_fd(tls, fd);
    if (done == 1)
        buffer_reads(tls);
    return done;
}

/* Bytes that the kernel need not be asked for; records among them may not be whole. */
static bool has_more(SSL *tls)
{
    return SSL_has_pending(tls) || BIO_pending(SSL_get_rbio(tls)) > 0;
}

/* Decrypts records until none is whole or there is no room for another; the first one's return
 * value where it failed. */
static int fill(SSL *tls, pp_connection *connection)
{
    int got = __real_SSL_read(tls, connection->bytes, PP_READ_ROOM);
    int more = got > 0 && has_more(tls);
    int filled = got;
    while (more && filled + RECORD <= PP_READ_ROOM) {
        int next = __real_SSL_read(tls, connection->bytes + filled, PP_READ_ROOM - filled);
        more = next > 0 && has_more(tls);
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
