/* Forks of instances in the host: made of what a look at a past has told (past.h), released, or
 * dropped.
 *
 * Threads: the loop's.  I/O: the link to the host.  Limits: SW_FRAME_FORK_BYTES_MAX of each. */
#pragma once
#include "pkg/agent/controller/controller.h"

struct sw_agent_fork { /* Borrowed for the call. */
    const char *name_space, *agent;
    struct sw_bytes key;    /* Of what is to be there. */
    struct sw_bytes digest; /* Of its module. */
    struct sw_bytes record; /* What it begins with, as struct sw_past_look has told it. */
};
/* Have an instance be there that begins with a state of another one, and is held. done hears SW_OK
 * once that is durable, SW_E_EXISTS if there is one of that key. Errors as sw_agents_send. */
SW_MUST_CHECK enum sw_rc sw_agents_fork(struct sw_agents *agents, const struct sw_agent_fork *fork,
                                        sw_agent_done *done, void *ctx, struct sw_err *err);

struct sw_agent_fork_change { /* Borrowed for the call. */
    const char *name_space, *agent;
    struct sw_bytes key;
    bool is_drop; /* false: release it. */
};
/* Let what a fork holds go, or let it go itself with that. done hears of it once that is durable;
 * SW_E_PRECONDITION: it is not held. Errors as sw_agents_send. */
SW_MUST_CHECK enum sw_rc sw_agents_fork_change(struct sw_agents *agents,
                                               const struct sw_agent_fork_change *change,
                                               sw_agent_done *done, void *ctx, struct sw_err *err);
