#include "pkg/broker/process/images.h"

#include "pkg/utils/base/map.h"
#include "pkg/utils/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEPTH_MAX 64u
#define WORDS_MAX 400u
#define KEY_MAX 160u

struct image {
    struct sw_images *images;
    struct sw_list waits;
    char path[SW_PATH_MAX], key[KEY_MAX];
    struct sw_child *child;           /* NULL: it does not run. */
    struct sw_stream *input, *stream; /* To it, and from it; NULL: closed. */
    char words[WORDS_MAX + 1];        /* That the child says. */
    size_t words_size;
    int status;
    bool is_ready, has_exited;
};

struct sw_images {
    struct sw_images_options options;
    char program[SW_PATH_MAX], folder[SW_PATH_MAX];
    struct sw_map *all; /* By "namespace/sha256:..." */
};

/* --- Folders --------------------------------------------------------------------------------- */

struct removal {
    const struct sw_system *system;
    const char *folder;
    unsigned depth;
};

static void tree_remove(const struct sw_system *system, const char *path, unsigned depth);

static bool remove_one(void *ctx, const char *name)
{
    const struct removal *removal = ctx;
    char path[SW_PATH_MAX];

    if (snprintf(path, sizeof path, "%s/%s", removal->folder, name) < (int)sizeof path)
        tree_remove(removal->system, path, removal->depth + 1);
    return true;
}

/* What cannot be removed stays, and is found when it is in the way. */
static void tree_remove(const struct sw_system *system, const char *path, unsigned depth)
{
    struct removal removal = {system, path, depth};
    struct sw_file_view view;

    if (depth > DEPTH_MAX || system->path_view(system->ctx, path, &view, NULL) != SW_OK)
        return;
    if (view.is_folder && !view.is_link)
        (void)system->folder_list(system->ctx, path, remove_one, &removal, NULL);
    (void)system->path_remove(system->ctx, path, NULL);
}

enum sw_rc sw_images_new(const struct sw_images_options *options, struct sw_images **ret_images,
                         struct sw_err *err)
{
    const struct sw_system *system = options->system;
    SW_CLEANUP(sw_images_freep) struct sw_images *images = calloc(1, sizeof *images);
    enum sw_rc rc;

    if (images != NULL)
        images->all = sw_map_new(0);
    if (images == NULL || images->all == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for images");
    images->options = *options;
    if (strlen(options->program) >= SW_PATH_MAX || strlen(options->folder) >= SW_PATH_MAX)
        return sw_err_set(err, SW_E_INVALID, "the folder of images has too long a path");
    (void)snprintf(images->program, sizeof images->program, "%s", options->program);
    (void)snprintf(images->folder, sizeof images->folder, "%s", options->folder);
    tree_remove(system, images->folder, 0);
    rc = system->folder_make(system->ctx, images->folder, err);
    if (rc == SW_OK)
        *ret_images = SW_TAKE(images);
    return rc;
}

static void finish(struct image *image);

/* All that was open is closed. */
static void image_settle(struct image *image)
{
    if (image->input != NULL || image->stream != NULL)
        return;
    if (image->images == NULL)
        free(image);
    else if (image->has_exited)
        finish(image);
}

/* Children that run, and their streams, end with the loop's objects here. */
static void image_free(struct image *image)
{
    image->images = NULL;
    sw_child_free(image->child);
    image->child = NULL;
    if (image->input != NULL)
        sw_stream_close(image->input);
    if (image->stream != NULL)
        sw_stream_close(image->stream);
    image_settle(image);
}

void sw_images_free(struct sw_images *images)
{
    struct sw_map_entry found;
    size_t cursor = 0;

    if (images == NULL)
        return;
    while (images->all != NULL && sw_map_next(images->all, &cursor, &found))
        image_free(found.value);
    sw_map_free(images->all);
    free(images);
}

void sw_image_wait_cancel(struct sw_image_wait *wait)
{
    if (wait->node.next != NULL)
        sw_list_remove(&wait->node);
}

/* --- The child ------------------------------------------------------------------------------- */

static void finish(struct image *image)
{
    const struct sw_system *system = image->images->options.system;
    struct sw_list waits;
    struct sw_err err = {0};
    char made[SW_PATH_MAX + 8];

    (void)snprintf(made, sizeof made, "%s.new", image->path);
    sw_utf8_mend(image->words);
    if (image->status != 0)
        (void)sw_err_set(&err, SW_E_INVALID, "%s",
                         image->words_size > 0 ? image->words : "swarm-unpack ended in its middle");
    else
        (void)system->path_rename(system->ctx, made, image->path, &err);
    sw_list_init(&waits);
    sw_list_join(&waits, &image->waits);
    image->is_ready = err.rc == SW_OK;
    if (!image->is_ready) {
        tree_remove(system, made, 0);
        (void)sw_map_remove(image->images->all, image->key, strlen(image->key));
        free(image);
    }
    while (!sw_list_is_empty(&waits)) {
        struct sw_image_wait *wait =
            SW_LIST_ITEM(sw_list_first(&waits), struct sw_image_wait, node);

        sw_list_remove(&wait->node);
        wait->done(wait->ctx, &err);
    }
}

static void on_data(void *ctx, struct sw_stream *stream, struct sw_bytes bytes)
{
    struct image *image = ctx;
    size_t room = WORDS_MAX - image->words_size, size = bytes.size < room ? bytes.size : room;

    (void)stream;
    memcpy(image->words + image->words_size, bytes.data, size);
    image->words_size += size;
}

static void on_end(void *ctx, struct sw_stream *stream)
{
    (void)ctx;
    sw_stream_close(stream);
}

static void on_close(void *ctx, struct sw_stream *stream, enum sw_rc rc)
{
    struct image *image = ctx;

    (void)rc;
    if (stream == image->input)
        image->input = NULL;
    else
        image->stream = NULL;
    image_settle(image);
}

/* The kernel has all of it. */
static void on_drain(void *ctx, struct sw_stream *stream)
{
    const struct image *image = ctx;

    if (stream == image->input)
        sw_stream_finish(stream);
}

static void on_exit_child(void *ctx, struct sw_child *child, int status, int signal)
{
    struct image *image = ctx;

    sw_child_free(child);
    image->child = NULL;
    image->status = signal != 0 ? -1 : status;
    image->has_exited = true;
    if (image->input != NULL)
        sw_stream_close(image->input);
    image_settle(image);
}

static enum sw_rc child_start(struct image *image, const char *folder, const int files[3],
                              struct sw_err *err)
{
    struct sw_images *images = image->images;
    char bytes_max[24], files_max[24];
    const char *arguments[] = {images->program, folder, bytes_max, files_max, NULL};
    struct sw_child_options child = {.arguments = arguments,
                                     .files = files,
                                     .files_count = 3,
                                     .on_exit = on_exit_child,
                                     .ctx = image};

    (void)snprintf(bytes_max, sizeof bytes_max, "%llu", (unsigned long long)SW_IMAGE_BYTES_MAX);
    (void)snprintf(files_max, sizeof files_max, "%u", SW_IMAGE_FILES_MAX);
    return sw_child_start(images->options.loop, &child, &image->child, err);
}

static enum sw_rc stream_open(struct image *image, int *file, struct sw_stream **ret_stream,
                              struct sw_err *err)
{
    const struct sw_stream_handler handler = {.ctx = image,
                                              .on_data = on_data,
                                              .on_end = on_end,
                                              .on_close = on_close,
                                              .on_drain = on_drain};
    enum sw_rc rc = sw_stream_adopt(image->images->options.loop, *file, ret_stream, err);

    if (rc != SW_OK)
        return rc;
    *file = -1;
    sw_stream_start(*ret_stream, &handler, SW_IMAGE_ARCHIVE_MAX);
    return SW_OK;
}

static void files_close(int *files, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (files[i] >= 0)
            (void)close(files[i]);
}

static enum sw_rc begin(struct image *image, const char *folder, struct sw_bytes archive,
                        struct sw_err *err)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1};
    enum sw_rc rc = sw_socket_pair(in, err);

    if (rc == SW_OK)
        rc = sw_socket_pair(out, err);
    if (rc == SW_OK)
        rc = child_start(image, folder, (const int[]){in[1], out[1], -1}, err);
    if (rc == SW_OK)
        rc = stream_open(image, &in[0], &image->input, err);
    if (rc == SW_OK)
        rc = stream_open(image, &out[0], &image->stream, err);
    if (rc == SW_OK)
        rc = sw_stream_write(image->input, archive.data, archive.size);
    files_close(in, 2);
    files_close(out, 2);
    return rc;
}

/* --- What is asked for ----------------------------------------------------------------------- */

static enum sw_rc folders_make(const struct sw_images *images, const struct image *image,
                               char ret_made[SW_PATH_MAX + 8], struct sw_err *err)
{
    const struct sw_system *system = images->options.system;

    (void)snprintf(ret_made, SW_PATH_MAX + 8, "%s.new", image->path);
    tree_remove(system, ret_made, 0);
    return system->folder_make(system->ctx, ret_made, err);
}

static enum sw_rc unpack(struct sw_images *images, struct image *image, const char *name_space,
                         const char *digest, struct sw_err *err)
{
    char made[SW_PATH_MAX + 8];
    struct sw_buffer archive;
    enum sw_rc rc;

    sw_buffer_init(&archive, SW_IMAGE_ARCHIVE_MAX);
    rc = images->options.load(images->options.ctx, name_space, digest, &archive, err);
    if (rc == SW_OK)
        rc = folders_make(images, image, made, err);
    if (rc == SW_OK)
        rc = begin(image, made, (struct sw_bytes){archive.data, archive.size}, err);
    sw_buffer_done(&archive);
    return rc;
}

static enum sw_rc image_make(struct sw_images *images, const char *name_space, const char *digest,
                             const char *key, struct image **ret_image, struct sw_err *err)
{
    struct image *image;
    enum sw_rc rc;

    if (sw_map_count(images->all) >= SW_IMAGES_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED, "%u images are unpacked on this node",
                          SW_IMAGES_MAX);
    image = calloc(1, sizeof *image);
    if (image == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for an image");
    image->images = images;
    sw_list_init(&image->waits);
    (void)snprintf(image->key, sizeof image->key, "%s", key);
    if (snprintf(image->path, sizeof image->path, "%s/%s/%s", images->folder, name_space,
                 digest + strlen("sha256:")) >= (int)sizeof image->path - 8)
        rc = sw_err_set(err, SW_E_INVALID, "the folder of images has too long a path");
    else
        rc = sw_map_put(images->all, image->key, strlen(image->key), image, NULL);
    if (rc != SW_OK) {
        free(image);
        return rc;
    }
    rc = unpack(images, image, name_space, digest, err);
    if (rc != SW_OK) {
        (void)sw_map_remove(images->all, image->key, strlen(image->key));
        image_free(image);
        return rc;
    }
    *ret_image = image;
    return SW_OK;
}

enum sw_rc sw_images_get(struct sw_images *images, const char *name_space, const char *digest,
                         struct sw_image_wait *wait, const char **ret_path, struct sw_err *err)
{
    char key[KEY_MAX];
    struct image *image;
    enum sw_rc rc = SW_OK;

    if (snprintf(key, sizeof key, "%s/%s", name_space, digest) >= (int)sizeof key)
        return sw_err_set(err, SW_E_INVALID, "no image has such a name");
    image = sw_map_find(images->all, key, strlen(key));
    if (image == NULL)
        rc = image_make(images, name_space, digest, key, &image, err);
    if (rc != SW_OK)
        return rc;
    if (image->is_ready) {
        *ret_path = image->path;
        return SW_OK;
    }
    sw_list_add(&image->waits, &wait->node);
    return SW_E_UNAVAILABLE;
}
