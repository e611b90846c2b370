#include "pkg/broker/model/state.h"

#include <stdio.h>
#include <string.h>

#define BUCKET_UNIT 60000 /* Of a credit: a millisecond of one in a minute. */
#define BURST_MS 1000     /* What was not used for so long may be had at once. */
#define COOLING_MS 10000u
#define OUTPUT_THOUGHT 512u /* Tokens of an answer that nothing else is known of. */

/* --- What may begin -------------------------------------------------------------------------- */

static void bucket_refill(struct model_bucket *bucket, uint64_t elapsed_ms)
{
    int64_t most = (int64_t)(bucket->per_minute * BURST_MS);

    if (most < BUCKET_UNIT)
        most = BUCKET_UNIT;
    if (elapsed_ms > (uint64_t)BUCKET_UNIT) /* A minute fills any. */
        elapsed_ms = BUCKET_UNIT;
    bucket->credit += (int64_t)(bucket->per_minute * elapsed_ms);
    if (bucket->credit > most)
        bucket->credit = most;
}

static void bucket_take(struct model_bucket *bucket, uint64_t count)
{
    if (bucket->per_minute > 0)
        bucket->credit -= (int64_t)(count * BUCKET_UNIT);
}

/* When there is credit for one more, from now; 0: there is. */
static uint64_t bucket_wait_ms(const struct model_bucket *bucket, int64_t least)
{
    if (bucket->per_minute == 0 || bucket->credit >= least)
        return 0;
    return ((uint64_t)(least - bucket->credit) + bucket->per_minute - 1) / bucket->per_minute;
}

/* Whether as many are asked as may be, of all providers together. */
static bool is_full(const struct sw_models *models)
{
    return models->asking >= models->options.asking_max;
}

/* Whether as many are asked of this one as may be; it leaves some of all to others. */
static bool is_busy(const struct provider *provider)
{
    uint32_t all = provider->models->options.asking_max, most = all - all / 5;
    uint32_t own = provider->spec->value.concurrency;

    return provider->in_flight >= (own > 0 && own < most ? own : most);
}

/* When the provider may be asked once more, from now; UINT64_MAX: when somebody has left it, or
 * another one. */
static uint64_t wait_ms(struct provider *provider)
{
    uint64_t now = sw_model_now_ms(provider->models), wait, other;

    if (is_busy(provider) || is_full(provider->models))
        return UINT64_MAX;
    bucket_refill(&provider->requests_rate, now - provider->refilled_ms);
    bucket_refill(&provider->tokens_rate, now - provider->refilled_ms);
    provider->refilled_ms = now;
    wait = bucket_wait_ms(&provider->requests_rate, BUCKET_UNIT);
    other = bucket_wait_ms(&provider->tokens_rate, 1);
    if (other > wait)
        wait = other;
    other = provider->held_until_ms > now ? provider->held_until_ms - now : 0;
    return other > wait ? other : wait;
}

uint64_t sw_model_tokens_thought(const struct sw_model_call *call)
{
    const struct sw_wire_view *view = sw_wire_request_view(call->request);
    uint64_t output = call->worst.output_tokens;

    return view->input_bytes / 4 + (output < OUTPUT_THOUGHT ? output : OUTPUT_THOUGHT);
}

static void admit(struct provider *provider, struct sw_model_call *call)
{
    bucket_take(&provider->requests_rate, 1);
    bucket_take(&provider->tokens_rate, sw_model_tokens_thought(call));
    provider->in_flight++;
    provider->models->asking++;
    sw_model_ask(call);
}

void sw_model_provider_pump(struct provider *provider)
{
    uint64_t wait = 0;

    if (provider->is_pumping || provider->models->is_stopped)
        return; /* Who is asked and fails at once comes here again. */
    provider->is_pumping = true;
    while (provider->queue.count > 0 && (wait = wait_ms(provider)) == 0) {
        struct model_waiter *waiter = sw_model_queue_take(&provider->queue);

        admit(provider, SW_LIST_ITEM(waiter, struct sw_model_call, waiter));
    }
    provider->is_pumping = false;
    if (provider->queue.count == 0)
        return;
    if (wait != UINT64_MAX)
        sw_timer_start(provider->timer, wait);
    else if (!is_busy(provider) && sw_list_is_empty(&provider->held_up))
        sw_list_add(&provider->models->held_up, &provider->held_up);
}

void sw_model_provider_enter(struct sw_model_call *call)
{
    struct provider *provider = call->routes[call->at].provider;
    char name[2 * SW_BUDGET_NAME_MAX + 2];
    int size = snprintf(name, sizeof name, "%s/%s", call->name_space, call->agent);
    struct sw_err err = {0};

    call->state = CALL_WAITING;
    if (provider->queue.count == 0 && wait_ms(provider) == 0) {
        admit(provider, call);
        return;
    }
    if (sw_model_queue_add(&provider->queue, call->priority, (struct sw_bytes){name, (size_t)size},
                           &call->waiter) != SW_OK ||
        !sw_model_due_at(call, call->deadline_ms)) {
        (void)sw_err_set(&err, SW_E_EXHAUSTED, "no memory for a call that waits");
        sw_model_settle(call, false, NULL);
        sw_model_fail_with(call, &err);
        return;
    }
    sw_model_provider_pump(provider);
}

void sw_model_provider_leave(struct provider *provider, uint64_t thought, uint64_t cost)
{
    struct sw_models *models = provider->models;
    struct sw_list *first = sw_list_first(&models->held_up);

    provider->in_flight--;
    models->asking--;
    if (provider->tokens_rate.per_minute > 0)
        provider->tokens_rate.credit +=
            ((int64_t)thought - (int64_t)cost) * BUCKET_UNIT; /* What was thought wrong. */
    if (first != NULL) {                                      /* Providers take turns, too. */
        sw_list_remove(first);
        sw_model_provider_pump(SW_LIST_ITEM(first, struct provider, held_up));
    }
    sw_model_provider_pump(provider);
}

/* --- How it does ----------------------------------------------------------------------------- */

static void tell(struct provider *provider, bool is_warning, const char *reason, const char *words)
{
    const struct sw_models_options *options = &provider->models->options;

    if (options->on_event != NULL && !provider->is_removed)
        options->on_event(options->ctx, provider->spec->value.name, is_warning, reason, words);
}

void sw_model_provider_failed(struct provider *provider, const struct call_failure *failure)
{
    uint64_t now = sw_model_now_ms(provider->models);

    provider->failures++;
    (void)snprintf(provider->last_error, sizeof provider->last_error, "%.255s",
                   failure->error.message);
    if (failure->retry_ms > 0 && now + failure->retry_ms > provider->held_until_ms)
        provider->held_until_ms = now + failure->retry_ms;
    if (failure->may_repeat || failure->may_go_around)
        provider->cooling_until_ms =
            now + (failure->retry_ms > COOLING_MS ? failure->retry_ms : COOLING_MS);
    if (!provider->is_failing && failure->may_go_around) {
        provider->is_failing = true;
        tell(provider, true, "ProviderFailing", provider->last_error);
    }
}

void sw_model_provider_well(struct provider *provider, uint64_t latency_us)
{
    provider->cooling_until_ms = 0;
    provider->latency_us = provider->latency_us == 0
                               ? latency_us + 1
                               : (provider->latency_us * 7 + latency_us) / 8 + 1;
    if (provider->is_failing) {
        provider->is_failing = false;
        provider->last_error[0] = '\0';
        tell(provider, false, "ProviderWell", "it answers again");
    }
}
