#include "pkg/controller/collector/controller.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/client/informers/informer.h"
#include "pkg/controller/reconciler/reconciler.h"
#include "pkg/utils/base/map.h"

#define DELAY_MS 20 /* What goes with its owner anyway is gone by then. */
#define KINDS_MAX 32

struct followed { /* One kind that is watched. */
    struct sw_garbage_collector *collector;
    const struct sw_kind *kind;
    struct sw_informer *informer;
};

struct sw_garbage_collector {
    struct sw_garbage_collector_options options;
    struct sw_reconciler *reconciler;
    struct followed kinds[KINDS_MAX];
    size_t kinds_count;
    /* Uid of an owner -> struct sw_map, owned, of the store keys of what names it. So nothing has
     * to be looked through when it goes. */
    struct sw_map *dependents;
    uint64_t seed;
    struct sw_arena *scratch, *owners; /* For decoding; reset each time. */
};

/* --- Who is an orphan ----------------------------------------------------------------------------
 */

/* An owner of a kind that is not known, or that cannot be read or found (in which namespace, for an
 * object that has none?), is taken to be there: deleting is what cannot be undone. */
static bool is_alive(struct sw_garbage_collector *collector, const char *space,
                     const struct sw_api_owner_reference *owner)
{
    const struct sw_kind *kind = sw_kind_find(owner->kind);
    struct sw_err ignored = {0};
    void *object = NULL;

    if (kind == NULL || (kind->is_namespaced && space[0] == '\0'))
        return true;
    sw_arena_reset(collector->owners);
    enum sw_rc rc = sw_objects_get(
        collector->options.objects,
        &(const struct sw_object_ref){kind, kind->is_namespaced ? space : "", owner->name},
        collector->owners, &object, &ignored);
    if (rc != SW_OK)
        return rc != SW_E_NOT_FOUND;
    return strcmp(sw_object_meta(object)->uid, owner->uid) == 0;
}

static bool is_orphan(struct sw_garbage_collector *collector, const struct sw_api_object_meta *meta)
{
    if (meta->owner_references_count == 0 || meta->deletion_timestamp != 0)
        return false;
    for (size_t i = 0; i < meta->owner_references_count; i++)
        if (is_alive(collector, meta->namespace, &meta->owner_references[i]))
            return false;
    return true;
}

/* --- Passes --------------------------------------------------------------------------------------
 */

static const struct sw_kind *kind_of(const struct sw_garbage_collector *collector, const char *key)
{
    size_t size = strcspn(key, "/");

    for (size_t i = 0; i < collector->kinds_count; i++) {
        const struct sw_kind *kind = collector->kinds[i].kind;

        if (strlen(kind->plural) == size && memcmp(kind->plural, key, size) == 0)
            return kind;
    }
    return NULL;
}

static enum sw_rc reconcile(void *ctx, struct sw_pass *pass, struct sw_err *err)
{
    struct sw_garbage_collector *collector = ctx;
    const struct sw_store_item *item =
        sw_store_find(sw_objects_store(collector->options.objects), pass->key);
    const struct sw_kind *kind = kind_of(collector, pass->key);
    void *object = NULL;

    if (item == NULL || kind == NULL)
        return SW_OK;
    enum sw_rc rc = sw_object_of_item(kind, item, pass->arena, &object, err);
    if (rc != SW_OK || !is_orphan(collector, sw_object_meta(object)))
        return rc;
    return sw_plan_delete(pass->plan, kind, object, err);
}

/* --- Changes -------------------------------------------------------------------------------------
 */

/* Note that an object names an owner. */
static enum sw_rc owner_add(struct sw_garbage_collector *collector, const char *uid,
                            const char *key)
{
    struct sw_map *of = sw_map_find(collector->dependents, uid, strlen(uid));

    if (of == NULL) {
        of = sw_map_new(collector->seed);
        if (of == NULL || sw_map_put(collector->dependents, uid, strlen(uid), of, NULL) != SW_OK) {
            sw_map_free(of);
            return SW_E_EXHAUSTED;
        }
    }
    return sw_map_put(of, key, strlen(key), collector, NULL); /* Only the key counts. */
}

static void owner_remove(struct sw_garbage_collector *collector, const char *uid, const char *key)
{
    struct sw_map *of = sw_map_find(collector->dependents, uid, strlen(uid));

    if (of == NULL)
        return;
    (void)sw_map_remove(of, key, strlen(key));
    if (sw_map_count(of) == 0)
        sw_map_free(sw_map_remove(collector->dependents, uid, strlen(uid)));
}

/* Who has gone may have been an owner. */
static void look_at_dependents(struct sw_garbage_collector *collector, const char *uid)
{
    const struct sw_map *of = sw_map_find(collector->dependents, uid, strlen(uid));
    struct sw_map_entry entry;
    char key[SW_OBJECT_KEY_MAX];
    size_t cursor = 0;

    while (of != NULL && sw_map_next(of, &cursor, &entry)) {
        snprintf(key, sizeof(key), "%.*s", (int)entry.key.size, (const char *)entry.key.data);
        sw_reconciler_add(collector->reconciler, key, DELAY_MS);
    }
}

/* NULL: there is no object, or none that can be read. */
static const struct sw_api_object_meta *
meta_read(const struct sw_kind *kind, const struct sw_store_item *item, struct sw_arena *arena)
{
    void *object = NULL;

    sw_arena_reset(arena);
    if (item == NULL || sw_object_of_item(kind, item, arena, &object, NULL) != SW_OK)
        return NULL;
    return sw_object_meta(object);
}

static bool is_same(const struct sw_api_object_meta *one, const struct sw_api_object_meta *other)
{
    if (one == NULL || other == NULL || strcmp(one->uid, other->uid) != 0 ||
        one->owner_references_count != other->owner_references_count)
        return false;
    for (size_t i = 0; i < one->owner_references_count; i++)
        if (strcmp(one->owner_references[i].uid, other->owner_references[i].uid) != 0)
            return false;
    return true;
}

static void owners_add(struct sw_garbage_collector *collector,
                       const struct sw_api_object_meta *meta, const char *key)
{
    for (size_t i = 0; i < meta->owner_references_count; i++)
        if (owner_add(collector, meta->owner_references[i].uid, key) != SW_OK)
            sw_log(collector->options.logger, SW_LOG_ERROR, "collector",
                   "no memory to note an owner of %s; it may outlive it until the next start", key);
    if (meta->owner_references_count > 0)
        sw_reconciler_add(collector->reconciler, key, DELAY_MS);
}

/* An object that is new may have lost its owner before it came, and so may one that got another
 * owner; one that went, or was made anew under its name, may have been an owner. */
static void on_change(void *ctx, const struct sw_informer_change *change)
{
    const struct followed *followed = ctx;
    struct sw_garbage_collector *collector = followed->collector;
    const struct sw_api_object_meta *before =
        meta_read(followed->kind, change->before, collector->scratch);
    const struct sw_api_object_meta *now =
        meta_read(followed->kind, change->now, collector->owners);

    if (is_same(before, now))
        return;
    for (size_t i = 0; before != NULL && i < before->owner_references_count; i++)
        owner_remove(collector, before->owner_references[i].uid, change->before->key);
    if (now != NULL)
        owners_add(collector, now, change->now->key);
    if (before != NULL && (now == NULL || strcmp(before->uid, now->uid) != 0))
        look_at_dependents(collector, before->uid);
}

static enum sw_rc follow(struct sw_garbage_collector *collector, struct sw_err *err)
{
    for (unsigned i = 0; i < sw_kind_count && collector->kinds_count < KINDS_MAX; i++) {
        struct followed *followed = &collector->kinds[collector->kinds_count];
        if (strcmp(sw_kinds[i].name, "Event") == 0)
            continue;
        *followed = (struct followed){.collector = collector, .kind = &sw_kinds[i]};
        collector->kinds_count++;
        const struct sw_informer_handler handler = {.ctx = followed, .on_change = on_change};
        enum sw_rc rc = sw_informer_new(collector->options.objects, followed->kind, &handler,
                                        &followed->informer, err);
        if (rc != SW_OK)
            return rc;
    }
    return SW_OK;
}

enum sw_rc sw_garbage_collector_new(const struct sw_garbage_collector_options *options,
                                    struct sw_garbage_collector **ret_collector, struct sw_err *err)
{
    SW_CLEANUP(sw_garbage_collector_freep)
    struct sw_garbage_collector *made = calloc(1, sizeof(*made));
    const struct sw_reconciler_options frame = {.name = "collector",
                                                .loop = options->loop,
                                                .system = options->system,
                                                .logger = options->logger,
                                                .objects = options->objects,
                                                .ctx = made,
                                                .reconcile = reconcile};

    if (made == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the collector");
    /* Uids of owners and names come from outside. */
    options->system->random(options->system->ctx, &made->seed, sizeof(made->seed));
    if ((made->scratch = sw_arena_new(SW_OBJECT_ARENA_MAX)) == NULL ||
        (made->owners = sw_arena_new(SW_OBJECT_ARENA_MAX)) == NULL ||
        (made->dependents = sw_map_new(made->seed)) == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the collector");
    made->options = *options;
    enum sw_rc rc = sw_reconciler_new(&frame, &made->reconciler, err);
    if (rc == SW_OK)
        rc = follow(made, err);
    if (rc == SW_OK)
        *ret_collector = SW_TAKE(made);
    return rc;
}

void sw_garbage_collector_free(struct sw_garbage_collector *collector)
{
    struct sw_map_entry found;
    size_t cursor = 0;

    if (collector == NULL)
        return;
    while (collector->dependents != NULL && sw_map_next(collector->dependents, &cursor, &found))
        sw_map_free(found.value);
    sw_map_free(collector->dependents);
    for (size_t i = 0; i < collector->kinds_count; i++)
        sw_informer_free(collector->kinds[i].informer);
    sw_reconciler_free(collector->reconciler);
    sw_arena_free(collector->scratch);
    sw_arena_free(collector->owners);
    free(collector);
}
