#include "pkg/security/secrets/secrets.h"

#include <assert.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "pkg/security/crypto/digest.h"
#include "pkg/security/secrets/state.h"
#include "pkg/utils/base/text.h"

#define SECURE_BYTES 65536 /* A power of two; each ring takes a few kilobytes of it. */

/* --- Memory -------------------------------------------------------------------------------------
 */

/* Keys are in memory that is locked, guarded and left out of core dumps, where the system gives
 * any; otherwise in any memory. */
static struct sw_keyring *ring_new(const struct sw_keyring_options *options)
{
    struct sw_keyring *ring;

    if (!CRYPTO_secure_malloc_initialized())
        (void)CRYPTO_secure_malloc_init(SECURE_BYTES, 16);
    ring = OPENSSL_secure_zalloc(sizeof *ring);
    if (ring != NULL)
        ring->options = *options;
    return ring;
}

void sw_keyring_free(struct sw_keyring *ring)
{
    if (ring != NULL)
        OPENSSL_secure_clear_free(ring, sizeof *ring);
}

static enum sw_rc no_memory(struct sw_err *err)
{
    return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the keys of Secrets");
}

void sw_secrets_buffer_done(struct sw_buffer *buffer)
{
    if (buffer->data != NULL)
        sw_bytes_wipe(buffer->data, buffer->capacity);
    sw_buffer_done(buffer);
}

/* --- Keys ---------------------------------------------------------------------------------------
 */

static void make_key(const struct sw_keyring *ring, struct ring_key *ret_key)
{
    const struct sw_system *system = ring->options.system;

    system->random(system->ctx, ret_key->bytes, KEY_SIZE);
    ret_key->made_ns = system->utc_ns(system->ctx);
    sw_keyring_name_key(ret_key);
}

const struct ring_key *sw_keyring_find(const struct sw_keyring *ring, const char *id)
{
    for (size_t i = 0; i < ring->count; i++)
        if (strcmp(ring->keys[i].id, id) == 0)
            return &ring->keys[i];
    return NULL;
}

size_t sw_keyring_count(const struct sw_keyring *ring)
{
    return ring->count;
}

const char *sw_keyring_id(const struct sw_keyring *ring, size_t at)
{
    assert(at < ring->count);
    return ring->keys[at].id;
}

uint64_t sw_keyring_made_ns(const struct sw_keyring *ring, size_t at)
{
    assert(at < ring->count);
    return ring->keys[at].made_ns;
}

bool sw_keyring_has(const struct sw_keyring *ring, const char *id)
{
    return sw_keyring_find(ring, id) != NULL;
}

/* --- The file -----------------------------------------------------------------------------------
 */

enum sw_rc sw_keyring_parse(const struct sw_keyring_options *options, struct sw_bytes text,
                            struct sw_keyring **ret_ring, struct sw_err *err)
{
    const struct sw_keyring_options in_memory = {.system = options->system};
    SW_CLEANUP(sw_keyring_freep) struct sw_keyring *ring = ring_new(&in_memory);
    enum sw_rc rc = ring == NULL ? no_memory(err) : sw_keyring_parse_keys(ring, text, err);

    if (rc == SW_OK)
        *ret_ring = SW_TAKE(ring);
    return rc;
}

static enum sw_rc path_of(const struct sw_keyring_options *options, char ret_path[SW_PATH_MAX],
                          struct sw_err *err)
{
    int size = snprintf(ret_path, SW_PATH_MAX, "%s/%s", options->folder, SW_RING_FILE);

    return size < 0 || size >= SW_PATH_MAX
               ? sw_err_set(err, SW_E_INVALID, "the path of the data folder is too long")
               : SW_OK;
}

static enum sw_rc save(const struct sw_keyring *ring, struct sw_err *err)
{
    const struct sw_keyring_options *options = &ring->options;
    char path[SW_PATH_MAX];
    struct sw_buffer text;
    enum sw_rc rc;

    if (options->folder == NULL)
        return SW_OK;
    rc = path_of(options, path, err);
    if (rc != SW_OK)
        return rc;
    sw_buffer_init(&text, SW_RING_BYTES_MAX);
    sw_keyring_print(ring, &text);
    rc = sw_buffer_check(&text) == SW_OK
             ? sw_file_save(options->system, path, text.data, text.size, err)
             : no_memory(err);
    sw_secrets_buffer_done(&text);
    return rc;
}

static enum sw_rc load(struct sw_keyring *ring, bool *ret_is_new, struct sw_err *err)
{
    const struct sw_keyring_options *options = &ring->options;
    const struct sw_system *system = options->system;
    struct sw_file_view view;
    struct sw_buffer text;
    char path[SW_PATH_MAX];
    enum sw_rc rc = path_of(options, path, err);

    if (rc != SW_OK)
        return rc;
    rc = system->path_view(system->ctx, path, &view, err);
    *ret_is_new = rc == SW_E_NOT_FOUND;
    if (*ret_is_new) {
        make_key(ring, &ring->keys[ring->count++]);
        return save(ring, err);
    }
    if (rc != SW_OK)
        return rc;
    sw_buffer_init(&text, SW_RING_BYTES_MAX);
    if (sw_buffer_reserve(&text, view.size_bytes < SW_RING_BYTES_MAX ? view.size_bytes + 1 : 1) ==
        NULL)
        rc = no_memory(err);
    if (rc == SW_OK)
        rc = sw_file_load(system, path, SW_RING_BYTES_MAX, &text, err);
    if (rc == SW_E_RANGE)
        rc = sw_keyring_damaged(err);
    if (rc == SW_OK)
        rc = sw_keyring_parse_keys(ring, (struct sw_bytes){text.data, text.size}, err);
    if (rc != SW_OK)
        sw_err_context(err, "%s", path);
    sw_secrets_buffer_done(&text);
    return rc;
}

enum sw_rc sw_keyring_open(const struct sw_keyring_options *options, struct sw_keyring **ret_ring,
                           bool *ret_is_new, struct sw_err *err)
{
    SW_CLEANUP(sw_keyring_freep) struct sw_keyring *ring = ring_new(options);
    bool is_new = true;
    enum sw_rc rc = SW_OK;

    if (ring == NULL)
        return no_memory(err);
    if (options->folder != NULL)
        rc = load(ring, &is_new, err);
    else
        make_key(ring, &ring->keys[ring->count++]);
    if (rc != SW_OK)
        return rc;
    if (ret_is_new != NULL)
        *ret_is_new = is_new;
    *ret_ring = SW_TAKE(ring);
    return SW_OK;
}

/* --- Changes ------------------------------------------------------------------------------------
 */

/* Save the ring, or have it again as it was. */
static enum sw_rc change(struct sw_keyring *ring, struct sw_keyring *before, struct sw_err *err)
{
    enum sw_rc rc = save(ring, err);

    if (rc != SW_OK)
        *ring = *before;
    return rc;
}

static struct sw_keyring *copy_of(const struct sw_keyring *ring)
{
    struct sw_keyring *copy = ring_new(&ring->options);

    if (copy != NULL)
        *copy = *ring;
    return copy;
}

static enum sw_rc check_room(const struct sw_keyring *ring, size_t more, struct sw_err *err)
{
    if (ring->count + more <= SW_RING_KEYS_MAX)
        return SW_OK;
    (void)sw_err_set(err, SW_E_EXHAUSTED, "there would be more than %u keys of Secrets",
                     SW_RING_KEYS_MAX);
    sw_err_hint(err, "older ones go when nothing is sealed with them any more: swarmctl secrets "
                     "status");
    return SW_E_EXHAUSTED;
}

enum sw_rc sw_keyring_rotate(struct sw_keyring *ring, struct sw_err *err)
{
    SW_CLEANUP(sw_keyring_freep) struct sw_keyring *before = copy_of(ring);
    enum sw_rc rc = before == NULL ? no_memory(err) : check_room(ring, 1, err);

    if (rc != SW_OK)
        return rc;
    (void)memmove(&ring->keys[1], &ring->keys[0], ring->count * sizeof ring->keys[0]);
    make_key(ring, &ring->keys[0]);
    ring->count++;
    return change(ring, before, err);
}

enum sw_rc sw_keyring_drop(struct sw_keyring *ring, const char *id, struct sw_err *err)
{
    SW_CLEANUP(sw_keyring_freep) struct sw_keyring *before = copy_of(ring);
    const struct ring_key *key = sw_keyring_find(ring, id);
    size_t at;

    if (before == NULL)
        return no_memory(err);
    if (key == NULL)
        return sw_err_set(err, SW_E_NOT_FOUND, "there is no key \"%.32s\" of Secrets", id);
    at = (size_t)(key - ring->keys);
    if (at == 0)
        return sw_err_set(err, SW_E_PRECONDITION, "the key \"%s\" of Secrets is the newest one",
                          id);
    ring->count--;
    (void)memmove(&ring->keys[at], &ring->keys[at + 1], (ring->count - at) * sizeof ring->keys[0]);
    sw_bytes_wipe(&ring->keys[ring->count], sizeof ring->keys[0]);
    return change(ring, before, err);
}

enum sw_rc sw_keyring_merge(struct sw_keyring *ring, const struct sw_keyring *other,
                            size_t *ret_count, struct sw_err *err)
{
    SW_CLEANUP(sw_keyring_freep) struct sw_keyring *before = copy_of(ring);
    size_t count = 0;
    enum sw_rc rc;

    for (size_t i = 0; i < other->count; i++)
        count += !sw_keyring_has(ring, other->keys[i].id);
    rc = before == NULL ? no_memory(err) : check_room(ring, count, err);
    if (rc != SW_OK)
        return rc;
    for (size_t i = 0; i < other->count; i++)
        if (!sw_keyring_has(ring, other->keys[i].id))
            ring->keys[ring->count++] = other->keys[i];
    rc = count == 0 ? SW_OK : change(ring, before, err);
    if (rc == SW_OK)
        *ret_count = count;
    return rc;
}
