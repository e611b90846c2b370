/* A worker whose loop other strands run while a long segment is set aside; for test_overtake*.c. */
#pragma once
#include "pkg/agent/runtime/actor/capture.h"
#include "pkg/agent/runtime/actor/slots.h"
#include "pkg/agent/runtime/actor/state.h"
#include "pkg/utils/strands/strands.h"
#include "test/support/actors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define LONG_NS "2000000" /* More than a quantum. */
#define LONG "pass " LONG_NS " 1;"
#define FOREVER "pass " LONG_NS " 10;"

static struct actors actors;
static struct sw_strands *strands;
static unsigned rounds;                   /* Of the loop beside a segment. */
static void (*meanwhile)(unsigned round); /* NULL: nothing. */

/* --- The loop of a worker, as another strand runs it ------------------------------------------ */

static inline void let_out(void)
{
    assert_int_equal(sw_journal_commit(actors.shared.journal, NULL), SW_OK);
    (void)actors_release(&actors);
}

/* One round of the loop. True: there may be more to do. */
static inline bool step(void)
{
    bool is_passing = actors.workers[0]->passing.count > 0;

    if (is_passing && meanwhile != NULL)
        meanwhile(rounds);
    rounds += is_passing;
    return sw_worker_run(actors.workers[0], 1) > 0 || actors_carry(&actors, 0);
}

static inline void loop(void *ctx)
{
    (void)ctx;
    while (!sw_strands_is_replaced(strands)) {
        (void)step();
        if (!sw_strands_is_replaced(strands))
            let_out();
    }
}

/* Run all until it is quiet. The thread of the test runs the loop whenever it has what it had left.
 */
static inline void settle(void)
{
    do {
        while (step()) {
            if (sw_strands_is_replaced(strands))
                sw_strands_reclaim(strands);
            if (actors.workers[0]->passing.count > 0)
                let_out();
        }
        assert_int_equal(sw_journal_commit(actors.shared.journal, NULL), SW_OK);
    } while (actors_release(&actors) > 0);
}

static inline const char *ask(uint64_t pod, const char *key, const char *body)
{
    uint64_t request = actors_send(&actors, pod, key, body);

    settle();
    return actors_reply(&actors, request)->body;
}

static inline void use_strands(void)
{
    actors.workers[0]->options.strands = strands;
    actors.engines[0].clock_ns = &actors.disk.now_ns;
    actors.engines[0].entry_ns = 1000;
}

static inline void open_pods(void)
{
    use_strands();
    actors_open(&actors, &(struct actors_pod){.number = 1, .agent = "long", .is_keyed = true});
    actors_open(&actors, &(struct actors_pod){.number = 2, .agent = "quick", .is_keyed = true});
    actors_open(&actors, &(struct actors_pod){.number = 3, .agent = "other", .is_keyed = true});
    settle();
}

static inline int set_up(void **state)
{
    (void)state;
    rounds = 0;
    meanwhile = NULL;
    strands = sw_strands_new(loop, NULL, 16);
    assert_non_null(strands);
    sw_strands_adopt(strands);
    actors_init(&actors, 1, 1);
    open_pods();
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    assert_true(sw_strands_join(strands));
    sw_strands_free(strands);
    assert_int_equal(actors.workers[0]->passing.count, 0);
    assert_null(actors.workers[0]->passing.items);
    assert_int_equal(actors.early, 0);
    actors_done(&actors);
    return 0;
}

static inline long long field_of(uint64_t pod, const char *key, const char *name)
{
    const char *words = ask(pod, key, "get"), *at = strstr(words, name);

    if (at == NULL)
        fail_msg("%s; %s: %s", words, actors.last_event, actors.last_words);
    return strtoll(at + strlen(name) + 1, NULL, 10);
}

static inline void restart(void)
{
    assert_int_equal(actors_restart(&actors, false), SW_OK);
    open_pods();
}

static inline struct sw_instance *instance_of(uint64_t pod, const char *key)
{
    const struct sw_pod *found = sw_map_find(actors.workers[0]->pods, &pod, sizeof pod);

    return sw_map_find(found->instances, key, strlen(key));
}

static uint64_t first;
static bool has_seen;

static struct disk kept;

/* A clean stop: what is passed is left as it is, and handled by the next host. */
static inline void stop_cleanly(unsigned round)
{
    struct sw_snapshot_options options = {
        .shared = &actors.shared, .workers = actors.workers, .count = 1, .is_forced = true};
    struct sw_err err = {0};

    if (round != 3)
        return;
    actors_rest(&actors);
    assert_int_equal(sw_journal_commit(actors.shared.journal, NULL), SW_OK);
    if (sw_snapshot_take(&options, &err) != SW_OK)
        fail_msg("%s", err.message);
    disk_copy(&actors.disk, &kept);
    has_seen = true;
}

/* As many strands as a worker can make use of. */
static inline void have_all_strands(void)
{
    assert_true(sw_strands_join(strands));
    sw_strands_free(strands);
    strands = sw_strands_new(loop, NULL, SW_WORKER_STRANDS);
    sw_strands_adopt(strands);
    use_strands();
}

/* The host dies, and the next one finds the disk as it was kept. */
static inline void die_as_kept(void)
{
    actors_kill(&actors);
    disk_copy(&kept, &actors.disk);
    disk_done(&kept);
    assert_int_equal(actors_start(&actors, 1), SW_OK);
    open_pods();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
