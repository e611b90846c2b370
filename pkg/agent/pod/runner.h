/* What a node's controller asks of whatever runs Pods on that node, and what it is told back.
 *
 * pkg/controller/node calls a struct sw_pod_runner; pkg/agent/controller implements it over an
 * agent host; tests implement it in memory. Neither side knows the other.
 *
 * The life of a Pod here:
 *     open -> on_status(STARTING) ... on_status(RUNNING) -> update -> on_status ...
 *          -> close -> on_closed            on_status(FAILED): not running; open it again to retry
 *
 * Threads: the loop's thread on both sides; no callback runs inside the call that causes it.
 * I/O: none here.  Limits: texts are NUL-terminated and at most 255 bytes unless said otherwise. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_POD_SLOTS 256 /* Key slots of an Agent; actor/routes.h says in which one a key is. */

/* Who shares the process that a Pod's instances run in: all that say SHARED, those of a namespace
 * that say NAMESPACE, those of an Agent that says AGENT. */
enum sw_pod_isolation {
    SW_POD_ISOLATION_SHARED,
    SW_POD_ISOLATION_NAMESPACE,
    SW_POD_ISOLATION_AGENT
};

/* With which engine they run: pkg/agent/abi/class.h, in the same order. */
enum sw_pod_engine { SW_POD_ENGINE_COMPACT, SW_POD_ENGINE_COMPUTE, SW_POD_ENGINE_REPLAY };

enum sw_pod_durability { SW_POD_DURABILITY_NONE, SW_POD_DURABILITY_LOCAL };

#define SW_POD_FUEL_MAX ((uint64_t)1000000000000000)

struct sw_pod_limits {         /* 0: the runner's default. */
    uint64_t memory_bytes_max; /* Linear memory of one instance. */
    uint64_t turn_cpu_ms_max;  /* CPU time of one segment before it is trapped. */
    uint64_t fuel_max;         /* Of one segment, at most SW_POD_FUEL_MAX; 0: none is counted. */
    uint64_t mailbox_messages_max;
    uint64_t mailbox_bytes_max;
    uint64_t message_bytes_max; /* Of one message's body. */
    uint64_t instances_max;     /* Of a keyed Agent in one Pod. */
    uint64_t timers_max;        /* Of one instance. */
    uint64_t messages_per_s;    /* To one instance; 0: any number. */
    uint64_t children_per_s;    /* That one instance brings to life; 0: any number. */
};

struct sw_pod_retry {          /* Of messages whose handler fails. */
    uint64_t attempts;         /* So many in all; 0: 1. */
    uint64_t first_ns, max_ns; /* Waits in between, doubled from the first on. */
};

struct sw_pod_spec {            /* Borrowed for the call. */
    const char *uid;            /* Of the Pod; names it in every other call. */
    const char *namespace_name; /* Of the Pod and its Agent. */
    const char *name;           /* Of the Pod. */
    uint64_t generation;        /* Of the Pod's spec; comes back as observed_generation. */
    const char *agent_name, *agent_uid;
    const char *module_digest;         /* "sha256:..." of the program. */
    const char *runtime;               /* "wasm". */
    uint64_t slots[SW_POD_SLOTS / 64]; /* Bit i of the set: this Pod owns slot i. */
    /* false: the instances "0" .. replicas-1 whose slots are owned exist from the start;
     * true: an instance comes to be with the first message to its key. */
    bool is_keyed;
    uint64_t replicas;
    enum sw_pod_isolation isolation; /* Never another one for an Agent. */
    enum sw_pod_engine engine;       /* State goes over from one to another. */
    enum sw_pod_durability durability;
    bool is_bridge; /* The node's own, between hosts (pkg/agent/hosts); not for controllers. */
    /* Another module begins with empty instances, instead of being handed their state. */
    bool resets;
    struct sw_pod_limits limits;
    struct sw_pod_retry retry;
    uint64_t rest_ns; /* Who does nothing for so long leaves memory; UINT64_MAX: never. */
    uint64_t idle_ns; /* Keyed instances are deleted when idle for so long; 0: never. */
    /* How much of the Agent's past is kept, at most; all 0: none. */
    uint64_t history_ns, history_bytes, history_turns;
    unsigned weight;        /* Among the Agents of the namespace; 0: the usual, which is 100. */
    unsigned priority;      /* 0 to 3: of messages to the Agent that name none. */
    struct sw_bytes config; /* spec.config, handed to the guest as it stands. */
};

/* RUNNING: all replicas are ready; keyed instances come and go, so their Pod is once it takes
 * messages. */
enum sw_pod_phase { SW_POD_STARTING, SW_POD_RUNNING, SW_POD_FAILED };

struct sw_pod_report { /* Borrowed for the call. */
    const char *uid;
    uint64_t observed_generation;
    enum sw_pod_phase phase;
    uint64_t instances; /* That should exist now: owned replicas, or keys seen so far. */
    uint64_t ready;     /* Of those, initialised and able to take messages. */
    uint64_t failures;  /* Instances parked or failing now. */
    uint64_t restarts;  /* Of the Pod's host since open. */
    const char
        *reason; /* A CamelCase word for FAILED or a slow start, such as "ModuleNotFound"; "". */
    const char *message; /* A sentence, at most 1,023 bytes; "". */
};

struct sw_pod_used { /* Since the beginning, but for the first and the last. */
    uint64_t utc_ns; /* Up to when; 0: nothing is known. */
    uint64_t cpu_ns;
    uint64_t handled, bytes_in, sent, bytes_out; /* Messages, and the bytes of their bodies. */
    uint64_t wakeups, memory_byte_s, fuel;
    uint64_t memory_bytes, storage_bytes; /* Now. */
    uint64_t reserved_bytes;              /* Memory that instances may come to. */
};

enum sw_pod_limit {                               /* What an Agent is pushed back by. */
                    SW_POD_LIMIT_MESSAGES,        /* Its own limit of messages in a second, */
                    SW_POD_LIMIT_QUOTA_MESSAGES,  /* and what its namespace may have: of messages in
                                                     a second, */
                    SW_POD_LIMIT_QUOTA_INSTANCES, /* of instances, */
                    SW_POD_LIMIT_QUOTA_MEMORY,    /* of their memory, */
                    SW_POD_LIMIT_QUOTA_CPU,       /* of the processor, */
                    SW_POD_LIMIT_QUOTA_STORAGE,   /* and of the disk. */
                    SW_POD_LIMITS
};

struct sw_pod_throttle { /* An Agent was pushed back on this node; borrowed for the call. */
    const char *uid;     /* Of one of its Pods. */
    enum sw_pod_limit limit;
};

struct sw_pod_usage { /* Of an Agent on this node; borrowed for the call. */
    const char *uid;  /* Of one of its Pods. */
    struct sw_pod_used used;
};

struct sw_agent_usage { /* agent, agent_uid "": of the namespace of a host. */
    const char *name_space, *agent, *agent_uid; /* NUL-terminated; borrowed for the call. */
    struct sw_pod_used used;
    uint64_t
        throttled[SW_POD_LIMITS]; /* How often it was pushed back, since this daemon's start. */
};

struct sw_agent_throttle {
    const char *name_space, *agent, *agent_uid; /* NUL-terminated; borrowed for the call. */
    enum sw_pod_limit limit;
    uint64_t count; /* So often since it was told last. */
};

#define SW_POD_QUOTA_NONE UINT64_MAX

struct sw_pod_quota {                 /* Of a namespace on this node. */
    uint64_t instances, memory_bytes; /* SW_POD_QUOTA_NONE: any number. */
    uint64_t messages_per_s;          /* 0: any number. */
    uint64_t cpu_ns;                  /* Of the processor in a second; 0: any. */
    uint64_t storage_bytes;           /* On the disk; 0: any. */
    /* Above 1: one message, in each so many-th second, of which it is that which leaves _phase. */
    uint64_t messages_s, messages_phase;
};

struct sw_pod_event { /* Something that people should see; borrowed for the call. */
    const char *uid;  /* Of the Pod. */
    bool is_warning;
    const char *reason;   /* A CamelCase word such as "Trapped". */
    const char *instance; /* Its key, or "". */
    const char *message;  /* At most 1,023 bytes. */
};

struct sw_pod_observer { /* Handed to the runner by its maker's wiring before the first open. */
    void *ctx;
    /* The state of a Pod changed, or its counts did (at most a few times a second per Pod). */
    void (*on_status)(void *ctx, const struct sw_pod_report *report);
    void (*on_event)(void *ctx, const struct sw_pod_event *event);
    /* What an Agent used, every few seconds while it changes. May be NULL. */
    void (*on_usage)(void *ctx, const struct sw_pod_usage *usage);
    /* A limit pushes an Agent back: about once a second while it does. May be NULL. */
    void (*on_throttled)(void *ctx, const struct sw_pod_throttle *throttle);
    /* After close: nothing of the Pod runs any more (and, if asked, its data is gone). */
    void (*on_closed)(void *ctx, const char *uid);
};

struct sw_pod_runner {
    void *ctx; /* First argument of every call. */
    /* Who hears of Pods; copied. Called once, before anything else. */
    void (*observe)(void *ctx, const struct sw_pod_observer *observer);
    /* Begin to run a Pod, recovering its instances' state if this node has it. Again for a Pod that
     * is open or FAILED: start it anew.  SW_E_EXHAUSTED: this node can take no more Pods now;
     * SW_E_INVALID: this runner cannot run such a spec, ever. */
    enum sw_rc (*open)(void *ctx, const struct sw_pod_spec *spec, struct sw_err *err);
    /* The spec of an open Pod changed (replicas, limits, module): adapt without losing state that
     * can be kept. Errors as open. */
    enum sw_rc (*update)(void *ctx, const struct sw_pod_spec *spec, struct sw_err *err);
    /* Stop a Pod's instances; on_closed follows, also for a uid that is not open. discard: the Pod
     * was deleted, so on_stop runs and its state is removed; otherwise the state stays. */
    void (*close)(void *ctx, const char *uid, bool discard);
    /* What all instances of a namespace may have together from here on; to be told before its first
     * Pod is opened. */
    void (*set_quota)(void *ctx, const char *name_space, const struct sw_pod_quota *quota);
};
