#include "pkg/controller/agent/plan.h"

#include "pkg/controller/agent/controller.h"
#include "pkg/utils/base/hash.h"
#include "pkg/utils/base/text.h"

#include <string.h>

#define LABEL_SIZE_MAX 63
#define SUFFIX_SIZE_MAX 5 /* "-255" and one to spare. */

/* --- Pods ------------------------------------------------------------------------------------ */

/* The slots of Pod `index` of `count`: an even split whose parts differ by one at most. */
static struct sw_api_slot_range slots_of(uint32_t slots, size_t index, size_t count)
{
    uint32_t first = (uint32_t)(slots * index / count);

    return (struct sw_api_slot_range){.first = first,
                                      .count = (uint32_t)(slots * (index + 1) / count) - first};
}

size_t sw_agent_pods_wanted(const struct sw_agent_view *view)
{
    const struct sw_api_agent_spec *spec = &view->agent->spec;
    size_t most = spec->slots < SW_AGENT_PODS_MAX ? spec->slots : SW_AGENT_PODS_MAX;
    size_t wanted = spec->has_pods && spec->pods > 0 ? spec->pods : SW_AGENT_PODS_DEFAULT;

    return wanted < most ? wanted : most;
}

/* "reader-"; a name too long for a label is cut and told apart by its hash. */
char *sw_agent_pod_prefix(const struct sw_agent_view *view)
{
    static const uint8_t key[16] = "agent pod name.";
    const char *name = view->agent->metadata.name;

    if (strlen(name) + SUFFIX_SIZE_MAX <= LABEL_SIZE_MAX)
        return sw_arena_print(view->arena, "%s-", name);
    return sw_arena_print(view->arena, "%.44s-%08x-", name,
                          (unsigned)(sw_siphash(key, name, strlen(name)) & 0xffffffffu));
}

/* "reader-0" */
static char *pod_name(const struct sw_agent_view *view, size_t index)
{
    const char *prefix = sw_agent_pod_prefix(view);

    return prefix == NULL ? NULL : sw_arena_print(view->arena, "%s%zu", prefix, index);
}

static enum sw_rc pod_own(const struct sw_agent_view *view, struct sw_api_pod *pod)
{
    const struct sw_api_object_meta *owner = &view->agent->metadata;
    struct sw_api_owner_reference *reference = sw_arena_get(view->arena, sizeof *reference);

    if (reference == NULL)
        return SW_E_EXHAUSTED;
    *reference = (struct sw_api_owner_reference){
        .kind = "Agent", .name = owner->name, .uid = owner->uid, .controller = true};
    pod->metadata.owner_references = reference;
    pod->metadata.owner_references_count = 1;
    pod->metadata.namespace = owner->namespace;
    if (sw_object_add_finalizer(pod, SW_OBJECT_FINALIZER_POD, view->arena) != SW_OK)
        return SW_E_EXHAUSTED;
    return sw_api_pair_put(&pod->metadata.labels, &pod->metadata.labels_count, "agent", owner->name,
                           view->arena);
}

static enum sw_rc pod_make(const struct sw_agent_view *view, size_t index,
                           struct sw_api_pod **ret_pod)
{
    struct sw_api_pod *pod = sw_object_new(sw_kind_find("Pod"), view->arena);
    struct sw_api_slot_range *slots = sw_arena_get(view->arena, sizeof *slots);

    if (pod == NULL || slots == NULL)
        return SW_E_EXHAUSTED;
    *slots = slots_of(view->agent->spec.slots, index, sw_agent_pods_wanted(view));
    pod->spec.slots = slots;
    pod->spec.slots_count = 1;
    pod->spec.agent_name = view->agent->metadata.name;
    pod->spec.agent_uid = view->agent->metadata.uid;
    pod->spec.agent_generation = view->agent->metadata.generation;
    pod->spec.agent = view->agent->spec; /* Shared: both live in the arena. */
    pod->metadata.name = pod_name(view, index);
    if (pod->metadata.name == NULL)
        return SW_E_EXHAUSTED;
    *ret_pod = pod;
    return pod_own(view, pod);
}

static struct sw_api_pod *pod_find(const struct sw_agent_view *view, const char *name)
{
    for (size_t i = 0; i < view->pods_count; i++)
        if (strcmp(view->pods[i]->metadata.name, name) == 0)
            return view->pods[i];
    return NULL;
}

/* Give a Pod the Agent's spec and these slots, count 0: none. *ret_pod: it, if that is a change. */
static enum sw_rc pod_change(const struct sw_agent_view *view, struct sw_api_pod *pod,
                             struct sw_api_slot_range wanted, struct sw_api_pod **ret_pod)
{
    const struct sw_api_pod_spec *spec = &pod->spec;
    struct sw_api_slot_range *slots;

    if (spec->agent_generation == view->agent->metadata.generation &&
        spec->slots_count == (wanted.count > 0 ? 1 : 0) &&
        (wanted.count == 0 ||
         (spec->slots[0].first == wanted.first && spec->slots[0].count == wanted.count)))
        return SW_OK;
    slots = sw_arena_get(view->arena, sizeof *slots);
    if (slots == NULL)
        return SW_E_EXHAUSTED;
    *slots = wanted;
    pod->spec.slots = slots;
    pod->spec.slots_count = wanted.count > 0 ? 1 : 0;
    pod->spec.agent_generation = view->agent->metadata.generation;
    pod->spec.agent = view->agent->spec;
    *ret_pod = pod;
    return SW_OK;
}

/* Whether the Pod's Node runs it as it is now, so that it holds the slots that it is to hold. */
static bool is_settled(const struct sw_api_pod *pod)
{
    return pod->metadata.deletion_timestamp == 0 &&
           pod->status.observed_generation == pod->metadata.generation &&
           (pod->status.phase == SW_API_POD_PHASE_STARTING ||
            pod->status.phase == SW_API_POD_PHASE_READY);
}

/* Whether the number that its name ends with is beyond those that are wanted. */
static bool is_surplus(const struct sw_agent_view *view, const struct sw_api_pod *pod)
{
    const char *dash = strrchr(pod->metadata.name, '-');
    uint64_t index;

    return dash != NULL && sw_text_to_u64(dash + 1, &index) == SW_OK &&
           index >= sw_agent_pods_wanted(view);
}

enum sw_rc sw_agent_surplus_plan(const struct sw_agent_view *view, size_t at,
                                 struct sw_api_pod **ret_pod, bool *ret_delete, struct sw_err *err)
{
    struct sw_api_pod *pod = view->pods[at];
    size_t wanted = sw_agent_pods_wanted(view), settled = 0;
    enum sw_rc rc;

    *ret_pod = NULL;
    *ret_delete = false;
    if (pod->metadata.deletion_timestamp != 0 || !is_surplus(view, pod))
        return SW_OK;
    for (size_t i = 0; i < view->pods_count; i++)
        settled += !is_surplus(view, view->pods[i]) && is_settled(view->pods[i]);
    rc = pod_change(view, pod, (struct sw_api_slot_range){0}, ret_pod);
    if (rc != SW_OK)
        return sw_err_set(err, rc, "no memory to plan the Pods of Agent %s",
                          view->agent->metadata.name);
    *ret_delete = *ret_pod == NULL && settled == wanted;
    if (*ret_delete)
        *ret_pod = pod;
    return SW_OK;
}

enum sw_rc sw_agent_pod_plan(const struct sw_agent_view *view, size_t index,
                             struct sw_api_pod **ret_pod, struct sw_err *err)
{
    const char *name = pod_name(view, index);
    struct sw_api_pod *pod = name == NULL ? NULL : pod_find(view, name);
    enum sw_rc rc = name == NULL ? SW_E_EXHAUSTED : SW_OK;

    *ret_pod = NULL;
    if (rc == SW_OK && pod == NULL)
        rc = pod_make(view, index, ret_pod);
    else if (rc == SW_OK && pod->metadata.deletion_timestamp == 0)
        rc = pod_change(view, pod,
                        slots_of(view->agent->spec.slots, index, sw_agent_pods_wanted(view)),
                        ret_pod);
    if (rc != SW_OK)
        return sw_err_set(err, rc, "no memory to plan Pod %zu of Agent %s", index,
                          view->agent->metadata.name);
    return SW_OK;
}

/* --- Status ---------------------------------------------------------------------------------- */

struct tally {
    size_t pods, ready_pods, failed_pods;
    uint64_t instances, ready_instances;
    const char *words; /* Of the first Pod that failed, or else of the first that waits. */
};

static bool pod_is_ready(const struct sw_agent_view *view, const struct sw_api_pod *pod)
{
    return pod->status.phase == SW_API_POD_PHASE_READY && pod->metadata.deletion_timestamp == 0 &&
           pod->status.observed_agent_generation == view->agent->metadata.generation;
}

static struct tally tally_of(const struct sw_agent_view *view)
{
    struct tally tally = {.pods = view->pods_count, .words = ""};

    for (size_t i = 0; i < view->pods_count; i++) {
        const struct sw_api_pod *pod = view->pods[i];
        const struct sw_api_condition *ready =
            sw_condition_find(pod->status.conditions, pod->status.conditions_count, "Ready");

        tally.instances += pod->status.instances;
        tally.ready_instances += pod->status.ready_instances;
        bool is_ready = pod_is_ready(view, pod);
        bool has_failed = pod->status.phase == SW_API_POD_PHASE_FAILED;
        bool is_first = has_failed ? tally.failed_pods == 0 : tally.words[0] == '\0';
        if (is_first && ready != NULL && !is_ready)
            tally.words = ready->message;
        tally.ready_pods += is_ready ? 1 : 0;
        tally.failed_pods += has_failed ? 1 : 0;
    }
    return tally;
}

static enum sw_api_agent_phase phase_wanted(const struct sw_agent_view *view,
                                            const struct tally *tally)
{
    if (view->agent->metadata.deletion_timestamp != 0)
        return SW_API_AGENT_PHASE_DELETING;
    if (tally->failed_pods > 0 || view->taken != NULL)
        return SW_API_AGENT_PHASE_DEGRADED;
    if (tally->pods > 0 && tally->ready_pods == tally->pods)
        return SW_API_AGENT_PHASE_READY;
    return SW_API_AGENT_PHASE_DEPLOYING;
}

/* A new Agent passes through Deploying, however quickly the rest happened. */
static enum sw_api_agent_phase phase_next(enum sw_api_agent_phase now,
                                          enum sw_api_agent_phase wanted)
{
    bool is_new = now == SW_API_AGENT_PHASE_UNSPECIFIED || now == SW_API_AGENT_PHASE_PENDING;

    if (is_new && wanted != SW_API_AGENT_PHASE_DELETING)
        return now == SW_API_AGENT_PHASE_UNSPECIFIED ? SW_API_AGENT_PHASE_PENDING
                                                     : SW_API_AGENT_PHASE_DEPLOYING;
    return wanted;
}

static enum sw_rc condition_say(const struct sw_agent_view *view, const char *type, bool holds,
                                const char *reason, const char *message)
{
    struct sw_api_agent_status *status = &view->agent->status;
    struct sw_api_condition condition = {
        .type = type,
        .status = holds ? SW_API_CONDITION_STATUS_TRUE : SW_API_CONDITION_STATUS_FALSE,
        .reason = reason,
        .message = message,
        .last_transition_time = view->now_ns,
        .observed_generation = view->agent->metadata.generation,
    };

    return message == NULL ? SW_E_EXHAUSTED
                           : sw_condition_put(&status->conditions, &status->conditions_count,
                                              &condition, view->arena);
}

/* One Pod on each Node tells of it. An Agent that was never pushed back has no word of that. */
static enum sw_rc throttled_fill(const struct sw_agent_view *view)
{
    struct sw_api_agent_status *status = &view->agent->status;
    const struct sw_api_condition *of_pod;

    status->throttled = "";
    for (size_t i = 0; i < view->pods_count; i++) {
        const struct sw_api_pod_status *pod = &view->pods[i]->status;

        of_pod = sw_condition_find(pod->conditions, pod->conditions_count, "Throttled");
        if (of_pod == NULL || of_pod->status != SW_API_CONDITION_STATUS_TRUE)
            continue;
        status->throttled = of_pod->reason;
        return condition_say(view, "Throttled", true, of_pod->reason, of_pod->message);
    }
    if (sw_condition_find(status->conditions, status->conditions_count, "Throttled") == NULL)
        return SW_OK;
    return condition_say(view, "Throttled", false, "WithinLimits", "");
}

static enum sw_rc conditions_fill(const struct sw_agent_view *view, const struct tally *tally)
{
    bool is_ready = view->agent->status.phase == SW_API_AGENT_PHASE_READY;
    bool is_failing = tally->failed_pods > 0;
    const char *why = is_failing ? "PodsFailed" : "PodsNotReady";
    const char *counts = sw_arena_print(
        view->arena, "%zu of %zu Pods are ready with generation %llu", tally->ready_pods,
        tally->pods, (unsigned long long)view->agent->metadata.generation);
    const char *words = !is_ready && tally->words[0] != '\0' ? tally->words : counts;

    if (view->taken != NULL) {
        why = "PodNameTaken";
        words =
            sw_arena_print(view->arena, "Pod \"%s\" is not this Agent's; delete it", view->taken);
    }
    enum sw_rc rc = condition_say(view, "Ready", is_ready, is_ready ? "AllPodsReady" : why, words);
    if (rc == SW_OK)
        rc = condition_say(view, "Progressing", !is_ready, is_ready ? "Deployed" : "Deploying",
                           counts);
    return rc == SW_OK ? throttled_fill(view) : rc;
}

/* Whether another Pod of the same Node tells something newer. */
static bool is_older(const struct sw_agent_view *view, const struct sw_api_pod *pod)
{
    for (size_t i = 0; i < view->pods_count; i++) {
        const struct sw_api_pod *other = view->pods[i];

        if (strcmp(other->spec.node_name, pod->spec.node_name) == 0 &&
            (other->status.usage.time > pod->status.usage.time ||
             (other->status.usage.time == pod->status.usage.time && other < pod)))
            return true;
    }
    return false;
}

static void raise(uint64_t *sum, uint64_t value)
{
    if (*sum < value)
        *sum = value;
}

/* One Pod of each Node tells what the Agent used there. A Pod that went took what it told along,
 * but sums never become less: the next one that tells knows all. */
static void usage_fill(const struct sw_agent_view *view)
{
    struct sw_api_usage sum = {0}, *usage = &view->agent->status.usage;

    for (size_t i = 0; i < view->pods_count; i++) {
        const struct sw_api_usage *one = &view->pods[i]->status.usage;

        if (one->time == 0 || is_older(view, view->pods[i]))
            continue;
        sum.cpu_nanoseconds += one->cpu_nanoseconds;
        sum.messages += one->messages;
        sum.message_bytes += one->message_bytes;
        sum.sent += one->sent;
        sum.sent_bytes += one->sent_bytes;
        sum.wakeups += one->wakeups;
        sum.memory_byte_seconds += one->memory_byte_seconds;
        sum.memory_bytes += one->memory_bytes;
        sum.fuel += one->fuel;
        sum.storage_bytes += one->storage_bytes;
        sum.memory_reserved_bytes += one->memory_reserved_bytes;
        raise(&sum.time, one->time);
    }
    if (sum.time == 0)
        return;
    raise(&usage->cpu_nanoseconds, sum.cpu_nanoseconds);
    raise(&usage->messages, sum.messages);
    raise(&usage->message_bytes, sum.message_bytes);
    raise(&usage->sent, sum.sent);
    raise(&usage->sent_bytes, sum.sent_bytes);
    raise(&usage->wakeups, sum.wakeups);
    raise(&usage->memory_byte_seconds, sum.memory_byte_seconds);
    usage->memory_bytes = sum.memory_bytes;
    raise(&usage->fuel, sum.fuel);
    usage->storage_bytes = sum.storage_bytes;
    usage->memory_reserved_bytes = sum.memory_reserved_bytes;
    raise(&usage->time, sum.time);
}

enum sw_rc sw_agent_status_plan(const struct sw_agent_view *view, bool *ret_changed,
                                struct sw_err *err)
{
    struct sw_api_agent *agent = view->agent;
    struct sw_api_agent_status before;
    struct tally tally = tally_of(view);

    /* A deep copy: conditions are changed in place. */
    if (sw_api_copy(&sw_api_agent_status_message, &agent->status, view->arena, &before) != SW_OK)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the status of Agent %s",
                          agent->metadata.name);
    agent->status.phase = phase_next(agent->status.phase, phase_wanted(view, &tally));
    agent->status.observed_generation = agent->metadata.generation;
    agent->status.replicas = agent->spec.keyed ? 0 : agent->spec.replicas;
    agent->status.ready_replicas = agent->spec.keyed ? 0 : (uint32_t)tally.ready_instances;
    agent->status.instances = tally.instances;
    agent->status.pods = (uint32_t)tally.pods;
    agent->status.ready_pods = (uint32_t)tally.ready_pods;
    usage_fill(view);
    if (conditions_fill(view, &tally) != SW_OK)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the conditions of Agent %s",
                          agent->metadata.name);
    *ret_changed = !sw_api_is_equal(&sw_api_agent_status_message, &before, &agent->status);
    return SW_OK;
}
