/* uses: pkg/agent/link */
#include "pkg/agent/runtime/actor/state.h"
#include "test/unit/agent/runtime/actor/asking.h"

static int set_up(void **state)
{
    (void)state;
    actors_init(&actors, 2, 1);
    actors_open(&actors, &(struct actors_pod){.number = 1, .agent = "a", .is_keyed = true});
    actors_open(&actors, &(struct actors_pod){.number = 2, .agent = "b", .is_keyed = true});
    return 0;
}

static void a_keyed_instance_is_made_by_its_first_message(void **state)
{
    (void)state;
    assert_int_equal(field(actors_ask(&actors, 1, "k", "add 5;get"), "counter"), 5);
    assert_int_equal(field(actors_ask(&actors, 1, "k", "add 2;get"), "counter"), 7);
    assert_int_equal(field_of(1, "k", "starts"), 1);
    assert_int_equal(field_of(1, "other", "counter"), 0);
}

static void nothing_leaves_before_its_epoch_is_durable(void **state)
{
    uint64_t request = actors_send(&actors, 1, "k", "add 1");
    struct sw_output *output;

    (void)state;
    actors_run(&actors);
    output = NULL;
    for (uint32_t i = 0; i < actors.count && output == NULL; i++)
        while ((output = sw_worker_output(actors.workers[i])) != NULL &&
               output->epoch <= sw_journal_durable(actors.shared.journal))
            free(output);
    assert_non_null(output);
    assert_true(output->epoch > sw_journal_durable(actors.shared.journal));
    free(output);
    (void)request;
}

static void messages_between_instances_cross_workers_and_are_answered(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "ask 7 b/x|add 3;get");
    assert_int_equal(field_of(2, "x", "counter"), 3);
    assert_int_equal(field_of(1, "k", "replies"), 1);
    assert_int_equal(field_of(1, "k", "status"), 0);
    assert_non_null(strstr(actors_ask(&actors, 1, "k", "get"), "last=counter=3"));
}

static void a_message_may_be_answered_in_a_later_turn(void **state)
{
    uint64_t request = actors_send(&actors, 1, "k", "hold");

    (void)state;
    actors_settle(&actors);
    assert_false(actors_reply(&actors, request)->is_there);
    actors_ask(&actors, 1, "k", "release");
    assert_true(actors_reply(&actors, request)->is_there);
    assert_string_equal(actors_reply(&actors, request)->body, "released");
}

static void a_handle_answers_once(void **state)
{
    (void)state;
    actors_send(&actors, 1, "k", "get;get");
    actors_settle(&actors);
    assert_int_equal(field_of(1, "k", "code"), SW_E_NOT_FOUND);
}

static void a_trap_ends_the_turn_and_undoes_it(void **state)
{
    uint64_t request;

    (void)state;
    actors_ask(&actors, 1, "k", "add 5");
    request = actors_send(&actors, 1, "k", "add 9;send b/x|add 1~trap");
    actors_settle(&actors);
    assert_int_equal(actors_reply(&actors, request)->status, SW_E_INTERNAL);
    assert_string_equal(actors_reply(&actors, request)->body, "it ended badly");
    assert_string_equal(actors.last_event, "Trapped");
    assert_non_null(strstr(actors.last_words, "at script"));
    assert_int_equal(field_of(1, "k", "counter"), 5);
    assert_int_equal(field_of(2, "x", "counter"), 0);
    assert_int_equal(field_of(2, "x", "messages"), 2);
}

static void other_ends_have_their_own_codes(void **state)
{
    static const struct {
        const char *command;
        int32_t status;
    } ends[] = {{"fail", SW_E_PRECONDITION},
                {"deadline", SW_E_TIMEOUT},
                {"wait", SW_E_PRECONDITION},
                {"nonsense", SW_E_PRECONDITION}};

    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        uint64_t request = actors_send(&actors, 1, "k", ends[i].command);
        actors_settle(&actors);
        assert_int_equal(actors_reply(&actors, request)->status, ends[i].status);
    }
}

static void who_asked_a_failing_instance_hears_of_it(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "ask 1 b/x|trap");
    assert_int_equal(field_of(1, "k", "replies"), 1);
    assert_int_equal(field_of(1, "k", "status"), SW_E_INTERNAL);
}

static void an_instance_that_traps_each_time_costs_a_load_not_a_replay(void **state)
{
    uint64_t entered;

    (void)state;
    for (int i = 0; i < 50; i++)
        actors_ask(&actors, 1, "k", "add 1");
    actors_ask(&actors, 1, "k", "trap");
    actors_ask(&actors, 1, "k", "trap");
    entered = actors.engines[1].entered;
    for (int i = 0; i < 20; i++)
        actors_ask(&actors, 1, "k", "trap");
    assert_int_equal(actors.engines[1].entered, entered + 20);
    assert_int_equal(field_of(1, "k", "counter"), 50);
}

static void sending_to_nobody_comes_back_as_a_failure(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "ask 4 nobody/x|add 1");
    assert_int_equal(field_of(1, "k", "status"), SW_E_UNAVAILABLE);
    actors_ask(&actors, 1, "k", "ask 4 b|add 1"); /* A keyed Agent needs a key. */
    assert_int_equal(field_of(1, "k", "status"), SW_E_INVALID);
    actors_ask(&actors, 1, "k", "send /x|add 1");
    assert_int_equal(field_of(1, "k", "code"), SW_E_INVALID);
}

/* Who wants no reply hears it from the call: also one that keeps nothing, and after a restart. */
static void sending_to_nobody_without_a_tag_is_refused(void **state)
{
    (void)state;
    open_three(0);
    for (int life = 0; life < 2; life++) {
        actors_ask(&actors, 1, "k", "send nobody/x|add 1");
        assert_int_equal(field_of(1, "k", "code"), SW_E_UNAVAILABLE);
        actors_ask(&actors, 1, "k", "send b|add 1");
        assert_int_equal(field_of(1, "k", "code"), SW_E_INVALID);
        restart(true);
        open_three(0);
        actors_ask(&actors, 3, "k", "send nobody/x|add 1");
        assert_int_equal(field_of(3, "k", "code"), SW_E_UNAVAILABLE);
    }
}

static void publishes_reach_subscribers_on_all_workers(void **state)
{
    uint64_t request;

    (void)state;
    actors_ask(&actors, 1, "k", "sub news.*");
    actors_ask(&actors, 2, "x", "sub news.>");
    actors_ask(&actors, 2, "y", "sub other");
    request = actors_publish(&actors, "news.today", "rain");
    actors_settle(&actors);
    assert_int_equal(actors_reply(&actors, request)->status, 0);
    assert_int_equal(actors_reply(&actors, request)->subscribers, 2);
    actors_ask(&actors, 2, "y", "pub news.now|sun");
    assert_int_equal(field_of(1, "k", "published"), 2);
    assert_int_equal(field_of(2, "x", "published"), 2);
    assert_int_equal(field_of(2, "y", "published"), 0);
    actors_ask(&actors, 1, "k", "unsub news.*");
    actors_publish(&actors, "news.today", "snow");
    actors_settle(&actors);
    assert_int_equal(field_of(1, "k", "published"), 2);
}

static void a_timer_fires_once_when_due_and_can_be_cancelled(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "timer 1 1000;timer 2 1000;timer 3 900000000000;cancel 2");
    assert_int_equal(field_of(1, "k", "timers"), 0);
    actors.disk.now_ns += 1000;
    actors_settle(&actors);
    actors.disk.now_ns += 1000;
    actors_settle(&actors);
    assert_int_equal(field_of(1, "k", "timers"), 1);
    actors_ask(&actors, 1, "k", "cancel 1");
    assert_int_equal(field_of(1, "k", "code"), SW_E_NOT_FOUND);
}

static void a_timer_fires_in_time_when_the_clock_is_set_back(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "timer 1 1000;now");
    actors.disk.utc_behind_ns = 3600000000000;
    actors_settle(&actors);
    assert_int_equal(sw_worker_wait_ns(actors.workers[1]), 1000);
    actors.disk.now_ns += 1000;
    actors_settle(&actors);
    assert_int_equal(field_of(1, "k", "timers"), 1);
}

static void without_memory_timers_and_what_instances_sent_wait(void **state)
{
    uint64_t request;

    (void)state;
    actors_ask(&actors, 1, "k", "add 1;timer 1 1000");
    actors_ask(&actors, 1, "k", "trap"); /* Its guest is to be made anew. */
    actors.engines[1].fail_create_after = 0;
    actors.disk.now_ns += 1000;
    actors_settle(&actors);
    assert_string_equal(actors.last_event, "NoMemory");
    actors_ask(&actors, 2, "x", "send a/k|add 2~send a/k|add 4");
    actors.disk.now_ns += 1000000000;
    request = actors_send(&actors, 1, "k", "get");
    actors_settle(&actors);
    actors.engines[1].fail_create_after = -1;
    actors.disk.now_ns += 1000000000;
    actors_settle(&actors);
    assert_int_equal(actors_reply(&actors, request)->status, 0);
    assert_int_equal(field_of(1, "k", "counter"), 7);
    assert_int_equal(field_of(1, "k", "timers"), 1);
}

static void a_cancelled_timer_does_not_fire_even_if_it_waits_already(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "timer 1 1000");
    actors.disk.now_ns += 2000;
    actors_send_at(&actors, 1, "k", "cancel 1", SWARM_PRIORITY_URGENT);
    actors_settle(&actors);
    assert_int_equal(field_of(1, "k", "timers"), 0);
}

static void a_crowd_of_ready_instances_does_not_starve_a_neighbour(void **state)
{
    uint64_t request;
    char key[16];

    (void)state;
    actors_open(&actors, &(struct actors_pod){.number = 3, .agent = "c", .is_keyed = true});
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "k%u", i);
        actors_send(&actors, 1, key, "add 1");
    }
    request = actors_send(&actors, 3, "x", "get"); /* On the same worker. */
    sw_worker_run(actors.workers[1], 4);
    assert_int_equal(sw_journal_commit(actors.shared.journal, NULL), SW_OK);
    actors_release(&actors);
    assert_true(actors_reply(&actors, request)->is_there);
    actors_settle(&actors);
}

/* What comes meanwhile is taken in between two calls. */
static void long_segments_end_a_round(void **state)
{
    char key[16];

    (void)state;
    actors.engines[1].clock_ns = &actors.disk.now_ns;
    actors.engines[1].entry_ns = 300000;
    for (unsigned i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "k%u", i);
        actors_send(&actors, 1, key, "add 1");
    }
    assert_int_equal(sw_worker_run(actors.workers[1], 64), 2); /* Each a start and a message. */
    actors.engines[1].entry_ns = 20000000;
    assert_int_equal(sw_worker_run(actors.workers[1], 64), 1);
    actors.engines[1].entry_ns = 0;
    assert_int_equal(sw_worker_run(actors.workers[1], 64), 64);
    actors_settle(&actors);
}

static void logs_leave_with_their_instance_and_only_if_the_turn_succeeds_or_fails(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "log hello");
    assert_int_equal(actors.logs, 1);
    assert_string_equal(actors.last_log, "hello");
}

static void a_full_mailbox_pushes_back_to_clients_and_to_senders(void **state)
{
    uint64_t first, last = 0;

    (void)state;
    actors_open(&actors, &(struct actors_pod){
                             .number = 3, .agent = "small", .is_keyed = true, .mailbox = 4});
    actors_settle(&actors);
    first = actors_send(&actors, 3, "k", "add 1");
    for (int i = 0; i < 5; i++)
        last = actors_send(&actors, 3, "k", "add 1");
    actors_settle(&actors);
    assert_int_equal(actors_reply(&actors, first)->status, 0);
    assert_int_equal(actors_reply(&actors, last)->status, SW_E_EXHAUSTED);
    assert_string_equal(actors_reply(&actors, last)->body,
                        "the mailbox is full: 4 messages wait, its limit (limits.mailbox) is 4");
    /* An instance: the call says so, and nothing is lost. */
    actors_ask(&actors, 1, "k", "spam 3 small/k|add 10");
    assert_int_equal(field_of(3, "k", "counter"), 34);
}

static void an_instance_that_sends_to_a_full_mailbox_is_told(void **state)
{
    (void)state;
    actors_open(&actors, &(struct actors_pod){
                             .number = 4, .agent = "small", .is_keyed = true, .mailbox = 2});
    actors_settle(&actors);
    /* Fill it without letting it run: post by hand while the worker of pod 4 stands still. */
    for (int i = 0; i < 2; i++)
        actors_send(&actors, 4, "k", "add 1");
    sw_worker_run(actors.workers[0], 0);
    actors_send(&actors, 1, "k", "send small/k|add 10");
    sw_worker_run(actors.workers[1], 4);
    actors_settle(&actors);
    assert_int_equal(field_of(1, "k", "code"), SW_E_EXHAUSTED);
    assert_int_equal(field_of(4, "k", "counter"), 2);
    actors_ask(&actors, 1, "k", "send small/k|add 10");
    assert_int_equal(field_of(4, "k", "counter"), 12);
}

/* 64 messages at `priority` have 8 of every 9 segments beside 8 of low priority. */
static void share_with_low(uint64_t pod, uint32_t priority)
{
    uint64_t low[8], high[64];
    unsigned low_done = 0, high_done = 0;
    char key[16];

    for (int i = 0; i < 8; i++) {
        snprintf(key, sizeof key, "low%d", i);
        low[i] = actors_send_at(&actors, pod, key, "add 1", SWARM_PRIORITY_LOW);
    }
    for (int i = 0; i < 64; i++) {
        snprintf(key, sizeof key, "high%d", i);
        high[i] = actors_send_at(&actors, pod, key, "add 1", priority);
    }
    sw_worker_run(actors.workers[1], 36);
    assert_int_equal(sw_journal_commit(actors.shared.journal, NULL), SW_OK);
    actors_release(&actors);
    for (int i = 0; i < 8; i++)
        low_done += actors_reply(&actors, low[i])->is_there;
    for (int i = 0; i < 64; i++)
        high_done += actors_reply(&actors, high[i])->is_there;
    assert_int_equal(low_done, 4);
    assert_int_equal(high_done, 32);
    actors_settle(&actors);
}

static void higher_priorities_go_first_and_lower_ones_do_not_starve(void **state)
{
    (void)state;
    share_with_low(1, SWARM_PRIORITY_URGENT);
}

static void a_message_that_names_no_priority_has_its_agent_s(void **state)
{
    (void)state;
    actors_open(&actors, &(struct actors_pod){
                             .number = 7, .agent = "u", .is_keyed = true, .is_urgent = true});
    actors_settle(&actors);
    share_with_low(7, SW_FRAME_PRIORITY_DEFAULT);
}

static void replicas_are_made_and_stopped(void **state)
{
    struct actors_pod pod = {.number = 5, .agent = "r", .replicas = 5};

    (void)state;
    actors.module.has_on_stop = true;
    actors_open(&actors, &(struct actors_pod){.number = 6, .agent = "watcher", .is_keyed = true});
    actors_open(&actors, &pod);
    actors_settle(&actors);
    assert_int_equal(actors.status.instances, 5);
    assert_int_equal(actors.status.ready, 5);
    assert_int_equal(field_of(5, "4", "starts"), 1);
    pod.replicas = 2;
    actors_open(&actors, &pod);
    actors_settle(&actors);
    actors.disk.now_ns += 1000000000;
    actors_settle(&actors);
    assert_int_equal(field_of(6, "1", "counter"), 3); /* Three said goodbye. */
    assert_non_null(strstr(actors_ask(&actors, 5, "4", "get"), "no such instance: an"));
    pod.replicas = 3;
    actors_open(&actors, &pod);
    actors_settle(&actors);
    assert_int_equal(field_of(5, "2", "starts"), 1);
}

static void that_a_pod_runs_is_told_without_delay(void **state)
{
    (void)state;
    /* Many rounds of a worker, in which no time passes: the first tells that it starts. */
    actors_open(&actors, &(struct actors_pod){.number = 5, .agent = "r", .replicas = 100});
    actors_settle(&actors);
    assert_int_equal(actors.status.phase, SW_FRAME_POD_RUNNING);
    assert_int_equal(actors.status.ready, 100);
}

static void sends_without_a_key_go_round(void **state)
{
    (void)state;
    actors_open(&actors, &(struct actors_pod){.number = 5, .agent = "r", .replicas = 3});
    actors_settle(&actors);
    actors_ask(&actors, 1, "k", "spam 6 r|add 1");
    for (int i = 0; i < 3; i++) {
        char key[4];
        snprintf(key, sizeof key, "%d", i);
        assert_int_equal(field_of(5, key, "counter"), 2);
    }
}

static void a_failing_start_is_tried_again_with_back_off(void **state)
{
    uint64_t request;

    (void)state;
    actors.module.on_start = "trap";
    request = actors_send(&actors, 1, "new", "get");
    actors_settle(&actors);
    assert_int_equal(actors_reply(&actors, request)->status, SW_E_UNAVAILABLE);
    assert_string_equal(actors.last_event, "Trapped");
    actors.module.on_start = "add 100";
    actors.disk.now_ns += 100000000;
    assert_int_equal(field_of(1, "new", "counter"), 100);
}

static void a_volatile_instance_begins_anew_after_a_trap(void **state)
{
    uint64_t held;

    (void)state;
    actors_open(&actors, &(struct actors_pod){
                             .number = 7, .agent = "v", .is_keyed = true, .is_volatile = true});
    actors_ask(&actors, 7, "k", "add 5;sub a.b;timer 1 50");
    held = actors_send(&actors, 7, "k", "hold");
    actors_settle(&actors);
    actors_ask(&actors, 7, "k", "trap");
    assert_int_equal(actors_reply(&actors, held)->status, SW_E_UNAVAILABLE);
    assert_int_equal(field_of(7, "k", "counter"), 0);
    actors.disk.now_ns += 1000;
    actors_publish(&actors, "a.b", "x");
    actors_settle(&actors);
    assert_int_equal(field_of(7, "k", "published"), 0);
    assert_int_equal(field_of(7, "k", "timers"), 0);
}

static void open_volatile(void)
{
    actors_open(&actors, &(struct actors_pod){
                             .number = 7, .agent = "v", .is_keyed = true, .is_volatile = true});
}

static void what_a_volatile_instance_sends_keeps_its_order(void **state)
{
    (void)state;
    open_volatile();
    actors_ask(&actors, 2, "x", "sub t");
    actors_ask(&actors, 7, "k",
               "send b/x|seq 1 1 0~pub t|!seq 1 2 0~send b/x|seq 1 3 0~send b/x|seq 1 4 0~"
               "pub t|!seq 1 5 0~ask 7 b/x|seq 1 6 0;get");
    assert_int_equal(field_of(2, "x", "inorder"), 6);
    assert_int_equal(field_of(2, "x", "disorder"), 0);
    assert_int_equal(field_of(7, "k", "replies"), 1);
}

static void a_volatile_turn_that_fails_sends_nothing(void **state)
{
    (void)state;
    open_volatile();
    actors_send(&actors, 7, "k", "send b/x|add 1~trap");
    actors_settle(&actors);
    assert_int_equal(field_of(2, "x", "counter"), 0);
    actors_ask(&actors, 7, "k", "send b/x|add 10");
    assert_int_equal(field_of(2, "x", "counter"), 10);
}

/* Nobody asks, and nothing is recorded: what such a message leaves is looked at before anything
 * that it cannot have left is passed over. */
static void what_a_volatile_instance_does_unasked_counts(void **state)
{
    long long first;

    (void)state;
    open_volatile();
    actors_ask(&actors, 2, "x", "send v/k|random;mix");
    first = field_of(7, "k", "counter");
    actors_ask(&actors, 2, "x", "send v/k|random;mix"); /* The next number, not the same again. */
    assert_int_not_equal(field_of(7, "k", "counter"), first);
    actors_ask(&actors, 2, "x", "send v/k|log hello");
    assert_int_equal(actors.logs, 1);
    actors_ask(&actors, 2, "x", "send v/k|timer 1 50");
    actors_ask(&actors, 2, "x", "send v/k|sub t");
    actors_ask(&actors, 2, "x", "send v/k|send b/y|add 3");
    actors.disk.now_ns += 1000;
    actors_publish(&actors, "t", "x");
    actors_settle(&actors);
    assert_int_equal(field_of(7, "k", "timers"), 1);
    assert_int_equal(field_of(7, "k", "published"), 1);
    assert_int_equal(field_of(2, "y", "counter"), 3);
}

/* The limits of a turn are the same, whether what it sends is put down or not. */
static void a_volatile_turn_may_send_as_much_as_a_durable_one(void **state)
{
    char script[2100];
    int at;

    (void)state;
    open_volatile();
    actors_ask(&actors, 7, "k", "spam 70000 b/x|add 1");
    assert_int_equal(field_of(7, "k", "code"), SW_E_EXHAUSTED);
    assert_int_equal(field_of(2, "x", "counter"), 65536);
    at = snprintf(script, sizeof script, "spam 6000 b/y|add ");
    memset(script + at, '0', 1900); /* Of a number that begins with many. */
    memcpy(script + at + 1900, "1", 2);
    actors_ask(&actors, 1, "k", script);
    assert_int_equal(field_of(1, "k", "code"), SW_E_EXHAUSTED);
    memcpy(strstr(script, "b/y"), "b/z", 3);
    actors_ask(&actors, 7, "k", script);
    assert_int_equal(field_of(7, "k", "code"), SW_E_EXHAUSTED);
    assert_in_range(field_of(2, "y", "counter"), 4000, 5000);
    assert_int_equal(field_of(2, "y", "counter"), field_of(2, "z", "counter"));
}

static void volatile_work_writes_no_epoch(void **state)
{
    uint64_t durable;

    (void)state;
    actors_open(&actors, &(struct actors_pod){
                             .number = 7, .agent = "v", .is_keyed = true, .is_volatile = true});
    actors_settle(&actors);
    durable = sw_journal_durable(actors.shared.journal);
    assert_int_equal(field(actors_ask(&actors, 7, "k", "add 5;get"), "counter"), 5);
    assert_int_equal(sw_journal_durable(actors.shared.journal), durable);
}

static void the_limit_of_instances_holds(void **state)
{
    uint64_t request;

    (void)state;
    actors_open(&actors, &(struct actors_pod){
                             .number = 8, .agent = "few", .is_keyed = true, .instances_max = 2});
    actors_ask(&actors, 8, "a", "add 1");
    actors_ask(&actors, 8, "b", "add 1");
    request = actors_send(&actors, 8, "c", "add 1");
    actors_settle(&actors);
    assert_int_equal(actors_reply(&actors, request)->status, SW_E_EXHAUSTED);
}

static void a_pod_that_is_discarded_answers_whoever_waits(void **state)
{
    uint64_t held = actors_send(&actors, 1, "k", "hold");

    (void)state;
    actors_settle(&actors);
    actors_ask(&actors, 2, "x", "ask 9 a/k|hold");
    actors_close(&actors, 1, true);
    actors_settle(&actors);
    assert_int_equal(actors.closed, 1);
    assert_int_equal(actors_reply(&actors, held)->status, SW_E_UNAVAILABLE);
    assert_int_equal(field_of(2, "x", "status"), SW_E_UNAVAILABLE);
    assert_string_equal(actors_ask(&actors, 1, "k", "get"), "its Pod does not run here");
}

static void another_module_begins_with_empty_state(void **state)
{
    uint64_t request;

    (void)state;
    actors.resets = true;
    actors_ask(&actors, 1, "k", "add 5");
    actors_open(&actors, &(struct actors_pod){
                             .number = 1, .agent = "a", .is_keyed = true, .digest = "sha256:2"});
    request = actors_send(&actors, 1, "k", "get");
    actors_settle(&actors);
    assert_string_equal(actors.last_event, "StateDiscarded");
    assert_int_equal(field(actors_reply(&actors, request)->body, "counter"), 0);
}

/* The client's message waits as what instances sent does: its replica is there again at once. */
static void a_replica_that_begins_anew_gets_its_mail(void **state)
{
    struct actors_pod pod = {.number = 5, .agent = "r", .replicas = 2, .digest = "sha256:1"};
    uint64_t asked;

    (void)state;
    actors.resets = true;
    actors_open(&actors, &pod);
    actors_settle(&actors);
    asked = actors_send(&actors, 5, "1", "get");
    pod.digest = "sha256:2";
    actors_open(&actors, &pod);
    actors_settle(&actors);
    assert_string_equal(actors.last_event, "StateDiscarded");
    assert_int_equal(field(reply_to(asked), "counter"), 0);
}

static void a_message_that_waited_too_long_is_not_handled(void **state)
{
    struct sw_message template = {.pod = 1,
                                  .key = script_text("k"),
                                  .head = {.priority = SWARM_PRIORITY_NORMAL,
                                           .origin = {.kind = SW_ORIGIN_CLIENT,
                                                      .incarnation = actors.shared.incarnation,
                                                      .number = 4000}},
                                  .body = script_text("add 1"),
                                  .deadline_ns = actors.disk.now_ns + 10};

    (void)state;
    sw_worker_put(actors.workers[1], &sw_message_new(&template)->item);
    sw_worker_run(actors.workers[1], 0);
    actors.disk.now_ns += 11;
    actors_settle(&actors);
    assert_int_equal(actors_reply(&actors, 4000)->status, SW_E_TIMEOUT);
    assert_int_equal(field_of(1, "k", "counter"), 0);
}

/* The keys of a page, in its order; where the next one begins, 0: nowhere. */
static uint64_t list(uint64_t from, char ret_keys[2])
{
    struct sw_item_list query = {.request = 77,
                                 .name_space = script_text("default"),
                                 .agent = script_text("a"),
                                 .from = from,
                                 .states = SW_FRAME_STATES_ALL,
                                 .limit = 2};
    struct sw_output *output;
    struct sw_frame_instance row;
    struct sw_reader reader;
    struct sw_frame frame;
    size_t size;
    uint64_t next;

    sw_worker_put(actors.workers[0], sw_item_list_new(&query));
    actors_run(&actors);
    output = sw_worker_output(actors.workers[1]);
    assert_int_equal(sw_frame_take((struct sw_bytes){output->bytes, output->size},
                                   SW_FRAME_FROM_HOST, &frame, &size, NULL),
                     SW_OK);
    next = frame.instances.next;
    assert_int_equal(frame.instances.count, next != 0 ? 2 : 1);
    reader = sw_reader_of(frame.instances.entries.data, frame.instances.entries.size);
    for (uint32_t i = 0; i < frame.instances.count; i++) {
        assert_true(sw_frame_instance_take(&reader, &row));
        assert_int_equal(row.segments, 2);
        assert_true(sw_bytes_is_equal(row.digest, script_text("sha256:1")));
        ret_keys[i] = *(const char *)row.key.data;
    }
    free(output);
    return next;
}

/* Each once, in an order that is theirs, and the same from wherever a page begins. */
static void lists_come_in_pages_over_all_workers(void **state)
{
    char keys[16] = {0}, again[16] = {0};
    uint64_t first, second;

    (void)state;
    for (const char *key = "d\0a\0c\0b\0e\0"; *key != 0; key += 2)
        actors_ask(&actors, 1, key, "add 1");
    first = list(0, keys);
    second = list(first, keys + 2);
    assert_int_equal(list(second, keys + 4), 0);
    for (char key = 'a'; key < 'f'; key++)
        assert_non_null(memchr(keys, key, 5));
    assert_true(list(first, again) == second && memcmp(again, keys + 2, 2) == 0);
}

static void the_config_is_seen_as_it_stands(void **state)
{
    (void)state;
    actors_open(&actors, &(struct actors_pod){
                             .number = 9, .agent = "c", .is_keyed = true, .config = "colour=red"});
    assert_non_null(strstr(actors_ask(&actors, 9, "k", "config;get"), "last=colour=red"));
}

static void a_journal_that_fails_stops_the_outputs(void **state)
{
    uint64_t request = actors_send(&actors, 1, "k", "add 1");

    (void)state;
    actors_run(&actors);
    actors.disk.fail_syncs_after = 1;
    assert_int_equal(sw_journal_commit(actors.shared.journal, NULL), SW_E_INTERNAL);
    assert_false(actors_reply(&actors, request)->is_there);
}

static void publishes_from_outside_are_refused_while_the_journal_has_no_room(void **state)
{
    char body[20000];
    uint64_t first = actors.next_request, refused = 0;

    (void)state;
    actors_ask(&actors, 1, "k", "sub news");
    first = actors.next_request;
    memset(body, 'b', sizeof body - 1);
    body[sizeof body - 1] = 0;
    for (int i = 0; i < 200; i++) /* Four times what an epoch of this journal is to hold. */
        actors_publish(&actors, "news", body);
    sw_worker_run(actors.workers[0], 0);
    assert_int_equal(sw_worker_failure(actors.workers[0], NULL), SW_OK);
    actors_settle(&actors);
    for (uint64_t request = first; request < actors.next_request; request++)
        refused += actors_reply(&actors, request)->status == SW_E_EXHAUSTED;
    assert_in_range(refused, 100, 199);
    assert_int_equal(field_of(1, "k", "published"), 200 - refused);
}

static void a_question_to_a_volatile_pod_that_was_closed_is_refused(void **state)
{
    (void)state;
    actors_open(&actors, &(struct actors_pod){
                             .number = 4, .agent = "v", .is_keyed = true, .is_volatile = true});
    actors_settle(&actors);
    actors_close(&actors, 4, false);
    sw_worker_run(actors.workers[0], 0); /* Its route's end is still on the way to the others. */
    actors_send(&actors, 1, "k", "ask 5 v/x|get");
    sw_worker_run(actors.workers[1], 4);
    actors_settle(&actors);
    assert_int_equal(field_of(1, "k", "replies"), 1);
    assert_int_equal(field_of(1, "k", "status"), SW_E_UNAVAILABLE);
}

/* Whatever is let out now, and the epoch that it waits for; 0: nothing. */
static uint64_t epoch_of_output(uint32_t worker, enum sw_frame_kind kind)
{
    struct sw_output *output;
    uint64_t epoch = 0;

    while ((output = sw_worker_output(actors.workers[worker])) != NULL) {
        struct sw_frame frame;
        size_t size;

        assert_int_equal(sw_frame_take((struct sw_bytes){output->bytes, output->size},
                                       SW_FRAME_FROM_HOST, &frame, &size, NULL),
                         SW_OK);
        if (frame.kind == kind)
            epoch = output->epoch;
        free(output);
    }
    return epoch;
}

static void what_is_told_of_instances_waits_for_their_records(void **state)
{
    struct sw_item_list list = {.request = 77,
                                .name_space = script_text("default"),
                                .agent = script_text("a"),
                                .states = SW_FRAME_STATES_ALL,
                                .limit = 10};
    uint64_t durable;

    (void)state;
    actors_settle(&actors);
    durable = sw_journal_durable(actors.shared.journal);
    actors_open(&actors, &(struct actors_pod){.number = 5, .agent = "r", .replicas = 1});
    sw_worker_run(actors.workers[1], 4);
    assert_true(epoch_of_output(1, SW_FRAME_POD_STATUS) > durable);
    actors_settle(&actors);
    actors_ask(&actors, 2, "x", "add 1");
    durable = sw_journal_durable(actors.shared.journal);
    actors_send(&actors, 2, "x", "ask 3 a/k|hold"); /* Handled by worker 1; nothing goes out. */
    actors_run(&actors);
    (void)epoch_of_output(1, SW_FRAME_REPLY);
    (void)epoch_of_output(0, SW_FRAME_REPLY);
    sw_worker_put(actors.workers[0], sw_item_list_new(&list));
    actors_run(&actors);
    assert_true(epoch_of_output(1, SW_FRAME_INSTANCES) > durable);
}

static void events_and_publishes_are_told_when_their_records_are_durable(void **state)
{
    uint64_t durable;

    (void)state;
    actors_ask(&actors, 2, "x", "sub news"); /* That it is there is told before. */
    durable = sw_journal_durable(actors.shared.journal);
    actors_send(&actors, 2, "x", "trap");
    actors_run(&actors);
    assert_true(epoch_of_output(0, SW_FRAME_EVENT) > durable);
    actors_settle(&actors);
    durable = sw_journal_durable(actors.shared.journal);
    actors_publish(&actors, "news", "one");
    actors_run(&actors);
    assert_true(epoch_of_output(0, SW_FRAME_REPLY) > durable);
}

static void what_is_told_of_dead_letters_waits_for_their_records(void **state)
{
    struct sw_item_letters letters = {.request = 77,
                                      .name_space = script_text("default"),
                                      .agent = script_text("b"),
                                      .limit = 10};
    struct sw_item_letters_change change = {.request = 78,
                                            .name_space = script_text("default"),
                                            .agent = script_text("b"),
                                            .is_drop = true};
    uint64_t durable;

    (void)state;
    actors_settle(&actors);
    durable = sw_journal_durable(actors.shared.journal);
    actors_send(&actors, 2, "y", "send b/x|trap"); /* Worker 1 has no part in it. */
    actors_run(&actors);
    (void)epoch_of_output(0, SW_FRAME_REPLY);
    sw_worker_put(actors.workers[0], sw_item_letters_new(&letters));
    actors_run(&actors);
    assert_true(epoch_of_output(1, SW_FRAME_LETTERS_PAGE) > durable);
    actors_settle(&actors);
    durable = sw_journal_durable(actors.shared.journal);
    sw_worker_put(actors.workers[0], sw_item_letters_change_new(&change));
    actors_run(&actors);
    assert_true(epoch_of_output(1, SW_FRAME_REPLY) > durable);
}

static void a_volatile_instance_carries_the_epoch_of_what_made_it(void **state)
{
    uint64_t durable;

    (void)state;
    actors.module.on_start = "log born";
    actors_open(&actors, &(struct actors_pod){
                             .number = 4, .agent = "v", .is_keyed = true, .is_volatile = true});
    actors_settle(&actors);
    actors_ask(&actors, 1, "k", "add 1");
    durable = sw_journal_durable(actors.shared.journal);
    actors_send(&actors, 1, "k", "send v/x|add 1");
    actors_run(&actors);
    assert_true(epoch_of_output(0, SW_FRAME_LOG) > durable);
}

static void a_volatile_instance_carries_the_epoch_of_what_it_saw(void **state)
{
    uint64_t durable;

    (void)state;
    actors_open(&actors, &(struct actors_pod){
                             .number = 4, .agent = "v", .is_keyed = true, .is_volatile = true});
    actors_settle(&actors);
    actors_ask(&actors, 4, "x", "add 1");
    durable = sw_journal_durable(actors.shared.journal);
    actors_send(&actors, 1, "k", "send v/x|add 1");
    actors_run(&actors);
    actors_send(&actors, 4, "x", "log seen"); /* Not that message, but what knows of it. */
    actors_run(&actors);
    assert_true(epoch_of_output(0, SW_FRAME_LOG) > durable);
}

/* How many segments run until what was asked for is answered. */
static uint32_t segments_until_answered(struct sw_worker *worker)
{
    struct sw_worker_view view;
    uint32_t count = 0;
    uint64_t before;

    sw_worker_view(worker, &view);
    before = view.replies;
    while (view.replies == before) {
        assert_true(count < 1000);
        count += sw_worker_run(worker, 1);
        sw_worker_view(worker, &view);
    }
    return count;
}

static uint64_t count_remembered(const struct sw_worker *worker)
{
    uint64_t count = 0;

    for (size_t i = 0; i < (size_t)1 << SW_FOUND_BITS; i++)
        count += worker->found[i] != NULL;
    return count;
}

/* An Agent that was made anew has another uid, and what was on its way to the old one may go on to
 * it, with the hash of its key under the old uid: not where one that ends is looked for. */
static void one_that_ends_is_not_remembered_by_any_hash(void **state)
{
    struct sw_message template = {.pod = 2, .key = {"k", 1}, .body = {"add 1", 5}};

    (void)state;
    for (uint64_t i = 1; i < 4; i++) {
        template.hash = i << 60;
        sw_worker_put(actors.workers[0], &sw_message_new(&template)->item);
    }
    actors_settle(&actors);
    assert_int_equal(field_of(2, "k", "counter"), 3);
    actors_ask(&actors, 1, "x", "send b/k|add 1");
    assert_int_equal(field_of(2, "k", "counter"), 4);
    assert_int_equal(count_remembered(actors.workers[0]), 1); /* Of what was sent by its name. */
    actors_close(&actors, 2, true);
    actors_settle(&actors);
    assert_int_equal(count_remembered(actors.workers[0]), 0);
}

/* Its question to itself is refused while it goes, and the refusal finds it. What comes for it
 * later must not. */
static void one_that_ends_with_a_question_to_itself_is_not_remembered(void **state)
{
    (void)state;
    open_volatile();
    actors_open(&actors, &(struct actors_pod){.number = 9, .agent = "c", .is_keyed = true});
    actors_ask(&actors, 7, "k", "ask 9 c/h|hold");
    actors_send(&actors, 7, "k", "ask 7 v/k|get");
    assert_int_equal(sw_worker_run(actors.workers[1], 1), 1);
    actors_close(&actors, 7, false);
    actors_settle(&actors);
    assert_int_equal(count_remembered(actors.workers[1]), 1); /* c/h */
    actors_ask(&actors, 9, "h", "release");
    assert_int_equal(field_of(9, "h", "held"), 0);
}

static void two_that_write_to_each_other_run_in_turn_and_hold_nobody_up_for_long(void **state)
{
    struct sw_worker *worker = actors.workers[1];
    char chain[4096] = "";
    uint32_t count;

    (void)state;
    actors_ask(&actors, 1, "x", "add 0");
    actors_ask(&actors, 1, "y", "add 0");
    actors_ask(&actors, 1, "other", "add 0");
    for (int i = 0; i < 100; i++) /* x, y, x, y ... */
        snprintf(chain + strlen(chain), sizeof chain - strlen(chain), "send a/%s|",
                 i % 2 == 0 ? "y" : "x");
    strcat(chain, "add 1");
    actors_send(&actors, 1, "x", chain);
    actors_send(&actors, 1, "other", "get");
    count = segments_until_answered(worker);
    assert_in_range(count, 10, 20); /* Not the second, and not the last of a hundred. */
    actors_settle(&actors);
    assert_non_null(strstr(actors_ask(&actors, 1, "x", "get"), "counter=1"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_keyed_instance_is_made_by_its_first_message),
        TEST(nothing_leaves_before_its_epoch_is_durable),
        TEST(messages_between_instances_cross_workers_and_are_answered),
        TEST(a_message_may_be_answered_in_a_later_turn),
        TEST(a_handle_answers_once),
        TEST(a_trap_ends_the_turn_and_undoes_it),
        TEST(other_ends_have_their_own_codes),
        TEST(who_asked_a_failing_instance_hears_of_it),
        TEST(an_instance_that_traps_each_time_costs_a_load_not_a_replay),
        TEST(sending_to_nobody_comes_back_as_a_failure),
        TEST(sending_to_nobody_without_a_tag_is_refused),
        TEST(publishes_reach_subscribers_on_all_workers),
        TEST(a_timer_fires_once_when_due_and_can_be_cancelled),
        TEST(a_timer_fires_in_time_when_the_clock_is_set_back),
        TEST(without_memory_timers_and_what_instances_sent_wait),
        TEST(a_cancelled_timer_does_not_fire_even_if_it_waits_already),
        TEST(a_crowd_of_ready_instances_does_not_starve_a_neighbour),
        TEST(long_segments_end_a_round),
        TEST(logs_leave_with_their_instance_and_only_if_the_turn_succeeds_or_fails),
        TEST(a_full_mailbox_pushes_back_to_clients_and_to_senders),
        TEST(an_instance_that_sends_to_a_full_mailbox_is_told),
        TEST(higher_priorities_go_first_and_lower_ones_do_not_starve),
        TEST(a_message_that_names_no_priority_has_its_agent_s),
        TEST(replicas_are_made_and_stopped),
        TEST(that_a_pod_runs_is_told_without_delay),
        TEST(sends_without_a_key_go_round),
        TEST(a_failing_start_is_tried_again_with_back_off),
        TEST(a_volatile_instance_begins_anew_after_a_trap),
        TEST(what_a_volatile_instance_sends_keeps_its_order),
        TEST(a_volatile_turn_that_fails_sends_nothing),
        TEST(what_a_volatile_instance_does_unasked_counts),
        TEST(a_volatile_turn_may_send_as_much_as_a_durable_one),
        TEST(volatile_work_writes_no_epoch),
        TEST(the_limit_of_instances_holds),
        TEST(a_pod_that_is_discarded_answers_whoever_waits),
        TEST(another_module_begins_with_empty_state),
        TEST(a_replica_that_begins_anew_gets_its_mail),
        TEST(a_message_that_waited_too_long_is_not_handled),
        TEST(lists_come_in_pages_over_all_workers),
        TEST(the_config_is_seen_as_it_stands),
        TEST(a_journal_that_fails_stops_the_outputs),
        TEST(publishes_from_outside_are_refused_while_the_journal_has_no_room),
        TEST(a_question_to_a_volatile_pod_that_was_closed_is_refused),
        TEST(what_is_told_of_instances_waits_for_their_records),
        TEST(events_and_publishes_are_told_when_their_records_are_durable),
        TEST(what_is_told_of_dead_letters_waits_for_their_records),
        TEST(a_volatile_instance_carries_the_epoch_of_what_made_it),
        TEST(a_volatile_instance_carries_the_epoch_of_what_it_saw),
        TEST(one_that_ends_is_not_remembered_by_any_hash),
        TEST(one_that_ends_with_a_question_to_itself_is_not_remembered),
        TEST(two_that_write_to_each_other_run_in_turn_and_hold_nobody_up_for_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
