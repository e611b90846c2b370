#include "pkg/communication/pubsub/table.h"

#include "pkg/utils/base/map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A place in the tree: what follows the tokens on the way to it. Empty ones are removed, so a tree
 * is never larger than its subscriptions. */
struct node {
    struct sw_map *children; /* By token; NULL: none. */
    uint64_t *subscribers;   /* Ascending, of the pattern that ends here. */
    size_t count, capacity;
};

struct sw_pubsub {
    uint64_t seed;
    struct sw_map *spaces; /* struct node by name. */
    size_t count;
};

static void node_free(struct node *node)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    if (node == NULL)
        return;
    while (node->children != NULL && sw_map_next(node->children, &cursor, &entry))
        node_free(entry.value);
    sw_map_free(node->children);
    free(node->subscribers);
    free(node);
}

struct sw_pubsub *sw_pubsub_new(uint64_t seed)
{
    struct sw_pubsub *table = calloc(1, sizeof *table);

    if (table == NULL)
        return NULL;
    table->seed = seed;
    table->spaces = sw_map_new(seed);
    if (table->spaces == NULL) {
        free(table);
        return NULL;
    }
    return table;
}

void sw_pubsub_free(struct sw_pubsub *table)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    if (table == NULL)
        return;
    while (sw_map_next(table->spaces, &cursor, &entry))
        node_free(entry.value);
    sw_map_free(table->spaces);
    free(table);
}

size_t sw_pubsub_count(const struct sw_pubsub *table)
{
    return table->count;
}

/* The child under the token, made if it is not there; NULL when memory is out. */
static struct node *child_make(struct sw_map **children, uint64_t seed, struct sw_bytes token)
{
    struct node *child;

    if (*children == NULL)
        *children = sw_map_new(seed);
    if (*children == NULL)
        return NULL;
    child = sw_map_find(*children, token.data, token.size);
    if (child != NULL)
        return child;
    child = calloc(1, sizeof *child);
    if (child != NULL && sw_map_put(*children, token.data, token.size, child, NULL) != SW_OK) {
        free(child);
        child = NULL;
    }
    return child;
}

static struct sw_bytes cut_token(struct sw_bytes *rest)
{
    const char *start = rest->data;
    const char *dot = memchr(start, '.', rest->size);
    struct sw_bytes token = {start, dot == NULL ? rest->size : (size_t)(dot - start)};

    rest->data = dot == NULL ? NULL : dot + 1;
    rest->size = dot == NULL ? 0 : rest->size - token.size - 1;
    return token;
}

/* Where the subscriber stands in the ascending array, or where it belongs. */
static size_t position(const struct node *node, uint64_t subscriber)
{
    size_t low = 0, high = node->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (node->subscribers[middle] < subscriber)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static enum sw_rc node_add(struct node *node, uint64_t subscriber)
{
    size_t at = position(node, subscriber);

    if (at < node->count && node->subscribers[at] == subscriber)
        return SW_E_EXISTS;
    if (node->count == node->capacity) {
        size_t capacity = node->capacity == 0 ? 2 : node->capacity * 2;
        uint64_t *grown = realloc(node->subscribers, capacity * sizeof *grown);
        if (grown == NULL)
            return SW_E_EXHAUSTED;
        node->subscribers = grown;
        node->capacity = capacity;
    }
    memmove(node->subscribers + at + 1, node->subscribers + at,
            (node->count - at) * sizeof *node->subscribers);
    node->subscribers[at] = subscriber;
    node->count++;
    return SW_OK;
}

static bool node_is_empty(const struct node *node)
{
    return node->count == 0 && (node->children == NULL || sw_map_count(node->children) == 0);
}

/* Remove below `node` along the rest of the pattern, and the nodes that end up empty. */
static bool remove_below(struct node *node, struct sw_bytes rest, uint64_t subscriber)
{
    struct sw_bytes token;
    struct node *child;
    bool was_there;

    if (rest.data == NULL) {
        size_t at = position(node, subscriber);
        if (at == node->count || node->subscribers[at] != subscriber)
            return false;
        node->count--;
        memmove(node->subscribers + at, node->subscribers + at + 1,
                (node->count - at) * sizeof *node->subscribers);
        return true;
    }
    token = cut_token(&rest);
    child = node->children == NULL ? NULL : sw_map_find(node->children, token.data, token.size);
    if (child == NULL)
        return false;
    was_there = remove_below(child, rest, subscriber);
    if (node_is_empty(child)) {
        (void)sw_map_remove(node->children, token.data, token.size);
        node_free(child);
    }
    return was_there;
}

enum sw_rc sw_pubsub_remove(struct sw_pubsub *table, const struct sw_pubsub_key *key)
{
    struct node *space = sw_map_find(table->spaces, key->space.data, key->space.size);
    bool was_there = space != NULL && remove_below(space, key->pattern, key->subscriber);

    if (space != NULL && node_is_empty(space)) {
        (void)sw_map_remove(table->spaces, key->space.data, key->space.size);
        node_free(space);
    }
    if (!was_there)
        return SW_E_NOT_FOUND;
    table->count--;
    return SW_OK;
}

enum sw_rc sw_pubsub_add(struct sw_pubsub *table, const struct sw_pubsub_key *key)
{
    struct sw_bytes rest = key->pattern;
    struct node *node;
    enum sw_rc rc;

    assert(key->subscriber != 0);
    assert(sw_subject_is_pattern(key->pattern));
    if (table->count >= SW_SUBSCRIPTIONS_MAX)
        return SW_E_EXHAUSTED;
    node = child_make(&table->spaces, table->seed, key->space);
    while (node != NULL && rest.data != NULL)
        node = child_make(&node->children, table->seed, cut_token(&rest));
    rc = node == NULL ? SW_E_EXHAUSTED : node_add(node, key->subscriber);
    if (rc == SW_OK)
        table->count++;
    if (rc == SW_E_EXHAUSTED) { /* Drop the empty nodes that were made on the way. */
        struct node *space = sw_map_find(table->spaces, key->space.data, key->space.size);
        if (space != NULL)
            (void)remove_below(space, key->pattern, key->subscriber);
    }
    return rc;
}

static void put_subscribers(const struct node *node, struct sw_buffer *out)
{
    if (node != NULL)
        sw_buffer_put(out, node->subscribers, node->count * sizeof *node->subscribers);
}

static void match_below(const struct node *node, struct sw_bytes rest, struct sw_buffer *out)
{
    const struct node *child;
    struct sw_bytes token;

    if (rest.data == NULL) {
        put_subscribers(node, out);
        return;
    }
    if (node->children == NULL)
        return;
    put_subscribers(sw_map_find(node->children, ">", 1), out);
    token = cut_token(&rest);
    child = sw_map_find(node->children, token.data, token.size);
    if (child != NULL)
        match_below(child, rest, out);
    child = sw_map_find(node->children, "*", 1);
    if (child != NULL)
        match_below(child, rest, out);
}

static int compare_u64(const void *one, const void *other)
{
    uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;

    return a < b ? -1 : a > b;
}

static bool is_ascending(const uint64_t *found, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (found[i - 1] >= found[i])
            return false;
    return true;
}

void sw_pubsub_match(const struct sw_pubsub *table, struct sw_bytes space, struct sw_bytes subject,
                     struct sw_buffer *out)
{
    const struct node *root = sw_map_find(table->spaces, space.data, space.size);
    size_t start = out->size, count, kept = 0;
    uint64_t *found;

    assert(sw_subject_is_valid(subject));
    assert(start % sizeof *found == 0);
    if (root == NULL)
        return;
    match_below(root, subject, out);
    count = (out->size - start) / sizeof *found;
    if (out->failed || count < 2)
        return;
    found = (uint64_t *)(void *)(out->data + start);
    if (is_ascending(found, count)) /* As all are who subscribed to one pattern. */
        return;
    qsort(found, count, sizeof *found, compare_u64);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || found[i] != found[kept - 1])
            found[kept++] = found[i];
    out->size = start + kept * sizeof *found;
}
