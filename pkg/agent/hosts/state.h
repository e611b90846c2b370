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

struct sw_host {
    struct sw_list node; /* In hosts->all. */
    struct sw_hosts *hosts;
    struct sw_host_about about;
    enum sw_host_phase phase;
    struct sw_agents *agents; /* NULL while it is dormant. */
    size_t pods;
    uint64_t idle_since_ms; /* Without Pods. */
    bool is_up;
    bool is_unknown;          /* Nothing says whose its folder is, and it stays. */
    char words[256];          /* Why it is down. */
    char folder[SW_PATH_MAX]; /* What agents and agents-journal are in. */
    char journal[SW_PATH_MAX], identity[SW_PATH_MAX];
};

struct sw_host_pod { /* A Pod that was opened. */
    struct sw_host *host;
    char agent_key[2 * 64]; /* "namespace/agent" */
    char uid[64];
};

struct sw_hosts {
    struct sw_hosts_options options;
    struct sw_pod_runner runner;
    struct sw_pod_observer pod_observer;
    struct sw_calls_budget *calls_budget;
    struct sw_list all; /* Of struct sw_host, the shared one first. */
    struct sw_host *shared;
    struct sw_map *pods;   /* Uid to struct sw_host_pod, owned. */
    struct sw_map *routes; /* "namespace/agent" to its struct sw_host. */
    struct sw_timer *sweep;
    bool is_stopping;
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

/* place.c */
/* A host without a supervisor, in hosts->all.  NULL: no memory. */
struct sw_host *sw_host_new(struct sw_hosts *hosts, const struct sw_host_about *about);
void sw_host_free(struct sw_host *host);
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
