#include "pkg/store/memory/state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_FIRST 256

static size_t change_bytes(const struct change *change)
{
    const struct sw_store_item *item = change->version->item;

    return sizeof(*item) + strlen(item->key) + item->value.size;
}

static struct change *slot_of(const struct history *history, uint64_t sequence)
{
    return &history->changes[sequence & (history->capacity - 1)];
}

static enum sw_rc grow(struct history *history)
{
    size_t capacity = history->capacity == 0 ? CAPACITY_FIRST : history->capacity * 2;
    struct change *changes = malloc(capacity * sizeof(changes[0]));

    if (changes == NULL)
        return SW_E_EXHAUSTED;
    for (uint64_t at = history->begin; at != history->end; at++)
        changes[at & (capacity - 1)] = *slot_of(history, at);
    free(history->changes);
    history->changes = changes;
    history->capacity = capacity;
    return SW_OK;
}

enum sw_rc sw_memory_history_add(struct history *history, struct change change)
{
    if (history->end - history->begin == history->capacity && grow(history) != SW_OK)
        return SW_E_EXHAUSTED;
    *slot_of(history, history->end++) = change;
    history->bytes += change_bytes(&change);
    return SW_OK;
}

const struct change *sw_memory_history_at(const struct history *history, uint64_t sequence)
{
    assert(sequence >= history->begin && sequence < history->end);
    return slot_of(history, sequence);
}

uint64_t sw_memory_history_after(const struct history *history, uint64_t revision)
{
    uint64_t low = history->begin, high = history->end;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (sw_memory_history_at(history, middle)->version->item->revision > revision)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Forget the oldest change and the version that it replaced; a deletion takes its key along, unless
 * the key was made again since. */
static void drop_first(struct sw_memory *memory)
{
    struct history *history = &memory->history;
    struct change change = *slot_of(history, history->begin);

    history->begin++;
    history->bytes -= change_bytes(&change);
    memory->compacted_revision = change.version->item->revision;
    sw_memory_version_free(change.version->older);
    change.version->older = NULL;
    if (change.version->item->is_deleted && change.node->newest == change.version)
        sw_memory_keys_remove(&memory->keys, change.node);
}

void sw_memory_history_trim(struct sw_memory *memory, uint64_t revision)
{
    const struct history *history = &memory->history;

    while (history->begin != history->end) {
        uint64_t first = sw_memory_history_at(history, history->begin)->version->item->revision;
        if (history->end - history->begin <= memory->limits.history_events_max &&
            history->bytes <= memory->limits.history_bytes_max && first > revision &&
            first != memory->compacted_revision)
            return;
        drop_first(memory);
    }
}
