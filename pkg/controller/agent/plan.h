/* What one look at an Agent and its Pods leads to: pure functions for the controller beside.
 *
 * Threads: pure.  I/O: none; now_ns is handed in.  Limits: the arena's. */
#pragma once
#include "pkg/apis/swarm/v1/object.h"

struct sw_agent_view { /* What was read; all in the arena. */
    struct sw_api_agent *agent;
    struct sw_api_pod **pods; /* Those that the Agent owns, in order of their first slots. */
    size_t pods_count;
    const char *taken; /* The name of a Pod that it wants and somebody else has, or NULL. */
    uint64_t now_ns;   /* UTC. */
    struct sw_arena *arena;
};

/* What the names of all Pods of the Agent begin with, in the view's arena; NULL when that is full.
 */
char *sw_agent_pod_prefix(const struct sw_agent_view *view);

/* Into how many Pods the Agent is to be split. */
size_t sw_agent_pods_wanted(const struct sw_agent_view *view);

/* The Pod of this index as it shall be, given what it is now (NULL: it is missing).
 * *ret_pod is NULL when nothing is to be done; otherwise it is to be created or updated.
 * SW_E_EXHAUSTED: the arena is full. */
SW_MUST_CHECK enum sw_rc sw_agent_pod_plan(const struct sw_agent_view *view, size_t index,
                                           struct sw_api_pod **ret_pod, struct sw_err *err);

/* What becomes of the Pod at that place of the view when the Agent is split into fewer: first it is
 * to hold no slots, so that the others take them over with their instances; then, once all of those
 * run with theirs, it is deleted. *ret_pod is NULL when nothing is to be done, or it is wanted.
 * SW_E_EXHAUSTED: the arena is full. */
SW_MUST_CHECK enum sw_rc sw_agent_surplus_plan(const struct sw_agent_view *view, size_t at,
                                               struct sw_api_pod **ret_pod, bool *ret_delete,
                                               struct sw_err *err);

/* Fill agent->status from the Pods. True when it changed.
 * The phase moves one legal step at a time: the rest follows on the next look. */
SW_MUST_CHECK enum sw_rc sw_agent_status_plan(const struct sw_agent_view *view, bool *ret_changed,
                                              struct sw_err *err);
