#include "pkg/store/memory/state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char *key_of(const struct node *node)
{
    return node->newest->item->key;
}

/* For each level the slot that points, or would point, to the first node not less than key. */
static void find_slots(struct keys *keys, const char *key, struct node **ret_slots[LEVELS_MAX])
{
    struct node **row = keys->first;

    for (unsigned level = LEVELS_MAX; level-- > 0;) {
        while (row[level] != NULL && strcmp(key_of(row[level]), key) < 0)
            row = row[level]->next;
        ret_slots[level] = &row[level];
    }
}

struct node *sw_memory_keys_seek(const struct keys *keys, const char *key)
{
    struct node *const *row = keys->first;

    for (unsigned level = LEVELS_MAX; level-- > 0;)
        while (row[level] != NULL && strcmp(key_of(row[level]), key) < 0)
            row = row[level]->next;
    return row[0];
}

struct node *sw_memory_keys_find(const struct keys *keys, const char *key)
{
    struct node *node = sw_memory_keys_seek(keys, key);

    return node != NULL && strcmp(key_of(node), key) == 0 ? node : NULL;
}

static unsigned draw_levels(struct keys *keys)
{
    unsigned levels = 1;

    keys->random ^= keys->random << 13; /* xorshift64, Marsaglia 2003 */
    keys->random ^= keys->random >> 7;
    keys->random ^= keys->random << 17;
    for (uint64_t bits = keys->random; levels < LEVELS_MAX && (bits & 3) == 0; bits >>= 2)
        levels++;
    return levels;
}

struct node *sw_memory_keys_add(struct keys *keys, struct version *version)
{
    struct node **slots[LEVELS_MAX];
    unsigned levels = draw_levels(keys);
    struct node *node = malloc(sizeof(*node) + levels * sizeof(node->next[0]));

    if (node == NULL)
        return NULL;
    node->newest = version;
    node->levels = levels;
    find_slots(keys, version->item->key, slots);
    for (unsigned level = 0; level < levels; level++) {
        node->next[level] = *slots[level];
        *slots[level] = node;
    }
    return node;
}

void sw_memory_keys_remove(struct keys *keys, struct node *node)
{
    struct node **slots[LEVELS_MAX];

    find_slots(keys, key_of(node), slots);
    for (unsigned level = 0; level < node->levels; level++) {
        assert(*slots[level] == node);
        *slots[level] = node->next[level];
    }
    sw_memory_version_free(node->newest);
    free(node);
}

void sw_memory_version_free(struct version *version)
{
    while (version != NULL) {
        struct version *older = version->older;
        sw_store_item_unref(version->item);
        free(version);
        version = older;
    }
}
