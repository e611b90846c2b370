/* One run of `swarm`: what every command has at hand, and how it ends.
 *
 * A command is a function that gets the run and returns a code; its words go into the error, which
 * is printed in one form for all, and the code becomes the exit status (enum sw_exit).
 * Threads: one.  I/O: through the terminal, the system and the client that it holds. */
#pragma once
#include "pkg/cli/arguments/arguments.h"
#include "pkg/cli/output/output.h"
#include "pkg/cli/terminal/terminal.h"
#include "pkg/client/clientset/objects.h"

#define SW_CLI_OUTPUT_BYTES_MAX ((size_t)1024 * 1024 * 1024)
#define SW_CLI_ARENA_BYTES_MAX ((size_t)2 * 1024 * 1024 * 1024)

enum sw_exit {
    SW_EXIT_OK = 0,
    SW_EXIT_ERROR = 1,
    SW_EXIT_USAGE = 2,
    SW_EXIT_NOT_FOUND = 3,
    SW_EXIT_CONFLICT = 4,
    SW_EXIT_DENIED = 5,
    SW_EXIT_UNREACHABLE = 6,
    SW_EXIT_TIMEOUT = 7
};
/* What the help says of them. */
#define SW_EXIT_FOOTER                                                                             \
    "Exit status: 0 ok, 1 error, 2 usage, 3 not found, 4 conflict, 5 denied, 6 unreachable, "      \
    "7 timeout."

struct sw_cli {
    const struct sw_terminal *terminal;
    const struct sw_system *system;
    struct sw_arena *arena; /* For all that this run makes. */
    const struct sw_program *program;
    const struct sw_arguments *arguments;
    struct sw_client *client;  /* NULL until sw_cli_connect. */
    struct sw_context context; /* Valid after sw_cli_choose_context. */
    const char *namespace;     /* Of objects; set with the context. */
    uint64_t timeout_ms;       /* --timeout, or 0. */
    bool has_context, is_quiet, is_verbose, uses_color;
    bool is_usage_error;  /* The command line was wrong: exit status 2. */
    bool is_silent_error; /* All has been said; only the exit status tells of it. */
};

/* Run one command line (words without the program's name) of this program; run(cli, action, err)
 * does the work. Returns the exit status. */
int sw_cli_run(struct sw_cli *cli, const char *const *words, size_t count,
               enum sw_rc (*run)(struct sw_cli *cli, int action, struct sw_err *err));
/* The exit status of a code. */
enum sw_exit sw_cli_exit(const struct sw_cli *cli, enum sw_rc rc);

/* Find the server and identity: --server, --context, SWARM_CONTEXT, the current context.
 * Afterwards context and namespace are set. Errors as sw_contexts_resolve. */
SW_MUST_CHECK enum sw_rc sw_cli_choose_context(struct sw_cli *cli, struct sw_err *err);
/* As that, and make the client (which connects at its first request). */
SW_MUST_CHECK enum sw_rc sw_cli_connect(struct sw_cli *cli, struct sw_err *err);

/* Refuse the command line: sets the words and exit status 2; returns SW_E_INVALID. */
enum sw_rc sw_cli_usage(struct sw_cli *cli, struct sw_err *err, const char *format, ...)
    SW_PRINTF(3, 4);
enum sw_rc sw_cli_no_memory(struct sw_err *err);

/* Print a result; a message to the person (not with --quiet); a warning. */
void sw_cli_put(struct sw_cli *cli, const struct sw_buffer *text);
void sw_cli_print(struct sw_cli *cli, const char *format, ...) SW_PRINTF(2, 3);
void sw_cli_say(struct sw_cli *cli, const char *format, ...) SW_PRINTF(2, 3);
void sw_cli_warn(struct sw_cli *cli, const char *format, ...) SW_PRINTF(2, 3);
/* Print an error in the one form that all have. */
void sw_cli_print_error(struct sw_cli *cli, const struct sw_err *err);
/* A line on the terminal that the next one replaces; nothing when stderr is no terminal. "" ends
 * it.
 */
void sw_cli_progress(struct sw_cli *cli, const char *format, ...) SW_PRINTF(2, 3);

/* A duration flag in ms, or fallback.  SW_E_INVALID: not one (exit status 2). */
SW_MUST_CHECK enum sw_rc sw_cli_duration(struct sw_cli *cli, const char *flag, uint64_t fallback_ms,
                                         uint64_t *ret_ms, struct sw_err *err);
/* The time of the system in UTC. */
uint64_t sw_cli_utc_ns(const struct sw_cli *cli);
/* A list of arguments as a NULL-terminated string in the arena; never NULL ("" when out). */
const char *sw_cli_format(struct sw_cli *cli, const char *format, ...) SW_PRINTF(2, 3);
