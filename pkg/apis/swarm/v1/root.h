/* The head of an object in a tree: its apiVersion and kind. For the files of this room only.
 *
 * Threads: pure functions.  I/O: none. */
#pragma once
#include "pkg/apis/swarm/v1/tree.h"

/* The kind that the tree names; NULL, and problems, when it names none that there is. */
const struct sw_kind *sw_root_kind(const struct sw_tree *tree,
                                   const struct sw_bind_options *options);
/* Bind the tree as an object of this kind. Its apiVersion and kind must fit, or are set when they
 * are missing. *ret_object is set in any case that the arena is large enough. Errors as
 * sw_tree_bind. */
SW_MUST_CHECK enum sw_rc sw_root_bind(const struct sw_kind *kind, const struct sw_tree *tree,
                                      const struct sw_bind_options *options, void **ret_object);
