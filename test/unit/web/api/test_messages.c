/* labels: threaded */
/* uses: pkg/store/sqlite pkg/security/certs */
/* Messages, publications and modules over REST. */
#include "test/unit/web/api/fixture.h"

static int send(struct fixture *f, const char *parameters, const char *body)
{
    char path[512];
    struct ask ask = {.method = SW_HTTP_POST,
                      .path = path,
                      .content_type = "text/plain",
                      .body = sw_bytes_of_text(body)};

    (void)snprintf(path, sizeof path, IN_DEFAULT "/agents/reader/send%s", parameters);
    return finish(f, &ask);
}

static void a_message_is_sent_and_its_reply_comes_back(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        send(f, "?key=customer%3Aalice&priority=high&timeout=5s&requestId=r1&reply=true", "ping"),
        200);
    assert_string_equal(f->told, "default|reader/customer:alice|text/plain|ping|2|5000|r1|1|"
                                 "spiffe://test/user/admin");
    assert_string_equal(f->body, "pong");
    assert_non_null(strstr(f->headers, "content-type: text/plain\n"));
    assert_non_null(strstr(f->headers, "swarm-from: reader/a\n"));
}

static void what_is_not_said_has_its_standard(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(send(f, "", ""), 200);
    assert_string_equal(f->told,
                        "default|reader|text/plain||255|30000||0|spiffe://test/user/admin");
}

static void a_negative_status_is_a_problem_of_that_code(void **state)
{
    struct fixture *f = *state;

    f->reply.status = SW_E_PRECONDITION;
    f->reply.body = sw_bytes_of_text("not now");
    assert_int_equal(send(f, "?reply=true", "x"), 412);
    assert_true(body_has(f, "\"code\":\"FAILED_PRECONDITION\""));
    assert_true(body_has(f, "\"detail\":\"not now\""));
    f->reply.status = -1000;
    f->reply.body = (struct sw_bytes){"\xff", 1};
    assert_int_equal(send(f, "?reply=true", "x"), 500);
    assert_true(body_has(f, "\"code\":\"UNKNOWN\""));
}

static void errors_of_the_agents_pass_through(void **state)
{
    struct fixture *f = *state;

    f->agents_rc = SW_E_NOT_FOUND;
    assert_int_equal(send(f, "?reply=true", "x"), 404);
    assert_true(body_has(f, "no such instance"));
    f->agents_rc = SW_E_EXHAUSTED;
    assert_int_equal(send(f, "?reply=true", "x"), 429);
    f->agents_rc = SW_E_UNAVAILABLE;
    assert_int_equal(send(f, "?reply=true", "x"), 503);
    assert_non_null(strstr(f->headers, "retry-after: 1\n"));
}

static bool has_sent(struct fixture *f)
{
    return f->send_done != NULL;
}

static void a_late_reply_is_still_delivered(void **state)
{
    struct fixture *f = *state;
    struct ask ask = {.method = SW_HTTP_POST, .path = IN_DEFAULT "/agents/reader/send?reply=1"};

    f->is_later = true;
    (void)begin(f, &ask);
    run_until(f, has_sent);
    run_for(f, 5);
    assert_int_equal(f->replies, 0);
    f->send_done(f->send_ctx, SW_OK, &f->reply, NULL);
    run_until(f, has_reply);
    assert_string_equal(f->body, "pong");
}

static void a_reply_to_a_client_that_has_gone_is_dropped(void **state)
{
    struct fixture *f = *state;
    struct ask ask = {.method = SW_HTTP_POST, .path = IN_DEFAULT "/agents/reader/send?reply=1"};

    f->is_later = true;
    (void)begin(f, &ask);
    run_until(f, has_sent);
    sw_http_client_free(f->clients[ADMIN]);
    f->clients[ADMIN] = NULL;
    run_for(f, 10);
    f->send_done(f->send_ctx, SW_OK, &f->reply, NULL);
    run_for(f, 5);
}

/* The Agent was applied a moment ago: nobody knows it yet. */
static void begin_too_early(struct fixture *f, const char *parameters)
{
    char path[128];
    struct ask ask = {.method = SW_HTTP_POST, .path = path, .body = sw_bytes_of_text("ping")};

    (void)snprintf(path, sizeof path, IN_DEFAULT "/agents/reader/send%s", parameters);
    assert_int_equal(request(f, SW_HTTP_POST, IN_DEFAULT "/agents", AGENT("reader")), 201);
    f->agents_rc = SW_E_NOT_FOUND;
    (void)begin(f, &ask);
    run_for(f, 100);
    assert_non_null(strstr(f->told, "reader|application/octet-stream|ping"));
    f->told[0] = '\0';
}

static void a_message_waits_for_an_agent_that_is_being_deployed(void **state)
{
    struct fixture *f = *state;

    begin_too_early(f, "?reply=1");
    assert_int_equal(f->replies, 0);
    f->agents_rc = SW_OK;
    run_until(f, has_reply);
    assert_string_equal(f->body, "pong");
    assert_non_null(strstr(f->told, "reader|application/octet-stream|ping"));
}

static void a_message_does_not_wait_for_ever(void **state)
{
    struct fixture *f = *state;

    begin_too_early(f, "?reply=1&timeout=300ms");
    run_until(f, has_reply);
    assert_int_equal(f->status, 503);
    assert_true(body_has(f, "Agent reader does not run: it was applied a moment ago"));
    assert_true(body_has(f, "swarm describe agent reader"));
}

static void a_message_whose_sender_has_gone_is_not_sent_late(void **state)
{
    struct fixture *f = *state;

    begin_too_early(f, "?reply=1");
    sw_http_client_free(f->clients[ADMIN]);
    f->clients[ADMIN] = NULL;
    run_for(f, 100);
    f->told[0] = '\0';
    f->agents_rc = SW_OK;
    run_for(f, 120);
    assert_string_equal(f->told, "");
}

static void hostile_replies_make_no_headers(void **state)
{
    struct fixture *f = *state;

    f->reply.content_type = "text/plain\r\nset-cookie: a=b";
    f->reply.from = "reader/\nx";
    assert_int_equal(send(f, "?reply=true", "x"), 200);
    assert_null(strstr(f->headers, "\nset-cookie"));
    assert_non_null(strstr(f->headers, "swarm-from: reader/?x\n"));
    f->reply.content_type = "";
    assert_int_equal(send(f, "?reply=true", "x"), 200);
    assert_non_null(strstr(f->headers, "content-type: application/octet-stream\n"));
}

static void bad_parameters_are_refused(void **state)
{
    static const struct {
        const char *parameters, *field;
    } bad[] = {
        {"?priority=max", "priority"}, {"?timeout=5", "timeout"},    {"?timeout=2h", "timeout"},
        {"?timeout=0s", "timeout"},    {"?requestId=", "requestId"}, {"?key=", "key"},
        {"?reply=perhaps", "reply"},   {"?replies=true", "replies"}, {"?timeout=soon", "timeout"}};
    struct fixture *f = *state;
    char field[64];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(send(f, bad[i].parameters, "x"), 400);
        (void)snprintf(field, sizeof field, "\"field\":\"%s\"", bad[i].field);
        assert_true(body_has(f, field));
    }
    assert_string_equal(f->told, "");
    assert_true(body_has(f, "expected a duration"));
}

static void a_message_that_is_too_large_is_refused(void **state)
{
    struct fixture *f = *state;
    char *body = calloc(1, SW_GATEWAY_MESSAGE_BYTES_MAX + 2);

    (void)memset(body, 'x', SW_GATEWAY_MESSAGE_BYTES_MAX + 1);
    assert_int_equal(send(f, "", body), 413);
    body[SW_GATEWAY_MESSAGE_BYTES_MAX] = '\0';
    assert_int_equal(send(f, "", body), 200);
    free(body);
}

static void a_message_is_published(void **state)
{
    struct fixture *f = *state;
    struct ask ask = {.method = SW_HTTP_POST,
                      .path = IN_DEFAULT "/publish?subject=orders.new&priority=low",
                      .content_type = "application/json",
                      .body = {"{}", 2}};

    assert_int_equal(finish(f, &ask), 200);
    assert_string_equal(f->told, "default|orders.new|application/json|{}|0");
    assert_string_equal(f->body, "{\"subscribers\":\"7\"}");
    ask.path = IN_DEFAULT "/publish?subject=a..b";
    assert_int_equal(finish(f, &ask), 400);
    ask.path = IN_DEFAULT "/publish";
    assert_int_equal(finish(f, &ask), 400);
    assert_true(body_has(f, "\"field\":\"subject\""));
}

static void a_module_is_pushed_and_found(void **state)
{
    struct fixture *f = *state;
    char *wasm = calloc(1, 9u << 20);
    struct ask put = {.method = SW_HTTP_PUT,
                      .path = IN_DEFAULT "/modules/" DIGEST,
                      .content_type = "application/wasm",
                      .body = {wasm, 9u << 20}};

    assert_int_equal(get(f, IN_DEFAULT "/modules/" DIGEST), 404);
    assert_int_equal(finish(f, &put), 201); /* More than other bodies may have. */
    assert_string_equal(f->body, "{\"digest\":\"" DIGEST "\",\"sizeBytes\":\"9437184\"}");
    assert_int_equal(finish(f, &put), 200);
    assert_int_equal(get(f, IN_DEFAULT "/modules/" DIGEST), 200);
    assert_int_equal(request(f, SW_HTTP_HEAD, IN_DEFAULT "/modules/" DIGEST, NULL), 200);
    assert_int_equal(f->body_size, 0);
    put.body.size = 2;
    assert_int_equal(finish(f, &put), 400);
    assert_true(body_has(f, "not WebAssembly"));
    assert_int_equal(get(f, IN_DEFAULT "/modules/sha256:xyz"), 400);
    assert_true(body_has(f, "\"field\":\"digest\""));
    free(wasm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_is_sent_and_its_reply_comes_back),
        TEST(what_is_not_said_has_its_standard),
        TEST(a_negative_status_is_a_problem_of_that_code),
        TEST(errors_of_the_agents_pass_through),
        TEST(a_late_reply_is_still_delivered),
        TEST(a_reply_to_a_client_that_has_gone_is_dropped),
        TEST(a_message_waits_for_an_agent_that_is_being_deployed),
        TEST(a_message_does_not_wait_for_ever),
        TEST(a_message_whose_sender_has_gone_is_not_sent_late),
        TEST(hostile_replies_make_no_headers),
        TEST(bad_parameters_are_refused),
        TEST(a_message_that_is_too_large_is_refused),
        TEST(a_message_is_published),
        TEST(a_module_is_pushed_and_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
