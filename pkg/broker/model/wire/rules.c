#include "pkg/broker/model/wire/rules.h"

#include <stdlib.h>

/* Whether one of the words is what stands there. */
static bool is_only(const struct sw_wire_doc *doc, uint32_t at, const char *only)
{
    struct sw_wire_text text = sw_wire_text_of(doc, at);
    double value = 0;
    bool is_number = sw_wire_number(doc, at, &value);

    while (*only != '\0') {
        size_t size = strcspn(only, " ");

        if (text.size == size && memcmp(text.at, only, size) == 0)
            return true;
        if (is_number && only[0] >= '0' && only[0] <= '9' && strtod(only, NULL) == value)
            return true;
        only += size;
        only += *only == ' ' ? 1 : 0;
    }
    return false;
}

enum sw_rc sw_wire_refuse(const struct sw_wire_writing *writing, uint32_t at, const char *only)
{
    const struct sw_wire_doc *doc = &writing->request->doc;

    if (!sw_wire_is_said(doc, at) || is_only(doc, at, only))
        return SW_OK;
    return sw_wire_fail(doc, at, writing->err, SW_E_UNSUPPORTED,
                        "this has no counterpart in the protocol of the model's provider");
}

enum sw_rc sw_wire_refuse_empty(const struct sw_wire_writing *writing)
{
    const struct sw_wire_doc *doc = &writing->request->doc;
    bool is_responses = writing->request->view.protocol == SW_WIRE_RESPONSES;

    return sw_wire_fail(doc, sw_wire_find(doc, 0, is_responses ? "input" : "messages"),
                        writing->err, SW_E_UNSUPPORTED,
                        "the protocol of the model's provider needs at least one text of a user "
                        "or an assistant");
}

static const struct sw_wire_rule *find_rule(const struct sw_wire_doc *doc, uint32_t at,
                                            const struct sw_wire_rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (sw_wire_is_named(doc, at, rules[i].name))
            return &rules[i];
    return NULL;
}

enum sw_rc sw_wire_check(const struct sw_wire_doc *doc, uint32_t object,
                         const struct sw_wire_rule *rules, size_t count, struct sw_err *err)
{
    if (sw_wire_kind_of(doc, object) != SW_WIRE_OBJECT)
        return sw_wire_fail(doc, object, err, SW_E_INVALID, "this must be an object");
    for (uint32_t i = sw_wire_first(doc, object); i != 0; i = sw_wire_next(doc, object, i)) {
        const struct sw_wire_rule *rule = find_rule(doc, i, rules, count);

        if (!sw_wire_is_said(doc, i) || (rule != NULL && rule->only == NULL) ||
            (rule != NULL && is_only(doc, i, rule->only)))
            continue;
        return sw_wire_fail(doc, i, err, SW_E_UNSUPPORTED,
                            "this has no counterpart in the protocol of the model's provider");
    }
    return SW_OK;
}

enum sw_rc sw_wire_members(const struct sw_wire_doc *doc, uint32_t object, const char *const *names,
                           size_t count, uint32_t *ret_at, struct sw_err *err)
{
    uint32_t twice;

    if (sw_wire_kind_of(doc, object) != SW_WIRE_OBJECT)
        return sw_wire_fail(doc, object, err, SW_E_INVALID, "this must be an object");
    twice = sw_wire_bind(doc, object, names, count, ret_at, NULL);
    if (twice != 0)
        return sw_wire_fail(doc, twice, err, SW_E_INVALID, "this is there twice");
    return SW_OK;
}

enum sw_rc sw_wire_expect(const struct sw_wire_doc *doc, uint32_t object, uint32_t at,
                          const char *name, enum sw_wire_kind kind, struct sw_err *err)
{
    static const char *const kinds[] = {"null",     "false",    "true",     "a number",
                                        "a string", "an array", "an object"};

    if (at == 0)
        return sw_wire_fail(doc, object, err, SW_E_INVALID, "`%s` is missing", name);
    if (sw_wire_kind_of(doc, at) != kind)
        return sw_wire_fail(doc, at, err, SW_E_INVALID, "this must be %s", kinds[kind]);
    return SW_OK;
}

enum sw_rc sw_wire_flag(const struct sw_wire_doc *doc, uint32_t at, bool *ret_flag,
                        struct sw_err *err)
{
    enum sw_wire_kind kind = at == 0 ? SW_WIRE_NULL : sw_wire_kind_of(doc, at);

    if (kind > SW_WIRE_TRUE)
        return sw_wire_fail(doc, at, err, SW_E_INVALID, "this must be true or false");
    *ret_flag = kind == SW_WIRE_TRUE;
    return SW_OK;
}

enum sw_rc sw_wire_look_model(struct sw_wire_request *request, uint32_t at, struct sw_err *err)
{
    struct sw_wire_doc *doc = &request->doc;
    struct sw_buffer name;
    enum sw_rc rc = sw_wire_expect(doc, 0, at, "model", SW_WIRE_STRING, err);

    if (rc != SW_OK)
        return rc;
    request->model_at = at;
    sw_buffer_init(&name, SW_WIRE_MODEL_MAX + 1);
    sw_wire_put_meaning(&name, sw_wire_text_of(doc, at));
    bool is_good = !name.failed && name.size > 0 && name.size <= SW_WIRE_MODEL_MAX;

    for (size_t i = 0; is_good && i < name.size; i++)
        is_good = name.data[i] >= 0x20 && name.data[i] != 0x7f;
    sw_buffer_put_u8(&name, 0);
    if (!is_good || name.failed) {
        bool lacks_memory = name.lacks_memory;

        sw_buffer_done(&name);
        if (lacks_memory)
            return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the request");
        return sw_wire_fail(doc, at, err, SW_E_INVALID,
                            "a model's name has 1 to %u bytes and no control characters",
                            SW_WIRE_MODEL_MAX);
    }
    request->model = (char *)name.data; /* The buffer is handed over. */
    request->view.model = request->model;
    return SW_OK;
}

enum sw_rc sw_wire_look_limit(struct sw_wire_request *request, uint32_t at, struct sw_err *err)
{
    uint64_t limit = 0;

    if (!sw_wire_is_said(&request->doc, at))
        return SW_OK;
    if (!sw_wire_u64(&request->doc, at, SW_WIRE_TOKENS_MAX, &limit) || limit == 0)
        return sw_wire_fail(&request->doc, at, err, SW_E_INVALID,
                            "this must be a whole number of 1 to %llu",
                            (unsigned long long)SW_WIRE_TOKENS_MAX);
    if (request->view.max_output_tokens == 0 || limit < request->view.max_output_tokens)
        request->view.max_output_tokens = limit;
    return SW_OK;
}

enum sw_rc sw_wire_look_temperature(struct sw_wire_request *request, uint32_t at,
                                    struct sw_err *err)
{
    double value = 0;

    if (!sw_wire_is_said(&request->doc, at))
        return SW_OK;
    if (!sw_wire_number(&request->doc, at, &value) || value < 0 || value > 2)
        return sw_wire_fail(&request->doc, at, err, SW_E_INVALID,
                            "this must be a number of 0 to 2");
    request->view.is_deterministic = value == 0;
    return SW_OK;
}

/* Which need a part of that type is of; 0: it is text. */
static uint32_t media_need(const struct sw_wire_doc *doc, uint32_t part)
{
    static const char *const types[] = {"image_url", "input_image", "image",   "input_audio",
                                        "file",      "input_file",  "document"};
    static const uint32_t needs[] = {SW_WIRE_NEED_IMAGES, SW_WIRE_NEED_IMAGES, SW_WIRE_NEED_IMAGES,
                                     SW_WIRE_NEED_AUDIO,  SW_WIRE_NEED_FILES,  SW_WIRE_NEED_FILES,
                                     SW_WIRE_NEED_FILES};
    int which =
        sw_wire_one_of(doc, sw_wire_find(doc, part, "type"), types, sizeof types / sizeof types[0]);

    return which < 0 ? 0 : needs[which];
}

/* A document may have its text in the request. */
static bool is_text_document(const struct sw_wire_doc *doc, uint32_t part)
{
    uint32_t source = sw_wire_find(doc, part, "source");
    uint32_t type = source == 0 ? 0 : sw_wire_find(doc, source, "type");

    return sw_wire_is(doc, type, "text") || sw_wire_is(doc, type, "content");
}

static void look_part(struct sw_wire_request *request, uint32_t part)
{
    const struct sw_wire_doc *doc = &request->doc;
    uint32_t need = sw_wire_kind_of(doc, part) == SW_WIRE_OBJECT ? media_need(doc, part) : 0;

    request->view.needs |= need;
    if (need == 0 || (need == SW_WIRE_NEED_FILES && is_text_document(doc, part)))
        request->view.input_bytes += sw_wire_reading(doc, part);
    else
        request->view.media_bytes += doc->nodes[part].end - doc->nodes[part].start;
}

void sw_wire_look_content(struct sw_wire_request *request, uint32_t at)
{
    const struct sw_wire_doc *doc = &request->doc;

    if (sw_wire_kind_of(doc, at) != SW_WIRE_ARRAY) {
        request->view.input_bytes += sw_wire_reading(doc, at);
        return;
    }
    for (uint32_t i = sw_wire_first(doc, at); i != 0; i = sw_wire_next(doc, at, i)) {
        uint32_t inner = sw_wire_is(doc, sw_wire_find(doc, i, "type"), "tool_result")
                             ? sw_wire_find(doc, i, "content")
                             : 0;

        if (inner == 0 || sw_wire_kind_of(doc, inner) != SW_WIRE_ARRAY) {
            look_part(request, i);
            continue;
        }
        request->view.input_bytes += sw_wire_reading(doc, i) - sw_wire_reading(doc, inner);
        for (uint32_t j = sw_wire_first(doc, inner); j != 0; j = sw_wire_next(doc, inner, j))
            look_part(request, j);
    }
}

enum sw_rc sw_wire_look_messages(struct sw_wire_request *request, uint32_t array,
                                 const char *const *contents, size_t count, struct sw_err *err)
{
    const struct sw_wire_doc *doc = &request->doc;

    if (doc->nodes[array].count == 0)
        return sw_wire_fail(doc, array, err, SW_E_INVALID, "there must be at least one message");
    request->view.messages = doc->nodes[array].count;
    for (uint32_t i = sw_wire_first(doc, array); i != 0; i = sw_wire_next(doc, array, i)) {
        if (sw_wire_kind_of(doc, i) != SW_WIRE_OBJECT)
            return sw_wire_fail(doc, i, err, SW_E_INVALID, "this must be an object");
        request->view.input_bytes += sw_wire_reading(doc, i);
        for (size_t k = 0; k < count; k++) {
            uint32_t content = sw_wire_find(doc, i, contents[k]);

            if (content == 0)
                continue;
            request->view.input_bytes -= sw_wire_reading(doc, content);
            sw_wire_look_content(request, content);
        }
    }
    return SW_OK;
}

void sw_wire_look_text(struct sw_wire_request *request, uint32_t at)
{
    if (sw_wire_is_said(&request->doc, at))
        request->view.input_bytes += sw_wire_reading(&request->doc, at);
}

void sw_wire_look_elsewhere(struct sw_wire_request *request, const char *const *names, size_t count)
{
    const struct sw_wire_doc *doc = &request->doc;

    for (size_t i = 0; i < count; i++)
        if (sw_wire_is_said(doc, sw_wire_find(doc, 0, names[i])))
            request->view.reads_elsewhere = true;
}

void sw_wire_look_types(struct sw_wire_request *request, uint32_t array, const char *const *types,
                        size_t count)
{
    const struct sw_wire_doc *doc = &request->doc;

    if (array == 0 || sw_wire_kind_of(doc, array) != SW_WIRE_ARRAY)
        return;
    for (uint32_t i = sw_wire_first(doc, array); i != 0; i = sw_wire_next(doc, array, i)) {
        uint32_t type = sw_wire_find(doc, i, "type");

        if (sw_wire_is_said(doc, type) && sw_wire_one_of(doc, type, types, count) < 0)
            request->view.reads_elsewhere = true;
    }
}

/* Where `words` begin in the first bytes of a text; size: nowhere. */
static size_t find_words(struct sw_wire_text text, const char *words)
{
    size_t size = strlen(words), last = text.size < 160 ? text.size : 160;

    for (size_t i = 0; i + size <= last; i++)
        if (memcmp(text.at + i, words, size) == 0)
            return i;
    return text.size;
}

enum sw_rc sw_wire_image_of(const struct sw_wire_request *request, uint32_t at,
                            struct sw_wire_part *part, struct sw_err *err)
{
    struct sw_wire_text url = sw_wire_text_of(&request->doc, at);
    size_t comma;

    part->kind = SW_WIRE_PART_IMAGE;
    part->node = at;
    part->text = url;
    if (url.size < 5 || memcmp(url.at, "data:", 5) != 0)
        return SW_OK;
    comma = find_words(url, ";base64,");
    if (comma == url.size)
        return sw_wire_fail(&request->doc, at, err, SW_E_INVALID,
                            "an image in a data URL must be as data:image/png;base64,...");
    part->kind = SW_WIRE_PART_IMAGE_DATA;
    part->name = (struct sw_wire_text){url.at + 5, comma - 5};
    part->text = (struct sw_wire_text){url.at + comma + 8, url.size - comma - 8};
    return SW_OK;
}

enum sw_rc sw_wire_content_text(const struct sw_wire_content *content, uint32_t in, uint32_t at,
                                enum sw_wire_part_kind kind)
{
    struct sw_wire_part part = content->common;

    if (!sw_wire_is_string(&content->request->doc, at))
        return sw_wire_fail(&content->request->doc, at != 0 ? at : in, content->err, SW_E_INVALID,
                            "a text is missing here, or is no string");
    part.kind = kind;
    part.node = at;
    part.text = sw_wire_text_of(&content->request->doc, at);
    return content->on_part(content->ctx, &part);
}

enum sw_rc sw_wire_content_parts(const struct sw_wire_content *content, uint32_t at)
{
    const struct sw_wire_doc *doc = &content->request->doc;
    enum sw_rc rc = SW_OK;

    if (!sw_wire_is_said(doc, at))
        return SW_OK;
    if (sw_wire_is_string(doc, at))
        return sw_wire_content_text(content, at, at, SW_WIRE_PART_TEXT);
    if (sw_wire_kind_of(doc, at) != SW_WIRE_ARRAY)
        return sw_wire_fail(doc, at, content->err, SW_E_INVALID,
                            "this must be a string or an array of parts");
    for (uint32_t i = sw_wire_first(doc, at); rc == SW_OK && i != 0; i = sw_wire_next(doc, at, i)) {
        if (sw_wire_kind_of(doc, i) != SW_WIRE_OBJECT)
            return sw_wire_fail(doc, i, content->err, SW_E_INVALID, "a part must be an object");
        rc = content->on_object(content, i);
    }
    return rc;
}

void sw_wire_put_node(struct sw_buffer *out, const struct sw_wire_doc *doc, uint32_t at)
{
    if (sw_wire_is_string(doc, at))
        sw_wire_put_string(out, sw_wire_text_of(doc, at));
    else
        sw_wire_put(out, sw_wire_text_of(doc, at));
}

void sw_wire_put_member(const struct sw_wire_writing *writing, const char *name, uint32_t at)
{
    if (!sw_wire_is_said(&writing->request->doc, at))
        return;
    sw_buffer_print(writing->out, ",\"%s\":", name);
    sw_wire_put_node(writing->out, &writing->request->doc, at);
}

void sw_wire_put_comma(struct sw_buffer *out)
{
    if (out->size > 0 && out->data[out->size - 1] != '[')
        sw_buffer_put_u8(out, ',');
}

void sw_wire_put_words(struct sw_buffer *out, const char *words)
{
    sw_buffer_put_u8(out, '"');
    sw_wire_put_escaped(out, (struct sw_wire_text){words, strlen(words)});
    sw_buffer_put_u8(out, '"');
}

bool sw_wire_put_object(struct sw_buffer *out, struct sw_wire_text string)
{
    static const struct sw_wire_doc_options options = {.code = SW_E_CORRUPT,
                                                       .level_max = 1,
                                                       .size_max = SW_WIRE_REQUEST_BYTES_MAX,
                                                       .what = "arguments"};
    struct sw_wire_doc doc = {.nodes = NULL};
    size_t from = out->size;
    bool is_object;

    sw_wire_put_meaning(out, string);
    if (out->failed)
        return true; /* The caller sees that. */
    if (out->size == from) {
        sw_buffer_put_text(out, "{}");
        return true;
    }
    is_object = sw_wire_doc_read(&doc, (struct sw_bytes){out->data + from, out->size - from},
                                 &options, NULL) == SW_OK &&
                sw_wire_kind_of(&doc, 0) == SW_WIRE_OBJECT;
    sw_wire_doc_done(&doc);
    if (!is_object)
        out->size = from;
    return is_object;
}

/* --- What OpenAI's protocols have in common --------------------------------------------------- */

enum sw_rc sw_wire_read_format(const struct sw_wire_doc *doc, uint32_t at, const char *inner,
                               struct sw_wire_settings *ret, struct sw_err *err)
{
    static const char *const types[] = {"text", "json_object", "json_schema"};
    static const char *const names[] = {"name", "description", "schema", "strict"};
    uint32_t in = at, found[4];
    enum sw_rc rc = SW_OK;
    int type;

    if (!sw_wire_is_said(doc, at))
        return SW_OK;
    type = sw_wire_one_of(doc, sw_wire_find(doc, at, "type"), types, 3);
    ret->format_at = at;
    if (type < 0)
        return sw_wire_fail(doc, at, err, SW_E_UNSUPPORTED, "a format of this type is not known");
    ret->format = (enum sw_wire_format)type;
    if (ret->format != SW_WIRE_FORMAT_SCHEMA)
        return SW_OK;
    if (inner != NULL) {
        in = sw_wire_find(doc, at, inner);
        rc = sw_wire_expect(doc, at, in, inner, SW_WIRE_OBJECT, err);
    }
    if (rc == SW_OK)
        rc = sw_wire_members(doc, in, names, 4, found, err);
    if (rc == SW_OK)
        rc = sw_wire_expect(doc, in, found[2], "schema", SW_WIRE_OBJECT, err);
    if (rc != SW_OK)
        return rc;
    ret->format_name = found[0];
    ret->format_description = found[1];
    ret->format_schema = found[2];
    ret->format_strict = found[3];
    return SW_OK;
}

enum sw_rc sw_wire_read_choice(const struct sw_wire_doc *doc, uint32_t at, const char *inner,
                               struct sw_wire_settings *ret, struct sw_err *err)
{
    static const char *const words[] = {"auto", "none", "required"};
    uint32_t in = at;
    int word;

    if (!sw_wire_is_said(doc, at))
        return SW_OK;
    word = sw_wire_one_of(doc, at, words, 3);
    if (word >= 0) {
        ret->choice = (enum sw_wire_choice_of)(SW_WIRE_CHOICE_AUTO + word);
        return SW_OK;
    }
    if (!sw_wire_is(doc, sw_wire_find(doc, at, "type"), "function"))
        return sw_wire_fail(doc, at, err, SW_E_UNSUPPORTED,
                            "only a function, auto, none and required have a counterpart in the "
                            "protocol of the model's provider");
    if (inner != NULL)
        in = sw_wire_find(doc, at, inner);
    ret->choice = SW_WIRE_CHOICE_NAMED;
    ret->choice_name = in == 0 ? 0 : sw_wire_find(doc, in, "name");
    return sw_wire_expect(doc, at, ret->choice_name, inner == NULL ? "name" : "function.name",
                          SW_WIRE_STRING, err);
}

enum sw_rc sw_wire_read_tool(const struct sw_wire_doc *doc, uint32_t at, const char *schema,
                             struct sw_wire_tool *ret, struct sw_err *err)
{
    *ret = (struct sw_wire_tool){.node = at,
                                 .name = sw_wire_find(doc, at, "name"),
                                 .description = sw_wire_find(doc, at, "description"),
                                 .schema = sw_wire_find(doc, at, schema),
                                 .strict = sw_wire_find(doc, at, "strict")};
    return sw_wire_expect(doc, at, ret->name, "name", SW_WIRE_STRING, err);
}
