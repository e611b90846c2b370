/* What is compiled in place of a module: the same one, changed so that the host can read back all
 * that an instance is, and so that no code runs outside of an entry.
 *
 * - Every mutable global gets one more export, "swarm.global.N", N being its index: an engine shows
 *   a host exported globals only, and an image must hold them all.
 * - The start section goes, and its function is exported as "swarm.start": the host calls it first
 *   in the first entry, under that entry's deadline and as part of its record.
 *
 * Only the export section and the start section differ; code, data and custom sections stay as they
 * are, to the byte. The result follows from the module alone, and SW_ABI_FINGERPRINT names the
 * version of this rule, so machine code and images of another one are never mixed with it. What was
 * pushed stays what is stored and named by its digest; nobody but the compiler sees the rewritten
 * bytes.
 * Threads: pure functions.  I/O: none.  Cost: that of validating. */
#pragma once
#include "pkg/utils/base/buffer.h"

/* Validate a module and append its rewritten form to out.
 * SW_E_EXHAUSTED  out is full
 * others          the validator's; nothing is appended */
SW_MUST_CHECK enum sw_rc sw_module_rewrite(struct sw_bytes module, struct sw_buffer *out,
                                           struct sw_err *err);
