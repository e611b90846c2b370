/* What every store promises of transactions. See conformance.h. */
#pragma once
#include "test/unit/store/harness.h"

static void first_transaction_of_a_new_store_gets_revision_one(void **state)
{
    struct harness *harness = *state;

    assert_int_equal(sw_store_revision(harness->store), 0);
    assert_int_equal(harness_put(harness, "agents/a/x", "1"), 1);
    assert_int_equal(sw_store_revision(harness->store), 1);
}

static void each_transaction_has_one_larger_revision_for_all_its_keys(void **state)
{
    struct harness *harness = *state;
    struct sw_store_op ops[] = {harness_put_op("agents/a/x", "1"), harness_put_op("pods/a/y", "2")};

    uint64_t first = harness_put(harness, "nodes//n", "0");
    struct sw_store_result result = harness_commit(harness, ops, 2);
    assert_int_equal(result.rc, SW_OK);
    assert_int_equal(result.revision, first + 1);
    assert_int_equal(sw_store_find(harness->store, "agents/a/x")->revision, first + 1);
    assert_int_equal(sw_store_find(harness->store, "pods/a/y")->revision, first + 1);
}

static void nothing_is_shown_or_called_back_before_it_is_durable(void **state)
{
    struct harness *harness = *state;
    struct sw_store_op op = harness_put_op("agents/a/x", "1");
    struct harness_result got = {0};
    struct sw_err err = {0};

    assert_int_equal(
        sw_store_commit(harness->store, &(struct sw_store_txn){&op, 1}, harness_done, &got, &err),
        SW_OK);
    assert_int_equal(got.count, 0);
    assert_null(sw_store_find(harness->store, "agents/a/x"));
    harness_wait(harness, &got.count, 1);
    assert_string_equal(harness_get(harness, "agents/a/x"), "1");
}

static struct sw_store_result commit_if(struct harness *harness, enum sw_store_condition condition,
                                        uint64_t revision, const char *key)
{
    struct sw_store_op op = harness_put_op(key, "new");

    op.condition = condition;
    op.revision = revision;
    return harness_commit(harness, &op, 1);
}

static void absent_fails_for_a_key_that_exists(void **state)
{
    struct harness *harness = *state;
    uint64_t revision = harness_put(harness, "agents/a/x", "1");
    struct sw_store_result result = commit_if(harness, SW_STORE_ABSENT, 0, "agents/a/x");

    assert_int_equal(result.rc, SW_E_EXISTS);
    assert_int_equal(result.actual_revision, revision);
    assert_string_equal(harness_get(harness, "agents/a/x"), "1");
    assert_int_equal(commit_if(harness, SW_STORE_ABSENT, 0, "agents/a/y").rc, SW_OK);
}

static void present_fails_for_a_key_that_does_not_exist(void **state)
{
    struct harness *harness = *state;

    assert_int_equal(commit_if(harness, SW_STORE_PRESENT, 0, "agents/a/x").rc, SW_E_NOT_FOUND);
    harness_put(harness, "agents/a/x", "1");
    assert_int_equal(commit_if(harness, SW_STORE_PRESENT, 0, "agents/a/x").rc, SW_OK);
    harness_delete(harness, "agents/a/x");
    assert_int_equal(commit_if(harness, SW_STORE_PRESENT, 0, "agents/a/x").rc, SW_E_NOT_FOUND);
}

static void a_stale_revision_conflicts_and_the_words_name_both(void **state)
{
    struct harness *harness = *state;
    uint64_t old = harness_put(harness, "agents/a/x", "1");
    uint64_t now = harness_put(harness, "agents/a/x", "2");
    struct sw_store_op op = harness_put_op("agents/a/x", "3");
    struct sw_err err = {0};
    char words[64];

    op.condition = SW_STORE_AT_REVISION;
    op.revision = old;
    struct sw_store_result result = harness_commit(harness, &op, 1);
    assert_int_equal(result.rc, SW_E_CONFLICT);
    assert_int_equal(result.actual_revision, now);
    assert_int_equal(sw_store_result_explain(&result, &(struct sw_store_txn){&op, 1}, &err),
                     SW_E_CONFLICT);
    snprintf(words, sizeof(words), "at resourceVersion %d, but the change was made from %d",
             (int)now, (int)old);
    assert_non_null(strstr(err.message, words));
    assert_int_equal(commit_if(harness, SW_STORE_AT_REVISION, now, "agents/a/x").rc, SW_OK);
    assert_int_equal(commit_if(harness, SW_STORE_AT_REVISION, 1, "agents/a/z").rc, SW_E_NOT_FOUND);
}

static void a_failed_condition_leaves_the_whole_transaction_undone(void **state)
{
    struct harness *harness = *state;
    struct sw_store_op ops[] = {
        harness_put_op("agents/a/x", "1"),
        harness_put_op("agents/a/y", "2"),
        {.action = SW_STORE_CHECK, .condition = SW_STORE_PRESENT, .key = "namespaces//gone"}};

    struct sw_store_result result = harness_commit(harness, ops, 3);
    assert_int_equal(result.rc, SW_E_NOT_FOUND);
    assert_int_equal(result.failed_op, 2);
    assert_null(sw_store_find(harness->store, "agents/a/x"));
    assert_int_equal(sw_store_revision(harness->store), 0);
}

static void conditions_see_what_is_queued_before_them(void **state)
{
    struct harness *harness = *state;
    struct sw_store_op create = harness_put_op("agents/a/x", "1");
    struct sw_store_op remove = {.action = SW_STORE_DELETE, .key = "agents/a/x"};
    struct harness_result got[4] = {0};
    struct sw_err err = {0};
    const struct sw_store_op *sequence[] = {&create, &create, &remove, &create};

    create.condition = SW_STORE_ABSENT;
    for (int i = 0; i < 4; i++)
        assert_int_equal(sw_store_commit(harness->store, &(struct sw_store_txn){sequence[i], 1},
                                         harness_done, &got[i], &err),
                         SW_OK);
    harness_wait(harness, &got[3].count, 1);
    assert_int_equal(got[0].result.rc, SW_OK);
    assert_int_equal(got[1].result.rc, SW_E_EXISTS);
    assert_int_equal(got[1].result.actual_revision, got[0].result.revision);
    assert_int_equal(got[2].result.rc, SW_OK);
    assert_int_equal(got[3].result.rc, SW_OK);
}

struct order {
    int next, failures;
};
struct ordered {
    struct order *order;
    int number;
};

static void note_order(void *ctx, const struct sw_store_result *result)
{
    struct ordered *ordered = ctx;

    assert_int_equal(ordered->order->next++, ordered->number);
    ordered->order->failures += result->rc != SW_OK;
}

static void done_runs_in_the_order_of_the_commits_failed_ones_too(void **state)
{
    struct harness *harness = *state;
    struct order order = {0};
    struct ordered ordered[50];
    struct sw_err err = {0};

    for (int i = 0; i < 50; i++) {
        struct sw_store_op op = harness_put_op("agents/a/x", "1");
        op.condition = i % 3 == 0 ? SW_STORE_ANY : SW_STORE_ABSENT;
        ordered[i] = (struct ordered){.order = &order, .number = i};
        assert_int_equal(sw_store_commit(harness->store, &(struct sw_store_txn){&op, 1}, note_order,
                                         &ordered[i], &err),
                         SW_OK);
    }
    harness_wait(harness, &order.next, 50);
    assert_int_equal(order.failures, 33);
}

static void an_empty_transaction_is_a_barrier(void **state)
{
    struct harness *harness = *state;
    struct sw_store_op op = harness_put_op("agents/a/x", "1");
    struct harness_result put = {0}, barrier = {0};
    struct sw_err err = {0};

    assert_int_equal(
        sw_store_commit(harness->store, &(struct sw_store_txn){&op, 1}, harness_done, &put, &err),
        SW_OK);
    assert_int_equal(
        sw_store_commit(harness->store, &(struct sw_store_txn){0}, harness_done, &barrier, &err),
        SW_OK);
    harness_wait(harness, &barrier.count, 1);
    assert_int_equal(put.count, 1);
    assert_int_equal(barrier.result.rc, SW_OK);
    assert_int_equal(barrier.result.revision, put.result.revision);
}

static void a_key_made_again_counts_as_created_anew(void **state)
{
    struct harness *harness = *state;
    uint64_t first = harness_put(harness, "agents/a/x", "1");

    harness_put(harness, "agents/a/x", "2");
    assert_int_equal(sw_store_find(harness->store, "agents/a/x")->created_revision, first);
    harness_delete(harness, "agents/a/x");
    assert_null(sw_store_find(harness->store, "agents/a/x"));
    uint64_t again = harness_put(harness, "agents/a/x", "3");
    assert_int_equal(sw_store_find(harness->store, "agents/a/x")->created_revision, again);
}

static void deleting_what_is_absent_uses_no_revision(void **state)
{
    struct harness *harness = *state;
    uint64_t before = harness_put(harness, "agents/a/x", "1");

    assert_int_equal(harness_delete(harness, "agents/a/none"), before);
    assert_int_equal(sw_store_revision(harness->store), before);
}

static void closing_finishes_what_is_queued(void **state)
{
    struct harness *harness = *state;
    struct sw_store_op op = harness_put_op("agents/a/x", "1");
    struct harness_result got = {0};
    struct sw_err err = {0};

    assert_int_equal(
        sw_store_commit(harness->store, &(struct sw_store_txn){&op, 1}, harness_done, &got, &err),
        SW_OK);
    harness_close(harness);
    assert_int_equal(got.count, 1);
    assert_int_equal(got.result.rc, SW_OK);
}

#define CONFORMANCE_TXN(test)                                                                      \
    test(first_transaction_of_a_new_store_gets_revision_one),                                      \
        test(each_transaction_has_one_larger_revision_for_all_its_keys),                           \
        test(nothing_is_shown_or_called_back_before_it_is_durable),                                \
        test(absent_fails_for_a_key_that_exists),                                                  \
        test(present_fails_for_a_key_that_does_not_exist),                                         \
        test(a_stale_revision_conflicts_and_the_words_name_both),                                  \
        test(a_failed_condition_leaves_the_whole_transaction_undone),                              \
        test(conditions_see_what_is_queued_before_them),                                           \
        test(done_runs_in_the_order_of_the_commits_failed_ones_too),                               \
        test(an_empty_transaction_is_a_barrier), test(a_key_made_again_counts_as_created_anew),    \
        test(deleting_what_is_absent_uses_no_revision), test(closing_finishes_what_is_queued)
