#include "pkg/utils/base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BLOCK_BYTES 4096
#define ARENA_BLOCK_BYTES_MAX (1024 * 1024)

/* Blocks form a stack; the newest is filled first and the oldest survives a reset. */
struct block {
    struct block *older;
    size_t size, used;
    alignas(max_align_t) unsigned char bytes[];
};

struct sw_arena {
    struct block *newest;
    size_t used, size_max;
    bool is_secret;
};

struct sw_arena *sw_arena_new(size_t size_max)
{
    struct sw_arena *arena = calloc(1, sizeof *arena);

    if (arena != NULL)
        arena->size_max = size_max;
    return arena;
}

static void blocks_free(struct block *block, struct block *keep, bool is_secret)
{
    while (block != keep) {
        struct block *older = block->older;

        if (is_secret)
            explicit_bzero(block->bytes, block->used);
        free(block);
        block = older;
    }
}

void sw_arena_free(struct sw_arena *arena)
{
    if (arena == NULL)
        return;
    blocks_free(arena->newest, NULL, arena->is_secret);
    free(arena);
}

void sw_arena_reset(struct sw_arena *arena)
{
    struct block *oldest = arena->newest;

    while (oldest != NULL && oldest->older != NULL)
        oldest = oldest->older;
    if (oldest != NULL) {
        blocks_free(arena->newest, oldest, arena->is_secret);
        if (arena->is_secret)
            explicit_bzero(oldest->bytes, oldest->used);
        oldest->used = 0;
    }
    arena->is_secret = false;
    arena->newest = oldest;
    arena->used = 0;
}

void sw_arena_set_secret(struct sw_arena *arena)
{
    arena->is_secret = true;
}

size_t sw_arena_used(const struct sw_arena *arena)
{
    return arena->used;
}

/* Blocks double, so that a big arena needs few of them, and one request always fits in one. */
static struct block *block_push(struct sw_arena *arena, size_t needed)
{
    size_t size = arena->newest == NULL ? ARENA_BLOCK_BYTES : arena->newest->size * 2;
    struct block *block;

    if (size > ARENA_BLOCK_BYTES_MAX)
        size = ARENA_BLOCK_BYTES_MAX;
    if (size < needed)
        size = needed;
    block = malloc(sizeof *block + size);
    if (block == NULL)
        return NULL;
    block->older = arena->newest;
    block->size = size;
    block->used = 0;
    arena->newest = block;
    return block;
}

void *sw_arena_get(struct sw_arena *arena, size_t size_bytes)
{
    size_t align = alignof(max_align_t);
    struct block *block = arena->newest;
    size_t rounded;
    void *result;

    if (size_bytes > arena->size_max || arena->used > arena->size_max - size_bytes)
        return NULL;
    if (size_bytes > SIZE_MAX - sizeof *block - align) /* Rounding and the head would overflow. */
        return NULL;
    rounded = (size_bytes + align - 1) & ~(align - 1);
    if (block == NULL || block->size - block->used < rounded)
        block = block_push(arena, rounded);
    if (block == NULL)
        return NULL;
    result = block->bytes + block->used;
    block->used += rounded;
    arena->used += size_bytes;
    return memset(result, 0, size_bytes);
}

void *sw_arena_array(struct sw_arena *arena, size_t count, size_t size_bytes)
{
    size_t total;

    if (__builtin_mul_overflow(count, size_bytes, &total))
        return NULL;
    return sw_arena_get(arena, total);
}

char *sw_arena_copy(struct sw_arena *arena, const void *bytes, size_t size_bytes)
{
    char *copy;

    if (size_bytes == SIZE_MAX)
        return NULL;
    copy = sw_arena_get(arena, size_bytes + 1);
    if (copy != NULL && size_bytes > 0)
        (void)memcpy(copy, bytes, size_bytes);
    return copy;
}

char *sw_arena_print(struct sw_arena *arena, const char *format, ...)
{
    va_list arguments, again;
    char *text = NULL;
    int size;

    va_start(arguments, format);
    va_copy(again, arguments);
    size = vsnprintf(NULL, 0, format, arguments);
    if (size >= 0)
        text = sw_arena_get(arena, (size_t)size + 1);
    if (text != NULL)
        (void)vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);
    va_end(arguments);
    return text;
}
