#include "pkg/apis/swarm/v1/root.h"
#include "pkg/apis/swarm/v1/fields.h"
#include "pkg/apis/swarm/v1/place.h"

#include <stdio.h>

#define KINDS_TEXT_MAX 256

static void complain(const struct sw_bind_options *options, const struct sw_tree *tree,
                     const char *field, const char *words, const char *hint)
{
    struct sw_place place = {.name = field};

    sw_complain(options->problems,
                &(struct sw_complaint){.place = field == NULL ? NULL : &place,
                                       .line = tree->line,
                                       .column = tree->column,
                                       .file = options->file,
                                       .hint = hint},
                "%s", words);
}

/* True when the field is missing, or is exactly this text; otherwise there is a problem. */
static bool check_word(const struct sw_bind_options *options, const struct sw_tree *tree,
                       const char *name, const char *word)
{
    const struct sw_tree *child = sw_tree_find(tree, name);
    char words[SW_ERR_MESSAGE_MAX];

    if (child == NULL || child->type != SW_TREE_TEXT || strcmp(child->text, word) == 0)
        return true; /* What is not text is refused when it is bound. */
    (void)snprintf(words, sizeof(words), "expected %s, found \"%.80s\"", word, child->text);
    complain(options, child, name, words, NULL);
    return false;
}

const struct sw_kind *sw_root_kind(const struct sw_tree *tree,
                                   const struct sw_bind_options *options)
{
    const struct sw_tree *name = sw_tree_find(tree, "kind");
    char kinds[KINDS_TEXT_MAX] = "", words[SW_ERR_MESSAGE_MAX], hint[SW_ERR_HINT_MAX];
    size_t used = 0;

    if (tree->type != SW_TREE_MAP) {
        complain(options, tree, NULL, "expected an object with apiVersion, kind and metadata",
                 NULL);
        return NULL;
    }
    for (unsigned i = 0; i < sw_kind_count; i++) {
        int size = snprintf(kinds + used, sizeof(kinds) - used, "%s%s", i > 0 ? ", " : "",
                            sw_kinds[i].name);
        used += size > 0 && (size_t)size < sizeof(kinds) - used ? (size_t)size : 0;
    }
    if (name == NULL || name->type != SW_TREE_TEXT) {
        (void)snprintf(words, sizeof(words), "missing; one of %s", kinds);
        complain(options, name == NULL ? tree : name, "kind", words, NULL);
        return NULL;
    }
    const struct sw_kind *kind = sw_kind_find(name->text);
    if (kind == NULL) {
        const struct sw_kind *near = sw_kind_find_loosely(name->text);
        const char *word = near != NULL ? near->name : sw_kind_nearest(name->text);
        near = word == NULL ? NULL : sw_kind_find_loosely(word);
        (void)snprintf(words, sizeof(words), "expected one of %s, found \"%.80s\"", kinds,
                       name->text);
        (void)snprintf(hint, sizeof(hint), "did you mean %s?", near == NULL ? "" : near->name);
        complain(options, name, "kind", words, near == NULL ? NULL : hint);
    }
    return kind;
}

enum sw_rc sw_root_bind(const struct sw_kind *kind, const struct sw_tree *tree,
                        const struct sw_bind_options *options, void **ret_object)
{
    /* Both are looked at, so that both mistakes are told. */
    bool is_version = check_word(options, tree, "apiVersion", SW_API_VERSION);
    bool fits = check_word(options, tree, "kind", kind->name) && is_version;
    char *object = sw_arena_get(options->arena, kind->message->size_bytes);
    enum sw_rc rc;

    if (object == NULL)
        return SW_E_EXHAUSTED;
    rc = sw_tree_bind(tree, kind->message, options, object);
    if (rc == SW_E_EXHAUSTED)
        return rc;
    sw_field_set_text(object + offsetof(struct sw_api_agent, api_version), SW_API_VERSION);
    sw_field_set_text(object + offsetof(struct sw_api_agent, kind), kind->name);
    *ret_object = object;
    return fits ? rc : SW_E_INVALID;
}
