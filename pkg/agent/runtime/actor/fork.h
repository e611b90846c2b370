/* Forks: instances that were made of the past of others, and are held until they are released; seen
 * by this room's files only.
 *
 *     FORK record ─► turns; sends, questions and publishes are withheld ─► RELEASE record ─► they
 * go └─► RESET record: they do not
 *
 * A fork is an instance like others from its first record on: it begins with what the record holds,
 * and with the message that came with it. While it is held it answers who asks it, since only who
 * knows its name does; nothing else of it reaches anybody, and what is published does not reach it.
 * The record of the release has as its effects what was withheld, in its order: each is named,
 * delivered and recovered as any other effect, and no crash lets some of them go and not others.
 *
 * Threads, I/O: as worker.h.  Limits: withheld.h; a record. */
#pragma once
#include "pkg/agent/runtime/actor/state.h"

/* Make the instance message->key in this Pod, where nobody has that key: message->body is its FORK
 * record, of which numbers, names and the origin of what waits are set here, message->head.subject
 * the digest of its module. The body is treated as hostile. Who asked hears of it; the message is
 * owned.  The asker gets
 * SW_E_CORRUPT       the body is no such record
 * SW_E_PRECONDITION  the Agent keeps nothing
 * SW_E_EXHAUSTED     it is larger than a record may be; no room in the journal or in the quota */
void sw_fork_make(struct sw_worker *worker, struct sw_pod *pod, struct sw_message *message);
/* Release or drop an instance that is held, as message->act says; owned.  The asker gets
 * SW_E_PRECONDITION  it is not held
 * SW_E_UNAVAILABLE   a segment of it runs, or its Pod does not
 * SW_E_EXHAUSTED     no room in the journal or for subscriptions, or its publishes reach too many
 */
void sw_fork_change(struct sw_worker *worker, struct sw_instance *instance,
                    struct sw_message *message);
/* The message that a FORK record holds, at lsn, for the instance of this key. */
struct sw_message sw_fork_input(const struct sw_record_segment *record, uint64_t lsn);
