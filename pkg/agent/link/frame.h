/* What swarmd and an agent host say to each other over their socket pair.
 *
 *     u32 size | u8 kind | fields as frame.c's tables list them     (little-endian)
 *
 * Each side treats the other as hostile: every frame has a direction and a size limit, every field
 * a maximum, texts are UTF-8 without NUL, flags are 0 or 1, and nothing may be left over.
 * Threads: pure functions.  I/O: none.  Limits: SW_FRAME_BYTES_MAX; each field's is in frame.c. */
#pragma once
#include "pkg/agent/link/call.h"
#include "pkg/agent/link/fork.h"
#include "pkg/agent/link/letters.h"
#include "pkg/agent/link/lists.h"
#include "pkg/agent/link/module.h"
#include "pkg/agent/link/past.h"
#include "pkg/agent/link/stats.h"
#include "pkg/agent/link/usage.h"
#include "pkg/utils/base/buffer.h"

#define SW_LINK_VERSION 19
#define SW_FRAME_BYTES_MAX (5u << 20)
#define SW_FRAME_CHUNK_MAX (1u << 20)
#define SW_FRAME_BODY_MAX (4u << 20)
#define SW_FRAME_SLOTS_BYTES 32 /* 256 slots, bit i % 8 of byte i / 8 is slot i. */
#define SW_FRAME_WORDS_MAX 2048
#define SW_FRAME_NAME_MAX 63
#define SW_FRAME_DEPTH_MAX 65535u /* Of agents that ask each other. */
#define SW_FRAME_PROGRAM_MAX 95   /* A digest, and a class of engine: pkg/agent/abi/class.h. */
#define SW_FRAME_KEY_MAX 255
#define SW_FRAME_PRIORITY_DEFAULT 255u /* The Agent's own. */
#define SW_FRAME_INNER 2u              /* want_reply: as 0, and no limit of clients holds. */

enum sw_frame_kind {
    /* To the host. */
    SW_FRAME_HELLO = 1,
    SW_FRAME_MODULE,      /* A piece of machine code; the last one completes it. */
    SW_FRAME_MODULE_DROP, /* No Pod uses it any more. */
    SW_FRAME_POD_OPEN,    /* Also for a Pod that is open: its spec changed. */
    SW_FRAME_POD_CLOSE,
    SW_FRAME_SEND,
    SW_FRAME_PUBLISH,
    SW_FRAME_LIST,
    SW_FRAME_PING,
    SW_FRAME_STOP, /* Finish what runs, snapshot, exit. */
    SW_FRAME_LETTERS,
    SW_FRAME_LETTERS_CHANGE,
    SW_FRAME_CALL_RESULT,
    SW_FRAME_QUOTA,      /* What a namespace may have in this host. */
    SW_FRAME_MODULE_ASK, /* Whether anything needs a module that no Pod has. */
    SW_FRAME_PAST,       /* The first one of a host that looks at a past. */
    SW_FRAME_FORK, /* A piece of an instance that is to be there; the last one completes it. */
    SW_FRAME_FORK_CHANGE,
    SW_FRAME_BUNDLE, /* A piece of a bundle's payload; the last one completes it. */
    /* From the host. */
    SW_FRAME_READY = 64, /* The first one: the journal is recovered. */
    SW_FRAME_MODULE_RESULT,
    SW_FRAME_POD_STATUS,
    SW_FRAME_POD_CLOSED,
    SW_FRAME_REPLY, /* To SEND, PUBLISH, LETTERS_CHANGE, MODULE_ASK, FORK_CHANGE, and the last FORK:
                       exactly one each. */
    SW_FRAME_INSTANCES,
    SW_FRAME_EVENT,
    SW_FRAME_LOG,
    SW_FRAME_STATS,
    SW_FRAME_PONG,
    SW_FRAME_STOPPED,
    SW_FRAME_LETTERS_PAGE,
    SW_FRAME_MODULE_WANTED, /* Instances of a Pod wait for an older module of their Agent. */
    SW_FRAME_CALL,          /* An instance calls a service, perhaps not for the first time. */
    SW_FRAME_CALL_END,      /* It waits for that no more: the result was taken, or nobody wants it.
                             */
    SW_FRAME_USAGE,         /* What an Agent or a namespace used since it began. */
    SW_FRAME_REPLAYED,      /* The last one of a host that replayed its journal. */
    SW_FRAME_THROTTLED,     /* A limit pushes an Agent back. */
    SW_FRAME_PAST_TURN,
    SW_FRAME_PAST_STATE,
    SW_FRAME_PAST_END,  /* The last one of a host that looked at a past. */
    SW_FRAME_PAST_FORK, /* A piece of what a fork begins with. */
    SW_FRAME_QUOTA_HELD /* What a namespace has in this host. */
};

enum sw_frame_direction { SW_FRAME_TO_HOST, SW_FRAME_FROM_HOST };

struct sw_frame_hello {
    uint32_t version, workers; /* SW_LINK_VERSION; 0: as many as there are processors. */
    uint32_t crashed;          /* 1: the host before was ended by a fault of its own. */
    uint64_t snapshot_bytes;   /* The journal grows by so much between two snapshots; 0: 64 MiB. */
    uint64_t awake_bytes;      /* Memory of instances that are awake; 0: half of the machine's. */
    uint64_t history_bytes;    /* It is kept whole until it is longer than this. */
    struct sw_bytes journal;   /* That must be there, as READY names it; empty: any. */
};

struct sw_frame_pod_open {
    struct sw_bytes uid; /* Of the Pod. */
    uint64_t generation; /* Comes back in POD_STATUS. */
    struct sw_bytes name_space, agent, agent_uid;
    struct sw_bytes digest;                /* A program that was sent before: module.h. */
    struct sw_bytes slots;                 /* SW_FRAME_SLOTS_BYTES. */
    uint32_t is_keyed, is_durable;         /* 0 or 1. is_durable 1: durability local. */
    uint32_t replicas;                     /* Of the whole Agent. */
    uint32_t resets;                       /* 1: another module begins with empty state. */
    uint32_t priority;                     /* For messages that name none. */
    uint64_t memory_bytes, body_bytes;     /* Limits: of an instance, of a message. */
    uint32_t deadline_ms, mailbox;         /* Limits: of a segment; messages waiting. */
    uint64_t fuel_max;                     /* Of a segment; 0: any. */
    uint32_t instances_max;                /* Of a keyed Pod. */
    uint32_t retry_attempts;               /* Of a message whose handler fails, */
    uint64_t retry_first_ns, retry_max_ns; /* with these waits in between. */
    uint64_t rest_ns, idle_ns;             /* As struct sw_pod_config has the rest. */
    uint32_t weight, timers_max, messages_per_s, children_per_s;
    uint64_t history_ns, history_bytes, history_turns; /* What of its Agent's past is kept. */
    struct sw_bytes config;
};

struct sw_frame_pod_close {
    struct sw_bytes uid;
    uint32_t discard; /* 1: run on_stop and forget the state. */
};

struct sw_frame_send {
    uint64_t request; /* Chosen by swarmd, unique among those without an answer; not 0. */
    struct sw_bytes name_space, agent, key; /* key empty: any instance of a replicated Agent. */
    struct sw_bytes request_id; /* The client's, or empty: a repeat gets the first result. */
    struct sw_bytes type, body;
    uint32_t priority;   /* 0 to 3, or SW_FRAME_PRIORITY_DEFAULT. */
    uint32_t want_reply; /* 0: answered once the message is handled; or SW_FRAME_INNER. */
    uint32_t timeout_ms; /* Not handled any more when it waited that long; 0: no limit. */
};

struct sw_frame_publish {
    uint64_t request;
    struct sw_bytes name_space, subject, type, body;
    struct sw_bytes request_id;
    uint32_t priority;
};

struct sw_frame_stop {
    uint32_t deadline_ms; /* For the snapshot; without one in time the journal serves as well. */
};

struct sw_frame_ready {
    uint32_t version, workers;
    uint64_t pods, instances, messages; /* Recovered. */
    struct sw_bytes journal;            /* The identity of its journal, 32 hex digits. */
    struct sw_bytes words;              /* What recovery did, for the log. */
};

/* MODULE_RESULT (of a BUNDLE, too), STOPPED. code: an enum sw_rc without its sign. */
struct sw_frame_result {
    struct sw_bytes what;
    uint32_t code;
    struct sw_bytes words;
};

enum sw_frame_phase { SW_FRAME_POD_STARTING, SW_FRAME_POD_RUNNING, SW_FRAME_POD_FAILED };

struct sw_frame_pod_status {
    struct sw_bytes uid;
    uint64_t generation;
    uint32_t phase; /* enum sw_frame_phase. */
    uint64_t instances, ready, failures;
    struct sw_bytes reason, words;
};

struct sw_frame_uid {
    struct sw_bytes uid;
};

/* The host has not taken a SEND: its Pod does not run here now. It may be sent again. */
#define SW_FRAME_CODE_NOT_TAKEN 1000u

struct sw_frame_reply {
    uint64_t request;
    uint32_t code; /* 0, NOT_TAKEN, or the instance's or host's code without its sign. */
    struct sw_bytes type, body;
    struct sw_bytes from; /* Key of the instance that took the message. */
    uint64_t subscribers; /* Of a PUBLISH. Of a LETTERS_CHANGE: how many letters it was. */
};

struct sw_frame_event {
    struct sw_bytes uid; /* Of the Pod; empty: of the host. */
    struct sw_bytes key; /* Of the instance, or empty. */
    uint32_t is_warning;
    struct sw_bytes reason, words;
};

struct sw_frame_log {
    struct sw_bytes uid, key; /* Pod and instance. */
    uint32_t level;           /* enum swarm_log_level. */
    uint64_t time_ns;
    struct sw_bytes text;
};

struct sw_frame { /* Decoded; borrows the bytes it was decoded from. */
    enum sw_frame_kind kind;
    union {
        struct sw_frame_hello hello;
        struct sw_frame_module module;
        struct sw_frame_bundle bundle;
        struct sw_frame_digest module_drop;
        struct sw_frame_module_ask module_ask;
        struct sw_frame_pod_open pod_open;
        struct sw_frame_pod_close pod_close;
        struct sw_frame_send send;
        struct sw_frame_publish publish;
        struct sw_frame_request request; /* PING, PONG. */
        struct sw_frame_list list;
        struct sw_frame_letters letters;
        struct sw_frame_letters_change letters_change;
        struct sw_frame_stop stop;
        struct sw_frame_ready ready;
        struct sw_frame_result result; /* MODULE_RESULT, STOPPED. */
        struct sw_frame_pod_status pod_status;
        struct sw_frame_uid pod_closed;
        struct sw_frame_module_wanted module_wanted;
        struct sw_frame_replayed replayed;
        struct sw_frame_past past;
        struct sw_frame_past_turn past_turn;
        struct sw_frame_past_state past_state;
        struct sw_frame_past_end past_end;
        struct sw_frame_past_fork past_fork;
        struct sw_frame_fork fork;
        struct sw_frame_fork_change fork_change;
        struct sw_frame_reply reply;
        struct sw_frame_instances instances; /* INSTANCES, LETTERS_PAGE. */
        struct sw_frame_event event;
        struct sw_frame_log log;
        struct sw_frame_quota quota;
        struct sw_frame_quota_held quota_held;
        struct sw_frame_usage usage;
        struct sw_frame_throttled throttled;
        struct sw_frame_stats stats;
        struct sw_frame_call call;
        struct sw_frame_call_result call_result;
        struct sw_frame_call_name call_end;
    };
};

/* Append a whole frame, size included. A field beyond its maximum is our own bug (assert). */
void sw_frame_put(const struct sw_frame *frame, struct sw_buffer *out);

/* Take the first frame of `bytes`, all that has arrived and was not yet taken. *ret_size is what
 * the frame used up; 0: more bytes are needed, *ret_frame is not set.
 * SW_E_CORRUPT   not a frame of that direction: end the link */
SW_MUST_CHECK enum sw_rc sw_frame_take(struct sw_bytes bytes, enum sw_frame_direction direction,
                                       struct sw_frame *ret_frame, size_t *ret_size,
                                       struct sw_err *err);
/* The kind in words, for logs: "POD_OPEN"; "?" for none. */
const char *sw_frame_kind_name(enum sw_frame_kind kind);
