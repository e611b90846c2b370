#include <stdlib.h>
#include <string.h>

#include "pkg/controller/cluster/state.h"
#include "pkg/utils/base/text.h"

#define TIMEOUT_NS_DEFAULT 40000000000u

static uint64_t timeout_ns(const struct sw_cluster_controller *controller, struct sw_arena *arena)
{
    uint64_t wanted_ns = TIMEOUT_NS_DEFAULT;
    void *object = NULL;

    if (sw_objects_get(
            controller->options.objects,
            &(const struct sw_object_ref){sw_kind_find("Cluster"), "", SW_OBJECT_NAME_DEFAULT},
            arena, &object, NULL) != SW_OK)
        return TIMEOUT_NS_DEFAULT;
    const struct sw_api_cluster *cluster = object;
    if (sw_text_to_duration_ns(cluster->spec.node_timeout, &wanted_ns) != SW_OK)
        return TIMEOUT_NS_DEFAULT;
    return wanted_ns;
}

static struct sw_api_condition lost_condition(const char *reason, const char *message,
                                              uint64_t now_ns)
{
    return (struct sw_api_condition){.type = "Ready",
                                     .status = SW_API_CONDITION_STATUS_UNKNOWN,
                                     .reason = reason,
                                     .message = message,
                                     .last_transition_time = now_ns};
}

static enum sw_rc plan_node_lost(struct sw_pass *pass, struct sw_api_node *node, uint64_t now_ns,
                                 struct sw_err *err)
{
    struct sw_api_condition condition =
        lost_condition("HeartbeatMissing", "the Node has not told of itself for too long", now_ns);

    condition.observed_generation = node->metadata.generation;
    node->status.phase = SW_API_NODE_PHASE_NOT_READY;
    if (sw_condition_put(&node->status.conditions, &node->status.conditions_count, &condition,
                         pass->arena) != SW_OK)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the Node's conditions");
    return sw_plan_update_status(pass->plan, sw_kind_find("Node"), node, err);
}

static bool was_running(const struct sw_api_pod *pod, const char *node_name)
{
    return strcmp(pod->spec.node_name, node_name) == 0 &&
           (pod->status.phase == SW_API_POD_PHASE_STARTING ||
            pod->status.phase == SW_API_POD_PHASE_READY);
}

static enum sw_rc plan_pod_lost(struct sw_pass *pass, const struct sw_api_pod *seen,
                                uint64_t now_ns, struct sw_err *err)
{
    struct sw_api_condition condition =
        lost_condition("NodeLost", "its Node has not told of itself for too long", now_ns);
    struct sw_api_pod *pod = sw_object_copy(sw_kind_find("Pod"), seen, pass->arena);

    if (pod == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the Pods of a lost Node");
    condition.observed_generation = pod->metadata.generation;
    pod->status.phase = SW_API_POD_PHASE_FAILED;
    pod->status.ready_instances = 0;
    if (sw_condition_put(&pod->status.conditions, &pod->status.conditions_count, &condition,
                         pass->arena) != SW_OK)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the Pods of a lost Node");
    return sw_plan_update_status(pass->plan, sw_kind_find("Pod"), pod, err);
}

/* The Pods keep their Node: their state is there, and they go on when it comes back. */
static enum sw_rc plan_pods_lost(struct sw_cluster_controller *controller, struct sw_pass *pass,
                                 const struct sw_api_node *node, uint64_t now_ns,
                                 struct sw_err *err)
{
    const struct sw_store_item *item = NULL;
    size_t cursor = 0, count = 0;

    while (sw_informer_next(controller->pods, &cursor, &item)) {
        void *object = NULL;
        sw_arena_reset(controller->scratch);
        enum sw_rc rc =
            sw_object_of_item(sw_kind_find("Pod"), item, controller->scratch, &object, err);
        if (rc != SW_OK)
            return rc;
        if (!was_running(object, node->metadata.name))
            continue;
        if (count++ == SW_CLUSTER_BATCH_MAX) {
            pass->again_ms = 1;
            return SW_OK;
        }
        rc = plan_pod_lost(pass, object, now_ns, err);
        if (rc != SW_OK)
            return rc;
    }
    return SW_OK;
}

/* How long the Node has been silent; 0 when this heartbeat is new to us. */
static enum sw_rc hear(struct sw_cluster_controller *controller, const char *key,
                       uint64_t heartbeat_ns, uint64_t *ret_silent_ms, struct sw_err *err)
{
    const struct sw_system *system = controller->options.system;
    uint64_t now_ms = system->monotonic_ns(system->ctx) / 1000000;
    struct sw_cluster_heard *heard = sw_map_find(controller->heard, key, strlen(key));

    if (heard == NULL) {
        heard = calloc(1, sizeof(*heard));
        if (heard == NULL ||
            sw_map_put(controller->heard, key, strlen(key), heard, NULL) != SW_OK) {
            free(heard);
            return sw_err_set(err, SW_E_EXHAUSTED, "no memory to listen to one more Node");
        }
        heard->since_ms = now_ms;
        heard->heartbeat_ns = heartbeat_ns;
    }
    if (heard->heartbeat_ns != heartbeat_ns)
        *heard = (struct sw_cluster_heard){.heartbeat_ns = heartbeat_ns, .since_ms = now_ms};
    *ret_silent_ms = now_ms - heard->since_ms;
    return SW_OK;
}

enum sw_rc sw_cluster_reconcile_node(struct sw_cluster_controller *controller, struct sw_pass *pass,
                                     struct sw_err *err)
{
    const struct sw_store_item *item =
        sw_store_find(sw_objects_store(controller->options.objects), pass->key);
    uint64_t now_ns = sw_objects_utc_ns(controller->options.objects), silent_ms = 0;
    void *object = NULL;

    if (item == NULL) {
        free(sw_map_remove(controller->heard, pass->key, strlen(pass->key)));
        return SW_OK;
    }
    enum sw_rc rc = sw_object_of_item(sw_kind_find("Node"), item, pass->arena, &object, err);
    if (rc != SW_OK)
        return rc;
    struct sw_api_node *node = object;
    uint64_t limit_ms = timeout_ns(controller, pass->arena) / 1000000;
    rc = hear(controller, pass->key, node->status.heartbeat_time, &silent_ms, err);
    if (rc != SW_OK)
        return rc;
    if (silent_ms < limit_ms) {
        pass->again_ms = limit_ms - silent_ms;
        return SW_OK;
    }
    if (node->status.phase != SW_API_NODE_PHASE_NOT_READY)
        rc = plan_node_lost(pass, node, now_ns, err);
    return rc == SW_OK ? plan_pods_lost(controller, pass, node, now_ns, err) : rc;
}
