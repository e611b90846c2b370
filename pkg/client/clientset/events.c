#include "pkg/client/clientset/events.h"

#include <stdio.h>
#include <string.h>

void sw_event_stream_init(struct sw_event_stream *stream)
{
    memset(stream, 0, sizeof *stream);
    sw_buffer_init(&stream->line, SW_EVENT_BYTES_MAX);
    sw_buffer_init(&stream->data, SW_EVENT_BYTES_MAX);
}

void sw_event_stream_done(struct sw_event_stream *stream)
{
    sw_buffer_done(&stream->line);
    sw_buffer_done(&stream->data);
}

/* An empty line ends an event; one without data is none. */
static enum sw_rc dispatch(struct sw_event_stream *stream)
{
    struct sw_bytes data;
    bool goes_on = true;

    if (stream->has_data) {
        sw_buffer_put_u8(&stream->data, 0);
        if (sw_buffer_check(&stream->data) != SW_OK)
            return SW_E_EXHAUSTED;
        data = (struct sw_bytes){stream->data.data, stream->data.size - 1};
        goes_on = stream->on_event(stream->ctx, stream->name[0] == '\0' ? "message" : stream->name,
                                   stream->id, data);
    }
    sw_buffer_reset(&stream->data);
    stream->has_data = false;
    stream->name[0] = '\0';
    return goes_on ? SW_OK : SW_E_CANCELLED;
}

static void take_field(struct sw_event_stream *stream, struct sw_bytes field, struct sw_bytes value)
{
    const char *text = value.data;
    int size = value.size < SW_EVENT_NAME_MAX ? (int)value.size : SW_EVENT_NAME_MAX - 1;

    if (field.size == 4 && memcmp(field.data, "data", 4) == 0) {
        if (stream->has_data)
            sw_buffer_put_u8(&stream->data, '\n');
        sw_buffer_put(&stream->data, value.data, value.size);
        stream->has_data = true;
    } else if (field.size == 5 && memcmp(field.data, "event", 5) == 0) {
        (void)snprintf(stream->name, sizeof stream->name, "%.*s", size, size == 0 ? "" : text);
    } else if (field.size == 2 && memcmp(field.data, "id", 2) == 0) {
        (void)snprintf(stream->id, sizeof stream->id, "%.*s", size, size == 0 ? "" : text);
    }
}

static enum sw_rc take_line(struct sw_event_stream *stream)
{
    const char *line = (const char *)stream->line.data;
    size_t size = stream->line.size;
    const char *colon = size == 0 ? NULL : memchr(line, ':', size);
    size_t name_size = colon == NULL ? size : (size_t)(colon - line);
    size_t value_at = colon == NULL ? size : name_size + 1;

    if (sw_buffer_check(&stream->line) != SW_OK)
        return SW_E_EXHAUSTED;
    if (size == 0)
        return dispatch(stream);
    if (value_at < size && line[value_at] == ' ')
        value_at++;
    if (name_size > 0) /* A line that begins with a colon is a comment: a sign of life. */
        take_field(stream, (struct sw_bytes){line, name_size},
                   (struct sw_bytes){line + value_at, size - value_at});
    sw_buffer_reset(&stream->line);
    return sw_buffer_check(&stream->data);
}

enum sw_rc sw_event_stream_feed(struct sw_event_stream *stream, const void *bytes,
                                size_t size_bytes)
{
    const char *text = bytes;
    enum sw_rc rc = SW_OK;

    while (size_bytes > 0 && rc == SW_OK) {
        size_t run = 0;

        if (stream->after_cr && text[0] == '\n') {
            text++;
            size_bytes--;
            stream->after_cr = false;
            continue;
        }
        while (run < size_bytes && text[run] != '\n' && text[run] != '\r')
            run++;
        if (run > 0)
            sw_buffer_put(&stream->line, text, run);
        stream->after_cr = run < size_bytes && text[run] == '\r';
        if (run < size_bytes) {
            rc = take_line(stream);
            run++;
        }
        text += run;
        size_bytes -= run;
    }
    return rc == SW_OK ? sw_buffer_check(&stream->line) : rc;
}
