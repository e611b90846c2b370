/* A SQLite store in a folder of its own under the build folder. */
#pragma once
#include <unistd.h>

#include "pkg/store/sqlite/sqlite.h"
#include "test/unit/store/harness.h"

static inline void sqlite_path(const struct harness *harness, const char *name, char ret_path[128])
{
    snprintf(ret_path, 128, "%s/%s", harness->folder, name);
}

static inline enum sw_rc sqlite_open_vfs(struct harness *harness, const char *vfs,
                                         struct sw_err *err)
{
    char path[128];
    struct sw_sqlite_options options = {
        .system = sw_system_real(),
        .path = path,
        .post = {.ctx = harness, .post = harness_post},
        .limits = &harness->limits,
        .vfs = vfs,
        .on_fatal = harness_on_fatal,
        .ctx = harness,
    };

    sqlite_path(harness, "store.db", path);
    return sw_sqlite_open(&options, &harness->store, err);
}

static inline enum sw_rc sqlite_open(struct harness *harness, struct sw_err *err)
{
    return sqlite_open_vfs(harness, NULL, err);
}

static inline void sqlite_remove(struct harness *harness)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", harness->folder);
    assert_int_equal(system(command), 0);
}

/* A harness with an empty folder and no open store. */
static inline int sqlite_setup_closed(void **state)
{
    struct harness *harness = harness_new(sqlite_open, sqlite_remove);

    snprintf(harness->folder, sizeof(harness->folder), "/tmp/swarm-store-XXXXXX");
    if (mkdtemp(harness->folder) == NULL)
        return -1;
    *state = harness;
    return 0;
}

static inline int sqlite_setup(void **state)
{
    int rc = sqlite_setup_closed(state);

    if (rc == 0)
        harness_open(*state);
    return rc;
}

static inline int sqlite_teardown(void **state)
{
    harness_free(*state);
    return 0;
}
