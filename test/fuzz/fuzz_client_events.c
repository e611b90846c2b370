/* Server-sent events, in pieces: the first byte says how large. */
/* uses: pkg/client/clientset */
/* covers: pkg/client/clientset/events.c */
#include "pkg/client/clientset/events.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool on_event(void *ctx, const char *name, const char *id, struct sw_bytes data)
{
    size_t *left = ctx;

    /* Texts are NUL-terminated, whatever came. */
    if (strlen(name) >= SW_EVENT_NAME_MAX || strlen(id) >= SW_EVENT_NAME_MAX ||
        ((const char *)data.data)[data.size] != '\0')
        abort();
    return --*left > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sw_event_stream stream;
    size_t left = 16, piece = size == 0 ? 1 : (size_t)data[0] + 1;
    enum sw_rc rc = SW_OK;

    sw_event_stream_init(&stream);
    stream.on_event = on_event;
    stream.ctx = &left;
    for (size_t at = 1; at < size && rc == SW_OK; at += piece)
        rc = sw_event_stream_feed(&stream, data + at, piece < size - at ? piece : size - at);
    if (rc != SW_OK && rc != SW_E_CANCELLED && rc != SW_E_EXHAUSTED)
        abort();
    sw_event_stream_done(&stream);
    return 0;
}
