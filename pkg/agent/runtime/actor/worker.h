/* A worker: Pods and their instances, run one segment at a time by one thread.
 *
 *     items in -> mailboxes -> ready instances, by priority -> segment -> journal record
 *                                                                  |-> items to other workers
 *                                                                  '-> outputs, each with its epoch
 *
 * It has no thread, clock or queue between threads of its own: whoever drives it hands items in,
 * lets it run, and carries what comes out. The agent host does so with threads and rings, tests and
 * the simulator in a loop. That loop may be given to it as strands, so that long segments let
 * others pass (overtake.h): it is run by one of them after the other, and each returns from it when
 * sw_strands_is_replaced after sw_worker_run.
 *
 * Threads: one at a time.  I/O: the clock and the random source of struct sw_system; the journal.
 * Limits: SW_MAILBOX_SPILL times a mailbox; SW_QUEUED_BYTES_MAX in the host. */
#pragma once
#include "pkg/agent/link/frame.h"
#include "pkg/agent/runtime/actor/guest.h"
#include "pkg/agent/runtime/actor/message.h"
#include "pkg/agent/runtime/actor/routes.h"
#include "pkg/agent/runtime/actor/shared.h"
#include "pkg/agent/store/snapshot.h"

#define SW_WORKERS_MAX 256u
#define SW_WORKER_STRANDS 321u /* That it can make use of: one, and those of long segments. */
#define SW_MAILBOX_SPILL 8u    /* Publishing to an instance is refused at so many mailboxes full. */

struct sw_worker;  /* Opaque. */
struct sw_pod;     /* Opaque; of one worker. */
struct sw_strands; /* Opaque (pkg/utils/strands). */

struct sw_worker_options {
    struct sw_shared *shared; /* Borrowed; outlives the worker. */
    struct sw_guest_engine engine;
    uint32_t index, count;      /* This worker, of so many. */
    struct sw_strands *strands; /* Borrowed; NULL: long segments are not passed. */
};

SW_MUST_CHECK enum sw_rc sw_worker_new(const struct sw_worker_options *options,
                                       struct sw_worker **ret_worker, struct sw_err *err);
void sw_worker_free(struct sw_worker *worker);
SW_DEFINE_CLEANUP(struct sw_worker, sw_worker_free)

/* --- Items ----------------------------------------------------------------------------------- */

struct sw_pod_config { /* What a Pod is to be. Texts are borrowed unless in an item. */
    uint64_t pod;      /* Number. */
    struct sw_bytes uid, name_space, agent, agent_uid, digest, config;
    enum sw_abi_class class; /* Of engine, that the module is run in. */
    uint64_t generation;
    uint8_t slots[SW_SLOTS / 8];
    bool is_keyed, is_durable;
    bool resets; /* A changed program begins with empty state instead of upgrading. */
    uint32_t replicas, priority, deadline_ms, mailbox, instances_max;
    uint64_t memory_bytes, body_bytes;
    uint64_t fuel_max;       /* Of a segment; 0: any, and the class of engine counts none. */
    uint32_t retry_attempts; /* So often a message is tried before it is parked. */
    uint64_t retry_first_ns, retry_max_ns; /* Waits in between: doubled from the first on. */
    uint64_t rest_ns;        /* Who does nothing for so long may sleep; UINT64_MAX: never. */
    uint64_t idle_ns;        /* Keyed instances are deleted when idle for so long; 0: never. */
    uint32_t timers_max;     /* Of an instance; 0: SW_TIMERS_MAX. */
    uint32_t messages_per_s; /* To an instance; 0: any number. */
    uint32_t children_per_s; /* That the sends of an instance bring to life; 0: any number. */
    uint32_t weight;         /* Of its Agent among those of its namespace; 0: SW_WEIGHT_STANDARD. */
    struct sw_history_policy history;
};

struct sw_item_pod_open {
    struct sw_item item;
    struct sw_guest_module *module; /* One reference, taken over. */
    struct sw_pod_config config;
};
struct sw_item_program { /* A module that an instance may wait for. */
    struct sw_item item;
    struct sw_guest_module *module; /* One reference, taken over. */
    struct sw_bytes program;        /* Its name: class.h. */
};
struct sw_item_program_ask { /* Whether anybody needs it. Goes through all workers as a list does.
                              */
    struct sw_item item;
    uint64_t request, epoch;
    struct sw_bytes digest;
    bool is_needed; /* So far. */
};
struct sw_item_quota_ask { /* What a namespace has under the QUOTA of that number. Goes through all
                              workers, so that what they began before the QUOTA came is there. */
    struct sw_item item;
    uint64_t number;
    struct sw_bytes name_space;
};
struct sw_item_pod_close {
    struct sw_item item;
    uint64_t pod;
    bool discard;
};
struct sw_item_route {
    struct sw_item item;
    struct sw_route_change change;
};
struct sw_item_publish { /* From outside. */
    struct sw_item item;
    uint64_t request;
    struct sw_bytes name_space, subject, type, body, request_id;
    uint32_t priority;
};
struct sw_item_list { /* Goes through all workers; the last one answers (lists.h). */
    struct sw_item item;
    uint64_t request, epoch;
    struct sw_bytes name_space, agent, prefix;
    uint32_t states, limit, count; /* States: bits. count: rows so far. */
    bool is_count;                 /* Count them instead. */
    bool has_hash_key;
    uint8_t hash_key[16];             /* Of the Agent: it orders the list. */
    uint64_t from, until;             /* The places that it tells all of, until exclusive. */
    uint64_t counts[SW_FRAME_STATES]; /* If is_count. */
    struct sw_buffer entries;         /* So far: as sw_frame_instance_put writes, in order. */
};

struct sw_item_letters { /* Dead letters; goes through all workers as a list does. */
    struct sw_item item;
    uint64_t request, epoch, after;
    struct sw_bytes name_space, agent, key; /* key empty: of all instances. */
    uint32_t limit, count;
    bool with_body, has_more;
    struct sw_buffer entries; /* So far: as sw_frame_letter_put writes, ascending by number. */
};
struct sw_item_letters_change { /* The same, to deliver them again or drop them. */
    struct sw_item item;
    uint64_t request, epoch, number, count; /* number 0: all. count: so far. */
    struct sw_bytes name_space, agent, key;
    bool is_drop;
};

struct sw_list_reads; /* Opaque (lists.h). */

struct sw_item_read { /* A block of the shelf for a worker. */
    struct sw_item item;
    uint32_t worker;
    struct sw_list_reads *list; /* Or else what a list shows of several; NULL: no list. */
    uint64_t place;
    bool is_move; /* It is to be moved: who it is stands in what follows. */
    uint32_t slot, hash;
    uint64_t pod;
    enum sw_rc rc; /* Of reading it. */
    struct sw_err err;
    struct sw_buffer block;
    struct sw_snapshot_instance saved; /* Borrows from block. */
};
/* NULL: no memory. */
struct sw_item_read *sw_item_read_new(uint32_t worker, uint64_t place);
/* Read it, which may wait for the disk; then it is for sw_worker_put. Any thread. */
void sw_item_read_run(struct sw_shared *shared, struct sw_item_read *item);

/* Copies with their texts in one allocation.  NULL: no memory (the module stays with the caller).
 * Free with sw_item_free, or hand over with sw_worker_put. */
struct sw_item *sw_item_pod_open_new(const struct sw_pod_config *config,
                                     struct sw_guest_module *module);
struct sw_item *sw_item_program_new(struct sw_bytes program, struct sw_guest_module *module);
struct sw_item *sw_item_program_ask_new(uint64_t request, struct sw_bytes digest);
struct sw_item *sw_item_quota_ask_new(uint64_t number, struct sw_bytes name_space);
struct sw_item *sw_item_pod_close_new(uint64_t pod, bool discard);
struct sw_item *sw_item_route_new(const struct sw_route_change *change);
struct sw_item *sw_item_publish_new(const struct sw_item_publish *publish);
struct sw_item *sw_item_list_new(const struct sw_item_list *list);
struct sw_item *sw_item_letters_new(const struct sw_item_letters *letters);
struct sw_item *sw_item_letters_change_new(const struct sw_item_letters_change *change);
void sw_item_free(struct sw_item *item, const struct sw_guest_engine *engine);

/* --- Driving --------------------------------------------------------------------------------- */

struct sw_output { /* A frame for swarmd. */
    struct sw_output *next;
    uint64_t epoch; /* It may leave once this epoch is durable. */
    size_t size;
    uint8_t bytes[];
};

/* Take an item in; owned from here on. */
void sw_worker_put(struct sw_worker *worker, struct sw_item *item);
/* Take in what was put, fire timers that are due, and run at most segments_max segments, or as many
 * as begin within a millisecond. If that is not 0, do some more for a snapshot that is being taken
 * (snapshot.h). Returns how many ran. Nothing runs while the journal has no room or while
 * shared->wants_still. Between two calls, with nothing in `sent` of any worker, all of them are at
 * rest: that is the moment at which they may be looked at and changed together. */
uint32_t sw_worker_run(struct sw_worker *worker, uint32_t segments_max);
/* Have a segment that others passed (overtake.h) go on for a while, and begin none; memories that
 * are rebuilt are given up. Before the end, until there are no more. False: there was none. */
bool sw_worker_finish(struct sw_worker *worker);
/* Put down what its volatile instances used since it did so by itself: at a clean stop. */
void sw_worker_settle(struct sw_worker *worker);
/* Whether sw_worker_run would find something to do now, the journal's room aside. */
bool sw_worker_has_work(const struct sw_worker *worker);
/* How long until the next timer is due, in ns by the worker's own clock; UINT64_MAX: none is. */
uint64_t sw_worker_wait_ns(struct sw_worker *worker);
/* The next item for worker `target`, now the caller's; NULL: none. */
struct sw_item *sw_worker_sent(struct sw_worker *worker, uint32_t target);
/* The next block that is to be read for this worker, now the caller's; NULL: none. */
struct sw_item_read *sw_worker_read(struct sw_worker *worker);
/* The next output, now the caller's (free it); NULL: none. Epochs never descend. */
struct sw_output *sw_worker_output(struct sw_worker *worker);
/* SW_OK, or why this host must stop (no memory, the journal). */
enum sw_rc sw_worker_failure(const struct sw_worker *worker, struct sw_err *err);

struct sw_worker_view { /* Counts since the start, but for the first five. */
    uint64_t pods, instances, waiting, memory_bytes, packed_bytes;
    uint64_t segments, failures, sends, publishes, replies, refused, replayed;
    uint64_t retried, parked; /* Messages and timers. */
    uint64_t expired;         /* Instances that were idle for too long. */
    uint64_t asleep;          /* Instances on the shelf; among `instances`. */
    uint64_t hibernated, woken, moved;
    uint64_t calls; /* Of services, sent again after a restart included. */
};
void sw_worker_view(const struct sw_worker *worker, struct sw_worker_view *ret_view);
/* How often an instance of it went to sleep. */
uint64_t sw_worker_hibernated(const struct sw_worker *worker);
