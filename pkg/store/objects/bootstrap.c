#include "pkg/store/objects/plan.h"
#include "pkg/store/objects/state.h"

struct bootstrap {
    struct sw_arena *arena; /* Holds this too. */
    sw_object_done *done;
    void *ctx;
};

static enum sw_rc add_missing(struct sw_plan *plan, struct sw_objects *objects,
                              const char *kind_name, struct sw_arena *arena, struct sw_err *err)
{
    const struct sw_kind *kind = sw_kind_find(kind_name);
    char key[SW_OBJECT_KEY_MAX];

    sw_object_key(kind, "", SW_OBJECT_NAME_DEFAULT, key);
    if (sw_store_find(objects->store, key) != NULL)
        return SW_OK;
    void *object = sw_object_new(kind, arena);
    if (object == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to begin with");
    sw_object_meta(object)->name = SW_OBJECT_NAME_DEFAULT;
    return sw_plan_create(plan, kind, object, err);
}

static void on_done(void *ctx, enum sw_rc rc, const struct sw_err *err)
{
    struct bootstrap *bootstrap = ctx;
    struct sw_arena *arena = bootstrap->arena;
    const struct sw_object_result result = {.rc = rc, .err = rc == SW_OK ? NULL : err};

    bootstrap->done(bootstrap->ctx, &result);
    sw_arena_free(arena);
}

enum sw_rc sw_objects_bootstrap(struct sw_objects *objects, sw_object_done *done, void *ctx,
                                struct sw_err *err)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(SW_OBJECT_ARENA_MAX);
    struct bootstrap *bootstrap = arena == NULL ? NULL : sw_arena_get(arena, sizeof(*bootstrap));
    struct sw_plan *plan =
        bootstrap == NULL ? NULL
                          : sw_plan_new(objects, &(const struct sw_plan_options){.arena = arena});

    if (plan == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to begin with");
    *bootstrap = (struct bootstrap){.arena = arena, .done = done, .ctx = ctx};
    enum sw_rc rc = add_missing(plan, objects, "Namespace", arena, err);
    if (rc == SW_OK)
        rc = add_missing(plan, objects, "Cluster", arena, err);
    if (rc == SW_OK)
        rc = sw_plan_commit(plan, false, on_done, bootstrap, err);
    if (rc == SW_OK)
        (void)SW_TAKE(arena);
    return rc;
}
