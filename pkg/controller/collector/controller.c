#include "pkg/controller/collector/controller.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/client/informers/informer.h"
#include "pkg/controller/reconciler/reconciler.h"
#include "pkg/utils/base/hash.h"

#define DELAY_MS 20 /* Lets objects that go together be looked after together. */
#define KINDS_MAX 32
#define OUTSIDE "-" /* The name in the queue of what lives outside of namespaces. */

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

struct sweep { /* One pass over a namespace. */
    struct sw_garbage_collector *collector;
    struct sw_pass *pass;
    const struct sw_kind *kind;
    size_t deletes;
    enum sw_rc rc;
    struct sw_err *err;
};

static bool visit(void *ctx, const struct sw_store_item *item)
{
    struct sweep *sweep = ctx;
    struct sw_arena *scratch = sweep->collector->scratch;
    void *object = NULL;

    if (sweep->deletes == SW_COLLECTOR_BATCH_MAX)
        return false;
    sw_arena_reset(scratch);
    sweep->rc = sw_object_of_item(sweep->kind, item, scratch, &object, sweep->err);
    if (sweep->rc != SW_OK)
        return false;
    if (!is_orphan(sweep->collector, sw_object_meta(object)))
        return true;
    /* The object goes on living in the plan. */
    object = sw_object_copy(sweep->kind, object, sweep->pass->arena);
    sweep->rc = object == NULL ? sw_err_set(sweep->err, SW_E_EXHAUSTED, "too much to collect")
                               : sw_plan_delete(sweep->pass->plan, sweep->kind, object, sweep->err);
    if (sweep->rc == SW_E_EXHAUSTED && sweep->deletes > 0) {
        sweep->rc = SW_OK; /* What is planned by now is a pass of its own. */
        sweep->deletes = SW_COLLECTOR_BATCH_MAX;
        return false;
    }
    sweep->deletes++;
    return sweep->rc == SW_OK;
}

static enum sw_rc sweep_kind(struct sweep *sweep, const char *space)
{
    char prefix[SW_OBJECT_KEY_MAX];
    struct sw_store_list_end end;

    sw_object_key(sweep->kind, space, NULL, prefix);
    const struct sw_store_list_request request = {.prefix = prefix};
    enum sw_rc rc = sw_store_list(sw_objects_store(sweep->collector->options.objects), &request,
                                  visit, sweep, &end, sweep->err);
    return rc == SW_OK ? sweep->rc : rc;
}

static enum sw_rc reconcile(void *ctx, struct sw_pass *pass, struct sw_err *err)
{
    struct sw_garbage_collector *collector = ctx;
    bool is_outside = strcmp(pass->key, OUTSIDE) == 0;
    struct sweep sweep = {.collector = collector, .pass = pass, .err = err};
    enum sw_rc rc = SW_OK;

    for (size_t i = 0; i < collector->kinds_count && rc == SW_OK; i++) {
        sweep.kind = collector->kinds[i].kind;
        if (sweep.kind->is_namespaced != is_outside)
            rc = sweep_kind(&sweep, is_outside ? "" : pass->key);
    }
    if (rc == SW_OK && sweep.deletes == SW_COLLECTOR_BATCH_MAX)
        pass->again_ms = 1;
    return rc;
}

/* --- Changes -------------------------------------------------------------------------------------
 */

static void look_at(struct sw_garbage_collector *collector, const char *key)
{
    const char *space = strchr(key, '/') + 1;
    size_t size = strcspn(space, "/");
    char name[SW_OBJECT_KEY_MAX];

    snprintf(name, sizeof(name), "%.*s", (int)size, space);
    sw_reconciler_add(collector->reconciler, size == 0 ? OUTSIDE : name, DELAY_MS);
}

/* What an owner outside of namespaces leaves behind may be anywhere. */
static void look_everywhere(struct sw_garbage_collector *collector)
{
    for (size_t i = 0; i < collector->kinds_count; i++) {
        const struct followed *followed = &collector->kinds[i];
        const struct sw_store_item *item = NULL;
        size_t cursor = 0;
        if (strcmp(followed->kind->name, "Namespace") != 0 || followed->informer == NULL)
            continue;
        while (sw_informer_next(followed->informer, &cursor, &item))
            sw_reconciler_add(collector->reconciler, strrchr(item->key, '/') + 1, DELAY_MS);
    }
    sw_reconciler_add(collector->reconciler, OUTSIDE, DELAY_MS);
}

/* A number that tells one set of owners from another; 0 for none. */
static uint64_t owners_of(struct sw_garbage_collector *collector, const struct sw_kind *kind,
                          const struct sw_store_item *item)
{
    static const uint8_t key[16] = "swarm owners";
    const struct sw_api_object_meta *meta;
    void *object = NULL;
    uint64_t sum = 0;

    sw_arena_reset(collector->scratch);
    if (item == NULL || sw_object_of_item(kind, item, collector->scratch, &object, NULL) != SW_OK)
        return 0;
    meta = sw_object_meta(object);
    for (size_t i = 0; i < meta->owner_references_count; i++) {
        const char *uid = meta->owner_references[i].uid;
        sum += sw_siphash(key, uid, strlen(uid)) | 1;
    }
    return sum;
}

/* An object that is new may have lost its owner before it came, and so may one that got another
 * owner; one that went may have been an owner. */
static void on_change(void *ctx, const struct sw_informer_change *change)
{
    const struct followed *followed = ctx;
    struct sw_garbage_collector *collector = followed->collector;

    if (change->now == NULL && !followed->kind->is_namespaced) {
        look_everywhere(collector);
        return;
    }
    if (change->now == NULL) {
        look_at(collector, change->before->key);
        return;
    }
    uint64_t owners = owners_of(collector, followed->kind, change->now);
    if (owners != 0 && owners != owners_of(collector, followed->kind, change->before))
        look_at(collector, change->now->key);
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

    if (made == NULL || (made->scratch = sw_arena_new(SW_OBJECT_ARENA_MAX)) == NULL ||
        (made->owners = sw_arena_new(SW_OBJECT_ARENA_MAX)) == NULL)
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
    if (collector == NULL)
        return;
    for (size_t i = 0; i < collector->kinds_count; i++)
        sw_informer_free(collector->kinds[i].informer);
    sw_reconciler_free(collector->reconciler);
    sw_arena_free(collector->scratch);
    sw_arena_free(collector->owners);
    free(collector);
}
