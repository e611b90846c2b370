#include "pkg/controller/pod/controller.h"

#include "pkg/client/listers/lister.h"
#include "pkg/controller/reconciler/reconciler.h"
#include "pkg/resource/scheduler/scheduler.h"
#include "pkg/utils/base/map.h"

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
    /* What a pass needs of all Pods, kept as their changes are told, so that it reads only those
     * that it does something about. Items are the informer's, under their keys. */
    struct sw_map *first, *last; /* To do something about; in `last` those told to wait. */
    struct sw_map *loads;        /* Node name -> struct load, owned. */
};

struct load {
    uint32_t pods; /* Bound to the Node, which may be gone. */
};

struct view { /* Of one pass; what it points to is in the pass's arena. */
    struct sw_pass *pass;
    uint64_t now_ns;
    struct sw_schedule_node *nodes;
    size_t nodes_count;
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
        const char *name = node->metadata.name;
        const struct load *load = sw_map_find(controller->loads, name, strlen(name));

        view->nodes[i] =
            (struct sw_schedule_node){.name = name,
                                      .is_ready = node->status.phase == SW_API_NODE_PHASE_READY,
                                      .is_unschedulable = node->spec.unschedulable,
                                      .cpus = node->status.capacity.cpus,
                                      .pods = load == NULL ? 0 : load->pods,
                                      .pods_max = SW_NODE_PODS_MAX};
    }
    view->nodes_count = found.count;
    return SW_OK;
}

/* The Node of this name, or NULL. */
static struct sw_schedule_node *node_find(const struct view *view, const char *name)
{
    for (size_t i = 0; i < view->nodes_count; i++)
        if (strcmp(view->nodes[i].name, name) == 0)
            return &view->nodes[i];
    return NULL;
}

/* Whether this controller may have anything to do about a Pod. */
static bool is_waiting(const struct sw_api_pod *pod)
{
    return pod->spec.node_name[0] == '\0' || pod->status.phase <= SW_API_POD_PHASE_PENDING;
}

static bool needs_node(const struct sw_api_pod *pod)
{
    return pod->spec.node_name[0] == '\0' && pod->metadata.deletion_timestamp == 0;
}

/* Pods that cannot be placed stay, however many they are. They stand behind all others, so that
 * they are in nobody's way. */
static bool was_told_to_wait(const struct sw_api_pod *pod)
{
    const struct sw_api_condition *scheduled =
        sw_condition_find(pod->status.conditions, pod->status.conditions_count, "Scheduled");

    return needs_node(pod) && scheduled != NULL &&
           scheduled->status == SW_API_CONDITION_STATUS_FALSE;
}

static struct sw_bytes key_of(const void *value)
{
    const struct sw_store_item *item = value;

    return (struct sw_bytes){.data = (const uint8_t *)item->key, .size = strlen(item->key)};
}

/* A Pod that is going is its Node's, as long as there is one. */
static bool has_node(const struct sw_pod_controller *controller, const struct sw_api_pod *pod)
{
    char key[SW_OBJECT_KEY_MAX];

    sw_object_key(sw_kind_find("Node"), "", pod->spec.node_name, key);
    return controller->nodes != NULL && sw_informer_find(controller->nodes, key) != NULL;
}

/* Put a Pod where it belongs; whether there is something to do about it. */
static bool sort_pod(struct sw_pod_controller *controller, const struct sw_api_pod *pod,
                     const struct sw_store_item *item)
{
    size_t size = strlen(item->key);
    bool is_going = pod->metadata.deletion_timestamp != 0;

    (void)sw_map_remove(controller->first, item->key, size);
    (void)sw_map_remove(controller->last, item->key, size);
    if (is_going ? has_node(controller, pod) : !is_waiting(pod))
        return false;
    if (sw_map_put(was_told_to_wait(pod) ? controller->last : controller->first, item->key, size,
                   (void *)(uintptr_t)item, NULL) != SW_OK)
        sw_log(controller->options.logger, SW_LOG_ERROR, "scheduler",
               "no memory to bind %s; its next change is looked at", item->key);
    return true;
}

/* One Pod more, or less, of a Node. */
static void load_change(struct sw_pod_controller *controller, const char *node_name, bool is_more)
{
    size_t size = strlen(node_name);
    struct load *load = sw_map_find(controller->loads, node_name, size);

    if (size == 0 || (load == NULL && !is_more))
        return;
    if (load == NULL) {
        load = calloc(1, sizeof *load);
        if (load == NULL || sw_map_put(controller->loads, node_name, size, load, NULL) != SW_OK) {
            free(load);
            return; /* Its Pods are not counted: the Node's own controller has its limit too. */
        }
    }
    load->pods += is_more ? 1 : 0;
    if (!is_more && --load->pods == 0)
        free(sw_map_remove(controller->loads, node_name, size));
}

/* NULL: there is none, or it cannot be read, now as well as then. */
static const struct sw_api_pod *pod_read(struct sw_pod_controller *controller,
                                         const struct sw_store_item *item)
{
    void *pod = NULL;

    sw_arena_reset(controller->scratch);
    if (item == NULL ||
        sw_object_of_item(sw_kind_find("Pod"), item, controller->scratch, &pod, NULL) != SW_OK)
        return NULL;
    return pod;
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

static enum sw_rc pod_plan(const struct view *view, struct sw_api_pod *pod, struct sw_err *err)
{
    const struct sw_kind *kind = sw_kind_find("Pod");
    struct sw_schedule_pod decision;

    if (pod->metadata.deletion_timestamp != 0) {
        /* Its Node's controller lets the Pod go once nothing of it runs. Of a Node that was removed
         * nobody is left to say so: whoever removed it has. */
        if (node_find(view, pod->spec.node_name) != NULL)
            return SW_OK;
        sw_object_remove_finalizer(pod, SW_OBJECT_FINALIZER_POD);
        return sw_plan_update(view->pass->plan, kind, pod, err);
    }
    if (pod->spec.node_name[0] != '\0')
        return status_plan(view, pod, NULL, err);
    sw_schedule(view->nodes, view->nodes_count, &decision, 1);
    if (decision.ret_node == SW_SCHEDULE_NOWHERE)
        return status_plan(view, pod, decision.ret_reason, err);
    pod->spec.node_name = view->nodes[decision.ret_node].name;
    return sw_plan_update(view->pass->plan, kind, pod, err);
}

/* As many as one commit takes. Large Pods may fill the pass's memory first: what is planned by then
 * is a pass of its own. */
static enum sw_rc waiting_plan(struct view *view, const struct sw_map *waiting, struct sw_err *err)
{
    struct sw_map_entry entry;
    size_t cursor = 0, count = 0;

    while (!view->has_more && sw_map_next(waiting, &cursor, &entry)) {
        void *pod = NULL;
        enum sw_rc rc;

        if (count++ == SW_POD_BATCH_MAX || sw_plan_writes(view->pass->plan) == SW_POD_BATCH_MAX) {
            view->has_more = true;
            return SW_OK;
        }
        rc = sw_object_of_item(sw_kind_find("Pod"), entry.value, view->pass->arena, &pod, err);
        if (rc == SW_OK)
            rc = pod_plan(view, pod, err);
        if (rc == SW_E_EXHAUSTED && !sw_plan_is_empty(view->pass->plan))
            view->has_more = true;
        else if (rc != SW_OK)
            return rc;
    }
    return SW_OK;
}

static enum sw_rc reconcile(void *ctx, struct sw_pass *pass, struct sw_err *err)
{
    struct sw_pod_controller *controller = ctx;
    struct view view = {.pass = pass, .now_ns = sw_objects_utc_ns(controller->options.objects)};
    enum sw_rc rc;

    if (!sw_informer_is_synced(controller->nodes) || !sw_informer_is_synced(controller->pods))
        return SW_OK; /* on_synced comes back here. */
    rc = nodes_read(controller, &view, err);
    if (rc == SW_OK)
        rc = waiting_plan(&view, controller->first, err);
    bool has_more = view.has_more;
    view.has_more = view.has_more && sw_plan_writes(pass->plan) > 0;
    if (rc == SW_OK)
        rc = waiting_plan(&view, controller->last, err);
    if (rc == SW_OK && (has_more || view.has_more) && !sw_plan_is_empty(pass->plan))
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
    const struct sw_api_pod *pod = pod_read(controller, change->before);

    if (pod != NULL) {
        load_change(controller, pod->spec.node_name, false);
        (void)sw_map_remove(controller->first, change->before->key, strlen(change->before->key));
        (void)sw_map_remove(controller->last, change->before->key, strlen(change->before->key));
    }
    pod = pod_read(controller, change->now);
    if (pod == NULL)
        return;
    load_change(controller, pod->spec.node_name, true);
    if (sort_pod(controller, pod, change->now))
        look(controller);
}

/* Whose Pods those are that are going is another matter with each Node that comes or goes, which
 * is rare. */
static void on_node(void *ctx, const struct sw_informer_change *change)
{
    struct sw_pod_controller *controller = ctx;
    const struct sw_store_item *item;
    size_t cursor = 0;

    look(controller);
    if (controller->pods == NULL || (change->before != NULL && change->now != NULL))
        return;
    while (sw_informer_next(controller->pods, &cursor, &item)) {
        const struct sw_api_pod *pod = pod_read(controller, item);

        if (pod != NULL)
            (void)sort_pod(controller, pod, item);
    }
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

    if (made == NULL || (made->scratch = sw_arena_new(VIEW_ARENA_MAX)) == NULL ||
        (made->first = sw_map_new_of(0, key_of)) == NULL ||
        (made->last = sw_map_new_of(0, key_of)) == NULL || (made->loads = sw_map_new(0)) == NULL)
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
    struct sw_map_entry found;
    size_t cursor = 0;

    if (controller == NULL)
        return;
    while (controller->loads != NULL && sw_map_next(controller->loads, &cursor, &found))
        free(found.value);
    sw_map_free(controller->loads);
    sw_map_free(controller->first);
    sw_map_free(controller->last);
    sw_informer_free(controller->pods);
    sw_informer_free(controller->nodes);
    sw_reconciler_free(controller->reconciler);
    sw_arena_free(controller->scratch);
    free(controller);
}
