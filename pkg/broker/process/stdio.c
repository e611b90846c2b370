#include "pkg/broker/process/environment.h"
#include "pkg/broker/process/run.h"

#include <string.h>

static void on_ready(void *ctx, const char *missing)
{
    struct sw_run *run = ctx;

    sw_run_told_missing(run->service, missing);
}

static void on_output(void *ctx, bool is_error, struct sw_bytes bytes)
{
    struct sw_run *run = ctx;

    if (is_error) {
        sw_log_add(&run->log, bytes);
        return;
    }
    sw_buffer_put(&run->stdio.reply, bytes.data, bytes.size);
    if (!run->stdio.reply.failed)
        return;
    run->stdio.is_too_large = true;
    sw_process_kill(run->stdio.process);
}

static void on_request(void *ctx, struct sw_http_request *request, const char *path)
{
    const struct sw_run *run = ctx;
    const struct sw_process_service_options *options = &run->service->options;

    options->serve(options->ctx, request, &run->client, path);
}

static void on_accept(void *ctx, struct sw_stream *stream)
{
    struct sw_run *run = ctx;
    struct sw_stdio *stdio = &run->stdio;

    if (stdio->front == NULL)
        stdio->front = sw_process_front_new(run->service->options.loop,
                                            run->service->options.system, on_request, run);
    if (stdio->front == NULL)
        sw_stream_close(stream);
    else
        sw_process_front_serve(stdio->front, stream);
}

static void answer(struct sw_run *run)
{
    struct sw_turn_view end = {.head = {.kind = SW_TURN_END},
                               .type = {run->manifest.type, strlen(run->manifest.type)},
                               .body = {run->stdio.reply.data, run->stdio.reply.size}};
    SW_CLEANUP(sw_buffer_done) struct sw_buffer frame;

    sw_buffer_init(&frame, sizeof end.head + SW_TURN_TYPE_MAX + SW_PROCESS_REPLY_MAX);
    sw_turn_put(&frame, &end);
    if (frame.failed)
        sw_run_refuse(run, SW_E_EXHAUSTED, "no memory for the program's reply", "");
    else {
        run->service->view.done++;
        sw_run_answer(run, (struct sw_bytes){frame.data, frame.size}, NULL);
    }
}

static void on_exit_process(void *ctx, const struct sw_process_end *end)
{
    struct sw_run *run = ctx;
    struct sw_process_service *service = run->service;
    struct sw_run_refusal refusal;

    sw_run_explain(end, &run->manifest, &run->log, &refusal);
    if (end->rc == SW_OK && run->stdio.is_too_large) {
        sw_run_refuse(run, SW_E_EXHAUSTED, "the program's reply is larger than 3 MiB", "");
    } else if (end->rc == SW_OK && run->stdio.is_late) {
        sw_run_too_late(run, &run->manifest);
    } else if (refusal.rc != SW_OK) {
        sw_run_refuse(run, refusal.rc, refusal.words, "");
    } else {
        answer(run);
    }
    sw_queue_pump(service);
}

enum sw_rc sw_stdio_start(struct sw_run *run, struct sw_err *err)
{
    const struct sw_environment environment = {.manifest = &run->manifest,
                                               .name_space = run->client.name_space,
                                               .agent = run->client.agent,
                                               .is_of_message = true,
                                               .instance = run->client.instance,
                                               .from = run->message.name,
                                               .type = run->message.type};
    const struct sw_process_options options = {.image = run->folders[0],
                                               .packages = run->folders + 1,
                                               .command = run->manifest.command,
                                               .environment =
                                                   sw_environment_make(&environment, run->arena),
                                               .memory_bytes_max = run->manifest.memory_bytes,
                                               .tmp_bytes_max = run->manifest.tmp_bytes,
                                               .tasks_max = run->manifest.tasks,
                                               .files_max = run->manifest.files,
                                               .handler = {.ctx = run,
                                                           .on_ready = on_ready,
                                                           .on_output = on_output,
                                                           .on_accept = on_accept,
                                                           .on_exit = on_exit_process}};
    enum sw_rc rc;

    if (options.environment == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the environment of a program");
    sw_buffer_init(&run->stdio.reply, SW_PROCESS_REPLY_MAX);
    rc = sw_process_start(run->service->options.processes, &options, &run->stdio.process, err);
    if (rc != SW_OK)
        return rc;
    run->service->view.started++;
    if (run->message.body.size > 0)
        rc = sw_process_write(run->stdio.process, run->message.body);
    sw_process_end_input(run->stdio.process);
    return rc;
}

void sw_stdio_done(struct sw_stdio *stdio)
{
    sw_process_free(stdio->process);
    sw_process_front_free(stdio->front);
    sw_buffer_done(&stdio->reply);
}

void sw_stdio_end(struct sw_run *run)
{
    run->stdio.is_late = true;
    sw_process_kill(run->stdio.process);
}
