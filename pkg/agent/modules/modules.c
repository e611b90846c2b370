#include "pkg/agent/modules/modules.h"

#include "pkg/agent/abi/abi.h"
#include "pkg/agent/modules/bundle.h"
#include "pkg/security/crypto/digest.h"
#include "pkg/utils/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMESPACE_MAX SW_MODULE_NAMESPACE_MAX
#define SUFFIX ".wasm"

struct sw_modules {
    const struct sw_system *system;
    unsigned pushes;
    char folder[SW_PATH_MAX];
};

struct sw_module_push {
    struct sw_modules *modules;
    struct sw_buffer bytes;
    char namespace[NAMESPACE_MAX + 1];
    char digest[SW_DIGEST_TEXT_SIZE];
};

/* FOLDER/NAMESPACE or, with a digest, the file in it. Both are checked: they become a path. */
static enum sw_rc path_of(const struct sw_modules *modules, const char *namespace,
                          const char *digest, char ret_path[SW_PATH_MAX], struct sw_err *err)
{
    uint8_t bytes[SW_SHA256_SIZE];
    int size;

    if (!sw_text_is_label(namespace, NAMESPACE_MAX))
        return sw_err_set(err, SW_E_INVALID, "the namespace of a module is no valid name");
    if (digest == NULL) {
        size = snprintf(ret_path, SW_PATH_MAX, "%s/%s", modules->folder, namespace);
    } else {
        if (sw_digest_parse(digest, bytes) != SW_OK)
            return sw_err_set(err, SW_E_INVALID,
                              "a module is named by \"sha256:\" and 64 lowercase hex digits");
        size = snprintf(ret_path, SW_PATH_MAX, "%s/%s/%s" SUFFIX, modules->folder, namespace,
                        digest + strlen("sha256:"));
    }
    if (size < 0 || size >= SW_PATH_MAX)
        return sw_err_set(err, SW_E_INVALID, "the folder of modules has too long a path");
    return SW_OK;
}

/* Whether an entry of the folder is a namespace, and where; people may have left other things. */
static bool is_namespace(const struct sw_modules *modules, const char *name,
                         char ret_path[SW_PATH_MAX])
{
    const struct sw_system *system = modules->system;
    struct sw_file_view view;

    return path_of(modules, name, NULL, ret_path, NULL) == SW_OK &&
           system->path_view(system->ctx, ret_path, &view, NULL) == SW_OK && view.is_folder;
}

struct sync { /* Of the folders of all namespaces. */
    const struct sw_modules *modules;
    enum sw_rc rc;
    struct sw_err *err;
};

static bool sync_namespace(void *ctx, const char *name)
{
    struct sync *sync = ctx;
    const struct sw_system *system = sync->modules->system;
    char path[SW_PATH_MAX];

    if (is_namespace(sync->modules, name, path))
        sync->rc = system->folder_sync(system->ctx, path, sync->err);
    return sync->rc == SW_OK;
}

/* What stands there is taken for durable from now on, also by objects that name it: but a process
 * that ended between giving a file its name and syncing that may have left it. */
static enum sw_rc sync_all(const struct sw_modules *modules, struct sw_err *err)
{
    const struct sw_system *system = modules->system;
    struct sync sync = {.modules = modules, .err = err};
    enum sw_rc rc = system->folder_sync(system->ctx, modules->folder, err);

    if (rc == SW_OK)
        rc = system->folder_list(system->ctx, modules->folder, sync_namespace, &sync, err);
    return rc == SW_OK ? sync.rc : rc;
}

enum sw_rc sw_modules_open(const struct sw_system *system, const char *folder,
                           struct sw_modules **ret_modules, struct sw_err *err)
{
    SW_CLEANUP(sw_modules_closep) struct sw_modules *modules = calloc(1, sizeof *modules);
    enum sw_rc rc;

    if (modules == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the store of modules");
    modules->system = system;
    if (strlen(folder) >= sizeof modules->folder)
        return sw_err_set(err, SW_E_INVALID, "the folder of modules has too long a path");
    memcpy(modules->folder, folder, strlen(folder) + 1);
    rc = system->folder_make(system->ctx, folder, err);
    if (rc == SW_OK)
        rc = sync_all(modules, err);
    if (rc != SW_OK)
        return rc;
    *ret_modules = SW_TAKE(modules);
    return SW_OK;
}

void sw_modules_close(struct sw_modules *modules)
{
    free(modules);
}

/* --- Push ------------------------------------------------------------------------------------ */

enum sw_rc sw_module_push_new(struct sw_modules *modules, const char *namespace, const char *digest,
                              struct sw_module_push **ret_push, struct sw_err *err)
{
    struct sw_module_push *push;
    char path[SW_PATH_MAX];
    enum sw_rc rc = path_of(modules, namespace, digest, path, err);

    if (rc != SW_OK)
        return rc;
    if (modules->pushes >= SW_MODULE_PUSHES_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED, "%d modules are being pushed already; try again",
                          SW_MODULE_PUSHES_MAX);
    push = calloc(1, sizeof *push);
    if (push == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a push");
    push->modules = modules;
    modules->pushes++;
    sw_buffer_init(&push->bytes, SW_ABI_MODULE_BYTES_MAX);
    (void)snprintf(push->namespace, sizeof push->namespace, "%s", namespace);
    (void)snprintf(push->digest, sizeof push->digest, "%s", digest);
    *ret_push = push;
    return SW_OK;
}

void sw_module_push_free(struct sw_module_push *push)
{
    if (push == NULL)
        return;
    push->modules->pushes--;
    sw_buffer_done(&push->bytes);
    free(push);
}

enum sw_rc sw_module_push_add(struct sw_module_push *push, struct sw_bytes bytes,
                              struct sw_err *err)
{
    sw_buffer_put(&push->bytes, bytes.data, bytes.size);
    if (push->bytes.failed)
        return sw_err_set(err, SW_E_EXHAUSTED, "the module has more than %u bytes",
                          SW_ABI_MODULE_BYTES_MAX);
    return SW_OK;
}

static enum sw_rc store(struct sw_modules *modules, const char *namespace, const char *digest,
                        struct sw_bytes bytes, struct sw_err *err)
{
    const struct sw_system *system = modules->system;
    char path[SW_PATH_MAX];
    enum sw_rc rc;

    if (sw_modules_has(modules, namespace, digest))
        return SW_OK;
    rc = path_of(modules, namespace, NULL, path, err);
    if (rc == SW_OK)
        rc = system->folder_make(system->ctx, path, err);
    if (rc == SW_OK)
        rc = system->folder_sync(system->ctx, modules->folder, err);
    if (rc == SW_OK)
        rc = path_of(modules, namespace, digest, path, err);
    if (rc != SW_OK)
        return rc;
    rc = sw_file_save(system, path, bytes.data, bytes.size, err);
    if (rc != SW_OK) /* It may stand there and not be durable: nobody is to take it for stored. */
        (void)system->path_remove(system->ctx, path, NULL);
    return rc;
}

enum sw_rc sw_modules_put(struct sw_modules *modules, const char *namespace, const char *digest,
                          struct sw_bytes bytes, struct sw_err *err)
{
    SW_CLEANUP(sw_module_push_freep) struct sw_module_push *push = NULL;
    enum sw_rc rc = sw_module_push_new(modules, namespace, digest, &push, err);

    if (rc == SW_OK)
        rc = sw_module_push_add(push, bytes, err);
    return rc == SW_OK ? sw_module_push_finish(push, NULL, err) : rc;
}

/* A bundle is well if what runs it is here, and a module. */
static enum sw_rc check_bundle(const struct sw_modules *modules, const char *namespace,
                               struct sw_bytes bytes, struct sw_err *err)
{
    struct sw_bundle_view bundle;
    struct sw_module_name runtime;
    char other[SW_DIGEST_TEXT_SIZE];
    enum sw_rc rc = sw_bundle_read(bytes, &bundle, err);

    if (rc != SW_OK)
        return rc;
    rc = sw_modules_home(modules, namespace, bundle.runtime, &runtime);
    if (rc != SW_OK) {
        (void)sw_err_set(err, SW_E_PRECONDITION,
                         "the bundle's runtime, the module %s, is neither in namespace %s nor a "
                         "part of this Swarm",
                         bundle.runtime, namespace);
        sw_err_hint(err, "push that module to the namespace first, or build the bundle for a "
                         "runtime of this version of Swarm");
        return SW_E_PRECONDITION;
    }
    rc = sw_modules_runtime(modules, &runtime, other, err);
    if (rc == SW_E_NOT_FOUND)
        return SW_OK;
    if (rc != SW_OK)
        return rc;
    (void)sw_err_set(err, SW_E_INVALID, "the bundle's runtime %s is a bundle itself",
                     bundle.runtime);
    sw_err_hint(err, "name the module that runs that one: %s", other);
    return SW_E_INVALID;
}

enum sw_rc sw_module_push_finish(struct sw_module_push *push, struct sw_module_view *ret_view,
                                 struct sw_err *err)
{
    struct sw_bytes bytes = {push->bytes.data, push->bytes.size};
    char digest[SW_DIGEST_TEXT_SIZE];
    enum sw_rc rc;

    if (push->bytes.failed)
        return sw_err_set(err, SW_E_EXHAUSTED, "the module has more than %u bytes",
                          SW_ABI_MODULE_BYTES_MAX);
    sw_digest_text_of(bytes.data, bytes.size, digest);
    if (strcmp(digest, push->digest) != 0) {
        (void)sw_err_set(err, SW_E_INVALID, "the module has the digest %s, not %s", digest,
                         push->digest);
        sw_err_hint(err, "it was changed or cut on its way; push it again");
        return SW_E_INVALID;
    }
    rc = sw_bundle_is(bytes) ? check_bundle(push->modules, push->namespace, bytes, err)
                             : sw_module_validate(bytes, ret_view, err);
    return rc == SW_OK ? store(push->modules, push->namespace, digest, bytes, err) : rc;
}

/* --- Look-up --------------------------------------------------------------------------------- */

bool sw_modules_has(const struct sw_modules *modules, const char *namespace, const char *digest)
{
    const struct sw_system *system = modules->system;
    struct sw_file_view view;
    char path[SW_PATH_MAX];

    return path_of(modules, namespace, digest, path, NULL) == SW_OK &&
           system->path_view(system->ctx, path, &view, NULL) == SW_OK && view.is_regular;
}

enum sw_rc sw_modules_home(const struct sw_modules *modules, const char *namespace,
                           const char *digest, struct sw_module_name *ret_name)
{
    const char *home = sw_modules_has(modules, namespace, digest)             ? namespace
                       : sw_modules_has(modules, SW_MODULES_PLATFORM, digest) ? SW_MODULES_PLATFORM
                                                                              : NULL;

    if (home == NULL)
        return SW_E_NOT_FOUND;
    (void)snprintf(ret_name->namespace, sizeof ret_name->namespace, "%s", home);
    (void)snprintf(ret_name->digest, sizeof ret_name->digest, "%s", digest);
    return SW_OK;
}

/* The first bytes of a module's file, at most size. */
static enum sw_rc head_read(const struct sw_modules *modules, const struct sw_module_name *name,
                            struct sw_buffer *out, size_t size, struct sw_err *err)
{
    const struct sw_system *system = modules->system;
    uint8_t *room = sw_buffer_reserve(out, size);
    char path[SW_PATH_MAX];
    int file;
    enum sw_rc rc = path_of(modules, name->namespace, name->digest, path, err);

    if (rc == SW_OK && room == NULL)
        rc = sw_err_set(err, SW_E_EXHAUSTED, "no memory to look at a module");
    if (rc == SW_OK)
        rc = system->file_open(system->ctx, path, SW_FILE_READ, &file, err);
    if (rc != SW_OK)
        return rc;
    rc = system->file_read(system->ctx, file, 0, room, size, &out->size, err);
    system->file_close(system->ctx, file);
    return rc;
}

enum sw_rc sw_modules_named(const struct sw_modules *modules, const struct sw_module_name *name,
                            sw_module_visit *visit, void *ctx, struct sw_err *err)
{
    static const char begin[] = "sha256:";
    struct sw_module_name found = *name;
    struct sw_buffer head;
    const char *at, *end;
    enum sw_rc rc;

    sw_buffer_init(&head, SW_BUNDLE_HEAD_BYTES + SW_MODULE_NAMED_BYTES);
    rc = head_read(modules, name, &head, head.size_max, err);
    if (rc == SW_OK && sw_bundle_is((struct sw_bytes){head.data, head.size})) {
        at = (const char *)head.data;
        end = at + head.size;
        while ((at = memmem(at, (size_t)(end - at), begin, sizeof begin - 1)) != NULL) {
            (void)snprintf(found.digest, sizeof found.digest, "%.*s", (int)(end - at), at);
            if (sw_modules_has(modules, found.namespace, found.digest) && !visit(ctx, &found))
                break;
            at += sizeof begin - 1;
        }
    }
    sw_buffer_done(&head);
    return rc;
}

enum sw_rc sw_modules_runtime(const struct sw_modules *modules, const struct sw_module_name *name,
                              char ret_digest[SW_DIGEST_TEXT_SIZE], struct sw_err *err)
{
    struct sw_buffer head;
    enum sw_rc rc;

    sw_buffer_init(&head, SW_BUNDLE_HEAD_BYTES);
    rc = head_read(modules, name, &head, SW_BUNDLE_HEAD_BYTES, err);
    if (rc == SW_OK && !sw_bundle_runtime((struct sw_bytes){head.data, head.size}, ret_digest))
        rc = sw_err_set(err, SW_E_NOT_FOUND, "%s is no bundle", name->digest);
    sw_buffer_done(&head);
    return rc;
}

enum sw_rc sw_modules_get(const struct sw_modules *modules, const char *namespace,
                          const char *digest, struct sw_buffer *out, struct sw_err *err)
{
    size_t before = out->size;
    char path[SW_PATH_MAX];
    char found[SW_DIGEST_TEXT_SIZE];
    enum sw_rc rc = path_of(modules, namespace, digest, path, err);

    if (rc != SW_OK)
        return rc;
    rc = sw_file_load(modules->system, path, SW_ABI_MODULE_BYTES_MAX, out, err);
    if (rc == SW_E_NOT_FOUND)
        return sw_err_set(err, rc, "module %s was never pushed to namespace %s", digest, namespace);
    if (rc != SW_OK)
        return rc;
    sw_digest_text_of(out->data + before, out->size - before, found);
    if (strcmp(found, digest) == 0)
        return SW_OK;
    out->size = before;
    (void)sw_err_set(err, SW_E_CORRUPT, "the file of module %s is damaged", digest);
    sw_err_hint(err, "remove %s and push the module again", path);
    return SW_E_CORRUPT;
}

struct search { /* Through the namespaces. */
    const struct sw_modules *modules;
    const char *digest;
    char namespace[NAMESPACE_MAX + 1]; /* That has it; "": none so far. */
};

static bool look_into(void *ctx, const char *name)
{
    struct search *search = ctx;

    if (!sw_modules_has(search->modules, name, search->digest))
        return true;
    (void)snprintf(search->namespace, sizeof search->namespace, "%s", name);
    return false;
}

enum sw_rc sw_modules_find(const struct sw_modules *modules, const char *digest,
                           struct sw_buffer *out, struct sw_err *err)
{
    const struct sw_system *system = modules->system;
    struct search search = {.modules = modules, .digest = digest};
    enum sw_rc rc = system->folder_list(system->ctx, modules->folder, look_into, &search, err);

    if (rc == SW_OK && search.namespace[0] == '\0')
        rc = sw_err_set(err, SW_E_NOT_FOUND, "module %s is in no namespace", digest);
    return rc == SW_OK ? sw_modules_get(modules, search.namespace, digest, out, err) : rc;
}

/* --- All of them ----------------------------------------------------------------------------- */

struct walk {
    const struct sw_modules *modules;
    sw_module_visit *visit;
    void *ctx;
    struct sw_module_name name; /* Of the namespace that is walked, and of one in it. */
    bool is_ended;              /* The visitor wants no more. */
    enum sw_rc rc;
    struct sw_err *err;
};

/* HEX.wasm; what else there may be, such as what a crash left half written, is nobody's module. */
static bool walk_file(void *ctx, const char *name)
{
    struct walk *walk = ctx;
    uint8_t bytes[SW_SHA256_SIZE];
    size_t hex = sizeof walk->name.digest - sizeof "sha256:";

    if (strlen(name) != hex + strlen(SUFFIX) || strcmp(name + hex, SUFFIX) != 0)
        return true;
    (void)snprintf(walk->name.digest, sizeof walk->name.digest, "sha256:%.*s", (int)hex, name);
    if (sw_digest_parse(walk->name.digest, bytes) != SW_OK)
        return true;
    walk->is_ended = !walk->visit(walk->ctx, &walk->name);
    return !walk->is_ended;
}

static bool walk_namespace(void *ctx, const char *name)
{
    struct walk *walk = ctx;
    const struct sw_system *system = walk->modules->system;
    char path[SW_PATH_MAX];

    if (!is_namespace(walk->modules, name, path))
        return true;
    (void)snprintf(walk->name.namespace, sizeof walk->name.namespace, "%s", name);
    walk->rc = system->folder_list(system->ctx, path, walk_file, walk, walk->err);
    return walk->rc == SW_OK && !walk->is_ended;
}

enum sw_rc sw_modules_each(const struct sw_modules *modules, sw_module_visit *visit, void *ctx,
                           struct sw_err *err)
{
    const struct sw_system *system = modules->system;
    struct walk walk = {.modules = modules, .visit = visit, .ctx = ctx, .err = err};
    enum sw_rc rc = system->folder_list(system->ctx, modules->folder, walk_namespace, &walk, err);

    return rc == SW_OK ? walk.rc : rc;
}

enum sw_rc sw_modules_remove(struct sw_modules *modules, const struct sw_module_name *name,
                             struct sw_err *err)
{
    const struct sw_system *system = modules->system;
    char path[SW_PATH_MAX];
    enum sw_rc rc = path_of(modules, name->namespace, name->digest, path, err);

    if (rc == SW_OK)
        rc = system->path_remove(system->ctx, path, err);
    if (rc != SW_OK && rc != SW_E_NOT_FOUND)
        return rc;
    if (path_of(modules, name->namespace, NULL, path, NULL) == SW_OK)
        (void)system->path_remove(system->ctx, path, NULL); /* Others may be in it. */
    return SW_OK;
}
