#include "pkg/security/certs/x509.h"

#include "pkg/utils/base/text.h"

#include <assert.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define YEAR_NS (UINT64_C(365) * 86400 * 1000000000)
#define AUTHORITY_YEARS 10
#define HOST_MAX 253
#define LEAF_EARLY_NS (UINT64_C(60) * 1000000000)

void sw_authority_free(struct sw_authority *authority)
{
    if (authority == NULL)
        return;
    X509_free(authority->certificate);
    EVP_PKEY_free(authority->key);
    sw_buffer_done(&authority->pem);
    free(authority);
}

const char *sw_authority_cluster(const struct sw_authority *authority)
{
    return authority->cluster;
}

struct sw_bytes sw_authority_pem(const struct sw_authority *authority)
{
    return (struct sw_bytes){authority->pem.data, authority->pem.size};
}

/* Take over certificate and key, also when it fails. */
static enum sw_rc authority_of(X509 *certificate, EVP_PKEY *key, const char *cluster,
                               struct sw_authority **ret_authority, struct sw_err *err)
{
    SW_CLEANUP(sw_authority_freep) struct sw_authority *authority = calloc(1, sizeof *authority);
    enum sw_rc rc;

    if (authority == NULL) {
        X509_free(certificate);
        EVP_PKEY_free(key);
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for an authority");
    }
    authority->certificate = certificate;
    authority->key = key;
    sw_buffer_init(&authority->pem, SW_PEM_MAX);
    (void)snprintf(authority->cluster, sizeof authority->cluster, "%s", cluster);
    rc = sw_x509_print(certificate, &authority->pem, err);
    if (rc == SW_OK)
        *ret_authority = SW_TAKE(authority);
    return rc;
}

/* The authority's own name: its trust domain alone, as the SPIFFE standard asks. */
static enum sw_rc sign_root(X509 *certificate, EVP_PKEY *key, const char *cluster,
                            struct sw_err *err)
{
    char uri[SW_SPIFFE_MAX];
    enum sw_rc rc;

    (void)snprintf(uri, sizeof uri, "URI:spiffe://%s", cluster); /* A label: nothing to escape. */
    rc = sw_x509_extend(certificate, certificate, NID_basic_constraints,
                        "critical,CA:TRUE,pathlen:0", err);
    if (rc == SW_OK)
        rc = sw_x509_extend(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign",
                            err);
    if (rc == SW_OK)
        rc = sw_x509_extend(certificate, certificate, NID_subject_key_identifier, "hash", err);
    if (rc == SW_OK)
        rc = sw_x509_extend(certificate, certificate, NID_subject_alt_name, uri, err);
    if (rc != SW_OK)
        return rc;
    if (X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) != 1 ||
        X509_sign(certificate, key, EVP_sha256()) == 0)
        return sw_x509_error(err, SW_E_INTERNAL, "sign the authority's certificate");
    return SW_OK;
}

enum sw_rc sw_authority_new(const char *cluster, uint64_t now_ns,
                            struct sw_authority **ret_authority, struct sw_err *err)
{
    SW_CLEANUP(sw_x509_freep) X509 *certificate = NULL;
    SW_CLEANUP(sw_x509_key_freep) EVP_PKEY *key = NULL;
    char common_name[128];
    enum sw_rc rc;

    if (!sw_text_is_label(cluster, SW_IDENTITY_NAME_MAX - 1))
        return sw_err_set(err, SW_E_INVALID, "cluster name \"%.64s\" is not a label", cluster);
    (void)snprintf(common_name, sizeof common_name, "Swarm authority of %.40s", cluster);
    rc = sw_x509_begin(common_name, now_ns > LEAF_EARLY_NS ? now_ns - LEAF_EARLY_NS : 0,
                       now_ns + AUTHORITY_YEARS * YEAR_NS, &certificate, &key, err);
    if (rc == SW_OK)
        rc = sign_root(certificate, key, cluster, err);
    if (rc != SW_OK)
        return rc;
    return authority_of(SW_TAKE(certificate), SW_TAKE(key), cluster, ret_authority, err);
}

/* The cluster that a root certificate names in its URI; false when it is not a root of ours. */
static bool root_cluster(X509 *certificate, char ret_cluster[SW_IDENTITY_NAME_MAX])
{
    static const char scheme[] = "spiffe://";
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    const GENERAL_NAME *name = names == NULL ? NULL : sk_GENERAL_NAME_value(names, 0);
    const char *text = "";
    int size = 0;
    bool is_root = false;

    if (name != NULL && name->type == GEN_URI) {
        size = ASN1_STRING_length(name->d.uniformResourceIdentifier);
        text = (const char *)ASN1_STRING_get0_data(name->d.uniformResourceIdentifier);
    }
    size -= (int)sizeof scheme - 1;
    if (size > 0 && size < SW_IDENTITY_NAME_MAX && memcmp(text, scheme, sizeof scheme - 1) == 0) {
        (void)memcpy(ret_cluster, text + sizeof scheme - 1, (size_t)size);
        ret_cluster[size] = '\0';
        is_root = X509_check_ca(certificate) == 1;
    }
    GENERAL_NAMES_free(names);
    return is_root;
}

static enum sw_rc check_root(X509 *certificate, EVP_PKEY *key, const char *cluster, uint64_t now_ns,
                             struct sw_err *err)
{
    char found[SW_IDENTITY_NAME_MAX];
    uint64_t begin_ns, end_ns;
    enum sw_rc rc = sw_x509_times(certificate, &begin_ns, &end_ns, err);

    if (rc != SW_OK)
        return rc;
    if (X509_check_private_key(certificate, key) != 1 || !root_cluster(certificate, found))
        return sw_x509_error(err, SW_E_CORRUPT, "the authority's certificate and key do not fit");
    if (strcmp(found, cluster) != 0)
        return sw_err_set(err, SW_E_PRECONDITION, "the authority is of cluster %s, not %s", found,
                          cluster);
    if (now_ns >= end_ns)
        return sw_err_set(err, SW_E_PRECONDITION, "the authority's certificate has expired");
    return SW_OK;
}

struct authority_files { /* The two files of an authority, as texts. */
    char certificate_path[SW_PATH_MAX], key_path[SW_PATH_MAX];
    struct sw_buffer certificate, key;
};

static void authority_files_done(struct authority_files *files)
{
    sw_buffer_done(&files->certificate);
    sw_buffer_done(&files->key);
}

static enum sw_rc authority_load(struct authority_files *files, const char *cluster,
                                 uint64_t now_ns, struct sw_authority **ret_authority,
                                 struct sw_err *err)
{
    SW_CLEANUP(sw_x509_freep) X509 *certificate = NULL;
    SW_CLEANUP(sw_x509_key_freep) EVP_PKEY *key = NULL;
    struct sw_bytes certificate_pem = {files->certificate.data, files->certificate.size};
    struct sw_bytes key_pem = {files->key.data, files->key.size};
    enum sw_rc rc = sw_x509_parse(certificate_pem, &certificate, err);

    if (rc == SW_OK)
        rc = sw_x509_key_parse(key_pem, &key, err);
    if (rc == SW_OK)
        rc = check_root(certificate, key, cluster, now_ns, err);
    if (rc != SW_OK)
        return rc;
    return authority_of(SW_TAKE(certificate), SW_TAKE(key), cluster, ret_authority, err);
}

/* The key first: a crash between the two leaves a key without a certificate, and since nobody can
 * have trusted that one, the next start begins anew. */
static enum sw_rc authority_save(const struct sw_system *system, struct authority_files *files,
                                 const struct sw_authority *authority, struct sw_err *err)
{
    enum sw_rc rc;

    sw_buffer_reset(&files->key);
    rc = sw_x509_key_print(authority->key, &files->key, err);
    if (rc == SW_OK)
        rc = sw_file_save(system, files->key_path, files->key.data, files->key.size, err);
    if (rc == SW_OK)
        rc = sw_file_save(system, files->certificate_path, authority->pem.data, authority->pem.size,
                          err);
    return rc;
}

static enum sw_rc authority_open(const struct sw_system *system, struct authority_files *files,
                                 const char *cluster, struct sw_authority **ret_authority,
                                 struct sw_err *err)
{
    uint64_t now_ns = system->utc_ns(system->ctx);
    SW_CLEANUP(sw_authority_freep) struct sw_authority *authority = NULL;
    enum sw_rc rc, key_rc;

    rc = sw_file_load(system, files->certificate_path, SW_PEM_MAX, &files->certificate, err);
    if (rc != SW_OK && rc != SW_E_NOT_FOUND)
        return rc;
    key_rc = sw_file_load(system, files->key_path, SW_PEM_MAX, &files->key, err);
    if (key_rc != SW_OK && key_rc != SW_E_NOT_FOUND)
        return key_rc;
    if (rc == SW_OK && key_rc == SW_OK)
        return authority_load(files, cluster, now_ns, ret_authority, err);
    if (rc == SW_OK)
        return sw_err_set(err, SW_E_CORRUPT,
                          "the authority's certificate is there, its key is not");
    /* No certificate: nobody can have trusted the key, if there is one. Begin anew. */
    rc = sw_authority_new(cluster, now_ns, &authority, err);
    if (rc == SW_OK)
        rc = authority_save(system, files, authority, err);
    if (rc == SW_OK)
        *ret_authority = SW_TAKE(authority);
    return rc;
}

enum sw_rc sw_authority_open(const struct sw_system *system, const char *folder,
                             const char *cluster, struct sw_authority **ret_authority,
                             struct sw_err *err)
{
    struct authority_files files;
    int one = snprintf(files.certificate_path, SW_PATH_MAX, "%s/authority.crt", folder);
    int other = snprintf(files.key_path, SW_PATH_MAX, "%s/authority.key", folder);
    enum sw_rc rc;

    if (one < 0 || other < 0 || one >= SW_PATH_MAX || other >= SW_PATH_MAX)
        return sw_err_set(err, SW_E_INVALID, "the authority's folder has too long a name");
    rc = system->folder_make(system->ctx, folder, err);
    if (rc != SW_OK)
        return rc;
    sw_buffer_init(&files.certificate, SW_PEM_MAX);
    sw_buffer_init(&files.key, SW_PEM_MAX);
    rc = authority_open(system, &files, cluster, ret_authority, err);
    authority_files_done(&files);
    if (rc != SW_OK)
        (void)sw_err_context(err, "authority in %s", folder);
    return rc;
}

/* --- Issuing -----------------------------------------------------------------------------------
 */

static bool add_name(GENERAL_NAMES *names, int type, ASN1_STRING *value)
{
    GENERAL_NAME *name = value == NULL ? NULL : GENERAL_NAME_new();

    if (name == NULL) {
        ASN1_STRING_free(value);
        return false;
    }
    GENERAL_NAME_set0_value(name, type, value);
    if (sk_GENERAL_NAME_push(names, name) > 0)
        return true;
    GENERAL_NAME_free(name);
    return false;
}

static bool is_host(const char *host)
{
    size_t size = strnlen(host, HOST_MAX + 1);

    return size > 0 && size <= HOST_MAX &&
           strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") ==
               size;
}

static bool add_host(GENERAL_NAMES *names, const char *host)
{
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(host);
    ASN1_IA5STRING *text;

    if (address != NULL)
        return add_name(names, GEN_IPADD, address);
    text = is_host(host) ? ASN1_IA5STRING_new() : NULL;
    if (text != NULL && ASN1_STRING_set(text, host, -1) != 1) {
        ASN1_IA5STRING_free(text);
        return false;
    }
    return add_name(names, GEN_DNS, text);
}

static bool add_uri(GENERAL_NAMES *names, const char *uri)
{
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();

    if (text != NULL && ASN1_STRING_set(text, uri, -1) != 1) {
        ASN1_IA5STRING_free(text);
        return false;
    }
    return add_name(names, GEN_URI, text);
}

static enum sw_rc add_names(X509 *certificate, const struct sw_certificate_request *request,
                            struct sw_err *err)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    char uri[SW_SPIFFE_MAX];
    enum sw_rc rc = SW_OK;

    sw_spiffe_print(&request->identity, uri);
    if (names == NULL || !add_uri(names, uri))
        rc = sw_x509_error(err, SW_E_EXHAUSTED, "name a certificate");
    for (size_t i = 0; i < request->hosts_count && rc == SW_OK; i++)
        if (!add_host(names, request->hosts[i]))
            rc = sw_err_set(err, SW_E_INVALID, "\"%.64s\" is not a host name or address",
                            request->hosts[i]);
    if (rc == SW_OK && X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0) != 1)
        rc = sw_x509_error(err, SW_E_EXHAUSTED, "name a certificate");
    GENERAL_NAMES_free(names);
    return rc;
}

static enum sw_rc sign_leaf(const struct sw_authority *authority,
                            const struct sw_certificate_request *request, X509 *certificate,
                            struct sw_err *err)
{
    X509 *issuer = authority->certificate;
    enum sw_rc rc =
        sw_x509_extend(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE", err);

    if (rc == SW_OK)
        rc = sw_x509_extend(certificate, issuer, NID_key_usage, "critical,digitalSignature", err);
    if (rc == SW_OK)
        rc = sw_x509_extend(certificate, issuer, NID_ext_key_usage,
                            request->is_server ? "serverAuth,clientAuth" : "clientAuth", err);
    if (rc == SW_OK)
        rc = sw_x509_extend(certificate, issuer, NID_subject_key_identifier, "hash", err);
    if (rc == SW_OK)
        rc = sw_x509_extend(certificate, issuer, NID_authority_key_identifier, "keyid", err);
    if (rc == SW_OK)
        rc = add_names(certificate, request, err);
    if (rc != SW_OK)
        return rc;
    if (X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) != 1 ||
        X509_sign(certificate, authority->key, EVP_sha256()) == 0)
        return sw_x509_error(err, SW_E_INTERNAL, "sign a certificate");
    return SW_OK;
}

static enum sw_rc check_request(const struct sw_authority *authority,
                                const struct sw_certificate_request *request, struct sw_err *err)
{
    char uri[SW_SPIFFE_MAX];
    struct sw_spiffe spiffe;

    sw_spiffe_print(&request->identity, uri);
    if (sw_spiffe_parse(uri, &spiffe) != SW_OK)
        return sw_err_set(err, SW_E_INVALID, "\"%s\" cannot be an identity", uri);
    if (strcmp(spiffe.cluster, authority->cluster) != 0)
        return sw_err_set(err, SW_E_INVALID, "the authority of %s cannot speak for %s",
                          authority->cluster, spiffe.cluster);
    if (request->lifetime_ns == 0 || request->lifetime_ns > AUTHORITY_YEARS * YEAR_NS)
        return sw_err_set(err, SW_E_INVALID, "a certificate lives from 1 ns to %d years",
                          AUTHORITY_YEARS);
    if (request->hosts_count > SW_CERT_HOSTS_MAX)
        return sw_err_set(err, SW_E_INVALID, "a certificate has at most %d hosts",
                          SW_CERT_HOSTS_MAX);
    return SW_OK;
}

enum sw_rc sw_authority_issue(const struct sw_authority *authority,
                              const struct sw_certificate_request *request, uint64_t now_ns,
                              struct sw_credentials **ret_credentials, struct sw_err *err)
{
    SW_CLEANUP(sw_x509_freep) X509 *certificate = NULL;
    SW_CLEANUP(sw_x509_key_freep) EVP_PKEY *key = NULL;
    struct sw_buffer certificate_pem, key_pem;
    uint64_t begin_ns, end_ns;
    enum sw_rc rc = check_request(authority, request, err);

    if (rc == SW_OK)
        rc = sw_x509_times(authority->certificate, &begin_ns, &end_ns, err);
    if (rc != SW_OK)
        return rc;
    if (now_ns + request->lifetime_ns < end_ns)
        end_ns = now_ns + request->lifetime_ns;
    rc = sw_x509_begin(request->identity.name, now_ns > LEAF_EARLY_NS ? now_ns - LEAF_EARLY_NS : 0,
                       end_ns, &certificate, &key, err);
    if (rc == SW_OK)
        rc = sign_leaf(authority, request, certificate, err);
    sw_buffer_init(&certificate_pem, SW_PEM_MAX);
    sw_buffer_init(&key_pem, SW_PEM_MAX);
    if (rc == SW_OK)
        rc = sw_x509_print(certificate, &certificate_pem, err);
    if (rc == SW_OK)
        rc = sw_x509_key_print(key, &key_pem, err);
    if (rc == SW_OK)
        rc = sw_credentials_parse((struct sw_bytes){certificate_pem.data, certificate_pem.size},
                                  (struct sw_bytes){key_pem.data, key_pem.size}, ret_credentials,
                                  err);
    sw_buffer_done(&certificate_pem);
    sw_buffer_done(&key_pem);
    return rc;
}
