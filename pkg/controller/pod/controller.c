#include "pkg/controller/pod/controller.h"

#include "pkg/client/listers/lister.h"
#include "pkg/controller/reconciler/reconciler.h"
#include "pkg/resource/scheduler/scheduler.h"

#include <stdlib.h>
#include <string.h>

/* There is one name in the queue: all that waits is decided together. */
#define ALL "pods"
#define AGAIN_MS 1
#define VIEW_ARENA_MAX ((size_t)SW_OBJECT_ARENA_MAX)

struct sw_pod_controller {
    struct sw_pod_controller_options options;
    struct sw_reconciler *reconciler;
    struct sw_informer *pods, *nodes;
    struct sw_arena *scratch; /* For decoding one Pod; reset each time. */
};

struct view { /* Of one pass, in its arena. */
    struct sw_pass *pass;
    uint64_t now_ns;
    struct sw_schedule_node *nodes;
    size_t nodes_count;
    struct sw_api_pod **waiting; /* Without a Node. */
    size_t waiting_count;
    bool has_more; /* Than fit into this pass. */
};

/* --- Reading --------------------------------------------------------------------------------- */

static enum sw_rc nodes_read(struct sw_pod_controller *controller, struct view *view,
                             struct sw_err *err)
{
    struct sw_lister_objects found;
    enum sw_rc rc = sw_lister_list(controller->nodes, NULL, view->pass->arena, &found, err);

    if (rc != SW_OK)
        return rc;
    view->nodes = sw_arena_array(view->pass->arena, found.count, sizeof *view->nodes);
    if (view->nodes == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a view of the Nodes");
    for (size_t i = 0; i < found.count; i++) {
        const struct sw_api_node *node = found.items[i];

        view->nodes[i] =
            (struct sw_schedule_node){.name = node->metadata.name,
                                      .is_ready = node->status.phase == SW_API_NODE_PHASE_READY,
                                      .is_unschedulable = node->spec.unschedulable,
                                      .cpus = node->status.capacity.cpus,
                                      .pods_max = SW_NODE_PODS_MAX};
    }
    view->nodes_count = found.count;
    return SW_OK;
}

static void load_count(struct view *view, const char *node_name)
{
    for (size_t i = 0; i < view->nodes_count; i++)
        if (strcmp(view->nodes[i].name, node_name) == 0)
            view->nodes[i].pods++;
}

/* Whether this controller has anything to do about a Pod. */
static bool is_waiting(const struct sw_api_pod *pod)
{
    return pod->spec.node_name[0] == '\0' || pod->status.phase <= SW_API_POD_PHASE_PENDING;
}

static enum sw_rc pods_read(struct sw_pod_controller *controller, struct view *view,
                            struct sw_err *err)
{
    const struct sw_kind *kind = sw_kind_find("Pod");
    const struct sw_store_item *item;
    size_t cursor = 0;

    view->waiting = sw_arena_array(view->pass->arena, SW_POD_BATCH_MAX, sizeof(void *));
    if (view->waiting == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a view of the Pods");
    while (sw_informer_next(controller->pods, &cursor, &item)) {
        const struct sw_api_pod *seen;
        void *pod;
        enum sw_rc rc;

        sw_arena_reset(controller->scratch);
        rc = sw_object_of_item(kind, item, controller->scratch, &pod, err);
        if (rc != SW_OK)
            return rc;
        seen = pod;
        load_count(view, seen->spec.node_name);
        if (!is_waiting(seen))
            continue;
        view->has_more = view->waiting_count == SW_POD_BATCH_MAX;
        if (view->has_more)
            continue;
        pod = sw_object_copy(kind, seen, view->pass->arena);
        if (pod == NULL)
            return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a view of the Pods");
        view->waiting[view->waiting_count++] = pod;
    }
    return SW_OK;
}

/* --- Planning -------------------------------------------------------------------------------- */

static enum sw_rc scheduled_say(const struct view *view, struct sw_api_pod *pod, bool is_bound,
                                const char *words)
{
    struct sw_api_condition condition = {
        .type = "Scheduled",
        .status = is_bound ? SW_API_CONDITION_STATUS_TRUE : SW_API_CONDITION_STATUS_FALSE,
        .reason = is_bound ? "Bound" : "Unschedulable",
        .message = words,
        .last_transition_time = view->now_ns,
        .observed_generation = pod->metadata.generation,
    };

    return sw_condition_put(&pod->status.conditions, &pod->status.conditions_count, &condition,
                            view->pass->arena);
}

/* The status of a Pod that has a Node, or that no Node can take. Written only if it says more. */
static enum sw_rc status_plan(const struct view *view, struct sw_api_pod *pod, const char *words,
                              struct sw_err *err)
{
    bool is_bound = words == NULL;
    struct sw_api_pod_status before;

    if (sw_api_copy(&sw_api_pod_status_message, &pod->status, view->pass->arena, &before) !=
            SW_OK ||
        scheduled_say(view, pod, is_bound, is_bound ? "" : words) != SW_OK)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the status of Pod %s",
                          pod->metadata.name);
    pod->status.phase = is_bound ? SW_API_POD_PHASE_BOUND : SW_API_POD_PHASE_PENDING;
    if (sw_api_is_equal(&sw_api_pod_status_message, &before, &pod->status))
        return SW_OK;
    return sw_plan_update_status(view->pass->plan, sw_kind_find("Pod"), pod, err);
}

static enum sw_rc pod_plan(const struct view *view, struct sw_api_pod *pod,
                           const struct sw_schedule_pod *decision, struct sw_err *err)
{
    const struct sw_kind *kind = sw_kind_find("Pod");

    if (pod->metadata.deletion_timestamp != 0) {
        /* With a Node, its controller lets the Pod go once nothing of it runs. */
        if (pod->spec.node_name[0] != '\0')
            return SW_OK;
        sw_object_remove_finalizer(pod, SW_OBJECT_FINALIZER_POD);
        return sw_plan_update(view->pass->plan, kind, pod, err);
    }
    if (pod->spec.node_name[0] != '\0')
        return status_plan(view, pod, NULL, err);
    if (decision->ret_node == SW_SCHEDULE_NOWHERE)
        return status_plan(view, pod, decision->ret_reason, err);
    pod->spec.node_name = view->nodes[decision->ret_node].name;
    return sw_plan_update(view->pass->plan, kind, pod, err);
}

static bool needs_node(const struct sw_api_pod *pod)
{
    return pod->spec.node_name[0] == '\0' && pod->metadata.deletion_timestamp == 0;
}

static enum sw_rc reconcile(void *ctx, struct sw_pass *pass, struct sw_err *err)
{
    struct sw_pod_controller *controller = ctx;
    struct view view = {.pass = pass, .now_ns = sw_objects_utc_ns(controller->options.objects)};
    struct sw_schedule_pod decisions[SW_POD_BATCH_MAX];
    enum sw_rc rc;

    if (!sw_informer_is_synced(controller->nodes) || !sw_informer_is_synced(controller->pods))
        return SW_OK; /* on_synced comes back here. */
    rc = nodes_read(controller, &view, err);
    if (rc == SW_OK)
        rc = pods_read(controller, &view, err);
    for (size_t i = 0; rc == SW_OK && i < view.waiting_count; i++) {
        decisions[i] = (struct sw_schedule_pod){.ret_node = SW_SCHEDULE_NOWHERE, .ret_reason = ""};
        if (needs_node(view.waiting[i]))
            sw_schedule(view.nodes, view.nodes_count, &decisions[i], 1);
        rc = pod_plan(&view, view.waiting[i], &decisions[i], err);
    }
    if (rc == SW_OK && view.has_more && !sw_plan_is_empty(pass->plan))
        pass->again_ms = AGAIN_MS;
    return rc;
}

/* --- Changes --------------------------------------------------------------------------------- */

static void look(struct sw_pod_controller *controller)
{
    sw_reconciler_add(controller->reconciler, ALL, 0);
}

static void on_pod(void *ctx, const struct sw_informer_change *change)
{
    struct sw_pod_controller *controller = ctx;
    void *pod;

    if (change->now == NULL)
        return;
    sw_arena_reset(controller->scratch);
    if (sw_object_of_item(sw_kind_find("Pod"), change->now, controller->scratch, &pod, NULL) ==
            SW_OK &&
        is_waiting(pod))
        look(controller);
}

static void on_node(void *ctx, const struct sw_informer_change *change)
{
    (void)change;
    look(ctx);
}

static void on_synced(void *ctx)
{
    look(ctx);
}

enum sw_rc sw_pod_controller_new(const struct sw_pod_controller_options *options,
                                 struct sw_pod_controller **ret_controller, struct sw_err *err)
{
    SW_CLEANUP(sw_pod_controller_freep) struct sw_pod_controller *made = calloc(1, sizeof *made);
    struct sw_reconciler_options frame = {.name = "scheduler",
                                          .loop = options->loop,
                                          .system = options->system,
                                          .logger = options->logger,
                                          .objects = options->objects,
                                          .ctx = made,
                                          .reconcile = reconcile};
    struct sw_informer_handler pods = {.ctx = made, .on_change = on_pod, .on_synced = on_synced};
    struct sw_informer_handler nodes = {.ctx = made, .on_change = on_node, .on_synced = on_synced};
    enum sw_rc rc;

    if (made == NULL || (made->scratch = sw_arena_new(VIEW_ARENA_MAX)) == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the controller of Pods");
    made->options = *options;
    rc = sw_reconciler_new(&frame, &made->reconciler, err);
    if (rc == SW_OK)
        rc = sw_informer_new(options->objects, sw_kind_find("Node"), &nodes, &made->nodes, err);
    if (rc == SW_OK)
        rc = sw_informer_new(options->objects, sw_kind_find("Pod"), &pods, &made->pods, err);
    if (rc == SW_OK)
        *ret_controller = SW_TAKE(made);
    return rc;
}

void sw_pod_controller_free(struct sw_pod_controller *controller)
{
    if (controller == NULL)
        return;
    sw_informer_free(controller->pods);
    sw_informer_free(controller->nodes);
    sw_reconciler_free(controller->reconciler);
    sw_arena_free(controller->scratch);
    free(controller);
}
