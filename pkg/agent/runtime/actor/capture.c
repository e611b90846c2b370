#include "pkg/agent/runtime/actor/capture.h"

#include "include/swarm/agent.h"
#include "pkg/agent/runtime/actor/hibernate.h"
#include "pkg/agent/runtime/actor/resting.h"
#include "pkg/agent/runtime/actor/retry.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define INSTANCE_BYTES 2048u /* What capturing costs besides the memory that is looked through. */
#define SWEEP_NS 500000u     /* So long messages wait for a sweep, and for one instance more. */
#define STEP_RECORDS 64u     /* Of one that sleeps are copied before others may have their turn. */
#define RECORD_BYTES 256u
#define BUSY_PART 8 /* With so much of the limit waiting, workers sweep no further. */

static bool is_taking(const struct sw_snapshots *snapshots)
{
    return atomic_load_explicit(&snapshots->phase, memory_order_acquire) == SW_SNAPSHOT_TAKING;
}

static void give_up(struct sw_snapshots *snapshots, enum sw_rc rc, const char *words)
{
    int taking = SW_SNAPSHOT_TAKING;

    pthread_mutex_lock(&snapshots->mutex);
    if (atomic_compare_exchange_strong(&snapshots->phase, &taking, SW_SNAPSHOT_ABANDONED))
        sw_err_set(&snapshots->failure, rc, "%s", words);
    pthread_mutex_unlock(&snapshots->mutex);
}

/* --- Blocks ---------------------------------------------------------------------------------- */

static enum sw_rc hand_over(struct sw_snapshots *snapshots, const struct sw_buffer *bytes,
                            bool is_instance, uint64_t *ret_at)
{
    struct sw_capture_block *block = bytes->failed ? NULL : malloc(sizeof *block + bytes->size);

    if (block == NULL)
        return SW_E_EXHAUSTED;
    block->next = NULL;
    block->size = bytes->size;
    memcpy(block->bytes, bytes->data, bytes->size);
    pthread_mutex_lock(&snapshots->mutex);
    if (ret_at != NULL)
        *ret_at = snapshots->end;
    snapshots->end += block->size;
    snapshots->instances += is_instance;
    if (snapshots->first == NULL)
        snapshots->first = block;
    else
        snapshots->last->next = block;
    snapshots->last = block;
    atomic_fetch_add(&snapshots->waiting_bytes, block->size);
    pthread_mutex_unlock(&snapshots->mutex);
    return SW_OK;
}

enum sw_rc sw_capture_put(struct sw_snapshots *snapshots, const struct sw_snapshot_block *block,
                          uint64_t *ret_at)
{
    struct sw_buffer bytes;
    enum sw_rc rc;

    sw_buffer_init(&bytes, SW_SNAPSHOT_BLOCK_MAX);
    sw_snapshot_block_put(block, &bytes);
    rc = hand_over(snapshots, &bytes, false, ret_at);
    sw_buffer_done(&bytes);
    return rc;
}

static void put(struct sw_worker *worker, const struct sw_snapshot_block *block, uint64_t *ret_at)
{
    struct sw_snapshots *snapshots = worker->shared->snapshots;

    sw_buffer_reset(&worker->block);
    sw_snapshot_block_put(block, &worker->block);
    if (hand_over(snapshots, &worker->block, block->kind == SW_SNAPSHOT_INSTANCE, ret_at) != SW_OK)
        give_up(snapshots, SW_E_EXHAUSTED, "no memory for a snapshot");
}

/* --- Messages -------------------------------------------------------------------------------- */

static void put_lost(struct sw_worker *worker, const struct sw_origin *origin, uint32_t priority)
{
    struct sw_snapshot_block block = {.kind = SW_SNAPSHOT_MESSAGE,
                                      .message = {.head = {.flags = SWARM_MESSAGE_WANTS_REPLY,
                                                           .priority = priority,
                                                           .origin = *origin,
                                                           .source = origin->send},
                                                  .is_lost = true}};

    put(worker, &block, NULL);
}

static struct sw_snapshot_block block_of(const struct sw_message *message)
{
    return (struct sw_snapshot_block){.kind = SW_SNAPSHOT_MESSAGE,
                                      .message = {.pod = message->pod,
                                                  .instance = message->instance,
                                                  .key = message->key,
                                                  .body = message->body,
                                                  .head = message->head,
                                                  .attempts = message->attempts,
                                                  .retry_ns = message->retry_ns,
                                                  .is_timer = message->is_timer}};
}

/* What waits is kept if the journal knows of it. Clients hear that the host ended. */
static void put_message(struct sw_worker *worker, const struct sw_message *message, bool is_kept)
{
    const struct sw_message_head *head = &message->head;
    bool is_known = head->source.lsn != 0 ||
                    ((head->flags & SWARM_MESSAGE_IS_REPLY) != 0 && head->answers.lsn != 0);
    struct sw_snapshot_block block = block_of(message);

    if (message->generation == worker->generation)
        return;
    if (!is_kept && sw_origin_is_durable(&head->origin))
        put_lost(worker, &head->origin, head->priority);
    else if (is_kept && is_known && head->origin.kind != SW_ORIGIN_CLIENT)
        put(worker, &block, NULL);
}

/* What its turn handles that waits. */
static void put_handled(struct sw_worker *worker, const struct sw_instance *instance)
{
    struct sw_snapshot_block block = block_of(instance->handled);

    block.message.is_handled = true;
    block.message.instance = instance->id;
    put(worker, &block, NULL);
}

static void put_queue(struct sw_worker *worker, const struct sw_item *last, bool is_kept)
{
    const struct sw_item *item = last;

    if (last == NULL)
        return;
    do {
        item = item->next;
        put_message(worker, (const struct sw_message *)(const void *)item, is_kept);
    } while (item != last);
}

/* --- Instances ------------------------------------------------------------------------------- */

struct sw_sleeper { /* One with many records: they are copied in steps. */
    struct sw_instance *instance;
    struct sw_base base;
};

void sw_capture_end_sleeper(struct sw_worker *worker)
{
    if (worker->sleeper == NULL)
        return;
    sw_base_done(&worker->sleeper->base);
    free(worker->sleeper);
    worker->sleeper = NULL;
}

void sw_capture_leave_sleeper(struct sw_worker *worker, const struct sw_instance *instance)
{
    if (worker->sleeper != NULL && worker->sleeper->instance == instance)
        sw_capture_end_sleeper(worker);
}

/* Copy some more records of one that sleeps, which nobody has touched meanwhile. True: they are all
 * there, or an attempt to have them at once may say what is wrong. */
static bool step_sleeper(struct sw_worker *worker, struct sw_instance *instance)
{
    struct sw_sleeper *sleeper = worker->sleeper;
    enum sw_rc rc = SW_OK;

    if (sleeper != NULL && sleeper->instance != instance) {
        sw_capture_end_sleeper(worker);
        sleeper = NULL;
    }
    if (sleeper == NULL) {
        sleeper = worker->sleeper = calloc(1, sizeof *sleeper);
        if (sleeper == NULL)
            return true;
        sleeper->instance = instance;
        sw_base_init(&sleeper->base);
        rc = sw_base_find(worker, instance, &sleeper->base, NULL);
    }
    if (rc == SW_OK)
        rc = sw_base_extend(worker, instance, &sleeper->base, STEP_RECORDS, NULL);
    if (rc == SW_OK)
        return sw_base_is_extended(&sleeper->base);
    sw_capture_end_sleeper(worker);
    return true;
}

/* What was copied of it in steps, if it was. */
static void take_sleeper(struct sw_worker *worker, const struct sw_instance *instance,
                         struct sw_base *base)
{
    struct sw_sleeper *sleeper = worker->sleeper;

    if (sleeper == NULL || sleeper->instance != instance)
        return;
    sw_base_done(base);
    *base = sleeper->base;
    free(sleeper);
    worker->sleeper = NULL;
}

/* It sleeps: what it would be rebuilt from goes into the file. */
static enum sw_rc describe_sleeper(struct sw_worker *worker, struct sw_instance *instance,
                                   struct sw_base *base, struct sw_snapshot_instance *saved,
                                   struct sw_err *err)
{
    enum sw_rc rc = base->ground != NULL ? SW_OK : sw_base_find(worker, instance, base, err);

    if (rc == SW_OK)
        rc = sw_base_extend(worker, instance, base, UINT32_MAX, err);
    if (rc == SW_E_CORRUPT && instance->is_parked)
        return SW_OK; /* Nobody can read it any more, and who asked for it was told. */
    if (rc != SW_OK)
        return rc;
    saved->base_lsn = base->lsn;
    saved->base_random_next = base->random_next;
    if (base->tail.size > 0 && base->lsn != 0)
        saved->base_actor = base->actor;
    saved->guest = base->guest;
    saved->tail = (struct sw_bytes){base->tail.data, base->tail.size};
    return SW_OK;
}

enum sw_rc sw_capture_describe(struct sw_worker *worker, struct sw_instance *instance,
                               struct sw_base *base, struct sw_snapshot_instance *saved,
                               struct sw_err *err)
{
    const struct sw_actor *actor = &instance->actor;
    struct sw_buffer *out = &worker->image;
    size_t actor_bytes;
    enum sw_rc rc = SW_OK;

    *saved = (struct sw_snapshot_instance){
        .pod = instance->pod->config.pod,
        .id = instance->id,
        .memory_bytes = instance->memory_bytes,
        .last_lsn = actor->last_lsn,
        .state_lsn = actor->state_lsn,
        .random_next = instance->random.next,
        .used = instance->is_metered ? *sw_instance_used(instance) : (struct sw_usage){0},
        .pages = instance->pages,
        .spec = instance->spec->number,
        .refused = instance->refused,
        .tail_records = instance->tail,
        .image_delay = instance->image_delay,
        .key = sw_instance_key(instance),
        .seed = {instance->random.seed, sizeof instance->random.seed}};
    sw_buffer_reset(out);
    sw_actor_save(actor, out);
    actor_bytes = out->size;
    if (base != NULL && !sw_instance_is_awake(instance)) {
        rc = describe_sleeper(worker, instance, base, saved, err);
    } else {
        if (instance->guest != NULL)
            rc = worker->engine.save(worker->engine.ctx, instance->guest, out, err);
        saved->base_lsn = actor->last_lsn;
        saved->base_random_next = instance->random.next;
    }
    if (rc == SW_OK && out->failed)
        rc = sw_err_set(err, SW_E_EXHAUSTED, "no memory for a snapshot");
    if (rc != SW_OK)
        return rc;
    saved->actor = (struct sw_bytes){out->data, actor_bytes};
    if (sw_instance_is_awake(instance))
        saved->guest = (struct sw_bytes){out->data + actor_bytes, out->size - actor_bytes};
    return SW_OK;
}

/* Whether one that sleeps could be rebuilt, at a stop that has the time for it: what is an image
 * another engine reads as well, but records are replayed only by the one that made them. */
static bool wake(struct sw_worker *worker, struct sw_instance *instance)
{
    struct sw_err err = {0};

    if (!worker->shared->snapshots->rebuilds || instance->is_parked || instance->passed != NULL ||
        sw_program_find(worker, instance->spec->program) == NULL)
        return false;
    if (sw_instance_rebuild(worker, instance, &err) == SW_OK)
        return true;
    sw_instance_sleep(worker, instance);
    return false;
}

/* Whether it is rebuilt from that until the next snapshot counts. */
static bool is_base(const struct sw_worker *worker, const struct sw_instance *instance, unsigned at)
{
    uint32_t ground = atomic_load(&worker->shared->snapshots->ground_generation);
    unsigned other = 1 - at;

    if (instance->stored_at[at] == 0)
        return false;
    return instance->stored_generation[at] == ground ||
           (instance->stored_generation[at] == SW_STORED_ON_SHELF &&
            (instance->stored_at[other] == 0 || instance->stored_generation[other] != ground));
}

static void unstore(struct sw_worker *worker, struct sw_instance *instance, unsigned at)
{
    if (instance->stored_at[at] != 0 && instance->stored_generation[at] == SW_STORED_ON_SHELF)
        sw_shelf_drop(worker->shared->shelf, instance->stored_at[at]);
    instance->stored_at[at] = 0;
}

void sw_capture_unstore(struct sw_worker *worker, struct sw_instance *instance)
{
    unstore(worker, instance, 0);
    unstore(worker, instance, 1);
}

static void put_instance(struct sw_worker *worker, struct sw_instance *instance)
{
    struct sw_snapshots *snapshots = worker->shared->snapshots;
    struct sw_snapshot_block block = {.kind = SW_SNAPSHOT_INSTANCE};
    bool is_woken = false;
    struct sw_err err = {0};
    struct sw_base base;
    uint64_t at = 0;
    enum sw_rc rc;

    sw_base_init(&base);
    take_sleeper(worker, instance, &base);
    rc = sw_capture_describe(worker, instance, &base, &block.instance, &err);
    if (rc == SW_OK && block.instance.tail.size > 0 && wake(worker, instance)) {
        is_woken = true;
        rc = sw_capture_describe(worker, instance, &base, &block.instance, &err);
    }
    if (rc == SW_OK) {
        unsigned slot = is_base(worker, instance, 0);

        put(worker, &block, &at);
        unstore(worker, instance, slot);
        if (instance->passed != NULL && block.instance.tail.size > 0)
            instance->wants_image = true;
        instance->stored_at[slot] = at;
        instance->stored_generation[slot] = worker->generation;
    } else {
        (void)sw_err_context(&err, "instance %.*s", (int)instance->key_size, instance->key);
        give_up(snapshots, err.rc, err.message);
    }
    if (is_woken)
        sw_instance_sleep(worker, instance);
    sw_base_done(&base);
}

/* An instance that keeps nothing is lost with the host, and so are the answers that it owes. */
static void put_volatile(struct sw_worker *worker, const struct sw_instance *instance)
{
    for (uint32_t i = 0; i < instance->actor.handles_count; i++)
        if (sw_origin_is_durable(&instance->actor.handles[i].origin))
            put_lost(worker, &instance->actor.handles[i].origin, SWARM_PRIORITY_NORMAL);
}

/* With all this waiting for the disk it is better to try again when there is less to do. */
static bool has_room(struct sw_snapshots *snapshots)
{
    if (atomic_load(&snapshots->waiting_bytes) <= snapshots->waiting_max)
        return true;
    give_up(snapshots, SW_E_EXHAUSTED, "the disk is slower than what changes meanwhile");
    return false;
}

void sw_capture_instance(struct sw_worker *worker, struct sw_instance *instance)
{
    struct sw_snapshots *snapshots = worker->shared->snapshots;
    const struct sw_message *handled = sw_overtake_message(worker, instance);
    bool is_kept = instance->pod->config.is_durable;

    instance->captured = worker->generation;
    sw_resting_captured(worker, instance);
    if (instance->spec != NULL)
        sw_capture_use(worker, instance->spec);
    if (!is_taking(snapshots) || !has_room(snapshots))
        return;
    if (!is_kept)
        put_volatile(worker, instance);
    else if (instance->is_started)
        put_instance(worker, instance);
    if (handled != NULL) /* As long as its segment has not ended it waits. */
        put_message(worker, handled, is_kept);
    put_queue(worker, sw_held_items(instance->held), is_kept);
    for (uint32_t p = 0; p < SW_PRIORITIES; p++)
        put_queue(worker, instance->mailbox[p], is_kept);
    if (instance->handled != NULL && is_kept)
        put_handled(worker, instance);
    if (instance->answer != NULL)
        put_message(worker, instance->answer, is_kept);
}

static void put_letter(struct sw_worker *worker, const struct sw_pod *pod,
                       const struct sw_letter *letter)
{
    const struct sw_message *message = letter->message;
    struct sw_snapshot_block block = {.kind = SW_SNAPSHOT_LETTER,
                                      .letter = {.act = SW_LETTER_PARK,
                                                 .pod = pod->config.pod,
                                                 .time_ns = letter->time_ns,
                                                 .number = letter->number,
                                                 .key = message->key,
                                                 .reason = letter->reason,
                                                 .words = letter->words,
                                                 .attempts = letter->attempts,
                                                 .is_timer = message->is_timer,
                                                 .head = message->head,
                                                 .body = message->body}};

    put(worker, &block, NULL);
}

void sw_capture_pod(struct sw_worker *worker, struct sw_pod *pod)
{
    struct sw_snapshots *snapshots = worker->shared->snapshots;

    sw_list_remove(&pod->capture);
    pod->is_uncaptured = false;
    if (!is_taking(snapshots) || !has_room(snapshots))
        return;
    put_queue(worker, pod->limbo, pod->config.is_durable);
    SW_LIST_EACH(&pod->loadings, node)
    put_queue(worker, SW_LIST_ITEM(node, struct sw_loading, node)->messages,
              pod->config.is_durable);
    for (size_t i = 0; pod->config.is_durable && i < pod->letters.count; i++)
        put_letter(worker, pod, pod->letters.items[i]);
}

static void put_places(struct sw_worker *worker, const struct sw_asleep *asleep, uint64_t pod)
{
    struct sw_snapshot_block block = {.kind = SW_SNAPSHOT_PLACES,
                                      .places = {.pod = pod,
                                                 .slot = asleep->slot,
                                                 .count = (uint32_t)sw_asleep_count(asleep),
                                                 .pages = asleep->slept.pages,
                                                 .page_since_ms = asleep->slept.since_ms,
                                                 .memory_bytes = asleep->slept.memory_bytes}};
    struct sw_asleep_entry entry;
    struct sw_buffer specs, places;
    size_t cursor = 0;

    sw_buffer_init(&specs, SW_SNAPSHOT_SPECS_MAX * sizeof(uint32_t));
    sw_buffer_init(&places, SW_SNAPSHOT_BLOCK_MAX);
    for (uint32_t i = 0; i < asleep->specs_count; i++)
        sw_buffer_put_u32(&specs, asleep->specs[i].number);
    while (sw_asleep_next(asleep, &cursor, &entry)) {
        struct sw_snapshot_place place = {entry.place, entry.hash, entry.number};

        place.place |= (uint64_t)entry.index << SW_SHELF_PLACE_BITS;
        sw_snapshot_place_put(&place, &places);
    }
    block.places.specs = (struct sw_bytes){specs.data, specs.size};
    block.places.places = (struct sw_bytes){places.data, places.size};
    if (specs.failed || places.failed)
        give_up(worker->shared->snapshots, SW_E_EXHAUSTED, "no memory for a snapshot");
    else
        put(worker, &block, NULL);
    sw_buffer_done(&specs);
    sw_buffer_done(&places);
}

void sw_capture_asleep(struct sw_worker *worker, const struct sw_pod *pod, struct sw_asleep *asleep)
{
    struct sw_snapshots *snapshots = worker->shared->snapshots;

    sw_list_remove(&asleep->capture);
    sw_list_add(&worker->rest.asleep, &asleep->capture);
    asleep->captured = worker->generation;
    if (is_taking(snapshots) && has_room(snapshots) && pod->config.is_durable &&
        sw_asleep_count(asleep) > 0)
        put_places(worker, asleep, pod->config.pod);
}

/* --- All of a worker ------------------------------------------------------------------------- */

void sw_capture_begin(struct sw_worker *worker)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    sw_capture_end_sleeper(worker); /* Of a snapshot that was given up. */
    worker->generation = worker->shared->snapshots->generation;
    worker->is_swept = false;
    sw_list_join(&worker->uncaptured, &worker->captured);
    sw_list_join(&worker->rest.uncaptured, &worker->rest.asleep);
    while (sw_map_next(worker->pods, &cursor, &entry)) {
        struct sw_pod *pod = entry.value;

        sw_resting_empty(worker, pod, &worker->uncaptured);
        if ((pod->limbo == NULL && pod->letters.count == 0 && sw_list_is_empty(&pod->loadings)) ||
            pod->is_uncaptured)
            continue;
        pod->is_uncaptured = true;
        sw_list_add(&worker->uncaptured_pods, &pod->capture);
    }
}

bool sw_capture_is_wanted(const struct sw_worker *worker)
{
    const struct sw_snapshots *snapshots = worker->shared->snapshots;

    return !worker->is_swept && is_taking(snapshots) &&
           atomic_load_explicit(&snapshots->waiting_bytes, memory_order_relaxed) <
               snapshots->waiting_max / BUSY_PART;
}

/* Capture one more. Returns about how many bytes were looked through; 0: there is none left. */
static uint64_t sweep_one(struct sw_worker *worker)
{
    struct sw_list *node = sw_list_first(&worker->uncaptured_pods);
    struct sw_instance *instance;

    if (node != NULL) {
        sw_capture_pod(worker, SW_LIST_ITEM(node, struct sw_pod, capture));
        return INSTANCE_BYTES;
    }
    node = sw_list_first(&worker->rest.uncaptured);
    if (node != NULL) {
        struct sw_asleep *asleep = SW_LIST_ITEM(node, struct sw_asleep, capture);
        const struct sw_pod *pod = sw_map_find(worker->pods, &asleep->pod, sizeof asleep->pod);

        sw_capture_asleep(worker, pod, asleep);
        return INSTANCE_BYTES + sw_asleep_count(asleep) * SW_SNAPSHOT_PLACE_BYTES;
    }
    node = sw_list_first(&worker->uncaptured);
    if (node == NULL)
        return 0;
    instance = SW_LIST_ITEM(node, struct sw_instance, capture);
    if (!sw_instance_is_awake(instance) && instance->is_started &&
        instance->pod->config.is_durable && !step_sleeper(worker, instance))
        return STEP_RECORDS * (uint64_t)RECORD_BYTES;
    sw_capture_instance(worker, instance);
    return INSTANCE_BYTES +
           (!sw_instance_is_awake(instance)
                ? 0
                : worker->engine.memory_bytes(worker->engine.ctx, instance->guest));
}

bool sw_capture_sweep(struct sw_worker *worker, uint64_t bytes)
{
    struct sw_snapshots *snapshots = worker->shared->snapshots;
    const struct sw_system *system = worker->shared->system;
    uint64_t swept = 0, one = 1, until_ns = system->monotonic_ns(system->ctx) + SWEEP_NS;

    while (one != 0 && swept < bytes && sw_capture_is_wanted(worker)) {
        one = sweep_one(worker);
        swept += one;
        if (system->monotonic_ns(system->ctx) >= until_ns)
            break;
    }
    if (one == 0 && !worker->is_swept) {
        worker->is_swept = true;
        atomic_fetch_sub(&snapshots->workers_left, 1);
    }
    return sw_capture_is_wanted(worker);
}
