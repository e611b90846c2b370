/* Bundles: programs that are a payload for a module which others run as well, their *runtime*.
 *
 *     "\0swb" | u32 version | 32 bytes SHA-256 of the runtime module | u32 size | payload
 *
 * Numbers are little-endian, the version is 1, and nothing follows the payload. Agents in an
 * interpreted language share one runtime, the interpreter, whose machine code is made and loaded
 * once; what differs is the payload, which a guest reads with swarm_bundle (include/swarm/agent.h).
 * What a payload means is between its runtime and whoever made it. A bundle is pushed, named by the
 * SHA-256 of its bytes and kept as a module is; its runtime is a module, never a bundle.
 * Threads: pure functions.  I/O: none.  Limits: SW_ABI_PAYLOAD_BYTES_MAX. */
#pragma once
#include "pkg/security/crypto/digest.h"
#include "pkg/utils/base/buffer.h"

#define SW_BUNDLE_VERSION 1u
#define SW_BUNDLE_HEAD_BYTES 44u /* What stands before the payload. */

struct sw_bundle_view {                /* Borrows from the bundle. */
    char runtime[SW_DIGEST_TEXT_SIZE]; /* "sha256:..." of the module that runs it. */
    struct sw_bytes payload;           /* May be empty. */
};

/* Whether bytes begin as a bundle does, whole or not; a module begins otherwise. */
bool sw_bundle_is(struct sw_bytes bytes);
/* Read all of a bundle.
 * SW_E_INVALID      it does not begin as one, is cut, or something follows it
 * SW_E_UNSUPPORTED  it has another version
 * SW_E_EXHAUSTED    it says that its payload is larger than the limit */
SW_MUST_CHECK enum sw_rc sw_bundle_read(struct sw_bytes bytes, struct sw_bundle_view *ret_view,
                                        struct sw_err *err);
/* The digest of its runtime, from its first SW_BUNDLE_HEAD_BYTES.  False: they are not those of a
 * bundle of this version. */
bool sw_bundle_runtime(struct sw_bytes head, char ret_digest[SW_DIGEST_TEXT_SIZE]);
/* Append a bundle to out, which fails as buffers do.
 * SW_E_INVALID    runtime is no digest
 * SW_E_EXHAUSTED  the payload is larger than the limit, or out is full */
SW_MUST_CHECK enum sw_rc sw_bundle_put(const char *runtime, struct sw_bytes payload,
                                       struct sw_buffer *out, struct sw_err *err);
