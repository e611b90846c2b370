#include "pkg/broker/model/model.h"

#include "pkg/broker/model/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS 1000000u
#define POOR_MS 1000u    /* How often those who wait for a budget look again by themselves. */
#define POKED_MAX 256u   /* Of them at once. */
#define BODY_ROOM 65536u /* What a translation may add, beside twice the request. */

/* --- Beginning ------------------------------------------------------------------------------- */

void sw_model_call_free(struct sw_model_call *call)
{
    if (call->is_inside) { /* Its handler is running: it goes afterwards. */
        call->is_cancelled = true;
        return;
    }
    sw_heap_remove(&call->models->due, &call->entry);
    sw_list_remove(&call->node);
    sw_list_remove(&call->poor);
    if (call->share != NULL)
        sw_model_room_leave(&call->models->room, call->share, call->held_bytes);
    sw_wire_relay_free(call->relay);
    sw_wire_request_free(call->request);
    for (uint32_t i = 0; i < call->routes_count; i++) {
        sw_model_spec_put(call->routes[i].spec);
        sw_model_provider_put(call->routes[i].provider);
    }
    free(call->routes);
    sw_buffer_done(&call->body);
    sw_buffer_done(&call->got);
    sw_buffer_done(&call->out);
    sw_model_told_free(call);
    free(call);
}

static enum sw_rc take_routes(struct sw_model_call *call, struct sw_err *err)
{
    struct sw_models *models = call->models;
    struct model_option options[SW_MODEL_PROVIDERS_MAX];
    struct model_ways ways;
    uint64_t now = sw_model_now_ms(models);
    struct sw_map_entry entry;
    size_t cursor = 0, count = 0;
    enum sw_rc rc;

    while (sw_map_next(models->providers, &cursor, &entry)) {
        struct provider *provider = entry.value;

        options[count++] = (struct model_option){.spec = &provider->spec->value,
                                                 .owner = provider,
                                                 .latency_us = provider->latency_us,
                                                 .is_cooling = provider->cooling_until_ms > now};
    }
    rc = sw_model_route(options, count, call->name_space, sw_wire_request_view(call->request),
                        &ways, err);
    if (rc != SW_OK)
        return rc;
    call->routes = calloc(ways.count, sizeof *call->routes);
    if (call->routes == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a call");
    for (size_t i = 0; i < ways.count; i++) {
        const struct model_route *route = &ways.routes[i];
        struct provider *provider = route->option->owner;

        provider->refs++;
        provider->spec->refs++;
        call->routes[call->routes_count++] = (struct call_route){.provider = provider,
                                                                 .spec = provider->spec,
                                                                 .model = route->model,
                                                                 .protocol = route->protocol};
    }
    return SW_OK;
}

static bool copy_name(char to[SW_BUDGET_NAME_MAX + 1], const char *from)
{
    return from != NULL && from[0] != '\0' &&
           (size_t)snprintf(to, SW_BUDGET_NAME_MAX + 1, "%s", from) <= SW_BUDGET_NAME_MAX;
}

static struct sw_model_call *call_new(struct sw_models *models,
                                      const struct sw_model_request *request,
                                      const struct sw_model_handler *handler)
{
    struct sw_model_call *call = calloc(1, sizeof *call);

    if (call == NULL)
        return NULL;
    call->entry.at = SW_HEAP_ABSENT;
    call->models = models;
    call->handler = *handler;
    call->priority = request->priority;
    call->turn = request->who.turn;
    call->depth = request->who.depth;
    sw_list_init(&call->poor);
    sw_list_init(&call->waiter.node);
    sw_buffer_init(&call->body, 2 * SW_WIRE_REQUEST_BYTES_MAX + BODY_ROOM);
    sw_buffer_init(&call->got, SW_WIRE_ANSWER_BYTES_MAX);
    sw_buffer_init(&call->out, 2 * SW_WIRE_EMBEDDINGS_BYTES_MAX);
    sw_list_add(&models->calls, &call->node);
    return call;
}

static enum sw_rc call_name(struct sw_model_call *call, const struct sw_model_request *request,
                            struct sw_err *err)
{
    if (!copy_name(call->name_space, request->who.name_space) ||
        !copy_name(call->agent, request->who.agent) || request->key.size == 0 ||
        request->key.size > SW_MODEL_KEY_MAX ||
        request->who.instance.size > SW_BUDGET_INSTANCE_MAX ||
        request->priority >= SW_MODEL_PRIORITIES)
        return sw_err_set(err, SW_E_INVALID, "whoever calls is named wrongly");
    call->key_size = (uint8_t)request->key.size;
    memcpy(call->key, request->key.data, request->key.size);
    call->instance_size = (uint8_t)request->who.instance.size;
    if (call->instance_size > 0)
        memcpy(call->instance, request->who.instance.data, request->who.instance.size);
    return SW_OK;
}

/* It holds its request as it is read and as it is sent. */
static enum sw_rc call_read(struct sw_model_call *call, const struct sw_model_request *request,
                            struct sw_err *err)
{
    struct model_room *room = &call->models->room;
    uint64_t bytes = sizeof *call + 2 * (uint64_t)request->body.size;
    enum sw_rc rc = sw_model_room_enter(room, call->name_space, bytes, &call->share, err);

    if (rc != SW_OK)
        return rc;
    call->held_bytes = bytes;
    rc = sw_wire_request_read(request->protocol, request->body, &call->request, err);
    if (rc != SW_OK)
        return rc;
    bytes = sw_wire_request_values_bytes(call->request);
    rc = sw_model_room_grow(room, call->share, bytes, false, err);
    if (rc == SW_OK)
        call->held_bytes += bytes;
    return rc;
}

enum sw_rc sw_models_start(struct sw_models *models, const struct sw_model_request *request,
                           const struct sw_model_handler *handler, struct sw_model_call **ret_call,
                           struct sw_err *err)
{
    struct sw_model_call *call;
    enum sw_rc rc;

    if (models->is_stopped)
        return sw_err_set(err, SW_E_UNAVAILABLE, "swarmd stops");
    call = call_new(models, request, handler);
    if (call == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a call");
    rc = call_name(call, request, err);
    if (rc == SW_OK)
        rc = call_read(call, request, err);
    if (rc == SW_OK)
        rc = take_routes(call, err);
    if (rc == SW_OK) {
        sw_wire_request_set_time(call->request,
                                 models->options.system->utc_ns(models->options.system->ctx) /
                                     1000000000u);
        call->deadline_ms = sw_model_now_ms(models) + call->routes[0].spec->value.timeout_ms;
        if (!sw_model_from_cache(call))
            rc = sw_model_attempt(call, err);
    }
    if (rc != SW_OK) {
        sw_model_call_free(call);
        return rc;
    }
    *ret_call = call;
    return SW_OK;
}

/* --- Reserving ------------------------------------------------------------------------------- */

static struct sw_budget_who who_of(const struct sw_model_call *call)
{
    return (struct sw_budget_who){.name_space = call->name_space,
                                  .agent = call->agent,
                                  .instance = {call->instance, call->instance_size},
                                  .turn = call->turn,
                                  .depth = call->depth};
}

static void on_reserved(void *ctx, enum sw_rc rc)
{
    struct sw_model_call *call = ctx;
    struct sw_err err = {0};

    if (rc == SW_OK) {
        sw_model_provider_enter(call);
        return;
    }
    call->reservation = NULL; /* The ledger has let it go. */
    (void)sw_err_set(&err, SW_E_UNAVAILABLE,
                     "what this call may cost cannot be written down, so it is not made");
    sw_err_hint(&err, "an operator looks at the disk of the node and at swarmd's log");
    sw_model_fail_with(call, &err);
}

/* Others may leave room: wait for that. */
static enum sw_rc wait_for_room(struct sw_model_call *call, struct sw_err *err)
{
    uint64_t now = sw_model_now_ms(call->models), at = now + POOR_MS;

    if (now >= call->deadline_ms)
        return err->rc;
    if (at > call->deadline_ms)
        at = call->deadline_ms;
    if (!sw_model_due_at(call, at))
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a call that waits");
    call->state = CALL_BUDGET;
    if (sw_list_is_empty(&call->poor))
        sw_list_add(&call->models->poor, &call->poor);
    return SW_OK;
}

/* A key that no attempt had yet, in this process or before it. */
static enum sw_rc reserve(struct sw_model_call *call, struct sw_ledger_grant *ret_grant,
                          struct sw_ledger_refusal *ret_refusal, struct sw_err *err)
{
    struct sw_ledger *ledger = call->models->options.ledger;
    char key[SW_LEDGER_KEY_MAX];
    enum sw_rc rc;

    for (uint32_t i = 0; i < MODEL_ATTEMPTS_MAX; i++) {
        int size =
            snprintf(key, sizeof key, "%.*s#%u", (int)call->key_size, call->key, ++call->number);
        struct sw_ledger_request request = {.who = who_of(call),
                                            .key = {key, (size_t)size},
                                            .worst = call->worst.amount,
                                            .ready = on_reserved,
                                            .ctx = call};

        rc = sw_ledger_reserve(ledger, &request, ret_grant, ret_refusal, err);
        if (rc != SW_OK)
            call->number--;
        if (rc != SW_OK || ret_grant->state == SW_LEDGER_NEW)
            return rc;
        if (ret_grant->state == SW_LEDGER_OPEN)
            return sw_err_set(err, SW_E_CONFLICT, "the same call is under way already");
    }
    return sw_err_set(err, SW_E_EXHAUSTED, "this call was begun %u times and never ended",
                      MODEL_ATTEMPTS_MAX);
}

/* The provider has said that it answers nobody for longer than calls wait. */
static bool is_held_off(const struct sw_model_call *call, uint64_t *ret_ms)
{
    const struct call_route *route = &call->routes[call->at];
    uint64_t now = sw_model_now_ms(call->models), until = route->provider->held_until_ms;

    *ret_ms = until > now ? until - now : 0;
    return *ret_ms > route->spec->value.backoff_max_ms;
}

enum sw_rc sw_model_attempt(struct sw_model_call *call, struct sw_err *err)
{
    struct sw_ledger_refusal refusal = {0};
    struct sw_ledger_grant grant = {0};
    uint64_t held_ms;
    enum sw_rc rc;

    while (call->at + 1 < call->routes_count && is_held_off(call, &held_ms))
        call->at++;
    if (is_held_off(call, &held_ms)) {
        (void)sw_err_set(err, SW_E_UNAVAILABLE, "provider %s wants to be asked again in %llu s",
                         call->routes[call->at].spec->value.name,
                         (unsigned long long)((held_ms + 999) / 1000));
        call->said_retry_ms = held_ms;
        sw_model_fail_with(call, err);
        return SW_OK;
    }
    sw_model_worst_case(sw_wire_request_view(call->request), call->routes[call->at].model,
                        &call->worst);
    call->worst.amount.wall_ns = call->routes[call->at].spec->value.timeout_ms * NS_PER_MS;
    if (call->models->options.ledger == NULL) {
        sw_model_provider_enter(call);
        return SW_OK;
    }
    rc = reserve(call, &grant, &refusal, err);
    if (rc == SW_E_EXHAUSTED && refusal.wanted > 0 && refusal.may_fit_later)
        return wait_for_room(call, err);
    sw_list_remove(&call->poor);
    if (rc != SW_OK)
        return rc;
    sw_heap_remove(&call->models->due, &call->entry);
    call->reservation = grant.reservation;
    call->state = CALL_RESERVING;
    return SW_OK;
}

void sw_models_serve_poor(void *ctx)
{
    struct sw_models *models = ctx;
    struct sw_err err = {0};

    for (unsigned i = 0; i < POKED_MAX && !sw_list_is_empty(&models->poor); i++) {
        struct sw_model_call *call =
            SW_LIST_ITEM(sw_list_first(&models->poor), struct sw_model_call, poor);
        enum sw_rc rc;

        sw_list_remove(&call->poor);
        rc = sw_model_attempt(call, &err);
        if (rc != SW_OK)
            sw_model_fail_with(call, &err);
        else if (call->state == CALL_BUDGET)
            break; /* Still no room for the first of them: it is behind the others now. */
    }
}

void sw_models_poke(struct sw_models *models)
{
    if (!sw_list_is_empty(&models->poor))
        sw_timer_start(models->poor_timer, 0);
}

void sw_model_settle(struct sw_model_call *call, bool is_unknown, const struct sw_wire_usage *usage)
{
    struct sw_models *models = call->models;
    const struct call_route *route = &call->routes[call->at];
    const struct sw_system *system = models->options.system;
    struct sw_budget_amount cost = {.calls = call->asked_ns > 0 ? 1 : 0};

    if (call->asked_ns > 0)
        cost.wall_ns = system->monotonic_ns(system->ctx) - call->asked_ns;
    if (is_unknown) {
        cost.money_nano = call->worst.amount.money_nano;
        cost.tokens = call->worst.amount.tokens;
    } else if (usage != NULL) {
        cost.money_nano = sw_model_cost_nano(&route->model->price, usage->input_tokens,
                                             usage->cached_tokens, usage->output_tokens);
        cost.tokens = usage->input_tokens + usage->output_tokens;
        route->provider->input_tokens += usage->input_tokens;
        route->provider->output_tokens += usage->output_tokens;
    }
    route->provider->cost_nano += cost.money_nano;
    sw_budget_add(&call->cost, &cost);
    call->asked_ns = 0;
    if (call->reservation == NULL)
        return;
    if (sw_budget_is_zero(&cost))
        (void)sw_ledger_release(models->options.ledger, call->reservation, NULL);
    else
        (void)sw_ledger_settle(models->options.ledger, call->reservation, &cost, NULL);
    call->reservation = NULL;
    sw_models_poke(models);
}

/* --- Going on after a failure ---------------------------------------------------------------- */

/* Before the next try: what the provider said, or twice as long as the last time with some chance
 * in it, so that many do not come back at once. */
static uint64_t rest_ms(const struct sw_model_call *call, const struct call_failure *failure)
{
    const struct sw_model_provider *spec = &call->routes[call->at].spec->value;
    const struct sw_system *system = call->models->options.system;
    unsigned shift = call->tries > 16 ? 16 : call->tries - 1;
    uint64_t most = spec->backoff_ms << shift, chance;

    if (most > spec->backoff_max_ms)
        most = spec->backoff_max_ms;
    system->random(system->ctx, &chance, sizeof chance);
    return failure->retry_ms + (most == 0 ? 0 : most / 2 + chance % (most - most / 2));
}

static bool may_rest(const struct sw_model_call *call, const struct call_failure *failure,
                     uint64_t rest)
{
    const struct sw_model_provider *spec = &call->routes[call->at].spec->value;

    return failure->may_repeat && call->tries <= spec->retries &&
           failure->retry_ms <= spec->backoff_max_ms && call->attempts < MODEL_ATTEMPTS_MAX &&
           sw_model_now_ms(call->models) + rest < call->deadline_ms;
}

void sw_model_attempt_failed(struct sw_model_call *call, const struct call_failure *failure)
{
    uint64_t rest = rest_ms(call, failure);
    struct sw_err err = {0};

    if (!failure->is_clients)
        sw_model_provider_failed(call->routes[call->at].provider, failure);
    if (may_rest(call, failure, rest)) {
        call->routes[call->at].provider->retries++;
        call->state = CALL_RESTING;
        if (sw_model_due_at(call, sw_model_now_ms(call->models) + rest))
            return;
    } else if (failure->may_go_around && call->at + 1 < call->routes_count) {
        call->at++;
        call->tries = 0;
        if (sw_model_attempt(call, &err) == SW_OK)
            return;
    }
    sw_model_fail(call, failure->rc, &failure->error, failure->retry_ms);
}

/* --- Cancelling ------------------------------------------------------------------------------ */

/* Whatever it is about to do it does no more, and what it cost is counted. */
static void call_halt(struct sw_model_call *call)
{
    struct provider *provider = call->routes[call->at].provider;
    bool was_asked = call->state == CALL_ASKING;
    uint64_t thought = sw_model_tokens_thought(call);

    if (call->waiter.flow != NULL)
        sw_model_queue_remove(&provider->queue, &call->waiter);
    if (call->transfer != NULL)
        sw_outbound_cancel(call->transfer);
    call->transfer = NULL;
    if (call->reservation != NULL || was_asked)
        sw_model_settle(call, was_asked, NULL);
    sw_list_remove(&call->poor);
    sw_heap_remove(&call->models->due, &call->entry);
    call->state = CALL_TOLD;
    if (was_asked)
        sw_model_provider_leave(provider, thought, thought);
}

void sw_model_cancel(struct sw_model_call *call)
{
    call_halt(call);
    sw_model_call_free(call);
}

void sw_models_stop(struct sw_models *models)
{
    struct sw_err err = {0};

    models->is_stopped = true;
    (void)sw_err_set(&err, SW_E_UNAVAILABLE, "swarmd stops");
    sw_err_hint(&err, "ask again in a moment");
    SW_LIST_EACH(&models->calls, node)
    {
        struct sw_model_call *call = SW_LIST_ITEM(node, struct sw_model_call, node);

        if (call->state == CALL_TOLD)
            continue;
        call_halt(call);
        sw_model_fail_with(call, &err);
    }
}

void sw_model_pause(struct sw_model_call *call)
{
    call->is_paused = true;
    if (call->transfer != NULL)
        sw_outbound_pause(call->transfer);
}

void sw_model_resume(struct sw_model_call *call)
{
    call->is_paused = false;
    if (call->transfer != NULL)
        sw_outbound_resume(call->transfer);
}
