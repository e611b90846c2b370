/* YAML documents as trees, one after another. For the files of this room only.
 *
 * Threads: one at a time.  I/O: none.  Limits: those of tree.h over the whole stream. */
#pragma once
#include "pkg/apis/swarm/v1/tree.h"

#include <yaml.h>

#define SW_YAML_ANCHORS_MAX 100 /* In one document. */

struct anchored;

struct sw_yaml_anchor {
    const char *name;
    struct anchored *node;
};

struct sw_yaml_reader {
    const struct sw_bind_options *options;
    struct sw_bytes text; /* All of it; borrowed. */
    yaml_parser_t parser;
    enum sw_rc rc;    /* SW_OK until the stream cannot be read any further. */
    bool has_bad;     /* The document has mistakes, which do not stop the reading. */
    bool is_finished; /* The end of the stream was read. */
    unsigned depth;
    size_t nodes, anchor_count;
    struct sw_yaml_anchor anchors[SW_YAML_ANCHORS_MAX];
};

/* Start reading; the bytes are borrowed until the end. Call sw_yaml_close if this was SW_OK. */
SW_MUST_CHECK enum sw_rc sw_yaml_open(struct sw_yaml_reader *reader, struct sw_bytes yaml,
                                      const struct sw_bind_options *options);
void sw_yaml_close(struct sw_yaml_reader *reader);
/* The tree of the next document, NULL at the end. `has_bad` tells of mistakes within.
 * SW_E_INVALID    the stream cannot be read further; problems say why
 * SW_E_EXHAUSTED  the arena is full */
SW_MUST_CHECK enum sw_rc sw_yaml_next(struct sw_yaml_reader *reader,
                                      const struct sw_tree **ret_tree);

/* What a plain scalar is under YAML 1.2's core schema. */
enum sw_tree_type sw_yaml_plain_type(const char *text);
