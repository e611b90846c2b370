/* A gateway over a SQLite store behind mutual TLS, with fake agents and modules. */
#pragma once
#include "pkg/apis/swarm/v1/json.h"
#include "pkg/apis/swarm/v1/protobuf.h"
#include "pkg/communication/protocol/client.h"
#include "pkg/communication/protocol/grpc.h"
#include "pkg/security/certs/certs.h"
#include "pkg/store/sqlite/sqlite.h"
#include "web/api/gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define FIXTURE_TIMEOUT_MS 10000u
#define BASE "/apis/swarm/v1"
#define IN_DEFAULT BASE "/namespaces/default"
#define DIGEST "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define AGENT(name)                                                                                \
    "{\"kind\":\"Agent\",\"metadata\":{\"name\":\"" name "\"},\"spec\":{\"module\":\"" DIGEST      \
    "\",\"replicas\":3}}"

struct fixture {
    struct sw_loop *loop;
    struct sw_timer *guard, *later;
    char folder[64];
    struct sw_store *store;
    struct sw_objects *objects;
    struct sw_collector *collector;
    struct sw_authority *authority;
    struct sw_tls_context *server_tls;
    struct sw_tls_context *client_tls[4]; /* admin, nobody, a node, an agent */
    struct sw_http_client *clients[4];
    struct sw_gateway *gateway;
    struct sw_http_server *server;
    char address[64];
    bool is_timed_out;
    bool (*is_done)(struct fixture *f);
    bool is_ready;
    /* The reply to the last call. */
    int replies, status, bootstraps;
    enum sw_rc rc;
    char *body;
    size_t body_size;
    char headers[2048], trailers[4096];
    /* A stream. */
    char events[1u << 20];
    size_t events_size;
    /* What the fake agents were told, and what they shall say. */
    char told[1024];
    struct sw_gateway_reply reply;
    enum sw_rc agents_rc;
    bool is_later; /* Answer from another round. */
    void (*send_done)(void *ctx, enum sw_rc rc, const struct sw_gateway_reply *reply,
                      const struct sw_err *err);
    void *send_ctx;
    struct sw_gateway_logs logs;
    bool has_logs;
    int logs_closed;
    size_t module_size;
};

enum who { ADMIN, NOBODY, NODE, AGENT_ONE };

static inline void on_guard(void *ctx)
{
    struct fixture *f = ctx;

    f->is_timed_out = true;
    sw_loop_stop(f->loop);
}

static inline void on_later(void *ctx)
{
    struct fixture *f = ctx;

    sw_loop_stop(f->loop);
}

static inline void check(struct fixture *f)
{
    if (f->is_done != NULL && f->is_done(f))
        sw_loop_stop(f->loop);
}

static inline void run_until(struct fixture *f, bool (*is_done)(struct fixture *f))
{
    f->is_done = is_done;
    if (!is_done(f)) {
        sw_timer_start(f->guard, FIXTURE_TIMEOUT_MS);
        sw_loop_run(f->loop);
        sw_timer_stop(f->guard);
    }
    f->is_done = NULL;
    if (f->is_timed_out)
        fail_msg("timed out; body %.400s events %.400s", f->body == NULL ? "" : f->body, f->events);
}

static inline void run_for(struct fixture *f, uint64_t ms)
{
    sw_timer_start(f->later, ms);
    sw_loop_run(f->loop);
}

/* ---- Fake agents and modules ---- */

static inline enum sw_rc fake_send(void *ctx, const struct sw_gateway_message *m,
                                   void (*done)(void *done_ctx, enum sw_rc rc,
                                                const struct sw_gateway_reply *reply,
                                                const struct sw_err *err),
                                   void *done_ctx, struct sw_err *err)
{
    struct fixture *f = ctx;

    (void)snprintf(f->told, sizeof f->told, "%s|%s|%s|%.*s|%u|%llu|%s|%d|%s", m->namespace_, m->to,
                   m->content_type, (int)m->body.size, (const char *)m->body.data,
                   (unsigned)m->priority, (unsigned long long)m->timeout_ms, m->request_id,
                   m->want_reply, m->caller);
    if (f->agents_rc != SW_OK)
        return sw_err_set(err, f->agents_rc, "no such instance");
    f->send_done = done;
    f->send_ctx = done_ctx;
    if (!f->is_later)
        done(done_ctx, SW_OK, &f->reply, NULL);
    else
        check(f);
    return SW_OK;
}

static inline enum sw_rc fake_publish(void *ctx, const struct sw_gateway_publication *p,
                                      void (*done)(void *done_ctx, enum sw_rc rc,
                                                   uint64_t subscribers, const struct sw_err *err),
                                      void *done_ctx, struct sw_err *err)
{
    struct fixture *f = ctx;

    (void)err;
    (void)snprintf(f->told, sizeof f->told, "%s|%s|%s|%.*s|%u", p->namespace_, p->subject,
                   p->content_type, (int)p->body.size, (const char *)p->body.data,
                   (unsigned)p->priority);
    done(done_ctx, SW_OK, 7, NULL);
    return SW_OK;
}

static inline enum sw_rc fake_logs(void *ctx, const struct sw_gateway_logs *logs, void **ret_stream,
                                   struct sw_err *err)
{
    struct fixture *f = ctx;
    struct sw_gateway_log_line line = {.utc_ns = 1700000000000000000u,
                                       .instance = "reader/a",
                                       .level = "info",
                                       .text = {"first \"line\"", 12}};

    (void)err;
    f->logs = *logs;
    f->has_logs = logs->is_followed;
    logs->on_line(logs->ctx, &line);
    if (!logs->is_followed)
        logs->on_end(logs->ctx, SW_OK);
    *ret_stream = f;
    return SW_OK;
}

static inline void fake_logs_close(void *ctx, void *stream)
{
    struct fixture *f = ctx;

    assert_ptr_equal(stream, f);
    f->has_logs = false;
    f->logs_closed++;
    check(f);
}

static inline enum sw_rc fake_instances(void *ctx, const struct sw_gateway_instances *query,
                                        sw_gateway_instances_done *done, void *done_ctx,
                                        struct sw_err *err)
{
    struct fixture *f = ctx;
    const struct sw_gateway_instance items[] = {{.name = "reader/a",
                                                 .pod = "reader-0",
                                                 .node = "one",
                                                 .state = "Running",
                                                 .turns = 5,
                                                 .message = ""},
                                                {.name = "reader/b",
                                                 .pod = "reader-0",
                                                 .node = "one",
                                                 .state = "Failed",
                                                 .message = "a trap"}};

    (void)err;
    (void)snprintf(f->told, sizeof f->told, "%s|%s|%s|%u", query->namespace_, query->agent,
                   query->after, query->limit);
    done(done_ctx, SW_OK, items, 2, query->limit == 2, NULL);
    return SW_OK;
}

static inline enum sw_rc
fake_put(void *ctx, const char *namespace_, const char *digest, struct sw_bytes wasm,
         void (*done)(void *done_ctx, enum sw_rc rc, const struct sw_gateway_module *module,
                      const struct sw_err *err),
         void *done_ctx, struct sw_err *err)
{
    struct fixture *f = ctx;
    struct sw_gateway_module module = {
        .digest = digest, .size_bytes = wasm.size, .is_new = f->module_size == 0};

    assert_string_equal(namespace_, "default");
    if (wasm.size < 4)
        return sw_err_set(err, SW_E_INVALID, "not WebAssembly");
    f->module_size = wasm.size;
    done(done_ctx, SW_OK, &module, NULL);
    return SW_OK;
}

static inline bool fake_has(void *ctx, const char *namespace_, const char *digest,
                            struct sw_gateway_module *ret_module)
{
    struct fixture *f = ctx;

    (void)namespace_;
    *ret_module = (struct sw_gateway_module){.digest = digest, .size_bytes = f->module_size};
    return f->module_size > 0;
}

static inline enum sw_rc fake_ready(void *ctx, struct sw_err *err)
{
    struct fixture *f = ctx;

    return f->is_ready ? SW_OK : sw_err_set(err, SW_E_UNAVAILABLE, "the node is starting");
}

/* ---- Set-up ---- */

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
    struct sw_gateway_options options = {.loop = f->loop,
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
                                                    .instances = fake_instances},
                                         .modules = {.ctx = f, .put = fake_put, .has = fake_has},
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

/* ---- Calls ---- */

static inline void note(char *text, size_t size, const struct sw_http_header *headers, size_t count)
{
    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(text);

        (void)snprintf(text + used, size - used, "%.*s: %.*s\n", (int)headers[i].name.size,
                       (const char *)headers[i].name.data, (int)headers[i].value.size,
                       (const char *)headers[i].value.data);
    }
}

static inline void on_headers(void *ctx, struct sw_http_call *call, int status,
                              const struct sw_http_header *headers, size_t count)
{
    struct fixture *f = ctx;

    (void)call;
    f->status = status;
    note(f->headers, sizeof f->headers, headers, count);
    check(f);
}

static inline void on_done(void *ctx, struct sw_http_call *call, enum sw_rc rc, int status,
                           struct sw_bytes body, const struct sw_http_header *trailers,
                           size_t count)
{
    struct fixture *f = ctx;

    (void)call;
    f->replies++;
    f->rc = rc;
    f->status = status;
    free(f->body);
    f->body = calloc(1, body.size + 1);
    if (body.size > 0)
        (void)memcpy(f->body, body.data, body.size);
    f->body_size = body.size;
    note(f->trailers, sizeof f->trailers, trailers, count);
    check(f);
}

static inline void on_stream_data(void *ctx, struct sw_http_call *call, struct sw_bytes bytes)
{
    struct fixture *f = ctx;

    (void)call;
    assert_true(f->events_size + bytes.size < sizeof f->events);
    (void)memcpy(f->events + f->events_size, bytes.data, bytes.size);
    f->events_size += bytes.size;
    f->events[f->events_size] = '\0';
    check(f);
}

static inline bool has_reply(struct fixture *f)
{
    return f->replies > 0;
}

static inline struct sw_http_client *client_of(struct fixture *f, enum who who)
{
    struct sw_http_client_options options = {.loop = f->loop,
                                             .system = sw_system_real(),
                                             .address = f->address,
                                             .tls = f->client_tls[who],
                                             .reply_bytes_max = 64u << 20};

    if (f->clients[who] == NULL)
        assert_int_equal(sw_http_client_new(&options, &f->clients[who], NULL), SW_OK);
    return f->clients[who];
}

struct ask { /* A request with all that can be chosen. */
    enum who who;
    enum sw_http_method method;
    const char *path;
    const char *content_type, *accept, *last_event_id;
    struct sw_bytes body;
    bool is_stream;
};

static inline struct sw_http_call *begin(struct fixture *f, const struct ask *ask)
{
    struct sw_http_header headers[4];
    struct sw_http_call_options options = {
        .method = ask->method,
        .path = ask->path,
        .headers = headers,
        .body = ask->body,
        .handler = {.ctx = f,
                    .on_headers = on_headers,
                    .on_data = ask->is_stream ? on_stream_data : NULL,
                    .on_done = on_done}};
    struct sw_http_call *call = NULL;

    if (ask->content_type != NULL)
        headers[options.headers_count++] =
            (struct sw_http_header)SW_HTTP_HEADER("content-type", ask->content_type);
    if (ask->accept != NULL)
        headers[options.headers_count++] =
            (struct sw_http_header)SW_HTTP_HEADER("accept", ask->accept);
    if (ask->last_event_id != NULL)
        headers[options.headers_count++] =
            (struct sw_http_header)SW_HTTP_HEADER("last-event-id", ask->last_event_id);
    f->replies = 0;
    f->status = 0;
    assert_int_equal(sw_http_client_call(client_of(f, ask->who), &options, &call, NULL), SW_OK);
    return call;
}

static inline int finish(struct fixture *f, const struct ask *ask)
{
    (void)begin(f, ask);
    run_until(f, has_reply);
    if (f->rc != SW_OK)
        fail_msg("%s: %s (%s)", ask->path, sw_rc_name(f->rc),
                 sw_http_client_trouble(client_of(f, ask->who)));
    return f->status;
}

static inline int request(struct fixture *f, enum sw_http_method method, const char *path,
                          const char *json)
{
    struct ask ask = {.method = method, .path = path};

    if (json != NULL) {
        ask.body = sw_bytes_of_text(json);
        ask.content_type = "application/json";
    }
    return finish(f, &ask);
}

static inline int get(struct fixture *f, const char *path)
{
    return request(f, SW_HTTP_GET, path, NULL);
}

static inline bool body_has(struct fixture *f, const char *text)
{
    if (strstr(f->body, text) != NULL)
        return true;
    print_message("not in the body: %s\n%.2000s\n", text, f->body);
    return false;
}

/* A number in the body after a text such as "\"resourceVersion\":\"". */
static inline uint64_t number_after(struct fixture *f, const char *text)
{
    const char *at = strstr(f->body, text);

    assert_non_null(at);
    return strtoull(at + strlen(text), NULL, 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
