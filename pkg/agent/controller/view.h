/* Figures of one agent host, or of several summed up.
 *
 * Threads, I/O, Limits: none. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct sw_agents_view { /* For metrics, top and status. Counts since the host's start. */
    bool is_up;
    bool has_ended_well; /* The host before told all that there was to tell. */
    bool is_unreadable;  /* It ended since its journal cannot be read, and none was up since. */
    uint64_t host_starts, host_pid, pods, instances, waiting, memory_bytes, packed_bytes;
    uint64_t asleep, shelf_bytes, hibernated, woken; /* Of instances that sleep. */
    uint64_t segments, failures, sends, publishes, replies, refused, replayed;
    uint64_t retried, parked, expired;
    uint64_t calls, calls_open; /* Of services; open: under way, or answered and not taken yet. */
    uint64_t epochs, journal_bytes, requests;
    uint64_t journal_kept_bytes, snapshots, snapshots_failed, snapshot_bytes, still_ns;
    uint64_t rebalanced; /* Pods that went to another worker. */
};
