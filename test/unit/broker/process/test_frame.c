#include "pkg/broker/process/frame.h"

#include "pkg/agent/runtime/process/call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct sw_err err;

static struct sw_bytes bytes_of(const char *text)
{
    return (struct sw_bytes){text, strlen(text)};
}

static struct sw_turn_view ask(void)
{
    return (struct sw_turn_view){.head = {.kind = SW_TURN_ASK, .number = 1, .value = 5},
                                 .name = bytes_of("shop/a"),
                                 .type = bytes_of("text/plain"),
                                 .body = bytes_of("how much?")};
}

static enum sw_rc read_again(const struct sw_turn_view *view, struct sw_buffer *out,
                             struct sw_turn_view *ret_view, size_t *ret_size)
{
    err = (struct sw_err){0};
    sw_buffer_reset(out);
    sw_turn_put(out, view);
    assert_false(out->failed);
    return sw_turn_read((struct sw_bytes){out->data, out->size}, ret_view, ret_size, &err);
}

static void a_frame_is_read_as_it_was_written(void **state)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer out;
    struct sw_turn_view view = ask(), found;
    size_t size = 0;

    (void)state;
    sw_buffer_init(&out, SW_TURN_FRAME_MAX);
    assert_int_equal(read_again(&view, &out, &found, &size), SW_OK);
    assert_int_equal(size, out.size);
    assert_true(sw_bytes_is_equal(found.name, view.name));
    assert_true(sw_bytes_is_equal(found.type, view.type));
    assert_true(sw_bytes_is_equal(found.body, view.body));
    assert_int_equal(found.head.value, 5);
    assert_int_equal(sw_turn_check(&found, &err), SW_OK);
}

static void what_is_not_all_there_is_waited_for(void **state)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer out;
    struct sw_turn_view view = ask(), found;
    size_t size = 0;

    (void)state;
    sw_buffer_init(&out, SW_TURN_FRAME_MAX);
    sw_turn_put(&out, &view);
    for (size_t i = 0; i < out.size; i++)
        assert_int_equal(sw_turn_read((struct sw_bytes){out.data, i}, &found, &size, &err),
                         SW_E_UNAVAILABLE);
}

static void sizes_that_are_wrong_are_refused_at_once(void **state)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer out;
    struct sw_turn_view view = ask(), found;
    uint32_t huge = 100u << 20;
    size_t size = 0;

    (void)state;
    assert_int_equal(sw_turn_read((struct sw_bytes){&huge, sizeof huge}, &found, &size, &err),
                     SW_E_INVALID);
    assert_non_null(strstr(err.message, "104857604"));
    sw_buffer_init(&out, SW_TURN_FRAME_MAX);
    sw_turn_put(&out, &view);
    ((struct sw_turn_frame *)(void *)out.data)->name_size++;
    assert_int_equal(sw_turn_read((struct sw_bytes){out.data, out.size}, &found, &size, &err),
                     SW_E_INVALID);
}

static void a_process_may_say_only_what_its_kind_has(void **state)
{
    static const struct {
        struct sw_turn_frame head;
        const char *name, *subject, *body, *state;
        bool is_right;
    } cases[] = {
        {{.kind = SW_TURN_END, .flags = SW_TURN_HAS_STATE}, "", "", "done", "{}", true},
        {{.kind = SW_TURN_END, .status = -9}, "", "", "no", "", true},
        {{.kind = SW_TURN_END, .status = 1}, "", "", "", "", false},
        {{.kind = SW_TURN_END, .number = 1}, "", "", "", "", false},
        {{.kind = SW_TURN_END}, "", "", "", "{}", false},
        {{.kind = SW_TURN_LOG, .status = 3}, "", "", "a line", "", true},
        {{.kind = SW_TURN_LOG, .status = 4}, "", "", "a line", "", false},
        {{.kind = SW_TURN_CALL, .number = 1}, "swarm.http", "", "{}", "", true},
        {{.kind = SW_TURN_CALL, .number = 1}, "swarm.process", "", "{}", "", false},
        {{.kind = SW_TURN_PUBLISH, .number = 1}, "", "a.b", "x", "", true},
        {{.kind = SW_TURN_PUBLISH, .number = 1}, "a", "a.b", "x", "", false},
        {{.kind = SW_TURN_SLEEP, .number = 1, .value = 1}, "", "", "", "", true},
        {{.kind = SW_TURN_SLEEP, .number = 1, .time_ns = 1}, "", "", "", "", false},
        {{.kind = SW_TURN_SEND, .number = 0}, "a", "", "", "", false},
        {{.kind = SW_TURN_SEND, .number = 1, .flags = 4}, "a", "", "", "", false},
        {{.kind = SW_TURN_RESULT, .number = 1}, "", "", "", "", false},
        {{.kind = 0, .number = 1}, "", "", "", "", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct sw_turn_view view = {.head = cases[i].head,
                                          .name = bytes_of(cases[i].name),
                                          .subject = bytes_of(cases[i].subject),
                                          .state = bytes_of(cases[i].state),
                                          .body = bytes_of(cases[i].body)};

        assert_int_equal(sw_turn_check(&view, &err), cases[i].is_right ? SW_OK : SW_E_INVALID);
    }
}

/* As the agent in front does it. */
static void assert_told(struct sw_buffer *last, struct sw_buffer *theirs, const char *body,
                        size_t changed_max)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer frame = {0}, out = {0}, whole = {0};
    struct sw_turn_view view = ask();
    struct sw_process_change change;
    size_t head = sizeof view.head;

    sw_buffer_init(&frame, 1 << 20);
    sw_buffer_init(&out, 1 << 20);
    sw_buffer_init(&whole, 1 << 20);
    view.body = bytes_of(body);
    sw_turn_put(&frame, &view);
    sw_frame_put_change(&out, last, (struct sw_bytes){frame.data, frame.size});
    assert_true(out.size <= changed_max);
    assert_true((out.size == 0) == (changed_max == 0));
    if (out.size > 0) {
        memcpy(&change, out.data + head, sizeof change);
        assert_memory_equal(out.data, frame.data, head);
        assert_true((size_t)change.begin_size + change.end_size <= theirs->size);
        sw_buffer_put(&whole, theirs->data, change.begin_size);
        sw_buffer_put(&whole, out.data + head + sizeof change, out.size - head - sizeof change);
        sw_buffer_put(&whole, theirs->data + theirs->size - change.end_size, change.end_size);
        assert_int_equal(whole.size, frame.size - head);
        assert_memory_equal(whole.data, frame.data + head, whole.size);
    } else if (sw_process_is_last(frame.size - head)) {
        sw_buffer_put(&whole, frame.data + head, frame.size - head);
    } else {
        return;
    }
    sw_buffer_reset(theirs);
    sw_buffer_put(theirs, whole.data, whole.size);
}

static void a_request_is_told_of_by_what_changed(void **state)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer last = {0}, theirs = {0};
    char text[9000];

    (void)state;
    sw_buffer_init(&last, SW_PROCESS_LAST_MAX);
    sw_buffer_init(&theirs, SW_PROCESS_LAST_MAX);
    assert_told(&last, &theirs, "short", 0);
    memset(text, 'a', sizeof text);
    text[2000] = '\0';
    assert_told(&last, &theirs, text, 0);
    assert_told(&last, &theirs, text, 100); /* The same. */
    text[2000] = 'b';
    text[8999] = '\0';
    memcpy(text + 8000, "new", 3);
    assert_told(&last, &theirs, text, 7200); /* More of it. */
    text[4000] = 'c';
    assert_told(&last, &theirs, text, 100); /* A word in its middle. */
    text[3000] = '\0';
    assert_told(&last, &theirs, text, 100);  /* Less of it. */
    assert_told(&last, &theirs, "short", 0); /* It is compared with nothing, and nothing with it. */
    assert_told(&last, &theirs, text, 100);
    memset(text, 'z', 5000);
    text[5000] = '\0';
    assert_told(&last, &theirs, text, 5100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_is_read_as_it_was_written),
        cmocka_unit_test(what_is_not_all_there_is_waited_for),
        cmocka_unit_test(sizes_that_are_wrong_are_refused_at_once),
        cmocka_unit_test(a_process_may_say_only_what_its_kind_has),
        cmocka_unit_test(a_request_is_told_of_by_what_changed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
