#include "pkg/security/secrets/secrets.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

#include "pkg/security/crypto/digest.h"
#include "pkg/security/secrets/state.h"
#include "pkg/utils/base/text.h"

#define HEAD SW_SECRETS_SEALED "1:"
#define HEAD_SIZE (sizeof HEAD - 1)
#define ID_SIZE (SW_RING_ID_SIZE - 1)
#define WRAP_SIZE 40 /* RFC 3394: eight bytes more than the key. */
#define SEAL_SIZE (WRAP_SIZE + NONCE_SIZE + TAG_SIZE)
#define CONTEXT_LABEL "swarm sealed 1"
#define CONTEXT_BYTES_MAX 1024

struct sealed { /* A sealed text, taken apart; bytes are in `payload`. */
    char id[SW_RING_ID_SIZE];
    struct sw_buffer payload;
    const uint8_t *wrap, *nonce, *tag, *value;
    size_t value_size;
};

/* --- Ciphers ------------------------------------------------------------------------------------
 */

static enum sw_rc cipher_failed(struct sw_err *err)
{
    return sw_err_set(err, SW_E_INTERNAL, "the cipher library failed");
}

/* AES-256 key wrap; is_wrap: 32 bytes to 40, otherwise back. False: the wrap is not of this key. */
static bool wrap_key(const struct ring_key *key, const uint8_t *in, bool is_wrap, uint8_t *ret_out)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int size = 0, in_size = is_wrap ? KEY_SIZE : WRAP_SIZE;
    bool is_good = context != NULL;
    uint8_t out[WRAP_SIZE + 8]; /* The library asks for a block more. */

    if (is_good) {
        EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
        is_good =
            EVP_CipherInit_ex(context, EVP_aes_256_wrap(), NULL, key->bytes, NULL, is_wrap) == 1 &&
            EVP_CipherUpdate(context, out, &size, in, in_size) == 1 &&
            size == (is_wrap ? WRAP_SIZE : KEY_SIZE);
    }
    if (is_good)
        (void)memcpy(ret_out, out, (size_t)size);
    EVP_CIPHER_CTX_free(context);
    sw_bytes_wipe(out, sizeof out);
    return is_good;
}

/* What a value is bound to, as bytes: no two places make the same. */
static enum sw_rc print_context(const struct sw_secret_place *place, struct sw_buffer *out,
                                struct sw_err *err)
{
    const char *const parts[] = {CONTEXT_LABEL, place->namespace_name, place->name, place->key};

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        sw_buffer_put(out, parts[i], strlen(parts[i]) + 1);
    return sw_buffer_check(out) == SW_OK
               ? SW_OK
               : sw_err_set(err, SW_E_RANGE, "the names of a Secret's value are too long");
}

bool sw_secrets_run_gcm(const struct gcm *gcm, bool is_seal)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    uint8_t nothing[16];
    int size = 0, rest = 0;
    bool is_good =
        context != NULL &&
        EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, gcm->key, gcm->nonce, is_seal) == 1 &&
        EVP_CipherUpdate(context, NULL, &size, gcm->context.data, (int)gcm->context.size) == 1;

    if (is_good && gcm->in.size > 0)
        is_good =
            EVP_CipherUpdate(context, gcm->out, &size, gcm->in.data, (int)gcm->in.size) == 1 &&
            (size_t)size == gcm->in.size;
    if (is_good && !is_seal)
        is_good = EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, gcm->tag) == 1;
    is_good = is_good && EVP_CipherFinal_ex(context, nothing, &rest) == 1 && rest == 0;
    if (is_good && is_seal)
        is_good = EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, gcm->tag) == 1;
    EVP_CIPHER_CTX_free(context);
    return is_good;
}

/* --- The text -----------------------------------------------------------------------------------
 */

bool sw_secrets_is_sealed(const char *text)
{
    return strncmp(text, SW_SECRETS_SEALED, strlen(SW_SECRETS_SEALED)) == 0;
}

static enum sw_rc not_sealed(struct sw_err *err)
{
    (void)sw_err_set(err, SW_E_CORRUPT,
                     "not a sealed text of this version, or one that was cut or changed");
    sw_err_hint(err, "give the plain value, which is sealed when it is written");
    return SW_E_CORRUPT;
}

static bool is_id(const char *text)
{
    for (size_t i = 0; i < ID_SIZE; i++)
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
            return false;
    return true;
}

enum sw_rc sw_secrets_id(const char *sealed, char ret_id[SW_RING_ID_SIZE], struct sw_err *err)
{
    size_t size = strnlen(sealed, SW_SECRETS_SEALED_MAX + 1);

    if (size > SW_SECRETS_SEALED_MAX || size < HEAD_SIZE + ID_SIZE + 1 ||
        memcmp(sealed, HEAD, HEAD_SIZE) != 0 || !is_id(sealed + HEAD_SIZE) ||
        sealed[HEAD_SIZE + ID_SIZE] != ':')
        return not_sealed(err);
    (void)memcpy(ret_id, sealed + HEAD_SIZE, ID_SIZE);
    ret_id[ID_SIZE] = '\0';
    return SW_OK;
}

static enum sw_rc parse(const char *text, struct sealed *ret_sealed, struct sw_err *err)
{
    const char *digits = text + HEAD_SIZE + ID_SIZE + 1;
    struct sw_buffer *payload = &ret_sealed->payload;
    enum sw_rc rc = sw_secrets_id(text, ret_sealed->id, err);

    sw_buffer_init(payload, SEAL_SIZE + SW_SECRETS_VALUE_MAX);
    if (rc != SW_OK)
        return rc;
    rc = sw_base64_decode(digits, strlen(digits), payload);
    if (rc == SW_E_EXHAUSTED && payload->lacks_memory)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory to open a sealed text");
    if (rc != SW_OK || payload->size < SEAL_SIZE)
        return not_sealed(err);
    ret_sealed->wrap = payload->data;
    ret_sealed->nonce = ret_sealed->wrap + WRAP_SIZE;
    ret_sealed->tag = ret_sealed->nonce + NONCE_SIZE;
    ret_sealed->value = ret_sealed->tag + TAG_SIZE;
    ret_sealed->value_size = payload->size - SEAL_SIZE;
    return SW_OK;
}

static void print(const char *id, struct sw_bytes payload, struct sw_buffer *out)
{
    sw_buffer_put_text(out, HEAD);
    sw_buffer_put_text(out, id);
    sw_buffer_put_text(out, ":");
    sw_base64_encode(payload.data, payload.size, out);
}

/* --- Sealing and opening ------------------------------------------------------------------------
 */

static enum sw_rc out_full(struct sw_err *err)
{
    return sw_err_set(err, SW_E_EXHAUSTED, "no room for a value of a Secret");
}

/* Fill payload, of SEAL_SIZE and the value's size. */
static enum sw_rc seal(const struct sw_keyring *ring, struct sw_bytes context,
                       struct sw_bytes value, uint8_t *payload, struct sw_err *err)
{
    const struct sw_system *system = ring->options.system;
    uint8_t key[KEY_SIZE], *nonce = payload + WRAP_SIZE, *tag = nonce + NONCE_SIZE;
    const struct gcm gcm = {.key = key,
                            .nonce = nonce,
                            .context = context,
                            .in = value,
                            .out = tag + TAG_SIZE,
                            .tag = tag};
    bool is_good;

    system->random(system->ctx, key, sizeof key);
    system->random(system->ctx, nonce, NONCE_SIZE);
    is_good = wrap_key(&ring->keys[0], key, true, payload) && sw_secrets_run_gcm(&gcm, true);
    sw_bytes_wipe(key, sizeof key);
    return is_good ? SW_OK : cipher_failed(err);
}

enum sw_rc sw_secrets_seal(const struct sw_keyring *ring, const struct sw_secret_place *place,
                           struct sw_bytes value, struct sw_buffer *out, struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer context = {0};
    SW_CLEANUP(sw_buffer_done) struct sw_buffer payload = {0};
    enum sw_rc rc;

    if (value.size > SW_SECRETS_VALUE_MAX)
        return sw_err_set(err, SW_E_RANGE, "a value of a Secret has at most %u bytes, found %zu",
                          SW_SECRETS_VALUE_MAX, value.size);
    sw_buffer_init(&context, CONTEXT_BYTES_MAX);
    sw_buffer_init(&payload, SEAL_SIZE + SW_SECRETS_VALUE_MAX);
    rc = print_context(place, &context, err);
    if (rc == SW_OK && sw_buffer_reserve(&payload, SEAL_SIZE + value.size) == NULL)
        rc = out_full(err);
    if (rc == SW_OK)
        rc = seal(ring, (struct sw_bytes){context.data, context.size}, value, payload.data, err);
    if (rc != SW_OK)
        return rc;
    print(ring->keys[0].id, (struct sw_bytes){payload.data, SEAL_SIZE + value.size}, out);
    return sw_buffer_check(out) == SW_OK ? SW_OK : out_full(err);
}

static enum sw_rc open_value(const struct sealed *sealed, const uint8_t *key,
                             const struct sw_secret_place *place, uint8_t *ret_value,
                             struct sw_err *err)
{
    SW_CLEANUP(sw_buffer_done) struct sw_buffer context = {0};
    uint8_t tag[TAG_SIZE];
    struct gcm gcm = {.key = key,
                      .nonce = sealed->nonce,
                      .in = {sealed->value, sealed->value_size},
                      .out = ret_value,
                      .tag = tag};
    enum sw_rc rc;

    sw_buffer_init(&context, CONTEXT_BYTES_MAX);
    rc = print_context(place, &context, err);
    if (rc != SW_OK)
        return rc;
    gcm.context = (struct sw_bytes){context.data, context.size};
    (void)memcpy(tag, sealed->tag, TAG_SIZE);
    if (sw_secrets_run_gcm(&gcm, false))
        return SW_OK;
    sw_bytes_wipe(ret_value, sealed->value_size); /* What was not found to be genuine. */
    (void)sw_err_set(err, SW_E_CORRUPT,
                     "the text is sealed for another value or object, or was changed");
    sw_err_hint(err, "a sealed text opens only where it was sealed; give the plain value");
    return SW_E_CORRUPT;
}

/* The key that a text is sealed with, and the one that it wraps. */
static enum sw_rc unwrap(const struct sw_keyring *ring, const struct sealed *sealed,
                         uint8_t ret_key[KEY_SIZE], struct sw_err *err)
{
    const struct ring_key *key = sw_keyring_find(ring, sealed->id);

    if (key == NULL) {
        (void)sw_err_set(err, SW_E_NOT_FOUND, "it is sealed with the key %s, which is not here",
                         sealed->id);
        sw_err_hint(err, "import the key (swarmctl secrets import-key), or give the plain value");
        return SW_E_NOT_FOUND;
    }
    return wrap_key(key, sealed->wrap, false, ret_key) ? SW_OK : not_sealed(err);
}

enum sw_rc sw_secrets_open(const struct sw_keyring *ring, const struct sw_secret_place *place,
                           const char *text, struct sw_buffer *out, struct sw_err *err)
{
    uint8_t key[KEY_SIZE], *room;
    struct sealed sealed = {0};
    enum sw_rc rc = parse(text, &sealed, err);

    if (rc == SW_OK)
        rc = unwrap(ring, &sealed, key, err);
    if (rc == SW_OK) {
        room = sw_buffer_reserve(out, sealed.value_size);
        rc = room == NULL ? out_full(err) : open_value(&sealed, key, place, room, err);
        if (rc == SW_OK)
            out->size += sealed.value_size;
    }
    sw_bytes_wipe(key, sizeof key);
    sw_buffer_done(&sealed.payload);
    return rc;
}

bool sw_secrets_holds(const struct sw_keyring *ring, const struct sw_secret_place *place,
                      const char *sealed, struct sw_bytes value)
{
    SW_CLEANUP(sw_secrets_buffer_done) struct sw_buffer held = {0};

    sw_buffer_init(&held, SW_SECRETS_VALUE_MAX);
    return sw_secrets_open(ring, place, sealed, &held, NULL) == SW_OK && held.size == value.size &&
           (value.size == 0 || sw_bytes_are_equal_secret(held.data, value.data, value.size));
}

enum sw_rc sw_secrets_rewrap(const struct sw_keyring *ring, const struct sw_secret_place *place,
                             const char *text, struct sw_buffer *out, struct sw_err *err)
{
    SW_CLEANUP(sw_secrets_buffer_done) struct sw_buffer value = {0};
    struct sealed sealed = {0};
    uint8_t key[KEY_SIZE];
    enum sw_rc rc = parse(text, &sealed, err);

    sw_buffer_init(&value, SW_SECRETS_VALUE_MAX);
    if (rc == SW_OK)
        rc = sw_secrets_open(ring, place, text, &value, err);
    if (rc == SW_OK)
        rc = unwrap(ring, &sealed, key, err);
    if (rc == SW_OK && strcmp(sealed.id, ring->keys[0].id) != 0 &&
        !wrap_key(&ring->keys[0], key, true, sealed.payload.data))
        rc = cipher_failed(err);
    if (rc == SW_OK) {
        print(ring->keys[0].id, (struct sw_bytes){sealed.payload.data, sealed.payload.size}, out);
        rc = sw_buffer_check(out) == SW_OK ? SW_OK : out_full(err);
    }
    sw_bytes_wipe(key, sizeof key);
    sw_buffer_done(&sealed.payload);
    return rc;
}
