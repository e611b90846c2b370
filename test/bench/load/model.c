/* `upstream`: a model, which says what was said to it, until it is killed; it prints its address.
 *
 * With `hold` it answers nobody before POST /release, and everybody at once from then on. GET /held
 * says whom it has seen: {"held":N,"asked":N,"distinct":N,"wrong":N}, of requests that wait, all of
 * them, numbers that they began with, and those that began with none. */
#include "test/bench/load/load.h"

#include "pkg/communication/protocol/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define BODY_SIZE 4096
#define CONTENT "\"content\":\""
#define CONNECTIONS_MAX 65536u
#define HOURS_MS 86400000u

struct model {
    struct sw_http_request **held; /* By place; NULL: it was answered, or has gone. */
    size_t held_count, held_max, waiting;
    uint8_t *seen; /* By number. */
    size_t seen_max, asked, distinct, wrong;
    bool is_holding;
};

/* What the user said last, without escapes. */
static bool said_of(const struct sw_http_request *request, struct sw_bytes *ret_said)
{
    const char *end = (const char *)request->body.data + request->body.size;
    const char *said = NULL, *at, *quote;

    for (at = request->body.data;
         at != NULL && (at = memmem(at, (size_t)(end - at), CONTENT, sizeof CONTENT - 1)) != NULL;)
        said = at += sizeof CONTENT - 1;
    quote = said == NULL ? NULL : memchr(said, '"', (size_t)(end - said));
    if (quote == NULL)
        return false;
    *ret_said = (struct sw_bytes){said, (size_t)(quote - said)};
    return true;
}

static void answer(struct sw_http_request *request)
{
    struct sw_bytes said;
    char text[BODY_SIZE];
    int size;

    if (!said_of(request, &said)) {
        sw_http_respond_text(request, 400, "text/plain", sw_bytes_of_text("what?"));
        return;
    }
    size = snprintf(
        text, sizeof text,
        "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":"
        "\"bench\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%.*"
        "s\","
        "\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":"
        "{\"prompt_tokens\":24,\"completion_tokens\":20,\"total_tokens\":44}}",
        said.size > 2048 ? 2048 : (int)said.size, (const char *)said.data);
    sw_http_respond_text(request, 200, "application/json", (struct sw_bytes){text, (size_t)size});
}

static void note(struct model *model, const struct sw_http_request *request)
{
    struct sw_bytes said;
    unsigned long number;
    char *end;

    model->asked++;
    if (!said_of(request, &said)) {
        model->wrong++;
        return;
    }
    number = strtoul(said.data, &end, 10); /* A quote ends it at the latest. */
    if (end == said.data || number >= model->seen_max) {
        model->wrong++;
        return;
    }
    model->distinct += model->seen[number] == 0;
    model->seen[number] = 1;
}

/* The client has gone: it gets no answer. */
static void on_cancel(void *ctx, struct sw_http_request *request)
{
    struct model *model = ctx;

    model->held[(size_t)(uintptr_t)request->user] = NULL;
    model->waiting--;
    answer(request);
}

static void hold(struct model *model, struct sw_http_request *request)
{
    if (model->held_count == model->held_max) {
        size_t more = model->held_max == 0 ? 1024 : 2 * model->held_max;
        struct sw_http_request **held =
            realloc(model->held, more * sizeof(struct sw_http_request *));

        if (held == NULL) {
            sw_http_respond_text(request, 503, "text/plain", sw_bytes_of_text("no memory"));
            return;
        }
        model->held = held;
        model->held_max = more;
    }
    request->user = (void *)(uintptr_t)model->held_count;
    model->held[model->held_count++] = request;
    model->waiting++;
    sw_http_on_cancel(request, on_cancel, model);
}

static void release(struct model *model)
{
    size_t count = model->held_count;

    model->is_holding = false;
    model->held_count = model->waiting = 0;
    for (size_t i = 0; i < count; i++)
        if (model->held[i] != NULL)
            answer(model->held[i]);
}

static void handle(void *ctx, struct sw_http_request *request)
{
    struct model *model = ctx;
    char text[160];

    if (sw_bytes_is_text(request->path, "/held")) {
        (void)snprintf(text, sizeof text,
                       "{\"held\":%zu,\"asked\":%zu,\"distinct\":%zu,\"wrong\":%zu}",
                       model->waiting, model->asked, model->distinct, model->wrong);
        sw_http_respond_text(request, 200, "application/json", sw_bytes_of_text(text));
        return;
    }
    if (sw_bytes_is_text(request->path, "/release")) {
        release(model);
        sw_http_respond_text(request, 200, "application/json", sw_bytes_of_text("{}"));
        return;
    }
    if (model->seen_max > 0)
        note(model, request);
    if (model->is_holding)
        hold(model, request);
    else
        answer(request);
}

/* One connection for each request that is held, as far as the machine lets it. */
static void raise_files(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

bool load_upstream(struct load *load)
{
    struct model model = {.seen_max = load->options.hold, .is_holding = load->options.hold > 0};
    const struct sw_http_server_options options = {
        .loop = load->loop,
        .system = load->system,
        .address = "127.0.0.1:0",
        .handler = {.ctx = &model, .handle = handle},
        .limits = {.connections_max = CONNECTIONS_MAX, .idle_timeout_ms = HOURS_MS}};
    struct sw_http_server *server = NULL;

    raise_files();
    model.seen = model.seen_max == 0 ? NULL : calloc(model.seen_max, 1);
    if ((model.seen_max > 0 && model.seen == NULL) ||
        sw_http_server_new(&options, &server, &load->failure) != SW_OK)
        return false;
    (void)printf("http://127.0.0.1:%u\n", (unsigned)sw_http_server_port(server));
    (void)fflush(stdout);
    sw_loop_run(load->loop);
    sw_http_server_free(server);
    free(model.held);
    free(model.seen);
    return false;
}
