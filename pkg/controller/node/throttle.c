#include "pkg/controller/node/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SENTENCE_MAX 256
#define WORDS_MAX (SW_POD_LIMITS * SENTENCE_MAX)

static const char *const reasons[SW_POD_LIMITS] = {
    [SW_POD_LIMIT_MESSAGES] = "MessageLimit",
    [SW_POD_LIMIT_QUOTA_MESSAGES] = "MessageQuota",
    [SW_POD_LIMIT_QUOTA_INSTANCES] = "InstanceQuota",
    [SW_POD_LIMIT_QUOTA_MEMORY] = "MemoryQuota",
    [SW_POD_LIMIT_QUOTA_CPU] = "ProcessorQuota",
    [SW_POD_LIMIT_QUOTA_STORAGE] = "StorageQuota",
};

/* Which limit it is, what it allows, and what to do. */
static void say(enum sw_pod_limit limit, const struct sw_api_pod *pod,
                const struct sw_pod_quota *quota, char ret_words[SENTENCE_MAX])
{
    switch (limit) {
    case SW_POD_LIMIT_MESSAGES:
        snprintf(ret_words, SENTENCE_MAX,
                 "each instance takes %" PRIu32
                 " messages a second (limits.messagesPerSecond), and "
                 "more are sent: send less, use more keys or replicas, or raise it",
                 pod->spec.agent.limits.messages_per_second);
        break;
    case SW_POD_LIMIT_QUOTA_MESSAGES:
        snprintf(ret_words, SENTENCE_MAX,
                 "the quota of the namespace allows %" PRIu64 " messages a second "
                 "(messagesPerSecond), and more are sent: send less, or have it raised",
                 quota->messages_per_s);
        break;
    case SW_POD_LIMIT_QUOTA_INSTANCES:
        snprintf(ret_words, SENTENCE_MAX,
                 "the quota of the namespace allows %" PRIu64 " instances (instances), and another "
                 "one is asked for: delete some, let idle ones end (spec.idle), or have it raised",
                 quota->instances);
        break;
    case SW_POD_LIMIT_QUOTA_MEMORY:
        snprintf(ret_words, SENTENCE_MAX,
                 "the quota of the namespace allows %" PRIu64 " bytes of memory (memory), and "
                 "another instance is asked for: delete some, lower limits.memory, or have it "
                 "raised",
                 quota->memory_bytes);
        break;
    case SW_POD_LIMIT_QUOTA_CPU:
        snprintf(ret_words, SENTENCE_MAX,
                 "the quota of the namespace allows %" PRIu64 " ms of the processor in a second "
                 "(cpu), and there is work for more: it waits; have less to do, or have it raised",
                 quota->cpu_ns / 1000000);
        break;
    case SW_POD_LIMIT_QUOTA_STORAGE:
        snprintf(ret_words, SENTENCE_MAX,
                 "the quota of the namespace allows %" PRIu64 " bytes on the disk (storage), and "
                 "they are used up: delete instances, keep less in them, or have it raised",
                 quota->storage_bytes);
        break;
    case SW_POD_LIMITS:
        break;
    }
}

/* A limit that was taken away pushes nobody back, whatever was told before. */
static bool is_there(enum sw_pod_limit limit, const struct sw_api_pod *pod,
                     const struct sw_pod_quota *quota)
{
    switch (limit) {
    case SW_POD_LIMIT_MESSAGES:
        return pod->spec.agent.limits.messages_per_second != 0;
    case SW_POD_LIMIT_QUOTA_MESSAGES:
        return quota->messages_per_s != 0;
    case SW_POD_LIMIT_QUOTA_INSTANCES:
        return quota->instances != SW_POD_QUOTA_NONE;
    case SW_POD_LIMIT_QUOTA_MEMORY:
        return quota->memory_bytes != SW_POD_QUOTA_NONE;
    case SW_POD_LIMIT_QUOTA_CPU:
        return quota->cpu_ns != 0;
    case SW_POD_LIMIT_QUOTA_STORAGE:
        return quota->storage_bytes != 0;
    case SW_POD_LIMITS:
        break;
    }
    return false;
}

static void space_of(const struct sw_node_pod *entry, char ret_space[64])
{
    const char *begin = strchr(entry->key, '/') + 1; /* "pods/SPACE/name" */

    snprintf(ret_space, 64, "%.*s", (int)strcspn(begin, "/"), begin);
}

/* People hear of it when it begins: that is an Event, which counts how often it began. */
static void note(struct sw_node_controller *controller, const struct sw_node_pod *entry,
                 enum sw_pod_limit limit)
{
    static const char *const words[SW_POD_LIMITS] = {
        [SW_POD_LIMIT_MESSAGES] =
            "its instances are sent more messages than limits.messagesPerSecond",
        [SW_POD_LIMIT_QUOTA_MESSAGES] =
            "the messagesPerSecond of its namespace's quota are used up",
        [SW_POD_LIMIT_QUOTA_INSTANCES] = "the instances of its namespace's quota are used up",
        [SW_POD_LIMIT_QUOTA_MEMORY] = "the memory of its namespace's quota is used up",
        [SW_POD_LIMIT_QUOTA_CPU] = "the processor time of its namespace's quota is used up",
        [SW_POD_LIMIT_QUOTA_STORAGE] = "the storage of its namespace's quota is used up",
    };
    char space[64];

    space_of(entry, space);
    sw_events_record(controller->options.events,
                     &(struct sw_occurrence){.kind = sw_kind_find("Agent"),
                                             .namespace_name = space,
                                             .name = entry->agent_name,
                                             .uid = entry->agent_uid,
                                             .is_warning = true,
                                             .reason = "Throttled",
                                             .component = "node-controller",
                                             .message = words[limit]});
}

void sw_node_on_throttled(void *ctx, const struct sw_pod_throttle *throttle)
{
    struct sw_node_controller *controller = ctx;
    struct sw_node_pod *entry =
        sw_map_find(controller->by_uid, throttle->uid, strlen(throttle->uid));
    bool is_new;

    if (entry == NULL || !entry->is_open)
        return;
    is_new = entry->throttled_ms[throttle->limit] == 0;
    entry->throttled_ms[throttle->limit] = sw_node_now_ms(controller) + 1; /* Never 0. */
    if (!is_new)
        return;
    if (controller->options.events != NULL)
        note(controller, entry, throttle->limit);
    sw_reconciler_add(controller->reconciler, entry->key, 0);
}

uint64_t sw_node_throttle_expire(const struct sw_node_controller *controller,
                                 struct sw_node_pod *entry)
{
    uint64_t now_ms = sw_node_now_ms(controller), least_ms = 0;

    for (size_t i = 0; i < SW_POD_LIMITS; i++) {
        uint64_t end_ms = entry->throttled_ms[i] + SW_NODE_THROTTLED_MS;

        if (entry->throttled_ms[i] == 0)
            continue;
        if (end_ms <= now_ms)
            entry->throttled_ms[i] = 0;
        else if (least_ms == 0 || end_ms - now_ms < least_ms)
            least_ms = end_ms - now_ms;
    }
    return least_ms;
}

static bool is_any(const struct sw_node_pod *entry)
{
    for (size_t i = 0; i < SW_POD_LIMITS; i++)
        if (entry->throttled_ms[i] != 0)
            return true;
    return false;
}

void sw_node_throttle_look(struct sw_node_controller *controller, const char *space)
{
    struct sw_map_entry each;
    size_t cursor = 0;

    while (sw_map_next(controller->by_uid, &cursor, &each)) {
        const struct sw_node_pod *entry = each.value;
        char its[64];

        space_of(entry, its);
        if (is_any(entry) && strcmp(its, space) == 0)
            sw_reconciler_add(controller->reconciler, entry->key, 0);
    }
}

/* The sentences of all that push back, and the reason of the first in *ret_reason. */
static void say_all(struct sw_node_controller *controller, const struct sw_node_pod *entry,
                    const struct sw_api_pod *pod, const char **ret_reason,
                    char ret_words[WORDS_MAX])
{
    const struct sw_pod_quota quota = sw_node_quota_of(controller, pod->metadata.namespace);

    for (size_t i = 0; i < SW_POD_LIMITS; i++) {
        size_t at = strlen(ret_words);
        char sentence[SENTENCE_MAX];

        if (entry->throttled_ms[i] == 0 || !is_there((enum sw_pod_limit)i, pod, &quota))
            continue;
        if (at == 0)
            *ret_reason = reasons[i];
        say((enum sw_pod_limit)i, pod, &quota, sentence);
        snprintf(ret_words + at, WORDS_MAX - at, "%s%s", at == 0 ? "" : "; ", sentence);
    }
}

enum sw_rc sw_node_put_throttled(struct sw_node_controller *controller,
                                 const struct sw_node_pod *entry, struct sw_api_pod *pod,
                                 struct sw_arena *arena)
{
    struct sw_api_pod_status *status = &pod->status;
    struct sw_api_condition condition = {.type = "Throttled",
                                         .status = SW_API_CONDITION_STATUS_FALSE,
                                         .reason = "WithinLimits",
                                         .last_transition_time =
                                             sw_objects_utc_ns(controller->options.objects),
                                         .observed_generation = pod->metadata.generation};
    char words[WORDS_MAX] = "";

    if (is_any(entry))
        say_all(controller, entry, pod, &condition.reason, words);
    if (words[0] != '\0')
        condition.status = SW_API_CONDITION_STATUS_TRUE;
    else if (sw_condition_find(status->conditions, status->conditions_count, "Throttled") == NULL)
        return SW_OK; /* It never was. */
    condition.message = sw_arena_copy(arena, words, strlen(words));
    return condition.message == NULL
               ? SW_E_EXHAUSTED
               : sw_condition_put(&status->conditions, &status->conditions_count, &condition,
                                  arena);
}
