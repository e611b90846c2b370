/* What the collection adds to a question: weights of its words, and who answered best.
 *
 * The logarithm is our own, so that an agent and a native program get the same bits. */
#pragma once
#include "index.h"

#define QUESTION_BYTES_MAX 4096
#define RESULTS_MAX 10
#define SOURCE_BYTES_MAX 255

struct collection { /* All documents together. */
    uint32_t documents;
    uint64_t length; /* In words. */
};

struct result { /* One document's answer. */
    double score;
    uint32_t source_size, passage_size;
    uint8_t source[SOURCE_BYTES_MAX];
    uint8_t passage[PASSAGE_BYTES_MAX];
};

struct results {           /* The best ones, best first. */
    uint32_t count, limit; /* limit is at most RESULTS_MAX. */
    struct result items[RESULTS_MAX];
};

/* The natural logarithm of a number >= 1: powers of two taken out, then the series of artanh. */
static inline double logarithm(double number)
{
    double powers = 0.0, ratio, square, sum = 0.0, power;

    while (number >= 2.0) {
        number /= 2.0;
        powers += 1.0;
    }
    ratio = (number - 1.0) / (number + 1.0);
    square = ratio * ratio;
    power = ratio;
    for (int i = 1; i < 40; i += 2) {
        sum += power / i;
        power *= square;
    }
    return 2.0 * sum + powers * 0.69314718055994530942;
}

/* Inverse document frequency as BM25 has it, always above 0. */
static inline double term_weight(uint32_t documents, uint32_t frequency)
{
    return logarithm(1.0 + (documents - frequency + 0.5) / (frequency + 0.5));
}

static inline bool question_has(const struct question *question, uint32_t hash)
{
    for (uint32_t i = 0; i < question->terms_count; i++)
        if (question->terms[i].hash == hash)
            return true;
    return false;
}

/* How many documents of the collection have the word. */
typedef uint32_t frequency_find(const void *ctx, uint32_t hash);

/* Add the words of a text that at most documents_max documents have. */
static inline void question_add(struct question *question, struct words words,
                                const struct collection *collection, uint32_t documents_max,
                                frequency_find *find, const void *ctx)
{
    struct word word;

    while (question->terms_count < QUESTION_TERMS_MAX && words_next(&words, &word)) {
        uint32_t frequency = find(ctx, word.hash);

        if (frequency == 0 || frequency > documents_max || question_has(question, word.hash))
            continue;
        question->terms[question->terms_count++] = (struct question_term){
            .hash = word.hash, .weight = term_weight(collection->documents, frequency)};
    }
}

/* Read a question. Words that more than half of the documents have say nothing and are left out,
 * unless there are no others; without a word that any document has, terms_count is 0. */
static inline void question_read(struct question *question, const uint8_t *text, uint32_t size,
                                 const struct collection *collection, frequency_find *find,
                                 const void *ctx)
{
    struct words words = {.text = text, .size = size};

    *question = (struct question){0};
    if (collection->documents == 0 || collection->length == 0)
        return;
    question->average_length = (double)collection->length / collection->documents;
    question_add(question, words, collection, collection->documents / 2, find, ctx);
    if (question->terms_count == 0)
        question_add(question, words, collection, collection->documents, find, ctx);
}

/* Higher scores first, then by source, so that the order does not depend on who answered first. */
static inline bool result_is_better(const struct result *one, const struct result *other)
{
    uint32_t size = one->source_size < other->source_size ? one->source_size : other->source_size;

    if (one->score != other->score)
        return one->score > other->score;
    for (uint32_t i = 0; i < size; i++)
        if (one->source[i] != other->source[i])
            return one->source[i] < other->source[i];
    return one->source_size < other->source_size;
}

static inline bool results_say_the_same(const struct result *one, const struct result *other)
{
    if (one->passage_size != other->passage_size)
        return false;
    for (uint32_t i = 0; i < one->passage_size; i++)
        if (one->passage[i] != other->passage[i])
            return false;
    return true;
}

/* Keep the result if it is among the best. Of several with the same passage, as copies of one file
 * have, only the best is kept. What is kept at the end does not depend on who came first. */
static inline void results_put(struct results *results, const struct result *result)
{
    uint32_t at = 0;

    while (at < results->count && !results_say_the_same(result, &results->items[at]))
        at++;
    if (at < results->count && !result_is_better(result, &results->items[at]))
        return;
    if (at < results->count) /* The better one of the two takes the place, and moves up. */
        results->count--;
    for (; at < results->count; at++)
        results->items[at] = results->items[at + 1];
    while (at > 0 && result_is_better(result, &results->items[at - 1]))
        at--;
    if (at == results->limit)
        return;
    if (results->count < results->limit)
        results->count++;
    for (uint32_t i = results->count - 1; i > at; i--)
        results->items[i] = results->items[i - 1];
    results->items[at] = *result;
}
