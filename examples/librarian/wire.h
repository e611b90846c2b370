/* What readers and the librarian say to each other: little-endian structs and their content types.
 *
 *   reader --NEW, ADD, REMOVE--> librarian         its words, when its document comes or changes
 *   librarian --question--> every reader           over a subject
 *   reader --bid--> librarian                      one for each question
 *   librarian --recount--> every reader            over a subject: tell me your words again
 */
#pragma once
#include "rank.h"

#define LIBRARIAN "librarian" /* The Agent that readers report to. */
#define SUBJECT_QUESTION "librarian.question"
#define SUBJECT_RECOUNT "librarian.recount"
#define TYPE_WORDS "application/vnd.librarian.words"
#define TYPE_QUESTION "application/vnd.librarian.question"
#define TYPE_BID "application/vnd.librarian.bid"
#define TYPE_TEXT "text/plain; charset=utf-8"

/* A literal as the two arguments that texts are given as. */
#define TEXT(literal) "" literal, (uint32_t)(sizeof(literal) - 1)

enum words_kind {
    WORDS_NEW = 1, /* I have just begun and hold nothing, whatever you know of me. */
    WORDS_ADD,     /* These are all words of my document. */
    WORDS_REMOVE   /* These words of mine are gone. */
};

struct words_message { /* Then `count` hashes of 32 bits, rising. */
    uint32_t kind;     /* enum words_kind. */
    uint32_t length;   /* Of the document, in words. */
    uint32_t count;
};

struct question_message {
    uint64_t id;
    struct question question;
};

struct bid_message { /* Then the passage. */
    uint64_t id;     /* Of the question. */
    double score;    /* 0: nothing to say; then there is no passage. */
    uint32_t passage_size;
    uint32_t reserved; /* 0. */
};

static inline bool bytes_are_equal(const void *one, const void *other, uint32_t size)
{
    const uint8_t *a = one, *b = other;

    for (uint32_t i = 0; i < size; i++)
        if (a[i] != b[i])
            return false;
    return true;
}

static inline bool type_is(const char *type, uint32_t type_size, const char *expected,
                           uint32_t expected_size)
{
    return type_size == expected_size && bytes_are_equal(type, expected, type_size);
}
