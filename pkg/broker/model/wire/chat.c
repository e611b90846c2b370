/* Requests of OpenAI chat completions. */
#include "pkg/broker/model/wire/codecs.h"
#include "pkg/broker/model/wire/rules.h"

enum {
    MODEL,
    MESSAGES,
    STREAM,
    OPTIONS,
    LIMIT,
    OLD_LIMIT,
    N,
    TOOLS,
    FUNCTIONS,
    FORMAT,
    EFFORT,
    TEMPERATURE,
    AUDIO,
    TOP_P,
    FREQUENCY,
    PRESENCE,
    SEED,
    BIAS,
    STOP,
    USER,
    VERBOSITY,
    CHOICE,
    PARALLEL,
    NAMES
};
static const char *const names[NAMES] = {"model",
                                         "messages",
                                         "stream",
                                         "stream_options",
                                         "max_completion_tokens",
                                         "max_tokens",
                                         "n",
                                         "tools",
                                         "functions",
                                         "response_format",
                                         "reasoning_effort",
                                         "temperature",
                                         "audio",
                                         "top_p",
                                         "frequency_penalty",
                                         "presence_penalty",
                                         "seed",
                                         "logit_bias",
                                         "stop",
                                         "user",
                                         "verbosity",
                                         "tool_choice",
                                         "parallel_tool_calls"};

static enum sw_rc look_usage(struct sw_wire_request *request, struct sw_err *err)
{
    const struct sw_wire_doc *doc = &request->doc;
    uint32_t options = request->options_at, at[1];
    static const char *const usage[] = {"include_usage"};
    enum sw_rc rc;

    if (!sw_wire_is_said(doc, options))
        return SW_OK;
    rc = sw_wire_members(doc, options, usage, 1, at, err);
    request->usage_at = at[0];
    if (rc == SW_OK)
        rc = sw_wire_flag(doc, at[0], &request->view.wants_usage, err);
    return rc;
}

static enum sw_rc look_choices(struct sw_wire_request *request, uint32_t at, struct sw_err *err)
{
    uint64_t choices = 1;

    if (sw_wire_is_said(&request->doc, at) &&
        (!sw_wire_u64(&request->doc, at, SW_WIRE_CHOICES_MAX, &choices) || choices == 0))
        return sw_wire_fail(&request->doc, at, err, SW_E_INVALID,
                            "this must be a whole number of 1 to %u", SW_WIRE_CHOICES_MAX);
    request->view.choices = (uint32_t)choices;
    return SW_OK;
}

static void look_needs(struct sw_wire_request *request, const uint32_t *at)
{
    static const char *const elsewhere[] = {"web_search_options"};
    static const char *const functions[] = {"function", "custom"};
    const struct sw_wire_doc *doc = &request->doc;

    if (sw_wire_is_said(doc, at[TOOLS]) || sw_wire_is_said(doc, at[FUNCTIONS]))
        request->view.needs |= SW_WIRE_NEED_TOOLS;
    if (sw_wire_is_said(doc, at[FORMAT]) &&
        !sw_wire_is(doc, sw_wire_find(doc, at[FORMAT], "type"), "text"))
        request->view.needs |= SW_WIRE_NEED_JSON_SCHEMA;
    if (sw_wire_is_said(doc, at[AUDIO]))
        request->view.needs |= SW_WIRE_NEED_AUDIO;
    if (sw_wire_is_said(doc, at[EFFORT]) && !sw_wire_is(doc, at[EFFORT], "none"))
        request->view.needs |= SW_WIRE_NEED_REASONING;
    sw_wire_look_elsewhere(request, elsewhere, 1);
    sw_wire_look_types(request, at[TOOLS], functions, 2);
    sw_wire_look_text(request, at[TOOLS]);
    sw_wire_look_text(request, at[FUNCTIONS]);
    sw_wire_look_text(request, at[FORMAT]);
}

static enum sw_rc look(struct sw_wire_request *request, struct sw_err *err)
{
    static const char *const contents[] = {"content"};
    const struct sw_wire_doc *doc = &request->doc;
    uint32_t at[NAMES];
    enum sw_rc rc = sw_wire_members(doc, 0, names, NAMES, at, err);

    if (rc == SW_OK)
        rc = sw_wire_look_model(request, at[MODEL], err);
    if (rc == SW_OK)
        rc = sw_wire_expect(doc, 0, at[MESSAGES], "messages", SW_WIRE_ARRAY, err);
    if (rc == SW_OK)
        rc = sw_wire_look_messages(request, at[MESSAGES], contents, 1, err);
    if (rc == SW_OK)
        rc = sw_wire_flag(doc, at[STREAM], &request->view.is_stream, err);
    if (rc != SW_OK)
        return rc;
    request->options_at = at[OPTIONS];
    request->limit_at[0] = at[LIMIT];
    request->limit_at[1] = at[OLD_LIMIT];
    look_needs(request, at);
    rc = look_usage(request, err);
    if (rc == SW_OK)
        rc = look_choices(request, at[N], err);
    if (rc == SW_OK)
        rc = sw_wire_look_limit(request, at[LIMIT], err);
    if (rc == SW_OK)
        rc = sw_wire_look_limit(request, at[OLD_LIMIT], err);
    if (rc == SW_OK)
        rc = sw_wire_look_temperature(request, at[TEMPERATURE], err);
    return rc;
}

static const struct sw_wire_rule root_rules[] = {
    {"model", NULL},
    {"messages", NULL},
    {"stream", NULL},
    {"stream_options", NULL},
    {"max_completion_tokens", NULL},
    {"max_tokens", NULL},
    {"n", "1"},
    {"tools", NULL},
    {"functions", "[]"},
    {"response_format", NULL},
    {"reasoning_effort", NULL},
    {"temperature", NULL},
    {"top_p", NULL},
    {"frequency_penalty", NULL},
    {"presence_penalty", NULL},
    {"seed", NULL},
    {"logit_bias", NULL},
    {"stop", NULL},
    {"user", NULL},
    {"verbosity", NULL},
    {"tool_choice", NULL},
    {"parallel_tool_calls", NULL},
    {"logprobs", "false"},
    {"top_logprobs", "0"},
    {"store", "false"},
    {"modalities", NULL},
    {"service_tier", "auto default"},
    {"metadata", NULL},
    {"safety_identifier", NULL},
    {"prompt_cache_key", NULL},
    {"prompt_cache_retention", NULL},
    {"prompt_cache_options", NULL},
};
static enum sw_rc settings(const struct sw_wire_request *request, struct sw_wire_settings *ret,
                           struct sw_err *err)
{
    const struct sw_wire_doc *doc = &request->doc;
    uint32_t at[NAMES];
    bool parallel = false;
    enum sw_rc rc = SW_WIRE_CHECK(doc, 0, root_rules, err);

    if (rc == SW_OK)
        rc = sw_wire_members(doc, 0, names, NAMES, at, err);
    if (rc == SW_OK)
        rc = sw_wire_flag(doc, at[PARALLEL], &parallel, err);
    if (rc != SW_OK)
        return rc;
    *ret = (struct sw_wire_settings){
        .temperature = at[TEMPERATURE],
        .top_p = at[TOP_P],
        .frequency = at[FREQUENCY],
        .presence = at[PRESENCE],
        .seed = at[SEED],
        .bias = at[BIAS],
        .stop = at[STOP],
        .user = at[USER],
        .verbosity = at[VERBOSITY],
        .effort = sw_wire_is_said(doc, at[EFFORT]) ? at[EFFORT] : 0,
        .parallel = sw_wire_is_said(doc, at[PARALLEL]) ? (int)parallel : -1,
        .parallel_at = at[PARALLEL],
        .has_tools = sw_wire_is_said(doc, at[TOOLS]) && doc->nodes[at[TOOLS]].count > 0};
    if (ret->effort != 0)
        ret->thinking =
            sw_wire_is(doc, ret->effort, "none") ? SW_WIRE_THINKING_OFF : SW_WIRE_THINKING_ON;
    rc = sw_wire_read_format(doc, at[FORMAT], "json_schema", ret, err);
    if (rc == SW_OK)
        rc = sw_wire_read_choice(doc, at[CHOICE], "function", ret, err);
    return rc;
}

static enum sw_rc read_tool(const struct sw_wire_doc *doc, uint32_t at, struct sw_wire_tool *ret,
                            struct sw_err *err)
{
    static const char *const inner[] = {"name", "description", "parameters", "strict"};
    uint32_t function = sw_wire_find(doc, at, "function"), found[4];
    enum sw_rc rc;

    if (!sw_wire_is(doc, sw_wire_find(doc, at, "type"), "function"))
        return sw_wire_fail(doc, at, err, SW_E_UNSUPPORTED,
                            "only tools of type function have a counterpart in the protocol of "
                            "the model's provider");
    rc = sw_wire_expect(doc, at, function, "function", SW_WIRE_OBJECT, err);
    if (rc == SW_OK)
        rc = sw_wire_members(doc, function, inner, 4, found, err);
    if (rc == SW_OK)
        rc = sw_wire_expect(doc, function, found[0], "name", SW_WIRE_STRING, err);
    if (rc == SW_OK)
        *ret = (struct sw_wire_tool){at, found[0], found[1], found[2], found[3]};
    return rc;
}

static enum sw_rc tools(const struct sw_wire_request *request, sw_wire_on_tool *on_tool, void *ctx,
                        struct sw_err *err)
{
    const struct sw_wire_doc *doc = &request->doc;
    uint32_t array = sw_wire_find(doc, 0, "tools");
    enum sw_rc rc = SW_OK;

    if (!sw_wire_is_said(doc, array))
        return SW_OK;
    rc = sw_wire_expect(doc, 0, array, "tools", SW_WIRE_ARRAY, err);
    for (uint32_t i = sw_wire_first(doc, array); rc == SW_OK && i != 0;
         i = sw_wire_next(doc, array, i)) {
        struct sw_wire_tool tool;

        rc = read_tool(doc, i, &tool, err);
        if (rc == SW_OK)
            rc = on_tool(ctx, &tool);
    }
    return rc;
}

static enum sw_rc on_object(const struct sw_wire_content *content, uint32_t at)
{
    static const char *const types[] = {"text", "refusal", "image_url"};
    const struct sw_wire_doc *doc = &content->request->doc;
    struct sw_wire_part part = content->common;
    uint32_t image, url;
    enum sw_rc rc;

    switch (sw_wire_one_of(doc, sw_wire_find(doc, at, "type"), types, 3)) {
    case 0:
        return sw_wire_content_text(content, at, sw_wire_find(doc, at, "text"), SW_WIRE_PART_TEXT);
    case 1:
        return sw_wire_content_text(content, at, sw_wire_find(doc, at, "refusal"),
                                    SW_WIRE_PART_REFUSAL);
    case 2:
        break;
    default:
        return sw_wire_fail(doc, at, content->err, SW_E_UNSUPPORTED,
                            "a part of this type has no counterpart in the protocol of the "
                            "model's provider");
    }
    image = sw_wire_find(doc, at, "image_url");
    url = image == 0 ? 0 : sw_wire_find(doc, image, "url");
    rc = sw_wire_expect(doc, at, url, "image_url.url", SW_WIRE_STRING, content->err);
    if (rc == SW_OK)
        rc = sw_wire_image_of(content->request, url, &part, content->err);
    if (rc != SW_OK)
        return rc;
    if (sw_wire_is_string(doc, sw_wire_find(doc, image, "detail")))
        part.detail = sw_wire_text_of(doc, sw_wire_find(doc, image, "detail"));
    return content->on_part(content->ctx, &part);
}

static enum sw_rc call_part(const struct sw_wire_content *content, uint32_t at)
{
    const struct sw_wire_doc *doc = &content->request->doc;
    struct sw_wire_part part = content->common;
    uint32_t id = sw_wire_find(doc, at, "id"), function = sw_wire_find(doc, at, "function"), name,
             arguments;

    if (!sw_wire_is_string(doc, id) || function == 0)
        return sw_wire_fail(doc, at, content->err, SW_E_INVALID,
                            "a tool call must have an id and a function");
    name = sw_wire_find(doc, function, "name");
    arguments = sw_wire_find(doc, function, "arguments");
    if (!sw_wire_is_string(doc, name) || !sw_wire_is_string(doc, arguments))
        return sw_wire_fail(doc, function, content->err, SW_E_INVALID,
                            "a function call must have a name and its arguments as a string");
    part.kind = SW_WIRE_PART_CALL;
    part.node = arguments;
    part.id = sw_wire_text_of(doc, id);
    part.name = sw_wire_text_of(doc, name);
    part.text = sw_wire_text_of(doc, arguments);
    return content->on_part(content->ctx, &part);
}

static enum sw_rc assistant_parts(const struct sw_wire_content *content, const uint32_t *at)
{
    const struct sw_wire_doc *doc = &content->request->doc;
    uint32_t calls = at[2];
    enum sw_rc rc = sw_wire_content_parts(content, at[1]);

    if (rc == SW_OK && sw_wire_is_said(doc, at[4]))
        rc = sw_wire_content_text(content, at[4], at[4], SW_WIRE_PART_REFUSAL);
    if (rc != SW_OK || !sw_wire_is_said(doc, calls))
        return rc;
    rc = sw_wire_expect(doc, 0, calls, "tool_calls", SW_WIRE_ARRAY, content->err);
    for (uint32_t i = sw_wire_first(doc, calls); rc == SW_OK && i != 0;
         i = sw_wire_next(doc, calls, i))
        rc = call_part(content, i);
    return rc;
}

static enum sw_rc tool_parts(const struct sw_wire_content *content, uint32_t message,
                             const uint32_t *at)
{
    const struct sw_wire_doc *doc = &content->request->doc;
    struct sw_wire_part part = content->common;
    enum sw_rc rc =
        sw_wire_expect(doc, message, at[3], "tool_call_id", SW_WIRE_STRING, content->err);

    if (rc != SW_OK)
        return rc;
    part.kind = SW_WIRE_PART_RESULT;
    part.node = message;
    part.id = sw_wire_text_of(doc, at[3]);
    rc = content->on_part(content->ctx, &part);
    if (rc == SW_OK)
        rc = sw_wire_content_parts(content, at[1]);
    part.kind = SW_WIRE_PART_RESULT_END;
    return rc == SW_OK ? content->on_part(content->ctx, &part) : rc;
}

static enum sw_rc message_parts(struct sw_wire_content *content, uint32_t message)
{
    static const struct sw_wire_rule rules[] = {
        {"role", NULL},    {"content", NULL}, {"tool_calls", NULL},  {"tool_call_id", NULL},
        {"refusal", NULL}, {"name", NULL},    {"annotations", "[]"}, {"reasoning_content", NULL}};
    static const char *const inner[] = {"role", "content", "tool_calls", "tool_call_id", "refusal"};
    static const char *const roles[] = {"system", "developer", "user", "assistant", "tool"};
    const struct sw_wire_doc *doc = &content->request->doc;
    uint32_t at[5];
    enum sw_rc rc = SW_WIRE_CHECK(doc, message, rules, content->err);
    int role;

    if (rc == SW_OK)
        rc = sw_wire_members(doc, message, inner, 5, at, content->err);
    if (rc == SW_OK)
        rc = sw_wire_expect(doc, message, at[0], "role", SW_WIRE_STRING, content->err);
    if (rc != SW_OK)
        return rc;
    role = sw_wire_one_of(doc, at[0], roles, 5);
    if (role < 0)
        return sw_wire_fail(doc, at[0], content->err, SW_E_UNSUPPORTED,
                            "a message of this role has no counterpart in the protocol of the "
                            "model's provider");
    content->common =
        (struct sw_wire_part){.message = content->common.message + 1,
                              .node = message,
                              .role = role == 4 ? SW_WIRE_USER : (enum sw_wire_role)role};
    if (role == 4)
        return tool_parts(content, message, at);
    if (role == 3)
        return assistant_parts(content, at);
    return sw_wire_content_parts(content, at[1]);
}

static enum sw_rc parts(const struct sw_wire_request *request, sw_wire_on_part *on_part, void *ctx,
                        struct sw_err *err)
{
    const struct sw_wire_doc *doc = &request->doc;
    uint32_t array = sw_wire_find(doc, 0, "messages");
    struct sw_wire_content content = {
        .request = request, .on_part = on_part, .ctx = ctx, .err = err, .on_object = on_object};
    enum sw_rc rc = SW_OK;

    for (uint32_t i = sw_wire_first(doc, array); rc == SW_OK && i != 0;
         i = sw_wire_next(doc, array, i))
        rc = message_parts(&content, i);
    return rc;
}

/* ---- Writing. A message's content is a string where it is one text, which every server takes. */

struct writer {
    const struct sw_wire_writing *writing;
    struct sw_buffer calls;
    uint32_t message; /* 0: none is open. */
    enum sw_wire_role role;
    bool is_result, has_messages;
    size_t content, only; /* Where the content begins, and the text if it is the only part. */
    uint32_t parts;
};

static void open_message(struct writer *writer, const struct sw_wire_part *part)
{
    static const char *const roles[] = {"system", "developer", "user", "assistant"};
    struct sw_buffer *out = writer->writing->out;

    writer->message = part->message;
    writer->role = part->role;
    writer->is_result = part->kind == SW_WIRE_PART_RESULT;
    sw_buffer_print(out, "%s{\"role\":\"%s\"", writer->has_messages ? "," : "",
                    writer->is_result ? "tool" : roles[part->role]);
    writer->has_messages = true;
    if (writer->is_result) {
        sw_buffer_put_text(out, ",\"tool_call_id\":");
        sw_wire_put_string(out, part->id);
    }
    sw_buffer_put_text(out, ",\"content\":");
    writer->content = out->size;
    sw_buffer_put_text(out, "[");
    writer->parts = 0;
    writer->only = 0;
}

static void close_message(struct writer *writer)
{
    struct sw_buffer *out = writer->writing->out;

    if (writer->message == 0)
        return;
    writer->message = 0;
    if (out->failed)
        return;
    if (writer->parts == 1 && writer->only != 0) { /* [{...:"text"}] becomes "text". */
        size_t size = out->size - writer->only - 1;

        (void)memmove(out->data + writer->content, out->data + writer->only, size);
        out->size = writer->content + size;
    } else if (writer->parts == 0) {
        out->size = writer->content;
        sw_buffer_put_text(out, writer->calls.size > 0 ? "null" : "\"\"");
    } else {
        sw_buffer_put_text(out, "]");
    }
    if (writer->calls.size > 0) {
        sw_buffer_put_text(out, ",\"tool_calls\":[");
        sw_buffer_put(out, writer->calls.data, writer->calls.size);
        sw_buffer_put_text(out, "]");
        sw_buffer_reset(&writer->calls);
    }
    sw_buffer_put_text(out, "}");
}

static void put_text_part(struct writer *writer, struct sw_wire_text text)
{
    struct sw_buffer *out = writer->writing->out;

    sw_buffer_put_text(out, writer->parts > 0 ? "," : "");
    sw_buffer_put_text(out, "{\"type\":\"text\",\"text\":");
    if (writer->parts == 0)
        writer->only = out->size;
    sw_wire_put_string(out, text);
    sw_buffer_put_text(out, "}");
    writer->parts++;
}

static void put_image_part(struct writer *writer, const struct sw_wire_part *part)
{
    struct sw_buffer *out = writer->writing->out;

    sw_buffer_put_text(out, writer->parts > 0 ? "," : "");
    sw_buffer_put_text(out, "{\"type\":\"image_url\",\"image_url\":{\"url\":\"");
    if (part->kind == SW_WIRE_PART_IMAGE_DATA) {
        sw_buffer_put_text(out, "data:");
        sw_wire_put(out, part->name);
        sw_buffer_put_text(out, ";base64,");
    }
    sw_wire_put(out, part->text);
    sw_buffer_put_text(out, "\"");
    if (part->detail.size > 0) {
        sw_buffer_put_text(out, ",\"detail\":");
        sw_wire_put_string(out, part->detail);
    }
    sw_buffer_put_text(out, "}}");
    writer->parts++;
}

static void put_call(struct writer *writer, const struct sw_wire_part *part)
{
    struct sw_buffer *out = &writer->calls;

    sw_buffer_put_text(out, out->size > 0 ? "," : "");
    sw_buffer_put_text(out, "{\"id\":");
    sw_wire_put_string(out, part->id);
    sw_buffer_put_text(out, ",\"type\":\"function\",\"function\":{\"name\":");
    sw_wire_put_string(out, part->name);
    sw_buffer_put_text(out, ",\"arguments\":\"");
    if (part->is_object)
        sw_wire_put_escaped(out, part->text);
    else
        sw_wire_put(out, part->text);
    sw_buffer_put_text(out, "\"}}");
}

static enum sw_rc write_part(void *ctx, const struct sw_wire_part *part)
{
    struct writer *writer = ctx;
    const struct sw_wire_writing *writing = writer->writing;

    if (writer->message != part->message ||
        (part->kind == SW_WIRE_PART_RESULT && !writer->is_result)) {
        close_message(writer);
    } else if (part->kind == SW_WIRE_PART_RESULT) {
        close_message(writer);
    }
    if (writer->message == 0 && part->kind != SW_WIRE_PART_RESULT_END)
        open_message(writer, part);
    switch (part->kind) {
    case SW_WIRE_PART_TEXT:
    case SW_WIRE_PART_REFUSAL:
        put_text_part(writer, part->text);
        break;
    case SW_WIRE_PART_IMAGE:
    case SW_WIRE_PART_IMAGE_DATA:
        if (writer->is_result || writer->role != SW_WIRE_USER)
            return sw_wire_fail(&writing->request->doc, part->node, writing->err, SW_E_UNSUPPORTED,
                                "chat completions take images of users only, not of tools");
        put_image_part(writer, part);
        break;
    case SW_WIRE_PART_CALL:
        put_call(writer, part);
        break;
    case SW_WIRE_PART_RESULT:
        if (part->is_error)
            put_text_part(writer, SW_WIRE_TEXT("The tool failed:"));
        break;
    case SW_WIRE_PART_RESULT_END:
        close_message(writer);
        break;
    }
    return SW_OK;
}

static enum sw_rc write_tool(void *ctx, const struct sw_wire_tool *tool)
{
    const struct sw_wire_writing *writing = ctx;
    struct sw_buffer *out = writing->out;

    sw_wire_put_comma(out);
    sw_buffer_put_text(out, "{\"type\":\"function\",\"function\":{\"name\":");
    sw_wire_put_node(out, &writing->request->doc, tool->name);
    sw_wire_put_member(writing, "description", tool->description);
    sw_wire_put_member(writing, "parameters", tool->schema);
    sw_wire_put_member(writing, "strict", tool->strict);
    sw_buffer_put_text(out, "}}");
    return SW_OK;
}

static void write_choice(const struct sw_wire_writing *writing)
{
    static const char *const words[] = {"", "auto", "none", "required"};
    const struct sw_wire_settings *set = writing->settings;
    struct sw_buffer *out = writing->out;

    if (set->choice == SW_WIRE_CHOICE_NAMED) {
        sw_buffer_put_text(out, ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":");
        sw_wire_put_node(out, &writing->request->doc, set->choice_name);
        sw_buffer_put_text(out, "}}");
    } else if (set->choice != SW_WIRE_CHOICE_UNSAID) {
        sw_buffer_print(out, ",\"tool_choice\":\"%s\"", words[set->choice]);
    }
    if (set->parallel >= 0 && set->has_tools)
        sw_buffer_print(out, ",\"parallel_tool_calls\":%s", set->parallel > 0 ? "true" : "false");
}

static void write_format(const struct sw_wire_writing *writing)
{
    const struct sw_wire_settings *set = writing->settings;
    struct sw_buffer *out = writing->out;

    if (set->format == SW_WIRE_FORMAT_OBJECT) {
        sw_buffer_put_text(out, ",\"response_format\":{\"type\":\"json_object\"}");
    } else if (set->format == SW_WIRE_FORMAT_SCHEMA) {
        sw_buffer_put_text(out, ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{"
                                "\"name\":");
        if (set->format_name != 0)
            sw_wire_put_node(out, &writing->request->doc, set->format_name);
        else
            sw_buffer_put_text(out, "\"answer\"");
        sw_wire_put_member(writing, "description", set->format_description);
        sw_wire_put_member(writing, "schema", set->format_schema);
        if (set->format_name == 0)
            sw_buffer_put_text(out, ",\"strict\":true");
        else
            sw_wire_put_member(writing, "strict", set->format_strict);
        sw_buffer_put_text(out, "}}");
    }
}

static void write_effort(const struct sw_wire_writing *writing)
{
    const struct sw_wire_settings *set = writing->settings;

    if (set->effort != 0)
        sw_wire_put_member(writing, "reasoning_effort", set->effort);
    else if (set->thinking_tokens > 0)
        sw_buffer_print(writing->out, ",\"reasoning_effort\":\"%s\"",
                        set->thinking_tokens <= 4096    ? "low"
                        : set->thinking_tokens <= 16384 ? "medium"
                                                        : "high");
}

static void write_settings(const struct sw_wire_writing *writing)
{
    const struct sw_wire_settings *set = writing->settings;
    struct sw_buffer *out = writing->out;

    if (writing->max_output_tokens > 0)
        sw_buffer_print(out, ",\"%s\":%llu",
                        writing->target->uses_max_tokens ? "max_tokens" : "max_completion_tokens",
                        (unsigned long long)writing->max_output_tokens);
    sw_wire_put_member(writing, "temperature", set->temperature);
    sw_wire_put_member(writing, "top_p", set->top_p);
    sw_wire_put_member(writing, "stop", set->stop);
    sw_wire_put_member(writing, "user", set->user);
    sw_wire_put_member(writing, "verbosity", set->verbosity);
    write_effort(writing);
    write_choice(writing);
    write_format(writing);
    if (writing->request->view.is_stream) {
        sw_buffer_put_text(out, ",\"stream\":true");
        if (!writing->target->lacks_usage)
            sw_buffer_put_text(out, ",\"stream_options\":{\"include_usage\":true}");
    }
}

static enum sw_rc write(struct sw_wire_writing *writing)
{
    const struct sw_wire_codec *from = sw_wire_codec_of(writing->request->view.protocol);
    struct writer writer = {.writing = writing};
    struct sw_buffer *out = writing->out;
    enum sw_rc rc;

    sw_buffer_init(&writer.calls, out->size_max);
    sw_buffer_put_text(out, "{\"model\":");
    sw_wire_put_words(out, writing->target->model);
    sw_buffer_put_text(out, ",\"messages\":[");
    rc = from->parts(writing->request, write_part, &writer, writing->err);
    close_message(&writer);
    sw_buffer_put_text(out, "]");
    if (rc == SW_OK && !writer.has_messages)
        rc = sw_wire_refuse_empty(writing);
    if (rc == SW_OK && writing->settings->has_tools) {
        sw_buffer_put_text(out, ",\"tools\":[");
        rc = from->tools(writing->request, write_tool, writing, writing->err);
        sw_buffer_put_text(out, "]");
    }
    write_settings(writing);
    sw_buffer_put_text(out, "}");
    if (writer.calls.failed)
        out->failed = true;
    sw_buffer_done(&writer.calls);
    return rc;
}

const struct sw_wire_codec sw_wire_chat = {look,
                                           settings,
                                           parts,
                                           tools,
                                           write,
                                           sw_wire_chat_answer_read,
                                           sw_wire_chat_event_read,
                                           sw_wire_chat_answer_write,
                                           sw_wire_chat_event_write};
