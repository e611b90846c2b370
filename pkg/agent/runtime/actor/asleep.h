/* Who is asleep: the instances of one slot that lie on the shelf, and have nothing else in memory
 * than an entry here. It says where, under which spec, and what the key's hash and the id are in
 * part; the rest stands on the shelf. Seen by this room's files only.
 *
 * Two whose hashes are the same here cannot both be in it. Who looks for a key therefore finds one
 * entry at most, and compares the key when the block is read.
 *
 * Threads: one at a time.  I/O: none.  Limits: SW_SNAPSHOT_SPECS_MAX specs. */
#pragma once
#include "pkg/agent/runtime/actor/trial.h"
#include "pkg/agent/store/shelf.h"
#include "pkg/utils/base/heap.h"
#include "pkg/utils/base/idmap.h"
#include "pkg/utils/base/list.h"

struct sw_asleep_entry {
    uint64_t place; /* Of the shelf; never 0. */
    uint32_t hash, number;
    uint32_t spec;  /* Its number, */
    uint32_t index; /* and which of asleep->specs that is; not looked at by sw_asleep_put. */
};

struct sw_asleep_spec {
    uint32_t number, count;
};

struct sw_asleep_slots; /* Opaque. */

struct sw_slept { /* What instances have that sleep, all of them together: as accounts count it. */
    uint64_t pages, since_ms, memory_bytes;
};

struct sw_asleep {          /* Of one slot. */
    struct sw_list capture; /* As an instance's: in rest.asleep or rest.uncaptured. */
    uint32_t captured;      /* Generation of the snapshot that it was last captured for. */
    uint32_t slot, specs_count;
    uint64_t pod; /* That has the slot. */
    struct sw_slept slept;
    struct sw_asleep_slots *slots;
    struct sw_idmap *by_number; /* Hashes, while somebody is looked for by id; NULL: not made. */
    struct sw_asleep_spec
        *specs; /* What entries say by index. Those without instances are reused. */
};

struct sw_item; /* message.h */

/* Memory for those who are awake: much, less than a sixteenth or a sixty-fourth of what there may
 * be, or none. */
enum sw_room { SW_ROOM_ENOUGH, SW_ROOM_NEAR, SW_ROOM_CLOSE, SW_ROOM_SHORT };

/* What a worker knows of those of its instances that sleep, and of who is to (hibernate.h). */
struct sw_rest {
    struct sw_list asleep, uncaptured; /* Slots; of the second those not saved for a snapshot. */
    uint64_t count;                    /* Of all in them. */
    struct sw_buffer block;            /* Of whom was read last. */
    /* Blocks that are to be read, and struct sw_loading for each that somebody waits for, by place.
     */
    struct sw_item *reads;
    struct sw_idmap *loadings;
    uint32_t walked, walking; /* Pods whose sleepers are woken; blocks that are read for that. */
    uint32_t sparse[SW_SHELF_SPARSE_MAX], sparse_count; /* Shelves that are being moved from, */
    uint32_t sparse_tables, compacting; /* slots that are left, and blocks that are read. */
    uint64_t compact_ns;                /* When it goes on with that, or looks whether to. */
    uint64_t compact_sleeps;            /* So often somebody had slept or woken when it looked. */
    struct sw_heap due, oldest;         /* Pods whose instances may sleep (resting.h). */
    uint64_t used_ns;                   /* When it was looked how much memory is used, */
    enum sw_room room;                  /* and how much there is of it; */
    uint64_t surplus;                   /* so many are to sleep before their time for that. */
    uint32_t made, room_made;           /* Guests since then, and those that were counted there. */
    struct sw_trials trials;            /* Of those who have come since it is. */
};

struct sw_asleep *sw_asleep_new(uint64_t pod, uint32_t slot); /* NULL: no memory. */
void sw_asleep_free(struct sw_asleep *asleep);
uint64_t sw_asleep_count(const struct sw_asleep *asleep);

/* Of the upper half of sw_board_key. */
static inline uint32_t sw_asleep_hash(uint64_t key)
{
    return (uint32_t)(key >> 32);
}
/* Of an id, which ends with its slot. */
static inline uint32_t sw_asleep_number(uint64_t id)
{
    return (uint32_t)(id >> 8);
}

/* False: nobody with that hash. */
bool sw_asleep_find(const struct sw_asleep *asleep, uint32_t hash, struct sw_asleep_entry *ret);
/* The same by number; of several any.  False: nobody, or no memory to look. */
bool sw_asleep_find_number(struct sw_asleep *asleep, uint32_t number, struct sw_asleep_entry *ret);
/* SW_E_EXISTS: one with that hash is there.  SW_E_EXHAUSTED: no memory, or too many specs. */
SW_MUST_CHECK enum sw_rc sw_asleep_put(struct sw_asleep *asleep,
                                       const struct sw_asleep_entry *entry);
/* Have room for so many more.  SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_asleep_reserve(struct sw_asleep *asleep, uint32_t more);
/* It is there. */
void sw_asleep_remove(struct sw_asleep *asleep, uint32_t hash);
/* It is there, and lies at another place from now on. */
void sw_asleep_move(struct sw_asleep *asleep, uint32_t hash, uint64_t place);
/* All of them, in no order: start with *cursor 0. Do not change it meanwhile. */
bool sw_asleep_next(const struct sw_asleep *asleep, size_t *cursor, struct sw_asleep_entry *ret);
/* Forget what looking by number has made. */
void sw_asleep_settle(struct sw_asleep *asleep);
