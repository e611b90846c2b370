#include "pkg/agent/controller/aside.h"

#include "pkg/agent/abi/class.h"
#include "pkg/agent/controller/pieces.h"
#include "pkg/agent/link/exit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINK_BYTES_MAX ((size_t)512 << 20)
#define STANDARD_ERROR 2
#define LINK_FILE_COUNT 4

struct sw_aside {
    struct sw_aside_options options;
    struct sw_child *child;
    struct sw_stream *link;
    struct sw_timer *deadline;
    struct sw_buffer inbound, outbound;
    char program[SW_ABI_PROGRAM_SIZE]; /* That is asked for. */
    char runtime[SW_ABI_PROGRAM_SIZE]; /* Of the last bundle, which the host has; "": of none. */
    bool is_fetching;
    struct sw_err failure;
};

static void aside_free(struct sw_aside *aside)
{
    if (aside->deadline != NULL)
        sw_timer_free(aside->deadline);
    sw_buffer_done(&aside->inbound);
    sw_buffer_done(&aside->outbound);
    free(aside);
}

/* It is over when both halves of the host are gone and no module is on its way. */
static void look(struct sw_aside *aside)
{
    struct sw_aside_options options = aside->options;
    struct sw_err failure = aside->failure;

    if (aside->child != NULL || aside->link != NULL || aside->is_fetching)
        return;
    aside_free(aside);
    options.on_end(options.ctx, &failure);
}

void sw_aside_fail(struct sw_aside *aside, const struct sw_err *err)
{
    if (aside->failure.rc == SW_OK)
        aside->failure = *err;
    if (aside->child != NULL)
        sw_child_kill(aside->child, SIGKILL);
}

void sw_aside_send(struct sw_aside *aside, const struct sw_frame *frame)
{
    struct sw_err err = {0};

    if (aside->link == NULL)
        return;
    sw_buffer_reset(&aside->outbound);
    sw_frame_put(frame, &aside->outbound);
    if (sw_buffer_check(&aside->outbound) == SW_OK &&
        sw_stream_write(aside->link, aside->outbound.data, aside->outbound.size) == SW_OK)
        return;
    (void)sw_err_set(&err, SW_E_UNAVAILABLE, "the agent host takes nothing from its link");
    sw_aside_fail(aside, &err);
}

/* --- Modules --------------------------------------------------------------------------------- */

static void send_piece(void *ctx, const struct sw_frame *frame)
{
    sw_aside_send(ctx, frame);
}

/* What runs a bundle goes before it, if it is not what ran the last one. */
static void send_code(struct sw_aside *aside, const struct sw_abi_code *code)
{
    const struct sw_pieces pieces = {send_piece, aside};

    if (code->runtime == NULL) {
        sw_pieces_send_module(&pieces, aside->program, code->machine);
        return;
    }
    if (strcmp(aside->runtime, code->runtime) != 0)
        sw_pieces_send_module(&pieces, code->runtime, code->machine);
    (void)snprintf(aside->runtime, sizeof aside->runtime, "%s", code->runtime);
    sw_pieces_send_bundle(&pieces, aside->program, code);
}

/* The host tells what it cannot do without a module that is not there: it may not need it. */
static void send_none(struct sw_aside *aside, enum sw_rc rc, const char *words)
{
    struct sw_frame frame = {.kind = SW_FRAME_MODULE_DROP,
                             .module_drop = {.digest = {aside->program, strlen(aside->program)}}};

    if (rc != SW_E_NOT_FOUND && aside->options.on_trouble != NULL)
        aside->options.on_trouble(aside->options.ctx, words);
    sw_aside_send(aside, &frame);
}

static void on_code(void *ctx, enum sw_rc rc, const struct sw_abi_code *code,
                    const struct sw_err *err)
{
    struct sw_aside *aside = ctx;

    aside->is_fetching = false;
    if (rc == SW_OK && code->machine.size > 0)
        send_code(aside, code);
    else
        send_none(aside, rc, err == NULL ? "" : err->message);
    look(aside);
}

static enum sw_rc on_wanted(struct sw_aside *aside, struct sw_bytes program, struct sw_err *err)
{
    const struct sw_machine_code *code = &aside->options.machine_code;
    struct sw_err reason = {0};
    enum sw_rc rc;

    if (aside->is_fetching || program.size >= sizeof aside->program)
        return sw_err_set(err, SW_E_CORRUPT, "the agent host asks for what is no module");
    (void)snprintf(aside->program, sizeof aside->program, "%.*s", (int)program.size,
                   (const char *)program.data);
    aside->is_fetching = true;
    rc = code->get(code->ctx, aside->options.name_space, aside->program, on_code, aside, &reason);
    if (rc == SW_OK)
        return SW_OK;
    aside->is_fetching = false;
    send_none(aside, rc, reason.message);
    return SW_OK;
}

/* --- The link -------------------------------------------------------------------------------- */

static enum sw_rc receive(struct sw_aside *aside, const struct sw_frame *frame, struct sw_err *err)
{
    return frame->kind == SW_FRAME_MODULE_WANTED
               ? on_wanted(aside, frame->module_wanted.digest, err)
               : aside->options.on_frame(aside->options.ctx, frame, err);
}

static void on_data(void *ctx, struct sw_stream *stream, struct sw_bytes bytes)
{
    struct sw_aside *aside = ctx;
    struct sw_err err = {0};
    size_t taken = 0, size = 1;
    enum sw_rc rc;

    (void)stream;
    if (aside->failure.rc != SW_OK)
        return;
    sw_buffer_put(&aside->inbound, bytes.data, bytes.size);
    rc = sw_buffer_check(&aside->inbound) == SW_OK
             ? SW_OK
             : sw_err_set(&err, SW_E_CORRUPT, "the agent host sent more than a frame may hold");
    while (rc == SW_OK && size > 0) {
        struct sw_bytes rest = {aside->inbound.data + taken, aside->inbound.size - taken};
        struct sw_frame frame;

        rc = sw_frame_take(rest, SW_FRAME_FROM_HOST, &frame, &size, &err);
        if (rc == SW_OK && size > 0)
            rc = receive(aside, &frame, &err);
        taken += size;
    }
    if (rc != SW_OK)
        sw_aside_fail(aside, &err);
    else
        sw_buffer_consume(&aside->inbound, taken);
}

static void on_end(void *ctx, struct sw_stream *stream)
{
    (void)ctx;
    sw_stream_close(stream);
}

static void on_close(void *ctx, struct sw_stream *stream, enum sw_rc rc)
{
    struct sw_aside *aside = ctx;

    (void)stream;
    (void)rc;
    aside->link = NULL;
    look(aside);
}

/* --- The process ----------------------------------------------------------------------------- */

static void on_exit_host(void *ctx, struct sw_child *child, int status, int signal)
{
    struct sw_aside *aside = ctx;
    struct sw_err err = {0};

    sw_child_free(child);
    aside->child = NULL;
    if (status == SW_HOST_EXIT_BUSY)
        (void)sw_err_set(&err, SW_E_PRECONDITION, "an agent host uses %.300s: stop swarmd first",
                         aside->options.folder);
    else if (status == SW_HOST_EXIT_UNREADABLE)
        (void)sw_err_set(&err, SW_E_CORRUPT, "the journal in %.300s cannot be read; see above",
                         aside->options.folder);
    else if (status != 0 || signal != 0)
        (void)sw_err_set(&err, SW_E_UNAVAILABLE, "the agent host ended with status %d, signal %d",
                         status, signal);
    if (err.rc != SW_OK)
        sw_aside_fail(aside, &err);
    look(aside);
}

static void on_deadline(void *ctx)
{
    struct sw_aside *aside = ctx;
    struct sw_err err = {0};

    (void)sw_err_set(&err, SW_E_TIMEOUT, "the agent host was not through after %llu s",
                     (unsigned long long)aside->options.timeout_ms / 1000);
    sw_aside_fail(aside, &err);
}

static enum sw_rc start(struct sw_aside *aside, int link, struct sw_err *err)
{
    const struct sw_aside_options *options = &aside->options;
    const char *arguments[] = {options->host_path, "--folder", options->folder, options->task,
                               NULL};
    char library[SW_PATH_MAX + 32];
    const char *environment[] = {options->library_folder == NULL ? NULL : library, NULL};
    const int files[LINK_FILE_COUNT] = {-1, STANDARD_ERROR, STANDARD_ERROR, link};
    struct sw_child_options child = {.arguments = arguments,
                                     .environment = environment,
                                     .files = files,
                                     .files_count = LINK_FILE_COUNT,
                                     .on_exit = on_exit_host,
                                     .ctx = aside};

    if (options->library_folder != NULL)
        (void)snprintf(library, sizeof library, "LD_LIBRARY_PATH=%s", options->library_folder);
    return sw_child_start(options->loop, &child, &aside->child, err);
}

static enum sw_rc begin(struct sw_aside *aside, struct sw_err *err)
{
    struct sw_stream_handler handler = {
        .ctx = aside, .on_data = on_data, .on_end = on_end, .on_close = on_close};
    int files[2] = {-1, -1};
    enum sw_rc rc = sw_socket_pair(files, err);

    if (rc != SW_OK)
        return rc;
    rc = start(aside, files[1], err);
    (void)close(files[1]);
    if (rc == SW_OK)
        rc = sw_stream_adopt(aside->options.loop, files[0], &aside->link, err);
    if (rc != SW_OK) {
        (void)close(files[0]);
        if (aside->child != NULL)
            sw_child_free(aside->child);
        return rc;
    }
    sw_stream_start(aside->link, &handler, LINK_BYTES_MAX);
    if (aside->options.timeout_ms > 0)
        sw_timer_start(aside->deadline, aside->options.timeout_ms);
    return SW_OK;
}

enum sw_rc sw_aside_start(const struct sw_aside_options *options, struct sw_aside **ret_aside,
                          struct sw_err *err)
{
    struct sw_aside *aside = calloc(1, sizeof *aside);
    enum sw_rc rc;

    if (aside == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for an agent host");
    aside->options = *options;
    sw_buffer_init(&aside->inbound, SW_FRAME_BYTES_MAX * 2);
    sw_buffer_init(&aside->outbound, SW_FRAME_BYTES_MAX);
    aside->deadline = sw_timer_new(options->loop, on_deadline, aside);
    rc = aside->deadline == NULL ? sw_err_set(err, SW_E_EXHAUSTED, "no memory for a timer")
                                 : begin(aside, err);
    if (rc == SW_OK)
        *ret_aside = aside;
    else
        aside_free(aside);
    return rc;
}
