/* One agent host as swarmd sees it: supervises the process and speaks for it. pkg/agent/hosts has
 * as many of these as the Agents of the node ask for.
 *
 *     pkg/agent/hosts --- struct sw_pod_runner ---+
 *                 --- sw_agents_send, _publish ---+-- this room -- frames -- agent-host process
 *     compiler --- struct sw_machine_code --------+
 *     broker --- struct sw_services --------------+
 *
 * The host is hostile: what it says is checked against what was asked of it; one that breaks the
 * protocol, floods or hangs is killed and started again with back-off. Open Pods are opened again
 * by themselves then; requests without an answer fail with SW_E_UNAVAILABLE.
 *
 * Threads: the loop's thread; no callback runs inside the call that causes it.
 * I/O: a child process and a socket pair on the loop.  Limits: struct sw_agents_options. */
#pragma once
#include "pkg/agent/abi/class.h"
#include "pkg/agent/cgroups/cgroups.h"
#include "pkg/agent/controller/pages.h"
#include "pkg/agent/controller/view.h"
#include "pkg/agent/pod/runner.h"
#include "pkg/broker/service/service.h"
#include "pkg/utils/logger/logger.h"
#include "pkg/utils/loop/loop.h"
#include "pkg/utils/system/system.h"

#define SW_CALLS_MAX (5u << 18) /* Of services; a namespace may have four fifths of them. */
/* Of results, kept until their calls are over: with half of it new calls are refused; results
 * beyond it are lost, and their calls fail with SW_E_EXHAUSTED. */
#define SW_CALLS_RESULTS_BYTES_MAX (256u << 20)

struct sw_agents; /* Opaque. */

/* What calls of services take, of all agent hosts of a node together. NULL: no memory. It outlives
 * whoever was given it. */
struct sw_calls_budget; /* Opaque. */
struct sw_calls_budget *sw_calls_budget_new(void);
void sw_calls_budget_free(struct sw_calls_budget *budget);

/* Where machine code comes from: swarmd's module cache and sandboxed compiler. */
struct sw_machine_code {
    void *ctx;
    /* Whether the module was pushed to this namespace: knowing a digest is no right to run it. */
    bool (*has)(void *ctx, const char *name_space, const char *program);
    /* Ask for the code of a program, which is named by the digest of its module or bundle and the
     * class of engine that it is for (pkg/agent/abi/class.h); done is called exactly once, never
     * inside this call. code is borrowed for the call of done; its machine code is trusted (its
     * seal was verified). rc otherwise: SW_E_NOT_FOUND no such module here, SW_E_INVALID it cannot
     * be compiled, others: ask again. An error returned here means that done will not be called. */
    enum sw_rc (*get)(void *ctx, const char *name_space, const char *program,
                      void (*done)(void *done_ctx, enum sw_rc rc, const struct sw_abi_code *code,
                                   const struct sw_err *err),
                      void *done_ctx, struct sw_err *err);
};

struct sw_agent_log {
    const char *name_space, *agent; /* NUL-terminated. */
    struct sw_bytes key, text;
    unsigned level; /* enum swarm_log_level of include/swarm/agent.h. */
    uint64_t time_ns;
};

struct sw_agent_held { /* Of a namespace. */
    const char *name_space;
    uint64_t number; /* Of the quota that it was bounded by, as sw_agents_set_quota had it. */
    uint64_t instances, memory_bytes, storage_bytes;
};

struct sw_agents_observer { /* What the host lets out, besides Pods (struct sw_pod_observer). */
    void *ctx;
    /* A line an instance logged. Texts are borrowed, UTF-8, size-limited. */
    void (*on_log)(void *ctx, const struct sw_agent_log *log);
    /* The host began (is_up) or ceased to take messages; words say why. */
    void (*on_host)(void *ctx, bool is_up, const char *words);
    /* Something happened to the host as a whole: reason is a CamelCase word. */
    void (*on_event)(void *ctx, bool is_warning, const char *reason, const char *words);
    /* What an Agent or a namespace used, about once a second while it changes. May be NULL. */
    void (*on_usage)(void *ctx, const struct sw_agent_usage *usage);
    /* A limit pushed an Agent back, about once a second while it does. May be NULL. */
    void (*on_throttled)(void *ctx, const struct sw_agent_throttle *throttle);
    /* What a namespace has, since that quota was set and whenever what is beyond it has become
     * less. May be NULL. */
    void (*on_quota_held)(void *ctx, const struct sw_agent_held *held);
};

struct sw_agents_options {
    struct sw_loop *loop; /* Borrowed, as all below. */
    const struct sw_system *system;
    const struct sw_logger *logger;
    const char *name;      /* Of the host, for people; NULL: "shared". */
    const char *host_path; /* The program swarm-agent-host. */
    const char *folder;    /* Its journal and snapshots. */
    /* A file outside of it that says which journal is there, so that its loss is not taken for a
     * beginning; made when there is none. NULL: not kept. */
    const char *identity_path;
    const struct sw_cgroup *cgroup; /* That its processes are to be in. NULL: ours. */
    /* All that its journal has goes with its Pods: while it cannot be read, Pods that are closed
     * for good are closed without it. */
    bool is_of_one_agent;
    struct sw_machine_code machine_code;
    const struct sw_services *services; /* What instances may call. NULL: nothing. */
    const struct sw_service *bridge;    /* What those of bridges may call besides. NULL: nothing. */
    struct sw_agents_observer observer;
    unsigned workers;      /* 0: one per processor. */
    unsigned requests_max; /* Without an answer; 0: 65,536. */
    /* What the next two bound; NULL: one that this host has for itself. */
    struct sw_calls_budget *calls_budget;
    unsigned calls_max;         /* Of services, not yet over; 0: SW_CALLS_MAX. */
    uint64_t results_bytes_max; /* Of calls; 0: SW_CALLS_RESULTS_BYTES_MAX. */
    uint64_t calls_kept_ms;     /* Of an Agent without a Pod here; 0: 600,000. */
    uint64_t calls_settle_ms;   /* Of one whose Pods have all run for so long, and no host that has
                                 * them asks for the call; 0: 10,000. */
    uint64_t snapshot_bytes;    /* Of the journal between two snapshots; 0: 64 MiB. */
    uint64_t awake_bytes;       /* Memory of instances that are awake; 0: half of what there is. */
    uint64_t history_bytes;     /* Of the journal that is kept without need. */
    uint64_t stop_deadline_ms;  /* For a clean stop with snapshot; 0: 20,000. */
    uint64_t ping_ms;           /* A host silent for three of these is killed; 0: 5,000. */
    uint64_t backoff_ms, backoff_max_ms; /* Between restarts; 0: 100 and 10,000. */
};

/* Start the host at once. Options are copied, what they point to is borrowed. */
SW_MUST_CHECK enum sw_rc sw_agents_new(const struct sw_agents_options *options,
                                       struct sw_agents **ret_agents, struct sw_err *err);
/* Stop the host cleanly (snapshot), then call stopped(ctx). Requests fail with UNAVAILABLE; Pods
 * that are opened meanwhile wait for the next host. */
void sw_agents_stop(struct sw_agents *agents, void (*stopped)(void *ctx), void *ctx);
/* Start a host once more, after stopped was called but not inside of it. */
void sw_agents_start(struct sw_agents *agents);
/* The host that is up is not to go on; what follows is as after any death. Also inside of on_host.
 */
void sw_agents_end_host(struct sw_agents *agents, const char *words);
/* Frees at once; a host that still runs is killed, which loses nothing that was acknowledged. */
void sw_agents_free(struct sw_agents *agents);
SW_DEFINE_CLEANUP(struct sw_agents, sw_agents_free)

/* For pkg/controller/node. Lives as long as agents. */
const struct sw_pod_runner *sw_agents_runner(struct sw_agents *agents);

/* What a namespace may have in this host, which answers with on_quota_held and the number, however
 * often it is started meanwhile.  SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_agents_set_quota(struct sw_agents *agents, const char *name_space,
                                             const struct sw_pod_quota *quota, uint64_t number);
/* Whether the host takes messages now; the errors say why not, and are those of sw_agents_send. */
SW_MUST_CHECK enum sw_rc sw_agents_check(const struct sw_agents *agents, struct sw_err *err);
/* Whether a Pod of that Agent is here. */
bool sw_agents_knows(const struct sw_agents *agents, const char *name_space, struct sw_bytes agent);

/* How a message ended; borrowed for the call. rc is as the instance replied, or
 *   NOT_FOUND    no such Agent or key here
 *   UNAVAILABLE  no Pod of it runs, or the host went away and the message may have been handled
 *   EXHAUSTED    its mailbox or the node is full        TIMEOUT  no answer in time
 *   INTERNAL     the handler trapped or passed its deadline */
struct sw_agent_result {
    enum sw_rc rc;
    struct sw_bytes type, body; /* Of the reply; words when rc is not SW_OK. */
    struct sw_bytes from;       /* Key of the instance. */
    uint64_t subscribers;       /* Of a publish. */
    bool is_not_taken; /* With SW_E_UNAVAILABLE: nobody has seen it, and it may be sent again. */
};
typedef void sw_agent_done(void *ctx, const struct sw_agent_result *result);

struct sw_agent_send { /* Borrowed for the call. */
    const char *name_space;
    struct sw_bytes to; /* "agent/key", or "agent". */
    struct sw_bytes type, body, request_id;
    int priority;    /* 0 to 3; negative: the Agent's. */
    bool want_reply; /* false: done once the message is handled and durable. */
    bool is_inner;   /* From this node itself: what limits clients does not hold for it. */
    uint64_t timeout_ms;
};

/* Send; done is called exactly once unless an error is returned.
 * SW_E_EXHAUSTED: too many requests.  SW_E_INVALID: the name.
 * SW_E_NOT_FOUND: no such Agent on this node.  SW_E_UNAVAILABLE: the host is not up. */
SW_MUST_CHECK enum sw_rc sw_agents_send(struct sw_agents *agents, const struct sw_agent_send *send,
                                        sw_agent_done *done, void *ctx, struct sw_err *err);

struct sw_agent_publish { /* Borrowed for the call. */
    const char *name_space;
    struct sw_bytes subject, type, body, request_id;
    int priority;
    uint64_t timeout_ms;
};
SW_MUST_CHECK enum sw_rc sw_agents_publish(struct sw_agents *agents,
                                           const struct sw_agent_publish *publish,
                                           sw_agent_done *done, void *ctx, struct sw_err *err);

/* A page of an Agent's instances on this node. Errors as sw_agents_send; SW_E_INVALID: the prefix
 * is longer than a key. */
SW_MUST_CHECK enum sw_rc sw_agents_list(struct sw_agents *agents, const struct sw_agent_list *list,
                                        void (*done)(void *ctx, const struct sw_agent_page *page),
                                        void *ctx, struct sw_err *err);

struct sw_agent_letter { /* A dead letter; borrowed for the call. */
    uint64_t number, time_ns;
    struct sw_bytes key;
    const char *pod; /* Name of its Pod; "" while that is being closed. */
    struct sw_bytes from, subject, type, reason, words;
    uint32_t attempts;
    bool is_timer, is_reply;
    uint64_t timer; /* Its id. */
    uint64_t size_bytes;
    struct sw_bytes body; /* If it was asked for. */
};
struct sw_agent_letters_page { /* Borrowed for the call. */
    enum sw_rc rc;
    const struct sw_agent_letter *letters;
    size_t count;
    bool has_more; /* Ask again with `after` set to the last number. */
};
struct sw_agent_letters { /* Borrowed for the call. */
    const char *name_space, *agent;
    struct sw_bytes key; /* Of this instance only; empty: of all. */
    uint64_t after;      /* Numbers greater than this. */
    uint32_t limit;      /* 1 to 1,000. */
    bool with_body;
};
/* A page of an Agent's dead letters on this node, oldest first. Errors as sw_agents_send. */
SW_MUST_CHECK enum sw_rc
sw_agents_letters(struct sw_agents *agents, const struct sw_agent_letters *letters,
                  void (*done)(void *ctx, const struct sw_agent_letters_page *page), void *ctx,
                  struct sw_err *err);

struct sw_agent_letters_change { /* Borrowed for the call. */
    const char *name_space, *agent;
    struct sw_bytes key;
    uint64_t number; /* 0: all, of the key if there is one. */
    bool is_drop;    /* false: deliver them again. */
};
/* done hears how many it was in result->subscribers once that is durable; SW_E_NOT_FOUND: there is
 * no letter of that number. Errors as sw_agents_send. */
SW_MUST_CHECK enum sw_rc sw_agents_letters_change(struct sw_agents *agents,
                                                  const struct sw_agent_letters_change *change,
                                                  sw_agent_done *done, void *ctx,
                                                  struct sw_err *err);

/* Ask the host whether anything needs a module besides the Pods that have it: instances that were
 * not upgraded, records since its last snapshot, a history that is kept. done hears SW_OK if not,
 * SW_E_PRECONDITION if so. Errors as sw_agents_send. */
SW_MUST_CHECK enum sw_rc sw_agents_ask_module(struct sw_agents *agents, const char *digest,
                                              sw_agent_done *done, void *ctx, struct sw_err *err);
/* Whether a Pod of that namespace has it as its module, in whatever class of engine. */
bool sw_agents_has_module(const struct sw_agents *agents, const char *name_space,
                          const char *digest);
/* Nothing needs it: the host drops machine code that was there for instances which ran it once. */
void sw_agents_drop_module(struct sw_agents *agents, const char *digest);

void sw_agents_view(const struct sw_agents *agents, struct sw_agents_view *ret_view);
