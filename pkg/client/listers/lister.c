#include "pkg/client/listers/lister.h"

#include <stdlib.h>
#include <string.h>

enum sw_rc sw_lister_get(const struct sw_informer *informer, const char *namespace_name,
                         const char *name, struct sw_arena *arena, void **ret_object,
                         struct sw_err *err)
{
    const struct sw_kind *kind = sw_informer_kind(informer);
    const struct sw_store_item *item;
    char key[SW_OBJECT_KEY_MAX];

    sw_object_key(kind, namespace_name, name, key);
    item = sw_informer_find(informer, key);
    if (item == NULL)
        return sw_err_set(err, SW_E_NOT_FOUND, "there is no %s %s%s%s", kind->name, namespace_name,
                          namespace_name[0] == '\0' ? "" : "/", name);
    return sw_object_of_item(kind, item, arena, ret_object, err);
}

static int by_key(const void *one, const void *other)
{
    const struct sw_store_item *const *first = one, *const *second = other;

    return strcmp((*first)->key, (*second)->key);
}

enum sw_rc sw_lister_list(const struct sw_informer *informer, const char *namespace_name,
                          struct sw_arena *arena, struct sw_lister_objects *ret_objects,
                          struct sw_err *err)
{
    const struct sw_kind *kind = sw_informer_kind(informer);
    size_t count_max = sw_informer_count(informer), count = 0, cursor = 0;
    const struct sw_store_item **found = sw_arena_array(arena, count_max, sizeof(void *));
    void **objects = sw_arena_array(arena, count_max, sizeof(void *));
    const struct sw_store_item *item;
    char prefix[SW_OBJECT_KEY_MAX];
    enum sw_rc rc = SW_OK;

    if (found == NULL || objects == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "too many %s for one pass", kind->plural);
    sw_object_key(kind, namespace_name, NULL, prefix);
    while (sw_informer_next(informer, &cursor, &item))
        if (strncmp(item->key, prefix, strlen(prefix)) == 0)
            found[count++] = item;
    if (count > 0)
        qsort(found, count, sizeof(void *), by_key);
    for (size_t i = 0; rc == SW_OK && i < count; i++)
        rc = sw_object_of_item(kind, found[i], arena, &objects[i], err);
    if (rc == SW_OK)
        *ret_objects = (struct sw_lister_objects){.items = objects, .count = count};
    return rc;
}
