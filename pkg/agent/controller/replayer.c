#include "pkg/agent/controller/replayer.h"

#include "pkg/agent/controller/aside.h"

#include <stdio.h>

struct replayer {
    const struct sw_replay_options *options;
    bool is_through;
    struct sw_frame_replayed report;
    struct sw_err failure;
};

static enum sw_rc on_frame(void *ctx, const struct sw_frame *frame, struct sw_err *err)
{
    struct replayer *replayer = ctx;
    char words[SW_FRAME_WORDS_MAX + 1];

    if (replayer->is_through)
        return sw_err_set(err, SW_E_CORRUPT, "the agent host goes on after its end");
    switch ((unsigned)frame->kind) {
    case SW_FRAME_EVENT:
        (void)snprintf(words, sizeof words, "%.*s", (int)frame->event.words.size,
                       frame->event.words.size > 0 ? (const char *)frame->event.words.data : "");
        replayer->options->on_trouble(replayer->options->ctx, words);
        return SW_OK;
    case SW_FRAME_REPLAYED:
        replayer->is_through = true;
        replayer->report = frame->replayed;
        return SW_OK;
    default:
        return sw_err_set(err, SW_E_CORRUPT, "frame %s in a replay",
                          sw_frame_kind_name(frame->kind));
    }
}

static void on_trouble(void *ctx, const char *words)
{
    struct replayer *replayer = ctx;

    replayer->options->on_trouble(replayer->options->ctx, words);
}

static void on_end(void *ctx, const struct sw_err *failure)
{
    struct replayer *replayer = ctx;

    replayer->failure = *failure;
    sw_loop_stop(replayer->options->loop);
}

enum sw_rc sw_replay_run(const struct sw_replay_options *options,
                         struct sw_frame_replayed *ret_report, struct sw_err *err)
{
    struct replayer replayer = {.options = options};
    const struct sw_aside_options aside_options = {.loop = options->loop,
                                                   .host_path = options->host_path,
                                                   .folder = options->folder,
                                                   .task = options->is_pack ? "--pack" : "--replay",
                                                   .library_folder = options->library_folder,
                                                   .name_space = "",
                                                   .timeout_ms = options->timeout_ms,
                                                   .machine_code = options->machine_code,
                                                   .ctx = &replayer,
                                                   .on_frame = on_frame,
                                                   .on_trouble = on_trouble,
                                                   .on_end = on_end};
    struct sw_aside *aside;
    enum sw_rc rc = sw_aside_start(&aside_options, &aside, err);

    if (rc != SW_OK)
        return rc;
    sw_loop_run(options->loop);
    if (replayer.failure.rc == SW_OK && !replayer.is_through)
        (void)sw_err_set(&replayer.failure, SW_E_UNAVAILABLE,
                         "the agent host ended without having replayed");
    rc = replayer.failure.rc;
    if (rc == SW_OK)
        *ret_report = replayer.report;
    else
        *err = replayer.failure;
    return rc;
}
