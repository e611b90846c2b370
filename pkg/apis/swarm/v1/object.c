#include "pkg/apis/swarm/v1/object.h"
#include "pkg/apis/swarm/v1/fields.h"

#include <assert.h>

/* Generated code asserts that the heads of all kinds agree, so any kind's offsets serve. */
#define HEAD_OFFSET(member) offsetof(struct sw_api_agent, member)

void sw_api_init(const struct sw_api_message *message, void *value)
{
    memset(value, 0, message->size_bytes);
    for (unsigned i = 0; i < message->field_count; i++) {
        const struct sw_api_field *field = &message->fields[i];
        if (sw_field_is_many(field))
            continue;
        if (field->type == SW_API_TYPE_STRING)
            sw_field_set_text(sw_field_in(field, value), "");
        else if (field->type == SW_API_TYPE_MESSAGE)
            sw_api_init(field->message, sw_field_in(field, value));
    }
}

void *sw_object_new(const struct sw_kind *kind, struct sw_arena *arena)
{
    char *object = sw_arena_get(arena, kind->message->size_bytes);

    if (object == NULL)
        return NULL;
    sw_api_init(kind->message, object);
    sw_field_set_text(object + HEAD_OFFSET(api_version), SW_API_VERSION);
    sw_field_set_text(object + HEAD_OFFSET(kind), kind->name);
    return object;
}

struct sw_api_object_meta *sw_object_meta(void *object)
{
    return (struct sw_api_object_meta *)(void *)((char *)object + HEAD_OFFSET(metadata));
}

const struct sw_api_object_meta *sw_object_meta_of(const void *object)
{
    return (const struct sw_api_object_meta *)(const void *)((const char *)object +
                                                             HEAD_OFFSET(metadata));
}

const struct sw_kind *sw_object_kind(const void *object)
{
    return sw_kind_find(sw_field_text((const char *)object + HEAD_OFFSET(kind)));
}

void *sw_object_part(const struct sw_kind *kind, void *object, const char *part,
                     const struct sw_api_message **ret_message)
{
    const struct sw_api_field *field = sw_api_field_find(kind->message, part);

    if (field == NULL || field->type != SW_API_TYPE_MESSAGE || sw_field_is_many(field))
        return NULL;
    if (ret_message != NULL)
        *ret_message = field->message;
    return sw_field_in(field, object);
}

static enum sw_rc copy_item(const struct sw_api_field *field, const void *from,
                            struct sw_arena *arena, void *to)
{
    const struct sw_bytes *bytes = from;
    const struct sw_api_pair *pair = from;
    const char *text;

    switch (field->type) {
    case SW_API_TYPE_STRING:
        text = sw_field_text(from);
        text = sw_arena_copy(arena, text, strlen(text));
        sw_field_set_text(to, text);
        return text == NULL ? SW_E_EXHAUSTED : SW_OK;
    case SW_API_TYPE_BYTES:
        text = sw_arena_copy(arena, bytes->data, bytes->size);
        *(struct sw_bytes *)to = (struct sw_bytes){text, bytes->size};
        return text == NULL ? SW_E_EXHAUSTED : SW_OK;
    case SW_API_TYPE_MAP:
        *(struct sw_api_pair *)to =
            (struct sw_api_pair){.key = sw_arena_copy(arena, pair->key, strlen(pair->key)),
                                 .value = sw_arena_copy(arena, pair->value, strlen(pair->value))};
        pair = to;
        return pair->key == NULL || pair->value == NULL ? SW_E_EXHAUSTED : SW_OK;
    case SW_API_TYPE_MESSAGE:
        return sw_api_copy(field->message, from, arena, to);
    case SW_API_TYPE_BOOL:
    case SW_API_TYPE_INT32:
    case SW_API_TYPE_UINT32:
    case SW_API_TYPE_UINT64:
    case SW_API_TYPE_ENUM:
        memcpy(to, from, sw_field_item_size(field));
        break;
    }
    return SW_OK;
}

static enum sw_rc copy_items(const struct sw_api_field *field, const void *value,
                             struct sw_arena *arena, void *copy)
{
    size_t count = sw_field_count(field, value);

    sw_field_set_items(field, copy, NULL);
    sw_field_set_count(field, copy, 0);
    for (size_t i = 0; i < count; i++) {
        void *item = sw_field_add_item(field, copy, arena);
        if (item == NULL || copy_item(field, sw_field_item(field, value, i), arena, item) != SW_OK)
            return SW_E_EXHAUSTED;
    }
    return SW_OK;
}

enum sw_rc sw_api_copy(const struct sw_api_message *message, const void *value,
                       struct sw_arena *arena, void *ret_copy)
{
    enum sw_rc rc = SW_OK;

    memcpy(ret_copy, value, message->size_bytes);
    for (unsigned i = 0; i < message->field_count && rc == SW_OK; i++) {
        const struct sw_api_field *field = &message->fields[i];
        if (sw_field_is_many(field))
            rc = copy_items(field, value, arena, ret_copy);
        else
            rc = copy_item(field, sw_field_at(field, value), arena, sw_field_in(field, ret_copy));
    }
    return rc;
}

void *sw_object_copy(const struct sw_kind *kind, const void *object, struct sw_arena *arena)
{
    void *copy = sw_arena_get(arena, kind->message->size_bytes);

    if (copy == NULL || sw_api_copy(kind->message, object, arena, copy) != SW_OK)
        return NULL;
    return copy;
}

static bool item_is_equal(const struct sw_api_field *field, const void *one, const void *other)
{
    const struct sw_bytes *a = one, *b = other;

    switch (field->type) {
    case SW_API_TYPE_STRING:
        return strcmp(sw_field_text(one), sw_field_text(other)) == 0;
    case SW_API_TYPE_BYTES:
        return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
    case SW_API_TYPE_MESSAGE:
        return sw_api_is_equal(field->message, one, other);
    case SW_API_TYPE_BOOL:
    case SW_API_TYPE_INT32:
    case SW_API_TYPE_UINT32:
    case SW_API_TYPE_UINT64:
    case SW_API_TYPE_ENUM:
    case SW_API_TYPE_MAP:
        break;
    }
    return sw_field_integer(field, one) == sw_field_integer(field, other);
}

/* Same count, and each key of one is in the other with the same value. */
static bool map_is_equal(const struct sw_api_field *field, const void *one, const void *other)
{
    const struct sw_api_pair *pairs = sw_field_items(field, one);
    size_t count = sw_field_count(field, one);

    for (size_t i = 0; i < count; i++) {
        const char *value = sw_api_pair_find(sw_field_items(field, other), count, pairs[i].key);
        if (value == NULL || strcmp(value, pairs[i].value) != 0)
            return false;
    }
    return true;
}

static bool field_is_equal(const struct sw_api_field *field, const void *one, const void *other)
{
    if (!sw_field_is_many(field))
        return sw_field_is_set(field, one) == sw_field_is_set(field, other) &&
               item_is_equal(field, sw_field_at(field, one), sw_field_at(field, other));
    size_t count = sw_field_count(field, one);
    if (count != sw_field_count(field, other))
        return false;
    if (field->type == SW_API_TYPE_MAP)
        return map_is_equal(field, one, other);
    for (size_t i = 0; i < count; i++)
        if (!item_is_equal(field, sw_field_item(field, one, i), sw_field_item(field, other, i)))
            return false;
    return true;
}

bool sw_api_is_equal(const struct sw_api_message *message, const void *one, const void *other)
{
    for (unsigned i = 0; i < message->field_count; i++)
        if (!field_is_equal(&message->fields[i], one, other))
            return false;
    return true;
}

bool sw_api_is_empty(const struct sw_api_message *message, const void *value)
{
    for (unsigned i = 0; i < message->field_count; i++)
        if (sw_field_is_set(&message->fields[i], value))
            return false;
    return true;
}

void sw_api_fill_missing(const struct sw_api_message *message, void *into, const void *from)
{
    for (unsigned i = 0; i < message->field_count; i++) {
        const struct sw_api_field *field = &message->fields[i];
        if (sw_field_is_many(field)) {
            if (sw_field_count(field, into) > 0)
                continue;
            sw_field_set_items(field, into, sw_field_items(field, from));
            sw_field_set_count(field, into, sw_field_count(field, from));
        } else if (field->type == SW_API_TYPE_MESSAGE) {
            sw_api_fill_missing(field->message, sw_field_in(field, into), sw_field_at(field, from));
        } else if (!sw_field_is_set(field, into) && sw_field_is_set(field, from)) {
            memcpy(sw_field_in(field, into), sw_field_at(field, from), sw_field_item_size(field));
            sw_field_set_has(field, into);
        }
    }
}
