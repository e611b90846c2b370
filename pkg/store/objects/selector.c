#include "pkg/store/objects/selector.h"

#include <string.h>

#include "pkg/apis/swarm/v1/validate.h"

static enum sw_rc refuse(struct sw_err *err, const char *term, const char *expected)
{
    sw_err_set(err, SW_E_INVALID, "label selector: \"%.80s\" %s", term, expected);
    sw_err_field(err, "labelSelector");
    sw_err_hint(err, "terms are key=value, key!=value, key or !key, joined by commas");
    return SW_E_INVALID;
}

/* Take one term apart in place: text is a NUL-terminated copy of its own. */
static struct sw_selector_term split_term(char *text)
{
    struct sw_selector_term term = {.key = text, .value = ""};
    char *equals = strchr(text, '=');

    if (equals == NULL) {
        term.test = text[0] == '!' ? SW_SELECT_NOT_SET : SW_SELECT_SET;
        term.key = text[0] == '!' ? text + 1 : text;
        return term;
    }
    term.test = SW_SELECT_EQUAL;
    term.value = equals[1] == '=' ? equals + 2 : equals + 1;
    if (equals > text && equals[-1] == '!') {
        term.test = SW_SELECT_NOT_EQUAL;
        term.value = equals + 1;
        equals--;
    }
    *equals = '\0';
    return term;
}

static enum sw_rc parse_term(const char *text, size_t size, struct sw_arena *arena,
                             struct sw_selector_term *ret_term, struct sw_err *err)
{
    char *copy = sw_arena_copy(arena, text, size);
    const char *whole = sw_arena_copy(arena, text, size);

    if (copy == NULL || whole == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the label selector");
    *ret_term = split_term(copy);
    if (sw_format_check(SW_API_FORMAT_QUALIFIED_NAME, ret_term->key, NULL) != SW_OK)
        return refuse(err, whole, "has no label's name where one is expected");
    if (sw_format_check(SW_API_FORMAT_LABEL_VALUE, ret_term->value, NULL) != SW_OK)
        return refuse(err, whole, "has a value that no label can have");
    return SW_OK;
}

enum sw_rc sw_selector_parse(const char *text, struct sw_arena *arena,
                             struct sw_selector *ret_selector, struct sw_err *err)
{
    struct sw_selector selector = {0};

    while (*text != '\0') {
        size_t size = strcspn(text, ",");
        if (selector.count == SW_SELECTOR_TERMS_MAX)
            return refuse(err, text, "is one term too many");
        enum sw_rc rc = parse_term(text, size, arena, &selector.terms[selector.count], err);
        if (rc != SW_OK)
            return rc;
        selector.count++;
        text += size;
        if (text[0] == ',' && text[1] == '\0')
            return refuse(err, text, "ends in a comma");
        text += text[0] == ',';
    }
    *ret_selector = selector;
    return SW_OK;
}

static bool term_fits(const struct sw_selector_term *term, const char *value)
{
    switch (term->test) {
    case SW_SELECT_EQUAL:
        return value != NULL && strcmp(value, term->value) == 0;
    case SW_SELECT_NOT_EQUAL:
        return value == NULL || strcmp(value, term->value) != 0;
    case SW_SELECT_SET:
        return value != NULL;
    case SW_SELECT_NOT_SET:
        return value == NULL;
    }
    return false;
}

bool sw_selector_fits(const struct sw_selector *selector, const void *object)
{
    const struct sw_api_object_meta *meta = sw_object_meta_of(object);

    for (size_t i = 0; i < selector->count; i++) {
        const struct sw_selector_term *term = &selector->terms[i];
        if (!term_fits(term, sw_api_pair_find(meta->labels, meta->labels_count, term->key)))
            return false;
    }
    return true;
}
