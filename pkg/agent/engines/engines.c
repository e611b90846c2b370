#include "pkg/agent/engines/engines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC 0x53574547u /* "SWEG" */
#define VERSION 1u
#define MANIFEST "manifest"
#define MANIFEST_BYTES_MAX 1024u
#define READ_BYTES ((size_t)64 << 10)

enum part { HOST, COMPILER, LIBRARY, PARTS_COUNT };

static const char *const part_names[PARTS_COUNT] = {"swarm-agent-host", "swarm-compiler",
                                                    "libwasmtime.so"};

struct manifest {
    char fingerprint[SW_ENGINE_FINGERPRINT_MAX + 1];
    uint8_t digests[PARTS_COUNT][SW_SHA256_SIZE];
};

static const char *path_of_part(const struct sw_engine_files *files, enum part part)
{
    return part == HOST ? files->host : part == COMPILER ? files->compiler : files->library;
}

void sw_engine_name(const char *fingerprint, char ret_name[SW_ENGINE_NAME_SIZE])
{
    char text[SW_DIGEST_TEXT_SIZE];

    sw_digest_text_of(fingerprint, strlen(fingerprint), text);
    memcpy(ret_name, text + strlen("sha256:"), SW_ENGINE_NAME_SIZE);
}

/* FOLDER/NAME, or a file in it. */
static enum sw_rc path_in(const struct sw_engines_place *place, const char *name, const char *file,
                          char ret_path[SW_PATH_MAX], struct sw_err *err)
{
    int size = snprintf(ret_path, SW_PATH_MAX, "%s/%s%s%s", place->folder, name,
                        file == NULL ? "" : "/", file == NULL ? "" : file);

    return size > 0 && size < SW_PATH_MAX
               ? SW_OK
               : sw_err_set(err, SW_E_INVALID, "the folder of engines has too long a path");
}

/* --- Digests --------------------------------------------------------------------------------- */

static enum sw_rc add_all(const struct sw_system *system, int file, struct sw_sha256 *digest,
                          struct sw_err *err)
{
    uint8_t *bytes = malloc(READ_BYTES);
    uint64_t at = 0;
    size_t got = READ_BYTES;
    enum sw_rc rc = bytes == NULL ? sw_err_set(err, SW_E_EXHAUSTED, "no memory for a file") : SW_OK;

    while (rc == SW_OK && got == READ_BYTES) {
        rc = system->file_read(system->ctx, file, at, bytes, READ_BYTES, &got, err);
        if (rc == SW_OK && (at += got) > SW_ENGINE_FILE_BYTES_MAX)
            rc = sw_err_set(err, SW_E_RANGE, "a file of an engine is too large");
        if (rc == SW_OK)
            sw_sha256_add(digest, bytes, got);
    }
    free(bytes);
    return rc;
}

static enum sw_rc digest_of(const struct sw_system *system, const char *path,
                            uint8_t ret_digest[SW_SHA256_SIZE], struct sw_err *err)
{
    SW_CLEANUP(sw_sha256_freep) struct sw_sha256 *digest = sw_sha256_new();
    enum sw_rc rc;
    int file;

    if (digest == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a digest");
    rc = system->file_open(system->ctx, path, SW_FILE_READ, &file, err);
    if (rc != SW_OK)
        return rc;
    rc = add_all(system, file, digest, err);
    system->file_close(system->ctx, file);
    if (rc == SW_OK)
        sw_sha256_finish(digest, ret_digest);
    return rc;
}

/* --- Manifests ------------------------------------------------------------------------------- */

static enum sw_rc manifest_save(const struct sw_engines_place *place, const char *name,
                                const struct manifest *manifest, struct sw_err *err)
{
    struct sw_bytes fingerprint = {manifest->fingerprint, strlen(manifest->fingerprint)};
    uint8_t mac[SW_SHA256_SIZE];
    struct sw_buffer bytes;
    char path[SW_PATH_MAX];
    enum sw_rc rc = path_in(place, name, MANIFEST, path, err);

    sw_buffer_init(&bytes, MANIFEST_BYTES_MAX);
    sw_buffer_put_u32(&bytes, MAGIC);
    sw_buffer_put_u32(&bytes, VERSION);
    sw_buffer_put_bytes(&bytes, fingerprint);
    sw_buffer_put(&bytes, manifest->digests, sizeof manifest->digests);
    sw_hmac_sha256((struct sw_bytes){place->key, SW_ENGINE_KEY_SIZE},
                   (struct sw_bytes){bytes.data, bytes.size}, mac);
    sw_buffer_put(&bytes, mac, sizeof mac);
    if (rc == SW_OK)
        rc = sw_buffer_check(&bytes);
    if (rc == SW_OK)
        rc = sw_file_save(place->system, path, bytes.data, bytes.size, err);
    sw_buffer_done(&bytes);
    return rc;
}

/* The MAC is compared before anything else is looked at. */
static bool manifest_parse(const struct sw_engines_place *place, struct sw_bytes all,
                           struct manifest *ret_manifest)
{
    const uint8_t *bytes = all.data;
    uint8_t mac[SW_SHA256_SIZE];
    struct sw_bytes fingerprint, digests;
    struct sw_reader reader;
    uint32_t magic, version;

    if (all.size < sizeof mac)
        return false;
    all.size -= sizeof mac;
    sw_hmac_sha256((struct sw_bytes){place->key, SW_ENGINE_KEY_SIZE}, all, mac);
    if (!sw_bytes_are_equal_secret(mac, bytes + all.size, sizeof mac))
        return false;
    reader = sw_reader_of(bytes, all.size);
    magic = sw_reader_u32(&reader);
    version = sw_reader_u32(&reader);
    fingerprint = sw_reader_bytes(&reader, SW_ENGINE_FINGERPRINT_MAX);
    digests = sw_reader_take(&reader, sizeof ret_manifest->digests);
    if (!sw_reader_is_finished(&reader) || magic != MAGIC || version != VERSION ||
        fingerprint.size == 0)
        return false;
    memset(ret_manifest, 0, sizeof *ret_manifest);
    memcpy(ret_manifest->fingerprint, fingerprint.data, fingerprint.size);
    memcpy(ret_manifest->digests, digests.data, digests.size);
    return true;
}

static enum sw_rc manifest_load(const struct sw_engines_place *place, const char *name,
                                struct manifest *ret_manifest, struct sw_err *err)
{
    char path[SW_PATH_MAX], own[SW_ENGINE_NAME_SIZE];
    struct sw_buffer bytes;
    enum sw_rc rc = path_in(place, name, MANIFEST, path, err);

    if (rc != SW_OK)
        return rc;
    sw_buffer_init(&bytes, MANIFEST_BYTES_MAX);
    rc = sw_file_load(place->system, path, MANIFEST_BYTES_MAX, &bytes, err);
    if (rc == SW_OK &&
        !manifest_parse(place, (struct sw_bytes){bytes.data, bytes.size}, ret_manifest))
        rc = sw_err_set(err, SW_E_CORRUPT, "%.300s is damaged, forged, or of another key", path);
    sw_buffer_done(&bytes);
    if (rc != SW_OK)
        return rc;
    sw_engine_name(ret_manifest->fingerprint, own);
    return strcmp(own, name) == 0
               ? SW_OK
               : sw_err_set(err, SW_E_CORRUPT, "%.300s is that of another engine", path);
}

/* --- Keeping --------------------------------------------------------------------------------- */

static enum sw_rc paths_fill(const struct sw_engines_place *place, const char *name,
                             struct sw_engine *engine, struct sw_err *err)
{
    struct sw_engine_files *files = &engine->files;
    enum sw_rc rc = path_in(place, name, NULL, engine->folder, err);

    if (rc == SW_OK)
        rc = path_in(place, name, part_names[HOST], files->host, err);
    if (rc == SW_OK)
        rc = path_in(place, name, part_names[COMPILER], files->compiler, err);
    return rc == SW_OK ? path_in(place, name, part_names[LIBRARY], files->library, err) : rc;
}

static bool has_size(const struct sw_system *system, const char *path, const char *other)
{
    struct sw_file_view one, two;

    return system->path_view(system->ctx, path, &one, NULL) == SW_OK &&
           system->path_view(system->ctx, other, &two, NULL) == SW_OK &&
           one.size_bytes == two.size_bytes;
}

/* The host is what changes from build to build: it is compared to the byte, the rest by size. What
 * is kept must be what it was when it was: files rot. */
static bool is_kept(const struct sw_engines_place *place, const struct sw_engine *engine,
                    const struct sw_engine_files *files, const char *name)
{
    uint8_t digest[SW_SHA256_SIZE];
    struct manifest manifest;

    for (int part = 0; part < PARTS_COUNT; part++)
        if (!has_size(place->system, path_of_part(&engine->files, (enum part)part),
                      path_of_part(files, (enum part)part)))
            return false;
    if (manifest_load(place, name, &manifest, NULL) != SW_OK ||
        digest_of(place->system, files->host, digest, NULL) != SW_OK ||
        memcmp(digest, manifest.digests[HOST], sizeof digest) != 0)
        return false;
    for (int part = 0; part < PARTS_COUNT; part++)
        if (digest_of(place->system, path_of_part(&engine->files, (enum part)part), digest, NULL) !=
                SW_OK ||
            memcmp(digest, manifest.digests[part], sizeof digest) != 0)
            return false;
    return true;
}

static enum sw_rc copy_part(const struct sw_system *system, const char *from, const char *to,
                            uint8_t ret_digest[SW_SHA256_SIZE], struct sw_err *err)
{
    enum sw_rc rc;

    (void)system->path_remove(system->ctx, to, NULL); /* It may not be there. */
    rc = system->path_copy(system->ctx, from, to, err);
    return rc == SW_OK ? digest_of(system, to, ret_digest, err) : rc;
}

enum sw_rc sw_engine_keep(const struct sw_engines_place *place, const char *fingerprint,
                          const struct sw_engine_files *files, struct sw_err *err)
{
    const struct sw_system *system = place->system;
    char name[SW_ENGINE_NAME_SIZE], path[SW_PATH_MAX];
    struct sw_engine engine;
    struct manifest manifest = {0};
    enum sw_rc rc;

    if (strlen(fingerprint) > SW_ENGINE_FINGERPRINT_MAX)
        return sw_err_set(err, SW_E_INVALID, "the fingerprint of an engine is too long");
    memcpy(manifest.fingerprint, fingerprint, strlen(fingerprint));
    sw_engine_name(fingerprint, name);
    rc = paths_fill(place, name, &engine, err);
    if (rc == SW_OK && is_kept(place, &engine, files, name))
        return SW_OK;
    if (rc == SW_OK)
        rc = path_in(place, name, MANIFEST, path, err);
    if (rc == SW_OK)
        rc = system->folder_make(system->ctx, engine.folder, err);
    if (rc != SW_OK)
        return rc;
    (void)system->path_remove(system->ctx, path, NULL);
    for (int part = 0; rc == SW_OK && part < PARTS_COUNT; part++)
        rc = copy_part(system, path_of_part(files, (enum part)part),
                       path_of_part(&engine.files, (enum part)part), manifest.digests[part], err);
    if (rc == SW_OK)
        rc = manifest_save(place, name, &manifest, err);
    return rc == SW_OK ? system->folder_sync(system->ctx, place->folder, err) : rc;
}

enum sw_rc sw_engine_seal(const struct sw_engines_place *place, const char *name,
                          const char *fingerprint, struct sw_err *err)
{
    char own[SW_ENGINE_NAME_SIZE];
    struct sw_engine engine;
    struct manifest manifest = {0};
    enum sw_rc rc;

    if (strlen(fingerprint) > SW_ENGINE_FINGERPRINT_MAX)
        return sw_err_set(err, SW_E_INVALID, "the fingerprint of an engine is too long");
    memcpy(manifest.fingerprint, fingerprint, strlen(fingerprint));
    sw_engine_name(fingerprint, own);
    if (strcmp(own, name) != 0)
        return sw_err_set(err, SW_E_INVALID, "an engine has the name of another one");
    rc = paths_fill(place, name, &engine, err);
    for (int part = 0; rc == SW_OK && part < PARTS_COUNT; part++)
        rc = digest_of(place->system, path_of_part(&engine.files, (enum part)part),
                       manifest.digests[part], err);
    return rc == SW_OK ? manifest_save(place, name, &manifest, err) : rc;
}

/* --- Using ----------------------------------------------------------------------------------- */

enum sw_rc sw_engines_list(const struct sw_engines_place *place, sw_folder_visit *visit, void *ctx,
                           struct sw_err *err)
{
    struct sw_file_view view;

    if (place->system->path_view(place->system->ctx, place->folder, &view, NULL) != SW_OK)
        return SW_OK;
    return place->system->folder_list(place->system->ctx, place->folder, visit, ctx, err);
}

enum sw_rc sw_engine_open(const struct sw_engines_place *place, const char *name,
                          struct sw_engine *ret_engine, struct sw_err *err)
{
    struct manifest manifest;
    enum sw_rc rc = manifest_load(place, name, &manifest, err);

    if (rc == SW_OK)
        rc = paths_fill(place, name, ret_engine, err);
    for (int part = 0; rc == SW_OK && part < PARTS_COUNT; part++) {
        const char *path = path_of_part(&ret_engine->files, (enum part)part);
        uint8_t digest[SW_SHA256_SIZE];

        rc = digest_of(place->system, path, digest, err);
        if (rc == SW_OK && memcmp(digest, manifest.digests[part], sizeof digest) != 0)
            rc = sw_err_set(err, SW_E_CORRUPT, "%.300s was changed", path);
    }
    if (rc == SW_OK)
        memcpy(ret_engine->fingerprint, manifest.fingerprint, sizeof manifest.fingerprint);
    return rc;
}

void sw_engine_remove(const struct sw_engines_place *place, const char *name)
{
    const struct sw_system *system = place->system;
    char path[SW_PATH_MAX];

    if (path_in(place, name, MANIFEST, path, NULL) == SW_OK)
        (void)system->path_remove(system->ctx, path, NULL);
    for (int part = 0; part < PARTS_COUNT; part++)
        if (path_in(place, name, part_names[part], path, NULL) == SW_OK)
            (void)system->path_remove(system->ctx, path, NULL);
    if (path_in(place, name, NULL, path, NULL) == SW_OK)
        (void)system->path_remove(system->ctx, path, NULL);
}
