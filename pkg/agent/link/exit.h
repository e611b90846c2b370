/* How an agent host ends: its exit codes, which swarmd reads.
 *
 * Threads, I/O, Limits: none. */
#pragma once

enum sw_host_exit {
    SW_HOST_EXIT_STOPPED = 0,
    SW_HOST_EXIT_RESOURCES = 1,
    SW_HOST_EXIT_USAGE = 2,
    SW_HOST_EXIT_JOURNAL = 3,
    SW_HOST_EXIT_UNREADABLE = 4,
    SW_HOST_EXIT_PROTOCOL = 5,
    SW_HOST_EXIT_LOST = 6, /* There is another journal than swarmd knows of, or none. */
    SW_HOST_EXIT_BUSY = 7  /* Another host uses the folder. */
};
