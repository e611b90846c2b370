#include "pkg/controller/namespace/controller.h"

#include <stdlib.h>
#include <string.h>

#include "pkg/client/informers/informer.h"
#include "pkg/controller/reconciler/reconciler.h"

#define LOOK_AGAIN_MS 100 /* While there is something left that others have to let go. */

struct sw_namespace_controller {
    struct sw_namespace_controller_options options;
    struct sw_reconciler *reconciler;
    struct sw_informer *namespaces;
    struct sw_arena *scratch; /* For decoding what is in a namespace; reset each time. */
};

/* --- What is in it -------------------------------------------------------------------------------
 */

struct clearing { /* One pass over a namespace. */
    struct sw_namespace_controller *controller;
    struct sw_pass *pass;
    const struct sw_kind *kind;
    size_t found, deletes;
    enum sw_rc rc;
    struct sw_err *err;
};

static enum sw_rc plan_delete(struct clearing *clearing, const struct sw_api_object_meta *meta)
{
    struct sw_arena *arena = clearing->pass->arena;
    void *object = sw_object_new(clearing->kind, arena);
    struct sw_err full = {0};

    if (object == NULL)
        return SW_E_EXHAUSTED;
    struct sw_api_object_meta *wanted = sw_object_meta(object);
    wanted->name = sw_arena_copy(arena, meta->name, strlen(meta->name));
    wanted->namespace = sw_arena_copy(arena, meta->namespace, strlen(meta->namespace));
    wanted->uid = sw_arena_copy(arena, meta->uid, strlen(meta->uid));
    if (wanted->name == NULL || wanted->namespace == NULL || wanted->uid == NULL)
        return SW_E_EXHAUSTED;
    enum sw_rc rc = sw_plan_delete(clearing->pass->plan, clearing->kind, object, &full);
    if (rc != SW_OK && rc != SW_E_EXHAUSTED && clearing->err != NULL)
        *clearing->err = full;
    return rc;
}

/* Large objects may fill the pass's memory first: what is planned by then is a pass of its own. */
static bool visit(void *ctx, const struct sw_store_item *item)
{
    struct clearing *clearing = ctx;
    struct sw_arena *scratch = clearing->controller->scratch;
    void *object = NULL;

    clearing->found++;
    if (clearing->deletes == SW_NAMESPACE_BATCH_MAX)
        return false;
    sw_arena_reset(scratch);
    clearing->rc = sw_object_of_item(clearing->kind, item, scratch, &object, clearing->err);
    if (clearing->rc != SW_OK)
        return false;
    const struct sw_api_object_meta *meta = sw_object_meta(object);
    if (meta->deletion_timestamp != 0)
        return true;
    clearing->rc = plan_delete(clearing, meta);
    if (clearing->rc == SW_OK) {
        clearing->deletes++;
        return true;
    }
    if (clearing->rc == SW_E_EXHAUSTED && clearing->deletes > 0)
        clearing->rc = SW_OK;
    return false;
}

static enum sw_rc clear(struct clearing *clearing, const char *name)
{
    for (unsigned i = 0; i < sw_kind_count && clearing->rc == SW_OK; i++) {
        char prefix[SW_OBJECT_KEY_MAX];
        struct sw_store_list_end end;
        clearing->kind = &sw_kinds[i];
        if (!clearing->kind->is_namespaced)
            continue;
        sw_object_key(clearing->kind, name, NULL, prefix);
        const struct sw_store_list_request request = {.prefix = prefix};
        enum sw_rc rc = sw_store_list(sw_objects_store(clearing->controller->options.objects),
                                      &request, visit, clearing, &end, clearing->err);
        if (rc != SW_OK)
            return rc;
    }
    return clearing->rc;
}

/* --- Passes --------------------------------------------------------------------------------------
 */

static enum sw_rc reconcile(void *ctx, struct sw_pass *pass, struct sw_err *err)
{
    struct sw_namespace_controller *controller = ctx;
    const struct sw_kind *kind = sw_kind_find("Namespace");
    const struct sw_store_item *item =
        sw_store_find(sw_objects_store(controller->options.objects), pass->key);
    struct clearing clearing = {.controller = controller, .pass = pass, .err = err};
    void *object = NULL;

    if (item == NULL)
        return SW_OK;
    enum sw_rc rc = sw_object_of_item(kind, item, pass->arena, &object, err);
    if (rc != SW_OK)
        return rc;
    const struct sw_api_object_meta *meta = sw_object_meta(object);
    if (meta->deletion_timestamp == 0)
        return SW_OK;
    rc = clear(&clearing, meta->name);
    if (rc != SW_OK)
        return rc;
    if (clearing.found > 0) {
        pass->again_ms = clearing.deletes == SW_NAMESPACE_BATCH_MAX ? 1 : LOOK_AGAIN_MS;
        return SW_OK;
    }
    sw_object_remove_finalizer(object, SW_OBJECT_FINALIZER_NAMESPACE);
    return sw_plan_update(pass->plan, kind, object, err);
}

static void on_namespace(void *ctx, const struct sw_informer_change *change)
{
    struct sw_namespace_controller *controller = ctx;

    if (change->now != NULL)
        sw_reconciler_add(controller->reconciler, change->now->key, 0);
}

enum sw_rc sw_namespace_controller_new(const struct sw_namespace_controller_options *options,
                                       struct sw_namespace_controller **ret_controller,
                                       struct sw_err *err)
{
    SW_CLEANUP(sw_namespace_controller_freep)
    struct sw_namespace_controller *made = calloc(1, sizeof(*made));
    const struct sw_reconciler_options frame = {.name = "namespace",
                                                .loop = options->loop,
                                                .system = options->system,
                                                .logger = options->logger,
                                                .objects = options->objects,
                                                .ctx = made,
                                                .reconcile = reconcile};
    const struct sw_informer_handler handler = {.ctx = made, .on_change = on_namespace};

    if (made == NULL || (made->scratch = sw_arena_new(SW_OBJECT_ARENA_MAX)) == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the controller of Namespaces");
    made->options = *options;
    enum sw_rc rc = sw_reconciler_new(&frame, &made->reconciler, err);
    if (rc == SW_OK)
        rc = sw_informer_new(options->objects, sw_kind_find("Namespace"), &handler,
                             &made->namespaces, err);
    if (rc == SW_OK)
        *ret_controller = SW_TAKE(made);
    return rc;
}

void sw_namespace_controller_free(struct sw_namespace_controller *controller)
{
    if (controller == NULL)
        return;
    sw_informer_free(controller->namespaces);
    sw_reconciler_free(controller->reconciler);
    sw_arena_free(controller->scratch);
    free(controller);
}
