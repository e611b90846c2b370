#include "pkg/cli/commands/python.h"
#include "pkg/cli/commands/template.h"
#include "pkg/cli/commands/toolchain.h"

const char *sw_python_name(struct sw_cli *cli)
{
    const char *name = cli->terminal->variable(cli->terminal->ctx, "SWARM_PYTHON");

    return name == NULL || name[0] == '\0' ? "python3" : name;
}

/* Without it each start of a process waits until its imports are compiled: slower, and not wrong,
 * so a failure is none of the build. */
static void compile(struct sw_cli *cli, const char *folder)
{
    const char *const words[] = {sw_python_name(cli), "-m", "compileall", "-qq", folder, NULL};
    struct sw_err ignored = {0};
    int status = 0;

    (void)cli->terminal->run(cli->terminal->ctx, words, NULL, &status, &ignored);
}

enum sw_rc sw_python_place(struct sw_cli *cli, const char *folder, struct sw_err *err)
{
    static const struct {
        const char *name;
        struct sw_bytes (*content)(void);
    } files[] = {{"__init__.py", sw_template_sdk_init}, {"agent.py", sw_template_sdk_agent},
                 {"errors.py", sw_template_sdk_errors}, {"harness.py", sw_template_sdk_harness},
                 {"host.py", sw_template_sdk_host},     {"message.py", sw_template_sdk_message},
                 {"model.py", sw_template_sdk_model},   {"py.typed", sw_template_sdk_typed},
                 {"schema.py", sw_template_sdk_schema}, {"turns.py", sw_template_sdk_turns}};
    const char *sdk = sw_cli_format(cli, "%s/" SW_PYTHON_SDK, folder);
    enum sw_rc rc =
        cli->system->folder_make(cli->system->ctx, sw_cli_format(cli, "%s/swarm", sdk), err);

    for (size_t i = 0; i < sizeof files / sizeof files[0] && rc == SW_OK; i++)
        rc = sw_toolchain_place(cli, sw_cli_format(cli, "%s/swarm/%s", sdk, files[i].name),
                                files[i].content(), err);
    if (rc == SW_OK)
        compile(cli, sdk);
    return rc;
}
