/* Requests and responses over HTTP/2, with the room's own client. */
#include "test/unit/communication/protocol/raw.h"

static void a_request_is_answered(void **state)
{
    struct fixture *f = *state;

    fixture_start(f, NULL, NULL);
    (void)call(f, SW_HTTP_GET, "/a/b?c=d", (struct sw_bytes){0});
    run_until(f, has_reply);
    assert_int_equal(f->rc, SW_OK);
    assert_int_equal(f->status, 200);
    assert_string_equal(f->body, "hello");
    assert_string_equal(f->seen, "GET /a/b?c=d[0];");
    assert_non_null(strstr(f->headers, "content-type: text/plain\n"));
    assert_non_null(strstr(f->headers, "content-length: 5\n"));
    assert_non_null(strstr(f->headers, " GMT\n"));
}

static void a_body_is_echoed(void **state)
{
    struct fixture *f = *state;
    static char body[60000];

    (void)memset(body, 'x', sizeof body);
    fixture_start(f, NULL, NULL);
    (void)call(f, SW_HTTP_POST, "/", (struct sw_bytes){body, sizeof body});
    run_until(f, has_reply);
    assert_int_equal(f->body_size, sizeof body);
    assert_memory_equal(f->body, body, sizeof body);
}

static bool has_five_replies(struct fixture *f)
{
    return f->replies == 5;
}

static void many_requests_share_a_connection(void **state)
{
    struct fixture *f = *state;

    fixture_start(f, NULL, NULL);
    for (int i = 0; i < 5; i++)
        (void)call(f, SW_HTTP_GET, "/", (struct sw_bytes){0});
    run_until(f, has_five_replies);
    assert_int_equal(server_view(f).connections_total, 1);
    assert_int_equal(server_view(f).requests_total, 5);
    assert_int_equal(server_view(f).requests, 0);
}

static void head_has_the_headers_of_get_and_no_body(void **state)
{
    struct fixture *f = *state;

    fixture_start(f, NULL, NULL);
    (void)call(f, SW_HTTP_HEAD, "/", (struct sw_bytes){0});
    run_until(f, has_reply);
    assert_int_equal(f->rc, SW_OK);
    assert_int_equal(f->body_size, 0);
    assert_non_null(strstr(f->headers, "content-length: 5\n"));
}

static void an_answer_may_come_later(void **state)
{
    struct fixture *f = *state;

    fixture_start(f, NULL, NULL);
    f->answer = keep;
    (void)call(f, SW_HTTP_GET, "/", (struct sw_bytes){0});
    run_until(f, has_request);
    run_for(f, 5);
    assert_int_equal(f->replies, 0);
    sw_http_respond_text(f->kept, 201, "text/plain", sw_bytes_of_text("late"));
    run_until(f, has_reply);
    assert_int_equal(f->status, 201);
    assert_string_equal(f->body, "late");
}

static void on_cancel(void *ctx, struct sw_http_request *request)
{
    struct fixture *f = ctx;

    f->cancelled++;
    assert_true(request->is_cancelled);
    check(f);
}

static void keep_and_listen(struct fixture *f, struct sw_http_request *request)
{
    f->kept = request;
    sw_http_on_cancel(request, on_cancel, f);
}

static void a_cancelled_request_lives_until_it_is_ended(void **state)
{
    struct fixture *f = *state;
    struct sw_http_call *made;

    fixture_start(f, NULL, NULL);
    f->answer = keep_and_listen;
    made = call(f, SW_HTTP_GET, "/", (struct sw_bytes){0});
    run_until(f, has_request);
    sw_http_call_cancel(made);
    run_until(f, is_cancelled);
    assert_int_equal(f->rc, SW_E_CANCELLED);
    assert_int_equal(server_view(f).requests, 1);
    sw_http_respond_text(f->kept, 200, "text/plain", sw_bytes_of_text("nobody reads this"));
    assert_int_equal(server_view(f).requests, 0);
}

static void end_in_cancel(void *ctx, struct sw_http_request *request)
{
    struct fixture *f = ctx;

    f->cancelled++;
    sw_http_end(request, NULL, 0);
    check(f);
}

static void start_and_listen(struct fixture *f, struct sw_http_request *request)
{
    f->kept = request;
    sw_http_on_cancel(request, end_in_cancel, f);
    sw_http_start(request, 200, NULL, 0);
    assert_int_equal(sw_http_write(request, "one", 3), SW_OK);
}

static void a_stream_may_be_ended_in_its_cancellation(void **state)
{
    struct fixture *f = *state;
    struct sw_http_call *made;

    fixture_start(f, NULL, NULL);
    f->answer = start_and_listen;
    made = call(f, SW_HTTP_GET, "/", (struct sw_bytes){0});
    run_until(f, has_request);
    run_for(f, 5);
    sw_http_call_cancel(made);
    run_until(f, is_cancelled);
    assert_int_equal(server_view(f).requests, 0);
}

static void a_lost_connection_cancels_its_requests(void **state)
{
    struct fixture *f = *state;

    fixture_start(f, NULL, NULL);
    f->answer = start_and_listen;
    (void)call(f, SW_HTTP_GET, "/", (struct sw_bytes){0});
    run_until(f, has_request);
    sw_http_client_free(f->client);
    f->client = NULL;
    run_until(f, is_cancelled);
}

static void freeing_the_server_cancels_and_requests_outlive_it(void **state)
{
    struct fixture *f = *state;

    fixture_start(f, NULL, NULL);
    f->answer = keep_and_listen;
    (void)call(f, SW_HTTP_GET, "/", (struct sw_bytes){0});
    run_until(f, has_request);
    sw_http_server_free(f->server);
    f->server = NULL;
    assert_int_equal(f->cancelled, 1);
    run_until(f, has_reply);
    assert_int_equal(f->rc, SW_E_UNAVAILABLE);
    assert_int_equal(f->kept->path.size, 1); /* Still readable, the connection's peer too. */
    assert_int_equal(strncmp(f->kept->peer->address, "127.0.0.1:", 10), 0);
    sw_http_respond_text(f->kept, 200, "text/plain", sw_bytes_of_text(""));
}

static void stream_pieces(struct fixture *f, struct sw_http_request *request)
{
    struct sw_http_header header = SW_HTTP_HEADER("content-type", "text/event-stream");
    struct sw_http_header trailer = SW_HTTP_HEADER("grpc-status", "0");

    (void)f;
    sw_http_start(request, 200, &header, 1);
    assert_int_equal(sw_http_write(request, "one ", 4), SW_OK);
    assert_int_equal(sw_http_write(request, "two ", 4), SW_OK);
    assert_int_equal(sw_http_write(request, "three", 5), SW_OK);
    sw_http_end(request, &trailer, 1);
}

static void a_response_may_stream_and_end_with_trailers(void **state)
{
    struct fixture *f = *state;

    fixture_start(f, NULL, NULL);
    f->answer = stream_pieces;
    (void)call(f, SW_HTTP_GET, "/", (struct sw_bytes){0});
    run_until(f, has_reply);
    assert_int_equal(f->rc, SW_OK);
    assert_string_equal(f->body, "one two three");
    assert_string_equal(f->trailers, "grpc-status: 0\n");
    assert_null(strstr(f->headers, "content-length"));
}

static void start_and_abort(struct fixture *f, struct sw_http_request *request)
{
    (void)f;
    sw_http_start(request, 200, NULL, 0);
    assert_int_equal(sw_http_write(request, "half", 4), SW_OK);
    sw_http_abort(request);
}

static void an_aborted_response_is_seen_as_broken(void **state)
{
    struct fixture *f = *state;

    fixture_start(f, NULL, NULL);
    f->answer = start_and_abort;
    (void)call(f, SW_HTTP_GET, "/", (struct sw_bytes){0});
    run_until(f, has_reply);
    assert_int_equal(f->rc, SW_E_UNAVAILABLE);
}

static void on_writable(void *ctx, struct sw_http_request *request)
{
    struct fixture *f = ctx;

    f->writable++;
    assert_int_equal(sw_http_pending(request), 0);
    assert_int_equal(sw_http_write(request, "more", 4), SW_OK);
    sw_http_end(request, NULL, 0);
}

static void fill(struct fixture *f, struct sw_http_request *request)
{
    static char block[40000];

    (void)memset(block, 'x', sizeof block);
    sw_http_on_writable(request, on_writable, f);
    sw_http_start(request, 200, NULL, 0);
    assert_int_equal(sw_http_write(request, block, sizeof block), SW_OK);
    assert_int_equal(sw_http_write(request, block, sizeof block), SW_E_EXHAUSTED);
    assert_int_equal(sw_http_pending(request), sizeof block);
}

static void a_full_stream_pushes_back_until_it_is_writable(void **state)
{
    struct fixture *f = *state;
    struct sw_http_limits limits = {.respond_bytes_max = 65536};

    fixture_start(f, &limits, NULL);
    f->answer = fill;
    (void)call(f, SW_HTTP_GET, "/", (struct sw_bytes){0});
    run_until(f, has_reply);
    assert_int_equal(f->writable, 1);
    assert_int_equal(f->body_size, 40004);
}

static void refuse_in_begin(struct fixture *f, struct sw_http_request *request)
{
    (void)f;
    sw_http_respond_text(request, 401, "text/plain", sw_bytes_of_text("no"));
}

static void begin_may_refuse_before_the_body(void **state)
{
    struct fixture *f = *state;
    static char body[50000];

    fixture_start(f, NULL, NULL);
    f->begin = refuse_in_begin;
    (void)call(f, SW_HTTP_POST, "/", (struct sw_bytes){body, sizeof body});
    run_until(f, has_reply);
    assert_int_equal(f->rc, SW_OK);
    assert_int_equal(f->status, 401);
    assert_int_equal(f->handled, 0);
}

static void raise_body_max(struct fixture *f, struct sw_http_request *request)
{
    (void)f;
    sw_http_set_body_max(request, 50000);
}

static void too_large_bodies_are_refused_unless_begin_allows_them(void **state)
{
    struct fixture *f = *state;
    static char body[50000];
    struct sw_http_limits limits = {.body_bytes_max = 10000};

    fixture_start(f, &limits, NULL);
    (void)call(f, SW_HTTP_POST, "/", (struct sw_bytes){body, sizeof body});
    run_until(f, has_reply);
    assert_int_equal(f->status, 413);
    assert_non_null(strstr(f->body, "\"code\":\"RESOURCE_EXHAUSTED\""));
    f->replies = 0;
    f->begin = raise_body_max;
    (void)call(f, SW_HTTP_POST, "/", (struct sw_bytes){body, sizeof body});
    run_until(f, has_reply);
    assert_int_equal(f->status, 200);
    assert_int_equal(f->body_size, sizeof body);
}

static void on_body(void *ctx, struct sw_http_request *request, struct sw_bytes bytes, bool is_last)
{
    struct fixture *f = ctx;

    if (bytes.size > 0)
        assert_int_equal(sw_http_write(request, bytes.data, bytes.size), SW_OK);
    f->handled++;
    if (is_last)
        sw_http_end(request, NULL, 0);
}

static void stream_both_ways(struct fixture *f, struct sw_http_request *request)
{
    sw_http_stream_body(request, on_body, f);
    sw_http_start(request, 200, NULL, 0);
}

static void a_body_may_be_streamed_both_ways(void **state)
{
    struct fixture *f = *state;
    static char body[50000];

    (void)memset(body, 'y', sizeof body);
    fixture_start(f, NULL, NULL);
    f->begin = stream_both_ways;
    (void)call(f, SW_HTTP_POST, "/", (struct sw_bytes){body, sizeof body});
    run_until(f, has_reply);
    assert_int_equal(f->body_size, sizeof body);
    assert_memory_equal(f->body, body, sizeof body);
    assert_true(f->handled > 2);
}

static void memory_for_bodies_is_bounded_over_all_requests(void **state)
{
    struct fixture *f = *state;
    static char body[50000];
    struct sw_http_limits limits = {.bodies_bytes_max = 40000};

    fixture_start(f, &limits, NULL);
    (void)call(f, SW_HTTP_POST, "/", (struct sw_bytes){body, sizeof body});
    run_until(f, has_reply);
    assert_int_equal(f->status, 503);
    assert_non_null(strstr(f->body, "UNAVAILABLE"));
}

static void too_many_headers_are_refused(void **state)
{
    struct fixture *f = *state;
    struct sw_http_header headers[60];
    struct sw_http_limits limits = {.headers_max = 20};
    struct sw_http_call_options options = {.path = "/",
                                           .headers = headers,
                                           .headers_count = 60,
                                           .handler = {.ctx = f, .on_done = on_reply}};

    for (int i = 0; i < 60; i++)
        headers[i] = (struct sw_http_header)SW_HTTP_HEADER("x-header", "value");
    fixture_start(f, &limits, NULL);
    fixture_client(f, NULL);
    assert_int_equal(sw_http_client_call(f->client, &options, NULL, NULL), SW_OK);
    run_until(f, has_reply);
    assert_int_equal(f->status, 431);
    assert_int_equal(f->handled, 0);
}

static void headers_reach_the_handler(struct fixture *f, struct sw_http_request *request)
{
    struct sw_bytes value = sw_http_header_find(request, "x-colour");

    (void)f;
    assert_true(sw_bytes_is_text(value, "blue"));
    assert_true(sw_bytes_is_text(sw_http_header_find(request, "host"), f->address));
    assert_int_equal(sw_http_header_find(request, "x-none").size, 0);
    assert_true(request->is_http2);
    assert_false(request->peer->is_known);
    sw_http_respond(request, 204, NULL, 0, (struct sw_bytes){0});
}

static void headers_are_found_by_name(void **state)
{
    struct fixture *f = *state;
    struct sw_http_header header = SW_HTTP_HEADER("x-colour", "blue");
    struct sw_http_call_options options = {
        .path = "/",
        .headers = &header,
        .headers_count = 1,
        .handler = {.ctx = f, .on_headers = on_reply_headers, .on_done = on_reply}};

    fixture_start(f, NULL, NULL);
    fixture_client(f, NULL);
    f->answer = headers_reach_the_handler;
    assert_int_equal(sw_http_client_call(f->client, &options, NULL, NULL), SW_OK);
    run_until(f, has_reply);
    assert_int_equal(f->status, 204);
    assert_null(strstr(f->headers, "content-length"));
}

static void connections_over_the_limit_are_closed(void **state)
{
    struct fixture *f = *state;
    struct sw_http_limits limits = {.connections_max = 1};

    fixture_start(f, &limits, NULL);
    (void)call(f, SW_HTTP_GET, "/", (struct sw_bytes){0});
    run_until(f, has_reply);
    raw_connect(f);
    run_until(f, is_raw_over);
    assert_int_equal(server_view(f).connections_refused, 1);
    assert_int_equal(server_view(f).connections, 1);
}

static bool is_drained(struct fixture *f)
{
    return sw_http_server_is_drained(f->server);
}

static void a_drain_lets_what_is_under_way_finish(void **state)
{
    struct fixture *f = *state;

    fixture_start(f, NULL, NULL);
    f->answer = keep;
    (void)call(f, SW_HTTP_GET, "/", (struct sw_bytes){0});
    run_until(f, has_request);
    sw_http_server_drain(f->server);
    run_for(f, 10);
    assert_false(is_drained(f));
    sw_http_respond_text(f->kept, 200, "text/plain", sw_bytes_of_text("done"));
    run_until(f, has_reply);
    assert_int_equal(f->rc, SW_OK);
    assert_string_equal(f->body, "done");
    for (int i = 0; i < 500 && !is_drained(f); i++)
        run_for(f, 10);
    assert_true(is_drained(f));
}

static void an_idle_connection_is_closed(void **state)
{
    struct fixture *f = *state;
    struct sw_http_limits limits = {.idle_timeout_ms = 20, .tick_ms = 5};

    fixture_start(f, &limits, NULL);
    (void)call(f, SW_HTTP_GET, "/", (struct sw_bytes){0});
    run_until(f, has_reply);
    for (int i = 0; i < 500 && server_view(f).connections > 0; i++)
        run_for(f, 10);
    assert_int_equal(server_view(f).connections, 0);
    f->replies = 0;
    (void)call(f, SW_HTTP_GET, "/", (struct sw_bytes){0}); /* The client connects again. */
    run_until(f, has_reply);
    assert_int_equal(f->rc, SW_OK);
    assert_int_equal(server_view(f).connections_total, 2);
}

static void a_port_that_is_taken_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct sw_http_server *other;
    struct sw_http_server_options options = {.loop = f->loop,
                                             .system = sw_system_real(),
                                             .address = f->address,
                                             .handler = {.handle = fixture_handle}};

    fixture_start(f, NULL, NULL);
    assert_int_equal(sw_http_server_new(&options, &other, NULL), SW_E_EXISTS);
}

static void words_for_people(void **state)
{
    (void)state;
    assert_string_equal(sw_http_status_text(404), "Not Found");
    assert_string_equal(sw_http_status_text(599), "Unknown");
    assert_string_equal(sw_http_method_name(SW_HTTP_PATCH), "PATCH");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_answered),
        TEST(a_body_is_echoed),
        TEST(many_requests_share_a_connection),
        TEST(head_has_the_headers_of_get_and_no_body),
        TEST(an_answer_may_come_later),
        TEST(a_cancelled_request_lives_until_it_is_ended),
        TEST(a_stream_may_be_ended_in_its_cancellation),
        TEST(a_lost_connection_cancels_its_requests),
        TEST(freeing_the_server_cancels_and_requests_outlive_it),
        TEST(a_response_may_stream_and_end_with_trailers),
        TEST(an_aborted_response_is_seen_as_broken),
        TEST(a_full_stream_pushes_back_until_it_is_writable),
        TEST(begin_may_refuse_before_the_body),
        TEST(too_large_bodies_are_refused_unless_begin_allows_them),
        TEST(a_body_may_be_streamed_both_ways),
        TEST(memory_for_bodies_is_bounded_over_all_requests),
        TEST(too_many_headers_are_refused),
        TEST(headers_are_found_by_name),
        TEST(connections_over_the_limit_are_closed),
        TEST(a_drain_lets_what_is_under_way_finish),
        TEST(an_idle_connection_is_closed),
        TEST(a_port_that_is_taken_is_an_error),
        cmocka_unit_test(words_for_people),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
