#include "pkg/security/crypto/digest.h"

#include "pkg/utils/base/text.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#define DIGEST_PREFIX "sha256:"

struct sw_sha256 {
    EVP_MD_CTX *context;
};

struct sw_sha256 *sw_sha256_new(void)
{
    struct sw_sha256 *digest = calloc(1, sizeof *digest);

    if (digest == NULL)
        return NULL;
    digest->context = EVP_MD_CTX_new();
    if (digest->context == NULL || EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) != 1) {
        sw_sha256_free(digest);
        return NULL;
    }
    return digest;
}

void sw_sha256_free(struct sw_sha256 *digest)
{
    if (digest == NULL)
        return;
    EVP_MD_CTX_free(digest->context);
    free(digest);
}

void sw_sha256_add(struct sw_sha256 *digest, const void *bytes, size_t size_bytes)
{
    int ok = EVP_DigestUpdate(digest->context, bytes, size_bytes);

    assert(ok == 1);
    (void)ok;
}

void sw_sha256_finish(struct sw_sha256 *digest, uint8_t ret_digest[SW_SHA256_SIZE])
{
    int ok = EVP_DigestFinal_ex(digest->context, ret_digest, NULL);

    ok = ok == 1 && EVP_DigestInit_ex(digest->context, NULL, NULL) == 1;
    assert(ok);
    (void)ok;
}

void sw_sha256_of(const void *bytes, size_t size_bytes, uint8_t ret_digest[SW_SHA256_SIZE])
{
    int ok = EVP_Digest(bytes, size_bytes, ret_digest, NULL, EVP_sha256(), NULL);

    assert(ok == 1);
    (void)ok;
}

void sw_digest_text(const uint8_t digest[SW_SHA256_SIZE], char ret_text[SW_DIGEST_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    char *at = ret_text + sizeof DIGEST_PREFIX - 1;

    (void)memcpy(ret_text, DIGEST_PREFIX, sizeof DIGEST_PREFIX - 1);
    for (size_t i = 0; i < SW_SHA256_SIZE; i++) {
        *at++ = digits[digest[i] >> 4];
        *at++ = digits[digest[i] & 15];
    }
    *at = '\0';
}

void sw_digest_text_of(const void *bytes, size_t size_bytes, char ret_text[SW_DIGEST_TEXT_SIZE])
{
    uint8_t digest[SW_SHA256_SIZE];

    sw_sha256_of(bytes, size_bytes, digest);
    sw_digest_text(digest, ret_text);
}

enum sw_rc sw_digest_parse(const char *text, uint8_t ret_digest[SW_SHA256_SIZE])
{
    size_t prefix_size = sizeof DIGEST_PREFIX - 1;
    struct sw_buffer bytes;
    enum sw_rc rc;

    if (strnlen(text, SW_DIGEST_TEXT_SIZE) != SW_DIGEST_TEXT_SIZE - 1 ||
        memcmp(text, DIGEST_PREFIX, prefix_size) != 0)
        return SW_E_INVALID;
    sw_buffer_init(&bytes, SW_SHA256_SIZE);
    rc = sw_hex_decode(text + prefix_size, SW_SHA256_SIZE * 2, &bytes);
    if (rc == SW_OK)
        (void)memcpy(ret_digest, bytes.data, SW_SHA256_SIZE);
    sw_buffer_done(&bytes);
    return rc;
}

void sw_hmac_sha256(struct sw_bytes key, struct sw_bytes bytes, uint8_t ret_mac[SW_SHA256_SIZE])
{
    unsigned char empty = 0;
    unsigned char *result;

    assert(key.size <= INT32_MAX);
    result = HMAC(EVP_sha256(), key.size > 0 ? key.data : &empty, (int)key.size,
                  bytes.size > 0 ? bytes.data : &empty, bytes.size, ret_mac, NULL);
    assert(result != NULL);
    (void)result;
}

bool sw_bytes_are_equal_secret(const void *one, const void *other, size_t size_bytes)
{
    return CRYPTO_memcmp(one, other, size_bytes) == 0;
}

void sw_bytes_wipe(void *bytes, size_t size_bytes)
{
    OPENSSL_cleanse(bytes, size_bytes);
}
