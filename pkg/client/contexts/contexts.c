#include "pkg/client/contexts/contexts.h"
#include "pkg/apis/swarm/v1/yaml.h"
#include "pkg/utils/base/text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 1024
#define PEM_MARK "-----BEGIN "

enum section { SECTION_CONTEXTS, SECTION_CLUSTERS, SECTION_USERS, SECTIONS_COUNT };
static const char *const section_words[SECTIONS_COUNT][3] = {
    {"cluster", "user", "namespace"}, {"server", "authority", NULL}, {"certificate", "key", NULL}};

struct entry { /* One name of one section. */
    const char *name;
    const char *values[3]; /* In the order of section_words; "" when missing. */
    const char *folder;    /* Of the file that it stands in. */
};

struct sw_contexts {
    struct entry *entries[SECTIONS_COUNT];
    size_t counts[SECTIONS_COUNT];
    const char *current;
};

/* One file being read. */
struct loader {
    const struct sw_system *system;
    struct sw_arena *arena;
    struct sw_contexts *contexts;
    struct sw_problems problems;
    const char *file, *folder;
};

enum sw_rc sw_contexts_folder(const char *(*environment)(void *ctx, const char *name), void *ctx,
                              struct sw_arena *arena, const char **ret_folder, struct sw_err *err)
{
    const char *own = environment(ctx, "SWARM_CONFIG_HOME");
    const char *xdg = environment(ctx, "XDG_CONFIG_HOME");
    const char *home = environment(ctx, "HOME");
    const char *folder = NULL;

    if (own != NULL && own[0] != '\0')
        folder = sw_arena_print(arena, "%s", own);
    else if (xdg != NULL && xdg[0] == '/')
        folder = sw_arena_print(arena, "%s/swarm", xdg);
    else if (home != NULL && home[0] == '/')
        folder = sw_arena_print(arena, "%s/.config/swarm", home);
    else
        return sw_err_set(err, SW_E_PRECONDITION,
                          "no place for the configuration: HOME is not set");
    if (folder == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory");
    *ret_folder = folder;
    return SW_OK;
}

static void add_problem(struct loader *loader, const struct sw_tree *node, const char *message,
                        const char *hint)
{
    const struct sw_problem problem = {.file = loader->file,
                                       .line = node->key != NULL ? node->key_line : node->line,
                                       .column =
                                           node->key != NULL ? node->key_column : node->column,
                                       .field = "",
                                       .message = message == NULL ? "" : message,
                                       .hint = hint == NULL ? "" : hint};

    sw_problems_add(&loader->problems, &problem);
}

static void refuse_word(struct loader *loader, const struct sw_tree *node, const char *const *words,
                        size_t count)
{
    const char *nearest = sw_text_nearest(node->key, words, count);

    add_problem(loader, node, sw_arena_print(loader->arena, "unknown word \"%s\"", node->key),
                nearest == NULL ? sw_arena_print(loader->arena, "one of them is \"%s\"", words[0])
                                : sw_arena_print(loader->arena, "did you mean \"%s\"?", nearest));
}

static struct entry *entry_find(const struct sw_contexts *contexts, enum section section,
                                const char *name)
{
    for (size_t i = 0; i < contexts->counts[section]; i++) {
        if (strcmp(contexts->entries[section][i].name, name) == 0)
            return &contexts->entries[section][i];
    }
    return NULL;
}

/* The entry of this name, made if it is missing; NULL when there are too many. */
static struct entry *entry_get(struct loader *loader, enum section section, const char *name)
{
    struct sw_contexts *contexts = loader->contexts;
    struct entry *entry = entry_find(contexts, section, name);

    if (entry == NULL && contexts->counts[section] < ENTRIES_MAX)
        entry = &contexts->entries[section][contexts->counts[section]++];
    if (entry != NULL)
        *entry = (struct entry){.name = name, .values = {"", "", ""}, .folder = loader->folder};
    return entry;
}

static void read_entry(struct loader *loader, enum section section, const struct sw_tree *node)
{
    const char *const *words = section_words[section];
    size_t count = words[2] == NULL ? 2 : 3;
    struct entry *entry = entry_get(loader, section, node->key);

    if (entry == NULL || node->type != SW_TREE_MAP) {
        add_problem(loader, node, entry == NULL ? "too many entries" : "expected a mapping", NULL);
        return;
    }
    for (const struct sw_tree *child = node->first; child != NULL; child = child->next) {
        size_t i = 0;

        while (i < count && strcmp(words[i], child->key) != 0)
            i++;
        if (i == count)
            refuse_word(loader, child, words, count);
        else if (child->type == SW_TREE_LIST || child->type == SW_TREE_MAP)
            add_problem(loader, child, "expected a text", NULL);
        else
            entry->values[i] = child->text;
    }
}

static void read_section(struct loader *loader, enum section section, const struct sw_tree *node)
{
    if (node->type != SW_TREE_MAP) {
        if (node->type != SW_TREE_NULL)
            add_problem(loader, node, "expected a mapping from names", NULL);
        return;
    }
    for (const struct sw_tree *child = node->first; child != NULL; child = child->next)
        read_entry(loader, section, child);
}

static void check_header(struct loader *loader, const struct sw_tree *tree)
{
    const struct sw_tree *version = sw_tree_find(tree, "apiVersion");
    const struct sw_tree *kind = sw_tree_find(tree, "kind");

    if (version == NULL || strcmp(version->text, SW_API_VERSION) != 0)
        add_problem(loader, version == NULL ? tree : version,
                    "apiVersion must be \"" SW_API_VERSION "\"",
                    "a newer version is read by a newer swarm");
    if (kind == NULL || strcmp(kind->text, "Config") != 0)
        add_problem(loader, kind == NULL ? tree : kind, "kind must be \"Config\"", NULL);
}

static void read_tree(struct loader *loader, const struct sw_tree *tree)
{
    static const char *const words[] = {"contexts", "clusters",   "users",
                                        "current",  "apiVersion", "kind"};

    if (tree->type != SW_TREE_MAP) {
        add_problem(loader, tree, "expected a mapping", NULL);
        return;
    }
    check_header(loader, tree);
    for (const struct sw_tree *child = tree->first; child != NULL; child = child->next) {
        size_t i = 0;

        while (i < sizeof words / sizeof words[0] && strcmp(words[i], child->key) != 0)
            i++;
        if (i < SECTIONS_COUNT)
            read_section(loader, (enum section)i, child);
        else if (i == SECTIONS_COUNT)
            loader->contexts->current = child->text;
        else if (i == sizeof words / sizeof words[0])
            refuse_word(loader, child, words, i);
    }
}

static enum sw_rc load_file(struct loader *loader, const char *path, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer bytes = {0};
    const struct sw_tree *tree = NULL;
    struct sw_bind_options options = {
        .arena = loader->arena, .problems = &loader->problems, .file = path};
    const char *slash = strrchr(path, '/');
    const char *text;
    enum sw_rc rc;

    sw_buffer_init(&bytes, SW_CONTEXTS_FILE_BYTES_MAX);
    rc = sw_file_load(loader->system, path, SW_CONTEXTS_FILE_BYTES_MAX, &bytes, err);
    if (rc != SW_OK)
        return rc;
    loader->file = path;
    loader->folder = sw_arena_copy(loader->arena, path, slash == NULL ? 0 : (size_t)(slash - path));
    text = sw_arena_copy(loader->arena, bytes.data, bytes.size);
    if (loader->folder == NULL || text == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for %s", path);
    rc = sw_yaml_parse((struct sw_bytes){text, bytes.size}, &options, &tree);
    if (rc == SW_E_EXHAUSTED)
        return sw_err_set(err, rc, "%s is too large", path);
    if (rc == SW_OK && tree != NULL)
        read_tree(loader, tree);
    if (sw_problems_is_empty(&loader->problems))
        return SW_OK;
    sw_buffer_reset(&bytes);
    sw_problem_print(&loader->problems.items[0], &bytes);
    return sw_err_set(err, SW_E_INVALID, "%.*s", (int)bytes.size, (const char *)bytes.data);
}

struct names {
    struct sw_arena *arena;
    const char **items;
    size_t count;
    bool failed;
};

static bool collect_yaml(void *ctx, const char *name)
{
    struct names *names = ctx;
    size_t size = strlen(name);

    if (size < 6 || name[0] == '.' || strcmp(name + size - 5, ".yaml") != 0)
        return true;
    names->failed = names->count == SW_CONTEXTS_FILES_MAX;
    if (!names->failed)
        names->items[names->count] = sw_arena_copy(names->arena, name, size);
    names->failed = names->failed || names->items[names->count] == NULL;
    names->count += !names->failed;
    return !names->failed;
}

static int compare_texts(const void *one, const void *other)
{
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

static enum sw_rc load_folder(struct loader *loader, const char *folder, struct sw_err *err)
{
    const char *path = sw_arena_print(loader->arena, "%s/contexts", folder);
    struct names names = {.arena = loader->arena};
    enum sw_rc rc;

    names.items = sw_arena_array(loader->arena, SW_CONTEXTS_FILES_MAX, sizeof *names.items);
    if (path == NULL || names.items == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for %s", folder);
    rc = loader->system->folder_list(loader->system->ctx, path, collect_yaml, &names, err);
    if (rc == SW_E_NOT_FOUND)
        return SW_OK;
    if (rc == SW_OK && names.failed)
        rc = sw_err_set(err, SW_E_EXHAUSTED, "%s: more than %d files", path, SW_CONTEXTS_FILES_MAX);
    if (rc != SW_OK)
        return rc;
    qsort(names.items, names.count, sizeof *names.items, compare_texts);
    for (size_t i = 0; i < names.count && rc == SW_OK; i++) {
        const char *file = sw_arena_print(loader->arena, "%s/%s", path, names.items[i]);

        rc = file == NULL ? sw_err_set(err, SW_E_EXHAUSTED, "no memory for %s", path)
                          : load_file(loader, file, err);
    }
    return rc;
}

static int compare_entries(const void *one, const void *other)
{
    return strcmp(((const struct entry *)one)->name, ((const struct entry *)other)->name);
}

enum sw_rc sw_contexts_load(const struct sw_system *system, const char *folder,
                            struct sw_arena *arena, struct sw_contexts **ret_contexts,
                            struct sw_err *err)
{
    struct sw_contexts *contexts = sw_arena_get(arena, sizeof *contexts);
    struct loader loader = {.system = system, .arena = arena, .contexts = contexts};
    const char *path = sw_arena_print(arena, "%s/config.yaml", folder);
    enum sw_rc rc;

    assert(system != NULL);
    loader.problems = sw_problems_of(arena);
    if (contexts == NULL || path == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for %s", folder);
    contexts->current = "";
    for (size_t i = 0; i < SECTIONS_COUNT; i++) {
        contexts->entries[i] = sw_arena_array(arena, ENTRIES_MAX, sizeof *contexts->entries[i]);
        if (contexts->entries[i] == NULL)
            return sw_err_set(err, SW_E_EXHAUSTED, "no memory for %s", folder);
    }
    rc = load_folder(&loader, folder, err);
    if (rc != SW_OK)
        return rc;
    contexts->current = ""; /* Only config.yaml says which one is current. */
    rc = load_file(&loader, path, err);
    if (rc != SW_OK && rc != SW_E_NOT_FOUND)
        return rc;
    qsort(contexts->entries[SECTION_CONTEXTS], contexts->counts[SECTION_CONTEXTS],
          sizeof(struct entry), compare_entries);
    *ret_contexts = contexts;
    return SW_OK;
}

size_t sw_contexts_count(const struct sw_contexts *contexts)
{
    return contexts->counts[SECTION_CONTEXTS];
}

const char *sw_contexts_name_at(const struct sw_contexts *contexts, size_t index)
{
    return index < sw_contexts_count(contexts) ? contexts->entries[SECTION_CONTEXTS][index].name
                                               : NULL;
}

const char *sw_contexts_server_at(const struct sw_contexts *contexts, size_t index)
{
    const struct entry *cluster = NULL;

    if (index < sw_contexts_count(contexts))
        cluster = entry_find(contexts, SECTION_CLUSTERS,
                             contexts->entries[SECTION_CONTEXTS][index].values[0]);
    return cluster == NULL ? "" : cluster->values[0];
}

const char *sw_contexts_current(const struct sw_contexts *contexts)
{
    return contexts->current;
}

static enum sw_rc refuse_name(const struct sw_contexts *contexts, const char *name,
                              struct sw_arena *arena, struct sw_err *err)
{
    size_t count = sw_contexts_count(contexts);
    const char **names = sw_arena_array(arena, count, sizeof *names);
    const char *nearest = NULL;

    for (size_t i = 0; names != NULL && i < count; i++)
        names[i] = sw_contexts_name_at(contexts, i);
    if (names != NULL)
        nearest = sw_text_nearest(name, names, count);
    (void)sw_err_set(err, SW_E_NOT_FOUND, "there is no context \"%s\"", name);
    if (nearest != NULL)
        sw_err_hint(err, "did you mean \"%s\"?", nearest);
    else
        sw_err_hint(err, count == 0 ? "start a daemon that makes one: swarmd --dev"
                                    : "see them with: swarm config contexts");
    return SW_E_NOT_FOUND;
}

/* A PEM text as it stands, or the content of the file that value names. */
static enum sw_rc load_pem(const struct sw_system *system, const struct entry *entry,
                           const char *value, struct sw_arena *arena, const char **ret_pem,
                           struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer bytes = {0};
    const char *path;
    enum sw_rc rc;

    *ret_pem = value;
    if (value[0] == '\0' || strstr(value, PEM_MARK) != NULL)
        return SW_OK;
    path = value[0] == '/' ? value : sw_arena_print(arena, "%s/%s", entry->folder, value);
    sw_buffer_init(&bytes, SW_CONTEXTS_FILE_BYTES_MAX);
    rc = path == NULL ? sw_err_set(err, SW_E_EXHAUSTED, "no memory")
                      : sw_file_load(system, path, SW_CONTEXTS_FILE_BYTES_MAX, &bytes, err);
    if (rc != SW_OK)
        return rc;
    *ret_pem = sw_arena_copy(arena, bytes.data, bytes.size);
    return *ret_pem == NULL ? sw_err_set(err, SW_E_EXHAUSTED, "no memory") : SW_OK;
}

static enum sw_rc resolve_entry(const struct sw_contexts *contexts, const struct sw_system *system,
                                const struct entry *entry, struct sw_arena *arena,
                                struct sw_context *ret_context, struct sw_err *err)
{
    const struct entry *cluster = entry_find(contexts, SECTION_CLUSTERS, entry->values[0]);
    const struct entry *user = entry_find(contexts, SECTION_USERS, entry->values[1]);
    struct sw_context context = {.name = entry->name, .namespace = entry->values[2]};
    enum sw_rc rc;

    context.authority_pem = context.certificate_pem = context.key_pem = "";
    if (cluster == NULL || cluster->values[0][0] == '\0')
        return sw_err_set(err, SW_E_INVALID, "context \"%s\": its cluster \"%s\" has no server",
                          entry->name, entry->values[0]);
    if (user == NULL && entry->values[1][0] != '\0')
        return sw_err_set(err, SW_E_INVALID, "context \"%s\": there is no user \"%s\"", entry->name,
                          entry->values[1]);
    if (context.namespace[0] == '\0')
        context.namespace = "default";
    context.server = cluster->values[0];
    rc = load_pem(system, cluster, cluster->values[1], arena, &context.authority_pem, err);
    if (rc == SW_OK && user != NULL)
        rc = load_pem(system, user, user->values[0], arena, &context.certificate_pem, err);
    if (rc == SW_OK && user != NULL)
        rc = load_pem(system, user, user->values[1], arena, &context.key_pem, err);
    if (rc != SW_OK) {
        (void)sw_err_context(err, "context \"%s\"", entry->name);
        return rc;
    }
    *ret_context = context;
    return SW_OK;
}

enum sw_rc sw_contexts_resolve(const struct sw_contexts *contexts, const struct sw_system *system,
                               const char *name, struct sw_arena *arena,
                               struct sw_context *ret_context, struct sw_err *err)
{
    const struct entry *entry;

    if (name == NULL)
        name = contexts->current;
    if (name[0] == '\0') {
        (void)sw_err_set(err, SW_E_PRECONDITION, "no context is chosen");
        sw_err_hint(err, sw_contexts_count(contexts) == 0
                             ? "start a daemon that makes one: swarmd --dev"
                             : "choose one with: swarm config use NAME");
        return SW_E_PRECONDITION;
    }
    entry = entry_find(contexts, SECTION_CONTEXTS, name);
    if (entry == NULL)
        return refuse_name(contexts, name, arena, err);
    return resolve_entry(contexts, system, entry, arena, ret_context, err);
}
