/* uses: pkg/agent/modules pkg/agent/runtime/wasm */
/* covers: pkg/agent/modules/rewrite.c pkg/agent/modules/parse.c pkg/agent/modules/code.c */
/* covers: pkg/agent/modules/validate.c */
/* The validator and the rewriter beside Wasmtime's own validation: what is rewritten is valid
 * exactly if the module was; nothing that Wasmtime takes is called damaged; nothing but exports and
 * start differs; and the rewritten module shows each mutable global once. */
#include "pkg/agent/abi/abi.h"
#include "pkg/agent/modules/rewrite.h"
#include "pkg/agent/modules/validate.h"
#include "pkg/agent/runtime/wasm/state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define EXPORTS 7
#define START 8

/* Published by Wasmtime's C API, and used here only. */
struct wasmtime_error *wasmtime_module_validate(struct wasm_engine_t *engine, const uint8_t *wasm,
                                                size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct wasm_engine_t *engine(void)
{
    static struct wasm_engine_t *engine;

    if (engine == NULL) {
        struct sw_err err = {0};
        struct wasm_config_t *config = sw_wasm_config(SW_ABI_COMPACT, false, &err);
        assert(config != NULL);
        engine = wasm_engine_new_with_config(config);
        assert(engine != NULL);
    }
    return engine;
}

static bool wasmtime_takes(struct sw_bytes module)
{
    struct wasmtime_error *error = wasmtime_module_validate(engine(), module.data, module.size);

    if (error == NULL)
        return true;
    wasmtime_error_delete(error);
    return false;
}

/* The next section but for exports and start, with its head; size 0 at the end. Both modules were
 * read as a whole before. */
static struct sw_bytes next_section(struct sw_bytes module, size_t *at)
{
    const uint8_t *data = module.data;

    while (*at < module.size) {
        size_t begin = *at, size = 0;
        unsigned shift = 0;
        uint8_t byte;

        *at += 1;
        do {
            byte = data[(*at)++];
            size |= (size_t)(byte & 0x7f) << shift;
            shift += 7;
        } while ((byte & 0x80) != 0);
        *at += size;
        if (data[begin] != EXPORTS && data[begin] != START)
            return (struct sw_bytes){data + begin, *at - begin};
    }
    return (struct sw_bytes){0};
}

static void expect_same_sections(struct sw_bytes before, struct sw_bytes after)
{
    size_t at_before = 8, at_after = 8;
    struct sw_bytes one, other;

    do {
        one = next_section(before, &at_before);
        other = next_section(after, &at_after);
        assert(one.size == other.size &&
               (one.size == 0 || memcmp(one.data, other.data, one.size) == 0));
    } while (one.size > 0);
}

static unsigned count_of(struct sw_bytes bytes, const char *text)
{
    const char *at = bytes.data, *end = at + bytes.size;
    unsigned count = 0;

    while ((at = memmem(at, (size_t)(end - at), text, strlen(text))) != NULL) {
        count++;
        at++;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sw_bytes module = {data, size};
    struct sw_module_view view = {0};
    struct sw_buffer out, again;
    struct sw_err err = {0};
    bool is_valid = wasmtime_takes(module);
    enum sw_rc rc = sw_module_validate(module, &view, &err);

    sw_buffer_init(&out, size + (1u << 20));
    sw_buffer_init(&again, size + (1u << 20));
    if (is_valid && strncmp(err.message, "the module is damaged", 21) == 0)
        abort();
    assert(sw_module_rewrite(module, &out, NULL) == rc);
    assert(sw_module_rewrite(module, &again, NULL) == rc);
    assert(out.size == again.size &&
           (out.size == 0 || memcmp(out.data, again.data, out.size) == 0));
    if (rc == SW_OK) {
        struct sw_bytes rewritten = {out.data, out.size};
        assert(wasmtime_takes(rewritten) == is_valid);
        expect_same_sections(module, rewritten);
        assert(count_of(rewritten, SW_ABI_GLOBAL_PREFIX) ==
               count_of(module, SW_ABI_GLOBAL_PREFIX) + view.globals_count);
    } else {
        assert(out.size == 0);
    }
    sw_buffer_done(&out);
    sw_buffer_done(&again);
    return 0;
}
