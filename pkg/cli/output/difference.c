#include "pkg/cli/output/difference.h"

#include <stdlib.h>
#include <string.h>

#define LINES_MAX 4000
#define CONTEXT_LINES 3

struct line {
    const char *text;
    size_t size; /* Without its newline. */
};

struct edit {
    char mark; /* ' ', '-' or '+'. */
    struct line line;
};

struct lines {
    struct line *items;
    size_t count;
};

static bool split(const char *text, struct lines *ret_lines)
{
    struct line *items = calloc(LINES_MAX, sizeof *items);
    size_t count = 0;

    if (items == NULL)
        return false;
    while (*text != '\0' && count < LINES_MAX) {
        size_t size = strcspn(text, "\n");

        items[count++] = (struct line){text, size};
        text += size + (text[size] == '\n');
    }
    *ret_lines = (struct lines){items, count};
    return true;
}

static bool is_equal(struct line one, struct line other)
{
    return one.size == other.size && memcmp(one.text, other.text, one.size) == 0;
}

/* lengths[i][j] is that of the longest common subsequence of the lines from i and from j on. */
static uint16_t *common_lengths(const struct lines *old, const struct lines *new)
{
    size_t width = new->count + 1;
    uint16_t *lengths = calloc((old->count + 1) * width, sizeof *lengths);

    for (size_t i = old->count; lengths != NULL && i-- > 0;) {
        for (size_t j = new->count; j-- > 0;) {
            uint16_t down = lengths[(i + 1) * width + j], right = lengths[i * width + j + 1];

            if (is_equal(old->items[i], new->items[j]))
                lengths[i * width + j] = (uint16_t)(lengths[(i + 1) * width + j + 1] + 1);
            else
                lengths[i * width + j] = down > right ? down : right;
        }
    }
    return lengths;
}

static size_t walk(const struct lines *old, const struct lines *new, const uint16_t *lengths,
                   struct edit *edits)
{
    size_t width = new->count + 1, i = 0, j = 0, count = 0;

    while (i < old->count || j < new->count) {
        if (i < old->count && j < new->count &&is_equal(old->items[i], new->items[j])) {
            edits[count++] = (struct edit){' ', old->items[i++]};
            j++;
        } else if (j == new->count ||
                   (i < old->count && lengths[(i + 1) * width + j] >= lengths[i * width + j + 1])) {
            edits[count++] = (struct edit){'-', old->items[i++]};
        } else {
            edits[count++] = (struct edit){'+', new->items[j++]};
        }
    }
    return count;
}

static bool is_near_change(const struct edit *edits, size_t count, size_t at)
{
    size_t first = at < CONTEXT_LINES ? 0 : at - CONTEXT_LINES;
    size_t last = at + CONTEXT_LINES >= count ? count - 1 : at + CONTEXT_LINES;

    for (size_t i = first; i <= last; i++) {
        if (edits[i].mark != ' ')
            return true;
    }
    return false;
}

static bool put_edits(const struct edit *edits, size_t count, struct sw_buffer *out)
{
    bool any = false, was_cut = false;

    for (size_t i = 0; i < count; i++) {
        any = any || edits[i].mark != ' ';
        if (!is_near_change(edits, count, i)) {
            was_cut = true;
            continue;
        }
        if (was_cut)
            sw_buffer_put_text(out, "@@\n");
        was_cut = false;
        sw_buffer_print(out, "%c%.*s\n", edits[i].mark, (int)edits[i].line.size,
                        edits[i].line.text);
    }
    return any;
}

enum sw_rc sw_difference_put(const char *old_text, const char *new_text, struct sw_buffer *out,
                             bool *ret_differs)
{
    struct lines old = {0}, new = {0};
    struct edit *edits = NULL;
    uint16_t *lengths = NULL;
    enum sw_rc rc = SW_E_EXHAUSTED;

    if (split(old_text, &old) && split(new_text, &new)) {
        lengths = common_lengths(&old, &new);
        edits = calloc(old.count + new.count + 1, sizeof *edits);
    }
    if (lengths != NULL && edits != NULL) {
        *ret_differs = put_edits(edits, walk(&old, &new, lengths, edits), out);
        rc = sw_buffer_check(out);
    }
    free(lengths);
    free(edits);
    free(old.items);
    free(new.items);
    return rc;
}
