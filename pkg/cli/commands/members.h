/* Members of an answer in JSON, for commands that show them without a kind of the API.
 *
 * Threads, I/O, Limits: none. */
#pragma once
#include "pkg/apis/swarm/v1/json.h"
#include "pkg/utils/base/text.h"

/* The text of a member; "" when it, or the map (NULL), is missing. Borrowed from the tree. */
static inline const char *sw_member_text(const struct sw_tree *map, const char *name)
{
    const struct sw_tree *node = map == NULL ? NULL : sw_tree_find(map, name);

    return node == NULL ? "" : node->text;
}

/* The same as a number; 0 when it is none. */
static inline uint64_t sw_member_number(const struct sw_tree *map, const char *name)
{
    uint64_t value = 0;

    return sw_text_to_u64(sw_member_text(map, name), &value) == SW_OK ? value : 0;
}
