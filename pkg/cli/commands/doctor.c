#include "pkg/cli/commands/commands.h"
#include "pkg/cli/commands/help.h"
#include "pkg/cli/commands/toolchain.h"
#include "pkg/utils/version/version.h"

#include <stdlib.h>
#include <string.h>

#define KERNEL_MAJOR_MIN 6
#define KERNEL_MINOR_MIN 1
#define PROC_BYTES_MAX 65536

enum verdict { VERDICT_OK, VERDICT_WARN, VERDICT_FAIL };

struct doctor {
    struct sw_cli *cli;
    size_t warnings, failures;
};

/* One line: what was looked at, what was found, and what to do. */
static void tell(struct doctor *doctor, enum verdict verdict, const char *what, const char *advice)
{
    static const char *const words[] = {"ok  ", "warn", "FAIL"};
    static const char *const colors[] = {"\033[32m", "\033[33m", "\033[31m"};
    struct sw_cli *cli = doctor->cli;
    bool colored = cli->uses_color && cli->terminal->out_is_terminal;

    doctor->warnings += verdict == VERDICT_WARN;
    doctor->failures += verdict == VERDICT_FAIL;
    if (colored)
        sw_terminal_put(cli->terminal, SW_TERMINAL_OUT, colors[verdict]);
    sw_cli_print(cli, "%s", words[verdict]);
    if (colored)
        sw_terminal_put(cli->terminal, SW_TERMINAL_OUT, "\033[0m");
    sw_cli_print(cli, "  %s\n", what);
    if (verdict != VERDICT_OK && advice[0] != '\0')
        sw_cli_print(cli, "      %s\n", advice);
}

/* The first line of a file of the kernel; NULL when it is not there. */
static const char *kernel_says(struct sw_cli *cli, const char *path)
{
    struct sw_err ignored = {0};
    char text[PROC_BYTES_MAX];
    size_t size = 0;
    int file = -1;
    enum sw_rc rc;

    if (cli->system->file_open(cli->system->ctx, path, SW_FILE_READ, &file, &ignored) != SW_OK)
        return NULL;
    rc = cli->system->file_read(cli->system->ctx, file, 0, text, sizeof text - 1, &size, &ignored);
    cli->system->file_close(cli->system->ctx, file);
    if (rc != SW_OK)
        return NULL;
    text[size] = '\0';
    return sw_cli_format(cli, "%.*s", (int)strcspn(text, "\n"), text);
}

static bool is_there(struct sw_cli *cli, const char *path)
{
    struct sw_file_view view;
    struct sw_err ignored = {0};

    return cli->system->path_view(cli->system->ctx, path, &view, &ignored) == SW_OK;
}

static void check_kernel(struct doctor *doctor)
{
    struct sw_cli *cli = doctor->cli;
    const char *release = kernel_says(cli, "/proc/sys/kernel/osrelease");
    long major = 0, minor = 0;
    char *end = NULL;

    if (release != NULL)
        major = strtol(release, &end, 10);
    if (end != NULL && *end == '.')
        minor = strtol(end + 1, NULL, 10);
    tell(doctor,
         major > KERNEL_MAJOR_MIN || (major == KERNEL_MAJOR_MIN && minor >= KERNEL_MINOR_MIN)
             ? VERDICT_OK
             : VERDICT_WARN,
         sw_cli_format(cli, "Linux %s", release == NULL ? "of unknown version" : release),
         "Swarm is tested with Linux 6.1 and newer");
    tell(doctor,
         is_there(cli, "/proc/sys/kernel/seccomp/actions_avail") ? VERDICT_OK : VERDICT_FAIL,
         "seccomp filters", "agent hosts need a kernel with CONFIG_SECCOMP_FILTER");
}

static void check_isolation(struct doctor *doctor)
{
    struct sw_cli *cli = doctor->cli;
    int landlock = cli->terminal->landlock_version(cli->terminal->ctx);
    const char *count = kernel_says(cli, "/proc/sys/user/max_user_namespaces");
    const char *clone = kernel_says(cli, "/proc/sys/kernel/unprivileged_userns_clone");
    const char *limited =
        kernel_says(cli, "/proc/sys/kernel/apparmor_restrict_unprivileged_userns");
    bool has_users = count != NULL && strcmp(count, "0") != 0 &&
                     (clone == NULL || strcmp(clone, "0") != 0) &&
                     (limited == NULL || strcmp(limited, "0") == 0);

    tell(doctor, landlock > 0 ? VERDICT_OK : VERDICT_WARN,
         landlock > 0 ? sw_cli_format(cli, "Landlock version %d", landlock) : "Landlock is missing",
         "agent hosts then rely on seccomp alone; boot with lsm=landlock,...");
    tell(doctor, has_users ? VERDICT_OK : VERDICT_WARN,
         has_users ? "user namespaces" : "user namespaces are not for everybody",
         "needed by agents that are processes; see user_namespaces(7)");
    if (is_there(cli, "/sys/fs/cgroup/cgroup.controllers"))
        tell(doctor, VERDICT_OK, "cgroups, version 2", "");
    else if (is_there(cli, "/sys/fs/cgroup/memory"))
        tell(doctor, VERDICT_OK, "cgroups, version 1", "");
    else
        tell(doctor, VERDICT_WARN, "no cgroups are mounted",
             "memory and processor limits of whole hosts are then not enforced");
}

static bool has_word(const char *text, const char *word)
{
    size_t size = strlen(word);

    for (const char *at = text; (at = strstr(at, word)) != NULL; at += size)
        if ((at == text || at[-1] == ' ') && (at[size] == ' ' || at[size] == '\0'))
            return true;
    return false;
}

/* What programs in sandboxes want besides: see docs/operations/processes.md. */
static void check_processes(struct doctor *doctor)
{
    static const char *const wanted[] = {"memory", "pids", "cpu"};
    static const char *const pythons[] = {"/usr/bin/python3", "/usr/local/bin/python3"};
    struct sw_cli *cli = doctor->cli;
    const char *have = kernel_says(cli, "/sys/fs/cgroup/cgroup.controllers");
    char missing[32] = "";

    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        bool is_had = have != NULL
                          ? has_word(have, wanted[i])
                          : is_there(cli, sw_cli_format(cli, "/sys/fs/cgroup/%s", wanted[i]));

        if (!is_had)
            (void)strcat(strcat(missing, missing[0] == '\0' ? "" : ", "), wanted[i]);
    }
    tell(doctor, missing[0] == '\0' ? VERDICT_OK : VERDICT_WARN,
         missing[0] == '\0' ? "control groups for programs: memory, pids, cpu"
                            : sw_cli_format(cli, "no control group counts %s", missing),
         "programs in sandboxes are then bounded process by process, or by their user");
    tell(doctor, is_there(cli, pythons[0]) || is_there(cli, pythons[1]) ? VERDICT_OK : VERDICT_WARN,
         is_there(cli, pythons[0]) || is_there(cli, pythons[1])
             ? "an interpreter of Python for programs in sandboxes"
             : "there is no python3 below /usr",
         "agents in Python need one; sandboxes see no other folder of the machine");
}

static void check_toolchain(struct doctor *doctor)
{
    struct sw_cli *cli = doctor->cli;
    struct sw_toolchain toolchain;
    struct sw_err err = {0};

    if (sw_toolchain_find(cli, &toolchain, &err) == SW_OK)
        tell(
            doctor, VERDICT_OK,
            sw_cli_format(cli, "toolchain for agents: %s, %s", toolchain.version, toolchain.linker),
            "");
    else
        tell(doctor, VERDICT_WARN, err.message, err.hint);
}

static void check_server(struct doctor *doctor)
{
    struct sw_cli *cli = doctor->cli;
    struct sw_err err = {0};
    const char *version;

    if (sw_cli_choose_context(cli, &err) != SW_OK) {
        tell(doctor, VERDICT_FAIL, err.message, err.hint);
        return;
    }
    tell(doctor, VERDICT_OK,
         sw_cli_format(cli, "context \"%s\": %s, namespace %s", cli->context.name,
                       cli->context.server, cli->namespace),
         "");
    version = sw_server_version(cli, &err);
    if (version == NULL) {
        tell(doctor, VERDICT_FAIL, err.message, err.hint);
        return;
    }
    if (version[0] == '\0') { /* It stands in the Cluster's status, which comes after the start. */
        tell(doctor, VERDICT_OK, "the server answers; it has not told its version yet", "");
        return;
    }
    tell(doctor, strcmp(version, sw_version()) == 0 ? VERDICT_OK : VERDICT_WARN,
         sw_cli_format(cli, "the server answers; it has version %s, this is %s", version,
                       sw_version()),
         "install the same version of both");
}

static void check_node(struct doctor *doctor, const struct sw_api_node *node)
{
    struct sw_cli *cli = doctor->cli;
    size_t up = 0;

    for (size_t i = 0; i < node->status.hosts_count; i++) {
        const struct sw_api_node_host *host = &node->status.hosts[i];
        bool is_well = strcmp(host->phase, "Up") == 0 || strcmp(host->phase, "Stopping") == 0;

        up += is_well;
        if (!is_well)
            tell(doctor, VERDICT_WARN,
                 sw_cli_format(cli, "the agent host %s of node %s is %s: %s", host->name,
                               node->metadata.name, host->phase, host->message),
                 "it is started again by itself; swarm events -A and the log of swarmd tell why");
    }
    if (up > 0)
        tell(doctor, VERDICT_OK,
             sw_cli_format(cli, "node %s: %zu agent host%s up", node->metadata.name, up,
                           up == 1 ? "" : "s"),
             "");
}

/* What the server tells of its nodes; that it answers was checked before. */
static void check_nodes(struct doctor *doctor)
{
    struct sw_cli *cli = doctor->cli;
    struct sw_object_key key = {.kind = sw_kind_find("Node"), .namespace = "", .name = ""};
    struct sw_objects objects;
    struct sw_err ignored = {0};

    if (cli->client == NULL ||
        sw_client_list(cli->client, &key, "", cli->arena, &objects, &ignored) != SW_OK)
        return;
    for (size_t i = 0; i < objects.count; i++)
        check_node(doctor, objects.items[i]);
}

enum sw_rc sw_command_doctor(struct sw_cli *cli, struct sw_err *err)
{
    struct doctor doctor = {.cli = cli};

    check_server(&doctor);
    check_nodes(&doctor);
    check_kernel(&doctor);
    check_isolation(&doctor);
    check_processes(&doctor);
    check_toolchain(&doctor);
    if (doctor.failures > 0)
        return sw_err_set(err, SW_E_PRECONDITION, "%zu failed, %zu warnings", doctor.failures,
                          doctor.warnings);
    sw_cli_say(cli, "nothing is in the way%s\n",
               doctor.warnings > 0 ? ", but see the warnings" : "");
    return SW_OK;
}
