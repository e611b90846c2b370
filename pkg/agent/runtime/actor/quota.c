#include "pkg/agent/runtime/actor/quota.h"

#include <assert.h>

#define SECOND_NS 1000000000u
#define DEBT_NS_MAX (UINT64_MAX / 2)

void sw_quota_init(struct sw_quota *quota)
{
    const struct sw_quota_limits none = {.instances = SW_QUOTA_NONE, .memory_bytes = SW_QUOTA_NONE};

    pthread_mutex_init(&quota->mutex, NULL);
    sw_list_init(&quota->turns);
    sw_quota_set(quota, &none, 0);
}

void sw_quota_done(struct sw_quota *quota)
{
    pthread_mutex_destroy(&quota->mutex);
}

/* A time that so much is owed for at one pace, at another one; far in the future at most. */
static uint64_t scale_of(uint64_t time_ns, uint64_t from_ns, uint64_t to_ns)
{
    double scaled_ns = (double)time_ns * (double)from_ns / (double)to_ns;

    return scaled_ns >= (double)DEBT_NS_MAX ? DEBT_NS_MAX : (uint64_t)scaled_ns;
}

/* What was used of the processor and is not paid for stays so much of the processor, however much
 * there is in a second from now on: it takes as much longer or shorter to pay. What was used while
 * any was allowed is not held against it. Nothing is ahead that was not before. */
static void scale_debt(struct sw_quota *quota, uint64_t old_ns, uint64_t new_ns, uint64_t now_ns)
{
    uint64_t paid_ns = atomic_load(&quota->cpu_paid_ns), next_ns;

    if (old_ns == new_ns)
        return;
    do {
        next_ns = paid_ns;
        if (old_ns == 0 || new_ns == 0)
            next_ns = 0;
        else if (paid_ns > now_ns)
            next_ns = now_ns + scale_of(paid_ns - now_ns, old_ns, new_ns);
    } while (!atomic_compare_exchange_weak(&quota->cpu_paid_ns, &paid_ns, next_ns));
}

static uint64_t rate_of(const struct sw_quota_limits *limits)
{
    uint64_t seconds = limits->messages_s & UINT16_MAX;
    uint64_t phase = limits->messages_phase & UINT16_MAX;

    return limits->messages_per_s == 0 ? 0 : phase << 48 | seconds << 32 | limits->messages_per_s;
}

void sw_quota_set(struct sw_quota *quota, const struct sw_quota_limits *limits, uint64_t now_ns)
{
    uint64_t old_ns = atomic_exchange(&quota->cpu_ns, limits->cpu_ns);

    scale_debt(quota, old_ns, limits->cpu_ns, now_ns);
    atomic_store(&quota->instances_max, limits->instances);
    atomic_store(&quota->memory_bytes_max, limits->memory_bytes);
    atomic_store(&quota->message_rate, rate_of(limits));
    atomic_store(&quota->storage_bytes_max,
                 limits->storage_bytes == 0 ? SW_QUOTA_NONE : limits->storage_bytes);
    atomic_store(&quota->storage_free_ns, 0);
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

enum sw_quota_answer sw_quota_reserve(struct sw_quota *quota, uint64_t memory_bytes)
{
    if (!take(&quota->instances, &quota->instances_max, 1))
        return SW_QUOTA_NO_INSTANCE;
    if (sw_quota_reserve_memory(quota, memory_bytes))
        return SW_QUOTA_TAKEN;
    atomic_fetch_sub(&quota->instances, 1);
    return SW_QUOTA_NO_MEMORY;
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

/* --- Storage --------------------------------------------------------------------------------- */

bool sw_quota_reserve_storage(struct sw_quota *quota, uint64_t bytes)
{
    return take(&quota->storage_bytes, &quota->storage_bytes_max, bytes);
}

void sw_quota_add_storage(struct sw_quota *quota, uint64_t bytes)
{
    atomic_fetch_add(&quota->storage_bytes, bytes);
}

void sw_quota_release_storage(struct sw_quota *quota, uint64_t bytes)
{
    uint64_t before = atomic_fetch_sub(&quota->storage_bytes, bytes);

    assert(before >= bytes);
    (void)before;
}

bool sw_quota_has_storage(const struct sw_quota *quota, uint64_t bytes)
{
    uint64_t most = atomic_load(&quota->storage_bytes_max);
    uint64_t used = atomic_load(&quota->storage_bytes);

    return used <= most && bytes <= most - used;
}

void sw_quota_rest_storage(struct sw_quota *quota, uint64_t until_ns)
{
    atomic_store(&quota->storage_free_ns, until_ns);
}

uint64_t sw_quota_storage_free_ns(const struct sw_quota *quota)
{
    return atomic_load_explicit(&quota->storage_free_ns, memory_order_relaxed);
}

/* --- Messages -------------------------------------------------------------------------------- */

/* Where the window is longer than a second it is for one message, in the second that begins at the
 * phase: hosts that share a message never have it at once. */
struct rate {
    uint64_t price_ns;  /* Of a message: the time after which there is room for another one. */
    uint64_t window_ns; /* As many as there is room for in this may come at once. */
    uint64_t phase_ns;
};

/* False: any number is allowed. */
static bool rate_get(const struct sw_quota *quota, struct rate *ret_rate)
{
    uint64_t all = atomic_load_explicit(&quota->message_rate, memory_order_relaxed);
    uint64_t count = all & UINT32_MAX, seconds = all >> 32 & UINT16_MAX;

    if (all == 0)
        return false;
    ret_rate->window_ns = (seconds == 0 ? 1 : seconds) * SECOND_NS;
    ret_rate->price_ns = ret_rate->window_ns / count + (ret_rate->window_ns % count != 0);
    ret_rate->phase_ns = (all >> 48) * SECOND_NS;
    return true;
}

static bool is_slotted(const struct rate *rate)
{
    return rate->window_ns > SECOND_NS;
}

/* The second that is the host's, the one that is or comes. */
static uint64_t slot_of(const struct rate *rate, uint64_t now_ns)
{
    uint64_t slot_ns = now_ns - now_ns % rate->window_ns + rate->phase_ns;

    return slot_ns + SECOND_NS <= now_ns ? slot_ns + rate->window_ns : slot_ns;
}

/* How many there is room for. */
static uint64_t room_of(uint64_t paid_ns, const struct rate *rate, uint64_t now_ns)
{
    uint64_t used_ns = paid_ns > now_ns ? paid_ns - now_ns : 0;

    if (is_slotted(rate))
        return used_ns == 0 && slot_of(rate, now_ns) <= now_ns;
    return used_ns >= rate->window_ns ? 0 : (rate->window_ns - used_ns) / rate->price_ns;
}

/* When all are paid for, with one more. */
static uint64_t paid_with(uint64_t paid_ns, const struct rate *rate, uint64_t now_ns)
{
    if (is_slotted(rate))
        return slot_of(rate, now_ns) + SECOND_NS;
    return (paid_ns > now_ns ? paid_ns : now_ns) + rate->price_ns;
}

/* From when on there is room for one behind so many others. */
static uint64_t room_from(uint64_t paid_ns, const struct rate *rate, uint64_t ahead,
                          uint64_t now_ns)
{
    uint64_t begin_ns = paid_ns > now_ns ? paid_ns : now_ns, room_ns;

    room_ns = is_slotted(rate) ? slot_of(rate, begin_ns) + ahead * rate->window_ns
                               : begin_ns + (ahead + 1) * rate->price_ns - rate->window_ns;
    return room_ns <= now_ns ? now_ns + 1 : room_ns;
}

/* One, if there is room for it behind so many others. */
static bool take_message(struct sw_quota *quota, const struct rate *rate, uint64_t ahead,
                         uint64_t now_ns)
{
    uint64_t paid_ns = atomic_load_explicit(&quota->paid_ns, memory_order_relaxed), next_ns;

    do {
        if (room_of(paid_ns, rate, now_ns) <= ahead)
            return false;
        next_ns = paid_with(paid_ns, rate, now_ns);
    } while (!atomic_compare_exchange_weak(&quota->paid_ns, &paid_ns, next_ns));
    return true;
}

static bool has_turn(const struct sw_quota_turn *turn)
{
    return turn->node.next != NULL && turn->node.next != &turn->node;
}

static struct sw_quota_turn *turn_of(struct sw_list *node)
{
    return SW_LIST_ITEM(node, struct sw_quota_turn, node);
}

static void end_turn(struct sw_quota *quota, struct sw_quota_turn *turn)
{
    sw_list_remove(&turn->node);
    turn->refused = 0;
    atomic_fetch_sub(&quota->turns_count, 1);
}

static void forget_late(struct sw_quota *quota, uint64_t now_ns)
{
    SW_LIST_EACH(&quota->turns, node)
    {
        if (turn_of(node)->until_ns < now_ns)
            end_turn(quota, turn_of(node));
    }
}

/* What a message costs the Agent on the scale of turns. */
static uint64_t cost_of(const struct sw_quota_turn *turn, uint64_t price_ns)
{
    uint32_t weight = atomic_load_explicit(&turn->weight, memory_order_relaxed);

    return price_ns * SW_QUOTA_WEIGHT_STANDARD / (weight == 0 ? SW_QUOTA_WEIGHT_STANDARD : weight) +
           1;
}

/* Messages of others that come before the next one of the Agent, which begins at its time: of each
 * those that it was refused, as far as they begin earlier, or at the same time where the other one
 * has waited for longer. For one that was let in lately there is one, as far as room_max allows,
 * so that who asks for less than its part finds it. */
static uint64_t ahead_of(struct sw_quota *quota, const struct sw_quota_turn *turn,
                         const struct rate *rate)
{
    uint64_t ahead = 0, kept = 0, kept_max = rate->window_ns / rate->price_ns / 2;
    bool is_behind = false;

    SW_LIST_EACH(&quota->turns, node)
    {
        const struct sw_quota_turn *other = turn_of(node);
        uint64_t before;

        if (other == turn) {
            is_behind = true;
            continue;
        }
        if (other->time_ns + is_behind > turn->time_ns)
            continue;
        before = 1 + (turn->time_ns - is_behind - other->time_ns) / cost_of(other, rate->price_ns);
        ahead += before < other->refused ? before : other->refused;
        kept += other->refused == 0;
    }
    return ahead + (kept < kept_max ? kept : kept_max);
}

/* An Agent asks. One that rested does not make up for that: it begins with the others, or a little
 * before them if it asked lately. */
static void come_back(const struct sw_quota *quota, struct sw_quota_turn *turn)
{
    uint64_t ahead_ns = has_turn(turn) ? SW_QUOTA_AHEAD_NS : 0;

    if (turn->refused == 0 && turn->time_ns + ahead_ns < quota->start_ns)
        turn->time_ns = quota->start_ns - ahead_ns;
}

/* Until then, behind those that began at the same time. */
static void keep_turn(struct sw_quota *quota, struct sw_quota_turn *turn, uint64_t until_ns)
{
    if (has_turn(turn)) {
        sw_list_remove(&turn->node);
    } else if (atomic_load(&quota->turns_count) < SW_QUOTA_TURNS_MAX) {
        atomic_fetch_add(&quota->turns_count, 1);
    } else {
        return;
    }
    sw_list_add(&quota->turns, &turn->node);
    turn->until_ns = until_ns;
}

static void let_in(struct sw_quota *quota, struct sw_quota_turn *turn, uint64_t price_ns,
                   uint64_t now_ns)
{
    if (turn->time_ns > quota->start_ns)
        quota->start_ns = turn->time_ns;
    turn->time_ns += cost_of(turn, price_ns);
    turn->refused -= turn->refused > 0;
    keep_turn(quota, turn, now_ns + SW_QUOTA_PATIENCE_NS);
}

static void refuse(struct sw_quota *quota, struct sw_quota_turn *turn, uint64_t until_ns,
                   uint64_t refused_max)
{
    if (!has_turn(turn) || turn->refused == 0)
        keep_turn(quota, turn, until_ns);
    if (has_turn(turn) && turn->refused < refused_max)
        turn->refused++;
    turn->until_ns = until_ns;
}

/* With the lock. */
static bool take_in_turn(struct sw_quota *quota, struct sw_quota_turn *turn,
                         const struct rate *rate, uint64_t now_ns, uint64_t *ret_room_ns)
{
    uint64_t ahead;

    forget_late(quota, now_ns);
    come_back(quota, turn);
    ahead = ahead_of(quota, turn, rate);
    if (take_message(quota, rate, ahead, now_ns)) {
        let_in(quota, turn, rate->price_ns, now_ns);
        return true;
    }
    *ret_room_ns = room_from(atomic_load(&quota->paid_ns), rate, ahead, now_ns);
    refuse(quota, turn, *ret_room_ns + SW_QUOTA_PATIENCE_NS, rate->window_ns / rate->price_ns);
    return false;
}

bool sw_quota_take_message(struct sw_quota *quota, struct sw_quota_turn *turn, uint64_t now_ns,
                           uint64_t *ret_room_ns)
{
    struct rate rate;
    bool is_taken;

    if (!rate_get(quota, &rate) ||
        (atomic_load(&quota->turns_count) == 0 && take_message(quota, &rate, 0, now_ns)))
        return true;
    pthread_mutex_lock(&quota->mutex);
    is_taken = take_in_turn(quota, turn, &rate, now_ns, ret_room_ns);
    pthread_mutex_unlock(&quota->mutex);
    return is_taken;
}

void sw_quota_leave(struct sw_quota *quota, struct sw_quota_turn *turn)
{
    pthread_mutex_lock(&quota->mutex);
    if (has_turn(turn))
        end_turn(quota, turn);
    pthread_mutex_unlock(&quota->mutex);
}

/* --- Processor time --------------------------------------------------------------------------- */

/* How long it takes until so much may be had, far in the future at most. */
static uint64_t rest_of(uint64_t used_ns, uint64_t cpu_ns)
{
    uint64_t part_ns = used_ns % cpu_ns, rest_ns;

    if (used_ns / cpu_ns >= DEBT_NS_MAX / SECOND_NS)
        return DEBT_NS_MAX;
    rest_ns = used_ns / cpu_ns * SECOND_NS;
    if (part_ns < (uint64_t)1 << 34)
        return rest_ns + part_ns * SECOND_NS / cpu_ns;
    return rest_ns + part_ns / 1024 * SECOND_NS / (cpu_ns / 1024);
}

/* Of a nanosecond that it ran for it rests as long as it takes until it may have one again. */
void sw_quota_use_cpu(struct sw_quota *quota, uint64_t used_ns, uint64_t now_ns)
{
    uint64_t cpu_ns = atomic_load_explicit(&quota->cpu_ns, memory_order_relaxed);
    uint64_t least_ns = now_ns > SW_QUOTA_CPU_AHEAD_NS ? now_ns - SW_QUOTA_CPU_AHEAD_NS : 0;
    uint64_t paid_ns, next_ns, price_ns;

    if (cpu_ns == 0)
        return;
    price_ns = rest_of(used_ns, cpu_ns);
    paid_ns = atomic_load_explicit(&quota->cpu_paid_ns, memory_order_relaxed);
    do {
        next_ns = paid_ns > least_ns ? paid_ns : least_ns;
        next_ns = next_ns > UINT64_MAX - price_ns ? UINT64_MAX : next_ns + price_ns;
    } while (!atomic_compare_exchange_weak(&quota->cpu_paid_ns, &paid_ns, next_ns));
}

uint64_t sw_quota_cpu_free_ns(const struct sw_quota *quota)
{
    return atomic_load_explicit(&quota->cpu_ns, memory_order_relaxed) == 0
               ? 0
               : atomic_load_explicit(&quota->cpu_paid_ns, memory_order_relaxed);
}
