#include "pkg/agent/runtime/actor/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define MANY (SW_SPARES_BYTES_MAX / 64)

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

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(spares_are_limited_by_their_bytes),
        TEST(what_was_in_use_once_gives_way_to_what_is_now),
        TEST(one_that_is_taken_again_is_as_new),
        TEST(what_is_too_large_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
