/* labels: threaded */
#include "pkg/agent/runtime/actor/spares.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define MANY (SW_SPARES_BYTES_MAX / 64)
#define TEXTS 128u
#define CLASS (TEXTS / SW_SPARE_STEP_BYTES)

static struct sw_spares spares;
static struct sw_message *messages[MANY];

static int tear_down(void **state)
{
    (void)state;
    sw_spares_done(&spares);
    assert_int_equal(spares.bytes, 0);
    return 0;
}

/* As many as a worker never had at once, all of one size. */
static void put_many(size_t texts_bytes)
{
    for (size_t i = 0; i < MANY; i++) {
        messages[i] = sw_spares_take(&spares, texts_bytes);
        assert_non_null(messages[i]);
    }
    for (size_t i = 0; i < MANY; i++)
        sw_spares_put(&spares, messages[i]);
}

static uint64_t kept(size_t texts_bytes)
{
    size_t size_class = (texts_bytes + SW_SPARE_STEP_BYTES - 1) / SW_SPARE_STEP_BYTES;
    const struct sw_item *item = (const void *)spares.classes[size_class];
    uint64_t count = 0;

    for (; item != NULL; item = item->next)
        count++;
    return count * sw_spare_bytes(size_class);
}

static void spares_are_limited_by_their_bytes(void **state)
{
    (void)state;
    for (size_t texts_bytes = 1; texts_bytes <= 512; texts_bytes += 64) {
        put_many(texts_bytes);
        assert_true(spares.bytes >= SW_SPARES_BYTES_MAX);
        assert_true(spares.bytes < SW_SPARES_BYTES_MAX + sw_spare_bytes(SW_SPARE_CLASSES));
        sw_spares_done(&spares);
    }
}

static void what_was_in_use_once_gives_way_to_what_is_now(void **state)
{
    static const size_t sizes[] = {512, 100, 512, 1, 300};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        put_many(sizes[i]);
        assert_int_equal(kept(sizes[i]), spares.bytes);
        assert_true(spares.bytes >= SW_SPARES_BYTES_MAX);
        assert_true(spares.bytes < SW_SPARES_BYTES_MAX + sw_spare_bytes(SW_SPARE_CLASSES));
    }
}

static void one_that_is_taken_again_is_as_new(void **state)
{
    struct sw_message *message = sw_spares_take(&spares, 100), *again;

    (void)state;
    message->pod = 7;
    message->attempts = 3;
    sw_spares_put(&spares, message);
    again = sw_spares_take(&spares, 128); /* The same steps of room. */
    assert_ptr_equal(again, message);
    assert_int_equal(again->pod, 0);
    assert_int_equal(again->attempts, 0);
    assert_int_equal(again->size_bytes, sizeof *again + 128);
    assert_null(again->item.next);
    sw_message_free(again);
}

static void what_is_too_large_is_not_kept(void **state)
{
    (void)state;
    sw_spares_put(&spares, sw_spares_take(&spares, SW_SPARE_CLASSES * SW_SPARE_STEP_BYTES));
    assert_int_equal(spares.bytes, 0);
}

static void a_copy_is_kept_like_any_other(void **state)
{
    const struct sw_message template = {
        .pod = 7, .key = {"k", 1}, .head = {.from = {"a/b", 3}}, .body = {"body", 4}};
    struct sw_message *message = sw_spares_copy(&spares, &template), *again;

    (void)state;
    assert_int_equal(message->pod, 7);
    assert_int_equal(message->size_bytes, sizeof *message + 8);
    assert_memory_equal(message->body.data, "body", 4);
    assert_memory_equal(message->head.from.data, "a/b", 3);
    assert_ptr_not_equal(message->key.data, template.key.data);
    sw_spares_put(&spares, message);
    again = sw_spares_copy(&spares, &template);
    assert_ptr_equal(again, message);
    assert_memory_equal(again->key.data, "k", 1);
    sw_message_free(again);
}

static uint64_t chains_of(const struct sw_depot *depot, size_t size_class)
{
    const struct sw_message *chain = depot->chains[size_class];
    uint64_t count = 0;

    for (; chain != NULL; chain = (const void *)chain->receiver)
        count++;
    return count;
}

/* One worker sends, the other handles: no more messages are made than are on their way or kept. */
static void what_one_has_too_many_of_another_makes_use_of(void **state)
{
    struct sw_spares sender = {0}, handler = {0};
    struct sw_message *sent[SW_SPARE_CHAIN];
    uint32_t most = SW_SPARES_BYTES_MAX + SW_SPARE_CHAIN * sw_spare_bytes(CLASS);
    struct sw_depot depot;
    size_t had = 0;

    (void)state;
    sw_depot_init(&depot);
    sender.depot = handler.depot = &depot;
    for (size_t round = 0; round < 2 * MANY / SW_SPARE_CHAIN; round++) {
        had += sender.classes[CLASS] != NULL || depot.chains[CLASS] != NULL;
        for (size_t i = 0; i < SW_SPARE_CHAIN; i++)
            sent[i] = sw_spares_take(&sender, TEXTS);
        for (size_t i = 0; i < SW_SPARE_CHAIN; i++) {
            assert_null(sent[i]->receiver);
            sw_spares_put(&handler, sent[i]);
        }
        assert_true(handler.bytes <= most);
        assert_true(depot.bytes <= SW_DEPOT_BYTES_MAX);
        assert_int_equal(depot.bytes,
                         chains_of(&depot, CLASS) * SW_SPARE_CHAIN * sw_spare_bytes(CLASS));
    }
    assert_true(had > MANY / SW_SPARE_CHAIN); /* Nearly all of them, once there were enough. */
    sw_spares_done(&sender);
    sw_spares_done(&handler);
    sw_depot_done(&depot);
    assert_int_equal(depot.bytes, 0);
}

static void a_depot_that_is_full_takes_no_more(void **state)
{
    struct sw_depot depot;

    (void)state;
    sw_depot_init(&depot);
    spares.depot = &depot;
    put_many(TEXTS);
    assert_true(depot.bytes <= SW_DEPOT_BYTES_MAX);
    assert_true(depot.bytes + SW_SPARE_CHAIN * sw_spare_bytes(CLASS) > SW_DEPOT_BYTES_MAX);
    assert_true(spares.bytes <= SW_SPARES_BYTES_MAX + sw_spare_bytes(CLASS));
    sw_spares_done(&spares);
    spares.depot = NULL;
    sw_depot_done(&depot);
}

/* A size that nobody uses any more keeps out neither those of a worker nor those of the depot. */
static void a_depot_full_of_what_was_in_use_once_takes_what_is_now(void **state)
{
    static const size_t sizes[] = {512, 100, 300, 1, 512};
    struct sw_depot depot;

    (void)state;
    sw_depot_init(&depot);
    spares.depot = &depot;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t size_class = (sizes[i] + SW_SPARE_STEP_BYTES - 1) / SW_SPARE_STEP_BYTES;
        uint64_t chain = SW_SPARE_CHAIN * sw_spare_bytes(size_class);

        put_many(sizes[i]);
        assert_true(chains_of(&depot, size_class) * chain + chain > SW_DEPOT_BYTES_MAX);
        assert_int_equal(depot.bytes, chains_of(&depot, size_class) * chain);
        assert_true(depot.bytes <= SW_DEPOT_BYTES_MAX);
        assert_int_equal(kept(sizes[i]), spares.bytes);
    }
    sw_spares_done(&spares);
    spares.depot = NULL;
    sw_depot_done(&depot);
}

/* Sizes that are in use at the same time do not drive each other out while the depot has room. */
static void several_sizes_go_back_to_who_sends(void **state)
{
    static const size_t sizes[] = {50, 128, 300};
    struct sw_spares sender = {0}, handler = {0};
    struct sw_depot depot;
    size_t made = 0, round = 0;

    (void)state;
    sw_depot_init(&depot);
    sender.depot = handler.depot = &depot;
    for (; round < MANY; round++) {
        size_t size = sizes[round % 3];
        size_t size_class = (size + SW_SPARE_STEP_BYTES - 1) / SW_SPARE_STEP_BYTES;

        made += sender.classes[size_class] == NULL && depot.chains[size_class] == NULL;
        sw_spares_put(&handler, sw_spares_take(&sender, size));
    }
    assert_true(made < MANY / 3); /* As many as the handler keeps. */
    sw_spares_done(&sender);
    sw_spares_done(&handler);
    sw_depot_done(&depot);
}

struct side { /* A worker, with a thread of its own. */
    pthread_t thread;
    struct sw_spares spares;
    struct sw_message *messages[MANY];
    bool is_as_new;
};

static void *take_and_put(void *ctx)
{
    struct side *side = ctx;

    side->is_as_new = true;
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < MANY; i++) {
            side->messages[i] = sw_spares_take(&side->spares, TEXTS);
            side->is_as_new = side->is_as_new && side->messages[i]->receiver == NULL &&
                              side->messages[i]->epoch == 0 && side->messages[i]->item.next == NULL;
            side->messages[i]->epoch = i + 1;
        }
        for (size_t i = 0; i < MANY; i++)
            sw_spares_put(&side->spares, side->messages[i]);
    }
    sw_spares_done(&side->spares);
    return NULL;
}

static void many_threads_may_use_the_depot(void **state)
{
    static struct side sides[2];
    struct sw_depot depot;

    (void)state;
    sw_depot_init(&depot);
    for (size_t i = 0; i < 2; i++) {
        sides[i].spares.depot = &depot;
        assert_int_equal(pthread_create(&sides[i].thread, NULL, take_and_put, &sides[i]), 0);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(sides[i].thread, NULL), 0);
        assert_true(sides[i].is_as_new);
    }
    assert_true(depot.bytes <= SW_DEPOT_BYTES_MAX);
    sw_depot_done(&depot);
    assert_int_equal(depot.bytes, 0);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(spares_are_limited_by_their_bytes),
        TEST(what_was_in_use_once_gives_way_to_what_is_now),
        TEST(one_that_is_taken_again_is_as_new),
        TEST(what_is_too_large_is_not_kept),
        TEST(a_copy_is_kept_like_any_other),
        TEST(what_one_has_too_many_of_another_makes_use_of),
        TEST(a_depot_that_is_full_takes_no_more),
        TEST(a_depot_full_of_what_was_in_use_once_takes_what_is_now),
        TEST(several_sizes_go_back_to_who_sends),
        TEST(many_threads_may_use_the_depot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
