/* labels: kill threaded */
/* timeout: 300 */
/* serial: yes */
/* uses: pkg/agent/modules pkg/agent/runtime/wasm pkg/utils/system */
#include "test/support/host_process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <time.h>

#define ROUNDS 14
#define WINDOW 48
#define NUMBERS 16384

/* What this test knows of each number that it sent. */
enum fate { UNSENT, SENT, ACKNOWLEDGED };

static struct host_process host;
static enum fate put_fate[NUMBERS], relay_fate[NUMBERS];
static uint64_t put_request[NUMBERS], relay_request[NUMBERS];
static unsigned random_state;

static unsigned next_random(unsigned below)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % below;
}

static void open_pods(void)
{
    for (unsigned i = 0; i < 2; i++)
        host_open(&host,
                  &(struct host_pod){
                      .number = 1 + i, .agent = "ledger", .is_keyed = true, .part = i, .parts = 2});
}

static void take_answers(unsigned sent)
{
    for (unsigned i = 0; i < sent; i++) {
        if (put_fate[i] == SENT && host_answer(&host, put_request[i])->is_there &&
            host_answer(&host, put_request[i])->status == 0)
            put_fate[i] = ACKNOWLEDGED;
        if (relay_fate[i] == SENT && host_answer(&host, relay_request[i])->is_there &&
            host_answer(&host, relay_request[i])->status == 0)
            relay_fate[i] = ACKNOWLEDGED;
    }
}

/* Send numbers from `sent` on for a random while, then kill the host in the middle of it. */
static unsigned send_until_killed(unsigned sent)
{
    unsigned rounds = 2 + next_random(60), first = sent;

    for (unsigned i = 0; i < rounds; i++) {
        unsigned count = 1 + next_random(WINDOW);

        for (; count > 0 && sent < NUMBERS; count--, sent++) {
            char body[40];

            snprintf(body, sizeof body, "put %u", sent);
            put_request[sent] = host_send(&host, "ledger", "direct", body, false);
            put_fate[sent] = SENT;
            snprintf(body, sizeof body, "relay target %u", sent);
            relay_request[sent] = host_send(&host, "ledger", "source", body, false);
            relay_fate[sent] = SENT;
        }
        host_pump(&host, (int)next_random(3));
    }
    /* In every other round something is acknowledged, however slow the machine is. */
    if (next_random(2) == 0)
        while (sent > first && !host_answer(&host, put_request[first])->is_there)
            host_pump(&host, 10);
    take_answers(sent);
    assert_int_equal(host_kill(&host), -SIGKILL);
    return sent;
}

/* Each acknowledged number was handled exactly once, each other one at most once. */
static void check(const char *key, const enum fate *fate, unsigned sent)
{
    struct host_answer *answer = host_ask(&host, "ledger", key, "dump");

    assert_non_null(answer);
    assert_int_equal(answer->body.size, NUMBERS);
    for (unsigned i = 0; i < sent; i++) {
        unsigned count = answer->body.data[i];

        if (count > 1 || (fate[i] == ACKNOWLEDGED && count != 1))
            fail_msg("number %u at %s was handled %u times (%s)", i, key, count,
                     fate[i] == ACKNOWLEDGED ? "acknowledged" : "not acknowledged");
    }
}

/* Until both instances stand still: what was sent between them has arrived. */
static void wait_for_rest(void)
{
    struct host_answer *answer;

    /* The answer of the source comes after all of its sends were handed over, that of the target
     * after those that were there before. */
    answer = host_ask(&host, "ledger", "source", "sum");
    assert_non_null(answer);
    answer = host_ask(&host, "ledger", "target", "sum");
    assert_non_null(answer);
}

static void no_acknowledged_message_is_lost_or_handled_twice(void **state)
{
    unsigned sent = 0, acknowledged = 0;

    (void)state;
    random_state = (unsigned)time(NULL);
    print_message("seed %u\n", random_state);
    host_init(&host, "test_ledger");
    for (int round = 0; round < ROUNDS; round++) {
        assert_true(host_start(&host, 2));
        open_pods();
        wait_for_rest();
        check("direct", put_fate, sent);
        check("target", relay_fate, sent);
        sent = send_until_killed(sent);
    }
    assert_true(host_start(&host, 2));
    open_pods();
    wait_for_rest();
    check("direct", put_fate, sent);
    check("target", relay_fate, sent);
    for (unsigned i = 0; i < sent; i++)
        acknowledged += put_fate[i] == ACKNOWLEDGED;
    print_message("%u sent, %u acknowledged\n", sent, acknowledged);
    assert_true(acknowledged > 0);
    assert_true(host_stop(&host));
    assert_true(host_start(&host, 2));
    open_pods();
    check("direct", put_fate, sent);
    check("target", relay_fate, sent);
    host_done(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_acknowledged_message_is_lost_or_handled_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
