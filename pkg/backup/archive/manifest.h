/* What a backup says of itself: its last entry, lines of text.
 *
 *     swarm-backup 1
 *     id 0b6f...                      32 hex digits, random
 *     version 0.1.0                   of the Swarm that made it
 *     time 2026-03-01T12:00:00Z       the point
 *     cluster swarm
 *     node node-1
 *     timeline 1                      how often this swarm was restored, and one
 *     revision 42                     of the store
 *     journal FOLDER UUID LSN EPOCH   of each agent host, and of the ledger: where it was cut
 *     engine DIGEST FINGERPRINT       of each engine that is kept
 *     file SHA256 BYTES NAME          of each entry, in order
 *     end SHA256                      of all lines before
 *
 * Threads: pure functions.  I/O: none.  Limits: below; a manifest lives in its arena. */
#pragma once
#include "pkg/utils/base/arena.h"
#include "pkg/utils/base/buffer.h"

#define SW_MANIFEST_VERSION 1u
#define SW_MANIFEST_BYTES_MAX ((size_t)64 << 20)
#define SW_MANIFEST_ARENA_MAX ((size_t)256 << 20)
#define SW_MANIFEST_FILES_MAX 200000u
#define SW_MANIFEST_JOURNALS_MAX 1024u
#define SW_MANIFEST_ENGINES_MAX 64u
#define SW_MANIFEST_ID_SIZE 33u
#define SW_MANIFEST_WORD_SIZE 64u

struct sw_manifest_journal {
    const char *folder; /* "agents", "hosts/HOST/agents", "ledger" */
    uint8_t uuid[16];
    uint64_t lsn, epoch; /* Of the cut; epoch 0: nothing was in it yet. */
};

struct sw_manifest_engine {
    const char *name; /* Of its folder: the SHA-256 of the fingerprint. */
    const char *fingerprint;
};

struct sw_manifest_file {
    const char *name;
    uint64_t size_bytes;
    uint8_t digest[32];
};

struct sw_manifest {
    char id[SW_MANIFEST_ID_SIZE];
    char version[SW_MANIFEST_WORD_SIZE], cluster[SW_MANIFEST_WORD_SIZE],
        node[SW_MANIFEST_WORD_SIZE];
    uint64_t utc_ns, timeline, revision;
    struct sw_manifest_journal *journals;
    struct sw_manifest_engine *engines;
    struct sw_manifest_file *files;
    size_t journals_count, engines_count, files_count;
};

/* Append all lines; out->failed: it is larger than out may be. */
void sw_manifest_put(const struct sw_manifest *manifest, struct sw_buffer *out);
/* How many bytes that will be, whatever the digests come to. */
uint64_t sw_manifest_bytes(const struct sw_manifest *manifest);
/* Read it. *ret_manifest and all in it live in the arena.
 * SW_E_UNSUPPORTED  of another version of the format
 * SW_E_CORRUPT      damaged, or not one; the words say where
 * SW_E_EXHAUSTED    the arena is too small */
SW_MUST_CHECK enum sw_rc sw_manifest_take(struct sw_bytes text, struct sw_arena *arena,
                                          struct sw_manifest *ret_manifest, struct sw_err *err);
