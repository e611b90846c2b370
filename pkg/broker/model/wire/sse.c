#include "pkg/broker/model/wire/sse.h"

#include "pkg/broker/model/wire/wire.h"

#include <stdio.h>

void sw_wire_sse_init(struct sw_wire_sse *sse)
{
    *sse = (struct sw_wire_sse){.has_data = false};
    sw_buffer_init(&sse->line, SW_WIRE_EVENT_BYTES_MAX);
    sw_buffer_init(&sse->data, SW_WIRE_EVENT_BYTES_MAX);
}

void sw_wire_sse_done(struct sw_wire_sse *sse)
{
    sw_buffer_done(&sse->line);
    sw_buffer_done(&sse->data);
}

static enum sw_rc check(const struct sw_wire_sse *sse, struct sw_err *err)
{
    if (!sse->line.failed && !sse->data.failed)
        return SW_OK;
    if (sse->line.lacks_memory || sse->data.lacks_memory)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for an event of the model's stream");
    return sw_err_set(err, SW_E_EXHAUSTED, "an event of the model's stream has more than %zu bytes",
                      SW_WIRE_EVENT_BYTES_MAX);
}

static bool is_field(struct sw_wire_text line, const char *name, struct sw_wire_text *ret_value)
{
    size_t size = strlen(name);

    if (line.size < size || memcmp(line.at, name, size) != 0 ||
        (line.size > size && line.at[size] != ':'))
        return false;
    size = line.size > size ? size + 1 : size;
    if (line.size > size && line.at[size] == ' ')
        size++;
    *ret_value = (struct sw_wire_text){line.at + size, line.size - size};
    return true;
}

static enum sw_rc on_line(struct sw_wire_sse *sse, struct sw_wire_text line,
                          sw_wire_on_sse *on_event, void *ctx, struct sw_err *err)
{
    static const char mark[] = "\xef\xbb\xbf";
    struct sw_wire_text value;
    enum sw_rc rc = SW_OK;

    if (!sse->is_begun && line.size >= 3 && memcmp(line.at, mark, 3) == 0) {
        line.at += 3;
        line.size -= 3;
    }
    sse->is_begun = true;
    if (line.size == 0) {
        if (sse->has_data)
            rc = on_event(ctx, sse->name, (struct sw_bytes){sse->data.data, sse->data.size}, err);
        sse->has_data = false;
        sse->name[0] = '\0';
        sw_buffer_reset(&sse->data);
    } else if (is_field(line, "data", &value)) {
        if (sse->has_data)
            sw_buffer_put_u8(&sse->data, '\n');
        sw_wire_put(&sse->data, value);
        sse->has_data = true;
        rc = check(sse, err);
    } else if (is_field(line, "event", &value)) {
        (void)snprintf(sse->name, sizeof sse->name, "%.*s",
                       (int)(value.size < sizeof sse->name ? value.size : sizeof sse->name - 1),
                       value.at);
        sw_utf8_mend(sse->name);
    }
    return rc;
}

enum sw_rc sw_wire_sse_feed(struct sw_wire_sse *sse, struct sw_bytes bytes,
                            sw_wire_on_sse *on_event, void *ctx, struct sw_err *err)
{
    const char *text = bytes.data;
    size_t from = 0;
    enum sw_rc rc = SW_OK;

    for (size_t at = 0; rc == SW_OK && at < bytes.size; at++) {
        struct sw_wire_text line = {text + from, at - from};
        bool is_second = sse->is_after_cr && text[at] == '\n';

        if (text[at] != '\n' && text[at] != '\r') {
            sse->is_after_cr = false;
            continue;
        }
        sse->is_after_cr = text[at] == '\r';
        from = at + 1;
        if (is_second)
            continue;
        if (sse->line.size > 0 || line.size > SW_WIRE_EVENT_BYTES_MAX) {
            sw_wire_put(&sse->line, line);
            rc = check(sse, err);
            line = (struct sw_wire_text){(const char *)sse->line.data, sse->line.size};
        }
        if (rc == SW_OK)
            rc = on_line(sse, line, on_event, ctx, err);
        sw_buffer_reset(&sse->line);
    }
    if (rc != SW_OK || from == bytes.size)
        return rc;
    sw_buffer_put(&sse->line, text + from, bytes.size - from);
    return check(sse, err);
}
