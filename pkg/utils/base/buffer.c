#include "pkg/utils/base/buffer.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_CAPACITY_MIN 256

bool sw_bytes_is_equal(struct sw_bytes one, struct sw_bytes other)
{
    return one.size == other.size && (one.size == 0 || memcmp(one.data, other.data, one.size) == 0);
}

void sw_buffer_init(struct sw_buffer *buffer, size_t size_max)
{
    *buffer = (struct sw_buffer){.size_max = size_max};
}

void sw_buffer_done(struct sw_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct sw_buffer){.size_max = buffer->size_max};
}

void sw_buffer_reset(struct sw_buffer *buffer)
{
    buffer->size = 0;
    buffer->failed = false;
}

static bool buffer_grow(struct sw_buffer *buffer, size_t needed)
{
    size_t capacity =
        buffer->capacity < BUFFER_CAPACITY_MIN ? BUFFER_CAPACITY_MIN : buffer->capacity;
    uint8_t *data;

    while (capacity < needed)
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
    if (capacity > buffer->size_max)
        capacity = buffer->size_max;
    data = realloc(buffer->data, capacity);
    if (data == NULL)
        return false;
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

uint8_t *sw_buffer_reserve(struct sw_buffer *buffer, size_t size_bytes)
{
    if (buffer->failed)
        return NULL;
    if (buffer->size > buffer->size_max || size_bytes > buffer->size_max - buffer->size ||
        ((buffer->data == NULL || buffer->size + size_bytes > buffer->capacity) &&
         !buffer_grow(buffer, buffer->size + size_bytes))) {
        buffer->failed = true;
        return NULL;
    }
    return buffer->data + buffer->size;
}

void sw_buffer_consume(struct sw_buffer *buffer, size_t size_bytes)
{
    if (size_bytes >= buffer->size) {
        buffer->size = 0;
        return;
    }
    buffer->size -= size_bytes;
    (void)memmove(buffer->data, buffer->data + size_bytes, buffer->size);
}

enum sw_rc sw_buffer_check(const struct sw_buffer *buffer)
{
    return buffer->failed ? SW_E_EXHAUSTED : SW_OK;
}

void sw_buffer_put(struct sw_buffer *buffer, const void *bytes, size_t size_bytes)
{
    uint8_t *room = sw_buffer_reserve(buffer, size_bytes);

    if (room == NULL || size_bytes == 0)
        return;
    (void)memcpy(room, bytes, size_bytes);
    buffer->size += size_bytes;
}

void sw_buffer_put_text(struct sw_buffer *buffer, const char *text)
{
    sw_buffer_put(buffer, text, strlen(text));
}

void sw_buffer_print(struct sw_buffer *buffer, const char *format, ...)
{
    va_list arguments, again;
    uint8_t *room = NULL;
    int size;

    va_start(arguments, format);
    va_copy(again, arguments);
    size = vsnprintf(NULL, 0, format, arguments);
    if (size >= 0)
        room = sw_buffer_reserve(buffer, (size_t)size + 1);
    if (room != NULL) {
        (void)vsnprintf((char *)room, (size_t)size + 1, format, again);
        buffer->size += (size_t)size;
    }
    va_end(again);
    va_end(arguments);
}

void sw_buffer_put_u8(struct sw_buffer *buffer, uint8_t value)
{
    sw_buffer_put(buffer, &value, 1);
}

static void put_word(struct sw_buffer *buffer, uint64_t value, size_t size_bytes)
{
    uint64_t word = htole64(value); /* Its first bytes are its lowest. */

    sw_buffer_put(buffer, &word, size_bytes);
}

void sw_buffer_put_u16(struct sw_buffer *buffer, uint16_t value)
{
    put_word(buffer, value, 2);
}

void sw_buffer_put_u32(struct sw_buffer *buffer, uint32_t value)
{
    put_word(buffer, value, 4);
}

void sw_buffer_put_u64(struct sw_buffer *buffer, uint64_t value)
{
    put_word(buffer, value, 8);
}

void sw_buffer_put_bytes(struct sw_buffer *buffer, struct sw_bytes bytes)
{
    if (bytes.size > UINT32_MAX) {
        buffer->failed = true;
        return;
    }
    sw_buffer_put_u32(buffer, (uint32_t)bytes.size);
    sw_buffer_put(buffer, bytes.data, bytes.size);
}

struct sw_reader sw_reader_of(const void *bytes, size_t size_bytes)
{
    return (struct sw_reader){.data = bytes, .size = size_bytes};
}

struct sw_bytes sw_reader_take(struct sw_reader *reader, size_t size_bytes)
{
    struct sw_bytes taken = {NULL, 0};

    if (reader->failed || size_bytes > reader->size - reader->at) {
        reader->failed = true;
        return taken;
    }
    if (size_bytes > 0)
        taken.data = reader->data + reader->at;
    taken.size = size_bytes;
    reader->at += size_bytes;
    return taken;
}

static uint64_t take_word(struct sw_reader *reader, size_t size_bytes)
{
    struct sw_bytes bytes = sw_reader_take(reader, size_bytes);
    uint64_t word = 0;

    if (bytes.size > 0)
        (void)memcpy(&word, bytes.data, bytes.size);
    return le64toh(word);
}

uint8_t sw_reader_u8(struct sw_reader *reader)
{
    return (uint8_t)take_word(reader, 1);
}

uint16_t sw_reader_u16(struct sw_reader *reader)
{
    return (uint16_t)take_word(reader, 2);
}

uint32_t sw_reader_u32(struct sw_reader *reader)
{
    return (uint32_t)take_word(reader, 4);
}

uint64_t sw_reader_u64(struct sw_reader *reader)
{
    return take_word(reader, 8);
}

struct sw_bytes sw_reader_bytes(struct sw_reader *reader, size_t size_max)
{
    uint32_t size = sw_reader_u32(reader);

    if (size > size_max) {
        reader->failed = true;
        return (struct sw_bytes){NULL, 0};
    }
    return sw_reader_take(reader, size);
}

bool sw_reader_is_finished(const struct sw_reader *reader)
{
    return !reader->failed && reader->at == reader->size;
}
