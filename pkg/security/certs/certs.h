/* The local authority and the short-lived X.509 credentials that it issues (EC P-256).
 *
 * An authority is a self-signed certificate with its key, kept in two PEM files (mode 0600, written
 * through the seam; OpenSSL is never given a path). Credentials are a leaf certificate and its key.
 * Time is handed in; keys and serial numbers come from OpenSSL's own generator.
 * Threads: an object belongs to one thread at a time.  I/O: only what says `system`.
 * Limits: a PEM text is at most SW_PEM_MAX bytes. */
#pragma once
#include "pkg/security/certs/identity.h"
#include "pkg/utils/base/buffer.h"
#include "pkg/utils/system/system.h"

#define SW_PEM_MAX 65536
#define SW_CERT_HOSTS_MAX 16

struct sw_authority;   /* Opaque. */
struct sw_credentials; /* Opaque. */

struct sw_certificate_request {
    struct sw_spiffe identity; /* Its cluster must be the authority's. */
    bool is_server;            /* For serving as well as for calling. */
    const char *const *hosts;  /* DNS names and IP addresses; may be empty. */
    size_t hosts_count;        /* At most SW_CERT_HOSTS_MAX. */
    uint64_t lifetime_ns;      /* Cut at the authority's own end. */
};

/* A new authority for a cluster, in memory only, valid for ten years from now_ns.
 * SW_E_INVALID: cluster is not a label. */
SW_MUST_CHECK enum sw_rc sw_authority_new(const char *cluster, uint64_t now_ns,
                                          struct sw_authority **ret_authority, struct sw_err *err);
void sw_authority_free(struct sw_authority *authority);
SW_DEFINE_CLEANUP(struct sw_authority, sw_authority_free)
/* The authority kept in folder/authority.crt and authority.key; made, saved and made durable when
 * neither file is there.  SW_E_CORRUPT: the files cannot be read or do not belong together.
 * SW_E_PRECONDITION: it is another cluster's, or has expired. */
SW_MUST_CHECK enum sw_rc sw_authority_open(const struct sw_system *system, const char *folder,
                                           const char *cluster, struct sw_authority **ret_authority,
                                           struct sw_err *err);
const char *sw_authority_cluster(const struct sw_authority *authority);
/* Its certificate, for clients to trust; borrowed. */
struct sw_bytes sw_authority_pem(const struct sw_authority *authority);

/* Issue a certificate with a new key. It is valid from one minute before now_ns, for clocks that
 * differ.  SW_E_INVALID: the request is not one that the rules above allow. */
SW_MUST_CHECK enum sw_rc sw_authority_issue(const struct sw_authority *authority,
                                            const struct sw_certificate_request *request,
                                            uint64_t now_ns,
                                            struct sw_credentials **ret_credentials,
                                            struct sw_err *err);
void sw_credentials_free(struct sw_credentials *credentials);
SW_DEFINE_CLEANUP(struct sw_credentials, sw_credentials_free)
/* Credentials from the PEM texts of a certificate and its key.
 * SW_E_CORRUPT: not PEM, or the key is not the certificate's. */
SW_MUST_CHECK enum sw_rc sw_credentials_parse(struct sw_bytes certificate_pem,
                                              struct sw_bytes key_pem,
                                              struct sw_credentials **ret_credentials,
                                              struct sw_err *err);
/* The PEM texts; borrowed. */
struct sw_bytes sw_credentials_certificate_pem(const struct sw_credentials *credentials);
struct sw_bytes sw_credentials_key_pem(const struct sw_credentials *credentials);
/* What the certificate says; borrowed. */
const struct sw_identity *sw_credentials_identity(const struct sw_credentials *credentials);
/* True from two thirds of the lifetime on, and before its begin: time to issue the next one. */
bool sw_credentials_need_renewal(const struct sw_credentials *credentials, uint64_t now_ns);
/* When the above becomes true, UTC. */
uint64_t sw_credentials_renew_at_ns(const struct sw_credentials *credentials);

struct sw_credentials_place { /* The files folder/name.crt and folder/name.key. */
    const char *folder, *name;
};

/* The credentials kept in two files, issued anew and saved when they are not there, need renewal,
 * are damaged, are of another identity or authority, name other hosts, or live longer than the
 * request allows. */
SW_MUST_CHECK enum sw_rc sw_credentials_open(const struct sw_system *system,
                                             const struct sw_authority *authority,
                                             const struct sw_certificate_request *request,
                                             const struct sw_credentials_place *place,
                                             struct sw_credentials **ret_credentials,
                                             struct sw_err *err);
