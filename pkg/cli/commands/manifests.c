#include "pkg/cli/commands/manifests.h"
#include "pkg/cli/commands/packer.h"
#include "pkg/apis/swarm/v1/validate.h"
#include "pkg/security/crypto/digest.h"

#include <stdlib.h>
#include <string.h>

#define PROBLEMS_BYTES_MAX ((size_t)1024 * 1024)

/* All that is being read. */
struct reading {
    struct sw_cli *cli;
    struct sw_problems problems;
    struct sw_manifests manifests;
    const char **files;
    size_t files_count, capacity, modules_capacity;
    bool with_modules, failed;
    const char *folder; /* That is being listed. */
};

static void *grow(struct sw_cli *cli, void *items, size_t count, size_t *capacity, size_t size)
{
    size_t wanted = *capacity == 0 ? 64 : *capacity * 2;
    void *longer;

    if (count < *capacity)
        return items;
    longer = sw_arena_array(cli->arena, wanted, size);
    if (longer == NULL)
        return NULL;
    if (count > 0)
        memcpy(longer, items, count * size);
    *capacity = wanted;
    return longer;
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);

    return size > end_size && strcmp(text + size - end_size, end) == 0;
}

static bool visit_file(void *ctx, const char *name)
{
    struct reading *reading = ctx;

    if (name[0] == '.' ||
        (!ends_with(name, ".yaml") && !ends_with(name, ".yml") && !ends_with(name, ".json")))
        return true;
    reading->failed = reading->files_count == SW_MANIFESTS_FILES_MAX;
    if (!reading->failed)
        reading->files[reading->files_count++] =
            sw_cli_format(reading->cli, "%s/%s", reading->folder, name);
    return !reading->failed;
}

static int compare_texts(const void *one, const void *other)
{
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

/* A file, or the manifests of a folder in order of their names. */
static enum sw_rc find_files(struct reading *reading, const char *path, struct sw_err *err)
{
    const struct sw_system *system = reading->cli->system;
    size_t before = reading->files_count, size = strlen(path);
    struct sw_file_view view = {0};
    enum sw_rc rc = SW_OK;

    if (strcmp(path, "-") != 0)
        rc = system->path_view(system->ctx, path, &view, err);
    if (rc != SW_OK)
        return rc;
    if (reading->files_count == SW_MANIFESTS_FILES_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED, "more than %d files", SW_MANIFESTS_FILES_MAX);
    if (!view.is_folder) {
        reading->files[reading->files_count++] = path;
        return SW_OK;
    }
    while (size > 1 && path[size - 1] == '/')
        size--;
    reading->folder = sw_cli_format(reading->cli, "%.*s", (int)size, path);
    rc = system->folder_list(system->ctx, path, visit_file, reading, err);
    if (rc == SW_OK && reading->failed)
        rc =
            sw_err_set(err, SW_E_EXHAUSTED, "%s: more than %d files", path, SW_MANIFESTS_FILES_MAX);
    if (rc == SW_OK && reading->files_count == before) {
        rc = sw_err_set(err, SW_E_NOT_FOUND, "%s: the folder has no manifests", path);
        sw_err_hint(err, "manifests end in .yaml, .yml or .json");
    }
    qsort(reading->files + before, reading->files_count - before, sizeof *reading->files,
          compare_texts);
    return rc;
}

static void add_problem(struct reading *reading, const struct sw_manifest *manifest,
                        const char *field, const char *message, const char *hint)
{
    const struct sw_tree *node = sw_tree_at(manifest->tree, field);
    const struct sw_problem problem = {.file = manifest->file,
                                       .line = node == NULL ? 0 : node->line,
                                       .column = node == NULL ? 0 : node->column,
                                       .field = field,
                                       .message = message,
                                       .hint = hint};

    sw_problems_add(&reading->problems, &problem);
}

static void settle_namespace(struct reading *reading, struct sw_manifest *manifest)
{
    struct sw_cli *cli = reading->cli;
    struct sw_api_object_meta *meta = sw_object_meta(manifest->object);
    bool is_given = sw_arguments_text(cli->arguments, "namespace") != NULL;

    if (!manifest->kind->is_namespaced)
        return;
    if (meta->namespace == NULL || meta->namespace[0] == '\0')
        meta->namespace = cli->namespace;
    else if (is_given && strcmp(meta->namespace, cli->namespace) != 0)
        add_problem(reading, manifest, "metadata.namespace",
                    sw_cli_format(cli, "it is \"%s\", but --namespace says \"%s\"", meta->namespace,
                                  cli->namespace),
                    "leave one of them out");
}

static enum sw_rc keep_module(struct reading *reading, const struct sw_module_file *module,
                              struct sw_err *err)
{
    struct sw_manifests *manifests = &reading->manifests;

    for (size_t i = 0; i < manifests->modules_count; i++) {
        if (strcmp(manifests->modules[i].digest, module->digest) == 0 &&
            strcmp(manifests->modules[i].namespace, module->namespace) == 0)
            return SW_OK;
    }
    manifests->modules = grow(reading->cli, manifests->modules, manifests->modules_count,
                              &reading->modules_capacity, sizeof *manifests->modules);
    if (manifests->modules == NULL)
        return sw_cli_no_memory(err);
    manifests->modules[manifests->modules_count++] = *module;
    return SW_OK;
}

/* The path of a module stands relative to the manifest that names it. */
static const char *module_path(struct sw_cli *cli, const char *file, const char *text)
{
    const char *slash = strrchr(file, '/');

    if (text[0] == '/' || slash == NULL)
        return text;
    return sw_cli_format(cli, "%.*s/%s", (int)(slash - file), file,
                         strncmp(text, "./", 2) == 0 ? text + 2 : text);
}

/* What a bundle needs beside itself, to be pushed before it. */
static enum sw_rc keep_images(struct reading *reading, const struct sw_module_file *module,
                              struct sw_bytes bundle, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer bytes = {0};
    struct sw_cli *cli = reading->cli;
    struct sw_packer_image image;
    enum sw_rc rc = SW_OK;
    size_t cursor = 0;

    sw_buffer_init(&bytes, SW_MODULE_BYTES_MAX);
    while (rc == SW_OK && sw_packer_next(cli, module->path, bundle, &cursor, &image)) {
        struct sw_module_file file = {
            .path = image.path, .digest = image.digest, .namespace = module->namespace};

        sw_buffer_reset(&bytes);
        rc = sw_file_load(cli->system, image.path, SW_MODULE_BYTES_MAX, &bytes, err);
        if (rc != SW_OK)
            return rc;
        file.wasm =
            (struct sw_bytes){sw_arena_copy(cli->arena, bytes.data, bytes.size), bytes.size};
        rc = file.wasm.data == NULL ? sw_cli_no_memory(err) : keep_module(reading, &file, err);
    }
    return rc;
}

static enum sw_rc load_module(struct reading *reading, const struct sw_manifest *manifest,
                              const char *field, const char **module, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer bytes = {0};
    struct sw_cli *cli = reading->cli;
    struct sw_module_file file = {.path = module_path(cli, manifest->file, *module),
                                  .namespace = sw_object_meta_of(manifest->object)->namespace};
    char digest[SW_DIGEST_TEXT_SIZE];
    struct sw_err why = {0};
    enum sw_rc rc;

    sw_buffer_init(&bytes, SW_MODULE_BYTES_MAX);
    rc = sw_file_load(cli->system, file.path, SW_MODULE_BYTES_MAX, &bytes, &why);
    if (rc != SW_OK) {
        add_problem(reading, manifest, field,
                    rc == SW_E_NOT_FOUND
                        ? sw_cli_format(cli, "there is no file %s", file.path)
                        : sw_cli_format(cli, "the module cannot be read: %s", why.message),
                    rc == SW_E_NOT_FOUND ? "build it with: swarm agent build" : why.hint);
        *module = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
        return SW_OK;
    }
    rc = keep_images(reading, &file, (struct sw_bytes){bytes.data, bytes.size}, err);
    if (rc != SW_OK)
        return rc;
    sw_digest_text_of(bytes.data, bytes.size, digest);
    file.digest = *module = sw_cli_format(cli, "%s", digest);
    file.wasm = (struct sw_bytes){sw_arena_copy(cli->arena, bytes.data, bytes.size), bytes.size};
    return file.wasm.data == NULL ? sw_cli_no_memory(err) : keep_module(reading, &file, err);
}

/* Agents and templates name modules; a path ends in ".wasm" or ".bundle", or has a slash. */
static enum sw_rc settle_module(struct reading *reading, struct sw_manifest *manifest,
                                struct sw_err *err)
{
    struct sw_api_agent *agent = manifest->object;
    struct sw_api_agent_template *template = manifest->object;
    const char *field = "spec.module";
    const char **module = &agent->spec.module;

    if (strcmp(manifest->kind->name, "AgentTemplate") == 0) {
        module = &template->spec.agent.module;
        field = "spec.agent.module";
    } else if (strcmp(manifest->kind->name, "Agent") != 0) {
        return SW_OK;
    }
    if (*module == NULL || strncmp(*module, "sha256:", 7) == 0 ||
        (strchr(*module, '/') == NULL && !ends_with(*module, ".wasm") &&
         !ends_with(*module, ".bundle")))
        return SW_OK;
    if (reading->with_modules)
        return load_module(reading, manifest, field, module, err);
    *module = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    return SW_OK;
}

/* Does the field stand in the document, and has nothing been said of it yet? */
static bool is_news(const struct reading *reading, const struct sw_manifest *manifest,
                    const struct sw_problem *problem)
{
    const struct sw_tree *node = sw_tree_at(manifest->tree, problem->field);
    const char *last = strrchr(problem->field, '.');

    last = last == NULL ? problem->field : last + 1;
    if (node == NULL || node->key == NULL || strcmp(node->key, last) != 0)
        return false;
    for (size_t i = 0; i < reading->problems.count; i++) {
        const struct sw_problem *known = &reading->problems.items[i];

        if (known->line == problem->line && strcmp(known->file, problem->file) == 0 &&
            strcmp(known->field, problem->field) == 0)
            return false;
    }
    return true;
}

/* Check the rules. Of a document with mistakes only what it says itself is worth telling: that a
 * field is missing may follow from a misspelt name that was told already. */
static void validate(struct reading *reading, const struct sw_manifest *manifest)
{
    struct sw_problems doubts = sw_problems_of(reading->cli->arena);
    struct sw_validate_options options = {.problems =
                                              manifest->is_doubtful ? &doubts : &reading->problems,
                                          .tree = manifest->tree,
                                          .file = manifest->file};

    (void)!sw_object_validate(manifest->kind, manifest->object, &options);
    for (size_t i = 0; i < doubts.count; i++) {
        if (is_news(reading, manifest, &doubts.items[i]))
            sw_problems_add(&reading->problems, &doubts.items[i]);
    }
}

static enum sw_rc take_document(struct reading *reading, struct sw_manifest *manifest,
                                struct sw_err *err)
{
    struct sw_manifests *manifests = &reading->manifests;
    enum sw_rc rc;

    settle_namespace(reading, manifest);
    rc = settle_module(reading, manifest, err);
    if (rc != SW_OK)
        return rc;
    validate(reading, manifest);
    manifests->items = grow(reading->cli, manifests->items, manifests->count, &reading->capacity,
                            sizeof *manifests->items);
    if (manifests->items == NULL)
        return sw_cli_no_memory(err);
    manifests->items[manifests->count++] = *manifest;
    return SW_OK;
}

static enum sw_rc read_bytes(struct reading *reading, const char *file, struct sw_buffer *bytes,
                             struct sw_err *err)
{
    struct sw_cli *cli = reading->cli;

    if (strcmp(file, "-") == 0)
        return cli->terminal->read(cli->terminal->ctx, SW_MANIFESTS_FILE_BYTES_MAX, bytes, err);
    return sw_file_load(cli->system, file, SW_MANIFESTS_FILE_BYTES_MAX, bytes, err);
}

static enum sw_rc read_file(struct reading *reading, const char *file, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer bytes = {0};
    struct sw_cli *cli = reading->cli;
    const char *name = strcmp(file, "-") == 0 ? "stdin" : file;
    struct sw_bind_options options = {
        .arena = cli->arena, .problems = &reading->problems, .file = name, .keep_doubtful = true};
    struct sw_manifest *documents = NULL;
    size_t count = 0;
    enum sw_rc rc;

    sw_buffer_init(&bytes, SW_MANIFESTS_FILE_BYTES_MAX);
    rc = read_bytes(reading, file, &bytes, err);
    if (rc != SW_OK)
        return rc;
    rc = sw_yaml_read_manifests(
        (struct sw_bytes){sw_arena_copy(cli->arena, bytes.data, bytes.size), bytes.size}, &options,
        &documents, &count);
    if (rc == SW_E_EXHAUSTED)
        return sw_cli_no_memory(err);
    for (size_t i = 0; i < count; i++) {
        rc = take_document(reading, &documents[i], err);
        if (rc != SW_OK)
            return rc;
    }
    return SW_OK;
}

struct sw_object_key sw_manifest_key(const struct sw_manifest *manifest)
{
    const struct sw_api_object_meta *meta = sw_object_meta_of(manifest->object);

    return (struct sw_object_key){
        .kind = manifest->kind, .namespace = meta->namespace, .name = meta->name};
}

static bool is_same(const struct sw_manifest *one, const struct sw_manifest *other)
{
    struct sw_object_key a = sw_manifest_key(one), b = sw_manifest_key(other);

    return a.kind == b.kind && strcmp(a.name, b.name) == 0 &&
           (!a.kind->is_namespaced || strcmp(a.namespace, b.namespace) == 0);
}

/* What others need comes first. */
static int rank_of(const struct sw_kind *kind)
{
    static const char *const order[] = {"Namespace", "Cluster", "AgentTemplate"};

    for (int i = 0; i < 3; i++) {
        if (strcmp(kind->name, order[i]) == 0)
            return i;
    }
    return 3;
}

static int compare_manifests(const void *one, const void *other)
{
    const struct sw_manifest *a = one, *b = other;
    int rank = rank_of(a->kind) - rank_of(b->kind);

    /* Equal ranks keep the order of reading: their trees were allocated in it, so sort by file and
     * place instead of relying on the sort being stable. */
    if (rank != 0)
        return rank;
    rank = strcmp(a->file, b->file);
    if (rank != 0)
        return rank;
    return (a->tree->line > b->tree->line) - (a->tree->line < b->tree->line);
}

static void refuse_doubles(struct reading *reading)
{
    const struct sw_manifests *manifests = &reading->manifests;

    for (size_t i = 1; i < manifests->count; i++) {
        const struct sw_manifest *one = &manifests->items[i];

        for (size_t back = 1; back <= i; back++) {
            const struct sw_manifest *earlier = &manifests->items[i - back];

            if (earlier->kind != one->kind)
                break;
            if (!is_same(earlier, one))
                continue;
            add_problem(reading, one, "metadata.name",
                        sw_cli_format(reading->cli, "%s \"%s\" stands in %s line %u already",
                                      one->kind->name, sw_object_meta_of(one->object)->name,
                                      earlier->file, earlier->tree->line),
                        "");
            break;
        }
    }
}

static enum sw_rc report(struct reading *reading, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    struct sw_problems *problems = &reading->problems;
    struct sw_cli *cli = reading->cli;
    size_t count = problems->count + problems->dropped;

    sw_buffer_init(&text, PROBLEMS_BYTES_MAX);
    if (sw_problems_is_empty(problems))
        return SW_OK;
    for (size_t i = 0; i < problems->count; i++) {
        sw_problem_print(&problems->items[i], &text);
        if (text.size > 0 && text.data[text.size - 1] != '\n')
            sw_buffer_put_text(&text, "\n");
    }
    cli->terminal->write(cli->terminal->ctx, SW_TERMINAL_ERROR, text.data, text.size);
    return sw_err_set(err, SW_E_INVALID, "%zu mistake%s found; nothing was changed", count,
                      count == 1 ? "" : "s");
}

enum sw_rc sw_manifests_load(struct sw_cli *cli, bool with_modules,
                             struct sw_manifests *ret_manifests, struct sw_err *err)
{
    struct reading reading = {.cli = cli, .with_modules = with_modules};
    struct sw_err no_context = {0};
    const char *path;
    enum sw_rc rc = sw_cli_choose_context(cli, &no_context);

    if (cli->is_usage_error) {
        *err = no_context;
        return rc;
    }
    if (rc != SW_OK) /* Mistakes are told all the same; connecting will say what is missing. */
        cli->namespace = "default";
    rc = SW_OK;
    reading.problems = sw_problems_of(cli->arena);
    reading.files = sw_arena_array(cli->arena, SW_MANIFESTS_FILES_MAX, sizeof *reading.files);
    if (reading.files == NULL)
        return sw_cli_no_memory(err);
    for (size_t i = 0; rc == SW_OK; i++) {
        path = sw_arguments_text_at(cli->arguments, "filename", i);
        if (path == NULL)
            break;
        rc = find_files(&reading, path, err);
    }
    if (rc == SW_OK && reading.files_count == 0)
        return sw_cli_usage(cli, err, "name a manifest with -f FILE");
    for (size_t i = 0; i < reading.files_count && rc == SW_OK; i++)
        rc = read_file(&reading, reading.files[i], err);
    if (rc != SW_OK)
        return rc;
    if (reading.manifests.count > 0)
        qsort(reading.manifests.items, reading.manifests.count, sizeof *reading.manifests.items,
              compare_manifests);
    refuse_doubles(&reading);
    rc = report(&reading, err);
    if (rc == SW_OK && reading.manifests.count == 0)
        return sw_err_set(err, SW_E_INVALID, "there are no objects in %s", reading.files[0]);
    *ret_manifests = reading.manifests;
    return rc;
}

enum sw_rc sw_manifests_push(struct sw_cli *cli, const struct sw_manifests *manifests,
                             struct sw_err *err)
{
    for (size_t i = 0; i < manifests->modules_count; i++) {
        const struct sw_module_file *module = &manifests->modules[i];
        bool is_new = false;
        enum sw_rc rc;

        sw_cli_progress(cli, "pushing %s", module->path);
        rc = sw_client_push(cli->client, module->namespace, module->digest, module->wasm, &is_new,
                            err);
        sw_cli_progress(cli, "%s", "");
        if (rc != SW_OK && !sw_client_is_unreachable(cli->client))
            (void)sw_err_context(err, "%s", module->path);
        if (rc != SW_OK)
            return rc;
        if (is_new)
            sw_cli_say(cli, "pushed %s (%.1f KiB) as %.19s...\n", module->path,
                       (double)module->wasm.size / 1024.0, module->digest);
    }
    return SW_OK;
}
