/* Files as messages: gzip, texts, parts and keys of whatever lies in a folder. */
/* uses: pkg/cli/documents pkg/utils/base */
/* covers: pkg/cli/documents/documents.c */
#include "pkg/cli/documents/documents.h"
#include "pkg/utils/base/text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Parts are not empty, make up the whole, and cut no character. */
static void check_parts(const char *text, size_t size)
{
    while (size > 0) {
        size_t part = sw_document_part_size(text, size, 16);

        if (part == 0 || part > 16 || part > size || !sw_text_is_utf8(text, part))
            abort();
        text += part;
        size -= part;
    }
}

static void check_key(const uint8_t *data, size_t size)
{
    struct sw_buffer key;
    char path[1024];

    if (size == 0 || size >= sizeof path || memchr(data, 0, size) != NULL)
        return;
    memcpy(path, data, size);
    path[size] = '\0';
    sw_buffer_init(&key, 1024);
    sw_document_key("reader", path, (unsigned)(size % 3), &key);
    if (key.failed || key.size + strlen("reader/") > SW_DOCUMENT_NAME_MAX ||
        !sw_text_is_utf8((const char *)key.data, key.size))
        abort();
    sw_buffer_done(&key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sw_buffer opened, text;

    sw_buffer_init(&opened, (size_t)4 << 20);
    sw_buffer_init(&text, (size_t)8 << 20);
    check_key(data, size);
    if (sw_document_open((struct sw_bytes){data, size}, &opened) == SW_OK &&
        sw_document_read_text((struct sw_bytes){opened.data, opened.size}, &text) == SW_OK) {
        if (text.size > 0 && !sw_text_is_utf8((const char *)text.data, text.size))
            abort();
        check_parts((const char *)text.data, text.size);
    }
    sw_buffer_done(&opened);
    sw_buffer_done(&text);
    return 0;
}
