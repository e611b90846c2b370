#include "pkg/apis/swarm/v1/yaml_parse.h"
#include "pkg/apis/swarm/v1/place.h"
#include "pkg/utils/base/map.h"
#include "pkg/utils/base/text.h"

#include <string.h>

/* Mappings larger than this look for duplicate keys by hash instead of one by one. */
#define KEYS_LINEAR_MAX 8

struct anchored { /* A finished node under its anchor. */
    struct sw_tree *tree;
    size_t nodes; /* In it, itself and what its aliases stand for included. */
};

enum sw_rc sw_yaml_open(struct sw_yaml_reader *reader, struct sw_bytes yaml,
                        const struct sw_bind_options *options)
{
    *reader = (struct sw_yaml_reader){.options = options, .text = yaml};
    if (!yaml_parser_initialize(&reader->parser))
        return SW_E_EXHAUSTED;
    yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader->parser,
                                 yaml.size == 0 ? (const unsigned char *)"" : yaml.data, yaml.size);
    return SW_OK;
}

void sw_yaml_close(struct sw_yaml_reader *reader)
{
    yaml_parser_delete(&reader->parser);
}

/* Refuse the stream: a syntax error leaves no way to find the next document. */
static void refuse(struct sw_yaml_reader *reader, yaml_mark_t mark, const char *words,
                   const char *hint)
{
    reader->rc = SW_E_INVALID;
    sw_complain(reader->options->problems,
                &(struct sw_complaint){.line = (unsigned)mark.line + 1,
                                       .column = (unsigned)mark.column + 1,
                                       .file = reader->options->file,
                                       .hint = hint},
                "%s", words);
}

/* Where a byte of the text stands. The parser reads ahead, so its own marks lag behind what it
 * cannot read: they tell of the last token. */
static yaml_mark_t mark_of(const struct sw_yaml_reader *reader, size_t offset)
{
    const unsigned char *bytes = reader->text.data;
    yaml_mark_t mark = {.index = offset};

    for (size_t i = 0; i < offset && i < reader->text.size; i++) {
        if (bytes[i] == '\n') {
            mark.line++;
            mark.column = 0;
        } else if ((bytes[i] & 0xc0) != 0x80) { /* Columns count characters. */
            mark.column++;
        }
    }
    return mark;
}

static bool next_event(struct sw_yaml_reader *reader, yaml_event_t *ret_event)
{
    const char *words = reader->parser.problem;

    if (yaml_parser_parse(&reader->parser, ret_event))
        return true;
    words = reader->parser.problem;
    if (reader->parser.error == YAML_MEMORY_ERROR)
        reader->rc = SW_E_EXHAUSTED;
    else if (reader->parser.error == YAML_READER_ERROR)
        refuse(reader, mark_of(reader, reader->parser.problem_offset),
               words == NULL ? "not YAML" : words, "save the file as UTF-8");
    else
        refuse(reader, reader->parser.problem_mark, words == NULL ? "not YAML" : words, NULL);
    return false;
}

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

/* Digits with a sign, a fraction and an exponent, or 0x and 0o: YAML 1.2, 10.3.2. */
static bool is_number(const char *text)
{
    static const char *const words[] = {".inf",  ".Inf",  ".INF",  "-.inf", "-.Inf",
                                        "-.INF", "+.inf", "+.Inf", "+.INF", ".nan",
                                        ".NaN",  ".NAN",  NULL};
    size_t whole, fraction = 0;

    if (is_one_of(text, words))
        return true;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'o') && text[2] != '\0')
        return text[2 + strspn(text + 2, text[1] == 'x' ? "0123456789abcdefABCDEF" : "01234567")] ==
               '\0';
    text += *text == '-' || *text == '+';
    whole = strspn(text, "0123456789");
    text += whole;
    if (*text == '.') {
        text++;
        fraction = strspn(text, "0123456789");
        text += fraction;
    }
    if (whole + fraction == 0)
        return false;
    if (*text == 'e' || *text == 'E') {
        text++;
        text += *text == '-' || *text == '+';
        size_t digits = strspn(text, "0123456789");
        return digits > 0 && text[digits] == '\0';
    }
    return *text == '\0';
}

enum sw_tree_type sw_yaml_plain_type(const char *text)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const bools[] = {"true", "True", "TRUE", "false", "False", "FALSE", NULL};

    if (is_one_of(text, nulls))
        return SW_TREE_NULL;
    if (is_one_of(text, bools))
        return SW_TREE_BOOL;
    return is_number(text) ? SW_TREE_NUMBER : SW_TREE_TEXT;
}

/* A new node at a place; NULL, and the reader failed, when there are too many or no memory. */
static struct sw_tree *new_node(struct sw_yaml_reader *reader, yaml_mark_t mark, size_t nodes)
{
    struct sw_tree *tree;

    reader->nodes += nodes;
    if (reader->nodes > SW_TREE_NODES_MAX) {
        refuse(reader, mark, "too many values, those that aliases stand for included", NULL);
        return NULL;
    }
    tree = sw_arena_get(reader->options->arena, sizeof(*tree));
    if (tree == NULL) {
        reader->rc = SW_E_EXHAUSTED;
        return NULL;
    }
    tree->text = "";
    tree->line = (unsigned)mark.line + 1;
    tree->column = (unsigned)mark.column + 1;
    return tree;
}

static char *keep_text(struct sw_yaml_reader *reader, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t size = event->data.scalar.length;
    char *copy;

    if (!sw_text_is_utf8(text, size)) {
        refuse(reader, event->start_mark, "text with a NUL byte", NULL);
        return NULL;
    }
    copy = sw_arena_copy(reader->options->arena, text, size);
    if (copy == NULL)
        reader->rc = SW_E_EXHAUSTED;
    return copy;
}

static struct sw_tree *take_scalar(struct sw_yaml_reader *reader, const yaml_event_t *event)
{
    struct sw_tree *tree = new_node(reader, event->start_mark, 1);
    char *text = tree == NULL ? NULL : keep_text(reader, event);

    if (text == NULL)
        return NULL;
    tree->type = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? sw_yaml_plain_type(text)
                                                                     : SW_TREE_TEXT;
    tree->text = text;
    if (tree->type == SW_TREE_BOOL)
        tree->text = text[0] == 't' || text[0] == 'T' ? "true" : "false";
    return tree;
}

static struct anchored *find_anchor(struct sw_yaml_reader *reader, const char *name)
{
    for (size_t i = reader->anchor_count; i-- > 0;)
        if (strcmp(reader->anchors[i].name, name) == 0)
            return reader->anchors[i].node;
    return NULL;
}

/* The alias's own node shares the children of the anchored one, so a bomb costs no memory; its size
 * is counted in full, so it costs no time either. */
static struct sw_tree *take_alias(struct sw_yaml_reader *reader, const yaml_event_t *event)
{
    const struct anchored *anchored = find_anchor(reader, (char *)event->data.alias.anchor);
    struct sw_tree *tree;

    if (anchored == NULL) {
        refuse(reader, event->start_mark, "an alias of an anchor that is not there", NULL);
        return NULL;
    }
    tree = new_node(reader, event->start_mark, anchored->nodes);
    if (tree != NULL) {
        tree->type = anchored->tree->type;
        tree->text = anchored->tree->text;
        tree->first = anchored->tree->first;
    }
    return tree;
}

static void put_anchor(struct sw_yaml_reader *reader, const char *name, struct sw_tree *tree,
                       size_t nodes, yaml_mark_t mark)
{
    struct sw_arena *arena = reader->options->arena;
    struct anchored *anchored;
    char *copy;

    if (reader->anchor_count == SW_YAML_ANCHORS_MAX) {
        refuse(reader, mark, "too many anchors", NULL);
        return;
    }
    anchored = sw_arena_get(arena, sizeof(*anchored));
    copy = sw_arena_copy(arena, name, strlen(name));
    if (anchored == NULL || copy == NULL) {
        reader->rc = SW_E_EXHAUSTED;
        return;
    }
    *anchored = (struct anchored){.tree = tree, .nodes = nodes};
    reader->anchors[reader->anchor_count++] = (struct sw_yaml_anchor){copy, anchored};
}

static bool key_is_new(struct sw_map *seen, const struct sw_tree *map, const struct sw_tree *child)
{
    size_t size = strlen(child->key);

    if (seen == NULL) {
        for (const struct sw_tree *other = map->first; other != NULL; other = other->next)
            if (other != child && strcmp(other->key, child->key) == 0)
                return false;
        return true;
    }
    return sw_map_find(seen, child->key, size) == NULL;
}

/* The key of a mapping's next value: false at the end of the mapping or on failure. */
static bool take_key(struct sw_yaml_reader *reader, yaml_event_t *event, struct sw_tree *ret_key)
{
    char *text;

    if (event->type == YAML_MAPPING_END_EVENT)
        return false;
    if (event->type != YAML_SCALAR_EVENT || event->data.scalar.anchor != NULL ||
        event->data.scalar.tag != NULL) {
        refuse(reader, event->start_mark, "a key that is not plain text", NULL);
        return false;
    }
    text = keep_text(reader, event);
    if (text == NULL)
        return false;
    ret_key->key = text;
    ret_key->key_line = (unsigned)event->start_mark.line + 1;
    ret_key->key_column = (unsigned)event->start_mark.column + 1;
    return true;
}

static struct sw_tree *take_node(struct sw_yaml_reader *reader, const yaml_event_t *event);

static void take_list(struct sw_yaml_reader *reader, struct sw_tree *list)
{
    struct sw_tree **last = &list->first;
    yaml_event_t event;

    while (reader->rc == SW_OK && next_event(reader, &event)) {
        bool is_end = event.type == YAML_SEQUENCE_END_EVENT;
        struct sw_tree *child = is_end ? NULL : take_node(reader, &event);
        yaml_event_delete(&event);
        if (child == NULL)
            return;
        *last = child;
        last = &child->next;
    }
}

/* The value behind a key, with the key put on it. */
static struct sw_tree *take_value(struct sw_yaml_reader *reader, const struct sw_tree *key)
{
    yaml_event_t event;
    struct sw_tree *child;

    if (!next_event(reader, &event))
        return NULL;
    child = take_node(reader, &event);
    yaml_event_delete(&event);
    if (child != NULL) {
        child->key = key->key;
        child->key_line = key->key_line;
        child->key_column = key->key_column;
    }
    return child;
}

static void refuse_duplicate(struct sw_yaml_reader *reader, const struct sw_tree *child)
{
    sw_complain(reader->options->problems,
                &(struct sw_complaint){.line = child->key_line,
                                       .column = child->key_column,
                                       .file = reader->options->file},
                "the key \"%.80s\" stands here twice", child->key);
    reader->has_bad = true;
}

/* Once there are many keys, all of them are in a hash map too, so that n keys cost n steps. */
static void remember_key(struct sw_yaml_reader *reader, struct sw_map **seen,
                         const struct sw_tree *map, struct sw_tree *newest)
{
    struct sw_tree *child = newest;

    if (*seen == NULL) {
        *seen = sw_map_new((uintptr_t)reader->options->arena);
        child = map->first;
    }
    for (; *seen != NULL && child != NULL; child = child->next)
        if (sw_map_put(*seen, child->key, strlen(child->key), child, NULL) != SW_OK)
            reader->rc = SW_E_EXHAUSTED;
    if (*seen == NULL)
        reader->rc = SW_E_EXHAUSTED;
}

static void take_map(struct sw_yaml_reader *reader, struct sw_tree *map)
{
    SW_CLEANUP(sw_map_freep) struct sw_map *seen = NULL;
    struct sw_tree **last = &map->first;
    yaml_event_t event;
    size_t count = 0;

    while (reader->rc == SW_OK && next_event(reader, &event)) {
        struct sw_tree key = {0};
        bool has_key = take_key(reader, &event, &key);
        yaml_event_delete(&event);
        struct sw_tree *child = has_key ? take_value(reader, &key) : NULL;
        if (child == NULL)
            return;
        if (!key_is_new(seen, map, child)) {
            refuse_duplicate(reader, child);
            continue;
        }
        *last = child;
        last = &child->next;
        if (++count >= KEYS_LINEAR_MAX)
            remember_key(reader, &seen, map, child);
    }
}

static const char *event_anchor(const yaml_event_t *event)
{
    if (event->type == YAML_SCALAR_EVENT)
        return (char *)event->data.scalar.anchor;
    return event->type == YAML_SEQUENCE_START_EVENT ? (char *)event->data.sequence_start.anchor
                                                    : (char *)event->data.mapping_start.anchor;
}

static bool event_has_tag(const yaml_event_t *event)
{
    if (event->type == YAML_SCALAR_EVENT)
        return event->data.scalar.tag != NULL;
    return event->type == YAML_SEQUENCE_START_EVENT ? event->data.sequence_start.tag != NULL
                                                    : event->data.mapping_start.tag != NULL;
}

static struct sw_tree *take_collection(struct sw_yaml_reader *reader, const yaml_event_t *event)
{
    struct sw_tree *tree = NULL;

    if (reader->depth == SW_TREE_DEPTH_MAX)
        refuse(reader, event->start_mark, "nested too deeply", NULL);
    else
        tree = new_node(reader, event->start_mark, 1);
    if (tree == NULL)
        return NULL;
    reader->depth++;
    tree->type = event->type == YAML_MAPPING_START_EVENT ? SW_TREE_MAP : SW_TREE_LIST;
    if (tree->type == SW_TREE_MAP)
        take_map(reader, tree);
    else
        take_list(reader, tree);
    reader->depth--;
    return reader->rc == SW_OK ? tree : NULL;
}

/* The node that begins with this event; NULL when the reader has failed. */
static struct sw_tree *take_node(struct sw_yaml_reader *reader, const yaml_event_t *event)
{
    size_t nodes = reader->nodes;
    struct sw_tree *tree;

    if (event->type == YAML_ALIAS_EVENT)
        return take_alias(reader, event);
    if (event_has_tag(event)) {
        refuse(reader, event->start_mark, "tags are not in use here", "leave it out");
        return NULL;
    }
    tree = event->type == YAML_SCALAR_EVENT ? take_scalar(reader, event)
                                            : take_collection(reader, event);
    if (tree != NULL && event_anchor(event) != NULL)
        put_anchor(reader, event_anchor(event), tree, reader->nodes - nodes, event->start_mark);
    return reader->rc == SW_OK ? tree : NULL;
}

enum sw_rc sw_yaml_next(struct sw_yaml_reader *reader, const struct sw_tree **ret_tree)
{
    struct sw_tree *tree = NULL;
    yaml_event_t event;

    *ret_tree = NULL;
    reader->anchor_count = 0;
    reader->has_bad = false;
    while (reader->rc == SW_OK && tree == NULL && !reader->is_finished &&
           next_event(reader, &event)) {
        reader->is_finished = event.type == YAML_STREAM_END_EVENT;
        if (event.type != YAML_STREAM_START_EVENT && event.type != YAML_DOCUMENT_START_EVENT &&
            event.type != YAML_DOCUMENT_END_EVENT && !reader->is_finished)
            tree = take_node(reader, &event);
        yaml_event_delete(&event);
    }
    *ret_tree = reader->rc == SW_OK ? tree : NULL;
    return reader->rc;
}
