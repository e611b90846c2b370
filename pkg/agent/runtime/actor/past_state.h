/* The past of an instance while it is gathered and gone through; seen by past.c and past_gather.c
 * only.
 *
 * Threads, I/O, Limits: as past.h. */
#pragma once
#include "pkg/agent/runtime/actor/past.h"
#include "pkg/agent/runtime/actor/replay.h"

#define PODS_MAX 4096u /* Of one Agent, in the journal's whole life. */
#define TRIES_MAX 16u  /* The host takes no snapshots so fast that this would not do. */

struct item { /* A record. */
    uint64_t lsn, number;
    size_t at, size; /* In past->bytes. */
};

struct past_pod {
    uint64_t number;
    uint8_t hash_key[16];
};

struct sw_past {
    struct sw_past_options options;
    struct sw_buffer bytes;         /* All records, with their bodies where these are kept. */
    struct sw_buffer items;         /* struct item, ascending by lsn when all is gathered. */
    struct past_pod pods[PODS_MAX]; /* Of the Agent. */
    uint32_t pods_count;
    struct sw_record_snapshot snapshot; /* lsn 0: none counts. */
    char snapshot_name[SW_SNAPSHOT_NAME_MAX];
    uint64_t id; /* 0: nobody is found yet. */
    bool is_over, has_base;
    struct sw_base base; /* has_base: of the snapshot. */
    uint64_t base_number;
    /* What the snapshot has of it at its point. Of what failed since its last change of state
     * nothing may be left but what that made of its actor. */
    struct sw_buffer point_actor; /* Empty: the snapshot has nothing of it. */
    uint64_t point_lsn, point_number;
    uint32_t base_spec; /* Under which it was when it was saved. */
    uint8_t seed[16];
    uint64_t memory_bytes;
    struct sw_pod *pod;
    struct sw_instance *instance;
    struct sw_replay replay;
    uint64_t stands_at;            /* The number after whose turn it is; UINT64_MAX: nowhere. */
    struct sw_buffer module;       /* That is run instead; empty: as recorded. */
    struct sw_buffer image, state; /* Of the guest: saved; what it hands over. */
    struct sw_err *err;
};

static inline enum sw_rc sw_past_no_memory(struct sw_err *err)
{
    return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the past of an instance");
}

static inline size_t items_count(const struct sw_past *past)
{
    return past->items.size / sizeof(struct item);
}

static inline struct item *item_at(const struct sw_past *past, size_t index)
{
    return (struct item *)(void *)past->items.data + index;
}

static inline struct sw_record_segment segment_of(const struct sw_past *past,
                                                  const struct item *item)
{
    struct sw_record record = {0};
    enum sw_rc rc =
        sw_record_take((struct sw_bytes){past->bytes.data + item->at, item->size}, &record, NULL);

    (void)rc; /* It was taken before. */
    return record.segment;
}

/* Whether that is the record before the point of the snapshot. */
static inline bool follows_point(const struct sw_past *past, uint64_t previous)
{
    return past->point_actor.size > 0 && previous == past->point_lsn;
}

static inline bool is_counted(const struct sw_record_segment *segment)
{
    return segment->entry != SW_ENTRY_IMAGE && segment->entry != SW_ENTRY_FORK;
}

/* --- past_gather.c ---------------------------------------------------------------------------- */

/* Read it all, as sw_past_open says: past->options and past->err are set. */
SW_MUST_CHECK enum sw_rc sw_past_gather(struct sw_past *past);
