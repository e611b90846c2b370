/* Manifests: any bytes end in documents or problems with places, in bounded memory; each document
 * is written back so that reading that again gives an equal value.
 */
/* uses: pkg/apis/swarm/v1 */
/* covers: pkg/apis/swarm/v1/yaml_parse.c pkg/apis/swarm/v1/yaml_manifest.c */
/* covers: pkg/apis/swarm/v1/yaml_encode.c pkg/apis/swarm/v1/root.c pkg/apis/swarm/v1/tree.c */
#include "pkg/apis/swarm/v1/validate.h"
#include "pkg/apis/swarm/v1/yaml.h"

#include <assert.h>

#define ARENA_MAX (64u << 20)
#define BUFFER_MAX (16u << 20)
/* Larger inputs only make libyaml slow; the programs bound a manifest's size as well. */
#define INPUT_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct sw_manifest *manifest, const struct sw_bind_options *bind)
{
    const struct sw_api_message *message = manifest->kind->message;
    void *again = sw_arena_get(bind->arena, message->size_bytes);
    const struct sw_tree *tree = NULL;
    struct sw_buffer out;

    if (again == NULL)
        return;
    sw_buffer_init(&out, BUFFER_MAX);
    sw_yaml_encode(message, manifest->object, &out);
    assert(sw_buffer_check(&out) == SW_OK);
    enum sw_rc rc = sw_yaml_parse((struct sw_bytes){out.data, out.size}, bind, &tree);
    if (rc == SW_OK)
        rc = sw_tree_bind(tree, message, bind, again);
    assert(rc == SW_E_EXHAUSTED ||
           (rc == SW_OK && sw_api_is_equal(message, manifest->object, again)));
    sw_buffer_done(&out);
}

/* Settings files go through the same reader: the tree is walked by its own paths. */
static void check_settings(struct sw_bytes yaml, const struct sw_bind_options *bind)
{
    const struct sw_tree *tree = NULL;
    struct sw_buffer out;

    if (sw_yaml_parse(yaml, bind, &tree) != SW_OK || tree == NULL)
        return;
    sw_buffer_init(&out, BUFFER_MAX);
    sw_tree_print_json(tree, &out);
    (void)sw_tree_at(tree, "spec.slots[1].first['a']");
    sw_buffer_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(ARENA_MAX);
    struct sw_problems problems = sw_problems_of(arena), others = sw_problems_of(arena);
    const struct sw_bind_options bind = {.arena = arena, .problems = &problems, .file = "m"};
    const struct sw_bind_options second = {.arena = arena, .problems = &others, .file = "m"};
    struct sw_manifest *manifests = NULL;
    size_t count = 0;

    if (size > INPUT_MAX)
        return 0;
    enum sw_rc rc =
        sw_yaml_read_manifests((struct sw_bytes){data, size}, &bind, &manifests, &count);
    assert(rc == SW_E_EXHAUSTED || (rc == SW_OK) == sw_problems_is_empty(&problems));
    for (size_t i = 0; i < count && rc != SW_E_EXHAUSTED; i++) {
        check_round_trip(&manifests[i], &second);
        sw_object_apply_defaults(manifests[i].kind, manifests[i].object);
        const struct sw_validate_options check = {
            .problems = &others, .tree = manifests[i].tree, .file = "m"};
        size_t before = others.count + others.dropped;
        rc = sw_object_validate(manifests[i].kind, manifests[i].object, &check);
        assert((rc == SW_OK) == (others.count + others.dropped == before));
    }
    check_settings((struct sw_bytes){data, size}, &second);
    return 0;
}
