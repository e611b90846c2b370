#include "pkg/controller/records/controller.h"

#include <stdlib.h>
#include <string.h>

#include "pkg/controller/reconciler/reconciler.h"
#include "pkg/utils/base/text.h"

#define RETENTION_NS_DEFAULT 2592000000000000u /* 30 days. */
#define NEXT_PAGE_MS 20u                       /* Others have the loop in between. */

static const char *const kinds[] = {"Effect", "Approval"};

struct sw_records_controller {
    struct sw_records_controller_options options;
    struct sw_reconciler *reconciler;
    struct sw_arena *scratch;
    size_t at;                      /* Of kinds; */
    char token[SW_STORE_TOKEN_MAX]; /* and where its next page begins. */
};

static uint64_t retention_ns(struct sw_records_controller *controller, struct sw_arena *arena)
{
    const struct sw_object_ref ref = {sw_kind_find("Cluster"), "", SW_OBJECT_NAME_DEFAULT};
    uint64_t wanted_ns = RETENTION_NS_DEFAULT;
    void *object = NULL;

    if (sw_objects_get(controller->options.objects, &ref, arena, &object, NULL) != SW_OK ||
        sw_text_to_duration_ns(((const struct sw_api_cluster *)object)->spec.record_retention,
                               &wanted_ns) != SW_OK)
        return RETENTION_NS_DEFAULT;
    return wanted_ns;
}

/* When it was over; 0: it is not. */
static uint64_t over_at(const void *object)
{
    if (strcmp(sw_object_kind(object)->name, "Approval") == 0) {
        const struct sw_api_approval *approval = object;

        return approval->status.phase == SW_API_APPROVAL_PHASE_PENDING
                   ? 0
                   : approval->status.decided_at;
    }
    const struct sw_api_effect *effect = object;

    switch (effect->status.phase) {
    case SW_API_EFFECT_PHASE_DONE:
    case SW_API_EFFECT_PHASE_FAILED:
    case SW_API_EFFECT_PHASE_ABANDONED:
        return effect->status.ended_at;
    case SW_API_EFFECT_PHASE_INTENDED:
    case SW_API_EFFECT_PHASE_UNKNOWN:
    case SW_API_EFFECT_PHASE_UNSPECIFIED:
    default:
        return 0;
    }
}

struct page {
    struct sw_records_controller *controller;
    struct sw_pass *pass;
    const struct sw_kind *kind;
    uint64_t before_ns; /* What was over by then goes. */
    enum sw_rc rc;
    struct sw_err *err;
};

/* Deleted as it was read, or the whole page is looked at again. */
static enum sw_rc plan_delete(const struct page *page, const void *read)
{
    const struct sw_api_object_meta *meta = sw_object_meta((void *)(uintptr_t)read);
    void *object = sw_object_new(page->kind, page->pass->arena);
    struct sw_api_object_meta *own = object == NULL ? NULL : sw_object_meta(object);

    if (own == NULL)
        return SW_E_EXHAUSTED;
    own->namespace = sw_arena_copy(page->pass->arena, meta->namespace, strlen(meta->namespace));
    own->name = sw_arena_copy(page->pass->arena, meta->name, strlen(meta->name));
    own->uid = sw_arena_copy(page->pass->arena, meta->uid, strlen(meta->uid));
    own->resource_version = meta->resource_version;
    if (own->namespace == NULL || own->name == NULL || own->uid == NULL)
        return SW_E_EXHAUSTED;
    return sw_plan_delete(page->pass->plan, page->kind, object, page->err);
}

static bool look(void *ctx, const struct sw_store_item *item)
{
    struct page *page = ctx;
    void *object = NULL;
    uint64_t over_ns;

    sw_arena_reset(page->controller->scratch);
    page->rc = sw_object_of_item(page->kind, item, page->controller->scratch, &object, page->err);
    if (page->rc != SW_OK)
        return false;
    over_ns = over_at(object);
    /* A list shows one revision, which may not be the newest any more. */
    if (over_ns != 0 && over_ns < page->before_ns &&
        sw_store_find(sw_objects_store(page->controller->options.objects), item->key) != NULL)
        page->rc = plan_delete(page, object);
    return page->rc == SW_OK;
}

static enum sw_rc reconcile(void *ctx, struct sw_pass *pass, struct sw_err *err)
{
    struct sw_records_controller *controller = ctx;
    struct page page = {.controller = controller,
                        .pass = pass,
                        .kind = sw_kind_find(kinds[controller->at]),
                        .err = err};
    uint64_t now_ns = sw_objects_utc_ns(controller->options.objects);
    uint64_t keep_ns = retention_ns(controller, pass->arena);
    char prefix[SW_OBJECT_KEY_MAX];
    struct sw_store_list_request request = {
        .prefix = prefix,
        .token = controller->token[0] == '\0' ? NULL : controller->token,
        .items_max = SW_RECORDS_PAGE};
    struct sw_store_list_end end = {0};
    enum sw_rc rc;

    page.before_ns = now_ns > keep_ns ? now_ns - keep_ns : 0;
    sw_object_key(page.kind, NULL, NULL, prefix);
    rc = sw_store_list(sw_objects_store(controller->options.objects), &request, look, &page, &end,
                       err);
    rc = rc == SW_OK ? page.rc : rc;
    if (rc != SW_OK) { /* From the beginning: what it began with is not what is there. */
        controller->token[0] = '\0';
        return rc == SW_E_RANGE ? SW_E_CONFLICT : rc;
    }
    memcpy(controller->token, end.token, sizeof end.token);
    if (end.token[0] == '\0')
        controller->at = (controller->at + 1) % (sizeof kinds / sizeof kinds[0]);
    pass->again_ms =
        end.token[0] == '\0' && controller->at == 0 ? SW_RECORDS_EVERY_MS : NEXT_PAGE_MS;
    return SW_OK;
}

enum sw_rc sw_records_controller_new(const struct sw_records_controller_options *options,
                                     struct sw_records_controller **ret_controller,
                                     struct sw_err *err)
{
    SW_CLEANUP(sw_records_controller_freep)
    struct sw_records_controller *made = calloc(1, sizeof *made);
    const struct sw_reconciler_options frame = {.name = "records",
                                                .loop = options->loop,
                                                .system = options->system,
                                                .logger = options->logger,
                                                .objects = options->objects,
                                                .ctx = made,
                                                .reconcile = reconcile};
    enum sw_rc rc;

    if (made == NULL || (made->scratch = sw_arena_new(SW_OBJECT_ARENA_MAX)) == NULL)
        rc = sw_err_set(err, SW_E_EXHAUSTED, "no memory for the controller of records");
    else
        rc = sw_reconciler_new(&frame, &made->reconciler, err);
    if (rc != SW_OK)
        return rc;
    made->options = *options;
    sw_reconciler_add(made->reconciler, "records", options->grace_ms);
    *ret_controller = SW_TAKE(made);
    return SW_OK;
}

void sw_records_controller_free(struct sw_records_controller *controller)
{
    if (controller == NULL)
        return;
    sw_reconciler_free(controller->reconciler);
    sw_arena_free(controller->scratch);
    free(controller);
}
