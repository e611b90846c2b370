#include "pkg/agent/modules/bundle.h"

#include "pkg/agent/abi/abi.h"

#include <string.h>

#define MAGIC "\0swb"
#define MAGIC_BYTES 4u

bool sw_bundle_is(struct sw_bytes bytes)
{
    return bytes.size >= MAGIC_BYTES && memcmp(bytes.data, MAGIC, MAGIC_BYTES) == 0;
}

struct head {
    uint32_t version, size;
    struct sw_bytes runtime;
};

/* False: there are fewer bytes than one has. */
static bool read_head(struct sw_reader *reader, struct head *ret_head)
{
    (void)sw_reader_take(reader, MAGIC_BYTES);
    ret_head->version = sw_reader_u32(reader);
    ret_head->runtime = sw_reader_take(reader, SW_SHA256_SIZE);
    ret_head->size = sw_reader_u32(reader);
    return !reader->failed;
}

static enum sw_rc refuse(struct sw_err *err, const char *words)
{
    (void)sw_err_set(err, SW_E_INVALID, "the bundle is damaged: %s", words);
    sw_err_hint(err, "it was changed or cut on its way: build it again");
    return SW_E_INVALID;
}

static enum sw_rc check_head(const struct head *head, struct sw_err *err)
{
    if (head->version != SW_BUNDLE_VERSION) {
        (void)sw_err_set(err, SW_E_UNSUPPORTED,
                         "the bundle has version %u, and this Swarm reads version %u",
                         head->version, SW_BUNDLE_VERSION);
        sw_err_hint(err, "update Swarm, or build it with the tools of this version");
        return SW_E_UNSUPPORTED;
    }
    if (head->size <= SW_ABI_PAYLOAD_BYTES_MAX)
        return SW_OK;
    (void)sw_err_set(err, SW_E_EXHAUSTED,
                     "the payload of the bundle has %u bytes, the most it may have is %u",
                     head->size, SW_ABI_PAYLOAD_BYTES_MAX);
    sw_err_hint(err, "leave out of it what the program does not need");
    return SW_E_EXHAUSTED;
}

static void name_runtime(const struct head *head, char ret_digest[SW_DIGEST_TEXT_SIZE])
{
    uint8_t digest[SW_SHA256_SIZE];

    memcpy(digest, head->runtime.data, sizeof digest);
    sw_digest_text(digest, ret_digest);
}

enum sw_rc sw_bundle_read(struct sw_bytes bytes, struct sw_bundle_view *ret_view,
                          struct sw_err *err)
{
    struct sw_reader reader = sw_reader_of(bytes.data, bytes.size);
    struct head head;
    enum sw_rc rc;

    if (!sw_bundle_is(bytes))
        return sw_err_set(err, SW_E_INVALID, "it is no bundle");
    if (!read_head(&reader, &head))
        return refuse(err, "it ends before its payload");
    rc = check_head(&head, err);
    if (rc != SW_OK)
        return rc;
    if (bytes.size - SW_BUNDLE_HEAD_BYTES < head.size)
        return refuse(err, "it ends in its payload");
    if (bytes.size - SW_BUNDLE_HEAD_BYTES > head.size)
        return refuse(err, "something follows its payload");
    name_runtime(&head, ret_view->runtime);
    ret_view->payload = sw_reader_take(&reader, head.size);
    return SW_OK;
}

bool sw_bundle_runtime(struct sw_bytes head, char ret_digest[SW_DIGEST_TEXT_SIZE])
{
    struct sw_reader reader = sw_reader_of(head.data, head.size);
    struct head found;

    if (!sw_bundle_is(head) || !read_head(&reader, &found) || found.version != SW_BUNDLE_VERSION)
        return false;
    name_runtime(&found, ret_digest);
    return true;
}

enum sw_rc sw_bundle_put(const char *runtime, struct sw_bytes payload, struct sw_buffer *out,
                         struct sw_err *err)
{
    uint8_t digest[SW_SHA256_SIZE];

    if (sw_digest_parse(runtime, digest) != SW_OK)
        return sw_err_set(err, SW_E_INVALID,
                          "a runtime is named by \"sha256:\" and 64 lowercase hex digits");
    if (payload.size > SW_ABI_PAYLOAD_BYTES_MAX)
        return sw_err_set(err, SW_E_EXHAUSTED, "the payload of a bundle may have %u bytes, not %zu",
                          SW_ABI_PAYLOAD_BYTES_MAX, payload.size);
    sw_buffer_put(out, MAGIC, MAGIC_BYTES);
    sw_buffer_put_u32(out, SW_BUNDLE_VERSION);
    sw_buffer_put(out, digest, sizeof digest);
    sw_buffer_put_u32(out, (uint32_t)payload.size);
    sw_buffer_put(out, payload.data, payload.size);
    return out->failed ? sw_err_set(err, SW_E_EXHAUSTED, "no memory for a bundle") : SW_OK;
}
