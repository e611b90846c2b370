#include "pkg/apis/swarm/v1/validate.h"
#include "pkg/apis/swarm/v1/fields.h"
#include "pkg/apis/swarm/v1/rules.h"
#include "pkg/utils/base/text.h"

#include <inttypes.h>
#include <stdio.h>

#define PATH_BYTES_MAX 4096

void sw_checker_refuse(struct sw_checker *checker, const struct sw_place *place, const char *hint,
                       const char *format, ...)
{
    char words[SW_ERR_MESSAGE_MAX];
    const struct sw_tree *node = NULL;
    struct sw_buffer path;
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(words, sizeof(words), format, arguments);
    va_end(arguments);
    sw_buffer_init(&path, PATH_BYTES_MAX);
    sw_place_print(place, &path);
    sw_buffer_put_u8(&path, 0);
    if (sw_buffer_check(&path) == SW_OK)
        node = sw_tree_at(checker->tree, (char *)path.data);
    sw_buffer_done(&path);
    checker->has_bad = true;
    sw_complain(checker->problems,
                &(struct sw_complaint){.place = place,
                                       .line = node == NULL ? 0 : node->line,
                                       .column = node == NULL ? 0 : node->column,
                                       .file = checker->file,
                                       .hint = hint},
                "%s", words);
}

/* found: the number as it was written, or NULL. */
static void check_bounds(struct sw_checker *checker, const struct sw_api_field *field,
                         const struct sw_place *place, uint64_t number, const char *found)
{
    char digits[32];

    /* No field has a negative lower bound, so comparing without sign is right. */
    if ((field->flags & SW_API_BOUNDED) == 0 ||
        (number >= (uint64_t)field->min && number <= field->max))
        return;
    const char *unit = field->format == SW_API_FORMAT_DURATION ? " ns"
                       : field->format == SW_API_FORMAT_SIZE   ? " bytes"
                                                               : "";
    (void)snprintf(digits, sizeof digits, "%" PRIu64, number);
    sw_checker_refuse(checker, place, NULL, "expected %" PRId64 " to %" PRIu64 "%s, found %s",
                      field->min, field->max, unit, found == NULL ? digits : found);
}

static void check_length(struct sw_checker *checker, const struct sw_api_field *field,
                         const struct sw_place *place, size_t size)
{
    if (field->max_len > 0 && size > field->max_len)
        sw_checker_refuse(checker, place, NULL, "at most %u bytes, found %zu", field->max_len,
                          size);
    else if (size < field->min_len)
        sw_checker_refuse(checker, place, NULL, "at least %u bytes, found %zu", field->min_len,
                          size);
}

static void check_text(struct sw_checker *checker, const struct sw_api_field *field,
                       const struct sw_place *place, const char *text)
{
    uint64_t number;

    /* The decoders refuse it, so what was written could never be read again. */
    if (!sw_text_is_utf8(text, strlen(text))) {
        sw_checker_refuse(checker, place, NULL, "expected UTF-8 text");
        return;
    }
    if (sw_format_check(field->format, text, NULL) != SW_OK) {
        struct sw_err err = {0};

        (void)!sw_format_check(field->format, text, &err);
        sw_checker_refuse(checker, place, NULL, "%s", err.message);
        return;
    }
    check_length(checker, field, place, strlen(text));
    if (field->format == SW_API_FORMAT_DURATION && sw_text_to_duration_ns(text, &number) == SW_OK)
        check_bounds(checker, field, place, number, text);
    if (field->format == SW_API_FORMAT_SIZE && sw_text_to_size_bytes(text, &number) == SW_OK)
        check_bounds(checker, field, place, number, text);
}

static void check_number(struct sw_checker *checker, const struct sw_api_field *field,
                         const struct sw_place *place, uint64_t number)
{
    if (field->type == SW_API_TYPE_ENUM) {
        bool is_unset = number == 0 && (field->flags & SW_API_REPEATED) == 0;
        if (!is_unset && sw_api_enum_at(field->enumeration, (int)number) == NULL)
            sw_checker_refuse(checker, place, NULL, "%" PRId64 " is no number of %s",
                              (int64_t)number, field->enumeration->name);
        return;
    }
    check_bounds(checker, field, place, number, NULL);
}

static void check_message(struct sw_checker *checker, const struct sw_api_message *message,
                          const struct sw_place *place, const void *value, bool is_partial);

static void check_item(struct sw_checker *checker, const struct sw_api_field *field,
                       const struct sw_place *place, const void *at, bool is_partial)
{
    switch (field->type) {
    case SW_API_TYPE_STRING:
        check_text(checker, field, place, sw_field_text(at));
        break;
    case SW_API_TYPE_BYTES:
        check_length(checker, field, place, ((const struct sw_bytes *)at)->size);
        break;
    case SW_API_TYPE_MESSAGE:
        check_message(checker, field->message, place, at,
                      is_partial || (field->flags & SW_API_PARTIAL) != 0);
        break;
    case SW_API_TYPE_BOOL:
    case SW_API_TYPE_INT32:
    case SW_API_TYPE_UINT32:
    case SW_API_TYPE_UINT64:
    case SW_API_TYPE_ENUM:
        check_number(checker, field, place, sw_field_integer(field, at));
        break;
    case SW_API_TYPE_MAP:
        break;
    }
}

static void check_pair(struct sw_checker *checker, const struct sw_api_field *field,
                       const struct sw_place *place, const struct sw_api_pair *pair)
{
    struct sw_err err = {0};

    if (sw_format_check(field->key_format, pair->key, &err) != SW_OK)
        sw_checker_refuse(checker, place, NULL, "key: %s", err.message);
    check_text(checker, field, place, pair->value);
}

static void check_many(struct sw_checker *checker, const struct sw_api_field *field,
                       const struct sw_place *place, const void *value, bool is_partial)
{
    const struct sw_api_pair *pairs = sw_field_items(field, value);
    size_t count = sw_field_count(field, value);

    if (field->max_items > 0 && count > field->max_items) {
        sw_checker_refuse(checker, place, NULL, "at most %u items, found %zu", field->max_items,
                          count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct sw_place inner = {.parent = place, .index = i};
        if (field->type == SW_API_TYPE_MAP) {
            inner.key = pairs[i].key;
            check_pair(checker, field, &inner, &pairs[i]);
        } else {
            check_item(checker, field, &inner, sw_field_item(field, value, i), is_partial);
        }
    }
}

static void check_message(struct sw_checker *checker, const struct sw_api_message *message,
                          const struct sw_place *place, const void *value, bool is_partial);

/* A required field that is not there. Of a message what it must hold is told instead: it may well
 * be written down, with nothing in it that counts. */
static void refuse_missing(struct sw_checker *checker, const struct sw_api_field *field,
                           const struct sw_place *place, const void *value)
{
    bool had_bad = checker->has_bad;

    checker->has_bad = false;
    if (field->type == SW_API_TYPE_MESSAGE && !sw_field_is_many(field))
        check_message(checker, field->message, place, sw_field_at(field, value), false);
    if (!checker->has_bad)
        sw_checker_refuse(checker, place, NULL, "missing");
    checker->has_bad = had_bad || checker->has_bad;
}

/* A missing field is a problem when it is required, or when neither it nor the one that excuses it
 * is there. */
static void check_missing(struct sw_checker *checker, const struct sw_api_message *message,
                          const struct sw_api_field *field, const struct sw_place *place,
                          const void *value)
{
    const struct sw_api_field *excuse = field->required_unless[0] == '\0'
                                            ? NULL
                                            : sw_api_field_find(message, field->required_unless);

    if (field->flags & SW_API_REQUIRED)
        refuse_missing(checker, field, place, value);
    else if (excuse != NULL && !sw_field_is_set(excuse, value))
        sw_checker_refuse(checker, place, NULL, "missing, and so is %s", excuse->name);
    else if (excuse != NULL && (checker->flags & SW_VALIDATE_COMPLETE))
        sw_checker_refuse(checker, place, NULL, "missing, and %s does not give it", excuse->name);
}

/* Inside of a message that is not there only its own absence is a problem. */
static void check_message(struct sw_checker *checker, const struct sw_api_message *message,
                          const struct sw_place *place, const void *value, bool is_partial)
{
    for (unsigned i = 0; i < message->field_count; i++) {
        const struct sw_api_field *field = &message->fields[i];
        struct sw_place inner = {.parent = place, .name = field->name};
        if (!sw_field_is_set(field, value)) {
            if (!is_partial)
                check_missing(checker, message, field, &inner, value);
        } else if (sw_field_is_many(field)) {
            check_many(checker, field, &inner, value, is_partial);
        } else {
            check_item(checker, field, &inner, sw_field_at(field, value), is_partial);
        }
    }
    sw_rules_check(checker, message, place, value);
}

enum sw_rc sw_api_validate(const struct sw_api_message *message, const void *value,
                           const struct sw_validate_options *options)
{
    struct sw_checker checker = {.problems = options->problems,
                                 .tree = options->tree,
                                 .file = options->file,
                                 .flags = options->flags};

    check_message(&checker, message, NULL, value, false);
    return checker.has_bad ? SW_E_INVALID : SW_OK;
}

enum sw_rc sw_object_validate(const struct sw_kind *kind, const void *object,
                              const struct sw_validate_options *options)
{
    struct sw_checker checker = {.problems = options->problems,
                                 .tree = options->tree,
                                 .file = options->file,
                                 .flags = options->flags};

    sw_rules_check_object(&checker, kind, object);
    check_message(&checker, kind->message, NULL, object, false);
    return checker.has_bad ? SW_E_INVALID : SW_OK;
}
