/* swarm-process: a stranger's program, in a root, namespaces, limits and a system call filter of
 * its own. Started by swarmd only; pkg/agent/runtime/process/launch.h is what the two say.
 *
 *     swarmd -- swarm-process, waits and ends with what follows
 *                 '- first process of the namespaces: this code, no privileges, same filter
 *                      '- the program, and what it starts
 *
 * Who ends takes all below along: the kernel ends the middle one with its parent, and everything in
 * its namespaces with it. The middle one is there since a first process is not ended by its own
 * signals, and has to wait for orphans, neither of which programs know. */
#include "cmd/swarm-process/launcher.h"
#include "pkg/agent/runtime/process/launch.h"
#include "pkg/agent/sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONTROL 3
#define TALK 4
#define SIGNALLED 128
#define NOT_STARTED 127

/* --- Arguments ------------------------------------------------------------------------------- */

static uint64_t number_of(const char *text)
{
    return strtoull(text, NULL, 10);
}

static bool package_add(struct order *order, const char *folder)
{
    if (order->packages_count == PACKAGES_MAX)
        return false;
    order->packages[order->packages_count++] = folder;
    return true;
}

/* False: swarmd and this program are not of one build. */
static bool order_read(char **argv, struct order *ret_order)
{
    char **at = argv + 1;

    *ret_order = (struct order){0};
    for (; at[0] != NULL && at[1] != NULL && strcmp(at[0], "--") != 0; at += 2) {
        const char *value = at[1];

        if (strcmp(at[0], "--user") == 0)
            ret_order->user = (uint32_t)number_of(value);
        else if (strcmp(at[0], "--image") == 0)
            ret_order->image = value;
        else if (strcmp(at[0], "--package") == 0 && package_add(ret_order, value))
            continue;
        else if (strcmp(at[0], "--tmp") == 0)
            ret_order->tmp_bytes = number_of(value);
        else if (strcmp(at[0], "--memory") == 0)
            ret_order->memory_bytes = number_of(value);
        else if (strcmp(at[0], "--processes") == 0)
            ret_order->processes = (unsigned)number_of(value);
        else if (strcmp(at[0], "--files") == 0)
            ret_order->files = (unsigned)number_of(value);
        else if (strcmp(at[0], "--talk") == 0)
            ret_order->has_talk = number_of(value) != 0;
        else
            return false;
    }
    if (at[0] == NULL || at[1] == NULL || ret_order->image == NULL || ret_order->tmp_bytes == 0)
        return false;
    ret_order->command = at + 1;
    return true;
}

/* --- The answer ------------------------------------------------------------------------------ */

/* False: nobody is there. */
static bool answer(const struct sw_err *err, const char *missing, int listener)
{
    struct sw_launch_answer words = {.magic = SW_LAUNCH_MAGIC, .status = (int32_t)err->rc};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } room = {{0}};
    struct iovec bytes = {&words, sizeof words};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};

    (void)snprintf(words.words, sizeof words.words, "%s",
                   err->rc == SW_OK ? missing : err->message);
    (void)snprintf(words.hint, sizeof words.hint, "%s", err->hint);
    if (err->rc == SW_OK) {
        struct cmsghdr *head;

        message.msg_control = room.bytes;
        message.msg_controllen = sizeof room.bytes;
        head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(head), &listener, sizeof listener);
    }
    return sendmsg(CONTROL, &message, MSG_NOSIGNAL) == (ssize_t)sizeof words;
}

static int status_of(int status)
{
    return WIFSIGNALED(status) ? SIGNALLED + WTERMSIG(status) : WEXITSTATUS(status);
}

/* --- Inside ---------------------------------------------------------------------------------- */

/* The program: it never returns. */
static void become(const struct order *order)
{
    (void)setsid();
    if (order->has_talk)
        (void)dup2(TALK, CONTROL);
    (void)syscall(SYS_close_range, order->has_talk ? CONTROL + 1 : CONTROL, ~0u, 0);
    if (chdir("/agent") == 0)
        (void)execvp(order->command[0], order->command);
    (void)dprintf(STDERR_FILENO, "%s: %s\n", order->command[0], strerror(errno));
    _exit(NOT_STARTED);
}

static enum sw_rc settle(const struct order *order, char *missing, size_t size, struct sw_err *err)
{
    const struct sw_sandbox_options options = {.profile = SW_SANDBOX_PROCESS,
                                               .scratch = SW_LAUNCH_SCRATCH,
                                               .memory_bytes_max = order->memory_bytes,
                                               .processes_max = order->processes,
                                               .files_max = order->files,
                                               .file_bytes_max = order->tmp_bytes};
    struct sw_sandbox_view view;
    size_t used;
    enum sw_rc rc = root_make(order, missing, size, err);

    if (rc == SW_OK)
        rc = user_become(order, err);
    if (rc == SW_OK && prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) /* A change of user undid it. */
        rc = sw_err_errno(err, errno, "end with the parent");
    if (rc == SW_OK)
        rc = sw_sandbox_enter(&options, &view, err);
    if (rc != SW_OK)
        return rc;
    used = strlen(missing);
    if (view.missing[0] != '\0')
        (void)snprintf(missing + used, size - used, "%s%s", used > 0 ? ", " : "", view.missing);
    return SW_OK;
}

/* Of the namespaces: wait for whoever has no parent any more, and end with the program. */
static int first_run(const struct order *order)
{
    pid_t program = fork();
    int status = 0;

    if (program == 0)
        become(order);
    if (program < 0) {
        (void)dprintf(STDERR_FILENO, "swarm-process: %s\n", strerror(errno));
        return SW_LAUNCH_FAILED;
    }
    (void)syscall(SYS_close_range, 0, ~0u, 0);
    for (;;) {
        pid_t ended = waitpid(-1, &status, 0);

        if (ended == program)
            return status_of(status);
        if (ended < 0 && errno != EINTR)
            return SW_LAUNCH_FAILED;
    }
}

/* alive: read end of a pipe whose other end the parent has, so that it is known whether it was
 * still there when we asked to end with it. */
static int first(const struct order *order, int alive)
{
    char missing[SW_LAUNCH_WORDS_MAX] = "";
    struct sw_err err = {0};
    int listener = -1;
    struct pollfd gone = {.fd = alive, .events = POLLIN};

    if (network_open(&listener, &err) == SW_OK)
        (void)settle(order, missing, sizeof missing, &err);
    if (poll(&gone, 1, 0) != 0 || !answer(&err, missing, listener) || err.rc != SW_OK)
        return SW_LAUNCH_FAILED;
    (void)close(alive);
    (void)close(listener);
    (void)close(CONTROL);
    return first_run(order);
}

/* --- Outside --------------------------------------------------------------------------------- */

/* Ends with what is inside, or ends that when swarmd wants no more of it. */
static int watch(pid_t inside)
{
    struct pollfd polls[2] = {{.fd = (int)syscall(SYS_pidfd_open, inside, 0), .events = POLLIN},
                              {.fd = CONTROL, .events = POLLIN}};
    int status = 0;

    (void)syscall(SYS_close_range, 0, CONTROL - 1, 0);
    while (polls[0].fd >= 0 && poll(polls, 2, -1) < 0 && errno == EINTR)
        continue;
    if (polls[0].fd < 0 || (polls[0].revents == 0 && polls[1].revents != 0))
        (void)kill(inside, SIGKILL);
    while (waitpid(inside, &status, 0) < 0 && errno == EINTR)
        continue;
    return status_of(status);
}

static bool is_told_to_go(void)
{
    char byte = 0;
    ssize_t size;

    do {
        size = read(CONTROL, &byte, 1);
    } while (size < 0 && errno == EINTR);
    return size == 1 && byte == SW_LAUNCH_GO;
}

int main(int argc, char **argv)
{
    struct sw_err err = {0};
    struct order order;
    int alive[2];
    pid_t inside;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)umask(022);
    if (argc < 2 || !order_read(argv, &order)) {
        (void)dprintf(STDERR_FILENO, "swarm-process: started by swarmd, not by people\n");
        return SW_LAUNCH_FAILED;
    }
    if (!is_told_to_go())
        return SW_LAUNCH_FAILED;
    if (pipe2(alive, O_CLOEXEC) != 0)
        (void)sw_err_errno(&err, errno, "pipe");
    if (err.rc != SW_OK || namespaces_enter(&order, &err) != SW_OK) {
        (void)answer(&err, "", -1);
        return SW_LAUNCH_FAILED;
    }
    inside = fork();
    if (inside == 0) {
        (void)close(alive[1]);
        _exit(first(&order, alive[0]));
    }
    (void)close(alive[0]);
    if (order.has_talk) /* Whoever has the other end is to know when the program closes this. */
        (void)close(TALK);
    if (inside < 0) {
        (void)sw_err_errno(&err, errno, "first process");
        (void)answer(&err, "", -1);
        return SW_LAUNCH_FAILED;
    }
    /* At once: what runs at an exit, such as a sanitizer's search for leaks, may want a process of
     * its own, and there can be none any more where the first one has ended. */
    _exit(watch(inside));
}
