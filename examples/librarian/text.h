/* Words of a text: what counts as one, how it is normalised, and its 32-bit hash.
 *
 * A word is a run of ASCII letters, digits and bytes of other scripts, two bytes at least. Letters
 * are compared without case and without the commonest English endings, so that "fixes" finds
 * "fixed". Everything in the librarian's headers needs no library: the same lines run inside the
 * agents and in the native program that checks them. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define WORD_BYTES_MIN 2

struct words { /* A text and how far it has been read. Start with at = 0. */
    const uint8_t *text;
    uint32_t size, at;
};

struct word {
    uint32_t start, end; /* Offsets of the word in the text. */
    uint32_t hash;       /* Of its normal form; never 0. */
};

static inline bool byte_is_letter(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static inline bool byte_is_word(uint8_t byte)
{
    return byte_is_letter(byte) || (byte >= '0' && byte <= '9') || byte >= 0x80;
}

static inline uint8_t byte_lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + 32) : byte;
}

/* Does the word of this size end in `end` (lower case), with `rest` bytes at least before it? */
static inline bool word_has_ending(const uint8_t *word, uint32_t size, const char *end,
                                   uint32_t end_size, uint32_t rest)
{
    if (size < end_size + rest)
        return false;
    for (uint32_t i = 0; i < end_size; i++)
        if (byte_lower(word[size - end_size + i]) != (uint8_t)end[i])
            return false;
    return true;
}

/* How much of a word is compared: without "ing", "ed", "es" after a hiss, or "s". */
static inline uint32_t word_stem_size(const uint8_t *word, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++)
        if (!byte_is_letter(word[i]))
            return size;
    if (word_has_ending(word, size, "ing", 3, 3))
        return size - 3;
    if (word_has_ending(word, size, "ed", 2, 3))
        return size - 2;
    if (word_has_ending(word, size, "xes", 3, 2) || word_has_ending(word, size, "ses", 3, 2) ||
        word_has_ending(word, size, "ches", 4, 2) || word_has_ending(word, size, "shes", 4, 2))
        return size - 2;
    if (word_has_ending(word, size, "s", 1, 3) && !word_has_ending(word, size, "ss", 2, 0) &&
        !word_has_ending(word, size, "us", 2, 0) && !word_has_ending(word, size, "is", 2, 0))
        return size - 1;
    return size;
}

/* FNV-1a and the finisher of MurmurHash3, so that close words are far apart. */
static inline uint32_t word_hash(const uint8_t *word, uint32_t size)
{
    uint32_t hash = 2166136261u;

    for (uint32_t i = 0; i < size; i++)
        hash = (hash ^ byte_lower(word[i])) * 16777619u;
    hash = (hash ^ (hash >> 16)) * 0x85ebca6bu;
    hash = (hash ^ (hash >> 13)) * 0xc2b2ae35u;
    hash ^= hash >> 16;
    return hash == 0 ? 1 : hash;
}

/* The next word; false at the end. */
static inline bool words_next(struct words *words, struct word *ret_word)
{
    for (;;) {
        uint32_t start, at = words->at;

        while (at < words->size && !byte_is_word(words->text[at]))
            at++;
        start = at;
        while (at < words->size && byte_is_word(words->text[at]))
            at++;
        words->at = at;
        if (at == start)
            return false;
        if (at - start < WORD_BYTES_MIN)
            continue;
        ret_word->start = start;
        ret_word->end = at;
        ret_word->hash =
            word_hash(words->text + start, word_stem_size(words->text + start, at - start));
        return true;
    }
}

/* Bytes of the UTF-8 character at text, 0 when it is none. */
static inline uint32_t utf8_size(const uint8_t *text, uint32_t size)
{
    uint32_t length = text[0] < 0x80   ? 1
                      : text[0] < 0xc2 ? 0
                      : text[0] < 0xe0 ? 2
                      : text[0] < 0xf0 ? 3
                      : text[0] < 0xf5 ? 4
                                       : 0;

    if (length == 0 || length > size)
        return 0;
    for (uint32_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
        (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
        return 0;
    return length;
}

/* Copy text for people: runs of spaces and control characters become one space, bytes that are no
 * UTF-8 become '?', and what does not fit in size_max bytes is left out. Returns the size. */
static inline uint32_t text_clean(const uint8_t *text, uint32_t size, uint8_t *ret_text,
                                  uint32_t size_max)
{
    uint32_t at = 0, used = 0;
    bool has_gap = false;

    while (at < size) {
        uint32_t length = utf8_size(text + at, size - at);

        if (text[at] <= ' ' || text[at] == 0x7f) {
            has_gap = used > 0;
            at++;
            continue;
        }
        if (used + has_gap + (length == 0 ? 1 : length) > size_max)
            break;
        if (has_gap)
            ret_text[used++] = ' ';
        has_gap = false;
        if (length == 0) {
            ret_text[used++] = '?';
            at++;
            continue;
        }
        for (; length > 0; length--)
            ret_text[used++] = text[at++];
    }
    return used;
}
