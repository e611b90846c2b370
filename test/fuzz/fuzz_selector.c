/* Label selectors, as clients write them. */
/* uses: pkg/store/objects pkg/apis/swarm/v1 */
/* covers: pkg/store/objects/selector.c */
#include "pkg/store/objects/selector.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A selector that is taken can be asked about any object; one that is not says what was expected.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sw_api_pair labels[] = {{"app", "web"}, {"tier", ""}, {"x/y", "z"}};
    struct sw_api_namespace object = {.metadata = {.labels = labels, .labels_count = 3}};
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(1 << 20);
    struct sw_selector selector;
    struct sw_err err = {0};
    char *text = malloc(size + 1);

    if (text == NULL || arena == NULL || size > 4096) {
        free(text);
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    enum sw_rc rc = sw_selector_parse(text, arena, &selector, &err);
    free(text);
    if (rc != SW_OK) {
        if (rc != SW_E_INVALID || strcmp(err.field, "labelSelector") != 0)
            abort();
        return 0;
    }
    bool fits = sw_selector_fits(&selector, &object);
    if (selector.count > SW_SELECTOR_TERMS_MAX || (selector.count == 0 && !fits))
        abort();
    return 0;
}
