#include "pkg/agent/runtime/actor/instance.h"

#include "pkg/agent/runtime/actor/capture.h"

#include "include/swarm/agent.h"
#include "pkg/agent/runtime/actor/calls.h"
#include "pkg/agent/runtime/actor/retry.h"
#include "pkg/agent/runtime/actor/storage.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX 255u
#define STORAGE_BYTES_MIN (SW_USAGE_PAGE_BYTES + SW_STORAGE_ROOM_BYTES) /* Of one that begins. */

_Static_assert(offsetof(struct sw_instance, key) + 16 <= 7 * SW_INSTANCE_LINE,
               "an instance with a short key takes seven lines");
_Static_assert(offsetof(struct sw_instance, key) + KEY_MAX + 8 + sizeof(struct sw_usage) <=
                       SW_SLAB_BYTES_MAX &&
                   SW_INSTANCE_LINE == SW_SLAB_ALIGN,
               "each begins a line");

/* --- Life ------------------------------------------------------------------------------------ */

/* False: there is no memory, or another one stands there. */
static bool enter_tables(struct sw_worker *worker, struct sw_instance *instance)
{
    struct sw_map *by_key = instance->pod->instances;
    void *old = NULL;
    enum sw_rc rc = sw_idmap_put(worker->instances, instance->id, instance, &old);

    if (rc == SW_OK && old != NULL) { /* It takes its place again, for which there is room. */
        rc = sw_idmap_put(worker->instances, instance->id, old, NULL);
        assert(rc == SW_OK);
        return false;
    }
    if (rc != SW_OK)
        return false;
    rc = sw_map_put(by_key, instance->key, instance->key_size, instance, &old);
    if (rc == SW_OK && old == NULL)
        return true;
    (void)sw_idmap_remove(worker->instances, instance->id);
    if (rc == SW_OK) {
        rc = sw_map_put(by_key, instance->key, instance->key_size, old, NULL);
        assert(rc == SW_OK);
    }
    return false;
}

/* What is metered has what it used behind its key. */
static size_t size_of(size_t key_size, bool is_metered)
{
    size_t size = offsetof(struct sw_instance, key) + key_size, align = _Alignof(struct sw_usage);

    return is_metered ? (size + align - 1) / align * align + sizeof(struct sw_usage) : size;
}

/* Zeroed, with room for a key.  NULL: no memory. */
static struct sw_instance *allocate(struct sw_instance_room *room, size_t size)
{
    struct sw_instance *instance;

    pthread_mutex_lock(&room->mutex);
    instance = sw_slabs_take(&room->slabs, size);
    pthread_mutex_unlock(&room->mutex);
    return instance;
}

void sw_instance_free(struct sw_worker *worker, struct sw_instance *instance)
{
    struct sw_instance_room *room = &worker->shared->room;

    pthread_mutex_lock(&room->mutex);
    sw_slabs_put(&room->slabs, instance, size_of(instance->key_size, instance->is_metered));
    pthread_mutex_unlock(&room->mutex);
}

static void give_back(const struct sw_pod *pod, uint64_t memory_bytes)
{
    struct sw_quota *quota = sw_pod_quota(pod);

    if (quota != NULL)
        sw_quota_release(quota, 1, memory_bytes);
    sw_account_reserve(pod->account, 0 - memory_bytes);
}

bool sw_instance_reserve(struct sw_worker *worker, struct sw_pod *pod)
{
    struct sw_quota *quota = sw_pod_quota(pod);
    enum sw_quota_answer answer =
        quota == NULL ? SW_QUOTA_TAKEN
                      : sw_quota_reserve(quota, pod->config.memory_bytes & SW_INSTANCE_MEMORY_MAX);

    if (answer == SW_QUOTA_TAKEN)
        sw_account_reserve(pod->account, pod->config.memory_bytes & SW_INSTANCE_MEMORY_MAX);
    if (answer == SW_QUOTA_TAKEN && !sw_storage_has_room(worker, pod, STORAGE_BYTES_MIN)) {
        give_back(pod, pod->config.memory_bytes & SW_INSTANCE_MEMORY_MAX);
        return false;
    }
    if (answer != SW_QUOTA_TAKEN)
        sw_throttle_note(worker, pod,
                         answer == SW_QUOTA_NO_MEMORY ? SW_FRAME_LIMIT_QUOTA_MEMORY
                                                      : SW_FRAME_LIMIT_QUOTA_INSTANCES);
    return answer == SW_QUOTA_TAKEN;
}

void sw_instance_set_memory(struct sw_worker *worker, struct sw_instance *instance,
                            uint64_t memory_bytes)
{
    struct sw_quota *quota = sw_pod_quota(instance->pod);
    uint64_t now = instance->memory_bytes, next = memory_bytes & SW_INSTANCE_MEMORY_MAX;

    if (quota != NULL && next > now && !sw_quota_reserve_memory(quota, next - now)) {
        sw_throttle_note(worker, instance->pod, SW_FRAME_LIMIT_QUOTA_MEMORY);
        return;
    }
    if (quota != NULL && next < now)
        sw_quota_release_memory(quota, now - next);
    sw_account_reserve(instance->pod->account, next - now);
    instance->memory_bytes = next & SW_INSTANCE_MEMORY_MAX;
}

struct sw_instance *sw_instance_add(struct sw_worker *worker, struct sw_pod *pod,
                                    struct sw_bytes key, uint64_t id)
{
    struct sw_instance *instance;

    assert(key.size <= KEY_MAX);
    instance = allocate(&worker->shared->room, size_of(key.size, pod->config.is_durable));
    if (instance == NULL) {
        if (id == 0)
            give_back(pod, pod->config.memory_bytes & SW_INSTANCE_MEMORY_MAX);
        return NULL;
    }
    instance->is_metered = pod->config.is_durable;
    instance->id = id != 0 ? id
                           : atomic_fetch_add(&worker->shared->next_instance, 1) * SW_SLOTS +
                                 sw_slot_of(pod->hash_key, key);
    instance->pod = pod;
    instance->key_size = (uint8_t)key.size;
    memcpy(instance->key, key.data, key.size);
    instance->timer.at = SW_HEAP_ABSENT;
    instance->captured = worker->generation;
    sw_list_init(&instance->capture);
    instance->memory_bytes = pod->config.memory_bytes & SW_INSTANCE_MEMORY_MAX;
    if (!enter_tables(worker, instance)) {
        if (id == 0)
            give_back(pod, instance->memory_bytes);
        sw_instance_free(worker, instance);
        return NULL;
    }
    sw_list_add(&worker->captured, &instance->capture);
    sw_output_status(worker, pod);
    return instance;
}

static void leave_waiters(struct sw_worker *worker, struct sw_instance *instance)
{
    if (instance->waiter == 0)
        return;
    worker->waiters[instance->waiter - 1] = NULL;
    instance->waiter = 0;
    worker->waiters_count--;
    while (worker->waiters_first != worker->waiters_end &&
           worker->waiters[worker->waiters_first % SW_WAITERS_RING] == NULL)
        worker->waiters_first++;
}

void sw_instance_sleep(struct sw_worker *worker, struct sw_instance *instance)
{
    if (instance->guest == NULL)
        return;
    worker->engine.drop(worker->engine.ctx, instance->guest);
    instance->guest = NULL;
    leave_waiters(worker, instance);
}

/* Say on the board how full its mailbox is. */
static void set_fullness(struct sw_worker *worker, struct sw_instance *instance,
                         enum sw_fullness fullness)
{
    struct sw_board *board = &worker->shared->board;

    if (instance->fullness == fullness)
        return;
    instance->fullness = (uint8_t)fullness & 3u;
    sw_board_set(board, sw_board_key(instance->pod->hash_key, sw_instance_key(instance)), fullness);
    sw_board_set(board, instance->id, fullness);
}

static void set_over_rate(struct sw_worker *worker, struct sw_instance *instance, bool is_over)
{
    struct sw_board *board = &worker->shared->board;
    uint64_t key;

    if (instance->is_over_rate == is_over)
        return;
    key = sw_board_rate_key(sw_board_key(instance->pod->hash_key, sw_instance_key(instance)));
    instance->is_over_rate = is_over;
    if (!is_over && sw_board_get(board, key) == SW_REFUSING)
        sw_throttle_note(worker, instance->pod, SW_FRAME_LIMIT_MESSAGES);
    sw_board_set(board, key, is_over ? SW_FULL : SW_NOT_FULL);
}

void sw_instance_unsubscribe(struct sw_worker *worker, struct sw_instance *instance)
{
    struct sw_bus *bus = &worker->shared->bus;

    if (instance->actor.patterns_count == 0)
        return;
    pthread_mutex_lock(&bus->mutex);
    for (uint32_t i = 0; i < instance->actor.patterns_count; i++) {
        const struct sw_pattern *pattern = instance->actor.patterns[i];
        sw_bus_remove(bus, instance->id, instance->pod->config.name_space,
                      (struct sw_bytes){pattern->text, pattern->size});
    }
    pthread_mutex_unlock(&bus->mutex);
}

void sw_instance_set_failing(struct sw_worker *worker, struct sw_instance *instance, bool failing)
{
    if (instance->is_counted_failing == failing)
        return;
    instance->is_counted_failing = failing;
    instance->pod->failing += failing ? 1 : UINT64_MAX;
    sw_output_status(worker, instance->pod);
}

void sw_instance_remove(struct sw_worker *worker, struct sw_instance *instance, int32_t status)
{
    struct sw_pod *pod = instance->pod;

    assert(instance->captured == worker->generation);
    sw_list_remove(&instance->capture);
    sw_meter_set_pages(worker, instance, 0);
    sw_instance_sleep(worker, instance);
    sw_instance_set_image(worker, instance, NULL);
    sw_retry_release(worker, instance, UINT64_MAX);
    for (uint32_t p = 0; p < SW_PRIORITIES; p++) {
        struct sw_message *message;

        while ((message = sw_instance_take(worker, instance, p)) != NULL) {
            sw_dispatch_refuse(worker, message, status, "the instance is gone");
            sw_message_free(message);
        }
    }
    if (instance->ready.queued != 0)
        sw_ready_remove(&worker->ready, pod->share, &instance->ready);
    sw_instance_end_wait(worker, instance);
    set_fullness(worker, instance, SW_NOT_FULL);
    set_over_rate(worker, instance, false);
    sw_heap_remove(&worker->timers, &instance->timer);
    (void)sw_idmap_remove(worker->instances, instance->id);
    (void)sw_map_remove(pod->instances, instance->key, instance->key_size);
    sw_deliver_forget(worker, instance); /* Not before it is out of all tables: what it asked itself
                                            was refused, and that delivered to it. */
    if (instance->is_started && !instance->is_parked)
        pod->ready--;
    sw_instance_set_failing(worker, instance, false);
    sw_output_status(worker, pod);
    give_back(pod, instance->memory_bytes);
    sw_actor_done(&instance->actor);
    sw_instance_free(worker, instance);
}

/* --- Mailboxes ------------------------------------------------------------------------------- */

/* Have it run next. */
static enum sw_rc hand_on(struct sw_worker *worker, struct sw_instance *instance, uint32_t priority)
{
    bool is_next;
    enum sw_rc rc = sw_ready_add_next(&worker->ready, instance->pod->share, &instance->ready,
                                      priority, &is_next);

    worker->hand_on.is_open = false;
    worker->hand_on.link = is_next ? &instance->ready : NULL;
    return rc;
}

void sw_instance_wake_up(struct sw_worker *worker, struct sw_instance *instance, uint32_t priority)
{
    enum sw_rc rc;

    if ((instance->ready.queued & 1u << priority) != 0 || instance->pod->state == SW_POD_CLOSED)
        return;
    if (worker->hand_on.is_open)
        rc = hand_on(worker, instance, priority);
    else
        rc = sw_ready_add(&worker->ready, instance->pod->share, &instance->ready, priority);
    if (rc != SW_OK)
        sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for a ready instance");
}

static inline void count_in(struct sw_worker *worker, struct sw_instance *instance,
                            const struct sw_message *message)
{
    uint32_t limit = instance->pod->config.mailbox;

    instance->waiting++;
    worker->counts.waiting++;
    sw_worker_count_bytes(worker, message->size_bytes);
    if (instance->waiting >= limit)
        set_fullness(worker, instance,
                     instance->waiting / SW_MAILBOX_SPILL >= limit ? SW_OVERFULL : SW_FULL);
}

void sw_instance_count_in(struct sw_worker *worker, struct sw_instance *instance,
                          const struct sw_message *message)
{
    count_in(worker, instance, message);
}

void sw_instance_take_rate(struct sw_worker *worker, struct sw_instance *instance)
{
    uint32_t per_s = instance->pod->config.messages_per_s;

    sw_rate_take(&instance->rate, per_s, worker->now_ns);
    if (instance->is_over_rate || sw_rate_has_room(&instance->rate, per_s, worker->now_ns))
        return;
    set_over_rate(worker, instance, true);
    sw_instance_set_timer(worker, instance);
}

void sw_instance_post(struct sw_worker *worker, struct sw_instance *instance,
                      struct sw_message *message)
{
    uint32_t priority = message->head.priority;

    assert(priority < SW_PRIORITIES);
    message->generation = worker->generation;
    if (message->retry_ns != 0) {
        sw_retry_hold(worker, instance, message);
        return;
    }
    sw_item_put(&instance->mailbox[priority], &message->item);
    count_in(worker, instance, message);
    if ((instance->ready.queued & 1u << priority) == 0) /* Most often it stands there already. */
        sw_instance_wake_up(worker, instance, priority);
}

void sw_instance_put_back(struct sw_worker *worker, struct sw_instance *instance,
                          struct sw_message *message, uint32_t priority)
{
    sw_item_put_back(&instance->mailbox[priority], &message->item);
    sw_instance_count_in(worker, instance, message);
}

void sw_instance_back_off(struct sw_worker *worker, struct sw_instance *instance)
{
    uint64_t backoff = SW_BACKOFF_FIRST_NS;

    for (uint32_t i = 0; i < instance->start_failures && backoff < SW_BACKOFF_MAX_NS; i++)
        backoff *= 2;
    if (backoff > SW_BACKOFF_MAX_NS)
        backoff = SW_BACKOFF_MAX_NS;
    if (instance->start_failures < UINT16_MAX)
        instance->start_failures++;
    instance->retry_ns = worker->now_ns + backoff;
    sw_instance_set_timer(worker, instance);
}

struct sw_message *sw_instance_take(struct sw_worker *worker, struct sw_instance *instance,
                                    uint32_t priority)
{
    struct sw_item *item = sw_item_get(&instance->mailbox[priority]);
    struct sw_message *message;

    if (item == NULL)
        return NULL;
    assert(instance->captured == worker->generation);
    message = (struct sw_message *)(void *)item;
    instance->waiting--;
    worker->counts.waiting--;
    sw_worker_count_bytes(worker, -(int64_t)message->size_bytes);
    /* Full until half of it is gone, so that the board does not flicker. */
    if (instance->fullness != SW_NOT_FULL && instance->waiting <= instance->pod->config.mailbox / 2)
        set_fullness(worker, instance, SW_NOT_FULL);
    return message;
}

/* --- Waits ----------------------------------------------------------------------------------- */

/* Whether the answer is for the wait that the instance is in, or that its segment which runs now
 * begins: an ask that nobody can take is answered before that segment is applied. */
static bool waits_for(const struct sw_worker *worker, const struct sw_instance *instance,
                      const struct sw_message *message)
{
    const struct sw_wait *wait = &instance->actor.wait;

    if (worker->running == instance && worker->turn.is_waiting)
        return message->head.tag == wait->number + 1;
    return (wait->kind == SW_WAIT_ASK || wait->kind == SW_WAIT_CALL) &&
           message->head.tag == wait->number;
}

void sw_instance_answer(struct sw_worker *worker, struct sw_instance *instance,
                        struct sw_message *message)
{
    if (instance->answer != NULL || instance->passed != NULL ||
        !waits_for(worker, instance, message)) {
        sw_message_free(message); /* It came too late. */
        return;
    }
    message->generation = worker->generation;
    instance->answer = message;
    sw_worker_count_bytes(worker, message->size_bytes);
    sw_instance_wake_up(worker, instance, message->head.priority);
}

struct sw_message *sw_instance_take_answer(struct sw_worker *worker, struct sw_instance *instance)
{
    struct sw_message *message = instance->answer;

    assert(message == NULL || instance->captured == worker->generation);
    instance->answer = NULL;
    if (message != NULL)
        sw_worker_count_bytes(worker, -(int64_t)message->size_bytes);
    return message;
}

/* Pack an instance that waits: its memory is needed again when the wait is over. */
static void hibernate(struct sw_worker *worker, struct sw_instance *instance)
{
    struct sw_err err = {0};
    struct sw_image *image;

    assert(instance->passed == NULL);
    image = sw_image_new(worker, instance, &err);
    if (image == NULL) { /* It stays awake. */
        leave_waiters(worker, instance);
        return;
    }
    sw_instance_set_image(worker, instance, NULL);
    instance->is_hibernated = true;
    sw_instance_set_image(worker, instance, image);
    sw_instance_sleep(worker, instance);
}

static void hibernate_longest(struct sw_worker *worker)
{
    hibernate(worker, worker->waiters[worker->waiters_first % SW_WAITERS_RING]);
}

void sw_instance_begin_wait(struct sw_worker *worker, struct sw_instance *instance)
{
    uint32_t at;

    if (instance->guest == NULL)
        return;
    leave_waiters(worker, instance);
    if (worker->waiters_end - worker->waiters_first == SW_WAITERS_RING)
        hibernate_longest(worker);
    at = worker->waiters_end++ % SW_WAITERS_RING;
    worker->waiters[at] = instance;
    instance->waiter = (uint16_t)(at + 1);
    if (++worker->waiters_count > SW_WAITERS_AWAKE)
        hibernate_longest(worker);
}

void sw_instance_wake(struct sw_worker *worker, struct sw_instance *instance)
{
    leave_waiters(worker, instance);
    if (!instance->is_hibernated)
        return;
    sw_instance_set_image(worker, instance, NULL);
    instance->is_hibernated = false;
}

void sw_instance_set_handled(struct sw_worker *worker, struct sw_instance *instance,
                             struct sw_message *message)
{
    if (instance->handled != NULL)
        sw_worker_count_bytes(worker, -(int64_t)instance->handled->size_bytes);
    sw_message_free(instance->handled);
    instance->handled = message;
    if (message != NULL)
        sw_worker_count_bytes(worker, message->size_bytes);
}

void sw_instance_end_wait(struct sw_worker *worker, struct sw_instance *instance)
{
    if (instance->actor.wait.kind == SW_WAIT_ASK)
        sw_waits_remove(&worker->shared->waits, instance->id, instance->actor.wait.number);
    sw_call_end(worker, instance);
    sw_message_free(sw_instance_take_answer(worker, instance));
    sw_instance_set_handled(worker, instance, NULL);
}

/* --- Timers ---------------------------------------------------------------------------------- */

/* When it will have been idle for too long, if nothing comes meanwhile; UINT64_MAX: it has
 * something to do or to wait for, or it may idle. */
static uint64_t idle_end_ns(const struct sw_instance *instance)
{
    const struct sw_pod_config *config = &instance->pod->config;
    const struct sw_actor *actor = &instance->actor;
    uint64_t requests_end = sw_requests_end_ns(actor->requests), end;

    if (config->idle_ns == 0 || !config->is_keyed || instance->pod->state != SW_POD_OPEN ||
        !instance->is_started || instance->is_parked || instance->is_stopping ||
        instance->waiting > 0 || instance->answer != NULL || actor->timers_count > 0 ||
        actor->patterns_count > 0 || sw_actor_open_handles(actor) > 0 || sw_actor_is_held(actor) ||
        actor->wait.kind != SW_WAIT_NONE)
        return UINT64_MAX;
    end = actor->last_ns > UINT64_MAX - config->idle_ns ? UINT64_MAX
                                                        : actor->last_ns + config->idle_ns;
    if (end < requests_end) /* A new life would handle a repeat again. */
        end = requests_end;
    return end < instance->retry_ns ? instance->retry_ns : end;
}

bool sw_instance_is_expired(const struct sw_worker *worker, const struct sw_instance *instance)
{
    return idle_end_ns(instance) <= worker->now_ns;
}

void sw_instance_set_timer(struct sw_worker *worker, struct sw_instance *instance)
{
    const struct sw_wait *wait = &instance->actor.wait;
    uint64_t due = instance->retry_ns == 0 ? UINT64_MAX : instance->retry_ns, idle_end;

    if (instance->is_parked)
        set_over_rate(worker, instance, false);
    if (instance->is_over_rate) {
        uint64_t room = sw_rate_room_ns(&instance->rate, instance->pod->config.messages_per_s);
        due = room < due ? room : due;
    }
    if (sw_held_due(instance->held) < due)
        due = sw_held_due(instance->held);
    if (wait->kind != SW_WAIT_NONE && !wait->is_due && wait->due_ns < due)
        due = wait->due_ns;
    /* Within a turn no timer fires: those that come due do so when it is over. */
    for (uint32_t i = 0; wait->kind == SW_WAIT_NONE && i < instance->actor.timers_count; i++) {
        const struct sw_actor_timer *timer = &instance->actor.timers[i];
        if (!timer->is_queued && timer->due_ns < due)
            due = timer->due_ns;
    }
    idle_end = instance->is_expiring ? UINT64_MAX : idle_end_ns(instance);
    /* An earlier entry stays: it fires for nothing once, instead of being moved at each turn. */
    if (due == UINT64_MAX && idle_end != UINT64_MAX && instance->timer.at != SW_HEAP_ABSENT &&
        instance->timer.rank <= idle_end && instance->timer.rank > worker->now_ns)
        return;
    due = idle_end < due ? idle_end : due;
    if (due == UINT64_MAX || instance->is_parked)
        sw_heap_remove(&worker->timers, &instance->timer);
    else if (sw_heap_put(&worker->timers, &instance->timer, due) != SW_OK)
        sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for a timer");
}

static void fire_timers(struct sw_worker *worker, struct sw_instance *instance)
{
    for (uint32_t i = 0; i < instance->actor.timers_count; i++) {
        struct sw_actor_timer *timer = &instance->actor.timers[i];
        struct sw_message template = {
            .pod = instance->pod->config.pod,
            .instance = instance->id,
            .is_timer = true,
            .head = {.priority = SWARM_PRIORITY_NORMAL, .tag = timer->id}};
        struct sw_message *message;

        if (timer->is_queued || timer->due_ns > worker->now_ns)
            continue;
        message = sw_message_new(&template);
        if (message == NULL) {
            sw_worker_fail(worker, SW_E_EXHAUSTED, "no memory for a timer");
            return;
        }
        timer->is_queued = true;
        sw_instance_post(worker, instance, message);
    }
}

static void fire(struct sw_worker *worker, struct sw_instance *instance)
{
    struct sw_wait *wait = &instance->actor.wait;

    if (instance->retry_ns != 0 && instance->retry_ns <= worker->now_ns) {
        instance->retry_ns = 0;
        sw_instance_wake_up(worker, instance, SWARM_PRIORITY_NORMAL);
        for (uint32_t p = 0; p < SW_PRIORITIES; p++)
            if (instance->mailbox[p] != NULL)
                sw_instance_wake_up(worker, instance, p);
    }
    if (sw_held_due(instance->held) <= worker->now_ns)
        sw_retry_release(worker, instance, worker->now_ns);
    if (instance->is_over_rate &&
        sw_rate_has_room(&instance->rate, instance->pod->config.messages_per_s, worker->now_ns))
        set_over_rate(worker, instance, false);
    if (sw_instance_is_expired(worker, instance)) {
        instance->is_expiring = true;
        sw_instance_wake_up(worker, instance, SWARM_PRIORITY_NORMAL);
    }
    if (wait->kind == SW_WAIT_NONE) {
        fire_timers(worker, instance);
    } else if (wait->due_ns <= worker->now_ns) {
        wait->is_due = true;
        sw_instance_wake_up(worker, instance, SWARM_PRIORITY_NORMAL);
    }
    sw_instance_set_timer(worker, instance);
}

void sw_worker_fire(struct sw_worker *worker)
{
    struct sw_heap_entry *entry;

    while ((entry = sw_heap_first(&worker->timers)) != NULL && entry->rank <= worker->now_ns &&
           worker->failure.rc == SW_OK)
        fire(worker, SW_LIST_ITEM(entry, struct sw_instance, timer));
}
