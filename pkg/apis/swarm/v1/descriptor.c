#include "pkg/apis/swarm/v1/descriptor.h"
#include "pkg/utils/base/text.h"

#include <string.h>
#include <strings.h>

#define KIND_WORDS_MAX 128

const struct sw_kind *sw_kind_find(const char *name)
{
    for (unsigned i = 0; i < sw_kind_count; i++)
        if (strcmp(sw_kinds[i].name, name) == 0)
            return &sw_kinds[i];
    return NULL;
}

static bool kind_is_called(const struct sw_kind *kind, const char *word)
{
    if (strcasecmp(kind->name, word) == 0 || strcasecmp(kind->plural, word) == 0)
        return true;
    for (unsigned i = 0; i < kind->short_name_count; i++)
        if (strcasecmp(kind->short_names[i], word) == 0)
            return true;
    return false;
}

const struct sw_kind *sw_kind_find_loosely(const char *word)
{
    for (unsigned i = 0; i < sw_kind_count; i++)
        if (kind_is_called(&sw_kinds[i], word))
            return &sw_kinds[i];
    return NULL;
}

const char *sw_kind_nearest(const char *word)
{
    const char *words[KIND_WORDS_MAX];
    size_t count = 0;

    for (unsigned i = 0; i < sw_kind_count && count + 2 <= KIND_WORDS_MAX; i++) {
        words[count++] = sw_kinds[i].plural;
        words[count++] = sw_kinds[i].name;
    }
    return sw_text_nearest(word, words, count);
}

const struct sw_api_field *sw_api_field_find(const struct sw_api_message *message, const char *name)
{
    for (unsigned i = 0; i < message->field_count; i++)
        if (strcmp(message->fields[i].name, name) == 0 ||
            strcmp(message->fields[i].proto_name, name) == 0)
            return &message->fields[i];
    return NULL;
}

const struct sw_api_enum_value *sw_api_enum_find(const struct sw_api_enum *enumeration,
                                                 const char *text)
{
    for (unsigned i = 0; i < enumeration->value_count; i++)
        if (strcmp(enumeration->values[i].text, text) == 0)
            return &enumeration->values[i];
    return NULL;
}

const struct sw_api_enum_value *sw_api_enum_at(const struct sw_api_enum *enumeration, int number)
{
    for (unsigned i = 0; i < enumeration->value_count; i++)
        if (enumeration->values[i].number == number)
            return &enumeration->values[i];
    return NULL;
}

const char *sw_api_enum_text(const struct sw_api_enum *enumeration, int number)
{
    const struct sw_api_enum_value *value = sw_api_enum_at(enumeration, number);
    return value == NULL ? "" : value->text;
}

const struct sw_api_method *sw_api_method_find(const char *path)
{
    for (unsigned i = 0; i < sw_api_method_count; i++)
        if (strcmp(sw_api_methods[i].path, path) == 0)
            return &sw_api_methods[i];
    return NULL;
}

const struct sw_api_file *sw_api_file_find(const char *name)
{
    for (unsigned i = 0; i < sw_api_file_count; i++)
        if (strcmp(sw_api_files[i].name, name) == 0)
            return &sw_api_files[i];
    return NULL;
}

const struct sw_api_file *sw_api_file_of_symbol(const char *symbol)
{
    for (unsigned i = 0; i < sw_api_file_count; i++)
        for (unsigned k = 0; k < sw_api_files[i].symbol_count; k++)
            if (strcmp(sw_api_files[i].symbols[k], symbol) == 0)
                return &sw_api_files[i];
    return NULL;
}
