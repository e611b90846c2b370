#include "pkg/store/memory/memory.h"

#include <inttypes.h>
#include <string.h>

#include "pkg/store/backend.h"
#include "pkg/store/memory/state.h"

struct place { /* Where a list begins and at which revision. */
    uint64_t revision;
    char key[SW_STORE_KEY_MAX + 1]; /* After this one, if has_key. */
    bool has_key;
};

static enum sw_rc check_revision(const struct sw_memory *memory, uint64_t revision,
                                 struct sw_err *err)
{
    if (revision > memory->revision)
        sw_err_set(err, SW_E_RANGE, "revision %" PRIu64 " is in the future; the newest is %" PRIu64,
                   revision, memory->revision);
    else if (revision < memory->compacted_revision)
        sw_err_set(err, SW_E_RANGE,
                   "revision %" PRIu64 " is compacted; the oldest kept is %" PRIu64, revision,
                   memory->compacted_revision);
    else
        return SW_OK;
    sw_err_hint(err, "list again from the start");
    return SW_E_RANGE;
}

static enum sw_rc find_place(const struct sw_memory *memory,
                             const struct sw_store_list_request *request, struct place *ret_place,
                             struct sw_err *err)
{
    ret_place->has_key = request->token != NULL && request->token[0] != '\0';
    ret_place->revision = request->revision == 0 ? memory->revision : request->revision;
    if (ret_place->has_key) {
        enum sw_rc rc =
            sw_store_token_parse(request->token, &ret_place->revision, ret_place->key, err);
        if (rc != SW_OK)
            return rc;
        if (strncmp(ret_place->key, request->prefix, strlen(request->prefix)) != 0)
            return sw_err_set(err, SW_E_INVALID, "the continue token belongs to another list");
    }
    return check_revision(memory, ret_place->revision, err);
}

/* From node on, the first item that existed at the revision; *ret_node is where it was found. */
static const struct sw_store_item *find_visible(const struct node *node, const char *prefix,
                                                uint64_t revision, const struct node **ret_node)
{
    size_t prefix_size = strlen(prefix);

    for (; node != NULL; node = node->next[0]) {
        const struct version *version = node->newest;
        if (strncmp(version->item->key, prefix, prefix_size) != 0)
            return NULL;
        while (version != NULL && version->item->revision > revision)
            version = version->older;
        if (version != NULL && !version->item->is_deleted) {
            *ret_node = node;
            return version->item;
        }
    }
    return NULL;
}

enum sw_rc sw_memory_list(const struct sw_memory *memory,
                          const struct sw_store_list_request *request, sw_store_visit *visit,
                          void *ctx, struct sw_store_list_end *ret_end, struct sw_err *err)
{
    struct place place;
    const struct node *node = NULL;
    const struct sw_store_item *item = NULL;
    size_t count = 0;
    bool is_full = false;

    enum sw_rc rc = find_place(memory, request, &place, err);
    if (rc != SW_OK)
        return rc;
    node = sw_memory_keys_seek(&memory->keys, place.has_key ? place.key : request->prefix);
    if (place.has_key && node != NULL && strcmp(node->newest->item->key, place.key) == 0)
        node = node->next[0];

    item = find_visible(node, request->prefix, place.revision, &node);
    while (item != NULL && !is_full) {
        const struct sw_store_item *last = item;
        is_full = !visit(ctx, item) || ++count == request->items_max;
        item = find_visible(node->next[0], request->prefix, place.revision, &node);
        if (is_full && item != NULL) {
            ret_end->revision = place.revision;
            return sw_store_token_print(place.revision, last->key, ret_end->token);
        }
    }
    ret_end->revision = place.revision;
    ret_end->token[0] = '\0';
    return SW_OK;
}
