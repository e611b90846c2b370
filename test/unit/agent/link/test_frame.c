#include "pkg/agent/link/entries.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>

static struct sw_bytes text(const char *words)
{
    return (struct sw_bytes){words, strlen(words)};
}

static struct sw_frame a_send(void)
{
    return (struct sw_frame){.kind = SW_FRAME_SEND,
                             .send = {.request = 7,
                                      .name_space = text("default"),
                                      .agent = text("reader"),
                                      .key = text("a/b"),
                                      .type = text("text/plain"),
                                      .body = text("hello"),
                                      .priority = 1,
                                      .want_reply = 1}};
}

static void a_frame_comes_back_as_it_was(void **state)
{
    struct sw_frame frame = a_send(), back;
    struct sw_buffer out;
    size_t size;

    (void)state;
    sw_buffer_init(&out, 4096);
    sw_frame_put(&frame, &out);
    assert_int_equal(
        sw_frame_take((struct sw_bytes){out.data, out.size}, SW_FRAME_TO_HOST, &back, &size, NULL),
        SW_OK);
    assert_int_equal(size, out.size);
    assert_int_equal(back.kind, SW_FRAME_SEND);
    assert_int_equal(back.send.request, 7);
    assert_memory_equal(back.send.key.data, "a/b", 3);
    assert_memory_equal(back.send.body.data, "hello", 5);
    assert_int_equal(back.send.want_reply, 1);
    sw_buffer_done(&out);
}

static void every_kind_has_a_name_and_a_shape(void **state)
{
    static const enum sw_frame_kind first[] = {SW_FRAME_HELLO, SW_FRAME_READY};
    static const enum sw_frame_kind last[] = {SW_FRAME_BUNDLE, SW_FRAME_QUOTA_HELD};

    (void)state;
    for (int side = 0; side < 2; side++)
        for (int kind = (int)first[side]; kind <= (int)last[side]; kind++)
            assert_string_not_equal(sw_frame_kind_name((enum sw_frame_kind)kind), "?");
    assert_string_equal(sw_frame_kind_name((enum sw_frame_kind)0), "?");
    assert_string_equal(sw_frame_kind_name((enum sw_frame_kind)200), "?");
}

static void a_part_of_a_frame_asks_for_more(void **state)
{
    struct sw_frame frame = a_send(), back;
    struct sw_buffer out;

    (void)state;
    sw_buffer_init(&out, 4096);
    sw_frame_put(&frame, &out);
    for (size_t part = 0; part < out.size; part++) {
        size_t size = 1;
        assert_int_equal(
            sw_frame_take((struct sw_bytes){out.data, part}, SW_FRAME_TO_HOST, &back, &size, NULL),
            SW_OK);
        assert_int_equal(size, 0);
    }
    sw_buffer_done(&out);
}

static void the_wrong_direction_is_refused(void **state)
{
    struct sw_frame frame = a_send(), back;
    struct sw_buffer out;
    size_t size;

    (void)state;
    sw_buffer_init(&out, 4096);
    sw_frame_put(&frame, &out);
    assert_int_equal(sw_frame_take((struct sw_bytes){out.data, out.size}, SW_FRAME_FROM_HOST, &back,
                                   &size, NULL),
                     SW_E_CORRUPT);
    sw_buffer_done(&out);
}

/* Put a frame, change one byte of it, and expect it to be refused. */
static void expect_refused(const struct sw_frame *frame, size_t at, uint8_t value)
{
    struct sw_frame back;
    struct sw_buffer out;
    size_t size;

    sw_buffer_init(&out, 4096);
    sw_frame_put(frame, &out);
    assert_true(at < out.size);
    out.data[at] = value;
    assert_int_equal(
        sw_frame_take((struct sw_bytes){out.data, out.size}, SW_FRAME_TO_HOST, &back, &size, NULL),
        SW_E_CORRUPT);
    sw_buffer_done(&out);
}

static void fields_out_of_range_are_refused(void **state)
{
    struct sw_frame frame = a_send();
    struct sw_frame close = {.kind = SW_FRAME_POD_CLOSE, .pod_close = {text("uid"), 1}};

    (void)state;
    expect_refused(&frame, 5, 0);         /* request 0 */
    expect_refused(&frame, 13, 0);        /* no namespace */
    expect_refused(&frame, 13, 200);      /* a namespace that is too long */
    expect_refused(&frame, 17, 0xff);     /* not UTF-8 */
    expect_refused(&frame, 17, 0);        /* NUL */
    expect_refused(&close, 5 + 4 + 3, 2); /* neither 0 nor 1 */
    expect_refused(&close, 4, 40);        /* no such kind */
    expect_refused(&close, 3, 0xff);      /* too large a frame */
    expect_refused(&close, 0, 8);         /* bytes left over */
}

static void a_frame_that_is_larger_than_its_fields_is_refused(void **state)
{
    struct sw_frame frame = {.kind = SW_FRAME_PING, .request = {1}}, back;
    struct sw_buffer out;
    size_t size;

    (void)state;
    sw_buffer_init(&out, 4096);
    sw_frame_put(&frame, &out);
    sw_buffer_put_u8(&out, 0);
    out.data[0]++;
    assert_int_equal(
        sw_frame_take((struct sw_bytes){out.data, out.size}, SW_FRAME_TO_HOST, &back, &size, NULL),
        SW_E_CORRUPT);
    sw_buffer_done(&out);
}

static void instances_come_back_and_bad_ones_are_refused(void **state)
{
    struct sw_frame_instance instance = {.key = text("k"),
                                         .pod = text("01932c07-8ba2-7c1e-9a2b-0123456789ab"),
                                         .digest = text("sha256:0123"),
                                         .state = SW_FRAME_INSTANCE_PARKED,
                                         .waiting = 3,
                                         .segments = 4,
                                         .last_ns = 5};
    struct sw_frame_instance back;
    struct sw_reader reader;
    struct sw_buffer out;

    (void)state;
    sw_buffer_init(&out, 4096);
    sw_frame_instance_put(&instance, &out);
    sw_frame_instance_put(&instance, &out);
    reader = sw_reader_of(out.data, out.size);
    assert_true(sw_frame_instance_take(&reader, &back));
    assert_true(sw_frame_instance_take(&reader, &back));
    assert_int_equal(back.waiting, 3);
    assert_int_equal(back.last_ns, 5);
    assert_int_equal(back.pod.size, 36);
    assert_true(sw_bytes_is_equal(back.digest, instance.digest));
    assert_false(sw_frame_instance_take(&reader, &back));
    assert_true(sw_reader_is_finished(&reader));
    out.data[4 + 1 + 4 + 36] = SW_FRAME_STATES; /* Its state. */
    reader = sw_reader_of(out.data, out.size);
    assert_false(sw_frame_instance_take(&reader, &back));
    assert_true(reader.failed);
    out.data[4 + 1 + 4 + 36] = SW_FRAME_INSTANCE_PARKED;
    out.data[out.size / 2 - 1] = 0xff; /* Its digest. */
    reader = sw_reader_of(out.data, out.size);
    assert_false(sw_frame_instance_take(&reader, &back));
    assert_true(reader.failed);
    sw_buffer_done(&out);
}

static void letters_come_back_and_bad_ones_are_refused(void **state)
{
    struct sw_frame_letter letter = {.number = 9,
                                     .time_ns = 8,
                                     .key = text("k"),
                                     .pod = text("uid"),
                                     .from = text("a/b"),
                                     .subject = text("news"),
                                     .type = text("text/plain"),
                                     .reason = text("Trapped"),
                                     .words = text("unreachable"),
                                     .attempts = 3,
                                     .is_timer = 1,
                                     .timer = 7,
                                     .size_bytes = 4,
                                     .body = text("dead")};
    struct sw_frame_letter back;
    struct sw_reader reader;
    struct sw_buffer out;

    (void)state;
    sw_buffer_init(&out, 4096);
    sw_frame_letter_put(&letter, &out);
    reader = sw_reader_of(out.data, out.size);
    assert_true(sw_frame_letter_take(&reader, &back));
    assert_int_equal(back.number, 9);
    assert_int_equal(back.timer, 7);
    assert_memory_equal(back.body.data, "dead", 4);
    assert_false(sw_frame_letter_take(&reader, &back));
    assert_false(reader.failed);
    for (size_t part = 1; part < out.size; part++) {
        reader = sw_reader_of(out.data, part);
        assert_false(sw_frame_letter_take(&reader, &back));
        assert_true(reader.failed);
    }
    out.data[0] = 0; /* No letter has the number 0. */
    reader = sw_reader_of(out.data, out.size);
    assert_false(sw_frame_letter_take(&reader, &back));
    sw_buffer_done(&out);
}

static struct sw_frame a_call(void)
{
    return (struct sw_frame){.kind = SW_FRAME_CALL,
                             .call = {.name = {1, 2, 3},
                                      .pod = 4,
                                      .uid = text("uid"),
                                      .key = text("k"),
                                      .service = text("swarm.delay"),
                                      .type = text("t"),
                                      .body = text("5"),
                                      .turn = 3,
                                      .depth = 1}};
}

/* Take a frame with one byte changed. */
static enum sw_rc take_changed(const struct sw_frame *frame, enum sw_frame_direction direction,
                               size_t at, uint8_t value)
{
    struct sw_frame back;
    struct sw_buffer out;
    enum sw_rc rc;
    size_t size;

    sw_buffer_init(&out, 4096);
    sw_frame_put(frame, &out);
    assert_true(at < out.size);
    out.data[at] = value;
    rc = sw_frame_take((struct sw_bytes){out.data, out.size}, direction, &back, &size, NULL);
    sw_buffer_done(&out);
    return rc;
}

static void calls_have_whole_names_and_go_their_way(void **state)
{
    struct sw_frame call = a_call();
    struct sw_frame end = {.kind = SW_FRAME_CALL_END, .call_end = {1, 2, 3}};
    struct sw_frame result = {.kind = SW_FRAME_CALL_RESULT,
                              .call_result = {.name = {1, 2, 3},
                                              .pod = 4,
                                              .code = 0,
                                              .service = text("swarm.delay"),
                                              .body = text("5")}};

    (void)state;
    assert_int_equal(take_changed(&call, SW_FRAME_FROM_HOST, 5, 9), SW_OK);
    assert_int_equal(take_changed(&end, SW_FRAME_FROM_HOST, 5, 9), SW_OK);
    assert_int_equal(take_changed(&result, SW_FRAME_TO_HOST, 5, 9), SW_OK);
    for (size_t at = 5; at < 5 + 4 * 8; at += 8) /* A name has no zeros, nor has a Pod. */
        assert_int_equal(take_changed(&call, SW_FRAME_FROM_HOST, at, 0), SW_E_CORRUPT);
    for (size_t at = 5; at < 5 + 3 * 8; at += 8)
        assert_int_equal(take_changed(&end, SW_FRAME_FROM_HOST, at, 0), SW_E_CORRUPT);
    assert_int_equal(take_changed(&call, SW_FRAME_FROM_HOST, 5 + 32, 0), SW_E_CORRUPT);  /* Uid. */
    assert_int_equal(take_changed(&result, SW_FRAME_TO_HOST, 5 + 32, 17), SW_E_CORRUPT); /* Code. */
    assert_int_equal(take_changed(&call, SW_FRAME_TO_HOST, 5, 9), SW_E_CORRUPT);
    assert_int_equal(take_changed(&result, SW_FRAME_FROM_HOST, 5, 9), SW_E_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_comes_back_as_it_was),
        cmocka_unit_test(every_kind_has_a_name_and_a_shape),
        cmocka_unit_test(a_part_of_a_frame_asks_for_more),
        cmocka_unit_test(the_wrong_direction_is_refused),
        cmocka_unit_test(fields_out_of_range_are_refused),
        cmocka_unit_test(a_frame_that_is_larger_than_its_fields_is_refused),
        cmocka_unit_test(instances_come_back_and_bad_ones_are_refused),
        cmocka_unit_test(letters_come_back_and_bad_ones_are_refused),
        cmocka_unit_test(calls_have_whole_names_and_go_their_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
