/* labels: threaded */
/* uses: pkg/store/sqlite pkg/apis/swarm/v1 */
#include "pkg/store/objects/query.h"
#include "test/unit/store/objects/fixture.h"

struct told { /* What a watch told: "A name " for ADDED, M, D, "B " for a bookmark. */
    struct fixture *fixture;
    struct sw_object_watch *watch;
    char text[2048];
    int events, bookmarks, ends, pause_at, stop_at;
    enum sw_rc end_rc;
};

static void on_event(void *ctx, const struct sw_object_event *event)
{
    struct told *told = ctx;
    size_t at = strlen(told->text);

    if (event->type == SW_API_WATCH_EVENT_TYPE_BOOKMARK) {
        told->bookmarks++;
        return;
    }
    snprintf(told->text + at, sizeof(told->text) - at, "%c%s ", "?AMD"[event->type],
             strrchr(event->item->key, '/') + 1);
    told->events++;
    if (told->events == told->pause_at)
        sw_objects_watch_pause(told->watch);
    if (told->events == told->stop_at)
        sw_objects_watch_stop(told->watch);
}

static void on_end(void *ctx, const struct sw_err *err)
{
    struct told *told = ctx;

    told->ends++;
    told->end_rc = err->rc;
}

static void start(struct told *told, struct fixture *fixture, const char *name, const char *labels,
                  uint64_t revision)
{
    struct sw_object_watcher watcher = {.ctx = told, .on_event = on_event, .on_end = on_end};
    struct sw_selector selector;
    struct sw_err err = {0};

    told->fixture = fixture;
    assert_int_equal(sw_selector_parse(labels, fixture->arena, &selector, &err), SW_OK);
    const struct sw_object_query query = {.kind = sw_kind_find("Agent"),
                                          .namespace_name = "default",
                                          .name = name,
                                          .selector = &selector};
    assert_int_equal(
        sw_objects_watch_start(fixture->objects, &query, revision, &watcher, &told->watch, &err),
        SW_OK);
}

static void settle(struct fixture *fixture)
{
    harness_commit(fixture->harness, NULL, 0);
    while (harness_step(fixture->harness, false))
        ;
}

static struct sw_api_agent *agent(struct fixture *fixture, const char *name, const char *tier)
{
    char json[512];

    snprintf(
        json, sizeof(json),
        "{\"metadata\":{\"name\":\"%s\",\"labels\":{\"tier\":\"%s\"}},\"spec\":{" FIXTURE_MODULE
        "}}",
        name, tier);
    return must(fixture, sw_objects_apply, make(fixture, "Agent", json));
}

static void remove_agent(struct fixture *fixture, struct sw_api_agent *gone)
{
    gone = must(fixture, sw_objects_delete, gone);
    sw_object_remove_finalizer(gone, SW_OBJECT_FINALIZER_AGENT);
    must(fixture, sw_objects_update, gone);
}

static void a_watch_from_zero_tells_what_there_is_first(void **state)
{
    struct fixture *fixture = *state;
    struct told told = {0};

    agent(fixture, "a", "one");
    agent(fixture, "b", "one");
    start(&told, fixture, "", "", 0);
    agent(fixture, "c", "one"); /* Before the first round of the watch. */
    settle(fixture);
    assert_string_equal(told.text, "Aa Ab Ac ");
    assert_true(told.bookmarks >= 1);
    sw_objects_watch_stop(told.watch);
}

static void changes_follow_with_their_types(void **state)
{
    struct fixture *fixture = *state;
    struct told told = {0};

    start(&told, fixture, "", "", sw_store_revision(fixture->harness->store));
    struct sw_api_agent *a = agent(fixture, "a", "one");
    a = agent(fixture, "a", "two");
    remove_agent(fixture, a);
    settle(fixture);
    assert_string_equal(told.text, "Aa Ma Ma Da ");
    sw_objects_watch_stop(told.watch);
}

static void a_selector_turns_label_changes_into_coming_and_going(void **state)
{
    struct fixture *fixture = *state;
    struct told told = {0};

    agent(fixture, "a", "one");
    agent(fixture, "x", "two");
    start(&told, fixture, "", "tier=one", 0);
    agent(fixture, "x", "one");
    agent(fixture, "a", "two");
    agent(fixture, "a", "three");
    settle(fixture);
    assert_string_equal(told.text, "Aa Ax Da ");
    sw_objects_watch_stop(told.watch);
}

static void a_name_watches_one_object(void **state)
{
    struct fixture *fixture = *state;
    struct told told = {0};

    agent(fixture, "a", "one");
    agent(fixture, "ab", "one");
    start(&told, fixture, "a", "", 0);
    agent(fixture, "ab", "two");
    agent(fixture, "a", "two");
    settle(fixture);
    assert_string_equal(told.text, "Aa Ma ");
    sw_objects_watch_stop(told.watch);
}

static void a_pause_holds_back_first_objects_and_changes(void **state)
{
    struct fixture *fixture = *state;
    struct told told = {.pause_at = 1};

    agent(fixture, "a", "one");
    agent(fixture, "b", "one");
    start(&told, fixture, "", "", 0);
    settle(fixture);
    agent(fixture, "a", "two");
    settle(fixture);
    assert_string_equal(told.text, "Aa ");
    sw_objects_watch_resume(told.watch);
    settle(fixture);
    assert_string_equal(told.text, "Aa Ab Ma ");
    sw_objects_watch_stop(told.watch);
}

static void a_watch_may_be_stopped_while_it_tells(void **state)
{
    struct fixture *fixture = *state;
    struct told first = {.stop_at = 1}, later = {.stop_at = 2};

    agent(fixture, "a", "one");
    agent(fixture, "b", "one");
    start(&first, fixture, "", "", 0);
    start(&later, fixture, "", "", sw_store_revision(fixture->harness->store));
    agent(fixture, "a", "two");
    agent(fixture, "a", "three");
    agent(fixture, "a", "four");
    settle(fixture);
    assert_string_equal(first.text, "Aa ");
    assert_string_equal(later.text, "Ma Ma ");
}

static void the_end_of_the_store_ends_the_watch(void **state)
{
    struct fixture *fixture = *state;
    struct told told = {0};

    start(&told, fixture, "", "", 0);
    harness_close(fixture->harness);
    assert_int_equal(told.ends, 1);
    assert_int_equal(told.end_rc, SW_E_UNAVAILABLE);
}

struct names {
    char text[256];
};

static bool note_name(void *ctx, const struct sw_store_item *item)
{
    struct names *names = ctx;

    strncat(names->text, strrchr(item->key, '/') + 1, 20);
    return true;
}

static void pages_count_what_is_selected(void **state)
{
    struct fixture *fixture = *state;
    struct sw_selector selector;
    struct sw_store_list_end end;
    struct names names = {0};
    struct sw_err err = {0};
    char token[SW_STORE_TOKEN_MAX];

    for (const char *name = "abcdef"; *name != '\0'; name++)
        agent(fixture, (char[]){*name, '\0'}, *name % 2 == 0 ? "even" : "odd");
    assert_int_equal(sw_selector_parse("tier=odd", fixture->arena, &selector, &err), SW_OK);
    struct sw_object_query query = {
        .kind = sw_kind_find("Agent"), .namespace_name = "default", .selector = &selector};
    struct sw_object_page page = {.limit = 2, .ret_end = &end};
    assert_int_equal(sw_objects_list(fixture->objects, &query, &page, note_name, &names, &err),
                     SW_OK);
    assert_string_equal(names.text, "ac");
    memcpy(token, end.token, sizeof(token));
    page.token = token;
    assert_int_equal(sw_objects_list(fixture->objects, &query, &page, note_name, &names, &err),
                     SW_OK);
    assert_string_equal(names.text, "ace");
    assert_string_equal(end.token, "");
    query.namespace_name = "other";
    page.token = NULL;
    assert_int_equal(sw_objects_list(fixture->objects, &query, &page, note_name, &names, &err),
                     SW_OK);
    assert_string_equal(names.text, "ace");
}

static bool fits(struct fixture *fixture, const char *text, const char *labels)
{
    char json[256];
    struct sw_selector selector;
    struct sw_err err = {0};

    snprintf(json, sizeof(json), "{\"metadata\":{\"name\":\"a\",\"labels\":%s}}", labels);
    assert_int_equal(sw_selector_parse(text, fixture->arena, &selector, &err), SW_OK);
    return sw_selector_fits(&selector, make(fixture, "Namespace", json));
}

static void selectors_test_labels(void **state)
{
    const char *labels = "{\"app\":\"web\",\"tier\":\"\",\"x/y\":\"z\"}";

    assert_true(fits(*state, "", labels));
    assert_true(fits(*state, "app=web", labels));
    assert_true(fits(*state, "app==web,x/y=z", labels));
    assert_false(fits(*state, "app=web,x/y=a", labels));
    assert_true(fits(*state, "app!=db", labels));
    assert_false(fits(*state, "app!=web", labels));
    assert_true(fits(*state, "none!=web", labels));
    assert_true(fits(*state, "tier", labels));
    assert_true(fits(*state, "tier=", labels));
    assert_false(fits(*state, "!tier", labels));
    assert_true(fits(*state, "!none", labels));
    assert_false(fits(*state, "none", labels));
}

static void bad_selectors_are_refused(void **state)
{
    struct fixture *fixture = *state;
    const char *bad[] = {",", "a,", ",a", "=b", "!=b", "a=b c", "!", "a b", "a=b=c", "!a=b"};
    char long_one[SW_SELECTOR_TERMS_MAX * 2 + 8] = "a";
    struct sw_selector selector;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct sw_err err = {0};
        if (sw_selector_parse(bad[i], fixture->arena, &selector, &err) != SW_E_INVALID)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_string_equal(err.field, "labelSelector");
    }
    for (int i = 0; i < SW_SELECTOR_TERMS_MAX; i++)
        strcat(long_one, ",a");
    assert_int_equal(sw_selector_parse(long_one, fixture->arena, &selector, NULL), SW_E_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_watch_from_zero_tells_what_there_is_first),
        TEST(changes_follow_with_their_types),
        TEST(a_selector_turns_label_changes_into_coming_and_going),
        TEST(a_name_watches_one_object),
        TEST(a_pause_holds_back_first_objects_and_changes),
        TEST(a_watch_may_be_stopped_while_it_tells),
        TEST(the_end_of_the_store_ends_the_watch),
        TEST(pages_count_what_is_selected),
        TEST(selectors_test_labels),
        TEST(bad_selectors_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
