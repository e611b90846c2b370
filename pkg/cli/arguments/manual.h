/* What people and shells read about a program, made from its table of commands.
 *
 * Threads: pure functions.  I/O: none; the text is appended to a buffer. */
#pragma once
#include "pkg/cli/arguments/arguments.h"
#include "pkg/utils/base/buffer.h"

/* The list of commands and global flags; with group (may be NULL) only that group's commands. */
void sw_manual_program(const struct sw_program *program, const char *group, struct sw_buffer *out);
/* One command: usage, details, flags, examples. */
void sw_manual_command(const struct sw_program *program, const struct sw_command *command,
                       struct sw_buffer *out);

/* The page of docs/cli for one command, and the page that lists all of them. */
void sw_manual_page(const struct sw_program *program, const struct sw_command *command,
                    struct sw_buffer *out);
void sw_manual_index(const struct sw_program *program, struct sw_buffer *out);
/* The file name of a command's page, "swarm-agent-build.md", appended to out. */
void sw_manual_page_name(const struct sw_program *program, const struct sw_command *command,
                         struct sw_buffer *out);

/* All those pages, one after the other, each with its file name, until put fails; its error is the
 * answer. name and page are put's only while it runs.
 * SW_E_EXHAUSTED: no memory for a page. */
typedef enum sw_rc sw_manual_put(void *ctx, const char *name, struct sw_bytes page,
                                 struct sw_err *err);
SW_MUST_CHECK enum sw_rc sw_manual_pages(const struct sw_program *program, sw_manual_put *put,
                                         void *ctx, struct sw_err *err);

/* A completion script for "bash", "zsh" or "fish"; it asks "NAME __complete -- WORD..." for
 * candidates at every key press.  SW_E_INVALID: no such shell. */
SW_MUST_CHECK enum sw_rc sw_manual_completion(const struct sw_program *program, const char *shell,
                                              struct sw_buffer *out, struct sw_err *err);

/* Candidates for the last of words[0..count), which may be empty or half written, one a line. They
 * come from the table alone; the answer says what else the caller may offer there, such as the
 * names of Agents that begin with *ret_prefix (borrowed from words, never NULL). */
enum sw_complete sw_manual_candidates(const struct sw_program *program, const char *const *words,
                                      size_t count, struct sw_buffer *out, const char **ret_prefix);
