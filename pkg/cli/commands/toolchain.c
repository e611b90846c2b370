#include "pkg/cli/commands/toolchain.h"
#include "pkg/cli/commands/manifests.h"
#include "pkg/cli/commands/template.h"

#include <string.h>

#define INSTALL_HINT "install it with: apt-get install clang-19 lld-19"
#define OPTIMISER_HINT "install it with: apt-get install binaryen"
#define SYSROOT_INCLUDE "/usr/include/wasm32-wasi"
#define SYSROOT_LIB "/usr/lib/wasm32-wasi"
#define STACK "stack-size=14336"      /* Its top and small data are in one page. */
#define STACK_LIBC "stack-size=65536" /* printf alone takes some 8 KiB. */
#define WORDS_MAX (SW_TOOLCHAIN_SOURCES_MAX + 32)

/* The first line of what a program says; NULL: it does not run, or it fails. */
static const char *first_line(struct sw_cli *cli, const char *const *words)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer out = {0};
    struct sw_err ignored = {0};
    int status = 0;

    sw_buffer_init(&out, 65536);
    if (cli->terminal->run(cli->terminal->ctx, words, &out, &status, &ignored) != SW_OK ||
        status != 0)
        return NULL;
    sw_buffer_put_u8(&out, 0);
    return out.failed ? ""
                      : sw_cli_format(cli, "%.*s", (int)strcspn((const char *)out.data, "\n"),
                                      (const char *)out.data);
}

/* Does the program run at all? What it says of itself, or NULL. */
static const char *version_of(struct sw_cli *cli, const char *program)
{
    const char *const words[] = {program, "--version", NULL};

    return first_line(cli, words);
}

/* The compiler's own library, which a C library is built on: arithmetic that the processor lacks.
 * NULL: it is not installed, and few programs need it. */
static const char *runtime_of(struct sw_cli *cli, const struct sw_toolchain *toolchain)
{
    const char *const words[] = {toolchain->compiler, "--target=wasm32-wasi", "--rtlib=compiler-rt",
                                 "-print-libgcc-file-name", NULL};
    const char *path = first_line(cli, words);
    struct sw_file_view view;

    return path != NULL && cli->system->path_view(cli->system->ctx, path, &view, NULL) == SW_OK &&
                   view.is_regular
               ? path
               : NULL;
}

static const char *find_program(struct sw_cli *cli, const char *variable, const char *stem,
                                const char **ret_version)
{
    const char *name = cli->terminal->variable(cli->terminal->ctx, variable);

    if (name != NULL && name[0] != '\0') {
        *ret_version = version_of(cli, name);
        return *ret_version == NULL ? NULL : name;
    }
    for (int number = 19; number >= 13; number--) {
        name = number == 13 ? stem : sw_cli_format(cli, "%s-%d", stem, number);
        *ret_version = version_of(cli, name);
        if (*ret_version != NULL)
            return name;
    }
    return NULL;
}

enum sw_rc sw_toolchain_find(struct sw_cli *cli, struct sw_toolchain *ret_toolchain,
                             struct sw_err *err)
{
    const char *ignored = NULL;

    ret_toolchain->compiler = find_program(cli, "SWARM_GUEST_CC", "clang", &ret_toolchain->version);
    if (ret_toolchain->compiler == NULL) {
        (void)sw_err_set(err, SW_E_PRECONDITION, "there is no clang to compile agents with");
        sw_err_hint(err, INSTALL_HINT);
        return SW_E_PRECONDITION;
    }
    ret_toolchain->linker = find_program(cli, "SWARM_GUEST_LD", "wasm-ld", &ignored);
    if (ret_toolchain->linker == NULL) {
        (void)sw_err_set(err, SW_E_PRECONDITION, "there is no wasm-ld to link agents with");
        sw_err_hint(err, INSTALL_HINT);
        return SW_E_PRECONDITION;
    }
    ret_toolchain->optimiser = find_program(cli, "SWARM_WASM_OPT", "wasm-opt", &ignored);
    return SW_OK;
}

enum sw_rc sw_toolchain_place(struct sw_cli *cli, const char *path, struct sw_bytes content,
                              struct sw_err *err)
{
    struct sw_err ignored = {0};
    struct sw_buffer old;
    bool is_same;

    sw_buffer_init(&old, SW_MODULE_BYTES_MAX);
    is_same = sw_file_load(cli->system, path, SW_MODULE_BYTES_MAX, &old, &ignored) == SW_OK &&
              old.size == content.size && memcmp(old.data, content.data, content.size) == 0;
    sw_buffer_done(&old);
    return is_same ? SW_OK : sw_file_save(cli->system, path, content.data, content.size, err);
}

/* The folder for -I: the headers that came with this program, kept in the user's cache. */
static enum sw_rc place_headers(struct sw_cli *cli, const char **ret_folder, struct sw_err *err)
{
    const struct sw_terminal *terminal = cli->terminal;
    const char *cache = terminal->variable(terminal->ctx, "XDG_CACHE_HOME");
    const char *home = terminal->variable(terminal->ctx, "HOME");
    const char *folder =
        cache != NULL && cache[0] == '/'
            ? sw_cli_format(cli, "%s/swarm/include", cache)
            : sw_cli_format(cli, "%s/.cache/swarm/include", home == NULL ? "/tmp" : home);
    struct sw_bytes content;
    const char *name;
    enum sw_rc rc =
        cli->system->folder_make(cli->system->ctx, sw_cli_format(cli, "%s/swarm", folder), err);

    *ret_folder = folder;
    for (size_t i = 0; rc == SW_OK && (name = sw_template_header(i, &content)) != NULL; i++)
        rc = sw_toolchain_place(cli, sw_cli_format(cli, "%s/swarm/%s", folder, name), content, err);
    return rc;
}

static enum sw_rc run(struct sw_cli *cli, const char *const *words, struct sw_err *err)
{
    int status = 0;
    enum sw_rc rc;

    if (cli->is_verbose) {
        for (size_t i = 0; words[i] != NULL; i++)
            sw_cli_say(cli, "%s%s", i == 0 ? "" : " ", words[i]);
        sw_cli_say(cli, "\n");
    }
    rc = cli->terminal->run(cli->terminal->ctx, words, NULL, &status, err);
    if (rc == SW_OK && status != 0)
        return sw_err_set(err, SW_E_INVALID, "%s ended with status %d", words[0], status);
    return rc;
}

static enum sw_rc compile(struct sw_cli *cli, const struct sw_toolchain *toolchain,
                          const char *include, const char *source, const char *object,
                          struct sw_err *err)
{
    bool with_libc = sw_arguments_is(cli->arguments, "libc", false);
    const char *const words[] = {toolchain->compiler,
                                 with_libc ? "--target=wasm32-wasi" : "--target=wasm32",
                                 "-std=c17",
                                 "-O2",
                                 "-Wall",
                                 "-Wextra",
                                 "-mbulk-memory",
                                 "-msign-ext",
                                 with_libc ? "-isystem" SYSROOT_INCLUDE : "-ffreestanding",
                                 "-I",
                                 include,
                                 "-c",
                                 source,
                                 "-o",
                                 object,
                                 NULL};

    return run(cli, words, err);
}

/* With a C library the module is a WASI reactor: crt1-reactor.o has the _initialize that
 * constructors run in, once. Without it the linker would run them, and destructors, around every
 * entry. */
static enum sw_rc link_module(struct sw_cli *cli, const struct sw_toolchain *toolchain,
                              const char *const *objects, size_t count, const char *output,
                              struct sw_err *err)
{
    bool with_libc = sw_arguments_is(cli->arguments, "libc", false);
    const char *words[WORDS_MAX] = {toolchain->linker, "--no-entry", "--stack-first", "-z",
                                    with_libc ? STACK_LIBC : STACK};
    size_t used = 5;

    if (with_libc)
        words[used++] = SYSROOT_LIB "/crt1-reactor.o";
    for (size_t i = 0; i < count; i++)
        words[used++] = objects[i];
    if (with_libc) {
        const char *runtime = runtime_of(cli, toolchain);
        words[used++] = "-L" SYSROOT_LIB;
        words[used++] = "-lc";
        if (runtime != NULL)
            words[used++] = runtime;
    }
    words[used++] = "-o";
    words[used++] = output;
    words[used] = NULL;
    return run(cli, words, err);
}

/* Whether the module imports anything that waits: such an import is, in its bytes, the two names
 * with their sizes and the kind of a function. What a C library imports to sleep waits only where
 * there is a place for the stack, which swarm/wait.h gives. */
static bool waits(struct sw_bytes module)
{
    static const char *const names[] = {"\7swarm_1\3ask", "\7swarm_1\7receive", "\7swarm_1\5sleep",
                                        "\7swarm_1\4call"};
    static const char poll[] = "\26wasi_snapshot_preview1\13poll_oneoff";
    static const char area[] = "\17swarm_wait_area";

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (memmem(module.data, module.size, names[i], strlen(names[i]) + 1) != NULL)
            return true;
    return memmem(module.data, module.size, poll, strlen(poll) + 1) != NULL &&
           memmem(module.data, module.size, area, strlen(area) + 1) != NULL;
}

/* Have handlers that wait unwind their stack and come back. Only what can reach a wait is changed;
 * the names of its functions stay for reports. */
static enum sw_rc let_wait(struct sw_cli *cli, const struct sw_toolchain *toolchain,
                           const char *output, struct sw_err *err)
{
    const char *const words[] = {
        toolchain->optimiser,
        "-g",
        "--enable-bulk-memory",
        "--enable-sign-ext",
        "--enable-mutable-globals",
        "--asyncify",
        "--pass-arg=asyncify-imports@swarm_1.ask,swarm_1.receive,swarm_1.sleep,"
        "swarm_1.call,wasi_snapshot_preview1.poll_oneoff",
        "--pass-arg=asyncify-asserts",
        "-O2",
        output,
        "-o",
        output,
        NULL};
    SW_CLEANUP(sw_buffer_done) struct sw_buffer module = {0};
    enum sw_rc rc;

    sw_buffer_init(&module, SW_MODULE_BYTES_MAX);
    rc = sw_file_load(cli->system, output, SW_MODULE_BYTES_MAX, &module, err);
    if (rc != SW_OK || !waits((struct sw_bytes){module.data, module.size}))
        return rc;
    if (toolchain->optimiser != NULL)
        return run(cli, words, err);
    (void)sw_err_set(err, SW_E_PRECONDITION,
                     "%s waits within its handlers, and there is no wasm-opt to build that with",
                     output);
    sw_err_hint(err, OPTIMISER_HINT);
    return SW_E_PRECONDITION;
}

enum sw_rc sw_toolchain_build(struct sw_cli *cli, const struct sw_toolchain *toolchain,
                              const char *const *sources, size_t count, const char *output,
                              struct sw_err *err)
{
    const char *objects[SW_TOOLCHAIN_SOURCES_MAX];
    const char *slash = strrchr(output, '/');
    const char *folder =
        sw_cli_format(cli, "%.*s.swarm", slash == NULL ? 0 : (int)(slash - output) + 1, output);
    const char *include = "";
    enum sw_rc rc = place_headers(cli, &include, err);

    if (rc == SW_OK)
        rc = cli->system->folder_make(cli->system->ctx, folder, err);
    for (size_t i = 0; i < count && rc == SW_OK; i++) {
        const char *name = strrchr(sources[i], '/');

        objects[i] =
            sw_cli_format(cli, "%s/%zu-%s.o", folder, i, name == NULL ? sources[i] : name + 1);
        rc = compile(cli, toolchain, include, sources[i], objects[i], err);
    }
    if (rc == SW_OK)
        rc = link_module(cli, toolchain, objects, count, output, err);
    return rc == SW_OK ? let_wait(cli, toolchain, output, err) : rc;
}
