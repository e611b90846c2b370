/* The file of a snapshot: every durable instance of a host as it was at one point of its journal.
 *
 *     FOLDER/snapshot-<lsn, 16 hex digits>.snap
 *     head: magic, version, journal's uuid, lsn, check | block | block ... | END block
 *     block: u32 size, u32 CRC-32C, u8 kind, bytes
 *     packed block: PACKED for its kind, u32 size of what is in it, LZ4 block of kind and bytes
 *
 * A block is packed when that makes it an eighth smaller; readers need not know which are.
 * It counts only when a SNAPSHOT record inside the durable cut of the journal names it with its
 * size and check. Then the state of a host is what the file says, with all records from lsn on.
 * At recovery the file is read once; what an instance's memory is made of is read again when the
 * instance is first needed.
 *
 * Threads: reading an open one, from any; all else one at a time.  I/O: through struct sw_system.
 * Limits: SW_SNAPSHOT_BLOCK_MAX; fields as those of records. */
#pragma once
#include "pkg/agent/store/record.h"

#define SW_SNAPSHOT_VERSION 14u /* As journals have theirs. */
#define SW_SNAPSHOT_HEAD_BYTES 40u
#define SW_SNAPSHOT_BLOCK_HEAD_BYTES 8u
#define SW_SNAPSHOT_BLOCK_MAX ((uint64_t)UINT32_MAX)
#define SW_SNAPSHOT_NAME_MAX 40u

enum sw_snapshot_kind {
    SW_SNAPSHOT_SPEC = 1, /* As its record; before all that names it. */
    SW_SNAPSHOT_POD,      /* As its record; before its instances. */
    SW_SNAPSHOT_INSTANCE,
    SW_SNAPSHOT_MESSAGE,   /* That waits in a mailbox, or for its Pod to be opened. */
    SW_SNAPSHOT_PUBLISHED, /* Names of publishes from outside; absent where there are none. */
    SW_SNAPSHOT_NUMBERS,
    SW_SNAPSHOT_LETTER, /* As a record that parks one, with its number. */
    SW_SNAPSHOT_GONE,   /* A Pod whose slots are others' now. */
    SW_SNAPSHOT_PACKED, /* In the file only: one of the others, never visited as this. */
    SW_SNAPSHOT_SHELF,  /* A file of the shelf (shelf.h); before all that name places in it. */
    SW_SNAPSHOT_PLACES, /* Instances of a slot that lie on the shelf; after their Pod and specs. */
    SW_SNAPSHOT_USAGE,  /* As its record: of an Agent or a namespace, since it began. */
    /* In files of history only (history.h): */
    SW_SNAPSHOT_RECORDS,  /* Segments of an Agent's instances, as a tail. */
    SW_SNAPSHOT_HISTORY,  /* What the file holds; the last but END. */
    SW_SNAPSHOT_END = 255 /* The last one, empty. */
};

/* An instance: who it is and what its actor is at lsn; and how its memory is made: load what the
 * guest was at its base, then replay the tail. With a base and no tail nothing is replayed. */
struct sw_snapshot_instance { /* Borrowed. */
    uint64_t pod, id, memory_bytes;
    uint64_t last_lsn, state_lsn; /* Of its last record, and of the last that changed state. */
    uint64_t random_next;
    struct sw_usage used;
    uint32_t pages;         /* Of its memory. */
    uint32_t spec, refused; /* refused: the spec that it could not be upgraded to; 0: none. */
    uint32_t
        tail_records;    /* Since its last record that holds all, and how often that was put off: */
    uint8_t image_delay; /* as pkg/agent/runtime/actor counts them. */
    struct sw_bytes key, seed, actor;

    uint64_t base_lsn; /* Of the last record that the base holds; 0: it is not born yet. */
    uint64_t base_random_next;
    struct sw_bytes base_actor; /* Empty: as `actor`. */
    struct sw_bytes guest;      /* As the engine saved it; empty: never entered. */
    struct sw_bytes tail;       /* Records since, as sw_snapshot_tail_put writes them. */
};

struct sw_snapshot_message { /* Borrowed. */
    uint64_t pod, instance;  /* instance 0: the one that key names. */
    struct sw_bytes key, body;
    struct sw_message_head head;
    uint32_t attempts; /* That failed; */
    uint64_t retry_ns; /* not before this time again. */
    bool is_timer;     /* A timer that was parked and is delivered again. */
    bool is_lost;      /* A question whose receiver keeps nothing: after a restart it fails. */
    bool is_handled;   /* By the turn that `instance` is in. */
};

struct sw_snapshot_numbers { /* What is given next: those who had lower ones may still be named. */
    uint64_t next_pod, next_instance;
    uint64_t time_ns; /* The clock of records does not go back behind it. */
};

struct sw_snapshot_gone {
    uint64_t pod; /* By this number there are answers that look for its instances. */
    struct sw_bytes name_space, agent;
};

struct sw_snapshot_shelf {
    uint32_t number;
    uint64_t bytes, blocks; /* What follows its bytes is not meant. */
};

#define SW_SNAPSHOT_PLACE_BYTES 16u
#define SW_SNAPSHOT_SPECS_MAX 256u
struct sw_snapshot_place {
    uint64_t place;        /* Of shelf.h; its upper bits are the index of the spec. */
    uint32_t hash, number; /* Of its key, and of its id: both in part. */
};
struct sw_snapshot_places {
    uint64_t pod;
    uint32_t slot, count;
    /* Of all of them: pages of memory, each times the millisecond of its instance's last record,
     * and the sum of their limits. */
    uint64_t pages, page_since_ms, memory_bytes;
    struct sw_bytes specs;  /* Numbers, u32 each. */
    struct sw_bytes places; /* As sw_snapshot_place_put writes them. */
};

#define SW_HISTORY_MODULES_MAX 1024u
#define SW_HISTORY_DIGEST_MAX 80u
struct sw_snapshot_history { /* What a file of history holds. */
    struct sw_bytes agent_uid;
    uint64_t from, to;          /* Records of these lsns, `to` exclusive, but for gaps. */
    uint64_t turns;             /* So many of them: images are none. */
    uint64_t first_ns, last_ns; /* When they were; 0: there is none. */
    struct sw_bytes modules; /* Digests that its specs name, as sw_buffer_put_bytes writes them. */
};

struct sw_snapshot_block { /* One of the file; borrowed for the visit. */
    enum sw_snapshot_kind kind;
    uint64_t at; /* Where it stands: sw_snapshot_read finds an INSTANCE there again. */
    union {
        struct sw_record_spec spec;
        struct sw_record_pod pod;
        struct sw_snapshot_instance instance;
        struct sw_snapshot_message message;
        struct sw_record_letter letter;
        struct sw_bytes published; /* As the one who wrote it has it. */
        struct sw_snapshot_numbers numbers;
        struct sw_snapshot_gone gone;
        struct sw_snapshot_shelf shelf;
        struct sw_snapshot_places places;
        struct sw_record_usage usage;
        struct sw_bytes records;
        struct sw_snapshot_history history;
    };
};

/* --- Writing --------------------------------------------------------------------------------- */

/* "snapshot-<lsn>.snap". */
void sw_snapshot_name(uint64_t lsn, char ret_name[SW_SNAPSHOT_NAME_MAX]);
void sw_snapshot_head_put(const uint8_t uuid[16], uint64_t lsn, struct sw_buffer *out);
/* Append a whole block, with its head, packed if that is worth it. Fails as buffers do. */
void sw_snapshot_block_put(const struct sw_snapshot_block *block, struct sw_buffer *out);
/* Append a record to a tail. It must hold its body: what it names may be removed. */
void sw_snapshot_tail_put(uint64_t lsn, struct sw_bytes record, struct sw_buffer *out);

static inline void sw_snapshot_place_put(const struct sw_snapshot_place *place,
                                         struct sw_buffer *out)
{
    sw_buffer_put_u64(out, place->place);
    sw_buffer_put_u32(out, place->hash);
    sw_buffer_put_u32(out, place->number);
}

/* --- Reading --------------------------------------------------------------------------------- */

static inline struct sw_snapshot_place sw_snapshot_place_take(struct sw_reader *reader)
{
    struct sw_snapshot_place place = {.place = sw_reader_u64(reader)};

    place.hash = sw_reader_u32(reader);
    place.number = sw_reader_u32(reader);
    return place;
}

/* The next record of a tail, ascending. False at its end or, with reader->failed set, if malformed.
 */
SW_MUST_CHECK bool sw_snapshot_tail_take(struct sw_reader *reader, uint64_t *ret_lsn,
                                         struct sw_bytes *ret_record);

struct sw_snapshot; /* Opaque: an open file. */

struct sw_snapshot_report { /* What a look at all of a file found. */
    uint8_t uuid[16];
    uint64_t lsn, bytes, pods, instances, messages;
    uint64_t asleep;   /* Of the instances, on the shelf. */
    uint64_t replayed; /* Records in tails. */
    uint64_t records;  /* In blocks of records. */
    uint32_t check;    /* CRC-32C of the file. */
};

typedef enum sw_rc sw_snapshot_visit(void *ctx, const struct sw_snapshot_block *block,
                                     struct sw_err *err);

struct sw_snapshot_source {
    const struct sw_system *system;
    const char *folder;
    const uint8_t *uuid;                     /* Of the journal. */
    const struct sw_record_snapshot *record; /* That names the file. */
};

/* Open the file that a record names and visit its blocks in order, each checked; whether it is as
 * a whole what the record says is known, and told, when the last one was visited.
 * SW_E_CORRUPT      it is not there, or not what the record says, or malformed
 * SW_E_UNSUPPORTED  another release wrote it
 * others            as the system's file calls, and visit */
SW_MUST_CHECK enum sw_rc sw_snapshot_open(const struct sw_snapshot_source *source,
                                          sw_snapshot_visit *visit, void *ctx,
                                          struct sw_snapshot **ret_snapshot, struct sw_err *err);
/* Open a file for itself, whatever a journal says of it; its head is that of a snapshot, and
 * *ret_report says what stands there and how long it is. Errors as sw_snapshot_open. */
SW_MUST_CHECK enum sw_rc sw_snapshot_open_path(const struct sw_system *system, const char *path,
                                               struct sw_snapshot **ret_snapshot,
                                               struct sw_snapshot_report *ret_report,
                                               struct sw_err *err);
/* Visit the blocks of an open one in order, each checked. Errors as sw_snapshot_open. */
SW_MUST_CHECK enum sw_rc sw_snapshot_walk(const struct sw_snapshot *snapshot,
                                          sw_snapshot_visit *visit, void *ctx, struct sw_err *err);
/* What a file of history holds, of which nothing else is read; *ret_history borrows from out, and
 * *ret_end is where that block stands.  SW_E_CORRUPT: it is none. */
SW_MUST_CHECK enum sw_rc sw_snapshot_read_history(const struct sw_snapshot *snapshot,
                                                  struct sw_buffer *out,
                                                  struct sw_snapshot_history *ret_history,
                                                  uint64_t *ret_end, struct sw_err *err);
/* Append to out what stands there of the file.  SW_E_CORRUPT: it is shorter. */
SW_MUST_CHECK enum sw_rc sw_snapshot_copy(const struct sw_snapshot *snapshot, uint64_t at,
                                          size_t size, struct sw_buffer *out, struct sw_err *err);
/* Take over an open file that this process wrote, for sw_snapshot_read.  NULL: no memory. */
struct sw_snapshot *sw_snapshot_adopt(const struct sw_system *system, int file, uint64_t bytes);
uint64_t sw_snapshot_bytes(const struct sw_snapshot *snapshot); /* Of the file. */
void sw_snapshot_close(struct sw_snapshot *snapshot);
SW_DEFINE_CLEANUP(struct sw_snapshot, sw_snapshot_close)
/* Read the INSTANCE block at that place of the file; *ret_instance borrows from out.
 * SW_E_CORRUPT: none there, or damaged. */
SW_MUST_CHECK enum sw_rc sw_snapshot_read(struct sw_snapshot *snapshot, uint64_t at,
                                          struct sw_buffer *out,
                                          struct sw_snapshot_instance *ret_instance,
                                          struct sw_err *err);
/* Parse the whole block, with its head, that bytes begin with; *ret_instance borrows from bytes,
 * which holds something else if that was packed.  SW_E_CORRUPT: it is none, or damaged. */
SW_MUST_CHECK enum sw_rc sw_snapshot_instance_of(struct sw_buffer *bytes,
                                                 struct sw_snapshot_instance *ret_instance,
                                                 struct sw_err *err);
/* Look at a file for itself, whatever a journal says of it. Errors as sw_snapshot_open. */
SW_MUST_CHECK enum sw_rc sw_snapshot_scan(const struct sw_system *system, const char *path,
                                          sw_snapshot_visit *visit, void *ctx,
                                          struct sw_snapshot_report *ret_report,
                                          struct sw_err *err);
