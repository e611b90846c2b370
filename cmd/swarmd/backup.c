#include "cmd/swarmd/backup.h"

#include "pkg/backup/backup.h"

#include <inttypes.h>
#include <stdlib.h>

#define CHUNK_BYTES ((size_t)256 << 10)
#define TRIES_MAX 5 /* Of the point, while hosts are too busy for it. */
#define NS_PER_US 1000u

struct backup_job {
    struct backup_adapter *adapter; /* NULL: the daemon stops. */
    struct sw_backup *backup;
    bool is_working; /* On another thread. */
    int tries;
    enum sw_rc rc; /* Of the work, with its words. */
    struct sw_err err;
    void (*begun)(void *ctx, enum sw_rc rc, const struct sw_gateway_backup_begun *begun,
                  const struct sw_err *err);
    void (*taken)(void *ctx, enum sw_rc rc, struct sw_bytes bytes, bool is_last);
    void *ctx;
    size_t got;
    uint8_t bytes[CHUNK_BYTES];
};

/* Nobody is to hear of it any more. */
static void detach(struct backup_job *job)
{
    if (job->adapter == NULL)
        return;
    job->adapter->job = NULL;
    sw_module_controller_let_go(job->adapter->modules->collector);
    job->adapter = NULL;
}

/* What still reads frees it when it is back. */
static void job_free(struct backup_job *job)
{
    detach(job);
    if (job->is_working)
        return;
    sw_backup_free(job->backup);
    free(job);
}

/* done is not called if there is nobody left to hear it. */
static enum sw_rc work(struct backup_job *job, void (*run)(void *ctx), void (*done)(void *ctx))
{
    job->is_working = true;
    job->rc = SW_OK;
    sw_err_clear(&job->err);
    if (sw_loop_work(job->adapter->loop, run, done, job) == SW_OK)
        return SW_OK;
    job->is_working = false;
    return sw_err_set(&job->err, SW_E_EXHAUSTED, "no memory for a backup");
}

/* Back on the loop.  False: the daemon stops, and the job is gone. */
static bool is_back(struct backup_job *job)
{
    job->is_working = false;
    if (job->adapter != NULL)
        return true;
    job_free(job);
    return false;
}

/* --- Beginning ------------------------------------------------------------------------------- */

static void begin_failed(struct backup_job *job, enum sw_rc rc)
{
    struct sw_err err = job->err;

    sw_log(job->adapter->logger, SW_LOG_WARN, "backup", "no backup was made: %s", err.message);
    job->begun(job->ctx, rc, NULL, &err);
    job_free(job);
}

static void gather(void *ctx)
{
    struct backup_job *job = ctx;

    job->rc = sw_backup_gather(job->backup, &job->err);
}

static void on_gathered(void *ctx)
{
    struct backup_job *job = ctx;
    struct sw_gateway_backup_begun begun = {.handle = job};
    struct sw_backup_view view;

    if (!is_back(job))
        return;
    if (job->rc != SW_OK) {
        begin_failed(job, job->rc);
        return;
    }
    sw_backup_view(job->backup, &view);
    begun.size_bytes = view.bytes;
    sw_log(job->adapter->logger, SW_LOG_INFO, "backup",
           "a backup of %" PRIu64 " bytes begins, of revision %" PRIu64 " and %" PRIu64
           " journals; its point took %" PRIu64 " us",
           view.bytes, view.revision, view.journals, view.cut_ns / NS_PER_US);
    job->begun(job->ctx, SW_OK, &begun, NULL);
}

static enum sw_rc prepare_start(struct backup_job *job);

/* The point: nothing else runs on this thread meanwhile, so nothing passes from host to host. */
static void on_prepared(void *ctx)
{
    struct backup_job *job = ctx;
    enum sw_rc rc;

    if (!is_back(job))
        return;
    rc = job->rc;
    if (rc == SW_OK)
        rc = sw_backup_cut(job->backup, &job->err);
    if (rc == SW_OK)
        rc = work(job, gather, on_gathered);
    else if ((rc == SW_E_UNAVAILABLE || rc == SW_E_RANGE) && ++job->tries < TRIES_MAX)
        rc = prepare_start(job);
    if (rc != SW_OK)
        begin_failed(job, rc);
}

static void prepare(void *ctx)
{
    struct backup_job *job = ctx;

    job->rc = sw_backup_prepare(job->backup, &job->err);
}

static enum sw_rc prepare_start(struct backup_job *job)
{
    const struct backup_adapter *adapter = job->adapter;
    struct sw_backup_options options = {.system = adapter->system,
                                        .data_folder = adapter->data_folder,
                                        .cluster = adapter->cluster,
                                        .node = adapter->node,
                                        .engine_key = adapter->engine_key};
    enum sw_rc rc;

    sw_backup_free(job->backup);
    job->backup = NULL;
    rc = sw_backup_new(&options, &job->backup, &job->err);
    return rc == SW_OK ? work(job, prepare, on_prepared) : rc;
}

static enum sw_rc begin(void *ctx, const char *caller,
                        void (*done)(void *done_ctx, enum sw_rc rc,
                                     const struct sw_gateway_backup_begun *begun,
                                     const struct sw_err *err),
                        void *done_ctx, struct sw_err *err)
{
    struct backup_adapter *adapter = ctx;
    struct backup_job *job;
    enum sw_rc rc;

    if (adapter->job != NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "a backup is being made already");
    job = calloc(1, sizeof *job);
    if (job == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a backup");
    adapter->job = job;
    job->adapter = adapter;
    job->begun = done;
    job->ctx = done_ctx;
    sw_module_controller_hold(adapter->modules->collector);
    sw_log(adapter->logger, SW_LOG_INFO, "backup", "%s asks for a backup", caller);
    rc = prepare_start(job);
    if (rc == SW_OK)
        return SW_OK;
    if (err != NULL)
        *err = job->err;
    job_free(job);
    return rc;
}

/* --- Reading --------------------------------------------------------------------------------- */

static void read_chunk(void *ctx)
{
    struct backup_job *job = ctx;

    job->rc = sw_backup_read(job->backup, job->bytes, sizeof job->bytes, &job->got, &job->err);
}

static void on_read(void *ctx)
{
    struct backup_job *job = ctx;

    if (!is_back(job))
        return;
    if (job->rc != SW_OK)
        sw_log(job->adapter->logger, SW_LOG_WARN, "backup", "the backup is broken off: %s",
               job->err.message);
    job->taken(job->ctx, job->rc, (struct sw_bytes){job->bytes, job->got},
               job->got < sizeof job->bytes);
}

static void next(void *ctx, void *handle,
                 void (*done)(void *done_ctx, enum sw_rc rc, struct sw_bytes bytes, bool is_last),
                 void *done_ctx)
{
    struct backup_job *job = handle;

    (void)ctx;
    job->taken = done;
    job->ctx = done_ctx;
    job->got = 0;
    if (work(job, read_chunk, on_read) == SW_OK)
        return;
    job->rc = SW_E_EXHAUSTED;
    job->is_working = true; /* It is said from the loop, as all else. */
    if (sw_loop_post(job->adapter->loop, on_read, job) != SW_OK)
        abort(); /* A million calls wait already: that is no daemon any more. */
}

static void end(void *ctx, void *handle)
{
    (void)ctx;
    job_free(handle);
}

struct sw_gateway_backup backup_adapter_gateway(struct backup_adapter *adapter)
{
    return (struct sw_gateway_backup){.ctx = adapter, .begin = begin, .next = next, .end = end};
}

void backup_adapter_start(struct backup_adapter *adapter)
{
    struct sw_err err = {0};

    if (sw_backup_sweep(adapter->system, adapter->data_folder, &err) != SW_OK)
        sw_log(adapter->logger, SW_LOG_WARN, "backup", "%s", err.message);
}

void backup_adapter_stop(struct backup_adapter *adapter)
{
    struct backup_job *job = adapter->job;
    struct sw_err err = {0};

    if (job == NULL || !job->is_working)
        return;
    detach(job);
    if (job->backup != NULL)
        sw_backup_cancel(job->backup);
    (void)sw_err_set(&err, SW_E_UNAVAILABLE, "the daemon stops");
    if (job->taken != NULL)
        job->taken(job->ctx, err.rc, (struct sw_bytes){NULL, 0}, true);
    else
        job->begun(job->ctx, err.rc, NULL, &err);
}
