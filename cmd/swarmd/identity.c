#include "cmd/swarmd/identity.h"

#include "pkg/client/contexts/contexts.h"
#include "pkg/utils/base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RENEWAL_CHECK_MS 60000
#define ADMIN_LIFETIME_NS (90ull * 86400 * 1000000000)
#define CONTEXT_ARENA_MAX ((size_t)1 << 20)
#define HOSTS_OWN_COUNT 3

struct identity {
    struct identity_options options;
    struct sw_arena *arena; /* Names that live as long. */
    struct sw_authority *authority;
    struct sw_credentials *node;
    struct sw_tls_context *tls;
    struct sw_timer *renewal;
    const char *folder;
    const char *hosts[SW_CERT_HOSTS_MAX];
    size_t hosts_count;
};

static uint64_t utc_ns(const struct identity *identity)
{
    const struct sw_system *system = identity->options.system;

    return system->utc_ns(system->ctx);
}

/* The names in the server's certificate: this machine's own, and those of the settings. */
static enum sw_rc hosts_fill(struct identity *identity, struct sw_err *err)
{
    static const char *const own[HOSTS_OWN_COUNT] = {"localhost", "127.0.0.1", "::1"};
    const char *given = identity->options.settings->api.hosts;
    char *copy = sw_arena_copy(identity->arena, given, strlen(given));
    char *rest = NULL;

    if (copy == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the names of this server");
    for (size_t i = 0; i < HOSTS_OWN_COUNT; i++)
        identity->hosts[identity->hosts_count++] = own[i];
    for (char *host = strtok_r(copy, ", ", &rest); host != NULL;
         host = strtok_r(NULL, ", ", &rest)) {
        if (identity->hosts_count == SW_CERT_HOSTS_MAX)
            return sw_err_set(err, SW_E_RANGE, "api.hosts has more than %d names",
                              SW_CERT_HOSTS_MAX - HOSTS_OWN_COUNT);
        identity->hosts[identity->hosts_count++] = host;
    }
    return SW_OK;
}

static enum sw_rc authority_open(struct identity *identity, struct sw_err *err)
{
    const struct sw_system *system = identity->options.system;
    const struct sw_settings *settings = identity->options.settings;
    const char *certificate = sw_arena_print(identity->arena, "%s/authority.crt", identity->folder);
    struct sw_file_view view;
    enum sw_rc rc;

    if (certificate == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a path");
    if (!settings->is_dev && system->path_view(system->ctx, certificate, &view, NULL) != SW_OK) {
        rc = sw_err_set(err, SW_E_PRECONDITION, "this node has no authority (%s)", certificate);
        sw_err_hint(err, "put authority.crt and authority.key there, or start with --dev");
        return rc;
    }
    rc = system->folder_make(system->ctx, identity->folder, err);
    if (rc != SW_OK)
        return rc;
    return sw_authority_open(system, identity->folder, settings->cluster, &identity->authority,
                             err);
}

static enum sw_rc node_open(struct identity *identity, struct sw_err *err)
{
    const struct sw_settings *settings = identity->options.settings;
    struct sw_certificate_request request = {
        .identity = {.kind = SW_SPIFFE_NODE},
        .is_server = true,
        .hosts = identity->hosts,
        .hosts_count = identity->hosts_count,
        .lifetime_ns = settings->certificate_lifetime_ns,
    };
    struct sw_credentials_place place = {.folder = identity->folder, .name = "node"};
    struct sw_credentials *opened;
    enum sw_rc rc;

    (void)snprintf(request.identity.cluster, sizeof request.identity.cluster, "%s",
                   settings->cluster);
    (void)snprintf(request.identity.name, sizeof request.identity.name, "%s", settings->node);
    rc = sw_credentials_open(identity->options.system, identity->authority, &request, &place,
                             &opened, err);
    if (rc != SW_OK)
        return rc;
    sw_credentials_free(identity->node);
    identity->node = opened;
    return SW_OK;
}

/* Certificates end by the wall clock, timers count another one: it stands while a machine sleeps,
 * and takes no notice of a clock that is set. So the wall clock is asked every minute. */
static void renewal_plan(struct identity *identity)
{
    uint64_t now = utc_ns(identity), at = sw_credentials_renew_at_ns(identity->node);
    uint64_t wait_ms = at > now ? (at - now) / 1000000 + 1 : RENEWAL_CHECK_MS;

    sw_timer_start(identity->renewal, wait_ms < RENEWAL_CHECK_MS ? wait_ms : RENEWAL_CHECK_MS);
}

static void on_renewal(void *ctx)
{
    struct identity *identity = ctx;
    struct sw_err err = {0};
    enum sw_rc rc;

    if (!sw_credentials_need_renewal(identity->node, utc_ns(identity))) {
        renewal_plan(identity);
        return;
    }
    rc = node_open(identity, &err);

    if (rc == SW_OK)
        rc = sw_tls_context_renew(identity->tls, sw_credentials_certificate_pem(identity->node),
                                  sw_credentials_key_pem(identity->node), &err);
    if (rc == SW_OK)
        sw_log(identity->options.logger, SW_LOG_INFO, "identity", "renewed the server certificate");
    else
        sw_log(identity->options.logger, SW_LOG_ERROR, "identity",
               "cannot renew the server certificate: %s", err.message);
    renewal_plan(identity);
}

static enum sw_rc tls_make(struct identity *identity, struct sw_err *err)
{
    struct sw_tls_options options = {
        .is_server = true,
        .roots_pem = sw_authority_pem(identity->authority),
        .certificate_pem = sw_credentials_certificate_pem(identity->node),
        .key_pem = sw_credentials_key_pem(identity->node),
    };

    return sw_tls_context_new(&options, &identity->tls, err);
}

enum sw_rc identity_new(const struct identity_options *options, struct identity **ret_identity,
                        struct sw_err *err)
{
    SW_CLEANUP(identity_freep) struct identity *made = calloc(1, sizeof *made);
    enum sw_rc rc;

    if (made == NULL || (made->arena = sw_arena_new(CONTEXT_ARENA_MAX)) == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for an identity");
    made->options = *options;
    made->folder = sw_arena_print(made->arena, "%s/identity", options->settings->data_folder);
    if (made->folder == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a path");
    rc = hosts_fill(made, err);
    if (rc == SW_OK)
        rc = authority_open(made, err);
    if (rc == SW_OK)
        rc = node_open(made, err);
    if (rc == SW_OK)
        rc = tls_make(made, err);
    if (rc != SW_OK)
        return rc;
    made->renewal = sw_timer_new(options->loop, on_renewal, made);
    if (made->renewal == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a timer");
    renewal_plan(made);
    *ret_identity = SW_TAKE(made);
    return SW_OK;
}

void identity_free(struct identity *identity)
{
    if (identity == NULL)
        return;
    if (identity->renewal != NULL)
        sw_timer_free(identity->renewal);
    sw_tls_context_free(identity->tls);
    sw_credentials_free(identity->node);
    sw_authority_free(identity->authority);
    sw_arena_free(identity->arena);
    free(identity);
}

struct sw_tls_context *identity_tls(const struct identity *identity)
{
    return identity->tls;
}

static const char *pem_text(struct sw_arena *arena, struct sw_bytes pem)
{
    return sw_arena_copy(arena, pem.data, pem.size);
}

enum sw_rc identity_write_admin(const struct identity *identity, uint16_t port, struct sw_err *err)
{
    const struct sw_settings *settings = identity->options.settings;
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(CONTEXT_ARENA_MAX);
    SW_CLEANUP(sw_credentials_freep) struct sw_credentials *admin = NULL;
    struct sw_certificate_request request = {.identity = {.kind = SW_SPIFFE_USER, .name = "admin"},
                                             .lifetime_ns = ADMIN_LIFETIME_NS};
    struct sw_context context = {.name = "dev", .namespace = "default"};
    enum sw_rc rc;

    if (arena == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the admin's context");
    (void)snprintf(request.identity.cluster, sizeof request.identity.cluster, "%s",
                   settings->cluster);
    rc = sw_authority_issue(identity->authority, &request, utc_ns(identity), &admin, err);
    if (rc != SW_OK)
        return rc;
    context.server = sw_arena_print(arena, "https://127.0.0.1:%u", (unsigned)port);
    context.authority_pem = pem_text(arena, sw_authority_pem(identity->authority));
    context.certificate_pem = pem_text(arena, sw_credentials_certificate_pem(admin));
    context.key_pem = pem_text(arena, sw_credentials_key_pem(admin));
    if (context.server == NULL || context.authority_pem == NULL ||
        context.certificate_pem == NULL || context.key_pem == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the admin's context");
    return sw_context_save(identity->options.system, settings->admin_folder, &context, err);
}
