#include "pkg/agent/runtime/actor/recovering.h"

#include "include/swarm/agent.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- What waits ------------------------------------------------------------------------------ */

enum sw_rc sw_recovery_add(struct recovery *recovery, const struct pending_key *key,
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

void sw_recovery_remove(struct recovery *recovery, const struct pending_key *key)
{
    struct pending *pending = sw_map_remove(recovery->pending, key, sizeof *key);

    if (pending == NULL)
        return;
    sw_message_free(pending->message);
    free(pending);
}

enum sw_rc sw_recovery_fail(struct recovery *recovery, const struct sw_origin *origin,
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
    return sw_recovery_add(recovery, &key, &template, PENDING_ROUTED);
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
        return sw_recovery_add(recovery, &key, &template, PENDING_ROUTED);
    return effect->number == 0 ? SW_OK : sw_recovery_add(recovery, &key, &template, PENDING_LOST);
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
    return sw_recovery_add(recovery, &key, &template, PENDING_ROUTED);
}

enum sw_rc sw_recovery_publish(struct recovery *recovery, struct sw_bytes space,
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
        rc = sw_recovery_add(recovery, &key, &template, PENDING_ROUTED);
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
                   ? sw_recovery_publish(recovery, config->name_space, &template, 0)
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
    case SW_EFFECT_CALL: /* It goes out again when its Pod is opened. */
        return SW_OK;
    }
    return SW_OK;
}

enum sw_rc sw_recovery_effects(struct recovery *recovery, struct sw_instance *instance,
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
