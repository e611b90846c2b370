#include "pkg/broker/model/front/front.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_SIZE 40u
#define HEADERS_MAX 6u

struct front_call { /* Of one request; may outlive it. */
    struct sw_http_request *request;
    struct sw_model_call *call;
    struct sw_model_head head;
    char provider[SW_BUDGET_NAME_MAX + 1];
    char id[ID_SIZE], retry[24];
    bool is_started; /* A stream: its headers are sent. */
    const struct sw_model_watch *watch;
    void *ticket; /* Of the watch; NULL: it has none, or was told. */
};

/* Tell who watches what came of it. */
static void tell_watch(struct front_call *front, enum sw_rc rc, struct sw_bytes body)
{
    if (front->ticket != NULL)
        front->watch->end(front->watch->ctx, front->ticket, rc, body);
    front->ticket = NULL;
}

static void front_free(struct front_call *front, enum sw_rc rc)
{
    tell_watch(front, rc, (struct sw_bytes){NULL, 0});
    free(front);
}

bool sw_model_front_path(const char *path, bool *ret_is_list, enum sw_wire_protocol *ret_protocol)
{
    static const char *const paths[SW_WIRE_PROTOCOLS] = {[SW_WIRE_CHAT] = "v1/chat/completions",
                                                         [SW_WIRE_RESPONSES] = "v1/responses",
                                                         [SW_WIRE_EMBEDDINGS] = "v1/embeddings",
                                                         [SW_WIRE_MESSAGES] = "v1/messages"};

    *ret_is_list = strcmp(path, "v1/models") == 0;
    *ret_protocol = SW_WIRE_CHAT;
    for (unsigned i = 0; i < SW_WIRE_PROTOCOLS && !*ret_is_list; i++) {
        *ret_protocol = (enum sw_wire_protocol)i;
        if (strcmp(path, paths[i]) == 0)
            return true;
    }
    return *ret_is_list;
}

/* Headers of the answer; how many. */
static size_t put_headers(struct front_call *front, struct sw_http_header *headers)
{
    const struct sw_model_head *head = &front->head;
    size_t count = 0;

    headers[count++] = (struct sw_http_header)SW_HTTP_HEADER(
        "content-type", head->is_stream ? "text/event-stream; charset=utf-8" : "application/json");
    headers[count] = (struct sw_http_header)SW_HTTP_HEADER("x-request-id", front->id);
    headers[count++].is_unique = true;
    if (front->provider[0] != '\0')
        headers[count++] = (struct sw_http_header)SW_HTTP_HEADER("swarm-provider", front->provider);
    if (head->is_cached)
        headers[count++] = (struct sw_http_header)SW_HTTP_HEADER("swarm-cache", "hit");
    if (head->is_stream)
        headers[count++] = (struct sw_http_header)SW_HTTP_HEADER("cache-control", "no-cache");
    if (head->retry_ms > 0) {
        (void)snprintf(front->retry, sizeof front->retry, "%" PRIu64,
                       (head->retry_ms + 999) / 1000);
        headers[count++] = (struct sw_http_header)SW_HTTP_HEADER("retry-after", front->retry);
    }
    return count;
}

static void on_head(void *ctx, struct sw_model_call *call, const struct sw_model_head *head)
{
    struct front_call *front = ctx;
    struct sw_http_header headers[HEADERS_MAX];

    (void)call;
    front->head = *head;
    (void)snprintf(front->provider, sizeof front->provider, "%s", head->provider);
    if (!head->is_stream)
        return;
    front->is_started = true;
    sw_http_start(front->request, head->status, headers, put_headers(front, headers));
}

static void on_bytes(void *ctx, struct sw_model_call *call, struct sw_bytes bytes)
{
    struct front_call *front = ctx;
    struct sw_http_header headers[HEADERS_MAX];

    if (!front->is_started) { /* Whole: these are all of them. */
        struct sw_http_request *request = front->request;

        front->request = NULL;
        if (front->head.status < 400)
            tell_watch(front, SW_OK, bytes);
        sw_http_respond(request, front->head.status, headers, put_headers(front, headers), bytes);
        return;
    }
    if (sw_http_write(front->request, bytes.data, bytes.size) != SW_OK) {
        sw_model_cancel(call); /* More than may be queued at once. */
        sw_http_abort(front->request);
        front_free(front, SW_E_CANCELLED);
        return;
    }
    if (sw_http_pending(front->request) > SW_MODEL_FRONT_BYTES)
        sw_model_pause(call);
}

static void on_writable(void *ctx, struct sw_http_request *request)
{
    struct front_call *front = ctx;

    (void)request;
    sw_model_resume(front->call);
}

static void on_end(void *ctx, struct sw_model_call *call, const struct sw_model_end *end)
{
    struct front_call *front = ctx;
    struct sw_http_request *request = front->request;

    (void)call;
    if (request != NULL && front->is_started)
        sw_http_end(request, NULL, 0);
    else if (request != NULL) /* It had no bytes. */
        sw_http_respond_text(request, 502, "text/plain", (struct sw_bytes){NULL, 0});
    front_free(front, end->rc);
}

static void on_cancel(void *ctx, struct sw_http_request *request)
{
    struct front_call *front = ctx;

    sw_model_cancel(front->call);
    if (front->is_started)
        sw_http_end(request, NULL, 0);
    else
        sw_http_respond_text(request, 499, "text/plain", (struct sw_bytes){NULL, 0});
    front_free(front, SW_E_CANCELLED);
}

/* The error of a call that did not begin. */
static void refuse(struct front_call *front, enum sw_wire_protocol protocol, uint64_t retry_ms,
                   const struct sw_err *err)
{
    struct sw_wire_error error;
    struct sw_buffer body;
    struct sw_http_header headers[HEADERS_MAX];

    sw_wire_error_of(err, &error);
    sw_buffer_init(&body, 4 * SW_WIRE_MESSAGE_SIZE + 1024);
    sw_wire_error_write(protocol, &error, &body);
    front->head = (struct sw_model_head){.status = error.status, .retry_ms = retry_ms};
    sw_http_respond(front->request, error.status, headers, put_headers(front, headers),
                    (struct sw_bytes){body.data, body.size});
    sw_buffer_done(&body);
}

void sw_model_front_serve(const struct sw_model_front *front, struct sw_http_request *request,
                          const struct sw_model_client *client, enum sw_wire_protocol protocol)
{
    struct front_call *made = calloc(1, sizeof *made);
    struct sw_model_handler handler = {
        .ctx = made, .on_head = on_head, .on_bytes = on_bytes, .on_end = on_end};
    struct sw_model_request asked = {.protocol = protocol,
                                     .body = request->body,
                                     .who = client->who,
                                     .key = client->key,
                                     .priority = client->priority};
    uint64_t random[2], retry_ms = 0;
    struct sw_err err = {0};
    enum sw_rc rc = SW_OK;

    if (made == NULL) {
        sw_http_respond_text(request, 503, "text/plain", sw_bytes_of_text("no memory\n"));
        return;
    }
    made->request = request;
    front->system->random(front->system->ctx, random, sizeof random);
    (void)snprintf(made->id, sizeof made->id, "req_%016" PRIx64 "%016" PRIx64, random[0],
                   random[1]);
    if (asked.key.size == 0)
        asked.key = sw_bytes_of_text(made->id);
    made->watch = front->watch;
    if (made->watch != NULL)
        rc = made->watch->begin(made->watch->ctx, client, protocol, request->body, &made->ticket,
                                &retry_ms, &err);
    if (rc == SW_OK)
        rc = sw_models_start(front->models, &asked, &handler, &made->call, &err);
    if (rc != SW_OK) {
        refuse(made, protocol, retry_ms, &err);
        front_free(made, rc);
        return;
    }
    sw_http_on_cancel(request, on_cancel, made);
    sw_http_on_writable(request, on_writable, made);
}

/* As both OpenAI's and Anthropic's libraries read it. */
static void on_model(void *ctx, const struct sw_model_provider *provider,
                     const struct sw_model *model)
{
    json_t *data = ctx;

    (void)json_array_append_new(
        data, json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:s}", "id", model->name, "object", "model",
                        "type", "model", "display_name", model->name, "created", 0, "created_at",
                        "1970-01-01T00:00:00Z", "owned_by", provider->name));
}

void sw_model_front_list(const struct sw_model_front *front, struct sw_http_request *request,
                         const char *name_space)
{
    json_t *data = json_array();
    json_t *list = json_pack("{s:s, s:o, s:b, s:n, s:n}", "object", "list", "data", data,
                             "has_more", 0, "first_id", "last_id");
    char *text = NULL;

    if (list != NULL) {
        sw_models_list(front->models, name_space, on_model, data);
        text = json_dumps(list, JSON_COMPACT);
    }
    if (text != NULL)
        sw_http_respond_text(request, 200, "application/json", sw_bytes_of_text(text));
    else
        sw_http_respond_text(request, 503, "text/plain", sw_bytes_of_text("no memory\n"));
    free(text);
    json_decref(list);
}
