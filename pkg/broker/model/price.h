/* What a call may cost and did cost. Pure.
 *
 * Threads, I/O, Limits: none. */
#pragma once
#include "pkg/broker/model/model.h"

/* A token is at least a byte of what is read, and a message has some more around it. */
#define MODEL_MESSAGE_TOKENS 16u
/* No token of the vocabularies in use is longer. */
#define MODEL_TOKEN_BYTES_MAX 128u

struct model_worst { /* The most that one attempt can cost. */
    uint64_t input_tokens, output_tokens;
    uint64_t output_stated; /* What the upstream is told of it, for each choice. */
    struct sw_budget_amount amount;
};

void sw_model_worst_case(const struct sw_wire_view *view, const struct sw_model *model,
                         struct model_worst *ret_worst);
/* What the tokens cost, in billionths of a dollar, rounded up. */
uint64_t sw_model_cost_nano(const struct sw_model_price *price, uint64_t input_tokens,
                            uint64_t cached_tokens, uint64_t output_tokens);
/* Hold what an upstream reports between what can be; what it does not report is our own count.
 * False: it was outside. */
bool sw_model_usage_hold(const struct sw_wire_view *view, const struct model_worst *worst,
                         struct sw_wire_usage *usage);
