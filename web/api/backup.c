/* A backup of the swarm as one answer, read from the disk as fast as the client takes it. */
#include "web/api/backup.h"

#include "web/api/backup_call.h"
#include "web/api/state.h"

#define PENDING_BYTES_MAX ((size_t)1024 * 1024) /* With so much unsent, nothing more is read. */

static const struct sw_gateway_backup *source_of(const struct gateway_backup *backup)
{
    return &backup->call->gateway->options.backup;
}

/* The end, good or bad: of a call that nobody hears any more it is the same. */
static void end(struct gateway_backup *backup, bool is_whole)
{
    sw_list_remove(&backup->node);
    if (backup->handle != NULL)
        source_of(backup)->end(source_of(backup)->ctx, backup->handle);
    backup->handle = NULL;
    if (is_whole)
        sw_http_end(backup->call->request, NULL, 0);
    else
        sw_http_abort(backup->call->request);
}

static void on_bytes(void *ctx, enum sw_rc rc, struct sw_bytes bytes, bool is_last);

static void ask(struct gateway_backup *backup)
{
    backup->is_busy = true;
    source_of(backup)->next(source_of(backup)->ctx, backup->handle, on_bytes, backup);
}

static void on_bytes(void *ctx, enum sw_rc rc, struct sw_bytes bytes, bool is_last)
{
    struct gateway_backup *backup = ctx;
    struct sw_http_request *request = backup->call->request;

    backup->is_busy = false;
    if (rc == SW_OK && !backup->is_over && bytes.size > 0)
        rc = sw_http_write(request, bytes.data, bytes.size);
    if (rc != SW_OK || backup->is_over || is_last)
        end(backup, rc == SW_OK && !backup->is_over);
    else if (sw_http_pending(request) < PENDING_BYTES_MAX)
        ask(backup);
}

static void on_writable(void *ctx, struct sw_http_request *request)
{
    struct gateway_backup *backup = ctx;

    (void)request;
    if (!backup->is_busy && !backup->is_over)
        ask(backup);
}

void sw_gateway_backup_end(struct gateway_backup *backup)
{
    backup->is_over = true;
    if (!backup->is_busy)
        end(backup, false);
}

static void on_cancel(void *ctx, struct sw_http_request *request)
{
    (void)request;
    sw_gateway_backup_end(ctx);
}

static void on_begun(void *ctx, enum sw_rc rc, const struct sw_gateway_backup_begun *begun,
                     const struct sw_err *err)
{
    struct gateway_backup *backup = ctx;
    struct gateway_call *call = backup->call;
    const char *size;

    backup->is_busy = false;
    if (rc == SW_OK)
        backup->handle = begun->handle;
    if (backup->is_over) {
        end(backup, false);
        return;
    }
    if (rc != SW_OK) {
        sw_list_remove(&backup->node);
        sw_gateway_fail(call, rc, err);
        return;
    }
    size = sw_arena_print(call->request->arena, "%llu", (unsigned long long)begun->size_bytes);
    sw_gateway_count(call, 200);
    sw_http_start(
        call->request, 200,
        (const struct sw_http_header[]){SW_HTTP_HEADER("content-type", "application/x-tar"),
                                        SW_HTTP_HEADER("cache-control", "no-store"),
                                        SW_HTTP_HEADER("swarm-size", size == NULL ? "0" : size)},
        3);
    sw_http_on_writable(call->request, on_writable, backup);
    ask(backup);
}

void sw_gateway_serve_backup(struct gateway_call *call)
{
    const struct sw_gateway_backup *source = &call->gateway->options.backup;
    struct gateway_backup *backup = sw_arena_get(call->request->arena, sizeof *backup);
    struct sw_err err = {0};
    enum sw_rc rc = SW_OK;

    if (source->begin == NULL)
        rc = sw_err_set(&err, SW_E_UNSUPPORTED, "this daemon makes no backups");
    else if (call->gateway->is_draining)
        rc = sw_err_set(&err, SW_E_UNAVAILABLE, "the daemon stops");
    else if (backup == NULL)
        rc = sw_err_set(&err, SW_E_EXHAUSTED, "no memory for a backup");
    if (rc == SW_OK) {
        backup->call = call;
        sw_list_init(&backup->node);
        rc = source->begin(source->ctx, call->principal.spiffe, on_begun, backup, &err);
    }
    if (rc != SW_OK) {
        sw_gateway_fail(call, rc, &err);
        return;
    }
    backup->is_busy = true;
    sw_list_add(&call->gateway->backups, &backup->node);
    sw_http_on_cancel(call->request, on_cancel, backup);
}
