/* Conversations with models, tools, requests and people of the C SDK, with a host of this test's
 * that answers what it is told to; above all that no room is too small to be told so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <swarm/approve.h>
#include <swarm/http.h>
#include <swarm/model_stream.h>
#include <swarm/think.h>

#include <cmocka.h>

#define ROOM_BYTES 8192u
#define ANSWERS_MAX 8

struct said {
    int32_t code;
    const char *type, *body;
};

static struct {
    struct said answers[ANSWERS_MAX];
    uint32_t next; /* Of the answers. */
    bool is_there; /* Whether a wait was taken. */
    char service[64], body[ROOM_BYTES];
} host;

static void script(const struct said *answers, uint32_t count)
{
    memset(&host, 0, sizeof host);
    assert_true(count <= ANSWERS_MAX);
    memcpy(host.answers, answers, count * sizeof *answers);
}

int32_t swarm_wait_call(const char *service, uint32_t service_size, const char *type,
                        uint32_t type_size, const void *body, uint32_t body_size,
                        uint64_t timeout_ns)
{
    (void)type;
    (void)type_size;
    (void)timeout_ns;
    assert_true(service_size < sizeof host.service && body_size < sizeof host.body);
    memcpy(host.service, service, service_size);
    host.service[service_size] = '\0';
    memcpy(host.body, body, body_size);
    host.body[body_size] = '\0';
    assert_true(host.next < ANSWERS_MAX && host.answers[host.next].body != NULL);
    host.is_there = true;
    return host.answers[host.next++].code;
}

int32_t swarm_result(struct swarm_message *ret_message, void *room, uint32_t size)
{
    const struct said *said = &host.answers[host.next - 1];
    uint32_t type = (uint32_t)strlen(said->type), body = (uint32_t)strlen(said->body);
    char *at = room;

    if (!host.is_there)
        return SWARM_E_NOT_FOUND;
    if (type + body > size)
        return (int32_t)(type + body);
    memcpy(at, said->type, type);
    memcpy(at + type, said->body, body);
    *ret_message = (struct swarm_message){.struct_size = 72,
                                          .status = said->code,
                                          .type = at,
                                          .type_size = type,
                                          .body = (uint8_t *)at + type,
                                          .body_size = body};
    return (int32_t)(type + body);
}

#define JSON "application/json; provider=p; cost=1"
#define ANSWER(content)                                                                            \
    {SWARM_OK, JSON,                                                                               \
     "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":" content         \
     "}}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}"}
#define CALL(name, arguments)                                                                      \
    {SWARM_OK, JSON,                                                                               \
     "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{"       \
     "\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"" name                          \
     "\",\"arguments\":\"" arguments "\"}}]}}]}"}
#define DELTA(content) "data: {\"choices\":[{\"delta\":{\"content\":" content "}}]}\n\n"
#define STREAM "application/vnd.swarm.stream"
#define EVENTS "text/event-stream"
#define LAST "text/event-stream; last"

static char room[ROOM_BYTES];

static struct swarm_chat chat_in(uint32_t size)
{
    return (struct swarm_chat){.model = "m", .room = room, .room_size = size};
}

static void assert_text(const struct swarm_chat *chat, const char *expected)
{
    assert_int_equal(chat->text_size, strlen(expected));
    assert_memory_equal(chat->text, expected, chat->text_size);
}

static void test_a_request_and_its_answer(void **state)
{
    static const struct said answers[] = {ANSWER("\"a\\nb\\u00e4\""), ANSWER("\"c\"")};
    struct swarm_chat chat = chat_in(sizeof room);

    (void)state;
    script(answers, 2);
    chat.instructions = "Be \"kind\".";
    chat.more = "\"temperature\":0,\"seed\":1";
    swarm_chat_say(&chat, "user", "hi", 2);
    assert_int_equal(swarm_model_chat(&chat), SWARM_OK);
    assert_string_equal(host.service, "swarm.model.chat");
    assert_string_equal(host.body,
                        "{\"messages\":[{\"role\":\"system\",\"content\":\"Be \\\"kind\\\".\"},"
                        "{\"role\":\"user\",\"content\":\"hi\"}],\"model\":\"m\","
                        "\"temperature\":0,\"seed\":1}");
    assert_text(&chat, "a\nbä");
    assert_int_equal(chat.input_tokens, 3);
    assert_int_equal(chat.output_tokens, 4);
    chat.model = NULL;
    chat.more = NULL;
    assert_int_equal(swarm_model_chat(&chat), SWARM_OK);
    assert_text(&chat, "c");
    assert_non_null(strstr(host.body, "hi\"},{\"role\":\"assistant\",\"content\":\"a\\nb\\u00e4\"}]"
                                      ",\"model\":\"auto\"}"));
    assert_int_equal(chat.turns, 2);
}

static void test_failures_have_words(void **state)
{
    static const struct said answers[] = {{SWARM_E_EXHAUSTED, "", "the budget is used up"},
                                          {SWARM_OK, JSON, "{\"choices\":[]}"},
                                          {SWARM_OK, JSON, "no JSON"},
                                          ANSWER("null")};
    struct swarm_chat chat = chat_in(sizeof room);

    (void)state;
    script(answers, 4);
    swarm_chat_say(&chat, "user", "hi", 2);
    assert_int_equal(swarm_model_chat(&chat), SWARM_E_EXHAUSTED);
    assert_text(&chat, "the budget is used up");
    assert_int_equal(swarm_model_chat(&chat), SWARM_E_INTERNAL);
    assert_text(&chat, "the answer is no chat completion");
    assert_int_equal(swarm_model_chat(&chat), SWARM_E_INTERNAL);
    assert_int_equal(swarm_model_chat(&chat), SWARM_OK);
    assert_text(&chat, "");
}

static int32_t keep_piece(void *ctx, const char *text, uint32_t size)
{
    struct swarm_text *out = ctx;

    swarm_put(out, text, size);
    swarm_put(out, "|", 1);
    return text[0] == '!' ? SWARM_E_DENIED : SWARM_OK;
}

static void test_a_stream(void **state)
{
    static const struct said answers[] = {
        {SWARM_OK, STREAM, "key/7"},
        {SWARM_OK, EVENTS, DELTA("\"\"") DELTA("\"a\\n\"") ": x\n\nevent: y\ndata: {\n\n"},
        {SWARM_OK, EVENTS, DELTA("\"\\ud83d\"") DELTA("\"\\ude00\"") DELTA("null")},
        {SWARM_OK, LAST, DELTA("\"b\"") "data: [DONE]\n\n"}};
    char bytes[64];
    struct swarm_text out = {bytes, 0, sizeof bytes, false};
    struct swarm_chat chat = chat_in(sizeof room);

    (void)state;
    script(answers, 4);
    chat.ctx = &out;
    swarm_chat_say(&chat, "user", "hi", 2);
    assert_int_equal(swarm_model_stream(&chat, keep_piece), SWARM_OK);
    assert_text(&chat, "a\n😀b"); /* Halves in two pieces are one in the end. */
    bytes[out.size] = '\0';
    assert_string_equal(bytes, "a\n|�|�|b|");
    assert_string_equal(host.service, "swarm.model.next");
    assert_int_equal(strncmp(host.body, "key/7 ", 6), 0);
    assert_int_equal(atoi(host.body + 6), strlen(answers[1].body) + strlen(answers[2].body));
    assert_true(swarm_json_is(swarm_json_find(chat.message, "role"), "assistant"));
}

static void test_streams_that_fail(void **state)
{
    static const struct said broken[] = {
        {SWARM_OK, STREAM, "k"},
        {SWARM_OK, EVENTS, DELTA("\"a\"") "data: {\"error\":{\"message\":\"gone\"}}\n\n"},
        {SWARM_OK, STREAM, "k"},
        {SWARM_OK, LAST, DELTA("\"!\"") DELTA("\"a\"")},
        {SWARM_OK, STREAM, "k"},
        {SWARM_E_NOT_FOUND, "", "there is no stream k"},
        ANSWER("\"whole\"")};
    char bytes[64];
    struct swarm_text out = {bytes, 0, sizeof bytes, false};
    struct swarm_chat chat = chat_in(sizeof room);

    (void)state;
    script(broken, 7);
    chat.ctx = &out;
    swarm_chat_say(&chat, "user", "hi", 2);
    assert_int_equal(swarm_model_stream(&chat, keep_piece), SWARM_E_UNAVAILABLE);
    assert_text(&chat, "gone");
    assert_int_equal(swarm_model_stream(&chat, keep_piece), SWARM_E_DENIED);
    assert_int_equal(swarm_model_stream(&chat, keep_piece), SWARM_E_NOT_FOUND);
    assert_text(&chat, "there is no stream k");
    assert_int_equal(swarm_model_stream(&chat, keep_piece), SWARM_OK); /* Not as a stream. */
    assert_text(&chat, "whole");
    assert_null(strstr(host.body, "assistant")); /* What failed was not kept. */
    chat.tools_count = 1;
    assert_int_equal(swarm_model_stream(&chat, keep_piece), SWARM_E_INVALID);
}

static int32_t twice(void *ctx, struct swarm_json arguments, struct swarm_text *said)
{
    int64_t number = 0;

    (void)ctx;
    if (!swarm_json_integer(swarm_json_find(arguments, "n"), &number))
        return SWARM_OK;
    swarm_put_integer(said, 2 * number);
    swarm_put_words(said, "\"\n");
    return SWARM_OK;
}

static const struct swarm_tool tools[] = {
    {.name = "none", .run = twice},
    {.name = "twice",
     .description = "Twice a number.",
     .parameters = "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"}},"
                   "\"required\":[\"n\"]}",
     .run = twice}};

static int32_t think_in(char *own, uint32_t size, struct swarm_chat *ret_chat)
{
    static const struct said answers[] = {CALL("twice", "{\\\"n\\\":21}"),
                                          CALL("twice", "{}"),
                                          CALL("none", ""),
                                          CALL("twice", "{"),
                                          CALL("other", "{}"),
                                          ANSWER("\"```json\\n{\\\"a\\\":\\\"x\\\"}\\n```\""),
                                          ANSWER("\"{\\\"a\\\":1}\"")};
    struct swarm_json value = SWARM_JSON_NOTHING;
    int32_t code;

    script(answers, 7);
    *ret_chat = (struct swarm_chat){
        .model = "m", .tools = tools, .tools_count = 2, .room = own, .room_size = size};
    swarm_chat_say(ret_chat, "user", "hi", 2);
    code = swarm_think_json(
        ret_chat, "{\"properties\":{\"a\":{\"type\":\"integer\"}},\"required\":[\"a\"]}", &value);
    if (code == SWARM_OK)
        assert_memory_equal(value.text, "{\"a\":1}", value.size);
    return code;
}

static void test_thinking(void **state)
{
    static const char *const heard[] = {"42\\\"\\u000a",
                                        "error: the value lacks \\\"n\\\"",
                                        "\"content\":\"done\"",
                                        "error: the arguments are not JSON",
                                        "error: there is no tool \\\"other\\\"",
                                        "That does not fit the schema: a is string, not integer.",
                                        "Answer again with the JSON alone.\"}",
                                        "\"tool_call_id\":\"c1\"",
                                        "\"description\":\"Twice a number.\""};
    struct swarm_chat chat;

    (void)state;
    assert_int_equal(think_in(room, sizeof room, &chat), SWARM_OK);
    for (size_t i = 0; i < sizeof heard / sizeof heard[0]; i++)
        assert_non_null(strstr(host.body, heard[i]));
    assert_int_equal(chat.turns, 7);
    assert_int_equal(think_in(room, sizeof room, &chat), SWARM_OK);
}

static void test_thinking_ends(void **state)
{
    static const struct said answers[] = {CALL("none", ""), CALL("none", "")};
    struct swarm_chat chat = chat_in(sizeof room);

    (void)state;
    script(answers, 2);
    chat.tools = tools;
    chat.tools_count = 1;
    chat.turns_max = 2;
    swarm_chat_say(&chat, "user", "hi", 2);
    assert_int_equal(swarm_think(&chat), SWARM_E_EXHAUSTED);
    assert_text(&chat, "the model has no answer after 2 turns");
}

static void test_structured_answers(void **state)
{
    static const struct said answers[] = {ANSWER("\"x\""), ANSWER("\"[]\""), ANSWER("\"1\""),
                                          ANSWER("\" ``` \\n2\\n``` \"")};
    struct swarm_json value = SWARM_JSON_NOTHING;
    struct swarm_chat chat = chat_in(sizeof room);

    (void)state;
    script(answers, 4);
    swarm_chat_say(&chat, "user", "hi", 2);
    assert_int_equal(swarm_model_json(&chat, "{\"type\":\"string\"}", &value), SWARM_E_INVALID);
    assert_text(&chat, "no answer of 3 fits the schema: the value is number, not string");
    assert_non_null(strstr(host.body, "schema: this is not JSON."));
    assert_non_null(strstr(host.body,
                           "\"response_format\":{\"type\":\"json_schema\",\"json_schema\""
                           ":{\"name\":\"answer\",\"strict\":true,\"schema\":{\"type\":"
                           "\"string\"}}}}"));
    assert_int_equal(swarm_model_json(&chat, "{\"minimum\":2}", &value), SWARM_OK);
    assert_memory_equal(value.text, "2", value.size);
    assert_int_equal(swarm_model_json(&chat, "{", &value), SWARM_E_INVALID);
    assert_int_equal(swarm_think_json(&chat, "{", &value), SWARM_E_INVALID);
}

/* A block of exactly that size, so that a sanitizer sees one byte too many. */
static char *block(uint32_t size)
{
    char *own = malloc(size == 0 ? 1 : size);

    assert_non_null(own);
    return own;
}

static void test_any_room_is_kept_to(void **state)
{
    static const struct said events[] = {{SWARM_OK, STREAM, "k"},
                                         {SWARM_OK, EVENTS, DELTA("\"one \"")},
                                         {SWARM_OK, LAST, DELTA("\"2\"")}};
    uint32_t done = 0;

    (void)state;
    for (uint32_t size = 0; size < 3000; size++) {
        char *own = block(size), bytes[32];
        struct swarm_text out = {bytes, 0, sizeof bytes, false};
        struct swarm_chat chat;
        int32_t code = think_in(own, size, &chat);

        assert_true(code == SWARM_OK || code == SWARM_E_EXHAUSTED);
        assert_true(chat.text_size > 0);
        done += code == SWARM_OK;
        script(events, 3);
        chat = (struct swarm_chat){.room = own, .room_size = size, .ctx = &out};
        swarm_chat_say(&chat, "user", "hi", 2);
        code = swarm_model_stream(&chat, keep_piece);
        assert_true(code == SWARM_OK || code == SWARM_E_EXHAUSTED);
        assert_true(chat.text_size > 0);
        done += code == SWARM_OK;
        free(own);
    }
    assert_true(done > 1000);
}

static void test_requests(void **state)
{
    static const struct said answers[] = {
        {SWARM_OK, JSON,
         "{\"status\":201,\"headers\":{\"X-Of\":\"me\",\"x\":\"y\"},\"body\":\"a\\nb\"}"},
        {SWARM_OK, JSON, "{\"status\":204,\"headers\":{},\"bodyBase64\":\"/wD+\"}"},
        {SWARM_E_DENIED, "", "no rule allows it"},
        {SWARM_OK, JSON, "{\"status\":1}"},
        {SWARM_OK, JSON, "{\"status\":200,\"bodyBase64\":\"*\"}"}};
    struct swarm_response response = {.room = room, .room_size = sizeof room};

    (void)state;
    script(answers, 5);
    assert_int_equal(swarm_fetch(&(struct swarm_request){.url = "https://x/\"",
                                                         .method = "POST",
                                                         .headers = "{\"a\":\"b\"}",
                                                         .body = "grüße",
                                                         .body_size = 7,
                                                         .timeout_ms = 50},
                                 &response),
                     SWARM_OK);
    assert_string_equal(host.body, "{\"url\":\"https://x/\\\"\",\"method\":\"POST\",\"headers\":{"
                                   "\"a\":\"b\"},\"body\":\"grüße\",\"timeoutMs\":50}");
    assert_int_equal(response.status, 201);
    assert_memory_equal(response.body, "a\nb", response.body_size);
    assert_true(swarm_json_is(swarm_header(&response, "x-of"), "me"));
    assert_true(swarm_json_is(swarm_header(&response, "X"), "y"));
    assert_int_equal(swarm_header(&response, "x-o").size, 0);
    assert_int_equal(
        swarm_fetch(&(struct swarm_request){.url = "u", .body = "a\0", .body_size = 2}, &response),
        SWARM_OK);
    assert_non_null(strstr(host.body, "\"method\":\"GET\",\"bodyBase64\":\"YQA=\"}"));
    assert_int_equal(response.body_size, 3);
    assert_memory_equal(response.body, "\xff\0\xfe", 3);
    assert_int_equal(swarm_fetch(&(struct swarm_request){.url = "u"}, &response), SWARM_E_DENIED);
    assert_memory_equal(response.body, "no rule allows it", response.body_size);
    assert_int_equal(response.status, 0);
    assert_int_equal(swarm_fetch(&(struct swarm_request){.url = "u"}, &response), SWARM_E_INTERNAL);
    assert_int_equal(swarm_fetch(&(struct swarm_request){.url = "u"}, &response), SWARM_E_INTERNAL);
}

static void test_people(void **state)
{
    static const struct said answers[] = {
        {SWARM_OK, JSON, "{\"text\":\"6.00\\n\",\"decisions\":[{\"by\":\"ada\"}]}"},
        {SWARM_E_DENIED, "", "denied by ada"},
        {SWARM_OK, JSON, "{}"}};
    struct swarm_decision decision = {.room = room, .room_size = sizeof room};

    (void)state;
    script(answers, 3);
    assert_int_equal(swarm_approve(&(struct swarm_approval){.title = "Pay?",
                                                            .text = "12.00",
                                                            .text_size = 5,
                                                            .editable = true,
                                                            .quorum = 2,
                                                            .timeout_ms = 9},
                                   &decision),
                     SWARM_OK);
    assert_string_equal(host.body, "{\"title\":\"Pay?\",\"text\":\"12.00\",\"editable\":true,"
                                   "\"quorum\":2,\"timeoutMs\":9}");
    assert_memory_equal(decision.text, "6.00\n", decision.text_size);
    assert_true(swarm_json_is(swarm_json_find(decision.decisions, "[0].by"), "ada"));
    assert_int_equal(swarm_approve(&(struct swarm_approval){.title = "?"}, &decision),
                     SWARM_E_DENIED);
    assert_memory_equal(decision.text, "denied by ada", decision.text_size);
    assert_int_equal(swarm_approve(&(struct swarm_approval){.title = "?"}, &decision),
                     SWARM_E_INTERNAL);
}

static void test_small_rooms_of_requests_and_people(void **state)
{
    static const struct said fetched[] = {
        {SWARM_OK, JSON, "{\"status\":201,\"headers\":{},\"bodyBase64\":\"/wD+\"}"}};
    static const struct said approved[] = {{SWARM_OK, JSON, "{\"text\":\"6\",\"decisions\":[]}"}};

    uint32_t done = 0;

    (void)state;
    for (uint32_t size = 0; size < 200; size++) {
        char *own = block(size);
        struct swarm_response response = {.room = own, .room_size = size};
        struct swarm_decision decision = {.room = own, .room_size = size};
        int32_t code;

        script(fetched, 1);
        code = swarm_fetch(&(struct swarm_request){.url = "u"}, &response);
        assert_true(code == SWARM_OK || code == SWARM_E_EXHAUSTED);
        done += code == SWARM_OK;
        assert_true(response.body_size > 0);
        script(approved, 1);
        code = swarm_approve(&(struct swarm_approval){.title = "Pay?"}, &decision);
        assert_true(code == SWARM_OK || code == SWARM_E_EXHAUSTED);
        done += code == SWARM_OK;
        assert_true(decision.text_size > 0);
        free(own);
    }
    assert_in_range(done, 100, 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_and_its_answer),
        cmocka_unit_test(test_failures_have_words),
        cmocka_unit_test(test_a_stream),
        cmocka_unit_test(test_streams_that_fail),
        cmocka_unit_test(test_thinking),
        cmocka_unit_test(test_thinking_ends),
        cmocka_unit_test(test_structured_answers),
        cmocka_unit_test(test_any_room_is_kept_to),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_people),
        cmocka_unit_test(test_small_rooms_of_requests_and_people),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
