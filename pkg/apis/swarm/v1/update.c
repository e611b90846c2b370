#include "pkg/apis/swarm/v1/fields.h"
#include "pkg/apis/swarm/v1/rules.h"
#include "pkg/apis/swarm/v1/validate.h"

#include <assert.h>
#include <stdio.h>

/* The field alone, of two values: through a table of this one field. */
static bool field_differs(const struct sw_api_field *field, const struct sw_api_message *message,
                          const void *one, const void *other)
{
    struct sw_api_message only = *message;

    only.fields = field;
    only.field_count = 1;
    return !sw_api_is_equal(&only, one, other);
}

static void check_update(struct sw_checker *checker, const struct sw_api_message *message,
                         const struct sw_place *place, const void *old_value, const void *new_value)
{
    for (unsigned i = 0; i < message->field_count; i++) {
        const struct sw_api_field *field = &message->fields[i];
        struct sw_place inner = {.parent = place, .name = field->name};
        if (field->flags & (SW_API_OUTPUT | SW_API_PARTIAL))
            continue;
        if (field->flags & SW_API_IMMUTABLE) {
            if (field_differs(field, message, old_value, new_value))
                sw_checker_refuse(checker, &inner, "delete the object and make it anew",
                                  "it never changes after the first write");
        } else if (field->type == SW_API_TYPE_MESSAGE && !sw_field_is_many(field)) {
            check_update(checker, field->message, &inner, sw_field_at(field, old_value),
                         sw_field_at(field, new_value));
        }
    }
}

enum sw_rc sw_object_check_update(const struct sw_kind *kind, const void *old_object,
                                  const void *new_object, const struct sw_validate_options *options)
{
    struct sw_checker checker = {.problems = options->problems,
                                 .tree = options->tree,
                                 .file = options->file,
                                 .flags = options->flags};

    check_update(&checker, kind->message, NULL, old_object, new_object);
    return checker.has_bad ? SW_E_INVALID : SW_OK;
}

static bool move_is_legal(const struct sw_api_enum *machine, int from, int to)
{
    const struct sw_api_enum_value *value = sw_api_enum_at(machine, from == 0 ? to : from);

    if (from == to)
        return from == 0 || value != NULL;
    if (value == NULL)
        return false;
    if (from == 0)
        return value->is_initial;
    for (unsigned i = 0; i < value->next_count; i++)
        if (value->next[i] == to)
            return true;
    return false;
}

/* The states that may follow, for the hint: "Ready, Failed" or "nothing". */
static void print_legal(const struct sw_api_enum *machine, int from, char *ret_text, size_t size)
{
    size_t used = 0;

    ret_text[0] = '\0';
    for (unsigned i = 0; i < machine->value_count; i++) {
        const struct sw_api_enum_value *value = &machine->values[i];
        if (value->number == from || !move_is_legal(machine, from, value->number))
            continue;
        int length =
            snprintf(ret_text + used, size - used, "%s%s", used > 0 ? ", " : "", value->text);
        used += length > 0 && (size_t)length < size - used ? (size_t)length : 0;
    }
    if (used == 0)
        (void)snprintf(ret_text, size, "nothing");
}

enum sw_rc sw_enum_check_move(const struct sw_api_enum *machine, int from, int to,
                              struct sw_err *err)
{
    char legal[SW_ERR_HINT_MAX / 2];
    const char *before = sw_api_enum_text(machine, from), *after = sw_api_enum_text(machine, to);

    assert(machine->is_state_machine);
    if (move_is_legal(machine, from, to))
        return SW_OK;
    print_legal(machine, from, legal, sizeof(legal));
    sw_err_set(err, SW_E_PRECONDITION, "%s: no move from %s to %s", machine->name,
               from == 0 ? "nothing" : before, to == 0 ? "nothing" : after);
    sw_err_hint(err, "what may follow: %s", legal);
    return SW_E_PRECONDITION;
}

static enum sw_rc check_moves(const struct sw_api_message *message, const struct sw_place *place,
                              const void *old_value, const void *new_value, struct sw_err *err)
{
    enum sw_rc rc = SW_OK;

    for (unsigned i = 0; i < message->field_count && rc == SW_OK; i++) {
        const struct sw_api_field *field = &message->fields[i];
        struct sw_place inner = {.parent = place, .name = field->name};
        const void *old_at = old_value == NULL ? NULL : sw_field_at(field, old_value);
        const void *new_at = sw_field_at(field, new_value);
        if (sw_field_is_many(field))
            continue;
        if (field->type == SW_API_TYPE_MESSAGE) {
            rc = check_moves(field->message, &inner, old_at, new_at, err);
        } else if (field->type == SW_API_TYPE_ENUM && field->enumeration->is_state_machine) {
            int from = old_at == NULL ? 0 : (int)sw_field_integer(field, old_at);
            int to = (int)sw_field_integer(field, new_at);
            rc = sw_enum_check_move(field->enumeration, from, to, err);
            if (rc != SW_OK)
                sw_err_field(err, "%s.%s", place == NULL ? "" : place->name, field->name);
        }
    }
    return rc;
}

enum sw_rc sw_object_check_moves(const struct sw_kind *kind, const void *old_object,
                                 const void *new_object, struct sw_err *err)
{
    return check_moves(kind->message, NULL, old_object, new_object, err);
}
