/* Whole answers on their way to a client, and what the writers of answers share. */
#include "pkg/broker/model/wire/codecs.h"
#include "pkg/broker/model/wire/rules.h"

#include <stdio.h>

#define PIECE_BYTES 16384u /* Of an event of a stream that is made of a whole answer. */

uint64_t sw_wire_tokens(const struct sw_wire_doc *doc, uint32_t object, const char *name)
{
    uint64_t tokens = 0;

    return sw_wire_u64(doc, sw_wire_find(doc, object, name), SW_WIRE_TOKENS_MAX, &tokens) ? tokens
                                                                                          : 0;
}

uint64_t sw_wire_tokens_in(const struct sw_wire_doc *doc, uint32_t object, const char *outer,
                           const char *name)
{
    uint32_t inner = sw_wire_find(doc, object, outer);

    return inner == 0 ? 0 : sw_wire_tokens(doc, inner, name);
}

void sw_wire_read_usage(const struct sw_wire_doc *doc, uint32_t at, const char *input,
                        const char *output, struct sw_wire_usage *usage)
{
    char name[32], details[32];

    if (at == 0 || sw_wire_kind_of(doc, at) != SW_WIRE_OBJECT)
        return;
    (void)snprintf(name, sizeof name, "%s_tokens", input);
    (void)snprintf(details, sizeof details, "%s_tokens_details", input);
    usage->is_reported = sw_wire_find(doc, at, name) != 0;
    usage->input_tokens = sw_wire_tokens(doc, at, name);
    usage->cached_tokens = sw_wire_tokens_in(doc, at, details, "cached_tokens");
    usage->written_tokens = sw_wire_tokens_in(doc, at, details, "cache_write_tokens");
    (void)snprintf(name, sizeof name, "%s_tokens", output);
    (void)snprintf(details, sizeof details, "%s_tokens_details", output);
    usage->output_tokens = sw_wire_tokens(doc, at, name);
    usage->thinking_tokens = sw_wire_tokens_in(doc, at, details, "reasoning_tokens");
}

void sw_wire_put_id(struct sw_buffer *out, const struct sw_wire_answer *answer, const char *prefix)
{
    static const char *const prefixes[] = {"chatcmpl-", "msg_", "resp_"};
    struct sw_wire_text id = sw_wire_answer_text(answer, answer->id);

    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        size_t size = strlen(prefixes[i]);

        if (id.size <= size || memcmp(id.at, prefixes[i], size) != 0)
            continue;
        id.at += size;
        id.size -= size;
        break;
    }
    sw_buffer_put_text(out, prefix);
    sw_wire_put(out, id);
}

uint64_t sw_wire_created(const struct sw_wire_request *request, const struct sw_wire_answer *answer)
{
    return answer->created_s > 0 ? answer->created_s : request->utc_s;
}

void sw_wire_put_model(struct sw_buffer *out, const struct sw_wire_request *request)
{
    sw_wire_put_node(out, &request->doc, request->model_at);
}

bool sw_wire_shows_thoughts(const struct sw_wire_request *request)
{
    return request->view.protocol == SW_WIRE_CHAT ||
           (request->view.needs & SW_WIRE_NEED_REASONING) != 0;
}

void sw_wire_put_renamed(const struct sw_wire_request *request, const struct sw_wire_doc *doc,
                         uint32_t in, uint32_t model, struct sw_buffer *out)
{
    const struct sw_wire_node *whole = &doc->nodes[in], *name = &doc->nodes[model];

    if (!sw_wire_is_string(doc, model)) {
        sw_wire_put(out, sw_wire_text_of(doc, in));
        return;
    }
    sw_buffer_put(out, doc->text + whole->start, name->start - 1 - whole->start);
    sw_wire_put_model(out, request);
    sw_buffer_put(out, doc->text + name->end + 1, whole->end - name->end - 1);
}

static enum sw_rc read_answer(struct sw_wire_doc *doc, enum sw_wire_protocol from,
                              struct sw_bytes body, const struct sw_wire_sink *sink)
{
    const bool is_embeddings = from == SW_WIRE_EMBEDDINGS;
    const struct sw_wire_doc_options options = {
        .code = SW_E_CORRUPT,
        .level_max = is_embeddings ? 2 : 0,
        .size_max = is_embeddings ? SW_WIRE_EMBEDDINGS_BYTES_MAX : SW_WIRE_ANSWER_BYTES_MAX,
        .what = "the answer of the model's provider"};
    enum sw_rc rc = sw_wire_doc_read(doc, body, &options, sink->err);

    if (rc == SW_OK && sw_wire_kind_of(doc, 0) != SW_WIRE_OBJECT)
        rc = sw_err_set(sink->err, SW_E_CORRUPT,
                        "the answer of the model's provider is no JSON object");
    if (rc == SW_OK)
        rc = sw_wire_codec_of(from)->answer_read(doc, sink);
    if (rc == SW_OK && sink->answer->has_error)
        rc = sw_err_set(sink->err, SW_E_UNKNOWN, "the model's provider failed: %s",
                        sink->answer->error.message);
    return rc;
}

static enum sw_rc finish(enum sw_rc rc, size_t from, struct sw_buffer *out, struct sw_err *err)
{
    if (rc == SW_OK && out->failed)
        rc = sw_err_set(err, SW_E_EXHAUSTED, "no room for the model's answer");
    if (rc != SW_OK && out->size > from)
        out->size = from;
    return rc;
}

enum sw_rc sw_wire_answer_put(const struct sw_wire_request *request,
                              const struct sw_wire_answer *answer, struct sw_buffer *out,
                              struct sw_err *err)
{
    size_t from = out->size;
    enum sw_rc rc;

    if (answer->is_partial)
        return sw_err_set(err, SW_E_UNSUPPORTED,
                          "the model's answer holds something that is not known here");
    if (answer->choices > 1 && request->view.protocol != SW_WIRE_CHAT)
        return sw_err_set(err, SW_E_CORRUPT, "the model gave more than one answer");
    rc = sw_wire_codec_of(request->view.protocol)->answer_write(request, answer, out, err);
    return finish(rc, from, out, err);
}

enum sw_rc sw_wire_answer_convert(const struct sw_wire_request *request, enum sw_wire_protocol from,
                                  struct sw_bytes body, struct sw_buffer *out,
                                  struct sw_wire_usage *ret_usage, struct sw_err *err)
{
    bool is_same = from == request->view.protocol;
    struct sw_wire_doc doc = {.nodes = NULL};
    struct sw_wire_answer answer;
    const struct sw_wire_sink sink = {.answer = &answer, .err = err};
    size_t start = out->size;
    enum sw_rc rc;

    if (!sw_wire_is_translatable(request->view.protocol, from))
        return sw_err_set(err, SW_E_UNSUPPORTED, "an answer of %s is none for a request of %s",
                          sw_wire_protocol_name(from),
                          sw_wire_protocol_name(request->view.protocol));
    sw_wire_answer_init(&answer);
    answer.keeps_nothing = is_same;
    rc = read_answer(&doc, from, body, &sink);
    if (rc == SW_OK && is_same)
        sw_wire_put_renamed(request, &doc, 0, sw_wire_find(&doc, 0, "model"), out);
    else if (rc == SW_OK)
        rc = sw_wire_answer_put(request, &answer, out, err);
    rc = finish(rc, start, out, err);
    if (rc == SW_OK && ret_usage != NULL)
        *ret_usage = answer.usage;
    sw_wire_doc_done(&doc);
    sw_wire_answer_done(&answer);
    return rc;
}

/* Bytes of the beginning of a text that is at most so long and ends between two characters. */
static size_t piece_of(struct sw_wire_text text)
{
    size_t at = 0, end = 0;

    while (at < text.size && at < PIECE_BYTES) {
        /* An escape is at most two of six bytes, and the second of a pair begins as the first. */
        bool is_pair = at + 2 < text.size && text.at[at] == '\\' && text.at[at + 1] == 'u' &&
                       (text.at[at + 2] == 'd' || text.at[at + 2] == 'D') &&
                       strchr("89abAB", text.at[at + 3]) != NULL;

        if (is_pair)
            at += 12;
        else if (text.at[at] == '\\')
            at += text.at[at + 1] == 'u' ? 6 : 2;
        else if ((uint8_t)text.at[at] < 0x80)
            at++;
        else
            at += sw_utf8_sequence(text.at + at, text.size - at);
        end = at;
    }
    return end;
}

static enum sw_rc on_event(void *ctx, const struct sw_wire_event *event, struct sw_err *err)
{
    struct sw_wire_stream *stream = ctx;
    const struct sw_wire_codec *codec = sw_wire_codec_of(stream->request->view.protocol);
    struct sw_wire_event piece = *event;
    struct sw_wire_text rest = event->text;
    enum sw_rc rc = SW_OK;

    if (event->part == SW_WIRE_NO_PART || rest.size <= PIECE_BYTES ||
        event->kind == SW_WIRE_EVENT_SIGNATURE || event->kind == SW_WIRE_EVENT_REDACTED)
        return codec->event_write(stream, event, err);
    if (event->is_json) /* As the inside of a string it can be cut: all of it stands in its part. */
        rest = sw_wire_part_text(&stream->answer->parts[event->part]);
    piece.is_json = false;
    while (rc == SW_OK && rest.size > 0) {
        piece.text = (struct sw_wire_text){rest.at, piece_of(rest)};
        rest.at += piece.text.size;
        rest.size -= piece.text.size;
        rc = codec->event_write(stream, &piece, err);
    }
    return rc;
}

enum sw_rc sw_wire_answer_stream(const struct sw_wire_request *request, struct sw_bytes body,
                                 struct sw_buffer *out, struct sw_err *err)
{
    struct sw_wire_doc doc = {.nodes = NULL};
    struct sw_wire_answer answer;
    struct sw_wire_stream stream = {
        .request = request, .answer = &answer, .out = out, .open = SW_WIRE_NO_PART};
    const struct sw_wire_sink sink = {
        .answer = &answer, .on_event = on_event, .ctx = &stream, .err = err};
    size_t start = out->size;
    enum sw_rc rc;

    if (request->view.protocol == SW_WIRE_EMBEDDINGS)
        return sw_err_set(err, SW_E_UNSUPPORTED, "embeddings have no stream");
    sw_wire_answer_init(&answer);
    rc = read_answer(&doc, request->view.protocol, body, &sink);
    if (rc == SW_OK && answer.is_partial)
        rc = sw_err_set(err, SW_E_UNSUPPORTED,
                        "the answer holds something that has no form in a stream here");
    rc = finish(rc, start, out, err);
    sw_wire_doc_done(&doc);
    sw_wire_answer_done(&answer);
    return rc;
}
