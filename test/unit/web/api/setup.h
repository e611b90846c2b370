/* A gateway over a SQLite store behind mutual TLS, set up and torn down. */
#pragma once
#include "test/unit/web/api/fakes.h"

static inline enum sw_rc post(void *ctx, void (*call)(void *argument), void *argument)
{
    return sw_loop_post(ctx, call, argument);
}

static inline void on_fatal(void *ctx, const struct sw_err *err)
{
    (void)ctx;
    fail_msg("the store failed: %s", err->message);
}

static inline void on_bootstrap(void *ctx, const struct sw_object_result *result)
{
    struct fixture *f = ctx;

    assert_int_equal(result->rc, SW_OK);
    f->bootstraps++;
    check(f);
}

static inline bool is_bootstrapped(struct fixture *f)
{
    return f->bootstraps > 0;
}

static inline struct sw_tls_context *make_tls(struct fixture *f, const struct sw_spiffe *identity,
                                              bool is_server)
{
    static const char *const hosts[] = {"127.0.0.1"};
    struct sw_certificate_request request = {.is_server = is_server,
                                             .hosts = hosts,
                                             .hosts_count = is_server ? 1 : 0,
                                             .lifetime_ns = 3600000000000u};
    struct sw_tls_options options = {.is_server = is_server,
                                     .roots_pem = sw_authority_pem(f->authority)};
    struct sw_credentials *credentials = NULL;
    struct sw_tls_context *tls = NULL;
    struct sw_err err = {0};

    if (identity != NULL) {
        request.identity = *identity;
        if (sw_authority_issue(f->authority, &request, sw_system_real()->utc_ns(NULL), &credentials,
                               &err) != SW_OK)
            fail_msg("%s", err.message);
        options.certificate_pem = sw_credentials_certificate_pem(credentials);
        options.key_pem = sw_credentials_key_pem(credentials);
    }
    if (sw_tls_context_new(&options, &tls, &err) != SW_OK)
        fail_msg("%s", err.message);
    sw_credentials_free(credentials);
    return tls;
}

static inline void start_security(struct fixture *f)
{
    const struct sw_spiffe node = {.kind = SW_SPIFFE_NODE, .cluster = "test", .name = "one"};
    const struct sw_spiffe admin = {.kind = SW_SPIFFE_USER, .cluster = "test", .name = "admin"};
    const struct sw_spiffe agent = {
        .kind = SW_SPIFFE_AGENT, .cluster = "test", .namespace_ = "default", .name = "reader"};

    assert_int_equal(sw_authority_new("test", sw_system_real()->utc_ns(NULL), &f->authority, NULL),
                     SW_OK);
    f->server_tls = make_tls(f, &node, true);
    f->client_tls[ADMIN] = make_tls(f, &admin, false);
    f->client_tls[NOBODY] = make_tls(f, NULL, false);
    f->client_tls[NODE] = make_tls(f, &node, false);
    f->client_tls[AGENT_ONE] = make_tls(f, &agent, false);
}

static inline void start_store(struct fixture *f)
{
    char path[128];
    struct sw_sqlite_options options = {.system = sw_system_real(),
                                        .path = path,
                                        .post = {.ctx = f->loop, .post = post},
                                        .on_fatal = on_fatal};
    struct sw_err err = {0};

    (void)snprintf(f->folder, sizeof f->folder, "/tmp/swarm-gateway-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(path, sizeof path, "%s/store.db", f->folder);
    if (sw_sqlite_open(&options, &f->store, &err) != SW_OK)
        fail_msg("%s", err.message);
    f->objects = sw_objects_new(f->store, sw_system_real());
    assert_int_equal(sw_objects_bootstrap(f->objects, on_bootstrap, f, NULL), SW_OK);
    run_until(f, is_bootstrapped);
}

static inline void start_gateway(struct fixture *f)
{
    struct sw_gateway_options options = {
        .loop = f->loop,
        .system = sw_system_real(),
        .objects = f->objects,
        .collector = f->collector,
        .cluster = "test",
        .policy = sw_policy_default(),
        .agents = {.ctx = f,
                   .send = fake_send,
                   .publish = fake_publish,
                   .logs = fake_logs,
                   .logs_close = fake_logs_close,
                   .instances = fake_instances,
                   .usage = fake_usage,
                   .letters = fake_letters,
                   .letters_change = fake_letters_change,
                   .history = fake_history,
                   .history_stop = fake_history_stop,
                   .held = fake_held},
        .modules = {.ctx = f, .put = fake_put, .has = fake_has},
        .backup = {.ctx = f,
                   .begin = fake_backup_begin,
                   .next = fake_backup_next,
                   .end = fake_backup_end},
        .keys = {.ctx = f, .list = fake_keys_list, .rotate = fake_keys_rotate},
        .ready = fake_ready,
        .ready_ctx = f};
    struct sw_http_server_options server = {.loop = f->loop,
                                            .system = sw_system_real(),
                                            .address = "127.0.0.1:0",
                                            .tls = f->server_tls};
    struct sw_err err = {0};

    if (sw_gateway_new(&options, &f->gateway, &err) != SW_OK)
        fail_msg("%s", err.message);
    server.handler = sw_gateway_handler(f->gateway);
    assert_int_equal(sw_http_server_new(&server, &f->server, NULL), SW_OK);
    sw_gateway_set_server(f->gateway, f->server);
    (void)snprintf(f->address, sizeof f->address, "127.0.0.1:%u", sw_http_server_port(f->server));
}

static inline int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_int_equal(sw_loop_new(&f->loop, NULL), SW_OK);
    f->guard = sw_timer_new(f->loop, on_guard, f);
    f->later = sw_timer_new(f->loop, on_later, f);
    f->collector = sw_collector_new();
    f->is_ready = true;
    f->reply = (struct sw_gateway_reply){
        .content_type = "text/plain", .body = {"pong", 4}, .from = "reader/a"};
    start_security(f);
    start_store(f);
    start_gateway(f);
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    char command[128];

    for (int i = 0; i < 4; i++)
        sw_http_client_free(f->clients[i]);
    sw_gateway_set_server(f->gateway, NULL);
    sw_http_server_free(f->server);
    sw_store_free(f->store);
    sw_objects_free(f->objects);
    sw_gateway_free(f->gateway);
    sw_loop_free(f->loop);
    sw_collector_free(f->collector);
    for (int i = 0; i < 4; i++)
        sw_tls_context_free(f->client_tls[i]);
    sw_tls_context_free(f->server_tls);
    sw_authority_free(f->authority);
    free(f->body);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", f->folder);
    assert_int_equal(system(command), 0);
    free(f);
    return 0;
}
