/* How objects are shown: -o table|wide|json|yaml|name|jsonpath=TEMPLATE, and plain tables.
 *
 * Columns come from the generated tables of pkg/apis/swarm/v1. Control characters in what a server
 * sends are replaced, so that nothing can steer the terminal.
 * Threads: pure functions.  I/O: none; text is appended to a buffer. */
#pragma once
#include "pkg/apis/swarm/v1/object.h"

enum sw_output_format {
    SW_OUTPUT_TABLE,
    SW_OUTPUT_WIDE,
    SW_OUTPUT_JSON,
    SW_OUTPUT_YAML,
    SW_OUTPUT_NAME,
    SW_OUTPUT_JSONPATH
};

#define SW_OUTPUT_COLUMNS_MAX 32

/* Widths that the tables of one watch share, so that rows printed one by one line up. */
struct sw_output_widths {
    size_t columns[SW_OUTPUT_COLUMNS_MAX]; /* In characters; start with zeros. */
};

struct sw_output {
    enum sw_output_format format;
    const char *template; /* Of JSONPATH; borrowed from the text that was parsed. */
    bool with_namespace;  /* Tables: a first column that says it. */
    bool without_header;
    uint64_t now_ns;                 /* UTC, for ages. */
    struct sw_output_widths *widths; /* Kept from table to table; NULL: each for itself. */
};

/* Read what stands after -o; NULL means table. Only format and template are set.
 * SW_E_INVALID: no such format; the hint has the nearest. */
SW_MUST_CHECK enum sw_rc sw_output_parse(const char *text, struct sw_output *ret_output,
                                         struct sw_err *err);

struct sw_output_list { /* What to show; borrowed. */
    const struct sw_kind *kind;
    void *const *items;
    size_t count;
    uint64_t resource_version; /* Of a list; 0: not known. */
    bool is_single;            /* JSON: the object itself, not a list of one. */
};
/* Append all of it.  SW_E_INVALID: the jsonpath template cannot be used. */
SW_MUST_CHECK enum sw_rc sw_output_objects(const struct sw_output *output,
                                           const struct sw_output_list *list, struct sw_buffer *out,
                                           struct sw_err *err);

/* A table of texts whose columns line up; the last column is not padded. */
struct sw_table;                               /* Opaque. */
struct sw_table *sw_table_new(size_t columns); /* NULL: no memory. */
void sw_table_free(struct sw_table *table);
SW_DEFINE_CLEANUP(struct sw_table, sw_table_free)
/* Add the next cell, row by row; the text is copied with control characters replaced. */
void sw_table_add(struct sw_table *table, const char *text);
/* As sw_table_add, formatted, cut at 1 KiB. */
void sw_table_print(struct sw_table *table, const char *format, ...) SW_PRINTF(2, 3);
/* As sw_table_add, of a text of more than size_max (4 to 1,023) bytes only whole characters of its
 * beginning and "...", in at most size_max bytes. */
void sw_table_add_cut(struct sw_table *table, const char *text, size_t size_max);
/* Make columns at least as wide as widths says, and note there how wide they have become. Call it
 * when all cells are in, before sw_table_put. */
void sw_table_share_widths(struct sw_table *table, struct sw_output_widths *widths);
/* Append all rows.  SW_E_EXHAUSTED: memory was out at some cell. */
SW_MUST_CHECK enum sw_rc sw_table_put(const struct sw_table *table, struct sw_buffer *out);

/* Append text with control characters (but newline and tab, if told so) and bytes that are no UTF-8
 * replaced by '?'. */
void sw_output_put_safe(struct sw_buffer *out, const char *text, size_t size, bool with_lines);
/* How long ago time_ns (UTC) was, as ages in tables; "-" for 0. */
void sw_output_put_age(struct sw_buffer *out, uint64_t time_ns, uint64_t now_ns);
