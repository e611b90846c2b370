#include "pkg/broker/model/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DOLLAR UINT64_C(1000000000)

static const struct sw_model small_models[] = {
    {.name = "small", .upstream = "s-1", .price = {.input = DOLLAR, .output = DOLLAR}},
    {.name = "clever",
     .upstream = "c-1",
     .abilities = SW_WIRE_NEED_TOOLS | SW_WIRE_NEED_IMAGES,
     .price = {.input = 9 * DOLLAR, .output = 9 * DOLLAR}}};
static const struct sw_model cheap_models[] = {
    {.name = "small", .upstream = "s-2", .price = {.input = DOLLAR / 2, .output = DOLLAR / 2}},
    {.name = "vectors", .upstream = "v", .abilities = SW_WIRE_NEED_EMBEDDINGS}};
static const char *const team[] = {"team"};

static const struct sw_model_provider one = {.name = "one",
                                             .protocols = 1u << SW_WIRE_CHAT,
                                             .models = small_models,
                                             .models_count = 2},
                                      two = {.name = "two",
                                             .protocols = 1u << SW_WIRE_MESSAGES,
                                             .models = cheap_models,
                                             .models_count = 2},
                                      own = {.name = "own",
                                             .protocols = 1u << SW_WIRE_CHAT,
                                             .priority = 5,
                                             .models = small_models,
                                             .models_count = 1,
                                             .namespaces = team,
                                             .namespaces_count = 1};

struct asked {
    struct model_option options[3];
    struct model_ways ways;
    struct sw_err err;
};

static struct asked all(void)
{
    return (struct asked){.options = {{.spec = &one}, {.spec = &two}, {.spec = &own}}};
}

static enum sw_rc ask(struct asked *asked, const char *model, uint32_t needs,
                      enum sw_wire_protocol protocol, const char *name_space)
{
    const struct sw_wire_view view = {.protocol = protocol,
                                      .model = model,
                                      .needs = needs,
                                      .choices = 1,
                                      .messages = 1,
                                      .input_bytes = 1000,
                                      .max_output_tokens = 100};

    return sw_model_route(asked->options, 3, name_space, &view, &asked->ways, &asked->err);
}

static const char *provider(const struct asked *asked, size_t at)
{
    return asked->ways.routes[at].option->spec->name;
}

static void test_the_cheaper_of_equals_is_first(void **state)
{
    struct asked asked = all();

    (void)state;
    assert_int_equal(ask(&asked, "small", 0, SW_WIRE_CHAT, "other"), SW_OK);
    assert_int_equal(asked.ways.count, 2); /* `own` is not for it. */
    assert_string_equal(provider(&asked, 0), "two");
    assert_int_equal(asked.ways.routes[0].protocol, SW_WIRE_MESSAGES); /* Translated. */
    assert_string_equal(provider(&asked, 1), "one");
    assert_int_equal(asked.ways.routes[1].protocol, SW_WIRE_CHAT);
    assert_int_equal(ask(&asked, "small", 0, SW_WIRE_CHAT, "team"), SW_OK);
    assert_int_equal(asked.ways.count, 3);
    assert_string_equal(provider(&asked, 2), "own"); /* By its priority. */
}

static void test_who_failed_is_last(void **state)
{
    struct asked asked = all();

    (void)state;
    asked.options[1].is_cooling = true;
    assert_int_equal(ask(&asked, "small", 0, SW_WIRE_CHAT, "team"), SW_OK);
    assert_string_equal(provider(&asked, 0), "one");
    assert_string_equal(provider(&asked, 2), "two");
}

static void test_a_provider_can_be_named(void **state)
{
    struct asked asked = all();

    (void)state;
    assert_int_equal(ask(&asked, "one/small", 0, SW_WIRE_CHAT, "x"), SW_OK);
    assert_int_equal(asked.ways.count, 1);
    assert_string_equal(provider(&asked, 0), "one");
}

static void test_by_what_it_can_do(void **state)
{
    struct asked asked = all();

    (void)state;
    assert_int_equal(ask(&asked, SW_MODEL_ANY, SW_WIRE_NEED_TOOLS, SW_WIRE_CHAT, "x"), SW_OK);
    assert_int_equal(asked.ways.count, 1);
    assert_string_equal(asked.ways.routes[0].model->name, "clever");
    assert_int_equal(
        ask(&asked, "small", SW_WIRE_NEED_TOOLS | SW_WIRE_NEED_AUDIO, SW_WIRE_CHAT, "x"),
        SW_E_UNSUPPORTED);
    assert_non_null(strstr(asked.err.message, "tools, audio"));
    assert_int_equal(ask(&asked, "vectors", 0, SW_WIRE_CHAT, "x"), SW_E_UNSUPPORTED);
    assert_int_equal(ask(&asked, SW_MODEL_ANY, 0, SW_WIRE_RESPONSES, "x"), SW_OK);
    for (size_t i = 0; i < asked.ways.count; i++)
        assert_string_not_equal(asked.ways.routes[i].model->name, "vectors");
}

static void test_by_price_and_by_latency(void **state)
{
    struct asked asked = all();

    (void)state;
    asked.options[0].latency_us = 100;
    asked.options[1].latency_us = 900;
    asked.options[2].latency_us = 50;
    assert_int_equal(ask(&asked, SW_MODEL_CHEAPEST, 0, SW_WIRE_CHAT, "team"), SW_OK);
    assert_string_equal(provider(&asked, 0), "two");
    assert_int_equal(ask(&asked, SW_MODEL_QUICKEST, 0, SW_WIRE_CHAT, "team"), SW_OK);
    assert_string_equal(provider(&asked, 0), "own");
}

static void test_what_is_not_there_is_told(void **state)
{
    struct asked asked = all();

    (void)state;
    assert_int_equal(ask(&asked, "smal", 0, SW_WIRE_CHAT, "x"), SW_E_NOT_FOUND);
    assert_non_null(strstr(asked.err.message, "smal"));
    assert_non_null(strstr(asked.err.hint, "small"));
    assert_int_equal(asked.ways.count, 0);
    memset(asked.options, 0, sizeof asked.options);
    const struct sw_wire_view view = {.model = "small", .choices = 1};
    assert_int_equal(sw_model_route(NULL, 0, "x", &view, &asked.ways, &asked.err), SW_E_NOT_FOUND);
    assert_non_null(strstr(asked.err.hint, "ModelProvider"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_cheaper_of_equals_is_first),
        cmocka_unit_test(test_who_failed_is_last),
        cmocka_unit_test(test_a_provider_can_be_named),
        cmocka_unit_test(test_by_what_it_can_do),
        cmocka_unit_test(test_by_price_and_by_latency),
        cmocka_unit_test(test_what_is_not_there_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
