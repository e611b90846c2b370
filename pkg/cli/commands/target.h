/* Whom a message is for, as the command line names it: "reader", "reader/a.txt".
 *
 * Threads: one.  I/O: none. */
#pragma once
#include "pkg/cli/commands/cli.h"

#define SW_INSTANCE_NAME_MAX 255

struct sw_target { /* Borrowed from the command line or in the run's arena. */
    const char *agent;
    const char *key; /* NULL: none was named. */
};

/* SW_E_INVALID: it cannot be an instance (exit status 2). */
SW_MUST_CHECK enum sw_rc sw_target_parse(struct sw_cli *cli, const char *word,
                                         struct sw_target *ret_target, struct sw_err *err);
