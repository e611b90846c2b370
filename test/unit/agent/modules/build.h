/* Modules built section by section: a valid one, of which a test replaces one part. */
#pragma once
#include "pkg/agent/modules/validate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BYTES(literal) (struct sw_bytes){(literal), sizeof(literal) - 1}

struct parts { /* Contents of the sections; those with no data are left out. */
    struct sw_bytes before, types, imports, functions, tables, memories, globals, exports, start,
        elements, data_count, code, data, after;
};

/* Types 0: (i32) -> i32, 1: () -> i32; functions 0 and 1 return 0. */
#define VALID_TYPES "\x02\x60\x01\x7f\x01\x7f\x60\x00\x01\x7f"
#define VALID_FUNCTIONS "\x02\x00\x00"
#define VALID_MEMORIES "\x01\x00\x01"
#define EXPORT_MEMORY "\x06memory\x02\x00"
#define EXPORT_ALLOC "\x0bswarm_alloc\x00\x00"
#define EXPORT_ON_MESSAGE "\x0aon_message\x00\x01"
#define VALID_EXPORTS "\x03" EXPORT_MEMORY EXPORT_ALLOC EXPORT_ON_MESSAGE
#define BODY_ZERO "\x04\x00\x41\x00\x0b"
#define VALID_CODE "\x02" BODY_ZERO BODY_ZERO

static inline struct parts valid_parts(void)
{
    return (struct parts){.types = BYTES(VALID_TYPES),
                          .functions = BYTES(VALID_FUNCTIONS),
                          .memories = BYTES(VALID_MEMORIES),
                          .exports = BYTES(VALID_EXPORTS),
                          .code = BYTES(VALID_CODE)};
}

static inline void put_size(struct sw_buffer *out, size_t size)
{
    for (; size >= 0x80; size >>= 7)
        sw_buffer_put_u8(out, (uint8_t)(size | 0x80));
    sw_buffer_put_u8(out, (uint8_t)size);
}

static inline void put_section(struct sw_buffer *out, uint8_t id, struct sw_bytes content)
{
    if (content.data == NULL)
        return;
    sw_buffer_put_u8(out, id);
    put_size(out, content.size);
    sw_buffer_put(out, content.data, content.size);
}

static inline void build(const struct parts *parts, struct sw_buffer *out)
{
    sw_buffer_put(out, "\0asm\1\0\0\0", 8);
    sw_buffer_put(out, parts->before.data, parts->before.size);
    put_section(out, 1, parts->types);
    put_section(out, 2, parts->imports);
    put_section(out, 3, parts->functions);
    put_section(out, 4, parts->tables);
    put_section(out, 5, parts->memories);
    put_section(out, 6, parts->globals);
    put_section(out, 7, parts->exports);
    put_section(out, 8, parts->start);
    put_section(out, 9, parts->elements);
    put_section(out, 12, parts->data_count);
    put_section(out, 10, parts->code);
    put_section(out, 11, parts->data);
    sw_buffer_put(out, parts->after.data, parts->after.size);
}

/* Validate, and demand a code and some words. */
static inline void expect(const struct parts *parts, enum sw_rc wanted, const char *words)
{
    struct sw_module_view view;
    struct sw_err err = {0};
    struct sw_buffer module;

    sw_buffer_init(&module, 1u << 20);
    build(parts, &module);
    enum sw_rc rc = sw_module_validate((struct sw_bytes){module.data, module.size}, &view, &err);
    sw_buffer_done(&module);
    if (rc != wanted || strstr(err.message, words) == NULL)
        fail_msg("%d %s (wanted %d %s)", (int)rc, err.message, (int)wanted, words);
}

static inline void expect_hint(const struct parts *parts, const char *words)
{
    struct sw_err err = {0};
    struct sw_buffer module;

    sw_buffer_init(&module, 1024);
    build(parts, &module);
    assert_int_equal(sw_module_validate((struct sw_bytes){module.data, module.size}, NULL, &err),
                     SW_E_INVALID);
    sw_buffer_done(&module);
    if (strstr(err.hint, words) == NULL)
        fail_msg("the hint is: %s", err.hint);
}
