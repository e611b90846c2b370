#include "pkg/cli/output/output.h"
#include "pkg/apis/swarm/v1/path.h"
#include "pkg/utils/base/text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_BYTES_MAX ((size_t)1024 * 1024 * 1024)
#define CELL_BYTES_MAX 1024
#define GAP 3

struct sw_table {
    size_t columns, cells;
    size_t *widths;        /* In characters, per column. */
    struct sw_buffer text; /* Each cell, NUL-terminated. */
};

struct sw_table *sw_table_new(size_t columns)
{
    struct sw_table *table = calloc(1, sizeof *table);

    assert(columns > 0);
    if (table == NULL)
        return NULL;
    table->columns = columns;
    sw_buffer_init(&table->text, TABLE_BYTES_MAX);
    table->widths = calloc(columns, sizeof *table->widths);
    if (table->widths == NULL) {
        free(table);
        return NULL;
    }
    return table;
}

void sw_table_free(struct sw_table *table)
{
    if (table == NULL)
        return;
    sw_buffer_done(&table->text);
    free(table->widths);
    free(table);
}

/* Characters, not bytes: continuation bytes of UTF-8 take no room of their own. */
static size_t width_of(const char *text, size_t size)
{
    size_t width = 0;

    for (size_t i = 0; i < size; i++)
        width += ((unsigned char)text[i] & 0xc0) != 0x80;
    return width;
}

void sw_table_add(struct sw_table *table, const char *text)
{
    size_t begin = table->text.size;
    size_t width;

    sw_output_put_safe(&table->text, text, strlen(text), false);
    sw_buffer_put_u8(&table->text, 0);
    if (table->text.failed)
        return;
    width = width_of((const char *)table->text.data + begin, table->text.size - begin - 1);
    if (width > table->widths[table->cells % table->columns])
        table->widths[table->cells % table->columns] = width;
    table->cells++;
}

void sw_table_print(struct sw_table *table, const char *format, ...)
{
    char text[CELL_BYTES_MAX];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    sw_table_add(table, text);
}

void sw_table_add_cut(struct sw_table *table, const char *text, size_t size_max)
{
    static const char dots[] = "...";
    char cut[CELL_BYTES_MAX];

    assert(size_max >= sizeof dots && size_max < sizeof cut);
    if (strlen(text) <= size_max) {
        sw_table_add(table, text);
        return;
    }
    memcpy(cut, text, size_max + 1 - sizeof dots);
    cut[size_max + 1 - sizeof dots] = '\0';
    sw_text_mend_end(cut);
    strcat(cut, dots);
    sw_table_add(table, cut);
}

void sw_table_share_widths(struct sw_table *table, struct sw_output_widths *widths)
{
    assert(table->columns <= SW_OUTPUT_COLUMNS_MAX);
    for (size_t i = 0; i < table->columns; i++) {
        if (table->widths[i] < widths->columns[i])
            table->widths[i] = widths->columns[i];
        widths->columns[i] = table->widths[i];
    }
}

enum sw_rc sw_table_put(const struct sw_table *table, struct sw_buffer *out)
{
    const char *cell = (const char *)table->text.data;

    if (sw_buffer_check(&table->text) != SW_OK)
        return SW_E_EXHAUSTED;
    for (size_t i = 0; i < table->cells; i++) {
        size_t column = i % table->columns;
        size_t size = strlen(cell);
        size_t width = width_of(cell, size);

        sw_buffer_put(out, cell, size);
        if (column + 1 == table->columns)
            sw_buffer_put_text(out, "\n");
        else
            sw_buffer_print(out, "%*s", (int)(table->widths[column] - width + GAP), "");
        cell += size + 1;
    }
    return sw_buffer_check(out);
}

/* The size of the UTF-8 character at text, 0 when there is none. */
static size_t character_size(const char *text, size_t size)
{
    for (size_t length = 1; length <= 4 && length <= size; length++) {
        if (sw_text_is_utf8(text, length))
            return length;
    }
    return 0;
}

/* C0, DEL and the C1 controls, which a terminal may obey. */
static bool is_control(const char *text, size_t length)
{
    unsigned char first = (unsigned char)text[0];

    if (length == 1)
        return first < 0x20 || first == 0x7f;
    return length == 2 && first == 0xc2 && (unsigned char)text[1] < 0xa0;
}

void sw_output_put_safe(struct sw_buffer *out, const char *text, size_t size, bool with_lines)
{
    size_t at = 0;

    while (at < size) {
        size_t length = character_size(text + at, size - at);
        bool is_line = with_lines && (text[at] == '\n' || text[at] == '\t');

        if (length == 0 || (is_control(text + at, length) && !is_line))
            sw_buffer_put_u8(out, text[at] == '\n' || text[at] == '\t' ? ' ' : '?');
        else
            sw_buffer_put(out, text + at, length);
        at += length == 0 ? 1 : length;
    }
}

void sw_output_put_age(struct sw_buffer *out, uint64_t time_ns, uint64_t now_ns)
{
    if (time_ns == 0)
        sw_buffer_put_text(out, "-");
    else
        sw_age_print(now_ns > time_ns ? now_ns - time_ns : 0, out);
}
