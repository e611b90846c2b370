/* Field paths while walking down a value or a tree, and problems that name them. For the files of
 * this room only. A path is a chain on the stack, printed only when something is wrong.
 *
 * Threads: pure functions.  I/O: none. */
#pragma once
#include "pkg/apis/swarm/v1/tree.h"

struct sw_place {
    const struct sw_place *parent; /* NULL at the root. */
    const char *name;              /* Name of a field, or NULL. */
    const char *key;               /* Key of a map's entry, or NULL. */
    size_t index;                  /* Of an item, when name and key are NULL. */
};

/* Append the path: "spec.slots[2].count", "metadata.labels['app']". */
void sw_place_print(const struct sw_place *place, struct sw_buffer *out);

struct sw_complaint {
    const struct sw_place *place; /* NULL for the whole. */
    unsigned line, column;
    const char *file, *hint; /* May be NULL. */
};
/* Add a problem with these words. */
void sw_complain(struct sw_problems *problems, const struct sw_complaint *complaint,
                 const char *format, ...) SW_PRINTF(3, 4);
