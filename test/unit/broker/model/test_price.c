#include "pkg/broker/model/price.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define DOLLAR UINT64_C(1000000000)

static const struct sw_model_price price = {
    .input = 3 * DOLLAR, .cached = 3 * DOLLAR / 10, .output = 15 * DOLLAR};

static void test_costs_are_rounded_up(void **state)
{
    const struct sw_model_price penny = {.input = 1};

    (void)state;
    assert_int_equal(sw_model_cost_nano(&price, 1000000, 0, 0), 3 * DOLLAR);
    assert_int_equal(sw_model_cost_nano(&price, 1000000, 1000000, 0), 3 * DOLLAR / 10);
    assert_int_equal(sw_model_cost_nano(&price, 0, 0, 1000000), 15 * DOLLAR);
    assert_int_equal(sw_model_cost_nano(&price, 10, 4, 2), 6 * 3000 + 4 * 300 + 2 * 15000);
    assert_int_equal(sw_model_cost_nano(&penny, 1, 0, 0), 1); /* A millionth of one, and up. */
    assert_int_equal(sw_model_cost_nano(&penny, 0, 0, 0), 0);
    /* More cached tokens than there are tokens count as all of them. */
    assert_int_equal(sw_model_cost_nano(&price, 1, 100, 0), 300);
    const struct sw_model_price dear = {.output = UINT64_MAX};
    assert_int_equal(sw_model_cost_nano(&dear, 0, 0, UINT64_MAX), UINT64_MAX);
}

static void test_the_worst_case_bounds_what_is_stated(void **state)
{
    struct sw_model model = {.price = price, .context_tokens = 100000, .output_tokens_max = 1000};
    struct sw_wire_view view = {.protocol = SW_WIRE_CHAT,
                                .choices = 2,
                                .messages = 3,
                                .input_bytes = 400,
                                .max_output_tokens = 50};
    struct model_worst worst;

    (void)state;
    sw_model_worst_case(&view, &model, &worst);
    assert_int_equal(worst.input_tokens, 400 + 4 * MODEL_MESSAGE_TOKENS);
    assert_int_equal(worst.output_stated, 50);
    assert_int_equal(worst.output_tokens, 100); /* Of both choices. */
    assert_int_equal(worst.amount.tokens, worst.input_tokens + 100);
    assert_int_equal(worst.amount.calls, 1);
    assert_int_equal(worst.amount.money_nano,
                     sw_model_cost_nano(&price, worst.input_tokens, 0, 100));
    view.max_output_tokens = 5000; /* More than the model has. */
    sw_model_worst_case(&view, &model, &worst);
    assert_int_equal(worst.output_stated, 1000);
    view.max_output_tokens = 0; /* Not said: the model's most. */
    sw_model_worst_case(&view, &model, &worst);
    assert_int_equal(worst.output_stated, 1000);
    model.output_tokens_max = 0; /* Nobody says: the default. */
    sw_model_worst_case(&view, &model, &worst);
    assert_int_equal(worst.output_stated, SW_WIRE_OUTPUT_TOKENS_DEFAULT);
    view.input_bytes = 10000000; /* More than fits in it is refused by the upstream. */
    sw_model_worst_case(&view, &model, &worst);
    assert_int_equal(worst.input_tokens, 100000);
    view.input_bytes = 10;
    view.media_bytes = 5; /* An image may come to anything. */
    sw_model_worst_case(&view, &model, &worst);
    assert_int_equal(worst.input_tokens, 100000);
    view.media_bytes = 0;
    view.reads_elsewhere = true; /* So may what the provider kept. */
    sw_model_worst_case(&view, &model, &worst);
    assert_int_equal(worst.input_tokens, 100000);
    model.context_tokens = 0;
    sw_model_worst_case(&view, &model, &worst);
    assert_true(worst.input_tokens >= 1000000);
    view = (struct sw_wire_view){.protocol = SW_WIRE_EMBEDDINGS, .input_bytes = 8, .choices = 1};
    sw_model_worst_case(&view, &model, &worst);
    assert_int_equal(worst.output_tokens, 0);
}

/* Reading from a cache of the upstream may be dearer than not to; the worst case has that. */
static void test_the_worst_case_has_the_dearer_input(void **state)
{
    const struct sw_model model = {.price = {.input = DOLLAR, .cached = 2 * DOLLAR}};
    struct sw_wire_view view = {.protocol = SW_WIRE_CHAT, .choices = 1, .input_bytes = 1000};
    struct model_worst worst;

    (void)state;
    sw_model_worst_case(&view, &model, &worst);
    assert_true(worst.amount.money_nano >=
                sw_model_cost_nano(&model.price, worst.input_tokens, worst.input_tokens, 0));
}

static void test_what_is_reported_is_held(void **state)
{
    const struct sw_wire_view view = {.protocol = SW_WIRE_CHAT, .input_bytes = 12800};
    const struct model_worst worst = {.input_tokens = 12900, .output_tokens = 500};
    struct sw_wire_usage usage = {
        .is_reported = true, .input_tokens = 3200, .output_tokens = 40, .output_bytes = 160};

    (void)state;
    assert_true(sw_model_usage_hold(&view, &worst, &usage));
    assert_int_equal(usage.input_tokens, 3200);
    assert_int_equal(usage.output_tokens, 40);
    usage = (struct sw_wire_usage){.is_reported = true, .output_bytes = 12800}; /* Nothing, it says.
                                                                                 */
    assert_false(sw_model_usage_hold(&view, &worst, &usage));
    assert_int_equal(usage.input_tokens, 100);
    assert_int_equal(usage.output_tokens, 100);
    usage =
        (struct sw_wire_usage){.is_reported = true, .input_tokens = 1000000, .output_tokens = 501};
    assert_false(sw_model_usage_hold(&view, &worst, &usage));
    assert_int_equal(usage.input_tokens, 12900);
    assert_int_equal(usage.output_tokens, 500);
    usage = (struct sw_wire_usage){
        .is_reported = true, .input_tokens = 200, .cached_tokens = 201, .output_tokens = 1};
    assert_false(sw_model_usage_hold(&view, &worst, &usage));
    assert_int_equal(usage.cached_tokens, 200);
}

/* Who reports nothing is taken at our own count, which is never below what it can be. */
static void test_what_is_not_reported_is_counted(void **state)
{
    const struct sw_wire_view view = {.protocol = SW_WIRE_CHAT, .input_bytes = 100};
    const struct model_worst worst = {.input_tokens = 132, .output_tokens = 50};
    struct sw_wire_usage usage = {.output_bytes = 20};

    (void)state;
    assert_true(sw_model_usage_hold(&view, &worst, &usage));
    assert_int_equal(usage.input_tokens, 132);
    assert_int_equal(usage.output_tokens, 20);
    usage = (struct sw_wire_usage){.output_bytes = 2000};
    assert_true(sw_model_usage_hold(&view, &worst, &usage));
    assert_int_equal(usage.output_tokens, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_costs_are_rounded_up),
        cmocka_unit_test(test_the_worst_case_bounds_what_is_stated),
        cmocka_unit_test(test_the_worst_case_has_the_dearer_input),
        cmocka_unit_test(test_what_is_reported_is_held),
        cmocka_unit_test(test_what_is_not_reported_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
