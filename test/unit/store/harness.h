/* A loop of posted calls and a store on it, for tests of stores and of what stands above them.
 *
 * The test's thread is the loop's thread: harness_wait runs posted calls until something holds.
 * `open` and `close` of struct harness are the backend's. */
#pragma once
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "pkg/store/store.h"

#define HARNESS_CALLS_MAX 1024

struct harness {
    struct sw_store *store;
    struct sw_store_limits limits;
    enum sw_rc (*open)(struct harness *harness, struct sw_err *err);
    void (*remove)(struct harness *harness); /* What the backend left on disk. */
    char folder[64];
    int fatals; /* Times that on_fatal ran. */
    struct sw_err fatal;

    pthread_mutex_t mutex; /* Guards the calls. */
    pthread_cond_t arrived;
    struct {
        void (*call)(void *argument);
        void *argument;
    } calls[HARNESS_CALLS_MAX];
    size_t begin, end;
};

static inline enum sw_rc harness_post(void *ctx, void (*call)(void *argument), void *argument)
{
    struct harness *harness = ctx;

    pthread_mutex_lock(&harness->mutex);
    assert_true(harness->end - harness->begin < HARNESS_CALLS_MAX);
    harness->calls[harness->end % HARNESS_CALLS_MAX].call = call;
    harness->calls[harness->end++ % HARNESS_CALLS_MAX].argument = argument;
    pthread_cond_signal(&harness->arrived);
    pthread_mutex_unlock(&harness->mutex);
    return SW_OK;
}

/* Run the next posted call, waiting for it for up to 20 s; false when none comes. */
static inline bool harness_step(struct harness *harness, bool is_waiting)
{
    struct timespec deadline;
    int late = 0;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 20;
    pthread_mutex_lock(&harness->mutex);
    while (is_waiting && harness->begin == harness->end && late == 0)
        late = pthread_cond_timedwait(&harness->arrived, &harness->mutex, &deadline);
    if (harness->begin == harness->end) {
        pthread_mutex_unlock(&harness->mutex);
        return false;
    }
    size_t at = harness->begin++ % HARNESS_CALLS_MAX;
    void (*call)(void *) = harness->calls[at].call;
    void *argument = harness->calls[at].argument;
    pthread_mutex_unlock(&harness->mutex);
    call(argument);
    return true;
}

/* Run posted calls until *value is at least wanted. */
static inline void harness_wait(struct harness *harness, const int *value, int wanted)
{
    while (*value < wanted)
        assert_true(harness_step(harness, true));
}

static inline void harness_on_fatal(void *ctx, const struct sw_err *err)
{
    struct harness *harness = ctx;

    harness->fatals++;
    harness->fatal = *err;
}

static inline void harness_open(struct harness *harness)
{
    struct sw_err err = {0};
    enum sw_rc rc = harness->open(harness, &err);

    if (rc != SW_OK)
        fail_msg("open: %s: %s", sw_rc_name(rc), err.message);
}

static inline void harness_close(struct harness *harness)
{
    sw_store_free(harness->store);
    harness->store = NULL;
    while (harness_step(harness, false))
        ;
}

/* A harness whose store is not open yet. */
static inline struct harness *harness_new(enum sw_rc (*open)(struct harness *, struct sw_err *),
                                          void (*remove_all)(struct harness *))
{
    struct harness *harness = calloc(1, sizeof(*harness));

    assert_non_null(harness);
    harness->open = open;
    harness->remove = remove_all;
    harness->limits = SW_STORE_LIMITS_DEFAULT;
    pthread_mutex_init(&harness->mutex, NULL);
    pthread_cond_init(&harness->arrived, NULL);
    return harness;
}

static inline void harness_free(struct harness *harness)
{
    harness_close(harness);
    if (harness->remove != NULL)
        harness->remove(harness);
    pthread_mutex_destroy(&harness->mutex);
    pthread_cond_destroy(&harness->arrived);
    free(harness);
}

/* --- Transactions of one operation, waited for -------------------------------------------------
 */

struct harness_result {
    int count; /* Times that done ran. */
    struct sw_store_result result;
};

static inline void harness_done(void *ctx, const struct sw_store_result *result)
{
    struct harness_result *got = ctx;

    got->count++;
    got->result = *result;
}

static inline struct sw_store_op harness_put_op(const char *key, const char *value)
{
    return (struct sw_store_op){
        .action = SW_STORE_PUT, .key = key, .value = {.data = value, .size = strlen(value)}};
}

static inline struct sw_store_result harness_commit(struct harness *harness,
                                                    const struct sw_store_op *ops, size_t count)
{
    struct harness_result got = {0};
    struct sw_store_txn txn = {.ops = ops, .count = count};
    struct sw_err err = {0};

    enum sw_rc rc = sw_store_commit(harness->store, &txn, harness_done, &got, &err);
    if (rc != SW_OK)
        fail_msg("commit: %s", err.message);
    harness_wait(harness, &got.count, 1);
    return got.result;
}

static inline uint64_t harness_put(struct harness *harness, const char *key, const char *value)
{
    struct sw_store_op op = harness_put_op(key, value);
    struct sw_store_result result = harness_commit(harness, &op, 1);

    assert_int_equal(result.rc, SW_OK);
    return result.revision;
}

static inline uint64_t harness_delete(struct harness *harness, const char *key)
{
    struct sw_store_op op = {.action = SW_STORE_DELETE, .key = key};
    struct sw_store_result result = harness_commit(harness, &op, 1);

    assert_int_equal(result.rc, SW_OK);
    return result.revision;
}

/* The value under a key as text, or NULL; valid until the next call. */
static inline const char *harness_get(struct harness *harness, const char *key)
{
    static char text[256];
    const struct sw_store_item *item = sw_store_find(harness->store, key);

    if (item == NULL)
        return NULL;
    assert_true(item->value.size < sizeof(text));
    memcpy(text, item->value.data, item->value.size);
    text[item->value.size] = '\0';
    return text;
}
