/* labels: threaded */
/* uses: pkg/agent/link */
#include "pkg/agent/runtime/actor/state.h"
#include "pkg/agent/runtime/actor/storage.h"
#include "test/unit/agent/runtime/actor/asking.h"

#include <pthread.h>
#include <unistd.h>

/* Quotas of namespaces at run time. */

#define SECOND_NS 1000000000u
#define THREADS 4
#define ROUNDS 20000

static uint64_t pushed[128][SW_FRAME_LIMITS]; /* By the first byte of the Agent's name. */

static struct sw_frame_quota_held said; /* As it was told last. */
static int said_count;

static void see(const struct sw_frame *frame)
{
    const struct sw_frame_throttled *told = &frame->throttled;

    if (frame->kind == SW_FRAME_QUOTA_HELD) {
        said = frame->quota_held;
        said_count++;
    }
    if (frame->kind != SW_FRAME_THROTTLED)
        return;
    assert_memory_equal(told->name_space.data, "default", 7);
    pushed[*(const uint8_t *)told->agent.data % 128][told->limit] += told->count;
}

static int set_up(void **state)
{
    (void)state;
    memset(pushed, 0, sizeof pushed);
    actors_init(&actors, 2, 1);
    actors.see = see;
    open_three(0);
    return 0;
}

static void set_quota(uint64_t instances, uint64_t memory_bytes, uint32_t messages_per_s)
{
    const struct sw_quota_limits limits = {instances, memory_bytes, messages_per_s, 0, 0, 0, 0};

    assert_int_equal(
        sw_accounts_set_quota(&actors.shared.accounts, script_text("default"), &limits, 0), SW_OK);
}

static uint64_t instances(void)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < actors.count; i++)
        count += sw_idmap_count(actors.workers[i]->instances);
    return count;
}

static const struct actors_reply *sent(uint64_t pod, const char *key, const char *body)
{
    return actors_reply(&actors, send(pod, key, body));
}

static void one_instance_too_many_is_not_made(void **state)
{
    (void)state;
    set_quota(2, SW_QUOTA_NONE, 0);
    assert_int_equal(sent(1, "k1", "add 1")->status, 0);
    assert_int_equal(sent(2, "k2", "add 1")->status, 0);
    assert_int_equal(sent(1, "k3", "add 1")->status, SW_E_EXHAUSTED);
    assert_int_equal(sent(3, "k3", "add 1")->status, SW_E_EXHAUSTED); /* Volatile, as well. */
    assert_int_equal(sent(1, "k1", "add 1")->status, 0);
    assert_int_equal(instances(), 2);
}

static void what_an_instance_sends_beyond_it_is_a_dead_letter(void **state)
{
    (void)state;
    set_quota(1, SW_QUOTA_NONE, 0);
    assert_int_equal(sent(1, "k1", "send b/x|add 1")->status, 0);
    assert_int_equal(instances(), 1);
    assert_string_equal(actors.last_event, "MessageParked");
    assert_non_null(strstr(actors.last_words, "QuotaExceeded"));
}

static void memory_counts_as_instances_may_have_it(void **state)
{
    (void)state;
    set_quota(SW_QUOTA_NONE, 3u << 19, 0); /* One and a half of what each may have. */
    assert_int_equal(sent(1, "k1", "add 1")->status, 0);
    assert_int_equal(sent(1, "k2", "add 1")->status, SW_E_EXHAUSTED);
    set_quota(SW_QUOTA_NONE, 2u << 20, 0);
    assert_int_equal(sent(1, "k2", "add 1")->status, 0);
    assert_int_equal(sent(1, "k3", "add 1")->status, SW_E_EXHAUSTED);
}

static void what_is_freed_can_be_used_again(void **state)
{
    (void)state;
    set_quota(2, 2u << 20, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sent(1, "k1", "add 1")->status, 0);
        assert_int_equal(sent(1, "k2", "add 1")->status, 0);
        assert_int_equal(sent(2, "k1", "add 1")->status, SW_E_EXHAUSTED);
        actors_close(&actors, 1, true);
        actors_settle(&actors);
        open_three(0);
    }
}

static void a_lowered_quota_takes_nothing_and_admits_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        char key[8];

        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(sent(1, key, "add 1")->status, 0);
    }
    set_quota(3, SW_QUOTA_NONE, 0);
    assert_int_equal(sent(1, "k5", "add 1")->status, SW_E_EXHAUSTED);
    assert_int_equal(sent(1, "k4", "add 1")->status, 0);
    assert_int_equal(instances(), 5);
}

static void ask_for_quota(uint64_t number)
{
    struct sw_item *ask = sw_item_quota_ask_new(number, script_text("default"));

    assert_non_null(ask);
    sw_worker_put(actors.workers[0], ask);
}

/* A segment that ends on another worker when the bound comes reserved nothing before it. */
static void what_is_being_written_when_a_bound_comes_is_told(void **state)
{
    const uint64_t number = 1;
    struct sw_pod *pod = sw_map_find(actors.workers[1]->pods, &number, sizeof number);

    (void)state;
    assert_int_equal(sent(1, "k1", "add 1")->status, 0);
    said_count = 0;
    ask_for_quota(7);
    (void)sw_worker_run(actors.workers[0], 16);
    sw_storage_use(actors.workers[1], pod, 1u << 20, 0, 0);
    actors_settle(&actors);
    assert_int_equal(said_count, 1);
    assert_in_range(said.storage_bytes, (1u << 20) + 65536, UINT64_MAX);
}

/* What there is when a bound comes is told under its number; and as long as that is beyond it,
 * again as it becomes less. */
static void what_is_beyond_a_part_is_told_until_it_is_gone(void **state)
{
    (void)state;
    assert_int_equal(sent(1, "k1", "add 1")->status, 0);
    assert_int_equal(sent(1, "k2", "add 1")->status, 0);
    assert_int_equal(sent(2, "k3", "add 1")->status, 0);
    set_quota(1, SW_QUOTA_NONE, 0);
    said_count = 0;
    ask_for_quota(7);
    actors_settle(&actors);
    assert_int_equal(said_count, 1);
    assert_int_equal(said.number, 7);
    assert_int_equal(said.instances, 3);
    assert_int_equal(said.memory_bytes, 3u << 20);
    assert_in_range(said.storage_bytes, 3 * 65536, UINT64_MAX);
    actors_close(&actors, 1, true);
    actors_settle(&actors);
    actors.disk.now_ns += 2 * (uint64_t)SECOND_NS;
    actors_settle(&actors);
    assert_int_equal(said.instances, 1);
    said_count = 0;
    assert_int_equal(sent(2, "k3", "add 1")->status, 0);
    actors.disk.now_ns += 2 * (uint64_t)SECOND_NS;
    actors_settle(&actors);
    assert_int_equal(said_count, 0); /* It is within its part. */
}

/* What the journal has is there, and counts. */
static void what_was_recovered_counts(void **state)
{
    (void)state;
    assert_int_equal(sent(1, "k1", "add 1")->status, 0);
    assert_int_equal(sent(1, "k2", "add 1")->status, 0);
    restart(true);
    set_quota(2, SW_QUOTA_NONE, 0);
    open_three(0);
    assert_int_equal(sent(1, "k3", "add 1")->status, SW_E_EXHAUSTED);
    assert_int_equal(sent(1, "k1", "add 1")->status, 0);
    set_quota(3, SW_QUOTA_NONE, 0);
    assert_int_equal(sent(1, "k3", "add 1")->status, 0);
}

static void replicas_come_when_there_is_room(void **state)
{
    const struct actors_pod pod = {.number = 4, .agent = "r", .replicas = 3};

    (void)state;
    set_quota(2, SW_QUOTA_NONE, 0);
    actors_open(&actors, &pod);
    actors_settle(&actors);
    assert_int_equal(instances(), 2);
    assert_string_equal(actors.last_event, "QuotaExceeded");
    set_quota(3, SW_QUOTA_NONE, 0);
    actors.disk.now_ns += 2 * (uint64_t)SECOND_NS;
    actors_settle(&actors);
    assert_int_equal(instances(), 3);
    assert_int_equal(actors.status.ready, 3);
    assert_int_equal(actors.events, 1); /* People heard of it once. */
}

static void messages_beyond_it_are_pushed_back(void **state)
{
    uint32_t taken = 0;

    (void)state;
    actors_ask(&actors, 1, "k", "add 1");
    set_quota(SW_QUOTA_NONE, SW_QUOTA_NONE, 10);
    actors.disk.now_ns += SECOND_NS;
    for (int i = 0; i < 30; i++)
        taken += sent(1 + (uint64_t)i % 3, "k", "add 1")->status == 0;
    assert_int_equal(taken, 10);
    actors.disk.now_ns += SECOND_NS / 2;
    for (int i = 0; i < 30; i++)
        taken += sent(1 + (uint64_t)i % 3, "k", "add 1")->status == 0;
    assert_int_equal(taken, 15);
    set_quota(SW_QUOTA_NONE, SW_QUOTA_NONE, 0);
    assert_int_equal(sent(1, "k", "add 1")->status, 0);
}

/* Those who send get EXHAUSTED from the call, and a replay the same. */
static void senders_are_pushed_back_and_that_is_recorded(void **state)
{
    long long code;

    (void)state;
    actors_ask(&actors, 1, "k", "add 1");
    actors_ask(&actors, 2, "x", "add 1");
    set_quota(SW_QUOTA_NONE, SW_QUOTA_NONE, 4);
    actors.disk.now_ns += SECOND_NS;
    code = field(sent(1, "k", "spam 9 b/x|add 1~get")->body, "code");
    assert_int_equal(code, SW_E_EXHAUSTED);
    set_quota(SW_QUOTA_NONE, SW_QUOTA_NONE, 0);
    assert_int_equal(field_of(2, "x", "counter"), 4); /* One of four was the client's. */
    restart(true);
    open_three(0);
    assert_int_equal(field_of(1, "k", "messages"), 3); /* Rebuilt by a replay, which must agree. */
    assert_int_equal(field_of(2, "x", "counter"), 4);
}

/* --- Who is pushed back is told ----------------------------------------------------------------
 */

static void second_passes(void)
{
    actors.disk.now_ns += 2 * (uint64_t)SECOND_NS;
    actors_settle(&actors);
}

static void each_push_is_told_with_its_limit(void **state)
{
    (void)state;
    actors_ask(&actors, 1, "k", "add 1");
    actors_ask(&actors, 2, "x", "add 1");
    set_quota(2, SW_QUOTA_NONE, 4);
    second_passes();
    for (int i = 0; i < 7; i++)
        (void)sent(2, "x", "add 1");
    for (int i = 0; i < 5; i++)
        (void)sent(1, "k", "add 1");
    second_passes();
    assert_int_equal(pushed['b'][SW_FRAME_LIMIT_QUOTA_MESSAGES], 3);
    assert_int_equal(pushed['a'][SW_FRAME_LIMIT_QUOTA_MESSAGES], 5);
    second_passes();
    set_quota(2, SW_QUOTA_NONE, 0);
    assert_int_equal(sent(1, "k2", "add 1")->status, SW_E_EXHAUSTED);
    set_quota(SW_QUOTA_NONE, 2u << 20, 0);
    assert_int_equal(sent(1, "k2", "add 1")->status, SW_E_EXHAUSTED);
    assert_int_equal(sent(1, "k2", "add 1")->status, SW_E_EXHAUSTED);
    second_passes();
    assert_int_equal(pushed['a'][SW_FRAME_LIMIT_QUOTA_INSTANCES], 1);
    assert_int_equal(pushed['a'][SW_FRAME_LIMIT_QUOTA_MEMORY], 2);
    second_passes();
    assert_int_equal(pushed['a'][SW_FRAME_LIMIT_QUOTA_MEMORY], 2); /* Once each. */
}

/* Of an Agent's own limit it is the receiver that is told of, whoever sends: in another worker too.
 */
static void a_receiver_at_its_own_limit_is_told_of(void **state)
{
    (void)state;
    actors_open(&actors, &(struct actors_pod){
                             .number = 2, .agent = "b", .is_keyed = true, .messages_per_s = 3});
    actors_settle(&actors);
    actors_ask(&actors, 2, "x", "add 1");
    second_passes();
    (void)sent(1, "k", "spam 3 b/x|add 1~get"); /* All it may have, and nobody is refused. */
    second_passes();
    assert_int_equal(pushed['b'][SW_FRAME_LIMIT_MESSAGES], 0);
    (void)sent(1, "k", "spam 3 b/x|add 1~get");
    assert_int_equal(field(sent(1, "k", "spam 9 b/x|add 1~get")->body, "code"), SW_E_EXHAUSTED);
    second_passes();
    second_passes();
    assert_int_equal(pushed['b'][SW_FRAME_LIMIT_MESSAGES], 1);
    assert_int_equal(pushed['a'][SW_FRAME_LIMIT_MESSAGES], 0);
    for (int i = 0; i < 6; i++)
        (void)sent(2, "x", "add 1");
    second_passes();
    assert_int_equal(pushed['b'][SW_FRAME_LIMIT_MESSAGES], 1 + 3); /* Clients, each. */
}

/* --- Those who sleep -------------------------------------------------------------------------- */

static void open_restful(void)
{
    actors_open(&actors, &(struct actors_pod){
                             .number = 4, .agent = "s", .is_keyed = true, .rests_at_once = true});
    actors_settle(&actors);
}

/* Time goes by, in which those who can go to sleep. */
static void rest(void)
{
    for (int i = 0; i < 200; i++) {
        actors.disk.now_ns += SECOND_NS / 10;
        actors_settle(&actors);
    }
}

static uint64_t asleep(void)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < actors.count; i++) {
        struct sw_worker_view view;

        sw_worker_view(actors.workers[i], &view);
        count += view.asleep;
    }
    return count;
}

static const struct sw_account *space(void)
{
    return sw_map_find(actors.shared.accounts.spaces, "default", 7);
}

static void who_sleeps_counts_and_is_let_in_again(void **state)
{
    (void)state;
    actors.shelf_bytes = 16384;
    restart(false);
    open_restful();
    set_quota(2, SW_QUOTA_NONE, 0);
    assert_int_equal(sent(4, "k1", "grow 200000")->status, 0);
    assert_int_equal(sent(4, "k2", "add 1")->status, 0);
    rest();
    assert_int_equal(asleep(), 2);
    assert_int_equal(sent(4, "k3", "add 1")->status, SW_E_EXHAUSTED);
    assert_int_equal(sent(4, "k1", "add 1")->status, 0);
    rest();
    assert_int_equal(space()->pages, 5); /* Four and one, though nobody is awake. */
    save_all();
    restart(true);
    set_quota(2, SW_QUOTA_NONE, 0);
    open_restful();
    rest();
    assert_int_equal(asleep(), 2);
    assert_int_equal(space()->pages, 5);
    assert_int_equal(sent(4, "k3", "add 1")->status, SW_E_EXHAUSTED);
    actors_close(&actors, 4, true);
    actors_settle(&actors);
    assert_int_equal(atomic_load(&space()->quota.instances), 0);
    assert_int_equal(atomic_load(&space()->quota.memory_bytes), 0);
    assert_int_equal(space()->pages, 0);
    assert_int_equal(space()->since_ms, 0);
    restart(true); /* And so say the records. */
    rest();
    assert_int_equal(atomic_load(&space()->quota.instances), 0);
    assert_int_equal(space()->pages, 0);
    assert_int_equal(space()->since_ms, 0);
}

/* --- Memory that grows ------------------------------------------------------------------------ */

#define MIB ((uint64_t)1 << 20)

static void open_with(uint64_t memory_bytes)
{
    actors_open(&actors, &(struct actors_pod){.number = 4,
                                              .agent = "s",
                                              .is_keyed = true,
                                              .rests_at_once = true,
                                              .memory_bytes = memory_bytes});
    actors_settle(&actors);
}

/* What memory.grow said: 0, or -1 at the limit. */
static long long grow(const char *key, const char *command)
{
    char body[64];

    snprintf(body, sizeof body, "%s;get", command);
    return field(sent(4, key, body)->body, "code");
}

/* What an instance may come to is reserved when it begins and is its limit for life, so memory.grow
 * needs no look at the quota, and a replay none at what the quota was: a raised limit, a sleep, a
 * restart and an upgrade change nothing of it. */
static void what_memory_may_grow_to_was_reserved(void **state)
{
    (void)state;
    actors.shelf_bytes = 16384;
    restart(false);
    set_quota(SW_QUOTA_NONE, 3 * MIB, 0);
    open_with(MIB);
    assert_int_equal(grow("k1", "grow 500000"), 0);
    assert_int_equal(atomic_load(&space()->quota.memory_bytes), MIB);
    open_with(2 * MIB); /* For those who begin from here on. */
    assert_int_equal(grow("k1", "grow 600000"), -1);
    assert_int_equal(sent(4, "k2", "add 1")->status, 0);
    assert_int_equal(atomic_load(&space()->quota.memory_bytes), 3 * MIB);
    assert_int_equal(sent(4, "k3", "add 1")->status, SW_E_EXHAUSTED);
    assert_int_equal(grow("k2", "grow 1500000"), 0);
    rest();
    assert_int_equal(asleep(), 2);
    assert_int_equal(grow("k1", "grow 600000"), -1);
    assert_int_equal(grow("k2", "grow 700000"), -1);
    save_all();
    restart(true);
    set_quota(SW_QUOTA_NONE, 3 * MIB, 0);
    open_with(2 * MIB);
    assert_int_equal(atomic_load(&space()->quota.memory_bytes), 3 * MIB);
    assert_int_equal(grow("k1", "grow 600000"), -1);
    assert_int_equal(grow("k1", "grow 400000"), 0); /* What it has reserved it may use. */
    assert_int_equal(sent(4, "k3", "add 1")->status, SW_E_EXHAUSTED);
    restart(true); /* By replay, under another quota: it comes to the same. */
    set_quota(SW_QUOTA_NONE, MIB, 0);
    open_with(MIB);
    assert_int_equal(grow("k1", "grow 200000"), -1);
    assert_int_equal(grow("k2", "grow 100000"), 0);
    assert_int_equal(atomic_load(&space()->quota.memory_bytes), 3 * MIB);
    actors_close(&actors, 4, true);
    actors_settle(&actors);
    assert_int_equal(atomic_load(&space()->quota.memory_bytes), 0);
}

/* --- Many at once ----------------------------------------------------------------------------- */

static struct sw_quota shared_quota;
static _Atomic uint64_t in_use, most_in_use, granted;

static void *use_it(void *ctx)
{
    uint64_t random = (uint64_t)(uintptr_t)ctx, held = 0;

    for (int i = 0; i < ROUNDS; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        if (random >> 63 == 0 && sw_quota_reserve(&shared_quota, 5) == SW_QUOTA_TAKEN) {
            uint64_t now = atomic_fetch_add(&in_use, 1) + 1, most = atomic_load(&most_in_use);

            while (now > most && !atomic_compare_exchange_weak(&most_in_use, &most, now))
                continue;
            atomic_fetch_add(&granted, 1);
            held++;
        } else if (held > 0) {
            atomic_fetch_sub(&in_use, 1); /* Before it may be another's. */
            sw_quota_release(&shared_quota, 1, 5);
            held--;
        }
    }
    for (; held > 0; held--) {
        atomic_fetch_sub(&in_use, 1);
        sw_quota_release(&shared_quota, 1, 5);
    }
    return NULL;
}

static void no_interleaving_passes_it(void **state)
{
    const struct sw_quota_limits limits = {9, 32, 0, 0, 0, 0, 0}; /* Memory for six. */
    struct sw_quota_turn turn = {0};
    pthread_t threads[THREADS];
    uint64_t room_ns;

    (void)state;
    sw_quota_init(&shared_quota);
    sw_quota_set(&shared_quota, &limits, 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_it, (void *)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_in_range(atomic_load(&most_in_use), 1, 6);
    assert_in_range(atomic_load(&granted), 7, UINT64_MAX); /* It was used again. */
    assert_int_equal(atomic_load(&shared_quota.instances), 0);
    assert_int_equal(atomic_load(&shared_quota.memory_bytes), 0);
    for (int i = 0; i < 6; i++)
        assert_int_equal(sw_quota_reserve(&shared_quota, 5), SW_QUOTA_TAKEN);
    assert_int_equal(sw_quota_reserve(&shared_quota, 5), SW_QUOTA_NO_MEMORY);
    assert_true(sw_quota_take_message(&shared_quota, &turn, 1, &room_ns));
    sw_quota_done(&shared_quota);
}

/* --- Who is pushed back while Pods end ------------------------------------------------------- */

static void *push_back(void *ctx)
{
    sw_throttle_note(actors.workers[0], ctx, SW_FRAME_LIMIT_QUOTA_MESSAGES);
    return NULL;
}

/* A Pod of the Agent ends on another worker, and has the lock, while this one wants to note. */
static void who_is_noted_while_a_pod_ends_is_in_the_list_once(void **state)
{
    struct sw_accounts *accounts = &actors.shared.accounts;
    uint64_t number = 1;
    struct sw_pod *pod = sw_map_find(actors.workers[0]->pods, &number, sizeof number);
    struct sw_throttle *throttle;
    pthread_t thread;

    (void)state;
    if (pod == NULL)
        pod = sw_map_find(actors.workers[1]->pods, &number, sizeof number);
    throttle = &pod->account->throttle;
    pthread_mutex_lock(&accounts->mutex);
    assert_int_equal(pthread_create(&thread, NULL, push_back, pod), 0);
    while (atomic_load(&throttle->counts[SW_FRAME_LIMIT_QUOTA_MESSAGES]) == 0)
        continue;
    assert_int_equal(usleep(20000), 0); /* It waits for the lock by now. */
    sw_throttle_end(actors.workers[1], pod->account);
    pthread_mutex_unlock(&accounts->mutex);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(atomic_load(&throttle->is_listed));
    assert_ptr_equal(accounts->throttled.next, &throttle->node);
    assert_ptr_equal(accounts->throttled.previous, &throttle->node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down_unbroken)
        TEST(one_instance_too_many_is_not_made),
        TEST(what_an_instance_sends_beyond_it_is_a_dead_letter),
        TEST(memory_counts_as_instances_may_have_it),
        TEST(what_is_freed_can_be_used_again),
        TEST(a_lowered_quota_takes_nothing_and_admits_nothing),
        TEST(what_is_being_written_when_a_bound_comes_is_told),
        TEST(what_is_beyond_a_part_is_told_until_it_is_gone),
        TEST(what_was_recovered_counts),
        TEST(replicas_come_when_there_is_room),
        TEST(messages_beyond_it_are_pushed_back),
        TEST(senders_are_pushed_back_and_that_is_recorded),
        TEST(each_push_is_told_with_its_limit),
        TEST(a_receiver_at_its_own_limit_is_told_of),
        TEST(who_sleeps_counts_and_is_let_in_again),
        TEST(what_memory_may_grow_to_was_reserved),
        TEST(who_is_noted_while_a_pod_ends_is_in_the_list_once),
        cmocka_unit_test(no_interleaving_passes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
