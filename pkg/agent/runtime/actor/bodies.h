/* Records that bodies of messages stand in, as a replay reads them: what was sent in one batch
 * stands in one record, and the instances that got it are rebuilt one after another.
 *
 * Threads: one at a time.  I/O: through the journal.
 * Limits: SW_BODIES_KEPT records, of which those above SW_BODIES_BYTES_MAX are not kept for long.
 */
#pragma once
#include "pkg/agent/store/record.h"

#define SW_BODIES_KEPT 8u
#define SW_BODIES_BYTES_MAX ((size_t)256 << 10)

struct sw_bodies {
    struct sw_bodies_record {
        uint64_t lsn; /* 0: none. */
        struct sw_buffer bytes;
    } kept[SW_BODIES_KEPT];
    unsigned next; /* Gives way to the next one. */
};

void sw_bodies_init(struct sw_bodies *bodies);
void sw_bodies_done(struct sw_bodies *bodies);
/* The record at lsn, borrowed until the next call. Errors as sw_journal_read. */
SW_MUST_CHECK enum sw_rc sw_bodies_read(struct sw_bodies *bodies, struct sw_journal *journal,
                                        uint64_t lsn, struct sw_bytes *ret_record,
                                        struct sw_err *err);
/* Append a segment's record to out with the body of its message in it, wherever that stands; as it
 * is, if that stands nowhere any more. `bytes` is what the record was taken from; the record is
 * changed.  Fails as buffers do. */
void sw_bodies_inline(struct sw_bodies *bodies, struct sw_journal *journal, struct sw_bytes bytes,
                      struct sw_record *record, struct sw_buffer *out);
