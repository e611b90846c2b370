/* labels: threaded */
/* uses: pkg/store/sqlite pkg/security/certs */
/* Watches and log lines as server-sent events. */
#include "test/unit/web/api/fixture.h"

static bool has_status(struct fixture *f)
{
    return f->status != 0;
}

static bool has_bookmark(struct fixture *f)
{
    return strstr(f->events, "\"type\":\"BOOKMARK\"") != NULL;
}

static bool has_added(struct fixture *f)
{
    return strstr(f->events, "\"type\":\"ADDED\"") != NULL;
}

static bool has_modified(struct fixture *f)
{
    return strstr(f->events, "\"type\":\"MODIFIED\"") != NULL;
}

static bool has_line(struct fixture *f)
{
    return strstr(f->events, "\n\n") != NULL;
}

static bool has_second_line(struct fixture *f)
{
    return strstr(f->events, "second") != NULL;
}

static bool are_logs_closed(struct fixture *f)
{
    return f->logs_closed > 0;
}

static void namespace_make(struct fixture *f, const char *name)
{
    char text[128];

    (void)snprintf(text, sizeof text, "{\"metadata\":{\"name\":\"%s\"}}", name);
    assert_int_equal(request(f, SW_HTTP_POST, BASE "/namespaces", text), 201);
}

static void a_watch_tells_what_is_there_and_what_changes(void **state)
{
    struct fixture *f = *state;
    struct ask watch = {.path = IN_DEFAULT "/agents?watch=1", .is_stream = true};

    assert_int_equal(request(f, SW_HTTP_POST, IN_DEFAULT "/agents", AGENT("one")), 201);
    (void)begin(f, &watch);
    run_until(f, has_bookmark);
    assert_int_equal(f->status, 200);
    assert_non_null(strstr(f->headers, "content-type: text/event-stream\n"));
    assert_true(has_added(f));
    assert_non_null(strstr(f->events, "\"object\":{"));
    assert_non_null(strstr(f->events, "\"name\":\"one\""));
    assert_int_equal(strncmp(f->events, "id: ", 4), 0);
    assert_true(strstr(f->events, "ADDED") < strstr(f->events, "BOOKMARK"));
    assert_int_equal(request(f, SW_HTTP_PUT, IN_DEFAULT "/agents/one",
                             "{\"spec\":{\"module\":\"" DIGEST "\",\"replicas\":4}}"),
                     200);
    run_until(f, has_modified);
    assert_int_equal(request(f, SW_HTTP_DELETE, IN_DEFAULT "/agents/one", NULL), 200);
}

static void a_watch_resumes_after_the_last_event(void **state)
{
    struct fixture *f = *state;
    char id[32];
    struct ask watch = {.path = BASE "/namespaces?watch=1", .is_stream = true, .last_event_id = id};

    namespace_make(f, "one");
    (void)snprintf(id, sizeof id, "%llu",
                   (unsigned long long)number_after(f, "\"resourceVersion\":\""));
    namespace_make(f, "two");
    (void)begin(f, &watch);
    run_until(f, has_added);
    assert_non_null(strstr(f->events, "\"name\":\"two\""));
    assert_null(strstr(f->events, "\"name\":\"one\""));
}

static void a_watch_may_be_of_one_name_or_label(void **state)
{
    struct fixture *f = *state;
    struct ask watch = {.path = BASE "/namespaces?watch=true&name=two&resourceVersion=1",
                        .is_stream = true};

    (void)begin(f, &watch);
    run_until(f, has_status);
    namespace_make(f, "one");
    namespace_make(f, "two");
    run_until(f, has_added);
    assert_non_null(strstr(f->events, "\"name\":\"two\""));
    assert_null(strstr(f->events, "\"name\":\"one\""));
}

static void a_revision_that_is_gone_is_410(void **state)
{
    struct fixture *f = *state;

    namespace_make(f, "one");
    sw_store_compact(f->store, sw_store_revision(f->store));
    assert_int_equal(get(f, BASE "/namespaces?watch=1&resourceVersion=1"), 410);
    assert_true(body_has(f, "\"code\":\"OUT_OF_RANGE\""));
    assert_int_equal(get(f, BASE "/namespaces?watch=1&resourceVersion=99999"), 410);
    struct ask ask = {.path = BASE "/namespaces?watch=1", .last_event_id = "x"};
    assert_int_equal(finish(f, &ask), 400);
}

static bool has_ended(struct fixture *f)
{
    return f->replies > 0;
}

static bool has_both_ended(struct fixture *f)
{
    return f->replies == 2;
}

static void a_watch_whose_client_goes_is_stopped(void **state)
{
    struct fixture *f = *state;
    struct ask watch = {.path = BASE "/namespaces?watch=1", .is_stream = true};
    struct sw_http_call *call = begin(f, &watch);
    struct sw_store_view view;

    run_until(f, has_bookmark);
    sw_store_view(f->store, &view);
    assert_int_equal(view.watches, 1);
    sw_http_call_cancel(call);
    run_until(f, has_ended);
    for (int i = 0; i < 200 && view.watches > 0; i++) {
        run_for(f, 5);
        sw_store_view(f->store, &view);
    }
    assert_int_equal(view.watches, 0);
}

static void many_objects_reach_a_watch_whole(void **state)
{
    struct fixture *f = *state;
    struct ask watch = {.path = BASE "/namespaces?watch=1", .is_stream = true};
    char name[32];
    size_t count = 0;

    for (int i = 0; i < 300; i++) {
        (void)snprintf(name, sizeof name, "space-%d", i);
        namespace_make(f, name);
    }
    (void)begin(f, &watch);
    run_until(f, has_bookmark);
    for (const char *at = f->events; (at = strstr(at, "\"type\":\"ADDED\"")) != NULL; at++)
        count++;
    assert_int_equal(count, 301); /* And "default". */
}

static void the_store_closing_ends_a_watch_with_words(void **state)
{
    struct fixture *f = *state;
    struct ask watch = {.path = BASE "/namespaces?watch=1", .is_stream = true};

    (void)begin(f, &watch);
    run_until(f, has_bookmark);
    sw_store_free(f->store);
    f->store = NULL;
    run_until(f, has_ended);
    assert_non_null(strstr(f->events, "event: error\n"));
    assert_non_null(strstr(f->events, "\"code\":\"UNAVAILABLE\""));
}

static void a_drain_ends_streams_with_words(void **state)
{
    struct fixture *f = *state;
    struct ask watch = {.path = BASE "/namespaces?watch=1", .is_stream = true};
    struct ask logs = {.path = IN_DEFAULT "/agents/reader/logs?follow=1", .is_stream = true};

    assert_int_equal(request(f, SW_HTTP_POST, IN_DEFAULT "/agents", AGENT("reader")), 201);
    (void)begin(f, &logs);
    (void)begin(f, &watch);
    run_until(f, has_bookmark);
    sw_gateway_drain(f->gateway);
    sw_http_server_drain(f->server);
    run_until(f, has_both_ended);
    assert_int_equal(f->rc, SW_OK);
    assert_non_null(strstr(f->events, "event: error\n"));
    assert_non_null(strstr(f->events, "the daemon stops"));
    assert_int_equal(f->logs_closed, 1);
    for (int i = 0; i < 500 && !sw_http_server_is_drained(f->server); i++)
        run_for(f, 10);
    assert_true(sw_http_server_is_drained(f->server));
}

static void kept_log_lines_are_read(void **state)
{
    struct fixture *f = *state;
    struct ask logs = {.path = IN_DEFAULT "/agents/reader/logs?tail=5&key=a", .is_stream = true};

    assert_int_equal(request(f, SW_HTTP_POST, IN_DEFAULT "/agents", AGENT("reader")), 201);
    (void)begin(f, &logs);
    run_until(f, has_ended);
    assert_int_equal(f->status, 200);
    assert_string_equal(f->events, "data: {\"time\":\"2023-11-14T22:13:20Z\","
                                   "\"instance\":\"reader/a\",\"level\":\"info\","
                                   "\"text\":\"first \\\"line\\\"\"}\n\n");
    assert_int_equal(f->logs.tail, 5);
    assert_int_equal(f->logs_closed, 0);
}

static void log_lines_are_followed_until_the_client_goes(void **state)
{
    struct fixture *f = *state;
    struct ask logs = {.path = IN_DEFAULT "/agents/reader/logs?follow=1", .is_stream = true};
    struct sw_gateway_log_line line = {
        .instance = "reader/b", .level = "warn", .text = {"second\n\xff", 8}, .dropped = 3};
    struct sw_http_call *call;

    assert_int_equal(request(f, SW_HTTP_POST, IN_DEFAULT "/agents", AGENT("reader")), 201);
    call = begin(f, &logs);
    run_until(f, has_line);
    line.text.size = 6;
    f->logs.on_line(f->logs.ctx, &line);
    run_until(f, has_second_line);
    assert_non_null(strstr(f->events, "\"dropped\":3"));
    sw_http_call_cancel(call);
    run_until(f, are_logs_closed);
    assert_int_equal(f->logs_closed, 1);
}

static void log_lines_may_end_by_themselves(void **state)
{
    struct fixture *f = *state;
    struct ask logs = {.path = IN_DEFAULT "/agents/reader/logs?follow=true", .is_stream = true};

    assert_int_equal(request(f, SW_HTTP_POST, IN_DEFAULT "/agents", AGENT("reader")), 201);
    (void)begin(f, &logs);
    run_until(f, has_line);
    f->logs.on_end(f->logs.ctx, SW_E_UNAVAILABLE);
    run_until(f, has_ended);
    assert_int_equal(f->rc, SW_OK);
    assert_int_equal(f->logs_closed, 0);
}

static void logs_of_no_agent_are_404(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(get(f, IN_DEFAULT "/agents/nobody/logs"), 404);
    assert_int_equal(get(f, IN_DEFAULT "/agents/nobody/logs?tail=x"), 400);
    assert_int_equal(get(f, IN_DEFAULT "/agents/nobody/logs?key="), 400);
    assert_int_equal(get(f, IN_DEFAULT "/agents/nobody/instances"), 404);
}

static void instances_are_listed_in_pages(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(request(f, SW_HTTP_POST, IN_DEFAULT "/agents", AGENT("reader")), 201);
    assert_int_equal(get(f, IN_DEFAULT "/agents/reader/instances"), 200);
    assert_true(body_has(f, "{\"name\":\"reader/a\",\"pod\":\"reader-0\",\"node\":\"one\","
                            "\"state\":\"Running\",\"module\":\"sha256:01\",\"message\":\"\","
                            "\"turns\":\"5\""));
    assert_true(body_has(f, "\"continue\":\"\""));
    assert_string_equal(f->told, "default|reader|0||7f|500");
    assert_int_equal(get(f, IN_DEFAULT "/agents/reader/instances?limit=2&continue=00000000ff"),
                     200);
    assert_true(body_has(f, "\"continue\":\"0000000abc\""));
    assert_string_equal(f->told, "default|reader|ff||7f|2");
    assert_int_equal(get(f, IN_DEFAULT "/agents/reader/instances?limit=1001"), 400);
    for (const char *const *bad =
             (const char *const[]){"reader%2F9", "ff", "00000000fg", "00000000ff0", "00000000FF",
                                   "-000000001", NULL};
         *bad != NULL; bad++) {
        char path[256];

        (void)snprintf(path, sizeof path, IN_DEFAULT "/agents/reader/instances?continue=%s", *bad);
        assert_int_equal(get(f, path), 400);
        assert_true(body_has(f, "\"field\":\"continue\""));
    }
}

static void what_agents_used_is_told_in_sums(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(get(f, IN_DEFAULT "/usage"), 200);
    assert_true(body_has(f, "{\"items\":[{\"agent\":\"reader\",\"usage\":{"
                            "\"cpuNanoseconds\":\"70\",\"messages\":\"5\","));
    assert_true(body_has(f, "\"time\":\"2023-11-14T22:13:20"));
    assert_true(body_has(f, "},{\"agent\":\"writer\","));
    assert_string_equal(f->told, "default");
    assert_int_equal(get(f, IN_DEFAULT "/usage?limit=1"), 400);
    assert_int_equal(request(f, SW_HTTP_POST, IN_DEFAULT "/usage", ""), 405);
    assert_int_equal(get(f, IN_DEFAULT "/usage/reader"), 404);
}

static void instances_are_chosen_by_key_and_state_and_counted(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(request(f, SW_HTTP_POST, IN_DEFAULT "/agents", AGENT("reader")), 201);
    assert_int_equal(
        get(f, IN_DEFAULT "/agents/reader/instances?prefix=%7Ba%7D&state=asleep,PARKED"), 200);
    assert_string_equal(f->told, "default|reader|0|{a}|18|500");
    assert_int_equal(get(f, IN_DEFAULT "/agents/reader/instances?state=awake"), 200);
    assert_string_equal(f->told, "default|reader|0||77|500");
    assert_int_equal(get(f, IN_DEFAULT "/agents/reader/instances?state="), 200);
    assert_string_equal(f->told, "default|reader|0||7f|500");
    assert_int_equal(get(f, IN_DEFAULT "/agents/reader/instances?state=idle,sleepy"), 400);
    assert_true(body_has(f, "there is no state \\\"sleepy\\\""));
    assert_int_equal(get(f, IN_DEFAULT "/agents/reader/instances?state=,"), 400);
    assert_int_equal(get(f, IN_DEFAULT "/agents/reader/instances?count=true&limit=2"), 200);
    assert_true(body_has(f, "{\"counts\":{\"Idle\":\"1\",\"Running\":\"2\",\"Waiting\":\"3\","
                            "\"Asleep\":\"4\",\"Parked\":\"5\",\"Failing\":\"6\",\"Held\":\"7\"},"
                            "\"continue\":\"0000000abc\"}"));
    assert_int_equal(get(f, IN_DEFAULT "/agents/reader/instances?count=perhaps"), 400);
}

static void dead_letters_are_listed_delivered_again_and_dropped(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(get(f, IN_DEFAULT "/agents/nobody/deadletters"), 404);
    assert_int_equal(request(f, SW_HTTP_POST, IN_DEFAULT "/agents", AGENT("reader")), 201);
    assert_int_equal(get(f, IN_DEFAULT "/agents/reader/deadletters"), 200);
    assert_true(body_has(f, "{\"id\":\"7\",\"time\":\"1970-01-01T00:00:01Z\",\"kind\":\"Message\","
                            "\"instance\":\"reader/a\""));
    assert_true(body_has(f, "\"reason\":\"Trapped\""));
    assert_true(body_has(f, "\"attempts\":3,\"sizeBytes\":\"4\"}"));
    assert_true(body_has(f, "\"continue\":\"\""));
    assert_string_equal(f->told, "default|reader|-|0|500|0");
    assert_int_equal(
        get(f, IN_DEFAULT "/agents/reader/deadletters?key=a&limit=1&continue=6&body=1"), 200);
    assert_true(body_has(f, "\"body\":\"ZGVhZA==\""));
    assert_true(body_has(f, "\"continue\":\"7\""));
    assert_string_equal(f->told, "default|reader|a|6|1|1");
    assert_int_equal(get(f, IN_DEFAULT "/agents/reader/deadletters?continue=x"), 400);
    assert_int_equal(get(f, IN_DEFAULT "/agents/reader/deadletters?id=7"), 400);
    assert_int_equal(request(f, SW_HTTP_POST, IN_DEFAULT "/agents/reader/deadletters?id=7", ""),
                     200);
    assert_true(body_has(f, "{\"count\":\"1\"}"));
    assert_string_equal(f->told, "default|reader|-|7|redeliver");
    assert_int_equal(
        request(f, SW_HTTP_DELETE, IN_DEFAULT "/agents/reader/deadletters?id=all&key=a", ""), 200);
    assert_string_equal(f->told, "default|reader|a|0|drop");
    assert_int_equal(request(f, SW_HTTP_DELETE, IN_DEFAULT "/agents/reader/deadletters", ""), 400);
    assert_int_equal(request(f, SW_HTTP_POST, IN_DEFAULT "/agents/reader/deadletters?id=0", ""),
                     400);
    assert_int_equal(request(f, SW_HTTP_POST, IN_DEFAULT "/agents/reader/deadletters?id=9", ""),
                     404);
}

static void a_history_is_listed_run_again_and_tried(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(request(f, SW_HTTP_POST, IN_DEFAULT "/agents", AGENT("reader")), 201);
    assert_int_equal(get(f, IN_DEFAULT "/agents/nobody/history?key=a"), 404);
    assert_int_equal(get(f, IN_DEFAULT "/agents/reader/history?key=a"), 200);
    assert_string_equal(f->told, "default|reader|a|0|0|0|100|0|0||0||");
    assert_true(body_has(f, "{\"first\":\"1\",\"last\":\"7\",\"replayable\":\"1\",\"ended\":false,"
                            "\"turns\":[{\"turn\":\"7\",\"lsn\":\"640\",\"time\":"));
    assert_true(body_has(f, "\"sizeBytes\":\"4\",\"body\":\"ZGVhZA==\""));
    assert_true(body_has(f, "\"effects\":[{\"kind\":\"send\",\"to\":\"writer/b\","));
    assert_int_equal(
        get(f, IN_DEFAULT "/agents/reader/history?key=a&view=state&to=7&newest=1&body=9"), 200);
    assert_string_equal(f->told, "default|reader|a|1|0|7|100|1|9||0||");
    assert_true(body_has(f, "\"waitsFor\":\"a time\""));
    assert_int_equal(get(f, IN_DEFAULT "/agents/reader/history"), 400);
    assert_int_equal(get(f, IN_DEFAULT "/agents/reader/history?key=a&view=x"), 400);
    assert_int_equal(get(f, IN_DEFAULT "/agents/reader/history?key=a&from=3&to=2"), 200);
    assert_int_equal(get(f, IN_DEFAULT "/agents/reader/history?key=a&limit=1001"), 400);
    assert_int_equal(get(f, IN_DEFAULT "/agents/reader/history?key=a&module=x"), 400);
    assert_int_equal(get(f, IN_DEFAULT "/agents/reader/history?key=gone"), 404);
    assert_int_equal(
        request(f, SW_HTTP_POST, IN_DEFAULT "/agents/reader/history?key=a&turn=3&input=1", "{}"),
        200);
    assert_string_equal(f->told, "default|reader|a|3|0|3|0|0|0||1|{}|application/json");
    assert_int_equal(request(f, SW_HTTP_POST, IN_DEFAULT "/agents/reader/history?key=a&turn=1", ""),
                     400);
}

static bool comes_to_look(struct fixture *f, bool is_looking)
{
    for (int i = 0; i < 200 && (f->looking.ctx != NULL) != is_looking; i++)
        run_for(f, 5);
    return (f->looking.ctx != NULL) == is_looking;
}

static void a_look_at_the_past_ends_when_its_client_goes(void **state)
{
    struct fixture *f = *state;
    struct ask ask = {.path = IN_DEFAULT "/agents/reader/history?key=long&view=replay"};
    struct sw_http_call *call;

    assert_int_equal(request(f, SW_HTTP_POST, IN_DEFAULT "/agents", AGENT("reader")), 201);
    call = begin(f, &ask);
    assert_true(comes_to_look(f, true));
    sw_http_call_cancel(call);
    assert_true(comes_to_look(f, false));
}

static void a_fork_is_made_released_and_dropped(void **state)
{
    static const char path[] = IN_DEFAULT "/agents/reader/held";
    struct fixture *f = *state;

    assert_int_equal(request(f, SW_HTTP_POST, IN_DEFAULT "/agents", AGENT("reader")), 201);
    assert_int_equal(
        request(f, SW_HTTP_POST, IN_DEFAULT "/agents/reader/held?key=a&turn=3&as=b", ""), 200);
    assert_string_equal(f->told, "default|reader|a|4|0|3|0|0|0||0||");
    assert_true(body_has(f, "\"ended\":false,\"instance\":\"reader/b\","));
    assert_int_equal(
        request(f, SW_HTTP_POST, IN_DEFAULT "/agents/reader/held?key=a&turn=3&as=", ""), 400);
    assert_int_equal(get(f, IN_DEFAULT "/agents/reader/history?key=a&as=b"), 400);
    assert_int_equal(request(f, SW_HTTP_PUT, IN_DEFAULT "/agents/reader/held?key=b", ""), 200);
    assert_string_equal(f->told, "default|reader|b|release");
    assert_true(body_has(f, "{\"instance\":\"reader/b\"}"));
    assert_int_equal(request(f, SW_HTTP_DELETE, IN_DEFAULT "/agents/reader/held?key=b", ""), 200);
    assert_string_equal(f->told, "default|reader|b|drop");
    assert_int_equal(request(f, SW_HTTP_POST, path, ""), 400);
    assert_int_equal(request(f, SW_HTTP_PUT, path, ""), 400);
    assert_int_equal(get(f, path), 405);
    assert_int_equal(request(f, SW_HTTP_PUT, IN_DEFAULT "/agents/reader/held?key=gone", ""), 404);
    assert_int_equal(request(f, SW_HTTP_PUT, IN_DEFAULT "/agents/reader/held?key=free", ""), 412);
    assert_int_equal(request(f, SW_HTTP_PUT, IN_DEFAULT "/agents/nobody/held?key=b", ""), 404);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_watch_tells_what_is_there_and_what_changes),
        TEST(a_watch_resumes_after_the_last_event),
        TEST(a_watch_may_be_of_one_name_or_label),
        TEST(a_revision_that_is_gone_is_410),
        TEST(a_watch_whose_client_goes_is_stopped),
        TEST(many_objects_reach_a_watch_whole),
        TEST(the_store_closing_ends_a_watch_with_words),
        TEST(a_drain_ends_streams_with_words),
        TEST(kept_log_lines_are_read),
        TEST(log_lines_are_followed_until_the_client_goes),
        TEST(log_lines_may_end_by_themselves),
        TEST(logs_of_no_agent_are_404),
        TEST(instances_are_listed_in_pages),
        TEST(instances_are_chosen_by_key_and_state_and_counted),
        TEST(what_agents_used_is_told_in_sums),
        TEST(dead_letters_are_listed_delivered_again_and_dropped),
        TEST(a_history_is_listed_run_again_and_tried),
        TEST(a_look_at_the_past_ends_when_its_client_goes),
        TEST(a_fork_is_made_released_and_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
