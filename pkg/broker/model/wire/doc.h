/* A JSON document (RFC 8259) as places in its own bytes: read once, nothing is copied or converted.
 *
 *     {"model": "m", "n": [1, {}]}      [0] object  [1] "m"  [2] array  [3] 1  [4] object
 *
 * A value is named by its number in the order in which values begin; 0 is the whole, and so also
 * "there is none". The values inside of it are those up to `next`. Texts stay as they are written,
 * escapes included, so what goes from one document to another is copied byte by byte.
 * Stricter than JSON: no U+0000, no half of a surrogate pair, no depth beyond the limit.
 * For this room and pkg/broker/transcript.  Threads: one at a time.  I/O: none.  Limits: wire.h. */
#pragma once
#include "pkg/utils/base/buffer.h"

enum sw_wire_kind {
    SW_WIRE_NULL,
    SW_WIRE_FALSE,
    SW_WIRE_TRUE,
    SW_WIRE_NUMBER,
    SW_WIRE_STRING,
    SW_WIRE_ARRAY,
    SW_WIRE_OBJECT
};

struct sw_wire_text { /* Borrowed: the inside of a JSON string as it is written, or any JSON. */
    const char *at;
    size_t size;
};
#define SW_WIRE_TEXT(literal) ((struct sw_wire_text){(literal), sizeof(literal) - 1})

struct sw_wire_node {
    uint32_t start, end;   /* Of its bytes; of a string without the quotes. */
    uint32_t key, key_end; /* Of the name that it has in its object, without the quotes. */
    uint32_t next;         /* The number of the first value after it that is not inside of it. */
    uint32_t count;        /* How many values are directly in it. */
    uint8_t kind;          /* enum sw_wire_kind */
    bool is_escaped;       /* Of a string: it has a backslash. */
    bool is_key_escaped;
    bool is_member; /* It has a name. */
};

struct sw_wire_doc {
    const char *text; /* Borrowed. */
    uint32_t size;
    uint32_t count, capacity;
    struct sw_wire_node *nodes; /* Owned. */
};

struct sw_wire_doc_options {
    enum sw_rc code;    /* Of what is wrong: SW_E_INVALID of clients, SW_E_CORRUPT of upstreams. */
    uint32_t level_max; /* Values deeper than that are checked but not kept; 0: all are. */
    size_t size_max;
    const char *what; /* For words: "the request". */
};

/* Read text, which is borrowed for as long as the document is used. A document that was read
 * before may be read into again: it keeps its memory. Start with {0}, end with done.
 * options->code: not JSON, or not strict enough; SW_E_EXHAUSTED: a limit, or no memory. */
SW_MUST_CHECK enum sw_rc sw_wire_doc_read(struct sw_wire_doc *doc, struct sw_bytes text,
                                          const struct sw_wire_doc_options *options,
                                          struct sw_err *err);
/* Let go of memory that a document has beyond what was read. */
void sw_wire_doc_trim(struct sw_wire_doc *doc);
void sw_wire_doc_done(struct sw_wire_doc *doc);

/* Walk: for (uint32_t i = first(doc, in); i != 0; i = next(doc, in, i)). */
static inline uint32_t sw_wire_first(const struct sw_wire_doc *doc, uint32_t in)
{
    return doc->nodes[in].count > 0 && in + 1 < doc->nodes[in].next ? in + 1 : 0;
}
static inline uint32_t sw_wire_next(const struct sw_wire_doc *doc, uint32_t in, uint32_t at)
{
    return doc->nodes[at].next < doc->nodes[in].next ? doc->nodes[at].next : 0;
}
static inline enum sw_wire_kind sw_wire_kind_of(const struct sw_wire_doc *doc, uint32_t at)
{
    return (enum sw_wire_kind)doc->nodes[at].kind;
}
/* Its text: of a string between the quotes, of others all of it. */
static inline struct sw_wire_text sw_wire_text_of(const struct sw_wire_doc *doc, uint32_t at)
{
    const struct sw_wire_node *node = &doc->nodes[at];

    return (struct sw_wire_text){doc->text + node->start, node->end - node->start};
}
/* Whether it is there (not 0) and a string. */
static inline bool sw_wire_is_string(const struct sw_wire_doc *doc, uint32_t at)
{
    return at != 0 && doc->nodes[at].kind == SW_WIRE_STRING;
}
/* Whether it is there and not null. */
static inline bool sw_wire_is_said(const struct sw_wire_doc *doc, uint32_t at)
{
    return at != 0 && doc->nodes[at].kind != SW_WIRE_NULL;
}

/* Whether a text that may have escapes means these ASCII words. */
bool sw_wire_means(struct sw_wire_text text, const char *words);
/* Whether it is a string that means these words. */
bool sw_wire_is(const struct sw_wire_doc *doc, uint32_t at, const char *words);
/* Which of the words it is, -1 if it is none of them or no string. */
int sw_wire_one_of(const struct sw_wire_doc *doc, uint32_t at, const char *const *words,
                   size_t count);
/* Whether a member has that name. */
bool sw_wire_is_named(const struct sw_wire_doc *doc, uint32_t at, const char *name);
/* The member of an object, the last of those of that name; 0: none, or no object. */
uint32_t sw_wire_find(const struct sw_wire_doc *doc, uint32_t object, const char *name);
/* The members of an object by a table of names; ret_at[i] is 0 where names[i] is not there.
 * *ret_unknown (may be NULL) is the first member with another name, 0 if there is none.
 * Returns the second member of a name of the table, which is an error, or 0. */
uint32_t sw_wire_bind(const struct sw_wire_doc *doc, uint32_t object, const char *const *names,
                      size_t count, uint32_t *ret_at, uint32_t *ret_unknown);
/* A whole number of 0 to max; false: it is something else. */
bool sw_wire_u64(const struct sw_wire_doc *doc, uint32_t at, uint64_t max, uint64_t *ret_value);
/* Any number, rounded; false: it is none, or beyond 1e15. */
bool sw_wire_number(const struct sw_wire_doc *doc, uint32_t at, double *ret_value);
/* Bytes of text in it that a model reads: of strings, names and numbers, without what JSON adds. */
uint64_t sw_wire_reading(const struct sw_wire_doc *doc, uint32_t at);
/* Bytes that the text of a string means. */
size_t sw_wire_meaning_bytes(struct sw_wire_text text);

/* Set words and code, with the path of a value such as messages[2].content as the field. */
enum sw_rc sw_wire_fail(const struct sw_wire_doc *doc, uint32_t at, struct sw_err *err,
                        enum sw_rc rc, const char *format, ...) SW_PRINTF(5, 6);

/* Append the text as it is. */
static inline void sw_wire_put(struct sw_buffer *out, struct sw_wire_text text)
{
    sw_buffer_put(out, text.at, text.size);
}
/* Append a string of the text as it is, with quotes. */
void sw_wire_put_string(struct sw_buffer *out, struct sw_wire_text text);
/* Append any bytes as the inside of a string: quotes, backslashes and controls escaped. What is
 * not UTF-8 becomes '?'. */
void sw_wire_put_escaped(struct sw_buffer *out, struct sw_wire_text bytes);
/* Append what the text of a string means, in UTF-8. */
void sw_wire_put_meaning(struct sw_buffer *out, struct sw_wire_text text);
/* Append JSON without the white space between its values. */
void sw_wire_put_dense(struct sw_buffer *out, struct sw_wire_text json);
