/* What swarmd is to an agent host: it opens Pods, passes requests on and hands answers back, and
 * starts the host again when it ended.
 *
 * Threads: one.  I/O: none. */
#pragma once
#include "test/sim/host.h"
#include "test/sim/protocol.h"
#include "test/sim/service.h"
#include "test/sim/usage.h"

#define SIM_PODS 7u
#define SIM_POD_BRIEF 5u
#define SIM_POD_BRANCH SIM_PODS /* One more, in some seeds. */
#define SIM_REQUESTS_MAX 4096u
#define SIM_ROLLOUTS_MAX 500u
#define SIM_CODE_LOST 2000u /* The host ended: what became of the request is unknown. */

struct sim_front;

struct sim_request_slot { /* A request without an answer. */
    uint64_t number;      /* 0: free. */
    void (*answered)(void *ctx, const struct sw_frame_reply *reply);
    void (*paged)(void *ctx, const struct sw_frame_instances *page); /* Of letters. */
    void *ctx;
};

struct sim_pod {
    const char *agent;
    char uid[40], agent_uid[40];
    uint8_t slots[SW_FRAME_SLOTS_BYTES];
    bool is_keyed, is_durable, resets, is_wanted, is_running;
    uint32_t mailbox, replicas;
    uint64_t idle_ns;
    uint64_t history_bytes, history_turns; /* bytes 0: it keeps none. */
    uint32_t timers, messages_per_s, children_per_s;
    uint64_t generation;
};

struct sim_rollout { /* From then on all Agents are to run that version. */
    struct sim_config config;
    uint64_t at_ns;
    bool is_collected; /* The host said that nothing needs its module: it is not there any more. */
};

struct sim_front {
    struct sim_loop *loop;
    struct sim_host *host;
    struct sim_trace *trace;
    struct sim_random random;
    const struct sw_bytes *codes; /* Of the guest, by program; borrowed. */
    struct sim_rollout rollouts[SIM_ROLLOUTS_MAX];
    uint32_t rollouts_count; /* The last one is what holds now. */
    struct sim_pod pods[SIM_PODS + 1];
    struct sim_request_slot requests[SIM_REQUESTS_MAX];
    struct sim_event start;
    struct sim_random asks;     /* Which modules the host is asked for; */
    uint32_t asked_version;     /* 0: for none now. */
    uint32_t asked_rollouts;    /* So many there were then. */
    struct sim_service service; /* That instances call. */
    uint64_t next_request, next_generation;
    bool is_ready, is_broken;
    bool ends_when_told; /* The machine's power fails at the next sim_front_told. */
    uint32_t ends[SIM_END_ABORTED + 1];
    uint64_t cpu_ns;        /* Of the processor that its namespace may have in a second; 0: any. */
    uint64_t storage_bytes; /* That it may take of the disk; 0: any. */
    bool has_quota;         /* It is bounded, or was. */
    uint64_t rest_ns;       /* Who does nothing for so long sleeps. */
    bool keeps_history;     /* Some Agents do, when they are opened from here on. */
    uint64_t restart_ns;    /* How long the host stays down, on average. */
    char breach[700];       /* What must never be seen; "": nothing was. */
    uint64_t warnings;
    struct sim_usages usages;
};

struct sim_send {                   /* Texts are borrowed. */
    const char *agent, *key, *name; /* name: of the request, or "". */
    struct sw_bytes body;
    bool wants_reply, has_priority; /* Otherwise it is that of the Agent. */
    uint32_t timeout_ms, priority;
    void (*answered)(void *ctx, const struct sw_frame_reply *reply);
    void *ctx;
};

struct sim_publish {
    const char *subject, *name;
    uint32_t priority;
    struct sw_bytes body;
    void (*answered)(void *ctx, const struct sw_frame_reply *reply);
    void *ctx;
};

void sim_front_done(struct sim_front *front);
void sim_front_init(struct sim_front *front, struct sim_host *host, const struct sw_bytes *codes,
                    uint64_t seed);
/* The hooks of the host: ctx is the front. */
void sim_front_frame(void *ctx, const struct sw_frame *frame);
void sim_front_ended(void *ctx, enum sim_end end, const char *words);
/* Its number, for sim_front_forget. answered is called once, later. The front is ready. */
uint64_t sim_front_send(struct sim_front *front, const struct sim_send *send);
uint64_t sim_front_publish(struct sim_front *front, const struct sim_publish *publish);
struct sim_letters_query {
    const char *agent;
    uint64_t after; /* Letters of higher numbers. */
    void (*paged)(void *ctx, const struct sw_frame_instances *page);
    void (*answered)(void *ctx, const struct sw_frame_reply *reply); /* That it was lost. */
    void *ctx;
};
/* Dead letters of an Agent, with their bodies. */
uint64_t sim_front_letters(struct sim_front *front, const struct sim_letters_query *query);
/* Have an instance be there that begins so, or release or drop it: fork.h has what these frames
 * say; request and namespace are set here. As sim_front_send. */
uint64_t sim_front_fork(struct sim_front *front, const struct sw_frame_fork *fork,
                        void (*answered)(void *ctx, const struct sw_frame_reply *reply), void *ctx);
uint64_t sim_front_fork_change(struct sim_front *front, const struct sw_frame_fork_change *change,
                               void (*answered)(void *ctx, const struct sw_frame_reply *reply),
                               void *ctx);
/* A client heard from an instance that keeps nothing what is in another one's log. */
void sim_front_told(struct sim_front *front);
/* Whoever asked has gone: answered is not called any more. */
void sim_front_forget(struct sim_front *front, uint64_t request);
/* Have a Pod run or not. */
void sim_front_want(struct sim_front *front, uint32_t pod, bool is_wanted);
/* Give the accounts' Pods other shares of the slots: the first one those below `first`. */
void sim_front_split(struct sim_front *front, uint32_t first);
/* Have all Agents run that version: a new one, or one that there was. */
void sim_front_rollout(struct sim_front *front, const struct sim_config *config);
/* The code of a module that was rolled out; empty: none was of that digest, or nobody needed it. */
struct sw_bytes sim_front_code(const struct sim_front *front, struct sw_bytes digest);
/* Its namespace may take so much of the disk from here on; 0: any. */
void sim_front_set_storage(struct sim_front *front, uint64_t bytes);
/* Ask the host to stop; it is started again afterwards. */
void sim_front_stop(struct sim_front *front);
/* All wanted Pods run. */
bool sim_front_is_up(const struct sim_front *front);
