#include "pkg/agent/modules/validate.h"
#include "pkg/agent/modules/parse.h"

#include "pkg/agent/abi/abi.h"
#include "pkg/utils/base/text.h"

#include <string.h>

#define NAMES_MAX 64u /* Of functions that are compared with a misspelt one. */

enum {
    SECTION_CUSTOM,
    SECTION_TYPE,
    SECTION_IMPORT,
    SECTION_FUNCTION,
    SECTION_TABLE,
    SECTION_MEMORY,
    SECTION_GLOBAL,
    SECTION_EXPORT,
    SECTION_START,
    SECTION_ELEMENT,
    SECTION_CODE,
    SECTION_DATA,
    SECTION_DATA_COUNT,
    SECTIONS_COUNT
};
enum { KIND_FUNCTION, KIND_TABLE, KIND_MEMORY, KIND_GLOBAL, KIND_TAG };

static void *array(struct sw_module_parse *p, uint32_t count, size_t item_bytes)
{
    void *items = sw_arena_array(p->arena, count, item_bytes);

    if (items == NULL)
        (void)sw_module_fail(p, SW_E_EXHAUSTED, "no memory to check the module");
    return items;
}

/* --- Types ----------------------------------------------------------------------------------- */

static void read_types(struct sw_module_parse *p)
{
    uint32_t count = sw_module_count(p, SW_MODULE_TYPES_MAX, 3, "types");

    p->types = array(p, count, sizeof *p->types);
    for (uint32_t i = 0; i < count && p->rc == SW_OK; i++) {
        uint8_t form = sw_module_u8(p);
        if (form != 0x60 && p->rc == SW_OK) {
            (void)sw_module_fail(p, SW_E_UNSUPPORTED, "type %u is not a function", i);
            return;
        }
        p->types[p->types_count++] = p->at;
        for (int list = 0; list < 2; list++) { /* Parameters, results. */
            uint32_t values =
                sw_module_count(p, SW_MODULE_PARAMETERS_MAX, 1, "parameters of a function");
            for (uint32_t k = 0; k < values && p->rc == SW_OK; k++)
                (void)sw_module_value_type(p);
        }
    }
}

static bool letters_match(struct sw_module_parse *p, const char *letters)
{
    uint32_t count = sw_module_u32(p);

    if (count != strlen(letters))
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (sw_module_u8(p) != (letters[i] == 'l' ? SW_VALUE_I64 : SW_VALUE_I32))
            return false;
    return true;
}

/* Whether a type that was read before is the one of an ABI function. */
static bool has_type(const struct sw_module_parse *p, uint32_t type,
                     const struct sw_abi_function *function)
{
    struct sw_module_parse again = *p; /* A cursor of its own. */

    again.at = p->types[type];
    again.end = p->end;
    return letters_match(&again, function->parameters) && letters_match(&again, function->result);
}

/* "(i32, i64) -> i32", for people. */
static void describe(const struct sw_abi_function *function, char *ret_text, size_t size)
{
    struct sw_buffer text;

    sw_buffer_init(&text, size - 1);
    sw_buffer_put_text(&text, "(");
    for (const char *letter = function->parameters; *letter != '\0'; letter++)
        sw_buffer_print(&text, "%s%s", letter == function->parameters ? "" : ", ",
                        *letter == 'l' ? "i64" : "i32");
    sw_buffer_print(&text, ")%s",
                    function->result[0] == '\0'  ? ""
                    : function->result[0] == 'l' ? " -> i64"
                                                 : " -> i32");
    memcpy(ret_text, text.data == NULL ? (const void *)"" : text.data, text.size);
    ret_text[text.size] = '\0';
    sw_buffer_done(&text);
}

/* --- Imports --------------------------------------------------------------------------------- */

static bool is_text(struct sw_bytes bytes, const char *text)
{
    return bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0;
}

/* A module imports functions only: everything else that is part of an instance is its own. */
static void refuse_kind(struct sw_module_parse *p, struct sw_bytes name, uint8_t kind)
{
    static const struct {
        const char *what, *hint;
    } kinds[] = {
        [KIND_TABLE] = {"a table", "link without --import-table"},
        [KIND_MEMORY] = {"a memory", "link without --import-memory and --shared-memory"},
        [KIND_GLOBAL] = {"a global", "link statically, without -shared and -pie"},
        [KIND_TAG] = {"a tag", "build without exceptions"},
    };

    if (kind >= sizeof kinds / sizeof kinds[0])
        (void)sw_module_fail(p, SW_E_INVALID, "the module is damaged: no import is of kind %u",
                             kind);
    else
        (void)sw_module_refuse(p, kinds[kind].hint,
                               "the module imports %s, %.*s, and not only functions",
                               kinds[kind].what, (int)name.size, (const char *)name.data);
}

static void refuse_module_name(struct sw_module_parse *p, struct sw_bytes module,
                               struct sw_bytes name)
{
    const char *hint = "agents import what swarm/agent.h declares, from " SW_ABI_MODULE
                       ", and WASI preview 1, from " SW_ABI_WASI_MODULE;

    if (module.size > 6 && memcmp(module.data, "swarm_", 6) == 0)
        hint = "this is another version of the guest ABI; this host speaks " SW_ABI_MODULE
               ": build with its swarm/agent.h";
    else if (module.size >= 4 && memcmp(module.data, "wasi", 4) == 0)
        hint = "this host speaks " SW_ABI_WASI_MODULE ", which is WASI preview 1: build for it";
    else if (is_text(module, "env") && is_text(name, "abort"))
        hint = "in AssemblyScript, build with --use abort=";
    else if (is_text(module, "env"))
        hint = "the linker did not find it: name its library, or the module that it is imported "
               "from";
    (void)sw_module_refuse(p, hint, "the module imports %.*s from %.*s, which there is not",
                           (int)name.size, (const char *)name.data, (int)module.size,
                           (const char *)module.data);
}

static void refuse_function_name(struct sw_module_parse *p, const char *module,
                                 const struct sw_abi_function *functions, size_t count,
                                 struct sw_bytes name)
{
    const char *names[NAMES_MAX];
    char wanted[65];
    const char *nearest;
    struct sw_buffer hint;

    for (size_t i = 0; i < count && i < NAMES_MAX; i++)
        names[i] = functions[i].name;
    size_t size = name.size < sizeof wanted - 1 ? name.size : sizeof wanted - 1;
    if (size > 0)
        memcpy(wanted, name.data, size);
    wanted[size] = '\0';
    nearest = sw_text_nearest(wanted, names, count < NAMES_MAX ? count : NAMES_MAX);
    sw_buffer_init(&hint, SW_ERR_HINT_MAX - 1);
    if (nearest != NULL)
        sw_buffer_print(&hint, "did you mean %s? ", nearest);
    sw_buffer_print(&hint, "it has ");
    for (size_t i = 0; i < count && !hint.failed; i++)
        sw_buffer_print(&hint, "%s%s", i == 0 ? "" : " ", functions[i].name);
    sw_buffer_put_u8(&hint, 0);
    (void)sw_module_refuse(
        p, hint.failed ? "docs/reference/guest-abi.md lists them" : (const char *)hint.data,
        "the module imports %s from %s, which has no such function", wanted, module);
    sw_buffer_done(&hint);
}

static void read_import(struct sw_module_parse *p, uint32_t index)
{
    struct sw_bytes module = sw_module_name(p);
    struct sw_bytes name = sw_module_name(p);
    uint8_t kind = sw_module_u8(p);
    bool is_wasi;
    size_t count;
    const struct sw_abi_function *functions, *function;
    uint32_t type;
    char words[128];

    if (p->rc != SW_OK)
        return;
    if (kind != KIND_FUNCTION) {
        refuse_kind(p, name, kind);
        return;
    }
    is_wasi = is_text(module, SW_ABI_WASI_MODULE);
    if (!is_wasi && !is_text(module, SW_ABI_MODULE)) {
        refuse_module_name(p, module, name);
        return;
    }
    functions = is_wasi ? sw_abi_wasi(&count) : sw_abi_imports(&count);
    function = name.size == 0 ? NULL : sw_abi_find(functions, count, name.data, name.size);
    if (function == NULL) {
        refuse_function_name(p, is_wasi ? SW_ABI_WASI_MODULE : SW_ABI_MODULE, functions, count,
                             name);
        return;
    }
    type = sw_module_u32(p);
    if (p->rc == SW_OK && (type >= p->types_count || !has_type(p, type, function))) {
        describe(function, words, sizeof words);
        (void)sw_module_refuse(p, "include swarm/agent.h of this version",
                               "the module imports %s with another type than %s", function->name,
                               words);
    }
    p->functions[index] = type;
}

static void read_imports(struct sw_module_parse *p)
{
    uint32_t count = sw_module_count(p, SW_MODULE_IMPORTS_MAX, 4, "imports");

    p->functions = array(p, count, sizeof *p->functions);
    for (uint32_t i = 0; i < count && p->rc == SW_OK; i++)
        read_import(p, i);
    p->imports_count = p->functions_count = count;
}

/* --- Functions, tables, memory, globals ------------------------------------------------------ */

static void read_functions(struct sw_module_parse *p)
{
    uint32_t count = sw_module_count(p, SW_MODULE_FUNCTIONS_MAX, 1, "functions");
    uint32_t *all = array(p, p->imports_count + count, sizeof *all);

    if (all == NULL)
        return;
    if (p->imports_count > 0)
        memcpy(all, p->functions, p->imports_count * sizeof *all);
    p->functions = all;
    for (uint32_t i = 0; i < count && p->rc == SW_OK; i++) {
        all[p->imports_count + i] = sw_module_u32(p);
        if (p->rc == SW_OK && all[p->imports_count + i] >= p->types_count)
            (void)sw_module_fail(p, SW_E_INVALID, "function %u has a type that there is not", i);
    }
    p->functions_count = p->imports_count + count;
    p->view.functions_count = count;
}

static void read_limits(struct sw_module_parse *p, uint8_t flags, uint32_t *ret_min,
                        uint32_t *ret_max)
{
    *ret_min = sw_module_u32(p);
    *ret_max = (flags & 1) != 0 ? sw_module_u32(p) : UINT32_MAX;
    if (p->rc == SW_OK && *ret_min > *ret_max)
        (void)sw_module_fail(p, SW_E_INVALID,
                             "the module is damaged: a size is above its maximum, at offset %zu",
                             p->at);
}

static void read_tables(struct sw_module_parse *p)
{
    uint32_t count = sw_module_count(p, SW_MODULE_TABLES_MAX, 3, "tables");
    uint32_t min, max;
    uint64_t elements = 0; /* Of all: each instance has them, outside of its memory's limit. */

    for (uint32_t i = 0; i < count && p->rc == SW_OK; i++) {
        uint8_t type = sw_module_u8(p);
        if (p->rc == SW_OK && type != SW_VALUE_FUNCREF) {
            (void)sw_module_fail(p, SW_E_UNSUPPORTED,
                                 "table %u holds something else than "
                                 "functions",
                                 i);
            return;
        }
        uint8_t flags = sw_module_u8(p);
        if (flags > 1)
            (void)sw_module_fail(p, SW_E_UNSUPPORTED, "table %u is shared or 64-bit", i);
        read_limits(p, flags, &min, &max);
        elements += min;
        if (elements > SW_ABI_TABLE_ELEMENTS_MAX && p->rc == SW_OK)
            (void)sw_module_fail(p, SW_E_EXHAUSTED,
                                 "the tables up to number %u have %llu elements, at most %u are "
                                 "allowed",
                                 i, (unsigned long long)elements, SW_ABI_TABLE_ELEMENTS_MAX);
    }
    p->tables_count = count;
}

static void read_memories(struct sw_module_parse *p)
{
    uint32_t count = sw_module_count(p, UINT32_MAX, 2, "memories");
    uint32_t min, max;
    uint8_t flags;

    if (count != 1) {
        (void)sw_module_fail(p, SW_E_INVALID, "the module has %u memories, it must have one",
                             count);
        return;
    }
    flags = sw_module_u8(p);
    if ((flags & 2) != 0)
        (void)sw_module_refuse(p, "build without -pthread and --shared-memory",
                               "the module's memory is shared between threads");
    if (flags > 1)
        (void)sw_module_fail(p, SW_E_UNSUPPORTED,
                             "the module's memory is 64-bit or has pages of another size");
    read_limits(p, flags, &min, &max);
    if (min > SW_ABI_PAGES_MAX || ((flags & 1) != 0 && max > SW_ABI_PAGES_MAX))
        (void)sw_module_fail(p, SW_E_INVALID, "the module's memory is larger than 4 GiB");
    p->memories_count = 1;
    p->view.memory_bytes = (uint64_t)min * SW_ABI_PAGE_BYTES;
    p->view.memory_max_bytes =
        (uint64_t)((flags & 1) != 0 ? max : SW_ABI_PAGES_MAX) * SW_ABI_PAGE_BYTES;
}

static void read_globals(struct sw_module_parse *p)
{
    uint32_t count = sw_module_count(p, SW_MODULE_GLOBALS_MAX, 4, "globals");

    p->globals = array(p, count, sizeof *p->globals);
    for (uint32_t i = 0; i < count && p->rc == SW_OK; i++) {
        struct sw_module_global *global = &p->globals[i];
        global->type = sw_module_value_type(p);
        uint8_t flags = sw_module_u8(p);
        if (flags > 1)
            (void)sw_module_fail(p, SW_E_INVALID,
                                 "the module is damaged: global %u is neither "
                                 "constant nor mutable",
                                 i);
        global->is_mutable = flags == 1;
        p->view.globals_count += flags == 1;
        sw_module_walk(p);
    }
    if (p->rc == SW_OK && p->view.globals_count > SW_ABI_GLOBALS_MAX)
        (void)sw_module_fail(p, SW_E_EXHAUSTED,
                             "the module has %u mutable globals, at most %u are allowed",
                             p->view.globals_count, SW_ABI_GLOBALS_MAX);
    p->globals_count = count;
}

/* --- Exports --------------------------------------------------------------------------------- */

static void read_function_export(struct sw_module_parse *p, struct sw_bytes name, uint32_t index)
{
    size_t count;
    const struct sw_abi_function *exports = sw_abi_exports(&count);
    const struct sw_abi_function *row =
        name.size == 0 ? NULL : sw_abi_find(exports, count, name.data, name.size);
    char words[128];

    if (index >= p->functions_count) {
        (void)sw_module_fail(p, SW_E_INVALID, "the module exports a function that there is not");
        return;
    }
    p->has_wasi_start |= is_text(name, "_start");
    if (row == NULL)
        return;
    if (!has_type(p, p->functions[index], row)) {
        describe(row, words, sizeof words);
        (void)sw_module_refuse(p, "compare its declaration with swarm/agent.h",
                               "the export %s has another type than %s", row->name, words);
        return;
    }
    p->exports_found |= 1u << (row - exports);
    p->view.has_on_start |=
        strcmp(row->name, "on_start") == 0 || strcmp(row->name, "_initialize") == 0;
    p->view.has_on_timer |= strcmp(row->name, "on_timer") == 0;
    p->view.has_on_stop |= strcmp(row->name, "on_stop") == 0;
}

static void read_exports(struct sw_module_parse *p)
{
    uint32_t count = sw_module_count(p, SW_MODULE_EXPORTS_MAX, 3, "exports");

    p->exports_count = count;
    p->exports_items = p->at;
    for (uint32_t i = 0; i < count && p->rc == SW_OK; i++) {
        struct sw_bytes name = sw_module_name(p);
        uint8_t kind = sw_module_u8(p);
        uint32_t index = sw_module_u32(p);
        if (p->rc != SW_OK)
            return;
        if (name.size >= strlen(SW_ABI_RESERVED) &&
            memcmp(name.data, SW_ABI_RESERVED, strlen(SW_ABI_RESERVED)) == 0)
            (void)sw_module_refuse(p, "push the module as its compiler made it, or rename it",
                                   "the module exports %.*s: names that begin with "
                                   "\"" SW_ABI_RESERVED "\" are the host's own",
                                   (int)name.size, (const char *)name.data);
        else if (kind == KIND_FUNCTION)
            read_function_export(p, name, index);
        else if (kind == KIND_MEMORY && index < p->memories_count)
            p->has_memory_export |= is_text(name, "memory");
        else if ((kind != KIND_GLOBAL || index >= p->globals_count) &&
                 (kind != KIND_TABLE || index >= p->tables_count))
            (void)sw_module_fail(p, SW_E_INVALID, "the module exports something that there is not");
    }
}

/* --- Segments and code ----------------------------------------------------------------------- */

/* Flags: 1 passive or declared, 2 a table is named (or: declared), 4 expressions not indices. */
static void read_elements(struct sw_module_parse *p)
{
    uint32_t count = sw_module_count(p, SW_MODULE_SEGMENTS_MAX, 3, "element segments");

    for (uint32_t i = 0; i < count && p->rc == SW_OK; i++) {
        uint32_t flags = sw_module_u32(p);
        if (flags > 7) {
            (void)sw_module_fail(p, SW_E_INVALID, "the module is damaged: element segment %u", i);
            return;
        }
        if ((flags & 3) == 2)
            (void)sw_module_u32(p);
        if ((flags & 1) == 0)
            sw_module_walk(p);
        if ((flags & 3) != 0)
            (void)sw_module_u8(p); /* Kind or type of the elements. */
        uint32_t items = sw_module_count(p, SW_MODULE_FUNCTIONS_MAX, 1, "elements");
        for (uint32_t k = 0; k < items && p->rc == SW_OK; k++) {
            if ((flags & 4) != 0)
                sw_module_walk(p);
            else
                (void)sw_module_u32(p);
        }
    }
}

static void read_body(struct sw_module_parse *p, uint32_t index)
{
    uint32_t size = sw_module_u32(p);
    size_t outer_end = p->end;
    uint64_t locals = 0;

    if (p->rc != SW_OK)
        return;
    if (size > SW_MODULE_BODY_BYTES_MAX) {
        (void)sw_module_fail(p, SW_E_EXHAUSTED, "function %u has %u bytes, at most %u are allowed",
                             index, size, SW_MODULE_BODY_BYTES_MAX);
        return;
    }
    if (size > p->end - p->at) {
        (void)sw_module_take(p, size);
        return;
    }
    p->end = p->at + size;
    uint32_t groups = sw_module_count(p, SW_MODULE_LOCALS_MAX, 2, "groups of locals");
    for (uint32_t i = 0; i < groups && p->rc == SW_OK; i++) {
        locals += sw_module_u32(p);
        (void)sw_module_value_type(p);
    }
    if (locals > SW_MODULE_LOCALS_MAX)
        (void)sw_module_fail(p, SW_E_EXHAUSTED, "function %u has more than %u locals", index,
                             SW_MODULE_LOCALS_MAX);
    sw_module_walk(p);
    if (p->rc == SW_OK && p->at != p->end)
        (void)sw_module_fail(p, SW_E_INVALID,
                             "the module is damaged: function %u goes on after "
                             "its end",
                             index);
    p->end = outer_end;
}

static void read_code(struct sw_module_parse *p)
{
    p->bodies_count = sw_module_count(p, SW_MODULE_FUNCTIONS_MAX, 2, "function bodies");
    for (uint32_t i = 0; i < p->bodies_count && p->rc == SW_OK; i++)
        read_body(p, i);
}

static void read_data(struct sw_module_parse *p)
{
    uint32_t count = sw_module_count(p, SW_MODULE_SEGMENTS_MAX, 2, "data segments");

    if (p->has_data_count && count != p->data_count && p->rc == SW_OK)
        (void)sw_module_fail(p, SW_E_INVALID,
                             "the module is damaged: it announces another number of data segments");
    for (uint32_t i = 0; i < count && p->rc == SW_OK; i++) {
        uint32_t flags = sw_module_u32(p);
        if (flags > 2)
            (void)sw_module_fail(p, SW_E_INVALID, "the module is damaged: data segment %u", i);
        if (flags == 2)
            (void)sw_module_u32(p);
        if (flags != 1)
            sw_module_walk(p);
        (void)sw_module_take(p, sw_module_u32(p));
    }
}

/* --- The whole ------------------------------------------------------------------------------- */

/* It is called by the host, in the first entry: see rewrite.h. */
static void read_start(struct sw_module_parse *p)
{
    uint32_t function = sw_module_u32(p);
    static const struct sw_abi_function nothing = {.parameters = "", .result = ""};

    if (p->rc != SW_OK)
        return;
    if (function >= p->functions_count || !has_type(p, p->functions[function], &nothing)) {
        (void)sw_module_fail(p, SW_E_INVALID,
                             "the module is damaged: its start function is none, or has parameters "
                             "or results");
        return;
    }
    p->has_start = true;
    p->start_function = function;
    p->view.has_on_start = true;
}

static void read_data_count(struct sw_module_parse *p)
{
    p->data_count = sw_module_u32(p);
    p->has_data_count = true;
}

static void read_custom(struct sw_module_parse *p)
{
    (void)sw_module_name(p);
    p->at = p->end;
}

/* Sections come in the order of these ranks, each at most once; custom ones anywhere. */
static const struct {
    void (*read)(struct sw_module_parse *p);
    unsigned rank;
} sections[SECTIONS_COUNT] = {
    [SECTION_CUSTOM] = {read_custom, 0},
    [SECTION_TYPE] = {read_types, 1},
    [SECTION_IMPORT] = {read_imports, 2},
    [SECTION_FUNCTION] = {read_functions, 3},
    [SECTION_TABLE] = {read_tables, 4},
    [SECTION_MEMORY] = {read_memories, 5},
    [SECTION_GLOBAL] = {read_globals, 6},
    [SECTION_EXPORT] = {read_exports, 7},
    [SECTION_START] = {read_start, 8},
    [SECTION_ELEMENT] = {read_elements, 9},
    [SECTION_DATA_COUNT] = {read_data_count, 10},
    [SECTION_CODE] = {read_code, 11},
    [SECTION_DATA] = {read_data, 12},
};

static void read_section(struct sw_module_parse *p, unsigned *rank)
{
    size_t outer_end = p->end, begin = p->at;
    uint8_t id = sw_module_u8(p);
    uint32_t size = sw_module_u32(p);

    if (p->rc != SW_OK)
        return;
    if (id >= SECTIONS_COUNT) {
        (void)sw_module_fail(p, SW_E_UNSUPPORTED, "the module has a section of the unknown kind %u",
                             id);
        return;
    }
    if (id != SECTION_CUSTOM && sections[id].rank <= *rank) {
        (void)sw_module_fail(p, SW_E_INVALID,
                             "the module is damaged: section %u comes twice or "
                             "too late",
                             id);
        return;
    }
    if (id != SECTION_CUSTOM)
        *rank = sections[id].rank;
    if (size > p->end - p->at) {
        (void)sw_module_take(p, size);
        return;
    }
    p->end = p->at + size;
    if (id == SECTION_EXPORT)
        p->exports = (struct sw_module_section){begin, p->at, p->end};
    else if (id == SECTION_START)
        p->start = (struct sw_module_section){begin, p->at, p->end};
    sections[id].read(p);
    if (p->rc == SW_OK && p->at != p->end)
        (void)sw_module_fail(p, SW_E_INVALID,
                             "the module is damaged: section %u is longer than "
                             "its content",
                             id);
    p->end = outer_end;
}

/* What is not exported is exported by the rewriter; but a reference has no bytes to keep. */
static void check_globals(struct sw_module_parse *p)
{
    for (uint32_t i = 0; i < p->globals_count; i++)
        if (p->globals[i].is_mutable && p->globals[i].type == SW_VALUE_FUNCREF)
            (void)sw_module_refuse(p, "keep an index into a table instead",
                                   "global %u is a mutable reference, which cannot be snapshotted",
                                   i);
}

static void check_exports(struct sw_module_parse *p)
{
    size_t count;
    const struct sw_abi_function *exports = sw_abi_exports(&count);

    for (size_t i = 0; i < count; i++) {
        if (!exports[i].is_required || (p->exports_found & (1u << i)) != 0)
            continue;
        if (p->has_wasi_start)
            (void)sw_module_refuse(
                p,
                "build a library (reactor) instead of a program (command): for C "
                "-mexec-model=reactor, for Rust crate-type cdylib, for Go "
                "-buildmode=c-shared; then export on_message and swarm_alloc",
                "the module is a program that starts, runs and ends, not an "
                "agent: it exports _start, but not %s",
                exports[i].name);
        else
            (void)sw_module_refuse(p,
                                   "include swarm/agent.h, and write SWARM_AGENT or a "
                                   "swarm_alloc of your own",
                                   "the module does not export %s", exports[i].name);
    }
    if (!p->has_memory_export)
        (void)sw_module_refuse(p, "link with --export-memory", "the module does not export memory");
}

/* Magic and version. */
static enum sw_rc check_head(struct sw_bytes module, struct sw_err *err)
{
    static const uint8_t magic[4] = {0, 'a', 's', 'm'};
    static const uint8_t version[4] = {1, 0, 0, 0};

    if (module.size > SW_ABI_MODULE_BYTES_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED, "the module has %zu bytes, at most %u are allowed",
                          module.size, SW_ABI_MODULE_BYTES_MAX);
    if (module.size < 8 || memcmp(module.data, magic, sizeof magic) != 0)
        return sw_err_set(err, SW_E_INVALID, "this is not a WebAssembly module");
    if (memcmp((const uint8_t *)module.data + 4, version, sizeof version) == 0)
        return SW_OK;
    (void)sw_err_set(err, SW_E_UNSUPPORTED,
                     "this is a WebAssembly component, or a module of an unknown version");
    sw_err_hint(err, "build a core module of version 1");
    return SW_E_UNSUPPORTED;
}

enum sw_rc sw_module_read(struct sw_module_parse *p, struct sw_bytes module, struct sw_arena *arena)
{
    unsigned rank = 0;

    p->rc = check_head(module, p->err);
    if (p->rc != SW_OK)
        return p->rc;
    p->data = module.data;
    p->end = module.size;
    p->at = 8;
    p->arena = arena;
    while (p->rc == SW_OK && p->at < p->end)
        read_section(p, &rank);
    if (p->rc == SW_OK && p->bodies_count != p->view.functions_count)
        (void)sw_module_fail(p, SW_E_INVALID,
                             "the module is damaged: it has not as many bodies as functions");
    check_exports(p);
    check_globals(p);
    return p->rc;
}

enum sw_rc sw_module_validate(struct sw_bytes module, struct sw_module_view *ret_view,
                              struct sw_err *err)
{
    SW_CLEANUP(sw_arena_freep)
    struct sw_arena *arena = sw_arena_new(SW_MODULE_ARENA_BYTES_MAX);
    struct sw_module_parse p = {.err = err};
    enum sw_rc rc;

    if (arena == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to check the module");
    rc = sw_module_read(&p, module, arena);
    if (rc == SW_OK && ret_view != NULL)
        *ret_view = p.view;
    return rc;
}
