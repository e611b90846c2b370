/* The files of an archive, written into a new folder as they come.
 *
 *     sw_unpack_new ---> feed, feed ... ---> sw_unpack_finish: all is there, durable, and as the
 *                                            manifest says
 *
 * Threads: one at a time.  I/O: files below the folder.  Limits: those of the archive. */
#pragma once
#include "pkg/backup/archive/reader.h"
#include "pkg/utils/system/system.h"

struct sw_unpack; /* Opaque. */

/* The folder is made.  SW_E_EXISTS: it is there already.  Others: as folder_make. */
SW_MUST_CHECK enum sw_rc sw_unpack_new(const struct sw_system *system, const char *folder,
                                       struct sw_unpack **ret_unpack, struct sw_err *err);
/* Leaves the folder as it is. */
void sw_unpack_free(struct sw_unpack *unpack);
SW_DEFINE_CLEANUP(struct sw_unpack, sw_unpack_free)
/* As sw_archive_reader_feed.  SW_E_EXHAUSTED: the disk is full. */
SW_MUST_CHECK enum sw_rc sw_unpack_feed(struct sw_unpack *unpack, struct sw_bytes bytes,
                                        struct sw_err *err);
/* As sw_archive_reader_finish. *ret_manifest lives as long as the object. */
SW_MUST_CHECK enum sw_rc sw_unpack_finish(struct sw_unpack *unpack,
                                          const struct sw_manifest **ret_manifest,
                                          struct sw_err *err);

/* Remove a folder with all in it, at most SW_UNPACK_DEPTH_MAX deep; links are not followed.
 * SW_E_RANGE: it is deeper, and something is left. */
#define SW_UNPACK_DEPTH_MAX 5u
SW_MUST_CHECK enum sw_rc sw_unpack_remove(const struct sw_system *system, const char *folder,
                                          struct sw_err *err);
