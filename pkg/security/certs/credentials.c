#include "pkg/security/certs/x509.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sw_credentials_free(struct sw_credentials *credentials)
{
    if (credentials == NULL)
        return;
    X509_free(credentials->certificate);
    sw_buffer_done(&credentials->certificate_pem);
    if (credentials->key_pem.data != NULL)
        OPENSSL_cleanse(credentials->key_pem.data, credentials->key_pem.size);
    sw_buffer_done(&credentials->key_pem);
    free(credentials);
}

static enum sw_rc check_key(X509 *certificate, struct sw_bytes key_pem, struct sw_err *err)
{
    SW_CLEANUP(sw_x509_key_freep) EVP_PKEY *key = NULL;
    enum sw_rc rc = sw_x509_key_parse(key_pem, &key, err);

    if (rc == SW_OK && X509_check_private_key(certificate, key) != 1)
        rc = sw_x509_error(err, SW_E_CORRUPT, "the key is not the certificate's");
    return rc;
}

enum sw_rc sw_credentials_parse(struct sw_bytes certificate_pem, struct sw_bytes key_pem,
                                struct sw_credentials **ret_credentials, struct sw_err *err)
{
    SW_CLEANUP(sw_credentials_freep)
    struct sw_credentials *credentials = calloc(1, sizeof *credentials);
    enum sw_rc rc;

    if (credentials == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for credentials");
    sw_buffer_init(&credentials->certificate_pem, SW_PEM_MAX);
    sw_buffer_init(&credentials->key_pem, SW_PEM_MAX);
    rc = sw_x509_parse(certificate_pem, &credentials->certificate, err);
    if (rc == SW_OK)
        rc = check_key(credentials->certificate, key_pem, err);
    if (rc == SW_OK)
        rc = sw_identity_of(credentials->certificate, &credentials->identity, err);
    if (rc == SW_OK)
        rc = sw_x509_times(credentials->certificate, &credentials->begin_ns, &credentials->end_ns,
                           err);
    if (rc != SW_OK)
        return rc;
    sw_buffer_put(&credentials->certificate_pem, certificate_pem.data, certificate_pem.size);
    sw_buffer_put(&credentials->key_pem, key_pem.data, key_pem.size);
    if (sw_buffer_check(&credentials->certificate_pem) != SW_OK ||
        sw_buffer_check(&credentials->key_pem) != SW_OK)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for credentials");
    *ret_credentials = SW_TAKE(credentials);
    return SW_OK;
}

struct sw_bytes sw_credentials_certificate_pem(const struct sw_credentials *credentials)
{
    return (struct sw_bytes){credentials->certificate_pem.data, credentials->certificate_pem.size};
}

struct sw_bytes sw_credentials_key_pem(const struct sw_credentials *credentials)
{
    return (struct sw_bytes){credentials->key_pem.data, credentials->key_pem.size};
}

const struct sw_identity *sw_credentials_identity(const struct sw_credentials *credentials)
{
    return &credentials->identity;
}

uint64_t sw_credentials_renew_at_ns(const struct sw_credentials *credentials)
{
    uint64_t lifetime_ns = credentials->end_ns - credentials->begin_ns;

    return credentials->begin_ns + lifetime_ns / 3 * 2;
}

bool sw_credentials_need_renewal(const struct sw_credentials *credentials, uint64_t now_ns)
{
    return now_ns < credentials->begin_ns || now_ns >= sw_credentials_renew_at_ns(credentials);
}

/* --- Kept in files -----------------------------------------------------------------------------
 */

static enum sw_rc print_path(char path[SW_PATH_MAX], const char *folder, const char *name,
                             const char *suffix, struct sw_err *err)
{
    int size = snprintf(path, SW_PATH_MAX, "%s/%s.%s", folder, name, suffix);

    if (size < 0 || size >= SW_PATH_MAX)
        return sw_err_set(err, SW_E_INVALID, "the folder of credentials has too long a name");
    return SW_OK;
}

static enum sw_rc credentials_load(const struct sw_system *system, const char *certificate_path,
                                   const char *key_path, struct sw_credentials **ret_credentials,
                                   struct sw_err *err)
{
    struct sw_buffer certificate, key;
    enum sw_rc rc;

    sw_buffer_init(&certificate, SW_PEM_MAX);
    sw_buffer_init(&key, SW_PEM_MAX);
    rc = sw_file_load(system, certificate_path, SW_PEM_MAX, &certificate, err);
    if (rc == SW_OK)
        rc = sw_file_load(system, key_path, SW_PEM_MAX, &key, err);
    if (rc == SW_OK)
        rc = sw_credentials_parse((struct sw_bytes){certificate.data, certificate.size},
                                  (struct sw_bytes){key.data, key.size}, ret_credentials, err);
    sw_buffer_done(&certificate);
    sw_buffer_done(&key);
    return rc;
}

static bool has_host(X509 *certificate, const char *host)
{
    return X509_check_ip_asc(certificate, host, 0) == 1 ||
           X509_check_host(certificate, host, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1;
}

/* The certificate names the hosts of the request and no others, beside its identity. */
static bool has_hosts(X509 *certificate, const struct sw_certificate_request *request)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    int count = names == NULL ? 0 : sk_GENERAL_NAME_num(names);

    GENERAL_NAMES_free(names);
    if (count < 1 || (size_t)count - 1 != request->hosts_count)
        return false;
    for (size_t i = 0; i < request->hosts_count; i++)
        if (!has_host(certificate, request->hosts[i]))
            return false;
    return true;
}

/* Whether kept credentials are just what the request would get from this authority. */
static bool are_usable(const struct sw_credentials *credentials,
                       const struct sw_authority *authority,
                       const struct sw_certificate_request *request, uint64_t now_ns)
{
    char uri[SW_SPIFFE_MAX];

    sw_spiffe_print(&request->identity, uri);
    return strcmp(uri, credentials->identity.spiffe) == 0 &&
           X509_verify(credentials->certificate, authority->key) == 1 &&
           has_hosts(credentials->certificate, request) &&
           credentials->end_ns <= now_ns + request->lifetime_ns &&
           !sw_credentials_need_renewal(credentials, now_ns);
}

enum sw_rc sw_credentials_open(const struct sw_system *system, const struct sw_authority *authority,
                               const struct sw_certificate_request *request,
                               const struct sw_credentials_place *place,
                               struct sw_credentials **ret_credentials, struct sw_err *err)
{
    SW_CLEANUP(sw_credentials_freep) struct sw_credentials *credentials = NULL;
    char certificate_path[SW_PATH_MAX], key_path[SW_PATH_MAX];
    uint64_t now_ns = system->utc_ns(system->ctx);
    enum sw_rc rc = print_path(certificate_path, place->folder, place->name, "crt", err);

    if (rc == SW_OK)
        rc = print_path(key_path, place->folder, place->name, "key", err);
    if (rc != SW_OK)
        return rc;
    rc = credentials_load(system, certificate_path, key_path, &credentials, err);
    if (rc == SW_OK && are_usable(credentials, authority, request, now_ns)) {
        *ret_credentials = SW_TAKE(credentials);
        return SW_OK;
    }
    if (rc != SW_OK && rc != SW_E_NOT_FOUND && rc != SW_E_CORRUPT && rc != SW_E_INVALID)
        return rc;
    sw_credentials_free(SW_TAKE(credentials));
    rc = sw_authority_issue(authority, request, now_ns, &credentials, err);
    if (rc == SW_OK)
        rc = system->folder_make(system->ctx, place->folder, err);
    if (rc == SW_OK)
        rc = sw_file_save(system, key_path, credentials->key_pem.data, credentials->key_pem.size,
                          err);
    if (rc == SW_OK)
        rc = sw_file_save(system, certificate_path, credentials->certificate_pem.data,
                          credentials->certificate_pem.size, err);
    if (rc == SW_OK)
        *ret_credentials = SW_TAKE(credentials);
    return rc;
}
