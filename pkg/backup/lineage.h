/* The note in a data folder that was restored: of which backup, and how often that happened.
 *
 *     swarm-restored 1
 *     backup ID
 *     point TIME
 *     restored TIME
 *     timeline 2
 *     cluster swarm
 *     node node-1
 *
 * A timeline is what one swarm did between two restores. The first one has the number 1 and no
 * note; two folders that were restored from one backup have the same number and another time.
 * Threads: pure but for the file.  I/O: the file `restored`, through struct sw_system. */
#pragma once
#include "pkg/backup/archive/manifest.h"
#include "pkg/utils/system/system.h"

#define SW_LINEAGE_FILE "restored"

struct sw_lineage {
    char backup[SW_MANIFEST_ID_SIZE];
    char cluster[SW_MANIFEST_WORD_SIZE], node[SW_MANIFEST_WORD_SIZE];
    uint64_t point_ns, restored_ns; /* UTC. */
    uint64_t timeline;
};

/* What a folder is once it was restored from this backup. */
void sw_lineage_of(const struct sw_manifest *manifest, uint64_t now_ns,
                   struct sw_lineage *ret_lineage);
/* A folder in which a restore begins is none to start before sw_lineage_save. Errors as
 * sw_file_save. */
SW_MUST_CHECK enum sw_rc sw_lineage_begin(const struct sw_system *system, const char *data_folder,
                                          struct sw_err *err);
/* Write it, durably. Errors as sw_file_save. */
SW_MUST_CHECK enum sw_rc sw_lineage_save(const struct sw_system *system, const char *data_folder,
                                         const struct sw_lineage *lineage, struct sw_err *err);
/* SW_E_NOT_FOUND: it was never restored; *ret_lineage is of timeline 1 then.
 * SW_E_CORRUPT: it is not readable.  SW_E_PRECONDITION: the restore did not come to its end. */
SW_MUST_CHECK enum sw_rc sw_lineage_load(const struct sw_system *system, const char *data_folder,
                                         struct sw_lineage *ret_lineage, struct sw_err *err);
