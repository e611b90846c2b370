/* The past of an instance while it is gathered and gone through; seen by past.c and past_gather.c
 * only.
 *
 * Threads, I/O, Limits: as past.h. */
#pragma once
#include "pkg/agent/runtime/actor/past.h"
#include "pkg/agent/runtime/actor/replay.h"

#define PODS_MAX 4096u   /* Of one Agent, in the journal's whole life. */
#define TRIES_MAX 64u    /* Each fails only if a snapshot counts while the journal is read. */
#define FOLLOWS_MAX 256u /* Of the journal's end, for a snapshot that is there. */
#define SAME_MAX 3u      /* So often in a row for the same reason, without another snapshot. */

struct item { /* A record. */
    uint64_t lsn, number;
    size_t at, size; /* In past->bytes. */
    /* Which turn it is of is not known: a number that it is not beyond. It changed the state, and
     * is not shown. */
    bool is_hidden;
};

/* The instance as it was at the point of a snapshot: one that begins what a file of history holds,
 * or the one that counts. */
struct past_point {
    uint64_t last_lsn, state_lsn, number; /* number: of the last turn before it. */
    bool has_base;
    uint64_t base_lsn, base_number; /* has_base: an image is there, of before its tail. */
    uint64_t whole_from;            /* From this record on its tail has all that changed it. */
    uint32_t base_spec;             /* Under which it was then. */
    bool is_on_file;                /* Or else its block is past->kept. */
    size_t file;                    /* In past->files, */
    uint64_t at;                    /* and where its block stands there. */
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
    struct sw_snapshot *held;          /* Its file, open; NULL: it was not there any more. */
    struct sw_snapshot **files;        /* Of history, ascending, open; owned. */
    size_t files_count, files_skipped; /* skipped: the oldest, which are not looked at. */
    bool is_in_files;
    size_t file;           /* While is_in_files: which one. */
    uint64_t id;           /* 0: nobody is found yet. */
    uint64_t newest_lsn;   /* Of what was found of it. */
    bool is_over, is_kept; /* is_kept: the snapshot that counts has it, in `kept`. */
    /* Of what failed since its last change of state nothing may be left at a point but what that
     * made of its actor. */
    struct sw_buffer points;      /* struct past_point, ascending. */
    struct sw_buffer kept, block; /* Blocks: of the snapshot; the one that is looked at. */
    uint8_t seed[16];
    uint64_t memory_bytes;
    struct sw_pod *pod;
    struct sw_instance *instance;
    struct sw_replay replay;
    uint64_t stands_at;            /* The number after whose turn it is; UINT64_MAX: nowhere. */
    struct sw_buffer module;       /* That is run instead; empty: as recorded. */
    struct sw_buffer image, state; /* Of the guest: saved; what it hands over. */
    uint64_t failed_lsn; /* The snapshot that counted at the last try, which failed: why, */
    unsigned failures;   /* and how many before it for the same reason. */
    char failure[SW_ERR_MESSAGE_MAX];
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

static inline size_t points_count(const struct sw_past *past)
{
    return past->points.size / sizeof(struct past_point);
}

static inline struct past_point *point_at(const struct sw_past *past, size_t index)
{
    return (struct past_point *)(void *)past->points.data + index;
}

/* The point that is right behind that record.  NULL: there is none. */
static inline const struct past_point *point_behind(const struct sw_past *past, uint64_t lsn)
{
    for (size_t i = points_count(past); i > 0; i--)
        if (point_at(past, i - 1)->last_lsn == lsn)
            return point_at(past, i - 1);
    return NULL;
}

static inline bool is_counted(const struct sw_record_segment *segment)
{
    return segment->entry != SW_ENTRY_IMAGE && segment->entry != SW_ENTRY_FORK;
}

/* --- past_gather.c ---------------------------------------------------------------------------- */

/* Read it all, as sw_past_open says: past->options and past->err are set. */
SW_MUST_CHECK enum sw_rc sw_past_gather(struct sw_past *past);
/* Nothing of it is read any more. */
void sw_past_close_files(struct sw_past *past);
