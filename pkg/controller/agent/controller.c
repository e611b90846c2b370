#include "pkg/controller/agent/controller.h"

#include "pkg/client/listers/lister.h"
#include "pkg/controller/agent/plan.h"
#include "pkg/controller/reconciler/reconciler.h"

#include <stdlib.h>
#include <string.h>

#define TAKEN_AGAIN_MS 1000 /* Nobody tells of a Pod that is not the Agent's. */
#define CHANGE_ARENA_MAX ((size_t)SW_OBJECT_ARENA_MAX)

struct sw_agent_controller {
    struct sw_agent_controller_options options;
    struct sw_reconciler *reconciler;
    struct sw_informer *agents, *pods;
    struct sw_arena *scratch; /* For decoding a change; reset each time. */
};

/* --- Reading --------------------------------------------------------------------------------- */

static bool is_owned(const struct sw_api_pod *pod, const struct sw_api_agent *agent)
{
    const struct sw_api_owner_reference *owner = sw_object_controller(pod);

    return owner != NULL && strcmp(owner->uid, agent->metadata.uid) == 0;
}

static int by_first_slot(const void *one, const void *other)
{
    const struct sw_api_pod *const *first = one, *const *second = other;
    uint32_t a = (*first)->spec.slots_count > 0 ? (*first)->spec.slots[0].first : 0;
    uint32_t b = (*second)->spec.slots_count > 0 ? (*second)->spec.slots[0].first : 0;

    return a < b ? -1 : a > b;
}

struct found { /* Pods met while listing a namespace. */
    struct sw_agent_view *view;
    enum sw_rc rc;
    struct sw_err *err;
};

static bool pod_visit(void *ctx, const struct sw_store_item *item)
{
    struct found *found = ctx;
    struct sw_agent_view *view = found->view;
    void *pod;

    found->rc = sw_object_of_item(sw_kind_find("Pod"), item, view->arena, &pod, found->err);
    if (found->rc != SW_OK)
        return false;
    if (is_owned(pod, view->agent) && view->pods_count < SW_AGENT_PODS_MAX)
        view->pods[view->pods_count++] = pod;
    return true;
}

/* The names of the Agent's Pods begin alike, so the Pods of other Agents are not even looked at. */
static enum sw_rc pods_read(struct sw_agent_controller *controller, struct sw_agent_view *view,
                            struct sw_err *err)
{
    struct sw_object_query query = {.kind = sw_kind_find("Pod"),
                                    .namespace_name = view->agent->metadata.namespace,
                                    .name_prefix = sw_agent_pod_prefix(view)};
    struct sw_object_page page = {.limit = 0};
    struct found found = {.view = view, .rc = SW_OK, .err = err};
    enum sw_rc rc;

    view->pods = sw_arena_array(view->arena, SW_AGENT_PODS_MAX, sizeof *view->pods);
    if (view->pods == NULL || query.name_prefix == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the Pods of an Agent");
    rc = sw_objects_list(controller->options.objects, &query, &page, pod_visit, &found, err);
    if (rc != SW_OK || found.rc != SW_OK)
        return rc != SW_OK ? rc : found.rc;
    if (view->pods_count > 0)
        qsort(view->pods, view->pods_count, sizeof *view->pods, by_first_slot);
    return SW_OK;
}

/* --- Planning -------------------------------------------------------------------------------- */

static enum sw_rc status_update(const struct sw_agent_view *view, struct sw_plan *plan,
                                struct sw_err *err)
{
    bool has_changed = false;
    enum sw_rc rc = sw_agent_status_plan(view, &has_changed, err);

    if (rc == SW_OK && has_changed)
        rc = sw_plan_update_status(plan, sw_kind_find("Agent"), view->agent, err);
    return rc;
}

/* A name that somebody else's Pod has is noted and left out: the other Pods are made all the same.
 */
static enum sw_rc pod_write(struct sw_agent_controller *controller, struct sw_agent_view *view,
                            struct sw_plan *plan, struct sw_api_pod *pod, struct sw_err *err)
{
    const struct sw_kind *kind = sw_kind_find("Pod");
    char key[SW_OBJECT_KEY_MAX];

    if (pod->metadata.resource_version != 0)
        return sw_plan_update(plan, kind, pod, err);
    sw_object_key(kind, pod->metadata.namespace, pod->metadata.name, key);
    if (sw_store_find(sw_objects_store(controller->options.objects), key) == NULL)
        return sw_plan_create(plan, kind, pod, err);
    view->taken = pod->metadata.name;
    return SW_OK;
}

static enum sw_rc pods_update(struct sw_agent_controller *controller, struct sw_agent_view *view,
                              struct sw_plan *plan, struct sw_err *err)
{
    size_t wanted = sw_agent_pods_wanted(view);

    for (size_t i = 0; i < wanted; i++) {
        struct sw_api_pod *pod;
        enum sw_rc rc = sw_agent_pod_plan(view, i, &pod, err);

        if (rc == SW_OK && pod != NULL)
            rc = pod_write(controller, view, plan, pod, err);
        if (rc != SW_OK)
            return rc;
    }
    for (size_t i = 0; i < view->pods_count; i++) {
        struct sw_api_pod *pod;
        bool is_delete;
        enum sw_rc rc = sw_agent_surplus_plan(view, i, &pod, &is_delete, err);

        if (rc == SW_OK && pod != NULL)
            rc = is_delete ? sw_plan_delete(plan, sw_kind_find("Pod"), pod, err)
                           : sw_plan_update(plan, sw_kind_find("Pod"), pod, err);
        if (rc != SW_OK)
            return rc;
    }
    return SW_OK;
}

/* Delete the Pods; when the last is gone let the Agent go. */
static enum sw_rc end_plan(const struct sw_agent_view *view, struct sw_plan *plan,
                           struct sw_err *err)
{
    for (size_t i = 0; i < view->pods_count; i++) {
        enum sw_rc rc;

        if (view->pods[i]->metadata.deletion_timestamp != 0)
            continue;
        rc = sw_plan_delete(plan, sw_kind_find("Pod"), view->pods[i], err);
        if (rc != SW_OK)
            return rc;
    }
    if (view->pods_count > 0)
        return status_update(view, plan, err);
    sw_object_remove_finalizer(view->agent, SW_OBJECT_FINALIZER_AGENT);
    return sw_plan_update(plan, sw_kind_find("Agent"), view->agent, err);
}

static enum sw_rc reconcile(void *ctx, struct sw_pass *pass, struct sw_err *err)
{
    struct sw_agent_controller *controller = ctx;
    const struct sw_kind *kind = sw_kind_find("Agent");
    const struct sw_store_item *item =
        sw_store_find(sw_objects_store(controller->options.objects), pass->key);
    struct sw_agent_view view = {.arena = pass->arena,
                                 .now_ns = sw_objects_utc_ns(controller->options.objects)};
    void *agent;
    enum sw_rc rc;

    if (item == NULL)
        return SW_OK; /* It is gone, and its Pods went before it. */
    rc = sw_object_of_item(kind, item, pass->arena, &agent, err);
    if (rc != SW_OK)
        return rc;
    view.agent = agent;
    rc = pods_read(controller, &view, err);
    if (rc != SW_OK)
        return rc;
    if (view.agent->metadata.deletion_timestamp != 0)
        return end_plan(&view, pass->plan, err);
    rc = pods_update(controller, &view, pass->plan, err);
    if (view.taken != NULL)
        pass->again_ms = TAKEN_AGAIN_MS;
    return rc == SW_OK ? status_update(&view, pass->plan, err) : rc;
}

/* --- Changes --------------------------------------------------------------------------------- */

static void on_agent(void *ctx, const struct sw_informer_change *change)
{
    struct sw_agent_controller *controller = ctx;

    sw_reconciler_add(controller->reconciler,
                      change->now != NULL ? change->now->key : change->before->key, 0);
}

/* A Pod's change is a reason to look at its Agent. */
static void on_pod(void *ctx, const struct sw_informer_change *change)
{
    struct sw_agent_controller *controller = ctx;
    const struct sw_store_item *item = change->now != NULL ? change->now : change->before;
    const struct sw_api_owner_reference *owner;
    char key[SW_OBJECT_KEY_MAX];
    void *pod;

    sw_arena_reset(controller->scratch);
    if (sw_object_of_item(sw_kind_find("Pod"), item, controller->scratch, &pod, NULL) != SW_OK)
        return;
    owner = sw_object_controller(pod);
    if (owner == NULL || strcmp(owner->kind, "Agent") != 0)
        return;
    sw_object_key(sw_kind_find("Agent"), sw_object_meta(pod)->namespace, owner->name, key);
    sw_reconciler_add(controller->reconciler, key, 0);
}

enum sw_rc sw_agent_controller_new(const struct sw_agent_controller_options *options,
                                   struct sw_agent_controller **ret_controller, struct sw_err *err)
{
    SW_CLEANUP(sw_agent_controller_freep)
    struct sw_agent_controller *made = calloc(1, sizeof *made);
    struct sw_reconciler_options frame = {.name = "agent",
                                          .loop = options->loop,
                                          .system = options->system,
                                          .logger = options->logger,
                                          .objects = options->objects,
                                          .ctx = made,
                                          .reconcile = reconcile};
    struct sw_informer_handler agents = {.ctx = made, .on_change = on_agent};
    struct sw_informer_handler pods = {.ctx = made, .on_change = on_pod};
    enum sw_rc rc;

    if (made == NULL || (made->scratch = sw_arena_new(CHANGE_ARENA_MAX)) == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the controller of Agents");
    made->options = *options;
    rc = sw_reconciler_new(&frame, &made->reconciler, err);
    if (rc == SW_OK)
        rc = sw_informer_new(options->objects, sw_kind_find("Agent"), &agents, &made->agents, err);
    if (rc == SW_OK)
        rc = sw_informer_new(options->objects, sw_kind_find("Pod"), &pods, &made->pods, err);
    if (rc == SW_OK)
        *ret_controller = SW_TAKE(made);
    return rc;
}

void sw_agent_controller_free(struct sw_agent_controller *controller)
{
    if (controller == NULL)
        return;
    sw_informer_free(controller->agents);
    sw_informer_free(controller->pods);
    sw_reconciler_free(controller->reconciler);
    sw_arena_free(controller->scratch);
    free(controller);
}
