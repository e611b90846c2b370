#include "pkg/agent/modules/rewrite.h"
#include "pkg/agent/modules/parse.h"

#include "pkg/agent/abi/abi.h"

#include <stdio.h>
#include <string.h>

#define SECTION_EXPORT 7
#define KIND_FUNCTION 0
#define KIND_GLOBAL 3
#define NAME_MAX_BYTES 32

static void put_u32(struct sw_buffer *out, uint32_t value)
{
    for (; value >= 0x80; value >>= 7)
        sw_buffer_put_u8(out, (uint8_t)(value | 0x80));
    sw_buffer_put_u8(out, (uint8_t)value);
}

static void put_export(struct sw_buffer *out, const char *name, uint8_t kind, uint32_t index)
{
    put_u32(out, (uint32_t)strlen(name));
    sw_buffer_put_text(out, name);
    sw_buffer_put_u8(out, kind);
    put_u32(out, index);
}

/* The exports that the host adds; returns how many. */
static uint32_t put_additions(const struct sw_module_parse *p, struct sw_buffer *out)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < p->globals_count; i++) {
        char name[NAME_MAX_BYTES];

        if (!p->globals[i].is_mutable)
            continue;
        (void)snprintf(name, sizeof name, SW_ABI_GLOBAL_PREFIX "%u", i);
        put_export(out, name, KIND_GLOBAL, i);
        count++;
    }
    if (p->has_start) {
        put_export(out, SW_ABI_START, KIND_FUNCTION, p->start_function);
        count++;
    }
    return count;
}

/* The export section: a new number, the old items, and the additions. */
static void put_exports(const struct sw_module_parse *p, struct sw_buffer *out)
{
    size_t items = p->exports.end - p->exports_items;
    struct sw_buffer number, additions;

    sw_buffer_init(&number, 8);
    sw_buffer_init(&additions, (SW_ABI_GLOBALS_MAX + 1) * (NAME_MAX_BYTES + 8));
    put_u32(&number, p->exports_count + put_additions(p, &additions));
    sw_buffer_put_u8(out, SECTION_EXPORT);
    put_u32(out, (uint32_t)(number.size + items + additions.size));
    sw_buffer_put(out, number.data, number.size);
    sw_buffer_put(out, p->data + p->exports_items, items);
    if (additions.size > 0)
        sw_buffer_put(out, additions.data, additions.size);
    out->failed |= number.failed || additions.failed;
    sw_buffer_done(&number);
    sw_buffer_done(&additions);
}

enum sw_rc sw_module_rewrite(struct sw_bytes module, struct sw_buffer *out, struct sw_err *err)
{
    SW_CLEANUP(sw_arena_freep)
    struct sw_arena *arena = sw_arena_new(SW_MODULE_ARENA_BYTES_MAX);
    struct sw_module_parse p = {.err = err};
    size_t before = out->size, rest;
    enum sw_rc rc;

    if (arena == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to rewrite the module");
    rc = sw_module_read(&p, module, arena);
    if (rc != SW_OK)
        return rc;
    sw_buffer_put(out, p.data, p.exports.begin);
    put_exports(&p, out);
    rest = p.exports.end;
    if (p.has_start) { /* Behind the exports: the validator knows the order of sections. */
        sw_buffer_put(out, p.data + rest, p.start.begin - rest);
        rest = p.start.end;
    }
    sw_buffer_put(out, p.data + rest, module.size - rest);
    if (!out->failed)
        return SW_OK;
    out->size = before;
    return sw_err_set(err, SW_E_EXHAUSTED, "no room for the rewritten module");
}
