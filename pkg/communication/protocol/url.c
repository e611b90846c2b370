#include "pkg/communication/protocol/url.h"

#include "pkg/utils/base/text.h"

#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decode into room for text.size bytes; SIZE_MAX for a broken escape. */
static size_t decode(struct sw_bytes text, bool is_form, char *ret_bytes)
{
    const char *data = text.data;
    size_t written = 0;

    for (size_t i = 0; i < text.size; i++) {
        char c = data[i];

        if (c == '%') {
            int high, low;

            if (text.size - i < 3)
                return SIZE_MAX;
            high = hex_digit(data[i + 1]);
            low = hex_digit(data[i + 2]);
            if (high < 0 || low < 0)
                return SIZE_MAX;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && is_form) {
            c = ' ';
        }
        ret_bytes[written++] = c;
    }
    return written;
}

enum sw_rc sw_url_decode(struct sw_bytes text, struct sw_buffer *out)
{
    uint8_t *room = sw_buffer_reserve(out, text.size);
    size_t size;

    if (room == NULL)
        return SW_E_EXHAUSTED;
    size = decode(text, false, (char *)room);
    if (size == SIZE_MAX)
        return SW_E_INVALID;
    out->size += size;
    return SW_OK;
}

/* A decoded, NUL-terminated copy in the arena. */
static enum sw_rc decode_text(struct sw_bytes text, bool is_form, struct sw_arena *arena,
                              const char **ret_text, struct sw_err *err)
{
    char *copy = sw_arena_get(arena, text.size + 1);
    size_t size;

    if (copy == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for this request");
    size = decode(text, is_form, copy);
    if (size == SIZE_MAX)
        return sw_err_set(err, SW_E_INVALID, "a '%%' is not followed by two hexadecimal digits");
    if (!sw_text_is_utf8(copy, size))
        return sw_err_set(err, SW_E_INVALID, "the address is not UTF-8 text");
    copy[size] = '\0';
    *ret_text = copy;
    return SW_OK;
}

/* The bytes up to the next `end`, or all; *rest begins after it. */
static struct sw_bytes take_part(struct sw_bytes *rest, char end)
{
    const char *at = rest->size == 0 ? NULL : memchr(rest->data, end, rest->size);
    struct sw_bytes part = *rest;

    if (at == NULL) {
        *rest = (struct sw_bytes){0};
        return part;
    }
    part.size = (size_t)(at - (const char *)rest->data);
    rest->data = at + 1;
    rest->size -= part.size + 1;
    return part;
}

enum sw_rc sw_url_split_path(struct sw_bytes path, struct sw_arena *arena,
                             struct sw_url_path *ret_path, struct sw_err *err)
{
    ret_path->count = 0;
    if (path.size == 0 || *(const char *)path.data != '/')
        return sw_err_set(err, SW_E_INVALID, "the path does not begin with '/'");
    (void)take_part(&path, '/');
    while (path.size > 0) {
        const char *segment = NULL;
        enum sw_rc rc = decode_text(take_part(&path, '/'), false, arena, &segment, err);

        if (rc != SW_OK)
            return rc;
        if (segment[0] == '\0' || strcmp(segment, ".") == 0 || strcmp(segment, "..") == 0)
            return sw_err_set(err, SW_E_INVALID, "the path holds an empty segment, '.' or '..'");
        if (ret_path->count == SW_URL_SEGMENTS_MAX)
            return sw_err_set(err, SW_E_INVALID, "the path has more than %d segments",
                              SW_URL_SEGMENTS_MAX);
        ret_path->segments[ret_path->count++] = segment;
    }
    return SW_OK;
}

enum sw_rc sw_url_split_query(struct sw_bytes query, struct sw_arena *arena,
                              struct sw_url_query *ret_query, struct sw_err *err)
{
    ret_query->count = 0;
    while (query.size > 0) {
        struct sw_bytes value = take_part(&query, '&');
        struct sw_bytes name = take_part(&value, '=');
        const char *name_text = NULL, *value_text = NULL;
        enum sw_rc rc;

        if (name.size == 0 && value.size == 0)
            continue;
        rc = decode_text(name, true, arena, &name_text, err);
        if (rc == SW_OK)
            rc = decode_text(value, true, arena, &value_text, err);
        if (rc != SW_OK)
            return rc;
        if (sw_url_query_find(ret_query, name_text) != NULL)
            return sw_err_set(err, SW_E_INVALID, "the parameter \"%s\" is given twice", name_text);
        if (ret_query->count == SW_URL_PARAMETERS_MAX)
            return sw_err_set(err, SW_E_INVALID, "there are more than %d parameters",
                              SW_URL_PARAMETERS_MAX);
        ret_query->parameters[ret_query->count].name = name_text;
        ret_query->parameters[ret_query->count].value = value_text;
        ret_query->count++;
    }
    return SW_OK;
}

const char *sw_url_query_find(const struct sw_url_query *query, const char *name)
{
    for (size_t i = 0; i < query->count; i++)
        if (strcmp(query->parameters[i].name, name) == 0)
            return query->parameters[i].value;
    return NULL;
}
