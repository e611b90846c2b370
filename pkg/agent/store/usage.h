/* What was used: the processor, messages, memory over time. By an instance, an Agent, a namespace.
 *
 * Memory counts in pages of SW_USAGE_PAGE_BYTES, begun ones as whole, whether its instance is awake
 * or asleep; over time in page milliseconds, by the clock of records in whole milliseconds, so that
 * many short times sum up to the same as one long one.
 *
 * Threads: pure functions.  I/O: none.  Limits: sums wrap at 2^64, which nothing comes to. */
#pragma once
#include "pkg/agent/store/effect.h"

#define SW_USAGE_PAGE_BYTES 65536u
#define SW_USAGE_MS_NS 1000000u

struct sw_usage {
    uint64_t cpu_ns;            /* Processor time. */
    uint64_t handled, bytes_in; /* Messages that came to a handler, each try; their bodies. */
    uint64_t sent, bytes_out;   /* Sends, publishes, replies, asks and calls; their bodies. */
    uint64_t wakeups;           /* Memories that were made again after a sleep or a failure. */
    uint64_t page_ms;           /* Of memory. */
    uint64_t fuel;              /* Where engines count it. */
};

struct sw_record_usage { /* What an Agent used that no SEGMENT says; in snapshots, all that it did.
                          */
    struct sw_bytes name_space, agent,
        agent_uid; /* Snapshots: agent_uid empty: of the namespace. */
    uint64_t time_ns;
    bool is_last;           /* The Agent is gone. */
    uint64_t history_bytes; /* Snapshots: that its history may take; 0: it keeps none. */
    struct sw_usage used;
};

static inline uint64_t sw_usage_pages(uint64_t bytes)
{
    return (bytes + SW_USAGE_PAGE_BYTES - 1) / SW_USAGE_PAGE_BYTES;
}

/* Whether an effect of that kind is one of those sent. */
static inline bool sw_usage_counts_effect(uint32_t kind)
{
    const uint32_t kinds = 1u << SW_EFFECT_SEND | 1u << SW_EFFECT_PUBLISH | 1u << SW_EFFECT_REPLY |
                           1u << SW_EFFECT_ASK | 1u << SW_EFFECT_CALL;

    return (kinds & 1u << kind) != 0;
}

void sw_usage_add(struct sw_usage *sum, const struct sw_usage *more);
bool sw_usage_is_zero(const struct sw_usage *usage);
/* Sends, publishes, replies, asks and calls among effects as effect.h writes them. */
void sw_usage_add_effects(struct sw_usage *sum, struct sw_bytes effects);

void sw_usage_put(const struct sw_usage *usage, struct sw_buffer *out);
void sw_usage_take(struct sw_reader *reader, struct sw_usage *ret_usage);
void sw_record_usage_put(const struct sw_record_usage *record, struct sw_buffer *out);
void sw_record_usage_take(struct sw_reader *reader, struct sw_record_usage *ret_record);
/* For people, behind a space each: cpu=..ns handled=.. and so on. */
void sw_usage_print(const struct sw_usage *usage, struct sw_buffer *out);
