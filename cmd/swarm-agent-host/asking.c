#include "cmd/swarm-agent-host/aside.h"

#include "pkg/agent/runtime/host/guest_wasm.h"

#include <string.h>

static void put(void *ctx, uint32_t worker, struct sw_item *item)
{
    const struct asking *asking = ctx;

    (void)worker; /* There is one. */
    sw_worker_put(asking->worker, item);
}

/* What the room says of frames: here it is the end of waiting for a module, or of the one that runs
 * a bundle, which comes before it. */
static void emit(void *ctx, const struct sw_frame *frame)
{
    struct asking *asking = ctx;

    if (frame->kind != SW_FRAME_MODULE_RESULT)
        return;
    asking->is_answered =
        asking->is_answered || sw_bytes_is_equal(frame->result.what, asking->wanted);
    if (frame->result.code != 0 && asking->reason.rc == SW_OK)
        (void)sw_err_set(&asking->reason, SW_E_PRECONDITION, "the module %.*s: %.*s",
                         (int)frame->result.what.size, (const char *)frame->result.what.data,
                         (int)frame->result.words.size, (const char *)frame->result.words.data);
}

static enum sw_rc take(void *ctx, const struct sw_frame *frame, struct sw_err *err)
{
    struct asking *asking = ctx;

    if (frame->kind == SW_FRAME_MODULE || frame->kind == SW_FRAME_BUNDLE)
        return sw_host_receive(asking->driver->host, frame, err);
    if (frame->kind != SW_FRAME_MODULE_DROP)
        return sw_err_set(err, SW_E_CORRUPT, "frame %s where a module is waited for",
                          sw_frame_kind_name(frame->kind));
    asking->is_answered = true;
    (void)sw_err_set(&asking->reason, SW_E_NOT_FOUND, "the module %.*s that it runs cannot be had",
                     (int)frame->module_drop.digest.size,
                     (const char *)frame->module_drop.digest.data);
    return SW_OK;
}

enum sw_rc asking_program(struct asking *asking, struct sw_bytes pod, struct sw_bytes digest,
                          struct sw_err *err)
{
    struct sw_frame wanted = {.kind = SW_FRAME_MODULE_WANTED, .module_wanted = {pod, digest}};
    enum sw_rc rc;

    asking->is_answered = false;
    asking->wanted = digest;
    asking->reason = (struct sw_err){0};
    link_emit(asking->driver, &wanted);
    rc = link_write(asking->driver, err);
    while (rc == SW_OK && !asking->is_answered)
        rc = link_receive(asking->driver, take, asking, err);
    if (rc == SW_OK && asking->reason.rc != SW_OK)
        *err = asking->reason;
    return rc == SW_OK ? asking->reason.rc : rc;
}

void asking_begin(struct asking *asking, struct driver *driver, struct sw_worker *worker,
                  open_module *open)
{
    struct sw_host_options host = {.system = driver->system,
                                   .shared = &driver->shared,
                                   .workers = &asking->worker,
                                   .workers_count = 1,
                                   .engine = &driver->engine,
                                   .ctx = asking,
                                   .open_module = open,
                                   .open_bundle = sw_guest_wasm_bundle,
                                   .put = put,
                                   .emit = emit};
    struct sw_err err = {0};

    *asking = (struct asking){.driver = driver, .worker = worker};
    if (sw_host_new(&host, &driver->host, &err) != SW_OK)
        driver_die(SW_HOST_EXIT_RESOURCES, err.message);
}
