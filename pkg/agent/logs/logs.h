/* The last lines that instances logged, and the people who follow them.
 *
 * Lines of all Agents of a node share one bounded store, oldest out first; each Agent is held to a
 * share of it, so that a chatty one cannot push out the others' words.
 * Threads: the loop's; callbacks must not add lines or change followers other than their own.
 * I/O: none.  Limits: struct sw_logs_options. */
#pragma once
#include "pkg/utils/base/buffer.h"

struct sw_logs;          /* Opaque. */
struct sw_logs_follower; /* Opaque; ends with sw_logs_unfollow. */

struct sw_logs_options {
    size_t bytes_max;       /* Of all lines kept; 0: 8 MiB. */
    size_t agent_bytes_max; /* Of one Agent's; 0: 1 MiB. */
    size_t followers_max;   /* 0: 256. */
};

struct sw_logs_line { /* Borrowed. */
    const char *name_space, *agent;
    struct sw_bytes key, text;
    unsigned level; /* enum swarm_log_level of include/swarm/agent.h. */
    uint64_t utc_ns;
};

struct sw_logs_filter { /* Borrowed for the call. */
    const char *name_space, *agent;
    struct sw_bytes key; /* Size 0: of all instances. */
};

typedef void sw_logs_visit(void *ctx, const struct sw_logs_line *line);

/* Options may be NULL. NULL when memory is out. */
struct sw_logs *sw_logs_new(const struct sw_logs_options *options);
void sw_logs_free(struct sw_logs *logs);
SW_DEFINE_CLEANUP(struct sw_logs, sw_logs_free)

/* Keep a line and show it to whoever follows it. A line that does not fit in memory is shown but
 * not kept; one larger than an Agent's share is cut to it. */
void sw_logs_add(struct sw_logs *logs, const struct sw_logs_line *line);
/* Visit the last `tail` kept lines that pass the filter, oldest first. O(lines kept of the Agent).
 */
void sw_logs_tail(const struct sw_logs *logs, const struct sw_logs_filter *filter, uint32_t tail,
                  sw_logs_visit *visit, void *ctx);
/* Show every new line that passes the filter until unfollowed.
 * SW_E_EXHAUSTED: too many followers. */
SW_MUST_CHECK enum sw_rc sw_logs_follow(struct sw_logs *logs, const struct sw_logs_filter *filter,
                                        sw_logs_visit *visit, void *ctx,
                                        struct sw_logs_follower **ret_follower, struct sw_err *err);
void sw_logs_unfollow(struct sw_logs *logs, struct sw_logs_follower *follower);
/* Bytes of all lines kept. */
size_t sw_logs_bytes(const struct sw_logs *logs);
