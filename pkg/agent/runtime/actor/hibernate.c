#include "pkg/agent/runtime/actor/hibernate.h"

#include "include/swarm/agent.h"
#include "pkg/agent/link/frame.h"
#include "pkg/agent/runtime/actor/capture.h"
#include "pkg/agent/runtime/actor/compact.h"
#include "pkg/agent/runtime/actor/retry.h"
#include "pkg/agent/runtime/actor/segment.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* --- Going to sleep -------------------------------------------------------------------------- */

static void count_asleep(struct sw_worker *worker, struct sw_pod *pod, int64_t more)
{
    pod->asleep_count += (uint64_t)more;
    worker->rest.count += (uint64_t)more;
}

bool sw_hibernate_is_new(const struct sw_instance *instance)
{
    const struct sw_pod *pod = instance->pod;

    return instance->image == NULL && instance->actor.segments <= 1 &&
           !sw_actor_is_held(&instance->actor) && pod->program != NULL &&
           !pod->program->view.has_on_start && instance->spec == pod->spec;
}

bool sw_hibernate_waits_for_nothing(const struct sw_instance *instance)
{
    const struct sw_actor *actor = &instance->actor;

    return actor->wait.kind == SW_WAIT_NONE && actor->timers_count == 0 &&
           actor->patterns_count == 0 && sw_actor_open_handles(actor) == 0 &&
           !sw_actor_is_held(actor) && instance->pod->config.idle_ns == 0 &&
           instance->pod->config.messages_per_s == 0;
}

/* Whether all that it is lies in its actor and its guest. */
static bool can_sleep(const struct sw_instance *instance)
{
    return (instance->guest != NULL || sw_hibernate_is_new(instance)) && instance->is_started &&
           instance->waiting == 0 && instance->ready.queued == 0 && !instance->is_parked &&
           !instance->is_stopping && !instance->is_leaving && !instance->is_expiring &&
           !instance->is_over_rate && !instance->is_counted_failing && instance->passed == NULL &&
           instance->held == NULL && instance->answer == NULL && instance->handled == NULL &&
           instance->retry_ns == 0 && instance->fullness == SW_NOT_FULL &&
           instance->pod->state == SW_POD_OPEN && sw_hibernate_waits_for_nothing(instance);
}

/* The slot's table; NULL: no memory. */
static struct sw_asleep *table_of(struct sw_worker *worker, struct sw_pod *pod, uint32_t slot)
{
    struct sw_asleep *asleep;

    if (pod->asleep == NULL)
        pod->asleep = calloc(SW_SLOTS, sizeof(struct sw_asleep *));
    if (pod->asleep == NULL)
        return NULL;
    if (pod->asleep[slot] != NULL)
        return pod->asleep[slot];
    asleep = sw_asleep_new(pod->config.pod, slot);
    if (asleep == NULL)
        return NULL;
    asleep->captured = worker->generation;
    sw_list_add(&worker->rest.asleep, &asleep->capture);
    pod->asleep[slot] = asleep;
    return asleep;
}

/* The object goes; what it is lies on the shelf. */
static void leave(struct sw_worker *worker, struct sw_instance *instance)
{
    struct sw_pod *pod = instance->pod;

    sw_capture_leave_sleeper(worker, instance);
    sw_capture_unstore(worker, instance);
    sw_list_remove(&instance->capture);
    sw_instance_sleep(worker, instance);
    sw_instance_set_image(worker, instance, NULL);
    sw_heap_remove(&worker->timers, &instance->timer);
    (void)sw_idmap_remove(worker->instances, instance->id);
    (void)sw_map_remove(pod->instances, instance->key, instance->key_size);
    sw_deliver_forget(worker, instance);
    sw_actor_done(&instance->actor);
    sw_instance_free(worker, instance);
}

/* Put its block on the shelf. */
static bool put_down(struct sw_worker *worker, struct sw_instance *instance, uint64_t *ret_place)
{
    struct sw_snapshot_block block = {.kind = SW_SNAPSHOT_INSTANCE};
    struct sw_err err = {0};
    enum sw_rc rc;

    if (sw_capture_describe(worker, instance, NULL, &block.instance, &err) != SW_OK)
        return false;
    sw_buffer_reset(&worker->block);
    sw_snapshot_block_put(&block, &worker->block);
    if (worker->block.failed)
        return false;
    rc = sw_shelf_put(worker->shared->shelf,
                      (struct sw_bytes){worker->block.data, worker->block.size}, ret_place);
    if (rc != SW_OK && rc != SW_E_EXHAUSTED)
        sw_worker_fail(worker, rc, "the shelf of instances that sleep cannot be written");
    return rc == SW_OK;
}

bool sw_hibernate(struct sw_worker *worker, struct sw_instance *instance)
{
    struct sw_pod *pod = instance->pod;
    uint64_t key = sw_board_key(pod->hash_key, sw_instance_key(instance));
    struct sw_asleep_entry entry = {.hash = sw_asleep_hash(key),
                                    .number = sw_asleep_number(instance->id)};
    struct sw_asleep *asleep;
    struct sw_asleep_entry other;

    if (!can_sleep(instance) || worker->shared->shelf == NULL ||
        (!pod->config.is_durable && instance->epoch > sw_journal_durable(worker->shared->journal)))
        return false; /* What it has seen is forgotten with it. */
    asleep = table_of(worker, pod, sw_instance_slot(instance->id));
    if (asleep == NULL || sw_asleep_find(asleep, entry.hash, &other) ||
        !put_down(worker, instance, &entry.place))
        return false;
    entry.spec = instance->spec->number;
    sw_capture_instance_first(worker, instance);
    sw_capture_asleep_first(worker, pod, asleep);
    if (sw_asleep_put(asleep, &entry) != SW_OK) {
        sw_shelf_drop(worker->shared->shelf, entry.place);
        return false;
    }
    sw_capture_use(worker, instance->spec);
    sw_meter_sleep(&asleep->slept, instance);
    count_asleep(worker, pod, 1);
    worker->counts.hibernated++;
    leave(worker, instance);
    return true;
}

/* --- Waking up ------------------------------------------------------------------------------- */

/* Its memory, to be loaded when it is entered. */
static enum sw_rc set_image(struct sw_worker *worker, struct sw_instance *instance,
                            const struct sw_snapshot_instance *saved)
{
    struct sw_bytes actor = saved->base_actor.size > 0 ? saved->base_actor : saved->actor;
    struct sw_image *image = malloc(sizeof *image + actor.size + saved->guest.size);

    if (image == NULL)
        return SW_E_EXHAUSTED;
    image->lsn = saved->base_lsn;
    image->random_next = saved->base_random_next;
    image->actor_bytes = (uint32_t)actor.size;
    image->guest_bytes = (uint32_t)saved->guest.size;
    memcpy(image->bytes, actor.data, actor.size);
    if (saved->guest.size > 0)
        memcpy(image->bytes + actor.size, saved->guest.data, saved->guest.size);
    instance->is_hibernated = true;
    sw_instance_set_image(worker, instance, image);
    return SW_OK;
}

static void fill(struct sw_worker *worker, struct sw_instance *instance,
                 const struct sw_snapshot_instance *saved, const struct sw_spec *spec)
{
    memcpy(instance->random.seed, saved->seed.data, sizeof instance->random.seed);
    instance->random.next = saved->random_next;
    instance->memory_bytes = saved->memory_bytes & SW_INSTANCE_MEMORY_MAX;
    instance->pages = saved->pages & SW_INSTANCE_PAGES_MAX;
    if (instance->is_metered)
        *sw_instance_used(instance) = saved->used;
    instance->refused = saved->refused;
    instance->tail = saved->tail_records < UINT16_MAX ? (uint16_t)saved->tail_records : UINT16_MAX;
    instance->image_delay = (uint8_t)saved->image_delay & 7u;
    instance->actor.last_lsn = saved->last_lsn;
    instance->actor.state_lsn = saved->state_lsn;
    instance->spec = spec;
    instance->is_started = true;
    instance->epoch = sw_output_epoch_now(worker); /* It may have seen that much. */
}

/* Something has to be done with it, now that it is awake. */
static void settle(struct sw_worker *worker, struct sw_instance *instance)
{
    struct sw_pod *pod = instance->pod;

    if (pod->state == SW_POD_DISCARDING || sw_pod_is_surplus(pod, instance))
        instance->is_stopping = true;
    if (instance->is_stopping || sw_pod_is_to_upgrade(pod, instance))
        sw_instance_wake_up(worker, instance, SWARM_PRIORITY_LOW);
}

/* Have the instance of an entry awake, of which this is the block.
 * SW_E_CORRUPT: it is another's, or says what cannot be: it stays where it is. */
static enum sw_rc wake(struct sw_worker *worker, struct sw_asleep *asleep, struct sw_pod *pod,
                       const struct sw_asleep_entry *entry,
                       const struct sw_snapshot_instance *saved, struct sw_err *err)
{
    const struct sw_spec *spec = sw_specs_find(&worker->shared->specs, saved->spec);
    struct sw_actor actor = {0};
    struct sw_instance *instance;
    enum sw_rc rc;

    if (spec == NULL || sw_asleep_number(saved->id) != entry->number ||
        sw_instance_slot(saved->id) != asleep->slot ||
        sw_asleep_hash(sw_board_key(pod->hash_key, saved->key)) != entry->hash)
        return sw_err_set(err, SW_E_CORRUPT, "on the shelf lies somebody else");
    rc = sw_actor_load(&actor, saved->actor, err);
    if (rc != SW_OK)
        return rc;
    sw_capture_asleep_first(worker, pod, asleep);
    instance = sw_instance_add(worker, pod, saved->key, saved->id);
    if (instance == NULL) {
        sw_actor_done(&actor);
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for an instance");
    }
    instance->actor = actor;
    fill(worker, instance, saved, spec);
    if (saved->guest.size > 0 && set_image(worker, instance, saved) != SW_OK)
        sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for an instance");
    sw_asleep_remove(asleep, entry->hash);
    sw_meter_wake(&asleep->slept, instance);
    count_asleep(worker, pod, -1);
    if (pod->config.is_durable) {
        instance->stored_at[0] = entry->place;
        instance->stored_generation[0] = SW_STORED_ON_SHELF;
    } else {
        sw_shelf_drop(worker->shared->shelf, entry->place);
    }
    sw_capture_use(worker, spec);
    worker->counts.woken++;
    if (pod->state == SW_POD_OPEN || pod->state == SW_POD_DISCARDING)
        settle(worker, instance);
    return SW_OK;
}

/* Read its block and have it awake. */
static enum sw_rc load(struct sw_worker *worker, struct sw_asleep *asleep, struct sw_pod *pod,
                       const struct sw_asleep_entry *entry, bool is_now, struct sw_err *err)
{
    struct sw_snapshot_instance saved;
    enum sw_rc rc = sw_shelf_read(worker->shared->shelf, entry->place, is_now, &worker->rest.block,
                                  &saved, err);

    return rc == SW_OK ? wake(worker, asleep, pod, entry, &saved, err) : rc;
}

/* --- What waits ------------------------------------------------------------------------------ */

/* NULL: no memory. */
static struct sw_loading *loading_new(struct sw_worker *worker, struct sw_pod *pod, uint32_t slot,
                                      const struct sw_asleep_entry *entry)
{
    struct sw_loading *loading = malloc(sizeof *loading);
    struct sw_item_read *item = sw_item_read_new(worker->options.index, entry->place);

    if (loading == NULL || item == NULL ||
        sw_idmap_put(worker->rest.loadings, entry->place, loading, NULL) != SW_OK) {
        free(loading);
        if (item != NULL)
            sw_item_free(&item->item, &worker->engine);
        return NULL;
    }
    *loading =
        (struct sw_loading){.pod = pod, .place = entry->place, .slot = slot, .hash = entry->hash};
    sw_list_init(&loading->node);
    sw_list_add(&pod->loadings, &loading->node);
    sw_item_put(&worker->rest.reads, &item->item);
    return loading;
}

/* The block is there, or is not wanted any more. What waited is the caller's. */
static struct sw_item *loading_end(struct sw_worker *worker, struct sw_loading *loading)
{
    struct sw_item *messages = loading->messages;

    (void)sw_idmap_remove(worker->rest.loadings, loading->place);
    sw_list_remove(&loading->node);
    worker->rest.walking -= loading->is_walk;
    free(loading);
    return messages;
}

static void unqueue(struct sw_worker *worker, const struct sw_message *message)
{
    atomic_fetch_sub(&worker->shared->queued_bytes, message->size_bytes);
}

static void refuse(struct sw_worker *worker, struct sw_message *message, int32_t status,
                   const char *words)
{
    sw_dispatch_refuse(worker, message, status, words);
    sw_message_free(message);
}

/* Its block cannot be read: that may be mended, so it stays where it is. */
static void refuse_unreadable(struct sw_worker *worker, struct sw_pod *pod,
                              struct sw_message *message, const struct sw_err *err)
{
    struct sw_refusal refusal = {SW_E_INTERNAL, "Unreadable", err->message};

    sw_retry_refuse(worker, pod, message->key, message, &refusal);
    sw_message_free(message);
}

/* Have the message wait until its receiver's block was read. */
static void wait_for(struct sw_worker *worker, struct sw_pod *pod, uint32_t slot,
                     const struct sw_asleep_entry *entry, struct sw_message *message)
{
    struct sw_loading *loading = sw_idmap_find(worker->rest.loadings, entry->place);

    if (loading == NULL)
        loading = loading_new(worker, pod, slot, entry);
    if (loading == NULL) {
        sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for an instance");
        sw_message_free(message);
        return;
    }
    if (message->head.origin.kind == SW_ORIGIN_CLIENT && loading->count >= pod->config.mailbox) {
        refuse(worker, message, SW_E_EXHAUSTED, "the mailbox is full");
        return;
    }
    message->generation = worker->generation;
    atomic_fetch_add(&worker->shared->queued_bytes, message->size_bytes);
    sw_item_put(&loading->messages, &message->item);
    loading->count++;
}

/* Its block cannot be read. If its Pod ends, it is gone without a word; all others stay. */
static void give_up(struct sw_worker *worker, struct sw_pod *pod, struct sw_asleep *asleep,
                    const struct sw_asleep_entry *entry, const struct sw_err *err)
{
    struct sw_frame event = {.kind = SW_FRAME_EVENT,
                             .event = {.uid = pod->config.uid,
                                       .is_warning = 1,
                                       .reason = {"Unreadable", 10},
                                       .words = {err->message, strlen(err->message)}}};

    sw_output_frame(worker, &event, sw_output_epoch_now(worker));
    if (pod->state != SW_POD_DISCARDING) {
        worker->rest.walked -= pod->is_walking;
        pod->is_walking = false; /* It would be met again and again. */
        return;
    }
    sw_capture_asleep_first(worker, pod, asleep);
    sw_meter_lose_slept(pod, sw_asleep_count(asleep), &asleep->slept);
    sw_asleep_remove(asleep, entry->hash);
    sw_shelf_drop(worker->shared->shelf, entry->place);
    count_asleep(worker, pod, -1);
    pod->ready--;
}

static void loaded(struct sw_worker *worker, struct sw_item_read *item)
{
    struct sw_loading *loading = sw_idmap_find(worker->rest.loadings, item->place);
    struct sw_pod *pod = loading == NULL ? NULL : loading->pod;
    struct sw_asleep *asleep = pod == NULL ? NULL : pod->asleep[loading->slot];
    struct sw_item *messages, *waiting;
    struct sw_asleep_entry entry;
    enum sw_rc rc = item->rc;
    bool is_there;

    if (loading == NULL) /* It moved, or is gone. */
        return;
    is_there = sw_asleep_find(asleep, loading->hash, &entry) && entry.place == loading->place;
    sw_capture_pod_first(worker, pod); /* What waits is about to be taken out. */
    messages = loading_end(worker, loading);
    if (rc == SW_OK && is_there)
        rc = wake(worker, asleep, pod, &entry, &item->saved, &item->err);
    if (rc != SW_OK && is_there)
        give_up(worker, pod, asleep, &entry, &item->err);
    while ((waiting = sw_item_get(&messages)) != NULL) {
        struct sw_message *message = (struct sw_message *)(void *)waiting;

        unqueue(worker, message);
        if (rc == SW_OK)
            sw_deliver_message(worker, message);
        else
            refuse_unreadable(worker, pod, message, &item->err);
    }
    sw_pod_finish_if_empty(worker, pod);
}

void sw_hibernate_loaded(struct sw_worker *worker, struct sw_item_read *item)
{
    if (item->is_move)
        sw_compact_loaded(worker, item);
    else
        loaded(worker, item);
}

/* --- Looking --------------------------------------------------------------------------------- */

static bool find_entry(const struct sw_pod *pod, const struct sw_message *message,
                       struct sw_asleep **ret_asleep, struct sw_asleep_entry *ret_entry)
{
    uint64_t hash;
    uint32_t slot;

    if (message->instance != 0) {
        *ret_asleep = pod->asleep[sw_instance_slot(message->instance)];
        return *ret_asleep != NULL &&
               sw_asleep_find_number(*ret_asleep, sw_asleep_number(message->instance), ret_entry);
    }
    hash = sw_board_key(pod->hash_key, message->key);
    slot = sw_slot_of_hashed(pod->hash_key, message->key, hash);
    *ret_asleep = pod->asleep[slot];
    return *ret_asleep != NULL && sw_asleep_find(*ret_asleep, sw_asleep_hash(hash), ret_entry);
}

enum sw_found sw_hibernate_find(struct sw_worker *worker, struct sw_pod *pod,
                                struct sw_message *message)
{
    struct sw_asleep *asleep;
    struct sw_asleep_entry entry;
    struct sw_err err = {0};
    enum sw_rc rc;

    if (pod->asleep_count == 0 || !find_entry(pod, message, &asleep, &entry))
        return SW_FOUND_NOBODY;
    if ((message->head.flags & SW_MESSAGE_ENDS_WAIT) != 0) { /* Who sleeps waits for nothing. */
        sw_message_free(message);
        return SW_FOUND_LATER;
    }
    if (pod->state == SW_POD_CLOSED) {
        sw_limbo_put(worker, pod, message);
        return SW_FOUND_LATER;
    }
    if (sw_idmap_find(worker->rest.loadings, entry.place) == NULL) {
        rc = load(worker, asleep, pod, &entry, true, &err);
        if (rc == SW_OK)
            return SW_FOUND_HERE;
        if (rc != SW_E_UNAVAILABLE) {
            refuse_unreadable(worker, pod, message, &err);
            return SW_FOUND_LATER;
        }
    }
    wait_for(worker, pod, asleep->slot, &entry, message);
    return SW_FOUND_LATER;
}

bool sw_hibernate_has(struct sw_worker *worker, const struct sw_pod *pod, struct sw_bytes key,
                      bool is_exact)
{
    struct sw_message message = {.key = key};
    struct sw_snapshot_instance saved;
    struct sw_asleep *asleep;
    struct sw_asleep_entry entry;

    if (pod->asleep_count == 0 || !find_entry(pod, &message, &asleep, &entry))
        return false;
    return !is_exact ||
           sw_shelf_read(worker->shared->shelf, entry.place, false, &worker->rest.block, &saved,
                         NULL) != SW_OK ||
           sw_bytes_is_equal(saved.key, key);
}

enum sw_rc sw_hibernate_recall(struct sw_worker *worker, struct sw_pod *pod, uint64_t id,
                               struct sw_instance **ret_instance, struct sw_err *err)
{
    struct sw_message message = {.instance = id};
    struct sw_asleep *asleep;
    struct sw_asleep_entry entry;
    enum sw_rc rc;

    *ret_instance = NULL;
    if (pod->asleep_count == 0 || !find_entry(pod, &message, &asleep, &entry))
        return SW_OK;
    rc = load(worker, asleep, pod, &entry, false, err);
    if (rc == SW_OK)
        *ret_instance = sw_idmap_find(worker->instances, id);
    return rc;
}

/* --- All of a Pod ---------------------------------------------------------------------------- */

void sw_hibernate_walk(struct sw_worker *worker, struct sw_pod *pod)
{
    if (pod->asleep_count == 0)
        return;
    pod->walk_slot = 0;
    if (!pod->is_walking)
        worker->rest.walked++;
    pod->is_walking = true;
}

static bool is_to_wake(struct sw_worker *worker, const struct sw_pod *pod, uint32_t spec_number)
{
    const struct sw_spec *spec = sw_specs_find(&worker->shared->specs, spec_number);

    return pod->state == SW_POD_DISCARDING || pod->has_surplus || spec == NULL ||
           !sw_bytes_is_equal(spec->digest, pod->spec->digest);
}

/* One of the slot that is to be woken, and whose block nobody reads. */
static bool find_next(struct sw_worker *worker, const struct sw_pod *pod,
                      const struct sw_asleep *asleep, struct sw_asleep_entry *ret_entry)
{
    bool has_any = false;
    size_t cursor = 0;

    for (uint32_t i = 0; i < asleep->specs_count; i++)
        has_any = has_any ||
                  (asleep->specs[i].count > 0 && is_to_wake(worker, pod, asleep->specs[i].number));
    while (has_any && sw_asleep_next(asleep, &cursor, ret_entry))
        if (is_to_wake(worker, pod, ret_entry->spec) &&
            sw_idmap_find(worker->rest.loadings, ret_entry->place) == NULL)
            return true;
    return false;
}

/* False: it is through. */
static bool walk_on(struct sw_worker *worker, struct sw_pod *pod)
{
    struct sw_asleep_entry entry;

    while (pod->walk_slot < SW_SLOTS) {
        const struct sw_asleep *asleep = pod->asleep[pod->walk_slot];

        if (asleep != NULL && find_next(worker, pod, asleep, &entry)) {
            struct sw_loading *loading = loading_new(worker, pod, pod->walk_slot, &entry);

            if (loading == NULL) {
                sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for an instance");
                return true;
            }
            loading->is_walk = true;
            worker->rest.walking++;
            return true;
        }
        pod->walk_slot++;
    }
    return false;
}

void sw_hibernate_step(struct sw_worker *worker)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (worker->rest.walked > 0 && worker->rest.walking < SW_WALK_MAX &&
           worker->failure.rc == SW_OK && sw_map_next(worker->pods, &cursor, &entry)) {
        struct sw_pod *pod = entry.value;

        while (pod->is_walking && worker->rest.walking < SW_WALK_MAX && worker->failure.rc == SW_OK)
            if (!walk_on(worker, pod)) {
                pod->is_walking = pod->has_surplus = false;
                worker->rest.walked--;
            }
    }
}

static void drop_table(struct sw_worker *worker, struct sw_pod *pod, uint32_t slot)
{
    struct sw_asleep *asleep = pod->asleep[slot];
    struct sw_asleep_entry entry;
    size_t cursor = 0;

    sw_capture_asleep_first(worker, pod, asleep);
    while (sw_asleep_next(asleep, &cursor, &entry))
        sw_shelf_drop(worker->shared->shelf, entry.place);
    sw_meter_drop_slept(worker, pod, sw_asleep_count(asleep), &asleep->slept);
    pod->ready -= sw_asleep_count(asleep);
    count_asleep(worker, pod, -(int64_t)sw_asleep_count(asleep));
    sw_asleep_free(asleep);
    pod->asleep[slot] = NULL;
}

/* What waits in the Pod for blocks of a slot (SW_SLOTS: of any). */
static struct sw_item *take_waiting(struct sw_worker *worker, struct sw_pod *pod, uint32_t slot)
{
    struct sw_item *taken = NULL;

    SW_LIST_EACH(&pod->loadings, node)
    {
        struct sw_loading *loading = SW_LIST_ITEM(node, struct sw_loading, node);
        struct sw_item *messages, *item;

        if (slot != SW_SLOTS && loading->slot != slot)
            continue;
        messages = loading_end(worker, loading);
        while ((item = sw_item_get(&messages)) != NULL)
            sw_item_put(&taken, item);
    }
    return taken;
}

void sw_hibernate_drop(struct sw_worker *worker, struct sw_pod *pod, bool keeps_mail)
{
    struct sw_item *waiting, *item;

    sw_capture_pod_first(worker, pod);
    waiting = take_waiting(worker, pod, SW_SLOTS);
    while ((item = sw_item_get(&waiting)) != NULL) {
        struct sw_message *message = (struct sw_message *)(void *)item;

        unqueue(worker, message);
        if (keeps_mail)
            sw_limbo_put(worker, pod, message);
        else
            refuse(worker, message, SW_E_UNAVAILABLE, "the instance is gone");
    }
    for (uint32_t slot = 0; pod->asleep != NULL && slot < SW_SLOTS; slot++)
        if (pod->asleep[slot] != NULL)
            drop_table(worker, pod, slot);
}

void sw_hibernate_end(struct sw_worker *worker, struct sw_pod *pod)
{
    struct sw_item *waiting = take_waiting(worker, pod, SW_SLOTS), *item;

    while ((item = sw_item_get(&waiting)) != NULL) {
        struct sw_message *message = (struct sw_message *)(void *)item;

        unqueue(worker, message);
        sw_message_free(message);
    }
    worker->rest.walked -= pod->is_walking;
    for (uint32_t slot = 0; pod->asleep != NULL && slot < SW_SLOTS; slot++)
        sw_asleep_free(pod->asleep[slot]);
    free(pod->asleep);
    pod->asleep = NULL;
}

/* --- Slots that move ------------------------------------------------------------------------- */

void sw_hibernate_move(struct sw_worker *from_worker, struct sw_pod *from,
                       struct sw_worker *to_worker, struct sw_pod *to, uint32_t slot)
{
    struct sw_asleep *asleep = from->asleep == NULL ? NULL : from->asleep[slot];
    uint64_t count;
    struct sw_slept slept;
    struct sw_item *waiting, *item;

    if (asleep == NULL)
        return;
    count = sw_asleep_count(asleep);
    waiting = take_waiting(from_worker, from, slot);
    sw_capture_asleep_first(from_worker, from, asleep);
    if (to->asleep == NULL)
        to->asleep = calloc(SW_SLOTS, sizeof(struct sw_asleep *));
    if (to->asleep == NULL || (to->asleep[slot] != NULL && sw_asleep_count(to->asleep[slot]) > 0)) {
        sw_worker_fail(to_worker, SW_E_EXHAUSTED, "no memory for instances that move");
        return;
    }
    sw_asleep_free(to->asleep[slot]);
    slept = asleep->slept;
    sw_meter_drop_slept(from_worker, from, count, &asleep->slept);
    asleep->slept = slept;
    sw_meter_load_slept(to_worker, to, count, &slept);
    from->asleep[slot] = NULL;
    to->asleep[slot] = asleep;
    asleep->pod = to->config.pod;
    asleep->captured = to_worker->generation;
    sw_list_remove(&asleep->capture);
    sw_list_add(&to_worker->rest.asleep, &asleep->capture);
    count_asleep(from_worker, from, -(int64_t)count);
    from->ready -= count;
    count_asleep(to_worker, to, (int64_t)count);
    to->ready += count;
    while ((item = sw_item_get(&waiting)) != NULL) {
        struct sw_message *message = (struct sw_message *)(void *)item;

        unqueue(from_worker, message);
        message->pod = to->config.pod;
        sw_worker_put(to_worker, item);
    }
}

/* --- Recovery -------------------------------------------------------------------------------- */

enum sw_rc sw_hibernate_load(struct sw_worker *worker, struct sw_pod *pod,
                             const struct sw_snapshot_places *places)
{
    struct sw_reader reader = sw_reader_of(places->places.data, places->places.size);
    uint32_t specs[SW_SNAPSHOT_SPECS_MAX] = {0}, specs_count;
    struct sw_reader numbers = sw_reader_of(places->specs.data, places->specs.size);
    struct sw_asleep *asleep;
    enum sw_rc rc = SW_OK;

    specs_count = (uint32_t)(places->specs.size / sizeof(uint32_t));
    for (uint32_t i = 0; i < specs_count; i++)
        specs[i] = sw_reader_u32(&numbers);
    asleep = places->slot >= SW_SLOTS ? NULL : table_of(worker, pod, places->slot);
    if (asleep == NULL)
        return places->slot >= SW_SLOTS ? SW_E_CORRUPT : SW_E_EXHAUSTED;
    rc = sw_asleep_reserve(asleep, places->count);
    for (uint32_t i = 0; rc == SW_OK && i < places->count; i++) {
        struct sw_snapshot_place saved = sw_snapshot_place_take(&reader);
        uint64_t index = saved.place >> SW_SHELF_PLACE_BITS;
        struct sw_asleep_entry entry = {.place = saved.place &
                                                 ((UINT64_C(1) << SW_SHELF_PLACE_BITS) - 1),
                                        .hash = saved.hash,
                                        .number = saved.number};

        if (entry.place == 0 || index >= specs_count ||
            !sw_shelf_keep(worker->shared->shelf, entry.place))
            return SW_E_CORRUPT;
        entry.spec = specs[index];
        rc = sw_asleep_put(asleep, &entry);
        if (rc != SW_OK)
            return rc == SW_E_EXISTS ? SW_E_CORRUPT : rc;
    }
    if (rc != SW_OK)
        return rc;
    count_asleep(worker, pod, places->count);
    pod->ready += places->count;
    asleep->slept = (struct sw_slept){places->pages, places->page_since_ms, places->memory_bytes};
    sw_meter_load_slept(worker, pod, places->count, &asleep->slept);
    return SW_OK;
}
