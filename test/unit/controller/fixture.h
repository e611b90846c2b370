/* Controllers on a real loop and a real store in a folder of its own, and waiting for what they do.
 *
 * The fixture watches Agents and Pods; `until` runs the loop until a condition holds, looked at
 * after every change, and fails the test after 20 s without it. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pkg/apis/swarm/v1/json.h"
#include "pkg/client/informers/informer.h"
#include "pkg/store/objects/objects.h"
#include "pkg/store/sqlite/sqlite.h"
#include "pkg/utils/logger/logger.h"
#include "pkg/utils/loop/loop.h"

#define FIXTURE_WAIT_MS 20000
#define FIXTURE_DIGEST "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

struct fixture;
typedef bool fixture_condition(struct fixture *fixture);

struct fixture {
    char folder[64];
    struct sw_loop *loop;
    struct sw_store *store;
    struct sw_objects *objects;
    struct sw_logger logger;
    struct sw_arena *arena; /* For all that a test reads and makes. */
    struct sw_informer *watchers[3];
    struct sw_timer *guard;
    fixture_condition *condition; /* What `until` waits for. */
    bool is_late, is_done;
    enum sw_rc rc; /* Of the last write. */
    void (*on_change)(struct fixture *fixture, const struct sw_informer_change *change);
    void *ctx; /* The test's own. */
};

static inline enum sw_rc fixture_post(void *ctx, void (*call)(void *argument), void *argument)
{
    return sw_loop_post(ctx, call, argument);
}

static inline void fixture_on_fatal(void *ctx, const struct sw_err *err)
{
    (void)ctx;
    fail_msg("the store failed: %s", err->message);
}

static inline void fixture_on_late(void *ctx)
{
    struct fixture *fixture = ctx;

    fixture->is_late = true;
    sw_loop_stop(fixture->loop);
}

static inline void fixture_look(struct fixture *fixture)
{
    if (fixture->condition != NULL && fixture->condition(fixture))
        sw_loop_stop(fixture->loop);
}

static inline void fixture_on_change(void *ctx, const struct sw_informer_change *change)
{
    struct fixture *fixture = ctx;

    if (fixture->on_change != NULL)
        fixture->on_change(fixture, change);
    fixture_look(fixture);
}

/* Run the loop until the condition holds. */
static inline void until(struct fixture *fixture, fixture_condition *condition)
{
    if (condition(fixture))
        return;
    fixture->condition = condition;
    fixture->is_late = false;
    sw_timer_start(fixture->guard, FIXTURE_WAIT_MS);
    sw_loop_run(fixture->loop);
    sw_timer_stop(fixture->guard);
    fixture->condition = NULL;
    assert_false(fixture->is_late);
}

static inline bool fixture_is_done(struct fixture *fixture)
{
    return fixture->is_done;
}

static inline void fixture_note(void *ctx, const struct sw_object_result *result)
{
    struct fixture *fixture = ctx;

    fixture->rc = result->rc;
    fixture->is_done = true;
    fixture_look(fixture);
}

typedef enum sw_rc fixture_write(struct sw_objects *objects, const struct sw_object_write *write,
                                 sw_object_done *done, void *ctx, struct sw_err *err);

/* Run one write to its end; it must succeed. */
static inline void must(struct fixture *fixture, fixture_write *call, const void *object)
{
    struct sw_object_write write = {.kind = sw_object_kind(object), .object = object};
    struct sw_err err = {0};

    fixture->is_done = false;
    if (call(fixture->objects, &write, fixture_note, fixture, &err) != SW_OK)
        fail_msg("%s %s", err.field, err.message);
    until(fixture, fixture_is_done);
    assert_int_equal(fixture->rc, SW_OK);
}

static inline void *make(struct fixture *fixture, const char *kind, const char *json)
{
    struct sw_problems problems = sw_problems_of(fixture->arena);
    struct sw_bind_options bind = {.arena = fixture->arena, .problems = &problems, .file = ""};
    void *object = NULL;

    if (sw_object_decode_json(sw_kind_find(kind), (struct sw_bytes){json, strlen(json)}, &bind,
                              &object) != SW_OK)
        fail_msg("%s: %s", problems.items[0].field, problems.items[0].message);
    return object;
}

/* The stored object of the default namespace (or of none), or NULL. */
static inline void *read_object(struct fixture *fixture, const char *kind_name, const char *name)
{
    const struct sw_kind *kind = sw_kind_find(kind_name);
    void *object = NULL;

    if (sw_objects_get(
            fixture->objects,
            &(const struct sw_object_ref){kind, kind->is_namespaced ? "default" : "", name},
            fixture->arena, &object, NULL) != SW_OK)
        return NULL;
    return object;
}

static inline void fixture_note_commit(void *ctx, const struct sw_store_result *result)
{
    fixture_note(ctx, &(const struct sw_object_result){.rc = result->rc});
}

/* Store what is no object under a key. Who reads it fails: a controller that goes on has not looked
 * at it, however it was asked to. */
static inline void put_unreadable(struct fixture *fixture, const char *key)
{
    const struct sw_store_op op = {.action = SW_STORE_PUT, .key = key, .value = {"\xff", 1}};
    const struct sw_store_txn txn = {.ops = &op, .count = 1};

    fixture->is_done = false;
    assert_int_equal(sw_store_commit(fixture->store, &txn, fixture_note_commit, fixture, NULL),
                     SW_OK);
    until(fixture, fixture_is_done);
    assert_int_equal(fixture->rc, SW_OK);
}

static inline void fixture_watch(struct fixture *fixture, size_t at, const char *kind)
{
    struct sw_informer_handler handler = {.ctx = fixture, .on_change = fixture_on_change};

    assert_int_equal(sw_informer_new(fixture->objects, sw_kind_find(kind), &handler,
                                     &fixture->watchers[at], NULL),
                     SW_OK);
}

static inline uint64_t fixture_utc_ns(void *ctx)
{
    return sw_system_real()->utc_ns(ctx);
}

static inline int fixture_setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    char path[128];
    struct sw_sqlite_options options = {.system = sw_system_real(),
                                        .path = path,
                                        .post = {.post = fixture_post},
                                        .on_fatal = fixture_on_fatal};

    (void)strcpy(fixture->folder, "/tmp/swarm-controller-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    (void)snprintf(path, sizeof path, "%s/store.db", fixture->folder);
    assert_int_equal(sw_loop_new(&fixture->loop, NULL), SW_OK);
    options.post.ctx = fixture->loop;
    assert_int_equal(sw_sqlite_open(&options, &fixture->store, NULL), SW_OK);
    fixture->objects = sw_objects_new(fixture->store, sw_system_real());
    fixture->arena = sw_arena_new((size_t)256 << 20);
    fixture->guard = sw_timer_new(fixture->loop, fixture_on_late, fixture);
    fixture->logger =
        (struct sw_logger){.file = 2, .level = SW_LOG_ERROR, .utc_ns = fixture_utc_ns};
    fixture_watch(fixture, 0, "Agent");
    fixture_watch(fixture, 1, "Pod");
    fixture_watch(fixture, 2, "Node");
    assert_int_equal(sw_objects_bootstrap(fixture->objects, fixture_note, fixture, NULL), SW_OK);
    until(fixture, fixture_is_done);
    *state = fixture;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;
    char command[128];

    for (size_t i = 0; i < 3; i++)
        sw_informer_free(fixture->watchers[i]);
    sw_store_free(fixture->store);
    sw_objects_free(fixture->objects);
    sw_timer_free(fixture->guard);
    sw_loop_free(fixture->loop);
    sw_arena_free(fixture->arena);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", fixture->folder);
    free(fixture);
    return system(command);
}
