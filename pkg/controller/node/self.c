#include <string.h>

#include "pkg/controller/node/state.h"
#include "pkg/utils/version/version.h"

static enum sw_rc register_self(struct sw_node_controller *controller, struct sw_pass *pass,
                                struct sw_err *err)
{
    const struct sw_kind *kind = sw_kind_find("Node");
    void *object = sw_object_new(kind, pass->arena);

    if (object == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to register the Node");
    sw_object_meta(object)->name = controller->options.name;
    pass->again_ms = 1; /* The status is written apart. */
    return sw_plan_create(pass->plan, kind, object, err);
}

static void count_pods(const struct sw_node_controller *controller,
                       struct sw_api_node_status *status)
{
    struct sw_map_entry found;
    size_t cursor = 0;

    status->pods = 0;
    status->instances = 0;
    while (sw_map_next(controller->by_uid, &cursor, &found)) {
        const struct sw_node_pod *entry = found.value;
        status->pods++;
        status->instances += entry->instances;
    }
}

struct hosts_list {
    struct sw_arena *arena;
    struct sw_api_node_host *items; /* NULL: they are counted. */
    size_t count, room;
};

static void note_host(void *ctx, const struct sw_node_host *host)
{
    struct hosts_list *list = ctx;

    if (list->items != NULL && list->count < list->room) {
        const char *message = host->message == NULL ? "" : host->message;
        const char *cgroup = host->cgroup == NULL ? "" : host->cgroup;
        char *words = sw_arena_copy(list->arena, message, strlen(message));

        if (words != NULL)
            sw_text_mend_end(words);
        list->items[list->count] = (struct sw_api_node_host){
            .name = sw_arena_copy(list->arena, host->name, strlen(host->name)),
            .phase = sw_arena_copy(list->arena, host->phase, strlen(host->phase)),
            .starts = (uint32_t)host->starts,
            .pods = (uint32_t)host->pods,
            .instances = host->instances,
            .message = words,
            .cgroup = sw_arena_copy(list->arena, cgroup, strlen(cgroup))};
    }
    list->count++;
}

static enum sw_rc put_hosts(const struct sw_node_controller *controller, struct sw_arena *arena,
                            struct sw_api_node_status *status)
{
    const struct sw_node_controller_options *options = &controller->options;
    struct hosts_list list = {.arena = arena};

    if (options->each_host == NULL)
        return SW_OK;
    options->each_host(options->hosts_ctx, note_host, &list);
    list.room = list.count;
    list.count = 0;
    list.items = sw_arena_array(arena, list.room + 1, sizeof *list.items);
    if (list.items == NULL)
        return SW_E_EXHAUSTED;
    options->each_host(options->hosts_ctx, note_host, &list);
    for (size_t i = 0; i < list.room; i++)
        if (list.items[i].name == NULL || list.items[i].phase == NULL ||
            list.items[i].message == NULL || list.items[i].cgroup == NULL)
            return SW_E_EXHAUSTED;
    status->hosts = list.items;
    status->hosts_count = list.room;
    return SW_OK;
}

static enum sw_rc put_ready(const struct sw_node_controller *controller, const struct sw_pass *pass,
                            struct sw_api_node *node)
{
    const struct sw_api_condition condition = {
        .type = "Ready",
        .status =
            controller->is_ready ? SW_API_CONDITION_STATUS_TRUE : SW_API_CONDITION_STATUS_FALSE,
        .reason = controller->is_ready ? "HostReady" : "HostNotReady",
        .message = controller->is_ready ? "" : controller->words,
        .last_transition_time = sw_objects_utc_ns(controller->options.objects),
        .observed_generation = node->metadata.generation,
    };

    return sw_condition_put(&node->status.conditions, &node->status.conditions_count, &condition,
                            pass->arena);
}

static enum sw_api_node_phase phase_of(const struct sw_node_controller *controller,
                                       enum sw_api_node_phase now)
{
    if (controller->is_ready)
        return SW_API_NODE_PHASE_READY;
    return now == SW_API_NODE_PHASE_STARTING ? now : SW_API_NODE_PHASE_NOT_READY;
}

/* The counts ride on the heartbeat: a Node is not written with every Pod's every report. */
enum sw_rc sw_node_reconcile_self(struct sw_node_controller *controller, struct sw_pass *pass,
                                  struct sw_err *err)
{
    const struct sw_node_controller_options *options = &controller->options;
    const struct sw_kind *kind = sw_kind_find("Node");
    uint64_t now_ns = sw_objects_utc_ns(options->objects);
    void *object = NULL;

    enum sw_rc rc =
        sw_objects_get(options->objects, &(const struct sw_object_ref){kind, "", options->name},
                       pass->arena, &object, err);
    if (rc == SW_E_NOT_FOUND)
        return register_self(controller, pass, err);
    if (rc != SW_OK)
        return rc;
    struct sw_api_node *node = object;
    struct sw_api_node_status *status = &node->status;
    enum sw_api_node_phase phase = phase_of(controller, status->phase);
    uint64_t age_ms = now_ns < status->heartbeat_time ? SW_NODE_HEARTBEAT_MS
                                                      : (now_ns - status->heartbeat_time) / 1000000;
    if (phase == status->phase && !controller->are_hosts_other && age_ms < SW_NODE_HEARTBEAT_MS &&
        strcmp(status->version, sw_version()) == 0 &&
        strcmp(status->address, options->address) == 0) {
        pass->again_ms = SW_NODE_HEARTBEAT_MS - age_ms;
        return SW_OK;
    }
    status->phase = phase;
    status->heartbeat_time = now_ns;
    status->version = sw_version();
    status->address = options->address;
    status->capacity.cpus = options->cpus;
    status->capacity.memory_bytes = options->memory_bytes;
    count_pods(controller, status);
    pass->again_ms = SW_NODE_HEARTBEAT_MS;
    if (put_ready(controller, pass, node) != SW_OK ||
        put_hosts(controller, pass->arena, status) != SW_OK)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the Node's status");
    controller->are_hosts_other = false;
    return sw_plan_update_status(pass->plan, kind, node, err);
}
