#include "pkg/apis/swarm/v1/place.h"
#include "pkg/apis/swarm/v1/root.h"
#include "pkg/apis/swarm/v1/yaml.h"
#include "pkg/apis/swarm/v1/yaml_parse.h"

#include <string.h>

struct gatherer {
    const struct sw_bind_options *options;
    struct sw_manifest *manifests;
    size_t count, capacity;
    bool has_bad;
};

static enum sw_rc add(struct gatherer *gatherer, const struct sw_manifest *manifest)
{
    if (gatherer->count == gatherer->capacity) {
        size_t capacity = gatherer->capacity == 0 ? 8 : gatherer->capacity * 2;
        struct sw_manifest *more =
            sw_arena_array(gatherer->options->arena, capacity, sizeof(*more));
        if (more == NULL)
            return SW_E_EXHAUSTED;
        if (gatherer->count > 0)
            memcpy(more, gatherer->manifests, gatherer->count * sizeof(*more));
        gatherer->manifests = more;
        gatherer->capacity = capacity;
    }
    gatherer->manifests[gatherer->count++] = *manifest;
    return SW_OK;
}

/* Bind one document, and keep it when it has no mistakes or they do not matter. */
static enum sw_rc take(struct gatherer *gatherer, const struct sw_tree *tree, bool has_bad)
{
    struct sw_manifest manifest = {.tree = tree, .file = gatherer->options->file};
    enum sw_rc rc;

    gatherer->has_bad |= has_bad;
    if (tree->type == SW_TREE_NULL)
        return SW_OK;
    manifest.kind = sw_root_kind(tree, gatherer->options);
    if (manifest.kind == NULL) {
        gatherer->has_bad = true;
        return SW_OK;
    }
    rc = sw_root_bind(manifest.kind, tree, gatherer->options, &manifest.object);
    if (rc == SW_E_EXHAUSTED)
        return rc;
    gatherer->has_bad |= rc != SW_OK;
    manifest.is_doubtful = rc != SW_OK || has_bad;
    return !manifest.is_doubtful || gatherer->options->keep_doubtful ? add(gatherer, &manifest)
                                                                     : SW_OK;
}

enum sw_rc sw_yaml_read_manifests(struct sw_bytes yaml, const struct sw_bind_options *options,
                                  struct sw_manifest **ret_manifests, size_t *ret_count)
{
    struct gatherer gatherer = {.options = options};
    struct sw_yaml_reader reader;
    const struct sw_tree *tree = NULL;
    size_t documents = 0;
    enum sw_rc rc = sw_yaml_open(&reader, yaml, options);

    if (rc != SW_OK)
        return rc;
    while (rc == SW_OK) {
        rc = sw_yaml_next(&reader, &tree);
        if (rc != SW_OK || tree == NULL)
            break;
        if (++documents > SW_MANIFEST_DOCUMENTS_MAX) {
            sw_complain(options->problems,
                        &(struct sw_complaint){
                            .line = tree->line, .column = tree->column, .file = options->file},
                        "more than %d documents", SW_MANIFEST_DOCUMENTS_MAX);
            rc = SW_E_INVALID;
        } else {
            rc = take(&gatherer, tree, reader.has_bad);
        }
    }
    sw_yaml_close(&reader);
    *ret_manifests = gatherer.manifests;
    *ret_count = gatherer.count;
    return rc == SW_OK && gatherer.has_bad ? SW_E_INVALID : rc;
}

enum sw_rc sw_yaml_parse(struct sw_bytes yaml, const struct sw_bind_options *options,
                         const struct sw_tree **ret_tree)
{
    struct sw_yaml_reader reader;
    const struct sw_tree *tree = NULL, *second = NULL;
    enum sw_rc rc = sw_yaml_open(&reader, yaml, options);

    if (rc != SW_OK)
        return rc;
    rc = sw_yaml_next(&reader, &tree);
    bool has_bad = reader.has_bad;
    if (rc == SW_OK)
        rc = sw_yaml_next(&reader, &second);
    if (rc == SW_OK && second != NULL) {
        sw_complain(options->problems,
                    &(struct sw_complaint){
                        .line = second->line, .column = second->column, .file = options->file},
                    "a second document; there may be one");
        rc = SW_E_INVALID;
    }
    sw_yaml_close(&reader);
    if (rc == SW_OK && has_bad)
        rc = SW_E_INVALID;
    if (rc == SW_OK)
        *ret_tree = tree != NULL && tree->type == SW_TREE_NULL ? NULL : tree;
    return rc;
}
