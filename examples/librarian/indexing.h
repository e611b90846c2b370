/* Making the index of a document: words are written down with their passages, sorted, and joined.
 *
 * It needs memory in proportion to the words, is done once for each document, and leaves what
 * index.h describes. */
#pragma once
#include "index.h"

struct occurrence { /* While an index is made: one word of the text, later one posting. */
    uint32_t hash;
    uint16_t passage, count;
};

struct passages { /* Cuts a text into passages while its words go by. */
    uint32_t count, words, last_end;
};

/* Does this word begin a new passage? */
static inline bool passages_take(struct passages *passages, const uint8_t *text,
                                 const struct word *word)
{
    bool is_new = passages->count == 0 || passages->words >= PASSAGE_WORDS_MAX;

    if (!is_new && passages->words >= PASSAGE_WORDS_MIN)
        for (uint32_t at = passages->last_end; at < word->start; at++)
            is_new = is_new || text[at] == '\n';
    passages->words = is_new ? 1 : passages->words + 1;
    passages->count += is_new;
    passages->last_end = word->end;
    return is_new;
}

struct document_size { /* What a document will need; see document_index. */
    uint32_t words, passages;
};

static inline struct document_size document_measure(const uint8_t *text, uint32_t size)
{
    struct words words = {.text = text, .size = size};
    struct passages passages = {0};
    struct document_size measure = {0};
    struct word word;

    for (; words_next(&words, &word); measure.words++)
        (void)passages_take(&passages, text, &word);
    measure.passages = passages.count;
    return measure;
}

static inline bool occurrence_is_less(const struct occurrence *one, const struct occurrence *other)
{
    return one->hash != other->hash ? one->hash < other->hash : one->passage < other->passage;
}

/* Heapsort: no memory, no recursion, no bad case. Equal ones are alike, so its order is the only.
 */
static inline void occurrences_sift(struct occurrence *items, size_t at, size_t count)
{
    struct occurrence moved = items[at];

    for (size_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && occurrence_is_less(&items[child], &items[child + 1]))
            child++;
        if (!occurrence_is_less(&moved, &items[child]))
            break;
        items[at] = items[child];
        at = child;
    }
    items[at] = moved;
}

static inline void occurrences_sort(struct occurrence *items, size_t count)
{
    for (size_t at = count / 2; at > 0; at--)
        occurrences_sift(items, at - 1, count);
    for (size_t last = count; last > 1; last--) {
        struct occurrence first = items[0];

        items[0] = items[last - 1];
        items[last - 1] = first;
        occurrences_sift(items, 0, last - 1);
    }
}

/* Write down each word with its passage, and where passages begin. */
static inline void occurrences_collect(struct document *document, struct occurrence *items)
{
    struct words words = {.text = document->text, .size = document->size};
    struct passages passages = {0};
    struct word word;

    while (words_next(&words, &word)) {
        if (passages_take(&passages, document->text, &word))
            document->passages[passages.count - 1] = word.start;
        items[document->length++] = (struct occurrence){
            .hash = word.hash, .passage = (uint16_t)(passages.count - 1), .count = 1};
    }
    document->passages_count = passages.count;
}

/* Join what is equal, in place; returns how many are left and counts the terms among them. */
static inline uint32_t occurrences_join(struct occurrence *items, uint32_t count,
                                        uint32_t *ret_terms)
{
    uint32_t kept = 0;

    *ret_terms = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool is_same_term = kept > 0 && items[kept - 1].hash == items[i].hash;

        if (is_same_term && items[kept - 1].passage == items[i].passage) {
            items[kept - 1].count++;
            continue;
        }
        *ret_terms += !is_same_term;
        items[kept++] = items[i];
    }
    return kept;
}

/* Bytes that an index needs while it is made; what it keeps ends sooner, at document_end. */
static inline size_t document_need(struct document_size measure)
{
    return (size_t)measure.passages * sizeof(uint32_t) + 8 +
           (size_t)measure.words * (sizeof(struct term) + sizeof(struct occurrence));
}

/* Make the index of a text at `place`, which is aligned to 8 and has document_need bytes:
 *
 *   while made   passages | room for a term per word | one occurrence per word
 *   kept         passages | terms | postings
 *
 * A posting is half an occurrence and there are no more terms than words, so what is written never
 * passes what is still to be read. */
static inline void document_index(struct document *document, const uint8_t *text, uint32_t size,
                                  struct document_size measure, uint8_t *place)
{
    struct occurrence *items;
    uint32_t term = 0;

    *document = (struct document){.text = text, .size = size, .passages = (void *)place};
    place += ((size_t)measure.passages * sizeof(uint32_t) + 7) & ~(size_t)7;
    document->terms = (void *)place;
    items = (void *)(place + (size_t)measure.words * sizeof(struct term));
    occurrences_collect(document, items);
    occurrences_sort(items, document->length);
    document->postings_count = occurrences_join(items, document->length, &document->terms_count);
    document->postings = (void *)(document->terms + document->terms_count);
    for (uint32_t i = 0; i < document->postings_count; i++) {
        struct occurrence item = items[i];

        if (i == 0 || term == 0 || document->terms[term - 1].hash != item.hash)
            document->terms[term++] = (struct term){.hash = item.hash, .first = i};
        document->postings[i] = (struct posting){item.passage, item.count};
    }
}

/* The first byte after all that the index keeps. */
static inline uint8_t *document_end(const struct document *document)
{
    return (uint8_t *)(document->postings + document->postings_count);
}
