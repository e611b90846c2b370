#include "pkg/apis/swarm/v1/fields.h"
#include "pkg/apis/swarm/v1/path.h"
#include "pkg/apis/swarm/v1/validate.h"
#include "pkg/utils/base/text.h"

#include <inttypes.h>

#define NAMES_MAX 256
#define NAME_BYTES_MAX 256
#define LINE_COLUMNS 80

/* Words folded into lines, each behind `indent` blanks. */
static void put_folded(struct sw_buffer *out, const char *text, unsigned indent)
{
    unsigned column = 0;

    while (*text != '\0') {
        size_t size = strcspn(text, " \n");
        if (column > 0 && indent + column + 1 + size > LINE_COLUMNS) {
            sw_buffer_put_u8(out, '\n');
            column = 0;
        }
        sw_buffer_print(out, "%*s", column == 0 ? (int)indent : 1, "");
        column += (unsigned)size + (column == 0 ? 0 : 1);
        sw_buffer_put(out, text, size);
        text += size;
        while (*text == ' ' || *text == '\n')
            text++;
    }
    sw_buffer_put_u8(out, '\n');
}

static void put_rules(struct sw_buffer *out, const struct sw_api_field *field)
{
    if (field->flags & SW_API_REQUIRED)
        sw_buffer_put_text(out, "  required\n");
    if (field->required_unless[0] != '\0')
        sw_buffer_print(out, "  required unless %s is set\n", field->required_unless);
    if (field->flags & SW_API_IMMUTABLE)
        sw_buffer_put_text(out, "  never changes after the first write\n");
    if (field->flags & SW_API_OUTPUT)
        sw_buffer_put_text(out, "  written by the platform\n");
    if (field->default_text[0] != '\0')
        sw_buffer_print(out, "  default: %s\n", field->default_text);
    if (field->flags & SW_API_BOUNDED)
        sw_buffer_print(out, "  from %" PRId64 " to %" PRIu64 "%s\n", field->min, field->max,
                        field->format == SW_API_FORMAT_DURATION ? " ns"
                        : field->format == SW_API_FORMAT_SIZE   ? " bytes"
                                                                : "");
    if (field->max_len > 0)
        sw_buffer_print(out, "  at most %u bytes\n", field->max_len);
    if (field->max_items > 0)
        sw_buffer_print(out, "  at most %u items\n", field->max_items);
    if (field->format != SW_API_FORMAT_NONE)
        sw_buffer_print(out, "  %s\n", sw_format_describe(field->format));
    if (field->example[0] != '\0')
        sw_buffer_print(out, "  example: %s\n", field->example);
}

static void put_values(struct sw_buffer *out, const struct sw_api_enum *enumeration)
{
    sw_buffer_put_text(out, "\nVALUES\n");
    for (unsigned i = 0; i < enumeration->value_count; i++) {
        const struct sw_api_enum_value *value = &enumeration->values[i];
        sw_buffer_print(out, "  %s\n", value->text);
        put_folded(out, value->help, 6);
        if (!enumeration->is_state_machine)
            continue;
        sw_buffer_put_text(out, "      then:");
        for (unsigned n = 0; n < value->next_count; n++)
            sw_buffer_print(out, "%s %s", n > 0 ? "," : "",
                            sw_api_enum_text(enumeration, value->next[n]));
        sw_buffer_put_text(out, value->next_count == 0 ? " nothing\n" : "\n");
    }
}

static void put_fields(struct sw_buffer *out, const struct sw_api_message *message)
{
    sw_buffer_put_text(out, "\nFIELDS\n");
    for (unsigned i = 0; i < message->field_count; i++) {
        const struct sw_api_field *field = &message->fields[i];
        sw_buffer_print(out, "  %s  <", field->name);
        sw_field_print_type(field, out);
        sw_buffer_print(out, ">%s\n", field->flags & SW_API_REQUIRED ? "  required" : "");
        put_folded(out, field->help, 6);
    }
}

static enum sw_rc fail_unknown(const struct sw_api_message *message, const char *name,
                               struct sw_err *err)
{
    const char *names[NAMES_MAX], *nearest;
    unsigned count = message->field_count < NAMES_MAX ? message->field_count : NAMES_MAX;

    for (unsigned i = 0; i < count; i++)
        names[i] = message->fields[i].name;
    nearest = sw_text_nearest(name, names, count);
    sw_err_set(err, SW_E_NOT_FOUND, "%s has no field \"%.80s\"", message->name, name);
    if (nearest != NULL)
        sw_err_hint(err, "did you mean %s?", nearest);
    return SW_E_NOT_FOUND;
}

/* The next name of the path, which is moved behind it. */
static const char *take_name(const char **path, char ret_name[NAME_BYTES_MAX])
{
    size_t size = strcspn(*path, ".");
    size_t kept = size < NAME_BYTES_MAX ? size : NAME_BYTES_MAX - 1;

    memcpy(ret_name, *path, kept);
    ret_name[kept] = '\0';
    *path += size + ((*path)[size] == '.');
    return ret_name;
}

static void explain_field(struct sw_buffer *out, const struct sw_api_field *field)
{
    sw_buffer_print(out, "FIELD  %s  <", field->name);
    sw_field_print_type(field, out);
    sw_buffer_put_text(out, ">\n");
    put_folded(out, field->help, 2);
    sw_buffer_put_u8(out, '\n');
    put_rules(out, field);
    if (field->enumeration != NULL)
        put_values(out, field->enumeration);
    if (field->message != NULL)
        put_fields(out, field->message);
}

enum sw_rc sw_explain(const char *path, struct sw_buffer *out, struct sw_err *err)
{
    char name[NAME_BYTES_MAX];
    const struct sw_kind *kind = sw_kind_find_loosely(take_name(&path, name));
    const struct sw_api_field *field = NULL;

    if (kind == NULL) {
        const char *nearest = sw_kind_nearest(name);
        sw_err_set(err, SW_E_NOT_FOUND, "no kind \"%.80s\"", name);
        if (nearest != NULL)
            sw_err_hint(err, "did you mean %s?", nearest);
        return SW_E_NOT_FOUND;
    }
    const struct sw_api_message *message = kind->message;
    while (*path != '\0') {
        take_name(&path, name);
        if (message == NULL)
            return sw_err_set(err, SW_E_NOT_FOUND, "%s holds no fields", field->name);
        field = sw_api_field_find(message, name);
        if (field == NULL)
            return fail_unknown(message, name, err);
        message = field->message;
    }
    if (field != NULL) {
        sw_buffer_print(out, "KIND   %s\n", kind->name);
        explain_field(out, field);
        return SW_OK;
    }
    sw_buffer_print(out, "KIND   %s  (%s)\n", kind->name, SW_API_VERSION);
    put_folded(out, kind->message->help, 2);
    put_fields(out, kind->message);
    return SW_OK;
}
