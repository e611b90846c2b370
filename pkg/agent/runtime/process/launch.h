/* What swarmd and swarm-process say to each other.
 *
 * Descriptors of swarm-process: 0, 1 and 2 are the program's own; 3 is a Unix socket to swarmd, on
 * which this goes:
 *
 *     swarmd --- SW_LAUNCH_GO ----------------------------------> swarm-process
 *            <-- struct sw_launch_answer, and if status is 0,
 *                the listener on 127.0.0.1:SW_LAUNCH_PORT -------
 *            closed by either: the end of the other
 *
 * With --talk, 4 is what the program has as descriptor 3. Arguments come as "--name value" in any
 * order, then "--" and the command. Its environment becomes the program's. It ends with the
 * program's exit status, or 128 and the number of the signal, or SW_LAUNCH_FAILED.
 * Threads: pure data.  I/O: none. */
#pragma once
#include <stdint.h>

#define SW_LAUNCH_GO 'g'
#define SW_LAUNCH_FAILED 125
#define SW_LAUNCH_MAGIC 0x52575053u /* "SPWR" */
#define SW_LAUNCH_PORT 7420
#define SW_LAUNCH_WORDS_MAX 512u
#define SW_LAUNCH_SCRATCH "/tmp" /* What a program may write. */

struct sw_launch_answer {
    uint32_t magic;
    int32_t status; /* 0: the program runs; otherwise an enum sw_rc. */
    /* NUL-terminated: what this machine could not give, or why it does not run; "": nothing. */
    char words[SW_LAUNCH_WORDS_MAX];
    char hint[SW_LAUNCH_WORDS_MAX];
};
