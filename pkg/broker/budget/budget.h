/* What may be spent: amounts, limits, rules, and the tree of those who spend.
 *
 *     cluster > namespace > agent > instance > turn
 *
 * A rule, which is what a Budget says, belongs to the cluster, a namespace or an agent, which may
 * have several of them. It has limits of its owner's own, and of each instance and each turn below
 * the owner. What is spent counts in every node of its path, and has to fit in each of them, so
 * nobody below can pass who is above.
 *
 * Threads: pure functions.  I/O: none. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_BUDGET_NAME_MAX 63u
#define SW_BUDGET_INSTANCE_MAX 255u
#define SW_BUDGET_RULES_MAX 8u /* Of one owner. */
#define SW_BUDGET_PATH_MAX (3u + 3u * 3u * SW_BUDGET_RULES_MAX)
#define SW_BUDGET_UNLIMITED UINT64_MAX
#define SW_BUDGET_WORDS_MAX 48u

enum sw_budget_dimension {
    SW_BUDGET_MONEY, /* Billionths of a dollar. */
    SW_BUDGET_TOKENS,
    SW_BUDGET_CALLS,
    SW_BUDGET_WALL, /* Nanoseconds that calls were under way, summed. */
    SW_BUDGET_DIMENSIONS
};

struct sw_budget_amount {
    union {
        struct {
            uint64_t money_nano, tokens, calls, wall_ns;
        };
        uint64_t of[SW_BUDGET_DIMENSIONS];
    };
};

struct sw_budget_limits { /* SW_BUDGET_UNLIMITED, or UINT32_MAX: not bounded. */
    struct sw_budget_amount most;
    uint32_t depth; /* The most of sw_budget_who.depth. */
};

enum sw_budget_period { /* Of UTC, after which spending begins anew. */
                        SW_BUDGET_FOREVER,
                        SW_BUDGET_HOUR,
                        SW_BUDGET_DAY,
                        SW_BUDGET_MONTH
};

struct sw_budget_rule {
    struct sw_budget_limits own, instance, turn;
    enum sw_budget_period period; /* Of its own limits and of those below. */
};

enum sw_budget_level {
    SW_BUDGET_CLUSTER,
    SW_BUDGET_NAMESPACE,
    SW_BUDGET_AGENT,
    SW_BUDGET_INSTANCE,
    SW_BUDGET_TURN
};

/* Bounds nothing. */
extern const struct sw_budget_limits sw_budget_no_limits;
extern const char *const sw_budget_dimension_names[SW_BUDGET_DIMENSIONS]; /* "money", "tokens" */
extern const char *const sw_budget_period_names[];                        /* "", "hour", "day" */

bool sw_budget_is_bounded(const struct sw_budget_limits *limits);
bool sw_budget_is_zero(const struct sw_budget_amount *amount);
/* Sums that would pass UINT64_MAX are UINT64_MAX, differences below 0 are 0. */
void sw_budget_add(struct sw_budget_amount *sum, const struct sw_budget_amount *more);
void sw_budget_subtract(struct sw_budget_amount *rest, const struct sw_budget_amount *less);
static inline uint64_t sw_budget_plus(uint64_t one, uint64_t other)
{
    return one > UINT64_MAX - other ? UINT64_MAX : one + other;
}
/* The number of the period in which that time is; of FOREVER 0. Later ones have larger numbers. */
uint64_t sw_budget_period_index(enum sw_budget_period period, uint64_t utc_ns);
/* When a period begins, UTC in ns: it ends when the next one begins. FOREVER begins at 0; a time
 * that has no number is UINT64_MAX. */
uint64_t sw_budget_period_begin(enum sw_budget_period period, uint64_t index);
/* For people: "$0.98", "1200 tokens", "3 calls", "1.5 s". Money has at least two digits after the
 * point, and as many as it needs. */
void sw_budget_print(enum sw_budget_dimension dimension, uint64_t value,
                     char ret_text[SW_BUDGET_WORDS_MAX]);
