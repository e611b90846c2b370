#include "pkg/cli/arguments/manual.h"

#include <string.h>

#define FLAG_COLUMN 28
#define PAGE_BYTES_MAX ((size_t)1024 * 1024)
#define NAME_BYTES_MAX 256

/* Does the command stand in lists, and in this group if one is named? */
static bool is_listed(const struct sw_command *command, const char *group)
{
    size_t size = group == NULL ? 0 : strlen(group);

    if (command->is_hidden)
        return false;
    return group == NULL ||
           (strncmp(command->name, group, size) == 0 && command->name[size] == ' ');
}

static void put_flag_name(const struct sw_flag *flag, struct sw_buffer *out)
{
    if (flag->letter != 0)
        sw_buffer_print(out, "-%c, ", flag->letter);
    sw_buffer_print(out, "--%s", flag->name);
    if (flag->value != NULL)
        sw_buffer_print(out, "=%s", flag->value);
}

static void put_flag(const struct sw_flag *flag, struct sw_buffer *out)
{
    size_t before, width;

    sw_buffer_put_text(out, flag->letter != 0 ? "  " : "      ");
    before = out->size;
    put_flag_name(flag, out);
    width = out->size - before + (flag->letter != 0 ? 2 : 6);
    if (width + 2 > FLAG_COLUMN) {
        sw_buffer_put_text(out, "\n");
        width = 0;
    }
    sw_buffer_print(out, "%*s%s", (int)(FLAG_COLUMN - width), "", flag->help);
    if (flag->choices != NULL) {
        sw_buffer_put_text(out, ": ");
        for (size_t i = 0; flag->choices[i] != NULL; i++)
            sw_buffer_print(out, "%s%s", i == 0 ? "" : ", ", flag->choices[i]);
    }
    sw_buffer_put_text(out, flag->repeats ? " (may be repeated)\n" : "\n");
}

void sw_manual_program(const struct sw_program *program, const char *group, struct sw_buffer *out)
{
    sw_buffer_print(out, "%s\n\nUsage: %s %s%sCOMMAND [ARGUMENT...] [FLAG...]\n\nCommands:\n",
                    program->summary, program->name, group == NULL ? "" : group,
                    group == NULL ? "" : " ");
    for (size_t i = 0; i < program->commands_count; i++) {
        const struct sw_command *command = &program->commands[i];

        if (is_listed(command, group))
            sw_buffer_print(out, "  %-16s %s\n", command->name, command->summary);
    }
    sw_buffer_put_text(out, "\nFlags of every command:\n");
    for (size_t i = 0; i < program->flags_count; i++)
        put_flag(&program->flags[i], out);
    sw_buffer_print(out,
                    "  -h, --help                Help for a command\n\nMore: %s help COMMAND\n",
                    program->name);
    if (program->footer != NULL)
        sw_buffer_print(out, "\n%s\n", program->footer);
}

static void put_usage(const struct sw_program *program, const struct sw_command *command,
                      struct sw_buffer *out)
{
    sw_buffer_print(out, "%s %s%s%s [FLAG...]", program->name, command->name,
                    command->arguments[0] == '\0' ? "" : " ", command->arguments);
}

/* Each line of text, indented. */
static void put_indented(const char *text, const char *indent, struct sw_buffer *out)
{
    while (*text != '\0') {
        size_t size = strcspn(text, "\n");

        if (size > 0)
            sw_buffer_put_text(out, indent);
        sw_buffer_put(out, text, size);
        sw_buffer_put_text(out, "\n");
        text += size + (text[size] == '\n');
    }
}

void sw_manual_command(const struct sw_program *program, const struct sw_command *command,
                       struct sw_buffer *out)
{
    sw_buffer_print(out, "%s\n\nUsage: ", command->summary);
    put_usage(program, command, out);
    sw_buffer_put_text(out, "\n");
    if (command->details != NULL) {
        sw_buffer_put_text(out, "\n");
        put_indented(command->details, "", out);
    }
    if (command->flags_count > 0)
        sw_buffer_put_text(out, "\nFlags:\n");
    for (size_t i = 0; i < command->flags_count; i++)
        put_flag(&command->flags[i], out);
    sw_buffer_put_text(out, "\nExamples:\n");
    put_indented(command->examples, "  ", out);
    sw_buffer_print(out, "\nFlags of every command: %s help\n", program->name);
}

void sw_manual_page_name(const struct sw_program *program, const struct sw_command *command,
                         struct sw_buffer *out)
{
    const char *name = command->name;

    sw_buffer_print(out, "%s-", program->name);
    for (; *name != '\0'; name++)
        sw_buffer_put_u8(out, (uint8_t)(*name == ' ' ? '-' : *name));
    sw_buffer_put_text(out, ".md");
}

static void put_flag_table(const struct sw_flag *flags, size_t count, struct sw_buffer *out)
{
    sw_buffer_put_text(out, "| Flag | Meaning |\n|---|---|\n");
    for (size_t i = 0; i < count; i++) {
        sw_buffer_put_text(out, "| `");
        put_flag_name(&flags[i], out);
        sw_buffer_print(out, "` | %s", flags[i].help);
        for (size_t c = 0; flags[i].choices != NULL && flags[i].choices[c] != NULL; c++)
            sw_buffer_print(out, "%s`%s`", c == 0 ? ": " : ", ", flags[i].choices[c]);
        sw_buffer_put_text(out, flags[i].repeats ? " (may be repeated) |\n" : " |\n");
    }
}

void sw_manual_page(const struct sw_program *program, const struct sw_command *command,
                    struct sw_buffer *out)
{
    sw_buffer_print(out, "# %s %s\n\n%s.\n\n```\n", program->name, command->name, command->summary);
    put_usage(program, command, out);
    sw_buffer_put_text(out, "\n```\n");
    if (command->details != NULL) {
        sw_buffer_put_text(out, "\n");
        put_indented(command->details, "", out);
    }
    if (command->flags_count > 0) {
        sw_buffer_put_text(out, "\n## Flags\n\n");
        put_flag_table(command->flags, command->flags_count, out);
    }
    sw_buffer_put_text(out, "\n## Examples\n\n```sh\n");
    put_indented(command->examples, "", out);
    sw_buffer_print(out, "```\n\n[All commands and the flags of every command](%s.md)\n",
                    program->name);
}

void sw_manual_index(const struct sw_program *program, struct sw_buffer *out)
{
    sw_buffer_print(out, "# %s\n\n%s.\n\n| Command | Meaning |\n|---|---|\n", program->name,
                    program->summary);
    for (size_t i = 0; i < program->commands_count; i++) {
        const struct sw_command *command = &program->commands[i];

        if (!is_listed(command, NULL))
            continue;
        sw_buffer_print(out, "| [%s %s](", program->name, command->name);
        sw_manual_page_name(program, command, out);
        sw_buffer_print(out, ") | %s |\n", command->summary);
    }
    sw_buffer_put_text(out, "\n## Flags of every command\n\n");
    put_flag_table(program->flags, program->flags_count, out);
    if (program->footer != NULL)
        sw_buffer_print(out, "\n%s\n", program->footer);
}

static enum sw_rc put_page(sw_manual_put *put, void *ctx, struct sw_buffer *name,
                           const struct sw_buffer *page, struct sw_err *err)
{
    sw_buffer_put_u8(name, 0);
    if (sw_buffer_check(page) != SW_OK || sw_buffer_check(name) != SW_OK)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a page");
    return put(ctx, (const char *)name->data, (struct sw_bytes){page->data, page->size}, err);
}

enum sw_rc sw_manual_pages(const struct sw_program *program, sw_manual_put *put, void *ctx,
                           struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer page = {0};
    SW_CLEANUP(sw_buffer_done) struct sw_buffer name = {0};
    enum sw_rc rc;

    sw_buffer_init(&page, PAGE_BYTES_MAX);
    sw_buffer_init(&name, NAME_BYTES_MAX);
    sw_manual_index(program, &page);
    sw_buffer_print(&name, "%s.md", program->name);
    rc = put_page(put, ctx, &name, &page, err);
    for (size_t i = 0; i < program->commands_count && rc == SW_OK; i++) {
        if (!is_listed(&program->commands[i], NULL))
            continue;
        sw_buffer_reset(&page);
        sw_buffer_reset(&name);
        sw_manual_page(program, &program->commands[i], &page);
        sw_manual_page_name(program, &program->commands[i], &name);
        rc = put_page(put, ctx, &name, &page, err);
    }
    return rc;
}
