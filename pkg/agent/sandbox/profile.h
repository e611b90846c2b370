/* The steps of entering a sandbox, for the files of this room only. */
#pragma once
#include "pkg/agent/sandbox/sandbox.h"

/* landlock.c: forbid all files but those below options->folder, TCP, and signals to other domains,
 * as far as this kernel can; 0 in *ret_abi if it has no Landlock. The calling thread is bound. */
SW_MUST_CHECK enum sw_rc sw_sandbox_landlock(const struct sw_sandbox_options *options, int *ret_abi,
                                             struct sw_err *err);
/* filter.c: allow the profile's system calls only; false in *ret_has if the kernel cannot. */
SW_MUST_CHECK enum sw_rc sw_sandbox_filter(enum sw_sandbox_profile profile, bool *ret_has,
                                           struct sw_err *err);
