#include "pkg/apis/swarm/v1/fields.h"
#include "pkg/apis/swarm/v1/protobuf.h"
#include "pkg/apis/swarm/v1/wire.h"

static void put_varint(struct sw_buffer *out, uint64_t number)
{
    uint8_t bytes[SW_WIRE_VARINT_MAX];
    size_t size = 0;

    do {
        bytes[size++] = (uint8_t)((number & 0x7f) | (number > 0x7f ? 0x80 : 0));
        number >>= 7;
    } while (number > 0);
    sw_buffer_put(out, bytes, size);
}

static size_t varint_size(uint64_t number)
{
    size_t size = 1;

    while (number > 0x7f) {
        number >>= 7;
        size++;
    }
    return size;
}

static size_t tag_size(const struct sw_api_field *field)
{
    return varint_size((uint64_t)field->number << 3);
}

static void put_tag(struct sw_buffer *out, uint32_t number, enum sw_wire type)
{
    put_varint(out, (uint64_t)number << 3 | type);
}

void sw_protobuf_encode_head(uint32_t field_number, size_t size_bytes, struct sw_buffer *out)
{
    put_tag(out, field_number, SW_WIRE_RUN);
    put_varint(out, size_bytes);
}

static void put_run(struct sw_buffer *out, uint32_t number, const void *data, size_t size)
{
    sw_protobuf_encode_head(number, size, out);
    sw_buffer_put(out, data, size);
}

static size_t run_size(size_t size)
{
    return varint_size(size) + size;
}

/* An entry is a message of key = 1 and value = 2, both always written. */
static size_t pair_size(const struct sw_api_pair *pair)
{
    return 1 + run_size(strlen(pair->key)) + 1 + run_size(strlen(pair->value));
}

/* Size of one item without its tag. */
static size_t item_size(const struct sw_api_field *field, const void *at)
{
    switch (field->type) {
    case SW_API_TYPE_STRING:
        return run_size(strlen(sw_field_text(at)));
    case SW_API_TYPE_BYTES:
        return run_size(((const struct sw_bytes *)at)->size);
    case SW_API_TYPE_MESSAGE:
        return run_size(sw_protobuf_size(field->message, at));
    case SW_API_TYPE_MAP:
        return run_size(pair_size(at));
    case SW_API_TYPE_BOOL:
    case SW_API_TYPE_INT32:
    case SW_API_TYPE_UINT32:
    case SW_API_TYPE_UINT64:
    case SW_API_TYPE_ENUM:
        break;
    }
    return varint_size(sw_field_integer(field, at));
}

static size_t packed_size(const struct sw_api_field *field, const void *value)
{
    size_t size = 0, count = sw_field_count(field, value);

    for (size_t i = 0; i < count; i++)
        size += item_size(field, sw_field_item(field, value, i));
    return size;
}

static size_t field_size(const struct sw_api_field *field, const void *value)
{
    size_t size = 0, count;

    if (!sw_field_is_many(field))
        return tag_size(field) + item_size(field, sw_field_at(field, value));
    if (sw_wire_of(field) == SW_WIRE_VARINT)
        return tag_size(field) + run_size(packed_size(field, value));
    count = sw_field_count(field, value);
    for (size_t i = 0; i < count; i++)
        size += tag_size(field) + item_size(field, sw_field_item(field, value, i));
    return size;
}

size_t sw_protobuf_size(const struct sw_api_message *message, const void *value)
{
    size_t size = 0;

    for (unsigned i = 0; i < message->field_count; i++)
        if (sw_field_is_set(&message->fields[i], value))
            size += field_size(&message->fields[i], value);
    return size;
}

static void put_pair(struct sw_buffer *out, uint32_t number, const struct sw_api_pair *pair)
{
    put_tag(out, number, SW_WIRE_RUN);
    put_varint(out, pair_size(pair));
    put_run(out, 1, pair->key, strlen(pair->key));
    put_run(out, 2, pair->value, strlen(pair->value));
}

/* Entries in order of their keys, whatever order a map that was built by hand has: each time the
 * next key above the last one. Maps are short (max_items). */
static void put_map(struct sw_buffer *out, const struct sw_api_field *field, const void *value)
{
    const struct sw_api_pair *pairs = sw_field_items(field, value), *last = NULL;
    size_t count = sw_field_count(field, value);

    for (size_t done = 0; done < count; done++) {
        const struct sw_api_pair *next = NULL;
        for (size_t i = 0; i < count; i++)
            if ((last == NULL || strcmp(pairs[i].key, last->key) > 0) &&
                (next == NULL || strcmp(pairs[i].key, next->key) < 0))
                next = &pairs[i];
        if (next == NULL)
            return;
        put_pair(out, field->number, next);
        last = next;
    }
}

static void put_item(struct sw_buffer *out, const struct sw_api_field *field, const void *at)
{
    const struct sw_bytes *bytes = at;
    const char *text;

    switch (field->type) {
    case SW_API_TYPE_STRING:
        text = sw_field_text(at);
        put_run(out, field->number, text, strlen(text));
        return;
    case SW_API_TYPE_BYTES:
        put_run(out, field->number, bytes->data, bytes->size);
        return;
    case SW_API_TYPE_MESSAGE:
        put_tag(out, field->number, SW_WIRE_RUN);
        put_varint(out, sw_protobuf_size(field->message, at));
        sw_protobuf_encode(field->message, at, out);
        return;
    case SW_API_TYPE_BOOL:
    case SW_API_TYPE_INT32:
    case SW_API_TYPE_UINT32:
    case SW_API_TYPE_UINT64:
    case SW_API_TYPE_ENUM:
    case SW_API_TYPE_MAP:
        break;
    }
    put_tag(out, field->number, SW_WIRE_VARINT);
    put_varint(out, sw_field_integer(field, at));
}

static void put_items(struct sw_buffer *out, const struct sw_api_field *field, const void *value)
{
    size_t count = sw_field_count(field, value);

    if (sw_wire_of(field) != SW_WIRE_VARINT) {
        for (size_t i = 0; i < count; i++)
            put_item(out, field, sw_field_item(field, value, i));
        return;
    }
    put_tag(out, field->number, SW_WIRE_RUN);
    put_varint(out, packed_size(field, value));
    for (size_t i = 0; i < count; i++)
        put_varint(out, sw_field_integer(field, sw_field_item(field, value, i)));
}

void sw_protobuf_encode(const struct sw_api_message *message, const void *value,
                        struct sw_buffer *out)
{
    for (unsigned i = 0; i < message->field_count; i++) {
        const struct sw_api_field *field = &message->fields[i];
        if (!sw_field_is_set(field, value))
            continue;
        if (field->type == SW_API_TYPE_MAP)
            put_map(out, field, value);
        else if (sw_field_is_many(field))
            put_items(out, field, value);
        else
            put_item(out, field, sw_field_at(field, value));
    }
}
