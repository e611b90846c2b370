/* SHA-256, HMAC, and the handling of secrets in constant time, on OpenSSL.
 *
 * A digest as text is "sha256:" and 64 lowercase hex digits; that form names modules and blobs.
 * Threads: pure functions; a struct sw_sha256 belongs to one thread at a time.  I/O: none. */
#pragma once
#include "pkg/utils/base/buffer.h"

#define SW_SHA256_SIZE 32
#define SW_DIGEST_TEXT_SIZE 72 /* "sha256:", 64 digits and the NUL. */

struct sw_sha256; /* Opaque: a digest in the making. */

/* NULL when memory is out. */
struct sw_sha256 *sw_sha256_new(void);
void sw_sha256_free(struct sw_sha256 *digest);
SW_DEFINE_CLEANUP(struct sw_sha256, sw_sha256_free)
void sw_sha256_add(struct sw_sha256 *digest, const void *bytes, size_t size_bytes);
/* The digest of all that was added; the object is then as new. */
void sw_sha256_finish(struct sw_sha256 *digest, uint8_t ret_digest[SW_SHA256_SIZE]);

/* The digest of one run of bytes. */
void sw_sha256_of(const void *bytes, size_t size_bytes, uint8_t ret_digest[SW_SHA256_SIZE]);
/* The text form of a digest, or of the digest of some bytes. */
void sw_digest_text(const uint8_t digest[SW_SHA256_SIZE], char ret_text[SW_DIGEST_TEXT_SIZE]);
void sw_digest_text_of(const void *bytes, size_t size_bytes, char ret_text[SW_DIGEST_TEXT_SIZE]);
/* Back from the text form. SW_E_INVALID: not exactly that form; nothing is set. */
SW_MUST_CHECK enum sw_rc sw_digest_parse(const char *text, uint8_t ret_digest[SW_SHA256_SIZE]);

/* HMAC-SHA-256 (RFC 2104). */
void sw_hmac_sha256(struct sw_bytes key, struct sw_bytes bytes, uint8_t ret_mac[SW_SHA256_SIZE]);
/* Whether size bytes are equal, in a time that does not depend on where they differ. */
bool sw_bytes_are_equal_secret(const void *one, const void *other, size_t size_bytes);
/* Overwrite a secret; the compiler may not leave it out. */
void sw_bytes_wipe(void *bytes, size_t size_bytes);
