/* gRPC: frames, deadlines, status, health. */
#include "pkg/communication/protocol/grpc.h"
#include "test/unit/communication/protocol/raw.h"

#define ECHO "/test.Echo/Say"

struct grpc_fixture {
    struct fixture *f;
    struct sw_grpc *grpc;
    struct sw_grpc_call *call;
    int calls, cancels;
};
static struct grpc_fixture g;

static void grpc_begin(struct fixture *f, struct sw_http_request *request)
{
    (void)f;
    assert_true(sw_grpc_is_call(request));
    sw_grpc_begin(g.grpc, request);
}

static void grpc_handle(struct fixture *f, struct sw_http_request *request)
{
    (void)f;
    sw_grpc_handle(g.grpc, request);
}

static void say(void *ctx, struct sw_grpc_call *made, struct sw_bytes message)
{
    (void)ctx;
    g.calls++;
    sw_grpc_reply(made, message);
}

static void on_cancel(void *ctx, struct sw_grpc_call *made)
{
    (void)ctx;
    g.cancels++;
    sw_grpc_finish(made, SW_E_CANCELLED, NULL);
    g.call = NULL;
    check(g.f);
}

static void hold(void *ctx, struct sw_grpc_call *made, struct sw_bytes message)
{
    (void)ctx;
    (void)message;
    g.call = made;
    sw_grpc_on_cancel(made, on_cancel, NULL);
    check(g.f);
}

static void fail_with_words(void *ctx, struct sw_grpc_call *made, struct sw_bytes message)
{
    struct sw_err err = {0};

    (void)ctx;
    (void)message;
    (void)sw_err_set(&err, SW_E_PRECONDITION, "100%% w\xc3\xb6rong\n");
    sw_err_field(&err, "spec.replicas");
    sw_err_hint(&err, "do better");
    sw_grpc_finish(made, SW_E_PRECONDITION, &err);
}

static void count_to_three(void *ctx, struct sw_grpc_call *made, struct sw_bytes message)
{
    (void)ctx;
    for (int i = 0; i < 3; i++)
        assert_int_equal(sw_grpc_send(made, message), SW_OK);
    sw_grpc_finish(made, SW_OK, NULL);
}

static int grpc_set_up(void **state)
{
    static const char *const services[] = {"test.Echo"};
    const struct sw_grpc_reflection reflection = {.services = services, .services_count = 1};
    const struct sw_grpc_method methods[] = {{.path = ECHO, .call = say},
                                             {.path = "/test.Echo/Hold", .call = hold},
                                             {.path = "/test.Echo/Fail", .call = fail_with_words},
                                             {.path = "/test.Echo/Count", .call = count_to_three}};

    (void)set_up(state);
    g = (struct grpc_fixture){.f = *state};
    assert_int_equal(sw_grpc_new(g.f->loop, &reflection, &g.grpc, NULL), SW_OK);
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        assert_int_equal(sw_grpc_add(g.grpc, &methods[i]), SW_OK);
    assert_int_equal(sw_grpc_add(g.grpc, &methods[0]), SW_E_EXISTS);
    g.f->begin = grpc_begin;
    g.f->answer = grpc_handle;
    fixture_start(g.f, NULL, NULL);
    fixture_client(g.f, NULL);
    return 0;
}

static int grpc_tear_down(void **state)
{
    struct fixture *f = *state;

    sw_http_client_free(f->client);
    f->client = NULL;
    sw_http_server_free(f->server);
    f->server = NULL;
    sw_grpc_free(g.grpc);
    return tear_down(state);
}

struct ask {
    const char *path, *timeout, *encoding, *type;
    struct sw_bytes body;
};

static struct sw_http_call *ask_begin(const struct ask *ask)
{
    struct sw_http_header headers[4] = {
        SW_HTTP_HEADER("content-type", ask->type == NULL ? "application/grpc" : ask->type),
        SW_HTTP_HEADER("te", "trailers")};
    struct sw_http_call_options options = {
        .method = SW_HTTP_POST,
        .path = ask->path,
        .headers = headers,
        .headers_count = 2,
        .body = ask->body,
        .handler = {.ctx = g.f, .on_headers = on_reply_headers, .on_done = on_reply}};
    struct sw_http_call *made;

    if (ask->timeout != NULL)
        headers[options.headers_count++] =
            (struct sw_http_header)SW_HTTP_HEADER("grpc-timeout", ask->timeout);
    if (ask->encoding != NULL)
        headers[options.headers_count++] =
            (struct sw_http_header)SW_HTTP_HEADER("grpc-encoding", ask->encoding);
    g.f->replies = 0;
    assert_int_equal(sw_http_client_call(g.f->client, &options, &made, NULL), SW_OK);
    return made;
}

static int status_of_reply(void)
{
    const char *at = strstr(g.f->trailers, "grpc-status: ");

    if (at == NULL)
        at = strstr(g.f->headers, "grpc-status: ");
    assert_non_null(at);
    return -atoi(at + 13);
}

static int ask(const struct ask *ask_options)
{
    (void)ask_begin(ask_options);
    run_until(g.f, has_reply);
    assert_int_equal(g.f->rc, SW_OK);
    return status_of_reply();
}

#define HI {"\0\0\0\0\2hi", 7}

static void a_unary_call_is_answered(void **state)
{
    struct ask echo = {.path = ECHO, .body = HI};

    (void)state;
    assert_int_equal(ask(&echo), SW_OK);
    assert_int_equal(g.f->body_size, 7);
    assert_memory_equal(g.f->body, "\0\0\0\0\2hi", 7);
    assert_non_null(strstr(g.f->headers, "content-type: application/grpc\n"));
    echo.body = (struct sw_bytes){"\0\0\0\0\0", 5};
    echo.type = "application/grpc+proto";
    assert_int_equal(ask(&echo), SW_OK);
    assert_int_equal(g.f->body_size, 5);
}

static void a_stream_of_answers_ends_with_its_status(void **state)
{
    struct ask count = {.path = "/test.Echo/Count", .body = HI};

    (void)state;
    assert_int_equal(ask(&count), SW_OK);
    assert_int_equal(g.f->body_size, 21);
}

static void a_failure_has_its_words_escaped_and_details(void **state)
{
    struct ask failing = {.path = "/test.Echo/Fail", .body = HI};

    (void)state;
    assert_int_equal(ask(&failing), SW_E_PRECONDITION);
    assert_non_null(strstr(g.f->headers, "grpc-message: 100%25 w%C3%B6rong%0A\n"));
    assert_non_null(strstr(g.f->headers, "grpc-status-details-bin: C"));
}

static void messages_that_are_malformed_are_refused(void **state)
{
    static const struct {
        struct sw_bytes body;
        enum sw_rc rc;
    } bad[] = {{{"", 0}, SW_E_INVALID},
               {{"\0\0\0\0", 4}, SW_E_INVALID},
               {{"\0\0\0\0\5hi", 7}, SW_E_INVALID},
               {{"\0\377\377\377\377hi", 7}, SW_E_INVALID},
               {{"\2\0\0\0\2hi", 7}, SW_E_INVALID},
               {{"\1\0\0\0\2hi", 7}, SW_E_UNSUPPORTED},
               {{"\0\0\0\0\2hi\0\0\0\0\2hi", 14}, SW_E_UNSUPPORTED},
               {{"\0\0\0\0\2hi\0", 8}, SW_E_UNSUPPORTED}};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct ask echo = {.path = ECHO, .body = bad[i].body};
        int rc = ask(&echo);

        if (rc != bad[i].rc)
            fail_msg("case %zu: %d", i, rc);
    }
    assert_int_equal(g.calls, 0);
}

static void compression_and_unknown_methods_are_unimplemented(void **state)
{
    struct ask gzip = {.path = ECHO, .body = HI, .encoding = "gzip"};
    struct ask identity = {.path = ECHO, .body = HI, .encoding = "identity"};
    struct ask unknown = {.path = "/test.Echo/Sing", .body = HI};

    (void)state;
    assert_int_equal(ask(&gzip), SW_E_UNSUPPORTED);
    assert_int_equal(ask(&identity), SW_OK);
    assert_int_equal(ask(&unknown), SW_E_UNSUPPORTED);
}

static void a_deadline_ends_a_call(void **state)
{
    struct ask held = {.path = "/test.Echo/Hold", .body = HI, .timeout = "20m"};

    (void)state;
    assert_int_equal(ask(&held), SW_E_TIMEOUT);
    assert_int_equal(g.cancels, 1);
    held.timeout = "soon";
    assert_int_equal(ask(&held), SW_E_INVALID);
}

static bool has_call(struct fixture *f)
{
    (void)f;
    return g.call != NULL;
}

static bool has_cancel(struct fixture *f)
{
    (void)f;
    return g.cancels > 0;
}

static void the_remaining_time_is_known(void **state)
{
    struct ask held = {.path = "/test.Echo/Hold", .body = HI, .timeout = "1H"};
    uint64_t left;

    (void)state;
    (void)ask_begin(&held);
    run_until(g.f, has_call);
    left = sw_grpc_remaining_ms(g.call);
    assert_true(left > 3590000 && left <= 3600000);
    sw_grpc_set_user(g.call, &g);
    assert_ptr_equal(sw_grpc_user(g.call), &g);
    sw_grpc_reply(g.call, (struct sw_bytes){"x", 1});
    run_until(g.f, has_reply);
    assert_int_equal(status_of_reply(), SW_OK);
}

static void a_caller_that_goes_cancels(void **state)
{
    struct ask held = {.path = "/test.Echo/Hold", .body = HI};
    struct sw_http_call *made = ask_begin(&held);

    (void)state;
    run_until(g.f, has_call);
    assert_int_equal(sw_grpc_remaining_ms(g.call), UINT64_MAX);
    sw_http_call_cancel(made);
    run_until(g.f, has_cancel);
}

static void health_is_told(void **state)
{
    struct ask whole = {.path = "/grpc.health.v1.Health/Check", .body = {"\0\0\0\0\0", 5}};
    struct ask one = {.path = "/grpc.health.v1.Health/Check",
                      .body = {"\0\0\0\0\x0b\x0a\x09test.Echo", 16}};
    struct ask other = {.path = "/grpc.health.v1.Health/Check",
                        .body = {"\0\0\0\0\x03\x0a\x01x", 8}};
    struct ask broken = {.path = "/grpc.health.v1.Health/Check",
                         .body = {"\0\0\0\0\x03\x0a\x09x", 8}};

    (void)state;
    assert_int_equal(ask(&whole), SW_OK);
    assert_memory_equal(g.f->body, "\0\0\0\0\2\x08\x02", 7); /* NOT_SERVING at first. */
    sw_grpc_set_health(g.grpc, SW_GRPC_SERVING);
    assert_int_equal(ask(&one), SW_OK);
    assert_memory_equal(g.f->body, "\0\0\0\0\2\x08\x01", 7);
    assert_int_equal(ask(&other), SW_E_NOT_FOUND);
    assert_int_equal(ask(&broken), SW_E_INVALID);
}

static char watched[256];
static size_t watched_size;

static void on_watch_data(void *ctx, struct sw_http_call *made, struct sw_bytes bytes)
{
    (void)ctx;
    (void)made;
    (void)memcpy(watched + watched_size, bytes.data, bytes.size);
    watched_size += bytes.size;
    check(g.f);
}

static bool has_one_state(struct fixture *f)
{
    (void)f;
    return watched_size >= 7;
}

static bool has_two_states(struct fixture *f)
{
    (void)f;
    return watched_size >= 14;
}

static void changes_of_health_are_watched(void **state)
{
    struct sw_http_header header = SW_HTTP_HEADER("content-type", "application/grpc");
    struct sw_http_call_options options = {
        .method = SW_HTTP_POST,
        .path = "/grpc.health.v1.Health/Watch",
        .headers = &header,
        .headers_count = 1,
        .body = {"\0\0\0\0\0", 5},
        .handler = {.ctx = g.f, .on_data = on_watch_data, .on_done = on_reply}};

    (void)state;
    watched_size = 0;
    assert_int_equal(sw_http_client_call(g.f->client, &options, NULL, NULL), SW_OK);
    run_until(g.f, has_one_state);
    assert_memory_equal(watched, "\0\0\0\0\2\x08\x02", 7);
    sw_grpc_set_health(g.grpc, SW_GRPC_SERVING);
    sw_grpc_set_health(g.grpc, SW_GRPC_SERVING);
    run_until(g.f, has_two_states);
    assert_memory_equal(watched + 7, "\0\0\0\0\2\x08\x01", 7);
    assert_int_equal(watched_size, 14);
}

static void grpc_needs_http2_and_post(void **state)
{
    struct fixture *f = *state;

    raw_text(f, "POST " ECHO " HTTP/1.1\r\nHost: x\r\nContent-Type: application/grpc\r\n"
                "Content-Length: 0\r\n\r\n");
    run_for(f, 20);
    assert_int_equal(strncmp(f->text, "HTTP/1.1 415", 12), 0);
}

static void timeouts_are_read(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {{"1H", 3600000},
                {"2M", 120000},
                {"3S", 3000},
                {"4m", 4},
                {"5u", 1},
                {"6n", 1},
                {"99999999S", 99999999000u},
                {"0m", 0}};
    static const char *const bad[] = {"", "1", "m", "1x", "-1m", "1.5S", "123456789m", "1 m"};
    uint64_t ms;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(sw_grpc_parse_timeout(sw_bytes_of_text(good[i].text), &ms), SW_OK);
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(sw_grpc_parse_timeout(sw_bytes_of_text(bad[i]), &ms), SW_E_INVALID);
}

static void frames_are_taken_one_by_one(void **state)
{
    struct sw_bytes rest = {"\0\0\0\0\1a\0\0\0\0\2bc\0", 14}, message;

    (void)state;
    assert_int_equal(sw_grpc_take_frame(&rest, 10, &message), SW_OK);
    assert_int_equal(message.size, 1);
    assert_int_equal(sw_grpc_take_frame(&rest, 1, &message), SW_E_RANGE);
    assert_int_equal(sw_grpc_take_frame(&rest, 2, &message), SW_OK);
    assert_memory_equal(message.data, "bc", 2);
    assert_int_equal(sw_grpc_take_frame(&rest, 10, &message), SW_E_UNAVAILABLE);
    assert_int_equal(rest.size, 1);
}

static void a_status_holds_code_words_and_details(void **state)
{
    struct sw_buffer out;
    struct sw_err err = {0};

    (void)state;
    sw_buffer_init(&out, 4096);
    (void)sw_err_set(&err, SW_E_INVALID, "wrong");
    sw_err_field(&err, "spec.x");
    sw_grpc_put_status(&out, SW_E_INVALID, &err);
    assert_memory_equal(out.data, "\x08\x03\x12\x05wrong", 9);
    assert_non_null(memmem(out.data, out.size, "type.googleapis.com/google.rpc.ErrorInfo", 40));
    assert_non_null(memmem(out.data, out.size, "type.googleapis.com/google.rpc.BadRequest", 41));
    assert_null(memmem(out.data, out.size, "google.rpc.Help", 15));
    assert_non_null(memmem(out.data, out.size, "INVALID_ARGUMENT", 16));
    sw_buffer_done(&out);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, grpc_set_up, grpc_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_unary_call_is_answered),
        TEST(a_stream_of_answers_ends_with_its_status),
        TEST(a_failure_has_its_words_escaped_and_details),
        TEST(messages_that_are_malformed_are_refused),
        TEST(compression_and_unknown_methods_are_unimplemented),
        TEST(a_deadline_ends_a_call),
        TEST(the_remaining_time_is_known),
        TEST(a_caller_that_goes_cancels),
        TEST(health_is_told),
        TEST(changes_of_health_are_watched),
        TEST(grpc_needs_http2_and_post),
        cmocka_unit_test(timeouts_are_read),
        cmocka_unit_test(frames_are_taken_one_by_one),
        cmocka_unit_test(a_status_holds_code_words_and_details),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
