/* A backup in the making: all that a data folder holds, as it is at one point, as an archive.
 *
 *     new ---> prepare ---> cut ---> gather ---> read ... read ---> free
 *              long         the      long        as fast as
 *                           point                they are taken
 *
 * Threads: one at a time; sw_backup_cut on the loop's thread of the swarmd whose folder it is, the
 * others on any.  I/O: reads the data folder; one file in it while the store is copied.
 * Limits: SW_MANIFEST_FILES_MAX files; SW_BACKUP_CUT_BYTES_MAX. */
#pragma once
#include "pkg/backup/lineage.h"

/* What hosts may have written between the end of prepare and the cut: it is read at the cut. */
#define SW_BACKUP_CUT_BYTES_MAX ((uint64_t)64 << 20)

struct sw_backup; /* Opaque. */

struct sw_backup_options { /* Copied, but for the system. */
    const struct sw_system *system;
    const char *data_folder, *cluster, *node;
    const uint8_t *engine_key; /* Of pkg/agent/engines; NULL: no engines are in it. */
};

struct sw_backup_view {
    uint64_t bytes; /* Of the whole archive; known when all is gathered. */
    uint64_t files, journals, revision, utc_ns, timeline;
    uint64_t cut_ns; /* How long the cut took. */
};

SW_MUST_CHECK enum sw_rc sw_backup_new(const struct sw_backup_options *options,
                                       struct sw_backup **ret_backup, struct sw_err *err);
void sw_backup_free(struct sw_backup *backup);
SW_DEFINE_CLEANUP(struct sw_backup, sw_backup_free)

/* Have whatever is being done end soon, with SW_E_CANCELLED. Any thread, until it is freed. */
void sw_backup_cancel(struct sw_backup *backup);
/* Remove what one that was interrupted left in a data folder. */
SW_MUST_CHECK enum sw_rc sw_backup_sweep(const struct sw_system *system, const char *data_folder,
                                         struct sw_err *err);

/* Errors: of reading the folder; SW_E_CORRUPT: what is there is damaged. */
SW_MUST_CHECK enum sw_rc sw_backup_prepare(struct sw_backup *backup, struct sw_err *err);
/* This is the point.
 * SW_E_UNAVAILABLE, SW_E_RANGE  hosts are too busy for it: begin again
 * SW_E_CORRUPT                  a journal that is to be there is not.  Others as above. */
SW_MUST_CHECK enum sw_rc sw_backup_cut(struct sw_backup *backup, struct sw_err *err);
/* SW_E_EXHAUSTED: the disk has no room for a copy of the store. */
SW_MUST_CHECK enum sw_rc sw_backup_gather(struct sw_backup *backup, struct sw_err *err);
/* The next bytes of the archive; *ret_size is less than size only at its end.
 * SW_E_CORRUPT: a file became shorter.  Others: of reading. */
SW_MUST_CHECK enum sw_rc sw_backup_read(struct sw_backup *backup, uint8_t *ret_bytes, size_t size,
                                        size_t *ret_size, struct sw_err *err);
void sw_backup_view(const struct sw_backup *backup, struct sw_backup_view *ret_view);
