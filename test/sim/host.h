/* One agent host as it ships, but for its threads and its socket: workers, journal, snapshots, Wasm
 * guests, driven in virtual time.
 *
 *     frames in -> [delay] -> sw_host_receive -> [delay] -> workers -> [held for their epoch]
 *                                    workers <- [delay] -> workers        -> [delay] -> frames out
 *     two coroutines: recovery, the thread of the journal, the clean stop; the thread of snapshots
 *
 * What cmd/swarm-agent-host does with threads, rings and poll is done here by events: a worker
 * takes what has arrived, runs a few segments, and its outputs leave when their epoch is durable.
 * While a call of the disk takes its time the workers run on, so epochs are pipelined.
 * The machine has one processor: what guests compute takes the time of their fuel, for all. A long
 * segment is set aside (actor/overtake.h) as an event of the loop, whose strands are those of all
 * workers.
 *
 * Threads: events of the loop.  I/O: that of the simulated disk. */
#pragma once
#include "pkg/agent/runtime/host/host.h"
#include "test/sim/disk.h"
#include "test/sim/heat.h"
#include "test/sim/loop.h"
#include "test/sim/quota.h"
#include "test/sim/trace.h"

#define SIM_WORKERS_MAX 4
#define SIM_INBOX_LINK SIM_WORKERS_MAX
#define SIM_INBOX_DISK (SIM_WORKERS_MAX + 1) /* Blocks of those who sleep, when they were read. */
#define SIM_INBOXES (SIM_WORKERS_MAX + 2)
#define SIM_FUEL_PER_MS 50000u

struct sw_wasm_engine;
struct sw_wasm_worker;

struct sim_fifo { /* What is under way, in order. */
    struct sim_passing {
        void *what;
        size_t size;
        uint64_t at_ns; /* When it arrives. */
    } *items;
    size_t first, count, capacity;
    uint64_t last_ns; /* Of those that were ever put. */
};

struct sim_host;

struct sim_task { /* What is a thread of its own in the agent host, and waits for the disk. */
    struct sim_host *host;
    struct sim_coroutine *coroutine;
    struct sim_event resume;
    bool is_sleeping; /* Until it is woken. */
    bool is_over;     /* It has nothing more to do in this life. */
};

struct sim_lane { /* A worker and what a thread would keep for it. */
    struct sim_host *host;
    struct sw_worker *worker;
    struct sw_wasm_worker *wasm;
    struct sim_fifo inbox[SIM_INBOXES];       /* By sender; the last are the link and the disk. */
    struct sw_output *outputs, *outputs_last; /* Until their epoch is durable. */
    struct sim_event step;
    uint32_t index;
    bool has_taken; /* Something, in the step that runs. */
};

enum sim_host_state { SIM_HOST_DOWN, SIM_HOST_BOOTING, SIM_HOST_RUNNING, SIM_HOST_STOPPING };

enum sim_end { /* How a host ends. */
               SIM_END_NONE,
               SIM_END_KILLED,
               SIM_END_POWER,
               SIM_END_STOPPED,    /* As it was asked to. */
               SIM_END_JOURNAL,    /* A write or sync failed. */
               SIM_END_UNREADABLE, /* It could not recover, or broke a rule: always wrong. */
               SIM_END_ABORTED     /* A guest took it along. */
};

#define SIM_HOST_FOLDER "host" /* On the disk. */

struct sim_host_options {
    struct sim_loop *loop;
    struct sim_disk *disk;
    struct sim_trace *trace;
    struct sw_wasm_engine *wasm;
    uint64_t seed;
    uint32_t workers, segments_per_step;
    uint64_t item_delay_ns, link_delay_ns, read_delay_ns, segment_ns; /* On average. */
    uint32_t pace; /* So much time the fuel takes, in its own: more than 1 where others compute. */
    uint64_t segment_bytes;
    size_t epoch_bytes;
    uint64_t snapshot_bytes; /* That the journal grows between two snapshots, at least. */
    uint64_t history_bytes;  /* It is kept whole until it is longer. */
    uint64_t shelf_bytes;    /* Of a file of those who sleep. */
    uint64_t awake_bytes;    /* Memory of those who are awake, beyond which they sleep sooner. */
    uint32_t image_tail;     /* Records of an instance before the journal has it whole. */
    void *ctx;
    void (*frame)(void *ctx, const struct sw_frame *frame); /* One that arrived at swarmd. */
    void (*ended)(void *ctx, enum sim_end end, const char *words);
};

struct sim_host {
    struct sim_host_options options;
    struct sim_random random;
    enum sim_host_state state;
    struct sw_shared shared;
    struct sw_guest_engine engine;
    struct sw_host *core;
    struct sw_worker *workers[SIM_WORKERS_MAX];
    struct sim_lane lanes[SIM_WORKERS_MAX];
    struct sim_fifo in, out;
    struct sim_event link_in, link_out, end;
    struct sim_task journal, snapshots;
    struct sim_task *inside;     /* The one that runs; NULL: none. */
    struct sim_lane *stepping;   /* Likewise. */
    struct sw_notes notes, left; /* Of what runs: they outlive the process. left: as they were when
                                    a guest took it along. */
    enum sim_end last;           /* How the life before ended. */
    void (*enter)(void *ctx, struct sw_guest *guest, const struct sw_guest_input *input,
                  struct sw_guest_outcome *ret_outcome);
    struct sim_quota quota;
    bool owed;     /* When the step that runs began. */
    uint64_t fuel; /* That its guests had used when the clock was looked at last. */
    bool is_disk_full, is_shelf_full;
    enum sim_end ending;     /* Set: it is over, at the next event. */
    enum sim_end disk_ends;  /* How it ends when the disk's armed crash comes. */
    uint32_t cut_when_named; /* Arm it for so many calls of the disk after a snapshot was named; 0:
                                do not. */
    char words[600];
    uint64_t gaps; /* Histories that could not be written. */
    uint64_t lives, commits, segments, replayed, asides;
    uint64_t woken, moved; /* Of instances that slept. */
    struct sim_heat heat;
};

void sim_host_init(struct sim_host *host, const struct sim_host_options *options);
void sim_host_done(struct sim_host *host);
/* Begin a new life; READY comes as a frame. It is down. */
void sim_host_start(struct sim_host *host);
/* Put a frame on the way to it. What is sent to one that is down is lost. */
void sim_host_send(struct sim_host *host, const struct sw_frame *frame);
/* Cut it off at the next event, and take the power away or not. */
void sim_host_crash(struct sim_host *host, enum sim_end end, const char *words);
