#include "pkg/apis/swarm/v1/fields.h"
#include "pkg/apis/swarm/v1/json.h"
#include "pkg/apis/swarm/v1/yaml.h"
#include "pkg/apis/swarm/v1/yaml_parse.h"

#include <ctype.h>
#include <strings.h>

struct writer {
    struct sw_buffer *out;
    unsigned depth;  /* Levels of two spaces. */
    bool is_started; /* The indentation of the present line is written: behind "- ". */
};

static void put_indent(struct writer *writer)
{
    if (!writer->is_started)
        sw_buffer_print(writer->out, "%*s", (int)(2 * writer->depth), "");
    writer->is_started = false;
}

/* Text that every YAML reader, also of version 1.1, takes for the same text without quotes. */
static bool is_plain(const char *text)
{
    static const char *const words[] = {"y",   "n",    "yes",   "no",  "on",
                                        "off", "true", "false", "null"};
    size_t size = strlen(text);
    bool is_numeric = isdigit((unsigned char)text[0]);

    if (size == 0 || size > 80 || sw_yaml_plain_type(text) != SW_TREE_TEXT)
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcasecmp(text, words[i]) == 0)
            return false;
    for (size_t i = 0; i < size; i++) {
        bool is_inner = i > 0 && i + 1 < size;
        bool is_safe = isalnum((unsigned char)text[i]) || strchr("_./", text[i]) != NULL ||
                       (is_inner && strchr("-@+", text[i]) != NULL) ||
                       (is_inner && text[i] == ' ' && !is_numeric) ||
                       (is_inner && text[i] == ':' && text[i + 1] != ' ' && !is_numeric);
        if (!is_safe)
            return false;
    }
    /* Dates, octal and hexadecimal numbers, and numbers with '_' of YAML 1.1. */
    return !is_numeric || (strpbrk(text, "-_./+@") == NULL && text[0] != '0' &&
                           isalpha((unsigned char)text[size - 1]));
}

/* Several lines of printable text, none of which begins or ends with a space. */
static bool is_block(const char *text)
{
    bool has_newline = false;

    if (text[0] == '\0' || text[0] == ' ' || text[0] == '\n')
        return false;
    for (const char *at = text; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte == '\n')
            has_newline = true;
        else if (byte < 0x20 || byte >= 0x7f)
            return false;
        if (byte == ' ' && (at[1] == '\n' || at[1] == '\0'))
            return false;
    }
    return has_newline;
}

static void put_block(struct writer *writer, const char *text)
{
    size_t size = strlen(text), tail = 0;

    while (tail < size && text[size - 1 - tail] == '\n')
        tail++;
    sw_buffer_print(writer->out, "|%s\n", tail == 0 ? "-" : tail == 1 ? "" : "+");
    while (*text != '\0') {
        size_t line = strcspn(text, "\n");
        if (line > 0)
            sw_buffer_print(writer->out, "%*s", (int)(2 * (writer->depth + 1)), "");
        sw_buffer_put(writer->out, text, line);
        sw_buffer_put_u8(writer->out, '\n');
        text += line + (text[line] == '\n');
    }
}

/* A text and the end of its line. */
static void put_text(struct writer *writer, const char *text)
{
    if (is_block(text)) {
        put_block(writer, text);
        return;
    }
    if (is_plain(text))
        sw_buffer_put_text(writer->out, text);
    else /* JSON's strings are YAML's double-quoted ones. */
        sw_json_put_text(writer->out, text);
    sw_buffer_put_u8(writer->out, '\n');
}

static void put_key(struct writer *writer, const char *key)
{
    put_indent(writer);
    if (is_plain(key))
        sw_buffer_put_text(writer->out, key);
    else
        sw_json_put_text(writer->out, key);
    sw_buffer_put_text(writer->out, ":");
}

static void put_message(struct writer *writer, const struct sw_api_message *message,
                        const void *value);

static void put_list(struct writer *writer, const struct sw_api_field *field, const void *value)
{
    size_t count = sw_field_count(field, value);

    for (size_t i = 0; i < count; i++) {
        const void *item = sw_field_item(field, value, i);
        put_indent(writer);
        sw_buffer_put_text(writer->out, "- ");
        writer->depth++;
        if (field->type == SW_API_TYPE_STRING) {
            put_text(writer, sw_field_text(item));
        } else if (sw_api_is_empty(field->message, item)) {
            sw_buffer_put_text(writer->out, "{}\n");
        } else {
            writer->is_started = true;
            put_message(writer, field->message, item);
        }
        writer->depth--;
    }
}

static void put_map(struct writer *writer, const struct sw_api_field *field, const void *value)
{
    const struct sw_api_pair *pairs = sw_field_items(field, value);

    writer->depth++;
    for (size_t i = 0; i < sw_field_count(field, value); i++) {
        put_key(writer, pairs[i].key);
        sw_buffer_put_u8(writer->out, ' ');
        put_text(writer, pairs[i].value);
    }
    writer->depth--;
}

/* Numbers, words and times look as in JSON, and so do lists of what is neither text nor message. */
static void put_as_json(struct writer *writer, const struct sw_api_field *field, const void *value)
{
    if (field->type == SW_API_TYPE_ENUM &&
        is_plain(sw_api_enum_text(field->enumeration,
                                  (int)sw_field_integer(field, sw_field_at(field, value)))))
        sw_buffer_put_text(
            writer->out, sw_api_enum_text(field->enumeration,
                                          (int)sw_field_integer(field, sw_field_at(field, value))));
    else
        sw_json_encode_field(field, value, SW_JSON_COMPACT, writer->out);
    sw_buffer_put_u8(writer->out, '\n');
}

static void put_field(struct writer *writer, const struct sw_api_field *field, const void *value)
{
    bool is_list = (field->flags & SW_API_REPEATED) != 0;
    bool is_block_type =
        field->type == SW_API_TYPE_MESSAGE || (is_list && field->type == SW_API_TYPE_STRING);

    put_key(writer, field->name);
    if (field->type == SW_API_TYPE_MAP || is_block_type) {
        sw_buffer_put_u8(writer->out, '\n');
        if (field->type == SW_API_TYPE_MAP) {
            put_map(writer, field, value);
        } else if (is_list) {
            put_list(writer, field, value);
        } else {
            writer->depth++;
            put_message(writer, field->message, sw_field_at(field, value));
            writer->depth--;
        }
        return;
    }
    sw_buffer_put_u8(writer->out, ' ');
    if (!is_list && field->type == SW_API_TYPE_STRING)
        put_text(writer, sw_field_text(sw_field_at(field, value)));
    else
        put_as_json(writer, field, value);
}

static void put_message(struct writer *writer, const struct sw_api_message *message,
                        const void *value)
{
    for (unsigned i = 0; i < message->field_count; i++)
        if (sw_field_is_set(&message->fields[i], value))
            put_field(writer, &message->fields[i], value);
}

void sw_yaml_encode(const struct sw_api_message *message, const void *value, struct sw_buffer *out)
{
    struct writer writer = {.out = out};

    if (sw_api_is_empty(message, value))
        sw_buffer_put_text(out, "{}\n");
    else
        put_message(&writer, message, value);
}
