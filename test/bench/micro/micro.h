/* What the warm paths cost, each on one worker alone: without threads, sockets or other processes,
 * so that it can be profiled and compared. The worker, its journal, its shelf and the guests are
 * what ships. Each mode prints ns of processor time, which nobody claims anywhere but as an order
 * of magnitude; `perf` and `valgrind --tool=callgrind` say where it goes.
 *
 * Threads: one.  I/O: a folder of its own in BUILD/bench.  Errors: the program ends with status 1.
 */
#pragma once
#include "pkg/agent/runtime/actor/recovery.h"
#include "pkg/agent/runtime/host/guest_wasm.h"
#include "pkg/agent/runtime/wasm/wasm.h"

#include <inttypes.h>
#include <stdio.h>

struct micro {
    const struct sw_system *system;
    const char *build;
    uint32_t rounds, keys; /* keys: of modes with many instances. */
    char folder[128];
    struct sw_wasm_engine *wasm;
    struct sw_wasm_worker *guests;
    struct sw_guest_module *module;
    struct sw_shared shared;
    struct sw_worker *worker;
    uint64_t outputs; /* So many frames were for swarmd. */
};

struct micro_pod {
    const char *guest, *config; /* BUILD/guests/bench_<guest>.wasm. */
    bool is_durable, rests_at_once;
};

/* Of a call of the system or of Swarm. */
void micro_check(enum sw_rc rc, const struct sw_err *err);
/* A host in a new folder, with one Pod. Its journal is of no use afterwards. */
void micro_open(struct micro *micro, const struct micro_pod *pod);
void micro_close(struct micro *micro);
/* Processor time of the process, in ns. */
uint64_t micro_cpu_ns(void);
/* Until nobody has anything to do: blocks are read, what sleeps is written, the journal is
 * committed when it is full. */
void micro_settle(struct micro *micro);
/* A message of body to instance `number`: of a client, who waits for an answer, or of somebody. */
void micro_ask(struct micro *micro, uint32_t number, struct sw_bytes body);
void micro_tell(struct micro *micro, uint32_t number, struct sw_bytes body);
/* One line: what took how long, for each of so many. */
void micro_print(const char *what, uint64_t ns, uint64_t count);
/* The next of a row of random numbers, which *state is of. */
uint32_t micro_random(uint64_t *state);

/* --- messages.c ------------------------------------------------------------------------------ */

void micro_pairs(struct micro *micro);
void micro_durable(struct micro *micro);
void micro_fan(struct micro *micro);
void micro_publish(struct micro *micro);

/* --- rest.c ---------------------------------------------------------------------------------- */

void micro_wake(struct micro *micro);
void micro_snapshot(struct micro *micro);
void micro_append(struct micro *micro);
