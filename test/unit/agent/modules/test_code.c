#include "test/unit/agent/modules/build.h"

/* A module whose first function has these instructions, closed by the `end` of the body. */
static void expect_code(const char *code, size_t size, enum sw_rc rc, const char *words)
{
    struct parts parts = valid_parts();
    struct sw_buffer section;

    sw_buffer_init(&section, 256);
    sw_buffer_put_u8(&section, 2);
    sw_buffer_put_u8(&section, (uint8_t)(size + 2));
    sw_buffer_put_u8(&section, 0);
    sw_buffer_put(&section, code, size);
    sw_buffer_put_u8(&section, 0x0b);
    sw_buffer_put(&section, BODY_ZERO, sizeof BODY_ZERO - 1);
    parts.code = (struct sw_bytes){section.data, section.size};
    expect(&parts, rc, words);
    sw_buffer_done(&section);
}
#define CODE(literal, rc, words) expect_code((literal), sizeof(literal) - 1, rc, words)

static void plain_instructions_pass(void **state)
{
    (void)state;
    CODE("\x00\x01\x0f\x1a\x1b\x45\x6a\xc4\xd1", SW_OK, "");
    CODE("\x41\x7f\x41\xff\xff\xff\xff\x07\x42\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00", SW_OK, "");
    CODE("\x43____\x44________", SW_OK, "");
    CODE("\x0c\x00\x0d\x01\x10\x00\x11\x00\x00\x20\x05\x21\x05\x22\x05\x23\x00\x24\x00", SW_OK, "");
    CODE("\x0e\x02\x00\x01\x02", SW_OK, "");
    CODE("\x1c\x01\x7f\x25\x00\xd0\x70\xd2\x00", SW_OK, "");
    CODE("\x28\x02\x10\x3e\x02\xff\xff\xff\xff\x0f\x3f\x00\x40\x00", SW_OK, "");
}

static void blocks_are_balanced(void **state)
{
    (void)state;
    CODE("\x02\x40\x03\x7f\x04\x40\x05\x0b\x0b\x0b", SW_OK, "");
    CODE("\x02\x40", SW_E_INVALID, "ends early");
    CODE("\x0b", SW_E_INVALID, "goes on after its end");
}

static void saturating_and_bulk_instructions_pass(void **state)
{
    (void)state;
    CODE("\xfc\x00\xfc\x07", SW_OK, "");
    CODE("\xfc\x08\x00\x00\xfc\x0a\x00\x00\xfc\x0b\x00\xfc\x10\x00", SW_OK, "");
    CODE("\xfc\x12", SW_E_INVALID, "no instruction is 0xfc 18");
    CODE("\xfc\x0a\x01\x00", SW_E_UNSUPPORTED, "switched off");
}

static void vector_instructions_pass(void **state)
{
    (void)state;
    CODE("\xfd\x00\x04\x10\xfd\x0b\x04\x10\xfd\x5c\x02\x00\xfd\x5d\x02\x00", SW_OK, "");
    CODE("\xfd\x0c________________\xfd\x0d________________", SW_OK, "");
    CODE("\xfd\x0e\xfd\x15\x00\xfd\x22\x01\xfd\x54\x00\x00\x01\xfd\x5b\x00\x00\x01", SW_OK, "");
    CODE("\xfd\xff\x01", SW_OK, "");
    CODE("\xfd\x80\x02", SW_E_UNSUPPORTED, "relaxed SIMD");
    CODE("\xfd\x9a\x01", SW_E_INVALID, "no instruction is 0xfd 154");
}

static void what_an_image_cannot_hold_is_refused(void **state)
{
    (void)state;
    CODE("\x26\x00", SW_E_INVALID, "changes a table");
    CODE("\xfc\x0c\x00\x00", SW_E_INVALID, "changes a table");
    CODE("\xfc\x0d\x00", SW_E_INVALID, "changes a table");
    CODE("\xfc\x0e\x00\x00", SW_E_INVALID, "changes a table");
    CODE("\xfc\x0f\x00", SW_E_INVALID, "changes a table");
    CODE("\xfc\x11\x00", SW_E_INVALID, "changes a table");
    CODE("\xfc\x09\x00", SW_E_INVALID, "drops a data segment");
}

static void what_is_refused_has_a_hint(void **state)
{
    struct parts parts = valid_parts();

    (void)state;
    parts.code = BYTES("\x02\x06\x00\x26\x00\x41\x00\x0b" BODY_ZERO);
    expect_hint(&parts, "keep function pointers in memory");
    parts.code = BYTES("\x02\x07\x00\xfc\x09\x00\x41\x00\x0b" BODY_ZERO);
    expect_hint(&parts, "link without --shared-memory and passive segments");
}

static void proposals_that_are_off_are_named(void **state)
{
    (void)state;
    CODE("\x06\x40\x0b", SW_E_UNSUPPORTED, "exceptions");
    CODE("\x12\x00", SW_E_UNSUPPORTED, "tail calls");
    CODE("\x1f\x40\x00\x0b", SW_E_UNSUPPORTED, "exceptions");
    CODE("\xfb\x00\x00", SW_E_UNSUPPORTED, "garbage");
    CODE("\xfe\x03\x00", SW_E_UNSUPPORTED, "threads");
    CODE("\x15\x00", SW_E_UNSUPPORTED, "typed function references");
    CODE("\xd3", SW_E_UNSUPPORTED, "garbage");
    CODE("\x28\x42\x00\x00", SW_E_UNSUPPORTED, "several memories");
    CODE("\x3f\x01", SW_E_UNSUPPORTED, "several memories");
    CODE("\xfc\x13", SW_E_UNSUPPORTED, "wide arithmetic");
}

static void damaged_code_is_told(void **state)
{
    (void)state;
    CODE("\x27", SW_E_INVALID, "no instruction is 0x27");
    CODE("\xc5", SW_E_INVALID, "no instruction is 0xc5");
    CODE("\xff", SW_E_INVALID, "no instruction is 0xff");
    CODE("\x41\x80\x80\x80\x80\x80\x00", SW_E_INVALID, "too long");
    CODE("\x10\xff\xff\xff\xff\x7f", SW_E_INVALID, "too long");
    CODE("\x0e\x7f", SW_E_INVALID, "ends early");
    CODE("\x44__", SW_E_INVALID, "ends early");
    CODE("\x1c\x01\x33", SW_E_INVALID, "no type is 0x33");
}

static void bodies_have_bounds(void **state)
{
    struct parts parts = valid_parts();

    (void)state;
    parts.code = BYTES("\x02\x06\x01\x05\x7f\x41\x00\x0b" BODY_ZERO);
    expect(&parts, SW_OK, "");
    parts.code = BYTES("\x02\x08\x01\xff\xff\x0f\x7f\x41\x00\x0b" BODY_ZERO);
    expect(&parts, SW_E_EXHAUSTED, "more than 50000 locals");
    parts.code = BYTES("\x02\x7f\x00\x0b");
    expect(&parts, SW_E_INVALID, "ends early");
    parts.code = BYTES("\x02\xff\xff\xff\xff\xff");
    expect(&parts, SW_E_INVALID, "too long");
    parts.code = BYTES("\x02\xb2\x97\xd3\x03" BODY_ZERO BODY_ZERO);
    expect(&parts, SW_E_EXHAUSTED, "function 0 has 7654322 bytes");
    CODE("\x0e\xf1\xff\x03", SW_E_EXHAUSTED, "65521 branches of one table");
}

static void blocks_nest_to_a_limit(void **state)
{
    struct parts parts = valid_parts();
    struct sw_buffer body, section;

    (void)state;
    for (size_t depth = 9999; depth <= 10000; depth++) {
        sw_buffer_init(&body, 1u << 20);
        sw_buffer_init(&section, 1u << 20);
        sw_buffer_put_u8(&body, 0);
        for (size_t i = 0; i < depth; i++)
            sw_buffer_put(&body, "\x02\x40", 2);
        for (size_t i = 0; i <= depth; i++)
            sw_buffer_put_u8(&body, 0x0b);
        sw_buffer_put_u8(&section, 2);
        put_size(&section, body.size);
        sw_buffer_put(&section, body.data, body.size);
        sw_buffer_put(&section, BODY_ZERO, sizeof BODY_ZERO - 1);
        parts.code = (struct sw_bytes){section.data, section.size};
        /* The body is a block itself. */
        expect(&parts, depth == 9999 ? SW_OK : SW_E_EXHAUSTED,
               depth == 9999 ? "" : "nested deeper");
        sw_buffer_done(&body);
        sw_buffer_done(&section);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_instructions_pass),
        cmocka_unit_test(blocks_are_balanced),
        cmocka_unit_test(saturating_and_bulk_instructions_pass),
        cmocka_unit_test(vector_instructions_pass),
        cmocka_unit_test(what_an_image_cannot_hold_is_refused),
        cmocka_unit_test(what_is_refused_has_a_hint),
        cmocka_unit_test(proposals_that_are_off_are_named),
        cmocka_unit_test(damaged_code_is_told),
        cmocka_unit_test(bodies_have_bounds),
        cmocka_unit_test(blocks_nest_to_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
