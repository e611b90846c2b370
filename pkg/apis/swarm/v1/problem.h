/* A bounded list of mistakes in what somebody wrote, so that all can be told at once.
 *
 * Threads: one at a time.  I/O: none.  Limits: SW_PROBLEMS_MAX kept; further ones are counted. */
#pragma once
#include "pkg/utils/base/arena.h"
#include "pkg/utils/base/buffer.h"

#define SW_PROBLEMS_MAX 100

struct sw_problem {        /* Texts live in the list's arena and are never NULL. */
    const char *file;      /* Name of the manifest, or "". */
    unsigned line, column; /* From 1; 0: not known. */
    const char *field;     /* Path such as "spec.limits.memory", or "". */
    const char *message;   /* What is wrong and what was expected. */
    const char *hint;      /* What to do about it, or "". */
};

struct sw_problems {
    struct sw_arena *arena; /* Borrowed. */
    struct sw_problem *items;
    size_t count;   /* Kept. */
    size_t dropped; /* Not kept, because there were too many. */
};

/* An empty list whose texts will live in the arena. */
struct sw_problems sw_problems_of(struct sw_arena *arena);
/* Add one; its texts are copied. */
void sw_problems_add(struct sw_problems *problems, const struct sw_problem *problem);
/* True when nothing was added. */
bool sw_problems_is_empty(const struct sw_problems *problems);
/* SW_OK when the list is empty; otherwise SW_E_INVALID with the words, field and hint of the first
 * problem and how many more there are. */
SW_MUST_CHECK enum sw_rc sw_problems_check(const struct sw_problems *problems, struct sw_err *err);
/* One line: "file:line:column: field: message; hint", leaving out what is not known. */
void sw_problem_print(const struct sw_problem *problem, struct sw_buffer *out);
