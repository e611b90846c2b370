#include "pkg/broker/model/state.h"

#include "pkg/utils/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONNECT_TIMEOUT_MS 10000u
#define RETRY_MS_MAX 86400000u /* A day: more is not believed. */
#define NS_PER_US 1000u

/* --- What the client is told ----------------------------------------------------------------- */

/* Its handler has run. False: it cancelled the call, which is gone. */
static bool came_out(struct sw_model_call *call)
{
    call->is_inside = false;
    if (!call->is_cancelled)
        return true;
    sw_model_call_free(call);
    return false;
}

static bool tell_head(struct sw_model_call *call, const struct sw_model_head *head)
{
    call->is_headed = true;
    call->is_inside = true;
    call->handler.on_head(call->handler.ctx, call, head);
    return came_out(call);
}

bool sw_model_tell_head(struct sw_model_call *call, bool is_stream, bool is_cached)
{
    const struct call_route *route = &call->routes[call->at];

    return call->is_headed ||
           tell_head(call, &(struct sw_model_head){.status = 200,
                                                   .is_stream = is_stream,
                                                   .is_cached = is_cached,
                                                   .provider = route->spec->value.name,
                                                   .model = route->model->name});
}

bool sw_model_tell_bytes(struct sw_model_call *call, struct sw_bytes bytes)
{
    if (bytes.size == 0)
        return true;
    call->is_inside = true;
    call->handler.on_bytes(call->handler.ctx, call, bytes);
    return came_out(call);
}

void sw_model_tell_end(struct sw_model_call *call, enum sw_rc rc, const struct sw_err *err)
{
    struct sw_model_end end = {
        .rc = rc, .err = err, .usage = call->usage, .cost = call->cost, .attempts = call->attempts};

    call->is_inside = true;
    call->handler.on_end(call->handler.ctx, call, &end);
    call->is_inside = false;
    sw_model_call_free(call);
}

/* --- At the end of the round ----------------------------------------------------------------- */

static void tell_failure(struct sw_model_call *call)
{
    const struct call_failure *failure = &call->told->failure;
    const struct sw_model_provider *spec =
        call->routes_count == 0 ? NULL : &call->routes[call->at].spec->value;
    bool is_relayed = call->is_headed && call->relay != NULL;

    sw_buffer_reset(&call->out);
    if (is_relayed)
        sw_wire_relay_fail(call->relay, &failure->error, &call->out);
    else if (!call->is_headed)
        sw_wire_error_write(sw_wire_request_view(call->request)->protocol, &failure->error,
                            &call->out);
    if (!call->is_headed &&
        !tell_head(call, &(struct sw_model_head){.status = failure->error.status,
                                                 .provider = spec == NULL ? "" : spec->name,
                                                 .model = "",
                                                 .retry_ms = failure->retry_ms}))
        return;
    if (!sw_model_tell_bytes(call, (struct sw_bytes){call->out.data, call->out.size}))
        return;
    sw_model_tell_end(call, failure->rc, &call->told->err);
}

static void tell_cached(struct sw_model_call *call)
{
    bool is_stream = sw_wire_request_view(call->request)->is_stream;

    if (sw_model_tell_head(call, is_stream, true) &&
        sw_model_tell_bytes(call, (struct sw_bytes){call->out.data, call->out.size}))
        sw_model_tell_end(call, SW_OK, NULL);
}

void sw_models_tell(void *ctx)
{
    struct sw_models *models = ctx;
    struct sw_list *first;

    while ((first = sw_list_first(&models->telling)) != NULL) {
        struct sw_model_call *call = SW_LIST_ITEM(first, struct sw_model_call, poor);

        sw_list_remove(first);
        if (call->told == NULL)
            tell_cached(call);
        else
            tell_failure(call);
    }
}

static void tell_later(struct sw_model_call *call)
{
    struct sw_models *models = call->models;

    call->state = CALL_TOLD;
    sw_heap_remove(&models->due, &call->entry);
    sw_list_remove(&call->poor);
    sw_list_add(&models->telling, &call->poor);
    sw_timer_start(models->tell_timer, 0);
}

/* Instead of a failure for which there was no memory. */
static struct call_told no_memory = {
    .failure = {.rc = SW_E_EXHAUSTED, .error = {.status = 503, .message = "no memory for a call"}},
    .err = {.rc = SW_E_EXHAUSTED, .message = "no memory for a call"}};

void sw_model_told_free(struct sw_model_call *call)
{
    if (call->told != &no_memory)
        free(call->told);
    call->told = NULL;
}

static void fail(struct sw_model_call *call, const struct call_failure *failure,
                 const struct sw_err *err)
{
    sw_model_told_free(call);
    call->told = malloc(sizeof *call->told);
    if (call->told == NULL)
        call->told = &no_memory;
    else
        *call->told = (struct call_told){*failure, *err};
    tell_later(call);
}

void sw_model_fail(struct sw_model_call *call, enum sw_rc rc, const struct sw_wire_error *error,
                   uint64_t retry_ms)
{
    struct call_failure failure = {.rc = rc, .retry_ms = retry_ms, .error = *error};
    struct sw_err err = {0};

    (void)sw_err_set(&err, rc, "%s", error->message);
    fail(call, &failure, &err);
}

void sw_model_fail_with(struct sw_model_call *call, const struct sw_err *err)
{
    struct call_failure failure = {.rc = err->rc, .retry_ms = call->said_retry_ms};

    sw_wire_error_of(err, &failure.error);
    fail(call, &failure, err);
}

bool sw_model_from_cache(struct sw_model_call *call)
{
    struct sw_models *models = call->models;
    const struct call_route *route = &call->routes[0];
    const struct sw_model_provider *spec = &route->spec->value;
    uint64_t now = sw_model_now_ms(models);
    struct sw_bytes cached;
    bool is_stream = sw_wire_request_view(call->request)->is_stream;

    if (spec->cache_ttl_ms == 0 ||
        sw_model_cache_name(call->request, call->name_space, spec->name, route->model->upstream,
                            call->cache_name) != SW_OK)
        return false;
    call->has_cache_name = true;
    if (route->provider->cache == NULL ||
        !sw_model_cache_find(route->provider->cache, call->cache_name,
                             now > spec->cache_ttl_ms ? now - spec->cache_ttl_ms : 0, &cached))
        return false;
    if (is_stream && sw_wire_answer_stream(call->request, cached, &call->out, NULL) != SW_OK) {
        sw_buffer_reset(&call->out);
        return false;
    }
    if (!is_stream)
        sw_buffer_put(&call->out, cached.data, cached.size);
    if (sw_buffer_check(&call->out) != SW_OK)
        return false;
    route->provider->cached++;
    tell_later(call);
    return true;
}

static void keep(struct sw_model_call *call, struct sw_bytes body)
{
    struct provider *provider = call->routes[call->at].provider;
    const struct sw_model_provider *spec = &call->routes[call->at].spec->value;
    struct sw_models *models = call->models;
    uint64_t seed;

    if (!call->has_cache_name || call->at != 0)
        return;
    if (provider->cache == NULL) {
        models->options.system->random(models->options.system->ctx, &seed, sizeof seed);
        provider->cache = sw_model_cache_new(seed, spec->cache_bytes);
    }
    if (provider->cache != NULL)
        sw_model_cache_put(provider->cache, call->cache_name, sw_model_now_ms(models), body);
}

/* --- Asking ---------------------------------------------------------------------------------- */

static const char *path_of(enum sw_wire_protocol protocol)
{
    switch (protocol) {
    case SW_WIRE_CHAT:
        return "/chat/completions";
    case SW_WIRE_RESPONSES:
        return "/responses";
    case SW_WIRE_EMBEDDINGS:
        return "/embeddings";
    case SW_WIRE_MESSAGES:
    default:
        return "/messages";
    }
}

#define KEY_HEADER_MAX 8192u

static enum sw_rc send_request(struct sw_model_call *call, struct sw_err *err)
{
    const struct call_route *route = &call->routes[call->at];
    const struct sw_model_provider *spec = &route->spec->value;
    struct sw_outbound_handler handler = sw_model_outbound_handler(call);
    uint64_t now = sw_model_now_ms(call->models);
    bool is_messages = route->protocol == SW_WIRE_MESSAGES;
    char url[MODEL_URL_MAX], key[KEY_HEADER_MAX];
    int key_size = snprintf(key, sizeof key, "%s%.*s", is_messages ? "" : "Bearer ",
                            (int)spec->key.size, (const char *)spec->key.data);
    struct sw_outbound_header headers[4] = {
        {"Content-Type", {"application/json", 16}},
        {"User-Agent", {"swarm", 5}},
    };
    struct sw_outbound_request request = {.method = "POST",
                                          .url = url,
                                          .headers = headers,
                                          .headers_count = 2,
                                          .body = {call->body.data, call->body.size},
                                          .timeout_ms =
                                              call->deadline_ms > now ? call->deadline_ms - now : 1,
                                          .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                                          .silence_ms = spec->silence_ms};
    enum sw_rc rc;

    if (is_messages)
        headers[request.headers_count++] =
            (struct sw_outbound_header){"anthropic-version", {"2023-06-01", 10}};
    if (spec->key.size > 0)
        headers[request.headers_count++] = (struct sw_outbound_header){
            is_messages ? "x-api-key" : "Authorization", {key, (size_t)key_size}};
    if (key_size < 0 || (size_t)key_size >= sizeof key ||
        (size_t)snprintf(url, sizeof url, "%s%s", spec->base_url, path_of(route->protocol)) >=
            sizeof url)
        rc = sw_err_set(err, SW_E_INVALID, "the key or address of provider %s is too long",
                        spec->name);
    else
        rc = sw_outbound_start(call->models->options.outbound, &request, &handler, &call->transfer,
                               err);
    explicit_bzero(key, sizeof key);
    return rc;
}

/* What was gathered of another attempt, and its room. */
static void forget_answer(struct sw_model_call *call)
{
    sw_buffer_done(&call->got);
    if (call->answer_bytes > 0)
        sw_model_room_shrink(&call->models->room, call->share, call->answer_bytes);
    call->held_bytes -= call->answer_bytes;
    call->answer_bytes = 0;
}

void sw_model_ask(struct sw_model_call *call)
{
    const struct call_route *route = &call->routes[call->at];
    const struct sw_system *system = call->models->options.system;
    struct sw_wire_target target = {.protocol = route->protocol,
                                    .model = route->model->upstream,
                                    .max_output_tokens = call->worst.output_stated,
                                    .uses_max_tokens = route->spec->value.uses_max_tokens};
    struct call_failure failure = {.may_go_around = true};
    struct sw_err err = {0};

    sw_heap_remove(&call->models->due, &call->entry);
    call->state = CALL_ASKING;
    call->tries++;
    call->attempts++;
    call->status = 0;
    sw_wire_relay_free(call->relay);
    call->relay = NULL;
    sw_buffer_reset(&call->body);
    forget_answer(call);
    sw_buffer_init(&call->got, sw_wire_request_view(call->request)->protocol == SW_WIRE_EMBEDDINGS
                                   ? SW_WIRE_EMBEDDINGS_BYTES_MAX
                                   : SW_WIRE_ANSWER_BYTES_MAX);
    route->provider->requests++;
    failure.rc = sw_wire_request_write(call->request, &target, &call->body, &err);
    failure.is_clients = failure.rc != SW_OK;
    if (failure.rc == SW_OK && route->spec->value.lacks_key)
        failure.rc =
            sw_err_set(&err, SW_E_UNAVAILABLE, "provider %s has no key: its Secret is amiss",
                       route->spec->value.name);
    if (failure.rc == SW_OK)
        failure.rc = send_request(call, &err);
    if (failure.rc == SW_OK) {
        call->asked_ns = system->monotonic_ns(system->ctx);
        if (call->is_paused)
            sw_outbound_pause(call->transfer);
        return;
    }
    sw_wire_error_of(&err, &failure.error);
    if (!failure.is_clients)
        failure.error.status = 502;
    sw_model_settle(call, false, NULL);
    sw_model_provider_leave(route->provider, sw_model_tokens_thought(call), 0);
    sw_model_attempt_failed(call, &failure);
}

/* --- What comes ------------------------------------------------------------------------------ */

/* Retry-After in seconds, or a date (RFC 9110), or the finer form of OpenAI. */
static uint64_t retry_ms(struct sw_transfer *transfer, const struct sw_system *system)
{
    static const char *const months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const char *text = sw_outbound_header(transfer, "retry-after-ms"), *month;
    char text_time[SW_TIME_TEXT_SIZE], name[4];
    unsigned day, year, hour, minute, second;
    uint64_t value, now = system->utc_ns(system->ctx);

    if (sw_text_to_u64(text, &value) == SW_OK)
        return value < RETRY_MS_MAX ? value : RETRY_MS_MAX;
    text = sw_outbound_header(transfer, "retry-after");
    if (sw_text_to_u64(text, &value) == SW_OK)
        return value < RETRY_MS_MAX / 1000 ? value * 1000 : RETRY_MS_MAX;
    if (sscanf(text, "%*3s, %2u %3s %4u %2u:%2u:%2u GMT", &day, name, &year, &hour, &minute,
               &second) != 6 ||
        (month = strstr(months, name)) == NULL || strlen(name) != 3)
        return 0;
    (void)snprintf(text_time, sizeof text_time, "%04u-%02u-%02uT%02u:%02u:%02uZ", year,
                   (unsigned)(month - months) / 3 + 1, day, hour, minute, second);
    if (sw_time_parse(text_time, &value) != SW_OK || value <= now)
        return 0;
    value = (value - now) / 1000000;
    return value < RETRY_MS_MAX ? value : RETRY_MS_MAX;
}

static bool is_event_stream(struct sw_transfer *transfer)
{
    return strncasecmp(sw_outbound_header(transfer, "content-type"), "text/event-stream", 17) == 0;
}

static void on_head(void *ctx, struct sw_transfer *transfer, int status)
{
    struct sw_model_call *call = ctx;
    const struct call_route *route = &call->routes[call->at];
    const struct sw_system *system = call->models->options.system;
    struct sw_wire_relay *relay = NULL;
    struct sw_err err = {0};

    call->status = status;
    call->said_retry_ms = retry_ms(transfer, system);
    if (status == 200)
        sw_model_provider_well(route->provider,
                               (system->monotonic_ns(system->ctx) - call->asked_ns) / NS_PER_US);
    if (status == 200 && is_event_stream(transfer) &&
        sw_wire_request_view(call->request)->is_stream &&
        sw_wire_relay_new(call->request, route->protocol, &relay, &err) == SW_OK)
        call->relay = relay;
}

/* The transfer is over, in whatever way: what it cost is known or not, and it leaves. */
static void attempt_over(struct sw_model_call *call, bool is_unknown,
                         const struct sw_wire_usage *usage)
{
    struct provider *provider = call->routes[call->at].provider;
    uint64_t thought = sw_model_tokens_thought(call);
    uint64_t cost = usage == NULL ? 0 : usage->input_tokens + usage->output_tokens;

    call->transfer = NULL;
    call->state = CALL_RESTING; /* It does not count among the provider's any more. */
    sw_model_settle(call, is_unknown, usage);
    provider->refs++; /* Whoever comes in its place may end the call that holds it. */
    sw_model_provider_leave(provider, thought, is_unknown ? thought : cost);
    sw_model_provider_put(provider);
}

/* What came is no answer, or too much of one. */
static void broken(struct sw_model_call *call, const struct sw_err *err, bool may_repeat)
{
    struct call_failure failure = {.rc = err->rc,
                                   .is_clients = err->rc == SW_E_UNSUPPORTED,
                                   .may_repeat = may_repeat && !call->is_headed,
                                   .may_go_around = !call->is_headed};

    sw_wire_error_of(err, &failure.error);
    failure.error.status = err->rc == SW_E_TIMEOUT ? 504 : 502; /* It is not the client's fault. */
    attempt_over(call, true, NULL);
    sw_model_attempt_failed(call, &failure);
}

/* There is no room for what came, which is not the provider's fault, and no other one's matter. */
static void no_room(struct sw_model_call *call, const struct sw_err *err)
{
    struct call_failure failure = {.rc = err->rc, .is_clients = true};

    sw_wire_error_of(err, &failure.error);
    attempt_over(call, true, NULL);
    sw_model_attempt_failed(call, &failure);
}

/* Some providers quote what they were sent: nobody is told of a key. */
static void hide_key(const struct sw_model_call *call, struct sw_wire_error *error)
{
    struct sw_bytes key = call->routes[call->at].spec->value.key;
    char *const texts[] = {error->message, error->param, error->code, error->type};

    for (size_t i = 0; key.size > 0 && i < sizeof texts / sizeof texts[0]; i++)
        if (memmem(texts[i], strlen(texts[i]), key.data, key.size) != NULL)
            (void)strcpy(texts[i], "hidden");
}

static void relay_broken(struct sw_model_call *call, struct sw_err *err)
{
    const struct sw_wire_error *said = sw_wire_relay_error(call->relay);
    struct call_failure failure = {.rc = err->rc, .may_repeat = true, .may_go_around = true};

    if (said == NULL) {
        broken(call, err, err->rc == SW_E_UNAVAILABLE);
        return;
    }
    failure.error = *said;
    hide_key(call, &failure.error);
    failure.may_repeat = failure.may_go_around = !call->is_headed;
    attempt_over(call, true, NULL);
    sw_model_attempt_failed(call, &failure);
}

/* Part of an answer that is told when it is whole. */
static void gather(struct sw_model_call *call, struct sw_transfer *transfer, struct sw_bytes bytes)
{
    size_t most = call->status == 200 ? call->got.size_max : SW_MODEL_ERROR_BYTES_MAX;
    struct sw_err err = {0};
    enum sw_rc rc;

    if (call->status != 200 && call->got.size + bytes.size > most)
        return; /* Of an error its beginning is enough. */
    rc = call->got.size + bytes.size <= most
             ? sw_model_room_grow(&call->models->room, call->share, bytes.size, true, &err)
             : sw_err_set(&err, SW_E_UNAVAILABLE,
                          "the answer of provider %s is larger than %zu bytes",
                          call->routes[call->at].spec->value.name, most);
    if (rc == SW_OK) {
        call->held_bytes += bytes.size;
        call->answer_bytes += bytes.size;
        sw_buffer_put(&call->got, bytes.data, bytes.size);
        return;
    }
    sw_outbound_cancel(transfer);
    if (rc == SW_E_EXHAUSTED)
        no_room(call, &err);
    else
        broken(call, &err, false);
}

static void on_body(void *ctx, struct sw_transfer *transfer, struct sw_bytes bytes)
{
    struct sw_model_call *call = ctx;
    struct sw_err err = {0};
    enum sw_rc rc;

    if (call->relay == NULL) {
        gather(call, transfer, bytes);
        return;
    }
    sw_buffer_reset(&call->out);
    rc = sw_wire_relay_push(call->relay, bytes, &call->out, &err);
    if (call->out.size > 0 &&
        (!sw_model_tell_head(call, true, false) ||
         !sw_model_tell_bytes(call, (struct sw_bytes){call->out.data, call->out.size})))
        return;
    if (rc != SW_OK) {
        sw_outbound_cancel(transfer);
        relay_broken(call, &err);
    }
}

/* --- How it ends ----------------------------------------------------------------------------- */

/* Of all that came, what is counted. */
static void count(struct sw_model_call *call, struct sw_wire_usage *usage)
{
    struct provider *provider = call->routes[call->at].provider;
    const struct sw_models_options *options = &call->models->options;
    struct sw_wire_usage said = *usage;
    char words[MODEL_WORDS_MAX];

    if (sw_model_usage_hold(sw_wire_request_view(call->request), &call->worst, usage))
        return;
    (void)snprintf(words, sizeof words,
                   "it reports %llu tokens in and %llu out for a call that can have had no more "
                   "and no less than counts: %llu and %llu",
                   (unsigned long long)said.input_tokens, (unsigned long long)said.output_tokens,
                   (unsigned long long)usage->input_tokens,
                   (unsigned long long)usage->output_tokens);
    if (options->on_event != NULL && !provider->is_removed)
        options->on_event(options->ctx, provider->spec->value.name, true, "UsageMisreported",
                          words);
}

static void end_stream(struct sw_model_call *call)
{
    struct sw_err err = {0};
    enum sw_rc rc;

    sw_buffer_reset(&call->out);
    rc = sw_wire_relay_finish(call->relay, &call->out, &err);
    if (rc != SW_OK) {
        relay_broken(call, &err);
        return;
    }
    sw_wire_relay_usage(call->relay, &call->usage);
    count(call, &call->usage);
    attempt_over(call, false, &call->usage);
    if (call->has_cache_name && sw_wire_relay_answer(call->relay, &call->got, NULL) == SW_OK)
        keep(call, (struct sw_bytes){call->got.data, call->got.size});
    if (sw_model_tell_head(call, true, false) &&
        sw_model_tell_bytes(call, (struct sw_bytes){call->out.data, call->out.size}))
        sw_model_tell_end(call, SW_OK, NULL);
}

static void end_whole(struct sw_model_call *call)
{
    const struct call_route *route = &call->routes[call->at];
    bool is_stream = sw_wire_request_view(call->request)->is_stream;
    struct sw_err err = {0};
    enum sw_rc rc;

    sw_buffer_reset(&call->out);
    rc = sw_wire_answer_convert(call->request, route->protocol,
                                (struct sw_bytes){call->got.data, call->got.size}, &call->out,
                                &call->usage, &err);
    if (rc == SW_OK && is_stream) { /* It was asked for a stream, and answers at once. */
        sw_buffer_reset(&call->got);
        rc = sw_wire_answer_stream(call->request, (struct sw_bytes){call->out.data, call->out.size},
                                   &call->got, &err);
    }
    if (rc != SW_OK) {
        broken(call, &err, rc == SW_E_CORRUPT);
        return;
    }
    count(call, &call->usage);
    attempt_over(call, false, &call->usage);
    keep(call, (struct sw_bytes){call->out.data, call->out.size});
    if (sw_model_tell_head(call, is_stream, false) &&
        sw_model_tell_bytes(call, is_stream ? (struct sw_bytes){call->got.data, call->got.size}
                                            : (struct sw_bytes){call->out.data, call->out.size}))
        sw_model_tell_end(call, SW_OK, NULL);
}

/* An answer that is an error: what it was is known, and it cost nothing. */
static void end_refused(struct sw_model_call *call)
{
    const struct call_route *route = &call->routes[call->at];
    int status = call->status;
    struct call_failure failure = {.retry_ms = call->said_retry_ms};

    (void)sw_wire_error_read(route->protocol, status,
                             (struct sw_bytes){call->got.data, call->got.size}, &failure.error);
    hide_key(call, &failure.error);
    failure.may_repeat = status == 408 || status == 409 || status == 425 || status == 429 ||
                         (status >= 500 && status != 501 && status != 505);
    /* Its key, its names and its troubles are the provider's; what is asked is the client's. */
    failure.may_go_around = failure.may_repeat || status == 401 || status == 402 || status == 403 ||
                            status == 404 || status < 400 || status >= 500;
    failure.rc = status == 429            ? SW_E_EXHAUSTED
                 : !failure.may_go_around ? SW_E_INVALID
                                          : SW_E_UNAVAILABLE;
    if (status == 401 || status == 402 || status == 403) { /* The client is not to be asked. */
        failure.error = (struct sw_wire_error){.status = 502};
        (void)snprintf(failure.error.message, sizeof failure.error.message,
                       "provider %.63s does not take the key that it is called with (%d)",
                       route->spec->value.name, status);
    } else if (status < 400) {
        failure.error.status = 502;
    }
    attempt_over(call, false, NULL);
    sw_model_attempt_failed(call, &failure);
}

static void on_end(void *ctx, struct sw_transfer *transfer, const struct sw_outbound_end *end)
{
    struct sw_model_call *call = ctx;
    const struct sw_model_provider *spec = &call->routes[call->at].spec->value;
    struct sw_err err = {0};

    (void)transfer;
    call->transfer = NULL;
    if (call->relay != NULL && (end->rc == SW_OK || sw_wire_relay_is_ended(call->relay))) {
        end_stream(call);
        return;
    }
    if (end->rc == SW_OK) {
        if (call->status == 200)
            end_whole(call);
        else
            end_refused(call);
        return;
    }
    (void)sw_err_set(&err, end->rc, "provider %s: %.300s", spec->name, end->why);
    if (end->may_be_sent) {
        broken(call, &err, true);
        return;
    }
    struct call_failure failure = {.rc = end->rc, .may_repeat = true, .may_go_around = true};
    sw_wire_error_of(&err, &failure.error);
    failure.error.status = end->rc == SW_E_TIMEOUT ? 504 : 502;
    attempt_over(call, false, NULL);
    sw_model_attempt_failed(call, &failure);
}

struct sw_outbound_handler sw_model_outbound_handler(struct sw_model_call *call)
{
    return (struct sw_outbound_handler){
        .ctx = call, .on_head = on_head, .on_body = on_body, .on_end = on_end};
}
