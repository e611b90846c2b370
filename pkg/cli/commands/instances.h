/* The instances of an Agent, as the server tells of them.
 *
 * Threads: one.  I/O: as cli.h. */
#pragma once
#include "pkg/cli/commands/cli.h"

struct sw_instance_view { /* Borrowed for the visit. */
    const char *name;     /* "agent/key". */
    const char *pod, *node, *state, *module, *message;
    uint64_t turns, mailbox, memory_bytes;
    bool is_metered; /* What follows is known: it is durable. */
    uint64_t cpu_ns, messages, message_bytes, sent, sent_bytes, wakeups, memory_byte_s, has_bytes;
    const char *time; /* Up to when. */
};

/* false ends the listing. */
typedef bool sw_instance_visit(void *ctx, const struct sw_instance_view *view);
/* Visit all instances of the Agent in order of their names. Errors as sw_client_call. */
SW_MUST_CHECK enum sw_rc sw_instances_each(struct sw_cli *cli, const char *agent,
                                           sw_instance_visit *visit, void *ctx, struct sw_err *err);
