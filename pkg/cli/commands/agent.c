#include "pkg/cli/commands/commands.h"
#include "pkg/cli/commands/manifests.h"
#include "pkg/cli/commands/toolchain.h"
#include "pkg/security/crypto/digest.h"
#include "pkg/cli/commands/template.h"
#include "pkg/utils/base/text.h"

#include <string.h>

#define NAME_WORD "hello" /* The name in examples/hello/agent.yaml. */

static enum sw_rc write_new(struct sw_cli *cli, const char *path, struct sw_bytes content,
                            struct sw_err *err)
{
    struct sw_file_view view;
    struct sw_err ignored = {0};

    if (cli->system->path_view(cli->system->ctx, path, &view, &ignored) == SW_OK) {
        (void)sw_err_set(err, SW_E_EXISTS, "%s is there already", path);
        sw_err_hint(err, "begin in another folder");
        return SW_E_EXISTS;
    }
    return sw_file_save(cli->system, path, content.data, content.size, err);
}

/* The manifest with the name put in. */
static void put_manifest(const char *name, struct sw_buffer *out)
{
    struct sw_bytes text = sw_template_manifest();
    const char *at = text.data, *end = at + text.size;

    while (at < end) {
        const char *word = memmem(at, (size_t)(end - at), NAME_WORD, strlen(NAME_WORD));
        size_t size = word == NULL ? (size_t)(end - at) : (size_t)(word - at);

        sw_buffer_put(out, at, size);
        at += size;
        if (word != NULL) {
            sw_buffer_put_text(out, name);
            at += strlen(NAME_WORD);
        }
    }
}

enum sw_rc sw_command_agent_init(struct sw_cli *cli, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer manifest = {0};
    const char *folder = sw_arguments_at(cli->arguments, 0);
    const char *slash = strrchr(folder, '/');
    const char *name = sw_arguments_text(cli->arguments, "name");
    enum sw_rc rc;

    sw_buffer_init(&manifest, 65536);
    if (name == NULL)
        name = slash == NULL ? folder : slash + 1;
    if (!sw_text_is_label(name, 63)) {
        (void)sw_cli_usage(cli, err, "\"%s\" cannot be the name of an Agent", name);
        sw_err_hint(err, "name it with --name: lowercase letters, digits and '-'");
        return SW_E_INVALID;
    }
    put_manifest(name, &manifest);
    rc = cli->system->folder_make(cli->system->ctx, folder, err);
    if (rc == SW_OK)
        rc = write_new(cli, sw_cli_format(cli, "%s/agent.c", folder), sw_template_source(), err);
    if (rc == SW_OK)
        rc = write_new(cli, sw_cli_format(cli, "%s/agent.yaml", folder),
                       (struct sw_bytes){manifest.data, manifest.size}, err);
    if (rc != SW_OK)
        return rc;
    sw_cli_say(cli,
               "wrote %s/agent.c and %s/agent.yaml\nnext:\n  swarm agent build %s\n"
               "  swarm apply -f %s\n  swarm send %s \"hello\"\n",
               folder, folder, folder, folder, name);
    return SW_OK;
}

struct sources {
    struct sw_cli *cli;
    const char *folder;
    const char *files[SW_TOOLCHAIN_SOURCES_MAX];
    size_t count;
    bool failed;
};

static bool add_source(struct sources *sources, const char *path)
{
    sources->failed = sources->count == SW_TOOLCHAIN_SOURCES_MAX;
    if (!sources->failed)
        sources->files[sources->count++] = path;
    return !sources->failed;
}

static bool visit(void *ctx, const char *name)
{
    struct sources *sources = ctx;
    size_t size = strlen(name);

    if (name[0] == '.' || size < 3 || strcmp(name + size - 2, ".c") != 0)
        return true;
    return add_source(sources, sw_cli_format(sources->cli, "%s/%s", sources->folder, name));
}

static enum sw_rc find_sources(struct sources *sources, const char *path, struct sw_err *err)
{
    const struct sw_system *system = sources->cli->system;
    struct sw_file_view view;
    size_t before = sources->count, size = strlen(path);
    enum sw_rc rc = system->path_view(system->ctx, path, &view, err);

    if (rc != SW_OK)
        return rc;
    if (!view.is_folder) {
        (void)add_source(sources, path);
    } else {
        while (size > 1 && path[size - 1] == '/')
            size--;
        sources->folder = sw_cli_format(sources->cli, "%.*s", (int)size, path);
        rc = system->folder_list(system->ctx, path, visit, sources, err);
    }
    if (rc == SW_OK && sources->failed)
        return sw_err_set(err, SW_E_EXHAUSTED, "more than %d sources", SW_TOOLCHAIN_SOURCES_MAX);
    if (rc == SW_OK && sources->count == before)
        return sw_err_set(err, SW_E_NOT_FOUND, "%s has no .c files", path);
    return rc;
}

/* "reader.c" becomes "reader.wasm" beside it. */
static const char *output_of(struct sw_cli *cli, const char *source)
{
    size_t size = strlen(source);

    if (size > 2 && strcmp(source + size - 2, ".c") == 0)
        size -= 2;
    return sw_cli_format(cli, "%.*s.wasm", (int)size, source);
}

static enum sw_rc build_one(struct sw_cli *cli, const struct sw_toolchain *toolchain,
                            const char *const *files, size_t count, const char *output,
                            struct sw_err *err)
{
    struct sw_file_view view = {0};
    enum sw_rc rc = sw_toolchain_build(cli, toolchain, files, count, output, err);

    if (rc == SW_OK)
        rc = cli->system->path_view(cli->system->ctx, output, &view, err);
    if (rc == SW_OK)
        sw_cli_say(cli, "built %s (%.1f KiB)\n", output, (double)view.size_bytes / 1024.0);
    return rc;
}

enum sw_rc sw_command_agent_build(struct sw_cli *cli, struct sw_err *err)
{
    struct sources sources = {.cli = cli};
    const char *output = sw_arguments_text(cli->arguments, "out");
    size_t count = sw_arguments_count(cli->arguments);
    struct sw_toolchain toolchain;
    enum sw_rc rc = count == 0 ? find_sources(&sources, ".", err) : SW_OK;

    for (size_t i = 0; i < count && rc == SW_OK; i++)
        rc = find_sources(&sources, sw_arguments_at(cli->arguments, i), err);
    if (rc == SW_OK)
        rc = sw_toolchain_find(cli, &toolchain, err);
    if (rc != SW_OK)
        return rc;
    if (output != NULL)
        return build_one(cli, &toolchain, sources.files, sources.count, output, err);
    for (size_t i = 0; i < sources.count && rc == SW_OK; i++)
        rc =
            build_one(cli, &toolchain, &sources.files[i], 1, output_of(cli, sources.files[i]), err);
    return rc;
}

enum sw_rc sw_command_agent_push(struct sw_cli *cli, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer wasm = {0};
    const char *path = sw_arguments_at(cli->arguments, 0);
    char digest[SW_DIGEST_TEXT_SIZE];
    bool is_new = false;
    enum sw_rc rc;

    sw_buffer_init(&wasm, SW_MODULE_BYTES_MAX);
    rc = sw_file_load(cli->system, path, SW_MODULE_BYTES_MAX, &wasm, err);
    if (rc == SW_E_RANGE)
        return sw_err_set(err, rc, "%s is larger than %zu MiB, the most a module may have", path,
                          SW_MODULE_BYTES_MAX >> 20);
    if (rc != SW_OK)
        return rc;
    if (wasm.size < 8 || (memcmp(wasm.data, "\0asm", 4) != 0 && /* A module, or a bundle. */
                          memcmp(wasm.data, "\0swb", 4) != 0)) {
        (void)sw_err_set(err, SW_E_INVALID, "%s is neither a WebAssembly module nor a bundle",
                         path);
        sw_err_hint(err, "build one with: swarm agent build");
        return SW_E_INVALID;
    }
    sw_digest_text_of(wasm.data, wasm.size, digest);
    rc = sw_cli_connect(cli, err);
    if (rc == SW_OK)
        rc = sw_client_push(cli->client, cli->namespace, digest,
                            (struct sw_bytes){wasm.data, wasm.size}, &is_new, err);
    if (rc != SW_OK)
        return rc;
    sw_cli_say(cli, is_new ? "pushed %s\n" : "%s was there already\n", path);
    sw_cli_print(cli, "%s\n", digest);
    return SW_OK;
}
