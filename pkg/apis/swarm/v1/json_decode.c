#include "pkg/apis/swarm/v1/json.h"
#include "pkg/apis/swarm/v1/place.h"
#include "pkg/apis/swarm/v1/root.h"

#include <jansson.h>
#include <string.h>

#define INT_DIGITS_MAX 18 /* As many digits of any kind fit 64 bits. */

struct planter { /* Makes a tree of a jansson value, which is freed afterwards. */
    const struct sw_bind_options *options;
    const char *refused; /* Why the tree cannot be made, or NULL. */
    unsigned depth;
    size_t nodes;
};

static struct sw_tree *plant(struct planter *planter, json_t *json);

static bool plant_children(struct planter *planter, json_t *json, struct sw_tree *tree)
{
    struct sw_tree **last = &tree->first;
    const char *key;
    json_t *child;
    size_t i;

    if (json_is_array(json)) {
        json_array_foreach(json, i, child)
        {
            *last = plant(planter, child);
            if (*last == NULL)
                return false;
            last = &(*last)->next;
        }
        return true;
    }
    json_object_foreach(json, key, child)
    {
        *last = plant(planter, child);
        if (*last == NULL)
            return false;
        (*last)->key = sw_arena_copy(planter->options->arena, key, strlen(key));
        if ((*last)->key == NULL)
            return false;
        last = &(*last)->next;
    }
    return true;
}

static const char *scalar_text(struct planter *planter, json_t *json, enum sw_tree_type type)
{
    struct sw_arena *arena = planter->options->arena;

    if (type == SW_TREE_TEXT)
        return sw_arena_copy(arena, json_string_value(json), json_string_length(json));
    if (type == SW_TREE_NUMBER && json_is_integer(json))
        return sw_arena_print(arena, "%lld", (long long)json_integer_value(json));
    if (type == SW_TREE_NUMBER) /* A real that is whole, such as 1e3, prints as a whole number. */
        return sw_arena_print(arena, "%.17g", json_real_value(json));
    if (type == SW_TREE_BOOL)
        return json_is_true(json) ? "true" : "false";
    return "";
}

static enum sw_tree_type type_of(json_t *json)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return SW_TREE_MAP;
    case JSON_ARRAY:
        return SW_TREE_LIST;
    case JSON_STRING:
        return SW_TREE_TEXT;
    case JSON_INTEGER:
    case JSON_REAL:
        return SW_TREE_NUMBER;
    case JSON_TRUE:
    case JSON_FALSE:
        return SW_TREE_BOOL;
    case JSON_NULL:
        break;
    }
    return SW_TREE_NULL;
}

static struct sw_tree *plant(struct planter *planter, json_t *json)
{
    struct sw_tree *tree;

    if (planter->depth == SW_TREE_DEPTH_MAX || ++planter->nodes > SW_TREE_NODES_MAX) {
        planter->refused =
            planter->depth == SW_TREE_DEPTH_MAX ? "nested too deeply" : "too many values";
        return NULL;
    }
    tree = sw_arena_get(planter->options->arena, sizeof(*tree));
    if (tree == NULL)
        return NULL;
    tree->type = type_of(json);
    tree->text = scalar_text(planter, json, tree->type);
    planter->depth++;
    if (tree->text == NULL || !plant_children(planter, json, tree))
        tree = NULL;
    planter->depth--;
    return tree;
}

/* Copy JSON with an exponent behind each whole number of more than 18 digits, which the parser then
 * takes for a real one: free-form values may be as large as JSON allows. False: no memory. */
static bool widen(struct sw_bytes json, struct sw_buffer *out)
{
    const char *text = json.data;
    bool is_string = false;

    for (size_t i = 0, end; i < json.size; i = end) {
        end = i + 1;
        if (!is_string && text[i] >= '0' && text[i] <= '9')
            while (end < json.size && memchr("0123456789.eE+-", text[end], 15) != NULL)
                end++;
        else if (is_string && text[i] == '\\' && end < json.size)
            end++;
        else if (text[i] == '"')
            is_string = !is_string;
        sw_buffer_put(out, text + i, end - i);
        if (end - i > INT_DIGITS_MAX && memchr(text + i, '.', end - i) == NULL &&
            memchr(text + i, 'e', end - i) == NULL && memchr(text + i, 'E', end - i) == NULL)
            sw_buffer_put_text(out, "e0");
    }
    return !out->failed;
}

static json_t *load(struct sw_bytes json, json_error_t *ret_error)
{
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;
    json_t *root = json_loadb(json.size == 0 ? "" : json.data, json.size, flags, ret_error);
    struct sw_buffer wide;

    if (root != NULL || json_error_code(ret_error) != json_error_numeric_overflow)
        return root;
    sw_buffer_init(&wide, 2 * json.size + 2);
    if (widen(json, &wide))
        root = json_loadb((const char *)wide.data, wide.size, flags, ret_error);
    sw_buffer_done(&wide);
    return root;
}

enum sw_rc sw_json_parse(struct sw_bytes json, const struct sw_bind_options *options,
                         const struct sw_tree **ret_tree)
{
    struct planter planter = {.options = options};
    json_error_t error;
    json_t *root = load(json, &error);

    if (root == NULL) {
        char *near = options->hides_values ? strstr(error.text, " near ") : NULL;
        if (near != NULL) /* What follows is a piece of the text. */
            *near = '\0';
        sw_complain(options->problems,
                    &(struct sw_complaint){.file = options->file,
                                           .line = error.line > 0 ? (unsigned)error.line : 0,
                                           .column = error.column > 0 ? (unsigned)error.column : 0},
                    "not JSON: %s", error.text);
        return SW_E_INVALID;
    }
    const struct sw_tree *tree = plant(&planter, root);
    json_decref(root);
    if (planter.refused != NULL) {
        sw_complain(options->problems, &(struct sw_complaint){.file = options->file}, "%s",
                    planter.refused);
        return SW_E_INVALID;
    }
    if (tree == NULL)
        return SW_E_EXHAUSTED;
    *ret_tree = tree;
    return SW_OK;
}

enum sw_rc sw_json_decode(const struct sw_api_message *message, struct sw_bytes json,
                          const struct sw_bind_options *options, void *ret_value)
{
    struct sw_bind_options strict = *options;
    const struct sw_tree *tree = NULL;
    enum sw_rc rc = sw_json_parse(json, options, &tree);

    if (rc != SW_OK)
        return rc;
    strict.refuse_null = true;
    return sw_tree_bind(tree, message, &strict, ret_value);
}

enum sw_rc sw_object_decode_json(const struct sw_kind *kind, struct sw_bytes json,
                                 const struct sw_bind_options *options, void **ret_object)
{
    struct sw_bind_options strict = *options;
    const struct sw_tree *tree = NULL;
    enum sw_rc rc;

    strict.hides_values = kind->message == &sw_api_secret_message;
    rc = sw_json_parse(json, &strict, &tree);
    if (rc != SW_OK)
        return rc;
    strict.refuse_null = true;
    return sw_root_bind(kind, tree, &strict, ret_object);
}
