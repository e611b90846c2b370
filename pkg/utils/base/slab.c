#include "pkg/utils/base/slab.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CHUNK_BYTES ((size_t)2 << 20) /* A huge page, at whose multiples chunks begin. */

#if defined(__SANITIZE_ADDRESS__)
#define IS_CHECKED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_CHECKED 1
#endif
#endif
#ifndef IS_CHECKED
#define IS_CHECKED 0
#endif

struct free_object {
    struct free_object *next;
};

struct chunk { /* At its beginning; the objects follow. */
    struct sw_list node;
    struct free_object *free;
    uint32_t used, unused_at; /* Objects that are taken; where those begin that never were. */
};

_Static_assert(sizeof(struct chunk) <= SW_SLAB_ALIGN, "the first object is one line further on");

static size_t index_of(size_t size)
{
    assert(size > 0 && size <= SW_SLAB_BYTES_MAX);
    return (size - 1) / SW_SLAB_ALIGN;
}

static size_t object_bytes(size_t index)
{
    return (index + 1) * SW_SLAB_ALIGN;
}

void sw_slabs_init(struct sw_slabs *slabs)
{
    memset(slabs, 0, sizeof *slabs);
    for (size_t i = 0; i < sizeof slabs->chunks / sizeof slabs->chunks[0]; i++)
        sw_list_init(&slabs->chunks[i]);
}

void sw_slabs_done(struct sw_slabs *slabs)
{
    for (size_t i = 0; i < sizeof slabs->chunks / sizeof slabs->chunks[0]; i++)
        SW_LIST_EACH(&slabs->chunks[i], node)
        {
            assert(SW_LIST_ITEM(node, struct chunk, node)->used == 0);
            sw_list_remove(node);
            (void)munmap(SW_LIST_ITEM(node, struct chunk, node), CHUNK_BYTES);
        }
}

/* A mapping of that size that begins at a multiple of it. NULL: no memory. */
static void *map_aligned(void)
{
    uint8_t *base =
        mmap(NULL, 2 * CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t before;

    if (base == MAP_FAILED)
        return NULL;
    before = (CHUNK_BYTES - (uintptr_t)base % CHUNK_BYTES) % CHUNK_BYTES;
    if (before > 0)
        (void)munmap(base, before);
    (void)munmap(base + before + CHUNK_BYTES, CHUNK_BYTES - before);
    return base + before;
}

static struct chunk *add_chunk(struct sw_slabs *slabs, size_t index)
{
    struct chunk *chunk = map_aligned();

    if (chunk == NULL)
        return NULL;
    if (slabs->counts[index] > 0) /* Few objects need no 2 MiB. Advice: it may fail. */
        (void)madvise(chunk, CHUNK_BYTES, MADV_HUGEPAGE);
    chunk->unused_at = SW_SLAB_ALIGN;
    sw_list_add(&slabs->chunks[index], &chunk->node);
    slabs->counts[index]++;
    return chunk;
}

static bool is_full(const struct chunk *chunk, size_t index)
{
    return chunk->free == NULL && chunk->unused_at + object_bytes(index) > CHUNK_BYTES;
}

void *sw_slabs_take(struct sw_slabs *slabs, size_t size)
{
    size_t index = index_of(size);
    struct sw_list *first = sw_list_first(&slabs->chunks[index]);
    struct chunk *chunk;
    void *object;

    if (IS_CHECKED) {
        object = aligned_alloc(SW_SLAB_ALIGN, object_bytes(index));
        return object == NULL ? NULL : memset(object, 0, object_bytes(index));
    }
    chunk = first != NULL ? SW_LIST_ITEM(first, struct chunk, node) : add_chunk(slabs, index);
    if (chunk == NULL)
        return NULL;
    if (chunk->free != NULL) {
        object = chunk->free;
        chunk->free = chunk->free->next;
    } else {
        object = (uint8_t *)chunk + chunk->unused_at;
        chunk->unused_at += (uint32_t)object_bytes(index);
    }
    chunk->used++;
    if (is_full(chunk, index))
        sw_list_remove(&chunk->node);
    return memset(object, 0, object_bytes(index));
}

void sw_slabs_put(struct sw_slabs *slabs, void *object, size_t size)
{
    size_t index = index_of(size);
    struct sw_list *chunks = &slabs->chunks[index];
    struct free_object *freed = object;
    struct chunk *chunk;

    if (IS_CHECKED) {
        free(object);
        return;
    }
    chunk = (void *)((uintptr_t)object & ~(uintptr_t)(CHUNK_BYTES - 1));
    if (is_full(chunk, index))
        sw_list_add(chunks, &chunk->node);
    freed->next = chunk->free;
    chunk->free = freed;
    chunk->used--;
    if (chunk->used > 0 || chunks->next == chunks->previous)
        return;
    sw_list_remove(&chunk->node);
    slabs->counts[index]--;
    (void)munmap(chunk, CHUNK_BYTES);
}
