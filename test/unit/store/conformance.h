/* The promises of pkg/store/store.h as tests, for any backend.
 *
 * A backend's test file defines how its store is opened in a struct harness, a setup that makes a
 * new, empty one, a teardown, and runs CONFORMANCE_TESTS(macro). */
#pragma once
#include "test/unit/store/conformance_history.h"
#include "test/unit/store/conformance_limits.h"
#include "test/unit/store/conformance_list.h"
#include "test/unit/store/conformance_model.h"
#include "test/unit/store/conformance_txn.h"
#include "test/unit/store/conformance_watch.h"

#define CONFORMANCE_TESTS(test)                                                                    \
    CONFORMANCE_TXN(test), CONFORMANCE_LIMITS(test), CONFORMANCE_LIST(test),                       \
        CONFORMANCE_HISTORY(test), CONFORMANCE_WATCH(test), CONFORMANCE_MODEL(test)
