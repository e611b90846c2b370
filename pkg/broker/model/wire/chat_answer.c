/* Answers of OpenAI chat completions, whole and as chunks. */
#include "pkg/broker/model/wire/codecs.h"

static const char *const reasons[] = {"", "stop", "stop", "length", "tool_calls", "content_filter"};

/* Servers that give whole calls at once may number all of them 0: another id is another call. */
static bool is_new_call(const struct sw_wire_sink *sink, const struct sw_wire_event *event)
{
    const struct sw_wire_answer_part *part =
        sw_wire_answer_find(sink->answer, SW_WIRE_EVENT_CALL, event->choice, event->key);
    struct sw_wire_text id;

    if (part == NULL)
        return true;
    id = sw_wire_answer_text(sink->answer, part->id);
    return event->id.size > 0 && id.size > 0 &&
           (event->id.size != id.size || memcmp(event->id.at, id.at, id.size) != 0);
}

static enum sw_rc read_call(const struct sw_wire_doc *doc, uint32_t at,
                            const struct sw_wire_sink *sink, struct sw_wire_event event)
{
    uint32_t id = sw_wire_find(doc, at, "id"), function = sw_wire_find(doc, at, "function");
    uint32_t index = sw_wire_find(doc, at, "index"), name;
    uint64_t key = event.key;
    enum sw_rc rc = SW_OK;

    if (function == 0) {
        sink->answer->is_partial = true;
        return SW_OK;
    }
    if (index != 0 && !sw_wire_u64(doc, index, UINT32_MAX, &key))
        return sw_wire_fail(doc, index, sink->err, SW_E_CORRUPT,
                            "the number of a tool call is none");
    name = sw_wire_find(doc, function, "name");
    event.key = (uint32_t)key;
    event.kind = SW_WIRE_EVENT_CALL;
    if (sw_wire_is_string(doc, id))
        event.id = sw_wire_text_of(doc, id);
    if (sw_wire_is_string(doc, name))
        event.name = sw_wire_text_of(doc, name);
    if (event.name.size > 0 && (sink->answer->keeps_nothing || is_new_call(sink, &event)))
        rc = sw_wire_tell(sink, event);
    event.kind = SW_WIRE_EVENT_ARGUMENTS;
    event.id = event.name = SW_WIRE_TEXT("");
    return rc == SW_OK
               ? sw_wire_tell_text(doc, sw_wire_find(doc, function, "arguments"), sink, event)
               : rc;
}

static enum sw_rc read_message(const struct sw_wire_doc *doc, uint32_t at,
                               const struct sw_wire_sink *sink, uint32_t choice)
{
    static const char *const inner[] = {"content",   "refusal",    "reasoning_content",
                                        "reasoning", "tool_calls", "function_call",
                                        "audio",     "annotations"};
    struct sw_wire_event event = {.choice = choice, .kind = SW_WIRE_EVENT_THOUGHT};
    uint32_t found[8], calls, number = 0;
    enum sw_rc rc;

    (void)sw_wire_bind(doc, at, inner, 8, found, NULL);
    rc = sw_wire_tell_text(doc, found[2] != 0 ? found[2] : found[3], sink, event);
    event.kind = SW_WIRE_EVENT_TEXT;
    if (rc == SW_OK)
        rc = sw_wire_tell_text(doc, found[0], sink, event);
    event.kind = SW_WIRE_EVENT_REFUSAL;
    if (rc == SW_OK)
        rc = sw_wire_tell_text(doc, found[1], sink, event);
    for (size_t i = 5; i < 8; i++)
        if (sw_wire_is_said(doc, found[i]) && doc->nodes[found[i]].count > 0)
            sink->answer->is_partial = true;
    calls = found[4];
    if (rc != SW_OK || !sw_wire_is_said(doc, calls))
        return rc;
    for (uint32_t i = sw_wire_first(doc, calls); rc == SW_OK && i != 0;
         i = sw_wire_next(doc, calls, i)) {
        event.key = number++;
        rc = read_call(doc, i, sink, event);
    }
    return rc;
}

static enum sw_rc read_stop(const struct sw_wire_doc *doc, uint32_t at,
                            const struct sw_wire_sink *sink, uint32_t choice)
{
    static const char *const words[] = {"stop", "length", "tool_calls", "content_filter"};
    static const enum sw_wire_stop stops[] = {SW_WIRE_STOP_DONE, SW_WIRE_STOP_LENGTH,
                                              SW_WIRE_STOP_CALLS, SW_WIRE_STOP_FILTER};
    struct sw_wire_event event = {.kind = SW_WIRE_EVENT_STOP, .choice = choice};
    int which = sw_wire_one_of(doc, at, words, 4);

    if (!sw_wire_is_string(doc, at))
        return SW_OK;
    event.stop = which < 0 ? SW_WIRE_STOP_DONE : stops[which];
    return sw_wire_tell(sink, event);
}

static enum sw_rc read_choice(const struct sw_wire_doc *doc, uint32_t at,
                              const struct sw_wire_sink *sink)
{
    static const char *const inner[] = {"index", "message", "delta", "finish_reason", "logprobs"};
    uint32_t found[5], message;
    uint64_t choice = 0;
    enum sw_rc rc;

    (void)sw_wire_bind(doc, at, inner, 5, found, NULL);
    message = found[1] != 0 ? found[1] : found[2];
    if ((found[0] != 0 && !sw_wire_u64(doc, found[0], SW_WIRE_CHOICES_MAX - 1, &choice)) ||
        (message != 0 && sw_wire_kind_of(doc, message) != SW_WIRE_OBJECT))
        return sw_wire_fail(doc, at, sink->err, SW_E_CORRUPT,
                            "the model's answer has a choice that is none");
    if (sw_wire_is_said(doc, found[4]))
        sink->answer->is_partial = true;
    rc = message != 0 ? read_message(doc, message, sink, (uint32_t)choice) : SW_OK;
    return rc == SW_OK ? read_stop(doc, found[3], sink, (uint32_t)choice) : rc;
}

static enum sw_rc read_choices(const struct sw_wire_doc *doc, const struct sw_wire_sink *sink,
                               const uint32_t *found)
{
    uint32_t choices = found[2];
    enum sw_rc rc = SW_OK;

    if (choices == 0 || sw_wire_kind_of(doc, choices) != SW_WIRE_ARRAY)
        return sw_err_set(sink->err, SW_E_CORRUPT,
                          "the model's provider sent no chat completion: it has no choices");
    if (sink->answer->id.size == 0 && sw_wire_is_string(doc, found[0]))
        sink->answer->id = sw_wire_answer_name(sink->answer, sw_wire_text_of(doc, found[0]));
    if (found[1] != 0 && sink->answer->created_s == 0)
        (void)sw_wire_u64(doc, found[1], UINT32_MAX, &sink->answer->created_s);
    sw_wire_read_usage(doc, found[3], "prompt", "completion", &sink->answer->usage);
    for (uint32_t i = sw_wire_first(doc, choices); rc == SW_OK && i != 0;
         i = sw_wire_next(doc, choices, i))
        rc = read_choice(doc, i, sink);
    return rc;
}

static const char *const root_names[] = {"id", "created", "choices", "usage", "error"};

enum sw_rc sw_wire_chat_answer_read(const struct sw_wire_doc *doc, const struct sw_wire_sink *sink)
{
    uint32_t found[5];
    enum sw_rc rc;

    (void)sw_wire_bind(doc, 0, root_names, 5, found, NULL);
    if (found[2] == 0 && sw_wire_is_said(doc, found[4])) {
        sw_wire_note_error(sink, doc, found[4]);
        return SW_OK;
    }
    rc = read_choices(doc, sink, found);
    if (rc == SW_OK && sink->answer->choices == 0)
        rc = sw_err_set(sink->err, SW_E_CORRUPT, "the chat completion has no choices");
    return rc == SW_OK ? sw_wire_tell(sink, (struct sw_wire_event){.kind = SW_WIRE_EVENT_END}) : rc;
}

enum sw_rc sw_wire_chat_event_read(const struct sw_wire_doc *doc, const struct sw_wire_sink *sink)
{
    uint32_t found[5];

    (void)sw_wire_bind(doc, 0, root_names, 5, found, NULL);
    if (sw_wire_is_said(doc, found[4])) {
        sw_wire_note_error(sink, doc, found[4]);
        return SW_OK;
    }
    return read_choices(doc, sink, found);
}

/* ---- Writing. */

static void put_head(struct sw_buffer *out, const struct sw_wire_request *request,
                     const struct sw_wire_answer *answer, const char *object)
{
    sw_buffer_put_text(out, "{\"id\":\"");
    sw_wire_put_id(out, answer, "chatcmpl-");
    sw_buffer_print(out, "\",\"object\":\"%s\",\"created\":%llu,\"model\":", object,
                    (unsigned long long)sw_wire_created(request, answer));
    sw_wire_put_model(out, request);
}

static void put_usage(struct sw_buffer *out, const struct sw_wire_usage *usage)
{
    sw_buffer_print(
        out,
        "\"usage\":{\"prompt_tokens\":%llu,\"completion_tokens\":%llu,"
        "\"total_tokens\":%llu,\"prompt_tokens_details\":{\"cached_tokens\":%llu,"
        "\"cache_write_tokens\":%llu},"
        "\"completion_tokens_details\":{\"reasoning_tokens\":%llu}}",
        (unsigned long long)usage->input_tokens, (unsigned long long)usage->output_tokens,
        (unsigned long long)(usage->input_tokens + usage->output_tokens),
        (unsigned long long)usage->cached_tokens, (unsigned long long)usage->written_tokens,
        (unsigned long long)usage->thinking_tokens);
}

/* `"name":"..."` of all parts of a kind one after the other; null or nothing if there are none. */
static void put_texts(struct sw_buffer *out, const struct sw_wire_answer *answer, uint32_t choice,
                      enum sw_wire_event_kind kind, const char *name)
{
    bool has_any = false;

    for (uint32_t i = 0; i < answer->parts_count; i++) {
        const struct sw_wire_answer_part *part = &answer->parts[i];

        if (part->kind != kind || part->choice != choice)
            continue;
        if (!has_any)
            sw_buffer_print(out, ",\"%s\":\"", name);
        has_any = true;
        sw_wire_put(out, sw_wire_part_text(part));
    }
    if (has_any)
        sw_buffer_put_text(out, "\"");
    else if (kind != SW_WIRE_EVENT_THOUGHT)
        sw_buffer_print(out, ",\"%s\":null", name);
}

static void put_call(struct sw_buffer *out, const struct sw_wire_answer *answer,
                     const struct sw_wire_answer_part *part)
{
    sw_buffer_put_text(out, "{\"id\":");
    sw_wire_put_string(out, sw_wire_answer_text(answer, part->id));
    sw_buffer_put_text(out, ",\"type\":\"function\",\"function\":{\"name\":");
    sw_wire_put_string(out, sw_wire_answer_text(answer, part->name));
    sw_buffer_put_text(out, ",\"arguments\":");
    sw_wire_put_string(out, part->text.size > 0 ? sw_wire_part_text(part) : SW_WIRE_TEXT("{}"));
    sw_buffer_put_text(out, "}}");
}

static void put_choice(struct sw_buffer *out, const struct sw_wire_answer *answer, uint32_t choice)
{
    uint8_t stop = answer->stop[choice];
    bool has_calls = answer->calls[choice] > 0, is_first = true;

    sw_buffer_print(out, "%s{\"index\":%u,\"message\":{\"role\":\"assistant\"",
                    choice > 0 ? "," : "", choice);
    put_texts(out, answer, choice, SW_WIRE_EVENT_TEXT, "content");
    put_texts(out, answer, choice, SW_WIRE_EVENT_REFUSAL, "refusal");
    put_texts(out, answer, choice, SW_WIRE_EVENT_THOUGHT, "reasoning_content");
    sw_buffer_put_text(out, has_calls ? ",\"tool_calls\":[" : "");
    for (uint32_t i = 0; has_calls && i < answer->parts_count; i++) {
        const struct sw_wire_answer_part *part = &answer->parts[i];

        if (part->kind != SW_WIRE_EVENT_CALL || part->choice != choice)
            continue;
        sw_buffer_put_text(out, is_first ? "" : ",");
        is_first = false;
        put_call(out, answer, part);
    }
    sw_buffer_put_text(out, has_calls ? "]" : "");
    sw_buffer_print(out, "},\"logprobs\":null,\"finish_reason\":\"%s\"}",
                    stop == SW_WIRE_STOP_UNSAID ? "stop" : reasons[stop]);
}

enum sw_rc sw_wire_chat_answer_write(const struct sw_wire_request *request,
                                     const struct sw_wire_answer *answer, struct sw_buffer *out,
                                     struct sw_err *err)
{
    (void)err;
    put_head(out, request, answer, "chat.completion");
    sw_buffer_put_text(out, ",\"choices\":[");
    for (uint32_t i = 0; i < answer->choices || i == 0; i++)
        put_choice(out, answer, i);
    sw_buffer_put_text(out, "],");
    put_usage(out, &answer->usage);
    sw_buffer_put_text(out, "}");
    return SW_OK;
}

static void begin_chunk(struct sw_wire_stream *stream, uint32_t choice)
{
    sw_buffer_put_text(stream->out, "data: ");
    put_head(stream->out, stream->request, stream->answer, "chat.completion.chunk");
    sw_buffer_print(stream->out, ",\"choices\":[{\"index\":%u,\"delta\":{", choice);
}

static void end_chunk(struct sw_wire_stream *stream, const char *reason)
{
    const char *quote = reason == NULL ? "" : "\"";

    sw_buffer_print(stream->out, "},\"finish_reason\":%s%s%s}]}\n\n", quote,
                    reason == NULL ? "null" : reason, quote);
}

static void put_delta(struct sw_wire_stream *stream, const struct sw_wire_event *event,
                      const char *name)
{
    begin_chunk(stream, event->choice);
    sw_buffer_print(stream->out, "\"%s\":", name);
    sw_wire_put_string(stream->out, event->text);
    end_chunk(stream, NULL);
}

static void put_arguments(struct sw_wire_stream *stream, const struct sw_wire_answer_part *part,
                          const struct sw_wire_event *event)
{
    begin_chunk(stream, part->choice);
    sw_buffer_print(stream->out, "\"tool_calls\":[{\"index\":%u,\"function\":{\"arguments\":\"",
                    part->ordinal);
    if (event != NULL && event->is_json)
        sw_wire_put_escaped(stream->out, event->text);
    else
        sw_wire_put(stream->out, event != NULL ? event->text : SW_WIRE_TEXT("{}"));
    sw_buffer_put_text(stream->out, "\"}}]");
    end_chunk(stream, NULL);
}

static void put_call_begin(struct sw_wire_stream *stream, const struct sw_wire_answer_part *part)
{
    begin_chunk(stream, part->choice);
    sw_buffer_print(stream->out, "\"tool_calls\":[{\"index\":%u,\"id\":", part->ordinal);
    sw_wire_put_string(stream->out, sw_wire_answer_text(stream->answer, part->id));
    sw_buffer_put_text(stream->out, ",\"type\":\"function\",\"function\":{\"name\":");
    sw_wire_put_string(stream->out, sw_wire_answer_text(stream->answer, part->name));
    sw_buffer_put_text(stream->out, ",\"arguments\":\"\"}}]");
    end_chunk(stream, NULL);
}

static void put_end(struct sw_wire_stream *stream)
{
    const struct sw_wire_answer *answer = stream->answer;

    for (uint32_t i = 0; i < answer->parts_count; i++) /* Calls without arguments: none is {}. */
        if (answer->parts[i].kind == SW_WIRE_EVENT_CALL && answer->parts[i].text.size == 0)
            put_arguments(stream, &answer->parts[i], NULL);
    for (uint32_t i = 0; i < answer->choices || i == 0; i++) {
        uint8_t stop = answer->stop[i];

        begin_chunk(stream, i);
        end_chunk(stream, stop == SW_WIRE_STOP_UNSAID ? "stop" : reasons[stop]);
    }
    if (stream->request->view.wants_usage) {
        sw_buffer_put_text(stream->out, "data: ");
        put_head(stream->out, stream->request, answer, "chat.completion.chunk");
        sw_buffer_put_text(stream->out, ",\"choices\":[],");
        put_usage(stream->out, &answer->usage);
        sw_buffer_put_text(stream->out, "}\n\n");
    }
    sw_buffer_put_text(stream->out, "data: [DONE]\n\n");
}

enum sw_rc sw_wire_chat_event_write(struct sw_wire_stream *stream,
                                    const struct sw_wire_event *event, struct sw_err *err)
{
    const struct sw_wire_answer_part *part =
        event->part == SW_WIRE_NO_PART ? NULL : &stream->answer->parts[event->part];

    (void)err;
    if (!stream->has_begun) {
        stream->has_begun = true;
        begin_chunk(stream, 0);
        sw_buffer_put_text(stream->out, "\"role\":\"assistant\",\"content\":\"\"");
        end_chunk(stream, NULL);
    }
    switch (event->kind) {
    case SW_WIRE_EVENT_TEXT:
        put_delta(stream, event, "content");
        break;
    case SW_WIRE_EVENT_REFUSAL:
        put_delta(stream, event, "refusal");
        break;
    case SW_WIRE_EVENT_THOUGHT:
        put_delta(stream, event, "reasoning_content");
        break;
    case SW_WIRE_EVENT_CALL:
        put_call_begin(stream, part);
        break;
    case SW_WIRE_EVENT_ARGUMENTS:
        put_arguments(stream, part, event);
        break;
    case SW_WIRE_EVENT_END:
        put_end(stream);
        break;
    case SW_WIRE_EVENT_START:
    case SW_WIRE_EVENT_REDACTED:
    case SW_WIRE_EVENT_SIGNATURE:
    case SW_WIRE_EVENT_STOP:
        break;
    }
    return SW_OK;
}
