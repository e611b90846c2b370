/* What all tests of the gateway keep, and how they wait. */
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
    struct sw_gateway_history_handler looking; /* Who waits for a look that takes long. */
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
    /* The fake rotation of keys. */
    void (*keys_done)(void *ctx, enum sw_rc rc, struct sw_bytes json, const struct sw_err *err);
    void *keys_ctx;
    /* The fake backup: so many bytes of 'b', and then what the rest says. */
    size_t backup_size, backup_at;
    enum sw_rc backup_rc; /* Of its beginning; */
    enum sw_rc read_rc;   /* of reading after the first half. */
    bool is_backup_slow;  /* Its answers wait until a test gives them. */
    int backups_ended;
    void (*backup_begun)(void *ctx, enum sw_rc rc, const struct sw_gateway_backup_begun *begun,
                         const struct sw_err *err);
    void (*backup_taken)(void *ctx, enum sw_rc rc, struct sw_bytes bytes, bool is_last);
    void *backup_ctx;
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
