/* A ledger on a disk in memory and a loop by hand, for tests: rounds of the loop and work of the
 * pool happen when a test says so. */
#pragma once
#include "pkg/broker/budget/ledger.h"
#include "test/support/disk.h"

#define LEDGER_FOLDER "ledger"
#define LEDGER_BOOT_FILE "/proc/sys/kernel/random/boot_id"
#define LEDGER_S_NS 1000000000ull
#define LEDGER_CENT 10000000ull /* Billionths of a dollar. */

struct sw_loop { /* The one of these tests. */
    void (*deferred)(void *ctx);
    void *deferred_ctx;
    void (*work)(void *ctx);
    void (*done)(void *ctx);
    void *work_ctx;
    uint64_t works;
    bool has_no_memory;
};

static inline enum sw_rc ledger_defer(struct sw_loop *loop, void (*call)(void *ctx), void *ctx)
{
    if (loop->has_no_memory)
        return SW_E_EXHAUSTED;
    assert(loop->deferred == NULL);
    loop->deferred = call;
    loop->deferred_ctx = ctx;
    return SW_OK;
}

static inline enum sw_rc ledger_work(struct sw_loop *loop, void (*work)(void *ctx),
                                     void (*done)(void *ctx), void *ctx)
{
    if (loop->has_no_memory)
        return SW_E_EXHAUSTED;
    assert(loop->done == NULL);
    loop->work = work;
    loop->done = done;
    loop->work_ctx = ctx;
    loop->works++;
    return SW_OK;
}

/* The end of a round. */
static inline void ledger_round(struct sw_loop *loop)
{
    void (*call)(void *ctx) = loop->deferred;

    loop->deferred = NULL;
    if (call != NULL)
        call(loop->deferred_ctx);
}

/* The pool does its work, and the loop hears of it. */
static inline void ledger_pool(struct sw_loop *loop)
{
    void (*done)(void *ctx) = loop->done;

    if (done == NULL)
        return;
    loop->work(loop->work_ctx);
    loop->done = NULL;
    done(loop->work_ctx);
}

static inline void ledger_settle_down(struct sw_loop *loop)
{
    while (loop->deferred != NULL || loop->done != NULL) {
        ledger_round(loop);
        ledger_pool(loop);
    }
}

static inline void ledger_set_boot(struct disk *disk, const char *id)
{
    int file;

    if (disk->system.file_open(disk, LEDGER_BOOT_FILE,
                               SW_FILE_WRITE | SW_FILE_CREATE | SW_FILE_TRUNCATE, &file,
                               NULL) != SW_OK ||
        disk->system.file_write(disk, file, 0, id, strlen(id), NULL) != SW_OK ||
        disk->system.file_sync(disk, file, NULL) != SW_OK)
        abort();
    disk->files[file].is_named = true;
}

static inline enum sw_rc ledger_open(struct disk *disk, struct sw_loop *loop,
                                     struct sw_ledger_options options,
                                     struct sw_ledger **ret_ledger, struct sw_err *err)
{
    memset(loop, 0, sizeof *loop);
    options.system = &disk->system;
    options.loop = loop;
    options.defer = ledger_defer;
    options.work = ledger_work;
    options.folder = LEDGER_FOLDER;
    return sw_ledger_new(&options, ret_ledger, err);
}
