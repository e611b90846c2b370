#include "pkg/security/certs/x509.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>

#define NS_PER_S UINT64_C(1000000000)
#define SECONDS_MAX UINT64_C(18300000000) /* Of the year 2549; in ns it fits 64 bits. */
#define SERIAL_BITS 127

enum sw_rc sw_x509_error(struct sw_err *err, enum sw_rc rc, const char *doing)
{
    unsigned long number = ERR_get_error();
    const char *reason = number == 0 ? NULL : ERR_reason_error_string(number);

    ERR_clear_error();
    return sw_err_set(err, rc, "%s: %s", doing, reason != NULL ? reason : "unknown cause");
}

/* Without this OpenSSL would ask the terminal for the password of an encrypted key. */
static int refuse_password(char *buffer, int size, int is_writing, void *ctx)
{
    (void)buffer;
    (void)size;
    (void)is_writing;
    (void)ctx;
    return -1;
}

static BIO *bio_of(struct sw_bytes pem)
{
    if (pem.size == 0 || pem.size > SW_PEM_MAX)
        return NULL;
    return BIO_new_mem_buf(pem.data, (int)pem.size);
}

enum sw_rc sw_x509_parse(struct sw_bytes pem, X509 **ret_certificate, struct sw_err *err)
{
    BIO *bio = bio_of(pem);
    X509 *certificate = NULL;

    if (bio != NULL)
        certificate = PEM_read_bio_X509(bio, NULL, refuse_password, NULL);
    BIO_free(bio);
    if (certificate == NULL)
        return sw_x509_error(err, SW_E_CORRUPT, "read a certificate in PEM");
    *ret_certificate = certificate;
    return SW_OK;
}

enum sw_rc sw_x509_key_parse(struct sw_bytes pem, EVP_PKEY **ret_key, struct sw_err *err)
{
    BIO *bio = bio_of(pem);
    EVP_PKEY *key = NULL;

    if (bio != NULL)
        key = PEM_read_bio_PrivateKey(bio, NULL, refuse_password, NULL);
    BIO_free(bio);
    if (key == NULL)
        return sw_x509_error(err, SW_E_CORRUPT, "read a private key in PEM");
    *ret_key = key;
    return SW_OK;
}

/* Append what a memory BIO holds and free it. */
static enum sw_rc take_bio(BIO *bio, int is_written, struct sw_buffer *out, struct sw_err *err)
{
    char *text = NULL;
    long size = 0;

    if (bio != NULL && is_written == 1)
        size = BIO_get_mem_data(bio, &text);
    if (size > 0)
        sw_buffer_put(out, text, (size_t)size);
    BIO_free(bio);
    if (size <= 0)
        return sw_x509_error(err, SW_E_EXHAUSTED, "write PEM");
    if (sw_buffer_check(out) != SW_OK)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a PEM text");
    return SW_OK;
}

enum sw_rc sw_x509_print(X509 *certificate, struct sw_buffer *out, struct sw_err *err)
{
    BIO *bio = BIO_new(BIO_s_mem());

    return take_bio(bio, bio == NULL ? 0 : PEM_write_bio_X509(bio, certificate), out, err);
}

enum sw_rc sw_x509_key_print(EVP_PKEY *key, struct sw_buffer *out, struct sw_err *err)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    int is_written =
        bio == NULL ? 0 : PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);

    return take_bio(bio, is_written, out, err);
}

static bool time_to_ns(const ASN1_TIME *time, uint64_t *ret_ns)
{
    struct tm parts;
    time_t seconds;

    if (ASN1_TIME_to_tm(time, &parts) != 1)
        return false;
    seconds = timegm(&parts);
    if (seconds < 0)
        return false;
    *ret_ns = ((uint64_t)seconds < SECONDS_MAX ? (uint64_t)seconds : SECONDS_MAX) * NS_PER_S;
    return true;
}

enum sw_rc sw_x509_times(const X509 *certificate, uint64_t *ret_begin_ns, uint64_t *ret_end_ns,
                         struct sw_err *err)
{
    uint64_t begin_ns, end_ns;

    if (!time_to_ns(X509_get0_notBefore(certificate), &begin_ns) ||
        !time_to_ns(X509_get0_notAfter(certificate), &end_ns))
        return sw_err_set(err, SW_E_CORRUPT, "a certificate's time of validity cannot be read");
    *ret_begin_ns = begin_ns;
    *ret_end_ns = end_ns;
    return SW_OK;
}

static bool set_serial(X509 *certificate)
{
    BIGNUM *number = BN_new();
    bool is_set = number != NULL &&
                  BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
                  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;

    BN_free(number);
    return is_set;
}

enum sw_rc sw_x509_begin(const char *common_name, uint64_t begin_ns, uint64_t end_ns,
                         X509 **ret_certificate, EVP_PKEY **ret_key, struct sw_err *err)
{
    SW_CLEANUP(sw_x509_freep) X509 *certificate = X509_new();
    SW_CLEANUP(sw_x509_key_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
    time_t begin = (time_t)(begin_ns / NS_PER_S), end = (time_t)(end_ns / NS_PER_S);
    X509_NAME *subject;

    if (certificate == NULL || key == NULL)
        return sw_x509_error(err, SW_E_EXHAUSTED, "make a key for a certificate");
    subject = X509_get_subject_name(certificate);
    if (X509_set_version(certificate, X509_VERSION_3) != 1 || !set_serial(certificate) ||
        ASN1_TIME_set(X509_getm_notBefore(certificate), begin) == NULL ||
        ASN1_TIME_set(X509_getm_notAfter(certificate), end) == NULL ||
        X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                                   (const unsigned char *)common_name, -1, -1, 0) != 1 ||
        X509_set_pubkey(certificate, key) != 1)
        return sw_x509_error(err, SW_E_INTERNAL, "make a certificate");
    *ret_certificate = SW_TAKE(certificate);
    *ret_key = SW_TAKE(key);
    return SW_OK;
}

enum sw_rc sw_x509_extend(X509 *certificate, X509 *issuer, int nid, const char *value,
                          struct sw_err *err)
{
    X509_EXTENSION *extension;
    X509V3_CTX context;
    int is_added;

    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    if (extension == NULL)
        return sw_x509_error(err, SW_E_INTERNAL, "make a certificate's extension");
    is_added = X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    if (is_added != 1)
        return sw_x509_error(err, SW_E_EXHAUSTED, "add a certificate's extension");
    return SW_OK;
}
