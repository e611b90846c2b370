/* Quotas at the admission of Agents: each says in its status what there is, which is checked and
 * put down in the transaction that writes an Agent, so that no two writes pass a quota together.
 * All Agents are counted where the quota itself is written, and by the first Agent that meets it.
 *
 * Threads: the loop's.  I/O: reads of the store's memory.  Limits: none of its own.
 * Cost: O(quotas of the namespace) for a write of an Agent, O(Agents) for one of a quota. */
#pragma once
#include "pkg/store/objects/objects.h"

struct quota_use {
    uint32_t agents;
    uint64_t replicas; /* Of those that are not keyed. */
};

/* Count one Agent more; NULL: none. */
void sw_quota_add_agent(struct quota_use *use, const struct sw_api_agent *agent);
/* What the Agents of a namespace come to. Errors: of the store; memory. */
SW_MUST_CHECK enum sw_rc sw_quota_count(struct sw_objects *objects, const char *name_space,
                                        struct quota_use *ret_use, struct sw_err *err);
/* Whether a quota lets its namespace go on from one to the other.  SW_E_EXHAUSTED: it does not. */
SW_MUST_CHECK enum sw_rc sw_quota_check(const struct sw_api_resource_quota *quota,
                                        const struct quota_use *now, const struct quota_use *next,
                                        struct sw_err *err);
