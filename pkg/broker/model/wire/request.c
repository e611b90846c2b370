#include "pkg/broker/model/wire/rules.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

const struct sw_wire_codec *sw_wire_codec_of(enum sw_wire_protocol protocol)
{
    static const struct sw_wire_codec *const codecs[SW_WIRE_PROTOCOLS] = {
        [SW_WIRE_CHAT] = &sw_wire_chat,
        [SW_WIRE_RESPONSES] = &sw_wire_responses,
        [SW_WIRE_EMBEDDINGS] = &sw_wire_embeddings,
        [SW_WIRE_MESSAGES] = &sw_wire_messages};

    assert((unsigned)protocol < SW_WIRE_PROTOCOLS);
    return codecs[protocol];
}

const char *sw_wire_protocol_name(enum sw_wire_protocol protocol)
{
    static const char *const names[SW_WIRE_PROTOCOLS] = {[SW_WIRE_CHAT] = "chat",
                                                         [SW_WIRE_RESPONSES] = "responses",
                                                         [SW_WIRE_EMBEDDINGS] = "embeddings",
                                                         [SW_WIRE_MESSAGES] = "messages"};

    assert((unsigned)protocol < SW_WIRE_PROTOCOLS);
    return names[protocol];
}

bool sw_wire_is_translatable(enum sw_wire_protocol client, enum sw_wire_protocol upstream)
{
    return (client == SW_WIRE_EMBEDDINGS) == (upstream == SW_WIRE_EMBEDDINGS);
}

static enum sw_rc read_body(struct sw_wire_request *request, struct sw_bytes body,
                            struct sw_err *err)
{
    const struct sw_wire_doc_options options = {
        .code = SW_E_INVALID, .size_max = SW_WIRE_REQUEST_BYTES_MAX, .what = "the request"};
    struct sw_wire_doc_options shallow = options;
    enum sw_rc rc;

    if (body.size > SW_WIRE_REQUEST_BYTES_MAX)
        return sw_wire_doc_read(&request->doc, body, &options, err);
    request->body = malloc(body.size + 1);
    if (request->body == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the request");
    if (body.size > 0)
        (void)memcpy(request->body, body.data, body.size);
    request->body[body.size] = '\0';
    shallow.level_max = 2; /* Of embeddings: the tokens themselves are not looked at. */
    rc = sw_wire_doc_read(&request->doc, (struct sw_bytes){request->body, body.size},
                          request->view.protocol == SW_WIRE_EMBEDDINGS ? &shallow : &options, err);
    if (rc == SW_OK && sw_wire_kind_of(&request->doc, 0) != SW_WIRE_OBJECT)
        rc = sw_err_set(err, SW_E_INVALID, "the request must be a JSON object");
    return rc;
}

enum sw_rc sw_wire_request_read(enum sw_wire_protocol protocol, struct sw_bytes body,
                                struct sw_wire_request **ret_request, struct sw_err *err)
{
    struct sw_wire_request *request = calloc(1, sizeof *request);
    enum sw_rc rc;

    if (request == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the request");
    request->view.protocol = protocol;
    request->view.choices = 1;
    rc = read_body(request, body, err);
    if (rc == SW_OK)
        rc = sw_wire_codec_of(protocol)->look(request, err);
    if (rc == SW_OK)
        sw_wire_doc_trim(&request->doc); /* It may be kept for long. */
    if (rc == SW_OK)
        *ret_request = SW_TAKE(request);
    sw_wire_request_free(request);
    return rc;
}

void sw_wire_request_free(struct sw_wire_request *request)
{
    if (request == NULL)
        return;
    sw_wire_doc_done(&request->doc);
    free(request->model);
    free(request->body);
    free(request);
}

size_t sw_wire_request_values_bytes(const struct sw_wire_request *request)
{
    return request->doc.capacity * sizeof *request->doc.nodes;
}

const struct sw_wire_view *sw_wire_request_view(const struct sw_wire_request *request)
{
    return &request->view;
}

void sw_wire_request_set_time(struct sw_wire_request *request, uint64_t utc_s)
{
    request->utc_s = utc_s;
}

void sw_wire_request_identity(const struct sw_wire_request *request, struct sw_buffer *out)
{
    static const char *const left_out[] = {"stream", "stream_options", "user", "safety_identifier",
                                           "metadata"};
    const struct sw_wire_doc *doc = &request->doc;

    sw_buffer_print(out, "%s\n", sw_wire_protocol_name(request->view.protocol));
    for (uint32_t i = sw_wire_first(doc, 0); i != 0; i = sw_wire_next(doc, 0, i)) {
        const struct sw_wire_node *node = &doc->nodes[i];
        struct sw_wire_text key = {doc->text + node->key, node->key_end - node->key};
        bool counts = true;

        for (size_t k = 0; k < sizeof left_out / sizeof left_out[0]; k++)
            counts = counts && !sw_wire_means(key, left_out[k]);
        if (!counts)
            continue;
        sw_wire_put_string(out, key);
        if (sw_wire_is_string(doc, i))
            sw_wire_put_string(out, sw_wire_text_of(doc, i));
        else
            sw_wire_put_dense(out, sw_wire_text_of(doc, i));
    }
}

/* ---- Through to the same protocol: the bytes, but for a few places. */

#define EDITS_MAX 5u

struct edit { /* Bytes from start to end are `text` instead. */
    uint32_t start, end;
    char text[64];
    const char *model; /* Instead of text: this name as a JSON string. */
};

struct edits {
    const struct sw_wire_request *request;
    struct edit all[EDITS_MAX];
    size_t count;
};

/* Keep them in the order of their places. */
static struct edit *add_edit(struct edits *edits, uint32_t start, uint32_t end)
{
    size_t at = edits->count++;

    assert(at < EDITS_MAX);
    while (at > 0 && edits->all[at - 1].start > start) {
        edits->all[at] = edits->all[at - 1];
        at--;
    }
    edits->all[at] = (struct edit){.start = start, .end = end};
    return &edits->all[at];
}

static void replace(struct edits *edits, uint32_t at, const char *text)
{
    const struct sw_wire_node *node = &edits->request->doc.nodes[at];
    struct edit *edit = add_edit(edits, node->start, node->end);

    (void)snprintf(edit->text, sizeof edit->text, "%s", text);
}

/* A member more at the end of an object. */
static void append(struct edits *edits, uint32_t object, const char *text)
{
    const struct sw_wire_node *node = &edits->request->doc.nodes[object];
    struct edit *edit = add_edit(edits, node->end - 1, node->end - 1);

    (void)snprintf(edit->text, sizeof edit->text, "%s%s", node->count > 0 ? "," : "", text);
}

static void edit_limit(struct edits *edits, const struct sw_wire_target *target)
{
    const struct sw_wire_request *request = edits->request;
    const struct sw_wire_doc *doc = &request->doc;
    const char *name = request->view.protocol == SW_WIRE_RESPONSES ? "max_output_tokens"
                       : request->view.protocol == SW_WIRE_CHAT && !target->uses_max_tokens
                           ? "max_completion_tokens"
                           : "max_tokens";
    bool is_stated = false;
    char text[64];

    if (target->max_output_tokens == 0 || request->view.protocol == SW_WIRE_EMBEDDINGS)
        return;
    for (size_t i = 0; i < 2; i++) {
        uint32_t at = request->limit_at[i];
        uint64_t limit = 0;

        if (!sw_wire_is_said(doc, at))
            continue;
        is_stated = true;
        if (sw_wire_u64(doc, at, SW_WIRE_TOKENS_MAX, &limit) && limit <= target->max_output_tokens)
            continue;
        (void)snprintf(text, sizeof text, "%llu", (unsigned long long)target->max_output_tokens);
        replace(edits, at, text);
    }
    if (is_stated)
        return;
    size_t which = strcmp(name, "max_tokens") == 0 && request->view.protocol == SW_WIRE_CHAT;

    if (request->limit_at[which] != 0) { /* It is null. */
        (void)snprintf(text, sizeof text, "%llu", (unsigned long long)target->max_output_tokens);
        replace(edits, request->limit_at[which], text);
        return;
    }
    (void)snprintf(text, sizeof text, "\"%s\":%llu", name,
                   (unsigned long long)target->max_output_tokens);
    append(edits, 0, text);
}

static void edit_usage(struct edits *edits, const struct sw_wire_target *target)
{
    const struct sw_wire_request *request = edits->request;

    if (request->view.protocol != SW_WIRE_CHAT || !request->view.is_stream ||
        request->view.wants_usage || target->lacks_usage)
        return;
    if (request->usage_at != 0)
        replace(edits, request->usage_at, "true");
    else if (sw_wire_is_said(&request->doc, request->options_at))
        append(edits, request->options_at, "\"include_usage\":true");
    else if (request->options_at != 0)
        replace(edits, request->options_at, "{\"include_usage\":true}");
    else
        append(edits, 0, "\"stream_options\":{\"include_usage\":true}");
}

static void pass(const struct sw_wire_request *request, const struct sw_wire_target *target,
                 struct sw_buffer *out)
{
    const struct sw_wire_node *model = &request->doc.nodes[request->model_at];
    struct edits edits = {.request = request};
    uint32_t from = 0;

    add_edit(&edits, model->start - 1, model->end + 1)->model = target->model;
    edit_limit(&edits, target);
    edit_usage(&edits, target);
    for (size_t i = 0; i < edits.count; i++) {
        const struct edit *edit = &edits.all[i];

        sw_buffer_put(out, request->body + from, edit->start - from);
        if (edit->model != NULL)
            sw_wire_put_words(out, edit->model);
        else
            sw_buffer_put_text(out, edit->text);
        from = edit->end;
    }
    sw_buffer_put(out, request->body + from, request->doc.size - from);
}

static enum sw_rc translate(const struct sw_wire_request *request,
                            const struct sw_wire_target *target, struct sw_buffer *out,
                            struct sw_err *err)
{
    struct sw_wire_settings settings = {.parallel = -1};
    struct sw_wire_writing writing = {.request = request,
                                      .settings = &settings,
                                      .target = target,
                                      .max_output_tokens = request->view.max_output_tokens,
                                      .out = out,
                                      .err = err};
    enum sw_rc rc = sw_wire_codec_of(request->view.protocol)->settings(request, &settings, err);

    if (target->max_output_tokens > 0 &&
        (writing.max_output_tokens == 0 || writing.max_output_tokens > target->max_output_tokens))
        writing.max_output_tokens = target->max_output_tokens;
    return rc == SW_OK ? sw_wire_codec_of(target->protocol)->write(&writing) : rc;
}

enum sw_rc sw_wire_request_write(const struct sw_wire_request *request,
                                 const struct sw_wire_target *target, struct sw_buffer *out,
                                 struct sw_err *err)
{
    size_t from = out->size;
    enum sw_rc rc = SW_OK;

    if (!sw_wire_is_translatable(request->view.protocol, target->protocol))
        return sw_err_set(err, SW_E_UNSUPPORTED, "a request of %s cannot go to a provider of %s",
                          sw_wire_protocol_name(request->view.protocol),
                          sw_wire_protocol_name(target->protocol));
    if (request->view.protocol == target->protocol)
        pass(request, target, out);
    else
        rc = translate(request, target, out, err);
    if (rc == SW_OK && out->failed)
        rc = sw_err_set(err, SW_E_EXHAUSTED, "no room for the request to the model's provider");
    if (rc != SW_OK && out->size > from)
        out->size = from;
    return rc;
}
