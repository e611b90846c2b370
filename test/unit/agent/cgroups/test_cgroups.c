/* Control groups in trees that are played by folders: what the kernel makes with a group, and
 * refuses to remove, is done here by a system around the real one. */
#include "pkg/agent/cgroups/cgroups.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    struct sw_system system;
    char root[64], self[96];
    const char *controllers; /* Of version 2; NULL: there is none. */
    bool is_refusing;        /* No group can be made. */
    bool has_busy_group;     /* cgroup.subtree_control cannot be written. */
    bool has_tasks;          /* They are to be counted. */
};

static struct world *playing;

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *format, ...)
{
    char command[1024];
    va_list list;

    va_start(list, format);
    (void)vsnprintf(command, sizeof command, format, list);
    va_end(list);
    assert_int_equal(system(command), 0);
}

static bool is_second(const char *path)
{
    static const char *const names[] = {"memory", "cpu", "pids"};
    char tree[96];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(tree, sizeof tree, "%s/%s", playing->root, names[i]);
        if (strncmp(path, tree, strlen(tree)) == 0)
            return false;
    }
    return true;
}

static void files_make(const char *path)
{
    if (!is_second(path)) {
        shell("cd %s && touch cgroup.procs memory.limit_in_bytes cpu.shares pids.max && "
              "printf 'oom_kill_disable 0\\nunder_oom 0\\noom_kill 3\\n' >memory.oom_control",
              path);
        return;
    }
    shell("cd %s && touch cgroup.procs memory.max cpu.weight pids.max && echo '%s' "
          ">cgroup.controllers && "
          "printf 'low 0\\noom 9\\noom_kill 4\\n' >memory.events",
          path, playing->controllers == NULL ? "" : playing->controllers);
    if (!playing->has_busy_group)
        shell("touch %s/cgroup.subtree_control", path);
}

static enum sw_rc folder_make(void *ctx, const char *path, struct sw_err *err)
{
    struct stat view;

    if (playing->is_refusing)
        return sw_err_set(err, SW_E_DENIED, "%s: not ours", path);
    if (stat(path, &view) == 0)
        return SW_OK;
    if (sw_system_real()->folder_make(ctx, path, err) != SW_OK)
        return err->rc;
    files_make(path);
    return SW_OK;
}

/* A group is removed with what the kernel made in it, but not with other groups. */
static enum sw_rc path_remove(void *ctx, const char *path, struct sw_err *err)
{
    shell("find %s -maxdepth 1 -type f -delete", path);
    return sw_system_real()->path_remove(ctx, path, err);
}

static struct world *world_new(const char *self)
{
    struct world *world = calloc(1, sizeof *world);

    world->system = *sw_system_real();
    world->system.folder_make = folder_make;
    world->system.path_remove = path_remove;
    (void)snprintf(world->root, sizeof world->root, "/tmp/sw-cgroups-XXXXXX");
    assert_non_null(mkdtemp(world->root));
    (void)snprintf(world->self, sizeof world->self, "%s.self", world->root);
    shell("printf '%s' >%s", self, world->self);
    playing = world;
    return world;
}

static void world_free(struct world *world)
{
    shell("rm -r %s %s", world->root, world->self);
    free(world);
}

static struct sw_cgroups *groups_new(struct world *world, uint64_t memory_bytes, unsigned weight)
{
    struct sw_cgroups_options options = {.system = &world->system,
                                         .root = world->root,
                                         .self = world->self,
                                         .name = "swarm-1",
                                         .has_tasks = world->has_tasks,
                                         .memory_bytes_max = memory_bytes,
                                         .cpu_weight = weight};
    struct sw_cgroups *cgroups = sw_cgroups_new(&options);

    assert_non_null(cgroups);
    return cgroups;
}

static void assert_file(const struct world *world, const char *name, const char *wanted)
{
    char path[256], text[64] = "";
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", world->root, name);
    file = fopen(path, "r");
    if (file == NULL)
        fail_msg("there is no %s", name);
    (void)!fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    assert_string_equal(text, wanted);
}

static bool is_there(const struct world *world, const char *name)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s/%s", world->root, name);
    return access(path, F_OK) == 0;
}

static void the_first_version_has_a_tree_for_each_controller(void **state)
{
    struct world *world = world_new("5:memory:/user\\n4:cpu,cpuacct:/\\n0::/x\\n");
    struct sw_cgroups *cgroups;
    struct sw_cgroup *group;
    struct sw_cgroups_view view;

    (void)state;
    shell("mkdir -p %s/memory/user %s/cpu", world->root, world->root);
    cgroups = groups_new(world, 1 << 20, 200);
    sw_cgroups_view(cgroups, &view);
    assert_true(view.has_memory && view.has_cpu);
    assert_int_equal(view.version, 1);
    assert_string_equal(view.missing, "");

    group = sw_cgroup_open(cgroups, "shared");
    assert_int_equal(sw_cgroup_join(group, 123, NULL), SW_OK);
    assert_file(world, "memory/user/swarm-1/shared/memory.limit_in_bytes", "1048576");
    assert_file(world, "memory/user/swarm-1/shared/cgroup.procs", "123");
    assert_file(world, "cpu/swarm-1/shared/cpu.shares", "2048");
    assert_file(world, "cpu/swarm-1/shared/cgroup.procs", "123");
    assert_int_equal(sw_cgroup_oom_kills(group), 3);
    assert_true(sw_cgroup_set_memory(group, 4096));
    assert_file(world, "memory/user/swarm-1/shared/memory.limit_in_bytes", "4096576");
    assert_true(sw_cgroup_set_memory(group, 1u << 30));
    assert_file(world, "memory/user/swarm-1/shared/memory.limit_in_bytes", "1073741824");
    assert_non_null(strstr(sw_cgroup_memory_path(group), "/memory/user/swarm-1/shared"));

    sw_cgroup_close(group);
    sw_cgroups_free(cgroups);
    assert_false(is_there(world, "memory/user/swarm-1"));
    assert_false(is_there(world, "cpu/swarm-1"));
    world_free(world);
}

static void the_second_version_has_one_and_we_move_to_a_leaf(void **state)
{
    struct world *world = world_new("0::/system/swarmd.service\\n");
    char base[128];
    struct sw_cgroups *cgroups;
    struct sw_cgroup *group;
    struct sw_cgroups_view view;

    (void)state;
    world->controllers = "cpuset cpu io memory";
    (void)snprintf(base, sizeof base, "%s/system/swarmd.service", world->root);
    shell("mkdir -p %s", base);
    files_make(base);
    cgroups = groups_new(world, 1 << 20, 200);
    sw_cgroups_view(cgroups, &view);
    assert_true(view.has_memory && view.has_cpu);
    assert_int_equal(view.version, 2);
    assert_file(world, "system/swarmd.service/swarm-1/daemon/cgroup.procs", "0");
    assert_file(world, "system/swarmd.service/cgroup.subtree_control", "+cpuory");

    group = sw_cgroup_open(cgroups, "agent-1");
    assert_int_equal(sw_cgroup_join(group, 123, NULL), SW_OK);
    assert_file(world, "system/swarmd.service/swarm-1/agent-1/memory.max", "1048576");
    assert_file(world, "system/swarmd.service/swarm-1/agent-1/cpu.weight", "200");
    assert_file(world, "system/swarmd.service/swarm-1/agent-1/cgroup.procs", "123");
    assert_int_equal(sw_cgroup_oom_kills(group), 4);
    assert_true(sw_cgroup_set_memory(group, 2097152));
    assert_file(world, "system/swarmd.service/swarm-1/agent-1/memory.max", "2097152");
    assert_true(sw_cgroup_set_memory(group, 0));
    assert_file(world, "system/swarmd.service/swarm-1/agent-1/memory.max", "max7152");
    sw_cgroup_close(group);
    assert_false(is_there(world, "system/swarmd.service/swarm-1/agent-1"));
    sw_cgroups_free(cgroups);
    world_free(world);
}

static void what_version_two_lacks_is_taken_from_version_one(void **state)
{
    struct world *world = world_new("3:memory:/\\n0::/\\n");
    struct sw_cgroups *cgroups;
    struct sw_cgroups_view view;

    (void)state;
    world->controllers = "pids";
    files_make(world->root);
    shell("mkdir -p %s/memory", world->root);
    cgroups = groups_new(world, 0, 100);
    sw_cgroups_view(cgroups, &view);
    assert_true(view.has_memory);
    assert_false(view.has_cpu);
    assert_int_equal(view.version, 1);
    assert_string_equal(view.missing, "cpu: this machine has no such controller mounted");
    sw_cgroups_free(cgroups);

    cgroups = groups_new(world, 0, 0); /* Nobody wants it. */
    sw_cgroups_view(cgroups, &view);
    assert_string_equal(view.missing, "");
    sw_cgroups_free(cgroups);
    world_free(world);
}

static void assert_counts_tasks(struct world *world, const char *folder, unsigned version)
{
    struct sw_cgroups *cgroups = groups_new(world, 0, 0);
    struct sw_cgroup *group = sw_cgroup_open(cgroups, "process-1");
    struct sw_cgroups_view view;
    char path[160];

    sw_cgroups_view(cgroups, &view);
    assert_true(view.has_memory && view.has_tasks && !view.has_cpu);
    assert_int_equal(view.version, version);
    assert_int_equal(sw_cgroup_join(group, 123, NULL), SW_OK);
    assert_true(sw_cgroup_set_tasks(group, 7000));
    (void)snprintf(path, sizeof path, "%s/swarm-1/process-1/cgroup.procs", folder);
    assert_file(world, path, "123");
    (void)snprintf(path, sizeof path, "%s/swarm-1/process-1/pids.max", folder);
    assert_file(world, path, "7000");
    assert_true(sw_cgroup_set_tasks(group, 0));
    assert_file(world, path, "max0");
    sw_cgroup_close(group);
    (void)snprintf(path, sizeof path, "%s/swarm-1/process-1", folder);
    assert_false(is_there(world, path));
    sw_cgroups_free(cgroups);
    world_free(world);
}

static void tasks_are_counted_where_somebody_wants_it(void **state)
{
    struct world *world = world_new("6:memory:/\n5:pids:/user\n");
    struct sw_cgroups *cgroups;
    struct sw_cgroup *group;

    (void)state;
    shell("mkdir -p %s/memory %s/pids/user", world->root, world->root);
    cgroups = groups_new(world, 0, 0); /* Nobody does. */
    group = sw_cgroup_open(cgroups, "process-1");
    assert_false(sw_cgroup_set_tasks(group, 7));
    assert_false(is_there(world, "pids/user/swarm-1"));
    sw_cgroup_close(group);
    sw_cgroups_free(cgroups);
    world->has_tasks = true;
    assert_counts_tasks(world, "pids/user", 1);

    world = world_new("0::/\n");
    world->controllers = "memory pids";
    world->has_tasks = true;
    files_make(world->root);
    assert_counts_tasks(world, "", 2);
}

static void assert_goes_on_without(struct world *world, const char *words)
{
    struct sw_cgroups *cgroups = groups_new(world, 1 << 20, 100);
    struct sw_cgroup *group = sw_cgroup_open(cgroups, "shared");
    struct sw_cgroups_view view;

    sw_cgroups_view(cgroups, &view);
    assert_false(view.has_memory || view.has_cpu);
    assert_non_null(strstr(view.missing, words));
    assert_int_equal(sw_cgroup_join(group, 123, NULL), SW_E_UNAVAILABLE);
    assert_string_equal(sw_cgroup_memory_path(group), "");
    assert_int_equal(sw_cgroup_oom_kills(group), 0);
    sw_cgroup_close(group);
    sw_cgroups_free(cgroups);
}

static void without_groups_all_goes_on_and_says_why(void **state)
{
    struct world *world = world_new("");

    (void)state;
    assert_goes_on_without(world, "no such controller mounted");
    world_free(world);

    world = world_new("5:memory:/\\n4:cpu:/\\n");
    shell("mkdir -p %s/memory %s/cpu", world->root, world->root);
    world->is_refusing = true;
    assert_goes_on_without(world, "not ours");
    world_free(world);

    world = world_new("0::/\\n");
    world->controllers = "cpu memory";
    world->has_busy_group = true;
    files_make(world->root);
    assert_goes_on_without(world, "memory: ");
    world_free(world);
}

static void what_a_daemon_before_left_is_removed(void **state)
{
    struct world *world = world_new("5:memory:/\\n4:cpu:/\\n");
    struct sw_cgroups *cgroups;

    (void)state;
    shell("mkdir -p %s/memory/swarm-1/agent-7 %s/cpu/swarm-1/agent-7 %s/memory/swarm-2/agent-8",
          world->root, world->root, world->root);
    cgroups = groups_new(world, 0, 100);
    assert_false(is_there(world, "memory/swarm-1/agent-7"));
    assert_false(is_there(world, "cpu/swarm-1/agent-7"));
    assert_true(is_there(world, "memory/swarm-2/agent-8")); /* Of another one. */
    sw_cgroups_free(cgroups);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_version_has_a_tree_for_each_controller),
        cmocka_unit_test(the_second_version_has_one_and_we_move_to_a_leaf),
        cmocka_unit_test(what_version_two_lacks_is_taken_from_version_one),
        cmocka_unit_test(tasks_are_counted_where_somebody_wants_it),
        cmocka_unit_test(without_groups_all_goes_on_and_says_why),
        cmocka_unit_test(what_a_daemon_before_left_is_removed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
