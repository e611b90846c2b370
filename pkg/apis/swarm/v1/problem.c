#include "pkg/apis/swarm/v1/problem.h"

#include <string.h>

struct sw_problems sw_problems_of(struct sw_arena *arena)
{
    return (struct sw_problems){.arena = arena};
}

static const char *copy_of(struct sw_arena *arena, const char *text)
{
    char *copy = text == NULL ? NULL : sw_arena_copy(arena, text, strlen(text));

    if (copy == NULL)
        return "";
    sw_utf8_mend(copy);
    return copy;
}

void sw_problems_add(struct sw_problems *problems, const struct sw_problem *problem)
{
    if (problems->items == NULL)
        problems->items =
            sw_arena_array(problems->arena, SW_PROBLEMS_MAX, sizeof(*problems->items));
    if (problems->items == NULL || problems->count == SW_PROBLEMS_MAX) {
        problems->dropped++;
        return;
    }
    problems->items[problems->count++] = (struct sw_problem){
        .file = copy_of(problems->arena, problem->file),
        .line = problem->line,
        .column = problem->column,
        .field = copy_of(problems->arena, problem->field),
        .message = copy_of(problems->arena, problem->message),
        .hint = copy_of(problems->arena, problem->hint),
    };
}

bool sw_problems_is_empty(const struct sw_problems *problems)
{
    return problems->count == 0 && problems->dropped == 0;
}

enum sw_rc sw_problems_check(const struct sw_problems *problems, struct sw_err *err)
{
    size_t others = problems->count + problems->dropped;

    if (others == 0)
        return SW_OK;
    if (problems->count == 0)
        return sw_err_set(err, SW_E_INVALID, "%zu mistakes, and no memory to tell them", others);
    const struct sw_problem *first = &problems->items[0];
    if (others == 1)
        sw_err_set(err, SW_E_INVALID, "%s", first->message);
    else
        sw_err_set(err, SW_E_INVALID, "%s (and %zu more)", first->message, others - 1);
    sw_err_field(err, "%s", first->field);
    sw_err_hint(err, "%s", first->hint);
    return SW_E_INVALID;
}

void sw_problem_print(const struct sw_problem *problem, struct sw_buffer *out)
{
    if (problem->file[0] != '\0')
        sw_buffer_print(out, "%s:", problem->file);
    if (problem->line > 0)
        sw_buffer_print(out, "%u:%u:", problem->line, problem->column);
    if (out->size > 0 && out->data[out->size - 1] == ':')
        sw_buffer_put_text(out, " ");
    if (problem->field[0] != '\0')
        sw_buffer_print(out, "%s: ", problem->field);
    sw_buffer_put_text(out, problem->message);
    if (problem->hint[0] != '\0')
        sw_buffer_print(out, "; %s", problem->hint);
}
