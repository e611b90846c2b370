#include "pkg/broker/process/process.h"

#include "pkg/agent/runtime/process/call.h"
#include "pkg/broker/process/front.h"
#include "pkg/agent/image/manifest.h"
#include "pkg/utils/base/list.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUN_ARENA_MAX ((size_t)1 << 20)
#define ENVIRONMENT_OF_OURS 20u
#define NAME_MAX_BYTES 1024u

struct sw_process_service {
    struct sw_process_service_options options;
    struct sw_list runs;
    bool has_told;
    struct sw_process_service_view view;
};

struct run { /* A call: a ticket. */
    struct sw_process_service *service;
    struct sw_list node;
    struct sw_arena *arena;
    sw_service_done *done;
    void *done_ctx;
    struct sw_manifest manifest;
    struct sw_process_client client; /* In the arena, as the next ones are. */
    const char *from;
    struct sw_bytes type, body;
    struct sw_image_wait wait;
    struct sw_timer *deadline;
    struct sw_process *process; /* NULL: it has not begun. */
    struct sw_process_front *front;
    struct sw_buffer reply, log;
    uint64_t started_ms;
    bool is_late, is_too_large;
};

/* --- The end --------------------------------------------------------------------------------- */

static void run_free(struct run *run)
{
    sw_image_wait_cancel(&run->wait);
    sw_process_free(run->process);
    sw_process_front_free(run->front);
    sw_timer_free(run->deadline);
    sw_buffer_done(&run->reply);
    sw_buffer_done(&run->log);
    if (run->node.next != NULL)
        sw_list_remove(&run->node);
    sw_arena_free(run->arena);
    free(run);
}

static void answer(struct run *run, int32_t status, struct sw_bytes reply)
{
    struct sw_process_service *service = run->service;
    struct sw_process_answer head = {
        .status = status,
        .log_size = (uint32_t)run->log.size,
        .reply_size = (uint32_t)reply.size,
        .ran_ms = (uint32_t)(sw_loop_now_ms(service->options.loop) - run->started_ms)};
    struct sw_buffer out;

    sw_buffer_init(&out, sizeof head + SW_PROCESS_LOG_MAX + SW_PROCESS_REPLY_MAX);
    sw_buffer_put(&out, &head, sizeof head);
    sw_buffer_put(&out, run->log.data, run->log.size);
    sw_buffer_put(&out, reply.data, reply.size);
    *(status == 0 ? &service->view.done : &service->view.failed) += 1;
    if (out.failed)
        run->done(run->done_ctx, &(struct sw_service_answer){.rc = SW_E_EXHAUSTED});
    else
        run->done(run->done_ctx, &(struct sw_service_answer){
                                     .rc = SW_OK,
                                     .type = {run->manifest.type, strlen(run->manifest.type)},
                                     .body = {out.data, out.size}});
    sw_buffer_done(&out);
    run_free(run);
}

static void refuse(struct run *run, enum sw_rc rc, const char *words, const char *hint)
{
    char text[SW_ERR_MESSAGE_MAX + SW_ERR_HINT_MAX + 4];

    (void)snprintf(text, sizeof text, "%s%s%s", words, hint[0] == '\0' ? "" : "; ", hint);
    sw_utf8_mend(text);
    answer(run, (int32_t)rc, (struct sw_bytes){text, strlen(text)});
}

/* The last lines of what it wrote to standard error, which say why, as a rule. */
static const char *last_words(struct run *run, char ret_words[SW_ERR_MESSAGE_MAX])
{
    size_t size = run->log.size, begin;

    while (size > 0 && strchr(" \n\r\t", run->log.data[size - 1]) != NULL)
        size--;
    begin = size > 300 ? size - 300 : 0;
    (void)snprintf(ret_words, SW_ERR_MESSAGE_MAX, "%.*s", (int)(size - begin),
                   size == 0 ? "" : (const char *)run->log.data + begin);
    sw_utf8_mend(ret_words);
    return ret_words;
}

static void on_exit_process(void *ctx, const struct sw_process_end *end)
{
    struct run *run = ctx;
    char words[SW_ERR_MESSAGE_MAX * 2], last[SW_ERR_MESSAGE_MAX];

    if (end->rc != SW_OK) {
        refuse(run, end->rc, end->words, end->hint);
    } else if (run->is_too_large) {
        refuse(run, SW_E_EXHAUSTED, "the program's reply is larger than 3 MiB", "");
    } else if (run->is_late) {
        (void)snprintf(words, sizeof words, "the program took longer than %llu ms and was ended",
                       (unsigned long long)run->manifest.deadline_ms);
        refuse(run, SW_E_TIMEOUT, words, "its manifest's deadline says how long it may take");
    } else if (end->has_no_memory) {
        (void)snprintf(words, sizeof words, "the program needed more memory than %llu MiB",
                       (unsigned long long)(run->manifest.memory_bytes >> 20));
        refuse(run, SW_E_EXHAUSTED, words, "its manifest's memory says how much it may have");
    } else if (end->signal != 0) {
        (void)snprintf(words, sizeof words, "the program was ended by signal %d: %s", end->signal,
                       last_words(run, last));
        refuse(run, SW_E_INTERNAL, words, "");
    } else if (end->status != 0) {
        (void)snprintf(words, sizeof words, "the program ended with status %d: %s", end->status,
                       last_words(run, last));
        refuse(run, SW_E_PRECONDITION, words, "");
    } else {
        answer(run, 0, (struct sw_bytes){run->reply.data, run->reply.size});
    }
}

/* --- What the process does ------------------------------------------------------------------- */

static void on_ready(void *ctx, const char *missing)
{
    struct run *run = ctx;
    struct sw_process_service *service = run->service;

    if (missing[0] == '\0' || service->has_told || service->options.on_missing == NULL)
        return;
    service->has_told = true;
    service->options.on_missing(service->options.ctx, missing);
}

/* Of the log the end is kept. */
static void log_add(struct sw_buffer *log, struct sw_bytes bytes)
{
    const uint8_t *at = bytes.data;

    if (bytes.size > SW_PROCESS_LOG_MAX) {
        at += bytes.size - SW_PROCESS_LOG_MAX;
        bytes.size = SW_PROCESS_LOG_MAX;
    }
    if (log->size + bytes.size > SW_PROCESS_LOG_MAX)
        sw_buffer_consume(log, log->size + bytes.size - SW_PROCESS_LOG_MAX);
    sw_buffer_put(log, at, bytes.size);
}

static void on_output(void *ctx, bool is_error, struct sw_bytes bytes)
{
    struct run *run = ctx;

    if (is_error) {
        log_add(&run->log, bytes);
        return;
    }
    sw_buffer_put(&run->reply, bytes.data, bytes.size);
    if (!run->reply.failed)
        return;
    run->is_too_large = true;
    sw_process_kill(run->process);
}

static void on_request(void *ctx, struct sw_http_request *request, const char *path)
{
    const struct run *run = ctx;
    const struct sw_process_service_options *options = &run->service->options;

    options->serve(options->ctx, request, &run->client, path);
}

static void on_accept(void *ctx, struct sw_stream *stream)
{
    struct run *run = ctx;

    if (run->front == NULL)
        run->front = sw_process_front_new(run->service->options.loop, run->service->options.system,
                                          on_request, run);
    if (run->front == NULL)
        sw_stream_close(stream);
    else
        sw_process_front_serve(run->front, stream);
}

static void on_deadline(void *ctx)
{
    struct run *run = ctx;

    if (run->process == NULL) {
        refuse(run, SW_E_TIMEOUT, "the images of the program could not be had in time", "");
        return;
    }
    run->is_late = true;
    sw_process_kill(run->process);
}

/* --- The start ------------------------------------------------------------------------------- */

struct environment {
    struct sw_arena *arena;
    const char *items[ENVIRONMENT_OF_OURS + SW_MANIFEST_WORDS_MAX + 1];
    size_t count;
    bool has_failed;
};

static void put(struct environment *environment, const char *name, struct sw_bytes value)
{
    const char *item = sw_arena_print(environment->arena, "%s=%.*s", name, (int)value.size,
                                      value.size == 0 ? "" : (const char *)value.data);

    environment->has_failed = environment->has_failed || item == NULL;
    environment->items[environment->count++] = item;
}

/* Where a program looks for models if it was written for them, and for what its packages hold. */
static void put_all(struct environment *environment, const struct run *run)
{
    static const char *const same[][2] = {
        {"PATH", "/usr/local/bin:/usr/bin:/bin"},
        {"HOME", "/tmp"},
        {"TMPDIR", "/tmp"},
        {"LANG", "C.UTF-8"},
        {"PYTHONDONTWRITEBYTECODE", "1"},
        {"OPENAI_BASE_URL", "http://127.0.0.1:7420/openai/v1"},
        {"OPENAI_API_BASE", "http://127.0.0.1:7420/openai/v1"},
        {"OPENAI_API_KEY", "swarm"},
        {"ANTHROPIC_BASE_URL", "http://127.0.0.1:7420/anthropic"},
        {"ANTHROPIC_API_KEY", "swarm"},
    };
    const struct sw_process_client *client = &run->client;
    char paths[SW_MANIFEST_PACKAGES_MAX * 16] = "";
    size_t used = 0;

    /* Of two of a name programs see the first. */
    for (size_t i = 0; run->manifest.environment[i] != NULL; i++)
        environment->items[environment->count++] = run->manifest.environment[i];
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        put(environment, same[i][0], (struct sw_bytes){same[i][1], strlen(same[i][1])});
    put(environment, "SWARM_NAMESPACE",
        (struct sw_bytes){client->name_space, strlen(client->name_space)});
    put(environment, "SWARM_AGENT", (struct sw_bytes){client->agent, strlen(client->agent)});
    put(environment, "SWARM_KEY", client->instance);
    put(environment, "SWARM_FROM", (struct sw_bytes){run->from, strlen(run->from)});
    put(environment, "SWARM_TYPE", run->type);
    for (unsigned i = 0; run->manifest.packages[i] != NULL; i++)
        used += (size_t)snprintf(paths + used, sizeof paths - used, "%s/packages/%u",
                                 i > 0 ? ":" : "", i);
    if (used > 0) {
        put(environment, "PYTHONPATH", (struct sw_bytes){paths, used});
        put(environment, "NODE_PATH", (struct sw_bytes){paths, used});
    }
    environment->items[environment->count] = NULL;
}

static enum sw_rc process_start(struct run *run, const char *const *folders, struct sw_err *err)
{
    struct environment environment = {.arena = run->arena};
    const struct sw_process_options options = {.image = folders[0],
                                               .packages = folders + 1,
                                               .command = run->manifest.command,
                                               .environment = environment.items,
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

    put_all(&environment, run);
    if (environment.has_failed)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the environment of a program");
    rc = sw_process_start(run->service->options.processes, &options, &run->process, err);
    if (rc == SW_OK && run->body.size > 0)
        rc = sw_process_write(run->process, run->body);
    if (rc == SW_OK)
        sw_process_end_input(run->process);
    return rc;
}

/* All images are there, and then the process; or wait for the next one.
 * SW_E_UNAVAILABLE: on_image follows. */
static enum sw_rc advance(struct run *run, struct sw_err *err)
{
    const char *folders[SW_MANIFEST_PACKAGES_MAX + 2] = {NULL};
    const char *const *packages = run->manifest.packages;

    for (size_t i = 0; i == 0 || packages[i - 1] != NULL; i++) {
        const char *digest = i == 0 ? run->manifest.image : packages[i - 1];
        enum sw_rc rc = sw_images_get(run->service->options.images, run->client.name_space, digest,
                                      &run->wait, &folders[i], err);

        if (rc != SW_OK)
            return rc;
    }
    return process_start(run, folders, err);
}

static void on_image(void *ctx, const struct sw_err *failure)
{
    struct run *run = ctx;
    struct sw_err err = {0};
    enum sw_rc rc;

    if (failure->rc != SW_OK) {
        refuse(run, failure->rc, failure->message, failure->hint);
        return;
    }
    rc = advance(run, &err);
    if (rc != SW_OK && (rc != SW_E_UNAVAILABLE || run->wait.node.next == &run->wait.node))
        refuse(run, rc, err.message, err.hint);
}

/* --- The call -------------------------------------------------------------------------------- */

static struct sw_bytes copy(struct sw_arena *arena, struct sw_bytes bytes)
{
    const char *kept = sw_arena_copy(arena, bytes.size == 0 ? "" : bytes.data, bytes.size);

    return (struct sw_bytes){kept, kept == NULL ? 0 : bytes.size};
}

static enum sw_rc call_read(struct run *run, const struct sw_service_call *call, struct sw_err *err)
{
    struct sw_reader reader = sw_reader_of(call->body.data, call->body.size);
    struct sw_bytes head = sw_reader_take(&reader, sizeof(struct sw_process_call)), manifest, from;
    struct sw_process_call sizes;

    if (head.size < sizeof sizes)
        return sw_err_set(err, SW_E_INVALID, SW_PROCESS_SERVICE " is for the agents of processes");
    memcpy(&sizes, head.data, sizeof sizes);
    manifest = sw_reader_take(&reader, sizes.manifest_size);
    from = sw_reader_take(&reader, sizes.from_size);
    run->body = sw_reader_take(&reader, sizes.body_size);
    if (!sw_reader_is_finished(&reader) || manifest.size > SW_PROCESS_MANIFEST_MAX ||
        from.size > NAME_MAX_BYTES || memchr(from.data == NULL ? "" : from.data, 0, from.size) ||
        memchr(call->type.size == 0 ? "" : call->type.data, 0, call->type.size))
        return sw_err_set(err, SW_E_INVALID, SW_PROCESS_SERVICE " is for the agents of processes");
    run->from = copy(run->arena, from).data;
    run->body = copy(run->arena, run->body);
    run->type = copy(run->arena, call->type);
    run->client =
        (struct sw_process_client){.name_space = sw_arena_print(run->arena, "%s", call->name_space),
                                   .agent = sw_arena_print(run->arena, "%s", call->agent),
                                   .instance = copy(run->arena, call->instance),
                                   .turn = call->turn,
                                   .depth = call->depth};
    if (run->from == NULL || run->body.data == NULL || run->type.data == NULL ||
        run->client.name_space == NULL || run->client.agent == NULL ||
        run->client.instance.data == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a call of a process");
    return sw_manifest_read(manifest, run->arena, &run->manifest, err);
}

static struct run *run_new(struct sw_process_service *service, sw_service_done *done,
                           void *done_ctx)
{
    struct run *run = calloc(1, sizeof *run);

    if (run == NULL)
        return NULL;
    run->service = service;
    run->done = done;
    run->done_ctx = done_ctx;
    run->wait = (struct sw_image_wait){.ctx = run, .done = on_image};
    sw_list_init(&run->wait.node);
    sw_buffer_init(&run->reply, SW_PROCESS_REPLY_MAX);
    sw_buffer_init(&run->log, SW_PROCESS_LOG_MAX);
    run->arena = sw_arena_new(RUN_ARENA_MAX);
    run->deadline = sw_timer_new(service->options.loop, on_deadline, run);
    run->started_ms = sw_loop_now_ms(service->options.loop);
    if (run->arena != NULL && run->deadline != NULL)
        return run;
    run_free(run);
    return NULL;
}

static enum sw_rc start(void *ctx, const struct sw_service_call *call, sw_service_done *done,
                        void *done_ctx, void **ret_ticket, struct sw_err *err)
{
    struct sw_process_service *service = ctx;
    struct run *run = run_new(service, done, done_ctx);
    enum sw_rc rc;

    if (run == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a call of a process");
    rc = call_read(run, call, err);
    if (rc == SW_OK)
        rc = advance(run, err);
    if (rc != SW_OK && (rc != SW_E_UNAVAILABLE || sw_list_is_empty(&run->wait.node))) {
        run_free(run);
        return rc;
    }
    sw_list_add(&service->runs, &run->node);
    sw_timer_start(run->deadline, run->manifest.deadline_ms);
    *ret_ticket = run;
    return SW_OK;
}

static void cancel(void *ctx, void *ticket)
{
    (void)ctx;
    run_free(ticket);
}

enum sw_rc sw_process_service_new(const struct sw_process_service_options *options,
                                  struct sw_services *services,
                                  struct sw_process_service **ret_service, struct sw_err *err)
{
    SW_CLEANUP(sw_process_service_freep)
    struct sw_process_service *service = calloc(1, sizeof *service);
    struct sw_service entry = {
        .name = SW_PROCESS_SERVICE, .ctx = service, .start = start, .cancel = cancel};
    enum sw_rc rc;

    if (service == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the service " SW_PROCESS_SERVICE);
    service->options = *options;
    sw_list_init(&service->runs);
    rc = sw_services_add(services, &entry, err);
    if (rc == SW_OK)
        *ret_service = SW_TAKE(service);
    return rc;
}

void sw_process_service_free(struct sw_process_service *service)
{
    if (service == NULL)
        return;
    while (!sw_list_is_empty(&service->runs))
        run_free(SW_LIST_ITEM(sw_list_first(&service->runs), struct run, node));
    free(service);
}

void sw_process_service_view(const struct sw_process_service *service,
                             struct sw_process_service_view *ret_view)
{
    *ret_view = service->view;
    ret_view->running = sw_processes_count(service->options.processes);
}
