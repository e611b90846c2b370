#include "tools/librarian-check/collection.h"

#include "examples/librarian/indexing.h"
#include "examples/librarian/print.h"
#include "examples/librarian/rank.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_BYTES_MAX 65536

struct checked { /* One document. */
    char *key;
    uint8_t *text, *index;
    struct document document;
};

struct collection_check {
    struct checked *documents;
    size_t count, capacity;
    struct collection collection;
    uint32_t *hashes; /* Of all words of all documents, each once a document, sorted when needed. */
    size_t hashes_count, hashes_capacity;
    bool is_sorted;
};

struct collection_check *collection_check_new(void)
{
    return calloc(1, sizeof(struct collection_check));
}

static void checked_done(struct checked *checked)
{
    free(checked->key);
    free(checked->text);
    free(checked->index);
}

void collection_check_free(struct collection_check *check)
{
    if (check == NULL)
        return;
    for (size_t i = 0; i < check->count; i++)
        checked_done(&check->documents[i]);
    free(check->documents);
    free(check->hashes);
    free(check);
}

size_t collection_check_count(const struct collection_check *check)
{
    return check->count;
}

/* Room for `more` items behind `count`; false when memory is out. */
static bool reserve(void **items, size_t item_size, size_t count, size_t more, size_t *capacity)
{
    size_t wanted = *capacity == 0 ? 1024 : *capacity;
    void *longer;

    while (wanted < count + more)
        wanted *= 2;
    if (wanted == *capacity)
        return true;
    longer = realloc(*items, wanted * item_size);
    if (longer == NULL)
        return false;
    *items = longer;
    *capacity = wanted;
    return true;
}

static bool add_hashes(struct collection_check *check, const struct document *document)
{
    if (!reserve((void **)&check->hashes, sizeof *check->hashes, check->hashes_count,
                 document->terms_count, &check->hashes_capacity))
        return false;
    for (uint32_t i = 0; i < document->terms_count; i++)
        check->hashes[check->hashes_count++] = document->terms[i].hash;
    check->is_sorted = false;
    return true;
}

bool collection_check_add(struct collection_check *check, const char *key, struct sw_bytes text)
{
    struct checked checked = {0};
    struct document_size measure = document_measure(text.data, (uint32_t)text.size);

    if (!reserve((void **)&check->documents, sizeof *check->documents, check->count, 1,
                 &check->capacity))
        return false;
    checked.key = strdup(key);
    checked.text = malloc(text.size + 1);
    checked.index = malloc(document_need(measure));
    if (checked.key == NULL || checked.text == NULL || checked.index == NULL) {
        checked_done(&checked);
        return false;
    }
    if (text.size > 0)
        (void)memcpy(checked.text, text.data, text.size);
    document_index(&checked.document, checked.text, (uint32_t)text.size, measure, checked.index);
    if (!add_hashes(check, &checked.document)) {
        checked_done(&checked);
        return false;
    }
    check->documents[check->count++] = checked;
    check->collection.documents++;
    check->collection.length += checked.document.length;
    return true;
}

static int compare(const void *one, const void *other)
{
    uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;

    return (a > b) - (a < b);
}

/* How many hashes are less than this one. */
static size_t count_below(const struct collection_check *check, uint64_t hash)
{
    size_t low = 0, high = check->hashes_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (check->hashes[middle] < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uint32_t find_frequency(const void *ctx, uint32_t hash)
{
    return (uint32_t)(count_below(ctx, (uint64_t)hash + 1) - count_below(ctx, hash));
}

static uint32_t rank(const struct collection_check *check, const struct question *question,
                     double *scores, struct results *results)
{
    uint32_t matched = 0;

    for (size_t i = 0; i < check->count; i++) {
        const struct checked *checked = &check->documents[i];
        struct score score = document_score(&checked->document, question, scores);
        struct result result = {.score = score.value,
                                .source_size = (uint32_t)strlen(checked->key)};

        if (score.value <= 0.0)
            continue;
        matched++;
        (void)memcpy(result.source, checked->key, result.source_size);
        result.passage_size = document_passage(&checked->document, score.passage, result.passage);
        results_put(results, &result);
    }
    return matched;
}

static void print_answer(struct sw_buffer *out, const struct collection_check *check,
                         uint32_t matched, const struct results *results)
{
    static uint8_t text[ANSWER_BYTES_MAX];
    struct print print = {.text = text, .size_max = sizeof text};

    sw_buffer_print(out, "{\"documents\":%zu,\"answered\":%zu,\"matched\":%u,\"results\":[",
                    check->count, check->count, matched);
    for (uint32_t i = 0; i < results->count; i++) {
        const struct result *result = &results->items[i];

        PRINT(&print, "{\"source\":");
        print_json(&print, result->source, result->source_size);
        PRINT(&print, ",\"score\":");
        print_decimal(&print, result->score, 6);
        PRINT(&print, ",\"passage\":");
        print_json(&print, result->passage, result->passage_size);
        PRINT(&print, "}");
        if (i + 1 < results->count)
            PRINT(&print, ",");
    }
    sw_buffer_put(out, text, print.size);
    sw_buffer_put_text(out, "]}\n");
}

bool collection_check_ask(struct collection_check *check, const char *question, unsigned limit,
                          struct sw_buffer *out)
{
    struct results results = {.limit = limit < RESULTS_MAX ? limit : RESULTS_MAX};
    double *scores = malloc(sizeof *scores * DOCUMENT_BYTES_MAX / PASSAGE_WORDS_MIN);
    struct question terms;
    uint32_t matched = 0;

    if (scores == NULL)
        return false;
    if (!check->is_sorted && check->hashes_count > 0)
        qsort(check->hashes, check->hashes_count, sizeof *check->hashes, compare);
    check->is_sorted = true;
    question_read(&terms, (const uint8_t *)question, (uint32_t)strlen(question), &check->collection,
                  find_frequency, check);
    if (terms.terms_count > 0)
        matched = rank(check, &terms, scores, &results);
    print_answer(out, check, matched, &results);
    free(scores);
    return sw_buffer_check(out) == SW_OK;
}
