/* Subjects: what is published to, and the patterns that subscribe to them (the NATS grammar).
 *
 *     orders.new        a subject: tokens of printable bytes, joined by dots
 *     orders.*          '*' stands for exactly one token
 *     orders.>          a last '>' stands for one or more tokens
 *
 * Threads: pure functions.  I/O: none.  Limits: SW_SUBJECT_BYTES_MAX, SW_SUBJECT_TOKENS_MAX. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_SUBJECT_BYTES_MAX 255
#define SW_SUBJECT_TOKENS_MAX 32

/* A subject that can be published to: 1 to SW_SUBJECT_TOKENS_MAX tokens, none empty, of bytes
 * above ' ' other than DEL, '.', '*' and '>'; bytes above 127 must be well-formed UTF-8. */
bool sw_subject_is_valid(struct sw_bytes subject);
/* A subject or a pattern: as above, and a token may be exactly "*", the last one exactly ">". */
bool sw_subject_is_pattern(struct sw_bytes pattern);
/* Whether a valid pattern takes in a valid subject. */
bool sw_subject_matches(struct sw_bytes pattern, struct sw_bytes subject);
