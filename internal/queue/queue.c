#include "internal/queue/queue.h"

#include "pkg/utils/base/heap.h"
#include "pkg/utils/base/map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BACKOFF_MS_DEFAULT 20
#define BACKOFF_MS_MAX_DEFAULT 60000
#define ITEMS_MAX_DEFAULT 1000000
#define FAILURES_MAX 32 /* Beyond it the back-off has long been at its maximum. */

struct item {
    struct sw_heap_entry entry; /* First: a heap entry is its item. In the heap while waiting. */
    unsigned failures;          /* In a row. */
    bool is_taken, is_marked;   /* Marked: added while taken. */
    uint64_t marked_due_ms;
    size_t key_size;
    char key[]; /* NUL-terminated. */
};

struct sw_queue {
    struct sw_queue_options options;
    struct sw_map *items;
    struct sw_heap waiting;
};

struct sw_queue *sw_queue_new(const struct sw_queue_options *options)
{
    struct sw_queue *queue = calloc(1, sizeof *queue);

    if (queue == NULL)
        return NULL;
    if (options != NULL)
        queue->options = *options;
    if (queue->options.backoff_ms == 0)
        queue->options.backoff_ms = BACKOFF_MS_DEFAULT;
    if (queue->options.backoff_max_ms == 0)
        queue->options.backoff_max_ms = BACKOFF_MS_MAX_DEFAULT;
    if (queue->options.items_max == 0)
        queue->options.items_max = ITEMS_MAX_DEFAULT;
    sw_heap_init(&queue->waiting);
    queue->items = sw_map_new(0);
    if (queue->items == NULL) {
        free(queue);
        return NULL;
    }
    return queue;
}

void sw_queue_free(struct sw_queue *queue)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    if (queue == NULL)
        return;
    while (sw_map_next(queue->items, &cursor, &entry))
        free(entry.value);
    sw_map_free(queue->items);
    sw_heap_done(&queue->waiting);
    free(queue);
}

static uint64_t sum(uint64_t one, uint64_t other)
{
    return one > UINT64_MAX - other ? UINT64_MAX : one + other;
}

static void item_drop(struct sw_queue *queue, struct item *item)
{
    sw_heap_remove(&queue->waiting, &item->entry);
    (void)sw_map_remove(queue->items, item->key, item->key_size);
    free(item);
}

static enum sw_rc item_new(struct sw_queue *queue, const char *key, uint64_t due_ms)
{
    size_t size = strlen(key);
    struct item *item;

    if (sw_map_count(queue->items) >= queue->options.items_max)
        return SW_E_EXHAUSTED;
    item = calloc(1, sizeof *item + size + 1);
    if (item == NULL)
        return SW_E_EXHAUSTED;
    item->entry.at = SW_HEAP_ABSENT;
    item->key_size = size;
    (void)memcpy(item->key, key, size);
    if (sw_map_put(queue->items, key, size, item, NULL) != SW_OK) {
        free(item);
        return SW_E_EXHAUSTED;
    }
    if (sw_heap_put(&queue->waiting, &item->entry, due_ms) != SW_OK) {
        item_drop(queue, item);
        return SW_E_EXHAUSTED;
    }
    return SW_OK;
}

enum sw_rc sw_queue_add(struct sw_queue *queue, const char *key, uint64_t now_ms, uint64_t delay_ms)
{
    size_t size = strnlen(key, SW_QUEUE_KEY_MAX);
    uint64_t due_ms = sum(now_ms, delay_ms);
    struct item *item;

    if (size == 0 || size >= SW_QUEUE_KEY_MAX)
        return SW_E_INVALID;
    item = sw_map_find(queue->items, key, size);
    if (item == NULL)
        return item_new(queue, key, due_ms);
    if (item->is_taken) {
        if (!item->is_marked || due_ms < item->marked_due_ms)
            item->marked_due_ms = due_ms;
        item->is_marked = true;
        return SW_OK;
    }
    return due_ms < item->entry.rank ? sw_heap_put(&queue->waiting, &item->entry, due_ms) : SW_OK;
}

bool sw_queue_take(struct sw_queue *queue, uint64_t now_ms, char ret_key[SW_QUEUE_KEY_MAX])
{
    struct item *item = (struct item *)(void *)sw_heap_first(&queue->waiting);

    if (item == NULL || item->entry.rank > now_ms)
        return false;
    sw_heap_remove(&queue->waiting, &item->entry);
    item->is_taken = true;
    (void)memcpy(ret_key, item->key, item->key_size + 1);
    return true;
}

static uint64_t backoff_of(const struct sw_queue *queue, unsigned failures)
{
    uint64_t delay_ms = queue->options.backoff_ms;

    for (unsigned i = 1; i < failures && delay_ms < queue->options.backoff_max_ms; i++)
        delay_ms *= 2;
    return delay_ms < queue->options.backoff_max_ms ? delay_ms : queue->options.backoff_max_ms;
}

void sw_queue_done(struct sw_queue *queue, const char *key, uint64_t now_ms, bool has_failed)
{
    struct item *item = sw_map_find(queue->items, key, strlen(key));
    uint64_t due_ms;

    assert(item != NULL && item->is_taken);
    item->is_taken = false;
    if (has_failed) {
        item->failures += item->failures < FAILURES_MAX ? 1 : 0;
        due_ms = sum(now_ms, backoff_of(queue, item->failures));
    } else if (item->is_marked) {
        item->failures = 0;
        due_ms = item->marked_due_ms;
    } else {
        item_drop(queue, item);
        return;
    }
    item->is_marked = false;
    /* It was in the heap before and nothing has shrunk it since, so there is room. */
    if (sw_heap_put(&queue->waiting, &item->entry, due_ms) != SW_OK)
        abort();
}

bool sw_queue_due(const struct sw_queue *queue, uint64_t *ret_due_ms)
{
    const struct sw_heap_entry *first = sw_heap_first(&queue->waiting);

    if (first == NULL)
        return false;
    *ret_due_ms = first->rank;
    return true;
}

size_t sw_queue_count(const struct sw_queue *queue)
{
    return sw_map_count(queue->items);
}
