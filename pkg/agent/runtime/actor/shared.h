/* What the workers of one host share: the journal, the subscriptions, and who is full.
 *
 * A segment that publishes or subscribes is appended to the journal under the bus's lock, so the
 * order of the journal is the order of subscriptions, and recovery finds the same subscribers.
 *
 * Threads: any; the locks stand in docs/LOCKS.md.  I/O: none here.
 * Limits: SW_QUEUED_BYTES_MAX of messages waiting in the whole host. */
#pragma once
#include "pkg/agent/runtime/actor/meter.h"
#include "pkg/agent/runtime/actor/rates.h"
#include "pkg/agent/runtime/actor/requests.h"
#include "pkg/agent/runtime/actor/spares.h"
#include "pkg/agent/runtime/actor/spec.h"
#include "pkg/agent/runtime/actor/suspects.h"
#include "pkg/agent/runtime/actor/waits.h"
#include "pkg/agent/store/journal.h"
#include "pkg/communication/pubsub/table.h"
#include "pkg/utils/base/idmap.h"
#include "pkg/utils/base/map.h"
#include "pkg/utils/base/slab.h"

#include <pthread.h>
#include <stdatomic.h>

#define SW_QUEUED_BYTES_MAX ((int64_t)1 << 30)
/* Clients are refused at half of it, so that what instances do for them can still end. */
#define SW_QUEUED_BYTES_EDGE_MAX ((int64_t)1 << 29)
#define SW_COUNTED_BYTES_MAX 65536
#define SW_HEAT_PODS 4096u
#define SW_FANOUT_MAX 262144u /* Deliveries of one segment's publishes, but for its first. */

struct sw_shelf;     /* pkg/agent/store/shelf.h */
struct sw_snapshots; /* capture.h */

struct sw_subscriber { /* An instance with subscriptions. */
    uint64_t instance, pod;
    uint32_t count; /* Subscriptions. */
    bool is_durable;
};

struct sw_bus {
    uint64_t subscriptions_max;     /* With what is reserved; set before workers run. */
    _Atomic uint64_t reserved;      /* That segments on their way may add. */
    pthread_mutex_t mutex;          /* Guards all below. */
    _Atomic uint64_t subscriptions; /* There are; read without the mutex. */
    struct sw_pubsub *table;
    struct sw_idmap *subscribers;  /* struct sw_subscriber by instance id. */
    struct sw_buffer found;        /* Of a match. */
    struct sw_requests *published; /* Publishes from outside that their clients named. */
};

enum sw_fullness {
    SW_NOT_FULL,
    SW_FULL,
    SW_OVERFULL,
    SW_REFUSING /* By its rate, and somebody who sends was. */
};

struct sw_board { /* Mailboxes that push back; usually empty, then looking costs one load. */
    _Atomic uint32_t full, overfull;
    pthread_mutex_t mutex; /* Guards map. */
    struct sw_map *map;    /* A mark for each fullness by sw_board_key. */
};

struct sw_instance_room { /* Where all instances are, which move between workers. */
    pthread_mutex_t mutex;
    struct sw_slabs slabs;
};

struct sw_shared {
    const struct sw_system *system;
    struct sw_journal *journal;
    uint64_t incarnation;                     /* Random; of this run of the host. */
    _Atomic uint64_t next_instance, next_pod; /* Numbers, never given twice in this journal. */
    _Atomic uint64_t next_letter;             /* Of volatile Pods. */
    /* But for up to SW_COUNTED_BYTES_MAX that each worker has counted and not told yet, so that
     * they do not all write here with each message; so it may be below 0 for a while. */
    _Atomic int64_t queued_bytes;
    _Atomic bool wants_still; /* Workers are to come to rest: sw_worker_run begins no segment. */
    struct sw_bus bus;
    struct sw_board board;
    struct sw_specs specs;
    struct sw_waits waits;
    struct sw_births births;
    struct sw_accounts accounts;
    struct sw_instance_room room;
    struct sw_suspects suspects;
    struct sw_depot depot;
    /* What Pods took of the processor, by number modulo SW_HEAT_PODS: told once a second. */
    _Atomic uint64_t heat_ns[SW_HEAT_PODS];
    struct sw_shelf *shelf; /* Where instances sleep; NULL: before recovery. */
    uint64_t shelf_bytes;   /* Of a file of it; 0: as shelf.h has it. */
    /* How much memory the process has; NULL: what guests have in each worker is looked at. */
    uint64_t (*used_bytes)(void *ctx);
    void *used_ctx;
    _Atomic uint64_t awake_bytes;   /* Memory of guests that there should be; 0: any. */
    struct sw_snapshots *snapshots; /* The one that counts, and the one being taken. */
    uint32_t image_tail; /* image.h; not 0, set before workers run: SW_IMAGE_TAIL_RECORDS. */
    char fingerprints[SW_ABI_CLASSES][SW_ABI_FINGERPRINT_SIZE]; /* Of the engine, in each class. */
};

SW_MUST_CHECK enum sw_rc sw_shared_init(struct sw_shared *shared, const struct sw_system *system,
                                        const char *fingerprint);
void sw_shared_done(struct sw_shared *shared);
/* The engine's fingerprint in a class; borrowed. */
struct sw_bytes sw_shared_fingerprint(const struct sw_shared *shared, enum sw_abi_class class);
/* Whether the engine replays what ran under a spec. */
bool sw_shared_replays(const struct sw_shared *shared, const struct sw_spec *spec);

/* Within which numbers of instances are never given twice: in the journal, or, for one that keeps
 * nothing, in this run of the host. Never 0. */
uint64_t sw_shared_incarnation(const struct sw_shared *shared, bool is_durable);

/* Keep room for one more subscription, without the mutex. False: there is none. */
bool sw_bus_reserve(struct sw_bus *bus);
/* So many were added, with the mutex, or are not wanted any more. */
void sw_bus_give_back(struct sw_bus *bus, uint64_t count);

/* --- The bus. The caller holds bus->mutex. --------------------------------------------------- */

/* Subscribing again to the same is fine. */
SW_MUST_CHECK enum sw_rc sw_bus_add(struct sw_bus *bus, const struct sw_subscriber *who,
                                    struct sw_bytes space, struct sw_bytes pattern);
void sw_bus_remove(struct sw_bus *bus, uint64_t instance, struct sw_bytes space,
                   struct sw_bytes pattern);
/* The subscribers of a subject, ascending by id, valid until the next call on this bus. */
size_t sw_bus_match(struct sw_bus *bus, struct sw_bytes space, struct sw_bytes subject,
                    const struct sw_subscriber *const **ret_found);

struct sw_publish_name { /* What a client named a publish; id empty: nothing. */
    struct sw_bytes space, subject, id;
};
/* Whether that was published before now_ns already, and to how many subscribers. */
bool sw_bus_has_published(struct sw_bus *bus, const struct sw_publish_name *name, uint64_t now_ns,
                          uint64_t *ret_subscribers);
SW_MUST_CHECK enum sw_rc sw_bus_note_publish(struct sw_bus *bus, const struct sw_publish_name *name,
                                             uint64_t time_ns, uint64_t subscribers);

/* --- The board. Any thread. ------------------------------------------------------------------ */

/* The instance of that key of the Agent whose slots are hashed under hash_key, in whatever Pod. */
uint64_t sw_board_key(const uint8_t hash_key[16], struct sw_bytes key);
/* The same instance when it gets messages faster than it may; by the key above. */
static inline uint64_t sw_board_rate_key(uint64_t key)
{
    return ~key;
}
void sw_board_set(struct sw_board *board, uint64_t key, enum sw_fullness fullness);
enum sw_fullness sw_board_get(struct sw_board *board, uint64_t key);
/* Whether an instance gets messages as fast as it may; who asks is refused for that. */
bool sw_board_refuses_rate(struct sw_board *board, uint64_t rate_key);
/* Nobody is. */
static inline bool sw_board_is_clear(const struct sw_board *board)
{
    return atomic_load_explicit(&board->full, memory_order_relaxed) == 0;
}
