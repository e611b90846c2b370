#include "pkg/client/contexts/contexts.h"
#include "pkg/apis/swarm/v1/json.h"
#include "pkg/utils/base/text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define ARENA_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define CURRENT_KEY "current:"
#define NEW_FILE "apiVersion: " SW_API_VERSION "\nkind: Config\n"

/* "word: |" and the text's lines, indented; nothing for an empty text. */
static void put_pem(const char *word, const char *pem, struct sw_buffer *out)
{
    if (pem[0] == '\0')
        return;
    sw_buffer_print(out, "    %s: |\n", word);
    while (*pem != '\0') {
        size_t size = strcspn(pem, "\n");

        sw_buffer_print(out, "      %.*s\n", (int)size, pem);
        pem += size + (pem[size] == '\n');
    }
}

static void put_context(const struct sw_context *context, struct sw_buffer *out)
{
    const char *name = context->name;
    bool has_user = context->certificate_pem[0] != '\0';

    sw_buffer_put_text(out, NEW_FILE);
    sw_buffer_print(out, "contexts:\n  %s:\n    cluster: %s\n", name, name);
    if (has_user)
        sw_buffer_print(out, "    user: %s\n", name);
    if (context->namespace[0] != '\0') {
        sw_buffer_put_text(out, "    namespace: ");
        sw_json_put_text(out, context->namespace);
        sw_buffer_put_text(out, "\n");
    }
    sw_buffer_print(out, "clusters:\n  %s:\n    server: ", name);
    sw_json_put_text(out, context->server);
    sw_buffer_put_text(out, "\n");
    put_pem("authority", context->authority_pem, out);
    if (!has_user)
        return;
    sw_buffer_print(out, "users:\n  %s:\n", name);
    put_pem("certificate", context->certificate_pem, out);
    put_pem("key", context->key_pem, out);
}

/* The line of the text that begins with "current:", as offset and size with its newline. */
static bool find_current_line(const char *text, size_t size, size_t *ret_at, size_t *ret_size)
{
    size_t at = 0;

    while (at < size) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t line = end == NULL ? size - at : (size_t)(end - text) - at + 1;

        if (line >= strlen(CURRENT_KEY) &&
            memcmp(text + at, CURRENT_KEY, strlen(CURRENT_KEY)) == 0) {
            *ret_at = at;
            *ret_size = line;
            return true;
        }
        at += line;
    }
    return false;
}

static enum sw_rc write_current(const struct sw_system *system, const char *folder,
                                const char *name, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer old = {0};
    SW_CLEANUP(sw_buffer_done) struct sw_buffer new = {0};
    char path[SW_PATH_MAX];
    size_t at = 0, size = 0;
    enum sw_rc rc;

    sw_buffer_init(&old, SW_CONTEXTS_FILE_BYTES_MAX);
    sw_buffer_init(&new, SW_CONTEXTS_FILE_BYTES_MAX + SW_PATH_MAX);
    if ((size_t)snprintf(path, sizeof path, "%s/config.yaml", folder) >= sizeof path)
        return sw_err_set(err, SW_E_INVALID, "the path of %s is too long", folder);
    rc = sw_file_load(system, path, SW_CONTEXTS_FILE_BYTES_MAX, &old, err);
    if (rc == SW_E_NOT_FOUND)
        sw_buffer_put_text(&old, NEW_FILE);
    else if (rc != SW_OK)
        return rc;
    if (!find_current_line((const char *)old.data, old.size, &at, &size))
        at = old.size;
    sw_buffer_put(&new, old.data, at);
    if (at > 0 && new.data[at - 1] != '\n')
        sw_buffer_put_text(&new, "\n");
    sw_buffer_print(&new, CURRENT_KEY " %s\n", name);
    sw_buffer_put(&new, old.data + at + size, old.size - at - size);
    rc = sw_buffer_check(&new);
    if (rc != SW_OK)
        return sw_err_set(err, rc, "%s is too large", path);
    return sw_file_save(system, path, new.data, new.size, err);
}

enum sw_rc sw_contexts_use(const struct sw_system *system, const char *folder, const char *name,
                           struct sw_err *err)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(ARENA_BYTES_MAX);
    struct sw_contexts *contexts;
    struct sw_context context;
    enum sw_rc rc;

    if (arena == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the contexts");
    rc = sw_contexts_load(system, folder, arena, &contexts, err);
    if (rc == SW_OK)
        rc = sw_contexts_resolve(contexts, system, name, arena, &context, err);
    return rc == SW_OK ? write_current(system, folder, name, err) : rc;
}

enum sw_rc sw_context_save(const struct sw_system *system, const char *folder,
                           const struct sw_context *context, struct sw_err *err)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(ARENA_BYTES_MAX);
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    struct sw_contexts *contexts;
    char path[SW_PATH_MAX];
    enum sw_rc rc;

    assert(sw_text_is_label(context->name, 63));
    sw_buffer_init(&text, SW_CONTEXTS_FILE_BYTES_MAX);
    if (arena == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the contexts");
    if ((size_t)snprintf(path, sizeof path, "%s/contexts", folder) >= sizeof path - 128)
        return sw_err_set(err, SW_E_INVALID, "the path of %s is too long", folder);
    rc = system->folder_make(system->ctx, path, err);
    if (rc != SW_OK)
        return rc;
    put_context(context, &text);
    if (sw_buffer_check(&text) != SW_OK)
        return sw_err_set(err, SW_E_EXHAUSTED, "the context \"%s\" is too large", context->name);
    (void)snprintf(path + strlen(path), sizeof path - strlen(path), "/%s.yaml", context->name);
    rc = sw_file_save(system, path, text.data, text.size, err);
    if (rc == SW_OK)
        rc = sw_contexts_load(system, folder, arena, &contexts, err);
    if (rc != SW_OK || sw_contexts_current(contexts)[0] != '\0')
        return rc;
    return write_current(system, folder, context->name, err);
}
