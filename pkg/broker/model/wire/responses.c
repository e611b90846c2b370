/* Requests of OpenAI responses. */
#include "pkg/broker/model/wire/codecs.h"
#include "pkg/broker/model/wire/rules.h"

enum {
    MODEL,
    INPUT,
    INSTRUCTIONS,
    STREAM,
    LIMIT,
    TOOLS,
    CHOICE,
    PARALLEL,
    TEMPERATURE,
    TOP_P,
    FORMAT,
    REASONING,
    USER,
    NAMES
};
static const char *const names[NAMES] = {"model",
                                         "input",
                                         "instructions",
                                         "stream",
                                         "max_output_tokens",
                                         "tools",
                                         "tool_choice",
                                         "parallel_tool_calls",
                                         "temperature",
                                         "top_p",
                                         "text",
                                         "reasoning",
                                         "user"};

static void look_needs(struct sw_wire_request *request, const uint32_t *at)
{
    static const char *const elsewhere[] = {"previous_response_id", "conversation", "prompt"};
    static const char *const functions[] = {"function", "custom"};
    static const char *const items[] = {"message",   "function_call",    "function_call_output",
                                        "reasoning", "custom_tool_call", "custom_tool_call_output"};
    const struct sw_wire_doc *doc = &request->doc;
    uint32_t format = at[FORMAT] == 0 ? 0 : sw_wire_find(doc, at[FORMAT], "format");
    uint32_t effort = at[REASONING] == 0 ? 0 : sw_wire_find(doc, at[REASONING], "effort");

    if (sw_wire_is_said(doc, at[TOOLS]) && doc->nodes[at[TOOLS]].count > 0)
        request->view.needs |= SW_WIRE_NEED_TOOLS;
    if (sw_wire_is_said(doc, format) && !sw_wire_is(doc, sw_wire_find(doc, format, "type"), "text"))
        request->view.needs |= SW_WIRE_NEED_JSON_SCHEMA;
    if (sw_wire_is_said(doc, effort) && !sw_wire_is(doc, effort, "none"))
        request->view.needs |= SW_WIRE_NEED_REASONING;
    sw_wire_look_elsewhere(request, elsewhere, 3);
    sw_wire_look_types(request, at[TOOLS], functions, 2);
    sw_wire_look_types(request, at[INPUT], items, 6);
    sw_wire_look_text(request, at[TOOLS]);
    sw_wire_look_text(request, at[FORMAT]);
    sw_wire_look_text(request, at[INSTRUCTIONS]);
}

static enum sw_rc look_input(struct sw_wire_request *request, uint32_t input, struct sw_err *err)
{
    static const char *const contents[] = {"content", "output"};
    const struct sw_wire_doc *doc = &request->doc;

    if (!sw_wire_is_said(doc, input)) /* It may be of a prompt that the upstream keeps. */
        return SW_OK;
    if (sw_wire_kind_of(doc, input) == SW_WIRE_ARRAY)
        return sw_wire_look_messages(request, input, contents, 2, err);
    if (!sw_wire_is_string(doc, input))
        return sw_wire_fail(doc, input, err, SW_E_INVALID, "this must be a string or an array");
    request->view.messages = 1;
    sw_wire_look_text(request, input);
    return SW_OK;
}

static enum sw_rc look(struct sw_wire_request *request, struct sw_err *err)
{
    const struct sw_wire_doc *doc = &request->doc;
    uint32_t at[NAMES];
    enum sw_rc rc = sw_wire_members(doc, 0, names, NAMES, at, err);

    if (rc == SW_OK)
        rc = sw_wire_look_model(request, at[MODEL], err);
    if (rc == SW_OK)
        rc = look_input(request, at[INPUT], err);
    if (rc == SW_OK)
        rc = sw_wire_flag(doc, at[STREAM], &request->view.is_stream, err);
    if (rc == SW_OK)
        rc = sw_wire_look_limit(request, at[LIMIT], err);
    if (rc == SW_OK)
        rc = sw_wire_look_temperature(request, at[TEMPERATURE], err);
    if (rc != SW_OK)
        return rc;
    request->limit_at[0] = at[LIMIT];
    request->view.wants_usage = request->view.is_stream;
    look_needs(request, at);
    return SW_OK;
}

static const struct sw_wire_rule root_rules[] = {{"model", NULL},
                                                 {"input", NULL},
                                                 {"instructions", NULL},
                                                 {"stream", NULL},
                                                 {"stream_options", NULL},
                                                 {"max_output_tokens", NULL},
                                                 {"tools", NULL},
                                                 {"tool_choice", NULL},
                                                 {"parallel_tool_calls", NULL},
                                                 {"temperature", NULL},
                                                 {"top_p", NULL},
                                                 {"text", NULL},
                                                 {"reasoning", NULL},
                                                 {"user", NULL},
                                                 {"store", "false"},
                                                 {"background", "false"},
                                                 {"truncation", "disabled"},
                                                 {"top_logprobs", "0"},
                                                 {"service_tier", "auto default"},
                                                 {"include", NULL},
                                                 {"metadata", NULL},
                                                 {"safety_identifier", NULL},
                                                 {"prompt_cache_key", NULL},
                                                 {"prompt_cache_options", NULL},
                                                 {"prompt_cache_retention", NULL}};

static enum sw_rc read_reasoning(const struct sw_wire_doc *doc, uint32_t at,
                                 struct sw_wire_settings *ret, struct sw_err *err)
{
    static const struct sw_wire_rule rules[] = {{"effort", NULL},
                                                {"summary", NULL}, /* Whether it is told. */
                                                {"generate_summary", NULL},
                                                {"context", "auto"},
                                                {"mode", "standard"}};
    uint32_t effort;
    enum sw_rc rc;

    if (!sw_wire_is_said(doc, at))
        return SW_OK;
    rc = SW_WIRE_CHECK(doc, at, rules, err);
    effort = sw_wire_find(doc, at, "effort");
    if (rc != SW_OK || !sw_wire_is_said(doc, effort))
        return rc;
    ret->effort = effort;
    ret->thinking = sw_wire_is(doc, effort, "none") ? SW_WIRE_THINKING_OFF : SW_WIRE_THINKING_ON;
    return SW_OK;
}

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
        .user = at[USER],
        .parallel = sw_wire_is_said(doc, at[PARALLEL]) ? (int)parallel : -1,
        .parallel_at = at[PARALLEL],
        .has_tools = sw_wire_is_said(doc, at[TOOLS]) && doc->nodes[at[TOOLS]].count > 0};
    if (sw_wire_is_said(doc, at[FORMAT])) {
        ret->verbosity = sw_wire_find(doc, at[FORMAT], "verbosity");
        rc = sw_wire_read_format(doc, sw_wire_find(doc, at[FORMAT], "format"), NULL, ret, err);
    }
    if (rc == SW_OK)
        rc = sw_wire_read_choice(doc, at[CHOICE], NULL, ret, err);
    return rc == SW_OK ? read_reasoning(doc, at[REASONING], ret, err) : rc;
}

static enum sw_rc tools(const struct sw_wire_request *request, sw_wire_on_tool *on_tool, void *ctx,
                        struct sw_err *err)
{
    static const struct sw_wire_rule rules[] = {{"type", "function"},  {"name", NULL},
                                                {"description", NULL}, {"parameters", NULL},
                                                {"strict", NULL},      {"defer_loading", "false"},
                                                {"async", "false"}};
    const struct sw_wire_doc *doc = &request->doc;
    uint32_t array = sw_wire_find(doc, 0, "tools");
    enum sw_rc rc = sw_wire_expect(doc, 0, array, "tools", SW_WIRE_ARRAY, err);

    for (uint32_t i = rc == SW_OK ? sw_wire_first(doc, array) : 0; rc == SW_OK && i != 0;
         i = sw_wire_next(doc, array, i)) {
        struct sw_wire_tool tool;

        if (!sw_wire_is(doc, sw_wire_find(doc, i, "type"), "function"))
            return sw_wire_fail(doc, i, err, SW_E_UNSUPPORTED,
                                "only tools of type function have a counterpart in the protocol "
                                "of the model's provider");
        rc = SW_WIRE_CHECK(doc, i, rules, err);
        if (rc != SW_OK)
            return rc;
        rc = sw_wire_read_tool(doc, i, "parameters", &tool, err);
        if (rc == SW_OK)
            rc = on_tool(ctx, &tool);
    }
    return rc;
}

static enum sw_rc on_object(const struct sw_wire_content *content, uint32_t at)
{
    static const char *const types[] = {"input_text", "output_text", "text", "refusal",
                                        "input_image"};
    const struct sw_wire_doc *doc = &content->request->doc;
    struct sw_wire_part part = content->common;
    uint32_t url, detail;
    enum sw_rc rc;

    switch (sw_wire_one_of(doc, sw_wire_find(doc, at, "type"), types, 5)) {
    case 0:
    case 1:
    case 2:
        return sw_wire_content_text(content, at, sw_wire_find(doc, at, "text"), SW_WIRE_PART_TEXT);
    case 3:
        return sw_wire_content_text(content, at, sw_wire_find(doc, at, "refusal"),
                                    SW_WIRE_PART_REFUSAL);
    case 4:
        break;
    default:
        return sw_wire_fail(doc, at, content->err, SW_E_UNSUPPORTED,
                            "a part of this type has no counterpart in the protocol of the "
                            "model's provider");
    }
    url = sw_wire_find(doc, at, "image_url");
    detail = sw_wire_find(doc, at, "detail");
    if (!sw_wire_is_string(doc, url))
        return sw_wire_fail(doc, at, content->err, SW_E_UNSUPPORTED,
                            "only images with an image_url have a counterpart in the protocol of "
                            "the model's provider");
    rc = sw_wire_image_of(content->request, url, &part, content->err);
    if (rc != SW_OK)
        return rc;
    if (sw_wire_is_string(doc, detail))
        part.detail = sw_wire_text_of(doc, detail);
    return content->on_part(content->ctx, &part);
}

static enum sw_rc call_part(struct sw_wire_content *content, uint32_t at)
{
    const struct sw_wire_doc *doc = &content->request->doc;
    struct sw_wire_part part = {.kind = SW_WIRE_PART_CALL, .role = SW_WIRE_ASSISTANT};
    uint32_t id = sw_wire_find(doc, at, "call_id"), name = sw_wire_find(doc, at, "name");
    uint32_t arguments = sw_wire_find(doc, at, "arguments");

    if (!sw_wire_is_string(doc, id) || !sw_wire_is_string(doc, name) ||
        !sw_wire_is_string(doc, arguments))
        return sw_wire_fail(doc, at, content->err, SW_E_INVALID,
                            "a function_call must have a call_id, a name and arguments");
    /* Calls are part of the message before them, if that was the assistant's. */
    if (content->common.message == 0 || content->common.role != SW_WIRE_ASSISTANT)
        content->common.message++;
    content->common.role = SW_WIRE_ASSISTANT;
    part.message = content->common.message;
    part.node = arguments;
    part.id = sw_wire_text_of(doc, id);
    part.name = sw_wire_text_of(doc, name);
    part.text = sw_wire_text_of(doc, arguments);
    return content->on_part(content->ctx, &part);
}

static enum sw_rc result_part(struct sw_wire_content *content, uint32_t at)
{
    const struct sw_wire_doc *doc = &content->request->doc;
    struct sw_wire_part part = {.kind = SW_WIRE_PART_RESULT, .role = SW_WIRE_USER};
    uint32_t id = sw_wire_find(doc, at, "call_id");
    enum sw_rc rc = sw_wire_expect(doc, at, id, "call_id", SW_WIRE_STRING, content->err);

    if (rc != SW_OK)
        return rc;
    content->common.message++;
    content->common.role = SW_WIRE_USER;
    part.message = content->common.message;
    part.node = at;
    part.id = sw_wire_text_of(doc, id);
    rc = content->on_part(content->ctx, &part);
    if (rc == SW_OK && sw_wire_find(doc, at, "output") != 0)
        rc = sw_wire_content_parts(content, sw_wire_find(doc, at, "output"));
    part.kind = SW_WIRE_PART_RESULT_END;
    return rc == SW_OK ? content->on_part(content->ctx, &part) : rc;
}

static enum sw_rc message_parts(struct sw_wire_content *content, uint32_t at)
{
    static const char *const roles[] = {"system", "developer", "user", "assistant"};
    const struct sw_wire_doc *doc = &content->request->doc;
    uint32_t text = sw_wire_find(doc, at, "content");
    int role = sw_wire_one_of(doc, sw_wire_find(doc, at, "role"), roles, 4);

    if (role < 0 || text == 0)
        return sw_wire_fail(doc, at, content->err, SW_E_INVALID,
                            "a message must have a content, and a role of user, assistant, system "
                            "or developer");
    content->common.role = (enum sw_wire_role)role;
    content->common.message++;
    return sw_wire_content_parts(content, text);
}

static enum sw_rc item_parts(struct sw_wire_content *content, uint32_t at)
{
    static const char *const types[] = {"message", "function_call", "function_call_output",
                                        "reasoning"};
    const struct sw_wire_doc *doc = &content->request->doc;
    uint32_t type = sw_wire_find(doc, at, "type");

    switch (sw_wire_is_said(doc, type) ? sw_wire_one_of(doc, type, types, 4) : 0) {
    case 0:
        return message_parts(content, at);
    case 1:
        return call_part(content, at);
    case 2:
        return result_part(content, at);
    case 3:
        return SW_OK; /* Only the model that thought it can read it. */
    default:
        return sw_wire_fail(doc, at, content->err, SW_E_UNSUPPORTED,
                            "an item of this type has no counterpart in the protocol of the "
                            "model's provider");
    }
}

static enum sw_rc parts(const struct sw_wire_request *request, sw_wire_on_part *on_part, void *ctx,
                        struct sw_err *err)
{
    const struct sw_wire_doc *doc = &request->doc;
    uint32_t input = sw_wire_find(doc, 0, "input");
    uint32_t instructions = sw_wire_find(doc, 0, "instructions");
    struct sw_wire_content content = {
        .request = request, .on_part = on_part, .ctx = ctx, .err = err, .on_object = on_object};
    enum sw_rc rc = SW_OK;

    if (sw_wire_is_said(doc, instructions)) {
        content.common = (struct sw_wire_part){.message = 1, .role = SW_WIRE_SYSTEM};
        rc = sw_wire_content_parts(&content, instructions);
    }
    if (rc == SW_OK && !sw_wire_is_said(doc, input))
        return sw_err_set(err, SW_E_INVALID, "`input` is missing");
    if (rc == SW_OK && sw_wire_is_string(doc, input)) {
        content.common.role = SW_WIRE_USER;
        content.common.message++;
        return sw_wire_content_parts(&content, input);
    }
    for (uint32_t i = sw_wire_first(doc, input); rc == SW_OK && i != 0;
         i = sw_wire_next(doc, input, i))
        rc = item_parts(&content, i);
    return rc;
}

/* ---- Writing: one item for each message, call and result. */

struct writer {
    const struct sw_wire_writing *writing;
    uint32_t message; /* 0: none is open. */
    bool has_items, is_result;
    enum sw_wire_role role;
    uint32_t parts;
};

static void next_item(struct writer *writer)
{
    struct sw_buffer *out = writer->writing->out;

    if (writer->message != 0)
        sw_buffer_put_text(out, "]}");
    writer->message = 0;
    sw_buffer_put_text(out, writer->has_items ? "," : "");
    writer->has_items = true;
}

static void next_part(struct writer *writer, const struct sw_wire_part *part)
{
    static const char *const roles[] = {"system", "developer", "user", "assistant"};
    struct sw_buffer *out = writer->writing->out;

    if (!writer->is_result && writer->message != part->message) {
        next_item(writer);
        sw_buffer_print(out, "{\"type\":\"message\",\"role\":\"%s\",\"content\":[",
                        roles[part->role]);
        writer->message = part->message;
        writer->role = part->role;
        writer->parts = 0;
    }
    sw_buffer_put_text(out, writer->parts > 0 ? "," : "");
    writer->parts++;
}

static void put_text(struct writer *writer, const struct sw_wire_part *part,
                     struct sw_wire_text text)
{
    struct sw_buffer *out = writer->writing->out;
    bool is_output = part->role == SW_WIRE_ASSISTANT;

    next_part(writer, part);
    if (part->kind == SW_WIRE_PART_REFUSAL && is_output)
        sw_buffer_put_text(out, "{\"type\":\"refusal\",\"refusal\":");
    else
        sw_buffer_print(out,
                        "{\"type\":\"%s\",\"text\":", is_output ? "output_text" : "input_text");
    sw_wire_put_string(out, text);
    sw_buffer_put_text(out, "}");
}

static enum sw_rc put_image(struct writer *writer, const struct sw_wire_part *part)
{
    const struct sw_wire_writing *writing = writer->writing;
    struct sw_buffer *out = writing->out;

    if (part->role != SW_WIRE_USER)
        return sw_wire_fail(&writing->request->doc, part->node, writing->err, SW_E_UNSUPPORTED,
                            "responses take images of users and tools only");
    next_part(writer, part);
    sw_buffer_put_text(out, "{\"type\":\"input_image\",\"detail\":");
    sw_wire_put_string(out, part->detail.size > 0 ? part->detail : SW_WIRE_TEXT("auto"));
    sw_buffer_put_text(out, ",\"image_url\":\"");
    if (part->kind == SW_WIRE_PART_IMAGE_DATA) {
        sw_buffer_put_text(out, "data:");
        sw_wire_put(out, part->name);
        sw_buffer_put_text(out, ";base64,");
    }
    sw_wire_put(out, part->text);
    sw_buffer_put_text(out, "\"}");
    return SW_OK;
}

static void put_call(struct writer *writer, const struct sw_wire_part *part)
{
    struct sw_buffer *out = writer->writing->out;

    next_item(writer);
    sw_buffer_put_text(out, "{\"type\":\"function_call\",\"call_id\":");
    sw_wire_put_string(out, part->id);
    sw_buffer_put_text(out, ",\"name\":");
    sw_wire_put_string(out, part->name);
    sw_buffer_put_text(out, ",\"arguments\":\"");
    if (part->is_object)
        sw_wire_put_escaped(out, part->text);
    else
        sw_wire_put(out, part->text);
    sw_buffer_put_text(out, "\"}");
}

static enum sw_rc write_part(void *ctx, const struct sw_wire_part *part)
{
    struct writer *writer = ctx;
    struct sw_buffer *out = writer->writing->out;

    switch (part->kind) {
    case SW_WIRE_PART_TEXT:
    case SW_WIRE_PART_REFUSAL:
        put_text(writer, part, part->text);
        break;
    case SW_WIRE_PART_IMAGE:
    case SW_WIRE_PART_IMAGE_DATA:
        return put_image(writer, part);
    case SW_WIRE_PART_CALL:
        put_call(writer, part);
        break;
    case SW_WIRE_PART_RESULT:
        next_item(writer);
        sw_buffer_put_text(out, "{\"type\":\"function_call_output\",\"call_id\":");
        sw_wire_put_string(out, part->id);
        sw_buffer_put_text(out, ",\"output\":[");
        writer->is_result = true;
        writer->parts = 0;
        if (part->is_error)
            put_text(writer, part, SW_WIRE_TEXT("The tool failed:"));
        break;
    case SW_WIRE_PART_RESULT_END:
        if (writer->parts == 0 && !out->failed)
            out->data[out->size - 1] = '"'; /* No parts are an empty text. */
        sw_buffer_put_text(out, writer->parts == 0 ? "\"}" : "]}");
        writer->is_result = false;
        break;
    }
    return SW_OK;
}

static enum sw_rc write_tool(void *ctx, const struct sw_wire_tool *tool)
{
    const struct sw_wire_writing *writing = ctx;
    const struct sw_wire_doc *doc = &writing->request->doc;
    struct sw_buffer *out = writing->out;

    sw_wire_put_comma(out);
    sw_buffer_put_text(out, "{\"type\":\"function\",\"name\":");
    sw_wire_put_node(out, doc, tool->name);
    sw_wire_put_member(writing, "description", tool->description);
    if (sw_wire_is_said(doc, tool->schema))
        sw_wire_put_member(writing, "parameters", tool->schema);
    else
        sw_buffer_put_text(out, ",\"parameters\":{\"type\":\"object\",\"properties\":{}}");
    if (sw_wire_is_said(doc, tool->strict)) /* Unsaid is strict here, and not elsewhere. */
        sw_wire_put_member(writing, "strict", tool->strict);
    else
        sw_buffer_put_text(out, ",\"strict\":false");
    sw_buffer_put_text(out, "}");
    return SW_OK;
}

static void write_choice(const struct sw_wire_writing *writing)
{
    static const char *const words[] = {"", "auto", "none", "required"};
    const struct sw_wire_settings *set = writing->settings;
    struct sw_buffer *out = writing->out;

    if (set->choice == SW_WIRE_CHOICE_NAMED) {
        sw_buffer_put_text(out, ",\"tool_choice\":{\"type\":\"function\",\"name\":");
        sw_wire_put_node(out, &writing->request->doc, set->choice_name);
        sw_buffer_put_text(out, "}");
    } else if (set->choice != SW_WIRE_CHOICE_UNSAID) {
        sw_buffer_print(out, ",\"tool_choice\":\"%s\"", words[set->choice]);
    }
    if (set->parallel >= 0 && set->has_tools)
        sw_buffer_print(out, ",\"parallel_tool_calls\":%s", set->parallel > 0 ? "true" : "false");
}

static void write_format(const struct sw_wire_writing *writing)
{
    const struct sw_wire_settings *set = writing->settings;
    const struct sw_wire_doc *doc = &writing->request->doc;
    struct sw_buffer *out = writing->out;

    if (set->format == SW_WIRE_FORMAT_TEXT && !sw_wire_is_said(doc, set->verbosity))
        return;
    sw_buffer_put_text(out, ",\"text\":{\"format\":");
    if (set->format == SW_WIRE_FORMAT_SCHEMA) {
        sw_buffer_put_text(out, "{\"type\":\"json_schema\",\"name\":");
        if (set->format_name != 0)
            sw_wire_put_node(out, doc, set->format_name);
        else
            sw_buffer_put_text(out, "\"answer\"");
        sw_wire_put_member(writing, "description", set->format_description);
        sw_wire_put_member(writing, "schema", set->format_schema);
        if (set->format_name == 0)
            sw_buffer_put_text(out, ",\"strict\":true");
        else
            sw_wire_put_member(writing, "strict", set->format_strict);
        sw_buffer_put_text(out, "}");
    } else {
        sw_buffer_print(out, "{\"type\":\"%s\"}",
                        set->format == SW_WIRE_FORMAT_OBJECT ? "json_object" : "text");
    }
    sw_wire_put_member(writing, "verbosity", set->verbosity);
    sw_buffer_put_text(out, "}");
}

static void write_effort(const struct sw_wire_writing *writing)
{
    const struct sw_wire_settings *set = writing->settings;
    struct sw_buffer *out = writing->out;

    if (set->effort == 0 && set->thinking_tokens == 0)
        return;
    sw_buffer_put_text(out, ",\"reasoning\":{\"effort\":");
    if (set->effort != 0)
        sw_wire_put_node(out, &writing->request->doc, set->effort);
    else
        sw_buffer_put_text(out, set->thinking_tokens <= 4096    ? "\"low\""
                                : set->thinking_tokens <= 16384 ? "\"medium\""
                                                                : "\"high\"");
    sw_buffer_put_text(out, "}");
}

static enum sw_rc check_settings(const struct sw_wire_writing *writing)
{
    const struct sw_wire_settings *set = writing->settings;
    enum sw_rc rc = sw_wire_refuse(writing, set->frequency, "0");

    if (rc == SW_OK)
        rc = sw_wire_refuse(writing, set->presence, "0");
    if (rc == SW_OK)
        rc = sw_wire_refuse(writing, set->seed, "");
    if (rc == SW_OK)
        rc = sw_wire_refuse(writing, set->bias, "{}");
    return rc == SW_OK ? sw_wire_refuse(writing, set->stop, "[]") : rc;
}

static enum sw_rc write(struct sw_wire_writing *writing)
{
    const struct sw_wire_codec *from = sw_wire_codec_of(writing->request->view.protocol);
    const struct sw_wire_settings *set = writing->settings;
    struct writer writer = {.writing = writing};
    struct sw_buffer *out = writing->out;
    enum sw_rc rc = check_settings(writing);

    if (rc != SW_OK)
        return rc;
    sw_buffer_put_text(out, "{\"model\":");
    sw_wire_put_words(out, writing->target->model);
    sw_buffer_put_text(out, ",\"store\":false,\"input\":[");
    rc = from->parts(writing->request, write_part, &writer, writing->err);
    sw_buffer_put_text(out, writer.message != 0 ? "]}]" : "]");
    if (rc == SW_OK && !writer.has_items)
        rc = sw_wire_refuse_empty(writing);
    if (rc == SW_OK && set->has_tools) {
        sw_buffer_put_text(out, ",\"tools\":[");
        rc = from->tools(writing->request, write_tool, writing, writing->err);
        sw_buffer_put_text(out, "]");
    }
    if (writing->max_output_tokens > 0)
        sw_buffer_print(out, ",\"max_output_tokens\":%llu",
                        (unsigned long long)writing->max_output_tokens);
    sw_wire_put_member(writing, "temperature", set->temperature);
    sw_wire_put_member(writing, "top_p", set->top_p);
    sw_wire_put_member(writing, "user", set->user);
    write_effort(writing);
    write_choice(writing);
    write_format(writing);
    sw_buffer_put_text(out, writing->request->view.is_stream ? ",\"stream\":true}" : "}");
    return rc;
}

const struct sw_wire_codec sw_wire_responses = {look,
                                                settings,
                                                parts,
                                                tools,
                                                write,
                                                sw_wire_responses_answer_read,
                                                sw_wire_responses_event_read,
                                                sw_wire_responses_answer_write,
                                                sw_wire_responses_event_write};
