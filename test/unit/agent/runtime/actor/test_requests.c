/* Requests that clients name: a repeat gets the first result, also after a restart. */
/* uses: pkg/agent/link */
#include "pkg/agent/runtime/actor/actor.h"
#include "pkg/agent/runtime/actor/snapshot.h"
#include "test/unit/agent/runtime/actor/asking.h"

static int set_up(void **state)
{
    (void)state;
    actors_init(&actors, 2, 1);
    open_three(0);
    return 0;
}

static void reopen(bool takes_snapshot)
{
    if (takes_snapshot)
        save_all();
    restart(true);
    open_three(0);
}

static const struct actors_reply *ask(const char *name, const char *body)
{
    uint64_t request = actors_send_named(&actors, name, 1, "k", body);

    actors_settle(&actors);
    return actors_reply(&actors, request);
}

static void assert_counter(const char *name, const char *body, long counter)
{
    const struct actors_reply *reply = ask(name, body);
    char wanted[32];

    snprintf(wanted, sizeof wanted, "counter=%ld ", counter);
    assert_true(reply->is_there);
    assert_int_equal(reply->status, 0);
    if (strncmp(reply->body, wanted, strlen(wanted)) != 0)
        fail_msg("%s: %s", wanted, reply->body);
}

/* --- At an instance -------------------------------------------------------------------------- */

static void a_repeat_gets_the_first_answer_and_is_not_handled(void **state)
{
    (void)state;
    assert_counter("one", "add 5;get", 5);
    assert_counter("two", "add 1;get", 6);
    assert_counter("one", "add 5;get", 5);
    assert_counter("", "get", 6);
    assert_int_equal(ask("one", "add 5")->status, 0); /* Also when it wants no answer this time. */
    assert_counter("", "get", 6);
}

static void repeats_that_wait_together_are_handled_once(void **state)
{
    uint64_t first = actors_send_named(&actors, "one", 1, "k", "add 5;get");
    uint64_t second = actors_send_named(&actors, "one", 1, "k", "add 5;get");

    (void)state;
    actors_settle(&actors);
    assert_string_equal(actors_reply(&actors, first)->body, actors_reply(&actors, second)->body);
    assert_counter("", "get", 5);
}

static void names_belong_to_their_instance(void **state)
{
    uint64_t other = actors_send_named(&actors, "one", 1, "m", "add 5;get");

    (void)state;
    assert_counter("one", "add 2;get", 2);
    assert_non_null(strstr(actors_reply(&actors, other)->body, "counter=5 "));
}

static void a_failed_request_left_nothing_and_is_tried_again(void **state)
{
    (void)state;
    assert_int_not_equal(ask("one", "add 5;trap;get")->status, 0);
    assert_counter("one", "add 5;get", 5);
}

static void a_repeat_takes_over_an_answer_that_is_still_to_come(void **state)
{
    uint64_t first = actors_send_named(&actors, "one", 1, "k", "add 5;hold"), second;

    (void)state;
    actors_settle(&actors);
    assert_false(actors_reply(&actors, first)->is_there);
    second = actors_send_named(&actors, "one", 1, "k", "add 5;hold");
    actors_settle(&actors);
    assert_int_equal(actors_reply(&actors, first)->status, SW_E_CANCELLED);
    assert_false(actors_reply(&actors, second)->is_there);
    actors_ask(&actors, 1, "k", "release");
    assert_string_equal(actors_reply(&actors, second)->body, "released");
    assert_string_equal(ask("one", "add 5;hold")->body, "released");
    assert_counter("", "get", 5);
}

static void names_outlive_a_crash(void **state)
{
    uint64_t held;

    (void)state;
    assert_counter("one", "add 5;get", 5);
    actors_send_named(&actors, "held", 1, "k", "add 1;hold");
    actors_settle(&actors);
    reopen(false);
    assert_counter("one", "add 5;get", 5);
    held = actors_send_named(&actors, "held", 1, "k", "add 1;hold");
    actors_settle(&actors);
    assert_false(actors_reply(&actors, held)->is_there);
    actors_ask(&actors, 1, "k", "release");
    assert_string_equal(actors_reply(&actors, held)->body, "released");
    assert_counter("", "get", 6);
}

static void names_stand_in_snapshots(void **state)
{
    (void)state;
    assert_counter("one", "add 5;get", 5);
    ask("quiet", "add 1");
    reopen(true);
    assert_counter("one", "add 5;get", 5);
    ask("quiet", "add 1");
    assert_counter("", "get", 6);
    reopen(true); /* What slept through the time between two snapshots is kept as well. */
    assert_counter("one", "add 5;get", 5);
}

static void a_name_is_forgotten_after_its_time(void **state)
{
    (void)state;
    assert_counter("one", "add 5;get", 5);
    actors.disk.now_ns += SW_REQUESTS_KEPT_NS / 2;
    assert_counter("one", "add 5;get", 5);
    actors.disk.now_ns += SW_REQUESTS_KEPT_NS;
    assert_counter("one", "add 5;get", 10);
}

static void a_saved_state_that_is_cut_off_is_refused(void **state)
{
    struct sw_actor actor = {.next_handle = 4,
                             .segments = 9,
                             .wait = {.kind = SW_WAIT_SLEEP, .number = 3, .due_ns = 17}};
    struct sw_buffer saved;

    (void)state;
    sw_buffer_init(&saved, 1024);
    sw_actor_save(&actor, &saved);
    for (size_t size = 0; size < saved.size; size++) {
        memset(&actor, 0, sizeof actor);
        assert_int_equal(sw_actor_load(&actor, (struct sw_bytes){saved.data, size}, NULL),
                         SW_E_CORRUPT);
    }
    assert_int_equal(sw_actor_load(&actor, (struct sw_bytes){saved.data, saved.size}, NULL), SW_OK);
    assert_int_equal(actor.next_handle, 4);
    assert_int_equal(actor.wait.kind, SW_WAIT_SLEEP);
    assert_int_equal(actor.wait.due_ns, 17);
    sw_actor_done(&actor);
    sw_buffer_done(&saved);
}

/* --- Publishes ------------------------------------------------------------------------------- */

static uint64_t subscribers_of(const char *name, const char *subject)
{
    uint64_t request = actors_publish_named(&actors, name, subject, "x");

    actors_settle(&actors);
    assert_true(actors_reply(&actors, request)->is_there);
    assert_int_equal(actors_reply(&actors, request)->status, 0);
    return actors_reply(&actors, request)->subscribers;
}

static void assert_published(int count)
{
    char wanted[32];

    snprintf(wanted, sizeof wanted, "published=%d ", count);
    assert_non_null(strstr(ask("", "get")->body, wanted));
}

static void a_repeated_publish_reaches_nobody_again(void **state)
{
    (void)state;
    ask("", "sub news");
    assert_int_equal(subscribers_of("p", "news"), 1);
    assert_int_equal(subscribers_of("p", "news"), 1);
    assert_published(1);
    assert_int_equal(subscribers_of("p", "sport"), 0); /* The name counts within its subject. */
    assert_int_equal(subscribers_of("q", "news"), 1);
    assert_published(2);
    reopen(false);
    assert_int_equal(subscribers_of("p", "news"), 1);
    assert_published(2);
    reopen(true);
    assert_int_equal(subscribers_of("q", "news"), 1);
    assert_published(2);
}

/* --- The table itself ------------------------------------------------------------------------ */

static struct sw_bytes named(char text[16], unsigned number)
{
    return (struct sw_bytes){text, (size_t)snprintf(text, 16, "id-%u", number)};
}

static void the_oldest_of_too_many_is_forgotten(void **state)
{
    struct sw_requests *requests = NULL;
    struct sw_request_view view = {.status = -3};
    char text[16];

    (void)state;
    for (unsigned i = 0; i < SW_REQUESTS_MAX + 10; i++)
        assert_int_equal(sw_requests_add(&requests, named(text, i), i, &view), SW_OK);
    assert_false(sw_requests_find(requests, named(text, 9), 0, &view));
    assert_true(sw_requests_find(requests, named(text, 10), 0, &view));
    assert_true(sw_requests_find(requests, named(text, SW_REQUESTS_MAX + 9), 0, &view));
    assert_int_equal(view.status, -3);
    sw_requests_free(requests);
}

static void large_answers_push_older_ones_out_but_the_newest_stays(void **state)
{
    static char body[SW_REQUESTS_BYTES_MAX * 2];
    struct sw_request_view small = {.body = {body, SW_REQUESTS_BYTES_MAX / 3}},
                           large = {.body = {body, sizeof body}}, view;
    struct sw_requests *requests = NULL;
    char text[16];

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(sw_requests_add(&requests, named(text, i), i, &small), SW_OK);
    assert_false(sw_requests_find(requests, named(text, 0), 0, &view));
    assert_true(sw_requests_find(requests, named(text, 1), 0, &view));
    assert_int_equal(sw_requests_add(&requests, named(text, 7), 7, &large), SW_OK);
    assert_false(sw_requests_find(requests, named(text, 2), 0, &view));
    assert_true(sw_requests_find(requests, named(text, 7), 0, &view));
    assert_int_equal(view.body.size, sizeof body);
    sw_requests_free(requests);
}

static void a_saved_table_is_the_same_and_a_damaged_one_is_told(void **state)
{
    struct sw_requests *requests = NULL, *again = NULL;
    struct sw_request_view view = {
        .handle = 7, .value = 3, .status = -2, .type = {"t", 1}, .body = {"body", 4}};
    struct sw_buffer saved, twice;
    struct sw_reader reader;
    char text[16];

    (void)state;
    sw_buffer_init(&saved, 1 << 20);
    sw_buffer_init(&twice, 1 << 20);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(sw_requests_add(&requests, named(text, i), i, &view), SW_OK);
    assert_int_equal(sw_requests_answer(requests, &view), SW_OK);
    sw_requests_save(requests, &saved);
    reader = sw_reader_of(saved.data, saved.size);
    assert_int_equal(sw_requests_load(&again, &reader), SW_OK);
    assert_true(sw_reader_is_finished(&reader));
    sw_requests_save(again, &twice);
    assert_int_equal(twice.size, saved.size);
    assert_memory_equal(twice.data, saved.data, saved.size);
    sw_requests_free(again);
    for (size_t size = 0; size < saved.size; size++) {
        again = NULL;
        reader = sw_reader_of(saved.data, size);
        assert_int_equal(sw_requests_load(&again, &reader), SW_E_CORRUPT);
        sw_requests_free(again);
    }
    sw_requests_free(requests);
    sw_buffer_done(&saved);
    sw_buffer_done(&twice);
}

static void results_that_come_late_count_as_well(void **state)
{
    static char body[100 << 10];
    struct sw_requests *requests = NULL;
    struct sw_request_view view = {0};

    (void)state;
    for (uint64_t i = 1; i <= 10; i++) {
        char id = (char)('a' + i);

        view = (struct sw_request_view){.handle = i};
        assert_int_equal(sw_requests_add(&requests, (struct sw_bytes){&id, 1}, i, &view), SW_OK);
    }
    for (uint64_t i = 1; i <= 10; i++) {
        view = (struct sw_request_view){.handle = i, .body = {body, sizeof body}};
        assert_int_equal(sw_requests_answer(requests, &view), SW_OK);
    }
    assert_false(sw_requests_find(requests, (struct sw_bytes){"b", 1}, 1, &view));
    assert_true(sw_requests_find(requests, (struct sw_bytes){"k", 1}, 10, &view));
    assert_int_equal(view.body.size, sizeof body);
    sw_requests_free(requests);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_repeat_gets_the_first_answer_and_is_not_handled),
        TEST(repeats_that_wait_together_are_handled_once),
        TEST(names_belong_to_their_instance),
        TEST(a_failed_request_left_nothing_and_is_tried_again),
        TEST(a_repeat_takes_over_an_answer_that_is_still_to_come),
        TEST(names_outlive_a_crash),
        TEST(names_stand_in_snapshots),
        TEST(a_name_is_forgotten_after_its_time),
        cmocka_unit_test(a_saved_state_that_is_cut_off_is_refused),
        TEST(a_repeated_publish_reaches_nobody_again),
        cmocka_unit_test(the_oldest_of_too_many_is_forgotten),
        cmocka_unit_test(large_answers_push_older_ones_out_but_the_newest_stays),
        cmocka_unit_test(results_that_come_late_count_as_well),
        cmocka_unit_test(a_saved_table_is_the_same_and_a_damaged_one_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
