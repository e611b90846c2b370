#include "pkg/cli/arguments/arguments.h"
#include "pkg/utils/base/text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define NEAREST_CANDIDATES_MAX 128
#define FLAG_NAME_MAX 64

struct given {
    const struct sw_flag *flag;
    const char *value; /* "true" or "false" for a switch. */
};

struct sw_arguments {
    const struct sw_program *program;
    const struct sw_command *command;
    const char *group;
    bool wants_help;
    struct given *given;
    size_t given_count;
    const char **positional;
    size_t positional_count;
};

/* The words still to be read. */
struct cursor {
    const char *const *words;
    size_t count, at;
};

static const struct sw_command *command_find(const struct sw_program *program, const char *group,
                                             const char *word)
{
    for (size_t i = 0; i < program->commands_count; i++) {
        const char *name = program->commands[i].name;
        size_t group_size = group == NULL ? 0 : strlen(group);

        if (group != NULL && (strncmp(name, group, group_size) != 0 || name[group_size] != ' '))
            continue;
        if (strcmp(group == NULL ? name : name + group_size + 1, word) == 0)
            return &program->commands[i];
    }
    return NULL;
}

static bool is_group(const struct sw_program *program, const char *word)
{
    size_t size = strlen(word);

    for (size_t i = 0; i < program->commands_count; i++) {
        const char *name = program->commands[i].name;

        if (strncmp(name, word, size) == 0 && name[size] == ' ')
            return true;
    }
    return false;
}

/* The first word of each command outside a group, the second words within one. */
static const char *nearest_command(const struct sw_program *program, const char *group,
                                   const char *word, struct sw_arena *arena)
{
    const char *candidates[NEAREST_CANDIDATES_MAX];
    size_t count = 0;

    for (size_t i = 0; i < program->commands_count && count < NEAREST_CANDIDATES_MAX; i++) {
        const char *name = program->commands[i].name;
        const char *space = strchr(name, ' ');

        if (program->commands[i].is_hidden)
            continue;
        if (group == NULL) {
            candidates[count] =
                sw_arena_copy(arena, name, space == NULL ? strlen(name) : (size_t)(space - name));
            count += candidates[count] != NULL;
        } else if (space != NULL && strncmp(name, group, (size_t)(space - name)) == 0) {
            candidates[count++] = space + 1;
        }
    }
    return sw_text_nearest(word, candidates, count);
}

static enum sw_rc refuse_command(const struct sw_arguments *arguments, const char *word,
                                 struct sw_arena *arena, struct sw_err *err)
{
    const char *group = arguments->group;
    const char *name = arguments->program->name;
    const char *nearest = nearest_command(arguments->program, group, word, arena);

    (void)sw_err_set(err, SW_E_INVALID, "unknown command \"%s%s%s\"", group == NULL ? "" : group,
                     group == NULL ? "" : " ", word);
    if (nearest != NULL)
        sw_err_hint(err, "did you mean \"%s %s%s%s\"?", name, group == NULL ? "" : group,
                    group == NULL ? "" : " ", nearest);
    else
        sw_err_hint(err, "see all commands with: %s help", name);
    return SW_E_INVALID;
}

static const struct sw_flag *flag_in(const struct sw_flag *flags, size_t count, const char *name,
                                     size_t size)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(flags[i].name) == size && strncmp(flags[i].name, name, size) == 0)
            return &flags[i];
    }
    return NULL;
}

static const struct sw_flag *flag_find(const struct sw_arguments *arguments, const char *name,
                                       size_t size)
{
    const struct sw_command *command = arguments->command;
    const struct sw_flag *flag = NULL;

    if (command != NULL)
        flag = flag_in(command->flags, command->flags_count, name, size);
    if (flag == NULL)
        flag = flag_in(arguments->program->flags, arguments->program->flags_count, name, size);
    return flag;
}

static const struct sw_flag *letter_find(const struct sw_arguments *arguments, char letter)
{
    const struct sw_command *command = arguments->command;
    const struct sw_program *program = arguments->program;

    for (size_t i = 0; command != NULL && i < command->flags_count; i++) {
        if (command->flags[i].letter == letter)
            return &command->flags[i];
    }
    for (size_t i = 0; i < program->flags_count; i++) {
        if (program->flags[i].letter == letter)
            return &program->flags[i];
    }
    return NULL;
}

static enum sw_rc refuse_flag(const struct sw_arguments *arguments, const char *given,
                              struct sw_err *err)
{
    char name[FLAG_NAME_MAX];
    const char *candidates[NEAREST_CANDIDATES_MAX];
    const struct sw_command *command = arguments->command;
    const struct sw_program *program = arguments->program;
    const char *nearest;
    size_t count = 0;

    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(given, "="), given);
    for (size_t i = 0; i < program->flags_count && count < NEAREST_CANDIDATES_MAX; i++)
        candidates[count++] = program->flags[i].name;
    for (size_t i = 0; command != NULL && i < command->flags_count; i++) {
        if (count < NEAREST_CANDIDATES_MAX)
            candidates[count++] = command->flags[i].name;
    }
    nearest = sw_text_nearest(name, candidates, count);
    (void)sw_err_set(err, SW_E_INVALID, "unknown flag --%s%s%s", name,
                     command == NULL ? " before the command" : " of ",
                     command == NULL ? "" : command->name);
    if (nearest != NULL)
        sw_err_hint(err, "did you mean --%s?", nearest);
    else
        sw_err_hint(err, "see its flags with: %s help%s%s", program->name,
                    command == NULL ? "" : " ", command == NULL ? "" : command->name);
    return SW_E_INVALID;
}

static enum sw_rc choice_refuse(const struct sw_flag *flag, size_t count, const char *value,
                                struct sw_err *err)
{
    const char *nearest = sw_text_nearest(value, flag->choices, count);
    char all[SW_ERR_HINT_MAX] = "";

    (void)sw_err_set(err, SW_E_INVALID, "--%s cannot be \"%s\"", flag->name, value);
    if (nearest != NULL) {
        sw_err_hint(err, "did you mean %s?", nearest);
        return SW_E_INVALID;
    }
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(all);

        (void)snprintf(all + used, sizeof all - used, "%s%s", i == 0 ? "" : ", ", flag->choices[i]);
    }
    sw_err_hint(err, "it is one of %s", all);
    return SW_E_INVALID;
}

static enum sw_rc flag_give(struct sw_arguments *arguments, const struct sw_flag *flag,
                            const char *value, struct sw_err *err)
{
    size_t count = 0;

    if (flag->value == NULL && strcmp(value, "true") != 0 && strcmp(value, "false") != 0) {
        (void)sw_err_set(err, SW_E_INVALID, "--%s is true or false, not \"%s\"", flag->name, value);
        return SW_E_INVALID;
    }
    for (; flag->choices != NULL && flag->choices[count] != NULL; count++) {
        if (strcmp(flag->choices[count], value) == 0)
            break;
    }
    if (flag->choices != NULL && flag->choices[count] == NULL)
        return choice_refuse(flag, count, value, err);
    arguments->given[arguments->given_count++] = (struct given){.flag = flag, .value = value};
    return SW_OK;
}

/* The value that follows in the next word. */
static enum sw_rc next_value(const struct sw_flag *flag, struct cursor *cursor,
                             const char **ret_value, struct sw_err *err)
{
    if (cursor->at >= cursor->count) {
        (void)sw_err_set(err, SW_E_INVALID, "--%s needs a value", flag->name);
        sw_err_hint(err, "write --%s %s (%s)", flag->name, flag->value, flag->help);
        return SW_E_INVALID;
    }
    *ret_value = cursor->words[cursor->at++];
    return SW_OK;
}

/* "--name", "--name=value" or "--name value". */
static enum sw_rc read_long(struct sw_arguments *arguments, const char *name, struct cursor *cursor,
                            struct sw_err *err)
{
    const char *equals = strchr(name, '=');
    size_t size = equals == NULL ? strlen(name) : (size_t)(equals - name);
    const struct sw_flag *flag;
    const char *value = equals == NULL ? "true" : equals + 1;
    enum sw_rc rc;

    if (size == 4 && strncmp(name, "help", 4) == 0) {
        arguments->wants_help = true;
        return SW_OK;
    }
    flag = flag_find(arguments, name, size);
    if (flag == NULL)
        return refuse_flag(arguments, name, err);
    if (flag->value != NULL && equals == NULL) {
        rc = next_value(flag, cursor, &value, err);
        if (rc != SW_OK)
            return rc;
    }
    return flag_give(arguments, flag, value, err);
}

/* "-o json", "-ojson", "-o=json" or several switches "-qv". */
static enum sw_rc read_letters(struct sw_arguments *arguments, const char *letters,
                               struct cursor *cursor, struct sw_err *err)
{
    enum sw_rc rc = SW_OK;

    for (; *letters != '\0' && rc == SW_OK; letters++) {
        const struct sw_flag *flag = letter_find(arguments, *letters);
        const char *value = "true";

        if (flag == NULL && *letters == 'h') {
            arguments->wants_help = true;
            continue;
        }
        if (flag == NULL)
            return sw_err_set(err, SW_E_INVALID, "unknown flag -%c%s%s", *letters,
                              arguments->command == NULL ? " before the command" : " of ",
                              arguments->command == NULL ? "" : arguments->command->name);
        if (flag->value == NULL) {
            rc = flag_give(arguments, flag, value, err);
            continue;
        }
        value = letters[1] == '=' ? letters + 2 : letters + 1;
        if (letters[1] == '\0')
            rc = next_value(flag, cursor, &value, err);
        return rc == SW_OK ? flag_give(arguments, flag, value, err) : rc;
    }
    return rc;
}

/* A word that is no flag: part of the command's name, or its argument. */
static enum sw_rc read_word(struct sw_arguments *arguments, const char *word,
                            struct sw_arena *arena, struct sw_err *err)
{
    if (arguments->command != NULL) {
        arguments->positional[arguments->positional_count++] = word;
        return SW_OK;
    }
    arguments->command = command_find(arguments->program, arguments->group, word);
    if (arguments->command != NULL)
        return SW_OK;
    if (arguments->group != NULL || !is_group(arguments->program, word))
        return refuse_command(arguments, word, arena, err);
    arguments->group = word;
    return SW_OK;
}

static enum sw_rc read_all(struct sw_arguments *arguments, struct cursor *cursor,
                           struct sw_arena *arena, struct sw_err *err)
{
    bool flags_ended = false;
    enum sw_rc rc = SW_OK;

    while (rc == SW_OK && cursor->at < cursor->count) {
        const char *word = cursor->words[cursor->at++];

        if (flags_ended || word[0] != '-' || word[1] == '\0')
            rc = read_word(arguments, word, arena, err);
        else if (strcmp(word, "--") == 0)
            flags_ended = true;
        else if (word[1] == '-')
            rc = read_long(arguments, word + 2, cursor, err);
        else
            rc = read_letters(arguments, word + 1, cursor, err);
    }
    return rc;
}

static enum sw_rc check_count(const struct sw_arguments *arguments, struct sw_err *err)
{
    const struct sw_command *command = arguments->command;
    size_t count = arguments->positional_count;

    if (command == NULL || arguments->wants_help ||
        (count >= command->arguments_min && count <= command->arguments_max))
        return SW_OK;
    if (count < command->arguments_min)
        (void)sw_err_set(err, SW_E_INVALID, "%s: an argument is missing", command->name);
    else
        (void)sw_err_set(err, SW_E_INVALID, "%s: \"%s\" is one argument too many", command->name,
                         arguments->positional[command->arguments_max]);
    sw_err_hint(err, "usage: %s %s %s", arguments->program->name, command->name,
                command->arguments);
    return SW_E_INVALID;
}

enum sw_rc sw_arguments_parse(const struct sw_program *program, const char *const *words,
                              size_t count, struct sw_arena *arena,
                              struct sw_arguments **ret_arguments, struct sw_err *err)
{
    struct cursor cursor = {.words = words, .count = count};
    struct sw_arguments *arguments = sw_arena_get(arena, sizeof *arguments);
    enum sw_rc rc;

    assert(program != NULL);
    assert(words != NULL || count == 0);
    *ret_arguments = NULL;
    if (count > SW_ARGUMENTS_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED, "more than %d words on the command line",
                          SW_ARGUMENTS_MAX);
    if (arguments == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the command line");
    arguments->program = program;
    /* One word gives at most one argument, but a word of letters may give a flag for each. */
    size_t letters = count;
    for (size_t i = 0; i < count; i++)
        letters += strlen(words[i]);
    arguments->given = sw_arena_array(arena, letters, sizeof *arguments->given);
    arguments->positional = sw_arena_array(arena, count, sizeof *arguments->positional);
    if (arguments->given == NULL || arguments->positional == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the command line");
    *ret_arguments = arguments;
    rc = read_all(arguments, &cursor, arena, err);
    return rc == SW_OK ? check_count(arguments, err) : rc;
}

const struct sw_command *sw_arguments_command(const struct sw_arguments *arguments)
{
    return arguments->command;
}

const char *sw_arguments_group(const struct sw_arguments *arguments)
{
    return arguments->command == NULL ? arguments->group : NULL;
}

bool sw_arguments_wants_help(const struct sw_arguments *arguments)
{
    return arguments->wants_help;
}

size_t sw_arguments_count(const struct sw_arguments *arguments)
{
    return arguments->positional_count;
}

const char *sw_arguments_at(const struct sw_arguments *arguments, size_t index)
{
    return index < arguments->positional_count ? arguments->positional[index] : NULL;
}

const char *sw_arguments_text(const struct sw_arguments *arguments, const char *flag)
{
    for (size_t i = arguments->given_count; i > 0; i--) {
        if (strcmp(arguments->given[i - 1].flag->name, flag) == 0)
            return arguments->given[i - 1].value;
    }
    return NULL;
}

const char *sw_arguments_text_at(const struct sw_arguments *arguments, const char *flag,
                                 size_t index)
{
    for (size_t i = 0; i < arguments->given_count; i++) {
        if (strcmp(arguments->given[i].flag->name, flag) == 0 && index-- == 0)
            return arguments->given[i].value;
    }
    return NULL;
}

bool sw_arguments_is(const struct sw_arguments *arguments, const char *flag, bool fallback)
{
    const char *value = sw_arguments_text(arguments, flag);

    return value == NULL ? fallback : strcmp(value, "true") == 0;
}
