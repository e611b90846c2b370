/* Paths and queries of requests. */
/* uses: pkg/communication/protocol */
/* covers: pkg/communication/protocol/url.c */
#include "pkg/communication/protocol/url.h"
#include "pkg/utils/base/text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text)
{
    if (!sw_text_is_utf8(text, strlen(text)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *question = size == 0 ? NULL : memchr(data, '?', size);
    size_t path_size = question == NULL ? size : (size_t)(question - data);
    struct sw_arena *arena = sw_arena_new(1u << 16);
    struct sw_url_path path;
    struct sw_url_query query;
    struct sw_buffer out;
    struct sw_err err = {0};

    if (sw_url_split_path((struct sw_bytes){data, path_size}, arena, &path, &err) == SW_OK) {
        for (size_t i = 0; i < path.count; i++) {
            check_text(path.segments[i]);
            if (path.segments[i][0] == '\0' || strcmp(path.segments[i], "..") == 0)
                abort();
        }
    }
    if (question != NULL &&
        sw_url_split_query((struct sw_bytes){question + 1, size - path_size - 1}, arena, &query,
                           &err) == SW_OK) {
        for (size_t i = 0; i < query.count; i++) {
            check_text(query.parameters[i].value);
            if (sw_url_query_find(&query, query.parameters[i].name) != query.parameters[i].value)
                abort();
        }
    }
    sw_buffer_init(&out, size + 1);
    if (sw_url_decode((struct sw_bytes){data, size}, &out) == SW_OK && out.size > size)
        abort();
    sw_buffer_done(&out);
    sw_arena_free(arena);
    return 0;
}
