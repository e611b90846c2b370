/* The binary format of WebAssembly as the validator reads it; for the files of this room only.
 *
 * A parse fails once: the first failure sets rc and words, moves the cursor to its limit, and every
 * later read yields zero, so loops end and callers check at the end of a section. */
#pragma once
#include "pkg/agent/modules/validate.h"
#include "pkg/utils/base/arena.h"

#define SW_MODULE_TYPES_MAX 65536u
#define SW_MODULE_PARAMETERS_MAX 1000u /* Of a function; as many results. */
#define SW_MODULE_IMPORTS_MAX 1000u
#define SW_MODULE_EXPORTS_MAX 65536u
#define SW_MODULE_FUNCTIONS_MAX 1000000u
#define SW_MODULE_TABLES_MAX 100u
#define SW_MODULE_GLOBALS_MAX 65536u
#define SW_MODULE_SEGMENTS_MAX 100000u
#define SW_MODULE_BODY_BYTES_MAX 7654321u /* What Wasmtime takes. */
#define SW_MODULE_LOCALS_MAX 50000u
#define SW_MODULE_NESTING_MAX 10000u /* A large switch nests a block for each case. */
#define SW_MODULE_BRANCHES_MAX 65520u

enum sw_value_type { /* As they stand in the file. */
                     SW_VALUE_I32 = 0x7f,
                     SW_VALUE_I64 = 0x7e,
                     SW_VALUE_F32 = 0x7d,
                     SW_VALUE_F64 = 0x7c,
                     SW_VALUE_V128 = 0x7b,
                     SW_VALUE_FUNCREF = 0x70
};

struct sw_module_global {
    uint8_t type;
    bool is_mutable;
};

struct sw_module_section {      /* Where one stands in data. */
    size_t begin, content, end; /* Its kind, what follows its size, and the first byte behind it. */
};

struct sw_module_parse {
    const uint8_t *data; /* The whole module; borrowed. */
    size_t at, end;      /* Cursor, and the end of what is being read. */
    enum sw_rc rc;
    struct sw_err *err;
    struct sw_arena *arena;
    struct sw_module_view view;

    size_t *types; /* Where each type stands in data. */
    uint32_t types_count;
    uint32_t *functions; /* Type of each function: imported ones first. */
    uint32_t functions_count, imports_count, bodies_count;
    struct sw_module_global *globals;
    uint32_t globals_count;
    uint32_t tables_count, memories_count, data_count;
    bool has_data_count, has_memory_export, has_wasi_start, has_start;
    uint32_t exports_found; /* A bit per row of sw_abi_exports. */
    /* For the rewriter. */
    struct sw_module_section exports, start;
    size_t exports_items; /* Where the first export stands, behind their number. */
    uint32_t exports_count, start_function;
};

/* validate.c: read and judge a whole module. *p is empty but for err, if any; what it then holds
 * borrows from module and arena. */
SW_MUST_CHECK enum sw_rc sw_module_read(struct sw_module_parse *p, struct sw_bytes module,
                                        struct sw_arena *arena);
#define SW_MODULE_ARENA_BYTES_MAX ((size_t)64 << 20) /* What that needs at most. */

/* Record a failure unless there is one; returns its code. */
enum sw_rc sw_module_fail(struct sw_module_parse *p, enum sw_rc rc, const char *format, ...)
    SW_PRINTF(3, 4);
/* The same with a hint. */
enum sw_rc sw_module_refuse(struct sw_module_parse *p, const char *hint, const char *format, ...)
    SW_PRINTF(3, 4);

uint8_t sw_module_u8(struct sw_module_parse *p);
uint32_t sw_module_u32(struct sw_module_parse *p); /* LEB128, at most 32 bits. */
/* A signed LEB128 of at most `bits` bits, whose value does not matter here. */
void sw_module_skip_signed(struct sw_module_parse *p, unsigned bits);
/* size bytes, borrowed; {NULL, 0} after a failure. */
struct sw_bytes sw_module_take(struct sw_module_parse *p, size_t size);
/* A name: u32 size and UTF-8. */
struct sw_bytes sw_module_name(struct sw_module_parse *p);
/* A count of items of at least item_bytes each; fails if they cannot all be there. */
uint32_t sw_module_count(struct sw_module_parse *p, uint32_t count_max, size_t item_bytes,
                         const char *what);
/* A value type; unknown and switched-off ones fail. */
uint8_t sw_module_value_type(struct sw_module_parse *p);

/* code.c: instructions up to the `end` that closes them; in a function body or an initialiser. */
void sw_module_walk(struct sw_module_parse *p);
