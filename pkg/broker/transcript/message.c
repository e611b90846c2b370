#include "pkg/broker/transcript/message.h"

#include "pkg/utils/base/text.h"

#include <inttypes.h>
#include <string.h>

#define SORTED_MAX 64u /* Members of an object; beyond, they stay in the order they have. */
#define NAME_BYTES_MAX 256u
#define ARGUMENTS_BYTES_MAX 8192u
#define CALLS_BYTES_MAX 65536u /* Of tools that a message calls; more are not told. */

/* --- Canonical bytes ------------------------------------------------------------------------- */

static void put_canonical(const struct sw_wire_doc *doc, uint32_t at, struct sw_buffer *out);

static void put_string(const struct sw_wire_doc *doc, uint32_t at, struct sw_buffer *out)
{
    struct sw_buffer meaning;

    if (!doc->nodes[at].is_escaped) {
        sw_wire_put_string(out, sw_wire_text_of(doc, at));
        return;
    }
    sw_buffer_init(&meaning, SIZE_MAX / 2);
    sw_wire_put_meaning(&meaning, sw_wire_text_of(doc, at));
    sw_buffer_put_u8(out, '"');
    sw_wire_put_escaped(out, (struct sw_wire_text){(const char *)meaning.data, meaning.size});
    sw_buffer_put_u8(out, '"');
    out->failed |= meaning.failed;
    sw_buffer_done(&meaning);
}

/* Whether a member says nothing: libraries write them or not, and models do not see them. */
static bool is_void(const struct sw_wire_doc *doc, uint32_t at)
{
    enum sw_wire_kind kind = sw_wire_kind_of(doc, at);

    return kind == SW_WIRE_NULL || (kind == SW_WIRE_ARRAY && doc->nodes[at].count == 0) ||
           sw_wire_is_named(doc, at, "cache_control");
}

static struct sw_bytes key_of(const struct sw_wire_doc *doc, uint32_t at)
{
    const struct sw_wire_node *node = &doc->nodes[at];

    return (struct sw_bytes){doc->text + node->key, node->key_end - node->key};
}

static bool is_before(const struct sw_wire_doc *doc, uint32_t one, uint32_t other)
{
    struct sw_bytes a = key_of(doc, one), b = key_of(doc, other);
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size == 0 ? 0 : memcmp(a.data, b.data, size);

    return order < 0 || (order == 0 && a.size < b.size);
}

static void put_member(const struct sw_wire_doc *doc, uint32_t at, bool is_first,
                       struct sw_buffer *out)
{
    struct sw_bytes key = key_of(doc, at);

    if (!is_first)
        sw_buffer_put_u8(out, ',');
    sw_wire_put_string(out, (struct sw_wire_text){key.data, key.size});
    sw_buffer_put_u8(out, ':');
    put_canonical(doc, at, out);
}

static void put_object(const struct sw_wire_doc *doc, uint32_t object, struct sw_buffer *out)
{
    uint32_t sorted[SORTED_MAX], count = 0, told = 0;

    sw_buffer_put_u8(out, '{');
    for (uint32_t i = sw_wire_first(doc, object); i != 0; i = sw_wire_next(doc, object, i)) {
        uint32_t to = count;

        if (is_void(doc, i))
            continue;
        if (count == SORTED_MAX) {
            put_member(doc, i, told++ == 0, out);
            continue;
        }
        for (; to > 0 && is_before(doc, i, sorted[to - 1]); to--)
            sorted[to] = sorted[to - 1];
        sorted[to] = i;
        count++;
    }
    for (uint32_t i = 0; i < count; i++)
        put_member(doc, sorted[i], told++ == 0, out);
    sw_buffer_put_u8(out, '}');
}

static void put_array(const struct sw_wire_doc *doc, uint32_t array, struct sw_buffer *out)
{
    bool is_first = true;

    sw_buffer_put_u8(out, '[');
    for (uint32_t i = sw_wire_first(doc, array); i != 0; i = sw_wire_next(doc, array, i)) {
        if (!is_first)
            sw_buffer_put_u8(out, ',');
        put_canonical(doc, i, out);
        is_first = false;
    }
    sw_buffer_put_u8(out, ']');
}

/* A document is at most SW_WIRE_DEPTH_MAX deep. */
static void put_canonical(const struct sw_wire_doc *doc, uint32_t at, struct sw_buffer *out)
{
    switch (sw_wire_kind_of(doc, at)) {
    case SW_WIRE_STRING:
        put_string(doc, at, out);
        return;
    case SW_WIRE_OBJECT:
        put_object(doc, at, out);
        return;
    case SW_WIRE_ARRAY:
        put_array(doc, at, out);
        return;
    case SW_WIRE_NULL:
    case SW_WIRE_FALSE:
    case SW_WIRE_TRUE:
    case SW_WIRE_NUMBER:
        sw_wire_put(out, sw_wire_text_of(doc, at));
        return;
    }
}

static bool is_text_part(const struct sw_wire_doc *doc, uint32_t part)
{
    static const char *const types[] = {"text", "input_text", "output_text"};

    return sw_wire_one_of(doc, sw_wire_find(doc, part, "type"), types, 3) >= 0 &&
           sw_wire_is_string(doc, sw_wire_find(doc, part, "text"));
}

/* One text means the same with and without a list around it. */
static uint32_t plain_content(const struct sw_wire_doc *doc, uint32_t content)
{
    uint32_t part = 0;

    if (sw_wire_kind_of(doc, content) == SW_WIRE_ARRAY && doc->nodes[content].count == 1)
        part = sw_wire_first(doc, content);
    return part != 0 && is_text_part(doc, part) ? sw_wire_find(doc, part, "text") : content;
}

void sw_transcript_canonical(const struct sw_wire_doc *doc, struct sw_transcript_place place,
                             struct sw_buffer *out)
{
    static const char *const names[] = {"role",       "type",         "name",    "content",
                                        "tool_calls", "tool_call_id", "call_id", "arguments",
                                        "output",     "refusal"};
    bool is_first = true;

    if (place.role != NULL) {
        sw_buffer_print(out, "{\"role\":\"%s\",\"content\":", place.role);
        put_canonical(doc, plain_content(doc, place.node), out);
        sw_buffer_put_u8(out, '}');
        return;
    }
    sw_buffer_put_u8(out, '{');
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        uint32_t at = sw_wire_find(doc, place.node, names[i]);

        if (at == 0 || is_void(doc, at) || sw_wire_is(doc, at, "message"))
            continue;
        sw_buffer_print(out, "%s\"%s\":", is_first ? "" : ",", names[i]);
        put_canonical(doc, plain_content(doc, at), out);
        is_first = false;
    }
    sw_buffer_put_u8(out, '}');
}

/* --- What is told ---------------------------------------------------------------------------- */

void sw_transcript_put_text(struct sw_buffer *out, const char *name, struct sw_bytes text,
                            size_t bytes_max, bool *ret_is_cut)
{
    const char *bytes = text.data;
    size_t size = text.size;

    if (size > bytes_max) {
        size = bytes_max;
        while (size > 0 && ((uint8_t)bytes[size] & 0xc0) == 0x80)
            size--; /* Whole characters. */
    }
    if (ret_is_cut != NULL)
        *ret_is_cut = size < text.size;
    sw_buffer_print(out, ",\"%s\":\"", name);
    sw_wire_put_escaped(out, (struct sw_wire_text){bytes, size});
    sw_buffer_put_u8(out, '"');
}

/* The same for a string of the document, or for any JSON; nothing where there is none. */
static void put_value(const struct sw_wire_doc *doc, uint32_t at, const char *name,
                      struct sw_transcript_text *text, struct sw_buffer *out)
{
    size_t bytes_max = strcmp(name, "arguments") == 0 ? ARGUMENTS_BYTES_MAX : NAME_BYTES_MAX;

    if (!sw_wire_is_said(doc, at))
        return;
    if (bytes_max > text->text_bytes)
        bytes_max = text->text_bytes;
    sw_buffer_reset(&text->scratch);
    if (sw_wire_is_string(doc, at))
        sw_wire_put_meaning(&text->scratch, sw_wire_text_of(doc, at));
    else
        sw_wire_put_dense(&text->scratch, sw_wire_text_of(doc, at));
    sw_transcript_put_text(out, name, (struct sw_bytes){text->scratch.data, text->scratch.size},
                           bytes_max, NULL);
}

static void add_call(const struct sw_wire_doc *doc, struct sw_transcript_text *text, uint32_t id,
                     uint32_t name, uint32_t arguments)
{
    if (++text->calls_count > SW_TRANSCRIPT_CALLS_MAX || text->calls.size > CALLS_BYTES_MAX)
        return;
    sw_buffer_print(&text->calls, "%s{\"kind\":\"tool\"", text->calls_count > 1 ? "," : "");
    put_value(doc, id, "id", text, &text->calls);
    put_value(doc, name, "name", text, &text->calls);
    put_value(doc, arguments, "arguments", text, &text->calls);
    sw_buffer_put_u8(&text->calls, '}');
}

static void add_text(const struct sw_wire_doc *doc, struct sw_transcript_text *text, uint32_t at)
{
    if (text->text.size > 0)
        sw_buffer_put_u8(&text->text, '\n');
    sw_wire_put_meaning(&text->text, sw_wire_text_of(doc, at));
}

/* What is no text is named. */
static void add_other(const struct sw_wire_doc *doc, struct sw_transcript_text *text, uint32_t part)
{
    uint32_t type = sw_wire_find(doc, part, "type");

    if (text->text.size > 0)
        sw_buffer_put_u8(&text->text, '\n');
    sw_buffer_put_u8(&text->text, '[');
    if (sw_wire_is_string(doc, type) && sw_wire_text_of(doc, type).size <= NAME_BYTES_MAX)
        sw_wire_put_meaning(&text->text, sw_wire_text_of(doc, type));
    else
        sw_buffer_put_u8(&text->text, '?');
    sw_buffer_put_u8(&text->text, ']');
}

/* Texts of a content: a string, or its parts that are texts. */
static void add_texts(const struct sw_wire_doc *doc, struct sw_transcript_text *text,
                      uint32_t content)
{
    if (sw_wire_is_string(doc, content))
        add_text(doc, text, content);
    if (content == 0 || sw_wire_kind_of(doc, content) != SW_WIRE_ARRAY)
        return;
    for (uint32_t i = sw_wire_first(doc, content); i != 0; i = sw_wire_next(doc, content, i)) {
        if (is_text_part(doc, i))
            add_text(doc, text, sw_wire_find(doc, i, "text"));
        else
            add_other(doc, text, i);
    }
}

/* Returns the tool call that a part answers; 0: none. */
static uint32_t add_part(const struct sw_wire_doc *doc, struct sw_transcript_text *text,
                         uint32_t part)
{
    uint32_t type = sw_wire_find(doc, part, "type");

    if (is_text_part(doc, part)) {
        add_text(doc, text, sw_wire_find(doc, part, "text"));
    } else if (sw_wire_is(doc, type, "tool_use")) {
        add_call(doc, text, sw_wire_find(doc, part, "id"), sw_wire_find(doc, part, "name"),
                 sw_wire_find(doc, part, "input"));
    } else if (sw_wire_is(doc, type, "tool_result")) {
        add_texts(doc, text, sw_wire_find(doc, part, "content"));
        return sw_wire_find(doc, part, "tool_use_id");
    } else {
        add_other(doc, text, part);
    }
    return 0;
}

static void add_tools(const struct sw_wire_doc *doc, struct sw_transcript_text *text,
                      uint32_t calls)
{
    if (calls == 0 || sw_wire_kind_of(doc, calls) != SW_WIRE_ARRAY)
        return;
    for (uint32_t i = sw_wire_first(doc, calls); i != 0; i = sw_wire_next(doc, calls, i)) {
        uint32_t function = sw_wire_find(doc, i, "function");

        if (function != 0)
            add_call(doc, text, sw_wire_find(doc, i, "id"), sw_wire_find(doc, function, "name"),
                     sw_wire_find(doc, function, "arguments"));
    }
}

/* All that a message says, into text. Returns the tool call that it answers; 0: none. */
static uint32_t collect(const struct sw_wire_doc *doc, struct sw_transcript_place place,
                        struct sw_transcript_text *text)
{
    uint32_t at = place.node, type = sw_wire_find(doc, at, "type"), answers = 0;
    uint32_t content = place.role != NULL ? at : sw_wire_find(doc, at, "content");

    if (place.role == NULL && sw_wire_is(doc, type, "function_call")) {
        add_call(doc, text, sw_wire_find(doc, at, "call_id"), sw_wire_find(doc, at, "name"),
                 sw_wire_find(doc, at, "arguments"));
        return 0;
    }
    if (place.role == NULL && sw_wire_is(doc, type, "function_call_output")) {
        add_texts(doc, text, sw_wire_find(doc, at, "output"));
        return sw_wire_find(doc, at, "call_id");
    }
    if (content != 0 && sw_wire_kind_of(doc, content) == SW_WIRE_ARRAY) {
        for (uint32_t i = sw_wire_first(doc, content); i != 0; i = sw_wire_next(doc, content, i)) {
            uint32_t answered = add_part(doc, text, i);

            answers = answers == 0 ? answered : answers;
        }
    } else if (sw_wire_is_string(doc, content)) {
        add_text(doc, text, content);
    } else if (place.role == NULL && sw_wire_is_string(doc, type)) {
        add_other(doc, text, at);
    }
    if (place.role != NULL)
        return answers;
    if (sw_wire_is_string(doc, sw_wire_find(doc, at, "refusal")))
        add_text(doc, text, sw_wire_find(doc, at, "refusal"));
    add_tools(doc, text, sw_wire_find(doc, at, "tool_calls"));
    return answers != 0 ? answers : sw_wire_find(doc, at, "tool_call_id");
}

static void put_role(const struct sw_wire_doc *doc, struct sw_transcript_place place,
                     bool is_answer, struct sw_buffer *out)
{
    static const char *const roles[] = {"system", "developer", "user", "assistant", "tool"};
    uint32_t type = place.role != NULL ? 0 : sw_wire_find(doc, place.node, "type");
    uint32_t role = place.role != NULL ? 0 : sw_wire_find(doc, place.node, "role");
    int known = sw_wire_one_of(doc, role, roles, sizeof roles / sizeof roles[0]);
    const char *name = place.role;

    if (name == NULL && is_answer)
        name = "tool";
    if (name == NULL && known >= 0)
        name = roles[known];
    if (name == NULL)
        name = sw_wire_is(doc, type, "function_call") || sw_wire_is(doc, type, "reasoning")
                   ? "assistant"
                   : "other";
    sw_buffer_print(out, "\"role\":\"%s\"", name);
}

void sw_transcript_put_message(const struct sw_wire_doc *doc, struct sw_transcript_place place,
                               struct sw_transcript_text *text, struct sw_buffer *out)
{
    uint32_t answers;
    bool is_cut;

    sw_buffer_reset(&text->text);
    sw_buffer_reset(&text->calls);
    text->calls_count = 0;
    answers = collect(doc, place, text);
    put_role(doc, place, answers != 0, out);
    sw_transcript_put_text(out, "text", (struct sw_bytes){text->text.data, text->text.size},
                           text->text_bytes, &is_cut);
    sw_buffer_print(out, ",\"bytes\":\"%zu\"%s", text->text.size, is_cut ? ",\"cut\":true" : "");
    put_value(doc, answers, "toolCallId", text, out);
    if (text->calls.size == 0)
        return;
    sw_buffer_put_text(out, ",\"toolCalls\":[");
    sw_buffer_put(out, text->calls.data, text->calls.size);
    sw_buffer_put_u8(out, ']');
}
