/* A host of two workers whose instances are asked what they hold; for most of test_*.c here. */
#pragma once
#include "pkg/agent/runtime/actor/snapshot.h"
#include "test/support/actors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct actors actors;

static inline int tear_down(void **state)
{
    (void)state;
    assert_int_equal(actors.early, 0);
    actors_done(&actors);
    return 0;
}

static inline void assert_no_worker_failed(void)
{
    for (uint32_t i = 0; i < actors.count; i++)
        assert_int_equal(sw_worker_failure(actors.workers[i], NULL), SW_OK);
}

/* As tear_down, for units in which no worker may fail. */
static inline int tear_down_unbroken(void **state)
{
    assert_no_worker_failed();
    return tear_down(state);
}

/* Open a/1, b/2 and the volatile v/3, with so many tries of each message (0: one). */
static inline void open_three(uint32_t attempts)
{
    static const char *const agents[] = {"a", "b", "v"};

    for (uint32_t i = 0; i < 3; i++)
        actors_open(&actors, &(struct actors_pod){.number = i + 1,
                                                  .agent = agents[i],
                                                  .is_keyed = true,
                                                  .is_volatile = i == 2,
                                                  .attempts = attempts});
    actors_settle(&actors);
}

/* The process dies, and the power may fail; then there is another one, whose Pods are closed. */
static inline void restart(bool power_fails)
{
    if (actors_restart(&actors, power_fails) != SW_OK)
        fail_msg("restart: %s", actors.failure.message);
}

/* What a clean stop does at last. */
static inline void save_all(void)
{
    struct sw_snapshot_options options = {
        .shared = &actors.shared, .workers = actors.workers, .count = actors.count};

    if (sw_snapshot_take(&options, &actors.failure) != SW_OK)
        fail_msg("snapshot: %s", actors.failure.message);
}

static inline uint64_t send(uint64_t pod, const char *key, const char *body)
{
    uint64_t request = actors_send(&actors, pod, key, body);

    actors_settle(&actors);
    return request;
}

static inline const char *reply_to(uint64_t request)
{
    const struct actors_reply *reply = actors_reply(&actors, request);

    assert_true(reply->is_there);
    return reply->body;
}

static inline void assert_waits(uint64_t request)
{
    assert_false(actors_reply(&actors, request)->is_there);
}

/* The number behind "name=" in the words that "get" answers. */
static inline long long field(const char *words, const char *name)
{
    const char *at = strstr(words, name);

    if (at == NULL)
        fail_msg("no %s in \"%s\"; %s: %s", name, words, actors.last_event, actors.last_words);
    return strtoll(at + strlen(name) + 1, NULL, 10);
}

static inline long long field_of(uint64_t pod, const char *key, const char *name)
{
    return field(actors_ask(&actors, pod, key, "get"), name);
}
