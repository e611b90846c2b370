#include "test/unit/agent/modules/build.h"

#include "pkg/agent/modules/rewrite.h"

/* Rewriting `from` gives exactly `to`. */
static void expect_rewritten(const struct parts *from, const struct parts *to)
{
    struct sw_buffer module, wanted, got;
    struct sw_err err = {0};

    sw_buffer_init(&module, 1u << 20);
    sw_buffer_init(&wanted, 1u << 20);
    sw_buffer_init(&got, 1u << 20);
    build(from, &module);
    build(to, &wanted);
    sw_buffer_put_u8(&got, 'x'); /* What is there stays. */
    if (sw_module_rewrite((struct sw_bytes){module.data, module.size}, &got, &err) != SW_OK)
        fail_msg("%s", err.message);
    assert_int_equal(got.size, wanted.size + 1);
    assert_memory_equal(got.data + 1, wanted.data, wanted.size);
    sw_buffer_done(&module);
    sw_buffer_done(&wanted);
    sw_buffer_done(&got);
}

static void a_module_without_hidden_state_stays_as_it_is(void **state)
{
    struct parts parts = valid_parts();

    (void)state;
    parts.globals = BYTES("\x01\x7f\x00\x41\x05\x0b"); /* A constant. */
    parts.before = BYTES("\x00\x03\x01zz");
    parts.after = BYTES("\x00\x06\x04namex");
    expect_rewritten(&parts, &parts);
}

/* Exported already or not: the host finds each by the name that it gave. */
static void every_mutable_global_gets_a_name(void **state)
{
    struct parts from = valid_parts(), to;

    (void)state;
    from.globals = BYTES("\x03\x7f\x01\x41\x05\x0b\x7e\x00\x42\x05\x0b\x7c\x01\x44________\x0b");
    from.exports = BYTES("\x04" EXPORT_MEMORY EXPORT_ALLOC EXPORT_ON_MESSAGE "\x01g\x03\x00");
    to = from;
    to.exports = BYTES("\x06" EXPORT_MEMORY EXPORT_ALLOC EXPORT_ON_MESSAGE "\x01g\x03\x00"
                       "\x0eswarm.global.0\x03\x00\x0eswarm.global.2\x03\x02");
    expect_rewritten(&from, &to);
}

static void the_start_function_becomes_an_export(void **state)
{
    struct parts from = valid_parts(), to;

    (void)state;
    from.types = BYTES("\x02\x60\x01\x7f\x01\x7f\x60\x00\x00");
    from.functions = BYTES("\x03\x00\x00\x01");
    from.code = BYTES("\x03" BODY_ZERO BODY_ZERO "\x02\x00\x0b");
    from.data = BYTES("\x01\x00\x41\x00\x0b\x02hi");
    from.start = BYTES("\x02");
    to = from;
    to.start = (struct sw_bytes){0};
    to.exports =
        BYTES("\x04" EXPORT_MEMORY EXPORT_ALLOC EXPORT_ON_MESSAGE "\x0bswarm.start\x00\x02");
    expect_rewritten(&from, &to);
}

/* The number of exports and the size of their section grow by a byte each. */
static void sizes_grow_with_what_is_added(void **state)
{
    struct parts from = valid_parts(), to;
    struct sw_buffer globals, exports;

    (void)state;
    sw_buffer_init(&globals, 8192);
    sw_buffer_init(&exports, 8192);
    sw_buffer_put(&globals, "\x80\x02", 2); /* 256 */
    sw_buffer_put(&exports, "\x83\x02", 2);
    sw_buffer_put(&exports, &VALID_EXPORTS[1], sizeof VALID_EXPORTS - 2);
    for (int i = 0; i < 256; i++) {
        char name[32];
        int size = snprintf(name, sizeof name, "swarm.global.%d", i);
        sw_buffer_put(&globals, "\x7f\x01\x41\x00\x0b", 5);
        put_size(&exports, (size_t)size);
        sw_buffer_put_text(&exports, name);
        sw_buffer_put_u8(&exports, 3);
        put_size(&exports, (size_t)i);
    }
    from.globals = (struct sw_bytes){globals.data, globals.size};
    to = from;
    to.exports = (struct sw_bytes){exports.data, exports.size};
    expect_rewritten(&from, &to);
    sw_buffer_done(&globals);
    sw_buffer_done(&exports);
}

static void what_is_refused_is_not_rewritten(void **state)
{
    struct parts parts = valid_parts();
    struct sw_buffer module, out;
    struct sw_err err = {0};

    (void)state;
    sw_buffer_init(&module, 1024);
    sw_buffer_init(&out, 1024);
    parts.exports = BYTES("\x02" EXPORT_MEMORY EXPORT_ALLOC);
    build(&parts, &module);
    assert_int_equal(sw_module_rewrite((struct sw_bytes){module.data, module.size}, &out, &err),
                     SW_E_INVALID);
    assert_int_equal(out.size, 0);
    assert_non_null(strstr(err.message, "on_message"));
    assert_int_equal(sw_module_rewrite((struct sw_bytes){"", 0}, &out, &err), SW_E_INVALID);
    sw_buffer_done(&module);
    sw_buffer_done(&out);
}

static void without_room_nothing_is_left_behind(void **state)
{
    struct parts parts = valid_parts();
    struct sw_buffer module, out;
    struct sw_err err = {0};

    (void)state;
    sw_buffer_init(&module, 1024);
    build(&parts, &module);
    for (size_t room = 0; room < module.size; room++) {
        sw_buffer_init(&out, room);
        assert_int_equal(sw_module_rewrite((struct sw_bytes){module.data, module.size}, &out, &err),
                         SW_E_EXHAUSTED);
        assert_int_equal(out.size, 0);
        sw_buffer_done(&out);
    }
    sw_buffer_done(&module);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_module_without_hidden_state_stays_as_it_is),
        cmocka_unit_test(every_mutable_global_gets_a_name),
        cmocka_unit_test(the_start_function_becomes_an_export),
        cmocka_unit_test(sizes_grow_with_what_is_added),
        cmocka_unit_test(what_is_refused_is_not_rewritten),
        cmocka_unit_test(without_room_nothing_is_left_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
