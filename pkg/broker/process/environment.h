/* What a program finds in its environment. Private to this room.
 *
 * Threads: pure functions.  I/O: none.  Limits: those of a manifest. */
#pragma once
#include "pkg/broker/process/process.h"
#include "pkg/agent/image/manifest.h"

struct sw_environment { /* Who it runs for; in the arena of the caller. */
    const struct sw_manifest *manifest;
    const char *name_space, *agent;
    bool is_of_message;             /* The next ones are known, and the same all its life. */
    struct sw_bytes instance, type; /* Key of the instance; type of the message. */
    struct sw_bytes from;           /* Sender. */
};

/* NULL-terminated "NAME=value", in the arena.  NULL: it is full. */
const char *const *sw_environment_make(const struct sw_environment *environment,
                                       struct sw_arena *arena);
