/* Weights of words, questions in text and JSON, and the order of results. */
#include "examples/librarian/json.h"
#include "examples/librarian/print.h"
#include "examples/librarian/rank.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_logarithm(void **state)
{
    (void)state;
    for (double number = 1.0; number < 1e7; number = number * 1.01 + 0.001)
        assert_true(fabs(logarithm(number) - log(number)) < 1e-12 * (1.0 + log(number)));
    assert_true(logarithm(1.0) == 0.0);
}

static void test_rare_words_weigh_more(void **state)
{
    (void)state;
    assert_true(term_weight(1000, 1) > term_weight(1000, 2));
    assert_true(term_weight(1000, 999) > term_weight(1000, 1000));
    assert_true(term_weight(1000, 1000) > 0.0);
}

struct known { /* Every word is in so many documents. */
    const char *words[4];
    uint32_t frequencies[4];
};

static uint32_t find_known(const void *ctx, uint32_t hash)
{
    const struct known *known = ctx;

    for (size_t i = 0; i < 4 && known->words[i] != NULL; i++) {
        const uint8_t *word = (const uint8_t *)known->words[i];
        uint32_t size = (uint32_t)strlen(known->words[i]);

        if (word_hash(word, word_stem_size(word, size)) == hash)
            return known->frequencies[i];
    }
    return 0;
}

static struct question read_question(const char *text, const struct known *known)
{
    static const struct collection collection = {.documents = 10, .length = 500};
    struct question question;

    question_read(&question, (const uint8_t *)text, (uint32_t)strlen(text), &collection, find_known,
                  known);
    return question;
}

static void test_questions_keep_what_tells_documents_apart(void **state)
{
    static const struct known known = {{"the", "fix", "cve", NULL}, {10, 5, 1}};
    struct question question = read_question("Fixed the CVE? The fix!", &known);

    (void)state;
    assert_int_equal(question.terms_count, 2); /* "the" is in more than half. */
    assert_true(question.average_length == 50.0);
    assert_true(question.terms[0].weight < question.terms[1].weight);
    assert_true(question.terms[1].weight == term_weight(10, 1));
    question = read_question("the unheard", &known);
    assert_int_equal(question.terms_count, 1); /* Better than nothing. */
    assert_int_equal(read_question("unheard words", &known).terms_count, 0);
    assert_int_equal(read_question("", &known).terms_count, 0);
}

static uint32_t find_any(const void *ctx, uint32_t hash)
{
    (void)ctx;
    (void)hash;
    return 1;
}

static void test_questions_have_a_limit(void **state)
{
    static const struct collection collection = {.documents = 10, .length = 500};
    static const struct collection none = {0};
    struct question question;
    char text[256] = "";

    (void)state;
    for (int i = 0; i < 30; i++)
        (void)snprintf(text + strlen(text), 8, "w%02d ", i);
    question_read(&question, (const uint8_t *)text, (uint32_t)strlen(text), &collection, find_any,
                  NULL);
    assert_int_equal(question.terms_count, QUESTION_TERMS_MAX);
    question_read(&question, (const uint8_t *)text, (uint32_t)strlen(text), &none, find_any, NULL);
    assert_int_equal(question.terms_count, 0);
}

static struct result result_of(double score, const char *source)
{
    struct result result = {.score = score, .source_size = (uint32_t)strlen(source)};

    (void)memcpy(result.source, source, result.source_size);
    /* Passages differ unless a test makes them alike. */
    result.passage_size = 8 + result.source_size;
    (void)memcpy(result.passage, &score, 8);
    (void)memcpy(result.passage + 8, source, result.source_size);
    return result;
}

static void test_results_are_ordered_whoever_comes_first(void **state)
{
    static const struct {
        double score;
        const char *source;
    } rows[] = {{1.0, "b"}, {3.0, "a"}, {1.0, "a"}, {2.0, "z"}, {1.0, "ab"}};
    static const char *const expected[] = {"a", "z", "a", "ab"};

    (void)state;
    for (size_t start = 0; start < 5; start++) {
        struct results results = {.limit = 4};

        for (size_t i = 0; i < 5; i++) {
            size_t at = (start * 3 + i * 2) % 5;
            struct result result = result_of(rows[at].score, rows[at].source);

            results_put(&results, &result);
        }
        assert_int_equal(results.count, 4);
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(results.items[i].source_size, strlen(expected[i]));
            assert_memory_equal(results.items[i].source, expected[i], strlen(expected[i]));
        }
    }
}

static void test_copies_are_shown_once(void **state)
{
    static const double scores[] = {4.0, 1.0, 3.0, 5.0, 2.0, 6.0};

    (void)state;
    for (size_t start = 0; start < 6; start++) {
        struct results results = {.limit = 2};

        for (size_t i = 0; i < 6; i++) {
            size_t at = (start + i * 5) % 6;
            struct result result = result_of(scores[at], "source");

            result.passage_size = 1; /* Even and odd places are copies of each other. */
            result.passage[0] = at % 2 == 0 ? 'e' : 'o';
            results_put(&results, &result);
        }
        assert_int_equal(results.count, 2);
        assert_true(results.items[0].score == 6.0);
        assert_true(results.items[1].score == 4.0);
    }
}

static void assert_question(const char *json, const char *expected, uint32_t expected_limit)
{
    uint8_t text[256];
    uint32_t limit = 5;
    uint32_t size = json_question((const uint8_t *)json, (uint32_t)strlen(json), text, &limit);

    assert_int_equal(size, strlen(expected));
    assert_memory_equal(text, expected, size);
    if (size > 0)
        assert_int_equal(limit, expected_limit);
}

static void test_questions_in_json(void **state)
{
    (void)state;
    assert_question("\"plain\"", "plain", 5);
    assert_question(" { \"question\" : \"a \\\"b\\\" \\u0041\\n\" } ", "a \"b\" A ", 5);
    assert_question("{\"limit\": 3, \"question\": \"x\\u00e9y\"}", "x y", 3);
    assert_question("{\"question\":\"q\",\"limit\":10}", "q", 10);
}

static void test_what_is_no_question_in_json(void **state)
{
    static const char *const rows[] = {
        "",
        "plain",
        "\"open",
        "\"bad \\x\"",
        "\"bad \\u12g4\"",
        "\"tab\t\"",
        "\"two\" \"strings\"",
        "{}",
        "{\"question\"}",
        "{\"question\": }",
        "{\"question\": \"x\"",
        "{\"question\": \"x\",}",
        "{\"question\": \"x\", \"question\": \"y\"}",
        "{\"question\": 1}",
        "{\"other\": \"x\"}",
        "{\"limit\": \"x\", \"question\": \"y\"}",
        "{\"limit\": 12345678, \"question\": \"y\"}",
        "[\"x\"]",
        "\"\\",
        "\"\\u1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_question(rows[i], "", 0);
}

static void test_printing(void **state)
{
    uint8_t text[64];
    struct print out = {.text = text, .size_max = sizeof text};

    (void)state;
    print_number(&out, 0);
    PRINT(&out, " ");
    print_number(&out, UINT64_MAX);
    PRINT(&out, " ");
    print_decimal(&out, 12.3456, 2);
    PRINT(&out, " ");
    print_json(&out, (const uint8_t *)"a\"\\\x1f", 4);
    assert_memory_equal(text, "0 18446744073709551615 12.35 \"a\\\"\\\\\\u001f\"", out.size);
    assert_false(out.is_full);
    for (int i = 0; i < 64; i++)
        PRINT(&out, "xx");
    assert_true(out.is_full);
    assert_true(out.size <= sizeof text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logarithm),
        cmocka_unit_test(test_rare_words_weigh_more),
        cmocka_unit_test(test_questions_keep_what_tells_documents_apart),
        cmocka_unit_test(test_questions_have_a_limit),
        cmocka_unit_test(test_results_are_ordered_whoever_comes_first),
        cmocka_unit_test(test_copies_are_shown_once),
        cmocka_unit_test(test_questions_in_json),
        cmocka_unit_test(test_what_is_no_question_in_json),
        cmocka_unit_test(test_printing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
