#include "pkg/utils/loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct end { /* What one end of a connection has seen. */
    struct fixture *f;
    struct sw_stream *stream;
    char text[4096];
    size_t size, reads;
    bool has_ended, is_closed;
    enum sw_rc rc;
    int drains;
};

struct fixture {
    struct sw_loop *loop;
    struct sw_listener *listener;
    struct sw_timer *timer; /* A test that hangs ends after five seconds. */
    struct end server, client;
    enum sw_rc connect_rc;
    bool (*is_done)(struct fixture *f);
    bool timed_out;
    char address[128];
};

static void on_timeout(void *ctx)
{
    struct fixture *f = ctx;

    f->timed_out = true;
    sw_loop_stop(f->loop);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_int_equal(sw_loop_new(&f->loop, NULL), SW_OK);
    f->timer = sw_timer_new(f->loop, on_timeout, f);
    f->server.f = f;
    f->client.f = f;
    f->connect_rc = 1;
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

/* Stop when the test's condition holds. */
static void check(struct fixture *f)
{
    if (f->is_done != NULL && f->is_done(f))
        sw_loop_stop(f->loop);
}

static void run_until(struct fixture *f, bool (*is_done)(struct fixture *f))
{
    f->is_done = is_done;
    if (is_done(f))
        return;
    sw_timer_start(f->timer, 5000);
    sw_loop_run(f->loop);
    sw_timer_stop(f->timer);
    assert_false(f->timed_out);
}

static void on_data(void *ctx, struct sw_stream *stream, struct sw_bytes bytes)
{
    struct end *end = ctx;
    size_t room = sizeof end->text - 1 - (end->size < sizeof end->text ? end->size : 0);

    (void)stream;
    if (end->size + bytes.size < sizeof end->text && bytes.size <= room)
        (void)memcpy(end->text + end->size, bytes.data, bytes.size);
    end->size += bytes.size;
    end->reads++;
    check(end->f);
}

static void on_end(void *ctx, struct sw_stream *stream)
{
    struct end *end = ctx;

    (void)stream;
    end->has_ended = true;
    check(end->f);
}

static void on_close(void *ctx, struct sw_stream *stream, enum sw_rc rc)
{
    struct end *end = ctx;

    assert_ptr_equal(stream, end->stream);
    end->stream = NULL;
    end->is_closed = true;
    end->rc = rc;
    check(end->f);
}

static void on_drain(void *ctx, struct sw_stream *stream)
{
    struct end *end = ctx;

    (void)stream;
    end->drains++;
    check(end->f);
}

static void begin(struct end *end, struct sw_stream *stream, size_t write_max)
{
    struct sw_stream_handler handler = {.ctx = end,
                                        .on_data = on_data,
                                        .on_end = on_end,
                                        .on_close = on_close,
                                        .on_drain = on_drain};

    end->stream = stream;
    sw_stream_start(stream, &handler, write_max);
}

static void on_accept(void *ctx, struct sw_stream *stream)
{
    struct fixture *f = ctx;

    begin(&f->server, stream, 1u << 20);
    check(f);
}

static void on_connect(void *ctx, enum sw_rc rc, struct sw_stream *stream)
{
    struct fixture *f = ctx;

    f->connect_rc = rc;
    if (rc == SW_OK)
        begin(&f->client, stream, 1u << 20);
    else
        assert_null(stream);
    check(f);
}

static bool is_connected(struct fixture *f)
{
    return f->server.stream != NULL && f->client.stream != NULL;
}

static bool has_answer(struct fixture *f)
{
    return f->connect_rc != 1;
}

static bool is_both_closed(struct fixture *f)
{
    return f->server.is_closed && f->client.is_closed;
}

static bool has_client_closed(struct fixture *f)
{
    return f->client.is_closed;
}

static bool has_server_ended(struct fixture *f)
{
    return f->server.has_ended;
}

static bool has_server_hello(struct fixture *f)
{
    return f->server.size >= 5;
}

static void listen_on(struct fixture *f, const char *address)
{
    assert_int_equal(sw_listener_new(f->loop, address, on_accept, f, &f->listener, NULL), SW_OK);
    (void)snprintf(f->address, sizeof f->address, "127.0.0.1:%u", sw_listener_port(f->listener));
}

static void connect_tcp(struct fixture *f)
{
    listen_on(f, "127.0.0.1:0");
    assert_int_equal(sw_stream_connect(f->loop, f->address, 2000, on_connect, f, NULL), SW_OK);
    run_until(f, is_connected);
}

static void bytes_cross_a_tcp_connection(void **state)
{
    struct fixture *f = *state;

    connect_tcp(f);
    assert_int_equal(sw_stream_write(f->client.stream, "he", 2), SW_OK);
    assert_int_equal(sw_stream_write(f->client.stream, "llo", 3), SW_OK);
    assert_int_equal(sw_stream_pending(f->client.stream), 5);
    run_until(f, has_server_hello);
    assert_string_equal(f->server.text, "hello");
    assert_int_equal(f->server.reads, 1); /* Two writes of a round are one packet. */
    assert_int_equal(sw_stream_pending(f->client.stream), 0);
    assert_true(f->client.drains > 0);
}

static void finish_delivers_all_and_both_ends_close(void **state)
{
    struct fixture *f = *state;

    connect_tcp(f);
    assert_int_equal(sw_stream_write(f->client.stream, "hello", 5), SW_OK);
    sw_stream_finish(f->client.stream);
    assert_int_equal(sw_stream_write(f->client.stream, "late", 4), SW_E_UNAVAILABLE);
    run_until(f, has_server_ended);
    assert_string_equal(f->server.text, "hello");
    assert_false(f->client.is_closed); /* It waits for the server's end. */
    sw_stream_finish(f->server.stream);
    run_until(f, is_both_closed);
    assert_int_equal(f->client.rc, SW_OK);
    assert_int_equal(f->server.rc, SW_OK);
}

static void a_half_closed_peer_can_still_be_answered(void **state)
{
    struct fixture *f = *state;
    int pair[2];
    char text[8] = {0};
    struct sw_stream *stream;

    assert_int_equal(sw_socket_pair(pair, NULL), SW_OK);
    assert_int_equal(sw_stream_adopt(f->loop, pair[0], &stream, NULL), SW_OK);
    begin(&f->server, stream, 1024);
    assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
    run_until(f, has_server_ended);
    assert_int_equal(sw_stream_write(stream, "bye", 3), SW_OK);
    sw_stream_finish(stream);
    f->client.is_closed = true;
    run_until(f, is_both_closed);
    assert_int_equal(read(pair[1], text, sizeof text), 3);
    (void)close(pair[1]);
}

static void a_full_queue_refuses_and_keeps_what_it_has(void **state)
{
    struct fixture *f = *state;
    static const char block[4096];
    int pair[2];
    struct sw_stream *stream;

    assert_int_equal(sw_socket_pair(pair, NULL), SW_OK);
    while (send(pair[0], block, sizeof block, MSG_DONTWAIT) > 0)
        ; /* The kernel takes no more. */
    assert_int_equal(sw_stream_adopt(f->loop, pair[0], &stream, NULL), SW_OK);
    begin(&f->client, stream, 10000);
    assert_int_equal(sw_stream_write(stream, block, 4096), SW_OK);
    assert_int_equal(sw_stream_write(stream, block, 4096), SW_OK);
    assert_int_equal(sw_stream_write(stream, block, 4096), SW_E_EXHAUSTED);
    assert_int_equal(sw_stream_pending(stream), 8192);
    assert_int_equal(sw_stream_write(stream, block, 10000 - 8192), SW_OK);
    assert_int_equal(sw_stream_write(stream, block, 1), SW_E_EXHAUSTED);
    (void)close(pair[1]);
}

struct flood {
    struct end *end;
    size_t sent;
};

static bool has_all_arrived(struct fixture *f)
{
    return f->server.size == 64u << 20;
}

/* The client writes whenever it has drained; the kernel's buffers are far smaller than this. */
static void on_flood_drain(void *ctx, struct sw_stream *stream)
{
    static const char block[1u << 20];
    struct flood *flood = ctx;

    if (flood->sent < 64u << 20) {
        assert_int_equal(sw_stream_write(stream, block, sizeof block), SW_OK);
        flood->sent += sizeof block;
    }
}

static void on_flood_close(void *ctx, struct sw_stream *stream, enum sw_rc rc)
{
    (void)ctx;
    (void)stream;
    (void)rc;
}

static void large_amounts_arrive_whole_with_bounded_queues(void **state)
{
    struct fixture *f = *state;
    struct flood flood = {0};
    struct sw_stream_handler handler = {.ctx = &flood,
                                        .on_data = on_data,
                                        .on_end = on_end,
                                        .on_close = on_flood_close,
                                        .on_drain = on_flood_drain};

    connect_tcp(f);
    sw_stream_start(f->client.stream, &handler, 1u << 20);
    on_flood_drain(&flood, f->client.stream);
    run_until(f, has_all_arrived);
    assert_int_equal(flood.sent, 64u << 20);
    sw_loop_free(f->loop); /* While `flood` is still there. */
    assert_int_equal(sw_loop_new(&f->loop, NULL), SW_OK);
}

static void what_gathers_is_sent_before_the_round_is_over(void **state)
{
    struct fixture *f = *state;
    struct sw_stream *stream = NULL;
    char bytes[1024] = {0}, got[65536];
    int files[2];

    assert_int_equal(sw_socket_pair(files, NULL), SW_OK);
    assert_int_equal(sw_stream_adopt(f->loop, files[0], &stream, NULL), SW_OK);
    begin(&f->client, stream, 1 << 20);
    assert_int_equal(sw_stream_write(stream, bytes, sizeof bytes), SW_OK);
    assert_int_equal(recv(files[1], got, sizeof got, MSG_DONTWAIT), -1); /* A little waits. */
    for (int i = 0; i < 31; i++)
        assert_int_equal(sw_stream_write(stream, bytes, sizeof bytes), SW_OK);
    assert_true(recv(files[1], got, sizeof got, MSG_DONTWAIT) >= 16384);
    sw_stream_close(stream);
    (void)close(files[1]);
}

static void pause_then_write(void *ctx)
{
    struct fixture *f = ctx;

    sw_stream_pause(f->server.stream);
    assert_int_equal(sw_stream_write(f->client.stream, "hello", 5), SW_OK);
}

static void resume(void *ctx)
{
    struct fixture *f = ctx;

    assert_int_equal(f->server.size, 0);
    sw_stream_resume(f->server.stream);
}

static void a_paused_stream_reads_nothing_until_resumed(void **state)
{
    struct fixture *f = *state;
    struct sw_timer *timer = sw_timer_new(f->loop, resume, f);

    connect_tcp(f);
    pause_then_write(f);
    sw_timer_start(timer, 20);
    run_until(f, has_server_hello);
    assert_string_equal(f->server.text, "hello");
}

static void close_is_told_once_with_ok(void **state)
{
    struct fixture *f = *state;

    connect_tcp(f);
    sw_stream_close(f->client.stream);
    sw_stream_close(f->client.stream);
    assert_false(f->client.is_closed); /* Never from inside the call. */
    run_until(f, has_client_closed);
    assert_int_equal(f->client.rc, SW_OK);
    run_until(f, has_server_ended);
}

static void freeing_the_loop_closes_streams_as_cancelled(void **state)
{
    struct fixture *f = *state;

    connect_tcp(f);
    sw_loop_free(f->loop);
    assert_true(f->client.is_closed);
    assert_int_equal(f->client.rc, SW_E_CANCELLED);
    assert_int_equal(sw_loop_new(&f->loop, NULL), SW_OK);
}

static void a_refused_connection_is_unavailable(void **state)
{
    struct fixture *f = *state;

    listen_on(f, "127.0.0.1:0");
    sw_listener_free(f->listener);
    assert_int_equal(sw_stream_connect(f->loop, f->address, 2000, on_connect, f, NULL), SW_OK);
    assert_int_equal(f->connect_rc, 1);
    run_until(f, has_answer);
    assert_int_equal(f->connect_rc, SW_E_UNAVAILABLE);
}

static void names_are_looked_up(void **state)
{
    struct fixture *f = *state;

    listen_on(f, "127.0.0.1:0");
    (void)snprintf(f->address, sizeof f->address, "localhost:%u", sw_listener_port(f->listener));
    assert_int_equal(sw_stream_connect(f->loop, f->address, 4000, on_connect, f, NULL), SW_OK);
    run_until(f, has_answer);
    /* localhost may be ::1 first, where nobody listens: an answer either way, and only one. */
    assert_true(f->connect_rc == SW_OK || f->connect_rc == SW_E_UNAVAILABLE);
}

static void freeing_the_loop_ends_a_lookup(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(sw_stream_connect(f->loop, "localhost:1", 4000, on_connect, f, NULL), SW_OK);
    sw_loop_free(f->loop);
    assert_true(f->connect_rc < 0);
    assert_int_equal(sw_loop_new(&f->loop, NULL), SW_OK);
}

static void words_that_are_no_address_are_refused_with_a_hint(void **state)
{
    static const char *const bad[] = {"",      "7420",   "host",      "h:",   ":7420", "h:99999",
                                      "h:12x", "::1:80", "[::1]7420", "[::1", "h:-1"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sw_err err = {0};

        assert_int_equal(sw_stream_connect(f->loop, bad[i], 10, on_connect, f, &err), SW_E_INVALID);
        assert_true(err.hint[0] != '\0');
    }
    assert_int_equal(f->connect_rc, 1);
}

static void a_busy_port_is_refused(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *other;
    struct sw_err err = {0};

    listen_on(f, "127.0.0.1:0");
    assert_int_equal(sw_listener_new(f->loop, f->address, on_accept, f, &other, &err), SW_E_EXISTS);
    assert_non_null(strstr(err.message, f->address));
}

static void listening_on_a_name_is_refused(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *listener;
    struct sw_err err = {0};

    assert_int_equal(sw_listener_new(f->loop, "localhost:0", on_accept, f, &listener, &err),
                     SW_E_INVALID);
    assert_true(err.hint[0] != '\0');
}

static void unix_path(struct fixture *f)
{
    char folder[] = "/tmp/swarm-loop-XXXXXX";

    assert_non_null(mkdtemp(folder));
    (void)snprintf(f->address, sizeof f->address, "%s/socket", folder);
}

static void remove_folder(struct fixture *f)
{
    *strrchr(f->address, '/') = '\0';
    assert_int_equal(rmdir(f->address), 0);
}

static void a_unix_socket_is_private_and_removed_at_the_end(void **state)
{
    struct fixture *f = *state;
    struct stat status;
    char text[32];

    unix_path(f);
    assert_int_equal(sw_listener_new(f->loop, f->address, on_accept, f, &f->listener, NULL), SW_OK);
    assert_int_equal(stat(f->address, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(sw_stream_connect(f->loop, f->address, 2000, on_connect, f, NULL), SW_OK);
    run_until(f, is_connected);
    assert_int_equal(sw_stream_write(f->client.stream, "hello", 5), SW_OK);
    run_until(f, has_server_hello);
    sw_stream_peer(f->server.stream, text, sizeof text);
    assert_string_equal(text, "unix");
    sw_listener_free(f->listener);
    assert_int_equal(stat(f->address, &status), -1);
    remove_folder(f);
}

static void a_stale_unix_socket_is_replaced_but_a_live_one_is_not(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *other;
    int pid, status;

    unix_path(f);
    pid = fork();
    if (pid == 0) { /* A process that dies with its socket in place. */
        struct sw_loop *loop;

        if (sw_loop_new(&loop, NULL) != SW_OK ||
            sw_listener_new(loop, f->address, on_accept, f, &other, NULL) != SW_OK)
            _exit(1);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(sw_listener_new(f->loop, f->address, on_accept, f, &f->listener, NULL), SW_OK);
    assert_int_equal(sw_listener_new(f->loop, f->address, on_accept, f, &other, NULL), SW_E_EXISTS);
    sw_listener_free(f->listener);
    remove_folder(f);
}

static void the_peer_of_a_tcp_stream_has_a_name(void **state)
{
    struct fixture *f = *state;
    char text[64];

    connect_tcp(f);
    sw_stream_peer(f->client.stream, text, sizeof text);
    assert_string_equal(text, f->address);
    sw_stream_peer(f->client.stream, text, 4);
    assert_string_equal(text, "127");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bytes_cross_a_tcp_connection),
        TEST(finish_delivers_all_and_both_ends_close),
        TEST(a_half_closed_peer_can_still_be_answered),
        TEST(a_full_queue_refuses_and_keeps_what_it_has),
        TEST(large_amounts_arrive_whole_with_bounded_queues),
        TEST(what_gathers_is_sent_before_the_round_is_over),
        TEST(a_paused_stream_reads_nothing_until_resumed),
        TEST(close_is_told_once_with_ok),
        TEST(freeing_the_loop_closes_streams_as_cancelled),
        TEST(a_refused_connection_is_unavailable),
        TEST(names_are_looked_up),
        TEST(freeing_the_loop_ends_a_lookup),
        TEST(words_that_are_no_address_are_refused_with_a_hint),
        TEST(a_busy_port_is_refused),
        TEST(listening_on_a_name_is_refused),
        TEST(a_unix_socket_is_private_and_removed_at_the_end),
        TEST(a_stale_unix_socket_is_replaced_but_a_live_one_is_not),
        TEST(the_peer_of_a_tcp_stream_has_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
