/* Backups for the gateway: pkg/backup on threads of the loop's pool, but for its point.
 *
 * Threads: the loop's, and one of its pool at a time.  I/O: that of pkg/backup.  Limits: one at a
 * time. */
#pragma once
#include "cmd/swarmd/modules.h"
#include "pkg/utils/logger/logger.h"

struct backup_job; /* Opaque. */

struct backup_adapter { /* Borrowed; set before the first call. */
    struct sw_loop *loop;
    const struct sw_system *system;
    const struct sw_logger *logger;
    const char *data_folder, *cluster, *node;
    const uint8_t *engine_key;
    struct modules_adapter *modules;
    struct backup_job *job; /* The one that is being made; NULL at first. */
};

/* Remove what a daemon that was killed left of one. */
void backup_adapter_start(struct backup_adapter *adapter);
/* It takes the adapter as its ctx, which outlives it. */
struct sw_gateway_backup backup_adapter_gateway(struct backup_adapter *adapter);
/* Tell who waits that nothing more comes: before the gateway is freed. What still reads ends by
 * itself, at the latest when the loop is freed. */
void backup_adapter_stop(struct backup_adapter *adapter);
