/* labels: threaded */
/* uses: pkg/agent/modules pkg/agent/runtime/wasm pkg/utils/system */
/* timeout: 300 */
/* Handlers of real modules that wait, in a real host that is killed meanwhile. */
#include "test/support/host_process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define MANY 2000u

static struct host_process host;

static int set_up(const char *guest)
{
    host_init(&host, guest);
    /* With one worker a Pod is reachable as soon as it is open; after a restart all know it. */
    assert_true(host_start(&host, 1));
    return 0;
}

static int unwinding(void **state)
{
    (void)state;
    return set_up("test_waiter_unwind");
}

/* Not built for waiting: its turns are lived through again. */
static int reliving(void **state)
{
    (void)state;
    return set_up("test_waiter");
}

static int tear_down(void **state)
{
    (void)state;
    host_done(&host);
    return 0;
}

static void open_waiters(void)
{
    host_open(&host, &(struct host_pod){.number = 1, .agent = "waiter", .is_keyed = true});
}

/* Whoever is asked: until it is opened, questions to it wait. */
static void open_oracle(void)
{
    host_open(&host, &(struct host_pod){.number = 2, .agent = "oracle", .is_keyed = true});
}

static void close_oracle(void)
{
    uint32_t closed = host.pods_closed;

    host_close(&host, 2, false);
    while (host.pods_closed == closed && !host.is_gone)
        host_pump(&host, 10);
}

static uint32_t mix(const uint8_t *bytes, size_t size)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return hash;
}

/* What a handler comes to that asked at depth 0 of its recursion, computed here: the oracle answers
 * with four zeros. */
static uint32_t expected(uint32_t depth, uint32_t seed)
{
    static const uint8_t zeros[4];
    uint32_t deeper;

    if (depth > 0)
        deeper = expected(depth - 1, seed * 31 + depth) * 3;
    else
        deeper = mix(zeros, sizeof zeros) ^ 1500;
    return deeper ^ depth ^ seed ^ (depth ^ seed) ^ 77;
}

static void assert_counts(const char *key, uint32_t turns, uint32_t kept)
{
    struct host_answer *answer = host_ask(&host, "waiter", key, "count");
    uint32_t counts[2];

    assert_non_null(answer);
    assert_int_equal(answer->status, 0);
    assert_int_equal(answer->body.size, sizeof counts);
    memcpy(counts, answer->body.data, sizeof counts);
    assert_int_equal(counts[0], turns);
    assert_int_equal(counts[1], kept);
}

/* All that was sent to this agent before is durable once this is answered. */
static void assert_durable(void)
{
    assert_non_null(host_ask(&host, "waiter", "nobody", "count"));
}

static void an_answer_comes_back_into_the_handler(void **state)
{
    struct host_answer *answer;
    uint32_t number;

    (void)state;
    open_waiters();
    open_oracle();
    answer = host_ask(&host, "waiter", "a", "deep.....");
    assert_non_null(answer);
    assert_int_equal(answer->status, 0);
    assert_int_equal(answer->body.size, sizeof number);
    memcpy(&number, answer->body.data, sizeof number);
    assert_int_equal(number, expected(5, 5));
    assert_counts("a", 2, expected(5, 5));
}

static void a_handler_that_waits_survives_a_kill(void **state)
{
    (void)state;
    open_waiters();
    open_oracle();
    close_oracle();
    (void)host_send(&host, "waiter", "a", "deep.....", true);
    (void)host_send(&host, "waiter", "b", "sleep", true);
    assert_durable();
    assert_int_equal(host_kill(&host), -SIGKILL);
    assert_true(host_start(&host, 2));
    open_waiters();
    assert_counts("b", 2, 0); /* Answered when it has slept. */
    open_oracle();
    assert_counts("a", 2, expected(5, 5));
    assert_int_equal(host_kill(&host), -SIGKILL);
    assert_true(host_start(&host, 1));
    open_waiters();
    open_oracle();
    assert_counts("a", 3, expected(5, 5));
    assert_int_equal(host.events, 0);
}

static void a_handler_that_waits_is_in_a_snapshot(void **state)
{
    (void)state;
    open_waiters();
    open_oracle();
    close_oracle();
    (void)host_send(&host, "waiter", "a", "deep.....", true);
    (void)host_send(&host, "waiter", "b", "sleep", true);
    assert_durable();
    assert_true(host_stop(&host));
    assert_true(host_start(&host, 2));
    open_oracle();
    open_waiters();
    assert_counts("a", 2, expected(5, 5));
    assert_counts("b", 2, 0);
    assert_int_equal(host.events, 0);
}

static void a_trap_after_a_wait_keeps_what_was_before(void **state)
{
    struct host_answer *answer;

    (void)state;
    open_waiters();
    open_oracle();
    answer = host_ask(&host, "waiter", "a", "trap after");
    assert_non_null(answer);
    assert_int_equal(answer->status, SW_E_INTERNAL);
    assert_string_equal(host.last_event, "Trapped");
    assert_counts("a", 102, 0);
    for (int i = 0; i < 40; i++) { /* The stack of the turn that failed is not lost. */
        answer = host_ask(&host, "waiter", "a", "trap after");
        assert_non_null(answer);
        assert_int_equal(answer->status, SW_E_INTERNAL);
    }
    assert_int_equal(host_kill(&host), -SIGKILL);
    assert_true(host_start(&host, 2));
    open_waiters();
    assert_counts("a", 102 + 40 * 101 + 1, 0);
}

static void each_of_many_goes_on_once(void **state)
{
    char key[16], command[64];

    (void)state;
    open_waiters();
    open_oracle();
    close_oracle();
    for (uint32_t i = 0; i < MANY; i++) {
        memset(command, 0, sizeof command);
        strcpy(command, "deep");
        memset(command + 4, '.', i % 40);
        snprintf(key, sizeof key, "%u", i);
        (void)host_send(&host, "waiter", key, command, true);
        host_pump(&host, 0);
    }
    assert_durable();
    assert_int_equal(host_kill(&host), -SIGKILL);
    assert_true(host_start(&host, 2));
    assert_int_equal(host.ready_instances, MANY + 1);
    open_waiters();
    open_oracle();
    for (uint32_t i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "%u", (i * 7919) % MANY);
        assert_counts(key, 2, expected((i * 7919) % MANY % 40, 5));
    }
    assert_int_equal(host.events, 0);
}

static void put_result(const struct sw_frame_call_name *name, uint64_t pod, const char *body)
{
    struct sw_frame frame = {.kind = SW_FRAME_CALL_RESULT,
                             .call_result = {.name = *name,
                                             .pod = pod,
                                             .service = host_text("swarm.delay"),
                                             .type = host_text("text/plain"),
                                             .body = host_text(body)}};

    sw_frame_put(&frame, &host.out);
}

static void wait_call(uint32_t count)
{
    for (int waited = 0; host.calls < count && !host.is_gone && waited < HOST_WAIT_MS; waited += 10)
        host_pump(&host, 10);
    assert_int_equal(host.calls, count);
}

static void only_the_result_of_the_call_is_taken(void **state)
{
    struct sw_frame_call_name wrong;
    struct host_answer *answer;
    uint64_t request;

    (void)state;
    open_waiters();
    request = host_send(&host, "waiter", "a", "outside", true);
    wait_call(1);
    wrong = host.call;
    wrong.incarnation++;
    put_result(&wrong, host.call_pod, "of another host");
    wrong = host.call;
    wrong.number++;
    put_result(&wrong, host.call_pod, "of another call");
    wrong = host.call;
    wrong.instance += 256;
    put_result(&wrong, host.call_pod, "of another instance");
    put_result(&host.call, 999999, "by way of a Pod that there never was");
    assert_durable();
    answer = host_answer(&host, request);
    assert_false(answer->is_there);
    put_result(&host.call, host.call_pod, "right");
    put_result(&host.call, host.call_pod, "right, but late");
    assert_true(host_wait(&host, &answer->is_there));
    assert_int_equal(answer->status, 0);
    assert_int_equal(answer->body.size, 5);
    assert_memory_equal(answer->body.data, "right", 5);
    assert_int_equal(host.events, 0);
}

static void a_call_is_made_again_after_a_kill(void **state)
{
    struct sw_frame_call_name first;

    (void)state;
    open_waiters();
    (void)host_send(&host, "waiter", "a", "outside", true);
    wait_call(1);
    first = host.call;
    put_result(&first, host.call_pod, "lost"); /* Perhaps it arrives, perhaps it does not. */
    assert_int_equal(host_kill(&host), -SIGKILL);
    assert_true(host_start(&host, 2));
    open_waiters();
    wait_call(2);
    assert_memory_equal(&host.call, &first, sizeof first);
    put_result(&host.call, host.call_pod, "right");
    assert_counts("a", 2, 0); /* Answered when its call is over. */
    assert_int_equal(host.ends, 1);
    assert_int_equal(host_kill(&host), -SIGKILL);
    assert_true(host_start(&host, 1));
    open_waiters();
    assert_counts("a", 3, 0);
    assert_int_equal(host.calls, 2);
    assert_int_equal(host.events, 0);
}

int main(void)
{
#define TESTS(name)                                                                                \
    cmocka_unit_test_setup_teardown(name, unwinding, tear_down),                                   \
        cmocka_unit_test_setup_teardown(name, reliving, tear_down)
    const struct CMUnitTest tests[] = {
        TESTS(an_answer_comes_back_into_the_handler),
        TESTS(a_handler_that_waits_survives_a_kill),
        TESTS(a_handler_that_waits_is_in_a_snapshot),
        TESTS(a_trap_after_a_wait_keeps_what_was_before),
        TESTS(each_of_many_goes_on_once),
        TESTS(only_the_result_of_the_call_is_taken),
        TESTS(a_call_is_made_again_after_a_kill),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
