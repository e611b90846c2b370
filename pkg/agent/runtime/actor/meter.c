#include "pkg/agent/runtime/actor/meter.h"

#include "pkg/agent/runtime/actor/capture.h"
#include "pkg/agent/link/entries.h"
#include "pkg/agent/runtime/actor/segment.h"
#include "pkg/agent/runtime/actor/storage.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX 512u

/* --- Accounts -------------------------------------------------------------------------------- */

enum sw_rc sw_accounts_init(struct sw_accounts *accounts, uint64_t seed)
{
    pthread_mutex_init(&accounts->mutex, NULL);
    accounts->agents = sw_map_new(seed);
    accounts->spaces = sw_map_new(seed);
    sw_list_init(&accounts->throttled);
    return accounts->agents == NULL || accounts->spaces == NULL ? SW_E_EXHAUSTED : SW_OK;
}

static void account_free(struct sw_account *account)
{
    sw_quota_done(&account->quota);
    free(account);
}

static void free_all(struct sw_map *map)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (map != NULL && sw_map_next(map, &cursor, &entry))
        account_free(entry.value);
    sw_map_free(map);
}

void sw_accounts_done(struct sw_accounts *accounts)
{
    free_all(accounts->agents);
    free_all(accounts->spaces);
    pthread_mutex_destroy(&accounts->mutex);
}

static struct sw_bytes keep(char **at, struct sw_bytes text)
{
    struct sw_bytes kept = {*at, text.size};

    if (text.size > 0)
        memcpy(*at, text.data, text.size);
    *at += text.size;
    return kept;
}

struct who { /* Whose account it is; borrowed. agent_uid empty: of the namespace. */
    struct sw_bytes name_space, agent, agent_uid;
};

static struct sw_bytes key_of(const struct who *who, char ret_key[KEY_MAX])
{
    size_t size = who->name_space.size;

    assert(size + 1 + who->agent_uid.size <= KEY_MAX);
    memcpy(ret_key, who->name_space.data, size);
    if (who->agent_uid.size == 0)
        return (struct sw_bytes){ret_key, size};
    ret_key[size++] = '/'; /* No namespace has one. */
    memcpy(ret_key + size, who->agent_uid.data, who->agent_uid.size);
    return (struct sw_bytes){ret_key, size + who->agent_uid.size};
}

static struct sw_account *account_new(struct sw_map *map, const struct who *who,
                                      struct sw_bytes key)
{
    struct sw_account *account =
        calloc(1, sizeof *account + who->name_space.size + who->agent.size + who->agent_uid.size);
    char *at;

    if (account == NULL)
        return NULL;
    sw_quota_init(&account->quota);
    at = account->bytes;
    account->name_space = keep(&at, who->name_space);
    account->agent = keep(&at, who->agent);
    account->agent_uid = keep(&at, who->agent_uid);
    if (sw_map_put(map, key.data, key.size, account, NULL) == SW_OK)
        return account;
    account_free(account);
    return NULL;
}

/* With the lock. The account of a namespace may be missing: there are too many.
 * SW_E_EXHAUSTED: no memory. */
static enum sw_rc account_get(struct sw_accounts *accounts, const struct who *who,
                              struct sw_account **ret_account)
{
    bool is_space = who->agent_uid.size == 0;
    struct sw_map *map = is_space ? accounts->spaces : accounts->agents;
    const struct who space = {.name_space = who->name_space};
    char bytes[KEY_MAX];
    struct sw_bytes key = key_of(who, bytes);
    struct sw_account *account = sw_map_find(map, key.data, key.size);

    *ret_account = account;
    if (account != NULL || (is_space && sw_map_count(map) >= SW_METER_SPACES_MAX))
        return SW_OK;
    account = account_new(map, who, key);
    if (account == NULL)
        return SW_E_EXHAUSTED;
    *ret_account = account;
    if (is_space)
        return SW_OK;
    return account_get(accounts, &space, &account->parent);
}

static bool is_rated_by(const struct sw_quota *quota)
{
    return atomic_load(&quota->message_rate) != 0 ||
           atomic_load(&quota->storage_bytes_max) != SW_QUOTA_NONE;
}

enum sw_rc sw_accounts_set_quota(struct sw_accounts *accounts, struct sw_bytes name_space,
                                 const struct sw_quota_limits *limits, uint64_t now_ns)
{
    const struct who who = {.name_space = name_space};
    struct sw_account *account;
    enum sw_rc rc;

    pthread_mutex_lock(&accounts->mutex);
    rc = account_get(accounts, &who, &account);
    if (rc == SW_OK && account != NULL) {
        bool was_rated = is_rated_by(&account->quota), is_rated;

        sw_quota_set(&account->quota, limits, now_ns);
        is_rated = is_rated_by(&account->quota);
        if (was_rated != is_rated)
            atomic_fetch_add(&accounts->rated, is_rated ? 1u : UINT32_MAX);
    }
    pthread_mutex_unlock(&accounts->mutex);
    return rc;
}

enum sw_rc sw_account_join(struct sw_accounts *accounts, struct sw_pod *pod)
{
    const struct who who = {pod->config.name_space, pod->config.agent, pod->config.agent_uid};
    enum sw_rc rc;

    pthread_mutex_lock(&accounts->mutex);
    rc = account_get(accounts, &who, &pod->account);
    if (rc == SW_OK)
        pod->account->pods++;
    pthread_mutex_unlock(&accounts->mutex);
    return rc;
}

static void account_end(struct sw_accounts *accounts, struct sw_account *account)
{
    const struct who who = {account->name_space, account->agent, account->agent_uid};
    char bytes[KEY_MAX];
    struct sw_bytes key = key_of(&who, bytes);

    if (account->agent_uid.size == 0)
        return;
    if (account->parent != NULL) { /* Of who slept and could not be read. */
        account->parent->pages -= account->pages;
        account->parent->since_ms -= account->since_ms;
        account->parent->volatile_pages -= account->volatile_pages;
        sw_quota_release_storage(&account->parent->quota, account->pages * SW_USAGE_PAGE_BYTES);
        (void)sw_storage_keep_history(account, 0);
        sw_quota_leave(&account->parent->quota, &account->turn);
    }
    (void)sw_map_remove(accounts->agents, key.data, key.size);
    account_free(account);
}

static void account_add(struct sw_account *account, const struct sw_usage *used)
{
    sw_usage_add(&account->used, used);
    if (account->parent != NULL)
        sw_usage_add(&account->parent->used, used);
}

enum sw_rc sw_accounts_take(struct sw_accounts *accounts, const struct sw_record_usage *record,
                            bool is_whole)
{
    const struct who who = {record->name_space, record->agent, record->agent_uid};
    struct sw_account *account;
    enum sw_rc rc;

    pthread_mutex_lock(&accounts->mutex);
    rc = account_get(accounts, &who, &account);
    if (rc == SW_OK && account != NULL) {
        if (is_whole) {
            sw_usage_add(&account->used, &record->used);
            (void)sw_storage_keep_history(account, record->history_bytes);
        } else {
            account_add(account, &record->used);
        }
        if (record->is_last && account->pods == 0)
            account_end(accounts, account);
    }
    pthread_mutex_unlock(&accounts->mutex);
    return rc;
}

bool sw_accounts_find(struct sw_accounts *accounts, const struct sw_record_usage *record,
                      struct sw_usage *ret_used)
{
    const struct who who = {record->name_space, record->agent, record->agent_uid};
    const struct sw_account *account;
    char bytes[KEY_MAX];
    struct sw_bytes key = key_of(&who, bytes);

    pthread_mutex_lock(&accounts->mutex);
    account = sw_map_find(who.agent_uid.size == 0 ? accounts->spaces : accounts->agents, key.data,
                          key.size);
    if (account != NULL)
        *ret_used = account->used;
    pthread_mutex_unlock(&accounts->mutex);
    return account != NULL;
}

static enum sw_rc put_all(struct sw_map *map, struct sw_snapshots *snapshots)
{
    struct sw_map_entry entry;
    size_t cursor = 0;
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && sw_map_next(map, &cursor, &entry)) {
        const struct sw_account *account = entry.value;
        struct sw_snapshot_block block = {.kind = SW_SNAPSHOT_USAGE,
                                          .usage = {.name_space = account->name_space,
                                                    .agent = account->agent,
                                                    .agent_uid = account->agent_uid,
                                                    .history_bytes = account->history_bytes,
                                                    .used = account->used}};

        if (!sw_usage_is_zero(&account->used) || block.usage.history_bytes != 0)
            rc = sw_capture_put(snapshots, &block, NULL);
    }
    return rc;
}

enum sw_rc sw_accounts_put(struct sw_accounts *accounts, struct sw_snapshots *snapshots)
{
    enum sw_rc rc = put_all(accounts->spaces, snapshots);

    return rc == SW_OK ? put_all(accounts->agents, snapshots) : rc;
}

/* --- What happened ---------------------------------------------------------------------------- */

void sw_meter_set_due(struct sw_worker *worker, struct sw_pod *pod)
{
    if (pod->meter.is_due)
        return;
    pod->meter.is_due = true;
    if (sw_list_is_empty(&worker->metered))
        worker->meter_ns = worker->now_ns + SW_METER_NS;
    sw_list_add(&worker->metered, &pod->meter.due);
}

/* Of the memory of an instance, up to the time of a record: how long it has been there. */
static uint64_t page_ms_until(const struct sw_instance *instance, uint64_t time_ns)
{
    uint64_t since_ms = instance->actor.last_ns / SW_USAGE_MS_NS;
    uint64_t until_ms = time_ns / SW_USAGE_MS_NS;

    return until_ms <= since_ms ? 0 : instance->pages * (until_ms - since_ms);
}

void sw_meter_apply(struct sw_worker *worker, struct sw_instance *instance,
                    const struct sw_record_segment *segment, uint64_t record_bytes,
                    const struct sw_usage *sent)
{
    struct sw_meter *meter = &instance->pod->meter;
    uint64_t old_pages = instance->pages, pages = old_pages;
    struct sw_usage used = {.cpu_ns = segment->cpu_ns,
                            .handled = segment->has_message,
                            .bytes_in = segment->has_message ? segment->body_bytes : 0,
                            .wakeups = segment->is_woken,
                            .fuel = segment->fuel};

    if (!instance->is_metered)
        return;
    if (segment->entry == SW_ENTRY_STOP || segment->entry == SW_ENTRY_RESET)
        pages = 0;
    else if (segment->has_pages && segment->entry != SW_ENTRY_IMAGE)
        pages = segment->pages;
    pages &= SW_INSTANCE_PAGES_MAX;
    sw_storage_use(worker, instance->pod, record_bytes, old_pages, pages);
    if (segment->entry == SW_ENTRY_IMAGE || segment->entry == SW_ENTRY_FORK)
        return;
    used.page_ms = page_ms_until(instance, segment->time_ns);
    if (sent != NULL) {
        used.sent = sent->sent;
        used.bytes_out = sent->bytes_out;
    } else if (segment->entry != SW_ENTRY_RELEASE) { /* It was counted by whose effects they are. */
        sw_usage_add_effects(&used, segment->effects);
    }
    instance->pages = pages & SW_INSTANCE_PAGES_MAX;
    meter->pages += pages - old_pages;
    meter->since_ms += pages * (segment->time_ns / SW_USAGE_MS_NS) -
                       old_pages * (instance->actor.last_ns / SW_USAGE_MS_NS);
    sw_usage_add(sw_instance_used(instance), &used);
    sw_usage_add(&meter->used, &used);
    sw_meter_set_due(worker, instance->pod);
}

void sw_meter_load(struct sw_worker *worker, struct sw_instance *instance)
{
    struct sw_meter *meter = &instance->pod->meter;

    meter->pages += instance->pages;
    sw_storage_add_pages(instance->pod, instance->pages);
    meter->since_ms += instance->pages * (instance->actor.last_ns / SW_USAGE_MS_NS);
    sw_meter_set_due(worker, instance->pod);
}

/* What a volatile Pod's memory comes to until now. */
static void sum_up_memory(struct sw_worker *worker, struct sw_meter *meter)
{
    uint64_t now_ms = worker->now_ns / SW_USAGE_MS_NS;

    if (now_ms > meter->volatile_ms)
        meter->used.page_ms += meter->volatile_pages * (now_ms - meter->volatile_ms);
    meter->volatile_ms = now_ms;
}

void sw_meter_forget(struct sw_worker *worker, struct sw_instance *instance)
{
    struct sw_meter *meter = &instance->pod->meter;

    meter->pages -= instance->pages;
    sw_storage_remove_pages(instance->pod, instance->pages);
    meter->since_ms -= instance->pages * (instance->actor.last_ns / SW_USAGE_MS_NS);
    instance->pages = 0;
    sw_meter_set_due(worker, instance->pod);
}

/* --- Those who sleep -------------------------------------------------------------------------- */

void sw_meter_sleep(struct sw_slept *slept, const struct sw_instance *instance)
{
    slept->pages += instance->pages;
    slept->since_ms += instance->pages * (instance->actor.last_ns / SW_USAGE_MS_NS);
    slept->memory_bytes += instance->memory_bytes;
}

void sw_meter_wake(struct sw_slept *slept, const struct sw_instance *instance)
{
    slept->pages -= instance->pages;
    slept->since_ms -= instance->pages * (instance->actor.last_ns / SW_USAGE_MS_NS);
    slept->memory_bytes -= instance->memory_bytes;
}

static void change_slept(struct sw_worker *worker, struct sw_pod *pod, uint64_t pages,
                         uint64_t since_ms)
{
    struct sw_meter *meter = &pod->meter;

    if (pod->config.is_durable) {
        meter->pages += pages;
        meter->since_ms += since_ms;
    } else {
        sum_up_memory(worker, meter);
        meter->volatile_pages += pages;
    }
    sw_meter_set_due(worker, pod);
}

void sw_meter_load_slept(struct sw_worker *worker, struct sw_pod *pod, uint64_t count,
                         const struct sw_slept *slept)
{
    if (sw_pod_quota(pod) != NULL)
        sw_quota_add(sw_pod_quota(pod), count, slept->memory_bytes);
    sw_account_reserve(pod->account, slept->memory_bytes);
    if (pod->config.is_durable)
        sw_storage_add_pages(pod, slept->pages);
    change_slept(worker, pod, slept->pages, slept->since_ms);
}

void sw_meter_drop_slept(struct sw_worker *worker, struct sw_pod *pod, uint64_t count,
                         struct sw_slept *slept)
{
    if (sw_pod_quota(pod) != NULL)
        sw_quota_release(sw_pod_quota(pod), count, slept->memory_bytes);
    sw_account_reserve(pod->account, 0 - slept->memory_bytes);
    if (pod->config.is_durable)
        sw_storage_remove_pages(pod, slept->pages);
    change_slept(worker, pod, 0 - slept->pages, 0 - slept->since_ms);
    *slept = (struct sw_slept){0};
}

void sw_meter_lose_slept(struct sw_pod *pod, uint64_t count, struct sw_slept *slept)
{
    uint64_t memory_bytes = slept->memory_bytes / count;

    slept->memory_bytes -= memory_bytes;
    if (sw_pod_quota(pod) != NULL)
        sw_quota_release(sw_pod_quota(pod), 1, memory_bytes);
    sw_account_reserve(pod->account, 0 - memory_bytes);
}

static uint32_t pages_of(const struct sw_worker *worker, const struct sw_instance *instance)
{
    return instance->guest == NULL ? instance->pages
                                   : (uint32_t)sw_usage_pages(worker->engine.memory_bytes(
                                         worker->engine.ctx, instance->guest));
}

void sw_meter_record_memory(struct sw_worker *worker, const struct sw_instance *instance,
                            struct sw_record_segment *segment)
{
    segment->pages = pages_of(worker, instance);
    segment->has_pages = segment->pages != instance->pages;
}

void sw_meter_set_pages(struct sw_worker *worker, struct sw_instance *instance, uint32_t pages)
{
    struct sw_meter *meter = &instance->pod->meter;

    if (instance->is_metered || pages == instance->pages)
        return;
    sum_up_memory(worker, meter);
    meter->volatile_pages += pages;
    meter->volatile_pages -= instance->pages;
    instance->pages = pages & SW_INSTANCE_PAGES_MAX;
    sw_meter_set_due(worker, instance->pod);
}

void sw_meter_look_at_memory(struct sw_worker *worker, struct sw_instance *instance)
{
    sw_meter_set_pages(worker, instance, pages_of(worker, instance));
}

struct sw_frame_used sw_meter_told(const struct sw_usage *used)
{
    return (struct sw_frame_used){.cpu_ns = used->cpu_ns,
                                  .handled = used->handled,
                                  .bytes_in = used->bytes_in,
                                  .sent = used->sent,
                                  .bytes_out = used->bytes_out,
                                  .wakeups = used->wakeups,
                                  .page_ms = used->page_ms,
                                  .fuel = used->fuel};
}

void sw_meter_fill_row(uint64_t now_ns, const struct sw_usage *used, struct sw_frame_instance *row)
{
    uint64_t now_ms = now_ns / SW_USAGE_MS_NS, last_ms = row->last_ns / SW_USAGE_MS_NS;

    row->used = sw_meter_told(used);
    row->used_ns = now_ns;
    row->open_page_ms = now_ms <= last_ms ? 0 : row->pages * (now_ms - last_ms);
}

/* --- Settling --------------------------------------------------------------------------------- */

/* With the lock. */
static void settle_pod(struct sw_worker *worker, struct sw_pod *pod)
{
    struct sw_meter *meter = &pod->meter;
    struct sw_account *account = pod->account, *parent;

    parent = account->parent;
    account->is_due = true;
    if (parent != NULL)
        parent->is_due = true;
    if (pod->config.is_durable) {
        account_add(account, &meter->used);
    } else {
        sum_up_memory(worker, meter);
        meter->used.cpu_ns += sw_share_take_used(pod->share);
        sw_usage_add(&account->unrecorded, &meter->used);
    }
    atomic_fetch_add_explicit(&worker->shared->heat_ns[pod->config.pod % SW_HEAT_PODS],
                              meter->used.cpu_ns, memory_order_relaxed);
    for (struct sw_account *each = account; each != NULL; each = each == account ? parent : NULL) {
        each->pages += meter->pages;
        each->since_ms += meter->since_ms;
        each->volatile_pages += meter->volatile_pages - meter->told_pages;
    }
    meter->told_pages = meter->volatile_pages;
    meter->pages = meter->since_ms = 0;
    memset(&meter->used, 0, sizeof meter->used);
}

static void take_off(struct sw_pod *pod)
{
    sw_list_remove(&pod->meter.due);
    pod->meter.is_due = false;
}

void sw_meter_settle_records(struct sw_worker *worker)
{
    struct sw_accounts *accounts = &worker->shared->accounts;

    pthread_mutex_lock(&accounts->mutex);
    SW_LIST_EACH(&worker->metered, node)
    {
        struct sw_pod *pod = SW_LIST_ITEM(node, struct sw_pod, meter.due);
        if (pod->config.is_durable)
            settle_pod(worker, pod);
    }
    pthread_mutex_unlock(&accounts->mutex);
}

/* With the lock. What is put down is what counts. */
static void record(struct sw_worker *worker, struct sw_account *account, bool is_last)
{
    struct sw_record record = {.kind = SW_RECORD_USAGE,
                               .usage = {.name_space = account->name_space,
                                         .agent = account->agent,
                                         .agent_uid = account->agent_uid,
                                         .time_ns = worker->now_ns,
                                         .is_last = is_last,
                                         .used = account->unrecorded}};
    struct sw_journal_place place;

    if ((sw_usage_is_zero(&account->unrecorded) && !is_last) ||
        sw_worker_append(worker, &record, &place) != SW_OK)
        return;
    account_add(account, &record.usage.used);
    memset(&account->unrecorded, 0, sizeof account->unrecorded);
}

/* With the lock. */
static void tell_held(struct sw_worker *worker, struct sw_account *account)
{
    const struct sw_quota *quota = &account->quota;
    const struct sw_frame frame = {
        .kind = SW_FRAME_QUOTA_HELD,
        .quota_held = {.number = account->word.number,
                       .name_space = account->name_space,
                       .instances = atomic_load(&quota->instances),
                       .memory_bytes = atomic_load(&quota->memory_bytes),
                       .storage_bytes = atomic_load(&quota->storage_bytes)}};

    account->word.is_beyond =
        frame.quota_held.instances > atomic_load(&quota->instances_max) ||
        frame.quota_held.memory_bytes > atomic_load(&quota->memory_bytes_max) ||
        frame.quota_held.storage_bytes > atomic_load(&quota->storage_bytes_max);
    sw_output_frame(worker, &frame, sw_journal_epoch(worker->shared->journal));
}

/* Where the disk was not bounded before, nothing was reserved for the record that another worker is
 * about to write: it is in no sum yet. */
void sw_meter_answer_quota(struct sw_worker *worker, struct sw_item_quota_ask *ask)
{
    struct sw_accounts *accounts = &worker->shared->accounts;
    struct sw_account *account;

    if (worker->options.index + 1 < worker->options.count) {
        sw_item_put(&worker->sent[worker->options.index + 1], &ask->item);
        return;
    }
    pthread_mutex_lock(&accounts->mutex);
    account = sw_map_find(accounts->spaces, ask->name_space.data, ask->name_space.size);
    if (account != NULL) {
        account->word.number = ask->number;
        tell_held(worker, account);
    }
    pthread_mutex_unlock(&accounts->mutex);
    sw_item_free(&ask->item, &worker->engine);
}

/* With the lock. */
static void tell(struct sw_worker *worker, struct sw_account *account)
{
    uint64_t next_ns = account->told_ns + 1;
    uint64_t told_ns = next_ns > worker->now_ns ? next_ns : worker->now_ns;
    struct sw_frame frame = {.kind = SW_FRAME_USAGE,
                             .usage = {.name_space = account->name_space,
                                       .agent = account->agent,
                                       .agent_uid = account->agent_uid,
                                       .time_ns = told_ns,
                                       .pages = account->pages + account->volatile_pages}};
    uint64_t now_ms = worker->now_ns / SW_USAGE_MS_NS;

    account->is_due = false;
    account->told_ns = told_ns;
    frame.usage.used = sw_meter_told(&account->used);
    frame.usage.storage_bytes = account->agent_uid.size == 0
                                    ? atomic_load(&account->quota.storage_bytes)
                                    : atomic_load(&account->record_bytes) +
                                          account->pages * SW_USAGE_PAGE_BYTES +
                                          atomic_load(&account->history_bytes);
    frame.usage.reserved_bytes = account->agent_uid.size == 0
                                     ? atomic_load(&account->quota.memory_bytes)
                                     : atomic_load(&account->reserved_bytes);
    if (account->pages > 0 && account->pages * now_ms > account->since_ms)
        frame.usage.open_page_ms = account->pages * now_ms - account->since_ms;
    sw_output_frame(worker, &frame, sw_journal_epoch(worker->shared->journal));
    if (account->word.is_beyond)
        tell_held(worker, account);
}

/* With the lock: an Agent and its namespace, once. */
static void tell_due(struct sw_worker *worker, struct sw_account *account)
{
    if (account->parent != NULL && account->parent->is_due)
        tell(worker, account->parent);
    if (account->is_due)
        tell(worker, account);
}

/* With the lock: what was recovered, of whom nothing may happen for long. */
static void tell_all(struct sw_worker *worker, struct sw_accounts *accounts)
{
    struct sw_map *maps[] = {accounts->spaces, accounts->agents};
    struct sw_map_entry entry;

    for (size_t i = 0; i < 2 && !accounts->is_told; i++)
        for (size_t cursor = 0; sw_map_next(maps[i], &cursor, &entry);)
            tell(worker, entry.value);
    accounts->is_told = true;
}

/* Replicas that the quota of their namespace had no room for. */
static void try_again(struct sw_worker *worker, struct sw_list *lacking)
{
    while (!sw_list_is_empty(lacking)) {
        struct sw_pod *pod = SW_LIST_ITEM(lacking->next, struct sw_pod, meter.due);

        sw_list_remove(&pod->meter.due);
        sw_pod_retry_replicas(worker, pod);
    }
}

void sw_meter_settle(struct sw_worker *worker)
{
    struct sw_accounts *accounts = &worker->shared->accounts;
    struct sw_list lacking;

    sw_list_init(&lacking);
    pthread_mutex_lock(&accounts->mutex);
    tell_all(worker, accounts);
    SW_LIST_EACH(&worker->metered, node)
    {
        settle_pod(worker, SW_LIST_ITEM(node, struct sw_pod, meter.due));
    }
    SW_LIST_EACH(&worker->metered, node)
    {
        struct sw_pod *pod = SW_LIST_ITEM(node, struct sw_pod, meter.due);
        record(worker, pod->account, false);
    }
    while (!sw_list_is_empty(&worker->metered)) {
        struct sw_pod *pod = SW_LIST_ITEM(worker->metered.next, struct sw_pod, meter.due);

        take_off(pod);
        tell_due(worker, pod->account);
        if (pod->lacks_quota)
            sw_list_add(&lacking, &pod->meter.due);
    }
    sw_throttle_tell(worker, accounts);
    pthread_mutex_unlock(&accounts->mutex);
    try_again(worker, &lacking);
}

void sw_meter_end_pod(struct sw_worker *worker, struct sw_pod *pod, bool is_recovered)
{
    struct sw_accounts *accounts = &worker->shared->accounts;
    struct sw_account *account = pod->account;
    bool is_last;

    pthread_mutex_lock(&accounts->mutex);
    settle_pod(worker, pod);
    take_off(pod);
    is_last = --account->pods == 0;
    if (!pod->config.is_durable)
        record(worker, account, is_last);
    if (!is_recovered)
        tell_due(worker, account);
    sw_throttle_end(worker, account);
    if (is_last)
        account_end(accounts, account);
    pod->account = NULL;
    pthread_mutex_unlock(&accounts->mutex);
}
