/* The index of one document: which words it has, how often, and in which passages.
 *
 *   terms      sorted by hash; each says where its postings begin, the next one where they end
 *   postings   (passage, count) of one term after another, passages rising
 *   passages   where each begins in the text; one ends where the next begins
 *
 * Scores are BM25 (Robertson and Zaragoza 2009, k1 = 1.2, b = 0.75). A question costs time in
 * proportion to its terms' postings, never to the text. */
#pragma once
#include "text.h"

#include <stddef.h>

#define DOCUMENT_BYTES_MAX (128u * 1024u)
#define PASSAGE_WORDS_MIN 32  /* From here on a passage ends at the next end of a line ... */
#define PASSAGE_WORDS_MAX 64  /* ... and here at the latest. */
#define PASSAGE_BYTES_MAX 320 /* Shown of a passage. */
#define QUESTION_TERMS_MAX 16
#define BM25_K1 1.2
#define BM25_B 0.75

struct term {
    uint32_t hash, first; /* Of its postings. */
};

struct posting {
    uint16_t passage, count;
};

struct document {
    const uint8_t *text;
    uint32_t size;   /* Of the text, in bytes. */
    uint32_t length; /* In words. */
    uint32_t terms_count, postings_count, passages_count;
    struct term *terms;
    struct posting *postings;
    uint32_t *passages;
};

struct question_term {
    uint32_t hash;
    uint32_t reserved; /* 0. */
    double weight;     /* Its inverse document frequency in the collection. */
};

struct question {
    double average_length; /* Of the collection's documents, in words. */
    uint32_t terms_count;
    struct question_term terms[QUESTION_TERMS_MAX];
};

struct score {
    double value;     /* 0: no word of the question is there. */
    uint32_t passage; /* The best one. */
};

/* The postings of a term: [*ret_first, returned end). */
static inline uint32_t document_find(const struct document *document, uint32_t hash,
                                     uint32_t *ret_first)
{
    uint32_t low = 0, high = document->terms_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (document->terms[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_first = 0;
    if (low == document->terms_count || document->terms[low].hash != hash)
        return 0;
    *ret_first = document->terms[low].first;
    return low + 1 < document->terms_count ? document->terms[low + 1].first
                                           : document->postings_count;
}

/* Add what one term is worth in each of its passages, and return how often the document has it. */
static inline uint32_t document_add_term(const struct document *document,
                                         const struct question_term *term, double *passage_scores)
{
    uint32_t first, end = document_find(document, term->hash, &first);
    uint32_t count = 0;

    for (uint32_t i = first; i < end; i++) {
        const struct posting *posting = &document->postings[i];
        double times = posting->count;

        passage_scores[posting->passage] +=
            term->weight * times * (BM25_K1 + 1.0) / (times + BM25_K1);
        count += posting->count;
    }
    return count;
}

/* BM25 of the document, and its best passage: the first of the highest. passage_scores has room for
 * passages_count numbers and is overwritten. */
static inline struct score document_score(const struct document *document,
                                          const struct question *question, double *passage_scores)
{
    struct score score = {0};
    double share = document->length / question->average_length;
    double best = 0.0;

    for (uint32_t i = 0; i < document->passages_count; i++)
        passage_scores[i] = 0.0;
    for (uint32_t i = 0; i < question->terms_count; i++) {
        const struct question_term *term = &question->terms[i];
        double times = document_add_term(document, term, passage_scores);

        score.value += term->weight * times * (BM25_K1 + 1.0) /
                       (times + BM25_K1 * (1.0 - BM25_B + BM25_B * share));
    }
    for (uint32_t i = 0; i < document->passages_count; i++)
        if (passage_scores[i] > best) {
            best = passage_scores[i];
            score.passage = i;
        }
    return score;
}

/* The text of a passage for people, at most PASSAGE_BYTES_MAX bytes; returns its size. */
static inline uint32_t document_passage(const struct document *document, uint32_t passage,
                                        uint8_t ret_text[PASSAGE_BYTES_MAX])
{
    uint32_t start = document->passages[passage];
    uint32_t end =
        passage + 1 < document->passages_count ? document->passages[passage + 1] : document->size;

    return text_clean(document->text + start, end - start, ret_text, PASSAGE_BYTES_MAX);
}
