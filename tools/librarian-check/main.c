/* librarian-check FOLDER QUESTION...: the answers that examples/librarian must give. */
#include "pkg/cli/documents/documents.h"
#include "pkg/utils/system/system.h"
#include "tools/librarian-check/collection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGENT "reader"
#define ANSWER_BYTES_MAX (1u << 20)
#define DEPTH_MAX 64

struct reading {
    const struct sw_system *system;
    struct collection_check *check;
    const char *root;
    char folder[SW_PATH_MAX + 1]; /* Below the root, "" or with a slash at its end. */
    unsigned depth;
    bool has_failed;
};

/* Add a text in parts of the size that a message has. */
static bool add_text(struct reading *reading, const char *path, const char *text, size_t size)
{
    bool is_whole = size <= SW_DOCUMENT_PART_BYTES, is_added = true;
    unsigned number = 0;

    while (size > 0 && is_added) {
        size_t part = sw_document_part_size(text, size, SW_DOCUMENT_PART_BYTES);
        struct sw_buffer key;

        sw_buffer_init(&key, SW_DOCUMENT_NAME_MAX + 1);
        sw_document_key(AGENT, path, is_whole ? 0 : ++number, &key);
        sw_buffer_put_u8(&key, '\0');
        is_added = sw_buffer_check(&key) == SW_OK &&
                   collection_check_add(reading->check, (const char *)key.data,
                                        (struct sw_bytes){text, part});
        sw_buffer_done(&key);
        text += part;
        size -= part;
    }
    return is_added;
}

/* What cannot be read or is no text is passed over, as by the command. */
static bool add_file(struct reading *reading, const char *full, const char *path)
{
    struct sw_buffer file, opened, text;
    struct sw_err ignored = {0};
    bool is_added = true;

    sw_buffer_init(&file, SW_DOCUMENT_BYTES_MAX);
    sw_buffer_init(&opened, SW_DOCUMENT_BYTES_MAX + (1 << 20));
    sw_buffer_init(&text, 2 * SW_DOCUMENT_BYTES_MAX);
    if (sw_file_load(reading->system, full, SW_DOCUMENT_BYTES_MAX, &file, &ignored) == SW_OK &&
        sw_document_open((struct sw_bytes){file.data, file.size}, &opened) == SW_OK &&
        sw_document_read_text((struct sw_bytes){opened.data, opened.size}, &text) == SW_OK)
        is_added = add_text(reading, path, (const char *)text.data, text.size);
    sw_buffer_done(&file);
    sw_buffer_done(&opened);
    sw_buffer_done(&text);
    return is_added;
}

static bool visit(void *ctx, const char *name);

static void visit_folder(struct reading *reading, const char *full, const char *path)
{
    char before[sizeof reading->folder];
    struct sw_err ignored = {0};

    if (reading->depth + 1 >= DEPTH_MAX)
        return;
    (void)memcpy(before, reading->folder, sizeof before);
    (void)snprintf(reading->folder, sizeof reading->folder, "%s/", path);
    reading->depth++;
    (void)reading->system->folder_list(reading->system->ctx, full, visit, reading, &ignored);
    reading->depth--;
    (void)memcpy(reading->folder, before, sizeof before);
}

static bool visit(void *ctx, const char *name)
{
    struct reading *reading = ctx;
    char path[SW_PATH_MAX], full[SW_PATH_MAX];
    struct sw_file_view view;
    struct sw_err ignored = {0};

    if (name[0] == '.')
        return true;
    if ((size_t)snprintf(path, sizeof path, "%s%s", reading->folder, name) >= sizeof path ||
        (size_t)snprintf(full, sizeof full, "%s/%s", reading->root, path) >= sizeof full ||
        reading->system->path_view(reading->system->ctx, full, &view, &ignored) != SW_OK ||
        view.is_link)
        return true;
    if (view.is_folder)
        visit_folder(reading, full, path);
    else if (view.is_regular && !add_file(reading, full, path))
        reading->has_failed = true;
    return !reading->has_failed;
}

static int answer(struct collection_check *check, char *const *questions, unsigned limit)
{
    for (; *questions != NULL; questions++) {
        struct sw_buffer out;
        bool is_answered;

        sw_buffer_init(&out, ANSWER_BYTES_MAX);
        is_answered = collection_check_ask(check, *questions, limit, &out);
        (void)fwrite(out.data, 1, out.size, stdout);
        sw_buffer_done(&out);
        if (!is_answered)
            return 1;
    }
    return 0;
}

int main(int count, char **words)
{
    struct reading reading = {.system = sw_system_real(), .check = collection_check_new()};
    const char *limit = getenv("LIMIT");
    struct sw_err err = {0};
    int status = 1;

    if (count < 3) {
        (void)fprintf(stderr, "usage: librarian-check FOLDER QUESTION...\n");
        collection_check_free(reading.check);
        return 2;
    }
    reading.root = words[1];
    if (reading.check != NULL &&
        reading.system->folder_list(reading.system->ctx, reading.root, visit, &reading, &err) ==
            SW_OK &&
        !reading.has_failed)
        status = answer(reading.check, words + 2, limit == NULL ? 5 : (unsigned)atoi(limit));
    else
        (void)fprintf(stderr, "librarian-check: %s\n", err.message);
    collection_check_free(reading.check);
    return status;
}
