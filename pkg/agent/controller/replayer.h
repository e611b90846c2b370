/* Has an agent host live through the journal of a daemon that is stopped again, and hears what
 * differs; or has one of an older engine pack what it left there. Guest code runs where it always
 * runs, in the sandboxed process, which may only read.
 *
 * Threads: the loop's.  I/O: a child process and a socket pair on the loop.  Limits: what the host
 * sends is bounded by its link; how long it takes, by the journal. */
#pragma once
#include "pkg/agent/controller/controller.h"
#include "pkg/agent/link/stats.h"

struct sw_replay_options {
    struct sw_loop *loop; /* Run until the replay is over; as all below borrowed. */
    const char *host_path;
    const char *folder; /* Of the journal. */
    /* The journal is not replayed but packed: all that this engine can replay becomes images in a
     * snapshot, with which another engine goes on. */
    bool is_pack;
    const char *library_folder; /* Where the host's libraries are found first; NULL: as built. */
    uint64_t timeout_ms;        /* 0: none. */
    /* get is asked with "" for the namespace: the module is any that has the digest. */
    struct sw_machine_code machine_code;
    void *ctx;
    void (*on_trouble)(void *ctx, const char *words); /* "NAMESPACE/AGENT/KEY: what differs". */
};

/* SW_E_PRECONDITION  another host uses the folder
 * SW_E_CORRUPT       the journal cannot be read, or the host said what it may not
 * SW_E_UNAVAILABLE   the host ended before it was through
 * SW_E_TIMEOUT       timeout_ms have passed
 * others             it could not be started */
SW_MUST_CHECK enum sw_rc sw_replay_run(const struct sw_replay_options *options,
                                       struct sw_frame_replayed *ret_report, struct sw_err *err);
