#include "test/bench/load/load.h"

#include "pkg/communication/protocol/grpc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_TIMEOUT_MS 300000

uint64_t load_now_ns(const struct load *load)
{
    return load->system->monotonic_ns(load->system->ctx);
}

void load_fail(struct load *load, enum sw_rc rc, const char *words)
{
    if (load->failure.rc == SW_OK)
        (void)sw_err_set(&load->failure, rc, "%s", words);
    sw_loop_stop(load->loop);
}

void load_note(struct load *load, uint64_t ns)
{
    if (load->times_count == load->times_max) {
        size_t max = load->times_max == 0 ? 4096 : 2 * load->times_max;
        uint64_t *times = reallocarray(load->times_ns, max, sizeof *times);

        if (times == NULL) {
            load_fail(load, SW_E_EXHAUSTED, "no memory for the latencies");
            return;
        }
        load->times_ns = times;
        load->times_max = max;
    }
    load->times_ns[load->times_count++] = ns;
}

/* --- Calls ----------------------------------------------------------------------------------- */

static struct sw_bytes trailer(const struct sw_http_header *headers, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (sw_bytes_is_text(headers[i].name, name))
            return headers[i].value;
    return (struct sw_bytes){0};
}

/* Whether the call ended well; otherwise the load has failed with the server's words. */
static bool is_good(struct load *load, enum sw_rc rc, const struct sw_http_header *trailers,
                    size_t trailers_count)
{
    struct sw_bytes status = trailer(trailers, trailers_count, "grpc-status");
    struct sw_bytes words = trailer(trailers, trailers_count, "grpc-message");
    char text[256];

    if (rc == SW_OK && sw_bytes_is_text(status, "0"))
        return true;
    (void)snprintf(text, sizeof text, "a call failed: rc %d, status %.*s, %.*s %s", rc,
                   (int)status.size, status.size > 0 ? (const char *)status.data : "",
                   (int)words.size, words.size > 0 ? (const char *)words.data : "",
                   sw_http_client_trouble(load->client));
    load_fail(load, rc == SW_OK ? SW_E_UNKNOWN : rc, text);
    return false;
}

static void on_done(void *ctx, struct sw_http_call *call, enum sw_rc rc, int status,
                    struct sw_bytes body, const struct sw_http_header *trailers,
                    size_t trailers_count)
{
    const struct load_reply *reply = ctx;
    struct load *load = reply->load;
    struct sw_bytes message;

    (void)call;
    (void)status;
    if (load->failure.rc != SW_OK || !is_good(load, rc, trailers, trailers_count))
        return;
    if (sw_grpc_take_frame(&body, LOAD_MESSAGE_MAX, &message) != SW_OK || body.size != 0)
        load_fail(load, SW_E_CORRUPT, "an answer is not one whole message");
    else
        reply->done(reply->ctx, message);
}

static void begin(struct load *load, const char *path, struct sw_bytes message,
                  const struct sw_http_call_handler *handler, uint64_t timeout_ms)
{
    const struct sw_http_header headers[] = {SW_HTTP_HEADER("content-type", "application/grpc"),
                                             SW_HTTP_HEADER("te", "trailers")};
    struct sw_http_call_options options = {.method = SW_HTTP_POST,
                                           .path = path,
                                           .headers = headers,
                                           .headers_count = 2,
                                           .timeout_ms = timeout_ms,
                                           .handler = *handler};
    struct sw_err err = {0};

    sw_buffer_reset(&load->frame);
    sw_grpc_put_frame(&load->frame, message);
    options.body = (struct sw_bytes){load->frame.data, load->frame.size};
    if (sw_buffer_check(&load->frame) != SW_OK)
        load_fail(load, SW_E_EXHAUSTED, "no memory for a call");
    else if (sw_http_client_call(load->client, &options, NULL, &err) != SW_OK)
        load_fail(load, err.rc, err.message);
}

void load_call(struct load *load, const char *path, struct sw_bytes message,
               struct load_reply *reply)
{
    const struct sw_http_call_handler handler = {.ctx = reply, .on_done = on_done};

    begin(load, path, message, &handler, CALL_TIMEOUT_MS);
}

struct trial {
    struct load *load;
    void (*done)(void *ctx, enum sw_rc rc, struct sw_bytes message);
    void *ctx;
};

static void on_tried(void *ctx, struct sw_http_call *call, enum sw_rc rc, int status,
                     struct sw_bytes body, const struct sw_http_header *trailers,
                     size_t trailers_count)
{
    struct trial trial = *(struct trial *)ctx;
    struct sw_bytes message = {0};

    (void)call;
    (void)status;
    free(ctx);
    if (rc == SW_E_CANCELLED) /* The client is being freed. */
        return;
    if (rc == SW_OK && !sw_bytes_is_text(trailer(trailers, trailers_count, "grpc-status"), "0"))
        rc = SW_E_UNAVAILABLE;
    if (rc == SW_OK && sw_grpc_take_frame(&body, LOAD_MESSAGE_MAX, &message) != SW_OK)
        rc = SW_E_CORRUPT;
    trial.done(trial.ctx, rc, message);
}

void load_try(struct load *load, const char *path, struct sw_bytes message,
              void (*done)(void *ctx, enum sw_rc rc, struct sw_bytes message), void *ctx)
{
    struct trial *trial = malloc(sizeof *trial);
    const struct sw_http_call_handler handler = {.ctx = trial, .on_done = on_tried};

    if (trial == NULL) {
        load_fail(load, SW_E_EXHAUSTED, "no memory for a call");
        return;
    }
    *trial = (struct trial){load, done, ctx};
    begin(load, path, message, &handler, CALL_TIMEOUT_MS);
}

/* A piece of a stream's body. The server sends each message in one DATA frame, which is small
 * enough here to come whole; anything else fails the run. */
static void on_stream_data(void *ctx, struct sw_http_call *call, struct sw_bytes bytes)
{
    const struct load_reply *reply = ctx;
    struct sw_bytes message;

    (void)call;
    while (bytes.size > 0 && reply->load->failure.rc == SW_OK) {
        if (sw_grpc_take_frame(&bytes, LOAD_MESSAGE_MAX, &message) != SW_OK) {
            load_fail(reply->load, SW_E_CORRUPT, "a message of a stream came in pieces");
            return;
        }
        reply->done(reply->ctx, message);
    }
}

static void on_stream_done(void *ctx, struct sw_http_call *call, enum sw_rc rc, int status,
                           struct sw_bytes body, const struct sw_http_header *trailers,
                           size_t trailers_count)
{
    const struct load_reply *reply = ctx;

    (void)call;
    (void)status;
    (void)body;
    if (rc == SW_E_CANCELLED) /* The client is being freed. */
        return;
    if (is_good(reply->load, rc, trailers, trailers_count))
        load_fail(reply->load, SW_E_UNKNOWN, "a stream has ended");
}

void load_stream(struct load *load, const char *path, struct sw_bytes message,
                 struct load_reply *reply)
{
    const struct sw_http_call_handler handler = {
        .ctx = reply, .on_data = on_stream_data, .on_done = on_stream_done};

    begin(load, path, message, &handler, 0);
}

/* --- Workers --------------------------------------------------------------------------------- */

struct crew {
    struct load *load;
    const struct load_work *work;
    struct worker *workers;
    struct sw_buffer message;
    size_t each, busy;
    bool is_measured;
};

struct worker {
    struct crew *crew;
    struct load_reply reply;
    size_t index, n;
    uint64_t sent_ns;
};

static void worker_ask(struct worker *worker)
{
    struct crew *crew = worker->crew;

    sw_buffer_reset(&crew->message);
    crew->work->ask(crew->work->ctx, worker->index, worker->n, &crew->message);
    if (sw_buffer_check(&crew->message) != SW_OK) {
        load_fail(crew->load, SW_E_EXHAUSTED, "no memory for a request");
        return;
    }
    worker->sent_ns = load_now_ns(crew->load);
    load_call(crew->load, crew->work->path,
              (struct sw_bytes){crew->message.data, crew->message.size}, &worker->reply);
}

static void worker_done(void *ctx, struct sw_bytes answer)
{
    struct worker *worker = ctx;
    struct crew *crew = worker->crew;

    if (crew->is_measured)
        load_note(crew->load, load_now_ns(crew->load) - worker->sent_ns);
    crew->work->check(crew->work->ctx, worker->index, worker->n, answer);
    if (crew->load->failure.rc != SW_OK)
        return;
    worker->n++;
    if (worker->n < crew->each) {
        worker_ask(worker);
        return;
    }
    crew->busy--;
    if (crew->busy == 0)
        sw_loop_stop(crew->load->loop);
}

bool load_run(struct load *load, const struct load_work *work, size_t each, bool is_measured)
{
    size_t count = load->options.workers;
    struct crew crew = {
        .load = load, .work = work, .each = each, .busy = count, .is_measured = is_measured};

    if (each == 0)
        return true;
    crew.workers = calloc(count, sizeof *crew.workers);
    if (crew.workers == NULL) {
        load_fail(load, SW_E_EXHAUSTED, "no memory for the workers");
        return false;
    }
    sw_buffer_init(&crew.message, LOAD_MESSAGE_MAX);
    if (is_measured)
        load->started_ns = load_now_ns(load);
    for (size_t i = 0; i < count; i++) {
        struct worker *worker = &crew.workers[i];

        *worker = (struct worker){.crew = &crew, .index = i};
        worker->reply = (struct load_reply){load, worker_done, worker};
        worker_ask(worker);
    }
    sw_loop_run(load->loop);
    if (is_measured)
        load->ended_ns = load_now_ns(load);
    sw_buffer_done(&crew.message);
    free(crew.workers);
    return load->failure.rc == SW_OK;
}
