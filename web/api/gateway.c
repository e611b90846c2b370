#include "web/api/gateway.h"

#include "web/api/backup_call.h"
#include "web/api/hold.h"
#include "web/api/state.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Figures ---- */

static const char *const server_figures[] = {
    "connections",    "connections_total",       "connections_refused_total", "requests",
    "requests_total", "handshakes_failed_total", "protocol_errors_total",     "timeouts_total",
    "floods_total",   "received_bytes_total",    "sent_bytes_total",          "held_bytes"};
#define SERVER_FIGURES (sizeof server_figures / sizeof server_figures[0])

static void collect(void *ctx)
{
    struct sw_gateway *gateway = ctx;
    struct sw_http_server_view view;

    if (gateway->server == NULL)
        return;
    sw_http_server_view(gateway->server, &view);
    const uint64_t values[SERVER_FIGURES] = {
        view.connections,    view.connections_total, view.connections_refused, view.requests,
        view.requests_total, view.handshakes_failed, view.protocol_errors,     view.timeouts,
        view.floods,         view.bytes_in,          view.bytes_out,           view.held_bytes};

    for (size_t i = 0; i < SERVER_FIGURES; i++) {
        if (strstr(server_figures[i], "_total") != NULL)
            sw_series_raise(gateway->server_series[i], values[i]);
        else
            sw_series_set(gateway->server_series[i], (int64_t)values[i]);
    }
}

static enum sw_rc add_server_figures(struct sw_gateway *gateway, struct sw_err *err)
{
    char name[64];

    for (size_t i = 0; i < SERVER_FIGURES; i++) {
        bool is_total = strstr(server_figures[i], "_total") != NULL;
        struct sw_metric_options options = {.name = name,
                                            .help = "A figure of the API port.",
                                            .type = is_total ? SW_METRIC_COUNTER : SW_METRIC_GAUGE};
        struct sw_metric *metric;
        enum sw_rc rc;

        (void)snprintf(name, sizeof name, "swarm_api_port_%s", server_figures[i]);
        rc = sw_metric_new(gateway->options.collector, &options, &metric, err);
        if (rc != SW_OK)
            return rc;
        gateway->server_series[i] = sw_metric_series(metric, NULL);
    }
    return sw_collector_before_read(gateway->options.collector, collect, gateway);
}

static enum sw_rc add_figures(struct sw_gateway *gateway, struct sw_err *err)
{
    static const char *const codes[] = {"code", NULL};
    static const uint64_t bounds[] = {100000,     300000,     1000000,     3000000,
                                      10000000,   30000000,   100000000,   300000000,
                                      1000000000, 3000000000, 10000000000, 30000000000};
    const struct sw_metric_options requests = {.name = "swarm_api_requests_total",
                                               .help = "Requests answered, by HTTP status.",
                                               .type = SW_METRIC_COUNTER,
                                               .labels = codes};
    const struct sw_metric_options calls = {.name = "swarm_api_grpc_calls_total",
                                            .help = "gRPC calls ended, by their code.",
                                            .type = SW_METRIC_COUNTER,
                                            .labels = codes};
    const struct sw_metric_options seconds = {
        .name = "swarm_api_request_seconds",
        .help = "Time from the headers of a request to its answer, or to the start of a stream.",
        .type = SW_METRIC_HISTOGRAM,
        .divisor = 1000000000,
        .bounds = bounds,
        .bounds_count = sizeof bounds / sizeof bounds[0]};
    struct sw_metric *metric = NULL;
    enum sw_rc rc = sw_metric_new(gateway->options.collector, &requests, &gateway->requests, err);

    if (rc == SW_OK)
        rc = sw_metric_new(gateway->options.collector, &calls, &gateway->requests_grpc, err);
    if (rc == SW_OK)
        rc = sw_metric_new(gateway->options.collector, &seconds, &metric, err);
    if (rc == SW_OK)
        gateway->seconds = sw_metric_series(metric, NULL);
    return rc == SW_OK ? add_server_figures(gateway, err) : rc;
}

/* ---- Life ---- */

enum sw_rc sw_gateway_is_ready(struct sw_gateway *gateway, struct sw_err *err)
{
    const struct sw_gateway_options *options = &gateway->options;

    if (gateway->is_draining)
        return sw_err_set(err, SW_E_UNAVAILABLE, "the daemon stops");
    return options->ready == NULL ? SW_OK : options->ready(options->ready_ctx, err);
}

void sw_gateway_drain(struct sw_gateway *gateway)
{
    struct sw_err err = {0};

    gateway->is_draining = true;
    sw_gateway_hold_tick(gateway); /* What is held is told. */
    sw_grpc_set_health(gateway->grpc, SW_GRPC_NOT_SERVING);
    (void)sw_err_set(&err, SW_E_UNAVAILABLE, "the daemon stops");
    SW_LIST_EACH(&gateway->backups, node)
    sw_gateway_backup_end(SW_LIST_ITEM(node, struct gateway_backup, node));
    while (!sw_list_is_empty(&gateway->streams)) {
        struct gateway_stream *stream =
            SW_LIST_ITEM(gateway->streams.next, struct gateway_stream, node);

        if (stream->is_of_logs)
            sw_gateway_logs_end(stream);
        else
            sw_gateway_watch_end(stream, SW_E_UNAVAILABLE, &err);
    }
}

static void on_tick(void *ctx)
{
    struct sw_gateway *gateway = ctx;
    struct sw_err err = {0};
    bool is_ready = sw_gateway_is_ready(gateway, &err) == SW_OK;

    sw_grpc_set_health(gateway->grpc, is_ready ? SW_GRPC_SERVING : SW_GRPC_NOT_SERVING);
    sw_gateway_tick_streams(gateway);
    sw_timer_start(gateway->timer, GATEWAY_TICK_MS);
}

enum sw_rc sw_gateway_new(const struct sw_gateway_options *options, struct sw_gateway **ret_gateway,
                          struct sw_err *err)
{
    SW_CLEANUP(sw_gateway_freep) struct sw_gateway *gateway = calloc(1, sizeof *gateway);
    enum sw_rc rc;

    if (gateway == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the gateway");
    gateway->options = *options;
    sw_list_init(&gateway->streams);
    sw_list_init(&gateway->backups);
    sw_list_init(&gateway->held);
    gateway->timer = sw_timer_new(options->loop, on_tick, gateway);
    gateway->held_timer = sw_timer_new(options->loop, sw_gateway_hold_tick, gateway);
    if (gateway->timer == NULL || gateway->held_timer == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the gateway");
    rc = sw_gateway_new_grpc(gateway, err);
    if (rc == SW_OK)
        rc = add_figures(gateway, err);
    if (rc != SW_OK)
        return rc;
    sw_timer_start(gateway->timer, 0);
    *ret_gateway = SW_TAKE(gateway);
    return SW_OK;
}

void sw_gateway_free(struct sw_gateway *gateway)
{
    if (gateway == NULL)
        return;
    assert(sw_list_is_empty(&gateway->streams)); /* The HTTP server has been freed first. */
    assert(sw_list_is_empty(&gateway->backups));
    sw_timer_free(gateway->timer);
    sw_timer_free(gateway->held_timer);
    sw_grpc_free(gateway->grpc);
    free(gateway);
}

void sw_gateway_set_server(struct sw_gateway *gateway, const struct sw_http_server *server)
{
    gateway->server = server;
}

/* ---- Requests ---- */

enum sw_rc sw_gateway_identify(struct sw_gateway *gateway, const struct sw_http_request *request,
                               struct sw_principal *ret_principal, struct sw_err *err)
{
    const struct sw_system *system = gateway->options.system;
    const struct sw_identity *identity = request->peer->is_known ? &request->peer->identity : NULL;

    return sw_authenticate(gateway->options.cluster, identity, system->utc_ns(system->ctx),
                           ret_principal, err);
}

static const char *kind_name(const struct gateway_route *route)
{
    switch (route->target) {
    case TARGET_COLLECTION:
    case TARGET_OBJECT:
    case TARGET_STATUS:
        return route->kind->name;
    case TARGET_SEND:
    case TARGET_PUBLISH:
    case TARGET_LOGS:
    case TARGET_INSTANCES:
    case TARGET_LETTERS:
    case TARGET_USAGE:
    case TARGET_HISTORY:
    case TARGET_HELD:
        return "Agent";
    case TARGET_MODULE:
        return "Module";
    case TARGET_MODELS:
        return "Model";
    case TARGET_METRICS:
        return "Metrics";
    case TARGET_BACKUP:
        return "Backup";
    case TARGET_KEYS:
        return "Keys";
    case TARGET_OPENAPI:
        return "Openapi";
    case TARGET_HEALTH:
    case TARGET_READY:
        break;
    }
    return "Health";
}

static bool is_stranger(const struct gateway_call *call)
{
    return call->principal.kind == SW_PRINCIPAL_ANYBODY;
}

/* What path and method ask for, and whether the caller may. False: the call has been ended. */
static bool admit(struct gateway_call *call)
{
    const char *watch, *allow = NULL;
    struct sw_url_path path;
    struct sw_err err = {0};
    bool is_watch;
    enum sw_rc rc = sw_url_split_path(call->request->path, call->request->arena, &path, &err);

    if (rc == SW_OK)
        rc = sw_url_split_query(call->request->query, call->request->arena, &call->query, &err);
    if (rc == SW_OK)
        rc = sw_gateway_route(&path, &call->route, &err);
    /* A stranger learns nothing about what is there and what is not. */
    if (rc != SW_OK && is_stranger(call))
        rc = sw_gateway_authorize(call, SW_VERB_GET, "Openapi", "", "", &err);
    if (rc != SW_OK) {
        sw_gateway_fail(call, rc, &err);
        return false;
    }
    watch = sw_gateway_query_text(call, "watch"); /* What else it may say is refused later. */
    is_watch = watch != NULL && (strcmp(watch, "1") == 0 || strcmp(watch, "true") == 0);
    if (!sw_gateway_route_verb(&call->route, call->request->method, is_watch, &call->verb,
                               &allow)) {
        rc = sw_gateway_authorize(call, SW_VERB_GET, kind_name(&call->route),
                                  call->route.namespace_, call->route.name, &err);
        if (rc == SW_OK || rc == SW_E_DENIED) {
            (void)sw_err_set(&err, SW_E_UNSUPPORTED, "allowed here: %s", allow);
            sw_gateway_fail_as(call, 405, SW_E_UNSUPPORTED, &err, allow);
        } else {
            sw_gateway_fail(call, rc, &err);
        }
        return false;
    }
    /* An apply that creates is looked at again when the body is there. */
    if (call->request->method != SW_HTTP_PATCH || is_stranger(call))
        rc = sw_gateway_authorize(call, call->verb, kind_name(&call->route), call->route.namespace_,
                                  call->route.name, &err);
    if (rc != SW_OK)
        sw_gateway_fail(call, rc, &err);
    return rc == SW_OK;
}

static bool has_object_body(const struct gateway_call *call)
{
    return (call->route.target == TARGET_COLLECTION || call->route.target == TARGET_OBJECT ||
            call->route.target == TARGET_STATUS) &&
           (call->verb == SW_VERB_CREATE || call->verb == SW_VERB_UPDATE ||
            call->verb == SW_VERB_UPDATE_STATUS);
}

/* Parameters and media types. False: the call has been ended. */
static bool check_form(struct gateway_call *call)
{
    struct sw_err err = {0};
    enum sw_rc rc = sw_gateway_check_query(call, &err);
    const char *watch = sw_gateway_query_text(call, "watch");
    bool unused;

    if (rc == SW_OK && watch != NULL)
        rc = sw_gateway_query_bool(call, "watch", &unused, &err);
    if (rc != SW_OK) {
        sw_gateway_fail(call, rc, &err);
        return false;
    }
    if (call->route.kind != NULL && call->route.target <= TARGET_STATUS &&
        sw_gateway_read_accept(call, &err) != SW_OK) {
        sw_gateway_fail_as(call, 406, SW_E_UNSUPPORTED, &err, NULL);
        return false;
    }
    if (has_object_body(call)) {
        enum gateway_media media = sw_gateway_body_media(call->request);

        if (media == MEDIA_OTHER ||
            (media == MEDIA_APPLY && call->request->method != SW_HTTP_PATCH)) {
            (void)sw_err_set(&err, SW_E_UNSUPPORTED,
                             "expected application/json or application/x-protobuf");
            sw_err_field(&err, "Content-Type");
            sw_gateway_fail_as(call, 415, SW_E_UNSUPPORTED, &err, NULL);
            return false;
        }
    }
    return true;
}

static void begin_grpc(struct gateway_call *call)
{
    struct sw_err err = {0};

    if (is_stranger(call) && !sw_grpc_is_open(call->request)) {
        (void)sw_err_set(&err, SW_E_UNAUTHENTICATED,
                         "a client certificate of this cluster is needed");
        sw_grpc_refuse(call->request, SW_E_UNAUTHENTICATED, &err);
        return;
    }
    sw_grpc_begin(call->gateway->grpc, call->request);
}

static void begin(void *ctx, struct sw_http_request *request)
{
    struct sw_gateway *gateway = ctx;
    const struct sw_system *system = gateway->options.system;
    struct gateway_call *call = sw_arena_get(request->arena, sizeof *call);
    struct sw_err err = {0};
    enum sw_rc rc;

    if (call == NULL) {
        sw_http_respond_text(request, 503, "text/plain", sw_bytes_of_text("no memory\n"));
        return;
    }
    request->user = call;
    call->gateway = gateway;
    call->request = request;
    call->begun_ns = system->monotonic_ns(system->ctx);
    call->problems = sw_problems_of(request->arena);
    rc = sw_gateway_identify(gateway, request, &call->principal, &err);
    if (sw_grpc_is_call(request)) {
        if (rc == SW_OK)
            begin_grpc(call);
        else
            sw_grpc_refuse(request, rc, &err);
        return;
    }
    if (rc != SW_OK) {
        sw_gateway_fail(call, rc, &err);
        return;
    }
    if (!admit(call) || !check_form(call))
        return;
    if (call->route.target == TARGET_MODULE)
        sw_http_set_body_max(request, SW_GATEWAY_MODULE_BYTES_MAX);
    else if (call->route.target == TARGET_SEND || call->route.target == TARGET_PUBLISH)
        sw_http_set_body_max(request, SW_GATEWAY_MESSAGE_BYTES_MAX);
}

static void handle(void *ctx, struct sw_http_request *request)
{
    struct sw_gateway *gateway = ctx;
    struct gateway_call *call = request->user;

    if (sw_grpc_is_call(request)) {
        sw_grpc_handle(gateway->grpc, request);
        return;
    }
    switch (call->route.target) {
    case TARGET_COLLECTION:
    case TARGET_OBJECT:
    case TARGET_STATUS:
        sw_gateway_serve_objects(call);
        break;
    case TARGET_SEND:
        sw_gateway_serve_send(call);
        break;
    case TARGET_PUBLISH:
        sw_gateway_serve_publish(call);
        break;
    case TARGET_LOGS:
        sw_gateway_serve_logs(call);
        break;
    case TARGET_INSTANCES:
        sw_gateway_serve_instances(call);
        break;
    case TARGET_USAGE:
        sw_gateway_serve_usage(call);
        break;
    case TARGET_LETTERS:
        sw_gateway_serve_letters(call);
        break;
    case TARGET_HISTORY:
        sw_gateway_serve_history(call);
        break;
    case TARGET_HELD:
        sw_gateway_serve_held(call);
        break;
    case TARGET_MODULE:
        sw_gateway_serve_module(call);
        break;
    case TARGET_BACKUP:
        sw_gateway_serve_backup(call);
        break;
    case TARGET_KEYS:
        sw_gateway_serve_keys(call);
        break;
    case TARGET_MODELS:
        sw_gateway_serve_models(call);
        break;
    case TARGET_HEALTH:
    case TARGET_READY:
    case TARGET_METRICS:
    case TARGET_OPENAPI:
        sw_gateway_serve_page(call);
        break;
    }
}

struct sw_http_handler sw_gateway_handler(struct sw_gateway *gateway)
{
    return (struct sw_http_handler){.ctx = gateway, .begin = begin, .handle = handle};
}
