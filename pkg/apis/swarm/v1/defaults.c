#include "pkg/apis/swarm/v1/fields.h"
#include "pkg/apis/swarm/v1/rules.h"
#include "pkg/apis/swarm/v1/validate.h"
#include "pkg/utils/base/text.h"

#include <assert.h>

/* Default texts are written in api/v1 and checked by a test, so one that cannot be read is our bug.
 */
static void set_default(const struct sw_api_field *field, void *value)
{
    void *at = sw_field_in(field, value);
    uint64_t number = 0;
    enum sw_rc rc = SW_OK;

    if (field->type == SW_API_TYPE_STRING) {
        sw_field_set_text(at, field->default_text);
        return;
    }
    if (field->type == SW_API_TYPE_ENUM) {
        const struct sw_api_enum_value *found =
            sw_api_enum_find(field->enumeration, field->default_text);
        assert(found != NULL);
        number = (uint64_t)found->number;
    } else if (field->type == SW_API_TYPE_BOOL) {
        number = field->default_text[0] == 't';
    } else {
        rc = sw_text_to_u64(field->default_text, &number);
    }
    assert(rc == SW_OK);
    sw_field_set_integer(field, at, number);
    sw_field_set_has(field, value);
}

static void apply_inside(const struct sw_api_field *field, void *value)
{
    if (!sw_field_is_many(field)) {
        sw_api_apply_defaults(field->message, sw_field_in(field, value));
        return;
    }
    char *items = sw_field_items(field, value);
    for (size_t i = 0; i < sw_field_count(field, value); i++)
        sw_api_apply_defaults(field->message, items + i * field->message->size_bytes);
}

void sw_api_apply_defaults(const struct sw_api_message *message, void *value)
{
    for (unsigned i = 0; i < message->field_count; i++) {
        const struct sw_api_field *field = &message->fields[i];
        if (field->flags & SW_API_PARTIAL)
            continue;
        if (field->type == SW_API_TYPE_MESSAGE)
            apply_inside(field, value);
        else if (field->default_text[0] != '\0' && !sw_field_is_set(field, value))
            set_default(field, value);
    }
    sw_rules_after_defaults(message, value);
}

void sw_object_apply_defaults(const struct sw_kind *kind, void *object)
{
    sw_api_apply_defaults(kind->message, object);
}
