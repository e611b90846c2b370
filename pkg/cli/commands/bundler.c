#include "pkg/cli/commands/bundler.h"
#include "pkg/agent/abi/abi.h"
#include "pkg/agent/modules/bundle.h"
#include "pkg/cli/commands/manifests.h"
#include "pkg/cli/commands/template.h"

#include <string.h>

#define ESBUILD_HINT                                                                               \
    "install it beside the program with: npm install --save-dev esbuild; or name it by "           \
    "SWARM_ESBUILD"

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);

    return size > end_size && strcmp(text + size - end_size, end) == 0;
}

static bool is_typed(const char *path)
{
    return ends_with(path, ".ts") || ends_with(path, ".mts");
}

bool sw_bundler_takes(const char *path)
{
    return ends_with(path, ".js") || ends_with(path, ".mjs") ||
           (is_typed(path) && !ends_with(path, ".d.ts"));
}

static size_t skip_space(const char *text, size_t at, size_t size)
{
    while (at < size && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' ||
                         text[at] == '\r' || text[at] == '('))
        at++;
    return at;
}

/* Whether a text at `at` is a quoted name, and not "swarm". */
static bool names_another(const char *text, size_t at, size_t size)
{
    char quote = at < size ? text[at] : '\0';

    if (quote != '"' && quote != '\'')
        return false;
    return size - at < 7 || memcmp(text + at + 1, "swarm", 5) != 0 || text[at + 6] != quote;
}

/* Whether it may import anything but "swarm": a word `from` or `import` before such a name. What
 * stands in texts and comments counts too, which costs a run of esbuild. */
static bool imports_others(struct sw_bytes source)
{
    static const char *const words[] = {"from", "import"};
    const char *text = source.data;

    for (size_t w = 0; w < 2; w++) {
        size_t size = strlen(words[w]), at = 0;
        const char *found;

        while ((found = memmem(text + at, source.size - at, words[w], size)) != NULL) {
            bool is_word = found == text || strchr(" \t\r\n;}*/(", found[-1]) != NULL;

            at = (size_t)(found - text) + size;
            if (is_word && names_another(text, skip_space(text, at, source.size), source.size))
                return true;
        }
    }
    return false;
}

static bool runs(struct sw_cli *cli, const char *program)
{
    const char *const words[] = {program, "--version", NULL};
    SW_CLEANUP(sw_buffer_done) struct sw_buffer out = {0};
    struct sw_err ignored = {0};
    int status = 0;

    sw_buffer_init(&out, 65536);
    return cli->terminal->run(cli->terminal->ctx, words, &out, &status, &ignored) == SW_OK &&
           status == 0;
}

/* SWARM_ESBUILD, that of the program's folder or of this one, or of PATH. */
static enum sw_rc find_esbuild(struct sw_cli *cli, const char *source, const char **ret_program,
                               struct sw_err *err)
{
    const char *slash = strrchr(source, '/');
    const char *candidates[] = {
        cli->terminal->variable(cli->terminal->ctx, "SWARM_ESBUILD"),
        sw_cli_format(cli, "%.*snode_modules/.bin/esbuild",
                      slash == NULL ? 0 : (int)(slash - source) + 1, source),
        "node_modules/.bin/esbuild",
        "esbuild",
    };

    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++)
        if (candidates[i] != NULL && candidates[i][0] != '\0' && runs(cli, candidates[i])) {
            *ret_program = candidates[i];
            return SW_OK;
        }
    (void)sw_err_set(err, SW_E_PRECONDITION,
                     "%s %s, and there is no esbuild to make one file of it", source,
                     is_typed(source) ? "is TypeScript" : "imports other modules");
    sw_err_hint(err, ESBUILD_HINT);
    return SW_E_PRECONDITION;
}

/* One module of JavaScript, in a folder .swarm beside the output. */
static enum sw_rc join(struct sw_cli *cli, const char *source, const char *output,
                       const char **ret_path, struct sw_err *err)
{
    const char *slash = strrchr(output, '/');
    const char *folder =
        sw_cli_format(cli, "%.*s.swarm", slash == NULL ? 0 : (int)(slash - output) + 1, output);
    const char *path = sw_cli_format(cli, "%s/%s.js", folder, slash == NULL ? output : slash + 1);
    const char *program = NULL;
    enum sw_rc rc = find_esbuild(cli, source, &program, err);
    int status = 0;

    if (rc == SW_OK)
        rc = cli->system->folder_make(cli->system->ctx, folder, err);
    if (rc != SW_OK)
        return rc;
    const char *const words[] = {program,
                                 source,
                                 "--bundle",
                                 "--format=esm",
                                 "--target=es2023",
                                 "--platform=neutral",
                                 "--main-fields=module,main",
                                 "--external:swarm",
                                 "--log-level=warning",
                                 sw_cli_format(cli, "--outfile=%s", path),
                                 NULL};
    rc = cli->terminal->run(cli->terminal->ctx, words, NULL, &status, err);
    if (rc == SW_OK && status != 0)
        return sw_err_set(err, SW_E_INVALID, "%s ended with status %d", program, status);
    *ret_path = path;
    return rc;
}

static enum sw_rc load(struct sw_cli *cli, const char *path, struct sw_buffer *out,
                       struct sw_err *err)
{
    enum sw_rc rc;

    sw_buffer_reset(out);
    rc = sw_file_load(cli->system, path, SW_ABI_PAYLOAD_BYTES_MAX, out, err);
    if (rc == SW_E_RANGE)
        return sw_err_set(err, SW_E_EXHAUSTED,
                          "%s is larger than %u MiB, the most a payload may have", path,
                          SW_ABI_PAYLOAD_BYTES_MAX >> 20);
    return rc;
}

enum sw_rc sw_bundler_build(struct sw_cli *cli, const char *source, const char *output,
                            struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer payload = {0}, bundle = {0};
    struct sw_bytes digest = sw_template_javascript();
    const char *path = source;
    enum sw_rc rc;

    sw_buffer_init(&payload, SW_ABI_PAYLOAD_BYTES_MAX);
    sw_buffer_init(&bundle, SW_ABI_PAYLOAD_BYTES_MAX + SW_BUNDLE_HEAD_BYTES);
    rc = load(cli, source, &payload, err);
    if (rc == SW_OK &&
        (is_typed(source) || imports_others((struct sw_bytes){payload.data, payload.size}))) {
        rc = join(cli, source, output, &path, err);
        if (rc == SW_OK)
            rc = load(cli, path, &payload, err);
    }
    if (rc == SW_OK)
        rc = sw_bundle_put(sw_cli_format(cli, "%.*s", (int)digest.size, (const char *)digest.data),
                           (struct sw_bytes){payload.data, payload.size}, &bundle, err);
    if (rc == SW_OK && bundle.failed)
        rc = sw_err_set(err, SW_E_EXHAUSTED, "no memory for the bundle");
    return rc == SW_OK ? sw_file_save(cli->system, output, bundle.data, bundle.size, err) : rc;
}
