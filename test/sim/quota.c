#include "test/sim/quota.h"

#include "pkg/agent/runtime/actor/state.h"

#define SECOND_NS 1000000000u
#define AHEAD_PARTS 10   /* A tenth of a second's worth can be had at once. */
#define ROUNDING_NS 5000 /* What many small roundings come to. */
#define LOOKS 16u        /* All are counted once in so many steps. */

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

static void go_on(struct sim_quota *quota, uint64_t now_ns)
{
    uint64_t passed_ns = now_ns - quota->at_ns;

    quota->at_ns = now_ns;
    if (passed_ns > SECOND_NS)
        quota->credit_ns += (int64_t)(passed_ns / SECOND_NS * quota->cpu_ns);
    quota->credit_ns += (int64_t)(passed_ns % SECOND_NS * (quota->cpu_ns / 1000) / 1000000);
    if (quota->credit_ns > most_of(quota))
        quota->credit_ns = most_of(quota);
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
    uint64_t instances, memory_bytes;
};

static void add_pod(struct sum *sum, const struct sw_pod *pod)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    sum->instances += sw_pod_count(pod);
    while (sw_map_next(pod->instances, &cursor, &entry))
        sum->memory_bytes += ((const struct sw_instance *)entry.value)->memory_bytes;
    for (uint32_t i = 0; pod->asleep != NULL && i < SW_SLOTS; i++)
        if (pod->asleep[i] != NULL)
            sum->memory_bytes += pod->asleep[i]->slept.memory_bytes;
}

const char *sim_quota_check(struct sim_quota *quota, struct sw_shared *shared,
                            struct sw_worker *const *workers, uint32_t count)
{
    const struct sw_account *space = sw_map_find(shared->accounts.spaces, "default", 7);
    struct sum sum = {0};

    if (space == NULL || ++quota->looks % LOOKS != 0)
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
    return NULL;
}
