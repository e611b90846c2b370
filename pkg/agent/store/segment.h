/* The files of a journal: names, heads, checks, and the walk over them that opening, dump and
 * verify share. README.md draws the layout.
 *
 * Threads: one at a time.  I/O: through struct sw_system.  Limits: those of journal.h. */
#pragma once
#include "pkg/agent/store/journal.h"

#define SW_JOURNAL_VERSION 12u /* Of heads, epochs and records: docs/reference/disk-format.md. */
#define SW_SEGMENT_HEAD_BYTES 64u
#define SW_EPOCH_HEAD_BYTES 48u
#define SW_SEGMENTS_MAX 65536u

struct sw_segment_head {
    uint8_t uuid[16];
    uint64_t base_lsn;    /* Where in the journal the byte after this head stands. */
    uint64_t first_epoch; /* That this file may hold. */
    uint32_t chain;       /* Check of the epoch before it; 0 at the journal's birth. */
};

struct sw_epoch_head {
    uint64_t epoch, lsn; /* lsn: of the head itself, so that a copied epoch is not taken. */
    uint32_t body_bytes, records, body_crc;
    uint32_t chain;  /* Check of the epoch before this one. */
    uint32_t behind; /* So many before it were not synced when it was written. */
};

struct sw_segment { /* One file. */
    uint64_t base_lsn;
    int file; /* Open for reading; -1 when not. */
};

/* Where a walk ended: all that is needed to go on writing. */
struct sw_segment_walk {
    struct sw_segment *segments; /* Owned, ascending. */
    size_t count;
    bool has_stray;      /* A last file without a valid head, begun in the moment of a crash. */
    uint64_t stray_base; /* From its name. */
    uint32_t chain;      /* Check of the last epoch, or the chain of the first head. */
    uint64_t synced_lsn; /* What is before it is on the disk; of an epoch's head; 0: none. */
    struct sw_journal_report report;
};

/* "FOLDER/journal-<base>.seg". */
void sw_segment_path(const char *folder, uint64_t base_lsn, char ret_path[SW_PATH_MAX]);

void sw_segment_head_put(const struct sw_segment_head *head,
                         uint8_t ret_bytes[SW_SEGMENT_HEAD_BYTES]);
/* SW_E_UNSUPPORTED: a newer version.  SW_E_CORRUPT: not a head. */
SW_MUST_CHECK enum sw_rc sw_segment_head_take(const uint8_t bytes[SW_SEGMENT_HEAD_BYTES],
                                              struct sw_segment_head *ret_head, struct sw_err *err);
/* Write the head and return its check, which the next epoch carries as its chain. */
uint32_t sw_epoch_head_put(const struct sw_epoch_head *head, const uint8_t uuid[16],
                           uint8_t ret_bytes[SW_EPOCH_HEAD_BYTES]);
/* False: not a head of this journal. The check is keyed by the uuid, which no guest knows, so that
 * message bodies cannot pass for epochs. */
bool sw_epoch_head_take(const uint8_t bytes[SW_EPOCH_HEAD_BYTES], const uint8_t uuid[16],
                        struct sw_epoch_head *ret_head, uint32_t *ret_check);

/* Read a journal from its first record to the cut. ret_walk is to be ended with
 * sw_segment_walk_done in any case; its files are left open. Errors as sw_journal_open. */
SW_MUST_CHECK enum sw_rc sw_segment_walk(const struct sw_system *system, const char *folder,
                                         sw_journal_visit *visit, void *ctx,
                                         struct sw_segment_walk *ret_walk, struct sw_err *err);

struct sw_segment_place { /* A journal that another process may write. Borrowed. */
    const struct sw_system *system;
    const char *folder;
    uint64_t bytes_max; /* To be read by one call; 0: any number. */
    uint32_t epoch_max; /* Bytes of an epoch. */
};
/* Go on with a walk from where it ended, or begin with one of zeros, beside a host that writes on:
 * at the end may stand an epoch that is being written, which is left alone; one that is not whole
 * though a later one stands behind it is damage. Segments that were removed since are closed and
 * forgotten.
 * SW_E_UNAVAILABLE  a segment was removed while it was to be opened: begin again
 * SW_E_RANGE        there is more than `limits` allow; what was read is kept
 * SW_E_NOT_FOUND    there is no folder.  Others: as sw_journal_open */
SW_MUST_CHECK enum sw_rc sw_segment_walk_on(const struct sw_segment_place *place,
                                            sw_journal_visit *visit, void *ctx,
                                            struct sw_segment_walk *walk, struct sw_err *err);

struct sw_segment_source { /* A journal that was walked. Borrowed. */
    const struct sw_system *system;
    const char *folder;
    const uint8_t *uuid; /* 16 bytes. */
    const struct sw_segment *segments;
    size_t count;
    uint64_t end_lsn; /* The cut. */
};
/* Visit the records from lsn `from` to the cut again. Checks of contents are not made again.
 * SW_E_CORRUPT: the heads of epochs are others than before. Others: of reading, and visit. */
SW_MUST_CHECK enum sw_rc sw_segment_revisit(const struct sw_segment_source *source, uint64_t from,
                                            sw_journal_visit *visit, void *ctx, struct sw_err *err);
void sw_segment_walk_done(const struct sw_system *system, struct sw_segment_walk *walk);
