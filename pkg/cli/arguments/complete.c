#include "pkg/cli/arguments/manual.h"

#include <string.h>

/* The shells differ in how they hand over the words of the line and take back candidates. In each,
 * a %1$s stands for the program's name; no candidates means: offer files. */
static const char bash_script[] =
    "_%1$s_complete()\n{\n"
    "    local IFS=$'\\n'\n"
    "    COMPREPLY=($(%1$s __complete -- \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null))\n"
    "}\n"
    "complete -o default -F _%1$s_complete %1$s\n";
static const char zsh_script[] =
    "#compdef %1$s\n"
    "_%1$s_complete()\n{\n"
    "    local -a candidates\n"
    "    candidates=(\"${(@f)$(%1$s __complete -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\")\n"
    "    if [[ -n \"$candidates\" ]]; then\n        compadd -a candidates\n"
    "    else\n        _files\n    fi\n"
    "}\n"
    "compdef _%1$s_complete %1$s\n";
static const char fish_script[] =
    "function __%1$s_complete\n"
    "    set -l words (commandline -opc)\n"
    "    set -l found (%1$s __complete -- $words[2..-1] (commandline -ct) 2>/dev/null)\n"
    "    if test (count $found) -gt 0\n        printf '%%s\\n' $found\n"
    "    else\n        __fish_complete_path (commandline -ct)\n    end\n"
    "end\n"
    "complete -c %1$s -f -a '(__%1$s_complete)'\n";

/* The template with every %1$s replaced; the program's name is our own, not a user's. */
static void put_script(const char *script, const char *name, struct sw_buffer *out)
{
    while (*script != '\0') {
        if (strncmp(script, "%1$s", 4) == 0) {
            sw_buffer_put_text(out, name);
            script += 4;
        } else if (strncmp(script, "%%", 2) == 0) {
            sw_buffer_put_u8(out, '%');
            script += 2;
        } else {
            sw_buffer_put_u8(out, (uint8_t)*script++);
        }
    }
}

enum sw_rc sw_manual_completion(const struct sw_program *program, const char *shell,
                                struct sw_buffer *out, struct sw_err *err)
{
    if (strcmp(shell, "bash") == 0)
        put_script(bash_script, program->name, out);
    else if (strcmp(shell, "zsh") == 0)
        put_script(zsh_script, program->name, out);
    else if (strcmp(shell, "fish") == 0)
        put_script(fish_script, program->name, out);
    else
        return sw_err_set(err, SW_E_INVALID,
                          "no completion for \"%s\": bash, zsh and fish have one", shell);
    return SW_OK;
}

/* How far the words before the last one have been understood. */
struct place {
    const struct sw_program *program;
    const struct sw_command *command;
    const char *group;
    const struct sw_flag *waiting; /* The flag whose value comes next. */
    bool flags_ended;
};

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static const struct sw_flag *flag_among(const struct sw_flag *flags, size_t count, const char *word)
{
    size_t size = strcspn(word, "=");

    for (size_t i = 0; i < count; i++) {
        bool is_long = word[1] == '-' && strlen(flags[i].name) == size - 2 &&
                       strncmp(flags[i].name, word + 2, size - 2) == 0;

        if (is_long || (word[1] != '-' && flags[i].letter == word[1]))
            return &flags[i];
    }
    return NULL;
}

static const struct sw_flag *flag_of(const struct place *place, const char *word)
{
    const struct sw_flag *flag = NULL;

    if (place->command != NULL)
        flag = flag_among(place->command->flags, place->command->flags_count, word);
    if (flag == NULL)
        flag = flag_among(place->program->flags, place->program->flags_count, word);
    return flag;
}

static void enter_word(struct place *place, const char *word)
{
    const struct sw_program *program = place->program;
    size_t group_size = place->group == NULL ? 0 : strlen(place->group) + 1;

    for (size_t i = 0; place->command == NULL && i < program->commands_count; i++) {
        const char *name = program->commands[i].name;

        if (place->group != NULL && !starts_with(name, place->group))
            continue;
        if (strlen(name) > group_size && strcmp(name + group_size, word) == 0)
            place->command = &program->commands[i];
    }
    if (place->command == NULL && place->group == NULL)
        place->group = word;
}

/* A shell may hand over "--output=json" as three words; "=" alone changes nothing. */
static void read_word(struct place *place, const char *word)
{
    const struct sw_flag *flag;

    if (place->waiting != NULL) {
        if (strcmp(word, "=") != 0)
            place->waiting = NULL;
        return;
    }
    if (strcmp(word, "--") == 0) {
        place->flags_ended = true;
        return;
    }
    if (place->flags_ended || word[0] != '-' || word[1] == '\0') {
        enter_word(place, word);
        return;
    }
    flag = flag_of(place, word);
    if (flag != NULL && flag->value != NULL && strchr(word, '=') == NULL &&
        (word[1] == '-' || word[2] == '\0'))
        place->waiting = flag;
}

static enum sw_complete offer_values(const struct sw_flag *flag, const char *prefix,
                                     struct sw_buffer *out)
{
    for (size_t i = 0; flag->choices != NULL && flag->choices[i] != NULL; i++) {
        if (starts_with(flag->choices[i], prefix))
            sw_buffer_print(out, "%s\n", flag->choices[i]);
    }
    return flag->completes;
}

static void offer_flags(const struct sw_flag *flags, size_t count, const char *prefix,
                        struct sw_buffer *out)
{
    for (size_t i = 0; i < count; i++) {
        if (starts_with(flags[i].name, prefix))
            sw_buffer_print(out, "--%s%s\n", flags[i].name, flags[i].value == NULL ? "" : "=");
    }
}

static void offer_commands(const struct place *place, const char *prefix, struct sw_buffer *out)
{
    const struct sw_program *program = place->program;
    size_t group_size = place->group == NULL ? 0 : strlen(place->group) + 1;
    const char *last = "";

    for (size_t i = 0; i < program->commands_count; i++) {
        const char *name = program->commands[i].name;
        const char *word;
        size_t size;

        if (program->commands[i].is_hidden ||
            (place->group != NULL &&
             (!starts_with(name, place->group) || name[group_size - 1] != ' ')))
            continue;
        word = name + group_size;
        size = strcspn(word, " ");
        /* The commands of a group stand together in the table: its name is offered once. */
        if (starts_with(word, prefix) && strncmp(word, last, size + 1) != 0)
            sw_buffer_print(out, "%.*s\n", (int)size, word);
        last = word[size] == ' ' ? word : "";
    }
}

enum sw_complete sw_manual_candidates(const struct sw_program *program, const char *const *words,
                                      size_t count, struct sw_buffer *out, const char **ret_prefix)
{
    struct place place = {.program = program};
    const char *word = count == 0 ? "" : words[count - 1];
    const struct sw_flag *flag;

    for (size_t i = 0; i + 1 < count; i++)
        read_word(&place, words[i]);
    *ret_prefix = strcmp(word, "=") == 0 ? "" : word;
    if (place.waiting != NULL)
        return offer_values(place.waiting, *ret_prefix, out);
    if (word[0] == '-' && !place.flags_ended) {
        flag = strchr(word, '=') == NULL ? NULL : flag_of(&place, word);
        if (flag != NULL) {
            *ret_prefix = strchr(word, '=') + 1;
            return offer_values(flag, *ret_prefix, out);
        }
        word += strspn(word, "-");
        offer_flags(program->flags, program->flags_count, word, out);
        if (place.command != NULL)
            offer_flags(place.command->flags, place.command->flags_count, word, out);
        return SW_COMPLETE_NONE;
    }
    if (place.command != NULL)
        return place.command->completes;
    offer_commands(&place, word, out);
    return SW_COMPLETE_NONE;
}
