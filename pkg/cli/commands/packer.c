#include "pkg/cli/commands/packer.h"

#include "pkg/agent/abi/abi.h"
#include "pkg/agent/image/manifest.h"
#include "pkg/agent/image/tar.h"
#include "pkg/agent/image/untar.h"
#include "pkg/agent/modules/bundle.h"
#include "pkg/cli/commands/python.h"
#include "pkg/cli/commands/template.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define ENDING ".program"
#define HIDDEN ".swarm"
#define GZIP_WINDOW (16 + MAX_WBITS)
#define DEPTH_MAX 48u
#define ENTRIES_MAX 65536u
#define FILE_BYTES_MAX ((size_t)512 << 20)
/* A part of packages is closed once it has so much, so that one more folder may fit. */
#define PART_BYTES (SW_ABI_PAYLOAD_BYTES_MAX / 2)
#define PYC_HEAD_BYTES 16u

bool sw_packer_takes(const char *path)
{
    size_t size = strlen(path);

    return size > sizeof ENDING && strcmp(path + size - (sizeof ENDING - 1), ENDING) == 0;
}

/* --- Archives -------------------------------------------------------------------------------- */

struct packing {
    struct sw_cli *cli;
    const char *folder;        /* Where .swarm is. */
    struct sw_buffer piece;    /* Of the archive, before it is compressed. */
    struct sw_buffer out, raw; /* Compressed; a file. */
    z_stream stream;
    bool is_open;
    size_t files;
    const char *digests[SW_MANIFEST_PACKAGES_MAX]; /* Of what was closed. */
    size_t digests_count;
};

static enum sw_rc open_archive(struct packing *packing, struct sw_err *err)
{
    sw_buffer_reset(&packing->out);
    packing->files = 0;
    packing->stream = (z_stream){0};
    packing->is_open = deflateInit2(&packing->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
                                    GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) == Z_OK;
    return packing->is_open ? SW_OK : sw_cli_no_memory(err);
}

static enum sw_rc compress_bytes(struct packing *packing, struct sw_bytes bytes, int flush,
                                 struct sw_err *err)
{
    z_stream *stream = &packing->stream;
    uint8_t room[16384];
    int code;

    stream->next_in = (Bytef *)(uintptr_t)bytes.data;
    stream->avail_in = (unsigned)bytes.size;
    do {
        stream->next_out = room;
        stream->avail_out = sizeof room;
        code = deflate(stream, flush);
        sw_buffer_put(&packing->out, room, sizeof room - stream->avail_out);
    } while (stream->avail_out == 0 && code == Z_OK);
    if (!packing->out.failed)
        return SW_OK;
    (void)sw_err_set(err, SW_E_EXHAUSTED, "the files are more than %u MiB when they are compressed",
                     SW_ABI_PAYLOAD_BYTES_MAX >> 20);
    sw_err_hint(err, "leave out what the program does not need, or move it to a folder of its own "
                     "among \"packages\"");
    return SW_E_EXHAUSTED;
}

static bool is_compiled(const char *path)
{
    size_t size = strlen(path);

    return size > 4 && strcmp(path + size - 4, ".pyc") == 0;
}

/* What Python compiled is said to be good as it is (PEP 552), since the times of its sources do not
 * go along. */
static void settle_compiled(const char *path, struct sw_buffer *raw)
{
    static const uint8_t unchecked[PYC_HEAD_BYTES - 4] = {1};

    if (is_compiled(path) && raw->size >= PYC_HEAD_BYTES)
        memcpy(raw->data + 4, unchecked, sizeof unchecked);
}

static bool is_program(const struct sw_buffer *raw)
{
    return raw->size >= 4 &&
           (memcmp(raw->data, "#!", 2) == 0 || memcmp(raw->data, "\177ELF", 4) == 0);
}

static enum sw_rc add_file(struct packing *packing, const char *from, const char *path,
                           struct sw_err *err)
{
    enum sw_rc rc;

    sw_buffer_reset(&packing->raw);
    sw_buffer_reset(&packing->piece);
    rc = sw_file_load(packing->cli->system, from, FILE_BYTES_MAX, &packing->raw, err);
    if (rc != SW_OK)
        return rc;
    settle_compiled(path, &packing->raw);
    rc = sw_tar_put_file(&packing->piece, path, packing->raw.size, is_program(&packing->raw), err);
    if (rc == SW_E_INVALID && is_compiled(path)) /* Python makes it again. */
        return SW_OK;
    if (rc == SW_OK)
        rc = compress_bytes(packing, (struct sw_bytes){packing->piece.data, packing->piece.size},
                            Z_NO_FLUSH, err);
    if (rc == SW_OK)
        rc = compress_bytes(packing, (struct sw_bytes){packing->raw.data, packing->raw.size},
                            Z_NO_FLUSH, err);
    sw_buffer_reset(&packing->piece);
    sw_tar_put_padding(&packing->piece, packing->raw.size);
    packing->files++;
    return rc == SW_OK ? compress_bytes(packing,
                                        (struct sw_bytes){packing->piece.data, packing->piece.size},
                                        Z_NO_FLUSH, err)
                       : rc;
}

static const char *runtime_of(struct sw_cli *cli)
{
    struct sw_bytes digest = sw_template_process();

    return sw_cli_format(cli, "%.*s", (int)digest.size, (const char *)digest.data);
}

/* The archive becomes a bundle, in a file that is named by its digest. */
static enum sw_rc close_archive(struct packing *packing, struct sw_err *err)
{
    struct sw_cli *cli = packing->cli;
    SW_CLEANUP(sw_buffer_done) struct sw_buffer bundle = {0};
    char digest[SW_DIGEST_TEXT_SIZE];
    const char *path;
    enum sw_rc rc;

    sw_buffer_reset(&packing->piece);
    sw_tar_put_end(&packing->piece);
    rc = compress_bytes(packing, (struct sw_bytes){packing->piece.data, packing->piece.size},
                        Z_FINISH, err);
    (void)deflateEnd(&packing->stream);
    packing->is_open = false;
    sw_buffer_init(&bundle, SW_ABI_PAYLOAD_BYTES_MAX + SW_BUNDLE_HEAD_BYTES);
    if (rc == SW_OK)
        rc = sw_bundle_put(runtime_of(cli), (struct sw_bytes){packing->out.data, packing->out.size},
                           &bundle, err);
    if (rc != SW_OK)
        return rc;
    if (packing->digests_count == SW_MANIFEST_PACKAGES_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED, "the packages need more than %u images",
                          SW_MANIFEST_PACKAGES_MAX);
    sw_digest_text_of(bundle.data, bundle.size, digest);
    path = sw_cli_format(cli, "%s/" HIDDEN "/%s.bundle", packing->folder, strchr(digest, ':') + 1);
    packing->digests[packing->digests_count++] = sw_cli_format(cli, "%s", digest);
    return sw_file_save(cli->system, path, bundle.data, bundle.size, err);
}

/* --- Folders --------------------------------------------------------------------------------- */

struct listing {
    struct sw_cli *cli;
    const char **names;
    size_t count, capacity;
    bool failed;
};

static bool list_name(void *ctx, const char *name)
{
    struct listing *listing = ctx;

    if (listing->count == listing->capacity) {
        size_t capacity = listing->capacity == 0 ? 64 : 2 * listing->capacity;
        const char **names = sw_arena_array(listing->cli->arena, capacity, sizeof *names);

        listing->failed = names == NULL || capacity > ENTRIES_MAX;
        if (listing->failed)
            return false;
        if (listing->count > 0)
            memcpy(names, listing->names, listing->count * sizeof *names);
        listing->names = names;
        listing->capacity = capacity;
    }
    listing->names[listing->count++] = sw_cli_format(listing->cli, "%s", name);
    return true;
}

static int compare_names(const void *one, const void *other)
{
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

static enum sw_rc list(struct sw_cli *cli, const char *folder, struct listing *ret_listing,
                       struct sw_err *err)
{
    enum sw_rc rc;

    *ret_listing = (struct listing){.cli = cli};
    rc = cli->system->folder_list(cli->system->ctx, folder, list_name, ret_listing, err);
    if (rc == SW_OK && ret_listing->failed)
        return sw_err_set(err, SW_E_EXHAUSTED, "%s has too many entries", folder);
    if (rc == SW_OK && ret_listing->count > 0)
        qsort(ret_listing->names, ret_listing->count, sizeof *ret_listing->names, compare_names);
    return rc;
}

/* Hidden files, what is built, and what installs packages: nothing that a program needs. */
static bool is_left_out(const char *name, bool is_package)
{
    static const char *const installers[] = {"pip", "setuptools", "_distutils_hack",
                                             "pkg_resources", "wheel"};
    size_t size = strlen(name);

    if (name[0] == '.' || (size > 7 && strcmp(name + size - 7, ".bundle") == 0) ||
        strcmp(name, "distutils-precedence.pth") == 0)
        return true;
    for (size_t i = 0; is_package && i < sizeof installers / sizeof installers[0]; i++) {
        size_t length = strlen(installers[i]);

        if (strncmp(name, installers[i], length) == 0 &&
            (name[length] == '\0' || (name[length] == '-' && strstr(name, ".dist-info") != NULL)))
            return true;
    }
    return false;
}

static enum sw_rc add_below(struct packing *packing, const char *from, const char *path,
                            unsigned depth, struct sw_err *err)
{
    const struct sw_system *system = packing->cli->system;
    struct sw_file_view view;
    struct listing listing;
    enum sw_rc rc = system->path_view(system->ctx, from, &view, err);

    if (rc != SW_OK || !view.is_folder)
        return rc == SW_OK ? add_file(packing, from, path, err) : rc;
    if (depth == DEPTH_MAX)
        return sw_err_set(err, SW_E_INVALID, "%s: folders lie too deep, or in a circle", from);
    rc = list(packing->cli, from, &listing, err);
    for (size_t i = 0; rc == SW_OK && i < listing.count; i++)
        if (!is_left_out(listing.names[i], false))
            rc = add_below(packing, sw_cli_format(packing->cli, "%s/%s", from, listing.names[i]),
                           sw_cli_format(packing->cli, "%s/%s", path, listing.names[i]), depth + 1,
                           err);
    return rc;
}

/* A folder becomes one image, or, of packages, as many as it takes. */
static enum sw_rc pack(struct packing *packing, const char *folder, bool is_package,
                       struct sw_err *err)
{
    struct listing listing;
    enum sw_rc rc = list(packing->cli, folder, &listing, err);

    if (rc == SW_OK)
        rc = open_archive(packing, err);
    for (size_t i = 0; rc == SW_OK && i < listing.count; i++) {
        if (is_left_out(listing.names[i], is_package))
            continue;
        if (is_package && packing->out.size > PART_BYTES) {
            rc = close_archive(packing, err);
            if (rc == SW_OK)
                rc = open_archive(packing, err);
        }
        if (rc == SW_OK)
            rc = add_below(packing, sw_cli_format(packing->cli, "%s/%s", folder, listing.names[i]),
                           listing.names[i], 0, err);
    }
    return rc == SW_OK ? close_archive(packing, err) : rc;
}

/* --- Manifests ------------------------------------------------------------------------------- */

/* A folder as the manifest has it, relative to that. */
static enum sw_rc folder_of(const struct packing *packing, const json_t *value,
                            const char **ret_folder, struct sw_err *err)
{
    if (!json_is_string(value))
        return sw_err_set(err, SW_E_INVALID, "\"image\" and \"packages\" name folders");
    *ret_folder =
        json_string_value(value)[0] == '/'
            ? sw_cli_format(packing->cli, "%s", json_string_value(value))
            : sw_cli_format(packing->cli, "%s/%s", packing->folder, json_string_value(value));
    return SW_OK;
}

static enum sw_rc packages_settle(struct packing *packing, json_t *manifest, struct sw_err *err)
{
    json_t *packages = json_object_get(manifest, "packages"), *digests = json_array();
    const char *folder;
    enum sw_rc rc = SW_OK;

    packing->digests_count = 0;
    for (size_t i = 0; rc == SW_OK && i < json_array_size(packages); i++) {
        rc = folder_of(packing, json_array_get(packages, i), &folder, err);
        if (rc == SW_OK)
            rc = pack(packing, folder, true, err);
    }
    for (size_t i = 0; rc == SW_OK && i < packing->digests_count; i++)
        (void)json_array_append_new(digests, json_string(packing->digests[i]));
    (void)json_object_set_new(manifest, "packages", digests);
    return rc;
}

static enum sw_rc image_settle(struct packing *packing, json_t *manifest, struct sw_err *err)
{
    json_t *image = json_object_get(manifest, "image");
    const char *folder = packing->folder;
    enum sw_rc rc = image == NULL ? SW_OK : folder_of(packing, image, &folder, err);

    packing->digests_count = 0;
    if (rc == SW_OK)
        rc = pack(packing, folder, false, err);
    if (rc == SW_OK)
        (void)json_object_set_new(manifest, "image", json_string(packing->digests[0]));
    return rc;
}

struct sweeping {
    struct packing *packing;
    const char *text; /* Of the manifest, which names what is of use. */
};

static bool sweep_one(void *ctx, const char *name)
{
    const struct sweeping *sweeping = ctx;
    struct sw_cli *cli = sweeping->packing->cli;
    size_t hex = SW_DIGEST_TEXT_SIZE - sizeof "sha256:";

    if (strlen(name) == hex + strlen(".bundle") && strcmp(name + hex, ".bundle") == 0 &&
        strstr(sweeping->text, sw_cli_format(cli, "sha256:%.*s", (int)hex, name)) == NULL)
        (void)cli->system->path_remove(
            cli->system->ctx,
            sw_cli_format(cli, "%s/" HIDDEN "/%s", sweeping->packing->folder, name), NULL);
    return true;
}

/* Images of earlier builds go. */
static void sweep(struct packing *packing, const char *text)
{
    struct sweeping sweeping = {packing, text};
    const struct sw_system *system = packing->cli->system;

    (void)system->folder_list(system->ctx,
                              sw_cli_format(packing->cli, "%s/" HIDDEN, packing->folder), sweep_one,
                              &sweeping, NULL);
}

/* As it will be read there, so that mistakes are told here. */
static enum sw_rc manifest_write(struct packing *packing, json_t *manifest, const char *output,
                                 struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer bundle = {0};
    char *text = json_dumps(manifest, JSON_COMPACT | JSON_SORT_KEYS);
    struct sw_manifest checked;
    enum sw_rc rc = text == NULL ? sw_cli_no_memory(err) : SW_OK;

    sw_buffer_init(&bundle, SW_ABI_PAYLOAD_BYTES_MAX);
    if (rc == SW_OK)
        rc = sw_manifest_read((struct sw_bytes){text, strlen(text)}, packing->cli->arena, &checked,
                              err);
    if (rc == SW_OK)
        rc = sw_bundle_put(runtime_of(packing->cli), (struct sw_bytes){text, strlen(text)}, &bundle,
                           err);
    if (rc == SW_OK)
        sweep(packing, text);
    free(text);
    return rc == SW_OK ? sw_file_save(packing->cli->system, output, bundle.data, bundle.size, err)
                       : rc;
}

static enum sw_rc manifest_load(struct sw_cli *cli, const char *source, json_t **ret_manifest,
                                struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer text = {0};
    json_error_t where;
    enum sw_rc rc;

    sw_buffer_init(&text, 65536);
    rc = sw_file_load(cli->system, source, 65536, &text, err);
    if (rc != SW_OK)
        return rc;
    *ret_manifest = json_loadb(text.size == 0 ? "" : (const char *)text.data, text.size,
                               JSON_REJECT_DUPLICATES, &where);
    if (json_is_object(*ret_manifest))
        return SW_OK;
    return sw_err_set(err, SW_E_INVALID, "%s:%d: %s", source, where.line,
                      *ret_manifest == NULL ? where.text : "a program is told of by an object");
}

static const char *folder_with(struct sw_cli *cli, const char *source)
{
    const char *slash = strrchr(source, '/');

    return slash == NULL ? "." : sw_cli_format(cli, "%.*s", (int)(slash - source), source);
}

static enum sw_rc sdk_place(struct sw_cli *cli, const char *folder, const json_t *manifest,
                            const char **ret_sdk, struct sw_err *err)
{
    const json_t *packages = json_object_get(manifest, "packages");
    const char *name;

    *ret_sdk = NULL;
    for (size_t i = 0; i < json_array_size(packages); i++) {
        name = json_string_value(json_array_get(packages, i));
        if (name == NULL || strcmp(name, SW_PYTHON_SDK) != 0)
            continue;
        *ret_sdk = sw_cli_format(cli, "%s/" SW_PYTHON_SDK, folder);
        return sw_python_place(cli, folder, err);
    }
    return SW_OK;
}

enum sw_rc sw_packer_place(struct sw_cli *cli, const char *source, const char **ret_folder,
                           struct sw_err *err)
{
    json_t *manifest = NULL;
    enum sw_rc rc = manifest_load(cli, source, &manifest, err);

    if (rc == SW_OK)
        rc = sdk_place(cli, folder_with(cli, source), manifest, ret_folder, err);
    json_decref(manifest);
    return rc;
}

enum sw_rc sw_packer_build(struct sw_cli *cli, const char *source, const char *output,
                           struct sw_err *err)
{
    struct packing packing = {.cli = cli, .folder = folder_with(cli, source)};
    const char *sdk = NULL;
    json_t *manifest = NULL;
    enum sw_rc rc = manifest_load(cli, source, &manifest, err);

    sw_buffer_init(&packing.piece, 4 * (size_t)SW_UNTAR_BLOCK);
    sw_buffer_init(&packing.out, SW_ABI_PAYLOAD_BYTES_MAX);
    sw_buffer_init(&packing.raw, FILE_BYTES_MAX);
    if (rc == SW_OK)
        rc = cli->system->folder_make(cli->system->ctx,
                                      sw_cli_format(cli, "%s/" HIDDEN, packing.folder), err);
    if (rc == SW_OK)
        rc = sdk_place(cli, packing.folder, manifest, &sdk, err);
    if (rc == SW_OK && json_object_get(manifest, "packages") != NULL)
        rc = packages_settle(&packing, manifest, err);
    if (rc == SW_OK)
        rc = image_settle(&packing, manifest, err);
    if (rc == SW_OK)
        rc = manifest_write(&packing, manifest, output, err);
    if (packing.is_open)
        (void)deflateEnd(&packing.stream);
    json_decref(manifest);
    sw_buffer_done(&packing.piece);
    sw_buffer_done(&packing.out);
    sw_buffer_done(&packing.raw);
    return rc;
}

bool sw_packer_next(struct sw_cli *cli, const char *path, struct sw_bytes bundle, size_t *cursor,
                    struct sw_packer_image *ret_image)
{
    static const char begin[] = "sha256:";
    const char *slash = strrchr(path, '/'), *text = bundle.data, *at;
    size_t size =
        bundle.size < SW_BUNDLE_HEAD_BYTES + 16384u ? bundle.size : SW_BUNDLE_HEAD_BYTES + 16384u;
    uint8_t digest[SW_SHA256_SIZE];
    struct sw_file_view view;

    if (!sw_bundle_is(bundle))
        return false;
    while (*cursor < size &&
           (at = memmem(text + *cursor, size - *cursor, begin, sizeof begin - 1)) != NULL) {
        *cursor = (size_t)(at - text) + sizeof begin - 1;
        if (size - (size_t)(at - text) < SW_DIGEST_TEXT_SIZE - 1)
            return false;
        ret_image->digest = sw_cli_format(cli, "%.*s", (int)SW_DIGEST_TEXT_SIZE - 1, at);
        ret_image->path = sw_cli_format(cli, "%.*s" HIDDEN "/%s.bundle",
                                        slash == NULL ? 0 : (int)(slash - path) + 1, path,
                                        ret_image->digest + sizeof begin - 1);
        if (sw_digest_parse(ret_image->digest, digest) == SW_OK &&
            cli->system->path_view(cli->system->ctx, ret_image->path, &view, NULL) == SW_OK)
            return true;
    }
    return false;
}
