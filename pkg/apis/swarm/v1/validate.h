/* The rules of api/v1 and those between fields: defaults, validity, what may change, state
 * machines.
 *
 * Order at admission: template (sw_api_fill_missing), sw_object_apply_defaults, sw_object_validate,
 * and for an update sw_object_check_update.
 * Threads: pure functions.  I/O: none. */
#pragma once
#include "pkg/apis/swarm/v1/problem.h"
#include "pkg/apis/swarm/v1/tree.h"

enum sw_validate_flag {
    SW_VALIDATE_COMPLETE = 1u << 0 /* Templates are filled in: nothing required may be missing. */
};

struct sw_validate_options {
    unsigned flags;               /* enum sw_validate_flag */
    struct sw_problems *problems; /* All mistakes are added here. */
    const struct sw_tree *tree;   /* For places of problems; may be NULL. */
    const char *file;             /* For the problems; "" when there is none. */
};

#define SW_SECRET_VALUE_MAX 65536u /* Bytes of a plain value of a Secret. */
#define SW_SECRET_SEALED                                                                           \
    "sealed:" /* So a value begins that is sealed already, and no plain one.                       \
               */

/* Give every field that is not set its default. Default texts are constants, so no memory is used.
 */
void sw_object_apply_defaults(const struct sw_kind *kind, void *object);
/* The same for any message, such as a request. */
void sw_api_apply_defaults(const struct sw_api_message *message, void *value);

/* Check every rule. SW_E_INVALID: mistakes were added to the problems. */
SW_MUST_CHECK enum sw_rc sw_object_validate(const struct sw_kind *kind, const void *object,
                                            const struct sw_validate_options *options);
/* The same for any message, such as a request. */
SW_MUST_CHECK enum sw_rc sw_api_validate(const struct sw_api_message *message, const void *value,
                                         const struct sw_validate_options *options);

/* Check that nothing immutable differs between what is stored and what shall take its place. Output
 * fields are not compared.  SW_E_INVALID: mistakes were added. */
SW_MUST_CHECK enum sw_rc sw_object_check_update(const struct sw_kind *kind, const void *old_object,
                                                const void *new_object,
                                                const struct sw_validate_options *options);
/* Check the moves of all state machines in a new status; old_object may be NULL for a new object.
 * SW_E_PRECONDITION: a move is not in its table; err names field, both states and the legal ones.
 */
SW_MUST_CHECK enum sw_rc sw_object_check_moves(const struct sw_kind *kind, const void *old_object,
                                               const void *new_object, struct sw_err *err);
/* Check one move; from 0 is a beginning, and staying is always legal. Errors as above. */
SW_MUST_CHECK enum sw_rc sw_enum_check_move(const struct sw_api_enum *machine, int from, int to,
                                            struct sw_err *err);

/* Check one text against a format; SW_E_INVALID with what was expected. Text "" is never valid but
 * for LABEL_VALUE. */
SW_MUST_CHECK enum sw_rc sw_format_check(enum sw_api_format format, const char *text,
                                         struct sw_err *err);
/* What a format asks for, in words; "" for NONE. */
const char *sw_format_describe(enum sw_api_format format);
