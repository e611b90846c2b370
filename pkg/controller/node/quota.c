#include "pkg/controller/node/state.h"

#include <stdio.h>
#include <string.h>

/* What namespaces may have on this Node: the least that their quotas allow. */

static void lower(uint64_t *limit, uint64_t value)
{
    if (value < *limit)
        *limit = value;
}

static void add_quota(struct sw_pod_quota *limits, const struct sw_api_quota_limits *hard)
{
    uint64_t memory_bytes, cpu_ns, storage_bytes;

    if (hard->has_instances)
        lower(&limits->instances, hard->instances);
    if (hard->memory != NULL && hard->memory[0] != '\0' &&
        sw_text_to_size_bytes(hard->memory, &memory_bytes) == SW_OK)
        lower(&limits->memory_bytes, memory_bytes);
    if (hard->messages_per_second != 0 &&
        (limits->messages_per_s == 0 || hard->messages_per_second < limits->messages_per_s))
        limits->messages_per_s = hard->messages_per_second;
    if (hard->cpu != NULL && hard->cpu[0] != '\0' &&
        sw_text_to_duration_ns(hard->cpu, &cpu_ns) == SW_OK &&
        (limits->cpu_ns == 0 || cpu_ns < limits->cpu_ns))
        limits->cpu_ns = cpu_ns;
    if (hard->storage != NULL && hard->storage[0] != '\0' &&
        sw_text_to_size_bytes(hard->storage, &storage_bytes) == SW_OK &&
        (limits->storage_bytes == 0 || storage_bytes < limits->storage_bytes))
        limits->storage_bytes = storage_bytes;
}

struct sw_pod_quota sw_node_quota_of(struct sw_node_controller *controller, const char *space)
{
    const struct sw_kind *kind = sw_kind_find("ResourceQuota");
    struct sw_pod_quota limits = {.instances = SW_POD_QUOTA_NONE,
                                  .memory_bytes = SW_POD_QUOTA_NONE};
    const struct sw_store_item *item;
    size_t cursor = 0;

    while (sw_informer_next(controller->quotas, &cursor, &item)) {
        void *object = NULL;

        sw_arena_reset(controller->scratch);
        if (sw_object_of_item(kind, item, controller->scratch, &object, NULL) != SW_OK)
            continue;
        const struct sw_api_resource_quota *quota = object;
        if (strcmp(quota->metadata.namespace, space) == 0)
            add_quota(&limits, &quota->spec.hard);
    }
    return limits;
}

/* All quotas of the namespace that a key is in. */
static void tell(struct sw_node_controller *controller, const char *key)
{
    const struct sw_pod_runner *runner = controller->options.runner;
    const char *begin = strchr(key, '/') + 1; /* "resourcequotas/SPACE/name" */
    struct sw_pod_quota limits;
    char space[64];

    snprintf(space, sizeof space, "%.*s", (int)strcspn(begin, "/"), begin);
    limits = sw_node_quota_of(controller, space);
    runner->set_quota(runner->ctx, space, &limits);
    sw_node_throttle_look(controller, space);
}

/* What it says is used changes with each Agent, and concerns nobody here. */
static void on_quota(void *ctx, const struct sw_informer_change *change)
{
    struct sw_node_controller *controller = ctx;

    if (change->now == NULL)
        tell(controller, change->before->key);
    else if (change->before == NULL ||
             !sw_object_keeps_spec(sw_kind_find("ResourceQuota"), change->before, change->now,
                                   controller->scratch))
        tell(controller, change->now->key);
}

enum sw_rc sw_node_follow_quotas(struct sw_node_controller *controller, struct sw_err *err)
{
    const struct sw_informer_handler handler = {.ctx = controller, .on_change = on_quota};

    return sw_informer_new(controller->options.objects, sw_kind_find("ResourceQuota"), &handler,
                           &controller->quotas, err);
}
