/* JSON of the C SDK, read where it stands and written into room of a fixed size. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <swarm/base64.h>
#include <swarm/json_same.h>

#include <cmocka.h>

static struct swarm_json read_text(const char *text)
{
    struct swarm_json value = SWARM_JSON_NOTHING;

    if (swarm_json_read(text, (uint32_t)strlen(text), &value) != SWARM_OK)
        fail_msg("this should be JSON: %s", text);
    return value;
}

static void assert_refused(const void *text, size_t size)
{
    struct swarm_json value = {"x", 1, 0};

    assert_int_equal(swarm_json_read(text, (uint32_t)size, &value), SWARM_E_INVALID);
    assert_string_equal(value.text, "x"); /* Untouched. */
}

static void assert_says(struct swarm_json value, const char *expected)
{
    char bytes[256];
    struct swarm_text text = {bytes, 0, sizeof bytes - 1, false};

    swarm_json_copy(value, &text);
    assert_false(text.is_full);
    bytes[text.size] = '\0';
    assert_string_equal(bytes, expected);
}

static void test_types(void **state)
{
    (void)state;
    assert_int_equal(swarm_json_type_of(read_text(" null ")), SWARM_JSON_NULL);
    assert_int_equal(swarm_json_type_of(read_text("true")), SWARM_JSON_BOOL);
    assert_int_equal(swarm_json_type_of(read_text("false")), SWARM_JSON_BOOL);
    assert_int_equal(swarm_json_type_of(read_text("-0.5e+1")), SWARM_JSON_NUMBER);
    assert_int_equal(swarm_json_type_of(read_text("\"\"")), SWARM_JSON_STRING);
    assert_int_equal(swarm_json_type_of(read_text("[ ]")), SWARM_JSON_ARRAY);
    assert_int_equal(swarm_json_type_of(read_text("\n{\t}\r")), SWARM_JSON_OBJECT);
    assert_int_equal(swarm_json_type_of(SWARM_JSON_NOTHING), SWARM_JSON_NONE);
    assert_true(swarm_json_is_true(read_text("true")));
    assert_false(swarm_json_is_true(read_text("null")));
    assert_false(swarm_json_is_true(SWARM_JSON_NOTHING));
}

static void test_what_is_no_json_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",        " ",           "nul",      "truex",      "1 2",   "[1,]",        "[,1]",
        "[1",      "{\"a\"}",     "{\"a\":}", "{\"a\":1,}", "{a:1}", "{1:1}",       "{\"a\":1",
        "]",       "}",           "[1}",      "{\"a\":1]",  "\"",    "\"\\\"",      "\"\\x\"",
        "\"\\u12", "\"\\u12g4\"", "\"\n\"",   "01",         "1.",    ".5",          "+1",
        "1e",      "1e+",         "-",        "--1",        "NaN",   "'a'",         "{\"a\" 1}",
        "[1 2]",   "\"\\u\"",     "tru",      "[\"a]",      "{,}",   "\"a\" \"b\"", "/**/1"};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_refused(wrong[i], strlen(wrong[i]));
    assert_refused("\"\0\"", 3);
    assert_refused("1\0", 2);
    assert_refused("\"\xff\"", 3);
    assert_refused("\"\xc0\xaf\"", 4);         /* Too long a form. */
    assert_refused("\"\xe0\x80\xaf\"", 5);     /* Likewise. */
    assert_refused("\"\xed\xa0\x80\"", 5);     /* Half a character. */
    assert_refused("\"\xf4\x90\x80\x80\"", 6); /* Behind the last one. */
    assert_refused("\"\xe2\x82\"", 4);         /* Cut. */
}

static void test_depth_is_bounded(void **state)
{
    char text[400];
    struct swarm_json value;

    (void)state;
    for (size_t depth = SWARM_JSON_DEPTH_MAX; depth <= SWARM_JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        assert_int_equal(swarm_json_read(text, (uint32_t)(2 * depth), &value),
                         depth == SWARM_JSON_DEPTH_MAX ? SWARM_OK : SWARM_E_INVALID);
    }
    for (size_t i = 0; i < SWARM_JSON_DEPTH_MAX; i++) { /* Objects and arrays in turns. */
        text[3 * i] = i % 2 == 0 ? '[' : '{';
        memcpy(text + 3 * i + 1, i % 2 == 0 ? "  " : "\"\"", 2);
        text[3 * SWARM_JSON_DEPTH_MAX + i] = i % 2 == 0 ? '}' : ']';
    }
    assert_refused(text, 4 * (size_t)SWARM_JSON_DEPTH_MAX); /* Members without values. */
}

static void test_finding(void **state)
{
    struct swarm_json
        value = read_text(
            "{\"a\":[1,{\"b c\":\"x\"},[2,3]],\"\\u00e4\":null,\"d\":1,\"d\":2,\"e\":{}}"),
        name, item;
    int64_t number = 0;
    uint32_t count = 0;

    (void)state;
    assert_says(swarm_json_find(value, "a[1].b c"), "x");
    assert_says(swarm_json_find(value, "a[2][1]"), "3");
    assert_says(swarm_json_find(value, "ä"), "null");
    assert_true(swarm_json_integer(swarm_json_find(value, "d"), &number));
    assert_int_equal(number, 2); /* The last one. */
    assert_int_equal(swarm_json_find(value, "a[3]").size, 0);
    assert_int_equal(swarm_json_find(value, "a[99999999999]").size, 0);
    assert_int_equal(swarm_json_find(value, "a.b").size, 0);
    assert_int_equal(swarm_json_find(value, "e[0]").size, 0);
    assert_int_equal(swarm_json_find(value, "none.of[0].that").size, 0);
    assert_int_equal(swarm_json_find(value, "d.x").size, 0);
    while (swarm_json_next(&value, &name, &item))
        count++;
    assert_int_equal(count, 5);
}

static void test_strings(void **state)
{
    (void)state;
    assert_says(read_text("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), "\"\\/\b\f\n\r\t");
    assert_says(read_text("\"\\u0041\\u00fc\\u20ac\\ud83d\\ude00\""), "Aü€😀");
    assert_says(read_text("\"\\ud83d\\u0041\\ude00x\\ud83d\""), "�A�x�");
    assert_says(read_text("\"\\ud83d\\n\""), "�\n");
    assert_says(read_text("[1, 2]"), "[1, 2]");
    assert_true(swarm_json_is(read_text("\"\\u0061b\""), "ab"));
    assert_false(swarm_json_is(read_text("\"ab\""), "a"));
    assert_false(swarm_json_is(read_text("\"ab\""), "abc"));
    assert_false(swarm_json_is(read_text("\"ab\""), "ac"));
    assert_false(swarm_json_is(read_text("1"), "1"));
    assert_true(swarm_json_is(read_text("\"\""), ""));
}

static void test_room_for_a_string_is_kept_to(void **state)
{
    char bytes[3] = "xx";
    struct swarm_text text = {bytes, 0, 2, false};

    (void)state;
    swarm_json_copy(read_text("\"ab\\u00e4\""), &text);
    assert_true(text.is_full);
    assert_memory_equal(bytes, "ab", 3);
}

static void test_numbers(void **state)
{
    static const struct {
        const char *text;
        double number;
    } numbers[] = {{"0", 0},
                   {"-0", 0},
                   {"12", 12},
                   {"-12.5", -12.5},
                   {"0.15", 0.15},
                   {"1e3", 1000},
                   {"25e-1", 2.5},
                   {"1.5E+2", 150},
                   {"0.1", 0.1},
                   {"1e400", INFINITY},
                   {"1e-400", 0},
                   {"0e999999", 0},
                   {"9007199254740992", 9007199254740992.0},
                   {"1e22", 1e22},
                   {"0.000001", 1e-6}};
    double number;
    int64_t whole = 5;

    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        assert_true(swarm_json_number(read_text(numbers[i].text), &number));
        assert_true(number == numbers[i].number);
    }
    assert_false(swarm_json_number(read_text("\"1\""), &number));
    assert_false(swarm_json_number(SWARM_JSON_NOTHING, &number));
    assert_false(swarm_json_integer(read_text("1.5"), &whole));
    assert_false(swarm_json_integer(read_text("1e300"), &whole));
    assert_false(swarm_json_integer(read_text("-9007199254740994"), &whole));
    assert_false(swarm_json_integer(read_text("null"), &whole));
    assert_int_equal(whole, 5);
    assert_true(swarm_json_integer(read_text("-70e-1"), &whole));
    assert_int_equal(whole, -7);
}

static void test_sameness(void **state)
{
    static const struct {
        const char *a, *b;
        bool is_same;
    } pairs[] = {{"1", "1.0", true},
                 {"\"a\"", "\"\\u0061\"", true},
                 {"\"a\"", "\"b\"", false},
                 {"\"a\"", "\"aa\"", false},
                 {"[1,[2]]", "[ 1, [ 2 ] ]", true},
                 {"[1,2]", "[2,1]", false},
                 {"[1]", "[1,1]", false},
                 {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", true},
                 {"{\"a\":1}", "{\"a\":1,\"b\":2}", false},
                 {"{\"a\":1}", "{\"b\":1}", false},
                 {"{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":2}", true},
                 {"{\"a\":1,\"a\":2}", "{\"a\":2,\"a\":1}", false},
                 {"true", "false", false},
                 {"null", "null", true},
                 {"null", "false", false}};

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        assert_int_equal(swarm_json_is_same(read_text(pairs[i].a), read_text(pairs[i].b), 0),
                         pairs[i].is_same);
    assert_true(swarm_json_has_twins(read_text("[1,\"1\",2,1e0]")));
    assert_false(swarm_json_has_twins(read_text("[1,\"1\",2,[1]]")));
    assert_false(swarm_json_has_twins(read_text("[]")));
}

static void test_writing(void **state)
{
    char bytes[256];
    struct swarm_text out = {bytes, 0, sizeof bytes - 1, false};
    struct swarm_json value;

    (void)state;
    swarm_json_open(&out, NULL, '{');
    swarm_json_put_words(&out, "a\"", "x\n\x01\\");
    swarm_json_open(&out, "list", '[');
    swarm_json_put_integer(&out, NULL, INT64_MIN);
    swarm_json_put_integer(&out, NULL, 0);
    swarm_json_put_bool(&out, NULL, true);
    swarm_json_put_text(&out, NULL, "\xff\xe2\x82y", 4);
    swarm_json_open(&out, NULL, '{');
    swarm_json_close(&out, '}');
    swarm_json_close(&out, ']');
    swarm_json_put(&out, "raw", "[1]", 3);
    swarm_json_close(&out, '}');
    bytes[out.size] = '\0';
    assert_string_equal(bytes,
                        "{\"a\\\"\":\"x\\u000a\\u0001\\\\\",\"list\":[-9223372036854775808,0,"
                        "true,\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdy\",{}],\"raw\":[1]}");
    value = read_text(bytes);
    assert_says(swarm_json_find(value, "a\""), "x\n\x01\\");
}

static void test_a_full_text_stays_as_it_is(void **state)
{
    char bytes[8] = "";
    struct swarm_text out = {bytes, 0, 4, false};

    (void)state;
    swarm_put_words(&out, "abc");
    swarm_put_words(&out, "de");
    swarm_put_words(&out, "f");
    assert_true(out.is_full);
    assert_string_equal(bytes, "abc");
}

static void test_base64(void **state)
{
    static const struct {
        const char *text, *base64;
    } pairs[] = {{"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
                 {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xff\xfe\xfd", "//79"},
                 {"\xfb", "+w=="}};
    static const char *const wrong[] = {"Z", "Zg", "Zg=", "Z===", "Zm9*", "====", "Zg==Zg=="};
    char bytes[32];

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct swarm_text out = {bytes, 0, sizeof bytes - 1, false};

        swarm_put_base64(&out, pairs[i].text, (uint32_t)strlen(pairs[i].text));
        bytes[out.size] = '\0';
        assert_string_equal(bytes, pairs[i].base64);
        assert_true(swarm_base64_decode(&out));
        assert_int_equal(out.size, strlen(pairs[i].text));
        assert_memory_equal(bytes, pairs[i].text, out.size);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct swarm_text out = {bytes, (uint32_t)strlen(wrong[i]), sizeof bytes, false};

        memcpy(bytes, wrong[i], out.size);
        assert_false(swarm_base64_decode(&out));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_what_is_no_json_is_refused),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_finding),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_room_for_a_string_is_kept_to),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_sameness),
        cmocka_unit_test(test_writing),
        cmocka_unit_test(test_a_full_text_stays_as_it_is),
        cmocka_unit_test(test_base64),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
