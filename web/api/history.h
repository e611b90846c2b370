/* What the gateway asks, and is told, about the past of an instance: part of gateway.h.
 *
 * Threads, I/O, Limits: none. */
#pragma once
#include "pkg/utils/base/buffer.h"
#include "pkg/utils/errors/errors.h"

enum sw_gateway_history_view {
    SW_GATEWAY_HISTORY_TURNS,  /* As they are recorded. */
    SW_GATEWAY_HISTORY_STATE,  /* After one of them, which is told, too. */
    SW_GATEWAY_HISTORY_REPLAY, /* Run again. */
    SW_GATEWAY_HISTORY_TRY,    /* One of them with something changed. */
    SW_GATEWAY_HISTORY_FORK,   /* The same, as the beginning of another instance. */
    /* What turns said to models: each on_turn has one object of JSON as its body, or none, and then
     * tells up to which turn was looked at. */
    SW_GATEWAY_HISTORY_TRANSCRIPT
};

struct sw_gateway_history { /* What of the past of an instance; borrowed for the call. */
    const char *namespace_, *agent, *key;
    enum sw_gateway_history_view view;
    uint64_t from, to; /* Numbers of turns; STATE, TRY, FORK: to. 0: the first, the last. */
    uint32_t limit;
    bool is_newest;      /* Of more than limit turns the last ones; otherwise the first ones. */
    uint32_t body_bytes; /* Of each body that are told. */
    const char *module;  /* Digest of one to be run instead, or "". */
    const char *as;      /* FORK: the key of what is to be there. */
    bool has_input;      /* TRY, FORK: the body instead of the recorded one. */
    struct sw_bytes input;
    const char *content_type; /* Of it; "": as recorded. */
};

struct sw_gateway_effect { /* Borrowed for the call; texts are "" where there is none. */
    const char *kind, *to, *content_type;
    uint64_t number, due_ns; /* due_ns 0 or UINT64_MAX: at no time. */
    uint32_t status;
    struct sw_bytes body; /* Its beginning; */
    uint64_t size_bytes;  /* all of it. */
};
struct sw_gateway_turn { /* Borrowed for the call; texts are "" where there is none. */
    uint64_t number, lsn, utc_ns;
    const char *cause, *outcome; /* "message", "timer" ...; "done", "trapped" ... */
    const char *from, *subject, *content_type, *request_id, *message, *module, *verdict;
    bool has_message, is_reply, has_body;
    uint32_t code, attempt, status;
    uint64_t timer, source_lsn;
    struct sw_bytes body; /* Its beginning; */
    uint64_t size_bytes;  /* all of it. */
    uint64_t cpu_us, digest;
    uint64_t fuel; /* 0: none was counted. */
    const struct sw_gateway_effect *effects;
    size_t effects_count; /* That are told, */
    uint64_t effects_all; /* of so many. */
};
struct sw_gateway_item { /* Of a state: "timer", "subscription", "handle". */
    const char *kind, *text;
    uint64_t number, due_ns;
};
struct sw_gateway_past_state { /* Borrowed for the call. */
    uint64_t number, utc_ns, failures, memory_bytes, digest;
    const char *module, *engine, *wait; /* wait: what its turn waits for; "": nothing. */
    uint64_t wait_due_ns;
    const struct sw_gateway_item *items;
    size_t items_count;
    uint64_t handles, timers, subscriptions;
    bool is_held; /* What it lets out waits: */
    uint64_t held, held_bytes;
};
struct sw_gateway_history_end {
    uint64_t first, last, replayable; /* Numbers of turns: that are there; from which on it can be
                                         run again. */
    bool is_over;                     /* The instance has ended. */
};
struct sw_gateway_history_handler {
    void *ctx; /* First argument of what follows. */
    void (*on_turn)(void *ctx, const struct sw_gateway_turn *turn);
    void (*on_state)(void *ctx, const struct sw_gateway_past_state *state);
    /* The last call; err NULL with rc SW_OK, and end otherwise not looked at. */
    void (*on_end)(void *ctx, enum sw_rc rc, const struct sw_gateway_history_end *end,
                   const struct sw_err *err);
};

struct sw_gateway_held { /* A fork that is held, and what becomes of it; borrowed for the call. */
    const char *namespace_, *agent, *key;
    bool is_drop; /* It goes, and what it holds with it. false: that goes out. */
};
typedef void sw_gateway_held_done(void *done_ctx, enum sw_rc rc, const struct sw_err *err);
