#include "pkg/apis/swarm/v1/fields.h"
#include "pkg/apis/swarm/v1/json.h"
#include "pkg/utils/base/text.h"

#include <inttypes.h>

struct writer {
    struct sw_buffer *out;
    enum sw_json_style style;
    unsigned depth;
};

/* Characters that YAML takes for line breaks or refuses when they stand as they are, although JSON
 * does not mind: C1 controls, U+2028, U+2029, U+FEFF, U+FFFE and U+FFFF. 0: any other. */
static unsigned awkward_character(const unsigned char *text)
{
    if (text[0] == 0xc2 && text[1] >= 0x80 && text[1] <= 0x9f)
        return text[1];
    if (text[0] == 0xe2 && text[1] == 0x80 && (text[2] == 0xa8 || text[2] == 0xa9))
        return 0x2000u + (text[2] & 0x3fu);
    if (text[0] == 0xef && text[1] == 0xbb && text[2] == 0xbf)
        return 0xfeff;
    if (text[0] == 0xef && text[1] == 0xbf && text[2] >= 0xbe)
        return 0xffc0u + (text[2] & 0x3fu);
    return 0;
}

/* How many bytes from here on need no escape. */
static size_t plain_size(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    while (*at >= 0x20 && *at != '"' && *at != '\\' && *at != 0x7f && awkward_character(at) == 0)
        at++;
    return (size_t)(at - (const unsigned char *)text);
}

void sw_json_put_text(struct sw_buffer *out, const char *text)
{
    sw_buffer_put_u8(out, '"');
    while (*text != '\0') {
        size_t plain = plain_size(text);
        unsigned awkward = awkward_character((const unsigned char *)text + plain);
        sw_buffer_put(out, text, plain);
        text += plain;
        if (*text == '\0')
            break;
        if (awkward != 0)
            sw_buffer_print(out, "\\u%04x", awkward);
        else if (*text == '"' || *text == '\\')
            sw_buffer_print(out, "\\%c", *text);
        else if (*text == '\n')
            sw_buffer_put_text(out, "\\n");
        else if (*text == '\t')
            sw_buffer_put_text(out, "\\t");
        else
            sw_buffer_print(out, "\\u%04x", (unsigned)(unsigned char)*text);
        text += awkward == 0 ? 1 : awkward < 0x800 ? 2 : 3;
    }
    sw_buffer_put_u8(out, '"');
}

static void put_line(struct writer *writer)
{
    if (writer->style == SW_JSON_PRETTY)
        sw_buffer_print(writer->out, "\n%*s", (int)(2 * writer->depth), "");
}

static void open_with(struct writer *writer, const char *bracket)
{
    sw_buffer_put_text(writer->out, bracket);
    writer->depth++;
}

static void close_with(struct writer *writer, const char *bracket, bool has_content)
{
    writer->depth--;
    if (has_content)
        put_line(writer);
    sw_buffer_put_text(writer->out, bracket);
}

static void put_key(struct writer *writer, const char *key)
{
    sw_json_put_text(writer->out, key);
    sw_buffer_put_text(writer->out, writer->style == SW_JSON_PRETTY ? ": " : ":");
}

static void put_bytes(struct writer *writer, const struct sw_bytes *bytes)
{
    sw_buffer_put_u8(writer->out, '"');
    sw_base64_encode(bytes->data, bytes->size, writer->out);
    sw_buffer_put_u8(writer->out, '"');
}

static void put_number(struct writer *writer, const struct sw_api_field *field, uint64_t number)
{
    char time[SW_TIME_TEXT_SIZE];

    if (field->format == SW_API_FORMAT_TIMESTAMP) {
        sw_time_print(number, time);
        sw_json_put_text(writer->out, time);
    } else if (field->type == SW_API_TYPE_UINT64) {
        sw_buffer_print(writer->out, "\"%" PRIu64 "\"", number);
    } else {
        sw_buffer_print(writer->out, "%" PRId64, (int64_t)number);
    }
}

static void put_enum(struct writer *writer, const struct sw_api_field *field, int number)
{
    const char *text = sw_api_enum_text(field->enumeration, number);

    if (text[0] != '\0')
        sw_json_put_text(writer->out, text);
    else /* From a newer peer, or not set: the number is all that is known. */
        sw_buffer_print(writer->out, "%d", number);
}

static void put_message(struct writer *writer, const struct sw_api_message *message,
                        const void *value);

static void put_item(struct writer *writer, const struct sw_api_field *field, const void *at)
{
    switch (field->type) {
    case SW_API_TYPE_BOOL:
        sw_buffer_put_text(writer->out, sw_field_integer(field, at) ? "true" : "false");
        break;
    case SW_API_TYPE_INT32:
    case SW_API_TYPE_UINT32:
    case SW_API_TYPE_UINT64:
        put_number(writer, field, sw_field_integer(field, at));
        break;
    case SW_API_TYPE_ENUM:
        put_enum(writer, field, (int)sw_field_integer(field, at));
        break;
    case SW_API_TYPE_STRING:
        sw_json_put_text(writer->out, sw_field_text(at));
        break;
    case SW_API_TYPE_BYTES:
        put_bytes(writer, at);
        break;
    case SW_API_TYPE_MESSAGE:
        put_message(writer, field->message, at);
        break;
    case SW_API_TYPE_MAP:
        break;
    }
}

static void put_many(struct writer *writer, const struct sw_api_field *field, const void *value)
{
    const struct sw_api_pair *pairs = sw_field_items(field, value);
    bool is_map = field->type == SW_API_TYPE_MAP;
    size_t count = sw_field_count(field, value);

    open_with(writer, is_map ? "{" : "[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            sw_buffer_put_u8(writer->out, ',');
        put_line(writer);
        if (is_map) {
            put_key(writer, pairs[i].key);
            sw_json_put_text(writer->out, pairs[i].value);
        } else {
            put_item(writer, field, sw_field_item(field, value, i));
        }
    }
    close_with(writer, is_map ? "}" : "]", count > 0);
}

static void put_field(struct writer *writer, const struct sw_api_field *field, const void *value)
{
    if (sw_field_is_many(field))
        put_many(writer, field, value);
    else
        put_item(writer, field, sw_field_at(field, value));
}

static void put_message(struct writer *writer, const struct sw_api_message *message,
                        const void *value)
{
    bool has_content = false;

    open_with(writer, "{");
    for (unsigned i = 0; i < message->field_count; i++) {
        const struct sw_api_field *field = &message->fields[i];
        if (!sw_field_is_set(field, value))
            continue;
        if (has_content)
            sw_buffer_put_u8(writer->out, ',');
        has_content = true;
        put_line(writer);
        put_key(writer, field->name);
        put_field(writer, field, value);
    }
    close_with(writer, "}", has_content);
}

void sw_json_encode(const struct sw_api_message *message, const void *value,
                    enum sw_json_style style, struct sw_buffer *out)
{
    struct writer writer = {.out = out, .style = style};

    put_message(&writer, message, value);
    if (style == SW_JSON_PRETTY)
        sw_buffer_put_u8(out, '\n');
}

void sw_json_encode_field(const struct sw_api_field *field, const void *value,
                          enum sw_json_style style, struct sw_buffer *out)
{
    struct writer writer = {.out = out, .style = style};

    put_field(&writer, field, value);
}
