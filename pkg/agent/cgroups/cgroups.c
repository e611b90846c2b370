#include "pkg/agent/cgroups/cgroups.h"

#include "pkg/utils/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOT_DEFAULT "/sys/fs/cgroup"
#define SELF_DEFAULT "/proc/self/cgroup"
#define SELF_BYTES_MAX 16384
#define VALUE_BYTES_MAX 4096
#define WEIGHT_DEFAULT 100u
#define SHARES_DEFAULT 1024u /* The weight of version 1. */
#define DAEMON_GROUP "daemon"

enum controller { MEMORY, CPU, PIDS, CONTROLLERS };

static const char *const controller_names[CONTROLLERS] = {"memory", "cpu", "pids"};

struct sw_cgroups {
    const struct sw_system *system;
    uint64_t memory_bytes_max;
    unsigned cpu_weight;
    bool has_tasks;                         /* Somebody wants tasks to be counted. */
    unsigned versions[CONTROLLERS];         /* 0: it is not to be had. */
    char folders[CONTROLLERS][SW_PATH_MAX]; /* Of the outer group; of version 2 all are the same. */
    char missing[512];
};

struct sw_cgroup {
    struct sw_cgroups *cgroups;
    char folders[CONTROLLERS][SW_PATH_MAX]; /* "": none. */
};

/* --- Files ----------------------------------------------------------------------------------- */

/* False: it does not fit, and is nothing that we made. */
static bool join(char ret_path[SW_PATH_MAX], const char *folder, const char *name)
{
    return snprintf(ret_path, SW_PATH_MAX, "%s/%s", folder, name) < SW_PATH_MAX;
}

static enum sw_rc value_write(const struct sw_system *system, const char *folder, const char *name,
                              const char *value, struct sw_err *err)
{
    char path[SW_PATH_MAX];
    enum sw_rc rc;
    int file;

    if (!join(path, folder, name))
        return sw_err_set(err, SW_E_INVALID, "the path of a group is too long");
    rc = system->file_open(system->ctx, path, SW_FILE_WRITE, &file, err);
    if (rc != SW_OK)
        return rc;
    rc = system->file_write(system->ctx, file, 0, value, strlen(value), err);
    system->file_close(system->ctx, file);
    return rc;
}

static bool text_read(const struct sw_system *system, const char *path, char *ret_text, size_t size)
{
    size_t used = 0;
    int file;
    bool is_read;

    if (system->file_open(system->ctx, path, SW_FILE_READ, &file, NULL) != SW_OK)
        return false;
    is_read = system->file_read(system->ctx, file, 0, ret_text, size - 1, &used, NULL) == SW_OK;
    system->file_close(system->ctx, file);
    ret_text[is_read ? used : 0] = '\0';
    return is_read;
}

static bool is_folder(const struct sw_system *system, const char *path)
{
    struct sw_file_view view;

    return system->path_view(system->ctx, path, &view, NULL) == SW_OK && view.is_folder;
}

/* --- What there is --------------------------------------------------------------------------- */

/* "4:memory:/user" in the text of /proc/self/cgroup: where we are in the tree of a controller, or,
 * for "", in that of version 2.  False: there is no such tree. */
static bool own_path(const char *self, const char *controller, char ret_path[SW_PATH_MAX])
{
    for (const char *line = self; *line != '\0';) {
        size_t size = strcspn(line, "\n");
        const char *names = memchr(line, ':', size);
        const char *path =
            names == NULL ? NULL : memchr(names + 1, ':', size - (size_t)(names + 1 - line));
        size_t wanted = strlen(controller);

        for (const char *name = names == NULL ? NULL : names + 1; path != NULL && name <= path;) {
            size_t name_size = strcspn(name, ",:");

            if (name_size == wanted && memcmp(name, controller, wanted) == 0)
                return snprintf(ret_path, SW_PATH_MAX, "%.*s",
                                (int)(size - (size_t)(path + 1 - line)), path + 1) < SW_PATH_MAX;
            name += name_size + 1;
        }
        line += size + (line[size] == '\n');
    }
    return false;
}

static void miss(struct sw_cgroups *cgroups, enum controller controller, const char *words)
{
    size_t used = strlen(cgroups->missing);

    if (controller == PIDS)
        return;
    (void)snprintf(cgroups->missing + used, sizeof cgroups->missing - used, "%s%s: %s",
                   used == 0 ? "" : "; ", controller_names[controller], words);
    sw_text_mend_end(cgroups->missing);
}

/* Where our own group is: what a container shows begins with it, so its path may not be there. */
static bool base_find(const struct sw_cgroups *cgroups, const char *tree, const char *own,
                      char ret_folder[SW_PATH_MAX])
{
    if (snprintf(ret_folder, SW_PATH_MAX, "%s%s", tree, strcmp(own, "/") == 0 ? "" : own) <
            SW_PATH_MAX &&
        is_folder(cgroups->system, ret_folder))
        return true;
    return snprintf(ret_folder, SW_PATH_MAX, "%s", tree) < SW_PATH_MAX &&
           is_folder(cgroups->system, ret_folder);
}

static bool has_word(const char *text, const char *word)
{
    size_t size = strlen(word);

    for (const char *at = text; (at = strstr(at, word)) != NULL; at += size)
        if ((at == text || at[-1] == ' ') && strchr(" \n", at[size]) != NULL)
            return true;
    return false;
}

/* Whether version 2 has the controller in our own group. */
static bool has_second(const struct sw_cgroups *cgroups, const char *folder,
                       enum controller controller)
{
    char path[SW_PATH_MAX], text[VALUE_BYTES_MAX];

    return join(path, folder, "cgroup.controllers") &&
           text_read(cgroups->system, path, text, sizeof text) &&
           has_word(text, controller_names[controller]);
}

static enum sw_rc outer_make(struct sw_cgroups *cgroups, const char *base, const char *name,
                             enum controller controller, struct sw_err *err)
{
    char *folder = cgroups->folders[controller];

    if (!join(folder, base, name))
        return sw_err_set(err, SW_E_INVALID, "the path of a group is too long");
    return cgroups->system->folder_make(cgroups->system->ctx, folder, err);
}

static void first_use(struct sw_cgroups *cgroups, const struct sw_cgroups_options *options,
                      const char *self, enum controller controller)
{
    char tree[SW_PATH_MAX], own[SW_PATH_MAX], base[SW_PATH_MAX];
    struct sw_err err = {0};

    if (!own_path(self, controller_names[controller], own) ||
        !join(tree, options->root, controller_names[controller]) ||
        !base_find(cgroups, tree, own, base)) {
        miss(cgroups, controller, "this machine has no such controller mounted");
        return;
    }
    if (outer_make(cgroups, base, options->name, controller, &err) != SW_OK) {
        miss(cgroups, controller, err.message);
        return;
    }
    cgroups->versions[controller] = 1;
}

/* Only leaves may have processes: we go into one, and then groups beside it may have controllers.
 */
static enum sw_rc second_open(struct sw_cgroups *cgroups, const char *base, const char *name,
                              struct sw_err *err)
{
    const struct sw_system *system = cgroups->system;
    char leaf[SW_PATH_MAX];
    enum sw_rc rc = outer_make(cgroups, base, name, MEMORY, err);

    if (rc != SW_OK)
        return rc;
    for (enum controller i = CPU; i < CONTROLLERS; i++)
        memcpy(cgroups->folders[i], cgroups->folders[MEMORY], sizeof cgroups->folders[i]);
    if (!join(leaf, cgroups->folders[MEMORY], DAEMON_GROUP))
        return sw_err_set(err, SW_E_INVALID, "the path of a group is too long");
    rc = system->folder_make(system->ctx, leaf, err);
    return rc == SW_OK ? value_write(system, leaf, "cgroup.procs", "0", err) : rc;
}

static enum sw_rc second_enable(const struct sw_cgroups *cgroups, const char *base,
                                enum controller controller, struct sw_err *err)
{
    char word[16];
    enum sw_rc rc;

    (void)snprintf(word, sizeof word, "+%s", controller_names[controller]);
    rc = value_write(cgroups->system, base, "cgroup.subtree_control", word, err);
    return rc == SW_OK ? value_write(cgroups->system, cgroups->folders[controller],
                                     "cgroup.subtree_control", word, err)
                       : rc;
}

static void second_use(struct sw_cgroups *cgroups, const struct sw_cgroups_options *options,
                       const char *base, const bool has[CONTROLLERS])
{
    struct sw_err err = {0};
    enum sw_rc rc = second_open(cgroups, base, options->name, &err);

    for (enum controller i = MEMORY; i < CONTROLLERS; i++) {
        if (!has[i])
            continue;
        if (rc == SW_OK && second_enable(cgroups, base, i, &err) == SW_OK)
            cgroups->versions[i] = 2;
        else
            miss(cgroups, i, err.message);
    }
}

static bool is_wanted(const struct sw_cgroups *cgroups, enum controller controller)
{
    return controller == MEMORY || (controller == CPU && cgroups->cpu_weight > 0) ||
           (controller == PIDS && cgroups->has_tasks);
}

static void look(struct sw_cgroups *cgroups, const struct sw_cgroups_options *options,
                 const char *self)
{
    char own[SW_PATH_MAX], base[SW_PATH_MAX];
    bool has[CONTROLLERS] = {false, false, false};

    if (own_path(self, "", own) && base_find(cgroups, options->root, own, base))
        for (enum controller i = MEMORY; i < CONTROLLERS; i++)
            has[i] = is_wanted(cgroups, i) && has_second(cgroups, base, i);
    if (has[MEMORY] || has[CPU] || has[PIDS])
        second_use(cgroups, options, base, has);
    for (enum controller i = MEMORY; i < CONTROLLERS; i++)
        if (!has[i] && is_wanted(cgroups, i))
            first_use(cgroups, options, self, i);
}

/* --- Leftovers ------------------------------------------------------------------------------- */

struct sweep {
    const struct sw_system *system;
    const char *folder;
};

/* Of a daemon before us. The kernel refuses if anything runs in it. */
static bool remove_inner(void *ctx, const char *name)
{
    const struct sweep *sweep = ctx;
    char path[SW_PATH_MAX];

    if (join(path, sweep->folder, name) && is_folder(sweep->system, path) &&
        strcmp(name, DAEMON_GROUP) != 0)
        (void)sweep->system->path_remove(sweep->system->ctx, path, NULL);
    return true;
}

static void sweep(const struct sw_cgroups *cgroups)
{
    for (enum controller i = MEMORY; i < CONTROLLERS; i++) {
        struct sweep one = {cgroups->system, cgroups->folders[i]};

        if (cgroups->versions[i] != 0)
            (void)cgroups->system->folder_list(cgroups->system->ctx, one.folder, remove_inner, &one,
                                               NULL);
    }
}

/* --- Life ------------------------------------------------------------------------------------ */

struct sw_cgroups *sw_cgroups_new(const struct sw_cgroups_options *given)
{
    struct sw_cgroups_options options = *given;
    struct sw_cgroups *cgroups = calloc(1, sizeof *cgroups);
    char *self = malloc(SELF_BYTES_MAX);

    if (cgroups == NULL || self == NULL) {
        free(self);
        free(cgroups);
        return NULL;
    }
    if (options.root == NULL)
        options.root = ROOT_DEFAULT;
    cgroups->system = options.system;
    cgroups->memory_bytes_max = options.memory_bytes_max;
    cgroups->cpu_weight = options.cpu_weight;
    cgroups->has_tasks = options.has_tasks;
    if (!text_read(options.system, options.self == NULL ? SELF_DEFAULT : options.self, self,
                   SELF_BYTES_MAX))
        self[0] = '\0';
    look(cgroups, &options, self);
    sweep(cgroups);
    free(self);
    return cgroups;
}

/* In version 2 we stand in it ourselves, and it stays until somebody else removes it. */
void sw_cgroups_free(struct sw_cgroups *cgroups)
{
    if (cgroups == NULL)
        return;
    for (enum controller i = MEMORY; i < CONTROLLERS; i++)
        if (cgroups->versions[i] == 1)
            (void)cgroups->system->path_remove(cgroups->system->ctx, cgroups->folders[i], NULL);
    free(cgroups);
}

void sw_cgroups_view(const struct sw_cgroups *cgroups, struct sw_cgroups_view *ret_view)
{
    const unsigned *versions = cgroups->versions;

    *ret_view = (struct sw_cgroups_view){.has_memory = versions[MEMORY] != 0,
                                         .has_cpu = versions[CPU] != 0,
                                         .has_tasks = versions[PIDS] != 0,
                                         .version = versions[MEMORY] != 0 ? versions[MEMORY]
                                                                          : versions[CPU]};
    (void)snprintf(ret_view->missing, sizeof ret_view->missing, "%s", cgroups->missing);
}

/* --- One group ------------------------------------------------------------------------------- */

static void limits_set(const struct sw_cgroup *cgroup)
{
    const struct sw_cgroups *cgroups = cgroup->cgroups;
    bool is_first = cgroups->versions[MEMORY] == 1;
    char text[32];

    if (cgroup->folders[MEMORY][0] != '\0' && cgroups->memory_bytes_max > 0) {
        (void)snprintf(text, sizeof text, "%" PRIu64, cgroups->memory_bytes_max);
        (void)value_write(cgroups->system, cgroup->folders[MEMORY],
                          is_first ? "memory.limit_in_bytes" : "memory.max", text, NULL);
    }
    if (cgroup->folders[CPU][0] == '\0' || cgroups->cpu_weight == 0)
        return;
    is_first = cgroups->versions[CPU] == 1;
    (void)snprintf(text, sizeof text, "%u",
                   is_first ? (cgroups->cpu_weight * SHARES_DEFAULT + WEIGHT_DEFAULT - 1) /
                                  WEIGHT_DEFAULT
                            : cgroups->cpu_weight);
    (void)value_write(cgroups->system, cgroup->folders[CPU], is_first ? "cpu.shares" : "cpu.weight",
                      text, NULL);
}

bool sw_cgroup_set_memory(const struct sw_cgroup *cgroup, uint64_t bytes_max)
{
    const struct sw_cgroups *cgroups = cgroup->cgroups;
    bool is_first = cgroups->versions[MEMORY] == 1;
    char text[32];

    (void)snprintf(text, sizeof text, "%" PRIu64, bytes_max);
    if (bytes_max == 0)
        (void)snprintf(text, sizeof text, "%s", is_first ? "-1" : "max");
    return cgroup->folders[MEMORY][0] != '\0' &&
           value_write(cgroups->system, cgroup->folders[MEMORY],
                       is_first ? "memory.limit_in_bytes" : "memory.max", text, NULL) == SW_OK;
}

bool sw_cgroup_set_tasks(const struct sw_cgroup *cgroup, unsigned tasks_max)
{
    char text[32] = "max";

    if (tasks_max > 0)
        (void)snprintf(text, sizeof text, "%u", tasks_max);
    return cgroup->folders[PIDS][0] != '\0' &&
           value_write(cgroup->cgroups->system, cgroup->folders[PIDS], "pids.max", text, NULL) ==
               SW_OK;
}

struct sw_cgroup *sw_cgroup_open(struct sw_cgroups *cgroups, const char *name)
{
    const struct sw_system *system = cgroups->system;
    struct sw_cgroup *cgroup = calloc(1, sizeof *cgroup);

    if (cgroup == NULL)
        return NULL;
    cgroup->cgroups = cgroups;
    for (enum controller i = MEMORY; i < CONTROLLERS; i++)
        if (cgroups->versions[i] == 0 || strlen(name) > SW_CGROUP_NAME_MAX ||
            !join(cgroup->folders[i], cgroups->folders[i], name) ||
            system->folder_make(system->ctx, cgroup->folders[i], NULL) != SW_OK)
            cgroup->folders[i][0] = '\0';
    limits_set(cgroup);
    return cgroup;
}

/* Version 2 has one folder for all. */
static bool is_same_as_before(const struct sw_cgroup *cgroup, enum controller controller)
{
    for (enum controller i = MEMORY; i < controller; i++)
        if (strcmp(cgroup->folders[i], cgroup->folders[controller]) == 0)
            return true;
    return false;
}

void sw_cgroup_close(struct sw_cgroup *cgroup)
{
    if (cgroup == NULL)
        return;
    for (enum controller i = MEMORY; i < CONTROLLERS; i++)
        if (cgroup->folders[i][0] != '\0' && !is_same_as_before(cgroup, i))
            (void)cgroup->cgroups->system->path_remove(cgroup->cgroups->system->ctx,
                                                       cgroup->folders[i], NULL);
    free(cgroup);
}

enum sw_rc sw_cgroup_join(const struct sw_cgroup *cgroup, int pid, struct sw_err *err)
{
    enum sw_rc rc = SW_E_UNAVAILABLE;
    char text[16];

    (void)snprintf(text, sizeof text, "%d", pid);
    for (enum controller i = MEMORY; i < CONTROLLERS; i++) {
        if (cgroup->folders[i][0] == '\0' || is_same_as_before(cgroup, i))
            continue;
        rc = value_write(cgroup->cgroups->system, cgroup->folders[i], "cgroup.procs", text, err);
        if (rc != SW_OK)
            return rc;
    }
    return rc == SW_OK ? rc : sw_err_set(err, rc, "there are no control groups");
}

const char *sw_cgroup_memory_path(const struct sw_cgroup *cgroup)
{
    return cgroup->folders[MEMORY];
}

uint64_t sw_cgroup_oom_kills(const struct sw_cgroup *cgroup)
{
    bool is_first = cgroup->cgroups->versions[MEMORY] == 1;
    char path[SW_PATH_MAX], text[VALUE_BYTES_MAX];
    const char *found;

    if (cgroup->folders[MEMORY][0] == '\0' ||
        !join(path, cgroup->folders[MEMORY], is_first ? "memory.oom_control" : "memory.events") ||
        !text_read(cgroup->cgroups->system, path, text, sizeof text))
        return 0;
    found = strstr(text, "oom_kill ");
    return found == NULL ? 0 : strtoull(found + strlen("oom_kill "), NULL, 10);
}
