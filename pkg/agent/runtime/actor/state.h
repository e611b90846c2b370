/* What a worker is made of; seen by this room's files only.
 *
 * Threads, I/O, Limits: as worker.h. */
#pragma once
#include "pkg/agent/runtime/actor/asleep.h"
#include "pkg/agent/runtime/actor/bodies.h"
#include "pkg/agent/runtime/actor/deliver.h"
#include "pkg/agent/runtime/actor/dispatch.h"
#include "pkg/agent/runtime/actor/instance.h"
#include "pkg/agent/runtime/actor/overtake.h"
#include "pkg/agent/runtime/actor/pod.h"
#include "pkg/agent/runtime/actor/program.h"
#include "pkg/agent/runtime/actor/ready.h"
#include "pkg/agent/runtime/actor/waiting.h"
#include "pkg/agent/runtime/actor/ways.h"
#include "pkg/agent/runtime/actor/worker.h"
#include "pkg/utils/base/heap.h"
#include "pkg/utils/base/idmap.h"
#include "pkg/utils/base/list.h"

#define SW_STATUS_INTERVAL_NS 200000000u
#define SW_BACKOFF_FIRST_NS 100000000u
#define SW_BACKOFF_MAX_NS 30000000000u
#define SW_IMAGES_BYTES_MAX (64u << 20)
#define SW_IMAGE_TAIL_MAX 64u /* Segments replayed on an image before a newer one is made. */

/* Index of a message that is no effect but follows from a record: its failure, or the end of its
 * instance (plus the number of the open handle). */
#define SW_INDEX_FAILURE UINT32_MAX
#define SW_INDEX_RETRY (UINT32_MAX - 1)    /* Its input, that nobody durable had sent. */
#define SW_INDEX_RECEIVED (UINT32_MAX - 2) /* The failure of a message that a turn received. */
#define SW_INDEX_ENDED 0x80000000u

/* It begins a line of the processor's cache. What each message looks at stands in the last four,
 * and in three of them what its delivery does. There may be a million: each byte counts. */
#define SW_INSTANCE_LINE 64u
struct sw_instance {
    struct sw_list capture; /* In worker->captured, worker->uncaptured, or pod->resting. */
    struct sw_image *image; /* NULL: rebuilt from the snapshot or its first record. */
    uint64_t stored_at[2];  /* In the snapshot that counts, and in the new one; 0: nowhere. */
    uint32_t stored_generation[2];
    uint64_t memory_bytes : 40; /* Limit for life. */
    uint64_t pages : 24;        /* Of its memory, as usage.h counts them; by records, if it has. */
    struct sw_message *answer;  /* What ends its wait; NULL: nothing has yet. */
    struct sw_rate rate;        /* Of messages to it. */
    uint32_t refused;           /* Number of the spec to which it could not be upgraded; 0: none. */
    uint16_t start_failures;
    uint16_t tail;         /* Records since its last that holds all (image.h). */
    struct sw_actor actor; /* Its end is the first of those lines, with */
    struct sw_turn_random random;
    struct sw_pod *pod;
    struct sw_guest *guest;     /* NULL: asleep, or nothing was entered yet. */
    const struct sw_spec *spec; /* That it runs under; NULL: nothing ran yet. */
    uint64_t id;
    struct sw_item *mailbox[SW_PRIORITIES];
    struct sw_ready_link ready;
    uint64_t epoch;             /* Highest that it depends on. */
    uint32_t waiting;           /* Messages in all mailboxes. */
    uint32_t captured;          /* Generation of the snapshot that it was last captured for. */
    struct sw_passed *passed;   /* Its segment that others passed (overtake.h); NULL: none. */
    struct sw_held *held;       /* retry.h; NULL: nothing waits to be tried again. */
    uint64_t retry_ns;          /* After a failed start or load: not before. */
    struct sw_heap_entry timer; /* At its earliest timer or retry. */
    struct sw_message *handled; /* Its turn's that waits, if nobody would hear that it failed. */
    uint16_t waiter;            /* Its place in worker->waiters, from 1, while it stands there. */
    uint16_t placed;            /* When it was put into pod->resting, in part (resting.c). */
    uint8_t fullness : 2;       /* enum sw_fullness as on the board. */
    bool is_resting : 1;        /* It stands in pod->resting, or does when it was captured. */
    bool is_started : 1;        /* on_start is done. */
    bool is_parked : 1;         /* It does not run any more: its state cannot be rebuilt. */
    bool is_over_rate : 1;      /* Told on the board. */
    bool is_expiring : 1; /* It was idle for too long, and ends unless something came meanwhile. */
    bool is_stopping : 1; /* on_stop is next, then it is gone. */
    bool is_leaving : 1;  /* Its slot is to move: it begins nothing before that. */
    bool is_hibernated : 1; /* Its image was made for as long as it waits. */
    bool is_counted_failing : 1;
    bool has_trapped : 1; /* Since it was last rebuilt without need: keep an image. */
    bool wants_rest : 1;  /* It is to be rebuilt, to sleep then. */
    bool is_metered : 1;  /* Its records say what it used, which stands behind its key. */
    bool is_woken : 1;    /* Since its last segment. */
    bool wants_image : 1; /* A snapshot could take its records only, or there are many of them. */
    uint8_t image_delay : 3; /* So often its tail doubles before that is looked at again. */
    uint8_t key_size;
    char key[];
};

#define SW_INSTANCE_USED_AT                                                                        \
    (offsetof(struct sw_instance, actor) + offsetof(struct sw_actor, wait) +                       \
     offsetof(struct sw_wait, kind))
_Static_assert(SW_INSTANCE_USED_AT == 3 * SW_INSTANCE_LINE &&
                   offsetof(struct sw_instance, pod) == 4 * SW_INSTANCE_LINE &&
                   offsetof(struct sw_instance, held) == 6 * SW_INSTANCE_LINE,
               "what is looked at together is together");

#define SW_INSTANCE_MEMORY_MAX (((uint64_t)1 << 40) - 1)
#define SW_INSTANCE_PAGES_MAX ((1u << 24) - 1)

#define SW_FOUND_BITS 19 /* Of places in which whom a message was for is remembered. */

struct sw_target { /* A subscriber found by a publish of this segment. */
    uint32_t effect;
    uint64_t instance, pod;
};

struct sw_worker {
    struct sw_worker_options options;
    struct sw_shared *shared;
    struct sw_guest_engine engine;
    struct sw_routes *routes;
    struct sw_ways *ways;
    struct sw_map *pods;        /* By number. */
    struct sw_map *programs;    /* struct sw_program by digest. */
    struct sw_idmap *instances; /* By id. */
    /* Whom messages were for, by what these name them with, in 2^SW_FOUND_BITS places: the next
     * message for the same need not look it up. */
    struct sw_instance **found;
    struct sw_expected expected;
    uint64_t removals; /* How often one went. */
    struct sw_item *inbox;
    struct sw_item **sent; /* A queue per worker. */
    struct sw_output *outputs, *outputs_last;
    struct sw_ready ready;
    struct sw_heap timers;
    struct sw_list dirty;   /* Pods whose status is to be told. */
    struct sw_list metered; /* Pods of which something is to be settled, by meter_ns. */
    uint64_t meter_ns;
    uint64_t timed_ns;    /* Of the monotonic clock: all time before is somebody's usage. */
    uint64_t slices_ns;   /* That the segment which has ended had before it was passed. */
    uint64_t memory_seen; /* What *engine.memory was when it was looked at. */
    /* Instances that wait and are awake, the longest first, with gaps where some went on. */
    struct sw_instance *waiters[SW_WAITERS_RING];
    uint32_t waiters_first, waiters_end, waiters_count;
    /* Of the newest snapshot that was begun: its generation; who was saved for it, or need not be;
     * and who was not yet (capture.h). */
    uint32_t generation;
    bool is_swept; /* Nobody is left. */
    struct sw_list captured, uncaptured, uncaptured_pods;
    struct sw_rest rest;               /* Those who sleep, and who is to. */
    struct sw_sleeper *sleeper;        /* Whose records are being copied; NULL: nobody's. */
    uint64_t now_ns, monotonic_ns;     /* The clock of records, and when it was last looked at. */
    uint32_t unclocked, unclocked_max; /* Segments since then, not charged yet; how many may be. */
    struct sw_hand_on hand_on;
    uint64_t last_replica;
    uint64_t output_epoch, appended_epoch; /* Of the last output; of the last record. */
    struct sw_turn turn;
    struct sw_turn_host turn_host;
    struct sw_turn_watch turn_watch;
    struct sw_passing passing;
    struct sw_spares spares;
    struct sw_instance *running;              /* Whose segment runs now, */
    const struct sw_origin *running_origin;   /* who sent what it handles, */
    const struct sw_message *running_message; /* and that; NULL: it handles no message. */
    bool has_ask;                             /* It has an ask in shared->waits, for which */
    struct sw_ask answered;                   /* this one was set aside; instance 0: none. */
    uint64_t fanout;                          /* Deliveries that its publishes ask for, at most. */
    uint32_t reserved;                        /* Subscriptions that it has room for. */
    struct sw_quota *storage_quota;           /* Of which so much is reserved for it (storage.h). */
    uint64_t storage_reserved;
    uint64_t storage_given; /* What runs gives so much back when it has ended. */
    struct sw_guest_outcome outcome;
    struct sw_buffer packed, record, frame, replay, body, image, targets, block;
    struct sw_bodies bodies;
    uint64_t images_bytes, packed_bytes; /* Of images; packed: of those that are hibernated. */
    int64_t counted_bytes; /* Of messages, and not told to shared->queued_bytes yet. */
    struct sw_worker_view counts;
    struct sw_err failure;
};

/* Whether there is a guest whose memory is as the last record left it. */
static inline bool sw_instance_is_awake(const struct sw_instance *instance)
{
    return instance->guest != NULL && instance->passed == NULL;
}

static inline struct sw_bytes sw_instance_key(const struct sw_instance *instance)
{
    return (struct sw_bytes){instance->key, instance->key_size};
}

/* What a durable instance used, by its records. */
static inline struct sw_usage *sw_instance_used(struct sw_instance *instance)
{
    size_t at = offsetof(struct sw_instance, key) + instance->key_size;

    at = (at + _Alignof(struct sw_usage) - 1) / _Alignof(struct sw_usage) *
         _Alignof(struct sw_usage);
    return (struct sw_usage *)(void *)((char *)instance + at);
}

/* Tell how many bytes of messages wait: what was counted here. */
static inline void sw_worker_settle_bytes(struct sw_worker *worker)
{
    if (worker->counted_bytes != 0)
        atomic_fetch_add_explicit(&worker->shared->queued_bytes, worker->counted_bytes,
                                  memory_order_relaxed);
    worker->counted_bytes = 0;
}

/* So many bytes of messages begin to wait, or do no more. */
static inline void sw_worker_count_bytes(struct sw_worker *worker, int64_t bytes)
{
    worker->counted_bytes += bytes;
    if (worker->counted_bytes > SW_COUNTED_BYTES_MAX ||
        worker->counted_bytes < -SW_COUNTED_BYTES_MAX)
        sw_worker_settle_bytes(worker);
}

/* Of messages that wait in the host. */
static inline int64_t sw_worker_queued_bytes(const struct sw_worker *worker)
{
    return atomic_load_explicit(&worker->shared->queued_bytes, memory_order_relaxed) +
           worker->counted_bytes;
}

/* Take a message out of what the namespace of a Pod may have in a second. False: there is no room
 * before *ret_room_ns. */
static inline bool sw_deliver_may_take(struct sw_worker *worker, struct sw_pod *pod,
                                       uint64_t *ret_room_ns)
{
    if (atomic_load_explicit(&worker->shared->accounts.rated, memory_order_relaxed) == 0 ||
        sw_pod_quota(pod) == NULL ||
        sw_quota_take_message(sw_pod_quota(pod), &pod->account->turn, worker->now_ns, ret_room_ns))
        return true;
    sw_throttle_note(worker, pod, SW_FRAME_LIMIT_QUOTA_MESSAGES);
    return false;
}

/* --- worker.c --------------------------------------------------------------------------------- */

/* Something that a host cannot live with: it stops before anything more leaves. */
void sw_worker_fail(struct sw_worker *worker, enum sw_rc rc, const char *words);
void sw_worker_look_at_clock(struct sw_worker *worker);
/* Look at it, and charge what ran since the last look to whose it was. */
void sw_worker_charge(struct sw_worker *worker);
/* What the Agent of an instance used and no record has said yet; now one does. More than a record
 * can say stays for the next one. */
uint32_t sw_worker_take_time(struct sw_worker *worker, const struct sw_instance *instance);

/* --- enter.c ---------------------------------------------------------------------------------- */

/* What runs from here on has that name, if the host crashes (suspects.h). A suspect runs alone.
 * False: it is not to run at all, after too many crashes. */
bool sw_note_begin(struct sw_worker *worker, const struct sw_note *note);
void sw_note_end(struct sw_worker *worker, const struct sw_note *note); /* The same one. */

/* --- segment.c -------------------------------------------------------------------------------- */

/* Append a record outside of a segment. */
enum sw_rc sw_worker_append(struct sw_worker *worker, const struct sw_record *record,
                            struct sw_journal_place *ret_place);
