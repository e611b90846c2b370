/* Signs of life of an agent host: what its frames PONG, STATS and REPLAYED hold.
 *
 * Threads, I/O, Limits: none. */
#pragma once
#include <stdint.h>

struct sw_frame_request { /* PING, PONG: a number. */
    uint64_t request;
};

struct sw_frame_stats { /* Since the host's start, but for the first seven. */
    uint64_t pods, instances, waiting, memory_bytes, packed_bytes, asleep, shelf_bytes;
    uint64_t segments, failures, sends, publishes, replies, refused, replayed;
    uint64_t retried, parked, expired, calls, hibernated, woken;
    uint64_t epochs, journal_bytes, outputs_waiting;
    uint64_t journal_kept_bytes; /* Of what was ever appended, so much is on the disk. */
    uint64_t snapshots, snapshots_failed, snapshot_bytes; /* bytes: of the last one. */
    uint64_t still_ns;   /* The longest time that all workers stood still. */
    uint64_t rebalanced; /* Pods that went to another worker. */
};

struct sw_frame_replayed { /* What replaying a journal came to: struct sw_rerun_report. */
    uint64_t begin, instances, segments, recorded, compared, others, troubles;
};
