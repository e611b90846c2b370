/* Random values of any message for tests: everything that its table allows, from a seed.
 *
 * Texts mix plain words with what encoders trip over: quotes, newlines, numbers, words of YAML. */
#pragma once
#include "pkg/apis/swarm/v1/fields.h"

struct random_source {
    uint64_t state;
};

/* SplitMix64 (Steele, Lea and Flood 2014). */
static inline uint64_t random_next(struct random_source *source)
{
    uint64_t z = (source->state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static inline const char *random_text(struct random_source *source, struct sw_arena *arena)
{
    static const char *const texts[] = {
        "reader",
        "a b c",
        "",
        "true",
        "null",
        "12",
        "1.5e3",
        "0x1F",
        "no",
        "~",
        "- item",
        "a: b",
        "a #b",
        "#c",
        "\"quoted\"",
        "it's",
        "line\n",
        "two\nlines",
        "a\n\nb\n",
        " lead",
        "trail ",
        "tab\there",
        "\x01\x7f",
        "é ü ø",
        "日本語",
        "\xf0\x9f\x90\x9d",
        "back\\slash",
        "\xc2\x85",
        "\xe2\x80\xa8",
        "\xef\xbb\xbfx",
        "\xef\xbf\xbf",
        "{curly}",
        "[square]",
        "*star",
        "&and",
        "!bang",
        "%percent",
        "@at",
        "`tick",
        "|",
        ">",
        "2026-01-01",
        "12:30:45",
        "1_000",
        ".5",
        "a\n b\n",
        "\n",
        "---",
        "...",
        "x:",
        "?",
        "-",
        "012",
        "1MiB",
        "500ms",
        "a\n\n",
        "=",
        "<<",
        "a,b",
    };
    uint64_t pick = random_next(source) % (sizeof(texts) / sizeof(texts[0]) + 1);
    if (pick < sizeof(texts) / sizeof(texts[0]))
        return texts[pick];
    return sw_arena_print(arena, "key-%llx", (unsigned long long)random_next(source));
}

static inline void random_value(struct random_source *source, const struct sw_api_message *message,
                                struct sw_arena *arena, void *value);

static inline void random_item(struct random_source *source, const struct sw_api_field *field,
                               struct sw_arena *arena, void *at)
{
    static const uint64_t numbers[] = {
        0, 1, 2, 127, 128, 300, 65536, INT32_MAX, UINT32_MAX, 1ull << 53, INT64_MAX, UINT64_MAX};
    uint64_t number = numbers[random_next(source) % (sizeof(numbers) / sizeof(numbers[0]))];
    struct sw_api_pair *pair = at;

    switch (field->type) {
    case SW_API_TYPE_STRING:
        sw_field_set_text(at, random_text(source, arena));
        break;
    case SW_API_TYPE_BYTES: {
        const char *text = random_text(source, arena);
        *(struct sw_bytes *)at = (struct sw_bytes){text, strlen(text)};
        break;
    }
    case SW_API_TYPE_MESSAGE:
        sw_api_init(field->message, at);
        random_value(source, field->message, arena, at);
        break;
    case SW_API_TYPE_MAP:
        *pair = (struct sw_api_pair){
            .key = sw_arena_print(arena, "%llx", (unsigned long long)random_next(source)),
            .value = random_text(source, arena)};
        break;
    case SW_API_TYPE_ENUM:
        number = random_next(source) % field->enumeration->value_count;
        sw_field_set_integer(field, at, (uint64_t)field->enumeration->values[number].number);
        break;
    case SW_API_TYPE_INT32:
        sw_field_set_integer(field, at, random_next(source) % 2 ? 0 - number : number);
        break;
    case SW_API_TYPE_BOOL:
    case SW_API_TYPE_UINT32:
        sw_field_set_integer(field, at, number);
        break;
    case SW_API_TYPE_UINT64:
        if (field->format == SW_API_FORMAT_TIMESTAMP)
            number = random_next(source) % 4102444800000000000ull;
        sw_field_set_integer(field, at, number);
        break;
    }
}

/* Each field is set two times in three. */
static inline void random_value(struct random_source *source, const struct sw_api_message *message,
                                struct sw_arena *arena, void *value)
{
    for (unsigned i = 0; i < message->field_count; i++) {
        const struct sw_api_field *field = &message->fields[i];
        if (random_next(source) % 3 == 0)
            continue;
        if (!sw_field_is_many(field)) {
            random_item(source, field, arena, sw_field_in(field, value));
            sw_field_set_has(field, value);
            continue;
        }
        for (uint64_t n = random_next(source) % 12; n > 0; n--)
            random_item(source, field, arena, sw_field_add_item(field, value, arena));
        if (field->type == SW_API_TYPE_MAP && sw_field_sort_map(field, value, arena) != SW_OK)
            return;
    }
}
