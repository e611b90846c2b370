#include <stdio.h>
#include <string.h>

#include "pkg/controller/events/state.h"
#include "pkg/utils/base/text.h"

#define WORDS_MAX 600

struct move { /* What is said when a phase is reached. */
    int phase;
    bool is_warning;
    const char *reason;
};

static const struct move AGENT_MOVES[] = {
    {SW_API_AGENT_PHASE_PENDING, false, "Accepted"},
    {SW_API_AGENT_PHASE_DEPLOYING, false, "Deploying"},
    {SW_API_AGENT_PHASE_READY, false, "DeploymentComplete"},
    {SW_API_AGENT_PHASE_DEGRADED, true, "Degraded"},
    {SW_API_AGENT_PHASE_DELETING, false, "Deleting"},
};
static const struct move POD_MOVES[] = {
    {SW_API_POD_PHASE_PENDING, false, "PodCreated"},
    {SW_API_POD_PHASE_BOUND, false, "PodBound"},
    {SW_API_POD_PHASE_STARTING, false, "PodStarting"},
    {SW_API_POD_PHASE_READY, false, "PodReady"},
    {SW_API_POD_PHASE_FAILED, true, "PodFailed"},
    {SW_API_POD_PHASE_STOPPING, false, "PodStopping"},
};
static const struct move NODE_MOVES[] = {
    {SW_API_NODE_PHASE_STARTING, false, "NodeStarting"},
    {SW_API_NODE_PHASE_READY, false, "NodeReady"},
    {SW_API_NODE_PHASE_NOT_READY, true, "NodeNotReady"},
};

struct standing { /* Where an object stands. */
    const struct sw_api_object_meta *meta;
    int phase;
    const struct sw_api_condition *ready; /* May be NULL. */
    const struct move *moves;
    size_t moves_count;
    const char *component;
};

#define STANDING_OF(object, table, who)                                                            \
    (struct standing)                                                                              \
    {                                                                                              \
        .meta = &(object)->metadata, .phase = (int)(object)->status.phase,                         \
        .ready = sw_condition_find((object)->status.conditions, (object)->status.conditions_count, \
                                   "Ready"),                                                       \
        .moves = (table), .moves_count = sizeof(table) / sizeof((table)[0]), .component = (who)    \
    }

static struct standing standing_of(const struct sw_kind *kind, const void *object)
{
    if (kind->message == &sw_api_agent_message)
        return STANDING_OF((const struct sw_api_agent *)object, AGENT_MOVES, "agent-controller");
    if (kind->message == &sw_api_pod_message)
        return STANDING_OF((const struct sw_api_pod *)object, POD_MOVES, "pod-controller");
    return STANDING_OF((const struct sw_api_node *)object, NODE_MOVES, "node-controller");
}

static void agent_words(const struct sw_api_agent *agent, char *words)
{
    snprintf(words, WORDS_MAX, "generation %llu: %u of %u Pods are ready, %llu instances",
             (unsigned long long)agent->metadata.generation, agent->status.ready_pods,
             agent->status.pods, (unsigned long long)agent->status.instances);
}

/* Instances of a keyed Agent begin with their first messages: no count of them says how ready a Pod
 * is for the next one. */
static void pod_words(const struct sw_api_pod *pod, char *words)
{
    const char *node = pod->spec.node_name[0] == '\0' ? "no Node" : pod->spec.node_name;

    if (pod->spec.agent.keyed) {
        snprintf(words, WORDS_MAX, "on %s: %s%llu so far", node,
                 pod->status.phase == SW_API_POD_PHASE_READY
                     ? "ready for messages; a key's first one begins its instance, "
                     : "instances begin with their first messages, ",
                 (unsigned long long)pod->status.instances);
        return;
    }
    snprintf(words, WORDS_MAX, "on %s: %llu of %llu instances are ready", node,
             (unsigned long long)pod->status.ready_instances,
             (unsigned long long)pod->status.instances);
}

/* A warning says why, if its condition knows; everything else says how far things are. */
static void fill_words(const struct sw_kind *kind, const void *object, const struct move *move,
                       const struct standing *standing, char words[WORDS_MAX])
{
    const char *why = standing->ready == NULL ? "" : standing->ready->message;

    words[0] = '\0';
    if (move->is_warning && why[0] != '\0')
        snprintf(words, WORDS_MAX, "%s", why);
    else if (kind->message == &sw_api_agent_message)
        agent_words(object, words);
    else if (kind->message == &sw_api_pod_message)
        pod_words(object, words);
    sw_text_mend_end(words);
}

static int phase_before(struct sw_events *events, const struct sw_kind *kind,
                        const struct sw_store_item *item)
{
    void *object = NULL;

    sw_arena_reset(events->scratch);
    if (item == NULL || sw_object_of_item(kind, item, events->scratch, &object, NULL) != SW_OK)
        return 0;
    return standing_of(kind, object).phase;
}

static void tell(struct sw_events *events, const struct sw_kind *kind, const void *object,
                 const struct standing *standing)
{
    char words[WORDS_MAX];

    for (size_t i = 0; i < standing->moves_count; i++) {
        const struct move *move = &standing->moves[i];
        if (move->phase != standing->phase)
            continue;
        fill_words(kind, object, move, standing, words);
        sw_events_record(events,
                         &(struct sw_occurrence){.kind = kind,
                                                 .namespace_name = standing->meta->namespace,
                                                 .name = standing->meta->name,
                                                 .uid = standing->meta->uid,
                                                 .is_warning = move->is_warning,
                                                 .reason = move->reason,
                                                 .component = standing->component,
                                                 .message = words});
    }
}

/* What was there when the daemon began is no news. */
void sw_events_note_move(struct sw_events *events, const struct sw_kind *kind,
                         const struct sw_informer_change *change, bool is_new)
{
    void *object = NULL;

    if (change->now == NULL || (change->before == NULL && !is_new))
        return;
    int before = phase_before(events, kind, change->before);
    sw_arena_reset(events->scratch);
    if (sw_object_of_item(kind, change->now, events->scratch, &object, NULL) != SW_OK)
        return;
    struct standing standing = standing_of(kind, object);
    if (standing.phase != before)
        tell(events, kind, object, &standing);
}
