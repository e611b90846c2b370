/* Command lines read by one table: the table also makes the help, the completion and the docs.
 *
 * A program is an array of commands ("get", "agent build"), each with its flags, beside flags that
 * every command has. Flags may stand anywhere before "--". A mistake names the nearest valid word.
 * Threads: one at a time.  I/O: none.  Limits: SW_ARGUMENTS_MAX words. */
#pragma once
#include "pkg/utils/base/arena.h"

#include <stdbool.h>

#define SW_ARGUMENTS_MAX 4096

/* What a word stands for, so that the shell can offer candidates. */
enum sw_complete {
    SW_COMPLETE_NONE,
    SW_COMPLETE_FILE,
    SW_COMPLETE_FOLDER,
    SW_COMPLETE_KIND,
    SW_COMPLETE_AGENT,
    SW_COMPLETE_NAMESPACE,
    SW_COMPLETE_CONTEXT
};

struct sw_flag {
    const char *name;           /* "output" for --output. */
    char letter;                /* 'o' for -o, or 0. */
    const char *value;          /* What its value is called in help ("FORMAT"); NULL: a switch. */
    const char *help;           /* One line, without a full stop at its end. */
    const char *const *choices; /* NULL-terminated allowed values, or NULL for any. */
    bool repeats;               /* May be given more than once. */
    enum sw_complete completes;
};

struct sw_command {
    const char *name;      /* One or two words: "get", "agent build". */
    const char *arguments; /* "KIND [NAME...]", or "" when it takes none. */
    const char *summary;   /* One line for lists. */
    const char *details;   /* Paragraphs for its own help, or NULL. */
    const char *examples;  /* Lines as one would type them; never NULL. */
    const struct sw_flag *flags;
    size_t flags_count;
    unsigned arguments_min, arguments_max;
    enum sw_complete completes; /* Its positional arguments. */
    int action;                 /* The program's own number for it. */
    bool is_hidden;             /* Works, but stands in no list. */
};

struct sw_program {
    const char *name;    /* "swarm". */
    const char *summary; /* One line. */
    const struct sw_command *commands;
    size_t commands_count;
    const struct sw_flag *flags; /* Of every command. */
    size_t flags_count;
    const char *footer; /* Last paragraph of the help, or NULL. */
};

struct sw_arguments; /* Opaque; lives in the arena that it was parsed into. */

/* Read words[0..count), the command line without the program's name, which must outlive the result.
 * Without a command, or with only the first word of a group ("agent"), the command is NULL.
 * SW_E_INVALID   an unknown command or flag, a missing or refused value, too few or many arguments;
 *                the error says which and names the nearest valid word, but *ret_arguments is set
 *                as far as it went, so that global flags before the mistake are heeded.
 * SW_E_EXHAUSTED too many words, or the arena is full (then *ret_arguments is NULL). */
SW_MUST_CHECK enum sw_rc
sw_arguments_parse(const struct sw_program *program, const char *const *words, size_t count,
                   struct sw_arena *arena, struct sw_arguments **ret_arguments, struct sw_err *err);

/* The command, or NULL. */
const struct sw_command *sw_arguments_command(const struct sw_arguments *arguments);
/* The first word when it is only the name of a group ("agent"), otherwise NULL. */
const char *sw_arguments_group(const struct sw_arguments *arguments);
/* Was -h or --help given? It is known to every program and needs no line in a table. */
bool sw_arguments_wants_help(const struct sw_arguments *arguments);

/* Positional arguments, index from 0; NULL past the end. */
size_t sw_arguments_count(const struct sw_arguments *arguments);
const char *sw_arguments_at(const struct sw_arguments *arguments, size_t index);

/* The last value given for a flag with a value, or NULL. */
const char *sw_arguments_text(const struct sw_arguments *arguments, const char *flag);
/* The index-th value of a flag that repeats, or NULL past the end. */
const char *sw_arguments_text_at(const struct sw_arguments *arguments, const char *flag,
                                 size_t index);
/* A switch: what was given last (--wait, --wait=false), or fallback. */
bool sw_arguments_is(const struct sw_arguments *arguments, const char *flag, bool fallback);
