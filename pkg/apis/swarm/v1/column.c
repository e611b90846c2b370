#include "pkg/apis/swarm/v1/fields.h"
#include "pkg/apis/swarm/v1/path.h"

#include <inttypes.h>

#define SECOND_NS 1000000000ull

/* The field that a column of a time names; api/v1 gives such columns plain paths. */
static const void *find_time(const struct sw_api_message *message, const void *value,
                             const char *path)
{
    while (true) {
        char name[64] = "";
        size_t size = strcspn(path, ".");
        if (size >= sizeof(name))
            return NULL;
        memcpy(name, path, size);
        const struct sw_api_field *field = sw_api_field_find(message, name);
        if (field == NULL || sw_field_is_many(field))
            return NULL;
        value = sw_field_at(field, value);
        if (path[size] == '\0')
            return field->format == SW_API_FORMAT_TIMESTAMP ? value : NULL;
        if (field->type != SW_API_TYPE_MESSAGE)
            return NULL;
        message = field->message;
        path += size + 1;
    }
}

void sw_age_print(uint64_t age_ns, struct sw_buffer *out)
{
    uint64_t s = age_ns / SECOND_NS;

    if (s < 120)
        sw_buffer_print(out, "%" PRIu64 "s", s);
    else if (s < 600)
        sw_buffer_print(out, "%" PRIu64 "m%" PRIu64 "s", s / 60, s % 60);
    else if (s < 7200)
        sw_buffer_print(out, "%" PRIu64 "m", s / 60);
    else if (s < 2 * 86400)
        sw_buffer_print(out, "%" PRIu64 "h", s / 3600);
    else
        sw_buffer_print(out, "%" PRIu64 "d", s / 86400);
}

void sw_column_print(const struct sw_kind *kind, const struct sw_api_column *column,
                     const void *object, uint64_t now_ns, struct sw_buffer *out)
{
    size_t before = out->size;

    if (column->is_age) {
        const void *at = find_time(kind->message, object, column->path);
        uint64_t time_ns = 0;
        if (at != NULL)
            memcpy(&time_ns, at, sizeof(time_ns));
        if (time_ns != 0)
            sw_age_print(now_ns > time_ns ? now_ns - time_ns : 0, out);
    } else if (sw_path_print(kind->message, object, column->path, out, NULL) != SW_OK) {
        sw_buffer_put_text(out, "?"); /* A test reads every column, so this is not seen. */
    }
    /* "3/-": of as many as there may be. A text of its own may end so. */
    if (out->size == before || (column->path[0] == '{' && out->data[out->size - 1] == '/'))
        sw_buffer_put_text(out, "-");
}
