/* What the files of this room share. Private to it.
 *
 *              start            READY             STOP or death
 *     DOWN ------------> STARTING -------> UP --------------------> DOWN (back-off, then start
 * again) ^                    |                                        |
 *       +--------------------+ death                       STOPPING --+--> STOPPED
 *
 * Pods and requests outlive a host; what a host was told (its modules, its open Pods) does not. */
#pragma once
#include "pkg/agent/abi/class.h"
#include "pkg/agent/controller/controller.h"
#include "pkg/agent/link/frame.h"
#include "pkg/utils/base/arena.h"
#include "pkg/utils/base/heap.h"
#include "pkg/utils/base/list.h"
#include "pkg/utils/base/map.h"

#define SW_AGENTS_MAGIC 0x53776167u

enum sw_host_state {
    SW_HOST_DOWN,
    SW_HOST_STARTING,
    SW_HOST_UP,
    SW_HOST_STOPPING,
    SW_HOST_STOPPED
};

struct sw_module {                     /* What Pods need. Lives while one does. */
    char program[SW_ABI_PROGRAM_SIZE]; /* "sha256:" and 64 digits, and its class. */
    size_t uses;                       /* By Pods, and by bundles that it runs. */
    struct sw_module *runtime;         /* Of a bundle that was sent: what runs it. */
    bool is_sent;                      /* To the present host. */
    bool is_fetching;                  /* A get is under way. */
};

#define SW_POD_MODULES_MAX 64 /* Older ones; the first to be asked for gives way. */

struct sw_pod {
    char uid[SW_FRAME_NAME_MAX + 1];
    struct sw_arena *arena; /* Of spec. */
    struct sw_pod_spec spec;
    char agent_key[2 * (SW_FRAME_NAME_MAX + 1)]; /* "namespace/agent" */
    struct sw_module *module;
    struct sw_module *older[SW_POD_MODULES_MAX]; /* That instances of it wait for or run. */
    uint32_t older_count;
    bool is_opened;  /* POD_OPEN with this spec went to the present host. */
    bool is_closing; /* Only CLOSED is awaited. */
    bool is_discarded;
    uint64_t running_ms;  /* Since when the present host says that it runs; 0: it does not. */
    uint32_t closes_open; /* POD_CLOSE frames to the present host without their POD_CLOSED. */
    uint64_t restarts;
};

enum sw_request_kind { SW_REQUEST_NONE, SW_REQUEST_MESSAGE, SW_REQUEST_LIST, SW_REQUEST_LETTERS };

struct sw_request {             /* A place in the table; its number is generation << 32 | index. */
    struct sw_heap_entry timer; /* First: a heap entry is its request. */
    enum sw_request_kind kind;
    uint32_t generation, index;
    void *ctx;
    union {
        sw_agent_done *message_done;
        void (*list_done)(void *ctx, const struct sw_agent_page *page);
        void (*letters_done)(void *ctx, const struct sw_agent_letters_page *page);
    };
    uint32_t next_free; /* Index + 1 of the next free place. */
};

struct sw_calls_budget {
    struct sw_map *by_space; /* Of struct share in calls.c, by namespace. */
    uint64_t calls;          /* Not yet over. */
    uint64_t results_bytes;  /* Kept until their calls are over. */
};

struct sw_agents {
    uint32_t magic;
    struct sw_agents_options options;
    struct sw_pod_runner runner;
    struct sw_pod_observer pod_observer;

    enum sw_host_state state;
    struct sw_child *child;
    struct sw_stream *link;
    struct sw_buffer identity; /* Of the host's journal, as READY says it; empty: not known. */
    struct sw_buffer inbound, outbound; /* Received and not yet whole; a frame in the making. */
    struct sw_timer *backoff, *ping;
    uint64_t backoff_ms, started_ms, up_since_ms; /* The next wait; the present host. */
    uint64_t ping_number;
    unsigned pings_open; /* Sent since the last answer. */
    uint64_t oom_kills;  /* In its group, when the present host was started. */
    bool has_crashed;    /* The host before ended by a fault of its own; */
    bool has_ended_well; /* it was to stop, and did; */
    bool is_unreadable;  /* it could not read its journal. */
    bool is_broken;      /* The host broke the protocol or its link; its death is awaited. */
    uint64_t log_second, logs_in_second;
    char words[SW_ERR_MESSAGE_MAX]; /* Why the host went, for the log. */

    struct sw_map *pods;         /* uid to struct sw_pod. */
    struct sw_map *modules;      /* Name of a program to struct sw_module. */
    struct sw_map *quotas;       /* Of struct kept in quota.c by namespace, owned. */
    struct sw_map *agents_known; /* "namespace/agent" to a count of Pods, as a pointer. */

    struct sw_request **requests; /* Of requests_capacity places. */
    uint32_t requests_count, requests_capacity, free_first;
    struct sw_heap deadlines;
    struct sw_timer *deadline;
    uint64_t deadline_armed_ms;

    /* Of struct call in calls.c: those whose results wait for room, and all by their names. */
    struct sw_list calls_answers;
    struct sw_map *calls_by_name, *calls_by_agent;
    struct sw_timer *calls_sweep;
    struct sw_calls_budget *calls_own; /* When none was given; options.calls_budget has it, too. */

    void (*stopped)(void *ctx);
    void *stopped_ctx;
    struct sw_agents_view view;
    struct sw_list fetches;  /* Of struct fetch in modules.c: gets under way. */
    struct sw_list closings; /* Of struct closing in pods.c: on_closed calls on their way. */
};

/* host.c */
void sw_host_start(struct sw_agents *agents);
/* End the present host at once; words say why. What follows is as after any death. */
void sw_host_kill(struct sw_agents *agents, const char *words);
/* Remember which journal the host has.  Others: as sw_file_save. */
SW_MUST_CHECK enum sw_rc sw_host_keep_identity(struct sw_agents *agents, struct sw_bytes journal,
                                               struct sw_err *err);
/* Send agents->outbound as one or more whole frames. A full link is fatal for the host, unless
 * asked for beforehand with sw_host_has_room. */
void sw_host_send(struct sw_agents *agents, const struct sw_frame *frame);
bool sw_host_has_room(const struct sw_agents *agents);
uint64_t sw_host_now_ms(const struct sw_agents *agents);

/* inbound.c: one frame from the host.  SW_E_CORRUPT: it says what it may not. */
SW_MUST_CHECK enum sw_rc sw_host_receive(struct sw_agents *agents, const struct sw_frame *frame,
                                         struct sw_err *err);

/* pods.c */
void sw_pods_init(struct sw_agents *agents);
void sw_pods_done(struct sw_agents *agents);
/* The host is ready: open all Pods in it, close those that are to go. */
void sw_pods_host_up(struct sw_agents *agents);
void sw_pods_host_down(struct sw_agents *agents);
/* The module is with the host: open the Pods that waited for it; or it cannot be had. */
void sw_pods_module_ready(struct sw_agents *agents, const struct sw_module *module);
/* The host asks for an older module that instances of the pod run. */
SW_MUST_CHECK enum sw_rc sw_pods_module_wanted(struct sw_agents *agents, struct sw_pod *pod,
                                               const char *program, struct sw_err *err);
void sw_pods_module_failed(struct sw_agents *agents, const struct sw_module *module,
                           const char *reason, const char *words);
void sw_pods_closed(struct sw_agents *agents, struct sw_pod *pod);
struct sw_pod *sw_pods_find(const struct sw_agents *agents, struct sw_bytes uid);
void sw_pods_report(struct sw_agents *agents, const struct sw_pod_report *report);

/* quota.c */
void sw_quotas_host_up(struct sw_agents *agents);
void sw_quotas_done(struct sw_agents *agents);

/* modules.c */
SW_MUST_CHECK enum sw_rc sw_modules_use(struct sw_agents *agents, const char *program,
                                        struct sw_module **ret_module, struct sw_err *err);
void sw_modules_release(struct sw_agents *agents, struct sw_module *module);
/* Get it to the host if it is not there, for a Pod of that namespace, which has it;
 * sw_pods_module_ready or _failed follows, never at once. */
void sw_modules_send(struct sw_agents *agents, struct sw_module *module, const char *name_space);
void sw_modules_host_down(struct sw_agents *agents);
void sw_modules_done(struct sw_agents *agents);

/* calls.c */
struct sw_map *sw_calls_map_new(uint64_t seed); /* For agents->calls_by_name.  NULL: no memory. */
/* An instance calls, perhaps again. */
void sw_calls_take(struct sw_agents *agents, const struct sw_frame_call *asked);
/* It waits for that no more. */
void sw_calls_end(struct sw_agents *agents, const struct sw_frame_call_name *name);
/* The link has room again. */
void sw_calls_on_drain(struct sw_agents *agents);
void sw_calls_host_up(struct sw_agents *agents);
void sw_calls_host_down(struct sw_agents *agents);
void sw_calls_on_sweep(void *ctx);
void sw_calls_done(struct sw_agents *agents);

/* requests.c */
/* "namespace/agent" as agents_known has it.  False: no Agent has such a name. */
bool sw_agents_key(const char *name_space, struct sw_bytes agent,
                   char ret_key[2 * (SW_FRAME_NAME_MAX + 1)], size_t *ret_size);
void sw_requests_done(struct sw_agents *agents);
/* Fail all that wait: the host is gone. */
void sw_requests_fail(struct sw_agents *agents, enum sw_rc rc, const char *words);
/* Take a request out of the table by its number, or NULL. It stays valid until the next new one. */
struct sw_request *sw_requests_take(struct sw_agents *agents, uint64_t number,
                                    enum sw_request_kind kind);
void sw_requests_on_deadline(void *ctx);
