#include "test/unit/agent/modules/build.h"

#include "pkg/utils/system/system.h"

#define CASE(member, literal, rc, words)                                                           \
    do {                                                                                           \
        struct parts case_parts = valid_parts();                                                   \
        case_parts.member = BYTES(literal);                                                        \
        expect(&case_parts, rc, words);                                                            \
    } while (0)

static void the_valid_module_is_valid(void **state)
{
    struct parts parts = valid_parts();
    struct sw_module_view view = {0};
    struct sw_err err = {0};
    struct sw_buffer module;

    (void)state;
    sw_buffer_init(&module, 1024);
    build(&parts, &module);
    assert_int_equal(sw_module_validate((struct sw_bytes){module.data, module.size}, &view, &err),
                     SW_OK);
    assert_int_equal(view.memory_bytes, 65536);
    assert_int_equal(view.memory_max_bytes, (uint64_t)1 << 32);
    assert_int_equal(view.functions_count, 2);
    assert_int_equal(view.globals_count, 0);
    assert_false(view.has_on_start || view.has_on_timer || view.has_on_stop);
    assert_int_equal(sw_module_validate((struct sw_bytes){module.data, module.size}, NULL, NULL),
                     SW_OK);
    sw_buffer_done(&module);
}

static void what_a_compiler_makes_is_valid(void **state)
{
    static const char *const guests[] = {"conformance", "small", "liar"};
    struct sw_module_view view = {0};
    struct sw_err err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof guests / sizeof guests[0]; i++) {
        struct sw_buffer module;
        char path[512];
        (void)snprintf(path, sizeof path, "%s/guests/test_%s.wasm", SW_TEST_BUILD, guests[i]);
        sw_buffer_init(&module, 1u << 20);
        assert_int_equal(sw_file_load(sw_system_real(), path, 1u << 20, &module, &err), SW_OK);
        if (sw_module_validate((struct sw_bytes){module.data, module.size}, &view, &err) != SW_OK)
            fail_msg("%s: %s", guests[i], err.message);
        assert_int_equal(view.globals_count, 1);
        assert_int_equal(view.has_on_start, i == 0);
        assert_int_equal(view.has_on_timer, i == 0);
        assert_int_equal(view.has_on_stop, i == 0);
        /* Cut between two of the custom sections at its end it still is one. */
        size_t valid = 0;
        for (size_t size = 0; size < module.size; size++)
            valid += sw_module_validate((struct sw_bytes){module.data, size}, NULL, &err) == SW_OK;
        assert_in_range(valid, 1, 8);
        sw_buffer_done(&module);
    }
}

static void what_is_no_module_is_told(void **state)
{
    struct sw_err err = {0};

    (void)state;
    assert_int_equal(sw_module_validate((struct sw_bytes){0}, NULL, &err), SW_E_INVALID);
    assert_int_equal(sw_module_validate(BYTES("\x7f"
                                              "ELF and more"),
                                        NULL, &err),
                     SW_E_INVALID);
    assert_string_equal(err.message, "this is not a WebAssembly module");
    assert_int_equal(sw_module_validate(BYTES("\0asm\x0d\0\1\0"), NULL, &err), SW_E_UNSUPPORTED);
    assert_non_null(strstr(err.message, "component"));
}

static void a_module_beyond_the_limit_is_refused(void **state)
{
    struct sw_err err = {0};
    struct sw_bytes huge = {"", (size_t)33 << 20};

    (void)state;
    assert_int_equal(sw_module_validate(huge, NULL, &err), SW_E_EXHAUSTED);
}

static void sections_come_once_and_in_order(void **state)
{
    (void)state;
    CASE(after, "\x01\x01\x00", SW_E_INVALID, "twice or too late");
    CASE(before, "\x05\x03\x01\x00\x01", SW_E_INVALID, "twice or too late");
    CASE(before, "\x0d\x00", SW_E_UNSUPPORTED, "unknown kind 13");
    CASE(before, "\x00\x05\x04name", SW_OK, "");
    CASE(after, "\x00\x02\x01n", SW_OK, "");
    CASE(after, "\x00\x03\x01\xff\x00", SW_E_INVALID, "not UTF-8");
    CASE(after, "\x00\x7f", SW_E_INVALID, "ends early");
    CASE(after, "\x00\x80\x80\x80\x80\x10", SW_E_INVALID, "too long");
    CASE(memories, "\x01\x00\x01\x00", SW_E_INVALID, "longer than its content");
}

static void types_are_functions_of_values(void **state)
{
    (void)state;
    CASE(types, "\x01\x4e\x00\x00", SW_E_UNSUPPORTED, "not a function");
    CASE(types, "\x01\x60\x01\x6f\x00", SW_E_UNSUPPORTED, "references");
    CASE(types, "\x01\x60\x01\x20\x00", SW_E_INVALID, "no type is 0x20");
    CASE(types, "\xff\xff\x7f", SW_E_EXHAUSTED, "types");
    CASE(types, "\x7f\x60\x00\x00", SW_E_INVALID, "ends early");
}

/* Function 0 is then the import, so the exports move on by one. */
static void expect_import(const char *import, size_t size, enum sw_rc rc, const char *words)
{
    struct parts parts = valid_parts();

    parts.types = BYTES("\x04\x60\x01\x7f\x01\x7f\x60\x00\x01\x7e\x60\x02\x7f\x7f\x01\x7f"
                        "\x60\x08\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7e\x01\x7f");
    parts.imports = (struct sw_bytes){import, size};
    parts.exports = BYTES("\x03" EXPORT_MEMORY "\x0bswarm_alloc\x00\x01"
                          "\x0aon_message\x00\x02");
    expect(&parts, rc, words);
}
#define IMPORT(literal, rc, words) expect_import((literal), sizeof(literal) - 1, rc, words)

static void imports_are_those_of_the_abi(void **state)
{
    (void)state;
    IMPORT("\x01\x07swarm_1\x03now\x00\x01", SW_OK, "");
    IMPORT("\x01\x07swarm_1\x09subscribe\x00\x02", SW_OK, "");
    IMPORT("\x01\x07swarm_1\x04send\x00\x03", SW_OK, "");
    IMPORT("\x01\x07swarm_1\x04sent\x00\x03", SW_E_INVALID, "imports sent from swarm_1");
    IMPORT("\x01\x07swarm_1\x00\x00\x03", SW_E_INVALID, "has no such function");
    IMPORT("\x01\x07swarm_1\x04send\x00\x02", SW_E_INVALID,
           "send with another type than (i32, i32, i32, i32, i32, i32, i32, i64) -> i32");
    IMPORT("\x01\x07swarm_1\x03now\x00\x00", SW_E_INVALID, "now with another type than () -> i64");
    IMPORT("\x01\x07swarm_1\x03now\x00\x09", SW_E_INVALID, "another type");
    IMPORT("\x01\x07swarm_1\x03now\x01\x70\x00\x01", SW_E_INVALID, "imports a table, now, and");
    IMPORT("\x01\x03"
           "env\x06memory\x02\x00\x01",
           SW_E_INVALID, "imports a memory, memory, and not only functions");
    IMPORT("\x01\x07GOT.mem\x01x\x03\x7f\x01", SW_E_INVALID, "imports a global, x");
    IMPORT("\x01\x03"
           "env\x01t\x04\x00\x00",
           SW_E_INVALID, "imports a tag, t");
    IMPORT("\x01\x03"
           "env\x01t\x05\x00\x00",
           SW_E_INVALID, "no import is of kind 5");
    IMPORT("\x01\x03"
           "env\x05"
           "abort\x00\x00",
           SW_E_INVALID, "imports abort from env");
    IMPORT("\x01\x16wasi_snapshot_preview1\x08"
           "fd_close\x00\x00",
           SW_OK, "");
    IMPORT("\x01\x16wasi_snapshot_preview1\x08"
           "fd_write\x00\x00",
           SW_E_INVALID, "fd_write with another type than (i32, i32, i32, i32) -> i32");
    IMPORT("\x01\x16wasi_snapshot_preview1\x07"
           "fd_open\x00\x00",
           SW_E_INVALID, "fd_open from wasi_snapshot_preview1, which has no such function");
}

static void an_unknown_import_has_a_hint(void **state)
{
    struct parts parts = valid_parts();

    (void)state;
    parts.imports = BYTES("\x01\x07swarm_1\x07publihs\x00\x00");
    expect_hint(&parts, "did you mean publish? it has send reply publish");
    parts.imports = BYTES("\x01\x07swarm_1\x0cnothing_like\x00\x00");
    expect_hint(&parts, "it has send reply");
    parts.imports = BYTES("\x01\x07swarm_2\x04send\x00\x00");
    expect_hint(&parts, "this host speaks swarm_1");
    parts.imports = BYTES("\x01\x0dwasi_unstable\x08"
                          "fd_write\x00\x00");
    expect_hint(&parts, "this host speaks wasi_snapshot_preview1");
    parts.imports = BYTES("\x01\x16wasi_snapshot_preview1\x08"
                          "fd_wrote\x00\x00");
    expect_hint(&parts, "docs/reference/guest-abi.md");
    parts.imports = BYTES("\x01\x03"
                          "env\x05"
                          "abort\x00\x00");
    expect_hint(&parts, "--use abort=");
    parts.imports = BYTES("\x01\x03"
                          "env\x03"
                          "foo\x00\x00");
    expect_hint(&parts, "the linker did not find it");
    parts.imports = BYTES("\x01\x04gojs\x03"
                          "foo\x00\x00");
    expect_hint(&parts, "what swarm/agent.h declares");
}

static void a_memory_that_is_shared_has_a_hint(void **state)
{
    struct parts parts = valid_parts();

    (void)state;
    parts.memories = BYTES("\x01\x03\x01\x10");
    expect_hint(&parts, "build without -pthread and --shared-memory");
}

/* A program runs once, from its start to its end; an agent is called again and again. */
static void a_command_is_told_from_a_reactor(void **state)
{
    struct parts parts = valid_parts();

    (void)state;
    parts.exports = BYTES("\x02" EXPORT_MEMORY "\x06_start\x00\x00");
    expect(&parts, SW_E_INVALID, "it exports _start, but not swarm_alloc");
    expect_hint(&parts, "-mexec-model=reactor");
    parts.exports = BYTES("\x04" EXPORT_MEMORY EXPORT_ALLOC EXPORT_ON_MESSAGE "\x06_start\x00\x00");
    expect(&parts, SW_OK, "");
    parts.exports =
        BYTES("\x04" EXPORT_MEMORY EXPORT_ALLOC EXPORT_ON_MESSAGE "\x0b_initialize\x00\x00");
    expect(&parts, SW_E_INVALID, "_initialize has another type than ()");
}

static void exports_have_the_types_of_the_abi(void **state)
{
    (void)state;
    CASE(exports, "\x02" EXPORT_ALLOC EXPORT_ON_MESSAGE, SW_E_INVALID, "does not export memory");
    CASE(exports, "\x02" EXPORT_MEMORY EXPORT_ON_MESSAGE, SW_E_INVALID, "export swarm_alloc");
    CASE(exports, "\x02" EXPORT_MEMORY EXPORT_ALLOC, SW_E_INVALID, "export on_message");
    CASE(exports, "\x01\x01x\x00\x05", SW_E_INVALID, "that there is not");
    CASE(exports, "\x01\x01x\x01\x00", SW_E_INVALID, "that there is not");
    CASE(exports, "\x01\x01x\x02\x01", SW_E_INVALID, "that there is not");
    CASE(exports, "\x01\x01x\x03\x00", SW_E_INVALID, "that there is not");
    CASE(exports, "\x01\x01x\x09\x00", SW_E_INVALID, "that there is not");
    CASE(functions, "\x02\x00\x01", SW_E_INVALID, "on_message has another type than (i32) -> i32");
    CASE(exports, "\x01\x08on_timer\x00\x00", SW_E_INVALID, "on_timer has another type than (i64)");
    CASE(exports, "\x04" EXPORT_MEMORY EXPORT_ALLOC EXPORT_ON_MESSAGE "\x06helper\x00\x00", SW_OK,
         "");
    CASE(exports, "\x01\x07swarm.x\x00\x00", SW_E_INVALID, "swarm.x: names that begin with");
    CASE(exports, "\x81\x80\x04", SW_E_EXHAUSTED, "65537 exports");
}

static void functions_have_types_and_bodies(void **state)
{
    (void)state;
    CASE(functions, "\x02\x00\x05", SW_E_INVALID, "a type that there is not");
    CASE(code, "\x01" BODY_ZERO, SW_E_INVALID, "not as many bodies");
    CASE(functions, "\xc1\x84\x3d", SW_E_EXHAUSTED, "functions");
}

static void tables_are_small_and_of_functions(void **state)
{
    (void)state;
    CASE(tables, "\x01\x70\x00\x05", SW_OK, "");
    CASE(tables, "\x01\x70\x01\x05\x05", SW_OK, "");
    CASE(tables, "\x01\x70\x01\x05\x04", SW_E_INVALID, "above its maximum");
    CASE(tables, "\x01\x6f\x00\x05", SW_E_UNSUPPORTED, "something else than functions");
    CASE(tables, "\x01\x70\x04\x05", SW_E_UNSUPPORTED, "shared or 64-bit");
    CASE(tables, "\x01\x70\x00\x81\x80\x04", SW_E_EXHAUSTED, "65537 elements");
    CASE(tables, "\x02\x70\x00\x80\x80\x02\x70\x00\x80\x80\x02", SW_OK, ""); /* 32768 each. */
    CASE(tables, "\x02\x70\x00\x80\x80\x02\x70\x00\x81\x80\x02", SW_E_EXHAUSTED, "65537 elements");
}

static void the_memory_is_one_and_private(void **state)
{
    (void)state;
    CASE(memories, "\x00", SW_E_INVALID, "0 memories");
    CASE(memories, "\x02\x00\x01\x00\x01", SW_E_INVALID, "2 memories");
    CASE(memories, "\x01\x01\x01\x10", SW_OK, "");
    CASE(memories, "\x01\x03\x01\x10", SW_E_INVALID, "shared between threads");
    CASE(memories, "\x01\x04\x01", SW_E_UNSUPPORTED, "64-bit");
    CASE(memories, "\x01\x08\x01\x00", SW_E_UNSUPPORTED, "another size");
    CASE(memories, "\x01\x00\x81\x80\x04", SW_E_INVALID, "larger than 4 GiB");
    CASE(memories, "\x01\x01\x01\x81\x80\x04", SW_E_INVALID, "larger than 4 GiB");
    CASE(memories, "\x01\x01\x02\x01", SW_E_INVALID, "above its maximum");
}

static void globals_are_values(void **state)
{
    struct parts parts = valid_parts();

    (void)state;
    CASE(globals, "\x01\x7f\x00\x41\x05\x0b", SW_OK, "");
    CASE(globals, "\x01\x7f\x01\x41\x05\x0b", SW_OK, "");
    CASE(globals, "\x01\x7f\x02\x41\x05\x0b", SW_E_INVALID, "neither constant nor mutable");
    CASE(globals, "\x01\x70\x01\xd0\x70\x0b", SW_E_INVALID, "mutable reference");
    CASE(globals, "\x01\x7f\x01\x41\x05", SW_E_INVALID, "ends early");
    parts.globals = BYTES("\x03\x7e\x01\x42\x05\x0b\x7c\x01\x44________\x0b\x7d\x00\x43____\x0b");
    parts.exports =
        BYTES("\x05" EXPORT_MEMORY EXPORT_ALLOC EXPORT_ON_MESSAGE "\x01g\x03\x00\x01h\x03\x01");
    expect(&parts, SW_OK, "");
}

static void too_many_globals_are_refused(void **state)
{
    struct parts parts = valid_parts();
    struct sw_buffer globals;

    (void)state;
    sw_buffer_init(&globals, 8192);
    sw_buffer_put(&globals, "\x81\x02", 2); /* 257 */
    for (int i = 0; i < 257; i++)
        sw_buffer_put(&globals, "\x7f\x01\x41\x00\x0b", 5);
    parts.globals = (struct sw_bytes){globals.data, globals.size};
    expect(&parts, SW_E_EXHAUSTED, "257 mutable globals");
    sw_buffer_done(&globals);
}

/* Types 0 and 1 of a valid module have results. */
static void a_start_function_takes_and_gives_nothing(void **state)
{
    struct parts parts = valid_parts();

    (void)state;
    CASE(start, "\x00", SW_E_INVALID, "its start function is none");
    CASE(start, "\x07", SW_E_INVALID, "its start function is none");
    CASE(start, "", SW_E_INVALID, "ends early");
    parts.types = BYTES("\x03\x60\x01\x7f\x01\x7f\x60\x00\x01\x7f\x60\x00\x00");
    parts.functions = BYTES("\x03\x00\x00\x02");
    parts.code = BYTES("\x03" BODY_ZERO BODY_ZERO "\x02\x00\x0b");
    parts.start = BYTES("\x02");
    expect(&parts, SW_OK, "");
}

static void segments_are_read_in_every_form(void **state)
{
    struct parts parts = valid_parts();

    (void)state;
    parts.tables = BYTES("\x01\x70\x00\x05");
    parts.elements = BYTES("\x08"
                           "\x00\x41\x00\x0b\x01\x00"
                           "\x01\x00\x01\x00"
                           "\x02\x00\x41\x00\x0b\x00\x01\x00"
                           "\x03\x00\x01\x00"
                           "\x04\x41\x00\x0b\x01\xd2\x00\x0b"
                           "\x05\x70\x01\xd2\x00\x0b"
                           "\x06\x00\x41\x00\x0b\x70\x01\xd2\x00\x0b"
                           "\x07\x70\x01\xd0\x70\x0b");
    parts.data_count = BYTES("\x03");
    parts.data = BYTES("\x03"
                       "\x00\x41\x00\x0b\x02hi"
                       "\x01\x02hi"
                       "\x02\x00\x41\x00\x0b\x02hi");
    expect(&parts, SW_OK, "");
    parts.data_count = BYTES("\x02");
    expect(&parts, SW_E_INVALID, "another number of data segments");
    CASE(elements, "\x01\x08\x00\x00", SW_E_INVALID, "element segment 0");
    CASE(data, "\x01\x03\x00", SW_E_INVALID, "data segment 0");
    CASE(data, "\x01\x01\x09hi", SW_E_INVALID, "ends early");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_valid_module_is_valid),
        cmocka_unit_test(what_a_compiler_makes_is_valid),
        cmocka_unit_test(what_is_no_module_is_told),
        cmocka_unit_test(a_module_beyond_the_limit_is_refused),
        cmocka_unit_test(sections_come_once_and_in_order),
        cmocka_unit_test(types_are_functions_of_values),
        cmocka_unit_test(imports_are_those_of_the_abi),
        cmocka_unit_test(an_unknown_import_has_a_hint),
        cmocka_unit_test(a_memory_that_is_shared_has_a_hint),
        cmocka_unit_test(a_command_is_told_from_a_reactor),
        cmocka_unit_test(exports_have_the_types_of_the_abi),
        cmocka_unit_test(functions_have_types_and_bodies),
        cmocka_unit_test(tables_are_small_and_of_functions),
        cmocka_unit_test(the_memory_is_one_and_private),
        cmocka_unit_test(globals_are_values),
        cmocka_unit_test(too_many_globals_are_refused),
        cmocka_unit_test(a_start_function_takes_and_gives_nothing),
        cmocka_unit_test(segments_are_read_in_every_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
