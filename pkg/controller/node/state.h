/* What the files of pkg/controller/node share. Threads, I/O, limits: controller.h. */
#pragma once
#include "pkg/client/informers/informer.h"
#include "pkg/controller/node/controller.h"
#include "pkg/controller/reconciler/reconciler.h"
#include "pkg/utils/base/map.h"
#include "pkg/utils/base/text.h"

#define SW_NODE_REASON_SIZE 64
#define SW_NODE_WORDS_SIZE 1024
#define SW_NODE_USAGE_MS 5000 /* Between two writes of what an Agent used. */
/* An Agent that no limit pushed back for so long is throttled no more: it does not come and go. */
#define SW_NODE_THROTTLED_MS 15000

/* What is known of one Pod here, from calls of the runner and its answers. By uid: a Pod of the
 * same name made anew is another one. */
struct sw_node_pod {
    char uid[SW_UUID_TEXT_SIZE];
    char key[SW_OBJECT_KEY_MAX]; /* Of the Pod in the store. */
    char agent_name[64], agent_uid[SW_UUID_TEXT_SIZE];
    bool is_open, is_closing, is_closed;
    uint64_t generation;      /* Of the spec that the runner was given last. */
    uint64_t restarts_before; /* That the status told of when this entry began. */
    uint64_t reopens;         /* After failures, since then. */
    unsigned failures;        /* In a row. */
    uint64_t retry_ms;        /* Monotonic; not opened again before. */
    uint64_t ready_since_ms;  /* Monotonic; 0: it is not ready. */
    uint64_t backoff_ms, backoff_max_ms;
    /* The last report. */
    enum sw_pod_phase phase;
    uint64_t observed_generation, instances, ready, host_restarts;
    char reason[SW_NODE_REASON_SIZE], message[SW_NODE_WORDS_SIZE];
    struct sw_pod_used used; /* By its Agent, if that is told of this Pod. */
    uint64_t used_ms;        /* Monotonic; when the store heard of it last. */
    /* Monotonic: when each limit pushed the Agent back last, if that is told of this Pod; 0: it did
     * not, or is over. */
    uint64_t throttled_ms[SW_POD_LIMITS];
};

struct sw_node_controller {
    struct sw_node_controller_options options;
    struct sw_reconciler *reconciler;
    struct sw_informer *pods, *nodes, *quotas;
    struct sw_map *by_uid; /* Uid -> struct sw_node_pod, owned. */
    struct sw_map *by_key; /* Store key -> the entry of the Pod that has the name now. */
    struct sw_arena *scratch;
    bool is_ready;        /* The agent host takes Pods. */
    bool are_hosts_other; /* Than the Node's status tells. */
    char words[SW_NODE_WORDS_SIZE];
    char key[SW_OBJECT_KEY_MAX]; /* Of the Node. */
};

uint64_t sw_node_now_ms(const struct sw_node_controller *controller);

/* --- pod.c --- */

/* The spec of a Pod as the runner wants it; texts are the Pod's.  SW_E_INVALID: a value is out of
 * what this version can run. */
SW_MUST_CHECK enum sw_rc sw_node_pod_spec(const struct sw_api_pod *pod,
                                          struct sw_pod_spec *ret_spec, struct sw_err *err);
/* The status that the entry calls for, put into pod. One legal move at a time. */
SW_MUST_CHECK enum sw_rc sw_node_pod_status(const struct sw_node_pod *entry, struct sw_api_pod *pod,
                                            uint64_t utc_ns, struct sw_arena *arena);

/* --- throttle.c: Agents that a limit pushes back --- */

void sw_node_on_throttled(void *ctx, const struct sw_pod_throttle *throttle);
/* End what is over; how long the rest of it lasts at least, in ms; 0: there is none. */
uint64_t sw_node_throttle_expire(const struct sw_node_controller *controller,
                                 struct sw_node_pod *entry);
/* The quotas of a namespace changed: what is said of them may be no more. */
void sw_node_throttle_look(struct sw_node_controller *controller, const char *space);
/* The condition Throttled. */
SW_MUST_CHECK enum sw_rc sw_node_put_throttled(struct sw_node_controller *controller,
                                               const struct sw_node_pod *entry,
                                               struct sw_api_pod *pod, struct sw_arena *arena);

/* --- runner.c: what the runner tells --- */

struct sw_pod_observer sw_node_observer(struct sw_node_controller *controller);
/* Note that a Pod does not run, for a reason that the runner or this controller gives. */
void sw_node_pod_fail(struct sw_node_controller *controller, struct sw_node_pod *entry,
                      const char *reason, const char *message);
/* Forget an entry. */
void sw_node_pod_free(struct sw_node_controller *controller, struct sw_node_pod *entry);

/* --- quota.c --- */

/* Have the runner know all quotas that there are, and follow them. */
SW_MUST_CHECK enum sw_rc sw_node_follow_quotas(struct sw_node_controller *controller,
                                               struct sw_err *err);
/* What the quotas of a namespace allow together. Uses the scratch arena. */
struct sw_pod_quota sw_node_quota_of(struct sw_node_controller *controller, const char *space);

/* --- self.c: the Node object --- */

/* Register the Node, or bring its status and heartbeat up to date. */
SW_MUST_CHECK enum sw_rc sw_node_reconcile_self(struct sw_node_controller *controller,
                                                struct sw_pass *pass, struct sw_err *err);
