#include "pkg/agent/runtime/actor/storage.h"

#include "pkg/agent/runtime/actor/capture.h"

/* Records of a namespace that has no room are worth a snapshot if they are such a part of what it
 * may have. */
#define WORTH_PART 8u

static bool is_bounded(const struct sw_worker *worker, const struct sw_pod *pod)
{
    const struct sw_quota *quota = sw_pod_quota(pod);

    return atomic_load_explicit(&worker->shared->accounts.rated, memory_order_relaxed) != 0 &&
           quota != NULL && pod->config.is_durable &&
           atomic_load_explicit(&quota->storage_bytes_max, memory_order_relaxed) != SW_QUOTA_NONE;
}

/* There was no room: that is told, and a snapshot is asked for if it would make some. */
static void lack(struct sw_worker *worker, struct sw_pod *pod)
{
    const struct sw_account *space = pod->account->parent;

    sw_throttle_note(worker, pod, SW_FRAME_LIMIT_QUOTA_STORAGE);
    if (atomic_load(&space->record_bytes) >=
        atomic_load(&space->quota.storage_bytes_max) / WORTH_PART)
        atomic_store(&worker->shared->snapshots->is_wanted, true);
}

bool sw_storage_has_room(struct sw_worker *worker, struct sw_pod *pod, uint64_t bytes)
{
    if (!is_bounded(worker, pod) || sw_quota_has_storage(sw_pod_quota(pod), bytes))
        return true;
    lack(worker, pod);
    return false;
}

/* --- Reserving ------------------------------------------------------------------------------- */

void sw_storage_give_back(struct sw_worker *worker)
{
    if (worker->storage_reserved > 0)
        sw_quota_release_storage(worker->storage_quota, worker->storage_reserved);
    worker->storage_reserved = 0;
    worker->storage_quota = NULL;
}

bool sw_storage_reserve(struct sw_worker *worker, struct sw_pod *pod, uint64_t bytes)
{
    struct sw_quota *quota = sw_pod_quota(pod);

    sw_storage_give_back(worker);
    if (!is_bounded(worker, pod))
        return true;
    if (!sw_quota_reserve_storage(quota, bytes)) {
        sw_quota_rest_storage(quota, worker->monotonic_ns + SW_STORAGE_REST_NS);
        lack(worker, pod);
        return false;
    }
    worker->storage_quota = quota;
    worker->storage_reserved = bytes;
    return true;
}

static uint64_t texts_of(const struct sw_message_head *head)
{
    return (uint64_t)head->from.size + head->subject.size + head->type.size + head->request_id.size;
}

/* What the turn has asked for so far. */
static uint64_t asked_of(const struct sw_turn *turn)
{
    return (uint64_t)turn->effects.size + turn->results.size + turn->routes.size;
}

bool sw_storage_may_carry(struct sw_worker *worker, uint64_t bytes)
{
    const struct sw_message *message = worker->running_message;

    if (!is_bounded(worker, worker->running->pod))
        return true;
    bytes += SW_STORAGE_ROOM_BYTES + asked_of(&worker->turn);
    if (message != NULL)
        bytes += texts_of(&message->head) + message->body.size;
    return bytes <= worker->storage_given ||
           sw_storage_has_room(worker, worker->running->pod, bytes - worker->storage_given);
}

bool sw_storage_reserve_segment(struct sw_worker *worker, const struct segment *segment)
{
    const struct sw_instance *instance = segment->instance;
    const struct sw_record_segment *record = &segment->record;
    struct sw_record_segment after = *record;
    uint64_t bytes;

    if (!is_bounded(worker, instance->pod))
        return true;
    bytes = SW_STORAGE_RECORD_BYTES + record->key.size;
    if (record->has_message)
        bytes += texts_of(&record->head) + segment->message->body.size;
    if (sw_outcome_counts(record->outcome)) {
        bytes += asked_of(&worker->turn);
        sw_meter_record_memory(worker, instance, &after);
        if (after.pages > instance->pages)
            bytes += (after.pages - instance->pages) * (uint64_t)SW_USAGE_PAGE_BYTES;
    }
    return sw_storage_reserve(worker, instance->pod,
                              bytes > worker->storage_given ? bytes - worker->storage_given : 0);
}

/* --- Using ----------------------------------------------------------------------------------- */

void sw_storage_use(struct sw_worker *worker, struct sw_pod *pod, uint64_t record_bytes,
                    uint64_t old_pages, uint64_t pages)
{
    struct sw_quota *quota = sw_pod_quota(pod);
    uint64_t more = record_bytes + pages * SW_USAGE_PAGE_BYTES;
    uint64_t less = old_pages * SW_USAGE_PAGE_BYTES, had = 0;

    if (quota == NULL)
        return;
    atomic_fetch_add_explicit(&pod->account->record_bytes, record_bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&pod->account->parent->record_bytes, record_bytes,
                              memory_order_relaxed);
    if (more <= less) {
        sw_quota_release_storage(quota, less - more);
        return;
    }
    more -= less;
    if (worker->storage_quota == quota) {
        had = more < worker->storage_reserved ? more : worker->storage_reserved;
        worker->storage_reserved -= had;
    }
    sw_quota_add_storage(quota, more - had);
}

void sw_storage_add_pages(struct sw_pod *pod, uint64_t pages)
{
    if (sw_pod_quota(pod) != NULL)
        sw_quota_add_storage(sw_pod_quota(pod), pages * SW_USAGE_PAGE_BYTES);
}

void sw_storage_remove_pages(struct sw_pod *pod, uint64_t pages)
{
    if (sw_pod_quota(pod) != NULL)
        sw_quota_release_storage(sw_pod_quota(pod), pages * SW_USAGE_PAGE_BYTES);
}

/* --- Histories ------------------------------------------------------------------------------- */

bool sw_storage_keep_history(struct sw_account *account, uint64_t bytes)
{
    uint64_t before = atomic_load(&account->history_bytes);
    struct sw_quota *quota = account->parent == NULL ? NULL : &account->parent->quota;

    if (bytes == before)
        return true;
    if (quota != NULL && bytes < before)
        sw_quota_release_storage(quota, before - bytes);
    else if (quota != NULL && !sw_quota_reserve_storage(quota, bytes - before))
        return false;
    atomic_store(&account->history_bytes, bytes);
    account->is_due = true;
    if (account->parent != NULL)
        account->parent->is_due = true;
    return true;
}

void sw_storage_forget_histories(struct sw_accounts *accounts,
                                 bool (*is_kept)(const void *ctx, struct sw_bytes agent_uid),
                                 const void *ctx)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    pthread_mutex_lock(&accounts->mutex);
    while (sw_map_next(accounts->agents, &cursor, &entry)) {
        struct sw_account *account = entry.value;

        if (atomic_load(&account->history_bytes) > 0 && !is_kept(ctx, account->agent_uid))
            (void)sw_storage_keep_history(account, 0);
    }
    accounts->is_told = false;
    pthread_mutex_unlock(&accounts->mutex);
}

/* --- Snapshots ------------------------------------------------------------------------------- */

static void each(struct sw_accounts *accounts, void (*act)(struct sw_account *account))
{
    struct sw_map *maps[] = {accounts->spaces, accounts->agents};
    struct sw_map_entry entry;

    pthread_mutex_lock(&accounts->mutex);
    for (size_t i = 0; i < 2; i++)
        for (size_t cursor = 0; sw_map_next(maps[i], &cursor, &entry);)
            act(entry.value);
    pthread_mutex_unlock(&accounts->mutex);
}

static void note_point(struct sw_account *account)
{
    account->point_bytes = atomic_load(&account->record_bytes);
}

static void reclaim(struct sw_account *account)
{
    atomic_fetch_sub(&account->record_bytes, account->point_bytes);
    if (account->agent_uid.size == 0)
        sw_quota_release_storage(&account->quota, account->point_bytes);
    account->point_bytes = 0;
    account->is_due = true;
}

void sw_storage_point(struct sw_accounts *accounts)
{
    each(accounts, note_point);
}

/* What Agents take now is told with what any of them tells next. */
void sw_storage_reclaim(struct sw_accounts *accounts)
{
    each(accounts, reclaim);
    pthread_mutex_lock(&accounts->mutex);
    accounts->is_told = false;
    pthread_mutex_unlock(&accounts->mutex);
}
