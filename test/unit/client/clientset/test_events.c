/* Server-sent events: whatever the pieces they arrive in, the same events come out. */
#include "pkg/client/clientset/events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

struct fixture {
    struct sw_event_stream stream;
    char seen[1024]; /* "name|id|data;" for each event. */
    int left;        /* Events that are still wanted. */
};

static bool note(void *ctx, const char *name, const char *id, struct sw_bytes data)
{
    struct fixture *f = ctx;
    size_t used = strlen(f->seen);

    assert_int_equal(((const char *)data.data)[data.size], '\0');
    (void)snprintf(f->seen + used, sizeof f->seen - used, "%s|%s|%s;", name, id,
                   (const char *)data.data);
    return --f->left > 0;
}

static int setup(void **state)
{
    static struct fixture fixture;

    memset(&fixture, 0, sizeof fixture);
    sw_event_stream_init(&fixture.stream);
    fixture.stream.on_event = note;
    fixture.stream.ctx = &fixture;
    fixture.left = 100;
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    sw_event_stream_done(&((struct fixture *)*state)->stream);
    return 0;
}

static enum sw_rc feed(struct fixture *f, const char *text)
{
    return sw_event_stream_feed(&f->stream, text, strlen(text));
}

static void a_plain_event_has_the_name_message(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(feed(f, "data: hello\n\n"), SW_OK);
    assert_string_equal(f->seen, "message||hello;");
}

static void name_id_and_several_lines_of_data_are_kept(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(feed(f, "event: ADDED\nid: 7\ndata: one\ndata:two\n\ndata: x\n\n"), SW_OK);
    assert_string_equal(f->seen, "ADDED|7|one\ntwo;message|7|x;");
}

static void comments_and_unknown_fields_and_events_without_data_are_nothing(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(feed(f, ": alive\n\nretry: 5\nevent: x\n\nfoo\n\ndata\n\n"), SW_OK);
    assert_string_equal(f->seen, "message||;");
}

static void every_end_of_line_counts_once(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(feed(f, "data: a\r\n\r\ndata: b\r\rdata: c\n\n"), SW_OK);
    assert_string_equal(f->seen, "message||a;message||b;message||c;");
}

static void pieces_of_any_size_give_the_same(void **state)
{
    struct fixture *f = *state;
    const char *text = "event: e\r\ndata: part\r\ndata: two\r\n\r\ndata: next\n\n";

    for (size_t i = 0; i < strlen(text); i++)
        assert_int_equal(sw_event_stream_feed(&f->stream, text + i, 1), SW_OK);
    assert_string_equal(f->seen, "e||part\ntwo;message||next;");
}

static void when_enough_was_read_the_stream_ends(void **state)
{
    struct fixture *f = *state;

    f->left = 1;
    assert_int_equal(feed(f, "data: a\n\ndata: b\n\n"), SW_E_CANCELLED);
    assert_string_equal(f->seen, "message||a;");
}

static void an_event_beyond_the_limit_is_refused(void **state)
{
    struct fixture *f = *state;
    static char piece[1024 * 1024];
    enum sw_rc rc = feed(f, "data: ");

    memset(piece, 'x', sizeof piece);
    for (size_t i = 0; i <= SW_EVENT_BYTES_MAX / sizeof piece && rc == SW_OK; i++)
        rc = sw_event_stream_feed(&f->stream, piece, sizeof piece);
    assert_int_equal(rc, SW_E_EXHAUSTED);
    assert_string_equal(f->seen, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_plain_event_has_the_name_message),
        TEST(name_id_and_several_lines_of_data_are_kept),
        TEST(comments_and_unknown_fields_and_events_without_data_are_nothing),
        TEST(every_end_of_line_counts_once),
        TEST(pieces_of_any_size_give_the_same),
        TEST(when_enough_was_read_the_stream_ends),
        TEST(an_event_beyond_the_limit_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
