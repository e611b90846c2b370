/* uses: pkg/agent/modules pkg/agent/abi pkg/security/crypto */
/* covers: pkg/agent/modules/bundle.c */
#include "pkg/agent/modules/bundle.h"

#include "pkg/agent/abi/abi.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read is written as it was. */
static void write_again(struct sw_bytes bytes, const struct sw_bundle_view *view)
{
    char runtime[SW_DIGEST_TEXT_SIZE];
    struct sw_buffer out;

    sw_buffer_init(&out, SW_BUNDLE_HEAD_BYTES + SW_ABI_PAYLOAD_BYTES_MAX);
    if (!sw_bundle_runtime((struct sw_bytes){bytes.data, SW_BUNDLE_HEAD_BYTES}, runtime) ||
        strcmp(runtime, view->runtime) != 0 ||
        sw_bundle_put(view->runtime, view->payload, &out, NULL) != SW_OK ||
        !sw_bytes_is_equal((struct sw_bytes){out.data, out.size}, bytes))
        abort();
    sw_buffer_done(&out);
}

/* Whatever may be the payload of one is. */
static void wrap(struct sw_bytes payload)
{
    static const char runtime[] =
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    struct sw_bundle_view view;
    struct sw_buffer out;

    sw_buffer_init(&out, SW_BUNDLE_HEAD_BYTES + payload.size);
    if (payload.size <= SW_ABI_PAYLOAD_BYTES_MAX &&
        (sw_bundle_put(runtime, payload, &out, NULL) != SW_OK ||
         sw_bundle_read((struct sw_bytes){out.data, out.size}, &view, NULL) != SW_OK ||
         strcmp(view.runtime, runtime) != 0 || !sw_bytes_is_equal(view.payload, payload)))
        abort();
    sw_buffer_done(&out);
}

/* What the bytes say is no digest, or none that is longer. */
static void name(struct sw_bytes text)
{
    char runtime[SW_DIGEST_TEXT_SIZE + 1] = "";
    uint8_t digest[SW_SHA256_SIZE];
    struct sw_buffer out;
    struct sw_err err = {0};

    sw_buffer_init(&out, SW_BUNDLE_HEAD_BYTES);
    if (text.size > 0)
        memcpy(runtime, text.data, text.size < sizeof runtime - 1 ? text.size : sizeof runtime - 1);
    if ((sw_bundle_put(runtime, (struct sw_bytes){NULL, 0}, &out, &err) == SW_OK) !=
        (sw_digest_parse(runtime, digest) == SW_OK))
        abort();
    sw_buffer_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct sw_bytes bytes = {data, size};
    char runtime[SW_DIGEST_TEXT_SIZE];
    struct sw_bundle_view view;
    struct sw_err err = {0};
    enum sw_rc rc = sw_bundle_read(bytes, &view, &err);

    if (rc == SW_OK ? !sw_bundle_is(bytes) : err.rc != rc || err.message[0] == '\0')
        abort();
    (void)sw_bundle_runtime(bytes, runtime);
    if (rc == SW_OK)
        write_again(bytes, &view);
    wrap(bytes);
    name(bytes);
    return 0;
}
