/* labels: threaded */
/* uses: pkg/agent/link */
#include "pkg/agent/runtime/actor/state.h"
#include "test/support/actors.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define LONG_NS "2000000" /* More than a quantum. */

static struct actors actors;

/* --- A driver: what it does each time it is asked to carry ------------------------------------ */

static struct driver {
    unsigned carries;
    void (*meanwhile)(unsigned carry); /* NULL: nothing. */
    pthread_t helper;
    bool has_helper, lends;
    sem_t called;
    void (*work)(void *);
    void *work_ctx;
    unsigned lent, rests;
    uint64_t cpu_ns;
} driver;

static bool carry(void *ctx)
{
    (void)ctx;
    (void)actors_carry(&actors, 0);
    if (driver.meanwhile != NULL)
        driver.meanwhile(driver.carries);
    driver.carries++;
    return true;
}

static void wait_call(void *ctx)
{
    (void)ctx;
    while (sem_wait(&driver.called) != 0)
        continue;
}

static void notify(void *ctx)
{
    (void)ctx;
    (void)sem_post(&driver.called);
}

static void *help(void *ctx)
{
    driver.work(ctx);
    return NULL;
}

static void join_helper(void)
{
    if (driver.has_helper)
        pthread_join(driver.helper, NULL);
    driver.has_helper = false;
}

static bool lend(void *ctx, void (*work)(void *), void *work_ctx)
{
    (void)ctx;
    if (!driver.lends)
        return false;
    join_helper();
    driver.work = work;
    driver.lent++;
    driver.has_helper = pthread_create(&driver.helper, NULL, help, work_ctx) == 0;
    return driver.has_helper;
}

static void rest(void *ctx, uint64_t ns)
{
    (void)ctx, (void)ns;
    driver.rests++;
}

/* The clock of the helper: each segment takes so long. */
static uint64_t cpu_ns(void *ctx)
{
    (void)ctx;
    return driver.cpu_ns += 1000;
}

static const struct sw_passing_host host = {carry, wait_call, notify, lend, rest, cpu_ns};

static void use_driver(void)
{
    actors.workers[0]->options.passing = &host;
    actors.engines[0].clock_ns = &actors.disk.now_ns;
    actors.engines[0].entry_ns = 1000;
}

static void open_pods(void)
{
    use_driver();
    actors_open(&actors, &(struct actors_pod){.number = 1, .agent = "long", .is_keyed = true});
    actors_open(&actors, &(struct actors_pod){.number = 2, .agent = "quick", .is_keyed = true});
    actors_open(&actors, &(struct actors_pod){.number = 3, .agent = "other", .is_keyed = true});
    actors_settle(&actors);
}

static int set_up(void **state)
{
    (void)state;
    memset(&driver, 0, sizeof driver);
    (void)sem_init(&driver.called, 0, 0);
    actors_init(&actors, 1, 1);
    open_pods();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    join_helper();
    (void)sem_destroy(&driver.called);
    assert_int_equal(actors.early, 0);
    actors_done(&actors);
    return 0;
}

static long long field_of(uint64_t pod, const char *key, const char *name)
{
    const char *words = actors_ask(&actors, pod, key, "get"), *at = strstr(words, name);

    if (at == NULL)
        fail_msg("%s; %s: %s", words, actors.last_event, actors.last_words);
    return strtoll(at + strlen(name) + 1, NULL, 10);
}

static void let_out(void)
{
    assert_int_equal(sw_journal_commit(actors.shared.journal, NULL), SW_OK);
    (void)actors_release(&actors);
}

/* --- Passed on its own thread ----------------------------------------------------------------- */

static uint64_t long_one, quick_one;
static bool has_seen;

static void quick_is_answered(unsigned carry)
{
    if (carry == 0)
        quick_one = actors_send(&actors, 2, "q", "add 5;get");
    let_out();
    if (carry == 0 || has_seen || !actors_reply(&actors, quick_one)->is_there)
        return;
    has_seen = true;
    assert_false(actors_reply(&actors, long_one)->is_there);
    assert_non_null(strstr(actors_reply(&actors, quick_one)->body, "5"));
}

static void a_long_segment_lets_others_pass(void **state)
{
    (void)state;
    has_seen = false;
    driver.meanwhile = quick_is_answered;
    long_one = actors_send(&actors, 1, "l", "add 3;send quick/z|add 9~pass " LONG_NS ";add 4;get");
    actors_settle(&actors);
    driver.meanwhile = NULL;
    assert_true(has_seen);
    assert_true(actors_reply(&actors, long_one)->is_there);
    assert_int_equal(field_of(1, "l", "counter"), 7);
    assert_int_equal(field_of(2, "z", "counter"), 9);
    assert_int_equal(field_of(2, "q", "counter"), 5);
    /* Its record is like any other: a new host comes to the same. */
    assert_int_equal(actors_restart(&actors, false), SW_OK);
    open_pods();
    assert_int_equal(field_of(1, "l", "counter"), 7);
    assert_int_equal(actors.events, 0);
}

static void a_short_segment_is_not_passed(void **state)
{
    (void)state;
    (void)actors_ask(&actors, 1, "l", "pass 1000;get");
    assert_int_equal(driver.carries, 0);
    (void)actors_ask(&actors, 1, "l", "pass " LONG_NS ";get");
    assert_true(driver.carries > 0);
}

static void send_to_the_passed(unsigned carry)
{
    if (carry == 0) {
        (void)actors_send(&actors, 1, "l", "seq 1 1 0");
        (void)actors_send(&actors, 1, "l", "seq 1 2 0");
        (void)actors_send_at(&actors, 1, "l", "add 1", SWARM_PRIORITY_URGENT);
    }
}

static void what_comes_for_the_passed_waits(void **state)
{
    (void)state;
    driver.meanwhile = send_to_the_passed;
    (void)actors_send(&actors, 1, "l", "pass " LONG_NS ";pass " LONG_NS ";add 10");
    actors_settle(&actors);
    driver.meanwhile = NULL;
    assert_int_equal(field_of(1, "l", "counter"), 11);
    assert_int_equal(field_of(1, "l", "inorder"), 2);
    assert_int_equal(field_of(1, "l", "disorder"), 0);
}

static void close_the_pod(unsigned carry)
{
    if (carry == 0)
        actors_close(&actors, 1, true);
    if (carry > 0)
        assert_int_equal(actors.closed, 0);
}

static void a_pod_closes_after_what_is_passed(void **state)
{
    uint64_t request;

    (void)state;
    driver.meanwhile = close_the_pod;
    request = actors_send(&actors, 1, "l", "pass " LONG_NS ";pass " LONG_NS ";add 1;get");
    sw_worker_run(actors.workers[0], 16);
    driver.meanwhile = NULL;
    assert_true(driver.carries >= 2);
    actors_settle(&actors);
    assert_int_equal(actors.closed, 1);
    assert_int_equal(actors_reply(&actors, request)->status, 0);
}

/* While its Pod waits for its end to be closed, what others come by is told. */
static void close_and_tell(unsigned carry)
{
    struct sw_route_change change = {.name_space = script_text("default"),
                                     .agent = script_text("new"),
                                     .pod = {.pod = 2, .is_durable = true},
                                     .body_bytes = 1024,
                                     .is_keyed = true};

    if (carry == 0) {
        actors_close(&actors, 1, true);
        memset(change.pod.slots, 0xff, sizeof change.pod.slots);
        sw_worker_put(actors.workers[0], sw_item_route_new(&change));
    } else if (carry == 1) {
        (void)actors_send(&actors, 3, "o", "send new/z|add 5");
    }
}

static void routes_of_others_do_not_wait(void **state)
{
    (void)state;
    driver.meanwhile = close_and_tell;
    (void)actors_send(&actors, 1, "l",
                      "pass " LONG_NS ";pass " LONG_NS ";pass " LONG_NS ";add 1;get");
    sw_worker_run(actors.workers[0], 16);
    driver.meanwhile = NULL;
    assert_true(driver.carries >= 2);
    actors_settle(&actors);
    assert_int_equal(field_of(2, "z", "counter"), 5);
}

/* While the long one is passed: one of its Agent waits, a long one of another Agent is passed. */
static uint64_t same, other, last;
static bool same_was_there;

static void more_come(unsigned carry)
{
    if (carry == 0) {
        same = actors_send(&actors, 1, "m", "add 1;get");
        other = actors_send(&actors, 3, "o", "pass " LONG_NS ";add 2;get");
    } else if (carry == 1) {
        last = actors_send(&actors, 2, "q", "add 3;get");
    }
    let_out();
    same_was_there = same_was_there || actors_reply(&actors, same)->is_there;
}

static void slow_agents_wait_and_others_are_passed_in_turn(void **state)
{
    (void)state;
    same_was_there = false;
    driver.meanwhile = more_come;
    (void)actors_send(&actors, 1, "l", "pass " LONG_NS ";add 1;get");
    sw_worker_run(actors.workers[0], 1);
    driver.meanwhile = NULL;
    let_out();
    assert_false(same_was_there);
    assert_true(actors_reply(&actors, other)->is_there);
    assert_true(actors_reply(&actors, last)->is_there);
    assert_false(actors_reply(&actors, same)->is_there);
    actors_settle(&actors);
    assert_true(actors_reply(&actors, same)->is_there);
    assert_int_equal(actors.workers[0]->passing.passed, 0);
    assert_int_equal(actors.workers[0]->passing.depth, 0);
}

static void answer_late(unsigned carry)
{
    if (carry == 0)
        (void)actors_send(&actors, 2, "q", "release");
}

static void a_late_answer_is_not_taken_for_the_next(void **state)
{
    (void)state;
    (void)actors_ask(&actors, 2, "q", "get");
    /* It waits for an answer of quick/q, which holds it; the time is over first. */
    (void)actors_send(&actors, 1, "l", "await 1000 quick/q|hold~pass " LONG_NS ";add 1");
    actors_settle(&actors);
    driver.meanwhile = answer_late;
    driver.carries = 0;
    actors.disk.now_ns += 1000000;
    actors_settle(&actors);
    driver.meanwhile = NULL;
    assert_int_equal(field_of(1, "l", "counter"), 1);
    assert_null(
        ((struct sw_instance *)sw_map_find(
             ((struct sw_pod *)sw_map_find(actors.workers[0]->pods, &(uint64_t){1}, 8))->instances,
             "l", 1))
            ->answer);
}

/* --- Lent ------------------------------------------------------------------------------------- */

static void a_segment_of_a_slow_agent_is_lent(void **state)
{
    (void)state;
    driver.lends = true;
    (void)actors_ask(&actors, 1, "l", "pass " LONG_NS ";get");
    assert_int_equal(driver.lent, 0);  /* It was not known then. */
    actors.engines[0].clock_ns = NULL; /* The disk's clock is of one thread. */
    assert_int_equal(field_of(1, "l", "counter"), 0);
    (void)actors_ask(&actors, 1, "l", "add 2;send quick/q|add 4~sub a.b;send nobody/x|add 1;get");
    assert_true(driver.lent >= 2);
    assert_int_equal(field_of(1, "l", "counter"), 2);
    assert_int_equal(field_of(2, "q", "counter"), 4);
    (void)actors_publish(&actors, "a.b", "!add 30");
    assert_int_equal(field_of(1, "l", "counter"), 32);
    assert_int_equal(actors_restart(&actors, false), SW_OK);
    driver.lends = false;
    open_pods();
    assert_int_equal(field_of(1, "l", "counter"), 32);
    assert_int_equal(field_of(2, "q", "counter"), 4);
}

static void a_lent_segment_that_fails_leaves_nothing(void **state)
{
    (void)state;
    driver.lends = true;
    (void)actors_ask(&actors, 1, "l", "pass " LONG_NS ";add 1;get");
    actors.engines[0].clock_ns = NULL;
    (void)actors_ask(&actors, 1, "l", "add 5;send quick/q|add 4~trap");
    assert_string_equal(actors.last_event, "Trapped");
    assert_int_equal(field_of(1, "l", "counter"), 1);
    assert_int_equal(field_of(2, "q", "counter"), 0);
}

static void an_agent_is_quick_again_after_quick_segments(void **state)
{
    unsigned lent;

    (void)state;
    driver.lends = true;
    (void)actors_ask(&actors, 1, "l", "pass " LONG_NS ";get");
    actors.engines[0].clock_ns = NULL;
    for (unsigned i = 0; i < SW_SHARE_QUICK_MIN; i++)
        (void)actors_ask(&actors, 1, "l", "get");
    lent = driver.lent;
    assert_int_equal(lent, SW_SHARE_QUICK_MIN);
    (void)actors_ask(&actors, 1, "l", "get");
    assert_int_equal(driver.lent, lent);
}

static void nothing_slow_begins_while_calm_is_wanted(void **state)
{
    uint64_t slow, quick;

    (void)state;
    driver.lends = true;
    (void)actors_ask(&actors, 1, "l", "pass " LONG_NS ";get");
    actors.engines[0].clock_ns = NULL;
    atomic_store(&actors.shared.wants_calm, 1);
    slow = actors_send(&actors, 1, "l", "get");
    quick = actors_send(&actors, 2, "q", "get");
    actors_settle(&actors);
    assert_true(actors_reply(&actors, quick)->is_there);
    assert_false(actors_reply(&actors, slow)->is_there);
    assert_false(sw_worker_has_work(actors.workers[0]));
    atomic_store(&actors.shared.wants_calm, 0);
    assert_true(sw_worker_has_work(actors.workers[0]));
    actors_settle(&actors);
    assert_true(actors_reply(&actors, slow)->is_there);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_long_segment_lets_others_pass, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_short_segment_is_not_passed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_comes_for_the_passed_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_pod_closes_after_what_is_passed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(routes_of_others_do_not_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(slow_agents_wait_and_others_are_passed_in_turn, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_late_answer_is_not_taken_for_the_next, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_segment_of_a_slow_agent_is_lent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lent_segment_that_fails_leaves_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_agent_is_quick_again_after_quick_segments, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(nothing_slow_begins_while_calm_is_wanted, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
