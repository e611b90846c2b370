/* Engines over updates: the one that runs is kept beside the data, and older ones pack what they
 * left in the journals before it goes on.
 *
 * Threads: the loop's; keeping is work of the loop's pool.  I/O: the folder engines of the data.
 * Limits: PACK_MS_MAX for an older engine. */
#pragma once
#include "pkg/agent/compiler/compiler.h"
#include "pkg/agent/engines/engines.h"
#include "pkg/agent/modules/modules.h"
#include "pkg/utils/logger/logger.h"

struct engines { /* Set by the daemon before the first call; borrowed, as all that it names. */
    const struct sw_system *system;
    const struct sw_logger *logger;
    struct sw_loop *loop;
    const struct sw_modules *modules;
    const char *data_folder, *host_path, *compiler_path;
    uint8_t key[SW_COMPILER_KEY_SIZE];
    char folder[SW_PATH_MAX], cache[SW_PATH_MAX];
    struct sw_compiler *compiler; /* Of the older engine that packs now. */
    struct sw_err failure;        /* Of keeping. */
};

/* Before an agent host is started: run the loop until each older engine that is kept has packed
 * its tails, and forget those that have. What fails is logged; the instances that are left are
 * parked with an Event once they are needed, and the engine stays for the next start. */
void engines_pack(struct engines *engines);
/* Keep a copy of our own engine, beside the loop. A failure is logged. */
void engines_keep(struct engines *engines);
