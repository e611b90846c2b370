/* Who this daemon is, and, with --dev, who its admin is: authority, server certificate, context.
 *
 * Files, all 0600 in folders of 0700:
 *   DATA/identity/authority.crt, .key   signs every certificate of the cluster
 *   DATA/identity/node.crt, .key        ours; renewed at two thirds of its life
 *   ADMIN/contexts/dev.yaml             the admin's, for `swarm`; only with --dev
 * Threads: the loop's.  I/O: files through the seam. */
#pragma once
#include "pkg/config/validator/settings.h"
#include "pkg/security/certs/certs.h"
#include "pkg/security/tls/tls.h"
#include "pkg/utils/logger/logger.h"
#include "pkg/utils/loop/loop.h"

struct identity; /* Opaque. */

struct identity_options { /* All borrowed. */
    const struct sw_system *system;
    const struct sw_settings *settings;
    const struct sw_logger *logger;
    struct sw_loop *loop;
};

/* Open the authority (made with --dev), issue what is missing, make the TLS context, and keep the
 * certificate fresh.
 * SW_E_PRECONDITION: no authority and no --dev; the hint says what to do. */
SW_MUST_CHECK enum sw_rc identity_new(const struct identity_options *options,
                                      struct identity **ret_identity, struct sw_err *err);
void identity_free(struct identity *identity);
SW_DEFINE_CLEANUP(struct identity, identity_free)
struct sw_tls_context *identity_tls(const struct identity *identity);

/* With --dev: write the admin's context for the server at this port (host 127.0.0.1), and make it
 * the current one if there is none. The admin's certificate is issued anew at each start. */
SW_MUST_CHECK enum sw_rc identity_write_admin(const struct identity *identity, uint16_t port,
                                              struct sw_err *err);
