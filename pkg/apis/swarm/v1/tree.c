#include "pkg/apis/swarm/v1/tree.h"
#include "pkg/apis/swarm/v1/json.h"

#include <stdlib.h>
#include <string.h>

const struct sw_tree *sw_tree_find(const struct sw_tree *map, const char *key)
{
    if (map == NULL || map->type != SW_TREE_MAP)
        return NULL;
    for (const struct sw_tree *child = map->first; child != NULL; child = child->next)
        if (strcmp(child->key, key) == 0)
            return child;
    return NULL;
}

static const struct sw_tree *find_sized(const struct sw_tree *map, const char *key, size_t size)
{
    if (map->type != SW_TREE_MAP)
        return NULL;
    for (const struct sw_tree *child = map->first; child != NULL; child = child->next)
        if (strlen(child->key) == size && memcmp(child->key, key, size) == 0)
            return child;
    return NULL;
}

static const struct sw_tree *find_index(const struct sw_tree *list, unsigned long index)
{
    const struct sw_tree *child = list->type == SW_TREE_LIST ? list->first : NULL;

    while (child != NULL && index-- > 0)
        child = child->next;
    return child;
}

/* One step of a path that sw_place_print wrote: ".name", "[2]" or "['key']". */
static const struct sw_tree *step(const struct sw_tree *tree, const char **path)
{
    const char *at = *path, *end;

    if (at[0] == '[' && at[1] == '\'') {
        end = strstr(at, "']");
        if (end == NULL)
            return NULL;
        *path = end + 2;
        return find_sized(tree, at + 2, (size_t)(end - at - 2));
    }
    if (at[0] == '[') {
        end = strchr(at, ']');
        if (end == NULL)
            return NULL;
        *path = end + 1;
        return find_index(tree, strtoul(at + 1, NULL, 10));
    }
    if (at[0] == '.')
        at++;
    *path = at + strcspn(at, ".[");
    return find_sized(tree, at, (size_t)(*path - at));
}

const struct sw_tree *sw_tree_at(const struct sw_tree *tree, const char *path)
{
    while (tree != NULL && *path != '\0') {
        const struct sw_tree *next = step(tree, &path);
        if (next == NULL)
            return tree;
        tree = next;
    }
    return tree;
}

void sw_tree_print_json(const struct sw_tree *tree, struct sw_buffer *out)
{
    bool is_map = tree->type == SW_TREE_MAP;

    if (tree->type == SW_TREE_TEXT) {
        sw_json_put_text(out, tree->text);
        return;
    }
    if (tree->type == SW_TREE_NULL) {
        sw_buffer_put_text(out, "null");
        return;
    }
    if (!is_map && tree->type != SW_TREE_LIST) {
        sw_buffer_put_text(out, tree->text);
        return;
    }
    sw_buffer_put_text(out, is_map ? "{" : "[");
    for (const struct sw_tree *child = tree->first; child != NULL; child = child->next) {
        if (is_map) {
            sw_json_put_text(out, child->key);
            sw_buffer_put_text(out, ":");
        }
        sw_tree_print_json(child, out);
        if (child->next != NULL)
            sw_buffer_put_text(out, ",");
    }
    sw_buffer_put_text(out, is_map ? "}" : "]");
}
