/* After a failed write or sync: the last segment in a file of its own again.
 *
 * The kernel counts the pages of a failed write as clean, and ext4 may take their extents for
 * written: whoever reads them sees what the disk has not got, and writing the same place again with
 * a sync that succeeds need not bring it there (seen with preallocated files on Linux 6.18). A new
 * file has no such past. The mark that a failure leaves lies in the page cache at least, as long as
 * what it warns of does.
 * Threads: one at a time.  I/O: through struct sw_system.  Limits: none. */
#pragma once
#include "pkg/agent/store/segment.h"

/* Leave the mark that the folder's last segment is suspect. Best effort: the disk is failing. */
void sw_recast_mark(const struct sw_system *system, const char *folder);
bool sw_recast_is_marked(const struct sw_system *system, const char *folder);

struct sw_recast {
    const struct sw_system *system;
    const char *folder;
    uint64_t end_bytes; /* So much of the file counts. */
};
/* Copy the file into a new one, durable under the same name, and take the mark away. On success
 * segment->file is the new one, open for reading and writing. Otherwise nothing has changed. */
SW_MUST_CHECK enum sw_rc sw_recast_segment(const struct sw_recast *recast,
                                           struct sw_segment *segment, struct sw_err *err);
