/* Rules between the fields of one message, which tables cannot say. For the files of this room
 * only. rules.c has one row per message that has any.
 *
 * Threads: pure functions.  I/O: none. */
#pragma once
#include "pkg/apis/swarm/v1/place.h"

struct sw_checker { /* Carries problems and where they were met. */
    struct sw_problems *problems;
    const struct sw_tree *tree;
    const char *file;
    unsigned flags; /* enum sw_validate_flag */
    bool has_bad;
};

/* Add a problem at this place, with the line and column of the tree's node. */
void sw_checker_refuse(struct sw_checker *checker, const struct sw_place *place, const char *hint,
                       const char *format, ...) SW_PRINTF(4, 5);

/* Undo defaults that do not fit to what else is set. */
void sw_rules_after_defaults(const struct sw_api_message *message, void *value);
/* Check the rules of this one message. */
void sw_rules_check(struct sw_checker *checker, const struct sw_api_message *message,
                    const struct sw_place *place, const void *value);
/* egress.c: whether a text is "NAME/KEY" of a Secret, */
bool sw_rules_is_secret(const char *text, size_t size);
/* and the rules of a struct sw_api_egress_rule. */
void sw_rules_check_egress(struct sw_checker *checker, const struct sw_place *place,
                           const void *value);
/* Check the rules of a whole object that every kind has: apiVersion, kind, namespace. */
void sw_rules_check_object(struct sw_checker *checker, const struct sw_kind *kind,
                           const void *object);
