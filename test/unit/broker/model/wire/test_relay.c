/* Errors in each protocol's own form, how streams end with them, and the limits of streams. */
#include "pkg/broker/model/wire/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const char *const requests[] = {
    [SW_WIRE_CHAT] = "{\"model\":\"m\",\"messages\":[{}],\"stream\":true}",
    [SW_WIRE_RESPONSES] = "{\"model\":\"m\",\"input\":\"x\",\"stream\":true}",
    [SW_WIRE_EMBEDDINGS] = "{\"model\":\"m\",\"input\":\"x\"}",
    [SW_WIRE_MESSAGES] = "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{}],\"stream\":true}"};

static struct sw_bytes bytes_of(const char *text)
{
    return (struct sw_bytes){text, strlen(text)};
}

static struct sw_wire_request *request_of(enum sw_wire_protocol protocol)
{
    struct sw_wire_request *request = NULL;
    struct sw_err err = {0};

    assert_int_equal(sw_wire_request_read(protocol, bytes_of(requests[protocol]), &request, &err),
                     SW_OK);
    return request;
}

static void assert_text(const struct sw_buffer *out, const char *expected)
{
    if (out->size != strlen(expected) || memcmp(out->data, expected, out->size) != 0)
        fail_msg("\n     got %.*s\nexpected %s", (int)out->size, (const char *)out->data, expected);
}

static void test_errors_are_written(void **state)
{
    static const struct {
        enum sw_wire_protocol protocol;
        struct sw_wire_error error;
        const char *expected;
    } rows[] = {
        {SW_WIRE_CHAT,
         {.status = 429, .message = "slow \"down\""},
         "{\"error\":{\"message\":\"slow \\\"down\\\"\",\"type\":\"rate_limit_error\",\"param\":"
         "null,\"code\":null}}"},
        {SW_WIRE_RESPONSES,
         {.status = 400, .message = "m", .code = "c", .param = "p", .type = "own"},
         "{\"error\":{\"message\":\"m\",\"type\":\"own\",\"param\":\"p\",\"code\":\"c\"}}"},
        {SW_WIRE_MESSAGES,
         {.status = 529, .message = "m", .type = "server_error"},
         "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"},"
         "\"request_id\":null}"},
        {SW_WIRE_MESSAGES,
         {.status = 500, .message = "m", .type = "billing_error"},
         "{\"type\":\"error\",\"error\":{\"type\":\"billing_error\",\"message\":\"m\"},"
         "\"request_id\":null}"},
        {SW_WIRE_MESSAGES,
         {.status = 418, .message = "m"},
         "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"m\"},"
         "\"request_id\":null}"},
        {SW_WIRE_EMBEDDINGS,
         {.status = 599, .message = "m"},
         "{\"error\":{\"message\":\"m\",\"type\":\"server_error\",\"param\":null,\"code\":null}}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sw_buffer out;

        sw_buffer_init(&out, 4096);
        sw_wire_error_write(rows[i].protocol, &rows[i].error, &out);
        assert_text(&out, rows[i].expected);
        sw_buffer_done(&out);
    }
}

static void test_errors_are_read(void **state)
{
    struct sw_wire_error error;
    char *large = malloc(4096);

    (void)state;
    assert_true(sw_wire_error_read(SW_WIRE_CHAT, 429,
                                   bytes_of("{\"error\":{\"message\":\"a\\nb\",\"type\":\"t\","
                                            "\"param\":\"p\",\"code\":7}}"),
                                   &error));
    assert_int_equal(error.status, 429);
    assert_string_equal(error.message, "a b");
    assert_string_equal(error.type, "t");
    assert_string_equal(error.code, "7");
    assert_string_equal(error.param, "p");
    assert_true(sw_wire_error_read(SW_WIRE_MESSAGES, 529,
                                   bytes_of("{\"type\":\"error\",\"error\":{\"type\":"
                                            "\"overloaded_error\",\"message\":\"Overloaded\"}}"),
                                   &error));
    assert_string_equal(error.type, "overloaded_error");
    assert_false(sw_wire_error_read(SW_WIRE_CHAT, 502, bytes_of("<html>"), &error));
    assert_non_null(strstr(error.message, "502"));
    assert_false(sw_wire_error_read(SW_WIRE_CHAT, 502, bytes_of("[\"error\"]"), &error));
    /* Words are cut between characters. */
    (void)strcpy(large, "{\"error\":\"");
    for (size_t i = 0; i < 600; i++)
        (void)strcat(large, "\xc3\xa9");
    (void)strcat(large, "\"}");
    assert_true(sw_wire_error_read(SW_WIRE_CHAT, 500, bytes_of(large), &error));
    assert_int_equal(strlen(error.message), SW_WIRE_MESSAGE_SIZE - 1);
    assert_int_equal(error.message[SW_WIRE_MESSAGE_SIZE - 2], '?');
    free(large);
}

static void test_errors_of_our_own(void **state)
{
    struct sw_wire_error error;
    struct sw_err err = {0};

    (void)state;
    (void)sw_err_set(&err, SW_E_UNSUPPORTED, "this has no counterpart");
    sw_err_field(&err, "messages[0].content");
    sw_err_hint(&err, "leave it out");
    sw_wire_error_of(&err, &error);
    assert_int_equal(error.status, 400);
    assert_string_equal(error.param, "messages[0].content");
    assert_string_equal(error.message,
                        "messages[0].content: this has no counterpart: leave it out");
    (void)sw_err_set(&err, SW_E_EXHAUSTED, "%0600d", 1);
    sw_wire_error_of(&err, &error);
    assert_int_equal(error.status, sw_rc_http_status(SW_E_EXHAUSTED));
}

static void test_streams_end_with_errors(void **state)
{
    static const char *const expected[] = {
        [SW_WIRE_CHAT] = "data: {\"error\":{\"message\":\"m\",\"type\":\"timeout_error\",\"param\":"
                         "null,\"code\":null}}\n\n",
        [SW_WIRE_RESPONSES] =
            "event: error\ndata: {\"type\":\"error\",\"code\":null,\"message\":\"m\",\"param\":"
            "null,\"sequence_number\":0,\"error\":{\"message\":\"m\",\"type\":\"timeout_error\","
            "\"param\":null,\"code\":null}}\n\n",
        [SW_WIRE_MESSAGES] =
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"timeout_error\","
            "\"message\":\"m\"},\"request_id\":null}\n\n"};
    static const enum sw_wire_protocol protocols[] = {SW_WIRE_CHAT, SW_WIRE_RESPONSES,
                                                      SW_WIRE_MESSAGES};
    const struct sw_wire_error error = {.status = 504, .message = "m"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct sw_wire_request *request = request_of(protocols[i]);
        struct sw_wire_relay *relay = NULL;
        struct sw_buffer out;
        struct sw_err err = {0};

        sw_buffer_init(&out, 4096);
        assert_int_equal(sw_wire_relay_new(request, SW_WIRE_CHAT, &relay, &err), SW_OK);
        assert_false(sw_wire_relay_has_begun(relay));
        sw_wire_relay_fail(relay, &error, &out);
        assert_text(&out, expected[protocols[i]]);
        assert_true(sw_wire_relay_has_begun(relay));
        assert_false(sw_wire_relay_is_ended(relay));
        assert_int_equal(sw_wire_relay_push(relay, bytes_of("x"), &out, &err), SW_E_CANCELLED);
        assert_int_equal(sw_wire_relay_finish(relay, &out, &err), SW_E_CANCELLED);
        sw_wire_relay_free(relay);
        sw_wire_request_free(request);
        sw_buffer_done(&out);
    }
}

static void test_an_error_in_a_stream_has_a_status(void **state)
{
    struct sw_wire_request *request = request_of(SW_WIRE_CHAT);
    struct sw_wire_relay *relay = NULL;
    struct sw_buffer out;
    struct sw_err err = {0};

    (void)state;
    sw_buffer_init(&out, 4096);
    assert_int_equal(sw_wire_relay_new(request, SW_WIRE_MESSAGES, &relay, &err), SW_OK);
    assert_null(sw_wire_relay_error(relay));
    assert_int_equal(
        sw_wire_relay_push(relay,
                           bytes_of("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"
                                    "\"overloaded_error\",\"message\":\"Busy\"}}\n\n"),
                           &out, &err),
        SW_E_UNKNOWN);
    assert_int_equal(out.size, 0);
    assert_false(sw_wire_relay_has_begun(relay));
    assert_int_equal(sw_wire_relay_error(relay)->status, 529);
    assert_string_equal(sw_wire_relay_error(relay)->message, "Busy");
    sw_wire_relay_free(relay);
    sw_wire_request_free(request);
    sw_buffer_done(&out);
}

static enum sw_rc push_many(const char *before, char filling, size_t size)
{
    struct sw_wire_request *request = request_of(SW_WIRE_CHAT);
    struct sw_wire_relay *relay = NULL;
    struct sw_buffer out;
    struct sw_err err = {0};
    char *piece = malloc(1u << 16);
    enum sw_rc rc = sw_wire_relay_new(request, SW_WIRE_CHAT, &relay, &err);

    sw_buffer_init(&out, 4096);
    (void)memset(piece, filling, 1u << 16);
    if (rc == SW_OK)
        rc = sw_wire_relay_push(relay, bytes_of(before), &out, &err);
    for (size_t at = 0; rc == SW_OK && at < size; at += 1u << 16)
        rc = sw_wire_relay_push(relay, (struct sw_bytes){piece, 1u << 16}, &out, &err);
    free(piece);
    sw_wire_relay_free(relay);
    sw_wire_request_free(request);
    sw_buffer_done(&out);
    return rc;
}

static void test_limits(void **state)
{
    struct sw_wire_request *request = request_of(SW_WIRE_CHAT);
    struct sw_wire_relay *relay = NULL;
    struct sw_buffer out;
    struct sw_err err = {0};
    char *event = malloc(70000);
    enum sw_rc rc = SW_OK;
    size_t pushed = 0;

    (void)state;
    assert_int_equal(push_many("data: ", 'x', SW_WIRE_EVENT_BYTES_MAX + (1u << 17)),
                     SW_E_EXHAUSTED);
    assert_int_equal(push_many(":", '\n', SW_WIRE_STREAM_BYTES_MAX + (1u << 17)), SW_E_EXHAUSTED);
    /* What an answer comes to, which is not what a stream has. */
    sw_buffer_init(&out, 70000);
    (void)sprintf(event, "data: {\"choices\":[{\"delta\":{\"content\":\"%060000d\"}}]}\n\n", 0);
    assert_int_equal(sw_wire_relay_new(request, SW_WIRE_CHAT, &relay, &err), SW_OK);
    while (rc == SW_OK) {
        sw_buffer_reset(&out);
        rc = sw_wire_relay_push(relay, bytes_of(event), &out, &err);
        pushed += 60000;
    }
    assert_int_equal(rc, SW_E_EXHAUSTED);
    assert_true(pushed > SW_WIRE_ANSWER_BYTES_MAX && pushed < SW_WIRE_ANSWER_BYTES_MAX + 60001);
    sw_wire_relay_free(relay);
    /* A buffer without room. */
    assert_int_equal(sw_wire_relay_new(request, SW_WIRE_CHAT, &relay, &err), SW_OK);
    sw_buffer_done(&out);
    sw_buffer_init(&out, 100);
    assert_int_equal(sw_wire_relay_push(relay, bytes_of(event), &out, &err), SW_E_EXHAUSTED);
    sw_wire_relay_free(relay);
    free(event);
    sw_wire_request_free(request);
    sw_buffer_done(&out);
}

/* The longest line of an event. */
static size_t longest_line(const struct sw_buffer *out)
{
    size_t longest = 0, from = 0;

    for (size_t i = 0; i < out->size; i++)
        if (out->data[i] == '\n') {
            longest = i - from > longest ? i - from : longest;
            from = i + 1;
        }
    return longest;
}

static void test_a_long_answer_is_a_stream_of_pieces(void **state)
{
    static const char *const units[] = {
        "x", "\\n", "\xc3\xa9", "\\u00e9", "\\ud83d\\ude00", "\xf0\x9f\x98\x80"};
    struct sw_wire_request *request = request_of(SW_WIRE_MESSAGES);
    struct sw_buffer body, out, again;
    struct sw_wire_relay *relay = NULL;
    struct sw_err err = {0};

    (void)state;
    sw_buffer_init(&body, 1u << 20);
    sw_buffer_init(&out, 1u << 22);
    sw_buffer_init(&again, 1u << 22);
    sw_buffer_put_text(&body, "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\","
                              "\"model\":\"m\",\"content\":[{\"type\":\"text\",\"text\":\"");
    for (size_t i = 0; i < 30000; i++)
        sw_buffer_put_text(&body, units[i * 7 / 3 % 6]);
    sw_buffer_put_text(&body, "\"},{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":"
                              "{\"a\":\"");
    for (size_t i = 0; i < 30000; i++)
        sw_buffer_put_text(&body, units[i * 5 / 3 % 6]);
    sw_buffer_put_text(&body, "\"}}],\"stop_reason\":\"tool_use\",\"stop_sequence\":null,\"usage\":"
                              "{\"input_tokens\":1,\"cache_read_input_tokens\":0,"
                              "\"cache_creation_input_tokens\":0,\"output_tokens\":2}}");
    assert_int_equal(
        sw_wire_answer_stream(request, (struct sw_bytes){body.data, body.size}, &out, &err), SW_OK);
    assert_true(longest_line(&out) < 17000);
    assert_int_equal(sw_wire_relay_new(request, SW_WIRE_MESSAGES, &relay, &err), SW_OK);
    assert_int_equal(sw_wire_relay_push(relay, (struct sw_bytes){out.data, out.size}, &again, &err),
                     SW_OK);
    assert_true(sw_wire_relay_is_ended(relay));
    sw_buffer_reset(&again);
    assert_int_equal(sw_wire_relay_answer(relay, &again, &err), SW_OK);
    assert_int_equal(again.size, body.size);
    assert_memory_equal(again.data, body.data, body.size);
    sw_wire_relay_free(relay);
    sw_wire_request_free(request);
    sw_buffer_done(&body);
    sw_buffer_done(&out);
    sw_buffer_done(&again);
}

static void test_what_has_no_stream(void **state)
{
    struct sw_wire_request *request = request_of(SW_WIRE_EMBEDDINGS);
    struct sw_wire_relay *relay = NULL;
    struct sw_buffer out;
    struct sw_err err = {0};

    (void)state;
    sw_buffer_init(&out, 100);
    assert_int_equal(sw_wire_relay_new(request, SW_WIRE_EMBEDDINGS, &relay, &err),
                     SW_E_UNSUPPORTED);
    assert_int_equal(sw_wire_relay_new(request, SW_WIRE_CHAT, &relay, &err), SW_E_UNSUPPORTED);
    assert_int_equal(sw_wire_answer_stream(request, bytes_of("{}"), &out, &err), SW_E_UNSUPPORTED);
    sw_wire_request_free(request);
    sw_buffer_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors_are_written),
        cmocka_unit_test(test_errors_are_read),
        cmocka_unit_test(test_errors_of_our_own),
        cmocka_unit_test(test_streams_end_with_errors),
        cmocka_unit_test(test_an_error_in_a_stream_has_a_status),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_a_long_answer_is_a_stream_of_pieces),
        cmocka_unit_test(test_what_has_no_stream),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
