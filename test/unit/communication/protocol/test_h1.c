/* HTTP/1.1 as bytes: what is answered, and what is refused because two parsers could differ. */
#include "test/unit/communication/protocol/raw.h"

static bool has_text_end(struct fixture *f)
{
    return strstr(f->text, "hello") != NULL || is_raw_over(f);
}

/* Send a request and read until the connection ends or a body "hello" has come. */
static void ask(struct fixture *f, const char *text)
{
    if (f->server == NULL)
        fixture_start(f, NULL, NULL);
    raw_text(f, text);
    run_until(f, has_text_end);
}

static int status_of(struct fixture *f)
{
    assert_int_equal(strncmp(f->text, "HTTP/1.1 ", 9), 0);
    return atoi(f->text + 9);
}

/* What is refused ends the connection with 400 and reaches no handler. */
static void assert_refused(struct fixture *f, const char *text)
{
    if (f->server == NULL)
        fixture_start(f, NULL, NULL);
    raw_connect(f);
    raw_text(f, text);
    f->refused = text;
    run_until(f, is_raw_over);
    if (f->text_size == 0)
        fail_msg("no answer to: %s", text);
    if (status_of(f) != 400)
        fail_msg("answer %d to: %s", status_of(f), text);
    assert_int_equal(f->handled, 0);
    assert_non_null(strstr(f->text, "connection: close"));
    run_until(f, is_raw_gone);
}

static void a_get_is_answered_and_the_connection_stays(void **state)
{
    struct fixture *f = *state;

    ask(f, "GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(status_of(f), 200);
    assert_non_null(strstr(f->text, "content-length: 5\r\n"));
    assert_non_null(strstr(f->text, "\r\n\r\nhello"));
    assert_null(strstr(f->text, "connection: close"));
    assert_string_equal(f->seen, "GET /a?b=c[0];");
    f->text[0] = '\0';
    f->text_size = 0;
    ask(f, "GET /second HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(f->handled, 2);
    assert_int_equal(server_view(f).connections_total, 1);
}

static void connection_close_is_obeyed(void **state)
{
    struct fixture *f = *state;

    fixture_start(f, NULL, NULL);
    raw_text(f, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    run_until(f, is_raw_over);
    assert_non_null(strstr(f->text, "hello"));
    assert_non_null(strstr(f->text, "connection: close\r\n"));
}

static void http_10_is_answered_and_closed(void **state)
{
    struct fixture *f = *state;

    fixture_start(f, NULL, NULL);
    raw_text(f, "GET / HTTP/1.0\r\n\r\n");
    run_until(f, is_raw_over);
    assert_int_equal(status_of(f), 200);
    assert_non_null(strstr(f->text, "hello"));
}

static void bodies_by_length_and_in_chunks_arrive_whole(void **state)
{
    struct fixture *f = *state;

    ask(f, "POST /l HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    assert_non_null(strstr(f->text, "\r\n\r\nhello"));
    f->text[0] = '\0';
    f->text_size = 0;
    ask(f, "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
           "2\r\nhe\r\n3;ext=1\r\nllo\r\n0\r\nTrailer: x\r\n\r\n");
    assert_non_null(strstr(f->text, "\r\n\r\nhello"));
    assert_string_equal(f->seen, "POST /l?[5];POST /c?[5];");
}

static void requests_in_single_bytes_are_understood(void **state)
{
    struct fixture *f = *state;
    static const char text[] = "POST /slow HTTP/1.1\r\nHost: x\r\nX-Long:  a b \r\n"
                               "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";

    fixture_start(f, NULL, NULL);
    for (size_t i = 0; i < sizeof text - 1; i++) {
        raw_send(f, text + i, 1);
        run_for(f, 0);
    }
    run_until(f, has_text_end);
    assert_string_equal(f->seen, "POST /slow?[5];");
}

static bool has_three_answers(struct fixture *f)
{
    const char *last = strstr(f->text, "three");

    return last != NULL;
}

static void answer_path(struct fixture *f, struct sw_http_request *request)
{
    (void)f;
    sw_http_respond_text(
        request, 200, "text/plain",
        (struct sw_bytes){(const char *)request->path.data + 1, request->path.size - 1});
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct fixture *f = *state;
    const char *one, *two, *three;

    fixture_start(f, NULL, NULL);
    f->answer = answer_path;
    raw_text(f, "GET /one HTTP/1.1\r\nHost: x\r\n\r\n"
                "POST /two HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc\r\n"
                "GET /three HTTP/1.1\r\nHost: x\r\n\r\n");
    run_until(f, has_three_answers);
    one = strstr(f->text, "\r\n\r\none");
    two = strstr(f->text, "\r\n\r\ntwo");
    three = strstr(f->text, "\r\n\r\nthree");
    assert_true(one != NULL && one < two && two < three);
}

static void pipelined_requests_wait_for_a_late_answer(void **state)
{
    struct fixture *f = *state;

    fixture_start(f, NULL, NULL);
    f->answer = keep;
    raw_text(f, "GET /one HTTP/1.1\r\nHost: x\r\n\r\nGET /two HTTP/1.1\r\nHost: x\r\n\r\n");
    run_until(f, has_request);
    run_for(f, 5);
    assert_int_equal(f->handled, 1);
    f->answer = NULL;
    sw_http_respond_text(f->kept, 200, "text/plain", sw_bytes_of_text("first"));
    run_until(f, has_text_end);
    assert_int_equal(f->handled, 2);
}

static void expect_continue_gets_its_100(void **state)
{
    struct fixture *f = *state;

    fixture_start(f, NULL, NULL);
    raw_text(f, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    run_for(f, 20);
    assert_string_equal(f->text, "HTTP/1.1 100 Continue\r\n\r\n");
    raw_text(f, "hello");
    run_until(f, has_text_end);
    assert_non_null(strstr(f->text, "HTTP/1.1 200 OK"));
}

static void stream_three(struct fixture *f, struct sw_http_request *request)
{
    struct sw_http_header trailer = SW_HTTP_HEADER("x-end", "yes");

    (void)f;
    sw_http_start(request, 200, NULL, 0);
    assert_int_equal(sw_http_write(request, "one", 3), SW_OK);
    assert_int_equal(sw_http_write(request, "seventeen letters", 17), SW_OK);
    sw_http_end(request, &trailer, 1);
}

static bool has_trailer(struct fixture *f)
{
    return strstr(f->text, "x-end") != NULL;
}

static void streams_are_chunked_with_trailers(void **state)
{
    struct fixture *f = *state;

    fixture_start(f, NULL, NULL);
    f->answer = stream_three;
    raw_text(f, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    run_until(f, has_trailer);
    assert_non_null(strstr(f->text, "transfer-encoding: chunked\r\n"));
    assert_non_null(
        strstr(f->text, "\r\n\r\n3\r\none\r\n11\r\nseventeen letters\r\n0\r\nx-end: yes\r\n\r\n"));
}

static void streams_to_http_10_end_with_the_connection(void **state)
{
    struct fixture *f = *state;

    fixture_start(f, NULL, NULL);
    f->answer = stream_three;
    raw_text(f, "GET / HTTP/1.0\r\n\r\n");
    run_until(f, is_raw_over);
    assert_null(strstr(f->text, "chunked"));
    assert_non_null(strstr(f->text, "\r\n\r\noneseventeen letters"));
}

static void head_has_no_body(void **state)
{
    struct fixture *f = *state;

    fixture_start(f, NULL, NULL);
    raw_text(f, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
    run_until(f, has_text_end);
    assert_null(strstr(f->text, "hello") == NULL ? "none"
                                                 : strstr(strstr(f->text, "hello") + 1, "hello"));
    assert_int_equal(f->handled, 2);
}

static void absolute_targets_are_understood(void **state)
{
    struct fixture *f = *state;

    ask(f, "GET https://host:7420/a?b HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_string_equal(f->seen, "GET /a?b[0];");
}

static void an_upgrade_is_passed_over(void **state)
{
    struct fixture *f = *state;

    ask(f, "GET /u HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n"
           "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n");
    assert_int_equal(status_of(f), 200);
    assert_string_equal(f->seen, "GET /u?[0];");
}

static void a_length_beside_a_coding_is_refused(void **state)
{
    assert_refused(*state, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
                           "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n"
                           "Host: x\r\n\r\n");
}

static void what_parsers_read_differently_is_refused(void **state)
{
    static const char *const bad[] = {
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4, 4\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +4\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x4\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 4\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nHost: x\r\n Content-Length: 4\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nX: a\r\n\tb\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\x0b"
        "chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\nHost: x\n\n",
        "GET / HTTP/1.1\r\nHost: x\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\rX: y\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /a\tb HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.2\r\nHost: x\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: x\r\n\r\n",
        "GET / http/1.1\r\nHost: x\r\n\r\n",
        "GET /\r\n\r\n",
        "G(T / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET a HTTP/1.1\r\nHost: x\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        "CONNECT host:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nX\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nX Y: z\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        "\x16\x03\x01\x02\x01\x01\xfc\x03\x03 a TLS hello \r\n\r\n",
        "GET host/a HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET http:///a HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET http://host HTTP/1.1\r\nHost: x\r\n\r\n",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(f, bad[i]);
    assert_int_equal(server_view(f).protocol_errors, sizeof bad / sizeof bad[0]);
}

static void bad_chunks_are_refused(void **state)
{
    static const char *const bad[] = {
        "g\r\n",
        "-1\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\rhello\r\n",
        "5\nhello\n0\n\n",
        "5\r\nhelloXY0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "0\r\nX: a\r\n b\r\n\r\n",
        "0\r\nX: a\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\n",
        "\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
    };
    struct fixture *f = *state;
    char text[256];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(text, sizeof text,
                       "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%s",
                       bad[i]);
        assert_refused(f, text);
    }
}

static void a_nul_in_a_header_is_refused(void **state)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n";
    struct fixture *f = *state;

    fixture_start(f, NULL, NULL);
    raw_send(f, text, sizeof text - 1);
    run_until(f, is_raw_over);
    assert_int_equal(status_of(f), 400);
}

static void large_heads_are_refused(void **state)
{
    struct fixture *f = *state;
    struct sw_http_limits limits = {.header_bytes_max = 4096};
    static char filler[9000];

    (void)memset(filler, 'a', sizeof filler - 1);
    fixture_start(f, &limits, NULL);
    raw_text(f, "GET / HTTP/1.1\r\nHost: x\r\nX: ");
    raw_text(f, filler);
    run_until(f, is_raw_over);
    assert_int_equal(status_of(f), 431);
}

static void too_many_headers_are_refused(void **state)
{
    struct fixture *f = *state;
    struct sw_http_limits limits = {.headers_max = 10};

    fixture_start(f, &limits, NULL);
    raw_text(f, "GET / HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < 20; i++)
        raw_text(f, "X: y\r\n");
    raw_text(f, "\r\n");
    run_for(f, 20);
    assert_int_equal(status_of(f), 431);
    assert_int_equal(f->handled, 0);
}

static void a_large_body_is_refused_and_the_answer_arrives(void **state)
{
    struct fixture *f = *state;
    static char body[300000];
    struct sw_http_limits limits = {.body_bytes_max = 1000};

    fixture_start(f, &limits, NULL);
    raw_text(f, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n");
    raw_send(f, body, sizeof body);
    run_until(f, is_raw_over);
    assert_int_equal(status_of(f), 413);
}

static void chunks_beyond_the_limit_are_refused(void **state)
{
    struct fixture *f = *state;
    struct sw_http_limits limits = {.body_bytes_max = 1000};

    fixture_start(f, &limits, NULL);
    raw_text(f, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 20; i++)
        raw_text(f, "40\r\n"
                    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n");
    run_until(f, is_raw_over);
    assert_int_equal(status_of(f), 413);
    assert_int_equal(f->handled, 0);
}

static void a_slow_head_is_answered_with_408(void **state)
{
    struct fixture *f = *state;
    struct sw_http_limits limits = {.header_timeout_ms = 30, .tick_ms = 5};

    fixture_start(f, &limits, NULL);
    raw_text(f, "GET / HTTP/1.1\r\nHost: x\r\n");
    run_until(f, is_raw_over);
    assert_int_equal(status_of(f), 408);
    assert_int_equal(server_view(f).timeouts, 1);
    assert_int_equal(server_view(f).protocol_errors, 0);
    assert_int_equal(f->handled, 0);
}

static void a_slow_body_is_answered_with_408(void **state)
{
    struct fixture *f = *state;
    struct sw_http_limits limits = {.body_timeout_ms = 30, .tick_ms = 5};

    fixture_start(f, &limits, NULL);
    raw_text(f, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    run_until(f, is_raw_over);
    assert_int_equal(status_of(f), 408);
    assert_int_equal(f->handled, 0);
}

static void stream_much(struct fixture *f, struct sw_http_request *request)
{
    static char block[1u << 20];

    sw_http_on_cancel(request, NULL, NULL);
    f->kept = request;
    sw_http_start(request, 200, NULL, 0);
    while (sw_http_write(request, block, sizeof block) == SW_OK)
        ;
}

static void on_gone(void *ctx, struct sw_http_request *request)
{
    struct fixture *f = ctx;

    f->cancelled++;
    sw_http_end(request, NULL, 0);
    check(f);
}

static void stream_much_and_listen(struct fixture *f, struct sw_http_request *request)
{
    stream_much(f, request);
    sw_http_on_cancel(request, on_gone, f);
}

static void a_reader_that_stalls_is_cut_off(void **state)
{
    struct fixture *f = *state;
    struct sw_http_limits limits = {
        .stall_timeout_ms = 50, .tick_ms = 5, .respond_bytes_max = 64u << 20};

    fixture_start(f, &limits, NULL);
    f->answer = stream_much_and_listen;
    raw_text(f, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    run_until(f, has_request);
    sw_stream_pause(f->raw);
    run_until(f, is_cancelled);
    assert_int_equal(server_view(f).timeouts, 1);
    assert_int_equal(server_view(f).requests, 0);
}

static void a_half_closed_client_still_gets_its_answer(void **state)
{
    struct fixture *f = *state;

    fixture_start(f, NULL, NULL);
    f->answer = keep;
    raw_text(f, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    run_until(f, has_request);
    sw_http_respond_text(f->kept, 200, "text/plain", sw_bytes_of_text("hello"));
    sw_stream_finish(f->raw); /* Its own end; what the server sends is dropped from here on. */
    run_until(f, is_raw_over);
    assert_int_equal(server_view(f).requests, 0);
}

static void a_client_that_ends_inside_of_a_request_is_let_go(void **state)
{
    struct fixture *f = *state;

    fixture_start(f, NULL, NULL);
    raw_text(f, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    run_for(f, 10);
    sw_stream_finish(f->raw);
    run_until(f, is_raw_over);
    assert_int_equal(f->handled, 0);
    assert_int_equal(server_view(f).requests, 0);
}

static void flooding_with_pipelined_requests_is_held_back(void **state)
{
    struct fixture *f = *state;
    static char block[65536];

    fixture_start(f, NULL, NULL);
    f->answer = keep;
    raw_text(f, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    run_until(f, has_request);
    for (int i = 0; i < 200; i++)
        raw_send(f, block, sizeof block);
    run_for(f, 50);
    assert_true(sw_stream_pending(f->raw) > 0); /* The server does not read on. */
    sw_http_respond_text(f->kept, 200, "text/plain", sw_bytes_of_text("hello"));
    run_until(f, is_raw_over);
}

static void a_drain_closes_idle_connections(void **state)
{
    struct fixture *f = *state;

    ask(f, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    sw_http_server_drain(f->server);
    run_until(f, is_raw_over);
}

/* A client that does not look at its connection before its next request holds up no stop. */
static void a_drain_does_not_wait_for_the_end_of_an_idle_client(void **state)
{
    struct fixture *f = *state;
    uint64_t began_ms;

    ask(f, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    sw_stream_pause(f->raw);
    began_ms = sw_loop_now_ms(f->loop);
    sw_http_server_drain(f->server);
    assert_false(sw_http_server_is_drained(f->server)); /* It may still read what it was sent. */
    while (!sw_http_server_is_drained(f->server))
        run_for(f, 10);
    assert_true(sw_loop_now_ms(f->loop) - began_ms < SW_STREAM_FINISH_MS / 2);
}

static void refuse(struct fixture *f, struct sw_http_request *request)
{
    (void)f;
    sw_http_respond_text(request, 404, "text/plain", sw_bytes_of_text("hello"));
}

static void a_refusal_in_begin_closes_only_if_a_body_was_coming(void **state)
{
    struct fixture *f = *state;

    f->begin = refuse;
    ask(f, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_null(strstr(f->text, "connection: close"));
    f->text[0] = '\0';
    f->text_size = 0;
    raw_text(f, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n");
    run_until(f, is_raw_over);
    assert_non_null(strstr(f->text, "connection: close"));
    assert_int_equal(f->handled, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_get_is_answered_and_the_connection_stays),
        TEST(connection_close_is_obeyed),
        TEST(http_10_is_answered_and_closed),
        TEST(bodies_by_length_and_in_chunks_arrive_whole),
        TEST(requests_in_single_bytes_are_understood),
        TEST(pipelined_requests_are_answered_in_order),
        TEST(pipelined_requests_wait_for_a_late_answer),
        TEST(expect_continue_gets_its_100),
        TEST(streams_are_chunked_with_trailers),
        TEST(streams_to_http_10_end_with_the_connection),
        TEST(head_has_no_body),
        TEST(absolute_targets_are_understood),
        TEST(an_upgrade_is_passed_over),
        TEST(a_length_beside_a_coding_is_refused),
        TEST(what_parsers_read_differently_is_refused),
        TEST(bad_chunks_are_refused),
        TEST(a_nul_in_a_header_is_refused),
        TEST(large_heads_are_refused),
        TEST(too_many_headers_are_refused),
        TEST(a_large_body_is_refused_and_the_answer_arrives),
        TEST(chunks_beyond_the_limit_are_refused),
        TEST(a_slow_head_is_answered_with_408),
        TEST(a_slow_body_is_answered_with_408),
        TEST(a_reader_that_stalls_is_cut_off),
        TEST(a_half_closed_client_still_gets_its_answer),
        TEST(a_client_that_ends_inside_of_a_request_is_let_go),
        TEST(flooding_with_pipelined_requests_is_held_back),
        TEST(a_drain_closes_idle_connections),
        TEST(a_drain_does_not_wait_for_the_end_of_an_idle_client),
        TEST(a_refusal_in_begin_closes_only_if_a_body_was_coming),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
