/* What a server's refusal says, as an error of ours (RFC 9457, with our code, field and hint).
 *
 * Threads: pure functions.  I/O: none. */
#pragma once
#include "pkg/utils/base/buffer.h"

/* Fill err from an answer that is no success. The body may be anything: without a readable problem
 * document the code follows from the status. Returns the code, never SW_OK. */
enum sw_rc sw_problem_read(int http_status, struct sw_bytes body, struct sw_err *err);
