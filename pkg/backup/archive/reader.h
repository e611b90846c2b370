/* An archive that arrives in pieces: entries out, digests compared with the manifest at its end.
 *
 *     feed, feed, ... ---> begin(name, size), bytes, bytes ..., end    of each file, as it comes
 *     finish -----------> the manifest, if all that came is what it says
 *
 * Threads: one at a time.  I/O: none but what the sink does.
 * Limits: names.h, manifest.h; a few pages besides the list of files. */
#pragma once
#include "pkg/backup/archive/manifest.h"

struct sw_archive_reader; /* Opaque. */

/* Where entries go; each call may fail, which ends the reading. Not the manifest itself. */
struct sw_archive_sink {
    void *ctx;
    enum sw_rc (*begin)(void *ctx, const char *name, uint64_t size_bytes, struct sw_err *err);
    enum sw_rc (*bytes)(void *ctx, struct sw_bytes bytes, struct sw_err *err);
    enum sw_rc (*end)(void *ctx, struct sw_err *err);
};

/* sink NULL: entries are only checked. It is copied.  SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_archive_reader_new(const struct sw_archive_sink *sink,
                                               struct sw_archive_reader **ret_reader,
                                               struct sw_err *err);
void sw_archive_reader_free(struct sw_archive_reader *reader);
SW_DEFINE_CLEANUP(struct sw_archive_reader, sw_archive_reader_free)
/* The next bytes, of any number.
 * SW_E_CORRUPT  this is no backup, or a damaged one; the words say where
 * others        those of the sink. After an error the reader can only be freed. */
SW_MUST_CHECK enum sw_rc sw_archive_reader_feed(struct sw_archive_reader *reader,
                                                struct sw_bytes bytes, struct sw_err *err);
/* That was all. *ret_manifest lives as long as the reader.
 * SW_E_CORRUPT  cut short, or a file is not what the manifest says
 * others        as sw_manifest_take */
SW_MUST_CHECK enum sw_rc sw_archive_reader_finish(struct sw_archive_reader *reader,
                                                  const struct sw_manifest **ret_manifest,
                                                  struct sw_err *err);
/* Bytes that were fed. */
uint64_t sw_archive_reader_bytes(const struct sw_archive_reader *reader);
