/* `chat`: each worker asks a model over a connection of its own, and looks whether what comes back
 * is what it said. */
#include "test/bench/load/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE 256
#define BODY_SIZE 4096

struct worker {
    struct load *load;
    struct sw_http_client *client;
    size_t number, done, each;
    bool is_measured;
    uint64_t asked_ns;
    size_t *left; /* Workers that have something to do. */
    char said[64];
};

static void ask(struct worker *worker);

static void on_answer(void *ctx, struct sw_http_call *call, enum sw_rc rc, int status,
                      struct sw_bytes body, const struct sw_http_header *trailers,
                      size_t trailers_count)
{
    struct worker *worker = ctx;
    struct load *load = worker->load;
    char words[256];

    (void)call;
    (void)trailers;
    (void)trailers_count;
    if (load->failure.rc != SW_OK || rc == SW_E_CANCELLED)
        return;
    if (rc != SW_OK || status != 200 ||
        memmem(body.data, body.size, worker->said, strlen(worker->said)) == NULL) {
        (void)snprintf(words, sizeof words, "a chat failed: rc %d, status %d, %.*s", rc, status,
                       body.size > 128 ? 128 : (int)body.size,
                       body.size > 0 ? (const char *)body.data : "");
        load_fail(load, rc == SW_OK ? SW_E_UNKNOWN : rc, words);
        return;
    }
    if (worker->is_measured)
        load_note(load, load_now_ns(load) - worker->asked_ns);
    worker->done++;
    if (worker->done < worker->each)
        ask(worker);
    else if (--*worker->left == 0)
        sw_loop_stop(load->loop);
}

static void ask(struct worker *worker)
{
    struct load *load = worker->load;
    static const struct sw_http_header headers[] = {
        {.name = {"content-type", 12}, .value = {"application/json", 16}}};
    char path[PATH_SIZE], body[BODY_SIZE];
    struct sw_http_call_options options = {.method = SW_HTTP_POST,
                                           .path = path,
                                           .headers = headers,
                                           .headers_count = 1,
                                           .timeout_ms = 60000,
                                           .handler = {.ctx = worker, .on_done = on_answer}};
    int size;

    (void)snprintf(worker->said, sizeof worker->said, "%zu of %zu", worker->done, worker->number);
    (void)snprintf(path, sizeof path, "/apis/swarm/v1/namespaces/%s/openai/v1/chat/completions",
                   load->options.space);
    size = snprintf(body, sizeof body,
                    "{\"model\":\"bench\",\"max_tokens\":64,\"messages\":[{\"role\":\"user\","
                    "\"content\":\"%s %.*s\"}]}",
                    worker->said, load->options.size > 2048 ? 2048 : (int)load->options.size,
                    "Say what the weather is like, and whether one should go out in it today.");
    options.body = (struct sw_bytes){body, (size_t)size};
    worker->asked_ns = load_now_ns(load);
    if (sw_http_client_call(worker->client, &options, NULL, &load->failure) != SW_OK)
        sw_loop_stop(load->loop);
}

static bool run(struct load *load, struct worker *workers, size_t each, bool is_measured)
{
    size_t left = load->options.workers;

    load->started_ns = load_now_ns(load);
    for (size_t i = 0; i < load->options.workers && load->failure.rc == SW_OK; i++) {
        workers[i].done = 0;
        workers[i].each = each;
        workers[i].is_measured = is_measured;
        workers[i].left = &left;
        ask(&workers[i]);
    }
    if (each > 0 && load->failure.rc == SW_OK)
        sw_loop_run(load->loop);
    load->ended_ns = load_now_ns(load);
    return load->failure.rc == SW_OK;
}

bool load_chat(struct load *load)
{
    size_t count = load->options.workers;
    struct worker *workers = calloc(count, sizeof *workers);
    struct sw_http_client_options options = load->connecting;
    bool is_good = workers != NULL;

    if (load->options.direct != NULL) {
        options.address = load->options.direct;
        options.tls = NULL;
    }
    for (size_t i = 0; is_good && i < count; i++) {
        workers[i].load = load;
        workers[i].number = i;
        is_good = sw_http_client_new(&options, &workers[i].client, &load->failure) == SW_OK;
    }
    if (is_good && load->options.warm >= count)
        is_good = run(load, workers, load->options.warm / count, false);
    if (is_good)
        is_good = run(load, workers, load->options.count / count, true);
    for (size_t i = 0; workers != NULL && i < count; i++)
        sw_http_client_free(workers[i].client);
    free(workers);
    return is_good;
}
