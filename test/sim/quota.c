#include "test/sim/quota.h"

#include "pkg/agent/runtime/actor/capture.h"
#include "pkg/agent/runtime/actor/keeper_state.h"
#include "pkg/agent/runtime/actor/state.h"

#define SECOND_NS 1000000000u
#define AHEAD_PARTS 10   /* A tenth of a second's worth can be had at once. */
#define ROUNDING_NS 5000 /* What many small roundings come to. */
#define LOOKS 16u        /* All are counted once in so many steps, */
#define CHAIN_LOOKS 512u /* and their records as well in so many. */

static int64_t most_of(const struct sim_quota *quota)
{
    return (int64_t)(quota->cpu_ns / AHEAD_PARTS);
}

void sim_quota_begin(struct sim_quota *quota, uint64_t cpu_ns, uint64_t now_ns)
{
    quota->cpu_ns = cpu_ns;
    quota->credit_ns = most_of(quota);
    quota->at_ns = now_ns;
}

/* To the last bit: it is asked a hundred thousand times in the debts of one run. */
static void go_on(struct sim_quota *quota, uint64_t now_ns)
{
    uint64_t passed_ns = now_ns - quota->at_ns;
    uint64_t parts = passed_ns % SECOND_NS * quota->cpu_ns + quota->rest;

    quota->at_ns = now_ns;
    quota->credit_ns += (int64_t)(passed_ns / SECOND_NS * quota->cpu_ns + parts / SECOND_NS);
    quota->rest = parts % SECOND_NS;
    if (quota->credit_ns < most_of(quota))
        return;
    quota->credit_ns = most_of(quota);
    quota->rest = 0;
}

void sim_quota_use(struct sim_quota *quota, uint64_t used_ns, uint64_t now_ns)
{
    if (quota->cpu_ns == 0)
        return;
    go_on(quota, now_ns);
    quota->credit_ns -= (int64_t)used_ns;
}

int sim_quota_owes(struct sim_quota *quota, uint64_t now_ns)
{
    if (quota->cpu_ns == 0)
        return 0;
    go_on(quota, now_ns);
    return quota->credit_ns < -ROUNDING_NS;
}

/* --- What is reserved ------------------------------------------------------------------------- */

struct sum {
    uint64_t instances, memory_bytes, storage_bytes;
};

uint64_t sim_quota_storage(struct sw_shared *shared)
{
    const struct sw_account *space = sw_map_find(shared->accounts.spaces, "default", 7);

    return space == NULL ? 0 : atomic_load(&space->quota.storage_bytes);
}

static void add_pod(struct sum *sum, const struct sw_pod *pod)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    sum->instances += sw_pod_count(pod);
    while (sw_map_next(pod->instances, &cursor, &entry)) {
        const struct sw_instance *instance = entry.value;

        sum->memory_bytes += instance->memory_bytes;
        if (pod->config.is_durable)
            sum->storage_bytes += instance->pages * (uint64_t)SW_USAGE_PAGE_BYTES;
    }
    for (uint32_t i = 0; pod->asleep != NULL && i < SW_SLOTS; i++) {
        if (pod->asleep[i] == NULL)
            continue;
        sum->memory_bytes += pod->asleep[i]->slept.memory_bytes;
        if (pod->config.is_durable)
            sum->storage_bytes += pod->asleep[i]->slept.pages * SW_USAGE_PAGE_BYTES;
    }
}

/* Records of the Agents, since the point of the snapshot that counts, are those of the namespace
 * but for Agents that went; and they are in the journal. */
/* The records of one that is awake, from its last one back to that point, as the journal has them.
 */
static uint64_t bytes_of_chain(struct sw_shared *shared, const struct sw_instance *instance,
                               uint64_t point)
{
    struct sw_buffer bytes;
    uint64_t sum = 0, lsn = instance->actor.last_lsn;

    sw_buffer_init(&bytes, SW_JOURNAL_RECORD_MAX);
    while (lsn != 0 && lsn >= point) {
        struct sw_record record;

        sw_buffer_reset(&bytes);
        if (sw_journal_read(shared->journal, lsn, &bytes, NULL) != SW_OK ||
            sw_record_take((struct sw_bytes){bytes.data, bytes.size}, &record, NULL) != SW_OK ||
            record.kind != SW_RECORD_SEGMENT)
            break;
        sum += bytes.size + SW_JOURNAL_RECORD_HEAD_BYTES;
        lsn = record.segment.previous;
    }
    sw_buffer_done(&bytes);
    return sum;
}

/* What those who are awake have in the journal is at most what is counted. */
static const char *check_chains(struct sw_shared *shared, const struct sw_account *space,
                                struct sw_worker *const *workers, uint32_t count)
{
    uint64_t point = atomic_load(&shared->snapshots->ground_lsn), sum = 0;

    for (uint32_t i = 0; i < count; i++) {
        size_t cursor = 0;
        uint64_t id;
        void *value;

        while (sw_idmap_next(workers[i]->instances, &cursor, &id, &value))
            if (((const struct sw_instance *)value)->pod->config.is_durable)
                sum += bytes_of_chain(shared, value, point);
    }
    return sum > atomic_load(&space->record_bytes)
               ? "the quota counts less than the journal has of those who are awake"
               : NULL;
}

static const char *check_storage(struct sw_shared *shared, const struct sw_account *space,
                                 const struct sum *sum)
{
    uint64_t used = atomic_load(&space->quota.storage_bytes);
    uint64_t records = atomic_load(&space->record_bytes), of_agents = 0, histories = 0;
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (sw_map_next(shared->accounts.agents, &cursor, &entry)) {
        const struct sw_account *account = entry.value;

        of_agents += atomic_load(&account->record_bytes);
        histories += atomic_load(&account->history_bytes);
    }
    if (used != records + sum->storage_bytes + histories)
        return "the quota counts another part of the disk than records, memory and histories take";
    if (of_agents > records ||
        records > sw_journal_end(shared->journal) - atomic_load(&shared->snapshots->ground_lsn))
        return "the quota counts records that are not there";
    return NULL;
}

static uint64_t reserved_by_agents(struct sw_shared *shared)
{
    struct sw_map_entry entry;
    size_t cursor = 0;
    uint64_t sum = 0;

    while (sw_map_next(shared->accounts.agents, &cursor, &entry))
        sum += atomic_load(&((const struct sw_account *)entry.value)->reserved_bytes);
    return sum;
}

bool sim_quota_lost_history(const struct sw_shared *shared, const char *folder)
{
    const struct sw_keeper *keeper = shared->snapshots->keeper;
    struct sw_history_list list = {.names = NULL};
    bool is_lost = false;

    if (sw_history_list(shared->system, folder, NULL, &list, NULL) != SW_OK)
        return false; /* The disk does not say. */
    for (size_t i = 0; i < list.count && !is_lost; i++) {
        const struct keeper_agent *agent = sw_keeper_agent(keeper, list.names[i].agent);

        is_lost = agent != NULL && agent->has_no_room;
    }
    sw_history_list_done(&list);
    return is_lost;
}

const char *sim_quota_check(struct sim_quota *quota, struct sw_shared *shared,
                            struct sw_worker *const *workers, uint32_t count)
{
    const struct sw_account *space = sw_map_find(shared->accounts.spaces, "default", 7);
    struct sum sum = {0};

    if (space == NULL)
        return NULL;
    if (atomic_load(&space->quota.storage_bytes) > atomic_load(&space->quota.storage_bytes_max))
        return "a namespace takes more of the disk than its quota allows";
    if (++quota->looks % LOOKS != 0)
        return NULL;
    for (uint32_t i = 0; i < count; i++) {
        struct sw_map_entry entry;
        size_t cursor = 0;

        while (sw_map_next(workers[i]->pods, &cursor, &entry))
            add_pod(&sum, entry.value);
    }
    if (sum.instances != atomic_load(&space->quota.instances))
        return "the quota counts other instances than there are";
    if (sum.memory_bytes != atomic_load(&space->quota.memory_bytes))
        return "the quota counts other memory than instances may come to";
    if (sum.memory_bytes != reserved_by_agents(shared))
        return "Agents tell of other memory than their instances may come to";
    if (quota->looks % CHAIN_LOOKS == 0) {
        const char *wrong = check_chains(shared, space, workers, count);

        if (wrong != NULL)
            return wrong;
    }
    return check_storage(shared, space, &sum);
}
