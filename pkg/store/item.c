#include "pkg/store/backend.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* One block: the struct, the key with its NUL, the value. */
struct sw_store_item *sw_store_item_new(const struct sw_store_item_options *options)
{
    size_t key_size = strlen(options->key) + 1;
    struct sw_store_item *item = malloc(sizeof(*item) + key_size + options->value.size);

    if (item == NULL)
        return NULL;
    char *key = (char *)(item + 1);
    memcpy(key, options->key, key_size);
    if (options->value.size > 0)
        memcpy(key + key_size, options->value.data, options->value.size);
    *item = (struct sw_store_item){
        .revision = options->revision,
        .created_revision = options->created_revision,
        .is_deleted = options->is_deleted,
        .key = key,
        .value = {.data = key + key_size, .size = options->value.size},
        .refs = 1,
    };
    return item;
}

struct sw_store_item *sw_store_item_ref(const struct sw_store_item *item)
{
    /* Everything but the count is immutable; the count belongs to whoever holds the item. */
    struct sw_store_item *counted = (struct sw_store_item *)(uintptr_t)item;

    assert(counted->refs > 0 && counted->refs < UINT32_MAX);
    counted->refs++;
    return counted;
}

void sw_store_item_unref(struct sw_store_item *item)
{
    if (item == NULL)
        return;
    assert(item->refs > 0);
    if (--item->refs == 0)
        free(item);
}
