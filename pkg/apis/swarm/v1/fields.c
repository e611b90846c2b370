#include "pkg/apis/swarm/v1/fields.h"

#include <assert.h>
#include <stdlib.h>

size_t sw_field_item_size(const struct sw_api_field *field)
{
    switch (field->type) {
    case SW_API_TYPE_BOOL:
        return sizeof(bool);
    case SW_API_TYPE_INT32:
    case SW_API_TYPE_UINT32:
    case SW_API_TYPE_ENUM:
        return sizeof(uint32_t);
    case SW_API_TYPE_UINT64:
        return sizeof(uint64_t);
    case SW_API_TYPE_STRING:
        return sizeof(const char *);
    case SW_API_TYPE_BYTES:
        return sizeof(struct sw_bytes);
    case SW_API_TYPE_MESSAGE:
        return field->message->size_bytes;
    case SW_API_TYPE_MAP:
        return sizeof(struct sw_api_pair);
    }
    assert(0 && "a type without a size");
    return 0;
}

/* Arrays are grown at counts of 0, 4, 8, 16 ..., so the count tells how much room there is. */
void *sw_field_add_item(const struct sw_api_field *field, void *value, struct sw_arena *arena)
{
    size_t size_bytes = sw_field_item_size(field);
    size_t count = sw_field_count(field, value);
    char *items = sw_field_items(field, value);

    if (count == 0 || (count >= 4 && (count & (count - 1)) == 0)) {
        char *more = sw_arena_array(arena, count == 0 ? 4 : count * 2, size_bytes);
        if (more == NULL)
            return NULL;
        if (count > 0)
            memcpy(more, items, count * size_bytes);
        items = more;
        sw_field_set_items(field, value, items);
    }
    sw_field_set_count(field, value, count + 1);
    return items + count * size_bytes;
}

uint64_t sw_field_integer(const struct sw_api_field *field, const void *at)
{
    int32_t narrow;
    uint32_t wide;
    uint64_t number;

    switch (field->type) {
    case SW_API_TYPE_BOOL:
        return *(const bool *)at;
    case SW_API_TYPE_INT32:
    case SW_API_TYPE_ENUM:
        memcpy(&narrow, at, sizeof(narrow));
        return (uint64_t)(int64_t)narrow;
    case SW_API_TYPE_UINT32:
        memcpy(&wide, at, sizeof(wide));
        return wide;
    case SW_API_TYPE_UINT64:
        memcpy(&number, at, sizeof(number));
        return number;
    case SW_API_TYPE_STRING:
    case SW_API_TYPE_BYTES:
    case SW_API_TYPE_MESSAGE:
    case SW_API_TYPE_MAP:
        break;
    }
    assert(0 && "not a number");
    return 0;
}

void sw_field_set_integer(const struct sw_api_field *field, void *at, uint64_t number)
{
    uint32_t narrow = (uint32_t)number;

    if (field->type == SW_API_TYPE_BOOL)
        *(bool *)at = number != 0;
    else if (field->type == SW_API_TYPE_UINT64)
        memcpy(at, &number, sizeof(number));
    else
        memcpy(at, &narrow, sizeof(narrow));
}

bool sw_field_item_is_set(const struct sw_api_field *field, const void *at)
{
    switch (field->type) {
    case SW_API_TYPE_STRING:
        return sw_field_text(at)[0] != '\0';
    case SW_API_TYPE_BYTES:
        return ((const struct sw_bytes *)at)->size > 0;
    case SW_API_TYPE_MESSAGE:
        return !sw_api_is_empty(field->message, at);
    case SW_API_TYPE_BOOL:
    case SW_API_TYPE_INT32:
    case SW_API_TYPE_UINT32:
    case SW_API_TYPE_UINT64:
    case SW_API_TYPE_ENUM:
    case SW_API_TYPE_MAP:
        break;
    }
    return sw_field_integer(field, at) != 0;
}

bool sw_field_is_set(const struct sw_api_field *field, const void *value)
{
    if (sw_field_is_many(field))
        return sw_field_count(field, value) > 0;
    if (field->flags & SW_API_OPTIONAL)
        return sw_field_has(field, value);
    return sw_field_item_is_set(field, sw_field_at(field, value));
}

struct ranked_pair { /* A pair and where it stood, so that sorting keeps the order of equal keys. */
    struct sw_api_pair pair;
    size_t at;
};

static int compare_pairs(const void *one, const void *other)
{
    const struct ranked_pair *a = one, *b = other;
    int order = strcmp(a->pair.key, b->pair.key);
    return order != 0 ? order : (a->at > b->at) - (a->at < b->at);
}

enum sw_rc sw_field_sort_map(const struct sw_api_field *field, void *value, struct sw_arena *arena)
{
    struct sw_api_pair *pairs = sw_field_items(field, value);
    size_t count = sw_field_count(field, value), kept = 0;
    bool is_sorted = true;

    for (size_t i = 1; i < count && is_sorted; i++)
        is_sorted = strcmp(pairs[i - 1].key, pairs[i].key) < 0;
    if (is_sorted)
        return SW_OK;

    struct ranked_pair *ranked = sw_arena_array(arena, count, sizeof(*ranked));
    if (ranked == NULL)
        return SW_E_EXHAUSTED;
    for (size_t i = 0; i < count; i++)
        ranked[i] = (struct ranked_pair){.pair = pairs[i], .at = i};
    qsort(ranked, count, sizeof(*ranked), compare_pairs);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && strcmp(pairs[kept - 1].key, ranked[i].pair.key) == 0)
            kept--;
        pairs[kept++] = ranked[i].pair;
    }
    sw_field_set_count(field, value, kept);
    return SW_OK;
}

static const char *type_word(const struct sw_api_field *field)
{
    if (field->format == SW_API_FORMAT_TIMESTAMP)
        return "time";
    switch (field->type) {
    case SW_API_TYPE_BOOL:
        return "true or false";
    case SW_API_TYPE_INT32:
    case SW_API_TYPE_UINT32:
    case SW_API_TYPE_UINT64:
        return "whole number";
    case SW_API_TYPE_STRING:
        return field->format == SW_API_FORMAT_DURATION ? "duration"
               : field->format == SW_API_FORMAT_SIZE   ? "size"
               : field->format == SW_API_FORMAT_MONEY  ? "dollars"
                                                       : "text";
    case SW_API_TYPE_BYTES:
        return "bytes in base64";
    case SW_API_TYPE_ENUM:
        return field->enumeration->name;
    case SW_API_TYPE_MESSAGE:
        return field->message->name;
    case SW_API_TYPE_MAP:
        return "map of text";
    }
    return "";
}

void sw_field_print_type(const struct sw_api_field *field, struct sw_buffer *out)
{
    sw_buffer_print(out, "%s%s", field->flags & SW_API_REPEATED ? "list of " : "",
                    type_word(field));
}
