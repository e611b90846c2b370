/* What the files of this room share; nobody else includes it.
 *
 *              reserve            ready             slot            first bytes
 *     start ──► RESERVING ─────────────► WAITING ────────► ASKING ──────────────► on_end
 *       ▲  └──► BUDGET (others may leave room)    (queue.h)   │ failed
 *       └───────────────── RESTING ◄──────────────────────────┘
 *
 * Threads, I/O, limits: model.h. */
#pragma once
#include "pkg/broker/model/cache.h"
#include "pkg/broker/model/model.h"
#include "pkg/broker/model/price.h"
#include "pkg/broker/model/queue.h"
#include "pkg/broker/model/room.h"
#include "pkg/broker/model/route.h"
#include "pkg/utils/base/arena.h"
#include "pkg/utils/base/heap.h"

#define MODEL_URL_MAX 1024u
#define MODEL_ATTEMPTS_MAX 64u
#define MODEL_WORDS_MAX 256u

struct model_spec { /* A copy of a provider's spec, held by it and by the calls that began with it.
                     */
    uint32_t refs;
    struct sw_arena *arena;
    struct sw_model_provider value;
};

struct model_bucket { /* What may begin in a minute: refilled by the millisecond. */
    int64_t credit;   /* In 60,000ths. May be owed. */
    uint64_t per_minute;
};

struct provider {
    struct sw_models *models;
    struct model_spec *spec;
    struct model_queue queue;
    struct model_cache *cache; /* NULL: nothing was kept yet. */
    struct sw_timer *timer;    /* When it may be asked again. */
    struct model_bucket requests_rate, tokens_rate;
    uint64_t refilled_ms;
    uint64_t held_until_ms;    /* It said when to ask again. */
    uint64_t cooling_until_ms; /* Others are asked rather. */
    uint32_t in_flight, refs;  /* Calls that have it among their routes, and the gateway. */
    struct sw_list held_up;    /* In models->held_up while others ask all that may be asked. */
    bool is_removed, is_failing, is_pumping;
    uint64_t requests, failures, retries, cached, latency_us;
    uint64_t input_tokens, output_tokens, cost_nano;
    char last_error[MODEL_WORDS_MAX];
};

struct sw_models {
    struct sw_models_options options;
    struct sw_map *providers; /* struct provider, by name. */
    struct sw_list calls;
    struct sw_list poor;    /* Calls in BUDGET, the longest first. */
    struct sw_heap due;     /* Calls that something has to happen to at a time. */
    struct sw_timer *timer; /* Of `due`. */
    uint64_t armed_ms;      /* UINT64_MAX: it is not. */
    struct model_room room;
    struct sw_list held_up; /* Providers, the longest first. */
    uint32_t asking;        /* Calls at providers. */
    bool is_stopped;
    struct sw_list telling;                   /* Calls in TOLD. */
    struct sw_timer *tell_timer, *poor_timer; /* For the next round of the loop. */
};

enum call_state {
    CALL_RESERVING,
    CALL_BUDGET,
    CALL_WAITING,
    CALL_ASKING,
    CALL_RESTING,
    CALL_TOLD /* Its answer is told at the end of this round. */
};

struct call_route {
    struct provider *provider; /* A ref of each. */
    struct model_spec *spec;
    const struct sw_model *model; /* In spec. */
    enum sw_wire_protocol protocol;
};

struct call_failure { /* Why an attempt gave nothing. */
    enum sw_rc rc;
    bool is_clients;    /* It is the request that does not fit: nothing ails the provider. */
    bool may_repeat;    /* Later it may go. */
    bool may_go_around; /* Another provider may do it. */
    uint64_t retry_ms;  /* When, as it said; 0: it did not. */
    struct sw_wire_error error;
};

struct call_told { /* Kept for those alone that fail: a hundred thousand may wait. */
    struct call_failure failure;
    struct sw_err err;
};

struct sw_model_call {
    struct sw_heap_entry entry; /* First: an entry is its call. */
    struct sw_list node;        /* In calls. */
    struct sw_list poor;        /* In poor while in BUDGET, in telling while in TOLD. */
    struct model_waiter waiter;
    struct sw_models *models;
    struct model_share *share;         /* NULL: it has no room yet. */
    uint64_t held_bytes, answer_bytes; /* Taken of it, and the part for what is gathered. */
    struct sw_model_handler handler;
    struct sw_wire_request *request;
    struct call_route *routes;
    uint32_t routes_count, at; /* Which is tried. */
    uint32_t tries;            /* Of this route, */
    uint32_t attempts;         /* and of all. */
    uint32_t number;           /* Of the attempt's key. */
    enum call_state state;
    unsigned priority;
    uint64_t deadline_ms, asked_ns;
    struct sw_reservation *reservation;
    struct model_worst worst;
    struct sw_budget_amount cost;
    struct sw_wire_usage usage;
    struct sw_transfer *transfer;
    struct sw_wire_relay *relay;
    struct sw_buffer body; /* What is sent. */
    struct sw_buffer got;  /* What came, if it is gathered. */
    struct sw_buffer out;  /* For the client. */
    int status;
    uint64_t said_retry_ms;
    bool is_headed, is_inside, is_cancelled, is_paused;
    bool has_cache_name;
    uint8_t cache_name[SW_SHA256_SIZE];
    struct call_told *told; /* CALL_TOLD: what is told; NULL: it is from the cache. Owned. */
    uint32_t depth;
    uint64_t turn;
    uint8_t key_size, instance_size;
    char key[SW_MODEL_KEY_MAX + 1];
    char name_space[SW_BUDGET_NAME_MAX + 1], agent[SW_BUDGET_NAME_MAX + 1];
    char instance[SW_BUDGET_INSTANCE_MAX];
};

uint64_t sw_model_now_ms(const struct sw_models *models);
void sw_model_spec_put(struct model_spec *spec);
void sw_model_provider_put(struct provider *provider);
/* It may be asked once more: those who wait are. */
void sw_model_provider_pump(struct provider *provider);
/* Have the call wait for the provider of its route, or ask it now. */
void sw_model_provider_enter(struct sw_model_call *call);
/* The call has left it, having cost so many tokens where so many were thought of. */
void sw_model_provider_leave(struct provider *provider, uint64_t thought, uint64_t cost);
uint64_t sw_model_tokens_thought(const struct sw_model_call *call);
void sw_model_provider_failed(struct provider *provider, const struct call_failure *failure);
void sw_model_provider_well(struct provider *provider, uint64_t latency_us);

/* Have something happen to the call at that time. False: no memory. */
bool sw_model_due_at(struct sw_model_call *call, uint64_t at_ms);

/* Begin an attempt with the present route.  An error is what the client is told. */
SW_MUST_CHECK enum sw_rc sw_model_attempt(struct sw_model_call *call, struct sw_err *err);
/* The provider's turn has come to it. */
void sw_model_ask(struct sw_model_call *call);
/* The attempt failed: try again, go elsewhere, or tell. */
void sw_model_attempt_failed(struct sw_model_call *call, const struct call_failure *failure);
/* Tell the client of an error, and end the call. */
void sw_model_fail(struct sw_model_call *call, enum sw_rc rc, const struct sw_wire_error *error,
                   uint64_t retry_ms);
void sw_model_fail_with(struct sw_model_call *call, const struct sw_err *err);
void sw_model_told_free(struct sw_model_call *call);
/* What the attempt cost is counted; is_unknown: at its worst. usage NULL: nothing was used. */
void sw_model_settle(struct sw_model_call *call, bool is_unknown,
                     const struct sw_wire_usage *usage);
void sw_model_call_free(struct sw_model_call *call);
/* Of tell_timer and poor_timer: tell who is in telling; see whether there is room for the poor. */
void sw_models_tell(void *ctx);
void sw_models_serve_poor(void *ctx);
/* Tell the client that its stream or document begins, if that has not been told.
 * False: the call is no more. */
bool sw_model_tell_head(struct sw_model_call *call, bool is_stream, bool is_cached);
bool sw_model_tell_bytes(struct sw_model_call *call, struct sw_bytes bytes);
void sw_model_tell_end(struct sw_model_call *call, enum sw_rc rc, const struct sw_err *err);
/* The answer of the cache is there: tell it at the end of the round. False: there is none. */
bool sw_model_from_cache(struct sw_model_call *call);
struct sw_outbound_handler sw_model_outbound_handler(struct sw_model_call *call);
