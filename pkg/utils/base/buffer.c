#include "pkg/utils/base/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_CAPACITY_MIN 256

void sw_buffer_init(struct sw_buffer *buffer, size_t size_max)
{
    *buffer = (struct sw_buffer){.size_max = size_max};
}

void sw_buffer_done(struct sw_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct sw_buffer){.size_max = buffer->size_max};
}

static bool grow(struct sw_buffer *buffer, size_t needed)
{
    size_t capacity =
        buffer->capacity < BUFFER_CAPACITY_MIN ? BUFFER_CAPACITY_MIN : buffer->capacity;
    uint8_t *data;

    while (capacity < needed)
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
    if (capacity > buffer->size_max)
        capacity = buffer->size_max;
    data = realloc(buffer->data, capacity);
    if (data == NULL) {
        buffer->lacks_memory = true;
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

uint8_t *sw_buffer_grow(struct sw_buffer *buffer, size_t size_bytes)
{
    if (buffer->failed)
        return NULL;
    if (buffer->size > buffer->size_max || size_bytes > buffer->size_max - buffer->size ||
        ((buffer->data == NULL || size_bytes > buffer->capacity - buffer->size) &&
         !grow(buffer, buffer->size + size_bytes))) {
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
