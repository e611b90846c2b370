/* A disk and a clock in memory: a struct sw_system whose unsynced writes are lost when the power
 * fails, by sectors, and whose calls take virtual time and fail when they are told to.
 *
 * Each file has two contents: what a reader sees, which a killed process leaves behind, and what
 * the disk has, which is left when the power fails, together with any of the sectors that were
 * written since and not synced. Names are kept in the same two forms.
 *
 * A failed sync leaves what Linux leaves: pages that a reader still sees, that no later sync
 * writes, and that a power failure takes away.
 *
 * Threads: one.  I/O: none.  Limits: SIM_DISK_NAMES_MAX names, SIM_DISK_OPEN_MAX open files. */
#pragma once
#include "pkg/utils/system/system.h"
#include "test/sim/random.h"

#define SIM_DISK_NAMES_MAX 512
#define SIM_DISK_OPEN_MAX 512
#define SIM_DISK_SECTOR 512u
#define SIM_DISK_PATH_MAX 128

enum sim_disk_fault {
    SIM_DISK_GOOD,
    SIM_DISK_WRITE_FAILS, /* In the middle of it. */
    SIM_DISK_SYNC_FAILS,
    SIM_DISK_CRASHES /* The crash hook is called in the middle of a call. */
};

struct sim_inode {
    uint8_t *seen, *stored;
    uint8_t *dirty; /* One byte a sector: it was written and not synced. */
    size_t seen_size, stored_size, capacity, written_end;
    uint32_t opened; /* How often. */
    bool is_used;
};

struct sim_name {
    char path[SIM_DISK_PATH_MAX];
    int seen, stored; /* Inodes; -1: not there. */
};

struct sim_disk_hooks {
    void *ctx;
    /* Let virtual time go by. Called only by calls that change the disk. */
    void (*wait)(void *ctx, uint64_t ns);
    /* The host is to be cut off here; returns when it was, with is_dead set. */
    void (*crash)(void *ctx);
    /* Somebody looks at the clock: what ran until now may have taken time. */
    void (*look)(void *ctx);
};

struct sim_disk {
    struct sw_system system;
    struct sim_disk_hooks hooks;
    struct sim_random random;
    struct sim_inode inodes[SIM_DISK_NAMES_MAX];
    struct sim_name names[SIM_DISK_NAMES_MAX];
    int open[SIM_DISK_OPEN_MAX]; /* Inodes; -1: free. */
    const uint64_t *now_ns;      /* The virtual clock. */
    uint64_t utc_base_ns;
    int64_t utc_offset_ns; /* How far the clock of the day was set. */
    uint64_t full_until_ns, slow_until_ns;
    bool is_fast;             /* Calls take hardly any time. */
    bool is_full_for_all;     /* A full disk also refuses writes into what was reserved. */
    uint64_t full_room_bytes; /* By so much files may still grow on a full disk. */
    bool is_dead;             /* Whoever uses it was killed: nothing has an effect any more. */
    enum sim_disk_fault fault;
    uint32_t fault_after; /* Of those calls that it can hit. */
    bool crashes_then;    /* The call after the one that failed does not come to its end. */
    uint64_t writes, syncs, refused, lost_sectors;
};

/* An empty disk. now_ns is borrowed; hooks may be all NULL. */
void sim_disk_init(struct sim_disk *disk, uint64_t seed, const uint64_t *now_ns);
void sim_disk_done(struct sim_disk *disk);
/* The process that used it is gone: open files are closed. */
void sim_disk_kill(struct sim_disk *disk);
/* The machine lost its power: of what was not synced, `permille` sectors and names are there. */
void sim_disk_lose_power(struct sim_disk *disk, uint32_t permille);
/* Write what a reader sees into an existing folder of the machine, for `swarmctl journal dump`. */
SW_MUST_CHECK enum sw_rc sim_disk_keep(const struct sim_disk *disk, const char *folder,
                                       struct sw_err *err);
/* Have a later call fail. */
void sim_disk_arm(struct sim_disk *disk, enum sim_disk_fault fault, uint32_t after);
