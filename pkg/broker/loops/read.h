/* What a call of a model is made into, to be looked at for loops: digests that stay the same while
 * what naturally changes does: ids, times, counts, and the conversation that was there before.
 *
 * Threads: one at a time.  I/O: none.  Limits: those of pkg/broker/model/wire; what cannot be read
 * is digested as its bytes. */
#pragma once
#include "pkg/broker/model/wire/doc.h"
#include "pkg/broker/model/wire/wire.h"

struct sw_loops_reader { /* Keeps its memory. */
    struct sw_wire_doc doc;
    struct sw_buffer buffer;
    uint8_t key[16]; /* Random. */
};
void sw_loops_reader_init(struct sw_loops_reader *reader, const uint8_t key[16]);
void sw_loops_reader_done(struct sw_loops_reader *reader);

uint64_t sw_loops_digest(const struct sw_loops_reader *reader, struct sw_bytes bytes);
/* Of any document, without what is fleeting, and without headers. */
uint64_t sw_loops_document(struct sw_loops_reader *reader, struct sw_bytes body);
/* Of what a request has that an answer does not repeat: its messages behind the last one of the
 * model, with texts and results of tools. */
uint64_t sw_loops_state(struct sw_loops_reader *reader, enum sw_wire_protocol protocol,
                        struct sw_bytes body);
/* Of what an answer says and which tools it calls with what. *ret_tokens are those of the request,
 * as the provider said; 0: it did not. */
uint64_t sw_loops_action(struct sw_loops_reader *reader, enum sw_wire_protocol protocol,
                         struct sw_bytes body, uint32_t *ret_tokens);
