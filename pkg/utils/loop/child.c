#include "pkg/utils/loop/loop.h"

#include "pkg/utils/loop/state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHILD_FILES_MAX 16u

struct sw_child {
    uv_process_t uv;
    struct sw_list node;
    void (*on_exit)(void *ctx, struct sw_child *child, int status, int signal);
    void *ctx;
    bool has_exited;
    bool is_freed; /* By its user: only the exit is waited for. */
};

static void on_child_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void child_close(struct sw_child *child)
{
    sw_list_remove(&child->node);
    uv_close((uv_handle_t *)&child->uv, on_child_closed);
}

static void on_uv_exit(uv_process_t *process, int64_t status, int number)
{
    struct sw_child *child = process->data;

    child->has_exited = true;
    if (child->is_freed)
        child_close(child);
    else if (child->on_exit != NULL)
        child->on_exit(child->ctx, child, (int)status, number);
}

/* What libuv is to do with each descriptor: all are inherited, /dev/null stands for -1. */
static void map_files(const struct sw_child_options *options, int null_file,
                      uv_stdio_container_t *ret_files)
{
    for (size_t i = 0; i < options->files_count; i++) {
        ret_files[i].flags = UV_INHERIT_FD;
        ret_files[i].data.fd = options->files[i] < 0 ? null_file : options->files[i];
    }
}

/* libuv wants arrays of plain pointers, which it does not write through. */
static char **plain(const char *const *words)
{
    union {
        const char *const *from;
        char **to;
    } cast = {.from = words};

    return cast.to;
}

enum sw_rc sw_child_start(struct sw_loop *loop, const struct sw_child_options *options,
                          struct sw_child **ret_child, struct sw_err *err)
{
    static const char *const no_environment[] = {NULL};
    uv_stdio_container_t files[CHILD_FILES_MAX];
    uv_process_options_t spawn = {.exit_cb = on_uv_exit};
    struct sw_child *child;
    int null_file, rc;

    if (options->files_count > CHILD_FILES_MAX)
        return sw_err_set(err, SW_E_INVALID, "a child gets at most %u files", CHILD_FILES_MAX);
    child = calloc(1, sizeof *child);
    if (child == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to start %s", options->arguments[0]);
    null_file = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_file < 0) {
        free(child);
        return sw_err_errno(err, errno, "/dev/null");
    }
    child->on_exit = options->on_exit;
    child->ctx = options->ctx;
    child->uv.data = child;
    sw_list_add(&loop->children, &child->node);
    /* What others opened or handed to us without close-on-exec must not reach the child. */
    (void)close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    map_files(options, null_file, files);
    spawn.file = options->arguments[0];
    spawn.args = plain(options->arguments);
    spawn.env = plain(options->environment != NULL ? options->environment : no_environment);
    spawn.stdio = files;
    spawn.stdio_count = (int)options->files_count;
    rc = uv_spawn(&loop->uv, &child->uv, &spawn);
    (void)close(null_file);
    if (rc != 0) {
        child_close(child); /* The handle is initialised even when the start fails. */
        return sw_err_set(err, sw_loop_rc(rc), "cannot start %s: %s", options->arguments[0],
                          uv_strerror(rc));
    }
    *ret_child = child;
    return SW_OK;
}

void sw_child_kill(struct sw_child *child, int signal)
{
    if (!child->has_exited)
        (void)uv_process_kill(&child->uv, signal); /* It may be gone already; the exit follows. */
}

int sw_child_pid(const struct sw_child *child)
{
    return uv_process_get_pid(&child->uv);
}

void sw_child_free(struct sw_child *child)
{
    if (child == NULL)
        return;
    if (child->has_exited) {
        child_close(child);
        return;
    }
    child->is_freed = true;
    sw_child_kill(child, SIGKILL);
}

void sw_loop_close_children(struct sw_loop *loop)
{
    SW_LIST_EACH(&loop->children, node)
    sw_child_free(SW_LIST_ITEM(node, struct sw_child, node));
}

enum sw_rc sw_socket_pair(int ret_files[2], struct sw_err *err)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret_files) != 0)
        return sw_err_errno(err, errno, "socket pair");
    return SW_OK;
}

enum sw_rc sw_socket_send(int socket, struct sw_bytes bytes, struct sw_err *err)
{
    ssize_t sent = send(socket, bytes.data, bytes.size, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (sent == (ssize_t)bytes.size)
        return SW_OK;
    return sw_err_set(err, SW_E_UNAVAILABLE, "a process does not take what it is sent");
}

/* All files of a message are ours from here on; one is kept. */
static int files_take(struct msghdr *message)
{
    int kept = -1;

    for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head != NULL;
         head = CMSG_NXTHDR(message, head)) {
        size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < count; i++) {
            int file;

            (void)memcpy(&file, CMSG_DATA(head) + i * sizeof file, sizeof file);
            if (kept < 0)
                kept = file;
            else
                (void)close(file);
        }
    }
    return kept;
}

enum sw_rc sw_socket_receive(int socket, void *ret_bytes, size_t size, size_t *ret_size,
                             int *ret_file, struct sw_err *err)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * 4)];
        struct cmsghdr align;
    } room;
    struct iovec bytes = {ret_bytes, size};
    struct msghdr message = {.msg_iov = &bytes,
                             .msg_iovlen = 1,
                             .msg_control = room.bytes,
                             .msg_controllen = sizeof room.bytes};
    ssize_t got;

    do {
        got = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return sw_err_set(err, SW_E_UNAVAILABLE, "nothing has come yet");
    if (got <= 0)
        return sw_err_set(err, SW_E_CANCELLED, "the other end is closed");
    *ret_size = (size_t)got;
    *ret_file = files_take(&message);
    return SW_OK;
}
