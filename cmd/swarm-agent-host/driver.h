/* The threads of an agent host around its single-threaded cores.
 *
 * Threads: as README.md says; each field names who touches it.  I/O: the link's socket, eventfd.
 * Limits: RING_ITEMS between two threads; OUT_BYTES_MAX waiting for swarmd. */
#pragma once
#include "pkg/agent/link/exit.h"
#include "pkg/agent/runtime/host/host.h"
#include "pkg/utils/base/ring.h"
#include "pkg/utils/strands/strands.h"

#include <pthread.h>
#include <stdatomic.h>

#define RING_ITEMS 65536u
#define OUT_BYTES_MAX (64u << 20)
#define CACHE_LINE_BYTES 64u
#define READERS 16u /* So many blocks of instances that sleep are waited for at once. */

struct sw_wasm_worker;
struct driver;

/* One worker and its thread: whichever of its strands runs. What only that looks at stands apart
 * from what others do, too, so that they need not wait for each other's caches. */
struct lane {
    _Alignas(CACHE_LINE_BYTES) struct driver *driver;
    uint32_t index;
    struct sw_strands *strands;
    struct sw_ring *inbox; /* Any thread puts, its thread gets. */
    /* Of its thread, while that runs: */
    struct sw_worker *worker;
    struct sw_wasm_worker *wasm;
    struct sw_item **stuck; /* Per target, items that its ring had no room for. */
    bool is_stuck;          /* What it made has no room, so no more is made. */
    uint64_t hibernated;    /* How often an instance went to sleep, as it was told. */
    uint32_t unviewed;      /* Rounds since its figures were told. */
    uint32_t linger_skips;  /* So often it goes to sleep at once. */
    bool lingers_more;      /* Since others had something for it as soon as it slept. */

    /* Of any thread: */
    _Alignas(CACHE_LINE_BYTES) _Atomic bool is_sleeping; /* It looks at inbox again after setting
                                                               this, before it waits. */
    _Atomic bool has_peers;  /* Another worker gave it something since it last went to sleep. */
    _Atomic bool wants_room; /* It sleeps though it has work: the journal had no room. */
    /* Of the link: */
    struct sw_item *waiting; /* Items that inbox had no room for. */
    bool is_wake_due;        /* It got something in this round. */

    _Alignas(CACHE_LINE_BYTES) pthread_cond_t wake;
    _Atomic bool has_loaded; /* `loaded` is not empty. */
    pthread_mutex_t mutex;   /* Guards what follows. */
    struct sw_item *loaded;  /* Blocks that were read for the worker. */
    struct sw_output *outputs, *outputs_last;
    struct sw_worker_view view;
};

enum task { /* What the process is for. */
            TASK_SERVE,
            TASK_REPLAY, /* It replays its journal, */
            TASK_PACK,   /* has all that it can replay become images, */
            TASK_PAST    /* or looks at the past of an instance that another host has. */
};

struct driver {
    const struct sw_system *system;
    const char *folder;
    enum task task;
    struct sw_shared shared;
    struct sw_guest_engine engine; /* Of the link, for counting references of modules. */
    struct sw_wasm_engine *wasm;
    struct sw_host *host;   /* Of the link. */
    struct sw_notes *notes; /* Of what workers enter; NULL: none are kept. */
    struct lane *lanes;
    uint32_t lanes_count;

    pthread_t journal_thread;
    pthread_mutex_t journal_mutex; /* For journal_due only. */
    pthread_cond_t journal_due;
    _Atomic bool is_journal_sleeping, is_disk_full;

    pthread_t snapshot_thread;
    pthread_mutex_t snapshot_mutex; /* For snapshot_due only. */
    pthread_cond_t snapshot_due;
    _Atomic bool is_snapshot_sleeping, is_snapshot_ended;
    _Atomic uint64_t snapshots, snapshots_failed, snapshot_bytes; /* As in STATS. */

    uint64_t awake_max; /* Memory that instances may have which are awake; 0: any. */
    int statm;          /* A file of the kernel that says how much the process has. */
    long page_bytes;
    int pressure;       /* A file of the kernel that says how short memory is; -1: none. */
    int group_pressure; /* The same of the control group, version 2. */

    pthread_t readers[READERS];
    uint32_t readers_count;
    pthread_mutex_t reads_mutex; /* Guards `reads` and `is_reading_ended`. */
    pthread_cond_t reads_due;
    struct sw_item *reads; /* Blocks that are to be read. */
    bool is_reading_ended;

    pthread_mutex_t still_mutex; /* Guards `standing` and `is_still`. */
    pthread_cond_t still_come, still_over;
    uint32_t standing;         /* Workers that stand still. */
    bool is_still;             /* They are to. */
    uint32_t still_tries;      /* Of the link, since it last succeeded. */
    _Atomic uint64_t still_ns; /* From asking to letting go, the longest. */

    int link, wake; /* The socket; the eventfd that the link waits on besides. */
    _Atomic bool is_link_sleeping;
    _Atomic bool is_stopping, is_ended; /* No more segments; no more commits. */
    uint64_t finish_ns; /* Set before is_stopping: so long segments on their way may go on. */
    _Atomic uint64_t outputs_bytes; /* Waiting in lanes. */
    struct sw_buffer in;            /* Of the link. */

    pthread_mutex_t out_mutex; /* Guards what follows; its holder may take a lane's mutex. */
    struct sw_buffer out;
    size_t out_sent;

    struct sw_buffer journal; /* The identity of the journal that must be there; empty: any. */

    uint64_t stats_ns;
    _Atomic bool has_news; /* Since the last STATS. */
    uint32_t stop_ms;
};

/* --- notes.c --------------------------------------------------------------------------------- */

/* Map the file of notes, before the sandbox, and suspect what ran when the last host crashed.
 * Without it none are kept. */
void notes_open(struct driver *driver, bool has_crashed);

/* --- threads.c ------------------------------------------------------------------------------- */

SW_MUST_CHECK enum sw_rc driver_start(struct driver *driver, struct sw_err *err);
/* End all segments and threads; what is in flight is in mailboxes afterwards. Long segments have
 * until then, by the monotonic clock: those that go on longer are left where they are, with their
 * threads, as if they had never begun. */
void driver_join(struct driver *driver, uint64_t finish_ns);
/* Put an item into a lane's ring, for lane_wake to tell of. False: it is full. */
SW_MUST_CHECK bool lane_put(struct lane *lane, struct sw_item *item);
/* Wake a lane if it sleeps; once after several puts costs one switch instead of many. */
void lane_wake(struct lane *lane);
/* What the strands of a lane do: run its worker. */
void lane_run(void *ctx);
/* The outputs of a lane that may leave now, at most all; the caller frees them. */
struct sw_output *lane_outputs(struct lane *lane, uint64_t durable);
/* What a lane put out and could not leave yet leaves before what another one will put out. Workers
 * stand still. */
void lane_follow(struct lane *first, struct lane *then);
/* Move what a worker put out to where the link finds it, and its figures as well, these not each
 * time while there is more to come (has_news). */
void lane_publish(struct lane *lane, bool has_news);
/* Wake the link if it sleeps. */
void link_wake(struct driver *driver);
/* Wake the journal's thread, or that of snapshots, if it sleeps. */
void journal_wake(struct driver *driver);
void snapshot_wake(struct driver *driver);
/* Wait until woken, or until `ns` from now (UINT64_MAX: no time). The mutex is held. */
void cond_wait_ns(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t ns);
/* Say why and end the process at once, before anything more leaves it. */
_Noreturn void driver_die(enum sw_host_exit code, const char *words);
/* The same with the words of an error, and its hint. */
_Noreturn void driver_die_of(enum sw_host_exit code, const struct sw_err *err);

/* --- still.c ---------------------------------------------------------------------------------- */

/* Have all workers pause between two segments, with nothing in flight between them, call
 * work(ctx, driver), which may look at and change every worker, and let them go on. What comes from
 * the link meanwhile waits in rings; the journal and what leaves go on. The pause is as long as
 * what runs takes to its end or until it is set aside (overtake.h), and work itself. Any thread,
 * but for a worker's.
 * SW_E_TIMEOUT      a segment ran on for wait_ns (UINT64_MAX: never), or another thread has them
 *                   stand still
 * SW_E_UNAVAILABLE  the workers end: nothing was done */
SW_MUST_CHECK enum sw_rc driver_stand_still(struct driver *driver, uint64_t wait_ns,
                                            void (*work)(void *ctx, struct driver *driver),
                                            void *ctx);
/* is_stopping was set: whoever waits for the workers waits no longer. */
void still_give_up(struct driver *driver);
/* A worker comes by, with nothing in its hands: here it stands while it is to. */
void lane_pass(struct lane *lane);
/* Hand a worker all that stands in its ring. Its thread stands still, or is gone. */
void lane_empty(struct lane *lane);
/* Carry items between workers until none is left. Their threads stand still, or are gone. */
void driver_settle(struct driver *driver);

/* --- memory.c -------------------------------------------------------------------------------- */

/* Before the sandbox: find out how much memory instances that are awake may have. 0: half of what
 * there is. */
void memory_open(struct driver *driver, uint64_t wanted);
/* Have workers know. */
void memory_watch(struct driver *driver);
/* Once a second: while memory is short they may have less. */
void memory_look(struct driver *driver);

/* --- shelf.c --------------------------------------------------------------------------------- */

SW_MUST_CHECK enum sw_rc readers_start(struct driver *driver, struct sw_err *err);
/* Workers have ended: nobody wants to read any more. */
void readers_join(struct driver *driver);
/* Have read what a lane's worker wants. Its thread. */
void lane_read(struct lane *lane);
/* Hand it what was read. Its thread. How many. */
uint32_t lane_take_loaded(struct lane *lane);
/* Write what waits of instances that sleep, if it is much. The thread of snapshots. False: the disk
 * is full; any other failure ends the host. */
bool shelf_write(struct driver *driver);

/* --- snapshots.c ----------------------------------------------------------------------------- */

/* The thread that takes snapshots: begins them when it is time, writes, removes. */
void *snapshot_main(void *ctx);
/* Whether it would find something to do. Any thread. */
bool driver_wants_snapshot(const struct driver *driver);
/* Tell what went wrong with histories, if anything did. The thread of snapshots, or none is. */
void driver_tell_history(struct driver *driver);

/* --- link.c ---------------------------------------------------------------------------------- */

/* Wait for HELLO.  SW_E_CORRUPT: something else came.  SW_E_UNAVAILABLE: the link ended. */
SW_MUST_CHECK enum sw_rc link_hello(struct driver *driver, struct sw_frame_hello *ret_hello,
                                    struct sw_err *err);
void link_emit(void *ctx, const struct sw_frame *frame);
void link_put(void *ctx, uint32_t worker, struct sw_item *item);
enum sw_rc link_still(void *ctx, void (*work)(void *work_ctx), void *work_ctx);
void link_follow(void *ctx, uint32_t first, uint32_t then);
/* Wait for more frames and hand each whole one to take(ctx, frame). Errors: of take, and
 * SW_E_CORRUPT, SW_E_UNAVAILABLE as link_hello. Instead of link_serve. */
SW_MUST_CHECK enum sw_rc link_receive(struct driver *driver,
                                      enum sw_rc (*take)(void *ctx, const struct sw_frame *frame,
                                                         struct sw_err *err),
                                      void *ctx, struct sw_err *err);
/* Write all frames that wait, blocking.  SW_E_UNAVAILABLE: the link ended. */
SW_MUST_CHECK enum sw_rc link_write(struct driver *driver, struct sw_err *err);
/* Serve until STOP came (SW_OK) or the link ended (SW_E_UNAVAILABLE). */
SW_MUST_CHECK enum sw_rc link_serve(struct driver *driver, struct sw_err *err);
/* Hand workers what waits for them, past their rings. Their threads stand still, or are gone. */
void link_give(struct driver *driver);
/* Take outputs that may leave from all lanes, and write all that waits, blocking. */
void link_flush(struct driver *driver);
/* Something has changed that figures tell of. Any thread. */
void link_note(struct driver *driver);
/* Send what may leave and the socket takes, from the thread that made it so: a switch to the link's
 * thread less on the way of each answer. What is left, the link's thread sends. Any thread. */
void link_push(struct driver *driver);
