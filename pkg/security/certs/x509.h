/* What the files of this room share: OpenSSL objects to and from PEM, times, errors. Private to it.
 *
 * Threads: one at a time.  I/O: none. */
#pragma once
#include "pkg/security/certs/certs.h"

#include <openssl/x509.h>

struct sw_authority {
    X509 *certificate;
    EVP_PKEY *key;
    struct sw_buffer pem;
    char cluster[SW_IDENTITY_NAME_MAX];
};

struct sw_credentials {
    X509 *certificate;
    struct sw_buffer certificate_pem, key_pem;
    struct sw_identity identity;
    uint64_t begin_ns, end_ns;
};

static inline void sw_x509_key_free(EVP_PKEY *key)
{
    EVP_PKEY_free(key);
}
SW_DEFINE_CLEANUP(EVP_PKEY, sw_x509_key_free)
static inline void sw_x509_free(X509 *certificate)
{
    X509_free(certificate);
}
SW_DEFINE_CLEANUP(X509, sw_x509_free)

/* Set err to `doing` and OpenSSL's own words, and empty its queue; returns rc. */
enum sw_rc sw_x509_error(struct sw_err *err, enum sw_rc rc, const char *doing);
/* Encrypted keys are refused. SW_E_CORRUPT: not PEM of that kind. Callers free what they get. */
SW_MUST_CHECK enum sw_rc sw_x509_parse(struct sw_bytes pem, X509 **ret_certificate,
                                       struct sw_err *err);
SW_MUST_CHECK enum sw_rc sw_x509_key_parse(struct sw_bytes pem, EVP_PKEY **ret_key,
                                           struct sw_err *err);
/* Append the PEM text. */
SW_MUST_CHECK enum sw_rc sw_x509_print(X509 *certificate, struct sw_buffer *out,
                                       struct sw_err *err);
SW_MUST_CHECK enum sw_rc sw_x509_key_print(EVP_PKEY *key, struct sw_buffer *out,
                                           struct sw_err *err);
/* Begin and end of validity, UTC; an end after the year 2550 reads as then. */
SW_MUST_CHECK enum sw_rc sw_x509_times(const X509 *certificate, uint64_t *ret_begin_ns,
                                       uint64_t *ret_end_ns, struct sw_err *err);
/* A certificate in the making: version 3, random serial number, times, subject and a new key. */
SW_MUST_CHECK enum sw_rc sw_x509_begin(const char *common_name, uint64_t begin_ns, uint64_t end_ns,
                                       X509 **ret_certificate, EVP_PKEY **ret_key,
                                       struct sw_err *err);
/* Add one extension in OpenSSL's configuration syntax; value never holds text from outside. */
SW_MUST_CHECK enum sw_rc sw_x509_extend(X509 *certificate, X509 *issuer, int nid, const char *value,
                                        struct sw_err *err);
