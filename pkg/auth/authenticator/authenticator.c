#include "pkg/auth/authenticator/authenticator.h"

#include <string.h>

static const char *const kind_names[SW_PRINCIPAL_KINDS_COUNT] = {"anybody", "user", "node",
                                                                 "agent"};

/* The rows follow enum sw_spiffe_kind. */
static const enum sw_principal_kind kinds[] = {
    [SW_SPIFFE_USER] = SW_PRINCIPAL_USER,
    [SW_SPIFFE_NODE] = SW_PRINCIPAL_NODE,
    [SW_SPIFFE_AGENT] = SW_PRINCIPAL_AGENT,
};

const char *sw_principal_kind_name(enum sw_principal_kind kind)
{
    return kind_names[kind];
}

enum sw_rc sw_authenticate(const char *cluster, const struct sw_identity *identity, uint64_t now_ns,
                           struct sw_principal *ret_principal, struct sw_err *err)
{
    struct sw_principal principal = {.kind = SW_PRINCIPAL_ANYBODY};
    struct sw_spiffe spiffe;

    if (identity == NULL) {
        *ret_principal = principal;
        return SW_OK;
    }
    if (sw_spiffe_parse(identity->spiffe, &spiffe) != SW_OK)
        return sw_err_set(err, SW_E_UNAUTHENTICATED, "\"%s\" is not an identity of Swarm",
                          identity->spiffe);
    if (strcmp(spiffe.cluster, cluster) != 0)
        return sw_err_set(err, SW_E_UNAUTHENTICATED, "%s is an identity of another cluster than %s",
                          identity->spiffe, cluster);
    if (now_ns >= identity->expires_ns) {
        (void)sw_err_set(err, SW_E_UNAUTHENTICATED, "the certificate of %s has expired",
                         identity->spiffe);
        sw_err_hint(err, "connect again with a renewed certificate");
        return SW_E_UNAUTHENTICATED;
    }
    principal.kind = kinds[spiffe.kind];
    (void)memcpy(principal.namespace_, spiffe.namespace_, sizeof principal.namespace_);
    (void)memcpy(principal.name, spiffe.name, sizeof principal.name);
    (void)memcpy(principal.spiffe, identity->spiffe, sizeof principal.spiffe);
    *ret_principal = principal;
    return SW_OK;
}
