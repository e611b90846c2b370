/* The gateway to models: who asks, which provider answers, what it may cost, and what it did cost.
 *
 *     start ─► read ─► route ─► reserve ─► wait in turn ─► ask ─► answer ─► settle ─► on_end
 *                        ▲ another provider, or later    └ failed: ┘
 *
 * A call is read once (pkg/broker/model/wire), goes to the best of the providers that have its
 * model (route.h), is reserved at its worst case before each attempt and settled after it
 * (pkg/broker/budget), and waits its turn while the provider has enough to do (queue.h). An attempt
 * that failed before anything came is made again, later or with another provider. What became of an
 * attempt that broke off is not known: it is settled at its worst case.
 * Threads: the loop's.  I/O: pkg/broker/outbound.
 * Limits: those of the options, of which a namespace has at most four fifths; SW_MODEL_CALLS_MAX at
 * once, SW_MODEL_PROVIDERS_MAX; those of wire.h; of an error's body the first
 * SW_MODEL_ERROR_BYTES_MAX are looked at. */
#pragma once
#include "pkg/broker/budget/ledger.h"
#include "pkg/broker/model/wire/wire.h"
#include "pkg/broker/outbound/outbound.h"
#include "pkg/utils/loop/loop.h"
#include "pkg/utils/system/system.h"

#define SW_MODEL_CALLS_MAX (1u << 20)
#define SW_MODEL_CALLS_STANDARD (1u << 17)
#define SW_MODEL_ASKING_STANDARD 4096u
#define SW_MODEL_BYTES_STANDARD ((uint64_t)1 << 30)
#define SW_MODEL_PROVIDERS_MAX 256u
#define SW_MODEL_ERROR_BYTES_MAX 65536u
#define SW_MODEL_PRIORITIES 4u /* 0 is served first. */
#define SW_MODEL_PRIORITY_NORMAL 1u
/* A name that any model fits that can do what is asked for: the first by priority, the cheapest,
 * the quickest. */
#define SW_MODEL_ANY "auto"
#define SW_MODEL_CHEAPEST "auto:cheap"
#define SW_MODEL_QUICKEST "auto:fast"

struct sw_models;     /* Opaque. */
struct sw_model_call; /* Opaque; one call under way. */

struct sw_model_price { /* Billionths of a dollar for a million tokens. */
    uint64_t input, cached, output;
};

struct sw_model { /* One that a provider has. */
    const char *name, *upstream;
    uint32_t abilities;                         /* Of enum sw_wire_need. */
    uint64_t context_tokens, output_tokens_max; /* 0: not known. */
    struct sw_model_price price;
};

struct sw_model_provider { /* Copied by put. */
    const char *name, *base_url;
    struct sw_bytes key;  /* The secret, or empty. */
    bool lacks_key;       /* One is named, and is not to be had: calls fail. */
    unsigned protocols;   /* Bits 1 << enum sw_wire_protocol. */
    bool uses_max_tokens; /* As struct sw_wire_target has it. */
    uint32_t priority;    /* Lower ones are asked first. */
    uint32_t concurrency; /* Calls under way; 0: any number, as of the next two. */
    uint64_t requests_per_minute, tokens_per_minute;
    uint64_t timeout_ms, silence_ms;
    uint32_t retries;
    uint64_t backoff_ms, backoff_max_ms;
    uint64_t cache_ttl_ms; /* 0: nothing is kept. */
    size_t cache_bytes;
    const struct sw_model *models;
    size_t models_count;
    const char *const *namespaces; /* Whose agents may use it. */
    size_t namespaces_count;       /* 0: all. */
};

struct sw_models_options { /* Borrowed; all outlive the gateway. */
    struct sw_loop *loop;
    const struct sw_system *system;
    struct sw_outbound *outbound;
    struct sw_ledger *ledger; /* NULL: nothing is bounded. */
    /* 0: the standard values above. */
    uint32_t calls_max;  /* Under way, those that wait for their turn included. */
    uint32_t asking_max; /* At providers; at one of them at most four fifths of it. */
    uint64_t bytes_max;  /* Held for all calls: requests, and answers that are gathered. */
    void *ctx;           /* Of: */
    /* For people: a provider fails, is well again, or says what cannot be. May be NULL. */
    void (*on_event)(void *ctx, const char *provider, bool is_warning, const char *reason,
                     const char *words);
};

/* Who asks and for what; borrowed for start. */
struct sw_model_request {
    enum sw_wire_protocol protocol;
    struct sw_bytes body;
    struct sw_budget_who who;
    /* The call's idempotency key, 1 to SW_MODEL_KEY_MAX bytes; two calls under way never have the
     * same. */
    struct sw_bytes key;
    unsigned priority; /* Below SW_MODEL_PRIORITIES. */
};
#define SW_MODEL_KEY_MAX 63u
#define SW_MODEL_NO_AGENT "~" /* Who.agent of people: no Agent is named so. */

struct sw_model_head { /* Before the first bytes. */
    int status;        /* Of HTTP. */
    bool is_stream;    /* Server-sent events follow; else one document of JSON. */
    bool is_cached;
    const char *provider, *model; /* Who answers; "": nobody did. Borrowed for the call. */
    uint64_t retry_ms;            /* Of errors: when to ask again; 0: not said. */
};

struct sw_model_end {
    enum sw_rc rc;                /* SW_OK, if the answer is whole. */
    const struct sw_err *err;     /* What was wrong. */
    struct sw_wire_usage usage;   /* As counted; */
    struct sw_budget_amount cost; /* of all attempts. */
    uint32_t attempts;
};

/* Called by the loop, never inside of start or cancel. */
struct sw_model_handler {
    void *ctx;
    /* Once before bytes; an error is an answer with another status, in the client's protocol. */
    void (*on_head)(void *ctx, struct sw_model_call *call, const struct sw_model_head *head);
    void (*on_bytes)(void *ctx, struct sw_model_call *call, struct sw_bytes bytes);
    /* The last call: the model call is gone after it. A stream that broke off after its head ends
     * with an error in its protocol, and with its code here. */
    void (*on_end)(void *ctx, struct sw_model_call *call, const struct sw_model_end *end);
};

/* SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_models_new(const struct sw_models_options *options,
                                       struct sw_models **ret_models, struct sw_err *err);
/* Calls under way are gone without on_end, and settled at their worst case if they were made. */
void sw_models_free(struct sw_models *models);
SW_DEFINE_CLEANUP(struct sw_models, sw_models_free)
/* End all calls under way with an error, which is told in the next round, and take no more. All is
 * settled when it returns. */
void sw_models_stop(struct sw_models *models);
/* Have a provider, or another spec of it; calls under way go on as they began.
 * SW_E_EXHAUSTED: no memory, or too many of them; nothing has changed */
SW_MUST_CHECK enum sw_rc sw_models_put(struct sw_models *models,
                                       const struct sw_model_provider *provider,
                                       struct sw_err *err);
void sw_models_remove(struct sw_models *models, const char *provider);

/* Begin a call; on_end comes once, unless it is cancelled. What goes wrong at once is an error
 * here, with nothing called (sw_wire_error_of says it in the client's protocol):
 * SW_E_INVALID, SW_E_EXHAUSTED  as sw_wire_request_read
 * SW_E_NOT_FOUND    there is no such model for this namespace; err says which there are
 * SW_E_UNSUPPORTED  none of that name can do what is asked for, or speak of it
 * SW_E_EXHAUSTED    a budget has no room, or too many calls, or too many bytes of them (hint says
 *                   what to do)
 * SW_E_UNAVAILABLE  the ledger takes nothing now */
SW_MUST_CHECK enum sw_rc sw_models_start(struct sw_models *models,
                                         const struct sw_model_request *request,
                                         const struct sw_model_handler *handler,
                                         struct sw_model_call **ret_call, struct sw_err *err);
/* Nobody wants the answer any more: the request is broken off, and settled. Not inside of on_end.
 */
void sw_model_cancel(struct sw_model_call *call);
/* Take no more bytes of the provider for now; and go on. Not inside of on_bytes: go on. */
void sw_model_pause(struct sw_model_call *call);
void sw_model_resume(struct sw_model_call *call);

/* A budget may have room that had none: calls that wait for it are looked at. */
void sw_models_poke(struct sw_models *models);

/* Visit the models that a namespace may use, each name once, in no order. */
typedef void sw_model_visit(void *ctx, const struct sw_model_provider *provider,
                            const struct sw_model *model);
void sw_models_list(const struct sw_models *models, const char *name_space, sw_model_visit *visit,
                    void *ctx);

struct sw_model_provider_view { /* Borrowed for the visit. */
    const char *name;
    uint32_t in_flight, waiting;
    uint64_t requests, failures, retries, cached;
    uint64_t latency_us; /* To the first byte, smoothed; 0: not known. */
    uint64_t input_tokens, output_tokens, cost_nano;
    bool is_failing;        /* Its last attempt failed. */
    bool lacks_key;         /* As in its spec. */
    const char *last_error; /* "" if none. */
};
typedef void sw_model_provider_visit(void *ctx, const struct sw_model_provider_view *view);
void sw_models_each(const struct sw_models *models, sw_model_provider_visit *visit, void *ctx);
