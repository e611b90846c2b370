#include "pkg/broker/transcript/transcript.h"
#include "pkg/broker/transcript/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct sw_transcript *transcript;
    char told[16384]; /* One entry a line. */
};

static void on_entry(void *ctx, uint64_t turn, struct sw_bytes json)
{
    struct fixture *f = ctx;
    size_t size = strlen(f->told);

    (void)turn;
    (void)snprintf(f->told + size, sizeof f->told - size, "%.*s\n", (int)json.size,
                   (const char *)json.data);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    const struct sw_transcript_options options = {.text_bytes = 64, .ctx = f, .tell = on_entry};
    struct sw_err err = {0};

    *state = f;
    return f == NULL || sw_transcript_new(&options, &f->transcript, &err) != SW_OK;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    sw_transcript_free(f->transcript);
    free(f);
    return 0;
}

static struct sw_bytes words(const char *text)
{
    return (struct sw_bytes){text, strlen(text)};
}

static void call(struct fixture *f, uint64_t turn, const char *service, const char *body)
{
    const struct sw_transcript_part part = {.turn = turn,
                                            .time_ns = UINT64_C(1000000000) * turn,
                                            .service = words(service),
                                            .body = words(body)};
    struct sw_err err = {0};

    f->told[0] = '\0';
    assert_int_equal(sw_transcript_call(f->transcript, &part, &err), SW_OK);
}

static void answer(struct fixture *f, int32_t code, const char *type, const char *body)
{
    const struct sw_transcript_part part = {.turn = 9,
                                            .time_ns = UINT64_C(9000000000),
                                            .code = code,
                                            .type = words(type),
                                            .body = words(body)};
    struct sw_err err = {0};

    assert_int_equal(sw_transcript_answer(f->transcript, &part, &err), SW_OK);
}

static unsigned told(const struct fixture *f, const char *text)
{
    unsigned count = 0;

    for (const char *at = f->told; (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

#define ANSWERED                                                                                   \
    "{\"model\":\"m\",\"choices\":[{\"message\":{\"role\":\"assistant\",\"refusal\":null,"         \
    "\"content\":\"yes\",\"annotations\":[]}}],\"usage\":{\"prompt_tokens\":5,"                    \
    "\"completion_tokens\":2}}"

static void test_digests_are_those_of_the_standard(void **state)
{
    static const struct {
        const char *text, *hex;
    } cases[] = {{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
                 {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
                 {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sw_transcript_digest digest;
        uint8_t bytes[32];
        char hex[65] = "";

        sw_transcript_digest_begin(&digest);
        for (size_t at = 0; cases[i].text[at] != '\0'; at++) /* In pieces. */
            sw_transcript_digest_add(&digest, (struct sw_bytes){cases[i].text + at, 1});
        sw_transcript_digest_end(&digest, bytes);
        for (unsigned at = 0; at < 32; at++)
            (void)snprintf(hex + (size_t)2 * at, 3, "%02x", bytes[at]);
        assert_string_equal(hex, cases[i].hex);
    }
}

static void test_what_is_handed_back_is_not_told_again(void **state)
{
    struct fixture *f = *state;

    call(f, 2, "swarm.model.chat",
         "{\"model\":\"m\",\"messages\":[{\"role\":\"user\","
         "\"content\":\"a\\u0062\"}]}");
    answer(f, 0, "application/json; provider=house; cost=7", ANSWERED);
    assert_int_equal(told(f, "\"kind\":\"message\""), 2);
    assert_int_equal(told(f, "\"provider\":\"house\",\"costNano\":\"7\""), 1);
    assert_int_equal(told(f, "\"inputTokens\":\"5\",\"outputTokens\":\"2\""), 1);
    assert_int_equal(told(f, "\"text\":\"ab\""), 1);
    /* Other order, a list of one text, another escape, null or not: the same messages. */
    call(f, 4, "swarm.model.chat",
         "{\"messages\":[{\"content\":[{\"type\":\"text\",\"text\":\"ab\"}],\"role\":\"user\"},"
         "{\"content\":\"yes\",\"role\":\"assistant\",\"tool_calls\":null},"
         "{\"role\":\"user\",\"content\":\"c\"}]}");
    answer(f, 0, "application/json", ANSWERED);
    assert_int_equal(told(f, "\"messages\":\"3\",\"shared\":\"2\""), 1);
    assert_int_equal(told(f, "\"kind\":\"message\""), 2);
    assert_int_equal(told(f, "\"text\":\"c\""), 1);
}

static void test_a_changed_word_begins_anew(void **state)
{
    struct fixture *f = *state;

    call(f, 2, "swarm.model.messages",
         "{\"system\":\"s\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}");
    answer(f, 0, "", "{\"content\":[{\"type\":\"text\",\"text\":\"x\"}],\"role\":\"assistant\"}");
    assert_int_equal(told(f, "\"kind\":\"message\""), 3);
    call(f, 3, "swarm.model.messages",
         "{\"system\":\"S\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}");
    answer(f, -14, "", "no");
    assert_int_equal(told(f, "\"shared\":\"0\""), 1);
    assert_int_equal(told(f, "\"kind\":\"message\""), 2);
    assert_int_equal(told(f, "\"words\":\"no\""), 1);
}

static void test_tools_in_all_protocols(void **state)
{
    struct fixture *f = *state;

    call(f, 2, "swarm.model.responses",
         "{\"instructions\":\"i\",\"input\":[{\"role\":\"user\",\"content\":[{\"type\":"
         "\"input_text\",\"text\":\"q\"},{\"type\":\"input_image\"}]},{\"type\":\"function_call\","
         "\"call_id\":\"1\",\"name\":\"f\",\"arguments\":\"{}\"},{\"type\":"
         "\"function_call_output\",\"call_id\":\"1\",\"output\":\"out\"}]}");
    answer(f, 0, "",
           "{\"output\":[{\"type\":\"reasoning\"},{\"type\":\"message\",\"role\":"
           "\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"r\"}]}]}");
    assert_int_equal(told(f, "q\\n[input_image]"), 1);
    assert_int_equal(told(f, "\"toolCalls\":[{\"kind\":\"tool\",\"id\":\"1\",\"name\":\"f\""), 1);
    assert_int_equal(told(f, "\"role\":\"tool\",\"text\":\"out\""), 1);
    assert_int_equal(told(f, "[reasoning]"), 1);
    call(
        f, 3, "swarm.model.messages",
        "{\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"t\","
        "\"name\":\"g\",\"input\":{\"b\":1, \"a\":2}}]},{\"role\":\"user\",\"content\":[{\"type\":"
        "\"tool_result\",\"tool_use_id\":\"t\",\"content\":[{\"type\":\"text\",\"text\":\"u\"}]}]}]"
        "}");
    answer(f, 0, "", "");
    assert_int_equal(told(f, "\"arguments\":\"{\\\"b\\\":1,\\\"a\\\":2}\""), 1);
    assert_int_equal(told(f, "\"role\":\"tool\",\"text\":\"u\""), 1);
    assert_int_equal(told(f, "\"toolCallId\":\"t\""), 1);
}

static void test_texts_are_cut_at_characters(void **state)
{
    struct fixture *f = *state;
    char body[256];

    (void)snprintf(body, sizeof body,
                   "{\"messages\":[{\"role\":\"user\",\"content\":\"%063d\xc3\xbc more\"}]}", 0);
    call(f, 2, "swarm.model.chat", body);
    answer(f, 0, "", "not JSON");
    assert_int_equal(told(f, "\"bytes\":\"70\",\"cut\":true"), 1);
    assert_int_equal(told(f, "\xc3"), 0);
}

static void test_streams_are_told_whole_when_they_end(void **state)
{
    struct fixture *f = *state;
    struct sw_err err = {0};

    call(f, 2, "swarm.model.chat",
         "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":"
         "\"user\",\"content\":\"q\"}]}");
    answer(f, 0, "application/vnd.swarm.stream", "s-1");
    assert_string_equal(f->told, "");
    assert_true(sw_transcript_is_open(f->transcript));
    call(f, 3, "swarm.model.next", "s-1 0");
    answer(
        f, 0, "text/event-stream",
        "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\","
        "\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"he\"}}]}\n\n");
    assert_string_equal(f->told, "");
    call(f, 4, "swarm.model.next", "s-1 133");
    answer(f, 0, "text/event-stream; last", "");
    assert_int_equal(told(f, "\"turn\":\"2\""), 2);
    assert_int_equal(told(f, "broken off"), 1);
    call(f, 5, "swarm.model.chat", "{\"model\":\"m\",\"stream\":true,\"messages\":[]}");
    answer(f, 0, "application/vnd.swarm.stream", "s-2");
    assert_int_equal(sw_transcript_end(f->transcript, &err), SW_OK);
    assert_false(sw_transcript_is_open(f->transcript));
    assert_int_equal(told(f, "broken off"), 1);
}

static void test_other_services_failures_and_garbage(void **state)
{
    struct fixture *f = *state;
    struct sw_err err = {0};

    answer(f, 0, "", "of nothing");
    call(f, 2, "swarm.http", "GET");
    answer(f, 0, "", "200");
    assert_int_equal(told(f, "\"kind\":\"service\""), 1);
    assert_int_equal(told(f, "\"requestBytes\":\"3\",\"answerBytes\":\"3\""), 1);
    call(f, 3, "swarm.model.chat", "[1]");
    call(f, 4, "swarm.model.embeddings", "{\"model\":\"v\",\"input\":\"x\"}");
    assert_int_equal(told(f, "\"unread\":true"), 1);
    assert_int_equal(told(f, "unanswered"), 1);
    assert_int_equal(sw_transcript_end(f->transcript, &err), SW_OK);
    assert_int_equal(told(f, "waits"), 1);
    assert_int_equal(told(f, "\"kind\":\"message\""), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digests_are_those_of_the_standard),
        cmocka_unit_test_setup_teardown(test_what_is_handed_back_is_not_told_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_changed_word_begins_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tools_in_all_protocols, setup, teardown),
        cmocka_unit_test_setup_teardown(test_texts_are_cut_at_characters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_streams_are_told_whole_when_they_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_services_failures_and_garbage, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
