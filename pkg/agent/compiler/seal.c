#include "pkg/agent/compiler/seal.h"

#include <assert.h>
#include <string.h>

#define SEAL_MAGIC 0x4d435753u /* "SWCM" */
#define SEAL_VERSION 1u

void sw_seal_put(const struct sw_seal *seal, const uint8_t digest[SW_SHA256_SIZE],
                 struct sw_bytes code, struct sw_buffer *out)
{
    size_t begin = out->size;
    uint8_t mac[SW_SHA256_SIZE];

    sw_buffer_put_u32(out, SEAL_MAGIC);
    sw_buffer_put_u32(out, SEAL_VERSION);
    sw_buffer_put_bytes(out, (struct sw_bytes){seal->fingerprint, strlen(seal->fingerprint)});
    sw_buffer_put(out, digest, SW_SHA256_SIZE);
    sw_buffer_put_bytes(out, code);
    if (out->failed)
        return;
    sw_hmac_sha256((struct sw_bytes){seal->key, SW_COMPILER_KEY_SIZE},
                   (struct sw_bytes){out->data + begin, out->size - begin}, mac);
    sw_buffer_put(out, mac, sizeof mac);
}

/* The MAC is compared before anything else is looked at. */
enum sw_rc sw_seal_get(const struct sw_seal *seal, const uint8_t digest[SW_SHA256_SIZE],
                       struct sw_bytes entry, struct sw_bytes *ret_code)
{
    struct sw_bytes own = {seal->fingerprint, strlen(seal->fingerprint)};
    const uint8_t *bytes = entry.data;
    uint8_t mac[SW_SHA256_SIZE];
    struct sw_reader reader;

    if (entry.size < SW_SHA256_SIZE)
        return SW_E_CORRUPT;
    size_t size = entry.size - SW_SHA256_SIZE;
    sw_hmac_sha256((struct sw_bytes){seal->key, SW_COMPILER_KEY_SIZE},
                   (struct sw_bytes){bytes, size}, mac);
    if (!sw_bytes_are_equal_secret(mac, bytes + size, sizeof mac))
        return SW_E_CORRUPT;
    reader = sw_reader_of(bytes, size);
    uint32_t magic = sw_reader_u32(&reader);
    uint32_t version = sw_reader_u32(&reader);
    struct sw_bytes print = sw_reader_bytes(&reader, own.size);
    struct sw_bytes module = sw_reader_take(&reader, SW_SHA256_SIZE);
    struct sw_bytes code = sw_reader_bytes(&reader, SW_COMPILER_CODE_BYTES_MAX);
    if (!sw_reader_is_finished(&reader) || magic != SEAL_MAGIC || version != SEAL_VERSION ||
        !sw_bytes_is_equal(print, own) || memcmp(module.data, digest, SW_SHA256_SIZE) != 0)
        return SW_E_CORRUPT;
    *ret_code = code;
    return SW_OK;
}

bool sw_seal_peek(struct sw_bytes head, uint8_t ret_digest[SW_SHA256_SIZE])
{
    struct sw_reader reader = sw_reader_of(head.data, head.size);
    bool is_entry = sw_reader_u32(&reader) == SEAL_MAGIC && sw_reader_u32(&reader) == SEAL_VERSION;
    struct sw_bytes module;

    (void)sw_reader_bytes(&reader, SW_SEAL_FINGERPRINT_MAX);
    module = sw_reader_take(&reader, SW_SHA256_SIZE);
    if (!is_entry || reader.failed)
        return false;
    memcpy(ret_digest, module.data, SW_SHA256_SIZE);
    return true;
}

void sw_seal_name(const struct sw_seal *seal, const uint8_t digest[SW_SHA256_SIZE],
                  char ret_name[SW_DIGEST_TEXT_SIZE])
{
    uint8_t both[SW_SHA256_SIZE + SW_SEAL_FINGERPRINT_MAX];
    size_t size = strlen(seal->fingerprint);
    char text[SW_DIGEST_TEXT_SIZE];

    assert(size <= SW_SEAL_FINGERPRINT_MAX);
    memcpy(both, digest, SW_SHA256_SIZE);
    memcpy(both + SW_SHA256_SIZE, seal->fingerprint, size);
    sw_digest_text_of(both, SW_SHA256_SIZE + size, text);
    memcpy(ret_name, text + strlen("sha256:"), 2 * SW_SHA256_SIZE + 1);
}
