#include "pkg/agent/runtime/actor/dispatch.h"

#include "include/swarm/agent.h"
#include "pkg/agent/runtime/actor/fetch.h"
#include "pkg/agent/runtime/actor/storage.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define NAME_MAX_BYTES 320u /* Agent, slash, key. */

/* --- Where to -------------------------------------------------------------------------------- */

static struct sw_way *find_way(struct sw_worker *worker, struct sw_bytes to, uint64_t replica)
{
    return sw_ways_find(worker->ways, worker->routes, &worker->running->pod->space, to, replica);
}

/* Whether this segment has answered the question that `ask` waits with: its reply is an effect, but
 * not on the way yet. */
static bool is_answered(const struct sw_worker *worker, const struct sw_ask *ask)
{
    const struct sw_actor *actor = &worker->running->actor;
    const struct sw_origin *origin = worker->running_origin;

    if (worker->turn.is_handle_used && origin->kind == SW_ORIGIN_WAIT &&
        origin->instance == ask->instance && origin->number == ask->number)
        return true;
    for (uint32_t i = 0; i < actor->handles_count; i++) {
        origin = &actor->handles[i].origin;
        if (actor->handles[i].is_used && origin->kind == SW_ORIGIN_WAIT &&
            origin->instance == ask->instance && origin->number == ask->number)
            return true;
    }
    return false;
}

void sw_dispatch_note_above(struct sw_worker *worker, const struct sw_instance *instance)
{
    struct sw_origin asker = sw_actor_asker(&instance->actor);
    const struct sw_ask ask = {.instance = instance->id,
                               .number = instance->actor.wait.number,
                               .above_instance = asker.instance,
                               .above_number = asker.number};

    if (instance->actor.wait.kind == SW_WAIT_ASK && asker.kind == SW_ORIGIN_WAIT)
        sw_waits_set_above(&worker->shared->waits, &ask);
}

/* Whether the running instance may wait for an answer of `to`. */
static int32_t admit_wait(struct sw_worker *worker, uint64_t to, uint64_t number)
{
    const struct sw_instance *instance = worker->running;
    struct sw_waits *waits = &worker->shared->waits;
    struct sw_ask ask = {.from = sw_board_key(instance->pod->hash_key, sw_instance_key(instance)),
                         .to = to,
                         .instance = instance->id,
                         .number = number};
    struct sw_ask last;
    enum sw_rc rc = sw_waits_add(waits, &ask, &last);

    if (rc == SW_E_CONFLICT && last.instance != instance->id && is_answered(worker, &last)) {
        worker->answered = last;
        sw_waits_set_answered(waits, last.instance, last.number, true);
        rc = sw_waits_add(waits, &ask, &last);
    }
    worker->has_ask = rc == SW_OK;
    return rc;
}

/* A question that was withheld goes to a replica that was not chosen before, or it was forgotten
 * where that would have been. */
static void restore_wait(struct sw_worker *worker, uint64_t to, uint64_t number)
{
    const struct sw_instance *instance = worker->running;
    const struct sw_ask ask = {.from =
                                   sw_board_key(instance->pod->hash_key, sw_instance_key(instance)),
                               .to = to,
                               .instance = instance->id,
                               .number = number};

    if (instance->actor.wait.kind == SW_WAIT_ASK && instance->actor.wait.number == number &&
        sw_waits_restore(&worker->shared->waits, &ask) != SW_OK)
        sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for an ask");
    sw_dispatch_note_above(worker, instance);
}

/* Of a message that is to be answered under this number; its kind is the caller's. */
static void set_origin(struct sw_origin *origin, const struct sw_worker *worker,
                       const struct sw_instance *instance, uint64_t number)
{
    origin->incarnation = instance->pod->config.is_durable ? 0 : worker->shared->incarnation;
    origin->pod = instance->pod->config.pod;
    origin->instance = instance->id;
    origin->number = number;
}

/* Make the message that a send is, where nothing is recorded: one copy, out of the guest into what
 * its receiver gets. False: no memory. */
static bool take_send(struct sw_worker *worker, const struct sw_guest_send *send,
                      struct sw_way *way)
{
    const struct sw_instance *instance = worker->running;
    struct sw_turn *turn = &worker->turn;
    struct sw_bytes agent = instance->pod->config.agent, key = sw_way_key(way, send->to);
    size_t from_size = agent.size + 1 + instance->key_size;
    struct sw_message *message =
        sw_spares_take(&worker->spares, key.size + from_size + send->type.size + send->body.size);
    struct sw_bytes part;
    uint8_t *at;

    if (message == NULL)
        return false;
    at = sw_message_keep(key, (uint8_t *)(message + 1), &message->key);
    message->head.from = (struct sw_bytes){at, from_size};
    at = sw_message_keep(agent, at, &part);
    *at++ = '/';
    at = sw_message_keep(sw_instance_key(instance), at, &part);
    at = sw_message_keep(send->type, at, &message->head.type);
    (void)sw_message_keep(send->body, at, &message->body);
    message->pod = way->pod;
    message->hash = way->hash;
    message->worker = way->worker;
    message->head.priority = (uint32_t)send->priority;
    if (send->tag != 0) {
        message->head.flags = SWARM_MESSAGE_WANTS_REPLY;
        message->head.origin.kind = SW_ORIGIN_INSTANCE;
        set_origin(&message->head.origin, worker, instance, send->tag);
    }
    message->effects_before = (uint32_t)turn->effects.size;
    if (turn->taken == NULL) {
        turn->taken_changes = sw_routes_changes(worker->routes);
        turn->taken_removals = worker->removals;
    }
    if (way->worker == worker->options.index) {
        if (way->removals != worker->removals && !way->is_new) {
            way->instance = sw_deliver_remembered(worker, message);
            way->removals = way->instance != NULL ? worker->removals : 0;
        }
        message->receiver = way->removals == worker->removals ? way->instance : NULL;
        if (message->receiver != NULL)
            sw_instance_fetch_post(message->receiver);
        else
            sw_deliver_expect(worker, message);
    }
    sw_item_put(&turn->taken, &message->item);
    return true;
}

/* Whether a send may go this way. If it leads nowhere, the sender is told: in a reply, as
 * *ret_route says, or, if it wants none, here. */
static int32_t look_at_way(const struct sw_worker *worker, const struct sw_way *way, uint64_t tag,
                           size_t body_bytes, struct sw_turn_route *ret_route)
{
    struct sw_board *board = &worker->shared->board;

    if (way->route == NULL && tag == 0)
        return way->status;
    if (way->route == NULL) {
        ret_route->end = SW_ROUTE_UNREACHABLE;
        ret_route->value = (uint64_t)-way->status;
        return 0;
    }
    if (body_bytes > way->route->body_bytes)
        return SW_E_INVALID;
    if (!sw_board_is_clear(board) && (sw_board_get(board, way->hash) != SW_NOT_FULL ||
                                      sw_board_refuses_rate(board, sw_board_rate_key(way->hash))))
        return SW_E_EXHAUSTED;
    return 0;
}

/* Note what its name does not tell of a way that leads somewhere. */
static void note_way(struct sw_worker *worker, const struct sw_way *way,
                     struct sw_turn_route *ret_route)
{
    if (!way->is_durable)
        ret_route->end |= SW_ROUTE_VOLATILE;
    if (way->is_replica) {
        ret_route->end |= SW_ROUTE_REPLICA;
        ret_route->value = ++worker->last_replica;
    }
}

static int32_t admit_send(struct sw_worker *worker, const struct sw_effect *effect,
                          struct sw_turn_route *ret_route)
{
    const struct sw_way *way = find_way(worker, effect->to, worker->last_replica + 1);
    int32_t code = look_at_way(worker, way, effect->number, effect->body.size, ret_route);

    if (code == 0 && way->route != NULL && effect->kind == SW_EFFECT_ASK)
        code = admit_wait(worker, way->hash, effect->number);
    if (code == 0 && way->route != NULL)
        note_way(worker, way, ret_route);
    return code;
}

int32_t sw_dispatch_take(void *ctx, const struct sw_guest_send *send,
                         struct sw_turn_route *ret_route)
{
    struct sw_worker *worker = ctx;
    struct sw_way *way;
    uint64_t room_ns;
    int32_t code;

    if (sw_worker_queued_bytes(worker) > SW_QUEUED_BYTES_MAX)
        return SW_E_EXHAUSTED;
    way = find_way(worker, send->to, worker->last_replica + 1);
    if (way->agent_size == 0)
        return SW_E_INVALID;
    code = look_at_way(worker, way, send->tag, send->body.size, ret_route);
    if (code == 0 && (!sw_storage_may_carry(worker, send->body.size) ||
                      !sw_deliver_may_take(worker, worker->running->pod, &room_ns)))
        code = SW_E_EXHAUSTED;
    if (code != 0 || way->route == NULL)
        return code;
    if (!take_send(worker, send, way))
        return SW_E_EXHAUSTED;
    ret_route->is_taken = true;
    worker->last_replica += way->is_replica;
    return 0;
}

/* Whether a publish reaches somebody overfull, or this segment's publishes reach too many: each of
 * a few thousand publishes to thousands of subscribers is cheap to ask for, and all of them
 * together would not fit the host's memory, now and at every recovery. *ret_count: of the
 * subscribers. */
static int32_t weigh_publish(struct sw_worker *worker, const struct sw_effect *effect,
                             uint64_t *ret_count)
{
    struct sw_bus *bus = &worker->shared->bus;
    const struct sw_subscriber *const *found;
    int32_t code = 0;
    size_t count;

    pthread_mutex_lock(&bus->mutex);
    count = sw_bus_match(bus, worker->running->pod->config.name_space, effect->to, &found);
    for (size_t i = 0; i < count && code == 0; i++)
        if (sw_board_get(&worker->shared->board, found[i]->instance) == SW_OVERFULL)
            code = SW_E_EXHAUSTED;
    pthread_mutex_unlock(&bus->mutex);
    if (worker->fanout > 0 && worker->fanout + count > SW_FANOUT_MAX)
        code = SW_E_EXHAUSTED;
    *ret_count = count;
    return code;
}

static int32_t admit_publish(struct sw_worker *worker, const struct sw_effect *effect)
{
    /* No publish reaches more than there are subscriptions: with few of them there is nothing to
     * look up. */
    uint64_t count = atomic_load_explicit(&worker->shared->bus.subscriptions, memory_order_relaxed);
    int32_t code = 0;

    if (worker->fanout + count > SW_FANOUT_MAX ||
        atomic_load_explicit(&worker->shared->board.overfull, memory_order_relaxed) > 0)
        code = weigh_publish(worker, effect, &count);
    if (code == 0)
        worker->fanout += count;
    return code;
}

/* A subscription beyond the table's limit could not be made when the segment ends, and not again by
 * recovery: room is kept for the most that it may have added at once. */
static int32_t admit_subscribe(struct sw_worker *worker)
{
    if (worker->turn.patterns_added < (int64_t)worker->reserved)
        return 0;
    if (!sw_bus_reserve(&worker->shared->bus))
        return SW_E_EXHAUSTED;
    worker->reserved++;
    return 0;
}

bool sw_dispatch_route(struct sw_worker *worker, const struct sw_effect *effect,
                       struct sw_turn_route *ret_route)
{
    const struct sw_way *way;

    if (effect->kind == SW_EFFECT_PUBLISH)
        return admit_publish(worker, effect) == 0;
    way = find_way(worker, effect->to, worker->last_replica + 1);
    if (way->route != NULL) {
        if (effect->kind == SW_EFFECT_ASK)
            restore_wait(worker, way->hash, effect->number);
        note_way(worker, way, ret_route);
    } else if (effect->number != 0) {
        ret_route->end = SW_ROUTE_UNREACHABLE;
        ret_route->value = (uint64_t)-way->status;
    }
    return true;
}

/* What a fork lets out has to have room until it goes. */
static bool can_be_held(const struct sw_worker *worker, const struct sw_effect *effect)
{
    const struct sw_withheld *withheld = worker->running->actor.withheld;
    const struct sw_turn *turn = &worker->turn;

    return withheld == NULL ||
           sw_withheld_has_room(withheld, turn->effects_count, turn->effects.size, effect);
}

int32_t sw_dispatch_admit(void *ctx, const struct sw_effect *effect,
                          struct sw_turn_route *ret_route)
{
    struct sw_worker *worker = ctx;
    uint64_t room_ns;
    int32_t code;

    if (effect->kind == SW_EFFECT_SUBSCRIBE)
        return admit_subscribe(worker);
    if (sw_worker_queued_bytes(worker) > SW_QUEUED_BYTES_MAX ||
        (sw_withheld_takes(effect->kind) && !can_be_held(worker, effect)))
        return SW_E_EXHAUSTED;
    if (effect->kind == SW_EFFECT_CALL)
        return 0;
    if (effect->kind == SW_EFFECT_PUBLISH)
        return admit_publish(worker, effect);
    code = admit_send(worker, effect, ret_route);
    return code == 0 && (!sw_storage_may_carry(worker, effect->body.size) ||
                         !sw_deliver_may_take(worker, worker->running->pod, &room_ns))
               ? SW_E_EXHAUSTED
               : code;
}

/* --- Handing over ---------------------------------------------------------------------------- */

void sw_dispatch_message(struct sw_worker *worker, struct sw_message *message)
{
    const struct sw_route_pod *pod;
    uint64_t holder;

    /* Its receiver may be in another Pod by now than it was when somebody noted where it is. */
    if (message->instance != 0) {
        holder = sw_routes_holder(worker->routes, message->pod, message->instance, message->key);
        if (holder != 0)
            message->pod = holder;
    }
    pod = sw_routes_pod(worker->routes, message->pod);
    if (pod != NULL && pod->worker != worker->options.index)
        sw_item_put(&worker->sent[pod->worker], &message->item);
    else
        sw_deliver_message(worker, message);
}

/* Copy and hand over; without memory the host stops rather than lose a message. */
static void post(struct sw_worker *worker, const struct sw_message *template)
{
    struct sw_message *message = sw_spares_copy(&worker->spares, template);

    if (message == NULL)
        sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for a message");
    else
        sw_dispatch_message(worker, message);
}

void sw_dispatch_answer(struct sw_worker *worker, const struct sw_answer *answer)
{
    const struct sw_origin *origin = answer->origin;
    struct sw_message template = {
        .pod = origin->pod,
        .instance = origin->instance,
        .head = {.flags = SWARM_MESSAGE_IS_REPLY,
                 .priority = answer->priority,
                 .status = answer->status,
                 .tag = origin->number,
                 .source = answer->source,
                 .answers = origin->send,
                 .from = answer->from,
                 .type = answer->type},
        .body = answer->body,
        .body_lsn = answer->body_lsn,
        .body_at = answer->body_at,
        .epoch = answer->epoch,
    };

    if (origin->kind == SW_ORIGIN_NONE ||
        (origin->incarnation != 0 && origin->incarnation != worker->shared->incarnation))
        return; /* Whoever asked is gone, and was told so when the host stopped. */
    if (origin->kind == SW_ORIGIN_CLIENT) {
        sw_output_reply(worker, origin->number, answer->status, answer);
        return;
    }
    if (origin->kind == SW_ORIGIN_WAIT) {
        template.head.flags |= SW_MESSAGE_ENDS_WAIT;
        sw_waits_remove(&worker->shared->waits, origin->instance, origin->number);
    }
    post(worker, &template);
}

void sw_dispatch_refuse(struct sw_worker *worker, const struct sw_message *message, int32_t status,
                        const char *words)
{
    if (message->head.origin.kind == SW_ORIGIN_NONE)
        return;
    worker->counts.refused++;
    sw_dispatch_answer(worker, &(struct sw_answer){.origin = &message->head.origin,
                                                   .status = status,
                                                   .priority = message->head.priority,
                                                   .from_key = message->key,
                                                   .type = {"text/plain", 10},
                                                   .body = {words, strlen(words)},
                                                   .epoch = message->epoch});
}

void sw_dispatch_match(struct sw_worker *worker, struct sw_bytes space, struct sw_bytes subject,
                       uint32_t effect)
{
    const struct sw_subscriber *const *found;
    size_t count = sw_bus_match(&worker->shared->bus, space, subject, &found);

    for (size_t i = 0; i < count; i++) {
        struct sw_target target = {effect, found[i]->instance, found[i]->pod};
        sw_buffer_put(&worker->targets, &target, sizeof target);
    }
    if (worker->targets.failed || worker->shared->bus.found.failed)
        sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for the receivers of a publish");
}

void sw_dispatch_publish(struct sw_worker *worker, struct sw_message *message, uint32_t effect)
{
    size_t count = worker->targets.size / sizeof(struct sw_target);
    struct sw_body *shared = NULL;

    worker->counts.publishes++;
    if (message->body.size > SW_BODY_SHARED_MIN) {
        shared = sw_body_new(message->body);
        if (shared == NULL) {
            sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for a publish");
            return;
        }
    }
    message->shared = shared;
    for (size_t i = 0; i < count; i++) {
        struct sw_target target;

        memcpy(&target, worker->targets.data + i * sizeof target, sizeof target);
        if (target.effect != effect)
            continue;
        message->instance = target.instance;
        message->pod = target.pod;
        post(worker, message);
    }
    sw_body_unref(shared);
}

/* --- The effects of a segment ---------------------------------------------------------------- */

struct dispatch {
    struct sw_worker *worker;
    struct sw_instance *instance;
    const struct sw_message *message; /* What the segment handled; NULL: none. */
    struct sw_journal_place place;
    uint32_t effects_at;
    struct sw_reader routes;
    bool is_held;          /* Only replies go. */
    struct sw_bytes from;  /* "agent/key". */
    struct sw_item *local; /* Messages that stay with this worker, to be delivered. */
};

/* What was recorded about the route of effect `index`. */
static struct sw_turn_route route_of(struct dispatch *dispatch, uint32_t index)
{
    struct sw_reader peek = dispatch->routes;
    struct sw_turn_route route = {0};

    if (peek.at == peek.size || sw_reader_u32(&peek) != index)
        return route;
    route.end = sw_reader_u32(&peek);
    route.value = sw_reader_u64(&peek);
    dispatch->routes = peek;
    return route;
}

static void template_of(const struct dispatch *dispatch, const struct sw_effect *effect,
                        uint32_t index, struct sw_message *ret_template)
{
    memset(ret_template, 0, sizeof *ret_template);
    ret_template->head.priority = effect->priority;
    ret_template->head.from = dispatch->from;
    ret_template->head.type = effect->type;
    ret_template->body = effect->body;
    ret_template->epoch = dispatch->place.epoch;
    if (dispatch->place.lsn == 0)
        return;
    ret_template->head.source = (struct sw_effect_name){dispatch->place.lsn, index};
    ret_template->body_lsn = dispatch->place.lsn;
    ret_template->body_at = dispatch->effects_at + effect->body_at;
}

static void put_local(struct dispatch *dispatch, struct sw_message *message)
{
    sw_deliver_expect(dispatch->worker, message);
    sw_item_put(&dispatch->local, &message->item);
}

static void dispatch_send(struct dispatch *dispatch, const struct sw_effect *effect, uint32_t index)
{
    struct sw_worker *worker = dispatch->worker;
    struct sw_turn_route route = route_of(dispatch, index);
    struct sw_message template;
    struct sw_origin *origin = &template.head.origin;
    struct sw_message *message;
    const struct sw_way *way;

    template_of(dispatch, effect, index, &template);
    worker->counts.sends++;
    if (effect->number != 0) {
        template.head.flags = SWARM_MESSAGE_WANTS_REPLY;
        origin->kind = effect->kind == SW_EFFECT_ASK ? SW_ORIGIN_WAIT : SW_ORIGIN_INSTANCE;
        set_origin(origin, worker, dispatch->instance, effect->number);
        origin->send = template.head.source;
    }
    if ((route.end & SW_ROUTE_UNREACHABLE) != 0) {
        template.key = effect->to;
        sw_dispatch_refuse(worker, &template, -(int32_t)route.value,
                           "no such Agent is reachable here");
        return;
    }
    way = find_way(worker, effect->to, route.value);
    if (way->route == NULL) { /* It was there when the guest called, but others ran since. */
        template.key = effect->to;
        sw_dispatch_refuse(worker, &template, SW_E_UNAVAILABLE, "the Agent is gone");
        return;
    }
    template.pod = way->pod;
    template.key = sw_way_key(way, effect->to);
    template.hash = way->hash;
    message = sw_spares_copy(&worker->spares, &template);
    if (message == NULL)
        sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for a message");
    else if (way->worker != worker->options.index)
        sw_item_put(&worker->sent[way->worker], &message->item);
    else
        put_local(dispatch, message);
}

static void deliver_local(struct dispatch *dispatch)
{
    struct sw_item *item;

    while ((item = sw_item_get(&dispatch->local)) != NULL)
        sw_deliver_message(dispatch->worker, (struct sw_message *)(void *)item);
}

static void dispatch_reply(struct dispatch *dispatch, const struct sw_effect *effect,
                           uint32_t index)
{
    struct sw_worker *worker = dispatch->worker;
    const struct sw_handle *handle = sw_actor_handle(&dispatch->instance->actor, effect->number);
    struct sw_message template;

    template_of(dispatch, effect, index, &template);
    worker->counts.replies++;
    if (handle == NULL)
        assert(dispatch->message != NULL && effect->number == worker->turn.handle);
    sw_dispatch_answer(worker, &(struct sw_answer){.origin = handle != NULL
                                                                 ? &handle->origin
                                                                 : &dispatch->message->head.origin,
                                                   .status = effect->status,
                                                   .priority = SWARM_PRIORITY_NORMAL,
                                                   .from_key = sw_instance_key(dispatch->instance),
                                                   .from = dispatch->from,
                                                   .type = effect->type,
                                                   .body = effect->body,
                                                   .source = template.head.source,
                                                   .epoch = template.epoch,
                                                   .body_lsn = template.body_lsn,
                                                   .body_at = template.body_at});
}

/* Hand over what was made of sends when there were no more than so many bytes of effects. */
static void send_taken(struct sw_worker *worker, uint64_t epoch, size_t effects_bytes)
{
    struct sw_item **taken = &worker->turn.taken;
    bool is_still = sw_routes_changes(worker->routes) == worker->turn.taken_changes;
    bool are_there = worker->removals == worker->turn.taken_removals;

    while (*taken != NULL) {
        struct sw_message *message = (struct sw_message *)(void *)(*taken)->next;
        uint64_t holder;

        if (message->effects_before > effects_bytes)
            return;
        (void)sw_item_get(taken);
        message->epoch = epoch;
        worker->counts.sends++;
        if (!is_still) {
            holder = sw_routes_holder(worker->routes, message->pod, 0, message->key);
            message->pod = holder != 0 ? holder : message->pod;
            sw_dispatch_message(worker, message);
        } else if (message->worker != worker->options.index) {
            sw_item_put(&worker->sent[message->worker], &message->item);
        } else if (are_there && message->receiver != NULL) {
            sw_deliver_to(worker, message->receiver, message);
        } else {
            sw_deliver_message(worker, message);
        }
    }
}

static void dispatch_effect(struct dispatch *dispatch, const struct sw_effect *effect,
                            uint32_t index)
{
    struct sw_message template;

    if (dispatch->is_held && sw_withheld_takes(effect->kind))
        return;
    if (effect->kind == SW_EFFECT_SEND || effect->kind == SW_EFFECT_ASK) {
        dispatch_send(dispatch, effect, index);
        return;
    }
    deliver_local(dispatch); /* What goes to one receiver goes in the order of the effects. */
    if (effect->kind == SW_EFFECT_REPLY) {
        dispatch_reply(dispatch, effect, index);
    } else if (effect->kind == SW_EFFECT_PUBLISH) {
        template_of(dispatch, effect, index, &template);
        template.head.flags = SWARM_MESSAGE_PUBLISHED;
        template.head.subject = effect->to;
        sw_dispatch_publish(dispatch->worker, &template, index);
    }
}

/* Those that were put down. */
static void dispatch_effects(struct dispatch *dispatch)
{
    struct sw_worker *worker = dispatch->worker;
    const struct sw_instance *instance = dispatch->instance;
    struct sw_bytes agent = instance->pod->config.agent;
    struct sw_reader reader = sw_reader_of(worker->turn.effects.data, worker->turn.effects.size);
    char name[NAME_MAX_BYTES];
    struct sw_effect effect;

    assert(agent.size + 1 + instance->key_size <= sizeof name);
    memcpy(name, agent.data, agent.size);
    name[agent.size] = '/';
    memcpy(name + agent.size + 1, instance->key, instance->key_size);
    dispatch->from = (struct sw_bytes){name, agent.size + 1 + instance->key_size};
    for (uint32_t i = 0; worker->failure.rc == SW_OK; i++) {
        send_taken(worker, dispatch->place.epoch, reader.at);
        if (!sw_effect_take(&reader, &effect))
            break;
        dispatch_effect(dispatch, &effect, i);
    }
    deliver_local(dispatch);
}

void sw_dispatch_effects(struct sw_worker *worker, struct sw_instance *instance,
                         const struct sw_message *message, struct sw_journal_place place,
                         uint32_t effects_at, bool is_held)
{
    const struct sw_turn *turn = &worker->turn;

    worker->running = instance;
    if (turn->effects.size > 0)
        dispatch_effects(
            &(struct dispatch){.worker = worker,
                               .instance = instance,
                               .message = message,
                               .place = place,
                               .effects_at = effects_at,
                               .is_held = is_held,
                               .routes = sw_reader_of(turn->routes.data, turn->routes.size)});
    else
        send_taken(worker, place.epoch, 0);
    worker->running = NULL;
}
