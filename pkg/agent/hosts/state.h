/* What the files of pkg/agent/hosts share. Threads, I/O, limits: hosts.h. */
#pragma once
#include "pkg/agent/hosts/hosts.h"
#include "pkg/utils/base/list.h"
#include "pkg/utils/base/map.h"

enum sw_host_phase {
    SW_HOST_DORMANT, /* A folder, and no supervisor. */
    SW_HOST_RUNNING,
    SW_HOST_ENDING, /* Its process is being stopped. */
    SW_HOST_ENDED   /* It was: the next sweep says what becomes of it. */
};

#define SW_HOST_USAGE_ID_SIZE (2 * 16 + 1)

struct sw_host_usage { /* What its namespace used in a host, from the beginning to an end of it. */
    char id[SW_HOST_USAGE_ID_SIZE]; /* Of that end. */
    char name_space[64];
    struct sw_pod_used used;
};

struct sw_bridge; /* bridges.c */

struct sw_host {
    struct sw_list node; /* In hosts->all. */
    struct sw_hosts *hosts;
    struct sw_host_about about;
    enum sw_host_phase phase;
    struct sw_agents *agents; /* NULL while it is dormant. */
    struct sw_cgroup *cgroup; /* The same; or there are none. */
    unsigned index;           /* Below SW_HOSTS_MAX, and no other host's. */
    size_t pods;              /* Without those of bridges. */
    struct sw_map *spaces;    /* Namespace to how many of them are of it, as a pointer. */
    uint64_t idle_since_ms;   /* Without Pods. */
    uint64_t asked_ms;        /* When it began last to tell what was used in it; 0: never. */
    struct sw_map *bridges;   /* Uid to struct sw_bridge, owned. */
    uint64_t bridge_generation;
    struct sw_service bridge_service;
    bool is_up;
    bool is_unknown;    /* Nothing says whose its folder is, and it stays. */
    bool is_unreadable; /* Its journal was, when its supervisor ended. */
    bool is_lost;   /* And nobody needs it: its folder stays for people, and is not tried again. */
    bool is_fresh;  /* Its folder was made since this daemon began: nobody was in it. */
    bool has_usage; /* Its folder says what its namespace used: it was not up since. */
    char usage_id[SW_HOST_USAGE_ID_SIZE]; /* Of what was added to hosts->gone last. */
    char words[256];                      /* Why it is down. */
    char folder[SW_PATH_MAX];             /* What agents and agents-journal are in. */
    char journal[SW_PATH_MAX], identity[SW_PATH_MAX];
};

struct sw_host_pod { /* A Pod that was opened. */
    struct sw_host *host;
    char agent_key[2 * 64]; /* "namespace/agent" */
    char uid[64];
};

struct sw_host_route { /* Which host an Agent runs in, and what a bridge to it is to know. */
    struct sw_host *host;
    char key[2 * 64]; /* "namespace/agent" */
    char name_space[64], agent[64], agent_uid[64];
    char pod[64]; /* Uid of that of its Pods which was opened last; it may be gone. */
    uint64_t message_bytes, mailbox;
    uint32_t replicas;
};

struct sw_hosts {
    struct sw_hosts_options options;
    struct sw_pod_runner runner;
    struct sw_pod_observer pod_observer;
    struct sw_calls_budget *calls_budget;
    struct sw_list all; /* Of struct sw_host, the shared one first. */
    struct sw_host *shared;
    struct sw_map *pods;   /* Uid to struct sw_host_pod, owned. */
    struct sw_map *routes; /* "namespace/agent" to struct sw_host_route, owned. */
    struct sw_map *quotas; /* Of struct space in quota.c by namespace, owned. */
    uint64_t quota_number; /* Of the last word to a host about one. */
    struct sw_map *usages; /* Of struct usage in usage.c, owned. */
    struct sw_map *gone; /* Owned struct gone of gone.c, by namespace; and the ids of hosts that */
    struct sw_map *gone_ids; /* are in it, whose folders may be there yet. */
    struct sw_timer *sweep, *bridging;
    struct sw_pasts pasts;
    struct sw_list carriages; /* Of struct carriage in carry.c: envelopes on their way. */
    bool is_stopping;
    bool is_bridging_due; /* Which bridges there are to be was not looked at since a change. */
    void (*stopped)(void *ctx);
    void *stopped_ctx;
};

/* hosts.c */
uint64_t sw_hosts_now_ms(const struct sw_hosts *hosts);
/* The host of this class, running.  SW_E_EXHAUSTED: there are too many.  Others: its folder. */
SW_MUST_CHECK enum sw_rc sw_hosts_get(struct sw_hosts *hosts, const struct sw_host_about *about,
                                      struct sw_host **ret_host, struct sw_err *err);
/* Look soon whether a host is to be stopped or removed. */
void sw_hosts_sweep_soon(struct sw_hosts *hosts);

/* quota.c */
void sw_hosts_set_quota(void *ctx, const char *name_space, const struct sw_pod_quota *quota);
/* A host has its first Pod of the namespace, or has none any more. */
void sw_hosts_share_quota_of(struct sw_hosts *hosts, const char *name_space);
/* ctx: the host. It says what it has. */
void sw_hosts_on_quota_held(void *ctx, const struct sw_agent_held *held);
/* Whoever supervises it next has heard of no quota. */
void sw_host_quota_end(const struct sw_host *host);
/* It is gone with its folder: it has nothing. */
void sw_host_quota_forget(const struct sw_host *host);
void sw_hosts_quota_done(struct sw_hosts *hosts); /* After all hosts are freed. */

/* usage.c */
void sw_hosts_usage_done(struct sw_hosts *hosts);
void sw_hosts_on_usage(void *ctx, const struct sw_agent_usage *usage); /* ctx: the host. */
void sw_hosts_on_throttled(void *ctx, const struct sw_agent_throttle *throttle); /* The same. */
/* What a dormant host's namespace used in it is known, and what is known of it; 0: nothing. */
void sw_hosts_usage_put(struct sw_host *host, const struct sw_host_usage *usage);
void sw_hosts_usage_find(const struct sw_host *host, struct sw_pod_used *ret_used);
/* All that a host told is forgotten; how often its namespace was pushed back is added to throttled,
 * which may be NULL. */
void sw_hosts_usage_drop(const struct sw_host *host, uint64_t throttled[SW_POD_LIMITS]);

/* gone.c */
/* Read data/hosts/usage.  SW_E_CORRUPT: it is damaged.  Others: memory, the file. */
SW_MUST_CHECK enum sw_rc sw_hosts_gone_load(struct sw_hosts *hosts, struct sw_err *err);
void sw_hosts_gone_done(struct sw_hosts *hosts);
void sw_hosts_each_gone(const struct sw_hosts *hosts, const char *name_space,
                        void (*visit)(void *ctx, const struct sw_agent_usage *usage), void *ctx);
/* A folder was found: whether it says what was used. */
void sw_host_usage_note(struct sw_host *host);
/* Its process has ended: its folder says so, if it ended in order. */
void sw_host_usage_keep(struct sw_host *host);
/* Its process is up, and nothing has run in it: what its folder says will be over. */
SW_MUST_CHECK enum sw_rc sw_host_usage_begin(struct sw_host *host, struct sw_err *err);
/* Its folder is to go: what that says is added to what hosts that are no more used, durably, once.
 */
SW_MUST_CHECK enum sw_rc sw_host_usage_add(struct sw_host *host, struct sw_err *err);
/* Its folder is gone. */
void sw_host_usage_forget(struct sw_host *host);

/* place.c */
/* A host without a supervisor, in hosts->all.  NULL: no memory. */
struct sw_host *sw_host_new(struct sw_hosts *hosts, const struct sw_host_about *about);
void sw_host_free(struct sw_host *host);
/* Its supervisor is needed no more: it is dormant. */
void sw_host_end(struct sw_host *host);
/* NULL: there are no groups. */
struct sw_cgroup *sw_host_cgroup_open(const struct sw_host *host);
/* Make its folder and say in it whose it is. */
SW_MUST_CHECK enum sw_rc sw_host_place_make(const struct sw_host *host, struct sw_err *err);
/* Take it out of the list, free it, and remove its folder beside the loop. What fails is logged and
 * the host stays. */
void sw_host_place_remove(struct sw_host *host);
/* Note the folders that there are; remove what was half removed. */
SW_MUST_CHECK enum sw_rc sw_hosts_scan(struct sw_hosts *hosts, struct sw_err *err);

/* pods.c */
void sw_hosts_pods_init(struct sw_hosts *hosts);
void sw_hosts_pods_done(struct sw_hosts *hosts);
struct sw_pod_observer sw_hosts_pod_observer(struct sw_host *host);
/* How many Pods of a namespace it has. */
size_t sw_host_pods_of(const struct sw_host *host, const char *name_space);

/* bridges.c */
/* Look soon which bridges there are to be: an Agent or a host came, changed, or went. */
void sw_hosts_bridge_soon(struct sw_hosts *hosts);
void sw_hosts_bridge(void *ctx); /* Now; ctx is the struct sw_hosts. */
void sw_host_bridges_forget(struct sw_host *host);
bool sw_host_is_bridge(const char *uid); /* Whether a Pod is one. */
void sw_host_bridge_status(struct sw_host *host, const struct sw_pod_report *report);
/* Whether a bridge in that host subscribes to all that is published in the namespace. */
bool sw_host_hears(const struct sw_host *host, const char *name_space);
/* Add to the set, by index, all hosts with Pods of the namespace but one. */
void sw_hosts_of_space(const struct sw_hosts *hosts, const char *name_space,
                       const struct sw_host *but, uint64_t ret_set[SW_HOSTS_MAX / 64]);

/* carry.c */
struct sw_service sw_host_bridge_service(struct sw_host *host);
void sw_hosts_carriages_done(struct sw_hosts *hosts); /* After all hosts are freed. */
/* It is no more, and another host may get its index: nothing on its way is for that one. */
void sw_host_carriages_forget(const struct sw_host *host);
