/* A snapshot: every durable instance of a host at one point between segments, taken at a clean
 * stop.
 *
 *     FOLDER/snapshot-<lsn, 16 hex digits>.snap
 *     head: magic, version, journal uuid | blocks: u32 size, u32 CRC-32C, u8 kind, bytes | end
 * block
 *
 * It counts only when a SNAPSHOT record inside the durable cut of the journal names it with its
 * size and check. At recovery it is read once; images of memories are read again one by one, when
 * their instance is first needed.
 *
 * Threads: reading images from any; all else one at a time.  I/O: through struct sw_system.
 * Limits: SW_SNAPSHOT_BLOCK_MAX for an instance. */
#pragma once
#include "pkg/agent/runtime/actor/worker.h"

#define SW_SNAPSHOT_BLOCK_MAX ((uint64_t)5 << 30)

struct sw_snapshot; /* Opaque: an open file. */
struct sw_image;
struct sw_instance;

struct sw_snapshot_options {
    const struct sw_system *system;
    const char *folder; /* Of the journal. */
    struct sw_shared *shared;
    struct sw_worker **workers;
    uint32_t count;
    bool (*is_late)(void *ctx); /* True: there is no time left; NULL: there always is. */
    void *ctx;
};

/* Take one, make it durable, name it in the journal, and remove what it makes needless. The workers
 * stand still for good, nothing is in flight between them, and the journal is committed.
 * SW_E_PRECONDITION  an instance cannot be rebuilt now (parked, or its module is not here)
 * SW_E_TIMEOUT       is_late
 * After an error there is no snapshot; the journal serves as well. */
SW_MUST_CHECK enum sw_rc sw_snapshot_take(const struct sw_snapshot_options *options,
                                          struct sw_err *err);

enum sw_snapshot_kind {
    SW_SNAPSHOT_POD = 1,
    SW_SNAPSHOT_INSTANCE,
    SW_SNAPSHOT_MESSAGE,
    SW_SNAPSHOT_PUBLISHED, /* Names of publishes from outside; absent where there are none. */
    SW_SNAPSHOT_NUMBERS,
    SW_SNAPSHOT_SPEC,
    SW_SNAPSHOT_LETTER
};

struct sw_snapshot_instance { /* Borrowed. */
    uint64_t pod, id, memory_bytes;
    uint64_t random_next;
    uint32_t spec;
    struct sw_bytes key, seed, actor;
};

struct sw_snapshot_numbers { /* What is given next: those who had lower ones may still be named. */
    uint64_t next_pod, next_instance;
};

struct sw_snapshot_block { /* One of the file; borrowed for the visit. */
    enum sw_snapshot_kind kind;
    uint64_t at; /* Where it stands: sw_snapshot_image reads an INSTANCE again from there. */
    struct sw_record_spec spec;
    struct sw_record_pod pod;
    struct sw_snapshot_instance instance;
    struct sw_message message;
    struct sw_bytes published; /* As sw_requests_save wrote them. */
    struct sw_snapshot_numbers numbers;
    struct sw_record_letter letter;
};
typedef enum sw_rc sw_snapshot_visit(void *ctx, const struct sw_snapshot_block *block,
                                     struct sw_err *err);

/* Open the file that a record of the journal at `lsn` names, check it and visit its blocks in
 * order. SW_E_CORRUPT: it is not what the record says.  Others as the system's file calls and
 * visit. */
struct sw_snapshot_source {
    const struct sw_system *system;
    const char *folder;
    const uint8_t *uuid; /* Of the journal. */
    const struct sw_record_snapshot *record;
    uint64_t lsn;
};
SW_MUST_CHECK enum sw_rc sw_snapshot_open(const struct sw_snapshot_source *source,
                                          sw_snapshot_visit *visit, void *ctx,
                                          struct sw_snapshot **ret_snapshot, struct sw_err *err);
void sw_snapshot_close(struct sw_snapshot *snapshot);
/* Read the image at that place of the file; *ret_image is to be freed.  SW_E_CORRUPT: none there.
 */
SW_MUST_CHECK enum sw_rc sw_snapshot_image(struct sw_snapshot *snapshot, uint64_t at,
                                           struct sw_image **ret_image, struct sw_err *err);
