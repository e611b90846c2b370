#include "pkg/broker/process/process.h"

#include "pkg/broker/process/run.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUN_ARENA_MAX ((size_t)1 << 20)
#define QUEUE_LOOK_MAX 256u /* Of those that wait, so many are compared. */

/* --- The end --------------------------------------------------------------------------------- */

static void run_free(struct sw_run *run)
{
    sw_image_wait_cancel(&run->wait);
    if (run->queued.next != &run->queued)
        run->service->waiting_count--;
    sw_list_remove(&run->queued);
    sw_timer_free(run->deadline);
    sw_buffer_done(&run->frame);
    sw_buffer_done(&run->log);
    sw_list_remove(&run->node);
    sw_arena_free(run->arena);
    free(run);
}

static void answer(struct sw_run *run, struct sw_process_answer *head, struct sw_bytes frame)
{
    struct sw_service_answer said = {.rc = SW_E_EXHAUSTED};
    SW_CLEANUP(sw_buffer_done) struct sw_buffer out;

    head->log_size = (uint32_t)run->log.size;
    head->frame_size = (uint32_t)frame.size;
    head->ran_ms = (uint32_t)(sw_loop_now_ms(run->service->options.loop) - run->started_ms);
    sw_buffer_init(&out, sizeof *head + SW_PROCESS_LOG_MAX + SW_TURN_FRAME_MAX);
    sw_buffer_put(&out, head, sizeof *head);
    sw_buffer_put(&out, run->log.data, run->log.size);
    sw_buffer_put(&out, frame.data, frame.size);
    if (!out.failed)
        said = (struct sw_service_answer){.rc = SW_OK, .body = {out.data, out.size}};
    run->done(run->done_ctx, &said);
    run_free(run);
}

void sw_run_answer(struct sw_run *run, enum sw_process_answer_kind kind, struct sw_bytes frame,
                   const uint8_t *digest)
{
    struct sw_process_answer head = {.kind = kind};

    if (digest != NULL)
        memcpy(head.digest, digest, sizeof head.digest);
    answer(run, &head, frame);
}

void sw_run_refuse(struct sw_run *run, enum sw_rc rc, const char *words, const char *hint)
{
    struct sw_process_answer head = {.kind = SW_PROCESS_ANSWERS};
    char text[SW_RUN_WORDS_MAX + SW_ERR_HINT_MAX + 4];
    struct sw_turn_view end = {.head = {.kind = SW_TURN_END, .status = (int32_t)rc}};
    SW_CLEANUP(sw_buffer_done) struct sw_buffer frame;

    (void)snprintf(text, sizeof text, "%s%s%s", words, hint[0] == '\0' ? "" : "; ", hint);
    sw_utf8_mend(text);
    end.body = (struct sw_bytes){text, strlen(text)};
    sw_buffer_init(&frame, sizeof end.head + sizeof text);
    sw_turn_put(&frame, &end);
    run->service->view.failed++;
    answer(run, &head, (struct sw_bytes){frame.data, frame.failed ? 0 : frame.size});
}

void sw_run_answer_later(struct sw_run *run)
{
    sw_timer_start(run->deadline, 0);
}

void sw_run_lose(struct sw_run *run)
{
    run->is_lost = true;
    sw_run_answer_later(run);
}

/* The last lines of what it wrote to standard error, which say why, as a rule. */
static const char *last_words(const struct sw_buffer *log, char ret_words[SW_ERR_MESSAGE_MAX])
{
    size_t size = log->size, begin;

    while (size > 0 && strchr(" \n\r\t", log->data[size - 1]) != NULL)
        size--;
    begin = size > 300 ? size - 300 : 0;
    (void)snprintf(ret_words, SW_ERR_MESSAGE_MAX, "%.*s", (int)(size - begin),
                   size == 0 ? "" : (const char *)log->data + begin);
    sw_utf8_mend(ret_words);
    return ret_words;
}

void sw_run_explain(const struct sw_process_end *end, const struct sw_manifest *manifest,
                    const struct sw_buffer *log, struct sw_run_refusal *ret_refusal)
{
    char last[SW_ERR_MESSAGE_MAX];

    *ret_refusal = (struct sw_run_refusal){.rc = end->rc};
    if (end->rc != SW_OK) {
        (void)snprintf(ret_refusal->words, sizeof ret_refusal->words, "%s%s%s", end->words,
                       end->hint[0] == '\0' ? "" : "; ", end->hint);
    } else if (end->has_no_memory) {
        ret_refusal->rc = SW_E_EXHAUSTED;
        (void)snprintf(ret_refusal->words, sizeof ret_refusal->words,
                       "the program needed more memory than %llu MiB; its manifest's memory says "
                       "how much it may have",
                       (unsigned long long)(manifest->memory_bytes >> 20));
    } else if (end->signal != 0) {
        ret_refusal->rc = SW_E_INTERNAL;
        (void)snprintf(ret_refusal->words, sizeof ret_refusal->words,
                       "the program was ended by signal %d: %s", end->signal,
                       last_words(log, last));
    } else if (end->status != 0) {
        ret_refusal->rc = SW_E_PRECONDITION;
        (void)snprintf(ret_refusal->words, sizeof ret_refusal->words,
                       "the program ended with status %d: %s", end->status, last_words(log, last));
    }
}

void sw_log_add(struct sw_buffer *log, struct sw_bytes bytes)
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

void sw_run_told_missing(struct sw_process_service *service, const char *missing)
{
    if (missing[0] == '\0' || service->has_told || service->options.on_missing == NULL)
        return;
    service->has_told = true;
    service->options.on_missing(service->options.ctx, missing);
}

void sw_run_too_late(struct sw_run *run, const struct sw_manifest *manifest)
{
    char words[SW_ERR_MESSAGE_MAX];

    (void)snprintf(words, sizeof words, "the program took longer than %llu ms and was ended",
                   (unsigned long long)manifest->deadline_ms);
    sw_run_refuse(run, SW_E_TIMEOUT, words, "its manifest's deadline says how long it may take");
}

static void on_deadline(void *ctx)
{
    struct sw_run *run = ctx;
    struct sw_process_answer lost = {.kind = SW_PROCESS_LOST};

    if (run->is_lost)
        answer(run, &lost, (struct sw_bytes){NULL, 0});
    else if (run->refusal.rc != SW_OK)
        sw_run_refuse(run, run->refusal.rc, run->refusal.words, "");
    else if (run->seat != NULL)
        sw_seat_end_late(run);
    else if (run->queued.next != &run->queued)
        sw_run_refuse(run, SW_E_EXHAUSTED, "the message waited too long for room for a process",
                      "agents.processes says how many may run");
    else
        sw_run_refuse(run, SW_E_TIMEOUT, "the images of the program could not be had in time", "");
}

/* --- Room for processes ---------------------------------------------------------------------- */

/* How many calls of its Agent are handled by a process now. */
static unsigned weight_of(const struct sw_run *run)
{
    unsigned count = 0;

    SW_LIST_EACH(&run->service->runs, node)
    {
        const struct sw_run *other = SW_LIST_ITEM(node, struct sw_run, node);

        count +=
            other->seat != NULL && sw_process_clients_share_agent(&run->client, &other->client);
    }
    return count;
}

/* Who comes next: of the Agent that has fewest, and of those the first. */
static struct sw_run *queue_next(struct sw_process_service *service)
{
    struct sw_run *best = NULL;
    unsigned best_weight = 0, looked = 0;

    SW_LIST_EACH(&service->waiting, node)
    {
        struct sw_run *run = SW_LIST_ITEM(node, struct sw_run, queued);
        unsigned weight;

        if (++looked > QUEUE_LOOK_MAX)
            break;
        if (best != NULL && sw_process_clients_share_agent(&best->client, &run->client))
            continue;
        weight = weight_of(run);
        if (best == NULL || weight < best_weight) {
            best = run;
            best_weight = weight;
        }
    }
    return best;
}

static void pump(void *ctx)
{
    struct sw_process_service *service = ctx;

    while (!sw_list_is_empty(&service->waiting) &&
           sw_processes_has_room(service->options.processes)) {
        struct sw_run *run = queue_next(service);
        struct sw_err err = {0};
        enum sw_rc rc;

        sw_list_remove(&run->queued);
        service->waiting_count--;
        rc = sw_seat_start(run, &err);
        if (rc != SW_OK)
            sw_run_refuse(run, rc, err.message, err.hint);
    }
    while (sw_seats_closing(service) < service->waiting_count && sw_seat_evict(service))
        service->view.evicted++;
}

void sw_queue_pump(struct sw_process_service *service)
{
    sw_timer_start(service->pump, 0);
}

/* Its images are there: start, or wait for room. */
static enum sw_rc place(struct sw_run *run, struct sw_err *err)
{
    struct sw_process_service *service = run->service;

    if ((sw_list_is_empty(&service->waiting) &&
         sw_processes_has_room(service->options.processes)) ||
        (run->manifest.protocol == SW_MANIFEST_TURNS && sw_seat_is_ready(run)))
        return sw_seat_start(run, err);
    if (service->waiting_count >= SW_PROCESS_WAITING_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED, "%u messages wait for room for a process",
                          SW_PROCESS_WAITING_MAX);
    sw_list_add(&service->waiting, &run->queued);
    service->waiting_count++;
    sw_queue_pump(service);
    return SW_OK;
}

/* --- The start ------------------------------------------------------------------------------- */

/* All images are there, and then the process; or wait for the next one.
 * SW_E_UNAVAILABLE: on_image follows, if run->wait is in a list. */
static enum sw_rc advance(struct sw_run *run, struct sw_err *err)
{
    const char *const *packages = run->manifest.packages;

    for (size_t i = 0; i == 0 || packages[i - 1] != NULL; i++) {
        const char *digest = i == 0 ? run->manifest.image : packages[i - 1];
        enum sw_rc rc = sw_images_get(run->service->options.images, run->client.name_space, digest,
                                      &run->wait, &run->folders[i], err);

        if (rc != SW_OK)
            return rc;
    }
    return place(run, err);
}

static bool is_coming(const struct sw_run *run, enum sw_rc rc)
{
    return rc == SW_E_UNAVAILABLE && run->wait.node.next != &run->wait.node;
}

static void on_image(void *ctx, const struct sw_err *failure)
{
    struct sw_run *run = ctx;
    struct sw_err err = {0};
    enum sw_rc rc;

    if (failure->rc != SW_OK) {
        sw_run_refuse(run, failure->rc, failure->message, failure->hint);
        return;
    }
    rc = advance(run, &err);
    if (rc != SW_OK && !is_coming(run, rc))
        sw_run_refuse(run, rc, err.message, err.hint);
}

/* --- The call -------------------------------------------------------------------------------- */

static struct sw_bytes copy(struct sw_arena *arena, struct sw_bytes bytes)
{
    const char *kept = sw_arena_copy(arena, bytes.size == 0 ? "" : bytes.data, bytes.size);

    return (struct sw_bytes){kept, kept == NULL ? 0 : bytes.size};
}

static bool has_nul(struct sw_bytes bytes)
{
    return bytes.size > 0 && memchr(bytes.data, 0, bytes.size) != NULL;
}

/* The frame is an agent's: that in front of processes makes none that is wrong. */
static enum sw_rc frame_read(struct sw_run *run, struct sw_bytes bytes, struct sw_err *err)
{
    struct sw_turn_view *message = &run->message;
    unsigned kind = run->manifest_text.size > 0 ? SW_TURN_BEGIN : SW_TURN_RESULT;
    size_t size = 0;
    enum sw_rc rc;

    sw_buffer_init(&run->frame, SW_TURN_FRAME_MAX);
    sw_buffer_put(&run->frame, bytes.data, bytes.size);
    if (run->frame.failed)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a call of a process");
    sw_sha256_of(run->manifest_text.data, run->manifest_text.size, run->manifest_digest);
    rc = sw_turn_read((struct sw_bytes){run->frame.data, run->frame.size}, message, &size, err);
    if (rc != SW_OK || size != bytes.size || message->head.kind != kind || has_nul(message->name) ||
        has_nul(message->type))
        return sw_err_set(err, SW_E_INVALID, SW_PROCESS_SERVICE " is for the agents of processes");
    return SW_OK;
}

static enum sw_rc call_read(struct sw_run *run, const struct sw_service_call *call,
                            struct sw_err *err)
{
    struct sw_reader reader = sw_reader_of(call->body.data, call->body.size);
    struct sw_bytes head = sw_reader_take(&reader, sizeof(struct sw_process_call)), frame;
    struct sw_process_call sizes;

    if (head.size < sizeof sizes)
        return sw_err_set(err, SW_E_INVALID, SW_PROCESS_SERVICE " is for the agents of processes");
    memcpy(&sizes, head.data, sizeof sizes);
    memcpy(run->life, sizes.life, sizeof run->life);
    run->manifest_text = sw_reader_take(&reader, sizes.manifest_size);
    frame = sw_reader_take(&reader, sizes.frame_size);
    if (!sw_reader_is_finished(&reader) || run->manifest_text.size > SW_PROCESS_MANIFEST_MAX)
        return sw_err_set(err, SW_E_INVALID, SW_PROCESS_SERVICE " is for the agents of processes");
    run->manifest_text = copy(run->arena, run->manifest_text);
    run->client =
        (struct sw_process_client){.name_space = sw_arena_print(run->arena, "%s", call->name_space),
                                   .agent = sw_arena_print(run->arena, "%s", call->agent),
                                   .instance = copy(run->arena, call->instance),
                                   .turn = call->turn,
                                   .depth = call->depth};
    if (run->manifest_text.data == NULL || run->client.name_space == NULL ||
        run->client.agent == NULL || run->client.instance.data == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a call of a process");
    return frame_read(run, frame, err);
}

static struct sw_run *run_new(struct sw_process_service *service, sw_service_done *done,
                              void *done_ctx)
{
    struct sw_run *run = calloc(1, sizeof *run);

    if (run == NULL)
        return NULL;
    run->service = service;
    run->done = done;
    run->done_ctx = done_ctx;
    run->wait = (struct sw_image_wait){.ctx = run, .done = on_image};
    sw_list_init(&run->wait.node);
    sw_list_init(&run->queued);
    sw_list_add(&service->runs, &run->node);
    sw_buffer_init(&run->log, SW_PROCESS_LOG_MAX);
    run->arena = sw_arena_new(RUN_ARENA_MAX);
    run->deadline = sw_timer_new(service->options.loop, on_deadline, run);
    run->started_ms = sw_loop_now_ms(service->options.loop);
    if (run->arena != NULL && run->deadline != NULL)
        return run;
    run_free(run);
    return NULL;
}

/* To the process that is there, or on the way to one that is not. */
static enum sw_rc run_begin(struct sw_run *run, struct sw_err *err)
{
    enum sw_rc rc = sw_seat_offer(run);

    if (rc != SW_E_NOT_FOUND)
        return rc;
    rc = sw_manifest_read(run->manifest_text, run->arena, &run->manifest, err);
    if (rc != SW_OK)
        return rc;
    if (run->message.head.value2 > 1)
        run->service->view.repeated++;
    sw_timer_start(run->deadline, run->manifest.deadline_ms);
    return advance(run, err);
}

static enum sw_rc start(void *ctx, const struct sw_service_call *call, sw_service_done *done,
                        void *done_ctx, void **ret_ticket, struct sw_err *err)
{
    struct sw_process_service *service = ctx;
    struct sw_run *run = run_new(service, done, done_ctx);
    enum sw_rc rc;

    if (run == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a call of a process");
    rc = call_read(run, call, err);
    if (rc == SW_OK)
        rc = run_begin(run, err);
    if (rc != SW_OK && !is_coming(run, rc)) {
        run_free(run);
        return rc;
    }
    *ret_ticket = run;
    return SW_OK;
}

static void cancel(void *ctx, void *ticket)
{
    struct sw_run *run = ticket;

    (void)ctx;
    if (run->seat != NULL)
        sw_seat_leave(run);
    run_free(run);
    sw_queue_pump(ctx);
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
    sw_list_init(&service->waiting);
    sw_list_init(&service->seats);
    service->pump = sw_timer_new(options->loop, pump, service);
    service->warm = sw_timer_new(options->loop, sw_seats_warm_up, service);
    if (service->pump == NULL || service->warm == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the service " SW_PROCESS_SERVICE);
    rc = sw_services_add(services, &entry, err);
    if (rc == SW_OK)
        *ret_service = SW_TAKE(service);
    return rc;
}

void sw_process_service_free(struct sw_process_service *service)
{
    if (service == NULL)
        return;
    sw_seats_free(service);
    while (!sw_list_is_empty(&service->runs))
        run_free(SW_LIST_ITEM(sw_list_first(&service->runs), struct sw_run, node));
    sw_timer_free(service->pump);
    sw_timer_free(service->warm);
    free(service);
}

void sw_process_service_view(const struct sw_process_service *service,
                             struct sw_process_service_view *ret_view)
{
    *ret_view = service->view;
    ret_view->running = sw_processes_count(service->options.processes);
    ret_view->idle = sw_seats_idle(service);
    ret_view->waiting = service->waiting_count;
}
