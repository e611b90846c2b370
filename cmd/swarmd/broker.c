#include "cmd/swarmd/broker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define TICK_MS 1000u
#define HOST_CONNECTIONS_MAX 128u /* Of what agents ask one host for. */

static void on_tick(void *ctx)
{
    struct broker *broker = ctx;

    sw_ledger_tick(broker->ledger);
    sw_timer_start(broker->tick, TICK_MS);
}

static void on_event(void *ctx, const char *provider, bool is_warning, const char *reason,
                     const char *words)
{
    const struct broker *broker = ctx;

    sw_broker_controller_on_event(broker->controller, provider, is_warning, reason, words);
}

/* Of calls at providers at once: each may need a connection, and others need files, too. */
static unsigned asking_max(const struct sw_settings *settings)
{
    struct rlimit limit = {.rlim_cur = RLIM_INFINITY};
    rlim_t most;

    (void)getrlimit(RLIMIT_NOFILE, &limit);
    most = limit.rlim_cur == RLIM_INFINITY ? UINT32_MAX : limit.rlim_cur / 4 * 3;
    return (unsigned)(settings->models.concurrency < most ? settings->models.concurrency : most);
}

static enum sw_rc models_start(struct broker *broker, const struct sw_settings *settings,
                               struct sw_err *err)
{
    struct sw_models_options options = {.loop = broker->loop,
                                        .system = broker->system,
                                        .outbound = broker->outbound,
                                        .ledger = broker->ledger,
                                        .calls_max = (uint32_t)settings->models.requests_max,
                                        .asking_max = asking_max(settings),
                                        .bytes_max = settings->models.bytes_max,
                                        .ctx = broker,
                                        .on_event = on_event};
    enum sw_rc rc = sw_models_new(&options, &broker->models, err);

    if (rc == SW_OK)
        rc = sw_model_services_new(broker->models, broker->loop, broker->system, broker->services,
                                   &broker->model_services, err);
    broker->front = (struct sw_model_front){broker->models, broker->system, NULL};
    return rc;
}

/* What agents do outside, and whom they ask before. */
static enum sw_rc http_start(struct broker *broker, struct sw_err *err)
{
    const struct sw_outbound_options public = {
        .loop = broker->loop, .host_max = HOST_CONNECTIONS_MAX, .is_public_only = true};
    const struct sw_outbound_options any = {.loop = broker->loop, .host_max = HOST_CONNECTIONS_MAX};
    const struct sw_approvals_options approvals = {
        .loop = broker->loop, .system = broker->system, .objects = broker->objects};
    struct sw_http_calls_options calls = {.loop = broker->loop,
                                          .system = broker->system,
                                          .objects = broker->objects,
                                          .ledger = broker->ledger};
    struct sw_service service;
    enum sw_rc rc = sw_outbound_new(&public, &broker->public, err);

    if (rc == SW_OK)
        rc = sw_approvals_new(&approvals, &broker->approvals, err);
    if (rc == SW_OK)
        rc = sw_outbound_new(&any, &broker->any, err);
    calls.public = broker->public;
    calls.outbound = broker->any;
    calls.approvals = broker->approvals;
    if (rc == SW_OK)
        rc = sw_http_calls_new(&calls, &broker->http_calls, err);
    if (rc != SW_OK)
        return rc;
    service = sw_approvals_service(broker->approvals);
    rc = sw_services_add(broker->services, &service, err);
    service = sw_http_calls_service(broker->http_calls);
    return rc == SW_OK ? sw_services_add(broker->services, &service, err) : rc;
}

static void on_found(void *ctx, const struct sw_guard_found *found)
{
    const struct broker *broker = ctx;

    if (broker->events != NULL)
        sw_events_record(broker->events,
                         &(struct sw_occurrence){.kind = sw_kind_find("Agent"),
                                                 .namespace_name = found->name_space,
                                                 .name = found->agent,
                                                 .instance = found->instance,
                                                 .is_warning = true,
                                                 .reason = "LoopDetected",
                                                 .component = "broker",
                                                 .message = found->words});
}

static enum sw_rc watch_begin(void *ctx, const struct sw_model_client *client,
                              enum sw_wire_protocol protocol, struct sw_bytes body,
                              void **ret_ticket, uint64_t *ret_retry_ms, struct sw_err *err)
{
    const struct broker *broker = ctx;
    const struct sw_guard_asked asked = {.name_space = client->who.name_space,
                                         .agent = client->who.agent,
                                         .instance = client->who.instance,
                                         .protocol = protocol,
                                         .body = body};

    return strcmp(client->who.agent, SW_MODEL_NO_AGENT) == 0 /* People. */
               ? SW_OK
               : sw_guard_ask(broker->guard, &asked, ret_ticket, ret_retry_ms, err);
}

static void watch_end(void *ctx, void *ticket, enum sw_rc rc, struct sw_bytes body)
{
    (void)ctx;
    sw_guard_answered(ticket, rc, body);
}

/* See whether what instances call goes in circles. */
static enum sw_rc guard_start(struct broker *broker, struct sw_err *err)
{
    static const char *const names[] = {"swarm.model.chat",       "swarm.model.responses",
                                        "swarm.model.messages",   "swarm.model.next",
                                        "swarm.model.embeddings", "swarm.http",
                                        "swarm.approve"};
    const struct sw_guard_options options = {.loop = broker->loop,
                                             .system = broker->system,
                                             .objects = broker->objects,
                                             .ctx = broker,
                                             .on_found = on_found};
    enum sw_rc rc = sw_guard_new(&options, &broker->guard, err);

    broker->watch = (struct sw_model_watch){broker, watch_begin, watch_end};
    broker->front.watch = &broker->watch;

    for (size_t i = 0; rc == SW_OK && i < sizeof names / sizeof names[0]; i++)
        rc = sw_guard_wrap(broker->guard, broker->services, names[i], err);
    return rc;
}

enum sw_rc broker_start(struct broker *broker, const struct sw_settings *settings,
                        struct sw_err *err)
{
    char folder[SW_PATH_MAX];
    struct sw_outbound_options outbound = {.loop = broker->loop,
                                           .connections_max = asking_max(settings)};
    struct sw_ledger_options ledger = {.loop = broker->loop,
                                       .system = broker->system,
                                       .folder = folder,
                                       .timeline = broker->timeline};
    enum sw_rc rc = sw_delay_new(broker->loop, broker->system, &broker->delay, err);
    struct sw_service delay;

    (void)snprintf(folder, sizeof folder, "%s/ledger", settings->data_folder);
    broker->services = sw_services_new();
    broker->tick = sw_timer_new(broker->loop, on_tick, broker);
    if (rc == SW_OK && (broker->services == NULL || broker->tick == NULL))
        rc = sw_err_set(err, SW_E_EXHAUSTED, "no memory for the services of agents");
    if (rc != SW_OK)
        return rc;
    delay = sw_delay_service(broker->delay);
    rc = sw_services_add(broker->services, &delay, err);
    if (rc == SW_OK)
        rc = sw_outbound_new(&outbound, &broker->outbound, err);
    if (rc == SW_OK && sw_ledger_new(&ledger, &broker->ledger, err) != SW_OK) {
        (void)sw_err_context(err, "the ledger of what agents spend, %s", folder);
        rc = err->rc;
    }
    if (rc == SW_OK)
        rc = models_start(broker, settings, err);
    if (rc == SW_OK)
        rc = http_start(broker, err);
    if (rc == SW_OK)
        rc = guard_start(broker, err);
    if (rc == SW_OK)
        sw_timer_start(broker->tick, TICK_MS);
    return rc;
}

enum sw_rc broker_controller_start(struct broker *broker, struct sw_objects *objects,
                                   struct sw_events *events, struct sw_err *err)
{
    struct sw_broker_controller_options options = {.loop = broker->loop,
                                                   .system = broker->system,
                                                   .logger = broker->logger,
                                                   .objects = objects,
                                                   .events = events,
                                                   .models = broker->models,
                                                   .ledger = broker->ledger,
                                                   .ring = broker->ring};

    const struct sw_webhooks_controller_options webhooks = {.loop = broker->loop,
                                                            .system = broker->system,
                                                            .logger = broker->logger,
                                                            .objects = objects,
                                                            .events = events,
                                                            .outbound = broker->any,
                                                            .public = broker->public};
    enum sw_rc rc = sw_broker_controller_new(&options, &broker->controller, err);

    broker->events = events;
    return rc == SW_OK ? sw_webhooks_controller_new(&webhooks, &broker->webhooks, err) : rc;
}

void broker_controller_free(struct broker *broker)
{
    sw_webhooks_controller_free(broker->webhooks);
    sw_broker_controller_free(broker->controller);
    broker->webhooks = NULL;
    broker->events = NULL;
    broker->controller = NULL;
}

struct stopping {
    struct broker *broker;
    void (*done)(void *ctx);
    void *ctx;
};

static void on_ledger_stopped(void *ctx, enum sw_rc rc)
{
    struct stopping *stopping = ctx;

    if (rc != SW_OK)
        sw_log(stopping->broker->logger, SW_LOG_ERROR, "broker",
               "what agents spent last could not be made durable");
    stopping->done(stopping->ctx);
    free(stopping);
}

void broker_quiesce(struct broker *broker)
{
    sw_approvals_stop(broker->approvals);
}

void broker_stop(struct broker *broker, void (*done)(void *ctx), void *ctx)
{
    struct stopping *stopping = malloc(sizeof *stopping);

    broker_controller_free(broker);
    sw_models_stop(broker->models); /* What is under way is settled by that. */
    if (stopping == NULL) {
        done(ctx);
        return;
    }
    *stopping = (struct stopping){broker, done, ctx};
    sw_ledger_stop(broker->ledger, on_ledger_stopped, stopping);
}

void broker_free(struct broker *broker)
{
    broker_controller_free(broker);
    sw_guard_free(broker->guard);
    sw_model_services_free(broker->model_services);
    sw_models_free(broker->models);
    sw_http_calls_free(broker->http_calls);
    sw_approvals_free(broker->approvals);
    if (broker->tick != NULL)
        sw_timer_free(broker->tick);
    sw_ledger_free(broker->ledger);
    sw_outbound_free(broker->public);
    sw_outbound_free(broker->any);
    sw_outbound_free(broker->outbound);
    sw_services_free(broker->services);
    sw_delay_free(broker->delay);
}

/* --- The gateway ----------------------------------------------------------------------------- */

static bool has_path(void *ctx, const char *path)
{
    enum sw_wire_protocol protocol;
    bool is_list;

    (void)ctx;
    return sw_model_front_path(path, &is_list, &protocol);
}

void broker_serve(struct broker *broker, struct sw_http_request *request,
                  const struct sw_model_client *client, const char *path)
{
    enum sw_wire_protocol protocol;
    bool is_list;

    if (!sw_model_front_path(path, &is_list, &protocol))
        sw_http_respond_text(request, 404, "text/plain",
                             sw_bytes_of_text("there is no such path of models here\n"));
    else if (is_list)
        sw_model_front_list(&broker->front, request, client->who.name_space);
    else
        sw_model_front_serve(&broker->front, request, client, protocol);
}

static void serve(void *ctx, struct sw_http_request *request,
                  const struct sw_gateway_model_client *client, const char *path)
{
    const struct sw_model_client who = {
        .who = {.name_space = client->namespace_,
                .agent = client->agent == NULL ? SW_MODEL_NO_AGENT : client->agent,
                .instance = {"", 0},
                .depth = 1},
        .priority = SW_MODEL_PRIORITY_NORMAL};

    broker_serve(ctx, request, &who, path);
}

struct sw_gateway_models broker_gateway(struct broker *broker)
{
    return (struct sw_gateway_models){.ctx = broker, .has_path = has_path, .serve = serve};
}
