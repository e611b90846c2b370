#include "cmd/swarm-agent-host/aside.h"

#include "pkg/agent/runtime/actor/rerun.h"
#include "pkg/utils/base/text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct replay {
    struct driver *driver;
    struct asking asking;
};

static enum sw_rc get_program(void *ctx, struct sw_worker *worker, struct sw_bytes pod,
                              struct sw_bytes digest, struct sw_err *err)
{
    struct replay *replay = ctx;

    (void)worker; /* There is one. */
    return asking_program(&replay->asking, pod, digest, err);
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

_Noreturn void replay_run(struct driver *driver, struct sw_worker *worker, open_module *open)
{
    struct replay replay = {.driver = driver};
    struct sw_journal_options journal = {.system = driver->system,
                                         .folder = driver->folder,
                                         .is_read_only = driver->task == TASK_REPLAY};
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

    asking_begin(&replay.asking, driver, worker, open);
    rc = driver->task == TASK_PACK ? sw_repack(&options, &report, &err)
                                   : sw_rerun(&options, &report, &err);
    if (rc != SW_OK)
        driver_die_of(rc == SW_E_UNAVAILABLE ? SW_HOST_EXIT_PROTOCOL : SW_HOST_EXIT_UNREADABLE,
                      &err);
    tell_report(driver, &report);
    _exit(SW_HOST_EXIT_STOPPED);
}
