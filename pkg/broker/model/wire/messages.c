/* Requests of Anthropic messages. */
#include "pkg/broker/model/wire/codecs.h"
#include "pkg/broker/model/wire/rules.h"

enum {
    MODEL,
    MESSAGES,
    SYSTEM,
    LIMIT,
    STREAM,
    TOOLS,
    CHOICE,
    TEMPERATURE,
    TOP_P,
    STOP,
    THINKING,
    CONFIG,
    METADATA,
    NAMES
};
static const char *const names[NAMES] = {
    "model",    "messages",      "system",      "max_tokens", "stream",
    "tools",    "tool_choice",   "temperature", "top_p",      "stop_sequences",
    "thinking", "output_config", "metadata"};

#define NO_COUNTERPART "this has no counterpart in the protocol of the model's provider"

static void look_needs(struct sw_wire_request *request, const uint32_t *at)
{
    static const char *const elsewhere[] = {"container", "mcp_servers"};
    static const char *const functions[] = {"custom"};
    const struct sw_wire_doc *doc = &request->doc;
    uint32_t format = at[CONFIG] == 0 ? 0 : sw_wire_find(doc, at[CONFIG], "format");

    if (sw_wire_is_said(doc, at[TOOLS]) && doc->nodes[at[TOOLS]].count > 0)
        request->view.needs |= SW_WIRE_NEED_TOOLS;
    if (sw_wire_is_said(doc, format))
        request->view.needs |= SW_WIRE_NEED_JSON_SCHEMA;
    if (sw_wire_is_said(doc, at[THINKING]) &&
        !sw_wire_is(doc, sw_wire_find(doc, at[THINKING], "type"), "disabled"))
        request->view.needs |= SW_WIRE_NEED_REASONING;
    sw_wire_look_elsewhere(request, elsewhere, 2);
    sw_wire_look_types(request, at[TOOLS], functions, 1);
    sw_wire_look_text(request, at[TOOLS]);
    sw_wire_look_text(request, at[CONFIG]);
    sw_wire_look_text(request, at[SYSTEM]);
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
    if (rc == SW_OK)
        rc = sw_wire_expect(doc, 0, at[LIMIT], "max_tokens", SW_WIRE_NUMBER, err);
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

static const struct sw_wire_rule root_rules[] = {
    {"model", NULL},          {"messages", NULL},      {"system", NULL},
    {"max_tokens", NULL},     {"stream", NULL},        {"tools", NULL},
    {"tool_choice", NULL},    {"temperature", NULL},   {"top_p", NULL},
    {"stop_sequences", NULL}, {"thinking", NULL},      {"output_config", NULL},
    {"metadata", NULL},       {"cache_control", NULL}, {"service_tier", "auto standard_only"},
    {"speed", "standard"}};

static enum sw_rc read_thinking(const struct sw_wire_doc *doc, uint32_t at,
                                struct sw_wire_settings *ret, struct sw_err *err)
{
    static const char *const types[] = {"disabled", "adaptive", "between_tools", "enabled"};
    int type;

    if (!sw_wire_is_said(doc, at))
        return SW_OK;
    type = sw_wire_one_of(doc, sw_wire_find(doc, at, "type"), types, 4);
    if (type < 0)
        return sw_wire_fail(doc, at, err, SW_E_UNSUPPORTED, NO_COUNTERPART);
    ret->thinking = type == 0 ? SW_WIRE_THINKING_OFF : SW_WIRE_THINKING_ON;
    if (type == 3)
        (void)sw_wire_u64(doc, sw_wire_find(doc, at, "budget_tokens"), SW_WIRE_TOKENS_MAX,
                          &ret->thinking_tokens);
    return SW_OK;
}

static enum sw_rc read_config(const struct sw_wire_doc *doc, uint32_t at,
                              struct sw_wire_settings *ret, struct sw_err *err)
{
    static const struct sw_wire_rule rules[] = {{"effort", NULL}, {"format", NULL}};
    uint32_t format, effort;
    enum sw_rc rc;

    if (!sw_wire_is_said(doc, at))
        return SW_OK;
    rc = SW_WIRE_CHECK(doc, at, rules, err);
    if (rc != SW_OK)
        return rc;
    effort = sw_wire_find(doc, at, "effort");
    format = sw_wire_find(doc, at, "format");
    ret->effort = sw_wire_is_string(doc, effort) ? effort : 0;
    if (!sw_wire_is_said(doc, format))
        return SW_OK;
    ret->format = SW_WIRE_FORMAT_SCHEMA;
    ret->format_at = format;
    if (!sw_wire_is(doc, sw_wire_find(doc, format, "type"), "json_schema"))
        return sw_wire_fail(doc, format, err, SW_E_UNSUPPORTED, NO_COUNTERPART);
    ret->format_schema = sw_wire_find(doc, format, "schema");
    return sw_wire_expect(doc, format, ret->format_schema, "schema", SW_WIRE_OBJECT, err);
}

static enum sw_rc read_choice(const struct sw_wire_doc *doc, uint32_t at,
                              struct sw_wire_settings *ret, struct sw_err *err)
{
    static const char *const types[] = {"auto", "none", "any", "tool"};
    uint32_t alone;
    bool is_alone = false;
    int type;
    enum sw_rc rc;

    if (!sw_wire_is_said(doc, at))
        return SW_OK;
    type = sw_wire_one_of(doc, sw_wire_find(doc, at, "type"), types, 4);
    if (type < 0)
        return sw_wire_fail(doc, at, err, SW_E_UNSUPPORTED, NO_COUNTERPART);
    ret->choice = (enum sw_wire_choice_of)(SW_WIRE_CHOICE_AUTO + type);
    alone = sw_wire_find(doc, at, "disable_parallel_tool_use");
    rc = sw_wire_flag(doc, alone, &is_alone, err);
    if (rc != SW_OK)
        return rc;
    if (sw_wire_is_said(doc, alone))
        ret->parallel = is_alone ? 0 : 1;
    if (ret->choice != SW_WIRE_CHOICE_NAMED)
        return SW_OK;
    ret->choice_name = sw_wire_find(doc, at, "name");
    return sw_wire_expect(doc, at, ret->choice_name, "name", SW_WIRE_STRING, err);
}

static enum sw_rc settings(const struct sw_wire_request *request, struct sw_wire_settings *ret,
                           struct sw_err *err)
{
    const struct sw_wire_doc *doc = &request->doc;
    uint32_t at[NAMES];
    enum sw_rc rc = SW_WIRE_CHECK(doc, 0, root_rules, err);

    if (rc == SW_OK)
        rc = sw_wire_members(doc, 0, names, NAMES, at, err);
    if (rc != SW_OK)
        return rc;
    *ret = (struct sw_wire_settings){
        .temperature = at[TEMPERATURE],
        .top_p = at[TOP_P],
        .stop = at[STOP],
        .parallel = -1,
        .parallel_at = at[CHOICE],
        .user = at[METADATA] == 0 ? 0 : sw_wire_find(doc, at[METADATA], "user_id"),
        .has_tools = sw_wire_is_said(doc, at[TOOLS]) && doc->nodes[at[TOOLS]].count > 0};
    rc = read_thinking(doc, at[THINKING], ret, err);
    if (rc == SW_OK)
        rc = read_config(doc, at[CONFIG], ret, err);
    return rc == SW_OK ? read_choice(doc, at[CHOICE], ret, err) : rc;
}

static enum sw_rc tools(const struct sw_wire_request *request, sw_wire_on_tool *on_tool, void *ctx,
                        struct sw_err *err)
{
    static const struct sw_wire_rule rules[] = {{"type", "custom"},
                                                {"name", NULL},
                                                {"description", NULL},
                                                {"input_schema", NULL},
                                                {"strict", NULL},
                                                {"cache_control", NULL},
                                                {"eager_input_streaming", NULL},
                                                {"defer_loading", "false"},
                                                {"allowed_callers", NULL}};
    const struct sw_wire_doc *doc = &request->doc;
    uint32_t array = sw_wire_find(doc, 0, "tools");
    enum sw_rc rc;

    rc = sw_wire_expect(doc, 0, array, "tools", SW_WIRE_ARRAY, err);
    for (uint32_t i = rc == SW_OK ? sw_wire_first(doc, array) : 0; rc == SW_OK && i != 0;
         i = sw_wire_next(doc, array, i)) {
        struct sw_wire_tool tool;

        rc = SW_WIRE_CHECK(doc, i, rules, err);
        if (rc != SW_OK)
            return rc;
        rc = sw_wire_read_tool(doc, i, "input_schema", &tool, err);
        if (rc == SW_OK)
            rc = on_tool(ctx, &tool);
    }
    return rc;
}

static enum sw_rc image_part(const struct sw_wire_content *content, uint32_t at)
{
    static const char *const types[] = {"url", "base64"};
    const struct sw_wire_doc *doc = &content->request->doc;
    uint32_t source = sw_wire_find(doc, at, "source"), data, media;
    struct sw_wire_part part = content->common;
    int type = source == 0 ? -1 : sw_wire_one_of(doc, sw_wire_find(doc, source, "type"), types, 2);
    enum sw_rc rc;

    if (type < 0)
        return sw_wire_fail(doc, at, content->err, SW_E_UNSUPPORTED,
                            "only images with a URL or in base64 have a counterpart in the "
                            "protocol of the model's provider");
    data = sw_wire_find(doc, source, type == 0 ? "url" : "data");
    media = sw_wire_find(doc, source, "media_type");
    rc =
        sw_wire_expect(doc, source, data, type == 0 ? "url" : "data", SW_WIRE_STRING, content->err);
    if (rc == SW_OK && type == 1)
        rc = sw_wire_expect(doc, source, media, "media_type", SW_WIRE_STRING, content->err);
    if (rc != SW_OK)
        return rc;
    part.kind = type == 0 ? SW_WIRE_PART_IMAGE : SW_WIRE_PART_IMAGE_DATA;
    part.node = at;
    part.text = sw_wire_text_of(doc, data);
    if (type == 1)
        part.name = sw_wire_text_of(doc, media);
    return content->on_part(content->ctx, &part);
}

static enum sw_rc call_part(const struct sw_wire_content *content, uint32_t at)
{
    const struct sw_wire_doc *doc = &content->request->doc;
    uint32_t id = sw_wire_find(doc, at, "id"), name = sw_wire_find(doc, at, "name");
    uint32_t input = sw_wire_find(doc, at, "input");
    struct sw_wire_part part = content->common;

    if (!sw_wire_is_string(doc, id) || !sw_wire_is_string(doc, name) || input == 0 ||
        sw_wire_kind_of(doc, input) != SW_WIRE_OBJECT)
        return sw_wire_fail(doc, at, content->err, SW_E_INVALID,
                            "a tool_use must have an id, a name and its input as an object");
    part.kind = SW_WIRE_PART_CALL;
    part.node = at;
    part.id = sw_wire_text_of(doc, id);
    part.name = sw_wire_text_of(doc, name);
    part.text = sw_wire_text_of(doc, input);
    part.is_object = true;
    return content->on_part(content->ctx, &part);
}

/* Text and images: what a tool's result may have, and a system prompt in part. */
static enum sw_rc on_plain(const struct sw_wire_content *content, uint32_t at)
{
    const struct sw_wire_doc *doc = &content->request->doc;
    uint32_t type = sw_wire_find(doc, at, "type");

    if (sw_wire_is(doc, type, "text"))
        return sw_wire_content_text(content, at, sw_wire_find(doc, at, "text"), SW_WIRE_PART_TEXT);
    if (sw_wire_is(doc, type, "image"))
        return image_part(content, at);
    return sw_wire_fail(doc, at, content->err, SW_E_UNSUPPORTED,
                        "a block of this type has no counterpart in the protocol of the model's "
                        "provider");
}

static enum sw_rc result_part(const struct sw_wire_content *content, uint32_t at)
{
    const struct sw_wire_doc *doc = &content->request->doc;
    struct sw_wire_content inner = *content;
    struct sw_wire_part part = content->common;
    uint32_t id = sw_wire_find(doc, at, "tool_use_id");
    enum sw_rc rc = sw_wire_expect(doc, at, id, "tool_use_id", SW_WIRE_STRING, content->err);

    if (rc == SW_OK)
        rc = sw_wire_flag(doc, sw_wire_find(doc, at, "is_error"), &part.is_error, content->err);
    if (rc != SW_OK)
        return rc;
    part.kind = SW_WIRE_PART_RESULT;
    part.node = at;
    part.id = sw_wire_text_of(doc, id);
    rc = content->on_part(content->ctx, &part);
    inner.on_object = on_plain;
    if (rc == SW_OK)
        rc = sw_wire_content_parts(&inner, sw_wire_find(doc, at, "content"));
    part.kind = SW_WIRE_PART_RESULT_END;
    return rc == SW_OK ? content->on_part(content->ctx, &part) : rc;
}

static enum sw_rc on_object(const struct sw_wire_content *content, uint32_t at)
{
    static const char *const types[] = {"tool_use", "tool_result", "thinking", "redacted_thinking"};
    const struct sw_wire_doc *doc = &content->request->doc;

    switch (sw_wire_one_of(doc, sw_wire_find(doc, at, "type"), types, 4)) {
    case 0:
        if (content->common.role != SW_WIRE_ASSISTANT)
            break;
        return call_part(content, at);
    case 1:
        if (content->common.role != SW_WIRE_USER)
            break;
        return result_part(content, at);
    case 2:
    case 3:
        return SW_OK; /* Only the model that thought it can read it. */
    default:
        return on_plain(content, at);
    }
    return sw_wire_fail(doc, at, content->err, SW_E_INVALID,
                        "a message of this role has no block of this type");
}

static enum sw_rc parts(const struct sw_wire_request *request, sw_wire_on_part *on_part, void *ctx,
                        struct sw_err *err)
{
    static const char *const roles[] = {"system", "user", "assistant"};
    static const enum sw_wire_role values[] = {SW_WIRE_SYSTEM, SW_WIRE_USER, SW_WIRE_ASSISTANT};
    static const struct sw_wire_rule rules[] = {{"role", NULL}, {"content", NULL}};
    const struct sw_wire_doc *doc = &request->doc;
    uint32_t array = sw_wire_find(doc, 0, "messages"), system = sw_wire_find(doc, 0, "system");
    struct sw_wire_content content = {
        .request = request, .on_part = on_part, .ctx = ctx, .err = err, .on_object = on_object};
    enum sw_rc rc;

    content.common = (struct sw_wire_part){.message = 1, .role = SW_WIRE_SYSTEM};
    rc = system == 0 ? SW_OK : sw_wire_content_parts(&content, system);
    for (uint32_t i = sw_wire_first(doc, array); rc == SW_OK && i != 0;
         i = sw_wire_next(doc, array, i)) {
        int role;

        rc = SW_WIRE_CHECK(doc, i, rules, err);
        if (rc != SW_OK)
            return rc;
        role = sw_wire_one_of(doc, sw_wire_find(doc, i, "role"), roles, 3);
        if (role < 0)
            return sw_wire_fail(doc, i, err, SW_E_INVALID,
                                "the role must be user, assistant or system");
        content.common.role = values[role];
        content.common.message++;
        rc = sw_wire_find(doc, i, "content") == 0
                 ? sw_wire_fail(doc, i, err, SW_E_INVALID, "`content` is missing")
                 : sw_wire_content_parts(&content, sw_wire_find(doc, i, "content"));
    }
    return rc;
}

/* ---- Writing. Messages of one role that follow each other become one. */

struct writer {
    const struct sw_wire_writing *writing;
    bool is_past_system, is_open, has_messages, is_result;
    enum sw_wire_role role;
    uint32_t blocks; /* In the array that is open. */
};

static void open_array(struct writer *writer, enum sw_wire_role role)
{
    static const char *const roles[] = {"system", "system", "user", "assistant"};
    struct sw_buffer *out = writer->writing->out;
    bool is_system = role == SW_WIRE_SYSTEM || role == SW_WIRE_DEVELOPER;

    if (writer->is_open && writer->role == role)
        return;
    if (!is_system && !writer->is_past_system) {
        sw_buffer_put_text(out, writer->is_open ? "],\"messages\":[" : ",\"messages\":[");
        writer->is_past_system = true;
    } else if (writer->is_open) {
        sw_buffer_put_text(out, writer->is_past_system ? "]}" : "");
    }
    if (!writer->is_past_system) {
        sw_buffer_put_text(out, writer->is_open ? "" : ",\"system\":[");
        writer->blocks = writer->is_open ? writer->blocks : 0;
    } else {
        sw_buffer_print(out, "%s{\"role\":\"%s\",\"content\":[", writer->has_messages ? "," : "",
                        roles[role]);
        writer->has_messages = true;
        writer->blocks = 0;
    }
    writer->is_open = true;
    writer->role = role;
}

static void close_all(struct writer *writer)
{
    struct sw_buffer *out = writer->writing->out;

    if (writer->is_open)
        sw_buffer_put_text(out, writer->is_past_system ? "]}" : "]");
    sw_buffer_put_text(out, writer->is_past_system ? "]" : ",\"messages\":[]");
}

static void next_block(struct writer *writer, enum sw_wire_role role)
{
    if (!writer->is_result)
        open_array(writer, role);
    sw_buffer_put_text(writer->writing->out, writer->blocks > 0 ? "," : "");
    writer->blocks++;
}

/* Ids of tool calls have fewer characters here than elsewhere. */
static void put_tool_id(struct sw_buffer *out, struct sw_wire_text id)
{
    sw_buffer_put_u8(out, '"');
    for (size_t i = 0; i < id.size; i++) {
        char c = id.at[i];
        bool is_good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_';

        sw_buffer_put_u8(out, (uint8_t)(is_good ? c : '_'));
    }
    sw_buffer_put_u8(out, '"');
}

static enum sw_rc put_image(struct writer *writer, const struct sw_wire_part *part)
{
    const struct sw_wire_writing *writing = writer->writing;
    struct sw_buffer *out = writing->out;

    if (part->role != SW_WIRE_USER)
        return sw_wire_fail(&writing->request->doc, part->node, writing->err, SW_E_UNSUPPORTED,
                            "messages take images of users and tools only");
    next_block(writer, part->role);
    if (part->kind == SW_WIRE_PART_IMAGE) {
        sw_buffer_put_text(out, "{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":");
    } else {
        sw_buffer_put_text(out,
                           "{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":");
        sw_wire_put_string(out, part->name);
        sw_buffer_put_text(out, ",\"data\":");
    }
    sw_wire_put_string(out, part->text);
    sw_buffer_put_text(out, "}}");
    return SW_OK;
}

static enum sw_rc put_call(struct writer *writer, const struct sw_wire_part *part)
{
    const struct sw_wire_writing *writing = writer->writing;
    struct sw_buffer *out = writing->out;

    next_block(writer, part->role);
    sw_buffer_put_text(out, "{\"type\":\"tool_use\",\"id\":");
    put_tool_id(out, part->id);
    sw_buffer_put_text(out, ",\"name\":");
    sw_wire_put_string(out, part->name);
    sw_buffer_put_text(out, ",\"input\":");
    if (!sw_wire_put_object(out, part->text))
        return sw_wire_fail(&writing->request->doc, part->node, writing->err, SW_E_INVALID,
                            "the arguments of a tool call must be a JSON object in a string");
    sw_buffer_put_text(out, "}");
    return SW_OK;
}

static enum sw_rc write_part(void *ctx, const struct sw_wire_part *part)
{
    struct writer *writer = ctx;
    struct sw_buffer *out = writer->writing->out;

    switch (part->kind) {
    case SW_WIRE_PART_TEXT:
    case SW_WIRE_PART_REFUSAL:
        if (part->text.size == 0) /* Empty blocks are refused there. */
            return SW_OK;
        next_block(writer, part->role);
        sw_buffer_put_text(out, "{\"type\":\"text\",\"text\":");
        sw_wire_put_string(out, part->text);
        sw_buffer_put_text(out, "}");
        return SW_OK;
    case SW_WIRE_PART_IMAGE:
    case SW_WIRE_PART_IMAGE_DATA:
        return put_image(writer, part);
    case SW_WIRE_PART_CALL:
        return put_call(writer, part);
    case SW_WIRE_PART_RESULT:
        next_block(writer, part->role);
        sw_buffer_put_text(out, "{\"type\":\"tool_result\",\"tool_use_id\":");
        put_tool_id(out, part->id);
        sw_buffer_put_text(out, ",\"content\":[");
        writer->is_result = true;
        writer->blocks = 0;
        return SW_OK;
    case SW_WIRE_PART_RESULT_END:
        sw_buffer_put_text(out, "]}");
        writer->is_result = false;
        writer->blocks = 1;
        return SW_OK;
    }
    return SW_OK;
}

static enum sw_rc write_tool(void *ctx, const struct sw_wire_tool *tool)
{
    const struct sw_wire_writing *writing = ctx;
    struct sw_buffer *out = writing->out;

    sw_wire_put_comma(out);
    sw_buffer_put_text(out, "{\"name\":");
    sw_wire_put_node(out, &writing->request->doc, tool->name);
    sw_wire_put_member(writing, "description", tool->description);
    if (sw_wire_is_said(&writing->request->doc, tool->schema))
        sw_wire_put_member(writing, "input_schema", tool->schema);
    else
        sw_buffer_put_text(out, ",\"input_schema\":{\"type\":\"object\"}");
    sw_wire_put_member(writing, "strict", tool->strict);
    sw_buffer_put_text(out, "}");
    return SW_OK;
}

static void write_choice(const struct sw_wire_writing *writing)
{
    static const char *const types[] = {"auto", "auto", "none", "any", "tool"};
    const struct sw_wire_settings *set = writing->settings;
    struct sw_buffer *out = writing->out;

    if (!set->has_tools || (set->choice == SW_WIRE_CHOICE_UNSAID && set->parallel != 0))
        return;
    sw_buffer_print(out, ",\"tool_choice\":{\"type\":\"%s\"", types[set->choice]);
    if (set->choice == SW_WIRE_CHOICE_NAMED) {
        sw_buffer_put_text(out, ",\"name\":");
        sw_wire_put_node(out, &writing->request->doc, set->choice_name);
    }
    if (set->parallel == 0 && set->choice != SW_WIRE_CHOICE_NONE)
        sw_buffer_put_text(out, ",\"disable_parallel_tool_use\":true");
    sw_buffer_put_text(out, "}");
}

static void write_stop(const struct sw_wire_writing *writing)
{
    uint32_t stop = writing->settings->stop;

    if (sw_wire_is_string(&writing->request->doc, stop)) {
        sw_buffer_put_text(writing->out, ",\"stop_sequences\":[");
        sw_wire_put_node(writing->out, &writing->request->doc, stop);
        sw_buffer_put_text(writing->out, "]");
    } else {
        sw_wire_put_member(writing, "stop_sequences", stop);
    }
}

static void write_config(const struct sw_wire_writing *writing)
{
    const struct sw_wire_settings *set = writing->settings;
    const struct sw_wire_doc *doc = &writing->request->doc;
    struct sw_buffer *out = writing->out;
    bool has_effort = set->effort != 0 && set->thinking != SW_WIRE_THINKING_OFF;
    bool has_format = set->format == SW_WIRE_FORMAT_SCHEMA;

    if (set->thinking == SW_WIRE_THINKING_OFF)
        sw_buffer_put_text(out, ",\"thinking\":{\"type\":\"disabled\"}");
    else if (set->thinking == SW_WIRE_THINKING_ON)
        sw_buffer_put_text(out, ",\"thinking\":{\"type\":\"adaptive\"}");
    if (!has_effort && !has_format)
        return;
    sw_buffer_put_text(out, ",\"output_config\":{");
    if (has_effort) {
        sw_buffer_put_text(out, "\"effort\":");
        if (sw_wire_is(doc, set->effort, "minimal"))
            sw_buffer_put_text(out, "\"low\"");
        else
            sw_wire_put_node(out, doc, set->effort);
    }
    if (has_format) {
        sw_buffer_put_text(out, has_effort ? "," : "");
        sw_buffer_put_text(out, "\"format\":{\"type\":\"json_schema\",\"schema\":");
        sw_wire_put_node(out, doc, set->format_schema);
        sw_buffer_put_text(out, "}");
    }
    sw_buffer_put_text(out, "}");
}

static enum sw_rc check_settings(const struct sw_wire_writing *writing)
{
    const struct sw_wire_settings *set = writing->settings;
    const struct sw_wire_doc *doc = &writing->request->doc;
    double temperature = 0;
    enum sw_rc rc = sw_wire_refuse(writing, set->frequency, "0");

    if (rc == SW_OK)
        rc = sw_wire_refuse(writing, set->presence, "0");
    if (rc == SW_OK)
        rc = sw_wire_refuse(writing, set->seed, "");
    if (rc == SW_OK)
        rc = sw_wire_refuse(writing, set->bias, "{}");
    if (rc == SW_OK)
        rc = sw_wire_refuse(writing, set->verbosity, "medium");
    if (rc == SW_OK && sw_wire_number(doc, set->temperature, &temperature) && temperature > 1)
        rc = sw_wire_fail(doc, set->temperature, writing->err, SW_E_UNSUPPORTED,
                          "messages take a temperature of 0 to 1");
    if (rc == SW_OK && set->format == SW_WIRE_FORMAT_OBJECT)
        rc = sw_wire_fail(doc, set->format_at, writing->err, SW_E_UNSUPPORTED,
                          "messages have no answer that is any JSON object: give a schema");
    return rc;
}

static enum sw_rc write(struct sw_wire_writing *writing)
{
    const struct sw_wire_codec *from = sw_wire_codec_of(writing->request->view.protocol);
    const struct sw_wire_settings *set = writing->settings;
    struct writer writer = {.writing = writing};
    struct sw_buffer *out = writing->out;
    uint64_t limit = writing->max_output_tokens;
    enum sw_rc rc = check_settings(writing);

    if (rc != SW_OK)
        return rc;
    sw_buffer_put_text(out, "{\"model\":");
    sw_wire_put_words(out, writing->target->model);
    sw_buffer_print(out, ",\"max_tokens\":%llu",
                    (unsigned long long)(limit > 0 ? limit : SW_WIRE_OUTPUT_TOKENS_DEFAULT));
    rc = from->parts(writing->request, write_part, &writer, writing->err);
    close_all(&writer);
    if (rc == SW_OK && !writer.has_messages)
        rc = sw_wire_refuse_empty(writing);
    if (rc == SW_OK && set->has_tools) {
        sw_buffer_put_text(out, ",\"tools\":[");
        rc = from->tools(writing->request, write_tool, writing, writing->err);
        sw_buffer_put_text(out, "]");
    }
    sw_wire_put_member(writing, "temperature", set->temperature);
    sw_wire_put_member(writing, "top_p", set->top_p);
    write_stop(writing);
    write_choice(writing);
    write_config(writing);
    if (sw_wire_is_string(&writing->request->doc, set->user)) {
        sw_buffer_put_text(out, ",\"metadata\":{\"user_id\":");
        sw_wire_put_node(out, &writing->request->doc, set->user);
        sw_buffer_put_text(out, "}");
    }
    sw_buffer_put_text(out, writing->request->view.is_stream ? ",\"stream\":true}" : "}");
    return rc;
}

const struct sw_wire_codec sw_wire_messages = {look,
                                               settings,
                                               parts,
                                               tools,
                                               write,
                                               sw_wire_messages_answer_read,
                                               sw_wire_messages_event_read,
                                               sw_wire_messages_answer_write,
                                               sw_wire_messages_event_write};
