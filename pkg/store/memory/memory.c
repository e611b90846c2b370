#include "pkg/store/memory/memory.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/store/backend.h"
#include "pkg/store/memory/state.h"

struct sw_memory *sw_memory_new(const struct sw_store_limits *limits, uint64_t seed)
{
    struct sw_memory *memory = calloc(1, sizeof(*memory));

    if (memory == NULL)
        return NULL;
    memory->limits = *limits;
    memory->keys.random = seed | 1; /* xorshift must not start at 0. */
    sw_list_init(&memory->watches);
    return memory;
}

void sw_memory_free(struct sw_memory *memory)
{
    if (memory == NULL)
        return;
    assert(!memory->is_dispatching);
    sw_memory_watches_done(memory);
    for (struct node *node = memory->keys.first[0]; node != NULL;) {
        struct node *next = node->next[0];
        sw_memory_version_free(node->newest);
        free(node);
        node = next;
    }
    free(memory->history.changes);
    free(memory);
}

static struct version *version_new(struct sw_store_item *item, struct version *older)
{
    struct version *version = malloc(sizeof(*version));

    if (version != NULL)
        *version = (struct version){.item = sw_store_item_ref(item), .older = older};
    return version;
}

enum sw_rc sw_memory_load(struct sw_memory *memory, struct sw_store_item *item)
{
    struct version *version = version_new(item, NULL);

    assert(!item->is_deleted);
    if (version == NULL || sw_memory_keys_add(&memory->keys, version) == NULL) {
        sw_memory_version_free(version);
        return SW_E_EXHAUSTED;
    }
    memory->items++;
    return SW_OK;
}

void sw_memory_start(struct sw_memory *memory, uint64_t revision)
{
    memory->revision = revision;
    memory->compacted_revision = revision;
}

/* Takes version over, also when it fails. */
static struct node *place_version(struct sw_memory *memory, struct node *node,
                                  struct version *version)
{
    if (node == NULL) {
        node = sw_memory_keys_add(&memory->keys, version);
        if (node == NULL)
            sw_memory_version_free(version);
    } else {
        version->older = node->newest;
        node->newest = version;
    }
    return node;
}

enum sw_rc sw_memory_apply(struct sw_memory *memory, struct sw_store_item *item)
{
    struct node *node = sw_memory_keys_find(&memory->keys, item->key);
    bool was_there = node != NULL && !node->newest->item->is_deleted;

    assert(item->revision > memory->revision);
    if (!was_there && item->is_deleted)
        return SW_OK; /* Deleting what is absent changes nothing. */
    struct version *version = version_new(item, NULL);
    if (version == NULL)
        return SW_E_EXHAUSTED;
    node = place_version(memory, node, version);
    if (node == NULL)
        return SW_E_EXHAUSTED;
    memory->items = memory->items + (item->is_deleted ? 0 : 1) - (was_there ? 1 : 0);
    return sw_memory_history_add(&memory->history,
                                 (struct change){.node = node, .version = version});
}

void sw_memory_publish(struct sw_memory *memory, uint64_t revision)
{
    assert(revision >= memory->revision);
    memory->revision = revision;
}

uint64_t sw_memory_revision(const struct sw_memory *memory)
{
    return memory->revision;
}

const struct sw_store_item *sw_memory_find(const struct sw_memory *memory, const char *key)
{
    const struct node *node = sw_memory_keys_find(&memory->keys, key);

    return node == NULL || node->newest->item->is_deleted ? NULL : node->newest->item;
}

void sw_memory_compact(struct sw_memory *memory, uint64_t revision)
{
    if (revision > memory->revision)
        revision = memory->revision;
    if (memory->is_dispatching) {
        if (revision > memory->compact_wanted)
            memory->compact_wanted = revision;
        return;
    }
    sw_memory_history_trim(memory, revision);
    if (revision > memory->compacted_revision)
        memory->compacted_revision = revision;
}

void sw_memory_view(const struct sw_memory *memory, struct sw_store_view *ret_view)
{
    ret_view->revision = memory->revision;
    ret_view->compacted_revision = memory->compacted_revision;
    ret_view->items = memory->items;
    ret_view->history_events = (size_t)(memory->history.end - memory->history.begin);
    ret_view->history_bytes = memory->history.bytes;
    ret_view->watches = memory->watches_count;
}
