/* The journal: the one file format that agents' lives are written to, in the order they happened.
 *
 *     folder/journal-<base lsn, 16 hex digits>.seg
 *     +---------+----------------------------+----------------------------+----- - -
 *     | header  | epoch 7: head, records ... | epoch 8: head, records ... | zeros
 *     +---------+----------------------------+----------------------------+----- - -
 *
 * A record's lsn is its logical offset, counted on from segment to segment, so whoever appends
 * learns at once where the record will stand. Appends go to the open epoch in memory; one thread
 * commits: it closes the epoch, writes it with one write, syncs, and the epoch is durable as a
 * whole, while the next one fills. Who can do with less writes epochs without a sync: what a killed
 * process wrote is there, and a loss of power takes a rest of them. The file formats are drawn in
 * README.md.
 *
 * Threads: append, read and the views from any thread; commit, write and close from one thread at a
 * time, remove from one that may be another. One mutex ("journal" in docs/LOCKS.md), held for a
 * copy. I/O: through struct sw_system. Limits: SW_JOURNAL_RECORD_MAX, SW_JOURNAL_EPOCH_MAX; a
 * segment holds whole epochs. */
#pragma once
#include "pkg/utils/base/buffer.h"
#include "pkg/utils/system/system.h"

#define SW_JOURNAL_RECORD_MAX (16u << 20)
/* Each of 256 workers may append one record after all of them saw that there is room. */
#define SW_JOURNAL_EPOCH_MAX (3840u << 20)
#define SW_JOURNAL_SEGMENT_BYTES (64u << 20)
#define SW_JOURNAL_RECORD_HEAD_BYTES 8u /* u32 size, u32 CRC-32C of the record. */
#define SW_JOURNAL_AHEAD 4u
#define SW_JOURNAL_BIRTH_LSN 64u /* Where the first epoch of a journal begins. */

struct sw_journal; /* Opaque. */

struct sw_journal_options {
    const struct sw_system *system; /* Borrowed; outlives the journal. */
    const char *folder;             /* Made if it is not there. */
    /* Of a segment file, all reserved at once if the disk has so much; 0: as the default,
     * SW_JOURNAL_SEGMENT_BYTES. */
    uint64_t segment_bytes;
    const uint8_t *uuid; /* 16 bytes: of the journal that must be there; NULL: any, or a new one. */
    size_t epoch_bytes;  /* sw_journal_has_room is false beyond it; 0: 16 MiB. */
    bool is_read_only;   /* Nothing on the disk is made or changed, and nothing can be committed. */
    /* With is_read_only: another process writes it meanwhile. What it is just writing is no part of
     * it yet, and no damage. */
    bool is_followed;
};

struct sw_journal_place {
    uint64_t lsn;   /* Never 0. */
    uint64_t epoch; /* Durable once sw_journal_durable reaches it. */
};

struct sw_journal_entry { /* One record as a scan meets it; borrowed for the visit. */
    struct sw_journal_place place;
    struct sw_bytes record;
    const uint8_t *uuid; /* 16 bytes: of the journal. */
    /* The next records of the same epoch, unchecked, for whoever wants their memory to be near when
     * they are visited; empty: there are none. */
    struct sw_bytes ahead[SW_JOURNAL_AHEAD];
};

/* Told of each record in order. An error stops the scan and is returned by it. */
typedef enum sw_rc sw_journal_visit(void *ctx, const struct sw_journal_entry *entry,
                                    struct sw_err *err);

struct sw_journal_report { /* What a scan found. */
    uint8_t uuid[16];      /* Of the journal, made at its birth. */
    uint64_t segments, epochs, records;
    uint64_t first_lsn, end_lsn; /* Of what is durable. */
    uint64_t last_epoch;         /* 0: none. */
    uint64_t torn_bytes;         /* After the cut: the rest of an epoch that was being written. */
};

/* Open or create, visiting each record up to the cut: the last complete epoch. What follows the cut
 * is an epoch whose write was interrupted, or whose sync nobody waited for, with what came after
 * that; it is removed.
 * SW_E_CORRUPT      damage before the cut: of what was synced before a complete epoch that follows
 *                   it was written; or a segment is missing
 * SW_E_UNSUPPORTED  written by a newer version
 * SW_E_NOT_FOUND    options->uuid, is_read_only: it is not there; nothing was made
 * SW_E_UNAVAILABLE  is_followed: what is to be read was removed; try again
 * others            as the system's file calls and visit */
SW_MUST_CHECK enum sw_rc sw_journal_open(const struct sw_journal_options *options,
                                         sw_journal_visit *visit, void *ctx,
                                         struct sw_journal **ret_journal, struct sw_err *err);
/* Visit the records from lsn `from` on again, before anything is appended and from one thread. What
 * opening checked is not checked again.  Errors: of reading, and those of visit. */
SW_MUST_CHECK enum sw_rc sw_journal_revisit(struct sw_journal *journal, uint64_t from,
                                            sw_journal_visit *visit, void *ctx, struct sw_err *err);
/* Visit what was written since it was opened, or followed last; from then on that is part of it.
 * Only with is_followed, by one thread.
 * SW_E_UNAVAILABLE  what is to be read has gone: open it again
 * others            as sw_journal_open; after them it can only be closed */
SW_MUST_CHECK enum sw_rc sw_journal_follow(struct sw_journal *journal, sw_journal_visit *visit,
                                           void *ctx, struct sw_err *err);
/* Visit the records from lsn `from` on that are durable, beside appends and commits; the thread
 * that removes. `visit` ends it early by an error.  Errors: of reading, and those of visit. */
SW_MUST_CHECK enum sw_rc sw_journal_visit_durable(struct sw_journal *journal, uint64_t from,
                                                  sw_journal_visit *visit, void *ctx,
                                                  struct sw_err *err);
/* Close without committing: what was not committed is lost, as in a crash. */
void sw_journal_close(struct sw_journal *journal);
SW_DEFINE_CLEANUP(struct sw_journal, sw_journal_close)

/* As sw_journal_open but nothing is changed or kept: for dump and verify, also beside a running
 * host, whose last epoch may then look torn.  SW_E_NOT_FOUND: no journal in the folder. */
SW_MUST_CHECK enum sw_rc sw_journal_scan(const struct sw_system *system, const char *folder,
                                         sw_journal_visit *visit, void *ctx,
                                         struct sw_journal_report *ret_report, struct sw_err *err);

/* Put a record into the open epoch. bytes is copied.
 * SW_E_EXHAUSTED  larger than SW_JOURNAL_RECORD_MAX, or the epoch or memory is full: fatal for a
 *                 host, which asks sw_journal_has_room before it begins a segment */
SW_MUST_CHECK enum sw_rc sw_journal_append(struct sw_journal *journal, struct sw_bytes record,
                                           struct sw_journal_place *ret_place, struct sw_err *err);
/* Read a record of this journal, durable or not, and append it to out.
 * SW_E_NOT_FOUND  no segment holds that lsn (any more)
 * SW_E_CORRUPT    there is no whole record at lsn */
SW_MUST_CHECK enum sw_rc sw_journal_read(struct sw_journal *journal, uint64_t lsn,
                                         struct sw_buffer *out, struct sw_err *err);

/* Make durable what was appended or written before the call; there is nothing: does nothing.
 * SW_E_EXHAUSTED  the disk has no room for the epoch. Nothing is lost: it stays in memory and the
 *                 next commit tries it again, without asking for more room than it needs;
 *                 sw_journal_has_room is false until one succeeds
 * others          a write or sync failed. What is on the disk is unknown: nothing more may leave
 *                 the host, which must stop; every later call fails the same way */
SW_MUST_CHECK enum sw_rc sw_journal_commit(struct sw_journal *journal, struct sw_err *err);
/* Write what was appended before the call, and do not wait until it is durable.
 * SW_E_UNAVAILABLE  it comes to stand in a new segment, which takes syncs: it is to be committed
 * others            as sw_journal_commit */
SW_MUST_CHECK enum sw_rc sw_journal_write(struct sw_journal *journal, struct sw_err *err);
/* Make durable what was written before the call. Also beside writes of another thread, not beside a
 * commit. Errors as sw_journal_commit, none of them EXHAUSTED. */
SW_MUST_CHECK enum sw_rc sw_journal_sync(struct sw_journal *journal, struct sw_err *err);
/* The last epoch that was written. Any thread. */
uint64_t sw_journal_written(const struct sw_journal *journal);
/* The last durable epoch. Any thread. */
uint64_t sw_journal_durable(const struct sw_journal *journal);
/* Whether anything waits for a commit. Any thread. */
bool sw_journal_is_dirty(struct sw_journal *journal);
/* When this epoch is durable, so is all that was appended until now. */
uint64_t sw_journal_epoch(struct sw_journal *journal);
/* Whether a new segment of an instance may begin: the disk is not full and the open epoch is below
 * epoch_bytes. Any thread. */
bool sw_journal_has_room(const struct sw_journal *journal);
/* The disk was full at the last commit. Any thread. */
bool sw_journal_is_full(const struct sw_journal *journal);
/* Remove the segment files all of whose records are before lsn, the oldest first; the present one
 * stays. One thread at a time, also beside a commit. Nobody may read before lsn any more.
 * Others: as path_remove and folder_sync; what is left is tried again by the next call. */
SW_MUST_CHECK enum sw_rc sw_journal_remove_before(struct sw_journal *journal, uint64_t lsn,
                                                  struct sw_err *err);
/* Where the oldest segment begins that is here. Any thread. */
uint64_t sw_journal_begin(struct sw_journal *journal);
/* Where the next record will stand: what was ever appended, in bytes. Any thread. */
uint64_t sw_journal_end(struct sw_journal *journal);
const uint8_t *sw_journal_uuid(const struct sw_journal *journal); /* 16 bytes. */
