/* Members of an answer in JSON, for commands that show them without a kind of the API.
 *
 * Threads, I/O, Limits: none. */
#pragma once
#include "pkg/apis/swarm/v1/json.h"
#include "pkg/client/clientset/client.h"
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

/* Take the JSON of an answer; the tree borrows from it and from the arena.
 * SW_E_UNSUPPORTED: it is none. */
SW_MUST_CHECK static inline enum sw_rc sw_members_take(const struct sw_answer *answer,
                                                       struct sw_arena *arena,
                                                       const struct sw_tree **ret_tree,
                                                       struct sw_err *err)
{
    struct sw_problems problems = sw_problems_of(arena);
    struct sw_bind_options options = {.arena = arena, .problems = &problems, .file = ""};

    if (sw_json_parse((struct sw_bytes){answer->body.data, answer->body.size}, &options,
                      ret_tree) == SW_OK)
        return SW_OK;
    return sw_err_set(err, SW_E_UNSUPPORTED, "the server's answer is not understood");
}
