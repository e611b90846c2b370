#include "pkg/agent/runtime/actor/slots.h"

#include "include/swarm/agent.h"
#include "pkg/agent/runtime/actor/calls.h"
#include "pkg/agent/runtime/actor/capture.h"
#include "pkg/agent/runtime/actor/hibernate.h"
#include "pkg/agent/runtime/actor/move.h"
#include "pkg/agent/runtime/actor/resting.h"
#include "pkg/agent/runtime/actor/retry.h"
#include "pkg/agent/runtime/actor/state.h"

#include <stdlib.h>
#include <string.h>

void sw_workers_settle(struct sw_worker **workers, uint32_t count)
{
    bool goes_on = true;

    while (goes_on) {
        goes_on = false;
        for (uint32_t i = 0; i < count; i++)
            (void)sw_worker_run(workers[i], 0);
        for (uint32_t i = 0; i < count * count; i++) {
            struct sw_item *item = sw_worker_sent(workers[i / count], i % count);

            if (item == NULL)
                continue;
            sw_worker_put(workers[i % count], item);
            goes_on = true;
            i--; /* There may be more. */
        }
    }
}

/* --- Instances ------------------------------------------------------------------------------- */

/* A guest belongs to the thread of its worker: it crosses as an image. */
static void pack(const struct sw_move *move, struct sw_instance *instance)
{
    struct sw_worker *from = move->from_worker;
    struct sw_image *image;
    struct sw_err err = {0};

    if (from == move->to_worker || instance->guest == NULL)
        return;
    image = sw_image_new(from, instance, &err);
    if (image == NULL && !instance->pod->config.is_durable)
        sw_worker_fail(from, err.rc, err.message);
    sw_instance_set_image(from, instance, image); /* Without one it is rebuilt by replay. */
    sw_instance_sleep(from, instance);
}

/* Take it out of the old worker's and Pod's tables. */
static void leave(const struct sw_move *move, struct sw_instance *instance)
{
    struct sw_worker *from = move->from_worker;

    sw_capture_instance_first(from, instance); /* A snapshot may want it as it was. */
    pack(move, instance);
    sw_meter_set_pages(from, instance, 0);
    sw_image_count(from, instance, false);
    if (instance->ready.queued != 0)
        sw_ready_remove(&from->ready, move->from->share, &instance->ready);
    sw_heap_remove(&from->timers, &instance->timer);
    sw_list_remove(&instance->capture);
    sw_deliver_forget(from, instance);
    (void)sw_idmap_remove(from->instances, instance->id);
    (void)sw_map_remove(move->from->instances, instance->key, instance->key_size);
    from->counts.waiting -= instance->waiting;
    if (instance->is_started && !instance->is_parked)
        move->from->ready--;
    sw_instance_set_failing(from, instance, false);
}

static void set_pod(struct sw_instance *instance, uint64_t pod)
{
    for (uint32_t p = 0; p < SW_PRIORITIES; p++) {
        struct sw_item *item = instance->mailbox[p];

        if (item == NULL)
            continue;
        do {
            item = item->next;
            ((struct sw_message *)(void *)item)->pod = pod;
        } while (item != instance->mailbox[p]);
    }
    sw_held_set_pod(instance->held, pod);
    if (instance->answer != NULL)
        instance->answer->pod = pod;
    if (instance->handled != NULL)
        instance->handled->pod = pod;
}

static void enter(const struct sw_move *move, struct sw_instance *instance, bool was_failing)
{
    struct sw_worker *to = move->to_worker;
    struct sw_subscriber *subscriber;
    struct sw_bus *bus = &to->shared->bus;

    sw_list_add(&to->captured, &instance->capture);
    instance->pod = move->to;
    instance->is_resting = false;
    if (instance->is_started && instance->image == NULL)
        sw_resting_put(to, instance, instance->actor.last_ns);
    instance->is_leaving = false;
    set_pod(instance, move->to->config.pod);
    if (sw_idmap_put(to->instances, instance->id, instance, NULL) != SW_OK ||
        sw_map_put(move->to->instances, instance->key, instance->key_size, instance, NULL) !=
            SW_OK) {
        sw_worker_fail(to, SW_E_EXHAUSTED, "no memory for an instance that moves");
        return;
    }
    sw_image_count(to, instance, true);
    to->counts.waiting += instance->waiting;
    if (instance->is_started && !instance->is_parked)
        move->to->ready++;
    sw_instance_set_failing(to, instance, was_failing);
    pthread_mutex_lock(&bus->mutex);
    subscriber = sw_idmap_find(bus->subscribers, instance->id);
    if (subscriber != NULL)
        subscriber->pod = move->to->config.pod;
    pthread_mutex_unlock(&bus->mutex);
    sw_instance_set_timer(to, instance);
    if (move->to->state != SW_POD_OPEN)
        return;
    for (uint32_t p = 0; p < SW_PRIORITIES; p++)
        if (instance->mailbox[p] != NULL)
            sw_instance_wake_up(to, instance, p);
    sw_call_send(to, instance);
    sw_instance_wake_up(to, instance, SWARM_PRIORITY_NORMAL);
}

static void move_instances(const struct sw_move *move)
{
    size_t count = sw_map_count(move->from->instances), cursor = 0, at = 0;
    struct sw_instance **list = malloc((count + 1) * sizeof(struct sw_instance *));
    struct sw_map_entry entry;

    if (list == NULL) {
        sw_worker_fail(move->from_worker, SW_E_EXHAUSTED, "no memory to move instances");
        return;
    }
    while (sw_map_next(move->from->instances, &cursor, &entry)) {
        struct sw_instance *instance = entry.value;
        if (sw_slots_have(move->slots, sw_instance_slot(instance->id)))
            list[at++] = instance;
    }
    for (size_t i = 0; i < at && move->to_worker->failure.rc == SW_OK; i++) {
        bool was_failing = list[i]->is_counted_failing;
        uint32_t pages = list[i]->pages;

        leave(move, list[i]);
        enter(move, list[i], was_failing);
        sw_meter_set_pages(move->to_worker, list[i], pages);
    }
    free(list);
}

/* --- The rest -------------------------------------------------------------------------------- */

static void move_letters(const struct sw_move *move)
{
    struct sw_letters *from = &move->from->letters;

    for (size_t i = 0; i < from->count;) {
        uint32_t slot = sw_slot_of(move->from->hash_key, from->items[i]->message->key);
        struct sw_letter *letter;

        if (!sw_slots_have(move->slots, slot)) {
            i++;
            continue;
        }
        letter = sw_letters_take(from, from->items[i]->number);
        letter->message->pod = move->to->config.pod;
        if (sw_letters_put(&move->to->letters, letter) == SW_OK)
            continue;
        sw_letter_free(letter);
        sw_worker_fail(move->to_worker, SW_E_EXHAUSTED, "no memory to move dead letters");
        return;
    }
}

/* What waited for the old Pod to be opened waits for the new one, or is delivered. */
static void move_limbo(const struct sw_move *move)
{
    struct sw_item *waiting = move->from->limbo, *item;

    move->from->limbo = NULL;
    while ((item = sw_item_get(&waiting)) != NULL) {
        struct sw_message *message = (struct sw_message *)(void *)item;

        if (!sw_slots_have(move->slots, sw_slot_of(move->from->hash_key, message->key))) {
            sw_item_put(&move->from->limbo, item);
            continue;
        }
        message->pod = move->to->config.pod;
        if (move->to->state == SW_POD_CLOSED) {
            sw_item_put(&move->to->limbo, item);
            continue;
        }
        atomic_fetch_sub(&move->to_worker->shared->queued_bytes, message->size_bytes);
        sw_worker_put(move->to_worker, item);
    }
}

void sw_move_apply(const struct sw_move *move)
{
    sw_capture_pod_first(move->from_worker, move->from);
    sw_capture_pod_first(move->to_worker, move->to);
    move_instances(move);
    for (uint32_t slot = 0; slot < SW_SLOTS; slot++)
        if (sw_slots_have(move->slots, slot))
            sw_hibernate_move(move->from_worker, move->from, move->to_worker, move->to, slot);
    move_letters(move);
    move_limbo(move);
}

static void apply(const struct sw_move *move)
{
    sw_move_apply(move);
    for (size_t i = 0; i < sizeof move->slots; i++) {
        move->from->config.slots[i] &= (uint8_t)~move->slots[i];
        move->to->config.slots[i] |= move->slots[i];
    }
    sw_output_status(move->from_worker, move->from);
    sw_output_status(move->to_worker, move->to);
}

/* Everybody learns at once what the two Pods hold: nobody runs. */
static void announce(const struct sw_slots_take *take, const struct sw_move *move)
{
    struct sw_route_change from, to;

    sw_pod_route(move->from, move->from_worker->options.index, &from);
    sw_pod_route(move->to, move->to_worker->options.index, &to);
    for (uint32_t i = 0; i < take->count; i++)
        if (sw_routes_change(take->workers[i]->routes, &from) != SW_OK ||
            sw_routes_change(take->workers[i]->routes, &to) != SW_OK)
            sw_worker_fail(take->workers[i], SW_E_EXHAUSTED, "no memory for a route");
}

static bool is_same_agent(const struct sw_pod_config *one, const struct sw_pod_config *other)
{
    return sw_bytes_is_equal(one->agent_uid, other->agent_uid) &&
           sw_bytes_is_equal(one->agent, other->agent) &&
           sw_bytes_is_equal(one->name_space, other->name_space);
}

static void take_from(struct sw_slots_take *take, struct sw_move *move)
{
    struct sw_record record = {.kind = SW_RECORD_SLOTS,
                               .slots = {.from = move->from->config.pod,
                                         .to = move->to->config.pod,
                                         .slots = {move->slots, sizeof move->slots}}};
    struct sw_journal_place place;
    uint8_t busy[SW_SLOTS / 8];
    bool has_any = false;

    if (!is_same_agent(&move->from->config, &move->to->config) ||
        move->from->state == SW_POD_DISCARDING ||
        move->from->config.is_durable != move->to->config.is_durable)
        return;
    sw_overtake_want_slots(move->from_worker, move->from, take->slots, busy);
    for (size_t i = 0; i < sizeof move->slots; i++) {
        move->slots[i] = take->slots[i] & move->from->config.slots[i] & (uint8_t)~busy[i];
        take->ret_is_partial =
            take->ret_is_partial || (take->slots[i] & move->from->config.slots[i] & busy[i]) != 0;
        take->ret_taken[i] |= move->slots[i];
        has_any = has_any || move->slots[i] != 0;
    }
    if (!has_any || (move->to->config.is_durable &&
                     sw_worker_append(move->from_worker, &record, &place) != SW_OK))
        return;
    apply(move);
    announce(take, move);
}

void sw_slots_take(struct sw_slots_take *take)
{
    struct sw_move move = {
        .to_worker = take->workers[sw_worker_of_pod(take->workers, take->count, take->pod)]};

    memset(take->ret_taken, 0, sizeof take->ret_taken);
    take->ret_is_partial = false;
    move.to = sw_map_find(move.to_worker->pods, &take->pod, sizeof take->pod);
    if (move.to == NULL || move.to->state != SW_POD_OPEN)
        return;
    for (uint32_t i = 0; i < take->count; i++) {
        struct sw_map_entry entry;
        size_t cursor = 0;

        move.from_worker = take->workers[i];
        while (sw_map_next(move.from_worker->pods, &cursor, &entry)) {
            move.from = entry.value;
            if (move.from != move.to)
                take_from(take, &move);
        }
    }
    if (!move.to->config.is_keyed)
        sw_pod_set_replicas(move.to_worker, move.to);
    sw_workers_settle(take->workers, take->count);
}

enum sw_rc sw_slots_recover(struct sw_worker **workers, uint32_t count,
                            const struct sw_record_slots *record)
{
    struct sw_move move = {.from_worker = workers[record->from % count],
                           .to_worker = workers[record->to % count]};
    struct sw_slots_take take = {.workers = workers, .count = count};

    move.from = sw_map_find(move.from_worker->pods, &record->from, sizeof record->from);
    move.to = sw_map_find(move.to_worker->pods, &record->to, sizeof record->to);
    if (record->slots.size != sizeof move.slots || move.from == NULL || move.to == NULL ||
        move.from == move.to)
        return SW_E_CORRUPT;
    memcpy(move.slots, record->slots.data, sizeof move.slots);
    apply(&move);
    announce(&take, &move);
    return SW_OK;
}
