/* JSON Schema of the C SDK: what fits, and the words for what does not, which are those of
 * sdk/js/lib/schema.js. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <swarm/schema.h>

#include <cmocka.h>

static struct swarm_json read_text(const char *text)
{
    struct swarm_json value = SWARM_JSON_NOTHING;

    if (swarm_json_read(text, (uint32_t)strlen(text), &value) != SWARM_OK)
        fail_msg("this should be JSON: %s", text);
    return value;
}

/* A value, a schema, and what is wrong with the value; "": nothing. */
static void assert_problems(const char *schema, const char *value, const char *expected)
{
    char bytes[2048];
    struct swarm_text problems = {bytes, 0, sizeof bytes - 1, false};
    uint32_t count = swarm_schema_problems(read_text(schema), read_text(value), &problems);

    bytes[problems.size] = '\0';
    assert_string_equal(bytes, expected);
    assert_int_equal(count > 0, expected[0] != '\0');
}

static void test_types(void **state)
{
    (void)state;
    assert_problems("{\"type\":\"string\"}", "\"x\"", "");
    assert_problems("{\"type\":\"string\"}", "1", "the value is number, not string");
    assert_problems("{\"type\":[\"string\",\"null\"]}", "null", "");
    assert_problems("{\"type\":[\"string\",\"null\"]}", "[]",
                    "the value is array, not string or null");
    assert_problems("{\"type\":\"integer\"}", "7.0", "");
    assert_problems("{\"type\":\"integer\"}", "7.5", "the value is number, not integer");
    assert_problems("{\"type\":\"integer\"}", "1e300", "");
    assert_problems("{\"type\":\"boolean\"}", "true", "");
    assert_problems("true", "1", "");
    assert_problems("{}", "1", "");
    assert_problems("false", "1", "the value is not allowed");
}

static void test_enum_and_const(void **state)
{
    (void)state;
    assert_problems("{\"enum\":[\"a\",{\"b\":1}]}", "{\"b\":1.0}", "");
    assert_problems("{\"enum\":[\"a\",2]}", "\"2\"", "the value is none of [\"a\",2]");
    assert_problems("{\"const\":null}", "null", "");
    assert_problems("{\"const\":3}", "4", "the value is not 3");
}

static void test_objects(void **state)
{
    static const char schema[] =
        "{\"type\":\"object\",\"required\":[\"city\",\"people\"],\"additionalProperties\":false,"
        "\"properties\":{\"city\":{\"type\":\"string\"},\"people\":{\"type\":\"integer\","
        "\"minimum\":1}}}";

    (void)state;
    assert_problems(schema, "{\"city\":\"Bern\",\"people\":3}", "");
    assert_problems(schema, "{\"city\":\"Bern\"}", "the value lacks \"people\"");
    assert_problems(schema, "{\"city\":1,\"people\":0,\"x\":1}",
                    "city is number, not string; people is less than 1; x is not known");
    assert_problems("{\"additionalProperties\":{\"type\":\"null\"}}", "{\"a\":1}",
                    "a is number, not null");
    assert_problems("{\"properties\":{\"a\":{\"properties\":{\"b\":false}}}}", "{\"a\":{\"b\":1}}",
                    "a.b is not allowed");
}

static void test_arrays(void **state)
{
    (void)state;
    assert_problems("{\"items\":{\"type\":\"number\"}}", "[1,\"2\"]", "[1] is string, not number");
    assert_problems("{\"prefixItems\":[{\"type\":\"string\"}],\"items\":false}", "[\"a\",1]",
                    "[1] is not allowed");
    assert_problems("{\"minItems\":2,\"maxItems\":3}", "[1]", "the value has fewer than 2 items");
    assert_problems("{\"minItems\":2,\"maxItems\":3}", "[1,2,3,4]",
                    "the value has more than 3 items");
    assert_problems("{\"uniqueItems\":true}", "[1,2,1.0]", "the value has an item twice");
    assert_problems("{\"uniqueItems\":true}", "[1,2]", "");
    assert_problems("{\"properties\":{\"a\":{\"items\":{\"items\":{\"type\":\"null\"}}}}}",
                    "{\"a\":[[],[null,1]]}", "a[1][1] is number, not null");
}

static void test_bounds(void **state)
{
    static const char number[] = "{\"minimum\":1,\"maximum\":9,\"multipleOf\":2}";
    static const char outside[] = "{\"exclusiveMinimum\":1,\"exclusiveMaximum\":9}";

    (void)state;
    assert_problems(number, "4", "");
    assert_problems(number, "0", "the value is less than 1");
    assert_problems(number, "10", "the value is more than 9");
    assert_problems(number, "5", "the value is no multiple of 2");
    assert_problems(outside, "2", "");
    assert_problems(outside, "1", "the value is not more than 1");
    assert_problems(outside, "9", "the value is not less than 9");
    assert_problems("{\"minLength\":2,\"maxLength\":3}", "\"\\u00e4\"",
                    "the value is shorter than 2");
    assert_problems("{\"minLength\":2,\"maxLength\":3}", "\"\\u00e4bcd\"",
                    "the value is longer than 3");
    assert_problems("{\"minLength\":2,\"maxLength\":3}", "\"äbc\"", "");
}

static void test_schemas_of_schemas(void **state)
{
    static const char any[] = "{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":5}]}";
    static const char one[] = "{\"oneOf\":[{\"minimum\":5},{\"maximum\":7}]}";

    (void)state;
    assert_problems(any, "\"a\"", "");
    assert_problems(any, "6", "");
    assert_problems(any, "4", "the value fits none of anyOf");
    assert_problems(one, "3", "");
    assert_problems(one, "6", "the value fits 2 of oneOf");
    assert_problems("{\"allOf\":[{\"minimum\":5},{\"maximum\":7}]}", "8",
                    "the value is more than 7");
    assert_problems("{\"not\":{\"type\":\"null\"}}", "null", "the value is what it must not be");
    assert_problems("{\"not\":{\"type\":\"null\"}}", "1", "");
}

static void test_references(void **state)
{
    static const char tree[] = "{\"$ref\":\"#/$defs/a~1b\",\"$defs\":{\"a/b\":{\"type\":\"object\","
                               "\"properties\":{\"x\":{\"$ref\":\"#\"}},\"required\":[\"v\"]}}}";

    (void)state;
    assert_problems(tree, "{\"v\":1,\"x\":{\"v\":2}}", "");
    assert_problems(tree, "{\"v\":1,\"x\":{}}", "x lacks \"v\"");
    assert_problems("{\"$ref\":\"#/none\"}", "1",
                    "the value has a schema that is not there: "
                    "\"#/none\"");
    assert_problems("{\"$ref\":\"http://x/y\"}", "1",
                    "the value has a schema that is not there: \"http://x/y\"");
    assert_problems("{\"$ref\":\"#\"}", "1", "the value is nested too deep");
}

static void test_problems_are_bounded(void **state)
{
    char small[24];
    struct swarm_text problems = {small, 0, sizeof small, false};
    char value[512] =
        "{\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\":1}";

    (void)state;
    assert_problems("{\"items\":false}", "[1,2,3,4,5,6,7,8,9,10]",
                    "[0] is not allowed; [1] is not allowed; [2] is not allowed; [3] is not "
                    "allowed; [4] is not allowed; [5] is not allowed; [6] is not allowed; [7] is "
                    "not allowed");
    assert_int_equal(
        swarm_schema_problems(read_text("{\"items\":false}"), read_text("[1,2]"), &problems), 2);
    assert_true(problems.is_full);
    assert_true(problems.size <= sizeof small);
    problems = (struct swarm_text){NULL, 0, 0, false};
    assert_int_equal(swarm_schema_problems(read_text("{\"additionalProperties\":false}"),
                                           read_text(value), &problems),
                     1); /* A path that has no room is cut. */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),      cmocka_unit_test(test_enum_and_const),
        cmocka_unit_test(test_objects),    cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_bounds),     cmocka_unit_test(test_schemas_of_schemas),
        cmocka_unit_test(test_references), cmocka_unit_test(test_problems_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
