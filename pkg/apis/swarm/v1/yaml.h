/* YAML manifests: several objects in one stream, with the place of every mistake.
 *
 * Anchors and aliases are followed within SW_TREE_NODES_MAX nodes in all, so that a bomb is
 * refused; duplicate keys, unknown tags, NUL bytes and bad UTF-8 are refused. A plain scalar is a
 * number, true, false or null as in YAML 1.2's core schema. JSON is YAML enough to be read here as
 * well. Threads: pure functions.  I/O: none.  Limits: those of tree.h; SW_MANIFEST_DOCUMENTS_MAX.
 */
#pragma once
#include "pkg/apis/swarm/v1/tree.h"

#define SW_MANIFEST_DOCUMENTS_MAX 10000

struct sw_manifest { /* One document; lives in the arena. */
    const struct sw_kind *kind;
    void *object;               /* A struct of the kind, without defaults. */
    const struct sw_tree *tree; /* What it was read from, for the places of later problems. */
    const char *file;
    bool is_doubtful; /* It has mistakes; what could not be read is not set. */
};

/* Read all documents of a stream. Empty documents are left out. Mistakes of all documents are added
 * to options->problems; documents that have none are returned in any case, and with keep_doubtful
 * also those whose kind could be told.
 * SW_E_INVALID    mistakes were added
 * SW_E_EXHAUSTED  the arena is full */
SW_MUST_CHECK enum sw_rc sw_yaml_read_manifests(struct sw_bytes yaml,
                                                const struct sw_bind_options *options,
                                                struct sw_manifest **ret_manifests,
                                                size_t *ret_count);
/* Parse one document into a tree, for settings files. *ret_tree is NULL when it is empty.
 * Errors as sw_yaml_read_manifests. */
SW_MUST_CHECK enum sw_rc sw_yaml_parse(struct sw_bytes yaml, const struct sw_bind_options *options,
                                       const struct sw_tree **ret_tree);

/* Append a value as YAML in block style; a failure shows in sw_buffer_check. */
void sw_yaml_encode(const struct sw_api_message *message, const void *value, struct sw_buffer *out);
