#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/store/objects/plan.h"
#include "pkg/store/objects/state.h"

#define ATTEMPTS_MAX 8 /* Somebody who is always quicker wins in the end. */

typedef enum sw_rc plan_step(struct sw_plan *plan, const struct sw_kind *kind, void *object,
                             struct sw_err *err);

struct call {
    plan_step *step;
    sw_object_done *done;
    void *ctx;
};

struct write { /* One call of a sw_objects_* function until its done has run. */
    struct sw_objects *objects;
    struct sw_arena *arena; /* Holds this too. */
    const struct sw_kind *kind;
    struct call call;
    const void *wanted; /* As the caller gave it. */
    const char *actor;
    bool is_dry_run;
    int attempts;
    struct sw_plan *plan; /* Of this attempt, as the next. */
    void *object;
};

static void on_done(void *ctx, enum sw_rc rc, const struct sw_err *err);

/* Plan from what is there now and commit. options says where mistakes go. */
static enum sw_rc attempt(struct write *write, const struct sw_plan_options *options,
                          struct sw_err *err)
{
    write->attempts++;
    write->plan = sw_plan_new(write->objects, options);
    write->object = sw_object_copy(write->kind, write->wanted, write->arena);
    if (write->plan == NULL || write->object == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory is left for this request");
    enum sw_rc rc = write->call.step(write->plan, write->kind, write->object, err);
    return rc == SW_OK ? sw_plan_commit(write->plan, write->is_dry_run, on_done, write, err) : rc;
}

static void finish(struct write *write, enum sw_rc rc, const struct sw_err *err)
{
    struct sw_arena *arena = write->arena;
    struct sw_object_result result = {.rc = rc, .kind = write->kind};

    if (rc == SW_OK) {
        result.object = write->object;
        result.is_created = sw_plan_creates(write->plan, write->object);
        result.is_gone = sw_plan_removes(write->plan, write->object);
    } else {
        result.err = err;
    }
    write->call.done(write->call.ctx, &result);
    sw_arena_free(arena);
}

/* Somebody else was quicker. What was read for the plan is old then, and planning anew either
 * succeeds or says exactly what is wrong. */
static bool is_worth_repeating(const struct write *write, enum sw_rc rc)
{
    if (write->attempts >= ATTEMPTS_MAX)
        return false;
    return rc == SW_E_CONFLICT || rc == SW_E_NOT_FOUND ||
           (rc == SW_E_EXISTS && write->call.step == sw_plan_apply);
}

static void on_done(void *ctx, enum sw_rc rc, const struct sw_err *err)
{
    struct write *write = ctx;
    struct sw_err again = {0};

    if (!is_worth_repeating(write, rc)) {
        finish(write, rc, err);
        return;
    }
    const struct sw_plan_options options = {.arena = write->arena, .actor = write->actor};
    rc = attempt(write, &options, &again);
    if (rc != SW_OK)
        finish(write, rc, &again);
}

static enum sw_rc start(struct sw_objects *objects, const struct sw_object_write *wanted,
                        const struct call *call, struct sw_err *err)
{
    assert(wanted->kind != NULL && wanted->object != NULL && call->done != NULL);
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(SW_OBJECT_ARENA_MAX);
    struct write *write = arena == NULL ? NULL : sw_arena_get(arena, sizeof(*write));

    if (write == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for this request");
    write->objects = objects;
    write->arena = arena;
    write->kind = wanted->kind;
    write->call = *call;
    write->is_dry_run = wanted->is_dry_run;
    if (wanted->kind->message == &sw_api_secret_message)
        sw_arena_set_secret(arena);
    if (wanted->actor != NULL) {
        write->actor = sw_arena_copy(arena, wanted->actor, strlen(wanted->actor));
        if (write->actor == NULL)
            return sw_err_set(err, SW_E_EXHAUSTED, "no memory for this request");
    }
    write->wanted = sw_object_copy(wanted->kind, wanted->object, arena);
    if (write->wanted == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for this request");
    const struct sw_plan_options options = {.arena = arena,
                                            .problems = wanted->problems,
                                            .tree = wanted->tree,
                                            .file = wanted->file,
                                            .actor = write->actor};
    enum sw_rc rc = attempt(write, &options, err);
    if (rc == SW_OK)
        (void)SW_TAKE(arena);
    return rc;
}

enum sw_rc sw_objects_create(struct sw_objects *objects, const struct sw_object_write *write,
                             sw_object_done *done, void *ctx, struct sw_err *err)
{
    return start(objects, write, &(struct call){sw_plan_create, done, ctx}, err);
}

enum sw_rc sw_objects_update(struct sw_objects *objects, const struct sw_object_write *write,
                             sw_object_done *done, void *ctx, struct sw_err *err)
{
    return start(objects, write, &(struct call){sw_plan_update, done, ctx}, err);
}

enum sw_rc sw_objects_update_status(struct sw_objects *objects, const struct sw_object_write *write,
                                    sw_object_done *done, void *ctx, struct sw_err *err)
{
    return start(objects, write, &(struct call){sw_plan_update_status, done, ctx}, err);
}

enum sw_rc sw_objects_apply(struct sw_objects *objects, const struct sw_object_write *write,
                            sw_object_done *done, void *ctx, struct sw_err *err)
{
    return start(objects, write, &(struct call){sw_plan_apply, done, ctx}, err);
}

enum sw_rc sw_objects_delete(struct sw_objects *objects, const struct sw_object_write *write,
                             sw_object_done *done, void *ctx, struct sw_err *err)
{
    return start(objects, write, &(struct call){sw_plan_delete, done, ctx}, err);
}
