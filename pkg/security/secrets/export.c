/* A ring under a passphrase. */
#include "pkg/security/secrets/secrets.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "pkg/security/crypto/digest.h"
#include "pkg/security/secrets/state.h"
#include "pkg/utils/base/text.h"

#define HEAD "swarm-ring-sealed 1\n"
#define END "\nend\n"
#define METHOD "scrypt "
#define PARAMETERS " 8 1 "
#define LOG_COST 15u     /* 32 MiB. */
#define LOG_COST_MIN 10u /* What is read: more costs a machine too much, less protects nothing. */
#define LOG_COST_MAX 17u
#define MEMORY_MAX ((uint64_t)160 << 20)
#define SALT_SIZE 16
#define HEAD_BYTES_MAX 128

struct export
{ /* Taken apart. */
    unsigned log_cost;
    uint8_t salt[SALT_SIZE];
    struct sw_bytes context; /* Both lines. */
    struct sw_bytes digits;
};

static enum sw_rc cipher_failed(struct sw_err *err)
{
    return sw_err_set(err, SW_E_EXHAUSTED, "no memory to make a key of the passphrase");
}

static bool derive(struct sw_bytes passphrase, const uint8_t salt[SALT_SIZE], unsigned log_cost,
                   uint8_t ret_key[KEY_SIZE])
{
    return EVP_PBE_scrypt(passphrase.data, passphrase.size, salt, SALT_SIZE,
                          (uint64_t)1 << log_cost, 8, 1, MEMORY_MAX, ret_key, KEY_SIZE) == 1;
}

/* --- Out ------------------------------------------------------------------------------------- */

static void put_head(struct sw_buffer *out, const uint8_t salt[SALT_SIZE])
{
    sw_buffer_put_text(out, HEAD);
    sw_buffer_print(out, METHOD "%u" PARAMETERS, LOG_COST);
    sw_hex_encode(salt, SALT_SIZE, out);
    sw_buffer_put_text(out, "\n");
}

/* Append all of it: sealed is nonce, tag, and room for all of plain. */
static enum sw_rc seal(const struct sw_keyring *ring, struct sw_bytes passphrase,
                       struct sw_bytes plain, uint8_t *sealed, struct sw_buffer *out,
                       struct sw_err *err)
{
    const struct sw_system *system = ring->options.system;
    uint8_t key[KEY_SIZE], salt[SALT_SIZE];
    size_t begin = out->size;
    struct gcm gcm = {.key = key,
                      .nonce = sealed,
                      .in = plain,
                      .tag = sealed + NONCE_SIZE,
                      .out = sealed + NONCE_SIZE + TAG_SIZE};
    bool is_good;

    system->random(system->ctx, salt, sizeof salt);
    put_head(out, salt);
    if (out->failed)
        return sw_err_set(err, SW_E_EXHAUSTED, "no room for the keys of Secrets");
    gcm.context = (struct sw_bytes){out->data + begin, out->size - begin};
    system->random(system->ctx, sealed, NONCE_SIZE);
    is_good = derive(passphrase, salt, LOG_COST, key) && sw_secrets_run_gcm(&gcm, true);
    sw_bytes_wipe(key, sizeof key);
    if (!is_good)
        return cipher_failed(err);
    sw_base64_encode(sealed, NONCE_SIZE + TAG_SIZE + plain.size, out);
    sw_buffer_put_text(out, END);
    return out->failed ? sw_err_set(err, SW_E_EXHAUSTED, "no room for the keys of Secrets") : SW_OK;
}

enum sw_rc sw_keyring_export(const struct sw_keyring *ring, struct sw_bytes passphrase,
                             struct sw_buffer *out, struct sw_err *err)
{
    uint8_t sealed[NONCE_SIZE + TAG_SIZE + SW_RING_BYTES_MAX];
    struct sw_buffer plain;
    enum sw_rc rc;

    if (passphrase.size < SW_RING_PASSPHRASE_MIN || passphrase.size > SW_RING_PASSPHRASE_MAX)
        return sw_err_set(err, SW_E_INVALID, "a passphrase has %u to %u bytes",
                          SW_RING_PASSPHRASE_MIN, SW_RING_PASSPHRASE_MAX);
    sw_buffer_init(&plain, SW_RING_BYTES_MAX);
    sw_keyring_print(ring, &plain);
    rc = plain.failed
             ? sw_err_set(err, SW_E_EXHAUSTED, "no memory for the keys of Secrets")
             : seal(ring, passphrase, (struct sw_bytes){plain.data, plain.size}, sealed, out, err);
    sw_secrets_buffer_done(&plain);
    return rc;
}

/* --- In -------------------------------------------------------------------------------------- */

bool sw_keyring_is_export(struct sw_bytes text)
{
    return text.size >= strlen(HEAD) && memcmp(text.data, HEAD, strlen(HEAD)) == 0;
}

/* "scrypt LOG2N 8 1 SALT" */
static bool read_method(const char *line, size_t size, struct export *ret_export)
{
    size_t fixed = strlen(METHOD) + 2 + strlen(PARAMETERS) + 2 * (size_t)SALT_SIZE;
    const char *at = line + strlen(METHOD);
    struct sw_buffer salt;
    enum sw_rc rc;

    if (size != fixed || memcmp(line, METHOD, strlen(METHOD)) != 0 || at[0] != '1' || at[1] < '0' ||
        at[1] > '9' || memcmp(at + 2, PARAMETERS, strlen(PARAMETERS)) != 0)
        return false;
    ret_export->log_cost = 10u + (unsigned)(at[1] - '0');
    sw_buffer_init(&salt, SALT_SIZE);
    rc = sw_hex_decode(line + size - 2 * (size_t)SALT_SIZE, 2 * (size_t)SALT_SIZE, &salt);
    if (rc == SW_OK)
        memcpy(ret_export->salt, salt.data, SALT_SIZE);
    sw_buffer_done(&salt);
    return rc == SW_OK && ret_export->log_cost >= LOG_COST_MIN &&
           ret_export->log_cost <= LOG_COST_MAX;
}

static bool read_export(struct sw_bytes text, struct export *ret_export)
{
    const char *begin = text.data, *line = begin + strlen(HEAD), *end, *line_end;

    if (!sw_keyring_is_export(text) || text.size > SW_RING_EXPORT_BYTES_MAX ||
        text.size < strlen(HEAD END) ||
        memcmp(begin + text.size - strlen(END), END, strlen(END)) != 0)
        return false;
    end = begin + text.size - strlen(END);
    line_end = line < end ? memchr(line, '\n', (size_t)(end - line)) : NULL;
    if (line_end == NULL || !read_method(line, (size_t)(line_end - line), ret_export))
        return false;
    ret_export->context = (struct sw_bytes){begin, (size_t)(line_end + 1 - begin)};
    ret_export->digits = (struct sw_bytes){line_end + 1, (size_t)(end - line_end - 1)};
    return true;
}

/* The text of the ring, into plain.  SW_E_DENIED: another passphrase. */
static enum sw_rc open_sealed(const struct export *export, const struct sw_buffer *sealed,
                              struct sw_bytes passphrase, struct sw_buffer *plain,
                              struct sw_err *err)
{
    size_t size = sealed->size - NONCE_SIZE - TAG_SIZE;
    uint8_t key[KEY_SIZE], tag[TAG_SIZE];
    const struct gcm gcm = {.key = key,
                            .nonce = sealed->data,
                            .context = export->context,
                            .in = {sealed->data + NONCE_SIZE + TAG_SIZE, size},
                            .tag = tag,
                            .out = sw_buffer_reserve(plain, size)};
    bool is_good;

    memcpy(tag, sealed->data + NONCE_SIZE, TAG_SIZE);
    if (gcm.out == NULL || !derive(passphrase, export->salt, export->log_cost, key))
        return cipher_failed(err);
    is_good = sw_secrets_run_gcm(&gcm, false);
    sw_bytes_wipe(key, sizeof key);
    plain->size = is_good ? size : 0;
    if (is_good)
        return SW_OK;
    (void)sw_err_set(err, SW_E_DENIED, "the passphrase is not the one of this file");
    sw_err_hint(err, "or the file was changed: export it again");
    return SW_E_DENIED;
}

enum sw_rc sw_keyring_import(const struct sw_keyring_options *options, struct sw_bytes text,
                             struct sw_bytes passphrase, struct sw_keyring **ret_ring,
                             struct sw_err *err)
{
    struct sw_buffer sealed, plain;
    struct export export;
    enum sw_rc rc;

    if (!read_export(text, &export))
        return sw_keyring_damaged(err);
    sw_buffer_init(&sealed, SW_RING_EXPORT_BYTES_MAX);
    sw_buffer_init(&plain, SW_RING_EXPORT_BYTES_MAX);
    rc = sw_base64_decode(export.digits.data, export.digits.size, &sealed);
    if (rc != SW_OK || sealed.size <= NONCE_SIZE + TAG_SIZE)
        rc = sealed.lacks_memory ? cipher_failed(err) : sw_keyring_damaged(err);
    if (rc == SW_OK)
        rc = open_sealed(&export, &sealed, passphrase, &plain, err);
    if (rc == SW_OK)
        rc = sw_keyring_parse(options, (struct sw_bytes){plain.data, plain.size}, ret_ring, err);
    sw_buffer_done(&sealed);
    sw_secrets_buffer_done(&plain);
    return rc;
}
