/* Answers of OpenAI responses, whole and as events. */
#include "pkg/broker/model/wire/codecs.h"
#include "pkg/broker/model/wire/rules.h"

#define CONTENTS_MAX 4096u /* Of an output item; a part's key has both numbers. */
#define OUTPUTS_MAX 65536u

static void read_id(const struct sw_wire_doc *doc, uint32_t response,
                    const struct sw_wire_sink *sink)
{
    uint32_t id = sw_wire_find(doc, response, "id");

    if (sink->answer->id.size == 0 && sw_wire_is_string(doc, id))
        sink->answer->id = sw_wire_answer_name(sink->answer, sw_wire_text_of(doc, id));
    if (sink->answer->created_s == 0)
        (void)sw_wire_u64(doc, sw_wire_find(doc, response, "created_at"), UINT32_MAX,
                          &sink->answer->created_s);
}

/* The end: usage, and why it stopped. */
static enum sw_rc read_end(const struct sw_wire_doc *doc, uint32_t response,
                           const struct sw_wire_sink *sink)
{
    struct sw_wire_event event = {.kind = SW_WIRE_EVENT_STOP, .stop = SW_WIRE_STOP_DONE};
    uint32_t details = sw_wire_find(doc, response, "incomplete_details");
    enum sw_rc rc;

    sw_wire_read_usage(doc, sw_wire_find(doc, response, "usage"), "input", "output",
                       &sink->answer->usage);
    if (sw_wire_is_said(doc, sw_wire_find(doc, response, "error"))) {
        sw_wire_note_error(sink, doc, sw_wire_find(doc, response, "error"));
        return SW_OK;
    }
    if (sw_wire_is(doc, sw_wire_find(doc, response, "status"), "incomplete"))
        event.stop =
            details != 0 && sw_wire_is(doc, sw_wire_find(doc, details, "reason"), "content_filter")
                ? SW_WIRE_STOP_FILTER
                : SW_WIRE_STOP_LENGTH;
    rc = sw_wire_tell(sink, event);
    return rc == SW_OK ? sw_wire_tell(sink, (struct sw_wire_event){.kind = SW_WIRE_EVENT_END}) : rc;
}

static enum sw_rc tell_call(const struct sw_wire_doc *doc, uint32_t item,
                            const struct sw_wire_sink *sink, uint32_t key)
{
    uint32_t id = sw_wire_find(doc, item, "call_id"), name = sw_wire_find(doc, item, "name");

    if (!sw_wire_is_string(doc, id) || !sw_wire_is_string(doc, name))
        return sw_wire_fail(doc, item, sink->err, SW_E_CORRUPT,
                            "a function_call of the model's answer has no call_id or no name");
    return sw_wire_tell(sink, (struct sw_wire_event){.kind = SW_WIRE_EVENT_CALL,
                                                     .key = key,
                                                     .id = sw_wire_text_of(doc, id),
                                                     .name = sw_wire_text_of(doc, name)});
}

/* The parts of an array, whose texts are told one by one. */
static enum sw_rc tell_parts(const struct sw_wire_doc *doc, uint32_t array,
                             const struct sw_wire_sink *sink, uint32_t key)
{
    static const char *const types[] = {"output_text", "refusal", "summary_text", "reasoning_text"};
    static const enum sw_wire_event_kind kinds[] = {SW_WIRE_EVENT_TEXT, SW_WIRE_EVENT_REFUSAL,
                                                    SW_WIRE_EVENT_THOUGHT, SW_WIRE_EVENT_THOUGHT};
    enum sw_rc rc = SW_OK;

    if (array == 0)
        return SW_OK;
    for (uint32_t i = sw_wire_first(doc, array); rc == SW_OK && i != 0;
         i = sw_wire_next(doc, array, i)) {
        int type = sw_wire_one_of(doc, sw_wire_find(doc, i, "type"), types, 4);

        if (type < 0) {
            sink->answer->is_partial = true;
            continue;
        }
        rc = sw_wire_tell_text(doc, sw_wire_find(doc, i, type == 1 ? "refusal" : "text"), sink,
                               (struct sw_wire_event){.kind = kinds[type], .key = key++});
    }
    return rc;
}

static enum sw_rc read_item(const struct sw_wire_doc *doc, uint32_t item,
                            const struct sw_wire_sink *sink, uint32_t key)
{
    static const char *const types[] = {"message", "function_call", "reasoning"};
    enum sw_rc rc;

    switch (sw_wire_one_of(doc, sw_wire_find(doc, item, "type"), types, 3)) {
    case 0:
        return tell_parts(doc, sw_wire_find(doc, item, "content"), sink, key);
    case 1:
        rc = tell_call(doc, item, sink, key);
        if (rc != SW_OK)
            return rc;
        return sw_wire_tell_text(
            doc, sw_wire_find(doc, item, "arguments"), sink,
            (struct sw_wire_event){.kind = SW_WIRE_EVENT_ARGUMENTS, .key = key});
    case 2:
        rc = tell_parts(doc, sw_wire_find(doc, item, "summary"), sink, key);
        if (rc != SW_OK)
            return rc;
        return tell_parts(doc, sw_wire_find(doc, item, "content"), sink, key + CONTENTS_MAX / 2);
    default:
        sink->answer->is_partial = true;
        return SW_OK;
    }
}

enum sw_rc sw_wire_responses_answer_read(const struct sw_wire_doc *doc,
                                         const struct sw_wire_sink *sink)
{
    uint32_t output = sw_wire_find(doc, 0, "output"), key = 0;
    enum sw_rc rc = SW_OK;

    if (output == 0 || sw_wire_kind_of(doc, output) != SW_WIRE_ARRAY) {
        if (!sw_wire_is_said(doc, sw_wire_find(doc, 0, "error")))
            return sw_err_set(sink->err, SW_E_CORRUPT,
                              "the model's provider sent no response: it has no output");
        sw_wire_note_error(sink, doc, sw_wire_find(doc, 0, "error"));
        return SW_OK;
    }
    read_id(doc, 0, sink);
    sw_wire_read_usage(doc, sw_wire_find(doc, 0, "usage"), "input", "output", &sink->answer->usage);
    for (uint32_t i = sw_wire_first(doc, output); rc == SW_OK && i != 0;
         i = sw_wire_next(doc, output, i)) {
        rc = read_item(doc, i, sink, key);
        key += CONTENTS_MAX;
    }
    return rc == SW_OK ? read_end(doc, 0, sink) : rc;
}

/* Which part an event is of; false: its numbers are none. */
static bool read_key(const struct sw_wire_doc *doc, uint32_t *ret_key)
{
    uint32_t inner = sw_wire_find(doc, 0, "content_index");
    uint64_t output = 0, content = 0;

    inner = inner != 0 ? inner : sw_wire_find(doc, 0, "summary_index");
    if (!sw_wire_u64(doc, sw_wire_find(doc, 0, "output_index"), OUTPUTS_MAX - 1, &output) ||
        (inner != 0 && !sw_wire_u64(doc, inner, CONTENTS_MAX / 2 - 1, &content)))
        return false;
    *ret_key = (uint32_t)(output * CONTENTS_MAX + content);
    return true;
}

static enum sw_rc read_delta(const struct sw_wire_doc *doc, const struct sw_wire_sink *sink,
                             enum sw_wire_event_kind kind, bool is_content)
{
    struct sw_wire_event event = {.kind = kind};

    if (!read_key(doc, &event.key))
        return sw_err_set(sink->err, SW_E_CORRUPT,
                          "an event of the model's stream does not say which output it is of");
    if (is_content) /* Of a thought: beside its summary. */
        event.key += CONTENTS_MAX / 2;
    return sw_wire_tell_text(doc, sw_wire_find(doc, 0, "delta"), sink, event);
}

/* A function call that begins, or one that came without deltas. */
static enum sw_rc read_added(const struct sw_wire_doc *doc, const struct sw_wire_sink *sink,
                             bool is_done)
{
    static const char *const plain[] = {"message", "reasoning", "function_call"};
    uint32_t item = sw_wire_find(doc, 0, "item"), key = 0;
    const struct sw_wire_answer_part *part;
    int type = item == 0 ? -1 : sw_wire_one_of(doc, sw_wire_find(doc, item, "type"), plain, 3);
    enum sw_rc rc = SW_OK;

    if (type < 0)
        sink->answer->is_partial = true;
    if (type != 2)
        return SW_OK;
    if (!read_key(doc, &key))
        return sw_err_set(sink->err, SW_E_CORRUPT,
                          "an event of the model's stream does not say which output it is of");
    part = sw_wire_answer_find(sink->answer, SW_WIRE_EVENT_CALL, 0, key);
    if (part == NULL)
        rc = tell_call(doc, item, sink, key);
    if (rc != SW_OK || !is_done || (part != NULL && part->text.size > 0))
        return rc;
    return sw_wire_tell_text(doc, sw_wire_find(doc, item, "arguments"), sink,
                             (struct sw_wire_event){.kind = SW_WIRE_EVENT_ARGUMENTS, .key = key});
}

enum sw_rc sw_wire_responses_event_read(const struct sw_wire_doc *doc,
                                        const struct sw_wire_sink *sink)
{
    static const char *const types[] = {"response.output_text.delta",
                                        "response.function_call_arguments.delta",
                                        "response.reasoning_summary_text.delta",
                                        "response.reasoning_text.delta",
                                        "response.refusal.delta",
                                        "response.output_item.added",
                                        "response.output_item.done",
                                        "response.created",
                                        "response.completed",
                                        "response.incomplete",
                                        "response.failed",
                                        "error"};
    int type = sw_wire_one_of(doc, sw_wire_find(doc, 0, "type"), types, 12);
    uint32_t response = sw_wire_find(doc, 0, "response"), error;

    if (type >= 7 && type <= 10 &&
        (response == 0 || sw_wire_kind_of(doc, response) != SW_WIRE_OBJECT))
        return sw_err_set(sink->err, SW_E_CORRUPT,
                          "an event of the model's stream has no response");
    switch (type) {
    case 0:
        return read_delta(doc, sink, SW_WIRE_EVENT_TEXT, false);
    case 1:
        return read_delta(doc, sink, SW_WIRE_EVENT_ARGUMENTS, false);
    case 2:
        return read_delta(doc, sink, SW_WIRE_EVENT_THOUGHT, false);
    case 3:
        return read_delta(doc, sink, SW_WIRE_EVENT_THOUGHT, true);
    case 4:
        return read_delta(doc, sink, SW_WIRE_EVENT_REFUSAL, false);
    case 5:
        return read_added(doc, sink, false);
    case 6:
        return read_added(doc, sink, true);
    case 7:
        read_id(doc, response, sink);
        return sw_wire_tell(sink, (struct sw_wire_event){.kind = SW_WIRE_EVENT_START});
    case 8:
    case 9:
        read_id(doc, response, sink);
        return read_end(doc, response, sink);
    case 10:
        sw_wire_note_error(sink, doc, sw_wire_find(doc, response, "error"));
        return SW_OK;
    case 11:
        error = sw_wire_find(doc, 0, "error"); /* Within, or the event itself. */
        if (!sw_wire_is_said(doc, error))
            error = 0;
        sw_wire_note_error(sink, doc, error);
        return SW_OK;
    default:
        return SW_OK;
    }
}

/* ---- Writing. */

static bool is_shown(const struct sw_wire_request *request, enum sw_wire_event_kind kind)
{
    if (kind == SW_WIRE_EVENT_REDACTED || kind == SW_WIRE_EVENT_SIGNATURE)
        return false;
    return kind != SW_WIRE_EVENT_THOUGHT || sw_wire_shows_thoughts(request);
}

static void put_item_id(struct sw_buffer *out, const struct sw_wire_answer *answer, uint32_t index)
{
    static const char *const prefixes[] = {[SW_WIRE_EVENT_TEXT] = "msg_",
                                           [SW_WIRE_EVENT_REFUSAL] = "msg_",
                                           [SW_WIRE_EVENT_THOUGHT] = "rs_",
                                           [SW_WIRE_EVENT_CALL] = "fc_"};

    sw_buffer_put_u8(out, '"');
    sw_wire_put_id(out, answer, prefixes[answer->parts[index].kind]);
    sw_buffer_print(out, "_%u\"", index);
}

/* The content of an item: a part of a text, a refusal or a thought. */
static void put_content(struct sw_buffer *out, enum sw_wire_event_kind kind,
                        struct sw_wire_text text)
{
    if (kind == SW_WIRE_EVENT_TEXT) {
        sw_buffer_put_text(out, "{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],"
                                "\"text\":");
    } else if (kind == SW_WIRE_EVENT_REFUSAL) {
        sw_buffer_put_text(out, "{\"type\":\"refusal\",\"refusal\":");
    } else {
        sw_buffer_put_text(out, "{\"type\":\"summary_text\",\"text\":");
    }
    sw_wire_put_string(out, text);
    sw_buffer_put_text(out, "}");
}

static struct sw_wire_text arguments_of(const struct sw_wire_answer_part *part)
{
    return part->text.size > 0 ? sw_wire_part_text(part) : SW_WIRE_TEXT("{}");
}

static void put_item(struct sw_buffer *out, const struct sw_wire_answer *answer, uint32_t index,
                     bool is_whole)
{
    const struct sw_wire_answer_part *part = &answer->parts[index];
    const char *status = !is_whole                                ? "in_progress"
                         : answer->stop[0] == SW_WIRE_STOP_LENGTH ? "incomplete"
                                                                  : "completed";

    sw_buffer_put_text(out, "{\"id\":");
    put_item_id(out, answer, index);
    if (part->kind == SW_WIRE_EVENT_CALL) {
        sw_buffer_print(out, ",\"type\":\"function_call\",\"status\":\"%s\",\"call_id\":", status);
        sw_wire_put_string(out, sw_wire_answer_text(answer, part->id));
        sw_buffer_put_text(out, ",\"name\":");
        sw_wire_put_string(out, sw_wire_answer_text(answer, part->name));
        sw_buffer_put_text(out, ",\"arguments\":");
        sw_wire_put_string(out, is_whole ? arguments_of(part) : SW_WIRE_TEXT(""));
        sw_buffer_put_text(out, "}");
        return;
    }
    if (part->kind == SW_WIRE_EVENT_THOUGHT)
        sw_buffer_put_text(out, ",\"type\":\"reasoning\",\"summary\":[");
    else
        sw_buffer_print(out,
                        ",\"type\":\"message\",\"role\":\"assistant\",\"status\":\"%s\","
                        "\"content\":[",
                        status);
    if (is_whole)
        put_content(out, part->kind, sw_wire_part_text(part));
    sw_buffer_put_text(out, "]}");
}

static void put_usage(struct sw_buffer *out, const struct sw_wire_usage *usage)
{
    sw_buffer_print(
        out,
        "{\"input_tokens\":%llu,\"input_tokens_details\":{\"cached_tokens\":%llu,"
        "\"cache_write_tokens\":%llu},\"output_tokens\":%llu,"
        "\"output_tokens_details\":{\"reasoning_tokens\":%llu},\"total_tokens\":%llu}",
        (unsigned long long)usage->input_tokens, (unsigned long long)usage->cached_tokens,
        (unsigned long long)usage->written_tokens, (unsigned long long)usage->output_tokens,
        (unsigned long long)usage->thinking_tokens,
        (unsigned long long)(usage->input_tokens + usage->output_tokens));
}

static void put_response(struct sw_buffer *out, const struct sw_wire_request *request,
                         const struct sw_wire_answer *answer, bool is_whole)
{
    bool is_cut = answer->stop[0] == SW_WIRE_STOP_LENGTH, is_first = true;
    bool is_filtered = answer->stop[0] == SW_WIRE_STOP_FILTER;

    sw_buffer_put_text(out, "{\"id\":\"");
    sw_wire_put_id(out, answer, "resp_");
    sw_buffer_print(out,
                    "\",\"object\":\"response\",\"created_at\":%llu,\"status\":\"%s\","
                    "\"error\":null,\"incomplete_details\":%s,\"instructions\":null,"
                    "\"metadata\":{},\"model\":",
                    (unsigned long long)sw_wire_created(request, answer),
                    !is_whole               ? "in_progress"
                    : is_cut || is_filtered ? "incomplete"
                                            : "completed",
                    !is_whole     ? "null"
                    : is_cut      ? "{\"reason\":\"max_output_tokens\"}"
                    : is_filtered ? "{\"reason\":\"content_filter\"}"
                                  : "null");
    sw_wire_put_model(out, request);
    sw_buffer_put_text(out, ",\"output\":[");
    for (uint32_t i = 0; is_whole && i < answer->parts_count; i++) {
        if (!is_shown(request, answer->parts[i].kind))
            continue;
        sw_buffer_put_text(out, is_first ? "" : ",");
        is_first = false;
        put_item(out, answer, i, true);
    }
    sw_buffer_put_text(out, "],\"parallel_tool_calls\":true,\"temperature\":null,"
                            "\"tool_choice\":\"auto\",\"tools\":[],\"top_p\":null,"
                            "\"max_output_tokens\":null,\"previous_response_id\":null,"
                            "\"store\":false,\"truncation\":\"disabled\",\"usage\":");
    if (is_whole)
        put_usage(out, &answer->usage);
    else
        sw_buffer_put_text(out, "null");
    sw_buffer_put_text(out, "}");
}

enum sw_rc sw_wire_responses_answer_write(const struct sw_wire_request *request,
                                          const struct sw_wire_answer *answer,
                                          struct sw_buffer *out, struct sw_err *err)
{
    (void)err;
    put_response(out, request, answer, true);
    return SW_OK;
}

static void begin_event(struct sw_wire_stream *stream, const char *type)
{
    sw_buffer_print(stream->out, "event: %s\ndata: {\"type\":\"%s\",\"sequence_number\":%llu", type,
                    type, (unsigned long long)stream->sequence++);
}

static void end_event(struct sw_wire_stream *stream)
{
    sw_buffer_put_text(stream->out, "}\n\n");
}

static void put_response_event(struct sw_wire_stream *stream, const char *type, bool is_whole)
{
    begin_event(stream, type);
    sw_buffer_put_text(stream->out, ",\"response\":");
    put_response(stream->out, stream->request, stream->answer, is_whole);
    end_event(stream);
}

/* An event of the open part: its numbers and the id of its item. */
static void begin_part_event(struct sw_wire_stream *stream, const char *type)
{
    const struct sw_wire_answer_part *part = &stream->answer->parts[stream->open];

    begin_event(stream, type);
    sw_buffer_print(stream->out, ",\"output_index\":%u", stream->blocks - 1);
    if (part->kind == SW_WIRE_EVENT_THOUGHT)
        sw_buffer_put_text(stream->out, ",\"summary_index\":0");
    else if (part->kind != SW_WIRE_EVENT_CALL)
        sw_buffer_put_text(stream->out, ",\"content_index\":0");
    sw_buffer_put_text(stream->out, ",\"item_id\":");
    put_item_id(stream->out, stream->answer, stream->open);
}

static void put_item_event(struct sw_wire_stream *stream, const char *type, bool is_whole)
{
    begin_event(stream, type);
    sw_buffer_print(stream->out, ",\"output_index\":%u,\"item\":", stream->blocks - 1);
    put_item(stream->out, stream->answer, stream->open, is_whole);
    end_event(stream);
}

struct names { /* Of the events of a kind of part. */
    const char *added, *delta, *done, *part_done, *field;
};

static const struct names *names_of(enum sw_wire_event_kind kind)
{
    static const struct names text = {"response.content_part.added", "response.output_text.delta",
                                      "response.output_text.done", "response.content_part.done",
                                      "text"};
    static const struct names refusal = {"response.content_part.added", "response.refusal.delta",
                                         "response.refusal.done", "response.content_part.done",
                                         "refusal"};
    static const struct names thought = {
        "response.reasoning_summary_part.added", "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done", "response.reasoning_summary_part.done", "text"};
    static const struct names call = {NULL, "response.function_call_arguments.delta",
                                      "response.function_call_arguments.done", NULL, "arguments"};

    return kind == SW_WIRE_EVENT_TEXT      ? &text
           : kind == SW_WIRE_EVENT_REFUSAL ? &refusal
           : kind == SW_WIRE_EVENT_THOUGHT ? &thought
                                           : &call;
}

static void put_part_event(struct sw_wire_stream *stream, const char *type,
                           struct sw_wire_text text)
{
    begin_part_event(stream, type);
    sw_buffer_put_text(stream->out, ",\"part\":");
    put_content(stream->out, stream->answer->parts[stream->open].kind, text);
    end_event(stream);
}

static void close_part(struct sw_wire_stream *stream)
{
    const struct sw_wire_answer_part *part;
    const struct names *names;

    if (stream->open == SW_WIRE_NO_PART)
        return;
    part = &stream->answer->parts[stream->open];
    names = names_of(part->kind);
    begin_part_event(stream, names->done);
    sw_buffer_print(stream->out,
                    ",%s\"%s\":", part->kind == SW_WIRE_EVENT_TEXT ? "\"logprobs\":[]," : "",
                    names->field);
    sw_wire_put_string(stream->out, part->kind == SW_WIRE_EVENT_CALL ? arguments_of(part)
                                                                     : sw_wire_part_text(part));
    end_event(stream);
    if (names->part_done != NULL)
        put_part_event(stream, names->part_done, sw_wire_part_text(part));
    put_item_event(stream, "response.output_item.done", true);
    stream->open = SW_WIRE_NO_PART;
}

static enum sw_rc open_part(struct sw_wire_stream *stream, uint32_t part, struct sw_err *err)
{
    const struct names *names = names_of(stream->answer->parts[part].kind);

    if (stream->open == part)
        return SW_OK;
    if (part < stream->begun)
        return sw_err_set(err, SW_E_CORRUPT,
                          "the model's stream goes back to a part after it began the next one");
    close_part(stream);
    stream->open = part;
    stream->begun = part + 1;
    stream->blocks++;
    put_item_event(stream, "response.output_item.added", false);
    if (names->added != NULL)
        put_part_event(stream, names->added, SW_WIRE_TEXT(""));
    return SW_OK;
}

static void put_delta(struct sw_wire_stream *stream, const struct sw_wire_event *event)
{
    enum sw_wire_event_kind kind = stream->answer->parts[stream->open].kind;

    begin_part_event(stream, names_of(kind)->delta);
    sw_buffer_put_text(stream->out, kind == SW_WIRE_EVENT_TEXT ? ",\"logprobs\":[],\"delta\":\""
                                                               : ",\"delta\":\"");
    if (event->is_json)
        sw_wire_put_escaped(stream->out, event->text);
    else
        sw_wire_put(stream->out, event->text);
    sw_buffer_put_text(stream->out, "\"");
    end_event(stream);
}

enum sw_rc sw_wire_responses_event_write(struct sw_wire_stream *stream,
                                         const struct sw_wire_event *event, struct sw_err *err)
{
    uint8_t stop = stream->answer->stop[0];
    enum sw_rc rc;

    if (!stream->has_begun) {
        stream->has_begun = true;
        put_response_event(stream, "response.created", false);
        put_response_event(stream, "response.in_progress", false);
    }
    if (event->kind == SW_WIRE_EVENT_END) {
        close_part(stream);
        put_response_event(stream,
                           stop == SW_WIRE_STOP_LENGTH || stop == SW_WIRE_STOP_FILTER
                               ? "response.incomplete"
                               : "response.completed",
                           true);
        return SW_OK;
    }
    if (event->part == SW_WIRE_NO_PART || !is_shown(stream->request, event->kind))
        return SW_OK;
    rc = open_part(stream, event->part, err);
    if (rc == SW_OK && event->kind != SW_WIRE_EVENT_CALL)
        put_delta(stream, event);
    return rc;
}
