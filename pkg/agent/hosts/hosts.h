/* The agent hosts of this node as one: processes by the isolation that Agents ask for.
 *
 *     node controller --- struct sw_pod_runner -+               +- sw_agents: shared
 *     gateway --- sw_hosts_send, _publish ... --+-- this room --+- sw_agents: namespace/shop
 *                                                               +- sw_agents: agent/shop/cart
 *
 *              open            no Pods for a while                     needless
 *     DORMANT ------> RUNNING --------------------> ENDING --> ENDED -----------> removed
 *        ^               ^                                       | |
 *        |               +------------- a Pod came meanwhile ----+ |
 *        +------------------------------ an object needs its data -+
 *
 * The shared host is there from the start and stays.
 * Threads: the loop's thread; no callback runs inside the call that causes it.
 * I/O: child processes, socket pairs, folders.  Limits: hosts_max, and those of each host. */
#pragma once
#include "pkg/agent/controller/controller.h"
#include "pkg/agent/controller/forks.h"
#include "pkg/agent/controller/past.h"

#define SW_HOSTS_MAX 256
#define SW_HOST_NAME_SIZE 144             /* "agent/NAMESPACE/AGENT" */
#define SW_HOST_USAGE_FILE "usage"        /* In a host's folder: what its namespace used in it; */
#define SW_HOSTS_USAGE_FILE "hosts/usage" /* in the data folder: in hosts that are no more. */
#define SW_HOSTS_USAGE_BYTES_MAX ((size_t)16 << 20)

struct sw_hosts; /* Opaque. */

struct sw_host_about { /* Who a host is for; texts are "" where the class has none. */
    enum sw_pod_isolation isolation;
    char name[SW_HOST_NAME_SIZE]; /* "shared", "namespace/shop", "agent/shop/cart" */
    char name_space[64], agent[64], agent_uid[64];
};

struct sw_hosts_observer { /* What hosts let out, besides Pods (struct sw_pod_observer). */
    void *ctx;
    void (*on_log)(void *ctx, const struct sw_agent_log *log);
    /* A host began (is_up) or ceased to take messages; words say why. */
    void (*on_host)(void *ctx, const struct sw_host_about *about, bool is_up, const char *words);
    /* Something happened to a host as a whole, as struct sw_agents_observer has it. */
    void (*on_event)(void *ctx, const struct sw_host_about *about, bool is_warning,
                     const char *reason, const char *words);
};

struct sw_hosts_options {
    /* Of each host; its name, folder, identity_path, observer and calls_budget are set here. */
    struct sw_agents_options host;
    const char *data_folder; /* Borrowed. */
    /* Of the module that bridges run (cmd/swarm-bridge), which machine_code has for every
     * namespace; borrowed. NULL: Agents of different hosts cannot write to each other. */
    const char *bridge_digest;
    struct sw_hosts_observer observer;
    struct sw_cgroups *cgroups; /* Of which each host gets one; borrowed. NULL: none does. */
    unsigned hosts_max;         /* At most SW_HOSTS_MAX; 0: 32. The shared one counts. */
    /* That a host without Pods is kept running, and longer while messages leave it; 0: 2,000. */
    uint64_t linger_ms;
    uint64_t recheck_ms; /* Between looks at folders that nobody uses; 0: 30,000. */
    /* Whether an object of the store needs the data of such a host, or will; of the shared one:
     * an object of the namespace that it names. NULL: none ever does. An answer that cannot be had
     * is yes. */
    bool (*is_needed)(void *ctx, const struct sw_host_about *about);
    void *ctx;
};

/* Start the shared host, and look which folders of others there are. Errors: memory, the folder. */
SW_MUST_CHECK enum sw_rc sw_hosts_new(const struct sw_hosts_options *options,
                                      struct sw_hosts **ret_hosts, struct sw_err *err);
/* Stop all hosts cleanly, then call stopped(ctx). */
void sw_hosts_stop(struct sw_hosts *hosts, void (*stopped)(void *ctx), void *ctx);
/* Frees at once; hosts that still run are killed, which loses nothing that was acknowledged. */
void sw_hosts_free(struct sw_hosts *hosts);
SW_DEFINE_CLEANUP(struct sw_hosts, sw_hosts_free)

/* For pkg/controller/node. open fails with SW_E_EXHAUSTED when there are hosts_max hosts. */
const struct sw_pod_runner *sw_hosts_runner(struct sw_hosts *hosts);

/* As the calls of struct sw_agents of the same names; a publication goes to all hosts that have
 * Pods of the namespace, or, if one of them takes none now, to none. */
SW_MUST_CHECK enum sw_rc sw_hosts_send(struct sw_hosts *hosts, const struct sw_agent_send *send,
                                       sw_agent_done *done, void *ctx, struct sw_err *err);
SW_MUST_CHECK enum sw_rc sw_hosts_publish(struct sw_hosts *hosts,
                                          const struct sw_agent_publish *publish,
                                          sw_agent_done *done, void *ctx, struct sw_err *err);
SW_MUST_CHECK enum sw_rc sw_hosts_list(struct sw_hosts *hosts, const struct sw_agent_list *list,
                                       void (*done)(void *ctx, const struct sw_agent_page *page),
                                       void *ctx, struct sw_err *err);
SW_MUST_CHECK enum sw_rc
sw_hosts_letters(struct sw_hosts *hosts, const struct sw_agent_letters *letters,
                 void (*done)(void *ctx, const struct sw_agent_letters_page *page), void *ctx,
                 struct sw_err *err);
SW_MUST_CHECK enum sw_rc sw_hosts_letters_change(struct sw_hosts *hosts,
                                                 const struct sw_agent_letters_change *change,
                                                 sw_agent_done *done, void *ctx,
                                                 struct sw_err *err);
/* SW_E_DENIED, too: its module was never pushed to its namespace. */
SW_MUST_CHECK enum sw_rc sw_hosts_fork(struct sw_hosts *hosts, const struct sw_agent_fork *fork,
                                       sw_agent_done *done, void *ctx, struct sw_err *err);
SW_MUST_CHECK enum sw_rc sw_hosts_fork_change(struct sw_hosts *hosts,
                                              const struct sw_agent_fork_change *change,
                                              sw_agent_done *done, void *ctx, struct sw_err *err);
/* Look at the past of an instance of that Agent: sw_past_look, in the folder of the host that has
 * it. Of `look` that fills in loop, host_path, folder and machine_code, of look->wanted all names
 * but the key.  SW_E_NOT_FOUND: no such Agent on this node.  SW_E_DENIED: wanted.module was never
 * pushed to its namespace.  Others: as sw_past_look. */
SW_MUST_CHECK enum sw_rc sw_hosts_past(struct sw_hosts *hosts, const char *agent,
                                       struct sw_past_look *look, struct sw_err *err);
void sw_hosts_past_stop(struct sw_hosts *hosts,
                        bool (*is_it)(const void *look_ctx, const void *ctx),
                        const void *ctx); /* sw_pasts_stop. */
/* Asks all hosts; SW_E_UNAVAILABLE, too, as long as a folder waits for its Pods to be opened. */
SW_MUST_CHECK enum sw_rc sw_hosts_ask_module(struct sw_hosts *hosts, const char *digest,
                                             sw_agent_done *done, void *ctx, struct sw_err *err);
bool sw_hosts_has_module(const struct sw_hosts *hosts, const char *name_space, const char *digest);
void sw_hosts_drop_module(struct sw_hosts *hosts, const char *digest);

struct sw_host_view { /* Borrowed for the visit. */
    const struct sw_host_about *about;
    const char *phase;  /* "Up", "Starting", "Down", "Stopping" */
    const char *words;  /* Why it is down, or "". */
    const char *cgroup; /* The folder of its group's memory controller, or "". */
    struct sw_agents_view agents;
};
/* Visit all hosts that run or are to, the shared one first. */
void sw_hosts_each(const struct sw_hosts *hosts,
                   void (*visit)(void *ctx, const struct sw_host_view *view), void *ctx);
/* Visit what Agents with Pods here used, as the hosts told last; name_space NULL: of all. */
void sw_hosts_each_usage(const struct sw_hosts *hosts, const char *name_space,
                         void (*visit)(void *ctx, const struct sw_agent_usage *usage), void *ctx);
/* The same of namespaces; one that is in several hosts comes several times. */
void sw_hosts_each_space_usage(const struct sw_hosts *hosts, const char *name_space,
                               void (*visit)(void *ctx, const struct sw_agent_usage *usage),
                               void *ctx);
/* The sum of all; is_up is the shared one's. */
void sw_hosts_view(const struct sw_hosts *hosts, struct sw_agents_view *ret_view);

/* Whether all bridges between hosts that there are to be take messages. */
bool sw_hosts_are_bridged(const struct sw_hosts *hosts);

/* Visit the journal folders below a data folder, "DATA/agents" first, whether they are there or
 * not. Before sw_hosts_new. */
SW_MUST_CHECK enum sw_rc sw_hosts_folders(const struct sw_system *system, const char *data_folder,
                                          bool (*visit)(void *ctx, const char *folder), void *ctx,
                                          struct sw_err *err);
/* Read what is kept of hosts that are no more.  SW_E_NOT_FOUND: there is nothing.  SW_E_CORRUPT: it
 * is damaged, and sw_hosts_new will say so.  Others: memory, the file. */
SW_MUST_CHECK enum sw_rc sw_hosts_usage_check(const struct sw_system *system,
                                              const char *data_folder, uint64_t *ret_spaces,
                                              struct sw_err *err);
/* Whose journal that folder is, as its file `host` says; "shared" where there is none. */
void sw_hosts_name_of(const struct sw_system *system, const char *folder,
                      char ret_name[SW_HOST_NAME_SIZE]);
