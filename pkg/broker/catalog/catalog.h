/* What the broker knows of ModelProviders and Budgets: the objects of the API with their texts read
 * into numbers and their defaults filled in.
 *
 * Amounts of money are in billionths of a dollar, times in ms, unless their names say otherwise. A
 * view borrows the texts of the object that it was made of and lives in an arena beside it.
 * Threads: pure functions.  I/O: none.  Limits: those of api/v1. */
#pragma once
#include "pkg/apis/swarm/v1/object.h"

/* What a model can do, as bits. */
enum sw_model_ability {
    SW_MODEL_CHAT = 1u << 0,
    SW_MODEL_TOOLS = 1u << 1,
    SW_MODEL_JSON_SCHEMA = 1u << 2,
    SW_MODEL_IMAGES = 1u << 3,
    SW_MODEL_AUDIO = 1u << 4,
    SW_MODEL_REASONING = 1u << 5,
    SW_MODEL_EMBEDDINGS = 1u << 6
};

/* The parts of the API that a provider has, as bits. */
enum sw_provider_api {
    SW_PROVIDER_CHAT = 1u << 0,
    SW_PROVIDER_RESPONSES = 1u << 1,
    SW_PROVIDER_EMBEDDINGS = 1u << 2,
    SW_PROVIDER_MESSAGES = 1u << 3 /* Of the protocol anthropic, and of no other. */
};

struct sw_catalog_price { /* Billionths of a dollar for a million tokens. */
    uint64_t input, output;
    uint64_t cached_input; /* As input where none is told. */
};

struct sw_catalog_model {
    const char *name;                           /* What agents call it. */
    const char *upstream;                       /* What the provider calls it. */
    unsigned abilities;                         /* enum sw_model_ability; never 0. */
    uint32_t context_tokens, max_output_tokens; /* 0: not known. */
    struct sw_catalog_price price;
};

struct sw_catalog_key { /* Where a key is. */
    const char *namespace_name, *secret, *key;
};

struct sw_catalog_provider {
    const char *name;
    const char *base_url; /* Without '/' at its end. */
    unsigned apis;        /* enum sw_provider_api; never 0. */
    bool has_key;
    struct sw_catalog_key key;
    const struct sw_catalog_model *models;
    size_t models_count;
    uint32_t concurrency, requests_per_minute; /* 0: any number. */
    uint64_t tokens_per_minute;                /* 0: any number. */
    uint64_t timeout_ms, first_byte_timeout_ms;
    uint32_t retries; /* After the first try. */
    uint64_t backoff_ms, max_backoff_ms;
    bool has_cache;
    uint64_t cache_ttl_ms, cache_bytes;
    uint32_t priority; /* The lower is asked first. */
    const char *const *namespaces;
    size_t namespaces_count; /* 0: all. */
};

/* Read a ModelProvider that was admitted, with its defaults.  SW_E_INVALID: a text in it is none
 * that admission lets through; err names it.  SW_E_EXHAUSTED: the arena is full. */
SW_MUST_CHECK enum sw_rc sw_catalog_read_provider(const struct sw_api_model_provider *object,
                                                  struct sw_arena *arena,
                                                  struct sw_catalog_provider *ret_provider,
                                                  struct sw_err *err);
#define SW_CATALOG_UNBOUNDED UINT64_MAX

struct sw_catalog_limits { /* SW_CATALOG_UNBOUNDED where nothing is said. */
    uint64_t money, tokens, calls;
    uint64_t wall_ns;
    uint64_t depth;
};

struct sw_catalog_budget {
    const char *namespace_name; /* "": of the whole cluster. */
    const char *agent;          /* "": of all Agents together. */
    struct sw_catalog_limits own, instance, turn;
    enum sw_api_budget_period period; /* Never UNSPECIFIED. */
};

/* Read a Budget, or the one of the Cluster, which bounds nothing if it is not set. Errors as
 * sw_catalog_read_provider. */
SW_MUST_CHECK enum sw_rc sw_catalog_read_budget(const struct sw_api_budget *object,
                                                struct sw_catalog_budget *ret_budget,
                                                struct sw_err *err);
SW_MUST_CHECK enum sw_rc sw_catalog_read_root(const struct sw_api_cluster *object,
                                              struct sw_catalog_budget *ret_budget,
                                              struct sw_err *err);
/* Whether something that `before` bounded is bounded higher, or not at all, by `after` (NULL: there
 * is no budget any more), in its own limits, those of an instance or those of a turn, or begins
 * anew sooner. Appends what, from and to, as "limits.money from 1.00 to 2.00, turn.calls from 5 to
 * any number". */
bool sw_catalog_is_raised(const struct sw_catalog_budget *before,
                          const struct sw_catalog_budget *after, struct sw_buffer *out);
