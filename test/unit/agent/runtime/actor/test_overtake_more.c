/* labels: threaded */
/* uses: pkg/agent/link pkg/utils/strands */
#include "test/unit/agent/runtime/actor/passing.h"

/* --- What was found by thinking ill of it ----------------------------------------------------- */

static void long_handover(void *ctx, struct sw_guest *guest, uint32_t deadline_ms,
                          struct sw_buffer *out, uint32_t *ret_version,
                          struct sw_guest_outcome *ret_outcome)
{
    guest->used_ns = 0;
    guest->ended = NULL;
    (void)script_pass(ctx, guest, 2000000, 4);
    script_handover(ctx, guest, deadline_ms, out, ret_version, ret_outcome);
}

static struct sw_guest_module third;

static void open_third(unsigned round)
{
    if (round != 0)
        return;
    actors.next_module = &third;
    actors_open(&actors, &(struct actors_pod){
                             .number = 1, .agent = "long", .digest = "sha256:3", .is_keyed = true});
}

static void an_upgrade_stays_with_its_program(void **state)
{
    static struct sw_guest_module next;

    next = (struct sw_guest_module){.refs = 1, .on_upgrade = "add 100", .version = 2};

    (void)state;
    third = (struct sw_guest_module){.refs = 1, .on_upgrade = "add 1000", .version = 3};
    actors.workers[0]->engine.state = long_handover;
    actors.module.version = 1;
    (void)ask(1, "l", "add 1;get");
    meanwhile = open_third;
    actors.next_module = &next;
    actors_open(&actors, &(struct actors_pod){
                             .number = 1, .agent = "long", .digest = "sha256:2", .is_keyed = true});
    first = actors_send(&actors, 1, "l", "get");
    settle();
    meanwhile = NULL;
    /* 1 -> 2 -> 3: 1101; 1 -> 3: 1001. 2001: on_upgrade of 3 ran twice, on its own state, which
     * stands in the journal as a state of program 2. */
    assert_int_not_equal(field_of(1, "l", "counter"), 2001);
}

/* What is to take it over was chosen before its memory was rebuilt, which others passed. */
static void nobody_takes_over_without_an_on_upgrade(void **state)
{
    static struct sw_guest_module next;

    next = (struct sw_guest_module){.refs = 1, .on_upgrade = "add 100", .version = 2};

    (void)state;
    third = (struct sw_guest_module){.refs = 1, .version = 3};
    actors.module.version = 1;
    (void)ask(1, "l", "add 1");
    (void)ask(1, "l", FOREVER "add 1");
    restart();
    rounds = 0;
    meanwhile = open_third;
    actors.next_module = &next;
    actors_open(&actors, &(struct actors_pod){
                             .number = 1, .agent = "long", .digest = "sha256:2", .is_keyed = true});
    first = actors_send(&actors, 1, "l", "get");
    settle();
    meanwhile = NULL;
    assert_true(rounds > 0);
    assert_int_equal(field_of(1, "l", "counter"), 2);
}

static void quick_ones_trap(unsigned round)
{
    if (round < 3)
        (void)actors_send(&actors, 2, "q", "trap");
}

static void it_ends_as_it_ends_though_others_fail_meanwhile(void **state)
{
    (void)state;
    meanwhile = quick_ones_trap;
    first = actors_send(&actors, 1, "l", FOREVER "add 1");
    settle();
    meanwhile = NULL;
    assert_int_equal(actors_reply(&actors, first)->status, SW_OK);
    assert_int_equal(field_of(1, "l", "counter"), 1);
}

/* As long as all are short the clock is looked at once in some of them. */
static void who_comes_meanwhile_waits_for_few_that_are_not_short(void **state)
{
    uint64_t before;

    (void)state;
    (void)ask(2, "q", "add 1");
    (void)ask(2, "q", "add 1");
    for (unsigned i = 0; i < 2; i++)
        (void)actors_send(&actors, 2, "q", "add 1");
    for (unsigned i = 0; i < 8; i++)
        (void)actors_send(&actors, 2, "q", "pass 900000 1");
    before = actors.disk.now_ns;
    (void)sw_worker_run(actors.workers[0], 16);
    assert_in_range(actors.disk.now_ns - before, 0, 2000000);
    settle();
}

static void stop_enter(void *ctx, struct sw_guest *guest, const struct sw_guest_input *input,
                       struct sw_guest_outcome *ret_outcome)
{
    if (input->entry == SW_GUEST_STOP) {
        guest->used_ns = 0;
        guest->ended = NULL;
        (void)script_pass(ctx, guest, 2000000, 300);
    }
    script_enter(ctx, guest, input, ret_outcome);
}

static void others_wait(unsigned round)
{
    char key[16];

    for (unsigned i = 0; round == 0 && i < SW_WAITERS_AWAKE + 8; i++) {
        snprintf(key, sizeof key, "w%u", i);
        (void)actors_send(&actors, 2, key, "recv 9000000000000000;add 1");
    }
    if (instance_of(1, "l") != NULL && actors.workers[0]->passing.count > 0 && !has_seen) {
        if (instance_of(1, "l")->passed != NULL && instance_of(1, "l")->guest == NULL) {
            fail_msg("the guest that runs on_stop was packed");
        }
    }
}

static void one_that_waited_and_stops_is_not_packed(void **state)
{
    (void)state;
    has_seen = false;
    actors.module.has_on_stop = true;
    actors_open(&actors, &(struct actors_pod){
                             .number = 1, .agent = "long", .digest = "sha256:9", .is_keyed = true});
    settle();
    actors.workers[0]->engine.enter = stop_enter;
    (void)actors_send(&actors, 1, "l", "recv 9000000000000000;add 1");
    settle();
    assert_int_not_equal(instance_of(1, "l")->waiter, 0);
    meanwhile = others_wait;
    actors_close(&actors, 1, true);
    settle();
    meanwhile = NULL;
    actors.module.has_on_stop = false;
}

static struct sw_frame_call_name call_name;
static unsigned calls_seen;
static void see_calls(const struct sw_frame *frame)
{
    if (frame->kind != SW_FRAME_CALL)
        return;
    calls_seen++;
    call_name = frame->call.name;
}

static void reopen(unsigned round)
{
    if (round == 0)
        actors_open(&actors, &(struct actors_pod){
                                 .number = 1, .agent = "long", .config = "two", .is_keyed = true});
}

static void a_call_whose_result_was_taken_is_not_sent_again(void **state)
{
    struct sw_message template = {.pod = 1,
                                  .head = {.flags = SWARM_MESSAGE_IS_REPLY | SW_MESSAGE_ENDS_WAIT,
                                           .priority = SWARM_PRIORITY_NORMAL,
                                           .from = script_text("svc"),
                                           .type = script_text("text/plain")},
                                  .body = script_text("result")};
    (void)state;
    calls_seen = 0;
    actors.see = see_calls;
    (void)actors_send(&actors, 1, "l",
                      "call 0 svc|0123456789012345678901234567890123456789~" LONG LONG "add 1");
    settle();
    assert_int_equal(calls_seen, 1);
    template.instance = call_name.instance;
    template.head.tag = call_name.number;
    meanwhile = reopen;
    rounds = 0;
    sw_worker_put(actors.workers[0], &sw_message_new(&template)->item);
    settle();
    meanwhile = NULL;
    assert_int_equal(field_of(1, "l", "counter"), 1);
    sw_worker_settle_bytes(actors.workers[0]);
    assert_int_equal(atomic_load(&actors.shared.queued_bytes), 0);
    assert_int_equal(calls_seen, 1);
}

static void discard_again(unsigned round)
{
    if (round == 0)
        actors_close(&actors, 1, true);
}

static void a_pod_that_is_discarded_twice_ends_once(void **state)
{
    (void)state;
    actors.module.has_on_stop = true;
    actors_open(&actors, &(struct actors_pod){
                             .number = 1, .agent = "long", .digest = "sha256:9", .is_keyed = true});
    settle();
    actors.workers[0]->engine.enter = stop_enter;
    (void)ask(1, "a", "add 1;get");
    (void)ask(1, "b", "add 1;get");
    (void)ask(1, "c", "add 1;get");
    meanwhile = discard_again;
    rounds = 0;
    actors_close(&actors, 1, true);
    settle();
    meanwhile = NULL;
    actors.module.has_on_stop = false;
    assert_int_equal(actors.closed, 1);
}

/* --- */
static void open_in(const char *space, uint64_t number, const char *agent)
{
    char uid[37];
    struct sw_pod_config config = {.pod = number,
                                   .uid = {uid, 36},
                                   .name_space = script_text(space),
                                   .agent = script_text(agent),
                                   .agent_uid = {uid, 36},
                                   .digest = script_text("sha256:1"),
                                   .generation = 1,
                                   .is_keyed = true,
                                   .is_durable = true,
                                   .priority = SWARM_PRIORITY_NORMAL,
                                   .deadline_ms = 1000,
                                   .mailbox = 1024,
                                   .instances_max = 100000,
                                   .memory_bytes = 1u << 20,
                                   .body_bytes = 262144,
                                   .retry_attempts = 1,
                                   .retry_first_ns = 1000,
                                   .retry_max_ns = 4000};
    snprintf(uid, sizeof uid, "00000000-0000-7000-8000-%012u", (unsigned)number);
    memset(config.slots, 0xff, sizeof config.slots);
    actors.module.refs++;
    sw_worker_put(actors.workers[0], sw_item_pod_open_new(&config, &actors.module));
}

static void send_to_the_expiring(unsigned round)
{
    if (round == 0)
        (void)actors_send(&actors, 2, "q", "send long/l|add 7~get");
}

/* What an instance sent to one whose on_stop runs since it was idle: nothing sent is lost. */
static void what_comes_while_an_idle_one_stops_is_kept(void **state)
{
    (void)state;
    actors.module.has_on_stop = true;
    actors_open(&actors, &(struct actors_pod){.number = 1,
                                              .agent = "long",
                                              .digest = "sha256:9",
                                              .is_keyed = true,
                                              .idle_ns = 1000000000});
    settle();
    actors.workers[0]->engine.enter = stop_enter;
    (void)ask(1, "l", "add 1;get");
    meanwhile = send_to_the_expiring;
    rounds = 0;
    actors.disk.now_ns += 2000000000;
    settle();
    meanwhile = NULL;
    assert_true(rounds > 0);
    actors_open(&actors, &(struct actors_pod){
                             .number = 1, .agent = "long", .digest = "sha256:9", .is_keyed = true});
    settle();
    assert_int_equal(field_of(1, "l", "counter"), 7);
}

static void snapshot_during(unsigned round)
{
    struct sw_err err = {0};

    if (round == 1) {
        (void)sw_worker_run(actors.workers[0], 0);
        if (sw_snapshot_begin(&actors.shared, actors.workers, 1, &err) != SW_OK)
            fail_msg("%s", err.message);
    }
    if (round >= 1)
        (void)!sw_snapshot_advance(&actors.shared, NULL);
}

/* It is in a long segment whenever a snapshot is taken. */
static void one_that_is_always_busy_becomes_an_image(void **state)
{
    (void)state;

    for (unsigned i = 0; i < 20; i++) {
        meanwhile = snapshot_during;
        rounds = 0;
        (void)actors_send(&actors, 2, "q",
                          "send long/l|" LONG LONG LONG LONG LONG LONG LONG LONG "add 1");
        settle();
        meanwhile = NULL;
        while (sw_snapshot_phase(&actors.shared) != SW_SNAPSHOT_NONE) {
            settle();
            (void)!sw_snapshot_advance(&actors.shared, NULL);
        }
    }
    restart();
    assert_int_equal(field_of(1, "l", "counter"), 20);
    assert_true(actors.workers[0]->counts.replayed < 8);
}

static void give_up_rebuilding(unsigned round)
{
    snapshot_during(round);
    if (round == 20)
        sw_overtake_give_up_replays(actors.workers[0]);
}

/* A snapshot counts while a memory is rebuilt from what was before; then the host is to stop. */
static void a_stop_gives_up_memories_that_are_rebuilt(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        (void)ask(1, "l", FOREVER "add 1;get");
    restart();
    rounds = 0;
    has_seen = false;
    meanwhile = give_up_rebuilding;
    (void)actors_send(&actors, 2, "q", "send long/l|add 3");
    settle();
    meanwhile = NULL;
    assert_null(instance_of(1, "l")->guest);
    (void)!sw_snapshot_advance(&actors.shared, NULL);
    stop_cleanly(3);
    assert_true(has_seen);
    disk_done(&kept);
}

/* The same while its memory is rebuilt so that it can say goodbye. */
static void what_comes_while_an_idle_one_is_rebuilt_is_kept(void **state)
{
    const struct actors_pod pod = {.number = 1,
                                   .agent = "long",
                                   .digest = "sha256:9",
                                   .is_keyed = true,
                                   .idle_ns = 1000000000};

    (void)state;
    actors.module.has_on_stop = true;
    actors_open(&actors, &pod);
    settle();
    (void)ask(1, "l", FOREVER "add 1;get");
    assert_int_equal(actors_restart(&actors, false), SW_OK);
    use_strands();
    actors_open(&actors, &pod);
    actors_open(&actors, &(struct actors_pod){.number = 2, .agent = "quick", .is_keyed = true});
    meanwhile = send_to_the_expiring;
    rounds = 0;
    actors.disk.now_ns += 3600000000000u * 2;
    settle();
    meanwhile = NULL;
    assert_true(rounds > 0);
    actors_open(&actors, &(struct actors_pod){
                             .number = 1, .agent = "long", .digest = "sha256:9", .is_keyed = true});
    settle();
    assert_true(field_of(1, "l", "counter") >= 7);
}

static unsigned victim_begun, victim_at;
static uint64_t victim, victim_time;
static const char *victim_body;
static void see_victim(unsigned round)
{
    (void)round;
    if (victim_begun == 0 && actors.workers[0]->passing.count >= victim_at) {
        victim_begun = 1;
        victim_time = actors.disk.now_ns;
        victim = actors_send(&actors, 99, "v", victim_body);
    }
    if (victim_begun == 1 && actors_reply(&actors, victim)->is_there)
        victim_begun = 2, victim_time = actors.disk.now_ns - victim_time;
}

/* Three namespaces have as many long segments as there is room for; somebody else's Agent, which
 * was slow once, begins all the same. */
static void each_namespace_may_begin_something(void **state)
{
    char words[24];
    uint64_t pod = 100;

    (void)state;
    have_all_strands();
    open_in("innocent", 99, "victim");
    settle();
    (void)ask(99, "v", LONG "get");
    for (unsigned s = 0; s < 3; s++)
        for (unsigned a = 0; a < 8; a++, pod++) {
            char agent[24];
            snprintf(words, sizeof words, "hostile%u", s);
            snprintf(agent, sizeof agent, "agent%u", a);
            open_in(words, pod, agent);
        }
    settle();
    for (uint64_t p = 100; p < pod; p++)
        for (unsigned k = 0; k < 8; k++) {
            snprintf(words, sizeof words, "k%u", k);
            (void)actors_send(&actors, p, words, "pass 2000000 30;add 1");
        }
    victim_begun = 0;
    victim_at = SW_PASS_SLOW_MAX;
    victim_body = "get";
    meanwhile = see_victim;
    settle();
    see_victim(0);
    meanwhile = NULL;
    assert_true(victim_begun == 2 && victim_time < 1000000000u);
}

/* One namespace has Agents enough for all places, and each runs for long for the first time. */
static void a_namespace_has_its_part_of_the_places(void **state)
{
    char words[24];

    (void)state;
    have_all_strands();
    open_in("innocent", 99, "victim");
    for (uint64_t p = 100; p < 100 + SW_PASS_MAX; p++) {
        snprintf(words, sizeof words, "agent%u", (unsigned)p);
        open_in("hostile", p, words);
    }
    settle();
    (void)ask(99, "v", LONG "get");
    for (unsigned i = 0; i < SW_SHARE_QUICK_MIN; i++)
        (void)ask(99, "v", "get");
    for (uint64_t p = 100; p < 100 + SW_PASS_MAX; p++)
        (void)actors_send(&actors, p, "k", "pass 2000000 30;add 1");
    victim_begun = 0;
    victim_at = SW_GOING_SPACE_MAX;
    victim_body = LONG "get";
    meanwhile = see_victim;
    settle();
    assert_int_equal(victim_begun, 2);
    meanwhile = NULL;
    assert_int_equal(actors_reply(&actors, victim)->status, 0);
}

/* --- Subscriptions ---------------------------------------------------------------------------- */

/* None is on the bus before its segment has ended: there is room for all the same. */
static void what_is_passed_has_room_for_what_it_subscribed_to(void **state)
{
    struct sw_bus *bus = &actors.shared.bus;
    uint64_t others[2];

    (void)state;
    bus->subscriptions_max = 3;
    others[0] = actors_send(&actors, 1, "l", "sub one;sub two;" FOREVER "get");
    others[1] = actors_send(&actors, 3, "o", LONG "sub three;sub four;" FOREVER "get");
    settle();
    assert_int_equal(sw_worker_failure(actors.workers[0], NULL), SW_OK);
    assert_int_equal(atomic_load(&bus->subscriptions), 3);
    assert_int_equal(atomic_load(&bus->reserved), 0);
    assert_non_null(strstr(actors_reply(&actors, others[0])->body, "code=0"));
    assert_null(strstr(actors_reply(&actors, others[1])->body, "code=0"));
    (void)ask(1, "l", "unsub one");
    (void)ask(2, "q", "sub five;" LONG "trap");
    assert_int_equal(atomic_load(&bus->reserved), 0);
    (void)ask(2, "q", "sub six");
    assert_int_equal(atomic_load(&bus->subscriptions), 3);
}

/* --- Memory ----------------------------------------------------------------------------------- */

static void send_beside_it(unsigned round)
{
    int64_t waiting = sw_worker_queued_bytes(actors.workers[0]);

    if (round != 2)
        return;
    assert_in_range(waiting, SW_QUEUED_BYTES_EDGE_MAX, SW_QUEUED_BYTES_EDGE_MAX + (8 << 20));
    first = actors_send(&actors, 2, "q", "add 1;get");
}

/* Clients are refused by what is about to be sent as by what waits. */
static void what_is_about_to_be_sent_counts_as_waiting(void **state)
{
    _Atomic int64_t *waiting = &actors.shared.queued_bytes;

    (void)state;
    (void)ask(2, "q", "add 1;get");
    sw_worker_settle_bytes(actors.workers[0]);
    assert_int_equal(atomic_load(waiting), 0);
    atomic_store(waiting, SW_QUEUED_BYTES_EDGE_MAX - (256 << 10));
    meanwhile = send_beside_it;
    (void)actors_send(&actors, 1, "l", "spam 20000 other/x|add 1~" FOREVER "add 1;trap");
    settle();
    meanwhile = NULL;
    assert_int_equal(actors_reply(&actors, first)->status, SW_E_EXHAUSTED);
    sw_worker_settle_bytes(actors.workers[0]);
    assert_int_equal(atomic_load(waiting), SW_QUEUED_BYTES_EDGE_MAX - (256 << 10));
    assert_int_equal(field_of(2, "q", "counter"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_upgrade_stays_with_its_program),
        TEST(it_ends_as_it_ends_though_others_fail_meanwhile),
        TEST(nobody_takes_over_without_an_on_upgrade),
        TEST(who_comes_meanwhile_waits_for_few_that_are_not_short),
        TEST(one_that_waited_and_stops_is_not_packed),
        TEST(a_call_whose_result_was_taken_is_not_sent_again),
        TEST(a_pod_that_is_discarded_twice_ends_once),
        TEST(what_comes_while_an_idle_one_is_rebuilt_is_kept),
        TEST(one_that_is_always_busy_becomes_an_image),
        TEST(a_stop_gives_up_memories_that_are_rebuilt),
        TEST(what_comes_while_an_idle_one_stops_is_kept),
        TEST(each_namespace_may_begin_something),
        TEST(a_namespace_has_its_part_of_the_places),
        TEST(what_is_passed_has_room_for_what_it_subscribed_to),
        TEST(what_is_about_to_be_sent_counts_as_waiting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
