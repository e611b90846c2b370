#include "pkg/agent/runtime/actor/quota.h"

#include <assert.h>

#define SECOND_NS 1000000000u

void sw_quota_init(struct sw_quota *quota)
{
    const struct sw_quota_limits none = {SW_QUOTA_NONE, SW_QUOTA_NONE, 0};

    sw_quota_set(quota, &none);
}

void sw_quota_set(struct sw_quota *quota, const struct sw_quota_limits *limits)
{
    atomic_store(&quota->instances_max, limits->instances);
    atomic_store(&quota->memory_bytes_max, limits->memory_bytes);
    atomic_store(&quota->messages_per_s, limits->messages_per_s);
}

/* Whoever finds that it is one too many takes itself out again, so others may find the same for a
 * moment; the sum of those who stay never passes the bound. */
static bool take(_Atomic uint64_t *used, const _Atomic uint64_t *max, uint64_t count)
{
    uint64_t before = atomic_fetch_add(used, count), most = atomic_load(max);

    if (count <= most && before <= most - count)
        return true;
    atomic_fetch_sub(used, count);
    return false;
}

bool sw_quota_reserve_memory(struct sw_quota *quota, uint64_t memory_bytes)
{
    return take(&quota->memory_bytes, &quota->memory_bytes_max, memory_bytes);
}

bool sw_quota_reserve(struct sw_quota *quota, uint64_t memory_bytes)
{
    if (!take(&quota->instances, &quota->instances_max, 1))
        return false;
    if (sw_quota_reserve_memory(quota, memory_bytes))
        return true;
    atomic_fetch_sub(&quota->instances, 1);
    return false;
}

void sw_quota_add(struct sw_quota *quota, uint64_t instances, uint64_t memory_bytes)
{
    atomic_fetch_add(&quota->instances, instances);
    atomic_fetch_add(&quota->memory_bytes, memory_bytes);
}

void sw_quota_release_memory(struct sw_quota *quota, uint64_t memory_bytes)
{
    uint64_t before = atomic_fetch_sub(&quota->memory_bytes, memory_bytes);

    assert(before >= memory_bytes);
    (void)before;
}

void sw_quota_release(struct sw_quota *quota, uint64_t instances, uint64_t memory_bytes)
{
    uint64_t before = atomic_fetch_sub(&quota->instances, instances);

    assert(before >= instances);
    (void)before;
    sw_quota_release_memory(quota, memory_bytes);
}

bool sw_quota_take_message(struct sw_quota *quota, uint64_t now_ns, uint64_t *ret_room_ns)
{
    uint32_t per_s = atomic_load_explicit(&quota->messages_per_s, memory_order_relaxed);
    uint64_t paid_ns, next_ns, price_ns;

    if (per_s == 0)
        return true;
    price_ns = SECOND_NS / per_s + (SECOND_NS % per_s != 0);
    paid_ns = atomic_load_explicit(&quota->paid_ns, memory_order_relaxed);
    do {
        if (paid_ns + price_ns > now_ns + SECOND_NS) {
            *ret_room_ns = paid_ns + price_ns - SECOND_NS;
            return false;
        }
        next_ns = (paid_ns > now_ns ? paid_ns : now_ns) + price_ns;
    } while (!atomic_compare_exchange_weak(&quota->paid_ns, &paid_ns, next_ns));
    return true;
}
