/* Asking for the past of an instance, for the commands that show it.
 *
 * Threads: one.  I/O: one request of the server.  Limits: those of commands.h. */
#pragma once
#include "pkg/cli/commands/commands.h"
#include "pkg/cli/commands/members.h"
#include "pkg/cli/commands/target.h"

struct sw_look { /* What is asked of the server; texts are borrowed. */
    struct sw_target target;
    const char *method, *view;
    uint64_t from, to; /* 0: not said. */
    uint64_t turn;     /* Of what is tried. */
    unsigned limit, body;
    bool is_newest, has_input;
    const char *module, *content_type;
    const char *as; /* What is to be there, of a fork; otherwise NULL. */
    struct sw_bytes input;
};

struct sw_asked { /* An answer, and what it is parsed into. */
    struct sw_answer answer;
    struct sw_arena *arena;
    const struct sw_tree *tree;
};

/* The first item of a list that is a member; NULL: there is none. */
static inline const struct sw_tree *sw_member_first(const struct sw_tree *map, const char *name)
{
    const struct sw_tree *list = map == NULL ? NULL : sw_tree_find(map, name);

    return list == NULL ? NULL : list->first;
}

/* Have look ask for turns of the instance that the first argument names.  Errors: as those of
 * arguments that are wrong. */
SW_MUST_CHECK enum sw_rc sw_look_begin(struct sw_cli *cli, struct sw_look *look,
                                       struct sw_err *err);
/* Take "@3..@9", "@3..", "..@9" or "@9" as the turns that are meant.  SW_E_INVALID: it is none. */
SW_MUST_CHECK enum sw_rc sw_look_range(struct sw_cli *cli, const char *word, struct sw_look *look,
                                       struct sw_err *err);
/* The format of -o, which is table, wide or json.  SW_E_INVALID: it is another one. */
SW_MUST_CHECK enum sw_rc sw_look_format(struct sw_cli *cli, enum sw_output_format *ret_format,
                                        struct sw_err *err);
/* Ask, once it is connected; asked is to be done in any case.  Errors: of the client, and
 * SW_E_UNSUPPORTED, the answer is not understood. */
SW_MUST_CHECK enum sw_rc sw_look_ask(struct sw_cli *cli, const struct sw_look *look,
                                     struct sw_asked *asked, struct sw_err *err);
void sw_asked_done(struct sw_asked *asked);
