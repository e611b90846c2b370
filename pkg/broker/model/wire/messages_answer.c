/* Answers of Anthropic messages, whole and as events. */
#include "pkg/broker/model/wire/codecs.h"
#include "pkg/broker/model/wire/rules.h"

static const char *const reasons[] = {"end_turn",   "end_turn", "stop_sequence",
                                      "max_tokens", "tool_use", "refusal"};

/* Counts are totals so far; one that is absent stays as it was. What is cached is counted beside
 * input_tokens here, and within them in the inner form. */
static void read_usage(const struct sw_wire_doc *doc, uint32_t at, struct sw_wire_usage *usage)
{
    uint64_t fresh = usage->input_tokens - usage->cached_tokens - usage->written_tokens;

    if (at == 0 || sw_wire_kind_of(doc, at) != SW_WIRE_OBJECT)
        return;
    if (sw_wire_is_said(doc, sw_wire_find(doc, at, "input_tokens")))
        fresh = sw_wire_tokens(doc, at, "input_tokens");
    if (sw_wire_is_said(doc, sw_wire_find(doc, at, "cache_read_input_tokens")))
        usage->cached_tokens = sw_wire_tokens(doc, at, "cache_read_input_tokens");
    if (sw_wire_is_said(doc, sw_wire_find(doc, at, "cache_creation_input_tokens")))
        usage->written_tokens = sw_wire_tokens(doc, at, "cache_creation_input_tokens");
    if (sw_wire_is_said(doc, sw_wire_find(doc, at, "output_tokens")))
        usage->output_tokens = sw_wire_tokens(doc, at, "output_tokens");
    if (sw_wire_is_said(doc, sw_wire_find(doc, at, "output_tokens_details")))
        usage->thinking_tokens =
            sw_wire_tokens_in(doc, at, "output_tokens_details", "thinking_tokens");
    usage->input_tokens = fresh + usage->cached_tokens + usage->written_tokens;
    usage->is_reported = true;
}

static enum sw_rc read_call(const struct sw_wire_doc *doc, uint32_t at,
                            const struct sw_wire_sink *sink, uint32_t key)
{
    struct sw_wire_event event = {.kind = SW_WIRE_EVENT_CALL, .key = key};
    uint32_t id = sw_wire_find(doc, at, "id"), name = sw_wire_find(doc, at, "name");
    uint32_t input = sw_wire_find(doc, at, "input");
    enum sw_rc rc;

    if (!sw_wire_is_string(doc, id) || !sw_wire_is_string(doc, name))
        return sw_wire_fail(doc, at, sink->err, SW_E_CORRUPT,
                            "a tool_use of the model's answer has no id or no name");
    event.id = sw_wire_text_of(doc, id);
    event.name = sw_wire_text_of(doc, name);
    rc = sw_wire_tell(sink, event);
    if (rc != SW_OK || input == 0 || doc->nodes[input].count == 0)
        return rc;
    return sw_wire_tell(sink, (struct sw_wire_event){.kind = SW_WIRE_EVENT_ARGUMENTS,
                                                     .key = key,
                                                     .is_json = true,
                                                     .text = sw_wire_text_of(doc, input)});
}

static enum sw_rc read_block(const struct sw_wire_doc *doc, uint32_t at,
                             const struct sw_wire_sink *sink, uint32_t key)
{
    static const char *const types[] = {"text", "tool_use", "thinking", "redacted_thinking"};
    struct sw_wire_event event = {.key = key};
    enum sw_rc rc;

    switch (sw_wire_one_of(doc, sw_wire_find(doc, at, "type"), types, 4)) {
    case 0:
        event.kind = SW_WIRE_EVENT_TEXT;
        if (sw_wire_is_said(doc, sw_wire_find(doc, at, "citations")))
            sink->answer->is_partial = true;
        return sw_wire_tell_text(doc, sw_wire_find(doc, at, "text"), sink, event);
    case 1:
        return read_call(doc, at, sink, key);
    case 2:
        event.kind = SW_WIRE_EVENT_THOUGHT;
        rc = sw_wire_tell_text(doc, sw_wire_find(doc, at, "thinking"), sink, event);
        event.kind = SW_WIRE_EVENT_SIGNATURE;
        return rc == SW_OK ? sw_wire_tell_text(doc, sw_wire_find(doc, at, "signature"), sink, event)
                           : rc;
    case 3:
        event.kind = SW_WIRE_EVENT_REDACTED;
        return sw_wire_tell_text(doc, sw_wire_find(doc, at, "data"), sink, event);
    default:
        sink->answer->is_partial = true;
        return SW_OK;
    }
}

static enum sw_rc read_stop(const struct sw_wire_doc *doc, uint32_t at,
                            const struct sw_wire_sink *sink)
{
    static const char *const words[] = {"end_turn",   "stop_sequence",
                                        "max_tokens", "tool_use",
                                        "refusal",    "model_context_window_exceeded"};
    static const enum sw_wire_stop stops[] = {SW_WIRE_STOP_DONE,   SW_WIRE_STOP_SEQUENCE,
                                              SW_WIRE_STOP_LENGTH, SW_WIRE_STOP_CALLS,
                                              SW_WIRE_STOP_FILTER, SW_WIRE_STOP_LENGTH};
    struct sw_wire_event event = {.kind = SW_WIRE_EVENT_STOP};
    uint32_t reason = sw_wire_find(doc, at, "stop_reason");
    uint32_t sequence = sw_wire_find(doc, at, "stop_sequence");
    int which = sw_wire_one_of(doc, reason, words, 6);

    if (!sw_wire_is_string(doc, reason))
        return SW_OK;
    event.stop = which < 0 ? SW_WIRE_STOP_DONE : stops[which];
    if (sw_wire_is_string(doc, sequence))
        event.text = sw_wire_text_of(doc, sequence);
    return sw_wire_tell(sink, event);
}

static void read_id(const struct sw_wire_doc *doc, uint32_t message,
                    const struct sw_wire_sink *sink)
{
    uint32_t id = sw_wire_find(doc, message, "id");

    if (sw_wire_is_string(doc, id))
        sink->answer->id = sw_wire_answer_name(sink->answer, sw_wire_text_of(doc, id));
    read_usage(doc, sw_wire_find(doc, message, "usage"), &sink->answer->usage);
}

enum sw_rc sw_wire_messages_answer_read(const struct sw_wire_doc *doc,
                                        const struct sw_wire_sink *sink)
{
    uint32_t content = sw_wire_find(doc, 0, "content"), key = 0;
    enum sw_rc rc = SW_OK;

    if (sw_wire_is(doc, sw_wire_find(doc, 0, "type"), "error")) {
        sw_wire_note_error(sink, doc, sw_wire_find(doc, 0, "error"));
        return SW_OK;
    }
    if (content == 0 || sw_wire_kind_of(doc, content) != SW_WIRE_ARRAY)
        return sw_err_set(sink->err, SW_E_CORRUPT,
                          "the model's provider sent no message: it has no content");
    read_id(doc, 0, sink);
    for (uint32_t i = sw_wire_first(doc, content); rc == SW_OK && i != 0;
         i = sw_wire_next(doc, content, i))
        rc = read_block(doc, i, sink, key++);
    if (rc == SW_OK)
        rc = read_stop(doc, 0, sink);
    return rc == SW_OK ? sw_wire_tell(sink, (struct sw_wire_event){.kind = SW_WIRE_EVENT_END}) : rc;
}

static enum sw_rc read_delta(const struct sw_wire_doc *doc, uint32_t delta,
                             const struct sw_wire_sink *sink, uint32_t key)
{
    static const char *const types[] = {"text_delta", "input_json_delta", "thinking_delta",
                                        "signature_delta"};
    static const char *const fields[] = {"text", "partial_json", "thinking", "signature"};
    static const enum sw_wire_event_kind kinds[] = {SW_WIRE_EVENT_TEXT, SW_WIRE_EVENT_ARGUMENTS,
                                                    SW_WIRE_EVENT_THOUGHT, SW_WIRE_EVENT_SIGNATURE};
    int which = sw_wire_one_of(doc, sw_wire_find(doc, delta, "type"), types, 4);

    if (which < 0 ||
        (which == 1 && sw_wire_answer_find(sink->answer, SW_WIRE_EVENT_CALL, 0, key) == NULL)) {
        sink->answer->is_partial = true; /* Such as the input of a tool that runs there. */
        return SW_OK;
    }
    return sw_wire_tell_text(doc, sw_wire_find(doc, delta, fields[which]), sink,
                             (struct sw_wire_event){.kind = kinds[which], .key = key});
}

enum sw_rc sw_wire_messages_event_read(const struct sw_wire_doc *doc,
                                       const struct sw_wire_sink *sink)
{
    static const char *const types[] = {"message_start",       "content_block_start",
                                        "content_block_delta", "message_delta",
                                        "message_stop",        "error"};
    static const char *const inner[] = {"message", "content_block", "delta", "delta",
                                        NULL,      "error"};
    int type = sw_wire_one_of(doc, sw_wire_find(doc, 0, "type"), types, 6);
    uint32_t at = type < 0 || inner[type] == NULL ? 0 : sw_wire_find(doc, 0, inner[type]);
    uint64_t key = 0;
    enum sw_rc rc;

    if (type < 0)
        return SW_OK; /* ping, content_block_stop, and what is to come. */
    if (type == 4)
        return sw_wire_tell(sink, (struct sw_wire_event){.kind = SW_WIRE_EVENT_END});
    if (at == 0 || sw_wire_kind_of(doc, at) != SW_WIRE_OBJECT ||
        ((type == 1 || type == 2) &&
         !sw_wire_u64(doc, sw_wire_find(doc, 0, "index"), UINT32_MAX, &key)))
        return sw_err_set(sink->err, SW_E_CORRUPT,
                          "an event of the model's stream is not complete");
    switch (type) {
    case 0:
        read_id(doc, at, sink);
        return sw_wire_tell(sink, (struct sw_wire_event){.kind = SW_WIRE_EVENT_START});
    case 1:
        return read_block(doc, at, sink, (uint32_t)key);
    case 2:
        return read_delta(doc, at, sink, (uint32_t)key);
    case 3:
        read_usage(doc, sw_wire_find(doc, 0, "usage"), &sink->answer->usage);
        rc = read_stop(doc, at, sink);
        return rc;
    default:
        sw_wire_note_error(sink, doc, at);
        return SW_OK;
    }
}

/* ---- Writing. */

static void put_usage(struct sw_buffer *out, const struct sw_wire_usage *usage)
{
    uint64_t cached = usage->cached_tokens + usage->written_tokens;

    sw_buffer_print(
        out,
        "\"usage\":{\"input_tokens\":%llu,\"cache_read_input_tokens\":%llu,"
        "\"cache_creation_input_tokens\":%llu,\"output_tokens\":%llu}",
        (unsigned long long)(usage->input_tokens > cached ? usage->input_tokens - cached : 0),
        (unsigned long long)usage->cached_tokens, (unsigned long long)usage->written_tokens,
        (unsigned long long)usage->output_tokens);
}

static void put_stop(struct sw_buffer *out, const struct sw_wire_answer *answer)
{
    sw_buffer_print(out, "\"stop_reason\":\"%s\",\"stop_sequence\":", reasons[answer->stop[0]]);
    if (answer->sequence.size > 0)
        sw_wire_put_string(out, sw_wire_answer_text(answer, answer->sequence));
    else
        sw_buffer_put_text(out, "null");
}

static void put_head(struct sw_buffer *out, const struct sw_wire_request *request,
                     const struct sw_wire_answer *answer)
{
    sw_buffer_put_text(out, "{\"id\":\"");
    sw_wire_put_id(out, answer, "msg_");
    sw_buffer_put_text(out, "\",\"type\":\"message\",\"role\":\"assistant\",\"model\":");
    sw_wire_put_model(out, request);
}

/* A block as it begins, and with all of it if `is_whole`. */
static enum sw_rc put_block(struct sw_buffer *out, const struct sw_wire_answer *answer,
                            const struct sw_wire_answer_part *part, bool is_whole,
                            struct sw_err *err)
{
    struct sw_wire_text text = is_whole ? sw_wire_part_text(part) : SW_WIRE_TEXT("");
    size_t from = out->size;

    if (part->kind == SW_WIRE_EVENT_THOUGHT) {
        sw_buffer_put_text(out, "{\"type\":\"thinking\",\"thinking\":");
        sw_wire_put_string(out, text);
        sw_buffer_put_text(out, ",\"signature\":");
        sw_wire_put_string(out, is_whole ? sw_wire_answer_text(answer, part->signature) : text);
    } else if (part->kind == SW_WIRE_EVENT_REDACTED) {
        sw_buffer_put_text(out, "{\"type\":\"redacted_thinking\",\"data\":");
        sw_wire_put_string(out, sw_wire_part_text(part));
    } else if (part->kind == SW_WIRE_EVENT_CALL) {
        sw_buffer_put_text(out, "{\"type\":\"tool_use\",\"id\":");
        sw_wire_put_string(out, sw_wire_answer_text(answer, part->id));
        sw_buffer_put_text(out, ",\"name\":");
        sw_wire_put_string(out, sw_wire_answer_text(answer, part->name));
        sw_buffer_put_text(out, ",\"input\":");
        if (!sw_wire_put_object(out, text)) {
            if (answer->stop[0] != SW_WIRE_STOP_LENGTH) {
                out->size = from;
                return sw_err_set(err, SW_E_CORRUPT,
                                  "the model called a tool with arguments that are no JSON "
                                  "object");
            }
            sw_buffer_put_text(out, "{}"); /* It was cut by the limit, which the client sees. */
        }
    } else {
        sw_buffer_put_text(out, "{\"type\":\"text\",\"text\":");
        sw_wire_put_string(out, text);
    }
    sw_buffer_put_text(out, "}");
    return SW_OK;
}

static bool is_shown(const struct sw_wire_request *request, enum sw_wire_event_kind kind)
{
    return (kind != SW_WIRE_EVENT_THOUGHT && kind != SW_WIRE_EVENT_REDACTED &&
            kind != SW_WIRE_EVENT_SIGNATURE) ||
           sw_wire_shows_thoughts(request);
}

enum sw_rc sw_wire_messages_answer_write(const struct sw_wire_request *request,
                                         const struct sw_wire_answer *answer, struct sw_buffer *out,
                                         struct sw_err *err)
{
    enum sw_rc rc = SW_OK;
    bool is_first = true;

    put_head(out, request, answer);
    sw_buffer_put_text(out, ",\"content\":[");
    for (uint32_t i = 0; rc == SW_OK && i < answer->parts_count; i++) {
        if (!is_shown(request, answer->parts[i].kind))
            continue;
        sw_buffer_put_text(out, is_first ? "" : ",");
        is_first = false;
        rc = put_block(out, answer, &answer->parts[i], true, err);
    }
    sw_buffer_put_text(out, "],");
    put_stop(out, answer);
    sw_buffer_put_text(out, ",");
    put_usage(out, &answer->usage);
    sw_buffer_put_text(out, "}");
    return rc;
}

static void close_block(struct sw_wire_stream *stream)
{
    if (stream->open != SW_WIRE_NO_PART)
        sw_buffer_print(stream->out,
                        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\","
                        "\"index\":%u}\n\n",
                        stream->blocks - 1);
    stream->open = SW_WIRE_NO_PART;
}

static enum sw_rc open_block(struct sw_wire_stream *stream, uint32_t part, struct sw_err *err)
{
    enum sw_rc rc;

    if (stream->open == part)
        return SW_OK;
    if (part < stream->begun)
        return sw_err_set(err, SW_E_CORRUPT,
                          "the model's stream goes back to a part after it began the next one");
    close_block(stream);
    sw_buffer_print(stream->out,
                    "event: content_block_start\ndata: {\"type\":\"content_block_start\","
                    "\"index\":%u,\"content_block\":",
                    stream->blocks++);
    rc = put_block(stream->out, stream->answer, &stream->answer->parts[part], false, err);
    sw_buffer_put_text(stream->out, "}\n\n");
    stream->open = part;
    stream->begun = part + 1;
    return rc;
}

static void put_delta(struct sw_wire_stream *stream, const struct sw_wire_event *event,
                      const char *type, const char *field)
{
    sw_buffer_print(stream->out,
                    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\","
                    "\"index\":%u,\"delta\":{\"type\":\"%s\",\"%s\":\"",
                    stream->blocks - 1, type, field);
    if (event->is_json)
        sw_wire_put_escaped(stream->out, event->text);
    else
        sw_wire_put(stream->out, event->text);
    sw_buffer_put_text(stream->out, "\"}}\n\n");
}

static void put_start(struct sw_wire_stream *stream)
{
    stream->has_begun = true;
    sw_buffer_put_text(stream->out,
                       "event: message_start\ndata: {\"type\":\"message_start\",\"message\":");
    put_head(stream->out, stream->request, stream->answer);
    sw_buffer_put_text(stream->out, ",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,");
    put_usage(stream->out, &stream->answer->usage);
    sw_buffer_put_text(stream->out, "}}\n\n");
}

static void put_end(struct sw_wire_stream *stream)
{
    close_block(stream);
    sw_buffer_put_text(stream->out,
                       "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{");
    put_stop(stream->out, stream->answer);
    sw_buffer_put_text(stream->out, "},");
    put_usage(stream->out, &stream->answer->usage);
    sw_buffer_put_text(stream->out, "}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}"
                                    "\n\n");
}

enum sw_rc sw_wire_messages_event_write(struct sw_wire_stream *stream,
                                        const struct sw_wire_event *event, struct sw_err *err)
{
    enum sw_rc rc = SW_OK;

    if (!stream->has_begun)
        put_start(stream);
    if (event->part != SW_WIRE_NO_PART) {
        if (!is_shown(stream->request, event->kind))
            return SW_OK;
        rc = open_block(stream, event->part, err);
    }
    if (rc != SW_OK)
        return rc;
    switch (event->kind) {
    case SW_WIRE_EVENT_TEXT:
    case SW_WIRE_EVENT_REFUSAL:
        put_delta(stream, event, "text_delta", "text");
        break;
    case SW_WIRE_EVENT_THOUGHT:
        put_delta(stream, event, "thinking_delta", "thinking");
        break;
    case SW_WIRE_EVENT_SIGNATURE:
        put_delta(stream, event, "signature_delta", "signature");
        break;
    case SW_WIRE_EVENT_ARGUMENTS:
        put_delta(stream, event, "input_json_delta", "partial_json");
        break;
    case SW_WIRE_EVENT_END:
        put_end(stream);
        break;
    case SW_WIRE_EVENT_START:
    case SW_WIRE_EVENT_REDACTED:
    case SW_WIRE_EVENT_CALL:
    case SW_WIRE_EVENT_STOP:
        break;
    }
    return SW_OK;
}
