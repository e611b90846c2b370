/* The shelf: files on which instances that sleep lie as they are, each as one INSTANCE block of
 * snapshot.h, until somebody wants them.
 *
 *     FOLDER/shelf-<number, 8 hex digits>.shelf
 *     head: magic, version, journal's uuid, number, check | block | block ...
 *
 * What is put goes to the end of the newest file by way of memory, and is read from there until it
 * is written. A place names file and offset, and never means anything else. A file is never changed
 * behind its end, so that a snapshot may name places: it makes them count, with the files' lengths.
 * Files that nobody was named in any more at the point of the snapshot that counts are removed.
 *
 * Threads: put, drop and read from any; write, sync and clean from one at a time; the lock is
 * "shelf" of docs/LOCKS.md.  I/O: through struct sw_system.
 * Limits: SW_SHELF_FILES_MAX files; waiting_max bytes that are not written yet. */
#pragma once
#include "pkg/agent/store/snapshot.h"

#define SW_SHELF_VERSION 1u
#define SW_SHELF_HEAD_BYTES 40u
#define SW_SHELF_NAME_MAX 24u
#define SW_SHELF_FILE_BITS 26u
#define SW_SHELF_OFFSET_BITS 30u
#define SW_SHELF_PLACE_BITS (SW_SHELF_FILE_BITS + SW_SHELF_OFFSET_BITS) /* The rest is yours. */
#define SW_SHELF_FILES_MAX (1u << 16)                                   /* At a time. */
#define SW_SHELF_SPARSE_MAX 16u
#define SW_SHELF_FILE_BYTES ((uint64_t)128 << 20)
#define SW_SHELF_EXTENT_BYTES ((size_t)1 << 20)
#define SW_SHELF_WAITING_MAX ((uint64_t)64 << 20)

struct sw_shelf; /* Opaque. */

struct sw_shelf_options {
    const struct sw_system *system; /* Borrowed; outlives the shelf. */
    const char *folder;             /* It is there. Copied. */
    const uint8_t *uuid;            /* 16 bytes: of the journal. Copied. */
    uint64_t file_bytes;            /* A file ends behind it; 0: SW_SHELF_FILE_BYTES. */
    uint64_t waiting_max;           /* 0: SW_SHELF_WAITING_MAX. */
    size_t extent_bytes;            /* Are written at once; 0: SW_SHELF_EXTENT_BYTES. */
};

/* An empty one.  SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_shelf_new(const struct sw_shelf_options *options,
                                      struct sw_shelf **ret_shelf, struct sw_err *err);
/* What is not written is lost, as in a crash. */
void sw_shelf_free(struct sw_shelf *shelf);
SW_DEFINE_CLEANUP(struct sw_shelf, sw_shelf_free)

struct sw_shelf_file {
    uint32_t number; /* Not 0. */
    uint64_t bytes;  /* What follows is not to be read. */
    uint64_t blocks; /* That were put into it, */
    uint64_t live;   /* and so many that were not dropped. */
};

/* Recovery: a file that the snapshot names. Its blocks are counted by sw_shelf_keep; file->live is
 * not looked at.  SW_E_CORRUPT: it is not there, too short, or another's.  SW_E_UNSUPPORTED:
 * another release wrote it. */
SW_MUST_CHECK enum sw_rc sw_shelf_add(struct sw_shelf *shelf, const struct sw_shelf_file *file,
                                      struct sw_err *err);
/* Recovery: somebody names a place. False: there is no such file, or it is not as long. */
SW_MUST_CHECK bool sw_shelf_keep(struct sw_shelf *shelf, uint64_t place);

/* Put a whole block, as sw_snapshot_block_put made it. *ret_place is not 0, and live until dropped.
 * SW_E_EXHAUSTED  too much waits to be written, or no memory: as it was before
 * others          why writing failed for good */
SW_MUST_CHECK enum sw_rc sw_shelf_put(struct sw_shelf *shelf, struct sw_bytes block,
                                      uint64_t *ret_place);
/* Nobody wants it any more, but for snapshots that were begun before. */
void sw_shelf_drop(struct sw_shelf *shelf, uint64_t place);
/* Read what was put there; *ret_instance borrows from out.
 * SW_E_UNAVAILABLE  is_now, and it would have to wait for the disk
 * SW_E_CORRUPT      none there, or damaged.  Others: as file_read. */
SW_MUST_CHECK enum sw_rc sw_shelf_read(struct sw_shelf *shelf, uint64_t place, bool is_now,
                                       struct sw_buffer *out,
                                       struct sw_snapshot_instance *ret_instance,
                                       struct sw_err *err);

/* Whether so much waits that writing is worth it. Any thread. */
bool sw_shelf_has_work(const struct sw_shelf *shelf);
/* Write what waits.
 * SW_E_EXHAUSTED  the disk is full: what waits stays where it is, and is tried again
 * others          for good: what is on the disk is unknown, and the host must stop */
SW_MUST_CHECK enum sw_rc sw_shelf_write(struct sw_shelf *shelf, struct sw_err *err);
/* The same, and all that was put before the call is durable. */
SW_MUST_CHECK enum sw_rc sw_shelf_sync(struct sw_shelf *shelf, struct sw_err *err);

/* All files: start with *cursor 0; false when done. bytes: with what waits. */
bool sw_shelf_next(struct sw_shelf *shelf, uint32_t *cursor, struct sw_shelf_file *ret_file);
/* Files in which less than half is live, the emptiest first, if all of them together are worth
 * being moved from: more than half as much is dead as is live. How many. */
uint32_t sw_shelf_sparse(struct sw_shelf *shelf, uint32_t ret_numbers[SW_SHELF_SPARSE_MAX]);
/* This is the point of a snapshot: files in which nothing is live are not named by it, and may go
 * when it counts. The next block comes to stand in a new file if the present one is empty by then.
 */
void sw_shelf_begin(struct sw_shelf *shelf);
/* The snapshot of the last sw_shelf_begin counts: remove what neither it nor anybody else needs.
 * After recovery (is_all) also files that are not of this shelf. */
SW_MUST_CHECK enum sw_rc sw_shelf_clean(struct sw_shelf *shelf, bool is_all, struct sw_err *err);
/* SW_OK, or why writing failed for good. Any thread. */
enum sw_rc sw_shelf_failure(struct sw_shelf *shelf);
/* Of all files. Any thread. */
uint64_t sw_shelf_bytes(struct sw_shelf *shelf);
/* Whether more can be put before some of what waits is written: blocks of usual size can. Any
 * thread. */
bool sw_shelf_has_room(const struct sw_shelf *shelf);
/* So many bytes were put and not written yet. Any thread. */
uint64_t sw_shelf_waiting(const struct sw_shelf *shelf);

/* Whoever visits the blocks of a snapshot (visit, ctx), and wants to see those who sleep as well.
 */
struct sw_shelf_visitor {
    struct sw_shelf *shelf;   /* An empty one; files are added as the snapshot names them. */
    sw_snapshot_visit *visit; /* NULL: nobody, everything is only looked at. */
    void *ctx;
    struct sw_buffer block; /* Zeroed; to be ended with sw_buffer_done. */
};
/* To be given to sw_snapshot_open or sw_snapshot_scan with a visitor as ctx: each block goes on to
 * it; for one of places each instance does so, as an INSTANCE whose `at` is its place.
 * Errors: those of sw_shelf_add, sw_shelf_read and visit. */
SW_MUST_CHECK enum sw_rc sw_shelf_visit(void *ctx, const struct sw_snapshot_block *block,
                                        struct sw_err *err);

/* "shelf-<number>.shelf". */
void sw_shelf_name(uint32_t number, char ret_name[SW_SHELF_NAME_MAX]);
static inline uint32_t sw_shelf_number_of(uint64_t place)
{
    return (uint32_t)(place >> SW_SHELF_OFFSET_BITS) & ((1u << SW_SHELF_FILE_BITS) - 1);
}
static inline uint64_t sw_shelf_offset_of(uint64_t place)
{
    return place & ((UINT64_C(1) << SW_SHELF_OFFSET_BITS) - 1);
}
