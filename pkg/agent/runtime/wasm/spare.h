/* Guests that are over and made new, kept for whoever comes next. For the files of this room only.
 *
 * Threads: of a worker.  I/O: none.
 * Limits: SW_WASM_SPARES_MAX in a worker; memories of SW_WASM_SAVED_PAGES. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SW_WASM_SPARES_MAX 32u
#define SW_WASM_SAVED_PAGES 64u /* Of an image, that are noted one by one. */

struct sw_wasm_instance;
struct sw_wasm_module;
struct sw_wasm_worker;

/* Which pages of whom differ from a new one's: an image of it was made, and it was not entered
 * since. */
struct sw_wasm_saved {
    const struct sw_wasm_instance *instance; /* NULL: nobody's are known. */
    uint64_t pages;                          /* A bit each. */
};

/* A guest that is over, and made new for the next one of its module and limit. */
struct sw_wasm_spare {
    const struct sw_wasm_module *module;
    uint64_t limit_bytes;
    struct sw_wasm_instance *instance;
};

/* Make it new and keep it, if it can be. False: it is as it was, or half new, and to be deleted. */
bool sw_wasm_spare_keep(struct sw_wasm_instance *instance);
/* One that was never entered, in all that its owner sees; NULL: none is kept. */
struct sw_wasm_instance *sw_wasm_spare_take(struct sw_wasm_worker *worker,
                                            const struct sw_wasm_module *module,
                                            uint64_t limit_bytes, void *ctx);
/* What page `number` holds in a new instance; *at, 0 at first, walks the module's pages along. */
const uint8_t *sw_wasm_base_page(const struct sw_wasm_module *module, uint32_t number, size_t *at);
