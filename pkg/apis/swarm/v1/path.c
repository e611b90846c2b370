#include "pkg/apis/swarm/v1/path.h"
#include "pkg/apis/swarm/v1/fields.h"
#include "pkg/apis/swarm/v1/json.h"
#include "pkg/utils/base/text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>

#define NAME_BYTES_MAX 256
#define NAMES_MAX 256
#define STEPS_MAX 16

enum step_type { STEP_NAME, STEP_INDEX, STEP_ALL };

struct step {
    enum step_type type;
    char name[NAME_BYTES_MAX]; /* Of a STEP_NAME. */
    bool is_quoted;            /* It stood in brackets, so it is a key of a map. */
    unsigned long index;
};

struct finder {
    struct step steps[STEPS_MAX];
    unsigned count;
    struct sw_buffer *out;
    struct sw_err *err;
    size_t matches;
};

static enum sw_rc fail(struct sw_err *err, const char *words, const char *at)
{
    return sw_err_set(err, SW_E_INVALID, "jsonpath: %s at \"%.40s\"", words, at);
}

static enum sw_rc copy_name(struct step *step, const char *from, size_t size, struct sw_err *err)
{
    if (size == 0 || size >= NAME_BYTES_MAX)
        return fail(err, "expected a name", from);
    memcpy(step->name, from, size);
    step->name[size] = '\0';
    return SW_OK;
}

/* "[3]", "[*]" or "['key']". */
static enum sw_rc parse_bracket(const char **path, struct step *step, struct sw_err *err)
{
    const char *at = *path + 1, *end;
    char *rest;

    if (*at == '\'' || *at == '"') {
        end = strchr(at + 1, *at);
        if (end == NULL || end[1] != ']')
            return fail(err, "expected a quoted key and ]", *path);
        *path = end + 2;
        step->is_quoted = true;
        return copy_name(step, at + 1, (size_t)(end - at - 1), err);
    }
    if (at[0] == '*' && at[1] == ']') {
        step->type = STEP_ALL;
        *path = at + 2;
        return SW_OK;
    }
    step->type = STEP_INDEX;
    step->index = isdigit((unsigned char)*at) ? strtoul(at, &rest, 10) : 0;
    if (!isdigit((unsigned char)*at) || *rest != ']')
        return fail(err, "expected [number], [*] or ['key']", *path);
    *path = rest + 1;
    return SW_OK;
}

/* The whole of `path`, which may begin with "$" or ".". */
static enum sw_rc parse_path(struct finder *finder, const char *path)
{
    enum sw_rc rc = SW_OK;

    path += *path == '$';
    while (*path != '\0' && rc == SW_OK) {
        struct step *step = &finder->steps[finder->count];
        if (finder->count++ == STEPS_MAX)
            return fail(finder->err, "too many steps", path);
        *step = (struct step){0};
        if (*path == '[') {
            rc = parse_bracket(&path, step, finder->err);
            continue;
        }
        path += *path == '.';
        size_t size = strcspn(path, ".[");
        if (size == 0 && *path == '\0' && finder->count == 1) {
            finder->count = 0; /* "." is the whole. */
            return SW_OK;
        }
        rc = copy_name(step, path, size, finder->err);
        path += size;
    }
    return rc;
}

static void put_scalar(struct finder *finder, const struct sw_api_field *field, const void *at)
{
    char time[SW_TIME_TEXT_SIZE];
    uint64_t number;

    if (field->type == SW_API_TYPE_STRING) {
        sw_buffer_put_text(finder->out, sw_field_text(at));
        return;
    }
    if (field->type == SW_API_TYPE_BYTES) {
        const struct sw_bytes *bytes = at;
        sw_base64_encode(bytes->data, bytes->size, finder->out);
        return;
    }
    number = sw_field_integer(field, at);
    if (field->type == SW_API_TYPE_ENUM) {
        sw_buffer_put_text(finder->out, sw_api_enum_text(field->enumeration, (int)number));
    } else if (field->type == SW_API_TYPE_BOOL) {
        sw_buffer_put_text(finder->out, number ? "true" : "false");
    } else if (field->format == SW_API_FORMAT_TIMESTAMP) {
        sw_time_print(number, time);
        sw_buffer_put_text(finder->out, number == 0 ? "" : time);
    } else if (field->type == SW_API_TYPE_INT32) {
        sw_buffer_print(finder->out, "%" PRId64, (int64_t)number);
    } else {
        sw_buffer_print(finder->out, "%" PRIu64, number);
    }
}

static void begin_match(struct finder *finder)
{
    if (finder->matches++ > 0)
        sw_buffer_put_u8(finder->out, ' ');
}

static enum sw_rc find_in_message(struct finder *finder, const struct sw_api_message *message,
                                  const void *value, unsigned step);

static enum sw_rc find_in_item(struct finder *finder, const struct sw_api_field *field,
                               const void *at, unsigned step)
{
    if (field->type == SW_API_TYPE_MESSAGE)
        return find_in_message(finder, field->message, at, step);
    if (step < finder->count)
        return sw_err_set(finder->err, SW_E_INVALID, "jsonpath: %s holds no fields", field->name);
    begin_match(finder);
    put_scalar(finder, field, at);
    return SW_OK;
}

static enum sw_rc find_in_list(struct finder *finder, const struct sw_api_field *field,
                               const void *value, unsigned step)
{
    const struct step *at = &finder->steps[step];
    size_t count = sw_field_count(field, value);
    size_t first = at->type == STEP_INDEX ? at->index : 0;
    size_t end = at->type == STEP_INDEX && at->index < count ? at->index + 1 : count;
    enum sw_rc rc = SW_OK;

    if (at->type == STEP_NAME)
        return sw_err_set(finder->err, SW_E_INVALID, "jsonpath: %s is a list: use [0] or [*]",
                          field->name);
    for (size_t i = first; i < end && rc == SW_OK; i++)
        rc = find_in_item(finder, field, sw_field_item(field, value, i), step + 1);
    return rc;
}

static enum sw_rc find_in_map(struct finder *finder, const struct sw_api_field *field,
                              const void *value, unsigned step)
{
    const struct step *at = &finder->steps[step];
    const struct sw_api_pair *pairs = sw_field_items(field, value);
    bool is_last = step + 1 == finder->count;

    if (at->type == STEP_INDEX || !is_last)
        return sw_err_set(finder->err, SW_E_INVALID, "jsonpath: %s is a map of text: use ['key']",
                          field->name);
    for (size_t i = 0; i < sw_field_count(field, value); i++) {
        if (at->type == STEP_NAME && strcmp(pairs[i].key, at->name) != 0)
            continue;
        begin_match(finder);
        sw_buffer_put_text(finder->out, pairs[i].value);
    }
    return SW_OK;
}

static enum sw_rc fail_unknown(struct finder *finder, const struct sw_api_message *message,
                               const char *name)
{
    const char *names[NAMES_MAX], *nearest;
    unsigned count = message->field_count < NAMES_MAX ? message->field_count : NAMES_MAX;

    for (unsigned i = 0; i < count; i++)
        names[i] = message->fields[i].name;
    nearest = sw_text_nearest(name, names, count);
    sw_err_set(finder->err, SW_E_INVALID, "jsonpath: %s has no field \"%.80s\"", message->name,
               name);
    if (nearest != NULL)
        sw_err_hint(finder->err, "did you mean %s?", nearest);
    return SW_E_INVALID;
}

static enum sw_rc find_in_message(struct finder *finder, const struct sw_api_message *message,
                                  const void *value, unsigned step)
{
    const struct step *at = &finder->steps[step];
    const struct sw_api_field *field;

    if (step == finder->count) {
        begin_match(finder);
        sw_json_encode(message, value, SW_JSON_COMPACT, finder->out);
        return SW_OK;
    }
    field = at->type == STEP_NAME ? sw_api_field_find(message, at->name) : NULL;
    if (field == NULL)
        return fail_unknown(finder, message, at->type == STEP_NAME ? at->name : "[]");
    step++;
    if ((field->flags & SW_API_OPTIONAL) != 0 && step == finder->count &&
        !sw_field_has(field, value))
        return SW_OK; /* It is not 0: it is not there. */
    if (!sw_field_is_many(field))
        return find_in_item(finder, field, sw_field_at(field, value), step);
    if (step == finder->count) {
        begin_match(finder);
        sw_json_encode_field(field, value, SW_JSON_COMPACT, finder->out);
        return SW_OK;
    }
    return field->type == SW_API_TYPE_MAP ? find_in_map(finder, field, value, step)
                                          : find_in_list(finder, field, value, step);
}

static enum sw_rc print_path(const struct sw_api_message *message, const void *value,
                             const char *path, struct sw_buffer *out, struct sw_err *err)
{
    struct finder finder = {.out = out, .err = err};
    enum sw_rc rc = parse_path(&finder, path);

    return rc != SW_OK ? rc : find_in_message(&finder, message, value, 0);
}

/* What stands between double quotes: \n, \t, \" and \\ are known. */
static enum sw_rc print_quoted(const char *text, size_t size, struct sw_buffer *out,
                               struct sw_err *err)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] != '\\') {
            sw_buffer_put_u8(out, (uint8_t)text[i]);
            continue;
        }
        const char *known = i + 1 < size ? strchr("nt\"\\", text[i + 1]) : NULL;
        if (known == NULL)
            return fail(err, "an unknown escape", text + i);
        sw_buffer_put_u8(out, *known == 'n' ? '\n' : *known == 't' ? '\t' : (uint8_t)*known);
        i++;
    }
    return SW_OK;
}

/* The end of what stands between braces, or NULL: quotes may hold a brace. */
static const char *find_brace(const char *at)
{
    char quote = '\0';

    for (; *at != '\0'; at++) {
        if (quote != '\0' && *at == '\\' && at[1] != '\0')
            at++;
        else if (quote != '\0' && *at == quote)
            quote = '\0';
        else if (quote == '\0' && (*at == '"' || *at == '\''))
            quote = *at;
        else if (quote == '\0' && *at == '}')
            return at;
    }
    return NULL;
}

enum sw_rc sw_path_print(const struct sw_api_message *message, const void *value, const char *path,
                         struct sw_buffer *out, struct sw_err *err)
{
    enum sw_rc rc = SW_OK;

    if (strlen(path) > SW_FIELD_PATH_MAX)
        return sw_err_set(err, SW_E_INVALID, "jsonpath: longer than %d bytes", SW_FIELD_PATH_MAX);
    if (strchr(path, '{') == NULL)
        return print_path(message, value, path, out, err);
    while (*path != '\0' && rc == SW_OK) {
        char inner[SW_FIELD_PATH_MAX + 1];
        size_t plain = strcspn(path, "{");
        sw_buffer_put(out, path, plain);
        path += plain;
        if (*path == '\0')
            break;
        const char *end = find_brace(path + 1);
        if (end == NULL)
            return fail(err, "no closing }", path);
        size_t size = (size_t)(end - path - 1);
        if (size >= 2 && path[1] == '"' && end[-1] == '"') {
            rc = print_quoted(path + 2, size - 2, out, err);
        } else {
            memcpy(inner, path + 1, size);
            inner[size] = '\0';
            rc = print_path(message, value, inner, out, err);
        }
        path = end + 1;
    }
    return rc;
}
