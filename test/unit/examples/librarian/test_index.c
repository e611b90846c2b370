/* The index of a document against counting by hand, and scores against the formula. */
#include "examples/librarian/indexing.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint8_t place[DOCUMENT_BYTES_MAX * 8];
static double scores[DOCUMENT_BYTES_MAX];

static struct document index_of(const char *text, size_t size)
{
    struct document document;
    struct document_size measure = document_measure((const uint8_t *)text, (uint32_t)size);

    assert_true(document_need(measure) <= sizeof place);
    (void)memset(place, 0xee, sizeof place);
    document_index(&document, (const uint8_t *)text, (uint32_t)size, measure, place);
    assert_true(document_end(&document) <= place + document_need(measure));
    assert_int_equal(place[document_need(measure)], 0xee); /* Nothing was written behind it. */
    return document;
}

static uint32_t hash_of(const char *word)
{
    return word_hash((const uint8_t *)word,
                     word_stem_size((const uint8_t *)word, (uint32_t)strlen(word)));
}

static uint32_t count_of(const struct document *document, const char *word)
{
    uint32_t first, count = 0, end = document_find(document, hash_of(word), &first);

    for (uint32_t i = first; i < end; i++)
        count += document->postings[i].count;
    return count;
}

static void test_words_are_counted(void **state)
{
    static const char text[] = "red green red blue Red greens";
    struct document document = index_of(text, sizeof text - 1);

    (void)state;
    assert_int_equal(document.length, 6);
    assert_int_equal(document.terms_count, 3);
    assert_int_equal(document.passages_count, 1);
    assert_int_equal(count_of(&document, "red"), 3);
    assert_int_equal(count_of(&document, "green"), 2);
    assert_int_equal(count_of(&document, "blue"), 1);
    assert_int_equal(count_of(&document, "yellow"), 0);
}

static void test_empty_document(void **state)
{
    struct document document = index_of("", 0);
    struct question question = {.average_length = 1.0, .terms_count = 1};

    (void)state;
    question.terms[0] = (struct question_term){.hash = hash_of("red"), .weight = 1.0};
    assert_int_equal(document.length, 0);
    assert_int_equal(document.passages_count, 0);
    assert_true(document_score(&document, &question, scores).value == 0.0);
}

static void test_passages_end_with_lines(void **state)
{
    char text[4096] = "";
    struct document document;
    uint8_t passage[PASSAGE_BYTES_MAX];
    uint32_t size;

    (void)state;
    for (int i = 0; i < 20; i++) { /* 20 lines of 5 words. */
        char line[64];

        (void)snprintf(line, sizeof line, "line%02d two three four five\n", i);
        (void)strcat(text, line);
    }
    document = index_of(text, strlen(text));
    /* 32 words are full within the 7th line, so the 8th begins the next passage. */
    assert_int_equal(document.passages_count, 3);
    size = document_passage(&document, 1, passage);
    assert_true(size > 6);
    assert_memory_equal(passage, "line07", 6);
}

static void test_long_lines_are_cut(void **state)
{
    char text[130 * 3 + 1];

    (void)state;
    for (int i = 0; i < 130; i++)
        (void)snprintf(text + i * 3, 4, "w%d ", i % 10);
    assert_int_equal(index_of(text, sizeof text - 1).passages_count, 3); /* 64 + 64 + 2 */
}

static void test_best_passage_is_the_first_of_the_highest(void **state)
{
    char text[8192] = "";
    struct question question = {.average_length = 100.0, .terms_count = 2};
    struct document document;
    struct score score;

    (void)state;
    for (int i = 0; i < 200; i++)
        (void)strcat(text, i == 70 || i == 140 ? "both needle\nand haystack here\n"
                           : i == 100          ? "needle only one line\n"
                                               : "plain words on lines\n");
    document = index_of(text, strlen(text));
    question.terms[0] = (struct question_term){.hash = hash_of("needle"), .weight = 2.0};
    question.terms[1] = (struct question_term){.hash = hash_of("haystack"), .weight = 3.0};
    score = document_score(&document, &question, scores);
    assert_int_equal(score.passage, 70 * 4 / 32);
}

static void test_score_is_bm25(void **state)
{
    static const char text[] = "apple pear apple plum";
    struct document document = index_of(text, sizeof text - 1);
    struct question question = {.average_length = 8.0, .terms_count = 3};
    double expected;

    (void)state;
    question.terms[0] = (struct question_term){.hash = hash_of("apple"), .weight = 1.5};
    question.terms[1] = (struct question_term){.hash = hash_of("plum"), .weight = 0.5};
    question.terms[2] = (struct question_term){.hash = hash_of("kiwi"), .weight = 9.0};
    expected = 1.5 * 2 * 2.2 / (2 + 1.2 * (1 - 0.75 + 0.75 * 0.5)) +
               0.5 * 1 * 2.2 / (1 + 1.2 * (1 - 0.75 + 0.75 * 0.5));
    assert_true(fabs(document_score(&document, &question, scores).value - expected) < 1e-12);
}

/* Words of two letters, lines and passages at random, counted by going over the text. */
static void test_index_agrees_with_counting(void **state)
{
    static char text[20000];

    (void)state;
    srand(7);
    for (int round = 0; round < 20; round++) {
        size_t size = (size_t)rand() % sizeof text;
        struct document document;
        uint32_t total = 0;

        for (size_t i = 0; i < size; i++)
            text[i] = i % 3 < 2 ? (char)('a' + rand() % 5) : rand() % 9 == 0 ? '\n' : ' ';
        document = index_of(text, size);
        for (uint32_t t = 0; t < document.terms_count; t++) {
            struct words words = {.text = (const uint8_t *)text, .size = (uint32_t)size};
            struct word word;
            uint32_t expected = 0, first, end, found = 0;

            while (words_next(&words, &word))
                expected += word.hash == document.terms[t].hash;
            end = document_find(&document, document.terms[t].hash, &first);
            for (uint32_t i = first; i < end; i++) {
                assert_true(document.postings[i].passage < document.passages_count);
                assert_true(i == first ||
                            document.postings[i - 1].passage < document.postings[i].passage);
                found += document.postings[i].count;
            }
            assert_int_equal(found, expected);
            total += found;
        }
        assert_int_equal(total, document.length);
    }
}

static void test_largest_document_fits_an_instance(void **state)
{
    static char text[DOCUMENT_BYTES_MAX];
    struct document_size measure;

    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 3 < 2 ? (char)('a' + rand() % 26) : ' ';
    measure = document_measure((const uint8_t *)text, sizeof text);
    /* With the text, a stack of 16 KiB and the variables it must stay below 1 MiB. */
    assert_true(sizeof text + document_need(measure) + 32768 < 1u << 20);
    assert_true(measure.passages < UINT16_MAX);
    (void)index_of(text, sizeof text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_are_counted),
        cmocka_unit_test(test_empty_document),
        cmocka_unit_test(test_passages_end_with_lines),
        cmocka_unit_test(test_long_lines_are_cut),
        cmocka_unit_test(test_best_passage_is_the_first_of_the_highest),
        cmocka_unit_test(test_score_is_bm25),
        cmocka_unit_test(test_index_agrees_with_counting),
        cmocka_unit_test(test_largest_document_fits_an_instance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
