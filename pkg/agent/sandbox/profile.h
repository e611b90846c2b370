/* The steps of entering a sandbox, for the files of this room only. */
#pragma once
#include "pkg/agent/sandbox/sandbox.h"

#include <seccomp.h>
#include <stdint.h>

#define CALLS(...) ((const int[]){__VA_ARGS__, END_OF_CALLS})
#define END_OF_CALLS INT32_MIN

/* landlock.c: forbid all files but those below options->folder, TCP, and signals to other domains,
 * as far as this kernel can; 0 in *ret_abi if it has no Landlock. The calling thread is bound. */
SW_MUST_CHECK enum sw_rc sw_sandbox_landlock(const struct sw_sandbox_options *options, int *ret_abi,
                                             struct sw_err *err);
/* filter.c: allow the profile's system calls only; false in *ret_has if the kernel cannot. */
SW_MUST_CHECK enum sw_rc sw_sandbox_filter(enum sw_sandbox_profile profile, bool *ret_has,
                                           struct sw_err *err);
/* process.c: what the profile of a process adds to the base; a number of libseccomp's. */
SW_MUST_CHECK int sw_sandbox_add_process(scmp_filter_ctx filter);
/* filter.c: allow, or whatever action says, all calls of a list that ends with END_OF_CALLS. */
SW_MUST_CHECK int sw_sandbox_add_all(scmp_filter_ctx filter, uint32_t action, const int *calls);
