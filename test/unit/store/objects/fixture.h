/* Objects over a SQLite store, bootstrapped, with helpers that wait for one write. */
#pragma once
#include "pkg/apis/swarm/v1/json.h"
#include "pkg/apis/swarm/v1/protobuf.h"
#include "pkg/store/objects/objects.h"
#include "pkg/store/objects/plan.h"
#include "test/unit/store/sqlite/fixture.h"

#define FIXTURE_DIGEST "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define FIXTURE_MODULE "\"module\":\"" FIXTURE_DIGEST "\""

struct fixture {
    struct harness *harness;
    struct sw_objects *objects;
    struct sw_arena *arena; /* What tests read and make lives here until teardown. */
};

struct written { /* What a write came to. */
    int count;
    enum sw_rc rc;
    bool is_created, is_gone;
    void *object; /* A copy in the fixture's arena, or NULL. */
    struct sw_err err;
    struct sw_arena *arena;
};

static inline void note_written(void *ctx, const struct sw_object_result *result)
{
    struct written *written = ctx;

    written->count++;
    written->rc = result->rc;
    written->is_created = result->is_created;
    written->is_gone = result->is_gone;
    if (result->object != NULL)
        written->object = sw_object_copy(result->kind, result->object, written->arena);
    if (result->err != NULL)
        written->err = *result->err;
}

static inline int fixture_setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct sw_err err = {0};
    void *harness = NULL;

    if (fixture == NULL || sqlite_setup(&harness) != 0)
        return -1;
    fixture->harness = harness;
    fixture->arena = sw_arena_new(64u << 20);
    fixture->objects = sw_objects_new(fixture->harness->store, sw_system_real());
    struct written written = {.arena = fixture->arena};
    if (sw_objects_bootstrap(fixture->objects, note_written, &written, &err) != SW_OK) {
        print_error("bootstrap: %s %s\n", err.message, err.field);
        return -1;
    }
    harness_wait(fixture->harness, &written.count, 1);
    if (written.rc != SW_OK)
        print_error("bootstrap: %s %s\n", written.err.message, written.err.field);
    *state = fixture;
    return written.rc == SW_OK ? 0 : -1;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;

    harness_free(fixture->harness);
    sw_objects_free(fixture->objects);
    sw_arena_free(fixture->arena);
    free(fixture);
    return 0;
}

/* An object of JSON, without defaults. */
static inline void *make(struct fixture *fixture, const char *kind_name, const char *json)
{
    const struct sw_kind *kind = sw_kind_find(kind_name);
    struct sw_problems problems = sw_problems_of(fixture->arena);
    const struct sw_bind_options bind = {
        .arena = fixture->arena, .problems = &problems, .file = ""};
    void *object = NULL;

    enum sw_rc rc = sw_object_decode_json(
        kind, (struct sw_bytes){.data = json, .size = strlen(json)}, &bind, &object);
    if (rc != SW_OK)
        fail_msg("%s: %s", problems.items[0].field, problems.items[0].message);
    return object;
}

typedef enum sw_rc write_call(struct sw_objects *objects, const struct sw_object_write *write,
                              sw_object_done *done, void *ctx, struct sw_err *err);

/* Run one write to its end; errors that come at once are told like the others. */
static inline struct written run(struct fixture *fixture, write_call *call, const void *object)
{
    struct written written = {.arena = fixture->arena};
    const struct sw_object_write write = {.kind = sw_object_kind(object), .object = object};

    enum sw_rc rc = call(fixture->objects, &write, note_written, &written, &written.err);
    if (rc != SW_OK)
        written.rc = rc;
    else
        harness_wait(fixture->harness, &written.count, 1);
    return written;
}

/* Run one write that must succeed; returns what is stored. */
static inline void *must(struct fixture *fixture, write_call *call, const void *object)
{
    struct written written = run(fixture, call, object);

    if (written.rc != SW_OK)
        fail_msg("%s: %s %s", sw_rc_name(written.rc), written.err.message, written.err.field);
    return written.object;
}

static inline void *create(struct fixture *fixture, const char *kind, const char *json)
{
    return must(fixture, sw_objects_create, make(fixture, kind, json));
}

/* The stored object, or NULL. */
static inline void *read_object(struct fixture *fixture, const char *kind, const char *space,
                                const char *name)
{
    struct sw_err err = {0};
    void *object = NULL;

    enum sw_rc rc = sw_objects_get(fixture->objects,
                                   &(const struct sw_object_ref){sw_kind_find(kind), space, name},
                                   fixture->arena, &object, &err);
    if (rc != SW_OK)
        assert_int_equal(rc, SW_E_NOT_FOUND);
    return object;
}
