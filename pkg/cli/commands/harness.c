#include "pkg/cli/commands/commands.h"
#include "pkg/cli/commands/packer.h"
#include "pkg/cli/commands/python.h"
#include "pkg/cli/commands/template.h"
#include "pkg/cli/commands/toolchain.h"

#include <string.h>

#define TESTS_MAX 256
#define PROGRAM "agent.program"
/* As "-m unittest" does, with one more folder of packages. */
#define UNITTEST                                                                                   \
    "import sys, unittest; sys.path.insert(0, sys.argv.pop(1)); "                                  \
    "unittest.main(module=None, argv=['python -m unittest'] + sys.argv[1:])"
#define NODE_HINT "install Node.js 18 or later, or name it by SWARM_NODE"

/* The npm package, as it stands in this program, in the node_modules of the folder. */
static enum sw_rc place_package(struct sw_cli *cli, const char *folder, struct sw_err *err)
{
    static const struct {
        const char *name;
        struct sw_bytes (*content)(void);
    } files[] = {{"package.json", sw_template_npm},
                 {"index.d.ts", sw_template_types},
                 {"harness/harness.js", sw_template_harness},
                 {"harness/host.js", sw_template_harness_host},
                 {"harness/words.js", sw_template_harness_words},
                 {"harness/model.js", sw_template_harness_model},
                 {"harness/index.d.ts", sw_template_harness_types},
                 {"harness/swarm_js.wasm", sw_template_runtime}};
    const char *package = sw_cli_format(cli, "%s/node_modules/swarm-agents", folder);
    enum sw_rc rc =
        cli->system->folder_make(cli->system->ctx, sw_cli_format(cli, "%s/harness", package), err);

    for (size_t i = 0; i < sizeof files / sizeof files[0] && rc == SW_OK; i++)
        rc = sw_toolchain_place(cli, sw_cli_format(cli, "%s/%s", package, files[i].name),
                                files[i].content(), err);
    return rc;
}

struct tests {
    struct sw_cli *cli;
    const char *folder;
    const char *words[TESTS_MAX + 3]; /* The command line. */
    size_t count;
};

static bool visit(void *ctx, const char *name)
{
    struct tests *tests = ctx;
    size_t size = strlen(name);

    if (name[0] == '.' || tests->count >= TESTS_MAX + 2 ||
        ((size < 9 || strcmp(name + size - 8, ".test.js") != 0) &&
         (size < 10 || strcmp(name + size - 9, ".test.mjs") != 0)))
        return true;
    tests->words[tests->count++] = sw_cli_format(tests->cli, "%s/%s", tests->folder, name);
    return true;
}

static bool visit_python(void *ctx, const char *name)
{
    struct tests *tests = ctx;
    size_t size = strlen(name);

    if ((size > 8 && strncmp(name, "test_", 5) == 0 && strcmp(name + size - 3, ".py") == 0) ||
        (size > 8 && name[0] != '.' && strcmp(name + size - 8, "_test.py") == 0))
        tests->count++;
    return true;
}

/* Of a folder with an agent.program: by unittest, with the packages of whoever runs this, and with
 * the SDK that the program is built with, if that is the one which is brought along. */
static enum sw_rc test_python(struct sw_cli *cli, const char *folder, struct sw_err *err)
{
    const char *sdk = NULL;
    struct tests tests = {.cli = cli, .folder = folder};
    enum sw_rc rc = cli->system->folder_list(cli->system->ctx, folder, visit_python, &tests, err);
    int status = 0;

    if (rc == SW_OK && tests.count == 0) {
        (void)sw_err_set(err, SW_E_NOT_FOUND, "%s has no tests", folder);
        sw_err_hint(err, "tests of Python are files test_*.py or *_test.py");
        return SW_E_NOT_FOUND;
    }
    if (rc == SW_OK)
        rc = sw_packer_place(cli, sw_cli_format(cli, "%s/" PROGRAM, folder), &sdk, err);
    if (rc != SW_OK)
        return rc;

    const char *const words[] = {sw_python_name(cli), "-c", UNITTEST, sdk == NULL ? folder : sdk,
                                 "discover",          "-s", folder,   "-p",
                                 "*test*.py",         NULL};
    rc = cli->terminal->run(cli->terminal->ctx, words, NULL, &status, err);
    if (rc == SW_E_NOT_FOUND)
        sw_err_hint(err, "install Python 3.11 or later, or name it by SWARM_PYTHON");
    if (rc == SW_OK && status != 0)
        return sw_err_set(err, SW_E_INVALID, "a test failed");
    return rc;
}

enum sw_rc sw_command_agent_test(struct sw_cli *cli, struct sw_err *err)
{
    const char *folder =
        sw_arguments_count(cli->arguments) == 0 ? "." : sw_arguments_at(cli->arguments, 0);
    const char *node = cli->terminal->variable(cli->terminal->ctx, "SWARM_NODE");
    struct tests tests = {.cli = cli, .folder = folder};
    struct sw_file_view view;
    enum sw_rc rc;
    int status = 0;

    if (cli->system->path_view(cli->system->ctx, sw_cli_format(cli, "%s/" PROGRAM, folder), &view,
                               err) == SW_OK)
        return test_python(cli, folder, err);
    tests.words[tests.count++] = node == NULL || node[0] == '\0' ? "node" : node;
    tests.words[tests.count++] = "--test";
    rc = cli->system->folder_list(cli->system->ctx, folder, visit, &tests, err);
    if (rc == SW_OK && tests.count == 2) {
        (void)sw_err_set(err, SW_E_NOT_FOUND, "%s has no tests", folder);
        sw_err_hint(err, "tests are files that end in .test.js or .test.mjs");
        return SW_E_NOT_FOUND;
    }
    if (rc == SW_OK)
        rc = sw_command_agent_build(cli, err);
    if (rc == SW_OK)
        rc = place_package(cli, folder, err);
    if (rc != SW_OK)
        return rc;
    rc = cli->terminal->run(cli->terminal->ctx, tests.words, NULL, &status, err);
    if (rc == SW_E_NOT_FOUND)
        sw_err_hint(err, NODE_HINT);
    if (rc == SW_OK && status != 0)
        return sw_err_set(err, SW_E_INVALID, "a test failed");
    return rc;
}
