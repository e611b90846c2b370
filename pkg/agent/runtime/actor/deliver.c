#include "pkg/agent/runtime/actor/deliver.h"

#include "include/swarm/agent.h"
#include "pkg/agent/link/frame.h"
#include "pkg/agent/runtime/actor/fetch.h"
#include "pkg/agent/runtime/actor/fork.h"
#include "pkg/agent/runtime/actor/hibernate.h"
#include "pkg/agent/runtime/actor/lists.h"
#include "pkg/agent/runtime/actor/retry.h"
#include "pkg/agent/runtime/actor/storage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INBOX_AHEAD 16u /* Messages that are expected before the first of them is delivered. */

/* --- Messages -------------------------------------------------------------------------------- */

static void refuse(struct sw_worker *worker, struct sw_message *message, int32_t status,
                   const char *words)
{
    sw_dispatch_refuse(worker, message, status, words);
    sw_message_free(message);
}

/* The same for good: what an instance sent becomes a dead letter. */
static void park(struct sw_worker *worker, struct sw_pod *pod, struct sw_message *message,
                 const struct sw_refusal *refusal)
{
    sw_retry_refuse(worker, pod, message->key, message, refusal);
    sw_message_free(message);
}

static bool is_elsewhere(const struct sw_worker *worker, uint64_t pod)
{
    const struct sw_route_pod *route = sw_routes_pod(worker->routes, pod);

    return route != NULL && route->worker != worker->options.index;
}

/* A message that was on its way while its slot moved to another Pod, or its Pod to another worker,
 * goes on there. False: it has arrived, or there is no such Pod. */
static bool forward(struct sw_worker *worker, struct sw_message *message)
{
    uint64_t holder =
        sw_routes_holder(worker->routes, message->pod, message->instance, message->key);

    if (holder == 0 || (holder == message->pod && !is_elsewhere(worker, holder)))
        return false;
    message->pod = holder;
    sw_dispatch_message(worker, message);
    return true;
}

/* Whether the instance that sent it may bring another one to life. */
static bool may_be_born(struct sw_worker *worker, const struct sw_pod *pod,
                        const struct sw_message *message)
{
    struct sw_bytes space = pod->config.name_space, agent, key;
    const struct sw_route *route;

    if (message->is_admitted || message->head.from.size == 0 ||
        !sw_name_split(message->head.from, &agent, &key))
        return true;
    route = sw_routes_agent(worker->routes, space, agent);
    return route == NULL || route->children_per_s == 0 ||
           sw_births_add(&worker->shared->births, space, message->head.from, route->children_per_s,
                         worker->now_ns) == SW_OK;
}

/* Make the instance that a key names, if its Pod allows it. NULL: the message was dealt with. */
static struct sw_instance *make_instance(struct sw_worker *worker, struct sw_pod *pod,
                                         struct sw_message *message)
{
    bool has_slot = sw_slots_have(pod->config.slots, sw_slot_of(pod->hash_key, message->key));
    struct sw_instance *instance;

    if (pod->state == SW_POD_CLOSED &&
        (!pod->config.is_durable || message->act != SW_MESSAGE_HANDLE)) {
        refuse(worker, message, SW_E_UNAVAILABLE, "its Pod does not run now");
        return NULL;
    }
    if (pod->state == SW_POD_CLOSED) {
        message->is_admitted = true;
        sw_limbo_put(worker, pod, message);
        return NULL;
    }
    if (!has_slot && forward(worker, message))
        return NULL;
    if (message->act == SW_MESSAGE_RELEASE || message->act == SW_MESSAGE_DROP) {
        refuse(worker, message, SW_E_NOT_FOUND, "there is no such instance");
        return NULL;
    }
    if (message->act == SW_MESSAGE_FORK && !pod->config.is_keyed) {
        refuse(worker, message, SW_E_PRECONDITION,
               "the Agent has its replicas and no other instances");
        return NULL;
    }
    if (!pod->config.is_keyed || message->key.size == 0 || !has_slot) {
        park(worker, pod, message,
             &(struct sw_refusal){SW_E_NOT_FOUND, "NoSuchInstance",
                                  pod->config.is_keyed
                                      ? "no such instance"
                                      : "no such instance: an Agent without `keyed: true` has its "
                                        "replicas, 0 and up, and no others"});
        return NULL;
    }
    if (sw_pod_count(pod) >= pod->config.instances_max) {
        park(worker, pod, message,
             &(struct sw_refusal){SW_E_EXHAUSTED, "InstancesLimit",
                                  "the Pod has its limit of instances"});
        return NULL;
    }
    if (!may_be_born(worker, pod, message)) {
        park(worker, pod, message,
             &(struct sw_refusal){SW_E_EXHAUSTED, "ChildrenLimit",
                                  "its sender brings too many instances to life"});
        return NULL;
    }
    if (message->act == SW_MESSAGE_FORK) {
        sw_fork_make(worker, pod, message);
        return NULL;
    }
    if (!sw_instance_reserve(worker, pod)) {
        park(worker, pod, message,
             &(struct sw_refusal){SW_E_EXHAUSTED, "QuotaExceeded",
                                  "the quota of its namespace has no room for another instance"});
        return NULL;
    }
    instance = sw_instance_add(worker, pod, message->key, 0);
    if (instance == NULL)
        refuse(worker, message, SW_E_EXHAUSTED, "no memory for an instance");
    else
        instance->epoch = message->epoch; /* What its on_start lets out has this cause. */
    return instance;
}

/* The instance that a message is for. NULL: the message was dealt with. */
static struct sw_instance *find_instance(struct sw_worker *worker, struct sw_message *message)
{
    struct sw_pod *pod = sw_map_find(worker->pods, &message->pod, sizeof message->pod);
    struct sw_instance *instance;
    enum sw_found found;

    if ((pod == NULL || pod->state == SW_POD_DISCARDING) && forward(worker, message))
        return NULL;
    if (pod == NULL || pod->state == SW_POD_DISCARDING) {
        refuse(worker, message, SW_E_UNAVAILABLE, "its Pod does not run here");
        return NULL;
    }
    if (message->instance != 0) {
        instance = sw_idmap_find(worker->instances, message->instance);
        if (instance == NULL &&
            (found = sw_hibernate_find(worker, pod, message)) != SW_FOUND_NOBODY) {
            if (found == SW_FOUND_LATER)
                return NULL;
            instance = sw_idmap_find(worker->instances, message->instance);
        }
        if (instance == NULL && forward(worker, message))
            return NULL;
        if (instance == NULL ||
            memcmp(instance->pod->hash_key, pod->hash_key, sizeof pod->hash_key) != 0) {
            refuse(worker, message, SW_E_NOT_FOUND, "the instance is gone");
            return NULL;
        }
        return instance;
    }
    instance = sw_map_find(pod->instances, message->key.data, message->key.size);
    if (instance == NULL && (found = sw_hibernate_find(worker, pod, message)) != SW_FOUND_NOBODY) {
        if (found == SW_FOUND_LATER)
            return NULL;
        instance = sw_map_find(pod->instances, message->key.data, message->key.size);
    }
    return instance != NULL ? instance : make_instance(worker, pod, message);
}

/* Where an instance is remembered that messages with this id, or else this hash of its key, are
 * for; NULL: nowhere. */
static struct sw_instance **place_of(const struct sw_worker *worker, uint64_t id, uint64_t hash)
{
    if (id != 0)
        hash = id * UINT64_C(0x9e3779b97f4a7c15);
    return hash == 0 ? NULL : &worker->found[hash >> (64 - SW_FOUND_BITS)];
}

static struct sw_instance **place_for(const struct sw_worker *worker, const void *message)
{
    const struct sw_message *sent = message;

    return place_of(worker, sent->instance, sent->hash);
}

static void forget(struct sw_instance **found, const struct sw_instance *instance)
{
    if (found != NULL && *found == instance)
        *found = NULL;
}

void sw_deliver_forget(struct sw_worker *worker, const struct sw_instance *instance)
{
    worker->removals++;
    forget(place_of(worker, instance->id, 0), instance);
    forget(place_of(worker, 0, sw_board_key(instance->pod->hash_key, sw_instance_key(instance))),
           instance);
}

/* Whether a message is for the instance, which is there. */
static bool is_for(const struct sw_message *message, const struct sw_instance *instance)
{
    if (instance->pod->config.pod != message->pod || instance->pod->state == SW_POD_DISCARDING)
        return false;
    return message->instance != 0 ? instance->id == message->instance
                                  : sw_bytes_is_equal(sw_instance_key(instance), message->key);
}

/* Whether it may be remembered in the message's place, which is then where sw_deliver_forget looks
 * for it. The hash may be that of another Agent's key: a message goes on to an Agent that was made
 * anew under the same name. */
static bool is_named_right(const struct sw_message *message, const struct sw_instance *instance)
{
    return message->instance != 0 ||
           sw_board_key(instance->pod->hash_key, message->key) == message->hash;
}

/* As find_instance, for those that get many messages. */
static struct sw_instance *find_again(struct sw_worker *worker, struct sw_message *message)
{
    struct sw_instance **found = place_for(worker, message), *instance;

    if (found == NULL)
        return find_instance(worker, message);
    if (*found != NULL && is_for(message, *found))
        return *found;
    instance = find_instance(worker, message);
    if (instance != NULL && is_named_right(message, instance))
        *found = instance;
    return instance;
}

struct sw_instance *sw_deliver_remembered(struct sw_worker *worker,
                                          const struct sw_message *message)
{
    struct sw_instance **found = place_for(worker, message);

    return found != NULL && *found != NULL && is_for(message, *found) ? *found : NULL;
}

static inline void expect(struct sw_worker *worker, const struct sw_message *message)
{
    struct sw_expected *expected = &worker->expected;
    struct sw_instance ***place = &expected->places[expected->at++ % SW_EXPECTED];

    if (*place != NULL && **place != NULL)
        sw_instance_fetch_post(**place);
    *place = message != NULL && sw_worker_is_crowded(worker) ? place_for(worker, message) : NULL;
    if (*place != NULL)
        __builtin_prefetch(*place);
}

void sw_deliver_expect(struct sw_worker *worker, const struct sw_message *message)
{
    expect(worker, message);
}

/* Only from outside: what an instance sent is in the journal and cannot be refused. True: it was
 * refused. */
static bool refuse_at_edge(struct sw_worker *worker, struct sw_instance *instance,
                           struct sw_message *message)
{
    const struct sw_pod_config *config = &instance->pod->config;
    uint32_t per_s = config->messages_per_s;
    uint64_t room_ns = 0;
    char words[128];

    if (message->is_inner)
        return false;
    if (message->body.size > config->body_bytes) {
        (void)snprintf(words, sizeof words,
                       "the body has %zu bytes, the Agent takes %" PRIu64 " at most",
                       message->body.size, config->body_bytes);
        refuse(worker, message, SW_E_INVALID, words);
    } else if (instance->waiting >= config->mailbox) {
        (void)snprintf(words, sizeof words,
                       "the mailbox is full: %" PRIu32
                       " messages wait, its limit (limits.mailbox) is %" PRIu32,
                       instance->waiting, config->mailbox);
        refuse(worker, message, SW_E_EXHAUSTED, words);
    } else if (sw_worker_queued_bytes(worker) > SW_QUEUED_BYTES_EDGE_MAX) {
        refuse(worker, message, SW_E_EXHAUSTED,
               "too many messages wait in this node; send again later");
    } else if (!sw_rate_has_room(&instance->rate, per_s, worker->now_ns)) {
        snprintf(words, sizeof words,
                 "an instance of this Agent takes %" PRIu32
                 " messages a second; send again in %" PRIu64 " ms",
                 per_s, (sw_rate_room_ns(&instance->rate, per_s) - worker->now_ns) / 1000000 + 1);
        refuse(worker, message, SW_E_EXHAUSTED, words);
        sw_throttle_note(worker, instance->pod, SW_FRAME_LIMIT_MESSAGES);
    } else if (!sw_storage_has_room(worker, instance->pod,
                                    SW_STORAGE_ROOM_BYTES + message->body.size)) {
        refuse(worker, message, SW_E_EXHAUSTED,
               "the quota of the namespace (storage) is used up: send again later, delete "
               "instances, or have it raised");
    } else if (!sw_deliver_may_take(worker, instance->pod, &room_ns)) {
        snprintf(words, sizeof words,
                 "the quota of the namespace (messagesPerSecond) is used up; send again in %" PRIu64
                 " ms",
                 (room_ns - worker->now_ns) / 1000000 + 1);
        refuse(worker, message, SW_E_EXHAUSTED, words);
    } else {
        return false;
    }
    return true;
}

static void deliver_any(struct sw_worker *worker, struct sw_instance *instance,
                        struct sw_message *message)
{
    const struct sw_pod_config *config;

    if ((message->head.flags & SW_MESSAGE_ENDS_WAIT) != 0) {
        sw_instance_answer(worker, instance, message);
        return;
    }
    if (message->act == SW_MESSAGE_FORK) {
        refuse(worker, message, SW_E_EXISTS, "there is an instance of this key already");
        return;
    }
    if (message->act != SW_MESSAGE_HANDLE) {
        sw_fork_change(worker, instance, message);
        return;
    }
    config = &instance->pod->config;
    if (message->head.priority >= SW_PRIORITIES)
        message->head.priority = config->priority;
    if (instance->is_stopping && message->head.origin.kind == SW_ORIGIN_CLIENT) {
        refuse(worker, message, SW_E_UNAVAILABLE, "the instance is stopping");
        return;
    }
    if (instance->is_parked) {
        sw_retry_refuse(worker, instance->pod, sw_instance_key(instance), message,
                        &sw_refused_parked);
        sw_message_free(message);
        return;
    }
    if (message->head.origin.kind == SW_ORIGIN_CLIENT && refuse_at_edge(worker, instance, message))
        return;
    if (config->messages_per_s != 0 &&
        (message->head.flags & (SWARM_MESSAGE_IS_REPLY | SWARM_MESSAGE_PUBLISHED)) == 0)
        sw_instance_take_rate(worker, instance);
    sw_instance_post(worker, instance, message);
}

/* Most messages need nothing but their place in the mailbox. */
static inline void deliver_to(struct sw_worker *worker, struct sw_instance *instance,
                              struct sw_message *message)
{
    const struct sw_message_head *head = &message->head;

    if ((head->flags & SW_MESSAGE_ENDS_WAIT) == 0 && head->priority < SW_PRIORITIES &&
        head->origin.kind != SW_ORIGIN_CLIENT && !instance->is_stopping && !instance->is_parked &&
        instance->pod->config.messages_per_s == 0)
        sw_instance_post(worker, instance, message);
    else
        deliver_any(worker, instance, message);
}

void sw_deliver_message(struct sw_worker *worker, struct sw_message *message)
{
    struct sw_instance *instance = find_again(worker, message);

    if (instance != NULL)
        deliver_to(worker, instance, message);
}

void sw_deliver_to(struct sw_worker *worker, struct sw_instance *instance,
                   struct sw_message *message)
{
    if (instance->pod->config.pod == message->pod && instance->pod->state != SW_POD_DISCARDING)
        deliver_to(worker, instance, message);
    else
        sw_deliver_message(worker, message);
}

/* --- Publishes from outside ------------------------------------------------------------------ */

static void publish_reply(struct sw_worker *worker, const struct sw_item_publish *publish,
                          int32_t code, uint64_t subscribers, uint64_t epoch)
{
    struct sw_frame frame = {.kind = SW_FRAME_REPLY,
                             .reply = {.request = publish->request,
                                       .code = (uint32_t)-code,
                                       .subscribers = subscribers}};

    sw_output_frame(worker, &frame, epoch);
}

/* Record a publish if anybody durable is to get it. The bus is locked. */
static void publish_record(struct sw_worker *worker, const struct sw_item_publish *publish,
                           struct sw_journal_place *ret_place, uint32_t *ret_body_at)
{
    struct sw_record record = {.kind = SW_RECORD_PUBLISH,
                               .publish = {.time_ns = worker->now_ns,
                                           .priority = publish->priority,
                                           .name_space = publish->name_space,
                                           .subject = publish->subject,
                                           .type = publish->type,
                                           .request_id = publish->request_id,
                                           .body = publish->body}};

    *ret_place = (struct sw_journal_place){0, worker->output_epoch};
    for (size_t at = 0; at < worker->targets.size; at += sizeof(struct sw_target)) {
        const struct sw_route_pod *pod;
        struct sw_target target;

        memcpy(&target, worker->targets.data + at, sizeof target);
        pod = sw_routes_pod(worker->routes, target.pod);
        if (pod == NULL || !pod->is_durable)
            continue;
        if (sw_worker_append(worker, &record, ret_place) == SW_OK)
            *ret_body_at = (uint32_t)(worker->record.size - publish->body.size);
        return;
    }
}

static void deliver_publish(struct sw_worker *worker, const struct sw_item_publish *publish)
{
    struct sw_message template = {.head = {.flags = SWARM_MESSAGE_PUBLISHED,
                                           .priority = publish->priority,
                                           .subject = publish->subject,
                                           .type = publish->type},
                                  .body = publish->body};
    struct sw_publish_name name = {publish->name_space, publish->subject, publish->request_id};
    struct sw_bus *bus = &worker->shared->bus;
    struct sw_journal_place place;
    uint64_t count;
    bool is_repeat;
    enum sw_rc rc;

    pthread_mutex_lock(&bus->mutex);
    is_repeat = sw_bus_has_published(bus, &name, worker->now_ns, &count);
    pthread_mutex_unlock(&bus->mutex);
    if (is_repeat) { /* Equal subjects come to the same worker, so its last epoch is late enough. */
        publish_reply(worker, publish, 0, count, worker->output_epoch);
        return;
    }
    if (sw_worker_queued_bytes(worker) > SW_QUEUED_BYTES_EDGE_MAX ||
        atomic_load(&worker->shared->board.overfull) > 0 ||
        !sw_journal_has_room(worker->shared->journal)) {
        publish_reply(worker, publish, SW_E_EXHAUSTED, 0, worker->output_epoch);
        return;
    }
    if (template.head.priority >= SW_PRIORITIES)
        template.head.priority = SWARM_PRIORITY_NORMAL;
    sw_buffer_reset(&worker->targets);
    pthread_mutex_lock(&bus->mutex);
    sw_dispatch_match(worker, publish->name_space, publish->subject, 0);
    publish_record(worker, publish, &place, &template.body_at);
    count = worker->targets.size / sizeof(struct sw_target);
    rc = sw_bus_note_publish(bus, &name, worker->now_ns, count);
    pthread_mutex_unlock(&bus->mutex);
    if (rc != SW_OK)
        sw_worker_fail(worker, rc, "no memory for the name of a publish");
    if (worker->failure.rc != SW_OK)
        return;
    template.head.source = (struct sw_effect_name){place.lsn, 0};
    template.body_lsn = place.lsn;
    template.epoch = place.epoch;
    sw_dispatch_publish(worker, &template, 0);
    publish_reply(worker, publish, 0, count, place.epoch);
}

/* --- Programs -------------------------------------------------------------------------------- */

static void deliver_program(struct sw_worker *worker, struct sw_item_program *item)
{
    struct sw_guest_module *module = item->module;

    item->module = NULL;
    (void)sw_program_add(worker, item->program, module);
}

/* --- All items ------------------------------------------------------------------------------- */

static void deliver(struct sw_worker *worker, struct sw_item *item)
{
    switch (item->kind) {
    case SW_ITEM_MESSAGE:
        sw_deliver_message(worker, (struct sw_message *)(void *)item);
        return;
    case SW_ITEM_LIST:
        sw_list_deliver(worker, (struct sw_item_list *)(void *)item);
        return;
    case SW_ITEM_LETTERS:
        sw_deliver_letters(worker, (struct sw_item_letters *)(void *)item);
        return;
    case SW_ITEM_LETTERS_CHANGE:
        sw_deliver_letters_change(worker, (struct sw_item_letters_change *)(void *)item);
        return;
    case SW_ITEM_PROGRAM_ASK:
        sw_program_ask(worker, (struct sw_item_program_ask *)(void *)item);
        return;
    case SW_ITEM_QUOTA_ASK:
        sw_meter_answer_quota(worker, (struct sw_item_quota_ask *)(void *)item);
        return;
    case SW_ITEM_ROUTE:
        if (sw_routes_change(worker->routes, &((struct sw_item_route *)(void *)item)->change) !=
            SW_OK)
            sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for a route");
        break;
    case SW_ITEM_PROGRAM:
        deliver_program(worker, (struct sw_item_program *)(void *)item);
        break;
    case SW_ITEM_POD_OPEN:
        sw_pod_open(worker, (struct sw_item_pod_open *)(void *)item);
        break;
    case SW_ITEM_POD_CLOSE:
        sw_pod_close(worker, (struct sw_item_pod_close *)(void *)item);
        break;
    case SW_ITEM_READ:
        if (((struct sw_item_read *)(void *)item)->list != NULL)
            sw_list_loaded(worker, (struct sw_item_read *)(void *)item);
        else
            sw_hibernate_loaded(worker, (struct sw_item_read *)(void *)item);
        break;
    case SW_ITEM_PUBLISH:
        deliver_publish(worker, (struct sw_item_publish *)(void *)item);
        break;
    }
    sw_item_free(item, &worker->engine);
}

/* What stands behind `ahead`, which is NULL at first, is expected. Returns how far that went. */
static const struct sw_item *expect_next(struct sw_worker *worker, const struct sw_item *ahead)
{
    const struct sw_item *next = ahead == NULL ? worker->inbox->next : ahead->next;

    if (ahead == worker->inbox) { /* The last one. */
        expect(worker, NULL);
        return ahead;
    }
    expect(worker,
           next->kind == SW_ITEM_MESSAGE ? (const struct sw_message *)(const void *)next : NULL);
    return next;
}

void sw_deliver_inbox(struct sw_worker *worker)
{
    const struct sw_item *ahead = NULL;
    struct sw_item *item;

    for (uint32_t i = 0; i < INBOX_AHEAD && worker->inbox != NULL; i++)
        ahead = expect_next(worker, ahead);
    while (worker->failure.rc == SW_OK && (item = sw_item_get(&worker->inbox)) != NULL) {
        ahead = worker->inbox == NULL ? NULL : expect_next(worker, ahead);
        if (worker->passing.count == 0 || !sw_overtake_keeps(worker, item))
            deliver(worker, item);
    }
}
