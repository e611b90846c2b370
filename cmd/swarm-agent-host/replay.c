#include "cmd/swarm-agent-host/driver.h"

#include "pkg/agent/runtime/actor/rerun.h"
#include "pkg/utils/base/text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct replay {
    struct driver *driver;
    struct sw_worker *worker;
    bool is_answered;     /* The module that was asked for is here, */
    struct sw_err reason; /* or cannot be had, and why. */
};

/* --- Modules --------------------------------------------------------------------------------- */

static void put(void *ctx, uint32_t worker, struct sw_item *item)
{
    const struct replay *replay = ctx;

    (void)worker; /* There is one. */
    sw_worker_put(replay->worker, item);
}

/* What the room says of frames: here it is the end of waiting for a module. */
static void emit(void *ctx, const struct sw_frame *frame)
{
    struct replay *replay = ctx;

    if (frame->kind != SW_FRAME_MODULE_RESULT)
        return;
    replay->is_answered = true;
    if (frame->result.code != 0)
        (void)sw_err_set(&replay->reason, SW_E_PRECONDITION, "the module %.*s: %.*s",
                         (int)frame->result.what.size, (const char *)frame->result.what.data,
                         (int)frame->result.words.size, (const char *)frame->result.words.data);
}

static enum sw_rc take(void *ctx, const struct sw_frame *frame, struct sw_err *err)
{
    struct replay *replay = ctx;

    if (frame->kind == SW_FRAME_MODULE)
        return sw_host_receive(replay->driver->host, frame, err);
    if (frame->kind != SW_FRAME_MODULE_DROP)
        return sw_err_set(err, SW_E_CORRUPT, "frame %s in a replay",
                          sw_frame_kind_name(frame->kind));
    replay->is_answered = true;
    (void)sw_err_set(&replay->reason, SW_E_NOT_FOUND, "the module %.*s that it runs cannot be had",
                     (int)frame->module_drop.digest.size,
                     (const char *)frame->module_drop.digest.data);
    return SW_OK;
}

static enum sw_rc get_program(void *ctx, struct sw_worker *worker, struct sw_bytes pod,
                              struct sw_bytes digest, struct sw_err *err)
{
    struct replay *replay = ctx;
    struct sw_frame wanted = {.kind = SW_FRAME_MODULE_WANTED, .module_wanted = {pod, digest}};
    enum sw_rc rc;

    (void)worker;
    replay->is_answered = false;
    replay->reason = (struct sw_err){0};
    link_emit(replay->driver, &wanted);
    rc = link_write(replay->driver, err);
    while (rc == SW_OK && !replay->is_answered)
        rc = link_receive(replay->driver, take, replay, err);
    if (rc == SW_OK && replay->reason.rc != SW_OK)
        *err = replay->reason;
    return rc == SW_OK ? replay->reason.rc : rc;
}

/* --- What is told ---------------------------------------------------------------------------- */

static void tell(void *ctx, const struct sw_rerun_trouble *trouble)
{
    const struct replay *replay = ctx;
    static const char reason[] = "ReplayMismatch";
    char words[SW_FRAME_WORDS_MAX];
    struct sw_err ignored = {0};

    snprintf(words, sizeof words, "%.*s/%.*s/%.*s: %s", (int)trouble->name_space.size,
             (const char *)trouble->name_space.data, (int)trouble->agent.size,
             (const char *)trouble->agent.data, (int)trouble->key.size,
             trouble->key.size > 0 ? (const char *)trouble->key.data : "", trouble->words);
    sw_text_mend_end(words);
    link_emit(replay->driver, &(struct sw_frame){.kind = SW_FRAME_EVENT,
                                                 .event = {.uid = trouble->pod,
                                                           .key = trouble->key,
                                                           .is_warning = 1,
                                                           .reason = {reason, strlen(reason)},
                                                           .words = {words, strlen(words)}}});
    if (link_write(replay->driver, &ignored) != SW_OK)
        _exit(SW_HOST_EXIT_STOPPED); /* Nobody is there to hear. */
}

static void tell_report(struct driver *driver, const struct sw_rerun_report *report)
{
    struct sw_frame frame = {.kind = SW_FRAME_REPLAYED,
                             .replayed = {.begin = report->begin,
                                          .instances = report->instances,
                                          .segments = report->segments,
                                          .recorded = report->recorded,
                                          .compared = report->compared,
                                          .others = report->others,
                                          .troubles = report->troubles}};
    struct sw_err err = {0};

    link_emit(driver, &frame);
    if (link_write(driver, &err) != SW_OK)
        driver_die(SW_HOST_EXIT_PROTOCOL, err.message);
}

_Noreturn void
replay_run(struct driver *driver, struct sw_worker *worker,
           enum sw_rc (*open_module)(void *ctx, enum sw_abi_class class, struct sw_bytes code,
                                     struct sw_guest_module **ret_module, struct sw_err *err))
{
    struct replay replay = {.driver = driver, .worker = worker};
    struct sw_journal_options journal = {
        .system = driver->system, .folder = driver->folder, .is_read_only = driver->is_replay};
    struct sw_host_options host = {.system = driver->system,
                                   .shared = &driver->shared,
                                   .workers = &worker,
                                   .workers_count = 1,
                                   .engine = &driver->engine,
                                   .ctx = &replay,
                                   .open_module = open_module,
                                   .put = put,
                                   .emit = emit};
    struct sw_rerun_options options = {.journal = &journal,
                                       .shared = &driver->shared,
                                       .workers = &worker,
                                       .count = 1,
                                       .ctx = &replay,
                                       .program = get_program,
                                       .tell = tell};
    struct sw_rerun_report report;
    struct sw_err err = {0};
    enum sw_rc rc;

    if (sw_host_new(&host, &driver->host, &err) != SW_OK)
        driver_die(SW_HOST_EXIT_RESOURCES, err.message);
    rc = driver->is_pack ? sw_repack(&options, &report, &err) : sw_rerun(&options, &report, &err);
    if (rc != SW_OK)
        driver_die_of(rc == SW_E_UNAVAILABLE ? SW_HOST_EXIT_PROTOCOL : SW_HOST_EXIT_UNREADABLE,
                      &err);
    tell_report(driver, &report);
    _exit(SW_HOST_EXIT_STOPPED);
}
