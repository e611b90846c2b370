#include "pkg/config/loader/loader.h"

#include "pkg/config/loader/sources.h"

#include <stdio.h>
#include <string.h>

#define ENVIRONMENT_PREFIX "SWARM_"
#define BY_DEFAULT "default"

static const char *copy(struct sw_config_load *load, const char *text)
{
    const char *result = sw_arena_copy(load->arena, text, strlen(text));

    if (result == NULL)
        load->is_out_of_memory = true;
    return result != NULL ? result : "";
}

void sw_config_complain(struct sw_config_load *load, const struct sw_config_value *value,
                        const char *words, const char *hint)
{
    struct sw_config_problem *problem;

    if (load->problems_count == SW_CONFIG_PROBLEMS_MAX)
        return;
    problem = &load->problems[load->problems_count++];
    problem->place = copy(load, value->place);
    problem->name = copy(load, value->name);
    problem->words = copy(load, words);
    problem->hint = copy(load, hint);
}

static void complain_of_name(struct sw_config_load *load, const struct sw_config_value *value)
{
    const char *nearest = sw_setting_nearest(value->name);
    char hint[SW_SETTING_NAME_MAX + 32] = "";

    if (nearest != NULL)
        (void)snprintf(hint, sizeof hint, "did you mean %s?", nearest);
    sw_config_complain(load, value, "there is no such setting", hint);
}

void sw_config_put(struct sw_config_load *load, const struct sw_config_value *value)
{
    const struct sw_setting *row = sw_setting_find(value->name);
    struct sw_err err = {0};
    size_t count;
    enum sw_rc rc;

    if (row == NULL) {
        complain_of_name(load, value);
        return;
    }
    rc = sw_setting_put(&load->settings, row, value->text, load->arena, &err);
    if (rc == SW_E_EXHAUSTED)
        load->is_out_of_memory = true;
    else if (rc != SW_OK)
        sw_config_complain(load, value, err.message, err.hint);
    else
        load->origins[row - sw_settings_rows(&count)] = copy(load, value->place);
}

/* --- Defaults ----------------------------------------------------------------------------------
 */

/* The value of a variable, or NULL. */
static const char *environment_find(const char *const *environment, const char *name)
{
    size_t size = strlen(name);

    for (size_t i = 0; environment != NULL && environment[i] != NULL; i++)
        if (strncmp(environment[i], name, size) == 0 && environment[i][size] == '=')
            return environment[i] + size + 1;
    return NULL;
}

/* An XDG folder of the user: the variable if it is an absolute path, otherwise below HOME. */
static const char *user_folder(struct sw_config_load *load, const char *const *environment,
                               const char *variable, const char *below_home)
{
    const char *folder = environment_find(environment, variable);
    const char *home = environment_find(environment, "HOME");
    const char *result;

    if (folder != NULL && folder[0] == '/')
        return folder;
    if (home == NULL || home[0] != '/')
        home = "/root";
    result = sw_arena_print(load->arena, "%s/%s", home, below_home);
    return result != NULL ? result : "/";
}

static const char *expand(struct sw_config_load *load, const char *const *environment,
                          const char *text)
{
    static const struct {
        const char *word, *variable, *below_home;
    } folders[] = {{"{data}", "XDG_DATA_HOME", ".local/share"},
                   {"{config}", "XDG_CONFIG_HOME", ".config"}};

    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        size_t size = strlen(folders[i].word);
        const char *result;

        if (strncmp(text, folders[i].word, size) != 0)
            continue;
        result = sw_arena_print(
            load->arena, "%s%s",
            user_folder(load, environment, folders[i].variable, folders[i].below_home),
            text + size);
        if (result == NULL)
            load->is_out_of_memory = true;
        return result != NULL ? result : "/";
    }
    return text;
}

/* Fill what no source has set; which default it is depends on --dev, so this comes last. */
static void put_defaults(struct sw_config_load *load, const char *const *environment)
{
    bool is_dev = load->settings.is_dev;
    size_t count;
    const struct sw_setting *rows = sw_settings_rows(&count);

    for (size_t i = 0; i < count; i++) {
        struct sw_config_value value = {.place = BY_DEFAULT, .name = rows[i].name};

        if (load->origins[i] != NULL)
            continue;
        value.text = is_dev && rows[i].dev_text != NULL ? rows[i].dev_text : rows[i].default_text;
        value.text = expand(load, environment, value.text);
        sw_config_put(load, &value);
    }
}

/* --- Environment and flags ---------------------------------------------------------------------
 */

static const struct sw_setting *row_of_variable(const char *variable, size_t size)
{
    char name[SW_SETTING_NAME_MAX];
    size_t count;
    const struct sw_setting *rows = sw_settings_rows(&count);

    for (size_t i = 0; i < count; i++) {
        sw_setting_environment(&rows[i], name);
        if (strlen(name) == size && strncmp(name, variable, size) == 0)
            return &rows[i];
    }
    return NULL;
}

/* Variables that name no setting are left alone: others may begin with SWARM_ too. */
static void put_environment(struct sw_config_load *load, const char *const *environment)
{
    for (size_t i = 0; environment != NULL && environment[i] != NULL; i++) {
        size_t size = strcspn(environment[i], "=");
        const struct sw_setting *row;
        struct sw_config_value value;

        if (strncmp(environment[i], ENVIRONMENT_PREFIX, sizeof ENVIRONMENT_PREFIX - 1) != 0 ||
            environment[i][size] == '\0')
            continue;
        row = row_of_variable(environment[i], size);
        if (row == NULL)
            continue;
        value.place = sw_arena_print(load->arena, "%.*s", (int)size, environment[i]);
        if (value.place == NULL)
            value.place = ENVIRONMENT_PREFIX;
        value.name = row->name;
        value.text = environment[i] + size + 1;
        sw_config_put(load, &value);
    }
}

static const char *name_of_flag(const char *flag)
{
    char name[SW_SETTING_NAME_MAX];
    size_t count;
    const struct sw_setting *rows = sw_settings_rows(&count);

    for (size_t i = 0; i < count; i++) {
        sw_setting_flag(&rows[i], name);
        if (strcmp(name, flag) == 0)
            return rows[i].name;
    }
    return flag;
}

static void put_flags(struct sw_config_load *load, const struct sw_config_sources *sources)
{
    for (size_t i = 0; i < sources->flags_count; i++) {
        const struct sw_config_flag *flag = &sources->flags[i];
        struct sw_config_value value = {.name = name_of_flag(flag->name), .text = flag->value};

        value.place = sw_arena_print(load->arena, "--%s", flag->name);
        if (value.place == NULL)
            value.place = "--";
        sw_config_put(load, &value);
    }
}

/* --- All together ------------------------------------------------------------------------------
 */

static enum sw_rc put_file(struct sw_config_load *load, const struct sw_config_sources *sources,
                           bool is_dev, struct sw_err *err)
{
    const char *path = sources->file != NULL ? sources->file : SW_CONFIG_FILE_DEFAULT;
    struct sw_config_value value = {.place = path, .name = ""};
    struct sw_buffer text;
    enum sw_rc rc;

    if (sources->file == NULL && is_dev)
        return SW_OK;
    sw_buffer_init(&text, SW_CONFIG_FILE_MAX);
    rc = sw_file_load(sources->system, path, SW_CONFIG_FILE_MAX, &text, err);
    if (rc == SW_OK) {
        sw_config_read_yaml(load, path, (struct sw_bytes){text.data, text.size});
    } else if (rc == SW_E_RANGE) {
        sw_config_complain(load, &value, "the file is larger than 64KiB", "");
        rc = SW_OK;
    } else if (rc == SW_E_NOT_FOUND && sources->file == NULL) {
        rc = SW_OK;
    }
    sw_buffer_done(&text);
    return rc;
}

/* Whether flags or environment ask for --dev; only then is the system's file not read. */
static bool wants_dev(const struct sw_config_sources *sources)
{
    const char *variable = environment_find(sources->environment, "SWARM_DEV");
    bool is_dev = variable != NULL && strcmp(variable, "true") == 0;

    for (size_t i = 0; i < sources->flags_count; i++)
        if (strcmp(sources->flags[i].name, "dev") == 0)
            is_dev = strcmp(sources->flags[i].value, "true") == 0;
    return is_dev;
}

static void complain_between(void *ctx, const struct sw_setting *row, const char *words)
{
    struct sw_config_load *load = ctx;
    struct sw_config_value value = {.name = row->name};
    size_t count;

    value.place = load->origins[row - sw_settings_rows(&count)];
    sw_config_complain(load, &value, words, "");
}

static enum sw_rc finish(struct sw_config_load *load, const struct sw_config **ret_config,
                         struct sw_err *err)
{
    struct sw_config *config = sw_arena_get(load->arena, sizeof *config);

    if (config == NULL || load->is_out_of_memory)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the settings");
    config->settings = load->settings;
    config->origins = load->origins;
    config->problems = load->problems;
    config->problems_count = load->problems_count;
    *ret_config = config;
    if (load->problems_count == 0)
        return SW_OK;
    (void)sw_err_set(err, SW_E_INVALID, "%s: %s%s%s", load->problems[0].place,
                     load->problems[0].name, load->problems[0].name[0] != '\0' ? ": " : "",
                     load->problems[0].words);
    sw_err_hint(err, "%s", load->problems[0].hint);
    return SW_E_INVALID;
}

enum sw_rc sw_config_load(const struct sw_config_sources *sources, struct sw_arena *arena,
                          const struct sw_config **ret_config, struct sw_err *err)
{
    struct sw_config_load *load = sw_arena_get(arena, sizeof *load);
    enum sw_rc rc;
    size_t count;

    (void)sw_settings_rows(&count);
    if (load != NULL)
        load->origins = sw_arena_array(arena, count, sizeof *load->origins);
    if (load == NULL || load->origins == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the settings");
    load->arena = arena;
    rc = put_file(load, sources, wants_dev(sources), err);
    if (rc != SW_OK)
        return rc;
    put_environment(load, sources->environment);
    put_flags(load, sources);
    put_defaults(load, sources->environment);
    if (load->problems_count == 0 && !load->is_out_of_memory)
        sw_settings_check(&load->settings, complain_between, load);
    return finish(load, ret_config, err);
}

/* --- Printing ----------------------------------------------------------------------------------
 */

/* A text value in double quotes, which all values but numbers and switches get. */
static void print_value(const struct sw_config *config, const struct sw_setting *row,
                        struct sw_buffer *out)
{
    struct sw_buffer text;

    sw_buffer_init(&text, SW_SETTING_VALUE_MAX);
    sw_setting_print(&config->settings, row, &text);
    if (row->type == SW_SETTING_SWITCH || row->type == SW_SETTING_COUNT) {
        sw_buffer_put(out, text.data, text.size);
    } else {
        sw_buffer_put_u8(out, '"');
        for (size_t i = 0; i < text.size; i++) {
            if (text.data[i] < 0x20 || text.data[i] == 0x7f) {
                sw_buffer_print(out, "\\x%02x", text.data[i]);
                continue;
            }
            if (text.data[i] == '"' || text.data[i] == '\\')
                sw_buffer_put_u8(out, '\\');
            sw_buffer_put_u8(out, text.data[i]);
        }
        sw_buffer_put_u8(out, '"');
    }
    sw_buffer_done(&text);
}

void sw_config_print(const struct sw_config *config, struct sw_buffer *out)
{
    char section[SW_SETTING_NAME_MAX] = "";
    size_t count;
    const struct sw_setting *rows = sw_settings_rows(&count);

    for (size_t i = 0; i < count; i++) {
        const char *dot = strchr(rows[i].name, '.');
        size_t size = dot == NULL ? 0 : (size_t)(dot - rows[i].name);

        if (dot != NULL && (strlen(section) != size || strncmp(section, rows[i].name, size) != 0)) {
            (void)snprintf(section, sizeof section, "%.*s", (int)size, rows[i].name);
            sw_buffer_print(out, "%s:\n", section);
        }
        sw_buffer_print(out, "%s%s: ", dot == NULL ? "" : "  ",
                        dot == NULL ? rows[i].name : dot + 1);
        print_value(config, &rows[i], out);
        sw_buffer_print(out, " # %s\n", config->origins[i]);
    }
}

void sw_config_print_problems(const struct sw_config *config, struct sw_buffer *out)
{
    for (size_t i = 0; i < config->problems_count; i++) {
        const struct sw_config_problem *problem = &config->problems[i];

        sw_buffer_print(out, "%s: %s%s%s%s%s\n", problem->place, problem->name,
                        problem->name[0] != '\0' ? ": " : "", problem->words,
                        problem->hint[0] != '\0' ? "; " : "", problem->hint);
    }
}
