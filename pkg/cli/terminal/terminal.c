#include "pkg/cli/terminal/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_BYTES 65536
#define PRINT_BYTES_MAX 65536
#define BROKEN_PIPE_STATUS (128 + SIGPIPE)
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#endif
#define LANDLOCK_VERSION_FLAG 1u

/* Whoever reads our output has had enough: as if SIGPIPE had ended us. Or it cannot be written. */
static void end_unwritten(int reason)
{
    const char *words = strerror(reason), *parts[] = {"error: standard output: ", words, "\n"};

    for (size_t i = 0; reason != EPIPE && i < sizeof parts / sizeof *parts; i++)
        if (write(STDERR_FILENO, parts[i], strlen(parts[i])) < 0)
            break;
    _exit(reason == EPIPE ? BROKEN_PIPE_STATUS : EXIT_FAILURE);
}

static void real_write(void *ctx, enum sw_terminal_stream stream, const void *bytes, size_t size)
{
    int file = stream == SW_TERMINAL_OUT ? STDOUT_FILENO : STDERR_FILENO;
    const char *text = bytes;

    (void)ctx;
    while (size > 0) {
        ssize_t written = write(file, text, size);

        if (written < 0 && errno == EAGAIN) {
            struct pollfd ready = {.fd = file, .events = POLLOUT};

            (void)poll(&ready, 1, 1000);
            continue;
        }
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            if (stream == SW_TERMINAL_OUT)
                end_unwritten(errno);
            return;
        }
        text += written;
        size -= (size_t)written;
    }
}

static bool real_is_read(void *ctx)
{
    struct pollfd out = {.fd = STDOUT_FILENO};

    (void)ctx;
    return poll(&out, 1, 0) <= 0 || (out.revents & POLLERR) == 0;
}

static enum sw_rc read_all(int file, size_t size_max, struct sw_buffer *out, struct sw_err *err)
{
    char bytes[READ_BYTES];
    size_t total = 0;

    for (;;) {
        ssize_t got = read(file, bytes, sizeof bytes);

        if (got == 0)
            return sw_buffer_check(out) == SW_OK
                       ? SW_OK
                       : sw_err_set(err, SW_E_RANGE, "the input is larger than %zu bytes",
                                    size_max);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return sw_err_errno(err, errno, "cannot read the input");
        total += (size_t)got;
        if (total > size_max)
            return sw_err_set(err, SW_E_RANGE, "the input is larger than %zu bytes", size_max);
        sw_buffer_put(out, bytes, (size_t)got);
    }
}

static enum sw_rc real_read(void *ctx, size_t size_max, struct sw_buffer *out, struct sw_err *err)
{
    (void)ctx;
    return read_all(STDIN_FILENO, size_max, out, err);
}

static const char *real_variable(void *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

/* The child gets SIGPIPE back, which we ignore. */
static enum sw_rc spawn(const char *const *arguments, int out_file, pid_t *ret_pid,
                        struct sw_err *err)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char **words = (char **)(uintptr_t)arguments; /* posix_spawnp does not change them. */
    sigset_t signals;
    int number;

    if (posix_spawn_file_actions_init(&actions) != 0)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to run %s", arguments[0]);
    if (posix_spawnattr_init(&attributes) != 0) {
        (void)posix_spawn_file_actions_destroy(&actions);
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to run %s", arguments[0]);
    }
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGPIPE);
    (void)posix_spawnattr_setsigdefault(&attributes, &signals);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    if (out_file >= 0)
        (void)posix_spawn_file_actions_adddup2(&actions, out_file, STDOUT_FILENO);
    number = posix_spawnp(ret_pid, arguments[0], &actions, &attributes, words, environ);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    return number == 0 ? SW_OK : sw_err_errno(err, number, "cannot run %s", arguments[0]);
}

static enum sw_rc real_run(void *ctx, const char *const *arguments, struct sw_buffer *out,
                           int *ret_status, struct sw_err *err)
{
    int files[2] = {-1, -1};
    int status = 0;
    pid_t pid = 0;
    enum sw_rc rc;

    (void)ctx;
    if (out != NULL && pipe2(files, O_CLOEXEC) != 0)
        return sw_err_errno(err, errno, "cannot run %s", arguments[0]);
    rc = spawn(arguments, files[1], &pid, err);
    if (out != NULL)
        (void)close(files[1]);
    if (rc == SW_OK && out != NULL)
        rc = read_all(files[0], out->size_max, out, err);
    if (out != NULL)
        (void)close(files[0]);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (rc == SW_OK)
        *ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return rc;
}

static int real_landlock_version(void *ctx)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION_FLAG);

    (void)ctx;
    return version < 0 ? 0 : (int)version;
}

const struct sw_terminal *sw_terminal_real(void)
{
    static struct sw_terminal terminal = {.write = real_write,
                                          .is_read = real_is_read,
                                          .read = real_read,
                                          .variable = real_variable,
                                          .run = real_run,
                                          .landlock_version = real_landlock_version};
    struct winsize size;

    (void)signal(SIGPIPE, SIG_IGN);
    terminal.out_is_terminal = isatty(STDOUT_FILENO) == 1;
    terminal.error_is_terminal = isatty(STDERR_FILENO) == 1;
    if (terminal.out_is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        terminal.columns = size.ws_col;
    return &terminal;
}

void sw_terminal_put(const struct sw_terminal *terminal, enum sw_terminal_stream stream,
                     const char *text)
{
    terminal->write(terminal->ctx, stream, text, strlen(text));
}

void sw_terminal_print(const struct sw_terminal *terminal, enum sw_terminal_stream stream,
                       const char *format, ...)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    va_list arguments;
    char *room;
    int size;

    sw_buffer_init(&text, PRINT_BYTES_MAX + 1);
    va_start(arguments, format);
    size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0)
        return;
    if (size > PRINT_BYTES_MAX)
        size = PRINT_BYTES_MAX;
    room = (char *)sw_buffer_reserve(&text, (size_t)size + 1);
    if (room == NULL)
        return;
    va_start(arguments, format);
    (void)vsnprintf(room, (size_t)size + 1, format, arguments);
    va_end(arguments);
    terminal->write(terminal->ctx, stream, room, (size_t)size);
}
