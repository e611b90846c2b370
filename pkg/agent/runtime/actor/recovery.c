#include "pkg/agent/runtime/actor/recovery.h"

#include "include/swarm/agent.h"
#include "pkg/agent/runtime/actor/letters.h"
#include "pkg/agent/runtime/actor/snapshot.h"
#include "pkg/agent/runtime/actor/state.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAILBOX_UNTIL_OPENED 1024u

enum pending_state {
    PENDING_ROUTED, /* Its Pod, and its key or instance, are known. */
    PENDING_LOST    /* Its receiver keeps nothing, or is gone: a question fails unless answered. */
};

/* Something that was sent and whose handling has not been met yet. */
struct pending {
    struct sw_effect_name name;
    struct sw_message *message;
    enum pending_state state;
};

struct pending_key {
    uint64_t lsn, index, instance; /* instance: the subscriber of a publish; otherwise 0. */
};

struct recovery {
    struct sw_shared *shared;
    struct sw_worker **workers;
    uint32_t count;
    struct sw_map *pending; /* struct pending by struct pending_key. */
    struct sw_recovery_report *report;
    struct sw_err *err;
    struct sw_journal_place place; /* Of the record being taken in. */
    uint32_t effects_at;           /* Within it. */
    uint64_t latest_ns;            /* Of all records. */
    const char *folder;
    const uint8_t *uuid; /* Of the journal. */
};

static struct sw_worker *worker_of(const struct recovery *recovery, uint64_t pod)
{
    return recovery->workers[pod % recovery->count];
}

static struct sw_pod *find_pod(const struct recovery *recovery, uint64_t number)
{
    return sw_map_find(worker_of(recovery, number)->pods, &number, sizeof number);
}

static enum sw_rc no_memory(struct recovery *recovery)
{
    return sw_err_set(recovery->err, SW_E_EXHAUSTED, "no memory to recover the journal");
}

static enum sw_rc contradiction(struct recovery *recovery, const char *what)
{
    return sw_err_set(recovery->err, SW_E_CORRUPT, "journal: %s, at lsn %" PRIu64, what,
                      recovery->place.lsn);
}

/* --- What waits ------------------------------------------------------------------------------ */

static enum sw_rc pending_add(struct recovery *recovery, const struct pending_key *key,
                              const struct sw_message *template, enum pending_state state)
{
    struct pending *pending = calloc(1, sizeof *pending);
    struct sw_message *message = pending == NULL ? NULL : sw_message_new(template);
    void *old = NULL;

    if (message == NULL ||
        sw_map_put(recovery->pending, key, sizeof *key, pending, &old) != SW_OK) {
        free(pending);
        sw_message_free(message);
        return no_memory(recovery);
    }
    assert(old == NULL);
    pending->name = (struct sw_effect_name){key->lsn, (uint32_t)key->index};
    pending->message = message;
    pending->state = state;
    return SW_OK;
}

static void pending_remove(struct recovery *recovery, const struct pending_key *key)
{
    struct pending *pending = sw_map_remove(recovery->pending, key, sizeof *key);

    if (pending == NULL)
        return;
    sw_message_free(pending->message);
    free(pending);
}

/* An answer that follows from a record without being an effect of it. */
static enum sw_rc pending_failure(struct recovery *recovery, const struct sw_origin *origin,
                                  uint32_t index, int32_t status)
{
    struct sw_message template = {
        .pod = origin->pod,
        .instance = origin->instance,
        .head = {.flags = SWARM_MESSAGE_IS_REPLY,
                 .priority = SWARM_PRIORITY_NORMAL,
                 .status = status,
                 .tag = origin->number,
                 .source = {recovery->place.lsn, index},
                 .answers = origin->send,
                 .type = {"text/plain", 10}},
        .body = {"the message was not handled", 27},
    };
    struct pending_key key = {recovery->place.lsn, index, 0};

    if (!sw_origin_is_durable(origin))
        return SW_OK;
    if (origin->kind == SW_ORIGIN_WAIT)
        template.head.flags |= SW_MESSAGE_ENDS_WAIT;
    return pending_add(recovery, &key, &template, PENDING_ROUTED);
}

/* --- Effects --------------------------------------------------------------------------------- */

struct effects { /* Of the record being taken in. */
    const struct sw_record_segment *segment;
    struct sw_instance *instance;
    struct sw_reader routes;
    char from[320];
    size_t from_size;
};

static struct sw_turn_route route_of(struct effects *effects, uint32_t index)
{
    struct sw_reader peek = effects->routes;
    struct sw_turn_route route = {0};

    if (peek.at == peek.size || sw_reader_u32(&peek) != index)
        return route;
    route.end = sw_reader_u32(&peek);
    route.value = sw_reader_u64(&peek);
    effects->routes = peek;
    return route;
}

static struct sw_message template_of(const struct recovery *recovery, const struct effects *effects,
                                     const struct sw_effect *effect, uint32_t index)
{
    return (struct sw_message){.head = {.priority = effect->priority,
                                        .source = {recovery->place.lsn, index},
                                        .from = {effects->from, effects->from_size},
                                        .type = effect->type},
                               .body = effect->body,
                               .body_lsn = recovery->place.lsn,
                               .body_at = recovery->effects_at + effect->body_at};
}

/* Where a send went: to the Pod that held its key at this point of the journal, since a Pod's
 * record comes before any send to it. Later its sender may be gone, or another Pod in its
 * receiver's place: neither changes who is to get it. False: nowhere; the receiver was on its way
 * out. */
static bool find_way(struct recovery *recovery, const struct effects *effects,
                     const struct sw_turn_route *decided, struct sw_message *message, char name[24])
{
    struct sw_bytes agent, key;
    const struct sw_route *route;
    uint64_t pod;

    if ((decided->end & (SW_ROUTE_VOLATILE | SW_ROUTE_UNREACHABLE)) != 0 ||
        !sw_name_split(message->key, &agent, &key))
        return false;
    route = sw_routes_agent(recovery->workers[0]->routes, effects->instance->pod->config.name_space,
                            agent);
    if (route == NULL)
        return false;
    if ((decided->end & SW_ROUTE_REPLICA) != 0) {
        int size = snprintf(name, 24, "%" PRIu64,
                            decided->value % (route->replicas == 0 ? 1 : route->replicas));
        key = (struct sw_bytes){name, (size_t)size};
    }
    pod = route->pods[sw_slot_of(route->hash_key, key)];
    if (pod == 0)
        return false;
    message->pod = pod;
    message->key = key;
    return true;
}

static enum sw_rc take_send(struct recovery *recovery, struct effects *effects,
                            const struct sw_effect *effect, uint32_t index)
{
    struct sw_turn_route route = route_of(effects, index);
    struct sw_message template = template_of(recovery, effects, effect, index);
    struct pending_key key = {recovery->place.lsn, index, 0};
    char name[24];

    template.pod = effects->instance->pod->config.pod;
    template.key = effect->to;
    if (effect->number != 0) {
        template.head.flags = SWARM_MESSAGE_WANTS_REPLY;
        template.head.origin = (struct sw_origin){
            .kind = effect->kind == SW_EFFECT_ASK ? SW_ORIGIN_WAIT : SW_ORIGIN_INSTANCE,
            .pod = template.pod,
            .instance = effects->instance->id,
            .number = effect->number,
            .send = {recovery->place.lsn, index}};
    }
    if (find_way(recovery, effects, &route, &template, name))
        return pending_add(recovery, &key, &template, PENDING_ROUTED);
    return effect->number == 0 ? SW_OK : pending_add(recovery, &key, &template, PENDING_LOST);
}

static enum sw_rc take_reply(struct recovery *recovery, const struct effects *effects,
                             const struct sw_effect *effect, uint32_t index)
{
    const struct sw_handle *handle = sw_actor_handle(&effects->instance->actor, effect->number);
    const struct sw_origin *origin =
        handle != NULL ? &handle->origin : &effects->segment->head.origin;
    struct sw_message template = template_of(recovery, effects, effect, index);
    struct pending_key key = {recovery->place.lsn, index, 0};

    if (!sw_origin_is_durable(origin))
        return SW_OK;
    template.pod = origin->pod;
    template.instance = origin->instance;
    template.head.flags =
        SWARM_MESSAGE_IS_REPLY | (origin->kind == SW_ORIGIN_WAIT ? SW_MESSAGE_ENDS_WAIT : 0);
    template.head.priority = SWARM_PRIORITY_NORMAL;
    template.head.status = effect->status;
    template.head.tag = origin->number;
    template.head.answers = origin->send;
    return pending_add(recovery, &key, &template, PENDING_ROUTED);
}

/* message->head.request_id: what its client named it. */
static enum sw_rc take_publish(struct recovery *recovery, struct sw_bytes space,
                               const struct sw_message *message, uint64_t time_ns)
{
    const struct sw_publish_name name = {space, message->head.subject, message->head.request_id};
    const struct sw_subscriber *const *found;
    size_t count = sw_bus_match(&recovery->shared->bus, space, message->head.subject, &found);
    enum sw_rc rc = sw_bus_note_publish(&recovery->shared->bus, &name, time_ns, count);

    if (rc != SW_OK)
        return no_memory(recovery);

    for (size_t i = 0; rc == SW_OK && i < count; i++) {
        struct pending_key key = {recovery->place.lsn, message->head.source.index,
                                  found[i]->instance};
        struct sw_message template = *message;

        template.pod = found[i]->pod;
        template.instance = found[i]->instance;
        template.head.flags = SWARM_MESSAGE_PUBLISHED;
        template.head.request_id = (struct sw_bytes){NULL, 0}; /* Not its receivers' business. */
        rc = pending_add(recovery, &key, &template, PENDING_ROUTED);
    }
    return rc;
}

static enum sw_rc take_effect(struct recovery *recovery, struct effects *effects,
                              const struct sw_effect *effect, uint32_t index)
{
    const struct sw_pod_config *config = &effects->instance->pod->config;
    struct sw_subscriber who = {
        .instance = effects->instance->id, .pod = config->pod, .is_durable = true};
    struct sw_message template;

    switch (effect->kind) {
    case SW_EFFECT_SEND:
    case SW_EFFECT_ASK:
        return take_send(recovery, effects, effect, index);
    case SW_EFFECT_REPLY:
        return take_reply(recovery, effects, effect, index);
    case SW_EFFECT_PUBLISH:
        template = template_of(recovery, effects, effect, index);
        template.head.subject = effect->to;
        return sw_subject_is_valid(effect->to)
                   ? take_publish(recovery, config->name_space, &template, 0)
                   : contradiction(recovery, "a publish to no subject");
    case SW_EFFECT_SUBSCRIBE:
        return sw_subject_is_pattern(effect->to)
                   ? sw_bus_add(&recovery->shared->bus, &who, config->name_space, effect->to)
                   : contradiction(recovery, "a subscription to no subject");
    case SW_EFFECT_UNSUBSCRIBE:
        sw_bus_remove(&recovery->shared->bus, who.instance, config->name_space, effect->to);
        return SW_OK;
    case SW_EFFECT_TIMER_START:
    case SW_EFFECT_TIMER_CANCEL:
    case SW_EFFECT_RECEIVE:
    case SW_EFFECT_SLEEP:
    case SW_EFFECT_CALL:
        return SW_OK;
    }
    return SW_OK;
}

/* --- Records --------------------------------------------------------------------------------- */

/* Numbers are never given twice. */
static void raise(_Atomic uint64_t *next, uint64_t number)
{
    if (atomic_load(next) < number)
        atomic_store(next, number);
}

/* Everybody learns where the Pod is. */
static enum sw_rc announce(struct recovery *recovery, const struct sw_pod *pod)
{
    struct sw_route_change change;

    sw_pod_route(pod, (uint32_t)(pod->config.pod % recovery->count), &change);
    for (uint32_t i = 0; i < recovery->count; i++)
        if (sw_routes_change(recovery->workers[i]->routes, &change) != SW_OK)
            return no_memory(recovery);
    return SW_OK;
}

static enum sw_rc take_pod(struct recovery *recovery, const struct sw_record_pod *record)
{
    struct sw_worker *worker = worker_of(recovery, record->pod);
    struct sw_pod *pod = find_pod(recovery, record->pod);
    struct sw_pod_config config = {
        .pod = record->pod,
        .uid = record->uid,
        .name_space = record->name_space,
        .agent = record->agent,
        .agent_uid = record->agent_uid,
        .is_keyed = record->is_keyed,
        .is_durable = true,
        .replicas = record->replicas,
        .priority = SWARM_PRIORITY_NORMAL,
        .deadline_ms = 1000,
        .mailbox = MAILBOX_UNTIL_OPENED,
        .body_bytes = record->body_bytes,
    };

    const struct sw_spec *spec = sw_specs_find(&recovery->shared->specs, record->spec);

    if (record->slots.size != sizeof config.slots || spec == NULL)
        return contradiction(recovery, "a Pod with other slots, or without a spec");
    config.digest = spec->digest;
    config.config = spec->config;
    memcpy(config.slots, record->slots.data, sizeof config.slots);
    if (pod == NULL) {
        pod = sw_pod_new(recovery->shared, &config);
        if (pod == NULL ||
            sw_map_put(worker->pods, &config.pod, sizeof config.pod, pod, NULL) != SW_OK) {
            sw_pod_free(worker, pod);
            return no_memory(recovery);
        }
        pod->is_recovered = true;
    } else if (sw_pod_set_config(pod, &config) != SW_OK) {
        return no_memory(recovery);
    }
    pod->spec = spec;
    raise(&recovery->shared->next_pod, record->pod + 1);
    return announce(recovery, pod);
}

static enum sw_rc take_spec(struct recovery *recovery, const struct sw_record_spec *record)
{
    enum sw_rc rc = sw_specs_load(&recovery->shared->specs, record);

    if (rc == SW_E_CORRUPT)
        return contradiction(recovery, "a spec that is there already");
    return rc == SW_OK ? SW_OK : no_memory(recovery);
}

static enum sw_rc drop_pod(struct recovery *recovery, uint64_t number)
{
    struct sw_worker *worker = worker_of(recovery, number);
    struct sw_pod *pod = find_pod(recovery, number);
    struct sw_route_change change = {.is_gone = true};

    if (pod == NULL || sw_map_count(pod->instances) != 0)
        return contradiction(recovery, "the end of a Pod that is not there or not empty");
    change.name_space = pod->config.name_space;
    change.agent = pod->config.agent;
    change.pod.pod = number;
    for (uint32_t i = 0; i < recovery->count; i++)
        if (sw_routes_change(recovery->workers[i]->routes, &change) != SW_OK)
            return no_memory(recovery);
    (void)sw_map_remove(worker->pods, &number, sizeof number);
    sw_pod_free(worker, pod);
    return SW_OK;
}

static enum sw_rc take_start(struct recovery *recovery, const struct sw_record_segment *segment,
                             struct sw_instance **ret_instance)
{
    struct sw_worker *worker = worker_of(recovery, segment->pod);
    struct sw_pod *pod = find_pod(recovery, segment->pod);
    struct sw_instance *instance;

    if (pod == NULL || segment->previous != 0 ||
        sw_map_find(pod->instances, segment->key.data, segment->key.size) != NULL ||
        sw_map_find(worker->instances, &segment->instance, sizeof segment->instance) != NULL)
        return contradiction(recovery, "the birth of an instance that is there, or of no Pod");
    instance = sw_instance_add(worker, pod, segment->key, segment->instance);
    if (instance == NULL)
        return no_memory(recovery);
    memcpy(instance->random.seed, segment->seed.data, sizeof instance->random.seed);
    instance->memory_bytes = segment->memory_bytes;
    instance->is_started = true;
    pod->ready++;
    raise(&recovery->shared->next_instance, segment->instance + 1);
    *ret_instance = instance;
    return SW_OK;
}

/* What waits under the name that a message came with; NULL: nothing. One that was published waits
 * once for each subscriber, but for one that was delivered again: it is sent to a key. */
static struct pending *pending_of(struct recovery *recovery, const struct sw_message_head *head,
                                  uint64_t instance, struct pending_key *ret_key)
{
    struct pending *pending = NULL;

    *ret_key = (struct pending_key){head->source.lsn, head->source.index, instance};
    if (head->source.lsn == 0)
        return NULL;
    if ((head->flags & SWARM_MESSAGE_PUBLISHED) != 0)
        pending = sw_map_find(recovery->pending, ret_key, sizeof *ret_key);
    if (pending != NULL)
        return pending;
    ret_key->instance = 0;
    return sw_map_find(recovery->pending, ret_key, sizeof *ret_key);
}

/* What is not handled and was not known before: its body is in the record itself. */
static enum sw_rc pending_make(struct recovery *recovery, const struct sw_record_segment *segment,
                               struct pending **ret_pending)
{
    struct sw_message template = {.pod = segment->pod,
                                  .instance = segment->instance,
                                  .is_timer = segment->entry == SW_ENTRY_TIMER,
                                  .head = segment->head,
                                  .body = segment->body};
    struct pending_key key = {recovery->place.lsn, SW_INDEX_RETRY, 0};
    enum sw_rc rc;

    if (segment->body_lsn != 0 || template.is_timer)
        return contradiction(recovery, "another try of a message that was not on its way");
    template.head.source = (struct sw_effect_name){key.lsn, SW_INDEX_RETRY};
    rc = pending_add(recovery, &key, &template, PENDING_ROUTED);
    if (rc == SW_OK)
        *ret_pending = sw_map_find(recovery->pending, &key, sizeof key);
    return rc;
}

static enum sw_rc letter_add(struct recovery *recovery, struct sw_instance *instance,
                             const struct sw_record_segment *segment,
                             const struct sw_message *waiting)
{
    const char *reason = sw_outcome_reason(segment->outcome);
    struct sw_message timer = {.pod = segment->pod,
                               .is_timer = true,
                               .head = {.priority = SWARM_PRIORITY_NORMAL, .tag = segment->timer}};
    struct sw_message message = {.pod = segment->pod, .head = segment->head, .body = segment->body};
    struct sw_letter letter = {.number = recovery->place.lsn,
                               .time_ns = segment->time_ns,
                               .attempts = segment->attempt,
                               .reason = {reason, strlen(reason)},
                               .words = segment->words};

    if (segment->entry == SW_ENTRY_TIMER)
        message = timer;
    else if (waiting == NULL && segment->body_lsn != 0)
        return contradiction(recovery, "a dead letter that was not on its way");
    return sw_letters_add(&instance->pod->letters, &letter, sw_instance_key(instance),
                          waiting != NULL ? waiting : &message) == SW_OK
               ? SW_OK
               : no_memory(recovery);
}

/* A message came to a handler: it does not wait any more, unless it is to be tried again. */
static enum sw_rc take_input(struct recovery *recovery, struct sw_instance *instance,
                             const struct sw_record_segment *segment)
{
    bool is_again = segment->entry == SW_ENTRY_TIMER && segment->again != 0;
    const struct sw_message_head *head = &segment->head;
    struct sw_message_head timer = {.source = {segment->again, 0}};
    struct pending_key key, asked = {head->answers.lsn, head->answers.index, 0};
    struct pending *pending;
    enum sw_fate fate = sw_outcome_counts(segment->outcome) ? SW_FATE_TOLD : segment->fate;
    enum sw_rc rc = SW_OK;

    if (!segment->has_message && segment->entry != SW_ENTRY_TIMER)
        return SW_OK;
    pending = pending_of(recovery, is_again ? &timer : head, segment->instance, &key);
    if (fate == SW_FATE_RETRY && (segment->has_message || is_again)) {
        if (pending == NULL)
            rc = pending_make(recovery, segment, &pending);
        if (rc != SW_OK)
            return rc;
        pending->message->attempts = segment->attempt;
        pending->message->retry_ns = segment->retry_ns;
    } else {
        if (fate == SW_FATE_PARKED)
            rc = letter_add(recovery, instance, segment, pending == NULL ? NULL : pending->message);
        pending_remove(recovery, &key);
    }
    if (asked.lsn != 0)
        pending_remove(recovery, &asked);
    return rc;
}

static enum sw_rc take_effects(struct recovery *recovery, struct sw_instance *instance,
                               const struct sw_record_segment *segment)
{
    struct effects effects = {.segment = segment,
                              .instance = instance,
                              .routes = sw_reader_of(segment->routes.data, segment->routes.size)};
    struct sw_reader reader = sw_reader_of(segment->effects.data, segment->effects.size);
    struct sw_effect effect;
    enum sw_rc rc = SW_OK;

    effects.from_size = (size_t)snprintf(
        effects.from, sizeof effects.from, "%.*s/%.*s", (int)instance->pod->config.agent.size,
        (const char *)instance->pod->config.agent.data, (int)instance->key_size, instance->key);
    for (uint32_t i = 0; rc == SW_OK && sw_effect_take(&reader, &effect); i++)
        rc = take_effect(recovery, &effects, &effect, i);
    return rc;
}

static enum sw_rc end_instance(struct recovery *recovery, struct sw_instance *instance)
{
    struct sw_worker *worker = worker_of(recovery, instance->pod->config.pod);
    uint32_t index = 0;
    enum sw_rc rc = SW_OK;

    for (uint32_t i = 0; rc == SW_OK && i < instance->actor.handles_count; i++)
        if (instance->actor.handles[i].origin.kind != SW_ORIGIN_NONE)
            rc = pending_failure(recovery, &instance->actor.handles[i].origin,
                                 SW_INDEX_ENDED + index++, SW_E_UNAVAILABLE);
    sw_instance_unsubscribe(worker, instance);
    sw_instance_remove(worker, instance, SW_E_UNAVAILABLE);
    return rc;
}

/* Whoever asked for what failed is to hear so: of a turn that had waited, and of a message that it
 * received. */
static enum sw_rc take_failure(struct recovery *recovery, const struct sw_instance *instance,
                               const struct sw_record_segment *segment)
{
    int32_t code = sw_outcome_code(segment);
    const struct sw_handle *handle;
    enum sw_rc rc = SW_OK;

    if (segment->entry == SW_ENTRY_RESUME) {
        handle = sw_actor_handle(&instance->actor, instance->actor.wait.handle);
        if (handle != NULL)
            rc = pending_failure(recovery, &handle->origin, SW_INDEX_FAILURE, code);
    }
    if (rc != SW_OK || !segment->has_message || segment->fate == SW_FATE_RETRY)
        return rc;
    return pending_failure(recovery, &segment->head.origin,
                           segment->entry == SW_ENTRY_RESUME ? SW_INDEX_RECEIVED : SW_INDEX_FAILURE,
                           code);
}

static enum sw_rc take_segment(struct recovery *recovery, const struct sw_record_segment *segment)
{
    struct sw_worker *worker = worker_of(recovery, segment->pod);
    struct sw_instance *instance;
    enum sw_rc rc = SW_OK;

    if (segment->entry == SW_ENTRY_START)
        rc = take_start(recovery, segment, &instance);
    else
        instance = sw_map_find(worker->instances, &segment->instance, sizeof segment->instance);
    if (rc != SW_OK)
        return rc;
    if (instance == NULL || segment->previous != instance->actor.last_lsn)
        return contradiction(recovery, "a record that does not follow its instance's last one");
    if (segment->entry != SW_ENTRY_RESET) {
        instance->spec = sw_specs_find(&recovery->shared->specs, segment->spec);
        if (instance->spec == NULL)
            return contradiction(recovery, "a segment under no spec");
        if (segment->entry == SW_ENTRY_UPGRADE)
            instance->refused = segment->outcome == SW_OUTCOME_DONE ? 0 : segment->to;
    }
    if (segment->time_ns > recovery->latest_ns)
        recovery->latest_ns = segment->time_ns;
    rc = take_input(recovery, instance, segment);
    if (rc == SW_OK)
        rc = sw_outcome_counts(segment->outcome) ? take_effects(recovery, instance, segment)
                                                 : take_failure(recovery, instance, segment);
    if (rc == SW_OK)
        rc = sw_actor_apply(&instance->actor, segment, recovery->place.lsn, recovery->err);
    if (rc == SW_OK && (segment->entry == SW_ENTRY_STOP || segment->entry == SW_ENTRY_RESET))
        rc = end_instance(recovery, instance);
    return rc;
}

/* --- Dead letters ---------------------------------------------------------------------------- */

static struct sw_message message_of(const struct sw_record_letter *letter)
{
    return (struct sw_message){.pod = letter->pod,
                               .key = letter->key,
                               .is_timer = letter->is_timer,
                               .head = letter->head,
                               .body = letter->body};
}

/* number: its name. */
static enum sw_rc park(struct recovery *recovery, struct sw_pod *pod,
                       const struct sw_record_letter *record, uint64_t number)
{
    struct sw_message message = message_of(record);
    struct sw_letter letter = {.number = number,
                               .time_ns = record->time_ns,
                               .attempts = record->attempts,
                               .reason = record->reason,
                               .words = record->words};

    return sw_letters_add(&pod->letters, &letter, record->key, &message) == SW_OK
               ? SW_OK
               : no_memory(recovery);
}

/* It is on its way again, under a name of its own. */
static enum sw_rc redeliver(struct recovery *recovery, const struct sw_letter *letter)
{
    struct pending_key key = {recovery->place.lsn, 0, 0};
    struct sw_message message = *letter->message;

    message.head.source = (struct sw_effect_name){key.lsn, 0};
    return pending_add(recovery, &key, &message, PENDING_ROUTED);
}

static enum sw_rc take_letter(struct recovery *recovery, const struct sw_record_letter *record)
{
    SW_CLEANUP(sw_letter_freep) struct sw_letter *letter = NULL;
    struct sw_pod *pod = find_pod(recovery, record->pod);
    struct pending_key key;
    enum sw_rc rc;

    if (pod == NULL)
        return contradiction(recovery, "a dead letter of no Pod");
    if (record->time_ns > recovery->latest_ns)
        recovery->latest_ns = record->time_ns;
    if (record->act == SW_LETTER_PARK) {
        (void)pending_of(recovery, &record->head, record->instance, &key);
        pending_remove(recovery, &key);
        key = (struct pending_key){record->head.answers.lsn, record->head.answers.index, 0};
        if (key.lsn != 0)
            pending_remove(recovery, &key);
        rc = park(recovery, pod, record, recovery->place.lsn);
        return rc == SW_OK ? pending_failure(recovery, &record->head.origin, SW_INDEX_FAILURE,
                                             SW_E_UNAVAILABLE)
                           : rc;
    }
    letter = sw_letters_take(&pod->letters, record->number);
    if (letter == NULL)
        return contradiction(recovery, "a dead letter that is not there");
    return record->act == SW_LETTER_REDELIVER ? redeliver(recovery, letter) : SW_OK;
}

static enum sw_rc load_letter(struct recovery *recovery, const struct sw_record_letter *record)
{
    struct sw_pod *pod = find_pod(recovery, record->pod);

    return pod == NULL ? contradiction(recovery, "a dead letter of no Pod")
                       : park(recovery, pod, record, record->number);
}

/* --- A snapshot ------------------------------------------------------------------------------ */

static enum sw_rc load_instance(struct recovery *recovery, const struct sw_snapshot_block *block)
{
    const struct sw_snapshot_instance *saved = &block->instance;
    struct sw_record_segment start = {.instance = saved->id,
                                      .pod = saved->pod,
                                      .key = saved->key,
                                      .seed = saved->seed,
                                      .memory_bytes = saved->memory_bytes};
    struct sw_subscriber who = {.instance = saved->id, .pod = saved->pod, .is_durable = true};
    struct sw_instance *instance;
    enum sw_rc rc = take_start(recovery, &start, &instance);

    if (rc == SW_OK)
        rc = sw_actor_load(&instance->actor, saved->actor, recovery->err);
    if (rc != SW_OK)
        return rc;
    instance->actor.last_lsn = instance->actor.state_lsn = recovery->place.lsn;
    instance->random.next = saved->random_next;
    instance->spec = sw_specs_find(&recovery->shared->specs, saved->spec);
    if (instance->spec == NULL)
        return contradiction(recovery, "an instance without a spec");
    if (instance->actor.last_ns > recovery->latest_ns)
        recovery->latest_ns = instance->actor.last_ns;
    instance->snapshot_at = block->at;
    for (uint32_t i = 0; rc == SW_OK && i < instance->actor.patterns_count; i++) {
        const struct sw_pattern *pattern = instance->actor.patterns[i];
        struct sw_bytes text = {pattern->text, pattern->size};

        rc = sw_subject_is_pattern(text)
                 ? sw_bus_add(&recovery->shared->bus, &who, instance->pod->config.name_space, text)
                 : contradiction(recovery, "a subscription to no subject");
    }
    return rc;
}

static enum sw_rc load_message(struct recovery *recovery, const struct sw_message *message)
{
    const struct sw_message_head *head = &message->head;
    struct pending_key key = {head->source.lsn, head->source.index, 0};

    if ((head->flags & SWARM_MESSAGE_PUBLISHED) != 0)
        key.instance = message->instance;
    if (key.lsn == 0)
        key = (struct pending_key){head->answers.lsn, head->answers.index, 0};
    return sw_map_find(recovery->pending, &key, sizeof key) != NULL
               ? contradiction(recovery, "a message that waits twice")
               : pending_add(recovery, &key, message, PENDING_ROUTED);
}

static enum sw_rc load_published(struct recovery *recovery, struct sw_bytes published)
{
    struct sw_reader reader = sw_reader_of(published.data, published.size);
    enum sw_rc rc = sw_requests_load(&recovery->shared->bus.published, &reader);

    if (rc == SW_E_EXHAUSTED)
        return no_memory(recovery);
    return rc == SW_OK && sw_reader_is_finished(&reader)
               ? SW_OK
               : contradiction(recovery, "malformed names of publishes");
}

static enum sw_rc load_block(void *ctx, const struct sw_snapshot_block *block, struct sw_err *err)
{
    struct recovery *recovery = ctx;

    (void)err;
    switch (block->kind) {
    case SW_SNAPSHOT_NUMBERS:
        raise(&recovery->shared->next_pod, block->numbers.next_pod);
        raise(&recovery->shared->next_instance, block->numbers.next_instance);
        return SW_OK;
    case SW_SNAPSHOT_SPEC:
        return take_spec(recovery, &block->spec);
    case SW_SNAPSHOT_POD:
        return take_pod(recovery, &block->pod);
    case SW_SNAPSHOT_INSTANCE:
        return load_instance(recovery, block);
    case SW_SNAPSHOT_MESSAGE:
        return load_message(recovery, &block->message);
    case SW_SNAPSHOT_LETTER:
        return load_letter(recovery, &block->letter);
    case SW_SNAPSHOT_PUBLISHED:
        return load_published(recovery, block->published);
    }
    return SW_OK;
}

static enum sw_rc take_snapshot(struct recovery *recovery, const struct sw_record_snapshot *record)
{
    struct sw_snapshot_source source = {.system = recovery->shared->system,
                                        .folder = recovery->folder,
                                        .record = record,
                                        .lsn = recovery->place.lsn};

    if (atomic_load(&recovery->shared->next_pod) != 1 || recovery->shared->snapshot != NULL)
        return contradiction(recovery, "a snapshot that is not the beginning");
    source.uuid = recovery->uuid;
    return sw_snapshot_open(&source, load_block, recovery, &recovery->shared->snapshot,
                            recovery->err);
}

static enum sw_rc take_record(void *ctx, const struct sw_journal_entry *entry, struct sw_err *err)
{
    struct recovery *recovery = ctx;
    struct sw_message template;
    struct sw_record record;
    enum sw_rc rc = sw_record_take(entry->record, &record, err);

    recovery->place = entry->place;
    recovery->uuid = entry->uuid;
    if (rc != SW_OK) {
        sw_err_context(err, "lsn %" PRIu64, entry->place.lsn);
        return rc;
    }
    switch (record.kind) {
    case SW_RECORD_SPEC:
        return take_spec(recovery, &record.spec);
    case SW_RECORD_POD:
        return take_pod(recovery, &record.pod);
    case SW_RECORD_POD_DROP:
        return drop_pod(recovery, record.dropped_pod);
    case SW_RECORD_SEGMENT:
        recovery->effects_at = (uint32_t)(entry->record.size - record.segment.effects.size);
        return take_segment(recovery, &record.segment);
    case SW_RECORD_PUBLISH:
        template = (struct sw_message){
            .head = {.priority = record.publish.priority,
                     .source = {entry->place.lsn, 0},
                     .subject = record.publish.subject,
                     .type = record.publish.type,
                     .request_id = record.publish.request_id},
            .body = record.publish.body,
            .body_lsn = entry->place.lsn,
            .body_at = (uint32_t)(entry->record.size - record.publish.body.size)};
        return sw_subject_is_valid(record.publish.subject)
                   ? take_publish(recovery, record.publish.name_space, &template,
                                  record.publish.time_ns)
                   : contradiction(recovery, "a publish to no subject");
    case SW_RECORD_SNAPSHOT:
        return take_snapshot(recovery, &record.snapshot);
    case SW_RECORD_LETTER:
        return take_letter(recovery, &record.letter);
    }
    return SW_OK;
}

/* --- The end --------------------------------------------------------------------------------- */

static int compare_pending(const void *one, const void *other)
{
    const struct pending *a = *(struct pending *const *)one, *b = *(struct pending *const *)other;

    if (a->name.lsn != b->name.lsn)
        return a->name.lsn < b->name.lsn ? -1 : 1;
    if (a->name.index != b->name.index)
        return a->name.index < b->name.index ? -1 : 1;
    return a->message->instance < b->message->instance
               ? -1
               : a->message->instance > b->message->instance;
}

/* An ask is open: its question waits at `to`, or was taken and is not answered yet. */
static void restore_ask(struct recovery *recovery, const struct sw_origin *origin, uint64_t pod,
                        struct sw_bytes key)
{
    const struct sw_instance *instance =
        origin->kind != SW_ORIGIN_WAIT ? NULL
                                       : sw_map_find(worker_of(recovery, origin->pod)->instances,
                                                     &origin->instance, sizeof origin->instance);
    struct sw_ask ask = {
        .to = sw_board_key(pod, key), .instance = origin->instance, .number = origin->number};

    if (instance == NULL || instance->actor.wait.kind != SW_WAIT_ASK ||
        instance->actor.wait.number != origin->number)
        return;
    ask.from = sw_board_key(instance->pod->config.pod, sw_instance_key(instance));
    if (sw_waits_restore(&recovery->shared->waits, &ask) != SW_OK)
        sw_worker_fail(worker_of(recovery, pod), SW_E_EXHAUSTED, "no memory for an ask");
}

static void requeue(struct recovery *recovery, struct pending *pending)
{
    struct sw_message *message = pending->message;

    recovery->report->messages++;
    if (pending->state == PENDING_ROUTED) {
        restore_ask(recovery, &message->head.origin, message->pod, message->key);
        sw_deliver_message(worker_of(recovery, message->pod), message);
        return;
    }
    sw_dispatch_refuse(worker_of(recovery, message->head.origin.pod), message, SW_E_UNAVAILABLE,
                       "the receiver was lost in a restart");
    sw_message_free(message);
}

static enum sw_rc requeue_all(struct recovery *recovery)
{
    size_t count = sw_map_count(recovery->pending), cursor = 0, at = 0;
    struct pending **list = malloc((count + 1) * sizeof(struct pending *));
    struct sw_map_entry entry;
    enum sw_rc rc = list == NULL ? no_memory(recovery) : SW_OK;

    while (list != NULL && at < count && sw_map_next(recovery->pending, &cursor, &entry))
        list[at++] = entry.value;
    if (at > 1)
        qsort(list, at, sizeof(struct pending *), compare_pending);
    for (size_t i = 0; i < at; i++) {
        requeue(recovery, list[i]);
        free(list[i]);
    }
    free(list);
    return rc;
}

static void free_pending(struct recovery *recovery)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (sw_map_next(recovery->pending, &cursor, &entry)) {
        struct pending *pending = entry.value;
        sw_message_free(pending->message);
        free(pending);
    }
}

/* Timers are set; what is overdue fires at the first run. */
static void settle(struct recovery *recovery)
{
    for (uint32_t i = 0; i < recovery->count; i++) {
        struct sw_worker *worker = recovery->workers[i];
        struct sw_map_entry entry;
        size_t cursor = 0;

        worker->now_ns = recovery->latest_ns;
        while (sw_map_next(worker->instances, &cursor, &entry)) {
            struct sw_instance *instance = entry.value;
            if (instance->actor.timers_count > 0 || instance->actor.wait.kind != SW_WAIT_NONE)
                sw_instance_set_timer(worker, instance);
            for (uint32_t h = 0; h < instance->actor.handles_count; h++)
                restore_ask(recovery, &instance->actor.handles[h].origin, instance->pod->config.pod,
                            sw_instance_key(instance));
        }
        recovery->report->pods += sw_map_count(worker->pods);
        recovery->report->instances += sw_map_count(worker->instances);
    }
}

enum sw_rc sw_recover(const struct sw_journal_options *options, struct sw_shared *shared,
                      struct sw_worker **workers, uint32_t count,
                      struct sw_recovery_report *ret_report, struct sw_err *err)
{
    struct recovery recovery = {.shared = shared,
                                .workers = workers,
                                .count = count,
                                .report = ret_report,
                                .err = err,
                                .folder = options->folder};
    enum sw_rc rc;

    memset(ret_report, 0, sizeof *ret_report);
    recovery.pending = sw_map_new(shared->incarnation);
    if (recovery.pending == NULL)
        return no_memory(&recovery);
    rc = sw_journal_open(options, take_record, &recovery, &shared->journal, err);
    if (rc == SW_OK) {
        settle(&recovery);
        rc = requeue_all(&recovery);
    } else {
        free_pending(&recovery);
    }
    ret_report->next_pod = atomic_load(&shared->next_pod);
    sw_map_free(recovery.pending);
    for (uint32_t i = 0; rc == SW_OK && i < count; i++)
        rc = sw_worker_failure(workers[i], err);
    return rc;
}

bool sw_recovered_next(const struct sw_worker *worker, size_t *cursor,
                       struct sw_recovered_pod *ret_pod)
{
    struct sw_map_entry entry;
    const struct sw_pod *pod;

    if (!sw_map_next(worker->pods, cursor, &entry))
        return false;
    pod = entry.value;
    *ret_pod = (struct sw_recovered_pod){.pod = pod->config.pod, .uid = pod->config.uid};
    sw_pod_route(pod, worker->options.index, &ret_pod->route);
    return true;
}
