/* Two texts compared line by line, as a unified diff without line numbers.
 *
 * Longest common subsequence by dynamic programming: objects are short.
 * Threads: pure functions.  I/O: none.  Limits: the first 4,000 lines of each are compared. */
#pragma once
#include "pkg/utils/base/buffer.h"

/* Append the lines that differ, with three lines around them; "@@" stands for lines left out.
 * *ret_differs says whether any do.  SW_E_EXHAUSTED: no memory. */
SW_MUST_CHECK enum sw_rc sw_difference_put(const char *old_text, const char *new_text,
                                           struct sw_buffer *out, bool *ret_differs);
