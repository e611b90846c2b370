/* Label selectors: "app=web,tier!=cache,gpu,!old". All terms must hold.
 *
 * Threads: pure functions.  I/O: none.  Limits: SW_SELECTOR_TERMS_MAX terms. */
#pragma once
#include "pkg/apis/swarm/v1/object.h"

#define SW_SELECTOR_TERMS_MAX 32

enum sw_selector_test { SW_SELECT_EQUAL, SW_SELECT_NOT_EQUAL, SW_SELECT_SET, SW_SELECT_NOT_SET };

struct sw_selector_term {
    enum sw_selector_test test;
    const char *key, *value;
};

struct sw_selector { /* Start with {0}, which selects everything. Texts live in the parse's arena.
                      */
    struct sw_selector_term terms[SW_SELECTOR_TERMS_MAX];
    size_t count;
};

/* Parse text, which comes from outside; "" selects everything.
 * SW_E_INVALID: with what was expected.  SW_E_EXHAUSTED: arena full. */
SW_MUST_CHECK enum sw_rc sw_selector_parse(const char *text, struct sw_arena *arena,
                                           struct sw_selector *ret_selector, struct sw_err *err);
/* An absent label is unequal to every value. */
bool sw_selector_fits(const struct sw_selector *selector, const void *object);
