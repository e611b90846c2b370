/* Reach into structs through field descriptors. For the files of this room only.
 *
 * Threads: pure functions.  I/O: none. */
#pragma once
#include "pkg/apis/swarm/v1/object.h"

#include <string.h>

/* Where the field stands in a value: the scalar or struct itself, or the pointer to items. */
static inline const void *sw_field_at(const struct sw_api_field *field, const void *value)
{
    return (const char *)value + field->offset;
}
static inline void *sw_field_in(const struct sw_api_field *field, void *value)
{
    return (char *)value + field->offset;
}
/* A field of many: repeated, or a map. */
static inline bool sw_field_is_many(const struct sw_api_field *field)
{
    return (field->flags & SW_API_REPEATED) != 0 || field->type == SW_API_TYPE_MAP;
}
static inline size_t sw_field_count(const struct sw_api_field *field, const void *value)
{
    return *(const size_t *)(const void *)((const char *)value + field->count_offset);
}
static inline void sw_field_set_count(const struct sw_api_field *field, void *value, size_t count)
{
    *(size_t *)(void *)((char *)value + field->count_offset) = count;
}
static inline bool sw_field_has(const struct sw_api_field *field, const void *value)
{
    return *(const bool *)((const char *)value + field->has_offset);
}
static inline void sw_field_set_has(const struct sw_api_field *field, void *value)
{
    if (field->flags & SW_API_OPTIONAL)
        *(bool *)((char *)value + field->has_offset) = true;
}
/* The first item of a repeated field or map; items stand one after another. */
static inline void *sw_field_items(const struct sw_api_field *field, const void *value)
{
    void *items;
    memcpy(&items, sw_field_at(field, value), sizeof(items));
    return items;
}
static inline void sw_field_set_items(const struct sw_api_field *field, void *value, void *items)
{
    memcpy(sw_field_in(field, value), &items, sizeof(items));
}
/* Size of one item of the field, or of a field that is not repeated. */
size_t sw_field_item_size(const struct sw_api_field *field);
static inline const void *sw_field_item(const struct sw_api_field *field, const void *value,
                                        size_t i)
{
    return (const char *)sw_field_items(field, value) + i * sw_field_item_size(field);
}
/* One more zeroed item at the end, grown in the arena; NULL when the arena is full. */
void *sw_field_add_item(const struct sw_api_field *field, void *value, struct sw_arena *arena);

/* A text at `at`, never NULL. */
static inline const char *sw_field_text(const void *at)
{
    const char *text;
    memcpy(&text, at, sizeof(text));
    return text == NULL ? "" : text;
}
static inline void sw_field_set_text(void *at, const char *text)
{
    memcpy(at, &text, sizeof(text));
}
/* A bool, number or enum at `at`, sign-extended to 64 bits. */
uint64_t sw_field_integer(const struct sw_api_field *field, const void *at);
void sw_field_set_integer(const struct sw_api_field *field, void *at, uint64_t number);

/* One item, or a field that is not repeated, holds something other than its empty value. */
bool sw_field_item_is_set(const struct sw_api_field *field, const void *at);
/* The field is set (descriptor.h says when). */
bool sw_field_is_set(const struct sw_api_field *field, const void *value);
/* Sort the entries of a map by key; of equal keys the last one stays. */
SW_MUST_CHECK enum sw_rc sw_field_sort_map(const struct sw_api_field *field, void *value,
                                           struct sw_arena *arena);
/* What the field holds, for people: "text", "whole number", "list of Condition" ... */
void sw_field_print_type(const struct sw_api_field *field, struct sw_buffer *out);
