/* What a manifest or a JSON body says, as a tree with positions, before types are known; and the
 * binder that turns a tree into a typed value. YAML and JSON share both, so rules exist once.
 *
 * Threads: pure functions.  I/O: none.  Limits: SW_TREE_DEPTH_MAX levels, SW_TREE_NODES_MAX nodes.
 */
#pragma once
#include "pkg/apis/swarm/v1/object.h"
#include "pkg/apis/swarm/v1/problem.h"

#define SW_TREE_DEPTH_MAX 32
#define SW_TREE_NODES_MAX 100000

enum sw_tree_type {
    SW_TREE_NULL = 1,
    SW_TREE_BOOL,
    SW_TREE_NUMBER, /* text holds its digits, as they were written */
    SW_TREE_TEXT,
    SW_TREE_LIST,
    SW_TREE_MAP
};

struct sw_tree { /* Lives in an arena. */
    enum sw_tree_type type;
    unsigned line, column; /* From 1; 0: not known. */
    const char *key;       /* In a map; otherwise NULL. */
    unsigned key_line, key_column;
    const char *text;      /* Of a scalar; otherwise "". */
    struct sw_tree *first; /* The first child of a list or map. */
    struct sw_tree *next;  /* The next child of the same parent. */
};

/* The child of a map with this key, or NULL. */
const struct sw_tree *sw_tree_find(const struct sw_tree *map, const char *key);
/* The node of a field path such as "spec.slots[0].first", or the last one on the way that is there.
 * NULL only when tree is NULL. */
const struct sw_tree *sw_tree_at(const struct sw_tree *tree, const char *path);
/* Append the tree as compact JSON. */
void sw_tree_print_json(const struct sw_tree *tree, struct sw_buffer *out);

struct sw_bind_options {
    struct sw_arena *arena;       /* Everything in the value lives here. */
    struct sw_problems *problems; /* All mistakes are added here. */
    const char *file;             /* For the problems; "" when there is none. */
    bool keep_doubtful;           /* For sw_yaml_read_manifests. */
    bool hides_values;            /* Problems quote nothing of what was written. */
    bool refuse_null;             /* Otherwise null means "not set"; JSON bodies refuse it. */
};
/* Read the tree as a value of the message into *ret_value, which is filled as far as possible.
 * SW_E_INVALID    mistakes were added to the problems
 * SW_E_EXHAUSTED  the arena is full */
SW_MUST_CHECK enum sw_rc sw_tree_bind(const struct sw_tree *tree,
                                      const struct sw_api_message *message,
                                      const struct sw_bind_options *options, void *ret_value);
