#include "pkg/broker/process/environment.h"

#include <stdio.h>
#include <string.h>

#define OURS_MAX 24u

struct making {
    struct sw_arena *arena;
    const char **items;
    size_t count;
    bool has_failed;
};

static void put(struct making *making, const char *name, struct sw_bytes value)
{
    const char *item = sw_arena_print(making->arena, "%s=%.*s", name, (int)value.size,
                                      value.size == 0 ? "" : (const char *)value.data);

    making->has_failed = making->has_failed || item == NULL;
    making->items[making->count++] = item;
}

static void put_text(struct making *making, const char *name, const char *value)
{
    put(making, name, (struct sw_bytes){value, strlen(value)});
}

static void put_packages(struct making *making, const struct sw_manifest *manifest)
{
    char paths[SW_MANIFEST_PACKAGES_MAX * 16] = "";
    size_t used = 0;

    for (unsigned i = 0; manifest->packages[i] != NULL; i++)
        used += (size_t)snprintf(paths + used, sizeof paths - used, "%s/packages/%u",
                                 i > 0 ? ":" : "", i);
    if (used == 0)
        return;
    put_text(making, "PYTHONPATH", paths);
    put_text(making, "NODE_PATH", paths);
}

/* Where a program looks for models if it was written for them, and for what its packages hold. */
const char *const *sw_environment_make(const struct sw_environment *environment,
                                       struct sw_arena *arena)
{
    static const char *const same[][2] = {
        {"PATH", "/usr/local/bin:/usr/bin:/bin"},
        {"HOME", "/tmp"},
        {"TMPDIR", "/tmp"},
        {"LANG", "C.UTF-8"},
        {"PYTHONDONTWRITEBYTECODE", "1"},
        {"OPENAI_BASE_URL", "http://127.0.0.1:7420/openai/v1"},
        {"OPENAI_API_BASE", "http://127.0.0.1:7420/openai/v1"},
        {"OPENAI_API_KEY", "swarm"},
        {"ANTHROPIC_BASE_URL", "http://127.0.0.1:7420/anthropic"},
        {"ANTHROPIC_API_KEY", "swarm"},
    };
    struct making making = {
        .arena = arena,
        .items = sw_arena_array(arena, OURS_MAX + SW_MANIFEST_WORDS_MAX + 1, sizeof *making.items)};

    if (making.items == NULL)
        return NULL;
    /* Of two of a name programs see the first. */
    for (size_t i = 0; environment->manifest->environment[i] != NULL; i++)
        making.items[making.count++] = environment->manifest->environment[i];
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        put_text(&making, same[i][0], same[i][1]);
    put_text(&making, "SWARM_NAMESPACE", environment->name_space);
    put_text(&making, "SWARM_AGENT", environment->agent);
    if (environment->is_of_message) {
        put(&making, "SWARM_KEY", environment->instance);
        put(&making, "SWARM_FROM", environment->from);
        put(&making, "SWARM_TYPE", environment->type);
    } else { /* What it prints is part of its log, and that should not lag behind. */
        put_text(&making, "SWARM_FD", "3");
        put_text(&making, "PYTHONUNBUFFERED", "1");
    }
    put_packages(&making, environment->manifest);
    making.items[making.count] = NULL;
    return making.has_failed ? NULL : making.items;
}
