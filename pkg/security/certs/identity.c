#include "pkg/security/certs/identity.h"

#include "pkg/security/certs/x509.h"
#include "pkg/utils/base/text.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define SCHEME "spiffe://"
#define PARTS_MAX 5

static const char *const kind_names[] = {"user", "node", "agent"};

const char *sw_spiffe_kind_name(enum sw_spiffe_kind kind)
{
    return kind_names[kind];
}

/* Cut text at its slashes into at most PARTS_MAX labels; 0 when one is not a label. */
static size_t split(const char *text, char parts[PARTS_MAX][SW_IDENTITY_NAME_MAX])
{
    for (size_t count = 0; count < PARTS_MAX; count++) {
        size_t size = strcspn(text, "/");

        if (size >= SW_IDENTITY_NAME_MAX)
            return 0;
        (void)memcpy(parts[count], text, size);
        parts[count][size] = '\0';
        if (!sw_text_is_label(parts[count], SW_IDENTITY_NAME_MAX - 1))
            return 0;
        if (text[size] == '\0')
            return count + 1;
        text += size + 1;
    }
    return 0;
}

enum sw_rc sw_spiffe_parse(const char *text, struct sw_spiffe *ret_spiffe)
{
    char parts[PARTS_MAX][SW_IDENTITY_NAME_MAX];
    struct sw_spiffe spiffe = {0};
    size_t count;

    if (strnlen(text, SW_SPIFFE_MAX) == SW_SPIFFE_MAX ||
        strncmp(text, SCHEME, sizeof SCHEME - 1) != 0)
        return SW_E_INVALID;
    count = split(text + sizeof SCHEME - 1, parts);
    if (count == 3 && strcmp(parts[1], "user") == 0)
        spiffe.kind = SW_SPIFFE_USER;
    else if (count == 3 && strcmp(parts[1], "node") == 0)
        spiffe.kind = SW_SPIFFE_NODE;
    else if (count == 5 && strcmp(parts[1], "ns") == 0 && strcmp(parts[3], "agent") == 0)
        spiffe.kind = SW_SPIFFE_AGENT;
    else
        return SW_E_INVALID;
    (void)memcpy(spiffe.cluster, parts[0], sizeof spiffe.cluster);
    (void)memcpy(spiffe.name, parts[count - 1], sizeof spiffe.name);
    if (spiffe.kind == SW_SPIFFE_AGENT)
        (void)memcpy(spiffe.namespace_, parts[2], sizeof spiffe.namespace_);
    *ret_spiffe = spiffe;
    return SW_OK;
}

void sw_spiffe_print(const struct sw_spiffe *spiffe, char ret_text[SW_SPIFFE_MAX])
{
    if (spiffe->kind == SW_SPIFFE_AGENT)
        (void)snprintf(ret_text, SW_SPIFFE_MAX, SCHEME "%s/ns/%s/agent/%s", spiffe->cluster,
                       spiffe->namespace_, spiffe->name);
    else
        (void)snprintf(ret_text, SW_SPIFFE_MAX, SCHEME "%s/%s/%s", spiffe->cluster,
                       sw_spiffe_kind_name(spiffe->kind), spiffe->name);
}

/* Copy the only URI among the alternative names; false when there is none, or another. */
static bool find_uri(const GENERAL_NAMES *names, char ret_uri[SW_SPIFFE_MAX])
{
    int found = 0;

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        const ASN1_STRING *uri;
        size_t size;

        if (name->type != GEN_URI)
            continue;
        uri = name->d.uniformResourceIdentifier;
        size = (size_t)ASN1_STRING_length(uri);
        if (size >= SW_SPIFFE_MAX || memchr(ASN1_STRING_get0_data(uri), '\0', size) != NULL)
            return false;
        (void)memcpy(ret_uri, ASN1_STRING_get0_data(uri), size);
        ret_uri[size] = '\0';
        found++;
    }
    return found == 1;
}

enum sw_rc sw_identity_of(const struct x509_st *certificate, struct sw_identity *ret_identity,
                          struct sw_err *err)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    struct sw_identity identity = {0};
    struct sw_spiffe spiffe;
    uint64_t begin_ns;
    bool is_found = names != NULL && find_uri(names, identity.spiffe);
    enum sw_rc rc;

    GENERAL_NAMES_free(names);
    if (!is_found)
        return sw_err_set(err, SW_E_INVALID, "the certificate does not carry exactly one URI name");
    if (sw_spiffe_parse(identity.spiffe, &spiffe) != SW_OK)
        return sw_err_set(err, SW_E_INVALID, "the certificate's name %s is not one of Swarm's",
                          identity.spiffe);
    (void)X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName,
                                    identity.subject, sizeof identity.subject);
    rc = sw_x509_times(certificate, &begin_ns, &identity.expires_ns, err);
    if (rc == SW_OK)
        *ret_identity = identity;
    return rc;
}
