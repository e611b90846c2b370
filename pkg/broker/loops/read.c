#include "pkg/broker/loops/read.h"

#include "pkg/utils/base/hash.h"

#include <string.h>

void sw_loops_reader_init(struct sw_loops_reader *reader, const uint8_t key[16])
{
    memset(reader, 0, sizeof *reader);
    memcpy(reader->key, key, sizeof reader->key);
    sw_buffer_init(&reader->buffer, SIZE_MAX / 2);
}

void sw_loops_reader_done(struct sw_loops_reader *reader)
{
    sw_wire_doc_done(&reader->doc);
    sw_buffer_done(&reader->buffer);
}

uint64_t sw_loops_digest(const struct sw_loops_reader *reader, struct sw_bytes bytes)
{
    return sw_siphash(reader->key, bytes.data, bytes.size);
}

/* Members that differ from one call to the next though nothing else does. */
static bool is_fleeting(const struct sw_wire_doc *doc, uint32_t at)
{
    static const char *const names[] = {"id",      "tool_call_id", "tool_use_id",
                                        "call_id", "created",      "cache_control",
                                        "status",  "index",        "headers"};

    if (!doc->nodes[at].is_member)
        return false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (sw_wire_is_named(doc, at, names[i]))
            return true;
    return false;
}

/* Append a value, with its names, without what is fleeting. */
static void put_value(const struct sw_wire_doc *doc, uint32_t at, struct sw_buffer *out)
{
    uint32_t end = doc->nodes[at].next;

    for (uint32_t i = at; i < end;) {
        const struct sw_wire_node *node = &doc->nodes[i];
        enum sw_wire_kind kind = sw_wire_kind_of(doc, i);

        if ((i != at && is_fleeting(doc, i)) || kind == SW_WIRE_NULL) {
            i = node->next;
            continue;
        }
        if (node->is_member)
            sw_buffer_put(out, doc->text + node->key, node->key_end - node->key);
        sw_buffer_put_u8(out, (uint8_t)kind);
        if (kind != SW_WIRE_ARRAY && kind != SW_WIRE_OBJECT) {
            sw_wire_put(out, sw_wire_text_of(doc, i));
            sw_buffer_put_u8(out, 0);
        }
        i++;
    }
}

static bool read_doc(struct sw_loops_reader *reader, struct sw_bytes body)
{
    const struct sw_wire_doc_options options = {
        .code = SW_E_INVALID, .size_max = SW_WIRE_REQUEST_BYTES_MAX, .what = "a document"};
    struct sw_err ignored = {0};

    sw_buffer_reset(&reader->buffer);
    return sw_wire_doc_read(&reader->doc, body, &options, &ignored) == SW_OK &&
           sw_wire_kind_of(&reader->doc, 0) == SW_WIRE_OBJECT;
}

static uint64_t digest_of_buffer(const struct sw_loops_reader *reader)
{
    return sw_loops_digest(reader, (struct sw_bytes){reader->buffer.data, reader->buffer.size});
}

/* Whether the model said it: what is behind the last such one is new to it. */
static bool is_models_own(const struct sw_wire_doc *doc, uint32_t message)
{
    return sw_wire_is(doc, sw_wire_find(doc, message, "role"), "assistant") ||
           sw_wire_is(doc, sw_wire_find(doc, message, "type"), "function_call");
}

uint64_t sw_loops_state(struct sw_loops_reader *reader, enum sw_wire_protocol protocol,
                        struct sw_bytes body)
{
    const struct sw_wire_doc *doc = &reader->doc;
    const char *name =
        protocol == SW_WIRE_CHAT || protocol == SW_WIRE_MESSAGES ? "messages" : "input";
    uint32_t list, from = 0;

    if (!read_doc(reader, body))
        return sw_loops_digest(reader, body);
    list = sw_wire_find(doc, 0, name);
    if (list == 0)
        return sw_loops_digest(reader, body);
    if (sw_wire_kind_of(doc, list) != SW_WIRE_ARRAY) {
        put_value(doc, list, &reader->buffer);
        return digest_of_buffer(reader);
    }
    from = sw_wire_first(doc, list);
    for (uint32_t i = from; i != 0; i = sw_wire_next(doc, list, i))
        if (is_models_own(doc, i) && sw_wire_next(doc, list, i) != 0)
            from = sw_wire_next(doc, list, i);
    for (uint32_t i = from; i != 0; i = sw_wire_next(doc, list, i))
        put_value(doc, i, &reader->buffer);
    return digest_of_buffer(reader);
}

uint64_t sw_loops_document(struct sw_loops_reader *reader, struct sw_bytes body)
{
    if (!read_doc(reader, body))
        return sw_loops_digest(reader, body);
    put_value(&reader->doc, 0, &reader->buffer);
    return digest_of_buffer(reader);
}

static uint32_t tokens_of(const struct sw_wire_doc *doc)
{
    static const char *const names[] = {"prompt_tokens", "input_tokens", "cache_read_input_tokens",
                                        "cache_creation_input_tokens"};
    uint32_t usage = sw_wire_find(doc, 0, "usage");
    uint64_t sum = 0, tokens;

    for (size_t i = 0; usage != 0 && i < sizeof names / sizeof names[0]; i++) {
        uint32_t at = sw_wire_find(doc, usage, names[i]);

        if (at != 0 && sw_wire_u64(doc, at, SW_WIRE_TOKENS_MAX, &tokens))
            sum += tokens;
    }
    return sum > UINT32_MAX ? UINT32_MAX : (uint32_t)sum;
}

uint64_t sw_loops_action(struct sw_loops_reader *reader, enum sw_wire_protocol protocol,
                         struct sw_bytes body, uint32_t *ret_tokens)
{
    const struct sw_wire_doc *doc = &reader->doc;
    uint32_t said = 0;

    *ret_tokens = 0;
    if (!read_doc(reader, body))
        return sw_loops_digest(reader, body);
    *ret_tokens = tokens_of(doc);
    if (protocol == SW_WIRE_CHAT) {
        uint32_t choices = sw_wire_find(doc, 0, "choices");

        said = choices != 0 && sw_wire_kind_of(doc, choices) == SW_WIRE_ARRAY
                   ? sw_wire_first(doc, choices)
                   : 0;
        said = said == 0 ? 0 : sw_wire_find(doc, said, "message");
    } else {
        said = sw_wire_find(doc, 0, protocol == SW_WIRE_MESSAGES ? "content" : "output");
    }
    if (said == 0)
        return sw_loops_digest(reader, body);
    put_value(doc, said, &reader->buffer);
    return digest_of_buffer(reader);
}
