/* The instances of an Agent, as the server tells of them: page by page, in its order.
 *
 * Threads: one.  I/O: as cli.h. */
#pragma once
#include "pkg/cli/commands/cli.h"

#define SW_INSTANCE_CONTINUE_SIZE 64
#define SW_INSTANCE_STATES_MAX 16

struct sw_instance_view { /* Borrowed for the visit. */
    const char *name;     /* "agent/key". */
    const char *pod, *node, *state, *module, *message;
    uint64_t turns, mailbox, memory_bytes, disk_bytes;
    bool is_metered; /* What follows is known: it is durable. */
    uint64_t cpu_ns, messages, message_bytes, sent, sent_bytes, wakeups, memory_byte_s, has_bytes;
    uint64_t fuel;
    const char *time; /* Up to when. */
};

struct sw_instance_query { /* Which; NULL or "" where anything will do. */
    const char *agent;
    const char *prefix; /* Of keys. */
    const char *states; /* "Asleep,Parked". */
    const char *from;   /* What an earlier one ended with. */
    uint64_t limit;     /* So many, about; 0: all. */
    bool is_count;      /* How many in each state, instead of them. */
};

struct sw_instance_counts {
    struct {
        char name[32];
        uint64_t instances;
    } states[SW_INSTANCE_STATES_MAX];
    size_t count;
};

struct sw_instance_visitor { /* Errors of its functions end the listing. */
    void *ctx;
    enum sw_rc (*visit)(void *ctx, const struct sw_instance_view *view, struct sw_err *err);
    /* A page is over, which may have been empty; NULL: nobody wants to know. */
    enum sw_rc (*end_page)(void *ctx, bool has_more, struct sw_err *err);
    struct sw_instance_counts *counts; /* If is_count: added to. */
};

/* Visit them. *ret_next: where to go on behind the limit; "": that was all. Errors as
 * sw_client_call, and those of the visitor. */
SW_MUST_CHECK enum sw_rc sw_instances_visit(struct sw_cli *cli,
                                            const struct sw_instance_query *query,
                                            const struct sw_instance_visitor *visitor,
                                            char ret_next[SW_INSTANCE_CONTINUE_SIZE],
                                            struct sw_err *err);
