#include "pkg/utils/loop/loop.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct sw_loop *loop;
    struct sw_child *child;
    int status, signal, exits;
    char text[256]; /* What the child wrote. */
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_int_equal(sw_loop_new(&f->loop, NULL), SW_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    sw_loop_free(f->loop);
    free(f);
    return 0;
}

static void on_exit_stop(void *ctx, struct sw_child *child, int status, int signal)
{
    struct fixture *f = ctx;

    assert_ptr_equal(child, f->child);
    f->status = status;
    f->signal = signal;
    f->exits++;
    sw_loop_stop(f->loop);
}

/* Start "/bin/sh -c script" with the files and remember it in the fixture. */
static enum sw_rc start(struct fixture *f, const char *script, const int *files, size_t files_count)
{
    const char *arguments[] = {"/bin/sh", "-c", script, NULL};
    const char *environment[] = {"COLOUR=blue", NULL};
    struct sw_child_options options = {.arguments = arguments,
                                       .environment = environment,
                                       .files = files,
                                       .files_count = files_count,
                                       .on_exit = on_exit_stop,
                                       .ctx = f};

    return sw_child_start(f->loop, &options, &f->child, NULL);
}

/* Run the script with its standard output going to f->text. */
static void run_script(struct fixture *f, const char *script)
{
    int pair[2];
    ssize_t size;

    assert_int_equal(sw_socket_pair(pair, NULL), SW_OK);
    int files[] = {-1, pair[1], -1};
    assert_int_equal(start(f, script, files, 3), SW_OK);
    (void)close(pair[1]);
    sw_loop_run(f->loop);
    size = read(pair[0], f->text, sizeof f->text - 1);
    assert_true(size >= 0);
    (void)close(pair[0]);
    sw_child_free(f->child);
}

static void the_status_of_an_exit_is_told(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(start(f, "exit 7", NULL, 0), SW_OK);
    assert_true(sw_child_pid(f->child) > 0);
    sw_loop_run(f->loop);
    assert_int_equal(f->status, 7);
    assert_int_equal(f->signal, 0);
    sw_child_free(f->child);
}

static void the_signal_of_a_death_is_told(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(start(f, "while :; do sleep 1; done", NULL, 0), SW_OK);
    sw_child_kill(f->child, SIGTERM);
    sw_loop_run(f->loop);
    assert_int_equal(f->signal, SIGTERM);
    sw_child_kill(f->child, SIGTERM); /* After the exit: nothing happens. */
    sw_child_free(f->child);
}

static void files_and_environment_are_what_was_asked(void **state)
{
    struct fixture *f = *state;

    run_script(f, "echo $COLOUR $HOME; ls -l /proc/self/fd/0 | sed 's/.*-> //'");
    assert_string_equal(f->text, "blue\n/dev/null\n");
}

static void higher_descriptors_are_mapped_in_any_order(void **state)
{
    struct fixture *f = *state;
    int one[2], other[2];
    char text[8] = {0};

    assert_int_equal(sw_socket_pair(one, NULL), SW_OK);
    assert_int_equal(sw_socket_pair(other, NULL), SW_OK);
    int files[] = {-1, -1, -1, other[1], one[1], -1};
    assert_int_equal(start(f, "echo 3 >&3; echo 4 >&4; echo lost >&5", files, 6), SW_OK);
    sw_loop_run(f->loop);
    assert_int_equal(f->status, 0);
    assert_int_equal(read(other[0], text, sizeof text), 2);
    assert_int_equal(text[0], '3');
    assert_int_equal(read(one[0], text, sizeof text), 2);
    assert_int_equal(text[0], '4');
    sw_child_free(f->child);
    for (int i = 0; i < 2; i++) {
        (void)close(one[i]);
        (void)close(other[i]);
    }
}

static void other_descriptors_do_not_leak_into_the_child(void **state)
{
    struct fixture *f = *state;
    int pair[2];

    assert_int_equal(sw_socket_pair(pair, NULL), SW_OK);
    run_script(f, "ls /proc/self/fd | wc -l"); /* 0, 1, 2 and the folder itself. */
    assert_string_equal(f->text, "4\n");
    (void)close(pair[0]);
    (void)close(pair[1]);
}

static void a_program_that_is_not_there_is_an_error(void **state)
{
    struct fixture *f = *state;
    const char *arguments[] = {"/nowhere/program", NULL};
    struct sw_child_options options = {.arguments = arguments, .on_exit = on_exit_stop, .ctx = f};
    struct sw_err err = {0};

    assert_int_equal(sw_child_start(f->loop, &options, &f->child, &err), SW_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "/nowhere/program"));
}

static void too_many_files_are_refused(void **state)
{
    struct fixture *f = *state;
    int files[64];

    (void)memset(files, 0xff, sizeof files);
    assert_int_equal(start(f, "true", files, 64), SW_E_INVALID);
}

static void stop_now(void *ctx)
{
    sw_loop_stop(ctx);
}

static void a_child_freed_early_is_killed_and_not_heard_of(void **state)
{
    struct fixture *f = *state;
    struct sw_timer *timer = sw_timer_new(f->loop, stop_now, f->loop);

    assert_int_equal(start(f, "sleep 1000", NULL, 0), SW_OK);
    sw_child_free(f->child);
    sw_timer_start(timer, 20);
    sw_loop_run(f->loop);
    assert_int_equal(f->exits, 0);
    sw_timer_free(timer);
}

static void freeing_the_loop_kills_what_runs(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(start(f, "sleep 1000", NULL, 0), SW_OK);
    int pid = sw_child_pid(f->child);
    sw_loop_free(f->loop);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(sw_loop_new(&f->loop, NULL), SW_OK);
}

static void bytes_and_files_cross_a_pair(void **state)
{
    const char word[] = "file";
    struct iovec bytes = {(char[]){"here"}, 4};
    union {
        char bytes[CMSG_SPACE(2 * sizeof(int))];
        struct cmsghdr align;
    } room = {{0}};
    struct msghdr message = {.msg_iov = &bytes,
                             .msg_iovlen = 1,
                             .msg_control = room.bytes,
                             .msg_controllen = sizeof room.bytes};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    int pair[2], sent[2], got = -1;
    char text[16];
    size_t size = 0;

    (void)state;
    assert_int_equal(sw_socket_pair(pair, NULL), SW_OK);
    assert_int_equal(sw_socket_receive(pair[1], text, sizeof text, &size, &got, NULL),
                     SW_E_UNAVAILABLE);
    assert_int_equal(sw_socket_send(pair[0], (struct sw_bytes){word, 4}, NULL), SW_OK);
    assert_int_equal(sw_socket_receive(pair[1], text, sizeof text, &size, &got, NULL), SW_OK);
    assert_int_equal(size, 4);
    assert_memory_equal(text, word, 4);
    assert_int_equal(got, -1);

    assert_int_equal(pipe(sent), 0); /* Two files are sent, and one is kept. */
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof sent);
    memcpy(CMSG_DATA(head), sent, sizeof sent);
    assert_int_equal(sendmsg(pair[0], &message, 0), 4);
    (void)close(sent[1]);
    assert_int_equal(sw_socket_receive(pair[1], text, sizeof text, &size, &got, NULL), SW_OK);
    assert_true(got >= 0);
    assert_int_equal(read(sent[0], text, 1), 0); /* Nobody has the other end: it was closed. */
    (void)close(got);
    (void)close(sent[0]);

    (void)close(pair[0]);
    assert_int_equal(sw_socket_receive(pair[1], text, sizeof text, &size, &got, NULL),
                     SW_E_CANCELLED);
    assert_int_equal(sw_socket_send(pair[1], (struct sw_bytes){word, 4}, NULL), SW_E_UNAVAILABLE);
    (void)close(pair[1]);
}

static void on_stranger(void *ctx, struct sw_stream *stream)
{
    sw_stream_close(stream);
    sw_loop_stop(ctx);
}

static void a_listener_of_somebody_else_is_taken_over(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    struct sw_listener *listener = NULL;
    int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_int_equal(bind(file, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(file, 4), 0);
    assert_int_equal(getsockname(file, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(sw_listener_adopt(f->loop, file, on_stranger, f->loop, &listener, NULL),
                     SW_OK);
    (void)connect(client, (struct sockaddr *)&address, sizeof address);
    sw_loop_run(f->loop);
    sw_listener_free(listener);
    (void)close(client);
    assert_int_not_equal(
        sw_listener_adopt(f->loop, open("/dev/null", O_RDWR), on_stranger, NULL, &listener, NULL),
        SW_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_status_of_an_exit_is_told),
        TEST(the_signal_of_a_death_is_told),
        TEST(files_and_environment_are_what_was_asked),
        TEST(higher_descriptors_are_mapped_in_any_order),
        TEST(other_descriptors_do_not_leak_into_the_child),
        TEST(a_program_that_is_not_there_is_an_error),
        TEST(too_many_files_are_refused),
        TEST(a_child_freed_early_is_killed_and_not_heard_of),
        TEST(freeing_the_loop_kills_what_runs),
        TEST(bytes_and_files_cross_a_pair),
        TEST(a_listener_of_somebody_else_is_taken_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
