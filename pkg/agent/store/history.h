/* Files of history: what instances of one Agent did before the snapshot that counts, for as long as
 * the Agent says.
 *
 *     FOLDER/history-<hash of the Agent's uid>-<from>-<to>.hist      16 hex digits each
 *     head as that of a snapshot, its lsn being `from`
 *     SPEC, POD | INSTANCE ... as they were at an lsn | RECORDS ... | the same again | HISTORY |
 * END
 *
 * A file never changes. It is written under another name and renamed when it is durable, so one of
 * that name is whole. What is there of an instance before its first record is an INSTANCE block, as
 * in a snapshot; records hold the bodies of their messages. A file whose lsns are all within those
 * of another one of the same Agent is a rest of one that has taken it in.
 *
 * Threads: pure functions, or one at a time.  I/O: through struct sw_system.
 * Limits: SW_HISTORY_FILES_MAX files in a folder. */
#pragma once
#include "pkg/agent/store/snapshot.h"

#define SW_HISTORY_NAME_MAX 72u
#define SW_HISTORY_FILES_MAX 16384u

struct sw_history_name {
    uint64_t agent; /* sw_history_agent. */
    uint64_t from, to;
};

uint64_t sw_history_agent(struct sw_bytes agent_uid);
/* "history-....hist"; is_draft: the name under which it is written. */
void sw_history_name_put(const struct sw_history_name *name, bool is_draft,
                         char ret_text[SW_HISTORY_NAME_MAX]);
/* False: it is not the name of such a file. */
SW_MUST_CHECK bool sw_history_name_take(const char *text, struct sw_history_name *ret_name,
                                        bool *ret_is_draft);
/* Whether all that one has is in the other. */
static inline bool sw_history_is_within(const struct sw_history_name *one,
                                        const struct sw_history_name *other)
{
    return one->agent == other->agent && one->from >= other->from && one->to <= other->to;
}

struct sw_history_list {           /* Of a folder. */
    struct sw_history_name *names; /* Owned; by Agent, then ascending. */
    size_t count, all;             /* Behind the count follow those that others have taken in. */
    bool is_cut; /* There are more than SW_HISTORY_FILES_MAX: these are some of them. */
};
/* All of a folder, or with agent != NULL those of one, but for drafts.
 * SW_E_EXHAUSTED: no memory.  Others: as folder_list. */
SW_MUST_CHECK enum sw_rc sw_history_list(const struct sw_system *system, const char *folder,
                                         const uint64_t *agent, struct sw_history_list *ret_list,
                                         struct sw_err *err);
void sw_history_list_done(struct sw_history_list *list);

struct sw_history_file { /* Which one: borrowed. */
    const struct sw_system *system;
    const char *folder;
    const uint8_t *uuid; /* Of the journal. */
    struct sw_history_name name;
};
/* Open one, and read what it holds; *ret_history borrows from out.
 * SW_E_CORRUPT      damaged, or of another journal
 * SW_E_UNSUPPORTED  another release wrote it
 * others            as the system's file calls */
SW_MUST_CHECK enum sw_rc sw_history_open(const struct sw_history_file *file, struct sw_buffer *out,
                                         struct sw_snapshot **ret_snapshot,
                                         struct sw_snapshot_history *ret_history,
                                         struct sw_err *err);
