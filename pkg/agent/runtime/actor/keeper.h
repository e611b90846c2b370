/* What instances did before the snapshot that counts, kept for as long as their Agents say
 * (spec.history), in files of history (pkg/agent/store/history.h).
 *
 *     the snapshot before, and the journal from its point to that of the new one ─► a file for each
 *     Agent that keeps a history and did something ─► durable ─► then what is older may go
 *
 * A history that cannot be written has a gap: that is told, and the host goes on. It is never a
 * reason to keep the journal.
 *
 * Threads: the one that advances snapshots, but for sw_keeper_needs; the lock is "keeper" of
 * docs/LOCKS.md.  I/O: through struct sw_system; what is older is read several times if many Agents
 * keep a history, SW_KEEPER_AGENTS of them at once.
 * Limits: SW_HISTORY_FILES_MAX files; 24 bytes of memory for each instance that did something. */
#pragma once
#include "pkg/agent/runtime/actor/snapshot.h"
#include "pkg/agent/store/history.h"

#define SW_KEEPER_AGENTS 128u

struct sw_keeper; /* Opaque: in struct sw_snapshots. */

struct sw_keeper *sw_keeper_new(void); /* NULL: no memory. */
void sw_keeper_free(struct sw_keeper *keeper);
/* Asked every now and then while it works; false: it is to end where it is, SW_E_CANCELLED. What it
 * does meanwhile is up to who set it. NULL: nobody is asked. */
void sw_keeper_ask(struct sw_keeper *keeper, bool (*goes_on)(void *ctx), void *ctx);
/* Recovery: whether there is anything in that folder. What, is looked at later. */
SW_MUST_CHECK enum sw_rc sw_keeper_begin(struct sw_shared *shared, const char *folder,
                                         struct sw_err *err);
/* Take in what Agents keep, as the Pods of these workers have it, which are at rest, and have it
 * counted in the quota of their namespace (storage.h). For whom that has no room keeps what it kept
 * before, or nothing, which is a gap. is_recovered: as the snapshot says, until the next one.
 * SW_E_EXHAUSTED: no memory, it is as it was. */
SW_MUST_CHECK enum sw_rc sw_keeper_note(struct sw_shared *shared, struct sw_worker **workers,
                                        uint32_t count, bool is_recovered);
/* Whether any Agent keeps a history. */
bool sw_keeper_is_wanted(const struct sw_keeper *keeper);

struct sw_keeper_span { /* Of the journal, which is all there. */
    const char *folder;
    uint64_t from, to;
    const struct sw_snapshot *before; /* Of `from`; NULL: that is the journal's birth. */
};
/* Keep what there is of a span, unless it is kept already.
 * SW_E_CANCELLED: as sw_keeper_ask; nothing is there of who was not through. Others are told by
 * sw_keeper_trouble, and what they stand for is a gap. */
SW_MUST_CHECK enum sw_rc sw_keeper_write(struct sw_shared *shared,
                                         const struct sw_keeper_span *span, struct sw_err *err);
/* Remove what nobody is to keep any more. False: there is nothing left. */
bool sw_keeper_trim(struct sw_shared *shared, const char *folder);
/* What went wrong since the last call; false: nothing. */
bool sw_keeper_trouble(struct sw_keeper *keeper, char ret_words[SW_SNAPSHOT_WORDS_MAX]);
/* A span waits for its sw_keeper_write, or not: until then every module is needed. */
void sw_keeper_await(struct sw_keeper *keeper, bool is_awaited);
/* Whether something that is kept names a module. Any thread. */
bool sw_keeper_needs(struct sw_keeper *keeper, struct sw_bytes digest);
