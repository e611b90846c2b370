#include "pkg/cli/commands/bundler.h"
#include "pkg/cli/commands/commands.h"
#include "pkg/cli/commands/manifests.h"
#include "pkg/cli/commands/packer.h"
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

/* A text with the name put in. */
static void put_named(struct sw_bytes text, const char *name, struct sw_buffer *out)
{
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

struct begun { /* A file of a new agent. */
    const char *name;
    struct sw_bytes (*content)(void);
};

/* Per language, those that a person changes first. */
static const struct begun *files_of(const char *language)
{
    static const struct begun c[] = {
        {"agent.c", sw_template_source}, {"agent.yaml", sw_template_manifest}, {NULL, NULL}};
    static const struct begun js[] = {{"agent.js", sw_template_script},
                                      {"agent.yaml", sw_template_script_manifest},
                                      {"agent.test.js", sw_template_script_test},
                                      {NULL, NULL}};
    static const struct begun ts[] = {{"agent.ts", sw_template_typed},
                                      {"agent.yaml", sw_template_script_manifest},
                                      {"package.json", sw_template_package},
                                      {"tsconfig.json", sw_template_tsconfig},
                                      {"swarm.d.ts", sw_template_types},
                                      {"agent.test.js", sw_template_script_test},
                                      {NULL, NULL}};

    static const struct begun python[] = {{"main.py", sw_template_python},
                                          {"agent.yaml", sw_template_python_manifest},
                                          {"agent.program", sw_template_python_program},
                                          {"test_main.py", sw_template_python_test},
                                          {NULL, NULL}};

    if (language == NULL || strcmp(language, "c") == 0)
        return c;
    if (strcmp(language, "python") == 0)
        return python;
    return strcmp(language, "js") == 0 ? js : ts;
}

/* The name stands in manifests and packages, nowhere else. */
static enum sw_rc begin_file(struct sw_cli *cli, const char *folder, const struct begun *file,
                             const char *name, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer named = {0};
    struct sw_bytes content = file->content();
    bool has_name = strstr(file->name, ".yaml") != NULL || strcmp(file->name, "package.json") == 0;

    sw_buffer_init(&named, 65536);
    if (has_name)
        put_named(content, name, &named);
    return write_new(cli, sw_cli_format(cli, "%s/%s", folder, file->name),
                     has_name ? (struct sw_bytes){named.data, named.size} : content, err);
}

enum sw_rc sw_command_agent_init(struct sw_cli *cli, struct sw_err *err)
{
    const char *folder = sw_arguments_at(cli->arguments, 0);
    const struct begun *files = files_of(sw_arguments_text(cli->arguments, "lang"));
    const char *slash = strrchr(folder, '/');
    const char *name = sw_arguments_text(cli->arguments, "name");
    enum sw_rc rc;

    if (name == NULL)
        name = slash == NULL ? folder : slash + 1;
    if (!sw_text_is_label(name, 63)) {
        (void)sw_cli_usage(cli, err, "\"%s\" cannot be the name of an Agent", name);
        sw_err_hint(err, "name it with --name: lowercase letters, digits and '-'");
        return SW_E_INVALID;
    }
    rc = cli->system->folder_make(cli->system->ctx, folder, err);
    for (size_t i = 0; files[i].name != NULL && rc == SW_OK; i++)
        rc = begin_file(cli, folder, &files[i], name, err);
    if (rc != SW_OK)
        return rc;
    sw_cli_say(cli,
               "wrote %s/%s and %s/%s\nnext:\n%s  swarm agent build %s\n  swarm apply -f %s/%s\n"
               "  swarm send %s \"hello\"\n",
               folder, files[0].name, folder, files[1].name,
               files[0].content != sw_template_typed
                   ? ""
                   : sw_cli_format(cli, "  (cd %s && npm install)\n", folder),
               folder, folder, files[1].name, name);
    return SW_OK;
}

struct sources {
    struct sw_cli *cli;
    const char *folder;
    const char *language; /* Of those to look for in folders; NULL: all. */
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

/* In a folder each file of C is a program; of JavaScript "agent" is, and the others are its parts.
 */
static bool is_program(const struct sources *sources, const char *name)
{
    const char *ending = strrchr(name, '.');

    if (name[0] == '.' || ending == NULL)
        return false;
    if (sw_packer_takes(name))
        return sources->language == NULL || strcmp(sources->language, "python") == 0;
    if (sources->language != NULL && strcmp(ending + 1, sources->language) != 0)
        return false;
    return strcmp(ending, ".c") == 0 || strcmp(name, "agent.js") == 0 ||
           strcmp(name, "agent.ts") == 0;
}

static bool visit(void *ctx, const char *name)
{
    struct sources *sources = ctx;

    return !is_program(sources, name) ||
           add_source(sources, sw_cli_format(sources->cli, "%s/%s", sources->folder, name));
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
        return sw_err_set(err, SW_E_NOT_FOUND,
                          "%s has no .c files, no agent.js, no agent.ts and no agent.program",
                          path);
    return rc;
}

static bool is_bundled(const char *source)
{
    return sw_bundler_takes(source) || sw_packer_takes(source);
}

/* "reader.c" becomes "reader.wasm" beside it, "reader.js" and "reader.ts" "reader.bundle". */
static const char *output_of(struct sw_cli *cli, const char *source)
{
    const char *slash = strrchr(source, '/');
    const char *dot = strrchr(slash == NULL ? source : slash, '.');
    size_t size = dot == NULL || dot == source ? strlen(source) : (size_t)(dot - source);

    return sw_cli_format(cli, "%.*s.%s", (int)size, source, is_bundled(source) ? "bundle" : "wasm");
}

static enum sw_rc tell_built(struct sw_cli *cli, const char *output, struct sw_err *err)
{
    struct sw_file_view view = {0};
    enum sw_rc rc = cli->system->path_view(cli->system->ctx, output, &view, err);

    if (rc == SW_OK)
        sw_cli_say(cli, "built %s (%.1f KiB)\n", output, (double)view.size_bytes / 1024.0);
    return rc;
}

/* Those of C; with an output all of them become one module. */
static enum sw_rc build_modules(struct sw_cli *cli, const struct sources *sources,
                                const char *output, struct sw_err *err)
{
    const char *files[SW_TOOLCHAIN_SOURCES_MAX];
    struct sw_toolchain toolchain;
    size_t count = 0;
    enum sw_rc rc;

    for (size_t i = 0; i < sources->count; i++)
        if (!is_bundled(sources->files[i]))
            files[count++] = sources->files[i];
    if (count == 0)
        return SW_OK;
    rc = sw_toolchain_find(cli, &toolchain, err);
    if (rc == SW_OK && output != NULL) {
        rc = sw_toolchain_build(cli, &toolchain, files, count, output, err);
        return rc == SW_OK ? tell_built(cli, output, err) : rc;
    }
    for (size_t i = 0; i < count && rc == SW_OK; i++) {
        const char *module = output_of(cli, files[i]);

        rc = sw_toolchain_build(cli, &toolchain, &files[i], 1, module, err);
        if (rc == SW_OK)
            rc = tell_built(cli, module, err);
    }
    return rc;
}

static enum sw_rc build_bundles(struct sw_cli *cli, const struct sources *sources,
                                const char *output, struct sw_err *err)
{
    enum sw_rc rc = SW_OK;

    for (size_t i = 0; i < sources->count && rc == SW_OK; i++) {
        const char *source = sources->files[i];
        const char *bundle = output == NULL ? output_of(cli, source) : output;

        if (!is_bundled(source))
            continue;
        if (output != NULL && sources->count > 1)
            return sw_cli_usage(cli, err,
                                "a bundle is of one program, which imports its parts: name "
                                "that file alone");
        rc = sw_packer_takes(source) ? sw_packer_build(cli, source, bundle, err)
                                     : sw_bundler_build(cli, source, bundle, err);
        if (rc == SW_OK)
            rc = tell_built(cli, bundle, err);
    }
    return rc;
}

enum sw_rc sw_command_agent_build(struct sw_cli *cli, struct sw_err *err)
{
    struct sources sources = {.cli = cli, .language = sw_arguments_text(cli->arguments, "lang")};
    const char *output = sw_arguments_text(cli->arguments, "out");
    size_t count = sw_arguments_count(cli->arguments);
    enum sw_rc rc = count == 0 ? find_sources(&sources, ".", err) : SW_OK;

    for (size_t i = 0; i < count && rc == SW_OK; i++)
        rc = find_sources(&sources, sw_arguments_at(cli->arguments, i), err);
    if (rc == SW_OK)
        rc = build_bundles(cli, &sources, output, err);
    return rc == SW_OK ? build_modules(cli, &sources, output, err) : rc;
}

/* What the bundle needs beside itself, first. */
static enum sw_rc push_images(struct sw_cli *cli, const char *path, struct sw_bytes bundle,
                              struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer bytes = {0};
    struct sw_packer_image image;
    enum sw_rc rc = SW_OK;
    size_t cursor = 0;
    bool is_new = false;

    sw_buffer_init(&bytes, SW_MODULE_BYTES_MAX);
    while (rc == SW_OK && sw_packer_next(cli, path, bundle, &cursor, &image)) {
        sw_buffer_reset(&bytes);
        rc = sw_file_load(cli->system, image.path, SW_MODULE_BYTES_MAX, &bytes, err);
        if (rc == SW_OK)
            rc = sw_client_push(cli->client, cli->namespace, image.digest,
                                (struct sw_bytes){bytes.data, bytes.size}, &is_new, err);
    }
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
        rc = push_images(cli, path, (struct sw_bytes){wasm.data, wasm.size}, err);
    if (rc == SW_OK)
        rc = sw_client_push(cli->client, cli->namespace, digest,
                            (struct sw_bytes){wasm.data, wasm.size}, &is_new, err);
    if (rc != SW_OK)
        return rc;
    sw_cli_say(cli, is_new ? "pushed %s\n" : "%s was there already\n", path);
    sw_cli_print(cli, "%s\n", digest);
    return SW_OK;
}
