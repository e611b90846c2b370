/* The client where things go wrong. */
#include "test/unit/communication/protocol/raw.h"

static void nobody_there_is_unavailable_with_words(void **state)
{
    struct fixture *f = *state;

    fixture_start(f, NULL, NULL);
    sw_http_server_free(f->server);
    f->server = NULL;
    run_for(f, 5);
    (void)call(f, SW_HTTP_GET, "/", (struct sw_bytes){0});
    assert_int_equal(f->replies, 0); /* Never from inside of the call. */
    run_until(f, has_reply);
    assert_int_equal(f->rc, SW_E_UNAVAILABLE);
    assert_non_null(strstr(sw_http_client_trouble(f->client), f->address));
}

static void an_address_that_is_none_is_told(void **state)
{
    struct fixture *f = *state;

    (void)snprintf(f->address, sizeof f->address, "nonsense");
    (void)call(f, SW_HTTP_GET, "/", (struct sw_bytes){0});
    run_until(f, has_reply);
    assert_int_equal(f->rc, SW_E_INVALID);
}

static void on_done_too(void *ctx, struct sw_http_call *made, enum sw_rc rc, int status,
                        struct sw_bytes body, const struct sw_http_header *trailers, size_t count)
{
    on_reply(ctx, made, rc, status, body, trailers, count);
}

static void call_with_timeout(struct fixture *f, uint64_t timeout_ms)
{
    struct sw_http_call_options options = {
        .path = "/", .timeout_ms = timeout_ms, .handler = {.ctx = f, .on_done = on_done_too}};

    fixture_client(f, NULL);
    assert_int_equal(sw_http_client_call(f->client, &options, NULL, NULL), SW_OK);
}

static void on_gone(void *ctx, struct sw_http_request *request)
{
    struct fixture *f = ctx;

    f->cancelled++;
    sw_http_respond(request, 200, NULL, 0, (struct sw_bytes){0});
    check(f);
}

static void keep_until_gone(struct fixture *f, struct sw_http_request *request)
{
    sw_http_on_cancel(request, on_gone, f);
}

static void a_call_that_takes_too_long_times_out_and_is_cancelled(void **state)
{
    struct fixture *f = *state;

    fixture_start(f, NULL, NULL);
    f->answer = keep_until_gone;
    call_with_timeout(f, 20);
    run_until(f, has_reply);
    assert_int_equal(f->rc, SW_E_TIMEOUT);
    run_until(f, is_cancelled);
}

static void freeing_the_client_ends_its_calls(void **state)
{
    struct fixture *f = *state;

    fixture_start(f, NULL, NULL);
    f->answer = keep_until_gone;
    (void)call(f, SW_HTTP_GET, "/", (struct sw_bytes){0});
    (void)call(f, SW_HTTP_GET, "/", (struct sw_bytes){0});
    run_until(f, has_request);
    sw_http_client_free(f->client);
    f->client = NULL;
    assert_int_equal(f->replies, 2);
    assert_int_equal(f->rc, SW_E_CANCELLED);
}

static void too_many_calls_are_refused(void **state)
{
    struct fixture *f = *state;
    struct sw_http_client_options options = {
        .loop = f->loop, .system = sw_system_real(), .address = f->address, .calls_max = 2};
    struct sw_http_call_options one = {.path = "/", .handler = {.ctx = f, .on_done = on_reply}};

    fixture_start(f, NULL, NULL);
    options.address = f->address;
    assert_int_equal(sw_http_client_new(&options, &f->client, NULL), SW_OK);
    assert_int_equal(sw_http_client_call(f->client, &one, NULL, NULL), SW_OK);
    assert_int_equal(sw_http_client_call(f->client, &one, NULL, NULL), SW_OK);
    assert_int_equal(sw_http_client_call(f->client, &one, NULL, NULL), SW_E_EXHAUSTED);
    run_until(f, has_reply);
}

static void a_reply_over_the_limit_is_given_up(void **state)
{
    struct fixture *f = *state;
    struct sw_http_client_options options = {
        .loop = f->loop, .system = sw_system_real(), .reply_bytes_max = 100};
    static char body[50000];

    fixture_start(f, NULL, NULL);
    options.address = f->address;
    assert_int_equal(sw_http_client_new(&options, &f->client, NULL), SW_OK);
    (void)call(f, SW_HTTP_POST, "/", (struct sw_bytes){body, sizeof body});
    run_until(f, has_reply);
    assert_int_equal(f->rc, SW_E_EXHAUSTED);
}

static void a_lost_connection_ends_calls_and_the_next_connects_again(void **state)
{
    struct fixture *f = *state;
    struct sw_http_limits limits = {.body_timeout_ms = 1000};

    fixture_start(f, &limits, NULL);
    (void)call(f, SW_HTTP_GET, "/", (struct sw_bytes){0});
    run_until(f, has_reply);
    sw_http_server_free(f->server);
    run_for(f, 10);
    /* Another server at another port would be another client; the same port is taken over. */
    struct sw_http_server_options options = {
        .loop = f->loop,
        .system = sw_system_real(),
        .address = f->address,
        .handler = {.ctx = f, .begin = fixture_begin, .handle = fixture_handle}};
    assert_int_equal(sw_http_server_new(&options, &f->server, NULL), SW_OK);
    f->replies = 0;
    (void)call(f, SW_HTTP_GET, "/", (struct sw_bytes){0});
    run_until(f, has_reply);
    assert_int_equal(f->rc, SW_OK);
}

static void call_again(void *ctx, struct sw_http_call *made, enum sw_rc rc, int status,
                       struct sw_bytes body, const struct sw_http_header *trailers, size_t count)
{
    struct fixture *f = ctx;
    struct sw_http_call_options options = {.path = "/",
                                           .handler = {.ctx = f, .on_done = call_again}};

    (void)made;
    (void)status;
    (void)body;
    (void)trailers;
    (void)count;
    f->rc = rc;
    if (++f->replies < 100)
        assert_int_equal(sw_http_client_call(f->client, &options, NULL, NULL), SW_OK);
    check(f);
}

static bool has_hundred(struct fixture *f)
{
    return f->replies == 100;
}

static void a_call_may_be_made_from_the_end_of_another(void **state)
{
    struct fixture *f = *state;
    struct sw_http_call_options options = {.path = "/",
                                           .handler = {.ctx = f, .on_done = call_again}};

    fixture_start(f, NULL, NULL);
    fixture_client(f, NULL);
    assert_int_equal(sw_http_client_call(f->client, &options, NULL, NULL), SW_OK);
    run_until(f, has_hundred);
    assert_int_equal(f->rc, SW_OK);
    assert_int_equal(f->handled, 100);
}

static void answer_in_turn(struct fixture *f, struct sw_http_request *request)
{
    const struct sw_http_header header = SW_HTTP_HEADER("x-first", "1");

    if (f->handled == 1)
        sw_http_respond(request, 404, &header, 1, sw_bytes_of_text("first"));
    else
        sw_http_respond(request, 200, NULL, 0, (struct sw_bytes){0});
}

static void a_call_carries_nothing_of_the_one_before(void **state)
{
    struct fixture *f = *state;

    fixture_start(f, NULL, NULL);
    f->answer = answer_in_turn;
    (void)call(f, SW_HTTP_POST, "/a", sw_bytes_of_text("a body"));
    run_until(f, has_reply);
    assert_int_equal(f->status, 404);
    assert_string_equal(f->body, "first");
    assert_non_null(strstr(f->headers, "x-first: 1\n"));
    f->replies = 0;
    (void)call(f, SW_HTTP_GET, "/b", (struct sw_bytes){0});
    run_until(f, has_reply);
    assert_int_equal(f->status, 200);
    assert_int_equal(f->body_size, 0);
    assert_null(strstr(f->headers, "x-first"));
    assert_string_equal(f->trailers, "");
}

static void speak_garbage(void *ctx, struct sw_stream *stream)
{
    struct fixture *f = ctx;
    struct sw_stream_handler handler = {
        .ctx = f, .on_data = on_raw_data, .on_end = on_raw_end, .on_close = on_raw_close};

    f->raw = stream;
    sw_stream_start(stream, &handler, 65536);
    assert_int_equal(sw_stream_write(stream, "HTTP/1.1 400 Bad Request\r\n\r\n", 28), SW_OK);
}

static void a_server_that_speaks_something_else_is_unavailable(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *listener;

    assert_int_equal(sw_listener_new(f->loop, "127.0.0.1:0", speak_garbage, f, &listener, NULL),
                     SW_OK);
    (void)snprintf(f->address, sizeof f->address, "127.0.0.1:%u", sw_listener_port(listener));
    (void)call(f, SW_HTTP_GET, "/", (struct sw_bytes){0});
    run_until(f, has_reply);
    assert_int_equal(f->rc, SW_E_UNAVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nobody_there_is_unavailable_with_words),
        TEST(an_address_that_is_none_is_told),
        TEST(a_call_that_takes_too_long_times_out_and_is_cancelled),
        TEST(freeing_the_client_ends_its_calls),
        TEST(too_many_calls_are_refused),
        TEST(a_reply_over_the_limit_is_given_up),
        TEST(a_lost_connection_ends_calls_and_the_next_connects_again),
        TEST(a_call_may_be_made_from_the_end_of_another),
        TEST(a_call_carries_nothing_of_the_one_before),
        TEST(a_server_that_speaks_something_else_is_unavailable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
