#include "pkg/cli/documents/documents.h"
#include "pkg/utils/base/hash.h"
#include "pkg/utils/base/text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#define GZIP_WINDOW (15 + 16) /* The largest window, gzip framing only. */
#define CHUNK_BYTES ((size_t)64 * 1024)
#define SUFFIX_MAX 40

/* Unpack one member from the stream's input; all of its output is appended. */
static enum sw_rc inflate_member(z_stream *stream, struct sw_buffer *out)
{
    size_t begin = out->size;
    int code = Z_OK;

    while (code == Z_OK) {
        uint8_t *room = sw_buffer_reserve(out, CHUNK_BYTES);

        if (room == NULL)
            return out->size + CHUNK_BYTES > out->size_max ? SW_E_RANGE : SW_E_EXHAUSTED;
        stream->next_out = room;
        stream->avail_out = (uInt)CHUNK_BYTES;
        code = inflate(stream, Z_NO_FLUSH);
        out->size += CHUNK_BYTES - stream->avail_out;
        if (out->size - begin > SW_DOCUMENT_BYTES_MAX)
            return SW_E_RANGE;
        if (code == Z_OK && stream->avail_in == 0 && stream->avail_out > 0)
            return SW_E_CORRUPT; /* Cut off. */
    }
    return code == Z_STREAM_END ? SW_OK : code == Z_MEM_ERROR ? SW_E_EXHAUSTED : SW_E_CORRUPT;
}

static bool is_gzip(const uint8_t *bytes, size_t size)
{
    return size >= 18 && bytes[0] == 0x1f && bytes[1] == 0x8b && bytes[2] == 8;
}

enum sw_rc sw_document_open(struct sw_bytes file, struct sw_buffer *out)
{
    z_stream stream = {0};
    enum sw_rc rc = SW_OK;

    if (file.size > SW_DOCUMENT_BYTES_MAX)
        return SW_E_RANGE;
    if (!is_gzip(file.data, file.size)) {
        sw_buffer_put(out, file.data, file.size);
        return sw_buffer_check(out);
    }
    if (inflateInit2(&stream, GZIP_WINDOW) != Z_OK)
        return SW_E_EXHAUSTED;
    stream.next_in = (Bytef *)(uintptr_t)file.data; /* zlib does not change its input. */
    stream.avail_in = (uInt)file.size;
    do {
        rc = inflate_member(&stream, out);
        if (rc == SW_OK && is_gzip(stream.next_in, stream.avail_in))
            rc = inflateReset(&stream) == Z_OK ? SW_OK : SW_E_CORRUPT;
        else
            break; /* What stands after the last member is padding, as for gzip(1). */
    } while (rc == SW_OK);
    (void)inflateEnd(&stream);
    return rc;
}

static bool is_binary_byte(uint8_t byte)
{
    return byte == 0x7f || (byte < 0x20 && strchr("\t\n\v\f\r\b\033", byte) == NULL) || byte == 0;
}

enum sw_rc sw_document_read_text(struct sw_bytes bytes, struct sw_buffer *out)
{
    const uint8_t *data = bytes.data;

    for (size_t i = 0; i < bytes.size; i++) {
        if (is_binary_byte(data[i]))
            return SW_E_INVALID;
    }
    if (bytes.size == 0 || sw_text_is_utf8((const char *)data, bytes.size)) {
        sw_buffer_put(out, data, bytes.size);
        return sw_buffer_check(out);
    }
    for (size_t i = 0; i < bytes.size; i++) {
        if (data[i] < 0x80) {
            sw_buffer_put_u8(out, data[i]);
        } else {
            sw_buffer_put_u8(out, (uint8_t)(0xc0 | (data[i] >> 6)));
            sw_buffer_put_u8(out, (uint8_t)(0x80 | (data[i] & 0x3f)));
        }
    }
    return sw_buffer_check(out);
}

size_t sw_document_part_size(const char *text, size_t size_bytes, size_t size_max)
{
    size_t size = size_max;

    assert(size_max >= 4);
    if (size_bytes <= size_max)
        return size_bytes;
    while (size > size_max / 2 && text[size - 1] != '\n')
        size--;
    if (size > size_max / 2)
        return size;
    size = size_max;
    while (size > 1 && ((unsigned char)text[size] & 0xc0) == 0x80)
        size--;
    return size;
}

/* The largest number of bytes up to size_max that ends with a whole character. */
static size_t whole_characters(const char *text, size_t size_max)
{
    while (size_max > 0 && ((unsigned char)text[size_max] & 0xc0) == 0x80)
        size_max--;
    return size_max;
}

void sw_document_key(const char *agent, const char *path, unsigned number, struct sw_buffer *out)
{
    static const uint8_t fixed_key[16] = "swarm-documents";
    char suffix[SUFFIX_MAX] = "", mark[SUFFIX_MAX];
    size_t size = strlen(path), room, before, after;

    if (number > 0)
        (void)snprintf(suffix, sizeof suffix, "#%u", number);
    assert(strlen(agent) + sizeof mark + sizeof suffix < SW_DOCUMENT_NAME_MAX);
    room = SW_DOCUMENT_NAME_MAX - strlen(agent) - 1 - strlen(suffix);
    if (size <= room && sw_text_is_utf8(path, size)) {
        sw_buffer_print(out, "%s%s", path, suffix);
        return;
    }
    (void)snprintf(mark, sizeof mark, "~%016" PRIx64 "~", sw_siphash(fixed_key, path, size));
    if (!sw_text_is_utf8(path, size)) {
        sw_buffer_print(out, "%s%s", mark, suffix);
        return;
    }
    room -= strlen(mark);
    before = whole_characters(path, room / 2);
    after = size - (room - room / 2);
    while (after < size && ((unsigned char)path[after] & 0xc0) == 0x80)
        after++;
    sw_buffer_print(out, "%.*s%s%s%s", (int)before, path, mark, path + after, suffix);
}
