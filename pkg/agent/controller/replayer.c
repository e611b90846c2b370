#include "pkg/agent/controller/replayer.h"

#include "pkg/agent/abi/class.h"
#include "pkg/agent/link/exit.h"
#include "pkg/agent/link/frame.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINK_BYTES_MAX ((size_t)512 << 20)
#define STANDARD_ERROR 2
#define LINK_FILE_COUNT 4

struct replayer {
    const struct sw_replay_options *options;
    struct sw_child *child;
    struct sw_stream *link;
    struct sw_timer *deadline;
    struct sw_buffer inbound, outbound;
    char program[SW_ABI_PROGRAM_SIZE]; /* That is asked for. */
    bool is_fetching, is_through;
    struct sw_frame_replayed report;
    struct sw_err failure;
};

/* The replay is over when both halves of the host are gone and no module is on its way. */
static void look(struct replayer *replayer)
{
    if (replayer->child == NULL && replayer->link == NULL && !replayer->is_fetching)
        sw_loop_stop(replayer->options->loop);
}

static void fail(struct replayer *replayer, const struct sw_err *err)
{
    if (replayer->failure.rc == SW_OK)
        replayer->failure = *err;
    if (replayer->child != NULL)
        sw_child_kill(replayer->child, SIGKILL);
}

/* --- Modules --------------------------------------------------------------------------------- */

static void send_frame(struct replayer *replayer, const struct sw_frame *frame)
{
    struct sw_err err = {0};

    if (replayer->link == NULL)
        return;
    sw_buffer_reset(&replayer->outbound);
    sw_frame_put(frame, &replayer->outbound);
    if (sw_buffer_check(&replayer->outbound) == SW_OK &&
        sw_stream_write(replayer->link, replayer->outbound.data, replayer->outbound.size) == SW_OK)
        return;
    (void)sw_err_set(&err, SW_E_UNAVAILABLE, "the agent host takes nothing from its link");
    fail(replayer, &err);
}

static void send_code(struct replayer *replayer, struct sw_bytes code)
{
    const uint8_t *data = code.data;

    for (size_t at = 0; at < code.size;) {
        size_t size = code.size - at < SW_FRAME_CHUNK_MAX ? code.size - at : SW_FRAME_CHUNK_MAX;
        struct sw_frame frame = {
            .kind = SW_FRAME_MODULE,
            .module = {.digest = {replayer->program, strlen(replayer->program)},
                       .offset = at,
                       .total = code.size,
                       .bytes = {data + at, size}}};

        send_frame(replayer, &frame);
        at += size;
    }
}

/* The host tells what it cannot do without a module that is not there: it may not need it. */
static void send_none(struct replayer *replayer, enum sw_rc rc, const char *words)
{
    struct sw_frame frame = {
        .kind = SW_FRAME_MODULE_DROP,
        .module_drop = {.digest = {replayer->program, strlen(replayer->program)}}};

    if (rc != SW_E_NOT_FOUND)
        replayer->options->on_trouble(replayer->options->ctx, words);
    send_frame(replayer, &frame);
}

static void on_code(void *ctx, enum sw_rc rc, struct sw_bytes code, const struct sw_err *err)
{
    struct replayer *replayer = ctx;

    replayer->is_fetching = false;
    if (rc == SW_OK && code.size > 0)
        send_code(replayer, code);
    else
        send_none(replayer, rc, err == NULL ? "" : err->message);
    look(replayer);
}

static enum sw_rc on_wanted(struct replayer *replayer, struct sw_bytes program, struct sw_err *err)
{
    const struct sw_machine_code *code = &replayer->options->machine_code;
    struct sw_err reason = {0};
    enum sw_rc rc;

    if (replayer->is_fetching || program.size >= sizeof replayer->program)
        return sw_err_set(err, SW_E_CORRUPT, "the agent host asks for what is no module");
    (void)snprintf(replayer->program, sizeof replayer->program, "%.*s", (int)program.size,
                   (const char *)program.data);
    replayer->is_fetching = true;
    rc = code->get(code->ctx, "", replayer->program, on_code, replayer, &reason);
    if (rc == SW_OK)
        return SW_OK;
    replayer->is_fetching = false;
    send_none(replayer, rc, reason.message);
    return SW_OK;
}

/* --- Frames ---------------------------------------------------------------------------------- */

static enum sw_rc receive(struct replayer *replayer, const struct sw_frame *frame,
                          struct sw_err *err)
{
    char words[SW_FRAME_WORDS_MAX + 1];

    if (replayer->is_through)
        return sw_err_set(err, SW_E_CORRUPT, "the agent host goes on after its end");
    switch ((unsigned)frame->kind) {
    case SW_FRAME_MODULE_WANTED:
        return on_wanted(replayer, frame->module_wanted.digest, err);
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

static void on_data(void *ctx, struct sw_stream *stream, struct sw_bytes bytes)
{
    struct replayer *replayer = ctx;
    struct sw_err err = {0};
    size_t taken = 0, size = 1;
    enum sw_rc rc;

    (void)stream;
    sw_buffer_put(&replayer->inbound, bytes.data, bytes.size);
    rc = sw_buffer_check(&replayer->inbound) == SW_OK
             ? SW_OK
             : sw_err_set(&err, SW_E_CORRUPT, "the agent host sent more than a frame may hold");
    while (rc == SW_OK && size > 0) {
        struct sw_bytes rest = {replayer->inbound.data + taken, replayer->inbound.size - taken};
        struct sw_frame frame;

        rc = sw_frame_take(rest, SW_FRAME_FROM_HOST, &frame, &size, &err);
        if (rc == SW_OK && size > 0)
            rc = receive(replayer, &frame, &err);
        taken += size;
    }
    if (rc != SW_OK)
        fail(replayer, &err);
    else
        sw_buffer_consume(&replayer->inbound, taken);
}

static void on_end(void *ctx, struct sw_stream *stream)
{
    (void)ctx;
    sw_stream_close(stream);
}

static void on_close(void *ctx, struct sw_stream *stream, enum sw_rc rc)
{
    struct replayer *replayer = ctx;

    (void)stream;
    (void)rc;
    replayer->link = NULL;
    look(replayer);
}

/* --- The process ----------------------------------------------------------------------------- */

static void on_exit_host(void *ctx, struct sw_child *child, int status, int signal)
{
    struct replayer *replayer = ctx;
    struct sw_err err = {0};

    sw_child_free(child);
    replayer->child = NULL;
    if (status == SW_HOST_EXIT_BUSY)
        (void)sw_err_set(&err, SW_E_PRECONDITION, "an agent host uses %.300s: stop swarmd first",
                         replayer->options->folder);
    else if (status == SW_HOST_EXIT_UNREADABLE)
        (void)sw_err_set(&err, SW_E_CORRUPT, "the journal in %.300s cannot be read; see above",
                         replayer->options->folder);
    else if (status != 0 || signal != 0)
        (void)sw_err_set(&err, SW_E_UNAVAILABLE, "the agent host ended with status %d, signal %d",
                         status, signal);
    if (err.rc != SW_OK)
        fail(replayer, &err);
    look(replayer);
}

static void on_deadline(void *ctx)
{
    struct replayer *replayer = ctx;
    struct sw_err err = {0};

    (void)sw_err_set(&err, SW_E_TIMEOUT, "the agent host was not through after %llu s",
                     (unsigned long long)replayer->options->timeout_ms / 1000);
    fail(replayer, &err);
}

static enum sw_rc start(struct replayer *replayer, int link, struct sw_err *err)
{
    const struct sw_replay_options *options = replayer->options;
    const char *arguments[] = {options->host_path, "--folder", options->folder,
                               options->is_pack ? "--pack" : "--replay", NULL};
    char library[SW_PATH_MAX + 32];
    const char *environment[] = {options->library_folder == NULL ? NULL : library, NULL};
    const int files[LINK_FILE_COUNT] = {-1, STANDARD_ERROR, STANDARD_ERROR, link};
    struct sw_child_options child = {.arguments = arguments,
                                     .environment = environment,
                                     .files = files,
                                     .files_count = LINK_FILE_COUNT,
                                     .on_exit = on_exit_host,
                                     .ctx = replayer};

    if (options->library_folder != NULL)
        (void)snprintf(library, sizeof library, "LD_LIBRARY_PATH=%s", options->library_folder);
    return sw_child_start(options->loop, &child, &replayer->child, err);
}

static enum sw_rc begin(struct replayer *replayer, struct sw_err *err)
{
    struct sw_stream_handler handler = {
        .ctx = replayer, .on_data = on_data, .on_end = on_end, .on_close = on_close};
    int files[2] = {-1, -1};
    enum sw_rc rc = sw_socket_pair(files, err);

    if (rc != SW_OK)
        return rc;
    rc = start(replayer, files[1], err);
    (void)close(files[1]);
    if (rc == SW_OK)
        rc = sw_stream_adopt(replayer->options->loop, files[0], &replayer->link, err);
    if (rc != SW_OK) {
        (void)close(files[0]);
        if (replayer->child != NULL)
            sw_child_free(replayer->child);
        return rc;
    }
    sw_stream_start(replayer->link, &handler, LINK_BYTES_MAX);
    if (replayer->options->timeout_ms > 0)
        sw_timer_start(replayer->deadline, replayer->options->timeout_ms);
    return SW_OK;
}

enum sw_rc sw_replay_run(const struct sw_replay_options *options,
                         struct sw_frame_replayed *ret_report, struct sw_err *err)
{
    struct replayer replayer = {.options = options};
    enum sw_rc rc;

    sw_buffer_init(&replayer.inbound, SW_FRAME_BYTES_MAX * 2);
    sw_buffer_init(&replayer.outbound, SW_FRAME_BYTES_MAX);
    replayer.deadline = sw_timer_new(options->loop, on_deadline, &replayer);
    rc = replayer.deadline == NULL ? sw_err_set(err, SW_E_EXHAUSTED, "no memory for a timer")
                                   : begin(&replayer, err);
    if (rc == SW_OK) {
        sw_loop_run(options->loop);
        if (replayer.failure.rc == SW_OK && !replayer.is_through)
            (void)sw_err_set(&replayer.failure, SW_E_UNAVAILABLE,
                             "the agent host ended without having replayed");
        rc = replayer.failure.rc;
        if (rc != SW_OK)
            *err = replayer.failure;
    }
    if (replayer.deadline != NULL)
        sw_timer_free(replayer.deadline);
    sw_buffer_done(&replayer.inbound);
    sw_buffer_done(&replayer.outbound);
    if (rc == SW_OK)
        *ret_report = replayer.report;
    return rc;
}
