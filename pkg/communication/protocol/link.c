#include "pkg/communication/protocol/link.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

struct link_method {
    BIO_METHOD *bio;
};

static int bio_read(BIO *bio, char *ret_bytes, int size)
{
    struct link *link = BIO_get_data(bio);
    size_t taken = link->in.size < (size_t)size ? link->in.size : (size_t)size;

    BIO_clear_retry_flags(bio);
    if (taken == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    (void)memcpy(ret_bytes, link->in.data, taken);
    link->in.data = (const char *)link->in.data + taken;
    link->in.size -= taken;
    return (int)taken;
}

static int bio_write(BIO *bio, const char *bytes, int size)
{
    struct link *link = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (link->stream == NULL)
        return size;
    /* A full queue is not waited for: the owner of the link keeps room, so it means a hostile or
     * dead peer, and the session fails. */
    return sw_stream_write(link->stream, bytes, (size_t)size) == SW_OK ? size : -1;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

struct link_method *sw_link_method_new(void)
{
    struct link_method *method = calloc(1, sizeof *method);

    if (method == NULL)
        return NULL;
    method->bio = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "swarm link");
    if (method->bio == NULL) {
        free(method);
        return NULL;
    }
    (void)BIO_meth_set_read(method->bio, bio_read); /* These only store the pointers. */
    (void)BIO_meth_set_write(method->bio, bio_write);
    (void)BIO_meth_set_ctrl(method->bio, bio_control);
    return method;
}

void sw_link_method_free(struct link_method *method)
{
    if (method == NULL)
        return;
    BIO_meth_free(method->bio);
    free(method);
}

/* Go on with the handshake as far as the bytes at hand allow. */
static enum sw_rc link_shake(struct link *link, struct sw_err *err)
{
    int result;

    ERR_clear_error();
    result = SSL_do_handshake(link->ssl);
    if (result == 1) {
        link->is_open = true;
        return SW_OK;
    }
    if (SSL_get_error(link->ssl, result) == SSL_ERROR_WANT_READ)
        return SW_OK;
    return sw_tls_error(link->ssl, "TLS handshake", err);
}

enum sw_rc sw_link_init(struct link *link, const struct link_method *method,
                        const struct sw_tls_context *tls, const char *server_name, uint64_t now_ns,
                        struct sw_err *err)
{
    enum sw_rc rc;
    BIO *bio;

    if (tls == NULL) {
        link->is_open = true;
        return SW_OK;
    }
    rc = sw_tls_session_new(tls, server_name, now_ns, &link->ssl, err);
    if (rc != SW_OK)
        return rc;
    bio = BIO_new(method->bio);
    if (bio == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a TLS session");
    BIO_set_data(bio, link);
    BIO_set_init(bio, 1);
    SSL_set_bio(link->ssl, bio, bio); /* Takes it over. */
    (void)SSL_set_mode(link->ssl, SSL_MODE_RELEASE_BUFFERS);
    return server_name != NULL ? link_shake(link, err) : SW_OK;
}

void sw_link_done(struct link *link)
{
    SSL_free(link->ssl);
    link->ssl = NULL;
}

void sw_link_feed(struct link *link, struct sw_bytes bytes)
{
    link->in = bytes;
}

static enum sw_rc read_clear(struct link *link, void *ret_bytes, size_t size, size_t *ret_size)
{
    size_t taken = link->in.size < size ? link->in.size : size;

    *ret_size = taken;
    if (taken == 0)
        return SW_OK;
    (void)memcpy(ret_bytes, link->in.data, taken);
    link->in.data = (const char *)link->in.data + taken;
    link->in.size -= taken;
    return SW_OK;
}

enum sw_rc sw_link_read(struct link *link, void *ret_bytes, size_t size, size_t *ret_size,
                        struct sw_err *err)
{
    enum sw_rc rc;
    int result;

    if (link->ssl == NULL)
        return read_clear(link, ret_bytes, size, ret_size);
    *ret_size = 0;
    if (!link->is_open) {
        rc = link_shake(link, err);
        if (rc != SW_OK || !link->is_open)
            return rc;
    }
    ERR_clear_error();
    result = SSL_read(link->ssl, ret_bytes, size > INT_MAX ? INT_MAX : (int)size);
    if (result > 0) {
        *ret_size = (size_t)result;
        return SW_OK;
    }
    switch (SSL_get_error(link->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return SW_OK;
    case SSL_ERROR_ZERO_RETURN:
        link->has_ended = true;
        return SW_OK;
    default:
        return sw_tls_error(link->ssl, "TLS", err);
    }
}

enum sw_rc sw_link_write(struct link *link, const void *bytes, size_t size)
{
    size_t written;

    if (size == 0)
        return SW_OK;
    if (link->ssl == NULL)
        return link->stream == NULL ? SW_OK : sw_stream_write(link->stream, bytes, size);
    ERR_clear_error();
    if (SSL_write_ex(link->ssl, bytes, size, &written) == 1 && written == size)
        return SW_OK;
    return sw_tls_error(link->ssl, "TLS", NULL);
}

void sw_link_shut(struct link *link)
{
    if (link->ssl == NULL || !link->is_open)
        return;
    ERR_clear_error();
    (void)SSL_shutdown(link->ssl); /* One way is enough; the stream's end follows. */
    ERR_clear_error();
}
