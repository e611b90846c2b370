#include "pkg/agent/runtime/actor/recovering.h"

#include "include/swarm/agent.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- What waits ------------------------------------------------------------------------------ */

static bool is_effect(const struct pending_key *key)
{
    return key->instance == 0 && key->index < SW_INDEX_ENDED;
}

enum sw_rc sw_recovery_add(struct recovery *recovery, const struct pending_key *key,
                           const struct sw_message *template)
{
    struct sw_message *message = sw_message_new(template);
    void *old = NULL;
    enum sw_rc rc = message == NULL ? SW_E_EXHAUSTED : SW_OK;

    if (rc == SW_OK && is_effect(key))
        rc = sw_idmap_put(recovery->pending, key->lsn + key->index, message, &old);
    else if (rc == SW_OK)
        rc = sw_map_put(recovery->others, key, sizeof *key, message, &old);
    if (rc != SW_OK) {
        sw_message_free(message);
        return no_memory(recovery);
    }
    assert(old == NULL);
    return SW_OK;
}

struct sw_message *sw_recovery_find(const struct recovery *recovery, const struct pending_key *key)
{
    return is_effect(key) ? sw_idmap_find(recovery->pending, key->lsn + key->index)
                          : sw_map_find(recovery->others, key, sizeof *key);
}

void sw_recovery_remove(struct recovery *recovery, const struct pending_key *key)
{
    sw_message_free(is_effect(key) ? sw_idmap_remove(recovery->pending, key->lsn + key->index)
                                   : sw_map_remove(recovery->others, key, sizeof *key));
}

struct waiting { /* One that is still pending. */
    struct pending_key key;
    struct sw_message *message;
};

static int compare_waiting(const void *one, const void *other)
{
    const struct pending_key *a = &((const struct waiting *)one)->key;
    const struct pending_key *b = &((const struct waiting *)other)->key;

    if (a->lsn != b->lsn)
        return a->lsn < b->lsn ? -1 : 1;
    if (a->index != b->index)
        return a->index < b->index ? -1 : 1;
    return a->instance < b->instance ? -1 : a->instance > b->instance;
}

/* Fill a list that has room for all. */
static void list_waiting(const struct recovery *recovery, struct waiting *list)
{
    struct sw_map_entry entry;
    size_t cursor = 0, at = 0;
    void *value;

    for (; sw_idmap_next(recovery->pending, &cursor, NULL, &value); at++) {
        const struct sw_message_head *head = &((struct sw_message *)value)->head;
        const struct sw_effect_name *name = head->source.lsn != 0 ? &head->source : &head->answers;

        list[at] = (struct waiting){{name->lsn, name->index, 0}, value};
    }
    for (cursor = 0; sw_map_next(recovery->others, &cursor, &entry); at++) {
        memcpy(&list[at].key, entry.key.data, sizeof list[at].key);
        list[at].message = entry.value;
    }
}

enum sw_rc sw_recovery_take_all(struct recovery *recovery, struct sw_message ***ret_list,
                                size_t *ret_count)
{
    size_t count = sw_idmap_count(recovery->pending) + sw_map_count(recovery->others);
    struct waiting *waiting = calloc(count + 1, sizeof *waiting);
    struct sw_message **list = calloc(count + 1, sizeof(struct sw_message *));

    if (waiting == NULL || list == NULL) {
        free(waiting);
        free(list);
        return no_memory(recovery);
    }
    list_waiting(recovery, waiting);
    qsort(waiting, count, sizeof *waiting, compare_waiting);
    for (size_t i = 0; i < count; i++)
        list[i] = waiting[i].message;
    free(waiting);
    *ret_list = list;
    *ret_count = count;
    return SW_OK;
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
    return sw_recovery_add(recovery, &key, &template);
}

/* --- Effects --------------------------------------------------------------------------------- */

struct effects { /* Of the record being taken in. */
    const struct sw_record_segment *segment;
    struct sw_instance *instance;
    struct sw_reader routes;
    const struct sw_route *route; /* Of the last send, whose Agent was this; NULL: none yet. */
    struct sw_bytes agent;
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

/* "agent/key" of the sender. */
static struct sw_bytes from_of(struct effects *effects)
{
    const struct sw_instance *instance = effects->instance;
    struct sw_bytes agent = instance->pod->config.agent;

    if (effects->from_size == 0 && agent.size + 1 + instance->key_size <= sizeof effects->from) {
        memcpy(effects->from, agent.data, agent.size);
        effects->from[agent.size] = '/';
        memcpy(effects->from + agent.size + 1, instance->key, instance->key_size);
        effects->from_size = agent.size + 1 + instance->key_size;
    }
    return (struct sw_bytes){effects->from, effects->from_size};
}

static struct sw_message template_of(const struct recovery *recovery, struct effects *effects,
                                     const struct sw_effect *effect, uint32_t index)
{
    return (struct sw_message){.head = {.priority = effect->priority,
                                        .source = {recovery->place.lsn, index},
                                        .from = from_of(effects),
                                        .type = effect->type},
                               .body = effect->body,
                               .body_lsn = recovery->place.lsn,
                               .body_at = recovery->effects_at + effect->body_at};
}

/* Where a send went: to the Pod that held its key at this point of the journal, since a Pod's
 * record comes before any send to it. Later its sender may be gone, or another Pod in its
 * receiver's place: neither changes who is to get it. False: nowhere; the receiver was on its way
 * out. */
static bool find_way(struct recovery *recovery, struct effects *effects,
                     const struct sw_turn_route *decided, struct sw_message *message, char name[24])
{
    struct sw_bytes agent, key;
    const struct sw_route *route;
    uint64_t pod;

    if ((decided->end & (SW_ROUTE_VOLATILE | SW_ROUTE_UNREACHABLE)) != 0 ||
        !sw_name_split(message->key, &agent, &key))
        return false;
    if (effects->route == NULL || !sw_bytes_is_equal(effects->agent, agent)) {
        effects->route = sw_routes_agent(recovery->workers[0]->routes,
                                         effects->instance->pod->config.name_space, agent);
        effects->agent = agent;
    }
    route = effects->route;
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
        return sw_recovery_add(recovery, &key, &template);
    template.is_lost = true;
    return effect->number == 0 ? SW_OK : sw_recovery_add(recovery, &key, &template);
}

static enum sw_rc take_reply(struct recovery *recovery, struct effects *effects,
                             const struct sw_effect *effect, uint32_t index)
{
    const struct sw_handle *handle = sw_actor_handle(&effects->instance->actor, effect->number);
    const struct sw_origin *origin =
        handle != NULL ? &handle->origin : &effects->segment->head.origin;
    struct pending_key key = {recovery->place.lsn, index, 0};
    struct sw_message template;

    if (!sw_origin_is_durable(origin))
        return SW_OK;
    template = template_of(recovery, effects, effect, index);
    template.pod = origin->pod;
    template.instance = origin->instance;
    template.head.flags =
        SWARM_MESSAGE_IS_REPLY | (origin->kind == SW_ORIGIN_WAIT ? SW_MESSAGE_ENDS_WAIT : 0);
    template.head.priority = SWARM_PRIORITY_NORMAL;
    template.head.status = effect->status;
    template.head.tag = origin->number;
    template.head.answers = origin->send;
    return sw_recovery_add(recovery, &key, &template);
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
        rc = sw_recovery_add(recovery, &key, &template);
    }
    return rc;
}

/* Of a segment that was held only the answers went, and a release lets the rest go. */
static bool is_withheld(const struct effects *effects, enum sw_effect_kind kind)
{
    return sw_actor_is_held(&effects->instance->actor) &&
           effects->segment->entry != SW_ENTRY_RELEASE && kind != SW_EFFECT_REPLY;
}

static enum sw_rc take_effect(struct recovery *recovery, struct effects *effects,
                              const struct sw_effect *effect, uint32_t index)
{
    const struct sw_pod_config *config = &effects->instance->pod->config;
    struct sw_subscriber who = {
        .instance = effects->instance->id, .pod = config->pod, .is_durable = true};
    struct sw_message template;

    if (is_withheld(effects, effect->kind))
        return SW_OK;
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

    for (uint32_t i = 0; rc == SW_OK && sw_effect_take(&reader, &effect); i++)
        rc = take_effect(recovery, &effects, &effect, i);
    return rc;
}

bool sw_recovery_held_ask(struct recovery *recovery, struct sw_instance *instance,
                          struct sw_message *ret_question)
{
    const struct sw_actor *actor = &instance->actor;
    struct effects effects = {.instance = instance};
    const struct sw_turn_route nowhere = {0};
    struct sw_reader reader;
    struct sw_effect effect;
    char name[24];

    if (!sw_actor_is_held(actor) || actor->wait.kind != SW_WAIT_ASK)
        return false;
    reader = sw_reader_of(actor->withheld->effects.data, actor->withheld->effects.size);
    while (sw_effect_take(&reader, &effect)) {
        if (effect.kind != SW_EFFECT_ASK || effect.number != actor->wait.number)
            continue;
        *ret_question = (struct sw_message){.key = effect.to,
                                            .head = {.origin = {.kind = SW_ORIGIN_WAIT,
                                                                .instance = instance->id,
                                                                .number = effect.number}}};
        return find_way(recovery, &effects, &nowhere, ret_question, name);
    }
    return false;
}
