#include "pkg/broker/model/cache.h"

#include "pkg/utils/base/list.h"
#include "pkg/utils/base/map.h"

#include <stdlib.h>
#include <string.h>

struct model_cache {
    struct sw_map *entries;
    struct sw_list used; /* The longest unused first. */
    size_t bytes, bytes_max;
};

struct entry {
    struct sw_list node;
    uint64_t made_ms;
    size_t size;
    uint8_t name[SW_SHA256_SIZE];
    char body[];
};

static struct sw_bytes key_of(const void *value)
{
    const struct entry *entry = value;

    return (struct sw_bytes){entry->name, sizeof entry->name};
}

struct model_cache *sw_model_cache_new(uint64_t seed, size_t bytes_max)
{
    struct model_cache *cache = calloc(1, sizeof *cache);

    if (cache == NULL)
        return NULL;
    sw_list_init(&cache->used);
    cache->bytes_max = bytes_max;
    cache->entries = sw_map_new_of(seed, key_of);
    if (cache->entries == NULL) {
        free(cache);
        return NULL;
    }
    return cache;
}

static void drop(struct model_cache *cache, struct entry *entry)
{
    (void)sw_map_remove(cache->entries, entry->name, sizeof entry->name);
    sw_list_remove(&entry->node);
    cache->bytes -= sizeof *entry + entry->size;
    free(entry);
}

static void shrink(struct model_cache *cache, size_t bytes_max)
{
    while (cache->bytes > bytes_max)
        drop(cache, SW_LIST_ITEM(sw_list_first(&cache->used), struct entry, node));
}

void sw_model_cache_free(struct model_cache *cache)
{
    if (cache == NULL)
        return;
    shrink(cache, 0);
    sw_map_free(cache->entries);
    free(cache);
}

void sw_model_cache_set(struct model_cache *cache, size_t bytes_max)
{
    cache->bytes_max = bytes_max;
    shrink(cache, bytes_max);
}

enum sw_rc sw_model_cache_name(const struct sw_wire_request *request, const char *name_space,
                               const char *provider, const char *upstream,
                               uint8_t ret_name[SW_SHA256_SIZE])
{
    struct sw_buffer words;
    enum sw_rc rc;

    sw_buffer_init(&words, SW_WIRE_REQUEST_BYTES_MAX + SW_WIRE_REQUEST_BYTES_MAX / 2);
    sw_buffer_put_bytes(&words, (struct sw_bytes){name_space, strlen(name_space)});
    sw_buffer_put_bytes(&words, (struct sw_bytes){provider, strlen(provider)});
    sw_buffer_put_bytes(&words, (struct sw_bytes){upstream, strlen(upstream)});
    sw_buffer_put_u8(&words, (uint8_t)sw_wire_request_view(request)->protocol);
    sw_wire_request_identity(request, &words);
    rc = sw_buffer_check(&words);
    if (rc == SW_OK)
        sw_sha256_of(words.data, words.size, ret_name);
    sw_buffer_done(&words);
    return rc;
}

bool sw_model_cache_find(struct model_cache *cache, const uint8_t name[SW_SHA256_SIZE],
                         uint64_t since_ms, struct sw_bytes *ret_body)
{
    struct entry *entry = sw_map_find(cache->entries, name, SW_SHA256_SIZE);

    if (entry == NULL)
        return false;
    if (entry->made_ms < since_ms) {
        drop(cache, entry);
        return false;
    }
    sw_list_remove(&entry->node);
    sw_list_add(&cache->used, &entry->node);
    *ret_body = (struct sw_bytes){entry->body, entry->size};
    return true;
}

void sw_model_cache_put(struct model_cache *cache, const uint8_t name[SW_SHA256_SIZE],
                        uint64_t now_ms, struct sw_bytes body)
{
    struct entry *entry = sw_map_find(cache->entries, name, SW_SHA256_SIZE);
    size_t size = sizeof *entry + body.size;

    if (entry != NULL)
        drop(cache, entry);
    if (size > cache->bytes_max)
        return;
    shrink(cache, cache->bytes_max - size);
    entry = malloc(size);
    if (entry == NULL)
        return;
    entry->made_ms = now_ms;
    entry->size = body.size;
    memcpy(entry->name, name, sizeof entry->name);
    memcpy(entry->body, body.data, body.size);
    if (sw_map_put(cache->entries, entry->name, sizeof entry->name, entry, NULL) != SW_OK) {
        free(entry);
        return;
    }
    sw_list_add(&cache->used, &entry->node);
    cache->bytes += size;
}
