/* Waiting for an object to become what somebody wants of it.
 *
 * Threads: one.  I/O: as cli.h. */
#pragma once
#include "pkg/cli/commands/cli.h"

enum sw_wait_type {
    SW_WAIT_CONDITION, /* name=True, or what stands after a second '='. */
    SW_WAIT_DELETE,
    SW_WAIT_JSONPATH, /* name (a template) yields value. */
    SW_WAIT_SERVER    /* The daemon says that it is ready; no object. */
};

struct sw_wait { /* Texts live in the run's arena. */
    enum sw_wait_type type;
    const char *name, *value;
};

/* Read what stands after --for.  SW_E_INVALID: none of the forms (exit status 2). */
SW_MUST_CHECK enum sw_rc sw_wait_parse(struct sw_cli *cli, const char *text,
                                       struct sw_wait *ret_wait, struct sw_err *err);
/* Is it so? object NULL: there is none.  SW_E_INVALID: the jsonpath cannot be used. */
SW_MUST_CHECK enum sw_rc sw_wait_check(const struct sw_wait *wait, const struct sw_kind *kind,
                                       void *object, bool *ret_is_so, struct sw_err *err);
/* Wait for at most timeout_ms. uid: for SW_WAIT_DELETE, an object of the same name with another uid
 * counts as gone; "" for any.  SW_E_TIMEOUT: it did not happen; the words say how the object is. */
SW_MUST_CHECK enum sw_rc sw_wait_for(struct sw_cli *cli, const struct sw_object_key *key,
                                     const struct sw_wait *wait, uint64_t timeout_ms,
                                     struct sw_err *err);
