#include "pkg/agent/runtime/wasm/spare.h"

#include "pkg/agent/runtime/wasm/state.h"

#include <string.h>

#define PAGE_BYTES SW_WASM_IMAGE_PAGE_BYTES

/* Guests that are over are made new for whoever comes next: to make one costs three times as much,
 * and who sleeps is one that goes. What the next one finds is what a new one has: each page that
 * differs from the module's first memory is written, and each mutable global; tables and segments
 * are as they were, since a module that changes them is none. */

/* A page as a new instance has it; *at walks the module's base pages along. */
const uint8_t *sw_wasm_base_page(const struct sw_wasm_module *module, uint32_t number, size_t *at)
{
    static const uint8_t zeros[PAGE_BYTES];

    while (*at < module->base_count && module->base_pages[*at] < number)
        *at += 1;
    if (*at < module->base_count && module->base_pages[*at] == number)
        return module->base_bytes + *at * PAGE_BYTES;
    return zeros;
}

/* Its pages that differ from the first ones are known, since an image was made of it after it ran.
 */
static bool is_known(const struct sw_wasm_instance *instance)
{
    return instance->worker->saved.instance == instance;
}

/* Where they are not known, all are looked at. */
static void clear_memory(const struct sw_wasm_instance *instance)
{
    const struct sw_wasm_saved *saved = &instance->worker->saved;
    bool only_some = is_known(instance);
    uint32_t pages = (uint32_t)(instance->slot.size_bytes / PAGE_BYTES);
    size_t at = 0;

    for (uint32_t i = 0; i < pages; i++) {
        uint8_t *page = instance->slot.base + (uint64_t)i * PAGE_BYTES;
        const uint8_t *base;

        if (only_some && (saved->pages >> i & 1) == 0)
            continue;
        base = sw_wasm_base_page(instance->module, i, &at);
        if (only_some || memcmp(page, base, PAGE_BYTES) != 0)
            memcpy(page, base, PAGE_BYTES);
    }
}

static bool clear_globals(struct sw_wasm_instance *instance)
{
    sw_wasm_find_global(instance);
    for (uint32_t i = 0; i < instance->module->view.globals_count; i++) {
        struct wasmtime_global global = sw_wasm_global_of(instance, i);
        struct wasmtime_error *error =
            wasmtime_global_set(instance->context, &global, &instance->module->globals[i].first);

        if (error == NULL)
            continue;
        wasmtime_error_delete(error);
        return false;
    }
    return true;
}

static void delete(struct sw_wasm_worker *worker, struct sw_wasm_instance *instance)
{
    sw_wasm_count_memory(worker, instance->slot.size_bytes); /* That its end takes away again. */
    sw_wasm_instance_delete(instance);
}

bool sw_wasm_spare_keep(struct sw_wasm_instance *instance)
{
    struct sw_wasm_worker *worker = instance->worker;
    uint64_t size_bytes = instance->slot.size_bytes;

    if (instance->store == NULL || instance->instance.store_id == 0 || instance->has_failed ||
        instance->relive != NULL || instance->slot.is_guarded || instance->slot.base == NULL ||
        size_bytes != instance->module->view.memory_bytes ||
        size_bytes > SW_WASM_SAVED_PAGES * PAGE_BYTES)
        return false;
    /* To look at pages that nobody touched is a fault each: many that end at once are not kept. */
    if (worker->spares_count == SW_WASM_SPARES_MAX && !is_known(instance))
        return false;
    clear_memory(instance);
    if (!clear_globals(instance))
        return false;
    if (worker->spares_count == SW_WASM_SPARES_MAX) {
        delete (worker, worker->spares[0].instance);
        worker->spares_count--;
        memmove(worker->spares, worker->spares + 1, worker->spares_count * sizeof *worker->spares);
    }
    instance->last_pointer = instance->room_bytes = 0;
    instance->suspended = instance->turn = (struct sw_wasm_suspended){0};
    instance->exit_code = 0;
    worker->saved.instance = NULL;
    worker->spares[worker->spares_count++] =
        (struct sw_wasm_spare){.module = instance->module,
                               .limit_bytes = instance->slot.limit_bytes,
                               .instance = instance};
    sw_wasm_count_memory(worker, 0 - size_bytes);
    return true;
}

struct sw_wasm_instance *sw_wasm_spare_take(struct sw_wasm_worker *worker,
                                            const struct sw_wasm_module *module,
                                            uint64_t limit_bytes, void *ctx)
{
    for (uint32_t i = worker->spares_count; i > 0; i--) {
        struct sw_wasm_spare *spare = &worker->spares[i - 1];
        struct sw_wasm_instance *instance = spare->instance;

        if (spare->module != module || spare->limit_bytes != limit_bytes)
            continue;
        worker->spares_count--;
        memmove(spare, spare + 1, (worker->spares_count - (i - 1)) * sizeof *spare);
        sw_wasm_count_memory(worker, instance->slot.size_bytes);
        instance->ctx = instance->calls_ctx = ctx;
        return instance;
    }
    return NULL;
}

void sw_wasm_worker_forget(struct sw_wasm_worker *worker, const struct sw_wasm_module *module)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < worker->spares_count; i++) {
        struct sw_wasm_spare spare = worker->spares[i];

        if (module != NULL && spare.module != module)
            worker->spares[kept++] = spare;
        else
            delete (worker, spare.instance);
    }
    worker->spares_count = kept;
}
