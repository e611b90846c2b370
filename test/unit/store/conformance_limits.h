/* What every store refuses. See conformance.h. */
#pragma once
#include "test/unit/store/harness.h"

static void expect_refused(struct harness *harness, const struct sw_store_op *ops, size_t count)
{
    struct harness_result got = {0};
    struct sw_err err = {0};

    assert_int_equal(sw_store_commit(harness->store, &(struct sw_store_txn){ops, count},
                                     harness_done, &got, &err),
                     SW_E_INVALID);
    assert_true(err.message[0] != '\0');
    assert_int_equal(got.count, 0);
}

static void bad_keys_are_refused(void **state)
{
    struct harness *harness = *state;
    char too_long[SW_STORE_KEY_MAX + 2];
    const char *keys[] = {"", "with space", "line\n", "d\xc3\xbc", "\x7f", too_long};

    memset(too_long, 'k', sizeof(too_long) - 1);
    too_long[sizeof(too_long) - 1] = '\0';
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct sw_store_op op = harness_put_op(keys[i], "1");
        expect_refused(harness, &op, 1);
    }
    too_long[SW_STORE_KEY_MAX] = '\0';
    harness_put(harness, too_long, "1");
}

static void repeated_keys_and_oversized_values_are_refused(void **state)
{
    struct harness *harness = *state;
    struct sw_store_op twice[] = {harness_put_op("agents/a/x", "1"),
                                  harness_put_op("agents/a/y", ""),
                                  {.action = SW_STORE_CHECK, .key = "agents/a/x"}};
    char *large = calloc(1, SW_STORE_VALUE_MAX + 1);
    struct sw_store_op op = {
        .action = SW_STORE_PUT, .key = "agents/a/large", .value = {large, SW_STORE_VALUE_MAX + 1}};

    assert_non_null(large);
    expect_refused(harness, twice, 3);
    expect_refused(harness, &op, 1);
    op.value.size--;
    assert_int_equal(harness_commit(harness, &op, 1).rc, SW_OK);
    assert_int_equal(sw_store_find(harness->store, op.key)->value.size, SW_STORE_VALUE_MAX);
    free(large);
}

static void too_many_operations_are_refused(void **state)
{
    static struct sw_store_op ops[SW_STORE_OPS_MAX + 1];
    static char keys[SW_STORE_OPS_MAX + 1][32];

    for (size_t i = 0; i < SW_STORE_OPS_MAX + 1; i++) {
        snprintf(keys[i], sizeof(keys[i]), "pods/a/p-%zu", i);
        ops[i] = harness_put_op(keys[i], "1");
    }
    expect_refused(*state, ops, SW_STORE_OPS_MAX + 1);
    assert_int_equal(harness_commit(*state, ops, SW_STORE_OPS_MAX).rc, SW_OK);
}

static void a_full_queue_refuses_and_recovers(void **state)
{
    struct harness *harness = *state;
    struct harness_result got = {0};
    struct sw_err err = {0};
    int accepted = 0;

    harness_close(harness);
    harness->limits.queue_txns_max = 8;
    harness_open(harness);
    for (;;) {
        struct sw_store_op op = harness_put_op("agents/a/x", "1");
        enum sw_rc rc = sw_store_commit(harness->store, &(struct sw_store_txn){&op, 1},
                                        harness_done, &got, &err);
        if (rc == SW_E_EXHAUSTED)
            break;
        assert_int_equal(rc, SW_OK);
        accepted++;
    }
    assert_int_equal(accepted, 8);
    harness_wait(harness, &got.count, accepted);
    harness_put(harness, "agents/a/x", "2");
}

#define CONFORMANCE_LIMITS(test)                                                                   \
    test(bad_keys_are_refused), test(repeated_keys_and_oversized_values_are_refused),              \
        test(too_many_operations_are_refused), test(a_full_queue_refuses_and_recovers)
