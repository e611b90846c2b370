/* Which names the files of a backup may have: those of a data folder, and no others.
 *
 * Threads: pure functions.  I/O: none. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_ARCHIVE_NAME_MAX 200u /* Without the NUL. */
#define SW_ARCHIVE_MANIFEST "manifest"
#define SW_ARCHIVE_STORE "store.db"
#define SW_ARCHIVE_LEDGER "ledger" /* Folder of the journal of what agents spend. */

/* "store.db", "modules/NAMESPACE/DIGEST.wasm", "engines/DIGEST/PROGRAM", "ledger/SEGMENT",
 * "agents-journal", "agents/FILE", and the last two and "host" below "hosts/HOST/", where FILE is
 * that of a segment, a snapshot or a shelf. Not "manifest". */
bool sw_archive_name_is_valid(const char *name);
