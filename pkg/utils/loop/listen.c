#include "pkg/utils/loop/loop.h"

#include "pkg/utils/loop/state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LISTEN_BACKLOG 1024
#define KEEPALIVE_S 60u

struct sw_listener {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct sw_loop *loop;
    struct sw_list node;
    void (*accept)(void *ctx, struct sw_stream *stream);
    void *ctx;
    char *path; /* Of a Unix socket, to be removed at the end. */
    uint16_t port;
};

/* Split "host:port" or "[host]:port" into the two. */
static bool address_split(const char *text, struct loop_address *ret_address)
{
    const char *end, *host = text;
    char *rest;
    size_t size;
    unsigned long port;

    if (text[0] == '[') {
        host = text + 1;
        end = strchr(host, ']');
        if (end == NULL || end[1] != ':')
            return false;
        size = (size_t)(end - host);
        end++;
    } else {
        end = strchr(text, ':');
        if (end == NULL || end != strrchr(text, ':'))
            return false;
        size = (size_t)(end - host);
    }
    if (size == 0 || size >= sizeof ret_address->host || end[1] < '0' || end[1] > '9')
        return false;
    port = strtoul(end + 1, &rest, 10);
    if (*rest != '\0' || port > UINT16_MAX)
        return false;
    (void)memcpy(ret_address->host, host, size);
    ret_address->host[size] = '\0';
    (void)snprintf(ret_address->port, sizeof ret_address->port, "%u", (unsigned)(uint16_t)port);
    return true;
}

enum sw_rc sw_loop_address_parse(const char *text, struct loop_address *ret_address,
                                 struct sw_err *err)
{
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    int port;

    (void)memset(ret_address, 0, sizeof *ret_address);
    if (text[0] == '/') {
        if (strlen(text) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
            return sw_err_set(err, SW_E_INVALID, "%s: too long for a socket's path", text);
        ret_address->is_unix = true;
        (void)memcpy(ret_address->host, text, strlen(text) + 1);
        return SW_OK;
    }
    if (!address_split(text, ret_address)) {
        (void)sw_err_set(err, SW_E_INVALID, "%s: not an address", text);
        sw_err_hint(err, "write host:port, such as 127.0.0.1:7420 or [::1]:7420");
        return SW_E_INVALID;
    }
    port = atoi(ret_address->port);
    if (uv_ip4_addr(ret_address->host, port, &four) == 0)
        (void)memcpy(&ret_address->socket, &four, sizeof four);
    else if (uv_ip6_addr(ret_address->host, port, &six) == 0)
        (void)memcpy(&ret_address->socket, &six, sizeof six);
    else
        ret_address->is_name = true;
    return SW_OK;
}

static void on_connection(uv_stream_t *server, int status)
{
    struct sw_listener *listener = server->data;
    struct sw_stream *stream;

    if (status != 0)
        return; /* One connection was lost before it was accepted; the listener goes on. */
    stream = sw_stream_make(listener->loop, listener->path != NULL);
    if (stream == NULL)
        return; /* libuv keeps it and stops accepting; memory is out. */
    if (uv_accept(server, sw_stream_uv(stream)) != 0) {
        sw_stream_close(stream);
        return;
    }
    if (listener->path == NULL) {
        (void)uv_tcp_nodelay((uv_tcp_t *)sw_stream_uv(stream), 1);
        (void)uv_tcp_keepalive((uv_tcp_t *)sw_stream_uv(stream), 1, KEEPALIVE_S);
    }
    listener->accept(listener->ctx, stream);
}

/* True when a socket file is there that nobody listens on. */
static bool is_stale(const struct sockaddr_un *address)
{
    struct stat status;
    int file;
    bool is_refused;

    if (lstat(address->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return false;
    file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (file < 0)
        return false;
    is_refused = connect(file, (const struct sockaddr *)address, sizeof *address) != 0 &&
                 errno == ECONNREFUSED;
    (void)close(file);
    return is_refused;
}

/* Bind with mode 0600 from the first moment: Linux takes the mode from the socket itself. */
static enum sw_rc bind_unix(struct sw_listener *listener, const char *path, struct sw_err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc;

    if (file < 0)
        return sw_err_errno(err, errno, "socket");
    (void)memcpy(address.sun_path, path, strlen(path) + 1);
    (void)fchmod(file, S_IRUSR | S_IWUSR);
    rc = bind(file, (const struct sockaddr *)&address, sizeof address);
    if (rc != 0 && errno == EADDRINUSE && is_stale(&address) && unlink(path) == 0)
        rc = bind(file, (const struct sockaddr *)&address, sizeof address);
    if (rc != 0) {
        rc = errno;
        (void)close(file);
        return sw_loop_error(err, -rc, path);
    }
    rc = uv_pipe_open(&listener->uv.pipe, file);
    if (rc != 0) {
        (void)close(file);
        return sw_loop_error(err, rc, path);
    }
    listener->path = strdup(path);
    if (listener->path == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to listen on %s", path);
    return SW_OK;
}

static enum sw_rc bind_tcp(struct sw_listener *listener, const struct loop_address *address,
                           const char *text, struct sw_err *err)
{
    struct sockaddr_storage bound;
    int size = sizeof bound;
    int rc;

    if (address->is_name) {
        (void)sw_err_set(err, SW_E_INVALID, "%s: listening needs a numeric address", text);
        sw_err_hint(err, "127.0.0.1:PORT for this machine only, 0.0.0.0:PORT for all interfaces");
        return SW_E_INVALID;
    }
    rc = uv_tcp_bind(&listener->uv.tcp, (const struct sockaddr *)&address->socket, 0);
    if (rc == 0)
        rc = uv_tcp_getsockname(&listener->uv.tcp, (struct sockaddr *)&bound, &size);
    if (rc != 0)
        return sw_loop_error(err, rc, text);
    /* The port stands at the same place in both families. */
    listener->port = ntohs(((const struct sockaddr_in *)(const void *)&bound)->sin_port);
    return SW_OK;
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct sw_listener *listener = handle->data;

    free(listener->path);
    free(listener);
}

void sw_listener_free(struct sw_listener *listener)
{
    if (listener == NULL)
        return;
    if (listener->path != NULL)
        (void)unlink(listener->path);
    sw_list_remove(&listener->node);
    uv_close(&listener->uv.handle, on_listener_closed);
}

void sw_loop_close_listeners(struct sw_loop *loop)
{
    SW_LIST_EACH(&loop->listeners, node)
    sw_listener_free(SW_LIST_ITEM(node, struct sw_listener, node));
}

enum sw_rc sw_listener_new(struct sw_loop *loop, const char *address,
                           void (*accept)(void *ctx, struct sw_stream *stream), void *ctx,
                           struct sw_listener **ret_listener, struct sw_err *err)
{
    struct loop_address parsed;
    struct sw_listener *listener;
    enum sw_rc rc = sw_loop_address_parse(address, &parsed, err);
    int number;

    if (rc != SW_OK)
        return rc;
    listener = calloc(1, sizeof *listener);
    if (listener == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to listen on %s", address);
    listener->loop = loop;
    listener->accept = accept;
    listener->ctx = ctx;
    if (parsed.is_unix)
        (void)uv_pipe_init(&loop->uv, &listener->uv.pipe, 0);
    else
        (void)uv_tcp_init(&loop->uv, &listener->uv.tcp);
    listener->uv.handle.data = listener;
    sw_list_add(&loop->listeners, &listener->node);
    rc = parsed.is_unix ? bind_unix(listener, parsed.host, err)
                        : bind_tcp(listener, &parsed, address, err);
    if (rc == SW_OK) {
        number = uv_listen(&listener->uv.stream, LISTEN_BACKLOG, on_connection);
        if (number != 0) /* libuv reports some failures of bind only here. */
            rc = sw_loop_error(err, number, address);
    }
    if (rc != SW_OK) {
        sw_listener_free(listener);
        return rc;
    }
    *ret_listener = listener;
    return SW_OK;
}

enum sw_rc sw_listener_adopt(struct sw_loop *loop, int file,
                             void (*accept)(void *ctx, struct sw_stream *stream), void *ctx,
                             struct sw_listener **ret_listener, struct sw_err *err)
{
    struct sw_listener *listener = calloc(1, sizeof *listener);
    int rc;

    if (listener == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a listener");
    listener->loop = loop;
    listener->accept = accept;
    listener->ctx = ctx;
    (void)uv_tcp_init(&loop->uv, &listener->uv.tcp);
    listener->uv.handle.data = listener;
    sw_list_add(&loop->listeners, &listener->node);
    rc = uv_tcp_open(&listener->uv.tcp, file);
    if (rc != 0)
        (void)close(file);
    else
        rc = uv_listen(&listener->uv.stream, LISTEN_BACKLOG, on_connection);
    if (rc != 0) {
        sw_listener_free(listener);
        return sw_loop_error(err, rc, "listener");
    }
    *ret_listener = listener;
    return SW_OK;
}

uint16_t sw_listener_port(const struct sw_listener *listener)
{
    return listener->port;
}
