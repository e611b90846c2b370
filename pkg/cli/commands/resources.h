/* Which objects a command line means: "agents", "agent reader writer", "agent/reader pod/x".
 *
 * Threads: one.  I/O: none. */
#pragma once
#include "pkg/cli/commands/cli.h"

struct sw_resources {           /* Lives in the run's arena. */
    struct sw_object_key *keys; /* One per name; name "" means all of the kind. */
    size_t count;
};

/* Read the positional arguments from `first` on. Names of one kind follow its word; "kind/name" may
 * be repeated and mixed. The namespace of the keys is the run's, or "" with --all-namespaces.
 * SW_E_INVALID: no such kind (with the nearest), or a name that cannot be one (exit status 2). */
SW_MUST_CHECK enum sw_rc sw_resources_parse(struct sw_cli *cli, size_t first,
                                            struct sw_resources *ret_resources, struct sw_err *err);
/* The kind that a word means.  SW_E_INVALID: none, with the nearest. */
SW_MUST_CHECK enum sw_rc sw_resources_kind(struct sw_cli *cli, const char *word,
                                           const struct sw_kind **ret_kind, struct sw_err *err);
/* "agents/reader" in the arena, for messages. */
const char *sw_resources_name(struct sw_cli *cli, const struct sw_kind *kind, const char *name);
/* Read all that the keys name: single objects, or lists fitting the selector. Each key with a name
 * yields one object, in order.  SW_E_NOT_FOUND: one of them is missing; the others are in the list.
 * All keys are of one kind. */
SW_MUST_CHECK enum sw_rc sw_resources_load(struct sw_cli *cli, const struct sw_object_key *keys,
                                           size_t count, const char *selector,
                                           struct sw_objects *ret_objects, struct sw_err *err);
