/* uses: pkg/communication/protocol pkg/utils/system */
#include "pkg/broker/outbound/outbound.h"
#include "pkg/communication/protocol/server.h"
#include "pkg/utils/system/system.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BIG_BYTES (32u << 20)
#define PIECE_BYTES 16384u

struct asked { /* One request and what came of it. */
    struct fixture *f;
    struct sw_transfer *transfer;
    int status, ends, heads;
    struct sw_outbound_end end;
    char why[256];
    char type[64];
    struct sw_buffer body;
    bool cancels_on_head, cancels_on_body, pauses, cancels_others;
};

struct fixture {
    struct sw_loop *loop;
    struct sw_http_server *server;
    struct sw_outbound *outbound;
    struct sw_timer *guard;
    struct sw_http_request *held; /* Under /hold: never answered until let go. */
    unsigned handled, open;
    uint64_t written; /* Bytes of /big. */
    char base[64];
    struct asked asked[4];
};

static void on_gone(void *ctx, struct sw_http_request *request)
{
    struct fixture *f = ctx;

    if (request == f->held)
        f->held = NULL;
    sw_http_end(request, NULL, 0);
}

static void on_big_writable(void *ctx, struct sw_http_request *request)
{
    struct fixture *f = ctx;
    static char piece[PIECE_BYTES];

    memset(piece, 'x', sizeof piece);
    while (f->written < BIG_BYTES) {
        if (sw_http_write(request, piece, sizeof piece) != SW_OK)
            return;
        f->written += sizeof piece;
    }
    sw_http_end(request, NULL, 0);
}

static void serve(void *ctx, struct sw_http_request *request)
{
    struct fixture *f = ctx;
    struct sw_http_header type = SW_HTTP_HEADER("content-type", "text/plain");

    f->handled++;
    if (sw_bytes_is_text(request->path, "/echo")) {
        sw_http_respond_text(request, 200, "text/plain", request->body);
    } else if (sw_bytes_is_text(request->path, "/key")) {
        sw_http_respond_text(request, 429, "text/plain",
                             sw_http_header_find(request, "authorization"));
    } else if (sw_bytes_is_text(request->path, "/big")) {
        sw_http_start(request, 200, &type, 1);
        sw_http_on_cancel(request, on_gone, f);
        sw_http_on_writable(request, on_big_writable, f);
        on_big_writable(f, request);
    } else if (sw_bytes_is_text(request->path, "/cut")) {
        sw_http_start(request, 200, &type, 1);
        assert_int_equal(sw_http_write(request, "half", 4), SW_OK);
        sw_http_abort(request);
    } else { /* /hold: the head, and then nothing. */
        sw_http_start(request, 200, &type, 1);
        assert_int_equal(sw_http_write(request, "a", 1), SW_OK);
        sw_http_on_cancel(request, on_gone, f);
        f->held = request;
    }
}

static void on_guard(void *ctx)
{
    (void)ctx;
    fail_msg("nothing came for ten seconds");
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct sw_http_server_options server = {.system = sw_system_real(),
                                            .address = "127.0.0.1:0",
                                            .handler = {.ctx = f, .handle = serve}};

    assert_int_equal(sw_loop_new(&f->loop, NULL), SW_OK);
    server.loop = f->loop;
    assert_int_equal(sw_http_server_new(&server, &f->server, NULL), SW_OK);
    assert_int_equal(
        sw_outbound_new(&(struct sw_outbound_options){.loop = f->loop}, &f->outbound, NULL), SW_OK);
    (void)snprintf(f->base, sizeof f->base, "http://127.0.0.1:%u", sw_http_server_port(f->server));
    f->guard = sw_timer_new(f->loop, on_guard, f);
    sw_timer_start(f->guard, 10000);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    sw_timer_free(f->guard);
    sw_outbound_free(f->outbound);
    sw_http_server_free(f->server);
    sw_loop_free(f->loop);
    for (size_t i = 0; i < 4; i++)
        sw_buffer_done(&f->asked[i].body);
    free(f);
    return 0;
}

static void closed(struct fixture *f)
{
    if (--f->open == 0)
        sw_loop_stop(f->loop);
}

static void on_head(void *ctx, struct sw_transfer *transfer, int status)
{
    struct asked *asked = ctx;

    asked->heads++;
    asked->status = status;
    (void)snprintf(asked->type, sizeof asked->type, "%s",
                   sw_outbound_header(transfer, "content-type"));
    if (asked->cancels_on_head) {
        sw_outbound_cancel(transfer);
        closed(asked->f);
    }
    if (asked->pauses)
        sw_outbound_pause(transfer);
}

static void on_body(void *ctx, struct sw_transfer *transfer, struct sw_bytes bytes)
{
    struct asked *asked = ctx;
    struct fixture *f = asked->f;

    sw_buffer_put(&asked->body, bytes.data, bytes.size);
    if (asked->cancels_on_body) {
        sw_outbound_cancel(transfer);
        closed(f);
    }
    if (asked->cancels_others) {
        asked->cancels_others = false;
        sw_outbound_cancel(f->asked[1].transfer);
        closed(f);
    }
}

static void on_end(void *ctx, struct sw_transfer *transfer, const struct sw_outbound_end *end)
{
    struct asked *asked = ctx;

    assert_ptr_equal(transfer, asked->transfer);
    asked->ends++;
    asked->end = *end;
    (void)snprintf(asked->why, sizeof asked->why, "%s", end->why);
    closed(asked->f);
}

static enum sw_rc ask(struct fixture *f, unsigned at, struct sw_outbound_request request,
                      const char *path, struct sw_err *err)
{
    struct asked *asked = &f->asked[at];
    struct sw_outbound_handler handler = {
        .ctx = asked, .on_head = on_head, .on_body = on_body, .on_end = on_end};
    char url[128];
    enum sw_rc rc;

    (void)snprintf(url, sizeof url, "%s%s", path[0] == '/' ? f->base : "", path);
    asked->f = f;
    asked->status = asked->ends = asked->heads = 0;
    sw_buffer_done(&asked->body);
    sw_buffer_init(&asked->body, BIG_BYTES + 1);
    if (request.method == NULL)
        request.method = "POST";
    request.url = url;
    rc = sw_outbound_start(f->outbound, &request, &handler, &asked->transfer, err);
    if (rc == SW_OK)
        f->open++;
    assert_int_equal(asked->heads + asked->ends, 0);
    return rc;
}

static void test_an_answer_is_whole(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(
            ask(f, 0, (struct sw_outbound_request){.body = {"hello", 5}}, "/echo", NULL), SW_OK);
        sw_loop_run(f->loop);
        assert_int_equal(f->asked[0].status, 200);
        assert_int_equal(f->asked[0].end.rc, SW_OK);
        assert_true(f->asked[0].end.may_be_sent);
        assert_string_equal(f->asked[0].type, "text/plain");
        assert_int_equal(f->asked[0].body.size, 5);
        assert_memory_equal(f->asked[0].body.data, "hello", 5);
        assert_int_equal(sw_outbound_in_flight(f->outbound), 0);
    }
    struct sw_http_server_view view;
    sw_http_server_view(f->server, &view);
    assert_int_equal(view.connections_total, 1); /* It was kept. */
}

static void test_headers_are_sent_and_bad_ones_refused(void **state)
{
    struct fixture *f = *state;
    struct sw_outbound_header header = {"Authorization", {"Bearer k", 8}};
    struct sw_outbound_request request = {.headers = &header, .headers_count = 1, .body = {"", 0}};
    struct sw_err err = {0};

    assert_int_equal(ask(f, 0, request, "/key", NULL), SW_OK);
    sw_loop_run(f->loop);
    assert_int_equal(f->asked[0].status, 429);
    assert_memory_equal(f->asked[0].body.data, "Bearer k", 8);
    header.value = (struct sw_bytes){"k\r\nX-Evil: 1", 12};
    assert_int_equal(ask(f, 0, request, "/key", &err), SW_E_INVALID);
    assert_null(strstr(err.message, "X-Evil")); /* A value is never told. */
    header = (struct sw_outbound_header){"X-Evil: 1\r\nA", {"k", 1}};
    assert_int_equal(ask(f, 0, request, "/key", NULL), SW_E_INVALID);
    request.headers_count = 0;
    request.method = "GET /x";
    assert_int_equal(ask(f, 0, request, "/key", NULL), SW_E_INVALID);
    request.method = "GET";
    assert_int_equal(ask(f, 0, request, "file:///etc/passwd", NULL), SW_E_INVALID);
    assert_int_equal(ask(f, 0, request, "gopher://127.0.0.1/", NULL), SW_E_INVALID);
    assert_int_equal(ask(f, 0, request, "nothing", NULL), SW_E_INVALID);
    assert_int_equal(sw_outbound_in_flight(f->outbound), 0);
}

static void test_what_breaks_is_told(void **state)
{
    struct fixture *f = *state;
    uint16_t port = sw_http_server_port(f->server);
    char url[64];

    assert_int_equal(ask(f, 0, (struct sw_outbound_request){.body = {"", 0}}, "/cut", NULL), SW_OK);
    sw_loop_run(f->loop);
    assert_int_equal(f->asked[0].end.rc, SW_E_UNAVAILABLE);
    assert_true(f->asked[0].end.may_be_sent);
    assert_true(f->asked[0].why[0] != '\0');
    sw_http_server_free(f->server);
    f->server = NULL;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/echo", port);
    assert_int_equal(ask(f, 0, (struct sw_outbound_request){.body = {"", 0}}, url, NULL), SW_OK);
    sw_loop_run(f->loop);
    assert_int_equal(f->asked[0].end.rc, SW_E_UNAVAILABLE);
    assert_false(f->asked[0].end.may_be_sent); /* Nobody was there. */
}

static void test_silence_ends_it(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        ask(f, 0, (struct sw_outbound_request){.body = {"", 0}, .silence_ms = 50}, "/hold", NULL),
        SW_OK);
    sw_loop_run(f->loop);
    assert_int_equal(f->asked[0].end.rc, SW_E_TIMEOUT);
    assert_int_equal(f->asked[0].body.size, 1);
    assert_int_equal(
        ask(f, 0, (struct sw_outbound_request){.body = {"", 0}, .timeout_ms = 50}, "/hold", NULL),
        SW_OK);
    sw_loop_run(f->loop);
    assert_int_equal(f->asked[0].end.rc, SW_E_TIMEOUT);
}

static void test_a_cancelled_one_is_gone(void **state)
{
    struct fixture *f = *state;
    struct sw_outbound_request request = {.body = {"", 0}, .silence_ms = 5000};

    f->asked[0].cancels_on_head = true;
    assert_int_equal(ask(f, 0, request, "/big", NULL), SW_OK);
    sw_loop_run(f->loop);
    assert_int_equal(f->asked[0].ends, 0);
    assert_int_equal(f->asked[0].body.size, 0);
    f->asked[0].cancels_on_head = false;
    f->asked[0].cancels_on_body = true;
    f->written = 0;
    assert_int_equal(ask(f, 0, request, "/big", NULL), SW_OK);
    sw_loop_run(f->loop);
    assert_int_equal(f->asked[0].ends, 0);
    f->asked[0].cancels_on_body = false;
    assert_int_equal(ask(f, 0, request, "/echo", NULL), SW_OK);
    sw_outbound_cancel(f->asked[0].transfer); /* Before it has begun. */
    f->open--;
    f->asked[0].cancels_others = true; /* Of one by another, while libcurl is at work. */
    f->written = 0;
    assert_int_equal(ask(f, 1, request, "/hold", NULL), SW_OK);
    assert_int_equal(ask(f, 0, request, "/big", NULL), SW_OK);
    sw_loop_run(f->loop);
    assert_int_equal(f->asked[1].ends, 0);
    assert_int_equal(f->asked[0].ends, 1);
    assert_int_equal(f->asked[0].body.size, BIG_BYTES);
    assert_int_equal(sw_outbound_in_flight(f->outbound), 0);
}

static void on_later(void *ctx)
{
    struct fixture *f = ctx;

    assert_int_equal(f->asked[0].body.size, 0);
    assert_true(f->written < BIG_BYTES); /* The other side had to wait. */
    sw_outbound_resume(f->asked[0].transfer);
}

static void test_pause_holds_the_other_side_up(void **state)
{
    struct fixture *f = *state;
    struct sw_timer *timer = sw_timer_new(f->loop, on_later, f);

    f->asked[0].pauses = true;
    sw_timer_start(timer, 2000);
    assert_int_equal(
        ask(f, 0, (struct sw_outbound_request){.body = {"", 0}, .silence_ms = 1000}, "/big", NULL),
        SW_OK); /* Who is paused is not silent. */
    sw_loop_run(f->loop);
    assert_int_equal(f->asked[0].end.rc, SW_OK);
    assert_int_equal(f->asked[0].body.size, BIG_BYTES);
    sw_timer_free(timer);
}

static void test_freed_with_some_under_way(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(ask(f, 0, (struct sw_outbound_request){.body = {"", 0}}, "/hold", NULL),
                     SW_OK);
    assert_int_equal(ask(f, 1, (struct sw_outbound_request){.body = {"", 0}}, "/echo", NULL),
                     SW_OK);
    f->open = 1;
    sw_loop_run(f->loop); /* Until the second has come. */
    assert_int_equal(f->asked[1].ends, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_answer_is_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_headers_are_sent_and_bad_ones_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_breaks_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_silence_ends_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_cancelled_one_is_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pause_holds_the_other_side_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_freed_with_some_under_way, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
