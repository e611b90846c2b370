#include "pkg/apis/swarm/v1/fields.h"
#include "pkg/apis/swarm/v1/place.h"
#include "pkg/apis/swarm/v1/tree.h"
#include "pkg/apis/swarm/v1/validate.h"
#include "pkg/utils/base/text.h"

#include <inttypes.h>
#include <stdio.h>

#define FIELDS_MAX 256
#define BYTES_MAX (8u << 20)

struct binder {
    const struct sw_bind_options *options;
    bool is_full; /* The arena is; nothing further can be trusted. */
    bool has_bad; /* Something was refused. */
    bool hides_values;
};

static const char *type_name(const struct sw_tree *tree)
{
    static const char *const names[] = {
        [SW_TREE_NULL] = "null", [SW_TREE_BOOL] = "true or false", [SW_TREE_NUMBER] = "a number",
        [SW_TREE_TEXT] = "text", [SW_TREE_LIST] = "a list",        [SW_TREE_MAP] = "a mapping",
    };
    return names[tree->type];
}

/* What stands there, short enough for an error line. */
static void print_found(const struct binder *binder, const struct sw_tree *tree, char ret_text[64])
{
    bool is_scalar =
        !binder->hides_values && tree->type != SW_TREE_LIST && tree->type != SW_TREE_MAP;
    size_t size = strlen(tree->text);
    struct sw_buffer out;

    sw_buffer_init(&out, 256);
    if (!is_scalar || tree->type == SW_TREE_NULL)
        sw_buffer_put_text(&out, type_name(tree));
    else if (size <= 40 && tree->type == SW_TREE_TEXT)
        sw_buffer_print(&out, "\"%s\"", tree->text);
    else if (size <= 40)
        sw_buffer_put_text(&out, tree->text);
    else
        sw_buffer_print(&out, "text of %zu bytes", size);
    sw_buffer_put_u8(&out, 0);
    memcpy(ret_text, out.data == NULL ? (const void *)"" : out.data,
           out.data == NULL ? 1 : out.size);
    sw_buffer_done(&out);
}

static void refuse(struct binder *binder, const struct sw_place *place, const struct sw_tree *tree,
                   const char *expected, const char *hint)
{
    char found[64];

    print_found(binder, tree, found);
    binder->has_bad = true;
    sw_complain(binder->options->problems,
                &(struct sw_complaint){.place = place,
                                       .line = tree->line,
                                       .column = tree->column,
                                       .file = binder->options->file,
                                       .hint = hint},
                "expected %s, found %s", expected, found);
}

static char *keep(struct binder *binder, const char *text)
{
    char *copy = sw_arena_copy(binder->options->arena, text, strlen(text));

    if (copy == NULL)
        binder->is_full = true;
    return copy;
}

static void bind_bool(struct binder *binder, const struct sw_place *place,
                      const struct sw_tree *tree, void *at)
{
    if (tree->type == SW_TREE_BOOL)
        *(bool *)at = tree->text[0] == 't';
    else
        refuse(binder, place, tree, "true or false", NULL);
}

static void bind_time(struct binder *binder, const struct sw_place *place,
                      const struct sw_tree *tree, void *at)
{
    uint64_t time_ns;

    if (tree->type == SW_TREE_TEXT && sw_time_parse(tree->text, &time_ns) == SW_OK)
        memcpy(at, &time_ns, sizeof(time_ns));
    else
        refuse(binder, place, tree, "a time such as \"2026-01-31T12:00:00Z\"", NULL);
}

/* 64-bit numbers may be text, because JSON's readers often hold numbers as floating point. */
static void bind_integer(struct binder *binder, const struct sw_api_field *field,
                         const struct sw_place *place, const struct sw_tree *tree, void *at)
{
    bool may_be_text = field->type == SW_API_TYPE_UINT64 && tree->type == SW_TREE_TEXT;
    const char *range = field->type == SW_API_TYPE_UINT64   ? "a whole number from 0 to 2^64-1"
                        : field->type == SW_API_TYPE_UINT32 ? "a whole number from 0 to 4294967295"
                                                            : "a whole number of at most 32 bits";
    uint64_t number = 0;
    int64_t narrow = 0;
    enum sw_rc rc = SW_E_INVALID;

    if (tree->type == SW_TREE_NUMBER || may_be_text)
        rc = field->type == SW_API_TYPE_INT32 ? sw_text_to_i64(tree->text, &narrow)
                                              : sw_text_to_u64(tree->text, &number);
    if (field->type == SW_API_TYPE_INT32)
        number = (uint64_t)narrow;
    if (rc != SW_OK || (field->type == SW_API_TYPE_UINT32 && number > UINT32_MAX) ||
        (field->type == SW_API_TYPE_INT32 && (narrow < INT32_MIN || narrow > INT32_MAX)))
        refuse(binder, place, tree, range, NULL);
    else
        sw_field_set_integer(field, at, number);
}

static void bind_enum(struct binder *binder, const struct sw_api_field *field,
                      const struct sw_place *place, const struct sw_tree *tree, void *at)
{
    const struct sw_api_enum *enumeration = field->enumeration;
    const struct sw_api_enum_value *value =
        tree->type == SW_TREE_TEXT ? sw_api_enum_find(enumeration, tree->text) : NULL;
    const char *texts[FIELDS_MAX], *nearest;
    char expected[SW_ERR_MESSAGE_MAX / 2] = "one of", hint[SW_ERR_HINT_MAX];
    size_t used = strlen(expected), count = 0;

    if (value != NULL) {
        sw_field_set_integer(field, at, (uint64_t)(int64_t)value->number);
        return;
    }
    for (unsigned i = 0; i < enumeration->value_count && i < FIELDS_MAX; i++) {
        texts[count++] = enumeration->values[i].text;
        int size = snprintf(expected + used, sizeof(expected) - used, "%s %s", i > 0 ? "," : "",
                            enumeration->values[i].text);
        used += size > 0 && (size_t)size < sizeof(expected) - used ? (size_t)size : 0;
    }
    nearest = tree->type == SW_TREE_TEXT ? sw_text_nearest(tree->text, texts, count) : NULL;
    (void)snprintf(hint, sizeof(hint), "did you mean %s?", nearest == NULL ? "" : nearest);
    refuse(binder, place, tree, expected, nearest == NULL ? NULL : hint);
}

/* Lists and mappings become JSON where the field takes anything; scalars stand as they are. */
static void bind_text(struct binder *binder, const struct sw_api_field *field,
                      const struct sw_place *place, const struct sw_tree *tree, void *at)
{
    bool is_free = (field->flags & SW_API_FREE_FORM) != 0;
    bool is_plain =
        tree->type == SW_TREE_TEXT || tree->type == SW_TREE_BOOL || tree->type == SW_TREE_NUMBER;
    bool is_size = field->format == SW_API_FORMAT_SIZE && tree->type == SW_TREE_NUMBER;
    char *text = NULL;

    if (tree->type == SW_TREE_TEXT || is_size || (is_free && is_plain)) {
        text = keep(binder, tree->text);
    } else if (is_free) {
        struct sw_buffer json;
        sw_buffer_init(&json, BYTES_MAX);
        sw_tree_print_json(tree, &json);
        sw_buffer_put_u8(&json, 0);
        if (sw_buffer_check(&json) != SW_OK)
            binder->is_full = true;
        else
            text = keep(binder, (char *)json.data);
        sw_buffer_done(&json);
    } else {
        refuse(binder, place, tree, "text", is_plain ? "put it in quotes" : NULL);
    }
    if (text != NULL)
        sw_field_set_text(at, text);
}

static void bind_bytes(struct binder *binder, const struct sw_place *place,
                       const struct sw_tree *tree, void *at)
{
    struct sw_bytes *bytes = at;
    struct sw_buffer decoded;

    sw_buffer_init(&decoded, BYTES_MAX);
    if (tree->type != SW_TREE_TEXT ||
        sw_base64_decode(tree->text, strlen(tree->text), &decoded) != SW_OK) {
        refuse(binder, place, tree, "bytes in base64", NULL);
    } else {
        char *copy = sw_arena_copy(binder->options->arena, decoded.data, decoded.size);
        if (copy == NULL || sw_buffer_check(&decoded) != SW_OK)
            binder->is_full = true;
        else
            *bytes = (struct sw_bytes){copy, decoded.size};
    }
    sw_buffer_done(&decoded);
}

static void bind_message(struct binder *binder, const struct sw_api_message *message,
                         const struct sw_place *place, const struct sw_tree *tree, void *value);

static void bind_item(struct binder *binder, const struct sw_api_field *field,
                      const struct sw_place *place, const struct sw_tree *tree, void *at)
{
    switch (field->type) {
    case SW_API_TYPE_BOOL:
        bind_bool(binder, place, tree, at);
        break;
    case SW_API_TYPE_UINT64:
    case SW_API_TYPE_INT32:
    case SW_API_TYPE_UINT32:
        if (field->format == SW_API_FORMAT_TIMESTAMP)
            bind_time(binder, place, tree, at);
        else
            bind_integer(binder, field, place, tree, at);
        break;
    case SW_API_TYPE_STRING:
        bind_text(binder, field, place, tree, at);
        break;
    case SW_API_TYPE_BYTES:
        bind_bytes(binder, place, tree, at);
        break;
    case SW_API_TYPE_ENUM:
        bind_enum(binder, field, place, tree, at);
        break;
    case SW_API_TYPE_MESSAGE:
        bind_message(binder, field->message, place, tree, at);
        break;
    case SW_API_TYPE_MAP:
        break;
    }
}

static void bind_list(struct binder *binder, const struct sw_api_field *field,
                      const struct sw_place *place, const struct sw_tree *tree, void *value)
{
    size_t index = 0;

    if (tree->type != SW_TREE_LIST) {
        refuse(binder, place, tree, "a list", NULL);
        return;
    }
    for (const struct sw_tree *child = tree->first; child != NULL; child = child->next) {
        struct sw_place inner = {.parent = place, .index = index++};
        void *at = sw_field_add_item(field, value, binder->options->arena);
        if (at == NULL) {
            binder->is_full = true;
            return;
        }
        if (field->type == SW_API_TYPE_MESSAGE)
            sw_api_init(field->message, at);
        else if (field->type == SW_API_TYPE_STRING)
            sw_field_set_text(at, "");
        bind_item(binder, field, &inner, child, at);
    }
}

static void bind_map(struct binder *binder, const struct sw_api_field *field,
                     const struct sw_place *place, const struct sw_tree *tree, void *value)
{
    if (tree->type != SW_TREE_MAP) {
        refuse(binder, place, tree, "a mapping", NULL);
        return;
    }
    for (const struct sw_tree *child = tree->first; child != NULL; child = child->next) {
        struct sw_place inner = {.parent = place, .key = child->key};
        if (child->type != SW_TREE_TEXT) {
            bool is_plain = child->type == SW_TREE_NUMBER || child->type == SW_TREE_BOOL;
            refuse(binder, &inner, child, "text", is_plain ? "put it in quotes" : NULL);
            continue;
        }
        struct sw_api_pair *pair = sw_field_add_item(field, value, binder->options->arena);
        if (pair == NULL) {
            binder->is_full = true;
            return;
        }
        *pair = (struct sw_api_pair){keep(binder, child->key), keep(binder, child->text)};
        if (binder->is_full)
            return;
    }
    if (sw_field_sort_map(field, value, binder->options->arena) != SW_OK)
        binder->is_full = true;
}

static const struct sw_api_field *find_json_name(const struct sw_api_message *message,
                                                 const char *name)
{
    for (unsigned i = 0; i < message->field_count; i++)
        if (strcmp(message->fields[i].name, name) == 0)
            return &message->fields[i];
    return NULL;
}

static void refuse_unknown(struct binder *binder, const struct sw_api_message *message,
                           const struct sw_place *place, const struct sw_tree *tree)
{
    const char *names[FIELDS_MAX], *nearest;
    char hint[SW_ERR_HINT_MAX];
    unsigned count = message->field_count < FIELDS_MAX ? message->field_count : FIELDS_MAX;

    for (unsigned i = 0; i < count; i++)
        names[i] = message->fields[i].name;
    nearest = sw_text_nearest(tree->key, names, count);
    (void)snprintf(hint, sizeof(hint), "did you mean %s?", nearest == NULL ? "" : nearest);
    binder->has_bad = true;
    sw_complain(binder->options->problems,
                &(struct sw_complaint){.place = place,
                                       .line = tree->key_line,
                                       .column = tree->key_column,
                                       .file = binder->options->file,
                                       .hint = nearest == NULL ? NULL : hint},
                "%s has no field of this name", message->name);
}

/* 0 and "" mean "not set", so a field that does not take them would get its default behind the
 * back of whoever wrote them. */
static void refuse_empty(struct binder *binder, const struct sw_api_field *field,
                         const struct sw_place *place, const struct sw_tree *tree)
{
    bool is_zero = tree->type == SW_TREE_NUMBER && strcmp(tree->text, "0") == 0;
    bool is_empty = tree->type == SW_TREE_TEXT && tree->text[0] == '\0';
    char range[80];

    if (is_zero && (field->flags & SW_API_BOUNDED) != 0 && field->min > 0) {
        (void)snprintf(range, sizeof(range), "%" PRId64 " to %" PRIu64, field->min, field->max);
        refuse(binder, place, tree, range, NULL);
    } else if (is_empty && field->type == SW_API_TYPE_STRING &&
               field->format != SW_API_FORMAT_NONE && field->format != SW_API_FORMAT_LABEL_VALUE) {
        refuse(binder, place, tree, sw_format_describe(field->format), "or leave the field out");
    }
}

static void bind_field(struct binder *binder, const struct sw_api_field *field,
                       const struct sw_place *place, const struct sw_tree *tree, void *value)
{
    if (tree->type == SW_TREE_NULL) {
        if (binder->options->refuse_null)
            refuse(binder, place, tree, "a value", "leave the field out");
        return;
    }
    if (field->type == SW_API_TYPE_MAP) {
        bind_map(binder, field, place, tree, value);
    } else if (field->flags & SW_API_REPEATED) {
        bind_list(binder, field, place, tree, value);
    } else {
        bind_item(binder, field, place, tree, sw_field_in(field, value));
        sw_field_set_has(field, value);
        refuse_empty(binder, field, place, tree);
    }
}

static void bind_message(struct binder *binder, const struct sw_api_message *message,
                         const struct sw_place *place, const struct sw_tree *tree, void *value)
{
    if (tree->type != SW_TREE_MAP) {
        refuse(binder, place, tree, "a mapping", NULL);
        return;
    }
    for (const struct sw_tree *child = tree->first; child != NULL && !binder->is_full;
         child = child->next) {
        struct sw_place inner = {.parent = place, .name = child->key};
        const struct sw_api_field *field = find_json_name(message, child->key);
        if (field == NULL)
            refuse_unknown(binder, message, &inner, child);
        else
            bind_field(binder, field, &inner, child, value);
    }
}

enum sw_rc sw_tree_bind(const struct sw_tree *tree, const struct sw_api_message *message,
                        const struct sw_bind_options *options, void *ret_value)
{
    /* What was meant for a Secret is told nobody, not even who wrote it: answers are logged. */
    struct binder binder = {.options = options,
                            .hides_values =
                                options->hides_values || message == &sw_api_secret_message};

    sw_api_init(message, ret_value);
    bind_message(&binder, message, NULL, tree, ret_value);
    if (binder.is_full)
        return SW_E_EXHAUSTED;
    return binder.has_bad ? SW_E_INVALID : SW_OK;
}
