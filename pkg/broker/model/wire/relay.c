/* One stream on its way from an upstream to a client. */
#include "pkg/broker/model/wire/codecs.h"
#include "pkg/broker/model/wire/sse.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct sw_wire_relay {
    const struct sw_wire_request *request;
    enum sw_wire_protocol from;
    struct sw_wire_sse sse;
    struct sw_wire_doc doc; /* Of the present event; keeps its memory. */
    struct sw_wire_answer answer;
    struct sw_wire_stream stream;
    struct sw_buffer final; /* Of responses passed through: the whole answer as it came. */
    uint64_t bytes;
    bool is_same, has_begun, is_failed;
    struct sw_err err; /* Of what ended it. */
};

enum sw_rc sw_wire_relay_new(const struct sw_wire_request *request, enum sw_wire_protocol from,
                             struct sw_wire_relay **ret_relay, struct sw_err *err)
{
    struct sw_wire_relay *relay;

    if (!sw_wire_is_translatable(request->view.protocol, from) || from == SW_WIRE_EMBEDDINGS)
        return sw_err_set(err, SW_E_UNSUPPORTED, "a stream of %s is none for a request of %s",
                          sw_wire_protocol_name(from),
                          sw_wire_protocol_name(request->view.protocol));
    relay = calloc(1, sizeof *relay);
    if (relay == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a stream");
    relay->request = request;
    relay->from = from;
    relay->is_same = from == request->view.protocol;
    sw_wire_sse_init(&relay->sse);
    sw_wire_answer_init(&relay->answer);
    sw_buffer_init(&relay->final, SW_WIRE_ANSWER_BYTES_MAX + SW_WIRE_MODEL_MAX * 6);
    relay->stream = (struct sw_wire_stream){
        .request = request, .answer = &relay->answer, .open = SW_WIRE_NO_PART};
    *ret_relay = relay;
    return SW_OK;
}

void sw_wire_relay_free(struct sw_wire_relay *relay)
{
    if (relay == NULL)
        return;
    sw_wire_sse_done(&relay->sse);
    sw_wire_doc_done(&relay->doc);
    sw_wire_answer_done(&relay->answer);
    sw_buffer_done(&relay->final);
    free(relay);
}

static enum sw_rc on_event(void *ctx, const struct sw_wire_event *event, struct sw_err *err)
{
    struct sw_wire_relay *relay = ctx;

    if (relay->answer.choices > 1 && relay->request->view.protocol != SW_WIRE_CHAT)
        return sw_err_set(err, SW_E_CORRUPT, "the model gave more than one answer");
    return sw_wire_codec_of(relay->request->view.protocol)->event_write(&relay->stream, event, err);
}

/* Where an event of the protocol names the model: the object, and in that the name. */
static uint32_t model_of(const struct sw_wire_relay *relay)
{
    const struct sw_wire_doc *doc = &relay->doc;
    uint32_t in = relay->from == SW_WIRE_RESPONSES  ? sw_wire_find(doc, 0, "response")
                  : relay->from == SW_WIRE_MESSAGES ? sw_wire_find(doc, 0, "message")
                                                    : 0;

    if (relay->from != SW_WIRE_CHAT && in == 0)
        return 0;
    return sw_wire_find(doc, in, "model");
}

/* The chunk with the usage that the gateway asked for, and the client did not. */
static bool is_unasked(const struct sw_wire_relay *relay)
{
    const struct sw_wire_doc *doc = &relay->doc;
    uint32_t choices;

    if (relay->from != SW_WIRE_CHAT || relay->request->view.wants_usage)
        return false;
    choices = sw_wire_find(doc, 0, "choices");
    return choices != 0 && doc->nodes[choices].count == 0 &&
           sw_wire_is_said(doc, sw_wire_find(doc, 0, "usage"));
}

static void keep_final(struct sw_wire_relay *relay)
{
    uint32_t response = sw_wire_find(&relay->doc, 0, "response");

    if (relay->from != SW_WIRE_RESPONSES || !relay->answer.is_ended || response == 0)
        return;
    sw_buffer_reset(&relay->final);
    sw_wire_put_renamed(relay->request, &relay->doc, response, model_of(relay), &relay->final);
}

static void pass(struct sw_wire_relay *relay, const char *name)
{
    struct sw_buffer *out = relay->stream.out;
    uint32_t type = sw_wire_find(&relay->doc, 0, "type");
    size_t from;

    keep_final(relay);
    relay->stream.sequence++;
    if (is_unasked(relay))
        return;
    if (name[0] != '\0') {
        sw_buffer_print(out, "event: %s\n", name);
    } else if (relay->from != SW_WIRE_CHAT && sw_wire_is_string(&relay->doc, type)) {
        sw_buffer_put_text(out, "event: ");
        sw_wire_put(out, sw_wire_text_of(&relay->doc, type));
        sw_buffer_put_text(out, "\n");
    }
    sw_buffer_put_text(out, "data: ");
    from = out->size;
    if (memchr(relay->doc.text, '\n', relay->doc.size) != NULL) {
        struct sw_buffer dense;

        sw_buffer_init(&dense, relay->doc.size + SW_WIRE_MODEL_MAX * 6);
        sw_wire_put_renamed(relay->request, &relay->doc, 0, model_of(relay), &dense);
        sw_wire_put_dense(out, (struct sw_wire_text){(const char *)dense.data, dense.size});
        sw_buffer_done(&dense);
    } else {
        sw_wire_put_renamed(relay->request, &relay->doc, 0, model_of(relay), out);
    }
    if (out->size == from)
        out->failed = true;
    sw_buffer_put_text(out, "\n\n");
}

static enum sw_rc end_chat(struct sw_wire_relay *relay, struct sw_err *err)
{
    const struct sw_wire_sink sink = {.answer = &relay->answer,
                                      .on_event = relay->is_same ? NULL : on_event,
                                      .ctx = relay,
                                      .err = err};

    if (relay->answer.choices == 0)
        return sw_err_set(err, SW_E_CORRUPT, "the model's stream ended before it began");
    if (relay->is_same)
        sw_buffer_put_text(relay->stream.out, "data: [DONE]\n\n");
    return sw_wire_tell(&sink, (struct sw_wire_event){.kind = SW_WIRE_EVENT_END});
}

static enum sw_rc on_sse(void *ctx, const char *name, struct sw_bytes data, struct sw_err *err)
{
    static const struct sw_wire_doc_options options = {.code = SW_E_CORRUPT,
                                                       .size_max = SW_WIRE_EVENT_BYTES_MAX,
                                                       .what = "an event of the model's stream"};
    struct sw_wire_relay *relay = ctx;
    const struct sw_wire_sink sink = {.answer = &relay->answer,
                                      .on_event = relay->is_same ? NULL : on_event,
                                      .ctx = relay,
                                      .err = err};
    enum sw_rc rc;

    if (relay->answer.is_ended)
        return SW_OK;
    if (relay->from == SW_WIRE_CHAT && data.size >= 6 && memcmp(data.data, "[DONE]", 6) == 0)
        return end_chat(relay, err);
    rc = sw_wire_doc_read(&relay->doc, data, &options, err);
    if (rc == SW_OK && sw_wire_kind_of(&relay->doc, 0) != SW_WIRE_OBJECT)
        rc = sw_err_set(err, SW_E_CORRUPT, "an event of the model's stream is no JSON object");
    if (rc == SW_OK)
        rc = sw_wire_codec_of(relay->from)->event_read(&relay->doc, &sink);
    if (rc == SW_OK && relay->answer.has_error)
        rc = sw_err_set(err, SW_E_UNKNOWN, "the model's provider failed in its stream: %s",
                        relay->answer.error.message);
    if (rc == SW_OK && relay->is_same)
        pass(relay, name);
    return rc;
}

/* What came of a call: noted, since nothing can come after a failure. */
static enum sw_rc conclude(struct sw_wire_relay *relay, enum sw_rc rc, size_t from,
                           struct sw_err *err)
{
    const struct sw_buffer *out = relay->stream.out;

    if (rc == SW_OK && out->failed)
        rc = sw_err_set(&relay->err, SW_E_EXHAUSTED, "no room for the stream to the client");
    relay->has_begun = relay->has_begun || out->size > from;
    relay->stream.out = NULL;
    if (rc == SW_OK)
        return SW_OK;
    relay->is_failed = true;
    if (err != NULL)
        *err = relay->err;
    return rc;
}

enum sw_rc sw_wire_relay_push(struct sw_wire_relay *relay, struct sw_bytes bytes,
                              struct sw_buffer *out, struct sw_err *err)
{
    size_t from = out->size;
    enum sw_rc rc;

    relay->stream.out = out;
    if (relay->is_failed)
        return conclude(relay, relay->err.rc, from, err);
    relay->bytes += bytes.size;
    if (relay->answer.is_ended)
        rc = SW_OK;
    else if (relay->bytes > SW_WIRE_STREAM_BYTES_MAX)
        rc = sw_err_set(&relay->err, SW_E_EXHAUSTED, "the model's stream has more than %zu bytes",
                        SW_WIRE_STREAM_BYTES_MAX);
    else
        rc = sw_wire_sse_feed(&relay->sse, bytes, on_sse, relay, &relay->err);
    return conclude(relay, rc, from, err);
}

static bool is_stopped(const struct sw_wire_answer *answer)
{
    for (uint32_t i = 0; i < answer->choices; i++)
        if (answer->stop[i] == SW_WIRE_STOP_UNSAID)
            return false;
    return answer->choices > 0;
}

enum sw_rc sw_wire_relay_finish(struct sw_wire_relay *relay, struct sw_buffer *out,
                                struct sw_err *err)
{
    size_t from = out->size;
    enum sw_rc rc = SW_OK;

    relay->stream.out = out;
    if (relay->is_failed)
        return conclude(relay, relay->err.rc, from, err);
    if (!relay->answer.is_ended && relay->from == SW_WIRE_CHAT && is_stopped(&relay->answer))
        rc = end_chat(relay, &relay->err);
    else if (!relay->answer.is_ended)
        rc = sw_err_set(&relay->err, SW_E_UNAVAILABLE, "the model's stream was cut before its end");
    return conclude(relay, rc, from, err);
}

void sw_wire_relay_fail(struct sw_wire_relay *relay, const struct sw_wire_error *error,
                        struct sw_buffer *out)
{
    sw_wire_error_event(relay->request->view.protocol, error, relay->stream.sequence, out);
    relay->has_begun = true;
    if (!relay->is_failed)
        (void)sw_err_set(&relay->err, SW_E_CANCELLED, "the stream was ended: %s", error->message);
    relay->is_failed = true;
}

const struct sw_wire_error *sw_wire_relay_error(const struct sw_wire_relay *relay)
{
    return relay->answer.has_error ? &relay->answer.error : NULL;
}

bool sw_wire_relay_is_ended(const struct sw_wire_relay *relay)
{
    return relay->answer.is_ended && !relay->is_failed;
}

bool sw_wire_relay_has_begun(const struct sw_wire_relay *relay)
{
    return relay->has_begun;
}

void sw_wire_relay_usage(const struct sw_wire_relay *relay, struct sw_wire_usage *ret_usage)
{
    *ret_usage = relay->answer.usage;
}

enum sw_rc sw_wire_relay_answer(const struct sw_wire_relay *relay, struct sw_buffer *out,
                                struct sw_err *err)
{
    if (!sw_wire_relay_is_ended(relay))
        return sw_err_set(err, SW_E_PRECONDITION, "the model's stream has not ended");
    if (relay->is_same && relay->from == SW_WIRE_RESPONSES) {
        sw_buffer_put(out, relay->final.data, relay->final.size);
        return out->failed || relay->final.failed
                   ? sw_err_set(err, SW_E_EXHAUSTED, "no room for the model's answer")
                   : SW_OK;
    }
    return sw_wire_answer_put(relay->request, &relay->answer, out, err);
}
