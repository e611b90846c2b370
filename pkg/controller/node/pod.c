#include <string.h>

#include "pkg/controller/node/state.h"

/* --- What the runner is given -------------------------------------------------------------------
 */

static enum sw_rc fill_slots(const struct sw_api_pod *pod, struct sw_pod_spec *spec,
                             struct sw_err *err)
{
    if (pod->spec.agent.slots != SW_POD_SLOTS)
        return sw_err_set(err, SW_E_INVALID, "this Node runs Agents of %d slots, not of %u",
                          SW_POD_SLOTS, pod->spec.agent.slots);
    for (size_t i = 0; i < pod->spec.slots_count; i++) {
        const struct sw_api_slot_range *range = &pod->spec.slots[i];
        if (range->first >= SW_POD_SLOTS || range->count > SW_POD_SLOTS - range->first)
            return sw_err_set(err, SW_E_INVALID, "slots %u to %u are not among %d", range->first,
                              range->first + range->count - 1, SW_POD_SLOTS);
        for (uint32_t slot = range->first; slot < range->first + range->count; slot++)
            spec->slots[slot / 64] |= UINT64_C(1) << (slot % 64);
    }
    return SW_OK;
}

static enum sw_rc fill_limits(const struct sw_api_agent_limits *limits, struct sw_pod_limits *into,
                              struct sw_err *err)
{
    uint64_t deadline_ns = 0;

    if (sw_text_to_size_bytes(limits->memory, &into->memory_bytes_max) != SW_OK ||
        sw_text_to_size_bytes(limits->message_size, &into->message_bytes_max) != SW_OK ||
        sw_text_to_duration_ns(limits->deadline, &deadline_ns) != SW_OK)
        return sw_err_set(err, SW_E_INVALID, "the Pod's limits cannot be read");
    into->turn_cpu_ms_max = (deadline_ns + 999999) / 1000000;
    into->fuel_max = limits->fuel;
    into->mailbox_messages_max = limits->mailbox;
    into->instances_max = limits->instances;
    into->timers_max = limits->timers;
    into->messages_per_s = limits->messages_per_second;
    into->children_per_s = limits->children_per_second;
    return SW_OK;
}

static enum sw_rc fill_retry(const struct sw_api_retry_policy *retry, struct sw_pod_retry *into,
                             struct sw_err *err)
{
    into->attempts = retry->attempts;
    if (sw_text_to_duration_ns(retry->initial_backoff, &into->first_ns) != SW_OK ||
        sw_text_to_duration_ns(retry->max_backoff, &into->max_ns) != SW_OK)
        return sw_err_set(err, SW_E_INVALID, "the Pod's waits between tries cannot be read");
    return SW_OK;
}

static enum sw_rc fill_idle(const struct sw_api_idle_policy *idle, uint64_t *ret_idle_ns,
                            struct sw_err *err)
{
    if (idle->after == NULL || idle->after[0] == '\0' || idle->action != SW_API_IDLE_ACTION_DELETE)
        return SW_OK;
    if (sw_text_to_duration_ns(idle->after, ret_idle_ns) != SW_OK)
        return sw_err_set(err, SW_E_INVALID, "the Pod's idle time cannot be read");
    return SW_OK;
}

/* One that was stored before there was this has none. */
static enum sw_rc fill_rest(const struct sw_api_hibernation_policy *policy, uint64_t *ret_rest_ns,
                            struct sw_err *err)
{
    const char *after = policy->after == NULL || policy->after[0] == 0 ? "10s" : policy->after;

    return sw_text_to_duration_ns(after, ret_rest_ns) == SW_OK
               ? SW_OK
               : sw_err_set(err, SW_E_INVALID, "the Pod's time before sleep cannot be read");
}

#define HISTORY_BYTES ((uint64_t)256 << 20) /* Of an Agent that keeps one and does not say. */

static enum sw_rc fill_history(const struct sw_api_history_policy *policy, struct sw_pod_spec *spec,
                               struct sw_err *err)
{
    bool has_age = policy->max_age != NULL && policy->max_age[0] != 0;
    bool has_bytes = policy->max_bytes != NULL && policy->max_bytes[0] != 0;

    if ((has_age && sw_text_to_duration_ns(policy->max_age, &spec->history_ns) != SW_OK) ||
        (has_bytes && sw_text_to_size_bytes(policy->max_bytes, &spec->history_bytes) != SW_OK))
        return sw_err_set(err, SW_E_INVALID, "the Pod's limits of history cannot be read");
    spec->history_turns = policy->max_turns;
    if (!has_bytes && (has_age || policy->max_turns != 0))
        spec->history_bytes = HISTORY_BYTES;
    return SW_OK;
}

static unsigned priority_of(enum sw_api_priority priority)
{
    switch (priority) {
    case SW_API_PRIORITY_LOW:
        return 0;
    case SW_API_PRIORITY_HIGH:
        return 2;
    case SW_API_PRIORITY_URGENT:
        return 3;
    case SW_API_PRIORITY_NORMAL:
    case SW_API_PRIORITY_UNSPECIFIED:
        break;
    }
    return 1;
}

static enum sw_pod_isolation isolation_of(enum sw_api_isolation isolation)
{
    switch (isolation) {
    case SW_API_ISOLATION_NAMESPACE:
        return SW_POD_ISOLATION_NAMESPACE;
    case SW_API_ISOLATION_AGENT:
        return SW_POD_ISOLATION_AGENT;
    case SW_API_ISOLATION_SHARED:
    case SW_API_ISOLATION_UNSPECIFIED:
        break;
    }
    return SW_POD_ISOLATION_SHARED;
}

static enum sw_pod_engine engine_of(enum sw_api_engine engine)
{
    switch (engine) {
    case SW_API_ENGINE_COMPUTE:
        return SW_POD_ENGINE_COMPUTE;
    case SW_API_ENGINE_REPLAY:
        return SW_POD_ENGINE_REPLAY;
    case SW_API_ENGINE_COMPACT:
    case SW_API_ENGINE_UNSPECIFIED:
        break;
    }
    return SW_POD_ENGINE_COMPACT;
}

enum sw_rc sw_node_pod_spec(const struct sw_api_pod *pod, struct sw_pod_spec *ret_spec,
                            struct sw_err *err)
{
    const struct sw_api_agent_spec *agent = &pod->spec.agent;
    struct sw_pod_spec spec = {
        .uid = pod->metadata.uid,
        .namespace_name = pod->metadata.namespace,
        .name = pod->metadata.name,
        .generation = pod->metadata.generation,
        .agent_name = pod->spec.agent_name,
        .agent_uid = pod->spec.agent_uid,
        .resets = agent->upgrade == SW_API_UPGRADE_RESET,
        .module_digest = agent->module,
        .runtime = sw_api_enum_text(&sw_api_runtime_enum, (int)agent->runtime),
        .is_keyed = agent->keyed,
        .replicas = agent->keyed ? 0 : agent->replicas,
        .durability = agent->durability == SW_API_DURABILITY_NONE ? SW_POD_DURABILITY_NONE
                                                                  : SW_POD_DURABILITY_LOCAL,
        .isolation = isolation_of(agent->isolation),
        .engine = engine_of(agent->engine),
        .priority = priority_of(agent->priority),
        .weight = agent->weight,
        .config = {.data = agent->config, .size = strlen(agent->config)},
    };

    enum sw_rc rc = fill_slots(pod, &spec, err);
    if (rc == SW_OK)
        rc = fill_limits(&agent->limits, &spec.limits, err);
    if (rc == SW_OK)
        rc = fill_retry(&agent->retry, &spec.retry, err);
    if (rc == SW_OK)
        rc = fill_idle(&agent->idle, &spec.idle_ns, err);
    if (rc == SW_OK)
        rc = fill_rest(&agent->hibernation, &spec.rest_ns, err);
    if (rc == SW_OK)
        rc = fill_history(&agent->history, &spec, err);
    if (rc == SW_OK)
        *ret_spec = spec;
    return rc;
}

/* --- What the store is told ---------------------------------------------------------------------
 */

static enum sw_api_pod_phase phase_wanted(const struct sw_node_pod *entry)
{
    if (entry->is_closing)
        return SW_API_POD_PHASE_STOPPING;
    if (entry->phase == SW_POD_FAILED)
        return SW_API_POD_PHASE_FAILED;
    bool is_ready = entry->is_open && entry->phase == SW_POD_RUNNING &&
                    entry->observed_generation == entry->generation;
    return is_ready ? SW_API_POD_PHASE_READY : SW_API_POD_PHASE_STARTING;
}

/* A Pod becomes Ready through Starting only; the rest follows with the next look. */
static enum sw_api_pod_phase phase_next(enum sw_api_pod_phase now, enum sw_api_pod_phase wanted)
{
    if (wanted == SW_API_POD_PHASE_READY && now != SW_API_POD_PHASE_READY)
        return now == SW_API_POD_PHASE_STARTING ? wanted : SW_API_POD_PHASE_STARTING;
    return wanted;
}

static void ready_words(const struct sw_node_pod *entry, enum sw_api_pod_phase phase,
                        const char **ret_reason, const char **ret_message)
{
    static const char *const reasons[] = {
        [SW_API_POD_PHASE_STARTING] = "Starting",
        [SW_API_POD_PHASE_READY] = "InstancesReady",
        [SW_API_POD_PHASE_FAILED] = "Failed",
        [SW_API_POD_PHASE_STOPPING] = "Stopping",
    };

    bool has_reason = entry->reason[0] != '\0' && phase != SW_API_POD_PHASE_READY;
    *ret_reason = has_reason ? entry->reason : reasons[phase];
    *ret_message = phase == SW_API_POD_PHASE_READY ? "" : entry->message;
}

static enum sw_rc put_ready(const struct sw_node_pod *entry, struct sw_api_pod *pod,
                            uint64_t utc_ns, struct sw_arena *arena)
{
    struct sw_api_condition condition = {
        .type = "Ready",
        .status = pod->status.phase == SW_API_POD_PHASE_READY ? SW_API_CONDITION_STATUS_TRUE
                                                              : SW_API_CONDITION_STATUS_FALSE,
        .last_transition_time = utc_ns,
        .observed_generation = pod->metadata.generation,
    };

    ready_words(entry, pod->status.phase, &condition.reason, &condition.message);
    return sw_condition_put(&pod->status.conditions, &pod->status.conditions_count, &condition,
                            arena);
}

/* As often as it may be; what else is written meanwhile does not say it more often. */
static void put_used(const struct sw_node_pod *entry, struct sw_api_usage *usage)
{
    const struct sw_pod_used *used = &entry->used;

    if (used->utc_ns == 0)
        return;
    *usage = (struct sw_api_usage){.time = used->utc_ns,
                                   .cpu_nanoseconds = used->cpu_ns,
                                   .messages = used->handled,
                                   .message_bytes = used->bytes_in,
                                   .sent = used->sent,
                                   .sent_bytes = used->bytes_out,
                                   .wakeups = used->wakeups,
                                   .memory_byte_seconds = used->memory_byte_s,
                                   .memory_bytes = used->memory_bytes,
                                   .fuel = used->fuel,
                                   .storage_bytes = used->storage_bytes,
                                   .memory_reserved_bytes = used->reserved_bytes};
}

enum sw_rc sw_node_pod_status(const struct sw_node_pod *entry, struct sw_api_pod *pod,
                              uint64_t utc_ns, struct sw_arena *arena)
{
    struct sw_api_pod_status *status = &pod->status;

    status->phase = phase_next(status->phase, phase_wanted(entry));
    status->instances = entry->instances;
    status->ready_instances = entry->ready;
    status->restarts = (uint32_t)(entry->restarts_before + entry->reopens + entry->host_restarts);
    status->observed_generation = entry->observed_generation;
    if (entry->observed_generation == pod->metadata.generation)
        status->observed_agent_generation = pod->spec.agent_generation;
    put_used(entry, &status->usage);
    return put_ready(entry, pod, utc_ns, arena);
}
