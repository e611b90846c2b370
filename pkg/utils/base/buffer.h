/* A growable run of bytes with a hard limit, and the little-endian words that frames are made of.
 *
 * A failed append sets `failed` and every later append does nothing, so a writer may check once at
 * its end. A reader works the same way: after the first short read all reads yield zero.
 * Threads: one at a time.  I/O: none.  Limits: size_max of the buffer. */
#pragma once
#include "pkg/utils/errors/errors.h"

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct sw_bytes { /* Borrowed bytes; data may be NULL when size is 0. */
    const void *data;
    size_t size;
};

/* As memcmp would have it, for names and other short bytes: without a call. */
static inline bool sw_is_same(const void *one, const void *other, size_t size_bytes)
{
    const uint8_t *left = one, *right = other;
    uint64_t a, b;
    uint32_t c[2], d[2];

    if (size_bytes < sizeof c[0]) {
        for (size_t i = 0; i < size_bytes; i++)
            if (left[i] != right[i])
                return false;
        return true;
    }
    if (size_bytes < sizeof a) { /* Beginning and end, in part the same bytes. */
        (void)memcpy(&c[0], left, sizeof c[0]);
        (void)memcpy(&c[1], left + size_bytes - sizeof c[1], sizeof c[1]);
        (void)memcpy(&d[0], right, sizeof d[0]);
        (void)memcpy(&d[1], right + size_bytes - sizeof d[1], sizeof d[1]);
        return c[0] == d[0] && c[1] == d[1];
    }
    for (size_t at = 0; at + sizeof a < size_bytes; at += sizeof a) {
        (void)memcpy(&a, left + at, sizeof a);
        (void)memcpy(&b, right + at, sizeof b);
        if (a != b)
            return false;
    }
    (void)memcpy(&a, left + size_bytes - sizeof a, sizeof a); /* The end, once more in part. */
    (void)memcpy(&b, right + size_bytes - sizeof b, sizeof b);
    return a == b;
}
/* As memcpy would do it, for names and other short bytes: without a call up to 16 of them. */
static inline void sw_copy_short(void *to, const void *from, size_t size_bytes)
{
    const uint8_t *source = from;
    uint8_t *target = to;
    uint64_t a, b;
    uint32_t c, d;

    if (size_bytes > 2 * sizeof a) {
        (void)memcpy(target, source, size_bytes);
    } else if (size_bytes >= sizeof a) { /* Beginning and end, in part the same bytes. */
        (void)memcpy(&a, source, sizeof a);
        (void)memcpy(&b, source + size_bytes - sizeof b, sizeof b);
        (void)memcpy(target, &a, sizeof a);
        (void)memcpy(target + size_bytes - sizeof b, &b, sizeof b);
    } else if (size_bytes >= sizeof c) {
        (void)memcpy(&c, source, sizeof c);
        (void)memcpy(&d, source + size_bytes - sizeof d, sizeof d);
        (void)memcpy(target, &c, sizeof c);
        (void)memcpy(target + size_bytes - sizeof d, &d, sizeof d);
    } else {
        for (size_t i = 0; i < size_bytes; i++)
            target[i] = source[i];
    }
}
/* Whether they are the same bytes, also when there are none. */
static inline bool sw_bytes_is_equal(struct sw_bytes one, struct sw_bytes other)
{
    return one.size == other.size && sw_is_same(one.data, other.data, one.size);
}

struct sw_buffer {
    uint8_t *data; /* Owned. */
    size_t size, capacity, size_max;
    bool failed;       /* An append did not fit; the content is not to be used. */
    bool lacks_memory; /* The same, since there was no memory for it: not size_max was too small. */
};

/* Start empty; nothing is allocated yet. */
void sw_buffer_init(struct sw_buffer *buffer, size_t size_max);
/* Free the memory; the buffer is empty and usable again. */
void sw_buffer_done(struct sw_buffer *buffer);
/* Forget the content and the failure, keep the memory. */
static inline void sw_buffer_reset(struct sw_buffer *buffer)
{
    buffer->size = 0;
    buffer->failed = buffer->lacks_memory = false;
}
/* As sw_buffer_reserve, when the room is not there yet. */
uint8_t *sw_buffer_grow(struct sw_buffer *buffer, size_t size_bytes);
/* Room for size more bytes, and a pointer to it, not yet counted in size; NULL and failed if over.
 */
static inline uint8_t *sw_buffer_reserve(struct sw_buffer *buffer, size_t size_bytes)
{
    if (buffer->failed || buffer->data == NULL || size_bytes > buffer->capacity - buffer->size)
        return sw_buffer_grow(buffer, size_bytes);
    return buffer->data + buffer->size;
}
/* Drop the first size_bytes bytes (at most all). */
void sw_buffer_consume(struct sw_buffer *buffer, size_t size_bytes);
/* SW_OK, or SW_E_EXHAUSTED if any append since the last reset failed. */
SW_MUST_CHECK enum sw_rc sw_buffer_check(const struct sw_buffer *buffer);

static inline void sw_buffer_put(struct sw_buffer *buffer, const void *bytes, size_t size_bytes)
{
    uint8_t *room = sw_buffer_reserve(buffer, size_bytes);

    if (room == NULL || size_bytes == 0)
        return;
    (void)memcpy(room, bytes, size_bytes);
    buffer->size += size_bytes;
}
void sw_buffer_put_text(struct sw_buffer *buffer, const char *text);
void sw_buffer_print(struct sw_buffer *buffer, const char *format, ...) SW_PRINTF(2, 3);
static inline void sw_buffer_put_u8(struct sw_buffer *buffer, uint8_t value)
{
    sw_buffer_put(buffer, &value, sizeof value);
}
static inline void sw_buffer_put_u16(struct sw_buffer *buffer, uint16_t value)
{
    value = htole16(value);
    sw_buffer_put(buffer, &value, sizeof value);
}
static inline void sw_buffer_put_u32(struct sw_buffer *buffer, uint32_t value)
{
    value = htole32(value);
    sw_buffer_put(buffer, &value, sizeof value);
}
static inline void sw_buffer_put_u64(struct sw_buffer *buffer, uint64_t value)
{
    value = htole64(value);
    sw_buffer_put(buffer, &value, sizeof value);
}
/* A u32 size and then the bytes. */
static inline void sw_buffer_put_bytes(struct sw_buffer *buffer, struct sw_bytes bytes)
{
    if (bytes.size > UINT32_MAX) {
        buffer->failed = true;
        return;
    }
    sw_buffer_put_u32(buffer, (uint32_t)bytes.size);
    sw_buffer_put(buffer, bytes.data, bytes.size);
}

struct sw_reader { /* Borrows what it reads. */
    const uint8_t *data;
    size_t size, at;
    bool failed; /* Something asked for was not there; values since then are zero. */
};

static inline struct sw_reader sw_reader_of(const void *bytes, size_t size_bytes)
{
    return (struct sw_reader){.data = bytes, .size = size_bytes};
}
/* size bytes, borrowed from the input; {NULL, 0} when they are not all there. */
static inline struct sw_bytes sw_reader_take(struct sw_reader *reader, size_t size_bytes)
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
static inline uint8_t sw_reader_u8(struct sw_reader *reader)
{
    struct sw_bytes bytes = sw_reader_take(reader, 1);

    return bytes.size == 0 ? 0 : *(const uint8_t *)bytes.data;
}
static inline uint16_t sw_reader_u16(struct sw_reader *reader)
{
    struct sw_bytes bytes = sw_reader_take(reader, 2);
    uint16_t value = 0;

    if (bytes.size > 0)
        (void)memcpy(&value, bytes.data, sizeof value);
    return le16toh(value);
}
static inline uint32_t sw_reader_u32(struct sw_reader *reader)
{
    struct sw_bytes bytes = sw_reader_take(reader, 4);
    uint32_t value = 0;

    if (bytes.size > 0)
        (void)memcpy(&value, bytes.data, sizeof value);
    return le32toh(value);
}
static inline uint64_t sw_reader_u64(struct sw_reader *reader)
{
    struct sw_bytes bytes = sw_reader_take(reader, 8);
    uint64_t value = 0;

    if (bytes.size > 0)
        (void)memcpy(&value, bytes.data, sizeof value);
    return le64toh(value);
}
/* A u32 size of at most size_max and that many bytes. */
static inline struct sw_bytes sw_reader_bytes(struct sw_reader *reader, size_t size_max)
{
    uint32_t size = sw_reader_u32(reader);

    if (size > size_max) {
        reader->failed = true;
        return (struct sw_bytes){NULL, 0};
    }
    return sw_reader_take(reader, size);
}
/* True when nothing failed and nothing is left over. */
static inline bool sw_reader_is_finished(const struct sw_reader *reader)
{
    return !reader->failed && reader->at == reader->size;
}
