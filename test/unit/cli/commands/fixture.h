/* A person at a terminal of her own: what she types, what she sees, in a folder that goes away. */
#pragma once
#include "pkg/cli/commands/commands.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define FIXTURE_VARIABLES_MAX 8

struct person {
    struct sw_terminal terminal;
    struct sw_buffer out, error;
    const char *input; /* Of standard input. */
    const char *variables[FIXTURE_VARIABLES_MAX][2];
    size_t variables_count;
    char folder[64];      /* Absolute; the working directory is in it. */
    const char *programs; /* Names that can be run, each with a space after it. */
    char ran[4096];       /* Command lines that were run, one a line. */
    int run_status;
    const struct sw_program *program;
    enum sw_rc (*run)(struct sw_cli *cli, int action, struct sw_err *err);
};

static inline void person_write(void *ctx, enum sw_terminal_stream stream, const void *bytes,
                                size_t size)
{
    struct person *person = ctx;

    sw_buffer_put(stream == SW_TERMINAL_OUT ? &person->out : &person->error, bytes, size);
}

static inline enum sw_rc person_read(void *ctx, size_t size_max, struct sw_buffer *out,
                                     struct sw_err *err)
{
    struct person *person = ctx;

    if (strlen(person->input) > size_max)
        return sw_err_set(err, SW_E_RANGE, "the input is larger than %zu bytes", size_max);
    sw_buffer_put_text(out, person->input);
    return SW_OK;
}

static inline const char *person_variable(void *ctx, const char *name)
{
    struct person *person = ctx;

    for (size_t i = 0; i < person->variables_count; i++) {
        if (strcmp(person->variables[i][0], name) == 0)
            return person->variables[i][1];
    }
    return NULL;
}

static inline enum sw_rc person_run(void *ctx, const char *const *arguments, struct sw_buffer *out,
                                    int *ret_status, struct sw_err *err)
{
    struct person *person = ctx;
    char word[128];

    (void)snprintf(word, sizeof word, "%s ", arguments[0]);
    if (strstr(person->programs, word) == NULL)
        return sw_err_set(err, SW_E_NOT_FOUND, "cannot run %s", arguments[0]);
    for (size_t i = 0; arguments[i] != NULL; i++) {
        (void)strncat(person->ran, i == 0 ? "" : " ", sizeof person->ran - strlen(person->ran) - 1);
        (void)strncat(person->ran, arguments[i], sizeof person->ran - strlen(person->ran) - 1);
    }
    (void)strncat(person->ran, "\n", sizeof person->ran - strlen(person->ran) - 1);
    *ret_status = strcmp(arguments[1], "--version") == 0 ? 0 : person->run_status;
    if (out != NULL)
        sw_buffer_print(out, "%s version 19\nmore\n", arguments[0]);
    return SW_OK;
}

static inline int person_landlock(void *ctx)
{
    (void)ctx;
    return 7;
}

static inline void person_set(struct person *person, const char *name, const char *value)
{
    person->variables[person->variables_count][0] = name;
    person->variables[person->variables_count++][1] = value;
}

static inline int person_setup(void **state)
{
    static struct person person;

    memset(&person, 0, sizeof person);
    sw_buffer_init(&person.out, 1 << 24);
    sw_buffer_init(&person.error, 1 << 24);
    person.input = person.programs = "";
    person.terminal = (struct sw_terminal){.ctx = &person,
                                           .write = person_write,
                                           .read = person_read,
                                           .variable = person_variable,
                                           .run = person_run,
                                           .landlock_version = person_landlock};
    person.program = &sw_swarm_program;
    person.run = sw_swarm_run;
    (void)snprintf(person.folder, sizeof person.folder, "/tmp/swarm-person-XXXXXX");
    if (mkdtemp(person.folder) == NULL || chdir(person.folder) != 0)
        return -1;
    person_set(&person, "HOME", person.folder);
    *state = &person;
    return 0;
}

static inline int person_teardown(void **state)
{
    struct person *person = *state;
    char command[128];

    sw_buffer_done(&person->out);
    sw_buffer_done(&person->error);
    (void)snprintf(command, sizeof command, "cd / && rm -rf %s", person->folder);
    return chdir("/") == 0 ? system(command) : -1;
}

/* Type one command; out and error then hold what she sees, as texts. */
static inline int person_types(struct person *person, const char *const *words)
{
    struct sw_cli cli = {
        .terminal = &person->terminal, .system = sw_system_real(), .program = person->program};
    size_t count = 0;
    int status;

    while (words[count] != NULL)
        count++;
    sw_buffer_reset(&person->out);
    sw_buffer_reset(&person->error);
    person->ran[0] = '\0';
    status = sw_cli_run(&cli, words, count, person->run);
    sw_buffer_put_u8(&person->out, 0);
    sw_buffer_put_u8(&person->error, 0);
    return status;
}
#define TYPE(person, ...) person_types(person, (const char *const[]){__VA_ARGS__, NULL})

static inline const char *seen(const struct person *person)
{
    return (const char *)person->out.data;
}

static inline const char *told(const struct person *person)
{
    return (const char *)person->error.data;
}

static inline void person_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

#define PERSON_TEST(name) cmocka_unit_test_setup_teardown(name, person_setup, person_teardown)
